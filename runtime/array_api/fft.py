"""The Fourier transform extension of the array API standard: `runtime.array_api.fft`."""

import operator

from runtime import _core
from runtime.array_api import _dtypes
from runtime.array_api._array import Array
from runtime.array_api._axes import all_axes

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft", "rfftfreq", "rfftn",
]  # fmt: skip

_functions = _core.functions_of("fft")
_NORMS = ("backward", "ortho", "forward")

_ONE = """

    Parameters
    ----------
    x : Array
        {numbers}
    n : int, optional
        Length of the {side}; the array is cut or padded with zeros to it.
    axis : int
    norm : {{"backward", "ortho", "forward"}}
        Which direction divides by the length, or both by its square root.
    """

_MANY = """

    Parameters
    ----------
    x : Array
        {numbers}
    s : sequence of int, optional
        Lengths of the {side} along the axes; the array is cut or padded with zeros to them.
    axes : sequence of int, optional
        By default the last ones, as many as `s` has, or all.
    norm : {{"backward", "ortho", "forward"}}
        Which direction divides by the lengths, or both by their square roots.
    """

_DOUBLED = "result, by default twice the number of distances in `x`"


def _check(name, x, real, norm, lengths):
    if norm not in _NORMS:
        raise ValueError(f"{name}: norm must be one of {', '.join(map(repr, _NORMS))}, got {norm!r}")
    if real and x.dtype.is_complex:
        raise TypeError(f"{name}: x must be real, got {x.dtype}")
    for n in lengths:
        if n < 1:
            raise ValueError(f"{name}: a transform has at least one element, and not {n}")


def _one(name, summary, *, real=False, side="transform"):
    function = _functions[name]

    def transform(x, /, *, n=None, axis=-1, norm="backward"):
        _check(name, x, real, norm, () if n is None else (n,))
        return function(x, n, axis, norm).resolve_conj().as_subclass(Array)  # of real numbers PyTorch conjugates lazily

    return _named(transform, name, summary + _ONE.format(numbers="Of real numbers." if real else "Of floating-point numbers.", side=side))


def _many(name, summary, *, real=False, side="transform"):
    function = _functions[name]

    def transform(x, /, *, s=None, axes=None, norm="backward"):
        s = None if s is None else tuple(s)
        _check(name, x, real, norm, s or ())
        axes = None if axes is None else tuple(axes)
        if s is not None and axes is not None and len(s) != len(axes):
            raise ValueError(f"{name}: {len(s)} lengths for {len(axes)} axes")
        return function(x, s, axes, norm).resolve_conj().as_subclass(Array)

    return _named(transform, name, summary + _MANY.format(numbers="Of real numbers." if real else "Of floating-point numbers.", side=side))


def _named(function, name, doc):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


fft = _one("fft", "Discrete Fourier transforms.")
ifft = _one("ifft", "Inverses of `fft`.")
rfft = _one("rfft", "Discrete Fourier transforms of real numbers: the half that determines the other.", real=True)
irfft = _one("irfft", "Inverses of `rfft`.", side=_DOUBLED)
hfft = _one("hfft", "Discrete Fourier transforms of Hermitian sequences, given by one half.", side=_DOUBLED)
ihfft = _one("ihfft", "Inverses of `hfft`.", real=True)
fftn = _many("fftn", "Discrete Fourier transforms along several axes.")
ifftn = _many("ifftn", "Inverses of `fftn`.")
rfftn = _many("rfftn", "Discrete Fourier transforms of real numbers along several axes.", real=True)
irfftn = _many("irfftn", "Inverses of `rfftn`.", side="result")


def fftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """The frequencies of the elements of `fft`.

    Parameters
    ----------
    n : int
        Length of the transform.
    d : float
        Distance of the samples.
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    return _functions["fftfreq"](operator.index(n), d, dtype=_floating("fftfreq", dtype), device=device).as_subclass(Array)


def rfftfreq(n, /, *, d=1.0, dtype=None, device=None):
    """The frequencies of the elements of `rfft`.

    Parameters
    ----------
    n : int
        Length of the transform.
    d : float
        Distance of the samples.
    dtype : dtype, optional
        By default the default floating-point dtype.
    device : device or str, optional
    """
    return _functions["rfftfreq"](operator.index(n), d, dtype=_floating("rfftfreq", dtype), device=device).as_subclass(Array)


def _floating(name, dtype):
    if dtype is not None and dtype not in _dtypes.REAL.values():
        raise ValueError(f"{name}: dtype must be a real floating-point dtype, got {dtype}")
    return dtype


def fftshift(x, /, *, axes=None):
    """The elements with the frequency 0 in the middle.

    Parameters
    ----------
    x : Array
    axes : int or sequence of int, optional
        By default all.
    """
    return _functions["fftshift"](x, _several("fftshift", x, axes)).as_subclass(Array)


def ifftshift(x, /, *, axes=None):
    """The inverse of `fftshift`.

    Parameters
    ----------
    x : Array
    axes : int or sequence of int, optional
        By default all.
    """
    return _functions["ifftshift"](x, _several("ifftshift", x, axes)).as_subclass(Array)


def _several(name, x, axes):
    return all_axes(name, axes if axes is None or isinstance(axes, int) else tuple(axes), x.ndim)
