"""Numbers to the integers of quantized tensors and back.

A quantizer is the tuple that such a tensor has in the core: its scheme, and either a scale and a zero point, or tensors of scales and zero
points for the channels along an axis, which comes last. An integer `q` stands for `(q - zero_point) * scale`. The zero points of
`per_channel_affine_float_qparams` are floats. Everything is computed in float32, in PyTorch's order of operations. The kernels of
quantized tensors and their printing call these functions.
"""

import numpy as np

from runtime import _core
from runtime._core import _integers, _numpy_view, _quantizer, ops

aten = ops.aten

_BOUNDS = {
    _core.dtype_names["quint8"]: (0, 255),
    _core.dtype_names["qint8"]: (-128, 127),
    _core.dtype_names["qint32"]: (-(2**31), 2**31 - 1),
}
_INTEGERS = {_core.dtype_names["quint8"]: np.uint8, _core.dtype_names["qint8"]: np.int8, _core.dtype_names["qint32"]: np.int32}


def bounds(dtype):
    """The least and the greatest integer of a quantized dtype."""
    return _BOUNDS[dtype]


def is_per_tensor(quantizer):
    """Whether there is one scale for all elements."""
    return quantizer[0] is _core.per_tensor_affine


def per_tensor(scale, zero_point):
    """The quantizer of one scale."""
    return _core.per_tensor_affine, float(scale), int(zero_point)


def per_channel(scales, zero_points, axis):
    """The quantizer of one scale for each channel; it holds copies of the tensors."""
    is_float = zero_points.dtype.is_floating_point
    kept = _core.dtype_names["float32" if is_float else "float64"]
    points = aten._to_copy.default(zero_points, dtype=kept if is_float else _core.dtype_names["int64"])
    scheme = _core.per_channel_affine_float_qparams if is_float else _core.per_channel_affine
    return scheme, aten._to_copy.default(scales, dtype=kept), points, axis


def channels(quantizer, shape, what):
    """Scales and zero points of a quantizer as float32 arrays that broadcast against a shape.

    Raises
    ------
    RuntimeError
        If the tensor has no such axis, or not as many channels: views keep a quantizer that does not fit them.
    """
    _, scales, zero_points, axis = quantizer
    if not 0 <= axis < len(shape):
        raise RuntimeError(f"Channel axis out of range in per channel affine {what}. Got:{axis} Expected: [0, {len(shape)})")
    if scales.numel() != shape[axis] or zero_points.numel() != shape[axis]:
        raise RuntimeError(f"length of scales must equal to channel, expected {shape[axis]} got, {scales.numel()}")
    aligned = [-1 if d == axis else 1 for d in range(len(shape))]
    return [_numpy_view(x).reshape(aligned) for x in (scales, zero_points)]


#: Elements that are quantized at a time, so that the steps between stay in caches.
_BLOCK = 1 << 15


def _to_bytes(array, dtype, quantizer):
    """As to_integers, for one scale and a dtype of 8 bits; NaN becomes the greatest integer, as in PyTorch."""
    low, high = bounds(dtype)
    inverse, zero_point = np.float64(np.float32(1) / np.float32(quantizer[1])), quantizer[2]
    shape, array = array.shape, array.reshape(-1)
    out = np.empty(array.shape, _INTEGERS[dtype])
    wide, steps = np.empty(min(_BLOCK, array.size)), np.empty(min(_BLOCK, array.size), np.float32)
    for begin in range(0, array.size, _BLOCK):
        part = array[begin : begin + _BLOCK]
        w, s = wide[: part.size], steps[: part.size]
        # PyTorch multiplies and adds with one rounding.
        np.multiply(part, inverse, out=w, dtype=np.float64)
        np.add(w, zero_point, out=s, casting="same_kind")
        np.rint(s, out=s)
        # Of a number and NaN these give the number.
        np.fmax(np.fmin(s, high, out=s), low, out=out[begin : begin + _BLOCK], casting="unsafe")
    return out.reshape(shape)


def to_integers(array, dtype, quantizer):
    """Quantize an array of float32: round to the nearest integer, ties to even, and keep it within the dtype's bounds."""
    low, high = bounds(dtype)
    nan = low
    with np.errstate(all="ignore"):
        if is_per_tensor(quantizer):
            if dtype is not _core.dtype_names["qint32"]:
                return _to_bytes(array, dtype, quantizer)
            steps = array * (np.float32(1) / np.float32(quantizer[1])) + np.float32(quantizer[2])
        else:
            scales, zero_points = channels(quantizer, array.shape, "quantization")
            steps = array * (np.float32(1) / scales.astype(np.float32)) + zero_points.astype(np.float32)
        steps = np.rint(steps).astype(np.float64)
        return np.where(np.isnan(steps), nan, np.clip(steps, low, high)).astype(_INTEGERS[dtype])


def to_floats(array, quantizer):
    """The numbers, in float32, for which integers stand."""
    with np.errstate(all="ignore"):
        if is_per_tensor(quantizer):
            return (array.astype(np.int64) - quantizer[2]).astype(np.float32) * np.float32(quantizer[1])
        scales, zero_points = channels(quantizer, array.shape, "dequantization")
        wide = array.astype(np.float32 if zero_points.dtype.kind == "f" else np.int64)
        return (wide - zero_points).astype(np.float32) * scales.astype(np.float32)


def elements(tensor):
    """The numbers for which a quantized tensor's integers stand, as an array of float32."""
    return to_floats(_numpy_view(_integers(tensor)), _quantizer(tensor))


def require_per_tensor(tensor, message):
    """Refuse a tensor with a scale for each channel; returns the quantizer."""
    quantizer = _quantizer(tensor)
    if not is_per_tensor(quantizer):
        raise RuntimeError(message)
    return quantizer
