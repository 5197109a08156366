/* Writing at indices along one dimension: scatter and its reductions, index_add, index_copy, index_fill_ and index_reduce.
 *
 * Indices are checked before anything is written: an error leaves the output as it was.
 */
#include "kernels/cpu/scatter.h"

#include "kernels/shared/reduce_rules.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

/* The output of a variant takes self's elements before the walk. */
static int begin(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    if (rt_check_cpu(self, "scatter") < 0)
        return -1;
    if (c->outs[0] != self)
        rt_copy_all(c->outs[0], self);
    return 0;
}

static int like_self(rt_call_frame *c, const RtTensor *index, const RtTensor *source)
{
    const RtTensor *self = RT_TENSOR(c->args[0]);
    if (c->variant != RT_FUNCTIONAL &&
        (rt_check_no_internal_overlap(c->outs[0]) < 0 || rt_check_no_overlap(c->outs[0], index) < 0 ||
         (source != NULL && rt_check_no_overlap(c->outs[0], source) < 0)))
        return -1;
    rt_set_spec(&c->specs[0], self->dtype, self, self->ndim, self->sizes);
    return 0;
}

/* ----------------------------------------------------------------------------------------------------------------------- scatter */

static int size_at(const RtTensor *t, int d, int64_t *size)
{
    *size = t->ndim ? t->sizes[d] : 1;
    return t->ndim ? t->ndim : 1;
}

static int raise_shapes(const RtTensor *index, const RtTensor *self, int64_t dim, const RtTensor *source)
{
    PyObject *a = rt_shape_text(index->ndim, index->sizes), *b = rt_shape_text(self->ndim, self->sizes);
    PyObject *s = source != NULL ? rt_shape_text(source->ndim, source->sizes) : Py_NewRef(Py_None);
    if (a != NULL && b != NULL && s != NULL) {
        if (source != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "Expected index %U to be no larger than self %U apart from dimension %lld and to be no larger in size than src %U", a,
                         b, (long long)dim, s);
        else
            PyErr_Format(PyExc_RuntimeError, "Expected index %U to be no larger than self %U apart from dimension %lld", a, b, (long long)dim);
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_XDECREF(s);
    return -1;
}

static int scatter_rule_of(rt_call_frame *c, const RtTensor *source)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->numel > 0 && index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_SetString(PyExc_RuntimeError, "scatter(): Expected dtype int32/int64 for index");
        return -1;
    }
    if (source != NULL && source->dtype != self->dtype) {
        PyErr_SetString(PyExc_RuntimeError, "scatter(): Expected self.dtype to be equal to src.dtype");
        return -1;
    }
    if (index->numel > 0) {
        int64_t n, limit;
        int ndim = size_at(index, 0, &n);
        if (size_at(self, 0, &n) != ndim) {
            PyErr_SetString(PyExc_RuntimeError, "Index tensor must have the same number of dimensions as self tensor");
            return -1;
        }
        if (source != NULL && size_at(source, 0, &n) != ndim) {
            PyErr_SetString(PyExc_RuntimeError, "Index tensor must have the same number of dimensions as src tensor");
            return -1;
        }
        for (int d = 0; d < ndim; d++) {
            size_at(index, d, &n);
            if (d != dim && (size_at(self, d, &limit), n > limit))
                return raise_shapes(index, self, dim, source);
            if (source != NULL && (size_at(source, d, &limit), n > limit))
                return raise_shapes(index, self, dim, source);
        }
    }
    return like_self(c, index, source);
}

