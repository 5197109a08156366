"""Custom functions: a `forward`, and the `backward` that autograd calls for it.

The context that both get is the node of the call (runtime/core/autograd_function.pxi); here are the classes that users derive from.
"""

import functools
import inspect
import warnings

from runtime import _core
from runtime._core import Tensor, _FunctionBase, no_grad

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "NestedIOFunction", "once_differentiable"]


class FunctionCtx:
    """What a context offers to `forward`, `setup_context` and `backward`."""

    def save_for_backward(self, *tensors):
        """Save tensors, inputs or outputs of the function, for `backward`, which finds them in `saved_tensors`."""
        self.to_save = tensors

    def save_for_forward(self, *tensors):
        """Save tensors for `jvp`."""
        for tensor in tensors:
            if not isinstance(tensor, Tensor) and tensor is not None:
                raise AssertionError(
                    f"save_for_forward expects all arguments to be tensors; you should save non-tensors as attributes on ctx. Got {type(tensor)}"
                )
        self.saved_for_forward = tensors

    def mark_dirty(self, *args):
        """Tell which inputs `forward` has written in place; it returns them."""
        self.dirty_tensors = args

    def mark_shared_storage(self, *pairs):
        """Nothing: kept for older programs."""
        warnings.warn(
            "`mark_shared_storage` is deprecated. Tensors with shared storages are automatically tracked. Note that calls to `set_()` are not "
            "tracked",
            FutureWarning,
            stacklevel=2,
        )

    def mark_non_differentiable(self, *args):
        """Tell which outputs have no gradient."""
        self.non_differentiable = args

    def set_materialize_grads(self, value):
        """Set whether `backward` gets zeros (the default) or None for outputs whose gradient did not arrive."""
        self.materialize_grads = value


class _HookMixin:
    @staticmethod
    def _register_hook(backward_hooks, hook):
        from runtime.utils.hooks import RemovableHandle

        if backward_hooks is None:
            backward_hooks = {}
        handle = RemovableHandle(backward_hooks)
        backward_hooks[handle.id] = hook
        return backward_hooks, handle


class BackwardCFunction(_FunctionBase, FunctionCtx, _HookMixin):
    """The class of contexts: each custom function has one derived from this."""

    def apply(self, *args):
        """Call the function's `backward`."""
        function = self._forward_cls
        backward, vjp = function.backward, function.vjp
        if vjp is not Function.vjp:
            if backward is not Function.backward:
                raise RuntimeError(
                    "Implementing both 'backward' and 'vjp' for a custom Function is not allowed. You should only implement one of them."
                )
            backward = vjp
        return backward(self, *args)

    def apply_jvp(self, *args):
        """Call the function's `jvp`."""
        return self._forward_cls.jvp(self, *args)

    def name(self):
        """The name of the node."""
        return type(self).__name__

    __repr__ = object.__repr__


class _TakenOnce(BackwardCFunction):
    """The context of functions with `clear_saved_tensors_on_access`."""

    _taken = False

    @property
    def saved_tensors(self):
        """What `save_for_backward` has saved: the first one to ask gets it, and the node forgets it."""
        if self._taken:
            raise RuntimeError(
                "saved_tensors can only be accessed once when clear_saved_tensors_on_access=True is set on the autograd.Function. Either access "
                "saved_tensors only once, or set clear_saved_tensors_on_access=False."
            )
        saved = _FunctionBase.saved_tensors.__get__(self)
        if self.saved_for_forward is None:
            self._drop_saved_tensors()
            self._taken = True
        return saved


class _Boxed(BackwardCFunction):
    """The context of functions with `boxed_grads_call`."""

    def __init__(self):
        self._boxed_grads = True

    def apply(self, *args):
        """Call the function's `backward`."""
        grads = list(args)
        del args
        return super().apply(grads)

    def apply_boxed(self, grads):
        """Call the function's `backward` with a list that holds the gradients, and which it may empty."""
        return super().apply(grads)


class FunctionMeta(type):
    """Gives each custom function the class of its contexts."""

    def __init__(cls, name, bases, attrs):
        kinds = (_TakenOnce, "clear_saved_tensors_on_access"), (_Boxed, "boxed_grads_call")
        wanted = tuple(kind for kind, setting in kinds if getattr(cls, setting, False))
        cls._backward_cls = type(name + "Backward", wanted or (BackwardCFunction,), {"_forward_cls": cls})
        super().__init__(name, bases, attrs)


