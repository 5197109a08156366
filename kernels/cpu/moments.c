/* Variance, standard deviation and mean of them: var, std, var_mean and std_mean.
 *
 * Elements are read in blocks that stay in the cache: one pass finds a block's mean, a second one the squares of deviations from it, and
 * what the rounding of that mean left is taken out again. Blocks are merged in double precision (Chan, Golub and LeVeque). A complex
 * number has the variances of its two parts added: it is read as two columns of reals.
 */
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/element.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/threads.h"

#include <math.h>

enum { COLUMNS = 64, ROWS = 64, BLOCK = 1024, PIECES = 64 };

/* Count, mean and sum of squared deviations of what was read so far. */
typedef struct moments {
    double n, mean, squares;
} moments;

static inline void merge(moments *m, double n, double mean, double squares)
{
    double total = m->n + n, delta = mean - m->mean;
    if (m->n == 0) {
        *m = (moments){n, mean, squares};
        return;
    }
    m->squares += squares + delta * delta * (m->n * n / total);
    m->mean += delta * (n / total);
    m->n = total;
}

/* Squares of floats outside of this range are formed again in double precision: they lost digits, or all of themselves. */
#define SAFE(squares) ((squares) > 1e-30 && (squares) < INFINITY)

#define LOOPS(S, T)                                                                                        \
    static void careful_##S(const T *p, int64_t n, int64_t step, moments *m)                               \
    {                                                                                                      \
        double sum = 0, rest = 0, squares = 0;                                                             \
        for (int64_t i = 0; i < n; i++)                                                                    \
            sum += p[i * step];                                                                            \
        double mean = sum / n;                                                                             \
        if (isinf(mean)) { /* as element after element comes to it; there is no deviation from it */       \
            for (int64_t i = 0; i < n; i++)                                                                \
                merge(m, 1, p[i * step], p[i * step] - p[i * step]);                                       \
            return;                                                                                        \
        }                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                  \
            double d = p[i * step] - mean;                                                                 \
            rest += d;                                                                                     \
            squares += d * d;                                                                              \
        }                                                                                                  \
        merge(m, (double)n, mean + rest / n, squares - rest * rest / n);                                   \
    }                                                                                                      \
    RT_CLONES static void block_##S(const T *p, int64_t n, moments *m)                                     \
    {                                                                                                      \
        T sum = 0, rest = 0, squares = 0;                                                                  \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++) sum += p[i];                \
        T mean = sum / (T)n;                                                                               \
        _Pragma("omp simd reduction(+ : rest, squares)") for (int64_t i = 0; i < n; i++)                   \
        {                                                                                                  \
            T d = p[i] - mean;                                                                             \
            rest += d;                                                                                     \
            squares += d * d;                                                                              \
        }                                                                                                  \
        if (SAFE(squares))                                                                                 \
            merge(m, (double)n, (double)mean + (double)rest / n, (double)squares - (double)rest * rest / n); \
        else                                                                                               \
            careful_##S(p, n, 1, m);                                                                       \
    }                                                                                                      \
    static void lane_##S(const void *data, int64_t at, int64_t n, moments *m)                              \
    {                                                                                                      \
        const T *p = (const T *)data + at;                                                                 \
        for (int64_t i = 0; i < n; i += BLOCK)                                                             \
            block_##S(p + i, n - i < BLOCK ? n - i : BLOCK, m);                                            \
    }                                                                                                      \
    RT_CLONES static void rows_##S(const void *data, int64_t at, int64_t n, int64_t step, int cols, moments *m) \
    {                                                                                                      \
        for (int64_t from = 0; from < n; from += ROWS) {                                                   \
            const T *p = (const T *)data + at + from * step;                                               \
            int64_t rows = n - from < ROWS ? n - from : ROWS;                                              \
            T mean[COLUMNS] = {0}, rest[COLUMNS] = {0}, squares[COLUMNS] = {0};                            \
            for (int64_t i = 0; i < rows; i++)                                                             \
                for (int c = 0; c < cols; c++)                                                             \
                    mean[c] += p[i * step + c];                                                            \
            for (int c = 0; c < cols; c++)                                                                 \
                mean[c] /= (T)rows;                                                                        \
            for (int64_t i = 0; i < rows; i++)                                                             \
                for (int c = 0; c < cols; c++) {                                                           \
                    T d = p[i * step + c] - mean[c];                                                       \
                    rest[c] += d;                                                                          \
                    squares[c] += d * d;                                                                   \
                }                                                                                          \
            for (int c = 0; c < cols; c++) {                                                               \
                if (SAFE(squares[c]))                                                                      \
                    merge(m + c, (double)rows, (double)mean[c] + (double)rest[c] / rows,                   \
                          (double)squares[c] - (double)rest[c] * rest[c] / rows);                          \
                else                                                                                       \
                    careful_##S(p + c, rows, step, m + c);                                                 \
            }                                                                                              \
        }                                                                                                  \
    }
