"""Gradients of operators that join, repeat and write tensors into larger ones, and of those that have none."""

from runtime import ops

aten = ops.aten


def cat_backward(grad, shapes, dim):
    """The gradients of concatenated tensors. Tensors of shape (0,) may stand among those of any shape, and add nothing."""
    ndim = grad.ndim
    dim %= ndim
    parts, start = [], 0
    for shape in shapes:
        if len(shape) == 1 and shape[0] == 0 and ndim != 1:
            parts.append(grad.new_zeros(shape))
            continue
        parts.append(aten.slice.Tensor(grad, dim, start, start + shape[dim]))
        start += shape[dim]
    return parts


def stack_backward(grad, shapes, dim):
    """The gradients of stacked tensors."""
    return [aten.select.int(grad, dim, i) for i in range(len(shapes))]


def block_diag_backward(grad, shapes):
    """The gradients of the matrices along a diagonal; tensors of fewer dimensions are rows."""
    parts, row, column = [], 0, 0
    for shape in shapes:
        height, width = (1, *shape)[-2:] if len(shape) else (1, 1)
        part = aten.slice.Tensor(aten.slice.Tensor(grad, 0, row, row + height), 1, column, column + width)
        parts.append(part if len(shape) == 2 else part.reshape(shape))
        row, column = row + height, column + width
    return parts


def repeat_backward(grad, repeats, shape):
    """The gradient of ``repeat``: the sum over all repetitions."""
    if 0 in repeats:
        return grad.new_zeros(shape)
    extra = len(repeats) - len(shape)
    sizes, dims = [], []
    for i, times in enumerate(repeats):
        if times != 1 or i < extra:
            dims.append(len(sizes))
            sizes.append(times)
        if i >= extra:
            sizes.append(shape[i - extra])
    return grad.reshape(sizes).sum(dims) if dims else grad


def rolled_back(grad, shifts, dims):
    """The gradient of ``roll``."""
    return grad.roll([-s for s in reversed(shifts)], list(reversed(dims)))


def not_implemented(name):
    """Raise that an operator whose result could have a gradient has no derivative."""
    raise NotImplementedError(f"the derivative for '{name}' is not implemented.")
