/* See masks.h. Rows of the last dimension are walked without branches: every place is written, and only true elements step on. */
#include "kernels/cpu/masks.h"

#include "kernels/cpu/element.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/structured.h"

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

/* The number of true elements, and the sizes of what says where they are. */
static int64_t count_nonzero(const RtTensor *self, int64_t sizes[2])
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
    sizes[0] = count;
    sizes[1] = self->ndim;
    return count;
}

/* Note the places of the true elements of a row; the number of places that are noted by then. */
static inline int64_t note_true(const char *at, int64_t n, int64_t step, int dtype, int64_t *along, int64_t row, int64_t done, int64_t count)
{
    if (dtype == RT_BOOL)
        for (int64_t i = 0; i < n && done < count; i++) {
            along[done * row] = i;
            done += at[i * step] != 0;
        }
    else
        for (int64_t i = 0; i < n && done < count; i++) {
            along[done * row] = i;
            done += is_true(at + i * step, dtype);
        }
    return done;
}

/* Where the true elements are, into a tensor of int64 of just their number. */
static void write_nonzero(const RtTensor *self, RtTensor *out)
{
    int64_t steps[RT_MAX_DIM], index[RT_MAX_DIM] = {0}, count = out->sizes[0], row = out->strides[0], column = out->strides[1], done = 0;
    int last = self->ndim - 1, dtype = self->dtype;
    if (count == 0 || last < 0)
        return;
    int64_t n = self->sizes[last], step = self->strides[last] * rt_itemsize[dtype];
    int64_t *to = (int64_t *)rt_data(out), *along = to + last * column;
    const char *at = rt_data(self);
    for (int d = 0; d < self->ndim; d++)
        steps[d] = self->strides[d] * rt_itemsize[dtype];
    do {
        int64_t first = done;
        done = row == 1 ? note_true(at, n, step, dtype, along, 1, done, count) : note_true(at, n, step, dtype, along, row, done, count);
        for (int d = 0; d < last; d++)
            for (int64_t k = first; k < done; k++)
                to[d * column + k * row] = index[d];
    } while (done < count && rt_next_element(last, self->sizes, steps, index, &at));
}

RtTensor *rt_nonzero(const RtTensor *self)
{
    int64_t sizes[2], strides[2] = {1, count_nonzero(self, sizes)};
    RtTensor *out = rt_empty_strided(2, sizes, strides, RT_INT64, self->device_type, self->device_index);
    if (out != NULL)
        write_nonzero(self, out);
    return out;
}

RT_KERNEL(nonzero)
{
    RtTensor *self = RT_TENSOR(args[0]);
    return rt_check_cpu(self, "nonzero") < 0 ? NULL : (PyObject *)rt_nonzero(self);
}

RT_KERNEL(nonzero_out)
{
    const RtTensor *self = RT_TENSOR(args[0]);
    RtTensor *out = RT_TENSOR(args[1]);
    if (out->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "nonzero: Expected out tensor to have scalar type Long but got scalar type%s", rt_dtype_title(out->dtype));
        return NULL;
    }
    if (rt_check_cpu(self, "nonzero") < 0 || rt_check_no_internal_overlap(out) < 0 || rt_check_no_overlap(out, self) < 0)
        return NULL;
    rt_out_spec spec = {.dtype = RT_INT64, .device_type = RT_DEVICE_CPU, .device_index = -1, .ndim = 2, .has_strides = 1, .strides = {1}};
    spec.strides[1] = count_nonzero(self, spec.sizes);
    if (out->ndim != 2 || memcmp(out->sizes, spec.sizes, 2 * sizeof(int64_t)) != 0) {
        rt_wait_for_loops();
        spec.strides[1] = count_nonzero(self, spec.sizes); /* again: other threads ran */
    }
    if (rt_resize_output(out, &spec) < 0 || rt_check_cpu(out, "nonzero") < 0)
        return NULL;
    write_nonzero(self, out);
    return Py_NewRef(args[1]);
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
