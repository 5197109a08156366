/* View operators: another geometry over the same storage.
 *
 * They look at no element, so one kernel serves every backend with strided memory, Meta included. Each computes sizes, strides and
 * offset and makes the alias; that a view remembers its base is the business of the kernel above (ADInplaceOrView). The in-place
 * forms write the new geometry into their argument.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/lazy_bits.h"

#define SELF RtTensor *self = RT_TENSOR(args[0])

typedef struct geometry {
    int ndim;
    int64_t sizes[RT_MAX_DIM];
    int64_t strides[RT_MAX_DIM];
    int64_t offset;
} geometry;

static inline PyObject *alias(RtTensor *t, const geometry *g)
{
    return (PyObject *)rt_alias(t, g->ndim, g->sizes, g->strides, g->offset);
}

static inline void copy_geometry(const RtTensor *t, geometry *g)
{
    g->ndim = t->ndim;
    g->offset = t->offset;
    for (int d = 0; d < t->ndim; d++) {
        g->sizes[d] = t->sizes[d];
        g->strides[d] = t->strides[d];
    }
}

static int may_change_metadata(const RtTensor *t, const char *what)
{
    if (RT_LIKELY(!(t->flags & RT_T_NO_METADATA_CHANGE)))
        return 0;
    PyErr_Format(PyExc_RuntimeError,
                 "%s is not allowed on a Tensor created from .data or .detach().\n"
                 "If your intent is to change the metadata of a Tensor (such as sizes / strides / storage / storage_offset)\n"
                 "without autograd tracking the change, remove the .data / .detach() call and wrap the change in a `with torch.no_grad():` block.\n"
                 "For example, change:\n    x.data.set_(y)\nto:\n    with torch.no_grad():\n        x.set_(y)",
                 what);
    return -1;
}

static PyObject *set_in_place(RtTensor *t, const geometry *g)
{
    if (RT_UNLIKELY(t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse))) {
        PyErr_SetString(PyExc_NotImplementedError, "a tensor of layout torch.sparse_coo has no strides that could be changed in place");
        return NULL;
    }
    if (may_change_metadata(t, "set_sizes_and_strides") < 0 || rt_set_geometry(t, g->ndim, g->sizes, g->strides, g->offset) < 0)
        return NULL;
    return Py_NewRef((PyObject *)t);
}

static PyObject *fail_shape(const char *format, int64_t n, const int64_t *values, int64_t number)
{
    PyObject *text = rt_shape_text(n, values);
    if (text != NULL) {
        PyErr_Format(PyExc_RuntimeError, format, text, (long long)number);
        Py_DECREF(text);
    }
    return NULL;
}

/* -------------------------------------------------------------------------------------------------------- view and its relatives */

int rt_infer_size(int ndim, int64_t *sizes, int64_t numel)
{
    int infer = -1;
    int64_t product = 1, given[RT_MAX_DIM];
    int overflow = 0;
    for (int d = 0; d < ndim; d++) {
        given[d] = sizes[d];
        if (sizes[d] == -1) {
            if (infer >= 0) {
                PyErr_SetString(PyExc_RuntimeError, "only one dimension can be inferred");
                return -1;
            }
            infer = d;
        } else if (sizes[d] < 0) {
            PyObject *text = rt_shape_text(ndim, sizes);
            if (text != NULL)
                PyErr_Format(PyExc_RuntimeError, "invalid shape dimension %lld at index %d of shape %U", (long long)sizes[d], d, text);
            Py_XDECREF(text);
            return -1;
        } else {
            overflow |= __builtin_mul_overflow(product, sizes[d], &product);
        }
    }
    if (!overflow) {
        if (infer < 0 && product == numel)
            return 0;
        if (infer >= 0 && product > 0 && numel % product == 0) {
            sizes[infer] = numel / product;
            return 0;
        }
        if (infer >= 0 && product == 0 && numel == 0) {
            fail_shape("cannot reshape tensor of 0 elements into shape %U because the unspecified dimension size -1 can be any value "
                       "and is ambiguous",
                       ndim, given, 0);
            return -1;
        }
    }
    fail_shape("shape '%U' is invalid for input of size %lld", ndim, given, numel);
    return -1;
}

