"""The data model of the operator list: what each class reads and prints, and every rule with a list that breaks it."""

import copy
import pickle
import re
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
from torchgen_rules import ABS, ABS_, ABS_OUT, BROKEN, EXPLICIT, STRUCTURED, TAGS, entry, first_line, load, tags_text, yaml_text

import runtime.schema
from runtime.torchgen import gen
from runtime.torchgen.api import cpp, ufunc
from runtime.torchgen.model import (
    AUTOGRAD_KEYS,
    BACKEND_COMPONENTS,
    DTYPE_CLASSES,
    FUNCTIONALITY_KEYS,
    Annotation,
    Argument,
    Arguments,
    BackendIndex,
    BackendMetadata,
    BaseOperatorName,
    BaseTy,
    BaseType,
    CustomClassType,
    DeviceCheckType,
    DispatchKey,
    FunctionSchema,
    ListType,
    Location,
    NativeFunction,
    NativeFunctionsGroup,
    NativeFunctionsViewGroup,
    OperatorName,
    OptionalType,
    Precompute,
    Return,
    ScalarType,
    SchemaKind,
    Type,
    UfuncInnerLoop,
    UfuncKey,
    Variant,
    ViewSchemaKind,
    codegen_per_backend_entries,
    dispatch_device_map,
    dispatch_keys,
    get_view_copy_name,
    gets_generated_out_inplace_wrapper,
    gets_generated_view_copy,
    is_cuda_dispatch_key,
    is_generic_dispatch_key,
    is_structured_dispatch_key,
    is_ufunc_dispatch_key,
    is_xpu_dispatch_key,
    parse_returns,
)
from runtime.torchgen.native_function_generation import generate_function, generate_out_args_from_schema
from runtime.torchgen.operators import dispatch_keys as keys_of_header
from runtime.torchgen.utils import NamespaceHelper, OrderedSet

ROOT = Path(__file__).resolve().parent.parent
LOC = Location("list.yaml", 7)


def read(func=ABS, tags=TAGS, **more):
    return NativeFunction.from_yaml(entry(func, **more), LOC, set(tags))


def function(func=ABS, **more):
    return read(func, **more)[0]


def kernels(func=ABS, **more):
    """Kernels by the name of their key, as "namespace::name", structured ones with an S before."""
    found = {}
    for key, index in read(func, **more)[1].items():
        ((_, m),) = index.items()
        found[str(key)] = f"{'S ' if m.structured else ''}{m.cpp_namespace}::{m.kernel}"
    return found


def write(tmp_path, entries, tags=TAGS):
    path, tags_path = tmp_path / "list.yaml", tmp_path / "tags.yaml"
    path.write_text(entries if isinstance(entries, str) else yaml_text(entries))
    tags_path.write_text(tags_text(tags))
    return str(path), str(tags_path)


# ---- rules


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.rule)
def test_a_broken_rule_is_an_error_that_names_rule_place_and_entry(tmp_path, broken):
    path, tags = write(tmp_path, broken.entries)
    with pytest.raises(broken.error) as error:
        load(gen, path, tags)
    assert type(error.value) is broken.error
    assert broken.message in first_line(error.value)
    assert f"in {path}:{broken.line}:\n    {broken.func}" in str(error.value) + "\n"


def test_rules_have_different_names():
    names = [broken.rule for broken in BROKEN]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    "text, message, line",
    [
        (
            "- func: abs(Tensor self) -> Tensor\n  variants: method\n  variants: function\n",
            "Found a duplicate key in the yaml. key=variants, line=3",
            1,
        ),
        ("- func: abs(Tensor self) -> Tensor\n  dispatch:\n    CPU: a\n    CPU: b\n", "Found a duplicate key in the yaml. key=CPU, line=4", 1),
        ("- func: abs(Tensor self) -> Tensor\n  dispatch:\n    5: a\n", "illegal dispatch key '5' in", 1),
        ("\n- func: abs(Tensor self) -> Tensor\n  ufunc_inner_loop:\n    5: a\n", "ufunc_inner_loop key is not a str: 5", 2),
    ],
)
def test_a_bad_mapping_is_an_error_that_names_place_and_entry(tmp_path, text, message, line):
    path, tags = write(tmp_path, text)
    with pytest.raises(AssertionError) as error:
        gen.parse_native_yaml(path, tags)
    assert message in first_line(error.value)
    assert f"in {path}:{line}:\n    {ABS}" in str(error.value)


@pytest.mark.parametrize(
    "text, message, place",
    [
        ("func: 5\n", "Expected 'es' to be a list, but got <class 'dict'>", ""),
        ("- abs\n", "Expected to be dict: abs", ", entry 1"),
        ("- variants: method\n", "Missed 'func' in {'variants': 'method', '__line__': 1}", ":1"),
    ],
)
def test_a_file_is_a_list_of_entries(tmp_path, text, message, place):
    path, tags = write(tmp_path, text)
    with pytest.raises(AssertionError) as error:
        gen.parse_native_yaml(path, tags)
    assert first_line(error.value) == message
    assert str(error.value).endswith(f"in {path}{place}")


def test_loaded_entries_have_a_line():
    with pytest.raises(AssertionError, match="Expected '__line__' to be int"):
        gen.parse_native_yaml_struct([entry(ABS)], set(TAGS))


