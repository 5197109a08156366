"""Operators that PyTorch keeps for one use each, where it runs several operators at once: they are those operators, one after another."""

import math

from runtime._core import dtype_names, ops
from runtime.kernels._common import scalar_name, wrap_dim

aten = ops.aten
_float32 = dtype_names["float32"]


def _stack(tensors, dim=0):
    return aten.stack.default(tensors, dim)


def _resize_output_(self, size, device):
    if self.device != device:
        raise RuntimeError(f"out Tensor doesn't have the correct device set: {self.device} instead of {device}")
    return self if tuple(self.shape) == tuple(size) else aten.resize_.default(self, size)


def _shape_as_tensor(self):
    import runtime

    return runtime.tensor(list(self.shape), dtype=runtime.int64)


def _list_to_tensor(self):
    import runtime

    return runtime.tensor(list(self), dtype=runtime.int32)


def is_strides_like_format(self, memory_format):
    """Whether strides fall in the order of a format with the channels last, from the batch to the channels."""
    import runtime

    order = {runtime.channels_last: (1, 3, 2, 0), runtime.channels_last_3d: (1, 4, 3, 2, 0)}.get(memory_format, ())
    if not order or self.dim() != len(order) or self.stride(1) == 0:
        return False
    least = 0
    for d in order:
        size, stride = self.shape[d], self.stride(d)
        if size == 0 or stride < least or (d == 0 and least == self.stride(1)):
            return False
        least = stride * max(size, 1)
    return True


def range_step(start, end, step=1, *, dtype=None, layout=None, device=None, pin_memory=None):
    import runtime

    numbers = (start, end, step)
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not all(math.isfinite(n) for n in numbers):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    # Both ends belong to the range.
    count = int((end - start) / step + 1)
    if dtype is None:
        dtype = runtime.get_default_dtype()
    places = aten.arange.default(count, dtype=dtype, device=device)
    return aten.add.Scalar(aten.mul.Scalar(places, step), start)


def range(start, end, *, dtype=None, layout=None, device=None, pin_memory=None):
    return range_step(start, end, 1, dtype=dtype, device=device)


def range_out(start, end, step=1, *, out):
    result = range_step(start, end, step, dtype=out.dtype, device=out.device)
    return aten.copy_.default(aten.resize_.default(out, result.shape), result)


def range_out_(start, end, *, out):
    return range_out(start, end, 1, out=out)


def _int_mm(self, mat2):
    if self.dim() != 2 or mat2.dim() != 2:
        raise RuntimeError(f"Expected two matrices, but got tensors of {self.dim()} and {mat2.dim()} dimensions")
    if self.shape[1] != mat2.shape[0]:
        raise RuntimeError(f"self.size(1) needs to match mat2.size(0) but got {self.shape[1]} and {mat2.shape[0]}")
    for t, name in (self, "self"), (mat2, "mat2"):
        if scalar_name(t.dtype) not in ("Char", "Byte"):
            raise RuntimeError(f"int_mm_out_cpu: Expected {name} dtype to be int8 or uint8 but got {scalar_name(t.dtype).lower()}")
    wide = dtype_names["int32"]
    return aten.mm.default(aten.to.dtype(self, wide), aten.to.dtype(mat2, wide))


def _addmm_activation(self, mat1, mat2, *, beta=1, alpha=1, use_gelu=False):
    sum_ = aten.addmm.default(self, mat1, mat2, beta=beta, alpha=alpha)
    return aten.gelu.default(sum_) if use_gelu else aten.relu.default(sum_)


def _weight_norm(v, g, dim=0):
    return aten.mul.Tensor(v, aten.div.Tensor(g, aten.norm_except_dim.default(v, 2, dim)))


def _weight_norm_interface(v, g, dim=0):
    norm = aten.norm_except_dim.default(v, 2, dim)
    return aten.mul.Tensor(v, aten.div.Tensor(g, norm)), norm


