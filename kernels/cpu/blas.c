/* Products of strided matrices: BLAS for floating and complex types, own loops for small matrices, integers and half types.
 *
 * The BLAS functions are SciPy's (scipy.linalg.cython_blas), fetched by pointer at the first use, Fortran calling convention. They are
 * column-major: a row-major product is asked for as its transpose. Half types are widened to float, multiplied, and rounded once.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/blas.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/halves.h"

#include <complex.h>
#include <stdlib.h>

typedef void (*gemm_fn)(char *ta, char *tb, int *m, int *n, int *k, void *alpha, void *a, int *lda, void *b, int *ldb, void *beta, void *c,
                        int *ldc);
typedef void (*gemv_fn)(char *t, int *m, int *n, void *alpha, void *a, int *lda, void *x, int *incx, void *beta, void *y, int *incy);
static gemm_fn sgemm, dgemm, cgemm, zgemm;
static gemv_fn sgemv, dgemv;
static int fetched;

static int fetch(PyObject *table, const char *name, void *out)
{
    PyObject *capsule = PyDict_GetItemString(table, name);
    if (capsule == NULL) {
        PyErr_Format(PyExc_ImportError, "scipy.linalg.cython_blas offers no %s", name);
        return -1;
    }
    void *function = PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule));
    memcpy(out, &function, sizeof(function));
    return function == NULL ? -1 : 0;
}

int rt_blas_ready(void)
{
    if (RT_LIKELY(fetched))
        return 0;
    PyObject *module = PyImport_ImportModule("scipy.linalg.cython_blas");
    PyObject *table = module != NULL ? PyObject_GetAttrString(module, "__pyx_capi__") : NULL;
    int rc = table == NULL || fetch(table, "sgemm", &sgemm) < 0 || fetch(table, "dgemm", &dgemm) < 0 || fetch(table, "cgemm", &cgemm) < 0 ||
                     fetch(table, "zgemm", &zgemm) < 0 || fetch(table, "sgemv", &sgemv) < 0 || fetch(table, "dgemv", &dgemv) < 0
                 ? -1
                 : 0;
    Py_XDECREF(table);
    Py_XDECREF(module);
    fetched = rc == 0;
    return rc;
}

int rt_read_factor(PyObject *number, rt_factor *out)
{
    out->im = 0;
    if (PyLong_Check(number)) {
        if (rt_as_int64(number, &out->i) < 0)
            return -1;
        out->re = (double)out->i;
    } else if (PyComplex_Check(number)) {
        Py_complex z = PyComplex_AsCComplex(number);
        out->re = z.real;
        out->im = z.imag;
        out->i = 0;
    } else {
        if (rt_as_double(number, &out->re) < 0)
            return -1;
        out->i = out->re > -9.2e18 && out->re < 9.2e18 ? (int64_t)out->re : 0;
    }
    return 0;
}

int rt_has_gemm(int dtype)
{
    return dtype <= RT_FLOAT64 || dtype == RT_BFLOAT16 || dtype == RT_COMPLEX64 || dtype == RT_COMPLEX128;
}

/* ---------------------------------------------------------------------------------------------------------------- small products
 * Four rows by sixteen columns of accumulators stay in registers; b's rows must be contiguous. */

/* Whole blocks of 8 x 16 elements as vectors of the compiler's, which stay in registers; eight sums hide the latency of one. b's and c's
 * rows are contiguous. */
