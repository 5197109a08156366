/* See halves.h. The compiler has a vector of float16 converted one by one: where the processor converts eight at a time, it is told to. */
#pragma GCC optimize("O3")
#include "kernels/cpu/halves.h"

#include "kernels/cpu/element.h"
#include "runtime/core/core.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>

__attribute__((target("avx,f16c"))) static int64_t widened_f16(const uint16_t *from, float *to, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + i))));
    return i;
}
__attribute__((target("avx,f16c"))) static int64_t narrowed_f16(const float *from, uint16_t *to, int64_t n)
{
    int64_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(to + i), _mm256_cvtps_ph(_mm256_loadu_ps(from + i), 0));
    return i;
}
static int has_f16c(void) { return __builtin_cpu_supports("avx") && __builtin_cpu_supports("f16c"); }
#else
static int64_t widened_f16(const uint16_t *from, float *to, int64_t n) { (void)from, (void)to, (void)n; return 0; }
static int64_t narrowed_f16(const float *from, uint16_t *to, int64_t n) { (void)from, (void)to, (void)n; return 0; }
static int has_f16c(void) { return 0; }
#endif

RT_CLONES static void widen_bf16(const uint16_t *from, float *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = rt_bf16_to_float(from[i]);
}
RT_CLONES static void narrow_bf16(const float *from, uint16_t *to, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = rt_float_to_bf16(from[i]);
}

void rt_widen(int dtype, const void *from, int64_t step, float *to, int64_t n)
{
    const uint16_t *halves = from;
    int64_t i = 0;
    if (step == 1 && dtype == RT_BFLOAT16) {
        widen_bf16(halves, to, n);
        return;
    }
    if (step == 1 && has_f16c())
        i = widened_f16(halves, to, n);
    for (; i < n; i++)
        to[i] = dtype == RT_FLOAT16 ? rt_f16_to_float(halves[i * step]) : rt_bf16_to_float(halves[i * step]);
}

void rt_narrow(int dtype, const float *from, void *to, int64_t step, int64_t n)
{
    uint16_t *halves = to;
    int64_t i = 0;
    if (step == 1 && dtype == RT_BFLOAT16) {
        narrow_bf16(from, halves, n);
        return;
    }
    if (step == 1 && has_f16c())
        i = narrowed_f16(from, halves, n);
    for (; i < n; i++)
        halves[i * step] = dtype == RT_FLOAT16 ? rt_float_to_f16(from[i]) : rt_float_to_bf16(from[i]);
}
