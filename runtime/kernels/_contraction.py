"""The sum of products of two tensors, to which contractions of more come down."""

import math

from runtime._core import ops

aten = ops.aten


def sum_of_products(left, right, dims, keepdim, also=()):
    """The product of two tensors of equal rank, summed over dimensions, as one batched matrix product.

    `also` are dimensions of size 1 that are removed beside `dims` where `keepdim` is false.
    """
    if not dims and not also:
        return aten.mul.Tensor(left, right)
    summed = set(dims)
    batch, only_left, only_right, contracted = [], [], [], []
    for d in range(left.dim()):
        in_left, in_right = left.shape[d] != 1, right.shape[d] != 1
        if d in summed:
            contracted.append(d)
            if in_left and in_right:
                pass
            elif in_left:
                left = aten.sum.dim_IntList(left, [d], True)
            elif in_right:
                right = aten.sum.dim_IntList(right, [d], True)
        elif in_left and in_right:
            batch.append(d)
        elif in_left:
            only_left.append(d)
        else:
            only_right.append(d)

    def sizes(t, group):
        return [t.shape[d] for d in group]

    inner = math.prod(max(left.shape[d], right.shape[d]) if left.shape[d] and right.shape[d] else 0 for d in contracted)
    order = batch + only_left + contracted + only_right
    n, rows, columns = math.prod(sizes(left, batch)), math.prod(sizes(left, only_left)), math.prod(sizes(right, only_right))
    a = aten.reshape.default(aten.permute.default(left, order), [n, rows, inner])
    b = aten.reshape.default(aten.permute.default(right, batch + contracted + only_right + only_left), [n, inner, columns])
    shape = sizes(left, batch) + sizes(left, only_left) + [1] * len(contracted) + sizes(right, only_right)
    back = [order.index(d) for d in range(left.dim())]
    result = aten.permute.default(aten.view.default(aten.bmm.default(a, b), shape), back)
    return result if keepdim else without(result, [*contracted, *also])


def without(t, dims):
    """The tensor without dimensions of size 1."""
    return aten.view.default(t, [n for d, n in enumerate(t.shape) if d not in dims]) if t.is_contiguous() else aten.squeeze.dims(t, list(dims))
