/* The walk that writes at indices (scatter.h): its lines by dtype and reduction, checks of indices, reductions into an output. */
#pragma GCC optimize("O3")
#include "kernels/cpu/scatter.h"

#include "kernels/cpu/element.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/threads.h"
#include "rt_builtins.h"

#include <limits.h>
#include <stdatomic.h>

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
        if (to_step == 0 && reach == sizeof(T) && from_step == sizeof(T) && index_step == 1) {                                          \
            T *x = (T *)to;                                                                                                             \
            const T *y = (const T *)from;                                                                                               \
            for (int64_t i = 0; i < n; i++)                                                                                             \
                PUT(x[index[i]], y[i]);                                                                                                 \
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

LINE(write_1, uint8_t, WRITE)
LINE(write_2, uint16_t, WRITE)
LINE(write_4, uint32_t, WRITE)
LINE(write_8, uint64_t, WRITE)
LINE(write_16, rt_item16, WRITE)
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

rt_line_fn rt_line_writing(int itemsize)
{
    switch (itemsize) {
    case 1: return write_1;
    case 2: return write_2;
    case 4: return write_4;
    case 8: return write_8;
    default: return write_16;
    }
}

rt_line_fn rt_line_reducing(enum rt_reduction how, int dtype, const char *name)
{
#define ROW(CODE, suffix)                                  \
    case CODE:                                             \
        return how == RT_REDUCE_PROD   ? multiply_##suffix    \
               : how == RT_REDUCE_AMAX ? raise_##suffix       \
               : how == RT_REDUCE_AMIN ? lower_##suffix       \
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
        if (how != RT_REDUCE_MEAN)
            return how == RT_REDUCE_PROD || how == RT_REDUCE_AMIN ? both : either;
        break;
    case RT_COMPLEX64:
        if (how != RT_REDUCE_AMAX && how != RT_REDUCE_AMIN)
            return how == RT_REDUCE_PROD ? multiply_c64 : add_c64;
        break;
    case RT_COMPLEX128:
        if (how != RT_REDUCE_AMAX && how != RT_REDUCE_AMIN)
            return how == RT_REDUCE_PROD ? multiply_c128 : add_c128;
        break;
    }
#undef ROW
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", name, rt_dtype_title(dtype));
    return NULL;
}

