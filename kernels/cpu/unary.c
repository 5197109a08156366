/* Pointwise operators of one operand: signs, rounding, exponentials, trigonometry, predicates, relu, sigmoid.
 *
 * NumPy's loops wherever they mean the same; own loops for what NumPy lacks (rsqrt, relu, sigmoid, erf, logarithms of complex numbers),
 * where it lags (exp), and for rounding integers, which leaves them as they are.
 */
#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/vector_math.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#endif

#define ALL_DTYPES                                                                                                       \
    (NUMERIC_DTYPES | RT_BOOL_DTYPE | RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE | RT_BAREBONES_UNSIGNED_DTYPES | RT_FLOAT8_DTYPES)

/* ------------------------------------------------------------------------------------------------- functions of floats: int to float */

#define FLOAT_UNARY(name, stub_name, numpy, own_loops)                                                                   \
    static rt_pointwise_op name##_op = {.stub = stub_name, .ufunc = numpy, .own = own_loops, .nin = 1,            \
                                        .flags = RT_PW_INT_TO_FLOAT, .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};  \
    RT_POINTWISE1(name##_out, name##_op)

/* AVX-512 scales by powers of two in one instruction that knows zero, infinity and subnormal numbers: rt_exp in thirteen. */
#if defined(__x86_64__) && defined(__GNUC__)
#define WIDE __attribute__((target("avx512f")))
WIDE static inline __m512 exp_of_vector(__m512 x)
{
    const __m512 shift = _mm512_set1_ps(RT_EXP_SHIFT), one = _mm512_set1_ps(1.0f);
    x = _mm512_max_ps(_mm512_set1_ps(-105.0f), _mm512_min_ps(_mm512_set1_ps(89.0f), x)); /* the second one where that is NaN */
    __m512 n = _mm512_sub_ps(_mm512_fmadd_ps(x, _mm512_set1_ps(1.44269504f), shift), shift);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(2.12194440e-4f), _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x));
    __m512 tail = _mm512_fmadd_ps(r, _mm512_set1_ps(0.00138146104f), _mm512_set1_ps(0.00836871006f));
    tail = _mm512_fmadd_ps(r, tail, _mm512_set1_ps(0.041668389f));
    tail = _mm512_fmadd_ps(r, tail, _mm512_set1_ps(0.166665211f));
    tail = _mm512_fmadd_ps(r, tail, _mm512_set1_ps(0.49999994f));
    return _mm512_scalef_ps(_mm512_add_ps(one, _mm512_fmadd_ps(_mm512_mul_ps(r, r), tail, r)), n);
}

WIDE static void exp_f32_wide(const float *a, float *out, Py_ssize_t n)
{
    enum { W = 16, AHEAD = 256 }; /* the hardware's own prefetching comes late for a loop of so few instructions */
    Py_ssize_t i = 0;
    for (; i + W <= n; i += W) {
        _mm_prefetch((const char *)(a + i + AHEAD), _MM_HINT_T0);
        _mm512_storeu_ps(out + i, exp_of_vector(_mm512_loadu_ps(a + i)));
    }
    __mmask16 rest = (__mmask16)((1u << (n - i)) - 1);
    _mm512_mask_storeu_ps(out + i, rest, exp_of_vector(_mm512_maskz_loadu_ps(rest, a + i)));
}
static int has_wide_exp(void) { return __builtin_cpu_supports("avx512f"); }
#else
static void exp_f32_wide(const float *a, float *out, Py_ssize_t n) { (void)a, (void)out, (void)n; }
static int has_wide_exp(void) { return 0; }
#endif

