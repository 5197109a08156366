"""Gradients of Fourier transforms. The adjoint of a transform is the transform the other way, with the same factor."""

from runtime._core import ops

aten = ops.aten


def real_transform_gradient(grad, x, dim, normalization, onesided):
    """The gradient of real input: what a one-sided transform leaves out has none."""
    if onesided:
        last = dim[-1] % x.ndim
        missing = x.shape[last] - grad.shape[last]
        grad = aten.constant_pad_nd.default(grad, [0, 0] * (x.ndim - 1 - last) + [0, missing])
    return aten._fft_c2c.default(grad, dim, normalization, False).real


def half_transform_gradient(grad, dim, normalization):
    """The gradient of one half of a Hermitian spectrum: whatever stands for its other half too counts twice."""
    made = aten._fft_r2c.default(grad, dim, normalization, True)
    last = dim[-1] % grad.ndim
    both = grad.shape[last] - made.shape[last]
    if both <= 0:
        return made
    counts = aten.ones.default([made.shape[last]], dtype=grad.dtype, device=grad.device)
    aten.fill_.Scalar(counts.narrow(0, 1, both), 2)
    return made * counts.reshape([-1] + [1] * (grad.ndim - 1 - last))
