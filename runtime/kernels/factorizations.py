"""Factorizations of matrices: LU, Cholesky, LDL, QR, singular values, eigenvalues."""

import numpy as np

from runtime._core import _get_tangent, dtype_names, is_grad_enabled, ops
from runtime.kernels._arrays import adopted, new, read
from runtime.kernels._common import complex_dtype, real_dtype, scalar_name
from runtime.kernels._lapack import (
    batch_of,
    call,
    call_with_work,
    check_floating,
    check_kernel,
    check_matrix,
    check_pivots,
    check_square,
    columns_of,
    count_of,
    empty_columns,
    exchange_rows,
    flat,
    info_tensor,
    lu_of,
    nothing,
    nothing_in_columns,
    stored,
    triangular_solved,
)
from runtime.linalg import LinAlgError
from runtime.settings import warn_once

aten = ops.aten

_int32 = dtype_names["int32"]


# ---- errors


def _linalg_check_errors(info, api_name, *, is_matrix):
    if info.is_meta:
        return
    flat = read(info).reshape(-1)
    if not flat.any():
        return
    element = int(np.flatnonzero(flat)[0])
    code = int(flat[element])
    batch = "" if is_matrix else f"(Batch element {element}): "
    if code < 0:
        if api_name in ("torch.linalg.svd", "linalg.svd", "svd") and code == -4:
            raise LinAlgError(f"{api_name}: {batch}The algorithm failed to converge because the input matrix contained non-finite values.")
        raise RuntimeError(
            f"{api_name}: {batch}Argument {-code} has illegal value. Most certainly there is a bug in the implementation calling the backend library."
        )
    if "inv" in api_name:
        text = f"The diagonal element {code} is zero, the inversion could not be completed because the input matrix is singular."
    elif "solve" in api_name:
        text = "The solver failed because the input matrix is singular."
    elif "cholesky" in api_name:
        text = (
            "The factorization could not be completed because the input is not positive-definite"
            f" (the leading minor of order {code} is not positive-definite)."
        )
    elif "svd" in api_name:
        text = (
            "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular values"
            f" (error code: {code})."
        )
    elif "eig" in api_name or "syevd" in api_name:
        text = (
            "The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues"
            f" (error code: {code})."
        )
    elif "lstsq" in api_name:
        text = f"The least squares solution could not be computed because the input matrix does not have full rank (error code: {code})."
    elif "lu_factor" in api_name:
        raise RuntimeError(
            f"{api_name}: {batch}U[{code},{code}] is zero and using it on lu_solve would result in a division by zero. If you still want to"
            " perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
        )
    else:
        raise RuntimeError(f"{api_name}: {batch}Unknown error code: {code}.")
    raise LinAlgError(f"{api_name}: {batch}{text}")


def _check(info, name, matrix):
    aten._linalg_check_errors.default(info, name, is_matrix=matrix.dim() == 2)


# ---- LU


def linalg_lu_factor_ex(A, *, pivot=True, check_errors=False):
    check_matrix(A, "torch.lu_factor")
    check_kernel("lu_cpu", A)
    if not pivot:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    if A.is_meta:
        batch = A.shape[:-2]
        return nothing_in_columns(A, A.shape), nothing(A, (*batch, min(A.shape[-2:])), _int32), nothing(A, batch, _int32)
    lu = columns_of(A)
    pivots, info = lu_of(lu)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.lu_factor_ex", A)
    return adopted(lu), new(pivots), info


def linalg_lu_factor(A, *, pivot=True):
    lu, pivots, info = aten.linalg_lu_factor_ex.default(A, pivot=pivot, check_errors=False)
    _check(info, "torch.linalg.lu_factor", A)
    return lu, pivots


def _lu_with_info(self, pivot=True, check_errors=True):
    # Zeros on U's diagonal are told by the third result only: PyTorch does not look at check_errors.
    return aten.linalg_lu_factor_ex.default(self, pivot=pivot, check_errors=False)


def _triangles(lu):
    m, n = lu.shape[-2:]
    k = min(m, n)
    lower = np.tril(lu[..., :, :k], -1)
    lower[..., range(k), range(k)] = 1
    return lower, np.triu(lu[..., :k, :])