/* Numbers out of the range of normal results are rare: a block without them is spared what they cost. */
enum { EXP_BLOCK = 2048 };
RT_CLONES static void exp_f32(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)
{
    (void)data;
    if (has_wide_exp() && steps[0] == sizeof(float) && steps[1] == sizeof(float)) {
        exp_f32_wide((const float *)args[0], (float *)args[1], *n);
        return;
    }
    if (steps[0] != sizeof(float) || steps[1] != sizeof(float)) {
        for (Py_ssize_t i = 0; i < *n; i++)
            *(float *)(args[1] + i * steps[1]) = rt_exp(*(const float *)(args[0] + i * steps[0]));
        return;
    }
    for (Py_ssize_t done = 0; done < *n; done += EXP_BLOCK) {
        int length = *n - done < EXP_BLOCK ? (int)(*n - done) : EXP_BLOCK;
        const float *a = (const float *)args[0] + done;
        float *out = (float *)args[1] + done;
        int32_t largest = 0; /* the bits of a magnitude order as the magnitude does, NaN above all */
        for (int i = 0; i < length; i++) {
            int32_t magnitude = (int32_t)(rt_float_bits(a[i]) & 0x7fffffff);
            largest = magnitude > largest ? magnitude : largest;
        }
        if (largest <= (int32_t)rt_float_bits(RT_EXP_NORMAL_LIMIT)) {
            _Pragma("GCC ivdep") for (int i = 0; i < length; i++) out[i] = rt_exp_normal(a[i]);
        } else {
            _Pragma("GCC ivdep") for (int i = 0; i < length; i++) out[i] = rt_exp(a[i]);
        }
    }
}
static const rt_own_loop exp_loops[] = {{RT_FLOAT32, exp_f32}, {0, NULL}};
FLOAT_UNARY(exp, "exp_vml_cpu", "exp", exp_loops)
FLOAT_UNARY(expm1, "expm1_vml_cpu", "expm1", NULL)
FLOAT_UNARY(log, "log_vml_cpu", "log", NULL)
FLOAT_UNARY(log10, "log10_vml_cpu", "log10", NULL)
FLOAT_UNARY(log1p, "log1p_vml_cpu", "log1p", NULL)
FLOAT_UNARY(sin, "sin_vml_cpu", "sin", NULL)
FLOAT_UNARY(cos, "cos_vml_cpu", "cos", NULL)
FLOAT_UNARY(tan, "tan_vml_cpu", "tan", NULL)
FLOAT_UNARY(asin, "asin_vml_cpu", "arcsin", NULL)
FLOAT_UNARY(acos, "acos_vml_cpu", "arccos", NULL)
FLOAT_UNARY(atan, "atan_vml_cpu", "arctan", NULL)
FLOAT_UNARY(sinh, "sinh_cpu", "sinh", NULL)
FLOAT_UNARY(cosh, "cosh_cpu", "cosh", NULL)
FLOAT_UNARY(tanh, "tanh_vml_cpu", "tanh", NULL)
FLOAT_UNARY(asinh, "asinh_cpu", "arcsinh", NULL)
FLOAT_UNARY(acosh, "acosh_cpu", "arccosh", NULL)
FLOAT_UNARY(atanh, "atanh_cpu", "arctanh", NULL)
FLOAT_UNARY(exp2, "exp2", "exp2", NULL)
FLOAT_UNARY(sqrt, "sqrt_vml_cpu", "sqrt", NULL)

RT_LOOP1(log2_c64, c64, c64, clogf(a) / (float)M_LN2)
RT_LOOP1(log2_c128, c128, c128, clog(a) / M_LN2)
static const rt_own_loop log2_loops[] = {{RT_COMPLEX64, log2_c64}, {RT_COMPLEX128, log2_c128}, {0, NULL}};
FLOAT_UNARY(log2, "log2_vml_cpu", "log2", log2_loops)

RT_CLONES RT_LOOP1(rsqrt_f32, float, float, 1.0f / sqrtf(a))
RT_CLONES RT_LOOP1(rsqrt_f64, double, double, 1.0 / sqrt(a))
RT_LOOP1(rsqrt_c64, c64, c64, 1.0f / csqrtf(a))
RT_LOOP1(rsqrt_c128, c128, c128, 1.0 / csqrt(a))
static const rt_own_loop rsqrt_loops[] = {{RT_FLOAT32, rsqrt_f32}, {RT_FLOAT64, rsqrt_f64}, {RT_COMPLEX64, rsqrt_c64},
                                          {RT_COMPLEX128, rsqrt_c128}, {0, NULL}};
