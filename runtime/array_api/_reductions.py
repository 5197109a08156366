"""Statistical and utility functions: reductions along axes, cumulative ones, differences.

An axis of None stands for all axes and an empty tuple for none, where PyTorch's operators take both for all.
"""

import math

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._axes import all_axes, one_axis
from runtime.array_api._dtypes import KINDS, WIDE_UNSIGNED, complex64, complex128, converted, float32, float64, int16, int32, int64, uint64
from runtime.array_api._dtypes import bool as bool_
from runtime.array_api._elementwise import subtract, tensors
from runtime.array_api._manipulation import broadcast_to, concat

_functions = _core.functions
_UNSIGNED = frozenset(KINDS["unsigned integer"].values())
# The scans have no loops for wide unsigned integers; signed ones of the same size compute the same bits.
_SIGNED_TWIN = dict(zip(WIDE_UNSIGNED, (int16, int32, int64), strict=True))
_SIGNED = frozenset(KINDS["signed integer"].values())


_REAL_PART = {complex64: float32, complex128: float64}


def _accumulator(x, dtype):
    """The dtype of sums and products: integers are summed in 64 bits."""
    if dtype is not None:
        return dtype
    dtype = x.dtype
    return uint64 if dtype in _UNSIGNED else int64 if dtype in _SIGNED or dtype is bool_ else dtype


def _rows(x, axes):
    """The array with some axes, put together, as its last."""
    kept = [a for a in range(x.ndim) if a not in axes]
    rows = _functions["permute"](x, (*kept, *axes))
    return _functions["flatten"](rows, len(kept)) if len(axes) > 1 else rows


def _kept(x, axes):
    """The shape of a reduction that keeps its axes."""
    return tuple(1 if place in axes else length for place, length in enumerate(x.shape))


def sum(x, /, *, axis=None, dtype=None, keepdims=False):
    """Sums.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    dtype : dtype, optional
        Of the result and of the summation; by default that of `x`, and 64 bits for integers.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    dtype = _accumulator(x, dtype)
    axes = all_axes("sum", axis, x.ndim)
    if not axes:
        return Tensor.to(x, dtype=dtype, copy=True).as_subclass(Array)
    return _functions["sum"](x, axes, keepdims, dtype=dtype).as_subclass(Array)


def prod(x, /, *, axis=None, dtype=None, keepdims=False):
    """Products.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    dtype : dtype, optional
        Of the result and of the products; by default that of `x`, and 64 bits for integers.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    dtype = _accumulator(x, dtype)
    axes = all_axes("prod", axis, x.ndim)
    if not axes:
        return Tensor.to(x, dtype=dtype, copy=True).as_subclass(Array)
    if len(axes) == 1:
        return _functions["prod"](x, axes[0], keepdims, dtype=dtype).as_subclass(Array)
    result = _functions["prod"](_rows(x, axes), -1, dtype=dtype)
    return (result.reshape(_kept(x, axes)) if keepdims else result).as_subclass(Array)


def max(x, /, *, axis=None, keepdims=False):
    """Greatest elements; NaN where there is one.

    Parameters
    ----------
    x : Array
        Of real numbers, with at least one element along the axes.
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _extreme("max", _functions["amax"], x, axis, keepdims)


def min(x, /, *, axis=None, keepdims=False):
    """Smallest elements; NaN where there is one.

    Parameters
    ----------
    x : Array
        Of real numbers, with at least one element along the axes.
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _extreme("min", _functions["amin"], x, axis, keepdims)


def _extreme(name, function, x, axis, keepdims):
    axes = all_axes(name, axis, x.ndim)
    if not axes:
        return x.clone().as_subclass(Array)
    if 0 in [x.shape[a] for a in axes]:
        raise ValueError(f"{name}: there is no {name} of no elements; the array has shape {tuple(x.shape)}")
    return function(x, axes, keepdims).as_subclass(Array)


def mean(x, /, *, axis=None, keepdims=False):
    """Arithmetic means.

    Parameters
    ----------
    x : Array
        Of floating-point numbers.
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    axes = all_axes("mean", axis, x.ndim)
    if not axes:
        return x.clone().as_subclass(Array)
    return _functions["mean"](x, axes, keepdims).as_subclass(Array)


def var(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Variances.

    Parameters
    ----------
    x : Array
        Of floating-point numbers.
    axis : int or tuple of int, optional
        By default all.
    correction : int or float
        What is taken from the number of elements before sums of squares are divided by it.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _spread("var", x, axis, correction, keepdims)


def std(x, /, *, axis=None, correction=0.0, keepdims=False):
    """Standard deviations.

    Parameters
    ----------
    x : Array
        Of floating-point numbers.
    axis : int or tuple of int, optional
        By default all.
    correction : int or float
        What is taken from the number of elements before sums of squares are divided by it.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _spread("std", x, axis, correction, keepdims)


