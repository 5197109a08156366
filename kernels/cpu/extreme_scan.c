/* Running extremes along one dimension: cummax and cummin.
 *
 * The place of a running extreme is the last one at which it was met; from a NaN on, it is the last NaN.
 */
#pragma GCC optimize("O3")
#include "kernels/cpu/element.h"
#include "kernels/cpu/lanes.h"
#include "kernels/shared/gil.h"
#include "rt_builtins.h"

enum { COLUMNS = 64 };

#define AS_IS(x) (x)

/* Rows of up to COLUMNS neighbouring lanes, `step` elements apart. */
#define SCAN(NAME, T, V, LOAD, BETTER)                                                                     \
    RT_CLONES static void NAME(const char *from, char *to, int64_t *places, int64_t n, int64_t step, int cols) \
    {                                                                                                      \
        const T *in = (const T *)from;                                                                     \
        T *out = (T *)to;                                                                                  \
        V best[COLUMNS];                                                                                   \
        T kept[COLUMNS];                                                                                   \
        int64_t place[COLUMNS] = {0};                                                                      \
        for (int c = 0; c < cols; c++) {                                                                   \
            kept[c] = in[c];                                                                               \
            best[c] = LOAD(in[c]);                                                                         \
        }                                                                                                  \
        for (int64_t i = 0; i < n; i++)                                                                    \
            for (int c = 0; c < cols; c++) {                                                               \
                V x = LOAD(in[i * step + c]);                                                              \
                int take = (x != x) | (x BETTER best[c]);                                                  \
                best[c] = take ? x : best[c];                                                              \
                kept[c] = take ? in[i * step + c] : kept[c];                                               \
                place[c] = take ? i : place[c];                                                            \
                out[i * step + c] = kept[c];                                                               \
                places[i * step + c] = place[c];                                                           \
            }                                                                                              \
    }
#define BOTH(TYPE, T, V, LOAD)           \
    SCAN(max_##TYPE, T, V, LOAD, >=)     \
    SCAN(min_##TYPE, T, V, LOAD, <=)
BOTH(f32, float, float, AS_IS)
BOTH(f64, double, double, AS_IS)
BOTH(f16, uint16_t, float, rt_f16_to_float)
BOTH(bf16, uint16_t, float, rt_bf16_to_float)
BOTH(u8, uint8_t, uint8_t, AS_IS)
BOTH(i8, int8_t, int8_t, AS_IS)
BOTH(i16, int16_t, int16_t, AS_IS)
BOTH(i32, int32_t, int32_t, AS_IS)
BOTH(i64, int64_t, int64_t, AS_IS)

typedef struct job {
    void (*scan)(const char *in, char *out, int64_t *places, int64_t n, int64_t step, int cols);
    const char *in;
    char *values;
    int64_t *indices;
    int64_t n, inner, blocks, itemsize;
} job;

static void run_blocks(int64_t begin, int64_t end, void *ctx)
{
    const job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % j->blocks * COLUMNS, at = i / j->blocks * j->n * j->inner + first;
        int cols = (int)(j->inner - first < COLUMNS ? j->inner - first : COLUMNS);
        j->scan(j->in + at * j->itemsize, j->values + at * j->itemsize, j->indices + at, j->n, j->inner, cols);
    }
}

/* Fill values and indices, which have self's sizes: 0, or -1 with an exception set. */
static int scan_into(RtTensor *self, RtTensor *values, RtTensor *indices, PyObject *dim_object, int largest, const char *kernel)
{
    int64_t dim;
    job j = {.itemsize = rt_itemsize[self->dtype]};
    if (rt_as_int64(dim_object, &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0 || rt_check_cpu(self, kernel) < 0 ||
        rt_check_cpu(values, kernel) < 0 || rt_check_cpu(indices, kernel) < 0)
        return -1;
    switch (self->dtype) {
#define CASE(CODE, TYPE) case CODE: j.scan = largest ? max_##TYPE : min_##TYPE; break;
        CASE(RT_FLOAT32, f32) CASE(RT_FLOAT64, f64) CASE(RT_FLOAT16, f16) CASE(RT_BFLOAT16, bf16) CASE(RT_BOOL, u8) CASE(RT_UINT8, u8)
        CASE(RT_INT8, i8) CASE(RT_INT16, i16) CASE(RT_INT32, i32) CASE(RT_INT64, i64)
#undef CASE
    default:
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(self->dtype));
        return -1;
    }
    if (values->dtype != self->dtype || indices->dtype != RT_INT64 || values->numel != self->numel || indices->numel != self->numel) {
        PyErr_Format(PyExc_RuntimeError, "%s: values and int64 indices of the input's sizes are expected", kernel);
        return -1;
    }
    if (self->numel == 0)
        return 0;
    rt_lanes lanes = rt_lanes_along(self, dim);
    RtTensor *in = rt_as_contiguous(self), *to = rt_begin_output(values), *places = rt_begin_output(indices);
    if (in == NULL || to == NULL || places == NULL) {
        Py_XDECREF((PyObject *)in);
        Py_XDECREF((PyObject *)to);
        Py_XDECREF((PyObject *)places);
        return -1;
    }
    j.in = rt_data(in);
    j.values = rt_data(to);
    j.indices = (int64_t *)rt_data(places);
    j.n = lanes.n;
    j.inner = lanes.inner;
    j.blocks = (lanes.inner + COLUMNS - 1) / COLUMNS;
    rt_run_loop(run_blocks, lanes.outer * j.blocks, lanes.n * (lanes.inner < COLUMNS ? lanes.inner : COLUMNS), &j);
    Py_DECREF((PyObject *)in);
    rt_finish_output(values, to);
    rt_finish_output(indices, places);
    return 0;
}

RT_KERNEL(_cummax_helper)
{
    if (scan_into(RT_TENSOR(args[0]), RT_TENSOR(args[1]), RT_TENSOR(args[2]), args[3], 1, "cummax_cpu") < 0)
        return NULL;
    Py_RETURN_NONE;
}

RT_KERNEL(_cummin_helper)
{
    if (scan_into(RT_TENSOR(args[0]), RT_TENSOR(args[1]), RT_TENSOR(args[2]), args[3], 0, "cummin_cpu") < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* New values and indices, filled by a helper operator of the tensor's backend. */
static PyObject *with_helper(rt_operator *op, PyObject *const *args, int helper)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t dim;
    if (rt_as_int64(args[1], &dim) < 0 || rt_wrap_dim_scalar(dim, self->ndim) < 0)
        return NULL;
    PyObject *values = rt_result(op, 0, self->ndim, self->sizes, self->dtype, self->device_type, self->device_index);
    PyObject *indices = rt_result(op, 1, self->ndim, self->sizes, RT_INT64, self->device_type, self->device_index);
    PyObject *result = values != NULL && indices != NULL ? PyTuple_New(2) : NULL;
    if (result != NULL && self->device_type != RT_DEVICE_META) {
        PyObject *call[4] = {args[0], values, indices, args[1]};
        PyObject *done = rt_call_below_views(helper, call, 4);
        if (done == NULL)
            Py_CLEAR(result);
        Py_XDECREF(done);
    }
    if (result == NULL) {
        Py_XDECREF(values);
        Py_XDECREF(indices);
        return NULL;
    }
    PyTuple_SET_ITEM(result, 0, values);
    PyTuple_SET_ITEM(result, 1, indices);
    return result;
}

RT_KERNEL(cummax) { return with_helper(op, args, RT_OP_aten__cummax_helper); }
RT_KERNEL(cummin) { return with_helper(op, args, RT_OP_aten__cummin_helper); }
