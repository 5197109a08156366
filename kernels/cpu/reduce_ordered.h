/* Reductions by order (largest, smallest) for all element types: includes the loops of reduce_loops.h, with FAMILY(part, type), COMBINE,
 * CLONES and EXTREME(lowest value, highest value) set. */

#define NAME(part) FAMILY(part, f32)
#define IN float
#define VECTOR rt_vector_f32
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD AS_IS
#define INIT EXTREME(-INFINITY, INFINITY)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, f64)
#define IN double
#define VECTOR rt_vector_f64
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD AS_IS
#define INIT EXTREME(-INFINITY, INFINITY)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, f16)
#define IN _Float16
#define HALF RT_FLOAT16
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD (float)
#define INIT EXTREME(-INFINITY, INFINITY)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, bf16)
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define HALF RT_BFLOAT16
#define LOAD rt_bf16_to_float
#define INIT EXTREME(-INFINITY, INFINITY)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, u8)
#define IN uint8_t
#define ACC uint8_t
#define ACC_KIND ACC_U8
#define LOAD AS_IS
#define INIT EXTREME(0, UINT8_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, i8)
#define IN int8_t
#define ACC int8_t
#define ACC_KIND ACC_I8
#define LOAD AS_IS
#define INIT EXTREME(INT8_MIN, INT8_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, i16)
#define IN int16_t
#define ACC int16_t
#define ACC_KIND ACC_I16
#define LOAD AS_IS
#define INIT EXTREME(INT16_MIN, INT16_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, u16)
#define IN uint16_t
#define ACC uint16_t
#define ACC_KIND ACC_U16
#define LOAD AS_IS
#define INIT EXTREME(0, UINT16_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, i32)
#define IN int32_t
#define ACC int32_t
#define ACC_KIND ACC_I32
#define LOAD AS_IS
#define INIT EXTREME(INT32_MIN, INT32_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, u32)
#define IN uint32_t
#define ACC uint32_t
#define ACC_KIND ACC_U32
#define LOAD AS_IS
#define INIT EXTREME(0, UINT32_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, i64)
#define IN int64_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD AS_IS
#define INIT EXTREME(INT64_MIN, INT64_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME
#define NAME(part) FAMILY(part, u64)
#define IN uint64_t
#define ACC uint64_t
#define ACC_KIND ACC_U64
#define LOAD AS_IS
#define INIT EXTREME(0, UINT64_MAX)
#include "kernels/cpu/reduce_loops.h"
#undef INIT
#undef NAME

#ifndef ORDERED_CASES
#define ORDERED_CASES(family)                          \
    case RT_FLOAT32: return &family##_f32_ops;         \
    case RT_FLOAT64: return &family##_f64_ops;         \
    case RT_FLOAT16: return &family##_f16_ops;         \
    case RT_BFLOAT16: return &family##_bf16_ops;       \
    case RT_BOOL: case RT_UINT8: return &family##_u8_ops; \
    case RT_INT8: return &family##_i8_ops;             \
    case RT_INT16: return &family##_i16_ops;           \
    case RT_UINT16: return &family##_u16_ops;          \
    case RT_INT32: return &family##_i32_ops;           \
    case RT_UINT32: return &family##_u32_ops;          \
    case RT_INT64: return &family##_i64_ops;           \
    case RT_UINT64: return &family##_u64_ops;
#endif