def _permutation_matrices(pivots, m, dtype):
    p = empty_columns((*pivots.shape[:-1], m, m), dtype)
    p[...] = np.eye(m, dtype=dtype)
    return exchange_rows(p, np.ascontiguousarray(pivots)).swapaxes(-1, -2)


def _empty_parts(lu):
    """Permutations, lower and upper triangles of any values."""
    *batch, m, n = lu.shape
    k = min(m, n)
    return nothing(lu, [*batch, m, m]), nothing(lu, [*batch, m, k]), nothing(lu, [*batch, k, n])


def linalg_lu(A, *, pivot=True):
    check_matrix(A, "linalg.lu")
    check_kernel("lu_cpu", A)
    if not pivot:
        raise RuntimeError("linalg.lu: LU without pivoting is not implemented on the CPU")
    if A.is_meta:
        return _empty_parts(A)
    lu = columns_of(A)
    pivots, _ = lu_of(lu)
    lower, upper = _triangles(lu)
    return tuple(new(part, A.dtype) for part in (_permutation_matrices(pivots, lu.shape[-2], lu.dtype), lower, upper))


def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    if unpack_pivots and str(LU_pivots.dtype) != "torch.int32":
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    check_matrix(LU_data, "torch.lu_unpack", "LU_data")
    p = lower = upper = None
    if LU_data.is_meta:
        parts = zip(_empty_parts(LU_data), (unpack_pivots, unpack_data, unpack_data), strict=True)
        return tuple(part if wanted else nothing(LU_data, [0]) for part, wanted in parts)
    if unpack_data:
        lower, upper = (new(part, LU_data.dtype) for part in _triangles(read(LU_data)))
    if unpack_pivots:
        check_pivots(read(LU_pivots), LU_data.shape[-2], "torch.lu_unpack")
        if LU_pivots.dim() < 1 or LU_pivots.shape[-1] > LU_data.shape[-2]:
            raise RuntimeError("torch.lu_unpack: LU_pivots has more pivots than LU_data has rows")
        dtype = read(LU_data).dtype
        p = new(_permutation_matrices(read(LU_pivots), LU_data.shape[-2], dtype), LU_data.dtype)
    return tuple(nothing(LU_data, [0]) if t is None else t for t in (p, lower, upper))


# ---- Cholesky


def linalg_cholesky_ex(self, *, upper=False, check_errors=False):
    check_square(self, "linalg.cholesky")
    check_floating(self, "linalg.cholesky")
    check_kernel("cholesky_cpu", self)
    if self.is_meta:
        return nothing_in_columns(self, self.shape), nothing(self, self.shape[:-2], _int32)
    array = columns_of(self)
    info = np.zeros(array.shape[:-2], np.int32)
    if array.size:
        n = array.shape[-1]
        call("potrf", array.dtype.char, count_of(array), "U" if upper else "L", n, stored(array), n, flat(info))
        # Not every LAPACK stops at a NaN, which is no positive pivot.
        broken = np.isnan(np.diagonal(array, axis1=-2, axis2=-1).real)
        info = np.where((info == 0) & broken.any(-1), broken.argmax(-1) + 1, info).astype(np.int32)
        _clear(array, not upper)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.cholesky_ex", self)
    return adopted(array), info


def _clear(array, above):
    """Zeros on one side of the diagonals of matrices."""
    triangle = np.tri(array.shape[-1], k=-1, dtype=bool)
    np.copyto(array, 0, where=triangle.T if above else triangle)


def linalg_cholesky(self, *, upper=False):
    factor, info = aten.linalg_cholesky_ex.default(self, upper=upper, check_errors=False)
    _check(info, "linalg.cholesky", self)
    return factor


def cholesky(self, upper=False):
    warn_once("torch.cholesky is deprecated in favor of torch.linalg.cholesky and will be removed in a future PyTorch release.")
    if self.numel() == 0:
        return aten.empty_like.default(self)
    check_square(self, "cholesky")
    check_kernel("cholesky_cpu", self)
    factor, info = linalg_cholesky_ex(self, upper=upper)
    _check(info, "cholesky", self)
    return factor


