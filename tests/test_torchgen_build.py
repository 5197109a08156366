"""The build's side of the code generator: what it makes of entries, what it writes, and that the operator list says what PyTorch's says."""

import inspect
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

from runtime.torchgen.__main__ import main
from runtime.torchgen.build import generate
from runtime.torchgen.operators import NUMBERS_AS_TENSORS, EntryError, Sources, python_kernels, read_operators, read_tags
from runtime.torchgen.signatures import OWN_METHODS, public_functions

ROOT = Path(__file__).resolve().parent.parent
SOURCES = Sources.of(ROOT)
YAML, KEYS, TAGS = SOURCES.operators, SOURCES.keys, SOURCES.tags

TEMPLATES = ("runtime/torchgen/_core.pyi.in", "runtime/torchgen/__init__.pyi.in", "runtime/torchgen/module.pyi.in")

FIRST = "- func: first(Tensor self) -> Tensor\n  dispatch:\n    CPU: first\n"


@pytest.fixture(scope="module")
def operators():
    return {f.name: f for f in read_operators(SOURCES)}


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    out = tmp_path_factory.mktemp("generated")
    generate(ROOT, out)
    return out


def read(tmp_path, text, python=("in_python",), c=("first", "second", "op_out", "v", "a", "b", "x")):
    path = tmp_path / "native_functions.yaml"
    path.write_text(text)
    sources = SOURCES._replace(operators=path, lists=None, python={name: ["module"] for name in python}, c=frozenset(c))
    return {f.name: f for f in read_operators(sources)}


def kernels(f):
    return {k.key: (k.how, k.name) for k in f.kernels}


def order(operators, name, method=False):
    (found,) = [
        p for p in public_functions(list(operators.values())) if p.name == name and (p.method if method else p.function)
    ]
    return [f.name for f, _ in found.signatures]


# ---- what follows from entries


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


def test_backends_that_have_only_the_out_member_get_the_others(tmp_path):
    ops = read(tmp_path, STRUCTURED)
    composite = {name: kernels(f).get("CompositeExplicitAutogradNonFunctional") for name, f in ops.items()}
    assert composite == {"op": ("structured", "op_out"), "op_": ("structured", "op_out"), "op.out": None}


def test_writers_and_views_are_registered_at_adinplaceorview_and_pure_operators_are_not(tmp_path):
    view = (
        "- func: v(Tensor(a) self) -> Tensor(a)\n  dispatch:\n    CompositeExplicitAutograd: v\n"
        "- func: v_copy(Tensor self) -> Tensor\n  dispatch:\n    CompositeExplicitAutogradNonFunctional: v_copy\n  tags: view_copy\n"
    )
    ops = read(tmp_path, STRUCTURED + view)
    assert (
        kernels(ops["op_"])["ADInplaceOrView"]
        == kernels(ops["op.out"])["ADInplaceOrView"]
        == ("generic", "rt_adinplace_kernel")
    )
    assert kernels(ops["v"])["ADInplaceOrView"] == ("generic", "rt_adview_kernel")
    assert "ADInplaceOrView" not in kernels(ops["op"])


def test_the_copying_variant_of_a_view_is_made_of_it(tmp_path):
    ops = read(
        tmp_path,
        "- func: v(Tensor(a) self) -> Tensor(a)\n  dispatch:\n    CompositeExplicitAutograd: v\n"
        "- func: v_copy(Tensor self) -> Tensor\n  dispatch:\n    CompositeExplicitAutogradNonFunctional: v_copy\n"
        "  autogen: v_copy.out\n  tags: view_copy\n",
    )
    assert kernels(ops["v_copy"]) == {"CompositeExplicitAutogradNonFunctional": ("made", "v"), "Autograd": ("generic", "rt_autograd_kernel")}
    assert kernels(ops["v_copy.out"])["CompositeExplicitAutograd"] == ("made", "v_copy")


