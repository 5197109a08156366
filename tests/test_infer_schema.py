"""Schemas inferred from type hints, and what cannot be inferred; PyTorch says the same, word for word."""

import re
import typing
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runtime
from runtime.infer_schema import SUPPORTED_PARAM_TYPES, SUPPORTED_RETURN_TYPES, tuple_to_list
from runtime.library import infer_schema

T = runtime.Tensor

#: Annotations by their text, in names that both libraries have.
PARAMETERS = [
    base if form == "{}" else form.format(base)
    for base in ("Tensor", "int", "float", "bool", "str", "Number", "dtype", "device")
    for form in ("{}", "Optional[{}]", "Sequence[{}]", "List[{}]", "list[{}]", "abc.Sequence[{}]", "Optional[List[{}]]", "List[Optional[{}]]",
                 "list[Optional[{}]]", "Optional[Sequence[{}]]", "{} | None", "list[{}] | None")
]  # fmt: skip
RETURNS = ["Tensor", "int", "float", "bool", "Number", "List[Tensor]", "list[Tensor]", "None", "tuple[Tensor, Tensor]", "Tuple[Tensor, int]",
           "tuple[Tensor]", "tuple[list[Tensor], float]", "Tuple[Number]"]  # fmt: skip
REFUSED = ["dict", "complex", "bytes", "object", "tuple[int, int]", "Tuple[int, ...]", "tuple[Tensor, ...]", "Tuple[int, float]", "tuple", "Tuple",
           "list[str]", "Optional[Optional[complex]]", "set[int]", "list[list[int]]", "Union[int, str]", "list[dtype]"]  # fmt: skip
DEFAULTS = {
    "int": ["3", "-1", "0"],
    "float": ["1.5", "1e-05", "-2.0"],
    "bool": ["True", "False"],
    "str": ["'foo'", "''"],
    "Number": ["2", "0.5"],
    "dtype": ["lib.float32", "lib.int64", "lib.bool"],
    "device": ["lib.device('cpu')", "'cpu'"],
    "Optional[Tensor]": ["None"],
    "Optional[int]": ["None", "7"],
    "Optional[List[int]]": ["None"],
}


def names_of(lib):
    import collections.abc
    import importlib

    return {
        "lib": lib, "Tensor": lib.Tensor, "dtype": lib.dtype, "device": lib.device, "abc": collections.abc,
        "Number": importlib.import_module(f"{lib.__name__}.types").Number, "Optional": typing.Optional, "Sequence": typing.Sequence,
        "List": typing.List, "Tuple": typing.Tuple, "Union": typing.Union,  # noqa: UP006
    }  # fmt: skip


def function(lib, parameters, returns):
    names = names_of(lib)
    exec(f"def f({parameters}) -> {returns}: ...", names)
    return names["f"]


def outcome(lib, parameters, returns="Tensor", mutates=(), tags=(), **options):
    """The schema, or the error's type and text, in names that do not tell the library."""
    try:
        return lib.library.infer_schema(function(lib, parameters, returns), mutates_args=mutates, tags=[getattr(lib.Tag, t) for t in tags], **options)
    except (ValueError, AssertionError, TypeError) as error:
        # PyTorch lists distributed groups too.
        text = re.sub(r"The valid types are: .*?(?= Got func|$)", "The valid types are: ...", str(error), flags=re.DOTALL)
        return type(error).__name__, text.replace("runtime.", "torch.")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.mark.oracle
@pytest.mark.parametrize("annotation", PARAMETERS + REFUSED)
def test_a_parameters_type_is_pytorchs(torch, annotation):
    assert outcome(runtime, f"x: {annotation}") == outcome(torch, f"x: {annotation}")


@pytest.mark.oracle
@pytest.mark.parametrize("annotation", [*RETURNS, *REFUSED, "str", "Optional[Tensor]"])
def test_a_return_type_is_pytorchs(torch, annotation):
    assert outcome(runtime, "x: Tensor", annotation) == outcome(torch, "x: Tensor", annotation)


@pytest.mark.oracle
@pytest.mark.parametrize("annotation, default", [(a, d) for a, ds in DEFAULTS.items() for d in [*ds, "()", "1j"]])
def test_a_default_is_pytorchs(torch, annotation, default):
    parameters = f"x: Tensor, y: {annotation} = {default}"
    assert outcome(runtime, parameters) == outcome(torch, parameters)


SHAPES = [
    "", "x", "x: Tensor, /", "*xs: Tensor", "x: Tensor, **kw: Tensor", "x: Tensor, *, y: int", "x: Tensor, *, y: int = 3, z: float",
    "*, x: Tensor", "x: 'Tensor'", "x: 'nope'", "x: 'List[Tensor]'", "x: list['Tensor']", "x: '1/0'", "x: 'list['", "x: 3",
]  # fmt: skip


@pytest.mark.oracle
@pytest.mark.parametrize("parameters", SHAPES)
def test_a_signatures_form_is_pytorchs(torch, parameters):
    assert outcome(runtime, parameters) == outcome(torch, parameters)


