/* Reading at indices along one dimension: index_select and gather.
 *
 * Indices are checked against the dimension before or while elements move; results are new memory, so that an error leaves nothing behind.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/scatter.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/structured.h"

/* Indices are int64 or int32. */
static inline int64_t read_index(const char *p, int dtype)
{
    return dtype == RT_INT64 ? *(const int64_t *)p : *(const int32_t *)p;
}

/* Slices of a tensor at indices along a dimension. */
typedef struct select_walk {
    const char *from, *index;
    char *to;
    int64_t index_step, count, size; /* of the indices, and of the dimension */
    int index_dtype;
    int64_t bytes;                   /* contiguous: of a slice that is next to the following one */
    int64_t to_step, from_step;      /* else: along the dimension, in bytes */
    rt_copy copy;
} select_walk;

static inline int64_t selected(const select_walk *w, int64_t i) { return read_index(w->index + i * w->index_step, w->index_dtype); }

/* Slices [begin, end) of a contiguous output, counted over the dimensions before the indexed one too. */
static void select_blocks(int64_t begin, int64_t end, void *ctx)
{
    const select_walk *w = ctx;
    int64_t bytes = w->bytes, i = begin % w->count;
    const char *from = w->from + begin / w->count * w->size * bytes;
    char *to = w->to + begin * bytes;
    while (begin < end) {
        int64_t stop = w->count < i + end - begin ? w->count : i + end - begin;
        begin += stop - i;
        switch (bytes) {
#define LINE(BYTES, T)                                      \
    case BYTES:                                             \
        for (; i < stop; i++, to += bytes)                  \
            *(T *)to = ((const T *)from)[selected(w, i)];   \
        break;
            LINE(1, uint8_t)
            LINE(2, uint16_t)
            LINE(4, uint32_t)
            LINE(8, uint64_t)
#undef LINE
        default:
            for (; i < stop; i++, to += bytes)
                memcpy(to, from + selected(w, i) * bytes, bytes);
        }
        i = 0;
        from += w->size * bytes;
    }
}

static void select_slices(int64_t begin, int64_t end, void *ctx)
{
    const select_walk *w = ctx;
    for (int64_t i = begin; i < end; i++)
        rt_copy_run(&w->copy, w->to + i * w->to_step, w->from + selected(w, i) * w->from_step);
}

