"""The comparison with PyTorch on device "meta": shapes, dtypes and strides of results for samples of its operator database.

``python -m tests.meta_oracle [name ...]`` prints what differs and a row for each entry. Where PyTorch has no Meta rule, but the project has,
the result on the CPU is what it is compared with; where PyTorch's Meta rule says something else than its CPU kernel gives, either is
right. Error inputs that both PyTorch's Meta rule and our CPU kernel refuse must be refused by our Meta rule with the same class.
"""

import argparse
import fnmatch
import sys
import warnings
from collections import namedtuple

import numpy as np
import torch
import torch._meta_registrations  # noqa: F401  (most of PyTorch's rules are registered by it)

import runtime as rt
from tests.op_oracle import _tensors, name_of, op_db, outcome, resolve, to_ours

DTYPES = (torch.float32, torch.int64)
SAMPLES = 3

Row = namedtuple("Row", "name samples matched why")


def to_meta(value):
    """The value with tensors replaced by Meta tensors of the same geometry, and devices by "meta"."""
    if isinstance(value, torch.Tensor):
        # Over a storage of the same size: views of parts of it may reach beyond the tensor's own elements.
        whole = torch.empty(value.untyped_storage().nbytes() // value.element_size(), dtype=value.dtype, device="meta")
        return whole.as_strided(value.shape, value.stride(), value.storage_offset())
    if isinstance(value, torch.device) or (isinstance(value, str) and value == "cpu"):
        return torch.device("meta")
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(to_meta, value))
    if isinstance(value, (list, tuple)):
        return type(value)(map(to_meta, value))
    if isinstance(value, dict):
        return {k: to_meta(v) for k, v in value.items()}
    return value


def _geometry(t):
    """The dtype, the sizes, and the strides that say where elements lie: those of dimensions of one element do not."""
    return str(t.dtype), tuple(t.shape), tuple(s for s, n in zip(t.stride(), t.shape) if n > 1) if t.numel() > 1 else ()


def _geometry_differs(got, want, alternatives):
    """What differs between our Meta results and those wanted, or None; `alternatives` are results that are right as well."""
    mine, theirs = _tensors(got), _tensors(want)
    if len(mine) != len(theirs):
        return f"{len(mine)} tensors instead of {len(theirs)}"
    for i, (g, w) in enumerate(zip(mine, theirs)):
        place = f"[{i}]: " if len(mine) > 1 else ""
        if g.device.type != w.device.type:
            return f"{place}on {g.device} instead of {w.device}"
        right = [w, *(other[i] for other in alternatives if len(other) == len(mine))]
        if _geometry(g) not in [_geometry(t) for t in right]:
            return f"{place}{g.dtype} {tuple(g.shape)} {g.stride()} instead of {w.dtype} {tuple(w.shape)} {w.stride()}"
    if not theirs and not isinstance(want, (list, tuple)) and got != want and str(got) != str(want):
        return f"{got!r} instead of {want!r}"
    return None


def _unsupported(error):
    """Whether an error says that there is no rule, not that the arguments are wrong."""
    text = str(error)
    return isinstance(error, (NotImplementedError, AttributeError, torch._subclasses.fake_tensor.DataDependentOutputException)) or any(
        part in text for part in ("meta", "Meta", "Cannot copy out of", "data-dependent", "Expected a 'cpu'", "Cannot call numpy")
    )


def compare(op, mine, sample, expects_error):
    """What differs for one sample, and whether there is anything to compare."""
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    meta_args, meta_kwargs = to_meta(args), to_meta(kwargs)
    want = outcome(op.op, *meta_args, **meta_kwargs)
    got = outcome(lambda: mine(*to_ours(meta_args), **to_ours(meta_kwargs)))
    ours = outcome(lambda: mine(*to_ours(args), **to_ours(kwargs)))
    if expects_error:
        if not isinstance(want, Exception) or not isinstance(ours, Exception) or _unsupported(want):
            return None, False
        if not isinstance(got, Exception):
            return f"no error instead of {type(ours).__name__}: {str(ours)[:90]}", True
        same = isinstance(got, type(ours)) or isinstance(ours, type(got))
        return None if same else f"{type(got).__name__} ({str(got)[:80]}) instead of {type(ours).__name__} ({str(ours)[:80]})", True
    if isinstance(want, Exception):
        if isinstance(got, Exception) or isinstance(ours, Exception):
            return None, False
        if any(t.device.type != "meta" for t in _tensors(got)):
            return None, False
        on_cpu = [rt.empty_strided(tuple(t.shape), t.stride(), dtype=t.dtype, device="meta") for t in _tensors(ours)]
        return (_geometry_differs(got, on_cpu, []) if on_cpu else None), True
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:140]}", True
    theirs = outcome(op.op, *args, **kwargs)
    return _geometry_differs(got, want, [] if isinstance(theirs, Exception) else [_tensors(theirs)]), True


def run(op, report=None, errors=True):
    """Compare one entry: its first samples of each dtype, and its error inputs."""
    mine = resolve(op)
    samples = matched = 0
    why = None
    if mine is None:
        return Row(name_of(op), 0, 0, None)

    def count(sample, expects_error):
        nonlocal samples, matched, why
        if any(t.layout is not torch.strided for t in _tensors([sample.input, *sample.args, *sample.kwargs.values()])):
            return
        difference, compared = compare(op, mine, sample, expects_error)
        samples += compared
        matched += compared and difference is None
        if difference is not None:
            why = why or difference
            if report:
                report(f"    {'error ' if expects_error else ''}{name_of(op)}: {difference}")

    for dtype in DTYPES:
        if dtype in op.supported_dtypes("cpu"):
            torch.manual_seed(0)
            np.random.seed(0)
            for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=False)):
                if i >= SAMPLES:
                    break
                count(sample, False)
    if errors and op.error_inputs_func is not None:
        for e in op.error_inputs("cpu"):
            count(e.sample_input, True)
    return Row(name_of(op), samples, matched, why)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m tests.meta_oracle", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="entries, as `sort` or `linalg.*`; all if none is given")
    options = parser.parse_args(argv)
    rows = []
    for op in op_db:
        if options.names and not any(fnmatch.fnmatch(name_of(op), n) or fnmatch.fnmatch(op.name, n) for n in options.names):
            continue
        lines = []
        row = run(op, lines.append)
        rows.append(row)
        for line in lines[:6]:
            print(line[:300])
        print(f"{row.name:45} {row.matched}/{row.samples}  {(row.why or '')[:100]}", flush=True)
    print(f"{sum(r.samples == r.matched for r in rows)} of {len(rows)} entries match in every sample")
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
