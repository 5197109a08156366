"""Pointwise operators made of others."""

import math

from runtime._core import ops
from runtime.kernels._common import broadcast, into, real_dtype, scalar_name, wrapped_scalar

aten = ops.aten


def abs(self):
    return aten.abs.out(self, out=aten.empty_like.default(self, dtype=real_dtype(self.dtype)))


def abs_(self):
    if self.dtype.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    return aten.abs.out(self, out=self)


def square_out(self, *, out):
    return aten.pow.Tensor_Scalar_out(self, 2, out=out)


def isfinite(self):
    if not self.dtype.is_floating_point and not self.dtype.is_complex:
        return aten.ones_like.default(self, dtype=aten.ne.Scalar(aten.scalar_tensor.default(0), 0).dtype)
    difference = aten.sub.Tensor(self, self)
    return aten.eq.Tensor(difference, difference)


def isinf(self):
    if self.dtype.is_complex:
        return aten.logical_or.default(isinf(aten.real.default(self)), isinf(aten.imag.default(self)))
    if not self.dtype.is_floating_point:
        return aten.ne.Tensor(self, self)
    return aten.eq.Scalar(aten.abs.default(self), math.inf)


def isclose(self, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    if self.dtype != other.dtype:
        raise RuntimeError(f"{scalar_name(self.dtype)} did not match {scalar_name(other.dtype)}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol:g}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol:g}")
    close = aten.eq.Tensor(self, other)
    if equal_nan and (self.dtype.is_floating_point or self.dtype.is_complex):
        close = aten.bitwise_or.Tensor(close, aten.bitwise_and.Tensor(aten.ne.Tensor(self, self), aten.ne.Tensor(other, other)))
    if rtol == 0 and atol == 0:
        return close
    if not self.dtype.is_floating_point and not self.dtype.is_complex:
        import runtime

        self, other = (aten.to.dtype(t, runtime.get_default_dtype()) for t in (self, other))
    allowed = aten.add.Scalar(aten.abs.default(aten.mul.Scalar(other, rtol)), atol)
    error = aten.abs.default(aten.sub.Tensor(self, other))
    finite = aten.bitwise_and.Tensor(isfinite(error), aten.le.Tensor(error, allowed))
    return aten.bitwise_or.Tensor(close, finite)


def allclose(self, other, rtol=1e-05, atol=1e-08, equal_nan=False):
    return aten.all.default(aten.isclose.default(self, other, rtol, atol, equal_nan)).item()


def true_divide_Tensor(self, other):
    return aten.div.Tensor(self, other)


def true_divide_Scalar(self, other):
    return aten.div.Scalar(self, other)


def true_divide__Tensor(self, other):
    return aten.div_.Tensor(self, other)


def true_divide__Scalar(self, other):
    return aten.div_.Scalar(self, other)


def true_divide_out(self, other, *, out):
    return aten.div.out(self, other, out=out)


def remainder_Scalar_Tensor(self, other):
    return aten.remainder.Tensor(wrapped_scalar(self, other), other)


def bitwise_and_Scalar_Tensor(self, other):
    return aten.bitwise_and.Tensor(wrapped_scalar(self, other), other)


def bitwise_or_Scalar_Tensor(self, other):
    return aten.bitwise_or.Tensor(wrapped_scalar(self, other), other)


def bitwise_xor_Scalar_Tensor(self, other):
    return aten.bitwise_xor.Tensor(wrapped_scalar(self, other), other)


def remainder_Scalar_out(self, other, *, out):
    return into(out, aten.remainder.Scalar(self, other))


def fmod_Scalar_out(self, other, *, out):
    return into(out, aten.fmod.Scalar(self, other))


def bitwise_and_Scalar_out(self, other, *, out):
    return into(out, aten.bitwise_and.Scalar(self, other))


def bitwise_or_Scalar_out(self, other, *, out):
    return into(out, aten.bitwise_or.Scalar(self, other))


def bitwise_xor_Scalar_out(self, other, *, out):
    return into(out, aten.bitwise_xor.Scalar(self, other))


def logical_not(self):
    import runtime

    return aten.logical_not.out(self, out=aten.empty_like.default(self, dtype=runtime.bool))


def logical_not_(self):
    return aten.logical_not.out(self, out=self)


def _logical_pair(name, self, other):
    import runtime

    shape = broadcast(self.shape, other.shape)
    out = aten.empty.memory_format(shape, dtype=runtime.bool, device=self.device)
    return getattr(aten, name).out(self, other, out=out)


def logical_and(self, other):
    return _logical_pair("logical_and", self, other)


def logical_or(self, other):
    return _logical_pair("logical_or", self, other)


def logical_xor(self, other):
    return _logical_pair("logical_xor", self, other)


def logical_and_(self, other):
    return aten.logical_and.out(self, other, out=self)


def logical_or_(self, other):
    return aten.logical_or.out(self, other, out=self)


def logical_xor_(self, other):
    return aten.logical_xor.out(self, other, out=self)
