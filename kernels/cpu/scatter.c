/* Writing at indices: scatter and its reductions, index_add, index_copy, index_fill_, index_reduce, put_ and masked_scatter_; take and
 * masked_select read what put_ and masked_scatter_ write.
 *
 * The kernels along a dimension are one walk (`walk`): for each element of the index, the element of the source at the same place goes to
 * the element of the output whose coordinate along the dimension is the index. A vector of indices is an index expanded with strides 0, a
 * number a source with strides 0. Indices are checked before anything is written: an error leaves the output as it was. The walk is in
 * memory order on one thread, so that sums are the same in every run. float16 and bfloat16 are reduced in float32.
 */
#pragma GCC optimize("O3")
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

#include <complex.h>
#include <limits.h>
#include <math.h>

/* One line of the walk: n elements from `from` to `to` + index * reach. Steps and reach in bytes; the index's step in elements. */
typedef void (*line_fn)(char *to, int64_t to_step, int64_t reach, const int64_t *index, int64_t index_step, const char *from,
                        int64_t from_step, int64_t n);

#define LINE(name, T, PUT)                                                                                                              \
    static void name(char *to, int64_t to_step, int64_t reach, const int64_t *index, int64_t index_step, const char *from,              \
                     int64_t from_step, int64_t n)                                                                                      \
    {                                                                                                                                   \
        if (index_step == 0 && n > 1) {                                                                                                 \
            to += *index * reach;                                                                                                       \
            if (to_step == sizeof(T) && from_step == sizeof(T)) {                                                                       \
                T *x = (T *)to;                                                                                                         \
                const T *y = (const T *)from;                                                                                           \
                for (int64_t i = 0; i < n; i++)                                                                                         \
                    PUT(x[i], y[i]);                                                                                                    \
                return;                                                                                                                 \
            }                                                                                                                           \
            for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)                                                           \
                PUT(*(T *)to, *(const T *)from);                                                                                        \
            return;                                                                                                                     \
        }                                                                                                                               \
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step, index += index_step)                                          \
            PUT(*(T *)(to + *index * reach), *(const T *)from);                                                                         \
    }

#define WRITE(a, b) ((a) = (b))
#define ADD(a, b) ((a) += (b))
#define MULTIPLY(a, b) ((a) *= (b))
/* NaN wins, wherever it is. */
#define RAISE(a, b) ((a) = (a) < (b) || (b) != (b) ? (b) : (a))
#define LOWER(a, b) ((a) = (a) > (b) || (b) != (b) ? (b) : (a))
#define EITHER(a, b) ((a) = (a) || (b))
#define BOTH(a, b) ((a) = (a) && (b))

typedef struct element16 {
    uint64_t parts[2];
} element16;
LINE(write_1, uint8_t, WRITE)
LINE(write_2, uint16_t, WRITE)
LINE(write_4, uint32_t, WRITE)
LINE(write_8, uint64_t, WRITE)
LINE(write_16, element16, WRITE)
LINE(either, uint8_t, EITHER)
LINE(both, uint8_t, BOTH)

