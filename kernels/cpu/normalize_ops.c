/* layer_norm, native_layer_norm and its gradients, native_group_norm and native_batch_norm: checks, results, statistics. The loops are in
 * normalize.c. */
#include "kernels/cpu/normalize.h"
#include "kernels/cpu/element.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"
#include "rt_builtins.h"

#include <math.h>

static int computed_in(int dtype) { return dtype == RT_FLOAT16 || dtype == RT_BFLOAT16 ? RT_FLOAT32 : dtype; }

/* An optional weight as the loops read it; *out stays NULL for None. */
static int optional(PyObject *object, int dtype, RtTensor **out)
{
    *out = NULL;
    if (object == Py_None)
        return 0;
    if (rt_check_cpu(RT_TENSOR(object), "normalization") < 0)
        return -1;
    *out = rt_contiguous(RT_TENSOR(object), dtype);
    return *out == NULL ? -1 : 0;
}

static char *data_or_null(const RtTensor *t) { return t != NULL ? rt_data(t) : NULL; }

static PyObject *rounded(RtTensor *t, int dtype)
{
    RtTensor *out = t != NULL ? rt_cast(t, dtype) : NULL;
    Py_XDECREF((PyObject *)t);
    return (PyObject *)out;
}

/* A tuple of three results, which this releases; NULL where one is missing. */
static PyObject *three(PyObject *a, PyObject *b, PyObject *c)
{
    PyObject *all = a != NULL && b != NULL && c != NULL ? PyTuple_Pack(3, a, b, c) : NULL;
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_XDECREF(c);
    return all;
}

static int fail_with(const char *format, PyObject *a, PyObject *b)
{
    if (a != NULL && b != NULL)
        PyErr_Format(PyExc_RuntimeError, format, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return -1;
}

static int not_implemented(const char *kernel, int dtype)
{
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(dtype));
    return -1;
}

/* The dtype of statistics: float32 beside half types whose weights are float32. */
static int statistics_dtype(const RtTensor *input, PyObject *weight, PyObject *bias)
{
    PyObject *first = weight != Py_None ? weight : bias;
    return first != Py_None && RT_TENSOR(first)->dtype != input->dtype ? computed_in(input->dtype) : input->dtype;
}

static int check_weight_dtype(const RtTensor *input, PyObject *weight, const char *name)
{
    if (weight == Py_None || RT_TENSOR(weight)->dtype == input->dtype || RT_TENSOR(weight)->dtype == computed_in(input->dtype))
        return 0;
    if (computed_in(input->dtype) == RT_FLOAT32)
        PyErr_Format(PyExc_RuntimeError, "mixed dtype (CPU): expect parameter to have scalar type of Float, but the input is %s and %s is %s",
                     rt_dtype_title(input->dtype), name, rt_dtype_title(RT_TENSOR(weight)->dtype));
    else
        PyErr_Format(PyExc_RuntimeError, "mixed dtype (CPU): all inputs must share same datatype. The input is %s, but %s is %s",
                     rt_dtype_title(input->dtype), name, rt_dtype_title(RT_TENSOR(weight)->dtype));
    return -1;
}

/* ------------------------------------------------------------------------------------------------------------------- layer norm */

/* The dimensions that are normalized: their number, or -1 with an exception set. */
static int check_layer_norm(const RtTensor *input, PyObject *normalized_shape, PyObject *weight, PyObject *bias)
{
    int64_t shape[RT_MAX_DIM];
    int n = rt_as_int64_array(normalized_shape, shape, RT_MAX_DIM);
    if (n < 0)
        return -1;
    if (n < 1) {
        PyErr_SetString(PyExc_RuntimeError, "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got "
                                            "normalized_shape = []");
        return -1;
    }
    PyObject *given[2] = {weight, bias};
    for (int i = 0; i < 2; i++) {
        if (given[i] == Py_None)
            continue;
        const RtTensor *t = RT_TENSOR(given[i]);
        if (t->ndim != n || memcmp(t->sizes, shape, n * sizeof(int64_t)) != 0)
            return fail_with(i == 0 ? "Expected weight to be of same shape as normalized_shape, but got weight of shape %U and normalized_shape = %U"
                                    : "Expected bias to be of same shape as normalized_shape, but got bias of shape %U and normalized_shape = %U",
                             rt_shape_text(t->ndim, t->sizes), rt_shape_text(n, shape));
    }
    if (input->ndim < n || memcmp(input->sizes + input->ndim - n, shape, n * sizeof(int64_t)) != 0) {
        PyObject *wanted = rt_shape_text(n, shape), *got = rt_shape_text(input->ndim, input->sizes);
        PyObject *sizes = wanted == NULL ? NULL : PyUnicode_Substring(wanted, 1, PyUnicode_GET_LENGTH(wanted));
        if (sizes != NULL && got != NULL)
            PyErr_Format(PyExc_RuntimeError, "Given normalized_shape=%U, expected input with shape [*, %U, but got input of size%U", wanted, sizes,
                         got);
        Py_XDECREF(wanted);
        Py_XDECREF(got);
        Py_XDECREF(sizes);
        return -1;
    }
    return n;
}

