"""The data model beside PyTorch's own on PyTorch's operator list: every operator, group, count, and the errors of broken lists."""

import importlib.util
import re
from collections import Counter
from dataclasses import fields
from enum import Enum
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torchgen_rules import BROKEN, first_line, load, tags_text

from runtime.schema import parse_schema
from runtime.torchgen import gen
from runtime.torchgen.model import FunctionSchema

pytestmark = pytest.mark.oracle

THEIRS = importlib.util.find_spec("torchgen")
if THEIRS is None:
    pytest.skip("torchgen is not installed", allow_module_level=True)
FOLDER = Path(THEIRS.origin).parent / "packaged/ATen/native"


@pytest.fixture(scope="module")
def worlds():
    """What both read from PyTorch's list."""
    import torchgen.gen
    import torchgen.model

    import runtime.torchgen.model

    found = []
    for module, model in ((gen, runtime.torchgen.model), (torchgen.gen, torchgen.model)):
        raw, parsed, groups, views = load(module, FOLDER / "native_functions.yaml", FOLDER / "tags.yaml")
        tags = module.parse_tags_yaml(str(FOLDER / "tags.yaml"))
        facts = {"functions": parsed.native_functions, "indices": parsed.backend_indices, "groups": groups, "views": views}
        found.append(SimpleNamespace(raw=raw, model=model, tags=tags, **facts))
    return found


def plain(value):
    """A value of either model as something that compares between them."""
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, set):
        return {plain(v) for v in value}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {plain(k): plain(v) for k, v in value.items()}
    if hasattr(value, "storage"):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (str, bool, int)):
        return value
    # Objects print all their fields, or the text that they were read from.
    return str(value) if type(value).__str__ is not object.__str__ else {f.name: plain(getattr(value, f.name)) for f in fields(value)}


def everything(f):
    """All that a model knows of an operator."""
    func = f.func
    return {field.name: plain(getattr(f, field.name)) for field in fields(f)} | {
        "kind": func.kind().name,
        "signature": str(func.signature()),
        "bare signature": str(func.signature(strip_default=True, keep_return_names=True)),
        "view signature": str(func.view_signature()),
        "is_view_op": f.is_view_op,
        "view_schema_kind": f.view_schema_kind.name,
        "root_name": f.root_name,
        "has_composite_kernel": f.has_composite_kernel,
        "name": (func.name.unambiguous_name(), func.name.name.dunder_method, func.name.name.functional_overload),
        "arguments": [(str(a), str(a.annotation), a.type.is_nullable(), str(a.type.is_list_like())) for a in func.arguments.flat_all],
        "in order": [str(a) for a in func.schema_order_arguments()],
        "written": func.arguments.mutable_arg_names(),
        "aliased": func.aliased_return_names(),
        "has": (func.has_symint(), func.arguments.has_tensor_arg(), func.arguments.has_generator_arg(), func.arguments.tensor_options is not None),
    }  # fmt: skip


def test_every_operator_is_the_same(worlds):
    ours, theirs = worlds
    assert len(ours.functions) == len(theirs.functions) > 3000
    different = [(str(a.func), str(b.func)) for a, b in zip(ours.functions, theirs.functions) if everything(a) != everything(b)]
    assert different == []


def test_an_operator_has_the_same_fields(worlds):
    ours, theirs = ([field.name for field in fields(world.functions[0])] for world in worlds)
    assert ours == theirs


def test_every_schema_prints_as_it_was_read(worlds):
    ours, _ = worlds
    declared = [f for f in ours.functions if "generated" not in f.tags]
    assert [e["func"] for e in ours.raw] == [str(f.func) for f in declared]
    assert [e["__line__"] for e in ours.raw] == [f.loc.line for f in declared]
    assert all(str(FunctionSchema.parse(str(f.func))) == str(f.func) for f in ours.functions)


def test_the_run_time_reads_every_schema_and_prints_it_the_same(worlds):
    ours, _ = worlds
    assert [str(f.func) for f in ours.functions if parse_schema(str(f.func)).source() != str(f.func)] == []


