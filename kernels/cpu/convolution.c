/* convolution and convolution_backward: checks of arguments, results, and the products of convolution.h around them. Half types are
 * computed in float32 and rounded once.
 */
#include "kernels/cpu/convolution.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"
#include "rt_builtins.h"

static int fail(const char *message)
{
    PyErr_SetString(PyExc_RuntimeError, message);
    return -1;
}

/* Raise with up to two shapes in the text. */
static int fail_with(const char *format, int64_t a, const RtTensor *x, const RtTensor *y, int64_t b, int64_t c)
{
    PyObject *first = rt_shape_text(x->ndim, x->sizes), *second = rt_shape_text(y->ndim, y->sizes);
    if (first != NULL && second != NULL)
        PyErr_Format(PyExc_RuntimeError, format, (long long)a, first, second, (long long)b, (long long)c);
    Py_XDECREF(first);
    Py_XDECREF(second);
    return -1;
}

typedef struct parameters {
    int ndim; /* of the space */
    int transposed;
    int64_t groups;
    int64_t stride[3], padding[3], dilation[3], output_padding[3];
} parameters;

/* A list with one number for each dimension of the space, or one for all; what the space lacks gets `missing`. */
static int read_list(PyObject *list, const char *name, int ndim, int64_t missing, int64_t *out)
{
    int64_t given[RT_MAX_DIM];
    int n = rt_as_int64_array(list, given, RT_MAX_DIM);
    if (n < 0)
        return -1;
    if (n != 1 && n != ndim) {
        PyObject *text = rt_shape_text(n, given);
        if (text != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "expected %s to be a single integer value or a list of %d values to match the convolution dimensions, but got "
                         "%s=%U",
                         name, ndim, name, text);
        Py_XDECREF(text);
        return -1;
    }
    for (int d = 0; d < 3; d++)
        out[d] = d < 3 - ndim ? missing : given[n == 1 ? 0 : d - (3 - ndim)];
    return 0;
}

/* args: stride, padding, dilation, transposed, output_padding, groups. */
static int read_parameters(const RtTensor *weight, PyObject *const *args, parameters *p)
{
    p->ndim = weight->ndim - 2;
    if (p->ndim <= 0)
        return fail("weight should have at least three dimensions");
    if (p->ndim > 3) {
        PyErr_Format(PyExc_RuntimeError, "convolutions have at most three dimensions of space, but the weight has %d", p->ndim);
        return -1;
    }
    p->transposed = rt_as_bool(args[3]);
    if (rt_as_int64(args[5], &p->groups) < 0)
        return -1;
    if (p->groups <= 0)
        return fail("non-positive groups is not supported");
    if (read_list(args[0], "stride", p->ndim, 1, p->stride) < 0 || read_list(args[1], "padding", p->ndim, 0, p->padding) < 0 ||
        read_list(args[2], "dilation", p->ndim, 1, p->dilation) < 0 ||
        read_list(args[4], "output_padding", p->ndim, 0, p->output_padding) < 0)
        return -1;
    for (int d = 0; d < 3; d++) {
        if (p->padding[d] < 0)
            return fail("negative padding is not supported");
        if (p->output_padding[d] < 0)
            return fail("negative output_padding is not supported");
        if (p->stride[d] <= 0)
            return fail("non-positive stride is not supported");
        if (p->dilation[d] <= 0)
            return fail("dilation should be greater than zero");
    }
    return 0;
}

static int add_size(char *text, size_t room, int64_t size, int first)
{
    return snprintf(text, room, first ? "%lld" : " x %lld", (long long)size);
}

