"""The comparison with PyTorch over its operator database: every sample input of `op_db`, on both sides.

``python -m tests.op_oracle [name ...]`` prints what differs and a row for each entry; ``--write`` makes docs/operator-oracle.md of a full
run. A sample matches if results agree in type, dtype, shape and values (within PyTorch's own tolerances), views share memory and have the
same strides, and errors are of the same type.
"""

import argparse
import math
import sys
import types
import warnings
from collections import namedtuple
from pathlib import Path

import numpy as np
import torch
from torch.testing._internal.common_methods_invocations import op_db

import runtime as rt
from runtime import compat
from tests import op_equivalence

DTYPES = (torch.float32, torch.int64, torch.bool, torch.bfloat16, torch.complex64)
PAGE = Path(__file__).parent.parent / "docs" / "operator-oracle.md"
_TORCH = compat.resolve("torch")

#: rtol and atol by dtype, as `torch.testing` has them.
TOLERANCES = {"float16": (1e-3, 1e-5), "bfloat16": (1.6e-2, 1e-5), "float32": (1.3e-6, 1e-5), "complex64": (1.3e-6, 1e-5)}
EXACT_FLOATS = (1e-7, 1e-7)

Row = namedtuple("Row", "name samples matched errors errors_matched variants variants_matched why")


# ---- callables of ours


def _ours_of(function):
    """The same Python function with `torch` meaning ours; helpers of the same module come along."""
    scope = dict(function.__globals__)
    scope["torch"] = _TORCH
    if "wrapper_set_seed" in scope:
        scope["wrapper_set_seed"] = _seeded
    return types.FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)


def _seeded(op, *args, **kwargs):
    rt.manual_seed(42)
    return op(*args, **kwargs)


def resolve(op):
    """The callable of ours that an entry's callable stands for, or None where we have none."""
    function = op.op
    module = getattr(function, "__module__", None) or ""
    if isinstance(function, types.FunctionType) and (module.startswith("torch.testing") or function.__name__ == "<lambda>"):
        return _ours_of(function)
    if isinstance(function, torch._ops.OpOverload):
        namespace, _, rest = function.name().partition("::")
        base, _, overload = rest.partition(".")
        candidates = [f"torch.ops.{namespace}.{base}.{overload or 'default'}"]
    elif isinstance(function, torch._ops.OpOverloadPacket):
        candidates = [f"torch.ops.{function._qualified_op_name.replace('::', '.')}"]
    elif isinstance(function, (types.MethodDescriptorType, types.WrapperDescriptorType)) or module == "torch._tensor":
        candidates = [f"torch.Tensor.{function.__name__}"]
    else:
        candidates = [f"torch.{op.name}", *(f"torch.{a.name}" for a in op.aliases)]
    for name in candidates:
        try:
            found = compat.resolve(name)
        except (AttributeError, NotImplementedError):
            continue
        if compat.state(name) == "works":
            return found
    return None


# ---- values


