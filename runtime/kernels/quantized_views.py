"""Views of quantized tensors: the geometry is any tensor's, the quantizer goes along.

One scale for all elements fits every view. Scales of channels fit a view that keeps their dimension, whose number may change; other views
of such a tensor raise, as PyTorch's do.
"""

from runtime._core import DispatchKeySet, _integers, _quantized, _quantizer, ops
from runtime.kernels._common import wrap_dim
from runtime.kernels._quantizers import is_per_tensor, per_tensor

aten = ops.aten
_PLAIN = DispatchKeySet("CPU")


def _require_uniform(self):
    if not is_per_tensor(_quantizer(self)):
        raise RuntimeError("Setting strides is possible only on uniformly quantized tensor")


def _uniform(op, self, *args, **kwargs):
    """A view whose kernel knows geometry alone; the core passes the quantizer on."""
    _require_uniform(self)
    return op.redispatch(_PLAIN, self, *args, **kwargs)


def _with_axis(self, integers, axis):
    """A view of channels that are now along another dimension."""
    return _quantized(integers, self.dtype, (*_quantizer(self)[:3], axis))


def quantized_as_strided(self, size, stride, storage_offset=None):
    return _uniform(aten.as_strided.default, self, size, stride, storage_offset)


def quantized_as_strided_(self, size, stride, storage_offset=None):
    return _uniform(aten.as_strided_.default, self, size, stride, storage_offset)


def quantized__reshape_alias(self, size, stride):
    return _quantized(aten._reshape_alias.default(_integers(self), size, stride), self.dtype, _quantizer(self))


def quantized_view(self, size):
    return _quantized(aten.view.default(_integers(self), size), self.dtype, _quantizer(self))


def quantized_view_dtype(self, dtype):
    if dtype == self.dtype:
        return aten.alias.default(self)
    raise RuntimeError(f"a quantized tensor of {self.dtype} cannot be viewed as {dtype}; int_repr() gives its integers, dequantize() its numbers")


def quantized_transpose_int(self, dim0, dim1):
    return _uniform(aten.transpose.int, self, dim0, dim1)


def quantized_transpose_(self, dim0, dim1):
    return _uniform(aten.transpose_.default, self, dim0, dim1)


def quantized_t(self):
    return _uniform(aten.t.default, self)


def quantized_t_(self):
    return _uniform(aten.t_.default, self)


def quantized_permute(self, dims):
    return _uniform(aten.permute.default, self, dims)


def quantized_expand(self, size, *, implicit=False):
    return _uniform(aten.expand.default, self, size, implicit=implicit)


def quantized_diagonal(self, offset=0, dim1=0, dim2=1):
    return _uniform(aten.diagonal.default, self, offset, dim1, dim2)


def quantized_unfold(self, dimension, size, step):
    return _uniform(aten.unfold.default, self, dimension, size, step)


def quantized_select_int(self, dim, index):
    quantizer = _quantizer(self)
    integers = aten.select.int(_integers(self), dim, index)
    if is_per_tensor(quantizer):
        return _quantized(integers, self.dtype, quantizer)
    _, scales, zero_points, axis = quantizer
    dim = wrap_dim(dim, self.dim())
    if dim != axis:
        return _with_axis(self, integers, axis - (dim < axis))
    return _quantized(integers, self.dtype, _channel(scales, zero_points, index))


def _channel(scales, zero_points, index):
    if zero_points.dtype.is_floating_point:
        raise RuntimeError("one channel alone of per_channel_affine_float_qparams has no scheme; dequantize() the tensor first")
    return per_tensor(scales[index].item(), zero_points[index].item())


def quantized_slice_Tensor(self, dim=0, start=None, end=None, step=1):
    quantizer = _quantizer(self)
    integers = aten.slice.Tensor(_integers(self), dim, start, end, step)
    if is_per_tensor(quantizer):
        return _quantized(integers, self.dtype, quantizer)
    scheme, scales, zero_points, axis = quantizer
    if wrap_dim(dim, self.dim()) != axis:
        return _quantized(integers, self.dtype, quantizer)
    scales, zero_points = (aten.clone.default(aten.slice.Tensor(x, 0, start, end, step)) for x in (scales, zero_points))
    if scales.numel() == 1 and not zero_points.dtype.is_floating_point:
        return _quantized(integers, self.dtype, _channel(scales, zero_points, 0))
    return _quantized(integers, self.dtype, (scheme, scales, zero_points, axis))


def quantized_unbind_int(self, dim=0):
    return [aten.select.int(self, dim, i) for i in range(self.size(dim))]


def quantized_split_Tensor(self, split_size, dim=0):
    sizes = [x.size(dim) for x in aten.split.Tensor(_integers(self), split_size, dim)]
    return aten.split_with_sizes.default(self, sizes, dim)


def quantized_split_with_sizes(self, split_sizes, dim=0):
    aten.split_with_sizes.default(_integers(self), split_sizes, dim)
    ends = [sum(split_sizes[: i + 1]) for i in range(len(split_sizes))]
    return [aten.slice.Tensor(self, dim, end - size, end) for size, end in zip(split_sizes, ends, strict=True)]


def quantized_unsqueeze(self, dim):
    quantizer = _quantizer(self)
    integers = aten.unsqueeze.default(_integers(self), dim)
    if is_per_tensor(quantizer):
        return _quantized(integers, self.dtype, quantizer)
    return _with_axis(self, integers, quantizer[3] + (wrap_dim(dim, self.dim() + 1) <= quantizer[3]))


def _squeezed(self, integers, dims):
    """The view without those of the dimensions that have size one."""
    quantizer = _quantizer(self)
    if is_per_tensor(quantizer):
        return _quantized(integers, self.dtype, quantizer)
    gone = [d for d in dims if self.shape[d] == 1]
    if quantizer[3] in gone:
        raise RuntimeError("Squeeze is only possible on non-axis dimension for Per-Channel Quantized Tensors.")
    return _with_axis(self, integers, quantizer[3] - sum(d < quantizer[3] for d in gone))


def _wrapped(self, dims):
    return {wrap_dim(d, self.dim()) for d in dims} if self.dim() else set()


def quantized_squeeze(self):
    return _squeezed(self, aten.squeeze.default(_integers(self)), range(self.dim()))


def quantized_squeeze_dim(self, dim):
    return _squeezed(self, aten.squeeze.dim(_integers(self), dim), _wrapped(self, (dim,)))


def quantized_squeeze_dims(self, dim):
    return _squeezed(self, aten.squeeze.dims(_integers(self), dim), _wrapped(self, dim))


def quantized_squeeze_(self):
    return _uniform(aten.squeeze_.default, self)


def quantized_squeeze__dim(self, dim):
    return _uniform(aten.squeeze_.dim, self, dim)


def quantized_squeeze__dims(self, dim):
    return _uniform(aten.squeeze_.dims, self, dim)


def quantized_unsqueeze_(self, dim):
    return _uniform(aten.unsqueeze_.default, self, dim)