#define ORDERED_LINES(suffix, T)       \
    LINE(add_##suffix, T, ADD)         \
    LINE(multiply_##suffix, T, MULTIPLY) \
    LINE(raise_##suffix, T, RAISE)     \
    LINE(lower_##suffix, T, LOWER)
ORDERED_LINES(u8, uint8_t)
ORDERED_LINES(i8, int8_t)
ORDERED_LINES(i16, int16_t)
ORDERED_LINES(i32, int32_t)
ORDERED_LINES(i64, int64_t)
ORDERED_LINES(f32, float)
ORDERED_LINES(f64, double)
LINE(add_c64, float complex, ADD)
LINE(multiply_c64, float complex, MULTIPLY)
LINE(add_c128, double complex, ADD)
LINE(multiply_c128, double complex, MULTIPLY)

enum reduction { REDUCE_NONE, REDUCE_SUM, REDUCE_PROD, REDUCE_MEAN, REDUCE_AMAX, REDUCE_AMIN };

static line_fn writer(int itemsize)
{
    switch (itemsize) {
    case 1: return write_1;
    case 2: return write_2;
    case 4: return write_4;
    case 8: return write_8;
    default: return write_16;
    }
}

/* The line that reduces elements of a dtype, or NULL with an exception set. */
static line_fn reducer(enum reduction how, int dtype, const char *name)
{
#define ROW(CODE, suffix)                                  \
    case CODE:                                             \
        return how == REDUCE_PROD   ? multiply_##suffix    \
               : how == REDUCE_AMAX ? raise_##suffix       \
               : how == REDUCE_AMIN ? lower_##suffix       \
                                    : add_##suffix;
    switch (dtype) {
        ROW(RT_UINT8, u8)
        ROW(RT_INT8, i8)
        ROW(RT_INT16, i16)
        ROW(RT_INT32, i32)
        ROW(RT_INT64, i64)
        ROW(RT_FLOAT32, f32)
        ROW(RT_FLOAT64, f64)
    case RT_BOOL:
        if (how != REDUCE_MEAN)
            return how == REDUCE_PROD || how == REDUCE_AMIN ? both : either;
        break;
    case RT_COMPLEX64:
        if (how != REDUCE_AMAX && how != REDUCE_AMIN)
            return how == REDUCE_PROD ? multiply_c64 : add_c64;
        break;
    case RT_COMPLEX128:
        if (how != REDUCE_AMAX && how != REDUCE_AMIN)
            return how == REDUCE_PROD ? multiply_c128 : add_c128;
        break;
    }
#undef ROW
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", name, rt_dtype_title(dtype));
    return NULL;
}

/* The walk's geometry: sizes of the index, and strides (the index's in elements, others in bytes). A 0-d tensor is one of one dimension. */
typedef struct places {
    int ndim, dim;
    int64_t sizes[RT_MAX_DIM], to[RT_MAX_DIM], index[RT_MAX_DIM], from[RT_MAX_DIM];
    int64_t reach, numel;
} places;

static void walk(const places *p, char *to, const int64_t *index, const char *from, line_fn line)
{
    int64_t at[RT_MAX_DIM] = {0};
    int last = p->ndim - 1;
    if (p->numel == 0)
        return;
    for (;;) {
        line(to, p->to[last], p->reach, index, p->index[last], from, p->from[last], p->sizes[last]);
        int d = last - 1;
        for (; d >= 0; d--) {
            to += p->to[d];
            index += p->index[d];
            from += p->from[d];
            if (++at[d] < p->sizes[d])
                break;
            to -= p->sizes[d] * p->to[d];
            index -= p->sizes[d] * p->index[d];
            from -= p->sizes[d] * p->from[d];
            at[d] = 0;
        }
        if (d < 0)
            return;
    }
}

/* `source` may be NULL: its strides are 0 then. */
static void set_strides(places *p, const RtTensor *out, const RtTensor *source)
{
    int itemsize = rt_itemsize[out->dtype];
    for (int d = 0; d < p->ndim; d++) {
        p->to[d] = d == p->dim || out->ndim == 0 ? 0 : out->strides[d] * itemsize;
        p->from[d] = source == NULL || source->ndim == 0 ? 0 : source->strides[d] * itemsize;
    }
    p->reach = out->ndim == 0 ? 0 : out->strides[p->dim] * itemsize;
}

#define OUT_OF_BOUNDS "index %lld is out of bounds for dimension %lld with size %lld"

/* The index as int64, contiguous, its values within `size`: a new reference, or NULL with an exception set, whose text is a format of the
 * index, `dim` and `size`. Negative values count from the end where `wraps`. */
static RtTensor *checked_index(RtTensor *index, int64_t dim, int64_t size, PyObject *error, const char *format, int wraps)
{
    RtTensor *wide = rt_cast(index, RT_INT64);
    if (wide == NULL || rt_check_cpu(wide, "index") < 0) {
        Py_XDECREF((PyObject *)wide);
        return NULL;
    }
    if (!rt_is_contiguous(wide) || wraps) { /* wrapped indices are written */
        RtTensor *own = rt_empty_like(wide, RT_INT64);
        if (own != NULL && own->numel > 0)
            rt_copy_elements(wide->ndim, wide->sizes, rt_data(own), own->strides, rt_data(wide), wide->strides, 8);
        Py_DECREF((PyObject *)wide);
        if ((wide = own) == NULL)
            return NULL;
    }
    int64_t *values = (int64_t *)rt_data(wide);
    for (int64_t i = 0; i < wide->numel; i++) {
        int64_t value = values[i];
        if (value < 0 && wraps)
            value += size;
        if (value < 0 || value >= size) {
            PyErr_Format(error, format, (long long)values[i], (long long)dim, (long long)size);
            Py_DECREF((PyObject *)wide);
            return NULL;
        }
        if (wraps)
            values[i] = value;
    }
    return wide;
}

/* A reduction's first value, packed. */
static void neutral(enum reduction how, int dtype, void *element)
{
    memset(element, 0, 16);
    if (how == REDUCE_SUM || how == REDUCE_MEAN)
        return;
    int low = how == REDUCE_AMAX;
    switch (dtype) {
#define ROW(CODE, T, LOW, HIGH)                                                \
    case CODE:                                                                 \
        *(T *)element = how == REDUCE_PROD ? (T)1 : low ? (T)(LOW) : (T)(HIGH); \
        break;
        ROW(RT_BOOL, uint8_t, 0, 1)
        ROW(RT_UINT8, uint8_t, 0, UINT8_MAX)
        ROW(RT_INT8, int8_t, INT8_MIN, INT8_MAX)
        ROW(RT_INT16, int16_t, INT16_MIN, INT16_MAX)
        ROW(RT_INT32, int32_t, INT32_MIN, INT32_MAX)
        ROW(RT_INT64, int64_t, INT64_MIN, INT64_MAX)
        ROW(RT_FLOAT32, float, -INFINITY, INFINITY)
        ROW(RT_FLOAT64, double, -INFINITY, INFINITY)
        ROW(RT_COMPLEX64, float complex, 1, 1)
        ROW(RT_COMPLEX128, double complex, 1, 1)
#undef ROW
    }
}

/* Divide an output (contiguous) by the number of elements that were added to each of its own; integers round down. */
static void divide(RtTensor *out, const int64_t *counts)
{
    switch (out->dtype) {
#define ROW(CODE, T)                                        \
    case CODE:                                              \
        for (int64_t i = 0; i < out->numel; i++)            \
            ((T *)rt_data(out))[i] /= (T)(counts[i] ? counts[i] : 1); \
        break;
#define WHOLE_ROW(CODE, T)                                                  \
    case CODE:                                                              \
        for (int64_t i = 0; i < out->numel; i++) {                          \
            int64_t a = ((T *)rt_data(out))[i], n = counts[i] ? counts[i] : 1; \
            ((T *)rt_data(out))[i] = (T)(a / n - (a % n < 0));              \
        }                                                                   \
        break;
        ROW(RT_FLOAT32, float)
        ROW(RT_FLOAT64, double)
        ROW(RT_COMPLEX64, float complex)
        ROW(RT_COMPLEX128, double complex)
        WHOLE_ROW(RT_UINT8, uint8_t)
        WHOLE_ROW(RT_INT8, int8_t)
        WHOLE_ROW(RT_INT16, int16_t)
        WHOLE_ROW(RT_INT32, int32_t)
        WHOLE_ROW(RT_INT64, int64_t)
#undef ROW
#undef WHOLE_ROW
    }
}

static void copy_all(RtTensor *to, const RtTensor *from)
{
    if (to->numel > 0)
        rt_copy_elements(from->ndim, from->sizes, rt_data(to), to->strides, rt_data(from), from->strides, rt_itemsize[to->dtype]);
}

/* Reduce into an output that holds self's elements. `source` of the output's dtype, or NULL for the packed `number`. */
static int reduce_into(places *p, RtTensor *out, const int64_t *index, RtTensor *source, const char *number, enum reduction how,
                       int include_self, const char *name)
{
    RtTensor *work = RT_TENSOR(Py_NewRef((PyObject *)out)), *given = source == NULL ? NULL : RT_TENSOR(Py_NewRef((PyObject *)source));
    RtTensor *counts = NULL;
    float widened;
    int rc = -1;
    if (out->dtype == RT_FLOAT16 || out->dtype == RT_BFLOAT16) {
        uint16_t bits;
        Py_SETREF(work, rt_cast(out, RT_FLOAT32));
        if (source != NULL) {
            Py_SETREF(given, rt_cast(source, RT_FLOAT32));
        } else {
            memcpy(&bits, number, sizeof bits);
            uint32_t high = (uint32_t)bits << 16;
            if (out->dtype == RT_BFLOAT16)
                memcpy(&widened, &high, sizeof widened);
            else
                widened = (float)*(const _Float16 *)number;
            number = (const char *)&widened;
        }
    } else if (how == REDUCE_MEAN && !rt_is_contiguous(out)) {
        Py_SETREF(work, rt_empty_like(out, out->dtype));
        if (work != NULL)
            copy_all(work, out);
    }
    if (work == NULL || (source != NULL && given == NULL))
        goto done;
    line_fn line = reducer(how, work->dtype, name);
    if (line == NULL)
        goto done;
    set_strides(p, work, NULL);
    if (!include_self) {
        char first[16];
        neutral(how, work->dtype, first);
        walk(p, rt_data(work), index, first, writer(rt_itemsize[work->dtype]));
    }
    set_strides(p, work, given);
    walk(p, rt_data(work), index, given == NULL ? number : rt_data(given), line);
    if (how == REDUCE_MEAN) {
        static const int64_t one = 1;
        if ((counts = rt_empty_like(work, RT_INT64)) == NULL)
            goto done;
        for (int64_t i = 0; i < counts->numel; i++)
            ((int64_t *)rt_data(counts))[i] = include_self;
        set_strides(p, counts, NULL);
        walk(p, rt_data(counts), index, (const char *)&one, add_i64);
        divide(work, (const int64_t *)rt_data(counts));
    }
    rc = 0;
    if (work != out) {
        PyObject *call[3] = {(PyObject *)out, (PyObject *)work, Py_False};
        PyObject *copied = rt_call_below_views(RT_OP_aten_copy_, call, 3);
        rc = copied == NULL ? -1 : 0;
        Py_XDECREF(copied);
    }
done:
    Py_XDECREF((PyObject *)counts);
    Py_XDECREF((PyObject *)work);
    Py_XDECREF((PyObject *)given);
    return rc;
}

/* The output of a variant takes self's elements before the walk. */
static int begin(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    if (rt_check_cpu(self, "scatter") < 0)
        return -1;
    if (c->outs[0] != self)
        copy_all(c->outs[0], self);
    return 0;
}

static int like_self(rt_call_frame *c, const RtTensor *index, const RtTensor *source)
{
    const RtTensor *self = RT_TENSOR(c->args[0]);
    rt_out_spec *spec = &c->specs[0];
    if (c->variant != RT_FUNCTIONAL &&
        (rt_check_no_internal_overlap(c->outs[0]) < 0 || rt_check_no_overlap(c->outs[0], index) < 0 ||
         (source != NULL && rt_check_no_overlap(c->outs[0], source) < 0)))
        return -1;
    spec->dtype = self->dtype;
    spec->device_type = self->device_type;
    spec->device_index = self->device_index;
    spec->has_strides = 0;
    spec->ndim = self->ndim;
    memcpy(spec->sizes, self->sizes, self->ndim * sizeof(int64_t));
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------------------- scatter */

static int size_at(const RtTensor *t, int d, int64_t *size)
{
    *size = t->ndim ? t->sizes[d] : 1;
    return t->ndim ? t->ndim : 1;
}

static int raise_shapes(const RtTensor *index, const RtTensor *self, int64_t dim, const RtTensor *source)
{
    PyObject *a = rt_shape_text(index->ndim, index->sizes), *b = rt_shape_text(self->ndim, self->sizes);
    PyObject *s = source != NULL ? rt_shape_text(source->ndim, source->sizes) : Py_NewRef(Py_None);
    if (a != NULL && b != NULL && s != NULL) {
        if (source != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "Expected index %U to be no larger than self %U apart from dimension %lld and to be no larger in size than src %U", a,
                         b, (long long)dim, s);
        else
            PyErr_Format(PyExc_RuntimeError, "Expected index %U to be no larger than self %U apart from dimension %lld", a, b, (long long)dim);
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_XDECREF(s);
    return -1;
}

static int scatter_rule_of(rt_call_frame *c, const RtTensor *source)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->numel > 0 && index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_SetString(PyExc_RuntimeError, "scatter(): Expected dtype int32/int64 for index");
        return -1;
    }
    if (source != NULL && source->dtype != self->dtype) {
        PyErr_SetString(PyExc_RuntimeError, "scatter(): Expected self.dtype to be equal to src.dtype");
        return -1;
    }
    if (index->numel > 0) {
        int64_t n, limit;
        int ndim = size_at(index, 0, &n);
        if (size_at(self, 0, &n) != ndim) {
            PyErr_SetString(PyExc_RuntimeError, "Index tensor must have the same number of dimensions as self tensor");
            return -1;
        }
        if (source != NULL && size_at(source, 0, &n) != ndim) {
            PyErr_SetString(PyExc_RuntimeError, "Index tensor must have the same number of dimensions as src tensor");
            return -1;
        }
        for (int d = 0; d < ndim; d++) {
            size_at(index, d, &n);
            if (d != dim && (size_at(self, d, &limit), n > limit))
                return raise_shapes(index, self, dim, source);
            if (source != NULL && (size_at(source, d, &limit), n > limit))
                return raise_shapes(index, self, dim, source);
        }
    }
    return like_self(c, index, source);
}

static int scatter_run(rt_call_frame *c, RtTensor *source, PyObject *value, enum reduction how, int include_self, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *out = c->outs[0];
    places p;
    int64_t dim;
    _Alignas(16) char number[16] = {0};
    if (rt_as_int64(c->args[1], &dim) < 0 || (source != NULL && rt_check_cpu(source, "scatter") < 0))
        return -1;
    if (value != NULL) {
        int packed = rt_pack_number(value, out->dtype, number);
        if (packed <= 0) {
            if (packed == 0)
                PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", name, rt_dtype_title(out->dtype));
            return -1;
        }
    }
    p.dim = (int)rt_wrap_dim_scalar(dim, self->ndim);
    RtTensor *checked = NULL;
    if (index->numel > 0) {
        checked = checked_index(index, p.dim, self->ndim ? self->sizes[p.dim] : 1, PyExc_RuntimeError, OUT_OF_BOUNDS, 0);
        if (checked == NULL)
            return -1;
    }
    if (begin(c) < 0) {
        Py_XDECREF((PyObject *)checked);
        return -1;
    }
    if (checked == NULL)
        return 0;
    p.ndim = index->ndim ? index->ndim : 1;
    p.numel = index->numel;
    for (int d = 0; d < p.ndim; d++) {
        p.sizes[d] = index->ndim ? index->sizes[d] : 1;
        p.index[d] = index->ndim ? checked->strides[d] : 0;
    }
    int rc = 0;
    if (how == REDUCE_NONE) {
        set_strides(&p, out, source);
        walk(&p, rt_data(out), (const int64_t *)rt_data(checked), source ? rt_data(source) : number, writer(rt_itemsize[out->dtype]));
    } else {
        rc = reduce_into(&p, out, (const int64_t *)rt_data(checked), source, number, how, include_self, name);
    }
    Py_DECREF((PyObject *)checked);
    return rc;
}

static int named_reduction(PyObject *text)
{
    static const char *const names[] = {NULL, "sum", "prod", "mean", "amax", "amin"};
    for (int i = REDUCE_SUM; i <= REDUCE_AMIN; i++)
        if (PyUnicode_CompareWithASCIIString(text, names[i]) == 0)
            return i;
    return -1;
}

/* The older names, of scatter's own `reduce` argument. */
static int older_reduction(PyObject *text)
{
    if (PyUnicode_CompareWithASCIIString(text, "add") == 0)
        return REDUCE_SUM;
    if (PyUnicode_CompareWithASCIIString(text, "multiply") == 0)
        return REDUCE_PROD;
    PyErr_SetString(PyExc_RuntimeError, "reduce argument must be either add or multiply.");
    return -1;
}

static int source_rule(rt_call_frame *c) { return scatter_rule_of(c, RT_TENSOR(c->args[3])); }
static int value_rule(rt_call_frame *c) { return scatter_rule_of(c, NULL); }
static int source_reduce_rule(rt_call_frame *c) { return source_rule(c) < 0 || older_reduction(c->args[4]) < 0 ? -1 : 0; }
static int value_reduce_rule(rt_call_frame *c) { return value_rule(c) < 0 || older_reduction(c->args[4]) < 0 ? -1 : 0; }
static int two_rule(rt_call_frame *c)
{
    if (source_rule(c) < 0)
        return -1;
    if (named_reduction(c->args[4]) < 0) {
        PyErr_Format(PyExc_RuntimeError, "reduce argument must be either sum, prod, mean, amax or amin, got %U", c->args[4]);
        return -1;
    }
    return 0;
}

static int scatter_src(rt_call_frame *c) { return scatter_run(c, RT_TENSOR(c->args[3]), NULL, REDUCE_NONE, 1, "scatter"); }
static int scatter_value(rt_call_frame *c) { return scatter_run(c, NULL, c->args[3], REDUCE_NONE, 1, "scatter"); }
static int scatter_src_reduce(rt_call_frame *c)
{
    return scatter_run(c, RT_TENSOR(c->args[3]), NULL, older_reduction(c->args[4]), 1, "scatter_reduce");
}
static int scatter_value_reduce(rt_call_frame *c)
{
    return scatter_run(c, NULL, c->args[3], older_reduction(c->args[4]), 1, "scatter_reduce");
}
static int scatter_add(rt_call_frame *c) { return scatter_run(c, RT_TENSOR(c->args[3]), NULL, REDUCE_SUM, 1, "scatter_add"); }
static int scatter_reduce_two(rt_call_frame *c)
{
    return scatter_run(c, RT_TENSOR(c->args[3]), NULL, named_reduction(c->args[4]), rt_as_bool(c->args[5]), "scatter_reduce");
}

const rt_structured_def rt_k_scatter_src_out = {"scatter", source_rule, scatter_src, NULL, 1};
const rt_structured_def rt_k_scatter_value_out = {"scatter", value_rule, scatter_value, NULL, 1};
const rt_structured_def rt_k_scatter_reduce_out = {"scatter", source_reduce_rule, scatter_src_reduce, NULL, 1};
const rt_structured_def rt_k_scatter_value_reduce_out = {"scatter", value_reduce_rule, scatter_value_reduce, NULL, 1};
const rt_structured_def rt_k_scatter_add_out = {"scatter_add", source_rule, scatter_add, NULL, 1};
const rt_structured_def rt_k_scatter_reduce_two_out = {"scatter_reduce", two_rule, scatter_reduce_two, NULL, 1};

/* ----------------------------------------------------------------------------------------------------- a vector of indices along one */

/* The walk of a vector of indices: every element of the source, with the index of its coordinate along the dimension. */
static int along(places *p, RtTensor *out, int64_t dim, RtTensor *source, int64_t nindices)
{
    int ndim = out->ndim ? out->ndim : 1;
    p->ndim = ndim;
    p->dim = (int)dim;
    p->numel = 1;
    for (int d = 0; d < ndim; d++) {
        p->sizes[d] = d == dim ? nindices : out->ndim ? out->sizes[d] : 1;
        p->index[d] = d == dim;
        p->numel *= p->sizes[d];
    }
    set_strides(p, out, source);
    return 0;
}

static int raise_index_shape(const char *name, const RtTensor *index)
{
    PyObject *sizes = rt_shape_text(index->ndim, index->sizes);
    if (sizes != NULL)
        PyErr_Format(PyExc_IndexError, "%s_(): Index is supposed to be a vector, but got dim: %d with type: %s and size: %U", name,
                     (int)index->ndim, rt_dtype_title(index->dtype), sizes);
    Py_XDECREF(sizes);
    return -1;
}

/* Sizes apart from one dimension agree; a 0-d tensor counts as one of one dimension where `scalars_match`. */
static int same_slices(const RtTensor *a, const RtTensor *b, int64_t dim, int scalars_match)
{
    if (a->ndim == 0 || b->ndim == 0)
        return scalars_match ? a->ndim < 2 && b->ndim < 2 : a->ndim == b->ndim;
    if (a->ndim != b->ndim)
        return 0;
    for (int d = 0; d < a->ndim; d++)
        if (d != dim && a->sizes[d] != b->sizes[d])
            return 0;
    return 1;
}

static int vector_rule(rt_call_frame *c, const char *name)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *source = RT_TENSOR(c->args[3]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->ndim > 1)
        return raise_index_shape(name, index);
    if (index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Expected dtype int32/int64 for index but got: %s", name, rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "%s(): self (%s) and source (%s) must have the same scalar type", name, rt_dtype_title(self->dtype),
                     rt_dtype_title(source->dtype));
        return -1;
    }
    if (dim != 0 && dim >= source->ndim) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Indexing dim %lld is out of bounds of the source tensor with dim %d", name, (long long)dim,
                     (int)source->ndim);
        return -1;
    }
    int64_t length = source->ndim ? source->sizes[dim] : 1;
    if (index->numel != length) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Number of indices (%lld) should be equal to source.size(dim): (%lld), for dim: %lld", name,
                     (long long)index->numel, (long long)length, (long long)dim);
        return -1;
    }
    if (!same_slices(self, source, dim, 0)) {
        PyObject *a = rt_shape_text(self->ndim, self->sizes), *b = rt_shape_text(source->ndim, source->sizes);
        if (a != NULL && b != NULL)
            PyErr_Format(PyExc_RuntimeError, "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                                             "self.shape = %U source.shape = %U", a, b);
        Py_XDECREF(a);
        Py_XDECREF(b);
        return -1;
    }
    return like_self(c, index, source);
}

