/* Pooling operators: checks, windows, results. The loops are in pooling.c. */
#include "kernels/cpu/pooling.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"

#include <stdlib.h>

static const char *const COUNTS[4] = {"", "a single int", "a tuple of two ints", "a tuple of three ints"};

/* What an operator was asked: lists for the last three dimensions, the first of which may be missing. */
typedef struct request {
    rt_operator *op;
    const char *name;
    int space;
    int64_t kernel[3], stride[3], padding[3], dilation[3];
    int adaptive;    /* windows follow from the sizes alone */
    int no_channels; /* whether an image may have none */
    int ceil, with_padding;
    int64_t divisor;
} request;

static int read_list(PyObject *list, const request *q, const char *what, const int64_t *if_empty, int64_t missing, int64_t *out)
{
    int64_t given[RT_MAX_DIM];
    int n = rt_as_int64_array(list, given, RT_MAX_DIM);
    if (n < 0)
        return -1;
    if (n != 1 && n != q->space && !(n == 0 && if_empty != NULL)) {
        PyErr_Format(PyExc_RuntimeError, "%s: %s must either be %sa single int, or %s", q->name, what, if_empty != NULL ? "omitted, " : "",
                     COUNTS[q->space]);
        return -1;
    }
    for (int d = 0; d < 3; d++) {
        int at = d - (3 - q->space);
        out[d] = at < 0 ? missing : n == 0 ? if_empty[d] : given[n == 1 ? 0 : at];
        if (out[d] > INT32_MAX || out[d] < INT32_MIN) {
            PyErr_Format(PyExc_RuntimeError, "%s: %s is out of range", q->name, what);
            return -1;
        }
    }
    return 0;
}

static int check_positive(const request *q, const char *what, const int64_t *values)
{
    for (int d = 0; d < 3; d++) {
        if (values[d] == 0 && values == q->stride) {
            PyErr_Format(PyExc_RuntimeError, "%s: stride should not be zero", q->name);
            return -1;
        }
        if (values[d] <= 0) {
            PyErr_Format(PyExc_RuntimeError, "%s should be greater than zero, but got %lld", what, (long long)values[d]);
            return -1;
        }
    }
    return 0;
}

/* args: kernel, stride, padding, and dilation unless NULL. */
static int read_request(request *q, PyObject *kernel, PyObject *stride, PyObject *padding, PyObject *dilation)
{
    static const int64_t one[3] = {1, 1, 1};
    memcpy(q->dilation, one, sizeof one);
    if (read_list(kernel, q, "kernel_size", NULL, 1, q->kernel) < 0 || read_list(stride, q, "stride", q->kernel, 1, q->stride) < 0 ||
        read_list(padding, q, "padding", NULL, 0, q->padding) < 0 ||
        (dilation != NULL && read_list(dilation, q, "dilation", NULL, 1, q->dilation) < 0))
        return -1;
    if (check_positive(q, "kernel size", q->kernel) < 0 || check_positive(q, "stride", q->stride) < 0 ||
        check_positive(q, "dilation", q->dilation) < 0)
        return -1;
    for (int d = 0; d < 3; d++) {
        if (q->padding[d] < 0) {
            PyErr_Format(PyExc_RuntimeError, "pad must be non-negative, but got pad: %lld", (long long)q->padding[d]);
            return -1;
        }
        if (q->padding[d] > q->kernel[d] / 2) {
            const char *limit = q->padding[d] > ((q->kernel[d] - 1) * q->dilation[d] + 1) / 2 ? "at most half of effective kernel size"
                                                                                               : "smaller than or equal to half of kernel size";
            PyErr_Format(PyExc_RuntimeError, "pad should be %s, but got pad=%lld, kernel_size=%lld and dilation=%lld", limit,
                         (long long)q->padding[d], (long long)q->kernel[d], (long long)q->dilation[d]);
            return -1;
        }
    }
    return 0;
}

