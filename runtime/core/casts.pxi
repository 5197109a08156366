# Tensor.to and its short forms: float(), cpu(), type(), ...  A tensor on another device or of another dtype, itself where nothing changes.
#
# What PyTorch's binding of these methods does before the operators `to.dtype`, `to.device` and `to.dtype_layout` are called; unlike
# other methods they take a dtype, a device or a tensor in the same place.

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_to_dtype, RT_OP_aten_to_device, RT_OP_aten_to_dtype_layout

cdef extern from "kernels/shared/boxed.h":
    const char *rt_dtype_title(int code) noexcept


cdef object call_to(object self, object device, object dtype, object non_blocking, object copy, object memory_format):
    """Call the overload for what is given; None stands for what is not."""
    cdef PyObject *args[8]
    if device is None and dtype is None and not copy and memory_format is None:
        return self
    args[0] = <PyObject *>self
    if dtype is None:
        # PyTorch's binding says the dtype and the layout that the tensor has.
        kind = dtype_of_code(RT_TENSOR(<void *>self).dtype)
        args[1] = <PyObject *>kind
        args[2] = <PyObject *>(sparse_coo if has_key(RT_TENSOR(<void *>self), RT_KEY_Sparse) else strided)
        args[3] = <PyObject *>device
        args[4] = c_None
        args[5] = <PyObject *>non_blocking
        args[6] = <PyObject *>copy
        args[7] = <PyObject *>memory_format
        return steal(rt_call(rt_builtin_ops[RT_OP_aten_to_dtype_layout], args, 8))
    if device is None:
        args[1] = <PyObject *>dtype
        args[2] = <PyObject *>non_blocking
        args[3] = <PyObject *>copy
        args[4] = <PyObject *>memory_format
        return steal(rt_call(rt_builtin_ops[RT_OP_aten_to_dtype], args, 5))
    args[1] = <PyObject *>device
    args[2] = <PyObject *>dtype
    args[3] = <PyObject *>non_blocking
    args[4] = <PyObject *>copy
    args[5] = <PyObject *>memory_format
    return steal(rt_call(rt_builtin_ops[RT_OP_aten_to_device], args, 6))


cdef object to_signatures = """\
 * (torch.device device = None, torch.dtype dtype = None, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
 * (torch.dtype dtype, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
 * (Tensor tensor, bool non_blocking = False, bool copy = False, *, torch.memory_format memory_format = None)
"""


cdef bint names_dtype(object value) noexcept:
    return RT_TYPE(<void *>value) == rt_DtypeType or value is float or value is int or value is bool or value is complex


cdef object tensor_to(object self, tuple args, dict kwargs):
    """`Tensor.to`: the first argument says by its type which signature is meant."""
    cdef dict given = {}
    if len(args) == 1 and not kwargs:
        if RT_TYPE(<void *>args[0]) == rt_DtypeType:
            return call_to(self, None, args[0], False, False, None)
        if RT_TYPE(<void *>args[0]) == rt_DeviceType:
            return call_to(self, args[0], None, False, False, None)
    if args and rt_is_tensor(<PyObject *>args[0]) or "tensor" in kwargs:
        names = ("tensor", "non_blocking", "copy")
    elif args and names_dtype(args[0]):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    allowed = (*names, "memory_format")
    wrong = len(args) > len(names)
    if not wrong:
        given = dict(zip(names, args))
        for name, value in kwargs.items():
            wrong = wrong or name in given or name not in allowed
            given[name] = value
    if not wrong:
        try:
            device, dtype = given.get("device"), given.get("dtype")
            if "tensor" in given:
                if not rt_is_tensor(<PyObject *>given["tensor"]):
                    cast_fail(given["tensor"])
                device, dtype = given["tensor"].device, given["tensor"].dtype
            device = None if device is None else to_device(device, PYARG)
            dtype = None if dtype is None else to_dtype(dtype, PYARG)
            memory_format = given.get("memory_format")
            memory_format = None if memory_format is None else to_memory_format(memory_format, PYARG)
            non_blocking, copy = to_bool(given.get("non_blocking", False), PYARG), to_bool(given.get("copy", False), PYARG)
        except CastError:
            wrong = True
    if wrong:
        described = [type(a).__name__ for a in args] + [f"{k}={type(kwargs[k]).__name__}" for k in reversed(kwargs)]
        raise TypeError(f"to() received an invalid combination of arguments - got ({joined(described, args)}), but expected one of:\n"
                        + to_signatures)
    return call_to(self, device, dtype, non_blocking, copy, memory_format)


cdef object cast_to(object self, int code, object memory_format, str name):
    """The short forms: `x.float()` is `x.to(float32)`."""
    if memory_format is not None and RT_TYPE(<void *>memory_format) != rt_MemoryFormatType:
        raise TypeError(f"{name}(): argument 'memory_format' must be torch.memory_format, not {type(memory_format).__name__}")
    return call_to(self, None, dtype_of_code(code), False, False, memory_format)


cdef object tensor_type(object self, object dtype, object non_blocking):
    """`Tensor.type`: the name of the tensor's type, or the tensor as another dtype."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int code
    place = {DEVICE_CPU: "torch.", DEVICE_CUDA: "torch.cuda."}.get(t.device_type, f"torch.{device_type_name(t.device_type)}.")
    if has_key(t, RT_KEY_Quantized):
        place += "quantized."
    if has_key(t, RT_KEY_Sparse):
        place += "sparse."
    if dtype is None:
        return f"{place}{rt_dtype_title(t.dtype).decode()}Tensor"
    if isinstance(dtype, str):
        for code in range(RT_NUM_DTYPES):
            if rt_itemsize[code] and dtype == f"torch.{rt_dtype_title(code).decode()}Tensor":
                return call_to(self, None if t.device_type == DEVICE_CPU else make_device(DEVICE_CPU, -1), dtype_of_code(code),
                               non_blocking, False, None)
        raise ValueError(f"invalid type: '{dtype}'")
    if isinstance(dtype, type):   # a tensor type
        wanted = getattr(dtype, "dtype", None)
        if RT_TYPE(<void *>wanted) == rt_DtypeType:
            return call_to(self, make_device(DEVICE_CPU, -1), wanted, bool(non_blocking), False, None)
    if RT_TYPE(<void *>dtype) != rt_DtypeType:
        raise ValueError(f"invalid type: '{dtype.__name__}'") if isinstance(dtype, type) else TypeError(
            "dtype must be a type, str, or dtype object")
    return call_to(self, None, dtype, bool(non_blocking), False, None)