static int vector_run(rt_call_frame *c, RtTensor *source, enum reduction how, int include_self, PyObject *error, const char *out_of_range,
                      const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *out = c->outs[0];
    places p;
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || rt_check_cpu(source, name) < 0)
        return -1;
    dim = rt_wrap_dim_scalar(dim, self->ndim);
    RtTensor *checked = checked_index(index, dim, self->ndim ? self->sizes[dim] : 1, error, out_of_range, 0);
    if (checked == NULL || begin(c) < 0) {
        Py_XDECREF((PyObject *)checked);
        return -1;
    }
    along(&p, out, dim, source, index->numel);
    int rc = 0;
    if (how == REDUCE_NONE)
        walk(&p, rt_data(out), (const int64_t *)rt_data(checked), rt_data(source), writer(rt_itemsize[out->dtype]));
    else if (p.numel > 0)
        rc = reduce_into(&p, out, (const int64_t *)rt_data(checked), source, NULL, how, include_self, name);
    Py_DECREF((PyObject *)checked);
    return rc;
}

static int index_add_rule(rt_call_frame *c)
{
    if (vector_rule(c, "index_add") < 0)
        return -1;
    int dtype = RT_TENSOR(c->args[0])->dtype;
    PyObject *alpha = c->args[4];
    if (RT_TENSOR(c->args[0])->ndim < 2 && !PyComplex_Check(alpha))
        return 0; /* a line's is cast to the dtype */
    if (PyBool_Check(alpha) && dtype != RT_BOOL) {
        PyErr_SetString(PyExc_RuntimeError, "Boolean alpha only supported for Boolean results.");
        return -1;
    }
    if (!rt_is_float_dtype(dtype) && !rt_is_complex_dtype(dtype) && !PyLong_Check(alpha)) {
        PyErr_SetString(PyExc_RuntimeError, "For integral input tensors, argument alpha must not be a floating point number.");
        return -1;
    }
    if (!rt_is_complex_dtype(dtype) && PyComplex_Check(alpha)) {
        PyErr_SetString(PyExc_RuntimeError, "For non-complex input tensors, argument alpha must not be a complex number.");
        return -1;
    }
    return 0;
}

