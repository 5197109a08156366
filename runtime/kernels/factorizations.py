"""Factorizations of matrices: LU, Cholesky, LDL, QR, singular values, eigenvalues."""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import complex_dtype, real_dtype, scalar_name
from runtime.kernels._lapack import (
    batch_of,
    check_floating,
    check_kernel,
    check_matrix,
    check_pivots,
    check_square,
    copy_of,
    info_tensor,
    lu_of,
    permutations,
    places,
    routine,
)
from runtime.linalg import LinAlgError

aten = ops.aten


def _nothing(t, dtype=None):
    return aten.empty.memory_format([0], dtype=dtype or t.dtype, device=t.device)


# ---- errors


def _linalg_check_errors(info, api_name, *, is_matrix):
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
    lu = copy_of(A)
    pivots, info = lu_of(lu)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.lu_factor_ex", A)
    return new(lu, A.dtype), new(pivots), info


def linalg_lu_factor(A, *, pivot=True):
    lu, pivots, info = aten.linalg_lu_factor_ex.default(A, pivot=pivot, check_errors=False)
    _check(info, "torch.linalg.lu_factor", A)
    return lu, pivots


def _lu_with_info(self, pivot=True, check_errors=True):
    return aten.linalg_lu_factor_ex.default(self, pivot=pivot, check_errors=check_errors)


def _triangles(lu):
    m, n = lu.shape[-2:]
    k = min(m, n)
    lower = np.tril(lu[..., :, :k], -1)
    lower[..., range(k), range(k)] = 1
    return lower, np.triu(lu[..., :k, :])


def _permutation_matrices(pivots, m, dtype):
    p = np.zeros(pivots.shape[:-1] + (m, m), dtype)
    np.put_along_axis(p, permutations(pivots, m)[..., None, :], 1, axis=-2)
    return p


def linalg_lu(A, *, pivot=True):
    check_matrix(A, "linalg.lu")
    check_kernel("lu_cpu", A)
    if not pivot:
        raise RuntimeError("linalg.lu: LU without pivoting is not implemented on the CPU")
    lu = copy_of(A)
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
    if unpack_data:
        lower, upper = (new(part, LU_data.dtype) for part in _triangles(read(LU_data)))
    if unpack_pivots:
        check_pivots(read(LU_pivots), LU_data.shape[-2], "torch.lu_unpack")
        if LU_pivots.dim() < 1 or LU_pivots.shape[-1] > LU_data.shape[-2]:
            raise RuntimeError("torch.lu_unpack: LU_pivots has more pivots than LU_data has rows")
        dtype = read(LU_data).dtype
        p = new(_permutation_matrices(read(LU_pivots), LU_data.shape[-2], dtype), LU_data.dtype)
    return tuple(_nothing(LU_data) if t is None else t for t in (p, lower, upper))


# ---- Cholesky


def linalg_cholesky_ex(self, *, upper=False, check_errors=False):
    check_square(self, "linalg.cholesky")
    check_floating(self, "linalg.cholesky")
    check_kernel("cholesky_cpu", self)
    array = copy_of(self)
    info = np.zeros(array.shape[:-2], np.int32)
    if array.size:
        potrf = routine("potrf", array.dtype.char)
        for i in places(array):
            array[i], info[i] = potrf(array[i], lower=not upper, clean=True)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.cholesky_ex", self)
    return new(array, self.dtype), info


def linalg_cholesky(self, *, upper=False):
    factor, info = aten.linalg_cholesky_ex.default(self, upper=upper, check_errors=False)
    _check(info, "linalg.cholesky", self)
    return factor


def cholesky(self, upper=False):
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
    array = copy_of(self)
    if array.size:
        potri = routine("potri", array.dtype.char)
        for i in places(array):
            half, _ = potri(array[i], lower=not upper)
            other = half.conj().T
            array[i] = np.triu(half) + np.tril(other, -1) if upper else np.tril(half) + np.triu(other, 1)
    return new(array)


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
    b, factor = copy_of(self, batch), copy_of(input2, batch)
    if b.size:
        potrs = routine("potrs", b.dtype.char)
        for i in places(b):
            b[i], _ = potrs(factor[i], b[i], lower=not upper)
    return new(b)


# ---- LDL


def _sytrf(kind, hermitian):
    return routine("hetrf" if hermitian and kind in "FD" else "sytrf", kind)


def linalg_ldl_factor_ex(self, *, hermitian=False, check_errors=False):
    check_square(self, "torch.linalg.ldl_factor_ex")
    check_floating(self, "torch.linalg.ldl_factor_ex")
    check_kernel("ldl_factor_kernel_cpu", self)
    array = copy_of(self)
    pivots, info = np.zeros(array.shape[:-1], np.int32), np.zeros(array.shape[:-2], np.int32)
    if array.size:
        factor = _sytrf(array.dtype.char, hermitian)
        for i in places(array):
            ld, pivots[i], info[i] = factor(array[i], lower=1)
            array[i] = np.tril(ld)
    info = info_tensor(info)
    if check_errors:
        _check(info, "torch.linalg.ldl_factor_ex", self)
    return new(array, self.dtype), new(pivots), info


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
    b, ld = copy_of(B, batch), copy_of(LD, batch)
    if b.size:
        check_kernel("ldl_solve_kernel_cpu", B)
        check_pivots(read(pivots), LD.shape[-1], "torch.linalg.ldl_solve")
        piv = np.broadcast_to(read(pivots), (*batch, LD.shape[-1]))
        solve = routine("hetrs" if hermitian and b.dtype.char in "FD" else "sytrs", b.dtype.char)
        for i in places(b):
            b[i], _ = solve(ld[i], piv[i], b[i], lower=1)
    return new(b, B.dtype)


