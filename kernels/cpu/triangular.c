/* Triangular systems of float32 and float64 as products: half of the unknowns, then what they leave to the other half (rt_gemm). Called as
 * BLAS's trsm is. BLAS wakes its threads for systems of a few dozen unknowns, which on a busy machine costs a hundred times their solution.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/triangular.h"

#include "kernels/cpu/element.h"

enum { ORDER = 16, COLUMNS = 64 };

/* `lower` and `unit` say of the triangle of a what stands in it; b becomes the solution. */
typedef struct triangle {
    int dtype, lower, unit;
} triangle;

#define FEW_UNKNOWNS(NAME, T)                                                                                           \
    RT_CLONES static void NAME(triangle t, rt_matrix a, rt_matrix b)                                                    \
    {                                                                                                                   \
        T x[ORDER][COLUMNS];                                                                                            \
        for (int64_t first = 0; first < b.cols; first += COLUMNS) {                                                     \
            int64_t cols = b.cols - first < COLUMNS ? b.cols - first : COLUMNS;                                         \
            T *from = (T *)b.data + first * b.col_step;                                                                 \
            for (int64_t c = 0; c < cols; c++)                                                                          \
                for (int64_t r = 0; r < a.rows; r++)                                                                    \
                    x[r][c] = from[r * b.row_step + c * b.col_step];                                                    \
            for (int64_t step = 0; step < a.rows; step++) {                                                             \
                int64_t i = t.lower ? step : a.rows - 1 - step;                                                         \
                const T *row = (const T *)a.data + i * a.row_step;                                                      \
                for (int64_t done = 0; done < step; done++) {                                                           \
                    int64_t k = t.lower ? done : a.rows - 1 - done;                                                     \
                    T factor = row[k * a.col_step];                                                                     \
                    for (int64_t c = 0; c < cols; c++)                                                                  \
                        x[i][c] -= factor * x[k][c];                                                                    \
                }                                                                                                       \
                for (int64_t c = 0; c < cols && !t.unit; c++)                                                           \
                    x[i][c] /= row[i * a.col_step];                                                                     \
            }                                                                                                           \
            for (int64_t c = 0; c < cols; c++)                                                                          \
                for (int64_t r = 0; r < a.rows; r++)                                                                    \
                    from[r * b.row_step + c * b.col_step] = x[r][c];                                                    \
        }                                                                                                               \
    }
FEW_UNKNOWNS(few_f32, float)
FEW_UNKNOWNS(few_f64, double)

static rt_matrix part(int dtype, rt_matrix m, int64_t row, int64_t rows, int64_t col, int64_t cols)
{
    m.data += (row * m.row_step + col * m.col_step) * rt_itemsize[dtype];
    m.rows = rows;
    m.cols = cols;
    return m;
}

static void solve(triangle t, rt_matrix a, rt_matrix b)
{
    const rt_factor one = {1, 0, 1}, minus_one = {-1, 0, -1};
    int64_t n = a.rows, half = (n / 2 + ORDER - 1) / ORDER * ORDER;
    if (n <= ORDER) {
        if (t.dtype == RT_FLOAT32)
            few_f32(t, a, b);
        else
            few_f64(t, a, b);
        return;
    }
    int64_t top = t.lower ? 0 : half, rows = t.lower ? half : n - half; /* of the part that comes first */
    int64_t rest = half - top, others = n - rows;
    rt_matrix known = part(t.dtype, b, top, rows, 0, b.cols), unknown = part(t.dtype, b, rest, others, 0, b.cols);
    solve(t, part(t.dtype, a, top, rows, top, rows), known);
    rt_gemm(t.dtype, part(t.dtype, a, rest, others, top, rows), known, unknown, minus_one, one);
    solve(t, part(t.dtype, a, rest, others, rest, others), unknown);
}

static void trsm(int dtype, const char *side, const char *uplo, const char *trans, const char *diag, int m, int n, void *a, int lda, void *b,
                 int ldb)
{
    int from_left = *side == 'L', order = from_left ? m : n;
    rt_matrix left = {a, order, order, 1, lda}, right = {b, m, n, 1, ldb};
    triangle t = {dtype, *uplo == 'L', *diag == 'U'};
    if (!from_left) /* X A = B is A^T X^T = B^T */
        right = (rt_matrix){b, n, m, ldb, 1};
    if ((*trans != 'N') == from_left) {
        left = (rt_matrix){a, order, order, lda, 1};
        t.lower = !t.lower;
    }
    solve(t, left, right);
}

void rt_trsm_f32(char *side, char *uplo, char *trans, char *diag, int *m, int *n, void *alpha, void *a, int *lda, void *b, int *ldb)
{
    (void)alpha;
    trsm(RT_FLOAT32, side, uplo, trans, diag, *m, *n, a, *lda, b, *ldb);
}

void rt_trsm_f64(char *side, char *uplo, char *trans, char *diag, int *m, int *n, void *alpha, void *a, int *lda, void *b, int *ldb)
{
    (void)alpha;
    trsm(RT_FLOAT64, side, uplo, trans, diag, *m, *n, a, *lda, b, *ldb);
}