static int index_add(rt_call_frame *c)
{
    PyObject *source = c->args[3], *alpha = c->args[4];
    int one = PyLong_Check(alpha) && PyObject_IsTrue(alpha) && PyLong_AsLong(alpha) == 1;
    PyErr_Clear(); /* a number beyond a long is not 1 */
    if (one) {
        Py_INCREF(source);
    } else {
        PyObject *call[2] = {source, alpha};
        PyObject *scaled = rt_call_below_views(RT_OP_aten_mul_Scalar, call, 2);
        if (scaled == NULL)
            return -1;
        source = (PyObject *)rt_cast(RT_TENSOR(scaled), RT_TENSOR(c->args[0])->dtype);
        Py_DECREF(scaled);
        if (source == NULL)
            return -1;
    }
    int line = RT_TENSOR(c->args[0])->ndim < 2;
    int rc = vector_run(c, RT_TENSOR(source), REDUCE_SUM, 1, line ? PyExc_IndexError : PyExc_RuntimeError,
                        line ? "index out of range in self" : OUT_OF_BOUNDS, "index_add");
    Py_DECREF(source);
    return rc;
}
const rt_structured_def rt_k_index_add_out = {"index_add", index_add_rule, index_add, NULL, 1};

static int index_reduce_rule(rt_call_frame *c)
{
    int how = named_reduction(c->args[4]);
    if (how < 0 || how == REDUCE_SUM) {
        PyErr_Format(PyExc_RuntimeError, "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got %U.", c->args[4]);
        return -1;
    }
    return vector_rule(c, "index_reduce");
}
static int index_reduce(rt_call_frame *c)
{
    return vector_run(c, RT_TENSOR(c->args[3]), named_reduction(c->args[4]), rt_as_bool(c->args[5]), PyExc_IndexError,
                      "index out of range in self", "index_reduce");
}
const rt_structured_def rt_k_index_reduce_out = {"index_reduce", index_reduce_rule, index_reduce, NULL, 1};

