"""Tangents of the results of operators and custom functions: what the core asks for when an argument has a tangent.

The formulas are those of kernels/derivatives.yaml. While they run tangents are not propagated, since tangents have none themselves; but
they are recorded for backward like any other calls, which makes forward mode over reverse mode.
"""

from runtime import _core
from runtime._core import Tensor, ops
from runtime.autograd.forward_ad import _set_fwd_grad_enabled, _with_layout_of

_NOT_BUILT = (
    "Please file an issue to PyTorch at https://github.com/pytorch/pytorch/issues/new?template=feature-request.yml so that we can prioritize "
    "its implementation or submit a PR adding the implementation to derivatives.yaml"
)


def propagate(func, names, arguments, inputs, tangent, outputs, made, primal, set_tangent):
    """Give the results of an operator their tangents.

    Parameters
    ----------
    func : OpOverload
        The operator.
    names, arguments : list
        Its arguments' names and values.
    inputs : list of int
        The places of the differentiable arguments.
    tangent : None, "linear" or (callable, tuple of str)
        The formula: a function with the names of its parameters, or "linear" for the operator itself on tangents.
    outputs : tuple of bool or None
        Which results are differentiable; None for all.
    made : object
        What the operator returned.
    primal : Tensor or None
        What the argument that the operator wrote was before.
    set_tangent : callable
        Takes a tensor and its tangent.
    """
    places = [place for place in inputs if _has_tangent(arguments[place])]
    if not places:
        return
    results = _results(func, made, arguments)
    differentiable = [outputs is None or outputs[i] for i in range(len(results))]
    if not any(wanted and _has_derivative(one) for one, wanted in zip(results, differentiable)):
        return
    if tangent is None:
        raise _not_implemented(func)
    written = _written(func, arguments)
    with _set_fwd_grad_enabled(False):
        if tangent == "linear":
            new = _linear(func, names, arguments, inputs, written)
        else:
            function, wanted = tangent
            new = function(*[_value(name, func, names, arguments, results, written, primal) for name in wanted])
        new = (new,) if len(results) == 1 else _for_each(new, differentiable)
        for one, its, wanted in zip(results, new, differentiable):
            if not wanted or its is None:
                continue
            if isinstance(one, (list, tuple)):
                for tensor, part in zip(one, its):
                    if part is not None:
                        _give(tensor, part, written, set_tangent)
            else:
                _give(one, its, written, set_tangent)


def _for_each(new, differentiable):
    """The tangents of a formula, one for each result: it may give those of the differentiable ones only, and the only one as it is."""
    new = new if isinstance(new, (list, tuple)) else (new,)
    if len(new) == len(differentiable):
        return new
    given = iter(new)
    return [next(given) if wanted else None for wanted in differentiable]


def refuse_unknown(func, made, is_out):
    """Raise for an operator that propagates no tangents: one with out= arguments, or without a derivative.

    Results that could have no derivative anyway are no reason to.
    """
    if is_out:
        name = func._schema.name.partition("::")[2]
        raise NotImplementedError(f"Trying to use forward AD with {name}_out that does not support it because it is an out= function")
    if any(_has_derivative(one) for one in (made if isinstance(made, (list, tuple)) else (made,))):
        raise _not_implemented(func)


def _not_implemented(func):
    name = func._schema.name.partition("::")[2]
    return NotImplementedError(
        f"Trying to use forward AD with {name} that does not support it because it has not been implemented yet.\n{_NOT_BUILT}"
    )


def _has_tangent(value):
    if isinstance(value, Tensor):
        return _core._get_tangent(value) is not None
    return isinstance(value, (list, tuple)) and any(_has_tangent(one) for one in value)


def _has_derivative(value):
    if isinstance(value, Tensor):
        return value.dtype.is_floating_point or value.dtype.is_complex
    return isinstance(value, (list, tuple)) and any(_has_derivative(one) for one in value)


