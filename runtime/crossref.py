"""The Python dispatcher from Python: `runtime.compat` shows this module as `torch._dispatch.python`.

Cross-referencing functionalization: with `enable_crossref_functionalize`, each operator that comes to the Functionalize key also runs once
on fake copies of its arguments, and the two results must agree in size, dtype and strides.
"""

import itertools
from contextlib import contextmanager

from runtime import _core
from runtime._core import DispatchKey, Tensor, ops

__all__ = ["enable_pre_dispatch", "enable_python_dispatcher", "no_python_dispatcher"]

enable_python_dispatcher = _core._EnablePythonDispatcher
no_python_dispatcher = _core._DisablePythonDispatcher
enable_pre_dispatch = _core._EnablePreDispatch

CROSSREF_FUNCTIONALIZE = False


def all_py_loaded_overloads():
    """The operator objects that were asked for so far, lazily: the tree of `ops` lists what somebody has touched."""
    for namespace in ops:
        packets = getattr(ops, namespace)
        for name in packets:
            packet = getattr(packets, name)
            for overload in packet:
                yield getattr(packet, overload)


@contextmanager
def suspend_functionalization():
    """Without functionalization inside a ``with`` block; afterwards as it was."""
    from runtime.compat import resolve

    on = _core._dispatch_tls_is_dispatch_key_included(DispatchKey.Functionalize)
    if on:
        reapply = resolve("torch._C._functionalization_reapply_views_tls")()
        resolve("torch._disable_functionalization")()
    try:
        yield
    finally:
        if on:
            resolve("torch._enable_functionalization")(reapply_views=reapply)


def check_significant_strides(a, b, only_cuda=True, allow_rhs_unbacked=False):
    """Whether two tensors of one shape have the same strides where they matter: in dimensions of more than one element.

    Parameters
    ----------
    a, b : Tensor
    only_cuda : bool
        Whether tensors on other devices than CUDA count as equal.
    allow_rhs_unbacked : bool
        For symbolic strides, which do not exist here.

    Returns
    -------
    same : bool
    dim : int or None
        The first dimension that differs.
    """
    if only_cuda and a.device.type != "cuda" and b.device.type != "cuda":
        return True, None
    if a.numel() > 0:
        for dim in range(a.ndim):
            if a.stride()[dim] != b.stride()[dim] and a.shape[dim] > 1:
                return False, dim
    return True, None


def check_tensor_metadata_matches(nv, rv, desc):
    """Check that two tensors agree in size, dtype and significant strides.

    Parameters
    ----------
    nv, rv : Tensor
        What was found, and what it shall be.
    desc : callable
        Returns what the error says the tensors are.

    Raises
    ------
    AssertionError
        If they differ.
    """
    if not callable(desc):
        raise AssertionError(f"desc must be callable, got {type(desc)}")
    if nv.size() != rv.size():
        raise AssertionError(f"{desc()}: sizes {nv.size()} != {rv.size()}")
    if nv.dtype != rv.dtype:
        raise AssertionError(f"{desc()}: dtype {nv.dtype} != {rv.dtype}")
    same, dim = check_significant_strides(nv, rv, only_cuda=False)
    if not same:
        raise AssertionError(f"{desc()}: strides {nv.stride()} != {rv.stride()} (mismatch at index {dim})")


def check_metadata_matches(n, r, desc):
    """`check_tensor_metadata_matches` for the tensors in two trees."""
    from runtime.pytree import tree_leaves

    if not callable(desc):
        raise AssertionError(f"desc must be callable, got {type(desc)}")
    found, real = tree_leaves(n), tree_leaves(r)
    if len(found) != len(real):
        raise AssertionError(f"{len(found)} != {len(real)}")
    for i, (nv, rv) in enumerate(zip(found, real)):
        if isinstance(rv, Tensor):
            check_tensor_metadata_matches(nv, rv, lambda i=i: f"{desc()} output {i}")


class Lit:
    """A value whose repr is a given text."""

    def __init__(self, s):
        self.s = s

    def __repr__(self):
        return self.s


def _fmt(a):
    """A tensor as code that makes one like it; other values as they are."""
    if isinstance(a, Tensor):
        return Lit(f"torch.empty_strided({tuple(a.size())}, {a.stride()}, dtype={a.dtype})")
    return a


def describe_call(op, args, kwargs):
    """A call of an operator as code that can be run again."""
    from runtime.pytree import tree_map

    parts = itertools.chain(
        (repr(tree_map(_fmt, a)) for a in args), (f"{name}={tree_map(_fmt, value)}" for name, value in kwargs.items())
    )
    return f"{op}({', '.join(parts)})"


def make_crossref_functionalize(op, final_key):
    """What the Python dispatcher does at the Functionalize key while cross-referencing: run the operator on fake arguments first.

    Parameters
    ----------
    op : OpOverload
    final_key : DispatchKey
        The key whose kernel serves Functionalize.
    """
    from runtime.compat import resolve
    from runtime.modes import _disable_current_modes
    from runtime.pytree import tree_map

    if op is ops.aten.lift_fresh.default:
        return final_key

    def handler(*args, **kwargs):
        fake_mode = resolve("torch._subclasses.fake_tensor.FakeTensorMode")()
        is_functional, unwrap = resolve("torch._is_functional_tensor"), resolve("torch._from_functional_tensor")

        def fake(t):
            if not isinstance(t, Tensor):
                return t
            return fake_mode.from_tensor(unwrap(t) if is_functional(t) else t)

        with _disable_current_modes(), suspend_functionalization():
            fake_args, fake_kwargs = tree_map(fake, (args, kwargs))
            before = tree_map(lambda t: t.detach() if isinstance(t, Tensor) else t, (fake_args, fake_kwargs))
            with fake_mode:
                found = op(*fake_args, **fake_kwargs)
        real = op._op_dk(final_key, *args, **kwargs)
        check_metadata_matches(found, real, lambda: describe_call(op, *before))
        return real

    return handler


@contextmanager
def enable_crossref_functionalize():
    """Compare every operator that is functionalized with what it does on fake tensors, inside a ``with`` block."""
    global CROSSREF_FUNCTIONALIZE

    def forget():
        for op in all_py_loaded_overloads():
            op._uncache_dispatch(DispatchKey.Functionalize)

    forget()
    before, CROSSREF_FUNCTIONALIZE = CROSSREF_FUNCTIONALIZE, True
    try:
        with enable_python_dispatcher():
            yield
    finally:
        CROSSREF_FUNCTIONALIZE = before
        forget()
