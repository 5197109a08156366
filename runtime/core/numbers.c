/* Python numbers in C: as integers and doubles, as arrays of them, and as the 0-d tensors that stand for numbers in tensor arguments.
 */
#include "runtime/core/alloc.h"

int rt_as_int64(PyObject *o, int64_t *out)
{
    int overflow;
    long long value = PyLong_AsLongLongAndOverflow(o, &overflow);
    if (RT_UNLIKELY(overflow)) {
        PyErr_SetString(PyExc_RuntimeError, "Overflow when unpacking long long");
        return -1;
    }
    if (RT_UNLIKELY(value == -1 && PyErr_Occurred()))
        return -1;
    *out = value;
    return 0;
}

int rt_as_double(PyObject *o, double *out)
{
    double value = PyFloat_AsDouble(o);
    if (RT_UNLIKELY(value == -1.0 && PyErr_Occurred()))
        return -1;
    *out = value;
    return 0;
}

int rt_as_int64_array(PyObject *tuple, int64_t *out, int max)
{
    if (RT_UNLIKELY(!PyTuple_Check(tuple))) {
        PyErr_Format(PyExc_TypeError, "expected a tuple of ints, but got %s", Py_TYPE(tuple)->tp_name);
        return -1;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(tuple);
    if (RT_UNLIKELY(n > max)) {
        PyErr_Format(PyExc_RuntimeError, "expected at most %d numbers, but got %zd", max, n);
        return -1;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        if (RT_UNLIKELY(rt_as_int64(PyTuple_GET_ITEM(tuple, i), &out[i]) < 0))
            return -1;
    }
    return (int)n;
}

PyObject *rt_wrap_number(PyObject *number)
{
    int dtype;
    long long i = 0;
    unsigned long long u = 0;
    if (PyBool_Check(number)) {
        dtype = RT_BOOL;
    }
    else if (PyLong_Check(number)) {
        int overflow;
        dtype = RT_INT64;
        i = PyLong_AsLongLongAndOverflow(number, &overflow);
        if (overflow > 0) {
            dtype = RT_UINT64;
            u = PyLong_AsUnsignedLongLong(number);
            if (PyErr_Occurred())
                return NULL;
        }
        else if (overflow < 0) {
            PyErr_SetString(PyExc_OverflowError, "int too big to convert");
            return NULL;
        }
    }
    else if (PyFloat_Check(number)) {
        dtype = RT_FLOAT64;
    }
    else if (PyComplex_Check(number)) {
        dtype = RT_COMPLEX128;
    }
    else {
        PyErr_Format(PyExc_TypeError, "expected a number, but got %s", Py_TYPE(number)->tp_name);
        return NULL;
    }
    RtTensor *t = rt_empty(0, NULL, dtype, RT_DEVICE_CPU, -1);
    if (t == NULL)
        return NULL;
    char *data = t->storage->data;
    switch (dtype) {
    case RT_BOOL:
        *data = number == Py_True;
        break;
    case RT_INT64:
        *(int64_t *)data = i;
        break;
    case RT_UINT64:
        *(uint64_t *)data = u;
        break;
    case RT_FLOAT64:
        *(double *)data = PyFloat_AS_DOUBLE(number);
        break;
    default:
        ((double *)data)[0] = PyComplex_RealAsDouble(number);
        ((double *)data)[1] = PyComplex_ImagAsDouble(number);
    }
    t->flags |= RT_T_WRAPPED_NUMBER;
    return (PyObject *)t;
}
