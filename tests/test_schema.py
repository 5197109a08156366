"""The operator schema language: what parses to what, how it prints, and how errors read."""

import copy
import pickle
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runtime
from runtime.schema import MAX_BROADCAST, SchemaError, parse_name, parse_schema, parse_schema_or_name
from runtime.schema_tree import (
    KINDS,
    MAX_DEPTH,
    AliasInfo,
    BaseType,
    ClassType,
    ContainerType,
    DictType,
    FunctionSchema,
    ListType,
    OperatorName,
    OptionalType,
    TupleType,
    VarType,
)

TENSOR, INT = BaseType("Tensor"), BaseType("int")


def argument(text):
    return parse_schema(f"f({text}) -> ()").arguments[0]


# ---- names


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("add", ("", "add", "")),
        ("aten::add", ("aten", "add", "")),
        ("aten::add.Tensor_out", ("aten", "add", "Tensor_out")),
        ("add_", ("", "add_", "")),
        ("aten::__and__.bool", ("aten", "__and__", "bool")),
        ("prim::If", ("prim", "If", "")),
    ],
)
def test_a_name_has_namespace_name_and_overload(text, parts):
    name = parse_name(text)
    assert name == OperatorName(*parts)
    assert str(name) == text
    assert parse_schema_or_name(text) == name
    schema = parse_schema_or_name(text + "() -> ()")
    assert isinstance(schema, FunctionSchema)
    assert (schema.name, schema.overload_name) == (name.qualified_name, name.overload)


@pytest.mark.parametrize("overload", ["default", "__init__", "__"])
def test_overload_names_that_the_packet_uses_are_illegal(overload):
    with pytest.raises(SchemaError, match=f"{overload} is not a legal overload name"):
        parse_name(f"ns::f.{overload}")


def test_a_bare_name_is_no_schema():
    with pytest.raises(SchemaError, match="Tried to parse a function schema but only the operator name was given"):
        parse_schema("ns::f")
    with pytest.raises(SchemaError, match="expected the end of the text"):
        parse_name("ns::f()")


# ---- types


@pytest.mark.parametrize(
    ("text", "tree", "annotation"),
    [
        ("Tensor", TENSOR, "Tensor"),
        ("Tensor?", OptionalType(TENSOR), "Optional[Tensor]"),
        ("Tensor??", OptionalType(OptionalType(TENSOR)), "Optional[Tensor]"),
        ("Tensor[]", ListType(TENSOR), "List[Tensor]"),
        ("int[2]", ListType(INT, 2), "List[int]"),
        ("Tensor?[]", ListType(OptionalType(TENSOR)), "List[Optional[Tensor]]"),
        ("Tensor[]?", OptionalType(ListType(TENSOR)), "Optional[List[Tensor]]"),
        ("Tensor[][]", ListType(ListType(TENSOR)), "List[List[Tensor]]"),
        ("int[][3]", ListType(ListType(INT), 3), "List[List[int]]"),
        ("Scalar", BaseType("Scalar"), "number"),
        ("SymInt", BaseType("SymInt"), "int"),
        ("SymBool", BaseType("SymBool"), "bool"),
        ("ScalarType", BaseType("ScalarType"), "ScalarType"),
        ("None", BaseType("None"), "NoneType"),
        ("t", VarType("t"), "t"),
        ("Dict(str, Tensor)", DictType(BaseType("str"), TENSOR), "Dict[str, Tensor]"),
        ("(Tensor, int)", TupleType((TENSOR, INT)), "Tuple[Tensor, int]"),
        ("()", TupleType(()), "Tuple[()]"),
        ("(int)[]?", OptionalType(ListType(TupleType((INT,)))), "Optional[List[Tuple[int]]]"),
        ("Future(t)", ContainerType("Future", (VarType("t"),)), "Future[t]"),
        ("RRef(Tensor[])", ContainerType("RRef", (ListType(TENSOR),)), "RRef[List[Tensor]]"),
        ("Union(int, str)", ContainerType("Union", (INT, BaseType("str"))), "Union[int, str]"),
        ("__torch__.torch.classes.ns.Name", ClassType("__torch__.torch.classes.ns.Name"), "__torch__.torch.classes.ns.Name"),
    ],
)
def test_types_parse_to_their_tree_and_print_both_ways(text, tree, annotation):
    a = argument(text + " x")
    assert a.real_type == tree
    assert str(a.real_type) == repr(a.real_type) == a.real_type.annotation_str == annotation
    assert a.real_type.source() == text


