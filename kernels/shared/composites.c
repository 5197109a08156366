/* Operators made of other operators, that are common enough to be written in C: reshape, flatten, narrow, chunk, expand_as,
 * contiguous, to, matmul, linear, square and movedim.
 *
 * They are CompositeImplicitAutograd: every step is a call through the dispatcher, so that autograd, modes and subclasses see the
 * parts. Nothing here reads memory.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "rt_builtins.h"

#define SELF RtTensor *self = RT_TENSOR(args[0])

static PyObject *call(int builtin, PyObject *const *args, Py_ssize_t nargs)
{
    return rt_call(rt_builtin_ops[builtin], args, nargs);
}

/* Calls op(t, sizes) for operators of that form. */
static PyObject *call_with_sizes(int builtin, PyObject *t, int n, const int64_t *sizes)
{
    PyObject *tuple = rt_int_tuple(n, sizes);
    if (tuple == NULL)
        return NULL;
    PyObject *list[2] = {t, tuple};
    PyObject *result = call(builtin, list, 2);
    Py_DECREF(tuple);
    return result;
}

static PyObject *call_with_dim(int builtin, PyObject *t, int64_t dim)
{
    PyObject *number = PyLong_FromLongLong(dim);
    if (number == NULL)
        return NULL;
    PyObject *list[2] = {t, number};
    PyObject *result = call(builtin, list, 2);
    Py_DECREF(number);
    return result;
}

static PyObject *cloned(PyObject *t, PyObject *memory_format)
{
    PyObject *list[2] = {t, memory_format};
    return call(RT_OP_aten_clone, list, 2);
}

/* ------------------------------------------------------------------------------------------------------------------------ reshape */

static PyObject *reshape(PyObject *t, int n, int64_t *sizes)
{
    RtTensor *self = RT_TENSOR(t);
    int64_t strides[RT_MAX_DIM];
    if (rt_infer_size(n, sizes, self->numel) < 0)
        return NULL;
    if (rt_view_strides(self->ndim, self->sizes, self->strides, self->numel, n, sizes, strides))
        return call_with_sizes(RT_OP_aten_view, t, n, sizes);
    PyObject *copy = cloned(t, rt_contiguous_format);
    if (copy == NULL)
        return NULL;
    PyObject *result = call_with_sizes(RT_OP_aten__unsafe_view, copy, n, sizes);
    Py_DECREF(copy);
    return result;
}

RT_KERNEL(reshape)
{
    int64_t sizes[RT_MAX_DIM];
    int n = rt_as_int64_array(args[1], sizes, RT_MAX_DIM);
    if (RT_UNLIKELY(RT_TENSOR(args[0])->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse))) {
        PyErr_SetString(PyExc_RuntimeError, "reshape is not implemented for sparse tensors");
        return NULL;
    }
    return n < 0 ? NULL : reshape(args[0], n, sizes);
}

RT_KERNEL(flatten_using_ints)
{
    SELF;
    int64_t start, end, sizes[RT_MAX_DIM];
    int n = 0;
    if (rt_as_int64(args[1], &start) < 0 || rt_as_int64(args[2], &end) < 0 || (start = rt_wrap_dim_scalar(start, self->ndim)) < 0 ||
        (end = rt_wrap_dim_scalar(end, self->ndim)) < 0)
        return NULL;
    if (start > end) {
        PyErr_SetString(PyExc_RuntimeError, "flatten() has invalid args: start_dim cannot come after end_dim");
        return NULL;
    }
    if (self->ndim == 0) {
        sizes[0] = 1;
        return reshape(args[0], 1, sizes);
    }
    if (start == end)
        return Py_NewRef(args[0]);
    for (int d = 0; d < self->ndim; d++) {
        if (d > start && d <= end)
            sizes[n - 1] *= self->sizes[d];
        else
            sizes[n++] = self->sizes[d];
    }
    return reshape(args[0], n, sizes);
}

