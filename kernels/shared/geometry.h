/* Arithmetic of sizes and strides that views, joins and products share (views.c). */
#ifndef KERNELS_GEOMETRY_H
#define KERNELS_GEOMETRY_H

#include "runtime/core/core.h"

/* Replace the one -1 of `sizes` so that the product is numel: 0, or -1 with an exception set. */
int rt_infer_size(int ndim, int64_t *sizes, int64_t numel);
/* Strides under which a tensor's memory shows new sizes (of the same product): 1, or 0 where only a copy could. */
int rt_view_strides(int ndim, const int64_t *sizes, const int64_t *strides, int64_t numel, int new_ndim, const int64_t *new_sizes,
                    int64_t *new_strides);
/* Sizes, strides and offset describe elements inside a storage: 0, or -1 with an exception set. */
int rt_check_geometry(const rt_storage *storage, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int64_t itemsize);
/* Strides of a tensor expanded to `sizes` (-1 entries are replaced): 0, or -1 with an exception set. */
int rt_expand_strides(const RtTensor *t, int ndim, int64_t *sizes, int64_t *strides);
/* Bit mask of a tuple of dimension numbers; their count, or -1 with an exception set (out of range, named twice). */
int rt_dim_mask(PyObject *dims, int ndim, uint64_t *mask);

/* The next place of an odometer over n dimensions, with steps in bytes; 0 at the end, where it is at the first place again. */
static inline int rt_next_element(int n, const int64_t *sizes, const int64_t *steps, int64_t *index, const char **at)
{
    for (int d = n - 1; d >= 0; d--) {
        *at += steps[d];
        if (++index[d] < sizes[d])
            return 1;
        *at -= index[d] * steps[d];
        index[d] = 0;
    }
    return 0;
}

/* Strides that keep the order of a tensor's dimensions without gaps or overlaps, as the preserve_format of PyTorch does. */
void rt_preserved_strides(const RtTensor *t, int64_t *strides);
/* Strides of channels_last or channels_last_3d: 0, or -1 with an exception set (another rank). */
int rt_channels_last_strides(int format, int ndim, const int64_t *sizes, int64_t *strides);
/* The broadcast of two shapes into the first; -1 with "The size of tensor a ..." */
int rt_broadcast_into(int *ndim, int64_t *sizes, int other_ndim, const int64_t *other_sizes);
/* Sizes of two shapes broadcast together: the rank, or -1 with an exception set. */
int rt_broadcast_sizes(int andim, const int64_t *a, int bndim, const int64_t *b, int64_t *out);

#endif