int rt_view_strides(int ndim, const int64_t *sizes, const int64_t *strides, int64_t numel, int new_ndim, const int64_t *new_sizes,
                    int64_t *new_strides)
{
    if (numel == 0) {
        if (new_ndim == ndim && memcmp(sizes, new_sizes, ndim * sizeof(int64_t)) == 0)
            memcpy(new_strides, strides, ndim * sizeof(int64_t));
        else
            rt_contiguous_strides(new_ndim, new_sizes, new_strides);
        return 1;
    }
    if (ndim == 0) {
        for (int d = 0; d < new_ndim; d++)
            new_strides[d] = 1;
        return 1;
    }
    /* Walk from the last dimension: each maximal run of old dimensions that lie in memory as one must be tiled exactly by new ones. */
    int new_d = new_ndim - 1;
    int64_t step = strides[ndim - 1], run = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        run *= sizes[d];
        if (d > 0 && (sizes[d - 1] == 1 || strides[d - 1] == run * step))
            continue;
        int64_t tiled = 1;
        while (new_d >= 0 && (tiled < run || new_sizes[new_d] == 1)) {
            new_strides[new_d] = tiled * step;
            tiled *= new_sizes[new_d];
            new_d--;
        }
        if (tiled != run)
            return 0;
        if (d > 0) {
            step = strides[d - 1];
            run = 1;
        }
    }
    return new_d == -1;
}

/* A view of a contiguous tensor whose sizes are all given and right: NULL without an exception where it is anything else. */
static PyObject *plain_view(RtTensor *self, PyObject *size)
{
    int64_t sizes[RT_INLINE_DIM], strides[RT_INLINE_DIM], numel = 1;
    Py_ssize_t ndim = PyTuple_GET_SIZE(size);
    if (!(self->flags & RT_T_CONTIGUOUS) || ndim > 3)
        return NULL;
    for (Py_ssize_t d = ndim - 1; d >= 0; d--) {
        PyObject *item = PyTuple_GET_ITEM(size, d);
        if (!PyLong_CheckExact(item))
            return NULL;
        int overflow;
        sizes[d] = PyLong_AsLongAndOverflow(item, &overflow);
        if (sizes[d] <= 0 || sizes[d] > self->numel)
            return NULL;
        strides[d] = numel;
        numel *= sizes[d];
        if (numel > self->numel)
            return NULL;
    }
    return numel == self->numel ? (PyObject *)rt_alias(self, (int)ndim, sizes, strides, self->offset) : NULL;
}

static PyObject *view_sizes(RtTensor *self, PyObject *size)
{
    PyObject *plain = plain_view(self, size);
    if (RT_LIKELY(plain != NULL) || PyErr_Occurred())
        return plain;
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    int ndim = rt_as_int64_array(size, sizes, RT_MAX_DIM);
    if (ndim < 0 || rt_infer_size(ndim, sizes, self->numel) < 0)
        return NULL;
    if (!rt_view_strides(self->ndim, self->sizes, self->strides, self->numel, ndim, sizes, strides)) {
        PyErr_SetString(PyExc_RuntimeError,
                        "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
                        "contiguous subspaces). Use .reshape(...) instead.");
        return NULL;
    }
    return (PyObject *)rt_alias(self, ndim, sizes, strides, self->offset);
}

RT_KERNEL(view)
{
    return view_sizes(RT_TENSOR(args[0]), args[1]);
}

RT_KERNEL(_unsafe_view)
{
    return view_sizes(RT_TENSOR(args[0]), args[1]);
}

RT_KERNEL(_reshape_alias)
{
    SELF;
    geometry g;
    g.ndim = rt_as_int64_array(args[1], g.sizes, RT_MAX_DIM);
    if (g.ndim < 0 || rt_as_int64_array(args[2], g.strides, RT_MAX_DIM) != g.ndim)
        return PyErr_Occurred() ? NULL : fail_shape("mismatch in length of strides and shape", 0, NULL, 0);
    if (rt_check_geometry(self->storage, g.ndim, g.sizes, g.strides, self->offset, rt_itemsize[self->dtype]) < 0)
        return NULL;
    g.offset = self->offset;
    return alias(self, &g);
}

RT_KERNEL(alias)
{
    SELF;
    return (PyObject *)rt_alias(self, self->ndim, self->sizes, self->strides, self->offset);
}

RT_KERNEL(detach)
{
    SELF;
    return (PyObject *)rt_alias(self, self->ndim, self->sizes, self->strides, self->offset);
}

RT_KERNEL(detach_)
{
    return Py_NewRef(args[0]);
}

RT_KERNEL(lift_fresh)
{
    return Py_NewRef(args[0]);
}

RT_KERNEL(lift)
{
    return Py_NewRef(args[0]);
}

