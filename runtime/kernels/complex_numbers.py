"""Complex numbers, made of other operators."""

from runtime._core import ops

aten = ops.aten


def real(self):
    if not self.dtype.is_complex:
        return self
    return aten.select.int(aten.view_as_real.default(aten.resolve_conj.default(self)), self.dim(), 0)


def imag(self):
    if not self.dtype.is_complex:
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return aten.select.int(aten.view_as_real.default(aten.resolve_conj.default(self)), self.dim(), 1)


def complex(real, imag):
    return aten.complex.out(real, imag, out=_complex_like("complex", real))


def polar(abs, angle):
    return aten.polar.out(abs, angle, out=_complex_like("polar", abs))


def _complex_like(name, real):
    dtype = real.dtype.to_complex() if real.dtype.is_floating_point else real.dtype
    return aten.empty.memory_format([0], dtype=dtype, device=real.device)


def conj(self):
    return aten.conj_physical.default(self) if self.dtype.is_complex else self


def conj_physical(self):
    return aten._conj_physical.default(self) if self.dtype.is_complex else self


def _conj_physical(self):
    return aten.conj_physical.out(self, out=aten.empty_like.default(self))


def conj_physical_(self):
    return aten.conj_physical.out(self, out=self) if self.dtype.is_complex else self


def resolve_conj(self):
    return aten.clone.default(self) if self.is_conj() else self


def resolve_neg(self):
    return aten.clone.default(self) if self.is_neg() else self


def adjoint(self):
    if self.dim() == 0:
        return aten.conj.default(self)
    _check_matrices("adjoint()", self)
    return aten.conj.default(aten.transpose.int(self, -2, -1))


# ---- transposes; Tensor has them as properties


def numpy_T(self):
    return aten.permute.default(self, tuple(range(self.dim() - 1, -1, -1)))


def mT(self):
    _check_matrices("mT", self)
    return aten.transpose.int(self, -2, -1)


def matrix_H(self):
    n = self.dim()
    if n not in (0, 2):
        hint = " For batches of matrices, consider using tensor.mH" if n > 2 else ""
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {n}-D tensor.{hint}")
    return self if n == 0 else aten.mH.default(self)


def mH(self):
    _check_matrices("mH", self)
    return aten.conj.default(aten.transpose.int(self, -2, -1))


def _check_matrices(name, self):
    if self.dim() < 2:
        raise RuntimeError(f"tensor.{name} is only supported on matrices or batches of matrices. Got {self.dim()}-D tensor.")