def to_ours(value, seen=None):
    """The value with tensors, dtypes and the like replaced by ours; tensors of one storage stay tensors of one storage."""
    seen = {} if seen is None else seen
    if isinstance(value, torch.Tensor):
        value = value.detach().resolve_conj().resolve_neg()
        if value.is_meta:
            whole = rt.empty(value.untyped_storage().nbytes() // value.element_size(), dtype=to_ours(value.dtype), device="meta")
            return whole.as_strided(tuple(value.shape), value.stride(), value.storage_offset())
        key = value.untyped_storage().data_ptr(), value.untyped_storage().nbytes()
        if key not in seen or key[1] == 0:
            raw = torch.empty(0, dtype=torch.uint8).set_(value.untyped_storage())
            # Beside the value, whose memory a temporary one could take otherwise.
            seen[key] = rt.from_numpy(raw.numpy().copy()).clone(), value
        storage = seen[key][0].untyped_storage()
        base = rt.empty(0, dtype=to_ours(value.dtype))
        return base.set_(storage, value.storage_offset(), tuple(value.shape), value.stride())
    if isinstance(value, torch.dtype):
        return getattr(rt, str(value).removeprefix("torch."))
    if isinstance(value, (torch.memory_format, torch.layout)):
        return getattr(rt, str(value).removeprefix("torch."))
    if isinstance(value, torch.device):
        return rt.device(str(value))
    if isinstance(value, torch.Size):
        return rt.Size(value)
    if isinstance(value, torch.Generator):
        return rt.Generator().manual_seed(value.initial_seed())
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(to_ours(v, seen) for v in value))
    if isinstance(value, (list, tuple)):
        return type(value)(to_ours(v, seen) for v in value)
    if isinstance(value, dict):
        return {k: to_ours(v, seen) for k, v in value.items()}
    if isinstance(value, torch.nn.PairwiseDistance):
        return lambda a, b: rt.pairwise_distance(a, b, value.norm, value.eps, value.keepdim)
    if isinstance(value, types.FunctionType) and "torch" in value.__code__.co_names:
        return _ours_of(value)
    if isinstance(value, (types.BuiltinFunctionType, types.FunctionType)) and (value.__module__ or "").startswith("torch"):
        return compat.resolve(f"{value.__module__.replace('torch._C._nn', 'torch.nn.functional')}.{value.__name__}")
    return value


def as_array(tensor):
    """The elements as float64, complex128, int64 or bool, from either side."""
    if isinstance(tensor, torch.Tensor):
        tensor = tensor.detach().resolve_conj().resolve_neg()
        if tensor.layout is not torch.strided:
            tensor = tensor.to_dense()
        if tensor.dtype.is_complex:
            return tensor.to(torch.complex128).numpy(force=True)
        if tensor.dtype == torch.bool or not tensor.dtype.is_floating_point:
            return tensor.numpy()
        return tensor.to(torch.float64).numpy(force=True)
    tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.to_dense()
    if tensor.dtype.is_complex:
        return tensor.to(rt.complex128).numpy(force=True)
    return tensor.to(rt.float64).numpy() if tensor.dtype.is_floating_point else tensor.numpy()


def _number_of_shares(result, inputs):
    """The place of the input whose storage a result shares, or None."""
    if not result.numel():
        return None
    for i, t in enumerate(inputs):
        if t.numel() and t.untyped_storage().data_ptr() == result.untyped_storage().data_ptr():
            return i
    return None


def _tensors(value):
    if isinstance(value, (torch.Tensor, rt.Tensor)):
        return [value]
    if isinstance(value, dict):
        return [t for v in value.values() for t in _tensors(v)]
    return [t for v in value for t in _tensors(v)] if isinstance(value, (list, tuple)) else []


def differs(got, want, tolerance=None, values=True):
    """What differs between our result and PyTorch's, or None."""
    if isinstance(want, torch.Tensor):
        if not isinstance(got, rt.Tensor):
            return f"{type(got).__name__} instead of a Tensor"
        if str(got.dtype) != str(want.dtype):
            return f"{got.dtype} instead of {want.dtype}"
        if tuple(got.shape) != tuple(want.shape):
            return f"shape {tuple(got.shape)} instead of {tuple(want.shape)}"
        if str(got.layout) != str(want.layout):
            return f"layout {got.layout} instead of {want.layout}"
        if want.is_sparse and (got.sparse_dim(), got.is_coalesced()) != (want.sparse_dim(), want.is_coalesced()):
            return f"{got.sparse_dim()} sparse dimensions, coalesced {got.is_coalesced()}, instead of {want.sparse_dim()}, {want.is_coalesced()}"
        if not values or not want.numel():
            return None
        a, b = as_array(got), as_array(want)
        if a.dtype.kind in "fc":
            rtol, atol = TOLERANCES.get(str(want.dtype).removeprefix("torch."), EXACT_FLOATS)
            if isinstance(tolerance, dict):
                tolerance = tolerance.get(str(want.dtype).removeprefix("torch."))
            rtol, atol = max(rtol, tolerance or 0), max(atol, tolerance or 0)
            close = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
            if a.dtype.kind == "c":
                parts = (np.isclose(x, y, rtol=rtol, atol=atol, equal_nan=True) for x, y in ((a.real, b.real), (a.imag, b.imag)))
                close = close | np.logical_and(*parts)
        else:
            close = a == b
        if close.all():
            return None
        where = tuple(int(i) for i in np.argwhere(~close)[0])
        return f"{(~close).sum()} of {close.size} values, first at {where}: {a[where]} instead of {b[where]}"
    if isinstance(want, (list, tuple)):
        if not isinstance(got, (list, tuple)) or len(got) != len(want):
            return f"{type(got).__name__} of {len(got) if isinstance(got, (list, tuple)) else 1} instead of {type(want).__name__} of {len(want)}"
        return next((f"[{i}]: {d}" for i, (g, w) in enumerate(zip(got, want)) if (d := differs(g, w, tolerance, values))), None)
    if isinstance(want, torch.dtype):
        return None if str(got) == str(want) else f"{got} instead of {want}"
    if isinstance(want, float) and isinstance(got, float):
        return None if math.isclose(got, want, rel_tol=1e-6, abs_tol=1e-6) or (got != got and want != want) else f"{got} instead of {want}"
    return None if type(got) is type(want) and got == want else f"{got!r} instead of {want!r}"