RT_KERNEL(view_dtype)
{
    SELF;
    int dtype = ((RtDtype *)args[1])->code;
    int64_t from = rt_itemsize[self->dtype], to = rt_itemsize[dtype];
    const char *from_name = rt_dtype_title(self->dtype), *to_name = rt_dtype_title(dtype);
    geometry g;
    if (self->dtype == dtype)
        return rt_k_alias(op, ks, args, 1, ctx);
    if (to == 0) {
        PyErr_Format(PyExc_RuntimeError, "view(): tensors of dtype %S are not supported", args[1]);
        return NULL;
    }
    if (self->keys & RT_LAZY_BITS) {
        PyErr_Format(PyExc_RuntimeError, "torch.Tensor.view is not supported for %s when converting to a different dtype.",
                     rt_is_conj(self) ? "conjugate view tensors" : "tensors with negative bit set");
        return NULL;
    }
    copy_geometry(self, &g);
    if (from != to) {
        if (self->ndim == 0) {
            PyErr_Format(PyExc_RuntimeError, "self.dim() cannot be 0 to view %s as %s (different element sizes)", from_name, to_name);
            return NULL;
        }
        int last = self->ndim - 1;
        int64_t last_stride = g.strides[last];
        if (from > to && last_stride == 1) {
            int64_t ratio = from / to;
            for (int d = 0; d < last; d++)
                g.strides[d] *= ratio;
            g.sizes[last] *= ratio;
            g.offset *= ratio;
        } else if (from < to) {
            int64_t ratio = to / from;
            if (g.sizes[last] % ratio) {
                PyErr_Format(PyExc_RuntimeError,
                             "self.size(-1) must be divisible by %lld to view %s as %s (different element sizes), but got %lld",
                             (long long)ratio, from_name, to_name, (long long)g.sizes[last]);
                return NULL;
            }
            if (g.offset % ratio) {
                PyErr_Format(PyExc_RuntimeError,
                             "self.storage_offset() must be divisible by %lld to view %s as %s (different element sizes), but got %lld",
                             (long long)ratio, from_name, to_name, (long long)g.offset);
                return NULL;
            }
            for (int d = 0; d < last && last_stride == 1; d++) {
                if (g.strides[d] % ratio) {
                    PyErr_Format(PyExc_RuntimeError,
                                 "self.stride(%d) must be divisible by %lld to view %s as %s (different element sizes), but got %lld", d,
                                 (long long)ratio, from_name, to_name, (long long)g.strides[d]);
                    return NULL;
                }
                g.strides[d] /= ratio;
            }
            g.sizes[last] /= ratio;
            g.offset /= ratio;
        }
        if (last_stride != 1) {
            PyErr_Format(PyExc_RuntimeError, "self.stride(-1) must be 1 to view %s as %s (different element sizes), but got %lld",
                         from_name, to_name, (long long)last_stride);
            return NULL;
        }
    }
    RtTensor *result = rt_alias(self, g.ndim, g.sizes, g.strides, g.offset);
    if (result != NULL)
        result->dtype = (uint8_t)dtype;
    return (PyObject *)result;
}

/* ------------------------------------------------------------------------------------------------------------------- as_strided */

int rt_check_geometry(const rt_storage *storage, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int64_t itemsize)
{
    int64_t needed = offset, step;
    int empty = 0, overflow = 0;
    if (offset < 0) {
        PyErr_Format(PyExc_RuntimeError, "Tensor: invalid storage offset %lld", (long long)offset);
        return -1;
    }
    for (int d = 0; d < ndim; d++) {
        overflow |= sizes[d] < 0 || strides[d] < 0;
        if (sizes[d] == 0) {
            empty = 1;
            continue;
        }
        overflow |= __builtin_mul_overflow(sizes[d] - 1, strides[d], &step);
        overflow |= __builtin_add_overflow(needed, step, &needed);
    }
    if (empty && !overflow)
        return 0;
    overflow |= __builtin_add_overflow(needed, 1, &needed);
    overflow |= __builtin_mul_overflow(needed, itemsize, &needed);
    if (overflow) {
        PyObject *size_text = rt_shape_text(ndim, sizes), *stride_text = rt_shape_text(ndim, strides);
        if (size_text != NULL && stride_text != NULL)
            PyErr_Format(PyExc_RuntimeError, "Storage size calculation overflowed with sizes=%U and strides=%U", size_text, stride_text);
        Py_XDECREF(size_text);
        Py_XDECREF(stride_text);
        return -1;
    }
    if (storage == NULL || needed <= storage->nbytes)
        return 0;
    PyObject *size_text = rt_shape_text(ndim, sizes), *stride_text = rt_shape_text(ndim, strides);
    if (size_text != NULL && stride_text != NULL)
        PyErr_Format(PyExc_RuntimeError,
                     "setStorage: sizes %U, strides %U, storage offset %lld, and itemsize %lld requiring a storage size of %lld are out of "
                     "bounds for storage of size %lld",
                     size_text, stride_text, (long long)offset, (long long)itemsize, (long long)needed, (long long)storage->nbytes);
    Py_XDECREF(size_text);
    Py_XDECREF(stride_text);
    return -1;
}

