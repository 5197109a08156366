/* The loops of conv_panels.c for one element type T and one instruction set; included once for each (levels.h). */
#include "kernels/cpu/tile.h"

/* Columns of a panel that follow each other along the width of the map. */
typedef struct NAME(run) {
    int64_t at, length; /* in the panel */
    const T *from;      /* in the image, under the kernel's first element */
} NAME(run);

/* Where the columns [first, first + n) of a group read: runs, and how many there are. */
static int NAME(find_runs)(const conv_panels *c, int64_t group, int64_t first, int64_t n, NAME(run) *runs)
{
    const rt_conv *v = c->v;
    int count = 0;
    for (int64_t done = 0; done < n; count++) {
        int64_t column = first + done, item = column / c->places, place = column % c->places;
        int64_t x = place % v->map[2], y = place / v->map[2] % v->map[1], z = place / v->map[2] / v->map[1];
        int64_t length = v->map[2] - x < n - done ? v->map[2] - x : n - done;
        runs[count].at = done;
        runs[count].length = length;
        runs[count].from = (const T *)c->image + (item * v->groups + group) * c->channels * c->volume +
                           z * v->stride[0] * c->steps[0] + y * v->stride[1] * c->steps[1] + x * v->stride[2];
        done += length;
    }
    return count;
}

/* The kernel's elements [begin, begin + depth) under a panel's columns. A run is written as a whole panel's width where the image has that
 * much: the next run, the next row, or nothing that is read comes behind it. */
static void NAME(pack)(const conv_panels *c, const NAME(run) *runs, int count, int64_t begin, int64_t depth, T *panel)
{
    const T *end = (const T *)c->image_end;
    int64_t step = c->v->stride[2];
    for (int64_t k = 0; k < depth; k++, panel += NAME(WIDTH)) {
        int64_t offset = c->offsets[begin + k];
        for (int i = 0; i < count; i++) {
            const T *from = runs[i].from + offset;
            T *to = panel + runs[i].at;
            if (step == 1 && from + NAME(WIDTH) <= end)
                memcpy(to, from, NAME(WIDTH) * sizeof(T));
            else if (step == 2 && from + 2 * NAME(WIDTH) <= end)
                for (int j = 0; j < NAME(WIDTH); j++)
                    to[j] = from[2 * j];
            else
                for (int64_t j = 0; j < runs[i].length; j++)
                    to[j] = from[j * step];
        }
    }
}

/* Tasks are panels of columns, in each of them a share of the rows. */
static void NAME(panels)(int64_t begin, int64_t end, void *ctx)
{
    enum { DEPTH = 512 };
    const conv_panels *c = ctx;
    const rt_conv *v = c->v;
    T panel[(DEPTH + 1) * NAME(WIDTH)] __attribute__((aligned(VECTOR))), held[ROWS * NAME(WIDTH)] __attribute__((aligned(VECTOR)));
    NAME(run) runs[NAME(WIDTH)];
    int64_t columns_at[NAME(WIDTH)];
    int64_t columns = v->batch * c->places, share = ((c->group_maps + c->shares - 1) / c->shares + ROWS - 1) / ROWS * ROWS;
    for (int64_t i = begin; i < end; i++) {
        int64_t part = i % c->shares, first = i / c->shares % c->panels * NAME(WIDTH), group = i / c->shares / c->panels;
        int64_t n = columns - first < NAME(WIDTH) ? columns - first : NAME(WIDTH);
        int64_t from = part * share, to = from + share < c->group_maps ? from + share : c->group_maps;
        int count = NAME(find_runs)(c, group, first, n, runs);
        int64_t item = first / c->places, place = first % c->places;
        int whole = n == NAME(WIDTH) && place + n <= c->places;
        for (int64_t j = 0; j < n; j++)
            columns_at[j] = j + (place + j) / c->places * c->skip;
        for (int64_t k = 0; k < c->depth; k += DEPTH) {
            int64_t depth = c->depth - k < DEPTH ? c->depth - k : DEPTH;
            NAME(pack)(c, runs, count, k, depth, panel);
            for (int64_t row = from; row < to; row += ROWS) {
                int64_t o = group * c->group_maps + row, rows = to - row < ROWS ? to - row : ROWS;
                const T *a = (const T *)c->weight + o * c->depth + k;
                const T *start = k == 0 && c->bias != NULL ? (const T *)c->bias + o : NULL;
                T *out = (T *)c->map + (item * v->map_channels + o) * c->places + place;
                if (whole && rows == ROWS) {
                    NAME(tile)(depth, a, c->depth, 1, ROWS, panel, out, c->places, 1, k > 0, start);
                    continue;
                }
                if (k > 0)
                    for (int64_t r = 0; r < rows; r++)
                        for (int64_t j = 0; j < n; j++)
                            held[r * NAME(WIDTH) + j] = out[r * c->places + columns_at[j]];
                NAME(tile)(depth, a, c->depth, 1, rows, panel, held, NAME(WIDTH), 1, k > 0, start);
                for (int64_t r = 0; r < rows; r++)
                    for (int64_t j = 0; j < n; j++)
                        out[r * c->places + columns_at[j]] = held[r * NAME(WIDTH) + j];
            }
        }
    }
}

/* Few maps for each group (depthwise convolutions): rows of the map as sums of rows of the image. Tasks are maps. */
static void NAME(rows)(int64_t begin, int64_t end, void *ctx)
{
    const conv_panels *c = ctx;
    const rt_conv *v = c->v;
    int64_t width = v->map[2], step = v->stride[2];
    for (int64_t i = begin; i < end; i++) {
        int64_t o = i % v->map_channels, group = o / c->group_maps, item = i / v->map_channels;
        const T *image = (const T *)c->image + (item * v->groups + group) * c->channels * c->volume;
        const T *weight = (const T *)c->weight + o * c->depth;
        T *out = (T *)c->map + i * c->places, start = c->bias != NULL ? ((const T *)c->bias)[o] : 0;
        for (int64_t z = 0; z < v->map[0]; z++)
            for (int64_t y = 0; y < v->map[1]; y++, out += width) {
                const T *from = image + z * v->stride[0] * c->steps[0] + y * v->stride[1] * c->steps[1];
                for (int64_t x = 0; x < width; x++)
                    out[x] = start;
                for (int64_t k = 0; k < c->depth; k++) {
                    const T *in = from + c->offsets[k];
                    T w = weight[k];
                    if (step == 1)
                        for (int64_t x = 0; x < width; x++)
                            out[x] += w * in[x];
                    else
                        for (int64_t x = 0; x < width; x++)
                            out[x] += w * in[x * step];
                }
            }
    }
}