#define EACH_ROW(_) _(0) _(1) _(2) _(3) _(4) _(5) _(6) _(7)
#define BLOCK_GEMM(NAME, T)                                                                                                              \
    typedef T NAME##_row __attribute__((vector_size(16 * sizeof(T)), aligned(sizeof(T))));                                               \
    RT_CLONES static void NAME(const T *a, int64_t ars, int64_t acs, const T *b, int64_t brs, T *c, int64_t crs, int64_t m, int64_t n,   \
                               int64_t k, int64_t batches, const int64_t *steps)                                                         \
    {                                                                                                                                    \
        for (; batches > 0; batches--, a += steps[0], b += steps[1], c += steps[2])                                                      \
            for (int64_t j = 0; j < n; j += 16)                                                                                          \
                for (int64_t i = 0; i < m; i += 8) {                                                                                     \
                    const T *col = a + i * ars, *row = b + j;                                                                            \
                    NAME##_row s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};                           \
                    for (int64_t p = 0; p < k; p++, col += acs, row += brs) {                                                            \
                        NAME##_row r = *(const NAME##_row *)row;                                                                         \
                        EACH_ROW(ADD_PRODUCT)                                                                                            \
                    }                                                                                                                    \
                    T *out = c + i * crs + j;                                                                                            \
                    STORE_ROW(NAME, 0) STORE_ROW(NAME, 1) STORE_ROW(NAME, 2) STORE_ROW(NAME, 3)                                          \
                    STORE_ROW(NAME, 4) STORE_ROW(NAME, 5) STORE_ROW(NAME, 6) STORE_ROW(NAME, 7)                                          \
                }                                                                                                                        \
    }
#define ADD_PRODUCT(q) s##q += col[q * ars] * r;
#define STORE_ROW(NAME, q) *(NAME##_row *)(out + q * crs) = s##q;
BLOCK_GEMM(block_f32, float)
BLOCK_GEMM(block_f64, double)

void rt_block_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, int64_t batches, const int64_t *steps)
{
    if (dtype == RT_FLOAT32)
        block_f32((float *)a.data, a.row_step, a.col_step, (float *)b.data, b.row_step, (float *)c.data, c.row_step, c.rows, c.cols, a.cols,
                  batches, steps);
    else
        block_f64((double *)a.data, a.row_step, a.col_step, (double *)b.data, b.row_step, (double *)c.data, c.row_step, c.rows, c.cols,
                  a.cols, batches, steps);
}

#define SMALL_GEMM(NAME, T)                                                                                                              \
    RT_CLONES static void NAME(                                   \
        const T *a, int64_t ars, int64_t acs, const T *b, int64_t brs, T *c, int64_t crs, int64_t m, int64_t n, int64_t k, T alpha,      \
        T beta)                                                                                                                          \
    {                                                                                                                                    \
        for (int64_t j = 0; j < n; j += 16) {                                                                                            \
            int64_t width = n - j < 16 ? n - j : 16;                                                                                     \
            for (int64_t i = 0; i < m; i += 4) {                                                                                         \
                int64_t height = m - i < 4 ? m - i : 4;                                                                                  \
                T acc[4][16] = {{0}};                                                                                                    \
                if (width == 16 && height == 4) {                                                                                        \
                    for (int64_t p = 0; p < k; p++) {                                                                                    \
                        const T *row = b + p * brs + j, *col = a + i * ars + p * acs;                                                    \
                        T a0 = col[0], a1 = col[ars], a2 = col[2 * ars], a3 = col[3 * ars];                                              \
                        for (int q = 0; q < 16; q++) {                                                                                   \
                            acc[0][q] += a0 * row[q];                                                                                    \
                            acc[1][q] += a1 * row[q];                                                                                    \
                            acc[2][q] += a2 * row[q];                                                                                    \
                            acc[3][q] += a3 * row[q];                                                                                    \
                        }                                                                                                                \
                    }                                                                                                                    \
                } else {                                                                                                                 \
                    for (int64_t p = 0; p < k; p++)                                                                                      \
                        for (int64_t r = 0; r < height; r++) {                                                                           \
                            T x = a[(i + r) * ars + p * acs];                                                                            \
                            for (int64_t q = 0; q < width; q++)                                                                          \
                                acc[r][q] += x * b[p * brs + j + q];                                                                     \
                        }                                                                                                                \
                }                                                                                                                        \
                for (int64_t r = 0; r < height; r++) {                                                                                   \
                    T *out = c + (i + r) * crs + j;                                                                                      \
                    if (beta == 0)                                                                                                       \
                        for (int64_t q = 0; q < width; q++)                                                                              \
                            out[q] = alpha * acc[r][q];                                                                                  \
                    else                                                                                                                 \
                        for (int64_t q = 0; q < width; q++)                                                                              \
                            out[q] = alpha * acc[r][q] + beta * out[q];                                                                  \
                }                                                                                                                        \
            }                                                                                                                            \
        }                                                                                                                                \
    }
