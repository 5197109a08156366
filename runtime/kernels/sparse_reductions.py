"""Sums, norms and softmax of sparse tensors.

A sum over all sparse dimensions is dense. What is not there counts as zero in sums and norms, and as minus infinity in softmax.
"""

import numpy as np

from runtime._core import _sparse_tensor, dtype_names
from runtime.kernels._common import wrap_dim
from runtime.kernels._sparse import (
    aten,
    coalesced,
    coordinates,
    empty,
    index_tensor,
    make,
    parts,
    places,
    places_of,
    sums,
    take,
    values_at,
)  # fmt: skip


def sum_sparse(self, *, dtype=None):
    return aten.sum.default(parts(self)[1], dtype=dtype)


def sum_dim_sparse(self, dim, keepdim=False, *, dtype=None):
    dims = _all_dims(self, dim)
    return _summed(self, dims, keepdim, dtype)


def _all_dims(self, dim):
    if not dim:
        return list(range(self.dim()))
    dims = [wrap_dim(d, self.dim()) for d in dim]
    for d in dims:
        if dims.count(d) > 1:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return sorted(dims)


def _summed(self, dims, keepdim, dtype):
    indices, values, sparse_dim, _ = parts(self)
    if dtype is None and not (self.dtype.is_floating_point or self.dtype.is_complex):
        dtype = dtype_names["int64"]
    if dtype is not None:
        values = aten.to.dtype(values, dtype)
    dense = [d - sparse_dim + 1 for d in dims if d >= sparse_dim]
    if dense:
        values = aten.sum.dim_IntList(values, dense)
    gone = [d for d in dims if d < sparse_dim]
    shape = [n for d, n in enumerate(self.shape) if d not in dims]
    if len(gone) == sparse_dim:
        result = aten.sum.dim_IntList(values, (0,))
    elif gone:
        result = coalesced(_sparse_tensor(shape, index_tensor(np.delete(coordinates(self), gone, axis=0)), values))
    else:
        result = coalesced(_sparse_tensor(shape, indices, values, parts(self)[3]))
    for d in dims if keepdim else ():
        result = aten.unsqueeze.default(result, d)
    return result


def _sparse_sum(self):
    return aten.sum.default(aten.values.default(aten.coalesce.default(self)))


def _sparse_sum_dtype(self, *, dtype):
    return aten.sum.default(aten.values.default(aten.coalesce.default(self)), dtype=dtype)


def _sparse_sum_dim(self, dim):
    if not self.is_sparse:
        raise NotImplementedError(f"_sparse_sum: expected a sparse tensor, but got {self.layout}")
    if not dim:
        raise RuntimeError("sum() expected at least one dimension of a sparse tensor; leave dim out for all of them")
    return _summed(self, _all_dims(self, dim), False, self.dtype)


def _sparse_sum_dim_dtype(self, dim, *, dtype):
    return aten._sparse_sum.dim(aten.to.dtype(self, dtype), dim)


def _sparse_sum_backward(grad, self, dim):
    self = coalesced(self)
    indices, values, sparse_dim, _ = parts(self)
    dims = _all_dims(self, dim)
    kept = [d for d in range(sparse_dim) if d not in dims]
    if not kept:
        if grad.is_sparse:
            grad = aten._to_dense.default(grad)
        rows = aten.unsqueeze.default(grad, 0)
    else:
        numbers = places(coordinates(self)[kept], [self.shape[d] for d in kept])
        if grad.is_sparse:
            rows = values_at(grad, numbers)
        else:
            flat = aten.reshape.default(grad, (-1, *grad.shape[len(kept) :]))
            rows = take(flat, numbers)
    for d in dims:
        if d >= sparse_dim:
            rows = aten.unsqueeze.default(rows, d - sparse_dim + 1)
    return make(self, indices, aten.clone.default(aten.expand.default(rows, values.shape)), True)


def any_sparse(self):
    return aten.any.default(parts(coalesced(self))[1])


def _check_full(self, dim, keepdim):
    if dim and sorted(wrap_dim(d, self.dim()) for d in dim) != list(range(self.dim())):
        raise RuntimeError(
            "norm_sparse currently only supports full reductions, so 'dim' must either be empty or contain all dimensions of the input"
        )
    if keepdim:
        raise RuntimeError("norm_sparse currently does not support keepdim=True")


