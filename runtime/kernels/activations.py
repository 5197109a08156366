"""Activations made of other operators."""

import math

from runtime._core import ops
from runtime.kernels._common import into, scalar_name, wrap_dim
from runtime.kernels._pieces import elements, unwatched_large_shape

aten = ops.aten


def _check_floating(kernel, self):
    if not self.dtype.is_floating_point:
        raise NotImplementedError(f'"{kernel}" not implemented for \'{scalar_name(self.dtype)}\'')


# ---- special cases of others


def _celu_factors(alpha):
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return alpha, 1.0, 1.0 / alpha


def celu(self, alpha=1.0):
    return aten.elu.default(self, *_celu_factors(alpha))


def celu_(self, alpha=1.0):
    return aten.elu_.default(self, *_celu_factors(alpha))


SELU_FACTORS = 1.6732632423543772, 1.0507009873554805


def selu(self):
    return aten.elu.default(self, *SELU_FACTORS)


def selu_(self):
    return aten.elu_.default(self, *SELU_FACTORS)


def relu6(self):
    return aten.hardtanh.default(self, 0, 6)


def relu6_(self):
    return aten.hardtanh_.default(self, 0, 6)


# ---- softmax into an output


def _in_dtype(self, dtype):
    return self if dtype is None or dtype == self.dtype else aten.to.dtype(self, dtype)


def softmax_int_out(self, dim, dtype=None, *, out):
    return aten._softmax.out(_in_dtype(self, dtype), dim, False, out=out)


def log_softmax_int_out(self, dim, dtype=None, *, out):
    return aten._log_softmax.out(_in_dtype(self, dtype), dim, False, out=out)


def log_sigmoid(self):
    shape = unwatched_large_shape(self)
    if shape is None:
        return aten.log_sigmoid_forward.default(self)[0]
    # Where no gradient needs it, the second result is not kept for all elements at once.
    return elements(aten.log_sigmoid.default, lambda x: aten.log_sigmoid_forward.default(x)[0], shape, self)


# ---- gradients by formula


def math_silu_backward(grad_output, self):
    s = aten.sigmoid.default(self)
    return aten.mul.Tensor(grad_output, aten.mul.Tensor(s, _one_plus(aten.mul.Tensor(self, _one_minus(s)))))


def mish_backward(grad_output, self):
    t = aten.tanh.default(aten.softplus.default(self))
    inner = aten.mul.Tensor(aten.mul.Tensor(self, aten.sigmoid.default(self)), _one_minus(aten.mul.Tensor(t, t)))
    return aten.mul.Tensor(grad_output, aten.add.Tensor(t, inner))


def infinitely_differentiable_gelu_backward(grad, self):
    below = aten.mul.Scalar(_one_plus(aten.erf.default(aten.mul.Scalar(self, math.sqrt(0.5)))), 0.5)
    density = aten.mul.Scalar(aten.exp.default(aten.mul.Scalar(aten.mul.Tensor(self, self), -0.5)), 1 / math.sqrt(2 * math.pi))
    return aten.mul.Tensor(grad, aten.add.Tensor(below, aten.mul.Tensor(self, density)))


def _one_plus(x):
    return aten.add.Scalar(x, 1)


def _one_minus(x):
    return aten.rsub.Scalar(x, 1)


# ---- glu: the first half of a dimension, gated by the sigmoid of the second


