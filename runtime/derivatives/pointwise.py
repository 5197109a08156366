"""Helpers for the derivatives of arithmetic, of functions of one number and of special functions."""

import math

from runtime import arange, digamma, exp, i0, ops, where, zeros_like
from runtime.derivatives.common import conj

aten = ops.aten
_lgamma = aten.lgamma.default
_erfcx = aten.special_erfcx.default
_i0e = aten.special_i0e.default


def refuse_gradient(operator, argument=None):
    """Raise the error for an argument whose derivative nobody has worked out."""
    raise NotImplementedError(f"the derivative for '{operator}{f': {argument}' if argument else ''}' is not implemented.")


# -------------------------------------------------------------------------------------------------- quotients and powers


def quotient_gradient(grad, divisor, rounding_mode):
    """The gradient of the dividend; a rounded quotient does not change with it."""
    return grad / conj(divisor) if rounding_mode is None else zeros_like(grad)


def divisor_gradient(grad, dividend, divisor, rounding_mode):
    """The gradient of the divisor."""
    return -grad * conj(dividend / divisor / divisor) if rounding_mode is None else zeros_like(grad)


def power_gradient(grad, base, exponent):
    """The gradient of the base of a power by a number; x ** 0 does not change, not even at 0."""
    if exponent == 0:
        return zeros_like(base)
    return grad * conj(exponent * base.pow(exponent - 1))


def base_gradient(grad, base, exponent):
    """The gradient of the base of a power, as ``power_gradient``."""
    return where(exponent == 0, 0, grad * conj(exponent * base.pow(exponent - 1)))


def _not_negative(exponent):
    return (exponent.real >= 0) & (exponent.imag == 0) if exponent.is_complex() else exponent >= 0


def exponent_gradient(grad, base, exponent, power):
    """The gradient of the exponent; powers of 0 do not change with an exponent that is not negative."""
    return grad * where((base == 0) & _not_negative(exponent), 0, conj(power * base.to(power.dtype).log()))


def scalar_base_gradient(grad, base, exponent, power):
    """The gradient of the exponent of a power of a number."""
    if base == 0:
        return grad * where(_not_negative(exponent), 0, conj(power * -math.inf))
    if type(base) is not int and type(base) is not float or base < 0:
        return grad * conj(power * power.new_full((), base).log())
    return grad * conj(power * math.log(base))


def inverse_square(x, y):
    """One over the square of the distance from the origin; 0 there, as if the angle did not change."""
    square = x * x + y * y
    return square.reciprocal().masked_fill(square == 0, 0)


def copied_sign_gradient(grad, magnitude, result):
    """The gradient of a magnitude that got another's sign: whether it had it already, and 0 at 0."""
    return grad * (result / magnitude).masked_fill(magnitude == 0, 0)


def dropout_scale(p, train):
    """What the elements that dropout keeps are multiplied by."""
    return 0.0 if train and p == 1 else 1 / (1 - p) if train else 1.0


# ------------------------------------------------------------------------------------------------------------- clamping


def clamped_gradient(grad, x, low, high):
    """The gradient of a clamped number: what lies between the bounds, or on them."""
    if low is None:
        return where(x <= high, grad, 0)
    if high is None:
        return where(x >= low, grad, 0)
    return where((x >= low) & (x <= high), grad, 0)


def bounds_gradients(grad, x, low, high, wanted):
    """The gradients of the bounds; where they cross, the upper one is the result."""
    low_grad = high_grad = None
    if wanted[0]:
        low_grad = where(x < low if high is None else (low < high) & (x < low), grad, 0)
    if wanted[1]:
        high_grad = where(x > high if low is None else (x > high) | (high < low), grad, 0)
    return low_grad, high_grad


def clamped_tangent(x_t, x, low, high, low_t, high_t):
    """The tangent of a clamped number: its own between the bounds, beyond them the bound's."""
    result = x_t
    if low is not None:
        result = where(x < low, low_t, result)
    if high is not None:
        result = where(x > high if low is None else (x > high) | (high < low), high_t, result)
    return result


# --------------------------------------------------------------------------------------------------- complex numbers


def absolute_tangent(x_t, x):
    """The tangent of absolute values: the part of x's along x."""
    return (conj(x.sgn()) * x_t).real if x.is_complex() else x.sgn() * x_t


def direction_gradient(grad, x, direction):
    """The gradient of ``x / |x|``: the part of it across x, over the distance from 0. Tangents follow the same rule."""
    if not x.is_complex():
        return zeros_like(grad)
    distance = x.abs()
    across = grad - direction * (conj(direction) * grad).real
    return where(distance == 0, 0, across / distance)