SMALL_GEMM(small_f32, float)
SMALL_GEMM(small_f64, double)

/* -------------------------------------------------------------------------------------------------------------------------- BLAS */

static char *copied(rt_matrix x, int itemsize)
{
    int64_t sizes[2] = {x.rows, x.cols}, to[2] = {x.cols, 1}, from[2] = {x.row_step, x.col_step};
    char *copy = malloc((size_t)x.rows * x.cols * itemsize + 1);
    if (copy != NULL)
        rt_copy_elements(2, sizes, copy, to, x.data, from, itemsize);
    return copy;
}

/* How BLAS is told about a matrix: its row-major memory is the transpose of what column-major BLAS sees. 'N' where rows are contiguous,
 * 'T' where columns are, 0 where neither is. */
static char orientation(const rt_matrix *x, int *lead)
{
    int64_t limit = INT32_MAX;
    if ((x->cols <= 1 || x->col_step == 1) && (x->rows <= 1 || (x->row_step >= x->cols && x->row_step > 0)) && x->row_step <= limit) {
        *lead = x->rows > 1 ? (int)x->row_step : x->cols > 1 ? (int)x->cols : 1;
        return 'N';
    }
    if ((x->rows <= 1 || x->row_step == 1) && (x->cols <= 1 || (x->col_step >= x->rows && x->col_step > 0)) && x->col_step <= limit) {
        *lead = x->cols > 1 ? (int)x->col_step : x->rows > 1 ? (int)x->rows : 1;
        return 'T';
    }
    return 0;
}

static rt_matrix transposed(rt_matrix x)
{
    rt_matrix t = {x.data, x.cols, x.rows, x.col_step, x.row_step};
    return t;
}

static int blas_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, rt_factor alpha, rt_factor beta)
{
    int itemsize = rt_itemsize[dtype], lda, ldb, ldc, rc = -1;
    char *a_copy = NULL, *b_copy = NULL, *c_copy = NULL;
    rt_matrix target = c;
    char tc = orientation(&c, &ldc);
    if (tc != 'N') {
        c_copy = copied(c, itemsize);
        if (c_copy == NULL)
            goto done;
        c.data = c_copy;
        c.row_step = c.cols;
        c.col_step = 1;
        ldc = (int)c.cols;
    }
    char ta = orientation(&a, &lda), tb = orientation(&b, &ldb);
    if (ta == 0) {
        a_copy = copied(a, itemsize);
        if (a_copy == NULL)
            goto done;
        a.data = a_copy;
        lda = (int)a.cols;
        ta = 'N';
    }
    if (tb == 0) {
        b_copy = copied(b, itemsize);
        if (b_copy == NULL)
            goto done;
        b.data = b_copy;
        ldb = (int)b.cols;
        tb = 'N';
    }
    int m = (int)c.rows, n = (int)c.cols, k = (int)a.cols;
    switch (dtype) {
    case RT_FLOAT32: {
        float x = (float)alpha.re, y = (float)beta.re;
        sgemm(&tb, &ta, &n, &m, &k, &x, b.data, &ldb, a.data, &lda, &y, c.data, &ldc);
        break;
    }
    case RT_FLOAT64: dgemm(&tb, &ta, &n, &m, &k, &alpha.re, b.data, &ldb, a.data, &lda, &beta.re, c.data, &ldc); break;
    case RT_COMPLEX64: {
        float x[2] = {(float)alpha.re, (float)alpha.im}, y[2] = {(float)beta.re, (float)beta.im};
        cgemm(&tb, &ta, &n, &m, &k, x, b.data, &ldb, a.data, &lda, y, c.data, &ldc);
        break;
    }
    default: {
        double x[2] = {alpha.re, alpha.im}, y[2] = {beta.re, beta.im};
        zgemm(&tb, &ta, &n, &m, &k, x, b.data, &ldb, a.data, &lda, y, c.data, &ldc);
    }
    }
    if (c_copy != NULL) {
        int64_t sizes[2] = {c.rows, c.cols}, to[2] = {target.row_step, target.col_step}, from[2] = {c.cols, 1};
        rt_copy_elements(2, sizes, target.data, to, c_copy, from, itemsize);
    }
    rc = 0;
done:
    free(a_copy);
    free(b_copy);
    free(c_copy);
    return rc;
}

