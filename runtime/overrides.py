"""``__torch_function__``: modes, and what functions written in Python do to be open to overrides.

The protocol itself is in the core; `runtime.compat` shows this module as `torch.overrides`.
"""

import functools
import inspect
import types
from contextlib import contextmanager
from importlib import import_module

from runtime import _core
from runtime._core import (
    Tensor,
    TorchFunctionMode,
    _get_function_stack_at,
    _len_torch_function_stack,
    _pop_torch_function_stack,
    _push_on_torch_function_stack,
    overridable,
)

__all__ = [
    "BaseTorchFunctionMode", "TorchFunctionMode", "enable_reentrant_dispatch", "get_default_nowrap_functions", "get_ignored_functions",
    "get_overridable_functions", "get_testing_overrides", "handle_torch_function", "has_torch_function", "has_torch_function_unary",
    "has_torch_function_variadic", "is_tensor_like", "is_tensor_method_or_property", "overridable", "redispatch_function", "resolve_name",
    "wrap_torch_function",
]  # fmt: skip

has_torch_function = _core._has_torch_function
has_torch_function_unary = _core._has_torch_function_unary
has_torch_function_variadic = _core._has_torch_function_variadic
_get_overloaded_args = _core._overloaded_args


class BaseTorchFunctionMode(TorchFunctionMode):
    """A mode that lets every call pass."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def _get_current_function_mode():
    """The innermost torch function mode, or None."""
    n = _len_torch_function_stack()
    return _get_function_stack_at(n - 1) if n else None


def _get_current_function_mode_stack():
    """This thread's torch function modes, the innermost last."""
    return [_get_function_stack_at(i) for i in range(_len_torch_function_stack())]


def _push_mode(mode):
    _push_on_torch_function_stack(mode)


def _pop_mode():
    return _pop_torch_function_stack()


@contextmanager
def _pop_mode_temporarily():
    """Without the innermost torch function mode, which the block gets, inside a ``with`` block."""
    mode = _pop_torch_function_stack()
    try:
        yield mode
    finally:
        _push_on_torch_function_stack(mode)


@contextmanager
def enable_reentrant_dispatch():
    """In a handler: calls of the block start over at autograd, as the call that came to the handler did."""
    with _core._RestorePythonTLSSnapshot():
        yield


def redispatch_function(func, types, args, kwargs=None):
    """Call a function so that it does not ask ``__torch_function__`` itself, though what it calls does."""
    return _core._skip_one_hop_torch_function(func, types, args, kwargs)


def handle_torch_function(public_api, relevant_args, *args, **kwargs):
    """Hand a call to the modes and classes that override it.

    Parameters
    ----------
    public_api : callable
        The function that was called.
    relevant_args : iterable
        The arguments whose classes may override it.
    *args, **kwargs
        What they get to see.

    Raises
    ------
    TypeError
        If all of them answer NotImplemented.
    """
    return _core._handle_torch_function(public_api, relevant_args, args, kwargs)


def wrap_torch_function(dispatcher):
    """A decorator that makes a function overridable.

    Parameters
    ----------
    dispatcher : callable
        Called with the function's arguments; returns those that may override it.
    """

    def wrap(func):
        @functools.wraps(func)
        def wrapped(*args, **kwargs):
            relevant = tuple(dispatcher(*args, **kwargs))
            if has_torch_function(relevant):
                return handle_torch_function(wrapped, relevant, *args, **kwargs)
            return func(*args, **kwargs)

        return wrapped

    return wrap


def is_tensor_like(inp):
    """Whether an object is a tensor or has a ``__torch_function__``."""
    return type(inp) is Tensor or hasattr(inp, "__torch_function__")


# --------------------------------------------------------------------------------------------------- what can be overridden

_MODULES = ("runtime", "runtime.functional", "runtime.nn.functional", "runtime.linalg", "runtime.fft", "runtime.special")
_MODULE_NAMES = {"runtime": "torch", "runtime.functional": "torch.functional", "runtime.nn.functional": "torch.nn.functional",
                 "runtime.linalg": "torch.linalg", "runtime.fft": "torch.fft", "runtime.special": "torch.special"}  # fmt: skip