def _written(func, arguments):
    """The tensor that the operator writes, or None."""
    for spec, value in zip(func._schema.arguments, arguments):
        if spec.is_write and isinstance(value, Tensor):
            return value
    return None


def _results(func, made, arguments):
    """The results, one for each that the schema declares; an operator that returns nothing has made what it wrote."""
    count = len(func._schema.returns)
    if count == 0:
        return [value for spec, value in zip(func._schema.arguments, arguments) if spec.is_write]
    return [made] if count == 1 else list(made)


def _tangent_or_zeros(value):
    """The tangent of an argument, zeros where it has none; those of all tensors of a list."""
    if value is None:
        return None
    if isinstance(value, (int, float, complex)):  # a number in a tensor's place
        return 0
    if not isinstance(value, Tensor):
        return [_tangent_or_zeros(one) for one in value]
    found = _core._get_tangent(value)
    if found is not None:
        return found
    with _core.no_grad():
        return value.new_zeros(value.shape)


def _value(name, func, names, arguments, results, written, primal):
    """What a formula means by a name."""
    if name in names:
        value = arguments[names.index(name)]
        if written is not None and primal is not None and value is written:
            return primal
        return value
    if name.endswith("_t") and name[:-2] in names:
        return _tangent_or_zeros(arguments[names.index(name[:-2])])
    returns = func._schema.returns
    if len(returns) <= 1:
        return results[0]
    return results[[one.name or f"result{i}" for i, one in enumerate(returns)].index(name)]


def _linear(func, names, arguments, inputs, written):
    """The operator itself on tangents."""
    values = list(arguments)
    for place in inputs:
        values[place] = _tangent_or_zeros(values[place])
        if arguments[place] is written and written is not None:
            values[place] = values[place].clone()
    specs = func._schema.arguments
    positional = [value for spec, value in zip(specs, values) if not spec.kwarg_only]
    keywords = {spec.name: value for spec, value in zip(specs, values) if spec.kwarg_only}
    return func(*positional, **keywords)


def _fitted(tangent, tensor):
    """A tangent in the shape and dtype of its tensor: formulas leave broadcasting and casts out."""
    if tangent.dtype != tensor.dtype:
        if tangent.dtype.is_complex and not tensor.dtype.is_complex:
            tangent = tangent.real
        tangent = tangent.to(tensor.dtype)
    return tangent if tangent.shape == tensor.shape else tangent.expand(tensor.shape)


def _give(tensor, tangent, written, set_tangent):
    """Let a result have its tangent. A tensor that was written keeps the tangent that it has, with new values."""
    if not isinstance(tensor, Tensor) or not _has_derivative(tensor):
        return
    tangent = _fitted(tangent, tensor)
    before = _core._get_tangent(tensor) if tensor is written else None
    if before is not None:
        if before is not tangent:
            before.copy_(tangent)
        return
    if tensor is written and tensor._base is not None and _core._get_tangent(tensor._base) is None:
        # Who looks at the base is to find the tangent there.
        base = tensor._base
        set_tangent(base, _with_layout_of(base.new_zeros(base.shape), base))
        before = _core._get_tangent(tensor)
        if before is not None:
            before.copy_(tangent)
            return
    set_tangent(tensor, tangent)


def tangent_of_view(view, base, steps):
    """Give a view of a tensor that has got a tangent its own: the same view of that tangent.

    Parameters
    ----------
    view, base : Tensor
        The view, and what it looks at.
    steps : tuple or None
        How to make the view anew where `as_strided` cannot: operators and their arguments but the first.
    """
    with _set_fwd_grad_enabled(False):
        tangent = _core._get_tangent(base)
        fitting = _with_layout_of(tangent, base)
        if fitting is not tangent:
            _core._set_tangent(base, fitting)
        shift = fitting.storage_offset() - base.storage_offset()
        if steps is None:
            made = fitting.as_strided(view.shape, view.stride(), view.storage_offset() + shift)
        else:
            made = fitting
            for op, args in steps:
                if op is ops.aten.as_strided.default:
                    args = (*args[:2], args[2] + shift)
                made = op(made, *args)
        _core._set_tangent(view, made)