class _SingleLevelFunction(FunctionCtx, _HookMixin, metaclass=FunctionMeta):
    @staticmethod
    def forward(*args, **kwargs):
        """Compute the function: ``forward(ctx, *args)``, or ``forward(*args)`` together with `setup_context`."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs, output):
        """Prepare the context after a `forward` that does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Gradients of the inputs (None for those without) from gradients of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    #: Whether `ctx.saved_tensors` can be asked for once only, so that what it holds lives no longer than `backward` needs it.
    clear_saved_tensors_on_access = False
    #: Whether `backward` gets its gradients in one list, which it may empty to free them.
    boxed_grads_call = False

    @staticmethod
    def jvp(ctx, *grad_inputs):
        """Tangents of the outputs from tangents of the inputs."""
        raise NotImplementedError("You must implement the jvp function for custom autograd.Function to use it with forward mode AD.")


class Function(_SingleLevelFunction):
    """A function with a derivative of one's own.

    A class derived from this has static methods `forward` and `backward`; `apply` calls it.

    Examples
    --------
    >>> import runtime as rt
    >>> class Square(rt.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x * x
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (x,) = ctx.saved_tensors
    ...         return 2 * x * grad
    >>> x = rt.tensor(3.0, requires_grad=True)
    >>> Square.apply(x).backward()
    >>> x.grad
    tensor(6.)
    """

    generate_vmap_rule = False

    def __init__(self, *args, **kwargs):
        warnings.warn(
            f"{self.__class__} should not be instantiated. Methods on autograd functions are all static, so you should invoke them on the class "
            "itself. Instantiating an autograd function will raise an error in a future version of PyTorch.",
            DeprecationWarning,
            stacklevel=2,
        )

    def __call__(self, *args, **kwargs):
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use new-style autograd function with static forward "
            "method. (Example: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function)"
        )

    @staticmethod
    def vmap(info, in_dims, *args):
        """How the function works on batches: results and their batch dimensions."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or set generate_vmap_rule=True."
        )

    apply = classmethod(_core._apply_function)


def _is_setup_context_defined(fn):
    """Whether a `setup_context` is a user's."""
    return fn != _SingleLevelFunction.setup_context


@functools.lru_cache(256)
def _signature(forward):
    return inspect.signature(forward)


def _bound(forward, without_context, args, kwargs):
    """All arguments by position, defaults filled in: what `setup_context` gets as inputs."""
    if not without_context:
        return _bound_after_context(forward, args, kwargs)
    bound = _signature(forward).bind(*args, **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError("apply() takes no keyword-only arguments: a custom function's inputs are positional")
    return bound.args


def _bound_after_context(forward, args, kwargs):
    """As `_bound`, for a `forward` whose first parameter is the context, which no argument is for."""
    signature = _signature(forward)
    parameters = [one for one in list(signature.parameters.values())[1:] if one.kind is one.POSITIONAL_OR_KEYWORD]
    names = [one.name for one in parameters]
    for name in kwargs:
        if name not in names:
            raise TypeError(f"forward() got an unexpected keyword argument '{name}'")
        if name in names[: len(args)]:
            raise TypeError(f"forward() got multiple values for argument '{name}'")
    for place, one in enumerate(parameters[len(args) :], len(args)):
        if one.default is one.empty and one.name not in kwargs:
            raise TypeError(f"forward() missing required argument: '{one.name}' (position {place})")
    bound = signature.bind(None, *args, **kwargs)
    bound.apply_defaults()
    return bound.args[1:]


_core._set_function_parts(_SingleLevelFunction.setup_context, _bound)


def once_differentiable(fn):
    """Decorate a `backward` that is not itself differentiable: differentiating its results raises."""

    @functools.wraps(fn)
    def wrapper(ctx, *args):
        with no_grad():
            outputs = fn(ctx, *args)
        if not _core.is_grad_enabled():
            return outputs
        if not any(isinstance(arg, Tensor) and arg.requires_grad for arg in args):
            return outputs
        several = isinstance(outputs, tuple)
        message = "trying to differentiate twice a function that was marked with @once_differentiable"
        # Leaves in the outputs' place, so that the error stands in the graph beside nothing else.
        made = tuple(one.detach().requires_grad_() if isinstance(one, Tensor) else one for one in (outputs if several else (outputs,)))
        made = _core._with_error(made, message)
        return made if several else made[0]

    return wrapper


class InplaceFunction(Function):
    """Kept for older programs: a function that may work in place."""

    def __init__(self, inplace=False):
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """Kept for older programs: inputs and outputs that are nested were an affair of the old style of functions."""

    @staticmethod
    def forward(*args):
        """Compute the function."""
        raise NotImplementedError
