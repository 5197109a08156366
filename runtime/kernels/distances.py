"""Distances and similarities of vectors."""

import math

import numpy as np

from runtime._core import _run_loop, ops
from runtime.kernels._arrays import new, read, read_contiguous
from runtime.kernels._common import broadcast, scalar_name, wrap_dim
from runtime.kernels._pieces import norm, summed, unwatched_large_shape

aten = ops.aten


def pairwise_distance(x1, x2, p=2, eps=1e-06, keepdim=False):
    shape = unwatched_large_shape(x1, x2)
    if shape is not None:
        return norm(lambda a, b: aten.add.Scalar(aten.sub.Tensor(a, b), eps), shape, (x1, x2), p, (len(shape) - 1,), keepdim)
    difference = aten.add.Scalar(aten.sub.Tensor(x1, x2), eps)
    return aten.norm.ScalarOpt_dim(difference, p, (difference.dim() - 1,) if difference.dim() else (), keepdim)


def cosine_similarity(x1, x2, dim=1, eps=1e-08):
    common = aten.result_type.Tensor(x1, x2)
    if not common.is_floating_point:
        raise RuntimeError(f"expected common dtype to be floating point, yet common dtype is {scalar_name(common)}")
    shape = broadcast(x1.shape, x2.shape)
    dim = wrap_dim(dim, len(shape))
    a, b = (aten.expand.default(aten.to.dtype(t, common), shape) for t in (x1, x2))
    lengths = (aten.linalg_vector_norm.default(t, 2, (dim,), True) for t in (a, b))
    lengths = [aten.clamp_min.default(n, eps) for n in lengths]

    def product(a, b, length1, length2):
        # Each vector is made of length 1 by itself: the product of two lengths could underflow.
        return aten.mul.Tensor(aten.div.Tensor(a, length1), aten.div.Tensor(b, length2))

    if unwatched_large_shape(x1, x2) is not None:
        return summed(product, shape, (a, b, *lengths), (dim,))
    products = product(a, b, *lengths)
    return aten.sum.dim_IntList(products, (dim,)) if products.dim() else products


#: The norms for which there are loops, by the loops' numbers; others need powers.
_KINDS = {0: 0, 1: 1, 2: 2, math.inf: 3}

#: Elements of differences that are worth a thread.
_GRAIN = 1 << 15


def _by_powers(a, b, p):
    """The p-norms of the differences of each row of a and each row of b, in pieces that fit caches."""
    out = np.empty((len(a), len(b)), a.dtype)
    step = max(1, (1 << 20) // max(1, b.size))
    with np.errstate(all="ignore"):
        for i in range(0, len(a), step):
            out[i : i + step] = (np.abs(a[i : i + step, None, :] - b[None]) ** p).sum(2) ** (1 / p)
    return out


def _grain(rows, width):
    return _GRAIN // (rows * width + 1) + 1


def _stacked(array, batch):
    """An array's matrices, broadcast to a batch, one after the other."""
    return np.ascontiguousarray(np.broadcast_to(array, (*batch, *array.shape[-2:])))


def _only_wide_floats(name, tensor):
    if scalar_name(tensor.dtype) not in ("Float", "Double"):
        raise NotImplementedError(f"\"{name}\" not implemented for '{scalar_name(tensor.dtype)}'")


def cdist(x1, x2, p=2, compute_mode=None):
    for name, t in ("X1", x1), ("X2", x2):
        if t.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t.dim()}D")
    _check_columns(x1, x2)
    return aten._cdist_forward.default(x1, x2, p, compute_mode)


def _check_columns(x1, x2):
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")


def _cdist_forward(x1, x2, p, compute_mode):
    for name, t in ("X1", x1), ("X2", x2):
        if t.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {t.dim()}D")
    _check_columns(x1, x2)
    for name, t in ("X1", x1), ("X2", x2):
        if not t.dtype.is_floating_point:
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {scalar_name(t.dtype)}")
    if not p >= 0:
        raise RuntimeError("cdist only supports non-negative p values")
    mode = compute_mode or 0
    if not 0 <= mode <= 2:
        raise RuntimeError(f"possible modes: 0, 1, 2, but was: {mode}")
    if x1.dtype != x2.dtype:
        raise RuntimeError(f"expected scalar type {scalar_name(x1.dtype)} but found {scalar_name(x2.dtype)}")
    rows1, rows2 = x1.shape[-2], x2.shape[-2]
    batch = broadcast(x1.shape[:-2], x2.shape[:-2])
    if x1.device.type == "meta":
        return aten.new_empty.default(x1, (*batch, rows1, rows2))
    _only_wide_floats("cdist", x1)
    a, b = (_stacked(read(t), batch) for t in (x1, x2))
    width = a.shape[-1]
    result = np.empty((*batch, rows1, rows2), a.dtype)
    if p == 2 and (mode == 1 or (mode == 0 and (rows1 > 25 or rows2 > 25))):
        for i in np.ndindex(*batch):
            result[i] = _by_product(a[i], b[i])
    elif p in _KINDS:
        _run_loop("pair_distances", a.dtype, math.prod(batch) * rows1, _grain(rows2, width), a, b, result, rows1, rows2, width, _KINDS[p])
    else:
        for i in np.ndindex(*batch):
            result[i] = _by_powers(a[i], b[i], p)
    return new(result, x1.dtype)


