"""The comparison of gradients with PyTorch's over its operator database.

``python -m tests.grad_oracle [name ...]`` prints what differs and a row for each differentiable entry; ``--double`` compares gradients of
gradients as well, ``--forward`` tangents; ``--write`` makes docs/gradient-oracle.md of a full run. Outputs are weighted with fixed
gradients; a sample matches if the same inputs have gradients, of the same shape, dtype and values.
"""

import argparse
import sys
import warnings
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import runtime as rt
from tests import op_equivalence
from tests.op_oracle import _never, _tensors, _text, as_array, name_of, outcome, resolve, to_ours

PAGE = Path(__file__).parent.parent / "docs" / "gradient-oracle.md"
DTYPES = (torch.float64, torch.complex128)

Row = namedtuple("Row", "name samples matched why")


def weights(shape, is_complex, seed):
    """Fixed gradients of an output: no two elements are the same."""
    n = int(np.prod(shape, dtype=np.int64))
    real = np.cos(np.arange(n) * 0.7 + seed) + 0.3
    made = real + 1j * np.sin(np.arange(n) * 0.4 + seed) if is_complex else real
    return made.reshape(tuple(shape))


def _weight(module, tensor, seed):
    array = weights(tensor.shape, tensor.dtype.is_complex, seed)
    return (torch.from_numpy(array) if module is torch else rt.from_numpy(array)).to(tensor.dtype)


def _differentiable(value):
    return [t for t in _tensors(value) if t.requires_grad]


def gradients(module, function, args, kwargs, process, leaves, double):
    """Gradients of weighted outputs with respect to leaves, and those of theirs."""
    outputs = _differentiable(process(function(*args, **kwargs)))
    seeds = [_weight(module, t, i) for i, t in enumerate(outputs)]
    if not outputs or not leaves:
        return len(outputs), [], []
    first = module.autograd.grad(outputs, leaves, seeds, create_graph=double, allow_unused=True)
    second = []
    if double:
        again = [g for g in first if g is not None and g.requires_grad]
        if again:
            second = module.autograd.grad(again, leaves, [_weight(module, t, i + 5) for i, t in enumerate(again)], allow_unused=True)
    return len(outputs), list(first), list(second)


def tangents(module, function, args, kwargs, process, leaves):
    """Tangents of the outputs."""
    forward = module.autograd.forward_ad
    with forward.dual_level():
        duals = {id(t): forward.make_dual(t.detach(), _weight(module, t, i)) for i, t in enumerate(leaves)}

        def swap(value):
            if isinstance(value, (torch.Tensor, rt.Tensor)):
                return duals.get(id(value), value)
            if isinstance(value, dict):
                return {k: swap(v) for k, v in value.items()}
            return type(value)(map(swap, value)) if type(value) in (list, tuple) else value

        outputs = _tensors(process(function(*swap(args), **swap(kwargs))))
        return [forward.unpack_dual(t).tangent for t in outputs]


def grads_differ(got, want, what, values=True):
    """What differs between two lists of gradients, or None; only shapes and dtypes where values are random."""
    if len(got) != len(want):
        return f"{len(got)} {what}s instead of {len(want)}"
    for i, (g, w) in enumerate(zip(got, want)):
        if (g is None) != (w is None):
            # Zeros and nothing mean the same.
            there = g if g is not None else w
            if there.numel() and as_array(there).any():
                return f"{what} {i}: {'none' if g is None else 'one'} instead of {'none' if w is None else 'one'}"
            continue
        if g is None:
            continue
        if tuple(g.shape) != tuple(w.shape) or str(g.dtype) != str(w.dtype):
            return f"{what} {i}: {g.dtype} {tuple(g.shape)} instead of {w.dtype} {tuple(w.shape)}"
        if not values:
            continue
        a, b = as_array(g), as_array(w + 0 if isinstance(w, torch.Tensor) and w._is_zerotensor() else w)
        scale = max(1.0, float(np.nanmax(np.abs(b)))) if b.size and np.isfinite(b).any() else 1.0
        close = np.isclose(a, b, rtol=1e-6, atol=1e-8 * scale, equal_nan=True)
        if not close.all():
            where = tuple(int(k) for k in np.argwhere(~close)[0])
            return f"{what} {i}: {(~close).sum()} of {close.size} values, first at {where}: {a[where]} instead of {b[where]}"
    return None


