/* Places of values in sorted sequences: the binary search of searchsorted, bucketize and isin.
 *
 * It asks for elements in the same order as PyTorch's, so that places in sequences that are not sorted are the same too. Comparisons with
 * NaN are false: as an element or as a value it stands after everything.
 */
#include "kernels/cpu/loops.h"

/* sequences [rows, n], values, places of them, n, values of a row, number of the first value, whether equal elements are passed: over values. */
#define SEARCH(NAME, T)                                                                                    \
    void rt_loop_search_sorted_##NAME(int64_t begin, int64_t end, void *ctx)                               \
    {                                                                                                      \
        const rt_loop_arg *given = ctx;                                                                    \
        const T *values = (const T *)given[1].memory;                                                      \
        int64_t *places = (int64_t *)given[2].memory;                                                      \
        int64_t n = given[3].number, width = given[4].number, first = given[5].number;                     \
        int right = given[6].number != 0;                                                                  \
        for (int64_t i = begin; i < end; i++) {                                                            \
            const T *sequence = (const T *)given[0].memory + (first + i) / width * n;                      \
            T value = values[i];                                                                           \
            int64_t low = 0, high = n;                                                                     \
            while (low < high) {                                                                           \
                int64_t middle = low + ((high - low) >> 1);                                                \
                T at = sequence[middle];                                                                   \
                /* Masks: which way it goes cannot be predicted. */                                        \
                int64_t after = -(int64_t)(!(at > value) & (right | !(at == value)));                      \
                low = ((middle + 1) & after) | (low & ~after);                                             \
                high = (high & after) | (middle & ~after);                                                 \
            }                                                                                              \
            places[i] = low;                                                                               \
        }                                                                                                  \
    }
SEARCH(f32, float)
SEARCH(f64, double)
