"""The code generator: which entries it accepts, what it writes, and that the operator list says what PyTorch's says."""

import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from runtime.torchgen.build import generate
from runtime.torchgen.entries import NUMBERS_AS_TENSORS, EntryError, dispatch_keys, read_operators, read_tags
from runtime.torchgen.signatures import OWN_METHODS, public_functions

ROOT = Path(__file__).resolve().parent.parent
YAML = ROOT / "kernels" / "native_functions.yaml"
KEYS = dispatch_keys(ROOT / "include" / "runtime" / "keys.h")
TAGS = read_tags(ROOT / "kernels" / "tags.yaml")

FIRST = "- func: first(Tensor self) -> Tensor\n  dispatch:\n    CPU: first\n"


@pytest.fixture(scope="module")
def operators():
    return {f.name: f for f in read_operators(YAML, KEYS, TAGS)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    out = tmp_path_factory.mktemp("generated")
    generate(ROOT, out)
    return out


def read(tmp_path, text):
    path = tmp_path / "native_functions.yaml"
    path.write_text(text)
    return {f.name: f for f in read_operators(path, KEYS, TAGS)}


def kernels(f):
    return {k.key: (k.how, k.name) for k in f.kernels}


def order(operators, name, method=False):
    (found,) = [
        p for p in public_functions(list(operators.values())) if p.name == name and (p.method if method else p.function)
    ]
    return [f.name for f, _ in found.signatures]


# ---- reading entries


def test_keys_have_the_numbers_that_the_header_gives_them():
    assert KEYS["CPU"] == "RT_KEY_StartOfDenseBackends + 1 + RT_BACKEND_CPU"
    assert KEYS["AutogradMeta"] == "RT_KEY_StartOfAutogradFunctionalityBackends + 1 + RT_BACKEND_Meta"
    assert KEYS["ADInplaceOrView"] == "RT_KEY_ADInplaceOrView"
    assert KEYS["CompositeImplicitAutograd"] == "RT_KEY_CompositeImplicitAutograd"
    assert "Dense" not in KEYS


STRUCTURED = """\
- func: op.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)
  structured: True
  dispatch:
    CPU: op_out
- func: op(Tensor self) -> Tensor
  structured_delegate: op.out
- func: op_(Tensor(a!) self) -> Tensor(a!)
  structured_delegate: op.out
"""


def test_a_structured_definition_serves_all_variants_on_cpu_and_meta(tmp_path):
    ops = read(tmp_path, STRUCTURED)
    for name in ("op.out", "op", "op_"):
        found = kernels(ops[name])
        assert found["CPU"] == found["Meta"] == ("structured", "op_out")
    assert [ops[n].variant for n in ("op", "op_", "op.out")] == ["RT_FUNCTIONAL", "RT_INPLACE", "RT_OUT"]


def test_writers_and_views_are_registered_at_adinplaceorview_and_pure_operators_are_not(tmp_path):
    view = "- func: v(Tensor(a) self) -> Tensor(a)\n  dispatch:\n    CompositeExplicitAutograd: v\n"
    ops = read(tmp_path, STRUCTURED + view)
    assert (
        kernels(ops["op_"])["ADInplaceOrView"]
        == kernels(ops["op.out"])["ADInplaceOrView"]
        == ("generic", "rt_adinplace_kernel")
    )
    assert kernels(ops["v"])["ADInplaceOrView"] == ("generic", "rt_adview_kernel")
    assert "ADInplaceOrView" not in kernels(ops["op"])


def test_implicit_composites_are_not_registered_at_adinplaceorview(tmp_path):
    ops = read(tmp_path, "- func: v(Tensor(a) self) -> Tensor(a)\n  dispatch:\n    CompositeImplicitAutograd: py::v\n")
    assert kernels(ops["v"]) == {"CompositeImplicitAutograd": ("py", "v")}


def test_tags_that_follow_from_the_kind_are_added(tmp_path):
    ops = read(tmp_path, STRUCTURED)
    assert ops["op"].tags == {"pt2_compliant_tag"}
    assert ops["op_"].tags == {"pt2_compliant_tag", "inplace"}
    assert ops["op.out"].tags == {"pt2_compliant_tag", "out"}


def entry(schema="second(Tensor self) -> Tensor", **keys):
    rows = [f"- func: {schema}"]
    keys.setdefault("dispatch", {"CPU": "second"})
    for key, value in keys.items():
        if isinstance(value, dict):
            rows.append(f"  {key}:")
            rows += [f"    {k}: {v}" for k, v in value.items()]
        elif value is not None:
            rows.append(f"  {key}: {value}")
    return "\n".join(rows) + "\n"


BAD = [
    ("- 5\n", "an entry is a mapping"),
    ("- variants: method\n", "the operator's schema under `func`"),
    (entry(kernel="x"), "unknown key 'kernel'"),
    (entry("second(Tensor self -> Tensor"), "bad schema"),
    (entry("second(Tensr self) -> Tensor"), "bad schema"),
    (entry("second(Tensor  self) -> Tensor"), "a schema is written as 'second(Tensor self) -> Tensor'"),
    (entry("second(Tensor self, ...) -> Tensor"), "fixed numbers of values"),
    (entry("first(Tensor self) -> Tensor"), "first has an entry already, at line 1"),
    (entry(variants="function, macro"), "`variants` are of function and method"),
    (entry(variants="method", python_module="nn"), "is no method"),
    (entry("second(Tensor x) -> Tensor", variants="method"), "a Tensor argument `self`"),
    (entry(structured="maybe"), "`structured` is True or False"),
    (entry(structured=True), "stands at the out= overload"),
    (entry(structured_delegate="nothing.out", dispatch=None), "'nothing.out' is no structured entry"),
    (entry(structured_delegate="first", dispatch=None), "'first' is no structured entry"),
    (entry(device_check="Some"), "`device_check` is"),
    (entry(tags="shiny"), "unknown tag 'shiny'"),
    (entry(tags="out"), "follows from the entry's kind"),
    (entry(tags="[core, core]"), "a list of different words"),
    (entry(tags="inplace_view"), "is an in-place one"),
    (entry("second(Tensor self, *, Generator? generator=None) -> Tensor"), "is nondeterministic_seeded"),
    (entry("second_(Tensor self) -> Tensor"), "writes its first argument"),
    (entry("second_(Tensor(a!) self) -> Tensor"), "returns its first argument"),
    (entry("second.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)", variants="method"), "is a function only"),
    (entry(dispatch=None), "an entry has a `dispatch`"),
    (entry(dispatch="second"), "maps keys to names"),
    (entry(dispatch={"CPY": "second"}), "'CPY' is no dispatch key"),
    (entry(dispatch={"CPU": "se-cond"}), "is no kernel"),
    (entry(dispatch={"CPU": "cpp::second"}), "is no kernel"),
    (entry(dispatch={"CPU, Meta": "a", "Meta": "b"}), "Meta has two kernels"),
    (entry(dispatch={"CPU": "a", "CompositeImplicitAutograd": "b"}), "no other kernel can be reached"),
    (
        entry(dispatch={"CompositeExplicitAutogradNonFunctional": "a", "CompositeExplicitAutograd": "b"}),
        "exclude each other",
    ),
    (entry(dispatch={"CompositeExplicitAutograd": "structured::a"}), "needs a backend key"),
    (entry(dispatch={"CPU": "structured::first"}), "in one entry and a function in another"),
    (
        entry("second.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)", structured=True, dispatch={"CPU": "py::x"}),
        "names its definition under `CPU`",
    ),
    (
        entry("second.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)", structured=True, dispatch={"CPU, Meta": "x"}),
        "nothing under `Meta`",
    ),
    (entry(autogen="a b"), "`autogen` lists operator names"),
    ("- func: second() -> ()\n  func: third() -> ()\n", "the key 'func' stands twice"),
    ("- func: second() -> ()\n  dispatch:\n    CPU: a\n    CPU: b\n", "the key 'CPU' stands twice"),
]


@pytest.mark.parametrize(("text", "rule"), BAD, ids=[rule for _, rule in BAD])
def test_a_bad_entry_fails_with_its_place_the_rule_and_the_entry(tmp_path, text, rule):
    with pytest.raises(EntryError, match=re.escape(rule)) as caught:
        read(tmp_path, FIRST + text)
    assert caught.value.line == 4
    assert str(caught.value).startswith(f"{tmp_path / 'native_functions.yaml'}:4: ")
    assert "\n" in str(caught.value)


@pytest.mark.parametrize("text", ["func: x\n", "", "- [\n", "- a: : b\n"])
def test_a_file_that_is_no_list_of_entries_is_refused(tmp_path, text):
    with pytest.raises(EntryError):
        read(tmp_path, text)


def test_a_delegate_takes_the_arguments_of_its_structured_entry(tmp_path):
    with pytest.raises(EntryError, match="takes other arguments than op.out"):
        read(
            tmp_path,
            STRUCTURED + entry("op.other(Tensor self, int n) -> Tensor", structured_delegate="op.out", dispatch=None),
        )


def test_tags_are_sorted_described_and_fit_a_tag_set(tmp_path):
    path = tmp_path / "tags.yaml"
    for text, rule in [
        ("- tag: b\n  desc: x\n- tag: a\n  desc: x\n", "order of their names"),
        ("- tag: a\n  desc: x\n- tag: a\n  desc: x\n", "each once"),
        ("- tag: a\n", "a description"),
        ("".join(f"- tag: t{i:02}\n  desc: x\n" for i in range(33)), "32 bits"),
    ]:
        path.write_text(text)
        with pytest.raises(EntryError, match=rule):
            read_tags(path)


# ---- writing tables


def copy_sources(tmp_path):
    for name in ("kernels/native_functions.yaml", "kernels/tags.yaml", "include/runtime/keys.h"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    out = tmp_path / "out"
    out.mkdir()
    return tmp_path / "kernels" / "native_functions.yaml", out


def test_the_same_list_gives_the_same_bytes(tables, tmp_path):
    paths = generate(ROOT, tmp_path)
    assert sorted(p.name for p in paths) == ["operators.c", "rt_builtins.h"]
    for path in paths:
        assert path.read_bytes() == (tables / path.name).read_bytes()


def test_files_are_touched_only_when_their_content_changes(tmp_path):
    source, out = copy_sources(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in generate(tmp_path, out)}
    assert {p: p.stat().st_mtime_ns for p in generate(tmp_path, out)} == before
    source.write_text(source.read_text() + entry("brand_new(Tensor self) -> Tensor", dispatch={"CPU": "brand_new"}))
    generate(tmp_path, out)
    assert "RT_OP_aten_brand_new," in (out / "rt_builtins.h").read_text()
    assert "rt_k_brand_new(" in (out / "operators.c").read_text()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (entry("late(Tensor self, Scalar x=1j) -> Tensor"), "has no static form"),
        (entry("add_Tensor(Tensor self) -> Tensor"), "share the C name RT_OP_aten_add_Tensor"),
        (entry("late(Tensor self -> Tensor"), "bad schema"),
    ],
)
def test_nothing_is_written_when_an_entry_is_bad(tmp_path, text, rule):
    source, out = copy_sources(tmp_path)
    source.write_text(source.read_text() + text)
    with pytest.raises(EntryError, match=rule):
        generate(tmp_path, out)
    assert list(out.iterdir()) == []


