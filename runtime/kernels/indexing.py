"""Selection by masks and index tensors."""

import math

from runtime._core import ops
from runtime.kernels._common import broadcast, scalar_for, scalar_name, wrap_dim

aten = ops.aten


def index_put(self, indices, values, accumulate=False):
    return aten.index_put_.default(aten.clone.default(self), indices, values, accumulate)


def _masked(self, mask):
    """A copy of self, in the shape that self and the mask broadcast to."""
    if self.shape == mask.shape and self.is_contiguous():
        return aten.clone.default(self)
    shape = broadcast(self.shape, mask.shape)
    if tuple(self.shape) != shape:
        self = aten.expand.default(self, shape)
    import runtime

    return aten.clone.default(self, memory_format=runtime.contiguous_format if self.dim() else None)


def masked_fill_Scalar(self, mask, value):
    return aten.masked_fill_.Scalar(_masked(self, mask), mask, value)


def masked_fill_Tensor(self, mask, value):
    return aten.masked_fill_.Tensor(_masked(self, mask), mask, value)


def where(condition):
    return list(aten.nonzero_numpy.default(condition))


def where_Scalar(condition, self, other):
    import runtime

    a, b = runtime.tensor(self), runtime.tensor(other)
    return aten.where.self(condition, a, b)


def where_ScalarSelf(condition, self, other):
    return aten.where.self(condition, scalar_for(self, other), other)


def where_ScalarOther(condition, self, other):
    return aten.where.self(condition, self, scalar_for(other, self))


def index_fill_int_Scalar(self, dim, index, value):
    import runtime

    return aten.index_fill_.int_Scalar(aten.clone.default(self, memory_format=runtime.preserve_format), dim, index, value)


def index_fill_int_Tensor(self, dim, index, value):
    import runtime

    return aten.index_fill_.int_Tensor(aten.clone.default(self, memory_format=runtime.preserve_format), dim, index, value)


def put(self, index, source, accumulate=False):
    return aten.put_.default(aten.clone.default(self), index, source, accumulate)


def masked_scatter(self, mask, source):
    if self.shape == mask.shape:
        return aten.masked_scatter_.default(_contiguous_clone(self), mask, source)
    shape = broadcast(self.shape, mask.shape)
    self, mask = (x if tuple(x.shape) == shape else aten.expand.default(x, shape) for x in (self, mask))
    return aten.masked_scatter_.default(_contiguous_clone(self), mask, source)


def masked_scatter_backward(grad_output, mask, sizes):
    taken = aten.masked_select.default(grad_output, mask)
    missing = math.prod(sizes) - taken.numel()
    if missing > 0:
        # The source may hold more elements than the mask took.
        taken = aten.cat.default([taken, aten.new_zeros.default(taken, [missing])], 0)
    return aten.view.default(taken, sizes)


def _contiguous_clone(tensor):
    import runtime

    return aten.clone.default(tensor, memory_format=runtime.contiguous_format)


def take_along_dim(self, indices, dim=None):
    if str(indices.dtype) != "torch.int64":
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {scalar_name(indices.dtype)}")
    if dim is None:
        return aten.gather.default(aten.reshape.default(self, (-1,)), 0, aten.reshape.default(indices, (-1,)))
    if self.dim() != indices.dim():
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {self.dim()} dimensions for input, and {indices.dim()} dimensions for indices"
        )
    dim = wrap_dim(dim, self.dim())
    if self.dim():
        own, others = list(self.shape), list(indices.shape)
        own[dim], others[dim] = indices.shape[dim], self.shape[dim]
        indices, self = (
            aten.expand.default(indices, broadcast(own, indices.shape)),
            aten.expand.default(self, broadcast(others, self.shape)),
        )
    if self.size(dim):  # what is out of bounds counts around
        indices = aten.remainder.Scalar(indices, self.size(dim))
    return aten.gather.default(self, dim, indices)


def nonzero_numpy(self):
    if self.dim() == 0:
        self = aten.unsqueeze.default(self, 0)
    return list(aten.unbind.int(aten.nonzero.default(self), 1))


def _unsafe_index_Tensor(self, indices):
    return aten.index.Tensor(self, indices)


def _unsafe_index_put(self, indices, values, accumulate=False):
    return aten.index_put.default(self, indices, values, accumulate)


def _within(self, indices):
    """Indices brought within bounds: what they say where they were not does not count."""
    return [None if i is None else aten.clamp.default(i, -self.shape[d], self.shape[d] - 1) for d, i in enumerate(indices)]


def _unsafe_masked_index(self, mask, indices, fill):
    if self.numel() == 0:
        shape = broadcast(mask.shape, ())
        for index in indices:
            if index is not None:
                shape = broadcast(shape, index.shape)
        return aten.new_full.default(self, shape, fill)
    return aten.masked_fill.Scalar(aten._unsafe_index.Tensor(self, _within(self, indices)), aten.logical_not.default(mask), fill)


def _unsafe_masked_index_put_accumulate(self, mask, indices, values):
    if self.numel() == 0:
        return aten.clone.default(self)
    values = aten.masked_fill.Scalar(values, aten.logical_not.default(mask), 0)
    return aten._unsafe_index_put.default(self, _within(self, indices), values, True)
