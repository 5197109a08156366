/* Operators that lay tensors out anew: cat, stack, repeat and flip. They move bytes and compute nothing. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/structured.h"
#include "kernels/shared/threads.h"
#include "rt_builtins.h"

/* -------------------------------------------------------------------------------------------------------------------------- cat */

/* Empty 1-d tensors join anything: an old convention that programs rely on. */
static int is_skipped(const RtTensor *t) { return t->ndim == 1 && t->sizes[0] == 0; }

static int cat_dim(rt_call_frame *c, const RtTensor *first, int64_t *dim)
{
    if (rt_as_int64(c->args[1], dim) < 0)
        return -1;
    *dim = rt_wrap_dim_scalar(*dim, first != NULL ? first->ndim : 1);
    return *dim < 0 ? -1 : 0;
}

static const RtTensor *first_joined(PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++)
        if (!is_skipped(RT_TENSOR(PyTuple_GET_ITEM(list, i))))
            return RT_TENSOR(PyTuple_GET_ITEM(list, i));
    return NULL;
}

static int cat_rule(rt_call_frame *c)
{
    PyObject *list = c->args[0];
    Py_ssize_t count = PyTuple_GET_SIZE(list);
    rt_result_type_state types = RT_RESULT_TYPE_START;
    rt_out_spec *spec = &c->specs[0];
    int64_t dim;
    if (count == 0) {
        PyErr_SetString(PyExc_ValueError, "torch.cat(): expected a non-empty list of Tensors");
        return -1;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(list, i));
        if (t->ndim == 0) {
            PyErr_Format(PyExc_RuntimeError, "zero-dimensional tensor (at position %zd) cannot be concatenated", i);
            return -1;
        }
        if (rt_result_type_add(&types, t) < 0)
            return -1;
    }
    const RtTensor *first = first_joined(list), *any = RT_TENSOR(PyTuple_GET_ITEM(list, 0));
    if (first != NULL && cat_dim(c, first, &dim) < 0)
        return -1;
    int dtype = rt_result_type(&types);
    if (dtype < 0)
        return -1;
    if (c->outs[0] != NULL && c->variant == RT_OUT) {
        if (!rt_can_cast(dtype, c->outs[0]->dtype)) {
            PyErr_Format(PyExc_TypeError, "torch.cat(): input types can't be cast to the desired output type %s",
                         rt_dtype_title(c->outs[0]->dtype));
            return -1;
        }
        dtype = c->outs[0]->dtype;
    }
    spec->dtype = dtype;
    spec->device_type = any->device_type;
    spec->device_index = any->device_index;
    spec->has_strides = 0;
    if (first == NULL) {
        spec->ndim = 1;
        spec->sizes[0] = 0;
        return 0;
    }
    int channels_last = first->ndim == 4;
    spec->ndim = first->ndim;
    memcpy(spec->sizes, first->sizes, first->ndim * sizeof(int64_t));
    spec->sizes[dim] = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(list, i));
        if (is_skipped(t))
            continue;
        if (t->ndim != first->ndim) {
            PyErr_Format(PyExc_RuntimeError, "Tensors must have same number of dimensions: got %d and %d", (int)first->ndim, (int)t->ndim);
            return -1;
        }
        for (int d = 0; d < t->ndim; d++) {
            if (d != dim && t->sizes[d] != first->sizes[d]) {
                PyErr_Format(PyExc_RuntimeError,
                             "Sizes of tensors must match except in dimension %lld. Expected size %lld but got size %lld for tensor number "
                             "%zd in the list.",
                             (long long)dim, (long long)first->sizes[d], (long long)t->sizes[d], i);
                return -1;
            }
        }
        if (__builtin_add_overflow(spec->sizes[dim], t->sizes[dim], &spec->sizes[dim])) {
            PyErr_SetString(PyExc_RuntimeError, "torch.cat(): the size of the result overflows");
            return -1;
        }
        channels_last &= (t->flags & (RT_T_CHANNELS_LAST | RT_T_CONTIGUOUS)) == RT_T_CHANNELS_LAST;
    }
    if (channels_last) {
        const int64_t *s = spec->sizes;
        int64_t strides[4] = {s[1] * s[2] * s[3], 1, s[1] * s[3], s[1]};
        spec->has_strides = 1;
        memcpy(spec->strides, strides, sizeof strides);
    }
    return 0;
}

static int refuse_overlap(const RtTensor *out, const RtTensor *t)
{
    if (out != t)
        return rt_check_no_partial_overlap(out, t);
    PyErr_SetString(PyExc_RuntimeError,
                    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                    "Please clone() the tensor before performing the operation.");
    return -1;
}

/* Contiguous tensors of the output's dtype lie in a contiguous output as rows of blocks, one of each tensor in every row. */
typedef struct block {
    const char *from; /* the block in the first row */
    int64_t start, bytes; /* where in a row, and how many */
} block;

typedef struct block_walk {
    const block *blocks;
    int64_t count, row; /* bytes of a row */
    char *to;
} block_walk;

