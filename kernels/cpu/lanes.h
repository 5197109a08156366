/* Tensors as (outer, n, inner): what kernels that work along one dimension walk over.
 *
 * A lane is the n elements along the dimension. Such kernels take contiguous tensors, so that a lane's elements are `inner` elements
 * apart and neighbouring lanes are neighbours in memory.
 */
#ifndef KERNELS_CPU_LANES_H
#define KERNELS_CPU_LANES_H

#include "kernels/shared/boxed.h"

typedef struct rt_lanes {
    int64_t outer, n, inner;
} rt_lanes;

static inline rt_lanes rt_lanes_along(const RtTensor *t, int64_t dim)
{
    rt_lanes l = {1, 1, 1};
    for (int d = 0; d < t->ndim; d++) {
        if (d < dim)
            l.outer *= t->sizes[d];
        else if (d == dim)
            l.n = t->sizes[d];
        else
            l.inner *= t->sizes[d];
    }
    return l;
}

/* The tensor itself where it is contiguous, else a contiguous copy: a new reference. The caller has checked that it can be read. */
static inline RtTensor *rt_as_contiguous(RtTensor *t)
{
    if (rt_is_contiguous(t))
        return RT_TENSOR(Py_NewRef((PyObject *)t));
    RtTensor *copy = rt_empty_like(t, t->dtype);
    if (copy != NULL)
        rt_copy_elements(t->ndim, t->sizes, rt_data(copy), copy->strides, rt_data(t), t->strides, rt_itemsize[t->dtype]);
    return copy;
}

/* Where a kernel writes: the tensor itself where it is contiguous, else a contiguous tensor that rt_finish_output copies back. */
static inline RtTensor *rt_begin_output(RtTensor *out)
{
    return rt_is_contiguous(out) ? RT_TENSOR(Py_NewRef((PyObject *)out)) : rt_empty_like(out, out->dtype);
}

static inline void rt_finish_output(RtTensor *out, RtTensor *written)
{
    if (written != out)
        rt_copy_elements(out->ndim, out->sizes, rt_data(out), out->strides, rt_data(written), written->strides, rt_itemsize[out->dtype]);
    Py_DECREF((PyObject *)written);
}

#endif