def cholesky_inverse(self, upper=False):
    check_square(self, "cholesky_inverse")
    check_kernel("cholesky_inverse_out_cpu", self, empty=True)
    if self.is_meta:
        return nothing_in_columns(self, self.shape)
    array = columns_of(self)
    if array.size:
        n, count = array.shape[-1], count_of(array)
        # A zero on the diagonal has no inverse; not every LAPACK says so.
        zero = np.diagonal(array, axis1=-2, axis2=-1) == 0
        info = np.where(zero.any(-1), zero.argmax(-1) + 1, 0).reshape(-1)
        call("potri", array.dtype.char, count, "U" if upper else "L", n, stored(array), n, np.zeros(count, np.int32))
        if info.any():
            batch = f"(Batch element {int((info != 0).argmax())}): " if array.ndim > 2 else ""
            raise LinAlgError(
                f"cholesky_inverse: {batch}The diagonal element {info[info != 0][0]} is zero, the inversion could not be completed because "
                "the input matrix is singular."
            )
        # The routine writes one triangle; the matrix is its own adjoint.
        triangle = np.tri(n, k=-1, dtype=bool)
        np.copyto(array, array.swapaxes(-1, -2).conj(), where=triangle if upper else triangle.T)
    return adopted(array)


def cholesky_solve(self, input2, upper=False):
    check_matrix(self, "cholesky_solve", "b")
    check_square(input2, "cholesky_solve")
    if self.shape[-2] != input2.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {input2.shape[-1]} by {input2.shape[-1]}"
            f" but each b matrix is {self.shape[-2]} by {self.shape[-1]}"
        )
    if self.dtype != input2.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {scalar_name(self.dtype)} and A of type"
            f" {scalar_name(input2.dtype)} instead."
        )
    check_kernel("cholesky_solve_cpu", self, empty=True)
    batch = batch_of(self, input2)
    if self.is_meta:
        return nothing_in_columns(self, (*batch, *self.shape[-2:]))
    b, factor = columns_of(self, batch), columns_of(input2, batch)
    if b.size:
        first, second = (2, 0) if upper else (0, 2)
        triangular_solved(factor, triangular_solved(factor, b, upper, first, False), upper, second, False)
    return adopted(b)


# ---- LDL


def linalg_ldl_factor_ex(self, *, hermitian=False, check_errors=False):
    check_square(self, "torch.linalg.ldl_factor_ex")
    check_floating(self, "torch.linalg.ldl_factor_ex")
    check_kernel("ldl_factor_kernel_cpu", self)
    if self.is_meta:
        return nothing_in_columns(self, self.shape), nothing(self, self.shape[:-1], _int32), nothing(self, self.shape[:-2], _int32)
    array = columns_of(self)
    pivots, info = np.zeros(array.shape[:-1], np.int32), np.zeros(array.shape[:-2], np.int32)
    if array.size:
        kind, n = array.dtype.char, array.shape[-1]
        name = "hetrf" if hermitian and kind in "FD" else "sytrf"
        call_with_work(name, kind, count_of(array), ("L", n, stored(array), n, pivots), flat(info))
        _clear(array, True)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.ldl_factor_ex", self)
    return adopted(array), new(pivots), info


def linalg_ldl_factor(self, *, hermitian=False):
    ld, pivots, info = aten.linalg_ldl_factor_ex.default(self, hermitian=hermitian, check_errors=False)
    _check(info, "torch.linalg.ldl_factor", self)
    return ld, pivots


