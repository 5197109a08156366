"""Layers that move elements: flattening, folding, shuffling, and resampling of images."""

from runtime.nn import functional as F
from runtime.nn.modules._layer import Layer
from runtime.nn.modules.module import Module

__all__ = [
    "ChannelShuffle", "Flatten", "Fold", "PixelShuffle", "PixelUnshuffle", "Unflatten", "Unfold", "Upsample", "UpsamplingBilinear2d",
    "UpsamplingNearest2d",
]  # fmt: skip


class Flatten(Layer):
    """One dimension in place of several that follow each other; by default all but the first."""

    shown = "start_dim", "end_dim"

    def __init__(self, start_dim=1, end_dim=-1):
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input):
        """The input with fewer dimensions."""
        return input.flatten(self.start_dim, self.end_dim)


class Unflatten(Layer):
    """Several dimensions in place of one."""

    shown = "dim", "unflattened_size"

    def __init__(self, dim, unflattened_size):
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"unflattened_size must be a tuple of ints, but found type {type(unflattened_size).__name__}")
        for i, n in enumerate(unflattened_size):
            if not isinstance(n, int):
                raise TypeError(f"unflattened_size must be tuple of ints, but found element of type {type(n).__name__} at pos {i}")
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input):
        """The input with more dimensions."""
        return input.unflatten(self.dim, self.unflattened_size)


class Unfold(Layer):
    """Windows of an image as columns."""

    shown = "kernel_size", "dilation", "padding", "stride"

    def __init__(self, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def forward(self, input):
        """The windows."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


class Fold(Unfold):
    """Columns as windows of an image, which are added where they overlap."""

    shown = ("output_size", *Unfold.shown)

    def __init__(self, output_size, kernel_size, dilation=1, padding=0, stride=1):
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input):
        """The image."""
        return F.fold(input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride)


class PixelShuffle(Layer):
    """Channels as more pixels: (N, C * r * r, H, W) as (N, C, H * r, W * r)."""

    shown = ("upscale_factor",)

    def __init__(self, upscale_factor):
        super().__init__()
        self.upscale_factor = upscale_factor

    def forward(self, input):
        """The larger image."""
        return F.pixel_shuffle(input, self.upscale_factor)


class PixelUnshuffle(Layer):
    """Pixels as more channels: (N, C, H * r, W * r) as (N, C * r * r, H, W)."""

    shown = ("downscale_factor",)

    def __init__(self, downscale_factor):
        super().__init__()
        self.downscale_factor = downscale_factor

    def forward(self, input):
        """The smaller image."""
        return F.pixel_unshuffle(input, self.downscale_factor)


class ChannelShuffle(Layer):
    """Channels of groups, interleaved."""

    shown = ("groups",)

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, input):
        """The input with its channels in another order."""
        return F.channel_shuffle(input, self.groups)


class Upsample(Module):
    """Resampling to a size, or by a factor; see `nn.functional.interpolate`.

    Parameters
    ----------
    size : int or tuple of int, optional
        The sizes of the result's spatial dimensions.
    scale_factor : float or tuple of float, optional
        Their ratio to the input's, in place of the sizes.
    mode : str
    align_corners : bool, optional
        Whether corner pixels keep their values.
    recompute_scale_factor : bool, optional
        Whether the factor follows from the rounded size.
    """

    def __init__(self, size=None, scale_factor=None, mode="nearest", align_corners=None, recompute_scale_factor=None):
        super().__init__()
        self.name = type(self).__name__
        self.size = size
        if isinstance(scale_factor, tuple):
            self.scale_factor = tuple(map(float, scale_factor))
        else:
            self.scale_factor = float(scale_factor) if scale_factor else None
        self.mode = mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, input):
        """The resampled input."""
        return F.interpolate(input, self.size, self.scale_factor, self.mode, self.align_corners, recompute_scale_factor=self.recompute_scale_factor)

    def extra_repr(self):
        """The factor or the size, and the mode."""
        target = f"size={self.size!r}" if self.scale_factor is None else f"scale_factor={self.scale_factor!r}"
        return f"{target}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """`Upsample` with mode ``"nearest"``."""

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode="nearest")


class UpsamplingBilinear2d(Upsample):
    """`Upsample` with mode ``"bilinear"`` and aligned corners."""

    def __init__(self, size=None, scale_factor=None):
        super().__init__(size, scale_factor, mode="bilinear", align_corners=True)
