/* Random numbers from a generator object (kernels/cpu/random.c). */
#ifndef KERNELS_RANDOM_H
#define KERNELS_RANDOM_H

#include "runtime/core/core.h"

/* The generator of a `Generator?` argument; NULL with an exception set where it is no CPU generator. */
RtGenerator *rt_generator_or_default(PyObject *object);
uint64_t rt_random_bits(RtGenerator *g);
/* An integer in [0, bound), every value equally likely; bound > 0. */
uint64_t rt_random_below(RtGenerator *g, uint64_t bound);
double rt_random_normal(RtGenerator *g);
/* A uniformly random order of n elements. */
void rt_shuffle(RtGenerator *g, char *data, int64_t n, int itemsize);

#endif