def test_a_tag_has_a_description(tmp_path):
    (tmp_path / "tags.yaml").write_text("- tag: core\n  desc: x\n- tag: odd\n")
    with pytest.raises(AssertionError) as error:
        gen.parse_tags_yaml(str(tmp_path / "tags.yaml"))
    assert str(error.value) == f"Tag 'odd' must have a non-empty description\n  in {tmp_path / 'tags.yaml'}:3:\n    odd"


def test_tags_need_a_known_set():
    with pytest.raises(AssertionError, match="valid_tags is empty"):
        NativeFunction.from_yaml(entry(ABS, tags="core"), LOC, set())


def test_an_entry_is_left_as_it_is():
    raw = entry(ABS, tags=["core"], dispatch={"CPU": "x"}, __line__=7)
    before = copy.deepcopy(raw)
    NativeFunction.from_yaml(raw, LOC, set(TAGS))
    assert raw == before


def group(**changes):
    """The structured group of abs with members changed: ``inplace={"tags": ...}``, or another function."""
    members = {"functional": STRUCTURED[0], "inplace": entry(ABS_, structured_delegate="abs.out"), "mutable": None, "out": STRUCTURED[1]}
    members = {name: e and NativeFunction.from_yaml(e, LOC, set(TAGS))[0] for name, e in members.items()}
    for name, change in changes.items():
        members[name] = replace(members[name], **change) if isinstance(change, dict) else change
    return NativeFunctionsGroup(**members)


VIEW = function("flop(Tensor(a) self) -> Tensor(a)", dispatch=EXPLICIT)


def view_copy(func="flop_copy(Tensor self) -> Tensor", **more):
    return NativeFunction.from_yaml(entry(func, dispatch=EXPLICIT, tags="view_copy", **more), LOC, set(TAGS))[0]


GENERATED = replace(function(dispatch=EXPLICIT), tags={"generated"})
RENAMED = {"func": FunctionSchema.parse(ABS).with_name(OperatorName.parse("neg"))}


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: group(functional=RENAMED), "NativeFunctionsGroup constructed from two NativeFunctions that don't have matching signatures"),
        (lambda: group(functional=group().inplace), "functional.func.kind() is SchemaKind.inplace, expected SchemaKind.functional"),
        (lambda: group(inplace=group().functional), "inplace.func.kind() is SchemaKind.functional, expected SchemaKind.inplace"),
        (lambda: group(mutable=group().functional), "mutable.func.kind() is SchemaKind.functional, expected SchemaKind.mutable"),
        (lambda: NativeFunctionsGroup.from_dict({}), "from_dict called with empty dict"),
        (lambda: NativeFunctionsViewGroup(function(), None, None), "view is not a view op: abs"),
        (
            lambda: NativeFunctionsViewGroup(VIEW, view_copy("flop_twin(Tensor self) -> Tensor"), None),
            "view_copy name must end with '_copy' or '_scatter'",
        ),
        (
            lambda: NativeFunctionsViewGroup(VIEW, view_copy("flop_copy(Tensor self, int x) -> Tensor"), None),
            "view and view_copy signatures don't match",
        ),
        (
            lambda: NativeFunctionsViewGroup(VIEW, view_copy(), function("flip_(Tensor(a!) self) -> Tensor(a!)", dispatch=EXPLICIT)),
            "view and view_inplace signatures don't match: flop(Tensor self) -> Tensor != flip(Tensor self) -> Tensor",
        ),
        (lambda: get_view_copy_name(function()), "abs does not have a generated view_copy variant"),
        (
            lambda: gen.get_grouped_native_functions([GENERATED]),
            "Generated NativeFunctions should have been grouped into NativeFunctionsGroup objects",
        ),
        (lambda: group().out.validate_unstructured(), "This function is structured, but there was no valid functional variant of it."),
        (lambda: function().validate_unstructured(), "This function delegates to another structured out function, but no valid function was found"),
        (lambda: generate_function(function(), SchemaKind.functional), "Cannot generate functional from functional schema"),
        (lambda: generate_function(group().out, SchemaKind.out), "We only bother generating out= functions from either"),
        (lambda: generate_function(function(), SchemaKind.inplace), "We currently only generate either functional or out="),
        (lambda: generate_out_args_from_schema(FunctionSchema.parse("f(Tensor x) -> int")), "Expected at least one tensor-like return"),
        (lambda: generate_out_args_from_schema(FunctionSchema.parse(ABS_)), "Mutable schema kinds should not return mutable arguments"),
        (lambda: ufunc.schema_kernel_name(FunctionSchema.parse(ABS), DispatchKey.CPU), "ufunc.kernel_name should only be invoked on out schemas"),
        (lambda: DispatchKey.parse("cpu"), "unknown dispatch key cpu"),
        (lambda: ScalarType.parse("float"), "unknown dtype float"),
        (lambda: UfuncKey.parse("x"), "unknown ufunc key x"),
        (lambda: BaseOperatorName.parse(""), "operator name cannot be empty"),
        (lambda: BaseOperatorName.parse("aten::"), "operator name cannot be empty"),
        (lambda: NamespaceHelper("a::b::c"), "Codegen doesn't support more than 2 level(s) of custom namespace. Got a::b::c."),
        (lambda: Arguments.parse("int x").remove_self_annotation(), "remove_self_annotation called but self_arg is None"),
        (lambda: Arguments.parse("*, Tensor(a!) out").with_out_args([]), "with_out_args called but self.out is not empty"),
        (lambda: replace(Arguments.parse("int x, Tensor self"), self_arg=None), "pre_self_positional is non-empty but self_arg is None"),
        (
            lambda: replace(Arguments.parse("int x"), post_tensor_options_kwarg_only=(Argument.parse("int y"),)),
            "post_tensor_options_kwarg_only is non-empty but tensor_options is None",
        ),
        (lambda: str(Argument("x", Type.parse("int"), None, Annotation.parse("a"))), "annotation on non-Tensor type: int"),
        (lambda: str(Return(None, Type.parse("Tensor?[]"), Annotation.parse("a"))), "annotation on non-Tensor type: Tensor?[]"),
        (
            lambda: FunctionSchema.parse("f(Tensor(a) x, Tensor(a) y) -> Tensor(a)").aliased_return_names(),
            "Found a return (None)that aliases multiple inputs (x, y)",
        ),
    ],
)
def test_a_rule_that_no_list_can_break_is_checked_where_objects_are_made(make, message):
    with pytest.raises(AssertionError, match=re.escape(message)):
        make()


