/* CPU reductions: sum, mean, prod, amax, amin, all, any and their full forms.
 *
 * A reduction splits the input's dimensions into kept and reduced ones, merges neighbours, and takes one of two loops: along a reduced
 * dimension where that is the innermost in memory, or along rows of kept elements. Elements accumulate in a wider type (float for
 * half types, int64 for integers) and are stored in the output's dtype. The shape-and-dtype rules are in kernels/shared/reduce_rules.c.
 */
#pragma GCC optimize("O3", "no-trapping-math")
#include "kernels/cpu/element.h"
#include "kernels/cpu/halves.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/vectors.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/threads.h"
#include "rt_builtins.h"

#include <complex.h>
#include <math.h>
#include <stdlib.h>

/* ---------------------------------------------------------------------------------------------------------------- element types */

#define AS_IS(x) (x)
#define TRUTH(x) ((uint8_t)((x) != 0))
#define HALF_TRUTH(x) ((uint8_t)(rt_bf16_to_float(x) != 0))
#define EIGHTH_TRUTH(x) ((uint8_t)(((x) & 0x7f) != 0))
#define NEVER_ZERO(x) ((void)(x), (uint8_t)1)

/* ------------------------------------------------------------------------------------------------------------------------- sums */

#define CLONES RT_CLONES
#define INIT 0
#define COMBINE(a, b) ((a) + (b))
#define VECTOR_BLOCK(name, T, VECTOR) RT_COMBINE_BLOCK(name, T, VECTOR, +, 0)
#define VECTOR_ROWS(name, T, VECTOR) RT_COMBINE_ROWS(name, T, VECTOR, +)
#define FAMILY(part, type) sum_##type##_##part
#define ADDS_PARTS
#include "kernels/cpu/reduce_arithmetic.h"
#undef ADDS_PARTS
#undef FAMILY
#undef INIT
#undef COMBINE
#undef CLONES
#undef VECTOR_BLOCK
#undef VECTOR_ROWS

#define CLONES
#define INIT 1
#define COMBINE(a, b) ((a) * (b))
#define VECTOR_BLOCK(name, T, VECTOR) RT_COMBINE_BLOCK(name, T, VECTOR, *, 1)
#define FAMILY(part, type) prod_##type##_##part
#include "kernels/cpu/reduce_arithmetic.h"
#undef FAMILY
#undef INIT
#undef COMBINE
#undef CLONES

/* ---------------------------------------------------------------------------------------------------------------- extreme values
 * A NaN wins and stays. */

