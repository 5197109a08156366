"""Conditions that functions written in Python demand of their arguments: `torch._check` and its kin, as `runtime._check`."""

import warnings

from runtime._core import Tensor, dtype_names

_UNEXPLAINED = (
    "Expected cond to be True, but got False. (Could this error message be improved? If so, please report an enhancement request to PyTorch.)"
)


def _refuse(error, message):
    if message is None:
        raise error(_UNEXPLAINED)
    if not callable(message):
        raise TypeError("message must be a callable")
    raise error(str(message()))


def _check_with(error_type, cond, message):
    """Raise unless a condition holds.

    Parameters
    ----------
    error_type : type
        Of the exception.
    cond : bool
    message : callable or None
        Gives the exception's text.
    """
    if not isinstance(cond, bool):
        found = type(cond)
        if isinstance(cond, Tensor):
            found = "a Tensor. For tensor conditions, use torch._check_tensor_all() to assert that all elements are true."
        raise TypeError(f"cond must be a bool, but got {found}")
    if not cond:
        _refuse(error_type, message)


def _check(cond, message=None):
    """Raise RuntimeError unless a condition holds; see `_check_with`."""
    _check_with(RuntimeError, cond, message)


def _check_index(cond, message=None):
    """Raise IndexError unless a condition holds; see `_check_with`."""
    _check_with(IndexError, cond, message)


def _check_value(cond, message=None):
    """Raise ValueError unless a condition holds; see `_check_with`."""
    _check_with(ValueError, cond, message)


def _check_type(cond, message=None):
    """Raise TypeError unless a condition holds; see `_check_with`."""
    _check_with(TypeError, cond, message)


def _check_not_implemented(cond, message=None):
    """Raise NotImplementedError unless a condition holds; see `_check_with`."""
    _check_with(NotImplementedError, cond, message)


def _check_is_size(i, message=None, *, max=None):
    """Raise RuntimeError unless a number is at least 0 and, where there is one, at most the largest one."""
    warnings.warn(
        "_check_is_size will be removed in a future PyTorch release along with guard_size_oblivious. Use _check(i >= 0) instead.",
        FutureWarning,
        stacklevel=2,
    )
    _check(bool(i >= 0), message)
    if max is not None:
        _check(bool(i <= max), message)


def _check_tensor_all_with(error_type, cond, message=None):
    """Raise unless all elements of a bool tensor are true; see `_check_with`."""
    if not isinstance(cond, Tensor):
        raise TypeError(f"cond must be a tensor, but got {type(cond)}")
    if cond.dtype != dtype_names["bool"]:
        raise TypeError(f"cond tensor must have dtype torch.bool, but got {cond.dtype}")
    _check_with(error_type, cond.all().item(), message)


def _check_tensor_all(cond, message=None):
    """Raise RuntimeError unless all elements of a bool tensor are true; see `_check_with`."""
    _check_tensor_all_with(RuntimeError, cond, message)
