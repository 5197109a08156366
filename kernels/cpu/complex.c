/* Complex numbers from and to real ones: complex, polar, angle, conjugates. */
#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/vector_math.h"

/* --------------------------------------------------------------------------------------------------------------------- angle */

#define ANGLE(suffix, T, f) RT_CLONES RT_LOOP1(angle_##suffix, T, T, a != a ? a : a < 0 ? (T)M_PI : 0)
FORALL_FLOATS(ANGLE)
RT_CLONES RT_LOOP1(angle_c64, c64, float, rt_atan2(cimagf(a), crealf(a)))
RT_LOOP1(angle_c128, c128, double, carg(a))
static const rt_own_loop angle_loops[] = {FLOAT_LOOPS(angle), COMPLEX_LOOPS(angle), NO_MORE_LOOPS};
static rt_pointwise_op angle_op = {.stub = "angle_cpu", .own = angle_loops, .nin = 1, .flags = RT_PW_INT_TO_FLOAT | RT_PW_REAL_RESULT,
                                   .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};
RT_POINTWISE1(angle_out, angle_op)

/* ------------------------------------------------------------------------------------------------------------------ conjugates */

static rt_pointwise_op conj_physical_op = {.stub = "conj_cpu", .ufunc = "conjugate", .nin = 1, .flags = RT_PW_SAME_DTYPE,
                                           .dtypes = ALL_COMPLEX_DTYPES};
RT_POINTWISE_RULE(conj_physical_out, conj_physical_op, 1)
static int conj_physical_cpu(rt_call_frame *c)
{
    int dtype = rt_pointwise_of(c)->common;
    if (rt_is_complex(dtype))
        return rt_pointwise_cpu(c);
    return rt_pointwise_run(c, (rt_loop){rt_copy_loop(rt_itemsize[rt_loop_dtype(dtype)]), NULL});
}
RT_STRUCTURED(conj_physical_out, conj_physical_out_rule, conj_physical_cpu, NULL)

/* ------------------------------------------------------------------------------------------------------------ of two real numbers */

static int complex_of_reals_rule(rt_call_frame *c, rt_pointwise_op *op)
{
    const uint64_t reals = RT_DTYPE_BIT(RT_FLOAT16) | RT_DTYPE_BIT(RT_FLOAT32) | RT_DTYPE_BIT(RT_FLOAT64);
    int first = RT_TENSOR(c->args[0])->dtype, second = RT_TENSOR(c->args[1])->dtype;
    if (!rt_dtype_in(first, reals) || !rt_dtype_in(second, reals))
        PyErr_Format(PyExc_RuntimeError, "Expected both inputs to be Half, Float or Double tensors but got %s and %s",
                     rt_dtype_title(first), rt_dtype_title(second));
    else if (first != second)
        PyErr_Format(PyExc_RuntimeError, "Expected object of scalar type %s but got scalar type %s for second argument",
                     rt_dtype_title(first), rt_dtype_title(second));
    else if (c->outs[0] != NULL && c->outs[0]->dtype != rt_complex_of(first))
        PyErr_Format(PyExc_RuntimeError, "Expected object of scalar type %s but got scalar type %s for argument 'out'",
                     rt_dtype_title(rt_complex_of(first)), rt_dtype_title(c->outs[0]->dtype));
    else
        return rt_pointwise_rule(c, op, op->flags, 2, c->args);
    return -1;
}

RT_LOOP2(complex_f32, float, c64, __builtin_complex(a, b))
RT_LOOP2(complex_f64, double, c128, __builtin_complex(a, b))
RT_LOOP2(polar_f32, float, c64, __builtin_complex(a * cosf(b), a * sinf(b)))
RT_LOOP2(polar_f64, double, c128, __builtin_complex(a * cos(b), a * sin(b)))
static const rt_own_loop complex_loops[] = {FLOAT_LOOPS(complex), NO_MORE_LOOPS};
static const rt_own_loop polar_loops[] = {FLOAT_LOOPS(polar), NO_MORE_LOOPS};
#define OF_REALS(name, dtype_set)                                                                                        \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .own = name##_loops, .nin = 2, .flags = RT_PW_COMPLEX_RESULT, .dtypes = dtype_set}; \
    static int name##_rule(rt_call_frame *c) { return complex_of_reals_rule(c, &name##_op); }                            \
    RT_STRUCTURED(name##_out, name##_rule, rt_pointwise_cpu, NULL)
OF_REALS(complex, RT_FLOATING_DTYPES)
OF_REALS(polar, RT_DTYPE_BIT(RT_FLOAT32) | RT_DTYPE_BIT(RT_FLOAT64))