_OVERRIDABLE = (_core.Function, _core._OverridableFunction)
_MEMBERS = (_core.Method, _core._OverridableMethod, types.WrapperDescriptorType, types.MethodDescriptorType)
_NOT_OVERRIDABLE_MEMBERS = {
    "__class__", "__delattr__", "__delitem__", "__dir__", "__getattribute__", "__hash__", "__init__", "__init_subclass__", "__iter__",
    "__new__", "__setattr__", "__str__", "__subclasshook__", "__torch_dispatch__", "__torch_function__", "__next__", "__get__", "__set__",
    "_make_subclass", "_make_wrapper_subclass", "_repr_html_", "as_subclass", "__array_ufunc__", "__array_function__",
    "__array_interface__", "__buffer__", "__release_buffer__",
}  # fmt: skip


def get_ignored_functions():
    """Public functions that look at no tensor, or must see it as it is, and therefore ask nobody."""
    names = ("tensor", "as_tensor", "from_numpy", "frombuffer", "from_dlpack", "is_tensor", "manual_seed", "get_default_dtype",
             "set_default_dtype", "set_printoptions", "promote_types", "can_cast")  # fmt: skip
    import runtime

    found = {getattr(runtime, name) for name in names if hasattr(runtime, name)}
    return found | {getattr(Tensor, name) for name in _NOT_OVERRIDABLE_MEMBERS if hasattr(Tensor, name)}


def get_default_nowrap_functions():
    """Functions whose results inherited ``__torch_function__`` leaves as they are: tensors that belong to another tensor."""
    return set(_core._nowrap_functions())


def get_overridable_functions():
    """The functions, methods and property getters that ask ``__torch_function__``.

    Returns
    -------
    dict
        From the module or class to the list of its functions.
    """
    found = {}
    for module in map(import_module, _MODULES):
        found[module] = [f for name, f in vars(module).items() if isinstance(f, _OVERRIDABLE) and not name.startswith("_")]
    members = []
    for cls in (Tensor, Tensor.__base__):
        for name, member in vars(cls).items():
            if name in _NOT_OVERRIDABLE_MEMBERS:
                continue
            if isinstance(member, _core._OverridableProperty):
                members.append(member.__get__)
            elif isinstance(member, _MEMBERS):
                members.append(member)
    found[Tensor] = members
    return found


def get_testing_overrides():
    """For each overridable function a function that takes the same calls, as far as its signature is known, and returns -1."""
    ignored = get_ignored_functions()
    return {f: _stand_in(f) for functions in get_overridable_functions().values() for f in functions if f not in ignored}


def _returns_minus_one(*args, **kwargs):
    return -1


def _stand_in(f):
    """A function that returns -1, with the signature of another where that has one."""
    try:
        signature = inspect.signature(f)
    except (ValueError, TypeError):
        return _returns_minus_one

    def stand_in(*args, **kwargs):
        signature.bind(*args, **kwargs)
        return -1

    stand_in.__signature__ = signature
    return stand_in


def is_tensor_method_or_property(func):
    """Whether a callable is a method of Tensor, or the getter of one of its properties."""
    return func in _tensor_members() or getattr(func, "__name__", "") == "__get__"


@functools.cache
def _tensor_members():
    return set(get_overridable_functions()[Tensor])


def resolve_name(f):
    """The dotted name of an overridable function in PyTorch's terms, such as ``"torch.Tensor.add"``; None for others."""
    if isinstance(f, (_core.OpOverload, _core.OpOverloadPacket)):
        return str(f)
    if getattr(f, "__name__", "") in ("__get__", "__set__", "__delete__") and hasattr(f, "__self__"):
        return f"torch.Tensor.{f.__self__.__name__}.{f.__name__}"
    if f in _tensor_members():
        return f"torch.Tensor.{f.__name__}"
    if not isinstance(f, _OVERRIDABLE):
        return None
    # A function that stands in several modules is the more special one's.
    for module in map(import_module, reversed(_MODULES)):
        for name, member in vars(module).items():
            if member is f:
                return f"{_MODULE_NAMES[module.__name__]}.{name}"
    return None