def linalg_ldl_solve(LD, pivots, B, *, hermitian=False):
    check_square(LD, "torch.linalg.ldl_solve", "LD")
    check_floating(LD, "torch.linalg.ldl_solve")
    check_matrix(B, "torch.linalg.ldl_solve", "B")
    if LD.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"torch.linalg.ldl_solve: Incompatible matrix sizes for each LD matrix is {LD.shape[-1]} by {LD.shape[-1]}"
            f" but each B matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    if LD.dim() > B.dim() or LD.shape[:-1] != pivots.shape or pivots.dtype.is_floating_point:
        if LD.shape[:-1] != pivots.shape:
            raise RuntimeError("torch.linalg.ldl_solve: Expected LD.shape[:-1] and pivots.shape to be the same")
        if pivots.dtype.is_floating_point:
            raise RuntimeError("torch.linalg.ldl_solve: Expected pivots to be integers")
    if LD.dtype != B.dtype:
        raise RuntimeError(f"torch.linalg.ldl_solve: LD dtype {LD.dtype} does not match b dtype {B.dtype}")
    batch = batch_of(LD, B)
    if B.numel():
        check_kernel("ldl_solve_kernel_cpu", B)
    if B.is_meta or not B.numel():
        return nothing_in_columns(B, (*batch, *B.shape[-2:]))
    b, ld = columns_of(B, batch), columns_of(LD, batch)
    check_pivots(read(pivots), LD.shape[-1], "torch.linalg.ldl_solve")
    piv = np.ascontiguousarray(np.broadcast_to(read(pivots), (*batch, LD.shape[-1])), np.int32)
    name = "hetrs" if hermitian and b.dtype.char in "FD" else "sytrs"
    n, count = LD.shape[-1], count_of(b)
    call(name, b.dtype.char, count, "L", n, b.shape[-1], stored(ld), n, piv, stored(b), n, np.zeros(count, np.int32))
    return adopted(b)


# ---- QR


def linalg_qr(A, mode="reduced"):
    check_matrix(A, "linalg.qr")
    check_floating(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    check_kernel("geqrf_cpu", A, empty=True)
    *batch, m, n = A.shape
    k = m if mode == "complete" else min(m, n)
    if A.is_meta:
        return (nothing(A, [0]) if mode == "r" else nothing_in_columns(A, (*batch, m, k))), nothing_in_columns(A, (*batch, k, n))
    factors = columns_of(A)
    q, r = empty_columns((*batch, m, k), factors.dtype), empty_columns((*batch, k, n), factors.dtype)
    taus = _reflectors(factors) if factors.size else None
    r[...] = factors[..., :k, :]
    np.copyto(r, 0, where=np.tri(k, n, k=-1, dtype=bool))
    if mode == "r":
        return nothing(A, [0]), adopted(r)
    if factors.size:
        q[..., :, :n] = factors[..., :, :k]
        _multiply_reflectors(q, taus)
    else:
        q[...] = np.eye(m, k, dtype=q.dtype)
    return adopted(q), adopted(r)


def _reflectors(array):
    """Householder's reflectors in place of matrices, and their factors."""
    *batch, m, n = array.shape
    taus = np.zeros((*batch, min(m, n)), array.dtype)
    count = count_of(array)
    call_with_work("geqrf", array.dtype.char, count, (m, n, stored(array), m, taus), np.zeros(count, np.int32))
    return taus


def _multiply_reflectors(array, taus):
    """The product of reflectors in place of them."""
    m, n = array.shape[-2:]
    count = count_of(array)
    call_with_work("orgqr", array.dtype.char, count, (m, n, taus.shape[-1], stored(array), m, taus), np.zeros(count, np.int32))


def qr(self, some=True):
    warn_once("torch.qr is deprecated in favor of torch.linalg.qr and will be removed in a future PyTorch release.")
    return aten.linalg_qr.default(self, "reduced" if some else "complete")


def geqrf(self):
    if self.dim() < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf_cpu", self, empty=True)
    *batch, m, n = self.shape
    if self.is_meta or not self.numel():
        return nothing_in_columns(self, self.shape), aten.new_zeros.default(self, [*batch, min(m, n)])
    array = columns_of(self)
    taus = _reflectors(array)
    return adopted(array), new(taus)


def linalg_householder_product(input, tau):
    name = "torch.linalg.householder_product"
    if input.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if input.shape[-2] < input.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if input.shape[-1] < tau.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    if input.dim() - tau.dim() != 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.dim()}"
            f" and input.ndim is equal to {input.dim()}"
        )
    if input.dim() > 2 and tuple(input.shape[:-2]) != tuple(tau.shape[:-1]):
        raise RuntimeError(f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])}")
    if tau.dtype != input.dtype:
        raise RuntimeError(f"{name}: tau dtype {tau.dtype} does not match input dtype {input.dtype}")
    check_kernel("orgqr_cpu", input, empty=True)
    if input.is_meta:
        return nothing_in_columns(input, input.shape)
    array, taus = columns_of(input), np.ascontiguousarray(read(tau))
    if not taus.shape[-1]:
        array[...] = np.eye(*array.shape[-2:], dtype=array.dtype)
    elif array.size:
        _multiply_reflectors(array, taus)
    return adopted(array)


