"""Custom operators: a function with type hints becomes an operator, with rules for the systems that operators pass through.

`custom_op` makes a CustomOpDef. Its calls run in C (runtime/core/custom_op.pxi); this module registers what they find. Each definition has
a library of its own, so that defining a name anew takes the older definition back.
"""

import contextlib
import logging
import warnings
import weakref
from collections.abc import Iterable

from runtime import _core, float64
from runtime._core import CustomKernel, CustomOp, Library, OpOverload, Tag, Tensor
from runtime._core import device as _device
from runtime._core import dtype as _dtype
from runtime.infer_schema import infer_schema
from runtime.operator_facts import (
    can_generate_trivial_fake_impl,
    fill_defaults,
    generate_trivial_fake_impl,
    get_device_arg_index,
    has_kwarg_only_tensors,
    has_tensor_arg,
    is_functional_schema,
    is_inplace,
    is_out,
    lookup_op,
    parse_namespace,
)
from runtime.operator_rules import register_fake_rule
from runtime.schema import parse_schema

log = logging.getLogger(__name__)

OPDEF_TO_LIB = {}  # full name -> the library that the definition lives in
OPDEFS = weakref.WeakValueDictionary()  # full name -> CustomOpDef

def custom_op(name, fn=None, /, *, mutates_args, device_types=None, schema=None, tags=None):
    """Make an operator of a function.

    Parameters
    ----------
    name : str
        ``"namespace::name"``.
    fn : callable, optional
        The function; without it `custom_op` returns a decorator.
    mutates_args : "unknown" or iterable of str
        The arguments that the function writes; "unknown" for all tensors.
    device_types : str or sequence of str, optional
        The device types that the function serves, such as ``"cpu"``; all by default. An operator without tensor arguments then needs an
        argument ``device: torch.device``.
    schema : str, optional
        ``"(Tensor x) -> Tensor"``; inferred from the type hints by default.
    tags : Tag or sequence of Tag, optional
        Tags of the operator. With ``Tag.inplace`` the function writes its first argument and returns it; with ``Tag.out`` it writes
        keyword-only tensors and returns them.

    Returns
    -------
    CustomOpDef

    Raises
    ------
    ValueError
        If the type hints make no schema, or a given schema writes other arguments than `mutates_args` says.
    NotImplementedError
        If tensors are keyword-only, except for ``Tag.out``.

    Notes
    -----
    Results must not share memory with arguments or each other, unless the schema declares a view; calls check that.

    Examples
    --------
    >>> import runtime
    >>> @runtime.library.custom_op("docs::twice", mutates_args=())
    ... def twice(x: runtime.Tensor) -> runtime.Tensor:
    ...     return x * 2
    >>> twice(runtime.ones(2))
    tensor([2., 2.])
    """

    def make(function):
        all_tags = _normalize_tags(tags)
        text = infer_schema(function, mutates_args=mutates_args, tags=all_tags) if schema is None else schema
        result = CustomOpDef(*parse_namespace(name), text, function, all_tags)
        if schema is not None:
            written = {a.name for a in result._opoverload._schema.arguments if a.is_write}
            if written != set(mutates_args):
                raise ValueError(
                    f"Attempted to create a custom op with `mutates_args={mutates_args}` and `schema={schema}. The schema suggests that the op "
                    f"mutates {written}which is different from what was provided to us in `mutates_args`. Please make these consistent."
                )
        result.register_kernel(device_types)(function)
        return result

    return make if fn is None else make(fn)


def _normalize_tags(tags):
    if tags is None:
        return ()
    return (tags,) if isinstance(tags, Tag) else tuple(dict.fromkeys(tags))


