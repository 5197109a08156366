"""Helpers for the derivatives of losses of single elements. Reductions are numbers: 0 none, 1 mean, 2 sum.

The backward operators are linear in the gradient that they take, so that they serve as their own derivatives in it; the engine sums.
A curvature is a second derivative times ``product``, which holds the gradients.
"""

from runtime import ops as _ops
from runtime import sigmoid, where, zeros_like

_log_sigmoid = _ops.aten.log_sigmoid.default


def reduced(losses, reduction):
    """What a loss makes of the losses of elements."""
    return losses if reduction == 0 else losses.mean() if reduction == 1 else losses.sum()


def averaged(grad, reduction):
    """The gradients of elements, each of which counts less in a mean."""
    return grad / grad.numel() if reduction == 1 else grad


def smooth_l1_curvature(product, x, target, reduction, beta):
    """The curvature of the smooth l1 loss: a parabola up to beta."""
    if beta == 0:
        return zeros_like(product)
    return averaged(where((x - target).abs() < beta, product / beta, 0), reduction)


def huber_curvature(product, x, target, reduction, delta):
    """The curvature of the Huber loss: a parabola up to delta."""
    return averaged(where((x - target).abs() < delta, product, 0), reduction)


def soft_margin_curvature(product, x, target, reduction):
    """The curvature of log(1 + exp(-target * x))."""
    s = sigmoid(x * target)
    return averaged(product * (target * target * s * (1 - s)), reduction)


def _weighted(grad, weight, reduction):
    return averaged(grad if weight is None else grad * weight, reduction)


def cross_entropy_target_gradient(grad, x, weight, reduction):
    """The gradient of the target of binary cross entropy."""
    return _weighted(grad * ((1 - x).log() - x.log()), weight, reduction)


def cross_entropy_curvature(product, x, target, weight, reduction):
    """The curvature of binary cross entropy in the probability."""
    y, n = x + 1e-12, 1 - x + 1e-12
    return _weighted(product * (x * x - 2 * x * target + target) / (y * y * n * n), weight, reduction)


def cross_entropy_mixed_derivative(product, x, weight, reduction):
    """The derivative of binary cross entropy in probability and target."""
    return _weighted(-product / ((x + 1e-12) * (1 - x + 1e-12)), weight, reduction)


def logits_gradient(grad, x, target, weight, pos_weight, reduction):
    """The gradient of the logits of binary cross entropy."""
    if pos_weight is None:
        slope = x.sigmoid() - target
    else:
        positive = pos_weight * target
        slope = (positive + 1 - target) * x.sigmoid() - positive
    return _weighted(slope * grad, weight, reduction)


def logits_target_gradient(grad, x, weight, pos_weight, reduction):
    """The gradient of the target of binary cross entropy of logits."""
    slope = -x if pos_weight is None else _log_sigmoid(-x) - pos_weight * _log_sigmoid(x)
    return _weighted(slope * grad, weight, reduction)
