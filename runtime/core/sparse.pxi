# Sparse tensors in coordinates (layout `sparse_coo`): the tensor itself, and what its kernels (runtime/kernels/sparse_*.py) ask of it.
#
# A sparse tensor has sizes and the key Sparse, but no memory: its storage is empty, and the owner of the storage is a SparseParts, which
# holds the indices and the values. Parts never change: an operator that writes gives the tensor another storage, so that what shares the
# old one (a detached tensor, what a node has saved) stays as it was, as in PyTorch. Nothing here reads an index: what does must check it.

cdef rt_keyset sparse_bit = RT_FUNCTIONALITY_BIT(RT_KEY_Sparse)


@cython.final
cdef class SparseParts:
    """Coordinates and values of a sparse tensor; see `_sparse_tensor`."""
    cdef readonly object indices, values
    cdef readonly int sparse_dim
    cdef readonly bint coalesced

    def __init__(self):
        raise TypeError("SparseParts are made by _sparse_tensor()")

    @property
    def nnz(self):
        """How many coordinates there are."""
        return RT_TENSOR(<void *>self.indices).sizes[1]


cdef bint is_sparse_tensor(object o) noexcept:
    return rt_is_tensor(<PyObject *>o) and RT_TENSOR(<void *>o).keys & sparse_bit != 0


