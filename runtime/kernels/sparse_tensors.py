"""Making, asking and converting sparse tensors.

Constructors put indices and values together without looking at the indices, unless invariants are checked
(`runtime.sparse.check_sparse_tensor_invariants`); whatever reads an element checks them then.
"""

import numpy as np

from runtime._core import _set_sparse_parts, _sparse_tensor, format_names
from runtime.kernels._arrays import read
from runtime.kernels._common import scalar_name
from runtime.kernels._sparse import (
    aten,
    check_inside,
    coalesced,
    empty,
    gathered,
    index_tensor,
    integers,
    make,
    parts,
    places_of,
    put,
    values_at,
)  # fmt: skip
from runtime.kernels.sparse_pointwise import add_into

_SPARSE, _STRIDED = format_names["sparse_coo"], format_names["strided"]


def _dtype(dtype):
    from runtime._core import get_default_dtype

    return get_default_dtype() if dtype is None else dtype


def _check_options(name, layout, device, pin_memory):
    if layout is not None and layout != _SPARSE:
        raise RuntimeError(f"{name}: expected layout torch.sparse_coo, but got {layout}")
    if device is not None and device.type != "cpu":
        raise NotImplementedError(f"{name}: sparse tensors are on the CPU here, not on {device}")
    if pin_memory:
        raise RuntimeError("Need to provide pin_memory allocator to use pin memory.")


# ---- constructors


def sparse_coo_tensor_size(size, *, dtype=None, layout=None, device=None, pin_memory=False):
    return aten._sparse_coo_tensor_with_dims.default(len(size), 0, size, dtype=dtype, layout=_SPARSE, device=device, pin_memory=pin_memory)


def sparse_coo_tensor_indices(indices, values, *, dtype=None, layout=None, device=None, pin_memory=None, is_coalesced=None):
    _check_options("sparse_coo_tensor", layout, device, pin_memory)
    values = _values_of(indices, values)
    rows = read(indices)
    if rows.size:
        for dim, lowest in enumerate(rows.min(axis=1)):
            if lowest < 0:
                raise RuntimeError(f"found negative index {lowest} for dim {dim}")
        sizes = (rows.max(axis=1) + 1).tolist()
    else:
        sizes = [0] * len(rows)
    return _composed(indices, values, (*sizes, *values.shape[1:]), dtype, device, is_coalesced, checked=False)


def sparse_coo_tensor_indices_size(indices, values, size, *, dtype=None, layout=None, device=None, pin_memory=None, is_coalesced=None):
    _check_options("sparse_coo_tensor", layout, device, pin_memory)
    return _composed(indices, _values_of(indices, values), size, dtype, device, is_coalesced, checked=True)


def _sparse_coo_tensor_unsafe(indices, values, size, *, dtype=None, layout=None, device=None, pin_memory=None, is_coalesced=None):
    _check_options("_sparse_coo_tensor_unsafe", layout, device, pin_memory)
    return _composed(indices, values if values.dim() else aten.unsqueeze.default(values, 0), size, dtype, device, is_coalesced, checked=True)


def _values_of(indices, values):
    """The values with the dimension that counts them; raises where they do not fit the indices."""
    if values.dim() == 0:
        values = aten.unsqueeze.default(values, 0)
    if indices.dtype != integers:
        raise TypeError(f"indices must be an int64 tensor, but got indices of torch.{scalar_name(indices.dtype)}Tensor")
    if indices.dim() != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    if indices.shape[1] != values.shape[0]:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {indices.shape[1]}, nnz from values: {values.shape[0]}"
        )
    return values


def _composed(indices, values, size, dtype, device, is_coalesced, checked):
    if checked and _invariants_are_checked():
        _validate_sparse_coo_tensor_args(indices, values, size, is_coalesced)
    if dtype is not None and dtype != values.dtype:
        values = aten.to.dtype(values, dtype)
    if indices.dim() != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(indices.shape)}")
    return aten._sparse_coo_tensor_with_dims_and_tensors.default(
        indices.shape[0], values.dim() - 1, size, indices, values, dtype=values.dtype, layout=_SPARSE, device=device, is_coalesced=is_coalesced
    )


