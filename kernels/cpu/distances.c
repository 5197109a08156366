/* Distances of all pairs of rows, and their gradients, without the differences in memory.
 *
 * The kinds of p-norms here are those that need no powers: the number of differences (p = 0), their sum (1), the Euclidean norm (2) and the
 * largest (infinity).
 */
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

enum { COUNT, SUM, EUCLIDEAN, LARGEST };
enum { LANES = 16 };

/* Combine f(|a - b|) of all elements, in lanes so that it becomes vector code. */
#define FOLD(T, COMBINE, JOIN)                                                    \
    {                                                                       \
        T lane[LANES] = {0}, d;                                             \
        int64_t i = 0;                                                      \
        for (; i + LANES <= width; i += LANES)                              \
            for (int q = 0; q < LANES; q++) {                               \
                d = a[i + q] - b[i + q];                                    \
                COMBINE(lane[q], d, T)                                      \
            }                                                               \
        for (int q = 0; i < width; i++, q++) {                              \
            d = a[i] - b[i];                                                \
            COMBINE(lane[q], d, T)                                          \
        }                                                                   \
        for (int w = LANES / 2; w > 0; w /= 2)                              \
            for (int q = 0; q < w; q++)                                     \
                JOIN(lane[q], lane[q + w])                                  \
        total = lane[0];                                                    \
    }
#define SIZE(d) ((d) < 0 ? -(d) : (d))
#define ADD_ONE(x, d, T) x += (T)(d != 0);
#define ADD_SIZE(x, d, T) x += SIZE(d);
#define ADD_SQUARE(x, d, T) x += d * d;
/* A NaN stays. */
#define KEEP_LARGER(x, d, T) x = !(SIZE(d) <= x) && x == x ? SIZE(d) : x;
#define PLUS(x, y) x += y;
#define LARGER(x, y) x = !(y <= x) && x == x ? y : x;

/* Gradients: the distance's derivatives by the elements of a, times `grad`, added to a row; where a norm is not smooth they are PyTorch's. */
#define LOOPS(NAME, T, SQRT, CLONES)                                                                                     \
    CLONES static void distances_##NAME(const T *a, const T *b, T *out, int64_t rows, int64_t width, int64_t kind) \
    {                                                                                                            \
        T total;                                                                                                 \
        for (int64_t r = 0; r < rows; r++, b += width) {                                                         \
            switch (kind) {                                                                                      \
            case COUNT: FOLD(T, ADD_ONE, PLUS) break;                                                                  \
            case SUM: FOLD(T, ADD_SIZE, PLUS) break;                                                                   \
            case EUCLIDEAN: FOLD(T, ADD_SQUARE, PLUS) total = SQRT(total); break;                                      \
            default: FOLD(T, KEEP_LARGER, LARGER)                                                                \
            }                                                                                                    \
            out[r] = total;                                                                                      \
        }                                                                                                        \
    }                                                                                                            \
    CLONES static void add_gradient_##NAME(const T *a, const T *b, T *out, int64_t width, int64_t kind, T grad, T distance) \
    {                                                                                                            \
        if (kind == SUM) {                                                                                       \
            for (int64_t k = 0; k < width; k++) {                                                                \
                T d = a[k] - b[k], sign = d > 0 ? (T)1 : d < 0 ? (T)-1 : d;                                      \
                out[k] += grad * sign;                                                                           \
            }                                                                                                    \
        } else if (kind == EUCLIDEAN) {                                                                          \
            if (distance == 0)                                                                                   \
                return;                                                                                          \
            grad /= distance;                                                                                    \
            for (int64_t k = 0; k < width; k++)                                                                  \
                out[k] += grad * (a[k] - b[k]);                                                                  \
        } else if (kind == LARGEST) {                                                                            \
            for (int64_t k = 0; k < width; k++) {                                                                \
                T d = a[k] - b[k], sign = d > 0 ? (T)1 : d < 0 ? (T)-1 : d;                                      \
                out[k] += grad * (sign * (T)(SIZE(d) == distance));                                              \
            }                                                                                                    \
        }                                                                                                        \
    }                                                                                                            \
    /* a [batch, rows, width], b [batch, others, width], out [batch, rows, others], rows, others, width, kind: over batch * rows. */ \
    void rt_loop_pair_distances_##NAME(int64_t begin, int64_t end, void *ctx)                                    \
    {                                                                                                            \
        const rt_loop_arg *given = ctx;                                                                          \
        const T *a = (const T *)given[0].memory, *b = (const T *)given[1].memory;                                \
        int64_t rows = given[3].number, others = given[4].number, width = given[5].number;                       \
        for (int64_t r = begin; r < end; r++)                                                                    \
            distances_##NAME(a + r * width, b + r / rows * others * width, (T *)given[2].memory + r * others, others, width, \
                             given[6].number);                                                                   \
    }                                                                                                            \
    /* grad, distances [batch, rows, others], a, b, out [batch, rows, width] of zeros, rows, others, width, kind: over batch * rows. */ \
    void rt_loop_pair_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                                    \
    {                                                                                                            \
        const rt_loop_arg *given = ctx;                                                                          \
        int64_t rows = given[5].number, others = given[6].number, width = given[7].number;                       \
        for (int64_t r = begin; r < end; r++) {                                                                  \
            const T *grad = (const T *)given[0].memory + r * others, *distance = (const T *)given[1].memory + r * others; \
            const T *a = (const T *)given[2].memory + r * width, *b = (const T *)given[3].memory + r / rows * others * width; \
            for (int64_t s = 0; s < others; s++)                                                                 \
                add_gradient_##NAME(a, b + s * width, (T *)given[4].memory + r * width, width, given[8].number, grad[s], distance[s]); \
        }                                                                                                        \
    }                                                                                                            \
    /* x [rows, width], out: the pairs (i, j), i < j, in order; rows, width, kind: over rows. */                 \
    void rt_loop_inner_distances_##NAME(int64_t begin, int64_t end, void *ctx)                                   \
    {                                                                                                            \
        const rt_loop_arg *given = ctx;                                                                          \
        const T *x = (const T *)given[0].memory;                                                                 \
        int64_t rows = given[2].number, width = given[3].number;                                                 \
        for (int64_t i = begin; i < end; i++)                                                                    \
            distances_##NAME(x + i * width, x + (i + 1) * width, (T *)given[1].memory + i * (2 * rows - i - 1) / 2, rows - i - 1, \
                             width, given[4].number);                                                            \
    }                                                                                                            \
    /* grad and distances of such pairs, x, out [rows, width] of zeros, rows, width, kind: over rows. */         \
    void rt_loop_inner_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                                   \
    {                                                                                                            \
        const rt_loop_arg *given = ctx;                                                                          \
        const T *grad = (const T *)given[0].memory, *distance = (const T *)given[1].memory, *x = (const T *)given[2].memory; \
        int64_t rows = given[4].number, width = given[5].number;                                                 \
        for (int64_t i = begin; i < end; i++)                                                                    \
            for (int64_t j = 0; j < rows; j++) {                                                                 \
                int64_t low = i < j ? i : j, pair = low * (2 * rows - low - 1) / 2 + i + j - 2 * low - 1;        \
                if (i != j)                                                                                      \
                    add_gradient_##NAME(x + i * width, x + j * width, (T *)given[3].memory + i * width, width, given[6].number, \
                                        grad[pair], distance[pair]);                                             \
            }                                                                                                    \
    }

LOOPS(f32, float, sqrtf, RT_CLONES)
LOOPS(f64, double, sqrt, )
