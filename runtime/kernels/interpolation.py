"""Resampling on a grid: nearest, linear, cubic, with and without antialiasing.

Each is separable: along a dimension, a place of the result is a weighted sum of a few places (taps) of the input. `_Taps` holds their
indices and weights, of shape [taps, places]; the sums and the transposed sums of backward passes are loops in C. A result has the memory
format of the input: where that has its channels last, so have the arrays that the loops see.
"""

import math
from collections import namedtuple

import numpy as np

import runtime
from runtime._core import _run_loop, ops
from runtime.kernels._arrays import memory, new, opmath, place_of, read
from runtime.kernels._common import check_countable
from runtime.kernels.fused import is_strides_like_format

aten = ops.aten

_Taps = namedtuple("_Taps", "index weight")

# Taps lie within the input: with the mode that checks them NumPy takes into memory of its own first.
_UNCHECKED = "clip"

#: Factors near zero lead to places that no integer holds.
_WITHOUT_WARNINGS = np.errstate(all="ignore")


def _scale(size, result, scale, dtype, align_corners=False):
    """Input places for each place of the result."""
    if align_corners:
        return dtype(size - 1) / dtype(result - 1) if result > 1 else dtype(0)
    if scale is not None and scale > 0:
        return dtype(1.0 / scale)
    return dtype(size) / dtype(result)


@_WITHOUT_WARNINGS
def _nearest(size, result, scale, exact, whole_steps):
    """With `whole_steps`, a given scale is not used where the sizes are equal or one is twice the other."""
    if whole_steps and not exact and result in (size, 2 * size):
        return _Taps((np.arange(result) // (result // size))[None], None)
    step = _scale(size, result, scale, np.float32)
    at = np.arange(result).astype(np.float32) + np.float32(0.5 if exact else 0)
    return _Taps(np.minimum(np.floor(at * step), size - 1).astype(np.intp)[None], None)


@_WITHOUT_WARNINGS
def _linear(size, result, scale, align_corners, dtype):
    at = np.arange(result).astype(dtype)
    if size == result:
        return _Taps(np.arange(size)[None], np.ones((1, size), dtype))
    step = _scale(size, result, scale, dtype, align_corners)
    source = step * at if align_corners else np.maximum(step * (at + dtype(0.5)) - dtype(0.5), 0)
    first = np.minimum(source.astype(np.intp), size - 1)
    part = np.clip(source - first.astype(dtype), 0, 1).astype(dtype)
    return _Taps(np.stack([first, np.minimum(first + 1, size - 1)]), np.stack([1 - part, part]))


def _cubic_weight(x, a):
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0)).astype(x.dtype)


@_WITHOUT_WARNINGS
def _cubic(size, result, scale, align_corners, dtype):
    at = np.arange(result).astype(dtype)
    step = _scale(size, result, scale, dtype, align_corners)
    source = step * at if align_corners else step * (at + dtype(0.5)) - dtype(0.5)
    first = np.floor(source)
    part = source - first
    index = np.stack([np.clip(first.astype(np.intp) + k, 0, size - 1) for k in range(-1, 3)])
    return _Taps(index, np.stack([_cubic_weight(part - dtype(k), dtype(-0.75)) for k in range(-1, 3)]))


@_WITHOUT_WARNINGS
def _antialiased(size, result, scale, align_corners, dtype, cubic):
    """A filter as wide as the step between places of the result; weights are made to sum to 1."""
    if size == result:
        return _Taps(np.arange(size)[None], np.ones((1, size), dtype))
    step = _scale(size, result, scale, dtype, align_corners)
    reach = (2 if cubic else 1) * max(float(step), 1.0)
    center = step * (np.arange(result).astype(dtype) + dtype(0.5))
    first = np.maximum((center - dtype(reach) + dtype(0.5)).astype(np.intp), 0)
    count = np.minimum((center + dtype(reach) + dtype(0.5)).astype(np.intp), size) - first
    taps = np.arange(max(int(count.max(initial=1)), 1))[:, None]
    x = (taps + first - center + dtype(0.5)) * dtype(1 / max(float(step), 1.0))
    weight = _cubic_weight(x, dtype(-0.5)) if cubic else np.maximum(1 - np.abs(x), 0)
    weight = np.where(taps < count, weight, 0).astype(dtype)
    total = weight.sum(axis=0)
    return _Taps(np.minimum(taps + first, size - 1), weight / np.where(total == 0, 1, total))


