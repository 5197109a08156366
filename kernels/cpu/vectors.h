/* Reductions of contiguous floats over wide vectors.
 *
 * Compilers keep arrays of partial results in memory; variables of a vector type stay in registers. A vector of 64 bytes is one register
 * of AVX-512, and several of narrower machines.
 */
#ifndef KERNELS_CPU_VECTORS_H
#define KERNELS_CPU_VECTORS_H

#include <string.h>

typedef float rt_vector_f32 __attribute__((vector_size(64)));
typedef double rt_vector_f64 __attribute__((vector_size(64)));

/* Of each lane `yes` where the mask (the result of a comparison) is set, else `no`. */
#define RT_BLEND(mask, yes, no) \
    ((__typeof__(yes))(((__typeof__(mask))(yes) & (mask)) | ((__typeof__(mask))(no) & ~(mask))))

/* A function NAME(p, n) that combines n elements of type T by the associative operation `a OP b`; INIT is neutral. */
#define RT_COMBINE_BLOCK(NAME, T, VECTOR, OP, INIT)                        \
    RT_CLONES static T NAME(const T *p, int64_t n)                         \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T) };                           \
        VECTOR a = {0}, b, c, d, x, y, z, w;                               \
        T lane[W];                                                         \
        int64_t i = 0;                                                     \
        a = b = c = d = a + (T)(INIT);                                     \
        for (; i + 4 * W <= n; i += 4 * W) {                               \
            memcpy(&x, p + i, sizeof x);                                   \
            memcpy(&y, p + i + W, sizeof y);                               \
            memcpy(&z, p + i + 2 * W, sizeof z);                           \
            memcpy(&w, p + i + 3 * W, sizeof w);                           \
            a = a OP x;                                                    \
            b = b OP y;                                                    \
            c = c OP z;                                                    \
            d = d OP w;                                                    \
        }                                                                  \
        for (; i + W <= n; i += W) {                                       \
            memcpy(&x, p + i, sizeof x);                                   \
            a = a OP x;                                                    \
        }                                                                  \
        a = (a OP b) OP (c OP d);                                          \
        memcpy(lane, &a, sizeof a);                                        \
        for (int k = 0; i + k < n; k++)                                    \
            lane[k] = lane[k] OP p[i + k];                                 \
        for (int width = W / 2; width > 0; width /= 2)                     \
            for (int k = 0; k < width; k++)                                \
                lane[k] = lane[k] OP lane[k + width];                      \
        return lane[0];                                                    \
    }

/* A function NAME(p, n, &extreme) that finds the extreme of n >= 1 elements by `BETTER`, NaNs left out of account, and returns whether
 * there is a NaN. */
#define RT_EXTREME_BLOCK(NAME, T, VECTOR, BETTER)                          \
    RT_CLONES static int NAME(const T *p, int64_t n, T *extreme)           \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T) };                           \
        VECTOR a = {0}, b, x, y;                                           \
        T lane[W];                                                         \
        int64_t i = 0;                                                     \
        int nan = 0;                                                       \
        a = b = a + p[0];                                                  \
        __typeof__(a != a) odd = a != a, odd_too = odd;                    \
        for (; i + 2 * W <= n; i += 2 * W) {                               \
            memcpy(&x, p + i, sizeof x);                                   \
            memcpy(&y, p + i + W, sizeof y);                               \
            a = RT_BLEND(x BETTER a, x, a);                                \
            b = RT_BLEND(y BETTER b, y, b);                                \
            odd |= x != x;                                                 \
            odd_too |= y != y;                                             \
        }                                                                  \
        a = RT_BLEND(b BETTER a, b, a);                                    \
        odd |= odd_too;                                                    \
        memcpy(lane, &a, sizeof a);                                        \
        for (; i < n; i++) {                                               \
            nan |= p[i] != p[i];                                           \
            lane[0] = p[i] BETTER lane[0] ? p[i] : lane[0];                \
        }                                                                  \
        for (int k = 0; k < (int)W; k++)                                   \
            nan |= odd[k] != 0;                                            \
        for (int width = W / 2; width > 0; width /= 2)                     \
            for (int k = 0; k < width; k++)                                \
                lane[k] = lane[k + width] BETTER lane[k] ? lane[k + width] : lane[k]; \
        *extreme = lane[0];                                                \
        return nan;                                                        \
    }

/* A function NAME(p, n, value): the place of the first element that equals a value, which one of the n does. */
#define RT_PLACE_OF(NAME, T)                                               \
    RT_CLONES static int64_t NAME(const T *p, int64_t n, T value)          \
    {                                                                      \
        int64_t i = 0;                                                     \
        for (; i + 32 <= n; i += 32) {                                     \
            int any = 0;                                                   \
            for (int k = 0; k < 32; k++)                                   \
                any |= p[i + k] == value;                                  \
            if (any)                                                       \
                break;                                                     \
        }                                                                  \
        while (p[i] != value)                                              \
            i++;                                                           \
        return i;                                                          \
    }

#endif
