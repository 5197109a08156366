"""A function over a batch, one element after the other: what tests of batched gradients call."""

import runtime
from runtime._core import Tensor
from runtime.pytree import tree_flatten, tree_unflatten

__all__ = ["_vmap"]


def _vmap(func, in_dims=0, out_dims=0, allow_none_pass_through=False):
    """A function that calls another one for each element of a batch, and stacks what it returns.

    Parameters
    ----------
    func : callable
        It takes tensors, and returns a tensor or a tuple of them.
    in_dims : int or tuple of (int or None)
        The dimension of each argument that counts the batch; None for those that every call gets.
    out_dims : int or tuple of int
        The dimension of each result that is to count it.
    allow_none_pass_through : bool
        Whether None may stand among the results.
    """

    def batched(*args):
        dims = (in_dims,) * len(args) if isinstance(in_dims, int) else tuple(in_dims)
        if len(dims) != len(args):
            raise ValueError(f"vmap: in_dims has {len(dims)} entries for {len(args)} arguments")
        sizes = {arg.shape[dim] for arg, dim in zip(args, dims) if dim is not None and isinstance(arg, Tensor)}
        if len(sizes) != 1:
            raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {sorted(sizes)}")
        calls = [
            func(*(arg if dim is None or not isinstance(arg, Tensor) else arg.select(dim, i) for arg, dim in zip(args, dims)))
            for i in range(sizes.pop())
        ]
        if not calls:
            raise ValueError("vmap: the batch is empty, so that nothing is known of the results")
        structure = tree_flatten(calls[0])[1]
        columns = list(zip(*(tree_flatten(call)[0] for call in calls), strict=True))
        places = (out_dims,) * len(columns) if isinstance(out_dims, int) else tuple(out_dims)
        return tree_unflatten([_stacked(column, dim, allow_none_pass_through) for column, dim in zip(columns, places, strict=True)], structure)

    return batched


def _stacked(column, dim, none_allowed):
    if none_allowed and column[0] is None:
        return None
    if not all(isinstance(one, Tensor) for one in column):
        raise ValueError(f"vmap: the function must return tensors, got {type(column[0]).__name__}")
    return runtime.stack(column, dim)