static int fail_with_shape(const char *format, const char *name, const RtTensor *t)
{
    PyObject *shape = rt_shape_text(t->ndim, t->sizes);
    if (shape != NULL)
        PyErr_Format(PyExc_RuntimeError, format, name, shape);
    Py_XDECREF(shape);
    return -1;
}

/* An input of one or no batch dimension, a channel dimension and the space, which only the batch may make empty. */
static int check_input(const request *q, const RtTensor *t, rt_pool *p)
{
    int first = t->ndim - q->space;
    if (first != 1 && first != 2)
        return fail_with_shape(q->space == 2 ? "%s: non-empty 3D or 4D (batch mode) tensor expected for input, but got: %U"
                                             : "%s: non-empty 4D or 5D (batch mode) tensor expected for input, but got: %U",
                               q->name, t);
    for (int d = first == 2 ? 1 : 0; d < t->ndim; d++)
        if (t->sizes[d] == 0)
            return fail_with_shape(q->space == 2
                                       ? "%s: Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, but got:%U"
                                       : "%s: Expected 4D or 5D (batch mode) tensor with optional 0 dim batch size for input, but got:%U",
                                   q->name, t);
    p->planes = 1;
    for (int d = 0; d < first; d++)
        p->planes *= t->sizes[d];
    for (int d = 0; d < 3; d++)
        p->in[d] = d < 3 - q->space ? 1 : t->sizes[t->ndim - 3 + d];
    p->dtype = t->dtype;
    return 0;
}

static int fill_out_sizes(const request *q, const RtTensor *t, rt_pool *p)
{
    int small = 0;
    for (int d = 0; d < 3; d++) {
        int64_t reach = (q->kernel[d] - 1) * q->dilation[d] + 1, stride = q->stride[d];
        int64_t room = p->in[d] + 2 * q->padding[d] - reach + (q->ceil ? stride - 1 : 0);
        p->out[d] = (room >= 0 ? room / stride : -1) + 1;
        if (q->ceil && (p->out[d] - 1) * stride >= p->in[d] + q->padding[d])
            p->out[d]--;
        small |= p->out[d] < 1;
        p->step[d] = q->dilation[d];
    }
    if (!small)
        return 0;
    long long channels = t->sizes[t->ndim - q->space - 1];
    const int64_t *in = p->in, *out = p->out;
    if (q->space == 2)
        PyErr_Format(PyExc_RuntimeError, "%s: Given input size: (%lldx%lldx%lld). Calculated output size: (%lldx%lldx%lld). Output size is too small",
                     q->name, channels, (long long)in[1], (long long)in[2], channels, (long long)out[1], (long long)out[2]);
    else
        PyErr_Format(PyExc_RuntimeError,
                     "%s: Given input size: (%lldx%lldx%lldx%lld). Calculated output size: (%lldx%lldx%lldx%lld). Output size is too small", q->name,
                     channels, (long long)in[0], (long long)in[1], (long long)in[2], channels, (long long)out[0], (long long)out[1],
                     (long long)out[2]);
    return -1;
}

static void fill_adaptive_windows(rt_pool *p, rt_window *next)
{
    for (int d = 0; d < 3; d++) {
        int64_t n = p->out[d], size = p->in[d];
        p->windows[d] = next;
        p->step[d] = 1;
        for (int64_t i = 0; i < n; i++, next++) {
            /* i * size / n without a product that overflows */
            next->begin = i / n * size + i % n * size / n;
            next->count = 1 + ((i + 1) * size - 1) / n - next->begin;
            next->divisor = next->count;
        }
    }
}