def test_another_name_and_an_overload_for_numbers_call_the_operator_that_they_mean(tmp_path):
    ops = read(
        tmp_path,
        "- func: v(Tensor self, Tensor other) -> Tensor\n  dispatch:\n    CPU: v\n"
        "- func: w.Scalar(Tensor self, Scalar other) -> Tensor\n  dispatch:\n    CompositeImplicitAutograd: same::v\n",
    )
    assert kernels(ops["w.Scalar"]) == {"CompositeImplicitAutograd": ("same", "v")}
    assert ops["w.Scalar"].made_of is ops["v"]


def test_an_entry_without_dispatch_has_a_composite_named_as_the_overload(tmp_path):
    text = "- func: v.way(Tensor(a) self) -> Tensor(a)\n- func: in_python(Tensor(a) self) -> Tensor(a)\n"
    ops = read(tmp_path, text, c=["v_way"])
    assert kernels(ops["v.way"]) == {"CompositeImplicitAutograd": ("c", "v_way")}
    assert kernels(ops["in_python"]) == {"CompositeImplicitAutograd": ("py", "module:in_python")}


def test_announced_variants_are_made_and_offered_to_nobody(tmp_path):
    text = (
        "- func: w_(Tensor(a!) self, int n, *, bool b=False) -> Tensor(a!)\n  variants: method\n  dispatch:\n    CPU: first\n"
        "  autogen: w, w.out\n"
    )
    ops = read(tmp_path, text)
    assert str(ops["w"].schema) == "aten::w(Tensor self, int n, *, bool b=False) -> Tensor"
    assert str(ops["w.out"].schema) == "aten::w.out(Tensor self, int n, *, bool b=False, Tensor(a!) out) -> Tensor(a!)"
    assert kernels(ops["w"]) == {"CompositeExplicitAutograd": ("made", "w_"), "Autograd": ("generic", "rt_autograd_kernel")}
    assert kernels(ops["w.out"])["CompositeExplicitAutograd"] == ("made", "w")
    assert [p.name for p in public_functions(list(ops.values()))] == ["w_"]
    assert "generated" in ops["w"].tags


def test_factories_are_registered_at_backendselect(tmp_path):
    options = "ScalarType? dtype=None, Layout? layout=None, Device? device=None, bool? pin_memory=None"
    text = "".join(
        f"- func: {name}, *, {options}) -> Tensor\n  dispatch:\n    CompositeExplicitAutograd: first\n"
        for name in ("make(int n", "make_like(Tensor self", "new_one(Tensor self")
    )
    ops = read(tmp_path, text)
    assert {n for n, f in ops.items() if "BackendSelect" in kernels(f)} == {"make"}


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


#: Rules of ours; those of the data model have tests of their own.
BAD = [
    (entry(dispatch={"CPU": "missing"}), "there is no kernel 'missing'"),
    (entry("missing(Tensor self) -> Tensor", dispatch=None), "there is no kernel 'missing'"),
    (entry(dispatch={"CPU": "cpp::second"}), "is no kernel: NAME, structured::NAME, made::NAME, same::NAME or each::NAME"),
    (entry(dispatch={"CPU": "a", "CompositeImplicitAutograd": "b"}), "no other kernel can be reached"),
    (entry(dispatch={"CompositeExplicitAutograd": "structured::a"}), "needs a backend key"),
    (entry(dispatch={"CPU": "structured::first"}), "in one entry and a function in another"),
    (entry(dispatch={"CPU": "same::missing"}), "`same::missing` names no operator"),
    (entry("second(Tensor self, int n) -> Tensor", dispatch={"CPU": "same::first"}), "first takes other arguments"),
    (
        entry("second.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)", structured=True, dispatch={"CPU, Meta": "x"})
        + entry("second(Tensor self) -> Tensor", structured_delegate="second.out", dispatch=None),
        "nothing under `Meta`",
    ),
]


@pytest.mark.parametrize(("text", "rule"), BAD, ids=[rule for _, rule in BAD])
def test_a_bad_entry_fails_with_the_rule_its_place_and_the_entry(tmp_path, text, rule):
    with pytest.raises(EntryError, match=re.escape(rule)) as caught:
        read(tmp_path, FIRST + text)
    assert caught.value.line == 4
    func = text.partition("func: ")[2].partition("\n")[0]
    assert str(caught.value).endswith(f"\n  in {tmp_path / 'native_functions.yaml'}:4:\n    {func}")


