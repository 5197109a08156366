"""Gradients of factorizations of matrices.

Each follows from the factors' differentials, which the structure of the factors (triangular, unitary) determines. Phases that LAPACK chooses
for vectors of complex matrices are no functions of the matrix: losses that depend on them are refused.
"""

from runtime._core import ops
from runtime.derivatives.common import adjoint

aten = ops.aten


def no_derivative(name):
    """Say that an operator has no derivative."""
    raise NotImplementedError(f"the derivative for '{name}' is not implemented.")


def _solve(A, B, upper, left=True, unitriangular=False):
    return aten.linalg_solve_triangular.default(A, B, upper=upper, left=left, unitriangular=unitriangular)


# ---- Cholesky


def cholesky_factor_gradient(grad, L, upper):
    """The gradient of a matrix whose Cholesky factor is L, or Lᴴ for `upper`."""
    if upper:
        L, grad = adjoint(L), adjoint(grad)
    inner = (adjoint(L) @ grad).tril()
    inner = inner + adjoint(inner.tril(-1))
    turned = _solve(adjoint(L), inner, True)
    return _solve(L, turned, False, left=False) * 0.5


def cholesky_factor_tangent(L, A_t, upper):
    """The tangent of a Cholesky factor."""
    if upper:
        L = adjoint(L)
    inner = _solve(adjoint(L), _solve(L, A_t, False), True, left=False).tril()
    inner = inner - inner.diagonal(0, -2, -1).diag_embed() * 0.5
    made = L @ inner
    return adjoint(made) if upper else made


# ---- QR


def _check_qr(mode, Q, R):
    if mode == "r":
        raise RuntimeError(
            "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, mode='reduced') "
            "if you are going to differentiate through linalg.qr."
        )
    if mode == "complete" and Q.shape[-2] > R.shape[-1]:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols.")


def _hermitian_of_upper(X):
    """The Hermitian matrix with the upper triangle of a matrix, and the real part of its diagonal."""
    above = X.triu(1)
    diagonal = X.diagonal(0, -2, -1)
    return above + adjoint(above) + (diagonal.real if X.is_complex() else diagonal).diag_embed()


def qr_gradient(grads, Q, R, mode):
    """The gradient of a matrix from those of its factors Q, with orthonormal columns, and R, upper triangular with a real diagonal."""
    g_Q, g_R = grads
    if g_Q is None and g_R is None:
        return None
    _check_qr(mode, Q, R)
    k, n = Q.shape[-1], R.shape[-1]
    right = None
    if n > k:
        # A wide matrix is (X Y) with X = Q U and Y = Q V, where R = (U V).
        U, V = R.narrow(-1, 0, k), R.narrow(-1, k, n - k)
        if g_R is not None:
            g_V, g_R = g_R.narrow(-1, k, n - k), g_R.narrow(-1, 0, k)
            right = Q @ g_V
            part = Q @ (V @ adjoint(g_V))
            g_Q = part if g_Q is None else g_Q + part
        else:
            right = aten.new_zeros.default(Q, [*Q.shape[:-1], n - k])
        R = U
    inner = None
    if g_R is not None:
        inner = g_R @ adjoint(R)
    if g_Q is not None:
        part = adjoint(Q) @ g_Q
        inner = -part if inner is None else inner - part
    g_A = Q @ _hermitian_of_upper(inner)
    if g_Q is not None:
        g_A = g_A + g_Q
    g_A = _solve(adjoint(R), g_A, False, left=False)
    return g_A if right is None else aten.cat.default([g_A, right], -1)