RT_KERNEL(index_select)
{
    RtTensor *self = RT_TENSOR(args[0]), *index = RT_TENSOR(args[2]);
    int64_t dim, sizes[RT_MAX_DIM];
    if (rt_as_int64(args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return NULL;
    if (index->ndim > 1) {
        PyErr_SetString(PyExc_IndexError, "index_select(): Index is supposed to be a vector");
        return NULL;
    }
    if (index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_SetString(PyExc_RuntimeError, "index_select(): Expected dtype int32 or int64 for index");
        return NULL;
    }
    if (self->ndim == 0 && index->numel != 1) {
        PyErr_SetString(PyExc_IndexError, "index_select(): Index to scalar can have only 1 value");
        return NULL;
    }
    memcpy(sizes, self->sizes, self->ndim * sizeof(int64_t));
    if (self->ndim > 0)
        sizes[dim] = index->numel;
    RtTensor *out = RT_TENSOR(rt_result(op, 0, self->ndim, sizes, self->dtype, self->device_type, self->device_index));
    if (out == NULL || self->device_type == RT_DEVICE_META)
        return (PyObject *)out;
    if (rt_check_cpu(self, "index_select") < 0 || rt_check_cpu(index, "index_select") < 0)
        goto fail;
    int64_t size = self->ndim ? self->sizes[dim] : 1, step = index->ndim ? index->strides[0] * rt_itemsize[index->dtype] : 0;
    const char *p = rt_data(index);
    int itemsize = rt_itemsize[self->dtype];
    for (int64_t i = 0; i < index->numel; i++) {
        int64_t value = read_index(p + i * step, index->dtype);
        if (value < 0 || value >= size) {
            if (self->ndim > 1 && size == 0)
                PyErr_SetString(PyExc_RuntimeError, "index_select(): self indexing axis dim should be positive");
            else if (self->ndim > 1 && (dim > 0 || self->numel == 0))
                PyErr_Format(PyExc_RuntimeError, "INDICES element is out of DATA bounds, id=%lld axis_dim=%lld", (long long)value, (long long)size);
            else
                PyErr_SetString(PyExc_IndexError, "index out of range in self");
            goto fail;
        }
    }
    if (out->numel == 0)
        return (PyObject *)out;
    if (self->ndim == 0) {
        memcpy(rt_data(out), rt_data(self), itemsize);
        return (PyObject *)out;
    }
    sizes[dim] = 1;
    int64_t block = 1;
    for (int d = (int)dim + 1; d < self->ndim; d++)
        block *= self->sizes[d];
    select_walk w;
    w.from = rt_data(self);
    w.to = rt_data(out);
    w.index = p;
    w.index_step = step;
    w.index_dtype = index->dtype;
    w.count = index->numel;
    w.size = size;
    int64_t grain;
    rt_range_fn walk;
    if (rt_is_contiguous(self)) {
        w.bytes = block * itemsize;
        grain = RT_COPY_GRAIN / w.bytes + 1;
        walk = select_blocks;
    } else {
        w.to_step = out->strides[dim] * itemsize;
        w.from_step = self->strides[dim] * itemsize;
        rt_copy_plan(&w.copy, self->ndim, sizes, out->strides, self->strides, itemsize);
        grain = RT_GRAIN / 2 / w.copy.numel + 1;
        walk = select_slices;
    }
    int64_t n = walk == select_blocks ? out->numel / block : index->numel;
    if (out->numel * itemsize < 2 * RT_COPY_GRAIN)
        walk(0, n, &w);
    else /* with the GIL: the indices were checked, and another Python thread could write others into the tensor */
        rt_parallel_for(n, grain, walk, &w);
    return (PyObject *)out;
fail:
    Py_DECREF((PyObject *)out);
    return NULL;
}

RT_KERNEL(index_select_out)
{
    const RtTensor *out = RT_TENSOR(args[3]);
    if (rt_check_no_internal_overlap(out) < 0 || rt_check_no_overlap(out, RT_TENSOR(args[0])) < 0 ||
        rt_check_no_overlap(out, RT_TENSOR(args[2])) < 0)
        return NULL;
    rt_offer offer;
    rt_offer_outputs(&offer, op, args, 3, args + 3, 1);
    PyObject *result = rt_k_index_select(op, ks, args, 3, ctx);
    rt_withdraw_outputs(&offer);
    return rt_write_out(result, args[3]);
}

static int gather_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->numel > 0) {
        if (index->dtype != RT_INT64 && index->dtype != RT_INT32) {
            PyErr_SetString(PyExc_RuntimeError, "gather(): Expected dtype int32/int64 for index");
            return -1;
        }
    }
    if (index->numel > 0) {
        if ((index->ndim ? index->ndim : 1) != (self->ndim ? self->ndim : 1)) {
            PyErr_SetString(PyExc_RuntimeError, "Index tensor must have the same number of dimensions as input tensor");
            return -1;
        }
        for (int d = 0; d < self->ndim && d < index->ndim; d++) {
            if (d != dim && index->sizes[d] > self->sizes[d]) {
                PyObject *own = rt_shape_text(index->ndim, index->sizes), *target = rt_shape_text(self->ndim, self->sizes);
                if (own != NULL && target != NULL)
                    PyErr_Format(PyExc_RuntimeError,
                                 "Size does not match at dimension %d expected index %U to be no larger than self %U apart from dimension "
                                 "%lld",
                                 d, own, target, (long long)dim);
                Py_XDECREF(own);
                Py_XDECREF(target);
                return -1;
            }
        }
    }
    return rt_rule_of_index(c, self, index);
}

/* A walk over the lanes of the index's last dimension. */
typedef struct gather_walk {
    const RtTensor *self, *index, *out;
    int64_t dim, size, itemsize;
    int64_t wrong; /* an index that is out of bounds */
    int found_wrong;
} gather_walk;

