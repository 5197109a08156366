/* Samples of images at places that a grid gives: grid_sampler in two and three dimensions, and its gradients.
 *
 * Along each dimension of the space a sample is a weighted sum of one, two or four places (taps); over all dimensions of up to 16. Samples
 * are made a block at a time: first the offsets and weights of the block's taps, then a sum for each channel, so that what a grid costs is
 * paid once for all channels and the innermost loop runs over samples.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/loops.h"

enum { LINEAR, NEAREST, CUBIC };
enum { ZEROS, BORDER, REFLECTION };
enum { BLOCK = 64, MOST_TAPS = 16 };

/* What both loops are given: the geometry [batch, channels, depth, height, width, samples of an item]; mode, padding, align_corners, space. */
typedef struct grid_request {
    int64_t channels, samples, sizes[3];
    int mode, padding, align, space;
} grid_request;

static grid_request read_request(const rt_loop_arg *given)
{
    const int64_t *shape = (const int64_t *)given[0].memory;
    return (grid_request){
        .channels = shape[1],
        .sizes = {shape[2], shape[3], shape[4]},
        .samples = shape[5],
        .mode = (int)given[1].number,
        .padding = (int)given[2].number,
        .align = (int)given[3].number,
        .space = (int)given[4].number,
    };
}

/* Whole numbers of places are kept in int32, to become vector code: images are smaller, and what lies beyond is outside all the same. */
#define FAR 1e9

