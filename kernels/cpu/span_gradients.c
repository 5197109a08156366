/* The two passes of a normalization's gradient over spans of memory: sums of the gradient, and its combination with the input.
 *
 * A span is what one channel of one item holds; batch, instance and group norm differ in which spans they normalize together, which is for
 * the caller to add up.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

enum { LANES = 32 };

#define LOOPS(NAME, T, CLONES)                                                                              \
    /* grad, x [spans, span], center, sums, products [spans], span: over spans. The sums of grad and of grad * (x - center). */ \
    CLONES static void sums_##NAME(const T *grad, const T *x, T center, int64_t span, T *sum, T *product) \
    {                                                                                               \
        T a[LANES] = {0}, b[LANES] = {0};                                                           \
        int64_t i = 0;                                                                              \
        for (; i + LANES <= span; i += LANES)                                                       \
            for (int q = 0; q < LANES; q++) {                                                       \
                a[q] += grad[i + q];                                                                \
                b[q] += grad[i + q] * (x[i + q] - center);                                          \
            }                                                                                       \
        for (int q = 0; i < span; i++, q++) {                                                       \
            a[q] += grad[i];                                                                        \
            b[q] += grad[i] * (x[i] - center);                                                      \
        }                                                                                           \
        for (int w = LANES / 2; w > 0; w /= 2)                                                      \
            for (int q = 0; q < w; q++) {                                                           \
                a[q] += a[q + w];                                                                   \
                b[q] += b[q + w];                                                                   \
            }                                                                                       \
        *sum = a[0];                                                                                \
        *product = b[0];                                                                            \
    }                                                                                               \
    void rt_loop_span_sums_##NAME(int64_t begin, int64_t end, void *ctx)                            \
    {                                                                                               \
        const rt_loop_arg *given = ctx;                                                             \
        const T *grad = (const T *)given[0].memory, *x = (const T *)given[1].memory, *center = (const T *)given[2].memory; \
        int64_t span = given[5].number;                                                             \
        for (int64_t s = begin; s < end; s++)                                                       \
            sums_##NAME(grad + s * span, x + s * span, center[s], span, (T *)given[3].memory + s, (T *)given[4].memory + s); \
    }                                                                                               \
    CLONES static void combine_##NAME(const T *grad, const T *x, T *out, T center, T of_grad, T of_x, T rest, int64_t span) \
    {                                                                                               \
        for (int64_t i = 0; i < span; i++)                                                          \
            out[i] = of_grad * grad[i] + of_x * (x[i] - center) + rest;                             \
    }                                                                                               \
    /* grad, x, out [spans, span], center, of_grad, of_x, rest [spans], span: over spans. */        \
    void rt_loop_span_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                       \
    {                                                                                               \
        const rt_loop_arg *given = ctx;                                                             \
        const T *numbers[4];                                                                        \
        int64_t span = given[7].number;                                                             \
        for (int i = 0; i < 4; i++)                                                                 \
            numbers[i] = (const T *)given[3 + i].memory;                                            \
        for (int64_t s = begin; s < end; s++)                                                       \
            combine_##NAME((const T *)given[0].memory + s * span, (const T *)given[1].memory + s * span, (T *)given[2].memory + s * span, \
                           numbers[0][s], numbers[1][s], numbers[2][s], numbers[3][s], span);       \
    }
LOOPS(f32, float, RT_CLONES)
LOOPS(f64, double, )
