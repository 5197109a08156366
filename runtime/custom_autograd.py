"""Recording calls of users' operators: by the formulas that are registered for them, and of operators that have none.

The kernels at the Autograd keys (runtime/core/custom_op.pxi, operator.pxi) come here when an argument needs a gradient. A formula becomes a
custom function whose forward calls the operator below autograd; lists of tensors are spread over its arguments and results.
"""

import functools
import warnings

from runtime import _core
from runtime._core import Tensor
from runtime.autograd.function import Function
from runtime.custom_ops import OPDEFS
from runtime.operator_facts import fill_defaults
from runtime.operator_rules import autograd_formulas


def _formula(op):
    """(backward, setup_context) of an operator, each None where it is not registered."""
    definition = OPDEFS.get(op._schema.name)
    if definition is not None:
        return definition._backward_fn, definition._setup_context_fn
    found = autograd_formulas.get(op._name) or autograd_formulas.get(op._schema.name)
    return (None, None) if found is None else (found.backward, found.setup_context)


def _is_tensors(value, with_none=False):
    return isinstance(value, list) and all(isinstance(one, Tensor) or with_none and one is None for one in value)


def _spread(values):
    """Values with the tensors of lists in the lists' places, and the length of each list (None for what is no list)."""
    flat, counts = [], []
    for value in values:
        if _is_tensors(value):
            flat.extend(value)
            counts.append(len(value))
        else:
            flat.append(value)
            counts.append(None)
    return flat, counts


def _gathered(flat, counts):
    """Undo `_spread`."""
    values, place = [], 0
    for count in counts:
        if count is None:
            values.append(flat[place])
            place += 1
        else:
            values.append(list(flat[place : place + count]))
            place += count
    return tuple(values)


class _Call:
    """One call that is being recorded: what the operator gets beside tensors, and how its results were spread."""

    def __init__(self, keyset, kwargs, counts):
        self.keyset, self.kwargs, self.counts = keyset, kwargs, counts
        self.result_counts, self.single = None, False


class _needs_gathered:
    """For a ``with`` block: `ctx.needs_input_grad` has the structure of the operator's arguments."""

    def __init__(self, ctx):
        self.ctx = ctx

    def __enter__(self):
        self.flat = self.ctx.needs_input_grad
        self.ctx.needs_input_grad = _gathered(self.flat[1:], self.ctx._call.counts)

    def __exit__(self, *exception):
        self.ctx.needs_input_grad = self.flat


@functools.lru_cache(None)
def _function_of(op):
    """The custom function of an operator. It looks its formula up in each call, since that may come later and change."""

    def forward(ctx, call, *flat):
        args = _gathered(flat, call.counts)
        with _core._AutoDispatchBelowAutograd():
            result = op.redispatch(call.keyset & _core._after_autograd_keyset, *args, **call.kwargs)
            ctx._call = call
            setup_context = _formula(op)[1]
            if setup_context is not None:
                args, kwargs = fill_defaults(op._schema, args, call.kwargs)
                with _needs_gathered(ctx):
                    if any(spec.kwarg_only for spec in op._schema.arguments):
                        setup_context(ctx=ctx, inputs=args, keyword_only_inputs=kwargs, output=result)
                    else:
                        setup_context(ctx=ctx, inputs=args, output=result)
        call.single = not isinstance(result, tuple)
        spread, call.result_counts = _spread((result,) if call.single else result)
        return tuple(spread)

    def backward(ctx, *grads):
        formula = _formula(op)[0]
        if formula is None:
            raise RuntimeError(f"Trying to backward through {op} but no autograd formula was registered. Please use register_autograd to add one.")
        with _needs_gathered(ctx):
            made = formula(ctx, *_gathered(grads, ctx._call.result_counts))
        made = made if isinstance(made, tuple) else (made,)
        return (None, *_spread_grads(made, ctx._call.counts))

    name = f"GeneratedBackwardFor_{op._schema.name.replace('::', '_')}_{op._overloadname}"
    return type(name, (Function,), {"forward": staticmethod(forward), "backward": staticmethod(backward)})


