/* Making tensors of zeros without memory. */
#ifndef KERNELS_ZERO_TENSORS_H
#define KERNELS_ZERO_TENSORS_H

#include "runtime/core/core.h"

/* A zero tensor of contiguous geometry: a new reference, or NULL with an exception set. */
PyObject *rt_zero_tensor(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index);

#endif
