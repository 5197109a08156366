# Autocast: operators run in a dtype that suits them, on arguments that are cast on the way in.
#
# kernels/keys.yaml says which operators cast and by which policy; one kernel at the Autocast keys serves them all. An autocast key is in a
# thread's exclude set until autocast is enabled for its device. The dtypes, the depth of regions and whether casts are kept belong to the
# thread; the casts that are kept, of weights, are shared, and forgotten when a thread leaves its outermost region.

cdef extern from *:
    """
    #define RT_NUM_AUTOCAST_DEVICES 22
    typedef struct rt_autocast_state {
        uint8_t dtypes[RT_NUM_AUTOCAST_DEVICES]; /* by device type; only devices with an autocast key are asked for */
        uint8_t keeps_no_casts;
        int nesting;
    } rt_autocast_state;
    static _Thread_local rt_autocast_state rt_autocast = {
        /*            cpu           cuda, and what has no autocast key                         hip         fpga      */
        .dtypes = {RT_BFLOAT16, RT_FLOAT16, 0, 0, 0, 0, 0, 0,
                   /* maia       xla           vulkan, metal  xpu         mps      meta  hpu       */
                   RT_BFLOAT16, RT_BFLOAT16, 0, 0, RT_FLOAT16, RT_FLOAT16, 0, RT_BFLOAT16,
                   /* ve, lazy   ipu         mtia        privateuseone */
                   0, 0, RT_FLOAT16, RT_FLOAT16, RT_FLOAT16, 0}};
    """
    enum:
        RT_BFLOAT16, RT_FLOAT16
    ctypedef struct rt_autocast_state:
        uint8_t dtypes[22]
        uint8_t keeps_no_casts
        int nesting
    rt_autocast_state rt_autocast

cdef extern from "runtime/core/key_kernels.h":
    enum:
        RT_AUTOCAST_LOWER, RT_AUTOCAST_FP32, RT_AUTOCAST_FP32_SET_OPT_DTYPE, RT_AUTOCAST_FP32_APPEND_DTYPE, RT_AUTOCAST_PROMOTE
        RT_AUTOCAST_BANNED

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten__to_copy

cdef enum:
    CODE_FLOAT64 = 7

cdef dict autocast_key_names = {"cpu": "AutocastCPU", "cuda": "AutocastCUDA", "hpu": "AutocastHPU", "ipu": "AutocastIPU",
                                "maia": "AutocastMAIA", "mps": "AutocastMPS", "mtia": "AutocastMTIA", "privateuseone": "AutocastPrivateUse1",
                                "xla": "AutocastXLA", "xpu": "AutocastXPU"}

cdef dict kept_casts = {}   # address of a leaf -> (the leaf, its cast)


# -------------------------------------------------------------------------------------------------------------- the kernel

cdef struct Cast:
    int device   # type; tensors elsewhere stay as they are
    int to       # dtype code


