"""Hooks of modules: those of one module, those of all, and the call that goes through them.

`Hooks` is the part of Module that registers hooks and calls ``forward``; the dicts of a module are made by ``Module.__init__``.
"""

import functools
import warnings
import weakref
from collections import OrderedDict

from runtime._core import Tensor
from runtime.utils.hooks import BackwardHook, add_hook

__all__ = [
    "register_module_backward_hook", "register_module_buffer_registration_hook", "register_module_forward_hook",
    "register_module_forward_pre_hook", "register_module_full_backward_hook", "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook", "register_module_parameter_registration_hook",
]  # fmt: skip

# Hooks of all modules, in dicts of the same kinds as a module's own.
_buffer_registration_hooks = OrderedDict()
_module_registration_hooks = OrderedDict()
_parameter_registration_hooks = OrderedDict()
_backward_pre_hooks = OrderedDict()
_backward_hooks = OrderedDict()
_forward_pre_hooks = OrderedDict()
_forward_hooks = OrderedDict()
_forward_hooks_always_called = OrderedDict()
_forward_hooks_with_kwargs = OrderedDict()
# True or False once a backward hook of one of the two kinds was registered; the kinds do not mix.
_is_full_backward_hook = None


def register_module_buffer_registration_hook(hook):
    """Call ``hook(module, name, buffer)`` whenever a buffer is registered; what it returns, if not None, takes the buffer's place."""
    return add_hook(_buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook):
    """Call ``hook(module, name, submodule)`` whenever a module is registered; what it returns, if not None, takes the module's place."""
    return add_hook(_module_registration_hooks, hook)


def register_module_parameter_registration_hook(hook):
    """Call ``hook(module, name, param)`` whenever a parameter is registered; what it returns, if not None, takes the parameter's place."""
    return add_hook(_parameter_registration_hooks, hook)


def register_module_forward_pre_hook(hook):
    """Call ``hook(module, args)`` before the forward of every module."""
    return add_hook(_forward_pre_hooks, hook)


def register_module_forward_hook(hook, *, with_kwargs=False, always_call=False):
    """Call ``hook(module, args, output)`` after the forward of every module; see `Module.register_forward_hook`."""
    return add_hook(_forward_hooks, hook, flags=[(_forward_hooks_with_kwargs, with_kwargs), (_forward_hooks_always_called, always_call)])


def _set_kind_of_all(full):
    global _is_full_backward_hook
    if _is_full_backward_hook is (not full):
        raise RuntimeError("Cannot use both regular backward hooks and full backward hooks as a global Module hook. Please use only one of them.")
    _is_full_backward_hook = full


def register_module_backward_hook(hook):
    """Call ``hook(module, grad_input, grad_output)`` at the node that made each module's result; full backward hooks are better defined."""
    _set_kind_of_all(False)
    return add_hook(_backward_hooks, hook)


def register_module_full_backward_pre_hook(hook):
    """Call ``hook(module, grad_output)`` when the gradients of a module's results are known, for every module."""
    return add_hook(_backward_pre_hooks, hook)


def register_module_full_backward_hook(hook):
    """Call ``hook(module, grad_input, grad_output)`` when the gradients of a module's inputs are known, for every module."""
    _set_kind_of_all(True)
    return add_hook(_backward_hooks, hook)


class WrappedHook:
    """A hook that can be pickled with its module, to which it keeps a weak reference.

    Parameters
    ----------
    hook : callable
    module : Module, optional
        Passed to the hook as its first argument.
    """

    def __init__(self, hook, module=None):
        self.hook = hook
        functools.update_wrapper(self, hook)
        self.with_module = module is not None
        if self.with_module:
            self.module = weakref.ref(module)

    def __call__(self, *args, **kwargs):
        if not self.with_module:
            return self.hook(*args, **kwargs)
        module = self.module()
        if module is None:
            raise RuntimeError("You are trying to call the hook of a dead Module!")
        return self.hook(module, *args, **kwargs)

    def __getstate__(self):
        state = {"hook": self.hook, "with_module": self.with_module}
        if self.with_module:
            state["module"] = self.module()
        return state

    def __setstate__(self, state):
        self.hook = state["hook"]
        self.with_module = state["with_module"]
        if self.with_module:
            if state["module"] is None:
                raise RuntimeError("You are trying to revive the hook of a dead Module!")
            self.module = weakref.ref(state["module"])


