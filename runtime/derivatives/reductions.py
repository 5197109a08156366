"""Gradients and tangents of reductions and scans over dimensions."""

from math import inf, nan, prod

from runtime import Tensor, int64, is_grad_enabled, ops, where
from runtime.derivatives.common import conj, expanded

aten = ops.aten


def restored(x, ndim, dim, keepdim):
    """A result of a reduction over dimensions, with these again so that it broadcasts with what was reduced."""
    if keepdim or not dim or not ndim:
        return x
    for d in sorted(d % ndim for d in dim):
        x = x.unsqueeze(d)
    return x


def summed(x, dim, keepdim):
    """``x.sum(dim, keepdim)``, over all dimensions where `dim` is None or empty."""
    return x.sum(list(range(x.ndim)) if not dim else dim, keepdim)


def along(gradient, tangent, dim, keepdim):
    """The tangent of a real-valued reduction, of the gradient of its result (for a gradient of ones) and the tangent of its argument."""
    made = conj(gradient) * tangent
    return summed(made.real if made.is_complex() else made, dim, keepdim)


def reduced_numel(shape, dim):
    """How many elements go into one of the result."""
    return prod(shape[d] for d in dim) if dim and shape else prod(shape)


def mean_backward(grad, shape, numel, dim, keepdim):
    """The gradient of a mean over dimensions, all of them where there is no `dim`, of a tensor of `numel` elements."""
    return aten.div.Scalar(expanded(grad, shape, dim, keepdim), reduced_numel(shape, dim) if dim else numel)


# ---- products


def _products_of_others(x, dim):
    """For each element the product of all others along a dimension. There is no division: elements may be 0."""
    n = x.size(dim)
    if not n:
        return x
    one = x.new_ones([1 if d == dim else size for d, size in enumerate(x.shape)])
    before = aten.cat.default([one, x.narrow(dim, 0, n - 1)], dim).cumprod(dim)
    behind = aten.cat.default([one, x.narrow(dim, 1, n - 1).flip(dim)], dim).cumprod(dim).flip(dim)
    return before * behind


def prod_backward(grad, x, result):
    """The gradient of the product of all elements: a quotient where none is 0, zeros where two are."""
    x = x.to(grad.dtype)
    if x.ndim == 0:
        return grad.clone()
    zeros = _zeros_in(x)
    if zeros == 0:
        return grad * conj(result / x)
    if zeros is not None and zeros > 1 and not is_grad_enabled():
        return aten.zeros_like.default(x)   # the gradient of this one is not all zeros
    return _without_division(grad, x.reshape(-1), 0).reshape(x.shape)


def prod_backward_along(grad, x, result, dim, keepdim):
    """The gradient of the product along a dimension."""
    x = x.to(grad.dtype)
    if x.ndim == 0:
        return grad
    grad, result = restored(grad, x.ndim, (dim,), keepdim), restored(result, x.ndim, (dim,), keepdim)
    if _zeros_in(x) == 0:
        return grad * conj(result / x)
    return _without_division(grad, x, dim % x.ndim)


def _without_division(grad, x, dim):
    return grad if x.size(dim) == 1 else grad * conj(_products_of_others(x, dim))


def _zeros_in(x):
    """How many elements are 0, or None for a tensor whose elements are nobody's to read: a meta tensor or one of a subclass."""
    if type(x) is not Tensor or x.is_meta:
        return None
    return x.numel() - int(aten.count_nonzero.default(x.detach()))


def _recurrence(start, factor, dim):
    """``s[i] = start[i] + factor[i] * s[i + 1]`` along a dimension, in log2(n) steps. There is one factor less than there are starts."""
    n, reach = start.size(dim), 1
    total = start
    while reach < n:
        head = total.narrow(dim, 0, n - reach) + factor.narrow(dim, 0, n - reach) * total.narrow(dim, reach, n - reach)
        total = aten.cat.default([head, total.narrow(dim, n - reach, reach)], dim)
        if 2 * reach < n:
            factor = factor.narrow(dim, 0, n - 2 * reach) * factor.narrow(dim, reach, n - 2 * reach)
        reach *= 2
    return total


def _products_before(x, dim):
    one = x.new_ones([1 if d == dim else size for d, size in enumerate(x.shape)])
    return aten.cat.default([one, x.narrow(dim, 0, x.size(dim) - 1)], dim).cumprod(dim)