static int index_copy_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *source = RT_TENSOR(c->args[3]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->ndim > 1) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): Index should have dimension 1 or 0 (got %d)", (int)index->ndim);
        return -1;
    }
    if (source->ndim == 0 && index->numel != 1) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): When source is scalar, index should have one element (got %lld)",
                     (long long)index->numel);
        return -1;
    }
    if (source->ndim != self->ndim && source->ndim != 0 && self->ndim != 0) {
        PyErr_Format(PyExc_IndexError,
                     "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source dimensionality (%d), "
                     "destination dimensionality (%d)",
                     (int)source->ndim, (int)self->ndim);
        return -1;
    }
    if (index->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): Expected a long tensor for index, but got %s", rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): self and source expected to have the same dtype, but got (self) %s and (source) %s",
                     rt_dtype_title(self->dtype), rt_dtype_title(source->dtype));
        return -1;
    }
    if (!same_slices(self, source, dim, 1)) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): Source/destination tensor must have same slice shapes along dimension %lld",
                     (long long)dim);
        return -1;
    }
    if (source->ndim != 0 && index->numel != source->sizes[dim]) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): Number of indices (%lld) should be equal to source.size(dim) (%lld)",
                     (long long)index->numel, (long long)source->sizes[dim]);
        return -1;
    }
    return like_self(c, index, source);
}
static int index_copy(rt_call_frame *c)
{
    return vector_run(c, RT_TENSOR(c->args[3]), REDUCE_NONE, 1, PyExc_IndexError, "index_copy_(): " OUT_OF_BOUNDS, "index_copy_");
}
const rt_structured_def rt_k_index_copy_out = {"index_copy", index_copy_rule, index_copy, NULL, 1};

