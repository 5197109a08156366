"""Elements or slices without their repetitions."""

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import scalar_name, wrap_dim

aten = ops.aten


def _empty():
    return new(np.zeros(0, np.int64))


def _like(array, self):
    return new(array, self.dtype)


def _check_kind(self):
    if self.dtype.is_complex:
        raise NotImplementedError(f"\"unique\" not implemented for '{scalar_name(self.dtype)}'")


def _groups(starts):
    """The number of the group of each element, and the groups' sizes, from where groups start."""
    at = np.flatnonzero(starts)
    return np.cumsum(starts) - 1, np.diff(np.append(at, len(starts)))


def _starts_of_runs(flat):
    starts = np.ones(len(flat), bool)
    starts[1:] = flat[1:] != flat[:-1]
    return starts


def _unique2(self, sorted=True, return_inverse=False, return_counts=False):
    _check_kind(self)
    flat = np.ravel(read(self))
    inverse = counts = None
    if return_inverse:
        order = np.argsort(flat)
        starts = _starts_of_runs(flat[order])
        group, counts = _groups(starts)
        found = flat[order][starts]
        inverse = np.empty(len(flat), np.int64)
        inverse[order] = group
    else:
        flat = np.sort(flat)
        starts = _starts_of_runs(flat)
        found = flat[starts]
        if return_counts:
            counts = _groups(starts)[1]
    return (
        _like(found, self),
        new(inverse.reshape(tuple(self.shape))) if return_inverse else _empty(),
        new(counts.astype(np.int64)) if return_counts else _empty(),
    )


def _unique(self, sorted=True, return_inverse=False):
    return _unique2(self, sorted, return_inverse)[:2]


def _slices(self, dim):
    """The slices along a dimension as rows of a table."""
    array = np.moveaxis(read(self), dim, 0)
    return array, np.ascontiguousarray(array).reshape(array.shape[0], -1 if array.size else 0)


def _check_slices(self, dim):
    zeros = [d for d, n in enumerate(self.shape) if n == 0 and d != dim]
    if self.shape[dim] == 0:
        if len(zeros) > 0:
            raise RuntimeError("Number of zero sized dimensions is more than one, so unique cannot be applied ")
    elif zeros:
        raise RuntimeError("There are 0 sized dimensions, and they aren't selected, so unique cannot be applied")


def _order_of_rows(table):
    """The order that sorts rows: column by column, until no two rows agree."""
    group, order = np.zeros(len(table), np.int64), np.arange(len(table))
    for column in table.T:
        order = np.lexsort((column, group))
        starts = _starts_of_runs(group[order]) | _starts_of_runs(column[order])
        if starts.all():
            break
        group[order] = np.cumsum(starts)
    return order


def _unique_slices(self, dim, return_inverse, return_counts, sort):
    _check_kind(self)
    if self.dim() == 0:
        dim = wrap_dim(dim, 0)
        self, scalar = aten.view.default(self, (1,)), True
    else:
        dim, scalar = wrap_dim(dim, self.dim()), False
    _check_slices(self, dim)
    array, table = _slices(self, dim)
    count = len(table)
    if count == 0:
        return _like(np.array(read(self)), self), _empty(), _empty()
    order = _order_of_rows(table) if sort else np.arange(count)
    ordered = table[order]
    starts = np.ones(count, bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(1)
    group, counts = _groups(starts)
    inverse = np.empty(count, np.int64)
    inverse[order] = group
    found = np.moveaxis(array[order[starts]], 0, dim)
    result = _like(np.ascontiguousarray(found), self)
    if scalar and not sort:
        result = aten.view.default(result, ())
    return (
        result,
        new(inverse) if return_inverse else _empty(),
        new(counts.astype(np.int64)) if return_counts else _empty(),
    )


def unique_dim(self, dim, sorted=True, return_inverse=False, return_counts=False):
    return _unique_slices(self, dim, True, True, True)


def unique_dim_consecutive(self, dim, return_inverse=False, return_counts=False):
    return _unique_slices(self, dim, True, True, False)


def unique_consecutive(self, return_inverse=False, return_counts=False, dim=None):
    _check_kind(self)
    if dim is not None and not (self.dim() == 1 and wrap_dim(dim, 1) == 0):
        return unique_dim_consecutive(self, dim, return_inverse, return_counts)
    flat = np.ravel(read(self))
    starts = _starts_of_runs(flat)
    at = np.flatnonzero(starts)
    return (
        _like(flat.take(at), self),
        new((np.cumsum(starts, dtype=np.int64) - 1).reshape(tuple(self.shape))) if return_inverse else _empty(),
        new(np.diff(np.append(at, len(starts))).astype(np.int64)) if return_counts else _empty(),
    )
