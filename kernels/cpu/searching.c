/* Places of values in sorted sequences: the binary search of searchsorted, bucketize and isin.
 *
 * It asks for elements in the same order as PyTorch's, so that places in sequences that are not sorted are the same too. Comparisons with
 * NaN are false: as an element or as a value it stands after everything. Several values are searched side by side, without branches that
 * depend on them: which way a search goes cannot be predicted.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/loops.h"

enum { ABREAST = 8 };

#define SEARCH(NAME, T)                                                                                    \
    static inline void search_##NAME(const T *const *sequence, const T *value, int64_t *low, int64_t n, int right) \
    {                                                                                                      \
        int64_t high[ABREAST];                                                                             \
        for (int q = 0; q < ABREAST; q++) {                                                                \
            low[q] = 0;                                                                                    \
            high[q] = n;                                                                                   \
        }                                                                                                  \
        /* Steps beyond a search's last one find low == high, and change neither. */                       \
        for (int64_t left = n; left > 0; left >>= 1)                                                       \
            for (int q = 0; q < ABREAST; q++) {                                                            \
                int64_t middle = low[q] + ((high[q] - low[q]) >> 1);                                       \
                T at = sequence[q][middle < n ? middle : n - 1];                                           \
                int64_t after = -(int64_t)((low[q] < high[q]) & (right ? !(at > value[q]) : !(at >= value[q]))); \
                low[q] = ((middle + 1) & after) | (low[q] & ~after);                                       \
                high[q] = (high[q] & after) | (middle & ~after);                                           \
            }                                                                                              \
    }                                                                                                      \
    /* sequences [rows, n], values, places of them, n, values of a row, number of the first value, whether equal elements are passed: over values. */ \
    void rt_loop_search_sorted_##NAME(int64_t begin, int64_t end, void *ctx)                               \
    {                                                                                                      \
        const rt_loop_arg *given = ctx;                                                                    \
        const T *sequences = (const T *)given[0].memory, *values = (const T *)given[1].memory, *at[ABREAST]; \
        int64_t *places = (int64_t *)given[2].memory, found[ABREAST];                                      \
        int64_t n = given[3].number, width = given[4].number, first = given[5].number, count;              \
        int64_t row = (first + begin) / width, column = (first + begin) % width;                           \
        T value[ABREAST] = {0};                                                                            \
        for (int64_t i = begin; i < end; i += count) {                                                     \
            count = end - i < ABREAST ? end - i : ABREAST;                                                 \
            for (int q = 0; q < ABREAST; q++) {                                                            \
                at[q] = sequences + row * n;                                                               \
                if (q >= count)                                                                            \
                    continue;                                                                              \
                value[q] = values[i + q];                                                                  \
                if (++column == width) {                                                                   \
                    column = 0;                                                                            \
                    row += i + q + 1 < end;                                                                \
                }                                                                                          \
            }                                                                                              \
            if (given[6].number)                                                                           \
                search_##NAME(at, value, found, n, 1);                                                     \
            else                                                                                           \
                search_##NAME(at, value, found, n, 0);                                                     \
            for (int q = 0; q < count; q++)                                                                \
                places[i + q] = found[q];                                                                  \
        }                                                                                                  \
    }
SEARCH(f32, float)
SEARCH(f64, double)
