"""Modes of autograd under the name that programs import them by: those of the core, and settings of PyTorch's engine that this one has no
use for, since backward always runs in the calling thread."""

from runtime._core import enable_grad, inference_mode, no_grad, set_grad_enabled
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
