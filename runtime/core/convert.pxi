# Conversion of Python values to canonical ones, one argument type at a time: what the binder calls when a value is not canonical
# already, and what checks the returns of Python kernels.
#
# Two callers have different tastes. Operator calls (`ops.ns.name`) and kernel returns take what PyTorch's schema conversion takes
# (tensors and NumPy scalars as numbers, any iterable as a list). Functions and methods (PYARG) take what PyTorch's argument parser
# takes, which is stricter about numbers and freer about devices and dtypes. A value that does not fit raises CastError, whose text
# is the last line of the binder's message.

class CastError(Exception):
    """A value does not fit a schema type; the text says which and why."""


cdef enum:
    PYARG = 1             # PyTorch's argument parser rules
    NUMBERS_AS_TENSORS = 2
    RETURNING = 4         # the value is a kernel's return
    WRITTEN = 1024        # the call writes to the argument: a copy of it is no substitute

cdef dict foreign_types = {}   # type -> (key set or function giving it, wrap, key set if constant); filled by register_array_type
cdef bint strict_arrays = False  # the compat door's rule: a foreign array is not a Tensor

cdef str NO_CAST = ("Unable to cast Python instance of type {} to C++ type '?' (#define PYBIND11_DETAILED_ERROR_MESSAGES or compile in "
                    "debug mode for details)")


cdef object cast_fail(object value):
    raise CastError(NO_CAST.format(type(value)))


cdef bint is_scalar_tensor(object value) except -1:
    """Whether a tensor holds exactly one element, so that it can stand for a number."""
    return rt_is_tensor(<PyObject *>value) and RT_TENSOR(<void *>value).numel == 1


cdef bint is_number(object value) except -1:
    return isinstance(value, (int, float, complex)) or (hasattr(value, "dtype") and getattr(value, "shape", None) == ()
                                                        and not rt_is_tensor(<PyObject *>value))


cdef object int_in_range(object value):
    if not -0x8000000000000000 <= value <= 0x7fffffffffffffff:
        cast_fail(value)
    return value


cdef object to_int(object value, int how):
    if type(value) is int:
        return int_in_range(value)
    if how & PYARG:
        if isinstance(value, bool):
            cast_fail(value)
        if rt_is_tensor(<PyObject *>value):
            if RT_TENSOR(<void *>value).ndim != 0 or value.is_floating_point() or value.is_complex() or value.dtype == rt_bool():
                cast_fail(value)
            return int(value.item())
        if hasattr(value, "__index__"):
            return int_in_range(value.__index__())
        cast_fail(value)
    if isinstance(value, int):
        return int_in_range(int(value))
    if rt_is_tensor(<PyObject *>value):
        if not is_scalar_tensor(value) or value.is_complex():
            cast_fail(value)
        return int_in_range(int(value.item()))
    if RT_TYPE(<void *>value) is rt_DtypeType or RT_TYPE(<void *>value) is rt_LayoutType or RT_TYPE(<void *>value) is rt_MemoryFormatType:
        return (<RtDtype *><void *>value).code
    if isinstance(value, (float, complex, str)) or value is None:
        cast_fail(value)
    if hasattr(value, "__index__"):
        return int_in_range(value.__index__())
    if hasattr(value, "dtype") and getattr(value, "shape", None) == () and value.dtype.kind in "fb":
        return int(value)
    cast_fail(value)


cdef object to_float(object value, int how):
    if type(value) is float:
        return value
    if isinstance(value, (float, int)):
        if how & PYARG and isinstance(value, bool):
            cast_fail(value)
        try:
            return float(value)
        except OverflowError:
            cast_fail(value)
    if rt_is_tensor(<PyObject *>value):
        if not is_scalar_tensor(value) or value.is_complex() or (how & PYARG and needs_grad(RT_TENSOR(<void *>value))):
            cast_fail(value)
        return float(value.item())
    if isinstance(value, (str, bytes, complex)) or value is None:
        cast_fail(value)
    if hasattr(value, "__float__") or hasattr(value, "__index__"):
        try:
            return float(value)
        except (TypeError, ValueError):
            cast_fail(value)
    cast_fail(value)


