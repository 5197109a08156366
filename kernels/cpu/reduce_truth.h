/* Reductions by truth (all, any) for all element types: includes the loops of reduce_loops.h, with FAMILY(part, type), INIT, COMBINE
 * and CLONES set. */

#define NAME(part) FAMILY(part, f32)
#define IN float
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, f64)
#define IN double
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, f16)
#define IN _Float16
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, c64)
#define IN float complex
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, c128)
#define IN double complex
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i8)
#define IN int8_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i16)
#define IN int16_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i32)
#define IN int32_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i64)
#define IN int64_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, bf16)
#define IN uint16_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD HALF_TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, f8)
#define IN uint8_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD EIGHTH_TRUTH
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, e8)
#define IN uint8_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD NEVER_ZERO
#include "kernels/cpu/reduce_loops.h"
#undef NAME

#ifndef TRUTH_CASES
#define TRUTH_CASES(family)                            \
    case RT_FLOAT32: return &family##_f32_ops;         \
    case RT_FLOAT64: return &family##_f64_ops;         \
    case RT_FLOAT16: return &family##_f16_ops;         \
    case RT_BFLOAT16: return &family##_bf16_ops;       \
    case RT_COMPLEX64: return &family##_c64_ops;       \
    case RT_COMPLEX128: return &family##_c128_ops;     \
    case RT_FLOAT8_E4M3FN: case RT_FLOAT8_E5M2: return &family##_f8_ops; \
    case RT_FLOAT8_E8M0FNU: return &family##_e8_ops;   \
    case RT_FLOAT8_E4M3FNUZ: case RT_FLOAT8_E5M2FNUZ: /* without a negative zero */ \
    case RT_BOOL: case RT_UINT8: case RT_INT8: return &family##_i8_ops; \
    case RT_INT16: case RT_UINT16: return &family##_i16_ops;            \
    case RT_INT32: case RT_UINT32: return &family##_i32_ops;            \
    case RT_INT64: case RT_UINT64: return &family##_i64_ops;
#endif
