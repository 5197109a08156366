"""What factorizations and solvers share: checks of matrices, and LAPACK routines over stacks of them.

Routines come from SciPy, imported at the first call of one. They work on one matrix; stacks are walked here.
"""

import functools
import itertools
import math

import numpy as np

from runtime._core import dtype_names, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import broadcast, scalar_name

aten = ops.aten

_FLOATS = {dtype_names[n] for n in ("float32", "float64", "complex64", "complex128")}


def is_wide(dtype):
    """Whether LAPACK computes with a dtype."""
    return dtype in _FLOATS


#: Multiplications up to which one thread is as fast.
SMALL = 100_000


# ---- checks


def check_matrix(t, name, argument="A"):
    if t.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def check_square(t, name, argument="A"):
    check_matrix(t, name, argument)
    if t.shape[-1] != t.shape[-2]:
        raise RuntimeError(f"{name}: {argument} must be batches of square matrices, but they are {t.shape[-2]} by {t.shape[-1]} matrices")


def check_floating(t, name, narrow=True):
    """Whether the dtype is floating or complex; the narrow ones get no further than `check_kernel` in any case."""
    if not (t.dtype.is_floating_point or t.dtype.is_complex):
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {scalar_name(t.dtype)}")
    if not narrow and t.dtype not in _FLOATS:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {scalar_name(t.dtype)}")


def check_kernel(kernel, t, empty=False):
    """Only what LAPACK computes with; tensors without elements pass unless `empty`."""
    if t.dtype not in _FLOATS and (empty or t.numel()):
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{scalar_name(t.dtype)}'")


def check_same_dtype(a, b, name, first="A", second="B"):
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{name}: Expected {first} and {second} to have the same dtype, but found {first} of type {scalar_name(a.dtype)}"
            f" and {second} of type {scalar_name(b.dtype)} instead"
        )


def check_compatible(a, b, left, name):
    """The shapes of the equation AX = B, or XA = B."""
    if (a.shape[-2] != b.shape[-2]) if left else (a.shape[-1] != b.shape[-1]):
        equation = "AX = B" if left else "XA = B"
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {equation} ({a.shape[-2]}x{a.shape[-1]} and {b.shape[-2]}x{b.shape[-1]})"
        )


# ---- routines


@functools.cache
def routine(name, kind):
    """A routine of LAPACK for the elements of a NumPy dtype's character; `or`/`un` and `sy`/`he` by it."""
    from scipy.linalg import lapack

    if kind in "FD":
        name = {"orgqr": "ungqr", "ormqr": "unmqr"}.get(name, name)
    return getattr(lapack, {"f": "s", "d": "d", "F": "c", "D": "z"}[kind] + name)


@functools.cache
def triangular_routine(kind):
    """BLAS's solution of triangular equations, which divides by zeros on the diagonal."""
    from scipy.linalg import blas

    return getattr(blas, {"f": "s", "d": "d", "F": "c", "D": "z"}[kind] + "trsm")


def places(*arrays):
    """The indices of the matrices of stacks of one shape."""
    return itertools.product(*(range(n) for n in arrays[0].shape[:-2]))


def copy_of(tensor, batch=None):
    """A tensor's elements in a new array, broadcast to a batch shape."""
    array = read(tensor)
    if batch is not None and array.shape[:-2] != tuple(batch):
        array = np.broadcast_to(array, tuple(batch) + array.shape[-2:])
    return np.array(array, order="C")


def batch_of(*tensors):
    return functools.reduce(broadcast, (tuple(t.shape[:-2]) for t in tensors))


def lu_of(array):
    """Factors in place of the matrices, their pivots counted from 1, and infos."""
    m, n = array.shape[-2:]
    pivots = np.zeros(array.shape[:-2] + (min(m, n),), np.int32)
    info = np.zeros(array.shape[:-2], np.int32)
    if array.size:
        getrf = routine("getrf", array.dtype.char)
        for i in places(array):
            array[i], piv, info[i] = getrf(array[i])
            pivots[i] = piv + 1
    return pivots, info


def permutations(pivots, m):
    """The rows that row exchanges bring to each place: an index array of shape batch + (m,)."""
    perm = np.broadcast_to(np.arange(m), pivots.shape[:-1] + (m,)).copy()
    flat, exchanges = perm.reshape(math.prod(pivots.shape[:-1]), m), pivots.reshape(math.prod(pivots.shape[:-1]), pivots.shape[-1])
    rows = np.arange(len(flat))
    for k in range(exchanges.shape[-1]):
        other = exchanges[:, k] - 1
        swapped = flat[rows, other].copy()
        flat[rows, other] = flat[:, k]
        flat[:, k] = swapped
    return perm


def lu_solved(lu, pivots, b, trans=0):
    """X of A X = B by the factors of A; stacks of one batch shape. `trans` as LAPACK counts: 1 for the transpose of A, 2 for its adjoint."""
    x = np.empty(b.shape, b.dtype)
    if not b.size:
        return x
    if b.shape[-1] * b.shape[-2] ** 2 > SMALL:
        getrs = routine("getrs", lu.dtype.char)
        for i in places(lu):
            x[i], _ = getrs(lu[i], pivots[i] - 1, b[i], trans=trans)
        return x
    # The routine, and LAPACK's own of row exchanges, wake threads for matrices of any size.
    trsm = triangular_routine(lu.dtype.char)
    for i in places(lu):
        a, order = np.asfortranarray(lu[i]), _order(pivots[i].tolist())
        if trans:
            y = trsm(1.0, a, trsm(1.0, a, b[i], trans_a=trans), lower=1, trans_a=trans, diag=1)
            x[i][order] = y
        else:
            x[i] = trsm(1.0, a, trsm(1.0, a, b[i][order], lower=1, diag=1))
    return x


def _order(exchanges):
    """The rows that row exchanges of one square matrix bring to each place."""
    order = list(range(len(exchanges)))
    for k, other in enumerate(exchanges):
        if other - 1 != k:
            order[k], order[other - 1] = order[other - 1], order[k]
    return order


def adjoint(t):
    """The conjugate transpose of matrices."""
    return aten.conj_physical.default(aten.transpose.int(t, -2, -1)) if t.dtype.is_complex else aten.transpose.int(t, -2, -1)


def check_pivots(pivots, n, name):
    """LAPACK reads and writes at the rows that pivots name, wherever they are."""
    if pivots.size and (np.abs(pivots).min() < 1 or np.abs(pivots).max() > n):
        raise RuntimeError(f"{name}: pivots must be rows of the matrices, counted from 1. Did you properly pass the result of the factorization?")


def info_tensor(info):
    return new(np.asarray(info, np.int32))