def test_a_group_needs_no_kernel_of_the_same_file():
    assert group().structured
    assert NativeFunctionsGroup.from_dict({SchemaKind.functional: function()}) is None
    assert NativeFunctionsGroup.from_dict({SchemaKind.functional: function(), SchemaKind.inplace: function(ABS_)}) is None


# ---- keys and dtypes

#: In PyTorch's list for code generation, and in no key set.
HISTORICAL = {"MKLDNN", "OpenGL", "OpenCL", "IDEEP", "Named", "Autocast", "CatchAll"}


def test_every_key_is_one_of_the_run_time():
    registered = set(keys_of_header(ROOT / "include/runtime/keys.h"))
    functionalities = {"Dense", "Sparse", "SparseCsr", "NestedTensor", "AutogradFunctionality"}
    assert set(DispatchKey.__members__) - registered - functionalities - {"Undefined"} == HISTORICAL


def test_every_backend_has_a_key_of_every_functionality():
    names = [prefix + backend for prefix in FUNCTIONALITY_KEYS for backend in BACKEND_COMPONENTS]
    assert len(names) == 90
    assert [DispatchKey[name].value for name in names] == list(range(DispatchKey.CPU.value, DispatchKey.CPU.value + 90))
    assert codegen_per_backend_entries().splitlines() == [f"    {name} = auto()" for name in names]
    assert set(AUTOGRAD_KEYS) <= set(names) | {"AutogradNestedTensor"}


def test_a_key_has_one_object_and_prints_as_its_name():
    assert DispatchKey.CatchAll is DispatchKey.Undefined
    assert DispatchKey.parse("SparseCPU") is DispatchKey.SparseCPU
    assert (str(DispatchKey.SparseCPU), DispatchKey.SparseCPU.lower()) == ("SparseCPU", "sparsecpu")
    assert pickle.loads(pickle.dumps(DispatchKey.SparseCPU)) is DispatchKey.SparseCPU


def test_groups_of_keys():
    def those(test):
        return {str(key) for key in DispatchKey if test(key)}

    assert those(is_cuda_dispatch_key) == {prefix + "CUDA" for prefix in FUNCTIONALITY_KEYS}
    assert those(is_xpu_dispatch_key) == {prefix + "XPU" for prefix in FUNCTIONALITY_KEYS}
    assert those(is_structured_dispatch_key) == {"CPU", "CUDA", "MPS", "XPU", "MTIA"}
    assert those(is_ufunc_dispatch_key) == {"CPU", "CUDA"}
    composites = {"CompositeImplicitAutograd", "CompositeImplicitAutogradNestedTensor"}
    assert those(is_generic_dispatch_key) == composites | {"CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"}
    assert dispatch_device_map == {is_cuda_dispatch_key: "cuda", is_xpu_dispatch_key: "xpu"}
    assert len(set(dispatch_keys)) == len(dispatch_keys) == 30


def test_sets_of_dtypes_keep_their_order():
    assert list(map(str, ScalarType.parse_set("Bool, Floating, Half"))) == ["Bool", "Float", "Double", "Half"]
    assert ScalarType.maybe_parse("Quarter") is None
    assert {name: len(set(dtypes)) for name, dtypes in DTYPE_CLASSES.items()} == {
        "Integral": 5, "Floating": 2, "Complex": 2, "All": 7, "AllAndComplex": 9, "FloatingAndComplex": 4,
    }  # fmt: skip
    assert ScalarType.Bool not in DTYPE_CLASSES["Integral"]


def test_a_ufunc_loop_has_a_name_and_dtypes():
    loop = UfuncInnerLoop.parse("add (Complex, Bool)", UfuncKey.ScalarOnly)
    assert (loop.name, list(map(str, loop.supported_dtypes)), str(loop.ufunc_key)) == ("add", ["ComplexFloat", "ComplexDouble", "Bool"], "ScalarOnly")


def test_an_ordered_set_is_a_set_in_order():
    s = OrderedSet([3, 1]) | OrderedSet([2, 3])
    assert (list(s), len(s), 2 in s, s == {1, 2, 3}, s == OrderedSet([1, 2, 3])) == ([3, 1, 2], 3, True, True, True)
    t = s.copy()
    t.add(9)
    t |= OrderedSet([8])
    assert (list(s), list(t), repr(t)) == ([3, 1, 2], [3, 1, 2, 9, 8], "OrderedSet([3, 1, 2, 9, 8])")


