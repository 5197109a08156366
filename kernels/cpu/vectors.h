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

/* Quarters of a vector, folded into one number T by the statement FOLD over quarters x and y: x takes y in. */
#define RT_FOLD_QUARTERS(T, v, FOLD)                                       \
    {                                                                      \
        typedef T quarter __attribute__((vector_size(16)));                \
        quarter quarters[4], x, y;                                         \
        memcpy(quarters, &v, sizeof v);                                    \
        x = quarters[0], y = quarters[2];                                  \
        FOLD;                                                              \
        quarters[0] = x;                                                   \
        x = quarters[1], y = quarters[3];                                  \
        FOLD;                                                              \
        y = x, x = quarters[0];                                            \
        FOLD;                                                              \
        memcpy(&v, &x, sizeof x);                                          \
    }

/* A function NAME(p, n) that combines n elements of type T by the associative operation `a OP b`; INIT is neutral. The last elements come
 * with the vector that ends at them, of which those that were combined before are blended out. */
#define RT_COMBINE_BLOCK(NAME, T, VECTOR, OP, INIT)                        \
    RT_CLONES static T NAME(const T *p, int64_t n)                         \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T), FEW = 16 };                 \
        static const T places[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; \
        VECTOR total = {0}, a, b, c, d, x, y, z, w;                        \
        int64_t i = 0;                                                     \
        if (n < W) {                                                       \
            T few = INIT;                                                  \
            for (; i < n; i++)                                             \
                few = few OP p[i];                                         \
            return few;                                                    \
        }                                                                  \
        total = total + (T)(INIT);                                         \
        /* Four streams, in pages of their own where there is so much: prefetching goes page by page. Each adds up a few vectors before \
         * it joins the total, so that errors do not grow with the block. */ \
        int64_t part = n / (4 * W) * W;                                    \
        const T *second = p + part, *third = second + part, *fourth = third + part; \
        while (i < part) {                                                 \
            int64_t stop = part - i < FEW * W ? part : i + FEW * W;        \
            a = b = c = d = (VECTOR){0} + (T)(INIT);                       \
            for (; i < stop; i += W) {                                     \
                memcpy(&x, p + i, sizeof x);                               \
                memcpy(&y, second + i, sizeof y);                          \
                memcpy(&z, third + i, sizeof z);                           \
                memcpy(&w, fourth + i, sizeof w);                          \
                a = a OP x;                                                \
                b = b OP y;                                                \
                c = c OP z;                                                \
                d = d OP w;                                                \
            }                                                              \
            total = total OP ((a OP b) OP (c OP d));                       \
        }                                                                  \
        a = b = (VECTOR){0} + (T)(INIT);                                   \
        for (i = 4 * part; i + W <= n; i += W) {                           \
            memcpy(&x, p + i, sizeof x);                                   \
            a = a OP x;                                                    \
        }                                                                  \
        if (i < n) {                                                       \
            memcpy(&x, p + n - W, sizeof x);                               \
            memcpy(&y, places, sizeof y);                                  \
            z = (VECTOR){0} + (T)(INIT);                                   \
            b = RT_BLEND(y >= (T)(W - (n - i)), x, z);                     \
        }                                                                  \
        a = total OP (a OP b);                                             \
        RT_FOLD_QUARTERS(T, a, x = x OP y)                                 \
        return W == 16 ? (a[0] OP a[2]) OP (a[1] OP a[3]) : a[0] OP a[1];  \
    }

/* A function NAME(p, rows, row_step, cols, acc) that combines rows into acc: the number of columns done, which is 0 where there are fewer than
 * a vector has. */
#define RT_COMBINE_ROWS(NAME, T, VECTOR, OP)                               \
    RT_CLONES static int64_t NAME(const char *p, int64_t rows, int64_t row_step, int64_t cols, T *acc) \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T) };                           \
        VECTOR a, b, c, d, x, y, z, w;                                     \
        static const T places[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}; \
        int64_t i = 0;                                                     \
        if (cols < W)                                                      \
            return 0;                                                      \
        for (; i + 4 * W <= cols; i += 4 * W) {                            \
            const char *row = p + i * (int64_t)sizeof(T);                  \
            memcpy(&a, acc + i, sizeof a);                                 \
            memcpy(&b, acc + i + W, sizeof b);                             \
            memcpy(&c, acc + i + 2 * W, sizeof c);                         \
            memcpy(&d, acc + i + 3 * W, sizeof d);                         \
            for (int64_t r = 0; r < rows; r++, row += row_step) {          \
                memcpy(&x, row, sizeof x);                                 \
                memcpy(&y, row + sizeof x, sizeof y);                      \
                memcpy(&z, row + 2 * sizeof x, sizeof z);                  \
                memcpy(&w, row + 3 * sizeof x, sizeof w);                  \
                a = a OP x;                                                \
                b = b OP y;                                                \
                c = c OP z;                                                \
                d = d OP w;                                                \
            }                                                              \
            memcpy(acc + i, &a, sizeof a);                                 \
            memcpy(acc + i + W, &b, sizeof b);                             \
            memcpy(acc + i + 2 * W, &c, sizeof c);                         \
            memcpy(acc + i + 3 * W, &d, sizeof d);                         \
        }                                                                  \
        while (i < cols) {                                                 \
            /* The last vector starts early: columns that were done before keep their values. */ \
            int64_t at = i + W <= cols ? i : cols - W;                     \
            const char *row = p + at * (int64_t)sizeof(T);                 \
            memcpy(&a, acc + at, sizeof a);                                \
            memcpy(&y, places, sizeof y);                                  \
            b = a;                                                         \
            for (int64_t r = 0; r < rows; r++, row += row_step) {          \
                memcpy(&x, row, sizeof x);                                 \
                a = a OP x;                                                \
            }                                                              \
            a = RT_BLEND(y >= (T)(i - at), a, b);                          \
            memcpy(acc + at, &a, sizeof a);                                \
            i = at + W;                                                    \
        }                                                                  \
        return cols;                                                       \
    }