class Hooks:
    """The part of Module that registers hooks and calls ``forward`` through them."""

    def register_forward_pre_hook(self, hook, *, prepend=False, with_kwargs=False):
        """Call ``hook(module, args)`` before each forward.

        Parameters
        ----------
        hook : callable
            What it returns, if not None, takes the place of the positional arguments.
        prepend : bool
            Whether it is called before the hooks that are registered already.
        with_kwargs : bool
            Call ``hook(module, args, kwargs)``, which may return a pair of new ones.

        Returns
        -------
        RemovableHandle
        """
        return add_hook(self._forward_pre_hooks, hook, prepend=prepend, flags=[(self._forward_pre_hooks_with_kwargs, with_kwargs)])

    def register_forward_hook(self, hook, *, prepend=False, with_kwargs=False, always_call=False):
        """Call ``hook(module, args, output)`` after each forward.

        Parameters
        ----------
        hook : callable
            What it returns, if not None, takes the place of the output.
        prepend : bool
            Whether it is called before the hooks that are registered already.
        with_kwargs : bool
            Call ``hook(module, args, kwargs, output)``.
        always_call : bool
            Call it when forward, or a hook, raised too.

        Returns
        -------
        RemovableHandle
        """
        return add_hook(
            self._forward_hooks, hook, prepend=prepend,
            flags=[(self._forward_hooks_with_kwargs, with_kwargs), (self._forward_hooks_always_called, always_call)],
        )  # fmt: skip

    def register_full_backward_pre_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_output)`` when the gradients of the module's results are known; it may return others."""
        return add_hook(self._backward_pre_hooks, hook, prepend=prepend)

    def _set_kind_of_backward_hooks(self, full):
        if self._is_full_backward_hook is (not full):
            raise RuntimeError("Cannot use both regular backward hooks and full backward hooks on a single Module. Please use only one of them.")
        self._is_full_backward_hook = full

    def register_backward_hook(self, hook):
        """Call ``hook(module, grad_input, grad_output)`` at the node that made the result; full backward hooks are better defined."""
        self._set_kind_of_backward_hooks(False)
        return add_hook(self._backward_hooks, hook)

    def register_full_backward_hook(self, hook, prepend=False):
        """Call ``hook(module, grad_input, grad_output)`` when the gradients of the module's inputs are known.

        Parameters
        ----------
        hook : callable
            What it returns, if not None, takes the place of the gradients of the inputs.
        prepend : bool
            Whether it is called before the hooks that are registered already.

        Returns
        -------
        RemovableHandle
        """
        self._set_kind_of_backward_hooks(True)
        return add_hook(self._backward_hooks, hook, prepend=prepend)

    def __call__(self, *args, **kwargs):
        if not (
            self._forward_hooks or self._forward_pre_hooks or self._backward_hooks or self._backward_pre_hooks
            or _forward_hooks or _forward_pre_hooks or _backward_hooks or _backward_pre_hooks
        ):  # fmt: skip
            return self.forward(*args, **kwargs)
        return _HookedCall(self, args, kwargs).run()

    def _backward_hooks_of_kind(self, full):
        hooks = list(_backward_hooks.values()) if _is_full_backward_hook is full else []
        return hooks + list(self._backward_hooks.values()) if self._is_full_backward_hook is full else hooks