def view_differs(got, got_inputs, want, want_inputs):
    """What differs between the memory of results: which input they share it with, and their strides in it; or None."""
    for g, w in zip(_tensors(got), _tensors(want)):
        if w.layout is not torch.strided:
            continue
        mine, theirs = _number_of_shares(g, got_inputs), _number_of_shares(w, want_inputs)
        if (mine is None) != (theirs is None):
            return "a copy instead of a view" if mine is None else "a view instead of a copy"
        if theirs is not None and w.numel() > 1:
            strides = [(s, t) for s, t, n in zip(g.stride(), w.stride(), w.shape) if n > 1]
            if any(s != t for s, t in strides) or g.storage_offset() != w.storage_offset():
                return f"a view of strides {g.stride()} at {g.storage_offset()} instead of {w.stride()} at {w.storage_offset()}"
    return None


# ---- runs


def outcome(function, *args, **kwargs):
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args, **kwargs)
    except Exception as e:
        return e


def _same_error(got, want):
    if not isinstance(got, Exception):
        return f"no error instead of {type(want).__name__}: {str(want)[:80]}"
    if type(got).__name__ != type(want).__name__ and not isinstance(got, type(want)):
        return f"{type(got).__name__} ({str(got)[:100]}) instead of {type(want).__name__} ({str(want)[:80]})"
    return None


def compare(op, theirs, mine, sample):
    """What differs for one sample, or None."""
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    # First, since in-place operators change their arguments.
    seen = {}
    converted = outcome(lambda: (to_ours(args, seen), to_ours(kwargs, seen)))
    wide = (_widened(args), _widened(kwargs)) if op.name in op_equivalence.ROUNDED_ONCE else None
    want = outcome(theirs, *args, **kwargs)
    if isinstance(converted, Exception):
        # What PyTorch's operator refuses, as tensors of more than 64 dimensions, may be refused as soon as it is made.
        return _same_error(converted, want) if isinstance(want, Exception) else f"argument: {converted}"
    my_args, my_kwargs = converted
    got = outcome(mine, *my_args, **my_kwargs)
    if isinstance(want, Exception):
        return _same_error(got, want)
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:160]}"
    key = op.name
    if key in op_equivalence.EQUIVALENT:
        shape = differs(got, want, values=False)
        return shape or op_equivalence.EQUIVALENT[key](as_arrays(got), as_arrays(want), as_arrays(args), kwargs)
    values = key not in op_equivalence.UNDETERMINED and not op_equivalence.UNDETERMINED_IF.get(key, _never)(args, kwargs)
    return _values_differ(op, theirs, got, want, wide, values) or view_differs(
        got, _tensors(list(my_args) + list(my_kwargs.values())), want, _tensors(list(args) + list(kwargs.values()))
    )