FLOAT_UNARY(rsqrt, "rsqrt_cpu", NULL, rsqrt_loops)

RT_CLONES RT_LOOP1(reciprocal_f32, float, float, 1.0f / a)
RT_CLONES RT_LOOP1(reciprocal_f64, double, double, 1.0 / a)
RT_LOOP1(reciprocal_c64, c64, c64, 1.0f / a)
RT_LOOP1(reciprocal_c128, c128, c128, 1.0 / a)
static const rt_own_loop reciprocal_loops[] = {{RT_FLOAT32, reciprocal_f32}, {RT_FLOAT64, reciprocal_f64},
                                               {RT_COMPLEX64, reciprocal_c64}, {RT_COMPLEX128, reciprocal_c128}, {0, NULL}};
FLOAT_UNARY(reciprocal, "reciprocal_cpu", NULL, reciprocal_loops)

RT_CLONES RT_LOOP1(erf_f32, float, float, rt_erf(a))
RT_LOOP1(erf_f64, double, double, erf(a))
static const rt_own_loop erf_loops[] = {{RT_FLOAT32, erf_f32}, {RT_FLOAT64, erf_f64}, {0, NULL}};
static rt_pointwise_op erf_op = {.stub = "erf_vml_cpu", .own = erf_loops, .nin = 1, .flags = RT_PW_INT_TO_FLOAT,
                                 .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE1(erf_out, erf_op)

RT_CLONES RT_LOOP1(sigmoid_f32, float, float, rt_sigmoid(a))

/* In double by NumPy's vectorized exp, block by block. */
static rt_loop exp_f64;
enum { SIGMOID_BLOCK = 256 };
static void sigmoid_f64(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)
{
    double block[SIGMOID_BLOCK];
    (void)data;
    for (Py_ssize_t done = 0; done < *n; done += SIGMOID_BLOCK) {
        Py_ssize_t length = *n - done < SIGMOID_BLOCK ? *n - done : SIGMOID_BLOCK;
        for (Py_ssize_t i = 0; i < length; i++)
            block[i] = -*(double *)(args[0] + (done + i) * steps[0]);
        exp_f64.fn((char *[]){(char *)block, (char *)block}, &length, (Py_ssize_t[]){sizeof(double), sizeof(double)}, exp_f64.data);
        for (Py_ssize_t i = 0; i < length; i++)
            *(double *)(args[1] + (done + i) * steps[1]) = 1 / (1 + block[i]);
    }
}
RT_LOOP1(sigmoid_c64, c64, c64, 1.0f / (1.0f + cexpf(-a)))
RT_LOOP1(sigmoid_c128, c128, c128, 1.0 / (1.0 + cexp(-a)))
static const rt_own_loop sigmoid_loops[] = {{RT_FLOAT32, sigmoid_f32}, {RT_FLOAT64, sigmoid_f64}, {RT_COMPLEX64, sigmoid_c64},
                                            {RT_COMPLEX128, sigmoid_c128}, {0, NULL}};
static rt_pointwise_op sigmoid_op = {.stub = "sigmoid_cpu", .own = sigmoid_loops, .nin = 1, .flags = RT_PW_INT_TO_FLOAT,
                                     .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};
RT_POINTWISE_RULE(sigmoid_out, sigmoid_op, 1)

static int sigmoid_cpu(rt_call_frame *c)
{
    /* Before the operator's own loops are made ready, so that the short cut never finds these missing. */
    if (exp_f64.fn == NULL && rt_pointwise_loop(&exp_op, RT_FLOAT64, &exp_f64) < 0)
        return -1;
    return rt_pointwise_cpu(c);
}
static PyObject *sigmoid_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&sigmoid_op, args[0], out); }
RT_STRUCTURED(sigmoid_out, sigmoid_out_rule, sigmoid_cpu, sigmoid_fast)

/* ---------------------------------------------------------------------------------------------------------------------- signs */

