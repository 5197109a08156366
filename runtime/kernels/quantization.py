"""Fake quantization: values rounded as if they were quantized, in floating point.

A quantized value is `round(x / scale) + zero_point`, kept between two bounds; what is fake is that it is turned back at once.
"""

import math

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import scalar_name, wrap_dim

aten = ops.aten

#: Scales below lose more to the rounding of their inverse than they gain.
SMALLEST_SCALE = float(np.float32(6.1e-5))


def _check_bounds(zero_point, quant_min, quant_max):
    if quant_min > quant_max:
        raise RuntimeError("`quant_min` should be less than or         equal to `quant_max`.")
    if not quant_min <= zero_point <= quant_max:
        raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")


def _quantized(x, scale, zero_point, quant_min, quant_max):
    """Values after quantization and back, and which of them were within the bounds."""
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        steps = np.rint(zero_point + x * (1 / scale))
        # What is no number becomes the lowest value.
        steps = np.where(np.isnan(steps), -np.inf, steps)
        inside = (steps >= quant_min) & (steps <= quant_max)
        return ((np.clip(steps, quant_min, quant_max) + 0.0 - zero_point) * scale).astype(x.dtype), inside


def _floating(self):
    if not self.dtype.is_floating_point:
        kernel = "fake_quantize_tensor_cachemask_kernel_type_handling"
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(self.dtype)}'")
    return read(self)


def _single(x):
    """A number in single precision, as scales are kept."""
    return np.float32(x)


def fake_quantize_per_tensor_affine(self, scale, zero_point, quant_min, quant_max):
    return aten.fake_quantize_per_tensor_affine_cachemask.default(self, scale, zero_point, quant_min, quant_max)[0]


def fake_quantize_per_tensor_affine_tensor_qparams(self, scale, zero_point, quant_min, quant_max):
    enabled = aten.ones.default((1,), dtype=zero_point.dtype)
    kernel = aten._fake_quantize_per_tensor_affine_cachemask_tensor_qparams.default
    return kernel(self, scale, zero_point, enabled, quant_min, quant_max)[0]


def fake_quantize_per_tensor_affine_cachemask(self, scale, zero_point, quant_min, quant_max):
    _check_bounds(zero_point, quant_min, quant_max)
    if self.device.type == "meta":
        return aten.empty_like.default(self), aten.empty_like.default(self, dtype=_bool())
    output, mask = _quantized(_floating(self), _single(scale), zero_point, quant_min, quant_max)
    return new(output, self.dtype), new(mask)


def _fake_quantize_per_tensor_affine_cachemask_tensor_qparams(self, scale, zero_point, fake_quant_enabled, quant_min, quant_max):
    if quant_min > quant_max:
        raise RuntimeError("`quant_min` should be less than or         equal to `quant_max`.")
    if self.device.type == "meta":
        return aten.empty_like.default(self), aten.empty_like.default(self, dtype=_bool())
    if not fake_quant_enabled.item():
        return aten.clone.default(self), aten.ones_like.default(self, dtype=_bool())
    output, mask = _quantized(_floating(self), _single(scale.item()), zero_point.item(), quant_min, quant_max)
    return new(output, self.dtype), new(mask)


def _bool():
    import runtime

    return runtime.bool


# ---- observers