def test_the_written_tables_are_c(tables):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    includes = [ROOT, ROOT / "include", ROOT / "kernels", sysconfig.get_path("include")]
    command = [
        compiler,
        "-fsyntax-only",
        "-Wall",
        "-Wextra",
        "-Werror",
        *(f"-I{path}" for path in includes),
        tables / "operators.c",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_operators_are_numbered_in_the_order_of_the_table(tables):
    numbers = re.findall(r"^    RT_OP_aten_(\w+),$", (tables / "rt_builtins.h").read_text(), re.M)
    rows = re.findall(r'^    \{"aten::(\w+)", "(\w*)", "', (tables / "operators.c").read_text(), re.M)
    assert numbers == [f"{name}_{overload}" if overload else name for name, overload in rows]


def test_defaults_are_written_as_tagged_values(tmp_path):
    source, out = copy_sources(tmp_path)
    cases = {
        "int a=-1": 'RT_ARG_INT, 0, 0, RT_D_INT, INT64_C(-1), 0, NULL',
        "SymInt? a=None": 'RT_ARG_INT, RT_ARGF_OPTIONAL | RT_ARGF_SYMBOLIC, 0, RT_D_NONE, 0, 0, NULL',
        "float a=1": 'RT_ARG_FLOAT, 0, 0, RT_D_FLOAT, 0, 1.0, NULL',
        "bool a=True": 'RT_ARG_BOOL, 0, 0, RT_D_TRUE, 0, 0, NULL',
        'str a="x\\"y"': 'RT_ARG_STR, 0, 0, RT_D_STR, 0, 0, "x\\"y"',
        "ScalarType a=long": 'RT_ARG_DTYPE, 0, 0, RT_D_DTYPE, 4, 0, NULL',
        "MemoryFormat a=contiguous_format": 'RT_ARG_MEMORY_FORMAT, 0, 0, RT_D_MEMORY_FORMAT, 0, 0, NULL',
        "int[2] a=1": 'RT_ARG_INT, RT_ARGF_LIST, 2, RT_D_INT_LIST, 2, 0, a',
        "int[] a=[]": 'RT_ARG_INT, RT_ARGF_LIST, 0, RT_D_INT_LIST, 0, 0, NULL',
        "Tensor?[] a": 'RT_ARG_TENSOR, RT_ARGF_LIST | RT_ARGF_OPTIONAL_ELEM, 0, RT_D_REQUIRED, 0, 0, NULL',
    }  # fmt: skip
    source.write_text(
        "".join(
            entry(f"op{i}({case}) -> ()".replace("'", '"')) if '"' not in case else entry(f"'op{i}({case}) -> ()'")
            for i, case in enumerate(cases)
        )
    )
    generate(tmp_path, out)
    text = (out / "operators.c").read_text()
    for case, row in cases.items():
        assert '{"a", ' + row in text, case


def test_a_kernel_names_the_line_of_its_entry(operators, tables):
    f = operators["view"]
    line = next(i for i, text in enumerate(YAML.read_text().splitlines(), 1) if text.startswith("- func: view("))
    assert f.line == line
    assert f'rt_k_view, NULL, "native_functions.yaml:{line}"' in (tables / "operators.c").read_text()


# ---- public functions


def test_a_tensor_is_tried_before_a_number(operators):
    assert order(operators, "pow") == ["pow.Tensor_Tensor", "pow.Scalar", "pow.Tensor_Scalar"]
    assert order(operators, "eq", method=True) == ["eq.Tensor", "eq.Scalar"]
    assert order(operators, "narrow") == ["narrow.Tensor", "narrow"]


def test_every_public_function_has_a_signature(operators):
    assert all(p.signatures and (p.function or p.method) for p in public_functions(list(operators.values())))


def test_scalar_overloads_that_the_tensor_overload_shadows_are_not_public(operators):
    assert order(operators, "add") == ["add.Tensor"]


def test_an_out_overload_belongs_to_the_signature_with_the_same_inputs(operators):
    public = {p.name: p for p in public_functions(list(operators.values())) if p.function}
    pairs = {f.name: out and out.name for p in public.values() for f, out in p.signatures}
    expected = {
        "sum": None,
        "sum.dim_IntList": "sum.IntList_out",
        "max.dim": "max.dim_max",
        "empty.memory_format": "empty.out",
        "rand.generator": "rand.generator_out",
        "arange.start": None,
        "arange.start_step": "arange.start_out",
        "mean": "mean.dtype_out",
    }
    assert {name: pairs[name] for name in expected} == expected


# ---- against PyTorch


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


#: PyTorch knows these only in TorchScript, without dispatch and tags.
UNDISPATCHED = frozenset(["size", "stride", "sym_size", "sym_stride"])


def overload(torch, f):
    return getattr(getattr(torch.ops.aten, f.base), f.schema.overload_name or "default")


@pytest.mark.oracle
def test_every_schema_is_pytorchs(torch, operators):
    different = {
        name: (str(f.schema), str(overload(torch, f)._schema))
        for name, f in operators.items()
        if str(f.schema) != str(overload(torch, f)._schema)
    }
    assert different == {}


@pytest.mark.oracle
def test_every_tag_set_is_pytorchs(torch, operators):
    different = {}
    for name, f in operators.items():
        theirs = {tag.name for tag in overload(torch, f).tags}
        if theirs != f.tags and name not in UNDISPATCHED:
            different[name] = (sorted(f.tags), sorted(theirs))
    assert different == {}


@pytest.mark.oracle
def test_tags_have_the_values_of_pytorchs_enum(torch):
    assert {name: i for i, name in enumerate(TAGS)} == {name: tag.value for name, tag in torch.Tag.__members__.items()}


@pytest.mark.oracle
def test_adinplaceorview_registrations_are_pytorchs(torch, operators):
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    theirs = {name for name in operators if name not in UNDISPATCHED and has(f"aten::{name}", "ADInplaceOrView")}
    ours = {name for name, f in operators.items() if "ADInplaceOrView" in kernels(f)}
    # Implicit composites that have gradients of their own for nested tensors, which PyTorch therefore records twice.
    assert theirs ^ ours == {"chunk", "matmul.out", "narrow"}


@pytest.mark.oracle
def test_composites_are_pytorchs(torch, operators):
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    different = []
    for name, f in operators.items():
        for key in ("CompositeImplicitAutograd", "CompositeExplicitAutograd"):
            if name not in UNDISPATCHED and has(f"aten::{name}", key) != (key in kernels(f)):
                different.append((name, key))
    assert different == []


@pytest.mark.oracle
def test_numbers_stand_for_tensors_where_pytorch_lets_them(torch, operators):
    bases = {f.base for f in operators.values()}
    ours = {b for b in bases if b.removesuffix("_") in NUMBERS_AS_TENSORS}
    assert ours == {b for b in bases if torch._C._should_allow_numbers_as_tensors(b)}


@pytest.mark.oracle
def test_functions_and_methods_exist_where_pytorchs_do(torch, operators):
    public = public_functions(list(operators.values()))
    functions = {p.name for p in public if p.function}
    methods = {p.name for p in public if p.method}
    assert {n for n in functions if not hasattr(torch, n)} == set()
    assert {n for n in methods if not hasattr(torch.Tensor, n)} == set()
    bases = {f.base for f in operators.values()}
    offered = {n for n in bases if hasattr(torch, n)} - functions
    # A function of the namespace, not of this list.
    assert offered <= {"numel"}, offered
    # What Tensor reads from its fields, or takes in another form than the schemas'.
    fields = {"dim", "index", "is_contiguous", "numel", "size", "storage_offset", "stride"}
    assert {n for n in bases if hasattr(torch.Tensor, n)} - methods <= fields | OWN_METHODS


def words_of_theirs(line):
    """``(Tensor input, *, Number alpha = 1)`` as pairs of type and name, without what Python adds to every factory."""
    added = {"out", "dtype", "layout", "device", "pin_memory", "requires_grad", "memory_format"}
    pairs = []
    for part in line.strip()[1:-1].split(", "):
        kind, _, name = part.partition(" = ")[0].rpartition(" ")
        if part != "*" and part and name not in added:
            pairs.append((kind, name))
    return tuple(pairs)


def words_of_ours(f, method):
    kinds = {
        "Scalar": "Number",
        "SymInt": "int",
        "str": "str",
        "Generator": "torch.Generator",
        "Storage": "torch.Storage",
        "ScalarType": "torch.dtype",
    }
    pairs = []
    for a in f.schema.arguments:
        if a.name in ("dtype", "layout", "device", "pin_memory", "memory_format") or (method and a.name == "self"):
            continue
        info = a.real_type.info
        kind = kinds.get(info.kind, info.kind)
        if info.is_list:
            kind = f"tuple of {kind}s"
        pairs.append((kind, "input" if a.name == "self" and kind == "Tensor" else a.name))
    return tuple(pairs)


@pytest.mark.oracle
def test_signatures_are_tried_in_pytorchs_order(torch, operators):
    different = {}
    compared = 0
    for p in public_functions(list(operators.values())):
        if p.name == "to":  # PyTorch parses its arguments by hand, and lists other signatures than the schemas'
            continue
        for method in [m for m, on in ((False, p.function), (True, p.method)) if on]:
            try:
                getattr(torch.ones(1) if method else torch, p.name)(*[object()] * 9)
            except TypeError as e:
                theirs = [words_of_theirs(line[3:]) for line in str(e).splitlines() if line.startswith(" * ")]
            ours = [words_of_ours(f, method) for f, _ in p.signatures]
            known = [w for w in theirs if w in ours]
            if len(known) > 1:
                compared += 1
                if known != ours:
                    different[p.name, method] = (ours, theirs)
    assert different == {}
    assert compared > 60