/* NumPy's own loops (2.4) for negation and for what numbers are go wrong with AVX-512 where elements are apart. */
#define NEGATION(suffix, T) RT_CLONES RT_LOOP1(neg_##suffix, T, T, (T)(0 - a)) /* of integers: both signs */
NEGATION(u8, uint8_t)
NEGATION(u16, uint16_t)
NEGATION(u32, uint32_t)
NEGATION(u64, uint64_t)
RT_CLONES RT_LOOP1(neg_f32, float, float, -a)
RT_CLONES RT_LOOP1(neg_f64, double, double, -a)
static const rt_own_loop neg_loops[] = {{RT_INT8, neg_u8}, {RT_INT16, neg_u16}, {RT_INT32, neg_u32}, {RT_INT64, neg_u64}, {RT_UINT8, neg_u8},
                                        {RT_FLOAT32, neg_f32}, {RT_FLOAT64, neg_f64}, {0, NULL}};
static rt_pointwise_op neg_op = {.stub = "neg_cpu", .ufunc = "negative", .own = neg_loops, .nin = 1, .flags = RT_PW_SAME_DTYPE,
                                 .dtypes = NUMERIC_DTYPES | RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE};
static int neg_rule(rt_call_frame *c)
{
    if (rt_is_tensor(c->args[0]) && RT_TENSOR(c->args[0])->dtype == RT_BOOL) {
        PyErr_SetString(PyExc_RuntimeError, "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a "
                                            "mask, use the `~` or `logical_not()` operator instead.");
        return -1;
    }
    return rt_pointwise_rule(c, &neg_op, neg_op.flags, 1, c->args);
}
static PyObject *neg_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&neg_op, args[0], out); }
RT_STRUCTURED(neg_out, neg_rule, rt_pointwise_cpu, neg_fast)

static rt_pointwise_op abs_op = {.stub = "abs_cpu", .ufunc = "absolute", .nin = 1, .flags = RT_PW_REAL_RESULT,
                                 .dtypes = NUMERIC_DTYPES | RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE | RT_FLOAT8_DTYPES};
static int abs_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype, complex_input = rt_is_complex(dtype);
    if (complex_input && c->variant == RT_INPLACE) {
        PyErr_SetString(PyExc_RuntimeError, "In-place abs is not supported for complex tensors.");
        return -1;
    }
    if (complex_input && c->outs[0] != NULL && rt_is_complex(c->outs[0]->dtype) && c->outs[0]->dtype != dtype) {
        PyErr_Format(PyExc_RuntimeError, "Found dtype %s but expected %s", rt_dtype_title(c->outs[0]->dtype),
                     rt_dtype_title(dtype));
        return -1;
    }
    return rt_pointwise_rule(c, &abs_op, abs_op.flags | (complex_input ? 0 : RT_PW_SAME_DTYPE), 1, c->args);
}
static PyObject *abs_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&abs_op, args[0], out); }
RT_STRUCTURED(abs_out, abs_rule, rt_pointwise_cpu, abs_fast)

#define SIGN(suffix, T) RT_CLONES RT_LOOP1(sign_##suffix, T, T, (T)((a > 0) - (a < 0)))
SIGN(u8, uint8_t) SIGN(i8, int8_t) SIGN(i16, int16_t) SIGN(i32, int32_t) SIGN(i64, int64_t) SIGN(f32, float) SIGN(f64, double)
RT_LOOP1(sign_b8, uint8_t, uint8_t, a != 0)
static const rt_own_loop sign_loops[] = {{RT_UINT8, sign_u8}, {RT_INT8, sign_i8}, {RT_INT16, sign_i16}, {RT_INT32, sign_i32},
                                         {RT_INT64, sign_i64}, {RT_FLOAT32, sign_f32}, {RT_FLOAT64, sign_f64}, {RT_BOOL, sign_b8}, {0, NULL}};
static rt_pointwise_op sign_op = {.stub = "sign_cpu", .own = sign_loops, .nin = 1, .dtypes = NUMERIC_DTYPES | RT_BOOL_DTYPE};
static int sign_rule(rt_call_frame *c)
{
    if (rt_is_tensor(c->args[0]) && rt_is_complex(RT_TENSOR(c->args[0])->dtype)) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "Unlike NumPy, torch.sign is not intended to support complex numbers. Please use torch.sgn instead.");
        return -1;
    }
    return rt_pointwise_rule(c, &sign_op, RT_PW_SAME_DTYPE, 1, c->args);
}
RT_STRUCTURED(sign_out, sign_rule, rt_pointwise_cpu, NULL)