def test_a_namespaced_name_opens_and_closes_its_namespaces():
    helper = NamespaceHelper.from_namespaced_entity("a::b::f")
    assert (helper.entity_name, helper.get_cpp_namespace("x"), helper.prologue, helper.epilogue) == (
        "f", "a::b", "namespace a {\nnamespace b {", "} // namespace b\n} // namespace a",
    )  # fmt: skip
    assert NamespaceHelper.from_namespaced_entity("f").get_cpp_namespace("x") == "x"


# ---- schemas


@pytest.mark.parametrize(
    "text, base, inplace, dunder, functional",
    [
        ("add", "add", False, False, False),
        ("add_", "add", True, False, False),
        ("__and__", "and", False, True, False),
        ("__iand__", "and", True, True, False),
        ("_add_relu", "_add_relu", False, False, False),
        ("batch_norm_functional", "batch_norm", False, False, True),
        ("__a_b__", "__a_b_", True, False, False),
    ],
)
def test_a_name_says_what_it_is(text, base, inplace, dunder, functional):
    name = BaseOperatorName.parse(text)
    assert name == BaseOperatorName(base, inplace, dunder, functional)
    assert str(name) == text
    assert str(BaseOperatorName.parse(f"ns::{text}")) == f"ns::{text}"


def test_names_are_made_of_names():
    name = OperatorName.parse("add_.Tensor")
    assert (str(name), name.unambiguous_name(), str(name.remove_inplace()), str(name.with_overload("out"))) == (
        "add_.Tensor", "add__Tensor", "add.Tensor", "add.out",
    )  # fmt: skip
    assert OperatorName.parse("add").unambiguous_name() == "add"


@pytest.mark.parametrize("text", ["a", "a!", "a|b", "a|b|c", "a -> *", "a! -> a|b", "a! -> *", "a|b -> c"])
def test_an_annotation_prints_as_it_was_read(text):
    assert str(Annotation.parse(text)) == text
    assert Annotation.parse(text).is_write == ("!" in text)


@pytest.mark.parametrize(
    "text, tree",
    [
        ("Tensor", BaseType(BaseTy.Tensor)),
        ("int[2]?", OptionalType(ListType(BaseType(BaseTy.int), 2))),
        ("Tensor?[]", ListType(OptionalType(BaseType(BaseTy.Tensor)), None)),
        ("int[][3]", ListType(ListType(BaseType(BaseTy.int), None), 3)),
        ("__torch__.torch.classes.ns.Name", CustomClassType("ns.Name")),
    ],
)
def test_a_type_is_a_tree_that_prints_as_it_was_read(text, tree):
    assert Type.parse(text) == tree
    assert str(tree) == text


def test_what_a_type_is_like():
    optional_list, custom = Type.parse("SymInt?[]"), Type.parse("__torch__.torch.classes.x")
    assert (optional_list.is_symint_like(), optional_list.is_tensor_like(), optional_list.is_nullable()) == (True, False, True)
    assert Type.parse("int[2]?").is_list_like() == Type.parse("int[2]")
    assert Type.parse("int?").is_list_like() is None
    assert Type.parse("Generator?").is_generator_like()
    assert (custom.is_nullable(), custom.is_list_like(), custom.is_symint_like(), custom.is_tensor_like()) == (False, None, False, False)


@pytest.mark.parametrize("text", ["Tensor(a! -> *)? x", "Tensor(a|b)[] x", "int[2] x=[1,1]", "str x='a,b'", "float x=1e-05", "Tensor? x=None"])
def test_an_argument_prints_as_it_was_read(text):
    assert str(Argument.parse(text)) == text
    assert Argument.parse(text).alias_info is Argument.parse(text).annotation


def test_returns_are_one_or_in_brackets():
    assert parse_returns("()") == ()
    assert [str(r) for r in parse_returns("(Tensor(a!) x, int)")] == ["Tensor(a!) x", "int"]
    assert parse_returns("Tensor")[0].alias_info is None


MAKE = "make(Tensor x, Tensor self, int n, *, int a, ScalarType? dtype=None, Layout layout, Device? device=None, bool? pin_memory=None, MemoryFormat? b=None) -> Tensor"  # noqa: E501


def test_arguments_are_sorted_by_what_they_are_for():
    args = FunctionSchema.parse(MAKE).arguments

    def names(arguments):
        return [a.name for a in arguments]

    assert names(args.pre_self_positional) == ["x"] and args.self_arg.argument.name == "self" and names(args.post_self_positional) == ["n"]
    assert names(args.pre_tensor_options_kwarg_only) == ["a"] and names(args.post_tensor_options_kwarg_only) == ["b"]
    assert names(args.tensor_options.all()) == ["dtype", "layout", "device", "pin_memory"]
    assert names(args.flat_all) == names(args.flat_non_out) == ["x", "self", "n", "a", "dtype", "layout", "device", "pin_memory", "b"]
    assert args.positional == [args.pre_self_positional[0], args.self_arg, args.post_self_positional[0]]
    assert args.kwarg_only == [args.pre_tensor_options_kwarg_only[0], args.tensor_options, args.post_tensor_options_kwarg_only[0]]
    assert args.all == args.non_out == [*args.positional, *args.kwarg_only]
    assert str(args.signature()) == "Tensor x, Tensor self, int n, *, int a, MemoryFormat? b=None"
    assert str(args.signature(strip_default=True)) == "Tensor x, Tensor self, int n, *, int a, MemoryFormat? b"
    written = FunctionSchema.parse("f.out(Tensor self, Tensor(a!) x, *, Tensor(b!) out) -> Tensor(b!)").arguments
    assert written.mutable_arg_names() == ["x", "out"] and names(written.post_self_positional_mutable) == ["x"]


