"""Special functions: the operators of the `special` module, by their names there."""

from runtime import _core

globals().update(_core.functions_of("special"))
__all__ = sorted(_core.functions_of("special"))