def norm_dim_sparse(self, p, dim, keepdim=False):
    _check_full(self, dim, keepdim)
    return aten.norm.Scalar(parts(coalesced(self))[1], 2 if p is None else p)


def norm_dim_dtype_sparse(self, p, dim, keepdim, *, dtype):
    _check_full(self, dim, keepdim)
    return aten.norm.ScalarOpt_dtype(parts(coalesced(self))[1], 2 if p is None else p, dtype=dtype)


# ---- softmax


def _softmax_argument(self, dtype):
    return self if dtype is None else aten.to.dtype(self, dtype)


def _sparse_softmax_int(self, dim, dtype=None):
    return aten._sparse_softmax.default(_softmax_argument(self, dtype), dim, False)


def _sparse_log_softmax_int(self, dim, dtype=None):
    return aten._sparse_log_softmax.default(_softmax_argument(self, dtype), dim, False)


def _pools(self, dim):
    """For a sparse dimension the group of each value: those whose coordinates differ in this dimension alone. With the number of groups."""
    rows = np.delete(coordinates(self), dim, axis=0)
    numbers = places(rows, [n for d, n in enumerate(self.shape[: parts(self)[2]]) if d != dim])
    distinct, groups = np.unique(numbers, return_inverse=True)
    return groups, len(distinct)


def _softmax(self, dim, half_to_float, log):
    if half_to_float:
        raise RuntimeError("softmax with half to float conversion is not supported on CPU")
    dim = wrap_dim(dim, self.dim())
    self = coalesced(self)
    indices, values, sparse_dim, _ = parts(self)
    if not self.dtype.is_floating_point:
        raise NotImplementedError(f"\"softmax\" not implemented for '{self.dtype}': convert the tensor to a floating-point dtype")
    places_of(self)
    dense = aten._log_softmax.default if log else aten._softmax.default
    if dim >= sparse_dim:
        return make(self, indices, dense(values, dim - sparse_dim + 1, False), True)
    if not indices.shape[1]:
        return empty(self.shape, sparse_dim, self.dtype)
    groups, count = _pools(self, dim)
    at = index_tensor(groups)
    spread = aten.view.default(at, (-1, *(1,) * (values.dim() - 1)))
    largest = aten.new_full.default(values, (count, *values.shape[1:]), -float("inf"))
    largest = aten.scatter_reduce.two(largest, 0, aten.expand.default(spread, values.shape), values, "amax")
    largest = aten.where.ScalarOther(aten.isfinite.default(largest), largest, 0)
    shifted = aten.sub.Tensor(values, aten.index_select.default(largest, 0, at))
    powers = aten.exp.default(shifted)
    totals = aten.index_select.default(sums(powers, groups, count), 0, at)
    result = aten.sub.Tensor(shifted, aten.log.default(totals)) if log else aten.div.Tensor(powers, totals)
    return make(self, indices, result, True)


def _sparse_softmax(self, dim, half_to_float):
    return _softmax(self, dim, half_to_float, False)


def _sparse_log_softmax(self, dim, half_to_float):
    return _softmax(self, dim, half_to_float, True)


def _softmax_gradient(grad_output, output, dim, log):
    dim = wrap_dim(dim, output.dim())
    output = coalesced(output)
    indices, results, sparse_dim, _ = parts(output)
    numbers = places_of(output)
    if grad_output.is_sparse:
        grads = values_at(grad_output, numbers)
    else:
        grads = take(aten.reshape.default(grad_output, (-1, *grad_output.shape[sparse_dim:])), numbers)
    weights = aten.exp.default(results) if log else results
    terms = grads if log else aten.mul.Tensor(grads, results)
    if dim >= sparse_dim:
        totals = aten.sum.dim_IntList(terms, (dim - sparse_dim + 1,), True)
    else:
        groups, count = _pools(output, dim)
        totals = take(sums(terms, groups, count), groups)
    made = aten.sub.Tensor(grads, aten.mul.Tensor(weights, totals)) if log else aten.mul.Tensor(results, aten.sub.Tensor(grads, totals))
    return make(output, indices, made, True)


def _sparse_softmax_backward_data(grad_output, output, dim, self):
    return _softmax_gradient(grad_output, output, dim, False)


def _sparse_log_softmax_backward_data(grad_output, output, dim, self):
    return _softmax_gradient(grad_output, output, dim, True)
