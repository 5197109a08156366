"""Which operators a build has: all of the list, or those that a user lists with what they are made of.

`select` reads the user's file and follows every kernel to the operators that it may call: C kernels by the names in the
functions that they reach, Python kernels by the attributes in theirs. What is found may be a little more than what is
called, never less, but for what kernels of quantized tensors call. `build` writes tables for the operators that are left.
"""

from __future__ import annotations

import ast
import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from runtime.torchgen.operators import Kernel, Operator

__all__ = ["CNames", "PythonNames", "SelectionError", "select"]

_WORD = re.compile(r"[A-Za-z_]\w*")
_COMMENT_OR_TEXT = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:.*\\\n)*.*)", re.M)
_DIRECTIVE = re.compile(r"^[ \t]*#(?:.*\\\n)*.*", re.M)
_MACRO_CALL = re.compile(r"\s*([A-Z][A-Z0-9_]*)\(")
_OPERATOR = "RT_OP_"


class SelectionError(ValueError):
    """A line of the file of operators names none; the message has the file, the line and names that are near."""


# ---- C


def _definitions(text: str) -> Iterator[str]:
    """The top-level pieces of a C file without directives: a function, a table, a declaration, a call of a macro."""
    start = depth = 0
    for match in re.finditer(r"[(){};\n]", text):
        c, at = match.group(), match.start()
        if c in "({":
            depth += 1
        elif c in ")}":
            depth -= 1
        if depth:
            continue
        piece = text[start : at + 1]
        ends = c == ";" or c == "}" and not re.match(r"\s*;", text[at + 1 :])
        if c == "\n" and piece.strip():
            # A macro's call may stand without a semicolon; a body may follow it.
            ends = _MACRO_CALL.match(piece) and piece.rstrip().endswith(")") and not re.match(r"\s*\{", text[at + 1 :])
        if ends:
            if piece.strip():
                yield piece
            start = at + 1


def _defined_names(piece: str) -> list[str]:
    call = _MACRO_CALL.match(piece)
    if call:
        first = _WORD.search(piece, call.end())
        # Macros paste names: RT_KERNEL(f) defines rt_k_f, FLOAT_UNARY(exp, ...) defines rt_k_exp_out.
        return [f"rt_k_{first.group()}", f"rt_k_{first.group()}_out", first.group()] if first else []
    head = re.split(r"[{=]", piece, maxsplit=1)[0]
    name = re.search(r"(\w+)\s*(?:\(|(?:\[[^\]]*\]\s*)*$)", head.strip())
    return [name.group(1)] if name else []


class CNames:
    """The names that each C function, table or macro below a folder mentions."""

    def __init__(self, folder: Path):
        self.local: dict[Path, dict[str, set[str]]] = {}
        self.everywhere: dict[str, list[Path]] = defaultdict(list)
        for path in sorted([*folder.rglob("*.c"), *folder.rglob("*.h")]):
            self.read(path)

    def read(self, path: Path) -> None:
        text = _COMMENT_OR_TEXT.sub(" ", path.read_text())
        found: dict[str, set[str]] = defaultdict(set)
        shared: set[str] = set()
        for define in _DEFINE.finditer(text):
            found[define.group(1)].update(_WORD.findall(define.group(2)))
        for piece in _definitions(_DIRECTIVE.sub("", text)):
            for name in _defined_names(piece):
                found[name].update(_WORD.findall(piece))
                if not piece.lstrip().startswith("static") and (name.startswith("rt_") or not _MACRO_CALL.match(piece)):
                    shared.add(name)
        self.local[path] = found
        for name in found if path.suffix == ".h" else shared:
            self.everywhere[name].append(path)

    def places(self, name: str, path: Path | None) -> list[Path]:
        """Where a name is defined, seen from a file: in the file itself if it is."""
        if path is not None and name in self.local[path]:
            return [path]
        return self.everywhere.get(name, [])

    def kernel(self, name: str) -> str:
        """The node of a kernel: its own, or that of the macro call whose first argument its name begins with."""
        symbol = f"rt_k_{name}"
        while symbol not in self.everywhere and "_" in symbol.removeprefix("rt_k_"):
            symbol = symbol.rpartition("_")[0]
        return symbol

    def operators(self, name: str) -> set[str]:
        """The operators, as ``RT_OP_...``, that a function may call, in what it calls included."""
        result: set[str] = set()
        seen: set[tuple[Path, str]] = set()
        todo = [(path, name) for path in self.places(name, None)]
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            path, own = node
            for word in self.local[path][own]:
                if word.startswith(_OPERATOR):
                    result.add(word)
                elif word != own:
                    todo += [(place, word) for place in self.places(word, path)]
        return result


# ---- Python


class PythonNames:
    """The attributes and names that each definition in the package of Python kernels mentions."""

    def __init__(self, package: Path):
        #: By the name of a function or a module's variable: what defines it, in all modules, since imports carry names along.
        self.definitions: dict[str, list[ast.stmt]] = defaultdict(list)
        for module in sorted(package.glob("*.py")):
            for node in ast.parse(module.read_text()).body:
                if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
                    self.definitions[node.name].append(node)
                elif isinstance(node, ast.Assign):
                    for target in node.targets:
                        for part in ast.walk(target):
                            if isinstance(part, ast.Name):
                                self.definitions[part.id].append(node)

    def chains(self, name: str) -> set[tuple[str, ...]]:
        """Chains of attributes as ``("aten", "add", "Tensor")``; of a method of anything ``("", "view")``."""
        result: set[tuple[str, ...]] = set()
        seen: set[str] = set()
        todo = [name.rpartition(":")[2]]
        while todo:
            function = todo.pop()
            if function in seen:
                continue
            seen.add(function)
            for definition in self.definitions.get(function, ()):
                for node in ast.walk(definition):
                    if isinstance(node, ast.Name):
                        todo.append(node.id)
                    elif isinstance(node, ast.Attribute):
                        result.add(_chain(node))
        return result


