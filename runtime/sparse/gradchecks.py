"""Numerical checks of gradients for functions of sparse tensors: the values are varied, as plain tensors, and the coordinates stay."""

from functools import wraps

__all__ = ["as_sparse_gradcheck"]


def as_sparse_gradcheck(gradcheck):
    """A form of a function that checks gradients which takes sparse tensors too.

    Parameters
    ----------
    gradcheck : callable
        `runtime.autograd.gradcheck`, or anything called like it.

    Returns
    -------
    callable
        With an argument `masked` more: whether the coordinates that a tensor lacks stay zero. By default they are varied, too.
    """

    @wraps(gradcheck)
    def check(func, inputs, *args, masked=False, **kwargs):
        inputs = inputs if isinstance(inputs, (list, tuple)) else (inputs,)
        shapes = [_Coordinates(t, masked) if getattr(t, "is_sparse", False) and t.requires_grad else None for t in inputs]
        plain = tuple(t if shape is None else shape.values for t, shape in zip(inputs, shapes, strict=True))

        def on_values(*given):
            result = func(*(t if shape is None else shape.tensor(t) for t, shape in zip(given, shapes, strict=True)))
            several = isinstance(result, (list, tuple))
            made = tuple(_values(t, masked) for t in (result if several else (result,)))
            return made if several else made[0]

        return gradcheck(on_values, plain, *args, **kwargs)

    return check


class _Coordinates:
    """What a sparse argument is besides its values."""

    def __init__(self, tensor, masked):
        import runtime

        if not masked:
            everywhere = runtime.ones(tensor.shape, dtype=runtime.bool).to_sparse(tensor.sparse_dim())
            tensor = tensor.detach().to_dense().sparse_mask(everywhere)
        self.shape, self.indices, self.coalesced = tensor.shape, tensor._indices(), tensor.is_coalesced()
        self.values = tensor._values().detach().clone().requires_grad_()

    def tensor(self, values):
        import runtime

        return runtime.sparse_coo_tensor(self.indices, values, self.shape, is_coalesced=self.coalesced)


def _values(result, masked):
    """What a function returned, as a plain tensor."""
    if not getattr(result, "is_sparse", False):
        return result
    return result.coalesce().values() if masked else result.to_dense()
