/* Elementary functions that the compiler turns into vector code inside a loop: no branches, no calls, no tables.
 *
 * For the loops that NumPy lacks or where its loops lag. The polynomials are minimax fits of ours; errors stay near one unit in the
 * last place of float. Loops over them are built several times (RT_CLONES), so the functions must be inlined.
 */
#ifndef KERNELS_CPU_VECTOR_MATH_H
#define KERNELS_CPU_VECTOR_MATH_H

#include "kernels/cpu/element.h"

#define RT_VECTOR static inline __attribute__((always_inline))

/* 2**n for the n that two halves of a float's exponent range allow. */
RT_VECTOR float rt_power_of_two(int32_t n) { return rt_bits_float((uint32_t)(n + 127) << 23); }

RT_VECTOR float rt_exp(float x)
{
    const float shift = 12582912.0f; /* 1.5 * 2**23: adding it rounds to an integer */
    x = x > 89.0f ? 89.0f : x;       /* beyond, the result is infinite anyway */
    x = x < -105.0f ? -105.0f : x;   /* or zero; NaN fails both comparisons and passes */
    float n = (x * 1.44269504f + shift) - shift;
    float r = x - n * 0.693359375f; /* exact: the constant has nine bits */
    r = r + n * 2.12194440e-4f;
    float tail = 0.49999994f + r * (0.166665211f + r * (0.041668389f + r * (0.00836871006f + r * 0.00138146104f)));
    float power = 1.0f + (r + r * r * tail);
    /* In two steps, so that subnormal results and the largest ones come out right. */
    int32_t whole = (int32_t)n, half = whole >> 1;
    return power * rt_power_of_two(half) * rt_power_of_two(whole - half);
}

RT_VECTOR float rt_erf(float x)
{
    float a = fabsf(x), u = a * a;
    float series = 1.12837923f + u * (-0.376126379f + u * (0.112837821f + u * (-0.0268654004f + u * (0.00522094546f
                   + u * (-0.000848282827f + u * (0.000112569447f + u * -9.64150604e-06f))))));
    float b = a > 4.0f ? 4.0f : a; /* erf(4) rounds to 1 */
    float log_rest = 0.000202065436f + b * (-1.1296494f + b * (-0.63306576f + b * (-0.108606599f + b * (0.025348926f
                     + b * (-0.00427063601f + b * (0.000460357813f + b * (-2.47542357e-05f + b * 2.12085638e-07f)))))));
    float large = copysignf(1.0f - rt_exp(log_rest), x);
    return a < 1.0f ? x * series : large;
}

/* exp(x) - 1 of a negative number. */
RT_VECTOR float rt_expm1(float x)
{
    float series = x * (1.0f + x * (1.0f / 2 + x * (1.0f / 6 + x * (1.0f / 24 + x * (1.0f / 120 + x * (1.0f / 720 + x * (1.0f / 5040 + x * (1.0f / 40320))))))));
    return x > -0.5f ? series : rt_exp(x) - 1.0f;
}

/* log(1 + x) for 0 <= x <= 1: twice the inverse hyperbolic tangent of x / (2 + x). */
RT_VECTOR float rt_log1p(float x)
{
    float s = x / (2.0f + x), t = s * s;
    return 2.0f * s * (1.0f + t * (1.0f / 3 + t * (1.0f / 5 + t * (1.0f / 7 + t * (1.0f / 9 + t * (1.0f / 11 + t * (1.0f / 13 + t * (1.0f / 15))))))));
}

RT_VECTOR float rt_sigmoid(float x) { return 1.0f / (1.0f + rt_exp(-x)); }

/* The remainder of truncated division, and whether it is exact: the quotient must fit in the mantissa. It may come out one off; the
 * remainder tells. */
#define RT_TRUNCATED_REMAINDER(suffix, T, f, LIMIT, LARGEST)                                                             \
    RT_VECTOR T rt_remainder_##suffix(T a, T b, int *exact)                                                              \
    {                                                                                                                    \
        T size = fabs##f(a), unit = fabs##f(b), quotient = trunc##f(size / unit);                                        \
        *exact &= (quotient < LIMIT) & (unit <= LARGEST);                                                                \
        T rest = fma##f(-quotient, unit, size);                                                                          \
        rest = rest < 0 ? rest + unit : rest;                                                                            \
        rest = rest >= unit ? rest - unit : rest;                                                                        \
        return copysign##f(rest, a);                                                                                     \
    }
RT_TRUNCATED_REMAINDER(f32, float, f, 4194304.0f, 3.40282347e38f)
RT_TRUNCATED_REMAINDER(f64, double, , 2251799813685248.0, 1.7976931348623157e308)

#endif
