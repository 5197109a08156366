"""The ready-made subclasses and modes of `runtime.testing`: the same programs say the same here and in PyTorch."""

import copy
import importlib
import logging
import weakref
from types import SimpleNamespace

import pytest

import runtime
from runtime import compat
from runtime.testing.common_subclass import subclass_db
from runtime.testing.custom_tensor import ConstantExtraMetadataTensor, CustomTensorPlainOut
from runtime.testing.logging_tensor import LoggingTensor, LoggingTensorMode, capture_logs, capture_logs_with_logging_tensor_mode, log_input
from runtime.testing.subclasses import WrapperSubclass
from runtime.testing.two_tensor import TwoTensor, TwoTensorMode

MODULES = ["logging_tensor", "two_tensor", "subclasses", "custom_tensor", "common_subclass"]


@pytest.fixture(autouse=True)
def logger():
    """The logger, which PyTorch's module, of the same name, leaves changed."""
    found = logging.getLogger("LoggingTensor")
    level, propagate = found.level, found.propagate
    yield found
    found.setLevel(level)
    found.propagate = propagate


def names_of(load):
    """`torch` and the names of its testing modules, by a function that finds modules."""
    found = {name: value for module in MODULES for name, value in public(load(f"torch.testing._internal.{module}"))}
    return SimpleNamespace(torch=load("torch"), **{name: value for name, value in found.items() if name != "torch"})


def public(module):
    return [(name, getattr(module, name)) for name in dir(module) if not name.startswith("_")]


def log_of_a_subclass(m):
    with m.capture_logs() as logs:
        x = m.LoggingTensor(m.torch.tensor([3.0]))
        m.log_input("x", x)
        y = m.torch.cat([x, x * x, m.torch.ones(2)])
        y.split(2)
        y.add_(2.5, alpha=2)
        m.torch.max(y, 0)
        y.sum(0, keepdim=True, dtype=m.torch.float64)
        y.t()
        x.detach()
    return logs, repr(x)


def log_of_a_mode(m):
    with m.capture_logs_with_logging_tensor_mode() as logs:
        x = m.torch.arange(4.0).view(2, 2)
        y = m.torch.empty_like(x @ x, dtype=m.torch.int32).fill_(3)
        m.torch.nn.functional.linear(x, m.torch.ones(3, 2), m.torch.zeros(3))
        y.item() if y.numel() == 1 else y.flatten()
    return logs


def two_tensors(m):
    t = m.TwoTensor(m.torch.arange(4.0).view(2, 2), m.torch.ones(2, 2))
    said = [repr(t + 1), repr(t.view(4)), repr(m.torch.max(t, 0)), repr(t.t_())]
    return [*said, repr(t.mul_(2)), t.size(), t.stride()]


def a_mode_that_makes_two_tensors(m):
    with m.TwoTensorMode():
        x = m.torch.ones(2)
        y = x + 1
    return type(x).__name__, repr(x), repr(y)


def plain_wrappers(m):
    ones = m.torch.ones(2, 2)
    pair = m.CustomTensorPlainOut(ones, ones)
    extra = m.ConstantExtraMetadataTensor(ones)
    return repr(m.WrapperSubclass(ones).exp()), repr(extra + extra), extra.get_complicated_metadata(), repr(pair.view(4)), repr(pair * 2)


def every_class(m):
    said = []
    for entry in m.subclass_db.values():
        made = entry.create_fn((3,))
        more = made + 1
        said.append((entry.name, entry.closed_under_ops, type(more).__name__, tuple(more.shape), type(copy.deepcopy(made)).__name__, made.stride()))
    return said


PROGRAMS = [log_of_a_subclass, log_of_a_mode, two_tensors, a_mode_that_makes_two_tensors, plain_wrappers, every_class]


@pytest.mark.oracle
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_the_same_program_says_the_same_in_pytorch(program):
    pytest.importorskip("torch")
    assert program(names_of(compat.resolve)) == program(names_of(importlib.import_module))


def test_capturing_leaves_the_logger_as_it_was(logger):
    before = logger.level, logger.propagate, list(logger.handlers)
    with pytest.raises(ValueError), capture_logs():
        raise ValueError
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_log_holds_no_tensor():
    with capture_logs(is_mode=True) as logs, LoggingTensorMode():
        x = runtime.ones(2)
        gone = weakref.ref(x)
        del x
        assert gone() is None
        runtime.ones(3)
    assert [line.partition(":")[0] for line in logs] == ["$0", "$1"]


def test_each_line_can_have_its_stack():
    with capture_logs_with_logging_tensor_mode(python_tb=True) as (logs, stacks):
        runtime.ones(2)
    assert len(logs) == len(stacks) == 1
    assert any(frame["name"] == "test_each_line_can_have_its_stack" and frame["filename"] == __file__ for frame in stacks[0])


def test_log_input_names_a_tensor():
    with capture_logs(is_mode=True) as logs:
        log_input("weight", runtime.ones(2, dtype=runtime.bfloat16))
    assert logs == ["$0: bf16[2] = input('weight')"]


def test_parts_of_a_two_tensor_have_one_geometry():
    with pytest.raises(AssertionError, match="same device, layout, requires_grad, and dtype"):
        TwoTensor(runtime.ones(2), runtime.ones(2, dtype=runtime.int64))
    with pytest.raises(AssertionError, match="Expected a.shape == b.shape"):
        TwoTensor(runtime.ones(2), runtime.ones(3))
    with pytest.raises(AssertionError, match=r"Expected a.stride\(\) == b.stride\(\)"):
        TwoTensor(runtime.ones(2, 3), runtime.ones(3, 2).t())


@pytest.mark.parametrize("cls", [TwoTensor, WrapperSubclass, ConstantExtraMetadataTensor, CustomTensorPlainOut])
def test_wrappers_can_be_taken_apart_and_put_together(cls):
    from runtime.subclasses import is_traceable_wrapper_subclass, transform_subclass

    parts = (runtime.arange(4.0).view(2, 2),) * (2 if cls in (TwoTensor, CustomTensorPlainOut) else 1)
    made = transform_subclass(cls(*parts), lambda name, inner: inner + 1)
    assert is_traceable_wrapper_subclass(made) and type(made) is cls
    first, _ = made.__tensor_flatten__()
    assert getattr(made, first[0]).tolist() == [[1, 2], [3, 4]]


def test_views_of_wrappers_share_the_wrappers_storage():
    for x in (TwoTensor(runtime.ones(4), runtime.ones(4)), WrapperSubclass(runtime.ones(4))):
        assert x.view(2, 2).untyped_storage()._cdata == x.untyped_storage()._cdata
        assert x.add_(1) is x


def test_two_tensor_mode_leaves_operators_on_tensors_alone():
    x = runtime.ones(2)
    with TwoTensorMode():
        assert type(x + 1) is runtime.Tensor


@pytest.mark.parametrize("entry", subclass_db.values(), ids=lambda entry: entry.name)
def test_classes_that_are_closed_return_themselves(entry):
    x = entry.create_fn((3,))
    closed = type(x * 2) is type(x)
    assert closed or not entry.closed_under_ops


def test_a_logging_tensor_that_requires_grad_holds_a_detached_one():
    x = LoggingTensor(runtime.ones(2), requires_grad=True)
    assert x.requires_grad and not x.elem.requires_grad
