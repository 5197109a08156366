"""Complex numbers, made of other operators."""

from runtime._core import _hand_on, ops
from runtime.settings import warn_once

aten = ops.aten


def complex(real, imag):
    return aten.complex.out(real, imag, out=_complex_like(real))


def polar(abs, angle):
    return aten.polar.out(abs, angle, out=_complex_like(abs))


def _complex_like(real):
    dtype = real.dtype.to_complex() if real.dtype.is_floating_point else real.dtype
    return aten.empty.memory_format([0], dtype=dtype, device=real.device)


def conj_physical(self):
    return aten._conj_physical.default(self) if self.dtype.is_complex else self


def _conj_physical(self):
    if self.is_conj():
        return _hand_on(aten._conj_physical.default, aten.clone.default, aten.conj.default(self))
    return aten.conj_physical.out(self, out=_hand_on(aten._conj_physical.default, aten.empty_like.default, self))


def conj_physical_(self):
    return aten.conj_physical.out(self, out=self) if self.dtype.is_complex else self


def adjoint(self):
    if self.dim() == 0:
        return aten.conj.default(self)
    _check_matrices("adjoint()", self)
    return aten.conj.default(aten.transpose.int(self, -2, -1))


# ---- transposes; Tensor has them as properties


def numpy_T(self):
    if self.dim() == 0:
        warn_once("Tensor.T is deprecated on 0-D tensors. This function is the identity in these cases.")
    elif self.dim() != 2:
        warn_once(
            "The use of `x.T` on tensors of dimension other than 2 to reverse their shape is deprecated and it will throw an error in a future "
            "release. Consider `x.mT` to transpose batches of matrices or `x.permute(*torch.arange(x.ndim - 1, -1, -1))` to reverse the "
            "dimensions of a tensor."
        )
    return aten.permute.default(self, tuple(range(self.dim() - 1, -1, -1)))


def mT(self):
    if self.dim() == 0:
        warn_once("Tensor.mT is deprecated on 0-D tensors. This function is the identity in these cases.")
        return aten.alias.default(self)
    _check_matrices("mT", self)
    return aten.transpose.int(self, -2, -1)


def matrix_H(self):
    n = self.dim()
    if n not in (0, 2):
        hint = " For batches of matrices, consider using tensor.mH" if n > 2 else ""
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor.{hint}")
    if n == 0:
        warn_once("Tensor.H is deprecated on 0-D tensors. Consider using x.conj().")
        return aten.conj.default(self)
    return aten.mH.default(self)


def mH(self):
    if self.dim() == 0:
        warn_once("Tensor.mH is deprecated on 0-D tensors. Consider using x.conj().")
        return aten.conj.default(self)
    _check_matrices("mH", self)
    return aten.conj.default(aten.transpose.int(self, -2, -1))


def _check_matrices(name, self):
    if self.dim() < 2:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got {self.dim()}-D tensor.")