cdef inline bint is_castable(PyObject *tensor, int device) noexcept:
    """Whether autocast on a device means a tensor: floating-point numbers there, but not float64."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    return t.device_type == device and t.dtype != CODE_FLOAT64 and dtype_kind(t.dtype) == KIND_FLOAT


cdef PyObject *to_copy(PyObject *tensor, int code) noexcept:
    cdef PyObject *args[7]
    args[0] = tensor
    args[1] = rt_dtype_objects[code]
    args[2] = c_None
    args[3] = c_None
    args[4] = c_None
    args[5] = c_False
    args[6] = c_None
    return rt_call(rt_builtin_ops[RT_OP_aten__to_copy], args, 7)


cdef PyObject *cast_tensor(PyObject *tensor, void *ctx) noexcept:
    """A tensor in the dtype that is wanted: a new reference, of the tensor itself where it stays."""
    cdef Cast *cast = <Cast *>ctx
    cdef RtTensor *t = RT_TENSOR(tensor)
    if t.dtype == cast.to or not is_castable(tensor, cast.device):
        RT_INC(tensor)
        return tensor
    if (t.flags & RT_T_REQUIRES_GRAD and t.autograd == NULL and t.view == NULL and t.dtype == CODE_FLOAT32
            and cast.to == rt_autocast.dtypes[cast.device] and not rt_autocast.keeps_no_casts and not rt_tls_state.inference):
        return kept_cast(tensor, cast.to)
    return to_copy(tensor, cast.to)


cdef PyObject *kept_cast(PyObject *leaf, int code) noexcept:
    """The cast of a leaf, made once; it is recorded even inside `no_grad`, so that it serves calls that are."""
    cdef PyObject *entry
    cdef PyObject *cast
    try:
        address = <object><uintptr_t>leaf
        entry = c_dict_get(<PyObject *>kept_casts, <PyObject *>address)
        if entry != NULL:
            cast = RT_TUPLE_ITEMS(entry)[1]
            if RT_TENSOR(cast).dtype == code:
                RT_INC(cast)
                return cast
        no_grad = rt_tls_state.no_grad
        rt_tls_state.no_grad = 0
        cast = to_copy(leaf, code)
        rt_tls_state.no_grad = no_grad
        made = steal(cast)
        kept_casts[address] = (<object>leaf, made)
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef int widest(rt_operator *op, PyObject *const *args, Py_ssize_t n, int device) noexcept:
    """The dtype in which operands of several dtypes meet: autocast's, or float32 if one of them has it. -1 with an exception set."""
    cdef int to = rt_autocast.dtypes[device]
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        value = args[i]
        if op.args[i].kind != RT_ARG_TENSOR or value == c_None:
            continue
        if not op.args[i].flags & RT_ARGF_LIST:
            to = wider(to, value, device)
        else:
            for j in range(RT_SIZE(value)):
                if RT_TUPLE_ITEMS(value)[j] != c_None:
                    to = wider(to, RT_TUPLE_ITEMS(value)[j], device)
                if to < 0:
                    return -1
        if to < 0:
            return -1
    return to


cdef inline int wider(int to, PyObject *tensor, int device) noexcept:
    cdef int code = RT_TENSOR(tensor).dtype
    if not is_castable(tensor, device):
        return to
    if to == CODE_FLOAT32 or code == CODE_FLOAT32:
        return CODE_FLOAT32
    if code == rt_autocast.dtypes[device] and to == code:
        return to
    set_error(RuntimeError, "Unexpected floating ScalarType in at::autocast::prioritize", NULL)
    return -1


