/* tril and triu: matrices with the part above or below a diagonal set to zero. tril_indices and triu_indices: the coordinates
 * of such parts. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/structured.h"

static int triangle_rule(rt_call_frame *c, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    if (self->ndim < 2) {
        PyErr_Format(PyExc_RuntimeError, "%s: input tensor must have at least 2 dimensions", name);
        return -1;
    }
    rt_set_spec(&c->specs[0], self->dtype, self, self->ndim, self->sizes);
    return 0;
}

typedef struct triangle {
    const RtTensor *in, *out;
    int64_t diagonal;
    int upper, itemsize;
} triangle;

static void triangle_rows(int64_t begin, int64_t end, void *ctx)
{
    const triangle *w = ctx;
    const RtTensor *in = w->in, *out = w->out;
    int last = in->ndim - 1, item = w->itemsize;
    int64_t cols = in->sizes[last];
    for (int64_t r = begin; r < end; r++) {
        int64_t rest = r, row = r % in->sizes[last - 1];
        const char *from = rt_data(in);
        char *to = rt_data(out);
        for (int d = last - 1; d >= 0; d--) {
            int64_t i = rest % in->sizes[d];
            rest /= in->sizes[d];
            from += i * in->strides[d] * item;
            to += i * out->strides[d] * item;
        }
        /* Columns [low, high) are kept. */
        int64_t edge = row + w->diagonal + !w->upper;
        edge = edge < 0 ? 0 : edge > cols ? cols : edge;
        int64_t low = w->upper ? edge : 0, high = w->upper ? cols : edge, kept = high - low;
        int64_t ts = out->strides[last], fs = in->strides[last];
        if (from != to && kept > 0)
            rt_copy_elements(1, &kept, to + low * ts * item, &ts, from + low * fs * item, &fs, item);
        for (int64_t j = 0; j < low; j++)
            memset(to + j * ts * item, 0, item);
        for (int64_t j = high; j < cols; j++)
            memset(to + j * ts * item, 0, item);
    }
}

static int triangle_cpu(rt_call_frame *c, int upper)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *out = c->outs[0];
    triangle w = {.in = self, .out = out, .upper = upper, .itemsize = rt_itemsize[self->dtype]};
    if (rt_check_cpu(self, upper ? "triu" : "tril") < 0 || rt_as_int64(c->args[1], &w.diagonal) < 0)
        return -1;
    if (self->numel == 0)
        return 0;
    /* Beyond the sizes all diagonals are alike; the arithmetic above must not overflow. */
    int64_t limit = self->numel;
    w.diagonal = w.diagonal > limit ? limit : w.diagonal < -limit ? -limit : w.diagonal;
    int64_t cols = self->sizes[self->ndim - 1], rows = self->numel / cols;
    rt_run_loop(triangle_rows, rows, cols, &w);
    return 0;
}

static int tril_rule(rt_call_frame *c) { return triangle_rule(c, "tril"); }
static int triu_rule(rt_call_frame *c) { return triangle_rule(c, "triu"); }
static int tril_cpu(rt_call_frame *c) { return triangle_cpu(c, 0); }
static int triu_cpu(rt_call_frame *c) { return triangle_cpu(c, 1); }

const rt_structured_def rt_k_tril_out = {"tril", tril_rule, tril_cpu, NULL, 1};
const rt_structured_def rt_k_triu_out = {"triu", triu_rule, triu_cpu, NULL, 1};

/* How many elements of a matrix lie on or below a diagonal, which passes through it or beside a corner. */
static __int128 count_below(int64_t rows, int64_t cols, int64_t diagonal)
{
    if (rows == 0 || cols == 0)
        return 0;
    __int128 first = diagonal < 0 ? -diagonal : 0, full = (__int128)cols - diagonal - 1; /* rows before `first` have none, from `full` on all */
    full = full < first ? first : full > rows ? rows : full;
    return (full - first) * (first + full + 2 * (__int128)diagonal + 1) / 2 + (rows - full) * cols;
}

/* Coordinates of a part of a matrix as a tensor [2, count], row by row. Arguments: row, col, offset, and tensor options. */
static PyObject *triangle_indices(PyObject *const *args, int upper)
{
    int64_t rows, cols, diagonal;
    if (rt_as_int64(args[0], &rows) < 0 || rt_as_int64(args[1], &cols) < 0 || rt_as_int64(args[2], &diagonal) < 0)
        return NULL;
    if (rows < 0 || cols < 0) {
        PyErr_Format(PyExc_RuntimeError, "%s must be non-negative, got%lld", rows < 0 ? "row" : "col", (long long)(rows < 0 ? rows : cols));
        return NULL;
    }
    diagonal -= upper && diagonal > INT64_MIN; /* the part above a diagonal is the rest of that on or below the one before */
    diagonal = diagonal < -rows ? -rows : diagonal > cols ? cols : diagonal;
    __int128 below = count_below(rows, cols, diagonal), count = upper ? (__int128)rows * cols - below : below;
    if (count > INT64_MAX / 16) {
        PyErr_SetString(PyExc_RuntimeError, "invalid size, possible overflow?");
        return NULL;
    }
    int64_t sizes[2] = {2, (int64_t)count};
    if (args[5] != Py_None && ((RtDevice *)args[5])->type == RT_DEVICE_META)
        return (PyObject *)rt_empty(2, sizes, rt_as_dtype(args[3], RT_INT64), RT_DEVICE_META, -1);
    RtTensor *out = rt_empty(2, sizes, RT_INT64, RT_DEVICE_CPU, -1);
    if (out == NULL)
        return NULL;
    int64_t *row = (int64_t *)rt_data(out), *col = row + (int64_t)count, *end = col;
    for (int64_t r = !upper && diagonal < 0 ? -diagonal : 0; row < end; r++) {
        int64_t edge = r + diagonal + 1;
        edge = edge < 0 ? 0 : edge > cols ? cols : edge;
        for (int64_t c = upper ? edge : 0, last = upper ? cols : edge; c < last; c++) {
            *row++ = r;
            *col++ = c;
        }
    }
    RtTensor *result = rt_cast(out, rt_as_dtype(args[3], RT_INT64));
    Py_DECREF((PyObject *)out);
    return (PyObject *)result;
}

RT_KERNEL(tril_indices) { return triangle_indices(args, 0); }
RT_KERNEL(triu_indices) { return triangle_indices(args, 1); }
