"""Solutions of linear equations, and what follows from factorizations: inverses, determinants, ranks, pseudoinverses, powers."""

import math

import numpy as np

from runtime._core import _hand_on, dtype_names, finfo, ops
from runtime.kernels._arrays import adopted, new, read
from runtime.kernels._common import real_dtype, scalar_name
from runtime.kernels._lapack import (
    batch_of,
    call_with_work,
    check_compatible,
    check_floating,
    check_kernel,
    check_matrix,
    check_pivots,
    check_same_dtype,
    check_square,
    columns_of,
    conjugate_transpose,
    count_of,
    empty_columns,
    flat,
    info_tensor,
    is_wide,
    lu_of,
    lu_solved,
    nothing,
    nothing_in_columns,
    stored,
    triangular_solved,
)
from runtime.linalg import LinAlgError
from runtime.settings import warn_once

aten = ops.aten

_int32, _int64 = dtype_names["int32"], dtype_names["int64"]


def _check(info, name, matrix):
    aten._linalg_check_errors.default(info, name, is_matrix=matrix.dim() == 2)


# ---- linear equations


def _is_vector(a, b):
    """Whether the right hand sides are vectors, by the rule of `linalg.solve`."""
    return b.dim() == 1 or (a.dim() - 1 == b.dim() and tuple(a.shape[:-1]) == tuple(b.shape))


def _linalg_solve_ex(A, B, *, left=True, check_errors=False):
    check_floating(A, "linalg.solve")
    check_same_dtype(A, B, "linalg.solve")
    check_square(A, "linalg.solve")
    vector = _is_vector(A, B)
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is equivalent to"
            " B / A.squeeze(-1)"
        )
    rhs = aten.unsqueeze.default(B, -1) if vector else B
    if rhs.dim() < 2:
        check_matrix(rhs, "linalg.solve", "B")
    check_compatible(A, rhs, left, "linalg.solve")
    check_kernel("lu_cpu", A)
    batch = batch_of(A, rhs)
    if A.is_meta:
        shape = (*batch, *rhs.shape[-2:])
        x = nothing_in_columns(B, shape) if left else nothing(B, shape)
        x = aten.squeeze.dim(x, -1) if vector else x
        return x, nothing_in_columns(A, A.shape), nothing(A, A.shape[:-1], _int32), nothing(A, A.shape[:-2], _int32)
    lu = columns_of(A)
    pivots, info = lu_of(lu)
    wide, exchanges = lu, pivots
    if lu.shape[:-2] != batch:
        wide, exchanges = columns_of(adopted(lu), batch), np.broadcast_to(pivots, batch + pivots.shape[-1:]).copy()
    # X A = B means A^T X^T = B^T.
    x = lu_solved(wide, exchanges, columns_of(rhs if left else aten.transpose.int(rhs, -2, -1), batch), 0 if left else 1)
    if not left:
        x = np.swapaxes(x, -1, -2)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.solve_ex", A)
    return adopted(x[..., 0] if vector else x), adopted(lu), new(pivots), info


def linalg_solve_ex(A, B, *, left=True, check_errors=False):
    result, _, _, info = aten._linalg_solve_ex.default(A, B, left=left, check_errors=check_errors)
    return result, info


def linalg_solve(A, B, *, left=True):
    result, info = aten.linalg_solve_ex.default(A, B, left=left, check_errors=False)
    _check(info, "torch.linalg.solve", A)
    return result


def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    name = "torch.linalg.lu_solve"
    check_floating(LU, name)
    if LU.dtype != B.dtype:
        raise RuntimeError(
            f"linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type {LU.dtype} and B of type {B.dtype} instead"
        )
    if str(pivots.dtype) != "torch.int32":
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    check_square(LU, name, "LU")
    check_matrix(B, "linalg.lu_solve", "B")
    check_compatible(LU, B, left, "linalg.lu_solve")
    if LU.shape[-1] != pivots.shape[-1]:
        raise RuntimeError("linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix")
    if tuple(LU.shape[:-1]) != tuple(pivots.shape):
        raise RuntimeError(
            f"linalg.lu_solve: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape {list(pivots.shape)} instead"
        )
    check_kernel("linalg.lu_solve_cpu", B)
    batch = batch_of(LU, B)
    if LU.is_meta:
        shape = (*batch, *B.shape[-2:])
        return nothing_in_columns(B, shape) if left else nothing(B, shape)
    lu, b = columns_of(LU, batch), columns_of(B if left else conjugate_transpose(B), batch)
    check_pivots(read(pivots), LU.shape[-1], "linalg.lu_solve")
    piv = np.broadcast_to(read(pivots), (*batch, pivots.shape[-1])).copy()
    if left:
        return adopted(lu_solved(lu, piv, b, 2 if adjoint else 0))
    # X A = B means A^H X^H = B^H, and X A^H = B means A X^H = B^H.
    x = lu_solved(lu, piv, b, 0 if adjoint else 2)
    return adopted(np.conj(x, out=x).swapaxes(-1, -2))


