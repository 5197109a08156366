/* The negative log-likelihood of the target's class, for one sample, a batch, and a batch of images; and its gradient.
 *
 * Half types are read as float, sums are in double, and a result is rounded once.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/reduce_rules.h"

#include <string.h>

enum { REDUCE_NONE, REDUCE_MEAN };

static PyObject *fail(PyObject *error, const char *format, const RtTensor *a, const RtTensor *b, long long n)
{
    PyObject *left = rt_shape_text(a->ndim, a->sizes), *right = rt_shape_text(b->ndim, b->sizes);
    if (left != NULL && right != NULL)
        PyErr_Format(error, format, left, right, n);
    Py_XDECREF(left);
    Py_XDECREF(right);
    return NULL;
}

static int check_sample_or_batch(const RtTensor *x, const RtTensor *t, const RtTensor *w)
{
    if (x->ndim < 1 || x->ndim > 2)
        PyErr_SetString(PyExc_RuntimeError, "input tensor should be 1D or 2D");
    else if (t->ndim > 1)
        PyErr_SetString(PyExc_RuntimeError, "0D or 1D target tensor expected, multi-target not supported");
    else if (x->ndim == 1 && t->ndim == 1 && t->sizes[0] != 1)
        PyErr_Format(PyExc_ValueError, "For 1D input, 1D target must have size 1, but got target size: %lld", (long long)t->sizes[0]);
    else if (x->ndim == 2 && (t->ndim != 1 || t->sizes[0] != x->sizes[0]))
        fail(PyExc_RuntimeError, "size mismatch (got input: %U, target: %U)", x, t, 0);
    else if (w != NULL && (w->ndim != 1 || w->sizes[0] != x->sizes[x->ndim - 1])) {
        PyObject *shape = rt_shape_text(w->ndim, w->sizes);
        long long n = x->sizes[x->ndim - 1];
        if (shape != NULL)
            PyErr_Format(PyExc_RuntimeError, "weight tensor should be defined either for all %lld classes or no classes but got weight tensor "
                                             "of shape: %U", n, shape);
        Py_XDECREF(shape);
    } else
        return 0;
    return -1;
}

static int check_images(const RtTensor *x, const RtTensor *t, const RtTensor *w)
{
    if (t->ndim != 3)
        PyErr_Format(PyExc_RuntimeError, "only batches of spatial targets supported (3D tensors) but got targets of dimension: %d", t->ndim);
    else if (x->ndim != 4)
        PyErr_Format(PyExc_RuntimeError, "only batches of spatial inputs supported (4D tensors), but got input of dimension: %d", x->ndim);
    else if (w != NULL && w->numel != x->sizes[1])
        PyErr_SetString(PyExc_RuntimeError, "weight tensor should be defined either for all or no classes");
    else if (x->sizes[0] != t->sizes[0] || x->sizes[2] != t->sizes[1] || x->sizes[3] != t->sizes[2])
        fail(PyExc_RuntimeError, "size mismatch (got input: %U , target: %U", x, t, 0);
    else
        return 0;
    return -1;
}

static int check_dtypes(const RtTensor *x, const RtTensor *t, const RtTensor *w, const char *kernel)
{
    if (t->dtype != RT_INT64 && t->dtype != RT_UINT8)
        PyErr_Format(PyExc_RuntimeError, "expected target dtype to be Long or Byte, but got %s", rt_dtype_title(t->dtype));
    else if (x->dtype != RT_FLOAT32 && x->dtype != RT_FLOAT64 && x->dtype != RT_FLOAT16 && x->dtype != RT_BFLOAT16)
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(x->dtype));
    else if (w != NULL && w->dtype != x->dtype)
        PyErr_Format(PyExc_RuntimeError, "expected scalar type %s but found %s", rt_dtype_title(x->dtype), rt_dtype_title(w->dtype));
    else
        return 0;
    return -1;
}

static inline double value_at(const RtTensor *t, int64_t i)
{
    return t->dtype == RT_FLOAT32 ? ((const float *)rt_data((RtTensor *)t))[i] : ((const double *)rt_data((RtTensor *)t))[i];
}

static inline void set_value(RtTensor *t, int64_t i, double value)
{
    if (t->dtype == RT_FLOAT32)
        ((float *)rt_data(t))[i] = (float)value;
    else
        ((double *)rt_data(t))[i] = value;
}

/* What lies where: x as (samples / inner, classes, inner), and a class for each sample in t. */
typedef struct layout {
    int64_t samples, classes, inner;
} layout;

static layout layout_of(const RtTensor *x, int images)
{
    int64_t inner = images ? x->sizes[2] * x->sizes[3] : 1;
    return (layout){(x->ndim == 1 ? 1 : x->sizes[0]) * inner, x->sizes[x->ndim == 1 ? 0 : 1], inner};
}

static inline int64_t place_of(const layout *l, int64_t sample, int64_t class)
{
    return (sample / l->inner * l->classes + class) * l->inner + sample % l->inner;
}

