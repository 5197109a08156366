/* softmax and log_softmax along one dimension, and their gradients.
 *
 * The innermost dimension goes lane by lane; other dimensions go in blocks of neighbouring lanes, row after row. Half types are computed
 * with as float, a block at a time.
 */
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#include "kernels/cpu/halves.h"
#include "kernels/cpu/lanes.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/cpu/vectors.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

#include <math.h>
#include <stdlib.h>

enum { COLUMNS = 64 };
enum what { SOFTMAX, LOG_SOFTMAX, SOFTMAX_BACKWARD, LOG_SOFTMAX_BACKWARD, KINDS };

/* A function over `n` rows of `cols` lanes; rows are `step` elements apart. The gradients read the gradient of the result from `a` and
 * the result from `b`; the others read `a`. A single lane of neighbouring elements has cols == 1 and step == 1. */
#define LOOPS(S, T, VECTOR, GROUP, EXP, LOG)                                                                      \
    RT_EXTREME_BLOCK(largest_##S, T, VECTOR, >, max)                                                       \
    /* The sum of exp(a[i] - top), and these numbers where there is an output. The last group of a lane is filled up with zeros' logarithms, \
     * so that short lanes are vector code to the end. */                                                 \
    static inline __attribute__((always_inline)) T exps_##S(const T *a, T *out, int64_t n, T top)          \
    {                                                                                                      \
        T sums[GROUP] = {0}, e[GROUP];                                                                     \
        int64_t i = 0;                                                                                     \
        for (; i + GROUP <= n; i += GROUP)                                                                 \
            for (int k = 0; k < GROUP; k++) {                                                              \
                e[k] = EXP(a[i + k] - top);                                                                \
                if (out != NULL)                                                                           \
                    out[i + k] = e[k];                                                                     \
                sums[k] += e[k];                                                                           \
            }                                                                                              \
        int rest = (int)(n - i);                                                                           \
        if (rest > 0) {                                                                                    \
            for (int k = 0; k < GROUP; k++)                                                                \
                e[k] = k < rest ? a[i + k] - top : -INFINITY;                                              \
            for (int k = 0; k < GROUP; k++) {                                                              \
                e[k] = EXP(e[k]);                                                                          \
                sums[k] += e[k];                                                                           \
            }                                                                                              \
            for (int k = 0; k < rest && out != NULL; k++)                                                  \
                out[i + k] = e[k];                                                                         \
        }                                                                                                  \
        for (int width = GROUP / 2; width > 0; width /= 2)                                                 \
            for (int k = 0; k < width; k++)                                                                \
                sums[k] += sums[k + width];                                                                \
        return sums[0];                                                                                    \
    }                                                                                                      \
    RT_CLONES static void softmax_lane_##S(const T *a, const T *b, T *out, int64_t n)                      \
    {                                                                                                      \
        T top;                                                                                             \
        (void)b;                                                                                           \
        largest_##S(a, n, &top);                                                                           \
        T scale = 1 / exps_##S(a, out, n, top);                                                            \
        for (int64_t i = 0; i < n; i++)                                                                    \
            out[i] *= scale;                                                                               \
    }                                                                                                      \
    RT_CLONES static void log_softmax_lane_##S(const T *a, const T *b, T *out, int64_t n)                  \
    {                                                                                                      \
        T top;                                                                                             \
        (void)b;                                                                                           \
        largest_##S(a, n, &top);                                                                           \
        T log_sum = LOG(exps_##S(a, NULL, n, top));                                                        \
        for (int64_t i = 0; i < n; i++)                                                                    \
            out[i] = (a[i] - top) - log_sum;                                                               \
    }                                                                                                      \
    RT_CLONES static void softmax_backward_lane_##S(const T *a, const T *b, T *out, int64_t n)             \
    {                                                                                                      \
        T sum = 0;                                                                                         \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];         \
        for (int64_t i = 0; i < n; i++)                                                                    \
            out[i] = (a[i] - sum) * b[i];                                                                  \
    }                                                                                                      \
    RT_CLONES static void log_softmax_backward_lane_##S(const T *a, const T *b, T *out, int64_t n)         \
    {                                                                                                      \
        T sum = 0;                                                                                         \
        _Pragma("omp simd reduction(+ : sum)") for (int64_t i = 0; i < n; i++) sum += a[i];                \
        for (int64_t i = 0; i < n; i++)                                                                    \
            out[i] = a[i] - EXP(b[i]) * sum;                                                               \
    }                                                                                                      \
    static inline __attribute__((always_inline)) void tops_##S(const T *a, int64_t n, int64_t step, int cols, T *top) \
    {                                                                                                      \
        for (int c = 0; c < cols; c++)                                                                     \
            top[c] = a[c];                                                                                 \
        for (int64_t i = 1; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++) {                                                               \
                T x = a[i * step + c];                                                                     \
                top[c] = x > top[c] ? x : top[c];                                                          \
            }                                                                                              \
    }                                                                                                      \
    RT_CLONES static void softmax_rows_##S(const T *a, const T *b, T *out, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        T top[COLUMNS], sum[COLUMNS] = {0};                                                                \
        (void)b;                                                                                           \
        tops_##S(a, n, step, cols, top);                                                                   \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++) {                                                               \
                T e = EXP(a[i * step + c] - top[c]);                                                       \
                out[i * step + c] = e;                                                                     \
                sum[c] += e;                                                                               \
            }                                                                                              \
        for (int c = 0; c < cols; c++)                                                                     \
            sum[c] = 1 / sum[c];                                                                           \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                out[i * step + c] *= sum[c];                                                               \
    }                                                                                                      \
    RT_CLONES static void log_softmax_rows_##S(const T *a, const T *b, T *out, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        T top[COLUMNS], sum[COLUMNS] = {0};                                                                \
        (void)b;                                                                                           \
        tops_##S(a, n, step, cols, top);                                                                   \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                sum[c] += EXP(a[i * step + c] - top[c]);                                                   \
        for (int c = 0; c < cols; c++)                                                                     \
            sum[c] = LOG(sum[c]);                                                                          \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                out[i * step + c] = (a[i * step + c] - top[c]) - sum[c];                                   \
    }                                                                                                      \
    RT_CLONES static void softmax_backward_rows_##S(const T *a, const T *b, T *out, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        T sum[COLUMNS] = {0};                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                sum[c] += a[i * step + c] * b[i * step + c];                                               \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                out[i * step + c] = (a[i * step + c] - sum[c]) * b[i * step + c];                          \
    }                                                                                                      \
    RT_CLONES static void log_softmax_backward_rows_##S(const T *a, const T *b, T *out, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        T sum[COLUMNS] = {0};                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                sum[c] += a[i * step + c];                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++)                                                                 \
                out[i * step + c] = a[i * step + c] - EXP(b[i * step + c]) * sum[c];                       \
    }                                                                                                      \
    static void (*const lane_##S[KINDS])(const T *, const T *, T *, int64_t) = {                           \
        softmax_lane_##S, log_softmax_lane_##S, softmax_backward_lane_##S, log_softmax_backward_lane_##S}; \
    static void (*const rows_##S[KINDS])(const T *, const T *, T *, int64_t, int64_t, int) = {             \
        softmax_rows_##S, log_softmax_rows_##S, softmax_backward_rows_##S, log_softmax_backward_rows_##S}; \
    static void block_##S(enum what what, const T *a, const T *b, T *out, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        if (step == 1)                                                                                     \
            lane_##S[what](a, b, out, n);                                                                  \
        else                                                                                               \
            rows_##S[what](a, b, out, n, step, cols);                                                      \
    }

LOOPS(f32, float, rt_vector_f32, 16, rt_exp, logf)
LOOPS(f64, double, rt_vector_f64, 1, exp, log)

typedef struct job {
    enum what what;
    int dtype;
    const char *a, *b; /* b is NULL where there is one input */
    char *out;
    int64_t n, inner, blocks; /* blocks of COLUMNS lanes in `inner` */
    int failed;
} job;

static void half_block(const job *j, float *room, int64_t at, int cols)
{
    /* The elements of one lane lie side by side, as those of a row of lanes do. */
    int64_t n = j->n, rows = j->inner == 1 ? 1 : n, width = j->inner == 1 ? n : cols;
    float *a = room, *b = j->b != NULL ? room + n * cols : NULL;
    for (int64_t i = 0; i < rows; i++) {
        rt_widen(j->dtype, (const uint16_t *)j->a + at + i * j->inner, 1, a + i * width, width);
        if (b != NULL)
            rt_widen(j->dtype, (const uint16_t *)j->b + at + i * j->inner, 1, b + i * width, width);
    }
    block_f32(j->what, a, b, a, n, cols, cols);
    for (int64_t i = 0; i < rows; i++)
        rt_narrow(j->dtype, a + i * width, (uint16_t *)j->out + at + i * j->inner, 1, width);
}

static void run_blocks(int64_t begin, int64_t end, void *ctx)
{
    job *j = ctx;
    int half = j->dtype == RT_FLOAT16 || j->dtype == RT_BFLOAT16;
    int64_t widest = j->inner < COLUMNS ? j->inner : COLUMNS;
    float *room = half ? malloc(2 * sizeof(float) * (size_t)(j->n * widest)) : NULL;
    if (half && room == NULL) {
        j->failed = 1;
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % j->blocks * COLUMNS, at = i / j->blocks * j->n * j->inner + first;
        int cols = (int)(j->inner - first < COLUMNS ? j->inner - first : COLUMNS);
        if (j->dtype == RT_FLOAT32)
            block_f32(j->what, (const float *)j->a + at, j->b ? (const float *)j->b + at : NULL, (float *)j->out + at, j->n, j->inner, cols);
        else if (j->dtype == RT_FLOAT64)
            block_f64(j->what, (const double *)j->a + at, j->b ? (const double *)j->b + at : NULL, (double *)j->out + at, j->n, j->inner, cols);
        else
            half_block(j, room, at, cols);
    }
    free(room);
}

/* An exponential costs more than a sum: what an element counts. */
enum { WORK = 8 };

static int run(enum what what, RtTensor *a, RtTensor *b, int64_t dim, RtTensor *out, const char *kernel)
{
    if (rt_check_cpu(a, kernel) < 0 || (b != NULL && rt_check_cpu(b, kernel) < 0))
        return -1;
    if (out->numel == 0)
        return 0;
    rt_lanes lanes = rt_lanes_along(a, dim);
    job j = {.what = what, .dtype = a->dtype, .n = lanes.n, .inner = lanes.inner, .blocks = (lanes.inner + COLUMNS - 1) / COLUMNS};
    RtTensor *from = rt_as_contiguous(a), *other = b != NULL ? rt_as_contiguous(b) : NULL, *to = rt_begin_output(out);
    int ready = from != NULL && (b == NULL || other != NULL) && to != NULL;
    if (ready) {
        j.a = rt_data(from);
        j.b = other != NULL ? rt_data(other) : NULL;
        j.out = rt_data(to);
        rt_run_loop(run_blocks, lanes.outer * j.blocks, WORK * lanes.n * (lanes.inner < COLUMNS ? lanes.inner : COLUMNS), &j);
        if (j.failed) {
            PyErr_NoMemory();
            ready = 0;
        }
    }
    Py_XDECREF((PyObject *)from);
    Py_XDECREF((PyObject *)other);
    if (ready)
        rt_finish_output(out, to);
    else
        Py_XDECREF((PyObject *)to);
    return ready ? 0 : -1;
}

/* ------------------------------------------------------------------------------------------------------------------------- rules */

static int rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || rt_wrap_dim_scalar(dim, self->ndim) < 0)
        return -1;
    rt_set_spec(&c->specs[0], self->dtype, self, self->ndim, self->sizes);
    if (rt_as_bool(c->args[2])) {
        if (self->device_type == RT_DEVICE_CPU) {
            PyErr_SetString(PyExc_RuntimeError, "softmax with half to float conversion is not supported on CPU");
            return -1;
        }
        c->specs[0].dtype = RT_FLOAT32;
    }
    return 0;
}

