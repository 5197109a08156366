"""Extending from Python: defining operators, and registering what they do, by qualified name.

The `Library` class is in the extension module (runtime/core/library.pxi); this module adds the functions around it. Custom operators are
made in runtime/custom_ops.py, schemas inferred in runtime/infer_schema.py, registrations checked in runtime/opcheck.py.
"""

import re
import warnings
from contextlib import contextmanager

from runtime import operator_rules
from runtime._core import (
    DispatchKey,
    Library,
    OpOverload,
    _custom_autograd,
    _defs,
    _del_library,
    _dispatch_get_computed_kernel_for_dispatch_key,
    _dispatch_key_for_device,
    _impls,
    _parse_dispatch_key,
    _reserved_namespaces,
    fallthrough_kernel,
)
from runtime.custom_ops import CustomOpDef, _maybe_get_opdef, autocast_kernel, check_differentiable, custom_op
from runtime.infer_schema import infer_schema
from runtime.opcheck import opcheck
from runtime.operator_facts import has_kwarg_only_tensors, lookup_op, parse_namespace
from runtime.operator_rules import get_ctx

__all__ = [
    "CustomOpDef", "Library", "custom_op", "define", "fallthrough_kernel", "get_ctx", "get_kernel", "impl", "impl_abstract", "infer_schema",
    "opcheck", "register_autocast", "register_autograd", "register_fake", "register_kernel", "register_torch_dispatch", "register_vmap",
]  # fmt: skip

# Registrations made without a library last as long as the process.
_keep_alive = []

_NAMELESS = re.compile(r"\(.*\) -> .*")


@contextmanager
def _scoped_library(*args, **kwargs):
    """A `Library` that takes its registrations back at the end of the ``with`` block."""
    library = Library(*args, **kwargs)
    try:
        yield library
    finally:
        library._destroy()


def _library_for(namespace, library):
    """The given library, or a new one that stays."""
    if library is None:
        library = Library(namespace, "FRAGMENT")
        _keep_alive.append(library)
    return library


def define(qualname, schema=None, *, lib=None, tags=(), alias_analysis=""):
    """Define an operator.

    Parameters
    ----------
    qualname : str or Library
        ``"namespace::name"``. Given a Library, `define` is a decorator: ``@define(lib, "name(Tensor x) -> Tensor")`` defines the
        operator and registers the function as its CompositeImplicitAutograd kernel.
    schema : str
        ``"(Tensor x) -> Tensor"``, or the full schema for the decorator.
    lib : Library, optional
        The library that owns the definition; without one it lasts as long as the process.
    tags : Tag or sequence of Tag
        Tags of the operator.
    alias_analysis : {"", "FROM_SCHEMA", "CONSERVATIVE"}
        For the decorator.

    Raises
    ------
    ValueError
        If the name or the schema is not of the form above.
    """
    if isinstance(qualname, Library):
        library, text = qualname, schema

        def decorate(function):
            name = library.define(text, alias_analysis, tags=tags)
            library.impl(text.partition("(")[0].strip() if "." in text.partition("(")[0] else name, function)
            return function

        return decorate
    if not isinstance(qualname, str):
        raise ValueError(f"define(qualname, schema): expected qualname to be instance of str, got {type(qualname)}")
    namespace, name = parse_namespace(qualname)
    if not isinstance(schema, str) or not _NAMELESS.fullmatch(schema):
        raise ValueError(f'define(qualname, schema, ...): expected schema to look like e.g. "(Tensor x) -> Tensor" but got "{schema}"')
    _library_for(namespace, lib).define(name + schema, alias_analysis="", tags=tags)


def impl(qualname, types, func=None, *, lib=None):
    """Register a kernel.

    Parameters
    ----------
    qualname : str or Library
        ``"namespace::name"``. Given a Library, `impl` is a decorator: ``@impl(lib, "name", "CPU")``.
    types : str or sequence of str
        Device types such as ``"cpu"``, or ``"default"`` for a kernel that serves all; dispatch keys too. For the decorator on a Library,
        the operator's name.
    func : callable, optional
        The kernel; without it `impl` returns a decorator. For the decorator on a Library, the dispatch key.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    """
    if isinstance(qualname, Library):
        library, name, key = qualname, types, func or ""

        def decorate_library(function):
            library.impl(name, function, key)
            return function

        return decorate_library
    keys = {_key_of_type(t) for t in ([types] if isinstance(types, str) else types)}

    def register(function):
        library = _library_for(parse_namespace(qualname)[0], lib)
        for key in sorted(keys):
            library.impl(qualname, function, key, allow_override=True)

    if func is None:
        return register
    register(func)
    return None