def lu_solve(self, LU_data, LU_pivots):
    return aten.linalg_lu_solve.default(LU_data, LU_pivots, self)


def linalg_solve_triangular(self, B, *, upper, left=True, unitriangular=False):
    name = "linalg.solve_triangular"
    check_matrix(B, name, "B")
    check_square(self, name)
    check_compatible(self, B, left, name)
    check_kernel("triangular_solve_cpu", self, empty=True)
    if B.dtype != self.dtype:
        B = aten.to.dtype(B, self.dtype)
    batch = batch_of(self, B)
    if self.is_meta:
        return nothing_in_columns(B, (*batch, *B.shape[-2:]))
    self, B = _resolved(self), _resolved(B)
    return adopted(triangular_solved(columns_of(self, batch), columns_of(B, batch), upper, 0, unitriangular, left))


def _resolved(t):
    """A tensor whose memory holds its elements: `linalg_solve_triangular` gets lazy bits."""
    return aten.clone.default(t) if t.is_conj() or t.is_neg() else t


def triangular_solve(self, A, upper=True, transpose=False, unitriangular=False):
    warn_once("torch.triangular_solve is deprecated in favor of torch.linalg.solve_triangular and will be removed in a future PyTorch release.")
    if self.dim() < 2:
        raise RuntimeError(f"torch.triangular_solve: Expected b to have at least 2 dimensions, but it has {self.dim()} dimensions instead")
    if A.dim() < 2:
        raise RuntimeError(f"torch.triangular_solve: Expected A to have at least 2 dimensions, but it has {A.dim()} dimensions instead")
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} matrices")
    if A.shape[-1] != self.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for triangular_solve: each A matrix is {A.shape[-1]} by {A.shape[-1]}"
            f" but each b matrix is {self.shape[-2]} by {self.shape[-1]}"
        )
    if self.dtype != A.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {scalar_name(self.dtype)} and A of type {scalar_name(A.dtype)} instead."
        )
    check_kernel("triangular_solve_cpu", A, empty=True)
    batch = batch_of(self, A)
    if self.is_meta:
        return nothing_in_columns(self, (*batch, *self.shape[-2:])), nothing_in_columns(self, (*batch, *A.shape[-2:]))
    a, b = columns_of(A, batch), columns_of(self, batch)
    return adopted(triangular_solved(a, b, upper, 1 if transpose else 0, unitriangular)), adopted(a)