def qr_tangents(A_t, Q, R, mode):
    """The tangents of the factors Q and R."""
    _check_qr(mode, Q, R)
    k, n = Q.shape[-1], R.shape[-1]
    U, first = (R, A_t) if n <= k else (R.narrow(-1, 0, k), A_t.narrow(-1, 0, k))
    change = _solve(U, first, True, left=False)
    inner = adjoint(Q) @ change
    # inner = Ω + dU U⁻¹, with Ω skew-Hermitian and the other upper triangular with a real diagonal.
    below = inner.tril(-1)
    omega = below - adjoint(below)
    if Q.is_complex():
        omega = omega + aten.complex.default(aten.zeros_like.default(inner.real), inner.imag).diagonal(0, -2, -1).diag_embed()
    Q_t = change - Q @ inner + Q @ omega
    U_t = (inner - omega) @ U
    if n <= k:
        return Q_t, U_t
    V = R.narrow(-1, k, n - k)
    return Q_t, aten.cat.default([U_t, adjoint(Q) @ A_t.narrow(-1, k, n - k) - omega @ V], -1)


# ---- products of Householder reflections


def _reflectors(V):
    """The vectors of reflections, columns: 1 on the diagonal, the given elements below."""
    below = V.tril(-1)
    return below + aten.eye.m(V.shape[-2], V.shape[-1], dtype=V.dtype, device=V.device)


def reflections_gradients(grad, V, tau, columns):
    """The gradients of the vectors and factors of reflections whose product, its first `columns` columns, has the gradient `grad`.

    The product is H₁ … Hₖ E with Hᵢ = 1 - τᵢ vᵢ vᵢᴴ. The gradient of Hᵢ is G Mᴴ, where G = (H₁ … Hᵢ₋₁)ᴴ grad and M = Hᵢ₊₁ … Hₖ E; it is only
    multiplied by vᵢ.
    """
    k = tau.shape[-1]
    if not k:
        return aten.zeros_like.default(V), aten.zeros_like.default(tau)
    vectors = _reflectors(V)
    m = V.shape[-2]
    factors = [tau.narrow(-1, i, 1).unsqueeze(-1) for i in range(k)]
    columns_of = [vectors.narrow(-1, i, 1) for i in range(k)]
    products = [aten.eye.m(m, columns, dtype=V.dtype, device=V.device).expand(*V.shape[:-2], m, columns)]
    for v, t in zip(reversed(columns_of[1:]), reversed(factors[1:]), strict=True):
        M = products[-1]
        products.append(M - t * (v @ (adjoint(v) @ M)))
    g_vectors, g_factors = [], []
    for v, t in zip(columns_of, factors, strict=True):
        M = products.pop()
        ahead, back = grad @ (adjoint(M) @ v), M @ (adjoint(grad) @ v)
        g_factors.append(-(adjoint(v) @ ahead).squeeze(-1))
        g_vectors.append(-(t.conj() * ahead + t * back))
        grad = grad - t.conj() * (v @ (adjoint(v) @ grad))
    g_V = aten.cat.default(g_vectors, -1).tril(-1)
    if k < V.shape[-1]:
        g_V = aten.constant_pad_nd.default(g_V, [0, V.shape[-1] - k])
    return g_V, aten.cat.default(g_factors, -1)


def householder_product_tangent(V, V_t, tau, tau_t):
    """The tangent of a product of reflections."""
    vectors, changes = _reflectors(V), V_t.tril(-1)
    made = aten.eye.m(*V.shape[-2:], dtype=V.dtype, device=V.device).expand(V.shape)
    made_t = aten.zeros_like.default(V)
    for i in reversed(range(tau.shape[-1])):
        v, d = vectors.narrow(-1, i, 1), changes.narrow(-1, i, 1)
        t, t_t = tau.narrow(-1, i, 1).unsqueeze(-1), tau_t.narrow(-1, i, 1).unsqueeze(-1)
        inner = adjoint(v) @ made
        change = t_t * (v @ inner) + t * (d @ inner + v @ (adjoint(d) @ made))
        made_t = made_t - t * (v @ (adjoint(v) @ made_t)) - change
        made = made - t * (v @ inner)
    return made_t


def ormqr_gradients(grad, V, tau, C, left, transpose, output_mask):
    """The gradients of reflections and of the matrix that their product Q, or Qᴴ, multiplies."""
    g_V = g_tau = None
    if output_mask[0] or output_mask[1]:
        g_Q = grad @ adjoint(C) if left else adjoint(C) @ grad
        if transpose:
            g_Q = adjoint(g_Q)
        g_V, g_tau = reflections_gradients(g_Q, V, tau, V.shape[-2])
    return g_V, g_tau, aten.ormqr.default(V, tau, grad, left, not transpose) if output_mask[2] else None


