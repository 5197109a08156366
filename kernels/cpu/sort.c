/* sort and topk along one dimension.
 *
 * Elements become unsigned keys whose order is theirs: NaNs are the largest, both zeros are equal, and complements turn the order
 * around. Keys are sorted together with their places, by insertion where they are few, else by a radix sort that takes one byte at a
 * time and leaves out bytes that all keys share. Both are stable. topk keeps a heap where few elements are wanted.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/lanes.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/structured.h"

#include <stdlib.h>

enum { FEW = 48, DIGITS = 256 };

typedef struct pair32 {
    uint32_t key, place;
} pair32;
typedef struct pair64 {
    uint64_t key;
    int64_t place;
} pair64;

/* ------------------------------------------------------------------------------------------------------------------------- keys */

static inline uint32_t float_key(float x)
{
    uint32_t bits = rt_float_bits(x);
    if (x != x)
        return UINT32_MAX;
    if (x == 0)
        return 0x80000000u;
    return bits >> 31 ? ~bits : bits | 0x80000000u;
}

static inline uint64_t double_key(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, 8);
    if (x != x)
        return UINT64_MAX;
    if (x == 0)
        return 1ull << 63;
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

#define BF16_KEY(x) float_key(rt_bf16_to_float(x))
#define F16_KEY(x) float_key(rt_f16_to_float(x))
#define U8_KEY(x) ((uint32_t)(x))
#define SIGNED_KEY(x) ((uint32_t)(int32_t)(x) ^ 0x80000000u)
#define LONG_KEY(x) ((uint64_t)(x) ^ 1ull << 63)
#define ULONG_KEY(x) ((uint64_t)(x))