/* ----------------------------------------------------------------------------------------------------------- integers, half types */

/* Arithmetic modulo the type's range, in unsigned integers: overflow wraps. */
/* Four rows by two registers of AVX-512 of sums; what does not fill such tiles goes row by row. */
#define INTEGER_GEMM(NAME, T)                                                                                        \
    typedef T NAME##_row __attribute__((vector_size(128), aligned(sizeof(T))));                                      \
    RT_CLONES static void NAME##_rest(rt_matrix a, rt_matrix b, rt_matrix c, T alpha, T beta)                        \
    {                                                                                                                \
        enum { WIDTH = 256 };                                                                                        \
        T acc[WIDTH];                                                                                                \
        for (int64_t j = 0; j < c.cols; j += WIDTH) {                                                                \
            int64_t width = c.cols - j < WIDTH ? c.cols - j : WIDTH;                                                 \
            for (int64_t i = 0; i < c.rows; i++) {                                                                   \
                for (int64_t q = 0; q < width; q++)                                                                  \
                    acc[q] = 0;                                                                                      \
                for (int64_t p = 0; p < a.cols; p++) {                                                               \
                    T x = ((const T *)a.data)[i * a.row_step + p * a.col_step];                                      \
                    const T *row = (const T *)b.data + p * b.row_step + j * b.col_step;                              \
                    for (int64_t q = 0; q < width; q++)                                                              \
                        acc[q] = (T)(acc[q] + (uint64_t)x * row[q * b.col_step]);                                    \
                }                                                                                                    \
                T *out = (T *)c.data + i * c.row_step + j * c.col_step;                                              \
                for (int64_t q = 0; q < width; q++)                                                                  \
                    out[q * c.col_step] = (T)((uint64_t)alpha * acc[q] + (beta ? (uint64_t)beta * out[q * c.col_step] : 0)); \
            }                                                                                                        \
        }                                                                                                            \
    }                                                                                                                \
    RT_CLONES static void NAME(rt_matrix a, rt_matrix b, rt_matrix c, T alpha, T beta)                               \
    {                                                                                                                \
        enum { HEIGHT = 4, WIDTH = 128 / sizeof(T) };                                                                \
        int64_t rows = b.col_step == 1 ? c.rows / HEIGHT * HEIGHT : 0, cols = rows > 0 ? c.cols / WIDTH * WIDTH : 0; \
        for (int64_t j = 0; j < cols; j += WIDTH)                                                                    \
            for (int64_t i = 0; i < rows; i += HEIGHT) {                                                             \
                const T *col = (const T *)a.data + i * a.row_step, *row = (const T *)b.data + j;                     \
                NAME##_row s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                                                   \
                for (int64_t p = 0; p < a.cols; p++, col += a.col_step, row += b.row_step) {                         \
                    NAME##_row r = *(const NAME##_row *)row;                                                         \
                    s0 += col[0] * r;                                                                                \
                    s1 += col[a.row_step] * r;                                                                       \
                    s2 += col[2 * a.row_step] * r;                                                                   \
                    s3 += col[3 * a.row_step] * r;                                                                   \
                }                                                                                                    \
                NAME##_row tile[HEIGHT] = {s0, s1, s2, s3};                                                          \
                for (int64_t q = 0; q < HEIGHT; q++) {                                                               \
                    T *out = (T *)c.data + (i + q) * c.row_step + j * c.col_step;                                    \
                    for (int64_t k = 0; k < WIDTH; k++)                                                              \
                        out[k * c.col_step] = (T)((uint64_t)alpha * tile[q][k] + (beta ? (uint64_t)beta * out[k * c.col_step] : 0)); \
                }                                                                                                    \
            }                                                                                                        \
        rt_matrix right = b, below = a, to = c;                                                                      \
        right.data += cols * b.col_step * (int64_t)sizeof(T);                                                        \
        right.cols = to.cols = c.cols - cols;                                                                        \
        to.data += cols * c.col_step * (int64_t)sizeof(T);                                                           \
        NAME##_rest(a, right, to, alpha, beta);                                                                      \
        below.data += rows * a.row_step * (int64_t)sizeof(T);                                                        \
        to = c;                                                                                                      \
        to.data += rows * c.row_step * (int64_t)sizeof(T);                                                           \
        below.rows = to.rows = c.rows - rows;                                                                        \
        b.cols = to.cols = cols;                                                                                     \
        NAME##_rest(below, b, to, alpha, beta);                                                                      \
    }
