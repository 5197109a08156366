# Indexing: `x[...]` and `x[...] = value` as views (select, slice, unsqueeze) and, for tensors and sequences as indices, index and
# index_put_. Every step goes through the dispatcher, so modes and subclasses see PyTorch's operators.

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_select_int, RT_OP_aten_slice_Tensor, RT_OP_aten_unsqueeze, RT_OP_aten_alias
        RT_OP_aten_index_Tensor, RT_OP_aten_index_put_, RT_OP_aten_fill__Scalar, RT_OP_aten_fill__Tensor, RT_OP_aten_view


cdef object ZERO = 0
cdef object STEP_ONE = 1
cdef object FAR = 0x7fffffffffffffff  # the end of a slice that has none


cdef object call_view(int which, object self, object a, object b, object c, object d, int n):
    cdef PyObject *args[5]
    args[0] = <PyObject *>self
    args[1] = <PyObject *>a
    args[2] = <PyObject *>b
    args[3] = <PyObject *>c
    args[4] = <PyObject *>d
    return steal(rt_call(rt_builtin_ops[which], args, n))


cdef object select(object self, int dim, object index, int real_dim):
    """`self.select(dim, index)`, with the error texts of indexing; `real_dim` is the dimension in the tensor that was indexed."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int64_t i = index_number(index), size
    if dim >= t.ndim:
        raise IndexError("too many indices for tensor")
    size = t.sizes[dim]
    if not -size <= i < size:
        raise IndexError(f"index {i} is out of bounds for dimension {real_dim} with size {size}")
    return call_view(RT_OP_aten_select_int, self, dim, index, None, None, 3)


cdef object slice_bound(object value):
    """A bound of a slice as an int or None; far-away bounds are cut to what an int64 holds."""
    cdef int overflow = 0
    if value is None:
        return None
    if type(value) is int:
        c_long_fits(<PyObject *>value, &overflow)
        if not overflow:
            return value
    if not hasattr(value, "__index__"):
        raise TypeError("slice indices must be integers or None or have an __index__ method")
    number = value.__index__()
    return min(max(number, -0x7fffffffffffffff), 0x7fffffffffffffff)


cdef object take_slice(object self, int dim, slice index):
    cdef object step = STEP_ONE if index.step is None else slice_bound(index.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    if step < 0:
        raise ValueError("step must be greater than zero")
    if index.start is None and index.stop is None and step == 1:
        return self
    start = slice_bound(index.start)
    stop = slice_bound(index.stop)
    return call_view(RT_OP_aten_slice_Tensor, self, dim, ZERO if start is None else start,
                     FAR if stop is None else stop, step, 5)


cdef bint is_plain_int(object index) noexcept:
    return type(index) is int


cdef int dims_used(tuple index) except -1:
    """How many dimensions of the tensor an index covers, without its Ellipsis."""
    cdef int n = 0
    for item in index:
        if item is None or item is Ellipsis or item is True or item is False:
            continue
        if rt_is_tensor(<PyObject *>item) and RT_TENSOR(<void *>item).dtype in (CODE_BOOL, 0):
            n += RT_TENSOR(<void *>item).ndim
        elif isinstance(item, (list, tuple)) and is_mask(item):
            n += len(sequence_sizes(item))
        elif cnp.PyArray_Check(item) and item.dtype.kind == "b":
            n += item.ndim
        else:
            n += 1
    return n


cdef bint is_mask(object sequence) except -1:
    """Whether a nested sequence holds bools."""
    cdef int depth = 0
    while isinstance(sequence, (list, tuple)) and len(sequence):
        sequence = sequence[0]
        depth += 1
        if depth > RT_MAX_DIM:
            raise ValueError("too many dimensions in an index: a list that holds itself?")
    return isinstance(sequence, bool)


cdef object index_tensor(object item, object self):
    """An index that is no int, slice, None or Ellipsis, as a tensor on the right device."""
    if rt_is_tensor(<PyObject *>item):
        return item
    if cnp.PyArray_Check(item):
        return place_on(tensor_of_array(item), self.device)
    if isinstance(item, (list, tuple, range, str)):
        return place_on(make_tensor(item, None if len(item) else dtype_names["int64"], None, False, False), self.device)
    raise IndexError("only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices "
                     f"(got {class_name(item)})")


cdef object bool_index(bint take, object self):
    """The index of a dimension of size one that a bool stands for: all of it or nothing."""
    return place_on(tensor_from_data([0] if take else [], 4), self.device)


cdef tuple apply_views(object self, tuple index):
    """The view that the ints, slices, None and Ellipsis of an index make, and the list of index tensors that remain (None where the
    dimension is whole)."""
    cdef int dim = 0
    cdef int real_dim = 0
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int ndim = t.ndim
    cdef int used = dims_used(index)
    cdef int span, covered = 0   # dimensions that masks take beyond their one place in the list
    cdef list tensors = []
    cdef bint seen_ellipsis = False
    if used > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    result = self
    for item in index:
        if item is None:
            result = call_view(RT_OP_aten_unsqueeze, result, dim, None, None, None, 2)
            dim += 1
        elif item is Ellipsis:
            # A second Ellipsis stands for nothing.
            if not seen_ellipsis:
                dim += ndim - used
                real_dim += ndim - used
            seen_ellipsis = True
        elif type(item) is slice:
            result = take_slice(result, dim, item)
            dim += 1
            real_dim += 1
        elif isinstance(item, bool):
            result = call_view(RT_OP_aten_unsqueeze, result, dim, None, None, None, 2)
            put_index(tensors, dim - covered, bool_index(item, self))
            dim += 1
        elif isinstance(item, int):
            result = select(result, dim, int(item), real_dim)
            real_dim += 1
        elif rt_is_tensor(<PyObject *>item) and RT_TENSOR(<void *>item).ndim == 0:
            if dtype_kind(RT_TENSOR(<void *>item).dtype) == KIND_BOOL or RT_TENSOR(<void *>item).dtype == 0:
                result = call_view(RT_OP_aten_unsqueeze, result, dim, None, None, None, 2)
                put_index(tensors, dim - covered, bool_index(bool(item), self))
                dim += 1
            elif dtype_kind(RT_TENSOR(<void *>item).dtype) == KIND_INT and RT_TENSOR(<void *>item).device_type == DEVICE_CPU:
                result = select(result, dim, int(item), real_dim)
                real_dim += 1
            else:
                put_index(tensors, dim - covered, item)
                dim += 1
                real_dim += 1
        elif cnp.PyArray_Check(item) and item.ndim == 0 and item.dtype.kind in "iu":
            result = select(result, dim, int(item), real_dim)
            real_dim += 1
        elif not isinstance(item, (list, tuple, range, Tensor)) and not cnp.PyArray_Check(item) and hasattr(item, "__index__"):
            result = select(result, dim, item.__index__(), real_dim)
            real_dim += 1
        else:
            item = index_tensor(item, self)
            put_index(tensors, dim - covered, item)
            span = RT_TENSOR(<void *>item).ndim if RT_TENSOR(<void *>item).dtype in (CODE_BOOL, 0) else 1
            dim += span
            real_dim += span
            covered += span - 1
    return result, tensors


cdef int put_index(list tensors, int dim, object item) except -1:
    while len(tensors) < dim:
        tensors.append(None)
    tensors.append(item)
    return 0


cdef tuple as_index_tuple(object index):
    """An index as a tuple. A short list that holds slices, None, Ellipsis, tensors or sequences stands for a tuple too."""
    if isinstance(index, tuple):
        for item in index:
            if type(item) is not int and type(item) is not slice and is_foreign_tensor(item):
                return tuple([shared_tensor(item) if is_foreign_tensor(item) else item for item in index])
        return tuple(index)
    if type(index) is not slice and is_foreign_tensor(index):
        return (shared_tensor(index),)
    if isinstance(index, list) and len(index) < 32:
        for item in index:
            if item is None or item is Ellipsis or isinstance(item, (slice, Tensor, list, tuple)):
                from warnings import warn
                warn("Using a non-tuple sequence for multidimensional indexing is deprecated and will be changed in pytorch 2.9; use "
                     "x[tuple(seq)] instead of x[seq]. In pytorch 2.9 this will be interpreted as tensor index, x[torch.tensor(seq)], which "
                     "will result either in an error or a different result", stacklevel=1)
                return tuple(index)
    return (index,)


cdef int64_t index_number(object index) except? -1:
    try:
        return index
    except OverflowError:
        raise ValueError("Overflow when unpacking long long") from None


cdef object alias_of(object self):
    return call_view(RT_OP_aten_alias, self, None, None, None, None, 1)


cdef object get_item(object self, object index):
    cdef PyObject *args[3]
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int64_t i
    if is_plain_int(index):
        if t.ndim == 0:
            raise IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a "
                             "0-dim tensor to a number")
        i = index_number(index)
        if unlikely(not -t.sizes[0] <= i < t.sizes[0]):
            raise IndexError(f"index {i} is out of bounds for dimension 0 with size {t.sizes[0]}")
        args[0] = <PyObject *>self
        args[1] = <PyObject *>ZERO
        args[2] = <PyObject *>index
        return steal(rt_call(rt_builtin_ops[RT_OP_aten_select_int], args, 3))
    if index is Ellipsis:
        return alias_of(self)
    result, tensors = apply_views(self, as_index_tuple(index))
    if not tensors:
        if result is not self:
            return result
        # `x[:]` is a slice, though a whole one; within more indices whole slices are none.
        if type(index) is slice:
            return call_view(RT_OP_aten_slice_Tensor, self, 0, ZERO, FAR, STEP_ONE, 5)
        return alias_of(self)
    return call_view(RT_OP_aten_index_Tensor, result, tuple(tensors), None, None, None, 2)


cdef bint is_python_number(object value) noexcept:
    return isinstance(value, (int, float, complex))


cdef object exact_number(object value):
    """A number without what a subclass adds, in the range of a Scalar."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        index_number(value)
        return int(value)
    return float(value) if isinstance(value, float) else complex(value)


