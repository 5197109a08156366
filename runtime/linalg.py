"""Linear algebra: the operators of the `linalg` module, by their names there."""

from runtime import _core

_functions = _core.functions_of("linalg")
for _name, _function in _functions.items():
    _function.__qualname__ = _name  # pickles name functions by it
globals().update(_functions)
__all__ = ["LinAlgError", *sorted(_functions)]


class _LinAlgError(RuntimeError):
    """A matrix is singular, not positive definite, or has no convergent decomposition."""


LinAlgError = _LinAlgError  # the class has PyTorch's name, which tracebacks show
