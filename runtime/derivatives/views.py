"""Gradients of views: the elements that a view shows go back to where it took them from."""

from runtime import int64, ops

aten = ops.aten

_FAR = 0x7FFFFFFFFFFFFFFF  # the end of a slice that has none


def permuted_back(grad, dims):
    """The gradient of ``permute(dims)``."""
    back = [0] * len(dims)
    for i, d in enumerate(dims):
        back[d] = i
    return grad.permute(back)


def unsqueezed(grad, shape, dims):
    """The gradient of ``squeeze`` over dimensions, all where they are None, of a tensor of a shape."""
    ndim = len(shape)
    if not ndim:
        return grad
    for d in range(ndim) if dims is None else sorted(d % ndim for d in dims):
        if shape[d] == 1:
            grad = grad.unsqueeze(d)
    return grad


def slice_grad(grad, shape, dim, start, end, step):
    """The gradient of a slice; a bound that is None is the tensor's own."""
    return aten.slice_backward.default(grad, shape, dim, 0 if start is None else start, _FAR if end is None else end, step)


def sliced(grad, dim, start, end, step):
    """``grad[start:end:step]`` along a dimension."""
    return aten.slice.Tensor(grad, dim, start, end, step)


def without_slice(grad, shape, dim, start, end, step):
    """A gradient with zeros in a slice that is of a shape."""
    return aten.slice_scatter.default(grad, grad.new_zeros(shape), dim, start, end, step)


def unbind_backward(grads, dim):
    """The gradient of ``unbind``: zeros where a part has none."""
    some = next((g for g in grads if g is not None), None)
    if some is None:
        return None
    return aten.stack.default([aten.zeros_like.default(some) if g is None else g for g in grads], dim)


def split_backward(grads, shape, size, dim):
    """The gradient of ``split`` into pieces of a size, or of the sizes in a list."""
    some = next((g for g in grads if g is not None), None)
    if some is None:
        return None
    sizes = list(shape)
    length = sizes[dim]
    pieces = []
    for i, g in enumerate(grads):
        if g is None:
            sizes[dim] = min(size, length - i * size) if type(size) is int else size[i]
            g = some.new_zeros(sizes)
        pieces.append(g)
    return aten.cat.default(pieces, dim)


def _extent(sizes, strides):
    """How many elements of memory lie between the first element and behind the last one."""
    return 1 + sum((n - 1) * s for n, s in zip(sizes, strides))


def _may_overlap(sizes, strides):
    """Whether two elements may lie at one place: unless each stride is longer than what all shorter ones reach."""
    reach = 0
    for stride, size in sorted((s, n) for s, n in zip(strides, sizes) if n > 1):
        if stride <= reach:
            return True
        reach += stride * (size - 1)
    return False


def _places(grad, length, sizes, strides, offset):
    """The place in memory of each element of a geometry, in one dimension."""
    return aten.arange.start(0, length, dtype=int64, device=grad.device).as_strided(sizes, strides, offset).reshape(-1)


def as_strided_backward(grad, shape, strides, offset, size, stride, storage_offset):
    """The gradient of ``as_strided`` for a tensor of a shape, strides and offset.

    The gradient is written to memory as the result lies there, and read as the tensor does. Where several elements of the result lie at
    one place their gradients are summed; several elements of the tensor that lie at one place share what is there evenly.
    """
    if storage_offset is None:
        storage_offset = offset
    if 0 in shape or 0 in size:
        return grad.new_zeros(shape)
    # Expanded dimensions are summed at once, and those of size one need no stride.
    expanded = [d for d, (n, s) in enumerate(zip(size, stride)) if s == 0 and n > 1]
    if expanded:
        grad = grad.sum(expanded)
        kept = [d for d in range(len(size)) if d not in expanded]
        size, stride = [size[d] for d in kept], [stride[d] for d in kept]
    first = min(offset, storage_offset)
    offset, storage_offset = offset - first, storage_offset - first
    length = max(offset + _extent(shape, strides), storage_offset + _extent(size, stride))
    memory = grad.new_zeros([length])
    if _may_overlap(size, stride):
        memory = memory.index_add(0, _places(grad, length, size, stride, storage_offset), grad.reshape(-1))
    else:
        memory.as_strided(size, stride, storage_offset).copy_(grad)
    if _may_overlap(shape, strides):
        places = _places(grad, length, shape, strides, offset)
        count = grad.new_zeros([length]).index_add(0, places, grad.new_ones([1]).expand(places.shape))
        memory = memory / count.masked_fill(count == 0, 1)
    return memory.as_strided(shape, strides, offset)


def laid_out(grad, strides):
    """A gradient in memory of given strides, from its beginning."""
    memory = grad.new_zeros([_extent(grad.shape, strides) if grad.numel() else 0])
    whole = memory.as_strided(grad.shape, strides, 0)
    whole.copy_(grad)
    return whole


def without_window(grad, strides, offset, size, stride, storage_offset):
    """The gradient of the tensor into which ``as_strided_scatter`` writes: zero where it wrote."""
    start = 0 if storage_offset is None else storage_offset - offset
    return aten.as_strided_scatter.default(laid_out(grad, strides), grad.new_zeros(size), size, stride, start)


def window_of(grad, strides, offset, size, stride, storage_offset):
    """The gradient of what ``as_strided_scatter`` writes."""
    return laid_out(grad, strides).as_strided(size, stride, 0 if storage_offset is None else storage_offset - offset)
