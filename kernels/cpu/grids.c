/* Samples of images at places that a grid gives: grid_sampler in two and three dimensions, and its gradients.
 *
 * Along each dimension of the space a sample is a weighted sum of one, two or four places (taps); over all dimensions of up to 16. Samples
 * are made a block at a time: first the elements and weights of the block's taps, then a sum for each channel, so that what a grid costs is
 * paid once for all channels, and every innermost loop runs over samples. The elements of an image's channel are numbered in int32.
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

#define INLINE static inline __attribute__((always_inline))

#define LOOPS(NAME, T, FLOOR, RINT, FABS, CLONES)                                                                \
    /* The taps of a block of samples along one dimension. */                                               \
    typedef struct taps_##NAME {                                                                            \
        int count;                                                                                          \
        int32_t place[4][BLOCK]; /* -1: outside of the image */                                             \
        T weight[4][BLOCK], slope[4][BLOCK]; /* the weight's derivative by the coordinate that the place was made of */ \
    } taps_##NAME;                                                                                          \
    /* The taps over all dimensions: elements of the image (-1: none) and weights. */                       \
    typedef struct block_##NAME {                                                                           \
        int taps;                                                                                           \
        int32_t at[MOST_TAPS][BLOCK];                                                                       \
        T weight[MOST_TAPS][BLOCK], slope[3][MOST_TAPS][BLOCK], total[3][BLOCK];                            \
    } block_##NAME;                                                                                         \
    /* A place moved as the padding has it, and the derivative of that. NaN becomes 0 unless the padding is zeros. */ \
    INLINE T moved_##NAME(T x, T last, T low, T span, int padding, T *turn)                                 \
    {                                                                                                       \
        T sign = 1;                                                                                         \
        *turn = 1;                                                                                          \
        if (padding == ZEROS)                                                                               \
            return x;                                                                                       \
        if (padding == REFLECTION) {                                                                        \
            T away = FABS(x - low), both = span + span, rest = both > 0 ? away - FLOOR(away / both) * both : 0; \
            sign = span == 0 ? 0 : (x < low) != (rest >= span) ? -1 : 1;                                    \
            x = span == 0 ? 0 : (rest < both - rest ? rest : both - rest) + low;                            \
        }                                                                                                   \
        *turn = x > 0 && x < last ? sign : 0;                                                               \
        return x > 0 ? (x < last ? x : last) : 0;                                                           \
    }                                                                                                       \
    INLINE int32_t place_##NAME(T x, T size) { return x >= 0 && x < size ? (int32_t)x : -1; }               \
    /* Of a whole block, so that loops have a known length. */                                              \
    CLONES static void set_taps_##NAME(taps_##NAME *t, const T *places, T size, int mode, int padding, int align) \
    {                                                                                                       \
        T last = size - 1, low = align ? (T)0 : (T)-0.5, span = align ? last : size, step = span / 2, turn; \
        if (mode == NEAREST) {                                                                              \
            t->count = 1;                                                                                   \
            for (int64_t s = 0; s < BLOCK; s++) {                                                               \
                t->place[0][s] = place_##NAME(RINT(moved_##NAME(places[s], last, low, span, padding, &turn)), size); \
                t->weight[0][s] = 1;                                                                        \
                t->slope[0][s] = 0;                                                                         \
            }                                                                                               \
        } else if (mode == LINEAR) {                                                                        \
            t->count = 2;                                                                                   \
            for (int64_t s = 0; s < BLOCK; s++) {                                                               \
                T x = moved_##NAME(places[s], last, low, span, padding, &turn), below = FLOOR(x), part = x - below; \
                t->place[0][s] = place_##NAME(below, size);                                                 \
                t->place[1][s] = place_##NAME(below + 1, size);                                             \
                t->weight[0][s] = 1 - part;                                                                 \
                t->weight[1][s] = part;                                                                     \
                t->slope[0][s] = -step * turn;                                                              \
                t->slope[1][s] = step * turn;                                                               \
            }                                                                                               \
        } else {                                                                                            \
            t->count = 4;                                                                                   \
            for (int64_t s = 0; s < BLOCK; s++) {                                                               \
                T x = places[s], below = FLOOR(x), u = x - below, v = 1 - u, a = (T)-0.75;            \
                t->weight[0][s] = ((a * (u + 1) - 5 * a) * (u + 1) + 8 * a) * (u + 1) - 4 * a;              \
                t->weight[1][s] = ((a + 2) * u - (a + 3)) * u * u + 1;                                      \
                t->weight[2][s] = ((a + 2) * v - (a + 3)) * v * v + 1;                                      \
                t->weight[3][s] = ((a * (v + 1) - 5 * a) * (v + 1) + 8 * a) * (v + 1) - 4 * a;              \
                t->slope[0][s] = step * ((3 * a * (u + 1) - 10 * a) * (u + 1) + 8 * a);                     \
                t->slope[1][s] = step * ((3 * (a + 2) * u - 2 * (a + 3)) * u);                              \
                t->slope[2][s] = -step * ((3 * (a + 2) * v - 2 * (a + 3)) * v);                             \
                t->slope[3][s] = -step * ((3 * a * (v + 1) - 10 * a) * (v + 1) + 8 * a);                    \
                for (int k = 0; k < 4; k++)                                                                 \
                    t->place[k][s] = place_##NAME(moved_##NAME(below + (T)(k - 1), last, low, span, padding, &turn), size); \
            }                                                                                               \
        }                                                                                                   \
    }                                                                                                       \
    /* The tap that is made of tap i, j and k of the dimensions. */                                         \
    CLONES static void join_##NAME(block_##NAME *b, const taps_##NAME *z, const taps_##NAME *y, const taps_##NAME *x, int i, int j, int k, \
                                      int32_t height, int32_t width, int slopes)                 \
    {                                                                                                       \
        int tap = b->taps++;                                                                                \
        for (int64_t s = 0; s < BLOCK; s++) {                                                                   \
            int32_t d = z->place[i][s], h = y->place[j][s], w = x->place[k][s];                             \
            b->at[tap][s] = (d | h | w) < 0 ? -1 : (d * height + h) * width + w;                            \
            b->weight[tap][s] = z->weight[i][s] * y->weight[j][s] * x->weight[k][s];                        \
        }                                                                                                   \
        for (int64_t s = 0; slopes && s < BLOCK; s++) {                                                         \
            b->slope[0][tap][s] = z->weight[i][s] * y->weight[j][s] * x->slope[k][s];                       \
            b->slope[1][tap][s] = z->weight[i][s] * y->slope[j][s] * x->weight[k][s];                       \
            b->slope[2][tap][s] = z->slope[i][s] * y->weight[j][s] * x->weight[k][s];                       \
        }                                                                                                   \
    }                                                                                                       \
    /* `grid` has the places of n samples in the image, the one along the last dimension first. */          \
    static void set_block_##NAME(block_##NAME *b, const T *grid, int64_t n, const grid_request *q, int slopes) \
    {                                                                                                       \
        taps_##NAME dims[3];                                                                                \
        for (int d = 0; d < q->space; d++) {                                                                \
            T places[BLOCK];                                                                                \
            for (int64_t s = 0; s < BLOCK; s++)                                                             \
                places[s] = s < n ? grid[s * q->space + d] : 0;                                             \
            set_taps_##NAME(&dims[d], places, (T)q->sizes[2 - d], q->mode, q->padding, q->align);           \
        }                                                                                                   \
        if (q->space == 2) {                                                                                \
            dims[2].count = 1;                                                                              \
            for (int64_t s = 0; s < BLOCK; s++) {                                                           \
                dims[2].place[0][s] = 0;                                                                    \
                dims[2].weight[0][s] = 1;                                                                   \
                dims[2].slope[0][s] = 0;                                                                    \
            }                                                                                               \
        }                                                                                                   \
        b->taps = 0;                                                                                        \
        for (int i = 0; i < dims[2].count; i++)                                                             \
            for (int j = 0; j < dims[1].count; j++)                                                         \
                for (int k = 0; k < dims[0].count; k++)                                                     \
                    join_##NAME(b, &dims[2], &dims[1], &dims[0], i, j, k, (int32_t)q->sizes[1], (int32_t)q->sizes[2], slopes); \
    }                                                                                                       \
    /* What is outside is read as the first element and then not taken, so that loads have no conditions. */ \
    INLINE T element_##NAME(const T *image, int32_t at)                                                     \
    {                                                                                                       \
        T value = image[at < 0 ? 0 : at];                                                                   \
        return at < 0 ? 0 : value;                                                                          \
    }                                                                                                       \
    INLINE void sums_##NAME(T *out, const T *image, const block_##NAME *b, int64_t n, int taps)             \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++) {                                                                   \
            T sum = 0;                                                                                      \
            for (int t = 0; t < taps; t++)                                                                  \
                sum += element_##NAME(image, b->at[t][s]) * b->weight[t][s];                                \
            out[s] = sum;                                                                                   \
        }                                                                                                   \
    }                                                                                                       \
    CLONES static void sample_##NAME(T *out, const T *image, const block_##NAME *b, int64_t n)           \
    {                                                                                                       \
        switch (b->taps) {                                                                                  \
        case 4: sums_##NAME(out, image, b, n, 4); break;                                                    \
        case 8: sums_##NAME(out, image, b, n, 8); break;                                                    \
        case 16: sums_##NAME(out, image, b, n, 16); break;                                                  \
        default:                                                                                            \
            for (int64_t s = 0; s < n; s++) /* the nearest element itself, without a weight */              \
                out[s] = element_##NAME(image, b->at[0][s]);                                                \
        }                                                                                                   \
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
            for (int64_t c = 0; c < q.channels; c++, image += plane, out += q.samples)                      \
                sample_##NAME(out, image, &b, n);                                                           \
        }                                                                                                   \
    }                                                                                                       \
    CLONES static void add_slopes_##NAME(block_##NAME *b, int t, const T *image, const T *grad, int64_t n, int space) \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++) {                                                                   \
            T value = element_##NAME(image, b->at[t][s]) * grad[s];                                         \
            b->total[0][s] += value * b->slope[0][t][s];                                                    \
            b->total[1][s] += value * b->slope[1][t][s];                                                    \
            if (space == 3)                                                                                 \
                b->total[2][s] += value * b->slope[2][t][s];                                                \
        }                                                                                                   \
    }                                                                                                       \
    static void spread_##NAME(T *to, const int32_t *at, const T *weight, const T *grad, int64_t n)          \
    {                                                                                                       \
        for (int64_t s = 0; s < n; s++)                                                                     \
            if (at[s] >= 0)                                                                                 \
                to[at[s]] += grad[s] * weight[s];                                                           \
    }                                                                                                       \
    /* The same up to the grid; then grad [batch, channels, samples], of_image (zeros; None: not wanted), of_grid (as large as the \
     * grid; not written where the mode is nearest): over items. */                                         \
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
                        if (slopes)                                                                         \
                            add_slopes_##NAME(&b, t, image, grad, n, q.space);                              \
                    }                                                                                       \
                }                                                                                           \
                for (int64_t s = 0; slopes && s < n; s++)                                                   \
                    for (int d = 0; d < q.space; d++)                                                       \
                        ((T *)given[9].memory)[at_grid + s * q.space + d] = b.total[d][s];                  \
            }                                                                                               \
    }
LOOPS(f32, float, floorf, rintf, fabsf, RT_CLONES)
LOOPS(f64, double, floor, rint, fabs, )
