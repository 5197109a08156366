# Tensors of subclasses: `_make_subclass`, `_make_wrapper_subclass`, `as_subclass`, shallow copies, and the questions about geometry,
# device and layout that a subclass may answer itself.

cdef extern from "runtime/core/alloc.h":
    int rt_setup_class_call(PyTypeObject *type) except -1
    void rt_set_contiguous(RtTensor *t, const int64_t *sizes) noexcept


cdef PyTypeObject *subclass_type(object cls) except NULL:
    if not PyType_Check_(<PyObject *>cls):
        raise TypeError(f"cls must be a type (got {class_name(cls)})")
    if not PyType_IsSubtype(<PyTypeObject *>cls, rt_TensorType):
        raise TypeError("Creating a Tensor subclass from a class that does not inherit from Tensor is not possible. Make sure your class "
                        "inherits from Tensor.")
    return <PyTypeObject *>cls


cdef uint32_t policy_flags(PyObject *policy, PyObject *dispatch_device, PyObject *dispatch_layout) except? 0xffffffff:
    """The flags for parsed arguments, any of which may be NULL."""
    cdef uint32_t flags = 0
    if policy != NULL and policy != c_None:
        if <object>policy == "sizes":
            flags |= RT_T_DISPATCH_SIZES | RT_T_DISPATCH_STRIDES
        elif <object>policy == "strides":
            flags |= RT_T_DISPATCH_STRIDES
        else:
            raise ValueError(f"Unknown sizes_strides_policy: {<object>policy}; expected 'strides' or 'sizes'")
    if dispatch_device == c_True:
        flags |= RT_T_DISPATCH_DEVICE
    if dispatch_layout == c_True:
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
    if not rt_tls_state.no_grad and needs_grad(RT_TENSOR(<void *>plain)):
        return adopt_with_history(kind, plain)
    return adopt(kind, plain)


cdef object adopt_with_history(PyTypeObject *kind, object plain):
    """A tensor of a subclass that is recorded as a view of another tensor."""
    cdef PyObject *args[1]
    cdef RtTensor *a
    cdef RtTensor *r
    args[0] = <PyObject *>plain
    alias = steal(rt_call(rt_builtin_ops[RT_OP_aten_alias], args, 1))
    result = adopt(kind, alias)
    a = RT_TENSOR(<void *>alias)
    r = RT_TENSOR(<void *>result)
    if a.autograd != NULL and r.autograd == NULL:
        if a.view != NULL and r.view == NULL:
            RT_INC(a.view)
            r.view = a.view
            r.flags |= a.flags & RT_T_CREATION
            share_version(r, a)
            rt_tensor_track(r)
        give_history(result, a.autograd, output_nr_of(a))
    return result


cdef ParameterList as_subclass_parameters = parameter_list("as_subclass", 1, 1, (("cls", IS_OBJECT),))

cdef PyMethodDef as_subclass_definition
as_subclass_definition.ml_name = b"as_subclass"
as_subclass_definition.ml_meth = <void *>tensor_as_subclass
as_subclass_definition.ml_flags = RT_FASTCALL_KEYWORDS
as_subclass_definition.ml_doc = b"as_subclass($self, cls)\n--\n\nA tensor of a subclass on the same memory."
rt_add_fastcall_method(rt_TensorType, &as_subclass_definition)


cdef object tensor_as_subclass(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames):
    cdef PyObject *given[MAX_PARAMETERS]
    parse_arguments(&as_subclass_parameters, args, n, kwnames, given)
    return as_subclass(<object>self, <object>given[0])


cdef ParameterList subclass_parameters = parameter_list("_make_subclass", 2, 3, (
    ("cls", IS_OBJECT), ("data", IS_TENSOR), ("require_grad", IS_BOOL), ("dispatch_sizes_strides_policy", IS_STR | OR_NONE),
    ("dispatch_device", IS_BOOL), ("dispatch_layout", IS_BOOL), ("device_for_backend_keys", IS_DEVICE | OR_NONE)))

