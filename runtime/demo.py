"""``python -m runtime demo``: the main job from beginning to end, each step explained in a line.

An operator is defined, kernels of every kind are registered for it, calls are dispatched through keys, guards, fallbacks and
redispatch, one call is explained and traced; at the end stands a table of latencies, measured here, beside NumPy's and PyTorch's.
"""

import contextlib

import numpy as np
from rich.markup import escape
from rich.table import Table

import runtime
from runtime._core import DispatchKeySet, _IncludeDispatchKeyGuard
from runtime.benchmark import Statement, measure, pretty, worlds
from runtime.explanation import explain, trace_dispatch
from runtime.inline import NoCompiler, load_c
from runtime.library import _scoped_library

# A key that no operator uses by itself: the demo's own layer.
LAYER = "TESTING_ONLY_GenericMode"

C_SOURCE = r"""
#include <math.h>
#include "runtime/runtime.h"

/* Called through ctypes.PyDLL, which raises the exception that a failing import sets. */
int demo_init(void) { return rt_import(); }

/* A typed kernel: memory in, memory out, no Python. sqrt(x^2 + y^2). */
int demo_hypot(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx)
{
    if (in[0].dtype != RT_FLOAT64 || in[1].dtype != RT_FLOAT64 || !in[0].is_contiguous || !in[1].is_contiguous)
        return 1;
    for (int64_t i = 0; i < out->numel; i++)
        ((double *)out->data)[i] = hypot(((const double *)in[0].data)[i], ((const double *)in[1].data)[i]);
    return 0;
}

/* A boxed kernel: a layer that counts the call and hands it on without its own key, the highest of the set. */
static long calls;
long demo_calls(void) { return calls; }
PyObject *demo_count(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    calls++;
    return rt->redispatch(op, ks & ~((rt_keyset)1 << (63 - __builtin_clzll(ks))), args, nargs);
}
"""

LATENCIES = [
    ("a + b", "a + b", "a + b", "a + b"),
    ("add(a, b, out=c)", "lib.add(a, b, out=c)", "lib.add(a, b, out=c)", "lib.add(a, b, out=c)"),
    ("ops.aten.add.Tensor(a, b)", "ops.aten.add.Tensor(a, b)", "ops.aten.add.Tensor(a, b)", None),
    ("a * 1.5", "a * 1.5", "a * 1.5", "a * 1.5"),
    ("a[0]", "a[0]", "a[0]", "a[0]"),
    ("a.view(2, 2)", "a.view(2, 2)", "a.view(2, 2)", "a.reshape(2, 2)"),
    ("a.sum()", "a.sum()", "a.sum()", "a.sum()"),
    ("exp(x), 1000 elements", "lib.exp(x)", "lib.exp(x)", "lib.exp(x)"),
    ("m @ m, 16x16", "m @ m", "m @ m", "m @ m"),
]


class Steps:
    """The table of steps: what is shown, the line of code that shows it, and what came out."""

    def __init__(self):
        self.table = Table("step", "code", "result", show_lines=True)
        self.rows = []

    def add(self, what, code, result):
        """Append a step; `result` is shown as text."""
        self.table.add_row(escape(what), escape(code), escape(str(result)))
        self.rows.append({"step": what, "code": code, "result": str(result)})


def run(console, quick=False, results=None):
    """Run the demo.

    Parameters
    ----------
    console : rich.console.Console
        Where the tables are printed.
    quick : bool
        Whether to measure fewer repeats.
    results : dict, optional
        Filled in: "steps", each with its code and result, and "latencies" in nanoseconds by library.

    Returns
    -------
    int
        The exit status: 0.
    """
    samples = np.linspace(0.0, 1.0, 5)
    steps = Steps()
    with _scoped_library("demo", "DEF") as library:
        x = runtime.from_numpy(samples)
        steps.add("A tensor looks at a NumPy array's memory", "x = runtime.from_numpy(samples)", x)
        _python_kernels(steps, library, x)
        _native_kernels(steps, library, x)
        _layers(steps, library, x)
        console.print(steps.table)
        _explanation(console, x)
    console.print(f"The library is gone, and with it its operators: hasattr(ops.demo, 'scale') is {hasattr(runtime.ops.demo, 'scale')}.")
    console.print()
    latencies = _latencies(console, quick)
    if results is not None:
        results.update(steps=steps.rows, latencies=latencies)
    return 0


def _python_kernels(steps, library, x):
    library.define("scale(Tensor x, float factor=2.0) -> Tensor")
    steps.add(
        "An operator is a schema with a table of kernels, one slot a key",
        'library.define("scale(Tensor x, float factor=2.0) -> Tensor")',
        runtime.ops.demo.scale.default._schema,
    )
    library.impl("scale", lambda x, factor=2.0: x * factor, "CPU")
    steps.add(
        "A Python kernel for CPU tensors",
        'library.impl("scale", lambda x, factor=2.0: x * factor, "CPU")\nops.demo.scale(x, factor=10)',
        runtime.ops.demo.scale(x, factor=10.0),
    )
    library.impl("scale", lambda x, factor=2.0: runtime.empty_like(x), "Meta")
    shapeless = runtime.empty((1000, 1000), device="meta")
    steps.add(
        "A Meta kernel computes shapes without data",
        'library.impl("scale", lambda x, factor=2.0: empty_like(x), "Meta")\nops.demo.scale(empty((1000, 1000), device="meta")).shape',
        runtime.ops.demo.scale(shapeless).shape,
    )
    library.define("shift_scale(Tensor x, float shift) -> Tensor")
    library.impl("shift_scale", lambda x, shift: runtime.ops.demo.scale(x + shift), "CompositeImplicitAutograd")
    rules = {row["key"]: row["rule"] for row in explain(runtime.ops.demo.shift_scale.default).table}
    steps.add(
        "An alias key fills every slot that has no kernel of its own",
        'library.impl("shift_scale", lambda x, shift: ops.demo.scale(x + shift), "CompositeImplicitAutograd")\nops.demo.shift_scale(x, 1)',
        f"{runtime.ops.demo.shift_scale(x, 1.0)}\nrule for CPU: {rules['CPU']}",
    )


