# Copies and pickles of tensors: what `copy.deepcopy` and `pickle` call, subclasses and wrappers included.


def _rebuild_tensor(UntypedStorage storage not None, dtype element, int64_t offset, tuple sizes, tuple strides, bint requires_grad,
                    lazy_bits=0):
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
    cdef int i, n = len(sizes)
    cdef RtTensor *t
    if n != len(strides) or n > RT_MAX_DIM or offset < 0 or not rt_itemsize[element.code]:
        raise ValueError("sizes, strides and offset do not describe a tensor")
    for i in range(n):
        c_sizes[i] = sizes[i]
        c_strides[i] = strides[i]
        if c_sizes[i] < 0 or c_strides[i] < 0:
            raise ValueError("sizes, strides and offset do not describe a tensor")
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


def _rebuild_from_type(rebuild, kind, args, state):
    """A tensor of a subclass with its attributes: what pickles call."""
    result = rebuild(*args)
    if type(result) is not kind:
        result = as_subclass(result, kind)
    if state:
        result.__dict__.update(state)
    return result


cdef object reduce_tensor(object self):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if t.storage == NULL:
        raise NotImplementedError(f"Cannot access storage of {class_name(self)}")
    lazy_bits = has_key(t, RT_KEY_Conjugate) | has_key(t, RT_KEY_Negative) << 1
    args = (self.untyped_storage(), self.dtype, t.offset, tuple(self.shape), self.stride(), self.requires_grad, lazy_bits)
    state = dict(<object>t.dict) if rt_has_dict(t) else None
    if type(self) is Tensor and not state:
        return _rebuild_tensor, args
    return _rebuild_from_type, (_rebuild_tensor, type(self), args, state)


cdef object deepcopy_tensor(object self, dict memo):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if self.grad_fn is not None:
        raise RuntimeError("Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  "
                           "If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, "
                           "see https://github.com/pytorch/pytorch/pull/103001")
    if id(self) in memo:
        return memo[id(self)]
    from copy import deepcopy
    cdef bint plain = type(self) is Tensor
    if t.storage == NULL or (t.storage.data == NULL and t.device_type != DEVICE_META and not (plain and t.storage.nbytes == 0)):
        result = self.clone()  # a wrapper subclass: only its handler knows what is inside
        if type(result) is not type(self):
            raise RuntimeError("The default implementation of __deepcopy__() for wrapper subclasses only works for subclass types that "
                               "implement clone() and for which cloning returns another instance of the same subclass. You should either "
                               "properly implement clone() for your subclass or override __deepcopy__() if it is intended behavior for "
                               "clone() to return an instance of a different type.")
    else:
        storage = self.untyped_storage().__deepcopy__(memo)
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