/* Keys and places of a lane: read_TYPE(pairs, lane, n, step, flip), where flip is all ones for the opposite order. */
#define READ(TYPE, T, KEY, BITS)                                                                                               \
    static void read_##TYPE(void *pairs, const char *data, int64_t n, int64_t step, int backwards)                              \
    {                                                                                                                          \
        const T *lane = (const T *)data;                                                                                       \
        pair##BITS *p = pairs;                                                                                                 \
        uint##BITS##_t flip = backwards ? (uint##BITS##_t)-1 : 0;                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                        \
            p[i] = (pair##BITS){KEY(lane[i * step]) ^ flip, (uint32_t)i};                                                      \
    }
READ(f32, float, float_key, 32)
READ(f16, uint16_t, F16_KEY, 32)
READ(bf16, uint16_t, BF16_KEY, 32)
READ(u8, uint8_t, U8_KEY, 32)
READ(i8, int8_t, SIGNED_KEY, 32)
READ(i16, int16_t, SIGNED_KEY, 32)
READ(u16, uint16_t, U8_KEY, 32)
READ(i32, int32_t, SIGNED_KEY, 32)
READ(u32, uint32_t, U8_KEY, 32)
READ(f64, double, double_key, 64)
READ(i64, int64_t, LONG_KEY, 64)
READ(u64, uint64_t, ULONG_KEY, 64)

/* A lane longer than 32-bit places count. */
#define READ_LONG(TYPE, T, KEY)                                                                                                \
    static void read_long_##TYPE(void *pairs, const char *data, int64_t n, int64_t step, int backwards)                         \
    {                                                                                                                          \
        const T *lane = (const T *)data;                                                                                       \
        pair64 *p = pairs;                                                                                                     \
        uint64_t flip = backwards ? (uint64_t)-1 : 0;                                                                          \
        for (int64_t i = 0; i < n; i++)                                                                                        \
            p[i] = (pair64){KEY(lane[i * step]) ^ flip, i};                                                                    \
    }
READ_LONG(f32, float, float_key)
READ_LONG(f16, uint16_t, F16_KEY)
READ_LONG(bf16, uint16_t, BF16_KEY)
READ_LONG(u8, uint8_t, U8_KEY)
READ_LONG(i8, int8_t, SIGNED_KEY)
READ_LONG(i16, int16_t, SIGNED_KEY)
READ_LONG(u16, uint16_t, U8_KEY)
READ_LONG(i32, int32_t, SIGNED_KEY)
READ_LONG(u32, uint32_t, U8_KEY)
READ_LONG(f64, double, double_key)
READ_LONG(i64, int64_t, LONG_KEY)
READ_LONG(u64, uint64_t, ULONG_KEY)

typedef void (*reader)(void *pairs, const char *lane, int64_t n, int64_t step, int backwards);

static reader reader_of(int dtype, int64_t n, int *wide)
{
    int is_long = n > UINT32_MAX;
    *wide = is_long || rt_itemsize[dtype] == 8;
    switch (dtype) {
#define CASE(CODE, TYPE) case CODE: return is_long ? read_long_##TYPE : read_##TYPE;
        CASE(RT_FLOAT32, f32) CASE(RT_FLOAT64, f64) CASE(RT_FLOAT16, f16) CASE(RT_BFLOAT16, bf16) CASE(RT_BOOL, u8) CASE(RT_UINT8, u8)
        CASE(RT_INT8, i8) CASE(RT_INT16, i16) CASE(RT_UINT16, u16) CASE(RT_INT32, i32) CASE(RT_UINT32, u32) CASE(RT_INT64, i64)
        CASE(RT_UINT64, u64)
#undef CASE
    default: return NULL;
    }
}

/* ------------------------------------------------------------------------------------------------------------------------ sorts */

#define SORTS(BITS)                                                                                                            \
    /* Sort n pairs, with room for n more after them; where they stand in the end is returned. */                             \
    static pair##BITS *sort_##BITS(pair##BITS *p, int64_t n)                                                                   \
    {                                                                                                                          \
        if (n <= FEW) {                                                                                                        \
            for (int64_t i = 1; i < n; i++) {                                                                                  \
                pair##BITS x = p[i];                                                                                           \
                int64_t j = i;                                                                                                 \
                for (; j > 0 && p[j - 1].key > x.key; j--)                                                                     \
                    p[j] = p[j - 1];                                                                                           \
                p[j] = x;                                                                                                      \
            }                                                                                                                  \
            return p;                                                                                                          \
        }                                                                                                                      \
        pair##BITS *from = p, *to = p + n;                                                                                     \
        int64_t counts[BITS / 8][DIGITS] = {{0}};                                                                              \
        for (int64_t i = 0; i < n; i++)                                                                                        \
            for (int d = 0; d < BITS / 8; d++)                                                                                 \
                counts[d][p[i].key >> 8 * d & 255]++;                                                                          \
        for (int d = 0; d < BITS / 8; d++) {                                                                                   \
            int64_t *count = counts[d], at = 0;                                                                                \
            if (count[from[0].key >> 8 * d & 255] == n)                                                                        \
                continue;                                                                                                      \
            for (int k = 0; k < DIGITS; k++) {                                                                                 \
                int64_t here = count[k];                                                                                       \
                count[k] = at;                                                                                                 \
                at += here;                                                                                                    \
            }                                                                                                                  \
            for (int64_t i = 0; i < n; i++)                                                                                    \
                to[count[from[i].key >> 8 * d & 255]++] = from[i];                                                             \
            pair##BITS *other = from;                                                                                          \
            from = to;                                                                                                         \
            to = other;                                                                                                        \
        }                                                                                                                      \
        return from;                                                                                                           \
    }                                                                                                                          \
    static inline int before_##BITS(pair##BITS a, pair##BITS b) { return a.key != b.key ? a.key < b.key : a.place < b.place; } \
    static void sink_##BITS(pair##BITS *heap, int64_t n, int64_t i)                                                            \
    {                                                                                                                          \
        pair##BITS x = heap[i];                                                                                                \
        for (int64_t child; (child = 2 * i + 1) < n; i = child) {                                                              \
            if (child + 1 < n && before_##BITS(heap[child], heap[child + 1]))                                                  \
                child++;                                                                                                       \
            if (!before_##BITS(x, heap[child]))                                                                                \
                break;                                                                                                         \
            heap[i] = heap[child];                                                                                             \
        }                                                                                                                      \
        heap[i] = x;                                                                                                           \
    }                                                                                                                          \
    /* The first k of n pairs, sorted: a heap of the best so far has the worst of them on top. */                              \
    static pair##BITS *first_##BITS(pair##BITS *p, int64_t n, int64_t k)                                                       \
    {                                                                                                                          \
        if (k > n / 16)                                                                                                        \
            return sort_##BITS(p, n);                                                                                          \
        for (int64_t i = k / 2 - 1; i >= 0; i--)                                                                               \
            sink_##BITS(p, k, i);                                                                                              \
        for (int64_t i = k; k > 0 && i < n; i++)                                                                               \
            if (p[i].key < p[0].key) {                                                                                         \
                p[0] = p[i];                                                                                                   \
                sink_##BITS(p, k, 0);                                                                                          \
            }                                                                                                                  \
        for (int64_t last = k - 1; last > 0; last--) {                                                                         \
            pair##BITS worst = p[0];                                                                                           \
            p[0] = p[last];                                                                                                    \
            sink_##BITS(p, last, 0);                                                                                           \
            p[last] = worst;                                                                                                   \
        }                                                                                                                      \
        return p;                                                                                                              \
    }
SORTS(32)
SORTS(64)

/* ------------------------------------------------------------------------------------------------------------------------ lanes */

typedef struct job {
    reader read;
    int wide, backwards;
    const char *in;
    char *values;
    int64_t *indices;
    int64_t n, k, inner, itemsize; /* k results of each lane */
    int failed;
} job;

static inline void copy_element(char *to, const char *from, int64_t itemsize)
{
    switch (itemsize) {
    case 1: *to = *from; break;
    case 2: memcpy(to, from, 2); break;
    case 4: memcpy(to, from, 4); break;
    default: memcpy(to, from, 8);
    }
}

static void run_lanes(int64_t begin, int64_t end, void *ctx)
{
    job *j = ctx;
    _Alignas(16) char small[2 * FEW * sizeof(pair64)];
    void *room = j->n <= FEW ? (void *)small : malloc(2 * (size_t)j->n * (j->wide ? sizeof(pair64) : sizeof(pair32)));
    if (room == NULL) {
        j->failed = 1;
        return;
    }
    for (int64_t i = begin; i < end; i++) {
        int64_t outer = i / j->inner, column = i % j->inner;
        const char *lane = j->in + (outer * j->n * j->inner + column) * j->itemsize;
        int64_t at = outer * j->k * j->inner + column;
        j->read(room, lane, j->n, j->inner, j->backwards);
        const pair32 *narrow = NULL;
        const pair64 *pairs = NULL;
        if (j->wide)
            pairs = j->k < j->n ? first_64(room, j->n, j->k) : sort_64(room, j->n);
        else
            narrow = j->k < j->n ? first_32(room, j->n, j->k) : sort_32(room, j->n);
        for (int64_t r = 0; r < j->k; r++, at += j->inner) {
            int64_t place = j->wide ? pairs[r].place : (int64_t)narrow[r].place;
            j->indices[at] = place;
            copy_element(j->values + at * j->itemsize, lane + place * j->inner * j->itemsize, j->itemsize);
        }
    }
    if (room != small)
        free(room);
}

/* The first k elements of each lane in order, and where they stood. */
static int order(RtTensor *self, int64_t dim, int64_t k, int backwards, RtTensor *values, RtTensor *indices, const char *kernel)
{
    rt_lanes lanes = rt_lanes_along(self, dim);
    job j = {.backwards = backwards, .n = lanes.n, .k = k, .inner = lanes.inner, .itemsize = rt_itemsize[self->dtype]};
    j.read = reader_of(self->dtype, lanes.n, &j.wide);
    if (rt_check_cpu(self, kernel) < 0)
        return -1;
    if (j.read == NULL) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(self->dtype));
        return -1;
    }
    if (values->numel == 0)
        return 0;
    /* Elements are read after others were written. */
    RtTensor *in = rt_as_contiguous(self), *to = values->storage == self->storage ? rt_empty_like(values, values->dtype) : rt_begin_output(values);
    RtTensor *places = rt_begin_output(indices);
    int ready = in != NULL && to != NULL && places != NULL;
    if (ready) {
        j.in = rt_data(in);
        j.values = rt_data(to);
        j.indices = (int64_t *)rt_data(places);
        rt_run_loop(run_lanes, lanes.outer * lanes.inner, 8 * lanes.n, &j); /* an element is compared several times */
        if (j.failed) {
            PyErr_NoMemory();
            ready = 0;
        }
    }
    Py_XDECREF((PyObject *)in);
    if (ready) {
        rt_finish_output(values, to);
        rt_finish_output(indices, places);
        return 0;
    }
    Py_XDECREF((PyObject *)to);
    Py_XDECREF((PyObject *)places);
    return -1;
}

/* ------------------------------------------------------------------------------------------- sort(self, stable, dim, descending) */

static int sort_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t dim;
    if (rt_is_complex(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, " Sort does not support complex dtypes on CPU");
        return -1;
    }
    if (rt_as_int64(c->args[2], &dim) < 0 || rt_wrap_dim_scalar(dim, self->ndim) < 0)
        return -1;
    rt_set_spec(&c->specs[0], self->dtype, self, self->ndim, self->sizes);
    rt_set_spec(&c->specs[1], RT_INT64, self, self->ndim, self->sizes);
    if (!rt_is_contiguous(self) && self->flags & RT_T_DENSE) {
        /* Both results lie in memory as self does. */
        for (int i = 0; i < 2; i++) {
            c->specs[i].has_strides = 1;
            memcpy(c->specs[i].strides, self->strides, self->ndim * sizeof(int64_t));
        }
    }
    return 0;
}