def _key_of_type(name):
    if name == "default":
        return "CompositeExplicitAutograd"
    return name if _parse_dispatch_key(name) else _dispatch_key_for_device(name.lower())


def _resolve(op, function):
    """What a registration function got as an operator: its CustomOpDef where it has one, else its full name."""
    if not isinstance(op, (str, OpOverload, CustomOpDef)):
        raise ValueError(f"{function}({op}): got unexpected type for op: {type(op)}")
    if isinstance(op, OpOverload):
        op = op._name
    return _maybe_get_opdef(op) or op


def register_kernel(op, device_types, func=None, /, *, lib=None):
    """Register the function that serves some device types of an operator.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator.
    device_types : str, sequence of str or None
        Such as ``"cpu"``; None for all.
    func : callable, optional
        The function; without it `register_kernel` returns a decorator.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    """
    op = _resolve(op, "register_kernel")
    if isinstance(op, CustomOpDef):
        return op.register_kernel(device_types, func)
    return impl(op, "CompositeExplicitAutograd" if device_types is None else device_types, func, lib=lib)


def register_autocast(op, device_type, cast_inputs, /, *, lib=None):
    """Register the dtype that autocast gives to an operator's floating-point arguments.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator.
    device_type : str
        The device type whose autocast regions are meant.
    cast_inputs : dtype
        The dtype; float64 tensors and those of other devices stay as they are.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    """
    op = _resolve(op, "register_autocast")
    if isinstance(op, CustomOpDef):
        return op.register_autocast(device_type, cast_inputs)
    kernel, key = autocast_kernel(lookup_op(op), device_type, cast_inputs)
    _library_for(parse_namespace(op)[0], lib).impl(op, kernel, key, with_keyset=True, allow_override=True)
    return None


def register_fake(op, func=None, /, *, lib=None, _stacklevel=1, allow_override=True):
    """Register the rule that an operator has for tensors without data.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator.
    func : callable, optional
        Takes the operator's arguments, of which tensors have no data, and makes the results' shapes and dtypes; it runs for Meta tensors.
        Without it `register_fake` returns a decorator.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    allow_override : bool
        Whether the operator may have such a rule, or a Meta kernel, already.

    Raises
    ------
    RuntimeError
        If the operator has a CompositeImplicitAutograd kernel, or a rule that may not be overridden.
    """
    op = _resolve(op, "register_fake")
    if isinstance(op, CustomOpDef):
        return op.register_fake if func is None else op.register_fake(func)
    level = _stacklevel + (func is not None)

    def register(function):
        namespace, name = parse_namespace(op)
        _library_for(namespace, lib)._register_fake(name, function, level + 1, allow_override=allow_override)
        return function

    return register if func is None else register(func)


def impl_abstract(qualname, func=None, *, lib=None, _stacklevel=1):
    """The former name of `register_fake`."""
    warnings.warn(
        "`torch.library.impl_abstract` was renamed to `torch.library.register_fake`. Please use that instead; we will remove "
        "`torch.library.impl_abstract` in a future version of PyTorch.",
        FutureWarning,
        stacklevel=2,
    )
    return register_fake(qualname, func, lib=lib, _stacklevel=_stacklevel + (func is not None))


def register_autograd(op, backward, /, *, setup_context=None, lib=None):
    """Register how to compute an operator's gradients.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator; it must not write its arguments.
    backward : callable
        ``backward(ctx, *grads)``: the gradients of the positional arguments.
    setup_context : callable, optional
        ``setup_context(ctx, inputs, output)`` keeps on `ctx` what `backward` needs.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.

    Examples
    --------
    >>> import runtime
    >>> @runtime.library.custom_op("docs::squared", mutates_args=())
    ... def squared(x: runtime.Tensor) -> runtime.Tensor:
    ...     return x * x
    >>> def keep(ctx, inputs, output):
    ...     ctx.save_for_backward(*inputs)
    >>> runtime.library.register_autograd(squared, lambda ctx, grad: 2 * ctx.saved_tensors[0] * grad, setup_context=keep)
    >>> x = runtime.tensor([1.0, 2.0], requires_grad=True)
    >>> squared(x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """
    op = _resolve(op, "register_autograd")
    if isinstance(op, CustomOpDef):
        op.register_autograd(backward, setup_context=setup_context)
        return
    overload = lookup_op(op)
    check_differentiable(overload, overload)
    _refuse_keyword_tensors("register_autograd", overload)
    formulas = operator_rules.autograd_formulas
    known = op in formulas
    formulas[op] = operator_rules.AutogradFormula(backward, setup_context)
    _take_back_with(lib, formulas, op)
    if not known:
        _library_for(parse_namespace(op)[0], lib).impl(op, _custom_autograd, "Autograd", allow_override=True)


