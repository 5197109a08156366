"""Measuring statements beside each other: the timing core of the demo's latency table and of the benchmarks in ``bench/``.

A statement is Python source that runs in a namespace, as in `timeit`: no function call is added to what is measured, and the same text
can be run with this package's tensors, PyTorch's and NumPy's arrays. A `World` is one of these three.
"""

import contextlib
import importlib
import importlib.util
import timeit
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType


@dataclass(frozen=True)
class World:
    """A library that statements are measured with.

    Attributes
    ----------
    name : {"ours", "torch", "numpy"}
        Its column.
    lib : module
        Its module, which statements call `lib`.
    """

    name: str
    lib: ModuleType

    def tensor(self, array):
        """A tensor of this library with a copy of a NumPy array's data and the array's strides."""
        return array.copy("K") if self.name == "numpy" else self.lib.from_numpy(array.copy("K"))

    def over(self, array):
        """A tensor of this library over a NumPy array's own memory.

        For large operands that are only read: which pages of memory an array was given decides how much of it fits into the caches, some
        ten per cent of a statement's time. Here all libraries read the same ones.
        """
        return array if self.name == "numpy" else self.lib.from_numpy(array)

    @property
    def core(self):
        """The module of the dispatcher's bindings."""
        return self.lib._C if self.name == "torch" else self.lib._core

    def library(self, *args):
        """A context with a `Library` that takes its registrations back at the end."""
        return importlib.import_module(f"{self.lib.__name__}.library")._scoped_library(*args)


def worlds():
    """The importable libraries by column, this package first.

    Returns
    -------
    dict of str to World
    """
    found = {}
    for column, module in (("ours", "runtime"), ("torch", "torch"), ("numpy", "numpy")):
        if importlib.util.find_spec(module) is None:
            continue
        # A PyTorch that is installed but does not load here is as good as none.
        with contextlib.suppress(ImportError, OSError):
            found[column] = World(column, importlib.import_module(module))
    return found


@dataclass
class Statement:
    """Source to measure.

    Attributes
    ----------
    source : str
        Python statements.
    names : dict
        The namespace that they run in.
    around : callable, optional
        Gives the context manager in which they are measured, whose own time does not count.
    """

    source: str
    names: dict = field(repr=False)
    around: Callable = contextlib.nullcontext

    def value(self):
        """The value of a statement that is an expression."""
        with self.around():
            return eval(self.source, self.names)

    def timer(self):
        """A `timeit.Timer` of the source."""
        return timeit.Timer(self.source, globals=self.names)


def measure(statements, repeats=9, seconds=0.01):
    """The best time of each of some statements.

    Parameters
    ----------
    statements : dict of str to Statement
        What is compared. Repeats are interleaved, so that a slow phase of the machine hits all of them.
    repeats : int
        How often each statement is timed; the best time counts.
    seconds : float
        About how long one repeat of one statement runs.

    Returns
    -------
    dict of str to float
        Nanoseconds of one execution.
    """
    timers = {name: statement.timer() for name, statement in statements.items()}
    numbers = {name: _number(timers[name], statements[name], seconds) for name in timers}
    best = dict.fromkeys(timers, float("inf"))
    for _ in range(repeats):
        for name, timer in timers.items():
            with statements[name].around():
                best[name] = min(best[name], timer.timeit(numbers[name]) / numbers[name])
    return {name: 1e9 * value for name, value in best.items()}


def _number(timer, statement, seconds):
    """How many executions last about as long as a repeat should."""
    number = 1
    with statement.around():
        timer.timeit(1)
        while (spent := timer.timeit(number)) < seconds / 5:
            number *= 5
    return max(1, round(number * seconds / spent))


def pretty(nanoseconds):
    """A time with a unit that suits it, such as ``"1.3 µs"``."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(nanoseconds) >= size:
            return f"{nanoseconds / size:.3g} {unit}"
    return f"{nanoseconds:.1f} ns" if abs(nanoseconds) < 10 else f"{nanoseconds:.0f} ns"
