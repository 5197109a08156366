"""Handles that remove hooks, and the pair of graph nodes around a module that full backward hooks need.

Modules, optimizers and tensors register hooks in ordered dicts and give out a `RemovableHandle`. `BackwardHook` is made by a module's call
when backward hooks are registered; it owns the gradients between the module's output node and its input node.
"""

import warnings
import weakref
from collections import OrderedDict

from runtime._core import Tensor, is_grad_enabled

__all__ = ["BackwardHook", "RemovableHandle", "unserializable_hook", "warn_if_has_hooks"]


class RemovableHandle:
    """Removes a hook from its dict, and from the dicts that say more about it.

    Parameters
    ----------
    hooks_dict : OrderedDict
        The dict that the hook is about to enter under the handle's `id`; only a weak reference is kept.
    extra_dict : OrderedDict or list of OrderedDict, optional
        Further dicts with entries of the same id.
    """

    next_id = 0

    def __init__(self, hooks_dict, *, extra_dict=None):
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        self.hooks_dict_ref = weakref.ref(hooks_dict)
        extras = () if extra_dict is None else extra_dict if isinstance(extra_dict, list) else (extra_dict,)
        self.extra_dict_ref = tuple(weakref.ref(extra) for extra in extras)

    def remove(self):
        """Remove the hook; once more has no effect."""
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = reference()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()

    def __getstate__(self):
        return self.hooks_dict_ref(), self.id, tuple(reference() for reference in self.extra_dict_ref)

    def __setstate__(self, state):
        # A dict that is gone is replaced by one that nobody holds.
        hooks_dict, self.id, extras = state
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks_dict is None else hooks_dict)
        self.extra_dict_ref = tuple(weakref.ref(OrderedDict() if extra is None else extra) for extra in extras)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)


def add_hook(hooks, hook, *, prepend=False, flags=()):
    """Put a hook into an ordered dict.

    Parameters
    ----------
    hooks : OrderedDict
    hook : callable
    prepend : bool
        Whether it goes before the others.
    flags : sequence of (OrderedDict, bool)
        Dicts that get an entry of the hook's id where the bool is true.

    Returns
    -------
    RemovableHandle
    """
    handle = RemovableHandle(hooks, extra_dict=[flagged for flagged, _ in flags])
    hooks[handle.id] = hook
    for flagged, on in flags:
        if on:
            flagged[handle.id] = True
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def unserializable_hook(f):
    """Mark a tensor hook as one that is dropped silently when the tensor is pickled."""
    f.__torch_unserializable__ = True
    return f


def warn_if_has_hooks(tensor):
    """Warn about the tensor's hooks that a pickle of it will not have."""
    for hook in (tensor._backward_hooks or {}).values():
        if not hasattr(hook, "__torch_unserializable__"):
            warnings.warn(
                f"backward hook {hook!r} on tensor will not be serialized.  If this is expected, you can decorate the function with "
                "@torch.utils.hooks.unserializable_hook to suppress this warning",
                stacklevel=2,
            )


def _spread(indices, values, size):
    """A tuple with values at their places and None elsewhere."""
    spread = [None] * size
    for index, value in zip(indices, values, strict=True):
        spread[index] = value
    return tuple(spread)


def _replaced(grads, replacement, kind, what):
    """What a hook of a kind makes of gradients: as many others, or with None the same."""
    if replacement is None:
        return grads
    if len(replacement) != len(grads):
        raise RuntimeError(f"{kind} returned an invalid number of {what}, got {len(replacement)}, but expected {len(grads)}")
    return replacement


class BackwardHook:
    """Calls a module's full backward hooks from two identity nodes: one around its inputs, one around its outputs.

    Parameters
    ----------
    module : Module
    user_hooks, user_pre_hooks : list of callable
        The full backward hooks and the backward pre-hooks, in the order in which they are called.
    """

    def __init__(self, module, user_hooks, user_pre_hooks):
        self.module = module
        self.user_hooks = user_hooks
        self.user_pre_hooks = user_pre_hooks
        self.grad_outputs = None
        self.n_inputs = self.n_outputs = -1
        self.input_tensors_index = self.output_tensors_index = None

    def _through_node(self, values, register):
        """Pass the tensors of a tuple through one identity node, which gets a hook; nothing where no gradient flows."""
        from runtime.nn.modules._functions import BackwardHookFunction

        places = [i for i, value in enumerate(values) if isinstance(value, Tensor)]
        if not (any(values[i].requires_grad for i in places) and is_grad_enabled()):
            return values, None
        passed = BackwardHookFunction.apply(*[values[i] for i in places])
        register(next(t.grad_fn for t in passed if t.grad_fn is not None))
        replaced = list(values)
        for place, value in zip(places, passed, strict=True):
            replaced[place] = value
        return (tuple(replaced) if type(values) is tuple else type(values)(*replaced)), places

    def setup_input_hook(self, args):
        """The module's arguments behind a node that calls the hooks when their gradients are known."""
        args, self.input_tensors_index = self._through_node(args, lambda node: node.register_hook(self._on_input_gradients))
        self.n_inputs = len(args)
        return args

    def setup_output_hook(self, result):
        """The module's results behind a node that keeps their gradients and calls the pre-hooks."""
        single = not isinstance(result, tuple)
        results = (result,) if single else result
        results, self.output_tensors_index = self._through_node(results, lambda node: node.register_hook(self._on_output_gradients))
        self.n_outputs = len(results)
        return results[0] if single else results

    def _on_input_gradients(self, grad_input, _grad_output):
        # Without gradients of outputs the graph was entered in the middle, behind the output node.
        if self.grad_outputs is None:
            return None
        grads = _spread(self.input_tensors_index, grad_input, self.n_inputs)
        for hook in self.user_hooks:
            grads = _replaced(grads, hook(self.module, grads, self.grad_outputs), "Backward hook", "grad_input")
        self.grad_outputs = None
        return tuple(grads[i] for i in self.input_tensors_index)

    def _on_output_gradients(self, _grad_input, grad_output):
        grads = _spread(self.output_tensors_index, grad_output, self.n_outputs)
        for hook in self.user_pre_hooks:
            grads = _replaced(grads, hook(self.module, grads), "Backward pre hook", "grad_output")
        self.grad_outputs = grads
        if self.input_tensors_index is None:
            self._without_input_gradients()
        return tuple(grads[i] for i in self.output_tensors_index)

    def _without_input_gradients(self):
        warnings.warn(
            "Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require gradients.",
            stacklevel=5,
        )
        for hook in self.user_hooks:
            replaced = hook(self.module, (None,) * self.n_inputs, self.grad_outputs)
            if replaced is not None and not (isinstance(replaced, tuple) and all(grad is None for grad in replaced)):
                raise RuntimeError("Backward hook for Modules where no input requires gradient should always return None or None for all gradients.")
        self.grad_outputs = None
