/* Where the extreme values are: argmax, argmin, and max and min along a dimension with their indices.
 *
 * The first of equal values counts, and a NaN counts as more extreme than any number. All forms walk lanes of one dimension; argmax
 * without a dimension walks the elements of a contiguous copy (or of the tensor itself where it is contiguous).
 */
#pragma GCC optimize("O3", "no-trapping-math")
#include "kernels/cpu/element.h"
#include "kernels/cpu/vectors.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/threads.h"

/* One lane: the position of its most extreme element. A contiguous lane is searched block by block: the block's extreme value comes from
 * vector code; only where that beats the best so far is its place looked for. */
enum { BLOCK = 2048, LANES = 32, ROW = 256 };

#define LANES_BLOCK(NAME, T, ACC, LOAD, BETTER)                                                            \
    RT_CLONES static int NAME##_block(const T *p, int64_t n, ACC *extreme)                                 \
    {                                                                                                      \
        ACC lane[LANES];                                                                                   \
        uint8_t odd[LANES];                                                                                \
        int64_t i = 0;                                                                                     \
        for (int k = 0; k < LANES; k++) {                                                                  \
            lane[k] = LOAD(p[0]);                                                                          \
            odd[k] = 0;                                                                                    \
        }                                                                                                  \
        for (; i + LANES <= n; i += LANES)                                                                 \
            for (int k = 0; k < LANES; k++) {                                                              \
                ACC v = LOAD(p[i + k]);                                                                    \
                odd[k] |= v != v;                                                                          \
                lane[k] = v BETTER lane[k] ? v : lane[k];                                                  \
            }                                                                                              \
        for (int k = 0; i + k < n; k++) {                                                                  \
            ACC v = LOAD(p[i + k]);                                                                        \
            odd[k] |= v != v;                                                                              \
            lane[k] = v BETTER lane[k] ? v : lane[k];                                                      \
        }                                                                                                  \
        for (int width = LANES / 2; width > 0; width /= 2)                                                 \
            for (int k = 0; k < width; k++) {                                                              \
                odd[k] |= odd[k + width];                                                                  \
                lane[k] = lane[k + width] BETTER lane[k] ? lane[k + width] : lane[k];                      \
            }                                                                                              \
        *extreme = lane[0];                                                                                \
        return odd[0] != 0;                                                                                \
    }                                                                                                      \
    static int64_t NAME##_place(const T *p, int64_t n, ACC value)                                          \
    {                                                                                                      \
        int64_t i = 0;                                                                                     \
        while (i < n - 1 && LOAD(p[i]) != value)                                                           \
            i++;                                                                                           \
        return i;                                                                                          \
    }

#define FIND(NAME, T, ACC, LOAD, BETTER)                                                                   \
    static int64_t NAME(const char *at, int64_t n, int64_t step)                                           \
    {                                                                                                      \
        ACC best = LOAD(*(const T *)at);                                                                   \
        int64_t where = 0, i = 1;                                                                          \
        if (best != best)                                                                                  \
            return 0;                                                                                      \
        if (step == (int64_t)sizeof(T) && n >= LANES) {                                                    \
            const T *p = (const T *)at;                                                                    \
            for (i = 0; i < n; i += BLOCK) {                                                               \
                int64_t length = n - i < BLOCK ? n - i : BLOCK, k = i;                                     \
                ACC extreme;                                                                               \
                if (NAME##_block(p + i, length, &extreme)) {                                               \
                    while (LOAD(p[k]) == LOAD(p[k]))                                                       \
                        k++;                                                                               \
                    return k;                                                                              \
                }                                                                                          \
                if (extreme BETTER best) {                                                                 \
                    best = extreme;                                                                        \
                    where = i + NAME##_place(p + i, length, best);                                         \
                }                                                                                          \
            }                                                                                              \
            return where;                                                                                  \
        }                                                                                                  \
        for (; i < n; i++) {                                                                               \
            ACC v = LOAD(*(const T *)(at + i * step));                                                     \
            if (v != v)                                                                                    \
                return i;                                                                                  \
            if (v BETTER best) {                                                                           \
                best = v;                                                                                  \
                where = i;                                                                                 \
            }                                                                                              \
        }                                                                                                  \
        return where;                                                                                      \
    }

/* Many adjacent lanes at once: rows of the dimension, each compared with the best so far. Places count in integers as wide as the
 * elements (WIDE), so that a vector of them goes with a vector of elements; a longer dimension is left to the other loop. */
