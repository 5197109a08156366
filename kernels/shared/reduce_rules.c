/* Shape-and-dtype rules of reductions: which dimensions go, what the result's dtype is, what is refused. */
#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/geometry.h"

int rt_reduce_dims(rt_call_frame *c, int empty_is_all, reduce_dims *dims)
{
    int ndim = RT_TENSOR(c->args[0])->ndim;
    uint64_t all = ndim < 64 ? (1ull << ndim) - 1 : ~0ull;
    PyObject *dim = c->nargs > 1 ? c->args[1] : Py_None;
    dims->keepdim = c->nargs > 2 && rt_as_bool(c->args[2]);
    if (dim == Py_None) {
        dims->mask = all;
    } else if (PyTuple_Check(dim)) {
        if (PyTuple_GET_SIZE(dim) == 0) {
            dims->mask = empty_is_all ? all : 0;
            return 0;
        }
        if (rt_dim_mask(dim, ndim, &dims->mask) < 0)
            return -1;
    } else {
        int64_t d;
        if (rt_as_int64(dim, &d) < 0)
            return -1;
        d = rt_wrap_dim_scalar(d, ndim);
        if (d < 0)
            return -1;
        dims->mask = 1ull << d;
    }
    dims->mask &= all; /* a 0-d tensor takes dim 0 and has none */
    return 0;
}

void rt_reduced_sizes(const RtTensor *self, const reduce_dims *dims, rt_out_spec *spec)
{
    spec->device_type = self->device_type;
    spec->device_index = self->device_index;
    spec->has_strides = 0;
    spec->ndim = 0;
    for (int d = 0; d < self->ndim; d++) {
        if (!(dims->mask >> d & 1))
            spec->sizes[spec->ndim++] = self->sizes[d];
        else if (dims->keepdim)
            spec->sizes[spec->ndim++] = 1;
    }
}

int rt_check_not_empty(const RtTensor *self, uint64_t mask, const char *name)
{
    if (self->numel > 0)
        return 0;
    for (int d = 0; d < self->ndim; d++) {
        if ((mask >> d & 1) && self->sizes[d] == 0) {
            PyErr_Format(PyExc_IndexError, "%s(): Expected reduction dim %d to have non-zero size.", name, d);
            return -1;
        }
    }
    return 0;
}

/* The dtype argument stands last; without it the given output decides, then the input (integers become int64). */
static int arithmetic_dtype(rt_call_frame *c, int promote_integers)
{
    const RtTensor *self = RT_TENSOR(c->args[0]);
    PyObject *dtype = c->args[c->nargs - 1];
    if (dtype != Py_None)
        return ((RtDtype *)dtype)->code;
    if (c->outs[0] != NULL)
        return c->outs[0]->dtype;
    return promote_integers && rt_is_integral(self->dtype, 1) ? RT_INT64 : self->dtype;
}

int rt_rule_sum(rt_call_frame *c)
{
    reduce_dims dims;
    if (rt_reduce_dims(c, 1, &dims) < 0)
        return -1;
    rt_reduced_sizes(RT_TENSOR(c->args[0]), &dims, &c->specs[0]);
    c->specs[0].dtype = arithmetic_dtype(c, 1);
    return 0;
}

int rt_rule_prod(rt_call_frame *c)
{
    return rt_rule_sum(c);
}

int rt_check_mean_dtype(const RtTensor *self, PyObject *dtype)
{
    int code = rt_as_dtype(dtype, self->dtype);
    if (rt_is_floating(code) || rt_is_complex(code))
        return 0;
    if (dtype == Py_None)
        PyErr_Format(PyExc_RuntimeError,
                     "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: %s",
                     rt_dtype_title(code));
    else
        PyErr_Format(PyExc_RuntimeError,
                     "mean(): could not infer output dtype. Optional dtype must be either a floating point or complex dtype. Got: %s",
                     rt_dtype_title(code));
    return -1;
}

int rt_rule_mean(rt_call_frame *c)
{
    reduce_dims dims;
    if (rt_check_mean_dtype(RT_TENSOR(c->args[0]), c->args[c->nargs - 1]) < 0 || rt_reduce_dims(c, 1, &dims) < 0)
        return -1;
    rt_reduced_sizes(RT_TENSOR(c->args[0]), &dims, &c->specs[0]);
    c->specs[0].dtype = arithmetic_dtype(c, 0);
    const RtTensor *out = c->outs[0];
    if (out != NULL && !rt_is_floating(out->dtype) && !rt_is_complex(out->dtype)) {
        PyErr_Format(PyExc_RuntimeError, "result type %s can't be cast to the desired output type %s",
                     rt_dtype_title(rt_as_dtype(c->args[c->nargs - 1], RT_TENSOR(c->args[0])->dtype)), rt_dtype_title(out->dtype));
        return -1;
    }
    return 0;
}

static int extreme_rule(rt_call_frame *c, const char *name, const char *kernel)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    reduce_dims dims;
    if (c->outs[0] != NULL && c->outs[0]->dtype != self->dtype) {
        PyErr_Format(PyExc_RuntimeError,
                     "Expected the dtype for input and out to match, but got %s for input's dtype and %s for out's dtype.",
                     rt_dtype_title(self->dtype), rt_dtype_title(c->outs[0]->dtype));
        return -1;
    }
    if (rt_reduce_dims(c, 1, &dims) < 0)
        return -1;
    if (self->numel == 0) {
        if (PyTuple_Check(c->args[1]) && PyTuple_GET_SIZE(c->args[1]) == 0) {
            PyErr_Format(PyExc_RuntimeError,
                         "%s(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' "
                         "argument.",
                         name);
            return -1;
        }
        if (rt_check_not_empty(self, dims.mask, name) < 0)
            return -1;
    }
    if (rt_is_complex(self->dtype)) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(self->dtype));
        return -1;
    }
    rt_reduced_sizes(self, &dims, &c->specs[0]);
    c->specs[0].dtype = self->dtype;
    return 0;
}

int rt_rule_amax(rt_call_frame *c)
{
    return extreme_rule(c, "amax", "max_values_cpu");
}

int rt_rule_amin(rt_call_frame *c)
{
    return extreme_rule(c, "amin", "min_values_cpu");
}

static int truth_rule(rt_call_frame *c, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    reduce_dims dims;
    if (c->outs[0] != NULL && c->outs[0]->dtype != RT_BOOL && c->outs[0]->dtype != RT_UINT8) {
        PyErr_Format(PyExc_RuntimeError, "%s only supports bool tensor for result, got: %s", name, rt_dtype_title(c->outs[0]->dtype));
        return -1;
    }
    /* An empty tuple reduces nothing here. */
    if (rt_reduce_dims(c, 0, &dims) < 0)
        return -1;
    rt_reduced_sizes(self, &dims, &c->specs[0]);
    /* uint8, the mask type of old, answers in itself; a given output keeps its dtype. */
    c->specs[0].dtype = c->outs[0] != NULL ? c->outs[0]->dtype : self->dtype == RT_UINT8 ? RT_UINT8 : RT_BOOL;
    return 0;
}

int rt_rule_any(rt_call_frame *c)
{
    return truth_rule(c, "any");
}

int rt_rule_all(rt_call_frame *c)
{
    return truth_rule(c, "all");
}
