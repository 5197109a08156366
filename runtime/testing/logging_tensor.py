"""Logs of operator calls as text: a tensor subclass and a mode that log, and what captures the log.

A call is a line ``$2: f32[1] = torch._ops.aten.mul.Tensor($0, $1)``; tensors are numbered in the order in which the log meets them.
"""

import contextlib
import itertools
import logging
import traceback
from operator import attrgetter

from runtime._core import Tensor, TorchDispatchMode
from runtime.overrides import enable_reentrant_dispatch
from runtime.pytree import tree_map, tree_map_only
from runtime.tools.naming import TensorNumbers, shape_text

logger = logging.getLogger("LoggingTensor")


_elem_of = attrgetter("elem")


def _log(func, args, kwargs, result):
    if logger.isEnabledFor(logging.INFO):
        logger.info(f"{func.__module__}.{func.__name__}", args, kwargs, result)


class LoggingTensor(Tensor):
    """A wrapper around a tensor that logs the operators called on it.

    Parameters
    ----------
    elem : Tensor
        The tensor that takes part in the calls.
    requires_grad : bool
        Whether the wrapper does; the tensor inside is detached then.
    """

    __slots__ = ["elem"]

    #: Entered around the call on the tensors inside.
    context = contextlib.nullcontext

    @staticmethod
    def __new__(cls, elem, *args, requires_grad=False, **kwargs):
        made = Tensor._make_wrapper_subclass(
            cls, elem.size(), strides=elem.stride(), storage_offset=elem.storage_offset(), dtype=elem.dtype, layout=elem.layout,
            device=elem.device, requires_grad=requires_grad,
        )  # fmt: skip
        made.elem = elem.detach() if requires_grad else elem
        return made

    def __repr__(self):
        return super().__repr__(tensor_contents=f"{self.elem}")

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        inner = tree_map_only(cls, _elem_of, args)
        kwargs = kwargs or {}
        inner_kwargs = tree_map_only(cls, _elem_of, kwargs) if kwargs else kwargs
        with cls.context():
            result = tree_map_only(Tensor, cls, func(*inner, **inner_kwargs))
        _log(func, args, kwargs, result)
        return result


class LoggingTensorReentrant(LoggingTensor):
    """A LoggingTensor whose calls on the tensor inside start over at autograd."""

    context = enable_reentrant_dispatch


class LoggingTensorMode(TorchDispatchMode):
    """Logs every operator call of its block."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        _log(func, args, kwargs, result)
        return result


class LoggingTensorHandler(logging.Handler):
    """Turns the logger's records into lines of a list.

    Parameters
    ----------
    log_list : list of str
        Where the lines go.
    use_shortid_for_all_tensors : bool
        Whether all tensors are written as numbers, or only LoggingTensors.
    with_type : bool
        Whether results are written with dtype and shape.
    tracebacks_list : list, optional
        Where the records' stacks go.
    """

    def __init__(self, log_list, use_shortid_for_all_tensors, with_type, tracebacks_list):
        super().__init__()
        self.log_list = log_list
        self.tracebacks_list = tracebacks_list
        self.with_type = with_type
        self.numbered = Tensor if use_shortid_for_all_tensors else LoggingTensor
        self.numbers = TensorNumbers()

    def _fmt(self, value, with_type=False):
        if not isinstance(value, self.numbered):
            return repr(value)
        return f"${self.numbers[value]}" + (f": {shape_text(value)}" if with_type and self.with_type else "")

    def emit(self, record):
        """Write one line."""
        args, kwargs, result = record.args
        given = itertools.chain(
            (str(tree_map(self._fmt, value)) for value in args), (f"{name}={tree_map(self._fmt, value)}" for name, value in kwargs.items())
        )
        arguments = ", ".join(given)
        made = tree_map(lambda leaf: self._fmt(leaf, with_type=True), result)
        self.log_list.append(f"{made} = {record.msg}({arguments})")
        if self.tracebacks_list is not None:
            self.tracebacks_list.append(record.traceback)


class GatherTraceback(logging.Filter):
    """Adds the Python stack to each record: a list of dicts with ``name``, ``filename`` and ``line``, the innermost frame first.

    The parameters say which stacks are wanted; there are none of scripts or of C++ here.
    """

    def __init__(self, python=True, script=True, cpp=False):
        super().__init__()
        self.python = python

    def filter(self, record):
        """Add the stack; every record passes."""
        frames = reversed(traceback.extract_stack()) if self.python else ()
        record.traceback = [{"name": frame.name, "filename": frame.filename, "line": frame.lineno} for frame in frames]
        return True


def log_input(name, var):
    """Write a line that gives a tensor its number and a name: ``$0: f32[1] = input('x')``."""
    logger.info("input", (name,), {}, var)


@contextlib.contextmanager
def capture_logs(is_mode=False, python_tb=False, script_tb=False, cpp_tb=False):
    """Capture what LoggingTensors and LoggingTensorModes log in a ``with`` block.

    Parameters
    ----------
    is_mode : bool
        Whether plain tensors are numbered too.
    python_tb, script_tb, cpp_tb : bool
        Whether stacks are recorded; the block then gets the pair of both lists.

    Yields
    ------
    list of str

    Examples
    --------
    >>> import runtime
    >>> from runtime.testing.logging_tensor import LoggingTensor, capture_logs, log_input
    >>> with capture_logs() as logs:
    ...     x = LoggingTensor(runtime.tensor([3.0]))
    ...     log_input("x", x)
    ...     y = x * x
    >>> print("\\n".join(logs))
    $0: f32[1] = input('x')
    $1: f32[1] = torch._ops.aten.mul.Tensor($0, $0)
    """
    log_list, tracebacks = [], []
    with_stacks = python_tb or script_tb or cpp_tb
    handler = LoggingTensorHandler(log_list, is_mode, True, tracebacks if with_stacks else None)
    stacks = GatherTraceback(python_tb, script_tb, cpp_tb)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    if with_stacks:
        handler.addFilter(stacks)
    try:
        yield (log_list, tracebacks) if with_stacks else log_list
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


@contextlib.contextmanager
def capture_logs_with_logging_tensor_mode(python_tb=False, script_tb=False, cpp_tb=False):
    """`capture_logs` of a LoggingTensorMode around the block."""
    with LoggingTensorMode(), capture_logs(True, python_tb, script_tb, cpp_tb) as logs:
        yield logs