#define FIND_ROWS(NAME, T, ACC, LOAD, BETTER, WIDE)                                                        \
    RT_CLONES static void NAME(const char *at, int64_t n, int64_t step, int64_t cols, int64_t *where)      \
    {                                                                                                      \
        ACC best[ROW];                                                                                     \
        WIDE place[ROW];                                                                                   \
        for (int64_t c = 0; c < cols; c++) {                                                               \
            best[c] = LOAD(((const T *)at)[c]);                                                            \
            place[c] = 0;                                                                                  \
        }                                                                                                  \
        for (WIDE i = 1; i < (WIDE)n; i++) {                                                               \
            const T *row = (const T *)(at + (int64_t)i * step);                                            \
            for (int64_t c = 0; c < cols; c++) {                                                           \
                ACC v = LOAD(row[c]), b = best[c];                                                         \
                int take = ((v BETTER b) | (v != v)) & (b == b);                                           \
                best[c] = take ? v : b;                                                                    \
                place[c] = take ? i : place[c];                                                            \
            }                                                                                              \
        }                                                                                                  \
        for (int64_t c = 0; c < cols; c++)                                                                 \
            where[c] = place[c];                                                                           \
    }

#define AS_IS(x) (x)
#define BOTH(TYPE, T, ACC, LOAD, WIDE)                    \
    FIND(largest_##TYPE, T, ACC, LOAD, >)                 \
    FIND(smallest_##TYPE, T, ACC, LOAD, <)                \
    FIND_ROWS(largest_rows_##TYPE, T, ACC, LOAD, >, WIDE) \
    FIND_ROWS(smallest_rows_##TYPE, T, ACC, LOAD, <, WIDE)
#define VECTORS(NAME, T, VECTOR, BETTER, WHICH) RT_EXTREME_BLOCK(NAME##_block, T, VECTOR, BETTER, WHICH) RT_PLACE_OF(NAME##_place, T)
#define LANES_OF(TYPE, T, ACC, LOAD, WIDE)                                                                 \
    LANES_BLOCK(largest_##TYPE, T, ACC, LOAD, >)          \
    LANES_BLOCK(smallest_##TYPE, T, ACC, LOAD, <)         \
    BOTH(TYPE, T, ACC, LOAD, WIDE)
VECTORS(largest_f32, float, rt_vector_f32, >, max)
VECTORS(smallest_f32, float, rt_vector_f32, <, min)
VECTORS(largest_f64, double, rt_vector_f64, >, max)
VECTORS(smallest_f64, double, rt_vector_f64, <, min)
BOTH(f32, float, float, AS_IS, int32_t)
BOTH(f64, double, double, AS_IS, int64_t)
LANES_OF(f16, _Float16, float, (float), int32_t)
LANES_OF(bf16, uint16_t, float, rt_bf16_to_float, int32_t)
LANES_OF(u8, uint8_t, uint8_t, AS_IS, int32_t)
LANES_OF(i8, int8_t, int8_t, AS_IS, int32_t)
LANES_OF(i16, int16_t, int16_t, AS_IS, int32_t)
LANES_OF(u16, uint16_t, uint16_t, AS_IS, int32_t)
LANES_OF(i32, int32_t, int32_t, AS_IS, int32_t)
LANES_OF(u32, uint32_t, uint32_t, AS_IS, int32_t)
LANES_OF(i64, int64_t, int64_t, AS_IS, int64_t)
LANES_OF(u64, uint64_t, uint64_t, AS_IS, int64_t)

typedef struct finder {
    int64_t (*lane)(const char *at, int64_t n, int64_t step);
    void (*rows)(const char *at, int64_t n, int64_t step, int64_t cols, int64_t *where);
} finder;

static int find_loop(int dtype, int largest, finder *f)
{
    switch (dtype) {
#define CASE(CODE, TYPE)                                                       \
    case CODE:                                                                                             \
        f->lane = largest ? largest_##TYPE : smallest_##TYPE;                  \
        f->rows = largest ? largest_rows_##TYPE : smallest_rows_##TYPE;        \
        return 1;
        CASE(RT_FLOAT32, f32) CASE(RT_FLOAT64, f64) CASE(RT_FLOAT16, f16) CASE(RT_BFLOAT16, bf16) CASE(RT_BOOL, u8) CASE(RT_UINT8, u8)
        CASE(RT_INT8, i8) CASE(RT_INT16, i16) CASE(RT_UINT16, u16) CASE(RT_INT32, i32) CASE(RT_UINT32, u32) CASE(RT_INT64, i64)
        CASE(RT_UINT64, u64)
#undef CASE
    default: return 0;
    }
}

/* The walk over all lanes: kept dimensions, with the strides of the input and of one or two outputs, in bytes. */
typedef struct walk {
    finder f;
    const char *in;
    char *values, *indices; /* either may be NULL */
    int64_t n, step, itemsize;
    int ndim;
    int64_t sizes[RT_MAX_DIM], in_steps[RT_MAX_DIM], value_steps[RT_MAX_DIM], index_steps[RT_MAX_DIM];
    int64_t cols; /* adjacent lanes that can go as rows: the innermost kept dimension; else 1 */
} walk;

static void put(const walk *w, const char *lane, char *values, char *indices, int64_t where)
{
    if (indices != NULL)
        *(int64_t *)indices = where;
    if (values != NULL)
        memcpy(values, lane + where * w->step, w->itemsize);
}

static void walk_range(int64_t begin, int64_t end, void *ctx)
{
    const walk *w = ctx;
    int64_t where[ROW], index[RT_MAX_DIM], rest = begin;
    const char *in = w->in;
    char *values = w->values, *indices = w->indices;
    int last = w->ndim - 1;
    for (int d = last; d >= 0; d--) {
        index[d] = rest % w->sizes[d];
        rest /= w->sizes[d];
        in += index[d] * w->in_steps[d];
        if (values)
            values += index[d] * w->value_steps[d];
        if (indices)
            indices += index[d] * w->index_steps[d];
    }
    while (begin < end) {
        int64_t n = 1;
        if (w->cols > 1) {
            n = w->cols - index[last];
            n = n > ROW ? ROW : n;
            n = n > end - begin ? end - begin : n;
            w->f.rows(in, w->n, w->step, n, where);
            for (int64_t c = 0; c < n; c++)
                put(w, in + c * w->itemsize, values ? values + c * w->value_steps[last] : NULL,
                    indices ? indices + c * w->index_steps[last] : NULL, where[c]);
        } else {
            put(w, in, values, indices, w->f.lane(in, w->n, w->step));
        }
        begin += n;
        /* Step n lanes along the innermost dimension, and carry. */
        int64_t by = n;
        for (int d = last; d >= 0; d--, by = 1) {
            in += by * w->in_steps[d];
            if (values)
                values += by * w->value_steps[d];
            if (indices)
                indices += by * w->index_steps[d];
            index[d] += by;
            if (index[d] < w->sizes[d])
                break;
            in -= index[d] * w->in_steps[d];
            if (values)
                values -= index[d] * w->value_steps[d];
            if (indices)
                indices -= index[d] * w->index_steps[d];
            index[d] = 0;
        }
    }
}

static int find_along(RtTensor *self, int64_t dim, int largest, RtTensor *values, RtTensor *indices, const char *kernel)
{
    walk w = {.in = rt_data(self), .itemsize = rt_itemsize[self->dtype], .n = 1, .cols = 1};
    int64_t lanes = 1;
    const RtTensor *any = values ? values : indices;
    int same_rank = any->ndim == self->ndim, o = 0;
    if (!find_loop(self->dtype, largest, &w.f)) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(self->dtype));
        return -1;
    }
    if (rt_check_cpu(self, kernel) < 0 || rt_check_cpu(any, kernel) < 0 || (indices && rt_check_cpu(indices, kernel) < 0))
        return -1;
    w.values = values ? rt_data(values) : NULL;
    w.indices = indices ? rt_data(indices) : NULL;
    for (int d = 0; d < self->ndim; d++) {
        if (d == dim) {
            w.n = self->sizes[d];
            w.step = self->strides[d] * w.itemsize;
            o += same_rank;
            continue;
        }
        w.sizes[w.ndim] = self->sizes[d];
        w.in_steps[w.ndim] = self->strides[d] * w.itemsize;
        if (values)
            w.value_steps[w.ndim] = values->strides[o] * w.itemsize;
        if (indices)
            w.index_steps[w.ndim] = indices->strides[o] * 8;
        w.ndim++;
        o++;
        lanes *= self->sizes[d];
    }
    if (lanes == 0)
        return 0;
    if (w.ndim > 0 && w.in_steps[w.ndim - 1] == w.itemsize && w.step > w.itemsize && w.n <= INT32_MAX)
        w.cols = w.sizes[w.ndim - 1];
    rt_run_loop(walk_range, lanes, w.n, &w);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------------------ argmax */

static int arg_rule(rt_call_frame *c, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    reduce_dims dims;
    if (rt_is_complex(self->dtype) || self->dtype == RT_BOOL) {
        PyErr_Format(PyExc_RuntimeError, "%s(): does not support %s input", name, self->dtype == RT_BOOL ? "bool" : "complex");
        return -1;
    }
    if (rt_reduce_dims(c, 1, &dims) < 0)
        return -1;
    if (c->args[1] == Py_None && self->numel == 0) {
        PyErr_Format(PyExc_IndexError, "%s(): Expected reduction dim to be specified for input.numel() == 0.", name);
        return -1;
    }
    if (rt_check_not_empty(self, dims.mask, name) < 0)
        return -1;
    rt_reduced_sizes(self, &dims, &c->specs[0]);
    c->specs[0].dtype = RT_INT64;
    return 0;
}

static int argmax_rule(rt_call_frame *c) { return arg_rule(c, "argmax"); }
static int argmin_rule(rt_call_frame *c) { return arg_rule(c, "argmin"); }

typedef struct piece_search {
    finder f;
    const char *in;
    int64_t n, piece, itemsize;
    int64_t where[64];
} piece_search;

static void search_pieces(int64_t begin, int64_t end, void *ctx)
{
    piece_search *s = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t from = i * s->piece, n = s->n - from < s->piece ? s->n - from : s->piece;
        s->where[i] = from + s->f.lane(s->in + from * s->itemsize, n, s->itemsize);
    }
}

static int arg_cpu(rt_call_frame *c, int largest, const char *kernel)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *out = c->outs[0], *flat = self;
    int64_t dim;
    if (rt_check_cpu(self, kernel) < 0 || rt_check_cpu(out, kernel) < 0)
        return -1;
    if (c->args[1] != Py_None) {
        if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
            return -1;
        return find_along(self, self->ndim ? dim : -1, largest, NULL, out, kernel);
    }
    piece_search s = {.n = self->numel, .itemsize = rt_itemsize[self->dtype]};
    if (!find_loop(self->dtype, largest, &s.f))
        return 0;
    if (!rt_is_contiguous(self)) {
        flat = rt_empty_like(self, self->dtype);
        if (flat == NULL)
            return -1;
        rt_copy_elements(self->ndim, self->sizes, rt_data(flat), flat->strides, rt_data(self), self->strides, (int)s.itemsize);
    } else {
        Py_INCREF((PyObject *)flat);
    }
    s.in = rt_data(flat);
    s.piece = s.n < 64 * RT_GRAIN ? RT_GRAIN : (s.n + 63) / 64;
    int64_t count = (s.n + s.piece - 1) / s.piece, best = 0;
    rt_run_loop(search_pieces, count, s.n / count, &s);
    /* Two candidates are compared as the two elements of a lane. */
    for (int64_t i = 1; i < count; i++) {
        char *a = (char *)s.in + s.where[best] * s.itemsize, *b = (char *)s.in + s.where[i] * s.itemsize;
        if (s.f.lane(a, 2, b - a) == 1)
            best = i;
    }
    *(int64_t *)rt_data(out) = s.where[best];
    Py_DECREF((PyObject *)flat);
    return 0;
}

static int argmax_cpu(rt_call_frame *c) { return arg_cpu(c, 1, "argmax_cpu"); }
static int argmin_cpu(rt_call_frame *c) { return arg_cpu(c, 0, "argmin_cpu"); }

const rt_structured_def rt_k_argmax_out = {"argmax", argmax_rule, argmax_cpu, NULL, 1};
const rt_structured_def rt_k_argmin_out = {"argmin", argmin_rule, argmin_cpu, NULL, 1};

/* ------------------------------------------------------------------------------------------------------- max and min along a dimension */

static int extreme_dim_rule(rt_call_frame *c, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    reduce_dims dims;
    if (rt_reduce_dims(c, 1, &dims) < 0 || rt_check_not_empty(self, dims.mask, name) < 0)
        return -1;
    if (rt_is_complex(self->dtype)) {
        PyErr_Format(PyExc_RuntimeError, "%s(): does not support complex input", name);
        return -1;
    }
    rt_reduced_sizes(self, &dims, &c->specs[0]);
    rt_reduced_sizes(self, &dims, &c->specs[1]);
    c->specs[0].dtype = self->dtype;
    c->specs[1].dtype = RT_INT64;
    return 0;
}

static int max_rule(rt_call_frame *c) { return extreme_dim_rule(c, "max"); }
static int min_rule(rt_call_frame *c) { return extreme_dim_rule(c, "min"); }

static int extreme_dim_cpu(rt_call_frame *c, int largest, const char *kernel)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    return find_along(self, self->ndim ? dim : -1, largest, c->outs[0], c->outs[1], kernel);
}

static int max_cpu(rt_call_frame *c) { return extreme_dim_cpu(c, 1, "max_cpu"); }
static int min_cpu(rt_call_frame *c) { return extreme_dim_cpu(c, 0, "min_cpu"); }

const rt_structured_def rt_k_max_out = {"max", max_rule, max_cpu, NULL, 2};
const rt_structured_def rt_k_min_out = {"min", min_rule, min_cpu, NULL, 2};
