"""What is registered for an operator beside kernels: rules for tensors without data, for classes, for gradients and for batches.

Rules are found by the operator's full name, so they can come before its definition; those for classes stand on the OpOverload, where
dispatch finds them. A handle takes each one back, and the library that owns the registration keeps it.
"""

import functools
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass

from runtime import _core
from runtime.operator_facts import lookup_op


class RegistrationHandle:
    """Takes one registration back.

    Parameters
    ----------
    on_destroy : callable
        What `destroy` calls.
    """

    def __init__(self, on_destroy):
        self._on_destroy = on_destroy

    def destroy(self):
        """Take the registration back."""
        self._on_destroy()


# ---------------------------------------------------------------------------------------------- tensors without data


@dataclass(frozen=True, eq=False)
class FakeRule:
    """A function that says what an operator returns for tensors without data, and the place that registered it."""

    func: Callable
    source: str

    def __call__(self, *args, **kwargs):
        return self.func(*args, **kwargs)


_fake_rules = {}  # full name -> [FakeRule], the newest last


def fake_rule(qualname):
    """The rule that an operator has for tensors without data: a FakeRule, or None."""
    rules = _fake_rules.get(qualname)
    return rules[-1] if rules else None


def register_fake_rule(library, qualname, func, stacklevel=1, allow_override=True, source=None):
    """Register a rule for tensors without data; Meta tensors use it as a kernel.

    Parameters
    ----------
    library : Library
        The owner of the Meta kernel.
    qualname : str
        The operator's full name.
    func : callable
        Takes the operator's arguments.
    stacklevel : int
        The caller that errors name, where `source` does not: 1 for the one of this function.
    allow_override : bool
        Whether the operator may have a rule, a Meta kernel or a CompositeImplicitAutograd kernel already.
    source : str, optional
        The place that errors name.

    Returns
    -------
    RegistrationHandle
    """
    if source is None:
        frame = sys._getframe(stacklevel)
        source = f"{frame.f_code.co_filename}:{frame.f_lineno}"
    if not allow_override:
        _refuse_override(qualname)
    rules = _fake_rules.setdefault(qualname, [])
    rule = FakeRule(func, source)
    rules.append(rule)
    try:
        library.impl(qualname, _meta_kernel(qualname, func), "Meta", allow_override=allow_override)
    except BaseException:
        rules.remove(rule)
        raise
    return RegistrationHandle(functools.partial(rules.remove, rule))


def _refuse_override(qualname):
    present = fake_rule(qualname)
    if present is not None:
        raise RuntimeError(f"register_fake(...): the operator {qualname} already has a fake impl registered at {present.source}.")
    if _core._dispatch_has_kernel_for_dispatch_key(qualname, "Meta"):
        raise RuntimeError(
            f"register_fake(...): the operator {qualname} already has a DispatchKey::Meta implementation via a pre-existing torch.library or "
            f"TORCH_LIBRARY registration. Please either remove that registration or don't call register_fake."
        )
    if _core._dispatch_has_kernel_for_dispatch_key(qualname, "CompositeImplicitAutograd"):
        raise RuntimeError(
            f"register_fake(...): the operator {qualname} already has an implementation for this device type via a pre-existing registration "
            f"to DispatchKey::CompositeImplicitAutograd.CompositeImplicitAutograd operators do not need a fake impl; instead, the operator "
            f"will decompose into its constituents and those can have fake impls defined on them."
        )


def _meta_kernel(qualname, func):
    @functools.wraps(func)
    def meta_kernel(*args, **kwargs):
        rule = fake_rule(qualname)

        def refuse_context():
            raise RuntimeError(
                f"{qualname} ({rule.source}): You're trying to run this operator with meta Tensors (as opposed to FakeTensors), but this "
                f"operator may return an output Tensor with data-dependent shape. Meta Tensors don't support operators with outputs that have "
                f"data-dependent shapes but FakeTensors do. If your operator does not return an output with data-dependent shape, make sure "
                f"the FakeTensor and/or meta kernel does not call torch.library.get_ctx(). Otherwise, please use FakeTensors."
            )

        with context_getter(refuse_context):
            return rule(*args, **kwargs)

    return meta_kernel


_running = threading.local()


class context_getter:
    """A context in which `get_ctx` answers by a function."""

    def __init__(self, getter):
        self.getter = getter

    def __enter__(self):
        self.outer = getattr(_running, "getter", None)
        _running.getter = self.getter

    def __exit__(self, *exception):
        _running.getter = self.outer


def get_ctx():
    """The context of the rule for tensors without data that runs: it makes sizes that depend on data.

    Returns
    -------
    object or None
        None outside of such rules.

    Raises
    ------
    RuntimeError
        In a rule that runs for Meta tensors: they have no sizes that depend on data.
    """
    getter = getattr(_running, "getter", None)
    return None if getter is None else getter()


# ------------------------------------------------------------------------------------------------------------ classes


def register_dispatch_rule(qualname, cls, func):
    """Register what an operator does for tensors of a subclass, or inside a mode: ``func(cls_or_mode, op, types, args, kwargs)``.

    Returns
    -------
    RegistrationHandle

    Raises
    ------
    RuntimeError
        If the class has a rule for the operator.
    """
    rules = lookup_op(qualname).torch_dispatch_rules
    if cls in rules:
        raise RuntimeError(f"{cls} already has a `__torch_dispatch__` rule registered for {qualname}")
    rules[cls] = func
    return RegistrationHandle(functools.partial(rules.pop, cls, None))


def find_torch_dispatch_rule(op, cls):
    """The rule that an OpOverload has for a class, or None."""
    return op.torch_dispatch_rules.get(cls)


# ---------------------------------------------------------------------------------------------- gradients and batches


@dataclass(frozen=True, eq=False)
class AutogradFormula:
    """How to compute an operator's gradients: ``backward(ctx, *grads)``, and what it keeps of the forward call."""

    backward: Callable
    setup_context: Callable | None


autograd_formulas = {}  # full name -> AutogradFormula, of operators that no CustomOpDef stands for
vmap_rules = {}  # full name -> function(info, in_dims, *args, **kwargs), of the same
