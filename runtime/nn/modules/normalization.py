"""Normalization of each example by itself."""

from numbers import Integral

from runtime.nn import functional as F
from runtime.nn.modules._layer import Layer, fill_affine, parameter

__all__ = ["GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LocalResponseNorm(Layer):
    """Division by a power of the mean of squares over neighbouring channels."""

    def __init__(self, size, alpha=1e-4, beta=0.75, k=1.0):
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input):
        """The normalized input."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self):
        """The settings."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


def _shape(value):
    return (value,) if isinstance(value, Integral) else tuple(value)


class LayerNorm(Layer):
    """Normalization by mean and variance over the last dimensions.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of those dimensions.
    eps : float
        Added to variances.
    elementwise_affine : bool
        Whether weights and biases are learned.
    bias : bool
        Whether there are biases.
    device, dtype : optional
        Of the parameters.
    """

    def __init__(self, normalized_shape, eps=1e-5, elementwise_affine=True, bias=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        parameter(self, "weight", self.normalized_shape, device, dtype, elementwise_affine)
        parameter(self, "bias", self.normalized_shape, device, dtype, elementwise_affine and bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Set weights to 1 and biases to 0."""
        if self.elementwise_affine:
            fill_affine(self.weight, self.bias)

    def forward(self, input):
        """The normalized input."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The settings."""
        affine = f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


class RMSNorm(Layer):
    """Division by the root of the mean of squares over the last dimensions.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The sizes of those dimensions.
    eps : float, optional
        Added to means; by default the dtype's.
    elementwise_affine : bool
        Whether weights are learned.
    device, dtype : optional
        Of the weights.
    """

    def __init__(self, normalized_shape, eps=None, elementwise_affine=True, device=None, dtype=None):
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        parameter(self, "weight", self.normalized_shape, device, dtype, elementwise_affine)
        self.reset_parameters()

    def reset_parameters(self):
        """Set weights to 1."""
        if self.elementwise_affine:
            fill_affine(self.weight, None)

    def forward(self, x):
        """The normalized input."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self):
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(Layer):
    """Normalization by mean and variance over groups of channels.

    Parameters
    ----------
    num_groups, num_channels : int
    eps : float
        Added to variances.
    affine : bool
        Whether weights and biases of channels are learned.
    device, dtype : optional
        Of the parameters.
    bias : bool
        Whether there are biases.
    """

    def __init__(self, num_groups, num_channels, eps=1e-5, affine=True, device=None, dtype=None, *, bias=True):
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        parameter(self, "weight", (num_channels,), device, dtype, affine)
        parameter(self, "bias", (num_channels,), device, dtype, affine and bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Set weights to 1 and biases to 0."""
        if self.affine:
            fill_affine(self.weight, self.bias)

    def forward(self, input):
        """The normalized input."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self):
        """The settings."""
        return f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, bias={self.bias is not None}"