def test_a_rule_of_the_data_model_fails_the_build_with_its_place(tmp_path):
    with pytest.raises(AssertionError, match=r"(?s)native_functions.yaml:4:\n +second\(Tensor self\) -> Tensor") as caught:
        read(tmp_path, FIRST + entry(tags="shiny"))
    assert "shiny" in str(caught.value)


def test_tags_fit_a_tag_set(tmp_path):
    path = tmp_path / "tags.yaml"
    path.write_text("".join(f"- tag: t{i:02}\n  desc: x\n" for i in range(33)))
    with pytest.raises(EntryError, match="32 bits"):
        read_tags(path)


# ---- writing tables


def copy_sources(tmp_path):
    for name in ("kernels/native_functions.yaml", "kernels/tags.yaml", "kernels/derivatives.yaml", "include/runtime/keys.h", *TEMPLATES):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for package in ("kernels", "derivatives"):
        shutil.copytree(ROOT / "runtime" / package, tmp_path / "runtime" / package)
    kernels = " ".join(sorted(SOURCES.c))
    (tmp_path / "kernels" / "all.c").write_text(f"{kernels} quite_new second")
    out = tmp_path / "out"
    out.mkdir()
    return tmp_path / "kernels" / "native_functions.yaml", out


def test_the_same_list_gives_the_same_bytes(tables, tmp_path):
    paths = generate(ROOT, tmp_path)
    assert sorted(p.name for p in paths) == [
        "__init__.pyi", "_core.pyi", "derivatives.py", "fft.pyi", "linalg.pyi", "operators.c", "operators.md", "rt_builtins.h", "special.pyi",
    ]  # fmt: skip
    for path in paths:
        assert path.read_bytes() == (tables / path.name).read_bytes()


@pytest.mark.slow
def test_files_are_touched_only_when_their_content_changes(tmp_path):
    source, out = copy_sources(tmp_path)
    before = {p: p.stat().st_mtime_ns for p in generate(tmp_path, out)}
    assert {p: p.stat().st_mtime_ns for p in generate(tmp_path, out)} == before
    numbers = (out / "rt_builtins.h").read_text()
    source.write_text(source.read_text() + entry("quite_new(Tensor self) -> Tensor", dispatch={"CPU": "quite_new"}))
    generate(tmp_path, out)
    assert "rt_k_quite_new(" in (out / "operators.c").read_text()
    assert (out / "rt_builtins.h").read_text() == numbers  # no C code names it
    (tmp_path / "kernels" / "all.c").write_text((tmp_path / "kernels" / "all.c").read_text() + " RT_OP_aten_quite_new")
    generate(tmp_path, out)
    assert "RT_OP_aten_quite_new = " in (out / "rt_builtins.h").read_text()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (entry("late(Tensor self, Scalar x=1j) -> Tensor"), "has no static form"),
        (entry("add_Tensor(Tensor self) -> Tensor"), "share the C name RT_OP_aten_add_Tensor"),
        (entry("late(Tensor self -> Tensor"), "late"),
    ],
)
def test_nothing_is_written_when_an_entry_is_bad(tmp_path, text, rule):
    source, out = copy_sources(tmp_path)
    source.write_text(source.read_text() + text)
    with pytest.raises((EntryError, AssertionError, RuntimeError), match=rule):
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
    numbers = re.findall(r"^    RT_OP_aten_(\w+) = (\d+),$", (tables / "rt_builtins.h").read_text(), re.M)
    rows = re.findall(r'^    \{"aten::(\w+)", "(\w*)", "', (tables / "operators.c").read_text(), re.M)
    names = [f"{name}_{overload}" if overload else name for name, overload in rows]
    assert len(numbers) > 50 and [names[int(i)] for _, i in numbers] == [name for name, _ in numbers]


