"""Sparse tensors in coordinates as their kernels see them: parts, and places of coordinates.

The place of a coordinate is its number in the order of rows, over the sparse dimensions. Nobody has checked the indices of a sparse tensor
before: `places` does, and whatever leads from indices to memory goes through it.
"""

import math

import numpy as np

from runtime._core import _adopt, _set_sparse_parts, _sparse_parts, _sparse_tensor, dtype_names, ops
from runtime.kernels._arrays import read

aten = ops.aten
integers = dtype_names["int64"]


def parts(tensor):
    """Indices and values of a sparse tensor, the number of its sparse dimensions, and whether it is coalesced."""
    found = _sparse_parts(tensor)
    return found.indices, found.values, found.sparse_dim, found.coalesced


def coordinates(tensor):
    """The indices of a sparse tensor as an array: a row for each sparse dimension. Never written to."""
    return read(_sparse_parts(tensor).indices)


def index_tensor(array):
    """A new tensor of indices."""
    array = np.ascontiguousarray(array, dtype=np.int64)
    if not array.size:
        return aten.empty.memory_format(array.shape, dtype=integers)
    return _adopt(array if array.flags.owndata and array.flags.writeable else array.copy())


def make(like, indices, values, coalesced):
    """A sparse tensor of another one's sizes."""
    return _sparse_tensor(like.shape, indices, values, coalesced)


def empty(shape, sparse_dim, dtype):
    """A sparse tensor without values."""
    indices = aten.empty.memory_format((sparse_dim, 0), dtype=integers)
    return _sparse_tensor(shape, indices, aten.empty.memory_format((0, *shape[sparse_dim:]), dtype=dtype), True)


def put(tensor, source):
    """Give a sparse tensor what another one has, in its own dtype."""
    indices, values, _, coalesced = parts(source)
    if values.dtype != tensor.dtype:
        values = aten._to_copy.default(values, dtype=tensor.dtype)
    _set_sparse_parts(tensor, source.shape, indices, values, coalesced)
    return tensor


def check_inside(indices, sizes):
    """Raise where an index lies outside its dimension; `indices` is an array."""
    if not indices.shape[1]:
        return
    for dim, (row, size) in enumerate(zip(indices, sizes)):
        lowest, highest = int(row.min()), int(row.max())
        if lowest < 0:
            raise RuntimeError(f"found negative index {lowest} for dim {dim}")
        if highest >= size:
            raise RuntimeError(f"size is inconsistent with indices: for dim {dim}, size is {size} but found index {highest}")


def places(indices, sizes):
    """The place of each coordinate: an array of int64, after a check that all lie inside the sizes."""
    check_inside(indices, sizes)
    if math.prod(sizes) >= 2**63:
        raise RuntimeError(f"sparse sizes of {list(sizes)} are too large: the coordinates cannot be numbered")
    result = np.zeros(indices.shape[1], np.int64)
    for row, size in zip(indices, sizes):
        result *= size
        result += row
    return result


def places_of(tensor):
    """The places of a sparse tensor's coordinates."""
    found = _sparse_parts(tensor)
    return places(read(found.indices), tensor.shape[: found.sparse_dim])


def unravel(numbers, sizes):
    """The indices of places: an array with a row for each size."""
    result = np.empty((len(sizes), len(numbers)), np.int64)
    numbers = np.array(numbers, np.int64)
    for dim in range(len(sizes) - 1, -1, -1):
        numbers, result[dim] = np.divmod(numbers, max(sizes[dim], 1))
    return result


def take(values, rows):
    """The values in some rows; `rows` is an array of row numbers."""
    return aten.index_select.default(values, 0, index_tensor(rows))


def sums(values, groups, count):
    """Sums of the values of each group; bools are joined by "or". `groups` is an array of the group of each value."""
    result = aten.new_zeros.default(values, (count, *values.shape[1:]))
    if not len(groups):
        return result
    if values.dtype == dtype_names["bool"]:
        return aten.ne.Scalar(sums(aten._to_copy.default(values, dtype=integers), groups, count), 0)
    return aten.index_add_.default(result, 0, index_tensor(groups), values)


def coalesced(tensor):
    """The coalesced form of a sparse tensor: the tensor itself where it is."""
    indices, values, sparse_dim, known = parts(tensor)
    if known:
        return tensor
    sizes = tensor.shape[:sparse_dim]
    numbers = places(read(indices), sizes)
    if not (np.diff(numbers) <= 0).any():
        return make(tensor, indices, values, True)
    order = np.argsort(numbers, kind="stable")
    ordered = numbers[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    distinct = ordered[first]
    summed = sums(take(values, order), np.cumsum(first) - 1, len(distinct))
    return make(tensor, index_tensor(unravel(distinct, sizes)), summed, True)


def look_up(sorted_numbers, wanted):
    """For each wanted place its position among sorted distinct ones, and whether it is there."""
    if not len(sorted_numbers):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), bool)
    at = np.minimum(np.searchsorted(sorted_numbers, wanted), len(sorted_numbers) - 1)
    return at, sorted_numbers[at] == wanted


def values_at(tensor, numbers):
    """The values of a sparse tensor at places, zeros where it has none."""
    tensor = coalesced(tensor)
    values = parts(tensor)[1]
    at, there = look_up(places_of(tensor), numbers)
    result = aten.new_zeros.default(values, (len(numbers), *values.shape[1:]))
    if there.any():
        aten.index_copy_.default(result, 0, index_tensor(np.flatnonzero(there)), take(values, at[there]))
    return result


def gathered(dense, indices, sparse_dim):
    """The parts of a dense tensor at coordinates that lie inside it."""
    if not sparse_dim:
        return aten.expand.default(aten.unsqueeze.default(dense, 0), (indices.shape[1], *dense.shape))
    return aten.index.Tensor(dense, tuple(aten.unbind.int(indices, 0)))
