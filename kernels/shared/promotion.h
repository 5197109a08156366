/* Dtype promotion: which dtype an operator works in, and what may be cast to what.
 *
 * The rules are PyTorch's. Operands fall into three categories (tensors with dimensions, 0-d tensors, Python numbers); a lower category
 * decides only where it brings a higher kind (bool < integral < floating < complex) than the categories above it. Shape rules of all
 * backends use this file; it knows nothing of loops.
 */
#ifndef KERNELS_PROMOTION_H
#define KERNELS_PROMOTION_H

#include "runtime/core/core.h"

extern int rt_default_dtype; /* of float literals and of integers that an operator turns into floats */

enum { RT_UNDEFINED_DTYPE = -1 };

#define RT_DTYPE_BIT(d) ((uint64_t)1 << (d))
#define RT_INTEGRAL_DTYPES                                                                                             \
    (RT_DTYPE_BIT(RT_UINT8) | RT_DTYPE_BIT(RT_INT8) | RT_DTYPE_BIT(RT_INT16) | RT_DTYPE_BIT(RT_INT32) | RT_DTYPE_BIT(RT_INT64))
#define RT_BAREBONES_UNSIGNED_DTYPES (RT_DTYPE_BIT(RT_UINT16) | RT_DTYPE_BIT(RT_UINT32) | RT_DTYPE_BIT(RT_UINT64))
#define RT_FLOAT8_DTYPES                                                                                               \
    (RT_DTYPE_BIT(RT_FLOAT8_E5M2) | RT_DTYPE_BIT(RT_FLOAT8_E4M3FN) | RT_DTYPE_BIT(RT_FLOAT8_E5M2FNUZ) |                \
     RT_DTYPE_BIT(RT_FLOAT8_E4M3FNUZ) | RT_DTYPE_BIT(RT_FLOAT8_E8M0FNU))
#define RT_REDUCED_DTYPES (RT_DTYPE_BIT(RT_FLOAT16) | RT_DTYPE_BIT(RT_BFLOAT16))
#define RT_FLOATING_DTYPES (RT_DTYPE_BIT(RT_FLOAT32) | RT_DTYPE_BIT(RT_FLOAT64) | RT_REDUCED_DTYPES)
#define RT_COMPLEX_DTYPES (RT_DTYPE_BIT(RT_COMPLEX64) | RT_DTYPE_BIT(RT_COMPLEX128))
#define RT_COMPLEX32_DTYPE RT_DTYPE_BIT(RT_COMPLEX32)
#define RT_BOOL_DTYPE RT_DTYPE_BIT(RT_BOOL)

static inline int rt_dtype_in(int dtype, uint64_t set) { return (int)(set >> dtype & 1); }
static inline int rt_is_complex(int dtype) { return rt_dtype_in(dtype, RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE); }
static inline int rt_is_floating(int dtype) { return rt_dtype_in(dtype, RT_FLOATING_DTYPES | RT_FLOAT8_DTYPES); }
static inline int rt_is_integral(int dtype, int include_bool)
{
    return rt_dtype_in(dtype, RT_INTEGRAL_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES) || (include_bool && dtype == RT_BOOL);
}

const char *rt_dtype_title(int dtype); /* "Float", "Long", ...: ScalarType's name */
const char *rt_dtype_cpp_name(int dtype);    /* "float", "int64_t", ...: the C++ type, as error messages about overflow spell it */
int rt_complex_of(int dtype);                /* complex dtype of the same precision */
int rt_real_of(int dtype);                   /* dtype of the real part; others: itself */

int rt_promote_types(int a, int b); /* -1 with an exception set */
int rt_can_cast(int from, int to);  /* may a result of `from` be written to an output of `to` */
int rt_check_can_cast(int from, int to); /* the same, with the exception */

/* The three categories, each RT_UNDEFINED_DTYPE until an operand of it was seen. */
typedef struct rt_result_type_state {
    int dim, zero, wrapped;
} rt_result_type_state;

#define RT_RESULT_TYPE_START {RT_UNDEFINED_DTYPE, RT_UNDEFINED_DTYPE, RT_UNDEFINED_DTYPE}
int rt_result_type_add(rt_result_type_state *state, const RtTensor *t);
int rt_result_type_add_number(rt_result_type_state *state, int number_dtype);
int rt_result_type(const rt_result_type_state *state); /* the common dtype; -1 with an exception set */

/* A Python number as C holds it: dtype is RT_BOOL, RT_INT64, RT_FLOAT64 or RT_COMPLEX128 and says which member is set. */
typedef struct rt_number {
    int dtype;
    union {
        uint8_t b;
        int64_t i;
        double d;
        double c[2];
    } value;
} rt_number;

int rt_read_number(PyObject *o, rt_number *out);
double rt_number_as_double(const rt_number *n);
double rt_largest_float(int dtype); /* the largest finite number of a floating or complex dtype */
/* Does the number's value survive in a dtype; -1 with "value cannot be converted to type T without overflow" where not. */
int rt_check_number_fits(const rt_number *n, int dtype);

#endif
