"""Checkpointing: what backward needs of a function is not kept, but computed again by a second call of the function.

Two ways: ``use_reentrant=False`` replaces what nodes save (`runtime.utils._recomputation`) and is the one to use; ``use_reentrant=True`` is a
custom function whose backward runs the engine again, and works for plain `backward` only. Both give the second call the random numbers
and the autocast state of the first one.
"""

import contextlib
import warnings

from runtime import _core, pytree
from runtime._core import Tensor, enable_grad, is_grad_enabled, no_grad
from runtime.amp.autocast_mode import autocast
from runtime.autograd import Function, backward
from runtime.random import fork_rng
from runtime.utils._recomputation import CheckpointError, Frame, GraphExecGroup, describe, recording
from runtime.utils._selective import (
    SAC_IGNORED_OPS,
    CheckpointPolicy,
    SelectiveCheckpointContext,
    create_selective_checkpoint_contexts,
)

__all__ = [
    "SAC_IGNORED_OPS",
    "CheckpointError",
    "CheckpointFunction",
    "CheckpointPolicy",
    "DefaultDeviceType",
    "GraphExecGroup",
    "SelectiveCheckpointContext",
    "check_backward_validity",
    "checkpoint",
    "checkpoint_sequential",
    "create_selective_checkpoint_contexts",
    "detach_variable",
    "get_device_states",
    "noop_context_fn",
    "set_checkpoint_debug_enabled",
    "set_checkpoint_early_stop",
    "set_device_states",
]

_debug_enabled = None
_early_stop = None
_DETERMINISM_CHECKS = {"default": describe, "none": lambda tensor: None}


# ------------------------------------------------------------------------------------------------------------- settings


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled):
    """For a ``with`` block: the `debug` argument of `checkpoint` is taken to be this.

    Parameters
    ----------
    enabled : bool or None
        None leaves it to the calls.
    """
    global _debug_enabled
    before, _debug_enabled = _debug_enabled, enabled
    try:
        yield
    finally:
        _debug_enabled = before


@contextlib.contextmanager
def set_checkpoint_early_stop(enable):
    """For a ``with`` block around calls of `checkpoint`: whether their recomputations stop when all that is needed is there.

    Parameters
    ----------
    enable : bool
        It goes before the `early_stop` argument of the calls.
    """
    global _early_stop
    before, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = before


class DefaultDeviceType:
    """The device type whose state is kept where no argument lies on another device than the CPU."""

    _default_device_type = None

    @staticmethod
    def set_device_type(device="cuda"):
        """Set the device type."""
        DefaultDeviceType._default_device_type = device

    @staticmethod
    def get_device_type():
        """The device type: the CPU unless it was set."""
        return DefaultDeviceType._default_device_type or "cpu"


def get_device_states(*args):
    """The random states of the devices of some arguments: two empty lists, since only the CPU has a generator."""
    return [], []


def set_device_states(devices, states, *, device_type=None):
    """Set the random states of devices.

    Parameters
    ----------
    devices : sequence of int
        Numbers of devices; there are none.
    states : sequence of Tensor
    device_type : str, optional
    """
    if devices:
        raise RuntimeError(f"set_device_states(): there are no devices {list(devices)} with a generator of their own")


