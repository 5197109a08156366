"""The rows about the core: calls, kernels of users, guards, key sets, layers, import time and size. Single thread, tensors of 4 elements."""

import contextlib
import functools
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from bench.native import kernels
from bench.row import AtMost, Faster, Row, Skip, Within, beside

MODE = "TESTING_ONLY_GenericMode"
# Keys whose layers are counted: no operator has kernels there by itself.
LAYERS = ("TESTING_ONLY_GenericMode", "VmapMode", "FuncTorchVmapMode", "Tracer")

LETTERS = [f"t{i}" for i in range(14)]


@contextlib.contextmanager
def tensors(world):
    """Small tensors `a`, `b`, `c`, a 16x16 matrix `x`, and the operators."""
    names = {n: world.tensor(np.full(4, value, np.float32)) for n, value in (("a", 1.5), ("b", 2.5), ("c", 0))}
    names["x"] = world.tensor(np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))
    names["lib"] = world.lib
    if world.name != "numpy":
        names["ops"] = world.lib.ops
        names["add"] = world.lib.ops.aten.add.Tensor
    yield names


@contextlib.contextmanager
def python_kernels(world):
    """Operators `one` and `many` with Python kernels for 1 and 14 tensors, and a `functools.singledispatch` function."""
    dispatched = functools.singledispatch(lambda x: None)
    with tensors(world) as names, world.library("bench", "FRAGMENT") as library:
        dispatched.register(type(names["a"]), lambda x: x)
        library.define("one(Tensor x) -> Tensor")
        library.impl("one", lambda x: x, "CPU")
        library.define(f"many({', '.join(f'Tensor {t}' for t in LETTERS)}) -> Tensor")
        library.impl("many", eval(f"lambda {', '.join(LETTERS)}: t0"), "CPU")
        names |= {t: world.tensor(np.full(4, i, np.float32)) for i, t in enumerate(LETTERS)}
        yield names | {
            "one": world.lib.ops.bench.one.default,
            "many": world.lib.ops.bench.many.default,
            "dispatched": dispatched,
        }


@contextlib.contextmanager
def guards(world):
    """Guard classes, key sets and keys."""
    core = world.core
    with tensors(world) as names:
        yield names | {
            "Force": core._ForceDispatchKeyGuard,
            "Include": core._IncludeDispatchKeyGuard,
            "Exclude": core._ExcludeDispatchKeyGuard,
            "included": core._dispatch_tls_local_include_set(),
            "excluded": core._dispatch_tls_local_exclude_set(),
            "key": core.DispatchKey.AutogradCPU,
            "k1": core.DispatchKeySet(core.DispatchKey.CPU),
            "k2": core.DispatchKeySet(core.DispatchKey.AutogradCPU),
        }


@contextlib.contextmanager
def fallback(world):
    """A Python fallback that gets the key set and redispatches, and a context that turns its key on."""
    core = world.core

    def hand_on(keys, op, *args, **kwargs):
        # By name: PyTorch's DispatchKey enum does not hold this key.
        return op.redispatch(keys.remove(MODE), *args, **kwargs)

    def mode():
        included = core._dispatch_tls_local_include_set() | core.DispatchKeySet(MODE)
        return core._ForceDispatchKeyGuard(included, core._dispatch_tls_local_exclude_set())

    with tensors(world) as names, world.library("_", "IMPL") as library:
        library.fallback(hand_on, MODE, with_keyset=True)
        yield names | {"mode": mode}


