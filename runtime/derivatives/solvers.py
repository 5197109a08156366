"""Gradients of solutions of equations, inverses and determinants.

The gradient of X = A⁻¹B follows from dX = A⁻¹(dB - dA X). Where a decomposition of A was made forward, it serves backward too, unless the
gradient is to be differentiated: the decomposition has no derivative, A does.
"""

from runtime._core import is_grad_enabled, ops
from runtime.derivatives.common import adjoint

aten = ops.aten


def inverse_gradient(grad, inverse):
    """The gradient of an inverse."""
    turned = adjoint(inverse)
    return -(turned @ (grad @ turned))


def solve_gradients(grad, A, B_shape, X, LU, pivots, left, output_mask):
    """The gradients of matrix and right-hand side of AX = B, or XA = B."""
    vector = is_vector_side(A.shape, B_shape)
    if vector:
        grad, X = grad.unsqueeze(-1), X.unsqueeze(-1)
    if is_grad_enabled():
        g_B = aten.linalg_solve.default(adjoint(A), grad, left=left)
    else:
        g_B = aten.linalg_lu_solve.default(LU, pivots, grad, left=left, adjoint=True)
    g_A = None
    if output_mask[0]:
        g_A = -(g_B @ adjoint(X)) if left else -(adjoint(X) @ g_B)
    return g_A, g_B.squeeze(-1) if vector else g_B


def is_vector_side(A_shape, B_shape):
    """Whether a right-hand side is a vector, or a batch of them."""
    return len(B_shape) == 1 or (len(A_shape) - 1 == len(B_shape) and tuple(A_shape[:-1]) == tuple(B_shape))


def solve_tangent(A, A_t, B_t, X, left):
    """The tangent of the solution of AX = B, or XA = B."""
    if is_vector_side(A.shape, B_t.shape):
        B_t = B_t - (A_t @ X.unsqueeze(-1)).squeeze(-1)
    else:
        B_t = B_t - (A_t @ X if left else X @ A_t)
    return aten.linalg_solve.default(A, B_t, left=left)


def triangle(matrix, upper, unitriangular):
    """The part of a matrix that a solver of triangular equations reads."""
    return matrix.triu(int(unitriangular)) if upper else matrix.tril(-int(unitriangular))


def solve_triangular_gradients(grad, A, X, upper, left, unitriangular, output_mask):
    """The gradients of matrix and right-hand side of triangular equations."""
    g_B = aten.linalg_solve_triangular.default(adjoint(A), grad, upper=not upper, left=left, unitriangular=unitriangular)
    g_A = None
    if output_mask[0]:
        g_A = triangle(-(g_B @ adjoint(X)) if left else -(adjoint(X) @ g_B), upper, unitriangular)
    return g_A, g_B


def solve_triangular_tangent(A, A_t, B_t, X, upper, left, unitriangular):
    """The tangent of the solution of triangular equations."""
    A_t = triangle(A_t, upper, unitriangular)
    right = B_t - (A_t @ X if left else X @ A_t)
    return aten.linalg_solve_triangular.default(A, right, upper=upper, left=left, unitriangular=unitriangular)


def triangular_solve_gradients(grads, A, X, upper, transpose, unitriangular, output_mask):
    """The gradients of right-hand side and matrix of `triangular_solve`, whose second result is the matrix itself."""
    grad, g_copy = grads
    if grad is None:
        return None, g_copy
    g_b = aten.triangular_solve.default(grad, A.conj(), upper, not transpose, unitriangular)[0]
    g_A = None
    if output_mask[1]:
        # With A transposed, the gradient is transposed too.
        g_A = -(X.conj() @ g_b.mT) if transpose else -(g_b @ adjoint(X))
        g_A = triangle(g_A, upper, unitriangular)
        if g_copy is not None:
            g_A = g_A + g_copy
    return g_b, g_A


def triangular_solve_tangents(self_t, A, A_t, X, upper, transpose, unitriangular):
    """The tangents of both results of `triangular_solve`."""
    part = triangle(A_t, upper, unitriangular)
    right = self_t - (part.mT if transpose else part) @ X
    return aten.triangular_solve.default(right, A, upper, transpose, unitriangular)[0], A_t


