/* Conversions between all dtypes, as strided loops of one input and one output; iterator.h declares what this file offers.
 *
 * The dtypes that matter convert in one step. float8 kinds and complex32 go through float32 and complex64: rt_cast_path inserts these
 * steps. Complex to real drops the imaginary part; a float out of an integer's range gives what the processor's conversion gives.
 */
#include "kernels/cpu/element.h"
#include "kernels/cpu/halves.h"
#include "kernels/cpu/iterator.h"

/* ------------------------------------------------------------------------------------------------------------------ float8 kinds */

/* Geometry of a float8 kind: mantissa bits, exponent bias, and what stands for values out of range. */
typedef struct float8_kind {
    int mantissa, bias;
    uint8_t largest;  /* bits of the largest finite number */
    uint8_t overflow; /* bits that a number too large becomes */
    uint8_t nan;
    uint8_t unsigned_zero; /* fnuz: one zero, and the sign bit alone is NaN */
} float8_kind;

static const float8_kind e5m2 = {2, 15, 0x7b, 0x7c, 0x7f, 0}, e4m3fn = {3, 7, 0x7e, 0x7e, 0x7f, 0},
                            e5m2fnuz = {2, 16, 0x7f, 0x80, 0x80, 1}, e4m3fnuz = {3, 8, 0x7f, 0x80, 0x80, 1};

static float float8_to_float(uint8_t bits, const float8_kind *kind)
{
    int magnitude = bits & 0x7f, exponent = magnitude >> kind->mantissa, fraction = magnitude & ((1 << kind->mantissa) - 1);
    float value;
    if (kind->unsigned_zero ? bits == 0x80 : magnitude > kind->overflow || (magnitude == kind->nan))
        return rt_bits_float(bits & 0x80 && !kind->unsigned_zero ? 0xffc00000 : 0x7fc00000);
    if (!kind->unsigned_zero && magnitude > kind->largest)
        value = INFINITY;
    else if (exponent == 0)
        value = ldexpf((float)fraction, 1 - kind->bias - kind->mantissa);
    else
        value = ldexpf((float)(fraction | 1 << kind->mantissa), exponent - kind->bias - kind->mantissa);
    return bits & 0x80 ? -value : value;
}

static uint8_t float_to_float8(float f, const float8_kind *kind)
{
    uint8_t sign = rt_float_bits(f) >> 24 & 0x80;
    if (f != f)
        return kind->unsigned_zero ? kind->nan : sign | kind->nan;
    float magnitude = fabsf(f);
    if (magnitude == 0)
        return kind->unsigned_zero ? 0 : sign;
    int exponent = 0;
    frexpf(magnitude, &exponent); /* magnitude = m * 2**exponent, 0.5 <= m < 1 */
    int biased = exponent - 1 + kind->bias;
    if (isinf(magnitude) || biased > 255)
        return kind->unsigned_zero ? kind->overflow : sign | kind->overflow;
    if (biased < 1)
        biased = 1; /* subnormal: the spacing of the smallest normal numbers */
    /* In units of the last place, rounded to even. A carry out of the mantissa moves on to the next exponent by itself. */
    long units = lrintf(ldexpf(magnitude, kind->mantissa + kind->bias - biased));
    long bits = units + ((long)(biased - 1) << kind->mantissa);
    if (bits > kind->largest)
        return kind->unsigned_zero ? kind->overflow : sign | kind->overflow;
    if (bits == 0 && kind->unsigned_zero)
        return 0;
    return sign | (uint8_t)bits;
}

/* e8m0fnu: a power of two, no sign, no zero; 255 is NaN. Halves round up, a tie too where the exponent is odd. */
static float e8m0_to_float(uint8_t bits) { return bits == 255 ? NAN : ldexpf(1.0f, bits - 127); }
static uint8_t float_to_e8m0(float f)
{
    uint32_t bits = rt_float_bits(f), exponent = bits >> 23 & 0xff;
    if (exponent == 255)
        return 255;
    int guard = bits >> 22 & 1, rest = (bits & 0x3fffff) != 0, lowest = exponent > 0;
    if (guard && (lowest || rest))
        exponent++;
    return (uint8_t)exponent;
}

