# Tensors of subclasses: `_make_subclass`, `_make_wrapper_subclass`, `as_subclass`, shallow copies, and the questions about geometry,
# device and layout that a subclass may answer itself.

cdef PyTypeObject *subclass_type(object cls) except NULL:
    if not PyType_Check_(<PyObject *>cls):
        raise TypeError(f"cls must be a type (got {class_name(cls)})")
    if not PyType_IsSubtype(<PyTypeObject *>cls, rt_TensorType):
        raise TypeError("Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class "
                        "inherits from Tensor.")
    return <PyTypeObject *>cls


cdef uint32_t policy_flags(object policy, bint dispatch_device, bint dispatch_layout) except? 0xffffffff:
    cdef uint32_t flags = 0
    if policy is not None:
        if policy == "sizes":
            flags |= RT_T_DISPATCH_SIZES | RT_T_DISPATCH_STRIDES
        elif policy == "strides":
            flags |= RT_T_DISPATCH_STRIDES
        else:
            raise ValueError(f"Unknown sizes_strides_policy: {policy}; expected 'strides' or 'sizes'")
    if dispatch_device:
        flags |= RT_T_DISPATCH_DEVICE
    if dispatch_layout:
        flags |= RT_T_DISPATCH_LAYOUT
    return flags


cdef object already_bound(object cls, object data):
    """The error for data that a handler has made: it is another subclass's tensor."""
    return RuntimeError(f"Creating a new Tensor subclass {(<type>cls).__name__} but the raw Tensor object is already associated to a python "
                        f"object of type {class_name(data)} which is not a subclass of the requested type")


cdef object adopt(PyTypeObject *cls, object plain):
    """An object of a class on a plain tensor's data: same memory and version counter."""
    cdef RtTensor *t = RT_TENSOR(<void *>plain)
    cdef RtTensor *r
    result = steal(<PyObject *>rt_tensor_of_type(cls, 0))
    r = RT_TENSOR(<void *>result)
    rt_tensor_copy_impl(r, t)
    r.flags |= t.flags & RT_T_REQUIRES_GRAD
    if rt_version_of(t) == NULL:
        raise_current()
    t.version.refcount += 1
    r.version = t.version
    return result


cdef object aliased(object self):
    """What handlers make of `aten.alias`: a plain tensor, unless they make one of their own class."""
    cdef PyObject *args[1]
    args[0] = <PyObject *>self
    return steal(rt_call(rt_builtin_ops[RT_OP_aten_alias], args, 1))


cdef object as_subclass(object self, object cls):
    """A tensor of another class on the same memory."""
    cdef PyTypeObject *kind = subclass_type(cls)
    plain = self
    if goes_to_python(RT_TENSOR(<void *>self)):
        plain = aliased(self)
        if RT_TYPE(<void *>plain) != rt_TensorType:
            if PyType_IsSubtype(RT_TYPE(<void *>plain), kind):
                return plain
            raise already_bound(cls, plain)
    if kind == rt_TensorType and plain is not self:
        return plain
    return adopt(kind, plain)


def _make_subclass(cls, data, require_grad=False, *, dispatch_sizes_strides_policy=None, dispatch_device=False, dispatch_layout=False,
                   device_for_backend_keys=None):
    """A tensor of a subclass on another tensor's memory, outside its autograd graph.

    Parameters
    ----------
    cls : type
        The subclass.
    data : Tensor
        The tensor whose memory is used.
    require_grad : bool
        Whether the new tensor requires gradients.
    dispatch_sizes_strides_policy : {None, "strides", "sizes"}
        Which questions about the geometry go to ``__torch_dispatch__``.
    dispatch_device, dispatch_layout : bool
        Whether the questions about device and layout go there.
    device_for_backend_keys : device, optional
        The device whose backend key the tensor gets; by default its own.
    """
    cdef PyTypeObject *kind = subclass_type(cls)
    cdef RtTensor *r
    cdef uint32_t flags
    if not rt_is_tensor(<PyObject *>data):
        raise TypeError(f"_make_subclass(): argument 'data' (position 2) must be Tensor, not {class_name(data)}")
    flags = policy_flags(dispatch_sizes_strides_policy, dispatch_device, dispatch_layout)
    with _without_modes():
        plain = detached(data)
    if PyType_IsSubtype(RT_TYPE(<void *>plain), kind):
        result = plain
    elif RT_TYPE(<void *>plain) == rt_TensorType:
        result = adopt(kind, plain)
    else:
        raise already_bound(cls, plain)
    r = RT_TENSOR(<void *>result)
    r.flags |= flags
    if device_for_backend_keys is not None:
        use_backend_keys(r, device_for_backend_keys)
    if require_grad:
        set_requires_grad(r, True)
    return result


