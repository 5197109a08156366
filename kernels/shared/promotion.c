/* The promotion lattice, the three categories, and checks of casts and numbers. See promotion.h. */
#include "kernels/shared/promotion.h"

#include <float.h>
#include <math.h>

static const struct { const char *scalar, *cpp; } names[RT_NUM_DTYPES] = {
    [RT_UINT8] = {"Byte", "uint8_t"}, [RT_INT8] = {"Char", "int8_t"}, [RT_INT16] = {"Short", "int16_t"}, [RT_INT32] = {"Int", "int"},
    [RT_INT64] = {"Long", "int64_t"}, [RT_FLOAT16] = {"Half", "c10::Half"}, [RT_FLOAT32] = {"Float", "float"},
    [RT_FLOAT64] = {"Double", "double"}, [RT_COMPLEX32] = {"ComplexHalf", "c10::complex<c10::Half>"},
    [RT_COMPLEX64] = {"ComplexFloat", "c10::complex<float>"}, [RT_COMPLEX128] = {"ComplexDouble", "c10::complex<double>"},
    [RT_BOOL] = {"Bool", "bool"}, [RT_BFLOAT16] = {"BFloat16", "c10::BFloat16"}, [RT_FLOAT8_E5M2] = {"Float8_e5m2", "c10::Float8_e5m2"},
    [RT_FLOAT8_E4M3FN] = {"Float8_e4m3fn", "c10::Float8_e4m3fn"}, [RT_FLOAT8_E5M2FNUZ] = {"Float8_e5m2fnuz", "c10::Float8_e5m2fnuz"},
    [RT_FLOAT8_E4M3FNUZ] = {"Float8_e4m3fnuz", "c10::Float8_e4m3fnuz"}, [RT_UINT16] = {"UInt16", "uint16_t"},
    [RT_UINT32] = {"UInt32", "uint32_t"}, [RT_UINT64] = {"UInt64", "uint64_t"},
    [RT_FLOAT8_E8M0FNU] = {"Float8_e8m0fnu", "c10::Float8_e8m0fnu"}, [RT_QINT8] = {"QInt8", "c10::qint8"},
    [RT_QUINT8] = {"QUInt8", "c10::quint8"}, [RT_QINT32] = {"QInt32", "c10::qint32"},
};

const char *rt_dtype_title(int dtype)
{
    return dtype >= 0 && dtype < RT_NUM_DTYPES && names[dtype].scalar ? names[dtype].scalar : "Undefined";
}

const char *rt_dtype_cpp_name(int dtype)
{
    return dtype >= 0 && dtype < RT_NUM_DTYPES && names[dtype].cpp ? names[dtype].cpp : "undefined";
}

int rt_complex_of(int dtype)
{
    switch (dtype) {
    case RT_FLOAT16: return RT_COMPLEX32;
    case RT_FLOAT64: return RT_COMPLEX128;
    case RT_COMPLEX32: case RT_COMPLEX64: case RT_COMPLEX128: return dtype;
    default: return RT_COMPLEX64;
    }
}

int rt_real_of(int dtype)
{
    switch (dtype) {
    case RT_COMPLEX32: return RT_FLOAT16;
    case RT_COMPLEX64: return RT_FLOAT32;
    case RT_COMPLEX128: return RT_FLOAT64;
    default: return dtype;
    }
}

/* Position in the order in which the promotable dtypes absorb each other; the pairs that are not a chain are treated apart. */
static int rank_of(int dtype)
{
    switch (dtype) {
    case RT_BOOL: return 0;
    case RT_UINT8: return 1;
    case RT_INT8: return 2;
    case RT_INT16: return 3;
    case RT_INT32: return 4;
    case RT_INT64: return 5;
    case RT_FLOAT16: return 6;
    case RT_BFLOAT16: return 7;
    case RT_FLOAT32: return 8;
    case RT_FLOAT64: return 9;
    case RT_COMPLEX32: return 10;
    case RT_COMPLEX64: return 11;
    case RT_COMPLEX128: return 12;
    default: return -1;
    }
}