def _layout(shape, axis, sizes):
    """The outer range of a loop over one axis, a grain for it, and the inner size."""
    outer, inner = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
    return outer, (1 << 15) // (max(sizes) * inner + 1) + 1, inner


def _resampled(array, axis, taps, out=None):
    """The weighted sums along an axis, in `out` if that is given."""
    index = np.ascontiguousarray(taps.index, np.int64)
    count, result = index.shape
    size = array.shape[axis]
    outer, grain, inner = _layout(array.shape, axis, (size, result))
    if out is None:
        out = np.empty((*array.shape[:axis], result, *array.shape[axis + 1 :]), array.dtype)
    weight = np.ascontiguousarray(taps.weight, array.dtype)
    _run_loop("resample", array.dtype, outer, grain, array, out, index, weight, size, result, inner, count)
    return out


def _spread(array, axis, taps, size):
    """The transposed product of _resampled."""
    index = np.ascontiguousarray(taps.index, np.int64)
    count, result = index.shape
    outer, grain, inner = _layout(array.shape, axis, (size, result))
    out = np.empty((*array.shape[:axis], size, *array.shape[axis + 1 :]), array.dtype)
    weight = np.ones(index.shape, array.dtype) if taps.weight is None else np.ascontiguousarray(taps.weight, array.dtype)
    _run_loop("resample_transposed", array.dtype, outer, grain, array, out, index, weight, size, result, inner, count)
    return out


def _fixed_point(array, axis, taps):
    """As _resampled for bytes: weights as integers with as many bits as 16 hold, and each pass rounded to a byte."""
    bits = 0
    largest = float(taps.weight.max())
    while bits < 22 and int(0.5 + largest * (1 << (bits + 1))) < (1 << 15):
        bits += 1
    weight = np.where(taps.weight < 0, np.ceil(taps.weight * (1 << bits) - 0.5), np.floor(taps.weight * (1 << bits) + 0.5)).astype(np.int64)
    wide = array.astype(np.int64)
    total = 1 << (bits - 1)
    for index, factor in zip(taps.index, weight):
        total = total + wide.take(index, axis=axis) * factor.reshape((-1,) + (1,) * (array.ndim - 1 - axis))
    return np.clip(total >> bits, 0, 255).astype(np.uint8)


def _check(self, output_size, space):
    if len(output_size) != space:
        raise RuntimeError(f"It is expected output_size equals to {space}, but got size {len(output_size)}")
    if self.dim() != space + 2:
        raise RuntimeError(f"It is expected input_size equals to {space + 2}, but got size {self.dim()}")
    check_countable(*self.shape[:2], *output_size)
    if min((*self.shape[2:], *output_size)) <= 0:
        raise RuntimeError(
            "Input and output sizes should be greater than 0, but got input "
            f"({', '.join(f'{k}: {n}' for k, n in zip('DHW'[-space:], self.shape[2:]))}) "
            f"output ({', '.join(f'{k}: {n}' for k, n in zip('DHW'[-space:], output_size))})"
        )
    if self.shape[1] == 0:
        raise RuntimeError(f"Non-empty {space + 2}D data tensor expected but got a tensor with sizes {list(self.shape)}")


def _format(tensor):
    """The memory format that results have of a tensor's."""
    if not tensor.is_contiguous():
        for space_format in (runtime.channels_last, runtime.channels_last_3d):
            if is_strides_like_format(tensor, space_format):
                return space_format
    return runtime.contiguous_format


def _is_channels_last(memory_format):
    return memory_format is not runtime.contiguous_format


def _channels_last(array):
    """An array with its second dimension moved to the end."""
    return np.moveaxis(array, 1, -1)