cdef object detached(object data):
    """`data.detach()`, whatever class overrides the method."""
    cdef PyObject *args[1]
    args[0] = <PyObject *>data
    return steal(rt_call(rt_builtin_ops[RT_OP_aten_detach], args, 1))

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_detach, RT_OP_aten_item


cdef int use_backend_keys(RtTensor *t, object where) except -1:
    cdef rt_keyset bits = rt_keyset_of_device(device_type_of(as_device(where)))
    t.keys = (t.keys & (RT_CLASS_KEYS | RT_FUNCTIONALITY_BIT(K_Conjugate) | RT_FUNCTIONALITY_BIT(K_Negative))) | bits
    return 0


@cython.final
cdef class _without_modes:
    """For a ``with`` block: no modes of any kind, and no Python dispatcher."""
    cdef list user, infra
    cdef rt_keyset python_dispatcher

    def __enter__(self):
        cdef _ModeStacks stacks
        cdef int i
        self.python_dispatcher = rt_tls_state.included & RT_FUNCTIONALITY_BIT(K_PythonDispatcher)
        rt_tls_state.included &= ~RT_FUNCTIONALITY_BIT(K_PythonDispatcher)
        if rt_tls_state.modes == NULL:
            return
        stacks = <_ModeStacks>rt_tls_state.modes
        if stacks.count() == 0:
            return
        self.user = [steal(stacks.pop_user()) for i in range(stacks.n_user)]
        self.infra = [stacks.take(i) for i in range(N_INFRA)]

    def __exit__(self, kind, value, traceback):
        cdef _ModeStacks stacks
        cdef int i
        rt_tls_state.included |= self.python_dispatcher
        if self.user is None:
            return
        stacks = mode_stacks()
        for i in range(N_INFRA):
            if self.infra[i] is not None:
                stacks.put(self.infra[i], i)
        for mode in reversed(self.user):
            stacks.put(mode, -1)
        self.user = self.infra = None


cdef int64_t fill_geometry(object values, int64_t *out, str what) except -1:
    cdef int64_t i = 0
    if not isinstance(values, tuple):
        if hasattr(values, "__index__"):
            raise TypeError(f"_make_wrapper_subclass(): {what} must be tuple of ints, not {class_name(values)}")
        values = tuple(values)
    if len(values) > RT_MAX_DIM:
        raise RuntimeError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported, but got {len(values)}")
    for value in <tuple>values:
        if type(value) is not int and not hasattr(value, "__index__"):
            raise TypeError(f"_make_wrapper_subclass(): {what} must be ints, not {class_name(value)}")
        out[i] = value
        i += 1
    return i