static int scatter_run(rt_call_frame *c, RtTensor *source, PyObject *value, enum rt_reduction how, int include_self, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *out = c->outs[0];
    rt_walk_places p;
    int64_t dim;
    _Alignas(16) char number[16] = {0};
    if (rt_as_int64(c->args[1], &dim) < 0 || (source != NULL && rt_check_cpu(source, "scatter") < 0))
        return -1;
    if (value != NULL && index->numel > 0) {
        int packed = rt_pack_number(value, out->dtype, number);
        if (packed <= 0) {
            if (packed == 0)
                PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", name, rt_dtype_title(out->dtype));
            return -1;
        }
    }
    p.dim = (int)rt_wrap_dim_scalar(dim, self->ndim);
    RtTensor *checked = NULL;
    if (index->numel > 0) {
        checked = rt_checked_index(index, p.dim, self->ndim ? self->sizes[p.dim] : 1, PyExc_RuntimeError, RT_INDEX_OUT_OF_BOUNDS, 0);
        if (checked == NULL)
            return -1;
    }
    if (begin(c) < 0) {
        Py_XDECREF((PyObject *)checked);
        return -1;
    }
    if (checked == NULL)
        return 0;
    p.ndim = index->ndim ? index->ndim : 1;
    p.numel = index->numel;
    for (int d = 0; d < p.ndim; d++) {
        p.sizes[d] = index->ndim ? index->sizes[d] : 1;
        p.index[d] = index->ndim ? checked->strides[d] : 0;
    }
    int rc = 0;
    if (how == RT_REDUCE_NONE) {
        rt_set_walk_strides(&p, out, source);
        rt_walk(&p, rt_data(out), (const int64_t *)rt_data(checked), source ? rt_data(source) : number, rt_line_writing(rt_itemsize[out->dtype]));
    } else {
        rc = rt_reduce_by_walk(&p, out, (const int64_t *)rt_data(checked), source, number, how, include_self, name);
    }
    Py_DECREF((PyObject *)checked);
    return rc;
}

static int named_reduction(PyObject *text)
{
    static const char *const names[] = {NULL, "sum", "prod", "mean", "amax", "amin"};
    for (int i = RT_REDUCE_SUM; i <= RT_REDUCE_AMIN; i++)
        if (PyUnicode_CompareWithASCIIString(text, names[i]) == 0)
            return i;
    return -1;
}

/* The older names, of scatter's own `reduce` argument. */
static int older_reduction(PyObject *text)
{
    if (PyUnicode_CompareWithASCIIString(text, "add") == 0)
        return RT_REDUCE_SUM;
    if (PyUnicode_CompareWithASCIIString(text, "multiply") == 0)
        return RT_REDUCE_PROD;
    PyErr_SetString(PyExc_RuntimeError, "reduce argument must be either add or multiply.");
    return -1;
}

static int source_rule(rt_call_frame *c) { return scatter_rule_of(c, RT_TENSOR(c->args[3])); }
static int value_rule(rt_call_frame *c) { return scatter_rule_of(c, NULL); }
static int source_reduce_rule(rt_call_frame *c) { return source_rule(c) < 0 || older_reduction(c->args[4]) < 0 ? -1 : 0; }
static int value_reduce_rule(rt_call_frame *c) { return value_rule(c) < 0 || older_reduction(c->args[4]) < 0 ? -1 : 0; }
static int two_rule(rt_call_frame *c)
{
    if (source_rule(c) < 0)
        return -1;
    if (named_reduction(c->args[4]) < 0) {
        PyErr_Format(PyExc_RuntimeError, "reduce argument must be either sum, prod, mean, amax or amin, got %U", c->args[4]);
        return -1;
    }
    return 0;
}

static int scatter_src(rt_call_frame *c) { return scatter_run(c, RT_TENSOR(c->args[3]), NULL, RT_REDUCE_NONE, 1, "scatter"); }
static int scatter_value(rt_call_frame *c) { return scatter_run(c, NULL, c->args[3], RT_REDUCE_NONE, 1, "scatter"); }
static int scatter_src_reduce(rt_call_frame *c)
{
    return scatter_run(c, RT_TENSOR(c->args[3]), NULL, older_reduction(c->args[4]), 1, "scatter_reduce");
}
static int scatter_value_reduce(rt_call_frame *c)
{
    return scatter_run(c, NULL, c->args[3], older_reduction(c->args[4]), 1, "scatter_reduce");
}
static int scatter_add(rt_call_frame *c) { return scatter_run(c, RT_TENSOR(c->args[3]), NULL, RT_REDUCE_SUM, 1, "scatter_add"); }
static int scatter_reduce_two(rt_call_frame *c)
{
    return scatter_run(c, RT_TENSOR(c->args[3]), NULL, named_reduction(c->args[4]), rt_as_bool(c->args[5]), "scatter_reduce");
}

