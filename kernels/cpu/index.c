/* Indexing by many tensors: index and index_put_; and masked_fill_.
 *
 * Index tensors are turned into arrays of offsets, checked against the bounds, before any element moves: an error leaves the output as
 * it was.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/cpu/masks.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/threads.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"
#include "runtime/core/alloc.h"

#include <stdlib.h>

static int64_t index_value(const char *p, int dtype)
{
    switch (dtype) {
    case RT_INT64: return *(const int64_t *)p;
    case RT_INT32: return *(const int32_t *)p;
    case RT_INT16: return *(const int16_t *)p;
    case RT_INT8: return *(const int8_t *)p;
    default: return *(const uint8_t *)p;
    }
}

static int is_mask(int dtype) { return dtype == RT_BOOL || dtype == RT_UINT8; }

/* ------------------------------------------------------------------------------------------------------------- index by many tensors */

/* Index tensors after masks have become coordinates: one per indexed dimension, broadcast together. */
typedef struct advanced {
    RtTensor *index[RT_MAX_DIM]; /* owned; NULL where the dimension is not indexed */
    int ndim;                    /* of the indexed tensor */
    int rank;                    /* of the broadcast index shape */
    int64_t shape[RT_MAX_DIM];
    int64_t count;
    int first;    /* where the index dimensions stand in the result */
    int out_ndim;
    int64_t out_sizes[RT_MAX_DIM];
} advanced;

static void release(advanced *a)
{
    for (int d = 0; d < RT_MAX_DIM; d++)
        Py_CLEAR(a->index[d]);
}

static int shape_error(const char *format, PyObject *a, PyObject *b, int position)
{
    if (a != NULL && b != NULL)
        PyErr_Format(PyExc_IndexError, format, a, position, b, position);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return -1;
}

static void too_many(const RtTensor *self, PyObject *list)
{
    Py_ssize_t dims = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        PyObject *entry = PyTuple_GET_ITEM(list, i);
        dims += entry != Py_None && is_mask(RT_TENSOR(entry)->dtype) ? RT_TENSOR(entry)->ndim : 1;
    }
    PyErr_Format(PyExc_IndexError, "too many indices for tensor of dimension %d (got %zd)", (int)self->ndim, dims);
}

static int add_index(advanced *a, RtTensor *self, int *dim, RtTensor *index, PyObject *list)
{
    if (is_mask(index->dtype)) {
        if (index->device_type == RT_DEVICE_META) {
            PyErr_SetString(PyExc_NotImplementedError, "a mask on the meta device has no values: the size of the result depends on them");
            return -1;
        }
        for (int j = 0; j < index->ndim; j++) {
            if (*dim + j >= self->ndim || index->sizes[j] != self->sizes[*dim + j]) {
                if (*dim + j >= self->ndim)
                    break;
                return shape_error("The shape of the mask %U at index %d does not match the shape of the indexed tensor %U at index %d",
                                   rt_shape_text(index->ndim, index->sizes), rt_shape_text(self->ndim, self->sizes), *dim + j);
            }
        }
        if (*dim + index->ndim > self->ndim) {
            too_many(self, list);
            return -1;
        }
        if (rt_check_cpu(index, "index") < 0)
            return -1;
        RtTensor *where = rt_nonzero(index);
        if (where == NULL)
            return -1;
        for (int j = 0; j < index->ndim; j++) {
            int64_t stride = where->strides[0];
            a->index[*dim] = rt_alias(where, 1, where->sizes, &stride, where->offset + j * where->strides[1]);
            if (a->index[(*dim)++] == NULL) {
                Py_DECREF((PyObject *)where);
                return -1;
            }
        }
        Py_DECREF((PyObject *)where);
        return 0;
    }
    if (index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_SetString(PyExc_IndexError, "tensors used as indices must be long, int, byte or bool tensors");
        return -1;
    }
    if (*dim >= self->ndim) {
        too_many(self, list);
        return -1;
    }
    a->index[(*dim)++] = RT_TENSOR(Py_NewRef((PyObject *)index));
    return 0;
}

