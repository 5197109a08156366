/* Moving elements of one size between strided places in memory.
 *
 * Whoever lays elements out anew uses this: cat, repeat, indexing, kernels that want contiguous arguments. Nothing here touches Python.
 */
#ifndef KERNELS_COPYING_H
#define KERNELS_COPYING_H

#include "runtime/core/core.h"

/* A copy that may run at many pairs of places: dimensions of more than one element, merged where they step as one; strides in bytes. */
typedef struct rt_copy {
    int ndim, itemsize;
    int64_t numel;
    int64_t sizes[RT_MAX_DIM], to[RT_MAX_DIM], from[RT_MAX_DIM];
} rt_copy;

/* Strides in elements. */
void rt_copy_plan(rt_copy *copy, int ndim, const int64_t *sizes, const int64_t *to_strides, const int64_t *from_strides, int itemsize);
/* Run a copy, in this thread alone. */
void rt_copy_run(const rt_copy *copy, char *to, const char *from);

/* Copy elements between two strided places of the same sizes; strides in elements. Threads share large copies. */
void rt_copy_elements(int ndim, const int64_t *sizes, char *to, const int64_t *to_strides, const char *from, const int64_t *from_strides,
                      int itemsize);

/* Copy n bytes, by several threads where that pays. The places may overlap. */
void rt_copy_bytes(char *to, const char *from, int64_t n);

/* Bytes of contiguous memory below which a copy is not worth another thread. */
enum { RT_COPY_GRAIN = 1 << 17 };

#endif