# ---- LU


def lu_gradient(g_L, g_U, P, L, U):
    """The gradient of a matrix P L U, from those of the triangular factors."""
    if g_L is None and g_U is None:
        return None
    g_L = aten.zeros_like.default(L) if g_L is None else g_L
    g_U = aten.zeros_like.default(U) if g_U is None else g_U
    m, k, n = *L.shape[-2:], U.shape[-1]
    L1, U1 = L.narrow(-2, 0, k), U.narrow(-1, 0, k)
    lower = adjoint(L1) @ g_L.narrow(-2, 0, k)
    upper = g_U.narrow(-1, 0, k) @ adjoint(U1)
    rest = None
    # Rows of L below U follow from U, columns of U beyond L from L.
    if m > k:
        g_L2 = g_L.narrow(-2, k, m - k)
        upper = upper - adjoint(L.narrow(-2, k, m - k)) @ g_L2
        rest = _solve(adjoint(U1), g_L2, False, left=False)
    elif n > k:
        g_U2 = g_U.narrow(-1, k, n - k)
        lower = lower - g_U2 @ adjoint(U.narrow(-1, k, n - k))
        rest = _solve(adjoint(L1), g_U2, True, unitriangular=True)
    g_A = _solve(adjoint(L1), lower.tril(-1) + upper.triu(), True, unitriangular=True)
    g_A = _solve(adjoint(U1), g_A, False, left=False)
    if rest is not None:
        g_A = aten.cat.default([g_A, rest], -2 if m > k else -1)
    return P @ g_A if P.numel() else g_A


def lu_factor_gradient(grad, LU, pivots, pivot):
    """The gradient of a matrix from that of its packed factors."""
    P, L, U = aten.lu_unpack.default(LU, pivots, unpack_pivots=pivot)
    k = L.shape[-1]
    return lu_gradient(grad.narrow(-1, 0, k).tril(-1), grad.narrow(-2, 0, k).triu(), P, L, U)


def packed_gradient(grads, m, n):
    """The gradient of packed factors from those of the factors."""
    g_L, g_U = grads
    if g_L is not None:
        g_L = g_L.tril(-1)
        if n > m:
            g_L = aten.constant_pad_nd.default(g_L, [0, n - m])
    if g_U is not None:
        g_U = g_U.triu()
        if m > n:
            g_U = aten.constant_pad_nd.default(g_U, [0, 0, 0, m - n])
    return g_L if g_U is None else g_U if g_L is None else g_L + g_U


def lu_tangents(A_t, P, L, U):
    """The tangents of the triangular factors."""
    m, k, n = *L.shape[-2:], U.shape[-1]
    A_t = P.mT @ A_t if P.numel() else A_t
    L1, U1 = L.narrow(-2, 0, k), U.narrow(-1, 0, k)
    inner = _solve(U1, A_t.narrow(-2, 0, k).narrow(-1, 0, k), True, left=False)
    inner = _solve(L1, inner, False, unitriangular=True)
    below, above = inner.tril(-1), inner.triu()
    L_t, U_t = L1 @ below, above @ U1
    if m > k:
        rest = _solve(U1, A_t.narrow(-2, k, m - k), True, left=False) - L.narrow(-2, k, m - k) @ above
        L_t = aten.cat.default([L_t, rest], -2)
    elif n > k:
        rest = _solve(L1, A_t.narrow(-1, k, n - k), False, unitriangular=True) - below @ U.narrow(-1, k, n - k)
        U_t = aten.cat.default([U_t, rest], -1)
    return L_t, U_t


def lu_factor_tangent(A_t, LU, pivots, pivot):
    """The tangent of packed factors."""
    return packed_gradient(lu_tangents(A_t, *aten.lu_unpack.default(LU, pivots, unpack_pivots=pivot)), *A_t.shape[-2:])


