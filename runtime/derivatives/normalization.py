"""Formulas of layer, group and batch normalization: gradients of their gradients, and tangents.

With m the mean over what is normalized together, y = (x - mean) * rstd are the normalized values, and P(v) = v - m(v) - y * m(v * y) is
symmetric. The normalization's derivative is rstd * P, so that a gradient g flows back as rstd * P(g). For a further gradient u of that,

    <u, rstd * P(g)> = rstd * n * (m(u * g) - m(u) * m(g) - m(u * y) * m(g * y)),

whose gradients by g, y and rstd follow; rstd itself has the derivative -rstd**2 * y / n.
"""

import math

import runtime
from runtime import ops
from runtime._core import is_grad_enabled

aten = ops.aten


class _Normal:
    """Normalized values, and what is done with them; statistics keep the dimensions that were normalized."""

    def __init__(self, x, mean, rstd, dims):
        self.rstd, self.dims = rstd, dims
        self.y = (x - mean) * rstd

    def mean(self, v):
        return v.mean(self.dims, True)

    def project(self, v):
        """P of the module's text."""
        return v - self.mean(v) - self.y * self.mean(v * self.y)

    def double_backward(self, u, g, toward_y):
        """The gradients of <u, rstd * P(g)> + <y, toward_y> by g and by the values before normalization; None stands for zeros."""
        by_g = None
        if u is not None:
            projected = self.project(u)
            by_g = self.rstd * projected
            term = -self.rstd * (g * self.mean(u * self.y) + u * self.mean(g * self.y))
            toward_y = term if toward_y is None else toward_y + term
        if toward_y is None:
            return None, None
        by_x = self.rstd * self.project(toward_y)
        if u is not None:
            by_x = by_x - self.rstd * self.rstd * self.y * self.mean(projected * g)
        return by_g, by_x


def _sum(*terms):
    """The sum of those that are not None, or None."""
    total = None
    for term in terms:
        if term is not None:
            total = term if total is None else total + term
    return total


def _times(a, b):
    """The product; None stands for zeros as first and for ones as second factor."""
    return a if a is None or b is None else a * b


def _affine_double_backward(normal, grads, grad_out, weight, summed, mask):
    """Gradients by (grad_out, input, weight) of a normalization's gradients by (input, weight, bias).

    `grads` and `weight` broadcast to the input's shape; `summed` are the dimensions over which a weight is shared.
    """
    u, of_weight, of_bias = grads
    by_g, by_x = normal.double_backward(u, _times(grad_out, weight), _times(of_weight, grad_out))
    by_grad = by_weight = None
    if mask[0]:
        by_grad = _sum(_times(by_g, weight), _times(of_weight, normal.y), of_bias)
    if mask[2] and by_g is not None:
        by_weight = (by_g * grad_out).sum(summed, True) if summed else by_g * grad_out
    return by_grad, by_x if mask[1] else None, by_weight


def layer_norm_double_backward(grads, grad_out, input, weight, mean, rstd, normalized_shape, mask):
    """Gradients by (grad_out, input, weight) of layer norm's gradients."""
    ndim, width = input.ndim, len(normalized_shape)
    normal = _Normal(input, mean, rstd, tuple(range(-width, 0)))
    by_grad, by_x, by_weight = _affine_double_backward(normal, grads, grad_out, weight, tuple(range(ndim - width)), mask)
    if by_weight is not None:
        by_weight = by_weight.view(weight.shape)
    return _filled(by_grad, grad_out), by_x, by_weight


def _filled(grad, like):
    """A gradient that may be of a shape that broadcasts, as large as what it is of."""
    return grad if grad is None else grad.expand(like.shape)


def layer_norm_tangent(input, input_t, weight, weight_t, bias_t, mean, rstd, normalized_shape):
    """The tangent of layer norm."""
    normal = _Normal(input, mean, rstd, tuple(range(-len(normalized_shape), 0)))
    return _affine_tangent(normal, rstd * normal.project(input_t), weight, weight_t, bias_t)


def _affine_tangent(normal, tangent, weight, weight_t, bias_t):
    tangent = _times(tangent, weight)
    if weight is not None:
        tangent = tangent + normal.y * weight_t
    return tangent if bias_t is None else tangent + bias_t


# ---- groups


