/* Orthogonal polynomials of a degree given element by element: Chebyshev's of four kinds, also shifted to [0, 1], Hermite's of both
 * conventions, Laguerre's and Legendre's.
 *
 * All go by their three-term recurrences, Chebyshev's of higher degree inside of their interval by angles. The degree is a number that is
 * truncated; of a negative degree the value is 0. A recurrence ends early once it has reached a NaN.
 */
#include "kernels/cpu/loop_tables.h"

/* What a Chebyshev kind starts from, y or 2 y + offset, and at which degree angles take over. */
#define CHEBYSHEV(kind, suffix, T, f, FIRST, AT_ONE, AT_MINUS_ONE, ANGLES, direct)                                       \
    static inline T chebyshev_##kind##_##suffix(T y, T degree)                                                           \
    {                                                                                                                    \
        int64_t n = degree > -1 && degree < (T)9e18 ? (int64_t)degree : -1;                                              \
        if (n < 0)                                                                                                       \
            return 0;                                                                                                    \
        T odd = n % 2 ? -1 : 1;                                                                                          \
        (void)odd;                                                                                                       \
        if (y == 1)                                                                                                      \
            return (T)(AT_ONE);                                                                                          \
        if (y == -1)                                                                                                     \
            return odd * (T)(AT_MINUS_ONE);                                                                              \
        if (n > direct && fabs##f(y) < 1) {                                                                              \
            T theta = acos##f(y);                                                                                        \
            return ANGLES;                                                                                               \
        }                                                                                                                \
        T before = 1, value = FIRST;                                                                                     \
        if (n == 0)                                                                                                      \
            return 1;                                                                                                    \
        for (int64_t k = 2; k <= n && value == value; k++) {                                                             \
            T next = (y + y) * value - before;                                                                           \
            before = value;                                                                                              \
            value = next;                                                                                                \
        }                                                                                                                \
        return value;                                                                                                    \
    }                                                                                                                    \
    RT_LOOP2(chebyshev_polynomial_##kind##_##suffix, T, T, chebyshev_##kind##_##suffix(a, b))                            \
    RT_LOOP2(shifted_chebyshev_polynomial_##kind##_##suffix, T, T, chebyshev_##kind##_##suffix(a + a - 1, b))
#define CHEBYSHEV_KINDS(suffix, T, f)                                                                                    \
    CHEBYSHEV(t, suffix, T, f, y, 1, 1, cos##f(n * theta), 6)                                                            \
    CHEBYSHEV(u, suffix, T, f, y + y, n + 1, n + 1, sin##f((n + 1) * theta) / sin##f(theta), 8)                          \
    CHEBYSHEV(v, suffix, T, f, y + y - 1, 1, n + n + 1, cos##f((n + (T)0.5) * theta) / cos##f(theta / 2), 8)             \
    CHEBYSHEV(w, suffix, T, f, y + y + 1, n + n + 1, 1, sin##f((n + (T)0.5) * theta) / sin##f(theta / 2), 8)
FORALL_FLOATS(CHEBYSHEV_KINDS)

/* The others: NEXT from `value` and `before`, of degree k. Hermite's overflow soon: beyond a limit they are NaN. */
#define RECURRENCE(name, suffix, T, FIRST, NEXT, limit, SPECIAL)                                                         \
    static inline T name##_of_##suffix(T x, T degree)                                                                    \
    {                                                                                                                    \
        int64_t n = degree > -1 && degree < (T)9e18 ? (int64_t)degree : -1;                                              \
        if (n < 0)                                                                                                       \
            return 0;                                                                                                    \
        SPECIAL                                                                                                          \
        if (n == 0)                                                                                                      \
            return 1;                                                                                                    \
        if (n > limit)                                                                                                   \
            return NAN;                                                                                                  \
        T before = 1, value = FIRST;                                                                                     \
        for (int64_t k = 1; k < n && value == value; k++) {                                                              \
            T next = NEXT;                                                                                               \
            before = value;                                                                                              \
            value = next;                                                                                                \
        }                                                                                                                \
        return value;                                                                                                    \
    }                                                                                                                    \
    RT_LOOP2(name##_##suffix, T, T, name##_of_##suffix(a, b))
#define LAGUERRE_AT_ZERO if (x == 0) return 1;
#define LEGENDRE_AT_ENDS if (x == 1 || x == -1) return x > 0 || n % 2 == 0 ? 1 : -1;
#define RECURRENCES(suffix, T, hermite_limit)                                                                            \
    RECURRENCE(hermite_polynomial_h, suffix, T, x + x, (x + x) * value - 2 * k * before, hermite_limit, )                \
    RECURRENCE(hermite_polynomial_he, suffix, T, x, x * value - k * before, hermite_limit, )                             \
    RECURRENCE(laguerre_polynomial_l, suffix, T, 1 - x, ((k + k + (1 - x)) * value - k * before) / (k + 1), INT64_MAX, LAGUERRE_AT_ZERO) \
    RECURRENCE(legendre_polynomial_p, suffix, T, x, ((k + k + 1) * x * value - k * before) / (k + 1), INT64_MAX, LEGENDRE_AT_ENDS)
RECURRENCES(f32, float, 128)
RECURRENCES(f64, double, 512)

#define POLYNOMIAL(name)                                                                                                 \
    static const rt_own_loop name##_loops[] = {FLOAT_LOOPS(name), NO_MORE_LOOPS};                                        \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .own = name##_loops, .nin = 2, .flags = RT_PW_INT_TO_FLOAT, \
                                        .dtypes = RT_DTYPE_BIT(RT_FLOAT32) | RT_DTYPE_BIT(RT_FLOAT64)};                  \
    RT_POINTWISE2(special_##name##_out, name##_op)
POLYNOMIAL(chebyshev_polynomial_t)
POLYNOMIAL(chebyshev_polynomial_u)
POLYNOMIAL(chebyshev_polynomial_v)
POLYNOMIAL(chebyshev_polynomial_w)
POLYNOMIAL(shifted_chebyshev_polynomial_t)
POLYNOMIAL(shifted_chebyshev_polynomial_u)
POLYNOMIAL(shifted_chebyshev_polynomial_v)
POLYNOMIAL(shifted_chebyshev_polynomial_w)
POLYNOMIAL(hermite_polynomial_h)
POLYNOMIAL(hermite_polynomial_he)
POLYNOMIAL(laguerre_polynomial_l)
POLYNOMIAL(legendre_polynomial_p)
