# Quantized tensors: integers in memory, and a quantizer that says what they stand for.
#
# The quantizer is the tuple that PyTorch's pickles have: (per_tensor_affine, scale, zero_point) or (per_channel_affine, scales,
# zero_points, axis). It hangs on the tensor's `ext` and goes with views. The key Quantized and an element size of 0 keep the integers
# from kernels that do not know it: such a tensor is only made and taken apart here. The kernels, in runtime/kernels/quantized.py, compute
# on the integers as on any tensor.

cdef enum:
    CODE_QINT8 = 12, CODE_QUINT8 = 13, CODE_QINT32 = 14

cdef rt_keyset quantized_bit = RT_FUNCTIONALITY_BIT(RT_KEY_Quantized)
cdef rt_keyset dense_bit = RT_FUNCTIONALITY_BIT(K_Dense)


cdef int integer_code(int code) except -1:
    """The dtype of a quantized dtype's integers."""
    if code == CODE_QINT8:
        return 1
    if code == CODE_QUINT8:
        return 0
    if code == CODE_QINT32:
        return 3
    raise RuntimeError("Creation of quantized tensor requires quantized dtype like torch.quint8: "
                       f"{<object>rt_dtype_objects[code]} is none that tensors can have here")


def _integer_dtype(element):
    """The dtype of a quantized dtype's integers; RuntimeError for other dtypes."""
    if RT_TYPE(<void *>element) is not rt_DtypeType:
        raise TypeError(f"expected a dtype, but got {class_name(element)}")
    return <object>rt_dtype_objects[integer_code((<RtDtype *><void *>element).code)]


def _integers(Tensor tensor not None):
    """The integers of a quantized tensor, as a tensor on the same memory."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    cdef int code = integer_code(t.dtype)
    if not t.keys & quantized_bit:
        raise RuntimeError(f"a tensor of {tensor.dtype} without a quantizer has no integers")
    if t.storage != NULL and rt_storage_bytes(t.ndim, t.sizes, t.strides, t.offset, rt_itemsize[code]) > t.storage.nbytes:
        raise RuntimeError("the quantized tensor reaches beyond the end of its storage")
    result = steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))
    cdef RtTensor *r = RT_TENSOR(<void *>result)
    rt_set_quantizer(r, NULL)
    r.keys = r.keys & ~quantized_bit | dense_bit
    r.dtype = code
    return result


def _quantized(Tensor integers not None, element, tuple quantizer not None):
    """A quantized tensor on the memory of a tensor of integers."""
    cdef RtTensor *t = RT_TENSOR(<void *>integers)
    expected = _integer_dtype(element)
    if integers.dtype is not expected or t.device_type != DEVICE_CPU or not t.keys & dense_bit:
        raise RuntimeError(f"a tensor of {element} is made of {expected} integers on the CPU, not of {integers.dtype} on {integers.device}")
    result = steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))
    cdef RtTensor *r = RT_TENSOR(<void *>result)
    r.keys = r.keys & ~dense_bit | quantized_bit
    r.dtype = (<RtDtype *><void *>element).code
    rt_set_quantizer(r, <PyObject *>quantizer)
    return result


def _quantizer(Tensor tensor not None):
    """The quantizer of a tensor; None if it has none."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(<void *>tensor))
    return None if ext == NULL or ext.quantizer == NULL else <object>ext.quantizer


def _set_quantizer(Tensor tensor not None, tuple quantizer not None):
    """Give a quantized tensor another quantizer."""
    if not RT_TENSOR(<void *>tensor).keys & quantized_bit:
        raise RuntimeError(f"a tensor of {tensor.dtype} that is not quantized takes no quantizer")
    rt_set_quantizer(RT_TENSOR(<void *>tensor), <PyObject *>quantizer)


def _take_integers(Tensor tensor not None, Tensor integers not None):
    """Let a quantized tensor have the storage and the geometry of a tensor of its integers' dtype."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    cdef RtTensor *s = RT_TENSOR(<void *>integers)
    cdef rt_storage *old = t.storage
    if not t.keys & quantized_bit or s.dtype != integer_code(t.dtype) or s.storage == NULL or s.device_type != t.device_type:
        raise RuntimeError(f"a tensor of {tensor.dtype} cannot take the memory of one of {integers.dtype}")
    rt_wait_for_loops()
    rt_set_geometry(t, s.ndim, s.sizes, s.strides, s.offset)
    rt_storage_incref(s.storage)
    t.storage = s.storage
    if old != NULL:
        rt_storage_decref(old)


def _rebuild_quantized(storage, element, offset, sizes, strides, quantizer):
    """A quantized tensor on a storage: what pickles call. The geometry must lie inside the storage."""
    return _quantized(_rebuild_tensor(storage, _integer_dtype(element), offset, sizes, strides, False), element, quantizer)


cdef object dequantized_number(RtTensor *t):
    """The only element of a quantized tensor."""
    return ops.aten.dequantize.self(<object>t).item()
