"""The C kernels of the benchmarks: an addition of two tensors, a layer that hands a call on, and a dot product of tensors or arrays."""

import functools

import numpy as np

from bench.row import Skip
from runtime.inline import NoCompiler, load_c

SOURCE = r"""
#include "runtime/runtime.h"
#define NPY_NO_DEPRECATED_API NPY_2_0_API_VERSION
#include <numpy/arrayobject.h>

int bench_init(void)
{
    import_array1(-1);
    return rt_import();
}

/* a + b of float32 tensors of one shape. */
PyObject *bench_add(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    rt_view a, b, r;
    PyObject *result;
    if (rt->view(args[0], &a) < 0 || rt->view(args[1], &b) < 0)
        return NULL;
    if (a.dtype != RT_FLOAT32 || b.dtype != RT_FLOAT32 || !a.is_contiguous || !b.is_contiguous || a.numel != b.numel) {
        PyErr_SetString(PyExc_TypeError, "expected contiguous float32 tensors of one size");
        return NULL;
    }
    result = rt->empty(a.ndim, a.sizes, RT_FLOAT32);
    if (result == NULL || rt->view(result, &r) < 0)
        return NULL;
    for (int64_t i = 0; i < a.numel; i++)
        ((float *)r.data)[i] = ((const float *)a.data)[i] + ((const float *)b.data)[i];
    return result;
}

/* A layer: hand the call on without the highest key, the one that this kernel was selected by. */
PyObject *bench_layer(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    return rt->redispatch(op, ks & ~((rt_keyset)1 << (63 - __builtin_clzll(ks))), args, nargs);
}

static int memory(PyObject *o, const float **data, int64_t *n)
{
    if (PyArray_Check(o)) {
        PyArrayObject *array = (PyArrayObject *)o;
        if (PyArray_TYPE(array) == NPY_FLOAT && PyArray_IS_C_CONTIGUOUS(array)) {
            *data = PyArray_DATA(array);
            *n = PyArray_SIZE(array);
            return 0;
        }
    } else {
        rt_view v;
        if (rt->view(o, &v) < 0)
            return -1;
        if (v.dtype == RT_FLOAT32 && v.is_contiguous) {
            *data = v.data;
            *n = v.numel;
            return 0;
        }
    }
    PyErr_SetString(PyExc_TypeError, "expected contiguous float32 data");
    return -1;
}

/* The dot product of two tensors or two NumPy arrays, as a number. */
PyObject *bench_dot(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const float *a, *b;
    int64_t n, m;
    double sum = 0;
    if (memory(args[0], &a, &n) < 0 || memory(args[1], &b, &m) < 0)
        return NULL;
    for (int64_t i = 0; i < (n < m ? n : m); i++)
        sum += a[i] * b[i];
    return PyFloat_FromDouble(sum);
}
"""


@functools.cache
def kernels():
    """The compiled kernels as a ctypes library.

    Raises
    ------
    Skip
        If there is no C compiler.
    """
    try:
        library = load_c(SOURCE, [np.get_include()])
    except NoCompiler as e:
        raise Skip(str(e)) from None
    # A PyDLL raises the exception that a failing function leaves behind.
    library.bench_init()
    return library
