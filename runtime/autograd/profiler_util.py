"""What a profiler has seen: events with begin and end, lists of them, sums by name, and their tables.

`runtime.autograd.profiler` fills the lists. Times are in microseconds, and of the CPU: those of other devices are 0.
"""

import json
from collections import defaultdict, namedtuple
from operator import attrgetter

__all__ = ["EventList", "FormattedTimesMixin", "FunctionEvent", "FunctionEventAvg", "Interval", "Kernel", "MemRecordsAcc", "StringTable"]

MEMORY_EVENT_NAME = "[memory]"
OUT_OF_MEMORY_EVENT_NAME = "[OutOfMemory]"

Kernel = namedtuple("Kernel", ["name", "device", "duration"])


def _format_time(time_us):
    """A time as text, in the unit that suits it."""
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if time_us >= size:
            return f"{time_us / size:.3f}{unit}"
    return f"{time_us:.3f}us"


def _format_time_share(time_us, total_time_us):
    """A part of a time in percent."""
    return f"{time_us * 100 / total_time_us:.2f}%" if total_time_us else "NaN"


def _format_memory(nbytes):
    """A number of bytes as text, in the unit that suits it."""
    for unit, bits in (("GB", 30), ("MB", 20), ("KB", 10)):
        if abs(nbytes) >= 1 << bits:
            return f"{nbytes / (1 << bits):.2f} {unit}"
    return f"{nbytes} B"


def _attr_formatter(name):
    return property(lambda self: _format_time(getattr(self, name)))


def _filter_name(name):
    """Whether tables leave an event out: none is made that they would have to."""
    return False


def _filter_stack_entry(entry):
    """Whether an entry of a stack is the user's."""
    return "runtime/autograd" not in entry and "runtime/utils" not in entry


def _rewrite_name(name, with_wildcard=False):
    """The name of an event as tables show it."""
    return name


class Interval:
    """A time with begin and end."""

    def __init__(self, start, end):
        self.start, self.end = start, end

    def elapsed_us(self):
        """How long it is."""
        return self.end - self.start


class StringTable(defaultdict):
    """Names by key; an unknown key is its own name."""

    def __missing__(self, key):
        self[key] = key
        return key


class MemRecordsAcc:
    """Records of memory, asked for by their times."""

    def __init__(self, mem_records):
        self._records = sorted(mem_records, key=lambda record: record[0].start_ns())

    def in_interval(self, start_ns, end_ns):
        """The records of a time."""
        return (record for record in self._records if start_ns <= record[0].start_ns() <= end_ns)