/* Once a call, for each mask of bytes; indices are read once for an operator's rule and once for its kernel. */
static int warn_of_bytes(PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        PyObject *entry = PyTuple_GET_ITEM(list, i);
        if (entry != Py_None && RT_TENSOR(entry)->dtype == RT_UINT8 &&
            PyErr_WarnEx(PyExc_UserWarning, "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.", 1) < 0)
            return -1;
    }
    return 0;
}

static int read_indices(advanced *a, RtTensor *self, PyObject *list)
{
    int dim = 0, found = 0, last = -1, adjacent = 1;
    memset(a->index, 0, sizeof a->index);
    a->ndim = self->ndim;
    a->rank = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        PyObject *entry = PyTuple_GET_ITEM(list, i);
        if (entry == Py_None) {
            if (dim++ >= self->ndim) {
                too_many(self, list);
                goto fail;
            }
            continue;
        }
        if (add_index(a, self, &dim, RT_TENSOR(entry), list) < 0)
            goto fail;
    }
    a->first = 0;
    for (int d = 0; d < self->ndim; d++) {
        if (a->index[d] == NULL)
            continue;
        if (!found)
            a->first = d;
        else if (last != d - 1)
            adjacent = 0;
        found = 1;
        last = d;
        int rank = rt_broadcast_sizes(a->rank, a->shape, a->index[d]->ndim, a->index[d]->sizes, a->shape);
        if (rank < 0) {
            PyObject *text = PyUnicode_FromString("");
            for (int e = 0; e < self->ndim && text != NULL; e++) {
                if (a->index[e] == NULL)
                    continue;
                PyObject *shape = rt_shape_text(a->index[e]->ndim, a->index[e]->sizes);
                PyObject *longer = shape ? PyUnicode_FromFormat(PyUnicode_GET_LENGTH(text) ? "%U, %U" : "%U%U", text, shape) : NULL;
                Py_XDECREF(shape);
                Py_DECREF(text);
                text = longer;
            }
            if (text != NULL)
                PyErr_Format(PyExc_IndexError, "shape mismatch: indexing tensors could not be broadcast together with shapes %U", text);
            Py_XDECREF(text);
            goto fail;
        }
        a->rank = rank;
    }
    if (!adjacent)
        a->first = 0;
    a->count = 1;
    for (int d = 0; d < a->rank; d++)
        a->count *= a->shape[d];
    a->out_ndim = 0;
    for (int d = 0, kept = 0; d <= self->ndim; d++) {
        if (kept == a->first && found == 1) {
            /* The index dimensions stand before the kept dimension that follows them. */
            for (int r = 0; r < a->rank; r++)
                a->out_sizes[a->out_ndim++] = a->shape[r];
            found = 2;
        }
        if (d < self->ndim && a->index[d] == NULL) {
            if (a->out_ndim >= RT_MAX_DIM) {
                PyErr_SetString(PyExc_RuntimeError, "index: too many dimensions");
                goto fail;
            }
            a->out_sizes[a->out_ndim++] = self->sizes[d];
            kept++;
        }
    }
    return 0;
fail:
    release(a);
    return -1;
}

