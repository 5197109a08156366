/* One element in memory as a Python number, and back: item(), tolist() and tensor(data) are made of these two functions.
 *
 * The 16-bit and 8-bit float formats are decoded and encoded by one routine from a table of their parameters; speed is the
 * kernels' business.
 */
#include "runtime/core/alloc.h"

#include <math.h>

/* A small float format: sign bit on top, then exponent, then mantissa. Codes are magnitudes, without the sign. */
typedef struct small_float {
    int mantissa_bits, bias;
    uint32_t max;      /* largest finite */
    uint32_t overflow; /* what larger values and infinities become */
    uint32_t nan;
    uint32_t sign;
    int unsigned_zero; /* no negative zero: its code is NaN */
} small_float;

static const small_float *format_of(int dtype)
{
    static const small_float half = {10, 15, 0x7bff, 0x7c00, 0x7e00, 0x8000, 0}, bfloat16 = {7, 127, 0x7f7f, 0x7f80, 0x7fc0, 0x8000, 0},
                             e5m2 = {2, 15, 0x7b, 0x7c, 0x7f, 0x80, 0}, e4m3fn = {3, 7, 0x7e, 0x7e, 0x7f, 0x80, 0} /* saturates */,
                             e5m2fnuz = {2, 16, 0x7f, 0x80, 0x80, 0x80, 1}, e4m3fnuz = {3, 8, 0x7f, 0x80, 0x80, 0x80, 1};
    switch (dtype) {
    case RT_FLOAT16:
    case RT_COMPLEX32:
        return &half;
    case RT_BFLOAT16:
        return &bfloat16;
    case RT_FLOAT8_E5M2:
        return &e5m2;
    case RT_FLOAT8_E4M3FN:
        return &e4m3fn;
    case RT_FLOAT8_E5M2FNUZ:
        return &e5m2fnuz;
    default:
        return &e4m3fnuz;
    }
}

static double decode(const small_float *f, uint32_t bits)
{
    uint32_t code = bits & (f->sign - 1);
    int negative = (bits & f->sign) != 0;
    double value;
    if (f->unsigned_zero && bits == f->nan)
        return NAN;
    if (code > f->max)
        value = code == f->overflow && f->overflow != f->nan ? INFINITY : NAN;
    else {
        int exponent = (int)(code >> f->mantissa_bits);
        double mantissa = code & ((1u << f->mantissa_bits) - 1);
        if (exponent > 0)
            mantissa += 1 << f->mantissa_bits;
        value = ldexp(mantissa, (exponent > 0 ? exponent : 1) - f->bias - f->mantissa_bits);
    }
    return negative ? -value : value;
}

static uint32_t encode(const small_float *f, double number)
{
    float value = (float)number; /* the formats are defined by their conversion from float32 */
    uint32_t sign = signbit(value) ? f->sign : 0;
    float magnitude = fabsf(value);
    uint32_t code;
    if (isnan(value))
        return f->unsigned_zero ? f->nan : sign | f->nan;
    if (isinf(value))
        code = f->overflow;
    else if (magnitude == 0)
        code = 0;
    else {
        int exponent = ilogbf(magnitude);
        if (exponent < 1 - f->bias)
            exponent = 1 - f->bias;
        double steps = nearbyint(ldexp(magnitude, f->mantissa_bits - exponent)); /* ties to even */
        double biased = (exponent + f->bias - 1) * ldexp(1, f->mantissa_bits) + steps;
        code = biased > f->max ? f->overflow : (uint32_t)biased;
    }
    if (f->unsigned_zero)
        return code == 0 ? 0 : code == f->overflow ? f->nan : sign | code;
    return sign | code;
}

/* float8_e8m0fnu: a power of two, 255 is NaN. */
static uint8_t encode_e8m0(double number)
{
    float value = (float)number;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t exponent = bits >> 23 & 0xff;
    if (exponent == 0xff)
        return 0xff;
    int half = (bits >> 22) & 1, rest = (bits & 0x3fffff) != 0;
    return (uint8_t)(exponent + (half && (rest || exponent > 0)));
}

/* Elements may lie anywhere, so they are copied before they are read. */
#define LOAD(DTYPE, T, MAKE)     \
    case DTYPE: {                \
        T v;                     \
        memcpy(&v, p, sizeof v); \
        return MAKE(v);          \
    }