const rt_structured_def rt_k_scatter_src_out = {"scatter", source_rule, scatter_src, NULL, 1};
const rt_structured_def rt_k_scatter_value_out = {"scatter", value_rule, scatter_value, NULL, 1};
const rt_structured_def rt_k_scatter_reduce_out = {"scatter", source_reduce_rule, scatter_src_reduce, NULL, 1};
const rt_structured_def rt_k_scatter_value_reduce_out = {"scatter", value_reduce_rule, scatter_value_reduce, NULL, 1};
const rt_structured_def rt_k_scatter_add_out = {"scatter_add", source_rule, scatter_add, NULL, 1};
const rt_structured_def rt_k_scatter_reduce_two_out = {"scatter_reduce", two_rule, scatter_reduce_two, NULL, 1};

/* ----------------------------------------------------------------------------------------------------- a vector of indices along one */

/* The walk of a vector of indices: every element of the source, with the index of its coordinate along the dimension. */
static void along(rt_walk_places *p, RtTensor *out, int64_t dim, RtTensor *source, int64_t nindices)
{
    int ndim = out->ndim ? out->ndim : 1;
    p->ndim = ndim;
    p->dim = (int)dim;
    p->numel = 1;
    for (int d = 0; d < ndim; d++) {
        p->sizes[d] = d == dim ? nindices : out->ndim ? out->sizes[d] : 1;
        p->index[d] = d == dim;
        p->numel *= p->sizes[d];
    }
    rt_set_walk_strides(p, out, source);
}

static int raise_index_shape(const char *name, const RtTensor *index)
{
    PyObject *sizes = rt_shape_text(index->ndim, index->sizes);
    if (sizes != NULL)
        PyErr_Format(PyExc_IndexError, "%s_(): Index is supposed to be a vector, but got dim: %d with type: %s and size: %U", name,
                     (int)index->ndim, rt_dtype_title(index->dtype), sizes);
    Py_XDECREF(sizes);
    return -1;
}

/* Sizes apart from one dimension agree; a 0-d tensor counts as one of one dimension where `scalars_match`. */
static int same_slices(const RtTensor *a, const RtTensor *b, int64_t dim, int scalars_match)
{
    if (a->ndim == 0 || b->ndim == 0)
        return scalars_match ? a->ndim < 2 && b->ndim < 2 : a->ndim == b->ndim;
    if (a->ndim != b->ndim)
        return 0;
    for (int d = 0; d < a->ndim; d++)
        if (d != dim && a->sizes[d] != b->sizes[d])
            return 0;
    return 1;
}

static int vector_rule(rt_call_frame *c, const char *name)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *source = RT_TENSOR(c->args[3]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->ndim > 1)
        return raise_index_shape(name, index);
    if (index->dtype != RT_INT64 && index->dtype != RT_INT32) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Expected dtype int32/int64 for index but got: %s", name, rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "%s(): self (%s) and source (%s) must have the same scalar type", name, rt_dtype_title(self->dtype),
                     rt_dtype_title(source->dtype));
        return -1;
    }
    if (dim != 0 && dim >= source->ndim) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Indexing dim %lld is out of bounds of the source tensor with dim %d", name, (long long)dim,
                     (int)source->ndim);
        return -1;
    }
    int64_t length = source->ndim ? source->sizes[dim] : 1;
    if (source->ndim == 0 && index->numel != 1) {
        PyErr_SetString(PyExc_IndexError, "Dimension specified as 0 but tensor has no dimensions");
        return -1;
    }
    if (index->numel != length) {
        PyErr_Format(PyExc_RuntimeError, "%s(): Number of indices (%lld) should be equal to source.size(dim): (%lld), for dim: %lld", name,
                     (long long)index->numel, (long long)length, (long long)dim);
        return -1;
    }
    if (!same_slices(self, source, dim, 0)) {
        PyObject *a = rt_shape_text(self->ndim, self->sizes), *b = rt_shape_text(source->ndim, source->sizes);
        if (a != NULL && b != NULL)
            PyErr_Format(PyExc_RuntimeError, "source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                                             "self.shape = %U source.shape = %U", a, b);
        Py_XDECREF(a);
        Py_XDECREF(b);
        return -1;
    }
    return like_self(c, index, source);
}