/* Byte offsets into self, one for each element of the broadcast index shape. */
static int64_t *offsets_of(advanced *a, const RtTensor *self)
{
    int64_t *offsets = calloc((size_t)a->count + 1, sizeof(int64_t)), itemsize = rt_itemsize[self->dtype];
    if (offsets == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    int number = -1; /* of the index tensor, which is what the message names */
    for (int d = 0; d < self->ndim && a->count > 0; d++) {
        RtTensor *index = a->index[d];
        if (index == NULL)
            continue;
        number++;
        if (rt_check_cpu(index, "index") < 0) {
            free(offsets);
            return NULL;
        }
        int64_t steps[RT_MAX_DIM], at[RT_MAX_DIM] = {0}, size = self->sizes[d], stride = self->strides[d] * itemsize, i = 0;
        for (int r = 0; r < a->rank; r++) {
            int from = r - (a->rank - index->ndim);
            steps[r] = from >= 0 && index->sizes[from] != 1 ? index->strides[from] * rt_itemsize[index->dtype] : 0;
        }
        const char *p = rt_data(index);
        do {
            int64_t value = index_value(p, index->dtype);
            if (value < -size || value >= size) {
                PyErr_Format(PyExc_IndexError, "index %lld is out of bounds for dimension %d with size %lld", (long long)value, number,
                             (long long)size);
                free(offsets);
                return NULL;
            }
            offsets[i++] += (value < 0 ? value + size : value) * stride;
        } while (rt_next_element(a->rank, a->shape, steps, at, &p));
    }
    return offsets;
}

/* Add n elements to scattered places, and to places a step apart. */
typedef struct adder {
    void (*scattered)(char *own, const int64_t *offsets, int64_t n, const char *from, int64_t step);
    void (*run)(char *to, int64_t to_step, int64_t n, const char *from, int64_t step);
} adder;

#define ADD(NAME, T, SUM)                                                                                               \
    static void scattered_##NAME(char *own, const int64_t *offsets, int64_t n, const char *from, int64_t step)         \
    {                                                                                                                   \
        for (int64_t i = 0; i < n; i++, from += step) {                                                                 \
            T *to = (T *)(own + offsets[i]);                                                                            \
            *to = SUM(*to, *(const T *)from);                                                                           \
        }                                                                                                               \
    }                                                                                                                   \
    static void run_##NAME(char *to, int64_t to_step, int64_t n, const char *from, int64_t step)                        \
    {                                                                                                                   \
        if (to_step == sizeof(T) && step == sizeof(T))                                                                  \
            for (int64_t i = 0; i < n; i++)                                                                             \
                ((T *)to)[i] = SUM(((T *)to)[i], ((const T *)from)[i]);                                                 \
        else                                                                                                            \
            for (int64_t i = 0; i < n; i++, to += to_step, from += step)                                                \
                *(T *)to = SUM(*(T *)to, *(const T *)from);                                                             \
    }                                                                                                                   \
    static const adder adds_##NAME = {scattered_##NAME, run_##NAME};
#define PLUS(x, y) (x) + (y)
#define EITHER(x, y) (x) | (y)
#define PLUS_BF16(x, y) rt_float_to_bf16(rt_bf16_to_float(x) + rt_bf16_to_float(y))
ADD(f32, float, PLUS)
ADD(f64, double, PLUS)
ADD(f16, _Float16, PLUS)
ADD(bf16, uint16_t, PLUS_BF16)
ADD(c64, float complex, PLUS)
ADD(c128, double complex, PLUS)
ADD(bool, uint8_t, EITHER)
ADD(i8, uint8_t, PLUS)
ADD(i16, uint16_t, PLUS)
ADD(i32, uint32_t, PLUS)
ADD(i64, uint64_t, PLUS)

static const adder *adder_of(int dtype)
{
    switch (dtype) {
    case RT_FLOAT32: return &adds_f32;
    case RT_FLOAT64: return &adds_f64;
    case RT_FLOAT16: return &adds_f16;
    case RT_BFLOAT16: return &adds_bf16;
    case RT_COMPLEX64: return &adds_c64;
    case RT_COMPLEX128: return &adds_c128;
    case RT_BOOL: return &adds_bool;
    case RT_UINT8: case RT_INT8: return &adds_i8;
    case RT_INT16: case RT_UINT16: return &adds_i16;
    case RT_INT32: case RT_UINT32: return &adds_i32;
    case RT_INT64: case RT_UINT64: return &adds_i64;
    default: return NULL;
    }
}

/* Move elements between self's indexed places and `other`, whose shape is the result's (strides in elements): read from self, write to
 * self, or add to self. */
enum direction { READ, WRITE, ACCUMULATE };

/* Single elements between a line of memory and scattered places. */
static void move_elements(char *own, const int64_t *offsets, int64_t n, char *other, int64_t step, int64_t itemsize, int read)
{
    switch (itemsize) {
#define LINE(BYTES, T)                                                  \
    case BYTES:                                                         \
        if (read)                                                       \
            for (int64_t i = 0; i < n; i++)                             \
                *(T *)(other + i * step) = *(const T *)(own + offsets[i]); \
        else                                                            \
            for (int64_t i = 0; i < n; i++)                             \
                *(T *)(own + offsets[i]) = *(const T *)(other + i * step); \
        break;
        LINE(1, uint8_t)
        LINE(2, uint16_t)
        LINE(4, uint32_t)
        LINE(8, uint64_t)
#undef LINE
    default:
        for (int64_t i = 0; i < n; i++) {
            if (read)
                memcpy(other + i * step, own + offsets[i], itemsize);
            else
                memcpy(own + offsets[i], other + i * step, itemsize);
        }
    }
}

/* Blocks of kept dimensions, one for each of the index's elements: between self's memory at an offset and a place of `other`. */
typedef struct block_walk {
    const int64_t *offsets;
    char *own, *other;
    int rank;
    int64_t shape[RT_MAX_DIM], steps[RT_MAX_DIM]; /* of the index's elements in `other`, in bytes */
    rt_copy copy;                                 /* of a block, in the walk's direction */
    int64_t count, low, share;                    /* writing: blocks, the lowest offset, and bytes of a thread's share */
} block_walk;

/* The walk's position at one of its blocks. */
static char *block_at(const block_walk *w, int64_t number, int64_t *at)
{
    char *p = w->other;
    for (int r = w->rank - 1; r >= 0; r--) {
        at[r] = number % w->shape[r];
        number /= w->shape[r];
        p += at[r] * w->steps[r];
    }
    return p;
}

static void read_blocks(int64_t begin, int64_t end, void *ctx)
{
    const block_walk *w = ctx;
    int64_t at[RT_MAX_DIM];
    const char *p = block_at(w, begin, at);
    if (w->copy.ndim == 0 && w->rank == 1) {
        move_elements(w->own, w->offsets + begin, end - begin, (char *)p, w->steps[0], w->copy.itemsize, 1);
        return;
    }
    for (int64_t i = begin; i < end; i++, rt_next_element(w->rank, w->shape, w->steps, at, &p))
        rt_copy_run(&w->copy, (char *)p, w->own + w->offsets[i]);
}

/* Blocks [first, last) of the places that are written, in their order: of several blocks for one place the last one stays. */
static void write_blocks(const block_walk *w, int64_t count, int64_t first, int64_t last)
{
    int64_t at[RT_MAX_DIM] = {0};
    const char *p = w->other;
    for (int64_t i = 0; i < count; i++, rt_next_element(w->rank, w->shape, w->steps, at, &p))
        if (w->offsets[i] >= first && w->offsets[i] < last)
            rt_copy_run(&w->copy, w->own + w->offsets[i], p);
}

/* A share of the memory that is written: each thread looks at all indices and writes those that lie in its share, so none overtakes another. */
static void write_share(int64_t begin, int64_t end, void *ctx)
{
    const block_walk *w = ctx;
    write_blocks(w, w->count, w->low + begin * w->share, w->low + end * w->share);
}

static void write_all(block_walk *w, int64_t count)
{
    int64_t bytes = w->copy.numel * w->copy.itemsize, low = INT64_MAX, high = INT64_MIN;
    if (w->copy.ndim == 0 && w->rank == 1) {
        move_elements(w->own, w->offsets, count, w->other, w->steps[0], w->copy.itemsize, 0);
        return;
    }
    if (bytes < 128 || count * bytes < 2 * RT_COPY_GRAIN) {
        write_blocks(w, count, INT64_MIN, INT64_MAX);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        low = w->offsets[i] < low ? w->offsets[i] : low;
        high = w->offsets[i] > high ? w->offsets[i] : high;
    }
    int64_t shares = rt_get_num_threads();
    w->count = count;
    w->low = low;
    w->share = (high - low) / shares + 1;
    RT_BEGIN_LOOP_WITHOUT_GIL
    rt_parallel_for(shares, 1, write_share, w);
    RT_END_LOOP_WITHOUT_GIL
}

static void move(advanced *a, const int64_t *offsets, const RtTensor *self, char *other, const int64_t *other_strides, enum direction way)
{
    int64_t itemsize = rt_itemsize[self->dtype];
    int64_t kept_sizes[RT_MAX_DIM], kept_self[RT_MAX_DIM], kept_other[RT_MAX_DIM];
    int kept = 0;
    if (a->count == 0)
        return;
    for (int d = 0; d < self->ndim; d++) {
        if (a->index[d] != NULL)
            continue;
        if (self->sizes[d] == 0)
            return;
        kept_sizes[kept] = self->sizes[d];
        kept_self[kept] = self->strides[d];
        kept_other[kept] = other_strides[kept < a->first ? kept : kept + a->rank];
        kept++;
    }
    block_walk w;
    w.offsets = offsets;
    w.own = rt_data(self);
    w.other = other;
    w.rank = 0;
    for (int r = 0; r < a->rank; r++) { /* dimensions that step as one are one */
        int64_t step = other_strides[a->first + r] * itemsize;
        if (w.rank > 0 && w.steps[w.rank - 1] == step * a->shape[r]) {
            w.shape[w.rank - 1] *= a->shape[r];
            w.steps[w.rank - 1] = step;
        } else {
            w.shape[w.rank] = a->shape[r];
            w.steps[w.rank++] = step;
        }
    }
    if (way == READ) {
        rt_copy_plan(&w.copy, kept, kept_sizes, kept_other, kept_self, (int)itemsize);
        if (a->count * w.copy.numel * itemsize < 2 * RT_COPY_GRAIN) {
            read_blocks(0, a->count, &w);
            return;
        }
        RT_BEGIN_LOOP_WITHOUT_GIL
        rt_parallel_for(a->count, RT_COPY_GRAIN / (w.copy.numel * itemsize) + 1, read_blocks, &w);
        RT_END_LOOP_WITHOUT_GIL
        return;
    }
    if (way == WRITE) {
        rt_copy_plan(&w.copy, kept, kept_sizes, kept_self, kept_other, (int)itemsize);
        write_all(&w, a->count);
        return;
    }
    const adder *add = adder_of(self->dtype);
    if (kept == 0 && w.rank <= 1) {
        add->scattered(w.own, offsets, a->count, other, w.rank > 0 ? w.steps[0] : 0);
        return;
    }
    /* The innermost kept dimension is a run; places and kept dimensions outside of it are walked over. */
    int outer = kept > 0 ? kept - 1 : 0;
    int64_t run = kept > 0 ? kept_sizes[outer] : 1, own_step = kept > 0 ? kept_self[outer] * itemsize : 0;
    int64_t step = kept > 0 ? kept_other[outer] * itemsize : 0, at[RT_MAX_DIM] = {0}, other_steps[RT_MAX_DIM], i = 0;
    const char *p = other;
    for (int k = 0; k < outer; k++)
        other_steps[k] = kept_other[k] * itemsize;
    do {
        char *own = rt_data(self) + offsets[i++];
        int64_t inner[RT_MAX_DIM] = {0};
        const char *from = p;
        do {
            char *to = own;
            for (int k = 0; k < outer; k++)
                to += inner[k] * kept_self[k] * itemsize;
            add->run(to, own_step, run, from, step);
        } while (rt_next_element(outer, kept_sizes, other_steps, inner, &from));
    } while (rt_next_element(w.rank, w.shape, w.steps, at, &p));
}

static int index_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    advanced a;
    if (warn_of_bytes(c->args[1]) < 0 || read_indices(&a, self, c->args[1]) < 0)
        return -1;
    for (int d = 0; d < self->ndim; d++) {
        if (a.index[d] != NULL && self->sizes[d] == 0 && a.count > 0) {
            PyErr_Format(PyExc_IndexError, "index is out of bounds for dimension with size 0");
            release(&a);
            return -1;
        }
    }
    rt_set_spec(&c->specs[0], self->dtype, self, a.out_ndim, a.out_sizes);
    release(&a);
    return 0;
}