cdef PyMethodDef subclass_definition
subclass_definition.ml_name = b"_make_subclass"
subclass_definition.ml_meth = <void *>make_subclass
subclass_definition.ml_flags = RT_FASTCALL_KEYWORDS
subclass_definition.ml_doc = b"""_make_subclass(cls, data, require_grad=False, *, dispatch_sizes_strides_policy=None, \
dispatch_device=False, dispatch_layout=False, device_for_backend_keys=None)
--

A tensor of a subclass on another tensor's memory, outside its autograd graph.

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


cdef object make_subclass(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames):
    cdef PyObject *given[MAX_PARAMETERS]
    cdef PyTypeObject *kind
    cdef RtTensor *r
    cdef uint32_t flags
    parse_arguments(&subclass_parameters, args, n, kwnames, given)
    kind = subclass_type(<object>given[0])
    flags = policy_flags(given[3], given[4], given[5])
    with _without_modes():
        plain = detached(<object>given[1])
    if PyType_IsSubtype(RT_TYPE(<void *>plain), kind):
        result = plain
    elif RT_TYPE(<void *>plain) == rt_TensorType:
        result = adopt(kind, plain)
    else:
        raise already_bound(<object>given[0], plain)
    r = RT_TENSOR(<void *>result)
    r.flags |= flags
    if given[6] != NULL and given[6] != c_None:
        use_backend_keys(r, <object>given[6])
    if given[2] == c_True:
        require_gradient(r)
    return result


cdef int require_gradient(RtTensor *t) except -1:
    if dtype_kind(t.dtype) < KIND_FLOAT:
        raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
    if t.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView) == 0 and not rt_tls_state.inference:
        raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
    return set_requires_grad(t, True)


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


cdef enum:   # the places of _make_wrapper_subclass's arguments
    W_CLS, W_SIZE, W_STRIDES, W_STORAGE_OFFSET, W_MEMORY_FORMAT, W_DTYPE, W_LAYOUT, W_DEVICE, W_PIN_MEMORY, W_REQUIRES_GRAD, W_POLICY
    W_DISPATCH_DEVICE, W_DISPATCH_LAYOUT, W_KEYS, W_STORAGE_SIZE

cdef ParameterList wrapper_parameters = parameter_list("_make_wrapper_subclass", 2, 15, (
    ("cls", IS_OBJECT), ("size", IS_INTS), ("strides", IS_INTS | OR_NONE), ("storage_offset", IS_INT | OR_NONE),
    ("memory_format", IS_MEMORY_FORMAT | OR_NONE), ("dtype", IS_DTYPE | OR_NONE), ("layout", IS_LAYOUT), ("device", IS_DEVICE | OR_NONE),
    ("pin_memory", IS_BOOL), ("requires_grad", IS_BOOL), ("dispatch_sizes_strides_policy", IS_STR | OR_NONE),
    ("dispatch_device", IS_BOOL), ("dispatch_layout", IS_BOOL), ("_extra_dispatch_keys", IS_KEYSET | OR_NONE),
    ("storage_size", IS_INT | OR_NONE)))

cdef PyMethodDef wrapper_definition
wrapper_definition.ml_name = b"_make_wrapper_subclass"
wrapper_definition.ml_meth = <void *>make_wrapper_subclass
wrapper_definition.ml_flags = RT_FASTCALL_KEYWORDS
wrapper_definition.ml_doc = b"""_make_wrapper_subclass(cls, size, strides=None, storage_offset=None, memory_format=None, dtype=None, \
layout=torch.strided, device=None, pin_memory=False, requires_grad=False, dispatch_sizes_strides_policy=None, \
dispatch_device=False, dispatch_layout=False, _extra_dispatch_keys=None, storage_size=None)
--

A tensor of a subclass with a geometry, a dtype and a device, but no memory: what it holds is the subclass's own affair.

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


cdef inline bint is_given(PyObject *value) noexcept:
    return value != NULL and value != c_None


cdef object make_wrapper_subclass(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames):
    cdef PyObject *given[MAX_PARAMETERS]
    cdef int64_t sizes[64]
    cdef int64_t nbytes
    cdef int ndim, code = rt_default_dtype, device_type = DEVICE_CPU, device_index = -1
    cdef PyTypeObject *kind
    cdef RtTensor *t
    parse_arguments(&wrapper_parameters, args, n, kwnames, given)
    kind = subclass_type(<object>given[W_CLS])
    ndim = fill_integers(&wrapper_parameters, W_SIZE, given[W_SIZE], sizes)
    if rt_check_sizes(ndim, sizes) < 0:
        raise_current()
    if kind == rt_TensorType:
        raise TypeError("Tensor must define __torch_dispatch__")
    result = steal(<PyObject *>rt_tensor_of_type(kind, ndim))
    t = RT_TENSOR(<void *>result)
    if not t.keys & RT_FUNCTIONALITY_BIT(K_Python):
        raise TypeError(f"{(<type>given[W_CLS]).__name__} must define __torch_dispatch__")
    if is_given(given[W_DTYPE]):
        code = dtype_argument(<object>given[W_DTYPE], "_make_wrapper_subclass")
    if is_given(given[W_DEVICE]):
        where = as_device(<object>given[W_DEVICE])
        device_type = device_type_of(where)
        device_index = device_index_of(where)
    if is_given(given[W_STRIDES]):
        set_wrapper_strides(t, ndim, sizes, given)
    elif is_given(given[W_STORAGE_OFFSET]):
        raise RuntimeError("setting storage offset without stride not supported")
    else:
        rt_set_contiguous(t, sizes)
    if likely(t.flags & RT_T_CONTIGUOUS and t.numel < 1LL << 40 and t.offset == 0):
        nbytes = t.numel * rt_itemsize[code]
    else:
        nbytes = rt_storage_bytes(ndim, t.sizes, t.strides, t.offset, rt_itemsize[code])
    if is_given(given[W_STORAGE_SIZE]):
        nbytes = <object>given[W_STORAGE_SIZE]
    t.storage = rt_storage_foreign(NULL, nbytes, NULL, device_type, device_index, RT_STORAGE_RESIZABLE)
    if t.storage == NULL:
        raise_current()
    t.dtype = code
    t.device_type = t.storage.device_type
    t.device_index = t.storage.device_index
    t.keys = rt_keyset_of_device(t.device_type) | (t.keys & RT_CLASS_KEYS)
    if n > W_POLICY or kwnames != NULL:
        t.flags |= policy_flags(given[W_POLICY], given[W_DISPATCH_DEVICE], given[W_DISPATCH_LAYOUT])
        if is_given(given[W_KEYS]):
            t.keys |= (<DispatchKeySet>given[W_KEYS]).bits
    if given[W_REQUIRES_GRAD] == c_True:
        require_gradient(t)
    return result


