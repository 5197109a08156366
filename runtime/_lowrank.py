"""Randomized factorizations of low rank (Halko, Martinsson and Tropp, Finding structure with randomness, arXiv:0909.4061)."""

from runtime._core import functions, get_default_dtype, ops

aten = ops.aten


def svd_lowrank(A, q=6, niter=2, M=None):
    """The first singular vectors and values of a matrix that is nearly of low rank.

    Parameters
    ----------
    A : Tensor
        (..., m, n).
    q : int
        How many are computed; somewhat more than the rank.
    niter : int
        The number of power iterations, each of which makes small singular values matter less.
    M : Tensor, optional
        Is subtracted from A first; it broadcasts to A's shape.

    Returns
    -------
    U, S, V : Tensor
        (..., m, q), (..., q) and (..., n, q), such that A is nearly U diag(S) V^H.
    """
    q = 6 if q is None else q
    if M is not None:
        A = aten.sub.Tensor(_floating(A), aten.expand.default(_floating(M), A.shape))
    A = _floating(A)
    wide = A.shape[-2] < A.shape[-1]
    if wide:
        A = _adjoint(A)
    Q = _range(A, q, 2 if niter is None else niter)
    U, S, Vh = aten.linalg_svd.default(aten.matmul.default(_adjoint(Q), A), False)
    U, V = aten.matmul.default(Q, U), _adjoint(Vh)
    return (V, S, U) if wide else (U, S, V)


def pca_lowrank(A, q=None, center=True, niter=2):
    """The first principal components of rows of data.

    Parameters
    ----------
    A : Tensor
        (..., m, n): m samples of n features.
    q : int, optional
        How many components; min(6, m, n) if it is absent.
    center : bool
        Whether the mean of the samples is subtracted first.
    niter : int
        See `svd_lowrank`.

    Returns
    -------
    U, S, V : Tensor
        Of the centered data, as from `svd_lowrank`; the columns of V are the principal directions.
    """
    m, n = A.shape[-2:]
    if q is None:
        q = min(6, m, n)
    elif not 0 <= q <= min(m, n):
        raise ValueError(f"q(={q}) must be non-negative integer and not greater than min(m, n)={min(m, n)}")
    if niter < 0:
        raise ValueError(f"niter(={niter}) must be non-negative integer")
    if center:
        A = aten.sub.Tensor(A, aten.mean.dim(A, [-2], True))
    return svd_lowrank(A, q, niter)


def _floating(t):
    return t if t.dtype.is_floating_point or t.dtype.is_complex else aten.to.dtype(t, get_default_dtype())


def _adjoint(t):
    t = aten.transpose.int(t, -2, -1)
    return aten.conj_physical.default(t) if t.dtype.is_complex else t


def _range(A, q, niter):
    """An orthonormal basis of nearly the range of A (their algorithm 4.4)."""
    noise = functions["randn"](A.shape[-1], q, dtype=A.dtype, device=A.device)
    Q = aten.linalg_qr.default(aten.matmul.default(A, noise))[0]
    for _ in range(niter):
        Q = aten.linalg_qr.default(aten.matmul.default(_adjoint(A), Q))[0]
        Q = aten.linalg_qr.default(aten.matmul.default(A, Q))[0]
    return Q
