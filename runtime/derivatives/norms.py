"""Gradients and tangents of vector norms. Where a norm is 0, and has no derivative, the gradient is 0."""

from math import inf

from runtime import ops
from runtime.derivatives.common import conj
from runtime.derivatives.reductions import along, restored, summed

aten = ops.aten


def norm_backward(grad, x, p, result, dim, keepdim):
    """The gradient of a p-norm over dimensions.

    For finite p it is grad * sgn(x) * (abs(x) / norm) ** (p - 1); for infinite p the elements of the extreme size share the gradient.
    """
    p = 2.0 if p is None else float(p)
    if p == 0:
        return aten.zeros_like.default(x)
    if x.dtype != grad.dtype and not x.is_complex():
        x = x.to(grad.dtype)
    if p == 1:
        return x.sgn() * restored(grad, x.ndim, dim, keepdim)
    grad, result = restored(grad, x.ndim, dim, keepdim), restored(result, x.ndim, dim, keepdim)
    if p == 2:
        return grad * (x / result).masked_fill(result == 0, 0)
    size = x.abs()
    if p in (inf, -inf):
        mask = (size == result) | size.isnan()
        return x.sgn() * (grad / summed(mask, dim, True) * mask)
    if p < 1:
        return (x.sgn() * size.pow(p - 1)).masked_fill(x == 0, 0) * grad * result.pow(1 - p)
    if p < 2:
        return x.sgn() * size.pow(p - 1) * (grad / result.pow(p - 1)).masked_fill(result == 0, 0)
    return x * (size if p == 3 else size.pow(p - 2)) * (grad / result.pow(p - 1)).masked_fill(result == 0, 0)


def norm_tangent(x, tangent, p, result, dim, keepdim):
    """The tangent of a p-norm over dimensions."""
    return along(norm_backward(aten.ones_like.default(result), x, p, result, dim, keepdim), tangent, dim, keepdim)


def powsum_backward(grad, x, p, dim, keepdim):
    """The gradient of the sum of abs(x) ** p."""
    p = float(p)
    grad = restored(grad, x.ndim, dim, keepdim)
    if p == 0:
        return aten.zeros_like.default(x)
    if p == 1:
        return x.sgn() * grad
    if p == 2:
        return grad * (x * 2)
    return (x.sgn() * x.abs().pow(p - 1)).masked_fill(x == 0, 0) * (grad * p)


_EPSILON = 1e-7  # what renorm adds to norms


def _row_norms(x, p, dim):
    others = [d for d in range(x.ndim) if d != dim % x.ndim]
    return aten.linalg_vector_norm.default(x, p, others, True), others


def renorm_backward(grad, x, p, dim, maxnorm):
    """The gradient of ``renorm``: slices above the norm are ``x * maxnorm / (norm + 1e-7)``."""
    norm, others = _row_norms(x, p, dim)
    of_norm = (grad * conj(x)).sum(others, True)
    of_norm = of_norm.real if of_norm.is_complex() else of_norm
    inverse = (norm + _EPSILON).reciprocal()
    through_norm = norm_backward(of_norm, x, p, norm, others, True)
    scaled = maxnorm * inverse * (grad - inverse * through_norm)
    return aten.where.self(norm > maxnorm, scaled, grad)


def renorm_tangent(x, tangent, p, dim, maxnorm):
    """The tangent of ``renorm``."""
    norm, others = _row_norms(x, p, dim)
    inverse = (norm + _EPSILON).reciprocal()
    scaled = maxnorm * inverse * (tangent - inverse * x * norm_tangent(x, tangent, p, norm, others, True))
    return aten.where.self(norm > maxnorm, scaled, tangent)