def _halves(self, dim):
    if self.dim() == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = wrap_dim(dim, self.dim())
    size = self.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    return aten.narrow.default(self, dim, 0, size // 2), aten.narrow.default(self, dim, size // 2, size // 2)


def glu(self, dim=-1):
    a, b = _halves(self, dim)
    _check_floating("glu_cpu", self)
    return aten.mul.Tensor(a, aten.sigmoid.default(b))


def glu_backward(grad_output, self, dim):
    a, b = _halves(self, dim)
    s = aten.sigmoid.default(b)
    by_a = aten.mul.Tensor(s, grad_output)
    return aten.cat.default([by_a, aten.mul.Tensor(aten.mul.Tensor(by_a, _one_minus(s)), a)], dim)


def glu_jvp(glu, x, dx, dim):
    _, b = _halves(x, dim)
    da, db = _halves(dx, dim)
    s = aten.sigmoid.default(b)
    return aten.add.Tensor(aten.mul.Tensor(da, s), aten.mul.Tensor(db, aten.mul.Tensor(_one_minus(s), glu)))


def glu_backward_jvp(grad_x, grad_glu, x, dgrad_glu, dx, dim):
    a, b = _halves(x, dim)
    da, db = _halves(dx, dim)
    s = aten.sigmoid.default(b)
    slope = aten.mul.Tensor(s, _one_minus(s))
    ds = aten.mul.Tensor(slope, db)
    dslope = aten.mul.Tensor(ds, aten.rsub.Scalar(aten.mul.Scalar(s, 2), 1))
    by_a = aten.add.Tensor(aten.mul.Tensor(dgrad_glu, s), aten.mul.Tensor(grad_glu, ds))
    parts = (
        aten.mul.Tensor(aten.mul.Tensor(dgrad_glu, slope), a),
        aten.mul.Tensor(aten.mul.Tensor(grad_glu, dslope), a),
        aten.mul.Tensor(aten.mul.Tensor(grad_glu, slope), da),
    )
    by_b = aten.add.Tensor(aten.add.Tensor(parts[0], parts[1]), parts[2])
    return aten.cat.default([by_a, by_b], dim)


# ---- slopes that are learned, or drawn


def prelu(self, weight):
    if self.dtype != weight.dtype:
        raise RuntimeError(f"prelu: Type promoting not supported. Got {scalar_name(self.dtype)} and {scalar_name(weight.dtype)}")
    if weight.numel() != 1:
        if self.dim() == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = self.shape[1] if self.dim() > 1 else 1
        if channels != weight.numel():
            raise RuntimeError(
                f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {weight.numel()} "
                f"and channel size = {channels}."
            )
    if weight.dim() > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.dim()}")
    shape = [1] * self.dim()
    if self.dim() > 1 and weight.dim() == 1:
        shape[1] = weight.shape[0]
    return aten._prelu_kernel.default(self, aten.view.default(weight, shape))


def _prelu_kernel_backward(grad_output, self, weight):
    positive = aten.gt.Scalar(self, 0)
    by_self = aten.where.self(positive, grad_output, aten.mul.Tensor(weight, grad_output))
    by_weight = aten.where.ScalarSelf(positive, 0, aten.mul.Tensor(self, grad_output))
    return by_self, by_weight


def _check_bounds(lower, upper):
    for which, bound in (("lower", lower), ("upper", upper)):
        if not math.isfinite(bound):
            raise RuntimeError(f"rrelu: {which} bound must be finite, got {bound}")
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")


def rrelu(self, lower=0.125, upper=0.3333333333333333, training=False, generator=None):
    _check_bounds(lower, upper)
    return aten.rrelu_with_noise.default(self, aten.empty_like.default(self), lower, upper, training, generator)


def rrelu_(self, lower=0.125, upper=0.3333333333333333, training=False, generator=None):
    _check_bounds(lower, upper)
    return aten.rrelu_with_noise_.default(self, aten.empty_like.default(self), lower, upper, training, generator)


def rrelu_with_noise(self, noise, lower=0.125, upper=0.3333333333333333, training=False, generator=None):
    if tuple(self.shape) != tuple(noise.shape):
        raise RuntimeError(
            "noise tensor shape must match self tensor shape. "
            f"Got self.shape = {list(self.shape)} noise.shape = {list(noise.shape)}"
        )
    if not training:
        return aten.leaky_relu.default(self, (lower + upper) / 2)
    _check_floating("rrelu_with_noise_out_cpu", self)
    slopes = aten.uniform_.default(aten.empty_like.default(self), lower, upper, generator=generator)
    aten.copy_.default(noise, aten.where.ScalarOther(aten.le.Scalar(self, 0), slopes, 1))
    return aten.mul.Tensor(self, noise)


def rrelu_with_noise_(self, noise, lower=0.125, upper=0.3333333333333333, training=False, generator=None):
    return aten.copy_.default(self, rrelu_with_noise(self, noise, lower, upper, training, generator))


def rrelu_with_noise_out(self, noise, lower=0.125, upper=0.3333333333333333, training=False, generator=None, *, out):
    return into(out, rrelu_with_noise(self, noise, lower, upper, training, generator))


def rrelu_with_noise_backward(grad_output, self, noise, lower, upper, training, self_is_result):
    if training and upper - lower > 1e-6:
        return aten.mul.Tensor(grad_output, noise)
    return aten.leaky_relu_backward.default(grad_output, self, (lower + upper) / 2, self_is_result)