def test_overloads_of_one_name_keep_their_order(tables, operators):
    rows = re.findall(r'^    \{"aten::(\w+)", "(\w*)", "', (tables / "operators.c").read_text(), re.M)
    built, listed = {}, {}
    for base, overload in rows:
        built.setdefault(base, []).append(overload)
    for f in operators.values():
        if f.native.namespace == "aten":
            listed.setdefault(f.base, []).append(f.native.func.name.overload_name)
    assert built == listed


def test_defaults_are_written_as_tagged_values(tmp_path):
    source, out = copy_sources(tmp_path)
    (tmp_path / "kernels" / "derivatives.yaml").write_text("")
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
            entry(f"op{i}({case}) -> Tensor".replace("'", '"')) if '"' not in case else entry(f"'op{i}({case}) -> Tensor'")
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


#: PyTorch knows these only in TorchScript, without dispatch and tags; `_embedding_bag_backward` has a kernel for each backend there.
UNDISPATCHED = frozenset(
    ["_embedding_bag_backward", "_list_to_tensor", "backward", "backward.TensorList", "cuda", "device", "grad", "is_non_overlapping_and_dense",
     "is_strides_like_format", "layout", "size", "stride", "sym_size", "sym_stride"]
)  # fmt: skip

#: Views here whose tangent is set or taken away; in PyTorch kernels of Autograd do both.
MADE_OF_VIEWS = frozenset(["_fw_primal", "_make_dual"])


def overload(torch, f):
    return getattr(getattr(getattr(torch.ops, f.native.namespace), f.base), f.schema.overload_name or "default")


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
    # out= variants made of implicit composites: PyTorch records the copy into the output, and ours the whole operator.
    copied = {n for n, f in operators.items() if f.is_generated and f.is_out and "CompositeImplicitAutograd" in kernels(f.made_of)}
    # Implicit composites that have gradients of their own for nested tensors, which PyTorch therefore records twice.
    assert theirs - ours - MADE_OF_VIEWS == {"chunk", "matmul.out", "narrow"}
    # Writers that PyTorch does not record: its formulas never save what they write.
    assert ours - theirs - copied <= {
        "_amp_foreach_non_finite_check_and_unscale.out", "_amp_foreach_non_finite_check_and_unscale_",
        "_cummax_helper", "_cummin_helper", "_fused_moving_avg_obs_fq_helper", "record_stream", "rrelu_with_noise",
    }  # fmt: skip


@pytest.mark.oracle
def test_composites_are_pytorchs(torch, operators):
    has = torch._C._dispatch_has_kernel_for_dispatch_key
    different = []
    for name, f in operators.items():
        for key in ("CompositeImplicitAutograd", "CompositeExplicitAutograd"):
            if name not in UNDISPATCHED | MADE_OF_VIEWS and has(f"aten::{name}", key) != (key in kernels(f)):
                different.append((name, key))
    assert different == []


@pytest.mark.oracle
def test_numbers_stand_for_tensors_where_pytorch_lets_them(torch, operators):
    bases = {f.base for f in operators.values()}
    ours = {b for b in bases if b.removesuffix("_") in NUMBERS_AS_TENSORS}
    assert ours == {b for b in bases if torch._C._should_allow_numbers_as_tensors(b)}


def module_of(torch, p):
    return getattr(torch._C, f"_{p.module}") if p.module else torch


@pytest.mark.oracle
def test_functions_and_methods_exist_where_pytorchs_do(torch, operators):
    public = public_functions(list(operators.values()))
    functions = {p.name for p in public if p.function}
    methods = {p.name for p in public if p.method}
    assert {(p.module, p.name) for p in public if p.function and not hasattr(module_of(torch, p), p.name)} == set()
    assert {n for n in methods if not hasattr(torch.Tensor, n)} == set()
    offered = {f.base for f in operators.values() if not f.is_generated and hasattr(torch, f.base)} - functions
    # A function of the namespace, not of this list.
    # `device`, `layout` and `qscheme` are classes there, `cuda` is a module; the first two operators are of the namespace `prim`.
    assert offered <= {"numel", "cuda", "device", "layout", "qscheme"}, offered
    # What Tensor reads from its fields, or takes in another form than the schemas'.
    fields = {"backward", "cuda", "device", "dim", "grad", "index", "layout", "is_contiguous", "numel", "size", "storage_offset", "stride"}
    declared = {f.base for f in operators.values() if not f.is_generated}
    assert {n for n in declared if hasattr(torch.Tensor, n)} - methods <= fields | OWN_METHODS


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
            kind = f"tuple of {'Scalar' if kind == 'Number' else kind}s"
        pairs.append((kind, "input" if a.name == "self" and kind == "Tensor" else a.name))
    return tuple(pairs)


