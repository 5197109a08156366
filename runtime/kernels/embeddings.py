"""Embeddings: rows of a table by index, alone, in bags, and as vectors of one 1; and the gradients that flow back into the table."""

import numpy as np

from runtime._core import _run_loop, dtype_names, ops
from runtime.kernels._arrays import memory, new, read, read_contiguous
from runtime.kernels._common import scalar_name

aten = ops.aten

SUM, MEAN, MAX = range(3)


def _check_indices(tensor, name, number, operator):
    if scalar_name(tensor.dtype) not in ("Long", "Int"):
        raise RuntimeError(
            f"Expected tensor for argument #{number} '{name}' to have one of the following scalar types: Long, Int; "
            f"but got torch.{scalar_name(tensor.dtype)}Tensor instead (while checking arguments for {operator})"
        )


def embedding(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    _check_indices(indices, "indices", 1, "embedding")
    if indices.dim() == 1:
        return aten.index_select.default(weight, 0, indices)
    rows = aten.index_select.default(weight, 0, aten.reshape.default(indices, (-1,)))
    return aten.view.default(rows, (*indices.shape, weight.shape[1]))


def _bag_matrix(bags, places, values, shape):
    """The sparse matrix whose product with a table sums rows of it into bags: a value in row `bags[i]` (ascending) and column `places[i]`.

    Products with it, or with its transpose, go row by row and make no copies of rows.
    """
    from scipy.sparse import csr_array

    starts = np.zeros(shape[0] + 1, np.int64)
    np.cumsum(np.bincount(bags, minlength=shape[0]), out=starts[1:])
    return csr_array((values, places, starts), shape=shape)


def _sums_by_row(values, places, count):
    """The sums of the values that belong to each of `count` places."""
    ones = np.ones(len(places), values.dtype)
    return _bag_matrix(np.arange(len(places)), places, ones, (len(places), count)).T @ values


def embedding_dense_backward(grad_output, indices, num_weights, padding_idx, scale_grad_by_freq):
    _check_indices(indices, "indices", 2, "embedding_backward")
    if not grad_output.dim():
        raise RuntimeError("expected a gradient of at least one dimension")
    width = grad_output.shape[-1]
    if grad_output.device.type == "meta":
        return aten.new_empty.default(grad_output, (num_weights, width))
    places = read(indices).reshape(-1)
    if grad_output.numel() != len(places) * width or num_weights < 0:
        raise RuntimeError(f"expected a gradient for each of {len(places)} indices, but got {list(grad_output.shape)}")
    values = read(grad_output).reshape(len(places), width)
    kept = places != padding_idx
    places, values = places[kept], values[kept]
    if ((places < 0) | (places >= num_weights)).any():
        raise IndexError("index out of range in self")
    result = _sums_by_row(values, places, num_weights)
    if scale_grad_by_freq:
        result = (result / np.maximum(np.bincount(places, minlength=num_weights), 1)[:, None]).astype(result.dtype, copy=False)
    return new(result, grad_output.dtype)


def embedding_backward(grad, indices, num_weights, padding_idx, scale_grad_by_freq, sparse):
    if sparse:
        return aten.embedding_sparse_backward.default(grad, indices, num_weights, padding_idx, scale_grad_by_freq)
    return aten.embedding_dense_backward.default(grad, indices, num_weights, padding_idx, scale_grad_by_freq)


def embedding_sparse_backward(grad, indices, num_weights, padding_idx, scale_grad_by_freq):
    if scale_grad_by_freq:
        raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    _check_indices(indices, "indices", 2, "embedding_backward")
    width = grad.shape[-1]
    places = aten.reshape.default(indices, (-1,))
    rows = aten.reshape.default(grad, (places.shape[0], width))
    if padding_idx >= 0:
        kept = aten.squeeze.dim(aten.nonzero.default(aten.ne.Scalar(places, padding_idx)), 1)
        places, rows = (aten.index_select.default(t, 0, kept) for t in (places, rows))
    return _rows_of_table(places, rows, num_weights, width)


def _rows_of_table(places, rows, num_weights, width):
    """A sparse gradient of a table: some of its rows."""
    places = aten.to.dtype(aten.reshape.default(places, (1, -1)), dtype_names["int64"])
    return aten._sparse_coo_tensor_unsafe.default(places, rows, (num_weights, width))


def embedding_renorm_(self, indices, max_norm, norm_type):
    if self.dim() != 2:
        raise RuntimeError(
            f"Expected 2-dimensional tensor, but got {self.dim()}-dimensional tensor for argument #1 'self' "
            "(while checking arguments for embedding_renorm_)"
        )
    _check_indices(indices, "indices", 2, "embedding_renorm_")
    if not (self.dtype.is_floating_point or self.dtype.is_complex):
        raise RuntimeError(f"norm(): input dtype should be either floating point or complex. Got {scalar_name(self.dtype)} instead.")
    if self.device.type == "meta":
        return self
    table = memory(self)
    places = np.unique(read(indices))
    outside = (places < 0) | (places >= len(table))
    if outside.any():
        raise IndexError(f"select(): index {int(places[outside][0])} out of range for tensor of size {list(self.shape)} at dimension 0")
    rows = read(self)[places]
    # Norms and factors are rounded to the table's dtype, as tensors of it would be.
    norms = np.linalg.norm(rows, norm_type, axis=1, keepdims=True).astype(table.real.dtype).astype(np.float64)
    long = (norms > max_norm)[:, 0]
    # The small number keeps the new norm below the bound.
    factors = (max_norm / (norms[long] + 1e-7)).astype(table.real.dtype).astype(rows.real.dtype)
    table[places[long]] = (rows[long] * factors).astype(table.dtype)
    return self


# ---- bags

#: Elements that are worth a thread.
_GRAIN = 1 << 15


def _bag_arguments(weight, indices, offsets, mode, per_sample_weights, include_last_offset):
    if weight.dim() != 2:
        raise RuntimeError(f"weight has to be a 2D Tensor, but got Tensor of dimension {weight.dim()}")
    _check_indices(indices, "indices", 1, "embedding_bag")
    _check_indices(offsets, "offsets", 1, "embedding_bag")
    if scalar_name(weight.dtype) not in ("Half", "BFloat16", "Float", "Double"):
        raise RuntimeError(
            "Expected tensor for argument #1 'weight' to have one of the following scalar types: Half, BFloat16, Float, Double; "
            f"but got torch.{scalar_name(weight.dtype)}Tensor instead (while checking arguments for embedding_bag)"
        )
    if mode not in (SUM, MEAN, MAX):
        raise RuntimeError("`mode` must be sum, mean, or max.")
    if indices.dim() != 1 or offsets.dim() != 1:
        raise RuntimeError(f"input and offsets have to be 1D Tensors, but got Tensors of dimension {indices.dim()} and {offsets.dim()}")
    if include_last_offset and not offsets.numel():
        raise RuntimeError("include_last_offset: number of offset should be at least 1")
    if per_sample_weights is not None:
        if mode != SUM:
            raise RuntimeError("embedding_bag: per_sample_weights only supported with mode='sum'")
        if per_sample_weights.dtype != weight.dtype:
            raise RuntimeError(
                "Expected tensor for argument #1 'weight' to have the same type as tensor for argument #1 'per_sample_weights'; but type "
                f"torch.{scalar_name(weight.dtype)}Tensor does not equal torch.{scalar_name(per_sample_weights.dtype)}Tensor "
                "(while checking arguments for embedding_bag)"
            )
        if per_sample_weights.dim() != 1:
            raise RuntimeError(f"per_sample_weights has to be a 1D Tensor, but got Tensor of dimension {per_sample_weights.dim()}")
        if per_sample_weights.numel() != indices.numel():
            raise RuntimeError(
                f"expected per_sample_weights to have as many elements as indices ({indices.numel()}), but got {per_sample_weights.numel()}"
            )


def _bag_bounds(indices, offsets, include_last_offset):
    """Where the bags begin, and where the last one ends."""
    count = len(indices)
    if len(offsets):
        if offsets[0] != 0:
            raise RuntimeError(
                f"offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from position 0. However, got {int(offsets[0])}"
            )
        if offsets[-1] > count:
            raise RuntimeError(f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of {int(offsets[-1])}")
        if (np.diff(offsets) < 0).any():
            raise IndexError("index out of range in self")
    return offsets if include_last_offset else np.append(offsets, count)


def _embedding_bag(
    weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=-1
):
    _bag_arguments(weight, indices, offsets, mode, per_sample_weights, include_last_offset)
    bags = offsets.numel() - bool(include_last_offset)
    width = weight.shape[1]
    integers = indices.dtype if scalar_name(indices.dtype) == "Long" else offsets.dtype
    if weight.device.type == "meta":
        sizes = aten.new_empty.default(offsets, (bags,), dtype=integers)
        largest = aten.new_empty.default(offsets, (bags, width), dtype=integers) if mode == MAX else aten.empty_like.default(sizes)
        return aten.new_empty.default(weight, (bags, width)), aten.empty_like.default(indices), sizes, largest
    places = read(indices)
    bounds = _bag_bounds(places, read(offsets), include_last_offset)
    table = read_contiguous(weight)
    if ((places < 0) | (places >= len(table))).any():
        raise RuntimeError(f"Expected indices to be from 0 to {len(table) - 1}")
    places, bounds = (np.ascontiguousarray(t, np.int64) for t in (places, bounds))
    counts, result = np.empty(bags, np.int64), np.empty((bags, width), table.dtype)
    end = int(bounds[-1]) if len(bounds) else 0
    grain = _GRAIN // (width * (end // max(1, bags) + 1) + 1) + 1
    if mode == MAX:
        largest = np.empty((bags, width), np.int64)
        _run_loop("bag_maxima", table.dtype, bags, grain, table, places, bounds, result, largest, counts, width, padding_idx)
    else:
        samples = None if per_sample_weights is None else read_contiguous(per_sample_weights)
        loop = "bag_sums", table.dtype, bags, grain
        _run_loop(*loop, table, places, bounds, samples, result, counts, width, padding_idx, int(mode == MEAN))
    sizes = np.zeros(bags, np.int64) if mode == SUM else counts
    # Sums over whole rows need no bookkeeping to find their gradient.
    if mode == SUM and padding_idx < 0 and scalar_name(weight.dtype) != "Double" and weight.stride(1) == 1:
        offset2bag = np.zeros(0, np.int64)
    else:
        offset2bag = np.append(np.repeat(np.arange(bags), np.diff(bounds)), np.full(len(places) - end, bags))
    arrays = offset2bag, sizes, largest if mode == MAX else sizes.copy()
    return new(result, weight.dtype), *(new(np.array(t, np.int64), integers) for t in arrays)


def _embedding_bag_forward_only(
    weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None, include_last_offset=False, padding_idx=-1
):
    return _embedding_bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx)


def _embedding_bag_dense_backward(
    grad, indices, offset2bag, bag_size, maximum_indices, num_weights, scale_grad_by_freq, mode, per_sample_weights, padding_idx=-1
):
    if grad.dim() != 2 or any(t.dim() != 1 for t in (indices, offset2bag, bag_size)) or num_weights < 0:
        raise RuntimeError("embedding_bag: expected a gradient of 2 dimensions, and indices and bags of 1 dimension")
    if grad.is_meta:
        return aten.new_empty.default(grad, (num_weights, grad.shape[1]))
    gradients, places = read(grad), read(indices)
    if mode == MAX:
        winners, width = read(maximum_indices), gradients.shape[1]
        filled = np.repeat(read(bag_size) > 0, width)
        at = (winners * width + np.arange(width)).reshape(-1)[filled]
        flat = np.bincount(at, gradients.reshape(-1)[filled], minlength=num_weights * width)
        return new(flat.reshape(num_weights, width).astype(gradients.dtype), grad.dtype)
    bags = read(offset2bag)
    used = (places != padding_idx) & (bags < len(gradients))
    places, bags = places[used], bags[used]
    if ((places < 0) | (places >= num_weights)).any():
        raise IndexError("index out of range in self")
    if (np.diff(bags) < 0).any():
        order = np.argsort(bags, kind="stable")
        places, bags, used = places[order], bags[order], np.flatnonzero(used)[order]
    if mode == MEAN:
        gradients = gradients / np.maximum(read(bag_size), 1)[:, None].astype(gradients.dtype)
    values = np.ones(len(places), gradients.dtype) if per_sample_weights is None else read(per_sample_weights)[used]
    result = _bag_matrix(bags, places, values, (len(gradients), num_weights)).T @ gradients
    if scale_grad_by_freq:
        result = (result / np.maximum(np.bincount(places, minlength=num_weights), 1)[:, None]).astype(result.dtype, copy=False)
    return new(result, grad.dtype)


def _embedding_bag_per_sample_weights_backward(grad, weight, indices, offsets, offset2bag, mode, padding_idx=-1):
    if mode != SUM:
        raise RuntimeError("embedding_bag_backward: per_sample_weights only supported for mode='sum'")
    if grad.dim() != 2 or weight.dim() != 2 or any(t.dim() != 1 for t in (indices, offsets, offset2bag)):
        raise RuntimeError("embedding_bag: expected a gradient and a table of 2 dimensions, and indices and offsets of 1 dimension")
    if grad.is_meta:
        return aten.new_empty.default(grad, indices.shape)
    places, gradients = read(indices), read(grad)
    bags = read(offset2bag)
    if not len(bags):
        bags = np.searchsorted(read(offsets), np.arange(len(places)), side="right") - 1
    products = np.einsum("ij,ij->i", gradients[np.minimum(bags, len(gradients) - 1)], read(weight)[places])
    return new(np.where(places == padding_idx, 0, products).astype(gradients.dtype), grad.dtype)


def _embedding_bag_backward(
    grad,
    indices,
    offsets,
    offset2bag,
    bag_size,
    maximum_indices,
    num_weights,
    scale_grad_by_freq,
    mode,
    sparse,
    per_sample_weights,
    padding_idx=-1,
):
    if sparse:
        if mode == MAX:
            raise RuntimeError("embedding_bag: max mode does not support sparse weights")
        return aten._embedding_bag_sparse_backward.default(
            grad, indices, offsets, offset2bag, bag_size, num_weights, scale_grad_by_freq, mode, per_sample_weights, padding_idx
        )
    if not offset2bag.numel() and indices.numel():
        # Plain sums have not written down which bag an index belongs to.
        places = aten.arange.default(indices.numel(), dtype=offsets.dtype, device=offsets.device)
        offset2bag = aten.sub.Scalar(aten.searchsorted.Tensor(offsets, places, right=True), 1)
    return aten._embedding_bag_dense_backward.default(
        grad, indices, offset2bag, bag_size, maximum_indices, num_weights, scale_grad_by_freq, mode, per_sample_weights, padding_idx
    )


def _embedding_bag_sparse_backward(
    grad, indices, offsets, offset2bag, bag_size, num_weights, scale_grad_by_freq, mode, per_sample_weights, padding_idx=-1
):
    if not offset2bag.numel() and indices.numel():
        places = aten.arange.default(indices.numel(), dtype=offsets.dtype, device=offsets.device)
        offset2bag = aten.sub.Scalar(aten.searchsorted.Tensor(offsets, places, right=True), 1)
    # Indices behind the last bag are in none.
    kept = aten.squeeze.dim(aten.nonzero.default(aten.lt.Scalar(offset2bag, grad.shape[0])), 1)
    if kept.shape[0] != indices.shape[0]:
        indices, offset2bag = (aten.index_select.default(t, 0, kept) for t in (indices, offset2bag))
        if per_sample_weights is not None:
            per_sample_weights = aten.index_select.default(per_sample_weights, 0, kept)
    rows = aten.index_select.default(grad, 0, offset2bag)
    if mode == MEAN:
        sizes = aten.to.dtype(aten.clamp.default(bag_size, 1), grad.dtype)
        rows = aten.div.Tensor(rows, aten.unsqueeze.default(aten.index_select.default(sizes, 0, offset2bag), 1))
    if per_sample_weights is not None:
        rows = aten.mul.Tensor(rows, aten.unsqueeze.default(per_sample_weights, 1))
    return aten.embedding_backward.default(rows, indices, num_weights, padding_idx, scale_grad_by_freq, True)


def _bag(weight, *arguments):
    samples = arguments[5]
    tracked = weight.requires_grad or (samples is not None and samples.requires_grad)
    return (aten._embedding_bag if tracked else aten._embedding_bag_forward_only).default(weight, *arguments)


def embedding_bag(weight, indices, offsets, scale_grad_by_freq=False, mode=0, sparse=False, per_sample_weights=None, include_last_offset=False):
    return _bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, -1)


def embedding_bag_padding_idx(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding_idx):
    count = weight.shape[0]
    if padding_idx is not None and not -count <= padding_idx < count:
        raise RuntimeError(f"padding_idx must be within the number of embeddings, {-count} through {count - 1}, but got {padding_idx}")
    padding = -1 if padding_idx is None else padding_idx % count
    return _bag(weight, indices, offsets, scale_grad_by_freq, mode, sparse, per_sample_weights, include_last_offset, padding)
