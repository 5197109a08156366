"""Places of values: searchsorted, bucketize, isin, counts of integers, places of what is not zero."""

import numpy as np

from runtime._core import dtype_names, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import check_countable, scalar_for, scalar_name

aten = ops.aten


# ---- searchsorted


def _check_sorted_sequence(sequence, values, values_are_number, right, side, sorter):
    import runtime

    if side is not None and side not in ("left", "right"):
        raise RuntimeError(f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}")
    if side is not None and right and side == "left":
        raise RuntimeError("torch.searchsorted(): side and right can't be set to opposites, got side of left while right was True")
    if sequence.device != values.device:
        raise RuntimeError(
            "torch.searchsorted(): boundaries and input value tensors should have same device type, but got boundaries tensor device type "
            f"{sequence.device} and input value tensor device type {values.device}"
        )
    if sorter is not None:
        if sorter.shape != sequence.shape:
            raise RuntimeError(
                f"torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor {list(sequence.shape)} and got "
                f"sorter tensor {list(sorter.shape)}"
            )
        if sorter.dtype != runtime.int64:
            raise RuntimeError(f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {scalar_name(sorter.dtype)}")
        if sorter.numel() and not sorter.is_meta:
            places = read(sorter)
            if places.min() < 0 or places.max() >= sequence.shape[-1]:
                raise RuntimeError("torch.searchsorted(): sorter index out of range")
    if values.dim() == 0 and sequence.dim() != 1 and (values_are_number or sequence.dim() != 1):
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries tensor dim("
            f"{sequence.dim()}) and input value's dim({values.dim()}) numel({values.numel()})"
        )
    if sequence.dim() == 0:
        raise RuntimeError("torch.searchsorted(): input value and boundaries tensor should have positive dimension, but got 0")
    if sequence.dim() != 1 and (sequence.dim() != values.dim() or sequence.shape[:-1] != values.shape[:-1]):
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value "
            f"tensor must match, but we got boundaries tensor {list(sequence.shape)} and input value tensor {list(values.shape)}"
        )


def _search(sequence, values, right, out_int32):
    """Places of values in sequences that are sorted along the last dimension, as an array."""
    kind = np.int32 if out_int32 else np.int64
    side = "right" if right else "left"
    if sequence.ndim == 1 and not (sequence != sequence).any():
        return np.asarray(np.searchsorted(sequence, values, side)).astype(kind, copy=False)
    n = sequence.shape[-1]
    if not sequence.size or not values.size:
        return np.zeros(values.shape, kind)
    rows = sequence.reshape(-1, n)
    wanted = values.reshape(len(rows), -1)
    # A binary search of all values at once, row by row.
    low = np.zeros(wanted.shape, np.int64)
    high = np.full(wanted.shape, n, np.int64)
    line = np.arange(len(rows))[:, None]
    while (low < high).any():
        open_ = low < high
        middle = np.where(open_, (low + high) // 2, 0)
        at = rows[line, middle]
        # Comparisons with NaN are false, so that NaN comes after everything, as in PyTorch.
        after = ~(at > wanted) if right else ~(at >= wanted)
        low, high = np.where(open_ & after, middle + 1, low), np.where(open_ & ~after, middle, high)
    return low.reshape(values.shape).astype(kind)


def searchsorted_Tensor(sorted_sequence, self, *, out_int32=False, right=False, side=None, sorter=None):
    _check_sorted_sequence(sorted_sequence, self, False, right, side, sorter)
    if sorted_sequence.dtype.is_complex:
        raise NotImplementedError(f"\"searchsorted_out_cpu\" not implemented for '{scalar_name(sorted_sequence.dtype)}'")
    if self.is_meta:
        return aten.empty.memory_format(self.shape, dtype=dtype_names["int32" if out_int32 else "int64"], device=self.device)
    dtype = aten.result_type.Tensor(sorted_sequence, self)
    sequence, values = (read(aten.to.dtype(t, dtype)) for t in (sorted_sequence, self))
    if sorter is not None:
        sequence = np.take_along_axis(sequence, read(sorter), -1)
    return new(_search(sequence, values, right or side == "right", out_int32))


def searchsorted_Scalar(sorted_sequence, self, *, out_int32=False, right=False, side=None, sorter=None):
    value = aten.scalar_tensor.default(self, dtype=scalar_for(self, sorted_sequence).dtype, device=sorted_sequence.device)
    _check_sorted_sequence(sorted_sequence, value, True, right, side, sorter)
    return aten.searchsorted.Tensor(sorted_sequence, value, out_int32=out_int32, right=right, side=side, sorter=sorter)


def bucketize_Tensor(self, boundaries, *, out_int32=False, right=False):
    if boundaries.dim() != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})")
    return aten.searchsorted.Tensor(boundaries, self, out_int32=out_int32, right=right)


