"""`MemoryTracker`: the memory that the operators of a block allocate, by operator and over time, and its peak.

What counts are the storages of results that no argument shares, from the call that returns them until the last tensor that the mode has
seen on them is gone. Memory that a kernel uses for itself is not seen.
"""

import weakref
from collections import defaultdict

from runtime._core import Tensor, TorchDispatchMode
from runtime.pytree import tree_leaves
from runtime.tools.naming import source_line


def bytes_text(n):
    """A number of bytes in units of 1024: ``"1.50 KiB"``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(n) < 1024 or unit == "GiB":
            return f"{n:.2f} {unit}" if unit != "B" else f"{n} B"
        n /= 1024
    return None


class MemoryTracker(TorchDispatchMode):
    """Tracks the memory of a ``with`` block's results.

    Parameters
    ----------
    record_source : bool
        Note the user's line of each allocation.

    Attributes
    ----------
    current, peak, allocated : int
        The bytes alive now, the most that were alive at a time, and all that were allocated.
    by_operator : dict
        Bytes allocated by operator.
    timeline : list of tuple
        ``(operator, bytes allocated, bytes alive, source line)`` for each call that allocated.

    Examples
    --------
    >>> import runtime
    >>> from runtime.tools import MemoryTracker
    >>> with MemoryTracker() as tracker:
    ...     x = runtime.ones(1024)
    ...     y = (x + 1).view(32, 32).exp()
    >>> tracker.peak, tracker.current
    (12288, 8192)
    >>> print(tracker.summary())
    peak 12.00 KiB, alive 8.00 KiB, allocated 12.00 KiB
      aten::ones               4.00 KiB    1 call
      aten::add.Tensor         4.00 KiB    1 call
      aten::exp                4.00 KiB    1 call
    """

    def __init__(self, record_source=False):
        super().__init__()
        self.record_source = record_source
        self.reset()

    def reset(self):
        """Forget everything; what is alive does not count any more."""
        self.current = self.peak = self.allocated = 0
        self.by_operator, self.calls = defaultdict(int), defaultdict(int)
        self.timeline = []
        self._storages = {}  # address -> [bytes, {id of a tensor: weak reference}]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        known = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if _has_memory(leaf)}
        result = func(*args, **kwargs)
        new = 0
        for leaf in tree_leaves(result):
            if _has_memory(leaf):
                new += self._see(leaf, known)
        if new > 0:
            name = func.name()
            self.allocated += new
            self.by_operator[name] += new
            self.calls[name] += 1
            self.peak = max(self.peak, self.current)
            self.timeline.append((name, new, self.current, source_line() if self.record_source else None))
        return result

    def _see(self, tensor, known):
        """Count a result's storage unless it was there before; returns the bytes by which it is new or has grown."""
        storage = tensor.untyped_storage()
        address, nbytes = storage._cdata, storage.nbytes()
        entry = self._storages.get(address)
        if entry is None:
            if address in known:
                return 0
            entry = self._storages[address] = [0, {}]
        grown, entry[0] = nbytes - entry[0], nbytes
        self.current += grown
        key, storages, owner = id(tensor), self._storages, weakref.ref(self)
        if key not in entry[1]:
            entry[1][key] = weakref.ref(tensor, lambda _: _gone(owner, storages, address, entry, key))
        return grown

    def summary(self, top=20):
        """The totals, and the operators that allocated most.

        Parameters
        ----------
        top : int
            How many operators.

        Returns
        -------
        str
        """
        lines = [f"peak {bytes_text(self.peak)}, alive {bytes_text(self.current)}, allocated {bytes_text(self.allocated)}"]
        for name, n in sorted(self.by_operator.items(), key=lambda item: -item[1])[:top]:
            calls = self.calls[name]
            lines.append(f"  {name:<20} {bytes_text(n):>12} {calls:>4} call{'s' if calls > 1 else ''}")
        return "\n".join(lines)

    def plot(self, path=None):
        """Draw the bytes alive after each call that allocated, the peak marked with its operator.

        Parameters
        ----------
        path : str or Path, optional
            Where the picture is written; without it the figure is only returned.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise ImportError("MemoryTracker.plot() draws with matplotlib, which is not installed (pip install matplotlib)") from error
        figure = Figure(figsize=(8, 4), layout="constrained")
        axes = figure.add_subplot()
        alive = [entry[2] for entry in self.timeline]
        axes.step(range(len(alive)), alive, where="post")
        axes.set(xlabel="allocating call", ylabel="bytes alive", title=f"peak {bytes_text(self.peak)}")
        if alive:
            at = max(range(len(alive)), key=alive.__getitem__)
            axes.annotate(self.timeline[at][0], (at, alive[at]))
        if path is not None:
            figure.savefig(path)
        return figure


def _has_memory(leaf):
    return type(leaf) is Tensor and not leaf.is_meta


def _gone(owner, storages, address, entry, key):
    """A tensor is gone; with the last one of its storage, the memory."""
    entry[1].pop(key, None)
    if entry[1] or storages.get(address) is not entry:
        return
    del storages[address]
    tracker = owner()
    if tracker is not None and tracker._storages is storages:
        tracker.current -= entry[0]