static int forward(rt_call_frame *c, enum what what, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (!rt_is_floating(self->dtype) || rt_itemsize[self->dtype] < 2) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s_%skernel_impl\" not implemented for '%s'", name,
                     self->ndim == 0 || dim == self->ndim - 1 ? "lastdim_" : "", rt_dtype_title(self->dtype));
        return -1;
    }
    return run(what, self, NULL, dim, c->outs[0], name);
}

static int softmax_cpu(rt_call_frame *c) { return forward(c, SOFTMAX, "softmax"); }
static int log_softmax_cpu(rt_call_frame *c) { return forward(c, LOG_SOFTMAX, "log_softmax"); }

static int backward_rule(rt_call_frame *c)
{
    RtTensor *grad = RT_TENSOR(c->args[0]), *output = RT_TENSOR(c->args[1]);
    int64_t dim;
    if (grad->ndim != output->ndim || memcmp(grad->sizes, output->sizes, grad->ndim * sizeof(int64_t)) != 0) {
        PyObject *first = rt_shape_text(grad->ndim, grad->sizes), *second = rt_shape_text(output->ndim, output->sizes);
        if (first != NULL && second != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "Expected tensor for argument #1 'grad' to have same size as tensor for argument #2 'output'; but %U does not equal "
                         "%U (while checking arguments for softmax_backward)",
                         first, second);
        Py_XDECREF(first);
        Py_XDECREF(second);
        return -1;
    }
    if (rt_as_int64(c->args[2], &dim) < 0 || rt_wrap_dim_scalar(dim, grad->ndim) < 0)
        return -1;
    rt_set_spec(&c->specs[0], grad->dtype, grad, grad->ndim, grad->sizes);
    c->specs[0].dtype = rt_as_dtype(c->args[3], grad->dtype);
    return 0;
}