cdef int set_wrapper_strides(RtTensor *t, int ndim, int64_t *sizes, PyObject **given) except -1:
    """Give a tensor the sizes, and the strides and the storage offset of parsed arguments."""
    cdef int64_t strides[64]
    cdef int64_t offset = 0
    cdef int i
    i = fill_integers(&wrapper_parameters, W_STRIDES, given[W_STRIDES], strides)
    if i != ndim:
        raise RuntimeError(f"dimensionality of sizes ({ndim}) must match dimensionality of strides ({i})")
    if is_given(given[W_STORAGE_OFFSET]):
        offset = <object>given[W_STORAGE_OFFSET]
    for i in range(ndim):
        if strides[i] < 0:
            raise RuntimeError("as_strided: Negative strides are not supported at the moment, got strides: "
                               f"{list(<object>given[W_STRIDES])}")
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}")
    return rt_set_geometry(t, ndim, sizes, strides, offset)


def _create_empty_tensor(shape, element):
    """A tensor on the first device of the key PrivateUse1, without memory: what it holds is the business of the kernels there.

    Parameters
    ----------
    shape : sequence of int
    element : dtype
    """
    cdef int64_t sizes[64]
    cdef int ndim = 0
    if isinstance(shape, int):
        shape = (shape,)
    for size in shape:
        if ndim == RT_MAX_DIM:
            raise RuntimeError(f"create_empty_tensor(): a tensor has at most {RT_MAX_DIM} dimensions")
        sizes[ndim] = size
        ndim += 1
    if rt_check_sizes(ndim, sizes) < 0:
        raise_current()
    cdef int code = dtype_argument(element, "create_empty_tensor")
    result = steal(<PyObject *>rt_tensor_of_type(rt_TensorType, ndim))
    cdef RtTensor *t = RT_TENSOR(<void *>result)
    rt_set_contiguous(t, sizes)
    t.storage = rt_storage_foreign(NULL, rt_storage_bytes(ndim, t.sizes, t.strides, 0, rt_itemsize[code]), NULL, DEVICE_PRIVATEUSEONE, 0,
                                   RT_STORAGE_RESIZABLE)
    if t.storage == NULL:
        raise_current()
    t.dtype = code
    t.device_type = t.storage.device_type
    t.device_index = t.storage.device_index
    t.keys = rt_keyset_of_device(t.device_type)
    return result


def _set_tensor_attribute(name not None, value):
    """Give every tensor an attribute: methods and properties of a renamed device type are made at run time."""
    if not isinstance(name, str):
        raise TypeError(f"_set_tensor_attribute(): the name must be a str, not {class_name(name)}")
    rt_type_set(rt_TensorType, name, value)


def _init_subclass(cls, **kwargs):
    """A class with ``__torch_dispatch__`` and without a ``__torch_function__`` of its own, or inherited from one, has none."""
    super(Tensor, cls).__init_subclass__(**kwargs)
    rt_setup_class_call(<PyTypeObject *>cls)
    if ("__torch_dispatch__" in cls.__dict__ and cls.__dict__["__torch_dispatch__"] is not _disabled_torch_dispatch_impl
            and c_type_lookup(<PyTypeObject *>cls, rt_str_torch_function) == c_type_lookup(rt_TensorType, rt_str_torch_function)):
        cls.__torch_function__ = _disabled_torch_function_impl


rt_type_set(<PyTypeObject *>Tensor, "__init_subclass__", classmethod(_init_subclass))
# Not as static methods: CPython specialises `Tensor._make_wrapper_subclass(...)` only for what is no descriptor.
rt_type_set(<PyTypeObject *>Tensor, "_make_subclass", c_new_function(&subclass_definition, <void *>rt_TensorType, NULL))
rt_type_set(<PyTypeObject *>Tensor, "_make_wrapper_subclass", c_new_function(&wrapper_definition, <void *>rt_TensorType, NULL))


def _functionalize_unsafe_set(dst not None, src not None):
    """Let a tensor have another one's storage; its sizes and strides stay, whatever the storage holds."""
    cdef RtTensor *d
    cdef RtTensor *s
    if not rt_is_tensor(<PyObject *>dst) or not rt_is_tensor(<PyObject *>src):
        raise TypeError(f"_functionalize_unsafe_set(): expected two Tensors, not {class_name(dst)} and {class_name(src)}")
    d = RT_TENSOR(<void *>dst)
    s = RT_TENSOR(<void *>src)
    if s.storage == NULL or has_key(s, RT_KEY_Sparse) or has_key(d, RT_KEY_Sparse):
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