cdef object to_complex(object value, int how):
    if rt_is_tensor(<PyObject *>value):
        if not is_scalar_tensor(value):
            cast_fail(value)
        return complex(value.item())
    if isinstance(value, (str, bytes)) or not (isinstance(value, complex) or hasattr(value, "__complex__") or hasattr(value, "__float__")
                                               or hasattr(value, "__index__")):
        cast_fail(value)
    try:
        return complex(value)
    except (TypeError, ValueError, OverflowError):
        cast_fail(value)


cdef object to_bool(object value, int how):
    if value is True or value is False:
        return value
    if how & PYARG:
        if type(value).__module__ == "numpy" and type(value).__name__ in ("bool", "bool_"):
            return bool(value)
        if rt_is_tensor(<PyObject *>value) and RT_TENSOR(<void *>value).ndim == 0 and value.dtype == rt_bool():
            return bool(value.item())
        cast_fail(value)
    if value is None:
        return False
    if rt_is_tensor(<PyObject *>value):
        if not is_scalar_tensor(value):
            cast_fail(value)
        return bool(value.item())
    if isinstance(value, (str, bytes, type)) or not hasattr(value, "__bool__"):
        if not isinstance(value, range):
            cast_fail(value)
    try:
        return bool(value)
    except Exception:
        cast_fail(value)


cdef object to_scalar(object value, int how):
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -0x8000000000000000 <= value <= 0x7fffffffffffffff:
            if how & PYARG and 0 <= value <= 0xffffffffffffffff:
                return int(value)
            raise OverflowError("int too big to convert")
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, complex):
        return complex(value)
    if RT_TYPE(<void *>value) is rt_DtypeType or RT_TYPE(<void *>value) is rt_LayoutType:
        if not how & PYARG:
            return (<RtDtype *><void *>value).code
    elif how & PYARG:
        if rt_is_tensor(<PyObject *>value):
            if RT_TENSOR(<void *>value).ndim == 0 and not needs_grad(RT_TENSOR(<void *>value)):
                return value.item()
        elif is_number(value):
            return value.item()
    raise CastError(f"Cannot cast {str(value)} to number")


cdef object to_str(object value, int how):
    if isinstance(value, str):
        return str(value)
    cast_fail(value)


cdef object dtype_of_code(object code):
    if 0 <= code < RT_NUM_DTYPES and rt_dtype_objects[<int>code] != NULL:
        return <object>rt_dtype_objects[<int>code]
    cast_fail(code)


cdef object to_dtype(object value, int how):
    if RT_TYPE(<void *>value) is rt_DtypeType:
        return value
    if how & PYARG:
        if value is float:
            return dtype_of_code(7)
        if value is bool:
            return dtype_of_code(11)
        if value is int:
            return dtype_of_code(4)
        if value is complex:
            return dtype_of_code(10)
        cast_fail(value)
    if isinstance(value, int) or is_scalar_tensor(value) or (is_number(value) and hasattr(value, "__index__")):
        return dtype_of_code(int(value))
    cast_fail(value)


cdef object to_layout(object value, int how):
    if RT_TYPE(<void *>value) is rt_LayoutType:
        return value
    if not how & PYARG and isinstance(value, int):
        return layout_of_code(value)
    cast_fail(value)


cdef object to_memory_format(object value, int how):
    if RT_TYPE(<void *>value) is rt_MemoryFormatType:
        return value
    if not how & PYARG and isinstance(value, int):
        return memory_format_of_code(value)
    cast_fail(value)


cdef object to_device(object value, int how):
    if RT_TYPE(<void *>value) is rt_DeviceType:
        return value
    if isinstance(value, str) or (how & PYARG and isinstance(value, int) and not isinstance(value, bool)):
        return device(value)
    cast_fail(value)


