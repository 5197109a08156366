"""Gradients of operators that read and write elements at indices."""

import runtime
from runtime import ops

aten = ops.aten


def index_backward(grad, shape, indices):
    """The gradient of ``index``: summed where an element was read several times."""
    return aten.index_put.default(grad.new_zeros(shape), indices, grad, True)


def indexed(grad, indices):
    """The gradient of the values that ``index_put`` writes."""
    return aten.index.Tensor(grad, indices)


def unsafe_index_backward(grad, shape, indices):
    """The gradient of ``_unsafe_index``."""
    return aten._unsafe_index_put.default(grad.new_zeros(shape), indices, grad, True)


def without_indexed(grad, indices, shape, accumulate):
    """The gradient of the tensor into which ``index_put`` writes values of a shape."""
    return grad if accumulate else aten.index_put.default(grad, indices, grad.new_zeros(shape))


def unsafe_without_indexed(grad, indices, shape, accumulate):
    """The gradient of the tensor into which ``_unsafe_index_put`` writes values of a shape."""
    return grad if accumulate else aten._unsafe_index_put.default(grad, indices, grad.new_zeros(shape))


def gather_backward(grad, x, dim, index):
    """The gradient of ``gather``."""
    return aten.scatter_add.default(grad.new_zeros(x.shape), dim, index, grad)


def index_select_backward(grad, shape, dim, index):
    """The gradient of ``index_select``."""
    return aten.index_add.default(grad.new_zeros(shape), dim, index, grad)


def selected(grad, dim, index, source, ndim):
    """The gradient of a source of `ndim` dimensions that is added or copied to the slices that an index tells."""
    if not ndim:
        return grad.index_select(dim, index.squeeze(0) if index.ndim else index).squeeze(dim) if grad.ndim else grad
    return grad.index_select(dim, index).expand_as(source)


def index_filled(grad, dim, index):
    """The gradient of the value that ``index_fill`` writes; an index that stands twice counts once."""
    others = aten.ones_like.default(grad, dtype=runtime.bool)
    return grad.masked_fill(aten.index_fill.int_Scalar(others, dim, index, 0), 0).sum()


def take_backward(grad, x, index):
    """The gradient of ``take``."""
    return aten.put.default(grad.new_zeros(x.shape), index, grad, True)


def without_put(grad, index, source, accumulate):
    """The gradient of the tensor into which ``put`` writes a source."""
    return grad if accumulate else aten.put.default(grad, index, grad.new_zeros(source.shape))


def masked_select_backward(grad, x, mask):
    """The gradient of ``masked_select``; mask and tensor broadcast, and the engine sums what that has repeated."""
    shape = x.shape
    whole = [max(a, b) if a and b else 0 for a, b in zip(_padded(shape, mask.ndim), _padded(mask.shape, len(shape)))]
    return aten.masked_scatter.default(grad.new_zeros(whole), mask.expand(whole), grad)


def _padded(shape, ndim):
    return [1] * (ndim - len(shape)) + list(shape)


def masked_fill_value(grad, mask):
    """The gradient of the value that ``masked_fill`` writes."""
    return aten.where.ScalarOther(mask, grad, 0).sum()


def scatter_reduce_backward(grad, x, dim, index, src, reduce, include_self, result):
    """The gradients of ``scatter_reduce``: of the tensor and of the source."""
    parts = _reduced(
        grad,
        x,
        src,
        reduce,
        include_self,
        result,
        read=lambda t: t.gather(dim, index),
        add=lambda t, source: t.scatter_add(dim, index, source),
        again=lambda t, source: aten.scatter_reduce.two(t, dim, index, source, "prod", include_self=include_self),
    )
    return (parts[0] if include_self else parts[0].scatter(dim, index, 0)), parts[1]


def index_reduce_backward(grad, x, dim, index, source, reduce, include_self, result):
    """The gradients of ``index_reduce``: of the tensor and of the source."""
    parts = _reduced(
        grad,
        x,
        source,
        reduce,
        include_self,
        result,
        read=lambda t: t.index_select(dim, index),
        add=lambda t, source: t.index_add(dim, index, source),
        again=lambda t, source: aten.index_reduce.default(t, dim, index, source, reduce, include_self=include_self),
    )
    return (parts[0] if include_self else parts[0].index_fill(dim, index, 0)), parts[1]


def scatter_reduce_tangent(x, x_t, dim, index, src, src_t, reduce, include_self, result):
    """The tangent of ``scatter_reduce``: each element's gradient says how much of its tangent the result has."""
    of_x, of_src = scatter_reduce_backward(aten.ones_like.default(result), x, dim, index, src, reduce, include_self, result)
    return (of_x * x_t).scatter_add(dim, index, of_src * src_t)


def index_reduce_tangent(x, x_t, dim, index, source, source_t, reduce, include_self, result):
    """As `scatter_reduce_tangent`, of ``index_reduce``."""
    of_x, of_source = index_reduce_backward(aten.ones_like.default(result), x, dim, index, source, reduce, include_self, result)
    return (of_x * x_t).index_add(dim, index, of_source * source_t)


def _reduced(grad, x, src, reduce, include_self, result, *, read, add, again):
    """Gradients of a reduction of sources into places of a tensor, as if the tensor took part.

    `read` reads a tensor where the sources went, `add` adds sources to one, and `again` multiplies them.
    """
    if reduce == "sum":
        return grad, read(grad)
    if reduce == "mean":
        count = add(aten.ones_like.default(grad) if include_self else aten.zeros_like.default(grad), aten.ones_like.default(src))
        count = count.masked_fill(count == 0, 1)
        return grad / count, read(grad) / read(count)
    if reduce in ("amax", "amin"):
        mine, theirs = (x == result).to(x.dtype), (src == read(result)).to(src.dtype)
        share = grad / add(mine, theirs)
        return mine * share, theirs * read(share)
    # A product: elements that are the only 0 of theirs get the product of the others, which a division would not tell.
    x_or_one = x.masked_fill(x == 0, 1)
    of_x = grad * again(x_or_one, src) / x_or_one
    zero = src == 0
    zeros = read(add(aten.zeros_like.default(x), zero.to(x.dtype)))
    only = zero & (zeros == 1)
    without = again(x, src.masked_fill(only, 1))
    of_src = aten.where.self(only, read(grad * without), read(grad * result) / src.masked_fill(zero, 1))
    return of_x, of_src