@pytest.mark.parametrize(
    ("text", "info"),
    [
        ("Tensor", ("Tensor", False, False, None, False)),
        ("Tensor?", ("Tensor", True, False, None, False)),
        ("Tensor?[]", ("Tensor", False, True, None, True)),
        ("Tensor[]?", ("Tensor", True, True, None, False)),
        ("Tensor?[]?", ("Tensor", True, True, None, True)),
        ("SymInt[2]?", ("SymInt", True, True, 2, False)),
        ("int[0]", ("int", False, True, 0, False)),
        ("int[][]", ("other", False, True, None, False)),
        ("DeviceIndex", ("DeviceIndex", False, False, None, False)),
        ("Dimname[]", ("Dimname", False, True, None, False)),
        ("Generator?", ("Generator", True, False, None, False)),
        ("t", ("Any", False, False, None, False)),
        ("Dict(str, int)?", ("dict", True, False, None, False)),
        ("(int, int)", ("tuple", False, False, None, False)),
        ("__torch__.torch.classes.a.B[]", ("class", False, True, None, False)),
        ("Future(t)", ("other", False, False, None, False)),
        ("complex", ("complex", False, False, None, False)),
    ],
)
def test_type_info_is_the_flat_view_of_a_type(text, info):
    assert argument(text + " x").real_type.info == info
    assert info[0] in KINDS


@pytest.mark.parametrize("name", ["ScalarType", "Layout", "MemoryFormat", "SymInt", "DeviceIndex"])
def test_type_shows_int_where_real_type_shows_what_the_int_means(name):
    a = argument(f"{name}[]? x")
    assert str(a.type) == "Optional[List[int]]"
    assert a.real_type.info.kind == name


def test_element_and_contained_types_are_reachable():
    optional = argument("Tensor[2]? x").real_type
    assert optional.kind() == "OptionalType"
    assert optional.getElementType() == ListType(TENSOR, 2)
    assert optional.getElementType().getElementType() == TENSOR
    assert argument("Dict(str, Tensor) x").real_type.containedTypes() == [BaseType("str"), TENSOR]
    with pytest.raises(TypeError, match="has no element type"):
        TENSOR.getElementType()


def test_type_variables_may_be_forbidden():
    assert argument("tensor x").real_type == VarType("tensor")
    with pytest.raises(SchemaError, match="unknown type specifier 'tensor'"):
        parse_schema("f(tensor x) -> ()", allow_typevars=False)


# ---- alias annotations


@pytest.mark.parametrize(
    ("text", "write", "before", "after"),
    [
        ("Tensor(a)", False, {"a"}, {"a"}),
        ("Tensor(a!)", True, {"a"}, {"a"}),
        ("Tensor(a! -> a|b)", True, {"a"}, {"a", "b"}),
        ("Tensor(a -> *)", False, {"a"}, {"*"}),
        ("Tensor(a|b!)", True, {"a", "b"}, {"a", "b"}),
        ("Tensor(*)", False, {"*"}, {"*"}),
        ("Tensor(a)?", False, {"a"}, {"a"}),
        ("Tensor(a)[]", False, set(), set()),
        ("Tensor(a!)[]", True, set(), set()),
        ("Tensor[](a!)", True, {"a"}, {"a"}),
        ("Tensor(a!)[](b)", False, {"b"}, {"b"}),
        ("Tensor(a!)[][]", True, set(), set()),
        ("Dict(str, Tensor)(a!)", True, {"a"}, {"a"}),
    ],
)
def test_alias_annotations(text, write, before, after):
    a = argument(text + " x")
    assert (a.is_write, a.alias_info.is_write) == (write, write)
    assert (a.alias_info.before_set, a.alias_info.after_set) == (before, after)
    assert a.source() == text + " x"
    assert parse_schema(f"f({text} x) -> ()").is_mutable is write


def test_annotations_inside_tuples_and_dicts_print_but_do_not_alias():
    for text in ["(Tensor(a!), int)", "Dict(str, Tensor(a!))", "Future(Tensor(a!))"]:
        a = argument(text + " x")
        assert a.alias_info is None
        assert not a.is_write
        assert a.source() == text + " x"


def test_the_annotation_of_list_elements_is_contained_in_the_list_s():
    assert argument("Tensor(a)[](b) x").annotation == AliasInfo(("b",), contained=(AliasInfo(("a",)),))


def test_out_arguments_are_keyword_only_and_written():
    schema = parse_schema("f(Tensor(a!) x, *, Tensor(b) y, Tensor(c!) out, Tensor(d!)[] outs) -> ()")
    assert [a.is_out for a in schema.arguments] == [False, False, True, True]


# ---- defaults