def _make_wrapper_subclass(cls, size, strides=None, storage_offset=None, memory_format=None, dtype=None, layout=strided, device=None,
                           pin_memory=False, requires_grad=False, dispatch_sizes_strides_policy=None, dispatch_device=False,
                           dispatch_layout=False, _extra_dispatch_keys=None, storage_size=None):
    """A tensor of a subclass with a geometry, a dtype and a device, but no memory: what it holds is the subclass's own affair.

    Parameters
    ----------
    cls : type
        The subclass; it must have a ``__torch_dispatch__``.
    size : sequence of int
    strides : sequence of int, optional
        In elements; by default contiguous.
    storage_offset : int, optional
        In elements; only with strides.
    memory_format : memory_format, optional
        Ignored, as in PyTorch: without strides the geometry is contiguous.
    dtype : dtype, optional
        The default dtype where it is None.
    layout : layout
    device : device or str, optional
        The CPU by default; any type, whether it exists here or not.
    pin_memory : bool
        Ignored.
    requires_grad : bool
    dispatch_sizes_strides_policy : {None, "strides", "sizes"}
        Which questions about the geometry go to ``__torch_dispatch__``: strides and contiguity, or all.
    dispatch_device, dispatch_layout : bool
        Whether the questions about device and layout go there.
    _extra_dispatch_keys : DispatchKeySet, optional
        Keys to add to the tensor's set.
    storage_size : int, optional
        The bytes that the storage claims to have.
    """
    cdef PyTypeObject *kind = subclass_type(cls)
    cdef int64_t sizes[64]
    cdef int64_t stride[64]
    cdef int64_t offset = 0, nbytes, step = 1
    cdef int ndim, code, i, device_type = DEVICE_CPU, device_index = -1
    cdef RtTensor *t
    cdef rt_storage *s
    cdef uint32_t flags
    if kind != rt_TensorType:
        result = steal(<PyObject *>rt_tensor_of_type(kind, 0))
        t = RT_TENSOR(<void *>result)
    if kind == rt_TensorType or not t.keys & RT_FUNCTIONALITY_BIT(K_Python):
        raise TypeError(f"{(<type>cls).__name__} must define __torch_dispatch__")
    code = rt_default_dtype if dtype is None else dtype_argument(dtype, "_make_wrapper_subclass")
    flags = policy_flags(dispatch_sizes_strides_policy, dispatch_device, dispatch_layout)
    if device is not None:
        where = as_device(device)
        device_type = device_type_of(where)
        device_index = device_index_of(where)
    ndim = <int>fill_geometry(size, sizes, "sizes")
    if rt_check_sizes(ndim, sizes) < 0:
        raise_current()
    if strides is not None:
        if fill_geometry(strides, stride, "strides") != ndim:
            raise RuntimeError(f"dimensionality of sizes ({ndim}) must match dimensionality of strides ({len(tuple(strides))})")
        if storage_offset is not None:
            offset = storage_offset
        for i in range(ndim):
            if stride[i] < 0:
                raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(strides)}")
        if offset < 0:
            raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    else:
        if storage_offset is not None:
            raise RuntimeError("setting storage offset without stride not supported")
        for i in range(ndim - 1, -1, -1):
            stride[i] = step
            step *= max(sizes[i], 1)
    nbytes = rt_storage_bytes(ndim, sizes, stride, offset, rt_itemsize[code])
    if storage_size is not None:
        nbytes = storage_size
    s = rt_storage_foreign(NULL, nbytes, NULL, device_type, device_index, RT_STORAGE_RESIZABLE)
    if s == NULL:
        raise_current()
    t.storage = s
    t.dtype = code
    t.device_type = s.device_type
    t.device_index = s.device_index
    t.keys = rt_keyset_of_device(s.device_type) | (t.keys & RT_CLASS_KEYS)
    rt_set_geometry(t, ndim, sizes, stride, offset)
    if _extra_dispatch_keys is not None:
        t.keys |= (<DispatchKeySet?>_extra_dispatch_keys).bits
    t.flags |= flags
    if requires_grad:
        set_requires_grad(t, True)
    return result


def _init_subclass(cls, **kwargs):
    """A class with ``__torch_dispatch__`` and without a ``__torch_function__`` of its own, or inherited from one, has none."""
    super(Tensor, cls).__init_subclass__(**kwargs)
    if ("__torch_dispatch__" in cls.__dict__ and cls.__dict__["__torch_dispatch__"] is not _disabled_torch_dispatch_impl
            and c_type_lookup(<PyTypeObject *>cls, rt_str_torch_function) == c_type_lookup(rt_TensorType, rt_str_torch_function)):
        cls.__torch_function__ = _disabled_torch_function_impl


rt_type_set(<PyTypeObject *>Tensor, "__init_subclass__", classmethod(_init_subclass))
rt_type_set(<PyTypeObject *>Tensor, "_make_subclass", staticmethod(_make_subclass))
rt_type_set(<PyTypeObject *>Tensor, "_make_wrapper_subclass", staticmethod(_make_wrapper_subclass))


def _functionalize_unsafe_set(dst not None, src not None):
    """Let a tensor have another one's storage; its sizes and strides stay, whatever the storage holds."""
    cdef RtTensor *d
    cdef RtTensor *s
    if not rt_is_tensor(<PyObject *>dst) or not rt_is_tensor(<PyObject *>src):
        raise TypeError(f"_functionalize_unsafe_set(): expected two Tensors, not {class_name(dst)} and {class_name(src)}")
    d = RT_TENSOR(<void *>dst)
    s = RT_TENSOR(<void *>src)
    if s.storage == NULL:
        raise NotImplementedError(f"Cannot access storage of {class_name(src)}")
    # Kernels of plain tensors read what their geometry says: they may share only storages that hold that much.
    if s.storage.data != NULL and rt_storage_bytes(d.ndim, d.sizes, d.strides, d.offset, rt_itemsize[d.dtype]) > s.storage.nbytes:
        raise RuntimeError("the tensor's geometry reaches beyond the storage that it is to share")
    rt_wait_for_loops()
    rt_storage_incref(s.storage)
    if d.storage != NULL:
        rt_storage_decref(d.storage)
    d.storage = s.storage


