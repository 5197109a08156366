"""Settings that programs make of PyTorch, and that change nothing here: they are kept, and can be asked for.

Warnings come each time that there is a reason, as Python's filters let them. Kernels give the same results in every run.
"""

__all__ = [
    "are_deterministic_algorithms_enabled",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_warn_always = False
_deterministic = _deterministic_warn_only = False


def _checked(name, value):
    if not isinstance(value, bool):
        raise TypeError(f"{name}() takes a bool, not {type(value).__name__}")
    return value


def set_warn_always(b):
    """Set whether warnings that PyTorch gives once come each time."""
    global _warn_always
    _warn_always = _checked("set_warn_always", b)


def is_warn_always_enabled():
    """What `set_warn_always` was told."""
    return _warn_always


def use_deterministic_algorithms(mode, *, warn_only=False):
    """Set whether operators must give the same results in every run, as they do in any case."""
    global _deterministic, _deterministic_warn_only
    _deterministic, _deterministic_warn_only = _checked("use_deterministic_algorithms", mode), _checked("warn_only", warn_only)


def are_deterministic_algorithms_enabled():
    """What `use_deterministic_algorithms` was told."""
    return _deterministic


def is_deterministic_algorithms_warn_only_enabled():
    """Whether `use_deterministic_algorithms` was told to warn only."""
    return _deterministic and _deterministic_warn_only
