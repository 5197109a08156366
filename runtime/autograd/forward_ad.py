"""Forward mode for users: dual tensors, which carry a tangent along, inside a level.

The core keeps the tangents (runtime/core/forward_ad.pxi), and forward_mode.py computes those of results.
"""

from typing import NamedTuple

from runtime import _core
from runtime._core import Tensor, is_fwd_grad_enabled, ops
from runtime.autograd.scopes import scoped

__all__ = ["UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual", "unpack_dual"]

_current_level = -1
_is_fwd_grad_enabled = is_fwd_grad_enabled


def enter_dual_level():
    """Open the level of forward mode; there is one at a time.

    Returns
    -------
    int
        The level.
    """
    global _current_level
    _current_level = _core._enter_dual_level()
    return _current_level


def exit_dual_level(*, level=None):
    """Leave the level of forward mode: all tangents are forgotten.

    Parameters
    ----------
    level : int, optional
        The level to leave, which must be the last one entered.
    """
    global _current_level
    if level is not None and level != _current_level:
        raise RuntimeError("Trying to exit a forward AD level that was not the last one that was created. This is not supported.")
    if _current_level < 0:
        raise RuntimeError("Dual level must be a positive number.")
    _core._exit_dual_level(level=_current_level)
    _current_level -= 1


def make_dual(tensor, tangent, *, level=None):
    """A view of a tensor that carries a tangent.

    Parameters
    ----------
    tensor : Tensor
        The value, floating-point or complex.
    tangent : Tensor
        The tangent, of the same shape. It is used as it is where it has the layout of the value, otherwise copied.
    level : int, optional
        The level, which must be open.

    Returns
    -------
    Tensor

    Raises
    ------
    RuntimeError
        If no level is open, the shapes differ, or one of the tensors has a tangent.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(rt.tensor([1.0, 2.0]), rt.tensor([1.0, 0.0]))
    ...     forward_ad.unpack_dual(x * x).tangent
    tensor([2., 0.])
    """
    if (level if level is not None else _current_level) < 0:
        raise RuntimeError("Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.")
    if level is not None and level != _current_level:
        raise RuntimeError("Invalid level given to _make_dual")
    for name, one in (("primal", tensor), ("tangent", tangent)):
        if not (one.is_floating_point() or one.is_complex()):
            raise ValueError(f"Expected {name} to be floating point or complex, but got: torch.{str(one.dtype).rpartition('.')[2]}")
    if _core._get_tangent(tensor) is not None:
        raise RuntimeError("Making a dual Tensor based on a Tensor that already has a forward gradient at the same level 0 is not supported.")
    if _core._get_tangent(tangent) is not None:
        raise RuntimeError("Setting a forward grad that itself has a forward gradient at the same level0 is not supported.")
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. Tensor is of "
            f"size {list(tensor.shape)} while the given forward gradient is of size {list(tangent.shape)}."
        )
    dual = _core._as_primal(ops.aten.alias.default(tensor))
    _core._set_tangent(dual, _with_layout_of(tangent, tensor))
    return dual


def _with_layout_of(tangent, tensor):
    """The tangent in the memory layout of its tensor, so that views of the one can be made as those of the other."""
    same = tangent.stride() == tensor.stride() and tangent.storage_offset() == tensor.storage_offset() or tensor.numel() == 0
    extent, has = _extent(tensor), _extent(tangent)
    if same and extent == has and tangent.is_conj() == tensor.is_conj() and tangent.is_neg() == tensor.is_neg():
        return tangent
    if tangent.dtype != tensor.dtype or _overlaps(tensor):
        return tangent
    made = tangent.new_zeros(extent).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
    made = made.conj() if tensor.is_conj() else made
    return (made._neg_view() if tensor.is_neg() else made).copy_(tangent)


def _extent(tensor):
    """How many elements the memory of a tensor has: that of its storage, or, for a wrapper without one, what the tensor reaches."""
    if type(tensor) is Tensor:
        return tensor.untyped_storage().nbytes() // tensor.element_size()
    reach = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride())) if tensor.numel() else 0
    return tensor.storage_offset() + reach


def _overlaps(tensor):
    """Whether elements may share memory, as those of expanded tensors do."""
    reach = 1
    for stride, size in sorted((stride, size) for stride, size in zip(tensor.stride(), tensor.shape) if size > 1):
        if stride < reach:
            return True
        reach = stride * size
    return False


class UnpackedDualTensor(NamedTuple):
    """What `unpack_dual` returns: the value without its tangent, and the tangent or None."""

    primal: Tensor
    tangent: Tensor | None


def unpack_dual(tensor, *, level=None):
    """The value and the tangent of a tensor.

    Parameters
    ----------
    tensor : Tensor
        A dual tensor, or one without a tangent.
    level : int, optional
        The level.

    Returns
    -------
    UnpackedDualTensor
        `primal`, a view of the tensor that has no tangent, and `tangent`, None if there is none.
    """
    if (level if level is not None else _current_level) < 0:
        return UnpackedDualTensor(tensor, None)
    with _set_fwd_grad_enabled(False):
        primal = _core._as_primal(tensor.view_as(tensor))
    return UnpackedDualTensor(primal, _core._get_tangent(tensor) if is_fwd_grad_enabled() else None)


class dual_level:
    """For a ``with`` block or a decorated function: the level of forward mode is open.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd import forward_ad
    >>> with forward_ad.dual_level():
    ...     x = forward_ad.make_dual(rt.tensor(2.0), rt.tensor(1.0))
    ...     y = x * x
    ...     float(forward_ad.unpack_dual(y).tangent)
    4.0
    """

    def __enter__(self):
        return enter_dual_level()

    def __exit__(self, kind, value, traceback):
        exit_dual_level()

    def __call__(self, func):
        """Decorate a function."""
        return scoped(type(self), func)


class _set_fwd_grad_enabled:
    """Propagate tangents or not, from now on; at the end of a ``with`` block it is as before."""

    def __init__(self, mode):
        self.mode, self.prev = mode, is_fwd_grad_enabled()
        _core._set_fwd_grad_enabled(mode)

    def __enter__(self):
        pass

    def __exit__(self, kind, value, traceback):
        _core._set_fwd_grad_enabled(self.prev)

    def __call__(self, func):
        """Decorate a function."""
        _core._set_fwd_grad_enabled(self.prev)
        return scoped(lambda: type(self)(self.mode), func)
