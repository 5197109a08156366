"""SchemaCheckMode: what it records of operators that keep to their schemas, and what it refuses. `lib` is this package or PyTorch."""

import importlib

import pytest

import runtime
from runtime import schema_check_mode

NS = "schema_check_tests"


@pytest.fixture(params=["runtime", pytest.param("torch", marks=pytest.mark.oracle)])
def lib(request):
    """A library with modes, this package or PyTorch."""
    return pytest.importorskip(request.param)


@pytest.fixture
def mode(lib):
    """A new SchemaCheckMode."""
    module = schema_check_mode if lib is runtime else importlib.import_module("torch._subclasses.schema_check_mode")
    return module.SchemaCheckMode()


def test_operators_are_recorded_in_their_order(lib, mode, capsys):
    x = lib.rand(3, 3)
    with mode:
        x.relu().sin()
        lib.nn.functional.linear(x, x)
    assert mode.ops[:2] == ["aten::relu", "aten::sin"]
    mode.display_ops()
    assert capsys.readouterr().out.startswith("aten::relu,aten::sin,")
    mode.reset_cache()
    assert mode.ops == []


def test_declared_writes_are_recorded(lib, mode):
    x, y = lib.ones(3), lib.zeros(3)
    with mode:
        x.mul_(2)
        lib.add(x, x, out=y)
        x.mul_(1)
    assert mode.mutated == [("aten::mul_", "input"), ("aten::add", "out")]


def test_declared_aliases_are_recorded(lib, mode):
    x = lib.ones(2, 2)
    with mode:
        x.t()
        x.add_(1)
        x.clone()
    assert mode.aliasing == [("aten::t", "input", "output_0"), ("aten::add_", "input", "output_0")]


def test_arguments_on_one_memory_are_written_together(lib, mode):
    x = lib.ones(2, 2)
    with mode:
        x.add_(x)
        x[0].mul_(x[1])
    assert ("aten::add_", "input") in mode.mutated and ("aten::add_", "other") in mode.mutated


def test_lists_of_views_and_outputs_pass(lib, mode):
    x, out = lib.rand(4, 2), lib.zeros(4)
    with mode:
        lib.cat([lib.split(x, 2)[0], x])
        lib.unbind(x)
        lib.max(x, 1)
        lib.mean(x, 1, out=out)
    assert "aten::split" in mode.ops


def test_composite_operators_are_seen_as_those_that_they_call(lib, mode):
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("same(Tensor x) -> Tensor")
        owner.impl("same", lambda x: x, "CompositeImplicitAutograd")
        owner.define("bad(Tensor x) -> Tensor")
        owner.impl("bad", lambda x: x, "CPU")
        owner.define("outer(Tensor x) -> Tensor")
        owner.impl("outer", lambda x: getattr(lib.ops, NS).bad(x).clone(), "CompositeImplicitAutograd")
        with mode:
            getattr(lib.ops, NS).same(lib.ones(1))
        with pytest.raises(RuntimeError, match="Argument x is not defined to alias output but was aliasing"), mode:
            getattr(lib.ops, NS).outer(lib.ones(1))


@pytest.mark.parametrize(
    "schema, kernel, message",
    [
        ("(Tensor x, Tensor y) -> Tensor", lambda x, y: y.mul_(2) + x, "Argument y is not defined as mutable but was mutated"),
        ("(Tensor x, Tensor y) -> Tensor", lambda x, y: y[:1], "Argument y is not defined to alias output but was aliasing"),
        ("(Tensor x, Tensor y) -> (Tensor, Tensor)", lambda x, y: (lambda z: (z, z[:1]))(x + y), "Outputs 0 and 1 alias unexpectedly"),
    ],
)
def test_what_the_schema_does_not_say_is_refused(lib, mode, schema, kernel, message):
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        name = f"op{hash(message) % 1000}{len(schema)}"
        owner.define(name + schema)
        owner.impl(name, kernel, "CPU")
        with pytest.raises(RuntimeError, match=message), mode:
            getattr(getattr(lib.ops, NS), name)(lib.ones(2), lib.ones(2))
