"""The older operators of norms, over those of the `linalg` module."""

from runtime._core import ops
from runtime.kernels._common import scalar_name

aten = ops.aten


def _is_inexact(dtype):
    return dtype.is_floating_point or dtype.is_complex


def _norm(self, p, dim, keepdim, dtype):
    if not _is_inexact(dtype or self.dtype):
        what = "input dtype" if dtype is None else "the desired output dtype"
        raise RuntimeError(f"norm(): {what} should be either floating point or complex. Got {scalar_name(dtype or self.dtype)} instead.")
    if dtype is not None and not _is_inexact(self.dtype):
        self = aten.to.dtype(self, dtype)
    return aten.linalg_vector_norm.default(self, 2 if p is None else p, dim, keepdim, dtype=dtype)


def norm_ScalarOpt_dtype(self, p, *, dtype):
    return aten.norm.ScalarOpt_dim_dtype(self, p, (), False, dtype=dtype)


def norm_Scalar(self, p=2):
    return aten.norm.ScalarOpt_dim(self, p, (), False)


def norm_ScalarOpt_dim_dtype(self, p, dim, keepdim, *, dtype):
    return _norm(self, p, dim, keepdim, dtype)


def norm_ScalarOpt_dim(self, p, dim, keepdim=False):
    return _norm(self, p, dim, keepdim, None)


def native_norm(self, p=2):
    return _norm(self, p, (), False, None)


def native_norm_ScalarOpt_dim_dtype(self, p, dim, keepdim, dtype):
    return _norm(self, p, dim, keepdim, dtype)


def frobenius_norm_dim(self, dim, keepdim=False):
    if len(dim) > 2:
        raise RuntimeError(f"Expected at most 2 dimensions, but got {len(dim)} dimensions instead.")
    return aten.linalg_vector_norm.default(self, 2, dim, keepdim)


def nuclear_norm(self, keepdim=False):
    return aten.linalg_matrix_norm.str_ord(self, "nuc", (-2, -1), keepdim)


def nuclear_norm_dim(self, dim, keepdim=False):
    if len(dim) != 2:
        raise RuntimeError("nuclear norm requires a 'dim' argument of size 2")
    return aten.linalg_matrix_norm.str_ord(self, "nuc", dim, keepdim)


def norm_except_dim(v, pow=2, dim=0):
    if dim == -1:
        return aten.norm.Scalar(v, pow)
    if dim == 0:
        shape = (v.shape[0], *(1,) * (v.dim() - 1))
        return aten.view.default(aten.norm.ScalarOpt_dim(aten.reshape.default(v, (v.shape[0], -1)), pow, (1,)), shape)
    if dim == v.dim() - 1:
        shape = (*(1,) * (v.dim() - 1), v.shape[-1])
        return aten.view.default(aten.norm.ScalarOpt_dim(aten.reshape.default(v, (-1, v.shape[-1])), pow, (0,)), shape)
    return aten.transpose.int(norm_except_dim(aten.transpose.int(v, 0, dim), pow, 0), 0, dim)