cdef object to_generator(object value, int how):
    if PyType_IsSubtype(RT_TYPE(<void *>value), rt_GeneratorType):
        return value
    cast_fail(value)


cdef object to_storage(object value, int how):
    if isinstance(value, UntypedStorage):
        return value
    untyped = getattr(value, "_untyped_storage", None)
    if isinstance(untyped, UntypedStorage):
        return untyped
    cast_fail(value)


cdef object wrap_foreign(object value, int how):
    """A zero-copy Tensor over a foreign array (over a copy where none can lie there and the call only reads), or None where the value is
    none."""
    if is_foreign_tensor(value):
        return shared_tensor(value)
    if strict_arrays:
        return None
    if not how & WRITTEN and RT_TYPE(<void *>value) == &PyArray_Type and not fits_tensor(value):
        return tensor_of_array(value)
    entry = foreign_entry(type(value))
    if entry is None:
        return None
    wrapped = (<tuple>entry)[1](value)
    if not rt_is_tensor(<PyObject *>wrapped):
        raise TypeError(f"the wrap function of {type(value).__name__} must return a Tensor, not {type(wrapped).__name__}")
    return wrapped


cdef object shared_tensor(object value):
    """A tensor on the memory of another library's."""
    try:
        return from_dlpack(value)
    except BufferError as e:
        raise TypeError(f"a {type(value).__module__}.{class_name(value)} stands where a tensor is expected, and does not share its memory "
                        f"({e}); pass runtime.from_dlpack(tensor.detach())") from None


cdef object foreign_entry(object cls):
    """The entry of a type in `foreign_types`, or None; CuPy's array type enters here, since CuPy is not imported for its sake."""
    entry = foreign_types.get(cls)
    if entry is None and cls.__name__ == "ndarray":
        import sys
        cupy = sys.modules.get("cupy")
        if cupy is not None and getattr(cupy, "ndarray", None) is cls:
            register_array_type(cls, new_keyset(RT_FUNCTIONALITY_BIT(K_Dense) | RT_BACKEND_BIT(1)), from_dlpack)
            entry = foreign_types[cls]
    return entry


cdef object to_tensor(object value, int how):
    if rt_is_tensor(<PyObject *>value):
        return value
    if not how & RETURNING:
        if how & NUMBERS_AS_TENSORS and not is_foreign_tensor(value):
            if isinstance(value, (bool, int, float, complex)):
                return steal(rt_wrap_number(<PyObject *>value))
            if is_number(value):
                number = value.item()
                return steal(rt_wrap_number(<PyObject *>number))
        wrapped = wrap_foreign(value, how)
        if wrapped is not None:
            return wrapped
    raise CastError(f"Unable to cast {short_str(value)} to Tensor")