#define EXTREME_OR_NAN(name, T, VECTOR, BETTER, WHICH)                     \
    RT_EXTREME_BLOCK(name##_search, T, VECTOR, BETTER, WHICH)              \
    static T name(const T *p, int64_t n)                                   \
    {                                                                      \
        T extreme;                                                         \
        return name##_search(p, n, &extreme) ? (T)NAN : extreme;           \
    }
#define EXTREME_OF(name, T, VECTOR, BETTER, WHICH) EXTREME_OR_NAN(name, T, VECTOR, BETTER, WHICH)

#undef VECTOR_BLOCK
#define CLONES RT_CLONES
#define VECTOR_BLOCK(name, T, VECTOR) EXTREME_OF(name, T, VECTOR, >, max)
#define COMBINE(a, b) (((b) > (a)) | ((b) != (b)) ? (b) : (a))
#define LOWEST(least, minus_infinity) (least)
#define LOWEST_FLOAT (-INFINITY)
#define EXTREME(low, high) (low)
#define FAMILY(part, type) max_##type##_##part
#include "kernels/cpu/reduce_ordered.h"
#undef FAMILY
#undef EXTREME
#undef COMBINE
#undef VECTOR_BLOCK
#define VECTOR_BLOCK(name, T, VECTOR) EXTREME_OF(name, T, VECTOR, <, min)
#define COMBINE(a, b) (((b) < (a)) | ((b) != (b)) ? (b) : (a))
#define EXTREME(low, high) (high)
#define FAMILY(part, type) min_##type##_##part
#include "kernels/cpu/reduce_ordered.h"
#undef FAMILY
#undef EXTREME
#undef COMBINE
#undef VECTOR_BLOCK
#undef CLONES

/* ------------------------------------------------------------------------------------------------------------------ truth values */

#define CLONES
#define INIT 0
#define COMBINE(a, b) ((uint8_t)((a) | (b)))
#define FAMILY(part, type) any_##type##_##part
#include "kernels/cpu/reduce_truth.h"
#undef FAMILY
#undef INIT
#undef COMBINE
#define INIT 1
#define COMBINE(a, b) ((uint8_t)((a) & (b)))
#define FAMILY(part, type) all_##type##_##part
#include "kernels/cpu/reduce_truth.h"
#include "kernels/shared/gil.h"
#undef FAMILY
#undef INIT
#undef COMBINE
#undef CLONES

/* --------------------------------------------------------------------------------------------------------- storing accumulators */

#define STORE_AS(type, expression)                                  \
    for (int64_t i = 0; i < n; i++, out += step)                    \
        *(type *)out = (type)(expression);                          \
    return;

#define STORE_REAL(source)                                                                                   \
    switch (dtype) {                                                                                         \
    case RT_FLOAT32: STORE_AS(float, ((const source *)acc)[i])                                               \
    case RT_FLOAT64: STORE_AS(double, ((const source *)acc)[i])                                              \
    case RT_FLOAT16: STORE_AS(_Float16, (float)((const source *)acc)[i])                                     \
    case RT_BFLOAT16:                                                                                        \
        for (int64_t i = 0; i < n; i++, out += step)                                                         \
            *(uint16_t *)out = rt_float_to_bf16((float)((const source *)acc)[i]);                                     \
        return;                                                                                              \
    case RT_INT64: STORE_AS(int64_t, ((const source *)acc)[i])                                               \
    case RT_INT32: STORE_AS(int32_t, (int64_t)((const source *)acc)[i])                                      \
    case RT_INT16: STORE_AS(int16_t, (int64_t)((const source *)acc)[i])                                      \
    case RT_INT8: STORE_AS(int8_t, (int64_t)((const source *)acc)[i])                                        \
    case RT_UINT8: STORE_AS(uint8_t, (int64_t)((const source *)acc)[i])                                      \
    case RT_UINT16: STORE_AS(uint16_t, (int64_t)((const source *)acc)[i])                                    \
    case RT_UINT32: STORE_AS(uint32_t, (int64_t)((const source *)acc)[i])                                    \
    case RT_UINT64: STORE_AS(uint64_t, ((const source *)acc)[i])                                             \
    case RT_BOOL: STORE_AS(uint8_t, ((const source *)acc)[i] != 0)                                           \
    case RT_COMPLEX64: STORE_AS(float complex, ((const source *)acc)[i])                                     \
    case RT_COMPLEX128: STORE_AS(double complex, ((const source *)acc)[i])                                   \
    default: return;                                                                                         \
    }

static void store(enum acc_kind kind, void *acc, int64_t n, char *out, int64_t step, int dtype, int64_t divisor)
{
    if (divisor != 0) {
        switch (kind) {
        case ACC_F32: for (int64_t i = 0; i < n; i++) ((float *)acc)[i] /= (float)divisor; break;
        case ACC_F64: for (int64_t i = 0; i < n; i++) ((double *)acc)[i] /= (double)divisor; break;
        case ACC_C64: for (int64_t i = 0; i < n; i++) ((float complex *)acc)[i] /= (float)divisor; break;
        case ACC_C128: for (int64_t i = 0; i < n; i++) ((double complex *)acc)[i] /= (double)divisor; break;
        default: break;
        }
    }
    switch (kind) {
    case ACC_F32: STORE_REAL(float)
    case ACC_F64: STORE_REAL(double)
    case ACC_I64: STORE_REAL(int64_t)
    case ACC_U8: STORE_REAL(uint8_t)
    case ACC_I8: STORE_REAL(int8_t)
    case ACC_I16: STORE_REAL(int16_t)
    case ACC_I32: STORE_REAL(int32_t)
    case ACC_U16: STORE_REAL(uint16_t)
    case ACC_U32: STORE_REAL(uint32_t)
    case ACC_U64: STORE_REAL(uint64_t)
    case ACC_C64:
        if (dtype == RT_COMPLEX64) {
            STORE_AS(float complex, ((const float complex *)acc)[i])
        }
        STORE_AS(double complex, ((const float complex *)acc)[i])
    case ACC_C128:
        if (dtype == RT_COMPLEX64) {
            STORE_AS(float complex, ((const double complex *)acc)[i])
        }
        STORE_AS(double complex, ((const double complex *)acc)[i])
    }
}

/* ----------------------------------------------------------------------------------------------------------------------- engine */

typedef struct plan {
    const reduce_ops *ops;
    const char *in;
    char *out;
    int out_dtype;
    int64_t divisor;
    int nkeep, nred;
    int64_t keep_sizes[RT_MAX_DIM], keep_in[RT_MAX_DIM], keep_out[RT_MAX_DIM]; /* strides in bytes; innermost last */
    int64_t red_sizes[RT_MAX_DIM], red_in[RT_MAX_DIM];
    int64_t columns; /* size of the innermost kept dimension, where rows are summed; else 1 */
    char *partial;   /* accumulators of pieces: of a full reduction, 64 bytes each, or of rows */
    int64_t piece;
} plan;

/* Order dimensions by decreasing stride and merge neighbours that step as one. `other` moves along. */
static int order_and_merge(int n, int64_t *sizes, int64_t *strides, int64_t *other)
{
    int m = 0;
    for (int i = 1; i < n; i++) {
        int64_t size = sizes[i], stride = strides[i], companion = other ? other[i] : 0;
        int j = i - 1;
        for (; j >= 0 && strides[j] < stride; j--) {
            sizes[j + 1] = sizes[j];
            strides[j + 1] = strides[j];
            if (other)
                other[j + 1] = other[j];
        }
        sizes[j + 1] = size;
        strides[j + 1] = stride;
        if (other)
            other[j + 1] = companion;
    }
    for (int i = 0; i < n; i++) {
        if (m > 0 && strides[m - 1] == strides[i] * sizes[i] && (!other || other[m - 1] == other[i] * sizes[i])) {
            sizes[m - 1] *= sizes[i];
            strides[m - 1] = strides[i];
            if (other)
                other[m - 1] = other[i];
        } else {
            sizes[m] = sizes[i];
            strides[m] = strides[i];
            if (other)
                other[m] = other[i];
            m++;
        }
    }
    return m;
}

/* Next index of an odometer over n dimensions; 0 at the end. */
static inline int advance(int n, const int64_t *sizes, const int64_t *strides, int64_t *index, const char **at)
{
    for (int d = n - 1; d >= 0; d--) {
        *at += strides[d];
        if (++index[d] < sizes[d])
            return 1;
        *at -= index[d] * strides[d];
        index[d] = 0;
    }
    return 0;
}

static void reduce_one(const plan *p, const char *in, void *acc)
{
    int last = p->nred - 1;
    int64_t index[RT_MAX_DIM];
    if (p->nred <= 1) {
        p->ops->inner(in, p->nred ? p->red_sizes[0] : 1, p->nred ? p->red_in[0] : 0, acc);
        return;
    }
    memset(index, 0, last * sizeof index[0]);
    do
        p->ops->inner(in, p->red_sizes[last], p->red_in[last], acc);
    while (advance(last, p->red_sizes, p->red_in, index, &in));
}

static void reduce_rows(const plan *p, const char *in, int64_t cols, void *acc)
{
    int last = p->nred - 1;
    int64_t index[RT_MAX_DIM];
    if (p->nred <= 1) {
        p->ops->outer(in, p->nred ? p->red_sizes[0] : 1, p->nred ? p->red_in[0] : 0, cols, acc);
        return;
    }
    memset(index, 0, last * sizeof index[0]);
    do
        p->ops->outer(in, p->red_sizes[last], p->red_in[last], cols, acc);
    while (advance(last, p->red_sizes, p->red_in, index, &in));
}

/* Kept elements [begin, end), in the order of the plan's kept dimensions. */
static void reduce_range(int64_t begin, int64_t end, void *ctx)
{
    const plan *p = ctx;
    int64_t index[RT_MAX_DIM], rest = begin;
    const char *in = p->in;
    char *out = p->out;
    _Alignas(64) char acc[REDUCE_COLUMNS * 16];
    for (int d = p->nkeep - 1; d >= 0; d--) {
        index[d] = rest % p->keep_sizes[d];
        rest /= p->keep_sizes[d];
        in += index[d] * p->keep_in[d];
        out += index[d] * p->keep_out[d];
    }
    while (begin < end) {
        int64_t n = 1;
        if (p->columns > 1) {
            n = p->columns - index[p->nkeep - 1];
            n = n > REDUCE_COLUMNS ? REDUCE_COLUMNS : n;
            n = n > end - begin ? end - begin : n;
            p->ops->init(acc, n);
            reduce_rows(p, in, n, acc);
        } else {
            p->ops->init(acc, 1);
            reduce_one(p, in, acc);
        }
        store(p->ops->kind, acc, n, out, p->nkeep ? p->keep_out[p->nkeep - 1] : 0, p->out_dtype, p->divisor);
        begin += n;
        /* Step n elements along the innermost kept dimension, and carry. */
        int d = p->nkeep - 1;
        int64_t by = n;
        for (; d >= 0; d--, by = 1) {
            in += by * p->keep_in[d];
            out += by * p->keep_out[d];
            index[d] += by;
            if (index[d] < p->keep_sizes[d])
                break;
            in -= index[d] * p->keep_in[d];
            out -= index[d] * p->keep_out[d];
            index[d] = 0;
        }
    }
}

static void reduce_pieces(int64_t begin, int64_t end, void *ctx)
{
    const plan *p = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t from = i * p->piece, n = p->red_sizes[0] - from;
        p->ops->inner(p->in + from * p->red_in[0], n < p->piece ? n : p->piece, p->red_in[0], p->partial + 64 * i);
    }
}