@pytest.mark.oracle
def test_signatures_are_tried_in_pytorchs_order(torch, operators):
    different = {}
    compared = 0
    for p in public_functions(list(operators.values())):
        if p.name == "gradient":  # no two of its signatures fit one call: `dim` is one int or several, never both
            continue
        if p.name in ("stft", "to"):  # PyTorch takes their arguments by hand, in other signatures than the schemas'
            continue
        for method in [m for m, on in ((False, p.function), (True, p.method)) if on]:
            theirs = getattr(torch.ones(1) if method else module_of(torch, p), p.name)
            if not inspect.isbuiltin(theirs):
                continue  # a Python function there, which prepares arguments
            try:
                theirs(*[object()] * 9)
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


# ---- kernels that nobody writes, beside PyTorch's

MADE = """
o.add.Scalar_out(x, 1, out=e(0))|o.add.Scalar_out(x, 1, out=e(0, dtype=m.int64))|o.add.Scalar_out(x, 1, out=e(3, 2, device='meta'))
o.permute_copy(x, (1, 0))|o.transpose_copy.int(x, 0, 1)|o.view_copy(x.contiguous(), (2, 3))|o.view_copy.dtype(x, m.int32)|o.view_copy(x, (7,))
o.split_copy.Tensor(x, 2)|o.unbind_copy.int(x)|o.split_with_sizes_copy(x, [1, 2])|o.slice_copy.Tensor(x, 0, 0, 2, 2)|o.expand_copy(x, (2, 3, 2))
o.permute_copy.out(x, (1, 0), out=e(0))|o.unbind_copy.int_out(x, out=[e(0), e(2), e(0)])|o.unbind_copy.int_out(x, out=[e(0)])
o.split_copy.Tensor_out(x, 2, out=[e(2, 2), e(1, 2)])|o.split_copy.Tensor_out(x, 2, out=[e(0), e(0)])|o.zero(x)|o.zero.out(x, out=e(0))
o.set.source_Tensor(x, e(3))|o.set.source_Tensor_out(x, e(3), out=e(0))|o.resize(x, [2]).shape|o.zeros_like.out(x, out=e(0, dtype=m.int32))
o.new_full.out(x, [2], 3, out=e(0, dtype=m.float64))|o.fill.Scalar_out(x, 2, out=e(0))|o.bernoulli.p(e(4) + 1, 1.0)|o.clone.out(x, out=e(0))
o.index_put.out(x, [m.tensor([0])], e(2), out=e(0))|o.normal_functional(e(3)).shape|o.uniform(e(3)).shape
getattr(o.random, 'from')(e(3, dtype=m.int64), 0, 1)
o._to_copy.out(x, out=e(0))|o._to_copy.out(x, out=e(0, dtype=m.float64))|o.copy.out(x, e(2), out=e(0))|o.prod.out(x, out=e(()))
o.repeat.out(x, [2, 1], out=e(0))
""".strip().replace("\n", "|").split("|")


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:An output with one or more elements")
@pytest.mark.parametrize("call", MADE)
def test_kernels_that_nobody_writes_do_what_pytorchs_generated_ones_do(torch, call):
    import runtime

    outcomes = []
    for m in (runtime, torch):
        scope = {"m": m, "o": m.ops.aten, "e": m.zeros, "x": m.arange(6.0).reshape(2, 3).t()}
        try:
            result = eval(call, scope)
            strides = [t.stride() for t in ([result] if isinstance(result, m.Tensor) else result or ()) if isinstance(t, m.Tensor)]
            outcomes.append((str(result), strides))
        except Exception as error:
            outcomes.append((type(error).__name__, str(error).splitlines()[0]))
    assert outcomes[0] == outcomes[1]