def test_three_of_four_options_are_no_tensor_options():
    args = Arguments.parse("*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, int pin_memory=0")
    assert args.tensor_options is None and len(args.pre_tensor_options_kwarg_only) == 4


@pytest.mark.parametrize(
    "func, kind, signature",
    [
        (ABS, "functional", "abs(Tensor self) -> Tensor"),
        (ABS_, "inplace", "abs(Tensor self) -> Tensor"),
        (ABS_OUT, "out", "abs(Tensor self) -> Tensor"),
        ("abs.out(Tensor[] self, *, Tensor(a!)[] out) -> ()", "out", "abs(Tensor[] self) -> Tensor[]"),
        ("m(Tensor self, Tensor(a!) x) -> Tensor y", "mutable", "m(Tensor self, Tensor x) -> (Tensor, Tensor)"),
        ("m_(Tensor(a!) self, Tensor(b!) x) -> Tensor(a!)", "inplace", "m(Tensor self, Tensor x) -> (Tensor, Tensor)"),
        ("s.s(Tensor self, *, Tensor(a!) _scratch_x) -> ()", "scratch", "s(Tensor self) -> Tensor"),
        (MAKE, "functional", "make(Tensor x, Tensor self, int n, *, int a, MemoryFormat? b=None) -> Tensor"),
        (
            "bernoulli.p(Tensor self, float p, *, Generator? generator=None) -> Tensor",
            "functional",
            "bernoulli(Tensor self, float p=0.5, *, Generator? generator=None) -> Tensor",
        ),
    ],
)
def test_variants_have_one_signature(func, kind, signature):
    schema = FunctionSchema.parse(func)
    assert str(schema) == func
    assert schema.kind() is SchemaKind[kind]
    assert str(schema.signature()) == signature
    assert schema.signature().signature() == schema.signature()
    assert schema.is_mutable == (kind != "functional") and schema.is_out_fn() == (kind in ("out", "scratch"))
    assert schema.modifies_arguments == (kind in ("inplace", "out", "mutable"))


@pytest.mark.parametrize("name, view", [("view_copy", "view"), ("slice_scatter", "slice_inverse"), ("copy", "copy"), ("abs", "abs")])
def test_a_copy_has_the_signature_of_its_view(name, view):
    schema = FunctionSchema.parse(f"{name}.x(Tensor self) -> Tensor")
    assert str(schema.view_signature()) == str(schema.signature(strip_view_copy_name=True)) == f"{view}(Tensor self) -> Tensor"
    assert str(schema.signature(strip_view_copy_name=True, strip_default=True)) == f"{view}(Tensor self) -> Tensor"


def test_a_signature_can_keep_the_names_of_returns():
    schema = FunctionSchema.parse("m(Tensor self, Tensor(a!) x) -> Tensor y")
    assert str(schema.signature(keep_return_names=True)) == "m(Tensor self, Tensor x) -> (Tensor y, Tensor x_out)"


def test_returns_know_what_they_alias():
    assert FunctionSchema.parse(ABS_OUT).aliased_return_names() == ["out"]
    assert FunctionSchema.parse(ABS).aliased_return_names() == [None]
    assert FunctionSchema.parse(ABS_).returns_are_aliased() and not FunctionSchema.parse(ABS).returns_are_aliased()


@pytest.mark.parametrize("func", [ABS, ABS_OUT, MAKE])
def test_the_run_time_reads_the_same_schemas(func):
    assert runtime.schema.parse_schema(func).source() == func


@pytest.mark.parametrize("func", [ABS, ABS_OUT, MAKE])
def test_nodes_are_values(func):
    schema = FunctionSchema.parse(func)
    hash(schema), str(schema), schema.kind(), schema.signature()
    for twin in (copy.copy(schema), pickle.loads(pickle.dumps(schema)), FunctionSchema.parse(func), replace(schema)):
        assert twin == schema and hash(twin) == hash(schema) and str(twin) == func
    # A hash of strings means nothing in another process.
    assert set(schema.__getstate__()) == {field.name for field in fields(schema)}
    assert schema != schema.with_name(OperatorName.parse("neg"))
    with pytest.raises(AttributeError):
        schema.name = None


@pytest.mark.parametrize(
    "text", ["f(int" + "?" * 100_000 + " x) -> ()", "f(int" + "[]" * 100_000 + " x) -> ()", "f(Tensor(" + "a|" * 100_000 + ") x) -> ()"]
)
def test_absurd_texts_are_refused(text):
    with pytest.raises((AssertionError, RuntimeError)):
        FunctionSchema.parse(text)


# ---- entries


def test_what_an_entry_does_not_say():
    f = function()
    assert (f.namespace, f.variants, f.device_check, f.device_guard) == ("aten", {Variant.function}, DeviceCheckType.ExactSame, True)
    assert not (f.structured or f.manual_kernel_registration or f.manual_cpp_binding or f.autogen or f.ufunc_inner_loop or f.cpp_no_default_args)
    assert {f.python_module, f.category_override, f.structured_delegate, f.structured_inherits, f.precomputed} == {None}
    assert f.tags == {"pt2_compliant_tag"} and f.loc is LOC and f.root_name == "abs" and not f.is_abstract
    assert kernels() == {"CompositeImplicitAutograd": "at::native::abs"} and f.has_composite_implicit_autograd_kernel