/* Pieces of rows; their accumulators stand one after the other, of REDUCE_COLUMNS elements each. */
static void reduce_row_pieces(int64_t begin, int64_t end, void *ctx)
{
    const plan *p = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t from = i * p->piece, n = p->red_sizes[0] - from;
        void *acc = p->partial + i * REDUCE_COLUMNS * p->ops->acc_size;
        p->ops->init(acc, p->columns);
        p->ops->outer(p->in + from * p->red_in[0], n < p->piece ? n : p->piece, p->red_in[0], p->columns, acc);
    }
}

enum { LARGE = 1 << 16, PIECES = 64, ROW_PIECES = 16, LEAST_ROWS = 64 };

static int are_few_columns(const plan *p)
{
    return p->columns > 1 && p->columns <= REDUCE_COLUMNS && p->nkeep == 1 && p->nred == 1 && p->red_sizes[0] >= 2 * LEAST_ROWS;
}

/* Few columns of many rows: 0 where there is no memory for the pieces. How a sum is split does not depend on the number of threads. */
static int reduce_by_rows(plan *p)
{
    int64_t rows = p->red_sizes[0], cols = p->columns, size = p->ops->acc_size, count;
    p->piece = (rows + ROW_PIECES - 1) / ROW_PIECES;
    if (p->piece < LEAST_ROWS)
        p->piece = LEAST_ROWS;
    count = (rows + p->piece - 1) / p->piece;
    p->partial = aligned_alloc(64, count * REDUCE_COLUMNS * size);
    if (p->partial == NULL)
        return 0;
    rt_parallel_for(count, RT_GRAIN / (p->piece * cols) + 1, reduce_row_pieces, p);
    for (int64_t width = 1; width < count; width *= 2)
        for (int64_t i = 0; i + width < count; i += 2 * width)
            p->ops->merge(p->partial + i * REDUCE_COLUMNS * size, p->partial + (i + width) * REDUCE_COLUMNS * size, cols);
    store(p->ops->kind, p->partial, cols, p->out, p->keep_out[0], p->out_dtype, p->divisor);
    free(p->partial);
    return 1;
}