def _empty(self, shape, memory_format):
    return aten.empty.memory_format(shape, dtype=self.dtype, device=self.device, memory_format=memory_format)


def _place(op, shape, self, memory_format):
    """The tensor for a result, and its array as the loops see it."""
    if not _is_channels_last(memory_format):
        out = place_of(op, shape, self.dtype, self.device)
        return out, memory(out)
    out = _empty(self, shape, memory_format)
    return out, _channels_last(memory(out))


def _result(array, dtype, memory_format):
    """A tensor of an array as the loops see it."""
    if not _is_channels_last(memory_format):
        return new(array, dtype)
    return aten.permute.default(new(array, dtype), (0, array.ndim - 1, *range(1, array.ndim - 1)))


def _seen(tensor, memory_format):
    """A tensor's elements as the loops see them, and the first axis of the space."""
    array = read(tensor)
    return (np.ascontiguousarray(_channels_last(array)), 1) if _is_channels_last(memory_format) else (np.ascontiguousarray(array), 2)


def _upsample(op, self, output_size, taps_of, scales):
    """`taps_of(size, result, scale, dtype)` for each dimension of the space; the last is done first."""
    space = len(output_size)
    _check(self, output_size, space)
    name = str(self.dtype).rpartition(".")[2]
    if name != "uint8" and not self.dtype.is_floating_point:
        raise NotImplementedError(f"\"compute_indices_weights\" not implemented for '{_title(self.dtype)}'")
    memory_format = _format(self)
    if self.device.type == "meta":
        return _empty(self, (*self.shape[:2], *output_size), memory_format)
    array, first = _seen(self, memory_format)
    step = _resampled if name != "uint8" else _fixed_point
    dtype = np.float64 if name in ("uint8", "float64") else np.float32
    taps = [taps_of(self.shape[d + 2], output_size[d], scales[d], dtype) for d in range(space)]
    for d in reversed(range(1, space)):
        array = step(array, d + first, taps[d])
    if step is _fixed_point or opmath(self.dtype) != self.dtype:
        return _result(step(array, first, taps[0]), self.dtype, memory_format)
    out, place = _place(op, (*self.shape[:2], *output_size), self, memory_format)
    _resampled(array, first, taps[0], place)
    return out


def _upsample_backward(grad_output, output_size, input_size, taps_of, scales, keeps_format=True):
    space = len(output_size)
    memory_format = _format(grad_output) if keeps_format else runtime.contiguous_format
    if tuple(grad_output.shape) != (*input_size[:2], *output_size):
        raise RuntimeError(
            f"Expected grad_output to have the same shape as output; output.shape = {[*input_size[:2], *output_size]} "
            f"but got grad_output.shape = {list(grad_output.shape)}"
        )
    if grad_output.device.type == "meta":
        return _empty(grad_output, input_size, memory_format)
    array, first = _seen(grad_output, memory_format)
    dtype = array.dtype.type
    for d in range(space):
        array = _spread(array, d + first, taps_of(input_size[d + 2], output_size[d], scales[d], dtype), input_size[d + 2])
    return _result(array, grad_output.dtype, memory_format)


def _title(dtype):
    from runtime.kernels._common import scalar_name

    return scalar_name(dtype)


def _upsample_nearest(self, output_size, scales, exact):
    space = len(output_size)
    _check(self, output_size, space)
    if str(self.dtype).rpartition(".")[2] != "uint8" and not self.dtype.is_floating_point:
        raise NotImplementedError(f"\"upsample_nearest{space}d_channels_last\" not implemented for '{_title(self.dtype)}'")
    memory_format = _format(self)
    if self.device.type == "meta":
        return _empty(self, (*self.shape[:2], *output_size), memory_format)
    array = memory(self)
    first = 2
    if _is_channels_last(memory_format):
        array, first = _channels_last(array), 1
    whole_steps = space == 2 or tuple(output_size) == tuple(self.shape[2:])
    taps = [_nearest(self.shape[d + 2], output_size[d], scales[d], exact, whole_steps).index[0] for d in range(space)]
    for d in range(space - 1):
        array = array.take(taps[d], axis=d + first)
    op = getattr(aten, f"_upsample_nearest_exact{space}d" if exact else f"upsample_nearest{space}d").default
    out, place = _place(op, (*self.shape[:2], *output_size), self, memory_format)
    array.take(taps[-1], axis=first + space - 1, out=place, mode=_UNCHECKED)
    return out


