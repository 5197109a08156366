"""Pooling layers."""

from runtime.nn import functional as F
from runtime.nn.modules._layer import Layer, tuple_of

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d",
    "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d", "LPPool1d", "LPPool2d", "LPPool3d", "MaxPool1d",
    "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _MaxPoolNd(Layer):
    shown = "kernel_size", "stride", "padding", "dilation", "ceil_mode"

    def __init__(self, kernel_size, stride=None, padding=0, dilation=1, return_indices=False, ceil_mode=False):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input):
        """The maxima; with their places where `return_indices` is true."""
        return self.function(
            input, self.kernel_size, self.stride, self.padding, self.dilation, ceil_mode=self.ceil_mode, return_indices=self.return_indices
        )


class MaxPool1d(_MaxPoolNd):
    """Maxima over windows of (N, C, L) or (C, L)."""

    function = F.max_pool1d


class MaxPool2d(_MaxPoolNd):
    """Maxima over windows of (N, C, H, W) or (C, H, W)."""

    function = F.max_pool2d


class MaxPool3d(_MaxPoolNd):
    """Maxima over windows of (N, C, D, H, W) or (C, D, H, W)."""

    function = F.max_pool3d


class _MaxUnpoolNd(Layer):
    shown = "kernel_size", "stride", "padding"

    def __init__(self, kernel_size, stride=None, padding=0):
        super().__init__()
        self.kernel_size = tuple_of(self.dims, kernel_size)
        self.stride = tuple_of(self.dims, kernel_size if stride is None else stride)
        self.padding = tuple_of(self.dims, padding)

    def forward(self, input, indices, output_size=None):
        """The input's elements at the places of `indices`, zeros elsewhere."""
        return self.function(input, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpoolNd):
    """Maxima back at the places that `MaxPool1d` took them from."""

    dims = 1
    function = F.max_unpool1d


class MaxUnpool2d(_MaxUnpoolNd):
    """Maxima back at the places that `MaxPool2d` took them from."""

    dims = 2
    function = F.max_unpool2d


class MaxUnpool3d(_MaxUnpoolNd):
    """Maxima back at the places that `MaxPool3d` took them from."""

    dims = 3
    function = F.max_unpool3d


class AvgPool1d(Layer):
    """Means over windows of (N, C, L) or (C, L)."""

    shown = "kernel_size", "stride", "padding"

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
        super().__init__()
        self.kernel_size = tuple_of(1, kernel_size)
        self.stride = tuple_of(1, kernel_size if stride is None else stride)
        self.padding = tuple_of(1, padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input):
        """The means."""
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)


class _AvgPoolNd(Layer):
    shown = "kernel_size", "stride", "padding"

    def __init__(self, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input):
        """The means."""
        return self.function(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad, self.divisor_override)


class AvgPool2d(_AvgPoolNd):
    """Means over windows of (N, C, H, W) or (C, H, W)."""

    function = F.avg_pool2d


class AvgPool3d(_AvgPoolNd):
    """Means over windows of (N, C, D, H, W) or (C, D, H, W)."""

    function = F.avg_pool3d


class _FractionalMaxPoolNd(Layer):
    def __init__(self, kernel_size, output_size=None, output_ratio=None, return_indices=False, _random_samples=None):
        super().__init__()
        name = type(self).__name__
        self.kernel_size = tuple_of(self.dims, kernel_size)
        if self.dims == 3 and not all(n > 0 for n in self.kernel_size):
            raise ValueError(f"kernel_size must be greater than 0, but got {kernel_size}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else tuple_of(self.dims, output_size)
        self.output_ratio = None if output_ratio is None else tuple_of(self.dims, output_ratio)
        if output_size is None and output_ratio is None:
            raise ValueError(f"{name} requires specifying either an output size, or a pooling ratio")
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        if output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input):
        """The maxima; with their places where `return_indices` is true."""
        return self.function(input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, _random_samples=self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Maxima over windows at random places of (N, C, H, W) or (C, H, W)."""

    dims = 2
    function = F.fractional_max_pool2d


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Maxima over windows at random places of (N, C, D, H, W) or (C, D, H, W)."""

    dims = 3
    function = F.fractional_max_pool3d


class _LPPoolNd(Layer):
    shown = "norm_type", "kernel_size", "stride", "ceil_mode"

    def __init__(self, norm_type, kernel_size, stride=None, ceil_mode=False):
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input):
        """The norms."""
        return self.function(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPoolNd):
    """Norms over windows of (N, C, L) or (C, L)."""

    function = F.lp_pool1d


class LPPool2d(_LPPoolNd):
    """Norms over windows of (N, C, H, W) or (C, H, W)."""

    function = F.lp_pool2d


class LPPool3d(_LPPoolNd):
    """Norms over windows of (N, C, D, H, W) or (C, D, H, W)."""

    function = F.lp_pool3d


class _AdaptiveMaxPoolNd(Layer):
    shown = ("output_size",)

    def __init__(self, output_size, return_indices=False):
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input):
        """The maxima; with their places where `return_indices` is true."""
        return self.function(input, self.output_size, self.return_indices)


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Maxima over windows that follow from the result's size."""

    function = F.adaptive_max_pool1d


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Maxima over windows that follow from the result's size."""

    function = F.adaptive_max_pool2d


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Maxima over windows that follow from the result's size."""

    function = F.adaptive_max_pool3d


class _AdaptiveAvgPoolNd(Layer):
    shown = ("output_size",)

    def __init__(self, output_size):
        super().__init__()
        self.output_size = output_size

    def forward(self, input):
        """The means."""
        return self.function(input, self.output_size)


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Means over windows that follow from the result's size."""

    function = F.adaptive_avg_pool1d


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Means over windows that follow from the result's size."""

    function = F.adaptive_avg_pool2d


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Means over windows that follow from the result's size."""

    function = F.adaptive_avg_pool3d