int rt_promote_types(int a, int b)
{
    if (a == b)
        return a;
    if (RT_IS_QUANTIZED(a) || RT_IS_QUANTIZED(b)) {
        PyErr_Format(PyExc_RuntimeError, "promoteTypes with quantized numbers is not handled yet; figure out what the correct rules should be, "
                                         "offending types: %s %s\ndequantize() the quantized tensor first",
                     rt_dtype_title(a), rt_dtype_title(b));
        return -1;
    }
    if (rt_dtype_in(a, RT_FLOAT8_DTYPES) || rt_dtype_in(b, RT_FLOAT8_DTYPES)) {
        PyErr_Format(PyExc_RuntimeError, "Promotion for Float8 Types is not supported, attempted to promote %s and %s",
                     rt_dtype_title(a), rt_dtype_title(b));
        return -1;
    }
    int a_unsigned = rt_dtype_in(a, RT_BAREBONES_UNSIGNED_DTYPES), b_unsigned = rt_dtype_in(b, RT_BAREBONES_UNSIGNED_DTYPES);
    if (a_unsigned || b_unsigned) {
        if (a_unsigned && rt_is_floating(b))
            return b;
        if (b_unsigned && rt_is_floating(a))
            return a;
        PyErr_Format(PyExc_RuntimeError, "Promotion for uint16, uint32, uint64 types is not supported, attempted to promote %s and %s",
                     rt_dtype_title(a), rt_dtype_title(b));
        return -1;
    }
    int ra = rank_of(a), rb = rank_of(b);
    if (ra < 0 || rb < 0) {
        PyErr_Format(PyExc_RuntimeError, "Promotion of %s and %s is not supported", rt_dtype_title(a), rt_dtype_title(b));
        return -1;
    }
    int low = ra < rb ? a : b, high = ra < rb ? b : a;
    if (low == RT_UINT8 && high == RT_INT8)
        return RT_INT16;
    if (low == RT_FLOAT16 && high == RT_BFLOAT16)
        return RT_FLOAT32;
    if (rt_is_complex(high)) {
        if (low == RT_FLOAT64)
            return RT_COMPLEX128;
        if (high == RT_COMPLEX32 && (low == RT_FLOAT32 || low == RT_BFLOAT16))
            return RT_COMPLEX64;
    }
    return high;
}

int rt_can_cast(int from, int to)
{
    if (rt_is_complex(from) && !rt_is_complex(to))
        return 0;
    if (rt_is_floating(from) && rt_is_integral(to, 0))
        return 0;
    return from == RT_BOOL || to != RT_BOOL;
}

int rt_check_can_cast(int from, int to)
{
    if (rt_can_cast(from, to))
        return 0;
    PyErr_Format(PyExc_RuntimeError, "result type %s can't be cast to the desired output type %s", rt_dtype_title(from),
                 rt_dtype_title(to));
    return -1;
}

static int promote_into(int *category, int dtype)
{
    if (*category == RT_UNDEFINED_DTYPE) {
        *category = dtype;
        return 0;
    }
    int promoted = rt_promote_types(*category, dtype);
    if (promoted < 0)
        return -1;
    *category = promoted;
    return 0;
}

int rt_result_type_add_number(rt_result_type_state *state, int number_dtype)
{
    if (rt_is_complex(number_dtype))
        number_dtype = rt_complex_of(rt_default_dtype);
    else if (rt_is_floating(number_dtype))
        number_dtype = rt_default_dtype;
    return promote_into(&state->wrapped, number_dtype);
}

int rt_result_type_add(rt_result_type_state *state, const RtTensor *t)
{
    if (t->flags & RT_T_WRAPPED_NUMBER)
        return rt_result_type_add_number(state, t->dtype);
    return promote_into(t->ndim > 0 ? &state->dim : &state->zero, t->dtype);
}

static int combine_categories(int higher, int lower)
{
    if (higher == RT_UNDEFINED_DTYPE || lower == RT_UNDEFINED_DTYPE)
        return higher == RT_UNDEFINED_DTYPE ? lower : higher;
    if (rt_is_complex(higher))
        return higher;
    if (rt_is_floating(higher)) {
        if (!rt_is_complex(lower))
            return higher;
        if (!rt_dtype_in(higher, RT_FLOAT8_DTYPES))
            return rt_complex_of(higher);
        PyErr_Format(PyExc_RuntimeError, "Unknown Complex ScalarType for %s", rt_dtype_title(higher));
        return -1;
    }
    if (rt_is_complex(lower))
        return lower;
    if (higher == RT_BOOL || rt_is_floating(lower))
        return rt_promote_types(higher, lower);
    return higher;
}

