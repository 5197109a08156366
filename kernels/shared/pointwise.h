/* Pointwise operators: how one is described, and the rule that all of them share.
 *
 * The rule finds the operands (tensors and numbers), their common device, dtype and shape, and the strides of the result, as PyTorch's
 * TensorIterator does; it serves CPU and Meta alike. What the CPU adds (loops per dtype) stands in kernels/cpu/pointwise_cpu.h.
 */
#ifndef KERNELS_POINTWISE_H
#define KERNELS_POINTWISE_H

#include "kernels/shared/promotion.h"
#include "kernels/shared/structured.h"

enum { RT_PW_MAX_INPUTS = 3 };

enum rt_pointwise_flag {
    RT_PW_INT_TO_FLOAT = 1,     /* integral inputs become the default float dtype */
    RT_PW_BOOL_RESULT = 2,      /* a predicate; any given output dtype will do */
    RT_PW_REAL_RESULT = 4,      /* complex inputs, real result (abs) */
    RT_PW_CONDITION = 8,        /* input 0 is a condition: bool, outside of promotion */
    RT_PW_EXACT_NUMBER = 16,    /* bfloat16 and float16: a number as the last input keeps float32 precision */
    RT_PW_SAME_DTYPE = 32,      /* a given output must have the result's dtype */
    RT_PW_COMPLEX_RESULT = 64   /* real inputs, complex result */
};

typedef struct rt_pointwise_op rt_pointwise_op; /* kernels/cpu/pointwise_cpu.h */

/* An input: a tensor, or a number where `tensor` is NULL. */
typedef struct rt_pointwise_input {
    RtTensor *tensor;
    rt_number number;
} rt_pointwise_input;

/* What the rule prepares for the inner kernel (rt_call_frame.iter points to it). */
typedef struct rt_pointwise {
    rt_pointwise_op *op;
    int nin;
    int common; /* dtype of the computation */
    int result; /* dtype that it yields, before the cast to the output */
    rt_pointwise_input in[RT_PW_MAX_INPUTS];
    rt_number param; /* alpha, or whatever else the operator hands its inner kernel */
} rt_pointwise;

/* The dtype of an operator's result for the dtype of its inputs. */
static inline int rt_pointwise_result(int flags, int dtype)
{
    return flags & RT_PW_BOOL_RESULT ? RT_BOOL : flags & RT_PW_REAL_RESULT ? rt_real_of(dtype)
           : flags & RT_PW_COMPLEX_RESULT ? rt_complex_of(dtype) : dtype;
}

static inline rt_pointwise *rt_pointwise_of(const rt_call_frame *c) { return c->iter; }

/* The rule, for the first inputs of the schema or for chosen ones; operators with checks of their own call it from theirs. */
int rt_pointwise_rule(rt_call_frame *c, rt_pointwise_op *op, int flags, int nin, PyObject *const *inputs);

/* Strides of a result of the given shape from its inputs' order of dimensions; 0 where it is just contiguous. */
int rt_result_strides(int ndim, const int64_t *sizes, int ntensors, RtTensor *const *tensors, int64_t *strides);

/* Dimensions of a broadcast operation ordered from fastest to slowest: strides[i] are operand i's, in any unit, one per dimension
 * of the shape. The same order that PyTorch finds: it decides the layout of results. */
void rt_order_dims(int ndim, const int64_t *sizes, int noperands, const int64_t (*strides)[RT_MAX_DIM], int *order);

#endif
