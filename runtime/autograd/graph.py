"""The autograd graph for users: nodes, edges, and hooks on what is saved and computed."""

import contextlib
import functools
import logging
import threading
import weakref
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from runtime import _core
from runtime._core import Node, Tensor, TorchDispatchMode, enable_grad
from runtime.autograd.backward import _engine_edge, _logger
from runtime.autograd.grad_mode import is_multithreading_enabled
from runtime.utils.hooks import RemovableHandle

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "region_activation_memory_budget",
    "save_on_cpu",
    "saved_tensors_hooks",
    "set_override_stale_capture_stream",
    "set_warn_on_accumulate_grad_stream_mismatch",
]

def saved_property(name):
    """``_saved_NAME`` of a node class."""
    return property(lambda node: _core._saved_value(node, name))


def raw_saved_property(name):
    """``_raw_saved_NAME`` of a node class."""
    return property(lambda node: _core._raw_saved_value(node, name))


# -------------------------------------------------------------------------------------------------------------- edges


class GradientEdge(NamedTuple):
    """Where a tensor's gradient goes: a node, and which of its outputs the tensor is."""

    node: Node
    output_nr: int
    ownership_token: Node | None = None


def _get_grad_fn_or_grad_acc(tensor):
    """The node where a tensor's gradient goes."""
    if isinstance(tensor, tuple):
        return tensor[0]
    if not tensor.requires_grad:
        raise AssertionError("Expected gradient function to be set")
    with enable_grad():
        return _core._gradient_edge(tensor)[0]


def get_gradient_edge(tensor):
    """Where a tensor's gradient goes; `grad` and `backward` take it in the tensor's place.

    Parameters
    ----------
    tensor : Tensor
        It must need a gradient.

    Returns
    -------
    GradientEdge

    Examples
    --------
    >>> import runtime as rt
    >>> x = rt.tensor(3.0, requires_grad=True)
    >>> rt.autograd.grad(x * x, rt.autograd.graph.get_gradient_edge(x))
    (tensor(6.),)
    """
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    with enable_grad():
        return GradientEdge(*_core._gradient_edge(tensor))


def increment_version(tensor):
    """Tell autograd that tensors were written by something that is no operator.

    Parameters
    ----------
    tensor : Tensor or iterable of Tensor
        What was written. Tensors made in inference mode have no version to count.
    """
    if not isinstance(tensor, (Tensor, Iterable)):
        raise RuntimeError(f"increment_version expect a Iterable[Tensor] as input, but got {type(tensor).__name__}")
    _core._increment_version((tensor,) if isinstance(tensor, Tensor) else tensor)


# --------------------------------------------------------------------------------------------------- what nodes save


class saved_tensors_hooks:
    """For a ``with`` block: what nodes save goes through a pair of functions.

    Parameters
    ----------
    pack_hook : callable
        Gets each tensor that is saved; what it returns is kept in its place.
    unpack_hook : callable
        Makes the tensor again when backward, or somebody else, asks for it.

    Examples
    --------
    >>> import runtime as rt
    >>> x = rt.tensor([2.0, 3.0], requires_grad=True)
    >>> with rt.autograd.graph.saved_tensors_hooks(lambda t: t.tolist(), rt.tensor):
    ...     y = (x * x).sum()
    >>> y.backward()
    >>> x.grad
    tensor([4., 6.])
    """

    def __init__(self, pack_hook, unpack_hook):
        self.pack_hook, self.unpack_hook = pack_hook, unpack_hook

    def __enter__(self):
        _core._push_saved_tensors_default_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exception):
        _core._pop_saved_tensors_default_hooks()


class save_on_cpu(saved_tensors_hooks):
    """For a ``with`` block: nodes save tensors in the memory of the CPU, and copy them back for backward.

    Parameters
    ----------
    pin_memory : bool
        Whether copies may run beside other work.
    device_type : str
        The type of the other device; it has no effect, since tensors remember theirs.
    """

    def __init__(self, pin_memory=False, device_type="cuda"):
        super().__init__(
            lambda tensor: (tensor.device, tensor.cpu()),
            lambda packed: packed[1].to(packed[0], non_blocking=pin_memory),
        )


@contextlib.contextmanager
def disable_saved_tensors_hooks(error_message):
    """For a ``with`` block: default hooks raise RuntimeError.

    Parameters
    ----------
    error_message : str
        The message of the error.
    """
    before = _core._saved_tensors_hooks_get_disabled_error_message()
    try:
        _core._saved_tensors_hooks_disable(error_message)
        yield
    finally:
        if before is None:
            _core._saved_tensors_hooks_enable()
        else:
            _core._saved_tensors_hooks_disable(before)


# -------------------------------------------------------------------------------------------- hooks of several tensors


