"""Modes: what code does with the stacks of TorchDispatchModes beyond entering one; the stacks are in the core.

`runtime.compat` shows this module as `torch.utils._python_dispatch` and `torch.utils._mode_utils`, together with `runtime.subclasses`.
"""

from contextlib import contextmanager

from runtime import _core
from runtime._core import (
    TorchDispatchMode,
    _get_current_dispatch_mode,
    _get_current_dispatch_mode_stack,
    _get_dispatch_stack_at,
    _len_torch_dispatch_stack,
    _pop_mode,
    _pop_torch_dispatch_stack,
    _push_mode,
    _push_on_torch_dispatch_stack,
    is_in_torch_dispatch_mode,
)

__all__ = ["BaseTorchDispatchMode", "TorchDispatchMode", "all_same_mode", "is_in_torch_dispatch_mode", "no_dispatch"]
__all__ += ["_get_current_dispatch_mode", "_get_current_dispatch_mode_stack", "_get_dispatch_stack_at", "_len_torch_dispatch_stack"]
__all__ += ["_pop_mode", "_pop_torch_dispatch_stack", "_push_mode", "_push_on_torch_dispatch_stack"]

_INFRA = (_core._TorchDispatchModeKey.FUNCTIONAL, _core._TorchDispatchModeKey.PROXY)

#: For the time of a ``with`` block, from construction on: no mode and no subclass sees calls.
no_dispatch = _core._DisableTorchDispatch


class BaseTorchDispatchMode(TorchDispatchMode):
    """A mode that lets every call pass."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if kwargs is None:
            kwargs = {}
        return func(*args, **kwargs)


def all_same_mode(modes):
    """Whether all modes of a sequence are equal to the first."""
    return all(mode == modes[0] for mode in modes)


def any_torch_dispatch_mode_on_stack():
    """Whether there is a mode of a user's that looks into compiled functions."""
    return any(not (mode.is_infra_mode() or mode.ignore_compile_internals()) for mode in _get_current_dispatch_mode_stack())


@contextmanager
def _pop_mode_temporarily(key=None):
    """Without the innermost mode of a stack, which the block gets, inside a ``with`` block."""
    mode = _pop_mode(key)
    try:
        yield mode
    finally:
        _push_mode(mode)


@contextmanager
def _disable_current_modes():
    """Without any modes, ordinary and pre-dispatch, inside a ``with`` block, which gets the list of them.

    Raises
    ------
    AssertionError
        If a mode of one kind is on both stacks.
    """
    before = [_core._pop_mode_from_pre_dispatch() for _ in range(_core._len_torch_dispatch_stack_pre_dispatch())]
    modes = [_pop_torch_dispatch_stack() for _ in range(_len_torch_dispatch_stack())]
    try:
        kinds = {getattr(mode, "_mode_key", None) for mode in before} - {None}
        for mode in modes:
            if getattr(mode, "_mode_key", None) in kinds:
                raise AssertionError(f"Can't have {type(mode).__name__} available both in PreDispatch and Python Key")
        yield before + modes
    finally:
        for mode in reversed(modes):
            _push_on_torch_dispatch_stack(mode)
        for mode in reversed(before):
            _push_mode(mode)


def _checked_infra_key(key):
    if key not in _INFRA:
        raise AssertionError(f"key must be either FUNCTIONAL or PROXY _TorchDispatchModeKey, got {key}")
    return key


def _detect_infra_mode(key):
    """The infrastructure mode of a key, on whichever stack it is; None if on neither."""
    _checked_infra_key(key)
    before, mode = _core._get_dispatch_mode_pre_dispatch(key), _core._get_dispatch_mode(key)
    if before is not None and mode is not None:
        raise AssertionError("At most one of pre_dispatch_mode and post_dispatch_mode may be active")
    return mode if before is None else before


def _unset_infra_mode(key):
    """Take the infrastructure mode of a key off the stack it is on; returns it, or None."""
    if _core._get_dispatch_mode_pre_dispatch(key) is not None:
        if _core._get_dispatch_mode(key) is not None:
            raise AssertionError("Can't have active infra mode on both pre and post dispatch mode stack")
        return _core.unset_mode_pre_dispatch(key)
    return _core._unset_dispatch_mode(key)


@contextmanager
def _disable_infra_mode(key):
    """Without the infrastructure mode of a key, which the block gets, inside a ``with`` block."""
    mode = _unset_infra_mode(_checked_infra_key(key))
    try:
        yield mode
    finally:
        if mode is not None:
            _push_mode(mode)
