/* Arithmetic of two operands: add, sub, mul, div, floor division, remainders, powers, maximum, minimum, fmax, fmin.
 *
 * The loops are NumPy's where NumPy means the same. Own loops stand in for alpha, for integer division (which reports zero divisors)
 * and for the float divisions and integer powers that PyTorch defines otherwise.
 */
#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/vector_math.h"

/* ----------------------------------------------------------------------------------------------------------------- add and sub */

/* Complex sums take the second operand times alpha, also where alpha is 1: infinity times its imaginary part 0 is NaN, as in PyTorch. */
#define ADD_COMPLEX(suffix, T, f)                                                                                                     \
    RT_LOOP2(add_##suffix, T, T, a + __builtin_complex(creal##f(b) - 0 * cimag##f(b), cimag##f(b) + 0 * creal##f(b)))                           \
    RT_LOOP2(sub_##suffix, T, T, a + __builtin_complex(-creal##f(b) - 0 * cimag##f(b), -cimag##f(b) + 0 * creal##f(b)))
FORALL_COMPLEX(ADD_COMPLEX)
static const rt_own_loop add_loops[] = {COMPLEX_LOOPS(add), {0, NULL}};
static const rt_own_loop sub_loops[] = {COMPLEX_LOOPS(sub), {0, NULL}};

static rt_pointwise_op add_op = {.stub = "add_stub", .ufunc = "add", .own = add_loops, .nin = 2, .flags = RT_PW_EXACT_NUMBER,
                                 .dtypes = NUMERIC_DTYPES | RT_BOOL_DTYPE | ALL_COMPLEX_DTYPES};
static rt_pointwise_op sub_op = {.stub = "add_stub", .ufunc = "subtract", .own = sub_loops, .nin = 2, .flags = RT_PW_EXACT_NUMBER,
                                 .dtypes = NUMERIC_DTYPES | ALL_COMPLEX_DTYPES};

#define ALPHA_INT(suffix, T, U) RT_CLONES RT_LOOP2(add_alpha_##suffix, T, T, (U)((U)a + (U)((uint64_t)*(T *)data * (uint64_t)b)))
#define ALPHA_FLOAT(suffix, T, f) RT_CLONES RT_LOOP2(add_alpha_##suffix, T, T, a + *(T *)data * b)
FORALL_SIGNED(ALPHA_INT)
FORALL_UNSIGNED(ALPHA_INT)
FORALL_FLOATS(ALPHA_FLOAT)
RT_LOOP2(add_alpha_c64, c64, c64, a + *(c64 *)data * b)
RT_LOOP2(add_alpha_c128, c128, c128, a + *(c128 *)data * b)
RT_LOOP2(add_alpha_b8, uint8_t, uint8_t, (a != 0) | ((b != 0) & (*(uint8_t *)data != 0)))

static const rt_own_loop add_alpha_loops[] = {INT_LOOPS(add_alpha), FLOAT_LOOPS(add_alpha), {RT_COMPLEX64, add_alpha_c64},
                                              {RT_COMPLEX128, add_alpha_c128}, {RT_BOOL, add_alpha_b8}, {0, NULL}};

static int check_alpha(const rt_number *alpha, int common)
{
    const char *text = NULL;
    if (alpha->dtype == RT_BOOL && common != RT_BOOL)
        text = "Boolean alpha only supported for Boolean results.";
    else if (rt_is_integral(common, 1) && rt_dtype_in(alpha->dtype, RT_DTYPE_BIT(RT_FLOAT64) | RT_DTYPE_BIT(RT_COMPLEX128)))
        text = "For integral input tensors, argument alpha must not be a floating point number.";
    else if (alpha->dtype == RT_COMPLEX128 && !rt_is_complex(common))
        text = "For non-complex input tensors, argument alpha must not be a complex number.";
    if (text == NULL)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, text);
    return -1;
}

static int add_sub_rule(rt_call_frame *c, rt_pointwise_op *op)
{
    rt_pointwise *p = rt_pointwise_of(c);
    if (rt_pointwise_rule(c, op, op->flags, 2, c->args) < 0 || rt_read_number(c->args[2], &p->param) < 0)
        return -1;
    return check_alpha(&p->param, p->common);
}

static int add_rule(rt_call_frame *c) { return add_sub_rule(c, &add_op); }

static int is_bool_operand(PyObject *o) { return rt_is_tensor(o) ? RT_TENSOR(o)->dtype == RT_BOOL : PyBool_Check(o); }

static int sub_rule(rt_call_frame *c)
{
    int first = is_bool_operand(c->args[0]), second = is_bool_operand(c->args[1]);
    if (first && second)
        PyErr_SetString(PyExc_RuntimeError, "Subtraction, the `-` operator, with two bool tensors is not supported. "
                                            "Use the `^` or `logical_xor()` operator instead.");
    else if (first || second)
        PyErr_SetString(PyExc_RuntimeError, "Subtraction, the `-` operator, with a bool tensor is not supported. "
                                            "If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.");
    if (first || second)
        return -1;
    return add_sub_rule(c, &sub_op);
}

static int is_one(const rt_number *n)
{
    return n->dtype == RT_COMPLEX128 ? n->value.c[0] == 1.0 && n->value.c[1] == 0.0 : rt_number_as_double(n) == 1.0;
}

static int add_sub_cpu(rt_call_frame *c)
{
    rt_pointwise *p = rt_pointwise_of(c);
    rt_loop loop;
    if (rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    if (is_one(&p->param))
        return rt_pointwise_run(c, loop);
    rt_number alpha = p->param;
    if (p->op == &sub_op) {
        if (alpha.dtype == RT_INT64)
            alpha.value.i = (int64_t)(0 - (uint64_t)alpha.value.i);
        else if (alpha.dtype == RT_FLOAT64)
            alpha.value.d = -alpha.value.d;
        else if (alpha.dtype == RT_COMPLEX128)
            alpha.value.c[0] = -alpha.value.c[0], alpha.value.c[1] = -alpha.value.c[1];
    }
    int computed = rt_loop_dtype(p->common);
    _Alignas(16) char value[16];
    rt_cast cast;
    rt_cast_between(&cast, alpha.dtype, computed);
    if (cast.nhops)
        rt_cast_run(&cast, (char *)&alpha.value, 0, value, 0, 1);
    else
        memcpy(value, &alpha.value, rt_itemsize[computed]);
    for (const rt_own_loop *own = add_alpha_loops; own->fn != NULL; own++)
        if (own->dtype == computed)
            return rt_pointwise_run(c, (rt_loop){own->fn, value});
    PyErr_BadInternalCall();
    return -1;
}

static PyObject *add_sub_fast(const rt_pointwise_op *op, PyObject *const *args, RtTensor *out)
{
    int overflow = 0;
    long alpha = PyLong_CheckExact(args[2]) ? PyLong_AsLongAndOverflow(args[2], &overflow) : 0;
    if (RT_LIKELY(alpha == 1))
        return rt_pointwise_fast2(op, args[0], args[1], out);
    if (alpha == 0 || overflow || !rt_is_tensor(args[0]) || RT_TENSOR(args[0])->dtype != RT_FLOAT32)
        return NULL;
    float factor = op == &sub_op ? -(float)alpha : (float)alpha;
    return rt_pointwise_fast2_loop((rt_loop){add_alpha_f32, &factor}, RT_FLOAT32, args[0], args[1], out);
}
static PyObject *add_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return add_sub_fast(&add_op, args, out); }
static PyObject *sub_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return add_sub_fast(&sub_op, args, out); }

