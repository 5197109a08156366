"""Linear algebra: the operators of the `linalg` module, by their names there."""

from runtime import _core

_functions = _core.functions_of("linalg")
globals().update(_functions)
__all__ = ["LinAlgError", *sorted(_functions)]


class LinAlgError(RuntimeError):
    """A matrix is singular, not positive definite, or has no convergent decomposition."""