#define RT_PRAGMA(...) _Pragma(#__VA_ARGS__)

/* A function NAME(p, n, &extreme) that returns whether there is a NaN among n >= 1 elements and finds the extreme by `BETTER` (> where
 * WHICH is max, < where it is min) if there is none. Many elements go in four streams of scalars, of which compilers make instructions for
 * extremes; the rest in vectors, which may overlap: an element may count twice. */
#define RT_EXTREME_BLOCK(NAME, T, VECTOR, BETTER, WHICH)                          \
    RT_CLONES static int NAME(const T *p, int64_t n, T *extreme)           \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T) };                           \
        VECTOR a, b, x, y;                                                 \
        int64_t i = 0;                                                     \
        if (n < W) {                                                       \
            T best = p[0];                                                 \
            int nan = 0;                                                   \
            for (; i < n; i++) {                                           \
                nan |= p[i] != p[i];                                       \
                best = p[i] BETTER best ? p[i] : best;                     \
            }                                                              \
            *extreme = best;                                               \
            return nan;                                                    \
        }                                                                  \
        memcpy(&a, p, sizeof a);                                           \
        memcpy(&b, p + n - W, sizeof b);                                   \
        __typeof__(a != a) odd = a != a, odd_too = b != b;                 \
        int nan = 0;                                                       \
        if (n >= 16 * W) {                                                 \
            int64_t part = n / (4 * W) * W;                                \
            const T *second = p + part, *third = second + part, *fourth = third + part; \
            T e = p[0], f = e, g = e, h = e;                               \
            __typeof__(odd[0]) any = 0;                                    \
            RT_PRAGMA(omp simd reduction(WHICH : e, f, g, h) reduction(| : any)) \
            for (int64_t k = 0; k < part; k++) {                           \
                T q = p[k], r = second[k], s = third[k], t = fourth[k];    \
                e = q BETTER e ? q : e;                                    \
                f = r BETTER f ? r : f;                                    \
                g = s BETTER g ? s : g;                                    \
                h = t BETTER h ? t : h;                                    \
                any |= __builtin_isunordered(q, r) | __builtin_isunordered(s, t); \
            }                                                              \
            e = f BETTER e ? f : e;                                        \
            g = h BETTER g ? h : g;                                        \
            a = (VECTOR){0} + (g BETTER e ? g : e);                        \
            nan = any != 0;                                                \
            i = 4 * part;                                                  \
        }                                                                  \
        for (; i + 2 * W <= n; i += 2 * W) {                               \
            memcpy(&x, p + i, sizeof x);                                   \
            memcpy(&y, p + i + W, sizeof y);                               \
            a = RT_BLEND(x BETTER a, x, a);                                \
            b = RT_BLEND(y BETTER b, y, b);                                \
            odd |= x != x;                                                 \
            odd_too |= y != y;                                             \
        }                                                                  \
        if (i + W <= n) {                                                  \
            memcpy(&x, p + i, sizeof x);                                   \
            a = RT_BLEND(x BETTER a, x, a);                                \
            odd |= x != x;                                                 \
        }                                                                  \
        a = RT_BLEND(b BETTER a, b, a);                                    \
        odd |= odd_too;                                                    \
        RT_FOLD_QUARTERS(T, a, x = RT_BLEND(y BETTER x, y, x))             \
        T best = a[0];                                                     \
        for (int k = 1; k < (int)W / 4; k++)                               \
            best = a[k] BETTER best ? a[k] : best;                         \
        *extreme = best;                                                   \
        uint64_t parts[8];                                                 \
        memcpy(parts, &odd, sizeof odd);                                   \
        for (int k = 0; k < 8; k++)                                        \
            nan |= parts[k] != 0;                                          \
        return nan;                                                        \
    }

/* A function NAME(p, n, value): the place of the first element that equals a value, which one of the n does. */
#define RT_PLACE_OF(NAME, T)                                               \
    RT_CLONES static int64_t NAME(const T *p, int64_t n, T value)          \
    {                                                                      \
        int64_t i = 0;                                                     \
        if (n < 32) {                                                      \
            while (p[i] != value)                                          \
                i++;                                                       \
            return i;                                                      \
        }                                                                  \
        for (; i + 32 <= n; i += 32) {                                     \
            int any = 0;                                                   \
            for (int k = 0; k < 32; k++)                                   \
                any |= p[i + k] == value;                                  \
            if (any)                                                       \
                break;                                                     \
        }                                                                  \
        i = i + 32 <= n ? i : n - 32;                                      \
        int first = 32;                                                    \
        for (int k = 0; k < 32; k++) {                                     \
            int place = p[i + k] == value ? k : 32;                        \
            first = place < first ? place : first;                         \
        }                                                                  \
        return i + first;                                                  \
    }

#endif
