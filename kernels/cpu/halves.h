/* float16 and bfloat16 as float32, which all loops over half types compute in, and back. (halves.c) */
#ifndef KERNELS_CPU_HALVES_H
#define KERNELS_CPU_HALVES_H

#include <stdint.h>

/* Elements as float32, and back with one rounding; `step` leads from one half to the next, in elements. */
void rt_widen(int dtype, const void *from, int64_t step, float *to, int64_t n);
void rt_narrow(int dtype, const float *from, void *to, int64_t step, int64_t n);

#endif
