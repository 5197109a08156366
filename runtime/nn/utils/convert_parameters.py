"""Parameters as one vector, and back."""

import runtime
from runtime._core import Tensor
from runtime.functional import typename

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _on_one_device(parameters):
    parameters = list(parameters)
    if any(p.device != parameters[0].device for p in parameters):
        raise TypeError("Found two parameters on different devices, this is currently not supported.")
    return parameters


def parameters_to_vector(parameters):
    """The elements of all parameters, one after the other.

    Parameters
    ----------
    parameters : iterable of Tensor

    Returns
    -------
    Tensor
    """
    return runtime.cat([p.view(-1) for p in _on_one_device(parameters)])


def vector_to_parameters(vec, parameters):
    """Give parameters the elements of a vector, whose memory they share from then on.

    Parameters
    ----------
    vec : Tensor
    parameters : iterable of Tensor
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for p in _on_one_device(parameters):
        n = p.numel()
        p.data = vec[start : start + n].view_as(p).data
        start += n
