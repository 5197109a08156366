"""Activation functions of `nn.functional` that choose between an operator and its in-place form, or are short formulas."""

import warnings

from runtime import _core
from runtime._core import ops
from runtime.nn._public import public

__all__ = [
    "celu", "elu", "glu", "gumbel_softmax", "hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "logsigmoid", "mish", "prelu",
    "relu", "relu6", "rrelu", "selu", "silu", "softsign", "tanhshrink", "threshold",
]  # fmt: skip

aten = ops.aten

hardshrink = _core.functions["hardshrink"]
logsigmoid = _core.functions_of("nn")["log_sigmoid"]
prelu = _core.functions["prelu"]


def threshold(input, threshold, value, inplace=False):
    """`value` where an element is at most `threshold`."""
    return (public["threshold_"] if inplace else public["threshold"])(input, threshold, value)


def relu(input, inplace=False):
    """The larger of an element and 0."""
    return (public["relu_"] if inplace else public["relu"])(input)


def glu(input, dim=-1):
    """The first half of a dimension times the sigmoid of the second."""
    return public["glu"](input, dim)


def hardtanh(input, min_val=-1.0, max_val=1.0, inplace=False):
    """Elements clamped between two numbers."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    return (public["hardtanh_"] if inplace else public["hardtanh"])(input, min_val, max_val)


def relu6(input, inplace=False):
    """Elements clamped between 0 and 6."""
    return (public["relu6_"] if inplace else public["relu6"])(input)


def elu(input, alpha=1.0, inplace=False):
    """``alpha * (exp(x) - 1)`` of negative elements, others as they are."""
    return (public["elu_"] if inplace else public["elu"])(input, alpha)


def selu(input, inplace=False):
    """The scaled elu that keeps mean and variance."""
    return (public["selu_"] if inplace else public["selu"])(input)


def celu(input, alpha=1.0, inplace=False):
    """``alpha * (exp(x / alpha) - 1)`` of negative elements, others as they are."""
    return (public["celu_"] if inplace else public["celu"])(input, alpha)


def leaky_relu(input, negative_slope=0.01, inplace=False):
    """Negative elements times a slope, others as they are."""
    return (public["leaky_relu_"] if inplace else public["leaky_relu"])(input, negative_slope)


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Negative elements times slopes that are drawn in training, and the mean slope otherwise."""
    return (public["rrelu_"] if inplace else public["rrelu"])(input, lower, upper, training)


def tanhshrink(input):
    """``x - tanh(x)``."""
    return input - input.tanh()


def softsign(input):
    """``x / (1 + |x|)``."""
    return input / (input.abs() + 1)


def silu(input, inplace=False):
    """``x * sigmoid(x)``."""
    return (public["silu_"] if inplace else public["silu"])(input)


def mish(input, inplace=False):
    """``x * tanh(softplus(x))``."""
    return (public["mish_"] if inplace else public["mish"])(input)


def hardsigmoid(input, inplace=False):
    """The sigmoid's piecewise linear likeness."""
    return (public["hardsigmoid_"] if inplace else public["hardsigmoid"])(input)


def hardswish(input, inplace=False):
    """``x * hardsigmoid(x)``."""
    return (public["hardswish_"] if inplace else public["hardswish"])(input)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """Draw from a relaxed categorical distribution: softmax of logits with Gumbel noise, over a temperature.

    Parameters
    ----------
    logits : Tensor
    tau : float
        The temperature: the smaller, the nearer to one-hot.
    hard : bool
        Return one-hot draws, which have the gradients of the relaxed ones.
    eps : float
        Without effect.
    dim : int
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=2)
    noise = -aten.empty_like.default(logits).exponential_().log()
    soft = ((logits + noise) / tau).softmax(dim)
    if not hard:
        return soft
    index = soft.max(dim, keepdim=True)[1]
    return aten.zeros_like.default(logits).scatter_(dim, index, 1.0) - soft.detach() + soft
