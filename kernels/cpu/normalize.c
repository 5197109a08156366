/* The loops of normalize.h. */
#pragma GCC optimize("O3")
#include "kernels/cpu/normalize.h"
#include "kernels/cpu/element.h"

#include "runtime/core/core.h"

enum { LANES = 32 };
#define SAME(x) (x)

/* Sums in lanes, so that they become vector code and errors grow slowly. */
#define SUM_OVER(V, SUM, N, TERM)                    \
    {                                                \
        V lane[LANES] = {0};                         \
        int64_t i = 0;                               \
        for (; i + LANES <= (N); i += LANES)         \
            for (int q = 0; q < LANES; q++)          \
                lane[q] += TERM(i + q);              \
        for (; i < (N); i++)                         \
            lane[0] += TERM(i);                      \
        for (int w = LANES / 2; w > 0; w /= 2)       \
            for (int q = 0; q < w; q++)              \
                lane[q] += lane[q + w];              \
        SUM = lane[0];                               \
    }

#define LOOPS(NAME, T, V, LOAD, STORE)                                                                                       \
    RT_CLONES static void rows_##NAME(int64_t begin, int64_t end, void *ctx)                                                 \
    {                                                                                                                        \
        const rt_rows *p = ctx;                                                                                              \
        int64_t width = p->width;                                                                                            \
        for (int64_t row = begin; row < end; row++) {                                                                        \
            const T *in = (const T *)p->in + row * width;                                                                    \
            T *out = (T *)p->out + row * width;                                                                              \
            V sum, squares;                                                                                                  \
            SUM_OVER(V, sum, width, ELEMENT_##NAME)                                                                          \
            V mean = sum / (V)width;                                                                                         \
            SUM_OVER(V, squares, width, SQUARE_##NAME)                                                                       \
            V scale = (V)1 / (V)sqrt((double)(squares / (V)width) + p->eps);                                                 \
            if (p->mean != NULL) {                                                                                           \
                ((V *)p->mean)[row] = mean;                                                                                  \
                ((V *)p->scale)[row] = scale;                                                                                \
            }                                                                                                                \
            const V *weight = (const V *)p->weight, *bias = (const V *)p->bias;                                              \
            if (p->span > 0) {                                                                                               \
                int64_t span = p->span, parts = width / span, first = row % p->rows_per_weights * parts;                     \
                for (int64_t part = 0; part < parts; part++, in += span, out += span) {                                      \
                    V a = weight != NULL ? scale * weight[first + part] : scale;                                             \
                    V b = (bias != NULL ? bias[first + part] : 0) - a * mean;                                                \
                    for (int64_t i = 0; i < span; i++)                                                                       \
                        out[i] = STORE(a * LOAD(in[i]) + b);                                                                 \
                }                                                                                                            \
            } else if (weight != NULL && bias != NULL) {                                                                     \
                for (int64_t i = 0; i < width; i++)                                                                          \
                    out[i] = STORE((LOAD(in[i]) - mean) * scale * weight[i] + bias[i]);                                      \
            } else if (weight != NULL) {                                                                                     \
                for (int64_t i = 0; i < width; i++)                                                                          \
                    out[i] = STORE((LOAD(in[i]) - mean) * scale * weight[i]);                                                \
            } else {                                                                                                         \
                for (int64_t i = 0; i < width; i++)                                                                          \
                    out[i] = STORE((LOAD(in[i]) - mean) * scale + (bias != NULL ? bias[i] : 0));                             \
            }                                                                                                                \
        }                                                                                                                    \
    }                                                                                                                        \
    RT_CLONES static void moments_##NAME(int64_t begin, int64_t end, void *ctx)                                              \
    {                                                                                                                        \
        const rt_channels *p = ctx;                                                                                          \
        int64_t span = p->span;                                                                                              \
        for (int64_t first = begin; span == 1 && first < end; first += LANES) {                                              \
            /* Channels lie side by side: a lane is a channel. */                                                            \
            int64_t n = end - first < LANES ? end - first : LANES;                                                           \
            double sums[LANES] = {0}, squares[LANES] = {0};                                                                  \
            for (int64_t item = 0; item < p->items; item++) {                                                                \
                const T *in = (const T *)p->in + item * p->channels + first;                                                 \
                for (int64_t q = 0; q < n; q++)                                                                              \
                    sums[q] += LOAD(in[q]);                                                                                  \
            }                                                                                                                \
            for (int64_t q = 0; q < n; q++)                                                                                  \
                sums[q] /= (double)p->items;                                                                                 \
            for (int64_t item = 0; item < p->items; item++) {                                                                \
                const T *in = (const T *)p->in + item * p->channels + first;                                                 \
                for (int64_t q = 0; q < n; q++)                                                                              \
                    squares[q] += (LOAD(in[q]) - sums[q]) * (LOAD(in[q]) - sums[q]);                                         \
            }                                                                                                                \
            for (int64_t q = 0; q < n; q++) {                                                                                \
                ((V *)p->mean)[first + q] = (V)sums[q];                                                                      \
                ((V *)p->scale)[first + q] = (V)squares[q];                                                                  \
            }                                                                                                                \
        }                                                                                                                    \
        for (int64_t channel = begin; span != 1 && channel < end; channel++) {                                                            \
            double total = 0;                                                                                                \
            for (int64_t item = 0; item < p->items; item++) {                                                                \
                const T *in = (const T *)p->in + (item * p->channels + channel) * span;                                      \
                V sum;                                                                                                       \
                SUM_OVER(V, sum, span, ELEMENT_##NAME)                                                                       \
                total += sum;                                                                                                \
            }                                                                                                                \
            V mean = (V)(total / (double)(p->items * span));                                                                 \
            total = 0;                                                                                                       \
            for (int64_t item = 0; item < p->items; item++) {                                                                \
                const T *in = (const T *)p->in + (item * p->channels + channel) * span;                                      \
                V squares;                                                                                                   \
                SUM_OVER(V, squares, span, SQUARE_##NAME)                                                                    \
                total += squares;                                                                                            \
            }                                                                                                                \
            ((V *)p->mean)[channel] = mean;                                                                                  \
            ((V *)p->scale)[channel] = (V)total;                                                                             \
        }                                                                                                                    \
    }                                                                                                                        \
    RT_CLONES static void affine_##NAME(int64_t begin, int64_t end, void *ctx)                                               \
    {                                                                                                                        \
        const rt_channels *p = ctx;                                                                                          \
        int64_t span = p->span, channel = begin % p->channels;                                                               \
        for (int64_t i = begin; span == 1 && i < end; i++) {                                                                 \
            ((T *)p->out)[i] = STORE(LOAD(((const T *)p->in)[i]) * ((const V *)p->scale)[channel] + ((const V *)p->mean)[channel]); \
            channel = channel + 1 < p->channels ? channel + 1 : 0;                                                           \
        }                                                                                                                    \
        for (int64_t i = begin; span != 1 && i < end; i++) {                                                                              \
            const T *in = (const T *)p->in + i * span;                                                                       \
            T *out = (T *)p->out + i * span;                                                                                 \
            V a = ((const V *)p->scale)[i % p->channels], b = ((const V *)p->mean)[i % p->channels];                         \
            for (int64_t k = 0; k < span; k++)                                                                               \
                out[k] = STORE(LOAD(in[k]) * a + b);                                                                         \
        }                                                                                                                    \
    }

#define ELEMENT_f32(i) in[i]
#define SQUARE_f32(i) (in[i] - mean) * (in[i] - mean)
#define ELEMENT_f64(i) in[i]
#define SQUARE_f64(i) (in[i] - mean) * (in[i] - mean)
#define ELEMENT_f16(i) (float)in[i]
#define SQUARE_f16(i) ((float)in[i] - mean) * ((float)in[i] - mean)
#define ELEMENT_bf16(i) rt_bf16_to_float(in[i])
#define SQUARE_bf16(i) (rt_bf16_to_float(in[i]) - mean) * (rt_bf16_to_float(in[i]) - mean)
LOOPS(f32, float, float, SAME, SAME)
LOOPS(f64, double, double, SAME, SAME)
LOOPS(f16, _Float16, float, (float), (_Float16))
LOOPS(bf16, uint16_t, float, rt_bf16_to_float, rt_float_to_bf16)

#define GRADIENTS(NAME, T, V, LOAD, STORE)                                                                                   \
    /* With y the normalized values and g the gradient times the weight: (g - mean(g) - y * mean(g * y)) * scale. */         \
    RT_CLONES static void row_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                                        \
    {                                                                                                                        \
        const rt_row_gradients *p = ctx;                                                                                     \
        int64_t width = p->width;                                                                                            \
        const V *weight = (const V *)p->weight;                                                                              \
        for (int64_t row = begin; row < end; row++) {                                                                        \
            const T *in = (const T *)p->in + row * width, *grad = (const T *)p->grad + row * width;                          \
            T *out = (T *)p->out + row * width;                                                                              \
            V mean = ((const V *)p->mean)[row], scale = ((const V *)p->scale)[row], sum, products;                           \
            if (weight != NULL) {                                                                                            \
                SUM_OVER(V, sum, width, GRADIENT_TIMES_WEIGHT_##NAME)                                                        \
                SUM_OVER(V, products, width, WEIGHTED_GRADIENT_TIMES_VALUE_##NAME)                                           \
            } else {                                                                                                         \
                SUM_OVER(V, sum, width, GRADIENT_##NAME)                                                                     \
                SUM_OVER(V, products, width, GRADIENT_TIMES_VALUE_##NAME)                                                    \
            }                                                                                                                \
            V middle = sum / (V)width, slope = products * scale * scale / (V)width;                                          \
            if (weight != NULL)                                                                                              \
                for (int64_t i = 0; i < width; i++)                                                                          \
                    out[i] = STORE((LOAD(grad[i]) * weight[i] - middle - (LOAD(in[i]) - mean) * slope) * scale);             \
            else                                                                                                             \
                for (int64_t i = 0; i < width; i++)                                                                          \
                    out[i] = STORE((LOAD(grad[i]) - middle - (LOAD(in[i]) - mean) * slope) * scale);                         \
        }                                                                                                                    \
    }                                                                                                                        \
    RT_CLONES static void weight_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                                     \
    {                                                                                                                        \
        const rt_row_gradients *p = ctx;                                                                                     \
        for (int64_t piece = begin; piece < end; piece++) {                                                                  \
            int64_t first = piece * RT_WEIGHT_PIECE, rest = p->width - first, n = rest < RT_WEIGHT_PIECE ? rest : RT_WEIGHT_PIECE;\
            V sums[RT_WEIGHT_PIECE] = {0}, products[RT_WEIGHT_PIECE] = {0};                                                  \
            for (int64_t row = 0; row < p->rows; row++) {                                                                    \
                const T *in = (const T *)p->in + row * p->width + first, *grad = (const T *)p->grad + row * p->width + first;\
                V mean = ((const V *)p->mean)[row], scale = ((const V *)p->scale)[row];                                      \
                for (int64_t i = 0; i < n; i++) {                                                                            \
                    sums[i] += LOAD(grad[i]);                                                                                \
                    products[i] += LOAD(grad[i]) * ((LOAD(in[i]) - mean) * scale);                                           \
                }                                                                                                            \
            }                                                                                                                \
            if (p->for_bias != NULL)                                                                                         \
                memcpy((V *)p->for_bias + first, sums, n * sizeof(V));                                                       \
            if (p->for_weight != NULL)                                                                                       \
                memcpy((V *)p->for_weight + first, products, n * sizeof(V));                                                 \
        }                                                                                                                    \
    }

/* Terms of the sums. */
#define GRADIENT_f32(i) grad[i]
#define GRADIENT_TIMES_VALUE_f32(i) grad[i] * (in[i] - mean)
#define GRADIENT_TIMES_WEIGHT_f32(i) grad[i] * weight[i]
#define WEIGHTED_GRADIENT_TIMES_VALUE_f32(i) grad[i] * weight[i] * (in[i] - mean)
#define GRADIENT_f64(i) grad[i]
#define GRADIENT_TIMES_VALUE_f64(i) grad[i] * (in[i] - mean)
#define GRADIENT_TIMES_WEIGHT_f64(i) grad[i] * weight[i]
#define WEIGHTED_GRADIENT_TIMES_VALUE_f64(i) grad[i] * weight[i] * (in[i] - mean)
#define GRADIENT_f16(i) (float)grad[i]
#define GRADIENT_TIMES_VALUE_f16(i) (float)grad[i] * ((float)in[i] - mean)
#define GRADIENT_TIMES_WEIGHT_f16(i) (float)grad[i] * weight[i]
#define WEIGHTED_GRADIENT_TIMES_VALUE_f16(i) (float)grad[i] * weight[i] * ((float)in[i] - mean)
#define GRADIENT_bf16(i) rt_bf16_to_float(grad[i])
#define GRADIENT_TIMES_VALUE_bf16(i) rt_bf16_to_float(grad[i]) * (rt_bf16_to_float(in[i]) - mean)
#define GRADIENT_TIMES_WEIGHT_bf16(i) rt_bf16_to_float(grad[i]) * weight[i]
#define WEIGHTED_GRADIENT_TIMES_VALUE_bf16(i) rt_bf16_to_float(grad[i]) * weight[i] * (rt_bf16_to_float(in[i]) - mean)
GRADIENTS(f32, float, float, SAME, SAME)
GRADIENTS(f64, double, double, SAME, SAME)
GRADIENTS(f16, _Float16, float, (float), (_Float16))
GRADIENTS(bf16, uint16_t, float, rt_bf16_to_float, rt_float_to_bf16)

#define CHOOSE(KIND)                         \
    switch (dtype) {                         \
    case RT_FLOAT32: return KIND##_f32;      \
    case RT_FLOAT64: return KIND##_f64;      \
    case RT_FLOAT16: return KIND##_f16;      \
    case RT_BFLOAT16: return KIND##_bf16;    \
    default: return NULL;                    \
    }
rt_norm_fn rt_normalize_rows_loop(int dtype) { CHOOSE(rows) }
rt_norm_fn rt_channel_moments_loop(int dtype) { CHOOSE(moments) }
rt_norm_fn rt_channel_affine_loop(int dtype) { CHOOSE(affine) }
rt_norm_fn rt_row_gradients_loop(int dtype) { CHOOSE(row_gradients) }
rt_norm_fn rt_weight_gradients_loop(int dtype) { CHOOSE(weight_gradients) }
