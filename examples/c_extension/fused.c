/* A C extension with two kernels: `axpy`, typed, touches no Python; `count`, boxed, sees every call at its key and hands it on. */
#include "runtime/runtime.h"

static int axpy(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx)
{
    const double *x = in[0].data, *y = in[1].data;
    double *r = out[0].data, a = scalars[0].d;
    if (in[0].dtype != RT_FLOAT64 || in[1].dtype != RT_FLOAT64 || !in[0].is_contiguous || !in[1].is_contiguous)
        return 1;
    for (int64_t i = 0; i < out[0].numel; i++)
        r[i] = a * x[i] + y[i];
    return 0;
}

static long calls;

static PyObject *count(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    calls++;
    return rt->redispatch(op, ks & RT_FULL_AFTER(RT_KEY_TESTING_ONLY_GenericMode), args, nargs);
}

static PyObject *get_calls(PyObject *self, PyObject *ignored) { return PyLong_FromLong(calls); }
static PyMethodDef methods[] = {{"calls", get_calls, METH_NOARGS, "How often the counting kernel ran."}, {NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fused", NULL, -1, methods};

PyMODINIT_FUNC PyInit_fused(void)
{
    if (rt_import() < 0)
        return NULL;
    PyObject *m = PyModule_Create(&module);
    PyObject *typed = PyCapsule_New((void *)axpy, "rt_typed_fn", NULL), *boxed = PyCapsule_New((void *)count, "rt_kernel_fn", NULL);
    if (m == NULL || PyModule_AddObjectRef(m, "axpy", typed) < 0 || PyModule_AddObjectRef(m, "count", boxed) < 0)
        Py_CLEAR(m);
    Py_XDECREF(typed);
    Py_XDECREF(boxed);
    return m;
}
