"""The linear algebra extension of the array API standard: `runtime.array_api.linalg`.

Matrices are the last two dimensions of the arrays. Decompositions are LAPACK's, through `runtime.linalg`, whose errors (a singular matrix)
they raise.
"""

import math
from typing import NamedTuple

from runtime import _core
from runtime.array_api import _dtypes, _elementwise, _reductions
from runtime.array_api._array import Array, Tensor
from runtime.array_api._axes import all_axes
from runtime.array_api._elementwise import tensors
from runtime.array_api._manipulation import broadcast_shapes
from runtime.array_api._matrices import matmul, matrix_transpose, tensordot, vecdot

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matmul", "matrix_norm", "matrix_power",
    "matrix_rank", "matrix_transpose", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot",
    "vector_norm",
]  # fmt: skip

_functions = _core.functions
_linalg = _core.functions_of("linalg")


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Array
    eigenvectors: Array


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Array
    eigenvectors: Array


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Array
    R: Array


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Array
    logabsdet: Array


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Array
    S: Array
    Vh: Array


def _arrays(parts):
    return [part.as_subclass(Array) for part in parts]


def _matrix(name, x):
    if x.ndim < 2:
        raise ValueError(f"{name}: x has {x.ndim} dimensions, and a matrix has 2")


def cholesky(x, /, *, upper=False):
    """Cholesky factors of positive definite matrices.

    Parameters
    ----------
    x : Array
        Symmetric or Hermitian matrices of shape (..., m, m).
    upper : bool
        Whether the factors are upper triangular.
    """
    return _linalg["cholesky"](x, upper=upper).as_subclass(Array)


def cross(x1, x2, /, *, axis=-1):
    """Cross products of vectors of three elements.

    Parameters
    ----------
    x1, x2 : Array
        They broadcast with each other; the axis has length 3 in both.
    axis : int
        Where the vectors are.
    """
    x1, x2 = tensors("cross", x1, x2)
    for position, x in enumerate((x1, x2), 1):
        if not -x.ndim <= axis < x.ndim or x.shape[axis] != 3:
            raise ValueError(f"cross: axis {axis} of argument {position}, of shape {tuple(x.shape)}, must have length 3")
    if axis >= 0 and x1.ndim != x2.ndim:
        raise ValueError(f"cross: axis must be negative for arrays with {x1.ndim} and {x2.ndim} dimensions")
    place = axis - x1.ndim if axis >= 0 else axis
    a, b = (Tensor.unbind(Tensor.movedim(x, place, -1), -1) for x in (x1, x2))
    multiply, subtract = _elementwise.multiply, _elementwise.subtract
    parts = [subtract(multiply(a[i], b[j]), multiply(a[j], b[i])) for i, j in ((1, 2), (2, 0), (0, 1))]
    return Tensor.movedim(_functions["stack"](parts, -1), -1, place).as_subclass(Array)


def det(x, /):
    """Determinants.

    Parameters
    ----------
    x : Array
        Matrices of shape (..., m, m).
    """
    return _linalg["det"](x).as_subclass(Array)


def diagonal(x, /, *, offset=0):
    """Diagonals of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    offset : int
        Which: above the main diagonal if positive.
    """
    _matrix("diagonal", x)
    rows, columns = x.shape[-2:]
    # Beyond the corners there are no elements, however far.
    return _functions["diagonal"](x, max(-rows, min(offset, columns)), -2, -1).as_subclass(Array)


def eig(x, /):
    """Eigenvalues and eigenvectors of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).

    Returns
    -------
    EigResult
        Both complex.
    """
    return EigResult(*_arrays(_linalg["eig"](x)))


def eigh(x, /):
    """Eigenvalues and eigenvectors of symmetric or Hermitian matrices, the smallest first.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).

    Returns
    -------
    EighResult
    """
    return EighResult(*_arrays(_linalg["eigh"](x)))


def eigvals(x, /):
    """Eigenvalues of matrices, as complex numbers.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).
    """
    return _linalg["eigvals"](x).as_subclass(Array)


def eigvalsh(x, /):
    """Eigenvalues of symmetric or Hermitian matrices, the smallest first.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).
    """
    return _linalg["eigvalsh"](x).as_subclass(Array)


def inv(x, /):
    """Inverse matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).
    """
    return _linalg["inv"](x).as_subclass(Array)


def matrix_norm(x, /, *, keepdims=False, ord="fro"):
    """Norms of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    keepdims : bool
        Whether the two dimensions stay, with length one.
    ord : {"fro", "nuc", 1, 2, inf, -1, -2, -inf}, optional
        None is "fro".
    """
    _matrix("matrix_norm", x)
    if 0 in x.shape[-2:]:
        # The standard asks for no particular value; sums and greatest magnitudes of nothing are 0, as in NumPy, and so is the smallest of
        # such sums.
        rows, columns = x.shape[-2:]
        if ord not in ("fro", "nuc", None, 1, 2, math.inf) and not (ord == -1 and columns) and not (ord == -math.inf and rows):
            raise ValueError(f"matrix_norm: there is no smallest element (ord={ord!r}) in matrices of shape {tuple(x.shape[-2:])}")
        shape = (*x.shape[:-2], 1, 1) if keepdims else x.shape[:-2]
        return _functions["zeros"](shape, dtype=_real_of(x.dtype), device=x.device).as_subclass(Array)
    return _linalg["matrix_norm"](x, "fro" if ord is None else ord, keepdim=keepdims).as_subclass(Array)


def _real_of(dtype):
    return {_dtypes.complex64: _dtypes.float32, _dtypes.complex128: _dtypes.float64}.get(dtype, dtype)


