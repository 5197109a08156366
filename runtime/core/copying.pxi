# Copies and pickles of tensors: what `copy.deepcopy` and `pickle` call, subclasses and wrappers included.


def _rebuild_tensor(UntypedStorage storage not None, dtype element not None, int64_t offset, tuple sizes not None, tuple strides not None,
                    bint requires_grad, int lazy_bits=0):
    """A tensor on a storage: what pickles call.

    Parameters
    ----------
    storage : UntypedStorage
        The memory.
    element : dtype
        The dtype of the elements.
    offset : int
        Where the first element lies, in elements.
    sizes, strides : tuple of int
        The geometry, in elements. It must lie inside the storage.
    requires_grad : bool
        Whether the tensor requires gradients.
    lazy_bits : int
        1: conjugated, 2: negated.
    """
    cdef int64_t c_sizes[64]
    cdef int64_t c_strides[64]
    cdef int64_t nbytes
    cdef Py_ssize_t i, n = len(sizes)
    cdef RtTensor *t
    if n != len(strides) or n > RT_MAX_DIM or offset < 0 or not rt_itemsize[element.code]:
        raise ValueError("sizes, strides and offset do not describe a tensor")
    for i in range(n):
        c_sizes[i] = sizes[i]
        c_strides[i] = strides[i]
        if c_sizes[i] < 0 or c_strides[i] < 0:
            raise ValueError("sizes, strides and offset do not describe a tensor")
    if lazy_bits & ~3 or (lazy_bits & 1 and dtype_kind(element.code) != KIND_COMPLEX):
        raise ValueError(f"lazy_bits={lazy_bits} do not fit a tensor of {element}")
    if rt_check_sizes(n, c_sizes) < 0:
        raise_current()
    nbytes = rt_storage_bytes(n, c_sizes, c_strides, offset, rt_itemsize[element.code])
    if nbytes > storage.s.nbytes:
        raise ValueError(f"the tensor needs {nbytes} bytes, but its storage has {storage.s.nbytes}")
    result = tensor_on(storage.s, element.code, n, c_sizes, c_strides, offset)
    t = RT_TENSOR(<void *>result)
    if lazy_bits & 1:
        t.keys |= RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate)
    if lazy_bits & 2:
        t.keys |= RT_FUNCTIONALITY_BIT(RT_KEY_Negative)
    if requires_grad:
        set_requires_grad(t, True)
    return result


def _rebuild_sparse(shape, indices, values, coalesced, requires_grad):
    """A sparse tensor of its parts: what pickles call."""
    result = _sparse_tensor(shape, indices, values, coalesced)
    if requires_grad:
        set_requires_grad(RT_TENSOR(<void *>result), True)
    return result


def _rebuild_wrapper(kind, element, sizes, strides, offset, layout, device, requires_grad):
    """A tensor of a wrapper class, without what it wraps: that is in its attributes."""
    return Tensor._make_wrapper_subclass(kind, sizes, strides=strides, storage_offset=offset, dtype=element, layout=layout, device=device,
                                         requires_grad=requires_grad)


def _rebuild_from_type(rebuild, kind, args, state):
    """A tensor of a subclass with its attributes: what pickles call.

    Parameters
    ----------
    rebuild : callable
        Makes the tensor from `args`.
    kind : type
        The class.
    args : tuple
    state : object
        For the class's `__setstate__`; without one the attributes as a dict, or a pair of dicts, the second for slots.
    """
    result = rebuild(*args)
    if not rt_is_tensor(<PyObject *>result):
        raise TypeError(f"a pickled tensor is rebuilt by {rebuild}, which made a {class_name(result)}")
    if type(result) is not kind:
        result = as_subclass(result, kind)
    if kind.__setstate__ is not Tensor.__setstate__:
        result.__setstate__(state)
    else:
        set_attributes(result, state)
    return result


def _set_attributes(obj, state):
    """Set the attributes that a pickle says an object has; returns the object."""
    set_attributes(obj, state)
    return obj


cdef int set_attributes(object obj, object state) except -1:
    parts = state if type(state) is tuple else (state, None)
    if len(parts) != 2:
        raise RuntimeError(f"Invalid serialized state: {state}")
    for part in parts:
        if part is not None:
            for name, value in part.items():
                setattr(obj, name, value)
    return 0