/* Normalize rows: results, and statistics where `mean` and `scale` are given. */
static PyObject *normalize_rows(RtTensor *input, PyObject *weight, PyObject *bias, rt_rows *p, int64_t rows, int stats, int stats_ndim,
                                const int64_t *stats_sizes, PyObject **mean, PyObject **scale, const char *kernel)
{
    int dtype = computed_in(input->dtype);
    RtTensor *x = NULL, *w = NULL, *b = NULL, *m = NULL, *s = NULL;
    PyObject *out = NULL;
    rt_norm_fn loop = rt_normalize_rows_loop(input->dtype);
    if (input->device_type != RT_DEVICE_CPU) {
        out = rt_new_tensor(input->ndim, input->sizes, input->dtype, input->device_type, input->device_index);
        if (mean != NULL) {
            *mean = rt_new_tensor(stats_ndim, stats_sizes, stats, input->device_type, input->device_index);
            *scale = rt_new_tensor(stats_ndim, stats_sizes, stats, input->device_type, input->device_index);
        }
        return out;
    }
    if (loop == NULL) {
        not_implemented(kernel, input->dtype);
        return NULL;
    }
    if (check_weight_dtype(input, weight, "weight") < 0 || check_weight_dtype(input, bias, "bias") < 0 || rt_check_cpu(input, kernel) < 0 ||
        (x = rt_contiguous(input, input->dtype)) == NULL || optional(weight, dtype, &w) < 0 || optional(bias, dtype, &b) < 0)
        goto done;
    if (mean != NULL) {
        m = rt_empty(stats_ndim, stats_sizes, dtype, RT_DEVICE_CPU, input->device_index);
        s = rt_empty(stats_ndim, stats_sizes, dtype, RT_DEVICE_CPU, input->device_index);
        if (m == NULL || s == NULL)
            goto done;
    }
    out = (PyObject *)rt_empty_like(input, input->dtype);
    if (out == NULL)
        goto done;
    p->mean = data_or_null(m);
    p->scale = data_or_null(s);
    p->weight = data_or_null(w);
    p->bias = data_or_null(b);
    if (p->width > 0 && rows > 0) {
        p->in = rt_data(x);
        p->out = rt_data(RT_TENSOR(out));
        rt_run_loop(loop, rows, p->width * 2, p);
    } else if (m != NULL && rows > 0) {
        /* Statistics of nothing. */
        for (int64_t i = 0; i < rows; i++) {
            if (dtype == RT_FLOAT64) {
                ((double *)p->mean)[i] = 0;
                ((double *)p->scale)[i] = NAN;
            } else {
                ((float *)p->mean)[i] = 0;
                ((float *)p->scale)[i] = NAN;
            }
        }
    }
    if (mean != NULL) {
        *mean = rounded(m, stats);
        *scale = rounded(s, stats);
        m = s = NULL;
    }
done:
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)w);
    Py_XDECREF((PyObject *)b);
    Py_XDECREF((PyObject *)m);
    Py_XDECREF((PyObject *)s);
    return out;
}

RT_KERNEL(native_layer_norm)
{
    RtTensor *input = RT_TENSOR(args[0]);
    int n = check_layer_norm(input, args[1], args[2], args[3]);
    rt_rows p = {.width = 1};
    int64_t sizes[RT_MAX_DIM], rows = 1;
    PyObject *mean = NULL, *scale = NULL;
    if (n < 0 || rt_as_double(args[4], &p.eps) < 0)
        return NULL;
    for (int d = 0; d < input->ndim; d++) {
        int outer = d < input->ndim - n;
        *(outer ? &rows : &p.width) *= input->sizes[d];
        sizes[d] = outer ? input->sizes[d] : 1;
    }
    PyObject *out = normalize_rows(input, args[2], args[3], &p, rows, statistics_dtype(input, args[2], args[3]), input->ndim, sizes, &mean,
                                   &scale, "LayerNormKernelImpl");
    return three(out, mean, scale);
}

