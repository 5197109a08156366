/* The loops of tiled_gemm.c for one element type T and one instruction set; included once for each (levels.h). */
#include "kernels/cpu/tile.h"

/* A tile of as many columns as one register has. */
static void NAME(half_tile)(int64_t depth, const T *a, int64_t row_step, int64_t col_step, int64_t rows, const T *panel, T *out, int64_t ldo,
                            T alpha, T beta)
{
    NAME(sums)(ROWS, NAME(LANES), depth, a, row_step, col_step, rows, panel, out, ldo, alpha, beta, NULL);
}

/* A tile of half the rows. */
static void NAME(low_tile)(int64_t depth, const T *a, int64_t row_step, int64_t col_step, int64_t rows, const T *panel, T *out, int64_t ldo,
                           T alpha, T beta)
{
    NAME(sums)(ROWS / 2, NAME(WIDTH), depth, a, row_step, col_step, rows, panel, out, ldo, alpha, beta, NULL);
}

#ifdef HAVE_SHUFFLE
/* to[i][j] = from[j][i], LANES each way: log2(LANES) times the rows of one half are interleaved with those of the other. Rows of `from` are
 * `step` apart, and beyond the last one that one is repeated. */
static inline void NAME(turn)(const T *from, int64_t step, int64_t last, T *to)
{
    enum { N = NAME(LANES) };
    typedef __typeof__((NAME(vec)){0} == (NAME(vec)){0}) places;
    places low, high;
    NAME(vec) r[N], s[N];
    for (int i = 0; i < N; i++) {
        low[i] = i / 2 + i % 2 * N;
        high[i] = N / 2 + i / 2 + i % 2 * N;
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; i++)
        r[i] = *(const NAME(vec) *)(from + (i < last ? i : last) * step);
#pragma GCC unroll 4
    for (int w = N; w > 1; w /= 2) {
#pragma GCC unroll 8
        for (int i = 0; i < N / 2; i++) {
            s[2 * i] = __builtin_shuffle(r[i], r[i + N / 2], low);
            s[2 * i + 1] = __builtin_shuffle(r[i], r[i + N / 2], high);
        }
#pragma GCC unroll 16
        for (int i = 0; i < N; i++)
            r[i] = s[i];
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; i++)
        *(NAME(vec) *)(to + i * NAME(WIDTH)) = r[i];
}
#endif

/* panel[depth][WIDTH] = b[depth][columns]. What stands behind the columns is not used, but must be no trap. */
static void NAME(pack_right)(const T *b, int64_t row_step, int64_t col_step, int64_t depth, int64_t columns, T *panel)
{
    enum { N = NAME(LANES), W = NAME(WIDTH) };
    int64_t done = 0;
    if (col_step == 1 && columns == W) {
        for (; done < depth; done++)
            memcpy(panel + done * W, b + done * row_step, W * sizeof(T));
        return;
    }
#ifdef HAVE_SHUFFLE
    if (row_step == 1)
        for (; done + N <= depth; done += N)
            for (int64_t j = 0; j < columns; j += N)
                NAME(turn)(b + done + j * col_step, col_step, columns - j - 1, panel + done * W + j);
#endif
    for (; done < depth; done++) {
        for (int64_t j = 0; j < columns; j++)
            panel[done * W + j] = b[done * row_step + j * col_step];
        for (int64_t j = columns; j < W; j++)
            panel[done * W + j] = 0;
    }
}

/* A block of a, close together: lines that are a power of two apart would meet in a few places of the cache. */
static void NAME(pack_left)(const T *a, int64_t rows, int64_t depth, int64_t *row_step, int64_t *col_step, T *left)
{
    int by_columns = *row_step == 1 && *col_step != 1;
    int64_t lines = by_columns ? depth : rows, length = by_columns ? rows : depth;
    int64_t line_step = by_columns ? *col_step : *row_step, step = by_columns ? *row_step : *col_step, pitch = length + NAME(LANES);
    for (int64_t i = 0; i < lines; i++, a += line_step, left += pitch) {
        if (step == 1)
            memcpy(left, a, length * sizeof(T));
        else
            for (int64_t j = 0; j < length; j++)
                left[j] = a[j * step];
    }
    *row_step = by_columns ? 1 : pitch;
    *col_step = by_columns ? pitch : 1;
}

/* Tasks are blocks of the result. */
static void NAME(blocks)(int64_t begin, int64_t end, void *ctx)
{
    enum { W = NAME(WIDTH) };
    const tiled_gemm *g = ctx;
    T panel[DEPTH * W] __attribute__((aligned(VECTOR))), held[ROWS * W] __attribute__((aligned(VECTOR)));
    T *left = g->packs_left ? malloc((size_t)(g->high + NAME(LANES)) * (DEPTH + NAME(LANES)) * sizeof(T)) : NULL; /* else it is slower */
    for (int64_t block = begin; block < end; block++) {
        int64_t top = block / g->across * g->high, bottom = top + g->high < g->c.rows ? top + g->high : g->c.rows;
        int64_t first = block % g->across * g->wide, last = first + g->wide < g->c.cols ? first + g->wide : g->c.cols;
        for (int64_t k = 0; k < g->a.cols; k += DEPTH) {
            int64_t depth = g->a.cols - k < DEPTH ? g->a.cols - k : DEPTH;
            const T *a = (const T *)g->a.data + top * g->a.row_step + k * g->a.col_step;
            int64_t row_step = g->a.row_step, col_step = g->a.col_step;
            T alpha = (T)g->alpha, beta = k == 0 ? (T)g->beta : 1;
            if (left != NULL) {
                NAME(pack_left)(a, bottom - top, depth, &row_step, &col_step, left);
                a = left;
            }
            for (int64_t j = first; j < last; j += W) {
                int64_t columns = last - j < W ? last - j : W;
                NAME(pack_right)((const T *)g->b.data + k * g->b.row_step + j * g->b.col_step, g->b.row_step, g->b.col_step, depth, columns, panel);
                for (int64_t i = top; i < bottom; i += ROWS) {
                    int64_t rows = bottom - i < ROWS ? bottom - i : ROWS;
                    const T *from = a + (i - top) * row_step;
                    T *out = (T *)g->c.data + i * g->c.row_step + j;
                    T *to = columns == W || columns == NAME(LANES) ? out : held;
                    int64_t ldo = to == out ? g->c.row_step : W;
                    T keep = to == out ? beta : 0;
                    if (columns <= NAME(LANES))
                        NAME(half_tile)(depth, from, row_step, col_step, rows, panel, to, ldo, alpha, keep);
                    else if (rows <= ROWS / 2)
                        NAME(low_tile)(depth, from, row_step, col_step, rows, panel, to, ldo, alpha, keep);
                    else
                        NAME(tile)(depth, from, row_step, col_step, rows, panel, to, ldo, alpha, keep, NULL);
                    if (to == out)
                        continue;
                    for (int64_t r = 0; r < rows; r++)
                        for (int64_t q = 0; q < columns; q++)
                            out[r * g->c.row_step + q] = held[r * W + q] + (beta != 0 ? beta * out[r * g->c.row_step + q] : 0);
                }
            }
        }
    }
    free(left);
}
