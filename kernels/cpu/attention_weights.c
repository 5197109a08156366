/* Rows of attention's scores become weights, in place: the softmax of each row, and the logarithm of its sum.
 *
 * A row without any weight (minus infinity throughout) becomes zeros.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/loops.h"
#include "kernels/cpu/vector_math.h"

enum { LANES = 16 };

#define LOOP(NAME, T, EXP, LOG, CLONES)                                                                     \
    CLONES static T weigh_##NAME(T *row, int64_t n)                                              \
    {                                                                                               \
        T lane[LANES], top = -INFINITY, total = 0;                                                  \
        int64_t i = 0;                                                                              \
        for (int q = 0; q < LANES; q++)                                                             \
            lane[q] = -INFINITY;                                                                    \
        for (; i + LANES <= n; i += LANES)                                                          \
            for (int q = 0; q < LANES; q++)                                                         \
                lane[q] = row[i + q] > lane[q] ? row[i + q] : lane[q];                              \
        for (; i < n; i++)                                                                          \
            lane[0] = row[i] > lane[0] ? row[i] : lane[0];                                          \
        for (int q = 0; q < LANES; q++)                                                             \
            top = lane[q] > top ? lane[q] : top;                                                    \
        top = top == -(T)INFINITY ? 0 : top;                                                        \
        for (i = 0; i < n; i++)                                                                     \
            row[i] = EXP(row[i] - top);                                                             \
        for (int q = 0; q < LANES; q++)                                                             \
            lane[q] = 0;                                                                            \
        for (i = 0; i + LANES <= n; i += LANES)                                                     \
            for (int q = 0; q < LANES; q++)                                                         \
                lane[q] += row[i + q];                                                              \
        for (; i < n; i++)                                                                          \
            lane[0] += row[i];                                                                      \
        for (int q = 0; q < LANES; q++)                                                             \
            total += lane[q];                                                                       \
        T factor = total == 0 ? 1 : 1 / total;                                                      \
        for (i = 0; i < n; i++)                                                                     \
            row[i] *= factor;                                                                       \
        return LOG(total) + top;                                                                    \
    }                                                                                               \
    /* scores [rows, keys], sums [rows], keys, length, causal: over rows. Causal: row r, the query r % length, sees keys up to its own. */ \
    void rt_loop_attention_weights_##NAME(int64_t begin, int64_t end, void *ctx)                    \
    {                                                                                               \
        const rt_loop_arg *given = ctx;                                                             \
        int64_t keys = given[2].number, length = given[3].number;                                   \
        for (int64_t r = begin; r < end; r++) {                                                     \
            T *row = (T *)given[0].memory + r * keys;                                               \
            int64_t seen = given[4].number && r % length + 1 < keys ? r % length + 1 : keys;        \
            ((T *)given[1].memory)[r] = weigh_##NAME(row, seen);                                    \
            memset(row + seen, 0, (keys - seen) * sizeof(T));                                       \
        }                                                                                           \
    }
LOOP(f32, float, rt_exp, logf, RT_CLONES)
LOOP(f64, double, exp, log, )