RT_KERNEL(layer_norm)
{
    PyObject *call[5] = {args[0], args[1], args[2], args[3], args[4]};
    if (check_layer_norm(RT_TENSOR(args[0]), args[1], args[2], args[3]) < 0)
        return NULL;
    PyObject *results = rt_call(rt_builtin_ops[RT_OP_aten_native_layer_norm], call, 5);
    PyObject *out = results != NULL ? Py_NewRef(PyTuple_GET_ITEM(results, 0)) : NULL;
    Py_XDECREF(results);
    return out;
}

/* Statistics and weights of `numel` elements, as the loops read them. */
static int of_size(PyObject *object, int64_t numel, const char *name, int dtype, RtTensor **out)
{
    if (object != Py_None && RT_TENSOR(object)->numel != numel) {
        PyErr_Format(PyExc_RuntimeError, "native_layer_norm_backward: expected %s of %lld elements, but got %lld", name, (long long)numel,
                     (long long)RT_TENSOR(object)->numel);
        return -1;
    }
    return optional(object, dtype, out);
}

/* args: grad_out, input, normalized_shape, mean, rstd, weight, bias, output_mask. */
RT_KERNEL(native_layer_norm_backward)
{
    RtTensor *grad = RT_TENSOR(args[0]), *input = RT_TENSOR(args[1]);
    RtTensor *g = NULL, *x = NULL, *m = NULL, *s = NULL, *w = NULL;
    PyObject *results[3] = {NULL, NULL, NULL}, *all = NULL;
    rt_row_gradients p = {.rows = 1, .width = 1};
    int64_t shape[RT_MAX_DIM];
    int n = rt_as_int64_array(args[2], shape, RT_MAX_DIM), dtype = computed_in(input->dtype), on_cpu = input->device_type == RT_DEVICE_CPU;
    if (n < 0)
        return NULL;
    if (n > input->ndim || memcmp(input->sizes + input->ndim - n, shape, n * sizeof(int64_t)) != 0 || grad->ndim != input->ndim ||
        memcmp(grad->sizes, input->sizes, input->ndim * sizeof(int64_t)) != 0) {
        fail_with("native_layer_norm_backward: expected an input and a gradient with trailing dimensions %U, but the input has shape %U",
                  rt_shape_text(n, shape), rt_shape_text(input->ndim, input->sizes));
        return NULL;
    }
    for (int d = 0; d < input->ndim; d++)
        *(d < input->ndim - n ? &p.rows : &p.width) *= input->sizes[d];
    /* A weight's gradient is computed in the wide dtype, and rounded to the weight's. */
    for (int i = 0; i < 3; i++) {
        if (!rt_as_bool(PyTuple_GET_ITEM(args[7], i)) || (i > 0 && args[4 + i] == Py_None))
            results[i] = Py_NewRef(Py_None);
        else
            results[i] = rt_new_tensor(i == 0 ? input->ndim : n, i == 0 ? input->sizes : shape,
                                       i == 0 ? input->dtype : on_cpu ? dtype : RT_TENSOR(args[4 + i])->dtype, input->device_type,
                                       input->device_index);
        if (results[i] == NULL)
            goto done;
    }
    if (on_cpu) {
        rt_norm_fn of_input = rt_row_gradients_loop(input->dtype), of_weight = rt_weight_gradients_loop(input->dtype);
        if (of_input == NULL) {
            not_implemented("LayerNormBackwardKernelImpl", input->dtype);
            goto done;
        }
        if (rt_check_cpu(input, "native_layer_norm_backward") < 0 || rt_check_cpu(grad, "native_layer_norm_backward") < 0 ||
            (x = rt_contiguous(input, input->dtype)) == NULL || (g = rt_contiguous(grad, input->dtype)) == NULL ||
            of_size(args[3], p.rows, "a mean", dtype, &m) < 0 || of_size(args[4], p.rows, "an rstd", dtype, &s) < 0 ||
            of_size(args[5], p.width, "a weight", dtype, &w) < 0)
            goto done;
        if (input->numel > 0) {
            p.in = rt_data(x);
            p.grad = rt_data(g);
            p.mean = rt_data(m);
            p.scale = rt_data(s);
            p.weight = data_or_null(w);
        }
        if (results[0] != Py_None && input->numel > 0) {
            p.out = rt_data(RT_TENSOR(results[0]));
            rt_run_loop(of_input, p.rows, p.width * 2, &p);
        }
        if ((results[1] != Py_None || results[2] != Py_None) && p.width > 0) {
            p.rows = input->numel > 0 ? p.rows : 0; /* sums of nothing */
            p.for_weight = results[1] != Py_None ? rt_data(RT_TENSOR(results[1])) : NULL;
            p.for_bias = results[2] != Py_None ? rt_data(RT_TENSOR(results[2])) : NULL;
            rt_run_loop(of_weight, (p.width + RT_WEIGHT_PIECE - 1) / RT_WEIGHT_PIECE, p.rows * RT_WEIGHT_PIECE, &p);
        }
        for (int i = 1; i < 3; i++)
            if (results[i] != Py_None && (results[i] = rounded(RT_TENSOR(results[i]), RT_TENSOR(args[4 + i])->dtype)) == NULL)
                goto done;
    }
    all = PyTuple_Pack(3, results[0], results[1], results[2]);
done:
    for (int i = 0; i < 3; i++)
        Py_XDECREF(results[i]);
    Py_XDECREF((PyObject *)g);
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)m);
    Py_XDECREF((PyObject *)s);
    Py_XDECREF((PyObject *)w);
    return all;
}

