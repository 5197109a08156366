/* resize_ and set_: other memory behind a tensor, or more of it.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "runtime/core/node.h"

/* The object of a `Storage` argument. */
typedef struct RtStorageObject {
    PyObject_HEAD
    rt_storage *storage;
} RtStorageObject;

/* The storage is large enough for a geometry, growing if it must: 0, or -1 with an exception set. */
static int make_room(rt_storage *storage, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int64_t itemsize)
{
    int64_t needed = offset + 1, step, numel = 1;
    int overflow = 0;
    for (int d = 0; d < ndim; d++) {
        overflow |= sizes[d] < 0 || __builtin_mul_overflow(numel, sizes[d], &numel);
        overflow |= __builtin_mul_overflow(sizes[d] - 1, strides[d], &step) || __builtin_add_overflow(needed, step, &needed);
    }
    overflow |= numel > 0 && __builtin_mul_overflow(needed, itemsize, &needed);
    if (overflow) {
        PyErr_SetString(PyExc_RuntimeError, "numel: integer multiplication overflow");
        return -1;
    }
    if (numel == 0 || needed <= storage->nbytes)
        return 0;
    return rt_storage_resize(storage, needed);
}

static int has_storage(const RtTensor *t)
{
    if (t->storage != NULL)
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "Cannot access storage of a tensor that has none");
    return 0;
}

RT_KERNEL(resize_)
{
    rt_wait_for_loops();
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    int ndim = rt_as_int64_array(args[1], sizes, RT_MAX_DIM), format = RT_CONTIGUOUS_FORMAT;
    if (ndim < 0 || !has_storage(self))
        return NULL;
    if (args[2] != Py_None) {
        format = ((RtMemoryFormat *)args[2])->code;
        if (format == RT_PRESERVE_FORMAT) {
            PyErr_SetString(PyExc_RuntimeError, "Unsupported memory formatPreserve");
            return NULL;
        }
    }
    int same = ndim == self->ndim && memcmp(sizes, self->sizes, ndim * sizeof(int64_t)) == 0;
    if (same && args[2] == Py_None)
        return Py_NewRef(args[0]);
    rt_contiguous_strides(ndim, sizes, strides);
    if (format != RT_CONTIGUOUS_FORMAT && rt_channels_last_strides(format, ndim, sizes, strides) < 0)
        return NULL;
    if (make_room(self->storage, ndim, sizes, strides, self->offset, rt_itemsize[self->dtype]) < 0 ||
        rt_set_geometry(self, ndim, sizes, strides, self->offset) < 0)
        return NULL;
    return Py_NewRef(args[0]);
}

/* Put a storage (whose reference is taken over) behind a tensor. */
static PyObject *set_storage(RtTensor *self, rt_storage *storage, int64_t offset, int ndim, const int64_t *sizes, const int64_t *strides)
{
    int64_t itemsize = rt_itemsize[self->dtype];
    if (self->flags & RT_T_NO_METADATA_CHANGE) {
        PyErr_SetString(PyExc_RuntimeError, "set_storage is not allowed on a Tensor created from .data or .detach().");
        goto fail;
    }
    if (storage->device_type != self->device_type) {
        PyErr_Format(PyExc_RuntimeError,
                     "Attempted to set the storage of a tensor on device \"%s\" to a storage on different device \"%s\".  This is no longer "
                     "allowed; the devices must match.",
                     rt_device_title(self->device_type), rt_device_title(storage->device_type));
        goto fail;
    }
    if (offset < 0) {
        PyErr_Format(PyExc_RuntimeError, "Tensor: invalid storage offset %lld", (long long)offset);
        goto fail;
    }
    for (int d = 0; d < ndim; d++) {
        if (sizes[d] < 0) {
            PyErr_SetString(PyExc_RuntimeError, "numel: integer multiplication overflow");
            goto fail;
        }
    }
    if (rt_check_geometry(NULL, ndim, sizes, strides, offset, itemsize) < 0 ||
        make_room(storage, ndim, sizes, strides, offset, itemsize) < 0)
        goto fail;
    rt_storage *old = self->storage;
    self->storage = storage;
    if (rt_set_geometry(self, ndim, sizes, strides, offset) < 0) {
        self->storage = old;
        goto fail;
    }
    if (old != NULL)
        rt_storage_decref(old);
    /* The gradient of what the tensor was is no gradient of what it is now: graphs that it is part of do not lead to it any more. */
    if (self->ext != NULL && ((rt_grad_ext *)self->ext)->kept == NULL)
        ((rt_grad_ext *)self->ext)->accumulator = NULL;
    return Py_NewRef((PyObject *)self);
fail:
    rt_storage_decref(storage);
    return NULL;
}

RT_KERNEL(set__source_Storage_storage_offset)
{
    rt_wait_for_loops();
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t offset, sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    if (rt_as_int64(args[2], &offset) < 0)
        return NULL;
    int ndim = rt_as_int64_array(args[3], sizes, RT_MAX_DIM);
    if (ndim < 0)
        return NULL;
    int nstrides = rt_as_int64_array(args[4], strides, RT_MAX_DIM);
    if (nstrides < 0)
        return NULL;
    if (nstrides == 0 && ndim > 0) {
        rt_contiguous_strides(ndim, sizes, strides);
    } else if (nstrides != ndim) {
        PyErr_Format(PyExc_RuntimeError, "unequal size length (%d) and stride length (%d)", ndim, nstrides);
        return NULL;
    }
    rt_storage *storage = ((RtStorageObject *)args[1])->storage;
    rt_storage_incref(storage);
    return set_storage(self, storage, offset, ndim, sizes, strides);
}

RT_KERNEL(set__source_Storage)
{
    rt_wait_for_loops();
    RtTensor *self = RT_TENSOR(args[0]);
    rt_storage *storage = ((RtStorageObject *)args[1])->storage;
    int64_t size = storage->nbytes / rt_itemsize[self->dtype], stride = 1;
    rt_storage_incref(storage);
    return set_storage(self, storage, 0, 1, &size, &stride);
}

RT_KERNEL(set__source_Tensor)
{
    rt_wait_for_loops();
    RtTensor *self = RT_TENSOR(args[0]), *source = RT_TENSOR(args[1]);
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Could not set tensor of type %s to a tensor of type %s", rt_dtype_cpp_title(source->dtype),
                     rt_dtype_cpp_title(self->dtype));
        return NULL;
    }
    if (self == source)
        return Py_NewRef(args[0]);
    if (!has_storage(source))
        return NULL;
    rt_storage_incref(source->storage);
    return set_storage(self, source->storage, source->offset, source->ndim, source->sizes, source->strides);
}

RT_KERNEL(set_)
{
    rt_wait_for_loops();
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t size = 0, stride = 1;
    rt_storage *storage = rt_storage_new(0, self->device_type, self->device_index);
    return storage == NULL ? NULL : set_storage(self, storage, 0, 1, &size, &stride);
}