RT_STRUCTURED(add_out, add_rule, add_sub_cpu, add_fast)
RT_STRUCTURED(sub_out, sub_rule, add_sub_cpu, sub_fast)

/* other - alpha * self: sub with its operands swapped. */
static int rsub_rule(rt_call_frame *c)
{
    PyObject *swapped[3] = {c->args[1], c->args[0], c->args[2]};
    PyObject *const *args = c->args;
    c->args = swapped;
    int status = sub_rule(c);
    c->args = args;
    return status;
}
RT_STRUCTURED(rsub_out, rsub_rule, add_sub_cpu, NULL)

/* ------------------------------------------------------------------------------------------------------------------------- mul */

static rt_pointwise_op mul_op = {.stub = "mul_stub", .ufunc = "multiply", .nin = 2, .flags = RT_PW_EXACT_NUMBER,
                                 .dtypes = NUMERIC_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES | RT_BOOL_DTYPE | ALL_COMPLEX_DTYPES};
RT_POINTWISE2(mul_out, mul_op)

/* --------------------------------------------------------------------------------------------------------------------- division */

/* Loops of integer division get a flag as data and set it at a zero divisor. Division by -1 is negation: the smallest number has no
 * quotient and would trap. */
#define CHECKED(SIGNED_CASE, EXPR) (b == 0 ? (*(volatile int *)data = 1, 0) : SIGNED_CASE (EXPR))
#define NEGATED(T, U) b == (T)-1 ? (T)(0 - (U)a) :
#define ZEROED(T) b == (T)-1 ? 0 :
#define DIVIDE_SIGNED(suffix, T, U)                                                                                      \
    RT_LOOP2(div_floor_##suffix, T, T, CHECKED(NEGATED(T, U), a / b - ((a % b != 0) & ((a < 0) != (b < 0)))))            \
    RT_LOOP2(div_trunc_##suffix, T, T, CHECKED(NEGATED(T, U), a / b))                                                    \
    RT_LOOP2(remainder_##suffix, T, T, CHECKED(ZEROED(T), a % b + ((a % b != 0) & ((a < 0) != (b < 0)) ? b : 0)))        \
    RT_LOOP2(fmod_##suffix, T, T, CHECKED(ZEROED(T), a % b))
#define DIVIDE_UNSIGNED(suffix, T, U)                                                                                    \
    RT_LOOP2(div_floor_##suffix, T, T, CHECKED(, a / b))                                                                 \
    RT_LOOP2(div_trunc_##suffix, T, T, CHECKED(, a / b))                                                                 \
    RT_LOOP2(remainder_##suffix, T, T, CHECKED(, a % b))                                                                 \
    RT_LOOP2(fmod_##suffix, T, T, CHECKED(, a % b))
FORALL_SIGNED(DIVIDE_SIGNED)
FORALL_UNSIGNED(DIVIDE_UNSIGNED)

/* Floats, in blocks: the vectorized remainder, and fmod for a block in which it was not exact. floor(a / b) goes by way of the remainder,
 * because a quotient that rounds up to an integer would floor to one too many. */
enum { DIVISION_BLOCK = 256 };
#define DIVISION_LOOP(name, suffix, T, f, FINISH)                                                                        \
    RT_CLONES static void name##_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)         \
    {                                                                                                                    \
        T as[DIVISION_BLOCK], bs[DIVISION_BLOCK], results[DIVISION_BLOCK];                                               \
        (void)data;                                                                                                      \
        for (Py_ssize_t done = 0; done < *n; done += DIVISION_BLOCK) {                                                   \
            Py_ssize_t length = *n - done < DIVISION_BLOCK ? *n - done : DIVISION_BLOCK;                                 \
            int exact = 1;                                                                                               \
            for (Py_ssize_t i = 0; i < length; i++) {                                                                    \
                as[i] = *(const T *)(args[0] + (done + i) * steps[0]);                                                   \
                bs[i] = *(const T *)(args[1] + (done + i) * steps[1]);                                                   \
            }                                                                                                            \
            for (Py_ssize_t i = 0; i < length; i++) {                                                                    \
                T remainder = rt_remainder_##suffix(as[i], bs[i], &exact);                                               \
                results[i] = FINISH(suffix, as[i], bs[i], remainder);                                                    \
            }                                                                                                            \
            if (!exact)                                                                                                  \
                for (Py_ssize_t i = 0; i < length; i++)                                                                  \
                    results[i] = FINISH(suffix, as[i], bs[i], fmod##f(as[i], bs[i]));                                    \
            for (Py_ssize_t i = 0; i < length; i++)                                                                      \
                *(T *)(args[2] + (done + i) * steps[2]) = results[i];                                                    \
        }                                                                                                                \
    }
#define REMAINDER_ITSELF(suffix, a, b, remainder) (remainder)
#define FLOOR_REMAINDER(suffix, a, b, remainder) floor_remainder_##suffix(b, remainder)
#define FLOOR_QUOTIENT(suffix, a, b, remainder) floor_quotient_##suffix(a, b, remainder)
#define DIVIDE_FLOAT(suffix, T, f)                                                                                       \
    RT_VECTOR T floor_remainder_##suffix(T b, T remainder)                                                               \
    {                                                                                                                    \
        return (remainder != 0) & ((b < 0) != (remainder < 0)) ? remainder + b : remainder;                              \
    }                                                                                                                    \
    RT_VECTOR T floor_quotient_##suffix(T a, T b, T remainder)                                                           \
    {                                                                                                                    \
        T quotient = (a - remainder) / b;                                                                                \
        quotient = (remainder != 0) & ((b < 0) != (remainder < 0)) ? quotient - 1 : quotient;                            \
        T floored = floor##f(quotient);                                                                                  \
        floored = quotient - floored > (T)0.5 ? floored + 1 : floored;                                                   \
        T nonzero = quotient == 0 ? copysign##f(0, a / b) : floored;                                                     \
        return b == 0 ? a / b : nonzero;                                                                                 \
    }                                                                                                                    \
    DIVISION_LOOP(div_floor, suffix, T, f, FLOOR_QUOTIENT)                                                               \
    DIVISION_LOOP(remainder, suffix, T, f, FLOOR_REMAINDER)                                                              \
    DIVISION_LOOP(fmod, suffix, T, f, REMAINDER_ITSELF)                                                                  \
    RT_CLONES RT_LOOP2(div_trunc_##suffix, T, T, trunc##f(a / b))
FORALL_FLOATS(DIVIDE_FLOAT)

/* Truncated division of float16 and bfloat16 truncates the quotient of that dtype, which may have been rounded up to an integer. */
RT_CLONES RT_LOOP2(div_trunc_f16, float, float, truncf(rt_f16_to_float(rt_float_to_f16(a / b))))
RT_CLONES RT_LOOP2(div_trunc_bf16, float, float, truncf(rt_bf16_to_float(rt_float_to_bf16(a / b))))

static const rt_own_loop div_floor_loops[] = {INT_LOOPS(div_floor), FLOAT_LOOPS(div_floor), {0, NULL}};
static const rt_own_loop div_trunc_loops[] = {INT_LOOPS(div_trunc), FLOAT_LOOPS(div_trunc), {0, NULL}};
static const rt_own_loop remainder_loops[] = {INT_LOOPS(remainder), FLOAT_LOOPS(remainder), {0, NULL}};
static const rt_own_loop fmod_loops[] = {INT_LOOPS(fmod), FLOAT_LOOPS(fmod), {0, NULL}};

static rt_pointwise_op div_op = {.stub = "div_cpu", .ufunc = "divide", .nin = 2, .flags = RT_PW_INT_TO_FLOAT | RT_PW_EXACT_NUMBER,
                                 .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};
static rt_pointwise_op div_floor_op = {.stub = "div_floor_cpu", .own = div_floor_loops, .nin = 2, .dtypes = NUMERIC_DTYPES};
static rt_pointwise_op div_trunc_op = {.stub = "div_trunc_cpu", .own = div_trunc_loops, .nin = 2, .dtypes = NUMERIC_DTYPES};
static rt_pointwise_op remainder_op = {.stub = "remainder_cpu", .own = remainder_loops, .nin = 2, .dtypes = NUMERIC_DTYPES};
static rt_pointwise_op fmod_op = {.stub = "fmod_cpu", .own = fmod_loops, .nin = 2, .dtypes = NUMERIC_DTYPES};

static int integer_division_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    rt_loop loop;
    int zero_divisor = 0;
    if (rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    if (p->op != &div_op)
        loop.data = &zero_divisor;
    if (p->op == &div_trunc_op && rt_dtype_in(p->common, RT_REDUCED_DTYPES))
        loop.fn = p->common == RT_FLOAT16 ? div_trunc_f16 : div_trunc_bf16;
    if (rt_pointwise_run(c, loop) < 0)
        return -1;
    if (zero_divisor) {
        PyErr_SetString(PyExc_RuntimeError, "ZeroDivisionError");
        return -1;
    }
    return 0;
}

/* The short cuts of these operators serve floats, whose loops need no flag. */
static PyObject *float_division_fast(const rt_pointwise_op *op, PyObject *const *args, RtTensor *out)
{
    if (!rt_is_tensor(args[0]) || !rt_is_floating(RT_TENSOR(args[0])->dtype))
        return NULL;
    return rt_pointwise_fast2(op, args[0], args[1], out);
}

#define DIVISION(kernel, op)                                                                                             \
    RT_POINTWISE_RULE(kernel, op, 2)                                                                                     \
    static PyObject *kernel##_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return float_division_fast(&op, args, out); } \
    RT_STRUCTURED(kernel, kernel##_rule, integer_division_cpu, kernel##_fast)
RT_POINTWISE2(div_out, div_op)
DIVISION(floor_divide_out, div_floor_op)
DIVISION(remainder_out, remainder_op)
DIVISION(fmod_out, fmod_op)

/* The operator of a rounding mode; NULL with an exception where there is no such mode. */
static rt_pointwise_op *division_of_mode(PyObject *mode)
{
    if (mode == Py_None)
        return &div_op;
    if (PyUnicode_CompareWithASCIIString(mode, "floor") == 0)
        return &div_floor_op;
    if (PyUnicode_CompareWithASCIIString(mode, "trunc") == 0)
        return &div_trunc_op;
    PyErr_Format(PyExc_RuntimeError, "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '%U'", mode);
    return NULL;
}

static int div_out_mode_rule(rt_call_frame *c)
{
    rt_pointwise_op *op = division_of_mode(c->args[2]);
    return op == NULL ? -1 : rt_pointwise_rule(c, op, op->flags, 2, c->args);
}
RT_STRUCTURED(div_out_mode, div_out_mode_rule, integer_division_cpu, NULL)

/* ------------------------------------------------------------------------------------------------- maximum, minimum, fmax, fmin */

static int is_complex_operand(PyObject *o) { return rt_is_tensor(o) && rt_is_complex(RT_TENSOR(o)->dtype); }

#define EXTREMUM(name)                                                                                                   \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = #name, .nin = 2, .dtypes = NUMERIC_DTYPES | RT_BOOL_DTYPE}; \
    static int name##_rule(rt_call_frame *c)                                                                             \
    {                                                                                                                    \
        if (is_complex_operand(c->args[0]) || is_complex_operand(c->args[1])) {                                          \
            PyErr_SetString(PyExc_RuntimeError, #name " not implemented for complex tensors.");                          \
            return -1;                                                                                                   \
        }                                                                                                                \
        return rt_pointwise_rule(c, &name##_op, 0, 2, c->args);                                                          \
    }                                                                                                                    \
    static PyObject *name##_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast2(&name##_op, args[0], args[1], out); } \
    RT_STRUCTURED(name##_out, name##_rule, rt_pointwise_cpu, name##_fast)
EXTREMUM(maximum)
EXTREMUM(minimum)
EXTREMUM(fmax)
EXTREMUM(fmin)

/* ------------------------------------------------------------------------------------------------------------------------ powers */

/* Wrapping powers by squaring; a negative exponent leaves 0 except for bases 1 and -1. */
#define POWER_SIGNED(suffix, T, U)                                                                                       \
    static inline T power_of_##suffix(T base, T exponent)                                                                \
    {                                                                                                                    \
        if (exponent < 0)                                                                                                \
            return base == 1 ? 1 : base == -1 ? (exponent & 1 ? -1 : 1) : 0;                                             \
        uint64_t result = 1, factor = (uint64_t)base;                                                                    \
        for (uint64_t rest = (uint64_t)exponent; rest; rest >>= 1, factor *= factor)                                     \
            if (rest & 1)                                                                                                \
                result *= factor;                                                                                        \
        return (T)result;                                                                                                \
    }                                                                                                                    \
    RT_LOOP2(power_##suffix, T, T, power_of_##suffix(a, b))
#define POWER_UNSIGNED(suffix, T, U)                                                                                     \
    static inline T power_of_##suffix(T base, T exponent)                                                                \
    {                                                                                                                    \
        uint64_t result = 1, factor = base;                                                                              \
        for (uint64_t rest = exponent; rest; rest >>= 1, factor *= factor)                                               \
            if (rest & 1)                                                                                                \
                result *= factor;                                                                                        \
        return (T)result;                                                                                                \
    }                                                                                                                    \
    RT_LOOP2(power_##suffix, T, T, power_of_##suffix(a, b))
FORALL_SIGNED(POWER_SIGNED)
FORALL_UNSIGNED(POWER_UNSIGNED)
static const rt_own_loop power_loops[] = {INT_LOOPS(power), {0, NULL}};
static rt_pointwise_op pow_op = {.stub = "pow", .ufunc = "power", .own = power_loops, .nin = 2,
                                 .dtypes = NUMERIC_DTYPES | RT_COMPLEX_DTYPES};
RT_POINTWISE2(pow_Tensor_Tensor_out, pow_op)

/* Exponents that need no power function run as unary loops (the root of -inf is a NaN, its power an infinity: as PyTorch does it,
 * float16 takes the power). */
#define SMALL_POWERS(suffix, T, f)                                                                                       \
    RT_CLONES RT_LOOP1(square_##suffix, T, T, a * a)                                                                     \
    RT_CLONES RT_LOOP1(cube_##suffix, T, T, a * a * a)                                                                   \
    RT_CLONES RT_LOOP1(root_##suffix, T, T, sqrt##f(a))                                                                  \
    RT_CLONES RT_LOOP1(inverse_root_##suffix, T, T, 1 / sqrt##f(a))                                                      \
    RT_CLONES RT_LOOP1(inverse_##suffix, T, T, 1 / a)                                                                    \
    RT_CLONES RT_LOOP1(inverse_square_##suffix, T, T, 1 / (a * a))
FORALL_FLOATS(SMALL_POWERS)

static rt_loop_fn small_power_loop(const rt_number *exponent, int common)
{
    static const struct { double exponent; rt_loop_fn f32, f64; } table[] = {
        {2.0, square_f32, square_f64}, {3.0, cube_f32, cube_f64}, {0.5, root_f32, root_f64},
        {-0.5, inverse_root_f32, inverse_root_f64}, {-1.0, inverse_f32, inverse_f64}, {-2.0, inverse_square_f32, inverse_square_f64},
    };
    int computed = rt_loop_dtype(common), half = common == RT_FLOAT16;
    if (!rt_dtype_in(common, RT_FLOATING_DTYPES) || exponent->dtype == RT_COMPLEX128)
        return NULL;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (rt_number_as_double(exponent) == table[i].exponent && !(half && fabs(table[i].exponent) == 0.5))
            return computed == RT_FLOAT32 ? table[i].f32 : table[i].f64;
    return NULL;
}

static int pow_scalar_rule(rt_call_frame *c)
{
    rt_number exponent;
    if (rt_read_number(c->args[1], &exponent) < 0)
        return -1;
    if (rt_is_integral(RT_TENSOR(c->args[0])->dtype, 1) && exponent.dtype == RT_INT64 && exponent.value.i < 0) {
        PyErr_SetString(PyExc_RuntimeError, "Integers to negative integer powers are not allowed.");
        return -1;
    }
    return rt_pointwise_rule(c, &pow_op, 0, 2, c->args);
}

static int is_zero(const rt_number *n)
{
    return n->dtype == RT_COMPLEX128 ? n->value.c[0] == 0.0 && n->value.c[1] == 0.0 : rt_number_as_double(n) == 0.0;
}

/* The identity, of any dtype: a value that is passed through. */
static int run_copy(rt_call_frame *c)
{
    return rt_pointwise_run(c, (rt_loop){rt_copy_loop(rt_itemsize[rt_loop_dtype(rt_pointwise_of(c)->common)]), NULL});
}

static int run_one(rt_call_frame *c)
{
    rt_pointwise *p = rt_pointwise_of(c);
    p->nin = 1;
    p->in[0].tensor = NULL;
    p->in[0].number = (rt_number){.dtype = RT_INT64, .value.i = 1};
    return run_copy(c);
}

static int pow_scalar_cpu(rt_call_frame *c)
{
    rt_pointwise *p = rt_pointwise_of(c);
    const rt_number *exponent = &p->in[1].number;
    if (is_zero(exponent))
        return run_one(c);
    if (rt_is_integral(p->common, 0) && rt_check_number_fits(exponent, p->common) < 0)
        return -1;
    rt_loop_fn small = small_power_loop(exponent, p->common);
    if (small == NULL && !is_one(exponent))
        return rt_pointwise_cpu(c);
    p->nin = 1;
    return small != NULL ? rt_pointwise_run(c, (rt_loop){small, NULL}) : run_copy(c);
}
RT_STRUCTURED(pow_Tensor_Scalar_out, pow_scalar_rule, pow_scalar_cpu, NULL)

static int pow_base_rule(rt_call_frame *c) { return rt_pointwise_rule(c, &pow_op, 0, 2, c->args); }
static int pow_base_cpu(rt_call_frame *c)
{
    const rt_number *base = &rt_pointwise_of(c)->in[0].number;
    return base->dtype != RT_BOOL && is_one(base) ? run_one(c) : rt_pointwise_cpu(c);
}
RT_STRUCTURED(pow_Scalar_out, pow_base_rule, pow_base_cpu, NULL)
