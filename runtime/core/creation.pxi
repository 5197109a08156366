# Tensors from Python data: `tensor`, `as_tensor`, `frombuffer`, with PyTorch's rules for the dtype of nested sequences.

from cpython.buffer cimport PyObject_CheckBuffer
from cpython.sequence cimport PySequence_Check

cdef extern from "kernels/shared/promotion.h":
    int rt_promote_types(int a, int b) except -1

cdef extern from "Python.h":
    PyTypeObject c_bytes "PyBytes_Type"

cdef enum:
    MAX_SEQUENCE_DIM = 128  # deeper nesting is taken for a list that contains itself


cdef bint is_sequence(object data) except -1:
    return not rt_is_tensor(<PyObject *>data) and PySequence_Check(data)


cdef list sequence_sizes(object data):
    """The sizes that nested sequences have along their first elements."""
    sizes = []
    while is_sequence(data):
        length = len(data)
        sizes.append(length)
        if len(sizes) > MAX_SEQUENCE_DIM:
            raise ValueError(f"too many dimensions '{class_name(data)}'")
        if length == 0:
            break
        data = data[0]
    return sizes


cdef int code_of_numpy(object array_or_scalar) except -2:
    """The dtype code of a NumPy array or scalar; -1 for anything else."""
    cdef object kind = type(array_or_scalar)
    if cnp.PyArray_Check(array_or_scalar) or cnp.PyArray_CheckScalar(array_or_scalar):
        return code_of_numpy_dtype(array_or_scalar.dtype)
    return -1


cdef int infer_code(object data, int depth) except -1:
    """The dtype code that Python data has."""
    cdef int code, found
    if rt_is_tensor(<PyObject *>data):
        return RT_TENSOR(<void *>data).dtype
    if type(data) is float:
        return rt_default_dtype
    if type(data) is int:
        return 4
    if type(data) is bool:
        return CODE_BOOL
    code = code_of_numpy(data)
    if code >= 0:
        return code
    if isinstance(data, float):
        return rt_default_dtype
    if isinstance(data, bool):
        return CODE_BOOL
    if isinstance(data, int):
        return 4
    if isinstance(data, complex):
        return complex_of[rt_default_dtype]
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{class_name(data)}'")
    if not PySequence_Check(data):
        raise RuntimeError(f"Could not infer dtype of {class_name(data)}")
    if depth > MAX_SEQUENCE_DIM:
        raise TypeError("new(): self-referential lists are incompatible")
    if len(data) == 0:
        return rt_default_dtype
    found = -1
    for item in data:
        code = infer_code(item, depth + 1)
        found = code if found < 0 or found == code else rt_promote_types(found, code)
    return found


cdef char *store_nested(char *p, object data, list sizes, int dim, int code) except NULL:
    """Write nested sequences to contiguous memory; returns the place behind the last element."""
    cdef Py_ssize_t n, i
    if dim == len(sizes):
        rt_store_element(p, code, <PyObject *>data)
        return p + rt_itemsize[code]
    if not is_sequence(data):
        raise TypeError("not a sequence")
    n = sizes[dim]
    if not isinstance(data, (list, tuple)):
        data = list(data)
    if len(data) != n:
        raise ValueError(f"expected sequence of length {n} at dim {dim} (got {len(data)})")
    for i in range(n):
        # Storing calls user code (__index__, __float__), which may shorten the list.
        if i >= len(data):
            raise ValueError(f"expected sequence of length {n} at dim {dim} (got {len(data)})")
        p = store_nested(p, data[i], sizes, dim + 1, code)
    return p


cdef object new_cpu_tensor(list sizes, int code):
    cdef int64_t c_sizes[64]
    cdef int i, n = len(sizes)
    if n > RT_MAX_DIM:
        raise RuntimeError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported, but got {n}")
    for i in range(n):
        c_sizes[i] = sizes[i]
    return steal(<PyObject *>rt_empty(n, c_sizes, code, DEVICE_CPU, -1))


