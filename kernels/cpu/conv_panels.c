/* Convolutions of float32 and float64 as a product of matrices whose right side is never written out as a whole.
 *
 * The columns of the product are the places of the map, of all items of the batch one after the other. A few columns at a time (a panel)
 * are packed from the image for some of the kernel's elements and stay in the cache while all rows of the weight pass over them. The image
 * is copied with its padding first, where there is any, so that packing knows no borders.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/convolution.h"
#include "kernels/cpu/element.h"
#include "kernels/shared/threads.h"

#include <stdlib.h>

typedef struct conv_panels {
    const rt_conv *v;
    const char *image, *image_end, *weight, *bias;
    char *map;
    int64_t *offsets;   /* of the kernel's elements, from a window's first one */
    int64_t steps[2];   /* elements from one plane, one row of the (padded) image to the next */
    int64_t volume;     /* elements of one channel of the (padded) image */
    int64_t channels, group_maps, depth, places;
    int64_t panels, shares;
    int64_t skip;       /* elements of the map from the end of a channel to the same channel of the next item */
} conv_panels;

#define LEVEL_FILE "kernels/cpu/conv_panels.h"
#include "kernels/cpu/levels.h"

/* ---------------------------------------------------------------------------------------------------------------- padding */

typedef struct padding {
    const rt_conv *v;
    const char *from;
    char *to;
    int64_t padded[3];
    int itemsize;
} padding;

static void pad_channels(int64_t begin, int64_t end, void *ctx)
{
    const padding *p = ctx;
    const rt_conv *v = p->v;
    int64_t width = v->image[2] * p->itemsize, left = v->padding[2] * p->itemsize, whole = p->padded[2] * p->itemsize;
    for (int64_t i = begin; i < end; i++) {
        const char *from = p->from + i * rt_volume(v->image) * p->itemsize;
        char *to = p->to + i * rt_volume(p->padded) * p->itemsize;
        for (int64_t z = 0; z < p->padded[0]; z++) {
            int outside = z < v->padding[0] || z >= v->padding[0] + v->image[0];
            for (int64_t y = 0; y < p->padded[1]; y++, to += whole) {
                if (outside || y < v->padding[1] || y >= v->padding[1] + v->image[1]) {
                    memset(to, 0, whole);
                    continue;
                }
                memset(to, 0, left);
                memcpy(to + left, from, width);
                memset(to + left + width, 0, whole - left - width);
                from += width;
            }
        }
    }
}

int rt_conv_panels(int dtype, const rt_conv *v, const char *image, const char *weight, const char *bias, char *map)
{
    static const rt_range_fn panels[LEVELS][2] = FOR_LEVEL(panels), rows[LEVELS][2] = FOR_LEVEL(rows);
    int level = best_level(), bytes = 2 * (16 << level); /* of a panel's row */
    int64_t itemsize = rt_itemsize[dtype], kernel = rt_volume(v->kernel), planes = v->batch * v->image_channels;
    padding p = {.v = v, .from = image, .itemsize = (int)itemsize};
    conv_panels c = {.v = v, .weight = weight, .bias = bias, .map = map, .channels = v->image_channels / v->groups,
                     .group_maps = v->map_channels / v->groups, .places = rt_volume(v->map)};
    int is_padded = 0, is_double = dtype == RT_FLOAT64;
    char *copy = NULL;
    for (int d = 0; d < 3; d++) {
        p.padded[d] = v->image[d] + 2 * v->padding[d];
        is_padded |= v->padding[d] > 0;
    }
    c.volume = rt_volume(p.padded);
    c.depth = c.channels * kernel;
    c.offsets = malloc((size_t)c.depth * sizeof(int64_t) + 1);
    if (c.offsets == NULL)
        return -1;
    c.image = image;
    c.image_end = image + planes * c.volume * itemsize;
    if (is_padded) {
        copy = p.to = malloc((size_t)(planes * c.volume * itemsize) + 2 * bytes);
        if (copy == NULL) {
            free(c.offsets);
            return -1;
        }
        rt_parallel_for(planes, RT_GRAIN / (c.volume + 1) + 1, pad_channels, &p);
        c.image = copy;
        c.image_end = copy + planes * c.volume * itemsize + 2 * bytes;
    }
    c.steps[0] = p.padded[1] * p.padded[2];
    c.steps[1] = p.padded[2];
    int64_t *offset = c.offsets;
    for (int64_t channel = 0; channel < c.channels; channel++)
        for (int64_t z = 0; z < v->kernel[0]; z++)
            for (int64_t y = 0; y < v->kernel[1]; y++)
                for (int64_t x = 0; x < v->kernel[2]; x++)
                    *offset++ = channel * c.volume + z * v->dilation[0] * c.steps[0] + y * v->dilation[1] * c.steps[1] + x * v->dilation[2];
    if (c.group_maps < 4) {
        int64_t work = c.places * c.depth + 1;
        rt_parallel_for(v->batch * v->map_channels, RT_GRAIN / work + 1, rows[level][is_double], &c);
    } else {
        int64_t width = bytes / itemsize;
        c.panels = (v->batch * c.places + width - 1) / width;
        c.skip = (v->map_channels - 1) * c.places;
        c.shares = 1;
        /* Few columns: the threads share the rows of each. */
        if (c.panels * v->groups < 4 * rt_get_num_threads() && c.group_maps >= 32)
            c.shares = c.group_maps >= 128 ? 4 : 2;
        int64_t work = width * c.depth * c.group_maps / c.shares / 8 + 1;
        rt_parallel_for(c.panels * c.shares * v->groups, RT_GRAIN / work + 1, panels[level][is_double], &c);
    }
    free(copy);
    free(c.offsets);
    return 0;
}
