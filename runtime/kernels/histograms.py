"""Histograms: histc, histogram and histogramdd.

An element belongs to the bin whose left edge it has reached; the last bin has its right edge too. What lies outside, and NaN, counts
nowhere.
"""

import math

import numpy as np

from runtime._core import ops
from runtime.kernels._arrays import memory, new, read
from runtime.kernels._common import check_countable, scalar_name
from runtime.kernels._pieces import PIECE

aten = ops.aten


def _check_floating(self, name):
    import runtime

    if self.dtype not in (runtime.float32, runtime.float64):
        raise NotImplementedError(f"\"{name}\" not implemented for '{scalar_name(self.dtype)}'")


# ---- histc


def histc(self, bins=100, min=0, max=0):
    if self.dtype.is_complex:
        raise NotImplementedError(f"\"aminmax_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    if isinstance(min, complex) or isinstance(max, complex):
        raise RuntimeError("value cannot be converted to type double without overflow")
    if not self.dtype.is_floating_point:
        raise NotImplementedError(f"\"histogram_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins}")
    check_countable(bins)
    low, high = float(min), float(max)
    if self.is_meta:
        # Without elements the range is known only where it is given.
        if low != high:
            _check_range(low, high)
        return aten.new_empty.default(self, (bins,))
    x = np.ravel(memory(self))
    if low == high and x.size:
        low, high = float(x.min()), float(x.max())
    if low == high:
        low, high = low - 1, high + 1
    _check_range(low, high)
    # Every step is rounded to the dtype, as in PyTorch's kernel: it decides in which bin an element at an edge is.
    low, high, count = (x.dtype.type(v) for v in (low, high, bins))
    counts = np.zeros(bins)
    block = bins if bins > 1 << 16 else 1 << 16
    for begin in range(0, x.size, block):
        part = x[begin : begin + block]
        part = part[(part >= low) & (part <= high)]
        places = np.minimum(((part - low) * count / (high - low)).astype(np.int64), bins - 1)
        counts += np.bincount(places, minlength=bins)
    return new(counts, self.dtype)


def _check_range(low, high):
    if not (math.isfinite(low) and math.isfinite(high)):
        raise RuntimeError(f"torch.histc: range of [{low:g}, {high:g}] is not finite")
    if low >= high:
        raise RuntimeError("torch.histc: max must be larger than min")


# ---- histograms with edges


def _check_points(self, bins, weight):
    if self.dim() < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions, but got " + str(self.dim()))
    if len(bins) != self.shape[-1]:
        raise RuntimeError(
            f"torch.histogramdd: expected {self.shape[-1]} sequences of bin edges for a {self.shape[-1]}-dimensional histogram but got {len(bins)}"
        )
    _check_weight(self, weight)


def _check_weight(self, weight, name="torch.histogramdd"):
    if weight is None:
        return
    if weight.dtype != self.dtype:
        raise RuntimeError(
            f"{name}: if weight tensor is provided, input tensor and weight tensor should have the same dtype, but got input "
            f"{scalar_name(self.dtype)}, and weight {scalar_name(weight.dtype)}"
        )
    expected = tuple(self.shape[:-1]) or (1,)
    given = tuple(weight.shape) or (1,)
    if expected != given:
        raise RuntimeError(
            f"{name}: if weight tensor is provided it should have the same shape as the input tensor excluding its innermost "
            f"dimension, but got input with shape {list(self.shape)} and weight with shape {list(weight.shape)}"
        )


def _points(self, weight):
    table = read(self).reshape(math.prod(self.shape[:-1]), self.shape[-1])
    return table, None if weight is None else read(weight).reshape(-1)


def _ranges(table, range_, dims):
    if range_ is not None:
        if len(range_) != 2 * dims:
            raise RuntimeError(
                f"torch.histogramdd: for a {dims}-dimensional histogram range should have {2 * dims} elements, but got {len(range_)}"
            )
        low, high = list(range_[::2]), list(range_[1::2])
    elif table.size:
        low, high = table.min(0).tolist(), table.max(0).tolist()
    else:
        low, high = [0.0] * dims, [1.0] * dims
    for d in range(dims):
        if not (math.isfinite(low[d]) and math.isfinite(high[d])):
            raise RuntimeError(f"torch.histogramdd: dimension {d}'s range [{low[d]:g}, {high[d]:g}] is not finite")
        if low[d] > high[d]:
            raise RuntimeError(f"torch.histogramdd: min should not exceed max, but got min {low[d]:g} max {high[d]:g} for dimension {d}")
        if low[d] == high[d]:
            low[d], high[d] = low[d] - 0.5, high[d] + 0.5
    return low, high


def _linear_edges(self, bins, range_):
    for d, count in enumerate(bins):
        if count <= 0:
            raise RuntimeError(f"torch.histogramdd: bins must be > 0, but got {count} for dimension {d}")
    _check_floating(self, "histogramdd")
    low, high = _ranges(read(self).reshape(math.prod(self.shape[:-1]), self.shape[-1]), range_, self.shape[-1])
    return [aten.linspace.default(a, b, n + 1, dtype=self.dtype) for a, b, n in zip(low, high, bins)]


def _bin_of(x, edges, even):
    """The number of the bin of each element that lies within edges; edges that are evenly spaced need no search."""
    if not even or len(edges) < 2 or not edges[-1] > edges[0]:
        return np.searchsorted(edges, x, "right") - 1
    last = len(edges) - 2
    with np.errstate(invalid="ignore", over="ignore"):
        place = np.clip((x - edges[0]) * (x.dtype.type(last + 1) / (edges[-1] - edges[0])), 0, last)
    place = np.nan_to_num(place).astype(np.intp)
    # Edges are rounded: an element beside one may belong to the next bin.
    place -= (x < edges[place]) & (place > 0)
    place += (x >= edges[place + 1]) & (place < last)
    return place


def _count(self, edges, weight, density, even=False):
    """The histogram of points over edges along each dimension."""
    _check_floating(self, "histogramdd")
    table, weights = _points(self, weight)
    shape = [len(e) - 1 for e in edges]
    bins = math.prod(shape)
    counts = np.zeros(bins)
    rows = max(PIECE // 4, bins)
    for begin in range(0, len(table), rows):
        part = table[begin : begin + rows]
        inside = np.ones(len(part), bool)
        flat = np.zeros(len(part), np.int64)
        for d, e in enumerate(edges):
            x = part[:, d]
            inside &= (x >= e[0]) & (x <= e[-1]) if len(e) else False
            flat = flat * shape[d] + np.minimum(_bin_of(x, e, even), shape[d] - 1)
        kept = None if weights is None else weights[begin : begin + rows][inside].astype(np.float64)
        counts += np.bincount(flat[inside], kept, minlength=bins)
    counts = counts.reshape(shape).astype(table.dtype)
    if density:
        total = counts.sum()
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            counts = counts / total
            for d, e in enumerate(edges):
                counts = counts / np.diff(e).reshape([-1 if k == d else 1 for k in range(len(shape))])
    return new(counts.astype(table.dtype))


def _histogramdd_bin_edges(self, bins, *, range=None, weight=None, density=False):
    _check_points(self, bins, weight)
    return _linear_edges(self, bins, range)


def _histogramdd_from_bin_cts(self, bins, *, range=None, weight=None, density=False):
    _check_points(self, bins, weight)
    return _count(self, [read(e) for e in _linear_edges(self, bins, range)], weight, density, even=True)


def _histogramdd_from_bin_tensors(self, bins, *, weight=None, density=False):
    _check_points(self, bins, weight)
    _check_edges(self, bins)
    return _count(self, [read(e) for e in bins], weight, density)


def _check_edges(self, bins):
    for d, e in enumerate(bins):
        if e.dtype != self.dtype:
            raise RuntimeError(
                "torch.histogramdd: input tensor and bins tensors should have the same dtype, but got input with dtype "
                f"{scalar_name(self.dtype)} and bins for dimension {d} with dtype {scalar_name(e.dtype)}"
            )
        if e.dim() != 1:
            raise RuntimeError(
                f"torch.histogramdd: bins tensor should have one dimension, but got {e.dim()} dimensions in the bins tensor for "
                f"dimension {d}"
            )
        if e.numel() == 0:
            raise RuntimeError(
                "torch.histogramdd: bins tensor should have at least 1 element, but got 0 elements in the bins tensor for "
                f"dimension {d}"
            )


def histogramdd(self, bins, range=None, weight=None, density=False):
    hist = aten._histogramdd_from_bin_cts.default(self, bins, range=range, weight=weight, density=density)
    return hist, list(aten._histogramdd_bin_edges.default(self, bins, range=range, weight=weight, density=density))


def histogramdd_int_bins(self, bins, range=None, weight=None, density=False):
    return aten.histogramdd.default(self, (bins,) * (self.shape[-1] if self.dim() else 0), range, weight, density)


def histogramdd_TensorList_bins(self, bins, range=None, weight=None, density=False):
    return aten._histogramdd_from_bin_tensors.default(self, bins, weight=weight, density=density), list(bins)


def _column(self, weight):
    """The elements as points of one dimension."""
    points = aten.reshape.default(self, (-1, 1))
    if weight is not None and tuple(weight.shape) != tuple(self.shape):
        raise RuntimeError(
            "torch.histogram: if weight tensor is provided it should have the same shape as the input tensor, but got input with "
            f"shape {list(self.shape)} and weight with shape {list(weight.shape)}"
        )
    return points, None if weight is None else aten.reshape.default(weight, (-1,))


def histogram_bins_tensor(self, bins, *, weight=None, density=False):
    points, weights = _column(self, weight)
    _check_points(points, (bins,), weights)
    _check_edges(points, (bins,))
    return _count(points, [read(bins)], weights, density), aten.clone.default(bins)


def histogram_bin_ct(self, bins=100, *, range=None, weight=None, density=False):
    points, weights = _column(self, weight)
    _check_points(points, (bins,), weights)
    (edges,) = _linear_edges(points, (bins,), range)
    return _count(points, [read(edges)], weights, density, even=True), edges