#define LOOPS(NAME, T, FLOOR, RINT, FMOD, FABS)                                                             \
    /* The taps of one sample along one dimension. */                                                       \
    typedef struct taps_##NAME {                                                                            \
        int count, place[4]; /* -1: outside of the image */                                                 \
        T weight[4], slope[4]; /* the weight's derivative by the coordinate that the place was made of */                       \
    } taps_##NAME;                                                                                          \
    /* A block of samples: elements of the image (-1: none) and weights, a row for each tap. */             \
    typedef struct block_##NAME {                                                                           \
        int taps;                                                                                           \
        int64_t at[MOST_TAPS][BLOCK];                                                                       \
        T weight[MOST_TAPS][BLOCK], slope[3][MOST_TAPS][BLOCK], total[3][BLOCK];                            \
    } block_##NAME;                                                                                         \
    static T reflected_##NAME(T x, T low, T span)                                                           \
    {                                                                                                       \
        T away = FABS(x - low), rest = FMOD(away, span);                                                    \
        return FMOD(FLOOR(away / span), (T)2) == 0 ? rest + low : span - rest + low;                        \
    }                                                                                                       \
    /* A place moved as the padding has it. NaN becomes 0 unless the padding is zeros. */                   \
    static T moved_##NAME(T x, int64_t size, const grid_request *q)                                         \
    {                                                                                                       \
        if (q->padding == ZEROS)                                                                            \
            return x;                                                                                       \
        if (q->padding == REFLECTION) {                                                                     \
            T low = q->align ? (T)0 : (T)-0.5, span = (T)(q->align ? size - 1 : size);                      \
            x = span != 0 ? reflected_##NAME(x, low, span) : 0;                                             \
        }                                                                                                   \
        return x > 0 ? (x < (T)(size - 1) ? x : (T)(size - 1)) : 0;                                         \
    }                                                                                                       \
    /* The derivative of what moved_ gives by what it is given. */                                          \
    static T turned_##NAME(T x, int64_t size, const grid_request *q)                                        \
    {                                                                                                       \
        T sign = 1;                                                                                         \
        if (q->padding == ZEROS)                                                                            \
            return 1;                                                                                       \
        if (q->padding == REFLECTION) {                                                                     \
            T low = q->align ? (T)0 : (T)-0.5, span = (T)(q->align ? size - 1 : size);                      \
            if (span == 0)                                                                                  \
                return 0;                                                                                   \
            sign = (x < low) != (FMOD(FLOOR(FABS(x - low) / span), (T)2) == 1) ? -1 : 1;                    \
            x = reflected_##NAME(x, low, span);                                                             \
        }                                                                                                   \
        return x > 0 && x < (T)(size - 1) ? sign : 0;                                                       \
    }                                                                                                       \
    static int place_##NAME(T x, int64_t size) { return x >= 0 && x < (T)size && x < (T)FAR ? (int)x : -1; } \
    static void set_taps_##NAME(taps_##NAME *t, T x, int64_t size, const grid_request *q)                   \
    {                                                                                                       \
        T step = (T)(q->align ? size - 1 : size) / 2;                                                       \
        if (q->mode == CUBIC) {                                                                             \
            T low = FLOOR(x), u = x - low, v = 1 - u, a = (T)-0.75;                                         \
            t->count = 4;                                                                                   \
            t->weight[0] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;                     \
            t->weight[1] = ((a + 2) * u - (a + 3)) * u * u + 1;                                             \
            t->weight[2] = ((a + 2) * v - (a + 3)) * v * v + 1;                                             \
            t->weight[3] = ((a * (v + 1) - 5 * a) * (v + 1) + 8 * a) * (v + 1) - 4 * a;                     \
            t->slope[0] = step * ((3 * a * (u + 1) - 10 * a) * (u + 1) + 8 * a);                            \
            t->slope[1] = step * ((3 * (a + 2) * u - 2 * (a + 3)) * u);                                     \
            t->slope[2] = -step * ((3 * (a + 2) * v - 2 * (a + 3)) * v);                                    \
            t->slope[3] = -step * ((3 * a * (v + 1) - 10 * a) * (v + 1) + 8 * a);                           \
            for (int k = 0; k < 4; k++)                                                                     \
                t->place[k] = place_##NAME(moved_##NAME(low + (T)(k - 1), size, q), size);                  \
            return;                                                                                         \
        }                                                                                                   \
        step *= turned_##NAME(x, size, q);                                                                  \
        x = moved_##NAME(x, size, q);                                                                       \
        if (q->mode == NEAREST) {                                                                           \
            t->count = 1;                                                                                   \
            t->place[0] = place_##NAME(RINT(x), size);                                                      \
            t->weight[0] = 1;                                                                               \
            t->slope[0] = 0;                                                                                \
            return;                                                                                         \
        }                                                                                                   \
        T low = FLOOR(x), part = x - low;                                                                   \
        t->count = 2;                                                                                       \
        t->place[0] = place_##NAME(low, size);                                                              \
        t->place[1] = place_##NAME(low + 1, size);                                                          \
        t->weight[0] = 1 - part;                                                                            \
        t->weight[1] = part;                                                                                \
        t->slope[0] = -step;                                                                                \
        t->slope[1] = step;                                                                                 \
    }                                                                                                       \
    /* `grid` has the places of n samples in the image, the one along the last dimension first. */          \
    static void set_block_##NAME(block_##NAME *b, const T *grid, int64_t n, const grid_request *q, int slopes) \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++) {                                                                   \
            taps_##NAME z = {.count = 1, .weight = {1}}, y, x;                                              \
            const T *at = grid + s * q->space;                                                              \
            set_taps_##NAME(&x, at[0], q->sizes[2], q);                                                     \
            set_taps_##NAME(&y, at[1], q->sizes[1], q);                                                     \
            if (q->space == 3)                                                                              \
                set_taps_##NAME(&z, at[2], q->sizes[0], q);                                                 \
            int tap = 0;                                                                                    \
            for (int i = 0; i < z.count; i++)                                                               \
                for (int j = 0; j < y.count; j++)                                                           \
                    for (int k = 0; k < x.count; k++, tap++) {                                              \
                        int inside = z.place[i] >= 0 && y.place[j] >= 0 && x.place[k] >= 0;                 \
                        b->at[tap][s] = inside ? (z.place[i] * q->sizes[1] + y.place[j]) * q->sizes[2] + x.place[k] : -1; \
                        b->weight[tap][s] = z.weight[i] * y.weight[j] * x.weight[k];                        \
                        if (slopes) {                                                                       \
                            b->slope[0][tap][s] = z.weight[i] * y.weight[j] * x.slope[k];                   \
                            b->slope[1][tap][s] = z.weight[i] * y.slope[j] * x.weight[k];                   \
                            b->slope[2][tap][s] = z.slope[i] * y.weight[j] * x.weight[k];                   \
                        }                                                                                   \
                    }                                                                                       \
            b->taps = tap;                                                                                  \
        }                                                                                                   \
    }                                                                                                       \
    RT_CLONES static void add_tap_##NAME(T *sums, const T *image, const int64_t *at, const T *weight, int64_t n, int fresh) \
    {                                                                                                       \
        if (fresh)                                                                                          \
            for (int64_t s = 0; s < n; s++)                                                                 \
                sums[s] = (at[s] >= 0 ? image[at[s]] : 0) * weight[s];                                      \
        else                                                                                                \
            for (int64_t s = 0; s < n; s++)                                                                 \
                sums[s] += (at[s] >= 0 ? image[at[s]] : 0) * weight[s];                                     \
    }                                                                                                       \
    /* The nearest element itself, without a weight. */                                                     \
    static void take_##NAME(T *out, const T *image, const int64_t *at, int64_t n)                           \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++)                                                                     \
            out[s] = at[s] >= 0 ? image[at[s]] : 0;                                                         \
    }                                                                                                       \
    /* shape (of grid_request), mode, padding, align, space, image, grid [batch, samples, space], out [batch, channels, samples]: over \
     * the blocks of all items. */                                                                          \
    void rt_loop_grid_sample_##NAME(int64_t begin, int64_t end, void *ctx)                                  \
    {                                                                                                       \
        const rt_loop_arg *given = ctx;                                                                     \
        grid_request q = read_request(given);                                                               \
        int64_t blocks = (q.samples + BLOCK - 1) / BLOCK, plane = q.sizes[0] * q.sizes[1] * q.sizes[2];     \
        block_##NAME b;                                                                                     \
        for (int64_t i = begin; i < end; i++) {                                                             \
            int64_t item = i / blocks, first = i % blocks * BLOCK, n = q.samples - first < BLOCK ? q.samples - first : BLOCK; \
            const T *image = (const T *)given[5].memory + item * q.channels * plane;                        \
            T *out = (T *)given[7].memory + item * q.channels * q.samples + first;                          \
            set_block_##NAME(&b, (const T *)given[6].memory + (item * q.samples + first) * q.space, n, &q, 0); \
            for (int64_t c = 0; c < q.channels; c++, image += plane, out += q.samples) {                    \
                if (b.taps == 1)                                                                            \
                    take_##NAME(out, image, b.at[0], n);                                                    \
                for (int t = 0; b.taps > 1 && t < b.taps; t++)                                              \
                    add_tap_##NAME(out, image, b.at[t], b.weight[t], n, t == 0);                            \
            }                                                                                               \
        }                                                                                                   \
    }                                                                                                       \
    RT_CLONES static void add_slopes_##NAME(block_##NAME *b, int d, int t, const T *image, const T *grad, int64_t n) \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++)                                                                     \
            b->total[d][s] += (b->at[t][s] >= 0 ? image[b->at[t][s]] : 0) * b->slope[d][t][s] * grad[s];    \
    }                                                                                                       \
    static void spread_##NAME(T *to, const int64_t *at, const T *weight, const T *grad, int64_t n)          \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++)                                                                     \
            if (at[s] >= 0)                                                                                 \
                to[at[s]] += grad[s] * weight[s];                                                           \
    }                                                                                                       \
    /* The same up to the grid; then grad [batch, channels, samples], of_image (zeros; None: not wanted), of_grid (as large as the \
     * grid; not written where the mode is nearest): over items. */                                        \
    void rt_loop_grid_sample_gradients_##NAME(int64_t begin, int64_t end, void *ctx)                        \
    {                                                                                                       \
        const rt_loop_arg *given = ctx;                                                                     \
        grid_request q = read_request(given);                                                               \
        int64_t plane = q.sizes[0] * q.sizes[1] * q.sizes[2];                                               \
        int slopes = q.mode != NEAREST;                                                                     \
        block_##NAME b;                                                                                     \
        for (int64_t item = begin; item < end; item++)                                                      \
            for (int64_t first = 0; first < q.samples; first += BLOCK) {                                    \
                int64_t n = q.samples - first < BLOCK ? q.samples - first : BLOCK, at_grid = (item * q.samples + first) * q.space; \
                set_block_##NAME(&b, (const T *)given[6].memory + at_grid, n, &q, slopes);                  \
                memset(b.total, 0, sizeof b.total);                                                         \
                for (int64_t c = item * q.channels; c < (item + 1) * q.channels; c++) {                     \
                    const T *grad = (const T *)given[7].memory + c * q.samples + first, *image = (const T *)given[5].memory + c * plane; \
                    for (int t = 0; t < b.taps; t++) {                                                      \
                        if (given[8].memory != NULL)                                                        \
                            spread_##NAME((T *)given[8].memory + c * plane, b.at[t], b.weight[t], grad, n); \
                        for (int d = 0; slopes && d < q.space; d++)                                         \
                            add_slopes_##NAME(&b, d, t, image, grad, n);                                    \
                    }                                                                                       \
                }                                                                                           \
                for (int64_t s = 0; slopes && s < n; s++)                                                   \
                    for (int d = 0; d < q.space; d++)                                                       \
                        ((T *)given[9].memory)[at_grid + s * q.space + d] = b.total[d][s];                  \
            }                                                                                               \
    }
LOOPS(f32, float, floorf, rintf, fmodf, fabsf)
LOOPS(f64, double, floor, rint, fmod, fabs)