@pytest.mark.parametrize(
    ("text", "value", "printed"),
    [
        ("int x=-1", -1, "-1"),
        ("int x=- 1", -1, "-1"),
        ("int x=-9223372036854775808", -(2**63), "-9223372036854775808"),
        ("int x=1.5", 1.5, "1.5"),
        ("int? x=None", None, "None"),
        ("Tensor? x=None", None, "None"),
        ("bool x=True", True, "True"),
        ("bool x=0", 0, "0"),
        ("float x=1", 1.0, "1."),
        ("float? x=1", 1, "1"),
        ("float x=1e-05", 1e-05, "1.0000000000000001e-05"),
        ("float x=0.1", 0.1, "0.10000000000000001"),
        ("float x=-.5", -0.5, "-0.5"),
        ("float x=1e17", 1e17, "100000000000000000."),
        ("float x=1e22", 1e22, "1e+22"),
        ("Scalar x=1", 1, "1"),
        ("Scalar x=2.0", 2.0, "2."),
        ("Scalar x=2j", 2j, "0.+2.j"),
        ("complex x=-1.5j", -1.5j, "0.-1.5j"),
        ("complex x=1.0", 1 + 0j, "1.+0.j"),
        ("complex x=1.-2.j", 1 - 2j, "1.-2.j"),
        ("int r=Mean", 1, "1"),
        ("ScalarType d=long", 4, "4"),
        ("ScalarType? d=float64", 7, "7"),
        ("ScalarType[] d=[long, double]", [4, 7], "[4, 7]"),
        ("Layout x=strided", 0, "0"),
        ("MemoryFormat? x=contiguous_format", 0, "0"),
        ('Device x="cuda:1"', runtime.device("cuda:1"), "cuda:1"),
        ("int[2] x=1", [1, 1], "1"),
        ("int[2] x=[1,1]", [1, 1], "1"),
        ("int[3] x=[1,1]", [1, 1], "[1, 1]"),
        ("int[1] x=1", [1], "[1]"),
        ("int[2] x=[-2,-1]", [-2, -1], "[-2, -1]"),
        ("int[0] x=1", [], "[]"),
        ("int[2]? x=1", 1, "1"),
        ("int[]? x=[1]", [1], "[1]"),
        ("SymInt[2] x=1", [1, 1], "[1, 1]"),
        ("bool[3] x=True", [True] * 3, "[True, True, True]"),
        ("float[2] x=1", [1.0, 1.0], "[1., 1.]"),
        ("float[] x=[1.0, 2]", [1.0, 2.0], "[1., 2.]"),
        ("int[] x=[]", [], "[]"),
        ("Tensor?[] x=[None]", [None], "[None]"),
        ('str x="a"', "a", '"a"'),
        ("str x='a'", "a", '"a"'),
        (r'str? x="\"\'\\"', "\"'\\", r'"\"\'\\"'),
        (r"str x='a\tb\n'", "a\tb\n", r'"a\tb\n"'),
        (r"str x='\303\251\012'", "é\n", r'"\303\251\n"'),
        ("str x='é # no comment'", "é # no comment", r'"\303\251 # no comment"'),
        ("str[] x=['a', \"b\"]", ["a", "b"], '["a", "b"]'),
    ],
)
def test_defaults_have_a_value_and_print_in_the_canonical_form(text, value, printed):
    a = argument(text)
    assert a.has_default_value()
    assert a.has_default
    assert type(a.default_value) is type(value)
    assert a.default_value == value
    assert str(a).partition("=")[2] == printed
    assert a.source() == text
    assert a.default_text == text.partition("=")[2]


def test_a_default_list_is_a_new_list_each_time():
    a = argument("int[] x=[1, 2]")
    a.default_value.append(3)
    assert a.default_value == [1, 2]


def test_no_default_is_not_the_default_none():
    assert not argument("Tensor? x").has_default_value()
    assert argument("Tensor? x=None").has_default_value()


# ---- whole schemas


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("foo() -> ()", None),
        ("foo_out(Tensor x) -> Tensor", None),
        ("foo(Tensor x, *, int y) -> (Tensor a, Tensor b)", None),
        ("foo(...) -> ...", None),
        ("foo(Tensor x, ...) -> (Tensor, ...)", None),
        ("foo(*, Tensor x, ...) -> ()", None),
        ("foo() -> (Tensor)", "foo() -> Tensor"),
        ("foo() -> (...)", "foo() -> ..."),
        ("foo() -> (Tensor a)", "foo() -> Tensor a"),
        ("foo() -> ((Tensor, Tensor))", None),
        ("foo() -> ((int, int)[] x)", None),
        ("foo(DeviceIndex i, None n) -> None", "foo(int i, NoneType n) -> NoneType"),
        ("foo(Tensor?? x) -> ()", "foo(Tensor? x) -> ()"),
        ("foo(Tensor(a -> a) x) -> ()", "foo(Tensor(a) x) -> ()"),
        ("foo(Tensor x, Tensor x) -> ()", None),
        ("foo(int x=1, *, Tensor y) -> ()", None),
        ("foo(int x=1, int[] y) -> ()", None),
        ("foo(Tensor from, int lambda, int Tensor) -> ()", None),
    ],
)
def test_whole_schemas_print_in_both_forms(text, printed):
    schema = parse_schema(text)
    assert schema.source() == text
    assert str(schema) == repr(schema) == (printed or text)