def cumprod_backward(grad, x, dim, result):
    """The gradient of ``cumprod``.

    Where no element is 0 it is a sum of quotients. Otherwise that of x[k] is the sum over j >= k of grad[j] times the product of all x up
    to j but x[k]: the product of those before, times s[k] = grad[k] + x[k + 1] s[k + 1].
    """
    x = conj(x.to(grad.dtype))
    if x.ndim == 0 or x.numel() == 0 or x.size(dim) == 1:
        return grad
    dim %= x.ndim
    if _zeros_in(x) == 0:
        return cumsum_back(conj(result) * grad, dim) / x
    return _products_before(x, dim) * _recurrence(grad, x.narrow(dim, 1, x.size(dim) - 1), dim)


def cumprod_tangent(x, tangent, dim, dtype):
    """The tangent of ``cumprod``: y'[j] = x'[j] y[j - 1] + x[j] y'[j - 1]."""
    if dtype is not None:
        x, tangent = x.to(dtype), tangent.to(dtype)
    if x.ndim == 0 or x.numel() == 0 or x.size(dim) == 1:
        return tangent
    dim %= x.ndim
    start = (tangent * _products_before(x, dim)).flip(dim)
    return _recurrence(start, x.flip(dim).narrow(dim, 0, x.size(dim) - 1), dim).flip(dim)


# ---- sums


def cumsum_back(grad, dim):
    """The sum from each element to the end."""
    if grad.numel() <= 1 or grad.size(dim) == 1:
        return grad
    return grad.flip(dim).cumsum(dim).flip(dim)


def _logcumsumexp_back(x, dim):
    return x.flip(dim).logcumsumexp(dim).flip(dim)


def logcumsumexp_backward(grad, x, result, dim):
    """The gradient of ``logcumsumexp``: exp(x[i]) times the sum over j >= i of grad[j] exp(-result[j]), kept in logarithms.

    Positive and negative gradients have logarithms of their own; complex ones need no such distinction.
    """
    if grad.ndim == 0 or grad.numel() == 0:
        return grad
    if grad.is_complex():
        logarithm = where(grad == 0, -inf, grad.conj().log())
        return (_logcumsumexp_back(logarithm - result, dim) + x).exp().conj()
    least = aten.scalar_tensor.default(-1.7976931348623157e308 if grad.dtype.itemsize == 8 else -3.4e38, dtype=grad.dtype, device=grad.device)
    logarithm = grad.abs().log()
    rising = (_logcumsumexp_back(where(grad > 0, logarithm, least) - result, dim) + x).exp()
    falling = (_logcumsumexp_back(where(grad < 0, logarithm, least) - result, dim) + x).exp()
    return rising - falling


def logcumsumexp_tangent(x, tangent, dim):
    """The tangent of ``logcumsumexp``: the mean of tangents so far, weighted with the exponentials."""
    if x.ndim == 0 or x.numel() == 0:
        return tangent
    weight = (x - (x.real if x.is_complex() else x).amax(dim, keepdim=True)).exp()
    return (tangent * weight).cumsum(dim) / weight.cumsum(dim)


# ---- variances


def var_backward(grad, x, dim, correction, keepdim):
    """The gradient of a variance. Where it divides by zero or less there is none: inf, or NaN at the mean."""
    if correction is None:
        correction = 1
    if not dim or x.ndim == 0:
        mean, degrees = x.mean(), x.numel() - correction
        if degrees <= 0:
            return grad * where(x == mean, nan, inf)
        return aten.mul.Scalar(grad, 2 / degrees) * (x - mean)
    degrees = reduced_numel(x.shape, dim) - correction
    grad = aten.mul.Scalar(restored(grad, x.ndim, dim, keepdim), 2 / degrees if degrees else inf)
    return grad * (x - x.mean(dim, True))


def std_backward(grad, x, result, dim, correction, keepdim):
    """The gradient of a standard deviation: 0 where this is 0."""
    grad = (grad / aten.mul.Scalar(result, 2)).masked_fill(result == 0, 0)
    return var_backward(grad, x, dim, correction, keepdim)