def _chain(node: ast.Attribute) -> tuple[str, ...]:
    parts = []
    value: ast.expr = node
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    parts.append(value.id if isinstance(value, ast.Name) else "")
    return tuple(reversed(parts))


# ---- selection


def _listed(path: Path, operators: list[Operator]) -> list[Operator]:
    by_base: dict[str, list[Operator]] = defaultdict(list)
    for o in operators:
        by_base[o.native.func.name.name.base].append(o)
    by_name = {o.name: o for o in operators}
    result: list[Operator] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        name = line.partition("#")[0].strip().removeprefix("- ").removeprefix("aten::")
        if not name:
            continue
        if name in by_base:
            result += by_base[name]
        elif name in by_name:
            result.append(by_name[name])
        else:
            near = difflib.get_close_matches(name, [*by_base, *by_name], 3)
            hint = f"; did you mean {' or '.join(near)}" if near else ""
            raise SelectionError(f"{path}:{number}: there is no operator {name!r}{hint}")
    if not result:
        raise SelectionError(f"{path}: no operator is listed")
    return result


class _Closure:
    """Finds what operators are made of."""

    def __init__(self, root: Path, operators: list[Operator]):
        self.c, self.python = CNames(root / "kernels"), PythonNames(root / "runtime" / "kernels")
        self.by_name = {o.name: o for o in operators}
        self.by_number = {c_number(o): o for o in operators}
        self.by_base: dict[str, list[Operator]] = defaultdict(list)
        for o in operators:
            self.by_base[o.base].append(o)

    def from_c(self, symbol: str) -> Iterable[Operator]:
        return [self.by_number[number] for number in self.c.operators(symbol) if number in self.by_number]

    def from_chain(self, chain: tuple[str, ...]) -> Iterable[Operator]:
        if chain[0] == "aten":
            overloads = self.by_base.get(chain[1], [])
            if len(chain) > 2:
                named = chain[1] if chain[2] == "default" else f"{chain[1]}.{chain[2]}"
                return [self.by_name[named]] if named in self.by_name else []
            return overloads
        # The last attribute may be a method of a tensor.
        return [o for o in self.by_base.get(chain[-1], []) if "method" in o.variants]

    def parts(self, o: Operator, kernel: Kernel) -> Iterator[Operator]:
        """The operators that a kernel may call."""
        if kernel.how == "py":
            for chain in self.python.chains(kernel.name):
                yield from self.from_chain(chain)
        elif kernel.how == "made":
            yield o.made_of
            yield from self.from_c(f"rt_made_{o.made_kind}")
        elif kernel.how in ("same", "each"):
            yield o.made_of
        elif kernel.how in ("c", "structured"):
            yield from self.from_c(self.c.kernel(kernel.name))
            if kernel.key == "CompositeExplicitAutogradNonFunctional" and kernel.how == "structured":
                yield self.by_name[str(o.native.structured_delegate)]
                yield from self.from_c("rt_structured_composite")

    def of(self, listed: Iterable[Operator]) -> set[str]:
        """Those that are listed and their parts; kernels of tensors of another kind count only where some operator makes such."""
        listed = list(listed)
        found = self.closed(listed, set())
        made = {key for key, makers in _MAKERS.items() if found & makers}
        return self.closed(listed, made) if made else found

    def closed(self, listed: list[Operator], made: set[str]) -> set[str]:
        found: set[str] = set()
        todo = list(listed)
        while todo:
            o = todo.pop()
            if o.name not in found:
                found.add(o.name)
                for kernel in o.kernels:
                    if kernel.key not in _MAKERS or kernel.key in made:
                        todo += self.parts(o, kernel)
        return found


#: Of the keys of tensors of another kind, the operators from which all of these come.
_MAKERS = {
    "SparseCPU": frozenset(
        ["_sparse_coo_tensor_with_dims", "_sparse_coo_tensor_with_dims_and_tensors", "_to_sparse", "_to_sparse.sparse_dim", "sparse_coo_tensor.size"]
    ),
    "QuantizedCPU": frozenset(
        ["_empty_affine_quantized", "_empty_per_channel_affine_quantized", "_make_per_channel_quantized_tensor", "_make_per_tensor_quantized_tensor",
         "quantize_per_channel", "quantize_per_tensor", "quantize_per_tensor.tensor_qparams", "quantize_per_tensor.tensors",
         "quantize_per_tensor_dynamic"]
    ),
}  # fmt: skip


def c_number(o: Operator) -> str:
    """The name of an operator's number in C."""
    return f"{_OPERATOR}{o.native.namespace}_{o.native.func.name.unambiguous_name()}"


def select(root: Path, operators: list[Operator], path: Path) -> list[Operator]:
    """The operators that a file lists, and what they are made of.

    Parameters
    ----------
    root : Path
        The root of the sources.
    operators : list of Operator
        All operators.
    path : Path
        One name in each line: ``add.Tensor``, or ``add`` for all overloads, in-place and out= ones included; with or
        without ``aten::``. ``#`` starts a comment.

    Returns
    -------
    list of Operator
        In the order of `operators`.

    Raises
    ------
    SelectionError
        If a line names no operator, or none is named.
    """
    found = _Closure(root, operators).of(_listed(path, operators))
    return [o for o in operators if o.name in found]
