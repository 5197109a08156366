"""Asking why: how a call is dispatched, and which kernels run while it is."""

import json
import threading
import time
from contextlib import contextmanager

from runtime._core import (
    DispatchKeySet,
    OpOverload,
    OpOverloadPacket,
    _dispatch_dump,
    _get_call_keysets,
    _get_operator_table,
    _trace_start,
    _trace_stop,
)


class Explanation:
    """How an operator dispatches, as data and (``str``) as text.

    Attributes
    ----------
    operator : str
        Full name.
    steps : list of (str, DispatchKeySet)
        From the arguments' key sets to the set that selects the kernel; empty without arguments.
    key : DispatchKey or None
        The key whose slot is called.
    table : list of dict
        For each filled slot: key, rule, where its kernel was registered, whether it is a fallthrough.
    """

    def __init__(self, op, steps, key):
        self.operator = op._name
        self.schema = str(op._schema)
        self.steps = steps
        self.key = key
        self.table = [
            {"key": k.name, "rule": rule, "kernel": debug, "fallthrough": fallthrough}
            for k, rule, debug, fallthrough in _get_operator_table(op._name)
        ]
        self.registrations = _dispatch_dump(op._name)

    @property
    def chosen(self):
        """The table row of the selected key, or None."""
        return next((row for row in self.table if self.key is not None and row["key"] == self.key.name), None)

    def as_dict(self):
        """The explanation as JSON-able data."""
        return {
            "operator": self.operator,
            "schema": self.schema,
            "steps": [[name, [k.name for k in keys]] for name, keys in self.steps],
            "key": None if self.key is None else self.key.name,
            "table": self.table,
        }

    def __str__(self):
        lines = [self.schema, ""]
        if self.steps:
            width = max(len(name) for name, _ in self.steps)
            lines += [f"  {name:<{width}}  {keys}" for name, keys in self.steps]
            chosen = self.chosen
            where = f"{chosen['kernel']} [{chosen['rule']}]" if chosen else "no kernel: the call raises NotImplementedError"
            lines += [f"  {'runs':<{width}}  {self.key.name}: {where}", ""]
        lines.append("computed table (rule in brackets; fallthroughs are skipped before the table is read):")
        lines += [f"  {row['key']}: {row['kernel']} [{row['rule']}]" for row in self.table]
        return "\n".join(lines)

    __repr__ = __str__


def explain(op, *args, keys=None, **kwargs):
    """Say how a call of an operator would be dispatched, without calling it.

    Parameters
    ----------
    op : OpOverload or OpOverloadPacket
        The operator; of a packet the first overload that takes the arguments.
    *args, **kwargs
        The call's arguments. Without any only the table is explained.
    keys : DispatchKeySet, optional
        A key set to explain instead of arguments.

    Returns
    -------
    Explanation

    Examples
    --------
    >>> import runtime
    >>> x = runtime.ones(2)
    >>> why = runtime.explain(runtime.ops.aten.add.Tensor, x, x)
    >>> why.key.name
    'AutogradCPU'
    """
    if isinstance(op, OpOverloadPacket):
        op = _pick(op, args, kwargs)
    if not isinstance(op, OpOverload):
        raise TypeError(f"explain() takes an OpOverload or a packet, not {type(op).__name__}")
    if keys is not None:
        key_set = keys if isinstance(keys, DispatchKeySet) else DispatchKeySet(keys)
        return Explanation(op, [("key set", key_set)], key_set.highestPriorityTypeId())
    if not args and not kwargs:
        return Explanation(op, [], None)
    sets = _get_call_keysets(op, *args, **kwargs)
    steps = [(f"argument {name}", key_set) for name, key_set in sets["arguments"]]
    steps += [
        ("TLS include", sets["include"]),
        ("TLS exclude", sets["exclude"]),
        ("after TLS", sets["after_tls"]),
        ("less fallthroughs", sets["effective"]),
    ]
    return Explanation(op, steps, sets["effective"].highestPriorityTypeId())


def _pick(packet, args, kwargs):
    for name in packet.overloads():
        op = getattr(packet, name)
        if not args and not kwargs:
            return op
        try:
            _get_call_keysets(op, *args, **kwargs)
        except (RuntimeError, TypeError):
            continue
        return op
    raise RuntimeError(f"no overload of {packet} takes these arguments")


class Trace:
    """The kernels that ran while a trace was on: a list of (start, duration, depth, operator, key, rule, kernel); times in seconds."""

    def __init__(self):
        self.events = []

    def __str__(self):
        return "\n".join(
            f"{'  ' * depth}{operator} -> {key} [{rule}] {kernel}" for _, _, depth, operator, key, rule, kernel in self.events
        )

    def chrome_trace(self):
        """The events in Chrome's trace format, as a JSON string (load it in chrome://tracing or Perfetto)."""
        thread = threading.get_ident()
        return json.dumps(
            {
                "traceEvents": [
                    {
                        "name": f"{operator} {key}", "cat": rule, "ph": "X", "ts": start * 1e6, "dur": duration * 1e6, "pid": 0,
                        "tid": thread, "args": {"kernel": kernel},
                    }
                    for start, duration, _, operator, key, rule, kernel in self.events
                ]
            }
        )  # fmt: skip


@contextmanager
def trace_dispatch(file=None):
    """Report every kernel that this thread's calls run: operator, key, rule, and where the kernel was registered.

    Parameters
    ----------
    file : str, path or text stream, optional
        Where to write at the end: a name that ends in ``.json`` gets Chrome's trace format, a stream or another name the text.
        Without it nothing is written; the `Trace` that the ``with`` statement gives holds the events.

    Notes
    -----
    While the trace is on every call costs microseconds; otherwise it costs nothing.

    Examples
    --------
    >>> import runtime
    >>> x = runtime.ones(2)
    >>> with runtime.trace_dispatch() as trace:
    ...     y = x + x
    >>> [event[4] for event in trace.events]
    ['AutogradCPU', 'CPU']
    """
    trace = Trace()
    open_calls = []

    def sink(event, operator, key, rule, kernel):
        now = time.perf_counter()
        if event == "enter":
            open_calls.append(len(trace.events))
            trace.events.append((now, 0.0, len(open_calls) - 1, operator, key, rule, kernel))
        else:
            index = open_calls.pop()
            start, _, *rest = trace.events[index]
            trace.events[index] = (start, now - start, *rest)

    _trace_start(sink)
    try:
        yield trace
    finally:
        _trace_stop()
        if file is not None:
            _write(trace, file)


def _write(trace, file):
    if hasattr(file, "write"):
        file.write(f"{trace}\n")
    elif str(file).endswith(".json"):
        with open(file, "w") as out:
            out.write(trace.chrome_trace())
    else:
        with open(file, "w") as out:
            out.write(f"{trace}\n")

