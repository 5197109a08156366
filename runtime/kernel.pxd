# What Cython code needs to write kernels: the declarations of include/runtime/kernel.h and runtime.h, and capsules around functions.

from cpython.object cimport PyObject
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

cdef extern from "runtime/runtime.h":
    ctypedef uint64_t rt_keyset
    ctypedef struct rt_operator:
        pass
    ctypedef PyObject *(*rt_kernel_fn)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx) noexcept
    ctypedef struct rt_view:
        void *data
        const int64_t *sizes
        const int64_t *strides
        int64_t numel
        int32_t ndim
        int32_t dtype
        int32_t device_type
        int32_t device_index
        int32_t is_contiguous
        int32_t itemsize
    ctypedef struct rt_scalar:
        int64_t i
        double d
        double imag
        int32_t kind
    ctypedef int (*rt_typed_fn)(const rt_view *inputs, rt_view *outputs, const rt_scalar *scalars, void *ctx) noexcept nogil
    ctypedef struct rt_api:
        int (*is_tensor)(PyObject *o) noexcept
        int (*view)(PyObject *tensor, rt_view *view) noexcept
        PyObject *(*empty)(int ndim, const int64_t *sizes, int dtype) noexcept
        rt_keyset (*keyset)(PyObject *tensor) noexcept
        rt_operator *(*find)(const char *name, const char *overload) noexcept
        PyObject *(*call)(rt_operator *op, PyObject *const *args, Py_ssize_t nargs) noexcept
        PyObject *(*redispatch)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs) noexcept
        PyObject *(*name)(rt_operator *op) noexcept
    const rt_api *rt
    int rt_import() except -1
    rt_keyset RT_FULL_AFTER(int key) noexcept
    rt_keyset RT_FUNCTIONALITY_BIT(int key) noexcept
    enum:
        RT_UINT8, RT_INT8, RT_INT16, RT_INT32, RT_INT64, RT_FLOAT32, RT_FLOAT64, RT_BOOL


cdef inline object boxed_kernel(rt_kernel_fn fn):
    """A boxed kernel as `Library.impl` takes it."""
    return PyCapsule_New(<void *>fn, "rt_kernel_fn", NULL)


cdef inline object typed_function(rt_typed_fn fn):
    """A typed kernel's function as `TypedKernel` takes it."""
    return PyCapsule_New(<void *>fn, "rt_typed_fn", NULL)