/* ------------------------------------------------------------------------------------------------------------------- group norm */

static int check_channel_weight(PyObject *object, int64_t channels, const char *name)
{
    if (object == Py_None || (RT_TENSOR(object)->ndim == 1 && RT_TENSOR(object)->sizes[0] == channels))
        return 0;
    PyObject *shape = rt_shape_text(RT_TENSOR(object)->ndim, RT_TENSOR(object)->sizes);
    if (shape != NULL)
        PyErr_Format(PyExc_RuntimeError,
                     "Expected %s to be a vector of size equal to the number of channels in input, but got %s of shape %U and %lld channels", name,
                     name, shape, (long long)channels);
    Py_XDECREF(shape);
    return -1;
}

RT_KERNEL(native_group_norm)
{
    RtTensor *input = RT_TENSOR(args[0]);
    int64_t n, channels, span, groups;
    rt_rows p = {0};
    PyObject *mean = NULL, *scale = NULL;
    if (rt_as_int64(args[3], &n) < 0 || rt_as_int64(args[4], &channels) < 0 || rt_as_int64(args[5], &span) < 0 ||
        rt_as_int64(args[6], &groups) < 0 || rt_as_double(args[7], &p.eps) < 0)
        return NULL;
    if (groups <= 0) {
        PyErr_Format(PyExc_RuntimeError, "Expected num groups to be greater than 0, got %lld", (long long)groups);
        return NULL;
    }
    if (channels % groups != 0) {
        PyErr_Format(PyExc_RuntimeError, "Expected number of channels in input to be divisible by num_groups, but got %lld channels and num_groups=%lld",
                     (long long)channels, (long long)groups);
        return NULL;
    }
    int64_t area;
    if (n < 0 || channels < 0 || span < 0 || __builtin_mul_overflow(n, channels, &area) || __builtin_mul_overflow(area, span, &area) ||
        area != input->numel) {
        PyErr_SetString(PyExc_RuntimeError, "native_group_norm: N * C * HxW must be the number of elements of the input");
        return NULL;
    }
    if (check_channel_weight(args[1], channels, "weight") < 0 || check_channel_weight(args[2], channels, "bias") < 0)
        return NULL;
    p.width = channels / groups * span;
    p.span = span;
    p.rows_per_weights = groups;
    int64_t sizes[2] = {n, groups};
    PyObject *out = normalize_rows(input, args[1], args[2], &p, n * groups, statistics_dtype(input, args[1], args[2]), 2, sizes, &mean, &scale,
                                   "GroupNormKernelImpl");
    return three(out, mean, scale);
}

/* ------------------------------------------------------------------------------------------------------------------- batch norm */

