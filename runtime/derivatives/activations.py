"""Helpers for the derivatives of activation functions. A curvature is a second derivative times ``product``, which holds the gradients."""

import math

from runtime import cat, sigmoid, where
from runtime import ops as _ops
from runtime._core import is_grad_enabled

_sigmoid_backward = _ops.aten.sigmoid_backward.default
_elu_backward = _ops.aten.elu_backward.default
_silu_backward = _ops.aten.silu_backward.default


def gelu_curvature(product, x, approximate):
    """The curvature of gelu: of x times the normal distribution, or of its approximation by tanh."""
    if approximate == "none":
        return product * (2 - x * x) * (x * x / -2).exp() * (1 / math.sqrt(2 * math.pi))
    k, cubic = math.sqrt(2 / math.pi), 0.044715
    squared = x * x
    t = (k * x * (1 + cubic * squared)).tanh()
    # The derivatives of the argument of tanh, which occurs in x * (1 + t) / 2.
    slope, bend = k * (1 + 3 * cubic * squared), 6 * k * cubic * x
    return product * (1 - t * t) * (slope + x * (bend / 2 - t * slope * slope))


def silu_gradient(grad, x):
    """The gradient of silu; the operator for it cannot be differentiated."""
    if not is_grad_enabled():
        return _silu_backward(grad, x)
    s = sigmoid(x)
    return grad * (s * (1 + x * (1 - s)))


def softplus_curvature(product, x, beta, threshold):
    """The curvature of softplus, which is linear beyond the threshold."""
    scaled = x * beta
    return _sigmoid_backward(product, scaled.sigmoid()) * (scaled < threshold) * beta


def elu_curvature(product, alpha, scale, input_scale, is_result, x):
    """The curvature of elu: on the exponential side its slope again, of its result a constant."""
    if is_result:
        return product * input_scale * (x < 0)
    return _elu_backward(product * input_scale, alpha, scale, input_scale, False, x) * (x < 0)


def hardswish_curvature(product, x):
    """The curvature of hardswish, a parabola between -3 and 3."""
    return where((x > -3) & (x < 3), product / 3, 0)


def gated_gradient(grad, x, dim):
    """The gradient of the gradient that glu's backward takes, of one for all of x."""
    value, gate = x.chunk(2, dim)
    value_grad, gate_grad = grad.chunk(2, dim)
    s = sigmoid(gate)
    return value_grad * s + gate_grad * value * s * (1 - s)


def gate_curvature(grad, grad_output, x, dim):
    """The gradient of x in glu's backward."""
    value, gate = x.chunk(2, dim)
    value_grad, gate_grad = grad.chunk(2, dim)
    s = sigmoid(gate)
    slope = grad_output * s * (1 - s)
    return cat([gate_grad * slope, (value_grad + gate_grad * value * (1 - 2 * s)) * slope], dim)


def prelu_second_gradients(grads, grad_output, x, weight, wanted):
    """The gradients of prelu's backward: of the gradient, of x and of the weight."""
    x_grad, weight_grad = grads
    positive = x >= 0
    first = second = third = None
    if wanted[0]:
        parts = []
        if x_grad is not None:
            parts.append(where(positive, x_grad, weight * x_grad))
        if weight_grad is not None:
            parts.append(where(positive, 0, weight_grad * x))
        first = parts[0] if len(parts) == 1 else parts[0] + parts[1]
    if wanted[1] and weight_grad is not None:
        second = where(positive, 0, weight_grad * grad_output)
    if wanted[2] and x_grad is not None:
        third = where(positive, 0, x_grad * grad_output)
    return first, second, third
