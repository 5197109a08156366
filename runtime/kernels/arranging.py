"""Rearranging elements: repeating, rolling, turning, stacking, splitting, padding."""

import numpy as np

from runtime._core import _hand_on, _offered, ops
from runtime.kernels._arrays import new, read
from runtime.kernels._common import broadcast, scalar_name, wrap_dim
from runtime.kernels._pieces import BLOCK

aten = ops.aten

# Lists and rows of more parts are refused before they are begun.
_MOST_PARTS = 2**32


def _contiguous_clone(tensor):
    import runtime

    return aten.clone.default(tensor, memory_format=runtime.contiguous_format)


# ---- repeating


def repeat_interleave_Tensor(repeats, *, output_size=None):
    if repeats.dim() != 1:
        raise RuntimeError("repeat_interleave only accept 1D vector as repeat")
    if scalar_name(repeats.dtype) not in ("Long", "Int"):
        raise NotImplementedError(f"\"repeat_interleave_cpu\" not implemented for '{scalar_name(repeats.dtype)}'")
    if repeats.is_meta:
        if output_size is None:
            raise RuntimeError("cannot repeat_interleave a meta tensor without output_size")
        return aten.new_empty.default(repeats, (output_size,))
    counts = read(repeats)
    if (counts < 0).any():
        raise RuntimeError("repeats can not be negative")
    total = sum(counts.tolist()) if counts.size and counts.max() > 2**62 // counts.size else int(counts.sum())
    if total * 8 >= 2**63:
        raise RuntimeError(f"repeat_interleave: {total} elements are more than memory can hold")
    if output_size is not None and total != output_size:
        raise RuntimeError("allocated size does not match required size")
    return new(np.repeat(np.arange(len(counts), dtype=counts.dtype), counts))


def repeat_interleave_self_Tensor(self, repeats, dim=None, *, output_size=None):
    # Lazy bits go through: what is in memory is repeated.
    for is_set, toggle in ((self.is_conj(), aten._conj.default), (self.is_neg(), aten._neg_view.default)):
        if is_set:
            return toggle(aten.repeat_interleave.self_Tensor(toggle(self), repeats, dim, output_size=output_size))
    if dim is None:
        self, dim = aten.flatten.using_ints(self), 0
    length = self.size(dim)
    if repeats.dim() == 0 or (repeats.dim() == 1 and repeats.numel() == 1):
        repeats = aten.expand.default(aten.reshape.default(repeats, (1,)), (length,))
    elif repeats.dim() != 1:
        raise RuntimeError("repeats must be 0-dim or 1-dim tensor")
    elif repeats.size(0) != length:
        raise RuntimeError(
            f"repeats must have the same size as input along dim, but got repeats.size(0) = {repeats.size(0)} and input.size({dim}) = {length}"
        )
    return aten.index_select.default(self, dim, aten.repeat_interleave.Tensor(repeats, output_size=output_size))


def repeat_interleave_self_int(self, repeats, dim=None, *, output_size=None):
    if dim is None:
        self, dim = aten.flatten.using_ints(self), 0
    dim = wrap_dim(dim, self.dim())
    if repeats < 0:
        raise RuntimeError("Repeats must be non-negative")
    wide = aten.unsqueeze.default(self, dim + 1)
    shape = list(wide.shape)
    shape[dim + 1] = repeats
    if output_size is not None and output_size != repeats * shape[dim]:
        raise RuntimeError(f"repeat_interleave: Invalid output_size, expected {repeats * shape[dim]} but got {output_size}")
    return aten.flatten.using_ints(_contiguous_clone(aten.expand.default(wide, shape)), dim, dim + 1)


def tile(self, dims):
    return aten.repeat.default(self, (1,) * (self.dim() - len(dims)) + tuple(dims))


# ---- rolling and turning