LOOPS(f32, float)
LOOPS(f64, double)

typedef struct job {
    const char *in;
    int doubles;             /* elements of the loops are double, else float */
    int parts;               /* 2 where neighbouring columns are the parts of one number */
    int64_t n, inner, blocks; /* inner: columns; blocks of them */
    double divisor;
    int root, dtype; /* dtype of the results' parts */
    char *var, *mean; /* mean may be NULL */
    moments pieces[PIECES];
    int64_t piece;
} job;

/* The results of `cols` columns, of which the first is number `at`. */
static void finish(const job *j, const moments *m, int64_t at, int cols)
{
    for (int c = 0; c < cols; c += j->parts) {
        double var = 0;
        for (int k = 0; k < j->parts; k++) {
            var += (m[c + k].squares < 0 ? 0 : m[c + k].squares) / j->divisor;
            if (j->mean != NULL)
                rt_store_float(j->mean + (at + c + k) * rt_itemsize[j->dtype], j->dtype, j->n > 0 ? m[c + k].mean : NAN);
        }
        rt_store_float(j->var + (at + c) / j->parts * rt_itemsize[j->dtype], j->dtype, j->n == 0 ? NAN : j->root ? sqrt(var) : var);
    }
}

static void run_blocks(int64_t begin, int64_t end, void *ctx)
{
    const job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        moments m[COLUMNS] = {{0}};
        int64_t first = i % j->blocks * COLUMNS, outer = i / j->blocks, at = outer * j->n * j->inner + first;
        int cols = (int)(j->inner - first < COLUMNS ? j->inner - first : COLUMNS);
        if (j->inner == 1)
            (j->doubles ? lane_f64 : lane_f32)(j->in, at, j->n, m);
        else
            (j->doubles ? rows_f64 : rows_f32)(j->in, at, j->n, j->inner, cols, m);
        finish(j, m, outer * j->inner + first, cols);
    }
}

static void run_pieces(int64_t begin, int64_t end, void *ctx)
{
    job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t from = i * j->piece, n = j->n - from < j->piece ? j->n - from : j->piece;
        (j->doubles ? lane_f64 : lane_f32)(j->in, from, n, &j->pieces[i]);
    }
}

static void run(job *j, int64_t outer)
{
    int64_t numel = outer * j->n * j->inner, count = outer * j->blocks;
    if (numel < RT_GRAIN) {
        run_blocks(0, count, j);
        return;
    }
    RT_BEGIN_LOOP_WITHOUT_GIL
    if (outer == 1 && j->inner == 1) {
        j->piece = (j->n / PIECES + BLOCK) / BLOCK * BLOCK;
        count = (j->n + j->piece - 1) / j->piece;
        rt_parallel_for(count, RT_GRAIN / j->piece + 1, run_pieces, j);
        for (int64_t width = 1; width < count; width *= 2)
            for (int64_t i = 0; i + width < count; i += 2 * width) {
                const moments *other = &j->pieces[i + width];
                merge(&j->pieces[i], other->n, other->mean, other->squares);
            }
        finish(j, j->pieces, 0, 1);
    } else {
        rt_parallel_for(count, RT_GRAIN / (numel / count) + 1, run_blocks, j);
    }
    RT_END_LOOP_WITHOUT_GIL
}

