"""What a benchmark is: a row with statements for this package, PyTorch and NumPy, and the goals that it is held against.

`bench/core.py`, `bench/extension.py`, `bench/autograd.py`, `bench/interop.py` and `bench/operators.py` are lists of rows; `bench/run.py`
measures them.
"""

import contextlib
import functools
from collections.abc import Callable
from dataclasses import dataclass, field

from bench.threads import one_torch_thread
from runtime.benchmark import Statement

# PyTorch with one thread, in rows that let it use more: on a busy machine its barriers take milliseconds, and a row must not be met
# because of that.
ONE_THREAD = "torch, 1 thread"


class Skip(Exception):
    """A row cannot be measured here; the message says why."""


@dataclass(frozen=True)
class Faster:
    """At least `factor` times as fast as another contender."""

    than: str
    factor: float

    def __str__(self):
        return f">= {self.factor:g}x {self.than}"

    def score(self, values):
        """How far the goal is exceeded (1: just met), or None if it cannot be judged."""
        return values[self.than] / values["ours"] / self.factor if self.than in values else None


@dataclass(frozen=True)
class AsFastAsBest:
    """At least `factor` times as fast as the fastest of PyTorch, with the row's threads or with one, and NumPy."""

    factor: float

    def __str__(self):
        return f">= {self.factor:g}x the faster"

    def score(self, values):
        """How far the goal is exceeded (1: just met), or None if it cannot be judged."""
        others = [values[name] for name in ("torch", ONE_THREAD, "numpy") if name in values]
        return min(others) / values["ours"] / self.factor if others else None


@dataclass(frozen=True)
class Within:
    """At most `factor` times another contender's time, plus `extra`."""

    of: str
    factor: float = 1.0
    extra: float = 0.0

    def __str__(self):
        extra = f" + {self.extra / 1e9:g} s" if self.extra else ""
        return f"<= {self.factor:g}x {self.of}{extra}"

    def score(self, values):
        """How far the goal is exceeded (1: just met), or None if it cannot be judged."""
        return (self.factor * values[self.of] + self.extra) / values["ours"] if self.of in values else None


@dataclass(frozen=True)
class AtMost:
    """At most so much, in the row's unit."""

    limit: float
    unit: str = "ns"

    def __str__(self):
        return f"<= {self.limit:g} {self.unit}"

    def score(self, values):
        """How far the goal is exceeded (1: just met)."""
        return self.limit / max(values["ours"], 1e-9)


@dataclass(frozen=True)
class Row:
    """One benchmark.

    Attributes
    ----------
    group, name : str
        Where and under what name it is listed.
    goals : tuple
        `Faster`, `AsFastAsBest`, `Within` or `AtMost`.
    setup : callable
        Given a World, a context manager with the namespace of that world's statement.
    statements : dict of str to str
        Source by contender. ``"torch"``, `ONE_THREAD` and ``"numpy"`` run in their own worlds, all others in ours.
    around : dict of str to str
        For contenders that are measured inside a context: the name of its factory in the namespace.
    each : int
        If not 0, the row is about one of so many layers: the difference of ``"ours"`` and ``"bare"`` is divided by it.
    requires : tuple of str
        Operators of aten without which the row is pending.
    threads : int
        How many threads PyTorch and the BLAS libraries may use.
    measured : callable, optional
        For what is not a statement: given ``(worlds, quick)``, gives the values by contender and a note.
    unit : str
        Of the values.
    quick : bool
        Whether a quick run includes the row.
    """

    group: str
    name: str
    goals: tuple
    setup: Callable | None = None
    statements: dict = field(default_factory=dict)
    around: dict = field(default_factory=dict)
    each: int = 0
    requires: tuple = ()
    threads: int = 1
    measured: Callable | None = None
    unit: str = "ns"
    quick: bool = True

    def prepare(self, worlds, stack):
        """The row's statements, ready to run; `stack` closes what they need."""
        spaces, ready = {}, {}
        for contender, source in self.statements.items():
            world = {"torch": "torch", ONE_THREAD: "torch", "numpy": "numpy"}.get(contender, "ours")
            if world not in worlds:
                continue
            if world not in spaces:
                spaces[world] = stack.enter_context(self.setup(worlds[world]))
            around = contextlib.nullcontext
            if contender == ONE_THREAD:
                around = functools.partial(one_torch_thread, worlds[world].lib)
            elif contender in self.around:
                around = spaces[world][self.around[contender]]
            ready[contender] = Statement(source, spaces[world], around)
        return ready

    def judge(self, values):
        """The verdict on measured values and the score of the goal that is hardest to meet (None: nothing to compare with)."""
        scores = [s for s in (goal.score(values) for goal in self.goals) if s is not None]
        if not scores:
            return "-", None
        return ("met" if min(scores) >= 1 else "missed"), min(scores)


def beside(source, torch=True, numpy=None, **others):
    """Statements by contender: the same source for PyTorch unless `torch` says otherwise, and `numpy`'s own where it has one."""
    statements = {"ours": source}
    if torch:
        statements["torch"] = source if torch is True else torch
    if numpy:
        statements["numpy"] = numpy
    return statements | others