def _by_product(a, b):
    """Euclidean distances from one matrix product: fast, and inexact for vectors that nearly agree."""
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * (a @ b.T)
        return np.sqrt(np.maximum(squares, 0))


def _euclidean_dist(x1, x2):
    squares = [aten.sum.dim_IntList(aten.mul.Tensor(t, t), (-1,), True) for t in (x1, x2)]
    product = aten.matmul.default(x1, aten.transpose.int(x2, -2, -1))
    both = aten.add.Tensor(squares[0], aten.transpose.int(squares[1], -2, -1))
    return aten.sqrt.default(aten.clamp_min.default(aten.sub.Tensor(both, aten.mul.Scalar(product, 2)), 0))


def pdist(self, p=2):
    if self.dim() != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {self.dim()}D")
    if not self.dtype.is_floating_point:
        raise RuntimeError("pdist only supports floating-point dtypes")
    if not p >= 0:
        raise RuntimeError("pdist only supports non-negative p values")
    return aten._pdist_forward.default(aten.contiguous.default(self), p)


def _pdist_forward(self, p=2):
    if self.dim() != 2:
        raise RuntimeError("_pdist_forward requires a 2-D tensor")
    n = self.shape[0]
    if self.device.type == "meta":
        return aten.new_empty.default(self, (n * (n - 1) // 2,))
    _only_wide_floats("pdist", self)
    x = read_contiguous(self)
    if p not in _KINDS:
        return new(_by_powers(x, x, p)[np.triu_indices(n, 1)], self.dtype)
    out = np.empty(n * (n - 1) // 2, x.dtype)
    _run_loop("inner_distances", x.dtype, n, _grain(n, x.shape[1]), x, out, n, x.shape[1], _KINDS[p])
    return new(out, self.dtype)


def _directions(difference, distance, p):
    """The derivatives of p-norms that need powers, by the elements of the vectors; where the norm is not smooth those that PyTorch takes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        made = np.sign(difference) * np.abs(difference) ** (p - 1) / distance ** (p - 1)
    made[np.broadcast_to(distance == 0, made.shape)] = 0
    if p < 1:
        made[difference == 0] = 0
    return made


def _weighted_directions(weights, a, b, distances, p):
    """For each row of a the sum, over the rows of b, of the distances' derivatives times weights; in pieces that fit caches."""
    out = np.zeros(a.shape, a.dtype)
    step = max(1, (1 << 16) // max(1, b.size))
    for i in range(0, len(a), step):
        rows = slice(i, i + step)
        out[rows] = np.einsum("ij,ijk->ik", weights[rows], _directions(a[rows, None, :] - b[None], distances[rows, :, None], p))
    return out


def _cdist_backward(grad, x1, x2, p, cdist):
    _check_columns(x1, x2)
    batch = broadcast(x1.shape[:-2], x2.shape[:-2])
    shape = (*batch, *x1.shape[-2:])
    if x1.device.type == "meta":
        return aten.new_empty.default(x1, shape)
    _only_wide_floats("cdist_backward", x1)
    a, b, weights, distances = (_stacked(read(t), batch) for t in (x1, x2, grad, cdist))
    rows, width = a.shape[-2:]
    others = b.shape[-2]
    if weights.shape[-2:] != (rows, others) or distances.shape[-2:] != (rows, others):
        raise RuntimeError(f"_cdist_backward: expected a gradient and distances of shape {[*batch, rows, others]}")
    result = np.zeros(shape, a.dtype)
    if p in _KINDS:
        loop = "pair_gradients", a.dtype, math.prod(batch) * rows, _grain(others, width)
        _run_loop(*loop, weights, distances, a, b, result, rows, others, width, _KINDS[p])
    else:
        for i in np.ndindex(*batch):
            result[i] = _weighted_directions(weights[i], a[i], b[i], distances[i], p)
    return new(result, x1.dtype)


def _pdist_backward(grad, self, p, pdist):
    n = self.shape[0]
    if self.device.type == "meta":
        return aten.empty_like.default(self)
    _only_wide_floats("pdist_backward", self)
    x, weights, distances = (read_contiguous(t) for t in (self, grad, pdist))
    if weights.shape != (n * (n - 1) // 2,) or distances.shape != weights.shape:
        raise RuntimeError(f"_pdist_backward: expected a gradient and distances of {n * (n - 1) // 2} elements")
    if p in _KINDS:
        out = np.zeros(x.shape, x.dtype)
        _run_loop("inner_gradients", x.dtype, n, _grain(n, x.shape[1]), weights, distances, x, out, n, x.shape[1], _KINDS[p])
        return new(out, self.dtype)
    pairs, squares = np.triu_indices(n, 1), np.zeros((2, n, n), x.dtype)
    for square, values in zip(squares, (weights, distances), strict=True):
        square[pairs] = values
        square += square.T
    return new(_weighted_directions(squares[0], x, x, squares[1], p), self.dtype)