#define GATHER_LANE(T)                                                                       \
    if (checked && dim_step == 1 && lane_step == 0 && to_step == 1) {                        \
        for (int64_t i = 0; i < n; i++)                                                      \
            ((T *)to)[i] = ((const T *)from)[((const int64_t *)p)[i]];                       \
    } else if (checked) {                                                                    \
        for (int64_t i = 0; i < n; i++)                                                      \
            ((T *)to)[i * to_step] = ((const T *)from)[((const int64_t *)p)[i] * dim_step + i * lane_step]; \
    } else {                                                                                 \
        for (int64_t i = 0; i < n; i++, p += step) {                                         \
            int64_t value = read_index(p, index_dtype);                                      \
            if ((uint64_t)value >= (uint64_t)w->size) {                                      \
                w->wrong = value;                                                            \
                w->found_wrong = 1;                                                          \
                return;                                                                      \
            }                                                                                \
            ((T *)to)[i * to_step] = ((const T *)from)[value * dim_step + i * lane_step];    \
        }                                                                                    \
    }

static void gather_lanes(int64_t begin, int64_t end, void *ctx)
{
    gather_walk *w = ctx;
    const RtTensor *self = w->self, *index = w->index, *out = w->out;
    int last = index->ndim - 1, index_dtype = index->dtype;
    int64_t n = last >= 0 ? index->sizes[last] : 1, index_item = rt_itemsize[index_dtype];
    int64_t step = last >= 0 ? index->strides[last] * index_item : 0, to_step = last >= 0 ? out->strides[last] : 0;
    int64_t dim_step = self->ndim ? self->strides[w->dim] : 0, lane_step = self->ndim && last >= 0 && last != w->dim ? self->strides[last] : 0;
    for (int64_t lane = begin; lane < end; lane++) {
        int64_t rest = lane, at_from = 0, at_to = 0, at_index = 0;
        for (int d = last - 1; d >= 0; d--) {
            int64_t i = rest % index->sizes[d];
            rest /= index->sizes[d];
            at_index += i * index->strides[d];
            at_to += i * out->strides[d];
            if (self->ndim && d != w->dim)
                at_from += i * self->strides[d];
        }
        const char *p = rt_data(index) + at_index * index_item, *from = rt_data(self) + at_from * w->itemsize;
        char *to = rt_data(out) + at_to * w->itemsize;
        int checked = index_dtype == RT_INT64 && step == sizeof(int64_t) && rt_all_within((const int64_t *)p, n, w->size);
        switch (w->itemsize) {
        case 1: GATHER_LANE(uint8_t) break;
        case 2: GATHER_LANE(uint16_t) break;
        case 4: GATHER_LANE(uint32_t) break;
        case 8: GATHER_LANE(uint64_t) break;
        default: GATHER_LANE(rt_item16) break;
        }
    }
}

static int gather_cpu(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *out = c->outs[0];
    int64_t dim;
    if (rt_check_cpu(self, "gather") < 0 || rt_check_cpu(index, "gather") < 0 || rt_check_cpu(out, "gather") < 0 ||
        rt_as_int64(c->args[1], &dim) < 0)
        return -1;
    if (index->numel == 0)
        return 0;
    dim = rt_wrap_dim_scalar(dim, self->ndim);
    gather_walk w = {.self = self, .index = index, .out = out, .dim = dim, .size = self->ndim ? self->sizes[dim] : 1,
                     .itemsize = rt_itemsize[self->dtype]};
    int64_t length = index->ndim ? index->sizes[index->ndim - 1] : 1, lanes = index->numel / length;
    rt_run_loop(gather_lanes, lanes, length, &w);
    if (!w.found_wrong)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "index %lld is out of bounds for dimension %lld with size %lld", (long long)w.wrong, (long long)dim,
                 (long long)w.size);
    return -1;
}

const rt_structured_def rt_k_gather_out = {"gather", gather_rule, gather_cpu, NULL, 1};