def noop_context_fn():
    """Two contexts that do nothing: the default of `checkpoint`."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def detach_variable(inputs):
    """A tuple of arguments with its tensors detached from their graph; they need gradients as before."""
    if not isinstance(inputs, tuple):
        raise RuntimeError(f"Only tuple of tensors is supported. Got Unsupported input type: {type(inputs).__name__}")
    return tuple(one.detach().requires_grad_(one.requires_grad) if isinstance(one, Tensor) else one for one in inputs)


def check_backward_validity(inputs):
    """Warn if none of some arguments needs a gradient."""
    if not any(one.requires_grad for one in inputs if isinstance(one, Tensor)):
        warnings.warn("None of the inputs have requires_grad=True. Gradients will be None", stacklevel=2)


def _autocast_again():
    """A function that makes the autocast context of now, for later."""
    enabled, dtype = _core.is_autocast_enabled("cpu"), _core.get_autocast_dtype("cpu")
    cached = _core.is_autocast_cache_enabled()
    return lambda: autocast("cpu", enabled=enabled, dtype=dtype, cache_enabled=cached)


@contextlib.contextmanager
def _as_before(rng_state, autocast_context):
    """For a ``with`` block: the random state (unless None) and autocast as they were in the first call."""
    with fork_rng(devices=(), enabled=rng_state is not None):
        if rng_state is not None:
            _core.set_rng_state(rng_state)
        with autocast_context():
            yield


# ------------------------------------------------------------------------------------------------------------ reentrant


class CheckpointFunction(Function):
    """The reentrant way: backward calls the function again, with a graph, and runs the engine on that."""

    @staticmethod
    def forward(ctx, run_function, preserve_rng_state, *args):
        """Call the function without a graph."""
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.autocast_context = _autocast_again()
        ctx.rng_state = _core.get_rng_state() if preserve_rng_state else None
        ctx.inputs = [None if isinstance(arg, Tensor) else arg for arg in args]
        ctx.tensor_indices = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx.save_for_backward(*(args[i] for i in ctx.tensor_indices))
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx, *grads):
        """Call the function with a graph, and run backward through it."""
        if not _core._is_checkpoint_valid():
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or passing an `inputs` parameter to .backward(). "
                "To resolve this error, you can either set use_reentrant=False, or call .backward() without passing the `inputs` argument."
            )
        inputs = list(ctx.inputs)
        for i, tensor in zip(ctx.tensor_indices, ctx.saved_tensors, strict=True):
            inputs[i] = tensor
        inputs = detach_variable(tuple(inputs))
        with _as_before(ctx.rng_state, ctx.autocast_context), enable_grad():
            outputs = ctx.run_function(*inputs)
        outputs = (outputs,) if isinstance(outputs, Tensor) else outputs
        wanted = [(out, grad) for out, grad in zip(outputs, grads) if isinstance(out, Tensor) and out.requires_grad]
        if not wanted:
            raise RuntimeError("none of output has requires_grad=True, this checkpoint() is not necessary")
        backward(*zip(*wanted))
        return (None, None, *(one.grad if isinstance(one, Tensor) else None for one in inputs))


# -------------------------------------------------------------------------------------------------------- non-reentrant


_DEBUG_REPORT = """ \
An error happened while unpacking tensors; dumping logs of latest computation
because you passed `debug=True` to `torch.utils.checkpoint.checkpoint()`.

1. Stack traces of the operators that ran in the original forward

{forward_stacks}
2. Stack traces of the operators that ran during recomputation

{recompute_stacks}
3. Log of operators in the original forward and recomputation
   ("detach" calls may differ: checkpointing makes them.)

Operations executed during the original forward:

{forward_log}

Operations executed during recomputation:

{recompute_log}

ERROR: Detected non-determinism while running activation checkpointing