cdef object value_tensor(object value, object target):
    """The right side of an assignment as a tensor of the target's dtype."""
    cdef RtTensor *t = RT_TENSOR(<void *>target)
    if rt_is_tensor(<PyObject *>value):
        return value
    if cnp.PyArray_Check(value):
        return tensor_of_array(value)
    if is_foreign_tensor(value):
        return shared_tensor(value)
    if cnp.PyArray_CheckScalar(value):
        value = value.item()
    if is_python_number(value):
        made = new_cpu_tensor([], t.dtype)
        try:
            rt_store_element(RT_TENSOR(<void *>made).storage.data, t.dtype, <PyObject *>value)
        except OverflowError:
            raise RuntimeError(f"value cannot be converted to type {scalar_type_name(t.dtype)} without overflow") from None
        return lifted(place_on(made, target.device))
    raise TypeError(f"can't assign a {class_name(value)} to a torch.{scalar_type_name(t.dtype)}Tensor")


cdef extern from "kernels/shared/structured.h":
    int rt_check_no_internal_overlap(const RtTensor *written) noexcept


cdef int copy_into(object target, object value) except -1:
    """`target.copy_(value)`, with a value's leading dimensions of size one dropped and the value broadcast."""
    cdef RtTensor *v
    if cnp.PyArray_CheckScalar(value):
        value = value.item()
    if is_python_number(value):
        if unlikely(not RT_TENSOR(<void *>target).flags & RT_T_DENSE and rt_check_no_internal_overlap(RT_TENSOR(<void *>target)) < 0):
            raise_current()   # as copy_ does, which fill_ stands for here
        call_view(RT_OP_aten_fill__Scalar, target, exact_number(value), None, None, None, 2)
        return 0
    value = value_tensor(value, target)
    if unlikely(is_watched(target) or is_watched(value)):
        return copy_watched(target, value)
    v = RT_TENSOR(<void *>value)
    while v.ndim > RT_TENSOR(<void *>target).ndim and v.sizes[0] == 1:
        value = call_view(RT_OP_aten_select_int, value, 0, 0, None, None, 3)
        v = RT_TENSOR(<void *>value)
    call_view(RT_OP_aten_copy_, target, value, False, None, None, 3)
    return 0