#define FLOAT8_CASTS(name, DECODE, ENCODE)                                                                              \
    static void name##_to_f32(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                    \
    {                                                                                                                   \
        (void)data;                                                                                                     \
        for (Py_ssize_t i = 0; i < *n; i++)                                                                             \
            *(float *)(args[1] + i * steps[1]) = DECODE(*(uint8_t *)(args[0] + i * steps[0]));                          \
    }                                                                                                                   \
    static void f32_to_##name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                    \
    {                                                                                                                   \
        (void)data;                                                                                                     \
        for (Py_ssize_t i = 0; i < *n; i++)                                                                             \
            *(uint8_t *)(args[1] + i * steps[1]) = ENCODE(*(float *)(args[0] + i * steps[0]));                          \
    }
#define DECODE_e5m2(x) float8_to_float(x, &e5m2)
#define ENCODE_e5m2(x) float_to_float8(x, &e5m2)
#define DECODE_e4m3fn(x) float8_to_float(x, &e4m3fn)
#define ENCODE_e4m3fn(x) float_to_float8(x, &e4m3fn)
#define DECODE_e5m2fnuz(x) float8_to_float(x, &e5m2fnuz)
#define ENCODE_e5m2fnuz(x) float_to_float8(x, &e5m2fnuz)
#define DECODE_e4m3fnuz(x) float8_to_float(x, &e4m3fnuz)
#define ENCODE_e4m3fnuz(x) float_to_float8(x, &e4m3fnuz)
FLOAT8_CASTS(e5m2, DECODE_e5m2, ENCODE_e5m2)
FLOAT8_CASTS(e4m3fn, DECODE_e4m3fn, ENCODE_e4m3fn)
FLOAT8_CASTS(e5m2fnuz, DECODE_e5m2fnuz, ENCODE_e5m2fnuz)
FLOAT8_CASTS(e4m3fnuz, DECODE_e4m3fnuz, ENCODE_e4m3fnuz)
FLOAT8_CASTS(e8m0fnu, e8m0_to_float, float_to_e8m0)

/* --------------------------------------------------------------------------------------------------------- the dtypes that matter
 * Each has a storage type, a load into a value that C computes with, and a store from any real value. */

typedef struct { float re, im; } c64_item;
typedef struct { double re, im; } c128_item;
typedef struct { uint16_t re, im; } c32_item;

#define LOAD_u8(p) (*(const uint8_t *)(p))
#define LOAD_i8(p) (*(const int8_t *)(p))
#define LOAD_i16(p) (*(const int16_t *)(p))
#define LOAD_i32(p) (*(const int32_t *)(p))
#define LOAD_i64(p) (*(const int64_t *)(p))
#define LOAD_u16(p) (*(const uint16_t *)(p))
#define LOAD_u32(p) (*(const uint32_t *)(p))
#define LOAD_u64(p) (*(const uint64_t *)(p))
#define LOAD_f32(p) (*(const float *)(p))
#define LOAD_f64(p) (*(const double *)(p))
#define LOAD_b8(p) (*(const uint8_t *)(p) != 0)
#define LOAD_f16(p) rt_f16_to_float(*(const uint16_t *)(p))
#define LOAD_bf16(p) rt_bf16_to_float(*(const uint16_t *)(p))
#define LOAD_c64(p) (((const c64_item *)(p))->re)
#define LOAD_c128(p) (((const c128_item *)(p))->re)

/* Floats go to unsigned types through int64, so that negative numbers wrap. */
#define WRAP(v) (_Generic((v), float: (int64_t)(v), double: (int64_t)(v), default: (v)))
#define STORE_u8(p, v) (*(uint8_t *)(p) = (uint8_t)WRAP(v))
#define STORE_i8(p, v) (*(int8_t *)(p) = (int8_t)(v))
#define STORE_i16(p, v) (*(int16_t *)(p) = (int16_t)(v))
#define STORE_i32(p, v) (*(int32_t *)(p) = (int32_t)(v))
#define STORE_i64(p, v) (*(int64_t *)(p) = (int64_t)(v))
#define STORE_u16(p, v) (*(uint16_t *)(p) = (uint16_t)WRAP(v))
#define STORE_u32(p, v) (*(uint32_t *)(p) = (uint32_t)WRAP(v))
#define STORE_u64(p, v) (*(uint64_t *)(p) = (uint64_t)(v))
#define STORE_f32(p, v) (*(float *)(p) = (float)(v))
#define STORE_f64(p, v) (*(double *)(p) = (double)(v))
#define STORE_b8(p, v) (*(uint8_t *)(p) = (v) != 0)
#define STORE_f16(p, v) (*(uint16_t *)(p) = rt_float_to_f16((float)(v)))
#define STORE_bf16(p, v) (*(uint16_t *)(p) = rt_float_to_bf16((float)(v)))
#define STORE_c64(p, v) (*(c64_item *)(p) = (c64_item){(float)(v), 0.0f})
#define STORE_c128(p, v) (*(c128_item *)(p) = (c128_item){(double)(v), 0.0})