def _meta_in_tls_dispatch_include():
    """Whether this thread's include set has the Meta backend."""
    return (rt_tls_state.included & meta_bits) != 0


def _set_meta_in_tls_dispatch_include(bint meta_in_tls):
    """Put the Meta backend into this thread's include set, or take it out: with it every dense kernel is Meta's."""
    if meta_in_tls:
        rt_tls_state.included |= meta_bits
    else:
        rt_tls_state.included &= ~meta_bits


cdef rt_keyset meta_bits = rt_keyset_of_device(DEVICE_META) & RT_BACKEND_MASK


cdef object shallow_copy(object self):
    """A tensor on the same memory with a fresh version counter; for modes and classes with `__torch_dispatch__` what their handler makes
    of `detach`."""
    cdef PyObject *args[1]
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef RtTensor *r
    if goes_to_python(t):
        args[0] = <PyObject *>self
        result = steal(run_handlers(rt_builtin_ops[RT_OP_aten_detach], args, 1))
        if not rt_is_tensor(<PyObject *>result):
            raise RuntimeError(f"detach of {class_name(self)} returned {short_repr(result)}, which is no tensor")
        if result is self:
            return result
    else:
        result = steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))
    r = RT_TENSOR(<void *>result)
    if r.version != NULL:
        rt_version_decref(r.version)
        r.version = NULL
    return result


def _own_device(t):
    """A tensor's device as its data has it, whatever its class says."""
    if not rt_is_tensor(<PyObject *>t):
        raise TypeError(f"_own_device(): expected a Tensor, not {class_name(t)}")
    return make_device(RT_TENSOR(<void *>t).device_type, RT_TENSOR(<void *>t).device_index)


# ----------------------------------------------------------------------------------- questions that a subclass answers itself

cdef object ask_subclass(object self, str name, str overload="", object argument=None):
    """The handlers' answer to a question about a tensor; None where they have none of their own, or nobody is to be asked."""
    if rt_tls_state.excluded & RT_FUNCTIONALITY_BIT(K_Python):
        return None
    cdef Operator o = operators[name, overload]
    cdef OpOverload func = overload_of(&o.op)
    cdef Overloaded overloaded
    overloaded.n = 0
    if has_bits(<PyObject *>self, RT_FUNCTIONALITY_BIT(K_Python)):
        add_overloaded(&overloaded, <PyObject *>self)
    cdef tuple given = (self,) if argument is None else (self, argument)
    cdef dict keywords = {}
    return steal(ask_handlers(<PyObject *>func, <PyObject *>func._overloadpacket, &overloaded, <PyObject *>given, <PyObject *>keywords))


cdef bint is_on(object self, int device_type) except -1:
    """Whether a tensor is on a device of a type, by what its class says if that answers the question."""
    if unlikely(RT_TENSOR(<void *>self).flags & RT_T_DISPATCH_DEVICE):
        return device_type_of(self.device) == device_type
    return RT_TENSOR(<void *>self).device_type == device_type


cdef object asked_sizes(object self):
    answer = ask_subclass(self, "aten::sym_size")
    if answer is None:
        return steal(rt_size_new(RT_TENSOR(<void *>self).ndim, RT_TENSOR(<void *>self).sizes))
    if not isinstance(answer, (list, tuple)):
        raise RuntimeError("sym_size must be a list or a tuple")
    return Size(answer)


cdef object asked_strides(object self):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int i
    answer = ask_subclass(self, "aten::sym_stride")
    if answer is None:
        return tuple([t.strides[i] for i in range(t.ndim)])
    if not isinstance(answer, (list, tuple)):
        raise RuntimeError("sym_strides must be a list or a tuple")
    return tuple(answer)


cdef object asked_number(object self, str name, int64_t default):
    answer = ask_subclass(self, name)
    return default if answer is None else checked_answer(name.partition("::")[2], answer, int)


cdef object checked_answer(str question, object answer, object kind):
    """A subclass's answer to a question about itself, which must be of a type."""
    if not isinstance(answer, kind) and not (kind is int and hasattr(answer, "__index__")):
        raise RuntimeError(f"{question} returned invalid type {class_name(answer)}, expected {kind.__name__}")
    return answer


cdef object asked_dim(object values, object dim, str function):
    """A dimension's place in a geometry that a subclass has told."""
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"{function}(): argument 'dim' (position 1) must be int, not {class_name(dim)}")
    return rt_wrap_dim(dim, len(values))
