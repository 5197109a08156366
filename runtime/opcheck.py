"""Does an operator do what its registrations say? `opcheck` runs it on sample arguments.

Eager calls check little (runtime/core/custom_op.pxi); this compares all memory before and after a call with what the schema declares
(runtime/schema_check_mode.py).
"""

from runtime import _core
from runtime._core import OpOverload, OpOverloadPacket, Tensor
from runtime.custom_ops import CustomOpDef
from runtime.schema_check_mode import SchemaCheckMode

_TESTS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_static", "test_aot_dispatch_dynamic")
_DEFAULT_TESTS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


class OpCheckError(Exception):
    """An operator's registrations and what it does contradict each other."""


def opcheck(op, args, kwargs=None, *, test_utils=_DEFAULT_TESTS, raise_exception=True, atol=None, rtol=None):
    """Check an operator's registrations on sample arguments.

    Parameters
    ----------
    op : CustomOpDef, OpOverload or OpOverloadPacket
        The operator; a packet must have one overload only.
    args : tuple
        Arguments; the check works on copies.
    kwargs : dict, optional
        Keyword arguments.
    test_utils : str or sequence of str
        The tests to run; "ALL" for all of them. ``test_schema`` compares what the operator writes and what its results share with the
        arguments with its schema; ``test_autograd_registration`` finds operators that are recorded by something that stands below the
        Autograd keys. The other tests belong to systems that are not built yet.
    raise_exception : bool
        Whether a failure is raised, or put into the result.
    atol, rtol : float, optional
        Tolerances of the tests that compare results; both or none.

    Returns
    -------
    dict
        Test name -> "SUCCESS", "SKIPPED" for the tests of systems that are not built yet, or the exception.

    Raises
    ------
    OpCheckError
        If a test fails.
    ValueError
        If `op`, `test_utils` or the tolerances are no proper arguments.

    Examples
    --------
    >>> import runtime
    >>> @runtime.library.custom_op("docs::halved", mutates_args=())
    ... def halved(x: runtime.Tensor) -> runtime.Tensor:
    ...     return x / 2
    >>> runtime.library.opcheck(halved, (runtime.ones(2),), test_utils="test_schema")
    {'test_schema': 'SUCCESS'}
    """
    if (rtol is None) != (atol is None):
        raise ValueError("opcheck(op, ...): if you specify one of rtol/atol, you must specify both")
    if isinstance(op, CustomOpDef):
        op = op._opoverload
    if isinstance(op, OpOverloadPacket):
        op = resolve_unique_overload_or_throw(op)
    if not isinstance(op, OpOverload):
        raise ValueError(f"opcheck(op, ...): op must be instance of torch._ops.OpOverload, e.g. torch.ops.aten.sin.default, got {type(op)}")
    if isinstance(test_utils, str):
        test_utils = _TESTS if test_utils == "ALL" else (test_utils,)
    if not isinstance(test_utils, (tuple, list)) or not set(test_utils) <= set(_TESTS):
        raise ValueError(f"opcheck(op, ..., test_utils={test_utils}), expected test_utils to be subset of {_TESTS} but it was not")
    results = {}
    for name in test_utils:
        if name not in _CHECKS:
            results[name] = "SKIPPED"
            continue
        try:
            _CHECKS[name](op, args, kwargs or {})
            results[name] = "SUCCESS"
        except Exception as error:
            if raise_exception:
                raise OpCheckError(f"opcheck(op, ...): {name} failed with {error} (scroll up for stack trace)") from error
            results[name] = error
    return results


def resolve_unique_overload_or_throw(packet):
    """The only overload of a packet; RuntimeError where it has several."""
    overloads = packet.overloads()
    if len(overloads) != 1:
        names = ["" if name == "default" else name for name in overloads]
        raise RuntimeError(f"opcheck can only test operators without overloads. Got the following overloads for {packet._qualified_op_name}: {names}")
    return getattr(packet, overloads[0])


def safe_schema_check(op, args, kwargs, *, copy_inputs=True):
    """Run an operator and compare what it does to memory with its schema.

    Parameters
    ----------
    op : OpOverload
        The operator.
    args, kwargs : tuple and dict
        Its arguments.
    copy_inputs : bool
        Whether it runs on copies.

    Returns
    -------
    object
        What the operator returned; None, without a call, where some tensor has no data.

    Raises
    ------
    RuntimeError
        If it writes what the schema does not let it write, or a result shares memory that the schema says nothing of.
    """
    if copy_inputs:
        args, kwargs = _copied(args), {name: _copied(value) for name, value in kwargs.items()}
    if any(t.is_meta for t in _tensors([args, list(kwargs.values())])):
        return None
    with SchemaCheckMode():
        return op(*args, **kwargs)


def safe_autograd_registration_check(op, args, kwargs, *, copy_inputs=True):
    """Look for results that need gradients though the operator has nothing at the Autograd keys.

    Parameters
    ----------
    op : OpOverload
        The operator.
    args, kwargs : tuple and dict
        Its arguments; without a tensor that needs a gradient there is nothing to look for.
    copy_inputs : bool
        Whether the operator runs on copies.

    Raises
    ------
    AssertionError
        If there is one.
    """
    given = list(_tensors([args, list(kwargs.values())]))
    if any(t.is_meta for t in given) or not any(t.requires_grad for t in given):
        return
    if copy_inputs:
        args, kwargs = _copied(args), {name: _copied(value) for name, value in kwargs.items()}
        given = list(_tensors([args, list(kwargs.values())]))
    device = "CUDA" if any(t.device.type == "cuda" for t in given) else "CPU"
    if any(_core._dispatch_has_kernel_for_dispatch_key(op._name, key) for key in (f"Autograd{device}", "Autograd", "CompositeImplicitAutograd")):
        return
    before = _core._get_autograd_fallback_mode()
    _core._set_autograd_fallback_mode("nothing")
    try:
        results = op(*args, **kwargs)
    finally:
        _core._set_autograd_fallback_mode(before)
    known = {id(t) for t in given}
    if any(t.requires_grad and id(t) not in known for t in _tensors(results)):
        raise AssertionError(
            f"{op._name}: at least one output of this operator has requires_grad=True but the operator does not have an autograd kernel "
            f"defined at an autograd key (e.g. DispatchKey::Autograd). This could mean that you have incorrectly registered an autograd kernel "
            f"to a non-Autograd DispatchKey, which may lead to silently incorrect results. If your operator consists of regular PyTorch "
            f"operations, consider not using an operator at all or registering your operator as CompositeImplicitAutograd. If you have an "
            f"autograd.Function registered to a backend (CPU/CUDA/XPU) key, the correct location for it is the Autograd key."
        )


_CHECKS = {"test_schema": safe_schema_check, "test_autograd_registration": safe_autograd_registration_check}


def _tensors(value):
    """The tensors in a value, in lists and tuples too."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _copied(value):
    """A value whose tensors are copies with the same strides."""
    if isinstance(value, Tensor):
        return value if value.is_meta else _copy(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_copied(v) for v in value)
    return value


def _copy(tensor):
    extent = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride())) if tensor.numel() else 0
    memory = tensor.detach().as_strided((extent,), (1,)).clone()
    return memory.as_strided(tensor.shape, tensor.stride(), 0).requires_grad_(tensor.requires_grad)