def _invariants_are_checked():
    from runtime.sparse.invariants import check_sparse_tensor_invariants

    return check_sparse_tensor_invariants.is_enabled()


def _validate_sparse_coo_tensor_args(indices, values, size, is_coalesced=None, check_pinning=None):
    values = _values_of(indices, values)
    sparse_dim, dense_dim = indices.shape[0], values.dim() - 1
    if len(size) != sparse_dim + dense_dim:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = {dense_dim}"
        )
    if tuple(values.shape[1:]) != tuple(size[sparse_dim:]):
        raise RuntimeError(f"values has incorrect size, expected {[values.shape[0], *size[sparse_dim:]]}, got {list(values.shape)}")
    check_inside(read(indices), size[:sparse_dim])
    if is_coalesced:
        numbers = np.unique(read(indices), axis=1)
        if numbers.shape != tuple(indices.shape) or (numbers != read(indices)).any():
            raise RuntimeError("cannot set is_coalesced to true if indices correspond to uncoalesced COO tensor")


def _sparse_coo_tensor_with_dims(sparse_dim, dense_dim, size, *, dtype=None, layout=None, device=None, pin_memory=False):
    _check_options("_sparse_coo_tensor_with_dims", layout, device, pin_memory)
    _check_dims(size, sparse_dim, dense_dim)
    return empty(size, sparse_dim, _dtype(dtype))


def _check_dims(size, sparse_dim, dense_dim):
    if sparse_dim < 0 or dense_dim < 0 or sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = {dense_dim}"
        )
    if any(n < 0 for n in size):
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(size)}: {list(size)}")


def _sparse_coo_tensor_with_dims_and_tensors(
    sparse_dim, dense_dim, size, indices, values, *, dtype=None, layout=None, device=None, pin_memory=False, is_coalesced=None
):
    _check_options("_sparse_coo_tensor_with_dims_and_tensors", layout, device, pin_memory)
    _check_dims(size, sparse_dim, dense_dim)
    if dtype is not None and dtype != values.dtype:
        raise RuntimeError(f"dtype of values ({scalar_name(values.dtype)}) must match dtype of sparse tensor ({scalar_name(dtype)})")
    result = _sparse_tensor(size, indices, values, is_coalesced)
    if parts(result)[2] != sparse_dim:
        raise RuntimeError(f"number of sparse dimensions ({sparse_dim}) does not match the rows of indices ({indices.shape[0]})")
    return result


