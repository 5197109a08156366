"""Activation layers: functions of `nn.functional` with their settings. Attention is in `_attention`."""

import warnings

import runtime
from runtime.nn import functional as F
from runtime.nn.init import constant_
from runtime.nn.modules._attention import MultiheadAttention
from runtime.nn.modules._layer import Layer, parameter

__all__ = [
    "CELU", "ELU", "GELU", "GLU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "LogSigmoid", "LogSoftmax", "Mish",
    "MultiheadAttention", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softmax", "Softmax2d", "Softmin", "Softplus",
    "Softshrink", "Softsign", "Tanh", "Tanhshrink", "Threshold",
]  # fmt: skip


class _Elementwise(Layer):
    """An activation whose only setting is whether it works in place; `function` is the function that it applies."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace

    def forward(self, input):
        """The activation of each element."""
        return self.function(input, self.inplace)


class ReLU(_Elementwise):
    """The larger of an element and 0."""

    function = F.relu


class SiLU(_Elementwise):
    """``x * sigmoid(x)``."""

    function = F.silu


class Mish(_Elementwise):
    """``x * tanh(softplus(x))``."""

    function = F.mish


class SELU(_Elementwise):
    """The scaled elu that keeps mean and variance."""

    function = F.selu


class _QuietElementwise(_Elementwise):
    """Activations whose representation does not show ``inplace``."""

    def extra_repr(self):
        """Nothing."""
        return ""


class Hardsigmoid(_QuietElementwise):
    """The sigmoid's piecewise linear likeness."""

    function = F.hardsigmoid


class Hardswish(_QuietElementwise):
    """``x * hardsigmoid(x)``."""

    function = F.hardswish


class Hardtanh(Layer):
    """Elements clamped between two numbers."""

    shown = "min_val", "max_val"

    def __init__(self, min_val=-1.0, max_val=1.0, inplace=False, min_value=None, max_value=None):
        super().__init__()
        if min_value is not None:
            warnings.warn("keyword argument `min_value` is deprecated and renamed to `min_val`", FutureWarning, stacklevel=2)
            min_val = min_value
        if max_value is not None:
            warnings.warn("keyword argument `max_value` is deprecated and renamed to `max_val`", FutureWarning, stacklevel=2)
            max_val = max_value
        if not max_val > min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val = min_val
        self.max_val = max_val
        self.inplace = inplace

    def forward(self, input):
        """The clamped elements."""
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)


class ReLU6(Hardtanh):
    """Elements clamped between 0 and 6."""

    shown = ()

    def __init__(self, inplace=False):
        super().__init__(0.0, 6.0, inplace)


class Threshold(Layer):
    """`value` where an element is at most `threshold`."""

    shown = "threshold", "value"

    def __init__(self, threshold, value, inplace=False):
        super().__init__()
        self.threshold = threshold
        self.value = value
        self.inplace = inplace

    def forward(self, input):
        """The elements, small ones replaced."""
        return F.threshold(input, self.threshold, self.value, self.inplace)


class RReLU(Layer):
    """Negative elements times slopes that are drawn in training, and the mean slope otherwise."""

    shown = "lower", "upper"

    def __init__(self, lower=1.0 / 8, upper=1.0 / 3, inplace=False):
        super().__init__()
        self.lower = lower
        self.upper = upper
        self.inplace = inplace

    def forward(self, input):
        """The elements, negative ones scaled."""
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)


class LeakyReLU(Layer):
    """Negative elements times a slope, others as they are."""

    shown = ("negative_slope",)

    def __init__(self, negative_slope=1e-2, inplace=False):
        super().__init__()
        self.negative_slope = negative_slope
        self.inplace = inplace

    def forward(self, input):
        """The elements, negative ones scaled."""
        return F.leaky_relu(input, self.negative_slope, self.inplace)


class ELU(Layer):
    """``alpha * (exp(x) - 1)`` of negative elements, others as they are."""

    shown = ("alpha",)

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        """The activation of each element."""
        return F.elu(input, self.alpha, self.inplace)