def bucketize_Scalar(self, boundaries, *, out_int32=False, right=False):
    return bucketize_Tensor(scalar_for(self, boundaries), boundaries, out_int32=out_int32, right=right)


# ---- isin


def isin_Tensor_Tensor(elements, test_elements, *, assume_unique=False, invert=False):
    for t in (elements, test_elements):
        if t.dtype.is_complex or str(t.dtype).endswith("bool"):
            raise RuntimeError(f"Unsupported input type encountered for isin(): {scalar_name(t.dtype)}")
    if elements.is_meta:
        return aten.empty_like.default(elements, dtype=dtype_names["bool"])
    found = np.isin(read(elements), read(test_elements), assume_unique=assume_unique and elements.dim() == 1, invert=invert)
    return new(np.asarray(found))


def isin_Tensor_Scalar(elements, test_element, *, assume_unique=False, invert=False):
    return isin_Tensor_Tensor(elements, scalar_for(test_element, elements), assume_unique=False, invert=invert)


def isin_Scalar_Tensor(element, test_elements, *, assume_unique=False, invert=False):
    return isin_Tensor_Tensor(scalar_for(element, test_elements), test_elements, assume_unique=False, invert=invert)


# ---- counts


def bincount(self, weights=None, minlength=0):
    import runtime

    if self.dim() != 1:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if self.dtype.is_floating_point or self.dtype.is_complex or self.dtype == runtime.bool:
        raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{scalar_name(self.dtype)}'")
    if minlength < 0:
        raise RuntimeError("minlength should be >= 0")
    check_countable(minlength)
    if not self.numel():
        return aten.zeros.default((minlength,), dtype=runtime.int64)
    counts = read(self)
    if counts.min() < 0:
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if counts.max() >= 2**40:
        raise RuntimeError(f"maximum value of input overflowed, it should be < {2**63 - 1} but got {counts.max()}")
    if weights is not None:
        if weights.dim() != 1:
            raise RuntimeError("weights should be 1-d tensor")
        if weights.shape[0] != self.shape[0]:
            raise RuntimeError("weights should have the same length as input")
        dtype = runtime.float32 if weights.dtype == runtime.float32 else runtime.float64
        return new(np.bincount(counts.astype(np.int64), read(weights).astype(np.float64), minlength), dtype)
    return new(np.bincount(counts.astype(np.int64), None, minlength).astype(np.int64))


# ---- places of what is not zero


def argwhere(self):
    return aten.nonzero.default(self)


def nonzero_static(self, *, size, fill_value=-1):
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    import runtime

    if self.is_meta:
        return aten.new_empty.default(self, (size, self.dim()), dtype=runtime.int64)
    found = aten.nonzero.default(self)
    count = min(size, found.shape[0])
    result = aten.full.default((size, self.dim()), fill_value, dtype=runtime.int64, device=self.device)
    aten.copy_.default(aten.narrow.default(result, 0, 0, count), aten.narrow.default(found, 0, 0, count))
    return result