def empty_sparse(size, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    _check_options("empty", layout, device, pin_memory)
    if memory_format is not None:
        raise RuntimeError("memory format option is only supported by strided tensors")
    _check_dims(size, len(size), 0)
    return empty(size, len(size), _dtype(dtype))


def zeros_sparse(size, *, dtype=None, layout=None, device=None, pin_memory=None):
    return empty_sparse(size, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)


def empty_like_sparse(self, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    dtype = self.dtype if dtype is None else dtype
    if layout is not None and layout != _SPARSE:
        return aten.zeros.default(self.shape, dtype=dtype, layout=layout, device=device, pin_memory=pin_memory)
    if memory_format is not None and memory_format != format_names["preserve_format"]:
        raise RuntimeError("memory format option is only supported by strided tensors")
    _check_options("empty_like", layout, device, pin_memory)
    return empty(self.shape, parts(self)[2], dtype)


def new_empty_sparse(self, size, *, dtype=None, layout=None, device=None, pin_memory=None):
    dtype = self.dtype if dtype is None else dtype
    return aten.zeros.default(size, dtype=dtype, layout=_SPARSE if layout is None else layout, device=device, pin_memory=pin_memory)


# ---- questions


def sparse_dim(self):
    return 0


def dense_dim(self):
    return self.dim()


def sparse_dim_sparse(self):
    return parts(self)[2]


def dense_dim_sparse(self):
    return self.dim() - parts(self)[2]


def _nnz_sparse(self):
    return parts(self)[0].shape[1]


def _expected(name, kind, self):
    return RuntimeError(f"{name} expected sparse {kind}tensor layout but got {'Strided' if self.layout == _STRIDED else self.layout}")


def is_coalesced(self):
    raise _expected("is_coalesced", "coordinate ", self)


def indices(self):
    raise _expected("indices", "coordinate ", self)


def values(self):
    raise _expected("values", "", self)


def is_coalesced_sparse(self):
    return parts(self)[3]


def _indices_sparse(self):
    return aten.detach.default(parts(self)[0])


def _values_sparse(self):
    return aten.detach.default(parts(self)[1])


def _of_coalesced(self, name):
    if not parts(self)[3]:
        raise RuntimeError(f"Cannot get {name} on an uncoalesced tensor, please call .coalesce() first")
    return aten.detach.default(parts(self)[0 if name == "indices" else 1])


def indices_sparse(self):
    return _of_coalesced(self, "indices")


def values_sparse(self):
    return _of_coalesced(self, "values")


def _local_scalar_dense_sparse(self):
    return aten._local_scalar_dense.default(aten.view.default(aten._to_dense.default(self), ()))


# ---- the coalesced form


def coalesce(self):
    if not self.is_sparse:
        raise _expected("coalesce", "coordinate ", self)
    return self if aten.is_coalesced.default(self) else aten._coalesce.default(self)


def _coalesce_sparse(self):
    return coalesced(self)


def _coalesced__sparse(self, coalesced):
    indices, values, _, _ = parts(self)
    _set_sparse_parts(self, self.shape, indices, values, coalesced)
    return self


# ---- other sizes, copies


def sparse_resize_(self, size, sparse_dim, dense_dim):
    _check_resized(size, sparse_dim, dense_dim)
    indices, values, own_dim, known = parts(self)
    own_dense = self.dim() - own_dim
    if indices.shape[1]:
        for kind, old, new in ("sparse", own_dim, sparse_dim), ("dense", own_dense, dense_dim):
            if old != new:
                raise RuntimeError(f"changing the number of {kind} dimensions (from {old} to {new}) on a non-empty sparse tensor is not supported.")
        for kind, part in ("sparse", slice(0, sparse_dim)), ("dense", slice(sparse_dim, None)):
            old, new = list(self.shape[part]), list(size[part])
            if any(n < o for o, n in zip(old, new)):
                raise RuntimeError(f"shrinking the size of {kind} dimensions (from {old} to {new}) on a non-empty sparse tensor is not supported.")
        if tuple(size[sparse_dim:]) != tuple(self.shape[sparse_dim:]):
            wider = aten.new_zeros.default(values, (values.shape[0], *size[sparse_dim:]))
            aten.copy_.default(_corner(wider, values.shape), values)
            values = wider
        _set_sparse_parts(self, size, indices, values, known)
        return self
    return put(self, empty(size, sparse_dim, self.dtype))


def _corner(tensor, shape):
    """The view of a tensor's first elements in each dimension."""
    for dim, size in enumerate(shape):
        tensor = aten.slice.Tensor(tensor, dim, 0, size)
    return tensor


def _check_resized(size, sparse_dim, dense_dim):
    if sparse_dim < 0 or dense_dim < 0 or sparse_dim + dense_dim != len(size):
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(size)}, sparse_dim = {sparse_dim}, dense_dim = {dense_dim}"
        )


def sparse_resize_and_clear_(self, size, sparse_dim, dense_dim):
    _check_resized(size, sparse_dim, dense_dim)
    return put(self, empty(size, sparse_dim, self.dtype))


