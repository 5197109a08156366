"""Selective builds: what a list of operators takes along, and a build of twenty of them."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime.torchgen.operators import Sources, read_operators
from runtime.torchgen.selection import CNames, SelectionError, _Closure, select

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def operators():
    return read_operators(Sources.of(ROOT))


@pytest.fixture(scope="module")
def closure(operators):
    return _Closure(ROOT, operators)


def names(tmp_path, operators, text):
    path = tmp_path / "wanted.txt"
    path.write_text(text)
    return [o.name for o in select(ROOT, operators, path)]


def of(closure, *wanted):
    return closure.of(closure.by_name[name] for name in wanted)


# ---- lists


def test_a_base_name_stands_for_all_its_overloads_and_a_full_name_for_one(tmp_path, operators):
    chosen = names(tmp_path, operators, "# layers\n\naten::relu  # all of them\n- mm\n")
    assert {"relu", "relu_", "relu.out", "mm", "mm.out"} <= set(chosen)
    one = names(tmp_path, operators, "sum.dim_IntList\n")
    assert "sum.dim_IntList" in one and "sum" not in one


def test_operators_keep_the_order_of_the_list_of_all(tmp_path, operators):
    everywhere = [o.name for o in operators]
    chosen = names(tmp_path, operators, "mm\nadd\n")
    assert chosen == [name for name in everywhere if name in chosen]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("add\nmulx\n", "wanted.txt:2: there is no operator 'mulx'; did you mean mul"),
        ("add.Tensr\n", "wanted.txt:1: there is no operator 'add.Tensr'; did you mean add.Tensor"),
        ("# nothing\n", "no operator is listed"),
        ("mine::add\n", "there is no operator 'mine::add'"),
    ],
)
def test_a_line_that_names_no_operator_is_an_error_with_its_place(tmp_path, operators, text, message):
    with pytest.raises(SelectionError) as error:
        names(tmp_path, operators, text)
    assert message in str(error.value)


# ---- what operators are made of


@pytest.mark.parametrize(
    ("operator", "parts", "others"),
    [
        ("add.Scalar", {"add.Tensor", "add.out"}, {"div.Tensor", "sub.out"}),
        ("reshape", {"view", "_unsafe_view", "clone"}, {"mm", "matmul"}),
        ("matmul", {"mm", "bmm", "mv", "dot", "expand"}, {"add.Tensor", "cat"}),
        ("where", {"unbind.int", "nonzero"}, {"where.self"}),
        ("add.Scalar_out", {"add.Scalar", "copy_"}, {"div.Tensor"}),
        ("permute_copy", {"permute", "clone"}, {"view"}),
        ("relu", set(), {"neg", "add.Tensor"}),
        ("view", set(), {"clone", "reshape"}),
    ],
)
def test_the_parts_of_an_operator_come_along_and_nothing_of_others(closure, operator, parts, others):
    found = of(closure, operator)
    assert parts <= found
    assert not others & found


def test_every_c_kernel_is_found_in_the_sources(closure):
    lost = [k.name for o in closure.by_name.values() for k in o.kernels if k.how == "c" and closure.c.kernel(k.name) not in closure.c.everywhere]
    assert lost == []


CALLS = {
    "reshape": "x.t().reshape(6)", "matmul": "x.matmul(x.t())", "add.Scalar": "ops.add.Scalar(x, 1)", "stack": "ops.stack([x, x])",
    "zeros_like": "ops.zeros_like(x)", "full": "ops.full((2,), 3.0)", "where.Scalar": "ops.where.Scalar(x > 0, 1, 2)", "where": "ops.where(x)",
    "masked_fill.Scalar": "ops.masked_fill.Scalar(x, x > 0, 1)", "index.Tensor": "x[rt.tensor([0])]", "addmm": "ops.addmm(x, x[:, :2], x)",
    "permute_copy": "ops.permute_copy(x, (1, 0))", "add.Scalar_out": "ops.add.Scalar_out(x, 1, out=rt.empty(0))", "narrow": "x.narrow(0, 0, 1)",
    "chunk": "x.chunk(2)", "flatten.using_ints": "x.flatten()", "expand_as": "x.expand_as(x)", "isclose": "ops.isclose(x, x)",
    "allclose": "ops.allclose(x, x)", "to.dtype": "x.to(rt.int32)", "item": "ops.item(x[0, 0])", "type_as": "x.type_as(x)",
    "movedim.int": "x.movedim(0, 1)", "remainder.Scalar_Tensor": "ops.remainder.Scalar_Tensor(3, x)", "rand_like": "ops.rand_like(x)",
    "linspace.Tensor_Tensor": "ops.linspace.Tensor_Tensor(rt.tensor(0.0), rt.tensor(1.0), 3)", "max.other": "ops.max.other(x, x)",
    "logical_not": "ops.logical_not(x)", "isinf": "ops.isinf(x)", "all.dims": "ops.all.dims(x, [0, 1])", "square": "x.square()",
    "new_full": "x.new_full((2,), 1)", "zero": "ops.zero(x)", "cumsum": "x.cumsum(0)", "bernoulli.p": "ops.bernoulli.p(x, 0.5)",
    "split_with_sizes_copy.out": "ops.split_with_sizes_copy.out(x, [1, 1], out=[rt.empty(0), rt.empty(0)])",
}  # fmt: skip


@pytest.mark.parametrize("operator", CALLS)
def test_nothing_is_called_that_would_not_come_along(closure, operator):
    scope = {"rt": runtime, "ops": runtime.ops.aten, "x": runtime.arange(6.0).reshape(2, 3)}
    result = eval(CALLS[operator], scope)  # once, for what Python imports
    del result
    called = set()
    with runtime.trace_dispatch() as trace:
        eval(CALLS[operator], scope)
    inside = False
    for _, _, depth, name, *_ in trace.events:
        short = str(name).removeprefix("aten::").removesuffix(".default").replace("aten.", "")
        inside = (inside and depth > 0) or short == operator
        if inside:
            called.add(short)
    assert operator in called
    assert called <= of(closure, operator)


def test_names_in_comments_and_texts_are_not_followed(tmp_path):
    (tmp_path / "a.c").write_text(
        "/* RT_OP_aten_one */\n"
        "static int helper(void) { return RT_OP_aten_two; }\n"
        'RT_KERNEL(f)\n{\n    puts("RT_OP_x");\n    return helper();\n}\n'
    )
    (tmp_path / "b.c").write_text("static int helper(void) { return RT_OP_aten_three; }\n")
    c = CNames(tmp_path)
    assert c.operators("rt_k_f") == {"RT_OP_aten_two"}


# ---- a build


TWENTY = """# the inference of a small MLP, and what to look at its results with
add.Tensor\nadd_.Tensor\nmul.Tensor\nsub.Tensor\ndiv.Tensor\nmm\naddmm.out\naddmm\nrelu\nsigmoid\nexp\namax
sum.dim_IntList\nargmax\nview\nt\nclone\ncopy_\nempty.memory_format\nzeros
"""

PROGRAM = """
import numpy as np, runtime as rt
rng = np.random.default_rng(0)
x, w1, b1, w2, b2 = (rt.from_numpy(rng.standard_normal(s).astype("f4")) for s in ((5, 4), (4, 8), (8,), (8, 3), (3,)))
h = rt.relu(rt.addmm(b1, x, w1))
e = rt.exp(rt.sigmoid(rt.addmm(b2, h, w2)))
p = e / e.sum(1, True)
print(p, rt.argmax(p, 1), p.view(15).shape, p.t().shape, rt.zeros(2))
lib = rt.Library("mine", "DEF")
lib.define("twice(Tensor x) -> Tensor")
lib.impl("twice", lambda t: t + t, "CPU")
print(rt.ops.mine.twice(x))
"""

LEFT_OUT = """
import runtime as rt
x = rt.zeros(2)
for call in (lambda: rt.cos(x), lambda: rt.ops.aten.cos, lambda: x[0], lambda: x // 2, lambda: x < 1, lambda: x.to("meta")):
    try:
        call()
    except (AttributeError, NotImplementedError) as error:
        print("RUNTIME_OPS" in str(error))
print(rt._core._selective_build(), len(rt._core._dispatch_get_all_op_names()) < 60)
"""


def run(code, place):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=place, env={**os.environ, "PYTHONPATH": str(place)})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_build_of_twenty_operators_runs_them_and_is_smaller(tmp_path):
    tree = tmp_path / "tree"
    ignored = shutil.ignore_patterns(".git", "__pycache__", "*.so", "_generated", "_data", ".hypothesis", ".pytest_cache", "*.egg-info", "dist")
    shutil.copytree(ROOT, tree, ignore=ignored)
    (tree / "twenty.txt").write_text(TWENTY)
    build = [sys.executable, "setup.py", "build_ext", "--inplace"]
    built = subprocess.run(build, capture_output=True, text=True, cwd=tree, env={**os.environ, "RUNTIME_OPS": "twenty.txt"})
    assert built.returncode == 0, built.stdout + built.stderr
    assert run(PROGRAM, tree) == run(PROGRAM, ROOT)
    assert run(LEFT_OUT, tree).split() == ["True"] * 8
    (small,) = (tree / "runtime").glob("_core*.so")
    assert small.stat().st_size < 0.75 * Path(runtime._core.__file__).stat().st_size
    # Back to all operators: what does not depend on their numbers is not compiled again.
    again = subprocess.run(build, capture_output=True, text=True, cwd=tree)
    compiled, of_all = map(int, re.search(r"compiled (\d+) of (\d+) sources", again.stdout).groups())
    assert again.returncode == 0 and compiled < of_all / 2
    assert run("import runtime as rt; print(rt._core._selective_build())", tree) == "False\n"


@pytest.mark.slow
def test_a_bad_list_stops_the_build(tmp_path):
    (tmp_path / "bad.txt").write_text("add\nnothing_of_the_kind\n")
    code = (
        "import sys, types; sys.path.insert(0, '.'); bare = types.ModuleType('runtime'); bare.__path__ = ['runtime']; sys.modules['runtime'] = bare\n"
        "from pathlib import Path; from runtime.torchgen.build import generate\n"
        f"generate(Path('.'), Path({str(tmp_path)!r}), Path({str(tmp_path / 'bad.txt')!r}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "bad.txt:2: there is no operator 'nothing_of_the_kind'" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["bad.txt"]