static double get(const RtTensor *t, int64_t i) { return t->dtype == RT_FLOAT64 ? ((double *)rt_data(t))[i] : ((float *)rt_data(t))[i]; }

static void set(const RtTensor *t, int64_t i, double x)
{
    if (t->dtype == RT_FLOAT64)
        ((double *)rt_data(t))[i] = x;
    else
        ((float *)rt_data(t))[i] = (float)x;
}

/* running = (1 - momentum) * running + momentum * value, written back where the loops read a copy. */
static int update(PyObject *given, RtTensor *read, const RtTensor *value, double momentum, double factor)
{
    if (read == NULL)
        return 0;
    for (int64_t i = 0; i < read->numel; i++)
        set(read, i, momentum * (get(value, i) * factor) + (1 - momentum) * get(read, i));
    if ((PyObject *)read == given)
        return 0;
    PyObject *call[3] = {given, (PyObject *)read, Py_False};
    PyObject *done = rt_call_below_views(RT_OP_aten_copy_, call, 3);
    Py_XDECREF(done);
    return done != NULL ? 0 : -1;
}

/* A statistic as a tensor of its dtype would hold it. */
static double held_as(int dtype, double x)
{
    return dtype == RT_BFLOAT16 ? rt_bf16_to_float(rt_float_to_bf16((float)x)) : dtype == RT_FLOAT16 ? (double)(_Float16)(float)x : x;
}

static int check_features(PyObject *object, int64_t channels, const char *name)
{
    if (object == Py_None || RT_TENSOR(object)->numel == channels)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "%s should contain %lld elements not %lld", name, (long long)channels, (long long)RT_TENSOR(object)->numel);
    return -1;
}

/* Weights and statistics have the input's dtype, or are all floats beside an input of a half type. The first of them says which it is. */
static int check_features_dtype(const RtTensor *input, PyObject *const *features)
{
    int first = -1;
    for (int i = 0; i < 4; i++) {
        if (features[i] == Py_None)
            continue;
        int dtype = RT_TENSOR(features[i])->dtype;
        first = first < 0 ? dtype : first;
        if (first == input->dtype && dtype != first) {
            PyErr_Format(PyExc_RuntimeError, "expected scalar type %s but found %s", rt_dtype_title(first), rt_dtype_title(dtype));
            return -1;
        }
        if (first != input->dtype && dtype != RT_FLOAT32) {
            PyErr_SetString(PyExc_RuntimeError, "mixed dtype (CPU): expect parameter to have scalar type of Float");
            return -1;
        }
    }
    if (first < 0 || first == input->dtype || input->dtype == RT_FLOAT16 || input->dtype == RT_BFLOAT16)
        return 0;
    PyErr_SetString(PyExc_RuntimeError, "mixed dtype (CPU): all inputs must share same datatype.");
    return -1;
}