static int as_strided_geometry(RtTensor *self, PyObject *const *args, geometry *g)
{
    g->ndim = rt_as_int64_array(args[1], g->sizes, RT_MAX_DIM);
    if (g->ndim < 0)
        return -1;
    int nstrides = rt_as_int64_array(args[2], g->strides, RT_MAX_DIM);
    if (nstrides < 0)
        return -1;
    if (nstrides != g->ndim) {
        PyErr_SetString(PyExc_RuntimeError, "mismatch in length of strides and shape");
        return -1;
    }
    for (int d = 0; d < g->ndim; d++) {
        if (g->strides[d] < 0) {
            fail_shape("as_strided: Negative strides are not supported at the moment, got strides: %U", g->ndim, g->strides, 0);
            return -1;
        }
    }
    g->offset = self->offset;
    if (args[3] != Py_None && rt_as_int64(args[3], &g->offset) < 0)
        return -1;
    return rt_check_geometry(self->storage, g->ndim, g->sizes, g->strides, g->offset, rt_itemsize[self->dtype]);
}

RT_KERNEL(as_strided)
{
    SELF;
    geometry g;
    if (as_strided_geometry(self, args, &g) < 0)
        return NULL;
    return alias(self, &g);
}

RT_KERNEL(as_strided_)
{
    rt_wait_for_loops();
    SELF;
    geometry g;
    if (as_strided_geometry(self, args, &g) < 0)
        return NULL;
    return set_in_place(self, &g);
}

/* ----------------------------------------------------------------------------------------------------------- order of dimensions */

static int transpose_geometry(RtTensor *self, int64_t dim0, int64_t dim1, geometry *g)
{
    dim0 = rt_wrap_dim_scalar(dim0, self->ndim);
    if (dim0 < 0)
        return -1;
    dim1 = rt_wrap_dim_scalar(dim1, self->ndim);
    if (dim1 < 0)
        return -1;
    copy_geometry(self, g);
    if (dim0 != dim1) {
        g->sizes[dim0] = self->sizes[dim1];
        g->sizes[dim1] = self->sizes[dim0];
        g->strides[dim0] = self->strides[dim1];
        g->strides[dim1] = self->strides[dim0];
    }
    return 0;
}

static int two_dims(PyObject *const *args, int64_t *dim0, int64_t *dim1)
{
    return rt_as_int64(args[1], dim0) < 0 || rt_as_int64(args[2], dim1) < 0 ? -1 : 0;
}

RT_KERNEL(transpose)
{
    SELF;
    int64_t dim0, dim1;
    geometry g;
    if (two_dims(args, &dim0, &dim1) < 0 || transpose_geometry(self, dim0, dim1, &g) < 0)
        return NULL;
    return alias(self, &g);
}

RT_KERNEL(transpose_)
{
    rt_wait_for_loops();
    SELF;
    int64_t dim0, dim1;
    geometry g;
    if (two_dims(args, &dim0, &dim1) < 0 || transpose_geometry(self, dim0, dim1, &g) < 0)
        return NULL;
    return set_in_place(self, &g);
}

static int t_geometry(RtTensor *self, const char *name, geometry *g)
{
    if (self->ndim > 2) {
        PyErr_Format(PyExc_RuntimeError, "%s expects a tensor with <= 2 dimensions, but self is %dD", name, (int)self->ndim);
        return -1;
    }
    return transpose_geometry(self, 0, self->ndim < 2 ? 0 : 1, g);
}

RT_KERNEL(t)
{
    SELF;
    geometry g;
    return t_geometry(self, "t()", &g) < 0 ? NULL : alias(self, &g);
}

RT_KERNEL(t_)
{
    rt_wait_for_loops();
    SELF;
    geometry g;
    return t_geometry(self, "t_()", &g) < 0 ? NULL : set_in_place(self, &g);
}