static int index_cpu(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *out = c->outs[0];
    advanced a;
    if (rt_check_cpu(self, "index") < 0 || read_indices(&a, self, c->args[1]) < 0)
        return -1;
    int64_t *offsets = offsets_of(&a, self);
    if (offsets != NULL && out->numel > 0)
        move(&a, offsets, self, rt_data(out), out->strides, READ);
    free(offsets);
    release(&a);
    return offsets == NULL ? -1 : 0;
}

/* One mask over all of a tensor, both contiguous. */
static PyObject *index_fast(PyObject *const *args, Py_ssize_t nargs, RtTensor *out)
{
    const RtTensor *self = RT_TENSOR(args[0]);
    (void)nargs;
    if (out != NULL || PyTuple_GET_SIZE(args[1]) != 1 || !rt_is_tensor(PyTuple_GET_ITEM(args[1], 0)))
        return NULL;
    const RtTensor *mask = RT_TENSOR(PyTuple_GET_ITEM(args[1], 0));
    if (mask->dtype != RT_BOOL || mask->ndim == 0 || mask->ndim != self->ndim || !rt_is_contiguous(self) || !rt_is_contiguous(mask) ||
        memcmp(self->sizes, mask->sizes, sizeof(int64_t) * (size_t)self->ndim) != 0 || self->device_type != RT_DEVICE_CPU ||
        mask->device_type != RT_DEVICE_CPU || self->numel == 0 || self->storage->data == NULL || mask->storage->data == NULL)
        return NULL;
    return (PyObject *)rt_masked_elements(self, mask);
}

