"""Gradients of matrix products and of what contracts dimensions."""

from runtime._core import ops
from runtime.derivatives.common import conj

aten = ops.aten


def turned(matrix):
    """The conjugate transpose of one matrix."""
    return matrix.t().conj() if matrix.is_complex() else matrix.t()


def left_gradient(grad, right, shape, stride, factor=1):
    """The gradient of the left matrix, of this shape and these strides, of ``factor * (left @ right)``.

    It is laid out like the matrix itself, so that adding it to the gradient of a weight walks both in order.
    """
    if stride[0] == 1 and stride[1] == shape[0]:
        made = conj(right).mm(grad.t()).t()
    else:
        made = grad.mm(turned(right))
    return made if factor == 1 and type(factor) is int else times_conj(made, factor)


def right_gradient(grad, left, shape, stride, factor=1):
    """As `left_gradient`, of the right matrix of ``factor * (left @ right)``."""
    if stride[0] == 1 and stride[1] == shape[0]:
        made = grad.t().mm(conj(left)).t()
    else:
        made = turned(left).mm(grad)
    return made if factor == 1 and type(factor) is int else times_conj(made, factor)


def outer_scaled(grad, vector, factor):
    """The gradient of the matrix of ``factor * (matrix @ vector)``."""
    return times_conj(grad.outer(conj(vector)), factor)


def times_conj(grad, factor):
    """The gradient of what a number multiplies."""
    return grad if type(factor) is int and factor == 1 else grad * factor.conjugate()


def repeated(grad, batches, rows, columns):
    """The gradient of each of some products of matrices that are summed: all of `grad`."""
    return grad.unsqueeze(0).expand(batches, rows, columns)


def trilinear_gradients(grad, factors, expands, sumdim, output_mask):
    """The gradients of a product of three tensors summed over dimensions, in each of which `grad` takes the place of one factor.

    What the operator sums for the result it expands for `grad`, and the other way round.
    """
    made = []
    for i in range(3):
        if not output_mask[i]:
            made.append(None)
            continue
        tensors, dims = [conj(t) for t in factors], list(expands)
        tensors[i], dims[i] = grad, sumdim
        made.append(aten._trilinear.default(*tensors, *dims, expands[i]))
    return made


def cross_gradients(grad, self, other, dim, output_mask):
    """The gradients of cross products."""
    cross = aten.linalg_cross.default
    return (
        cross(conj(other), grad, dim=dim) if output_mask[0] else None,
        cross(grad, conj(self), dim=dim) if output_mask[1] else None,
    )