class _HookedCall:
    """One call of a module with hooks: arguments, keyword arguments and result as the hooks leave them."""

    def __init__(self, module, args, kwargs):
        self.module = module
        self.args = args
        self.kwargs = kwargs
        self.result = None
        self.called = set()

    def run(self):
        try:
            return self._run()
        except Exception:
            self._call_those_always_called()
            raise

    def _run(self):
        module = self.module
        self._call_pre_hooks()
        pre_hooks = [*_backward_pre_hooks.values(), *module._backward_pre_hooks.values()]
        full_hooks = module._backward_hooks_of_kind(True)
        backward = BackwardHook(module, full_hooks, pre_hooks) if full_hooks or pre_hooks else None
        if backward is not None:
            self.args = backward.setup_input_hook(self.args)
        self.result = module.forward(*self.args, **self.kwargs)
        for key, hook, with_kwargs, always in self._forward_hooks():
            if always:
                self.called.add(key)
            self._call_forward_hook(hook, with_kwargs)
        if backward is not None:
            if not isinstance(self.result, (Tensor, tuple)):
                warnings.warn(
                    f"For backward hooks to be called, module output should be a Tensor or a tuple of Tensors but received {type(self.result)}",
                    stacklevel=4,
                )
            self.result = backward.setup_output_hook(self.result)
        self._set_node_hooks(module._backward_hooks_of_kind(False))
        return self.result

    def _call_pre_hooks(self):
        module = self.module
        for key, hook in (*_forward_pre_hooks.items(), *module._forward_pre_hooks.items()):
            if key not in module._forward_pre_hooks_with_kwargs:
                args = hook(module, self.args)
                if args is not None:
                    self.args = args if isinstance(args, tuple) else (args,)
                continue
            both = hook(module, self.args, self.kwargs)
            if both is None:
                continue
            if not (isinstance(both, tuple) and len(both) == 2):
                raise RuntimeError(f"forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got {both}.")
            self.args, self.kwargs = both

    def _forward_hooks(self):
        module = self.module
        return [
            *((key, hook, key in _forward_hooks_with_kwargs, key in _forward_hooks_always_called) for key, hook in _forward_hooks.items()),
            *((key, hook, key in module._forward_hooks_with_kwargs, key in module._forward_hooks_always_called)
              for key, hook in module._forward_hooks.items()),
        ]  # fmt: skip

    def _call_forward_hook(self, hook, with_kwargs):
        call = (self.module, self.args, self.kwargs, self.result) if with_kwargs else (self.module, self.args, self.result)
        result = hook(*call)
        if result is not None:
            self.result = result

    def _call_those_always_called(self):
        for key, hook, with_kwargs, always in self._forward_hooks():
            if not always or key in self.called:
                continue
            try:
                self._call_forward_hook(hook, with_kwargs)
            except Exception as error:
                kind = "global module" if key in _forward_hooks else "module"
                warnings.warn(
                    f"{kind} forward hook with ``always_call=True`` raised an exception that was silenced as another error was raised in "
                    f"forward: {error}",
                    stacklevel=4,
                )

    def _set_node_hooks(self, hooks):
        if not hooks:
            return
        first = self.result
        while not isinstance(first, Tensor):
            first = next(v for v in first.values() if isinstance(v, Tensor)) if isinstance(first, dict) else first[0]
        node = first.grad_fn
        if node is None:
            return
        for hook in hooks:
            node.register_hook(WrappedHook(hook, self.module))
        _warn_of_node_hooks(self.args, self.result, node)


def _tensors_or_none(values):
    """A tensor, or a tuple of tensors, as a tuple; None for anything else."""
    if isinstance(values, Tensor):
        return (values,)
    return values if isinstance(values, tuple) and all(isinstance(value, Tensor) for value in values) else None


def _warn_of_node_hooks(args, result, node):
    """Say what a backward hook at one node misses."""
    inputs, results = _tensors_or_none(args), _tensors_or_none(result)
    nodes = None if results is None else {t.grad_fn for t in results if t.grad_fn is not None}
    full = "Please use register_full_backward_hook to get the documented behavior."
    gone = "is deprecated and will be removed in future versions. This hook will be missing some"
    if results is None:
        text = f"on a Module that does not return a single Tensor or a tuple of Tensors {gone} of the grad_output. {full}"
    elif inputs is None:
        text = f"on a Module that does not take as input a single Tensor or a tuple of Tensors {gone} of the grad_input. {full}"
    elif len(nodes) > 1:
        text = f"when outputs are generated by different autograd Nodes {gone} grad_output. {full}"
    elif node not in nodes:
        text = f"when outputs are nested in python data structure {gone} grad_output."
    elif {t.grad_fn for t in inputs if t.grad_fn is not None} != {following[0] for following in node.next_functions}:
        text = f"when the forward contains multiple autograd Nodes {gone} grad_input. {full}"
    else:
        return
    article = "Using non-full backward hooks" if results is None or inputs is None else "Using a non-full backward hook"
    warnings.warn(f"{article} {text}", FutureWarning, stacklevel=6)