/* The class of a sample: 1, 0 where it does not count, or -1 where there is no such class. */
static inline int read_class(const RtTensor *t, int64_t sample, const layout *l, int64_t ignored, int64_t *class)
{
    *class = t->dtype == RT_INT64 ? ((const int64_t *)rt_data((RtTensor *)t))[sample] : ((const uint8_t *)rt_data((RtTensor *)t))[sample];
    if (*class == ignored)
        return 0;
    if (*class >= 0 && *class < l->classes)
        return 1;
    PyErr_Format(PyExc_IndexError, "Target %lld is out of bounds.", (long long)*class);
    return -1;
}

/* x is contiguous; `each` gets the losses where it is not NULL. -1: a target names no class. */
static int sum_losses(const RtTensor *x, const RtTensor *t, const RtTensor *w, const layout *l, int64_t ignored, RtTensor *each, double *sum,
                      double *total)
{
    *sum = *total = 0;
    for (int64_t i = 0; i < l->samples; i++) {
        int64_t class;
        double loss = 0;
        int counts = read_class(t, i, l, ignored, &class);
        if (counts < 0)
            return -1;
        if (counts) {
            double weight = w == NULL ? 1 : value_at(w, class);
            loss = -value_at(x, place_of(l, i, class)) * weight;
            *sum += loss;
            *total += weight;
        }
        if (each != NULL)
            set_value(each, i, loss);
    }
    return 0;
}

static PyObject *forward(PyObject *const *args, int images)
{
    RtTensor *self = RT_TENSOR(args[0]), *target = RT_TENSOR(args[1]), *weight = args[2] == Py_None ? NULL : RT_TENSOR(args[2]);
    int64_t reduction, ignored;
    if ((images ? check_images : check_sample_or_batch)(self, target, weight) < 0 ||
        check_dtypes(self, target, weight, images ? "nll_loss2d_forward_out_frame" : "nll_loss_out_frame") < 0)
        return NULL;
    if (rt_as_int64(args[3], &reduction) < 0 || rt_as_int64(args[4], &ignored) < 0)
        return NULL;
    int dtype = self->dtype, wide = dtype == RT_FLOAT64 ? RT_FLOAT64 : RT_FLOAT32, none = reduction == REDUCE_NONE;
    int device = self->device_type, index = self->device_index;
    PyObject *loss = rt_new_tensor(none ? target->ndim : 0, target->sizes, wide, device, index);
    PyObject *total = rt_new_tensor(0, NULL, wide, device, index), *result = NULL;
    RtTensor *x = NULL, *t = NULL, *w = NULL;
    if (loss == NULL || total == NULL)
        goto done;
    if (device != RT_DEVICE_META) {
        if (rt_check_cpu(self, "nll_loss") < 0 || rt_check_cpu(target, "nll_loss") < 0 || (weight != NULL && rt_check_cpu(weight, "nll_loss") < 0))
            goto done;
        x = rt_contiguous(self, wide);
        t = rt_contiguous(target, target->dtype);
        w = weight == NULL ? NULL : rt_contiguous(weight, wide);
        if (x == NULL || t == NULL || (weight != NULL && w == NULL))
            goto done;
        layout l = layout_of(x, images);
        double sum, weights;
        if (sum_losses(x, t, w, &l, ignored, none ? RT_TENSOR(loss) : NULL, &sum, &weights) < 0)
            goto done;
        if (!none)
            set_value(RT_TENSOR(loss), 0, reduction == REDUCE_MEAN ? sum / weights : sum);
        /* Without a reduction nothing is divided; a single sample still says its weight. */
        set_value(RT_TENSOR(total), 0, none && x->ndim != 1 ? 0 : weights);
    }
    if (wide != dtype) {
        PyObject *parts[2] = {loss, total};
        loss = (PyObject *)rt_cast(RT_TENSOR(parts[0]), dtype);
        total = (PyObject *)rt_cast(RT_TENSOR(parts[1]), dtype);
        Py_DECREF(parts[0]);
        Py_DECREF(parts[1]);
        if (loss == NULL || total == NULL)
            goto done;
    }
    result = PyTuple_Pack(2, loss, total);
done:
    Py_XDECREF((PyObject *)x);
    Py_XDECREF((PyObject *)t);
    Py_XDECREF((PyObject *)w);
    Py_XDECREF(loss);
    Py_XDECREF(total);
    return result;
}

RT_KERNEL(nll_loss_forward)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return forward(args, 0);
}

RT_KERNEL(nll_loss2d_forward)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return forward(args, 1);
}

/* ----------------------------------------------------------------------------------------------------------------------- gradients */