/* The tables of a pool's windows, in one block: NULL with an exception where memory ran out. */
static rt_window *make_windows(const request *q, rt_pool *p)
{
    rt_window *block = malloc((size_t)(p->out[0] + p->out[1] + p->out[2]) * sizeof(rt_window) + 1), *next = block;
    if (block == NULL)
        return (rt_window *)PyErr_NoMemory();
    if (q->adaptive) {
        fill_adaptive_windows(p, block);
        return block;
    }
    for (int d = 0; d < 3; d++) {
        int64_t size = p->in[d], step = q->dilation[d];
        p->windows[d] = next;
        for (int64_t i = 0; i < p->out[d]; i++, next++) {
            int64_t begin = i * q->stride[d] - q->padding[d], end = begin + (q->kernel[d] - 1) * step + 1;
            int64_t padded_end = end < size + q->padding[d] ? end : size + q->padding[d], padded = padded_end - begin;
            if (begin < 0)
                begin += (-begin + step - 1) / step * step;
            if (end > size)
                end = size;
            next->begin = begin;
            next->count = end > begin ? (end - begin + step - 1) / step : 0;
            if (next->count == 0)
                next->begin = 0; /* between the elements: what says where its maximum lies must still be an index */
            next->divisor = q->with_padding ? padded : next->count;
        }
    }
    return block;
}

static PyObject *new_result(const request *q, int place, const RtTensor *t, const rt_pool *p, int dtype)
{
    int64_t sizes[RT_MAX_DIM];
    memcpy(sizes, t->sizes, t->ndim * sizeof(int64_t));
    for (int d = 3 - q->space; d < 3; d++)
        sizes[t->ndim - 3 + d] = p->out[d];
    if (rt_check_sizes(t->ndim, sizes) < 0)
        return NULL;
    return rt_result(q->op, place, t->ndim, sizes, dtype, t->device_type, t->device_index);
}

static int64_t work_of(const rt_pool *p)
{
    int64_t in = p->in[0] * p->in[1] * p->in[2], out = p->out[0] * p->out[1] * p->out[2];
    return (in > out ? in : out) * 2;
}

static int not_implemented(const char *kernel, int dtype)
{
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(dtype));
    return -1;
}

/* Pool `t` into a new tensor, and the indices of maxima into another one where `indices` is given. */
static PyObject *forward(const request *q, RtTensor *t, rt_pool *p, rt_pool_fn loop, const char *kernel, PyObject **indices)
{
    PyObject *out = NULL;
    RtTensor *in = NULL;
    rt_window *windows = NULL;
    if (loop == NULL && t->device_type == RT_DEVICE_CPU) {
        not_implemented(kernel, t->dtype);
        goto done;
    }
    out = new_result(q, 0, t, p, t->dtype);
    if (out != NULL && indices != NULL) {
        *indices = new_result(q, 1, t, p, RT_INT64);
        if (*indices == NULL)
            Py_CLEAR(out);
    }
    if (out == NULL || t->device_type != RT_DEVICE_CPU || RT_TENSOR(out)->numel == 0)
        goto done;
    in = rt_check_cpu(t, q->name) < 0 ? NULL : rt_contiguous(t, t->dtype);
    windows = in != NULL ? make_windows(q, p) : NULL;
    if (windows == NULL) {
        Py_CLEAR(out);
        if (indices != NULL)
            Py_CLEAR(*indices);
        goto done;
    }
    p->from = rt_data(in);
    p->to = rt_data(RT_TENSOR(out));
    p->indices = indices != NULL ? (int64_t *)rt_data(RT_TENSOR(*indices)) : NULL;
    rt_run_loop(loop, p->planes, work_of(p), p);
done:
    Py_XDECREF((PyObject *)in);
    free(windows);
    return out;
}

static PyObject *pair(PyObject *a, PyObject *b)
{
    PyObject *both = a != NULL && b != NULL ? PyTuple_Pack(2, a, b) : NULL;
    Py_XDECREF(a);
    Py_XDECREF(b);
    return both;
}

static int is_float(int dtype) { return dtype == RT_FLOAT32 || dtype == RT_FLOAT64 || dtype == RT_FLOAT16 || dtype == RT_BFLOAT16; }