@contextlib.contextmanager
def native(world):
    """The operators of bench/native.py, and contexts that put layers above the addition."""
    compiled = kernels()
    core = world.core

    @contextlib.contextmanager
    def layers():
        with contextlib.ExitStack() as stack:
            for key in LAYERS:
                stack.enter_context(core._IncludeDispatchKeyGuard(core.DispatchKeySet(key)))
            yield

    with tensors(world) as names, world.library("bench", "FRAGMENT") as library:
        for name in ("add", "layered", "skipped"):
            library.define(f"{name}(Tensor a, Tensor b) -> Tensor")
            library.impl(name, compiled.bench_add, "CPU")
        for key in LAYERS:
            library.impl("layered", compiled.bench_layer, key)
            library.impl("skipped", world.lib.fallthrough_kernel, key)
        library.define("dot(Tensor a, Tensor b) -> float")
        library.impl("dot", compiled.bench_dot, "CPU", accepts_foreign=True)
        world.lib.register_array_type(Array, core.DispatchKeySet("CPU"), lambda array: world.lib.from_numpy(np.asarray(array)))
        ours = world.lib.ops.bench
        yield names | {
            "user": ours.add.default,
            "layered": ours.layered.default,
            "skipped": ours.skipped.default,
            "dot": ours.dot.default,
            "layers": layers,
            "m": np.full(4, 1.5, np.float32).view(Array),
            "n": np.full(4, 2.5, np.float32).view(Array),
        }


class Array(np.ndarray):
    """A type of NumPy arrays of its own, so that its registration changes nothing for other arrays of the process."""