RT_KERNEL(index_fill__int_Scalar)
{
    RtTensor *self = RT_TENSOR(args[0]), *index = RT_TENSOR(args[2]);
    _Alignas(16) char number[16];
    places p;
    int64_t dim;
    if (index->dtype != RT_INT64) {
        PyErr_SetString(PyExc_IndexError, "index_fill_(): Expected dtype int64 for index.");
        return NULL;
    }
    if (rt_check_no_overlap(self, index) < 0)
        return NULL;
    if (PyComplex_Check(args[3]) && !rt_is_complex_dtype(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "index_fill_(): Converting complex Scalar to non-complex type is not supported");
        return NULL;
    }
    if (rt_as_int64(args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return NULL;
    if (index->ndim > 1) {
        PyErr_SetString(PyExc_RuntimeError, "Index has to be a vector/scalar");
        return NULL;
    }
    if (self->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    int packed = rt_pack_number(args[3], self->dtype, number);
    if (packed <= 0) {
        if (packed == 0)
            PyErr_Format(PyExc_NotImplementedError, "\"index_fill_cpu\" not implemented for '%s'", rt_dtype_title(self->dtype));
        return NULL;
    }
    if (rt_check_cpu(self, "index_fill_") < 0 || rt_check_no_internal_overlap(self) < 0)
        return NULL;
    RtTensor *checked = checked_index(index, dim, self->ndim ? self->sizes[dim] : 1, PyExc_IndexError, OUT_OF_BOUNDS, 1);
    if (checked == NULL)
        return NULL;
    along(&p, self, dim, NULL, index->numel);
    walk(&p, rt_data(self), (const int64_t *)rt_data(checked), number, writer(rt_itemsize[self->dtype]));
    Py_DECREF((PyObject *)checked);
    return Py_NewRef(args[0]);
}

RT_KERNEL(index_fill__int_Tensor)
{
    if (RT_TENSOR(args[3])->ndim != 0) {
        PyErr_Format(PyExc_RuntimeError, "Only supports 0-dimensional value tensor, but got tensor with %d dimension(s).",
                     (int)RT_TENSOR(args[3])->ndim);
        return NULL;
    }
    if (RT_TENSOR(args[0])->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    PyObject *number = rt_call_below_views(RT_OP_aten__local_scalar_dense, args + 3, 1);
    if (number == NULL)
        return NULL;
    PyObject *call[4] = {args[0], args[1], args[2], number};
    PyObject *result = rt_k_index_fill__int_Scalar(op, ks, call, 4, ctx);
    Py_DECREF(number);
    return result;
}

/* --------------------------------------------------------------------------------------------------------- numbers of elements */

/* Byte offset of an element by its number in row-major order. */
static int64_t offset_of(const RtTensor *t, int64_t number)
{
    int64_t offset = 0;
    if (rt_is_contiguous(t))
        return number * rt_itemsize[t->dtype];
    for (int d = t->ndim - 1; d >= 0; d--) {
        offset += number % t->sizes[d] * t->strides[d];
        number /= t->sizes[d];
    }
    return offset * rt_itemsize[t->dtype];
}

/* Numbers of a tensor's elements: as checked_index, with the error that names the number of elements. */
static RtTensor *element_numbers(RtTensor *index, const RtTensor *self, const char *what)
{
    if (index->numel > 0 && self->numel == 0) {
        PyErr_Format(PyExc_IndexError, "%s an empty tensor", what);
        return NULL;
    }
    return checked_index(index, self->numel, self->numel, PyExc_IndexError,
                         "out of range: tried to access index %lld on a tensor of %lld elements.", 1);
}

static int take_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[1]);
    rt_out_spec *spec = &c->specs[0];
    if (index->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "take(): Expected a long tensor for index, but got %s", rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->numel == 0 && index->numel > 0) {
        PyErr_SetString(PyExc_IndexError, "take(): tried to take from an empty tensor");
        return -1;
    }
    spec->dtype = self->dtype;
    spec->device_type = self->device_type;
    spec->device_index = self->device_index;
    spec->has_strides = 0;
    spec->ndim = index->ndim;
    memcpy(spec->sizes, index->sizes, index->ndim * sizeof(int64_t));
    return c->variant == RT_OUT && (rt_check_no_overlap(c->outs[0], self) < 0 || rt_check_no_overlap(c->outs[0], index) < 0) ? -1 : 0;
}

static int take(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[1]), *out = c->outs[0];
    if (rt_check_cpu(self, "take") < 0)
        return -1;
    RtTensor *numbers = element_numbers(index, self, "take(): tried to take from");
    if (numbers == NULL)
        return -1;
    const int64_t *number = (const int64_t *)rt_data(numbers);
    int itemsize = rt_itemsize[self->dtype];
    for (int64_t i = 0; i < numbers->numel; i++)
        memcpy(rt_data(out) + offset_of(out, i), rt_data(self) + offset_of(self, number[i]), itemsize);
    Py_DECREF((PyObject *)numbers);
    return 0;
}
const rt_structured_def rt_k_take_out = {"take", take_rule, take, NULL, 1};

RT_KERNEL(put_)
{
    RtTensor *self = RT_TENSOR(args[0]), *index = RT_TENSOR(args[1]), *source = RT_TENSOR(args[2]);
    if (index->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "put_(): Expected a long tensor for index, but got %s", rt_dtype_title(index->dtype));
        return NULL;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "put_(): self and source expected to have the same dtype, but got self.dtype = %s and source.dtype = "
                                         "%s", rt_dtype_title(self->dtype), rt_dtype_title(source->dtype));
        return NULL;
    }
    if (source->numel != index->numel) {
        PyErr_Format(PyExc_RuntimeError, "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
                                         "%lld, index.numel() = %lld", (long long)source->numel, (long long)index->numel);
        return NULL;
    }
    if (rt_check_no_internal_overlap(self) < 0 || rt_check_no_overlap(self, index) < 0 || rt_check_no_overlap(self, source) < 0)
        return NULL;
    if (self->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    if (rt_check_cpu(self, "put_") < 0 || rt_check_cpu(source, "put_") < 0)
        return NULL;
    if (index->numel == 0)
        return Py_NewRef(args[0]);
    RtTensor *numbers = element_numbers(index, self, "put_(): Tried to put elements into"), *work = self, *given = source;
    if (numbers == NULL)
        return NULL;
    PyObject *result = NULL;
    int accumulate = rt_as_bool(args[3]), narrow = accumulate && (self->dtype == RT_FLOAT16 || self->dtype == RT_BFLOAT16);
    if (narrow) {
        work = rt_cast(self, RT_FLOAT32);
        given = rt_cast(source, RT_FLOAT32);
    }
    line_fn line = work == NULL || given == NULL ? NULL
                   : accumulate                  ? reducer(REDUCE_SUM, work->dtype, "take_put_cpu")
                                                 : writer(rt_itemsize[work->dtype]);
    if (line != NULL) {
        const int64_t *number = (const int64_t *)rt_data(numbers), zero = 0;
        for (int64_t i = 0; i < numbers->numel; i++)
            line(rt_data(work) + offset_of(work, number[i]), 0, 0, &zero, 0, rt_data(given) + offset_of(given, i), 0, 1);
        result = Py_NewRef(args[0]);
        if (narrow) {
            PyObject *call[3] = {args[0], (PyObject *)work, Py_False};
            PyObject *copied = rt_call_below_views(RT_OP_aten_copy_, call, 3);
            if (copied == NULL)
                Py_CLEAR(result);
            Py_XDECREF(copied);
        }
    }
    if (narrow) {
        Py_XDECREF((PyObject *)work);
        Py_XDECREF((PyObject *)given);
    }
    Py_DECREF((PyObject *)numbers);
    return result;
}