def test_what_an_entry_says():
    f = function(
        "my::make.x(Tensor self, int n=5) -> Tensor",
        variants="function, method",
        device_check="NoCheck",
        device_guard=False,
        category_override="factory",
        cpp_no_default_args=["n"],
        autogen="make.x_out, make.y",
        dispatch=EXPLICIT,
        manual_cpp_binding=True,
        use_const_ref_for_mutable_tensors=True,
    )
    assert (f.namespace, f.variants, f.device_check) == ("my", {Variant.function, Variant.method}, DeviceCheckType.NoCheck)
    assert (f.device_guard, f.category_override, f.cpp_no_default_args) == (False, "factory", {"n"})
    assert [str(name) for name in f.autogen] == ["make.x_out", "make.y"] and f.manual_cpp_binding and f.use_const_ref_for_mutable_tensors
    assert f.tags == set() and f.place == "in list.yaml:7:\n  my::make.x(Tensor self, int n=5) -> Tensor"


def test_tags_follow_from_the_kind():
    assert function(ABS_, tags=["core", *TAGS]).tags == {"pt2_compliant_tag", "inplace"}
    assert NativeFunction.from_yaml(entry(ABS_OUT, tags="core"), LOC, set(TAGS))[0].tags == {"pt2_compliant_tag", "out", "core"}
    assert NativeFunction.from_yaml(entry(ABS_OUT), LOC, {"core"})[0].tags == set()


def test_kernels_of_an_entry():
    dispatch = {"CPU, CUDA": "abs_out", "SparseCPU": "my::abs_sparse", "CompositeExplicitAutograd": "a::b::c::x_symint"}
    assert kernels(ABS_OUT, structured=True, dispatch=dispatch) == {
        "CPU": "S at::native::abs_out",
        "CUDA": "S at::native::abs_out",
        "SparseCPU": "my::native::abs_sparse",
        "CompositeExplicitAutograd": "a::b::c::native::x_symint",
    }
    assert kernels(structured_delegate="abs.out") == {} and function(structured_delegate="abs.out").is_abstract
    assert kernels(ABS_OUT, structured=True, ufunc_inner_loop="abs (All)") == {
        "CPU": "S at::native::ufunc_abs_CPU", "CUDA": "S at::native::ufunc_abs_CUDA",
    }  # fmt: skip
    assert kernels(dispatch={"CompositeImplicitAutograd": "x_symint"}) == {"CompositeImplicitAutograd": "at::native::x_symint"}
    assert kernels(ABS_OUT) == {"CompositeImplicitAutograd": "at::native::abs_out"}
    assert BackendMetadata("x_symint", False, "at::native").supports_symint()


def test_ignored_keys_have_no_kernels_and_count_all_the_same():
    e = entry(ABS, dispatch={"AutogradCPU": "x", "CompositeImplicitAutograd": "abs"})
    f, index = NativeFunction.from_yaml(e, LOC, set(TAGS), {DispatchKey.AutogradCPU})
    assert set(index) == {DispatchKey.CompositeImplicitAutograd} and not f.is_abstract


@pytest.mark.parametrize(
    "keys, abstract, composite",
    [
        (["CPU"], True, False),
        (["CompositeImplicitAutograd", "CompositeImplicitAutogradNestedTensor"], False, True),
        (["CompositeImplicitAutogradNestedTensor"], False, False),
        (["CompositeExplicitAutograd"], True, True),
        (["CompositeExplicitAutogradNonFunctional", "CPU"], True, True),
    ],
)
def test_an_abstract_operator_differs_between_backends(keys, abstract, composite):
    f = function(dispatch={key: "x" for key in keys})
    assert (f.is_abstract, f.has_composite_kernel) == (abstract, composite)
    assert f.has_composite_implicit_autograd_nested_tensor_kernel == ("CompositeImplicitAutogradNestedTensor" in keys)


@pytest.mark.parametrize(
    "func, tags, kind",
    [
        (ABS, [], "non_aliasing"),
        (ABS_, [], "non_aliasing"),
        ("view(Tensor(a) self) -> Tensor(a)", [], "aliasing"),
        ("chunk(Tensor(a -> *) self, int n) -> Tensor(a)[]", [], "aliasing"),
        ("split(Tensor(a -> *) self) -> Tensor[]", [], "aliasing"),
        ("t_(Tensor(a!) self) -> Tensor(a!)", ["inplace_view"], "aliasing_inplace"),
        ("resize_(Tensor(a!) self, int[] size) -> Tensor(a!)", ["inplace_view"], "non_aliasing"),
        ("resize_as_(Tensor(a!) self, Tensor x) -> Tensor(a!)", ["inplace_view"], "non_aliasing"),
    ],
)
def test_views(func, tags, kind):
    f = NativeFunction.from_yaml(entry(func, tags=tags), LOC, set(TAGS))[0]
    assert f.view_schema_kind is ViewSchemaKind[kind]
    assert f.is_view_op == (kind != "non_aliasing")


@pytest.mark.parametrize(
    "func, dispatch, tags, gets",
    [
        ("flop(Tensor(a) self) -> Tensor(a)", EXPLICIT, [], True),
        ("flop(Tensor(a) self) -> Tensor(a)", None, [], False),
        ("flop_(Tensor(a!) self) -> Tensor(a!)", EXPLICIT, ["inplace_view"], False),
        ("flop_inverse(Tensor(a) self) -> Tensor(a)", EXPLICIT, [], False),
        (ABS, EXPLICIT, [], False),
    ],
)
def test_which_views_have_copies(func, dispatch, tags, gets):
    f = NativeFunction.from_yaml(entry(func, dispatch=dispatch, tags=tags), LOC, set(TAGS))[0]
    assert gets_generated_view_copy(f) == gets
    if gets:
        assert str(get_view_copy_name(f)) == "flop_copy"


