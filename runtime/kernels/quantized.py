"""Making quantized tensors, asking them, and copying them.

What their integers mean is in `_quantizers`; views and functions of them are in `quantized_views` and `quantized_functions`. Quantizing has
no gradient: results never require one.
"""

import math

import runtime
from runtime import _core
from runtime._core import _hand_on, _integer_dtype, _integers, _numpy_view, _quantized, _quantizer, _take_integers, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import scalar_name
from runtime.kernels._quantizers import bounds, elements, is_per_tensor, per_channel, per_tensor, require_per_tensor, to_integers

aten = ops.aten
_PER_TENSOR_KERNEL = "quantize_tensor_per_tensor_affine"
_PER_CHANNEL_KERNEL = "quantize_tensor_per_channel_affine"


def _is_quantized_dtype(dtype):
    return str(dtype).startswith(("torch.qint", "torch.quint"))


def _check_dtype(dtype):
    name = str(dtype).rpartition(".")[2]
    if name in ("quint4x2", "quint2x4"):
        raise NotImplementedError(f"{dtype} packs several integers into a byte, which tensors cannot do here; use quint8")
    if name not in ("quint8", "qint8", "qint32"):
        raise RuntimeError(f"ScalarType {scalar_name(dtype)} is not supported in new_qtensor; quantized dtypes are quint8, qint8 and qint32")


def _check_zero_point(kernel, zero_point, dtype):
    low, high = bounds(dtype)
    if zero_point < low:
        raise RuntimeError(f"{kernel} zero_point {zero_point} is below lower bound.")
    if zero_point > high:
        raise RuntimeError(f"{kernel} zero_point {zero_point} is above upper bound.")


# ---- from floats


def quantize_per_tensor(self, scale, zero_point, dtype):
    _check_dtype(dtype)
    if self.dtype != runtime.float32:
        raise RuntimeError(f"Quantize only works on Float Tensor, got {scalar_name(self.dtype)}")
    _check_zero_point(_PER_TENSOR_KERNEL, zero_point, dtype)
    return _like(self, per_tensor(scale, zero_point), dtype)


def _like(x, quantizer, dtype):
    """A tensor quantized."""
    integers = aten.empty.memory_format(tuple(x.shape), dtype=_integer_dtype(dtype), memory_format=_format(x))
    _numpy_view(integers)[...] = to_integers(_numpy_view(x), dtype, quantizer)
    return _quantized(integers, dtype, quantizer)


def _format(x):
    """The memory format that new tensors have of a tensor's; other orders of elements are not kept."""
    return runtime.channels_last if x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=runtime.channels_last) else \
        runtime.contiguous_format


def quantize_per_tensor_meta(self, scale, zero_point, dtype):
    return aten.empty_like.default(self)


def quantize_per_tensor_tensor_qparams(self, scale, zero_point, dtype):
    return aten.quantize_per_tensor.default(self, scale.item(), int(zero_point.item()), dtype)


def quantize_per_tensor_tensors(tensors, scales, zero_points, dtype):
    kernel = aten.quantize_per_tensor.default
    return [kernel(x, scales[i].item(), int(zero_points[i].item()), dtype) for i, x in enumerate(tensors)]


def quantize_per_tensor_dynamic(self, dtype, reduce_range):
    from runtime.kernels.quantization import chosen_parameters

    if dtype not in (runtime.quint8, runtime.qint8):
        raise RuntimeError(f"dtype {scalar_name(dtype)}not supported; a dynamic scale is chosen for quint8 and qint8")
    if self.dtype != runtime.float32:
        raise RuntimeError(f"Quantize only works on Float Tensor, got {scalar_name(self.dtype)}")
    low, high = aten.min.default(self).item(), aten.max.default(self).item()
    if not low <= high:
        raise RuntimeError("In ChooseQuantizationParams, min should be less than or equal to max")
    if not math.isfinite(high - low):
        raise RuntimeError(f"{_PER_TENSOR_KERNEL} zero_point of elements between {low} and {high} is below lower bound.")
    bottom, top = bounds(dtype)
    if reduce_range:
        bottom, top = bottom // 2, top // 2
    return aten.quantize_per_tensor.default(self, *chosen_parameters(low, high, bottom, top), dtype)