def test_yaml_is_read_the_same(worlds):
    import torchgen.gen

    ours, theirs = worlds
    assert ours.tags == theirs.tags
    # As loaded: parsing adds to the tags of their entries.
    text = (FOLDER / "native_functions.yaml").read_text()
    assert ours.raw == yaml.load(text, Loader=gen.LineLoader) == yaml.load(text, Loader=torchgen.gen.LineLoader)


def test_backends_have_the_same_kernels(worlds):
    def kernel(metadata):
        return metadata.kernel, metadata.structured, metadata.cpp_namespace

    def indices(world):
        return {
            key.name: (i.dispatch_key.name, i.device_guard, i.external, i.use_out_as_primary, {str(op): kernel(m) for op, m in i.index.items()})
            for key, i in world.indices.items()
        }

    ours, theirs = map(indices, worlds)
    assert len(ours["CPU"][-1]) > 600
    assert ours == theirs


def test_groups_are_the_same(worlds):
    def groups(world):
        single = world.model.NativeFunction
        return [
            str(g.func) if isinstance(g, single) else (*(str(f.func) for f in g.functions()), g.structured, str(g.signature()), g.root_name)
            for g in world.groups
        ]

    ours, theirs = map(groups, worlds)
    assert ours == theirs


def test_view_groups_are_the_same(worlds):
    def views(world):
        single = world.model.NativeFunction
        return [
            str(g.func)
            if isinstance(g, single)
            else (*(str(f.func) for f in g.functions()), g.composite, g.root_name, len([*g.functions(include_copy=False)]))
            for g in world.views
        ]

    ours, theirs = map(views, worlds)
    assert ours == theirs


def test_copies_of_views_have_the_same_names(worlds):
    def names(world):
        return [str(world.model.get_view_copy_name(f)) for f in world.functions if world.model.gets_generated_view_copy(f)]

    ours, theirs = map(names, worlds)
    assert ours == theirs and len(ours) > 30


def counts(world):
    """The figures by which one describes an operator list."""
    m, everyone = world.model, world.functions
    listed = [f for f in everyone if "generated" not in f.tags]
    made = [f for f in everyone if "generated" in f.tags]
    groups = [g for g in world.groups if isinstance(g, m.NativeFunctionsGroup)]
    views = [g for g in world.views if isinstance(g, m.NativeFunctionsViewGroup)]
    arguments = [a for f in listed for a in f.func.arguments.flat_all]

    def number(test, among=everyone):
        return sum(bool(test(f)) for f in among)

    def tally(value, among=everyone):
        return dict(Counter(value(f) for f in among))

    def composites(among):
        kinds = ("implicit_autograd", "implicit_autograd_nested_tensor", "explicit_autograd", "explicit_autograd_non_functional")
        return tuple(sum(getattr(f, f"has_composite_{kind}_kernel") for f in among) for kind in kinds)

    with_kernel = {op for index in world.indices.values() for op in index.index}
    return {
        "entries, all, made": (len(listed), len(everyone), len(made)),
        "kinds of entries": tally(lambda f: f.func.kind().name, listed),
        "kinds of all": tally(lambda f: f.func.kind().name),
        "kinds of made ones": tally(lambda f: f.func.kind().name, made),
        "groups, singles": (len(groups), len(world.groups) - len(groups)),
        "structured groups": number(lambda g: g.structured, groups),
        "groups with inplace, mutable": (number(lambda g: g.inplace, groups), number(lambda g: g.mutable, groups)),
        "structured with inplace": number(lambda g: g.structured and g.inplace, groups),
        "structured, delegating": (number(lambda f: f.structured), number(lambda f: f.structured_delegate)),
        "inherits": tally(lambda f: f.structured_inherits),
        "precomputed, ufunc": (number(lambda f: f.precomputed), number(lambda f: f.ufunc_inner_loop)),
        "view groups": len(views),
        "views with copy, inplace": (number(lambda g: g.view_copy, views), number(lambda g: g.view_inplace, views)),
        "composite views": number(lambda g: g.composite, views),
        "view kinds": tally(lambda f: f.view_schema_kind.name),
        "base names, packets, names": tuple(
            len({name(f) for f in everyone}) for name in (lambda f: f.root_name, lambda f: str(f.func.name.name), lambda f: str(f.func.name))
        ),
        "variants": tally(lambda f: tuple(sorted(v.name for v in f.variants))),
        "modules": tally(lambda f: f.python_module),
        "device check": tally(lambda f: f.device_check.name),
        "no device guard": number(lambda f: not f.device_guard),
        "by hand": (number(lambda f: f.manual_kernel_registration), number(lambda f: f.manual_cpp_binding), number(lambda f: f.cpp_no_default_args)),
        "announced": (number(lambda f: True, [n for f in everyone for n in f.autogen]), number(lambda f: f.autogen)),
        "composites of entries": composites(listed),
        "composites of all": composites(everyone),
        "composite, abstract": (number(lambda f: f.has_composite_kernel, listed), number(lambda f: f.is_abstract, listed)),
        "without kernel": number(lambda f: f.func.name not in with_kernel),
        "kernels": {key.name: (len(i.index), number(lambda k: k.structured, i.index.values())) for key, i in world.indices.items()},
        "symint": number(lambda f: f.func.has_symint()),
        "factories": number(lambda f: f.func.arguments.tensor_options is not None),
        "names": (number(lambda f: not f.func.name.overload_name), number(lambda f: str(f.func.name).startswith("_foreach"))),
        "dunders": number(lambda f: f.func.name.name.dunder_method),
        "returns": tally(lambda f: len(f.func.returns)),
        "tags of entries": dict(Counter(tag for f in listed for tag in f.tags)),
        "tags of all": dict(Counter(tag for f in everyone for tag in f.tags)),
        "tags": len(world.tags),
        "types": tally(lambda a: str(a.type), arguments),
        "defaults": tally(lambda a: a.default, arguments),
        "mutable": sorted(str(f.func.name) for f in everyone if f.func.kind().name == "mutable"),
        "twins": sorted(str(f.func.name) for f in everyone if f.func.name.name.functional_overload),
    }