/* The tensor's elements with the reduced dimensions as one: as they lie where that is possible, else copied so that those come last. */
static RtTensor *arranged(RtTensor *self, uint64_t mask, rt_lanes *lanes)
{
    int64_t sizes[RT_MAX_DIM], from[RT_MAX_DIM], to[RT_MAX_DIM];
    int n = 0, stage = 0, adjacent = rt_is_contiguous(self);
    *lanes = (rt_lanes){1, 1, 1};
    for (int d = 0; d < self->ndim; d++) {
        if (self->sizes[d] == 1)
            continue;
        int reduced = mask >> d & 1;
        if (reduced)
            lanes->n *= self->sizes[d];
        else if (stage == 0)
            lanes->outer *= self->sizes[d];
        else
            lanes->inner *= self->sizes[d];
        adjacent &= !(reduced && stage == 2);
        stage = reduced ? 1 : stage == 1 ? 2 : stage;
    }
    if (adjacent)
        return RT_TENSOR(Py_NewRef((PyObject *)self));
    lanes->outer *= lanes->inner;
    lanes->inner = 1;
    for (int reduced = 0; reduced < 2; reduced++)
        for (int d = 0; d < self->ndim; d++)
            if ((int)(mask >> d & 1) == reduced) {
                sizes[n] = self->sizes[d];
                from[n++] = self->strides[d];
            }
    RtTensor *copy = rt_empty(n, sizes, self->dtype, self->device_type, self->device_index);
    if (copy == NULL)
        return NULL;
    rt_contiguous_strides(n, sizes, to);
    rt_copy_elements(n, sizes, rt_data(copy), to, rt_data(self), from, rt_itemsize[self->dtype]);
    return copy;
}

static int check_dtype(const RtTensor *self, int with_mean, const char *name)
{
    if ((rt_is_floating(self->dtype) && rt_itemsize[self->dtype] > 1) || self->dtype == RT_COMPLEX64 || self->dtype == RT_COMPLEX128)
        return 0;
    if (rt_is_floating(self->dtype))
        PyErr_Format(PyExc_NotImplementedError, "\"std_cpu\" not implemented for '%s'", rt_dtype_title(self->dtype));
    else if (with_mean)
        PyErr_Format(PyExc_RuntimeError, "%s only support floating point and complex dtypes", name);
    else
        PyErr_SetString(PyExc_RuntimeError, "std and var only support floating point and complex dtypes");
    return -1;
}

static int fill_from_all(RtTensor *self, uint64_t mask, double divisor, int root, RtTensor *var, RtTensor *mean)
{
    int half = rt_itemsize[self->dtype] == 2, parts = rt_is_complex(self->dtype) ? 2 : 1, rc = -1;
    rt_lanes lanes;
    RtTensor *wide = half ? rt_cast(self, RT_FLOAT32) : RT_TENSOR(Py_NewRef((PyObject *)self));
    RtTensor *in = wide != NULL ? arranged(wide, mask, &lanes) : NULL;
    if (in != NULL) {
        job j = {.in = rt_data(in), .doubles = self->dtype == RT_FLOAT64 || self->dtype == RT_COMPLEX128, .parts = parts,
                 .n = lanes.n, .divisor = divisor, .root = root, .dtype = var->dtype, .var = rt_data(var),
                 .mean = mean != NULL ? rt_data(mean) : NULL};
        j.inner = lanes.inner * j.parts;
        j.blocks = (j.inner + COLUMNS - 1) / COLUMNS;
        run(&j, lanes.outer);
        rc = 0;
    }
    Py_XDECREF((PyObject *)wide);
    Py_XDECREF((PyObject *)in);
    return rc;
}

/* A result for a tensor of which some kept dimensions are read once, made as wide as `to`. */
static void spread(RtTensor *from, RtTensor *to)
{
    int64_t strides[RT_MAX_DIM];
    for (int d = 0; d < to->ndim; d++)
        strides[d] = from->sizes[d] == to->sizes[d] ? from->strides[d] : 0;
    rt_copy_elements(to->ndim, to->sizes, rt_data(to), to->strides, rt_data(from), strides, rt_itemsize[to->dtype]);
}

/* Fill var and mean (which may be NULL) from self: 0, or -1 with an exception set.
 *
 * Dimensions along which self is expanded are read once, for a copy would be as large as they pretend to be: reduced ones multiply the sum of
 * squares and the number of elements alike, kept ones repeat the result. */
