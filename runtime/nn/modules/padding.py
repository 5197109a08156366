"""Padding layers: constants, reflections, copies of the border, or the other end."""

from runtime.nn import functional as F
from runtime.nn.modules._layer import Layer, tuple_of

__all__ = [
    "CircularPad1d", "CircularPad2d", "CircularPad3d", "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "ReflectionPad1d",
    "ReflectionPad2d", "ReflectionPad3d", "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad1d", "ZeroPad2d", "ZeroPad3d",
]  # fmt: skip


class _Pad(Layer):
    """Pads the last `dims` dimensions; a list of amounts begins with both ends of the last one."""

    shown = ("padding",)
    bare = True

    def __init__(self, padding):
        super().__init__()
        self.padding = tuple_of(2 * self.dims, padding)

    def forward(self, input):
        """The padded input."""
        return F.pad(input, self.padding, self.mode)


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input):
        """The padded input."""
        low = self.dims + 1
        if input.dim() not in (low, low + 1):
            raise ValueError(f"expected {low}D or {low + 1}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Pad the last dimension from its other end."""

    dims = 1


class CircularPad2d(_CircularPad):
    """Pad the last two dimensions from their other ends."""

    dims = 2


class CircularPad3d(_CircularPad):
    """Pad the last three dimensions from their other ends."""

    dims = 3


class _ConstantPad(_Pad):
    shown = "padding", "value"
    bare = False

    def __init__(self, padding, value):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        """The padded input."""
        return F.pad(input, self.padding, "constant", self.value)


class ConstantPad1d(_ConstantPad):
    """Pad the last dimension with a number."""

    dims = 1


class ConstantPad2d(_ConstantPad):
    """Pad the last two dimensions with a number."""

    dims = 2


class ConstantPad3d(_ConstantPad):
    """Pad the last three dimensions with a number."""

    dims = 3


class _ReflectionPad(_Pad):
    mode = "reflect"


class ReflectionPad1d(_ReflectionPad):
    """Pad the last dimension with its reflection, without the border itself."""

    dims = 1


class ReflectionPad2d(_ReflectionPad):
    """Pad the last two dimensions with their reflections, without the borders themselves."""

    dims = 2


class ReflectionPad3d(_ReflectionPad):
    """Pad the last three dimensions with their reflections, without the borders themselves."""

    dims = 3


class _ReplicationPad(_Pad):
    mode = "replicate"


class ReplicationPad1d(_ReplicationPad):
    """Pad the last dimension with copies of its border."""

    dims = 1


class ReplicationPad2d(_ReplicationPad):
    """Pad the last two dimensions with copies of their borders."""

    dims = 2


class ReplicationPad3d(_ReplicationPad):
    """Pad the last three dimensions with copies of their borders."""

    dims = 3


class _ZeroPad(_ConstantPad):
    shown = ("padding",)
    bare = True

    def __init__(self, padding):
        super().__init__(padding, 0.0)


class ZeroPad1d(_ZeroPad, ConstantPad1d):
    """Pad the last dimension with zeros."""


class ZeroPad2d(_ZeroPad, ConstantPad2d):
    """Pad the last two dimensions with zeros."""


class ZeroPad3d(_ZeroPad, ConstantPad3d):
    """Pad the last three dimensions with zeros."""
