"""Reductions of segments of a dimension."""

import math

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import scalar_name, wrap_dim

aten = ops.aten

_UFUNCS = {"sum": np.add, "mean": np.add, "max": np.maximum, "min": np.minimum, "prod": np.multiply}
_ALIASES = {"amax": "max", "amin": "min"}
_NEUTRAL = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "min": np.inf, "prod": 1.0}


def _given(data, lengths, offsets, axis):
    """The tensor that says where segments are, checked, and how many of them it has in each row."""
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    given = lengths if lengths is not None else offsets
    name = "lengths" if lengths is not None else "offsets"
    if given.dim() != axis + 1:
        raise RuntimeError(f"segment_reduce(): Expected axis to be the last dimension of {name} but got {axis}.")
    if given.dtype.is_floating_point or given.dtype.is_complex:
        raise RuntimeError(f"segment_reduce(): Expected {name} to have integral dtype")
    if axis > 0 and tuple(given.shape[:axis]) != tuple(data.shape[:axis]):
        raise RuntimeError(f"segment_reduce(): Expected leading dimensions of {name} to match those of data")
    if lengths is None and given.shape[-1] == 0:
        raise RuntimeError("segment_reduce(): Expected offsets to have at least one element along axis")
    return given, given.shape[-1] - (lengths is None)


def _bounds(data, lengths, offsets, axis, unsafe):
    """First and last + 1 places of the segments, with the outer dimensions as rows."""
    given, _ = _given(data, lengths, offsets, axis)
    table = read(given).astype(np.int64).reshape(-1, given.shape[-1])
    if lengths is not None:
        if not unsafe:
            if table.size and table.min() < 0:
                raise RuntimeError("lengths contains negative value!")
            if (table.sum(1) != data.shape[axis]).any():
                raise RuntimeError("segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.")
        ends = np.cumsum(table, 1)
        starts = ends - table
    else:
        starts, ends = table[:, :-1], table[:, 1:]
    if starts.size and (starts.min() < 0 or ends.max() > data.shape[axis] or (ends < starts).any()):
        raise RuntimeError("segment_reduce(): segments lie outside of data")
    return starts, ends


def segment_reduce(data, reduce, *, lengths=None, indices=None, offsets=None, axis=0, unsafe=False, initial=None):
    axis = wrap_dim(axis, data.dim())
    if not data.dim():
        raise RuntimeError("segment_reduce(): Expected data to have at least one dimension")
    reduce = _ALIASES.get(reduce, reduce)
    if reduce not in _UFUNCS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if not data.dtype.is_floating_point:
        raise NotImplementedError(f"\"_segment_reduce_cpu\" not implemented for '{scalar_name(data.dtype)}'")
    if data.is_meta:
        _, count = _given(data, lengths, offsets, axis)
        return aten.new_empty.default(data, (*data.shape[:axis], count, *data.shape[axis + 1 :]))
    starts, ends = _bounds(data, lengths, offsets, axis, unsafe)
    x = read(data)
    outer, inner = x.shape[:axis], x.shape[axis + 1 :]
    x = x.reshape(len(starts), x.shape[axis], math.prod(inner))
    ufunc, first = _UFUNCS[reduce], _NEUTRAL[reduce] if initial is None else float(initial)
    result = np.full((*starts.shape, x.shape[-1]), first, x.dtype)
    for row, (start, end) in enumerate(zip(starts, ends)):
        filled = np.flatnonzero(end > start)
        if filled.size:
            # Pairs of bounds: every other result is what lies between two segments.
            bounds = np.stack([start[filled], end[filled]], 1).ravel()
            padded = np.concatenate([x[row], np.zeros((1, x.shape[-1]), x.dtype)])
            result[row, filled] = ufunc(result[row, filled], ufunc.reduceat(padded, bounds, axis=0)[::2])
    if reduce == "mean":
        count = (ends - starts)[..., None]
        empty = np.nan if initial is None else first
        result = np.where(count > 0, result / np.maximum(count, 1), empty).astype(x.dtype)
    return new(result.reshape(*outer, starts.shape[1], *inner), data.dtype)


def _segment_reduce_backward(grad, output, data, reduce, *, lengths=None, offsets=None, axis=0, initial=None):
    axis, reduce = wrap_dim(axis, data.dim()), _ALIASES.get(reduce, reduce)
    if data.is_meta:
        _given(data, lengths, offsets, axis)
        return aten.new_empty.default(data, data.shape)
    starts, ends = _bounds(data, lengths, offsets, axis, True)
    x, g, y = (read(t) for t in (data, grad, output))
    shape = x.shape
    inner = math.prod(shape[axis + 1 :])
    for t in (g, y):
        if t.shape != (*shape[:axis], starts.shape[1], *shape[axis + 1 :]):
            raise RuntimeError("segment_reduce_backward(): Expected gradient and output to have one element for each segment")
    x = x.reshape(len(starts), shape[axis], inner)
    g, y = (a.reshape(*starts.shape, inner) for a in (g, y))
    result = np.zeros_like(x)
    for row in range(len(starts)):
        count = ends[row] - starts[row]
        places = np.concatenate([np.arange(s, e) for s, e in zip(starts[row], ends[row])]) if count.size else np.zeros(0, np.int64)
        segment = np.repeat(np.arange(len(count)), count)
        values, gradient, results = x[row, places], g[row, segment], y[row, segment]
        if reduce == "sum":
            part = gradient
        elif reduce == "mean":
            part = gradient / count[segment][:, None]
        elif reduce in ("max", "min"):
            equal = (values == results) | ((values != values) & (results != results))
            ties = np.zeros((len(count), x.shape[-1]))
            np.add.at(ties, segment, equal)
            part = np.where(equal, gradient / np.maximum(ties[segment], 1), 0)
        else:
            part = gradient * _others(values, segment, results, 1.0 if initial is None else float(initial))
        result[row, places] = part
    return new(result.reshape(shape), data.dtype)


def _others(values, segment, results, initial):
    """Of each element the product of the others of its segment."""
    with np.errstate(divide="ignore", invalid="ignore"):
        others = results / values
    special = (values == 0) | (values != values)
    for i, c in zip(*np.nonzero(special)):
        rest = (segment == segment[i]) & (np.arange(len(segment)) != i)
        others[i, c] = initial * values[rest, c].prod()
    return others