RT_KERNEL(expand_as)
{
    RtTensor *other = RT_TENSOR(args[1]);
    PyObject *sizes = rt_int_tuple(other->ndim, other->sizes);
    if (sizes == NULL)
        return NULL;
    PyObject *list[3] = {args[0], sizes, Py_False};
    PyObject *result = call(RT_OP_aten_expand, list, 3);
    Py_DECREF(sizes);
    return result;
}

RT_KERNEL(view_as)
{
    return call_with_sizes(RT_OP_aten_view, args[0], RT_TENSOR(args[1])->ndim, RT_TENSOR(args[1])->sizes);
}

RT_KERNEL(contiguous)
{
    SELF;
    int format = ((RtMemoryFormat *)args[1])->code;
    uint32_t flag = format == RT_CONTIGUOUS_FORMAT ? RT_T_CONTIGUOUS : format == RT_CHANNELS_LAST_FORMAT ? RT_T_CHANNELS_LAST : RT_T_CHANNELS_LAST_3D;
    if (format == RT_PRESERVE_FORMAT) {
        PyErr_SetString(PyExc_RuntimeError, "preserve memory format is unsupported by the contiguous operator");
        return NULL;
    }
    return self->flags & flag ? Py_NewRef(args[0]) : cloned(args[0], args[1]);
}

/* -------------------------------------------------------------------------------------------------------------- parts of a dimension */

static PyObject *slice(PyObject *t, int64_t dim, int64_t start, int64_t end)
{
    PyObject *numbers[4] = {PyLong_FromLongLong(dim), PyLong_FromLongLong(start), PyLong_FromLongLong(end), PyLong_FromLong(1)};
    PyObject *result = NULL;
    if (numbers[0] && numbers[1] && numbers[2] && numbers[3]) {
        PyObject *list[5] = {t, numbers[0], numbers[1], numbers[2], numbers[3]};
        result = call(RT_OP_aten_slice_Tensor, list, 5);
    }
    for (int i = 0; i < 4; i++)
        Py_XDECREF(numbers[i]);
    return result;
}

RT_KERNEL(narrow)
{
    SELF;
    int64_t dim, start, length;
    if (rt_as_int64(args[1], &dim) < 0 || rt_as_int64(args[2], &start) < 0 || rt_as_int64(args[3], &length) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_RuntimeError, "narrow() cannot be applied to a 0-dim tensor.");
        return NULL;
    }
    if (length < 0) {
        PyErr_SetString(PyExc_RuntimeError, "narrow(): length must be non-negative.");
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    if (dim < 0)
        return NULL;
    int64_t size = self->sizes[dim];
    if (start < -size || start > size) {
        PyErr_Format(PyExc_IndexError, "start out of range (expected to be in range of [%lld, %lld], but got %lld)", (long long)-size,
                     (long long)size, (long long)start);
        return NULL;
    }
    if (start < 0)
        start += size;
    if (start > size - length) {
        PyErr_Format(PyExc_RuntimeError, "start (%lld) + length (%lld) exceeds dimension size (%lld).", (long long)start, (long long)length,
                     (long long)size);
        return NULL;
    }
    return slice(args[0], dim, start, start + length);
}

RT_KERNEL(split_sizes)
{
    return call(RT_OP_aten_split_with_sizes, args, nargs);
}

RT_KERNEL(chunk)
{
    SELF;
    int64_t chunks, dim;
    if (rt_as_int64(args[1], &chunks) < 0 || rt_as_int64(args[2], &dim) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_SetString(PyExc_RuntimeError, "chunk expects at least a 1-dimensional tensor");
        return NULL;
    }
    if (chunks <= 0) {
        PyErr_Format(PyExc_RuntimeError, "chunk expects `chunks` to be greater than 0, got: %lld", (long long)chunks);
        return NULL;
    }
    int64_t wrapped = rt_wrap_dim(dim, self->ndim);
    if (wrapped < 0)
        return NULL;
    int64_t length = self->sizes[wrapped], size = length / chunks + (length % chunks != 0);
    if (size == 0 && length == 0) {
        /* An empty dimension still gives the number of chunks that was asked for. */
        PyObject *sizes = PyTuple_New(chunks), *zero = PyLong_FromLong(0), *result = NULL;
        for (int64_t i = 0; sizes != NULL && zero != NULL && i < chunks; i++)
            PyTuple_SET_ITEM(sizes, i, Py_NewRef(zero));
        if (sizes != NULL && zero != NULL) {
            PyObject *list[3] = {args[0], sizes, args[2]};
            result = call(RT_OP_aten_split_with_sizes, list, 3);
        }
        Py_XDECREF(zero);
        Py_XDECREF(sizes);
        return result;
    }
    PyObject *size_object = PyLong_FromLongLong(size);
    if (size_object == NULL)
        return NULL;
    PyObject *list[3] = {args[0], size_object, args[2]};
    PyObject *result = call(RT_OP_aten_split_Tensor, list, 3);
    Py_DECREF(size_object);
    return result;
}