def inverted_product_gradient(grad, L, inverse, upper):
    """The gradient of the factor of an inverted product L Lᴴ, or Lᴴ L."""
    inner = inverse @ ((grad + adjoint(grad)) @ inverse)
    return -(L @ inner) if upper else -(inner @ L)


def inverted_product_tangent(L, L_t, inverse, upper):
    """The tangent of an inverted product L Lᴴ, or Lᴴ L."""
    inner = adjoint(L) @ L_t if upper else L_t @ adjoint(L)
    inner = inner + adjoint(inner)
    return -(inverse @ (inner @ inverse))


def cholesky_solve_gradients(grad, L, X, upper, output_mask):
    """The gradients of right-hand side and factor of L Lᴴ X = B, or Lᴴ L X = B."""
    g_B = aten.cholesky_solve.default(grad, L, upper)
    g_L = None
    if output_mask[1]:
        inner = g_B @ adjoint(X)
        inner = inner + adjoint(inner)
        g_L = -(L @ inner) if upper else -(inner @ L)
    return g_B, g_L


def product_solve_tangent(B_t, L, L_t, X, upper):
    """The tangent of the solution of L Lᴴ X = B, or Lᴴ L X = B."""
    inner = adjoint(L) @ L_t if upper else L_t @ adjoint(L)
    return aten.cholesky_solve.default(B_t - (inner + adjoint(inner)) @ X, L, upper)


def lu_solve_LU_gradient(grad, LU, pivots, X, left, transposed):
    """The gradient of the packed factors with which A X = B was solved (X A = B, or with Aᴴ)."""
    g_B = aten.linalg_lu_solve.default(LU, pivots, grad, left=left, adjoint=not transposed)
    if left:
        g_A = -(X @ adjoint(g_B)) if transposed else -(g_B @ adjoint(X))
    else:
        g_A = -(adjoint(g_B) @ X) if transposed else -(adjoint(X) @ g_B)
    P, L, U = aten.lu_unpack.default(LU, pivots)
    g_A = P.mT @ g_A
    return (g_A @ adjoint(U)).tril(-1) + (adjoint(L) @ g_A).triu()


def lu_solve_tangent(LU, LU_t, pivots, B_t, X, left, transposed):
    """The tangent of a solution found with packed factors."""
    P, L, U = aten.lu_unpack.default(LU, pivots)
    A_t = P @ (LU_t.tril(-1) @ U + L @ LU_t.triu())
    if transposed:
        A_t = adjoint(A_t)
    return aten.linalg_lu_solve.default(LU, pivots, B_t - (A_t @ X if left else X @ A_t), left=left, adjoint=transposed)


def det_gradient(grad, det, A, LU, pivots):
    """The gradient of a determinant: that of the inverse's adjoint times the determinant, made of singular values where there is no inverse."""
    if A.numel() == 0:
        return aten.zeros_like.default(A)
    if A.shape[-1] == 1:
        return grad.reshape(A.shape)
    if bool((det == 0).any()):
        return _adjugate_gradient(grad, A)
    weight = (grad * det.conj()).unsqueeze(-1).expand(A.shape[:-1]).diag_embed()
    if is_grad_enabled():
        return aten.linalg_solve.default(adjoint(A), weight)
    return aten.linalg_lu_solve.default(LU, pivots, weight, adjoint=True)


def _adjugate_gradient(grad, A):
    U, S, Vh = aten.linalg_svd.default(A)
    n = S.shape[-1]
    # Products of all singular values but one: rows of the matrix with 1 on its diagonal.
    others = S.unsqueeze(-2).where(aten.eye.default(n, device=A.device) == 0, 1.0).prod(-1)
    phase = (aten.linalg_det.default(U) * aten.linalg_det.default(Vh)).conj()
    return (U * ((grad * phase).unsqueeze(-1) * others).unsqueeze(-2)) @ Vh


