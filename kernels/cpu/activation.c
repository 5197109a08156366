/* Activation functions. Their gradients stand in activation_backward.c. */
#include "kernels/cpu/activation.h"

/* An operator of one operand whose result has its dtype, from loops and the places of its numbers. */
#define ACTIVATION(name, stub_name, dtype_set)                                                                           \
    static rt_pointwise_op name##_op = {.stub = stub_name, .own = name##_loops, .nin = 1, .flags = RT_PW_SAME_DTYPE, .dtypes = dtype_set};
#define PLAIN_ACTIVATION(name, stub_name, dtype_set)                                                                     \
    ACTIVATION(name, stub_name, dtype_set)                                                                               \
    RT_POINTWISE1(name##_out, name##_op)
#define ACTIVATION_WITH_NUMBERS(name, stub_name, dtype_set, count)                                                       \
    ACTIVATION(name, stub_name, dtype_set)                                                                               \
    RT_POINTWISE_RULE(name##_out, name##_op, 1)                                                                          \
    static int name##_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 1, count); }                                 \
    RT_STRUCTURED(name##_out, name##_out_rule, name##_cpu, NULL)

/* ---------------------------------------------------------------------------------------------------------- of exponentials */

#define SMOOTH(suffix, T, f)                                                                                             \
    RT_CLONES RT_LOOP1(gelu_##suffix, T, T, a * (T)0.5 * (1 + erf_of_##suffix(a * (T)M_SQRT1_2)))                        \
    RT_CLONES RT_LOOP1(gelu_tanh_##suffix, T, T, a * sigmoid_of_##suffix(RT_GELU_TANH(T, a)))                               \
    RT_CLONES RT_LOOP1(silu_##suffix, T, T, a * sigmoid_of_##suffix(a))                                                  \
    RT_CLONES RT_LOOP1(mish_##suffix, T, T, mish_of_##suffix(a))                                                         \
    RT_CLONES RT_LOOP1_WITH(softplus_##suffix, T, T, NUMBERS2(T, beta, threshold),                                       \
                            a * beta > threshold ? a : log_one_plus_exp_##suffix(a * beta) / beta)                       \
    RT_CLONES RT_LOOP1_WITH(elu_##suffix, T, T, NUMBERS3(T, alpha, scale, input_scale) const T below = alpha * scale;,   \
                            a <= 0 ? expm1_of_##suffix(a * input_scale) * below : a * scale)
/* tanh(log(1 + e)) is w / (w + 2) with w = e (e + 2). */
#define SMOOTH_PARTS(suffix, T, f)                                                                                       \
    RT_VECTOR T mish_of_##suffix(T x)                                                                                    \
    {                                                                                                                    \
        T e = exp_of_##suffix(x > 20 ? 20 : x), w = e * (e + 2);                                                         \
        return x * (w / (w + 2));                                                                                        \
    }                                                                                                                    \
    RT_VECTOR T log_one_plus_exp_##suffix(T x) { return (x > 0 ? x : 0) + log1p_of_##suffix(exp_of_##suffix(-fabs##f(x))); }
FORALL_FLOATS(SMOOTH_PARTS)
FORALL_FLOATS(SMOOTH)
RT_LOOP1(silu_c64, c64, c64, a / (1.0f + cexpf(-a)))
RT_LOOP1(silu_c128, c128, c128, a / (1.0 + cexp(-a)))
static const rt_own_loop gelu_loops[] = {FLOAT_LOOPS(gelu), NO_MORE_LOOPS};
static const rt_own_loop gelu_tanh_loops[] = {FLOAT_LOOPS(gelu_tanh), NO_MORE_LOOPS};
static const rt_own_loop silu_loops[] = {FLOAT_LOOPS(silu), COMPLEX_LOOPS(silu), NO_MORE_LOOPS};
static const rt_own_loop mish_loops[] = {FLOAT_LOOPS(mish), NO_MORE_LOOPS};
static const rt_own_loop softplus_loops[] = {FLOAT_LOOPS(softplus), NO_MORE_LOOPS};
static const rt_own_loop elu_loops[] = {FLOAT_LOOPS(elu), NO_MORE_LOOPS};
PLAIN_ACTIVATION(silu, "silu_cpu", RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES)
PLAIN_ACTIVATION(mish, "mish_cpu", RT_FLOATING_DTYPES)
ACTIVATION_WITH_NUMBERS(softplus, "softplus_cpu", RT_FLOATING_DTYPES, 2)
ACTIVATION_WITH_NUMBERS(elu, "elu_cpu", RT_FLOATING_DTYPES, 3)

ACTIVATION(gelu, "GeluKernelImpl", RT_FLOATING_DTYPES)
ACTIVATION(gelu_tanh, "GeluKernelImpl", RT_FLOATING_DTYPES)
static int gelu_rule(rt_call_frame *c)
{
    int approximate = rt_gelu_approximates(c->args[1]);
    return approximate < 0 ? -1 : rt_pointwise_rule(c, approximate ? &gelu_tanh_op : &gelu_op, RT_PW_SAME_DTYPE, 1, c->args);
}
static PyObject *gelu_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out)
{
    (void)n;
    return PyUnicode_CompareWithASCIIString(args[1], "none") == 0 ? rt_pointwise_fast1(&gelu_op, args[0], out) : NULL;
}
RT_STRUCTURED(gelu_out, gelu_rule, rt_pointwise_cpu, gelu_fast)

/* ----------------------------------------------------------------------------------------------------------------- of pieces */

#define PIECEWISE(suffix, T, f)                                                                                          \
    RT_CLONES RT_LOOP1(hardswish_##suffix, T, T, a * (a < -3 ? 0 : a > 3 ? 6 : a + 3) / 6)                               \
    RT_CLONES RT_LOOP1(hardsigmoid_##suffix, T, T, (a < -3 ? 0 : a > 3 ? 6 : a + 3) / 6)                                 \
    RT_CLONES RT_LOOP1_WITH(leaky_relu_##suffix, T, T, NUMBERS1(T, slope), a > 0 ? a : a * slope)                        \
    RT_CLONES RT_LOOP1_WITH(softshrink_##suffix, T, T, NUMBERS1(T, lambd), a > lambd ? a - lambd : a < -lambd ? a + lambd : a * 0) \
    RT_CLONES RT_LOOP1_WITH(hardshrink_##suffix, T, T, NUMBERS1(T, lambd), a >= -lambd && a <= lambd ? 0 : a)            \
    RT_CLONES RT_LOOP2(_prelu_kernel_##suffix, T, T, a > 0 ? a : b * a)
FORALL_FLOATS(PIECEWISE)
static const rt_own_loop hardswish_loops[] = {FLOAT_LOOPS(hardswish), NO_MORE_LOOPS};
static const rt_own_loop hardsigmoid_loops[] = {FLOAT_LOOPS(hardsigmoid), NO_MORE_LOOPS};
static const rt_own_loop leaky_relu_loops[] = {FLOAT_LOOPS(leaky_relu), NO_MORE_LOOPS};
static const rt_own_loop softshrink_loops[] = {FLOAT_LOOPS(softshrink), NO_MORE_LOOPS};
static const rt_own_loop hardshrink_loops[] = {FLOAT_LOOPS(hardshrink), NO_MORE_LOOPS};
static const rt_own_loop _prelu_kernel_loops[] = {FLOAT_LOOPS(_prelu_kernel), NO_MORE_LOOPS};
PLAIN_ACTIVATION(hardswish, "hardswish_cpu", RT_FLOATING_DTYPES)
PLAIN_ACTIVATION(hardsigmoid, "hardsigmoid_cpu", RT_FLOATING_DTYPES)
ACTIVATION_WITH_NUMBERS(leaky_relu, "leaky_relu_cpu", RT_FLOATING_DTYPES, 1)
ACTIVATION_WITH_NUMBERS(hardshrink, "hardshrink_cpu", RT_FLOATING_DTYPES, 1)

static rt_pointwise_op _prelu_kernel_op = {.stub = "prelu_cpu", .own = _prelu_kernel_loops, .nin = 2, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE2(_prelu_kernel_out, _prelu_kernel_op)

ACTIVATION(softshrink, "softshrink_check", RT_FLOATING_DTYPES)
static int softshrink_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    rt_number lambd;
    if (rt_read_number(c->args[1], &lambd) < 0)
        return -1;
    if (!rt_dtype_in(dtype, RT_FLOATING_DTYPES)) {
        PyErr_Format(PyExc_NotImplementedError, "\"softshrink_check\" not implemented for '%s'", rt_dtype_title(dtype));
        return -1;
    }
    double value = rt_number_as_double(&lambd), most = rt_largest_float(dtype);
    if (lambd.dtype != RT_COMPLEX128 && !(value >= 0 && value <= most)) {
        char text[160];
        snprintf(text, sizeof text, "lambda must be in range [0, %g] for input dtype %s, but found %g", most, rt_dtype_title(dtype), value);
        PyErr_SetString(PyExc_RuntimeError, text);
        return -1;
    }
    return rt_pointwise_rule(c, &softshrink_op, RT_PW_SAME_DTYPE, 1, c->args);
}
static int softshrink_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 1, 1); }
RT_STRUCTURED(softshrink_out, softshrink_rule, softshrink_cpu, NULL)

#define BETWEEN(suffix, T, _)                                                                                            \
    RT_CLONES RT_LOOP1_WITH(threshold_##suffix, T, T, NUMBERS2(T, bound, value), a <= bound ? value : a)                 \
    RT_CLONES RT_LOOP1_WITH(hardtanh_##suffix, T, T, NUMBERS2(T, low, high), low != low ? low : a < low ? (low > high ? high : low) : a > high ? high : a)
FORALL_SIGNED(BETWEEN)
FORALL_FLOATS(BETWEEN)
BETWEEN(u8, uint8_t, )
#define NUMERIC_LOOPS(f) {RT_UINT8, f##_u8}, {RT_INT8, f##_i8}, {RT_INT16, f##_i16}, {RT_INT32, f##_i32}, {RT_INT64, f##_i64}, FLOAT_LOOPS(f)
static const rt_own_loop threshold_loops[] = {NUMERIC_LOOPS(threshold), NO_MORE_LOOPS};
static const rt_own_loop hardtanh_loops[] = {NUMERIC_LOOPS(hardtanh), NO_MORE_LOOPS};
ACTIVATION_WITH_NUMBERS(threshold, "threshold_cpu", NUMERIC_DTYPES, 2)

ACTIVATION(hardtanh, "clamp_scalar_cpu", NUMERIC_DTYPES)
static int hardtanh_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    rt_number low, high;
    if (rt_read_number(c->args[1], &low) < 0 || rt_read_number(c->args[2], &high) < 0)
        return -1;
    if (dtype == RT_BOOL)
        PyErr_SetString(PyExc_RuntimeError, "Bool inputs not supported for hardtanh");
    else if (rt_is_complex(dtype))
        PyErr_SetString(PyExc_NotImplementedError, "clamp is not supported for complex types");
    else if (dtype == RT_UINT8 && (rt_number_as_double(&low) < 0 || rt_number_as_double(&high) < 0))
        PyErr_SetString(PyExc_RuntimeError, "cannot do hardtanh on an unsigned type with negative limits");
    else
        return rt_pointwise_rule(c, &hardtanh_op, RT_PW_SAME_DTYPE, 1, c->args);
    return -1;
}
static int hardtanh_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 1, 2); }
RT_STRUCTURED(hardtanh_out, hardtanh_rule, hardtanh_cpu, NULL)

/* ------------------------------------------------------------------------------------------------------------ log_sigmoid
 * Its second output keeps exp(-|x|) for the gradient. */

#define LOG_SIGMOID(suffix, T, f)                                                                                        \
    RT_CLONES RT_LOOP1(log_sigmoid_##suffix, T, T, (a < 0 ? a : a != a ? a : 0) - log1p_of_##suffix(exp_of_##suffix(-fabs##f(a)))) \
    RT_CLONES RT_LOOP1(exp_of_distance_##suffix, T, T, exp_of_##suffix(-fabs##f(a)))
FORALL_FLOATS(LOG_SIGMOID)
static const rt_own_loop log_sigmoid_loops[] = {FLOAT_LOOPS(log_sigmoid), NO_MORE_LOOPS};
ACTIVATION(log_sigmoid, "log_sigmoid_cpu", RT_FLOATING_DTYPES)
static int log_sigmoid_rule(rt_call_frame *c)
{
    RtTensor *buffer = c->outs[1];
    if (buffer != NULL && buffer->dtype != RT_TENSOR(c->args[0])->dtype) {
        PyErr_Format(PyExc_RuntimeError, "expected scalar type %s but found %s", rt_dtype_title(RT_TENSOR(c->args[0])->dtype),
                     rt_dtype_title(buffer->dtype));
        return -1;
    }
    if (rt_pointwise_rule(c, &log_sigmoid_op, RT_PW_SAME_DTYPE, 1, c->args) < 0)
        return -1;
    c->specs[1] = c->specs[0];
    return 0;
}
static int log_sigmoid_cpu(rt_call_frame *c)
{
    RtTensor *output = c->outs[0];
    if (rt_pointwise_cpu(c) < 0)
        return -1;
    int computed = rt_loop_dtype(rt_pointwise_of(c)->common);
    c->outs[0] = c->outs[1];
    int status = rt_pointwise_run(c, (rt_loop){computed == RT_FLOAT32 ? exp_of_distance_f32 : exp_of_distance_f64, NULL});
    c->outs[0] = output;
    return status;
}
const rt_structured_def rt_k_log_sigmoid_forward_output = {
    .name = "log_sigmoid_forward_output", .rule = log_sigmoid_rule, .cpu = log_sigmoid_cpu, .nouts = 2};
