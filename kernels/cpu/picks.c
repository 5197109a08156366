/* Elements that are picked by their numbers or by masks: take and masked_select read what put_ and masked_scatter_ write. */
#include "kernels/cpu/scatter.h"

#include "kernels/shared/geometry.h"
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

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

/* Numbers of a tensor's elements: as rt_checked_index, with the error that names the number of elements. */
static RtTensor *element_numbers(RtTensor *index, const RtTensor *self, const char *what)
{
    if (index->numel > 0 && self->numel == 0) {
        PyErr_Format(PyExc_IndexError, "%s an empty tensor", what);
        return NULL;
    }
    return rt_checked_index(index, self->numel, self->numel, PyExc_IndexError,
                         "out of range: tried to access index %lld on a tensor of %lld elements.", 1);
}

static int take_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[1]);
    if (index->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "take(): Expected a long tensor for index, but got %s", rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->numel == 0 && index->numel > 0) {
        PyErr_SetString(PyExc_IndexError, "take(): tried to take from an empty tensor");
        return -1;
    }
    return rt_rule_of_index(c, self, index);
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
        PyErr_Format(PyExc_IndexError, "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
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
    rt_line_fn line = work == NULL || given == NULL ? NULL
                   : accumulate                  ? rt_line_reducing(RT_REDUCE_SUM, work->dtype, "take_put_cpu")
                                                 : rt_line_writing(rt_itemsize[work->dtype]);
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
        rt_refuse_broadcast(self, ndim, sizes);
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
        rt_copy_all(packed, source);
    }
    masked(ndim, sizes, rt_data(self), strides, rt_data(mask), mask_strides, rt_data(packed), itemsize, FILL);
    Py_DECREF((PyObject *)packed);
    return Py_NewRef(args[0]);
}
