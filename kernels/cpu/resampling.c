/* Weighted sums of a few places (taps) along one dimension, and the transposed sums: how images change their size, and its gradients.
 *
 * The memory is [outer, size, inner]; the loops go over `outer`. A table has, for each tap, an index and a weight for every one of `result`
 * places.
 */
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

#define READ_ARGUMENTS(T)                                                                   \
    const rt_loop_arg *given = ctx;                                                         \
    const int64_t *index = (const int64_t *)given[2].memory;                                \
    const T *weight = (const T *)given[3].memory;                                           \
    int64_t size = given[4].number, result = given[5].number, inner = given[6].number, taps = given[7].number

#define LOOPS(NAME, T, CLONES)                                                                      \
    CLONES static void add_scaled_##NAME(T *out, const T *in, T w, int64_t n, int fresh) \
    {                                                                                       \
        if (fresh)                                                                          \
            for (int64_t i = 0; i < n; i++)                                                 \
                out[i] = w * in[i];                                                         \
        else                                                                                \
            for (int64_t i = 0; i < n; i++)                                                 \
                out[i] += w * in[i];                                                        \
    }                                                                                       \
    CLONES static void add_gathered_##NAME(T *out, const T *in, const int64_t *index, const T *w, int64_t n, int fresh) \
    {                                                                                       \
        if (fresh)                                                                          \
            for (int64_t i = 0; i < n; i++)                                                 \
                out[i] = w[i] * in[index[i]];                                               \
        else                                                                                \
            for (int64_t i = 0; i < n; i++)                                                 \
                out[i] += w[i] * in[index[i]];                                              \
    }                                                                                       \
    /* in, out, index, weight, size, result, inner, taps: out [outer, result, inner]. */    \
    void rt_loop_resample_##NAME(int64_t begin, int64_t end, void *ctx)                     \
    {                                                                                       \
        READ_ARGUMENTS(T);                                                                  \
        for (int64_t o = begin; o < end; o++) {                                             \
            const T *in = (const T *)given[0].memory + o * size * inner;                    \
            T *out = (T *)given[1].memory + o * result * inner;                             \
            if (inner == 1) {                                                               \
                for (int64_t t = 0; t < taps; t++)                                          \
                    add_gathered_##NAME(out, in, index + t * result, weight + t * result, result, t == 0); \
                continue;                                                                   \
            }                                                                               \
            for (int64_t r = 0; r < result; r++)                                            \
                for (int64_t t = 0; t < taps; t++)                                          \
                    add_scaled_##NAME(out + r * inner, in + index[t * result + r] * inner, weight[t * result + r], inner, t == 0); \
        }                                                                                   \
    }                                                                                       \
    /* The same arguments, but in is [outer, result, inner] and out [outer, size, inner]. */ \
    void rt_loop_resample_transposed_##NAME(int64_t begin, int64_t end, void *ctx)          \
    {                                                                                       \
        READ_ARGUMENTS(T);                                                                  \
        for (int64_t o = begin; o < end; o++) {                                             \
            const T *in = (const T *)given[0].memory + o * result * inner;                  \
            T *out = (T *)given[1].memory + o * size * inner;                               \
            memset(out, 0, size * inner * sizeof(T));                                       \
            for (int64_t t = 0; t < taps; t++) {                                            \
                const int64_t *at = index + t * result;                                     \
                const T *w = weight + t * result;                                           \
                for (int64_t r = 0; r < result; r++) {                                      \
                    if (inner == 1)                                                         \
                        out[at[r]] += w[r] * in[r];                                         \
                    else                                                                    \
                        add_scaled_##NAME(out + at[r] * inner, in + r * inner, w[r], inner, 0); \
                }                                                                           \
            }                                                                               \
        }                                                                                   \
    }
LOOPS(f32, float, RT_CLONES)
LOOPS(f64, double, )