MUTATIONS = [
    ("x: Tensor, y: list[Tensor], z: int", "None", "unknown", ()),
    ("x: Tensor, y: int", "None", ("y",), ()),
    ("x: Tensor", "None", ("y",), ()),
    ("x: Tensor", "None", "all", ()),
    ("", "None", "unknown", ()),
    ("x: Tensor, y: Optional[Tensor], z: list[Optional[Tensor]]", "None", ("x", "y", "z"), ()),
    ("x: Tensor, y: Tensor", "Tensor", ("x",), ("inplace",)),
    ("x: Tensor, y: Tensor", "Tensor", ("y",), ("inplace",)),
    ("x: Tensor", "Tensor", "unknown", ("inplace",)),
    ("x: int", "Tensor", (), ("inplace",)),
    ("*, x: Tensor", "Tensor", ("x",), ("inplace",)),
    ("x: Tensor", "None", ("x",), ("inplace",)),
    ("x: Tensor, *, out: Tensor", "Tensor", ("out",), ("out",)),
    ("x: Tensor, *, a: Tensor, b: Tensor", "tuple[Tensor, Tensor]", ("a", "b"), ("out",)),
    ("x: Tensor, *, a: Tensor, b: Tensor", "Tensor", ("a", "b"), ("out",)),
    ("x: Tensor, *, out: list[Tensor]", "Tensor", ("out",), ("out",)),
    ("x: Tensor, out: Tensor", "Tensor", ("out",), ("out",)),
    ("x: Tensor", "Tensor", (), ("out",)),
    ("x: Tensor, *, out: Tensor", "Tensor", ("out",), ("out", "inplace")),
    ("x: Tensor, *, out: Tensor", "Tensor", ("out",), ("pointwise",)),
]


@pytest.mark.oracle
@pytest.mark.parametrize("parameters, returns, mutates, tags", MUTATIONS)
def test_written_arguments_and_tags_are_pytorchs(torch, parameters, returns, mutates, tags):
    assert outcome(runtime, parameters, returns, mutates, tags) == outcome(torch, parameters, returns, mutates, tags)


@st.composite
def signatures(draw):
    parameters, keyword, mutated = [], False, []
    for i in range(draw(st.integers(0, 5))):
        if not keyword and draw(st.integers(0, 4)) == 0:
            parameters.append("*")
            keyword = True
        annotation = draw(st.sampled_from([*PARAMETERS, *DEFAULTS] if draw(st.booleans()) else list(DEFAULTS)))
        default = ""
        if (keyword or any("=" in p for p in parameters)) and annotation in DEFAULTS:
            default = f" = {draw(st.sampled_from(DEFAULTS[annotation]))}"
        elif any("=" in p for p in parameters) and not keyword:
            annotation, default = "Optional[int]", " = None"
        parameters.append(f"p{i}: {annotation}{default}")
        if "Tensor" in annotation and draw(st.booleans()):
            mutated.append(f"p{i}")
    if parameters and parameters[-1] == "*":
        parameters.pop()
    return ", ".join(parameters), draw(st.sampled_from(RETURNS)), draw(st.sampled_from([tuple(mutated), "unknown", ()]))


@pytest.mark.oracle
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(signatures())
def test_whole_signatures_are_pytorchs(torch, signature):
    assert outcome(runtime, *signature, op_name="op") == outcome(torch, *signature, op_name="op")


def test_every_kind_of_argument_has_its_schema_type():
    def f(x: T, xs: Sequence[T], n: int, a: float | None, ns: list[int] | None, d: runtime.dtype, *, s: str = "a", dev: runtime.device) -> T: ...

    text = '(Tensor x, Tensor[] xs, SymInt n, float? a, SymInt[]? ns, ScalarType d, *, str s="a", Device dev) -> Tensor'
    assert infer_schema(f, mutates_args=()) == text
    assert infer_schema(f, mutates_args={"x", "xs"}, op_name="g").startswith("g(Tensor(a0!) x, Tensor(a1!)[] xs, ")


def test_a_single_tag_is_a_sequence_of_one():
    def f(x: T) -> T: ...

    assert infer_schema(f, mutates_args=["x"], tags=runtime.Tag.inplace) == "(Tensor(a0!) x) -> Tensor(a0!)"
    assert infer_schema(f, mutates_args=(), tags=None) == "(Tensor x) -> Tensor"


def test_written_arguments_may_come_from_an_iterator():
    def f(x: T, y: T) -> None: ...

    assert infer_schema(f, mutates_args=iter(["y"])) == "(Tensor x, Tensor(a1!) y) -> ()"


def test_an_inferred_schema_can_be_defined():
    with runtime.library._scoped_library("infer_tests", "FRAGMENT") as library:
        for i, (annotation, kind) in enumerate(SUPPORTED_PARAM_TYPES.items()):

            def f(x): ...

            f.__annotations__ = {"x": annotation, "return": T}
            library.define(infer_schema(f, mutates_args=(), op_name=f"f{i}"))
            (argument,) = getattr(runtime.ops.infer_tests, f"f{i}").default._schema.arguments
            assert kind.removesuffix("?").removesuffix("[]") in argument.source()
        for i, annotation in enumerate(SUPPORTED_RETURN_TYPES):
            f.__annotations__ = {"x": T, "return": annotation}
            library.define(infer_schema(f, mutates_args=(), op_name=f"g{i}"))


def test_a_tuple_type_becomes_the_list_of_its_elements_types():
    assert tuple_to_list(tuple) is list
    assert tuple_to_list(tuple[int, ...]) == list[int]
    assert tuple_to_list(tuple[int, int]) == list[int]
    assert tuple_to_list(typing.Tuple[int, str]) == list[int | str]  # noqa: UP006