def _nearest_taps(exact):
    return lambda size, result, scale, dtype: _nearest(size, result, scale, exact, True)


def _linear_taps(align_corners):
    return lambda size, result, scale, dtype: _linear(size, result, scale, align_corners, dtype)


def _cubic_taps(align_corners):
    return lambda size, result, scale, dtype: _cubic(size, result, scale, align_corners, dtype)


def _antialiased_taps(align_corners, cubic):
    return lambda size, result, scale, dtype: _antialiased(size, result, scale, align_corners, dtype, cubic)


def _result_size(input, output_size, scale_factors):
    """What the `vec` overloads mean: sizes of the space, and the factor for each dimension or None."""
    space = input.dim() - 2
    if (output_size is None) == (scale_factors is None):
        raise RuntimeError("Must specify exactly one of output_size and scale_factors")
    given = output_size if output_size is not None else scale_factors
    if len(given) != space:
        raise RuntimeError(f"Expected {space} numbers for an input of {input.dim()} dimensions, but got {len(given)}")
    if output_size is not None:
        return tuple(output_size), (None,) * space
    if not all(math.isfinite(s) for s in scale_factors):
        raise RuntimeError("value cannot be converted to type int64_t without overflow")
    return tuple(int(math.floor(float(n) * s)) for n, s in zip(input.shape[2:], scale_factors)), tuple(scale_factors)


# ---- nearest


def upsample_nearest1d(self, output_size, scales=None):
    return _upsample_nearest(self, output_size, (scales,), False)


def upsample_nearest2d(self, output_size, scales_h=None, scales_w=None):
    return _upsample_nearest(self, output_size, (scales_h, scales_w), False)


def upsample_nearest3d(self, output_size, scales_d=None, scales_h=None, scales_w=None):
    return _upsample_nearest(self, output_size, (scales_d, scales_h, scales_w), False)


def _upsample_nearest_exact1d(self, output_size, scales=None):
    return _upsample_nearest(self, output_size, (scales,), True)


def _upsample_nearest_exact2d(self, output_size, scales_h=None, scales_w=None):
    return _upsample_nearest(self, output_size, (scales_h, scales_w), True)


def _upsample_nearest_exact3d(self, output_size, scales_d=None, scales_h=None, scales_w=None):
    return _upsample_nearest(self, output_size, (scales_d, scales_h, scales_w), True)


def upsample_nearest1d_backward(grad_output, output_size, input_size, scales=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(False), (scales,))


def upsample_nearest2d_backward(grad_output, output_size, input_size, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(False), (scales_h, scales_w))


def upsample_nearest3d_backward(grad_output, output_size, input_size, scales_d=None, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(False), (scales_d, scales_h, scales_w))


def _upsample_nearest_exact1d_backward(grad_output, output_size, input_size, scales=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(True), (scales,))


def _upsample_nearest_exact2d_backward(grad_output, output_size, input_size, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(True), (scales_h, scales_w))


def _upsample_nearest_exact3d_backward(grad_output, output_size, input_size, scales_d=None, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _nearest_taps(True), (scales_d, scales_h, scales_w))


# ---- linear and cubic


def upsample_linear1d(self, output_size, align_corners, scales=None):
    return _upsample(aten.upsample_linear1d.default, self, output_size, _linear_taps(align_corners), (scales,))


def upsample_bilinear2d(self, output_size, align_corners, scales_h=None, scales_w=None):
    return _upsample(aten.upsample_bilinear2d.default, self, output_size, _linear_taps(align_corners), (scales_h, scales_w))


def upsample_trilinear3d(self, output_size, align_corners, scales_d=None, scales_h=None, scales_w=None):
    return _upsample(aten.upsample_trilinear3d.default, self, output_size, _linear_taps(align_corners), (scales_d, scales_h, scales_w))


