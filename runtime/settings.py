"""Settings that programs make of PyTorch. Most change nothing here: they are kept, and can be asked for.

Warnings that PyTorch gives once in a process go through `warn_once`; others come each time that there is a reason, as Python's filters let
them. Kernels give the same results in every run.
"""

import warnings

from runtime._core import get_num_threads

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "is_warn_always_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_num_interop_threads",
    "set_warn_always",
    "use_deterministic_algorithms",
]

_warn_always = False
_warned = set()  # what `warn_once` has said
_deterministic = _deterministic_warn_only = False
_float32_matmul_precision = "highest"
_interop_threads = None
# Whether conversions of modules make new parameters, instead of giving those that exist new data.
overwrite_parameters = False


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


def warn_once(message, category=UserWarning, stacklevel=2):
    """Warn, unless it was said before and `set_warn_always` does not ask for it again."""
    if not _warn_always:
        if message in _warned:
            return
        _warned.add(message)
    warnings.warn(message, category, stacklevel + 1)


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


_DEBUG_MODES = ("default", "warn", "error")


def set_deterministic_debug_mode(debug_mode):
    """`use_deterministic_algorithms` by one word or number.

    Parameters
    ----------
    debug_mode : {"default", "warn", "error"} or {0, 1, 2}
    """
    if not isinstance(debug_mode, (int, str)):
        raise TypeError(f"debug_mode must be str or int, but got {type(debug_mode)}")
    if isinstance(debug_mode, str):
        if debug_mode not in _DEBUG_MODES:
            raise RuntimeError(f"invalid value of debug_mode, expected one of `default`, `warn`, `error`, but got {debug_mode}")
        debug_mode = _DEBUG_MODES.index(debug_mode)
    if debug_mode not in (0, 1, 2):
        raise RuntimeError(f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}")
    use_deterministic_algorithms(debug_mode > 0, warn_only=debug_mode == 1)


def get_deterministic_debug_mode():
    """What `use_deterministic_algorithms` was told: 0 for nothing, 1 to warn, 2 to raise."""
    return (1 if _deterministic_warn_only else 2) if _deterministic else 0


def set_num_interop_threads(number):
    """Set, once, how many operators may run beside one another; here each runs in the thread that calls it."""
    global _interop_threads
    if not isinstance(number, int) or isinstance(number, bool):
        raise RuntimeError(f"set_num_interop_threads expects an int, but got {type(number).__name__}")
    if number <= 0:
        raise RuntimeError("set_num_interop_threads expects a positive integer")
    if _interop_threads is not None:
        raise RuntimeError("Error: cannot set number of interop threads after parallel work has started or set_num_interop_threads called")
    _interop_threads = number


def get_num_interop_threads():
    """What `set_num_interop_threads` was told, or the number of threads that an operator uses."""
    return get_num_threads() if _interop_threads is None else _interop_threads


def set_float32_matmul_precision(precision):
    """Set how exact products of float32 matrices must be, as they are in any case.

    Parameters
    ----------
    precision : {"highest", "high", "medium"}
    """
    global _float32_matmul_precision
    if not isinstance(precision, str):
        raise RuntimeError(f"set_float32_matmul_precision expects a str, but got {type(precision).__name__}")
    if precision not in ("highest", "high", "medium"):
        warnings.warn(
            f"{precision} is not one of 'highest', 'high', or 'medium'; the current setFloat32MatmulPrecision call has no effect.", stacklevel=2
        )
        return
    _float32_matmul_precision = precision


def get_float32_matmul_precision():
    """What `set_float32_matmul_precision` was told."""
    return _float32_matmul_precision
