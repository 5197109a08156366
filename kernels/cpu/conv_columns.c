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

/* So many fit the cache of a processor. */
enum { COLUMN_ELEMENTS = 1 << 17 };

static const rt_factor ZERO = {0, 0, 0}, ONE = {1, 0, 1};

/* Rows [first, first + count) of a map's places, numbered over depth and height, and all columns' elements. */
typedef struct columns {
    const rt_conv *v;
    int itemsize, dtype;
    int64_t first, count; /* rows of the map */
    char *image;          /* of one group */
    char *columns;
} columns;

/* An element of the kernel in one channel: where its row of columns lies in the rows of the image. */
typedef struct tap {
    int64_t from, to; /* places along the width of the map that lie inside the image */
    int64_t at;       /* the image's place under `from` */
    int64_t planes;   /* of the image before the channel's */
    int64_t depth, height; /* the image's place under the map's first, which may lie outside */
} tap;

static inline int64_t ceil_div(int64_t a, int64_t b) { return a > 0 ? (a + b - 1) / b : 0; }

static tap tap_of(const rt_conv *v, int64_t k)
{
    int64_t kw = k % v->kernel[2], rest = k / v->kernel[2];
    int64_t kh = rest % v->kernel[1];
    rest /= v->kernel[1];
    int64_t kd = rest % v->kernel[0], shift = kw * v->dilation[2] - v->padding[2];
    tap t = {
        .from = ceil_div(-shift, v->stride[2]),
        .to = ceil_div(v->image[2] - shift, v->stride[2]),
        .planes = rest / v->kernel[0] * v->image[0],
        .depth = kd * v->dilation[0] - v->padding[0],
        .height = kh * v->dilation[1] - v->padding[1],
    };
    if (t.to > v->map[2])
        t.to = v->map[2];
    if (t.from > t.to)
        t.from = t.to;
    t.at = t.from * v->stride[2] + shift;
    return t;
}

/* A row of the map, as its depth and height. */
typedef struct map_row {
    int64_t depth, height;
} map_row;

static inline map_row first_row(const rt_conv *v, int64_t row) { return (map_row){row / v->map[1], row % v->map[1]}; }
static inline void next_row(const rt_conv *v, map_row *r)
{
    if (++r->height == v->map[1]) {
        r->height = 0;
        r->depth++;
    }
}

/* The image's first element under a tap in a row of the map, or NULL where the row is padding. */
static inline char *under(const rt_conv *v, char *image, int64_t itemsize, const tap *t, map_row r)
{
    int64_t d = r.depth * v->stride[0] + t->depth, h = r.height * v->stride[1] + t->height;
    if (d < 0 || d >= v->image[0] || h < 0 || h >= v->image[1] || t->from == t->to)
        return NULL;
    return image + (((t->planes + d) * v->image[1] + h) * v->image[2] + t->at) * itemsize;
}