/* ------------------------------------------------------------------------------------------------------------------------- masks */

/* Walk over a tensor and a mask of the same sizes, strides in bytes; elements where the mask is true lie packed at `packed`. */
enum direction { COUNT, SELECT, FILL };
static int64_t masked(int ndim, const int64_t *sizes, char *data, const int64_t *strides, const char *mask, const int64_t *mask_strides,
                      char *packed, int itemsize, enum direction direction)
{
    int64_t at[RT_MAX_DIM] = {0}, count = 0;
    for (int d = 0; d < ndim; d++)
        if (sizes[d] == 0)
            return 0;
    int last = ndim - 1;
    int64_t n = ndim ? sizes[last] : 1, step = ndim ? strides[last] : 0, mask_step = ndim ? mask_strides[last] : 0;
    for (;;) {
        for (int64_t i = 0; i < n; i++) {
            if (!mask[i * mask_step])
                continue;
            if (direction == SELECT)
                memcpy(packed + count * itemsize, data + i * step, itemsize);
            else if (direction == FILL)
                memcpy(data + i * step, packed + count * itemsize, itemsize);
            count++;
        }
        int d = last - 1;
        for (; d >= 0; d--) {
            data += strides[d];
            mask += mask_strides[d];
            if (++at[d] < sizes[d])
                break;
            data -= sizes[d] * strides[d];
            mask -= sizes[d] * mask_strides[d];
            at[d] = 0;
        }
        if (d < 0)
            return count;
    }
}