@pytest.mark.oracle
def test_writes_by_kernels_that_nobody_writes_are_recorded_once(torch):
    import runtime

    for m in (runtime, torch):
        outs = [m.zeros(2, 1), m.zeros(2, 1), m.zeros(2, 2)]
        m.ops.aten.split_copy.Tensor_out(m.ones(2, 2), 1, 1, out=outs[:2])
        m.ops.aten.add.Scalar_out(m.ones(2, 2), 1, out=outs[2])
        assert [t._version for t in outs] == [1, 1, 1], m.__name__


def test_a_backend_with_the_out_kernel_of_a_structured_group_has_the_group():
    """Any backend's slot will do: the kernel there asks the rule, allocates, and calls the out= operator by the tensors' keys."""
    import runtime

    add, add_ = runtime.ops.aten.add.Tensor, runtime.ops.aten.add_.Tensor
    keys = runtime.DispatchKeySet(runtime.DispatchKey.PrivateUse1)
    a, b = runtime.arange(6.0).reshape(2, 3).t(), runtime.ones(3, 2)
    result = add.redispatch(keys, a, b, alpha=2)
    assert result.tolist() == (a + 2).tolist() and result.stride() == (1, 3) and result._version == 0
    assert add_.redispatch(keys, a, b) is a and a.tolist() == [[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]
    with pytest.raises(RuntimeError, match="must match the size of tensor b"):
        add.redispatch(keys, a, runtime.ones(7))


# ---- the command


def copy_of_the_tree(tmp_path):
    for name in ("kernels", "include", "runtime/torchgen", "runtime/core", "runtime/kernels", "runtime/derivatives"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "setup.py", tmp_path / "setup.py")
    return tmp_path


def test_the_command_says_what_is_read_and_written_and_counts(capsys):
    assert main([]) == 0
    text = capsys.readouterr().out
    for word in ("kernels/native_functions.yaml", "operators.c", "rt_builtins.h", "operators.md", "_core.pyi", "autogen", "--check", "entries"):
        assert word in text


@pytest.mark.slow
def test_check_lists_what_is_missing_then_stale_and_write_mends_it(tmp_path, capsys):
    tree = copy_of_the_tree(tmp_path)
    assert main(["--check"], tree) == 1
    assert "runtime/_generated/operators.c: missing" in capsys.readouterr().out
    assert main(["--write"], tree) == 0
    assert "wrote runtime/_core.pyi" in capsys.readouterr().out
    assert main(["--check"], tree) == 0
    yaml = tree / "kernels" / "native_functions.yaml"
    yaml.write_text(yaml.read_text() + entry("quite_new(Tensor self) -> Tensor", variants="function", dispatch={"CPU": "abs"}))
    assert main(["--check"], tree) == 1
    out = capsys.readouterr().out
    assert "runtime/__init__.pyi: differs" in out and "runtime/_generated/operators.md: differs" in out
    yaml.write_text(yaml.read_text() + entry("bad(Tensor self) -> Tensor", dispatch={"CPU": "nowhere"}))
    assert main(["--check"], tree) == 1
    assert "there is no kernel 'nowhere'" in capsys.readouterr().err


def test_the_command_needs_a_checkout(tmp_path, capsys):
    assert main(["--check"], tmp_path) == 2
    assert "no source checkout" in capsys.readouterr().err


def test_the_reference_has_every_overload_and_where_its_kernels_are(tables, operators):
    page = (tables / "operators.md").read_text()
    assert all(f"`{f.native.func}`" in page for f in operators.values())
    assert "C: `rt_k_view`" in page and "Python: `isclose` of runtime/kernels/pointwise.py" in page and "made of `view`" in page


def test_a_kernel_is_written_in_c_or_in_python_not_in_both():
    in_c = {name for path in (ROOT / "kernels").rglob("*.c") for name in re.findall(r"\bRT_(?:SAME_)?KERNEL\((\w+)", path.read_text())}
    assert in_c
    assert not in_c & python_kernels(ROOT / "runtime" / "kernels").keys()
