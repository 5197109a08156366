"""Linear layers."""

from runtime.nn import functional as F
from runtime.nn import init
from runtime.nn.modules._layer import Layer, fill_like_linear, parameter
from runtime.nn.modules.module import Module

__all__ = ["Bilinear", "Identity", "Linear"]


class Identity(Module):
    """Gives its input back; takes any arguments."""

    def __init__(self, *args, **kwargs):
        super().__init__()

    def forward(self, input):
        """The input."""
        return input


class Linear(Module):
    """``input @ weight.T + bias``.

    Parameters
    ----------
    in_features, out_features : int
        The sizes of the last dimension of input and output.
    bias : bool
        Whether there is a bias.
    device, dtype : optional
        Of the parameters.

    Examples
    --------
    >>> import runtime
    >>> runtime.nn.Linear(3, 2)
    Linear(in_features=3, out_features=2, bias=True)
    """

    def __init__(self, in_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        parameter(self, "weight", (out_features, in_features), device, dtype)
        parameter(self, "bias", (out_features,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values."""
        fill_like_linear(self.weight, self.bias)

    def forward(self, input):
        """The linear map of the input's last dimension."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self):
        """Sizes, and whether there is a bias."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """The output projection of attention, which programs that exchange Linear layers tell apart by its class."""


class Bilinear(Layer):
    """``x1 @ weight @ x2 + bias`` with a matrix for each output.

    Parameters
    ----------
    in1_features, in2_features, out_features : int
        The sizes of the last dimensions of the inputs and the output.
    bias : bool
        Whether there is a bias.
    device, dtype : optional
        Of the parameters.
    """

    def __init__(self, in1_features, in2_features, out_features, bias=True, device=None, dtype=None):
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        parameter(self, "weight", (out_features, in1_features, in2_features), device, dtype)
        parameter(self, "bias", (out_features,), device, dtype, bias)
        self.reset_parameters()

    def reset_parameters(self):
        """Draw initial values."""
        bound = 1 / self.weight.size(1) ** 0.5
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1, input2):
        """The bilinear map of the inputs' last dimensions."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self):
        """Sizes, and whether there is a bias."""
        sizes = f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"