def unpacked_tangents(LU_t):
    """The tangents of factors from that of the packed ones."""
    m, n = LU_t.shape[-2:]
    k = min(m, n)
    return LU_t.narrow(-1, 0, k).tril(-1), LU_t.narrow(-2, 0, k).triu()


# ---- singular values and eigenvalues


def _differences(values):
    """The differences of all pairs of values, vⱼ - vᵢ, with 1 on the diagonal."""
    made = values.unsqueeze(-2) - values.unsqueeze(-1)
    return made + aten.eye.default(values.shape[-1], dtype=values.dtype, device=values.device)


def _skew(X):
    return X - adjoint(X)


def _off_diagonal(X):
    """X with zeros on its diagonal."""
    return X.tril(-1) + X.triu(1)


def _imaginary_diagonal(X):
    return X.diagonal(0, -2, -1).imag


def _first(x, dim, size):
    return x if x is None or x.shape[dim] == size else x.narrow(dim, 0, size)


def svd_gradient(grads, U, S, Vh, k):
    """The gradient of a matrix from those of its `k` singular values and its vectors.

    With dP = Uᴴ dA V: dS is the real diagonal of dP, and off it Uᴴ dU = (dP S + S dPᴴ) / E and Vᴴ dV = (S dP + dPᴴ S) / E, where
    Eᵢⱼ = sⱼ² - sᵢ². What singular vectors complete to a basis has no gradient.
    """
    g_U, g_S, g_Vh = grads
    if g_U is None and g_S is None and g_Vh is None:
        return None
    U, Vh, g_U, g_Vh = _first(U, -1, k), _first(Vh, -2, k), _first(g_U, -1, k), _first(g_Vh, -2, k)
    m, n = U.shape[-2], Vh.shape[-1]
    if g_U is None and g_Vh is None:
        return U @ (g_S.unsqueeze(-1) * Vh) if m >= n else (U * g_S.unsqueeze(-2)) @ Vh
    on_U = None if g_U is None else adjoint(U) @ g_U
    on_V = None if g_Vh is None else adjoint(g_Vh @ adjoint(Vh))
    is_complex = U.is_complex()
    if is_complex:
        _check_phases(on_U, on_V)
    row, column = S.unsqueeze(-2), S.unsqueeze(-1)
    E = _differences(S * S)
    inner = None
    if on_U is not None:
        inner = _off_diagonal(_skew(on_U)) / E * row
        if is_complex:
            inner = inner + (_skew(on_U).diagonal(0, -2, -1) / (2 * S)).diag_embed()
    if on_V is not None:
        part = column * (_off_diagonal(_skew(on_V)) / E)
        inner = part if inner is None else inner + part
    if g_S is not None:
        inner = inner + g_S.diag_embed()
    # The cheaper order of the product, with what lies outside the spaces of the singular vectors.
    if m >= n:
        left = U @ inner
        if g_U is not None and m > k:
            left = left + (g_U - U @ on_U) / row
        made = left @ Vh
        if g_Vh is not None and n > k:
            made = made + (U / row) @ (g_Vh - adjoint(on_V) @ Vh)
    else:
        right = inner @ Vh
        if g_Vh is not None and n > k:
            right = right + (g_Vh - adjoint(on_V) @ Vh) / column
        made = U @ right
        if g_U is not None and m > k:
            made = made + ((g_U - U @ on_U) / row) @ Vh
    return made


def _check_phases(on_U, on_V):
    phases = None if on_U is None else _imaginary_diagonal(on_U)
    if on_V is not None:
        part = _imaginary_diagonal(on_V)
        phases = part if phases is None else phases + part
    if not _negligible(phases):
        raise RuntimeError(
            "svd_backward: The singular vectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss "
            "function depends on this phase term, making it ill-defined."
        )


def _negligible(phases):
    """Whether a gradient along phases is as small as rounding leaves it."""
    return phases.is_meta or bool((phases.abs() <= 1e-2).all())