class CELU(Layer):
    """``alpha * (exp(x / alpha) - 1)`` of negative elements, others as they are."""

    shown = ("alpha",)

    def __init__(self, alpha=1.0, inplace=False):
        super().__init__()
        self.alpha = alpha
        self.inplace = inplace

    def forward(self, input):
        """The activation of each element."""
        return F.celu(input, self.alpha, self.inplace)


class PReLU(Layer):
    """Negative elements times a slope that is learned, one for all channels or one for each.

    Parameters
    ----------
    num_parameters : int
        1, or the number of channels (dimension 1).
    init : float
        The initial slope.
    device, dtype : optional
        Of the slopes.
    """

    shown = ("num_parameters",)

    def __init__(self, num_parameters=1, init=0.25, device=None, dtype=None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        parameter(self, "weight", num_parameters, device, dtype)
        self.reset_parameters()

    def reset_parameters(self):
        """Set the initial slope."""
        constant_(self.weight, self.init)

    def forward(self, input):
        """The elements, negative ones scaled."""
        return F.prelu(input, self.weight)


class _Simple(Layer):
    """An activation without settings, which takes any arguments."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """The activation of each element."""
        return self.function(input)


class Sigmoid(_Simple):
    """``1 / (1 + exp(-x))``."""

    function = runtime.sigmoid


class Tanh(_Simple):
    """The hyperbolic tangent."""

    function = runtime.tanh


class LogSigmoid(_Simple):
    """The logarithm of the sigmoid."""

    function = F.logsigmoid


class Softsign(_Simple):
    """``x / (1 + |x|)``."""

    function = F.softsign


class Tanhshrink(_Simple):
    """``x - tanh(x)``."""

    function = F.tanhshrink


class _Shrink(Layer):
    """Elements within ``[-lambd, lambd]`` become 0."""

    shown = ("lambd",)
    bare = True

    def __init__(self, lambd=0.5):
        super().__init__()
        self.lambd = lambd

    def forward(self, input):
        """The elements, small ones replaced by 0."""
        return self.function(input, self.lambd)


class Hardshrink(_Shrink):
    """Elements within ``[-lambd, lambd]`` become 0, others stay."""

    function = F.hardshrink


class Softshrink(_Shrink):
    """Elements move by `lambd` towards 0, at most to 0."""

    function = F.softshrink


class GLU(Layer):
    """The first half of a dimension times the sigmoid of the second."""

    shown = ("dim",)

    def __init__(self, dim=-1):
        super().__init__()
        self.dim = dim

    def forward(self, input):
        """The gated half."""
        return F.glu(input, self.dim)


class GELU(Layer):
    """``x`` times the normal distribution's cumulative function, or its approximation by ``"tanh"``."""

    def __init__(self, approximate="none"):
        super().__init__()
        self.approximate = approximate

    def forward(self, input):
        """The activation of each element."""
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self):
        """The approximation."""
        return f"approximate={self.approximate!r}"


class Softplus(Layer):
    """``log(1 + exp(beta * x)) / beta``, and x itself where ``beta * x`` is above the threshold."""

    shown = "beta", "threshold"

    def __init__(self, beta=1.0, threshold=20.0):
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input):
        """The activation of each element."""
        return F.softplus(input, self.beta, self.threshold)


class _AlongDim(Layer):
    """A softmax along a dimension."""

    shown = ("dim",)

    def __init__(self, dim=None):
        super().__init__()
        self.dim = dim

    def __setstate__(self, state):
        super().__setstate__(state)
        self.__dict__.setdefault("dim", None)

    def forward(self, input):
        """The softmax along the dimension."""
        return self.function(input, self.dim, _stacklevel=5)


class Softmax(_AlongDim):
    """Exponentials, divided by their sum along a dimension."""

    function = F.softmax


class Softmin(_AlongDim):
    """The softmax of the negative elements."""

    function = F.softmin


class LogSoftmax(_AlongDim):
    """The logarithm of the softmax."""

    function = F.log_softmax


class Softmax2d(_Simple):
    """The softmax over the channels of (N, C, H, W) or (C, H, W)."""

    def forward(self, input):
        """The softmax over the channels."""
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3, _stacklevel=5)