def _check_channels(shape, scales, zero_points, axis):
    """Refuse scales and zero points that are not one for each of the channels."""
    if scales.dim() != 1:
        raise RuntimeError("scale tensor must have dimension 1")
    if zero_points.dim() != 1:
        raise RuntimeError("zero_points tensor must have dimension 1")
    if scales.numel() != zero_points.numel():
        raise RuntimeError("number of elements in scales and zero_points must match")
    if not scales.dtype.is_floating_point:
        raise RuntimeError("scale tensor must be floating point")
    if scalar_name(zero_points.dtype) not in ("Long", "Int", "Short", "Char", "Byte", "Float", "Double", "Half", "BFloat16"):
        raise RuntimeError(f"zero_points tensor must be of integers or floats, not {zero_points.dtype}")
    if not 0 <= axis < len(shape):
        raise RuntimeError(f"Channel axis out of range in per channel affine quantization. Got: {axis}Expected: [0, {len(shape)})")
    if scales.numel() != shape[axis]:
        raise RuntimeError(f"length of scales must equal to channel, expected {shape[axis]} got, {scales.numel()}")


def quantize_per_channel(self, scales, zero_points, axis, dtype):
    _check_dtype(dtype)
    if self.dtype != runtime.float32:
        raise RuntimeError(f"{_PER_CHANNEL_KERNEL} expects a Float Tensor, got {scalar_name(self.dtype)}")
    _check_channels(tuple(self.shape), scales, zero_points, axis)
    if not zero_points.dtype.is_floating_point:
        for zero_point in read(zero_points).tolist():
            _check_zero_point(_PER_CHANNEL_KERNEL, zero_point, dtype)
    return _like(self, per_channel(scales, zero_points, axis), dtype)


# ---- from integers, and of memory


def _make_per_tensor_quantized_tensor(self, scale, zero_point):
    return _quantized(aten.clone.default(self), _quantized_dtype(self), per_tensor(scale, zero_point))


def _make_per_channel_quantized_tensor(self, scale, zero_point, axis):
    _check_channels(tuple(self.shape), scale, zero_point, axis)
    return _quantized(aten.clone.default(self), _quantized_dtype(self), per_channel(scale, zero_point, axis))


def _quantized_dtype(integers):
    found = {runtime.uint8: runtime.quint8, runtime.int8: runtime.qint8, runtime.int32: runtime.qint32}.get(integers.dtype)
    if found is None:
        raise RuntimeError("Creation of quantized tensor requires quantized dtype like torch.quint8, whose integers are uint8, int8 or int32, "
                           f"not {integers.dtype}")  # fmt: skip
    return found


def _empty(size, dtype, device, memory_format, quantizer):
    if dtype is None or not _is_quantized_dtype(dtype):
        raise RuntimeError("Creation of quantized tensor requires quantized dtype like torch.quint8")
    if device is not None and device.type != "cpu":
        raise NotImplementedError(f"quantized tensors have kernels on the CPU only, not on {device}")
    return _quantized(aten.empty.memory_format(size, dtype=_integer_dtype(dtype), memory_format=memory_format), dtype, quantizer)


def _empty_affine_quantized(
    size, *, dtype=None, layout=None, device=None, pin_memory=None, scale=1.0, zero_point=0, memory_format=runtime.contiguous_format
):
    return _empty(size, dtype, device, memory_format, per_tensor(scale, zero_point))


def _empty_per_channel_affine_quantized(
    size, *, scales, zero_points, axis, dtype=None, layout=None, device=None, pin_memory=None, memory_format=runtime.contiguous_format
):
    _check_channels(tuple(size), scales, zero_points, axis)
    return _empty(size, dtype, device, memory_format, per_channel(scales, zero_points, axis))