/* Shapes of an input and a weight that fit together, and the geometry that follows: 0, or -1 with an exception set. */
static int read_geometry(const RtTensor *input, const RtTensor *weight, const parameters *p, rt_conv *v, int64_t *out)
{
    const int64_t *w = weight->sizes;
    int missing = 3 - p->ndim, too_large = 0;
    if (input->ndim != weight->ndim) {
        PyObject *a = rt_shape_text(weight->ndim, w), *b = rt_shape_text(input->ndim, input->sizes);
        if (a != NULL && b != NULL)
            PyErr_Format(PyExc_RuntimeError, "Expected %d-dimensional input for %d-dimensional weight %U, but got %d-dimensional input of size %U instead",
                         (int)weight->ndim, (int)weight->ndim, a, (int)input->ndim, b);
        Py_XDECREF(a);
        Py_XDECREF(b);
        return -1;
    }
    if (w[0] < p->groups)
        return fail_with("Given groups=%lld, expected weight to be at least the number of groups at dimension 0, but got weight of size %U instead",
                         p->groups, weight, weight, 0, 0);
    if (w[0] % p->groups != 0)
        return fail_with("Given groups=%lld, expected weight to be divisible by the number of groups at dimension 0, but got weight of size %U instead",
                         p->groups, weight, weight, 0, 0);
    int64_t channels = p->transposed ? w[0] : w[1] * p->groups;
    if (input->sizes[1] != channels)
        return fail_with(p->transposed ? "Given transposed=%lld, weight of size %U, expected input%U to have %lld channels, but got %lld channels instead"
                                       : "Given groups=%lld, weight of size %U, expected input%U to have %lld channels, but got %lld channels instead",
                         p->transposed ? 1 : p->groups, weight, input, channels, input->sizes[1]);
    v->batch = input->sizes[0];
    v->groups = p->groups;
    /* Without channels there is nothing to add up, and PyTorch's result has none. */
    v->map_channels = !p->transposed && w[1] == 0 ? 0 : w[0];
    v->image_channels = w[1] * p->groups;
    for (int d = 0; d < 3; d++) {
        int64_t size = d < missing ? 1 : input->sizes[d - missing + 2], kernel = d < missing ? 1 : w[d - missing + 2], reach;
        v->kernel[d] = kernel;
        v->stride[d] = p->stride[d];
        v->padding[d] = p->padding[d];
        v->dilation[d] = p->dilation[d];
        if (p->transposed && kernel == 0)
            return fail("weight tensor should not contain zero-sized dimensions in the kernel");
        int64_t result;
        if (kernel == 1)
            v->dilation[d] = 1; /* says nothing */
        if (__builtin_mul_overflow(v->dilation[d], kernel - 1, &reach) || p->padding[d] > INT32_MAX || (p->transposed && reach > INT32_MAX) ||
            reach == INT64_MAX || (p->transposed && p->stride[d] > INT64_MAX / 2))
            return fail("a convolution's padding or dilation is too large");
        if (!p->transposed) {
            int64_t padded = size + 2 * p->padding[d];
            if (p->stride[d] > padded) /* beyond the image a stride says nothing more */
                v->stride[d] = padded + 1;
            if (padded < reach + 1 || kernel == 0)
                too_large = 1;
            result = padded < reach + 1 ? 0 : (padded - reach - 1) / p->stride[d] + 1;
        } else {
            if (p->output_padding[d] >= p->stride[d] && p->output_padding[d] >= p->dilation[d])
                return fail("output padding must be smaller than either stride or dilation");
            if (__builtin_mul_overflow(size - 1, p->stride[d], &result))
                return fail("a convolution's stride is too large");
            result += reach + 1 + p->output_padding[d] - 2 * p->padding[d];
            if (size > 0 && (result < 0 || (result == 0 && p->ndim > 1))) {
                PyErr_Format(PyExc_RuntimeError, "Given input size per channel: %lld. Calculated output size per channel: %lld. Output size is too small",
                             (long long)size, (long long)result);
                return -1;
            }
            if (result < 0)
                result = 0;
        }
        (p->transposed ? v->map : v->image)[d] = size;
        (p->transposed ? v->image : v->map)[d] = result;
        if (d >= missing)
            out[d - missing + 2] = result;
    }
    if (too_large) {
        char had[96], kernel[96];
        int a = 0, b = 0;
        for (int d = missing; d < 3; d++) {
            a += add_size(had + a, sizeof had - a, v->image[d] + 2 * v->padding[d], d == missing);
            b += add_size(kernel + b, sizeof kernel - b, v->dilation[d] * (v->kernel[d] - 1) + 1, d == missing);
        }
        PyErr_Format(PyExc_RuntimeError,
                     "Calculated padded input size per channel: (%s). Kernel size: (%s). Kernel size can't be greater than actual input size", had,
                     kernel);
        return -1;
    }
    out[0] = v->batch;
    out[1] = p->transposed ? v->image_channels : v->map_channels;
    return 0;
}

