/* Lists of element types over which a file repeats a macro, tables of the loops that come of it, and sets of dtypes. */
#ifndef KERNELS_CPU_LOOP_TABLES_H
#define KERNELS_CPU_LOOP_TABLES_H

#include "kernels/cpu/element.h"
#include "kernels/cpu/pointwise_cpu.h"

typedef float _Complex c64;
typedef double _Complex c128;

/* _(suffix, type, unsigned type) and _(suffix, type, suffix of the C library's functions) */
#define FORALL_SIGNED(_) _(i8, int8_t, uint8_t) _(i16, int16_t, uint16_t) _(i32, int32_t, uint32_t) _(i64, int64_t, uint64_t)
#define FORALL_UNSIGNED(_) _(u8, uint8_t, uint8_t) _(u16, uint16_t, uint16_t) _(u32, uint32_t, uint32_t) _(u64, uint64_t, uint64_t)
#define FORALL_FLOATS(_) _(f32, float, f) _(f64, double, )
#define FORALL_COMPLEX(_) _(c64, c64, f) _(c128, c128, )

#define INT_LOOPS(f)                                                                                                     \
    {RT_UINT8, f##_u8}, {RT_INT8, f##_i8}, {RT_INT16, f##_i16}, {RT_INT32, f##_i32}, {RT_INT64, f##_i64}, {RT_UINT16, f##_u16}, \
        {RT_UINT32, f##_u32}, {RT_UINT64, f##_u64}
#define FLOAT_LOOPS(f) {RT_FLOAT32, f##_f32}, {RT_FLOAT64, f##_f64}
#define COMPLEX_LOOPS(f) {RT_COMPLEX64, f##_c64}, {RT_COMPLEX128, f##_c128}
#define NO_MORE_LOOPS {0, NULL}

#define NUMERIC_DTYPES (RT_INTEGRAL_DTYPES | RT_FLOATING_DTYPES)
#define ALL_COMPLEX_DTYPES (RT_COMPLEX_DTYPES | RT_COMPLEX32_DTYPE)

#endif