cdef object unshared(object tensor):
    """A tensor's memory and version counter without its history and its class, which the parts of a sparse tensor do not have."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    if t.keys & unusual_bits:
        tensor = detached(tensor).clone()
        t = RT_TENSOR(<void *>tensor)
    return steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))


cdef SparseParts checked_parts(int64_t *sizes, int ndim, object indices, object values, object coalesced):
    """Parts of a tensor of these sizes; raises where they do not fit together."""
    cdef RtTensor *i
    cdef RtTensor *v
    cdef int d
    cdef SparseParts parts
    if not rt_is_tensor(<PyObject *>indices) or not rt_is_tensor(<PyObject *>values):
        raise TypeError(f"a sparse tensor is made of two Tensors, not {class_name(indices)} and {class_name(values)}")
    i = RT_TENSOR(<void *>indices)
    v = RT_TENSOR(<void *>values)
    if (i.keys | v.keys) & sparse_bit:
        name = "indices" if i.keys & sparse_bit else "values"
        raise RuntimeError(f"expected {name} to be a dense tensor, but got {name} of layout Sparse")
    if i.dtype != 4:
        raise TypeError(f"indices must be an int64 tensor, but got indices of {dtype_of_code(i.dtype)}")
    if i.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    if i.device_type != DEVICE_CPU or v.device_type != DEVICE_CPU:
        raise NotImplementedError(f"sparse tensors are on the CPU here, but indices are on {indices.device} and values on {values.device}")
    if i.sizes[0] + v.ndim - 1 != ndim:
        raise RuntimeError(f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {ndim}, sparse_dim = {i.sizes[0]}, "
                           f"dense_dim = {v.ndim - 1}")
    if v.sizes[0] != i.sizes[1]:
        raise RuntimeError(f"indices and values must have same nnz, but got nnz from indices: {i.sizes[1]}, nnz from values: {v.sizes[0]}")
    for d in range(1, v.ndim):
        if v.sizes[d] != sizes[i.sizes[0] + d - 1]:
            expected = [v.sizes[0], *(sizes[k] for k in range(i.sizes[0], ndim))]
            raise RuntimeError(f"values has incorrect size, expected {expected}, got {list(values.shape)}")
    parts = SparseParts.__new__(SparseParts)
    parts.indices = unshared(indices)
    parts.values = unshared(values)
    parts.sparse_dim = <int>i.sizes[0]
    parts.coalesced = i.sizes[1] < 2 if coalesced is None else coalesced or i.sizes[1] == 0
    return parts


cdef int put_parts(RtTensor *t, int ndim, int64_t *sizes, SparseParts parts) except -1:
    """Let a tensor be the sparse tensor of these sizes and parts."""
    cdef int64_t strides[RT_MAX_DIM]
    cdef rt_storage *old = t.storage
    cdef rt_storage *s
    memset(strides, 0, sizeof(strides))
    s = rt_storage_foreign(NULL, 0, <PyObject *>parts, DEVICE_CPU, -1, 0)
    if s == NULL:
        raise_current()
    if rt_set_geometry(t, ndim, sizes, strides, 0) < 0:
        rt_storage_decref(s)
        raise_current()
    t.storage = s
    t.dtype = RT_TENSOR(<void *>parts.values).dtype
    if old != NULL:
        rt_storage_decref(old)
    return 0


cdef int read_shape(object shape, int64_t *sizes) except -1:
    cdef int ndim = 0
    for size in shape:
        if ndim == RT_MAX_DIM:
            raise RuntimeError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported")
        sizes[ndim] = size
        ndim += 1
    if rt_check_sizes(ndim, sizes) < 0:
        raise_current()
    return ndim


def _sparse_tensor(shape, indices, values, coalesced=None):
    """A sparse tensor on the memory of its indices and values, outside autograd.

    Parameters
    ----------
    shape : sequence of int
    indices : Tensor
        Coordinates: int64, a row for each sparse dimension and a column for each value. They are not read: kernels check them where they
        lead to memory.
    values : Tensor
        A value for each column; its further dimensions are the dense ones.
    coalesced : bool, optional
        Whether the columns are sorted and distinct; None says that nobody knows, unless there are fewer than two.
    """
    cdef int64_t sizes[RT_MAX_DIM]
    cdef int ndim = read_shape(shape, sizes)
    cdef SparseParts parts = checked_parts(sizes, ndim, indices, values, coalesced)
    cdef RtTensor *t
    result = steal(<PyObject *>rt_tensor_header(0))
    t = RT_TENSOR(<void *>result)
    t.keys = (rt_keyset_of_device(DEVICE_CPU) & ~RT_FUNCTIONALITY_BIT(K_Dense)) | sparse_bit
    t.device_type = DEVICE_CPU
    t.device_index = -1
    if rt_tls_state.inference:
        t.keys &= ~(RT_FUNCTIONALITY_BIT(K_ADInplaceOrView) | autograd_bits)
    put_parts(t, ndim, sizes, parts)
    return result


def _sparse_parts(tensor):
    """The `SparseParts` of a sparse tensor: its indices, values, number of sparse dimensions, and whether it is coalesced."""
    cdef RtTensor *t
    if not rt_is_tensor(<PyObject *>tensor):
        raise TypeError(f"_sparse_parts(): expected a Tensor, not {class_name(tensor)}")
    t = RT_TENSOR(<void *>tensor)
    if not t.keys & sparse_bit or t.storage == NULL or t.storage.owner == NULL or RT_TYPE(t.storage.owner) != <PyTypeObject *>SparseParts:
        raise RuntimeError(f"expected a tensor of layout torch.sparse_coo, but got one of {tensor.layout}; convert it with to_sparse()")
    return <object>t.storage.owner


def _set_sparse_parts(tensor, shape, indices, values, coalesced):
    """Give a sparse tensor other sizes and parts of its dtype: what operators do that write to it."""
    cdef int64_t sizes[RT_MAX_DIM]
    cdef int ndim = read_shape(shape, sizes)
    cdef RtTensor *t
    _sparse_parts(tensor)
    t = RT_TENSOR(<void *>tensor)
    parts = checked_parts(sizes, ndim, indices, values, coalesced)
    if RT_TENSOR(<void *>parts.values).dtype != t.dtype:
        raise RuntimeError(f"a sparse tensor of {tensor.dtype} cannot hold values of {values.dtype}")
    put_parts(t, ndim, sizes, parts)


cdef object only_sparse_element(object self):
    """The element of a sparse tensor of one element: the sum of its values."""
    cdef SparseParts parts = _sparse_parts(self)
    return parts.values.sum().to(self.dtype).item()


cdef public PyObject *rt_values_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """An operator that looks at each element alone and keeps zeros: kernels/keys.yaml lists those that sparse tensors have."""
    cdef Py_ssize_t i
    try:
        from runtime.kernels.sparse_pointwise import on_values
        result = on_values(overload_of(op), [python_value(&op.args[i], args[i]) for i in range(n)])
        RT_INC(<void *>result)
        return <PyObject *>result
    except BaseException as e:
        set_current(e)
        return NULL