static int all_blocks(PyObject *list, int dtype)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        const RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(list, i));
        if (t->dtype != dtype || !rt_is_contiguous(t))
            return 0;
    }
    return 1;
}

/* Bytes [begin, end) of the output. */
static void join_part(int64_t begin, int64_t end, void *ctx)
{
    const block_walk *w = ctx;
    int64_t row = begin / w->row, at = begin % w->row, low = 0, high = w->count - 1;
    while (low < high) { /* the last block that starts at or before `at`: empty blocks are not kept */
        int64_t middle = (low + high + 1) / 2;
        if (w->blocks[middle].start <= at)
            low = middle;
        else
            high = middle - 1;
    }
    while (begin < end) {
        const block *b = &w->blocks[low];
        int64_t skipped = at - b->start, n = b->bytes - skipped;
        n = n < end - begin ? n : end - begin;
        memcpy(w->to + begin, b->from + row * b->bytes + skipped, n);
        begin += n;
        at += n;
        if (++low == w->count)
            low = at = 0, row++;
    }
}

static int join_blocks(PyObject *list, RtTensor *out, int64_t dim)
{
    enum { FEW = 32 };
    block few[FEW];
    Py_ssize_t count = PyTuple_GET_SIZE(list);
    block_walk w = {.to = rt_data(out)};
    int64_t inner = rt_itemsize[out->dtype];
    for (int d = (int)dim + 1; d < out->ndim; d++)
        inner *= out->sizes[d];
    block *blocks = count <= FEW ? few : malloc((size_t)count * sizeof *blocks);
    if (blocks == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int rc = 0;
    for (Py_ssize_t i = 0; rc == 0 && i < count; i++) {
        const RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(list, i));
        if (t->numel == 0)
            continue;
        rc = rt_check_cpu(t, "cat");
        blocks[w.count++] = (block){rt_data(t), w.row, t->sizes[dim] * inner};
        w.row += t->sizes[dim] * inner;
    }
    w.blocks = blocks;
    int64_t bytes = out->numel * rt_itemsize[out->dtype];
    if (rc == 0 && bytes < 2 * RT_COPY_GRAIN) {
        join_part(0, bytes, &w);
    } else if (rc == 0) {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rt_parallel_for(bytes, RT_COPY_GRAIN, join_part, &w);
        RT_END_LOOP_WITHOUT_GIL
    }
    if (blocks != few)
        free(blocks);
    return rc;
}

static int cat_cpu(rt_call_frame *c)
{
    PyObject *list = c->args[0];
    RtTensor *out = c->outs[0];
    const RtTensor *first = first_joined(list);
    int itemsize = rt_itemsize[out->dtype];
    int64_t dim;
    if (first == NULL || out->numel == 0)
        return 0;
    if (cat_dim(c, first, &dim) < 0)
        return -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++)
        if (c->variant == RT_OUT && refuse_overlap(out, RT_TENSOR(PyTuple_GET_ITEM(list, i))) < 0)
            return -1;
    if (rt_is_contiguous(out) && all_blocks(list, out->dtype))
        return join_blocks(list, out, dim);
    char *at = rt_data(out);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list); i++) {
        RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(list, i));
        if (is_skipped(t))
            continue;
        if (rt_check_cpu(t, "cat") < 0)
            return -1;
        RtTensor *source = rt_cast(t, out->dtype);
        if (source == NULL)
            return -1;
        if (source->numel > RT_GRAIN) {
            RT_BEGIN_LOOP_WITHOUT_GIL
            rt_copy_elements(source->ndim, source->sizes, at, out->strides, rt_data(source), source->strides, itemsize);
            RT_END_LOOP_WITHOUT_GIL
        } else {
            rt_copy_elements(source->ndim, source->sizes, at, out->strides, rt_data(source), source->strides, itemsize);
        }
        at += source->sizes[dim] * out->strides[dim] * itemsize;
        Py_DECREF((PyObject *)source);
    }
    return 0;
}

const rt_structured_def rt_k_cat_out = {"cat", cat_rule, cat_cpu, NULL, 1};

RT_KERNEL(stack)
{
    Py_ssize_t count = PyTuple_GET_SIZE(args[0]);
    int64_t dim;
    if (count == 0) {
        PyErr_SetString(PyExc_RuntimeError, "stack expects a non-empty TensorList");
        return NULL;
    }
    RtTensor *first = RT_TENSOR(PyTuple_GET_ITEM(args[0], 0));
    if (rt_as_int64(args[1], &dim) < 0 || (dim = rt_wrap_dim(dim, first->ndim + 1)) < 0)
        return NULL;
    if (first->ndim == RT_MAX_DIM) {
        PyErr_SetString(PyExc_RuntimeError, "stack: a tensor has at most 64 dimensions");
        return NULL;
    }
    PyObject *wrapped = PyLong_FromLongLong(dim), *parts = PyTuple_New(count), *result = NULL;
    for (Py_ssize_t i = 0; wrapped != NULL && parts != NULL && i < count; i++) {
        RtTensor *t = RT_TENSOR(PyTuple_GET_ITEM(args[0], i));
        if (t->ndim != first->ndim || memcmp(t->sizes, first->sizes, t->ndim * sizeof(int64_t)) != 0) {
            PyObject *expected = rt_shape_text(first->ndim, first->sizes), *got = rt_shape_text(t->ndim, t->sizes);
            if (expected != NULL && got != NULL)
                PyErr_Format(PyExc_RuntimeError, "stack expects each tensor to be equal size, but got %U at entry 0 and %U at entry %zd",
                             expected, got, i);
            Py_XDECREF(expected);
            Py_XDECREF(got);
            goto done;
        }
        PyObject *list[2] = {(PyObject *)t, wrapped};
        PyObject *part = rt_call_below_views(RT_OP_aten_unsqueeze, list, 2);
        if (part == NULL)
            goto done;
        PyTuple_SET_ITEM(parts, i, part);
    }
    if (wrapped != NULL && parts != NULL) {
        PyObject *list[2] = {parts, wrapped};
        result = rt_call_below_views(RT_OP_aten_cat, list, 2);
    }
done:
    Py_XDECREF(parts);
    Py_XDECREF(wrapped);
    return result;
}