def _native_kernels(steps, library, x):
    try:
        compiled = load_c(C_SOURCE)
    except NoCompiler as e:
        steps.add("A C kernel", "runtime.inline.load_c(source)", f"left out: {e}")
        return
    compiled.demo_init()
    library.define("hypot(Tensor x, Tensor y) -> Tensor")
    kernel = runtime.TypedKernel(compiled.demo_hypot, "same_as(0)", errors={1: "expected contiguous float64 tensors"})
    library.impl("hypot", kernel, "CPU")
    y = runtime.ops.demo.hypot(x, runtime.ones_like(x))
    steps.add(
        "A C kernel over memory, compiled just now, registered by address",
        'library.impl("hypot", TypedKernel(compiled.demo_hypot, "same_as(0)"), "CPU")\nops.demo.hypot(x, ones_like(x))',
        f"{y}\nagrees with NumPy: {np.allclose(y.numpy(), np.hypot(x.numpy(), 1))}",
    )
    library.impl("hypot", compiled.demo_count, LAYER)
    with _IncludeDispatchKeyGuard(DispatchKeySet(LAYER)):
        runtime.ops.demo.hypot(x, x)
        runtime.ops.demo.hypot(x, x)
    steps.add(
        "A boxed C kernel as a layer: it counts, and redispatches in C",
        f'library.impl("hypot", compiled.demo_count, "{LAYER}")\nwith guard: ops.demo.hypot(x, x); ops.demo.hypot(x, x)',
        f"calls seen by the layer: {compiled.demo_calls()}",
    )


def _layers(steps, library, x):
    seen = []

    def watch(keys, op, *args, **kwargs):
        seen.append(op.name())
        return op.redispatch(keys.remove(LAYER), *args, **kwargs)

    with _scoped_library("_", "IMPL") as fallbacks:
        fallbacks.fallback(watch, LAYER, with_keyset=True)
        with _IncludeDispatchKeyGuard(DispatchKeySet(LAYER)):
            (runtime.ops.demo.scale(x) - x).sum()
        steps.add(
            "A backend fallback gets every operator, with its key set, and redispatches; a guard turns its key on",
            f'fallbacks.fallback(watch, "{LAYER}", with_keyset=True)\n'
            f'with _IncludeDispatchKeyGuard(DispatchKeySet("{LAYER}")):\n    (ops.demo.scale(x) - x).sum()',
            "seen: " + ", ".join(seen),
        )
        seen.clear()
        library.impl("scale", runtime.fallthrough_kernel, LAYER)
        with _IncludeDispatchKeyGuard(DispatchKeySet(LAYER)):
            (runtime.ops.demo.scale(x) - x).sum()
        steps.add(
            "A fallthrough makes one operator skip the key, at no cost",
            f'library.impl("scale", fallthrough_kernel, "{LAYER}")',
            "seen: " + ", ".join(seen),
        )


def _explanation(console, x):
    why = explain(runtime.ops.demo.scale.default, x)
    table = Table("set", "keys", title="Why ops.demo.scale(x) runs what it runs: runtime.explain(op, x)", title_justify="left")
    for name, keys in why.steps:
        table.add_row(name, ", ".join(k.name for k in keys))
    table.add_row("runs", f"{why.key.name}: {why.chosen['rule']}")
    console.print(table)
    with trace_dispatch() as trace:
        runtime.ops.demo.shift_scale(x, 1.0)
    table = Table(
        "operator",
        "key",
        "rule",
        title="What ran in ops.demo.shift_scale(x, 1): runtime.trace_dispatch()",
        title_justify="left",
    )
    for _, _, depth, operator, key, rule, _ in trace.events:
        table.add_row("  " * depth + operator, key, rule)
    console.print(table)


def _names(world):
    rng = np.random.default_rng(0)
    names = {"lib": world.lib, "ops": getattr(world.lib, "ops", None)}
    for name, shape in (("a", 4), ("b", 4), ("c", 4), ("x", 1000), ("m", (16, 16))):
        names[name] = world.tensor(rng.random(shape, dtype=np.float32))
    return names


def _latencies(console, quick):
    present = worlds()
    if "torch" in present:
        present["torch"].lib.set_num_threads(1)
    spaces = {column: _names(world) for column, world in present.items()}
    others = [column for column in ("numpy", "torch") if column in present]
    measured = {}
    table = Table("4 elements, one thread", "ours", *({"numpy": "NumPy", "torch": "PyTorch"}[c] for c in others))
    for column in table.columns[1:]:
        column.justify = "right"
    with console.status("measuring") if console.is_terminal else contextlib.nullcontext():
        for name, ours, torch, numpy in LATENCIES:
            sources = {"ours": ours, "torch": torch, "numpy": numpy}
            statements = {c: Statement(sources[c], spaces[c]) for c in present if sources[c]}
            times = measure(statements, 3 if quick else 9, 0.002 if quick else 0.01)
            cells = [f"{pretty(times[c])} ({times[c] / times['ours']:.1f}x)" if c in times else "" for c in others]
            table.add_row(escape(name), pretty(times["ours"]), *cells)
            measured[name] = {library: round(t, 1) for library, t in times.items()}
    console.print(table)
    if "torch" not in present:
        console.print("PyTorch is not installed: its column is left out.")
    return measured
