/* Random numbers from a generator object (kernels/cpu/random.c), and what kernels that draw share. */
#ifndef KERNELS_RANDOM_H
#define KERNELS_RANDOM_H

#include "runtime/core/core.h"

/* The generator of a `Generator?` argument; NULL with an exception set where it is no CPU generator. */
RtGenerator *rt_generator_or_default(PyObject *object);
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

#endif
