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


class FunctionMeta(type):
    """Gives each custom function the class of its contexts."""

    def __init__(cls, name, bases, attrs):
        cls._backward_cls = type(name + "Backward", (BackwardCFunction,), {"_forward_cls": cls})
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


@functools.lru_cache(256)
def _signature(forward):
    return inspect.signature(forward)


def _bound(forward, without_context, args, kwargs):
    """All arguments by position, defaults filled in: what `setup_context` gets as inputs."""
    bound = _signature(forward).bind(*(args if without_context else (None, *args)), **kwargs)
    bound.apply_defaults()
    if bound.kwargs:
        raise TypeError("apply() takes no keyword-only arguments: a custom function's inputs are positional")
    return bound.args if without_context else bound.args[1:]


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
        made = outputs if several else (outputs,)
        message = "trying to differentiate twice a function that was marked with @once_differentiable"
        made = tuple(_core._with_error(one, message) if isinstance(one, Tensor) else one for one in made)
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
