"""softmax, log_softmax and softmin of the `nn.functional` module: they choose a dimension where none is given."""

import warnings

from runtime._core import functions

__all__ = ["log_softmax", "softmax", "softmin"]


def _dim_of(name, input, dim, stacklevel):
    if dim is not None:
        return dim
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. Change the call to include dim=X as an argument.", stacklevel=stacklevel
    )
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(input, dim=None, _stacklevel=3, dtype=None):
    """Exponentials of the elements along a dimension, divided by their sum.

    Parameters
    ----------
    input : Tensor
    dim : int
    dtype : dtype, optional
        In which is computed; integers need one.

    Returns
    -------
    Tensor
    """
    return functions["softmax"](input, _dim_of("softmax", input, dim, _stacklevel), dtype)


def log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """The logarithm of `softmax`, computed without losing small results."""
    return functions["log_softmax"](input, _dim_of("log_softmax", input, dim, _stacklevel), dtype)


def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """The `softmax` of the negated elements."""
    return functions["softmax"](-input, _dim_of("softmin", input, dim, _stacklevel), dtype)