INTEGER_GEMM(gemm_i8, uint8_t)
INTEGER_GEMM(gemm_i16, uint16_t)
INTEGER_GEMM(gemm_i32, uint32_t)
INTEGER_GEMM(gemm_i64, uint64_t)

/* A copy of a matrix in float32, turned as the matrix is. */
static float *widened(rt_matrix *x, int dtype)
{
    int by_columns = x->col_step != 1 && x->row_step == 1;
    int64_t lines = by_columns ? x->cols : x->rows, length = by_columns ? x->rows : x->cols;
    int64_t line_step = by_columns ? x->col_step : x->row_step, step = by_columns ? x->row_step : x->col_step;
    float *copy = malloc((size_t)x->rows * x->cols * sizeof(float) + 1);
    if (copy == NULL)
        return NULL;
    for (int64_t i = 0; i < lines; i++)
        rt_widen(dtype, x->data + i * line_step * 2, step, copy + i * length, length);
    x->data = (char *)copy;
    x->row_step = by_columns ? 1 : length;
    x->col_step = by_columns ? length : 1;
    return copy;
}

static int half_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, rt_factor alpha, rt_factor beta)
{
    rt_matrix out = c;
    float *wa = widened(&a, dtype), *wb = widened(&b, dtype), *wc = widened(&c, dtype);
    int rc = wa == NULL || wb == NULL || wc == NULL ? -1 : rt_gemm(RT_FLOAT32, a, b, c, alpha, beta);
    for (int64_t i = 0; rc == 0 && i < out.rows; i++)
        rt_narrow(dtype, wc + i * out.cols, out.data + i * out.row_step * 2, out.col_step, out.cols);
    free(wa);
    free(wb);
    free(wc);
    return rc;
}

