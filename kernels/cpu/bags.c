/* Bags of rows of a table, added up or reduced to their greatest elements: the forward passes of embedding bags.
 *
 * Bag b holds the rows that the indices from bounds[b] to bounds[b + 1] name. Indices that are `padding` do not count.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

#define LOOPS(NAME, T, CLONES)                                                                              \
    CLONES static void add_row_##NAME(T *out, const T *row, T weight, int64_t width)             \
    {                                                                                               \
        for (int64_t i = 0; i < width; i++)                                                         \
            out[i] += weight * row[i];                                                              \
    }                                                                                               \
    /* table [rows, width], indices, bounds, weights of indices (None: ones), out [bags, width], counts [bags], width, padding, \
     * whether to divide by the counts: over bags. */                                               \
    void rt_loop_bag_sums_##NAME(int64_t begin, int64_t end, void *ctx)                             \
    {                                                                                               \
        const rt_loop_arg *given = ctx;                                                             \
        const T *table = (const T *)given[0].memory, *weights = (const T *)given[3].memory;         \
        const int64_t *indices = (const int64_t *)given[1].memory, *bounds = (const int64_t *)given[2].memory; \
        int64_t width = given[6].number;                                                            \
        for (int64_t b = begin; b < end; b++) {                                                     \
            T *out = (T *)given[4].memory + b * width;                                              \
            int64_t count = 0;                                                                      \
            memset(out, 0, width * sizeof(T));                                                      \
            for (int64_t i = bounds[b]; i < bounds[b + 1]; i++) {                                   \
                if (indices[i] == given[7].number)                                                  \
                    continue;                                                                       \
                add_row_##NAME(out, table + indices[i] * width, weights != NULL ? weights[i] : 1, width); \
                count++;                                                                            \
            }                                                                                       \
            for (int64_t k = 0; given[8].number && count > 0 && k < width; k++)                     \
                out[k] /= (T)count;                                                                 \
            ((int64_t *)given[5].memory)[b] = count;                                                \
        }                                                                                           \
    }                                                                                               \
    CLONES static void raise_to_row_##NAME(T *out, int64_t *winners, const T *row, int64_t number, int64_t width) \
    {                                                                                               \
        for (int64_t i = 0; i < width; i++) {                                                       \
            int larger = row[i] > out[i] || (row[i] != row[i] && out[i] == out[i]);                 \
            out[i] = larger ? row[i] : out[i];                                                      \
            winners[i] = larger ? number : winners[i];                                              \
        }                                                                                           \
    }                                                                                               \
    /* table, indices, bounds, out, winners (rows of the table) [bags, width], counts [bags], width, padding: over bags. */ \
    void rt_loop_bag_maxima_##NAME(int64_t begin, int64_t end, void *ctx)                           \
    {                                                                                               \
        const rt_loop_arg *given = ctx;                                                             \
        const T *table = (const T *)given[0].memory;                                                \
        const int64_t *indices = (const int64_t *)given[1].memory, *bounds = (const int64_t *)given[2].memory; \
        int64_t width = given[6].number;                                                            \
        for (int64_t b = begin; b < end; b++) {                                                     \
            T *out = (T *)given[3].memory + b * width;                                              \
            int64_t *winners = (int64_t *)given[4].memory + b * width, count = 0;                   \
            memset(out, 0, width * sizeof(T));                                                      \
            memset(winners, 0, width * sizeof(int64_t));                                            \
            for (int64_t i = bounds[b]; i < bounds[b + 1]; i++) {                                   \
                const T *row = table + indices[i] * width;                                          \
                if (indices[i] == given[7].number)                                                  \
                    continue;                                                                       \
                if (count++ == 0) {                                                                 \
                    memcpy(out, row, width * sizeof(T));                                            \
                    for (int64_t k = 0; k < width; k++)                                             \
                        winners[k] = indices[i];                                                    \
                } else {                                                                            \
                    raise_to_row_##NAME(out, winners, row, indices[i], width);                      \
                }                                                                                   \
            }                                                                                       \
            ((int64_t *)given[5].memory)[b] = count;                                                \
        }                                                                                           \
    }
LOOPS(f32, float, RT_CLONES)
LOOPS(f64, double, )
