"""Convolutions made of aten::convolution."""

from runtime._core import ops
from runtime.kernels._common import into

aten = ops.aten


def _batched(name, input, ndim):
    """The input with a batch dimension, and whether it had one."""
    if input.dim() not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to {name}, but got input of size: {list(input.shape)}"
        )
    if input.dim() == ndim + 2:
        return input, True
    return aten.unsqueeze.default(input, 0), False


def _convolve(name, ndim, input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    input, batched = _batched(name, input, ndim)
    out = aten.convolution.default(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)
    return out if batched else aten.squeeze.dim(out, 0)


def conv1d(input, weight, bias=None, stride=(1,), padding=(0,), dilation=(1,), groups=1):
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, False, (0,), groups)


def conv2d(input, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1):
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, False, (0, 0), groups)


def conv3d(input, weight, bias=None, stride=(1, 1, 1), padding=(0, 0, 0), dilation=(1, 1, 1), groups=1):
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, False, (0, 0, 0), groups)


def conv_transpose1d(input, weight, bias=None, stride=(1,), padding=(0,), output_padding=(0,), groups=1, dilation=(1,)):
    return _convolve("conv_transpose1d", 1, input, weight, bias, stride, padding, dilation, True, output_padding, groups)


def conv_transpose2d_input(input, weight, bias=None, stride=(1, 1), padding=(0, 0), output_padding=(0, 0), groups=1, dilation=(1, 1)):
    return _convolve("conv_transpose2d", 2, input, weight, bias, stride, padding, dilation, True, output_padding, groups)


def conv_transpose3d_input(input, weight, bias=None, stride=(1, 1, 1), padding=(0, 0, 0), output_padding=(0, 0, 0), groups=1, dilation=(1, 1, 1)):
    return _convolve("conv_transpose3d", 3, input, weight, bias, stride, padding, dilation, True, output_padding, groups)


def _with_padding(name, ndim, input, weight, bias, stride, padding, dilation, groups):
    input, batched = _batched(name, input, ndim)
    out = aten._convolution_mode.default(input, weight, bias, stride, padding, dilation, groups)
    return out if batched else aten.squeeze.dim(out, 0)