const rt_structured_def rt_k_index_out = {"index", index_rule, index_cpu, index_fast, 1};

/* Whether a list of indices has a mask without values: how many elements it selects is not known. */
static int has_meta_mask(PyObject *indices)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(indices); i++) {
        PyObject *entry = PyTuple_GET_ITEM(indices, i);
        if (entry != Py_None && RT_TENSOR(entry)->device_type == RT_DEVICE_META && is_mask(RT_TENSOR(entry)->dtype))
            return 1;
    }
    return 0;
}

static int put(RtTensor *self, PyObject *indices, RtTensor *values, int accumulate)
{
    advanced a;
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    if (self->device_type == RT_DEVICE_META && has_meta_mask(indices))
        return 0;
    if (warn_of_bytes(indices) < 0 || read_indices(&a, self, indices) < 0)
        return -1;
    memcpy(sizes, a.out_sizes, a.out_ndim * sizeof(int64_t));
    /* Leading dimensions of size 1 that the result lacks do not count. */
    RtTensor narrow = *values;
    while (narrow.ndim > a.out_ndim && narrow.sizes[0] == 1) {
        narrow.ndim--;
        narrow.sizes++;
        narrow.strides++;
    }
    if (narrow.ndim > a.out_ndim || rt_expand_strides(&narrow, a.out_ndim, sizes, strides) < 0) {
        PyErr_Clear();
        PyObject *own = rt_shape_text(values->ndim, values->sizes), *target = rt_shape_text(a.out_ndim, a.out_sizes);
        if (own != NULL && target != NULL)
            PyErr_Format(PyExc_RuntimeError, "shape mismatch: value tensor of shape %U cannot be broadcast to indexing result of shape %U",
                         own, target);
        Py_XDECREF(own);
        Py_XDECREF(target);
        release(&a);
        return -1;
    }
    if (self->dtype != values->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Index put requires the source and destination dtypes match, got %s for the destination and %s for "
                                         "the source.",
                     rt_dtype_title(self->dtype), rt_dtype_title(values->dtype));
        release(&a);
        return -1;
    }
    int rc = 0;
    if (self->device_type != RT_DEVICE_META) {
        int64_t *offsets = NULL;
        rc = rt_check_cpu(self, "index_put_") < 0 || rt_check_cpu(values, "index_put_") < 0 ||
                     rt_check_no_internal_overlap(self) < 0 || (offsets = offsets_of(&a, self)) == NULL
                 ? -1
                 : 0;
        if (rc == 0 && accumulate && adder_of(self->dtype) == NULL) {
            PyErr_Format(PyExc_NotImplementedError, "\"index_put\" not implemented for '%s'", rt_dtype_title(self->dtype));
            rc = -1;
        }
        if (rc == 0 && values->numel > 0)
            move(&a, offsets, self, rt_data(values), strides, accumulate ? ACCUMULATE : WRITE);
        free(offsets);
    }
    release(&a);
    return rc;
}