cdef tuple rebuilding_call(object self):
    """The function and the arguments that make a tensor again, of the class Tensor where it has memory."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if tensor_hooks(self):
        from runtime.utils.hooks import warn_if_has_hooks
        warn_if_has_hooks(self)
    if type(self) is not Tensor and has_key(t, RT_KEY_Python) and (t.storage == NULL or t.storage.data == NULL):
        return _rebuild_wrapper, (type(self), self.dtype, tuple(self.size()), self.stride(), self.storage_offset(), self.layout, self.device,
                                  self.requires_grad)
    if t.storage == NULL:
        raise NotImplementedError(f"Cannot access storage of {class_name(self)}")
    if has_key(t, RT_KEY_Quantized):
        return _rebuild_quantized, (self.untyped_storage(), self.dtype, t.offset, tuple(self.shape), self.stride(), _quantizer(self))
    if has_key(t, RT_KEY_Sparse):
        parts = _sparse_parts(self)
        return _rebuild_sparse, (tuple(self.shape), parts.indices, parts.values, parts.coalesced, self.requires_grad)
    lazy_bits = has_key(t, RT_KEY_Conjugate) | has_key(t, RT_KEY_Negative) << 1
    return _rebuild_tensor, (self.untyped_storage(), self.dtype, t.offset, tuple(self.shape), self.stride(), self.requires_grad, lazy_bits)


cdef object reduce_tensor(object self):
    cdef bint plain = type(self) is Tensor
    call = rebuilding_call(self)
    state = None if plain and not rt_has_dict(RT_TENSOR(<void *>self)) else self.__getstate__()
    if plain and not state:
        return call
    rebuild, args = call
    return _rebuild_from_type, (rebuild, type(self), args, state)


# From protocol 5 on a storage goes into a pickle as a buffer, which need not be copied at all: see `pickle`'s out-of-band buffers.

cdef object reduce_storage(UntypedStorage self, int protocol):
    cdef int64_t n = self.s.nbytes, one = 1
    if self.s.device_type == DEVICE_META:
        return _rebuild_storage, (n, "meta")
    if protocol < 5 or n == 0:
        return _rebuild_storage, (bytes(self), "cpu")
    from pickle import PickleBuffer
    storage_data(self.s)
    contents = tensor_on(self.s, 0, 1, &n, &one, 0)
    return _storage_over, (PickleBuffer(array_over(RT_TENSOR(<void *>contents), True, False)),)


def _storage_over(buffer):
    """A storage on the memory of an object with the buffer protocol: what pickles call.

    The memory is shared. It is copied only where elements would not be aligned.
    """
    cdef uint32_t flags = 0
    cdef char *data
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise ValueError("a storage needs a contiguous buffer")
    if view.nbytes == 0:
        return UntypedStorage(0)
    data = <char *>buffer_address(view)
    if <uintptr_t>data % 16:
        copy = UntypedStorage(view.nbytes)
        memcpy((<UntypedStorage>copy).s.data, data, view.nbytes)
        return copy
    if view.readonly:
        warn_read_only("buffer")
        flags = RT_STORAGE_READONLY
    elif type(buffer) is bytearray:
        flags = RT_STORAGE_RESIZABLE  # the pickle's own copy, which nobody else holds; resizing leaves it
    return new_storage_object(rt_storage_foreign(data, view.nbytes, <PyObject *>view, DEVICE_CPU, -1, flags))


cdef object deepcopy_tensor(object self, dict memo):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if self.grad_fn is not None:
        raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
                           "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
                           "see https://github.com/pytorch/pytorch/pull/103001")
    if id(self) in memo:
        return memo[id(self)]
    cdef bint recorded = not rt_tls_state.no_grad
    rt_tls_state.no_grad = True
    try:
        return deepcopy_of_leaf(self, memo)
    finally:
        rt_tls_state.no_grad = not recorded


cdef object deepcopy_of_leaf(object self, dict memo):
    from copy import deepcopy
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef bint plain = type(self) is Tensor
    if has_key(t, RT_KEY_Sparse) or t.storage == NULL or (t.storage.data == NULL and t.device_type != DEVICE_META
                                                          and not (plain and t.storage.nbytes == 0)):
        result = self.clone()  # a wrapper subclass: only its handler knows what is inside
        if type(result) is not type(self):
            raise RuntimeError("The default implementation of __deepcopy__() for wrapper subclasses only works for subclass types that "
                               "implement clone() and for which cloning returns another instance of the same subclass. You should either "
                               "properly implement clone() for your subclass or override __deepcopy__() if it is intended behavior for "
                               "clone() to return an instance of a different type.")
        if self.requires_grad:
            result.requires_grad_()
    else:
        storage = self.untyped_storage().__deepcopy__(memo)
        if has_key(t, RT_KEY_Quantized):
            result = _rebuild_quantized(storage, self.dtype, t.offset, tuple(self.shape), self.stride(), deepcopy(_quantizer(self), memo))
        else:
            result = _rebuild_tensor(storage, self.dtype, t.offset, tuple(self.shape), self.stride(), False)
        if has_key(t, RT_KEY_Conjugate):
            result = result.conj_physical()
        if has_key(t, RT_KEY_Negative):
            result = result.neg()
        result.requires_grad_(self.requires_grad)
        if not plain:
            empty = self.new_empty([])
            if type(empty) is not type(self):
                raise RuntimeError("The default implementation of __deepcopy__() for non-wrapper subclasses only works for subclass types "
                                   "that implement new_empty() and for which that function returns another instance of the same "
                                   "subclass. You should either properly implement new_empty() for your subclass or override "
                                   "__deepcopy__() if it is intended behavior for new_empty() to return an instance of a different type.")
            rt_tensor_copy_impl(RT_TENSOR(<void *>empty), RT_TENSOR(<void *>result))
            empty.requires_grad_(self.requires_grad)
            result = empty
    if not plain:
        import copyreg
        for slot in copyreg._slotnames(type(self)):
            if hasattr(self, slot):
                setattr(result, slot, deepcopy(getattr(self, slot), memo))
    memo[id(self)] = result
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    if ext != NULL and ext.grad != NULL:
        grad = deepcopy(<object>ext.grad, memo)
        put_grad(RT_TENSOR(<void *>result), <PyObject *>grad)
    if rt_has_dict(t):
        result.__dict__.update(deepcopy(<object>t.dict, memo))
    return result
