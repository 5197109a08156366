/* Convolutions of every dtype as products of matrices: the image's windows are written out as columns.
 *
 * A column holds the elements under the kernel at one place of the map: [image channels / groups * kernel, places]. Columns are made for
 * some rows of the map at a time, so that they stay in the cache and large volumes need no large memory.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/convolution.h"
#include "kernels/cpu/element.h"
#include "kernels/shared/threads.h"

#include <stdlib.h>

enum { COLUMN_ELEMENTS = 1 << 20 };

static const rt_factor ZERO = {0, 0, 0}, ONE = {1, 0, 1};

/* Rows [first, first + count) of a map's places, numbered over depth and height, and all columns' elements. */
typedef struct columns {
    const rt_conv *v;
    int itemsize, dtype;
    int64_t first, count; /* rows of the map */
    char *image;          /* of one group */
    char *columns;
} columns;

/* Where one row of columns lies in the image. */
typedef struct place {
    char *row;          /* of the image, or NULL in the padding */
    int64_t from, to;   /* places along the width that lie inside the image */
    int64_t at;         /* the image's place under `from` */
} place;

static inline int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }

static place place_of(const columns *c, int64_t k, int64_t row)
{
    const rt_conv *v = c->v;
    int64_t kw = k % v->kernel[2], rest = k / v->kernel[2];
    int64_t kh = rest % v->kernel[1];
    rest /= v->kernel[1];
    int64_t kd = rest % v->kernel[0], channel = rest / v->kernel[0];
    int64_t d = row / v->map[1] * v->stride[0] + kd * v->dilation[0] - v->padding[0];
    int64_t h = row % v->map[1] * v->stride[1] + kh * v->dilation[1] - v->padding[1];
    int64_t shift = kw * v->dilation[2] - v->padding[2], width = v->image[2];
    place p = {NULL, 0, 0, 0};
    if (d < 0 || d >= v->image[0] || h < 0 || h >= v->image[1])
        return p;
    p.from = ceil_div(-shift, v->stride[2]);
    p.to = ceil_div(width - shift, v->stride[2]);
    if (p.to > v->map[2])
        p.to = v->map[2];
    if (p.from >= p.to)
        return p;
    p.at = p.from * v->stride[2] + shift;
    p.row = c->image + ((channel * v->image[0] + d) * v->image[1] + h) * width * c->itemsize;
    return p;
}

#define GATHER(T)                                                     \
    {                                                                 \
        const T *from = (const T *)p.row + p.at;                      \
        T *to = (T *)out + p.from;                                    \
        int64_t n = p.to - p.from;                                    \
        if (step == 1)                                                \
            memcpy(to, from, n * sizeof(T));                          \
        else                                                          \
            for (int64_t i = 0; i < n; i++)                           \
                to[i] = from[i * step];                               \
        break;                                                        \
    }

static void gather(int64_t begin, int64_t end, void *ctx)
{
    const columns *c = ctx;
    int64_t width = c->v->map[2], step = c->v->stride[2];
    for (int64_t k = begin; k < end; k++) {
        for (int64_t r = 0; r < c->count; r++) {
            char *out = c->columns + (k * c->count + r) * width * c->itemsize;
            place p = place_of(c, k, c->first + r);
            if (p.row == NULL) {
                memset(out, 0, width * c->itemsize);
                continue;
            }
            memset(out, 0, p.from * c->itemsize);
            memset(out + p.to * c->itemsize, 0, (width - p.to) * c->itemsize);
            switch (c->itemsize) {
            case 1: GATHER(uint8_t)
            case 2: GATHER(uint16_t)
            case 4: GATHER(uint32_t)
            case 8: GATHER(uint64_t)
            default: GATHER(double complex)
            }
        }
    }
}

#define SCATTER(T)                                    \
    {                                                 \
        T *to = (T *)p.row + p.at;                    \
        const T *from = (const T *)in + p.from;       \
        int64_t n = p.to - p.from;                    \
        if (step == 1)                                \
            for (int64_t i = 0; i < n; i++)           \
                to[i] += from[i];                     \
        else                                          \
            for (int64_t i = 0; i < n; i++)           \
                to[i * step] += from[i];              \
        break;                                        \
    }

