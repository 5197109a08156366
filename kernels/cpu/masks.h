/* True elements of masks: where they are, and what stands at them. */
#ifndef KERNELS_CPU_MASKS_H
#define KERNELS_CPU_MASKS_H

#include "kernels/shared/boxed.h"

/* Coordinates of the true elements of a CPU tensor, as an int64 tensor of shape [count, ndim]; each dimension's lie together. */
RtTensor *rt_nonzero(const RtTensor *self);

/* The elements of a contiguous tensor where a contiguous bool tensor of the same sizes is true, as a tensor of one dimension. */
RtTensor *rt_masked_elements(const RtTensor *self, const RtTensor *mask);

#endif