cdef str short_str(object value):
    """str() of a value for a message: cut where it is long, safe where it raises."""
    try:
        text = str(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 2000 else text[:2000] + "..."


cdef object convert_one(object value, int kind, int how):
    if kind == RT_ARG_TENSOR:
        return to_tensor(value, how)
    if kind == RT_ARG_INT:
        return to_int(value, how)
    if kind == RT_ARG_FLOAT:
        return to_float(value, how)
    if kind == RT_ARG_BOOL:
        return to_bool(value, how)
    if kind == RT_ARG_SCALAR:
        return to_scalar(value, how)
    if kind == RT_ARG_STR:
        return to_str(value, how)
    if kind == RT_ARG_DTYPE:
        return to_dtype(value, how)
    if kind == RT_ARG_LAYOUT:
        return to_layout(value, how)
    if kind == RT_ARG_DEVICE:
        return to_device(value, how)
    if kind == RT_ARG_MEMORY_FORMAT:
        return to_memory_format(value, how)
    if kind == RT_ARG_GENERATOR:
        return to_generator(value, how)
    if kind == RT_ARG_STORAGE:
        return to_storage(value, how)
    if kind == RT_ARG_COMPLEX:
        return to_complex(value, how)
    return value


cdef tuple list_like = (set, frozenset, map, zip, __import__("types").GeneratorType, type({}.keys()), type({}.values()), type({}.items()))


cdef object convert_list(object value, rt_arg *spec, int how):
    """A tuple of canonical elements."""
    cdef int kind = spec.kind
    if value is None and how & PYARG and takes_none(spec):
        return ()
    if spec.size > 0 and kind in (RT_ARG_INT, RT_ARG_FLOAT, RT_ARG_BOOL) and not isinstance(value, (list, tuple)):
        # `int[2]` takes one int for all places; a float stands only for floats.
        fits = (isinstance(value, int) and (kind == RT_ARG_INT or how & PYARG)) or (kind == RT_ARG_FLOAT and isinstance(value, float))
        if kind == RT_ARG_BOOL:
            fits = isinstance(value, bool)
        if fits:
            return (convert_one(value, kind, how & ~PYARG),) * spec.size
        if how & PYARG and kind == RT_ARG_INT and (is_scalar_tensor(value) or PyType_IsSubtype(RT_TYPE(<void *>value), &PyIntegerArrType_Type)):
            return (to_int(value, how),) * spec.size
    if how & PYARG:
        if not isinstance(value, (list, tuple)):
            cast_fail(value)
    elif kind == RT_ARG_TENSOR and (how & RETURNING or not spec.flags & RT_ARGF_OPTIONAL_ELEM):
        if not isinstance(value, (list, tuple)):
            cast_fail(value)
    elif isinstance(value, (str, bytes)) and kind != RT_ARG_TENSOR and kind != RT_ARG_SCALAR:
        cast_fail(value)
    elif rt_is_tensor(<PyObject *>value) and kind != RT_ARG_TENSOR and kind != RT_ARG_SCALAR:
        if not (kind == RT_ARG_INT and spec.flags & RT_ARGF_SYMBOLIC) or dtype_kind(RT_TENSOR(<void *>value).dtype) >= KIND_FLOAT:
            cast_fail(value)
    if kind != RT_ARG_TENSOR and kind != RT_ARG_SCALAR and not hasattr(value, "__iter__") and not hasattr(value, "__getitem__"):
        if value is None or isinstance(value, (int, float)) and not how & RETURNING:
            iter(value)  # raises PyTorch's "object is not iterable"
        cast_fail(value)
    if (kind == RT_ARG_INT and not spec.flags & RT_ARGF_SYMBOLIC or kind == RT_ARG_FLOAT or kind == RT_ARG_BOOL) and not how & PYARG:
        # As pybind11's vectors: sequences, and these.
        if not rt_is_sequence(<PyObject *>value) and not isinstance(value, list_like):
            cast_fail(value)
    cdef bint optional = spec.flags & RT_ARGF_OPTIONAL_ELEM
    return tuple([None if optional and x is None else convert_one(x, kind, how) for x in value])


cdef bint is_code_object(object value) noexcept:
    """Whether a value is a dtype, a layout or a memory format."""
    cdef PyTypeObject *t = RT_TYPE(<void *>value)
    return t == rt_DtypeType or t == rt_LayoutType or t == rt_MemoryFormatType


cdef object convert_value(object value, rt_arg *spec, int how):
    """The canonical form of a value for an argument or return type.

    Raises CastError, or TypeError where a list was expected and the value cannot be iterated.
    """
    if value is None and spec.flags & RT_ARGF_OPTIONAL:
        return None
    if spec.flags & RT_ARGF_WRITE:
        how |= WRITTEN
    if spec.flags & RT_ARGF_LIST:
        return convert_list(value, spec, how)
    if spec.flags & RT_ARGF_SYMBOLIC and is_code_object(value):
        cast_fail(value)  # their codes stand for plain ints only
    return convert_one(value, spec.kind, how)