def _spread(name, x, axis, correction, keepdims):
    axes = all_axes(name, axis, x.ndim)
    count = math.prod(x.shape[a] for a in axes)
    if count - correction <= 0:
        # PyTorch divides by 0 here, and finds infinity where elements differ.
        shape = _kept(x, axes) if keepdims else [length for place, length in enumerate(x.shape) if place not in axes]
        dtype = _REAL_PART.get(x.dtype, x.dtype)
        return _functions["full"](shape, math.nan, dtype=dtype, device=x.device).as_subclass(Array)
    if not axes:
        # One element each: its own row.
        return _functions[name](x.unsqueeze(-1), (-1,), correction=correction).as_subclass(Array)
    return _functions[name](x, axes, correction=correction, keepdim=keepdims).as_subclass(Array)


def all(x, /, *, axis=None, keepdims=False):
    """Whether all elements are true.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _truth("all", x, axis, keepdims)


def any(x, /, *, axis=None, keepdims=False):
    """Whether an element is true.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return _truth("any", x, axis, keepdims)


def _truth(name, x, axis, keepdims):
    if x.dtype is not bool_:
        x = _functions["ne"](x, 0)
    axes = all_axes(name, axis, x.ndim)
    if not axes:
        return x.clone().as_subclass(Array)
    return _functions[name](x, axes, keepdims).as_subclass(Array)


def cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False):
    """Sums of the elements up to each.

    Parameters
    ----------
    x : Array
    axis : int, optional
        May be left out for one dimension.
    dtype : dtype, optional
        By default as in `sum`.
    include_initial : bool
        Whether the result begins with the sum of no elements.
    """
    return _cumulative("cumulative_sum", _functions["cumsum"], 0, x, axis, dtype, include_initial)


def cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False):
    """Products of the elements up to each.

    Parameters
    ----------
    x : Array
    axis : int, optional
        May be left out for one dimension.
    dtype : dtype, optional
        By default as in `prod`.
    include_initial : bool
        Whether the result begins with the product of no elements.
    """
    return _cumulative("cumulative_prod", _functions["cumprod"], 1, x, axis, dtype, include_initial)


def _cumulative(name, function, initial, x, axis, dtype, include_initial):
    if x.ndim == 0:
        raise ValueError(f"{name}: x must have at least one dimension")
    if axis is None:
        if x.ndim > 1:
            raise ValueError(f"{name}: x has {x.ndim} dimensions, so axis must be given")
        axis = 0
    axis = one_axis(name, axis, x.ndim)
    dtype = _accumulator(x, dtype)
    result = function(x, axis, dtype=_SIGNED_TWIN.get(dtype, dtype))
    if dtype in _SIGNED_TWIN:
        result = result.view(dtype)
    if include_initial:
        shape = list(x.shape)
        shape[axis] = 1
        first = _functions["full"](shape, initial, dtype=result.dtype, device=x.device)
        result = _functions["cat"]([first, result], axis)
    return result.as_subclass(Array)


def diff(x, /, *, axis=-1, n=1, prepend=None, append=None):
    """Differences of neighbouring elements.

    Parameters
    ----------
    x : Array
    axis : int
    n : int
        How many times.
    prepend, append : Array, optional
        Values before and after those of `x`, of the same shape but for the axis.
    """
    if n < 0:
        raise ValueError(f"diff: n must not be negative, got {n}")
    axis = one_axis("diff", axis, x.ndim)
    parts = [part for part in (prepend, x, append) if part is not None]
    if len(parts) > 1:
        shape = list(x.shape)
        shape[axis] = 1
        parts = [broadcast_to(part, shape) if isinstance(part, Tensor) and not part.ndim else part for part in tensors("diff", *parts)]
        x = concat(parts, axis=axis)
    if x.dtype not in WIDE_UNSIGNED:
        return _functions["diff"](x, n, axis).as_subclass(Array) if n else x.clone().as_subclass(Array)
    for _ in range(n):
        length = x.shape[axis] - 1
        if length < 0:
            break
        x = subtract(x.narrow(axis, 1, length), x.narrow(axis, 0, length))
    return converted(x, x.dtype).as_subclass(Array)


def count_nonzero(x, /, *, axis=None, keepdims=False):
    """Numbers of elements that are not zero.

    Parameters
    ----------
    x : Array
    axis : int or tuple of int, optional
        By default all.
    keepdims : bool
        Whether the axes stay, with length one.
    """
    return sum(_functions["ne"](x, 0), axis=axis, keepdims=keepdims)


__all__ = ["all", "any", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max", "mean", "min", "prod", "std", "sum", "var"]