@pytest.mark.parametrize(
    "text",
    [
        " foo ( Tensor( a ! )x ,int y= 1)->Tensor ",
        "foo(\n  Tensor(a!) x,  # written\n  int y=1\n) -> Tensor\n",
        "\n# a comment\nfoo(Tensor(a!) x, int y=1, *) -> Tensor # the end",
    ],
)
def test_white_space_comments_and_a_star_without_followers_mean_nothing(text):
    assert parse_schema(text).source() == "foo(Tensor(a!) x, int y=1) -> Tensor"


def test_equality_is_that_of_the_meaning():
    a = parse_schema("f(int[2] x=1, Tensor(a|b) y=None, float z=1e-5) -> (Tensor)")
    b = parse_schema("f(int[2] x=[1, 1], Tensor(b|a) y=None, float z=0.00001) -> Tensor")
    assert a == b
    assert hash(a) == hash(b)
    assert parse_schema("f(Scalar x=1) -> ()") != parse_schema("f(Scalar x=1.0) -> ()")
    assert parse_schema("f(int x) -> ()") != parse_schema("f(SymInt x) -> ()")
    assert a != str(a)
    assert AliasInfo(("a", "b")) == AliasInfo(("b", "a"))
    assert len({AliasInfo(("a", "b")), AliasInfo(("b", "a"), after=("a", "b"))}) == 1


def test_schemas_pickle_copy_and_are_immutable():
    schema = parse_schema("ns::f.o(Tensor(a!)[] x, Dict(str, int)? d=None, *, int[2] k=[1,1]) -> (Tensor(a!))")
    for other in (pickle.loads(pickle.dumps(schema)), copy.deepcopy(schema)):
        assert other == schema
        assert other.source() == schema.source()
    with pytest.raises(AttributeError):
        schema.arguments[0].name = "y"
    with pytest.raises(AttributeError):
        schema.returns = ()