cdef inline bint is_watched(object t) noexcept:
    """Whether somebody sees the operators that a call on a tensor makes, and shall see PyTorch's."""
    return goes_to_python(RT_TENSOR(<void *>t)) or rt_tls_state.included & ~rt_tls_state.excluded & watching_bits != 0


cdef int copy_watched(object target, object value) except -1:
    """`copy_into` step by step as PyTorch does it: a view without leading dimensions of size one, broadcast by expand."""
    cdef RtTensor *v = RT_TENSOR(<void *>value)
    cdef int first = 0
    target_sizes, sizes = target.size(), value.size()
    if target_sizes == sizes:
        call_view(RT_OP_aten_copy_, target, value, False, None, None, 3)
        return 0
    if len(sizes) == 0 and v.device_type == DEVICE_CPU:
        call_view(RT_OP_aten_fill__Tensor, target, value, None, None, None, 2)
        return 0
    while first < len(sizes) and sizes[first] == 1:
        first += 1
    value = call_view(RT_OP_aten_view, value, tuple(sizes[first:]), None, None, None, 2)
    if value.size() != target_sizes:
        value = call_view(RT_OP_aten_expand, value, tuple(target_sizes), False, None, None, 3)
    call_view(RT_OP_aten_copy_, target, value, False, None, None, 3)
    return 0