static int check_gradient(const RtTensor *g, const RtTensor *x, const RtTensor *t, const RtTensor *total, int64_t reduction, int images)
{
    if (total->numel != 1) {
        PyObject *shape = rt_shape_text(total->ndim, total->sizes);
        if (shape != NULL)
            PyErr_Format(PyExc_RuntimeError, "expected total_weight to be a%s single element tensor, got: %U (%lld elements)", images ? "" : " ",
                         shape, (long long)total->numel);
        Py_XDECREF(shape);
    } else if (images && reduction == REDUCE_NONE) {
        if (g->ndim == t->ndim && memcmp(g->sizes, t->sizes, t->ndim * sizeof *t->sizes) == 0)
            return 0;
        fail(PyExc_RuntimeError, "size mismatch (got grad_output: %U, target: %U)", g, t, 0);
    } else if (!images && reduction == REDUCE_NONE && x->ndim == 2) {
        if (g->ndim == 1 && g->sizes[0] == x->sizes[0])
            return 0;
        PyErr_Format(PyExc_RuntimeError, "Expected a tensor of dimension 1 and tensor.size[0] == %lld but got: dimension %d and tensor.size[0] = %lld",
                     (long long)x->sizes[0], g->ndim, (long long)(g->ndim ? g->sizes[0] : 1));
    } else if ((!images && g->ndim > 1) || g->numel != 1)
        fail(PyExc_RuntimeError, images ? "Expected a single element grad_output tensor, got: %U" : "Expected a single element grad_output tensor, but got: %U",
             g, g, 0);
    else
        return 0;
    return -1;
}

/* The gradient of sample i's loss with respect to what its class has; each step is rounded as the dtype's arithmetic is. */
static double gradient_of_sample(const RtTensor *g, int64_t i, double weight, const RtTensor *total)
{
    double incoming = value_at(g, i);
    if (g->dtype == RT_FLOAT32) {
        float value = (float)incoming;
        if (total != NULL)
            value /= (float)value_at(total, 0);
        return -(float)weight * value;
    }
    return -weight * (total == NULL ? incoming : incoming / value_at(total, 0));
}

static int set_gradients(RtTensor *made, const RtTensor *g, const RtTensor *t, const RtTensor *w, const RtTensor *total, const layout *l,
                         int64_t ignored, int each)
{
    memset(rt_data(made), 0, made->numel * rt_itemsize[made->dtype]);
    for (int64_t i = 0; i < l->samples; i++) {
        int64_t class;
        int counts = read_class(t, i, l, ignored, &class);
        if (counts < 0)
            return -1;
        if (counts)
            set_value(made, place_of(l, i, class), gradient_of_sample(g, each ? i : 0, w == NULL ? 1 : value_at(w, class), total));
    }
    return 0;
}

static PyObject *backward(PyObject *const *args, int images)
{
    RtTensor *grad = RT_TENSOR(args[0]), *self = RT_TENSOR(args[1]), *target = RT_TENSOR(args[2]), *total = RT_TENSOR(args[6]);
    RtTensor *weight = args[3] == Py_None ? NULL : RT_TENSOR(args[3]), *parts[] = {grad, target, weight, total};
    int64_t reduction, ignored;
    if ((images ? check_images : check_sample_or_batch)(self, target, weight) < 0 || rt_as_int64(args[4], &reduction) < 0 ||
        rt_as_int64(args[5], &ignored) < 0 || check_gradient(grad, self, target, total, reduction, images) < 0 ||
        check_dtypes(self, target, weight, images ? "nll_loss2d_backward_out_frame" : "nll_loss_backward_out_frame") < 0)
        return NULL;
    int dtype = self->dtype, wide = dtype == RT_FLOAT64 ? RT_FLOAT64 : RT_FLOAT32;
    PyObject *made = rt_new_tensor(self->ndim, self->sizes, wide, self->device_type, self->device_index), *result = NULL;
    if (made == NULL)
        return NULL;
    if (self->device_type != RT_DEVICE_META) {
        for (int i = 0; i < 4; i++)
            if (parts[i] != NULL && rt_check_cpu(parts[i], "nll_loss_backward") < 0) {
                Py_DECREF(made);
                return NULL;
            }
        int mean = reduction == REDUCE_MEAN;
        RtTensor *g = rt_contiguous(grad, wide), *t = rt_contiguous(target, target->dtype);
        RtTensor *w = weight == NULL ? NULL : rt_contiguous(weight, wide), *sum = mean ? rt_contiguous(total, wide) : NULL;
        layout l = layout_of(self, images);
        if (g == NULL || t == NULL || (weight != NULL && w == NULL) || (mean && sum == NULL) ||
            set_gradients(RT_TENSOR(made), g, t, w, sum, &l, ignored, reduction == REDUCE_NONE) < 0)
            Py_CLEAR(made);
        Py_XDECREF((PyObject *)g);
        Py_XDECREF((PyObject *)t);
        Py_XDECREF((PyObject *)w);
        Py_XDECREF((PyObject *)sum);
    }
    if (made == NULL || wide == dtype)
        return made;
    result = (PyObject *)rt_cast(RT_TENSOR(made), dtype);
    Py_DECREF(made);
    return result;
}

RT_KERNEL(nll_loss_backward)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return backward(args, 0);
}

RT_KERNEL(nll_loss2d_backward)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return backward(args, 1);
}