def _values_differ(op, theirs, got, want, wide, values=True):
    """What differs between results; `wide` are float32 arguments for results that are rounded once (`op_equivalence.ROUNDED_ONCE`)."""
    difference = differs(got, want, op_equivalence.TOLERANCE.get(op.name), values)
    if difference is None or wide is None or not any(t.dtype == torch.bfloat16 for t in _tensors(want)):
        return difference
    return differs(got, _rounded(outcome(theirs, *wide[0], **wide[1]), want))


def _widened(value):
    """Arguments with bfloat16 made float32."""
    if isinstance(value, torch.Tensor):
        return value.float() if value.dtype == torch.bfloat16 else value.clone()
    if isinstance(value, dict):
        return {k: _widened(v) for k, v in value.items()}
    if value is torch.bfloat16:
        return torch.float32
    return type(value)(_widened(v) for v in value) if type(value) in (list, tuple) else value


def _rounded(value, like):
    """Results in the dtypes of others."""
    if isinstance(value, torch.Tensor):
        return value.to(like.dtype)
    return [_rounded(v, w) for v, w in zip(value, like)] if isinstance(value, (list, tuple)) else value


def _never(args, kwargs):
    return False


def as_arrays(value):
    if isinstance(value, (torch.Tensor, rt.Tensor)):
        return as_array(value)
    return [as_arrays(v) for v in value] if isinstance(value, (list, tuple)) else value


def _describe(value):
    if isinstance(value, torch.Tensor) and value.layout is not torch.strided:
        return f"{value.layout} {list(value.shape)}"
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')}{list(value.shape)}" + ("" if value.is_contiguous() else f"@{value.stride()}")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_describe, value)) + "]"
    return str(value)[:60]


def _text(sample):
    args = [_describe(a) for a in (sample.input, *sample.args)]
    return ", ".join(args + [f"{k}={_describe(v)}" for k, v in sample.kwargs.items()])


def _variants(op, sample):
    """Pairs of callables for the variants of an entry: method, in-place method, operator."""
    for kind in ("method_variant", "inplace_variant"):
        function = getattr(op, kind)
        if isinstance(function, (types.MethodDescriptorType, types.WrapperDescriptorType)) and isinstance(sample.input, torch.Tensor):
            yield kind, function, getattr(rt.Tensor, function.__name__, None)


def _out_differs(op, mine, sample):
    """Compare the out= variant: outputs of the right shape and dtype are filled and returned."""
    args, kwargs = (sample.input, *sample.args), sample.kwargs
    want = outcome(op.op, *args, **kwargs)
    if isinstance(want, Exception) or not _tensors(want) or len(_tensors(want)) != (len(want) if isinstance(want, (list, tuple)) else 1):
        return None, 0
    out = [torch.empty_like(t) for t in _tensors(want)]
    theirs = outcome(op.op, *args, **kwargs, out=out[0] if isinstance(want, torch.Tensor) else tuple(out))
    if isinstance(theirs, Exception) or theirs is None:
        return None, 0
    if op.name == "fft.ihfftn":
        theirs = want  # PyTorch does not write to `out` where one dimension is transformed
    my_out = [to_ours(torch.empty_like(t)) for t in _tensors(want)]
    got = outcome(mine, *to_ours(args), **to_ours(kwargs), out=my_out[0] if isinstance(want, torch.Tensor) else tuple(my_out))
    if isinstance(got, Exception):
        return f"{type(got).__name__}: {str(got)[:160]}", 1
    if isinstance(want, torch.Tensor) and got is not my_out[0]:
        return "another tensor than the out= argument", 1
    if op.name in op_equivalence.UNDETERMINED or op.name in op_equivalence.EQUIVALENT:
        return None, 1
    one = isinstance(want, torch.Tensor)
    wide = (_widened(args), _widened(kwargs)) if op.name in op_equivalence.ROUNDED_ONCE else None
    return _values_differ(op, op.op, my_out[0] if one else my_out, theirs if one else list(theirs), wide), 1


