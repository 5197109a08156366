"""Products of arrays: the linear algebra that stands in the main namespace."""

import numpy as np

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._axes import all_axes
from runtime.array_api._dtypes import WIDE_UNSIGNED
from runtime.array_api._dtypes import bool as bool_
from runtime.array_api._elementwise import by_numpy, multiply, tensors
from runtime.array_api._reductions import sum as sum_

_functions = _core.functions
_matmul = dict.fromkeys((*WIDE_UNSIGNED, bool_), by_numpy(np.matmul))


def matmul(x1, x2, /):
    """Matrix products of stacks of matrices.

    Parameters
    ----------
    x1, x2 : Array
        Of shapes (..., m, k) and (..., k, n); one dimension stands for a row on the left and a column on the right.
    """
    for position, x in enumerate((x1, x2), 1):
        if not isinstance(x, Tensor):
            raise TypeError(f"matmul: argument {position} must be an array, got {type(x).__name__}")
        if not x.ndim:
            raise ValueError(f"matmul: argument {position} has no dimensions; products with numbers are multiply's")
    if x1.dtype is not x2.dtype:
        x1, x2 = tensors("matmul", x1, x2)
    return _matmul.get(x1.dtype, _functions["matmul"])(x1, x2).as_subclass(Array)


def matrix_transpose(x, /):
    """The transposed matrices of the last two dimensions.

    Parameters
    ----------
    x : Array
        With at least two dimensions.
    """
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: the array has {x.ndim} dimensions, and a matrix has 2")
    return Tensor.transpose(x, -2, -1).as_subclass(Array)


def tensordot(x1, x2, /, *, axes=2):
    """Sums of products over axes of two arrays.

    Parameters
    ----------
    x1, x2 : Array
    axes : int or tuple of two sequences of int
        How many of the last axes of `x1` and the first of `x2`, or which of each.
    """
    x1, x2 = tensors("tensordot", x1, x2)
    if isinstance(axes, int):
        if not 0 <= axes <= min(x1.ndim, x2.ndim):
            raise ValueError(f"tensordot: {axes} axes cannot be taken from arrays with {x1.ndim} and {x2.ndim} dimensions")
        left, right = list(range(x1.ndim - axes, x1.ndim)), list(range(axes))
    else:
        left, right = ([a % max(x.ndim, 1) for a in chosen] for x, chosen in zip((x1, x2), axes, strict=True))
        all_axes("tensordot", tuple(axes[0]), x1.ndim)
        all_axes("tensordot", tuple(axes[1]), x2.ndim)
    lengths = [x1.shape[a] for a in left]
    if lengths != [x2.shape[a] for a in right]:
        raise ValueError(f"tensordot: axes of lengths {lengths} cannot be paired with axes of lengths {[x2.shape[a] for a in right]}")
    rows, columns = [a for a in range(x1.ndim) if a not in left], [a for a in range(x2.ndim) if a not in right]
    shape = [x1.shape[a] for a in rows] + [x2.shape[a] for a in columns]
    inner, m, n = _product(lengths), _product(x1.shape[a] for a in rows), _product(x2.shape[a] for a in columns)
    first = Tensor.permute(x1, (*rows, *left)).reshape((m, inner))
    second = Tensor.permute(x2, (*right, *columns)).reshape((inner, n))
    return matmul(first, second).reshape(shape).as_subclass(Array)


def _product(lengths):
    result = 1
    for length in lengths:
        result *= length
    return result


def vecdot(x1, x2, /, *, axis=-1):
    """Scalar products of vectors along an axis; complex numbers of `x1` are conjugated.

    Parameters
    ----------
    x1, x2 : Array
        They broadcast with each other but for the axis.
    axis : int
        Negative: it counts from the right in both.
    """
    x1, x2 = tensors("vecdot", x1, x2)
    if axis >= 0:
        # An axis from the left names the same dimension in both only if they have as many.
        if x1.ndim != x2.ndim:
            raise ValueError(f"vecdot: axis must be negative for arrays with {x1.ndim} and {x2.ndim} dimensions")
        axis -= x1.ndim
    if not -min(x1.ndim, x2.ndim) <= axis < 0:
        raise IndexError(f"vecdot: axis {axis} is out of range for arrays with {x1.ndim} and {x2.ndim} dimensions")
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(f"vecdot: the vectors have lengths {x1.shape[axis]} and {x2.shape[axis]}")
    if x1.dtype.is_complex:
        x1 = _functions["conj_physical"](x1)
    dtype = x1.dtype
    # Products of vectors as rows and columns; integers are multiplied and summed.
    if not (dtype.is_floating_point or dtype.is_complex):
        return sum_(multiply(x1, x2), axis=axis, dtype=dtype)
    rows, columns = Tensor.movedim(x1, axis, -1).unsqueeze(-2), Tensor.movedim(x2, axis, -1).unsqueeze(-1)
    return _functions["matmul"](rows, columns).squeeze((-2, -1)).as_subclass(Array)


__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]