PyObject *rt_load_element(const char *p, int dtype)
{
    switch (dtype) {
    case RT_QINT8:
    case RT_QUINT8:
    case RT_QINT32:
        PyErr_SetString(PyExc_RuntimeError, "load_scalar: invalid type; dequantize() gives the numbers of a quantized tensor");
        return NULL;
    case RT_BOOL:
        return PyBool_FromLong(*p != 0);
    case RT_UINT8:
        return PyLong_FromLong(*(const uint8_t *)p);
    case RT_INT8:
        return PyLong_FromLong(*(const int8_t *)p);
    LOAD(RT_INT16, int16_t, PyLong_FromLong)
    LOAD(RT_UINT16, uint16_t, PyLong_FromLong)
    LOAD(RT_INT32, int32_t, PyLong_FromLong)
    LOAD(RT_UINT32, uint32_t, PyLong_FromUnsignedLong)
    LOAD(RT_INT64, int64_t, PyLong_FromLongLong)
    LOAD(RT_UINT64, uint64_t, PyLong_FromUnsignedLongLong)
    LOAD(RT_FLOAT32, float, PyFloat_FromDouble)
    LOAD(RT_FLOAT64, double, PyFloat_FromDouble)
    case RT_COMPLEX64: {
        float v[2];
        memcpy(v, p, sizeof v);
        return PyComplex_FromDoubles(v[0], v[1]);
    }
    case RT_COMPLEX128: {
        double v[2];
        memcpy(v, p, sizeof v);
        return PyComplex_FromDoubles(v[0], v[1]);
    }
    case RT_COMPLEX32: {
        uint16_t v[2];
        memcpy(v, p, sizeof v);
        return PyComplex_FromDoubles(decode(format_of(dtype), v[0]), decode(format_of(dtype), v[1]));
    }
    case RT_FLOAT16:
    case RT_BFLOAT16: {
        uint16_t v;
        memcpy(&v, p, sizeof v);
        return PyFloat_FromDouble(decode(format_of(dtype), v));
    }
    case RT_FLOAT8_E8M0FNU: {
        uint8_t v = *(const uint8_t *)p;
        return PyFloat_FromDouble(v == 0xff ? NAN : ldexp(1, v - 127));
    }
    default:
        return PyFloat_FromDouble(decode(format_of(dtype), *(const uint8_t *)p));
    }
}

static int does_not_fit(int dtype)
{
    static const char *const names[RT_NUM_DTYPES] = {
        [RT_UINT8] = "uint8", [RT_INT8] = "int8", [RT_INT16] = "int16", [RT_UINT16] = "uint16", [RT_INT32] = "int32",
        [RT_UINT32] = "uint32", [RT_INT64] = "int64", [RT_UINT64] = "uint64",
    };
    PyErr_Format(PyExc_RuntimeError, "value cannot be converted to type %s without overflow", names[dtype]);
    return -1;
}

/* A number as a 64-bit pattern for an integer dtype: floats are truncated, and negative integers wrap in unsigned dtypes, as in
 * PyTorch. */