def test_narrow_is_a_composite_with_a_copy():
    assert str(get_view_copy_name(function("narrow(Tensor(a) self, int x) -> Tensor(a)"))) == "narrow_copy"


@pytest.mark.parametrize("func", ["dropout_backward(Tensor self) -> Tensor", "_cudnn_init_dropout_state(float dropout) -> Tensor"])
def test_what_draws_no_numbers_needs_no_tag(func):
    assert "nondeterministic_seeded" not in function(func).tags


def test_precomputed_values():
    lines = ["dim -> int dim, int[] shape", "int stride, bool flat"]
    p = Precompute.parse(lines)
    assert {name: list(map(str, args)) for name, args in p.replace.items()} == {"dim": ["int dim", "int[] shape"]}
    assert list(map(str, p.add)) == ["int stride", "bool flat"] and p.to_list() == lines[:1]
    f = function("sum.out(Tensor self, int dim, *, Tensor(a!) out) -> Tensor(a!)", structured=True, dispatch={"CPU": "x"}, precomputed=lines)
    assert f.precomputed == p


def test_names_of_kernels():
    schema = FunctionSchema.parse(ABS_OUT)
    assert (cpp.name(schema), cpp.name(schema, faithful_name_for_out_overloads=True), cpp.name(schema, symint_overload=True)) == (
        "abs_out", "abs_outf", "abs_symint_out",
    )  # fmt: skip
    assert cpp.name(FunctionSchema.parse(ABS_)) == "abs_"
    assert ufunc.schema_kernel_name(schema, DispatchKey.CUDA) == "ufunc_abs_CUDA"


# ---- files


def test_backends_are_indexed_and_groups_are_made(tmp_path):
    entries = [*STRUCTURED, entry("x(Tensor self) -> Tensor", dispatch={"CUDA": "x"}), entry("y(Tensor self) -> Tensor")]
    parsed = gen.parse_native_yaml(*write(tmp_path, entries))
    cpu, cuda = parsed.backend_indices[DispatchKey.CPU], parsed.backend_indices[DispatchKey.CUDA]
    abs_group, x, y = gen.get_grouped_native_functions(parsed.native_functions)
    assert cpu.get_kernel(abs_group) == BackendMetadata("abs_out", True, "at::native") and cpu.primary(abs_group) is abs_group.out
    assert replace(cpu, use_out_as_primary=False).primary(abs_group) is abs_group.functional
    assert cpu.has_kernel(abs_group.out) and not cpu.has_kernel(abs_group.functional) and not cuda.has_kernel(abs_group)
    assert (cpu.device_guard, cuda.device_guard, cpu.external, cpu.native_function_class_name()) == (False, True, False, None)
    assert replace(cuda, external=True).native_function_class_name() == "CUDANativeFunctions"
    assert parsed.backend_indices[DispatchKey.XLA].dispatch_key is DispatchKey.Undefined
    assert [str(f.func.name) for f in abs_group.functions()] == ["abs", "abs.out"] and abs_group.root_name == "abs"
    assert abs_group.signature() == FunctionSchema.parse(ABS) and [x.root_name, y.root_name] == ["x", "y"]
    index = BackendIndex(DispatchKey.XLA, False, False, True, {abs_group.functional.func.name: BackendMetadata("abs", False, "xla")})
    assert gets_generated_out_inplace_wrapper(abs_group.out, abs_group, index)
    assert not gets_generated_out_inplace_wrapper(abs_group.functional, abs_group, index)


def generated(entries):
    found = gen.parse_native_yaml_struct([e | {"__line__": i} for i, e in enumerate(entries, 1)], set(TAGS)).native_functions
    return [str(f.func) for f in found if "generated" in f.tags]


@pytest.mark.parametrize(
    "entries, variants",
    [
        ([entry(ABS, dispatch=EXPLICIT, autogen="abs.out")], [ABS_OUT]),
        ([entry(ABS, dispatch=EXPLICIT)], []),
        ([entry(ABS, autogen="abs.out")], []),
        ([entry(ABS, tags="core", autogen="abs.out")], [ABS_OUT]),
        ([entry(ABS, dispatch=EXPLICIT, autogen="abs.out", manual_cpp_binding=True)], []),
        ([entry("v(Tensor(a) self) -> Tensor(a)", dispatch=EXPLICIT, autogen="v.out")], []),
        ([entry(ABS_, dispatch=EXPLICIT, autogen="abs, abs.out")], [ABS_OUT, ABS]),
        (
            [entry("set_(Tensor(a!) self) -> Tensor(a!)", dispatch=EXPLICIT, autogen="set.out, set", tags="inplace_view")],
            ["set.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)", "set(Tensor self) -> Tensor"],
        ),
        (
            [entry("_foo_(Tensor(a!)[] self) -> ()", dispatch=EXPLICIT, autogen="_foo.out, _foo")],
            ["_foo.out(Tensor[] self, *, Tensor(a!)[] out) -> ()", "_foo(Tensor[] self) -> Tensor[] self_out"],
        ),
        (
            [entry("m.x(Tensor(a) self, Tensor(b!) w, SymInt n) -> (Tensor, Tensor[])", dispatch=EXPLICIT, autogen="m.x_out, m_functional.x")],
            [
                "m.x_out(Tensor(a) self, Tensor(b!) w, SymInt n, *, Tensor(c!) out0, Tensor(d!)[] out1) -> ()",
                "m_functional.x(Tensor self, Tensor w, SymInt n) -> (Tensor, Tensor[], Tensor w_out)",
            ],
        ),
        (
            [
                entry(
                    "make(int n, *, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None) -> (Tensor, Tensor)",
                    dispatch=EXPLICIT,
                    autogen="make.out",
                )
            ],
            ["make.out(int n, *, Tensor(a!) out0, Tensor(b!) out1) -> (Tensor(a!), Tensor(b!))"],
        ),
        ([entry("polygamma_(Tensor(a!) self, int n) -> Tensor(a!)", dispatch=EXPLICIT)], []),
        ([entry("_cummax_helper(Tensor self, Tensor(a!) x, int d) -> ()", dispatch=EXPLICIT)], []),
        ([entry("_slow_conv2d_backward.grad_input(Tensor self, *, Tensor(a!) x) -> Tensor(a!)", dispatch=EXPLICIT)], []),
    ],
)
def test_variants_that_are_made(entries, variants):
    assert generated(entries) == variants


