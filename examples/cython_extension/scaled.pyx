# cython: language_level=3
"""A boxed kernel written in Cython: x * factor for contiguous float32 tensors."""

from cpython.float cimport PyFloat_AsDouble
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

from runtime.kernel cimport RT_FLOAT32, boxed_kernel, rt, rt_import, rt_keyset, rt_operator, rt_view

rt_import()


cdef PyObject *scale(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx) noexcept:
    cdef rt_view x, out
    cdef PyObject *result
    cdef int64_t i
    cdef float factor = <float>PyFloat_AsDouble(<object>args[1])
    if rt.view(args[0], &x) < 0:
        return NULL
    result = rt.empty(x.ndim, x.sizes, RT_FLOAT32)
    if result == NULL or rt.view(result, &out) < 0:
        return NULL
    for i in range(x.numel):
        (<float *>out.data)[i] = (<float *>x.data)[i] * factor
    return result


kernel = boxed_kernel(scale)