int rt_result_type(const rt_result_type_state *state)
{
    int scalars = combine_categories(state->zero, state->wrapped);
    if (scalars < 0 && PyErr_Occurred())
        return -1;
    return combine_categories(state->dim, scalars);
}

int rt_read_number(PyObject *o, rt_number *out)
{
    if (PyBool_Check(o)) {
        out->dtype = RT_BOOL;
        out->value.b = o == Py_True;
        return 0;
    }
    if (PyFloat_Check(o)) {
        out->dtype = RT_FLOAT64;
        out->value.d = PyFloat_AS_DOUBLE(o);
        return 0;
    }
    if (PyComplex_Check(o)) {
        out->dtype = RT_COMPLEX128;
        out->value.c[0] = PyComplex_RealAsDouble(o);
        out->value.c[1] = PyComplex_ImagAsDouble(o);
        return 0;
    }
    out->dtype = RT_INT64;
    return rt_as_int64(o, &out->value.i);
}

double rt_number_as_double(const rt_number *n)
{
    switch (n->dtype) {
    case RT_BOOL: return n->value.b;
    case RT_INT64: return (double)n->value.i;
    default: return n->value.d;
    }
}

double rt_largest_float(int dtype)
{
    switch (dtype) {
    case RT_FLOAT16: case RT_COMPLEX32: return 65504.0;
    case RT_BFLOAT16: return 3.3895313892515355e38;
    case RT_FLOAT8_E5M2: case RT_FLOAT8_E5M2FNUZ: return 57344.0;
    case RT_FLOAT8_E4M3FN: return 448.0;
    case RT_FLOAT8_E4M3FNUZ: return 240.0;
    case RT_FLOAT8_E8M0FNU: return 0x1p127;
    case RT_FLOAT64: case RT_COMPLEX128: return DBL_MAX;
    default: return FLT_MAX;
    }
}

static int real_fits(double value, int dtype)
{
    if (dtype == RT_FLOAT8_E8M0FNU && !isnan(value))
        return value >= 0x1p-127 && value <= 0x1p127;
    int infinite = dtype != RT_FLOAT8_E4M3FN && dtype != RT_FLOAT8_E4M3FNUZ && dtype != RT_FLOAT8_E5M2FNUZ;
    return (isinf(value) && infinite) || isnan(value) || fabs(value) <= rt_largest_float(dtype);
}

/* Integral targets: `low`..`high` in doubles would lose the ends of the 64-bit ranges, so integers are compared as integers. */
static int integral_fits(const rt_number *n, int dtype)
{
    int bits = 8 * rt_itemsize[dtype];
    int is_signed = dtype == RT_INT8 || dtype == RT_INT16 || dtype == RT_INT32 || dtype == RT_INT64;
    if (n->dtype == RT_INT64) {
        if (is_signed)
            return bits == 64 || (n->value.i >= -((int64_t)1 << (bits - 1)) && n->value.i < ((int64_t)1 << (bits - 1)));
        /* A negative number wraps into an unsigned type when its magnitude fits. */
        uint64_t magnitude = n->value.i < 0 ? 0 - (uint64_t)n->value.i : (uint64_t)n->value.i;
        return bits == 64 || magnitude < ((uint64_t)1 << bits);
    }
    double value = rt_number_as_double(n), end = ldexp(1.0, is_signed ? bits - 1 : bits);
    if (isnan(value))
        return 0;
    return is_signed ? value >= -end && value < end : value > -end && value < end;
}

int rt_check_number_fits(const rt_number *n, int dtype)
{
    int fits;
    if (dtype == RT_BOOL || n->dtype == RT_BOOL)
        fits = 1;
    else if (n->dtype == RT_COMPLEX128 && !rt_is_complex(dtype) && n->value.c[1] != 0.0)
        fits = 0;
    else if (rt_is_integral(dtype, 0))
        fits = integral_fits(n, dtype);
    else
        fits = real_fits(rt_number_as_double(n), dtype) && (n->dtype != RT_COMPLEX128 || real_fits(n->value.c[1], dtype));
    if (fits)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "value cannot be converted to type %s without overflow", rt_dtype_cpp_name(dtype));
    return -1;
}