def test_a_made_variant_has_a_kernel_for_all_backends():
    e = entry("m(Tensor self, SymInt n, *, Generator? g) -> Tensor", dispatch=EXPLICIT, autogen="m.out", tags=["nondeterministic_seeded", "core"])
    parsed = gen.parse_native_yaml_struct([e | {"__line__": 3}], set(TAGS), path="x.yaml")
    _, out = parsed.native_functions
    assert out.tags == {"generated", "nondeterministic_seeded", "pt2_compliant_tag", "out"} and out.has_composite_explicit_autograd_kernel
    assert (out.variants, out.device_guard, str(out.loc)) == ({Variant.function}, False, "x.yaml:3")
    assert parsed.backend_indices[DispatchKey.CompositeExplicitAutograd].get_kernel(out) == BackendMetadata("m_out_symint", False, "at::native")
    skipped = gen.parse_native_yaml_struct([e | {"__line__": 3}], set(TAGS), skip_native_fns_gen=True)
    assert len(skipped.native_functions) == 1


def test_an_unchanged_file_is_read_once_for_the_same_options(tmp_path):
    path, tags = write(tmp_path, [entry(ABS)])
    first = gen.parse_native_yaml(path, tags)
    assert gen.parse_native_yaml(path, tags) is first
    assert gen.parse_native_yaml(path, tags, {DispatchKey.CPU}) is not first
    write(tmp_path, [entry(ABS), entry("neg(Tensor self) -> Tensor")])
    assert len(gen.parse_native_yaml(path, tags).native_functions) == 2
    loaded = gen.parse_native_yaml("elsewhere.yaml", tags, loaded_yaml=[entry(ABS, __line__=4)])
    assert str(loaded.native_functions[0].loc) == "elsewhere.yaml:4"


def test_anchors_and_merged_mappings_are_read(tmp_path):
    text = f"- &first\n  func: {ABS}\n  tags: core\n- <<: *first\n  func: neg(Tensor self) -> Tensor\n"
    parsed = gen.parse_native_yaml(*write(tmp_path, text))
    assert [(str(f.func.name), "core" in f.tags, f.loc.line) for f in parsed.native_functions] == [("abs", True, 1), ("neg", True, 4)]


def test_the_model_needs_neither_extension_nor_package():
    # As setup.py runs it, before the extension exists.
    code = (
        f"import sys, types; m = types.ModuleType('runtime'); m.__path__ = [{str(ROOT / 'runtime')!r}]; sys.modules['runtime'] = m\n"
        "import runtime.torchgen.gen, runtime.torchgen.model\n"
        "print(sorted(n for n in sys.modules if n.startswith('runtime') and 'torchgen' not in n))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['runtime']"


def test_the_model_answers_to_pytorchs_names():
    code = (
        "import runtime.compat as c; c.install()\n"
        "import torchgen.model, torchgen.api.ufunc\n"
        "from torchgen.api import cpp\n"
        "from torchgen.gen import parse_native_yaml\n"
        "from torchgen.model import NativeFunction\n"
        "from torchgen.native_function_generation import pre_group_native_functions\n"
        "from torchgen.utils import NamespaceHelper, OrderedSet\n"
        "import runtime.torchgen.model as ours\n"
        "assert all(getattr(torchgen.model, n) is getattr(ours, n) for n in ours.__all__)\n"
        "assert NativeFunction is ours.NativeFunction\n"
        "assert {c.state(f'torchgen.model.{n}') for n in ours.__all__} == {'works'}\n"
        "print(cpp.name.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "runtime.torchgen.api.cpp"


# ---- our own list

def test_our_list_keeps_all_rules():
    parsed = gen.parse_native_yaml(str(ROOT / "kernels/native_functions.yaml"), str(ROOT / "kernels/tags.yaml"))
    groups = gen.get_grouped_native_functions(parsed.native_functions)
    views = gen.get_grouped_by_view_native_functions(parsed.native_functions)
    assert sum(isinstance(g, NativeFunctionsGroup) for g in groups) > 100
    assert sum(isinstance(g, NativeFunctionsViewGroup) for g in views) > 20


def test_schemas_of_our_list_are_read_alike_at_run_time():
    parsed = gen.parse_native_yaml(str(ROOT / "kernels/native_functions.yaml"), str(ROOT / "kernels/tags.yaml"))
    for f in parsed.native_functions:
        assert str(f.func) == runtime.schema.parse_schema(str(f.func)).source()