static int vector_run(rt_call_frame *c, RtTensor *source, enum rt_reduction how, int include_self, PyObject *error, const char *out_of_range,
                      const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *out = c->outs[0];
    rt_walk_places p;
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || rt_check_cpu(source, name) < 0)
        return -1;
    dim = rt_wrap_dim_scalar(dim, self->ndim);
    along(&p, out, dim, source, index->numel);
    if (p.numel == 0 || (self->numel == 0 && self->ndim > 1 && how == RT_REDUCE_SUM)) /* nor are indices looked at */
        return begin(c);
    RtTensor *checked = rt_checked_index(index, dim, self->ndim ? self->sizes[dim] : 1, error, out_of_range, 0);
    if (checked == NULL || begin(c) < 0) {
        Py_XDECREF((PyObject *)checked);
        return -1;
    }
    int rc = 0;
    if (how == RT_REDUCE_NONE)
        rt_walk(&p, rt_data(out), (const int64_t *)rt_data(checked), rt_data(source), rt_line_writing(rt_itemsize[out->dtype]));
    else
        rc = rt_reduce_by_walk(&p, out, (const int64_t *)rt_data(checked), source, NULL, how, include_self, name);
    Py_DECREF((PyObject *)checked);
    return rc;
}

static int index_add_rule(rt_call_frame *c)
{
    if (vector_rule(c, "index_add") < 0)
        return -1;
    if (PyComplex_Check(c->args[4]) && !rt_is_complex(RT_TENSOR(c->args[0])->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "For non-complex input tensors, argument alpha must not be a complex number.");
        return -1;
    }
    return 0;
}

/* The source times alpha, which is of its dtype: integers take whole multiples. A new reference. */
static RtTensor *scaled(PyObject *source, PyObject *alpha)
{
    int dtype = RT_TENSOR(source)->dtype;
    PyObject *factor = rt_is_integral(dtype, 0) ? PyNumber_Long(alpha) : Py_NewRef(alpha);
    if (factor == NULL)
        return NULL;
    PyObject *one = PyLong_FromLong(1);
    int same = one == NULL ? -1 : PyObject_RichCompareBool(factor, one, Py_EQ);
    Py_XDECREF(one);
    RtTensor *result = same == 1 ? RT_TENSOR(Py_NewRef(source)) : NULL;
    if (same == 0) {
        PyObject *call[2] = {source, factor};
        PyObject *product = rt_call_below_views(RT_OP_aten_mul_Scalar, call, 2);
        result = product == NULL ? NULL : rt_cast(RT_TENSOR(product), dtype);
        Py_XDECREF(product);
    }
    Py_DECREF(factor);
    return result;
}

static int index_add(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]);
    RtTensor *source = scaled(c->args[3], c->args[4]);
    if (source == NULL)
        return -1;
    int by_scatter = self->ndim > 1 && (PyObject *)source == c->args[3]; /* PyTorch's errors differ */
    int rc = vector_run(c, source, RT_REDUCE_SUM, 1, by_scatter ? PyExc_RuntimeError : PyExc_IndexError,
                        by_scatter ? RT_INDEX_OUT_OF_BOUNDS : "index out of range in self", "index_add");
    Py_DECREF((PyObject *)source);
    return rc;
}
const rt_structured_def rt_k_index_add_out = {"index_add", index_add_rule, index_add, NULL, 1};

static int index_reduce_rule(rt_call_frame *c)
{
    int how = named_reduction(c->args[4]);
    if (how < 0 || how == RT_REDUCE_SUM) {
        PyErr_Format(PyExc_RuntimeError, "index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got %U.", c->args[4]);
        return -1;
    }
    return vector_rule(c, "index_reduce");
}
static int index_reduce(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    if (rt_is_complex(dtype) || dtype == RT_BOOL) {
        PyErr_Format(PyExc_NotImplementedError, "\"index_func_\" not implemented for '%s'", rt_dtype_title(dtype));
        return -1;
    }
    return vector_run(c, RT_TENSOR(c->args[3]), named_reduction(c->args[4]), rt_as_bool(c->args[5]), PyExc_IndexError,
                      "index out of range in self", "index_reduce");
}
const rt_structured_def rt_k_index_reduce_out = {"index_reduce", index_reduce_rule, index_reduce, NULL, 1};