int rt_reduce(const reduce_ops *ops, const RtTensor *in, uint64_t mask, RtTensor *out, int64_t divisor)
{
    plan p = {.ops = ops, .in = rt_data(in), .out = rt_data(out), .out_dtype = out->dtype, .divisor = divisor, .columns = 1};
    int64_t in_item = rt_itemsize[in->dtype], out_item = rt_itemsize[out->dtype], kept = 1;
    int same_rank = out->ndim == in->ndim, o = 0;
    for (int d = 0; d < in->ndim; d++) {
        int reduced = mask >> d & 1;
        if (reduced) {
            if (in->sizes[d] != 1) {
                p.red_sizes[p.nred] = in->sizes[d];
                p.red_in[p.nred++] = in->strides[d] * in_item;
            }
            o += same_rank;
            continue;
        }
        if (in->sizes[d] != 1) {
            p.keep_sizes[p.nkeep] = in->sizes[d];
            p.keep_in[p.nkeep] = in->strides[d] * in_item;
            p.keep_out[p.nkeep++] = out->strides[o] * out_item;
            kept *= in->sizes[d];
        }
        o++;
    }
    if (kept == 0)
        return 0;
    p.nkeep = order_and_merge(p.nkeep, p.keep_sizes, p.keep_in, p.keep_out);
    p.nred = order_and_merge(p.nred, p.red_sizes, p.red_in, NULL);
    if (in->numel == 0) {
        /* Nothing to read: the neutral element everywhere. */
        p.nred = 1;
        p.red_sizes[0] = 0;
        p.red_in[0] = 0;
    } else if (p.nkeep > 0 && p.keep_in[p.nkeep - 1] == in_item && p.nred > 0 && p.red_in[p.nred - 1] > in_item) {
        p.columns = p.keep_sizes[p.nkeep - 1];
    }
    if (in->numel < LARGE) {
        reduce_range(0, kept, &p);
        return 0;
    }
    RT_BEGIN_LOOP_WITHOUT_GIL
    if (p.nkeep == 0 && p.nred == 1) {
        _Alignas(64) char partial[PIECES * 64];
        int64_t n = p.red_sizes[0], count;
        p.piece = (n / PIECES + 4096) / 4096 * 4096; /* whole blocks of the loops */
        count = (n + p.piece - 1) / p.piece;
        p.partial = partial;
        for (int64_t i = 0; i < count; i++)
            ops->init(partial + 64 * i, 1);
        rt_parallel_for(count, (RT_GRAIN + p.piece - 1) / p.piece, reduce_pieces, &p);
        for (int64_t width = 1; width < count; width *= 2)
            for (int64_t i = 0; i + width < count; i += 2 * width)
                ops->merge(partial + 64 * i, partial + 64 * (i + width), 1);
        store(ops->kind, partial, 1, p.out, 0, p.out_dtype, divisor);
    } else if (!are_few_columns(&p) || !reduce_by_rows(&p)) {
        int64_t grain = RT_GRAIN / (in->numel / kept) + 1;
        /* Long pieces of rows: short ones defeat prefetching. */
        int64_t least = kept < 2 * REDUCE_COLUMNS ? REDUCE_COLUMNS / 4 : REDUCE_COLUMNS / 2;
        if (p.columns > 1 && grain < least)
            grain = least;
        rt_parallel_for(kept, grain, reduce_range, &p);
    }
    RT_END_LOOP_WITHOUT_GIL
    return 0;
}

