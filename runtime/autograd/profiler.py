"""A profiler of the CPU: what operators, nodes of the graph and named regions a block of code ran, and how long they took.

It listens where `trace_dispatch` does, so calls cost nothing while no profiler is on. Calls of operators are seen in the thread that began
the block. Times contain what listening costs, some microseconds a call.
"""

import itertools
import threading
import time

import runtime
from runtime import _core
from runtime.autograd.profiler_util import EventList, FunctionEvent, FunctionEventAvg
from runtime.autograd.scopes import scoped

__all__ = ["KinetoStepTracker", "emit_itt", "emit_nvtx", "kineto_available", "load_nvprof", "parse_nvprof_trace", "profile", "record_function"]

_active = None  # the profile that is on


def kineto_available():
    """False: there is one profiler, this one."""
    return False


def _profiler_enabled():
    """Whether a profiler is on."""
    return _active is not None


class profile:
    """For a ``with`` block: see what runs in it.

    Parameters
    ----------
    enabled : bool
        False for a block that nobody looks at.
    record_shapes : bool
        Whether events have the shapes of their arguments.
    **ignored
        Settings of PyTorch's profiler for other devices, stacks, memory and its own library, accepted for the sake of programs.

    Examples
    --------
    >>> import runtime as rt
    >>> from runtime.autograd.profiler import profile
    >>> with profile(record_shapes=True) as seen:
    ...     x = rt.ones(2, 3) * 2
    >>> [(event.name, event.input_shapes) for event in seen.function_events if event.name == "aten::mul"]
    [('aten::mul', [[2, 3], []])]
    """

    def __init__(self, enabled=True, *, record_shapes=False, **ignored):
        unknown = set(ignored) - _IGNORED
        if unknown:
            raise TypeError(f"profile() got unexpected keyword arguments {sorted(unknown)}")
        self.enabled, self.record_shapes = enabled, record_shapes
        self.entered = False
        self._ids = itertools.count()
        self._stacks = threading.local()
        self._finished = []
        self._events = None

    # ------------------------------------------------------------------------------------------------------ listening

    def _stack(self):
        if not hasattr(self._stacks, "open"):
            self._stacks.open = []
        return self._stacks.open

    def _begin(self, name, **more):
        event = FunctionEvent(next(self._ids), name, threading.get_ident(), time.perf_counter() * 1e6, None, **more)
        self._stack().append(event)
        return event

    def _end(self, event=None):
        stack = self._stack()
        event = stack[-1] if event is None else event
        event.time_range.end = time.perf_counter() * 1e6
        if event in stack:
            stack.remove(event)
        self._finished.append(event)

    def _on_operator(self, kind, operator, key, rule, debug):
        """What the trace reports: every kernel of a call. Those that hand a call on to the next key are no events of their own."""
        stack = self._stack()
        if kind == "leave":
            # A region that began inside the call may still be open.
            event = next(event for event in reversed(stack) if hasattr(event, "operator"))
            if event.nested:
                event.nested -= 1
            else:
                self._end(event)
            return
        if stack and getattr(stack[-1], "operator", None) == operator:
            stack[-1].nested += 1
            return
        name, _, overload = operator.partition(".")
        shapes = None
        if self.record_shapes:
            shapes = [list(arg.shape) if isinstance(arg, runtime.Tensor) else [] for arg in _core._traced_arguments()]
        number = _core._next_sequence_number() if _core.is_grad_enabled() else -1
        self._begin(name, overload_name=overload, input_shapes=shapes, sequence_nr=number, operator=operator, nested=0)

    def _on_node(self, begins, node):
        if not begins:
            self._end()
            self._end()
            return
        about = {"sequence_nr": node._sequence_nr(), "scope": 1, "fwd_thread": threading.get_ident()}
        self._begin(f"autograd::engine::evaluate_function: {node.name()}", **about)
        self._begin(node.name(), **about)

    # ------------------------------------------------------------------------------------------------------- the block

    def __enter__(self):
        global _active
        if not self.enabled:
            return self
        if self.entered:
            raise RuntimeError("Profiler context manager is not reentrant")
        if _active is not None:
            raise RuntimeError("Profiler is already enabled on this thread")
        self.entered = True
        _core._trace_start(self._on_operator)
        _core._set_node_sink(self._on_node)
        _active = self
        return self

    def __exit__(self, *exception):
        global _active
        if not self.enabled:
            return False
        _active = None
        _core._set_node_sink(None)
        _core._trace_stop()
        for event in reversed(self._stack()[:]):
            self._end(event)
        return False

    # --------------------------------------------------------------------------------------------------------- results

    @property
    def function_events(self):
        """The events of the block, in the order in which they began.

        Returns
        -------
        EventList
        """
        if self._events is None:
            if not self.entered or _active is self:
                raise RuntimeError("Profiler didn't finish running")
            self._events = EventList(sorted(self._finished, key=lambda event: event.id))
            self._events._populate_cpu_children()
        return self._events

    def key_averages(self, group_by_input_shape=False, group_by_stack_n=0, group_by_overload_name=False):
        """Sums over the events of each name; see `EventList.key_averages`."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n, group_by_overload_name)

    def total_average(self):
        """The sums over all events."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self):
        """The time of all events, each without those inside it."""
        return self.function_events.self_cpu_time_total

    def table(self, *args, **kwargs):
        """The events as a table; see `EventList.table`."""
        return self.function_events.table(*args, **kwargs)

    def export_chrome_trace(self, path):
        """Write the events as a file that browsers' tracing pages read."""
        self.function_events.export_chrome_trace(path)

    def __str__(self):
        return "<unfinished torch.autograd.profile>" if self._events is None and (not self.entered or _active is self) else self.table()

    __repr__ = __str__


