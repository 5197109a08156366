"""Linear algebra: the operators of the `linalg` module, by their names there."""

from runtime import _core

globals().update(_core.functions_of("linalg"))
__all__ = sorted(_core.functions_of("linalg"))
