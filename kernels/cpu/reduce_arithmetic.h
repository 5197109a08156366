/* Sum-like reductions for all element types: includes the loops of reduce_loops.h, with FAMILY(part, type), INIT, COMBINE, CLONES set. */

#define NAME(part) FAMILY(part, f32)
#define IN float
#define VECTOR rt_vector_f32
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD AS_IS
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, f64)
#define IN double
#define VECTOR rt_vector_f64
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD AS_IS
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, f16)
#define IN _Float16
#define HALF RT_FLOAT16
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD (float)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, bf16)
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define HALF RT_BFLOAT16
#define LOAD rt_bf16_to_float
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, c64)
#define IN float complex
#define PART float
#define ACC float complex
#define ACC_KIND ACC_C64
#define LOAD AS_IS
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, c128)
#define IN double complex
#define PART double
#define ACC double complex
#define ACC_KIND ACC_C128
#define LOAD AS_IS
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, u8)
#define IN uint8_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i8)
#define IN int8_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i16)
#define IN int16_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, u16)
#define IN uint16_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i32)
#define IN int32_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, u32)
#define IN uint32_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD (int64_t)
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) FAMILY(part, i64)
#define IN int64_t
#define ACC int64_t
#define ACC_KIND ACC_I64
#define LOAD AS_IS
#include "kernels/cpu/reduce_loops.h"
#undef NAME

#ifndef ARITHMETIC_CASES
#define ARITHMETIC_CASES(family)                       \
    case RT_FLOAT32: return &family##_f32_ops;         \
    case RT_FLOAT64: return &family##_f64_ops;         \
    case RT_FLOAT16: return &family##_f16_ops;         \
    case RT_BFLOAT16: return &family##_bf16_ops;       \
    case RT_COMPLEX64: return &family##_c64_ops;       \
    case RT_COMPLEX128: return &family##_c128_ops;     \
    case RT_BOOL: case RT_UINT8: return &family##_u8_ops; \
    case RT_INT8: return &family##_i8_ops;             \
    case RT_INT16: return &family##_i16_ops;           \
    case RT_UINT16: return &family##_u16_ops;          \
    case RT_INT32: return &family##_i32_ops;           \
    case RT_UINT32: return &family##_u32_ops;          \
    case RT_UINT64: case RT_INT64: return &family##_i64_ops;
#endif