/* The unit vector of a complex number, and 0 of 0. */
/* In double neither the squares of floats nor their sum overflow or vanish. */
static inline c64 sgn_of_c64(c64 a)
{
    double x = crealf(a), y = cimagf(a), size = sqrt(x * x + y * y);
    return size == 0 ? 0 : __builtin_complex((float)(x / size), (float)(y / size));
}
static inline c128 sgn_of_c128(c128 a) { return a == 0 ? 0 : a / cabs(a); }
#define SGN_COMPLEX(suffix, T, f) RT_LOOP1(sgn_##suffix, T, T, sgn_of_##suffix(a))
FORALL_COMPLEX(SGN_COMPLEX)
static const rt_own_loop sgn_loops[] = {COMPLEX_LOOPS(sgn), NO_MORE_LOOPS};
static rt_pointwise_op sgn_op = {.stub = "sgn_cpu", .own = sgn_loops, .nin = 1, .dtypes = ALL_COMPLEX_DTYPES};
static int sgn_rule(rt_call_frame *c)
{
    rt_pointwise_op *op = rt_is_complex(RT_TENSOR(c->args[0])->dtype) ? &sgn_op : &sign_op;
    return rt_pointwise_rule(c, op, RT_PW_SAME_DTYPE, 1, c->args);
}
RT_STRUCTURED(sgn_out, sgn_rule, rt_pointwise_cpu, NULL)

#define RELU(suffix, T) RT_CLONES RT_LOOP1(relu_##suffix, T, T, a < 0 ? 0 : a)
RELU(u8, uint8_t) RELU(i8, int8_t) RELU(i16, int16_t) RELU(i32, int32_t) RELU(i64, int64_t) RELU(f32, float) RELU(f64, double)
static const rt_own_loop relu_loops[] = {{RT_UINT8, relu_u8}, {RT_INT8, relu_i8}, {RT_INT16, relu_i16}, {RT_INT32, relu_i32},
                                         {RT_INT64, relu_i64}, {RT_FLOAT32, relu_f32}, {RT_FLOAT64, relu_f64}, {0, NULL}};
static rt_pointwise_op relu_op = {.stub = "clamp_min_scalar_cpu", .own = relu_loops, .nin = 1, .dtypes = NUMERIC_DTYPES};
static int relu_rule(rt_call_frame *c)
{
    if (rt_is_tensor(c->args[0]) && RT_TENSOR(c->args[0])->dtype == RT_BOOL) {
        PyErr_SetString(PyExc_RuntimeError, "Boolean inputs not supported for relu");
        return -1;
    }
    if (rt_is_tensor(c->args[0]) && rt_is_complex(RT_TENSOR(c->args[0])->dtype)) {
        PyErr_SetString(PyExc_NotImplementedError, "clamp is not supported for complex types");
        return -1;
    }
    return rt_pointwise_rule(c, &relu_op, 0, 1, c->args);
}
static PyObject *relu_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&relu_op, args[0], out); }
RT_STRUCTURED(relu_out, relu_rule, rt_pointwise_cpu, relu_fast)

/* ------------------------------------------------------------------------------------------------------------------- rounding */

#define SAME(suffix, T) RT_LOOP1(same_##suffix, T, T, a)
SAME(u8, uint8_t) SAME(i8, int8_t) SAME(i16, int16_t) SAME(i32, int32_t) SAME(i64, int64_t)
SAME(u16, uint16_t) SAME(u32, uint32_t) SAME(u64, uint64_t)
static const rt_own_loop same_loops[] = {{RT_UINT8, same_u8}, {RT_INT8, same_i8}, {RT_INT16, same_i16}, {RT_INT32, same_i32},
                                         {RT_INT64, same_i64}, {RT_UINT16, same_u16}, {RT_UINT32, same_u32}, {RT_UINT64, same_u64}, {0, NULL}};