def matrix_power(x, n, /):
    """Powers of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, m).
    n : int
        A negative power is one of the inverse.
    """
    return _linalg["matrix_power"](x, n).as_subclass(Array)


def _tolerance(x, rtol):
    """A relative tolerance for singular values, by default the rounding errors of a decomposition."""
    if rtol is None:
        return max(x.shape[-2:]) * _dtypes.finfo(x.dtype).eps
    return rtol.unsqueeze(-1) if isinstance(rtol, Tensor) else rtol


def matrix_rank(x, /, *, rtol=None):
    """Ranks of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    rtol : float or Array, optional
        Singular values up to this part of the greatest count as zero; by default max(m, n) times the dtype's eps.
    """
    _matrix("matrix_rank", x)
    if 0 in x.shape[-2:]:
        return _functions["zeros"](x.shape[:-2], dtype=_dtypes.int64, device=x.device).as_subclass(Array)
    values = _linalg["svdvals"](x)
    limits = _functions["amax"](values, (-1,), True) * _tolerance(x, rtol)
    return _reductions.sum(_elementwise.greater(values, limits), axis=-1)


def outer(x1, x2, /):
    """Products of all pairs of elements of two vectors.

    Parameters
    ----------
    x1, x2 : Array
        Of one dimension.
    """
    for position, x in enumerate((x1, x2), 1):
        if x.ndim != 1:
            raise ValueError(f"outer: argument {position} must have one dimension, and has {x.ndim}")
    return _elementwise.multiply(x1.unsqueeze(1), x2)


def pinv(x, /, *, rtol=None):
    """Pseudoinverses of matrices.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    rtol : float or Array, optional
        Singular values up to this part of the greatest count as zero; by default max(m, n) times the dtype's eps.
    """
    _matrix("pinv", x)
    if rtol is None:
        return _linalg["pinv"](x).as_subclass(Array)
    if isinstance(rtol, Tensor):
        rtol = Tensor.to(rtol, dtype=_real_of(x.dtype))
    return _linalg["pinv"](x, rtol=rtol).as_subclass(Array)


def qr(x, /, *, mode="reduced"):
    """QR decompositions.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    mode : {"reduced", "complete"}
        Whether Q has min(m, n) columns or m.

    Returns
    -------
    QRResult
    """
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: mode must be 'reduced' or 'complete', got {mode!r}")
    return QRResult(*_arrays(_linalg["qr"](x, mode)))


def slogdet(x, /):
    """Signs of determinants and logarithms of their absolute values.

    Parameters
    ----------
    x : Array
        Matrices of shape (..., m, m).

    Returns
    -------
    SlogdetResult
    """
    return SlogdetResult(*_arrays(_linalg["slogdet"](x)))


def solve(x1, x2, /):
    """Solutions of systems of linear equations.

    Parameters
    ----------
    x1 : Array
        Matrices of shape (..., m, m).
    x2 : Array
        One right side of shape (m,), or matrices of shape (..., m, n) of them.
    """
    x1, x2 = tensors("solve", x1, x2)
    if x2.ndim == 1:
        return _linalg["solve"](x1, x2.unsqueeze(-1)).squeeze(-1).as_subclass(Array)
    if x1.shape[:-2] != x2.shape[:-2]:
        # PyTorch would take a matrix of the shape of a stack's vectors for vectors.
        stack = broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        x1, x2 = x1.broadcast_to((*stack, *x1.shape[-2:])), x2.broadcast_to((*stack, *x2.shape[-2:]))
    return _linalg["solve"](x1, x2).as_subclass(Array)


def svd(x, /, *, full_matrices=True):
    """Singular value decompositions.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    full_matrices : bool
        Whether U and Vh are square.

    Returns
    -------
    SVDResult
    """
    return SVDResult(*_arrays(_linalg["svd"](x, full_matrices)))


def svdvals(x, /):
    """Singular values, the greatest first.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    """
    return _linalg["svdvals"](x).as_subclass(Array)


def trace(x, /, *, offset=0, dtype=None):
    """Sums of diagonals.

    Parameters
    ----------
    x : Array
        Of shape (..., m, n).
    offset : int
        Which diagonals: above the main one if positive.
    dtype : dtype, optional
        Of the sum; by default as in `sum`.
    """
    return _reductions.sum(diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(x, /, *, axis=None, keepdims=False, ord=2):
    """Norms of vectors.

    Parameters
    ----------
    x : Array
        Of floating-point numbers.
    axis : int or tuple of int, optional
        The vectors' axes, by default all.
    keepdims : bool
        Whether the axes stay, with length one.
    ord : int or float
        The order: 0 counts, inf and -inf are the extremes of the absolute values.
    """
    axes = all_axes("vector_norm", axis, x.ndim)
    if not axes:
        # Every element is a vector.
        absolute = _functions["abs"](x)
        return (Tensor.to(absolute != 0, dtype=absolute.dtype) if ord == 0 else absolute).as_subclass(Array)
    if (ord == math.inf or ord < 0) and any(x.shape[axis] == 0 for axis in axes):
        return _norm_of_nothing(x, axes, keepdims, ord)
    return _linalg["vector_norm"](x, ord, axes, keepdims).as_subclass(Array)


def _norm_of_nothing(x, axes, keepdims, ord):
    """Norms of vectors without elements, as in NumPy: the greatest magnitude is 0, a negative power of the sum infinite."""
    if ord == -math.inf:
        raise ValueError(f"vector_norm: there is no smallest element (ord={ord!r}) in vectors without elements; x has shape {tuple(x.shape)}")
    shape = [1 if d in axes else n for d, n in enumerate(x.shape) if keepdims or d not in axes]
    value = 0.0 if ord > 0 else math.inf
    return _functions["full"](shape, value, dtype=_real_of(x.dtype), device=x.device).as_subclass(Array)