class FormattedTimesMixin:
    """Times as texts, and means of sums."""

    cpu_time_str = _attr_formatter("cpu_time")
    device_time_str = _attr_formatter("device_time")
    cpu_time_total_str = _attr_formatter("cpu_time_total")
    device_time_total_str = _attr_formatter("device_time_total")
    self_cpu_time_total_str = _attr_formatter("self_cpu_time_total")
    self_device_time_total_str = _attr_formatter("self_device_time_total")

    @property
    def cpu_time(self):
        """The mean time of a call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    @property
    def device_time(self):
        """The mean time of a call on another device."""
        return self.device_time_total / self.count if self.count else 0.0


class FunctionEvent(FormattedTimesMixin):
    """One call: of an operator, of a node of the graph, or a region that was given a name.

    Parameters
    ----------
    id : int
    name : str
    thread : int
    start_us, end_us : float
        When it began and ended.
    overload_name : str, optional
    fwd_thread : int, optional
        For nodes: the thread of the call that made the node.
    input_shapes : list, optional
        The shapes of the arguments, empty for those that are no tensors.
    sequence_nr : int
        The number that ties calls to their nodes; -1 for none.
    **more
        Further attributes: ``stack``, ``scope``, ``is_async`` and so on.
    """

    device_time_total = self_device_time_total = cpu_memory_usage = device_memory_usage = 0
    self_cpu_memory_usage = self_device_memory_usage = 0
    is_async = is_remote = is_legacy = is_user_annotation = False
    scope = node_id = device_index = 0
    flops = use_device = trace_name = None
    device_type = "cpu"
    count = 1

    def __init__(self, id, name, thread, start_us, end_us, overload_name=None, fwd_thread=None, input_shapes=None, *, sequence_nr=-1, **more):
        self.id, self.name, self.thread, self.time_range = id, name, thread, Interval(start_us, end_us)
        self.overload_name, self.fwd_thread, self.sequence_nr = overload_name or "", fwd_thread, sequence_nr
        self.input_shapes = () if input_shapes is None else input_shapes
        self.stack, self.kernels = [], []
        self.cpu_children, self.cpu_parent = [], None
        self.__dict__.update(more)

    def append_cpu_child(self, child):
        """Make another event a part of this one."""
        self.cpu_children.append(child)

    def set_cpu_parent(self, parent):
        """Tell which event this one is a part of."""
        self.cpu_parent = parent

    @property
    def cpu_time_total(self):
        """How long the call took."""
        return 0 if self.is_async else self.time_range.elapsed_us()

    @property
    def self_cpu_time_total(self):
        """How long it took without the calls inside it."""
        return 0 if self.is_async else self.cpu_time_total - sum(child.cpu_time_total for child in self.cpu_children)

    @property
    def key(self):
        """What events are grouped by."""
        return self.name

    def __repr__(self):
        return (
            f"<FunctionEvent id={self.id} name={self.name} overload_name={self.overload_name} device_type={self.device_type} "
            f"node_id={self.node_id} cpu_time={self.cpu_time_str} start_us={self.time_range.start} end_us={self.time_range.end} "
            f"cpu_children={[child.id for child in self.cpu_children]} thread={self.thread} input_shapes={self.input_shapes} "
            f"is_async={self.is_async} is_user_annotation={self.is_user_annotation}>"
        )


_SUMS = ("cpu_time_total", "self_cpu_time_total", "device_time_total", "self_device_time_total", "count")


class FunctionEventAvg(FormattedTimesMixin):
    """Sums over events of one name."""

    key = None

    def __init__(self):
        self.count = self.cpu_time_total = self.self_cpu_time_total = self.device_time_total = self.self_device_time_total = 0
        self.input_shapes = self.stack = self.scope = self.overload_name = None
        self.cpu_children = self.cpu_parent = None
        self.is_user_annotation = False

    def add(self, other):
        """Add an event, or other sums; returns itself."""
        if not isinstance(other, (FunctionEvent, FunctionEventAvg)):
            raise AssertionError(f"add() takes a FunctionEvent or a FunctionEventAvg, not {type(other).__name__}")
        if self.key is None:
            self.key, self.overload_name, self.scope = other.key, other.overload_name, other.scope
            self.input_shapes, self.stack, self.is_user_annotation = other.input_shapes, other.stack, other.is_user_annotation
            self.cpu_parent, self.cpu_children = other.cpu_parent, other.cpu_children
        elif other.key != self.key:
            raise AssertionError(f"add(): events called {other.key} do not belong to {self.key}")
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    __iadd__ = add

    def __repr__(self):
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={self.self_cpu_time_total_str} cpu_time={self.cpu_time_str} "
            f"input_shapes={self.input_shapes}>"
        )


class EventList(list):
    """Events, or their sums."""

    def __init__(self, *args, profile_memory=False, with_flops=False, **more):
        super().__init__(*args)
        self._profile_memory, self._with_flops = profile_memory, with_flops

    def _populate_cpu_children(self):
        """Find out which events are parts of which others: those of the same thread whose time lies inside."""
        threads = defaultdict(list)
        for event in self:
            if not event.is_async:
                threads[event.thread].append(event)
        for events in threads.values():
            around = []
            for event in sorted(events, key=lambda e: (e.time_range.start, -e.time_range.end)):
                while around and (event.time_range.start >= around[-1].time_range.end or event.time_range.end > around[-1].time_range.end):
                    around.pop()
                if around:
                    around[-1].append_cpu_child(event)
                    if event.cpu_parent is not None:
                        raise AssertionError(f"There is already a CPU parent event for {event.key}")
                    event.set_cpu_parent(around[-1])
                around.append(event)

    @property
    def self_cpu_time_total(self):
        """The time of all events, each without those inside it."""
        return sum(event.self_cpu_time_total for event in self)

    def key_averages(self, group_by_input_shapes=False, group_by_stack_n=0, group_by_overload_name=False):
        """Sums over the events of each name.

        Parameters
        ----------
        group_by_input_shapes, group_by_overload_name : bool
            Whether calls with other shapes, or of other overloads, have sums of their own.
        group_by_stack_n : int
            How many entries of the callers' stack tell events apart.

        Returns
        -------
        EventList
        """
        sums = defaultdict(FunctionEventAvg)
        for event in self:
            key = [event.key, event.is_user_annotation, event.overload_name if group_by_overload_name else ""]
            key += [str(event.input_shapes)] if group_by_input_shapes else []
            key += event.stack[:group_by_stack_n]
            sums[tuple(key)].add(event)
        for total in sums.values():
            total.stack = total.stack[:group_by_stack_n]
            total.input_shapes = total.input_shapes if group_by_input_shapes else ""
            total.overload_name = total.overload_name if group_by_overload_name else ""
        return EventList(sums.values(), profile_memory=self._profile_memory, with_flops=self._with_flops)

    def total_average(self):
        """The sums over all events, called "Total"."""
        total = FunctionEventAvg()
        for event in self:
            total.add(event)
            total.key = None
        total.key = "Total"
        return total

    def table(
        self, sort_by=None, row_limit=100, max_src_column_width=75, max_name_column_width=55, max_shapes_column_width=80, header=None,
        top_level_events_only=False, time_unit=None,
    ):  # fmt: skip
        """The events as a table.

        Parameters
        ----------
        sort_by : str, optional
            An attribute, such as ``"cpu_time_total"``; the largest come first.
        row_limit : int
            How many rows there are; -1 for all.
        max_src_column_width, max_name_column_width, max_shapes_column_width : int, optional
            How wide columns may be.
        header : str, optional
            A line above the table.
        top_level_events_only : bool
            Whether events inside others are left out.
        time_unit : {"s", "ms", "us"}, optional
            The unit of all times; by default each has its own.

        Returns
        -------
        str
        """
        rows = [event for event in self if not top_level_events_only or getattr(event, "cpu_parent", None) is None]
        if sort_by is not None:
            rows = sorted(rows, key=attrgetter(sort_by), reverse=True)
        rows = rows if row_limit < 0 else rows[:row_limit]
        return _build_table(rows, self.self_cpu_time_total, header, max_name_column_width, max_shapes_column_width, time_unit)

    def __str__(self):
        return self.table()

    def export_chrome_trace(self, path):
        """Write the events as a file that browsers' tracing pages read.

        Parameters
        ----------
        path : str
        """
        events = [
            {
                "name": event.name, "ph": "X", "ts": event.time_range.start, "dur": event.time_range.elapsed_us(), "tid": event.thread,
                "pid": "CPU functions", "args": {"Input Dims": event.input_shapes} if event.input_shapes else {},
            }
            for event in self
        ]  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            json.dump(events, file)


def _build_table(rows, total, header, name_width, shapes_width, unit):
    sizes = {"s": 1e6, "ms": 1e3, "us": 1.0}

    def time(value):
        return _format_time(value) if unit is None else f"{value / sizes[unit]:.3f}{unit}"

    def short(text, width):
        return text if width is None or len(text) <= width else text[: width - 3] + "..."

    columns = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
    with_shapes = any(row.input_shapes for row in rows)
    lines = []
    for row in rows:
        line = [
            short(row.key, name_width), _format_time_share(row.self_cpu_time_total, total), time(row.self_cpu_time_total),
            _format_time_share(row.cpu_time_total, total), time(row.cpu_time_total), time(row.cpu_time), str(row.count),
        ]  # fmt: skip
        lines.append([*line, short(str(row.input_shapes or []), shapes_width)] if with_shapes else line)
    columns += ["Input Shapes"] if with_shapes else []
    widths = [max(map(len, column)) for column in zip(columns, *lines)]

    def joined(line):
        return "  ".join(text.rjust(width) for text, width in zip(line, widths))

    rule = joined("-" * width for width in widths)
    shown = [rule, joined(columns), rule, *map(joined, lines), rule, f"Self CPU time total: {time(total)}"]
    return "\n".join(([header] if header else []) + shown) + "\n"