def linalg_lstsq(self, b, rcond=None, *, driver=None):
    name = "torch.linalg.lstsq"
    if self.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if b.dim() < 1:
        raise RuntimeError(f"{name}: other must have at least 1 dimension.")
    if self.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: Expected input and other to have the same dtype, but got input's dtype {scalar_name(self.dtype)}"
            f" and other's dtype {scalar_name(b.dtype)}"
        )
    if not 0 <= self.dim() - b.dim() <= 1:
        raise RuntimeError(f"{name}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1")
    vector = self.dim() - 1 == b.dim() and tuple(self.shape[:-1]) == tuple(b.shape)
    rhs = aten.unsqueeze.default(b, -1) if vector else b
    if self.shape[-2] != rhs.shape[-2]:
        raise RuntimeError(f"{name}: input.size(-2) should match other.size({-1 if vector else -2})")
    check_floating(self, name, narrow=False)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"{name}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss)")
    driver = driver or "gelsy"
    m, n, nrhs = self.shape[-2], self.shape[-1], rhs.shape[-1]
    if rcond is None:
        rcond = finfo(real_dtype(self.dtype)).eps * max(m, n)
    batch = batch_of(self, rhs)
    a, right = columns_of(self, batch), columns_of(rhs, batch)
    if np.isnan(a).any() or np.isnan(right).any():
        raise RuntimeError(f"{name}: input and other should not contain NaNs.")
    real = a.real.dtype
    x = empty_columns((*batch, max(m, n), nrhs), a.dtype)
    x[...] = 0
    x[..., :m, :] = right
    ranks = np.zeros(batch, np.int32)
    values = np.zeros((*batch, min(m, n)), real)
    if a.size and nrhs:
        _least_squares(driver, a.copy(order="K"), x, ranks, values, rcond)
    elif m:
        x[..., :n, :] = 0
    x = x[..., :n, :]
    if m > n and driver != "gelsy" and (driver == "gels" or (ranks == n).all()):
        residuals = (np.abs(a @ x - right) ** 2).sum(-2, dtype=real)
    else:
        residuals = np.zeros(0, real)
    no_rank, no_values = driver == "gels", driver in ("gels", "gelsy")
    return (
        adopted(x[..., 0] if vector else x),
        new(residuals),
        new(np.zeros(0, np.int64) if no_rank else ranks.astype(np.int64)),
        new(np.zeros(0, real) if no_values else values),
    )


def _least_squares(driver, a, x, ranks, values, rcond):
    """Solutions of smallest norm in place of the right hand sides, their ranks and the singular values, where the driver finds them."""
    m, n = a.shape[-2:]
    kind, count, larger = a.dtype.char, count_of(a), x.shape[-2]
    info = np.zeros(count, np.int32)
    matrices = m, n, x.shape[-1], stored(a), m, stored(x), larger
    real = values.dtype
    limit = np.array(rcond, real)
    smaller = min(m, n)
    leaf = 25  # the size of the subproblems that gelsd does not divide, and how often it divides: for the sizes of its workspaces
    levels = max(0, int(math.log2(smaller / (leaf + 1))) + 1)
    if driver == "gels":
        call_with_work("gels", kind, count, ("N", *matrices), info)
        if info.any():
            raise LinAlgError(
                "torch.linalg.lstsq: The least squares solution could not be computed because the input matrix does not have full rank"
                f" (error code: {info[info != 0][0]})."
            )
        return
    rest = []
    if kind in "FD":
        columns = x.shape[-1]
        most = {
            "gelsy": 2 * n,
            "gelss": 5 * smaller,
            "gelsd": larger * (10 + 2 * leaf + 8 * levels + 1 + columns) + (3 * leaf + 2) * columns + (leaf + 1) ** 2,
        }
        rest.append((np.empty(most[driver], real),))
    if driver == "gelsy":
        # Every column may be moved; the routine writes where it moved them.
        call_with_work("gelsy", kind, count, (*matrices, np.zeros((count, n), np.int32), limit, flat(ranks)), *rest, info)
        return
    if driver == "gelsd":
        rest.append((np.empty(smaller * (3 * levels + 11), np.int32),))
    call_with_work(driver, kind, count, (*matrices, values, limit, flat(ranks)), *rest, info)
    if info.any():
        raise LinAlgError("torch.linalg.lstsq: The singular values of the input matrix could not be computed.")


# ---- inverses


def linalg_inv_ex(A, *, check_errors=False):
    check_square(A, "linalg.inv")
    check_floating(A, "linalg.inv", narrow=False)
    if A.is_meta:
        return nothing_in_columns(A, A.shape), nothing(A, A.shape[:-2], _int32)
    lu = columns_of(A)
    pivots, info = lu_of(lu)
    eye = empty_columns(lu.shape, lu.dtype)
    eye[...] = np.eye(lu.shape[-1], dtype=lu.dtype)
    inverse = lu_solved(lu, pivots, eye)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.inv_ex", A)
    return adopted(inverse), info


def linalg_inv(A):
    result, info = aten.linalg_inv_ex.default(A, check_errors=False)
    _check(info, "linalg.inv", A)
    return result


def inverse(self):
    return aten.linalg_inv.default(self)