/* args: input, weight, bias, running_mean, running_var, training, momentum, eps. */
RT_KERNEL(native_batch_norm)
{
    RtTensor *input = RT_TENSOR(args[0]);
    RtTensor *x = NULL, *w = NULL, *b = NULL, *rm = NULL, *rv = NULL, *mean = NULL, *scale = NULL, *shift = NULL, *factor = NULL;
    PyObject *out = NULL, *saved_mean = NULL, *saved_scale = NULL;
    int training = rt_as_bool(args[5]), dtype = computed_in(input->dtype);
    double momentum, eps;
    if (rt_as_double(args[6], &momentum) < 0 || rt_as_double(args[7], &eps) < 0)
        return NULL;
    if (input->ndim < 2) {
        PyErr_Format(PyExc_RuntimeError, "batch_norm: expected an input of at least two dimensions, but got %d", (int)input->ndim);
        return NULL;
    }
    int64_t channels = input->sizes[1], none = 0;
    static const char *const names[4] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++)
        if (check_features(args[1 + i], channels, names[i]) < 0)
            return NULL;
    if (!training && (args[3] == Py_None || args[4] == Py_None)) {
        PyErr_SetString(PyExc_RuntimeError, "running_mean and running_var must be defined in evaluation mode");
        return NULL;
    }
    int mixed = 0;
    for (int i = 0; i < 4; i++)
        mixed |= args[1 + i] != Py_None && RT_TENSOR(args[1 + i])->dtype != input->dtype;
    int stats = mixed ? dtype : input->dtype;
    if (input->device_type != RT_DEVICE_CPU) {
        out = rt_new_tensor(input->ndim, input->sizes, input->dtype, input->device_type, input->device_index);
        saved_mean = rt_new_tensor(1, training ? &channels : &none, stats, input->device_type, input->device_index);
        saved_scale = rt_new_tensor(1, training ? &channels : &none, stats, input->device_type, input->device_index);
        return three(out, saved_mean, saved_scale);
    }
    rt_norm_fn moments = rt_channel_moments_loop(input->dtype), affine = rt_channel_affine_loop(input->dtype);
    if (moments == NULL) {
        not_implemented("batch_norm", input->dtype);
        return NULL;
    }
    if (check_features_dtype(input, args + 1) < 0)
        return NULL;
    if (rt_check_cpu(input, "batch_norm") < 0 || (x = rt_contiguous(input, input->dtype)) == NULL || optional(args[1], dtype, &w) < 0 ||
        optional(args[2], dtype, &b) < 0 || optional(args[3], dtype, &rm) < 0 || optional(args[4], dtype, &rv) < 0 ||
        (mean = rt_empty(1, &channels, dtype, RT_DEVICE_CPU, input->device_index)) == NULL || (scale = rt_empty_like(mean, dtype)) == NULL ||
        (shift = rt_empty_like(mean, dtype)) == NULL || (factor = rt_empty_like(mean, dtype)) == NULL ||
        (out = rt_result(op, 0, input->ndim, input->sizes, input->dtype, input->device_type, input->device_index)) == NULL)
        goto done;
    rt_channels p = {.items = input->sizes[0], .channels = channels};
    p.span = input->numel > 0 ? input->numel / channels / p.items : 0;
    int64_t values = p.items * p.span;
    if (channels > 0) {
        p.mean = rt_data(mean);
        p.scale = rt_data(scale);
        if (training) {
            p.in = x->numel > 0 ? rt_data(x) : NULL;
            rt_run_loop(moments, channels, values * 2, &p);
            /* Sums of squares, then variances, are rounded as PyTorch keeps them; those of float16, whose range they leave, are not. */
            int kept = stats == RT_FLOAT16 ? RT_FLOAT32 : stats;
            for (int64_t i = 0; i < channels; i++)
                set(scale, i, held_as(kept, get(scale, i)));
            if (update(args[3], rm, mean, momentum, 1) < 0 || update(args[4], rv, scale, momentum, 1 / (double)(values - 1)) < 0) {
                Py_CLEAR(out);
                goto done;
            }
            for (int64_t i = 0; i < channels; i++)
                set(scale, i, held_as(kept, get(scale, i) / (double)values));
        }
        for (int64_t i = 0; i < channels; i++) {
            double m = training ? held_as(stats, get(mean, i)) : get(rm, i);
            double invstd = 1 / sqrt((training ? get(scale, i) : get(rv, i)) + eps);
            if (training)
                invstd = held_as(stats, invstd);
            double f = invstd * (w != NULL ? get(w, i) : 1);
            set(scale, i, invstd);
            set(factor, i, f);
            set(shift, i, (b != NULL ? get(b, i) : 0) - m * f);
        }
    }
    if (x->numel > 0) {
        p.in = rt_data(x);
        p.out = rt_data(RT_TENSOR(out));
        p.mean = rt_data(shift);
        p.scale = rt_data(factor);
        rt_run_loop(affine, p.items * channels, p.span, &p);
    }
    if (training) {
        saved_mean = rounded(mean, stats);
        saved_scale = rounded(scale, stats);
        mean = scale = NULL;
    } else {
        saved_mean = (PyObject *)rt_empty(1, &none, stats, RT_DEVICE_CPU, input->device_index);
        saved_scale = (PyObject *)rt_empty(1, &none, stats, RT_DEVICE_CPU, input->device_index);
    }
done:
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)w);
    Py_XDECREF((PyObject *)b);
    Py_XDECREF((PyObject *)rm);
    Py_XDECREF((PyObject *)rv);
    Py_XDECREF((PyObject *)mean);
    Py_XDECREF((PyObject *)scale);
    Py_XDECREF((PyObject *)shift);
    Py_XDECREF((PyObject *)factor);
    return three(out, saved_mean, saved_scale);
}
