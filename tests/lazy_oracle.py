"""The comparison with PyTorch on tensors that are not what their memory holds: lazy conjugates, lazy negatives, and under autocast.

``python -m tests.lazy_oracle conj|neg|autocast [name ...]`` runs every entry of PyTorch's operator database and prints what differs. For
`conj` and `neg` every tensor among a sample's arguments is a lazy conjugate or negative with the sample's elements; results must be what
PyTorch gives on such tensors, lazy bits included. For `autocast` the dtypes of results (and values, to bfloat16's precision) must be.
"""

import sys
import warnings

import torch
from torch.testing._internal.common_methods_invocations import op_db

import runtime as rt
from tests import op_equivalence
from tests.op_oracle import _tensors, differs, outcome, resolve, to_ours

#: Entries whose results PyTorch leaves unconjugated in some forms, where ours are computed at once.
EAGER = {"linalg.lu_solve"}


def lazy(value, bit, library):
    """Arguments with each tensor replaced by a lazy one with the same elements."""
    if isinstance(value, library.Tensor):
        if bit == "conj":
            return library.conj(library.conj_physical(value)) if value.is_complex() else value
        signed = value.is_floating_point() or value.is_complex()
        return library.ops.aten._neg_view.default(library.neg(value)) if signed else value
    if isinstance(value, dict):
        return {k: lazy(v, bit, library) for k, v in value.items()}
    if type(value) in (list, tuple):
        return type(value)(lazy(v, bit, library) for v in value)
    return value


def bits_differ(got, want):
    """Whether results have other lazy bits than PyTorch's."""
    for g, w in zip(_tensors(got), _tensors(want)):
        if w.layout is torch.strided and (g.is_conj(), g.is_neg()) != (w.is_conj(), w.is_neg()):
            return f"conjugated {g.is_conj()} and negated {g.is_neg()} instead of {w.is_conj()} and {w.is_neg()}"
    return None


def compare_lazy(op, mine, sample, bit):
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    my_args, my_kwargs = to_ours(args), to_ours(kwargs)
    want = outcome(op.op, *lazy(args, bit, torch), **lazy(kwargs, bit, torch))
    got = outcome(mine, *lazy(my_args, bit, rt), **lazy(my_kwargs, bit, rt))
    if isinstance(want, Exception):
        return None if isinstance(got, Exception) else f"no error instead of {type(want).__name__}: {want}"
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:160]}"
    is_random = op_equivalence.UNDETERMINED_IF.get(op.name, lambda args, kwargs: op.name in op_equivalence.UNDETERMINED)(args, kwargs)
    if op.name in op_equivalence.EQUIVALENT or is_random:
        return differs(got, want, values=False)
    tolerance = op_equivalence.TOLERANCE.get(op.name)
    text = differs(got, want, tolerance)
    if text and differs(got, want, values=False) is None:
        # PyTorch reads the memory of a few lazy tensors as it is: what it gives on plain arguments is right as well.
        text = text if differs(got, outcome(op.op, *args, **kwargs), tolerance) else None
    return text or (None if op.name in EAGER else bits_differ(got, want))


def compare_autocast(op, mine, sample):
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    my_args, my_kwargs = to_ours(args), to_ours(kwargs)
    with torch.autocast("cpu"):
        want = outcome(op.op, *args, **kwargs)
    with rt.autocast("cpu"):
        got = outcome(mine, *my_args, **my_kwargs)
    if isinstance(want, Exception):
        return None if isinstance(got, Exception) else f"no error instead of {type(want).__name__}: {want}"
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:160]}"
    # Compositions round to bfloat16 in the middle, and differ in the order of sums there.
    return differs(got, want, values=False)


def entries(names):
    found = [op for op in op_db if not names or op.name in names]
    for op in found:
        mine = resolve(op)
        if mine is not None:
            yield op, mine


def run(kind, names=(), most=12):
    """What differs: (entry and variant, number of the sample, text)."""
    dtypes = {"conj": (torch.complex64,), "neg": (torch.float32, torch.complex64), "autocast": (torch.float32, torch.bfloat16)}[kind]
    for op, mine in entries(names):
        for dtype in dtypes:
            if dtype not in op.supported_dtypes("cpu"):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    samples = list(op.sample_inputs("cpu", dtype, requires_grad=False))[:most]
                except Exception:  # an entry may have no samples of a dtype
                    continue
                for i, sample in enumerate(samples):
                    compare = compare_autocast if kind == "autocast" else compare_lazy
                    text = compare(op, mine, sample, *(() if kind == "autocast" else (kind,)))
                    if text:
                        yield f"{op.name}{'.' + op.variant_test_name if op.variant_test_name else ''}", i, f"{dtype}: {text}"
                        break


if __name__ == "__main__":
    count = 0
    for name, i, text in run(sys.argv[1], sys.argv[2:]):
        count += 1
        print(f"{name} [{i}]: {text}")
    print(f"{count} entries differ")