/* Add columns to the image's channels [begin, end). */
static void scatter(int64_t begin, int64_t end, void *ctx)
{
    const columns *c = ctx;
    int64_t width = c->v->map[2], step = c->v->stride[2], taps = rt_volume(c->v->kernel);
    for (int64_t k = begin * taps; k < end * taps; k++) {
        for (int64_t r = 0; r < c->count; r++) {
            const char *in = c->columns + (k * c->count + r) * width * c->itemsize;
            place p = place_of(c, k, c->first + r);
            if (p.row == NULL)
                continue;
            switch (c->dtype) {
            case RT_FLOAT32: SCATTER(float)
            case RT_FLOAT64: SCATTER(double)
            case RT_COMPLEX64: SCATTER(float complex)
            case RT_COMPLEX128: SCATTER(double complex)
            case RT_UINT8: case RT_INT8: SCATTER(uint8_t)
            case RT_INT16: SCATTER(uint16_t)
            case RT_INT32: SCATTER(uint32_t)
            default: SCATTER(uint64_t)
            }
        }
    }
}

/* What all three products need: sizes of a group, and room for columns. */
typedef struct plan {
    columns c;
    int64_t depth, group_maps, places, rows, rows_at_once, channels;
} plan;

static int make_plan(plan *p, int dtype, const rt_conv *v)
{
    p->c.v = v;
    p->c.dtype = dtype;
    p->c.itemsize = rt_itemsize[dtype];
    p->channels = v->image_channels / v->groups;
    p->depth = p->channels * rt_volume(v->kernel);
    p->group_maps = v->map_channels / v->groups;
    p->places = rt_volume(v->map);
    p->rows = v->map[0] * v->map[1];
    int64_t row = p->depth * v->map[2];
    p->rows_at_once = row > 0 ? COLUMN_ELEMENTS / row : p->rows;
    p->rows_at_once = p->rows_at_once < 1 ? 1 : p->rows_at_once > p->rows ? p->rows : p->rows_at_once;
    p->c.columns = malloc((size_t)(row * p->rows_at_once * p->c.itemsize) + 1);
    return p->c.columns == NULL ? -1 : 0;
}

static rt_matrix row_major(const char *data, int64_t rows, int64_t cols, int64_t row_step)
{
    rt_matrix m = {(char *)data, rows, cols, row_step, 1};
    return m;
}

static void fill_with_bias(int itemsize, const char *bias, int64_t channels, int64_t places, char *out)
{
    for (int64_t o = 0; o < channels; o++)
        rt_fill_elements(out + o * places * itemsize, places, bias + o * itemsize, itemsize);
}

int rt_conv_to_map(int dtype, const rt_conv *v, const char *image, const char *weight, const char *bias, char *map)
{
    if (dtype == RT_FLOAT32 || dtype == RT_FLOAT64)
        return rt_conv_panels(dtype, v, image, weight, bias, map);
    plan p;
    int rc = make_plan(&p, dtype, v), size = p.c.itemsize;
    for (int64_t i = 0; i < v->batch * v->groups && rc == 0; i++) {
        int64_t group = i % v->groups;
        char *out = map + i * p.group_maps * p.places * size;
        p.c.image = (char *)image + i * p.channels * rt_volume(v->image) * size;
        if (bias != NULL)
            fill_with_bias(size, bias + group * p.group_maps * size, p.group_maps, p.places, out);
        rt_matrix w = row_major(weight + group * p.group_maps * p.depth * size, p.group_maps, p.depth, p.depth);
        for (p.c.first = 0; p.c.first < p.rows && rc == 0; p.c.first += p.c.count) {
            p.c.count = p.rows - p.c.first < p.rows_at_once ? p.rows - p.c.first : p.rows_at_once;
            int64_t width = p.c.count * v->map[2];
            rt_parallel_for(p.depth, RT_GRAIN / (width + 1) + 1, gather, &p.c);
            rc = rt_gemm(dtype, w, row_major(p.c.columns, p.depth, width, width),
                         row_major(out + p.c.first * v->map[2] * size, p.group_maps, width, p.places), ONE, bias != NULL ? ONE : ZERO);
        }
    }
    free(p.c.columns);
    return rc;
}

/* Whether each group has one channel on both sides, as a depthwise convolution has: products of matrices of one row do not pay. */
static int is_depthwise(int dtype, const rt_conv *v)
{
    return (dtype == RT_FLOAT32 || dtype == RT_FLOAT64) && v->image_channels == v->groups && v->map_channels == v->groups;
}