cdef object tensor_from_array(object array):
    """A tensor with a copy of a NumPy array's elements."""
    cdef object source
    cdef int64_t nbytes
    if cnp.PyArray_IS_F_CONTIGUOUS(array) and not cnp.PyArray_IS_C_CONTIGUOUS(array):
        return tensor_from_array(array.T).permute(tuple(range(array.ndim - 1, -1, -1))).detach()  # dense strides are kept
    source = cnp.PyArray_GETCONTIGUOUS(array)
    nbytes = cnp.PyArray_NBYTES(source)
    result = new_cpu_tensor(list(array.shape), code_of_numpy_dtype(array.dtype))
    if nbytes:
        memcpy(RT_TENSOR(<void *>result).storage.data, cnp.PyArray_DATA(source), nbytes)
    return result


cdef bint speaks_dlpack(object data) noexcept:
    """Whether data that is neither a tensor nor a NumPy array has DLPack's methods."""
    return (not rt_is_tensor(<PyObject *>data) and not cnp.PyArray_Check(data) and not PyType_Check_(<PyObject *>data)
            and c_type_lookup(RT_TYPE(<void *>data), <PyObject *>dlpack_name) != NULL)


cdef object tensor_from_data(object data, int code):
    """A new CPU tensor from Python data; `code` is the dtype, or -1 to infer it."""
    cdef RtTensor *t
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if rt_is_tensor(<PyObject *>data):
        result = data.detach().clone()
    elif speaks_dlpack(data):
        result = shared_tensor(data).clone()
    elif cnp.PyArray_Check(data):
        check_numpy_array(data)
        result = tensor_from_array(data)
    else:
        if type(data) is list and len(data) and cnp.PyArray_Check(data[0]):
            warn_once("Creating a tensor from a list of numpy.ndarrays is extremely slow. Please consider converting the list to a single "
                      "numpy.ndarray with numpy.array() before converting to a tensor.")
        sizes = sequence_sizes(data)
        if code < 0:
            code = infer_code(data, 0)
        if not rt_itemsize[code]:
            raise RuntimeError("store_scalar: invalid type")
        result = new_cpu_tensor(sizes, code)
        t = RT_TENSOR(<void *>result)
        if t.numel:
            store_nested(t.storage.data, data, sizes, 0, code)
        return result
    if code >= 0 and RT_TENSOR(<void *>result).dtype != code:
        result = result.to(<object>rt_dtype_objects[code])
    return result


cdef int dtype_argument(object value, str function) except -2:
    """The code of an optional dtype argument; -1 for None."""
    if value is None:
        return -1
    if type(value) is dtype:
        return (<dtype>value).code
    if value is float:
        return 7
    if value is int:
        return 4
    if value is bool:
        return CODE_BOOL
    if value is complex:
        return 10
    raise TypeError(f"{function}(): argument 'dtype' must be torch.dtype, not {class_name(value)}")


cdef object place_on(object result, object where):
    """A CPU tensor moved to the device of an argument."""
    cdef RtTensor *t = RT_TENSOR(<void *>result)
    target = as_device(where)
    if device_type_of(target) == t.device_type:
        return result
    if device_type_of(target) == DEVICE_META:
        return steal(<PyObject *>rt_empty(t.ndim, t.sizes, t.dtype, DEVICE_META, -1))
    return result.to(target)


cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_lift_fresh

# The keys whose presence in a thread's set means that somebody looks at the operators a call makes.
cdef rt_keyset watching_bits = (RT_FUNCTIONALITY_BIT(K_Python) | RT_FUNCTIONALITY_BIT(K_PythonDispatcher)
                                | RT_FUNCTIONALITY_BIT(K_PreDispatch) | RT_FUNCTIONALITY_BIT(K_Functionalize))