cdef bint may_override_item(object index, object value) noexcept:
    """Whether an index, something in it, or the value that is assigned may have a `__torch_function__` of its own."""
    cdef PyTypeObject *kind = RT_TYPE(<void *>index)
    cdef Py_ssize_t i
    cdef PyObject **items
    if rt_tls_state.function_state != RT_FUNCTION_ENABLED:
        return False
    if value is not None and RT_TYPE(<void *>value) != &c_float and RT_TYPE(<void *>value) != rt_TensorType:
        if has_torch_function(<PyObject *>value):
            return True
    if kind == &c_long or kind == rt_TensorType or index is None or index is Ellipsis:
        return False
    if kind == &c_tuple or kind == &c_list:
        items = RT_TUPLE_ITEMS(<void *>index) if kind == &c_tuple else RT_LIST_ITEMS(<void *>index)
        for i in range(RT_SIZE(<void *>index)):
            if RT_TYPE(items[i]) != &c_long and RT_TYPE(items[i]) != rt_TensorType and has_torch_function(items[i]):
                return True
        return False
    return has_torch_function(<PyObject *>index)


cdef int set_item(object self, object index, object value) except -1:
    if index is False:
        return 0
    if unlikely(is_watched(self)) and is_python_number(value):
        value = value_tensor(exact_number(value), self)
    if index is Ellipsis or index is True:
        return copy_into(self, value)
    result, tensors = apply_views(self, as_index_tuple(index))
    if not tensors:
        return copy_into(result, value)
    if 12 <= RT_TENSOR(<void *>result).dtype <= 14 and is_python_number(value):
        import runtime
        made = runtime.tensor(float(value), dtype=runtime.float32)   # index_put_ quantizes it
    else:
        made = value_tensor(value, result)
    if cnp.PyArray_Check(value) and RT_TENSOR(<void *>made).dtype != RT_TENSOR(<void *>result).dtype:
        made = made.to(result.dtype)   # an array is data, as in `t[:] = array`
    call_view(RT_OP_aten_index_put_, result, tuple(tensors), made, False, None, 4)
    return 0
