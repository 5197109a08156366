"""Discrete Fourier transforms: the operators of the `fft` module, by their names there."""

from runtime import _core

_functions = _core.functions_of("fft")
for _name, _function in _functions.items():
    _function.__qualname__ = _name  # pickles name functions by it
globals().update(_functions)
__all__ = sorted(_functions)