/* One channel of one item: its planes, and the kernel. */
typedef struct depthwise {
    const rt_conv *v;
    columns c; /* geometry, for place_of */
    const char *from, *weight;
    char *to;
} depthwise;

enum { PARTS = 16 };

#define DEPTHWISE(NAME, T)                                                                              \
    RT_CLONES static void add_line_##NAME(T *to, const T *from, T weight, int64_t n, int64_t step)      \
    {                                                                                                   \
        if (step == 1)                                                                                  \
            for (int64_t i = 0; i < n; i++)                                                             \
                to[i] += weight * from[i];                                                              \
        else                                                                                            \
            for (int64_t i = 0; i < n; i++)                                                             \
                to[i * step] += weight * from[i];                                                       \
    }                                                                                                   \
    RT_CLONES static T product_of_lines_##NAME(const T *a, const T *b, int64_t n, int64_t step)         \
    {                                                                                                   \
        T parts[PARTS] = {0};                                                                           \
        int64_t i = 0;                                                                                  \
        for (; step == 1 && i + PARTS <= n; i += PARTS)                                                 \
            for (int q = 0; q < PARTS; q++)                                                             \
                parts[q] += a[i + q] * b[i + q];                                                        \
        for (; i < n; i++)                                                                              \
            parts[i % PARTS] += a[i * step] * b[i];                                                     \
        for (int w = PARTS / 2; w > 0; w /= 2)                                                          \
            for (int q = 0; q < w; q++)                                                                 \
                parts[q] += parts[q + w];                                                               \
        return parts[0];                                                                                \
    }                                                                                                   \
    /* Over the planes of the batch: the image (`to`) from the map and the weight. */                   \
    static void depthwise_image_##NAME(int64_t begin, int64_t end, void *ctx)                           \
    {                                                                                                   \
        const depthwise *d = ctx;                                                                       \
        const rt_conv *v = d->v;                                                                        \
        int64_t taps = rt_volume(v->kernel), rows = v->map[0] * v->map[1], width = v->map[2];           \
        columns c = d->c;                                                                               \
        for (int64_t plane = begin; plane < end; plane++) {                                             \
            c.image = d->to + plane * rt_volume(v->image) * (int64_t)sizeof(T);                         \
            for (int64_t row = 0; row < rows; row++)                                                    \
                for (int64_t k = 0; k < taps; k++) {                                                    \
                    place p = place_of(&c, k, row);                                                     \
                    if (p.row != NULL)                                                                  \
                        add_line_##NAME((T *)p.row + p.at, (const T *)d->from + (plane * rows + row) * width + p.from, \
                                        ((const T *)d->weight)[plane % v->groups * taps + k], p.to - p.from, v->stride[2]); \
                }                                                                                       \
        }                                                                                               \
    }                                                                                                   \
    /* Over groups: the weight (`to`) from the image (`weight`) and the map. */                         \
    static void depthwise_weight_##NAME(int64_t begin, int64_t end, void *ctx)                          \
    {                                                                                                   \
        const depthwise *d = ctx;                                                                       \
        const rt_conv *v = d->v;                                                                        \
        int64_t taps = rt_volume(v->kernel), rows = v->map[0] * v->map[1], width = v->map[2];           \
        columns c = d->c;                                                                               \
        for (int64_t group = begin; group < end; group++)                                               \
            for (int64_t item = 0; item < v->batch; item++) {                                           \
                int64_t plane = item * v->groups + group;                                               \
                c.image = (char *)d->weight + plane * rt_volume(v->image) * (int64_t)sizeof(T);         \
                for (int64_t row = 0; row < rows; row++)                                                \
                    for (int64_t k = 0; k < taps; k++) {                                                \
                        place p = place_of(&c, k, row);                                                 \
                        if (p.row != NULL)                                                              \
                            ((T *)d->to)[group * taps + k] += product_of_lines_##NAME(                  \
                                (const T *)p.row + p.at, (const T *)d->from + (plane * rows + row) * width + p.from, p.to - p.from, v->stride[2]); \
                    }                                                                                   \
            }                                                                                           \
    }
DEPTHWISE(f32, float)
DEPTHWISE(f64, double)