/* The gradient of the input from that of the result; `indices` are those of maxima, or NULL for means. */
static PyObject *backward(const request *q, RtTensor *grad, RtTensor *t, rt_pool *p, RtTensor *indices, const char *kernel)
{
    int64_t sizes[RT_MAX_DIM];
    PyObject *out = NULL;
    RtTensor *in = NULL, *places = NULL, *sum = NULL;
    rt_window *windows = NULL;
    memcpy(sizes, t->sizes, t->ndim * sizeof(int64_t));
    for (int d = 3 - q->space; d < 3; d++)
        sizes[t->ndim - 3 + d] = p->out[d];
    if (grad->ndim != t->ndim || memcmp(grad->sizes, sizes, t->ndim * sizeof(int64_t)) != 0) {
        fail_with_shape("%s: Expected a gradient of the shape of the result, but got %U", q->name, grad);
        goto done;
    }
    if (indices != NULL && (indices->dtype != RT_INT64 || indices->ndim != t->ndim || memcmp(indices->sizes, sizes, t->ndim * sizeof(int64_t)))) {
        fail_with_shape("%s: Expected int64 indices of the shape of the result, but got %U", q->name, indices);
        goto done;
    }
    if (grad->dtype != t->dtype) {
        PyErr_Format(PyExc_RuntimeError, "expected dtype %s for `grad_output` but got dtype %s", rt_dtype_title(t->dtype), rt_dtype_title(grad->dtype));
        goto done;
    }
    if (t->device_type != RT_DEVICE_CPU) {
        out = rt_new_tensor(t->ndim, t->sizes, t->dtype, t->device_type, t->device_index);
        goto done;
    }
    if (!is_float(t->dtype)) {
        not_implemented(kernel, t->dtype);
        goto done;
    }
    int dtype = t->dtype == RT_FLOAT64 ? RT_FLOAT64 : RT_FLOAT32;
    if (rt_check_cpu(grad, q->name) < 0 || (indices != NULL && rt_check_cpu(indices, q->name) < 0) ||
        (in = rt_contiguous(grad, dtype)) == NULL || (indices != NULL && (places = rt_contiguous(indices, RT_INT64)) == NULL) ||
        (sum = rt_empty(t->ndim, t->sizes, dtype, RT_DEVICE_CPU, t->device_index)) == NULL || (windows = make_windows(q, p)) == NULL)
        goto done;
    if (sum->numel > 0)
        memset(rt_data(sum), 0, sum->numel * rt_itemsize[dtype]);
    p->from = rt_data(in);
    p->to = rt_data(sum);
    p->indices = places != NULL ? (int64_t *)rt_data(places) : NULL;
    if (sum->numel > 0 && in->numel > 0)
        rt_run_loop(indices != NULL ? rt_max_pool_backward_loop(dtype) : rt_avg_pool_backward_loop(dtype), p->planes, work_of(p), p);
    out = (PyObject *)rt_cast(sum, t->dtype);
done:
    Py_XDECREF((PyObject *)in);
    Py_XDECREF((PyObject *)places);
    Py_XDECREF((PyObject *)sum);
    free(windows);
    return out;
}

/* ------------------------------------------------------------------------------------------------------------------ fixed windows */

static int prepare_max(request *q, RtTensor *t, PyObject *const *args, rt_pool *p)
{
    q->ceil = rt_as_bool(args[4]);
    return read_request(q, args[0], args[1], args[2], args[3]) < 0 || check_input(q, t, p) < 0 ? -1 : fill_out_sizes(q, t, p);
}

static PyObject *max_pool(rt_operator *op, const char *name, int space, PyObject *const *args)
{
    RtTensor *t = RT_TENSOR(args[0]);
    request q = {.op = op, .name = name, .space = space};
    rt_pool p = {0};
    PyObject *indices = NULL;
    if (prepare_max(&q, t, args + 1, &p) < 0)
        return NULL;
    PyObject *out = forward(&q, t, &p, rt_max_pool_loop(t->dtype), "max_pool2d", &indices);
    return pair(out, indices);
}