/* ----------------------------------------------------------------------------------------------------------------------------- to */

static PyObject *to(PyObject *t, PyObject *dtype, PyObject *layout, PyObject *device, PyObject *pin_memory, PyObject *non_blocking,
                    int copy, PyObject *memory_format)
{
    RtTensor *self = RT_TENSOR(t);
    int same = dtype == Py_None || ((RtDtype *)dtype)->code == self->dtype;
    if (device != Py_None) {
        RtDevice *d = (RtDevice *)device;
        same &= d->type == self->device_type && (d->index < 0 || d->index == self->device_index);
    }
    if (memory_format != Py_None) {
        int format = ((RtMemoryFormat *)memory_format)->code;
        same &= format == RT_PRESERVE_FORMAT || (format == RT_CONTIGUOUS_FORMAT && rt_is_contiguous(self)) ||
                (format == RT_CHANNELS_LAST_FORMAT && (self->flags & RT_T_CHANNELS_LAST)) ||
                (format == RT_CHANNELS_LAST_3D_FORMAT && (self->flags & RT_T_CHANNELS_LAST_3D));
    }
    if (same && !copy)
        return Py_NewRef(t);
    PyObject *list[7] = {t, dtype, layout, device, pin_memory, non_blocking, memory_format};
    return call(RT_OP_aten__to_copy, list, 7);
}

RT_KERNEL(to_dtype_layout)
{
    return to(args[0], args[1], args[2], args[3], args[4], args[5], rt_as_bool(args[6]), args[7]);
}

RT_KERNEL(to_device)
{
    return to(args[0], args[2], Py_None, args[1], Py_None, args[3], rt_as_bool(args[4]), args[5]);
}

RT_KERNEL(to_dtype)
{
    return to(args[0], args[1], Py_None, Py_None, Py_None, args[2], rt_as_bool(args[3]), args[4]);
}

RT_KERNEL(to_other)
{
    RtTensor *self = RT_TENSOR(args[0]), *other = RT_TENSOR(args[1]);
    if (self->device_type == other->device_type && self->device_index == other->device_index)
        return to(args[0], rt_dtype_objects[other->dtype], Py_None, Py_None, Py_None, args[2], rt_as_bool(args[3]), args[4]);
    RtDevice *device = (RtDevice *)rt_DeviceType->tp_alloc(rt_DeviceType, 0);
    if (device == NULL)
        return NULL;
    device->type = other->device_type;
    device->index = other->device_index;
    PyObject *result = to(args[0], rt_dtype_objects[other->dtype], Py_None, (PyObject *)device, Py_None, args[2], rt_as_bool(args[3]), args[4]);
    Py_DECREF(device);
    return result;
}

/* ------------------------------------------------------------------------------------------------------------------------- matmul */

