"""Computing again what backward needs: the part of checkpointing that stands between a node and what it has saved.

While a checkpointed function runs, each tensor that a node wants to save is replaced by a `_Place`. When backward asks for one, the function
runs again and what it saves then goes to the places, in the same order. `runtime.utils.checkpoint` makes the frames, one for each call.
"""

import threading
import uuid
import weakref

from runtime import _core
from runtime._core import SavedTensor, Tensor, enable_grad, no_grad
from runtime.autograd.graph import saved_tensors_hooks

__all__ = ["CheckpointError", "Frame", "GraphExecGroup", "describe", "recording"]

_TIP = (
    "\nTip: To see a more detailed error message, either pass `debug=True` to\n`torch.utils.checkpoint.checkpoint(...)` or wrap the code block\n"
    "with `with torch.utils.checkpoint.set_checkpoint_debug_enabled(True):` to\nenable checkpoint-debug mode globally.\n"
)
_USED = object()
_local = threading.local()


class CheckpointError(RuntimeError):
    """A checkpointed function did not do the same when it was run again."""


class StopRecomputation(Exception):
    """Ends a recomputation that has made all that is needed."""


class GraphExecGroup:
    """For a ``with`` block: several runs of backward in which every checkpointed region is computed again only once.

    The runs must not need the same saved tensor twice, even with ``retain_graph=True``. Blocks cannot be nested.
    """

    def __enter__(self):
        if self._get_current_group() is not None:
            raise RuntimeError(f"GraphExecGroup contexts cannot be nested. Already inside group {self._get_current_group()}")
        _local.group = self
        return self

    def __exit__(self, *exception):
        _local.group = None

    @classmethod
    def _get_current_group(cls):
        return getattr(_local, "group", None)


class _Place:
    """What a node keeps for a tensor: for each run of backward the tensor as it was computed again."""

    __slots__ = ("__weakref__", "recomputed")

    def __init__(self):
        self.recomputed = {}


class _Run:
    """How far the recomputation for one run of backward has come."""

    __slots__ = ("count", "done")

    def __init__(self):
        self.count, self.done = 0, False


def describe(tensor):
    """What must be the same of a tensor and of its recomputation."""
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


class Frame:
    """One call of a checkpointed function: its arguments, and the places of what its nodes save.

    Parameters
    ----------
    recompute : callable
        Runs the function again, with the arguments.
    args : tuple
        The arguments.
    early_stop : bool
        Whether to stop as soon as the last tensor is there.
    on_error : callable or None
        Gets a CheckpointError, and raises a better one.
    describe : callable
        What of a tensor must be the same.
    """

    def __init__(self, recompute, args, early_stop, on_error, describe):
        self.recompute, self.early_stop, self.on_error, self.describe = recompute, early_stop, on_error, describe
        self.args = [SavedTensor(arg) if isinstance(arg, Tensor) else arg for arg in args]
        self.places = []  # weak references: nodes own the places
        self.descriptions = []
        self.runs = {}
        self.forward_completed = False
        self.saved_more_while_running = False

    def new_place(self, tensor):
        """A place for a tensor that a node saves."""
        place = _Place()
        self.places.append(weakref.ref(place))
        with no_grad():
            self.descriptions.append(self.describe(tensor))
        return place

    def fill(self, key, tensor):
        """Put a tensor that is saved again into its place."""
        run = self.runs[key]
        index, run.count = run.count, run.count + 1
        if index >= len(self.places):
            if not self.forward_completed:
                # Backward runs inside forward, which has saved only a part yet.
                self.saved_more_while_running = True
                return
            raise CheckpointError(
                "torch.utils.checkpoint: trying to save more tensors during recomputation than during the original forward pass.\n" + _TIP
            )
        place = self.places[index]()
        if place is not None:
            place.recomputed[key] = tensor
        if self.early_stop and run.count == len(self.places):
            raise StopRecomputation

    def value_of(self, place):
        """The tensor of a place, for the run of backward that is under way; the function runs again if it has not yet."""
        group = GraphExecGroup._get_current_group()
        key = group if group is not None else _core._current_graph_task_id()
        if key == -1:
            key = uuid.uuid4()  # somebody looks at a node's attributes
        run = self.runs.setdefault(key, _Run())
        if not run.done:
            args = [arg.unpack() if isinstance(arg, SavedTensor) else arg for arg in self.args]
            try:
                with _filling(self, key), enable_grad():
                    self.recompute(*args)
            except StopRecomputation:
                pass
            run.done = True
            self.check(key)
        tensor = place.recomputed.get(key)
        if tensor is _USED:
            extra = (
                "Performing two backward calls that overlap (i.e. require the same saved activation in order to compute gradients) is not "
                "allowed while under the torch.utils.checkpoint.GraphExecGroup context. "
            )
            raise CheckpointError(
                "torch.utils.checkpoint: Unpack is being triggered for a tensor that was already unpacked once. "
                f"{extra if group is not None else ''}If you are calling ctx.saved_tensors in backward, make sure to do so only once."
            )
        if tensor is None:
            raise CheckpointError("torch.utils.checkpoint: the recomputation made no tensor for this place")
        place.recomputed[key] = _USED
        return tensor

    def check(self, key):
        """The errors of a recomputation that saved other tensors than the function did."""
        count = self.runs[key].count
        if self.saved_more_while_running:
            return
        if count != len(self.places):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the original forward and recomputation.\n"
                f"Number of tensors saved during forward: {len(self.places)}\nNumber of tensors saved during recomputation: {count}.\n{_TIP}"
            )
        different = ""
        for index, (reference, before) in enumerate(zip(self.places, self.descriptions, strict=True)):
            place = reference()
            if place is not None:
                now = self.describe(place.recomputed[key])
                if now != before:
                    different += f"tensor at position {index}:\nsaved metadata: {before}\nrecomputed metadata: {now}\n"
        if different:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have different metadata than during the forward "
                f"pass.\n{different}.\n{_TIP}"
            )


def recording(frame):
    """Hooks for the time in which the function runs: places are saved instead of tensors."""

    def unpack(place):
        try:
            return frame.value_of(place)
        except CheckpointError as error:
            if frame.on_error is None:
                raise
            frame.on_error(error)

    return saved_tensors_hooks(frame.new_place, unpack)


def _filling(frame, key):
    """Hooks for the time in which the function runs again."""
    frame_of = weakref.ref(frame)

    def pack(tensor):
        tensor = tensor.detach() if tensor.requires_grad else tensor
        frame_of().fill(key, tensor)
        return tensor

    return saved_tensors_hooks(pack, lambda tensor: tensor)