#define SIZE_u8 1
#define SIZE_i8 1
#define SIZE_i16 2
#define SIZE_i32 4
#define SIZE_i64 8
#define SIZE_u16 2
#define SIZE_u32 4
#define SIZE_u64 8
#define SIZE_f32 4
#define SIZE_f64 8
#define SIZE_b8 1
#define SIZE_f16 2
#define SIZE_bf16 2
#define SIZE_c64 8
#define SIZE_c128 16

#define CAST(name, FROM, TO)                                                                                            \
    static void name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                   \
    {                                                                                                                   \
        const char *src = args[0];                                                                                      \
        char *dst = args[1];                                                                                            \
        Py_ssize_t length = *n, src_step = steps[0], dst_step = steps[1];                                               \
        (void)data;                                                                                                     \
        if (src_step == SIZE_##FROM && dst_step == SIZE_##TO) {                                                         \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++)                                                \
                STORE_##TO(dst + i * SIZE_##TO, LOAD_##FROM(src + i * SIZE_##FROM));                                    \
        } else {                                                                                                        \
            for (Py_ssize_t i = 0; i < length; i++)                                                                     \
                STORE_##TO(dst + i * dst_step, LOAD_##FROM(src + i * src_step));                                        \
        }                                                                                                               \
    }

#define FORALL_CASTABLE(_, X)                                                                                           \
    _(X, u8, RT_UINT8) _(X, i8, RT_INT8) _(X, i16, RT_INT16) _(X, i32, RT_INT32) _(X, i64, RT_INT64) _(X, f16, RT_FLOAT16)    \
    _(X, f32, RT_FLOAT32) _(X, f64, RT_FLOAT64) _(X, c64, RT_COMPLEX64) _(X, c128, RT_COMPLEX128) _(X, b8, RT_BOOL)           \
    _(X, bf16, RT_BFLOAT16) _(X, u16, RT_UINT16) _(X, u32, RT_UINT32) _(X, u64, RT_UINT64)
#define DEFINE_ONE(FROM, TO, code) CAST(FROM##_to_##TO, FROM, TO)
#define DEFINE_FROM(FROM) FORALL_CASTABLE(DEFINE_ONE, FROM)
DEFINE_FROM(u8)
DEFINE_FROM(i8)
DEFINE_FROM(i16)
DEFINE_FROM(i32)
DEFINE_FROM(i64)
DEFINE_FROM(u16)
DEFINE_FROM(u32)
DEFINE_FROM(u64)
DEFINE_FROM(f32)
DEFINE_FROM(f64)
DEFINE_FROM(b8)
DEFINE_FROM(f16)
DEFINE_FROM(bf16)
DEFINE_FROM(c64)
DEFINE_FROM(c128)