/* Whether the only index is a mask of bools: one value under a mask is converted to the tensor's dtype, as by masked_fill_. */
static int is_one_mask(PyObject *indices)
{
    int masks = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(indices); i++) {
        PyObject *index = PyTuple_GET_ITEM(indices, i);
        if (index == Py_None)
            continue;
        if (!rt_is_tensor(index) || RT_TENSOR(index)->dtype != RT_BOOL)
            return 0;
        masks++;
    }
    return masks == 1;
}

/* The only element of a CPU tensor as a tensor of another dtype that can hold it. */
static RtTensor *converted(RtTensor *value, int dtype)
{
    rt_number number;
    if (rt_check_cpu(value, "index_put_") < 0)
        return NULL;
    PyObject *item = rt_load_element(rt_data(value), value->dtype);
    int held = item != NULL && rt_read_number(item, &number) == 0 && rt_check_number_fits(&number, dtype) == 0;
    Py_XDECREF(item);
    return held ? rt_cast(value, dtype) : NULL;
}

RT_KERNEL(_index_put_impl_)
{
    RtTensor *self = RT_TENSOR(args[0]), *values = RT_TENSOR(args[2]);
    if (self->dtype != values->dtype && values->numel == 1 && values->device_type == RT_DEVICE_CPU && PyTuple_Check(args[1]) &&
                    is_one_mask(args[1]) && !rt_as_bool(args[3])) {
        values = converted(values, self->dtype);
        if (values == NULL)
            return NULL;
        int status = put(self, args[1], values, 0);
        Py_DECREF((PyObject *)values);
        return status < 0 ? NULL : Py_NewRef(args[0]);
    }
    /* Values that lie in the written tensor's own memory are copied first. */
    PyObject *own = NULL;
    if (values->storage == self->storage && values->storage != NULL && values->device_type == RT_DEVICE_CPU) {
        own = rt_check_cpu(values, "index_put_") < 0 ? NULL : (PyObject *)rt_empty_like(values, values->dtype);
        if (own == NULL)
            return NULL;
        if (values->numel > 0)
            rt_copy_elements(values->ndim, values->sizes, rt_data(RT_TENSOR(own)), RT_TENSOR(own)->strides, rt_data(values),
                             values->strides, rt_itemsize[values->dtype]);
        values = RT_TENSOR(own);
    }
    int rc = put(self, args[1], values, rt_as_bool(args[3]));
    Py_XDECREF(own);
    return rc < 0 ? NULL : Py_NewRef(args[0]);
}