def _and_mean(grad, grad_mean, x, dim, keepdim):
    if grad_mean is not None:
        of_mean = mean_backward(grad_mean, x.shape, x.numel(), dim, keepdim)
        grad = of_mean if grad is None else grad + of_mean
    return grad


def var_mean_backward(grads, x, dim, correction, keepdim):
    """The gradient of a variance and a mean."""
    grad = None if grads[0] is None else var_backward(grads[0], x, dim, correction, keepdim)
    return _and_mean(grad, grads[1], x, dim, keepdim)


def std_mean_backward(grads, x, std, dim, correction, keepdim):
    """The gradient of a standard deviation and a mean."""
    grad = None if grads[0] is None else std_backward(grads[0], x, std, dim, correction, keepdim)
    return _and_mean(grad, grads[1], x, dim, keepdim)


def var_tangent(x, tangent, result, dim, correction, keepdim):
    """The tangent of a variance."""
    return along(var_backward(aten.ones_like.default(result), x, dim, correction, keepdim), tangent, dim, keepdim)


def std_tangent(x, tangent, result, dim, correction, keepdim):
    """The tangent of a standard deviation."""
    return along(std_backward(aten.ones_like.default(result), x, result, dim, correction, keepdim), tangent, dim, keepdim)


# ---- extremes and other elements chosen by value


def shared_among_equals(grad, x, result):
    """The gradient of an element chosen from all by its value: what is equal to it, or NaN as it is, shares evenly."""
    mask = (x.isnan() & result.isnan()) | (x == result)
    return mask * (grad / mask.sum())


def shared_along(grad, x, result, dim, keepdim):
    """The gradient of elements chosen along dimensions by their values: those that are equal share evenly."""
    mask = restored(result, x.ndim, dim, keepdim) == x
    return restored(grad, x.ndim, dim, keepdim) / summed(mask, dim, True) * mask


def aminmax_backward(grads, x, least, greatest, dim, keepdim):
    """The gradient of the least and the greatest element."""
    dim = None if dim is None else [dim]
    low = None if grads[0] is None else shared_along(grads[0], x, least, dim, keepdim)
    high = None if grads[1] is None else shared_along(grads[1], x, greatest, dim, keepdim)
    return low if high is None else high if low is None else low + high


def aminmax_tangent(x, tangent, least, greatest, dim, keepdim):
    """The tangents of the least and the greatest element."""
    dim = None if dim is None else [dim]
    return tuple(along(shared_along(aten.ones_like.default(y), x, y, dim, keepdim), tangent, dim, keepdim) for y in (least, greatest))


def gathered(tangent, dim, indices, keepdim):
    """The tangents of elements that were chosen along a dimension."""
    if keepdim or tangent.ndim == 0:
        return tangent.gather(dim, indices)
    return tangent.gather(dim, indices.unsqueeze(dim)).squeeze(dim)


def scattered_sum(grad, shape, dim, indices):
    """Gradients of elements that were chosen along a dimension, summed where they were."""
    if 0 in shape:
        return grad.new_zeros(shape)
    return aten.scatter_add.default(aten.zeros.default(shape, dtype=grad.dtype, device=grad.device), dim, indices, grad)


def chosen_backward(grad, x, dim, indices):
    """The gradient of a tensor of which elements were chosen along a dimension."""
    return scattered_sum(grad, x.shape, dim, indices)


def logsumexp_backward(grad, x, result, dim, keepdim):
    """The gradient of ``logsumexp``: the share that each element has in the sum."""
    grad, result = restored(grad, x.ndim, dim, keepdim), restored(result, x.ndim, dim, keepdim)
    return grad * conj((x - result).exp())


def nansum_backward(grad, x, dim, keepdim):
    """The gradient of ``nansum``: none for what is not a number."""
    return expanded(grad, x.shape, dim, keepdim) * x.isnan().logical_not()


def trace_backward(grad, shape):
    """The gradient of the trace of a matrix."""
    if len(shape) != 2:
        raise RuntimeError("expected matrix input")
    n = min(shape)
    indices = aten.arange.start_step(0, n * (shape[1] + 1), shape[1] + 1, dtype=int64, device=grad.device) if n else None
    flat = aten.zeros.default([shape[0] * shape[1]], dtype=grad.dtype, device=grad.device)
    return (flat if indices is None else aten.index_fill.int_Tensor(flat, 0, indices, grad)).view(shape)
