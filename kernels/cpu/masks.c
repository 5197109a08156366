/* See masks.h; and masked_fill_. Rows of the last dimension are walked without branches: every place is written, and only true elements
 * step on. */
#include "kernels/cpu/masks.h"

#include "kernels/cpu/element.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

static int is_true(const char *p, int dtype)
{
    switch (dtype) {
    case RT_FLOAT32: return *(const float *)p != 0;
    case RT_FLOAT64: return *(const double *)p != 0;
    case RT_FLOAT16: case RT_BFLOAT16: return (*(const uint16_t *)p & 0x7fff) != 0;
    case RT_COMPLEX64: return *(const float complex *)p != 0;
    case RT_COMPLEX128: return *(const double complex *)p != 0;
    default:
        for (int i = 0; i < rt_itemsize[dtype]; i++)
            if (p[i])
                return 1;
        return 0;
    }
}

static int64_t count_true(const char *p, int64_t n, int64_t step, int dtype)
{
    int64_t count = 0;
    if (dtype == RT_BOOL && step == 1)
        for (int64_t i = 0; i < n; i++)
            count += p[i] != 0;
    else
        for (int64_t i = 0; i < n; i++)
            count += is_true(p + i * step, dtype);
    return count;
}

RtTensor *rt_nonzero(const RtTensor *self)
{
    int64_t steps[RT_MAX_DIM], index[RT_MAX_DIM] = {0}, count = 0;
    int last = self->ndim - 1, dtype = self->dtype;
    int64_t n = last >= 0 ? self->sizes[last] : 1, step = last >= 0 ? self->strides[last] * rt_itemsize[dtype] : 0;
    const char *at = rt_data(self);
    for (int d = 0; d < self->ndim; d++)
        steps[d] = self->strides[d] * rt_itemsize[dtype];
    if (self->numel > 0) {
        do
            count += count_true(at, n, step, dtype);
        while (rt_next_element(last, self->sizes, steps, index, &at));
    }
    int64_t sizes[2] = {count, self->ndim}, strides[2] = {1, count};
    RtTensor *out = rt_empty_strided(2, sizes, strides, RT_INT64, self->device_type, self->device_index);
    if (out == NULL || count == 0 || last < 0)
        return out;
    int64_t *to = (int64_t *)rt_data(out), *along = to + last * count, done = 0;
    at = rt_data(self);
    memset(index, 0, sizeof index);
    do {
        int64_t first = done;
        if (dtype == RT_BOOL)
            for (int64_t i = 0; i < n && done < count; i++) {
                along[done] = i;
                done += at[i * step] != 0;
            }
        else
            for (int64_t i = 0; i < n && done < count; i++) {
                along[done] = i;
                done += is_true(at + i * step, dtype);
            }
        for (int d = 0; d < last; d++)
            for (int64_t k = first; k < done; k++)
                to[d * count + k] = index[d];
    } while (done < count && rt_next_element(last, self->sizes, steps, index, &at));
    return out;
}

RT_KERNEL(nonzero)
{
    RtTensor *self = RT_TENSOR(args[0]);
    return rt_check_cpu(self, "nonzero") < 0 ? NULL : (PyObject *)rt_nonzero(self);
}

RT_KERNEL(nonzero_out)
{
    return rt_write_out(rt_k_nonzero(op, ks, args, 1, ctx), args[1]);
}

#define TAKE(T)                                                 \
    for (int64_t i = 0, k = 0; k < count; i++) {                \
        ((T *)to)[k] = ((const T *)from)[i];                    \
        k += where[i] != 0;                                     \
    }

RtTensor *rt_masked_elements(const RtTensor *self, const RtTensor *mask)
{
    const char *where = rt_data(mask), *from = rt_data(self);
    int64_t count = count_true(where, mask->numel, 1, RT_BOOL);
    RtTensor *out = rt_empty(1, &count, self->dtype, self->device_type, self->device_index);
    if (out == NULL)
        return NULL;
    char *to = rt_data(out);
    switch (rt_itemsize[self->dtype]) {
    case 1: TAKE(uint8_t) break;
    case 2: TAKE(uint16_t) break;
    case 4: TAKE(uint32_t) break;
    case 8: TAKE(uint64_t) break;
    default: TAKE(rt_item16) break;
    }
    return out;
}

/* ------------------------------------------------------------------------------------------------------------------- masked_fill_ */

static PyObject *masked_fill(PyObject *self_object, RtTensor *mask, PyObject *number)
{
    RtTensor *self = RT_TENSOR(self_object);
    int64_t strides[RT_MAX_DIM], sizes[RT_MAX_DIM], steps[RT_MAX_DIM], at[RT_MAX_DIM] = {0}, itemsize = rt_itemsize[self->dtype];
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
    for (int d = 0; d < self->ndim; d++)
        steps[d] = strides[d];
    const char *p = rt_data(mask);
    if (rt_is_contiguous(self) && rt_is_contiguous(mask) && mask->numel == self->numel) {
        char *to = rt_data(self);
        for (int64_t i = 0; i < self->numel; i++)
            if (p[i])
                memcpy(to + i * itemsize, element, itemsize);
        return Py_NewRef(self_object);
    }
    do {
        if (*p) {
            int64_t to = 0;
            for (int d = 0; d < self->ndim; d++)
                to += at[d] * self->strides[d];
            memcpy(rt_data(self) + to * itemsize, element, itemsize);
        }
    } while (rt_next_element(self->ndim, self->sizes, steps, at, &p));
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
                       : rt_is_complex_dtype(value->dtype)  ? PyComplex_FromDoubles(0, 1)
                                                            : PyLong_FromLong(0);
    if (number == NULL)
        return NULL;
    PyObject *result = masked_fill(args[0], RT_TENSOR(args[1]), number);
    Py_DECREF(number);
    return result;
}
