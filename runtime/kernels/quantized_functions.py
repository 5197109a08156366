"""Functions of quantized tensors.

What only moves or orders elements runs on the integers. What computes numbers dequantizes, computes, and quantizes the result; where
PyTorch fixes the range of the result, as that of `sigmoid`, so does the scale here. A scale for each channel is taken by comparisons and
refused by the rest, as in PyTorch.
"""

import numpy as np

import runtime
from runtime._core import _integers, _numpy_view, _quantized, _quantizer, ops
from runtime.kernels._arrays import new
from runtime.kernels._quantizers import per_tensor, require_per_tensor, to_integers

aten = ops.aten


def _quantizer_for(self, name):
    return require_per_tensor(self, f"{name}() takes quantized tensors of one scale: Expected quantizer->qscheme() == kPerTensorAffine to be true, "
                                    "but got false.")  # fmt: skip


def _on_integers(name, op, self, *args, **kwargs):
    """A function that moves elements, of the integers."""
    quantizer = _quantizer_for(self, name)
    return _quantized(op(_integers(self), *args, **kwargs), self.dtype, quantizer)


def _through_floats(name, op, self, *args, quantizer=None, **kwargs):
    """A function of the numbers; its result has the tensor's quantizer, or another."""
    own = _quantizer_for(self, name)
    return aten.quantize_per_tensor.default(op(aten.dequantize.self(self), *args, **kwargs), *(quantizer or own)[1:], self.dtype)


# ---- comparisons


def _compared(op, self, other):
    floats = [aten.dequantize.self(x) for x in (self, other)]
    return op(*floats)


def quantized_eq_Tensor(self, other):
    return _compared(aten.eq.Tensor, self, other)


def quantized_ne_Tensor(self, other):
    return _compared(aten.ne.Tensor, self, other)


def quantized_lt_Tensor(self, other):
    return _compared(aten.lt.Tensor, self, other)


def quantized_le_Tensor(self, other):
    return _compared(aten.le.Tensor, self, other)


def quantized_gt_Tensor(self, other):
    return _compared(aten.gt.Tensor, self, other)


def quantized_ge_Tensor(self, other):
    return _compared(aten.ge.Tensor, self, other)


def quantized_eq_Scalar(self, other):
    return aten.eq.Scalar(aten.dequantize.self(self), other)


def quantized_ne_Scalar(self, other):
    return aten.ne.Scalar(aten.dequantize.self(self), other)


def quantized_lt_Scalar(self, other):
    return aten.lt.Scalar(aten.dequantize.self(self), other)


def quantized_le_Scalar(self, other):
    return aten.le.Scalar(aten.dequantize.self(self), other)


def quantized_gt_Scalar(self, other):
    return aten.gt.Scalar(aten.dequantize.self(self), other)


def quantized_ge_Scalar(self, other):
    return aten.ge.Scalar(aten.dequantize.self(self), other)


# ---- extremes and order


def quantized_max(self):
    return _on_integers("max", aten.max.default, self)


def quantized_min(self):
    return _on_integers("min", aten.min.default, self)


def _values_and_indices(name, op, self, *args, **kwargs):
    quantizer = _quantizer_for(self, name)
    values, indices = op(_integers(self), *args, **kwargs)
    return _quantized(values, self.dtype, quantizer), indices


def quantized_max_dim(self, dim, keepdim=False):
    return _values_and_indices("max", aten.max.dim, self, dim, keepdim)


def quantized_min_dim(self, dim, keepdim=False):
    return _values_and_indices("min", aten.min.dim, self, dim, keepdim)


def quantized_sort_stable(self, *, stable, dim=-1, descending=False):
    return _values_and_indices("sort", aten.sort.stable, self, stable=stable, dim=dim, descending=descending)


def quantized_topk(self, k, dim=-1, largest=True, sorted=True):
    return _values_and_indices("topk", aten.topk.default, self, k, dim, largest, sorted)


# ---- elements moved


def quantized_flip(self, dims):
    return _on_integers("flip", aten.flip.default, self, dims)


def quantized_repeat(self, repeats):
    return _on_integers("repeat", aten.repeat.default, self, repeats)


def quantized_index_select(self, dim, index):
    return _on_integers("index_select", aten.index_select.default, self, dim, index)


def quantized_index_Tensor(self, indices):
    return _on_integers("index", aten.index.Tensor, self, indices)


def quantized_constant_pad_nd(self, pad, value=0):
    quantizer = _quantizer_for(self, "constant_pad_nd")
    return _on_integers("constant_pad_nd", aten.constant_pad_nd.default, self, pad, _integer_of(value, self.dtype, quantizer))


def quantized_upsample_nearest2d(self, output_size, scales_h=None, scales_w=None):
    return _as_doubles("upsample_nearest2d", aten.upsample_nearest2d.default, self, output_size, scales_h, scales_w)


def quantized_max_pool1d(self, kernel_size, stride=(), padding=(0,), dilation=(1,), ceil_mode=False):
    return _as_doubles("quantized_max_pool1d", aten.max_pool1d.default, self, kernel_size, stride, padding, dilation, ceil_mode)


def quantized_max_pool2d(self, kernel_size, stride=(), padding=(0, 0), dilation=(1, 1), ceil_mode=False):
    return _as_doubles("quantized_max_pool2d", aten.max_pool2d.default, self, kernel_size, stride, padding, dilation, ceil_mode)


def _as_doubles(name, op, self, *args):
    """A function that chooses among elements, and has kernels for floats only: doubles hold all integers of 32 bits."""
    quantizer = _quantizer_for(self, name)
    integers = _integers(self)
    chosen = op(aten.to.dtype(integers, runtime.float64), *args)
    return _quantized(aten.to.dtype(chosen, integers.dtype), self.dtype, quantizer)