static int half(int dtype) { return dtype == RT_FLOAT16 || dtype == RT_BFLOAT16; }

/* The tensor as loops want it: in the dtype that is computed in, contiguous. None gives NULL without an exception. */
static int ready(PyObject *object, int dtype, RtTensor **out)
{
    *out = NULL;
    if (object == Py_None)
        return 0;
    if (rt_check_cpu(RT_TENSOR(object), "convolution") < 0)
        return -1;
    *out = rt_contiguous(RT_TENSOR(object), dtype);
    return *out == NULL ? -1 : 0;
}

static int check_dtype(const RtTensor *input, const RtTensor *other, const char *name)
{
    if (input->dtype == other->dtype)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "Input type (%s) and %s type (%s) should be the same", rt_dtype_cpp_title(input->dtype), name,
                 rt_dtype_cpp_title(other->dtype));
    return -1;
}

static int check_implemented(const RtTensor *input)
{
    if (rt_has_gemm(input->dtype))
        return rt_blas_ready();
    PyErr_Format(PyExc_NotImplementedError, "\"slow_conv2d_cpu\" not implemented for '%s'", rt_dtype_title(input->dtype));
    return -1;
}

static const char *data_or_null(const RtTensor *t) { return t != NULL ? rt_data(t) : NULL; }

static PyObject *rounded(RtTensor *result, int dtype)
{
    RtTensor *out = result != NULL ? rt_cast(result, dtype) : NULL;
    Py_XDECREF((PyObject *)result);
    return (PyObject *)out;
}

RT_KERNEL(convolution)
{
    RtTensor *input = RT_TENSOR(args[0]), *weight = RT_TENSOR(args[1]), *bias = args[2] != Py_None ? RT_TENSOR(args[2]) : NULL;
    parameters p;
    rt_conv v;
    int64_t sizes[5];
    if (read_parameters(weight, args + 3, &p) < 0 || read_geometry(input, weight, &p, &v, sizes) < 0)
        return NULL;
    if (bias != NULL && (bias->ndim != 1 || bias->sizes[0] != (p.transposed ? sizes[1] : weight->sizes[0]))) {
        fail_with("Given groups=%lld, weight of size %U, expected bias to be 1-dimensional with the number of output channels, but got bias "
                  "of size %U instead",
                  p.groups, weight, bias, 0, 0);
        return NULL;
    }
    if ((bias != NULL && check_dtype(input, bias, "bias") < 0) || check_dtype(input, weight, "weight") < 0)
        return NULL;
    if (input->device_type != RT_DEVICE_CPU || rt_check_sizes(input->ndim, sizes) < 0)
        return PyErr_Occurred() ? NULL : rt_new_tensor(input->ndim, sizes, input->dtype, input->device_type, input->device_index);
    int dtype = half(input->dtype) ? RT_FLOAT32 : input->dtype, rc = -1;
    RtTensor *x = NULL, *w = NULL, *b = NULL, *out = NULL;
    if (check_implemented(input) == 0 && ready(args[0], dtype, &x) == 0 && ready(args[1], dtype, &w) == 0 && ready(args[2], dtype, &b) == 0)
        out = rt_empty(input->ndim, sizes, dtype, RT_DEVICE_CPU, input->device_index);
    if (out != NULL && out->numel > 0) {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rc = p.transposed ? rt_conv_to_image(dtype, &v, rt_data(x), rt_data(w), data_or_null(b), rt_data(out))
                          : rt_conv_to_map(dtype, &v, rt_data(x), rt_data(w), data_or_null(b), rt_data(out));
        RT_END_LOOP_WITHOUT_GIL
        if (rc < 0) {
            PyErr_NoMemory();
            Py_CLEAR(out);
        }
    }
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)w);
    Py_XDECREF((PyObject *)b);
    return rounded(out, input->dtype);
}