You are seeing this error because you passed `debug=True` to checkpoint and
tensors to be saved during the original forward and differ between those saved
during recomputation. Compare the operators of both runs above to see where they
part; the stack traces tell where they were called.
"""


class _Log:
    """The operator calls of a run of the function, with the stack of each."""

    lines = stacks = ()

    @contextlib.contextmanager
    def context(self):
        """Log the calls of a block."""
        from runtime.testing.logging_tensor import LoggingTensorMode, capture_logs

        with LoggingTensorMode(), capture_logs(True, python_tb=True) as (self.lines, self.stacks):
            yield

    def with_stacks(self, label):
        """The log as text, with the callers of each operator."""
        text = ""
        for i, (line, stack) in enumerate(zip(self.lines, self.stacks, strict=True), 1):
            text += f"{line}   ({i} of {len(self.lines)} in {label})\n\n"
            names = [frame["name"] for frame in stack]
            callers = stack[names.index("__torch_dispatch__") + 1 :]
            text += "".join(f"{frame['filename']}:{frame['line']}:{frame['name']}\n" for frame in callers) + "\n\n"
        return text


def _debugging():
    """The `context_fn` of a call with `debug=True`, and what makes the report."""
    forward, again = _Log(), _Log()

    def report(error):
        raise CheckpointError(
            _DEBUG_REPORT.format(
                forward_stacks=forward.with_stacks("original"),
                recompute_stacks=again.with_stacks("recompute"),
                forward_log="\n".join(forward.lines),
                recompute_log="\n".join(again.lines),
            )
        ) from error

    return lambda: (forward.context(), again.context()), report


_SUPPRESSED = (
    "torch.utils.checkpoint: the forward context provided by context_fn suppressed an exception raised during the checkpointed forward. This "
    "is not supported because checkpoint cannot return a value for a failed forward."
)


def _checkpoint_without_reentrant_generator(
    fn, preserve_rng_state=True, context_fn=noop_context_fn, determinism_check="default", debug=False, early_stop=True, *args, **kwargs
):
    """The surroundings of a call of a checkpointed function: a generator that stops once, for the call."""
    on_error = None
    if _debug_enabled if _debug_enabled is not None else debug:
        if context_fn is not noop_context_fn:
            raise ValueError("debug=True is incompatible with non-default context_fn")
        context_fn, on_error = _debugging()
    if determinism_check not in _DETERMINISM_CHECKS:
        raise ValueError(f"determinism_check should be one of {list(_DETERMINISM_CHECKS)}, but got {determinism_check}")
    forward_context, recompute_context = context_fn()
    autocast_context = _autocast_again()
    rng_state = _core.get_rng_state() if preserve_rng_state else None

    def recompute(*inputs):
        with _as_before(rng_state, autocast_context), recompute_context:
            fn(*inputs, **kwargs)

    if not is_grad_enabled():
        yield
        return
    stop = _early_stop if _early_stop is not None else early_stop
    frame = Frame(recompute, args, stop, on_error, _DETERMINISM_CHECKS[determinism_check])
    failed = False
    with recording(frame), forward_context:
        try:
            yield
        except BaseException:
            failed = True
            raise
    if failed:
        raise RuntimeError(_SUPPRESSED)
    frame.forward_completed = True


# ---------------------------------------------------------------------------------------------------------------- calls


def checkpoint(
    function,
    *args,
    use_reentrant=None,
    context_fn=noop_context_fn,
    determinism_check="default",
    debug=False,
    early_stop=True,
    **kwargs,
):
    """Call a function so that backward calls it again, instead of keeping what it has computed.

    Parameters
    ----------
    function : callable
        It must do the same whenever it is called.
    *args, **kwargs
        Its arguments. `preserve_rng_state` (default True) is none of them: it says whether the second call gets the random numbers of the
        first one. The reentrant way takes no keyword arguments.
    use_reentrant : bool
        False for the way that works with `grad`, nested calls and graphs inside arguments.
    context_fn : callable, optional
        Makes two contexts: for the first call and for those in backward. See `create_selective_checkpoint_contexts`.
    determinism_check : {"default", "none"}
        Whether shapes, dtypes and devices of what is computed again are compared.
    debug : bool
        Whether errors show the operators of both calls.
    early_stop : bool
        Whether the second call ends as soon as the last tensor that is needed is there.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    CheckpointError
        In backward, if the function saved other tensors in the second call.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.utils.checkpoint import checkpoint
    >>> x = rt.tensor([0.0, 1.0], requires_grad=True)
    >>> checkpoint(lambda t: t.exp().exp(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([ 2.7183, 41.1936])
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. Starting in PyTorch 2.9, calling checkpoint "
            "without use_reentrant will raise an exception. use_reentrant=False is recommended, but if you need to preserve the current default "
            "behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug is not False:
            raise ValueError("Passing `context_fn` or `debug` is only supported when use_reentrant=False.")
        return CheckpointFunction.apply(function, preserve, *args)
    around = _checkpoint_without_reentrant_generator(function, preserve, context_fn, determinism_check, debug, early_stop, *args, **kwargs)
    next(around)
    try:
        result = function(*args, **kwargs)
    except BaseException as error:
        try:
            around.throw(error)
        except StopIteration as stop:
            raise RuntimeError(_SUPPRESSED) from stop
        raise
    next(around, None)
    return result


def checkpoint_sequential(functions, segments, input, use_reentrant=None, **kwargs):
    """Call functions one after the other, in segments each of which is checkpointed, but for the last one.

    Parameters
    ----------
    functions : Sequential or sequence of callable
        Each gets what the one before returned.
    segments : int
        The number of segments.
    input : Tensor
        What the first function gets.
    use_reentrant, preserve_rng_state : bool
        See `checkpoint`.

    Returns
    -------
    Tensor
        What the last function returns.
    """
    from runtime.nn import Sequential

    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be passed explicitly. In version 2.9 we will raise "
            "an exception if use_reentrant is not passed. use_reentrant=False is recommended, but if you need to preserve the current default "
            "behavior, you can pass use_reentrant=True. Refer to docs for more details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))

    def segment(first, last):
        def run(value):
            for function in functions[first:last]:
                value = function(value)
            return value

        return run

    functions = list(functions.children()) if isinstance(functions, Sequential) else functions
    size = len(functions) // segments
    start = size * (segments - 1)
    for first in range(0, start, size or 1):
        input = checkpoint(segment(first, first + size), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return segment(start, len(functions))(input)


def _infer_device_type(*args):
    """The type of the first device, other than the CPU, of arguments, or the one that `DefaultDeviceType` says."""
    found = [leaf.device.type for leaf in pytree.tree_leaves(args) if isinstance(leaf, Tensor) and leaf.device.type != "cpu"]
    if len(set(found)) > 1:
        warnings.warn(
            "Tensor arguments, excluding CPU tensors, are detected on at least two types of devices. Device state will only be saved for "
            f"devices of a single device type, and the remaining devices will be ignored. Device types: {sorted(set(found))}, first device "
            f"type: {found[0]}",
            stacklevel=2,
        )
    return found[0] if found else DefaultDeviceType.get_device_type()
