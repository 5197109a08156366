"""The rows about NumPy's protocols and DLPack: what an exchange costs, and a function of NumPy's on a tensor. Tensors of 4 elements.

NumPy's own part of ``np.sin(t)`` is measured on an object whose ``__array_ufunc__`` (or ``__array_function__``) is `operator.itemgetter`:
a callable in C that takes any arguments and does next to nothing, so that no time of Python code counts as NumPy's.
"""

import contextlib
import operator

import numpy as np

from bench.row import AtMost, Faster, Row, Within, beside

# What a ufunc or function on a tensor may cost beyond NumPy's own part and the operator's, in ns.
ALLOWED = 100


class Overriding:
    """What NumPy hands ufuncs and functions over to, for nothing."""

    __array_ufunc__ = operator.itemgetter
    __array_function__ = operator.itemgetter


@contextlib.contextmanager
def exchange(world):
    """A tensor `t`, an array `a` and another tensor `other` of PyTorch's where there is one, the packages, and `o` that overrides."""
    a = np.full(4, 1.5, np.float32)
    names = {"a": a, "np": np, "o": Overriding(), "lib": world.lib}
    if world.name != "numpy":
        names["t"] = world.lib.from_numpy(a.copy())
    with contextlib.suppress(ImportError):
        import torch

        names |= {"torch": torch, "other": torch.from_numpy(a.copy())}
    yield names


def on_tensor(name, source, override, numpy, **others):
    """A row for a function of NumPy's on tensors."""
    goals = (Within("override", 1.0, ALLOWED), Faster("torch", 1.5)) if others.get("torch") else (Within("override", 1.0, ALLOWED),)
    return Row("interop", name, goals, exchange, beside(source, numpy=numpy, torch=others.get("torch", False), override=override))


ROWS = [
    on_tensor("`np.sin(t)`", "np.sin(t)", "np.sin(o)", "np.sin(a)", torch=True),
    on_tensor("`np.add(t, t)`", "np.add(t, t)", "np.add(o, o)", "np.add(a, a)", torch=True),
    on_tensor("`array + t`", "a + t", "a + o", "a + a"),
    Row("interop", "`np.add.reduce(t)`", (Faster("torch", 0.3),), exchange, beside("np.add.reduce(t)", numpy="np.add.reduce(a)")),
    Row("interop", "`np.concatenate([t, t])`", (Faster("torch", 1),), exchange, beside("np.concatenate([t, t])", numpy="np.concatenate([a, a])")),
    Row("interop", "`from_numpy(a)`", (AtMost(300), Faster("torch", 1)), exchange, beside("lib.from_numpy(a)")),
    Row("interop", "`t.numpy()`", (AtMost(300), Faster("torch", 1)), exchange, beside("t.numpy()")),
    Row("interop", "`np.asarray(t)`", (AtMost(300), Faster("torch", 1)), exchange, beside("np.asarray(t)")),
    Row("interop", "`from_dlpack(a)`", (AtMost(300), Faster("torch", 1)), exchange, beside("lib.from_dlpack(a)", numpy="np.from_dlpack(a)")),
    Row("interop", "`np.from_dlpack(t)`", (AtMost(300), Faster("torch", 1)), exchange, beside("np.from_dlpack(t)")),
    Row("interop", "`t.__dlpack__()`", (AtMost(300), Faster("torch", 1)), exchange, beside("t.__dlpack__() is None", numpy="a.__dlpack__() is None")),
    Row("interop", "`memoryview(t)`", (AtMost(300),), exchange, beside("memoryview(t).nbytes", torch=False, numpy="memoryview(a).nbytes")),
]