RT_KERNEL(masked_select)
{
    RtTensor *self = RT_TENSOR(args[0]), *mask = RT_TENSOR(args[1]);
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM], mask_strides[RT_MAX_DIM];
    if (mask->dtype != RT_BOOL) {
        PyErr_SetString(PyExc_RuntimeError, "masked_select: expected BoolTensor for mask");
        return NULL;
    }
    int ndim = rt_broadcast_sizes(self->ndim, self->sizes, mask->ndim, mask->sizes, sizes), itemsize = rt_itemsize[self->dtype];
    if (ndim < 0 || rt_check_cpu(self, "masked_select") < 0 || rt_check_cpu(mask, "masked_select") < 0 ||
        rt_expand_strides(self, ndim, sizes, strides) < 0 || rt_expand_strides(mask, ndim, sizes, mask_strides) < 0)
        return NULL;
    for (int d = 0; d < ndim; d++)
        strides[d] *= itemsize;
    int64_t count = masked(ndim, sizes, NULL, strides, rt_data(mask), mask_strides, NULL, 0, COUNT);
    RtTensor *out = rt_empty(1, &count, self->dtype, self->device_type, self->device_index);
    if (out != NULL && count > 0)
        masked(ndim, sizes, rt_data(self), strides, rt_data(mask), mask_strides, rt_data(out), itemsize, SELECT);
    return (PyObject *)out;
}

RT_KERNEL(masked_select_out)
{
    RtTensor *self = RT_TENSOR(args[0]), *mask = RT_TENSOR(args[1]), *out = RT_TENSOR(args[2]);
    if (self->dtype != out->dtype) {
        PyErr_SetString(PyExc_RuntimeError, "masked_select(): self and result must have the same scalar type");
        return NULL;
    }
    if (rt_check_no_internal_overlap(out) < 0 || rt_check_no_overlap(out, self) < 0 || rt_check_no_overlap(out, mask) < 0)
        return NULL;
    PyObject *result = rt_k_masked_select(op, ks, args, 2, ctx);
    return result == NULL ? NULL : rt_write_out(result, args[2]);
}

RT_KERNEL(masked_scatter_)
{
    RtTensor *self = RT_TENSOR(args[0]), *mask = RT_TENSOR(args[1]), *source = RT_TENSOR(args[2]);
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM], mask_strides[RT_MAX_DIM];
    int ndim = rt_broadcast_sizes(self->ndim, self->sizes, mask->ndim, mask->sizes, sizes), itemsize = rt_itemsize[self->dtype];
    if (ndim < 0)
        return NULL;
    if (ndim != self->ndim || memcmp(sizes, self->sizes, ndim * sizeof(int64_t)) != 0) {
        PyObject *own = rt_shape_text(self->ndim, self->sizes), *wide = rt_shape_text(ndim, sizes);
        if (own != NULL && wide != NULL)
            PyErr_Format(PyExc_RuntimeError, "output with shape %U doesn't match the broadcast shape %U", own, wide);
        Py_XDECREF(own);
        Py_XDECREF(wide);
        return NULL;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "masked_scatter: expected self and source to have same dtypes but got %s and %s",
                     rt_dtype_title(self->dtype), rt_dtype_title(source->dtype));
        return NULL;
    }
    if (mask->dtype != RT_BOOL) {
        PyErr_Format(PyExc_RuntimeError, "masked_scatter_ only supports boolean masks, but got mask with dtype %s",
                     rt_dtype_cpp_title(mask->dtype));
        return NULL;
    }
    if (rt_check_no_internal_overlap(self) < 0 || self->device_type == RT_DEVICE_META)
        return PyErr_Occurred() ? NULL : Py_NewRef(args[0]);
    if (rt_check_cpu(self, "masked_scatter_") < 0 || rt_check_cpu(mask, "masked_scatter_") < 0 || rt_check_cpu(source, "masked_scatter_") < 0 ||
        rt_expand_strides(mask, ndim, sizes, mask_strides) < 0)
        return NULL;
    for (int d = 0; d < ndim; d++)
        strides[d] = self->strides[d] * itemsize;
    if (masked(ndim, sizes, NULL, strides, rt_data(mask), mask_strides, NULL, 0, COUNT) > source->numel) {
        PyErr_SetString(PyExc_RuntimeError, "Number of elements of source < number of ones in mask");
        return NULL;
    }
    RtTensor *packed = RT_TENSOR(Py_NewRef((PyObject *)source));
    if (!rt_is_contiguous(source) || source->storage == self->storage) {
        Py_SETREF(packed, rt_empty_like(source, source->dtype));
        if (packed == NULL)
            return NULL;
        copy_all(packed, source);
    }
    masked(ndim, sizes, rt_data(self), strides, rt_data(mask), mask_strides, rt_data(packed), itemsize, FILL);
    Py_DECREF((PyObject *)packed);
    return Py_NewRef(args[0]);
}