#define GATHER(T)                                                     \
    {                                                                 \
        const T *from = (const T *)row;                               \
        T *to = (T *)out + t.from;                                    \
        int64_t n = t.to - t.from;                                    \
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
        tap t = tap_of(c->v, k);
        map_row at = first_row(c->v, c->first);
        for (int64_t r = 0; r < c->count; r++, next_row(c->v, &at)) {
            char *out = c->columns + (k * c->count + r) * width * c->itemsize, *row = under(c->v, c->image, c->itemsize, &t, at);
            if (row == NULL) {
                memset(out, 0, width * c->itemsize);
                continue;
            }
            memset(out, 0, t.from * c->itemsize);
            memset(out + t.to * c->itemsize, 0, (width - t.to) * c->itemsize);
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
        T *to = (T *)row;                             \
        const T *from = (const T *)in + t.from;       \
        int64_t n = t.to - t.from;                    \
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
        tap t = tap_of(c->v, k);
        map_row at = first_row(c->v, c->first);
        for (int64_t r = 0; r < c->count; r++, next_row(c->v, &at)) {
            const char *in = c->columns + (k * c->count + r) * width * c->itemsize;
            char *row = under(c->v, c->image, c->itemsize, &t, at);
            if (row == NULL)
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

/* Planes of images and maps, one for each channel of each item, and the kernels. */
typedef struct depthwise {
    const rt_conv *v;
    const char *map;
    char *image, *weight;
} depthwise;

enum { PARTS = 16 };

#define DEPTHWISE(NAME, T, CLONES)                                                                              \
    CLONES static void add_line_##NAME(T *to, const T *from, T weight, int64_t n, int64_t step)      \
    {                                                                                                   \
        if (step == 1)                                                                                  \
            for (int64_t i = 0; i < n; i++)                                                             \
                to[i] += weight * from[i];                                                              \
        else                                                                                            \
            for (int64_t i = 0; i < n; i++)                                                             \
                to[i * step] += weight * from[i];                                                       \
    }                                                                                                   \
    CLONES static T product_of_lines_##NAME(const T *a, const T *b, int64_t n, int64_t step)         \
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
    /* Over the planes of the batch: the image from the map and the weight. */                          \
    static void depthwise_image_##NAME(int64_t begin, int64_t end, void *ctx)                           \
    {                                                                                                   \
        const depthwise *d = ctx;                                                                       \
        const rt_conv *v = d->v;                                                                        \
        int64_t taps = rt_volume(v->kernel), rows = v->map[0] * v->map[1], width = v->map[2];           \
        for (int64_t plane = begin; plane < end; plane++) {                                             \
            const T *weight = (const T *)d->weight + plane % v->groups * taps;                          \
            char *image = d->image + plane * rt_volume(v->image) * (int64_t)sizeof(T);                  \
            for (int64_t k = 0; k < taps; k++) {                                                        \
                tap t = tap_of(v, k);                                                                   \
                map_row at = first_row(v, 0);                                                           \
                for (int64_t row = 0; row < rows; row++, next_row(v, &at)) {                            \
                    T *to = (T *)under(v, image, sizeof(T), &t, at);                                    \
                    if (to != NULL)                                                                     \
                        add_line_##NAME(to, (const T *)d->map + (plane * rows + row) * width + t.from, weight[k], t.to - t.from, v->stride[2]); \
                }                                                                                       \
            }                                                                                           \
        }                                                                                               \
    }                                                                                                   \
    /* Over groups: the weight (zeros before) from the image and the map. */                            \
    static void depthwise_weight_##NAME(int64_t begin, int64_t end, void *ctx)                          \
    {                                                                                                   \
        const depthwise *d = ctx;                                                                       \
        const rt_conv *v = d->v;                                                                        \
        int64_t taps = rt_volume(v->kernel), rows = v->map[0] * v->map[1], width = v->map[2];           \
        for (int64_t group = begin; group < end; group++)                                               \
            for (int64_t plane = group; plane < v->batch * v->groups; plane += v->groups) {             \
                char *image = d->image + plane * rt_volume(v->image) * (int64_t)sizeof(T);              \
                for (int64_t k = 0; k < taps; k++) {                                                    \
                    tap t = tap_of(v, k);                                                               \
                    map_row at = first_row(v, 0);                                                       \
                    T sum = 0;                                                                          \
                    for (int64_t row = 0; row < rows; row++, next_row(v, &at)) {                        \
                        const T *from = (const T *)under(v, image, sizeof(T), &t, at);                  \
                        if (from != NULL)                                                               \
                            sum += product_of_lines_##NAME(from, (const T *)d->map + (plane * rows + row) * width + t.from, t.to - t.from, \
                                                           v->stride[2]);                               \
                    }                                                                                   \
                    ((T *)d->weight)[group * taps + k] += sum;                                          \
                }                                                                                       \
            }                                                                                           \
    }
DEPTHWISE(f32, float, RT_CLONES)
DEPTHWISE(f64, double, )

/* With steps of 1 the image is itself a convolution of the map, with the kernel turned around: 1, 0 where that does not apply, or -1. */
static int image_by_panels(int dtype, const rt_conv *v, const char *map, const char *weight, char *image)
{
    rt_conv turned = *v;
    int64_t taps = rt_volume(v->kernel), inputs = v->image_channels / v->groups, outputs = v->map_channels / v->groups;
    int size = rt_itemsize[dtype];
    if ((dtype != RT_FLOAT32 && dtype != RT_FLOAT64) || taps == 0 || rt_volume(v->map) == 0 || v->map_channels == 0)
        return 0;
    for (int d = 0; d < 3; d++) {
        turned.image[d] = v->map[d];
        turned.map[d] = v->image[d];
        turned.padding[d] = v->dilation[d] * (v->kernel[d] - 1) - v->padding[d];
        if (v->stride[d] != 1 || turned.padding[d] < 0)
            return 0;
    }
    turned.image_channels = v->map_channels;
    turned.map_channels = v->image_channels;
    char *weights = malloc((size_t)(v->image_channels * outputs * taps * size) + 1);
    if (weights == NULL)
        return -1;
    for (int64_t i = 0; i < v->image_channels; i++)
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t k = 0; k < taps; k++) {
                int64_t from = ((i / inputs * outputs + o) * inputs + i % inputs) * taps + taps - 1 - k;
                memcpy(weights + ((i * outputs + o) * taps + k) * size, weight + from * size, size);
            }
    int rc = rt_conv_panels(dtype, &turned, map, weights, NULL, image);
    free(weights);
    return rc < 0 ? -1 : 1;
}

int rt_conv_to_image(int dtype, const rt_conv *v, const char *map, const char *weight, const char *bias, char *image)
{
    int64_t volume = rt_volume(v->image), planes = v->batch * v->groups;
    if (is_depthwise(dtype, v)) {
        depthwise d = {v, map, image, (char *)weight};
        int64_t itemsize = rt_itemsize[dtype];
        for (int64_t plane = 0; bias != NULL && plane < planes; plane++)
            fill_with_bias((int)itemsize, bias + plane % v->groups * itemsize, 1, volume, image + plane * volume * itemsize);
        if (bias == NULL)
            memset(image, 0, planes * volume * itemsize);
        rt_parallel_for(planes, RT_GRAIN / (rt_volume(v->map) * rt_volume(v->kernel) + 1) + 1,
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

int rt_conv_image_gradient(int dtype, const rt_conv *v, const char *map, const char *weight, char *image)
{
    int done = image_by_panels(dtype, v, map, weight, image);
    return done > 0 ? 0 : done < 0 ? -1 : rt_conv_to_image(dtype, v, map, weight, NULL, image);
}

int rt_conv_to_weight(int dtype, const rt_conv *v, const char *image, const char *map, char *weight)
{
    if (is_depthwise(dtype, v)) {
        depthwise d = {v, map, (char *)image, weight};
        memset(weight, 0, v->groups * rt_volume(v->kernel) * rt_itemsize[dtype]);
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