static int sort_cpu(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t dim;
    if (rt_as_int64(c->args[2], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    return order(self, dim, self->ndim ? self->sizes[dim] : 1, rt_as_bool(c->args[3]), c->outs[0], c->outs[1], "sort");
}

const rt_structured_def rt_k_sort_values_stable = {"sort", sort_rule, sort_cpu, NULL, 2};

/* ------------------------------------------------------------------------------------------ topk(self, k, dim, largest, sorted) */

static int topk_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t k, dim;
    if (rt_as_int64(c->args[1], &k) < 0 || rt_as_int64(c->args[2], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (k < 0 || k > (self->ndim ? self->sizes[dim] : 1)) {
        PyErr_SetString(PyExc_RuntimeError, "selected index k out of range");
        return -1;
    }
    rt_set_spec(&c->specs[0], self->dtype, self, self->ndim, self->sizes);
    rt_set_spec(&c->specs[1], RT_INT64, self, self->ndim, self->sizes);
    if (self->ndim)
        c->specs[0].sizes[dim] = c->specs[1].sizes[dim] = k;
    return 0;
}

static int topk_cpu(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    int64_t k, dim;
    if (rt_as_int64(c->args[1], &k) < 0 || rt_as_int64(c->args[2], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (self->ndim == 0)
        k = 1;
    return order(self, dim, k, rt_as_bool(c->args[3]), c->outs[0], c->outs[1], "topk_impl_loop");
}

const rt_structured_def rt_k_topk_values = {"topk", topk_rule, topk_cpu, NULL, 2};