static int fill(RtTensor *self, uint64_t mask, double divisor, int root, RtTensor *var, RtTensor *mean)
{
    int64_t once[RT_MAX_DIM], sizes[RT_MAX_DIM];
    int expanded = 0, repeats = 0, n = 0, keeps = var->ndim == self->ndim;
    for (int d = 0; d < self->ndim; d++) {
        int reduced = mask >> d & 1;
        once[d] = self->sizes[d];
        if (self->strides[d] == 0 && self->sizes[d] > 1) {
            once[d] = 1;
            expanded = 1;
            repeats |= !reduced;
            divisor /= reduced ? (double)self->sizes[d] : 1;
        }
        if (!reduced || keeps)
            sizes[n++] = reduced ? 1 : once[d];
    }
    if (!expanded)
        return fill_from_all(self, mask, divisor, root, var, mean);
    RtTensor *narrow = rt_alias(self, self->ndim, once, self->strides, self->offset), *v = NULL, *m = NULL;
    int rc = -1;
    if (narrow != NULL && !repeats) {
        rc = fill_from_all(narrow, mask, divisor, root, var, mean);
    } else if (narrow != NULL && (v = rt_empty(n, sizes, var->dtype, RT_DEVICE_CPU, var->device_index)) != NULL &&
               (mean == NULL || (m = rt_empty(n, sizes, mean->dtype, RT_DEVICE_CPU, mean->device_index)) != NULL)) {
        rc = fill_from_all(narrow, mask, divisor, root, v, m);
        if (rc == 0)
            spread(v, var);
        if (rc == 0 && m != NULL)
            spread(m, mean);
    }
    Py_XDECREF((PyObject *)narrow);
    Py_XDECREF((PyObject *)v);
    Py_XDECREF((PyObject *)m);
    return rc;
}

/* args: self, dim, correction, keepdim. */
static PyObject *deviation(PyObject *const *args, int root, int with_mean, const char *name)
{
    RtTensor *self = RT_TENSOR(args[0]);
    reduce_dims dims = {.keepdim = rt_as_bool(args[3])};
    rt_out_spec spec;
    uint64_t all = self->ndim < 64 ? (1ull << self->ndim) - 1 : ~0ull;
    double correction = args[2] == Py_None ? 1 : PyFloat_AsDouble(args[2]), n = 1;
    if ((correction == -1 && PyErr_Occurred()) || check_dtype(self, with_mean, name) < 0)
        return NULL;
    dims.mask = all;
    if (args[1] != Py_None && PyTuple_GET_SIZE(args[1]) > 0 && rt_dim_mask(args[1], self->ndim, &dims.mask) < 0)
        return NULL;
    dims.mask &= all;
    rt_reduced_sizes(self, &dims, &spec);
    for (int d = 0; d < self->ndim; d++)
        if (dims.mask >> d & 1)
            n *= (double)self->sizes[d];
    RtTensor *var = rt_empty(spec.ndim, spec.sizes, rt_real_of(self->dtype), self->device_type, self->device_index), *mean = NULL;
    if (var == NULL)
        return NULL;
    if (with_mean && (mean = rt_empty(spec.ndim, spec.sizes, self->dtype, self->device_type, self->device_index)) == NULL)
        goto fail;
    if (self->device_type != RT_DEVICE_META) {
        if (rt_check_cpu(self, name) < 0)
            goto fail;
        if (n - correction <= 0 &&
            PyErr_WarnFormat(PyExc_UserWarning, 1,
                             "%s(): degrees of freedom is <= 0. Correction should be strictly less than the reduction factor (input numel "
                             "divided by output numel).",
                             name) < 0)
            goto fail;
        if (var->numel > 0 && fill(self, dims.mask, n > correction ? n - correction : 0, root, var, mean) < 0)
            goto fail;
    }
    if (!with_mean)
        return (PyObject *)var;
    PyObject *both = PyTuple_New(2);
    if (both == NULL)
        goto fail;
    PyTuple_SET_ITEM(both, 0, (PyObject *)var);
    PyTuple_SET_ITEM(both, 1, (PyObject *)mean);
    return both;
fail:
    Py_DECREF((PyObject *)var);
    Py_XDECREF((PyObject *)mean);
    return NULL;
}

RT_KERNEL(var_correction) { return deviation(args, 0, 0, "var"); }
RT_KERNEL(std_correction) { return deviation(args, 1, 0, "std"); }
RT_KERNEL(var_mean_correction) { return deviation(args, 0, 1, "var_mean"); }
RT_KERNEL(std_mean_correction) { return deviation(args, 1, 1, "std_mean"); }
