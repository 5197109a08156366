"""Order along a dimension: sorts made of the stable one, elements of a given rank, quantiles, modes."""

import math

import numpy as np

from runtime._core import dtype_names, ops
from runtime.kernels._arrays import memory, new, read
from runtime.kernels._common import into, scalar_name, wrap_dim
from runtime.kernels._pieces import cut, lanes, large_shape, unwatched_large_shape

aten = ops.aten


# ---- sort


def sort(self, dim=-1, descending=False):
    return aten.sort.stable(self, stable=False, dim=dim, descending=descending)


def sort_values(self, dim=-1, descending=False, *, values, indices):
    return aten.sort.values_stable(self, stable=False, dim=dim, descending=descending, values=values, indices=indices)


def argsort(self, dim=-1, descending=False):
    return aten.sort.default(self, dim, descending)[1]


def argsort_stable(self, *, stable, dim=-1, descending=False):
    return aten.sort.stable(self, stable=stable, dim=dim, descending=descending)[1]


def msort(self):
    return aten.sort.default(self, 0, False)[0]


def msort_out(self, *, out):
    indices = aten.empty.memory_format([0], dtype=dtype_names["int64"], device=self.device)
    return aten.sort.values(self, 0, False, values=out, indices=indices)[0]


# ---- elements of a rank


def _picked(values, indices, places, dim):
    """The elements of sorted tensors at places (of size 1 along the dimension)."""
    return aten.gather.default(values, dim, places), aten.gather.default(indices, dim, places)


def _along(find, self, dim, keepdim):
    """What `find` finds along a dimension of a tensor, which it keeps with size 1: values and indices, of many lanes in pieces."""
    if large_shape(self) is None:
        values, indices = find(self)
    else:
        sizes = [1 if d == dim else n for d, n in enumerate(self.shape)]
        values = aten.empty.memory_format(sizes, dtype=self.dtype)
        indices = aten.empty.memory_format(sizes, dtype=dtype_names["int64"])
        for place in lanes(self.shape, dim):
            for whole, part in zip((values, indices), find(cut(self, place, self.dim())), strict=True):
                aten.copy_.default(cut(whole, place, self.dim()), part)
    if not keepdim:
        values, indices = aten.squeeze.dim(values, dim), aten.squeeze.dim(indices, dim)
    return values, indices


def _check_rank_input(name, self, dim):
    if self.dtype.is_complex:
        raise RuntimeError(f"{name}(): does not support complex input")
    dim = wrap_dim(dim, self.dim())
    if self.dim() and self.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")
    return dim


def kthvalue(self, k, dim=-1, keepdim=False):
    dim = wrap_dim(dim, self.dim())
    length = self.shape[dim] if self.dim() else 1
    if self.dim() and length == 0:
        raise IndexError(f"kthvalue(): Expected reduction dim {dim} to have non-zero size.")
    if not 0 < k <= length:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    if self.dtype.is_complex or str(self.dtype).endswith("bool"):
        raise NotImplementedError(f"\"kthvalue_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    if self.dim() == 0:
        return aten.clone.default(self), aten.zeros_like.default(self, dtype=aten.sort.default(self)[1].dtype)
    if large_shape(self) is not None:
        return _along(lambda part: _kth(part, k, dim, True), self, dim, keepdim)
    return _kth(self, k, dim, keepdim)


def _kth(self, k, dim, keepdim):
    values, indices = aten.sort.stable(self, stable=True, dim=dim)
    values, indices = aten.narrow.default(values, dim, k - 1, 1), aten.narrow.default(indices, dim, k - 1, 1)
    if not keepdim:
        values, indices = aten.squeeze.dim(values, dim), aten.squeeze.dim(indices, dim)
    return aten.clone.default(values), aten.clone.default(indices)


def kthvalue_values(self, k, dim=-1, keepdim=False, *, values, indices):
    if values.numel() and values.untyped_storage().data_ptr() == self.untyped_storage().data_ptr():
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. Please clone() "
            "the tensor before performing the operation."
        )
    found = aten.kthvalue.default(self, k, dim, keepdim)
    return into(values, found[0]), into(indices, found[1])