def register_torch_dispatch(op, torch_dispatch_class, func=None, /, *, lib=None):
    """Register what an operator does for tensors of a subclass, or inside a mode.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator.
    torch_dispatch_class : type
        The class of the tensors or of the mode.
    func : callable, optional
        Called as ``func(cls_or_mode, op, types, args, kwargs)``; without it `register_torch_dispatch` returns a decorator.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.
    """
    op = _resolve(op, "register_torch_dispatch")
    if isinstance(op, CustomOpDef):
        return op.register_torch_dispatch(torch_dispatch_class, func)

    def register(function):
        namespace, name = parse_namespace(op)
        _library_for(namespace, lib)._register_torch_dispatch_rule(name, torch_dispatch_class, function)
        return function

    return register if func is None else register(func)


def register_vmap(op, func=None, /, *, lib=None):
    """Register how an operator runs a batch at once.

    Parameters
    ----------
    op : str, OpOverload or CustomOpDef
        The operator.
    func : callable, optional
        ``func(info, in_dims, *args, **kwargs)`` gives the result and its batch dimensions; without it `register_vmap` returns a
        decorator.
    lib : Library, optional
        The library that owns the registration; without one it lasts as long as the process.

    Notes
    -----
    The rule is kept for vmap.
    """
    op = _resolve(op, "register_vmap")
    if isinstance(op, CustomOpDef):
        return op.register_vmap(func)
    _refuse_keyword_tensors("register_vmap", lookup_op(op))

    def register(function):
        operator_rules.vmap_rules[op] = function
        _take_back_with(lib, operator_rules.vmap_rules, op)

    return register if func is None else register(func)


def _refuse_keyword_tensors(function, op):
    if has_kwarg_only_tensors(op._schema):
        raise NotImplementedError(
            f"{function} with kwarg-only Tensor args. In the original definition of the op, please make your tensors not kwarg-only. Got: "
            f"{op._schema}"
        )


def _take_back_with(library, rules, name):
    """Let a library's end forget a rule."""
    if library is None:
        return
    rule = rules[name]

    def forget():
        if rules.get(name) is rule:
            del rules[name]

    library._registration_handles.append(operator_rules.RegistrationHandle(forget))


def get_kernel(op, dispatch_key):
    """The kernel that an operator runs at a key, as an object that outlives its registration.

    Parameters
    ----------
    op : str or OpOverload
        The operator.
    dispatch_key : str or DispatchKey
        A run-time key.

    Returns
    -------
    _SafeKernelFunction
        Its `call_boxed` takes a DispatchKeySet and the operator's arguments; so does calling it.

    Examples
    --------
    >>> import runtime
    >>> kernel = runtime.library.get_kernel("aten::sin", "CPU")
    >>> kernel.call_boxed(runtime.DispatchKeySet("CPU"), runtime.zeros(2))
    tensor([0., 0.])
    """
    if not isinstance(op, (str, OpOverload)):
        raise ValueError(f"get_kernel({op}): got unexpected type for op: {type(op)}")
    if isinstance(dispatch_key, str) and _parse_dispatch_key(dispatch_key) is None:
        raise ValueError(f"Invalid dispatch key: {dispatch_key}")
    return _dispatch_get_computed_kernel_for_dispatch_key(op._name if isinstance(op, OpOverload) else op, dispatch_key)


__all__ += ["DispatchKey", "_defs", "_del_library", "_impls", "_reserved_namespaces", "_scoped_library"]


def __getattr__(name):
    # Functions of later systems are pending names.
    from runtime.compat import resolve

    return resolve(f"torch.library.{name}")
