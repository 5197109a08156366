"""Initial values: functions that fill a tensor in place, without recording gradients, and give it back."""

import math
import warnings

import runtime
from runtime._core import no_grad, overridable

__all__ = [
    "calculate_gain", "constant", "constant_", "dirac", "dirac_", "eye", "eye_", "kaiming_normal", "kaiming_normal_", "kaiming_uniform",
    "kaiming_uniform_", "normal", "normal_", "ones_", "orthogonal", "orthogonal_", "sparse", "sparse_", "trunc_normal_", "uniform",
    "uniform_", "xavier_normal", "xavier_normal_", "xavier_uniform", "xavier_uniform_", "zeros_",
]  # fmt: skip

_GAINS = {
    **dict.fromkeys(("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "sigmoid"), 1),
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
}


def calculate_gain(nonlinearity, param=None):
    """The factor by which weights before a nonlinearity are scaled.

    Parameters
    ----------
    nonlinearity : str
        The name of a function of `nn.functional`.
    param : float, optional
        The negative slope of ``"leaky_relu"``, 0.01 by default.
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


# ---- distributions


@overridable
def uniform_(tensor, a=0.0, b=1.0, generator=None):
    """Draw from the uniform distribution over [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


@overridable
def normal_(tensor, mean=0.0, std=1.0, generator=None):
    """Draw from the normal distribution."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def _normal_cdf(x):
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def trunc_normal_(tensor, mean=0.0, std=1.0, a=-2.0, b=2.0, generator=None):
    """Draw from the normal distribution; values outside [a, b] are drawn again.

    Parameters
    ----------
    tensor : Tensor
    mean, std : float
        Of the normal distribution before it is cut.
    a, b : float
        The bounds.
    generator : Generator, optional
    """
    if tensor.is_meta:
        return tensor
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.", stacklevel=2)
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    with no_grad():
        # Normal draws are kept often enough unless the bounds cut off most of the distribution.
        draw, keep = _normal_draws(mean, std, a, b) if inside > 0.3 else _uniform_draws(mean, std, a, b)
        draw(tensor, generator)
        pending = keep(tensor, generator).logical_not()
        drawn = runtime.empty_like(tensor)
        while pending.any():
            draw(drawn, generator)
            tensor.copy_(runtime.where(pending, drawn, tensor))
            pending.logical_and_(keep(tensor, generator).logical_not())
    return tensor


def _normal_draws(mean, std, a, b):
    return lambda t, generator: t.normal_(mean, std, generator=generator), lambda t, generator: (t >= a).logical_and(t <= b)


def _uniform_draws(mean, std, a, b):
    """Uniform draws, of which each is kept with the probability that its density has of the largest density."""
    largest = -0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2

    def keep(t, generator):
        chance = runtime.empty_like(t).uniform_(generator=generator).log_()
        return chance <= ((t - mean) / std).pow_(2).mul_(-0.5).sub_(largest)

    return lambda t, generator: t.uniform_(a, b, generator=generator), keep


# ---- fixed values


@overridable
def constant_(tensor, val):
    """Fill with a number."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor):
    """Fill with 1."""
    with no_grad():
        return tensor.fill_(1.0)


def zeros_(tensor):
    """Fill with 0."""
    with no_grad():
        return tensor.zero_()


def eye_(tensor):
    """Fill a matrix with the identity."""
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        tensor.zero_()
        tensor.diagonal().fill_(1)
    return tensor


def dirac_(tensor, groups=1):
    """Fill a convolution's weight so that as many channels as possible pass unchanged.

    Parameters
    ----------
    tensor : Tensor
        A weight with 3, 4 or 5 dimensions.
    groups : int
        The groups of the convolution; each passes its own channels.
    """
    if tensor.ndimension() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    sizes = tensor.size()
    if sizes[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    if tensor.is_meta:
        return tensor
    channels = sizes[0] // groups
    middle = tuple(n // 2 for n in sizes[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(channels, sizes[1])):
                tensor[(group * channels + channel, channel, *middle)] = 1
    return tensor


# ---- variances that follow from the numbers of inputs and outputs


def _calculate_fan_in_and_fan_out(tensor):
    """How many inputs each output has, and how many outputs each input reaches."""
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    outputs, inputs, *window = tensor.shape
    volume = math.prod(window)
    return inputs * volume, outputs * volume


def _calculate_correct_fan(tensor, mode):
    mode = mode.lower()
    modes = ["fan_in", "fan_out"]
    if mode not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode)]


def _xavier_std(tensor, gain):
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return gain * math.sqrt(2.0 / float(fan_in + fan_out))


def xavier_uniform_(tensor, gain=1.0, generator=None):
    """Draw from a uniform distribution that keeps variances of values and gradients alike (Glorot and Bengio, 2010)."""
    bound = math.sqrt(3.0) * _xavier_std(tensor, gain)
    with no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def xavier_normal_(tensor, gain=1.0, generator=None):
    """Draw from a normal distribution that keeps variances of values and gradients alike (Glorot and Bengio, 2010)."""
    std = _xavier_std(tensor, gain)
    with no_grad():
        return tensor.normal_(0.0, std, generator=generator)


def _kaiming_std(tensor, a, mode, nonlinearity):
    """The standard deviation, or None for tensors without elements, which have no fan."""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


@overridable
def kaiming_uniform_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw from a uniform distribution that keeps the variance through a nonlinearity (He et al., 2015).

    Parameters
    ----------
    tensor : Tensor
        A weight; dimension 0 counts outputs, 1 inputs, the others are a window.
    a : float
        The negative slope of ``"leaky_relu"``.
    mode : {"fan_in", "fan_out"}
        Keep the variance of values, or of gradients.
    nonlinearity : str
        As `calculate_gain` takes it.
    generator : Generator, optional
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    with no_grad():
        return tensor.uniform_(-bound, bound, generator=generator)


def kaiming_normal_(tensor, a=0, mode="fan_in", nonlinearity="leaky_relu", generator=None):
    """Draw from a normal distribution that keeps the variance through a nonlinearity; see `kaiming_uniform_`."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    with no_grad():
        return tensor.normal_(0, std, generator=generator)


def orthogonal_(tensor, gain=1, generator=None):
    """Fill with a random matrix with orthogonal rows or columns, whichever are fewer; further dimensions count as columns."""
    if tensor.ndimension() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0 or tensor.is_meta:
        return tensor
    rows = tensor.size(0)
    columns = tensor.numel() // rows
    with no_grad():
        drawn = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
        q, r = runtime.linalg.qr(drawn.t() if rows < columns else drawn)
        # Signs by which Q is uniformly distributed over the orthogonal matrices.
        q = q * r.diagonal().sign()
        tensor.copy_((q.t() if rows < columns else q).reshape(tensor.shape)).mul_(gain)
    return tensor


def sparse_(tensor, sparsity, std=0.01, generator=None):
    """Draw a matrix from a normal distribution, and set a fraction of each column to zero.

    Parameters
    ----------
    tensor : Tensor
        A matrix.
    sparsity : float
        The fraction.
    std : float
    generator : Generator, optional
        For the normal draws.
    """
    if tensor.ndimension() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    if tensor.is_meta:
        return tensor
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[runtime.randperm(rows)[:zeros], column] = 0
    return tensor


# ---- the names without underscores


def _deprecated(function):
    new = function.__name__
    old = new.removesuffix("_")

    def renamed(*args, **kwargs):
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    renamed.__name__ = renamed.__qualname__ = old
    renamed.__doc__ = f"The older name of `{new}`."
    return renamed


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