def linalg_tensorinv(self, ind=2):
    if ind <= 0:
        raise RuntimeError("Expected a strictly positive integer for 'ind'")
    if ind > self.dim():
        raise RuntimeError(f"ArrayRef: invalid slice, N = {ind}; size = {self.dim()}")
    shape = list(self.shape)
    rows, columns = math.prod(shape[:ind]), math.prod(shape[ind:])
    if rows != columns:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got {columns} != {rows}"
        )
    result = aten.linalg_inv_ex.default(aten.reshape.default(self, [rows, columns]), check_errors=False)
    _check(result[1], "inv", aten.reshape.default(self, [rows, columns]))
    return aten.reshape.default(result[0], shape[ind:] + shape[:ind])


def linalg_tensorsolve(self, other, dims=None):
    a = self
    if dims is not None:
        a = aten.movedim.intlist(a, list(dims), list(range(a.dim() - len(dims), a.dim())))
    unknown = list(a.shape[other.dim() :])
    if math.prod(unknown) != other.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got"
            f" {math.prod(unknown)} != {other.numel()}"
        )
    n = math.prod(unknown)
    result = aten.linalg_solve.default(aten.reshape.default(a, [n, n]), aten.reshape.default(other, [-1]))
    return aten.reshape.default(result, unknown)


def linalg_pinv_atol_rtol_tensor(self, *, atol=None, rtol=None, hermitian=False):
    if self.dim() < 2 or not is_wide(self.dtype):
        raise RuntimeError(
            f"linalg.pinv({scalar_name(self.dtype)}{{{list(self.shape)}}}): expected a tensor with 2 or more dimensions of float, double,"
            " cfloat or cdouble types"
        )
    for t, argument in ((atol, "atol"), (rtol, "rtol")):
        if t is not None and t.dtype.is_complex:
            raise RuntimeError(f"torch.linalg.pinv: {argument} tensor of complex type is not supported. Got {scalar_name(t.dtype)}")
    if self.numel() == 0:
        u, s, vh = aten.linalg_svd.default(self, False)  # no largest singular value to compare with
        inverted = aten.unsqueeze.default(aten.to.dtype(aten.reciprocal.default(s), self.dtype), -2)
        return aten.matmul.default(aten.mul.Tensor(conjugate_transpose(vh), inverted), conjugate_transpose(u))
    if hermitian:
        s, u = aten.linalg_eigh.default(self)
        size = aten.abs.default(s)
        largest = aten.amax.default(size, [-1], True)
    else:
        u, s, vh = aten.linalg_svd.default(self, False)
        size = s
        largest = aten.narrow.default(s, -1, 0, 1)
    keep = aten.gt.Tensor(size, _tolerance(self, atol, rtol, largest))
    inverted = aten.where.ScalarOther(keep, aten.reciprocal.default(s), 0)
    inverted = aten.unsqueeze.default(aten.to.dtype(inverted, self.dtype), -2)
    if hermitian:
        return aten.matmul.default(aten.mul.Tensor(u, inverted), conjugate_transpose(u))
    return aten.matmul.default(aten.mul.Tensor(conjugate_transpose(vh), inverted), conjugate_transpose(u))


def _tolerance(self, atol, rtol, largest):
    """max(atol, rtol * largest), with PyTorch's defaults; `largest` keeps its last dimension."""
    options = {"dtype": largest.dtype, "device": self.device}
    if atol is None:
        atol = aten.scalar_tensor.default(0.0, **options)
    if rtol is None:
        eps = finfo(largest.dtype).eps * max(self.shape[-2:])
        default = aten.scalar_tensor.default(eps, **options)
        rtol = aten.where.ScalarSelf(aten.gt.Scalar(atol, 0), 0.0, default)
    if atol.dim():
        atol = aten.unsqueeze.default(atol, -1)
    if rtol.dim():
        rtol = aten.unsqueeze.default(rtol, -1)
    return aten.maximum.default(aten.to.dtype(atol, largest.dtype), aten.mul.Tensor(aten.to.dtype(rtol, largest.dtype), largest))


def _number(value, self):
    return None if value is None else aten.scalar_tensor.default(value, dtype=real_dtype(self.dtype), device=self.device)