cdef object lifted(object plain):
    """A tensor from data, shown to modes: they learn of it by `lift_fresh`."""
    cdef PyObject *args[1]
    if likely(not rt_tls_state.included & ~rt_tls_state.excluded & watching_bits):
        return plain
    args[0] = <PyObject *>plain
    return steal(rt_call(rt_builtin_ops[RT_OP_aten_lift_fresh], args, 1))


cdef tuple mode_override(object function, tuple args, dict kwargs):
    """`(result,)` where a torch function mode takes the call of a function that makes a tensor from data; else None. Classes are not
    asked: whatever has data is data."""
    cdef Overloaded nobody
    if likely(not rt_tls_state.function_modes):
        return None
    nobody.n = 0
    return (steal(ask_overrides(<PyObject *>function, &nobody, <PyObject *>args, <PyObject *>kwargs)),)


cdef object copied(object data, int code, object where):
    """A tensor's elements in a new tensor; `code` may be -1 for its dtype, `where` None for its device."""
    plain = detached(data)
    return call_to(plain, data.device if where is None else as_device(where), dtype_of_code(RT_TENSOR(<void *>data).dtype if code < 0 else code),
                   False, True, None)


def tensor(data, *, dtype=None, device=None, requires_grad=False, pin_memory=False):
    """A new tensor with a copy of some data.

    Parameters
    ----------
    data : number, sequence, array or Tensor
        Numbers nested in sequences of equal lengths, a NumPy array or scalar, or a tensor.
    dtype : dtype, optional
        The dtype; by default that of the data: int64 for ints, the default dtype for floats, bool, complex.
    device : device or str, optional
        Where the tensor shall be; the CPU by default.
    requires_grad : bool
        Whether operations on the tensor are recorded for gradients.
    pin_memory : bool
        Must be False: there is no pinned memory.

    Returns
    -------
    Tensor
    """
    if unlikely(rt_tls_state.function_modes):
        overridden = mode_override(tensor, (data,), given_options(dtype=dtype, device=device, requires_grad=requires_grad,
                                                                  pin_memory=pin_memory))
        return overridden[0]
    return make_tensor(data, dtype, device, requires_grad, pin_memory)


cdef object make_tensor(object data, object dtype, object device, object requires_grad, object pin_memory):
    """`tensor`, asking no torch function mode."""
    cdef int code = dtype_argument(dtype, "tensor")
    if requires_grad is not True and requires_grad is not False:
        raise TypeError(f"tensor(): argument 'requires_grad' must be bool, not {class_name(requires_grad)}")
    if pin_memory:
        raise RuntimeError("pin_memory=True requires a CUDA or other accelerator backend; no pinned memory allocator is available on "
                           "this system.")
    if rt_is_tensor(<PyObject *>data):
        import warnings
        warnings.warn("To copy construct from a tensor, it is recommended to use sourceTensor.detach().clone() or "
                      "sourceTensor.detach().clone().requires_grad_(True), rather than torch.tensor(sourceTensor).",
                      UserWarning, stacklevel=1)
        with _without_overrides():
            result = copied(data, code, device)
    else:
        result = lifted(place_on(tensor_from_data(data, code), device))
    if requires_grad:
        if dtype_kind(RT_TENSOR(<void *>result).dtype) < KIND_FLOAT:
            raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
        set_requires_grad(RT_TENSOR(<void *>result), True)
    return result


def as_tensor(data, dtype=None, device=None):
    """A tensor with some data, on the same memory where that is possible.

    Parameters
    ----------
    data : number, sequence, array or Tensor
        As for `tensor`.
    dtype : dtype, optional
        The dtype; by default that of the data.
    device : device or str, optional
        Where the tensor shall be; by default where the data is.
    """
    if unlikely(rt_tls_state.function_modes):
        overridden = mode_override(as_tensor, (data,), given_options(dtype=dtype, device=device))
        return overridden[0]
    cdef int code = dtype_argument(dtype, "as_tensor")
    if speaks_dlpack(data):
        data = shared_tensor(data)
        if device is None:
            device = data.device
    if not rt_is_tensor(<PyObject *>data) and not cnp.PyArray_Check(data):
        return lifted(place_on(tensor_from_data(data, code), device))
    with _without_overrides():
        if rt_is_tensor(<PyObject *>data):
            result = data
            if device is None:
                device = data.device
        else:
            result = from_numpy(data)
        if code >= 0 and RT_TENSOR(<void *>result).dtype != code:
            result = result.to(<object>rt_dtype_objects[code])
        return place_on(result, device)