# ---- errors


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("", 0, "expected an operator name but found end of text"),
        ("1f() -> ()", 0, "expected an operator name but found '1'"),
        ("a::b::c() -> ()", 4, r"expected '\(' or the end of the text but found '::'"),
        ("f.", 2, "expected an overload name"),
        ("if() -> ()", 0, "expected an operator name but found 'if'"),
        ("f(Tensor x)", 11, "expected '->' but found end of text"),
        ("f(Tensor x) ->", 14, "expected a type but found end of text"),
        ("f(Tensor x,) -> ()", 11, "expected a type but found"),
        ("f(Tensor) -> ()", 8, r"expected an argument name but found '\)'"),
        ("f(Tensor for) -> ()", 9, "expected an argument name but found 'for'"),
        ("f(Tensor x y) -> ()", 11, r"expected ',' or '\)' but found 'y'"),
        ("f(Unknown x) -> ()", 2, "unknown type specifier 'Unknown'"),
        ("f(Tensor x) -> Tensor, Tensor", 21, "expected the end of the text but found ','"),
        ("f(Tensor x) -> Tensor x y", 24, "expected the end of the text but found 'y'"),
        ("f(..., Tensor x) -> ()", 5, r"\.\.\. must be the last element of the argument list"),
        ("f() -> (..., Tensor)", 11, r"\.\.\. must be the last element of the return list"),
        ("f(int x=1, ...) -> ()", 11, r"schemas with vararg \(\.\.\.\) can't have default value args"),
        ("f(int x=1, Tensor y) -> ()", 18, "Non-default positional argument follows default argument. Parameter y"),
        ("f(Tensor(a x) -> ()", 11, r"expected '\)' but found 'x'"),
        ("f(Tensor() x) -> ()", 9, r"expected an alias set or '\*'"),
        ("f(Tensor(a -> b!) x) -> ()", 15, r"expected '\)' but found '!'"),
        ("f(Tensor?(a) x) -> ()", 9, r"expected an argument name but found '\('"),
        ("f(int[x] x) -> ()", 6, r"expected a list size or '\]' but found 'x'"),
        ("f(int[-1] x) -> ()", 6, r"expected a list size or '\]' but found '-'"),
        ("f(int[99999999999] x) -> ()", 6, r"expected a list size below 2\*\*31"),
        ("f(Dict(str) d) -> ()", 2, "Dict takes 2 types"),
        ("f(Dict d) -> ()", 7, r"expected '\(' but found 'd'"),
        ("f(Union(int) d) -> ()", 2, "Union takes 2 or more types"),
        ("f(__torch__.Foo x) -> ()", 12, "expected 'torch' but found 'Foo'"),
        ("f(int x=foo) -> ()", 8, "expected a number but found 'foo'"),
        ("f(int x=double) -> ()", 8, "expected a number but found 'double'"),
        ('f(int x="a") -> ()', 8, "expected a number"),
        ("f(int x=1_000) -> ()", 9, r"expected ',' or '\)' but found '_000'"),
        ("f(int x=9223372036854775808) -> ()", 8, "expected a number of 64 bits"),
        ("f(int x=1j) -> ()", 8, "expected a real number"),
        ("f(float x=1e400) -> ()", 10, "expected a finite number"),
        ("f(Tensor x=1) -> ()", 11, "expected None but found '1'"),
        ("f(int[] x=1) -> ()", 10, r"expected '\[' but found '1'"),
        ("f(int[] x=None) -> ()", 10, r"expected '\[' but found 'None'"),
        ("f(int[] x=[1,]) -> ()", 13, "expected a number but found"),
        ("f(int[] x=[1 2]) -> ()", 13, r"expected ',' or '\]' but found '2'"),
        ("f(int[] x=[1, 1.5]) -> ()", 14, "expected a whole number"),
        ("f(bool[] x=[1]) -> ()", 12, "expected a bool"),
        ("f(float[] x=[True]) -> ()", 13, "expected a number"),
        ("f(Tensor[] x=[1]) -> ()", 14, "an element of type Tensor has no literal"),
        ("f(str x=abc) -> ()", 8, "expected a string or None but found 'abc'"),
        ("f(str x='abc) -> ()", 8, "expected a string or None but found 'unterminated string'"),
        ('f(str x="abc\\") -> ()', 8, "found 'unterminated string'"),
        (r'f(str x="\q") -> ()', 8, "expected a string whose escapes are"),
        (r'f(str x="\377") -> ()', 8, "expected a string of valid UTF-8"),
        ("f(Tensor x) -> Tensor\nx", 22, "line breaks are allowed in brackets only"),
        ("f(Tensor é) -> ()", 9, "expected an argument name but found 'é'"),
        ("f\0() -> ()", 1, r"but found '\\x00'"),
    ],
)
def test_errors_say_where_and_what_was_expected(text, position, message):
    with pytest.raises(SchemaError, match=message) as info:
        parse_schema(text)
    error = info.value
    assert error.position == position
    assert error.text == text
    assert "expected" in str(error) or error.expected is None
    line, caret = str(error).split("\n")[-2:]
    column = position - (text.rfind("\n", 0, position) + 1)
    assert line in text
    assert caret == " " * column + "^ <--- HERE"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_a_schema_is_a_str():
    with pytest.raises(TypeError, match="a schema is a str, not bytes"):
        parse_schema(b"f() -> ()")


def test_the_error_of_a_huge_text_shows_the_neighbourhood():
    text = f"f({'Tensor x, ' * 100_000}!) -> ()"
    with pytest.raises(SchemaError) as info:
        parse_schema(text)
    assert len(str(info.value)) < 1000
    line, caret = str(info.value).split("\n")[-2:]
    assert line[caret.index("^")] == "!"


@pytest.mark.parametrize(
    "inner",
    [
        "Tensor" + "?" * 100_000,
        "Tensor" + "[]" * 100_000,
        "Tensor" + "(a)[]" * 100_000,
        "(" * 100_000,
        "Dict(" * 100_000,
        "Dict(str, " * 100_000,
        "Future(" * 30_000 + "int" + ")" * 30_000,
    ],
)
def test_deep_nesting_is_an_error(inner):
    with pytest.raises(SchemaError, match="nest at most"):
        parse_schema(f"f({inner} x) -> ()")
    with pytest.raises(SchemaError, match="nest at most"):
        parse_schema(f"f() -> {inner if inner[0] != '(' else '(' + inner}")


def test_the_deepest_types_can_be_walked():
    half = MAX_DEPTH // 2
    for deepest in ("Tensor" + "?[]" * half, "Future(" * MAX_DEPTH + "t" + ")" * MAX_DEPTH, "(" * half + "int" + "[])" * half):
        schema = parse_schema(f"f({deepest} x) -> ()")
        assert schema.source() == str(schema) == f"f({deepest} x) -> ()"
        assert schema.arguments[0].type == schema.arguments[0].real_type
        assert pickle.loads(pickle.dumps(schema)) == schema
        assert schema.arguments[0].real_type.info