# ---- QR


def linalg_qr(A, mode="reduced"):
    check_matrix(A, "linalg.qr")
    check_floating(A, "linalg.qr")
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    check_kernel("geqrf_cpu", A, empty=True)
    array = read(A)
    m, n = array.shape[-2:]
    if not array.size:
        k = m if mode == "complete" else min(m, n)
        q = np.zeros((*array.shape[:-2], m, k), array.dtype)
        if mode == "complete":
            q[..., range(m), range(m)] = 1
        r = np.zeros((*array.shape[:-2], k, n), array.dtype)
        return (_nothing(A) if mode == "r" else new(q, A.dtype)), new(r, A.dtype)
    if mode == "r":
        return _nothing(A), new(np.linalg.qr(array, mode="r"), A.dtype)
    q, r = np.linalg.qr(array, mode=mode)
    return new(q, A.dtype), new(r, A.dtype)


def qr(self, some=True):
    return aten.linalg_qr.default(self, "reduced" if some else "complete")


def geqrf(self):
    if self.dim() < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    check_kernel("geqrf_cpu", self, empty=True)
    array = copy_of(self)
    tau = np.zeros((*array.shape[:-2], min(array.shape[-2:])), array.dtype)
    if array.size:
        factor = routine("geqrf", array.dtype.char)
        for i in places(array):
            array[i], tau[i], _, _ = factor(array[i])
    return new(array), new(tau)


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
    array, taus = copy_of(input), read(tau)
    if array.size:
        if not taus.shape[-1]:
            array[...] = 0
            array[..., range(array.shape[-1]), range(array.shape[-1])] = 1
        else:
            product = routine("orgqr", array.dtype.char)
            for i in places(array):
                array[i], _, _ = product(array[i], taus[i])
    return new(array)


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
    reflectors, tau, c = read(self), read(input2), copy_of(input3)
    if c.size and tau.shape[-1]:
        kind = c.dtype.char
        multiply = routine("ormqr", kind)
        trans = "N" if not transpose else "C" if kind in "FD" else "T"
        for i in places(c):
            factor = np.asfortranarray(reflectors[i][..., : tau.shape[-1]])
            lwork = max(1, int(multiply("L" if left else "R", trans, factor, tau[i], c[i], -1)[1][0].real))
            c[i], _, _ = multiply("L" if left else "R", trans, factor, tau[i], c[i], lwork)
    return new(c)


# ---- singular values


def _linalg_svd(A, full_matrices=False, compute_uv=True, *, driver=None):
    check_matrix(A, "linalg.svd")
    check_floating(A, "linalg.svd")
    if driver is not None:
        raise RuntimeError("torch.linalg.svd: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    check_kernel("linalg_svd_cpu", A)
    array = read(A)
    if not np.isfinite(array).all():
        # LAPACK's routine says so by its fourth argument.
        _check(info_tensor(np.full(array.shape[:-2], -4)), "linalg.svd", A)
    try:
        if not compute_uv:
            return _nothing(A), new(np.linalg.svd(array, compute_uv=False), real_dtype(A.dtype)), _nothing(A)
        u, s, vh = np.linalg.svd(array, full_matrices=full_matrices)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.svd: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated singular values."
        ) from None
    return new(u, A.dtype), new(s, real_dtype(A.dtype)), new(vh, A.dtype)


def linalg_svd(A, full_matrices=True, *, driver=None):
    return aten._linalg_svd.default(A, full_matrices, True, driver=driver)


def linalg_svdvals(A, *, driver=None):
    return aten._linalg_svd.default(A, False, False, driver=driver)[1]


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
    array = read(A)
    try:
        if not compute_v:
            return new(np.linalg.eigvalsh(array, UPLO), real_dtype(A.dtype)), _nothing(A)
        values, vectors = np.linalg.eigh(array, UPLO)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.eigh: The algorithm failed to converge because the input matrix is ill-conditioned or has too many repeated eigenvalues."
        ) from None
    return new(values, real_dtype(A.dtype)), new(vectors, A.dtype)


def linalg_eigh(self, UPLO="L"):
    return aten._linalg_eigh.default(self, UPLO, True)


def linalg_eigvalsh(self, UPLO="L"):
    return aten._linalg_eigh.default(self, UPLO, False)[0]


def _eig(function, t, name):
    check_square(t, name)
    check_floating(t, name)
    check_kernel("linalg_eig_out_cpu", t, empty=True)
    array = read(t)
    if not np.isfinite(array).all():
        raise RuntimeError("torch.linalg.eig: input tensor should not contain infs or NaNs.")
    try:
        return function(array)
    except np.linalg.LinAlgError:
        raise LinAlgError(f"{name}: The algorithm failed to converge because the input matrix is ill-conditioned.") from None


def linalg_eig(self):
    values, vectors = _eig(np.linalg.eig, self, "linalg.eig")
    return new(values, complex_dtype(self.dtype)), new(vectors, complex_dtype(self.dtype))


def _linalg_eigvals(self):
    return new(_eig(np.linalg.eigvals, self, "linalg.eigvals"), complex_dtype(self.dtype))


def linalg_eigvals(self):
    return aten._linalg_eigvals.default(self)