def empty_quantized(size, qtensor, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    return _empty(size, dtype or qtensor.dtype, device, memory_format, _quantizer(qtensor))


def quantized_empty_like(self, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    if not self.is_quantized:
        raise RuntimeError(f"empty_like() of a tensor of {self.dtype} makes no quantized one; use _empty_affine_quantized()")
    if dtype not in (None, self.dtype):
        raise RuntimeError("It is currently not supported to specify a dtype that doesn't match the input tensor's dtype via empty_like.  "
                           f"Specified: {dtype} Input tensor's dtype: {self.dtype}")  # fmt: skip
    if device is not None and device.type != "cpu":
        raise NotImplementedError(f"quantized tensors have kernels on the CPU only, not on {device}")
    kept = _format(self) if memory_format in (None, runtime.preserve_format) else memory_format
    return _quantized(aten.empty_like.default(_integers(self), memory_format=kept), self.dtype, _quantizer(self))


def quantized_new_empty(self, size, *, dtype=None, layout=None, device=None, pin_memory=None):
    if dtype is not None and not _is_quantized_dtype(dtype):
        return aten.empty.memory_format(size, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
    return _empty(size, dtype or self.dtype, device, runtime.contiguous_format, _quantizer(self))


def quantized_zeros_like(self, **options):
    return aten.zero_.default(aten.empty_like.default(self, **options))


def quantized_ones_like(self, **options):
    return aten.fill_.Scalar(aten.empty_like.default(self, **options), 1.0)


def quantized_full_like(self, fill_value, **options):
    return aten.fill_.Scalar(aten.empty_like.default(self, **options), fill_value)


# ---- to floats and integers


def dequantize(self):
    floats = aten.empty.memory_format(tuple(self.shape), dtype=runtime.float32, memory_format=_format(self))
    _numpy_view(floats)[...] = elements(self)
    return floats


def dequantize_float(self):
    return self if self.dtype == runtime.float32 else _hand_on(aten.dequantize.self, aten._to_copy.default, self, dtype=runtime.float32)


def dequantize_tensors(tensors):
    return [aten.dequantize.self(x) for x in tensors]


def int_repr(self):
    return aten.clone.default(_integers(self), memory_format=_format(self))


def quantized__local_scalar_dense(self):
    return aten._local_scalar_dense.default(aten.dequantize.self(self))


# ---- questions


def qscheme(self):
    return _core._qscheme_code(_quantizer(self)[0])


def _expect(self, name, per_channel_wanted):
    quantizer = _quantizer(self)
    if is_per_tensor(quantizer) == per_channel_wanted:
        wanted = "kPerChannelAffine || quantizer->qscheme() == kPerChannelAffineFloatQParams" if per_channel_wanted else "kPerTensorAffine"
        raise RuntimeError(f"Expected quantizer->qscheme() == {wanted} to be true, but got false.  {name}() is not for a tensor whose qscheme() "
                           f"is {quantizer[0]}")  # fmt: skip
    return quantizer


def q_scale(self):
    return _expect(self, "q_scale", False)[1]


def q_zero_point(self):
    return _expect(self, "q_zero_point", False)[2]


def q_per_channel_scales(self):
    return aten.clone.default(_expect(self, "q_per_channel_scales", True)[1])


def q_per_channel_zero_points(self):
    return aten.clone.default(_expect(self, "q_per_channel_zero_points", True)[2])


def q_per_channel_axis(self):
    return _expect(self, "q_per_channel_axis", True)[3]


def same_quantizer(a, b):
    """Whether two quantizers say the same."""
    if a[0] is not b[0] or is_per_tensor(a):
        return a == b
    return a[3] == b[3] and aten.equal.default(a[1], b[1]) and aten.equal.default(a[2], b[2])


def quantized_equal(self, other):
    if not (self.is_quantized and other.is_quantized) or self.dtype != other.dtype or self.shape != other.shape:
        return False
    return same_quantizer(_quantizer(self), _quantizer(other)) and aten.equal.default(_integers(self), _integers(other))


# ---- copies


def quantized_clone(self, *, memory_format=None):
    kept = _format(self) if memory_format in (None, runtime.preserve_format) else memory_format
    return _quantized(aten.clone.default(_integers(self), memory_format=kept), self.dtype, _quantizer(self))


def quantized_copy_(self, src, non_blocking=False):
    if not self.is_quantized:
        raise RuntimeError("Copying from quantized Tensor to non-quantized Tensor is not allowed, please use dequantize to get a float Tensor "
                           "from a quantized Tensor")  # fmt: skip
    if not src.is_quantized:
        if src.dtype != runtime.float32:
            raise RuntimeError("Quantized copy only works with kFloat as source Tensor")
        if self.shape != src.shape:
            raise RuntimeError("Quantized copy only works with Tensors with the same shape")
        aten.copy_.default(_integers(self), new(to_integers(read(src), self.dtype, _quantizer(self))))
        return self
    if self.dtype != src.dtype:
        raise RuntimeError("Quantized Copy only works with Tensors of the same dtype: "
                           f"Expected self.scalar_type() == src.scalar_type(), but got {self.dtype} and {src.dtype}")  # fmt: skip
    if _quantizer(self)[0] is not _quantizer(src)[0]:
        raise RuntimeError("Quantized Copy only works with same qscheme")
    aten.copy_.default(_integers(self), _integers(src))
    _core._set_quantizer(self, _quantizer(src))
    return self


def quantized__to_copy(self, *, dtype=None, layout=None, device=None, pin_memory=None, non_blocking=False, memory_format=None):
    if dtype not in (None, self.dtype):
        if not self.is_quantized:
            raise RuntimeError(f"a tensor of {self.dtype} becomes none of {dtype} without a quantizer; use quantize_per_tensor()")
        if not _is_quantized_dtype(dtype):
            raise RuntimeError("Creation of quantized tensor requires quantized dtype like torch.quint8; for numbers use dequantize()")
        raise RuntimeError(f"Expected self.scalar_type() == src.scalar_type() to be true, but got {dtype} and {self.dtype}")
    if device is not None and device.type != "cpu":
        raise NotImplementedError(f"quantized tensors have kernels on the CPU only, not on {device}")
    return aten.clone.default(self, memory_format=memory_format)


def quantized_fill__Scalar(self, value):
    if isinstance(value, complex):
        raise RuntimeError("value cannot be converted to type float without overflow")
    full = aten.full.default(tuple(self.shape), float(value), dtype=runtime.float32)
    aten.copy_.default(_integers(self), new(to_integers(_numpy_view(full), self.dtype, _quantizer(self))))
    return self


def quantized_fill__Tensor(self, value):
    if value.dim() != 0:
        raise RuntimeError(f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions.")
    return aten.fill_.Scalar(self, value.item())


# ---- memory


def _with_memory(self, change):
    """Change memory and geometry of a quantized tensor as those of a tensor of integers."""
    integers = _integers(self)
    change(integers)
    _take_integers(self, integers)
    return self


def quantized_resize_(self, size, *, memory_format=None):
    require_per_tensor(self, "Can only resize quantized tensors with per-tensor schemes!")
    if memory_format is not None:
        raise RuntimeError(f"Unsupported memory format for quantized tensor resize {memory_format}")
    return _with_memory(self, lambda integers: aten.resize_.default(integers, size))


def quantized_set__source_Storage_storage_offset(self, source, storage_offset, size, stride=()):
    return _with_memory(self, lambda integers: aten.set_.source_Storage_storage_offset(integers, source, storage_offset, size, stride))


def quantized_set__source_Tensor(self, source):
    if self.dtype != source.dtype:
        raise RuntimeError(f"Could not set tensor of type {source.dtype} to a tensor of type {self.dtype}")
    return _with_memory(self, lambda integers: aten.set_.source_Tensor(integers, _integers(source)))
