"""Pointwise operators made of others."""

import math

import numpy as np

from runtime._core import _hand_on, dtype_names, ops
from runtime.kernels._arrays import memory, new, opmath, read
from runtime.kernels._common import broadcast, into, real_dtype, scalar_name
from runtime.kernels._pieces import write_elements

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
    if self.dtype.itemsize == 1:
        if scalar_name(self.dtype) not in ("Float8_e5m2", "Float8_e8m0fnu"):
            raise NotImplementedError(f"\"isfinite\" not implemented for '{scalar_name(self.dtype)}'")
        # e8m0fnu has no infinity, and PyTorch takes its NaN for finite.
        single = dtype_names["float32"]
        self = aten.to.dtype(self, single) if scalar_name(self.dtype) == "Float8_e5m2" else aten.zeros_like.default(self, dtype=single)
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


def ldexp_Tensor(self, other):
    if not self.dtype.is_floating_point or other.dtype.is_floating_point or other.dtype.is_complex:
        if self.dtype.is_complex and scalar_name(other.dtype) == "Half":
            raise NotImplementedError("\"pow\" not implemented for 'ComplexHalf'")
        return aten.mul.Tensor(self, aten.pow.Scalar(2.0, other))
    if scalar_name(other.dtype) not in ("Byte", "Char", "Short", "Int", "Long"):
        raise NotImplementedError(f"\"ldexp_cpu_exp\" not implemented for '{scalar_name(other.dtype)}'")
    # The power is taken in two halves, so that a large one neither overflows nor vanishes before it meets a small or large number.
    wide = dtype_names["float64"]
    half = aten.div.Tensor_mode(other, 2, rounding_mode="floor")
    result = aten.to.dtype(self, wide)
    for part in half, aten.sub.Tensor(other, half):
        result = aten.mul.Tensor(result, aten.pow.Scalar(2.0, aten.to.dtype(part, wide)))
    return aten.to.dtype(result, self.dtype)


def ldexp_(self, other):
    shape = broadcast(self.shape, other.shape)
    if shape != tuple(self.shape):
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(shape)}")
    return write_elements(_fractional(self), aten.ldexp.Tensor, self, other, width=2)


def ldexp_out(self, other, *, out):
    return write_elements(_fractional(out), aten.ldexp.Tensor, self, other, width=2)


def _fractional(out):
    if not out.dtype.is_floating_point and not out.dtype.is_complex:
        raise RuntimeError(f"ldexp can't be cast to the desired output type {scalar_name(out.dtype)}")
    return out


def _degree(self, name):
    if self.dtype.is_complex:
        raise RuntimeError(f"{name} is not supported for complex tensors.")
    return math.pi / 180


def deg2rad(self):
    return aten.mul.Tensor(self, _degree(self, "deg2rad"))


def deg2rad_(self):
    return aten.mul_.Tensor(self, _degree(self, "deg2rad"))


def deg2rad_out(self, *, out):
    return aten.mul.out(self, _degree(self, "deg2rad"), out=out)


def rad2deg(self):
    return aten.mul.Tensor(self, 1 / _degree(self, "rad2deg"))


def rad2deg_(self):
    return aten.mul_.Tensor(self, 1 / _degree(self, "rad2deg"))


def rad2deg_out(self, *, out):
    return aten.mul.out(self, 1 / _degree(self, "rad2deg"), out=out)


def positive(self):
    if self.dtype == aten.ne.Tensor(self, self).dtype:
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return self


def isreal(self):
    if self.dtype.is_complex:
        return aten.eq.Scalar(aten.imag.default(self), 0)
    import runtime

    return aten.ones_like.default(self, dtype=runtime.bool)


def nan_to_num(self, nan=None, posinf=None, neginf=None):
    return aten.nan_to_num.out(self, nan, posinf, neginf, out=aten.empty_like.default(self))


def nan_to_num_(self, nan=None, posinf=None, neginf=None):
    return aten.nan_to_num.out(self, nan, posinf, neginf, out=self)


# ---- powers in double precision


def float_power_Tensor_Tensor(self, exponent):
    dtype = _float_power_dtype(self, exponent)
    return aten.pow.Tensor_Tensor(aten.to.dtype(self, dtype), aten.to.dtype(exponent, dtype))


def float_power_Tensor_Scalar(self, exponent):
    dtype = _float_power_dtype(self, exponent)
    return aten.pow.Tensor_Scalar(aten.to.dtype(self, dtype), complex(exponent) if dtype.is_complex else float(exponent))


def float_power_Scalar(self, exponent):
    dtype = _float_power_dtype(self, exponent)
    return aten.pow.Scalar(complex(self) if dtype.is_complex else float(self), aten.to.dtype(exponent, dtype))


