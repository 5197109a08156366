"""Clipping of gradients, by their common norm or by value."""

import functools
import warnings
from types import GeneratorType

import runtime
from runtime._core import Tensor, no_grad

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def _without_grad(function):
    @functools.wraps(function)
    def call(*args, **kwargs):
        with no_grad():
            return function(*args, **kwargs)

    return call


def _as_list(tensors):
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _gradients(parameters):
    return [p.grad for p in parameters if p.grad is not None]


@_without_grad
def get_total_norm(tensors, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The norm of all tensors as one vector.

    Parameters
    ----------
    tensors : Tensor or iterable of Tensor
    norm_type : float
        The order; ``inf`` for the largest element.
    error_if_nonfinite : bool
        Whether infinite and NaN norms raise.
    foreach : bool, optional
        Without effect: one operator computes all norms.

    Returns
    -------
    Tensor
    """
    tensors, order = _as_list(tensors), float(norm_type)
    if not tensors:
        return runtime.tensor(0.0)
    device = tensors[0].device
    norms = [norm.to(device) for norm in runtime._foreach_norm(tensors, order)]
    total = runtime.linalg.vector_norm(runtime.stack(norms), order)
    if error_if_nonfinite and not bool(total.isfinite()):
        raise RuntimeError(
            f"The total norm of order {order} for gradients from `parameters` is non-finite, so it cannot be clipped. To disable this error and "
            "scale the gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
        )
    return total


@_without_grad
def clip_grads_with_norm_(parameters, max_norm, total_norm, foreach=None):
    """Scale gradients so that a norm that was computed for them is at most `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
    max_norm : float
    total_norm : Tensor
    foreach : bool, optional
        Without effect: one operator scales all gradients.
    """
    grads = _gradients(_as_list(parameters))
    if grads:
        # Multiplying by 1 costs less than to ask whether the norm is too large.
        runtime._foreach_mul_(grads, (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0))


@_without_grad
def clip_grad_norm_(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """Scale gradients so that their common norm is at most `max_norm`.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without gradients are left out.
    max_norm : float
    norm_type : float
        The order; ``inf`` for the largest element.
    error_if_nonfinite : bool
        Whether infinite and NaN norms raise.
    foreach : bool, optional
        Without effect.

    Returns
    -------
    Tensor
        The norm before.
    """
    generated = isinstance(parameters, GeneratorType)
    parameters = _as_list(parameters)
    if generated and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(parameters, max_norm, norm_type=2.0, error_if_nonfinite=False, foreach=None):
    """The older name of `clip_grad_norm_`."""
    warnings.warn("`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.", FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


@_without_grad
def clip_grad_value_(parameters, clip_value, foreach=None):
    """Clamp gradients to ``[-clip_value, clip_value]``.

    Parameters
    ----------
    parameters : Tensor or iterable of Tensor
        Those without gradients are left out.
    clip_value : float
    foreach : bool, optional
        Without effect.
    """
    grads, bound = _gradients(_as_list(parameters)), float(clip_value)
    if grads:
        runtime._foreach_clamp_min_(grads, -bound)
        runtime._foreach_clamp_max_(grads, bound)