class _MultiHandle(RemovableHandle):
    """Takes several hooks back."""

    def __init__(self, handles):
        self.handles = handles

    def remove(self):
        """Take the hooks back."""
        for handle in self.handles:
            handle.remove()

    def __getstate__(self):
        return self.handles

    def __setstate__(self, state):
        self.handles = state


def register_multi_grad_hook(tensors, fn, *, mode="all"):
    """Run a function in backward when the gradients of several tensors are there.

    Parameters
    ----------
    tensors : sequence of Tensor
        The tensors.
    fn : callable
        Mode "all": gets a list of all gradients, None for those that the run does not compute. Mode "any": gets the first gradient.
    mode : {"all", "any"}
        Whether to wait for all gradients, or for one.

    Returns
    -------
    RemovableHandle
        Its `remove` takes the hook back.

    Examples
    --------
    >>> import runtime as rt
    >>> x, y = rt.tensor(2.0, requires_grad=True), rt.tensor(3.0, requires_grad=True)
    >>> handle = rt.autograd.graph.register_multi_grad_hook((x, y), print)
    >>> (x * y).backward()
    [tensor(3.), tensor(2.)]
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    return _MultiHandle(_when_all_are_there(tensors, fn) if mode == "all" else _when_one_is_there(tensors, fn))


def _task():
    number = _core._current_graph_task_id()
    if number == -1:
        raise AssertionError("expected this hook to be called inside a backward call")
    return number


def _when_all_are_there(tensors, fn):
    lock = threading.Lock()
    nodes = [_get_grad_fn_or_grad_acc(tensor) for tensor in tensors]
    runs = {}  # number of a run of the engine -> [gradients, how many are still awaited]

    def hook_of(place):
        def hook(grad):
            task = _task()
            with lock:
                if task not in runs:
                    runs[task] = [[None] * len(nodes), sum(map(_core._will_engine_execute_node, nodes))]
                run = runs[task]
                run[0][place] = grad
                run[1] -= 1
                finished = run[1] == 0
                if finished:
                    del runs[task]
            if finished:
                fn(run[0])

        return hook

    return tuple(tensor.register_hook(hook_of(i)) for i, tensor in enumerate(tensors))


def _when_one_is_there(tensors, fn):
    lock = threading.Lock()
    seen = defaultdict(bool)

    def hook(grad):
        task = _task()
        with lock:
            before, seen[task] = seen[task], True
        if not before:
            fn(grad)

    return tuple(tensor.register_hook(hook) for tensor in tensors if tensor.requires_grad)


# --------------------------------------------------------------------------------------- writing to what has been saved


class _Handle:
    """Stands in a node for a tensor that it has saved."""


class _SavedTensors:
    """What `allow_mutation_on_saved_tensors` knows of the tensors that nodes have saved.

    Attributes
    ----------
    original, cloned : mapping
        Handle -> the tensor as it was saved, or its copy since it was written.
    """

    def __init__(self):
        self.cloned = weakref.WeakKeyDictionary()
        self.original = weakref.WeakKeyDictionary()
        self.tid_to_weakhandle = weakref.WeakValueDictionary()
        self.sid_to_tid = defaultdict(set)  # memory and version -> the tensors saved there

    def clear(self):
        """Forget everything."""
        for one in (self.cloned, self.original, self.tid_to_weakhandle, self.sid_to_tid):
            one.clear()

    def pack(self, tensor):
        """Keep a tensor, and give its node a handle."""
        place = (tensor.data_ptr(), tensor._version)
        key = (id(tensor), *place)
        self.sid_to_tid[place].add(key)
        handle = self.tid_to_weakhandle.get(key)
        if handle is None:
            handle = self.tid_to_weakhandle[key] = _Handle()
            self.original[handle] = tensor
        return handle

    def unpack(self, handle):
        """The tensor as it was when it was saved."""
        found = self.cloned.get(handle)
        if found is None:
            found = self.original.get(handle)
        if found is None or not _mutation_allowed:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' contextin which the graph was originally recorded."
            )
        return found

    def rescue(self, tensor):
        """Copy what is saved of a tensor that is about to be written."""
        for key in self.sid_to_tid.get((tensor.data_ptr(), tensor._version), ()):
            handle = self.tid_to_weakhandle.get(key)
            if handle is not None and handle not in self.cloned:
                self.cloned[handle] = self.original.pop(handle).clone()


class _RescueBeforeWrites(TorchDispatchMode):
    """Lets `_SavedTensors` copy tensors before operators write them."""

    def __init__(self, saved):
        super().__init__()
        self.saved = saved

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for i, spec in enumerate(func._schema.arguments):
            if not spec.is_write:
                continue
            value = kwargs.get(spec.name) if spec.kwarg_only or i >= len(args) else args[i]
            for tensor in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(tensor, Tensor):
                    self.saved.rescue(tensor)
        return func(*args, **kwargs)


_mutation_allowed = False


@contextlib.contextmanager
def allow_mutation_on_saved_tensors():
    """For a ``with`` block with forward and backward: tensors that nodes have saved may be written, and are copied before.

    Yields
    ------
    object
        What is known of the saved tensors, for debugging.

    Examples
    --------
    >>> import runtime as rt
    >>> x = rt.tensor([2.0, 3.0], requires_grad=True)
    >>> with rt.autograd.graph.allow_mutation_on_saved_tensors():
    ...     y = x.clone()
    ...     z = (y * y).sum()
    ...     _ = y.zero_()
    ...     z.backward()
    >>> x.grad
    tensor([4., 6.])
    """
    global _mutation_allowed
    saved = _SavedTensors()
    with saved_tensors_hooks(saved.pack, saved.unpack), _RescueBeforeWrites(saved):
        if _mutation_allowed:
            raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
        _mutation_allowed = True
        try:
            yield saved
        finally:
            saved.clear()
            _mutation_allowed = False


# ------------------------------------------------------------------------------------------------------------ the engine


def _current_graph_task_execution_order():
    """The nodes that the run of the engine that is under way will run, in their order; asked for inside hooks.

    `set_multithreading_enabled` must have been told False, as in PyTorch, though the order is always certain here.
    """
    nodes = _core._execution_order()
    if nodes is None:
        raise RuntimeError("_current_graph_task_execution_order() should only be called during the backward pass")
    if is_multithreading_enabled():
        raise RuntimeError(
            "get_current_graph_task_execution_order expects the current backward to be executed with multithreading disabled, e.g. by running:"
            "\n\n>>> with torch.autograd.set_multithreading_enabled(False):\n...     torch.autograd.grad(...)\n"
        )
    return nodes


def _register_logging_hooks_on_whole_graph(outputs):
    """Write a line to the log before each node of a graph runs; returns a function that ends it."""
    seen, queue, handles = set(), [_get_grad_fn_or_grad_acc(one) for one in outputs], []
    while queue:
        node = queue.pop()
        if node in seen:
            continue
        seen.add(node)
        queue += [after for after, _ in node.next_functions if after is not None]
        handles.append(node.register_prehook(functools.partial(_log_node, node)))

    def unregister():
        for handle in handles:
            handle.remove()

    return unregister


def _log_node(node, grads):
    shapes = ", ".join("None" if grad is None else f"{str(grad.dtype).rpartition('.')[2]}{list(grad.shape)}" for grad in grads)
    _logger.debug("Executing: %s with grad_outputs: [%s]", node, shapes)


def set_warn_on_accumulate_grad_stream_mismatch(enabled):
    """Nothing: backward runs in the calling thread, on its stream, so that streams cannot differ.

    Parameters
    ----------
    enabled : bool
        Whether PyTorch would warn.
    """
    if not isinstance(enabled, bool):
        raise TypeError(f"set_warn_on_accumulate_grad_stream_mismatch(): enabled must be bool, not {type(enabled).__name__}")


def set_override_stale_capture_stream(enabled):
    """Nothing: there are no graphs of CUDA calls whose capture could meet an old stream.

    Parameters
    ----------
    enabled : bool
        Whether PyTorch would replace such streams.
    """
    if not isinstance(enabled, bool):
        raise TypeError(f"set_override_stale_capture_stream(): enabled must be bool, not {type(enabled).__name__}")


def region_activation_memory_budget(budget):
    """For compiled code: how much of what a region saves may be kept. Nothing is compiled here, so that it raises RuntimeError.

    Parameters
    ----------
    budget : float
        A part between 0 and 1.
    """
    where = "torch.autograd.graph.region_activation_memory_budget"
    if isinstance(budget, bool) or not isinstance(budget, (int, float)):
        raise TypeError(f"{where}: expects a float, got {type(budget).__name__}")
    if not 0 <= budget <= 1:
        raise ValueError(f"{where}: must be in [0, 1], got {budget}")
    raise RuntimeError(f"{where} can only be used inside a torch.compile region; it has no effect in eager mode.")


def _engine_run_backward(t_outputs, tensors, keep_graph, create_graph, inputs=(), allow_unreachable=False, accumulate_grad=False):
    """Run the engine, as `runtime._core._run_backward` does, of tensors or edges."""

    stop_logging = _register_logging_hooks_on_whole_graph(t_outputs) if _logger.isEnabledFor(logging.DEBUG) else None
    try:
        starts, wanted = tuple(map(_engine_edge, t_outputs)), tuple(map(_engine_edge, inputs))
        return _core._run_backward(starts, tuple(tensors), keep_graph, create_graph, wanted, allow_unreachable, accumulate_grad)
    finally:
        if stop_logging is not None:
            stop_logging()