def _rolled(self, shift, dim, out=None):
    """Rolled along one dimension, into a place if one is given."""
    length = self.size(dim)
    start = (length - shift) % length
    parts = aten.narrow.default(self, dim, start, length - start), aten.narrow.default(self, dim, 0, start)
    return aten.cat.default(parts, dim) if out is None else aten.cat.out(parts, dim, out=out)


def roll(self, shifts, dims=()):
    if len(dims) == 1 and len(shifts) == 1 and self.numel() == 0:
        return aten.clone.default(self)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if not dims and len(shifts) == 1:
        flat = aten.view.default(aten.contiguous.default(self), (-1,))
        out = _offered(aten.roll.default, self.shape, self.dtype)
        if out is not None:
            _rolled(flat, shifts[0], 0, aten.view.default(out, (-1,)))
            return out
        return aten.view.default(aten.roll.default(flat, shifts, (0,)), self.shape)
    if len(shifts) != len(dims):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if self.numel() == 0:
        for shift, dim in zip(shifts, dims):
            self = aten.roll.default(self, (shift,), (dim,))
        return self
    for shift, dim in zip(shifts[:-1], dims[:-1]):
        self = _rolled(self, shift, dim)
    return _rolled(self, shifts[-1], dims[-1], _offered(aten.roll.default, self.shape, self.dtype))