def slogdet_gradient(grads, sign, A, LU, pivots):
    """The gradient of sign and logarithm of a determinant: that of log det, whose real part is the one and its imaginary part the phase."""
    g_sign, grad = grads
    if A.is_complex():
        if g_sign is not None:
            phase = aten.complex.default(aten.zeros_like.default(sign.real), (g_sign * sign.conj()).imag)
            grad = phase if grad is None else grad + phase
    elif grad is None:
        return None
    weight = grad.unsqueeze(-1).expand(A.shape[:-1]).diag_embed().to(A.dtype)
    if is_grad_enabled():
        return aten.linalg_solve.default(adjoint(A), weight)
    return aten.linalg_lu_solve.default(LU, pivots, weight, adjoint=True)


def log_det_tangent(A, A_t, LU, pivots):
    """The tangent of log det A: the trace of A⁻¹ dA."""
    inner = aten.linalg_solve.default(A, A_t) if is_grad_enabled() else aten.linalg_lu_solve.default(LU, pivots, A_t)
    return inner.diagonal(0, -2, -1).sum(-1)


def slogdet_tangents(A, A_t, sign, LU, pivots):
    """The tangents of sign and logarithm of a determinant."""
    change = log_det_tangent(A, A_t, LU, pivots)
    if not A.is_complex():
        return aten.zeros_like.default(sign), change
    return sign * aten.complex.default(aten.zeros_like.default(change.real), change.imag), change.real


def pinv_gradient(grad, inverse, A):
    """The gradient of a pseudoinverse P: that of -P dA P + P Pᴴ dAᴴ (1 - A P) + (1 - P A) dAᴴ Pᴴ P."""
    turned, g = adjoint(inverse), adjoint(grad)
    right = g @ inverse
    left = inverse @ g
    first = (right - A @ (inverse @ right)) @ turned
    second = turned @ (left - (left @ inverse) @ A)
    return first + second - turned @ (grad @ turned)


def pinv_tangent(A, A_t, inverse):
    """The tangent of a pseudoinverse."""
    turned, change = adjoint(inverse), adjoint(A_t)
    first = inverse @ (turned @ (change - (change @ A) @ inverse))
    second = (change - inverse @ (A @ change)) @ turned @ inverse
    return first + second - inverse @ (A_t @ inverse)


def lstsq_gradients(grads, A, B, X, output_mask):
    """The gradients of matrix and right-hand side of least squares, from those of solution and residuals."""
    grad, g_residuals = grads
    vector = A.ndim - 1 == B.ndim
    if vector:
        B, X, grad = B.unsqueeze(-1), X.unsqueeze(-1), None if grad is None else grad.unsqueeze(-1)
    g_A = g_B = None
    if grad is not None:
        inverse = aten.linalg_pinv.atol_rtol_tensor(A)
        g_B = adjoint(inverse) @ grad
        if output_mask[0]:
            g_A = pinv_gradient(grad @ adjoint(B), inverse, A)
    if g_residuals is not None and g_residuals.numel():
        weighted = (A @ X - B) * (2 * g_residuals.unsqueeze(-2))
        part = weighted @ adjoint(X)
        g_A = part if g_A is None else g_A + part
        g_B = -weighted if g_B is None else g_B - weighted
    return g_A, g_B.squeeze(-1) if vector and g_B is not None else g_B


def lstsq_tangents(A, A_t, B, B_t, X, residuals):
    """The tangents of solution and residuals of least squares."""
    vector = A.ndim - 1 == B.ndim
    if vector:
        B, B_t, X = B.unsqueeze(-1), B_t.unsqueeze(-1), X.unsqueeze(-1)
    inverse = aten.linalg_pinv.atol_rtol_tensor(A)
    X_t = pinv_tangent(A, A_t, inverse) @ B + inverse @ B_t
    residuals_t = aten.zeros_like.default(residuals)
    if residuals.numel():
        product = (A @ X - B).conj() * (A_t @ X + A @ X_t - B_t)
        residuals_t = 2 * (product.real if product.is_complex() else product).sum(-2)
    return X_t.squeeze(-1) if vector else X_t, residuals_t


def matrix_exp_differential(A, direction):
    """The derivative of a matrix's exponential in a direction: a block of the exponential of (A direction; 0 A)."""
    n = A.shape[-1]
    above = aten.cat.default([A, direction], -1)
    below = aten.cat.default([aten.zeros_like.default(A), A], -1)
    return aten.linalg_matrix_exp.default(aten.cat.default([above, below], -2)).narrow(-2, 0, n).narrow(-1, n, n)