static int backward(rt_call_frame *c, enum what what, const char *kernel)
{
    RtTensor *grad = RT_TENSOR(c->args[0]), *output = RT_TENSOR(c->args[1]), *out = c->outs[0];
    int64_t dim;
    if (rt_as_int64(c->args[2], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, grad->ndim)) < 0)
        return -1;
    if (grad->dtype != output->dtype || grad->dtype != out->dtype) {
        PyErr_Format(PyExc_RuntimeError, "expected scalar type %s but found %s", rt_dtype_title(grad->dtype),
                     rt_dtype_title(grad->dtype != output->dtype ? output->dtype : out->dtype));
        return -1;
    }
    if (!rt_is_floating(grad->dtype) || rt_itemsize[grad->dtype] < 2) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(grad->dtype));
        return -1;
    }
    return run(what, grad, output, dim, out, kernel);
}

static int softmax_backward_cpu(rt_call_frame *c) { return backward(c, SOFTMAX_BACKWARD, "softmax_backward"); }
static int log_softmax_backward_cpu(rt_call_frame *c) { return backward(c, LOG_SOFTMAX_BACKWARD, "log_softmax_backward"); }

const rt_structured_def rt_k__softmax_out = {"softmax", rule, softmax_cpu, NULL, 1};
const rt_structured_def rt_k__log_softmax_out = {"log_softmax", rule, log_softmax_cpu, NULL, 1};
const rt_structured_def rt_k__softmax_backward_data_out = {"softmax_backward", backward_rule, softmax_backward_cpu, NULL, 1};
const rt_structured_def rt_k__log_softmax_backward_data_out = {"log_softmax_backward", backward_rule, log_softmax_backward_cpu, NULL, 1};

/* --------------------------------------------------------------------------------------------------------------------- composites */

/* The tensor in the given dtype, if one is given, through the operator. */
static PyObject *through(int builtin, PyObject *const *args)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int dtype = rt_as_dtype(args[2], self->dtype);
    PyObject *cast = NULL;
    if (dtype != self->dtype) {
        PyObject *to[5] = {args[0], args[2], Py_False, Py_False, Py_None};
        cast = rt_call(rt_builtin_ops[RT_OP_aten_to_dtype], to, 5);
        if (cast == NULL)
            return NULL;
    }
    PyObject *call[3] = {cast != NULL ? cast : args[0], args[1], Py_False};
    PyObject *result = rt_call(rt_builtin_ops[builtin], call, 3);
    Py_XDECREF(cast);
    return result;
}

RT_KERNEL(softmax_int) { return through(RT_OP_aten__softmax, args); }
RT_KERNEL(log_softmax_int) { return through(RT_OP_aten__log_softmax, args); }
RT_SAME_KERNEL(special_softmax, softmax_int)
RT_SAME_KERNEL(special_log_softmax, log_softmax_int)