static PyObject *max_pool_backward(const char *name, int space, PyObject *const *args)
{
    RtTensor *t = RT_TENSOR(args[1]);
    request q = {.name = name, .space = space};
    rt_pool p = {0};
    if (prepare_max(&q, t, args + 2, &p) < 0)
        return NULL;
    return backward(&q, RT_TENSOR(args[0]), t, &p, RT_TENSOR(args[7]), "max_pool2d_backward");
}

/* args: kernel, stride, padding, ceil_mode, count_include_pad, divisor_override. */
static int prepare_avg(request *q, RtTensor *t, PyObject *const *args, rt_pool *p)
{
    q->ceil = rt_as_bool(args[3]);
    q->with_padding = rt_as_bool(args[4]);
    if (read_request(q, args[0], args[1], args[2], NULL) < 0)
        return -1;
    if (args[5] != Py_None) {
        if (rt_as_int64(args[5], &p->divisor) < 0)
            return -1;
        if (p->divisor == 0) {
            PyErr_SetString(PyExc_RuntimeError, "divisor must be not zero");
            return -1;
        }
    }
    if (check_input(q, t, p) < 0 || fill_out_sizes(q, t, p) < 0)
        return -1;
    for (int d = 0; d < 3; d++)
        if (q->space == 3 && p->in[d] < q->kernel[d])
            return fail_with_shape("%s: input image %U smaller than kernel size", q->name, t);
    return 0;
}

static PyObject *avg_pool(rt_operator *op, const char *name, int space, PyObject *const *args)
{
    RtTensor *t = RT_TENSOR(args[0]);
    request q = {.op = op, .name = name, .space = space};
    rt_pool p = {0};
    if (prepare_avg(&q, t, args + 1, &p) < 0)
        return NULL;
    return forward(&q, t, &p, rt_avg_pool_loop(t->dtype), name, NULL);
}

static PyObject *avg_pool_backward(const char *name, int space, PyObject *const *args)
{
    RtTensor *t = RT_TENSOR(args[1]);
    request q = {.name = name, .space = space};
    rt_pool p = {0};
    if (prepare_avg(&q, t, args + 2, &p) < 0)
        return NULL;
    return backward(&q, RT_TENSOR(args[0]), t, &p, NULL, name);
}

RT_KERNEL(max_pool2d_with_indices) { return max_pool(op, "max_pool2d", 2, args); }
RT_KERNEL(max_pool3d_with_indices) { return max_pool(op, "max_pool3d", 3, args); }
RT_KERNEL(max_pool2d_with_indices_backward) { return max_pool_backward("max_pool2d_with_indices_backward", 2, args); }
RT_KERNEL(max_pool3d_with_indices_backward) { return max_pool_backward("max_pool3d_with_indices_backward", 3, args); }
RT_KERNEL(avg_pool2d) { return avg_pool(op, "avg_pool2d", 2, args); }
RT_KERNEL(avg_pool3d) { return avg_pool(op, "avg_pool3d", 3, args); }
RT_KERNEL(avg_pool2d_backward) { return avg_pool_backward("avg_pool2d_backward", 2, args); }
RT_KERNEL(avg_pool3d_backward) { return avg_pool_backward("avg_pool3d_backward", 3, args); }

/* --------------------------------------------------------------------------------------------------------------- adaptive windows */