def angle_gradient(grad, x):
    """The gradient of the angle: across x, over the distance from 0; none for real numbers."""
    if not x.is_complex():
        return zeros_like(x)
    distance = x.abs()
    return where(distance == 0, 0, grad * 1j * (x / distance / distance))


def angle_tangent(x_t, x, result):
    """The tangent of the angle."""
    if not x.is_complex():
        return zeros_like(result)
    return where(x == 0, 0, x_t / x).imag


def polar_gradients(grad, result):
    """The gradients of the absolute value and of the angle of a complex number made of them."""
    grad = conj(grad)
    return (grad * result.sgn()).real, (grad * (result * 1j)).real


def inverse_cosh_gradient(grad, x):
    """The gradient of acosh; of complex numbers with the branch that ``sqrt(x - 1) * sqrt(x + 1)`` has."""
    if x.is_complex():
        return grad * conj((x + 1).rsqrt() * (x - 1).rsqrt())
    return grad * (x * x - 1).rsqrt()


# ---------------------------------------------------------------------------------------------------- special functions


def bell(x):
    """The derivative of erf."""
    return exp(-(x * x)) * (2 / math.sqrt(math.pi))


def inverse_bell(x):
    """The derivative of erfinv, of its value."""
    return exp(x * x) * (math.sqrt(math.pi) / 2)


def erfcx_slope(x, result):
    """The derivative of ``exp(x * x) * erfc(x)``."""
    return 2 * x * result - 2 / math.sqrt(math.pi)


def ndtri_slope(result):
    """The derivative of the inverse of the normal distribution, of its value: one over the density there."""
    return (result * result / 2).exp() * math.sqrt(2 * math.pi)


def log_ndtr_slope(x):
    """The derivative of the logarithm of the normal distribution: density over distribution, without underflow."""
    return math.sqrt(2 / math.pi) / _erfcx(x * -math.sqrt(0.5))


def multivariate_gamma_gradient(grad, x, p):
    """The gradient of the multivariate log-gamma function, a sum of p log-gamma functions half a step apart."""
    steps = arange(-p / 2 + 0.5, 0.5, 0.5, dtype=x.dtype, device=x.device)
    return grad * digamma(x.unsqueeze(-1) + steps).sum(-1)


def gamma_density(shape, x):
    """The density of the gamma distribution: the derivative of igamma in its second argument."""
    return exp((shape - 1) * x.log() - x - _lgamma(shape))


def sinc_gradient(grad, x):
    """The gradient of ``sin(pi x) / (pi x)``, 0 at 0."""
    angle = x * math.pi
    square = angle * x
    return where(square == 0, 0, grad * conj((angle * angle.cos() - angle.sin()) / square))


def logit_curvature(product, x, eps):
    """``product`` times the second derivative of logit, whose argument is clamped to eps and 1 - eps."""
    slope = 1 / (x * (1 - x))
    low = 0 if eps is None else eps
    return where((x >= low) & (x <= 1 - low), product * (2 * x - 1) * slope * slope, math.nan if eps is None else 0)


def bessel_i1_gradient(grad, x, result):
    """The gradient of the modified Bessel function of order 1: i0(x) - i1(x) / x, 1/2 at 0."""
    safe = _away_from_zero(x)
    return grad * where(x == safe, i0(safe) - result / safe, 0.5)


def scaled_bessel_i1_gradient(grad, x, result):
    """The gradient of ``exp(-|x|) * i1(x)``."""
    safe = _away_from_zero(x)
    return grad * where(x == safe, _i0e(safe) - result * (safe.sgn() + 1 / safe), 0.5)


def _away_from_zero(x):
    """x, but a tiny number near 0: what is divided by it stays finite, and so do derivatives."""
    tiny = 2.0**-52 if str(x.dtype).endswith("float64") else 2.0**-23
    return where(x.abs() > tiny, x, tiny)


def larger_gradients(grads, tensors, scalars):
    """The gradients of the maxima of tensors and numbers, or one number: half where they are equal."""
    return _extreme_gradients(grads, tensors, scalars, aten.lt.Scalar)


def smaller_gradients(grads, tensors, scalars):
    """The gradients of the minima of tensors and numbers, or one number: half where they are equal."""
    return _extreme_gradients(grads, tensors, scalars, aten.gt.Scalar)


def _extreme_gradients(grads, tensors, scalars, loses):
    if not isinstance(scalars, (list, tuple)):
        scalars = [scalars] * len(tensors)
    return [
        None if grad is None else where(x == scalar, grad / 2, grad).masked_fill(loses(x, scalar), 0)
        for grad, x, scalar in zip(grads, tensors, scalars)
    ]
