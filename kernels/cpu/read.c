/* Operators that answer with a Python value: equal, _local_scalar_dense and item. */
#include "kernels/shared/boxed.h"
#include "rt_builtins.h"

static PyObject *number_at(const char *p, int dtype)
{
    uint32_t bits;
    float f;
    switch (dtype) {
    case RT_FLOAT32: return PyFloat_FromDouble(*(const float *)p);
    case RT_FLOAT64: return PyFloat_FromDouble(*(const double *)p);
    case RT_INT64: return PyLong_FromLongLong(*(const int64_t *)p);
    case RT_INT32: return PyLong_FromLong(*(const int32_t *)p);
    case RT_INT16: return PyLong_FromLong(*(const int16_t *)p);
    case RT_INT8: return PyLong_FromLong(*(const int8_t *)p);
    case RT_UINT8: return PyLong_FromLong(*(const uint8_t *)p);
    case RT_UINT16: return PyLong_FromLong(*(const uint16_t *)p);
    case RT_UINT32: return PyLong_FromUnsignedLong(*(const uint32_t *)p);
    case RT_UINT64: return PyLong_FromUnsignedLongLong(*(const uint64_t *)p);
    case RT_BOOL: return PyBool_FromLong(*(const uint8_t *)p);
    case RT_FLOAT16: return PyFloat_FromDouble((float)*(const _Float16 *)p);
    case RT_BFLOAT16:
        bits = (uint32_t)*(const uint16_t *)p << 16;
        memcpy(&f, &bits, 4);
        return PyFloat_FromDouble(f);
    case RT_COMPLEX64: return PyComplex_FromDoubles(((const float *)p)[0], ((const float *)p)[1]);
    case RT_COMPLEX128: return PyComplex_FromDoubles(((const double *)p)[0], ((const double *)p)[1]);
    case RT_COMPLEX32: return PyComplex_FromDoubles((float)((const _Float16 *)p)[0], (float)((const _Float16 *)p)[1]);
    default: return NULL;
    }
}

RT_KERNEL(_local_scalar_dense)
{
    RtTensor *self = RT_TENSOR(args[0]);
    if (rt_check_cpu(self, "_local_scalar_dense") < 0)
        return NULL;
    if (self->numel < 1) {
        PyErr_SetString(PyExc_RuntimeError, "a Tensor with 0 elements cannot be converted to Scalar");
        return NULL;
    }
    PyObject *number = number_at(rt_data(self), self->dtype);
    if (number != NULL || PyErr_Occurred())
        return number;
    /* The 8-bit floats: every value of theirs is a float32. */
    PyObject *call[7] = {args[0], rt_dtype_objects[RT_FLOAT32], Py_None, Py_None, Py_None, Py_False, Py_None};
    PyObject *wide = rt_call_below_views(RT_OP_aten__to_copy, call, 7);
    if (wide != NULL)
        number = number_at(rt_data(RT_TENSOR(wide)), RT_FLOAT32);
    Py_XDECREF(wide);
    return number;
}

RT_KERNEL(item)
{
    RtTensor *self = RT_TENSOR(args[0]);
    if (self->numel != 1) {
        PyErr_Format(PyExc_RuntimeError, "a Tensor with %lld elements cannot be converted to Scalar", (long long)self->numel);
        return NULL;
    }
    return rt_call(rt_builtin_ops[RT_OP_aten__local_scalar_dense], args, 1);
}

/* Elements of one dtype, compared as PyTorch compares: a NaN differs from itself, both zeros are equal. */
static int same_elements(const char *a, int64_t a_step, const char *b, int64_t b_step, int64_t n, int dtype)
{
    switch (dtype) {
#define ROW(CODE, T)                                                          \
    case CODE:                                                                \
        for (int64_t i = 0; i < n; i++, a += a_step, b += b_step)             \
            if (!(*(const T *)a == *(const T *)b))                            \
                return 0;                                                     \
        return 1;
        ROW(RT_FLOAT32, float)
        ROW(RT_FLOAT64, double)
        ROW(RT_FLOAT16, _Float16)
        ROW(RT_COMPLEX64, float _Complex)
        ROW(RT_COMPLEX128, double _Complex)
#undef ROW
    case RT_BFLOAT16:
        for (int64_t i = 0; i < n; i++, a += a_step, b += b_step) {
            uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
            if ((x & 0x7fff) > 0x7f80 || !(x == y || ((x | y) & 0x7fff) == 0))
                return 0;
        }
        return 1;
    default:
        if (a_step == rt_itemsize[dtype] && b_step == a_step)
            return memcmp(a, b, (size_t)n * a_step) == 0;
        for (int64_t i = 0; i < n; i++, a += a_step, b += b_step)
            if (memcmp(a, b, rt_itemsize[dtype]) != 0)
                return 0;
        return 1;
    }
}

static PyObject *equal_when_promoted(PyObject *const *args)
{
    PyObject *same = rt_call_below_views(RT_OP_aten_eq_Tensor, args, 2), *all = NULL, *result = NULL;
    if (same != NULL)
        all = rt_call_below_views(RT_OP_aten_all, &same, 1);
    if (all != NULL)
        result = PyBool_FromLong(*(const uint8_t *)rt_data(RT_TENSOR(all)));
    Py_XDECREF(same);
    Py_XDECREF(all);
    return result;
}

RT_KERNEL(equal)
{
    RtTensor *a = RT_TENSOR(args[0]), *b = RT_TENSOR(args[1]);
    if (rt_check_cpu(a, "equal") < 0 || rt_check_cpu(b, "equal") < 0)
        return NULL;
    if (a->ndim != b->ndim || memcmp(a->sizes, b->sizes, a->ndim * sizeof(int64_t)) != 0)
        Py_RETURN_FALSE;
    if (a->dtype != b->dtype)
        return equal_when_promoted(args);
    if (a->numel == 0)
        Py_RETURN_TRUE;
    int64_t itemsize = rt_itemsize[a->dtype];
    const char *ap = rt_data(a), *bp = rt_data(b);
    if (rt_is_contiguous(a) && rt_is_contiguous(b))
        return PyBool_FromLong(same_elements(ap, itemsize, bp, itemsize, a->numel, a->dtype));
    int64_t index[RT_MAX_DIM] = {0};
    int last = a->ndim - 1;
    for (;;) {
        if (!same_elements(ap, a->strides[last] * itemsize, bp, b->strides[last] * itemsize, a->sizes[last], a->dtype))
            Py_RETURN_FALSE;
        int d = last - 1;
        for (; d >= 0; d--) {
            ap += a->strides[d] * itemsize;
            bp += b->strides[d] * itemsize;
            if (++index[d] < a->sizes[d])
                break;
            ap -= index[d] * a->strides[d] * itemsize;
            bp -= index[d] * b->strides[d] * itemsize;
            index[d] = 0;
        }
        if (d < 0)
            Py_RETURN_TRUE;
    }
}
