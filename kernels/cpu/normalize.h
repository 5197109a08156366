/* Loops of normalizations over contiguous memory. Values of half types are computed in float32; statistics and weights have the type that
 * is computed in.
 */
#ifndef KERNELS_CPU_NORMALIZE_H
#define KERNELS_CPU_NORMALIZE_H

#include <stdint.h>

/* Rows of `width` elements, one after the other. Weight and bias (NULL: none) have `width` elements, or, where span > 0, one for every
 * span elements: row r begins at weight[r % rows_per_weights * (width / span)]. */
typedef struct rt_rows {
    const char *in;
    char *out;
    const char *weight, *bias;
    char *mean, *scale; /* of each row: the mean, and 1 / sqrt(variance + eps); NULL: not wanted */
    int64_t width, span, rows_per_weights;
    double eps;
} rt_rows;

/* Channels of [items, channels, span] memory. */
typedef struct rt_channels {
    const char *in;
    char *out;
    char *mean, *scale;   /* read by the second pass; the first one writes the mean and, as scale, the variance (not divided) */
    int64_t items, channels, span;
} rt_channels;

/* The gradients of normalized rows: `scale` and `mean` are those of the rows; weight (NULL: none) has `width` elements. */
typedef struct rt_row_gradients {
    const char *grad, *in, *mean, *scale, *weight;
    char *out;                 /* of the input */
    char *for_weight, *for_bias; /* in the type that is computed in; NULL: not wanted */
    int64_t rows, width;
} rt_row_gradients;

typedef void (*rt_norm_fn)(int64_t begin, int64_t end, void *ctx);
/* NULL where there is none for the dtype. */
rt_norm_fn rt_normalize_rows_loop(int dtype);
rt_norm_fn rt_row_gradients_loop(int dtype);    /* of the input, over rows */
rt_norm_fn rt_weight_gradients_loop(int dtype); /* of weight and bias, over the width in pieces of RT_WEIGHT_PIECE */
enum { RT_WEIGHT_PIECE = 128 };
rt_norm_fn rt_channel_moments_loop(int dtype);
/* out = in * scale + mean for each channel: both already hold the factors. */
rt_norm_fn rt_channel_affine_loop(int dtype); /* over items * channels */

#endif
