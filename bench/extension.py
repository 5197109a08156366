"""The rows about extending from Python beyond plain kernels. Single thread, tensors of 4 elements."""

import contextlib
import functools
import importlib

import numpy as np

from bench.core import LETTERS, tensors
from bench.row import Faster, Row, beside


@contextlib.contextmanager
def custom_operators(world):
    """Custom operators `one` and `many` of 1 and 14 tensors that clone the first one, and their arguments."""
    library = importlib.import_module(f"{world.lib.__name__}.library")
    names = {"Tensor": world.lib.Tensor}
    for name, letters in (("one", LETTERS[:1]), ("many", LETTERS)):
        exec(f"def {name}({', '.join(f'{t}: Tensor' for t in letters)}) -> Tensor:\n    return t0.clone()", names)
        names[name] = library.custom_op(f"bench_custom::{name}", names[name], mutates_args=())
    yield names | {t: world.tensor(np.full(4, i, np.float32)) for i, t in enumerate(LETTERS)}


@contextlib.contextmanager
def mode_stack(world):
    """Tensors, and a context with some modes that let every call pass."""
    passing = importlib.import_module("torch.utils._python_dispatch" if world.name == "torch" else "runtime.modes").BaseTorchDispatchMode

    @contextlib.contextmanager
    def modes(n):
        with contextlib.ExitStack() as stack:
            for _ in range(n):
                stack.enter_context(passing())
            yield

    with tensors(world) as names:
        yield names | {"one": functools.partial(modes, 1), "three": functools.partial(modes, 3)}


@contextlib.contextmanager
def subclasses(world):
    """A wrapper `w`, a `__torch_function__` subclass `s`, and a logging tensor `log` that keeps a list of calls."""
    Tensor = world.lib.Tensor

    class Wrapper(Tensor):
        __slots__ = ("elem",)

        @staticmethod
        def __new__(cls, elem):
            made = Tensor._make_wrapper_subclass(cls, elem.size(), dtype=elem.dtype)
            made.elem = elem
            return made

        @classmethod
        def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
            return cls(func(*[a.elem if isinstance(a, Wrapper) else a for a in args], **kwargs))

    class Overriding(Tensor):
        @classmethod
        def __torch_function__(cls, func, types, args=(), kwargs=None):
            return super().__torch_function__(func, types, args, kwargs)

    package = "torch.testing._internal" if world.name == "torch" else "runtime.testing"
    logging = importlib.import_module(f"{package}.logging_tensor").LoggingTensor
    with tensors(world) as names:
        a = names["a"]
        yield names | {"w": Wrapper(a), "s": a.as_subclass(Overriding), "log": logging(a)}


@contextlib.contextmanager
def python_dispatcher(world):
    """Tensors, and the context in which calls go through the Python dispatcher."""
    with tensors(world) as names:
        yield names | {"dispatcher": world.core._EnablePythonDispatcher}


ROWS = [
    Row("extension", "one mode around `a + b`", (Faster("torch", 18),), mode_stack, beside("a + b"), around={"ours": "one", "torch": "one"}),
    Row("extension", "three modes around `a + b`", (Faster("torch", 18),), mode_stack, beside("a + b"), around={"ours": "three", "torch": "three"}),
    Row("extension", "wrapper subclass `w + w`", (Faster("torch", 7),), subclasses, beside("w + w")),
    Row("extension", "`__torch_function__` subclass, one call", (Faster("torch", 8),), subclasses, beside("s + s")),
    Row("extension", "Python dispatcher, `a + b`", (Faster("torch", 10),), python_dispatcher, beside("a + b"), around={"ours": "dispatcher", "torch": "dispatcher"}),
    Row("extension", "LoggingTensor `x * x`", (Faster("torch", 4),), subclasses, beside("log * log")),
    Row("extension", "custom_op one input (clone)", (Faster("torch", 30),), custom_operators, beside("one(t0)", function="t0.clone()")),
    Row("extension", "custom_op 14 inputs", (Faster("torch", 30),), custom_operators, beside(f"many({', '.join(LETTERS)})")),
]