def resize_as_sparse_(self, the_template):
    if not the_template.is_sparse:
        raise RuntimeError(f"resize_as_sparse_: expected a sparse template, but got {the_template.layout}")
    own_dim = parts(the_template)[2]
    if tuple(self.shape) == tuple(the_template.shape) and parts(self)[2] == own_dim:
        return self
    return sparse_resize_(self, the_template.shape, own_dim, the_template.dim() - own_dim)


def zero__sparse(self):
    return put(self, empty(self.shape, parts(self)[2], self.dtype))


def copy_sparse_to_sparse_(self, src, non_blocking=False):
    if self is src:
        return self
    resize_as_sparse_(self, src)
    indices, values, _, known = parts(src)
    return put(self, make(src, aten.clone.default(indices), aten.clone.default(values), known))


def copy__sparse(self, src, non_blocking=False):
    if self.is_sparse and src.is_sparse:
        return copy_sparse_to_sparse_(self, src)
    raise RuntimeError(
        f"copy_() between dense and sparse Tensors is not implemented! Found self type = {self.type()} and src type = {src.type()}"
    )


def clone_sparse(self, *, memory_format=None):
    if memory_format is not None and memory_format != format_names["preserve_format"]:
        raise RuntimeError(f"unsupported memory format option {_format_title(memory_format)}")
    indices, values, _, known = parts(self)
    return make(self, aten.clone.default(indices), aten.clone.default(values), known)


def _format_title(memory_format):
    return {"contiguous_format": "Contiguous", "channels_last": "ChannelsLast", "channels_last_3d": "ChannelsLast3d"}[
        str(memory_format).rpartition(".")[2]
    ]


def _to_copy_sparse(self, *, dtype=None, layout=None, device=None, pin_memory=None, non_blocking=False, memory_format=None):
    dtype = self.dtype if dtype is None else dtype
    if layout == _STRIDED:
        return aten._to_dense.default(self, dtype)
    _check_options("to", layout, device, pin_memory)
    copy = clone_sparse(self, memory_format=memory_format)
    indices, values, _, known = parts(copy)
    return make(self, indices, aten.to.dtype(values, dtype), known)


# ---- to and from dense tensors


def to_dense(self, dtype=None, *, masked_grad=None):
    if self.is_sparse:
        return aten._to_dense.default(self, dtype, masked_grad)
    return self if dtype is None else aten.to.dtype(self, dtype)


def _to_dense_sparse(self, dtype=None, masked_grad=None):
    if dtype is not None:
        raise RuntimeError("dtype argument is not supported by sparse_to_dense")
    indices, values, sparse_dim, _ = parts(self)
    result = aten.zeros.default(self.shape, dtype=self.dtype)
    add_into(result, read(indices), values, sparse_dim)
    return result


def to_dense_backward(grad, input, masked_grad=None):
    if not input.is_sparse:
        return aten.to_dense.default(grad)
    if masked_grad is None or masked_grad:
        return aten.sparse_mask.default(grad, aten.coalesce.default(aten.detach.default(input)))
    return aten.to_sparse.sparse_dim(grad, aten.sparse_dim.default(input))


def _check_target(self, layout, blocksize, dense_dim):
    if layout is not None and layout not in (_SPARSE, _STRIDED):
        raise NotImplementedError(f"to_sparse: there are no tensors of layout {layout} here; use torch.sparse_coo")
    if blocksize is not None:
        raise RuntimeError("dense_to_sparse: conversion from Strided to Sparse with blocksize argument given is not supported")
    if dense_dim is not None and not 0 <= dense_dim <= self.dim():
        raise RuntimeError(f"dense_to_sparse: dense_dim argument must be in [0,{self.dim()}] range, but {dense_dim} is given")


def to_sparse(self, *, layout=None, blocksize=None, dense_dim=None):
    if self.layout == (_SPARSE if layout is None else layout):
        _check_target(self, layout, blocksize, dense_dim)
        return self
    return aten._to_sparse.default(self, layout=layout, blocksize=blocksize, dense_dim=dense_dim)