/* c = beta * c, for products over no elements, or with a factor of 0. */
static void scale(int dtype, rt_matrix c, rt_factor beta)
{
    int itemsize = rt_itemsize[dtype];
    for (int64_t i = 0; i < c.rows; i++) {
        for (int64_t j = 0; j < c.cols; j++) {
            char *p = c.data + (i * c.row_step + j * c.col_step) * itemsize;
            if (beta.re == 0 && beta.im == 0) {
                memset(p, 0, itemsize);
                continue;
            }
            switch (dtype) {
            case RT_FLOAT32: *(float *)p *= (float)beta.re; break;
            case RT_FLOAT64: *(double *)p *= beta.re; break;
            case RT_COMPLEX64: *(float complex *)p *= (float)beta.re + (float)beta.im * I; break;
            case RT_COMPLEX128: *(double complex *)p *= beta.re + beta.im * I; break;
            case RT_FLOAT16: case RT_BFLOAT16: {
                float wide;
                rt_widen(dtype, p, 1, &wide, 1);
                wide *= (float)beta.re;
                rt_narrow(dtype, &wide, p, 1, 1);
                break;
            }
            case RT_UINT8: case RT_INT8: *(uint8_t *)p = (uint8_t)(*(uint8_t *)p * (uint64_t)beta.i); break;
            case RT_INT16: *(uint16_t *)p = (uint16_t)(*(uint16_t *)p * (uint64_t)beta.i); break;
            case RT_INT32: *(uint32_t *)p = (uint32_t)(*(uint32_t *)p * (uint64_t)beta.i); break;
            default: *(uint64_t *)p *= (uint64_t)beta.i;
            }
        }
    }
}

/* Products of which one side is a vector, by functions of BLAS that read the matrix once. */
static int vector_product(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, rt_factor alpha, rt_factor beta)
{
    rt_matrix m = c.cols == 1 ? a : transposed(b), x = c.cols == 1 ? b : transposed(a), y = c.cols == 1 ? c : transposed(c);
    int lead;
    char t = orientation(&m, &lead);
    if (t == 0 || x.row_step < 1 || x.row_step > INT32_MAX || y.row_step < 1 || y.row_step > INT32_MAX || m.rows > INT32_MAX || m.cols > INT32_MAX)
        return blas_gemm(dtype, a, b, c, alpha, beta);
    /* Column-major memory of m's transpose, or of m. */
    int rows = (int)(t == 'N' ? m.cols : m.rows), cols = (int)(t == 'N' ? m.rows : m.cols), x_step = (int)x.row_step, y_step = (int)y.row_step;
    float narrow[2] = {(float)alpha.re, (float)beta.re};
    t = t == 'N' ? 'T' : 'N';
    if (beta.re == 0) { /* libraries differ on what 0 makes of a NaN in y */
        scale(dtype, c, beta);
        beta.re = narrow[1] = 1;
    }
    if (dtype == RT_FLOAT32)
        sgemv(&t, &rows, &cols, &narrow[0], m.data, &lead, x.data, &x_step, &narrow[1], y.data, &y_step);
    else
        dgemv(&t, &rows, &cols, &alpha.re, m.data, &lead, x.data, &x_step, &beta.re, y.data, &y_step);
    return 0;
}

