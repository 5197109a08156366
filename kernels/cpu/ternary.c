/* Functions of three operands: addcmul, addcdiv and lerp. */
#include "kernels/cpu/loop_tables.h"

/* ---------------------------------------------------------------------------------------------------------- addcmul and addcdiv */

#define VALUE(T) const T value = *(const T *)data;
#define ADDCMUL_INT(suffix, T, U)                                                                                        \
    RT_CLONES RT_LOOP3_WITH(addcmul_##suffix, T, VALUE(T), (T)((uint64_t)a + (uint64_t)value * (uint64_t)b * (uint64_t)d))
#define ADDC(suffix, T, f)                                                                                               \
    RT_CLONES RT_LOOP3_WITH(addcmul_##suffix, T, VALUE(T), a + value * b * d)                                            \
    RT_CLONES RT_LOOP3_WITH(addcdiv_##suffix, T, VALUE(T), a + value * b / d)
FORALL_SIGNED(ADDCMUL_INT)
ADDCMUL_INT(u8, uint8_t, )
FORALL_FLOATS(ADDC)
FORALL_COMPLEX(ADDC)
static const rt_own_loop addcmul_loops[] = {
    {RT_UINT8, addcmul_u8}, {RT_INT8, addcmul_i8}, {RT_INT16, addcmul_i16}, {RT_INT32, addcmul_i32}, {RT_INT64, addcmul_i64},
    FLOAT_LOOPS(addcmul), COMPLEX_LOOPS(addcmul), NO_MORE_LOOPS};
static const rt_own_loop addcdiv_loops[] = {FLOAT_LOOPS(addcdiv), COMPLEX_LOOPS(addcdiv), NO_MORE_LOOPS};
static rt_pointwise_op addcmul_op = {.stub = "addcmul_cpu_out", .own = addcmul_loops, .nin = 3, .dtypes = NUMERIC_DTYPES | ALL_COMPLEX_DTYPES};
static rt_pointwise_op addcdiv_op = {.stub = "addcdiv_cpu_out", .own = addcdiv_loops, .nin = 3, .dtypes = RT_FLOATING_DTYPES | RT_COMPLEX_DTYPES};
RT_POINTWISE_RULE(addcmul, addcmul_op, 3)

static int addcdiv_rule(rt_call_frame *c)
{
    if (rt_is_integral(RT_TENSOR(c->args[1])->dtype, 1) && rt_is_integral(RT_TENSOR(c->args[2])->dtype, 1)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division "
                        "of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / "
                        "tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future "
                        "addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.");
        return -1;
    }
    return rt_pointwise_rule(c, &addcdiv_op, 0, 3, c->args);
}

/* The last argument is a number that the loop gets as its data. */
static int with_number_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    _Alignas(16) char value[16];
    rt_number number;
    rt_loop loop;
    if (rt_pointwise_loop(p->op, p->common, &loop) < 0 || rt_read_number(c->args[c->nargs - 1], &number) < 0 ||
        rt_pointwise_number(&number, p->common, value) < 0)
        return -1;
    loop.data = value;
    return rt_pointwise_run(c, loop);
}
RT_STRUCTURED(addcmul_out, addcmul_rule, with_number_cpu, NULL)
RT_STRUCTURED(addcdiv_out, addcdiv_rule, with_number_cpu, NULL)

/* ------------------------------------------------------------------------------------------------------------------------- lerp
 * From the nearer end, so that a weight of 1 gives exactly the end. */

#define NEAR(weight) (fabs((double)(weight)) < 0.5)
#define NEAR_COMPLEX(weight) (cabs(weight) < 0.5)
#define MIXED(a, b, weight, is_near) (is_near(weight) ? (a) + (weight) * ((b) - (a)) : (b) - ((b) - (a)) * (1 - (weight)))
#define WEIGHT(T) const T weight = *(const T *)data;
#define LERP(suffix, T, f)                                                                                               \
    RT_CLONES RT_LOOP2_WITH(lerp_number_##suffix, T, T, WEIGHT(T), MIXED(a, b, weight, NEAR))                            \
    RT_CLONES RT_LOOP3_WITH(lerp_tensor_##suffix, T, , MIXED(a, b, d, NEAR))
#define LERP_COMPLEX(suffix, T, f)                                                                                       \
    RT_LOOP2_WITH(lerp_number_##suffix, T, T, WEIGHT(T), MIXED(a, b, weight, NEAR_COMPLEX))                              \
    RT_LOOP3_WITH(lerp_tensor_##suffix, T, , MIXED(a, b, d, NEAR_COMPLEX))
FORALL_FLOATS(LERP)
FORALL_COMPLEX(LERP_COMPLEX)
static const rt_own_loop lerp_number_loops[] = {FLOAT_LOOPS(lerp_number), COMPLEX_LOOPS(lerp_number), NO_MORE_LOOPS};
static const rt_own_loop lerp_tensor_loops[] = {FLOAT_LOOPS(lerp_tensor), COMPLEX_LOOPS(lerp_tensor), NO_MORE_LOOPS};
static rt_pointwise_op lerp_number_op = {.stub = "lerp_kernel_scalar", .own = lerp_number_loops, .nin = 2,
                                         .dtypes = RT_FLOATING_DTYPES | ALL_COMPLEX_DTYPES};
static rt_pointwise_op lerp_tensor_op = {.stub = "lerp_kernel_tensor", .own = lerp_tensor_loops, .nin = 3,
                                         .dtypes = RT_FLOATING_DTYPES | ALL_COMPLEX_DTYPES};

static int check_same_dtype(const RtTensor *self, const RtTensor *other, const char *name)
{
    if (self->dtype == other->dtype)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "expected dtype %s for `%s` but got dtype %s", rt_dtype_spelling(self->dtype), name,
                 rt_dtype_spelling(other->dtype));
    return -1;
}

static int lerp_number_rule(rt_call_frame *c)
{
    if (check_same_dtype(RT_TENSOR(c->args[0]), RT_TENSOR(c->args[1]), "end") < 0)
        return -1;
    return rt_pointwise_rule(c, &lerp_number_op, 0, 2, c->args);
}

static int lerp_tensor_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *weight = RT_TENSOR(c->args[2]);
    if (check_same_dtype(self, RT_TENSOR(c->args[1]), "end") < 0 || (weight->ndim > 0 && check_same_dtype(self, weight, "weight") < 0))
        return -1;
    return rt_pointwise_rule(c, &lerp_tensor_op, 0, 3, c->args);
}
RT_STRUCTURED(lerp_Scalar_out, lerp_number_rule, with_number_cpu, NULL)
RT_STRUCTURED(lerp_Tensor_out, lerp_tensor_rule, rt_pointwise_cpu, NULL)