def chosen_parameters(low, high, quant_min, quant_max, symmetric=False):
    """Scale and zero point for values from low to high; zero itself is always represented exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    two_sided = symmetric and low < 0 < high
    if two_sided:
        half = (quant_max - quant_min) // 2
        step = max(abs(low / (half + 1)), abs(high / half)) if half else abs(low)
        low, high = -step * (half + 1), step * half
    scale = (high - low) / (quant_max - quant_min) if quant_max > quant_min else 0.0
    if np.float32(scale) == 0 or not math.isfinite(1 / scale):
        scale = 0.1
    if scale < SMALLEST_SCALE:
        if low == 0:
            high = SMALLEST_SCALE * (quant_max - quant_min)
        elif high == 0:
            low = -SMALLEST_SCALE * (quant_max - quant_min)
        else:
            low, high = low * SMALLEST_SCALE / scale, high * SMALLEST_SCALE / scale
        scale = SMALLEST_SCALE
    # Of the two ends, the one that rounds to less error fixes the zero point.
    by_low, by_high = quant_min - low / scale, quant_max - high / scale
    zero_point = by_low if abs(quant_min) + abs(low / scale) < abs(quant_max) + abs(high / scale) else by_high
    if two_sided:
        zero_point = (quant_min + quant_max) / 2
    return scale, int(np.rint(min(max(zero_point, quant_min), quant_max)))


def _averaged(running, current, share):
    """The moving average, which begins with the first value."""
    return np.where(np.isinf(running), current, running + share * (current - running)).astype(running.dtype)


def _fused_moving_avg_obs_fq_helper(
    self, observer_on, fake_quant_on, running_min, running_max, scale, zero_point, averaging_const, quant_min, quant_max, ch_axis,
    per_row_fake_quant=False, symmetric_quant=False,
):  # fmt: skip
    x = _floating(self)
    axis = wrap_dim(ch_axis, self.dim())
    if observer_on.item():
        others = tuple(d for d in range(x.ndim) if d != axis) if per_row_fake_quant else None
        for running, reduce in (running_min, np.min), (running_max, np.max):
            current = reduce(x, axis=others).reshape(tuple(running.shape))
            aten.copy_.default(running, new(_averaged(read(running), current, np.float32(averaging_const))))
    if not fake_quant_on.item():
        return aten.clone.default(self), aten.ones_like.default(self, dtype=_bool())
    ends = zip(read(running_min).reshape(-1).tolist(), read(running_max).reshape(-1).tolist(), strict=True)
    chosen = [chosen_parameters(low, high, quant_min, quant_max, symmetric_quant) for low, high in ends]
    scales, zero_points = np.array([c[0] for c in chosen], np.float32), np.array([c[1] for c in chosen], np.int32)
    aten.copy_.default(scale, new(scales.reshape(tuple(scale.shape))))
    aten.copy_.default(zero_point, new(zero_points.reshape(tuple(zero_point.shape))))
    shape = [-1 if d == axis else 1 for d in range(x.ndim)] if per_row_fake_quant else [1] * x.ndim
    output, mask = _quantized(x, scales.reshape(shape), zero_points.reshape(shape), quant_min, quant_max)
    return new(output, self.dtype), new(mask)


# ---- a scale for each channel


def fake_quantize_per_channel_affine(self, scale, zero_point, axis, quant_min, quant_max):
    return aten.fake_quantize_per_channel_affine_cachemask.default(self, scale, zero_point, axis, quant_min, quant_max)[0]


def fake_quantize_per_channel_affine_cachemask(self, scale, zero_point, axis, quant_min, quant_max):
    if scalar_name(scale.dtype) not in ("Float", "BFloat16"):
        raise RuntimeError(f"Scale must be Float, found {scalar_name(scale.dtype)}")
    if scalar_name(zero_point.dtype) not in ("Int", "Float", "Half"):
        raise RuntimeError("Zero-point must be Int32, Float or Half, found " + scalar_name(zero_point.dtype))
    if scale.dim() != 1:
        raise RuntimeError("scale should be a 1-D tensor")
    if zero_point.dim() != 1:
        raise RuntimeError("zero point should be a 1-D tensor")
    if scale.numel() != zero_point.numel():
        raise RuntimeError("scale and zero-point should have the same dimensions")
    if not 0 <= axis < self.dim() or scale.numel() != self.shape[axis]:
        raise RuntimeError("dimensions of scale and zero-point are not consistent with input tensor")
    if quant_min > quant_max:
        raise RuntimeError("`quant_min` should be less than or         equal to `quant_max`.")
    if self.device.type == "meta":
        return aten.empty_like.default(self), aten.empty_like.default(self, dtype=_bool())
    points = read(zero_point)
    if points.dtype == np.int32 and points.size and (points.min() < quant_min or points.max() > quant_max):
        raise RuntimeError("`zero_point` must be between `quant_min` and `quant_max`.")
    x = _floating(self)
    shape = [-1 if d == axis else 1 for d in range(x.ndim)]
    output, mask = _quantized(x, read(scale).reshape(shape), points.reshape(shape), quant_min, quant_max)
    return new(output, self.dtype), new(mask)


def fused_moving_avg_obs_fake_quant(
    self, observer_on, fake_quant_on, running_min, running_max, scale, zero_point, averaging_const, quant_min, quant_max, ch_axis,
    per_row_fake_quant=False, symmetric_quant=False,
):  # fmt: skip
    if not self.numel():
        return aten.empty_like.default(self)
    return aten._fused_moving_avg_obs_fq_helper.default(
        self, observer_on, fake_quant_on, running_min, running_max, scale, zero_point, averaging_const, quant_min, quant_max, ch_axis,
        per_row_fake_quant, symmetric_quant,
    )[0]  # fmt: skip