def test_a_scalar_stands_for_a_bounded_number_of_elements():
    assert len(argument(f"int[{MAX_BROADCAST}] x=1").default_value) == MAX_BROADCAST
    with pytest.raises(SchemaError, match=f"at most {MAX_BROADCAST} elements"):
        argument(f"int[{MAX_BROADCAST + 1}] x=1")


@pytest.mark.parametrize(
    "make",
    [
        lambda n: f"f({', '.join(f'int[2] x{i}=[1, 2]' for i in range(n))}) -> ()",
        lambda n: f"f({'*, ' * n}int x) -> ()",
        lambda n: f"f(int[] x=[{'1, ' * n}1]) -> ()",
        lambda n: "f(" + " \t\n" * n,
        lambda n: "f(" + "#\n" * n,
        lambda n: 'f(str x="' + '\\"' * n,
        lambda n: "f(str x=" + "'\"" * n,
        lambda n: f"f(int x={'9' * n}) -> ()",
        lambda n: f"f(Tensor({'a|' * n}a) x) -> ()",
        lambda n: "f" * n,
        lambda n: f"f({'(' * 10}{'int, ' * n}int{')' * 10} x) -> ()",
    ],
)
def test_time_is_linear_in_the_length(make):
    def seconds(n):
        text = make(n)
        start = time.process_time()
        try:
            parse_schema_or_name(text)
        except SchemaError:
            pass
        return time.process_time() - start

    # Forty times the text in well under 1600 times the time; the floor keeps clock noise out.
    small, large = seconds(500), seconds(20_000)
    assert large < 300 * max(small, 0.001)


# ---- generated texts

identifiers = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True).filter(lambda s: s not in _RESERVED_WORDS)
_RESERVED_WORDS = {
    "as",
    "assert",
    "break",
    "class",
    "def",
    "del",
    "elif",
    "else",
    "for",
    "global",
    "if",
    "import",
    "in",
    "is",
    "not",
    "or",
    "and",
}
_RESERVED_WORDS |= {"pass", "raise", "return", "while", "with", "default"}
alias_sets = st.lists(st.sampled_from(["a", "b", "c", "*"]), min_size=1, max_size=3).map("|".join)
annotations = st.one_of(
    st.just(""),
    st.builds("({}{}{})".format, alias_sets, st.sampled_from(["", "!"]), st.one_of(st.just(""), alias_sets.map(" -> {}".format))),
)
words = st.sampled_from(
    ["Tensor", "int", "SymInt", "float", "bool", "str", "Scalar", "ScalarType", "Device", "Generator", "Any", "t", "None"]
)
types = st.recursive(
    st.builds(str.__add__, words, annotations) | st.just("__torch__.torch.classes.ns.Name"),
    lambda inner: st.one_of(
        st.builds("{}?".format, inner),
        st.builds("{}[{}]{}".format, inner, st.sampled_from(["", "1", "2"]), annotations),
        st.builds("Dict({}, {}){}".format, inner, inner, annotations),
        st.builds("Future({})".format, inner),
        st.builds("Union({}, {})".format, inner, inner),
        st.lists(inner, max_size=3).map(lambda ts: f"({', '.join(ts)})"),
    ),
    max_leaves=6,
)
numbers = st.integers(-(2**63), 2**63 - 1).map(str) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
strings = st.text(st.characters(exclude_characters="\n\\\"'"), max_size=8).flatmap(lambda s: st.sampled_from([f'"{s}"', f"'{s}'"]))
defaulted = st.one_of(
    st.builds(
        "int[{}] {}=[{}]".format, st.sampled_from(["", "3"]), identifiers, st.lists(st.integers(-9, 9).map(str), max_size=4).map(",".join)
    ),
    st.builds("{} {}={}".format, st.sampled_from(["float", "Scalar", "int?", "Scalar?"]), identifiers, numbers),
    st.builds("{} {}={}".format, st.sampled_from(["str", "str?", "Device"]), identifiers, strings),
    st.builds("{} {}={}".format, st.sampled_from(["Tensor?", "int[2]?", "Any"]), identifiers, st.just("None")),
    st.builds("ScalarType {}={}".format, identifiers, st.sampled_from(["long", "float", "bool", "6"])),
)


