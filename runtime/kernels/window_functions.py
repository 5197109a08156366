"""Window functions as operators: `hann_window` and the like. A periodic window is a symmetric one of one more point, without its last."""

import math

from runtime._core import get_default_dtype, ops
from runtime.kernels._arrays import opmath

aten = ops.aten


def _window(name, n, periodic, dtype, layout, device, pin_memory, shape):
    """The window whose points `shape` makes of the numbers 0, 1, ... and the number of points."""
    wanted = dtype or get_default_dtype()
    if layout is not None and str(layout) != "torch.strided":
        raise RuntimeError(f"{name} is not implemented for sparse types, got: {layout}")
    if not (wanted.is_floating_point or wanted.is_complex):
        raise RuntimeError(f"{name} expects floating point dtypes, got: {wanted}")
    if n < 0:
        raise RuntimeError(f"{name} requires non-negative window_length, got window_length={n}")
    options = {"dtype": wanted, "layout": layout, "device": device, "pin_memory": pin_memory}
    if n == 0:
        return aten.empty.memory_format([0], **options)
    if n == 1:
        return aten.ones.default([1], **options)
    points = n + 1 if periodic else n
    window = shape(aten.arange.default(points, **options), points)
    return aten.narrow.default(window, 0, 0, n) if periodic else window


def _cosine(k, step, scale):
    return aten.mul.Scalar(aten.cos.default(aten.mul.Scalar(k, step)), scale)


def _raised_cosine(alpha, beta):
    return lambda k, n: aten.add.Scalar(_cosine(k, 2 * math.pi / (n - 1), -beta), alpha)


def hann_window(window_length, *, dtype=None, layout=None, device=None, pin_memory=None):
    return hann_window_periodic(window_length, True, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def hann_window_periodic(window_length, periodic, *, dtype=None, layout=None, device=None, pin_memory=None):
    return _window("hann_window", window_length, periodic, dtype, layout, device, pin_memory, _raised_cosine(0.5, 0.5))


def hamming_window(window_length, *, dtype=None, layout=None, device=None, pin_memory=None):
    return hamming_window_periodic(window_length, True, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def hamming_window_periodic(window_length, periodic, *, dtype=None, layout=None, device=None, pin_memory=None):
    return hamming_window_periodic_alpha(window_length, periodic, 0.54, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def hamming_window_periodic_alpha(window_length, periodic, alpha, *, dtype=None, layout=None, device=None, pin_memory=None):
    options = {"dtype": dtype, "layout": layout, "device": device, "pin_memory": pin_memory}
    return hamming_window_periodic_alpha_beta(window_length, periodic, alpha, 0.46, **options)


def hamming_window_periodic_alpha_beta(window_length, periodic, alpha, beta, *, dtype=None, layout=None, device=None, pin_memory=None):
    return _window("hamming_window", window_length, periodic, dtype, layout, device, pin_memory, _raised_cosine(alpha, beta))


def _triangle(k, n):
    rising = aten.mul.Scalar(k, 2.0 / (n - 1))
    half = (n - 1) // 2 + 1
    falling = aten.add.Scalar(aten.neg.default(aten.narrow.default(rising, 0, half, n - half)), 2)
    return aten.cat.default([aten.narrow.default(rising, 0, 0, half), falling])


def bartlett_window(window_length, *, dtype=None, layout=None, device=None, pin_memory=None):
    return bartlett_window_periodic(window_length, True, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def bartlett_window_periodic(window_length, periodic, *, dtype=None, layout=None, device=None, pin_memory=None):
    return _window("bartlett_window", window_length, periodic, dtype, layout, device, pin_memory, _triangle)


def _two_cosines(k, n):
    k = aten.mul.Scalar(k, math.pi / (n - 1))
    return aten.add.Scalar(aten.sub.Tensor(_cosine(k, 4, 0.08), _cosine(k, 2, 0.5)), 0.42)


def blackman_window(window_length, *, dtype=None, layout=None, device=None, pin_memory=None):
    return blackman_window_periodic(window_length, True, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def blackman_window_periodic(window_length, periodic, *, dtype=None, layout=None, device=None, pin_memory=None):
    return _window("blackman_window", window_length, periodic, dtype, layout, device, pin_memory, _two_cosines)


def _bessel(beta):
    def shape(k, n):
        x = aten.sub.Scalar(aten.mul.Scalar(aten.to.dtype(k, opmath(k.dtype)), 2.0 / (n - 1)), 1)
        root = aten.sqrt.default(aten.clamp_min.default(aten.rsub.Scalar(aten.mul.Tensor(x, x), 1), 0))
        peak = aten.i0.default(aten.scalar_tensor.default(beta, dtype=x.dtype, device=x.device))
        return aten.to.dtype(aten.div.Tensor(aten.i0.default(aten.mul.Scalar(root, beta)), peak), k.dtype)

    return shape


def kaiser_window(window_length, *, dtype=None, layout=None, device=None, pin_memory=None):
    return kaiser_window_beta(window_length, True, 12.0, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def kaiser_window_periodic(window_length, periodic, *, dtype=None, layout=None, device=None, pin_memory=None):
    return kaiser_window_beta(window_length, periodic, 12.0, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def kaiser_window_beta(window_length, periodic, beta, *, dtype=None, layout=None, device=None, pin_memory=None):
    return _window("kaiser_window", window_length, periodic, dtype, layout, device, pin_memory, _bessel(beta))