/* The product of two tensors of any rank from one on, by vectors, matrices and batches. Steals nothing. */
static PyObject *batched(PyObject *a, PyObject *b)
{
    RtTensor *x = RT_TENSOR(a), *y = RT_TENSOR(b);
    int64_t n = x->ndim > 1 ? x->sizes[x->ndim - 2] : 1, m1 = x->sizes[x->ndim - 1];
    int64_t m2 = y->ndim > 1 ? y->sizes[y->ndim - 2] : y->sizes[0], p = y->ndim > 1 ? y->sizes[y->ndim - 1] : 1;
    int xb = x->ndim > 2 ? x->ndim - 2 : 0, yb = y->ndim > 2 ? y->ndim - 2 : 0;
    int64_t batch[RT_MAX_DIM], sizes[RT_MAX_DIM], count = 1;
    int nb = rt_broadcast_sizes(xb, x->sizes, yb, y->sizes, batch);
    if (nb < 0)
        return NULL;
    for (int d = 0; d < nb; d++)
        count *= batch[d];
    PyObject *left = NULL, *right = NULL, *left3 = NULL, *right3 = NULL, *product = NULL, *result = NULL;
    PyObject *tuple;
    memcpy(sizes, batch, nb * sizeof(int64_t));
    sizes[nb] = n;
    sizes[nb + 1] = m1;
    if ((tuple = rt_int_tuple(nb + 2, sizes)) == NULL)
        goto done;
    PyObject *expand_left[3] = {a, tuple, Py_False};
    left = call(RT_OP_aten_expand, expand_left, 3);
    Py_DECREF(tuple);
    int64_t three[3] = {count, n, m1}, other_three[3] = {count, m2, p};
    if (left == NULL || (left3 = reshape(left, 3, three)) == NULL)
        goto done;
    sizes[nb] = m2;
    sizes[nb + 1] = p;
    if (y->ndim == 1) {
        PyObject *column = call_with_dim(RT_OP_aten_unsqueeze, b, 1);
        if (column == NULL)
            goto done;
        tuple = rt_int_tuple(nb + 2, sizes);
        PyObject *expand_right[3] = {column, tuple, Py_False};
        right = tuple != NULL ? call(RT_OP_aten_expand, expand_right, 3) : NULL;
        Py_XDECREF(tuple);
        Py_DECREF(column);
    } else {
        tuple = rt_int_tuple(nb + 2, sizes);
        PyObject *expand_right[3] = {b, tuple, Py_False};
        right = tuple != NULL ? call(RT_OP_aten_expand, expand_right, 3) : NULL;
        Py_XDECREF(tuple);
    }
    if (right == NULL)
        goto done;
    right3 = reshape(right, 3, other_three);
    if (right3 == NULL)
        goto done;
    PyObject *list[2] = {left3, right3};
    product = call(RT_OP_aten_bmm, list, 2);
    if (product == NULL)
        goto done;
    int rank = nb;
    memcpy(sizes, batch, nb * sizeof(int64_t));
    if (x->ndim > 1)
        sizes[rank++] = n;
    if (y->ndim > 1)
        sizes[rank++] = p;
    result = call_with_sizes(RT_OP_aten__unsafe_view, product, rank, sizes);
done:
    Py_XDECREF(left);
    Py_XDECREF(right);
    Py_XDECREF(left3);
    Py_XDECREF(right3);
    Py_XDECREF(product);
    return result;
}

/* A batch of matrices times one matrix or vector is one product of a tall matrix. */
static PyObject *folded(PyObject *a, PyObject *b)
{
    RtTensor *x = RT_TENSOR(a), *y = RT_TENSOR(b);
    int64_t tall[2] = {1, x->sizes[x->ndim - 1]}, sizes[RT_MAX_DIM];
    int rank = x->ndim - 1;
    for (int d = 0; d < rank; d++) {
        sizes[d] = x->sizes[d];
        tall[0] *= x->sizes[d];
    }
    PyObject *matrix = reshape(a, 2, tall);
    if (matrix == NULL)
        return NULL;
    PyObject *list[2] = {matrix, b};
    PyObject *product = call(y->ndim == 2 ? RT_OP_aten_mm : RT_OP_aten_mv, list, 2), *result = NULL;
    Py_DECREF(matrix);
    if (product == NULL)
        return NULL;
    if (y->ndim == 2)
        sizes[rank++] = y->sizes[1];
    result = call_with_sizes(RT_OP_aten__unsafe_view, product, rank, sizes);
    Py_DECREF(product);
    return result;
}