static int index_copy_rule(rt_call_frame *c)
{
    const RtTensor *self = RT_TENSOR(c->args[0]), *index = RT_TENSOR(c->args[2]), *source = RT_TENSOR(c->args[3]);
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return -1;
    if (index->ndim > 1) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): Index should have dimension 1 or 0 (got %d)", (int)index->ndim);
        return -1;
    }
    if (source->ndim == 0 && index->numel != 1) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): When source is scalar, index should have one element (got %lld)",
                     (long long)index->numel);
        return -1;
    }
    if (source->ndim != self->ndim && source->ndim != 0 && self->ndim != 0) {
        PyErr_Format(PyExc_IndexError,
                     "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source dimensionality (%d), "
                     "destination dimensionality (%d)",
                     (int)source->ndim, (int)self->ndim);
        return -1;
    }
    if (index->dtype != RT_INT64) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): Expected a long tensor for index, but got %s", rt_dtype_title(index->dtype));
        return -1;
    }
    if (self->dtype != source->dtype) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): self and source expected to have the same dtype, but got (self) %s and (source) %s",
                     rt_dtype_title(self->dtype), rt_dtype_title(source->dtype));
        return -1;
    }
    if (!same_slices(self, source, dim, 1)) {
        PyErr_Format(PyExc_RuntimeError, "index_copy_(): Source/destination tensor must have same slice shapes along dimension %lld",
                     (long long)dim);
        return -1;
    }
    if (source->ndim != 0 && index->numel != source->sizes[dim]) {
        PyErr_Format(PyExc_IndexError, "index_copy_(): Number of indices (%lld) should be equal to source.size(dim) (%lld)",
                     (long long)index->numel, (long long)source->sizes[dim]);
        return -1;
    }
    return like_self(c, index, source);
}
static int index_copy(rt_call_frame *c)
{
    return vector_run(c, RT_TENSOR(c->args[3]), RT_REDUCE_NONE, 1, PyExc_IndexError, "index_copy_(): " RT_INDEX_OUT_OF_BOUNDS, "index_copy_");
}
const rt_structured_def rt_k_index_copy_out = {"index_copy", index_copy_rule, index_copy, NULL, 1};

RT_KERNEL(index_fill__int_Scalar)
{
    RtTensor *self = RT_TENSOR(args[0]), *index = RT_TENSOR(args[2]);
    _Alignas(16) char number[16];
    rt_walk_places p;
    int64_t dim;
    if (index->dtype != RT_INT64) {
        PyErr_SetString(PyExc_IndexError, "index_fill_(): Expected dtype int64 for index.");
        return NULL;
    }
    if (rt_check_no_overlap(self, index) < 0)
        return NULL;
    if (PyComplex_Check(args[3]) && !rt_is_complex(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "index_fill_(): Converting complex Scalar to non-complex type is not supported");
        return NULL;
    }
    if (rt_as_int64(args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return NULL;
    if (index->ndim > 1) {
        PyErr_SetString(PyExc_RuntimeError, "Index has to be a vector/scalar");
        return NULL;
    }
    if (self->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    int packed = rt_pack_number(args[3], self->dtype, number);
    if (packed <= 0) {
        if (packed == 0)
            PyErr_Format(PyExc_NotImplementedError, "\"index_fill_cpu\" not implemented for '%s'", rt_dtype_title(self->dtype));
        return NULL;
    }
    if (rt_check_cpu(self, "index_fill_") < 0 || rt_check_no_internal_overlap(self) < 0)
        return NULL;
    along(&p, self, dim, NULL, index->numel);
    if (p.numel == 0)
        return Py_NewRef(args[0]);
    RtTensor *checked = rt_checked_index(index, dim, self->ndim ? self->sizes[dim] : 1, PyExc_IndexError, RT_INDEX_OUT_OF_BOUNDS, 1);
    if (checked == NULL)
        return NULL;
    rt_walk(&p, rt_data(self), (const int64_t *)rt_data(checked), number, rt_line_writing(rt_itemsize[self->dtype]));
    Py_DECREF((PyObject *)checked);
    return Py_NewRef(args[0]);
}

RT_KERNEL(index_fill__int_Tensor)
{
    if (RT_TENSOR(args[3])->ndim != 0) {
        PyErr_Format(PyExc_RuntimeError, "Only supports 0-dimensional value tensor, but got tensor with %d dimension(s).",
                     (int)RT_TENSOR(args[3])->ndim);
        return NULL;
    }
    if (RT_TENSOR(args[0])->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    PyObject *number = rt_call_below_views(RT_OP_aten__local_scalar_dense, args + 3, 1);
    if (number == NULL)
        return NULL;
    PyObject *call[4] = {args[0], args[1], args[2], number};
    PyObject *result = rt_k_index_fill__int_Scalar(op, ks, call, 4, ctx);
    Py_DECREF(number);
    return result;
}