def _fused_rms_norm(input, normalized_shape, weight, eps):
    dims = tuple(-1 - d for d, _ in enumerate(normalized_shape))
    if eps is None:
        import runtime

        eps = runtime.finfo(input.dtype).eps
    half = scalar_name(input.dtype) in ("Half", "BFloat16")
    wide = aten.to.dtype(input, dtype_names["float32"]) if half else input
    scale = aten.rsqrt.default(aten.add.Scalar(aten.mean.dim(aten.pow.Tensor_Scalar(wide, 2), dims, True), eps))
    return aten.rms_norm.default(input, normalized_shape, weight, eps), scale


def _masked_softmax(self, mask, dim=None, mask_type=None):
    if scalar_name(mask.dtype) != "Bool":
        raise RuntimeError("Mask should be a boolean tensor")
    if mask_type not in (None, 0, 1, 2):
        raise RuntimeError("Mask Type should be 0 (src_mask), 1 (src_key_padding_mask), or 2 (default_mask)")
    if mask_type == 1 and self.dim() == 4 and tuple(mask.shape) == (self.shape[0], self.shape[3]):
        mask = aten.view.default(mask, (self.shape[0], 1, 1, self.shape[3]))
    elif mask_type == 0 and self.dim() == 4 and tuple(mask.shape) == tuple(self.shape[2:]):
        mask = aten.view.default(mask, (1, 1, *self.shape[2:]))
    elif tuple(mask.shape) != tuple(self.shape):
        raise RuntimeError("Mask shape should match input. mask: " + str(list(mask.shape)) + " input: " + str(list(self.shape)))
    dim = wrap_dim(-1 if dim is None else dim, self.dim())
    # Where everything is masked the shares are NaN.
    return aten._softmax.default(aten.masked_fill.Scalar(self, mask, -math.inf), dim, False)


def _masked_softmax_backward(grad_output, output, mask, dim=None):
    if scalar_name(mask.dtype) != "Bool":
        raise RuntimeError("Mask should be a boolean tensor")
    if tuple(grad_output.shape) != tuple(mask.shape):
        raise RuntimeError(f"Mask shape should match grad shape. mask: {list(mask.shape)} grad: {list(grad_output.shape)}")
    dim = wrap_dim(-1 if dim is None else dim, grad_output.dim())
    shares = aten.masked_fill.Scalar(output, mask, 0)
    return aten._softmax_backward_data.default(grad_output, shares, dim, output.dtype)


def _amp_foreach_non_finite_check_and_unscale_(self, found_inf, inv_scale):
    """Gradients are multiplied by the inverse of their scale; `found_inf` becomes 1 where one of them is not finite."""
    if inv_scale.numel() != 1:
        raise RuntimeError("inv_scale must be a 1-element tensor.")
    if found_inf.numel() != 1:
        raise RuntimeError("found_inf must be a 1-element tensor.")
    for name, tensor in (("inv_scale", inv_scale), ("found_inf", found_inf)):
        if tensor.dtype != _float32:
            raise RuntimeError(f"{name} must be a float tensor.")
    for gradient in self:
        if not gradient.dtype.is_floating_point:
            kernel = "_amp_foreach_non_finite_check_and_unscale_cpu"
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(gradient.dtype)}'")
    factor = inv_scale.item()
    for gradient in self:
        if not aten.all.default(aten.isfinite.default(gradient)).item():
            aten.fill_.Scalar(found_inf, 1.0)
        if factor != 1.0:
            aten.mul_.Scalar(gradient, factor)


def _amp_update_scale_(self, growth_tracker, found_inf, scale_growth_factor, scale_backoff_factor, growth_interval):
    """The scale of gradients falls where one was infinite, and grows after enough steps without."""
    if found_inf.item():
        aten.mul_.Scalar(self, scale_backoff_factor)
        aten.zero_.default(growth_tracker)
        return self
    steps = growth_tracker.item() + 1
    if steps == growth_interval:
        grown = self.item() * scale_growth_factor
        if math.isfinite(grown):
            aten.fill_.Scalar(self, grown)
        steps = 0
    aten.fill_.Scalar(growth_tracker, steps)
    return self
