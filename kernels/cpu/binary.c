/* Functions of two operands beyond arithmetic: angles, signs, neighbours, common divisors, sums of exponentials, shifts.
 *
 * The loops are NumPy's where NumPy means the same; where float16 and bfloat16 have neighbours of their own, loops work on their bits.
 */
#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/vector_math.h"

#define FLOAT_BINARY(name, stub_name, numpy, more_flags)                                                                 \
    static rt_pointwise_op name##_op = {.stub = stub_name, .ufunc = numpy, .nin = 2, .flags = more_flags, .dtypes = RT_FLOATING_DTYPES}; \
    RT_POINTWISE2(name##_out, name##_op)
FLOAT_BINARY(atan2, "atan2_cpu", "arctan2", RT_PW_INT_TO_FLOAT)
FLOAT_BINARY(copysign, "copysign_cpu", "copysign", RT_PW_INT_TO_FLOAT)

/* In double the squares neither overflow nor vanish. An infinity wins over a NaN. */
RT_CLONES RT_LOOP2(hypot_f32, float, float, isinf(a) || isinf(b) ? INFINITY : (float)sqrt((double)a * a + (double)b * b))
static const rt_own_loop hypot_loops[] = {{RT_FLOAT32, hypot_f32}, NO_MORE_LOOPS};
static rt_pointwise_op hypot_op = {.stub = "hypot_cpu", .ufunc = "hypot", .own = hypot_loops, .nin = 2, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE2(hypot_out, hypot_op)

/* ------------------------------------------------------------------------------------------------------- sums of exponentials */

/* log(1 + z), exact for small z: the real part goes by way of |1 + z|**2 - 1. */
#define LOGADDEXP_COMPLEX(suffix, T, f)                                                                                  \
    static T log_one_plus_##suffix(T z)                                                                                  \
    {                                                                                                                    \
        __typeof__(creal##f(z)) x = creal##f(z), y = cimag##f(z);                                                        \
        if (fabs##f(x) > 0.5 || fabs##f(y) > 0.5)                                                                        \
            return clog##f(1 + z);                                                                                       \
        return __builtin_complex(log1p##f(x * (2 + x) + y * y) / 2, atan2##f(y, 1 + x));                                               \
    }                                                                                                                    \
    static T logaddexp_of_##suffix(T a, T b)                                                                             \
    {                                                                                                                    \
        if (a != a || b != b)                                                                                            \
            return __builtin_complex((__typeof__(creal##f(a)))NAN, (__typeof__(creal##f(a)))NAN);                                                                                        \
        int a_is_less = creal##f(a) < creal##f(b);                                                                       \
        T low = a_is_less ? a : b, high = a_is_less ? b : a;                                                             \
        if (isinf(creal##f(low)) && creal##f(low) == creal##f(high))                                                     \
            return creal##f(low) < 0 ? low : clog##f(cexp##f(low) + cexp##f(high));                                      \
        return high + log_one_plus_##suffix(cexp##f(low - high));                                                        \
    }                                                                                                                    \
    RT_LOOP2(logaddexp_##suffix, T, T, logaddexp_of_##suffix(a, b))
FORALL_COMPLEX(LOGADDEXP_COMPLEX)
/* Equal numbers apart: their difference would be NaN where they are infinite. */
#define LOG_SUM(a, b, more) ((a) == (b) ? (a) + (more(0.0f)) : ((a) > (b) ? (a) : (b)) + more(-fabsf((a) - (b))))
#define MORE(d) rt_log1p(rt_exp(d))
#define MORE_IN_BITS(d) ((float)M_LOG2E * rt_log1p(rt_exp((float)M_LN2 * (d))))
RT_CLONES RT_LOOP2(logaddexp_f32, float, float, LOG_SUM(a, b, MORE))
RT_CLONES RT_LOOP2(logaddexp2_f32, float, float, LOG_SUM(a, b, MORE_IN_BITS))
static const rt_own_loop logaddexp_loops[] = {{RT_FLOAT32, logaddexp_f32}, COMPLEX_LOOPS(logaddexp), NO_MORE_LOOPS};
static const rt_own_loop logaddexp2_loops[] = {{RT_FLOAT32, logaddexp2_f32}, NO_MORE_LOOPS};
static rt_pointwise_op logaddexp2_op = {.stub = "logaddexp2_cpu", .ufunc = "logaddexp2", .own = logaddexp2_loops, .nin = 2,
                                        .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE2(logaddexp2_out, logaddexp2_op)
static rt_pointwise_op logaddexp_op = {.stub = "logaddexp_cpu", .ufunc = "logaddexp", .own = logaddexp_loops, .nin = 2,
                                       .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};
RT_POINTWISE2(logaddexp_out, logaddexp_op)

/* -------------------------------------------------------------------------------------------------------------------- integers */

#define DIVISORS(name)                                                                                                   \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = #name, .nin = 2, .dtypes = RT_INTEGRAL_DTYPES};   \
    RT_POINTWISE2(name##_out, name##_op)
DIVISORS(gcd)
DIVISORS(lcm)

/* A distance outside of the type's width shifts everything out; C leaves that undefined. */
#define SHIFT(suffix, T, U)                                                                                              \
    RT_CLONES RT_LOOP2(left_shift_##suffix, T, T, (U)b >= 8 * sizeof(T) ? 0 : (U)((U)a << b))                            \
    RT_CLONES RT_LOOP2(right_shift_##suffix, T, T, a >> ((U)b >= 8 * sizeof(T) ? 8 * sizeof(T) - 1 : (U)b))
FORALL_SIGNED(SHIFT)
RT_CLONES RT_LOOP2(left_shift_u8, uint8_t, uint8_t, b >= 8 ? 0 : a << b)
RT_CLONES RT_LOOP2(right_shift_u8, uint8_t, uint8_t, b >= 8 ? 0 : a >> b)
#define SIGNED_AND_BYTE_LOOPS(f) {RT_UINT8, f##_u8}, {RT_INT8, f##_i8}, {RT_INT16, f##_i16}, {RT_INT32, f##_i32}, {RT_INT64, f##_i64}
static const rt_own_loop left_shift_loops[] = {SIGNED_AND_BYTE_LOOPS(left_shift), NO_MORE_LOOPS};
static const rt_own_loop right_shift_loops[] = {SIGNED_AND_BYTE_LOOPS(right_shift), NO_MORE_LOOPS};
static rt_pointwise_op left_shift_op = {.stub = "lshift_cpu", .own = left_shift_loops, .nin = 2, .dtypes = RT_INTEGRAL_DTYPES};
static rt_pointwise_op right_shift_op = {.stub = "rshift_cpu", .own = right_shift_loops, .nin = 2, .dtypes = RT_INTEGRAL_DTYPES};
RT_POINTWISE2(bitwise_left_shift_Tensor_out, left_shift_op)
RT_POINTWISE2(bitwise_right_shift_Tensor_out, right_shift_op)

/* ------------------------------------------------------------------------------------------------------------------- heaviside */

#define HEAVISIDE(suffix, T, _) RT_CLONES RT_LOOP2(heaviside_##suffix, T, T, a == 0 ? b : (T)(a > 0))
FORALL_SIGNED(HEAVISIDE)
FORALL_FLOATS(HEAVISIDE)
RT_CLONES RT_LOOP2(heaviside_u8, uint8_t, uint8_t, a == 0 ? b : 1)
static const rt_own_loop heaviside_loops[] = {SIGNED_AND_BYTE_LOOPS(heaviside), FLOAT_LOOPS(heaviside), {RT_BOOL, heaviside_u8}, NO_MORE_LOOPS};
static rt_pointwise_op heaviside_op = {.stub = "heaviside_cpu", .own = heaviside_loops, .nin = 2, .dtypes = NUMERIC_DTYPES | RT_BOOL_DTYPE};
static int heaviside_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *values = RT_TENSOR(c->args[1]), *out = c->outs[0];
    const char *text = NULL;
    if (rt_is_complex(self->dtype) || rt_is_complex(values->dtype) || (out != NULL && rt_is_complex(out->dtype)))
        text = "heaviside is not yet implemented for complex tensors.";
    else if (self->dtype != values->dtype || (out != NULL && out->dtype != self->dtype))
        text = "heaviside is not yet implemented for tensors with different dtypes.";
    if (text != NULL) {
        PyErr_SetString(PyExc_RuntimeError, text);
        return -1;
    }
    return rt_pointwise_rule(c, &heaviside_op, 0, 2, c->args);
}
RT_STRUCTURED(heaviside_out, heaviside_rule, rt_pointwise_cpu, NULL)

/* ------------------------------------------------------------------------------------------------------------------- neighbours */

/* One step away from zero is one bit more, one step towards it one bit less. */
#define NEXTAFTER(suffix, T, U, f)                                                                                       \
    RT_VECTOR T next_to_##suffix(T from, T to)                                                                           \
    {                                                                                                                    \
        U bits;                                                                                                          \
        memcpy(&bits, &from, sizeof bits);                                                                               \
        bits += (from < to) == (from > 0) ? 1 : -1;                                                                      \
        T next, smallest = copysign##f(sizeof(T) == 4 ? (T)0x1p-149 : (T)0x1p-1074, to);                                 \
        memcpy(&next, &bits, sizeof next);                                                                               \
        next = from == 0 ? smallest : next;                                                                              \
        next = from == to ? to : next;                                                                                   \
        return from != from || to != to ? from + to : next;                                                              \
    }                                                                                                                    \
    RT_CLONES RT_LOOP2(nextafter_##suffix, T, T, next_to_##suffix(a, b))
NEXTAFTER(f32, float, uint32_t, f)
NEXTAFTER(f64, double, uint64_t, )
static const rt_own_loop nextafter_loops[] = {FLOAT_LOOPS(nextafter), NO_MORE_LOOPS};
static rt_pointwise_op nextafter_op = {.stub = "nextafter_cpu", .own = nextafter_loops, .nin = 2, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE_RULE(nextafter_out, nextafter_op, 2)

/* A float16 or bfloat16 as an integer that orders as its value does; -0 and +0 are both 0. */
static inline int ordinal(uint16_t bits) { return bits & 0x8000 ? -(int)(bits & 0x7fff) : bits; }
static inline uint16_t bits_next_to(uint16_t from, uint16_t to, int infinity)
{
    if ((from & 0x7fff) > infinity || (to & 0x7fff) > infinity)
        return (uint16_t)(infinity | infinity >> 1 | 1);
    int place = ordinal(from), target = ordinal(to);
    if (place == target)
        return to;
    place += place < target ? 1 : -1;
    return (uint16_t)(place < 0 ? 0x8000 | -place : place);
}
RT_LOOP2(nextafter_f16, uint16_t, uint16_t, bits_next_to(a, b, 0x7c00))
RT_LOOP2(nextafter_bf16, uint16_t, uint16_t, bits_next_to(a, b, 0x7f80))

static int nextafter_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    if (!rt_dtype_in(p->common, RT_REDUCED_DTYPES))
        return rt_pointwise_cpu(c);
    const RtTensor *out = c->outs[0];
    rt_iter it;
    rt_iter_begin(&it, out->ndim, out->sizes);
    for (int i = 0; i < 2; i++) {
        if (rt_check_cpu_memory(p->in[i].tensor) < 0)
            return -1;
        rt_iter_tensor(&it, p->in[i].tensor, 2, (int[]){p->in[i].tensor->dtype, p->common});
    }
    rt_iter_tensor(&it, out, 2, (int[]){p->common, out->dtype});
    rt_iter_run(&it, (rt_loop){p->common == RT_FLOAT16 ? nextafter_f16 : nextafter_bf16, NULL});
    return 0;
}
static PyObject *nextafter_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast2(&nextafter_op, args[0], args[1], out); }
RT_STRUCTURED(nextafter_out, nextafter_out_rule, nextafter_cpu, nextafter_fast)