def float_power_Tensor_Tensor_out(self, exponent, *, out):
    _check_float_power("output given to float_power", out, self, exponent)
    return write_elements(out, float_power_Tensor_Tensor, self, exponent, width=2)


def float_power_Tensor_Scalar_out(self, exponent, *, out):
    _check_float_power("output given to float_power", out, self, exponent)
    return write_elements(out, lambda base: float_power_Tensor_Scalar(base, exponent), self, width=2)


def float_power_Scalar_out(self, exponent, *, out):
    _check_float_power("output given to float_power", out, self, exponent)
    return write_elements(out, lambda power: float_power_Scalar(self, power), exponent, width=2)


def float_power__Tensor(self, exponent):
    _check_float_power("base given to float_power_", self, self, exponent)
    shape = broadcast(self.shape, exponent.shape)
    if shape != tuple(self.shape):
        raise RuntimeError(f"output with shape {list(self.shape)} doesn't match the broadcast shape {list(shape)}")
    return write_elements(self, float_power_Tensor_Tensor, self, exponent, width=2)


def float_power__Scalar(self, exponent):
    _check_float_power("base given to float_power_", self, self, exponent)
    return write_elements(self, lambda base: float_power_Tensor_Scalar(base, exponent), self, width=2)


def _float_power_dtype(*operands):
    import runtime

    is_complex = any(isinstance(x, complex) or getattr(x, "dtype", runtime.float64).is_complex for x in operands)
    return runtime.complex128 if is_complex else runtime.float64


def _check_float_power(what, out, self, exponent):
    dtype = _float_power_dtype(self, exponent)
    if out.dtype != dtype:
        raise RuntimeError(
            f"the {what} has dtype {scalar_name(out.dtype)} but the operation's result requires dtype {scalar_name(dtype)}"
        )


# ---- gamma functions


def polygamma_(self, n):
    return aten.polygamma.out(n, self, out=self)


def mvlgamma(self, p):
    kernel, dtype = _mvlgamma(self, p)
    return write_elements(_hand_on(aten.mvlgamma.default, aten.empty_like.default, self, dtype=dtype), kernel, self, width=2 * p)


def mvlgamma_(self, p):
    kernel, dtype = _mvlgamma(self, p)
    return write_elements(self, kernel, self, width=2 * p) if self.dtype == dtype else aten.lgamma_.default(self)  # raises


def _mvlgamma(self, p):
    """What makes its results of elements, and their dtype."""
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if self.dtype == aten.ne.Tensor(self, self).dtype:
        raise RuntimeError("The input tensor may not be a boolean tensor.")
    import runtime

    dtype = self.dtype if self.dtype.is_floating_point or self.dtype.is_complex else runtime.get_default_dtype()
    shifts = aten.arange.start_step(-p / 2 + 0.5, 0.5, 0.5, dtype=dtype, device=self.device)
    constant = p * (p - 1) * math.log(math.pi) / 4

    def kernel(elements):
        terms = aten.lgamma_.default(aten.add.Tensor(aten.unsqueeze.default(elements, -1), shifts))
        return aten.add_.Scalar(aten.sum.dim_IntList(terms, [-1]), constant)

    return kernel, dtype


def special_ndtr(self):
    return aten.mul.Scalar(aten.add.Scalar(aten.erf.default(aten.mul.Scalar(self, math.sqrt(0.5))), 1), 0.5)


# ---- mantissa and exponent


def frexp(self):
    import runtime

    return aten.frexp.Tensor_out(
        self, mantissa=aten.empty_like.default(self), exponent=aten.empty_like.default(self, dtype=runtime.int32)
    )


def frexp_out(self, *, mantissa, exponent):
    import runtime

    if not self.dtype.is_floating_point:
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")
    if mantissa.dtype != self.dtype:
        raise RuntimeError(f"torch.frexp() expects mantissa to have dtype {self.dtype} but got {mantissa.dtype}")
    if exponent.dtype != runtime.int32:
        raise RuntimeError(f"torch.frexp() expects exponent to have int dtype but got {exponent.dtype}")
    if self.is_meta:
        return into(mantissa, self), into(exponent, aten.empty_like.default(self, dtype=runtime.int32))
    if all(t.shape == self.shape for t in (mantissa, exponent)) and opmath(self.dtype) == self.dtype:
        np.frexp(read(self), out=(memory(mantissa), memory(exponent)))
        return mantissa, exponent
    fraction, power = np.frexp(read(self))
    return into(mantissa, new(np.asarray(fraction))), into(exponent, new(np.asarray(power, dtype=np.int32)))