def propagate_through_function(cls, ctx, args, wrapped, set_tangent):
    """Give the results of a custom function the tangents that its `jvp` makes.

    Parameters
    ----------
    cls : type
        The function.
    ctx : FunctionCtx
        The context of the call.
    args : tuple
        Its arguments.
    wrapped : list
        Its results.
    set_tangent : callable
        Takes a tensor and its tangent.
    """
    given = [_core._get_tangent(one) if isinstance(one, Tensor) else None for one in args]
    versions = {id(tangent): tangent._version for tangent in given if tangent is not None}
    with _set_fwd_grad_enabled(False):
        shown = [
            one.new_zeros(one.shape) if tangent is None and isinstance(one, Tensor) and ctx.materialize_grads and _has_derivative(one) else tangent
            for one, tangent in zip(args, given)
        ]
        made = ctx.apply_jvp(*shown)
        made = made if isinstance(made, tuple) else (made,)
        if len(made) != len(wrapped):
            raise RuntimeError(f"Function's jvp returned an invalid number of forward gradients (expected {len(wrapped)} but got {len(made)})")
        dirty = {id(one) for one in ctx.dirty_tensors or ()}
        fixed = {id(one) for one in ctx.non_differentiable or ()}
        inputs = {id(one): tangent for one, tangent in zip(args, given)}
        for place, (tensor, tangent) in enumerate(zip(wrapped, made)):
            if tangent is not None and not isinstance(tangent, Tensor):
                raise TypeError(f"expected Variable or None (got {type(tangent).__name__})")
            if tangent is None:
                continue
            if not isinstance(tensor, Tensor) or not _has_derivative(tensor) or id(tensor) in fixed:
                raise RuntimeError(
                    f"Function's jvp returned a gradient at position {place}, but  the corresponding forward output is not a differentiable "
                    "Tensor.You should return None at that position instead."
                )
            if id(tensor) in dirty:
                _give_dirty(tensor, tangent, inputs.get(id(tensor)), versions, set_tangent)
                continue
            _check_view(tensor, tangent, args, given)
            if tensor.shape != tangent.shape:
                raise RuntimeError(
                    "Trying to set a forward gradient that has a different size than that of the original Tensor, this is not supported. "
                    f"Tensor is of size {list(tensor.shape)} while the given forward gradient is of size {list(tangent.shape)}."
                )
            set_tangent(tensor, tangent)


def _give_dirty(tensor, tangent, before, versions, set_tangent):
    """Let an argument that the function has written have its new tangent."""
    if before is None:
        set_tangent(tensor, tangent)
        return
    if before._version == versions[id(before)]:
        raise RuntimeError(
            "An inplace custom Function is not modifying the forward mode gradients inplace. If the forward is modifying an input inplace, "
            "then the jvp function must modify the corresponding gradient inplace."
        )
    if tangent is not before:
        raise RuntimeError(
            "An inplace custom Function is not returning the forward mode gradients as-is. If the forward is modifying an input inplace, then "
            "the jvp function must modify the gradient inplace and return it as-is."
        )


def _check_view(tensor, tangent, args, given):
    """A view of an argument with a tangent must have a view of that one's tangent."""
    base = tensor._base
    if base is None:
        return
    for one, its in zip(args, given):
        if its is None or one is not base and one._base is not base:
            continue
        if tangent._base is None:
            raise RuntimeError("A custom Function's forward is returning a view (or an input as-is) but the jvp is not returning a view.")
        if its._base is None and tangent._base is not its:
            raise RuntimeError("A custom Function is returning a view but the jvp is not returning a view of the given grad input.")
        if its._base is not None and tangent._base is not its._base:
            raise RuntimeError(
                "A custom Function is returning a view but the jvp is not returning a view of the same base as the given grad input."
            )
        return