/* -------------------------------------------------------------------------------------------------------------- structured kernels */

#define NO_LOOP(kernel)                                                                                            \
    default:                                                                                                       \
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(dtype)); \
        return NULL;

static const reduce_ops *sum_loop(int dtype) { switch (dtype) { ARITHMETIC_CASES(sum) NO_LOOP("sum_cpu") } }
static const reduce_ops *prod_loop(int dtype) { switch (dtype) { ARITHMETIC_CASES(prod) NO_LOOP("prod_cpu") } }
static const reduce_ops *max_loop(int dtype) { switch (dtype) { ORDERED_CASES(max) NO_LOOP("max_values_cpu") } }
static const reduce_ops *min_loop(int dtype) { switch (dtype) { ORDERED_CASES(min) NO_LOOP("min_values_cpu") } }
static const reduce_ops *any_loop(int dtype) { switch (dtype) { TRUTH_CASES(any) NO_LOOP("or_cpu") } }
static const reduce_ops *all_loop(int dtype) { switch (dtype) { TRUTH_CASES(all) NO_LOOP("and_cpu") } }

static int is_half(int dtype) { return dtype == RT_FLOAT16 || dtype == RT_BFLOAT16; }

/* Whether the loop over `from` accumulates in a type that holds what a computation in `to` would. */
static int loads_as(int from, int to)
{
    return from == to || (is_half(from) && to == RT_FLOAT32) || (rt_is_integral(from, 1) && rt_is_integral(to, 0));
}

RtTensor *rt_cast(RtTensor *t, int dtype)
{
    if (t->dtype == dtype)
        return RT_TENSOR(Py_NewRef((PyObject *)t));
    PyObject *call[7] = {(PyObject *)t, rt_dtype_objects[dtype], Py_None, Py_None, Py_None, Py_False, Py_None};
    return RT_TENSOR(rt_call_below_views(RT_OP_aten__to_copy, call, 7));
}