def orgqr(self, input2):
    return aten.linalg_householder_product.default(self, input2)


def ormqr(self, input2, input3, left=True, transpose=False):
    for t, argument in ((self, "input"), (input3, "other")):
        if t.dim() < 2:
            raise RuntimeError(f"torch.ormqr: {argument} must have at least 2 dimensions.")
    side = -2 if left else -1
    if input3.shape[side] != self.shape[-2]:
        raise RuntimeError(f"torch.ormqr: other.shape[{side}] must be equal to input.shape[-2]")
    if input2.dim() and input2.shape[-1] != min(input3.shape[side], self.shape[-1]):
        raise RuntimeError(f"torch.ormqr: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    if self.dim() - input2.dim() != 1:
        raise RuntimeError(
            f"torch.ormqr: Expected tau to have one dimension less than input, but got tau.ndim equal to {input2.dim()}"
            f" and input.ndim is equal to {self.dim()}"
        )
    if self.dim() != input3.dim():
        raise RuntimeError(
            f"torch.ormqr: Expected other to have the same number of dimensions as input, but got other.ndim equal to {input3.dim()}"
            f" and input.ndim is equal to {self.dim()}"
        )
    if tuple(self.shape[:-2]) != tuple(input2.shape[:-1]):
        raise RuntimeError(f"torch.ormqr: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(input2.shape[:-1])}")
    if tuple(self.shape[:-2]) != tuple(input3.shape[:-2]):
        raise RuntimeError(f"torch.ormqr: Expected batch dimensions of other to be equal to input.shape[:-2], but got {list(input3.shape[:-2])}")
    for t, argument in ((input2, "tau"), (input3, "other")):
        if t.dtype != self.dtype:
            raise RuntimeError(
                f"torch.ormqr: Expected input and {argument} to have the same dtype, but input has dtype {self.dtype}"
                f" and {argument} has dtype {t.dtype}"
            )
    check_kernel("ormqr_cpu", self, empty=True)
    if self.is_meta:
        return nothing_in_columns(input3, input3.shape)
    reflectors, tau, c = columns_of(self), np.ascontiguousarray(read(input2)), columns_of(input3)
    if c.size and tau.shape[-1]:
        kind, count = c.dtype.char, count_of(c)
        trans = "N" if not transpose else "C" if kind in "FD" else "T"
        m, n = c.shape[-2:]
        sizes = m, n, tau.shape[-1], stored(reflectors), self.shape[-2], tau, stored(c), m
        call_with_work("ormqr", kind, count, ("L" if left else "R", trans, *sizes), np.zeros(count, np.int32))
    return adopted(c)


# ---- singular values


def _linalg_svd(A, full_matrices=False, compute_uv=True, *, driver=None):
    check_matrix(A, "linalg.svd")
    check_floating(A, "linalg.svd")
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    check_kernel("linalg_svd_cpu", A)
    *batch, m, n = A.shape
    k = min(m, n)
    if A.is_meta:
        s = nothing(A, (*batch, k), real_dtype(A.dtype))
        if not compute_uv:
            return nothing(A, [0]), s, nothing(A, [0])
        return nothing_in_columns(A, (*batch, m, m if full_matrices else k)), s, nothing_in_columns(A, (*batch, n if full_matrices else k, n))
    array = read(A)
    if np.isnan(array).any():
        # LAPACK's routine says so by its fourth argument.
        _check(info_tensor(np.full(array.shape[:-2], -4)), "linalg.svd", A)
    # Nothing of matrices with infinities is a number.
    lost = ~np.isfinite(array).all((-2, -1))
    if lost.any():
        array = np.where(lost[..., None, None], 0, array)
    try:
        if not compute_uv:
            s = np.linalg.svd(array, compute_uv=False)
            s[lost] = np.nan
            return nothing(A, [0]), new(s, real_dtype(A.dtype)), nothing(A, [0])
        u, s, vh = np.linalg.svd(array, full_matrices=full_matrices)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.svd: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular values."
        ) from None
    for part in u, s, vh:
        part[lost] = np.nan
    return _in_columns(u), new(s, real_dtype(A.dtype)), _in_columns(vh)