def quantized_cat(tensors, dim=0):
    if not all(x.is_quantized for x in tensors):
        raise NotImplementedError("cat() joins quantized tensors with quantized ones only; dequantize() or quantize them all")
    first = tensors[0]
    quantizer = _quantizer(first)
    for x in tensors:
        require_per_tensor(x, "Only per-tensor quantization is supported in 'cat'!")
        if x.dtype != first.dtype:
            raise RuntimeError("All dtypes must be the same.")
    if all(_quantizer(x) == quantizer for x in tensors):
        return _quantized(aten.cat.default([_integers(x) for x in tensors], dim), first.dtype, quantizer)
    joined = aten.cat.default([aten.dequantize.self(x) for x in tensors], dim)
    return aten.quantize_per_tensor.default(joined, *quantizer[1:], first.dtype)


# ---- written


def _integer_of(number, dtype, quantizer):
    """A number as the integer that stands for it."""
    return int(to_integers(np.float32(number).reshape(1), dtype, quantizer)[0])


def quantized_masked_fill__Scalar(self, mask, value):
    if not self.is_quantized:
        raise RuntimeError("masked_fill_() takes no quantized mask")
    aten.masked_fill_.Scalar(_integers(self), mask, _integer_of(value, self.dtype, _quantizer_for(self, "masked_fill_")))
    return self


def quantized_masked_fill__Tensor(self, mask, value):
    if value.dim() != 0:
        raise RuntimeError("masked_fill_ only supports a 0-dimensional value tensor, but got tensor "
                           f"with {value.dim()} dimension(s).")  # fmt: skip
    return quantized_masked_fill__Scalar(self, mask, value.item())


def quantized_index_put_(self, indices, values, accumulate=False):
    return aten._index_put_impl_.default(self, indices, values, accumulate)


def quantized__index_put_impl_(self, indices, values, accumulate=False, unsafe=False):
    if not self.is_quantized or values.is_quantized:
        raise RuntimeError("Value argument for quantized input_put should not be quantized")
    if accumulate:
        raise RuntimeError("index_put for quantized tensors is currently only supported for accumulate=False")
    quantizer = require_per_tensor(self, "index_put for quantized tensors is currently only supported for per tensor quantized tensors")
    integers = new(to_integers(_numpy_view(aten.to.dtype(values, runtime.float32)), self.dtype, quantizer))
    aten._index_put_impl_.default(_integers(self), indices, integers, accumulate, unsafe)
    return self


# ---- activations


def quantized_relu(self):
    quantizer = _quantizer_for(self, "relu")
    return _quantized(aten.clamp_min.default(_integers(self), quantizer[2]), self.dtype, quantizer)


def quantized_relu_(self):
    aten.clamp_.default(_integers(self), _quantizer_for(self, "relu_")[2])
    return self


def _between(self, name, low, high):
    quantizer = _quantizer_for(self, name)
    ends = [None if x is None else _integer_of(x, self.dtype, quantizer) for x in (low, high)]
    return aten.clamp.default(_integers(self), *ends), quantizer


def quantized_clamp(self, min=None, max=None):
    if min is None and max is None:
        raise RuntimeError("Both min and max is None")
    integers, quantizer = _between(self, "clamp", min, max)
    return _quantized(integers, self.dtype, quantizer)


def quantized_hardtanh(self, min_val=-1, max_val=1):
    integers, quantizer = _between(self, "hardtanh", min_val, max_val)
    return _quantized(integers, self.dtype, quantizer)


def quantized_hardtanh_(self, min_val=-1, max_val=1):
    aten.copy_.default(_integers(self), _between(self, "hardtanh_", min_val, max_val)[0])
    return self


def _between_zero_and_one(dtype):
    """The quantizer of results between 0 and 1."""
    return per_tensor(*{runtime.quint8: (2.0**-8, 0), runtime.qint8: (2.0**-8, -128), runtime.qint32: (2.0**-32, -(2**31))}[dtype])


def quantized_sigmoid(self):
    return _through_floats("sigmoid", aten.sigmoid.default, self, quantizer=_between_zero_and_one(self.dtype))


def quantized_hardsigmoid(self):
    return _through_floats("hardsigmoid", aten.hardsigmoid.default, self, quantizer=_between_zero_and_one(self.dtype))


def quantized_tanh(self):
    ends = {runtime.quint8: (2.0**-7, 128), runtime.qint8: (2.0**-7, 0), runtime.qint32: (2.0**-31, 0)}
    return _through_floats("tanh", aten.tanh.default, self, quantizer=per_tensor(*ends[self.dtype]))


def quantized_leaky_relu(self, negative_slope=0.01):
    return _through_floats("leaky_relu", aten.leaky_relu.default, self, negative_slope)


def quantized_threshold(self, threshold, value):
    return _through_floats("threshold", aten.threshold.default, self, threshold, value)


# ---- means


def quantized_mean(self, *, dtype=None):
    return aten.mean.dim(self, tuple(range(self.dim())))


def quantized_mean_dim(self, dim, keepdim=False, *, dtype=None):
    return _through_floats("mean", aten.mean.dim, self, dim, keepdim)


def quantized_avg_pool2d(self, kernel_size, stride=(), padding=(0, 0), ceil_mode=False, count_include_pad=True, divisor_override=None):
    return _through_floats("avg_pool2d", aten.avg_pool2d.default, self, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override)


def quantized__adaptive_avg_pool2d(self, output_size):
    return _through_floats("_adaptive_avg_pool2d", aten._adaptive_avg_pool2d.default, self, output_size)