_IGNORED = {
    "use_cuda", "use_device", "with_flops", "profile_memory", "with_stack", "with_modules", "use_kineto", "use_cpu", "experimental_config",
    "acc_events", "custom_trace_id_callback", "post_processing_timeout_s",
}  # fmt: skip


class record_function:
    """For a ``with`` block or a decorated function: a region with a name, for profilers.

    Parameters
    ----------
    name : str
        The name.
    args : str, optional
        More about the region.
    """

    def __init__(self, name, args=None):
        self.name, self.args = name, args
        self.profile = self.event = None

    def __enter__(self):
        self.profile = _active
        if self.profile is not None:
            self.event = self.profile._begin(self.name, scope=7, is_user_annotation=True)
        return self

    def __exit__(self, *exception):
        if self.event is not None:
            self.profile._end(self.event)
            self.event = None

    def __call__(self, func):
        """Decorate a function."""
        return scoped(lambda: type(self)(self.name, self.args), func)


class _EmitRanges:
    """For a ``with`` block: ranges for a tool of a vendor, which this runtime knows nothing of."""

    tool = None

    def __init__(self, enabled=True, record_shapes=False):
        self.enabled = enabled

    def __enter__(self):
        if self.enabled:
            raise NotImplementedError(f"{type(self).__name__}: there are no ranges for {self.tool} in this runtime; use profile()")
        return self

    def __exit__(self, *exception):
        return False


class emit_nvtx(_EmitRanges):
    """Ranges for NVIDIA's tools: not available."""

    tool = "NVTX"


class emit_itt(_EmitRanges):
    """Ranges for Intel's tools: not available."""

    tool = "ITT"


def load_nvprof(path):
    """Read a profile of nvprof: not available."""
    raise NotImplementedError("load_nvprof(): profiles of NVIDIA's nvprof cannot be read by this runtime")


parse_nvprof_trace = load_nvprof


class KinetoStepTracker:
    """Counts the steps of programs, which several parts of a program may count, each for itself: the largest count is the step."""

    _current_step = 0
    _step_dict = {}  # noqa: RUF012  (one for the process)

    @classmethod
    def init_step_count(cls, requester):
        """Begin to count for somebody, at the step of now."""
        cls._step_dict[requester] = cls._current_step

    @classmethod
    def erase_step_count(cls, requester):
        """Forget a count; whether there was one."""
        return cls._step_dict.pop(requester, None) is not None

    @classmethod
    def increment_step(cls, requester):
        """Count one step."""
        if requester not in cls._step_dict:
            cls.init_step_count(requester)
        cls._step_dict[requester] += 1
        cls._current_step = max(cls._step_dict.values())
        return cls._current_step

    @classmethod
    def current_step(cls):
        """The step."""
        return cls._current_step


# -------------------------------------------------------------------------------------------- regions as operator calls

_regions = {}
_region_numbers = itertools.count()


def _enter_region(name, args=None):
    number = next(_region_numbers)
    _regions[number] = record_function(name, args).__enter__()
    return runtime.tensor(number)


def _exit_region(handle):
    region = _regions.pop(int(handle), None)
    if region is None:
        raise RuntimeError("profiler::_record_function_exit: the handle is of no region that is open")
    region.__exit__()


_library = _core.Library("profiler", "FRAGMENT")
_library.define("_record_function_enter(str name, str? args=None) -> Tensor")
_library.define("_record_function_exit(Tensor handle) -> ()")
_library.impl("_record_function_enter", _enter_region, "CompositeExplicitAutograd")
_library.impl("_record_function_exit", _exit_region, "CompositeExplicitAutograd")

#: What tables are made of, under the names by which programs import them from here.
EventList, FunctionEvent, FunctionEventAvg = EventList, FunctionEvent, FunctionEventAvg