#define ROUNDING(name, numpy)                                                                                            \
    static rt_pointwise_op name##_op = {.stub = #name "_vml_cpu", .ufunc = numpy, .own = same_loops, .nin = 1,           \
                                        .flags = RT_PW_SAME_DTYPE, .dtypes = NUMERIC_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES}; \
    static int name##_rule(rt_call_frame *c)                                                                             \
    {                                                                                                                    \
        if (&name##_op != &round_op && rt_is_complex(RT_TENSOR(c->args[0])->dtype)) {                                    \
            PyErr_SetString(PyExc_NotImplementedError, #name " is not supported for complex inputs");                    \
            return -1;                                                                                                   \
        }                                                                                                                \
        return rt_pointwise_rule(c, &name##_op, RT_PW_SAME_DTYPE, 1, c->args);                                           \
    }                                                                                                                    \
    static PyObject *name##_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&name##_op, args[0], out); } \
    RT_STRUCTURED(name##_out, name##_rule, rt_pointwise_cpu, name##_fast)
static rt_pointwise_op round_op; /* complex numbers get past its rule */
ROUNDING(floor, "floor")
ROUNDING(ceil, "ceil")
ROUNDING(trunc, "trunc")
ROUNDING(round, "rint")

#define FRAC(suffix, T, f) RT_CLONES RT_LOOP1(frac_##suffix, T, T, a - trunc##f(a))
FORALL_FLOATS(FRAC)
static const rt_own_loop frac_loops[] = {FLOAT_LOOPS(frac), NO_MORE_LOOPS};
static rt_pointwise_op frac_op = {.stub = "frac_cpu", .own = frac_loops, .nin = 1, .flags = RT_PW_SAME_DTYPE, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE1(frac_out, frac_op)

typedef struct decimals { double scale; int negative; } decimals;
#define ROUND_DECIMALS(suffix, T, f)                                                                                     \
    static inline T decimal_##suffix(T a, const decimals *d)                                                             \
    {                                                                                                                    \
        T scale = (T)d->scale;                                                                                           \
        return d->negative ? nearbyint##f(a / scale) * scale : nearbyint##f(a * scale) / scale;                          \
    }                                                                                                                    \
    RT_LOOP1(round_decimals_##suffix, T, T, decimal_##suffix(a, data))
ROUND_DECIMALS(f32, float, f)
ROUND_DECIMALS(f64, double, )
static const rt_own_loop round_decimals_loops[] = {{RT_FLOAT32, round_decimals_f32}, {RT_FLOAT64, round_decimals_f64}, {0, NULL}};
static rt_pointwise_op round_decimals_op = {.stub = "round_cpu", .own = round_decimals_loops, .nin = 1, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE_RULE(round_decimals_out, round_decimals_op, 1)

static int round_decimals_cpu(rt_call_frame *c)
{
    rt_loop loop;
    int64_t places;
    if (rt_pointwise_loop(&round_decimals_op, rt_pointwise_of(c)->common, &loop) < 0 || rt_as_int64(c->args[1], &places) < 0)
        return -1;
    decimals d = {pow(10.0, (double)(places < 0 ? -places : places)), places < 0};
    loop.data = &d;
    return rt_pointwise_run(c, loop);
}
RT_STRUCTURED(round_decimals_out, round_decimals_out_rule, round_decimals_cpu, NULL)

/* ----------------------------------------------------------------------------------------------------------------- predicates */

RT_CLONES RT_LOOP1(isnan_f32, float, uint8_t, a != a)
RT_CLONES RT_LOOP1(isnan_f64, double, uint8_t, a != a)
RT_CLONES RT_LOOP1(isinf_f32, float, uint8_t, fabsf(a) == INFINITY)
RT_CLONES RT_LOOP1(isinf_f64, double, uint8_t, fabs(a) == (double)INFINITY)
static const rt_own_loop isnan_loops[] = {{RT_FLOAT32, isnan_f32}, {RT_FLOAT64, isnan_f64}, {0, NULL}}; /* as for negation */
static const rt_own_loop isinf_loops[] = {{RT_FLOAT32, isinf_f32}, {RT_FLOAT64, isinf_f64}, {0, NULL}};
static rt_pointwise_op isnan_op = {.stub = "isnan", .ufunc = "isnan", .own = isnan_loops, .nin = 1, .flags = RT_PW_BOOL_RESULT, .dtypes = ALL_DTYPES};
RT_POINTWISE1(isnan_out, isnan_op)
static rt_pointwise_op isinf_op = {.stub = "isinf", .ufunc = "isinf", .own = isinf_loops, .nin = 1, .flags = RT_PW_BOOL_RESULT, .dtypes = ALL_DTYPES};
RT_POINTWISE1(isinf_out, isinf_op)
/* Predicates that write bools only. */
static int bool_only_rule(rt_call_frame *c, rt_pointwise_op *op, const char *name, PyObject *error, const char *refused)
{
    if (rt_is_complex(RT_TENSOR(c->args[0])->dtype)) {
        PyErr_Format(error, "%s %s", name, refused);
        return -1;
    }
    if (c->outs[0] != NULL && c->outs[0]->dtype != RT_BOOL) {
        PyErr_Format(PyExc_RuntimeError, "%s does not support non-boolean outputs.", name);
        return -1;
    }
    return rt_pointwise_rule(c, op, RT_PW_BOOL_RESULT, 1, c->args);
}

#define WIDE_DTYPES (NUMERIC_DTYPES | RT_BOOL_DTYPE | RT_BAREBONES_UNSIGNED_DTYPES)
#define IS_NEGATIVE(suffix, T, _) RT_CLONES RT_LOOP1(signbit_##suffix, T, uint8_t, a < 0)
#define IS_NEVER(suffix, T, _) RT_LOOP1(never_##suffix, T, uint8_t, 0 * a)
#define INFINITE(suffix, T, _)                                                                                           \
    RT_CLONES RT_LOOP1(signbit_##suffix, T, uint8_t, signbit(a) != 0)                                                    \
    RT_CLONES RT_LOOP1(isposinf_##suffix, T, uint8_t, a == (T)INFINITY)                                                  \
    RT_CLONES RT_LOOP1(isneginf_##suffix, T, uint8_t, a == -(T)INFINITY)
FORALL_SIGNED(IS_NEGATIVE)
FORALL_SIGNED(IS_NEVER)
FORALL_UNSIGNED(IS_NEVER)
FORALL_FLOATS(INFINITE)
#define UNSIGNED_NEVER {RT_BOOL, never_u8}, {RT_UINT8, never_u8}, {RT_UINT16, never_u16}, {RT_UINT32, never_u32}, {RT_UINT64, never_u64}
#define SIGNED_NEVER {RT_INT8, never_i8}, {RT_INT16, never_i16}, {RT_INT32, never_i32}, {RT_INT64, never_i64}
static const rt_own_loop signbit_loops[] = {{RT_INT8, signbit_i8}, {RT_INT16, signbit_i16}, {RT_INT32, signbit_i32}, {RT_INT64, signbit_i64},
                                            FLOAT_LOOPS(signbit), UNSIGNED_NEVER, NO_MORE_LOOPS};
static const rt_own_loop isposinf_loops[] = {FLOAT_LOOPS(isposinf), SIGNED_NEVER, UNSIGNED_NEVER, NO_MORE_LOOPS};
static const rt_own_loop isneginf_loops[] = {FLOAT_LOOPS(isneginf), SIGNED_NEVER, UNSIGNED_NEVER, NO_MORE_LOOPS};
#define BOOL_ONLY(name, error, refused)                                                                                  \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .own = name##_loops, .nin = 1, .flags = RT_PW_BOOL_RESULT, .dtypes = WIDE_DTYPES}; \
    static int name##_rule(rt_call_frame *c) { return bool_only_rule(c, &name##_op, #name, error, refused); }            \
    RT_STRUCTURED(name##_out, name##_rule, rt_pointwise_cpu, NULL)
BOOL_ONLY(signbit, PyExc_NotImplementedError, "is not implemented for complex tensors.")
BOOL_ONLY(isposinf, PyExc_RuntimeError, "does not support complex inputs.")
BOOL_ONLY(isneginf, PyExc_RuntimeError, "does not support complex inputs.")

static rt_pointwise_op logical_not_op = {.stub = "logical_not_cpu", .ufunc = "logical_not", .nin = 1, .flags = RT_PW_BOOL_RESULT,
                                         .dtypes = NUMERIC_DTYPES | RT_BOOL_DTYPE | RT_COMPLEX_DTYPES};
RT_POINTWISE1(logical_not_out, logical_not_op)
static rt_pointwise_op bitwise_not_op = {.stub = "bitwise_not_cpu", .ufunc = "invert", .nin = 1, .flags = RT_PW_SAME_DTYPE,
                                         .dtypes = RT_INTEGRAL_DTYPES | RT_BOOL_DTYPE};
RT_POINTWISE1(bitwise_not_out, bitwise_not_op)

/* ------------------------------------------------------------------------------------------------- numbers instead of infinities */

#define REPLACEMENTS(T) const T *to = data, nan = to[0], high = to[1], low = to[2];
#define REPLACED(a) ((a) != (a) ? nan : (a) == INFINITY ? high : (a) == -INFINITY ? low : (a))
#define REPLACE(suffix, T, f) RT_CLONES RT_LOOP1_WITH(nan_to_num_##suffix, T, T, REPLACEMENTS(T), REPLACED(a))
#define REPLACE_COMPLEX(suffix, T, R, f)                                                                                 \
    RT_LOOP1_WITH(nan_to_num_##suffix, T, T, REPLACEMENTS(R), __builtin_complex(REPLACED(creal##f(a)), REPLACED(cimag##f(a))))
FORALL_FLOATS(REPLACE)
REPLACE_COMPLEX(c64, c64, float, f)
REPLACE_COMPLEX(c128, c128, double, )
static const rt_own_loop nan_to_num_loops[] = {FLOAT_LOOPS(nan_to_num), COMPLEX_LOOPS(nan_to_num), NO_MORE_LOOPS};
static rt_pointwise_op nan_to_num_op = {.stub = "nan_to_num", .own = nan_to_num_loops, .nin = 1, .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};

static int nan_to_num_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    if (c->outs[0] != NULL && c->outs[0]->dtype != dtype) {
        PyErr_Format(PyExc_RuntimeError, "nan_to_num: dtype of out: %s should be same as input: %s", rt_dtype_title(c->outs[0]->dtype),
                     rt_dtype_title(dtype));
        return -1;
    }
    return rt_pointwise_rule(c, &nan_to_num_op, 0, 1, c->args);
}

static int replacement(PyObject *number, double otherwise, double *value)
{
    *value = number == Py_None ? otherwise : PyFloat_AsDouble(number);
    return *value == -1.0 && PyErr_Occurred() ? -1 : 0;
}

static int nan_to_num_cpu(rt_call_frame *c)
{
    int dtype = rt_pointwise_of(c)->common, real = rt_real_of(dtype);
    double largest = rt_largest_float(dtype), to[3];
    float to_floats[3];
    rt_loop loop;
    if (rt_is_integral(dtype, 1))
        return rt_pointwise_run(c, (rt_loop){rt_copy_loop(rt_itemsize[dtype]), NULL});
    if (rt_pointwise_loop(&nan_to_num_op, dtype, &loop) < 0 || replacement(c->args[1], 0.0, &to[0]) < 0 ||
        replacement(c->args[2], largest, &to[1]) < 0 || replacement(c->args[3], -largest, &to[2]) < 0)
        return -1;
    for (int i = 0; i < 3; i++)
        to_floats[i] = (float)to[i];
    loop.data = real == RT_FLOAT64 ? (void *)to : to_floats;
    return rt_pointwise_run(c, loop);
}
RT_STRUCTURED(nan_to_num_out, nan_to_num_rule, nan_to_num_cpu, NULL)