def linalg_pinv_atol_rtol_float(self, *, atol=None, rtol=None, hermitian=False):
    if self.dim() < 2 or not is_wide(self.dtype):
        return linalg_pinv_atol_rtol_tensor(self)  # raises
    return aten.linalg_pinv.atol_rtol_tensor(self, atol=_number(atol, self), rtol=_number(rtol, self), hermitian=hermitian)


def linalg_pinv(self, rcond, hermitian=False):
    return aten.linalg_pinv.atol_rtol_float(self, atol=0.0, rtol=rcond, hermitian=hermitian)


def linalg_pinv_rcond_tensor(self, rcond, hermitian=False):
    return aten.linalg_pinv.atol_rtol_tensor(self, atol=_number(0.0, self), rtol=rcond, hermitian=hermitian)


def linalg_pinv_out_rcond_tensor(self, rcond, hermitian=False, *, out):
    return aten.linalg_pinv.atol_rtol_tensor_out(self, atol=_number(0.0, self), rtol=rcond, hermitian=hermitian, out=out)


def pinverse(self, rcond=1e-15):
    return aten.linalg_pinv.default(self, rcond, False)


def _rank(self, atol, rtol, hermitian):
    check_matrix(self, "linalg.matrix_rank", "input")
    for t, argument in ((atol, "atol"), (rtol, "rtol")):
        if t is not None and t.dtype.is_complex:
            raise RuntimeError(f"torch.linalg.matrix_rank: {argument} tensor of complex type is not supported.")
    if rtol is None and not is_wide(self.dtype):
        raise RuntimeError("This function doesn't handle types other than float and double")
    if self.numel() == 0:
        return aten.zeros.default(list(self.shape[:-2]), dtype=_int64, device=self.device)
    s = aten.abs.default(aten.linalg_eigvalsh.default(self)) if hermitian else aten.linalg_svdvals.default(self)
    largest = aten.amax.default(s, [-1], True)
    return aten.sum.dim_IntList(aten.gt.Tensor(s, _tolerance(self, atol, rtol, largest)), [-1])


def linalg_matrix_rank_atol_rtol_tensor(input, *, atol=None, rtol=None, hermitian=False):
    return _rank(input, atol, rtol, hermitian)


def linalg_matrix_rank_atol_rtol_float(self, *, atol=None, rtol=None, hermitian=False):
    return _rank(self, _number(atol, self), _number(rtol, self), hermitian)


def linalg_matrix_rank(self, tol, hermitian=False):
    return _rank(self, _number(tol, self), _number(0.0, self), hermitian)


def linalg_matrix_rank_tol_tensor(input, tol, hermitian=False):
    return _rank(input, tol, _number(0.0, input), hermitian)


def linalg_matrix_rank_out_tol_tensor(input, tol, hermitian=False, *, out):
    return aten.linalg_matrix_rank.atol_rtol_tensor_out(input, atol=tol, rtol=_number(0.0, input), hermitian=hermitian, out=out)


# ---- determinants


def _diagonal_and_parity(lu, pivots):
    diagonal = np.diagonal(lu, axis1=-2, axis2=-1)
    exchanges = (pivots != np.arange(1, pivots.shape[-1] + 1)).sum(-1)
    parity = np.where(exchanges % 2, -1, 1).astype(lu.dtype)
    return diagonal, parity


def _linalg_det(A):
    check_square(A, "linalg.det")
    check_floating(A, "linalg.det")
    check_kernel("lu_cpu", A)
    if A.is_meta:
        return nothing(A, A.shape[:-2]), nothing_in_columns(A, A.shape), nothing(A, A.shape[:-1], _int32)
    lu = columns_of(A)
    pivots, _ = lu_of(lu)
    diagonal, parity = _diagonal_and_parity(lu, pivots)
    with np.errstate(over="ignore", invalid="ignore"):
        determinant = diagonal.prod(-1) * parity
    return new(determinant, A.dtype), adopted(lu), new(pivots)


def linalg_det(A):
    return aten._linalg_det.default(A)[0]


def det(self):
    return aten.linalg_det.default(self)


