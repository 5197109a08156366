/* Turning a tile of elements: what lies along columns comes to lie along rows.
 *
 * For operands whose neighbours in memory are not neighbours in the order of a loop: the iterator (iterator.c) turns such operands tile by
 * tile, so that loops meet contiguous elements and every cache line is read once.
 */
#ifndef KERNELS_CPU_TURN_H
#define KERNELS_CPU_TURN_H

#include "kernels/cpu/element.h"

/* to[r * pitch + c] = the element at from + c * step + r * itemsize, for r < rows and c < cols; pitch in elements, step in bytes. */
static inline void rt_turn(char *to, int64_t pitch, const char *from, int64_t step, int64_t rows, int64_t cols, int itemsize)
{
    int64_t whole_rows = 0, whole_cols = 0;
#if defined(__GNUC__) && __has_builtin(__builtin_shufflevector)
    /* Squares in registers: four vectors of four elements, or two of two. */
    if (itemsize == 4) {
        typedef uint32_t four __attribute__((vector_size(16)));
        whole_rows = rows & ~3;
        whole_cols = cols & ~3;
        for (int64_t c = 0; c < whole_cols; c += 4)
            for (int64_t r = 0; r < whole_rows; r += 4) {
                const char *p = from + c * step + r * 4;
                char *q = to + (r * pitch + c) * 4;
                four x, y, z, w;
                memcpy(&x, p, 16);
                memcpy(&y, p + step, 16);
                memcpy(&z, p + 2 * step, 16);
                memcpy(&w, p + 3 * step, 16);
                four xy = __builtin_shufflevector(x, y, 0, 4, 1, 5), zw = __builtin_shufflevector(z, w, 0, 4, 1, 5);
                four first = __builtin_shufflevector(xy, zw, 0, 1, 4, 5), second = __builtin_shufflevector(xy, zw, 2, 3, 6, 7);
                xy = __builtin_shufflevector(x, y, 2, 6, 3, 7), zw = __builtin_shufflevector(z, w, 2, 6, 3, 7);
                four third = __builtin_shufflevector(xy, zw, 0, 1, 4, 5), fourth = __builtin_shufflevector(xy, zw, 2, 3, 6, 7);
                memcpy(q, &first, 16);
                memcpy(q + pitch * 4, &second, 16);
                memcpy(q + pitch * 8, &third, 16);
                memcpy(q + pitch * 12, &fourth, 16);
            }
    } else if (itemsize == 8) {
        typedef uint64_t two __attribute__((vector_size(16)));
        whole_rows = rows & ~1;
        whole_cols = cols & ~1;
        for (int64_t c = 0; c < whole_cols; c += 2)
            for (int64_t r = 0; r < whole_rows; r += 2) {
                const char *p = from + c * step + r * 8;
                char *q = to + (r * pitch + c) * 8;
                two x, y;
                memcpy(&x, p, 16);
                memcpy(&y, p + step, 16);
                two first = __builtin_shufflevector(x, y, 0, 2), second = __builtin_shufflevector(x, y, 1, 3);
                memcpy(q, &first, 16);
                memcpy(q + pitch * 8, &second, 16);
            }
    }
#endif
    switch (itemsize) {
#define RT_TURN_REST(BYTES, T)                                                         \
    case BYTES:                                                                        \
        for (int64_t c = 0; c < cols; c++)                                             \
            for (int64_t r = c < whole_cols ? whole_rows : 0; r < rows; r++)           \
                ((T *)to)[r * pitch + c] = ((const T *)(from + c * step))[r];          \
        break;
        RT_TURN_REST(1, uint8_t)
        RT_TURN_REST(2, uint16_t)
        RT_TURN_REST(4, uint32_t)
        RT_TURN_REST(8, uint64_t)
        RT_TURN_REST(16, rt_item16)
#undef RT_TURN_REST
    }
}

#endif