static void walk_on_one_thread(const rt_walk_places *p, char *to, const int64_t *index, const char *from, rt_line_fn line)
{
    int64_t at[RT_MAX_DIM] = {0};
    int last = p->ndim - 1;
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

typedef struct walk_job {
    const rt_walk_places *p;
    char *to;
    const int64_t *index;
    const char *from;
    rt_line_fn line;
    int split;
} walk_job;

/* The part of a walk between two coordinates of the dimension that is split. */
static void walk_part(int64_t begin, int64_t end, void *ctx)
{
    const walk_job *j = ctx;
    int d = j->split;
    rt_walk_places part = *j->p;
    part.sizes[d] = end - begin;
    walk_on_one_thread(&part, j->to + begin * part.to[d], j->index + begin * part.index[d], j->from + begin * part.from[d], j->line);
}

void rt_walk(const rt_walk_places *p, char *to, const int64_t *index, const char *from, rt_line_fn line)
{
    if (p->numel == 0)
        return;
    walk_job j = {p, to, index, from, line, 0};
    while (j.split < p->ndim && (j.split == p->dim || p->sizes[j.split] < 2 || p->to[j.split] == 0))
        j.split++;
    if (p->numel < RT_GRAIN || j.split == p->ndim) {
        walk_on_one_thread(p, to, index, from, line);
        return;
    }
    /* With the GIL: the indices were checked, and another Python thread could write others into the tensor. */
    rt_parallel_for(p->sizes[j.split], RT_GRAIN / 2 / (p->numel / p->sizes[j.split]) + 1, walk_part, &j);
}

void rt_set_walk_strides(rt_walk_places *p, const RtTensor *out, const RtTensor *source)
{
    int itemsize = rt_itemsize[out->dtype];
    for (int d = 0; d < p->ndim; d++) {
        p->to[d] = d == p->dim || out->ndim == 0 ? 0 : out->strides[d] * itemsize;
        p->from[d] = source == NULL || source->ndim == 0 ? 0 : source->strides[d] * itemsize;
    }
    p->reach = out->ndim == 0 ? 0 : out->strides[p->dim] * itemsize;
}

RT_CLONES int rt_all_within(const int64_t *values, int64_t n, int64_t size)
{
    int outside = 0;
    for (int64_t i = 0; i < n; i++)
        outside |= (uint64_t)values[i] >= (uint64_t)size;
    return !outside;
}

typedef struct bounds_check {
    const int64_t *values;
    int64_t size;
    atomic_int outside;
} bounds_check;

static void check_part(int64_t begin, int64_t end, void *ctx)
{
    bounds_check *check = ctx;
    if (!rt_all_within(check->values + begin, end - begin, check->size))
        atomic_store_explicit(&check->outside, 1, memory_order_relaxed);
}

static int are_within(const int64_t *values, int64_t n, int64_t size)
{
    bounds_check check = {values, size, 0};
    if (n < 2 * RT_GRAIN)
        return rt_all_within(values, n, size);
    rt_parallel_for(n, RT_GRAIN, check_part, &check);
    return !check.outside;
}

RtTensor *rt_checked_index(RtTensor *index, int64_t dim, int64_t size, PyObject *error, const char *format, int wraps)
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
    if (!wraps && are_within(values, wide->numel, size))
        return wide;
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
static void neutral(enum rt_reduction how, int dtype, void *element)
{
    memset(element, 0, 16);
    if (how == RT_REDUCE_SUM || how == RT_REDUCE_MEAN)
        return;
    int low = how == RT_REDUCE_AMAX;
    switch (dtype) {
#define ROW(CODE, T, LOW, HIGH)                                                \
    case CODE:                                                                 \
        *(T *)element = how == RT_REDUCE_PROD ? (T)1 : low ? (T)(LOW) : (T)(HIGH); \
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

void rt_copy_all(RtTensor *to, const RtTensor *from)
{
    if (to->numel > 0)
        rt_copy_elements(from->ndim, from->sizes, rt_data(to), to->strides, rt_data(from), from->strides, rt_itemsize[to->dtype]);
}

int rt_reduce_by_walk(rt_walk_places *p, RtTensor *out, const int64_t *index, RtTensor *source, const char *number, enum rt_reduction how,
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
    }
    if (how == RT_REDUCE_MEAN && work != NULL && !rt_is_contiguous(work)) {
        RtTensor *packed = rt_empty_like(work, work->dtype);
        if (packed != NULL)
            rt_copy_all(packed, work);
        Py_SETREF(work, packed);
    }
    if (work == NULL || (source != NULL && given == NULL))
        goto done;
    rt_line_fn line = rt_line_reducing(how, work->dtype, name);
    if (line == NULL)
        goto done;
    rt_set_walk_strides(p, work, NULL);
    if (!include_self) {
        _Alignas(16) char first[16];
        neutral(how, work->dtype, first);
        rt_walk(p, rt_data(work), index, first, rt_line_writing(rt_itemsize[work->dtype]));
    }
    rt_set_walk_strides(p, work, given);
    rt_walk(p, rt_data(work), index, given == NULL ? number : rt_data(given), line);
    if (how == RT_REDUCE_MEAN) {
        static const int64_t one = 1;
        if ((counts = rt_empty_like(work, RT_INT64)) == NULL)
            goto done;
        for (int64_t i = 0; i < counts->numel; i++)
            ((int64_t *)rt_data(counts))[i] = include_self;
        rt_set_walk_strides(p, counts, NULL);
        rt_walk(p, rt_data(counts), index, (const char *)&one, add_i64);
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