RT_KERNEL(permute)
{
    SELF;
    int64_t dims[RT_MAX_DIM];
    uint64_t seen = 0;
    geometry g;
    int n = rt_as_int64_array(args[1], dims, RT_MAX_DIM);
    if (n < 0)
        return NULL;
    if (n != self->ndim) {
        PyErr_Format(PyExc_RuntimeError,
                     "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering "
                     "of dimensions i.e. input.dim() = %d is not equal to len(dims) = %d",
                     (int)self->ndim, n);
        return NULL;
    }
    g.ndim = n;
    g.offset = self->offset;
    for (int d = 0; d < n; d++) {
        int64_t from = rt_wrap_dim(dims[d], n);
        if (from < 0)
            return NULL;
        if (seen & (1ull << from)) {
            PyErr_SetString(PyExc_RuntimeError, "permute(): duplicate dims are not allowed.");
            return NULL;
        }
        seen |= 1ull << from;
        g.sizes[d] = self->sizes[from];
        g.strides[d] = self->strides[from];
    }
    return alias(self, &g);
}

/* ---------------------------------------------------------------------------------------------------------- parts of a dimension */

RT_KERNEL(select)
{
    SELF;
    int64_t dim, index;
    if (rt_as_int64(args[1], &dim) < 0 || rt_as_int64(args[2], &index) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_IndexError, "select() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t size = self->sizes[dim];
    if (index < -size || index >= size) {
        PyObject *text = rt_shape_text(self->ndim, self->sizes);
        if (text != NULL)
            PyErr_Format(PyExc_IndexError, "select(): index %lld out of range for tensor of size %U at dimension %lld", (long long)index,
                         text, (long long)dim);
        Py_XDECREF(text);
        return NULL;
    }
    if (index < 0)
        index += size;
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    int n = 0;
    for (int d = 0; d < self->ndim; d++) {
        if (d == dim)
            continue;
        sizes[n] = self->sizes[d];
        strides[n++] = self->strides[d];
    }
    return (PyObject *)rt_alias(self, n, sizes, strides, self->offset + index * self->strides[dim]);
}

static PyObject *slice_of(RtTensor *self, int64_t dim, int64_t start, int64_t end, int64_t step)
{
    geometry g;
    copy_geometry(self, &g);
    int64_t size = self->sizes[dim];
    if (start < 0)
        start += size;
    if (end < 0)
        end += size;
    start = start < 0 ? 0 : start > size ? size : start;
    end = end < start ? start : end > size ? size : end;
    int64_t length = end - start;
    g.sizes[dim] = length / step + (length % step != 0);
    /* A step so large that this wraps leaves at most one element: any stride describes it. */
    g.strides[dim] = (int64_t)((uint64_t)self->strides[dim] * (uint64_t)step);
    g.offset += start * self->strides[dim];
    return alias(self, &g);
}

RT_KERNEL(slice)
{
    SELF;
    int64_t dim, start = 0, end = INT64_MAX, step;
    if (rt_as_int64(args[1], &dim) < 0 || (args[2] != Py_None && rt_as_int64(args[2], &start) < 0) ||
        (args[3] != Py_None && rt_as_int64(args[3], &end) < 0) || rt_as_int64(args[4], &step) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_IndexError, "slice() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    if (dim < 0)
        return NULL;
    if (step <= 0) {
        PyErr_SetString(PyExc_RuntimeError, "slice step must be positive");
        return NULL;
    }
    return slice_of(self, dim, start, end, step);
}

RT_KERNEL(unfold)
{
    SELF;
    int64_t dim, size, step;
    geometry g;
    if (rt_as_int64(args[1], &dim) < 0 || rt_as_int64(args[2], &size) < 0 || rt_as_int64(args[3], &step) < 0)
        return NULL;
    dim = rt_wrap_dim_scalar(dim, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t length = self->ndim ? self->sizes[dim] : 1;
    if (size < 0) {
        PyErr_Format(PyExc_RuntimeError, "size is %lld but must be >= 0", (long long)size);
        return NULL;
    }
    if (size > length) {
        PyErr_Format(PyExc_RuntimeError, "maximum size for tensor at dimension %lld is %lld but size is %lld", (long long)dim,
                     (long long)length, (long long)size);
        return NULL;
    }
    if (step <= 0) {
        PyErr_Format(PyExc_RuntimeError, "step is %lld but must be > 0", (long long)step);
        return NULL;
    }
    copy_geometry(self, &g);
    if (self->ndim == RT_MAX_DIM) {
        PyErr_SetString(PyExc_RuntimeError, "unfold: too many dimensions");
        return NULL;
    }
    g.ndim = self->ndim + 1;
    g.sizes[self->ndim] = size;
    g.strides[self->ndim] = self->ndim ? self->strides[dim] : 1;
    if (self->ndim) {
        int64_t stride;
        g.sizes[dim] = (length - size) / step + 1;
        if (__builtin_mul_overflow(self->strides[dim], step, &stride))
            stride = self->strides[dim];
        g.strides[dim] = stride;
    }
    return alias(self, &g);
}

RT_KERNEL(diagonal)
{
    SELF;
    int64_t offset, dim1, dim2;
    geometry g;
    if (rt_as_int64(args[1], &offset) < 0 || two_dims(args + 1, &dim1, &dim2) < 0)
        return NULL;
    int64_t given1 = dim1, given2 = dim2;
    dim1 = rt_wrap_dim_scalar(dim1, self->ndim);
    if (dim1 < 0)
        return NULL;
    dim2 = rt_wrap_dim_scalar(dim2, self->ndim);
    if (dim2 < 0)
        return NULL;
    if (dim1 == dim2) {
        PyErr_Format(PyExc_RuntimeError, "diagonal dimensions cannot be identical %lld, %lld", (long long)given1, (long long)given2);
        return NULL;
    }
    int64_t length, size1 = self->sizes[dim1], size2 = self->sizes[dim2];
    if (offset >= 0)
        length = offset >= size2 ? 0 : size1 < size2 - offset ? size1 : size2 - offset;
    else
        length = offset <= -size1 ? 0 : size1 + offset < size2 ? size1 + offset : size2;
    g.offset = self->offset;
    if (length > 0)
        g.offset += offset >= 0 ? offset * self->strides[dim2] : -offset * self->strides[dim1];
    int n = 0;
    for (int d = 0; d < self->ndim; d++) {
        if (d == dim1 || d == dim2)
            continue;
        g.sizes[n] = self->sizes[d];
        g.strides[n++] = self->strides[d];
    }
    g.sizes[n] = length;
    g.strides[n] = self->strides[dim1] + self->strides[dim2];
    g.ndim = n + 1;
    return alias(self, &g);
}

/* ------------------------------------------------------------------------------------------------------------------ lists of views */

/* Put a new view at its place in the list; a missing one ends the list. */
static void put(PyObject **list, Py_ssize_t place, PyObject *view)
{
    if (view == NULL)
        Py_CLEAR(*list);
    else
        PyTuple_SET_ITEM(*list, place, view);
}

RT_KERNEL(unbind)
{
    SELF;
    int64_t dim;
    if (rt_as_int64(args[1], &dim) < 0)
        return NULL;
    if (self->ndim == 0) {
        if (rt_wrap_dim_scalar(dim, 0) >= 0)
            PyErr_SetString(PyExc_IndexError, "Dimension specified as 0 but tensor has no dimensions");
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM], count = self->sizes[dim];
    int n = 0;
    for (int d = 0; d < self->ndim; d++) {
        if (d == dim)
            continue;
        sizes[n] = self->sizes[d];
        strides[n++] = self->strides[d];
    }
    PyObject *result = PyTuple_New(count);
    for (int64_t i = 0; result != NULL && i < count; i++) {
        PyObject *part = (PyObject *)rt_alias(self, n, sizes, strides, self->offset + i * self->strides[dim]);
        put(&result, i, part);
    }
    return result;
}

RT_KERNEL(split)
{
    SELF;
    int64_t size, dim;
    if (rt_as_int64(args[1], &size) < 0 || rt_as_int64(args[2], &dim) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_RuntimeError, "split expects at least a 1-dimensional tensor");
        return NULL;
    }
    if (size < 0) {
        PyErr_Format(PyExc_RuntimeError, "split expects split_size be non-negative, but got split_size=%lld", (long long)size);
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t length = self->sizes[dim];
    if (size == 0 && length != 0) {
        PyErr_Format(PyExc_RuntimeError, "split_size can only be 0 if dimension size is 0, but got dimension size of %lld",
                     (long long)length);
        return NULL;
    }
    int64_t count = size == 0 || length == 0 ? 1 : (length - 1) / size + 1;
    PyObject *result = PyTuple_New(count);
    for (int64_t i = 0; result != NULL && i < count; i++) {
        int64_t start = i * size, end = i + 1 < count ? start + size : length;
        PyObject *part = slice_of(self, dim, start, end, 1);
        put(&result, i, part);
    }
    return result;
}

RT_KERNEL(split_with_sizes)
{
    SELF;
    int64_t dim, given, length, sum = 0, start = 0;
    Py_ssize_t count = PyTuple_GET_SIZE(args[1]);
    if (rt_as_int64(args[2], &given) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_RuntimeError, "split expects at least a 1-dimensional tensor");
        return NULL;
    }
    dim = rt_wrap_dim(given, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t size = self->sizes[dim];
    int negative = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        if (rt_as_int64(PyTuple_GET_ITEM(args[1], i), &length) < 0)
            return NULL;
        negative |= length < 0;
        if (__builtin_add_overflow(sum, length, &sum))
            sum = -1; /* no size matches: reported below */
    }
    if (negative || sum != size) {
        PyObject *list = PySequence_List(args[1]);
        if (list == NULL)
            return NULL;
        if (negative)
            PyErr_Format(PyExc_RuntimeError, "split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes=%R",
                         list);
        else
            PyErr_Format(PyExc_RuntimeError,
                         "split_with_sizes expects split_sizes to sum exactly to %lld (input tensor's size at dimension %lld), but got "
                         "split_sizes=%R",
                         (long long)size, (long long)given, list);
        Py_DECREF(list);
        return NULL;
    }
    PyObject *result = PyTuple_New(count);
    for (Py_ssize_t i = 0; result != NULL && i < count; i++) {
        rt_as_int64(PyTuple_GET_ITEM(args[1], i), &length);
        PyObject *part = slice_of(self, dim, start, start + length, 1);
        start += length;
        put(&result, i, part);
    }
    return result;
}

/* ------------------------------------------------------------------------------------------------------- dimensions of size one */

int rt_expand_strides(const RtTensor *t, int ndim, int64_t *sizes, int64_t *strides)
{
    int64_t given[RT_MAX_DIM];
    memcpy(given, sizes, ndim * sizeof(int64_t));
    if (t->ndim == 0) {
        memset(strides, 0, ndim * sizeof(int64_t));
        return 0;
    }
    for (int d = ndim - 1; d >= 0; d--) {
        int from = d - (ndim - t->ndim);
        int64_t size = from >= 0 ? t->sizes[from] : 1;
        int64_t stride = from >= 0 ? t->strides[from] : d + 1 < ndim ? sizes[d + 1] * strides[d + 1] : 1;
        if (sizes[d] == -1) {
            if (from < 0) {
                PyErr_Format(PyExc_RuntimeError,
                             "The expanded size of the tensor (%lld) isn't allowed in a leading, non-existing dimension %d",
                             (long long)sizes[d], d);
                return -1;
            }
            sizes[d] = size;
        }
        if (size != sizes[d]) {
            if (size != 1) {
                PyObject *target = rt_shape_text(ndim, given), *own = rt_shape_text(t->ndim, t->sizes);
                if (target != NULL && own != NULL)
                    PyErr_Format(PyExc_RuntimeError,
                                 "The expanded size of the tensor (%lld) must match the existing size (%lld) at non-singleton dimension "
                                 "%d.  Target sizes: %U.  Tensor sizes: %U",
                                 (long long)sizes[d], (long long)size, d, target, own);
                Py_XDECREF(target);
                Py_XDECREF(own);
                return -1;
            }
            stride = 0;
        }
        strides[d] = stride;
    }
    return 0;
}

int rt_broadcast_into(int *ndim, int64_t *sizes, int other_ndim, const int64_t *other_sizes)
{
    int n = *ndim > other_ndim ? *ndim : other_ndim;
    for (int i = 1; i <= n; i++) { /* from the last dimension */
        int64_t a = i <= *ndim ? sizes[*ndim - i] : 1, b = i <= other_ndim ? other_sizes[other_ndim - i] : 1;
        if (a != b && a != 1 && b != 1) {
            PyErr_Format(PyExc_RuntimeError,
                         "The size of tensor a (%lld) must match the size of tensor b (%lld) at non-singleton dimension %d", (long long)a,
                         (long long)b, n - i);
            return -1;
        }
    }
    if (other_ndim > *ndim) {
        memmove(sizes + (other_ndim - *ndim), sizes, sizeof(int64_t) * (size_t)*ndim);
        for (int i = 0; i < other_ndim - *ndim; i++)
            sizes[i] = 1;
        *ndim = other_ndim;
    }
    for (int i = 1; i <= other_ndim; i++)
        if (sizes[n - i] == 1)
            sizes[n - i] = other_sizes[other_ndim - i];
    return 0;
}

int rt_broadcast_sizes(int andim, const int64_t *a, int bndim, const int64_t *b, int64_t *out)
{
    memcpy(out, a, (size_t)andim * sizeof(int64_t));
    return rt_broadcast_into(&andim, out, bndim, b) < 0 ? -1 : andim;
}

RT_KERNEL(expand)
{
    SELF;
    geometry g;
    g.ndim = rt_as_int64_array(args[1], g.sizes, RT_MAX_DIM);
    if (g.ndim < 0)
        return NULL;
    if (g.ndim < self->ndim) {
        PyObject *own = rt_shape_text(self->ndim, self->sizes), *target = rt_shape_text(g.ndim, g.sizes);
        if (own != NULL && target != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "expand(torch.%sTensor{%U}, size=%U): the number of sizes provided (%d) must be greater or equal to the number of "
                         "dimensions in the tensor (%d)",
                         rt_dtype_title(self->dtype), own, target, g.ndim, (int)self->ndim);
        Py_XDECREF(own);
        Py_XDECREF(target);
        return NULL;
    }
    g.offset = self->offset;
    if (rt_expand_strides(self, g.ndim, g.sizes, g.strides) < 0)
        return NULL;
    int64_t numel = 1;
    int overflow = 0;
    for (int d = 0; d < g.ndim; d++)
        overflow |= g.sizes[d] < 0 || __builtin_mul_overflow(numel, g.sizes[d], &numel);
    if (overflow) {
        PyErr_SetString(PyExc_RuntimeError, "numel: integer multiplication overflow");
        return NULL;
    }
    return alias(self, &g);
}

static int unsqueeze_geometry(RtTensor *self, PyObject *dim_object, geometry *g)
{
    int64_t dim;
    if (rt_as_int64(dim_object, &dim) < 0)
        return -1;
    dim = rt_wrap_dim(dim, self->ndim + 1);
    if (dim < 0)
        return -1;
    if (self->ndim == RT_MAX_DIM) {
        PyErr_SetString(PyExc_RuntimeError, "unsqueeze: a tensor has at most 64 dimensions");
        return -1;
    }
    g->ndim = self->ndim + 1;
    g->offset = self->offset;
    for (int d = 0; d < g->ndim; d++) {
        if (d == dim) {
            g->sizes[d] = 1;
            g->strides[d] = d < self->ndim ? self->sizes[d] * self->strides[d] : 1;
        } else {
            g->sizes[d] = self->sizes[d - (d > dim)];
            g->strides[d] = self->strides[d - (d > dim)];
        }
    }
    return 0;
}

RT_KERNEL(unsqueeze)
{
    SELF;
    geometry g;
    return unsqueeze_geometry(self, args[1], &g) < 0 ? NULL : alias(self, &g);
}

RT_KERNEL(unsqueeze_)
{
    rt_wait_for_loops();
    SELF;
    geometry g;
    return unsqueeze_geometry(self, args[1], &g) < 0 ? NULL : set_in_place(self, &g);
}

int rt_dim_mask(PyObject *dims, int ndim, uint64_t *mask)
{
    int64_t values[RT_MAX_DIM];
    int n = rt_as_int64_array(dims, values, RT_MAX_DIM);
    if (n < 0)
        return -1;
    *mask = 0;
    for (int i = 0; i < n; i++) {
        int64_t d = rt_wrap_dim_scalar(values[i], ndim);
        if (d < 0)
            return -1;
        if (*mask & (1ull << d)) {
            PyErr_Format(PyExc_RuntimeError, "dim %lld appears multiple times in the list of dims", (long long)d);
            return -1;
        }
        *mask |= 1ull << d;
    }
    return n;
}

/* squeeze(), squeeze(dim) and squeeze(dims) are told apart by what stands in the second place. */
static int squeeze_geometry(RtTensor *self, PyObject *const *args, Py_ssize_t nargs, geometry *g)
{
    uint64_t mask = ~0ull;
    if (nargs > 1 && PyTuple_Check(args[1])) {
        if (rt_dim_mask(args[1], self->ndim, &mask) < 0)
            return -1;
    } else if (nargs > 1) {
        int64_t dim;
        if (rt_as_int64(args[1], &dim) < 0)
            return -1;
        dim = rt_wrap_dim_scalar(dim, self->ndim);
        if (dim < 0)
            return -1;
        mask = 1ull << dim;
    }
    g->ndim = 0;
    g->offset = self->offset;
    for (int d = 0; d < self->ndim; d++) {
        if (self->sizes[d] == 1 && (mask >> d & 1))
            continue;
        g->sizes[g->ndim] = self->sizes[d];
        g->strides[g->ndim++] = self->strides[d];
    }
    return 0;
}

RT_KERNEL(squeeze)
{
    SELF;
    geometry g;
    return squeeze_geometry(self, args, nargs, &g) < 0 ? NULL : alias(self, &g);
}

RT_KERNEL(squeeze_)
{
    rt_wait_for_loops();
    SELF;
    geometry g;
    return squeeze_geometry(self, args, nargs, &g) < 0 ? NULL : set_in_place(self, &g);
}
RT_SAME_KERNEL(squeeze_dim, squeeze)
RT_SAME_KERNEL(squeeze_dims, squeeze)
RT_SAME_KERNEL(squeeze__dim, squeeze_)
RT_SAME_KERNEL(squeeze__dims, squeeze_)
