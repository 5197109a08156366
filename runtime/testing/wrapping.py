"""What the wrapper subclasses of this package share: a wrapper's metadata, and an operator's call on what wrappers hold."""

from runtime import pytree
from runtime._core import Tensor


def wrapper_like(cls, tensor, size=None, stride=None, requires_grad=None):
    """A wrapper of a class with a tensor's metadata; size, strides and `requires_grad` may differ."""
    return Tensor._make_wrapper_subclass(
        cls,
        tensor.size() if size is None else size,
        strides=tensor.stride() if stride is None else stride,
        storage_offset=tensor.storage_offset(),
        device=tensor.device,
        layout=tensor.layout,
        dtype=tensor.dtype,
        requires_grad=tensor.requires_grad if requires_grad is None else requires_grad,
    )


def call_inside(cls, attribute, func, args, kwargs):
    """Call an operator on what the wrappers of a class among the arguments hold under an attribute."""

    def unwrap(wrapper):
        return getattr(wrapper, attribute)

    return func(*pytree.tree_map_only(cls, unwrap, args), **pytree.tree_map_only(cls, unwrap, kwargs or {}))


def wrap_results(wrap, *results):
    """Combine the tensors at the same places of several results of one structure; other leaves are those of the first."""

    def combine(*leaves):
        return wrap(*leaves) if isinstance(leaves[0], Tensor) else leaves[0]

    return pytree.tree_map(combine, *results)


def check_none(meta):
    """The classes whose context is None refuse another."""
    if meta is not None:
        raise AssertionError("Expected meta to be None")
