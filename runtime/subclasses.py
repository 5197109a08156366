"""Wrapper subclasses: taking them apart and putting them together, and results that alias what the operator says they alias."""

from dataclasses import dataclass
from functools import cache

from runtime import _core
from runtime._core import OpOverload, Tensor

__all__ = [
    "get_alias_info",
    "is_traceable_wrapper_subclass",
    "is_traceable_wrapper_subclass_type",
    "return_and_correct_aliasing",
    "transform_subclass",
]


def is_traceable_wrapper_subclass(t):
    """Whether an object is a tensor of a subclass that says what tensors it holds.

    Such a class has ``__tensor_flatten__() -> (attribute names, context)`` and the static method
    ``__tensor_unflatten__(tensors by name, context, outer size, outer stride)``.
    """
    return isinstance(t, Tensor) and is_traceable_wrapper_subclass_type(type(t))


@cache
def is_traceable_wrapper_subclass_type(t):
    """As `is_traceable_wrapper_subclass`, for a class."""
    return issubclass(t, Tensor) and t is not Tensor and hasattr(t, "__tensor_flatten__") and hasattr(t, "__tensor_unflatten__")


def transform_subclass(t, callback, outer_size=None, outer_stride=None):
    """A tensor of a wrapper subclass with other tensors inside.

    Parameters
    ----------
    t : Tensor
        Of a class with `__tensor_flatten__` and `__tensor_unflatten__`.
    callback : callable
        ``callback(attribute name, inner tensor) -> Tensor``.
    outer_size, outer_stride : tuple of int, optional
        The geometry of the result; by default `t`'s.

    Raises
    ------
    AssertionError
        If the class makes a tensor of another geometry.
    """
    size = t.size() if outer_size is None else outer_size
    stride = t.stride() if outer_stride is None else outer_stride
    names, context = t.__tensor_flatten__()
    inner = {name: callback(name, getattr(t, name)) for name in names}
    made = type(t).__tensor_unflatten__(inner, context, size, stride)
    if made.shape != size:
        raise AssertionError(
            f"Expected return value from {type(t)}__tensor_unflatten__() to have shape equal to {size}, but got: {made.shape}"
        )
    if made.stride() != stride:
        raise AssertionError(
            f"Expected return value from {type(t)}__tensor_unflatten__() to have stride equal to {stride}, but got: {made.stride()}"
        )
    return made


@dataclass(frozen=True)
class AliasInfo:
    """What a schema says of one argument's or return's memory."""

    alias_set: frozenset
    is_write: bool
    name: str | None


@dataclass(frozen=True)
class SchemaInfo:
    """What `return_and_correct_aliasing` needs of a schema; see `get_alias_info`."""

    args: tuple
    outs: tuple
    is_inplace_view_op: bool
    #: For each return the index of the argument that is written and returned; None where returns are new.
    returned_args: tuple | None
    #: (argument, return) pairs that share memory without being written: views.
    read_only_alias_match_indexes: tuple


def _alias_info(value):
    info = value.alias_info
    return AliasInfo(frozenset(info.before_set) if info is not None else frozenset(), info is not None and info.is_write, value.name)


@cache
def get_alias_info(func):
    """The alias annotations of an operator.

    Parameters
    ----------
    func : OpOverload

    Returns
    -------
    SchemaInfo
    """
    schema = func._schema
    args, outs = tuple(map(_alias_info, schema.arguments)), tuple(map(_alias_info, schema.returns))
    views = tuple((i, j) for i, arg in enumerate(args) for j, out in enumerate(outs) if arg.alias_set & out.alias_set and not arg.is_write)
    written = [next(iter(out.alias_set)) if out.is_write else None for out in outs]
    returned = None
    if any(w is not None for w in written):
        if None in written:
            raise RuntimeError(f"Unsupported schema: {schema}")  # some returns written, others not: no operator is like that
        returned = tuple(next(i for i, arg in enumerate(args) if alias in arg.alias_set) for alias in written)
    return SchemaInfo(args, outs, "inplace_view" in {tag.name for tag in func.tags}, returned, views)


def _share_storage(func, arg, result):
    """Let the storage of a view operator's result be the argument's; geometry stays."""
    for r in result if isinstance(result, (list, tuple)) else (result,):
        kinds = type(arg), type(r)
        if kinds[0] is not kinds[1] and any(isinstance(k, type) and is_traceable_wrapper_subclass_type(k) for k in kinds):
            raise AssertionError(
                f"Called {func} with input of type {kinds[0]}\nand output of type {type(result)}. But expected types to match."
            )
        if not isinstance(r, Tensor):
            raise AssertionError(f"expected torch.Tensor, got {type(r)}")
        _core._functionalize_unsafe_set(r, arg)


def return_and_correct_aliasing(func, args, kwargs, out):
    """What a wrapper subclass's ``__torch_dispatch__`` shall return, so that results alias the arguments as the schema says.

    Results of views get their argument's storage; a written argument is returned itself; operators that change a tensor's geometry in
    place change the wrapper's too.

    Parameters
    ----------
    func : OpOverload
    args : tuple
    kwargs : dict
        What the handler was called with.
    out : object
        What it has made.

    Raises
    ------
    AssertionError
        If a view is of another class than what it is a view of.
    """
    info = get_alias_info(func)
    outs = out if isinstance(out, tuple) else (out,)
    for i, j in info.read_only_alias_match_indexes:
        _share_storage(func, args[i], outs[j])
    if info.is_inplace_view_op:
        _rerun_on_wrapper(func, info, args, kwargs)
    if info.returned_args is None:
        return out
    found = []
    for i in info.returned_args:
        name = info.args[i].name
        found.append(kwargs[name] if kwargs and name in kwargs else args[i])
    return found[0] if len(found) == 1 else type(out)(found)


def _rerun_on_wrapper(func, info, args, kwargs):
    """Run an operator that changes geometry on the wrapper itself: on Meta, so that nothing looks for data."""
    if sum(arg.is_write for arg in info.args[: len(args)]) != 1:
        raise AssertionError("expected exactly one mutated arg for inplace_view ops")
    guard = _core._DisableTorchDispatch()
    before = _core._meta_in_tls_dispatch_include()
    _core._set_meta_in_tls_dispatch_include(True)
    try:
        func(*args, **(kwargs or {}))
    finally:
        _core._set_meta_in_tls_dispatch_include(before)
        del guard


def autograd_would_have_decomposed(func: OpOverload, flat_args):
    """Whether autograd takes a composite operator apart: it does unless the backend of the first tensor has a kernel of its own."""
    for a in flat_args:
        if isinstance(a, Tensor):
            return not _core._dispatch_has_kernel_for_dispatch_key(func.name(), _core._dispatch_key_for_device(a.device.type))
    return True