/* ------------------------------------------------------------------------------------------------------------------ repeat, flip */

RT_KERNEL(repeat)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t repeats[RT_MAX_DIM], sizes[RT_MAX_DIM];
    int n = rt_as_int64_array(args[1], repeats, RT_MAX_DIM);
    if (n < 0)
        return NULL;
    if (n < self->ndim) {
        PyErr_SetString(PyExc_RuntimeError, "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor");
        return NULL;
    }
    int lead = n - self->ndim;
    for (int d = 0; d < n; d++) {
        if (__builtin_mul_overflow(repeats[d], d < lead ? 1 : self->sizes[d - lead], &sizes[d])) {
            PyErr_SetString(PyExc_RuntimeError, "repeat: the size of the result overflows");
            return NULL;
        }
    }
    for (int d = 0; d < n; d++) {
        if (sizes[d] < 0) {
            PyObject *text = rt_shape_text(n, sizes);
            if (text != NULL)
                PyErr_Format(PyExc_RuntimeError, "Trying to create tensor with negative dimension %lld: %U", (long long)sizes[d], text);
            Py_XDECREF(text);
            return NULL;
        }
    }
    if (rt_check_sizes(n, sizes) < 0)
        return NULL;
    PyObject *result = rt_result(op, 0, n, sizes, self->dtype, self->device_type, self->device_index);
    if (result == NULL || self->device_type == RT_DEVICE_META)
        return result;
    RtTensor *out = RT_TENSOR(result);
    if (rt_check_cpu(self, "repeat") < 0 || rt_check_cpu(out, "repeat") < 0) {
        Py_DECREF(result);
        return NULL;
    }
    /* Each dimension as two: which repetition, and where in it. Dimensions that do not repeat stay one. */
    int64_t size[2 * RT_MAX_DIM], to[2 * RT_MAX_DIM], from[2 * RT_MAX_DIM];
    int m = 0;
    for (int d = 0; d < n; d++) {
        int64_t own = d < lead ? 1 : self->sizes[d - lead];
        if (repeats[d] != 1) {
            size[m] = repeats[d];
            to[m] = own * out->strides[d];
            from[m++] = 0;
        }
        if (own != 1) {
            size[m] = own;
            to[m] = out->strides[d];
            from[m++] = self->strides[d - lead];
        }
    }
    if (m > RT_MAX_DIM) {
        Py_DECREF(result);
        PyErr_SetString(PyExc_RuntimeError, "repeat: too many dimensions");
        return NULL;
    }
    if (out->numel > 0)
        rt_copy_elements(m, size, rt_data(out), to, rt_data(self), from, rt_itemsize[self->dtype]);
    return result;
}

RT_KERNEL(flip)
{
    RtTensor *self = RT_TENSOR(args[0]);
    uint64_t mask;
    int64_t strides[RT_MAX_DIM], from[RT_MAX_DIM], start = 0;
    if (rt_dim_mask(args[1], self->ndim, &mask) < 0)
        return NULL;
    rt_preserved_strides(self, strides);
    RtTensor *out = rt_is_contiguous(self)
                        ? RT_TENSOR(rt_result(op, 0, self->ndim, self->sizes, self->dtype, self->device_type, self->device_index))
                        : rt_empty_strided(self->ndim, self->sizes, strides, self->dtype, self->device_type, self->device_index);
    if (out == NULL || self->device_type == RT_DEVICE_META || self->numel == 0)
        return (PyObject *)out;
    if (rt_check_cpu(self, "flip") < 0) {
        Py_DECREF((PyObject *)out);
        return NULL;
    }
    for (int d = 0; d < self->ndim; d++) {
        from[d] = self->strides[d];
        if (mask >> d & 1) {
            start += (self->sizes[d] - 1) * self->strides[d];
            from[d] = -self->strides[d];
        }
    }
    int itemsize = rt_itemsize[self->dtype];
    rt_copy_elements(self->ndim, self->sizes, rt_data(out), out->strides, rt_data(self) + start * itemsize, from, itemsize);
    return (PyObject *)out;
}
