"""`backward` and `grad`: run the engine from tensors, with gradients given or made."""

import logging
import operator
import warnings
from collections.abc import Mapping

from runtime import _core
from runtime._core import Node, Tensor
from runtime.overrides import handle_torch_function, has_torch_function
from runtime.settings import warn_once

__all__ = ["backward", "grad"]

_logger = logging.getLogger("torch.autograd.graph")


def _as_tuple(value):
    if isinstance(value, Tensor) or _is_edge(value):
        return (value,)
    return tuple(value)


def _is_edge(value):
    return isinstance(value, tuple) and len(value) >= 2 and isinstance(value[0], Node)


def _as_inputs(value):
    """Inputs as a tuple; those of a dict are its values."""
    return tuple(value.values()) if type(value) is dict else _as_tuple(value)


def _as_flag(value):
    """A setting for the engine, which takes integers for bools but nothing else."""
    return bool(operator.index(value))


def _engine_edge(value):
    return (value[0], value[1]) if _is_edge(value) else value


def _input_edge(value):
    if not isinstance(value, Tensor) and not _is_edge(value):
        raise RuntimeError(f"all inputs have to be Tensors or GradientEdges, but got {type(value).__name__}")
    return _engine_edge(value)


def _as_given(tensors, length):
    """Gradients as a tuple; None for each of `length` outputs if there are none."""
    return (None,) * length if tensors is None else _as_tuple(tensors)


def _calculate_shape(output, grad, is_grads_batched):
    """The shapes of an output and of one gradient for it, which must agree."""
    shape = output[0]._input_metadata[output[1]].shape if _is_edge(output) else output.shape
    return shape, grad.shape[1:] if is_grads_batched else grad.shape


def _run_engine(starts, grads, keep_graph, create_graph, wanted, allow_unreachable, accumulate_grad):
    """Run the engine; nodes are logged first where the logger "torch.autograd.graph" wants to know.

    `Tensor.backward` of scalars goes to the engine without a look at the logger.
    """
    if not _logger.isEnabledFor(logging.DEBUG):
        return _core._run_backward(starts, grads, keep_graph, create_graph, wanted, allow_unreachable, accumulate_grad)
    from runtime.autograd.graph import _engine_run_backward

    return _engine_run_backward(starts, grads, keep_graph, create_graph, wanted, allow_unreachable, accumulate_grad)


def _check_shape(i, grad, output, is_batched):
    if not is_batched:
        if tuple(grad.shape) != tuple(output.shape):
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{i}] has a shape of {_size(grad.shape)} and output[{i}] has a shape of {_size(output.shape)}."
            )
    elif grad.dim() == 0 or tuple(grad.shape[1:]) != tuple(output.shape):
        raise RuntimeError(
            "If `is_grads_batched=True`, we interpret the first dimension of each grad_output as the batch dimension. The sizes of the remaining "
            f"dimensions are expected to match the shape of corresponding output, but a mismatch was detected: grad_output[{i}] has a shape of "
            f"{_size(grad.shape[2:])} and output[{i}] has a shape of {_size(output.shape)}. If you only want some tensors in `grad_output` to be "
            "considered batched, consider using vmap."
        )


def _size(shape):
    return f"torch.Size({list(shape)})"


def _make_grads(outputs, grads, is_grads_batched):
    """A gradient for each output: those that are given, and ones for scalars."""
    import runtime

    made = []
    if len(grads) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(grads)} gradients")
    for i, (output, grad) in enumerate(zip(outputs, grads)):
        if isinstance(grad, Tensor):
            if isinstance(output, Tensor):
                _check_shape(i, grad, output, is_grads_batched)
                if output.dtype.is_complex != grad.dtype.is_complex:
                    raise RuntimeError(
                        "For complex Tensors, both grad_output and output are required to have the same dtype. Mismatch in dtype: "
                        f"grad_output[{i}] has a dtype of {_dtype(grad)} and output[{i}] has a dtype of {_dtype(output)}."
                    )
            made.append(grad)
        elif grad is None:
            if isinstance(output, Tensor) and not output.requires_grad:
                made.append(None)
                continue
            if isinstance(output, Tensor):
                if output.numel() != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                if not output.dtype.is_floating_point:
                    raise RuntimeError(f"grad can be implicitly created only for real scalar outputs but got {_dtype(output)}")
                made.append(runtime.ones_like(output))
            elif not _is_edge(output):
                raise AssertionError(f"Expected output to be a torch.Tensor, but got {type(output).__name__}")
            else:
                metadata = output[0]._input_metadata[output[1]]
                if metadata is None or metadata.shape.numel() != 1:
                    raise RuntimeError("grad can be implicitly created only for scalar outputs")
                made.append(runtime.ones(metadata.shape, dtype=metadata.dtype, device=metadata.device))
        else:
            raise TypeError(f"gradients can be either Tensors or None, but got {type(grad).__name__}")
    return tuple(made)


