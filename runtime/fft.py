"""Discrete Fourier transforms: the operators of the `fft` module, by their names there."""

from runtime import _core

globals().update(_core.functions_of("fft"))
__all__ = sorted(_core.functions_of("fft"))