RT_SAME_KERNEL(index_put_, _index_put_impl_)

/* ------------------------------------------------------------------------------------------------------------------- masked_fill_ */

/* Rows that lie together are written throughout, with what was there or with the element: that becomes vector code. */
#define FILL_ROW(BYTES, T)                                                                              \
    static void fill_row_##BYTES(char *row, int64_t step, const char *mask, int64_t mask_step, int64_t n, const void *element) \
    {                                                                                                   \
        T value, *to = (T *)row;                                                                        \
        memcpy(&value, element, sizeof value);                                                          \
        if (step == 1 && mask_step == 1)                                                                \
            for (int64_t i = 0; i < n; i++)                                                             \
                to[i] = mask[i] ? value : to[i];                                                        \
        else                                                                                            \
            for (int64_t i = 0; i < n; i++)                                                             \
                if (mask[i * mask_step])                                                                \
                    to[i * step] = value;                                                               \
    }
FILL_ROW(1, uint8_t)
FILL_ROW(2, uint16_t)
FILL_ROW(4, uint32_t)
FILL_ROW(8, uint64_t)
FILL_ROW(16, rt_item16)

static void fill_row(char *row, int64_t step, const char *mask, int64_t mask_step, int64_t n, const void *element, int64_t itemsize)
{
    switch (itemsize) {
    case 1: fill_row_1(row, step, mask, mask_step, n, element); break;
    case 2: fill_row_2(row, step, mask, mask_step, n, element); break;
    case 4: fill_row_4(row, step, mask, mask_step, n, element); break;
    case 8: fill_row_8(row, step, mask, mask_step, n, element); break;
    default: fill_row_16(row, step, mask, mask_step, n, element);
    }
}