def test_every_count_is_the_same(worlds):
    ours, theirs = map(counts, worlds)
    assert ours == theirs


def test_counts_of_the_version_that_the_rules_were_written_for(worlds):
    from torch.version import __version__

    if not __version__.startswith("2.13."):
        pytest.skip("the figures are those of 2.13")
    found = counts(worlds[0])
    expected = {
        "entries, all, made": (2584, 3101, 517),
        "kinds of entries": {"functional": 1606, "out": 631, "inplace": 337, "mutable": 10},
        "kinds of all": {"functional": 1647, "out": 1107, "inplace": 337, "mutable": 10},
        "kinds of made ones": {"out": 476, "functional": 41},
        "groups, singles": (1105, 586),
        "structured groups": 275,
        "groups with inplace, mutable": (301, 4),
        "structured with inplace": 110,
        "structured, delegating": (275, 385),
        "precomputed, ufunc": (9, 1),
        "view groups": 91,
        "views with copy, inplace": (43, 10),
        "composite views": 49,
        "view kinds": {"non_aliasing": 2995, "aliasing": 91, "aliasing_inplace": 15},
        "base names, packets, names": (1342, 1585, 3101),
        "by hand": (0, 31, 32),
        "composites of all": (743, 5, 1061, 57),
        "composite, abstract": (1344, 1853),
        "without kernel": 281,
        "tags": 20,
        "returns": {0: 199, 1: 2578, 2: 179, 3: 85, 4: 30, 5: 18, 6: 5, 7: 2, 9: 5},
    }
    assert {name: found[name] for name in expected} == expected
    assert (found["kernels"]["CPU"], found["kernels"]["CUDA"], found["tags of entries"]["core"]) == ((682, 275), (885, 273), 193)


# ---- broken lists


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.rule)
def test_a_broken_rule_is_the_same_error(tmp_path, broken):
    import torchgen.gen

    path, tags = tmp_path / "list.yaml", tmp_path / "tags.yaml"
    path.write_text(broken.text)
    tags.write_text(tags_text())
    found = []
    for module in (gen, torchgen.gen):
        try:
            load(module, path, tags)
            found.append(None)
        except Exception as error:
            found.append((type(error), first_line(error)))
    ours, theirs = found
    assert (ours == theirs) == broken.theirs, theirs