def svd_tangents(A_t, U, S, Vh):
    """The tangents of singular values and vectors."""
    k = S.shape[-1]
    if U.shape[-1] != k or Vh.shape[-2] != k:
        raise RuntimeError("svd: the tangents of vectors that complete a basis are not determined")
    inner = adjoint(U) @ A_t @ adjoint(Vh)
    diagonal = inner.diagonal(0, -2, -1)
    S_t = diagonal.real if U.is_complex() else diagonal
    row, column = S.unsqueeze(-2), S.unsqueeze(-1)
    E = _differences(S * S)
    off = inner - S_t.diag_embed()
    on_U, on_V = (off * row + column * adjoint(off)) / E, (column * off + adjoint(off) * row) / E
    if U.is_complex():
        phases = (off.diagonal(0, -2, -1) / (2 * S)).diag_embed()
        on_U, on_V = _off_diagonal(on_U) + phases, _off_diagonal(on_V) - phases
    U_t = U @ on_U
    V = adjoint(Vh)
    V_t = V @ on_V
    if U.shape[-2] > k:
        change = A_t @ V
        U_t = U_t + (change - U @ inner) / row
    if Vh.shape[-1] > k:
        change = adjoint(A_t) @ U
        V_t = V_t + (change - V @ adjoint(inner)) / row
    return U_t, S_t, adjoint(V_t)


def eigh_gradient(grads, values, vectors):
    """The gradient of a Hermitian matrix from those of its eigenvalues and eigenvectors."""
    g_values, g_vectors = grads
    if g_values is None and g_vectors is None:
        return None
    if g_vectors is None:
        return (vectors * g_values.unsqueeze(-2)) @ adjoint(vectors)
    inner = adjoint(vectors) @ g_vectors
    if vectors.is_complex() and not _negligible(_imaginary_diagonal(inner)):
        raise RuntimeError(_ILL_DEFINED.format("eigh"))
    # The matrix changes by Hermitian ones only.
    inner = _off_diagonal(_skew(inner) / (2 * _differences(values)))
    if g_values is not None:
        inner = inner + g_values.diag_embed()
    return vectors @ (inner @ adjoint(vectors))


_ILL_DEFINED = (
    "linalg_{}_backward: The eigenvectors in the complex case are specified up to multiplication by e^{{i phi}}. The specified loss function "
    "depends on this quantity, so it is ill-defined."
)


def eigh_tangents(A_t, values, vectors):
    """The tangents of eigenvalues and eigenvectors of a Hermitian matrix."""
    inner = adjoint(vectors) @ (A_t @ vectors)
    diagonal = inner.diagonal(0, -2, -1)
    if vectors.is_complex():
        diagonal = diagonal.real
    return diagonal, vectors @ _off_diagonal(inner / _differences(values))


def eig_gradient(grads, values, vectors):
    """The gradient of a matrix from those of its eigenvalues and eigenvectors, which have length 1."""
    g_values, g_vectors = grads
    if g_values is None and g_vectors is None:
        return None
    turned = adjoint(vectors)
    if g_vectors is None:
        return aten.linalg_solve.default(turned, g_values.unsqueeze(-1) * turned)
    inner = turned @ g_vectors
    diagonal = inner.diagonal(0, -2, -1)
    if not _negligible(diagonal.imag):
        raise RuntimeError(_ILL_DEFINED.format("eig"))
    # Vectors do not change along themselves.
    inner = inner - (turned @ vectors) * diagonal.real.unsqueeze(-2)
    inner = _off_diagonal(inner / _differences(values).conj())
    if g_values is not None:
        inner = inner + g_values.diag_embed()
    return aten.linalg_solve.default(turned, inner @ turned)


def eig_tangents(A_t, values, vectors):
    """The tangents of eigenvalues and eigenvectors."""
    inner = aten.linalg_solve.default(vectors, A_t.to(vectors.dtype) @ vectors)
    change = vectors @ _off_diagonal(inner / _differences(values))
    along = (vectors.conj() * change).sum(-2, True).real
    return inner.diagonal(0, -2, -1), change - vectors * along
