"""Selection by masks and index tensors."""

from runtime._core import ops
from runtime.kernels._common import broadcast, scalar_for

aten = ops.aten


def index_put(self, indices, values, accumulate=False):
    return aten.index_put_.default(aten.clone.default(self), indices, values, accumulate)


def _masked(self, mask):
    """A copy of self, in the shape that self and the mask broadcast to."""
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
    return list(aten.unbind.int(aten.nonzero.default(condition), 1))


def where_Scalar(condition, self, other):
    import runtime

    a, b = runtime.tensor(self), runtime.tensor(other)
    return aten.where.self(condition, a, b)


def where_ScalarSelf(condition, self, other):
    return aten.where.self(condition, scalar_for(self, other), other)


def where_ScalarOther(condition, self, other):
    return aten.where.self(condition, self, scalar_for(other, self))
