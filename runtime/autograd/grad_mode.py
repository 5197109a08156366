"""Modes of autograd under the name that programs import them by: those of the core, and settings of PyTorch's engine that this one has no
use for, since backward always runs in the calling thread."""

from runtime._core import _is_view_replay_enabled, _set_view_replay_enabled, enable_grad, inference_mode, no_grad, set_grad_enabled
from runtime.autograd.scopes import scoped

__all__ = ["enable_grad", "inference_mode", "no_grad", "set_grad_enabled", "set_multithreading_enabled"]

_multithreading = True


def is_multithreading_enabled():
    """What `set_multithreading_enabled` was told last."""
    return _multithreading


class set_multithreading_enabled:
    """Remember a setting; at the end of a ``with`` block it is as before. Backward runs in the calling thread either way.

    Parameters
    ----------
    mode : bool
        Whether backward might use other threads.
    """

    def __init__(self, mode):
        global _multithreading
        self.prev, self.mode = _multithreading, bool(mode)
        _multithreading = self.mode

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        global _multithreading
        _multithreading = self.prev

    def __call__(self, func):
        """Decorate a function."""
        global _multithreading
        _multithreading = self.prev
        return scoped(self.clone, func)

    def clone(self):
        """Another one of the same mode."""
        return type(self)(self.mode)


def _set_multithreading_enabled(mode):
    """Remember what `is_multithreading_enabled` says."""
    global _multithreading
    _multithreading = bool(mode)


class _force_original_view_tracking:
    """Let views remember the operators that made them; at the end of a ``with`` block it is as before.

    A view of a base that was written is made anew by `as_strided` otherwise.

    Parameters
    ----------
    mode : bool
        Whether views might be replayed by their operators.
    """

    def __init__(self, mode):
        self.prev, self.mode = _is_view_replay_enabled(), bool(mode)
        _set_view_replay_enabled(mode)

    def __enter__(self):
        _set_view_replay_enabled(self.mode)

    def __exit__(self, *exception):
        _set_view_replay_enabled(self.prev)

    def __call__(self, func):
        """Decorate a function."""
        _set_view_replay_enabled(self.prev)
        return scoped(self.clone, func)

    def clone(self):
        """Another one of the same mode."""
        return type(self)(self.mode)


def _enter_inference_mode(mode):
    """Begin a region of `inference_mode`, which `_exit_inference_mode` ends."""
    region = inference_mode(mode)
    region.__enter__()
    return region


def _exit_inference_mode(mode):
    """End a region that `_enter_inference_mode` began."""
    mode.__exit__(None, None, None)