@st.composite
def schemas(draw):
    name = draw(st.builds("{}{}{}".format, st.sampled_from(["", "ns::"]), identifiers, st.sampled_from(["", ".out", ".Tensor"])))
    plain = st.builds("{} {}".format, types, identifiers)
    items = draw(st.lists(plain, max_size=3)) + draw(st.lists(defaulted, max_size=3))
    keywords = draw(st.lists(plain | defaulted, max_size=3))
    items += ["*", *keywords] if keywords else []
    if not any("=" in item for item in items):
        items += draw(st.sampled_from([[], ["..."]]))
    returns = draw(st.lists(st.builds("{}{}".format, types, st.sampled_from(["", " r"])), max_size=3))
    returns += draw(st.sampled_from([[], ["..."]]))
    bare = len(returns) == 1 and not returns[0].startswith("(") and draw(st.booleans())
    return f"{name}({', '.join(items)}) -> {returns[0] if bare else '(' + ', '.join(returns) + ')'}"


@given(schemas())
@settings(max_examples=100, deadline=None)
def test_generated_schemas_round_trip(text):
    schema = parse_schema(text)
    assert schema.source() == text
    assert parse_schema(schema.source()) == schema
    assert hash(parse_schema(text)) == hash(schema)
    assert [a.has_default for a in schema.arguments] == ["=" in a.source() for a in schema.arguments]
    for a in (*schema.arguments, *schema.returns):
        assert a.real_type.info.kind in KINDS
        assert str(a.type)
        assert a.real_type.source() in a.source() or a.annotation is not None


@given(schemas().filter(lambda text: "Device" not in text))
@settings(max_examples=100, deadline=None)
def test_the_run_time_form_parses_to_an_equal_schema(text):
    schema = parse_schema(text)
    again = parse_schema(str(schema))
    assert str(again) == str(schema)
    assert again == schema


TOKENS = [
    "f",
    "(",
    ")",
    "[",
    "]",
    "?",
    "!",
    "*",
    "|",
    "->",
    "...",
    "::",
    ".",
    ",",
    "=",
    "-",
    "+",
    " ",
    "\n",
    "#",
    '"',
    "'",
    "\\",
    "\0",
    "é",
    "\ud800",
]
TOKENS += [
    "Tensor",
    "int",
    "Dict",
    "Future",
    "Union",
    "__torch__",
    "torch",
    "classes",
    "None",
    "True",
    "x",
    "1",
    "2",
    "1.5",
    "1j",
    "1e9",
    "Mean",
    "long",
]


@pytest.mark.parametrize("number", ["1e", "1.0e", "1.5ef+16", "2e+", "2e-x", ".5e"])
def test_exponents_without_digits_are_schema_errors(number):
    with pytest.raises(SchemaError, match="'e|'ef"):
        parse_schema(f"a::b(float x={number}) -> ()")


@given(st.lists(st.sampled_from(TOKENS), max_size=40).map("".join) | st.text(max_size=60))
@settings(max_examples=500, deadline=None)
def test_any_text_parses_or_is_a_schema_error(text):
    for parse in (parse_schema, parse_name, parse_schema_or_name):
        try:
            parsed = parse(text)
        except SchemaError as error:
            assert 0 <= error.position <= len(text)
        else:
            assert parse(str(parsed)) is not None


@given(schemas(), st.data())
@settings(max_examples=100, deadline=None)
def test_mutated_schemas_parse_or_are_schema_errors(text, data):
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        until = data.draw(st.integers(at, min(len(text), at + 4)))
        text = text[:at] + data.draw(st.sampled_from(["", *TOKENS])) + text[until:]
    try:
        schema = parse_schema(text)
    except SchemaError as error:
        assert 0 <= error.position <= len(text)
    else:
        assert parse_schema(schema.source()).source() == schema.source()


# ---- against PyTorch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def operator_list(torch):
    torchgen = pytest.importorskip("torchgen")
    yaml = pytest.importorskip("yaml")
    path = Path(torchgen.__file__).parent / "packaged/ATen/native/native_functions.yaml"
    with path.open() as file:
        return [entry["func"] for entry in yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))]


def describe(schema):
    """Everything that both sides' schemas tell, in comparable form."""

    def one(a):
        alias = a.alias_info
        return (
            a.name,
            str(a.type),
            str(a.real_type),
            a.type.kind(),
            a.real_type.kind(),
            a.real_type.annotation_str,
            a.N,
            a.kwarg_only,
            a.is_out,
            a.is_write,
            a.has_default_value(),
            type(a.default_value),
            a.default_value,
            alias and (alias.is_write, alias.before_set, alias.after_set),
        )

    return (schema.name, schema.overload_name, schema.is_mutable, [one(a) for a in schema.arguments], [one(r) for r in schema.returns])


@pytest.mark.oracle
def test_every_entry_of_the_operator_list_round_trips(operator_list):
    assert len(operator_list) >= 2500
    for text in operator_list:
        assert parse_schema(text).source() == text