#define COMPLEX_CAST(FROM, TO, CONVERT)                                                                                 \
    static void both_##FROM##_to_##TO(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)            \
    {                                                                                                                   \
        (void)data;                                                                                                     \
        for (Py_ssize_t i = 0; i < *n; i++) {                                                                           \
            FROM##_item x = *(FROM##_item *)(args[0] + i * steps[0]);                                                   \
            *(TO##_item *)(args[1] + i * steps[1]) = (TO##_item){CONVERT(x.re), CONVERT(x.im)};                         \
        }                                                                                                               \
    }
/* The conversions that arithmetic makes all the time, built for wider vectors too. */
#define FORALL_FREQUENT(_)                                                                                              \
    _(bf16, RT_BFLOAT16, f32, RT_FLOAT32) _(f32, RT_FLOAT32, bf16, RT_BFLOAT16) _(f32, RT_FLOAT32, f64, RT_FLOAT64)     \
    _(f64, RT_FLOAT64, f32, RT_FLOAT32) _(i32, RT_INT32, f32, RT_FLOAT32) _(i64, RT_INT64, f32, RT_FLOAT32)             \
    _(f32, RT_FLOAT32, i32, RT_INT32) _(f32, RT_FLOAT32, i64, RT_INT64)
#define DEFINE_FREQUENT(FROM, from_code, TO, to_code) RT_CLONES CAST(wide_##FROM##_to_##TO, FROM, TO)
FORALL_FREQUENT(DEFINE_FREQUENT)

/* A complex number is true where either part is. */
#define TRUTH_CAST(FROM)                                                                                                \
    static void truth_of_##FROM(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                  \
    {                                                                                                                   \
        (void)data;                                                                                                     \
        for (Py_ssize_t i = 0; i < *n; i++) {                                                                           \
            FROM##_item x = *(FROM##_item *)(args[0] + i * steps[0]);                                                   \
            *(uint8_t *)(args[1] + i * steps[1]) = x.re != 0 || x.im != 0;                                              \
        }                                                                                                               \
    }
TRUTH_CAST(c64)
TRUTH_CAST(c128)
COMPLEX_CAST(c64, c128, (double))
COMPLEX_CAST(c128, c64, (float))
COMPLEX_CAST(c64, c32, rt_float_to_f16)
COMPLEX_CAST(c32, c64, rt_f16_to_float)

/* float32 to and from float16, the way of every float16 operator. */
static void widened_f16_to_f32(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)
{
    if (steps[0] == 2 && steps[1] == 4)
        rt_widen(RT_FLOAT16, args[0], 1, (float *)args[1], *n);
    else
        f16_to_f32(args, n, steps, data);
}
static void narrowed_f32_to_f16(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)
{
    if (steps[0] == 4 && steps[1] == 2)
        rt_narrow(RT_FLOAT16, (const float *)args[0], args[1], 1, *n);
    else
        f32_to_f16(args, n, steps, data);
}

/* ------------------------------------------------------------------------------------------------------------------------ copies */

#define COPY(name, T)                                                                                                   \
    static void name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                             \
    {                                                                                                                   \
        const char *src = args[0];                                                                                      \
        char *dst = args[1];                                                                                            \
        Py_ssize_t length = *n, src_step = steps[0], dst_step = steps[1];                                               \
        (void)data;                                                                                                     \
        if (src_step == sizeof(T) && dst_step == sizeof(T)) {                                                           \
            memmove(dst, src, (size_t)length * sizeof(T));                                                              \
        } else if (src_step == 0 && dst_step == sizeof(T)) {                                                            \
            T value = *(const T *)src;                                                                                  \
            for (Py_ssize_t i = 0; i < length; i++)                                                                     \
                ((T *)dst)[i] = value;                                                                                  \
        } else {                                                                                                        \
            for (Py_ssize_t i = 0; i < length; i++)                                                                     \
                *(T *)(dst + i * dst_step) = *(const T *)(src + i * src_step);                                          \
        }                                                                                                               \
    }
COPY(copy1, uint8_t)
COPY(copy2, uint16_t)
COPY(copy4, uint32_t)
COPY(copy8, uint64_t)
COPY(copy16, c128_item)

rt_loop_fn rt_copy_loop(int itemsize)
{
    switch (itemsize) {
    case 1: return copy1;
    case 2: return copy2;
    case 4: return copy4;
    case 8: return copy8;
    default: return copy16;
    }
}

/* ------------------------------------------------------------------------------------------------------------------------- table */

#define ROW_ONE(FROM, TO, code) [code] = FROM##_to_##TO,
#define ROW(FROM, code) [code] = {FORALL_CASTABLE(ROW_ONE, FROM)}
static rt_loop_fn const casts[RT_NUM_DTYPES][RT_NUM_DTYPES] = {
    ROW(u8, RT_UINT8), ROW(i8, RT_INT8), ROW(i16, RT_INT16), ROW(i32, RT_INT32), ROW(i64, RT_INT64), ROW(u16, RT_UINT16),
    ROW(u32, RT_UINT32), ROW(u64, RT_UINT64), ROW(f64, RT_FLOAT64), ROW(b8, RT_BOOL), ROW(f16, RT_FLOAT16), ROW(bf16, RT_BFLOAT16),
    [RT_FLOAT32] = {FORALL_CASTABLE(ROW_ONE, f32)
        [RT_FLOAT8_E5M2] = f32_to_e5m2, [RT_FLOAT8_E4M3FN] = f32_to_e4m3fn, [RT_FLOAT8_E5M2FNUZ] = f32_to_e5m2fnuz,
        [RT_FLOAT8_E4M3FNUZ] = f32_to_e4m3fnuz, [RT_FLOAT8_E8M0FNU] = f32_to_e8m0fnu},
    [RT_COMPLEX64] = {FORALL_CASTABLE(ROW_ONE, c64) [RT_COMPLEX32] = both_c64_to_c32},
    ROW(c128, RT_COMPLEX128),
    [RT_COMPLEX32] = {[RT_COMPLEX64] = both_c32_to_c64},
    [RT_FLOAT8_E5M2] = {[RT_FLOAT32] = e5m2_to_f32}, [RT_FLOAT8_E4M3FN] = {[RT_FLOAT32] = e4m3fn_to_f32},
    [RT_FLOAT8_E5M2FNUZ] = {[RT_FLOAT32] = e5m2fnuz_to_f32}, [RT_FLOAT8_E4M3FNUZ] = {[RT_FLOAT32] = e4m3fnuz_to_f32},
    [RT_FLOAT8_E8M0FNU] = {[RT_FLOAT32] = e8m0fnu_to_f32},
};

static rt_loop_fn one_hop(int from, int to)
{
#define FREQUENT_ONE(FROM, from_code, TO, to_code) \
    if (from == from_code && to == to_code)        \
        return wide_##FROM##_to_##TO;
    FORALL_FREQUENT(FREQUENT_ONE)
    if (from == RT_COMPLEX64 && to == RT_COMPLEX128)
        return both_c64_to_c128;
    if (from == RT_COMPLEX128 && to == RT_COMPLEX64)
        return both_c128_to_c64;
    if (to == RT_BOOL && (from == RT_COMPLEX64 || from == RT_COMPLEX128))
        return from == RT_COMPLEX64 ? truth_of_c64 : truth_of_c128;
    if (from == RT_FLOAT16 && to == RT_FLOAT32)
        return widened_f16_to_f32;
    if (from == RT_FLOAT32 && to == RT_FLOAT16)
        return narrowed_f32_to_f16;
    return casts[from][to];
}

/* The dtype through which a storage-only dtype converts. */
static int gateway(int dtype) { return dtype == RT_COMPLEX32 ? RT_COMPLEX64 : RT_FLOAT32; }

void rt_cast_path(rt_cast *cast, int npath, const int *path)
{
    cast->nhops = 0;
    int at = path[0];
    for (int i = 1; i < npath; i++) {
        while (at != path[i]) {
            int next = path[i];
            if (one_hop(at, next) == NULL) {
                next = rt_dtype_in(at, RT_FLOAT8_DTYPES | RT_COMPLEX32_DTYPE) ? gateway(at) : gateway(path[i]);
            }
            cast->hops[cast->nhops] = one_hop(at, next);
            cast->sizes[cast->nhops++] = rt_itemsize[next];
            at = next;
        }
    }
}

void rt_cast_run(const rt_cast *cast, const char *src, Py_ssize_t src_step, char *dst, Py_ssize_t dst_step, Py_ssize_t n)
{
    _Alignas(16) char between[2][RT_ITER_BLOCK * 16];
    for (int hop = 0; hop < cast->nhops; hop++) {
        int is_last = hop == cast->nhops - 1;
        char *to = is_last ? dst : between[hop & 1];
        Py_ssize_t to_step = is_last ? dst_step : cast->sizes[hop];
        cast->hops[hop]((char *[]){(char *)src, to}, &n, (Py_ssize_t[]){src_step, to_step}, NULL);
        src = to;
        src_step = to_step;
    }
}