def conv1d_padding(input, weight, bias=None, stride=(1,), padding="valid", dilation=(1,), groups=1):
    return _with_padding("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


def conv2d_padding(input, weight, bias=None, stride=(1, 1), padding="valid", dilation=(1, 1), groups=1):
    return _with_padding("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


def conv3d_padding(input, weight, bias=None, stride=(1, 1, 1), padding="valid", dilation=(1, 1, 1), groups=1):
    return _with_padding("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)


def _of_space(values, ndim):
    return tuple(values) * ndim if len(values) == 1 else tuple(values)


def _convolution_mode(input, weight, bias, stride, padding, dilation, groups):
    ndim = weight.dim() - 2
    if padding == "valid":
        return aten.convolution.default(input, weight, bias, stride, (0,) * max(ndim, 1), dilation, False, (0,) * max(ndim, 1), groups)
    if padding != "same":
        raise RuntimeError(f"Invalid padding string: '{padding}'")
    if input.dim() != weight.dim():
        raise RuntimeError("Expected conv input and weight to have the same number of dimensions")
    if len(stride) not in (1, ndim):
        raise RuntimeError(f"stride cannot broadcast to {ndim} dimensions")
    if len(dilation) not in (1, ndim):
        raise RuntimeError(f"dilation cannot broadcast to {ndim} dimensions")
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for d, k in zip(_of_space(dilation, ndim), weight.shape[2:])]
    if any(t % 2 for t in totals):
        # More at the end: written into the input, since the operator pads both sides alike.
        extra = [n for t in reversed(totals) for n in (0, t % 2)]
        input = aten.constant_pad_nd.default(input, extra)
    return aten.convolution.default(input, weight, bias, stride, [t // 2 for t in totals], dilation, False, (0,) * ndim, groups)


def _convolution(
    input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, benchmark, deterministic, cudnn_enabled, allow_tf32
):
    return aten.convolution.default(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


def _convolution_deprecated(
    input, weight, bias, stride, padding, dilation, transposed, output_padding, groups, benchmark, deterministic, cudnn_enabled
):
    return aten.convolution.default(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups)


def _convolution_double_backward(
    ggI, ggW, ggb, gO, weight, self, stride, padding, dilation, transposed, output_padding, groups, output_mask
):
    """Gradients of a convolution's gradients, which are convolutions of their tangents with what they were multiplied by."""
    place = (stride, padding, dilation, transposed, output_padding, groups)
    tangent = None
    if ggI is not None:
        tangent = aten.convolution.default(ggI, weight, None, *place)
    if ggW is not None:
        term = aten.convolution.default(self, ggW, None, *place)
        tangent = term if tangent is None else aten.add.Tensor(tangent, term)
    if ggb is not None:
        term = aten.expand.default(aten.view.default(ggb, (1, -1) + (1,) * (gO.dim() - 2)), gO.shape)
        tangent = term if tangent is None else aten.add.Tensor(tangent, term)
    wanted = (bool(output_mask[0]) and tangent is not None, output_mask[1], output_mask[2])
    grad_input = grad_weight = None
    if wanted[1] and ggW is not None:
        grad_input = aten.convolution_backward.default(gO, self, ggW, None, *place, (True, False, False))[0]
    if wanted[2] and ggI is not None:
        grad_weight = aten.convolution_backward.default(gO, ggI, weight, None, *place, (False, True, False))[1]
    return tangent if wanted[0] else None, grad_input, grad_weight


def conv_tbc(self, weight, bias, pad=0):
    if self.dim() != 3:
        raise RuntimeError("Input must have 3 dims: time, batch, in_channel")
    if weight.dim() != 3:
        raise RuntimeError("Weight tensor must have 3 dims: kernel_width, in_channels, out_channels.")
    if bias.dim() != 1:
        raise RuntimeError("Bias must be 1-D")
    if self.shape[2] != weight.shape[1]:
        raise RuntimeError("Input dim 2 (input channels) is not == dim 1 in the weight tensor")
    if weight.shape[2] != bias.shape[0]:
        raise RuntimeError("Bias size must equal dim 2 in the weight tensor (output channels).")
    out = aten.convolution.default(
        aten.permute.default(self, (1, 2, 0)), aten.permute.default(weight, (2, 1, 0)), bias, (1,), (pad,), (1,), False, (0,), 1
    )
    return aten.permute.default(out, (2, 0, 1)).contiguous()


def conv_tbc_backward(self, input, weight, bias, pad):
    grad, image, kernel = (aten.permute.default(t, p) for t, p in ((self, (1, 2, 0)), (input, (1, 2, 0)), (weight, (2, 1, 0))))
    results = aten.convolution_backward.default(grad, image, kernel, None, (1,), (pad,), (1,), False, (0,), 1, (True, True, True))
    return aten.permute.default(results[0], (2, 0, 1)), aten.permute.default(results[1], (2, 1, 0)), results[2]


def thnn_conv2d(self, weight, kernel_size, bias=None, stride=(1,), padding=(0,)):
    return aten.convolution.default(self, weight, bias, stride, padding, (1, 1), False, (0, 0), 1)


def slow_conv3d(self, weight, kernel_size, bias=None, stride=(1,), padding=(0,)):
    return aten.convolution.default(self, weight, bias, stride, padding, (1, 1, 1), False, (0, 0, 0), 1)


def thnn_conv2d_out(self, weight, kernel_size, bias=None, stride=(1,), padding=(0,), *, out):
    return into(out, aten.thnn_conv2d.default(self, weight, kernel_size, bias, stride, padding))


def slow_conv3d_out(self, weight, kernel_size, bias=None, stride=(1,), padding=(0,), *, out):
    return into(out, aten.slow_conv3d.default(self, weight, kernel_size, bias, stride, padding))
