"""What factorizations and solvers share: checks of matrices, and LAPACK routines over stacks of them.

Routines come from SciPy, imported at the first call of one. Matrices are arrays whose columns are contiguous, as LAPACK and PyTorch's
results have them.
"""

import functools
import math

import numpy as np

from runtime._core import _call_fortran, _exchange_rows, _small_routines, _triangular_routine, dtype_names, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import broadcast, scalar_name

aten = ops.aten

_FLOATS = {dtype_names[n] for n in ("float32", "float64", "complex64", "complex128")}


def is_wide(dtype):
    """Whether LAPACK computes with a dtype."""
    return dtype in _FLOATS


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
def _capsule(name, kind):
    from scipy.linalg import cython_blas, cython_lapack

    library = cython_blas if name == "trsm" else cython_lapack
    return library.__pyx_capi__[{"f": "s", "d": "d", "F": "c", "D": "z"}[kind] + name]


_triangular = functools.cache(_triangular_routine)


def call(name, kind, count, *args):
    """Call a routine for each matrix of a batch, of elements of a NumPy dtype's character; `or`/`un` by it. For arguments see the core."""
    if kind in "FD":
        name = {"orgqr": "ungqr", "ormqr": "unmqr"}.get(name, name)
    _call_fortran(_capsule(name, kind), count, *args)


def call_with_work(name, kind, count, before, *after):
    """Call a routine that takes a workspace and its size, between the other arguments; it is asked for the size."""
    work = np.zeros(1, kind)
    call(name, kind, 1, *before, (work,), -1, *after)
    size = max(1, int(work[0].real))
    call(name, kind, count, *before, (np.empty(size, kind),), size, *after)


#: Rows up to which the core's own routines are faster than LAPACK's; unknowns up to which its triangular solution is.
SMALL, MIDDLE = 8, 512


def stored(array):
    """The memory of matrices whose columns are contiguous, as an array in C's order: what routines are called with."""
    return array.swapaxes(-1, -2)


def empty_columns(shape, dtype):
    """A new array of matrices whose columns are contiguous, as LAPACK has them."""
    return np.empty((*shape[:-2], shape[-1], shape[-2]), dtype).swapaxes(-1, -2)


def columns_of(tensor, batch=None):
    """A tensor's elements in a new array whose columns are contiguous, broadcast to a batch shape."""
    source = read(tensor)
    array = empty_columns((*(source.shape[:-2] if batch is None else batch), *source.shape[-2:]), source.dtype)
    array[...] = source
    return array


def count_of(array):
    """The number of matrices."""
    return math.prod(array.shape[:-2])


def batch_of(*tensors):
    return functools.reduce(broadcast, (tuple(t.shape[:-2]) for t in tensors))


def lu_of(array):
    """Factors in place of the matrices, whose columns are contiguous; their pivots counted from 1, and infos."""
    m, n = array.shape[-2:]
    pivots = np.zeros(array.shape[:-2] + (min(m, n),), np.int32)
    info = np.zeros(array.shape[:-2], np.int32)
    if array.size:
        args = m, n, stored(array), m, pivots, flat(info)
        if max(m, n) <= SMALL:
            _call_fortran(_small_routines["getrf", array.dtype.char], count_of(array), *args)
        else:
            call("getrf", array.dtype.char, count_of(array), *args)
    return pivots, info


def flat(info):
    """An array's memory as one dimension: an array of no dimension would be taken for one number for every call."""
    return info.reshape(-1)


def exchange_rows(array, pivots, backward=False):
    """Exchange rows in place, as the pivots of a factorization say, which must be checked; what `backward` undoes."""
    if array.size:
        m, n = array.shape[-2:]
        _call_fortran(_exchange_rows, count_of(array), m, n, stored(array), array.itemsize, pivots, pivots.shape[-1], int(backward))
    return array


def triangular_solved(a, b, upper, trans, unit, left=True):
    """X of A X = B, or X A = B, with triangular A, in place of B; `trans` as LAPACK counts: 0, 1 (transposed), 2 (conjugated too)."""
    if b.size:
        (m, n), one = b.shape[-2:], np.ones((), b.dtype)
        letters = "L" if left else "R", "U" if upper else "L", "NTC"[trans], "U" if unit else "N"
        args = *letters, m, n, one, stored(a), a.shape[-1], stored(b), m
        if left and m <= SMALL:
            _call_fortran(_small_routines["trsm", b.dtype.char], count_of(b), *args)
        elif a.shape[-1] <= MIDDLE and b.dtype.char in "fd":
            _call_fortran(_triangular(b.dtype.char), count_of(b), *args)
        else:
            call("trsm", b.dtype.char, count_of(b), *args)
    return b


def lu_solved(lu, pivots, b, trans=0):
    """X of A X = B by the factors of A, in place of B; stacks of one batch shape. `trans` as LAPACK counts: 1 for A transposed, 2 for its adjoint.

    LAPACK's own routine wakes threads for matrices of any size.
    """
    if trans:
        triangular_solved(lu, triangular_solved(lu, b, True, trans, False), False, trans, True)
        return exchange_rows(b, pivots, backward=True)
    return triangular_solved(lu, triangular_solved(lu, exchange_rows(b, pivots), False, 0, True), True, 0, False)


# ---- results


def nothing(t, shape, dtype=None):
    """A tensor of any values beside another: what a rule for Meta tensors says, and what is returned where nothing was asked for."""
    return aten.empty.memory_format(shape, dtype=dtype or t.dtype, device=t.device)


def nothing_in_columns(t, shape, dtype=None):
    """Matrices of any values whose columns are contiguous."""
    return aten.transpose.int(nothing(t, (*shape[:-2], shape[-1], shape[-2]), dtype), -2, -1)


def conjugate_transpose(t):
    """The conjugate transpose of matrices."""
    return aten.conj_physical.default(aten.transpose.int(t, -2, -1)) if t.dtype.is_complex else aten.transpose.int(t, -2, -1)


def check_pivots(pivots, n, name):
    """LAPACK reads and writes at the rows that pivots name, wherever they are."""
    if pivots.size and (np.abs(pivots).min() < 1 or np.abs(pivots).max() > n):
        raise RuntimeError(f"{name}: pivots must be rows of the matrices, counted from 1. Did you properly pass the result of the factorization?")


def info_tensor(info):
    return new(np.asarray(info, np.int32))