SAMPLES = (
    "add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)",
    "m.out(Tensor x, Tensor self, int[2]? n=[1,2], *, Tensor(a!) out0, Tensor(b!) _scratch_x) -> Tensor(a!)",
    "split(Tensor(a -> *) self, SymInt[] sizes, str? s=None) -> Tensor(a)[]",
    "__iand__.f(Tensor(a!) self, __torch__.torch.classes.x.Y y, Tensor?[] z) -> Tensor(a!)",
    "make(*, ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None, int x=0) -> (Tensor x, int y)",
)
PIECES = [
    "(",
    ")",
    "(a!)",
    "!",
    " ",
    ", ",
    ",",
    "=",
    "*",
    " -> ",
    "?",
    "[]",
    "[2]",
    "_",
    "__",
    ".",
    "::",
    "out",
    "self",
    "Tensor",
    "int",
    "a",
    "|b",
    "functional",
]


@st.composite
def mutated(draw):
    """A schema with a few pieces cut out, doubled or put in."""
    text = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        stop = start + draw(st.integers(0, 4))
        text = text[:start] + draw(st.sampled_from(["", text[start:stop] * 2, *PIECES])) + text[stop:]
    return text


@settings(max_examples=400, deadline=None)
@given(mutated())
def test_texts_are_accepted_and_refused_alike(text):
    import torchgen.model

    # Three sets in one annotation are legal; torchgen forgets the middle one and then refuses what it prints.
    assume(not re.search(r"\w\|\w\|\w", text))
    try:
        ours = str(FunctionSchema.parse(text))
    except (AssertionError, RuntimeError) as error:
        ours = (type(error), str(error))
    try:
        theirs = str(torchgen.model.FunctionSchema.parse(text))
    except (AssertionError, RuntimeError) as error:
        theirs = (type(error), str(error))
    except (IndexError, ValueError):
        # It trips over the text before a rule can say what is wrong.
        assert isinstance(ours, tuple)
        return
    assert ours == theirs


# ---- the operators of PyTorch as they run


def test_tags_and_views_are_those_of_the_running_operators(worlds):
    torch = pytest.importorskip("torch")
    ours, _ = worlds
    compared, tags, views = 0, [], []
    for f in ours.functions:
        packet = getattr(torch.ops.aten, str(f.func.name.name), None)
        overload = packet and getattr(packet, f.func.name.overload_name or "default", None)
        if overload is None:
            continue
        compared += 1
        if {tag.name for tag in overload.tags} != f.tags:
            tags.append(str(f.func.name))
        # There a view is what aliases without writing, in-place views are not told apart.
        if f.view_schema_kind.name != "aliasing_inplace" and overload.is_view != f.is_view_op:
            views.append(str(f.func.name))
    assert compared > 2900
    assert (tags, views) == ([], [])


def test_the_model_has_every_name_of_theirs(worlds):
    import torchgen.model

    import runtime.torchgen.model

    ours, theirs = runtime.torchgen.model, torchgen.model
    missing = []
    for name, value in vars(theirs).items():
        own = getattr(value, "__module__", theirs.__name__) == theirs.__name__ and not name.startswith("__")
        if not own or name == "TYPE_CHECKING" or not (callable(value) or name.isupper()):
            continue
        if not hasattr(ours, name):
            missing.append(name)
        elif isinstance(value, type):
            missing += [
                f"{name}.{attribute}" for attribute in vars(value) if not attribute.startswith("_") and not hasattr(getattr(ours, name), attribute)
            ]
            missing += [f"{name}: {f}" for f in getattr(value, "__dataclass_fields__", ()) if f not in getattr(ours, name).__dataclass_fields__]
            if issubclass(value, Enum):
                assert {k: v.value for k, v in value.__members__.items()} == {k: v.value for k, v in getattr(ours, name).__members__.items()}
        elif name.isupper() and not name.startswith("DTYPE"):
            assert plain(value) == plain(getattr(ours, name)), name
    assert missing == []
