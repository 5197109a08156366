"""Searching, sorting, set and indexing functions.

Sorting is stable. In sets every NaN is an element of its own. PyTorch counts negative indices from the end in subscripts only, so that they
are made positive for `take_along_axis`.
"""

from typing import NamedTuple

import numpy as np

from runtime import _core
from runtime.array_api._array import Array, Tensor
from runtime.array_api._axes import one_axis
from runtime.array_api._dtypes import INTEGERS, complex64, complex128, converted, int64
from runtime.array_api._dtypes import bool as bool_
from runtime.array_api._elementwise import equal, tensors
from runtime.kernels._arrays import new, read

_functions = _core.functions


class unique_all_result(NamedTuple):
    """What `unique_all` returns."""

    values: Array
    indices: Array
    inverse_indices: Array
    counts: Array


class unique_counts_result(NamedTuple):
    """What `unique_counts` returns."""

    values: Array
    counts: Array


class unique_inverse_result(NamedTuple):
    """What `unique_inverse` returns."""

    values: Array
    inverse_indices: Array


def _position(name, function, x, axis, keepdims):
    if axis is not None:
        axis = one_axis(name, axis, x.ndim)
    if 0 in (x.shape if axis is None else (x.shape[axis],)):
        raise ValueError(f"{name}: there is none among no elements; the array has shape {tuple(x.shape)}")
    if x.dtype is bool_:
        x = Tensor.to(x, dtype=_core.dtype_names["uint8"])
    return function(x, axis, keepdims).as_subclass(Array)


def argmax(x, /, *, axis=None, keepdims=False):
    """Positions of the greatest elements, the first where there are several.

    Parameters
    ----------
    x : Array
        Of real numbers.
    axis : int, optional
        By default the position in a row of all elements.
    keepdims : bool
        Whether the axis stays, with length one.
    """
    return _position("argmax", _functions["argmax"], x, axis, keepdims)


def argmin(x, /, *, axis=None, keepdims=False):
    """Positions of the smallest elements, the first where there are several.

    Parameters
    ----------
    x : Array
        Of real numbers.
    axis : int, optional
        By default the position in a row of all elements.
    keepdims : bool
        Whether the axis stays, with length one.
    """
    return _position("argmin", _functions["argmin"], x, axis, keepdims)


def nonzero(x, /):
    """Indices of the elements that are not zero.

    Parameters
    ----------
    x : Array
        With at least one dimension.

    Returns
    -------
    tuple of Array
        The indices along each dimension.
    """
    if not x.ndim:
        raise ValueError("nonzero: x must have at least one dimension")
    return tuple(part.as_subclass(Array) for part in _functions["nonzero"](x).unbind(1))


def searchsorted(x1, x2, /, *, side="left", sorter=None):
    """Where elements would have to be inserted to keep an array sorted.

    Parameters
    ----------
    x1 : Array
        Sorted numbers, of one dimension.
    x2 : Array or scalar
        The elements.
    side : {"left", "right"}
        Whether before or after equal ones.
    sorter : Array, optional
        The order in which `x1` is sorted.
    """
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}")
    if x1.ndim != 1:
        raise ValueError(f"searchsorted: x1 must have one dimension, and has {x1.ndim}")
    x1, x2 = tensors("searchsorted", x1, x2)
    if x1.is_meta or x2.is_meta:
        return _functions["empty"](x2.shape, dtype=int64, device="meta").as_subclass(Array)
    # NumPy's search agrees with the order of `sort`, where NaN is last; PyTorch's goes astray among NaN.
    order = None if sorter is None else read(sorter)
    return new(np.searchsorted(read(x1), read(x2), side=side, sorter=order)).as_subclass(Array)


def sort(x, /, *, axis=-1, descending=False, stable=True):
    """The elements in order along an axis.

    Parameters
    ----------
    x : Array
        Of real numbers.
    axis : int
    descending : bool
        Whether the greatest come first.
    stable : bool
        Sorting is stable in any case.
    """
    axis = one_axis("sort", axis, x.ndim)
    return _functions["sort"](x, dim=axis, descending=descending, stable=True)[0].as_subclass(Array)