int rt_gemm(int dtype, rt_matrix a, rt_matrix b, rt_matrix c, rt_factor alpha, rt_factor beta)
{
    if (c.rows == 0 || c.cols == 0)
        return 0;
    if (a.cols == 0 || (alpha.re == 0 && alpha.im == 0)) { /* a factor of 0 hides NaN */
        scale(dtype, c, beta);
        return 0;
    }
    if (c.col_step != 1 && c.row_step == 1) {
        /* c's transpose has contiguous rows: ask for that. */
        rt_matrix left = transposed(b);
        b = transposed(a);
        a = left;
        c = transposed(c);
    }
    switch (dtype) {
    case RT_FLOAT32:
    case RT_FLOAT64:
        if (c.rows <= RT_SMALL_GEMM && c.cols <= RT_SMALL_GEMM && a.cols <= RT_SMALL_GEMM && b.col_step == 1 && c.col_step == 1) {
            if (dtype == RT_FLOAT32)
                small_f32((float *)a.data, a.row_step, a.col_step, (float *)b.data, b.row_step, (float *)c.data, c.row_step, c.rows, c.cols,
                          a.cols, (float)alpha.re, (float)beta.re);
            else
                small_f64((double *)a.data, a.row_step, a.col_step, (double *)b.data, b.row_step, (double *)c.data, c.row_step, c.rows,
                          c.cols, a.cols, alpha.re, beta.re);
            return 0;
        }
        if (c.rows == 1 || c.cols == 1)
            return vector_product(dtype, a, b, c, alpha, beta);
        if (c.col_step == 1 && rt_tiled_gemm(dtype, a, b, c, alpha.re, beta.re))
            return 0;
        return blas_gemm(dtype, a, b, c, alpha, beta);
    case RT_COMPLEX64:
    case RT_COMPLEX128: return blas_gemm(dtype, a, b, c, alpha, beta);
    case RT_FLOAT16:
    case RT_BFLOAT16: return half_gemm(dtype, a, b, c, alpha, beta);
    case RT_UINT8:
    case RT_INT8: gemm_i8(a, b, c, (uint8_t)alpha.i, (uint8_t)beta.i); return 0;
    case RT_INT16: gemm_i16(a, b, c, (uint16_t)alpha.i, (uint16_t)beta.i); return 0;
    case RT_INT32: gemm_i32(a, b, c, (uint32_t)alpha.i, (uint32_t)beta.i); return 0;
    default: gemm_i64(a, b, c, (uint64_t)alpha.i, (uint64_t)beta.i); return 0;
    }
}

/* --------------------------------------------------------------------------------------------------------------- dot of two vectors */

#define DOT_LANES(T, ACC, A, B)                                                            \
    {                                                                                      \
        ACC lane[16] = {0};                                                                \
        int64_t i = 0;                                                                     \
        if (a_step == 1 && b_step == 1)                                                    \
            for (; i + 16 <= n; i += 16)                                                   \
                for (int q = 0; q < 16; q++)                                               \
                    lane[q] += (ACC)A(((const T *)a)[i + q]) * (ACC)B(((const T *)b)[i + q]); \
        for (; i < n; i++)                                                                 \
            lane[0] += (ACC)A(((const T *)a)[i * a_step]) * (ACC)B(((const T *)b)[i * b_step]); \
        for (int w = 8; w > 0; w /= 2)                                                     \
            for (int q = 0; q < w; q++)                                                    \
                lane[q] += lane[q + w];                                                    \
        *(T *)out = (T)lane[0];                                                            \
        break;                                                                             \
    }
#define SAME(x) (x)

RT_CLONES void
rt_dot(int dtype, int64_t n, const char *a, int64_t a_step, const char *b, int64_t b_step, int conjugate, char *out)
{
    switch (dtype) {
    case RT_FLOAT32: DOT_LANES(float, float, SAME, SAME)
    case RT_FLOAT64: DOT_LANES(double, double, SAME, SAME)
    case RT_COMPLEX64:
        if (conjugate)
            DOT_LANES(float complex, float complex, conjf, SAME)
        DOT_LANES(float complex, float complex, SAME, SAME)
    case RT_COMPLEX128:
        if (conjugate)
            DOT_LANES(double complex, double complex, conj, SAME)
        DOT_LANES(double complex, double complex, SAME, SAME)
    case RT_FLOAT16: DOT_LANES(_Float16, float, SAME, SAME)
    case RT_BFLOAT16: {
        float sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += rt_bf16_to_float(*(const uint16_t *)(a + 2 * i * a_step)) * rt_bf16_to_float(*(const uint16_t *)(b + 2 * i * b_step));
        *(uint16_t *)out = rt_float_to_bf16(sum);
        break;
    }
    case RT_UINT8: case RT_INT8: DOT_LANES(uint8_t, uint64_t, SAME, SAME)
    case RT_INT16: DOT_LANES(uint16_t, uint64_t, SAME, SAME)
    case RT_INT32: DOT_LANES(uint32_t, uint64_t, SAME, SAME)
    default: DOT_LANES(uint64_t, uint64_t, SAME, SAME)
    }
}