static int prepare_adaptive(request *q, RtTensor *t, PyObject *output_size, rt_pool *p)
{
    int64_t given[RT_MAX_DIM];
    int first = t->ndim - q->space, n = output_size != NULL ? rt_as_int64_array(output_size, given, RT_MAX_DIM) : q->space;
    if (n < 0)
        return -1;
    if (n != q->space) {
        PyErr_Format(PyExc_RuntimeError, "%s: output_size must be %d", q->name, q->space);
        return -1;
    }
    if (first != 1 && first != 2)
        return fail_with_shape(q->space == 2 ? "%s: Expected 3D or 4D tensor, but got %U" : "%s: Expected 4D or 5D tensor, but got %U", q->name, t);
    p->planes = 1;
    for (int d = 0; d < t->ndim; d++) {
        if (d < first)
            p->planes *= t->sizes[d];
        if ((d >= first || (d == 1 && first == 2 && !q->no_channels)) && t->sizes[d] == 0)
            return fail_with_shape("%s(): Expected input to have non-zero size for non-batch dimensions, but input has sizes %U", q->name, t);
    }
    for (int d = 0; d < 3; d++) {
        int missing = d < 3 - q->space;
        p->in[d] = missing ? 1 : t->sizes[t->ndim - 3 + d];
        p->out[d] = missing ? 1 : output_size != NULL ? given[d - (3 - q->space)] : 0;
        if (p->out[d] < 0 || p->out[d] > INT32_MAX || p->in[d] > INT32_MAX) {
            PyErr_Format(PyExc_RuntimeError, "%s: elements of output_size must be greater than or equal to 0 but received %lld", q->name,
                         (long long)p->out[d]);
            return -1;
        }
    }
    p->dtype = t->dtype;
    return 0;
}

static PyObject *adaptive_pool(rt_operator *op, const char *name, int space, PyObject *const *args, int is_max)
{
    RtTensor *t = RT_TENSOR(args[0]);
    request q = {.op = op, .name = name, .space = space, .adaptive = 1, .no_channels = space == 2 && !is_max};
    rt_pool p = {0};
    PyObject *indices = NULL;
    if (prepare_adaptive(&q, t, args[1], &p) < 0)
        return NULL;
    int known = is_float(t->dtype);
    rt_pool_fn loop = !known ? NULL : is_max ? rt_max_pool_loop(t->dtype) : rt_avg_pool_loop(t->dtype);
    PyObject *out = forward(&q, t, &p, loop, name, is_max ? &indices : NULL);
    return is_max ? pair(out, indices) : out;
}

static PyObject *adaptive_backward(const char *name, int space, PyObject *const *args, RtTensor *indices)
{
    RtTensor *grad = RT_TENSOR(args[0]), *t = RT_TENSOR(args[1]);
    request q = {.name = name, .space = space, .adaptive = 1};
    rt_pool p = {0};
    if (prepare_adaptive(&q, t, NULL, &p) < 0)
        return NULL;
    if (grad->ndim != t->ndim) {
        fail_with_shape("%s: Expected a gradient of the input's rank, but got %U", name, grad);
        return NULL;
    }
    for (int d = 3 - space; d < 3; d++)
        p.out[d] = grad->sizes[t->ndim - 3 + d];
    return backward(&q, grad, t, &p, indices, name);
}

RT_KERNEL(_adaptive_avg_pool2d) { return adaptive_pool(op, "adaptive_avg_pool2d", 2, args, 0); }
RT_KERNEL(_adaptive_avg_pool3d) { return adaptive_pool(op, "adaptive_avg_pool3d", 3, args, 0); }
RT_KERNEL(adaptive_max_pool2d) { return adaptive_pool(op, "adaptive_max_pool2d", 2, args, 1); }
RT_KERNEL(adaptive_max_pool3d) { return adaptive_pool(op, "adaptive_max_pool3d", 3, args, 1); }
RT_KERNEL(_adaptive_avg_pool2d_backward) { return adaptive_backward("adaptive_avg_pool2d_backward", 2, args, NULL); }
RT_KERNEL(_adaptive_avg_pool3d_backward) { return adaptive_backward("adaptive_avg_pool3d_backward", 3, args, NULL); }
RT_KERNEL(adaptive_max_pool2d_backward) { return adaptive_backward("adaptive_max_pool2d_backward", 2, args, RT_TENSOR(args[2])); }
RT_KERNEL(adaptive_max_pool3d_backward) { return adaptive_backward("adaptive_max_pool3d_backward", 3, args, RT_TENSOR(args[2])); }