def argsort(x, /, *, axis=-1, descending=False, stable=True):
    """The indices that put the elements in order along an axis.

    Parameters
    ----------
    x : Array
        Of real numbers.
    axis : int
    descending : bool
        Whether those of the greatest come first.
    stable : bool
        Sorting is stable in any case: equal elements keep their order.
    """
    axis = one_axis("argsort", axis, x.ndim)
    return _functions["sort"](x, dim=axis, descending=descending, stable=True)[1].as_subclass(Array)


def _unique(x, **wanted):
    """NumPy's `unique`, as tensors of which none shares memory with another."""
    found = np.unique(read(Tensor.reshape(x, (-1,))), equal_nan=False, **wanted)
    return [new(part).as_subclass(Array) for part in (found if isinstance(found, tuple) else (found,))]


def unique_all(x, /):
    """The distinct elements, where they are first, where each element is among them, and how many there are.

    Parameters
    ----------
    x : Array

    Returns
    -------
    unique_all_result
    """
    values, indices, inverse, counts = _unique(x, return_index=True, return_inverse=True, return_counts=True)
    return unique_all_result(values, indices, inverse.reshape(x.shape).as_subclass(Array), counts)


def unique_counts(x, /):
    """The distinct elements and how many there are of each.

    Parameters
    ----------
    x : Array

    Returns
    -------
    unique_counts_result
    """
    return unique_counts_result(*_unique(x, return_counts=True))


def unique_inverse(x, /):
    """The distinct elements and where each element is among them.

    Parameters
    ----------
    x : Array

    Returns
    -------
    unique_inverse_result
    """
    values, inverse = _unique(x, return_inverse=True)
    return unique_inverse_result(values, inverse.reshape(x.shape).as_subclass(Array))


def unique_values(x, /):
    """The distinct elements, in order.

    Parameters
    ----------
    x : Array
    """
    return _unique(x)[0]


def isin(x1, x2, /, *, invert=False):
    """Whether elements of one array are among those of another.

    Parameters
    ----------
    x1, x2 : Array or scalar
    invert : bool
        Whether to ask for those that are not.
    """
    x1, x2 = tensors("isin", x1, x2)
    if x1.dtype in (bool_, complex64, complex128):
        # The operator compares neither; every pair is.
        found = Tensor.any(equal(x1.unsqueeze(-1), x2.reshape((-1,))), -1)
    else:
        found = _functions["isin"](x1, x2)
    return (_functions["logical_not"](found) if invert else found).as_subclass(Array)


def _indices(name, indices):
    """Indices in the dtype that PyTorch's functions take."""
    if indices.dtype not in INTEGERS:
        raise TypeError(f"{name}: indices must be integers, got {indices.dtype}")
    return converted(indices, int64)


def take(x, indices, /, *, axis=None):
    """The elements at indices along an axis.

    Parameters
    ----------
    x : Array
    indices : Array
        Integers, of one dimension or none.
    axis : int, optional
        May be left out for one dimension.
    """
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: x has {x.ndim} dimensions, so axis must be given")
        axis = 0
    axis = one_axis("take", axis, x.ndim)
    # A subscript counts negative indices from the end, and takes indices of any number of dimensions.
    return Tensor.__getitem__(x, (*[slice(None)] * axis, _indices("take", indices))).as_subclass(Array)


def take_along_axis(x, indices, /, *, axis=-1):
    """The elements at indices along an axis, with indices of their own for each row.

    Parameters
    ----------
    x : Array
    indices : Array
        Integers; they broadcast with `x` but for the axis.
    axis : int
    """
    axis = one_axis("take_along_axis", axis, x.ndim)
    indices = _indices("take_along_axis", indices)
    indices = _functions["where"](indices < 0, indices + x.shape[axis], indices)
    return _functions["take_along_dim"](x, indices, axis).as_subclass(Array)


__all__ = [
    "argmax", "argmin", "argsort", "isin", "nonzero", "searchsorted", "sort", "take", "take_along_axis", "unique_all", "unique_counts",
    "unique_inverse", "unique_values",
]  # fmt: skip