cdef public PyObject *rt_autocast_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run an operator below autocast, on arguments that are cast as its policy says."""
    cdef int policy = <int>(<uintptr_t>ctx & 255), key = <int>(<uintptr_t>ctx >> 8)
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef PyObject *result = NULL
    cdef Cast cast
    cast.device = DEVICE_CPU if key == K_AutocastCPU else DEVICE_CUDA
    cast.to = CODE_FLOAT32
    if unlikely(policy == RT_AUTOCAST_BANNED):
        set_error(RuntimeError, banned_text, NULL)
        return NULL
    if policy == RT_AUTOCAST_LOWER:
        cast.to = rt_autocast.dtypes[cast.device]
    elif policy == RT_AUTOCAST_PROMOTE:
        cast.to = widest(op, args, n, cast.device)
        if cast.to < 0:
            return NULL
    rt_tls_state.excluded = saved | RT_FUNCTIONALITY_BIT(key)
    if policy == RT_AUTOCAST_FP32_SET_OPT_DTYPE:
        result = with_dtype(op, args, n, cast.device)
    elif policy == RT_AUTOCAST_FP32_APPEND_DTYPE:
        result = with_appended_dtype(op, args, n, cast.device)
    else:
        result = on_cast(op, args, n, &cast)
    rt_tls_state.excluded = saved
    return result


cdef inline PyObject *on_cast(rt_operator *op, PyObject *const *args, Py_ssize_t n, Cast *cast) noexcept:
    cdef Replaced r
    cdef Py_ssize_t i
    cdef PyObject *result = NULL
    cdef PyObject *fresh
    if begin_replacing(&r, args, n) < 0:
        return NULL
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        if unlikely(op.args[i].flags & RT_ARGF_LIST):
            if replace_in_list(&r, i, cast_tensor, cast) < 0:
                break
            continue
        fresh = cast_tensor(args[i], cast)
        if fresh == NULL:
            break
        if fresh == args[i]:
            RT_DEC(fresh)
        else:
            r.args[i] = fresh
    else:
        result = rt_call(op, r.args, n)
    end_replacing(&r)
    return result


cdef PyObject *with_dtype(rt_operator *op, PyObject *const *args, Py_ssize_t n, int device) noexcept:
    """The call with float32 for its `dtype`, if none is given and the first argument is one that autocast means."""
    cdef Replaced r
    cdef Py_ssize_t i
    cdef PyObject *result
    if not is_castable(args[0], device):
        return rt_call(op, args, n)
    if begin_replacing(&r, args, n) < 0:
        return NULL
    for i in range(n):
        if op.args[i].kind == RT_ARG_DTYPE and args[i] == c_None:
            RT_INC(rt_dtype_objects[CODE_FLOAT32])
            r.args[i] = rt_dtype_objects[CODE_FLOAT32]
    result = rt_call(op, r.args, n)
    end_replacing(&r)
    return result


cdef PyObject *with_appended_dtype(rt_operator *op, PyObject *const *args, Py_ssize_t n, int device) noexcept:
    """A call of the overload that takes these arguments and a dtype: float32, or for others than autocast means their own."""
    cdef PyObject *given[BUFFER]
    cdef Py_ssize_t i
    cdef Operator o = operator_of(op)
    cdef rt_operator *other
    try:
        for overload in definitions[o.name]:
            other = &(<Operator>operators[o.name, overload]).op
            if other.nargs != n + 1 or other.args[n].kind != RT_ARG_DTYPE:
                continue
            for i in range(n):
                if other.args[i].name != op.args[i].name:
                    break
                given[i] = args[i]
            else:
                given[n] = rt_dtype_objects[CODE_FLOAT32 if is_castable(args[0], device) else RT_TENSOR(args[0]).dtype]
                return rt_call(other, given, n + 1)
        raise NotImplementedError(f"{o.full_name()} under autocast needs an overload with a dtype, which this build lacks")
    except BaseException as e:
        set_current(e)
        return NULL


cdef str banned_text = (
    "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n"
    "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
    "In this case, combine the two layers using torch.nn.functional.binary_cross_entropy_with_logits\n"
    "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\n"
    "safe to autocast.")


# --------------------------------------------------------------------------------------------------------------- its state

cdef str autocast_device(object name, str function):
    """The name of a device type, as autocast has it."""
    if name == "cpu":
        return "cpu"
    if not isinstance(name, str):
        raise TypeError(f"{function}(): argument 'device_type' (position 1) must be str, not {type(name).__name__}")
    return device_type_name(parse_device(name)[0])


cdef rt_keyset autocast_bit(object name, str function) except 0:
    key = autocast_key_names.get(autocast_device(name, function))
    if key is None:
        raise RuntimeError("unknown device type for autocast in get_autocast_dispatch_key_from_device_type")
    return RT_FUNCTIONALITY_BIT(<int>key_values[key])


cdef int autocast_dtype_place(object name, str function) except -1:
    cdef str kind = autocast_device(name, function)
    if kind not in autocast_key_names:
        raise RuntimeError("unsupported scalarType")
    return device_type_codes[kind]


def _is_autocast_available(device_type):
    """Whether tensors of a device type have an autocast key."""
    return autocast_device(device_type, "_is_autocast_available") in autocast_key_names


def _autocast_supported_devices():
    """The device types that have an autocast key."""
    return list(autocast_key_names)


def is_autocast_enabled(device_type="cuda"):
    """Whether autocast is on in this thread, for a device type."""
    return not rt_tls_state.excluded & autocast_bit(device_type, "is_autocast_enabled")


def set_autocast_enabled(device_type, enabled=None):
    """Turn autocast on or off in this thread, for a device type; without one, for CUDA."""
    cdef rt_keyset bit
    cdef int position = 2
    if enabled is None:
        device_type, enabled, position = "cuda", device_type, 1
    bit = autocast_bit(device_type, "set_autocast_enabled")
    if type(enabled) is not bool:
        raise TypeError(f"set_autocast_enabled(): argument 'enabled' (position {position}) must be bool, not {type(enabled).__name__}")
    if enabled:
        rt_tls_state.excluded &= ~bit
    else:
        rt_tls_state.excluded |= bit


def get_autocast_dtype(device_type):
    """The dtype of autocast in this thread, for a device type."""
    return dtype_of_code(rt_autocast.dtypes[autocast_dtype_place(device_type, "get_autocast_dtype")])


def set_autocast_dtype(device_type, element):
    """Set the dtype of autocast in this thread, for a device type."""
    cdef int place = autocast_dtype_place(device_type, "set_autocast_dtype")
    if RT_TYPE(<void *>element) != rt_DtypeType:
        raise TypeError(f"set_autocast_dtype(): argument 'dtype' (position 2) must be torch.dtype, not {type(element).__name__}")
    rt_autocast.dtypes[place] = <uint8_t>(<dtype>element).code


def _is_any_autocast_enabled():
    """Whether autocast is on in this thread for any device type."""
    for key in autocast_key_names.values():
        if not rt_tls_state.excluded & RT_FUNCTIONALITY_BIT(<int>key_values[key]):
            return True
    return False


def autocast_increment_nesting():
    """Enter a region of autocast; returns how deep this thread is in such regions."""
    rt_autocast.nesting += 1
    return rt_autocast.nesting


def autocast_decrement_nesting():
    """Leave a region of autocast; returns how deep this thread still is in such regions."""
    rt_autocast.nesting -= 1
    return rt_autocast.nesting


def clear_autocast_cache():
    """Forget the casts of weights that were kept."""
    kept_casts.clear()


def is_autocast_cache_enabled():
    """Whether casts of weights are kept in this thread until the outermost region of autocast is left."""
    return not rt_autocast.keeps_no_casts


def set_autocast_cache_enabled(bint enabled):
    """Let casts of weights be kept in this thread, or not."""
    rt_autocast.keeps_no_casts = not enabled


# ----------------------------------------------------------------------------------------------------------------- regions

cdef inline bint is_lower_dtype(object element) noexcept:
    cdef RtDtype *t = <RtDtype *><void *>element
    return RT_TYPE(<void *>element) == rt_DtypeType and (t.code == RT_BFLOAT16 or t.code == RT_FLOAT16)


cdef class _AutocastRegion:
    """The state of a ``with autocast(...)`` statement; runtime/amp/autocast_mode.py has the class that programs see."""
    cdef readonly str device
    cdef public object fast_dtype
    cdef public bint _enabled, _cache_enabled
    cdef readonly bint prev, prev_cache_enabled
    cdef readonly object prev_fastdtype
    cdef rt_keyset bit
    cdef int place      # of the device's dtype

    def __init__(self, device_type, dtype=None, enabled=True, cache_enabled=None):
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if dtype is not None and autocast_device(device_type, "_is_autocast_available") not in autocast_key_names:
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.place = autocast_dtype_place(device_type, "get_autocast_dtype")
        self.bit = autocast_bit(device_type, "is_autocast_enabled")
        self.device = device_type
        self.fast_dtype = dtype_of_code(rt_autocast.dtypes[self.place]) if dtype is None else dtype
        self._cache_enabled = not rt_autocast.keeps_no_casts if cache_enabled is None else cache_enabled
        self._enabled = enabled and (self.place == DEVICE_CPU and is_lower_dtype(self.fast_dtype) or self._is_possible())

    def __enter__(self):
        cdef int place = self.place
        if self.bit == 0:
            raise RuntimeError("autocast.__init__ was not called")
        if RT_TYPE(<void *>self.fast_dtype) != rt_DtypeType:
            set_autocast_dtype(self.device, self.fast_dtype)   # raises
        self.prev_cache_enabled = not rt_autocast.keeps_no_casts
        self.prev = not rt_tls_state.excluded & self.bit
        self.prev_fastdtype = dtype_of_code(rt_autocast.dtypes[place])
        if self._enabled:
            rt_tls_state.excluded &= ~self.bit
        else:
            rt_tls_state.excluded |= self.bit
        rt_autocast.dtypes[place] = <uint8_t>(<dtype>self.fast_dtype).code
        rt_autocast.nesting += 1
        rt_autocast.keeps_no_casts = not self._cache_enabled
        return self

    def __exit__(self, kind, value, traceback):
        if self.prev_fastdtype is None:
            raise RuntimeError("autocast.__exit__ without __enter__")
        rt_autocast.nesting -= 1
        if rt_autocast.nesting == 0 and kept_casts:
            kept_casts.clear()
        if self.prev:
            rt_tls_state.excluded &= ~self.bit
        else:
            rt_tls_state.excluded |= self.bit
        rt_autocast.dtypes[self.place] = <uint8_t>(<dtype>self.prev_fastdtype).code
        rt_autocast.keeps_no_casts = not self.prev_cache_enabled
        return False
