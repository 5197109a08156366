"""Variable: the older name of tensors that take part in autograd, kept for programs that use it."""

import warnings

from runtime import _core
from runtime._core import Tensor
from runtime.autograd.graph import _engine_run_backward

__all__ = ["Variable", "VariableMeta"]


class _ImperativeEngine:
    """The engine as an object."""

    def run_backward(self, tensors, grad_tensors, keep_graph, create_graph, inputs=(), allow_unreachable=False, accumulate_grad=False):
        """Run the graph backward; see `runtime._core._run_backward`."""
        return _engine_run_backward(tensors, grad_tensors, keep_graph, create_graph, inputs, allow_unreachable, accumulate_grad)

    def queue_callback(self, callback):
        """Call a function when the run of the engine that calls this is finished."""
        _core._queue_callback(callback)

    def is_checkpoint_valid(self):
        """True: every run computes all that it is asked for."""
        return True


def _get_data_attr(tensor):
    """What `Tensor.data` is."""
    return tensor.data


class VariableMeta(type):
    """Every tensor is a Variable."""

    def __instancecheck__(cls, other):
        return isinstance(other, Tensor)


class Variable(metaclass=VariableMeta):
    """``Variable(data, requires_grad=False)`` is a tensor on the memory of another one, outside its graph."""

    _execution_engine = _ImperativeEngine()

    def __new__(cls, data=None, requires_grad=False, volatile=False):
        """Make the tensor."""
        if volatile:
            warnings.warn("volatile was removed and now has no effect. Use `with torch.no_grad():` instead.", stacklevel=2)
        if data is None:
            return Tensor().requires_grad_(requires_grad)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
