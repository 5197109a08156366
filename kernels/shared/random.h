/* Random numbers from a generator object (kernels/cpu/random.c), and what kernels that draw share. */
#ifndef KERNELS_RANDOM_H
#define KERNELS_RANDOM_H

#include "runtime/core/core.h"

#include <string.h>

/* The generator of a `Generator?` argument; NULL with an exception set where it is no CPU generator. */
RtGenerator *rt_generator_or_default(PyObject *object);
uint64_t rt_random_bits(RtGenerator *g);
/* An integer in [0, bound), every value equally likely; bound > 0. */
uint64_t rt_random_below(RtGenerator *g, uint64_t bound);
/* A double in [0, 1), a multiple of 2**-53. */
double rt_random_unit(RtGenerator *g);
double rt_random_normal(RtGenerator *g);
/* A uniformly random order of n elements. */
void rt_shuffle(RtGenerator *g, char *data, int64_t n, int itemsize);

/* What is drawn: parameters of the distribution. */
typedef struct rt_draw {
    RtGenerator *g;
    double a, b;
    int64_t low;
    uint64_t span; /* 0: all 64 bits */
} rt_draw;

/* Draws n elements, `step` bytes apart. */
typedef void (*rt_draw_fn)(rt_draw *d, char *at, int64_t n, int64_t step, int dtype);

/* Check the tensor and the generator and fill the tensor in logical order; the result is the tensor. Nothing is drawn on Meta. */
PyObject *rt_fill_random(PyObject *tensor, PyObject *generator, const char *name, rt_draw_fn fn, rt_draw *d);

/* A tensor of parameters expanded to t's shape: a new reference. */
PyObject *rt_expand_to(PyObject *parameter, const RtTensor *t);

int rt_has_float_draws(int dtype);
/* Errors, as NULL: the kernel has no loop for a dtype; a parameter is out of range. */
PyObject *rt_no_draws(const char *kernel, int dtype);
PyObject *rt_bad_range(const char *format, double a, double b);

void rt_store_integer(char *at, int dtype, int64_t value);

static inline void rt_store_float(char *at, int dtype, double x)
{
    switch (dtype) {
    case RT_FLOAT32: *(float *)at = (float)x; break;
    case RT_FLOAT64: *(double *)at = x; break;
    case RT_FLOAT16: *(_Float16 *)at = (_Float16)(float)x; break;
    default: {
        float f = (float)x;
        uint32_t bits;
        memcpy(&bits, &f, 4);
        *(uint16_t *)at = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    }
    }
}

static inline double rt_float_at(const char *at, int dtype)
{
    uint32_t bits;
    float f;
    switch (dtype) {
    case RT_FLOAT32: return *(const float *)at;
    case RT_FLOAT64: return *(const double *)at;
    case RT_FLOAT16: return (float)*(const _Float16 *)at;
    default:
        bits = (uint32_t)*(const uint16_t *)at << 16;
        memcpy(&f, &bits, 4);
        return f;
    }
}

#endif