class CustomOpDef(CustomOp):
    """An operator that `custom_op` made; calling it calls the operator.

    Parameters
    ----------
    namespace, name : str
        The operator's full name in two parts.
    schema : str
        ``"(Tensor x) -> Tensor"``.
    fn : callable
        The function that the operator was made of.
    tags : Tag or sequence of Tag, optional
        Tags of the operator.
    """

    def __init__(self, namespace, name, schema, fn, tags=None):
        self._namespace, self._name, self._schema = namespace, name, schema
        self._tags = _normalize_tags(tags)
        self._init_fn = fn
        self._backend_fns = {}  # device type, None for all -> CustomKernel
        self._disabled_kernel = set()
        self._abstract_fn = None
        self._setup_context_fn = self._backward_fn = self._vmap_fn = None
        self._torch_dispatch_fns = {}
        self._autocast_dtype = {}
        self._selects_backend = False
        parsed = parse_schema(name + schema)
        if has_kwarg_only_tensors(parsed) and Tag.out not in self._tags:
            raise NotImplementedError(f"custom_op with kwarg-only Tensor args. Please make your tensors not kwarg-only. Got: {name}{schema}")
        self._lib = get_library_allowing_overwrite(namespace, name)
        self._lib.define(name + schema, tags=(Tag.pt2_compliant_tag, *(t for t in self._tags if t is not Tag.pt2_compliant_tag)))
        self._stand_for(lookup_op(self._qualname))
        self._is_inplace, self._is_out = is_inplace(self._opoverload), is_out(self._opoverload)
        self._register_around_kernels()
        OPDEFS[self._qualname] = self

    @property
    def _qualname(self):
        return f"{self._namespace}::{self._name}"

    def __repr__(self):
        return f"<CustomOpDef({self._qualname})>"

    def __reduce__(self):
        return _opdef_by_name, (self._qualname,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def _register_around_kernels(self):
        """The rule for tensors without data, and the kernels above the backends'."""

        def fake(*args, **kwargs):
            if self._abstract_fn is not None:
                return self._abstract_fn(*args, **kwargs)
            if can_generate_trivial_fake_impl(self._opoverload):
                return generate_trivial_fake_impl(self._opoverload, *args, **kwargs)
            raise RuntimeError(
                f"There was no fake impl registered for {self}. This is necessary for torch.compile/export/fx tracing to work. Please use "
                f"`{self._init_fn.__name__}.register_fake` to add an fake impl."
            )

        code = getattr(self._init_fn, "__code__", None)
        source = f"{code.co_filename}:{code.co_firstlineno}" if code else repr(self._init_fn)
        self._lib._registration_handles.append(register_fake_rule(self._lib, self._qualname, fake, source=source))
        self._lib.impl(self._name, _core._custom_autograd, "Autograd")
        if self._opoverload._schema.is_mutable:
            self._lib.impl(self._name, _core._custom_mutation, "ADInplaceOrView")
        elif self._opoverload.is_view:
            self._lib.impl(self._name, _core._custom_view, "ADInplaceOrView")

    def _promise(self):
        if self._is_inplace:
            return "returns first"
        if self._is_out:
            return "returns written"
        return "unchecked" if self._opoverload.is_view else "fresh"

    def register_kernel(self, device_types, fn=None, /):
        """Register the function that serves some device types.

        Parameters
        ----------
        device_types : str, sequence of str or None
            Such as ``"cpu"``; None for all that have no function of their own.
        fn : callable, optional
            The function; without it the method returns a decorator.

        Returns
        -------
        callable
            The function itself.
        """
        needs_device = device_types is not None and not has_tensor_arg(self._opoverload._schema)
        if needs_device and get_device_arg_index(self._opoverload._schema) is None:
            raise ValueError("Functions without tensor inputs are required to have a `device: torch.device` argument")
        if needs_device and not self._selects_backend:
            self._lib.impl(self._name, self._backend_selector(), "BackendSelect", with_keyset=True)
            self._selects_backend = True

        def register(function):
            for device_type in [device_types] if device_types is None or isinstance(device_types, str) else device_types:
                if device_type in self._backend_fns:
                    self._backend_fns[device_type].function = function
                    continue
                kernel = CustomKernel(self._name, self._promise(), function, self._init_fn)
                kernel.enabled = device_type not in self._disabled_kernel
                key = "CompositeExplicitAutograd" if device_type is None else _core._dispatch_key_for_device(device_type)
                self._lib.impl(self._name, kernel, key)
                self._backend_fns[device_type] = kernel
            return function

        return register if fn is None else register(fn)

    def _backend_selector(self):
        """A kernel that goes by the argument `device`, where no tensor says which device serves a call."""
        op = self._opoverload
        index = get_device_arg_index(op._schema)
        keyword = op._schema.arguments[index].kwarg_only

        def select(keyset, *args, **kwargs):
            positional, named = fill_defaults(op._schema, args, kwargs)
            device_type = _device(named["device"] if keyword else positional[index]).type
            if device_type not in self._backend_fns:
                raise RuntimeError(f"{self._name} does not have a kernel registered for {device_type}. Please use register_kernel to do so.")
            return op.redispatch(_core.DispatchKeySet(_core._dispatch_key_for_device(device_type)), *args, **kwargs)

        return select

    @contextlib.contextmanager
    def set_kernel_enabled(self, device_type, enabled=True):
        """Disable or enable the function of one device type for the time of a ``with`` block.

        Parameters
        ----------
        device_type : str
            The device type; while it is disabled, the function that the operator was made of serves it.
        enabled : bool
            Which of both.
        """
        before = device_type in self._disabled_kernel
        if enabled and not before:
            log.warning("Attempted to enable kernel for  %s but it was already enabled.", device_type)
        elif not enabled and before:
            log.warning("Attempted to disable kernel for %s but it was already disabled.", device_type)
        elif not enabled and device_type not in self._backend_fns:
            log.warning("Attempted to disable kernel for %s but no kernel was registered for this device type.", device_type)
        self._set_disabled(device_type, not enabled)
        try:
            yield
        finally:
            self._set_disabled(device_type, before)

    def _set_disabled(self, device_type, disabled):
        (self._disabled_kernel.add if disabled else self._disabled_kernel.discard)(device_type)
        if device_type in self._backend_fns:
            self._backend_fns[device_type].enabled = not disabled

    def register_fake(self, fn, /):
        """Register the rule for tensors without data: it makes the results' shapes and dtypes from the arguments'.

        Parameters
        ----------
        fn : callable
            Takes the operator's arguments; it runs for Meta tensors.

        Returns
        -------
        callable
            The function itself.
        """
        if self._is_inplace or self._is_out:
            tag = "torch.Tag.inplace" if self._is_inplace else "torch.Tag.out"
            warnings.warn(
                f"The fake registration for {self} is unnecessary. Custom ops tagged with {tag} already get an autogenerated fake kernel. The "
                f"provided fake impl will be used instead.",
                stacklevel=2,
            )
        self._abstract_fn = fn
        return fn

    def register_torch_dispatch(self, torch_dispatch_class, fn=None, /):
        """Register what the operator does for tensors of a subclass, or inside a mode.

        Parameters
        ----------
        torch_dispatch_class : type
            The class of the tensors or of the mode.
        fn : callable, optional
            Called as ``fn(cls_or_mode, op, types, args, kwargs)``; without it the method returns a decorator.

        Returns
        -------
        callable
            The function itself.
        """

        def register(function):
            known = torch_dispatch_class in self._torch_dispatch_fns
            self._torch_dispatch_fns[torch_dispatch_class] = function
            if not known:

                def rule(*args, **kwargs):
                    return self._torch_dispatch_fns[torch_dispatch_class](*args, **kwargs)

                self._lib._register_torch_dispatch_rule(self._name, torch_dispatch_class, rule)
            return function

        return register if fn is None else register(fn)

    def register_autograd(self, backward, /, *, setup_context=None):
        """Register how to compute gradients.

        Parameters
        ----------
        backward : callable
            ``backward(ctx, *grads)``: the gradients of the positional arguments.
        setup_context : callable, optional
            ``setup_context(ctx, inputs, output)`` keeps on `ctx` what `backward` needs; operators with keyword-only arguments also get
            ``keyword_only_inputs``.

        Raises
        ------
        RuntimeError
            If the operator writes arguments or returns nothing, or is tagged with ``Tag.out``.
        """
        check_differentiable(self._opoverload, self, allow_valid_view=True)
        self._backward_fn, self._setup_context_fn = backward, setup_context

    def register_vmap(self, func=None):
        """Register how to run a batch at once.

        Parameters
        ----------
        func : callable, optional
            ``func(info, in_dims, *args, **kwargs)`` gives the result and its batch dimensions; without it the method returns a decorator.

        Returns
        -------
        callable
            The function itself.
        """

        def register(function):
            self._vmap_fn = function
            return function

        return register if func is None else register(func)

    def register_autocast(self, device_type, cast_inputs):
        """Register the dtype that autocast gives to floating-point arguments.

        Parameters
        ----------
        device_type : str
            The device type whose autocast regions are meant.
        cast_inputs : dtype
            The dtype; float64 tensors and those of other devices stay as they are.

        Returns
        -------
        callable
            The kernel.
        """
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        kernel, key = autocast_kernel(self._opoverload, device_type, cast_inputs)
        if device_type not in self._autocast_dtype:
            self._autocast_dtype[device_type] = cast_inputs
            self._lib.impl(self._name, kernel, key, with_keyset=True)
        return kernel


_core._call_as_operator(CustomOpDef)


def _opdef_by_name(qualname):
    """The CustomOpDef of a full name; what pickles of them call."""
    found = OPDEFS.get(qualname)
    if found is None:
        raise AttributeError(f"there is no custom operator {qualname}")
    return found


def check_differentiable(op, shown, allow_valid_view=False):
    """Raise RuntimeError for an operator that can have no gradient formula: one that writes."""
    if is_out(op):
        raise RuntimeError(f"Cannot register autograd formula for operator tagged with torch.Tag.out: {shown}. Out variants do not support autograd.")
    if not is_functional_schema(op._schema, allow_valid_view=allow_valid_view):
        raise RuntimeError(
            f"Cannot register autograd formula for non-functional operator {shown} with schema {op._schema}. Please create a functional "
            f"operator and register an autograd formula for that."
        )


def autocast_kernel(op, device_type, cast_inputs):
    """The autocast kernel of an operator for a device type, and its key.

    Returns
    -------
    kernel : callable
        Gets the key set first; it runs the operator on cast arguments, below autocast.
    key : str
    """
    if not isinstance(cast_inputs, _dtype):
        raise ValueError(f"Expected `cast_inputs` of type `torch.dtype`, got: `{type(cast_inputs)}`")
    if not _core._is_autocast_available(device_type):
        raise ValueError(f"Device type '{device_type}' does not support autocast.")
    key = "Autocast" + _core._dispatch_key_for_device(device_type)

    def kernel(keyset, *args, **kwargs):
        if kwargs:
            raise AssertionError(f"Custom ops do not support kwargs yet, got {list(kwargs)}")
        with _core._ExcludeDispatchKeyGuard(_core.DispatchKeySet(key)):
            return op(*_cast(args, device_type, cast_inputs))

    return kernel, key


def _cast(value, device_type, dtype):
    """A value with the floating-point tensors of a device type cast."""
    if isinstance(value, Tensor):
        castable = value.is_floating_point() and value.device.type == device_type and value.dtype is not float64
        return value.to(dtype) if castable else value
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        cast = (_cast(v, device_type, dtype) for v in value)
        return type(value)(cast) if isinstance(value, (list, tuple)) else cast
    return value


def get_library_allowing_overwrite(namespace, name):
    """A library for one custom operator; an older definition of the name is taken back."""
    qualname = f"{namespace}::{name}"
    if qualname in OPDEF_TO_LIB:
        OPDEF_TO_LIB.pop(qualname)._destroy()
    library = OPDEF_TO_LIB[qualname] = Library(namespace, "FRAGMENT")
    return library


def _maybe_get_opdef(op):
    """The CustomOpDef of an operator that is given as itself, an OpOverload or a full name; None where there is none."""
    if isinstance(op, CustomOpDef):
        return op
    return OPDEFS.get(op._name if isinstance(op, OpOverload) else op)