/* Compute in `dtype` (where the loop over self's own elements would not), reduce the mask's dimensions into out. */
static int reduce_in(const reduce_ops *(*find)(int), RtTensor *self, int dtype, uint64_t mask, RtTensor *out, int mean)
{
    int rc = -1;
    if (rt_check_cpu(self, "reduction") < 0 || rt_check_cpu(out, "reduction") < 0)
        return -1;
    RtTensor *in = loads_as(self->dtype, dtype) ? RT_TENSOR(Py_NewRef((PyObject *)self)) : rt_cast(self, dtype);
    if (in == NULL)
        return -1;
    const reduce_ops *ops = find(in->dtype);
    if (ops != NULL) {
        int64_t divisor = 0;
        if (mean) {
            divisor = 1;
            for (int d = 0; d < in->ndim; d++)
                if (mask >> d & 1)
                    divisor *= in->sizes[d];
            /* A mean of nothing is 0 / 0. */
            if (divisor == 0) {
                PyObject *nan = PyFloat_FromDouble(NAN);
                PyObject *call[2] = {(PyObject *)out, nan};
                PyObject *done = nan != NULL ? rt_call_below_views(RT_OP_aten_fill__Scalar, call, 2) : NULL;
                Py_XDECREF(nan);
                Py_XDECREF(done);
                Py_DECREF(in);
                return done != NULL ? 0 : -1;
            }
        }
        rc = rt_reduce(ops, in, mask, out, divisor);
    }
    Py_DECREF(in);
    return rc;
}

static int sum_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    return rt_reduce_dims(c, 1, &dims) < 0 ? -1 : reduce_in(sum_loop, RT_TENSOR(c->args[0]), c->outs[0]->dtype, dims.mask, c->outs[0], 0);
}

static int mean_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    return rt_reduce_dims(c, 1, &dims) < 0 ? -1 : reduce_in(sum_loop, RT_TENSOR(c->args[0]), c->outs[0]->dtype, dims.mask, c->outs[0], 1);
}

static int prod_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    return rt_reduce_dims(c, 1, &dims) < 0 ? -1 : reduce_in(prod_loop, RT_TENSOR(c->args[0]), c->outs[0]->dtype, dims.mask, c->outs[0], 0);
}

static int amax_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    RtTensor *self = RT_TENSOR(c->args[0]);
    return rt_reduce_dims(c, 1, &dims) < 0 ? -1 : reduce_in(max_loop, self, self->dtype, dims.mask, c->outs[0], 0);
}

static int amin_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    RtTensor *self = RT_TENSOR(c->args[0]);
    return rt_reduce_dims(c, 1, &dims) < 0 ? -1 : reduce_in(min_loop, self, self->dtype, dims.mask, c->outs[0], 0);
}

static int any_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    RtTensor *self = RT_TENSOR(c->args[0]);
    return rt_reduce_dims(c, 0, &dims) < 0 ? -1 : reduce_in(any_loop, self, self->dtype, dims.mask, c->outs[0], 0);
}

static int all_cpu(rt_call_frame *c)
{
    reduce_dims dims;
    RtTensor *self = RT_TENSOR(c->args[0]);
    return rt_reduce_dims(c, 0, &dims) < 0 ? -1 : reduce_in(all_loop, self, self->dtype, dims.mask, c->outs[0], 0);
}

const rt_structured_def rt_k_sum_out = {"sum", rt_rule_sum, sum_cpu, NULL, 1};
const rt_structured_def rt_k_mean_out = {"mean", rt_rule_mean, mean_cpu, NULL, 1};
const rt_structured_def rt_k_prod_out = {"prod", rt_rule_prod, prod_cpu, NULL, 1};
const rt_structured_def rt_k_amax_out = {"amax", rt_rule_amax, amax_cpu, NULL, 1};
const rt_structured_def rt_k_amin_out = {"amin", rt_rule_amin, amin_cpu, NULL, 1};
const rt_structured_def rt_k_any_out = {"any", rt_rule_any, any_cpu, NULL, 1};
const rt_structured_def rt_k_any_dims_out = {"any", rt_rule_any, any_cpu, NULL, 1};
const rt_structured_def rt_k_any_all_out = {"any", rt_rule_any, any_cpu, NULL, 1};
const rt_structured_def rt_k_all_out = {"all", rt_rule_all, all_cpu, NULL, 1};
const rt_structured_def rt_k_all_dims_out = {"all", rt_rule_all, all_cpu, NULL, 1};
const rt_structured_def rt_k_all_all_out = {"all", rt_rule_all, all_cpu, NULL, 1};