def _linalg_slogdet(A):
    check_square(A, "linalg.slogdet")
    check_floating(A, "linalg.slogdet", narrow=False)
    if A.is_meta:
        sign, logarithm = nothing(A, A.shape[:-2]), nothing(A, A.shape[:-2], real_dtype(A.dtype))
        return sign, logarithm, nothing_in_columns(A, A.shape), nothing(A, A.shape[:-1], _int32)
    lu = columns_of(A)
    pivots, _ = lu_of(lu)
    diagonal, parity = _diagonal_and_parity(lu, pivots)
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.abs(diagonal)).sum(-1)
    sign = (np.sign(diagonal).prod(-1) * parity).astype(lu.dtype)
    return new(sign, A.dtype), new(logarithm, real_dtype(A.dtype)), adopted(lu), new(pivots)


def linalg_slogdet(A):
    return aten._linalg_slogdet.default(A)[:2]


def slogdet(self):
    return aten.linalg_slogdet.default(self)


def logdet(self):
    check_square(self, "logdet")
    check_floating(self, "logdet", narrow=False)
    sign, logarithm = aten.linalg_slogdet.default(self)
    if self.dtype.is_complex:
        return aten.add.Tensor(aten.log.default(sign), logarithm)
    return aten.where.ScalarSelf(aten.eq.Scalar(sign, -1), math.nan, logarithm)


# ---- powers


def linalg_matrix_power(self, n):
    check_square(self, "linalg.matrix_power")
    if n == 0:
        result = _hand_on(aten.linalg_matrix_power.default, aten.clone.default, self, memory_format=_contiguous())
        aten.fill_.Scalar(aten.diagonal.default(aten.zero_.default(result), 0, -2, -1), 1)
        return result
    base = aten.linalg_inv.default(self) if n < 0 else self
    n = abs(n)
    if n == 1:
        return _hand_on(aten.linalg_matrix_power.default, aten.clone.default, base)
    result = None
    while n:
        if n & 1:
            result = base if result is None else _power_product(result, base, n == 1)
        n >>= 1
        if n:
            base = _power_product(base, base, n == 1 and result is None)
    return result


def _power_product(left, right, is_last):
    if is_last and left.dim() == 2:
        return _hand_on(aten.linalg_matrix_power.default, aten.mm.default, left, right)
    return aten.matmul.default(left, right)


def _contiguous():
    from runtime._core import format_names

    return format_names["contiguous_format"]


def matrix_power(self, n):
    return _hand_on(aten.matrix_power.default, aten.linalg_matrix_power.default, self, n)


def linalg_matrix_exp(self):
    check_square(self, "linalg.matrix_exp")
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"linalg.matrix_exp: Expected a floating point or complex tensor as input. Got {scalar_name(self.dtype)}")
    if not self.numel() or self.is_meta:
        return nothing(self, self.shape)
    import scipy.linalg

    return new(scipy.linalg.expm(read(self)), self.dtype)


def matrix_exp(self):
    return aten.linalg_matrix_exp.default(self)


# ---- condition numbers


def linalg_cond(self, p=None):
    check_matrix(self, "linalg.cond")
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"linalg.cond: Expected a floating point or complex tensor as input. Got {scalar_name(self.dtype)}")
    if p is None or p in (2, -2):
        if self.numel() == 0:
            return aten.zeros.default(self.shape[:-2], dtype=real_dtype(self.dtype), device=self.device)
        s = aten.linalg_svdvals.default(self)
        first, last = aten.select.int(s, -1, 0), aten.select.int(s, -1, -1)
        return aten.div.Tensor(last, first) if p == -2 else aten.div.Tensor(first, last)
    return _cond_by_inverse(self, p, lambda t: aten.linalg_matrix_norm.default(t, p))


def linalg_cond_p_str(self, p):
    check_matrix(self, "linalg.cond")
    if p not in ("fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    if p == "nuc":
        check_square(self, "linalg.cond")
    return _cond_by_inverse(self, p, lambda t: aten.linalg_matrix_norm.str_ord(t, p))


def _cond_by_inverse(self, p, norm):
    if self.numel() == 0:
        return aten.zeros.default(list(self.shape[:-2]), dtype=real_dtype(self.dtype), device=self.device)
    check_square(self, "linalg.cond")
    if p not in (1, -1, math.inf, -math.inf, "fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    inverted, info = aten.linalg_inv_ex.default(self)
    size = aten.mul.Tensor(norm(self), norm(inverted))
    return aten.where.ScalarSelf(aten.ne.Scalar(info, 0), math.inf, size)