static PyObject *masked_fill(PyObject *self_object, RtTensor *mask, PyObject *number)
{
    RtTensor *self = RT_TENSOR(self_object);
    int64_t strides[RT_MAX_DIM], sizes[RT_MAX_DIM], at[RT_MAX_DIM] = {0}, itemsize = rt_itemsize[self->dtype];
    char element[16];
    if (mask->dtype != RT_BOOL) {
        PyErr_Format(PyExc_RuntimeError, "masked_fill_ only supports boolean masks, but got mask with dtype %s",
                     rt_dtype_cpp_title(mask->dtype));
        return NULL;
    }
    int rank = rt_broadcast_sizes(self->ndim, self->sizes, mask->ndim, mask->sizes, sizes);
    if (rank < 0)
        return NULL;
    if (rank != self->ndim || memcmp(sizes, self->sizes, rank * sizeof(int64_t)) != 0) {
        PyObject *own = rt_shape_text(self->ndim, self->sizes), *wide = rt_shape_text(rank, sizes);
        if (own != NULL && wide != NULL)
            PyErr_Format(PyExc_RuntimeError, "output with shape %U doesn't match the broadcast shape %U", own, wide);
        Py_XDECREF(own);
        Py_XDECREF(wide);
        return NULL;
    }
    int packed = rt_pack_number(number, self->dtype, element);
    if (packed < 0)
        return NULL;
    if (packed == 0) {
        PyErr_Format(PyExc_NotImplementedError, "\"masked_fill\" not implemented for '%s'", rt_dtype_title(self->dtype));
        return NULL;
    }
    if (self->device_type == RT_DEVICE_META || self->numel == 0)
        return Py_NewRef(self_object);
    if (rt_check_cpu(self, "masked_fill_") < 0 || rt_check_cpu(mask, "masked_fill_") < 0 || rt_check_no_internal_overlap(self) < 0 ||
        rt_expand_strides(mask, self->ndim, sizes, strides) < 0)
        return NULL;
    /* Rows: the last dimension, or all of them where both tensors lie as one. */
    int outer = self->ndim > 0 ? self->ndim - 1 : 0, flat = rt_is_contiguous(self) && rt_is_contiguous(mask) && mask->numel == self->numel;
    int64_t length = flat ? self->numel : self->ndim > 0 ? sizes[outer] : 1;
    int64_t step = flat ? 1 : self->ndim > 0 ? self->strides[outer] : 0, mask_step = flat ? 1 : self->ndim > 0 ? strides[outer] : 0;
    outer = flat ? 0 : outer;
    const char *p = rt_data(mask);
    do {
        int64_t to = 0;
        for (int d = 0; d < outer; d++)
            to += at[d] * self->strides[d];
        fill_row(rt_data(self) + to * itemsize, step, p, mask_step, length, element, itemsize);
    } while (rt_next_element(outer, sizes, strides, at, &p));
    return Py_NewRef(self_object);
}

RT_KERNEL(masked_fill__Scalar)
{
    return masked_fill(args[0], RT_TENSOR(args[1]), args[2]);
}

RT_KERNEL(masked_fill__Tensor)
{
    RtTensor *value = RT_TENSOR(args[2]);
    if (value->ndim != 0) {
        PyErr_Format(PyExc_RuntimeError, "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with %d dimension(s).",
                     (int)value->ndim);
        return NULL;
    }
    /* On Meta any number of the value's kind, so that the same arguments are refused. */
    PyObject *number = value->device_type != RT_DEVICE_META ? rt_call_below_views(RT_OP_aten__local_scalar_dense, args + 2, 1)
                       : rt_is_complex(value->dtype)  ? PyComplex_FromDoubles(0, 1)
                                                            : PyLong_FromLong(0);
    if (number == NULL)
        return NULL;
    PyObject *result = masked_fill(args[0], RT_TENSOR(args[1]), number);
    Py_DECREF(number);
    return result;
}
