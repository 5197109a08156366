"""Tensors that programs mark as owned by a cache, which replays of graphs on devices ask for."""

from runtime.weak import WeakIdKeyDictionary

_enabled = False
_marked = WeakIdKeyDictionary()


def _set_cached_tensors_enabled(enabled):
    """Set whether marks count."""
    global _enabled
    _enabled = bool(enabled)


def _add_cached_tensor(t):
    """Mark a tensor."""
    _marked[t] = True


def _remove_cached_tensor(t):
    """Take a tensor's mark away."""
    _marked.pop(t, None)


def _is_cached_tensor(t):
    """Whether marks count and a tensor has one."""
    return _enabled and t in _marked