static int as_integer(PyObject *number, int dtype, int64_t *out)
{
    static const struct { int64_t low; uint64_t high; } range[RT_NUM_DTYPES] = {
        [RT_UINT8] = {-255, 255}, [RT_INT8] = {-128, 127}, [RT_INT16] = {-32768, 32767}, [RT_UINT16] = {-65535, 65535},
        [RT_INT32] = {INT32_MIN, INT32_MAX}, [RT_UINT32] = {-(int64_t)UINT32_MAX, UINT32_MAX}, [RT_INT64] = {INT64_MIN, INT64_MAX},
        [RT_UINT64] = {INT64_MIN, UINT64_MAX},
    };
    if (PyFloat_Check(number)) {
        double d = PyFloat_AS_DOUBLE(number);
        if (!(d >= -0x1p63 && d < (dtype == RT_UINT64 ? 0x1p64 : 0x1p63)))
            return does_not_fit(dtype);
        int is_unsigned = dtype == RT_UINT8 || dtype == RT_UINT16 || dtype == RT_UINT32 || dtype == RT_UINT64;
        if (is_unsigned && d < 0)
            return does_not_fit(dtype);
        d = trunc(d);
        if (d < (double)range[dtype].low || d > (double)range[dtype].high)
            return does_not_fit(dtype);
        *out = d >= 0x1p63 ? (int64_t)(uint64_t)d : (int64_t)d;
        return 0;
    }
    PyObject *index = PyNumber_Index(number);
    if (index == NULL)
        return -1;
    int overflow;
    int64_t i = PyLong_AsLongLongAndOverflow(index, &overflow);
    if (overflow > 0 && dtype == RT_UINT64) {
        uint64_t u = PyLong_AsUnsignedLongLong(index);
        Py_DECREF(index);
        if (u == (uint64_t)-1 && PyErr_Occurred())
            return -1;
        *out = (int64_t)u;
        return 0;
    }
    Py_DECREF(index);
    if (overflow) {
        PyErr_SetString(PyExc_ValueError, "Overflow when unpacking long long");
        return -1;
    }
    if (i == -1 && PyErr_Occurred())
        return -1;
    if (i < 0 && dtype == RT_UINT64) {
        PyErr_SetString(PyExc_OverflowError, "can't convert negative int to unsigned");
        return -1;
    }
    if (i < range[dtype].low || (i > 0 && (uint64_t)i > range[dtype].high))
        return does_not_fit(dtype);
    *out = i;
    return 0;
}

static int store_float(char *p, int dtype, double d)
{
    switch (dtype) {
    case RT_FLOAT32: {
        float v = (float)d;
        memcpy(p, &v, sizeof v);
        return 0;
    }
    case RT_FLOAT64:
        memcpy(p, &d, sizeof d);
        return 0;
    case RT_FLOAT16:
    case RT_BFLOAT16: {
        uint16_t v = (uint16_t)encode(format_of(dtype), d);
        memcpy(p, &v, sizeof v);
        return 0;
    }
    case RT_FLOAT8_E8M0FNU:
        *(uint8_t *)p = encode_e8m0(d);
        return 0;
    default:
        *(uint8_t *)p = (uint8_t)encode(format_of(dtype), d);
        return 0;
    }
}

int rt_store_element(char *p, int dtype, PyObject *number)
{
    switch (dtype) {
    case RT_QINT8:
    case RT_QUINT8:
    case RT_QINT32:
        PyErr_SetString(PyExc_RuntimeError, "store_scalar: invalid type; a tensor of a quantized dtype is made by quantize_per_tensor()");
        return -1;
    case RT_BOOL: {
        int truth = PyObject_IsTrue(number);
        *p = truth > 0;
        return truth < 0 ? -1 : 0;
    }
    case RT_UINT8:
    case RT_INT8:
    case RT_INT16:
    case RT_UINT16:
    case RT_INT32:
    case RT_UINT32:
    case RT_INT64:
    case RT_UINT64: {
        int64_t v;
        if (as_integer(number, dtype, &v) < 0)
            return -1;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        memcpy(p, &v, rt_itemsize[dtype]);
#else
        memcpy(p, (char *)&v + 8 - rt_itemsize[dtype], rt_itemsize[dtype]);
#endif
        return 0;
    }
    case RT_COMPLEX32:
    case RT_COMPLEX64:
    case RT_COMPLEX128: {
        Py_complex c = PyComplex_AsCComplex(number);
        if (c.real == -1.0 && PyErr_Occurred())
            return -1;
        if (dtype == RT_COMPLEX32) {
            uint16_t v[2] = {(uint16_t)encode(format_of(dtype), c.real), (uint16_t)encode(format_of(dtype), c.imag)};
            memcpy(p, v, sizeof v);
        }
        else if (dtype == RT_COMPLEX64) {
            float v[2] = {(float)c.real, (float)c.imag};
            memcpy(p, v, sizeof v);
        }
        else {
            double v[2] = {c.real, c.imag};
            memcpy(p, v, sizeof v);
        }
        return 0;
    }
    default: {
        double d = PyFloat_AsDouble(number);
        if (d == -1.0 && PyErr_Occurred())
            return -1;
        return store_float(p, dtype, d);
    }
    }
}
