/* Elements of the dtypes that C has no type for, and the macros with which loops are written.
 *
 * float16, bfloat16 and the float8 kinds are stored as bits and computed with as float32. Rounding is to nearest, ties to even;
 * what overflows becomes infinity; without infinities NaN (fnuz) or the largest number (e4m3fn).
 */
#ifndef KERNELS_CPU_ELEMENT_H
#define KERNELS_CPU_ELEMENT_H

#include <complex.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "runtime/kernel.h"

/* Several builds of one loop, chosen when the module is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#define RT_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define RT_CLONES
#endif

static inline uint32_t rt_float_bits(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
static inline float rt_bits_float(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static inline float rt_bf16_to_float(uint16_t h) { return rt_bits_float((uint32_t)h << 16); }
static inline uint16_t rt_float_to_bf16(float f)
{
    uint32_t bits = rt_float_bits(f);
    uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)(f != f ? 0x7fc0 : rounded);
}

/* Bits of 16 bytes, for loops that only move elements. */
typedef struct rt_item16 {
    uint64_t low, high;
} rt_item16;

/* Without branches, so that loops over them become vector code: a subnormal's exponent is repaired by a subtraction of floats. */
static inline float rt_f16_to_float(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = (uint32_t)(h & 0x7fff) << 13;
    uint32_t exponent = rest & 0x0f800000;
    float normal = rt_bits_float(rest + (112u << 23));
    float special = rt_bits_float(rest + (224u << 23));
    float subnormal = rt_bits_float(rest + (113u << 23)) - rt_bits_float(113u << 23);
    float magnitude = exponent == 0x0f800000 ? special : exponent == 0 ? subnormal : normal;
    return rt_bits_float(rt_float_bits(magnitude) | sign);
}
static inline uint16_t rt_float_to_f16(float f)
{
    uint32_t bits = rt_float_bits(f), sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    uint32_t normal = (bits - (112u << 23) + 0xfff + (bits >> 13 & 1)) >> 13;
    uint32_t subnormal = rt_float_bits(rt_bits_float(bits) + rt_bits_float(126u << 23)) - (126u << 23);
    uint32_t large = bits > 0x7f800000 ? 0x7e00 : 0x7c00;
    uint32_t magnitude = bits >= 0x47800000 ? large : bits < 0x38800000 ? subnormal : normal;
    return (uint16_t)(magnitude | sign);
}

/* One element of float16, bfloat16, float32 or float64. */
static inline double rt_float_at(const char *at, int dtype)
{
    switch (dtype) {
    case RT_FLOAT32: return *(const float *)at;
    case RT_FLOAT64: return *(const double *)at;
    case RT_FLOAT16: return rt_f16_to_float(*(const uint16_t *)at);
    default: return rt_bf16_to_float(*(const uint16_t *)at);
    }
}
static inline void rt_store_float(char *at, int dtype, double x)
{
    switch (dtype) {
    case RT_FLOAT32: *(float *)at = (float)x; break;
    case RT_FLOAT64: *(double *)at = x; break;
    case RT_FLOAT16: *(uint16_t *)at = rt_float_to_f16((float)x); break;
    default: *(uint16_t *)at = rt_float_to_bf16((float)x);
    }
}

#endif
