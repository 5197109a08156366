"""The type stubs: they name what the modules have and nothing else, and type checkers make sense of them."""

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import runtime
from runtime import _core

FOLDER = Path(_core.__file__).parent
#: Names that only type checkers need.
TYPING = {"Number", "Device", "TensorLike", "Keys"}


def declared(tree):
    names = {n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
    names |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    return names | {a.asname for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names if a.asname and not a.asname.startswith("_")}


def members(cls):
    found = {n.name for n in cls.body if isinstance(n, ast.FunctionDef)}
    return found | {n.target.id for n in cls.body if isinstance(n, ast.AnnAssign)}


@pytest.fixture(scope="module")
def core():
    return ast.parse((FOLDER / "_core.pyi").read_text())


def test_the_stub_has_every_name_of_the_module(core):
    results = {n.name for n in core.body if isinstance(n, ast.ClassDef) and n.bases and "tuple[Tensor" in ast.unparse(n.bases[0])}
    aliases = {"_device", "_dtype", "_layout", "_memory_format"}
    names = {n for n, v in vars(_core).items() if not n.startswith("__") and not inspect.ismodule(v)}
    assert declared(core) - TYPING - results - aliases == names


def test_the_stub_has_every_public_name_of_the_package():
    names = {n for n in declared(ast.parse((FOLDER / "__init__.pyi").read_text())) if not n.startswith("_")}
    modules = set(runtime._SUBMODULES)
    own = {"OpOverload", "OpOverloadPacket"}  # for annotations: the package finds them through `compat`
    assert names - modules - own - {"e", "inf", "nan", "pi"} == {n for n in runtime.__all__ if not n.startswith("_")}


@pytest.mark.parametrize("name", [n for n, v in vars(_core).items() if isinstance(v, type) and not n.startswith("__")])
def test_classes_have_the_members_that_the_stub_names(core, name):
    (cls,) = [n for n in core.body if isinstance(n, ast.ClassDef) and n.name == name]
    real = getattr(_core, name)
    missing = {m for m in members(cls) if not hasattr(real, m)} - {"__init__"}
    if name in ("Library", "finfo", "iinfo", "_FunctionPointer"):
        missing -= {n.target.id for n in cls.body if isinstance(n, ast.AnnAssign)}  # set in each instance
    assert missing == set()
    public = {m for m, v in vars(real).items() if not m.startswith("_")}
    assert public - members(cls) == set()


SAMPLE = """
import runtime
from runtime import DispatchKey, DispatchKeySet, Library
from runtime._core import _IncludeDispatchKeyGuard

x = runtime.tensor([[1.0, 2.0]], dtype=runtime.float32)
y = runtime.add(x, 2.0, alpha=3)
z = (x * y).sum(0, keepdim=True).view(1, 2)
w = z.view((2,)).to("cpu", runtime.float64)
values, indices = runtime.max(x, 0)
found: runtime.Tensor = x.max(0).values
s = runtime.zeros(2, 3, dtype=runtime.int64, device="cpu", requires_grad=False)
n: int = s.size(0)
shape: tuple[int, ...] = s.shape
lib = Library("sample", "DEF")
lib.define("f(Tensor x) -> Tensor")
lib.impl("f", lambda t: t, DispatchKey.CPU)
keys: DispatchKeySet = DispatchKeySet("CPU") | DispatchKeySet(DispatchKey.AutogradCPU)
with _IncludeDispatchKeyGuard("Conjugate"):
    r = runtime.ops.aten.add.Tensor(x, x)
out = runtime.sin(x, out=runtime.empty_like(x))
first: runtime.Tensor = runtime.cat([x, x], 1).split(1, 1)[0]
number: float = float((-x + 1 > 0).sum())
u = runtime.full((2,), 3.5).clamp(min=0).float().cpu()
"""

WRONG = {
    "runtime.add(x)": "other",
    'runtime.sum(x, dim="a")': "dim",
    'x.view("a")': "view",
    'runtime.zeros(2, dtype="f4")': "zeros",
    "x.nope()": "nope",
    "runtime.nope": "nope",
    "a: str = x.numel()": "str",
    'runtime.Library("a", "NEW")': "Library",
    "runtime.DispatchKey.CPPU": "CPPU",
}


@pytest.mark.slow
def test_mypy_accepts_right_programs_and_finds_the_wrong_lines_of_others(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "right.py").write_text(SAMPLE)
    (tmp_path / "wrong.py").write_text("import runtime\nx = runtime.ones(2)\n" + "".join(f"{line}\n" for line in WRONG))
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--follow-imports=silent", "--cache-dir", str(tmp_path / "cache")]
    # Editable installs may hide the package behind an import hook, which type checkers do not run.
    environment = {**os.environ, "MYPYPATH": str(FOLDER.parent)}
    right = subprocess.run([*command, "right.py"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = subprocess.run([*command, "wrong.py"], capture_output=True, text=True, cwd=tmp_path, env=environment)
    errors = dict(re.findall(r"wrong\.py:(\d+): error: (.*)", wrong.stdout))
    assert sorted(map(int, errors)) == list(range(3, 3 + len(WRONG))), wrong.stdout
    for number, (line, word) in enumerate(WRONG.items(), 3):
        assert word in errors[str(number)], line


@pytest.mark.parametrize("module", ["fft", "linalg", "special"])
def test_the_stub_of_a_function_module_has_all_its_functions(module):
    own = importlib.import_module(f"runtime.{module}")
    names = {n for n in declared(ast.parse((FOLDER / f"{module}.pyi").read_text())) if not n.startswith("_")}
    assert names - {"Generator", "Size", "Tensor"} == {n for n in own.__all__ if not n.startswith("_")}
