"""Questions about schemas, and what tags promise of them. `lib` is this package or PyTorch."""

import importlib

import pytest

import runtime
from runtime import operator_facts
from runtime.schema import parse_schema

NS = "operator_facts_tests"


@pytest.fixture(params=["runtime", pytest.param("torch", marks=pytest.mark.oracle)])
def lib(request):
    """A library with operators, this package or PyTorch."""
    return pytest.importorskip(request.param)


@pytest.fixture
def facts(lib):
    """The module with questions about schemas, and a function that parses one."""
    if lib is runtime:
        return operator_facts, parse_schema
    return importlib.import_module("torch._library.utils"), lib._C.parse_schema


SCHEMAS = {
    "f(Tensor x) -> Tensor": (True, True),
    "f(Tensor(a) x) -> Tensor": (True, True),
    "f(Tensor(a!) x) -> Tensor": (False, False),
    "f(Tensor(a) x) -> Tensor(a)": (False, True),
    "f(Tensor(a) x, Tensor y) -> Tensor(a)": (False, False),
    "f(Tensor x) -> ()": (False, False),
}


@pytest.mark.parametrize("text", SCHEMAS)
def test_functional_schemas_write_nothing_and_return_something_new(facts, text):
    utils, parse = facts
    schema = parse(text)
    assert (utils.is_functional_schema(schema), utils.is_functional_schema(schema, allow_valid_view=True)) == SCHEMAS[text]
    assert utils.is_functional_schema(text) is SCHEMAS[text][0]


def test_a_calls_arguments_are_completed_and_paired_with_the_schemas(facts):
    utils, parse = facts
    schema = parse("f(Tensor x, int y=2, float z=3., *, str s='a', int t=4) -> ()")
    assert utils.fill_defaults(schema, ("x",), {"t": 5}) == (("x", 2, 3.0), {"s": "a", "t": 5})
    assert [(a.name, v) for a, v in utils.zip_schema(schema, ("x",), {"z": 1.0, "t": 5})] == [("x", "x"), ("z", 1.0), ("t", 5)]
    with pytest.raises(AssertionError):
        list(utils.zip_schema(schema, range(6), {}))


def test_written_arguments_are_found_by_position_and_by_name(facts):
    utils, parse = facts
    schema = parse("f(Tensor(a!) x, int y, Tensor(b!)[] z, *, Tensor(c!) out, Tensor w) -> ()")
    assert utils.mutated_args_kwargs(schema) == ([0, 2], ["out"])
    assert utils.has_kwarg_only_tensors(schema) and utils.has_kwarg_only_args(schema) and utils.has_tensor_arg(schema)
    assert utils.get_device_arg_index(schema) is None and utils.get_device_arg_index(parse("f(int n, Device? d, Device device) -> ()")) == 2


def test_only_inplace_operators_of_aten_write_and_return_their_first_argument(lib, facts):
    utils, _ = facts
    aten = lib.ops.aten
    answers = [utils.mutates_and_returns_first_arg(op) for op in (aten.add_.Tensor, aten.logical_not_.default, aten.sin.default, aten.add.out)]
    assert answers == [True, True, False, False]


def test_the_strictest_layout_tag_counts(lib, facts):
    utils, _ = facts
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        owner.define("tagged(Tensor x) -> Tensor", tags=(lib.Tag.flexible_layout, lib.Tag.needs_fixed_stride_order))
        owner.define("plain(Tensor x) -> Tensor")
        mine = getattr(lib.ops, NS)
        assert utils.get_layout_constraint_tag(mine.tagged.default) == lib.Tag.needs_fixed_stride_order
        assert utils.get_layout_constraint_tag(mine.plain.default, with_default=False) is None
        assert utils.get_layout_constraint_tag(mine.plain.default) == lib.Tag.needs_exact_strides
    assert utils.get_layout_constraint_tag(lib.ops.aten.sin.default) == lib.Tag.flexible_layout


TAGGED = {
    "inplace": [
        "f(Tensor(a!) x, int n=3) -> Tensor(a!)", "f() -> ()", "f(*, Tensor(a!) x) -> Tensor(a!)", "f(Tensor x) -> Tensor", "f(Tensor(a!)[] x) -> ()",
        "f(Tensor(a!) x) -> ()", "f(Tensor(a!) x) -> int", "f(Tensor(a!) x) -> Tensor", "f(Tensor(a!) x) -> Tensor(a)",
        "f(Tensor(a!) x) -> Tensor(b!)", "f(Tensor(a!) x, Tensor(b!) y) -> Tensor(a!)", "f(Tensor(a!)? x) -> Tensor(a!)",
    ],
    "out": [
        "f(Tensor x, *, Tensor(a!) out) -> Tensor(a!)", "f(*, Tensor(a!) y, Tensor(b!) z) -> (Tensor(a!), Tensor(b!))", "f(Tensor x) -> Tensor",
        "f(Tensor(a!) x) -> Tensor(a!)", "f(*, Tensor(a!)[] x) -> ()", "f(*, Tensor(a!) x) -> ()", "f(*, Tensor(a!) x) -> Tensor",
        "f(*, Tensor(a!) x) -> Tensor(a)", "f(*, Tensor(a!) y, Tensor(b!) z) -> (Tensor(b!), Tensor(a!))",
    ],
}  # fmt: skip


def verdict(lib, tag, schema):
    with lib.library._scoped_library(NS, "FRAGMENT") as owner:
        try:
            return owner.define(schema, tags=getattr(lib.Tag, tag))
        except ValueError as error:
            return str(error)


@pytest.mark.oracle
@pytest.mark.parametrize("tag, schema", [(tag, schema) for tag, schemas in TAGGED.items() for schema in schemas])
def test_a_tag_promises_what_it_does_in_pytorch(tag, schema):
    assert verdict(runtime, tag, schema) == verdict(pytest.importorskip("torch"), tag, schema)


@pytest.mark.parametrize("tag", TAGGED)
def test_schemas_must_keep_their_tags_promises(tag):
    verdicts = [verdict(runtime, tag, schema) for schema in TAGGED[tag]]
    assert verdicts[0] == "f" and all(v == "f" or f"tagged with torch.Tag.{tag} " in v and "Got: f(" in v for v in verdicts)
    assert sum(v == "f" for v in verdicts) == (1 if tag == "inplace" else 2)
