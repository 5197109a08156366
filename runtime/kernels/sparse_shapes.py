"""Sparse tensors of other shapes: dimensions exchanged, added and taken away, parts, and several joined.

A sparse dimension is a row of the indices, a dense one a dimension of the values. Nothing here shares the indices of a tensor that it changes.
"""

import numpy as np

from runtime._core import _sparse_tensor
from runtime.kernels._arrays import read
from runtime.kernels._common import wrap_dim
from runtime.kernels._sparse import aten, coordinates, index_tensor, parts, take


def transpose_sparse(self, dim0, dim1):
    dim0, dim1 = wrap_dim(dim0, self.dim()), wrap_dim(dim1, self.dim())
    indices, values, sparse_dim, known = parts(self)
    if dim0 >= sparse_dim or dim1 >= sparse_dim:
        if dim0 == dim1:
            return _sparse_tensor(self.shape, indices, values, known)
        raise RuntimeError(f"sparse transpose: transposed dimensions must be sparse Got sparse_dim: {sparse_dim}, d0: {dim0}, d1: {dim1}")
    order = list(range(self.dim()))
    order[dim0], order[dim1] = dim1, dim0
    return _reordered(self, order, known and dim0 == dim1)


def _reordered(self, order, known):
    indices, values, sparse_dim, _ = parts(self)
    rows = aten.index_select.default(indices, 0, index_tensor(np.array(order[:sparse_dim], np.int64)))
    if order[sparse_dim:] != list(range(sparse_dim, self.dim())):
        values = aten.permute.default(values, [0, *(d - sparse_dim + 1 for d in order[sparse_dim:])])
    return _sparse_tensor([self.shape[d] for d in order], rows, values, known)


def t_sparse(self):
    indices, values, sparse_dim, _ = parts(self)
    if sparse_dim > 2 or self.dim() != sparse_dim:
        raise RuntimeError(
            f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got {sparse_dim} sparse and {self.dim() - sparse_dim} dense "
            "dimensions"
        )
    return transpose_sparse(self, 0, 0 if self.dim() < 2 else 1)


def permute_sparse(self, dims):
    n, sparse_dim = self.dim(), parts(self)[2]
    if len(dims) != n:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions "
            f"i.e. input.dim() = {n} is not equal to len(dims) = {len(dims)}"
        )
    order = [wrap_dim(d, n) for d in dims]
    if len(set(order)) != n:
        raise RuntimeError("permute(sparse_coo): duplicate dims are not allowed.")
    if any(d >= sparse_dim for d in order[:sparse_dim]):
        raise RuntimeError("permute(sparse_coo): transpositions between sparse and dense dimensions are not allowed."
                           "Only transpositions within sparse and dense dimensions are supported.")
    return _reordered(self, order, parts(self)[3] and order[:sparse_dim] == list(range(sparse_dim)))


def expand_sparse(self, size, *, implicit=False):
    raise RuntimeError("expand is unsupported for Sparse tensors")


def unsqueeze_sparse(self, dim):
    dim = wrap_dim(dim, self.dim() + 1)
    indices, values, sparse_dim, _ = parts(self)
    shape = (*self.shape[:dim], 1, *self.shape[dim:])
    if dim > sparse_dim:
        return _sparse_tensor(shape, indices, aten.unsqueeze.default(values, dim - sparse_dim + 1))
    rows = coordinates(self)
    return _sparse_tensor(shape, index_tensor(np.insert(rows, dim, 0, axis=0)), values)


def select_sparse(self, dim, index):
    if not self.dim():
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, self.dim())
    size = self.shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(self.shape)} at dimension {dim}")
    index += size if index < 0 else 0
    indices, values, sparse_dim, _ = parts(self)
    shape = (*self.shape[:dim], *self.shape[dim + 1 :])
    if dim >= sparse_dim:
        return _sparse_tensor(shape, indices, aten.select.int(values, dim - sparse_dim + 1, index))
    rows = coordinates(self)
    chosen = np.flatnonzero(rows[dim] == index)
    values = take(values, chosen)
    if sparse_dim == 1:
        return aten.sum.dim_IntList(values, (0,), dtype=values.dtype)
    return _sparse_tensor(shape, index_tensor(np.delete(rows[:, chosen], dim, axis=0)), values)


def unbind_sparse(self, dim=0):
    if not self.dim():
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    return tuple(aten.select.int(self, dim, i) for i in range(self.shape[wrap_dim(dim, self.dim())]))


def narrow_copy_sparse(self, dim, start, length):
    if not self.dim():
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, self.dim())
    size = self.shape[dim]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [-{size}, {size}], but got {start})")
    start += size if start < 0 else 0
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    indices, values, sparse_dim, known = parts(self)
    shape = (*self.shape[:dim], length, *self.shape[dim + 1 :])
    if dim >= sparse_dim:
        part = aten.slice.Tensor(values, dim - sparse_dim + 1, start, start + length)
        return _sparse_tensor(shape, aten.clone.default(indices), aten.clone.default(part), known)
    rows = coordinates(self)
    chosen = np.flatnonzero((rows[dim] >= start) & (rows[dim] < start + length))
    rows = rows[:, chosen]
    rows[dim] -= start
    return _sparse_tensor(shape, index_tensor(rows), take(values, chosen), known)