def to_sparse_sparse_dim(self, sparse_dim):
    return self if self.is_sparse and aten.sparse_dim.default(self) == sparse_dim else aten._to_sparse.sparse_dim(self, sparse_dim)


def _to_sparse(self, *, layout=None, blocksize=None, dense_dim=None):
    _check_target(self, layout, blocksize, dense_dim)
    return aten.clone.default(self) if layout == _STRIDED else _of_dense(self, self.dim() - (dense_dim or 0))


def _to_sparse_sparse_dim(self, sparse_dim):
    if self.dim() and sparse_dim == 0:
        raise RuntimeError("dense_to_sparse: sparse_dim argument must be in >0 when self.dim()>0")
    if not 0 <= sparse_dim <= self.dim():
        raise RuntimeError(f"dense_to_sparse: sparse_dim argument must be in [0,{self.dim()}] range, but {sparse_dim} is given")
    return _of_dense(self, sparse_dim)


def _of_dense(self, sparse_dim):
    """A sparse tensor of the parts of a dense one that have an element other than zero."""
    if self.device.type != "cpu":
        raise NotImplementedError(f"to_sparse: sparse tensors are on the CPU here, not on {self.device}")
    marks = read(aten.ne.Scalar(self, 0))
    if sparse_dim < self.dim():
        marks = marks.any(axis=tuple(range(sparse_dim, self.dim())))
    if sparse_dim == 0:
        count = int(marks)
        found = aten.empty.memory_format((0, count), dtype=integers)
        chosen = aten.slice.Tensor(aten.unsqueeze.default(self, 0), 0, 0, count)
    else:
        found = index_tensor(np.array(np.nonzero(marks)).reshape(sparse_dim, -1))
        chosen = gathered(self, found, sparse_dim)
    return _sparse_tensor(self.shape, found, aten.clone.default(chosen), True)


def _to_sparse_sparse(self, *, layout=None, blocksize=None, dense_dim=None):
    _check_target(self, layout, blocksize, dense_dim)
    if layout == _STRIDED:
        return _to_dense_sparse(self)
    return _to_sparse_sparse_dim_sparse(self, self.dim() - (dense_dim or 0))


def _to_sparse_sparse_dim_sparse(self, sparse_dim):
    if sparse_dim != parts(self)[2]:
        raise RuntimeError(f"sparse_to_sparse: a tensor of {parts(self)[2]} sparse dimensions cannot be converted to one of {sparse_dim}; "
                           "convert it with to_dense() first")
    return self


# ---- the coordinates of another tensor


def sparse_mask(self, mask):
    if not mask.is_sparse:
        raise RuntimeError(f"sparse_mask: expected a sparse mask, but got {mask.layout}")
    if self.shape != mask.shape:
        raise RuntimeError(
            f"sparse_mask(): operands have incompatible sizes; self has size {list(self.shape)} but mask has size {list(mask.shape)}"
        )
    indices, _, sparse_dim, known = parts(mask)
    numbers = places_of(mask)
    if not self.is_sparse:
        chosen = aten.clone.default(gathered(self, indices, sparse_dim))
    elif parts(self)[2] != sparse_dim:
        raise RuntimeError(f"sparse_mask(): the tensor has {parts(self)[2]} sparse dimensions but the mask has {sparse_dim}")
    else:
        chosen = values_at(self, numbers)
    return make(mask, aten.clone.default(indices), chosen, known)


def _sparse_mask_projection(self, mask, accumulate_matches=False):
    result = sparse_mask(self, coalesced(mask))
    if not accumulate_matches or parts(mask)[3]:
        return result
    counts = np.bincount(np.searchsorted(places_of(result), places_of(mask)), minlength=parts(result)[0].shape[1])
    indices, values, _, _ = parts(result)
    factor = aten._to_copy.default(index_tensor(counts), dtype=values.dtype)
    return make(result, indices, aten.mul.Tensor(values, aten.view.default(factor, (-1, *(1,) * (values.dim() - 1)))), True)