def _in_columns(array, dtype=None):
    """A tensor of an array's matrices whose columns are contiguous."""
    result = empty_columns(array.shape, dtype or array.dtype)
    result[...] = array
    return adopted(result)


def linalg_svd(A, full_matrices=True, *, driver=None):
    return aten._linalg_svd.default(A, full_matrices, True, driver=driver)


def _recorded(t):
    """Whether a call gets a derivative, which needs vectors even if nobody asks for them."""
    return (t.requires_grad and is_grad_enabled()) or _get_tangent(t) is not None


def linalg_svdvals(A, *, driver=None):
    return aten._linalg_svd.default(A, False, _recorded(A), driver=driver)[1]


def svd(self, some=True, compute_uv=True):
    if self.dim() < 2:
        raise RuntimeError("linalg.svd: input should have at least 2 dimensions, but has 1 dimensions instead")
    m, n = self.shape[-2:]
    batch = list(self.shape[:-2])
    if not compute_uv:
        return aten.new_zeros.default(self, [*batch, m, m]), aten.linalg_svdvals.default(self), aten.new_zeros.default(self, [*batch, n, n])
    u, s, vh = aten._linalg_svd.default(self, not some, True)
    v = aten.transpose.int(vh, -2, -1)
    return u, s, aten.conj_physical.default(v) if v.dtype.is_complex else v


# ---- eigenvalues


def _linalg_eigh(A, UPLO="L", compute_v=True):
    check_square(A, "linalg.eigh")
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    check_kernel("linalg_eigh_cpu", A)
    if A.is_meta:
        values = nothing(A, A.shape[:-1], real_dtype(A.dtype))
        return values, nothing_in_columns(A, A.shape) if compute_v else nothing(A, [0])
    array = read(A)
    try:
        if not compute_v:
            return new(np.linalg.eigvalsh(array, UPLO), real_dtype(A.dtype)), nothing(A, [0])
        values, vectors = np.linalg.eigh(array, UPLO)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.eigh: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues."
        ) from None
    return new(values, real_dtype(A.dtype)), _in_columns(vectors)


def linalg_eigh(self, UPLO="L"):
    return aten._linalg_eigh.default(self, UPLO, True)


def linalg_eigvalsh(self, UPLO="L"):
    return aten._linalg_eigh.default(self, UPLO, _recorded(self))[0]


def _eig(function, t, name):
    """What NumPy's function finds for checked matrices; None for Meta tensors."""
    check_square(t, name)
    check_floating(t, name)
    check_kernel("linalg_eig_out_cpu", t, empty=True)
    if t.is_meta:
        return None
    array = read(t)
    if not np.isfinite(array).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    try:
        return function(array)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned.") from None


def linalg_eig(self):
    found, dtype = _eig(np.linalg.eig, self, "linalg.eig"), complex_dtype(self.dtype)
    if found is None:
        return nothing(self, self.shape[:-1], dtype), nothing_in_columns(self, self.shape, dtype)
    return new(found[0], dtype), _in_columns(found[1], np.result_type(found[1], np.complex64))


def _linalg_eigvals(self):
    found, dtype = _eig(np.linalg.eigvals, self, "linalg.eigvals"), complex_dtype(self.dtype)
    return nothing(self, self.shape[:-1], dtype) if found is None else new(found, dtype)


def linalg_eigvals(self):
    return aten.linalg_eig.default(self)[0] if _recorded(self) else aten._linalg_eigvals.default(self)