def rot90(self, k=1, dims=(0, 1)):
    ndim = self.dim()
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    first, second = (wrap_dim(d, ndim) for d in dims)
    if first == second:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    k %= 4
    if k == 0:
        import runtime

        return _hand_on(aten.rot90.default, aten.clone.default, self, memory_format=runtime.contiguous_format)
    if k == 2:
        return _hand_on(aten.rot90.default, aten.flip.default, self, dims)
    shape = list(self.shape)
    shape[first], shape[second] = shape[second], shape[first]
    out = _offered(aten.rot90.default, shape, self.dtype)
    if out is None:
        return aten.transpose.int(aten.flip.default(self, (second if k == 1 else first,)), first, second)
    # In parts, so that what is flipped before it is transposed stays small.
    length = shape[first]
    step = max(1, 4 * BLOCK * length // self.numel())
    for start in range(0, length, step):
        size = min(step, length - start)
        part = aten.narrow.default(self, second, length - start - size if k == 1 else start, size)
        turned = aten.transpose.int(aten.flip.default(part, (second if k == 1 else first,)), first, second)
        aten.copy_.default(aten.narrow.default(out, first, start, size), turned)
    return out


def fliplr(self):
    if self.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return aten.flip.default(self, (1,))


def flipud(self):
    if self.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return aten.flip.default(self, (0,))


# ---- broadcasting


def broadcast_to(self, size):
    return aten.expand.default(self, size)


def broadcast_tensors(tensors):
    shape = ()
    for t in tensors:
        shape = broadcast(shape, t.shape)
    return [t if tuple(t.shape) == shape else aten.expand.default(t, shape) for t in tensors]


def atleast_1d(self):
    return aten.reshape.default(self, (1,)) if self.dim() == 0 else self


def atleast_2d(self):
    if self.dim() == 0:
        return aten.reshape.default(self, (1, 1))
    return aten.unsqueeze.default(self, 0) if self.dim() == 1 else self


def atleast_3d(self):
    if self.dim() == 0:
        return aten.reshape.default(self, (1, 1, 1))
    if self.dim() == 1:
        return aten.unsqueeze.default(aten.unsqueeze.default(self, 0), -1)
    return aten.unsqueeze.default(self, -1) if self.dim() == 2 else self


def atleast_1d_Sequence(tensors):
    return [aten.atleast_1d.default(t) for t in tensors]


def atleast_2d_Sequence(tensors):
    return [aten.atleast_2d.default(t) for t in tensors]


def atleast_3d_Sequence(tensors):
    return [aten.atleast_3d.default(t) for t in tensors]


def meshgrid(tensors):
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for t in tensors:
        if t.dim() > 1:
            raise RuntimeError(f"Expected 0D or 1D tensor in the tensor list but got: {scalar_name(t.dtype)} {list(t.shape)}")
        if t.dtype != tensors[0].dtype:
            raise RuntimeError("torch.meshgrid: all tensors must have the same dtype")
        if t.device != tensors[0].device:
            raise RuntimeError("torch.meshgrid: all tensors must have the same device")
    shape, n = [t.numel() for t in tensors], len(tensors)
    return [aten.expand.default(aten.view.default(t, (1,) * i + (-1,) + (1,) * (n - 1 - i)), shape) for i, t in enumerate(tensors)]


def meshgrid_indexing(tensors, *, indexing):
    if indexing not in ("xy", "ij"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    if indexing == "ij" or len(tensors) < 2:
        return aten.meshgrid.default(tensors)
    grids = aten.meshgrid.default((tensors[1], tensors[0], *tensors[2:]))
    grids[0], grids[1] = grids[1], grids[0]
    return grids


# ---- combining


def _stacked(name, tensors, shaped, dim, out=None):
    if not tensors:
        raise RuntimeError(f"{name} expects a non-empty TensorList")
    parts = [shaped(t) for t in tensors]
    dim = dim(parts[0])
    return aten.cat.default(parts, dim) if out is None else aten.cat.out(parts, dim, out=out)


def hstack(tensors):
    return hstack_out(tensors, out=None)


def hstack_out(tensors, *, out):
    return _stacked("hstack", tensors, aten.atleast_1d.default, lambda first: 0 if first.dim() == 1 else 1, out)


def vstack(tensors):
    return vstack_out(tensors, out=None)


def vstack_out(tensors, *, out):
    return _stacked("vstack", tensors, aten.atleast_2d.default, lambda first: 0, out)


def dstack(tensors):
    return dstack_out(tensors, out=None)


def dstack_out(tensors, *, out):
    return _stacked("dstack", tensors, aten.atleast_3d.default, lambda first: 2, out)


def _columns(tensors):
    if not tensors:
        raise RuntimeError("column_stack expects a non-empty TensorList")
    return [aten.reshape.default(t, (t.numel(), 1)) if t.dim() <= 1 else t for t in tensors]


def column_stack(tensors):
    return aten.hstack.default(_columns(tensors))


def column_stack_out(tensors, *, out):
    return aten.hstack.out(_columns(tensors), out=out)


def block_diag(tensors):
    if not tensors:
        return aten.empty.memory_format((1, 0))
    for i, t in enumerate(tensors):
        if t.device != tensors[0].device:
            raise RuntimeError(
                f"torch.block_diag: input tensors must all be on the same device. Input 0 is on device {tensors[0].device} and input {i} "
                f"is on device {t.device}"
            )
        if t.dim() > 2:
            raise RuntimeError(f"torch.block_diag: Input tensors must have 2 or fewer dimensions. Input {i} has {t.dim()} dimensions")
    # Joining nothing of each says what tensors promote to; those without dimensions count less than the others.
    shaped, scalars = (
        [aten.cat.default([aten.new_empty.default(t, (0,)) for t in group])] if group else []
        for group in ([t for t in tensors if t.dim()], [t for t in tensors if not t.dim()])
    )
    dtype = (shaped or scalars)[0].dtype
    if shaped and scalars:
        dtype = aten.result_type.Tensor(shaped[0], aten.new_empty.default(scalars[0], ()))
    blocks = [aten.atleast_2d.default(t) for t in tensors]
    rows, columns = sum(b.size(0) for b in blocks), sum(b.size(1) for b in blocks)
    result = _hand_on(aten.block_diag.default, aten.zeros.default, (rows, columns), dtype=dtype, device=tensors[0].device)
    row = column = 0
    for block in blocks:
        place = aten.slice.Tensor(aten.slice.Tensor(result, 0, row, row + block.size(0)), 1, column, column + block.size(1))
        aten.copy_.default(place, block)
        row, column = row + block.size(0), column + block.size(1)
    return result


def cartesian_prod(tensors):
    for t in tensors:
        if t.dim() != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(t.shape)}")
    if len(tensors) == 1:
        return tensors[0]
    return aten.stack.default([aten.flatten.using_ints(grid) for grid in aten.meshgrid.default(tensors)], 1)


def combinations(self, r=2, with_replacement=False):
    if self.dim() != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(self.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return aten.new_empty.default(self, (0,))
    if r > _MOST_PARTS:
        raise RuntimeError(f"combinations: rows of {r} elements are more than memory can hold")
    n = self.numel()
    if r > n and not (with_replacement and n):
        return aten.view.default(aten.index_select.default(self, 0, new(np.zeros(0, np.int64))), (0, r))
    places = np.arange(n).reshape(n, 1)
    for _ in range(r - 1):  # each row again, with every later place
        last = places[:, -1] + (not with_replacement)
        counts = n - last
        ends = np.cumsum(counts)
        following = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts) + np.repeat(last, counts)
        places = np.column_stack([np.repeat(places, counts, axis=0), following])
    index = new(places.reshape(-1).astype(np.int64))
    return aten.view.default(aten.index_select.default(self, 0, index), places.shape)


# ---- splitting


def _sections(name, self, sections, dim):
    size = self.size(dim)
    if sections == 0 or size % sections:
        raise RuntimeError(
            f"torch.{name} attempted to split along dimension {dim}, but the size of the dimension {size} "
            f"is not divisible by the split_size {sections}!"
        )
    return aten.tensor_split.sections(self, sections, dim)


def _at_least(name, self, ndim):
    if self.dim() < ndim:
        plural = "s" if ndim > 1 else ""
        raise RuntimeError(
            f"torch.{name} requires a tensor with at least {ndim} dimension{plural}, but got a tensor with {self.dim()} dimensions!"
        )


def hsplit_int(self, sections):
    _at_least("hsplit", self, 1)
    return _sections("hsplit", self, sections, 0 if self.dim() == 1 else 1)


def hsplit_array(self, indices):
    _at_least("hsplit", self, 1)
    return aten.tensor_split.indices(self, indices, 0 if self.dim() == 1 else 1)


def vsplit_int(self, sections):
    _at_least("vsplit", self, 2)
    return _sections("vsplit", self, sections, 0)


def vsplit_array(self, indices):
    _at_least("vsplit", self, 2)
    return aten.tensor_split.indices(self, indices, 0)


def dsplit_int(self, sections):
    _at_least("dsplit", self, 3)
    return _sections("dsplit", self, sections, 2)


def dsplit_array(self, indices):
    _at_least("dsplit", self, 3)
    return aten.tensor_split.indices(self, indices, 2)


def _check_splittable(self):
    if self.dim() == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")


def tensor_split_sections(self, sections, dim=0):
    _check_splittable(self)
    dim = wrap_dim(dim, self.dim())
    if sections <= 0:
        raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
    if sections > _MOST_PARTS:
        raise RuntimeError(f"tensor_split: a list of {sections} tensors is more than memory can hold")
    short, longer = divmod(self.size(dim), sections)
    ends = [short * i + min(i, longer) for i in range(sections + 1)]
    return [aten.slice.Tensor(self, dim, a, b) for a, b in zip(ends, ends[1:])]


def tensor_split_indices(self, indices, dim=0):
    _check_splittable(self)
    dim = wrap_dim(dim, self.dim())
    return [aten.slice.Tensor(self, dim, a, b) for a, b in zip((0, *indices), (*indices, self.size(dim)))]


def tensor_split_tensor_indices_or_sections(self, tensor_indices_or_sections, dim=0):
    _check_splittable(self)
    places = tensor_indices_or_sections
    if places.device.type != "cpu":
        raise RuntimeError(f"tensor_split expected tensor_indices_or_sections to be on cpu, but it's on {places.device}")
    if scalar_name(places.dtype) != "Long":
        raise RuntimeError(f"tensor_split expected tensor_indices_or_sections to have dtype of long, but got {scalar_name(places.dtype)}")
    if places.dim() > 1:
        raise RuntimeError(
            "tensor_split expected tensor_indices_or_sections to be a zero-dimensional or one-dimensional tensor, "
            f"but got a tensor with {places.dim()} dims"
        )
    if places.dim() == 0:
        return aten.tensor_split.sections(self, places.item(), dim)
    return aten.tensor_split.indices(self, places.tolist(), dim)


def unsafe_split_Tensor(self, split_size, dim=0):
    return [t.data for t in aten.split.Tensor(self, split_size, dim)]


def unsafe_split_with_sizes(self, split_sizes, dim=0):
    return [t.data for t in aten.split_with_sizes.default(self, split_sizes, dim)]


def unsafe_chunk(self, chunks, dim=0):
    if self.dim() == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    length = self.size(dim)
    size = -(-length // chunks)
    if size == 0 and length == 0:
        return aten.unsafe_split_with_sizes.default(self, (0,) * chunks, dim)
    return aten.unsafe_split.Tensor(self, size, dim)


def _chunk_cat(tensors, dim, num_chunks):
    return aten.cat.default(*_chunks(tensors, dim, num_chunks))


def _chunk_cat_out(tensors, dim, num_chunks, *, out):
    return aten.cat.out(*_chunks(tensors, dim, num_chunks), out=out)


def _chunks(tensors, dim, num_chunks):
    """What _chunk_cat joins, and along which dimension."""
    if num_chunks < 1:
        raise RuntimeError("_chunk_cat expects positive num_chunks")
    if not tensors:
        raise RuntimeError("_chunk_cat expects a non-empty input tensor list")
    dim = wrap_dim(dim, tensors[0].dim())
    for t in tensors:
        if t.numel() == 0:
            raise RuntimeError("_chunk_cat expects non-empty tensor")
        if t.dtype != tensors[0].dtype:
            raise RuntimeError("_chunk_cat expects all input tensors with the same dtype")
        if t.device != tensors[0].device:
            raise RuntimeError("_chunk_cat expects all inputs tensors on the same device")
        if dim >= max(t.dim(), 1):
            raise RuntimeError("_chunk_cat expects dim < ndim for all input tensors")
        if t.shape[:dim] != tensors[0].shape[:dim]:
            raise RuntimeError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors")
    parts = []
    for t in tensors:
        short = -t.size(dim) % num_chunks
        if short:
            t = aten.constant_pad_nd.default(t, (0, 0) * (t.dim() - dim - 1) + (0, short))
        parts.append(aten.reshape.default(t, (*t.shape[:dim], num_chunks, -1)))
    return parts, dim + 1


# ---- padding


# ---- one_hot


def one_hot(self, num_classes=-1):
    if scalar_name(self.dtype) != "Long":
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, but got {scalar_name(self.dtype)}")
    if self.numel() == 0:
        if num_classes <= 0:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        return aten.new_empty.default(self, (*self.shape, num_classes))
    if self.device.type != "meta":
        if aten.min.default(self).item() < 0:
            raise RuntimeError("Class values must be non-negative.")
        largest = aten.max.default(self).item()
        if num_classes == -1:
            num_classes = largest + 1
        elif num_classes < 1:
            raise RuntimeError("num_classes should be positive")
        elif num_classes <= largest:
            raise RuntimeError("Class values must be smaller than num_classes.")
    result = aten.new_zeros.default(self, (*self.shape, num_classes))
    return aten.scatter.value(result, -1, aten.unsqueeze.default(self, -1), 1)