def name_of(op):
    return f"{op.name}/{op.variant_test_name}" if op.variant_test_name else op.name


def run(op, dtypes=DTYPES, limit=None, report=None, variants=True):
    """Compare one entry.

    Parameters
    ----------
    op : OpInfo
    dtypes : sequence of torch.dtype
    limit : int, optional
        At most so many samples for each dtype.
    report : callable, optional
        Gets a line for each difference.
    variants : bool
        Whether methods, in-place and out= variants are compared as well.

    Returns
    -------
    Row
    """
    mine = resolve(op)
    counts = dict(samples=0, matched=0, errors=0, errors_matched=0, variants=0, variants_matched=0)
    why = None

    def count(kind, matched_kind, difference, text):
        nonlocal why
        counts[kind] += 1
        counts[matched_kind] += difference is None
        if difference is not None:
            why = why or difference
            if report:
                report(f"    {text}: {difference}")

    for dtype in dtypes:
        if dtype not in op.supported_dtypes("cpu"):
            continue
        torch.manual_seed(0)
        np.random.seed(0)
        seen_variants = 0
        for i, sample in enumerate(op.sample_inputs("cpu", dtype, requires_grad=False)):
            if any(t.layout is not torch.strided for t in _tensors([sample.input, *sample.args, *sample.kwargs.values()])):
                continue  # the database is compared for dense tensors
            if limit is not None and i >= limit:
                break
            if mine is None:
                count("samples", "matched", "absent", _text(sample) if not counts["samples"] else "")
                continue
            before = torch.get_rng_state()
            count("samples", "matched", compare(op, op.op, mine, sample), f"{name_of(op)}({_text(sample)})")
            if variants and seen_variants < 3:
                seen_variants += 1
                for kind, theirs, ours in _variants(op, sample):
                    fresh = sample.transform(lambda t: t.clone() if isinstance(t, torch.Tensor) else t)
                    difference = "absent" if ours is None else compare(op, theirs, ours, fresh)
                    count("variants", "variants_matched", difference, f"{kind} {name_of(op)}({_text(sample)})")
                if op.supports_out:
                    difference, n = _out_differs(op, mine, sample)
                    if n:
                        count("variants", "variants_matched", difference, f"out= {name_of(op)}({_text(sample)})")
            torch.set_rng_state(before)
    if op.error_inputs_func is not None:
        for e in op.error_inputs("cpu"):
            sample = e.sample_input
            want = outcome(op.op, sample.input, *sample.args, **sample.kwargs)
            if not isinstance(want, Exception):
                continue
            if mine is None:
                count("errors", "errors_matched", "absent", "")
                continue
            difference = compare(op, op.op, mine, sample)
            count("errors", "errors_matched", difference, f"error {name_of(op)}({_text(sample)})")
    return Row(name_of(op), **counts, why=why)


def main(argv=None):
    parser = argparse.ArgumentParser(prog="python -m tests.op_oracle", description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="entries, as `sort` or `linalg.*`; all if none is given")
    parser.add_argument("--limit", type=int, help="samples for each dtype")
    parser.add_argument("--brief", action="store_true", help="rows only")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args(argv)
    import fnmatch

    rows = []
    for op in op_db:
        if options.names and not any(fnmatch.fnmatch(name_of(op), n) or fnmatch.fnmatch(op.name, n) for n in options.names):
            continue
        lines = []
        row = run(op, limit=options.limit, report=None if options.brief else lines.append)
        rows.append(row)
        for line in lines[:12]:
            print(line[:400])
        print(f"{row.name:45} {row.matched}/{row.samples} errors {row.errors_matched}/{row.errors} "
              f"variants {row.variants_matched}/{row.variants}  {(row.why or '')[:100]}", flush=True)  # fmt: skip
    full = [r for r in rows if r.samples and r.matched == r.samples]
    print(f"{len(full)} of {len(rows)} entries match in every sample")
    if options.write:
        from tests.op_oracle_page import page

        PAGE.write_text(page(rows))
    return 0


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.exit(main())