/* Sum over the batch and the space: through aten::sum. */
static PyObject *bias_gradient(RtTensor *grad)
{
    int64_t dims[4] = {0, 2, 3, 4};
    PyObject *list = rt_int_tuple(grad->ndim - 1, dims);
    if (list == NULL)
        return NULL;
    PyObject *call[4] = {(PyObject *)grad, list, Py_False, Py_None};
    PyObject *sum = rt_call_below_views(RT_OP_aten_sum_dim_IntList, call, 4);
    Py_DECREF(list);
    return sum;
}

RT_KERNEL(convolution_backward)
{
    RtTensor *grad = RT_TENSOR(args[0]), *input = RT_TENSOR(args[1]), *weight = RT_TENSOR(args[2]);
    PyObject *mask = args[10], *results[3] = {NULL, NULL, NULL};
    int wanted[3];
    parameters p;
    rt_conv v;
    int64_t sizes[5];
    for (int i = 0; i < 3; i++)
        wanted[i] = rt_as_bool(PyTuple_GET_ITEM(mask, i));
    if (read_parameters(weight, args + 4, &p) < 0 || read_geometry(input, weight, &p, &v, sizes) < 0 ||
        check_dtype(input, weight, "weight") < 0 || check_dtype(input, grad, "grad_output") < 0)
        return NULL;
    if (grad->ndim != input->ndim || memcmp(grad->sizes, sizes, grad->ndim * sizeof(int64_t)) != 0) {
        fail_with("Mismatch in shape: the gradient of a convolution in %lld groups has shape %U, the input %U", p.groups, grad, input, 0, 0);
        return NULL;
    }
    int dtype = half(input->dtype) ? RT_FLOAT32 : input->dtype, on_cpu = input->device_type == RT_DEVICE_CPU, rc = 0;
    RtTensor *g = NULL, *x = NULL, *w = NULL;
    if (on_cpu && (check_implemented(input) < 0 || ready(args[0], dtype, &g) < 0 || ready(args[1], dtype, &x) < 0 || ready(args[2], dtype, &w) < 0))
        goto done;
    for (int i = 0; i < 2; i++) {
        RtTensor *like = i == 0 ? input : weight;
        if (!wanted[i])
            continue;
        results[i] = rt_new_tensor(like->ndim, like->sizes, on_cpu ? dtype : like->dtype, like->device_type, like->device_index);
        if (results[i] == NULL)
            goto done;
        if (!on_cpu || like->numel == 0)
            continue;
        char *out = rt_data(RT_TENSOR(results[i]));
        RT_BEGIN_LOOP_WITHOUT_GIL
        if (i == 0)
            rc = p.transposed ? rt_conv_to_map(dtype, &v, rt_data(g), rt_data(w), NULL, out)
                              : rt_conv_image_gradient(dtype, &v, rt_data(g), rt_data(w), out);
        else
            rc = rt_conv_to_weight(dtype, &v, rt_data(p.transposed ? g : x), rt_data(p.transposed ? x : g), out);
        RT_END_LOOP_WITHOUT_GIL
        if (rc < 0) {
            PyErr_NoMemory();
            goto done;
        }
        results[i] = rounded(RT_TENSOR(results[i]), input->dtype);
        if (results[i] == NULL)
            goto done;
    }
    if (wanted[2])
        results[2] = bias_gradient(grad);
done:
    Py_XDECREF((PyObject *)g);
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)w);
    PyObject *out = NULL;
    if (!PyErr_Occurred()) {
        for (int i = 0; i < 3; i++)
            if (results[i] == NULL)
                results[i] = Py_NewRef(Py_None);
        out = PyTuple_Pack(3, results[0], results[1], results[2]);
    }
    for (int i = 0; i < 3; i++)
        Py_XDECREF(results[i]);
    return out;
}
