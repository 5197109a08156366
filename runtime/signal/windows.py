"""Window functions: symmetric ones for the design of filters, or periodic ones (`sym=False`) for the analysis of spectra.

Every function takes the number of points M, and the dtype, layout and device of the result.
"""

import math

import runtime
from runtime._core import get_default_dtype, strided

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _checked(name, M, dtype, layout):
    """The dtype of the window, after the checks that all windows make."""
    dtype = get_default_dtype() if dtype is None else dtype
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout is not strided:
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if dtype not in (runtime.float32, runtime.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {dtype}")
    return dtype


def _points(M, sym):
    """The number of points of the symmetric window that the window is the first part of."""
    return M if sym or M <= 1 else M + 1


def exponential(M, *, center=None, tau=1.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """exp(-|n - center| / tau); the center of a symmetric window is its middle."""
    dtype = _checked("exponential", M, dtype, layout)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return runtime.empty((0,), **options)
    if center is None:
        center = (_points(M, sym) - 1) / 2
    k = runtime.linspace(-center / tau, (M - 1 - center) / tau, M, **options)
    return runtime.exp(-runtime.abs(k))


def cosine(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """sin(pi (n + 1/2) / M): half a period."""
    dtype = _checked("cosine", M, dtype, layout)
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return runtime.empty((0,), **options)
    step = math.pi / _points(M, sym)
    return runtime.sin(runtime.linspace(0.5 * step, (M - 0.5) * step, M, **options))


def gaussian(M, *, std=1.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """exp(-(n - middle)² / (2 std²))."""
    dtype = _checked("gaussian", M, dtype, layout)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M == 0:
        return runtime.empty((0,), **options)
    middle, scale = (_points(M, sym) - 1) / 2, 1 / (std * math.sqrt(2))
    k = runtime.linspace(-middle * scale, (M - 1 - middle) * scale, M, **options)
    return runtime.exp(-(k * k))


def kaiser(M, *, beta=12.0, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """I0(beta sqrt(1 - x²)) / I0(beta), where x goes from -1 to 1: nearly the window with most energy in its main lobe."""
    dtype = _checked("kaiser", M, dtype, layout)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M <= 1:
        return runtime.ones((M,), **options)
    step = 2 * beta / (_points(M, sym) - 1)
    # Rounding must not take the last point past beta, where the root is not real.
    k = runtime.linspace(-beta, min(beta, (M - 1) * step - beta), M, **options)
    root = runtime.sqrt(runtime.clamp(beta * beta - k * k, min=0))
    return runtime.i0(root) / runtime.i0(runtime.tensor(beta, dtype=dtype, device=device))


def hamming(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """The general Hamming window of alpha 0.54."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """sin²(pi n / (M - 1)): the general Hamming window of alpha 1/2."""
    return general_hamming(M, alpha=0.5, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def blackman(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """A sum of three cosines that are nearly optimal for so many."""
    dtype = _checked("blackman", M, dtype, layout)
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, **options)


def bartlett(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """1 - |2 n / (M - 1) - 1|: a triangle with zeros at its ends."""
    dtype = _checked("bartlett", M, dtype, layout)
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M <= 1:
        return runtime.ones((M,), **options)
    step = 2 / (_points(M, sym) - 1)
    return 1 - runtime.abs(runtime.linspace(-1, (M - 1) * step - 1, M, **options))


def general_cosine(M, *, a, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """The sum of (-1)^i a[i] cos(2 pi i n / (M - 1))."""
    dtype = _checked("general_cosine", M, dtype, layout)
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    if M <= 1:
        return runtime.ones((M,), **options)
    try:
        weights = [(-1) ** i * w for i, w in enumerate(a)]
    except TypeError:
        raise TypeError("Coefficients must be a list/tuple") from None
    if not weights:
        raise ValueError("Coefficients cannot be empty")
    step = 2 * math.pi / (_points(M, sym) - 1)
    k = runtime.linspace(0, (M - 1) * step, M, **options)
    i = runtime.arange(len(weights), dtype=dtype, device=device).unsqueeze(-1)
    weights = runtime.tensor(weights, dtype=dtype, device=device, requires_grad=requires_grad).unsqueeze(-1)
    return (weights * runtime.cos(i * k)).sum(0)


def general_hamming(M, *, alpha=0.54, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """alpha - (1 - alpha) cos(2 pi n / (M - 1))."""
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[alpha, 1 - alpha], sym=sym, **options)


def nuttall(M, *, sym=True, dtype=None, layout=strided, device=None, requires_grad=False):
    """The minimum four-term Blackman-Harris window, after Nuttall."""
    options = {"dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], sym=sym, **options)