static PyObject *matmul(PyObject *a, PyObject *b)
{
    RtTensor *x = RT_TENSOR(a), *y = RT_TENSOR(b);
    PyObject *list[2] = {a, b};
    if (RT_LIKELY(x->ndim == 2 && y->ndim == 2))
        return call(RT_OP_aten_mm, list, 2);
    if (x->ndim == 0 || y->ndim == 0) {
        PyErr_Format(PyExc_RuntimeError, "both arguments to matmul need to be at least 1D, but they are %dD and %dD", (int)x->ndim,
                     (int)y->ndim);
        return NULL;
    }
    if (x->ndim == 1 && y->ndim == 1)
        return call(RT_OP_aten_dot, list, 2);
    if (x->ndim == 2 && y->ndim == 1)
        return call(RT_OP_aten_mv, list, 2);
    if (x->ndim == 1 && y->ndim == 2) {
        PyObject *row = call_with_dim(RT_OP_aten_unsqueeze, a, 0);
        if (row == NULL)
            return NULL;
        PyObject *pair[2] = {row, b};
        PyObject *product = call(RT_OP_aten_mm, pair, 2);
        Py_DECREF(row);
        PyObject *result = product != NULL ? call_with_dim(RT_OP_aten_squeeze_dim, product, 0) : NULL;
        Py_XDECREF(product);
        return result;
    }
    if (x->ndim >= 3 && y->ndim <= 2)
        return folded(a, b);
    return batched(a, b);
}

RT_KERNEL(matmul)
{
    return matmul(args[0], args[1]);
}

RT_KERNEL(matmul_out)
{
    const RtTensor *x = RT_TENSOR(args[0]), *y = RT_TENSOR(args[1]);
    if (x->ndim == 2 && y->ndim == 2)
        return call(RT_OP_aten_mm_out, args, 3);
    if (x->ndim == 3 && y->ndim == 3 && x->sizes[0] == y->sizes[0])
        return call(RT_OP_aten_bmm_out, args, 3);
    return rt_write_out(matmul(args[0], args[1]), args[2]);
}

/* ------------------------------------------------------------------------------------------------------------------------- linear */

static PyObject *addmm(PyObject *bias, PyObject *a, PyObject *b)
{
    PyObject *one = PyLong_FromLong(1);
    PyObject *result = one == NULL ? NULL : call(RT_OP_aten_addmm, (PyObject *[]){bias, a, b, one, one}, 5);
    Py_XDECREF(one);
    return result;
}

/* Sequences of vectors with a bias, one after the other in memory, are one product of matrices. */
static PyObject *flat_linear(PyObject *input, PyObject *transposed, PyObject *bias)
{
    const RtTensor *x = RT_TENSOR(input);
    int64_t sizes[3] = {x->sizes[0] * x->sizes[1], x->sizes[2]};
    PyObject *result = NULL, *made = NULL, *flat = call_with_sizes(RT_OP_aten_view, input, 2, sizes);
    if (flat != NULL)
        made = addmm(bias, flat, transposed);
    if (made != NULL) {
        sizes[0] = x->sizes[0], sizes[1] = x->sizes[1], sizes[2] = RT_TENSOR(made)->sizes[1];
        result = call_with_sizes(RT_OP_aten_view, made, 3, sizes);
    }
    Py_XDECREF(flat);
    Py_XDECREF(made);
    return result;
}

