"""Convolutions and transposed convolutions."""

import runtime
from runtime._core import no_grad
from runtime.nn import functional as F
from runtime.nn.modules._layer import fill_like_linear, parameter, tuple_of
from runtime.nn.modules.module import Module

__all__ = ["Conv1d", "Conv2d", "Conv3d", "ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PADDINGS = {"same", "valid"}
_PADDING_MODES = {"zeros", "reflect", "replicate", "circular"}


def _same_padding(kernel_size, dilation):
    """Amounts that keep sizes, as `pad` takes them: pairs from the last dimension to the first, the odd element at the end."""
    amounts = []
    for k, d in zip(reversed(kernel_size), reversed(dilation)):
        total = d * (k - 1)
        amounts += [total // 2, total - total // 2]
    return amounts


class _ConvNd(Module):
    """What convolutions of all dimensions share; the kernel's size says how many there are."""

    def __init__(
        self, in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding, groups, bias, padding_mode,
        device=None, dtype=None,
    ):  # fmt: skip
        super().__init__()
        dims = len(kernel_size)
        stride = tuple_of(dims, stride)
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str):
            if padding not in _PADDINGS:
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {_PADDINGS}")
            if padding == "same" and any(s != 1 for s in stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {_PADDING_MODES}, but got padding_mode='{padding_mode}'")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = tuple(kernel_size)
        self.stride = stride
        self.padding = padding if isinstance(padding, str) else tuple_of(dims, padding)
        self.dilation = tuple_of(dims, dilation)
        self.transposed = transposed
        self.output_padding = tuple_of(dims, output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        if self.padding == "same":
            self._reversed_padding_repeated_twice = _same_padding(self.kernel_size, self.dilation)
        elif self.padding == "valid":
            self._reversed_padding_repeated_twice = [0, 0] * dims
        else:
            self._reversed_padding_repeated_twice = tuple(n for n in reversed(self.padding) for _ in range(2))
        channels = (in_channels, out_channels // groups) if self.transposed else (out_channels, in_channels // groups)
        parameter(self, "weight", (*channels, *self.kernel_size), device, dtype)
        parameter(self, "bias", (out_channels,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values."""
        weight = self.weight
        if weight.is_contiguous():
            fill_like_linear(weight, self.bias)
            return
        # The draws fall on elements in their order in the tensor, whatever their order in memory.
        with no_grad():
            drawn = runtime.empty_like(weight, memory_format=runtime.contiguous_format)
            fill_like_linear(drawn, self.bias)
            weight.copy_(drawn)

    def extra_repr(self):
        """Channels and window, and the settings that differ from their defaults."""
        dims = len(self.kernel_size)
        parts = [str(self.in_channels), str(self.out_channels), f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        if self.padding != (0,) * dims:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * dims:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * dims:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _Convolution(_ConvNd):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, dilation=1, groups=1, bias=True, padding_mode="zeros",
        device=None, dtype=None,
    ):  # fmt: skip
        kernel_size = tuple_of(self.dims, kernel_size)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, 0, groups, bias, padding_mode, device, dtype
        )

    def _conv_forward(self, input, weight, bias):
        if self.padding_mode == "zeros":
            return self.function(input, weight, bias, self.stride, self.padding, self.dilation, self.groups)
        padded = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
        return self.function(padded, weight, bias, self.stride, (0,) * self.dims, self.dilation, self.groups)

    def forward(self, input):
        """The convolution of the input."""
        return self._conv_forward(input, self.weight, self.bias)


class Conv1d(_Convolution):
    """A convolution over (N, C, L) or (C, L).

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, dilation : int or tuple of int
    padding : int, tuple of int, "same" or "valid"
    groups : int
        Into how many convolutions side by side the channels are divided.
    bias : bool
    padding_mode : {"zeros", "reflect", "replicate", "circular"}
    device, dtype : optional
        Of the parameters.
    """

    dims = 1
    function = F.conv1d


class Conv2d(_Convolution):
    """A convolution over (N, C, H, W) or (C, H, W); see `Conv1d` for the parameters."""

    dims = 2
    function = F.conv2d


class Conv3d(_Convolution):
    """A convolution over (N, C, D, H, W) or (C, D, H, W); see `Conv1d` for the parameters."""

    dims = 3
    function = F.conv3d


class _TransposedConvolution(_ConvNd):
    def __init__(
        self, in_channels, out_channels, kernel_size, stride=1, padding=0, output_padding=0, groups=1, bias=True, dilation=1,
        padding_mode="zeros", device=None, dtype=None,
    ):  # fmt: skip
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        kernel_size, padding = tuple_of(self.dims, kernel_size), tuple_of(self.dims, padding)
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True, output_padding, groups, bias, padding_mode, device, dtype
        )

    def _output_padding(self, input, output_size):
        """What is added at the ends so that the result has a size; several sizes have the same convolution."""
        if output_size is None:
            return self.output_padding
        dims = self.dims
        others = 2 if input.dim() == dims + 2 else 1
        if len(output_size) == others + dims:
            output_size = output_size[others:]
        if len(output_size) != dims:
            raise ValueError(
                f"ConvTranspose{dims}D: for {input.dim()}D input, output_size must have {dims} or {others + dims} elements (got {len(output_size)})"
            )
        least = [
            (n - 1) * stride - 2 * padding + dilation * (kernel - 1) + 1
            for n, stride, padding, dilation, kernel in zip(
                input.shape[others:], self.stride, self.padding, self.dilation, self.kernel_size, strict=True
            )
        ]
        most = [n + stride - 1 for n, stride in zip(least, self.stride, strict=True)]
        for size, low, high in zip(output_size, least, most, strict=True):
            if not low <= size <= high:
                raise ValueError(
                    f"requested an output size of {output_size}, but valid sizes range from {least} to {most} (for an input of {input.size()[2:]})"
                )
        return [size - low for size, low in zip(output_size, least, strict=True)]

    def forward(self, input, output_size=None):
        """The transposed convolution of the input; `output_size` chooses among the sizes that it can have."""
        if self.padding_mode != "zeros":
            raise ValueError(f"Only `zeros` padding mode is supported for ConvTranspose{self.dims}d")
        output_padding = self._output_padding(input, output_size)
        return self.function(input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation)


class ConvTranspose1d(_TransposedConvolution):
    """The transposed convolution over (N, C, L) or (C, L): the gradient of `Conv1d` with respect to its input, as a layer.

    Parameters
    ----------
    in_channels, out_channels : int
    kernel_size, stride, padding : int or tuple of int
        As of the convolution that this is the transposed of.
    output_padding : int or tuple of int
        Added to one end of the result.
    groups : int
    bias : bool
    dilation : int or tuple of int
    padding_mode : {"zeros"}
    device, dtype : optional
        Of the parameters.
    """

    dims = 1
    function = F.conv_transpose1d


class ConvTranspose2d(_TransposedConvolution):
    """The transposed convolution over (N, C, H, W) or (C, H, W); see `ConvTranspose1d` for the parameters."""

    dims = 2
    function = F.conv_transpose2d


class ConvTranspose3d(_TransposedConvolution):
    """The transposed convolution over (N, C, D, H, W) or (C, D, H, W); see `ConvTranspose1d` for the parameters."""

    dims = 3
    function = F.conv_transpose3d