def _grouped(input, mean, rstd, group):
    """The input as [N, groups, channels of a group, space], normalized."""
    n, c = input.shape[:2]
    x = input.reshape(n, group, c // group, math.prod(input.shape[2:]))
    return x, _Normal(x, mean.view(n, group, 1, 1), rstd.view(n, group, 1, 1), (2, 3))


def _of_channels(t, group):
    return None if t is None else t.view(1, group, -1, 1)


def group_norm_gradients(grads, input, mean, rstd, weight, N, C, HxW, group, mask):
    """Gradients by (input, weight, bias) of group norm's results: the values, means and deviations, which all have gradients."""
    grad, of_mean, of_rstd = grads
    if grad is not None and of_mean is None and of_rstd is None and not is_grad_enabled():
        return aten.native_group_norm_backward.default(grad.contiguous(), input.contiguous(), mean, rstd, weight, N, C, HxW, group, mask)
    _, normal = _grouped(input, mean, rstd, group)
    by_x = by_weight = by_bias = None
    if grad is not None:
        g = grad.reshape(N, group, C // group, HxW)
        if mask[0]:
            by_x = normal.rstd * normal.project(_times(g, _of_channels(weight, group)))
        if mask[1]:
            by_weight = (g * normal.y).sum((0, 3)).view(C)
        if mask[2]:
            by_bias = g.sum((0, 3)).view(C)
    if mask[0]:
        count = HxW * (C // group)
        if of_mean is not None:
            by_x = _sum(by_x, (of_mean / count).view(N, group, 1, 1).expand(normal.y.shape))
        if of_rstd is not None:
            by_x = _sum(by_x, -normal.rstd * normal.rstd * normal.y * (of_rstd / count).view(N, group, 1, 1))
    return None if by_x is None else by_x.reshape(input.shape), by_weight, by_bias


def group_norm_tangents(input, input_t, weight, weight_t, bias_t, mean, rstd, group):
    """The tangents of group norm's values, means and deviations."""
    if not input.numel():
        return input_t, runtime.zeros_like(mean), runtime.zeros_like(rstd)
    x, normal = _grouped(input, mean, rstd, group)
    v = input_t.reshape(x.shape)
    of_mean, along = normal.mean(v), normal.mean(v * normal.y)
    tangent = normal.rstd * (v - of_mean - normal.y * along)
    weights = (_of_channels(t, group) for t in (weight, weight_t, bias_t))
    result = _affine_tangent(normal, tangent, *weights).reshape(input.shape)
    return result, of_mean.view(mean.shape), (-normal.rstd * normal.rstd * along).view(rstd.shape)


# ---- batches


def _channels(t, ndim):
    return None if t is None else t.view((1, -1) + (1,) * (ndim - 2))


def _over_batch(input, running_mean, running_var, save_mean, save_invstd, training, eps):
    ndim = input.ndim
    mean, rstd = (save_mean, save_invstd) if training else (running_mean, (running_var + eps).rsqrt())
    return _Normal(input, _channels(mean, ndim), _channels(rstd, ndim), (0, *range(2, ndim)))


def updating_batch_norm_backward(grad, input, weight, running_mean, running_var, save_mean, save_invstd, training, eps, mask, reserve):
    """Gradients of a batch norm with a reserve. The operator for them wants a weight."""
    if weight is None:
        return aten.native_batch_norm_backward.default(grad, input, weight, running_mean, running_var, save_mean, save_invstd, training, eps, mask)
    return aten.batch_norm_backward.default(grad, input, weight, running_mean, running_var, save_mean, save_invstd, training, eps, mask, reserve)


def batch_norm_double_backward(grads, grad_out, input, weight, running_mean, running_var, save_mean, save_invstd, training, eps, mask):
    """Gradients by (grad_out, input, weight) of batch norm's gradients."""
    if not input.numel():
        return grad_out.new_zeros(grad_out.shape), input.new_zeros(input.shape), None if weight is None else weight.new_zeros(weight.shape)
    ndim = input.ndim
    normal = _over_batch(input, running_mean, running_var, save_mean, save_invstd, training, eps)
    w, of_weight, of_bias = (_channels(t, ndim) for t in (weight, *grads[1:]))
    u = grads[0]
    if training:
        by_grad, by_x, by_weight = _affine_double_backward(normal, (u, of_weight, of_bias), grad_out, w, normal.dims, mask)
    else:
        # The statistics do not depend on the input.
        by_grad = by_x = by_weight = None
        scaled = _times(u, normal.rstd)
        if mask[0]:
            by_grad = _sum(_times(scaled, w), _times(of_weight, normal.y), of_bias)
        if mask[1] and of_weight is not None:
            by_x = of_weight * grad_out * normal.rstd
        if mask[2] and u is not None:
            by_weight = (scaled * grad_out).sum(normal.dims, True)
    return _filled(by_grad, grad_out), by_x, None if by_weight is None else by_weight.view(-1)


def batch_norm_tangent(input, input_t, weight, weight_t, bias_t, running_mean, running_var, save_mean, save_invstd, training, eps):
    """The tangent of batch norm."""
    if not input.numel():
        return input_t
    normal = _over_batch(input, running_mean, running_var, save_mean, save_invstd, training, eps)
    tangent = normal.rstd * (normal.project(input_t) if training else input_t)
    return _affine_tangent(normal, tangent, *(_channels(t, input.ndim) for t in (weight, weight_t, bias_t)))
