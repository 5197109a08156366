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

/* exp(x) = rt_exp_reduced(x, &n) * 2**n for -105 <= x <= 89; the factor is between the roots of 1/2 and 2. The integer n comes as a float to
 * which RT_EXP_SHIFT has been added: that rounds it, and leaves it in the low bits. */
#define RT_EXP_SHIFT 12582912.0f /* 1.5 * 2**23 */
RT_VECTOR float rt_exp_reduced(float x, float *shifted)
{
    *shifted = x * 1.44269504f + RT_EXP_SHIFT;
    float n = *shifted - RT_EXP_SHIFT;
    float r = x - n * 0.693359375f; /* exact: the constant has nine bits */
    r = r + n * 2.12194440e-4f;
    float tail = 0.49999994f + r * (0.166665211f + r * (0.041668389f + r * (0.00836871006f + r * 0.00138146104f)));
    return 1.0f + (r + r * r * tail);
}

RT_VECTOR float rt_exp(float x)
{
    float shifted;
    x = x > 89.0f ? 89.0f : x;     /* beyond, the result is infinite anyway */
    x = x < -105.0f ? -105.0f : x; /* or zero; NaN fails both comparisons and passes */
    float power = rt_exp_reduced(x, &shifted);
    /* In two steps, so that subnormal results and the largest ones come out right. */
    int32_t whole = (int32_t)(shifted - RT_EXP_SHIFT), half = whole >> 1;
    return power * rt_power_of_two(half) * rt_power_of_two(whole - half);
}

/* The same where the result is a normal number. */
#define RT_EXP_NORMAL_LIMIT 87.0f
RT_VECTOR float rt_exp_normal(float x)
{
    float shifted, power = rt_exp_reduced(x, &shifted);
    return rt_bits_float(rt_float_bits(power) + (rt_float_bits(shifted) << 23));
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

/* Of a normal number; `scale` is added to its binary exponent. */
RT_VECTOR float rt_log_of_normal(float x, int32_t scale)
{
    int32_t bits = (int32_t)rt_float_bits(x);
    int32_t exponent = (bits - 0x3f3504f3) >> 23; /* so that the rest is between the roots of 1/2 and 2 */
    float rest = rt_bits_float((uint32_t)(bits - exponent * (1 << 23))), n = (float)(exponent + scale);
    float s = (rest - 1.0f) / (rest + 1.0f), t = s * s;
    float series = s * (2.0f + t * (2.0f / 3 + t * (2.0f / 5 + t * (2.0f / 7 + t * (2.0f / 9)))));
    return n * 0.693359375f + (series - n * 2.12194440e-4f);
}
RT_VECTOR float rt_log(float x)
{
    int is_tiny = x < 1.17549435e-38f;
    float y = rt_log_of_normal(is_tiny ? x * 8388608.0f : x, is_tiny ? -23 : 0);
    y = x == INFINITY ? x : y;
    y = x == 0.0f ? -INFINITY : y;
    return x < 0.0f || x != x ? NAN : y;
}

/* Of large x exp(-x * x) in two factors: the square of a number of twelve bits is exact. */
RT_VECTOR float rt_erfc(float x)
{
    float a = fabsf(x);
    a = a > 11.0f ? 11.0f : a; /* erfc(11) rounds to 0 */
    float t = 2.0f / (2.0f + a), head = rt_bits_float(rt_float_bits(a) & 0xfffff000);
    float log_rest = -1.26545302f + t * (0.998726377f + t * (0.385904696f + t * (0.0378226239f + t * (-0.00742704525f
                     + t * (-0.0651797775f + t * (-0.713195967f + t * (1.16862382f + t * (-0.685577157f + t * 0.145755495f))))))));
    float y = t * rt_exp(-head * head) * rt_exp((head - a) * (head + a) + log_rest);
    return x < 0 ? 2.0f - y : y;
}

/* The angle of the point (x, y): from that of the smaller coordinate over the larger one. */
RT_VECTOR float rt_atan2(float y, float x)
{
    float a = fabsf(x), b = fabsf(y), large = a > b ? a : b, small = a > b ? b : a;
    float t = a == b ? 1.0f : small / large; /* of two infinities, too */
    t = large == 0.0f ? 0.0f : t;
    float u = t * t;
    float angle = t * (1.0f + u * (-0.333332778f + u * (0.199981135f + u * (-0.142603948f + u * (0.10934235f + u * (-0.0835506844f
                  + u * (0.0571784569f + u * (-0.0304383117f + u * (0.0105330824f + u * -0.00171113744f)))))))));
    angle = b > a ? 1.57079633f - angle : angle;
    angle = rt_float_bits(x) >> 31 ? 3.14159265f - angle : angle;
    angle = x != x || y != y ? x + y : angle;
    return rt_bits_float((rt_float_bits(angle) & 0x7fffffff) | (rt_float_bits(y) & 0x80000000));
}

/* Over x a function of log(1 - x * x): one polynomial in the middle, one in its root at the ends. Coefficients are chosen, not results:
 * a branch around a polynomial would keep the loop scalar. */
RT_VECTOR float rt_erfinv(float x)
{
    float a = fabsf(x), w = -rt_log_of_normal((1.0f - a) * (1.0f + a), 0), root = sqrtf(w > 0.0f ? w : 0.0f);
    int middle = w < 5.0f;
    float z = middle ? w - 2.5f : root - 3.0f, p = middle ? -8.79118326e-09f : 0.0f;
    p = p * z + (middle ? 2.32327107e-08f : -0.000131849553f);
    p = p * z + (middle ? 4.66172414e-07f : 6.07937923e-05f);
    p = p * z + (middle ? -3.46270557e-06f : 0.00125331933f);
    p = p * z + (middle ? -4.96335586e-06f : -0.00363371514f);
    p = p * z + (middle ? 0.000218344443f : 0.00578403732f);
    p = p * z + (middle ? -0.00125274187f : -0.00763265581f);
    p = p * z + (middle ? -0.00417738678f : 0.00943202328f);
    p = p * z + (middle ? 0.246640286f : 1.00167462f);
    p = p * z + (middle ? 1.50140936f : 2.83297708f);
    float end = a == 1.0f ? INFINITY : NAN;
    return x * (a < 1.0f ? p : end);
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