/* -------------------------------------------------------------------------------------------------------------- full reductions
 * sum(self, dtype), mean(self, dtype), prod(self, dtype), max(self) and min(self): no dimensions to read. */

static PyObject *full(RtTensor *self, PyObject *dtype_object, int natural, const reduce_ops *(*find)(int), int mean)
{
    int dtype = rt_as_dtype(dtype_object, natural);
    RtTensor *out = rt_empty(0, NULL, dtype, self->device_type, self->device_index);
    if (out != NULL && self->device_type != RT_DEVICE_META && reduce_in(find, self, dtype, ~0ull, out, mean) < 0)
        Py_CLEAR(out);
    return (PyObject *)out;
}

/* A few contiguous floats, without the machinery; 0 where that does not apply. */
static inline int sum_small(const RtTensor *t, float *out)
{
    if (t->dtype != RT_FLOAT32 || t->numel > 32 || !rt_is_contiguous(t) || t->device_type != RT_DEVICE_CPU || t->storage->data == NULL)
        return 0;
    const float *p = (const float *)rt_data(t);
    float lane[4] = {0, 0, 0, 0};
    int64_t i = 0;
    for (; i + 4 <= t->numel; i += 4)
        for (int k = 0; k < 4; k++)
            lane[k] += p[i + k];
    for (; i < t->numel; i++)
        lane[0] += p[i];
    *out = (lane[0] + lane[1]) + (lane[2] + lane[3]);
    return 1;
}

RT_KERNEL(sum)
{
    RtTensor *self = RT_TENSOR(args[0]);
    float value;
    if (RT_LIKELY(args[1] == Py_None && sum_small(self, &value))) {
        RtTensor *out = rt_empty(0, NULL, RT_FLOAT32, RT_DEVICE_CPU, self->device_index);
        if (out != NULL)
            *(float *)rt_data(out) = value;
        return (PyObject *)out;
    }
    if (self->device_type != RT_DEVICE_CPU && self->device_type != RT_DEVICE_META) {
        PyObject *call[4] = {args[0], Py_None, Py_False, args[1]};
        return rt_call_below_views(RT_OP_aten_sum_dim_IntList, call, 4);
    }
    return full(self, args[1], rt_is_integral(self->dtype, 1) ? RT_INT64 : self->dtype, sum_loop, 0);
}

RT_KERNEL(mean)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int dtype = rt_as_dtype(args[1], self->dtype);
    float value;
    if (rt_check_mean_dtype(self, args[1]) < 0)
        return NULL;
    if (RT_LIKELY(args[1] == Py_None && self->numel > 0 && sum_small(self, &value))) {
        RtTensor *out = rt_empty(0, NULL, RT_FLOAT32, RT_DEVICE_CPU, self->device_index);
        if (out != NULL)
            *(float *)rt_data(out) = value / (float)self->numel;
        return (PyObject *)out;
    }
    if (self->device_type != RT_DEVICE_CPU && self->device_type != RT_DEVICE_META) {
        PyObject *call[4] = {args[0], Py_None, Py_False, args[1]};
        return rt_call_below_views(RT_OP_aten_mean_dim, call, 4);
    }
    return full(self, args[1], dtype, sum_loop, 1);
}

RT_KERNEL(prod)
{
    RtTensor *self = RT_TENSOR(args[0]);
    return full(self, args[1], rt_is_integral(self->dtype, 1) ? RT_INT64 : self->dtype, prod_loop, 0);
}

static PyObject *extreme(RtTensor *self, const char *name, const reduce_ops *(*find)(int))
{
    if (self->numel == 0) {
        PyErr_Format(PyExc_RuntimeError,
                     "%s(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.",
                     name);
        return NULL;
    }
    if (rt_is_complex(self->dtype)) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s_all\" not implemented for '%s'", name, rt_dtype_title(self->dtype));
        return NULL;
    }
    return full(self, Py_None, self->dtype, find, 0);
}

RT_KERNEL(max)
{
    return extreme(RT_TENSOR(args[0]), "max", max_loop);
}

RT_KERNEL(min)
{
    return extreme(RT_TENSOR(args[0]), "min", min_loop);
}

RT_KERNEL(max_unary_out)
{
    return rt_write_out(extreme(RT_TENSOR(args[0]), "max", max_loop), args[1]);
}

RT_KERNEL(min_unary_out)
{
    return rt_write_out(extreme(RT_TENSOR(args[0]), "min", min_loop), args[1]);
}