RT_KERNEL(linear)
{
    PyObject *input = args[0], *bias = args[2], *result = NULL;
    const RtTensor *x = RT_TENSOR(input), *weight = RT_TENSOR(args[1]);
    if (weight->ndim < 1 || weight->ndim > 2 || (weight->ndim == 1 && bias != Py_None)) {
        PyErr_Format(PyExc_RuntimeError, "linear(): argument 'weight' (position 2) must be a matrix or, without bias, a vector, but got %d dimensions",
                     weight->ndim);
        return NULL;
    }
    PyObject *transposed = call(RT_OP_aten_t, &args[1], 1);
    if (transposed == NULL)
        return NULL;
    if (bias == Py_None)
        result = matmul(input, transposed);
    else if (x->ndim == 2)
        result = addmm(bias, input, transposed);
    else if (x->ndim == 3 && RT_TENSOR(bias)->ndim == 1 && x->flags & RT_T_CONTIGUOUS)
        result = flat_linear(input, transposed, bias);
    else {
        PyObject *product = matmul(input, transposed), *one = PyLong_FromLong(1);
        if (product != NULL && one != NULL)
            result = call(RT_OP_aten_add_Tensor, (PyObject *[]){product, bias, one}, 3);
        Py_XDECREF(product);
        Py_XDECREF(one);
    }
    Py_DECREF(transposed);
    return result;
}

/* square: self ** 2, as PyTorch decomposes it. */
static PyObject *squared(int builtin, PyObject *self)
{
    PyObject *two = PyLong_FromLong(2);
    if (two == NULL)
        return NULL;
    PyObject *result = rt_call(rt_builtin_ops[builtin], (PyObject *[]){self, two}, 2);
    Py_DECREF(two);
    return result;
}
RT_KERNEL(square) { return squared(RT_OP_aten_pow_Tensor_Scalar, args[0]); }
RT_KERNEL(square_) { return squared(RT_OP_aten_pow__Scalar, args[0]); }

/* ------------------------------------------------------------------------------------------------------------------------ movedim */

/* Dimension numbers as they are given, wrapped, each once: their count, or -1 with an exception set. */
static int read_moved(PyObject *dims, int ndim, int64_t *given, int64_t *wrapped, const char *name)
{
    int n = PyTuple_Check(dims) ? rt_as_int64_array(dims, given, RT_MAX_DIM) : rt_as_int64(dims, given) < 0 ? -1 : 1;
    uint64_t seen = 0;
    for (int i = 0; i < n; i++) {
        if ((wrapped[i] = rt_wrap_dim(given[i], ndim ? ndim : 1)) < 0)
            return -1;
    }
    for (int i = 0; i < n; i++) {
        if (seen >> wrapped[i] & 1) {
            PyObject *text = rt_shape_text(n, given);
            if (text != NULL)
                PyErr_Format(PyExc_RuntimeError, "movedim: repeated dim in `%s` (%U)", name, text);
            Py_XDECREF(text);
            return -1;
        }
        seen |= (uint64_t)1 << wrapped[i];
    }
    return n;
}

/* The named dimensions go to their places, the others keep their order. */
RT_KERNEL(movedim_intlist)
{
    SELF;
    int64_t given[RT_MAX_DIM], from[RT_MAX_DIM], to[RT_MAX_DIM], order[RT_MAX_DIM];
    if (PyTuple_Check(args[1]) && PyTuple_GET_SIZE(args[1]) != PyTuple_GET_SIZE(args[2])) {
        PyObject *source = PySequence_List(args[1]), *destination = PySequence_List(args[2]);
        if (source != NULL && destination != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "movedim: Invalid source or destination dims: source (%S dims) should contain the same number of dims as destination "
                         "(%S dims)",
                         source, destination);
        Py_XDECREF(source);
        Py_XDECREF(destination);
        return NULL;
    }
    int n = read_moved(args[1], self->ndim, given, from, "source");
    if (n < 0 || read_moved(args[2], self->ndim, given, to, "destination") < 0)
        return NULL;
    if (self->ndim == 0)
        return call(RT_OP_aten_alias, args, 1);
    uint64_t placed = 0, moved = 0;
    for (int i = 0; i < n; i++) {
        order[to[i]] = from[i];
        placed |= (uint64_t)1 << to[i];
        moved |= (uint64_t)1 << from[i];
    }
    for (int d = 0, next = 0; d < self->ndim; d++) {
        if (placed >> d & 1)
            continue;
        while (moved >> next & 1)
            next++;
        order[d] = next++;
    }
    return call_with_sizes(RT_OP_aten_permute, args[0], self->ndim, order);
}

RT_SAME_KERNEL(movedim_int, movedim_intlist)