def _spread_grads(grads, counts):
    """Gradients of a formula in the places of the arguments; a list of them for a list of tensors."""
    if all(count is None for count in counts):
        return grads
    shape = [len(grad) if _is_tensors(grad, with_none=True) else None for grad in grads]
    if shape != counts:
        raise RuntimeError(
            f"Expected the return from backward to be of the same structure as the inputs. Got: {_shown(shape)} (return from backward), "
            f"{_shown(counts)} (inputs)"
        )
    return [one for grad in grads for one in (grad if isinstance(grad, list) else [grad])]


def _shown(counts):
    """The structure of arguments: stars for single ones, lists of stars for lists."""
    parts = ["*" if count is None else f"[{', '.join('*' * count)}]" for count in counts]
    return f"({', '.join(parts)})"


def record(keyset, op, *args, **kwargs):
    """Call an operator that has a formula, or is to have one, and record the call.

    Parameters
    ----------
    keyset : DispatchKeySet
        The keys of the call.
    op : OpOverload
        The operator.
    *args, **kwargs
        Its arguments; some tensor needs a gradient.

    Returns
    -------
    object
        What the operator returns; its tensors have a node whose backward is the formula, or an error without one.
    """
    flat, counts = _spread(args)
    call = _Call(keyset, kwargs, counts)
    results = _gathered(_function_of(op).apply(call, *flat), call.result_counts)
    return results[0] if call.single else results


# -------------------------------------------------------------------------------------- operators with nothing at Autograd

_WARNING = (
    "{}: an autograd kernel was not registered to the Autograd key(s) but we are trying to backprop through it. This may lead to silently "
    "incorrect behavior. This behavior is deprecated and will be removed in a future version of PyTorch. If your operator is differentiable, "
    "please ensure you have registered an autograd kernel to the correct Autograd key (e.g. DispatchKey::Autograd, "
    "DispatchKey::CompositeImplicitAutograd). If your operator is not differentiable, or to squash this warning and use the previous behavior, "
    "please register torch::CppFunction::makeFallthrough() to DispatchKey::Autograd."
)


def _warn(name):
    warnings.warn(_WARNING.format(name), UserWarning, stacklevel=2)


class WarnNotImplemented(Function):
    """The node of results of an operator that has nothing at the Autograd keys: backward warns, and has no gradients."""

    @staticmethod
    def forward(ctx, name, count, *tensors):
        """Give the first `count` tensors a history of all the others."""
        ctx.name_of_operator, ctx.count = name, len(tensors) + 2
        ctx.mark_dirty(*tensors[:count])
        return tensors[:count]

    @staticmethod
    def backward(ctx, *grads):
        """Warn."""
        _warn(ctx.name_of_operator)
        return (None,) * ctx.count


def _tensors(values):
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)


def record_unregistered(keyset, op, *args, **kwargs):
    """Call an operator that has nothing at the Autograd keys, and let backward through its results warn.

    Parameters
    ----------
    keyset : DispatchKeySet
        The keys of the call.
    op : OpOverload
        The operator.
    *args, **kwargs
        Its arguments; some tensor needs a gradient.

    Returns
    -------
    object
        What the operator returns.
    """
    inputs = [one for one in _tensors((*args, *kwargs.values())) if one.requires_grad]
    given = {id(one) for one in _tensors((*args, *kwargs.values()))}
    result = op.redispatch(keyset & _core._after_autograd_keyset, *args, **kwargs)
    name = op._schema.name
    fresh = []
    for one in _tensors((result,)):
        if not (one.dtype.is_floating_point or one.dtype.is_complex):
            continue
        if one.requires_grad:
            # The backend's kernel has been recorded itself, which is likely to count gradients twice or not at all.
            if id(one) not in given or any(spec.is_write for spec in op._schema.arguments):
                one.register_hook(lambda grad: _warn(name))
        elif id(one) not in given and one._base is None and not one.is_inference():
            fresh.append(one)
    if fresh:
        WarnNotImplemented.apply(name, len(fresh), *fresh, *inputs)
    return result


_core._set_formula_recorder(record)
_core._set_unregistered_recorder(record_unregistered)
