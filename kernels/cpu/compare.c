/* Comparisons, logical and bitwise operators of two operands: NumPy's loops, over the promoted dtype. */
#include "kernels/cpu/pointwise_cpu.h"

#define ORDERED_DTYPES (RT_INTEGRAL_DTYPES | RT_FLOATING_DTYPES | RT_BOOL_DTYPE)
#define EQUAL_DTYPES                                                                                                     \
    (ORDERED_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES | RT_FLOAT8_DTYPES | RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE)
#define COMPARISON(name, numpy, set)                                                                                     \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = numpy, .nin = 2, .flags = RT_PW_BOOL_RESULT, .dtypes = set}; \
    RT_POINTWISE2(name##_Tensor_out, name##_op)                                                                          \
    RT_POINTWISE2(name##_Scalar_out, name##_op)
COMPARISON(eq, "equal", EQUAL_DTYPES)
COMPARISON(ne, "not_equal", EQUAL_DTYPES)
COMPARISON(lt, "less", ORDERED_DTYPES)
COMPARISON(le, "less_equal", ORDERED_DTYPES)
COMPARISON(gt, "greater", ORDERED_DTYPES)
COMPARISON(ge, "greater_equal", ORDERED_DTYPES)

#define LOGICAL(name)                                                                                                    \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = #name, .nin = 2, .flags = RT_PW_BOOL_RESULT,      \
                                        .dtypes = ORDERED_DTYPES | RT_COMPLEX_DTYPES};                                   \
    RT_POINTWISE2(name##_out, name##_op)
LOGICAL(logical_and)
LOGICAL(logical_or)
LOGICAL(logical_xor)

#define BITWISE(name)                                                                                                    \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = #name, .nin = 2,                                  \
                                        .dtypes = RT_INTEGRAL_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES | RT_BOOL_DTYPE};    \
    RT_POINTWISE2(name##_out, name##_op)
BITWISE(bitwise_and)
BITWISE(bitwise_or)
BITWISE(bitwise_xor)