def import_time(worlds, quick):
    """The time of ``import runtime`` and of ``import numpy`` in fresh processes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(worlds["ours"].lib.__file__).parents[1]), *filter(None, sys.path)])}
    best = {}
    for _ in range(3 if quick else 9):
        for column, module in (("ours", "runtime"), ("numpy", "numpy")):
            code = f"import time; t = time.perf_counter(); import {module}; print(time.perf_counter() - t)"
            run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
            best[column] = min(best.get(column, float("inf")), 1e9 * float(run.stdout))
    return best, "of a fresh process"


def operator_list(worlds, quick):
    """The time to read and group PyTorch's operator list, with our data model and with PyTorch's own, in fresh processes."""
    if importlib.util.find_spec("torchgen") is None:
        raise Skip("torchgen is not installed")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(worlds["ours"].lib.__file__).parents[1]), *filter(None, sys.path)])}
    best = {}
    for _ in range(1 if quick else 5):
        for column, package in (("ours", "runtime.torchgen"), ("torch", "torchgen")):
            run = subprocess.run([sys.executable, "-c", READ_LIST.format(package)], capture_output=True, text=True, env=environment, check=True)
            best[column] = min(best.get(column, float("inf")), 1e9 * float(run.stdout))
    return best, "of a fresh process"


READ_LIST = """
import importlib.util, os, time
from {} import gen
folder = os.path.join(os.path.dirname(importlib.util.find_spec("torchgen").origin), "packaged/ATen/native")
t = time.perf_counter()
functions = gen.parse_native_yaml(os.path.join(folder, "native_functions.yaml"), os.path.join(folder, "tags.yaml")).native_functions
gen.get_grouped_native_functions(functions)
gen.get_grouped_by_view_native_functions(functions)
print(time.perf_counter() - t)
"""


def wheel_size(worlds, quick):
    """The size of the files that a wheel would hold, the extension module stripped if there is a `strip`."""
    folder = Path(worlds["ours"].lib.__file__).parent
    kinds = (".py", ".pyi", ".pxd", ".h", ".yaml", ".cu", ".cuh", ".typed")
    # What the build reads (the core's headers) or compares (the generated stubs) stays in the source tree.
    unpacked = {*folder.glob("core/*.h"), *folder.glob("_generated/*.pyi"), *folder.glob("_generated/*.h")}
    total = sum(f.stat().st_size for f in folder.rglob("*") if f.suffix in kinds and f not in unpacked)
    tool = shutil.which("strip")
    with tempfile.TemporaryDirectory() as scratch:
        for library in folder.rglob("*.so"):
            copy = Path(shutil.copy(library, scratch))
            if tool:
                subprocess.run([tool, str(copy)], check=True)
            total += copy.stat().st_size
    return {"ours": total / 1e6}, "" if tool else "not stripped: there is no strip"


def _row(name, statements, *goals, setup=tensors, **more):
    return Row("core", name, goals, setup, statements, **more)


ROWS = [
    _row("a + b", beside("a + b", numpy="a + b"), Faster("torch", 12), Faster("numpy", 5)),
    _row("add(a, b, out=c)", beside("lib.add(a, b, out=c)", numpy="lib.add(a, b, out=c)"), Faster("torch", 10)),
    _row("ops.aten.add.Tensor(a, b)", beside("ops.aten.add.Tensor(a, b)"), Faster("torch", 18)),
    _row("ops.aten.add.Tensor(a, b, alpha=2)", beside("ops.aten.add.Tensor(a, b, alpha=2)"), Faster("torch", 20)),
    _row("ops.aten.add(a, b) (packet)", beside("ops.aten.add(a, b)"), Faster("torch", 15)),
    _row("a + 1.5", beside("a + 1.5", numpy="a + 1.5"), Faster("torch", 15)),
    _row("a.view(2, 2)", beside("a.view(2, 2)", numpy="a.reshape(2, 2)"), Faster("torch", 10)),
    _row("a[0]", beside("a[0]", numpy="a[0]"), Faster("torch", 8)),
    _row("a.unsqueeze(0)", beside("a.unsqueeze(0)", numpy="a[None]"), Faster("torch", 10)),
    _row("a.sum()", beside("a.sum()", numpy="a.sum()"), Faster("torch", 15)),
    _row("a.clone()", beside("a.clone()", numpy="a.copy()"), Faster("torch", 15)),
    _row("16x16 mm", beside("lib.mm(x, x)", numpy="x @ x"), Faster("torch", 6), Faster("numpy", 2.5)),
    _row("Python kernel, 1 tensor", beside("one(a)", singledispatch="dispatched(a)"), Faster("torch", 11), Within("singledispatch", 0.3),
         setup=python_kernels),
    _row("Python kernel, 14 tensors", beside(f"many({', '.join(LETTERS)})"), Faster("torch", 15), setup=python_kernels),
    _row("C kernel by address, 2 tensors", beside("user(a, b)", torch=None, builtin="add(a, b)"), Within("builtin", 1.2), setup=native),
    _row("Python fallback + redispatch, a + b", beside("a + b"), Faster("torch", 14), setup=fallback,
         around={"ours": "mode", "torch": "mode"}),
    _row("fallthrough layer, each", beside("skipped(a, b)", torch=None, bare="skipped(a, b)"), AtMost(1), setup=native,
         around={"ours": "layers"}, each=len(LAYERS)),
    _row("C redispatching layer, each", beside("layered(a, b)", torch=None, bare="layered(a, b)"), AtMost(5), setup=native,
         around={"ours": "layers"}, each=len(LAYERS)),
    _row("with Force guard", beside("with Force(included, excluded):\n    pass"), Faster("torch", 6), setup=guards),
    _row("with Include guard", beside("with Include(key):\n    pass"), Faster("torch", 6), setup=guards),
    _row("with Exclude guard", beside("with Exclude(k2):\n    pass"), Faster("torch", 6), setup=guards),
    _row("k1 | k2", beside("k1 | k2"), Faster("torch", 6), setup=guards),
    _row("k.has(x)", beside("k1.has(key)"), Faster("torch", 4), setup=guards),
    _row("raw NumPy arrays, C kernel", beside("dot(m, n)", torch=None, tensors="dot(a, b)"), Within("tensors", 1.5), setup=native),
    Row("core", "import", (Within("numpy", 1, 0.04e9),), measured=import_time),
    Row("core", "operator list of PyTorch", (Faster("torch", 1),), measured=operator_list),
    Row("core", "wheel contents", (AtMost(12, "MB"),), measured=wheel_size, unit="MB"),
]  # fmt: skip