def _dtype(tensor):
    return f"torch.{str(tensor.dtype).rpartition('.')[2]}"


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, grad_variables=None, inputs=None):
    """Compute gradients of tensors with respect to leaves, and add them to the leaves' `grad`.

    Parameters
    ----------
    tensors : Tensor, GradientEdge, or sequence of them
        What is differentiated.
    grad_tensors : Tensor or sequence of (Tensor or None), optional
        The gradient with respect to each tensor; needed for those that are no scalars.
    retain_graph : bool, optional
        Whether nodes keep what they have saved; by default what `create_graph` is.
    create_graph : bool
        Whether what backward does is recorded, for derivatives of higher order.
    grad_variables : optional
        The older name of `grad_tensors`.
    inputs : Tensor, GradientEdge, or sequence of them, optional
        With respect to what; all leaves by default.

    Raises
    ------
    RuntimeError
        If a tensor needs no gradient, a gradient does not fit, or a node has given back what it had saved.
    """
    if grad_variables is not None:
        warnings.warn("`grad_variables` is deprecated. Use `grad_tensors` instead.", FutureWarning, stacklevel=2)
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to `backward()`. Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    wanted = () if inputs is None else _as_inputs(inputs)
    if inputs is not None and not wanted:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    outputs = _as_tuple(tensors)
    given = _as_given(grad_tensors, len(outputs))
    grads = _make_grads(outputs, given, False)
    if retain_graph is None:
        retain_graph = create_graph
    keep, create = _as_flag(retain_graph), _as_flag(create_graph)
    starts, wanted = tuple(map(_engine_edge, outputs)), tuple(map(_input_edge, wanted))
    if create:
        _warn_of_cycles()
    _run_engine(starts, grads, keep, create, wanted, True, True)


def _warn_of_cycles():
    warn_once(
        "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient which can cause a "
        "memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you have to use this function, make sure "
        "to reset the .grad fields of your parameters to None after use to break the cycle and avoid the leak.",
        stacklevel=3,
    )


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
):
    """Compute gradients of tensors with respect to others, and return them.

    Parameters
    ----------
    outputs : Tensor, GradientEdge, or sequence of them
        What is differentiated.
    inputs : Tensor, GradientEdge, sequence of them, or dict of Tensors
        With respect to what.
    grad_outputs : Tensor or sequence of (Tensor or None), optional
        The gradient with respect to each output; needed for those that are no scalars.
    retain_graph : bool, optional
        Whether nodes keep what they have saved; by default what `create_graph` is.
    create_graph : bool
        Whether what is done here is recorded, for derivatives of higher order.
    only_inputs : bool
        Always True.
    allow_unused : bool, optional
        Whether the outputs may not depend on an input, whose gradient is then None; by default what `materialize_grads` is.
    is_grads_batched : bool
        Whether the first dimension of each of `grad_outputs` counts gradients; results have it too.
    materialize_grads : bool
        Whether zeros stand for None.

    Returns
    -------
    tuple of (Tensor or None)
        Or a dict of them, under the same keys, if `inputs` is one.
    """
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False.")
    if allow_unused is None:
        allow_unused = materialize_grads
    if isinstance(inputs, Mapping) and type(inputs) is not dict:
        raise TypeError(f"`inputs` argument to `grad()` must be a dict, not {type(inputs).__name__}. Other Mapping types are not supported.")
    names = tuple(inputs) if type(inputs) is dict else None
    outputs, inputs = _as_tuple(outputs), _as_inputs(inputs)
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for other parts of the graph, "
            "please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    tensors = tuple(t for t in outputs + inputs if isinstance(t, Tensor))
    if has_torch_function(tensors):
        results = handle_torch_function(
            grad,
            tensors,
            outputs,
            inputs,
            grad_outputs=grad_outputs,
            retain_graph=retain_graph,
            create_graph=create_graph,
            only_inputs=only_inputs,
            allow_unused=allow_unused,
            is_grads_batched=is_grads_batched,
            materialize_grads=materialize_grads,
        )
        return results if names is None else dict(zip(names, results))
    given = _as_given(grad_outputs, len(outputs))
    grads = _make_grads(outputs, given, is_grads_batched)
    if retain_graph is None:
        retain_graph = create_graph
    keep_graph, create, unused = _as_flag(retain_graph), _as_flag(create_graph), _as_flag(allow_unused)
    starts, wanted = tuple(map(_engine_edge, outputs)), tuple(map(_input_edge, inputs))

    def run(some, keep):
        return _run_engine(starts, some, keep, create, wanted, unused, False)

    if is_grads_batched:
        results = _each(run, grads, keep_graph)
    else:
        results = run(grads, keep_graph)
    if materialize_grads:
        if any(result is None and not isinstance(one, Tensor) for result, one in zip(results, inputs)):
            raise RuntimeError("materialize_grads cannot be used when the given input is a GradientEdge")
        results = tuple(one.new_zeros(one.shape, requires_grad=create) if result is None else result for result, one in zip(results, inputs))
    return results if names is None else dict(zip(names, results))


def _each(run, grads, keep):
    """Run the engine for each of a batch of gradients, and stack the results."""
    import runtime

    lengths = [g.shape[0] for g in grads if g is not None]
    if len(set(lengths)) > 1:
        raise ValueError(f"vmap: Expected all tensors to have the same size in the mapped dimension, got sizes {lengths} for the mapped dimension")
    count = lengths[0]
    rows = [run(tuple(None if g is None else g[i] for g in grads), keep or i < count - 1) for i in range(count)]
    return tuple(None if column[0] is None else runtime.stack(column) for column in zip(*rows))