def index_select_sparse(self, dim, index):
    if not self.dim():
        raise IndexError("index_select() cannot be applied to a 0-dim tensor.")
    if index.dim() != 1 or index.is_sparse or str(index.dtype) not in ("torch.int64", "torch.int32"):
        raise IndexError(f"index_select() argument index must be 1-D long-tensor, but got {index.dim()} dimensions of {index.dtype}.")
    dim = wrap_dim(dim, self.dim())
    size = self.shape[dim]
    wanted = read(index).astype(np.int64)
    outside = (wanted < -size) | (wanted >= size)
    if outside.any():
        raise IndexError(
            f"index_select(): index contains {int(wanted[outside][0])} that is out of range for tensor of size {list(self.shape)} at dimension {dim}"
        )
    wanted = np.where(wanted < 0, wanted + size, wanted)
    indices, values, sparse_dim, known = parts(self)
    shape = (*self.shape[:dim], len(wanted), *self.shape[dim + 1 :])
    if dim >= sparse_dim:
        chosen = aten.index_select.default(values, dim - sparse_dim + 1, index_tensor(wanted))
        return _sparse_tensor(shape, aten.clone.default(indices), chosen, known)
    # Each value goes to all the places that ask for its coordinate.
    rows = coordinates(self)
    order = np.argsort(wanted, kind="stable")
    first = np.searchsorted(wanted[order], rows[dim], side="left")
    counts = np.searchsorted(wanted[order], rows[dim], side="right") - first
    source = np.repeat(np.arange(rows.shape[1]), counts)
    turns = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = rows[:, source]
    rows[dim] = order[first[source] + turns]
    return _sparse_tensor(shape, index_tensor(rows), take(values, source))


def cat_sparse(tensors, dim=0):
    if not tensors[0].is_sparse:
        raise NotImplementedError("cat: the first tensor is dense and another one is sparse; convert them to one layout")
    for place, tensor in enumerate(tensors):
        if not tensor.is_sparse:
            raise RuntimeError(f"Concatenating sparse tensors, but a dense tensor was found at position {place}.")
    first = tensors[0]
    dim = wrap_dim(dim, first.dim())
    sparse_dim = parts(first)[2]
    for place, tensor in enumerate(tensors):
        if parts(tensor)[2] != sparse_dim or tensor.dim() != first.dim():
            raise RuntimeError(
                f"All tensors must have the same: sparse_dim ({sparse_dim}) and dense_dim ({first.dim() - sparse_dim}), but tensor at position "
                f"{place} has {parts(tensor)[2]}, {tensor.dim() - parts(tensor)[2]}"
            )
        if any(d != dim and a != b for d, (a, b) in enumerate(zip(tensor.shape, first.shape))):
            raise RuntimeError(
                f"All tensors must have the same shape: {list(first.shape)} (except in the concatenating dimension), but found shape: "
                f"{list(tensor.shape)}"
            )
    total = sum(t.shape[dim] for t in tensors)
    shape = (*first.shape[:dim], total, *first.shape[dim + 1 :])
    before = np.cumsum([0, *(t.shape[dim] for t in tensors)]).tolist()
    rows = [coordinates(t) for t in tensors]
    if dim < sparse_dim:
        moved = []
        for row, offset in zip(rows, before):
            row = row.copy()
            row[dim] += offset
            moved.append(row)
        values = aten.cat.default([parts(t)[1] for t in tensors])
        return _sparse_tensor(shape, index_tensor(np.concatenate(moved, axis=1)), values)
    along = dim - sparse_dim + 1
    padded = []
    for tensor, offset in zip(tensors, before):
        values = parts(tensor)[1]
        edges = [(values.shape[0], *shape[sparse_dim:])] * 2
        left, right = (list(e) for e in edges)
        left[along], right[along] = offset, total - offset - tensor.shape[dim]
        padded.append(aten.cat.default([aten.new_zeros.default(values, left), values, aten.new_zeros.default(values, right)], along))
    return _sparse_tensor(shape, index_tensor(np.concatenate(rows, axis=1)), aten.cat.default(padded))


def stack_sparse(tensors, dim=0):
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    dim = wrap_dim(dim, tensors[0].dim() + 1)
    for place, tensor in enumerate(tensors):
        if tensor.shape != tensors[0].shape:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(tensors[0].shape)} at entry 0 and {list(tensor.shape)} at entry {place}"
            )
    return aten.cat.default([aten.unsqueeze.default(t, dim) for t in tensors], dim)
