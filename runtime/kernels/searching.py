"""Places of values: searchsorted, bucketize, isin, counts of integers, places of what is not zero."""

import numpy as np

from runtime._core import _run_loop, dtype_names, ops
from runtime.kernels._arrays import memory, new, place_of, read, read_contiguous
from runtime.kernels._common import check_countable, scalar_for, scalar_name
from runtime.kernels._pieces import PIECE, cut, pieces

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


def _find(sequence, values, places, width, first, right):
    """Write places of values, the first of which has the number `first`, in sequences that are sorted along the last dimension.

    Each sequence is for `width` values. All arrays are contiguous, sequences and values of one dtype.
    """
    if sequence.dtype.kind == "f":
        n = sequence.shape[-1]
        _run_loop("search_sorted", sequence.dtype, values.size, _GRAIN, sequence, values, places, n, max(width, 1), first, int(right))
        return
    side = "right" if right else "left"
    if sequence.ndim == 1:
        places[...] = np.searchsorted(sequence, values, side)
        return
    rows = sequence.reshape(-1, sequence.shape[-1])
    begin = 0
    while begin < values.size:
        row, column = divmod(first + begin, width)
        end = begin + width - column
        places[begin:end] = np.searchsorted(rows[row], values[begin:end], side)
        begin = end


#: Values that are worth a thread.
_GRAIN = 1 << 11

#: Dtypes whose values double precision holds: they are searched in it.
_EXACT = {dtype_names[name] for name in ("bool", "uint8", "int8", "int16", "int32")}


def searchsorted_Tensor(sorted_sequence, self, *, out_int32=False, right=False, side=None, sorter=None):
    return _searched(aten.searchsorted.Tensor, sorted_sequence, self, out_int32, right, side, sorter)


def _searched(op, sorted_sequence, self, out_int32, right, side, sorter):
    _check_sorted_sequence(sorted_sequence, self, False, right, side, sorter)
    if sorted_sequence.dtype.is_complex:
        raise NotImplementedError(f"\"searchsorted_out_cpu\" not implemented for '{scalar_name(sorted_sequence.dtype)}'")
    if self.is_meta:
        return aten.empty.memory_format(self.shape, dtype=dtype_names["int32" if out_int32 else "int64"], device=self.device)
    dtype = aten.result_type.Tensor(sorted_sequence, self)
    dtype = dtype_names["float64"] if dtype in _EXACT else dtype
    sequence = read_contiguous(aten.to.dtype(sorted_sequence, dtype))
    if sorter is not None:
        sequence = np.ascontiguousarray(np.take_along_axis(sequence, read(sorter), -1))
    place = place_of(op, self.shape, dtype_names["int32" if out_int32 else "int64"], self.device)
    count, width = self.numel(), self.shape[-1] if sequence.ndim > 1 else self.numel()
    if not count or not sequence.size:
        return aten.zero_.default(place)
    flat, out = aten.reshape.default(self, (-1,)), memory(place).reshape(-1)
    for begin in range(0, count, PIECE):
        values = read_contiguous(aten.to.dtype(aten.narrow.default(flat, 0, begin, min(PIECE, count - begin)), dtype))
        places = np.empty(values.size, np.int64) if out_int32 else out[begin : begin + PIECE]
        _find(sequence, values, places, width, begin, right or side == "right")
        if out_int32:
            out[begin : begin + PIECE] = places
    return place


def searchsorted_Scalar(sorted_sequence, self, *, out_int32=False, right=False, side=None, sorter=None):
    value = aten.scalar_tensor.default(self, dtype=scalar_for(self, sorted_sequence).dtype, device=sorted_sequence.device)
    _check_sorted_sequence(sorted_sequence, value, True, right, side, sorter)
    return aten.searchsorted.Tensor(sorted_sequence, value, out_int32=out_int32, right=right, side=side, sorter=sorter)


def bucketize_Tensor(self, boundaries, *, out_int32=False, right=False):
    if boundaries.dim() != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})")
    return _searched(aten.bucketize.Tensor, boundaries, self, out_int32, right, None, None)


def bucketize_Scalar(self, boundaries, *, out_int32=False, right=False):
    return bucketize_Tensor(scalar_for(self, boundaries), boundaries, out_int32=out_int32, right=right)


# ---- isin


def isin_Tensor_Tensor(elements, test_elements, *, assume_unique=False, invert=False):
    for t in (elements, test_elements):
        if t.dtype.is_complex or str(t.dtype).endswith("bool"):
            raise RuntimeError(f"Unsupported input type encountered for isin(): {scalar_name(t.dtype)}")
    if elements.is_meta:
        return aten.empty_like.default(elements, dtype=dtype_names["bool"])
    if elements.numel() + test_elements.numel() <= PIECE:
        found = np.isin(read(elements), read(test_elements), assume_unique=assume_unique and elements.dim() == 1, invert=invert)
        return new(np.asarray(found))
    place = place_of(aten.isin.Tensor_Tensor, elements.shape, dtype_names["bool"], elements.device)
    if elements.numel():
        _find_members(elements, test_elements, place)
    return aten.logical_not_.default(place) if invert else place


#: So many sorted elements fit a cache.
_CACHED = 1 << 15

#: So few elements are compared one by one.
_FEW = 8


def _find_members(elements, test_elements, found):
    """Write into a tensor of booleans whether each element is among others, piece by piece."""
    common = np.result_type(*(read(aten.new_empty.default(t, ())).dtype for t in (elements, test_elements)))
    if elements.numel() <= _FEW:
        wanted = read(elements).astype(common)
        is_found = np.zeros(wanted.shape, bool)
        for place in pieces(test_elements.shape):
            part = _piece(test_elements, place, common)
            is_found |= np.array([(part == one).any() for one in wanted.flat]).reshape(wanted.shape)
        memory(found)[...] = is_found
        return
    if test_elements.numel() <= _FEW:
        tests = read(test_elements).reshape(-1).astype(common)

        def is_member(part):
            return np.isin(part, tests)
    else:
        tests = read(test_elements).reshape(-1).astype(common, copy=False)
        is_member = _membership(np.sort(tests[tests == tests]))  # a NaN is equal to nothing
    for place in pieces(elements.shape):
        part = _piece(elements, place, common)
        memory(cut(found, place, found.dim()))[...] = is_member(part.reshape(-1)).reshape(part.shape)


def _piece(tensor, place, dtype):
    return read(cut(tensor, place, tensor.dim())).astype(dtype, copy=False)


def _membership(tests):
    """A function that says of an array which of its elements are among sorted ones."""
    if not tests.size:
        return lambda part: np.zeros(part.shape, bool)
    low, high = tests[0], tests[-1]
    if tests.dtype.kind in "iu" and int(high) - int(low) < max(PIECE, 8 * tests.size):
        table = np.zeros(int(high) - int(low) + 1, bool)
        table[tests - low] = True

        def is_member(part):
            inside = (part >= low) & (part <= high)
            return table[np.where(inside, part, low) - low] & inside
    else:

        def is_member(part):
            # Neighbours in order find their places in the same memory, where that does not fit caches.
            order = np.argsort(part) if tests.size > _CACHED else slice(None)
            part = np.ascontiguousarray(part[order])
            places = np.empty(part.size, np.int64)
            _find(tests, part, places, part.size, 0, False)
            found = np.empty(part.size, bool)
            found[order] = tests[np.minimum(places, tests.size - 1, out=places)] == part
            return found

    return is_member


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