@pytest.mark.oracle
def test_every_entry_of_the_operator_list_prints_and_describes_as_in_torch(torch, operator_list):
    for text in operator_list:
        ours, theirs = parse_schema("aten::" + text), torch._C.parse_schema("aten::" + text)
        assert str(ours) == str(theirs)
        assert describe(ours) == describe(theirs)


@pytest.mark.oracle
def test_every_registered_schema_of_torch_parses_and_prints_the_same(torch):
    schemas = torch._C._jit_get_all_schemas()
    assert len(schemas) > 4000
    for theirs in schemas:
        if "PyObject" in str(theirs):
            continue  # a class bound from C++, whose name PyTorch's parser does not take back
        ours = parse_schema(str(theirs))
        assert str(ours) == str(theirs)
        assert ours.source() == str(theirs)
        assert describe(ours) == describe(torch._C.parse_schema(str(theirs)))


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text",
    [
        "f(Tensor(a! -> *) x, *, Tensor(b|b) y) -> (Tensor(a!) r, Tensor(*))",
        "f(Tensor(a!)[3]? x, Tensor[](b) y, Dict(str, Tensor)(c!) z) -> Tensor(a)[]",
        "f(ScalarType d=double, ScalarType e=bfloat16, ScalarType f=complex, Layout g=strided, int h=long) -> ()",
        "f(float a=1e15, float b=1e18, float c=1e19, float d=-0.0, float e=123456789012345678, float? g=3, float[2] h=.5) -> ()",
        r"""f(str a="\101\t\\", str b='"', str? c="'", Scalar d=1j, complex e=-2.5j, bool f=1.5, int g=True) -> ()""",
        "f(int[2] a=[1,1], int[1] b=3, int[0] c=3, SymInt[2] d=4, bool[2] e=False, Layout[2] f=1, int[2]? g=1) -> ()",
        "f(t a, t1 b, tVal[] c, (int, str)? d, () e, Future(t) f, RRef(t) g, Await(t) h, Any i, NoneType j, None k) -> ()",
        "f(Storage a, Stream b, QScheme c, Quantizer d, DeviceIndex e, SymBool f, Capsule g, AnyClassType h, AnyEnumType i) -> ((int)[])",
        "f(Generator? g=None, Tensor x=None, *, Any y) -> (...)",
        "f(Generator? g, Tensor x, *, ...) -> ()",
        "f(Tensor x, *, *, Tensor y, *) -> ((Tensor, Tensor) a, int[] b, ...)",
        "f(int x=1, int[] y, *, Tensor z) -> Tensor lambda",
    ],
)
def test_the_corners_of_the_language_agree_with_torch(torch, text):
    ours, theirs = parse_schema(text), torch._C.parse_schema(text)
    assert str(ours) == str(theirs)
    assert describe(ours) == describe(theirs)
    assert (ours.is_vararg, ours.is_varret) == ("..." in str(theirs).split("->")[0], "..." in str(theirs).split("->")[-1])


@pytest.mark.oracle
@pytest.mark.parametrize(
    "text",
    [
        "f(Tensor x)",
        "f.default() -> ()",
        "f.__x() -> ()",
        "a.b::c() -> ()",
        "f(Tensor x,) -> ()",
        "f(Tensor) -> ()",
        "f(Tensor class) -> ()",
        "f(Function x) -> ()",
        "f(Tensor?(a) x) -> ()",
        "f((Tensor, Tensor)(a) x) -> ()",
        "f(Tensor(a)(b) x) -> ()",
        "f(Dict(str) x) -> ()",
        "f(int[] x=1) -> ()",
        "f(int[] x=[1.5]) -> ()",
        "f(Tensor x=1) -> ()",
        "f(int x=double) -> ()",
        "f(int x=9223372036854775808) -> ()",
        "f(float x=inf) -> ()",
        "f(Device d=cpu) -> ()",
        "f(str x=abc) -> ()",
        "f(int x=1, Tensor y) -> ()",
        "f(..., Tensor x) -> ()",
        "f(int x=1, ...) -> ()",
        "f() -> (int, int)[]",
        "f() -> Tensor, Tensor",
        "f() -> Tensor\ng",
    ],
)
def test_what_torch_rejects_is_rejected(torch, text):
    with pytest.raises((RuntimeError, IndexError)):
        torch._C.parse_schema(text)
    with pytest.raises(SchemaError):
        parse_schema(text)


@pytest.mark.oracle
def test_parsing_the_operator_list_is_fast(operator_list):
    start = time.process_time()
    for text in operator_list:
        parse_schema(text)
    assert time.process_time() - start < 1.5