def _median(name, self, dim, keepdim, ignore_nan):
    dim = _check_rank_input(name, self, dim)
    if self.dim() == 0:
        return aten.clone.default(self), aten.zeros_like.default(self, dtype=aten.sort.default(self)[1].dtype)
    return _along(lambda part: _median_of_lanes(part, dim, ignore_nan), self, dim, keepdim)


def _median_of_lanes(self, dim, ignore_nan):
    values, indices = aten.sort.stable(self, stable=True, dim=dim)
    length = self.shape[dim]
    is_nan = aten.isnan.default(values)
    count = aten.sum.dim_IntList(is_nan, (dim,), True)
    if ignore_nan:
        # NaNs stand last: the middle of the others; the first element where all are NaN.
        places = aten.clamp.default(aten.div.Tensor_mode(aten.rsub.Scalar(count, length - 1), 2, rounding_mode="floor"), 0)
    else:
        # A NaN is the median of the elements that it stands among.
        middle = aten.full_like.default(count, (length - 1) // 2)
        places = aten.where.self(aten.gt.Scalar(count, 0), aten.rsub.Scalar(count, length), middle)
    return _picked(values, indices, places, dim)


def median_dim(self, dim, keepdim=False):
    return _median("median", self, dim, keepdim, False)


def nanmedian_dim(self, dim, keepdim=False):
    return _median("nanmedian", self, dim, keepdim, True)


def _median_of_all(self, ignore_nan):
    if self.dtype.is_complex:
        raise NotImplementedError(f"\"median_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    if self.is_meta:
        return aten.new_empty.default(self, ())
    flat = np.ravel(read(self))
    if not flat.size:
        if self.dtype.is_floating_point:
            return aten.scalar_tensor.default(math.nan, dtype=self.dtype)
        lowest = -(2**63) if scalar_name(self.dtype) == "Long" else 0
        return aten.scalar_tensor.default(lowest, dtype=self.dtype)
    nans = int(np.count_nonzero(flat != flat))
    if nans and (not ignore_nan or nans == flat.size):
        return aten.scalar_tensor.default(math.nan, dtype=self.dtype)
    middle = (flat.size - nans - 1) // 2
    return new(np.partition(flat, middle)[middle], self.dtype)


def median(self):
    return _median_of_all(self, False)


def nanmedian(self):
    return _median_of_all(self, True)


def mode(self, dim=-1, keepdim=False):
    dim = wrap_dim(dim, self.dim())
    if self.dim() and self.shape[dim] == 0:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    if self.dtype.is_complex:
        raise NotImplementedError(f"\"mode\" not implemented for '{scalar_name(self.dtype)}'")
    if self.dim() == 0:
        return aten.clone.default(self), aten.zeros_like.default(self, dtype=aten.sort.default(self)[1].dtype)
    return _along(lambda part: _mode_of_lanes(part, dim), self, dim, keepdim)


def _mode_of_lanes(self, dim):
    values, indices = aten.sort.stable(self, stable=True, dim=dim)
    if self.is_meta:
        return _picked(values, indices, aten.narrow.default(indices, dim, 0, 1), dim)
    v = np.moveaxis(memory(values), dim, -1)
    n = v.shape[-1]
    starts = np.ones(v.shape, bool)
    starts[..., 1:] = v[..., 1:] != v[..., :-1]
    at = np.arange(n, dtype=np.int32 if n < 2**31 else np.int64)
    # Of each run of equal elements its length so far; the first longest run ends where the maximum is first reached.
    first = at * starts
    np.maximum.accumulate(first, axis=-1, out=first)
    last = np.subtract(at, first, out=first).argmax(-1)
    places = new(np.expand_dims(last, dim).astype(np.int64))
    return _picked(values, indices, places, dim)


# ---- quantiles

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(self, q, dim, keepdim, interpolation, ignore_nan):
    import runtime

    if self.numel() == 0:
        raise RuntimeError("quantile() input tensor must be non-empty")
    if q.dim() > 1:
        raise RuntimeError("quantile() q must be a scalar or 1D tensor")
    if self.dtype not in (runtime.float32, runtime.float64):
        raise RuntimeError("quantile() input tensor must be either float or double dtype")
    if q.dtype != self.dtype:
        raise RuntimeError("quantile() q tensor must be same dtype as the input tensor")
    if q.device != self.device:
        raise RuntimeError("quantile() q tensor must be on the same device as the input tensor")
    if interpolation not in _INTERPOLATIONS:
        raise RuntimeError(
            f"quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    wrapped = None if dim is None else wrap_dim(dim, self.dim())
    qs = read(q) if q.device.type == "cpu" else None
    if qs is not None and not np.all((qs >= 0) & (qs <= 1)):
        raise RuntimeError("quantile() q values must be in the range [0, 1]")
    if dim is None:
        table = aten.flatten.using_ints(self)
        shape = (1,) * self.dim() if keepdim else ()
    elif self.dim() == 0:
        table, shape = aten.flatten.using_ints(self), ()
    else:
        table = aten.movedim.int(self, wrapped, -1)
        shape = tuple(1 if d == wrapped else n for d, n in enumerate(self.shape) if keepdim or d != wrapped)
    table = aten.sort.default(table)[0] if unwatched_large_shape(table) is None else new(np.sort(read(table)))
    last = table.shape[-1] - 1
    flat_q = aten.reshape.default(q, (-1,))
    if ignore_nan:
        count = aten.sum.dim_IntList(aten.logical_not.default(aten.isnan.default(table)), (-1,), True)
        ranks = aten.mul.Tensor(flat_q, aten.sub.Scalar(count, 1))
        ranks = aten.masked_fill.Scalar(ranks, aten.lt.Scalar(ranks, 0), 0)
    else:
        ranks = aten.mul.Scalar(flat_q, last)  # where there is a NaN, the last one
        ranks = aten.masked_fill.Scalar(ranks, aten.isnan.default(aten.narrow.default(table, -1, last, 1)), last)
    if interpolation == "lower":
        ranks = aten.floor.default(ranks)
    elif interpolation == "higher":
        ranks = aten.ceil.default(ranks)
    elif interpolation == "nearest":
        ranks = aten.round.default(ranks)
    below = aten.to.dtype(ranks, runtime.int64)
    below = aten.expand.default(below, (*table.shape[:-1], below.shape[-1]))
    result = aten.gather.default(table, -1, below)
    if interpolation in ("linear", "midpoint"):
        weights = aten.full_like.default(ranks, 0.5) if interpolation == "midpoint" else aten.sub.Tensor(ranks, aten.to.dtype(below, ranks.dtype))
        above = aten.to.dtype(aten.ceil.default(ranks), runtime.int64)
        above = aten.gather.default(table, -1, aten.expand.default(above, below.shape))
        result = aten.lerp.Tensor(result, above, aten.expand.default(weights, result.shape))
    if q.dim() == 0:
        return aten.reshape.default(result, shape)
    return aten.reshape.default(aten.movedim.int(result, -1, 0), (q.shape[0], *shape))


def quantile(self, q, dim=None, keepdim=False, *, interpolation="linear"):
    return _quantile(self, q, dim, keepdim, interpolation, False)


def _check_rank(q):
    if not 0 <= q <= 1:
        raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q:g}")


def quantile_scalar(self, q, dim=None, keepdim=False, *, interpolation="linear"):
    _check_rank(q)
    q = aten.scalar_tensor.default(q, dtype=self.dtype, device=self.device)
    return aten.quantile.default(self, q, dim, keepdim, interpolation=interpolation)


def nanquantile(self, q, dim=None, keepdim=False, *, interpolation="linear"):
    return _quantile(self, q, dim, keepdim, interpolation, True)


def nanquantile_scalar(self, q, dim=None, keepdim=False, *, interpolation="linear"):
    _check_rank(q)
    q = aten.scalar_tensor.default(q, dtype=self.dtype, device=self.device)
    return aten.nanquantile.default(self, q, dim, keepdim, interpolation=interpolation)


# ---- gradients


def cummaxmin_backward(grad, input, indices, dim):
    if input.numel() == 0:
        return aten.clone.default(input)
    result = aten.zeros.default(input.shape, dtype=input.dtype, device=input.device)
    return aten.scatter_add.default(result, dim, indices, grad)


def value_selecting_reduction_backward(grad, dim, indices, sizes, keepdim):
    if not keepdim and sizes:
        grad, indices = aten.unsqueeze.default(grad, dim), aten.unsqueeze.default(indices, dim)
    return aten.scatter.src(aten.new_zeros.default(grad, sizes), dim, indices, grad)