static depthwise depthwise_of(int dtype, const rt_conv *v, const char *from, const char *weight, char *to)
{
    return (depthwise){.v = v, .c = {.v = v, .itemsize = rt_itemsize[dtype], .dtype = dtype}, .from = from, .weight = weight, .to = to};
}

int rt_conv_to_image(int dtype, const rt_conv *v, const char *map, const char *weight, const char *bias, char *image)
{
    int64_t volume = rt_volume(v->image);
    if (is_depthwise(dtype, v)) {
        depthwise d = depthwise_of(dtype, v, map, weight, image);
        for (int64_t plane = 0; bias != NULL && plane < v->batch * v->groups; plane++)
            fill_with_bias(d.c.itemsize, bias + plane % v->groups * d.c.itemsize, 1, volume, image + plane * volume * d.c.itemsize);
        if (bias == NULL)
            memset(image, 0, v->batch * v->groups * volume * d.c.itemsize);
        rt_parallel_for(v->batch * v->groups, RT_GRAIN / (rt_volume(v->map) * rt_volume(v->kernel) + 1) + 1,
                        dtype == RT_FLOAT32 ? depthwise_image_f32 : depthwise_image_f64, &d);
        return 0;
    }
    plan p;
    int rc = make_plan(&p, dtype, v), size = p.c.itemsize;
    for (int64_t i = 0; i < v->batch * v->groups && rc == 0; i++) {
        int64_t group = i % v->groups;
        p.c.image = image + i * p.channels * volume * size;
        if (bias != NULL)
            fill_with_bias(size, bias + group * p.channels * size, p.channels, volume, p.c.image);
        else
            memset(p.c.image, 0, p.channels * volume * size);
        rt_matrix w = {(char *)weight + group * p.group_maps * p.depth * size, p.depth, p.group_maps, 1, p.depth};
        const char *in = map + i * p.group_maps * p.places * size;
        for (p.c.first = 0; p.c.first < p.rows && rc == 0; p.c.first += p.c.count) {
            p.c.count = p.rows - p.c.first < p.rows_at_once ? p.rows - p.c.first : p.rows_at_once;
            int64_t width = p.c.count * v->map[2];
            rc = rt_gemm(dtype, w, row_major(in + p.c.first * v->map[2] * size, p.group_maps, width, p.places),
                         row_major(p.c.columns, p.depth, width, width), ONE, ZERO);
            if (rc == 0)
                rt_parallel_for(p.channels, RT_GRAIN / (width * rt_volume(v->kernel) + 1) + 1, scatter, &p.c);
        }
    }
    free(p.c.columns);
    return rc;
}

int rt_conv_to_weight(int dtype, const rt_conv *v, const char *image, const char *map, char *weight)
{
    if (is_depthwise(dtype, v)) {
        depthwise d = depthwise_of(dtype, v, map, image, weight);
        memset(weight, 0, v->groups * rt_volume(v->kernel) * d.c.itemsize);
        rt_parallel_for(v->groups, RT_GRAIN / (v->batch * rt_volume(v->map) * rt_volume(v->kernel) + 1) + 1,
                        dtype == RT_FLOAT32 ? depthwise_weight_f32 : depthwise_weight_f64, &d);
        return 0;
    }
    plan p;
    int rc = make_plan(&p, dtype, v), size = p.c.itemsize;
    memset(weight, 0, v->map_channels * p.depth * size);
    for (int64_t i = 0; i < v->batch * v->groups && rc == 0; i++) {
        int64_t group = i % v->groups;
        p.c.image = (char *)image + i * p.channels * rt_volume(v->image) * size;
        rt_matrix w = row_major(weight + group * p.group_maps * p.depth * size, p.group_maps, p.depth, p.depth);
        const char *in = map + i * p.group_maps * p.places * size;
        for (p.c.first = 0; p.c.first < p.rows && rc == 0; p.c.first += p.c.count) {
            p.c.count = p.rows - p.c.first < p.rows_at_once ? p.rows - p.c.first : p.rows_at_once;
            int64_t width = p.c.count * v->map[2];
            rt_parallel_for(p.depth, RT_GRAIN / (width + 1) + 1, gather, &p.c);
            rt_matrix columns = {p.c.columns, width, p.depth, 1, width};
            rc = rt_gemm(dtype, row_major(in + p.c.first * v->map[2] * size, p.group_maps, width, p.places), columns, w, ONE, ONE);
        }
    }
    free(p.c.columns);
    return rc;
}