def compare(op, mine, sample, double, forward):
    """What differs for one sample, or None; NotImplemented where PyTorch has no gradients."""
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    leaves = [t for t in _tensors([args, list(kwargs.values())]) if t.requires_grad]
    seen = {}
    my_args, my_kwargs = to_ours(args, seen), to_ours(kwargs, seen)
    my_leaves = []
    for t, m in zip(_tensors([args, list(kwargs.values())]), _tensors([my_args, list(my_kwargs.values())])):
        if t.requires_grad:
            my_leaves.append(m.requires_grad_())
    process = sample.output_process_fn_grad or (lambda x: x)
    want = outcome(gradients, torch, op.op, args, kwargs, process, leaves, double and op.supports_gradgrad)
    if isinstance(want, Exception):
        return NotImplemented
    got = outcome(gradients, rt, mine, my_args, my_kwargs, process, my_leaves, double and op.supports_gradgrad)
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:200]}"
    if got[0] != want[0]:
        return f"{got[0]} outputs require gradients instead of {want[0]}"
    values = op.name not in op_equivalence.UNDETERMINED and not op_equivalence.UNDETERMINED_IF.get(op.name, _never)(args, kwargs)
    difference = grads_differ(got[1], want[1], "gradient", values) or grads_differ(got[2], want[2], "second gradient", values)
    if difference is None and forward and op.supports_forward_ad:
        want = outcome(tangents, torch, op.op, args, kwargs, process, leaves)
        if isinstance(want, Exception):
            return None
        got = outcome(tangents, rt, mine, my_args, my_kwargs, process, my_leaves)
        if isinstance(got, Exception):
            return f"tangent: {type(got).__name__}: {str(got)[:200]}"
        difference = grads_differ(got, want, "tangent", values)
    return difference


def run(op, dtypes=DTYPES, limit=None, report=None, double=False, forward=False):
    """Compare one entry; returns a Row, whose `samples` are 0 where PyTorch has no gradients for it."""
    mine = resolve(op)
    samples = matched = 0
    why = None
    for dtype in dtypes:
        if dtype not in op.supported_backward_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        np.random.seed(0)
        for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=True)):
            if any(t.layout is not torch.strided for t in _tensors([sample.input, *sample.args, *sample.kwargs.values()])):
                continue
            if limit is not None and i >= limit:
                break
            if mine is None:
                samples, why = samples + 1, "absent"
                continue
            torch.manual_seed(0)
            rt.manual_seed(0)
            difference = outcome(compare, op, mine, sample, double, forward)
            if difference is NotImplemented:
                continue
            if isinstance(difference, Exception):
                difference = f"{type(difference).__name__}: {str(difference)[:200]}"
            samples += 1
            matched += difference is None
            if difference is not None:
                why = why or difference
                if report:
                    report(f"    {name_of(op)}({_text(sample)}): {difference}")
    return Row(name_of(op), samples, matched, why)


def write(rows, double, forward, limit):
    """Make docs/gradient-oracle.md."""
    full = [r for r in rows if r.samples and r.matched == r.samples]
    counted = [r for r in rows if r.samples]
    kinds = "gradients" + (", gradients of gradients" if double else "") + (" and tangents" if forward else "")
    lines = [
        "# Gradients compared with PyTorch",
        "",
        f"`python -m tests.grad_oracle --write`: {kinds} of every differentiable entry of PyTorch 2.13's operator database on its own sample "
        f"inputs, in float64 and complex128{'' if limit is None else f' (the first {limit} of each)'}.",
        f"{len(full)} of {len(counted)} entries match in every sample. Deviations that are meant are in [deviations.md](deviations.md).",
        "",
        "| entry | samples | matched | what differs first |",
        "|---|---:|---:|---|",
    ]
    for r in counted:
        why = "" if r.matched == r.samples else (r.why or "").replace("|", "\\|").replace("\n", " ")[:110]
        lines.append(f"| {r.name} | {r.samples} | {r.matched} | {why} |")
    PAGE.write_text("\n".join(lines) + "\n")


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m tests.grad_oracle", description=__doc__)
    parser.add_argument("names", nargs="*", help="entries; all by default")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--double", action="store_true")
    parser.add_argument("--forward", action="store_true")
    parser.add_argument("--quiet", action="store_true", help="no line for each sample")
    parser.add_argument("--missed", action="store_true", help="rows of entries that do not match only")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    rows = []
    for op in op_db:
        if not op.supports_autograd or options.names and name_of(op) not in options.names and op.name not in options.names:
            continue
        row = run(op, limit=options.limit, report=None if options.quiet else print, double=options.double, forward=options.forward)
        if not row.samples:
            continue
        rows.append(row)
        if not options.missed or row.matched != row.samples:
            print(f"{row.name:45} {row.matched:5} of {row.samples:5}  {row.why or ''}"[:220], flush=True)
    print(f"{sum(r.matched == r.samples for r in rows)} of {len(rows)} entries match in every sample")
    if options.write:
        write(rows, options.double, options.forward, options.limit)
    return 0


if __name__ == "__main__":
    sys.exit(main())
