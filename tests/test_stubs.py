"""The stubs of the compiled module name what it has, and nothing else."""

import ast
import inspect
from pathlib import Path

from runtime import _core

STUB = Path(_core.__file__).with_name("_core.pyi")


def test_the_stub_has_every_name_of_the_module():
    tree = ast.parse(STUB.read_text())
    declared = {n.name for n in tree.body if isinstance(n, (ast.ClassDef, ast.FunctionDef))}
    declared |= {n.target.id for n in tree.body if isinstance(n, ast.AnnAssign)}
    names = {n for n, v in vars(_core).items() if not n.startswith("__") and not inspect.ismodule(v)}
    assert declared == names


def test_the_stub_has_every_operator_method_of_tensor():
    tree = ast.parse(STUB.read_text())
    (tensor,) = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "Tensor"]
    declared = {n.name for n in tensor.body if isinstance(n, ast.FunctionDef)} | {n.target.id for n in tensor.body if isinstance(n, ast.AnnAssign)}
    methods = {n for n, v in vars(_core.Tensor).items() if isinstance(v, _core.Method)}
    assert methods <= declared