def upsample_bicubic2d(self, output_size, align_corners, scales_h=None, scales_w=None):
    return _upsample(aten.upsample_bicubic2d.default, self, output_size, _cubic_taps(align_corners), (scales_h, scales_w))


def _upsample_bilinear2d_aa(self, output_size, align_corners, scales_h=None, scales_w=None):
    return _upsample(aten._upsample_bilinear2d_aa.default, self, output_size, _antialiased_taps(align_corners, False), (scales_h, scales_w))


def _upsample_bicubic2d_aa(self, output_size, align_corners, scales_h=None, scales_w=None):
    return _upsample(aten._upsample_bicubic2d_aa.default, self, output_size, _antialiased_taps(align_corners, True), (scales_h, scales_w))


def upsample_linear1d_backward(grad_output, output_size, input_size, align_corners, scales=None):
    return _upsample_backward(grad_output, output_size, input_size, _linear_taps(align_corners), (scales,))


def upsample_bilinear2d_backward(grad_output, output_size, input_size, align_corners, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _linear_taps(align_corners), (scales_h, scales_w))


def upsample_trilinear3d_backward(grad_output, output_size, input_size, align_corners, scales_d=None, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _linear_taps(align_corners), (scales_d, scales_h, scales_w))


def upsample_bicubic2d_backward(grad_output, output_size, input_size, align_corners, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _cubic_taps(align_corners), (scales_h, scales_w), False)


def _upsample_bilinear2d_aa_backward(grad_output, output_size, input_size, align_corners, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _antialiased_taps(align_corners, False), (scales_h, scales_w))


def _upsample_bicubic2d_aa_backward(grad_output, output_size, input_size, align_corners, scales_h=None, scales_w=None):
    return _upsample_backward(grad_output, output_size, input_size, _antialiased_taps(align_corners, True), (scales_h, scales_w))


# ---- sizes or factors, as one list


def _vec(name, input, output_size, scale_factors, *options):
    size, scales = _result_size(input, output_size, scale_factors)
    return getattr(aten, name).default(input, size, *options, *scales)


def upsample_nearest1d_vec(input, output_size, scale_factors):
    return _vec("upsample_nearest1d", input, output_size, scale_factors)


def upsample_nearest2d_vec(input, output_size, scale_factors):
    return _vec("upsample_nearest2d", input, output_size, scale_factors)


def upsample_nearest3d_vec(input, output_size, scale_factors):
    return _vec("upsample_nearest3d", input, output_size, scale_factors)


def _upsample_nearest_exact1d_vec(input, output_size, scale_factors):
    return _vec("_upsample_nearest_exact1d", input, output_size, scale_factors)


def _upsample_nearest_exact2d_vec(input, output_size, scale_factors):
    return _vec("_upsample_nearest_exact2d", input, output_size, scale_factors)


def _upsample_nearest_exact3d_vec(input, output_size, scale_factors):
    return _vec("_upsample_nearest_exact3d", input, output_size, scale_factors)


def upsample_linear1d_vec(input, output_size, align_corners, scale_factors):
    return _vec("upsample_linear1d", input, output_size, scale_factors, align_corners)


def upsample_bilinear2d_vec(input, output_size, align_corners, scale_factors):
    return _vec("upsample_bilinear2d", input, output_size, scale_factors, align_corners)


def upsample_trilinear3d_vec(input, output_size, align_corners, scale_factors):
    return _vec("upsample_trilinear3d", input, output_size, scale_factors, align_corners)


def upsample_bicubic2d_vec(input, output_size, align_corners, scale_factors):
    return _vec("upsample_bicubic2d", input, output_size, scale_factors, align_corners)


def _upsample_bilinear2d_aa_vec(input, output_size, align_corners, scale_factors):
    return _vec("_upsample_bilinear2d_aa", input, output_size, scale_factors, align_corners)


def _upsample_bicubic2d_aa_vec(input, output_size, align_corners, scale_factors):
    return _vec("_upsample_bicubic2d_aa", input, output_size, scale_factors, align_corners)
