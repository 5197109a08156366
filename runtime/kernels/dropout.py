"""Dropout: elements or whole features are dropped at random, and what is kept is scaled so that the mean stays.

Alpha dropout puts the lower saturation value of SELU in the place of what it drops, and rescales so that mean and variance stay.
"""

import math

from runtime._core import _hand_on, ops
from runtime.kernels._common import scalar_name
from runtime.kernels._pieces import is_separable, write_elements

aten = ops.aten

#: The limit of SELU for large negative inputs, negated.
ALPHA = 1.7580993408473766


def _noise(input, p, feature, alpha):
    """The factor of each element, and what is added to it (None but for alpha dropout)."""
    if feature:
        if input.dim() < 2:
            raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
        noise = aten.new_empty.default(input, [*input.shape[:2], *(1 for _ in input.shape[2:])])
    else:
        noise = aten.empty_like.default(input)
    aten.bernoulli_.float(noise, 1 - p)
    if not alpha:
        return aten.div_.Scalar(noise, 1 - p), None
    a = 1 / math.sqrt((ALPHA * ALPHA * p + 1) * (1 - p))
    added = aten.add_.Scalar(aten.mul_.Scalar(aten.add.Scalar(noise, -1), ALPHA * a), ALPHA * a * p)
    return aten.mul_.Scalar(noise, a), added


def _dropped(input, p, train, feature, alpha, inplace):
    if not 0 <= p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")
    if p == 0 or not train or not input.numel():
        return input
    multiply = aten.mul_.Tensor if inplace else aten.mul.Tensor
    if p == 1:
        return multiply(input, aten.zeros.default((), dtype=input.dtype, layout=input.layout, device=input.device))
    if input.dtype.is_complex:
        raise NotImplementedError(f"\"bernoulli_scalar_cpu_\" not implemented for '{scalar_name(input.dtype)}'")
    if inplace and (input.dim() == 2 or not feature) and is_separable(input, (input,), tuple(input.shape)):
        return write_elements(input, lambda block: _dropped(block, p, train, feature, alpha, False), input)
    noise, added = _noise(input, p, feature, alpha)
    result = multiply(input, noise)
    return result if added is None else aten.add_.Tensor(result, added)


def dropout(input, p, train):
    return _dropped(input, p, train, False, False, False)


def dropout_(self, p, train):
    return _dropped(self, p, train, False, False, True)


def feature_dropout(input, p, train):
    return _dropped(input, p, train, True, False, False)


def feature_dropout_(self, p, train):
    return _dropped(self, p, train, True, False, True)


def alpha_dropout(input, p, train):
    return _dropped(input, p, train, False, True, False)


def alpha_dropout_(self, p, train):
    return _dropped(self, p, train, False, True, True)


def feature_alpha_dropout(input, p, train):
    return _dropped(input, p, train, True, True, False)


def feature_alpha_dropout_(self, p, train):
    return _dropped(self, p, train, True, True, True)


def native_dropout(input, p, train):
    import runtime

    if not input.numel():
        return input, aten.empty_like.default(input, dtype=runtime.bool)
    mask = aten.empty_like.default(input, dtype=runtime.bool)
    if train is False:
        return aten.clone.default(input), aten.fill_.Scalar(mask, True)
    kept = 1 - p
    aten.bernoulli_.float(mask, kept)
    return aten.mul_.Scalar(aten.mul.Tensor(input, mask), 0.0 if kept == 0 else 1 / kept), mask


def native_dropout_backward(grad_output, mask, scale):
    kept = _hand_on(aten.native_dropout_backward.default, aten.mul.Tensor, grad_output, mask)
    inexact = kept.dtype.is_floating_point or kept.dtype.is_complex
    return aten.mul_.Scalar(kept, scale) if inexact else aten.mul.Scalar(kept, scale)
