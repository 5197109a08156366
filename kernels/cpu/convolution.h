/* Loops of convolutions on the CPU: geometry, and the three products that forward and backward passes are made of.
 *
 * A convolution takes an image to a map; the transposed one takes a map to an image. Both have a weight of shape
 * [map channels, image channels / groups, kernel]. All memory is contiguous. None of these functions touches Python: they return 0, or -1
 * where memory ran out.
 */
#ifndef KERNELS_CPU_CONVOLUTION_H
#define KERNELS_CPU_CONVOLUTION_H

#include "kernels/cpu/blas.h"

/* Depth, height, width; what a convolution lacks of these has size 1. */
typedef struct rt_conv {
    int64_t batch, groups;
    int64_t image_channels, map_channels; /* of all groups */
    int64_t image[3], map[3], kernel[3], stride[3], padding[3], dilation[3];
} rt_conv;

static inline int64_t rt_volume(const int64_t *sizes) { return sizes[0] * sizes[1] * sizes[2]; }

/* map = image * weight + bias (NULL: none). */
int rt_conv_to_map(int dtype, const rt_conv *v, const char *image, const char *weight, const char *bias, char *map);
/* image = transposed product of map and weight + bias. */
int rt_conv_to_image(int dtype, const rt_conv *v, const char *map, const char *weight, const char *bias, char *image);
/* The same without a bias, in the order of sums that is fastest: the gradient of a convolution's image. */
int rt_conv_image_gradient(int dtype, const rt_conv *v, const char *map, const char *weight, char *image);
/* weight = product of image and map, summed over the batch: the gradient of the weight. */
int rt_conv_to_weight(int dtype, const rt_conv *v, const char *image, const char *map, char *weight);

/* rt_conv_to_map for float32 and float64, without columns in memory (conv_panels.c). */
int rt_conv_panels(int dtype, const rt_conv *v, const char *image, const char *weight, const char *bias, char *map);

#endif