cdef dict given_options(dtype=None, device=None, requires_grad=False, pin_memory=False):
    """The options of a factory that are not the default."""
    found = {"dtype": dtype, "device": device, "requires_grad": requires_grad or None, "pin_memory": pin_memory or None}
    return {name: value for name, value in found.items() if value is not None}


cdef object _without_overrides():
    """For a ``with`` block: whatever class or mode has a `__torch_function__` is not asked."""
    return DisableTorchFunction()


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A 1-d tensor on the memory of an object that has the buffer protocol.

    Parameters
    ----------
    buffer : object
        The memory; the tensor keeps it alive and locked.
    dtype : dtype
        The dtype of the elements.
    count : int
        How many elements; negative: as many as there are.
    offset : int
        Bytes to skip at the start.
    requires_grad : bool
        Whether operations on the tensor are recorded for gradients.
    """
    cdef int code = dtype_argument(dtype, "frombuffer")
    cdef int64_t elements = count, skip = offset, length, itemsize, stride = 1
    if code < 0 or not rt_itemsize[code]:
        raise TypeError("frombuffer() needs the dtype of the elements")
    if not PyObject_CheckBuffer(buffer):
        raise ValueError("object does not implement Python buffer protocol.")
    view = memoryview(buffer)
    if not view.c_contiguous:
        raise ValueError("the buffer is not contiguous")
    if view.readonly:
        warn_read_only("buffer")
    itemsize = rt_itemsize[code]
    length = view.nbytes
    if length == 0 or elements == 0:
        raise ValueError(f"both buffer length ({length}) and count ({elements}) must not be 0")
    if not 0 <= skip < length:
        raise ValueError(f"offset ({skip} bytes) must be non-negative and no greater than buffer length ({length} bytes) minus 1")
    if elements < 0:
        if (length - skip) % itemsize:
            raise ValueError(f"buffer length ({length - skip} bytes) after offset ({skip} bytes) must be a multiple of element size "
                             f"({itemsize})")
        elements = (length - skip) // itemsize
    elif elements > (length - skip) // itemsize:
        raise ValueError(f"requested buffer length ({elements} * {itemsize} bytes) after offset ({skip} bytes) must not be greater than "
                         f"actual buffer length ({length} bytes)")
    result = tensor_over_memory(<char *>buffer_address(view) + skip, view, code, 1, &elements, &stride,
                                RT_STORAGE_READONLY if view.readonly else 0)
    if requires_grad:
        set_requires_grad(RT_TENSOR(<void *>result), True)
    return result


cdef void *buffer_address(object view) except NULL:
    return PyMemoryView_GET_BUFFER(<PyObject *>view).buf

cdef extern from "Python.h":
    Py_buffer *PyMemoryView_GET_BUFFER(PyObject *view) noexcept


cdef object tensor_over_memory(char *data, object owner, int code, int ndim, const int64_t *sizes, const int64_t *strides, uint32_t flags):
    """A tensor on memory that `owner` keeps alive; strides are not negative."""
    cdef int64_t nbytes
    cdef rt_storage *s
    if rt_check_sizes(ndim, sizes) < 0:
        raise_current()
    nbytes = rt_storage_bytes(ndim, sizes, strides, 0, rt_itemsize[code])
    s = rt_storage_foreign(data, nbytes, <PyObject *>owner, DEVICE_CPU, -1, flags)
    if s == NULL:
        raise_current()
    try:
        return tensor_on(s, code, ndim, sizes, strides, 0)
    finally:
        rt_storage_decref(s)
