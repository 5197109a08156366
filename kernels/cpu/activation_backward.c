/* Gradients of activation functions: operand `a` is the gradient of the result, `b` the input or, where an operator says so, the result. */
#include "kernels/cpu/activation.h"

#define GRADIENT(name, stub_name, dtype_set)                                                                             \
    static rt_pointwise_op name##_op = {.stub = stub_name, .own = name##_loops, .nin = 2, .dtypes = dtype_set};
#define PLAIN_GRADIENT(name, kernel, stub_name, dtype_set)                                                               \
    GRADIENT(name, stub_name, dtype_set)                                                                                 \
    RT_POINTWISE2(kernel, name##_op)
#define GRADIENT_WITH_NUMBERS(name, kernel, stub_name, dtype_set, count)                                                 \
    GRADIENT(name, stub_name, dtype_set)                                                                                 \
    RT_POINTWISE_RULE(kernel, name##_op, 2)                                                                              \
    static int kernel##_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 2, count); }                               \
    RT_STRUCTURED(kernel, kernel##_rule, kernel##_cpu, NULL)

/* ---------------------------------------------------------------------------------------------------------- of exponentials */

#define SMOOTH_PARTS(suffix, T, f)                                                                                       \
    RT_VECTOR T silu_slope_##suffix(T x)                                                                                 \
    {                                                                                                                    \
        T s = sigmoid_of_##suffix(x);                                                                                    \
        return s * (1 + x * (1 - s));                                                                                    \
    }                                                                                                                    \
    RT_VECTOR T gelu_slope_##suffix(T x)                                                                                 \
    {                                                                                                                    \
        T below = (T)0.5 * (1 + erf_of_##suffix(x * (T)M_SQRT1_2)), density = (T)0.3989422804014327 * exp_of_##suffix((T)-0.5 * x * x); \
        return below + x * density;                                                                                      \
    }                                                                                                                    \
    RT_VECTOR T gelu_tanh_slope_##suffix(T x)                                                                            \
    {                                                                                                                    \
        T s = sigmoid_of_##suffix(RT_GELU_TANH(T, x)), inner_slope = (T)1.5957691216057308 + 3 * (T)0.071354816272600247 * x * x; \
        return s + x * s * (1 - s) * inner_slope;                                                                        \
    }
FORALL_FLOATS(SMOOTH_PARTS)
#define SMOOTH(suffix, T, f)                                                                                             \
    RT_CLONES RT_LOOP2(silu_backward_##suffix, T, T, a * silu_slope_##suffix(b))                                         \
    RT_CLONES RT_LOOP2(gelu_backward_##suffix, T, T, a * gelu_slope_##suffix(b))                                         \
    RT_CLONES RT_LOOP2(gelu_tanh_backward_##suffix, T, T, a * gelu_tanh_slope_##suffix(b))                               \
    RT_CLONES RT_LOOP2(sigmoid_backward_##suffix, T, T, a * (1 - b) * b)                                                 \
    RT_CLONES RT_LOOP2(tanh_backward_##suffix, T, T, a * (1 - b * b))                                                    \
    RT_CLONES RT_LOOP2_WITH(softplus_backward_##suffix, T, T, NUMBERS2(T, beta, threshold),                              \
                            b * beta > threshold ? a : a * sigmoid_of_##suffix(b * beta))                                \
    RT_CLONES RT_LOOP2_WITH(elu_backward_##suffix, T, T, NUMBERS3(T, alpha, scale, input_scale) const T below = alpha * scale;, \
                            b <= 0 ? a * input_scale * below * exp_of_##suffix(b * input_scale) : a * scale)             \
    RT_CLONES RT_LOOP2_WITH(elu_backward_by_result_##suffix, T, T, NUMBERS3(T, alpha, scale, input_scale) const T below = alpha * scale;, \
                            b <= 0 ? a * input_scale * (b + below) : a * scale)
FORALL_FLOATS(SMOOTH)
#define SMOOTH_COMPLEX(suffix, T, f)                                                                                     \
    static inline T silu_slope_##suffix(T x)                                                                             \
    {                                                                                                                    \
        T s = 1 / (1 + cexp##f(-x));                                                                                     \
        return s * (1 + x * (1 - s));                                                                                    \
    }                                                                                                                    \
    RT_LOOP2(silu_backward_##suffix, T, T, a * silu_slope_##suffix(b))                                          \
    RT_LOOP2(sigmoid_backward_##suffix, T, T, a * conj##f((1 - b) * b))                                                  \
    RT_LOOP2(tanh_backward_##suffix, T, T, a * conj##f(1 - b * b))
FORALL_COMPLEX(SMOOTH_COMPLEX)
static const rt_own_loop silu_backward_loops[] = {FLOAT_LOOPS(silu_backward), COMPLEX_LOOPS(silu_backward), NO_MORE_LOOPS};
static const rt_own_loop sigmoid_backward_loops[] = {FLOAT_LOOPS(sigmoid_backward), COMPLEX_LOOPS(sigmoid_backward), NO_MORE_LOOPS};
static const rt_own_loop tanh_backward_loops[] = {FLOAT_LOOPS(tanh_backward), COMPLEX_LOOPS(tanh_backward), NO_MORE_LOOPS};
static const rt_own_loop gelu_backward_loops[] = {FLOAT_LOOPS(gelu_backward), NO_MORE_LOOPS};
static const rt_own_loop gelu_tanh_backward_loops[] = {FLOAT_LOOPS(gelu_tanh_backward), NO_MORE_LOOPS};
static const rt_own_loop softplus_backward_loops[] = {FLOAT_LOOPS(softplus_backward), NO_MORE_LOOPS};
static const rt_own_loop elu_backward_loops[] = {FLOAT_LOOPS(elu_backward), NO_MORE_LOOPS};
static const rt_own_loop elu_backward_by_result_loops[] = {FLOAT_LOOPS(elu_backward_by_result), NO_MORE_LOOPS};
PLAIN_GRADIENT(silu_backward, silu_backward_grad_input, "silu_backward_cpu", RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES)
PLAIN_GRADIENT(sigmoid_backward, sigmoid_backward_grad_input, "sigmoid_backward_cpu", RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES)
PLAIN_GRADIENT(tanh_backward, tanh_backward_grad_input, "tanh_backward_cpu", RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES)
GRADIENT_WITH_NUMBERS(softplus_backward, softplus_backward_grad_input, "softplus_backward_cpu", RT_FLOATING_DTYPES, 2)

GRADIENT(gelu_backward, "GeluBackwardKernelImpl", RT_FLOATING_DTYPES)
GRADIENT(gelu_tanh_backward, "GeluBackwardKernelImpl", RT_FLOATING_DTYPES)
static int gelu_backward_rule(rt_call_frame *c)
{
    int approximate = rt_gelu_approximates(c->args[2]);
    return approximate < 0 ? -1 : rt_pointwise_rule(c, approximate ? &gelu_tanh_backward_op : &gelu_backward_op, 0, 2, c->args);
}
RT_STRUCTURED(gelu_backward_grad_input, gelu_backward_rule, rt_pointwise_cpu, NULL)

GRADIENT(elu_backward, "elu_backward_cpu", RT_FLOATING_DTYPES)
GRADIENT(elu_backward_by_result, "elu_backward_cpu", RT_FLOATING_DTYPES)
static int elu_backward_rule(rt_call_frame *c)
{
    int is_result = c->args[4] == Py_True;
    rt_number alpha;
    if (rt_read_number(c->args[1], &alpha) < 0)
        return -1;
    if (is_result && rt_number_as_double(&alpha) < 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "In-place elu backward calculation is triggered with a negative slope which is not supported. This is caused by "
                        "calling in-place forward function with a negative slope, please call out-of-place version instead.");
        return -1;
    }
    return rt_pointwise_rule(c, is_result ? &elu_backward_by_result_op : &elu_backward_op, 0, 2, (PyObject *[]){c->args[0], c->args[5]});
}
static int elu_backward_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 1, 3); }
RT_STRUCTURED(elu_backward_grad_input, elu_backward_rule, elu_backward_cpu, NULL)

#define LOG_SIGMOID(suffix, T, f)                                                                                        \
    RT_CLONES RT_LOOP3_WITH(log_sigmoid_backward_##suffix, T, , a * ((b < 0 ? 1 : d) / (1 + d)))
FORALL_FLOATS(LOG_SIGMOID)
static const rt_own_loop log_sigmoid_backward_loops[] = {FLOAT_LOOPS(log_sigmoid_backward), NO_MORE_LOOPS};
static rt_pointwise_op log_sigmoid_backward_op = {.stub = "log_sigmoid_backward_cpu", .own = log_sigmoid_backward_loops, .nin = 3,
                                                  .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE_RULE(log_sigmoid_backward, log_sigmoid_backward_op, 3)
RT_STRUCTURED(log_sigmoid_backward_grad_input, log_sigmoid_backward_rule, rt_pointwise_cpu, NULL)

/* ----------------------------------------------------------------------------------------------------------------- of pieces */

#define PIECEWISE(suffix, T, f)                                                                                          \
    RT_CLONES RT_LOOP2(hardswish_backward_##suffix, T, T, b <= -3 ? 0 : b < 3 ? a * (b / 3 + (T)0.5) : a)                \
    RT_CLONES RT_LOOP2(hardsigmoid_backward_##suffix, T, T, b > -3 && b < 3 ? a * (1 / (T)6) : 0)                        \
    RT_CLONES RT_LOOP2_WITH(leaky_relu_backward_##suffix, T, T, NUMBERS1(T, slope), b > 0 ? a : a * slope)               \
    RT_CLONES RT_LOOP2_WITH(shrink_backward_##suffix, T, T, NUMBERS1(T, lambd), b >= -lambd && b <= lambd ? 0 : a)       \
    RT_CLONES RT_LOOP2_WITH(hardtanh_backward_##suffix, T, T, NUMBERS2(T, low, high), b <= low || b >= high ? 0 : a)
FORALL_FLOATS(PIECEWISE)
#define THRESHOLD(suffix, T, _)                                                                                          \
    RT_CLONES RT_LOOP2_WITH(threshold_backward_##suffix, T, T, NUMBERS1(T, bound), b <= bound ? 0 : a)
FORALL_SIGNED(THRESHOLD)
FORALL_FLOATS(THRESHOLD)
THRESHOLD(u8, uint8_t, )
static const rt_own_loop hardswish_backward_loops[] = {FLOAT_LOOPS(hardswish_backward), NO_MORE_LOOPS};
static const rt_own_loop hardsigmoid_backward_loops[] = {FLOAT_LOOPS(hardsigmoid_backward), NO_MORE_LOOPS};
static const rt_own_loop leaky_relu_backward_loops[] = {FLOAT_LOOPS(leaky_relu_backward), NO_MORE_LOOPS};
static const rt_own_loop softshrink_backward_loops[] = {FLOAT_LOOPS(shrink_backward), NO_MORE_LOOPS};
static const rt_own_loop hardshrink_backward_loops[] = {FLOAT_LOOPS(shrink_backward), NO_MORE_LOOPS};
static const rt_own_loop hardtanh_backward_loops[] = {FLOAT_LOOPS(hardtanh_backward), NO_MORE_LOOPS};
static const rt_own_loop threshold_backward_loops[] = {
    {RT_UINT8, threshold_backward_u8}, {RT_INT8, threshold_backward_i8}, {RT_INT16, threshold_backward_i16},
    {RT_INT32, threshold_backward_i32}, {RT_INT64, threshold_backward_i64}, FLOAT_LOOPS(threshold_backward), NO_MORE_LOOPS};
PLAIN_GRADIENT(hardswish_backward, hardswish_backward_out, "hardswish_backward_cpu", RT_FLOATING_DTYPES)
PLAIN_GRADIENT(hardsigmoid_backward, hardsigmoid_backward_grad_input, "hardsigmoid_backward", RT_FLOATING_DTYPES)
GRADIENT_WITH_NUMBERS(softshrink_backward, softshrink_backward_grad_input, "shrink_backward_cpu", RT_FLOATING_DTYPES, 1)
GRADIENT_WITH_NUMBERS(hardshrink_backward, hardshrink_backward_grad_input, "shrink_backward_cpu", RT_FLOATING_DTYPES, 1)
GRADIENT_WITH_NUMBERS(hardtanh_backward, hardtanh_backward_grad_input, "hardshrink_backward_cpu", RT_FLOATING_DTYPES, 2)
GRADIENT_WITH_NUMBERS(threshold_backward, threshold_backward_grad_input, "threshold_cpu", NUMERIC_DTYPES, 1)

GRADIENT(leaky_relu_backward, "leaky_relu_backward_cpu", RT_FLOATING_DTYPES)
static int leaky_relu_backward_rule(rt_call_frame *c)
{
    rt_number slope;
    if (rt_read_number(c->args[2], &slope) < 0)
        return -1;
    if (c->args[3] == Py_True && rt_number_as_double(&slope) < 0) {
        PyErr_SetString(PyExc_RuntimeError,
                        "In-place leakyReLu backward calculation is triggered with a negative slope which is not supported. This is caused by "
                        "calling in-place forward function with a negative slope, please call out-of-place version instead. File an issue at "
                        "https://github.com/pytorch/pytorch if you do require supporting in-place leakRelu backward calculation with negative slope");
        return -1;
    }
    return rt_pointwise_rule(c, &leaky_relu_backward_op, 0, 2, c->args);
}
static int leaky_relu_backward_cpu(rt_call_frame *c) { return rt_run_with_numbers(c, 2, 1); }
RT_STRUCTURED(leaky_relu_backward_grad_input, leaky_relu_backward_rule, leaky_relu_backward_cpu, NULL)
