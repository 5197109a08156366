"""Turns ``kernels/derivatives.yaml`` into the Python module that autograd imports when it first records a call.

An entry names an operator and has a formula, a Python expression, for the gradient of each differentiable argument. What a formula
mentions decides what a node saves: an argument or result by its name is saved whole; ``self.shape``, ``self.shape[0]``, ``self.dtype``,
``self.device``, ``self.ndim`` and ``self.numel()`` save only that. Tensors are saved where a gradient that needs them is wanted, other values
always. ``grad`` is the gradient of the (first differentiable) result, ``grads`` those of all
differentiable results, None where there is none; ``output_mask`` tells, for an entry of several arguments, whose gradients are wanted
(``grad_input_mask``, for operators that have an argument ``output_mask``).
Gradients of broadcast arguments are summed and those of real arguments made real by the engine, so formulas leave that out.

    - op: mul.Tensor
      self: grad * conj(other)
      other: grad * conj(self)
      tangent: self_t * other + other_t * self

``tangent`` is the formula of forward mode: tangents of the arguments are ``NAME_t``, and ``linear`` stands for the operator itself on
tangents, ``elementwise`` for the gradient's formula on the tangent. ``outputs`` says which results have gradients (a list of bool, or
``none``), ``NAME: not_differentiable`` lets an argument that needs a gradient go without, ``node`` names the node's class where the rule
gives another name. ``saves`` lists what a node saves beside: PyTorch's nodes have it, and their readers look for it. An entry serves the
operator and its in-place variant.
"""

from __future__ import annotations

import ast
import builtins
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from runtime.torchgen.operators import EntryError, Operator
from runtime.torchgen.signatures import public_functions

__all__ = ["derivatives"]

_HEADER = '"""Written by runtime/torchgen/derivatives.py from kernels/derivatives.yaml."""\n\n'

_KEYS = {"op", "tangent", "outputs", "node", "saves"}

#: What may be saved of a tensor instead of its elements: attribute or method -> the name that PyTorch gives to what is saved.
_PARTS = {"shape": "sym_sizes", "dtype": "scalar_type", "device": "device", "ndim": "dim", "numel": "sym_numel", "layout": "layout",
          "stride": "sym_strides", "storage_offset": "sym_storage_offset"}  # fmt: skip


@dataclass
class _Entry:
    """One operator with its formulas."""

    operator: Operator
    line: int
    formulas: list[tuple[tuple[str, ...], ast.expr]]
    fixed: set[str]  # arguments that may need a gradient and get none
    tangent: str | None
    outputs: list[bool] | None
    node: str
    saves: list[ast.expr]
    arguments: list[str] = field(init=False)
    results: list[str] = field(init=False)

    def __post_init__(self):
        schema = self.operator.schema
        self.arguments = [a.name for a in schema.arguments]
        returns = schema.returns
        self.results = ["result"] if len(returns) == 1 else [r.name or f"result{i}" for i, r in enumerate(returns)]

    @property
    def function(self) -> str:
        # A name that no operator and no helper has: formulas of other entries may call those.
        return f"gradient_of_{self.operator.native.func.name.unambiguous_name()}"

    def fail(self, path: Path, rule: str):
        raise EntryError(path, self.line, rule, self.operator.name)


class _Saves(ast.NodeTransformer):
    """Collects what a formula needs saved, and replaces parts of tensors by names of their own."""

    def __init__(self, entry: _Entry):
        self.tensors = {a.name for a in entry.operator.schema.arguments if a.real_type.info.kind == "Tensor"}
        self.tensors.update(entry.results)
        self.optional = {a.name for a in entry.operator.schema.arguments if a.name in self.tensors and a.real_type.info.is_optional}
        self.plain = {a for a in entry.arguments if a not in self.tensors}
        # Nodes of gradients save their tensors whatever is wanted of them, as PyTorch's do.
        self.always = "backward" in entry.operator.base
        self.saved: dict[str, tuple[str, str]] = {}  # name -> (argument or result, part)
        self.wanted_for: dict[str, int] = {}  # name -> bits of the inputs whose formulas mention it
        self.bits = 0
        self.others: set[str] = set()

    def part(self, name: str, part: str) -> ast.Name:
        saved = f"{name}_{_PARTS[part]}"
        if name in self.optional and part == "shape":
            saved += "_opt"
        self.save(saved, name, part)
        return ast.Name(saved, ast.Load())

    def save(self, saved: str, name: str, part: str) -> None:
        self.saved[saved] = (name, part)
        bits = -1 if self.always or part != "value" or name in self.plain else self.bits
        self.wanted_for[saved] = self.wanted_for.get(saved, 0) | bits

    def visit_Call(self, node):
        f = node.func
        if (isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id in self.tensors and not node.args
                and f.attr in ("numel", "dim", "stride", "storage_offset")):  # fmt: skip
            return self.part(f.value.id, "ndim" if f.attr == "dim" else f.attr)
        return self.generic_visit(node)

    def visit_Subscript(self, node):
        match node:
            case ast.Subscript(ast.Attribute(ast.Name(name), "shape"), place) if name in self.tensors:
                try:
                    dim = ast.literal_eval(place)
                except ValueError:
                    return self.generic_visit(node)
                saved = f"{name}_sym_argsize_{'minus_' * (dim < 0)}{abs(dim)}"
                self.save(saved, name, dim)
                return ast.Name(saved, ast.Load())
        return self.generic_visit(node)

    def visit_Attribute(self, node):
        if isinstance(node.value, ast.Name) and node.value.id in self.tensors and node.attr in _PARTS:
            return self.part(node.value.id, node.attr)
        return self.generic_visit(node)

    def visit_Name(self, node):
        if node.id in self.tensors or node.id in self.plain:
            self.save(node.id, node.id, "value")
        else:
            self.others.add(node.id)
        return node


def _parse(text, fail) -> ast.expr:
    try:
        return ast.parse(str(text).strip(), mode="eval").body
    except SyntaxError as e:
        fail(f"the formula {text!r} is no expression: {e.msg}")


class _LineLoader(yaml.SafeLoader):
    """Tells on which line each mapping begins."""

    def construct_mapping(self, node, deep=False):
        mapping = super().construct_mapping(node, deep)
        mapping["__line__"] = node.start_mark.line + 1
        return mapping


def _entries(path: Path, operators: list[Operator]) -> list[_Entry]:
    by_name = {o.name: o for o in operators}
    counts: dict[str, int] = {}
    found: dict[str, _Entry] = {}
    for raw in yaml.load(path.read_text(), _LineLoader) or []:
        line = raw.pop("__line__")
        names = raw["op"] if isinstance(raw["op"], list) else [raw["op"]]
        for name in names:
            def fail(rule, name=name):
                raise EntryError(path, line, rule, name)  # noqa: B023

            operator = by_name.get(name)
            if operator is None:
                fail("there is no such operator")
            if name in found:
                fail(f"line {found[name].line} has an entry for it")
            if operator.is_out:
                fail("out= variants have no derivatives")
            if any(k.key == "CompositeImplicitAutograd" for k in operator.kernels):
                fail("it is made of operators that have derivatives (CompositeImplicitAutograd)")
            arguments = {a.name: a for a in operator.schema.arguments}
            formulas = []
            fixed: set[str] = set()
            for key, text in raw.items():
                if key in _KEYS:
                    continue
                inputs = tuple(part.strip() for part in key.split(","))
                if text == "not_differentiable":
                    fixed.update(inputs)
                    continue
                for i in inputs:
                    if i not in arguments or arguments[i].real_type.info.kind != "Tensor":
                        fail(f"{i!r} is no tensor argument")
                formulas.append((inputs, _parse(text, fail)))
            places = list(arguments)
            formulas.sort(key=lambda pair: places.index(pair[0][0]))  # noqa: B023
            outputs = raw.get("outputs")
            if outputs == "none":
                outputs = [False] * len(operator.schema.returns)
            elif outputs is not None and len(outputs) != len(operator.schema.returns):
                fail("`outputs` has a bool for each result")
            elif not formulas and outputs is None:
                fail("an entry has formulas, or `outputs: none`")
            base = operator.base.rstrip("_") if operator.is_inplace else operator.base
            number = 0
            if formulas and "node" not in raw:
                number = counts.get(base, 0)
                counts[base] = number + 1
            title = base.removesuffix("_forward").title().replace("_", "")
            node = raw.get("node", f"{title}Backward{number}")
            saves = [_parse(text, fail) for text in raw.get("saves", ())]
            found[name] = _Entry(operator, line, formulas, fixed, raw.get("tangent"), outputs, node, saves)
    return list(found.values())


def _helpers(package: Path) -> dict[str, str]:
    """The public functions of the package of formulas' helpers: name -> module."""
    found = {}
    for module in sorted(package.glob("*.py")):
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found[node.name] = module.stem
    return found


def _elementwise(entry: _Entry, formula: ast.expr, argument: str) -> ast.expr:
    """The tangent of an operator on single elements: its gradient's formula on the tangent, conjugated both ways."""

    class Swap(ast.NodeTransformer):
        def visit_Name(self, node):
            if node.id == "grad":
                return ast.parse(f"conj({argument}_t)", mode="eval").body
            return node

    copied = ast.parse(ast.unparse(formula), mode="eval").body
    return ast.parse(f"conj({ast.unparse(Swap().visit(copied))})", mode="eval").body


def _gradient(entry: _Entry, path: Path, others: set[str]) -> tuple[str, str]:
    """The text of the function of an entry's gradients, and its row of the table."""
    saves = _Saves(entry)
    inputs: list[str] = []
    values: list[tuple[tuple[str, ...], str, int]] = []
    for names, formula in entry.formulas:
        bits = [1 << (len(inputs) + i) for i in range(len(names))]
        saves.bits = sum(bits)
        formula = saves.visit(ast.parse(ast.unparse(formula), mode="eval").body)
        text = ast.unparse(formula)
        for name in {"output_mask", "grad_input_mask"} & saves.others:
            flags = ", ".join(f"_mask & {b} != 0" for b in bits)
            text = ast.unparse(_replace_mask(formula, name, f"({flags}{',' if len(bits) == 1 else ''})"))
            saves.others.discard(name)
        values.append((names, text, sum(bits)))
        inputs += names
    saves.bits = -1
    for kept in entry.saves:
        saves.visit(kept)
    single = len(entry.formulas) == 1
    grads = "grads" in saves.others
    saves.others -= {"grad", "grads"}
    others |= saves.others
    parameters = ["_mask", "grads" if grads else "grad", *saves.saved]
    lines = [f"def {entry.function}({', '.join(parameters)}):"]
    if grads:
        lines.append("    grad = grads[0]")
    if single:
        lines.append(f"    return {values[0][1]}")
    else:
        # In the order of PyTorch, which goes by names: modes see the calls.
        for names, text, bits in sorted(values, key=lambda value: ", ".join(value[0])):
            nothing = "None" if len(names) == 1 else f"({'None, ' * len(names)})"
            lines.append(f"    {'_and_'.join(names)}_grad_ = {text} if _mask & {bits} else {nothing}")
        parts = [f"{'*' * (len(names) > 1)}{'_and_'.join(names)}_grad_" for names, _, _ in values]
        lines.append(f"    return ({', '.join(parts)})")
    places = {name: i for i, name in enumerate(entry.arguments)}
    rows = []
    for saved, (name, part) in saves.saved.items():
        place = places[name] if name in places else -1 - entry.results.index(name)
        rows.append(f"({saved!r}, {place}, {part!r}, {saves.wanted_for[saved]})")
    text = (f"{entry.node!r}, {entry.function}, {tuple(places[i] for i in inputs)!r}, ({''.join(r + ', ' for r in rows)}), {grads}")
    return "\n".join(lines) + "\n", text


def _replace_mask(formula, name, text):
    class Swap(ast.NodeTransformer):
        def visit_Name(self, node):
            return ast.parse(text, mode="eval").body if node.id == name else node

    return Swap().visit(formula)


def _tangent(entry: _Entry, path: Path, others: set[str]) -> tuple[str, str]:
    """The text of the function of an entry's tangents, and its part of the row: (function, names of its parameters) or None."""
    if entry.tangent is None:
        return "", "None"
    inputs = [i for names, _ in entry.formulas for i in names]
    if str(entry.tangent).strip() == "linear":
        return "", "'linear'"
    if str(entry.tangent).strip() == "elementwise":
        formulas = [_elementwise(entry, f, names[0]) for names, f in entry.formulas]
        formula = formulas[0]
        for other in formulas[1:]:
            formula = ast.BinOp(formula, ast.Add(), other)
        formula = ast.parse(ast.unparse(formula), mode="eval").body
    else:
        formula = _parse(entry.tangent, lambda rule: entry.fail(path, rule))
    known = {*entry.arguments, *entry.results, *(f"{i}_t" for i in inputs)}
    used = []
    for node in ast.walk(formula):
        if isinstance(node, ast.Name):
            if node.id in known:
                if node.id not in used:
                    used.append(node.id)
            else:
                others.add(node.id)
    name = f"tangent_of_{entry.operator.native.func.name.unambiguous_name()}"
    return f"def {name}({', '.join(used)}):\n    return {ast.unparse(formula)}\n", f"({name}, {tuple(used)!r})"


def derivatives(root: Path, operators: list[Operator]) -> str:
    """The text of the generated module.

    Parameters
    ----------
    root : Path
        The source tree.
    operators : list of Operator
        Every operator of the list, also those that a build leaves out.

    Returns
    -------
    str
        Functions, and ``TABLE``: operator -> (node, function, places of differentiable arguments, what is saved, whether the function
        takes the gradients of all results, which results have gradients, tangent). What is saved is (name, place, part, bits of
        the inputs whose gradients want it), where places below 0 are results: -1 the first; a part that is a number is the size of that
        dimension. Last come the places of the tensor arguments that must not need a gradient.

    Raises
    ------
    EntryError
        If an entry breaks a rule.
    """
    path = root / "kernels" / "derivatives.yaml"
    helpers = _helpers(root / "runtime" / "derivatives")
    public = {p.name for p in public_functions(operators) if p.function and not p.module}
    overloads: dict[str, list[str]] = {}
    for o in operators:
        if not o.is_out:
            overloads.setdefault(o.base, []).append(o.native.func.name.overload_name or "default")
    functions, rows = [], []
    imports: dict[str, set[str]] = {}
    packets: set[str] = set()
    for entry in _entries(path, operators):
        others: set[str] = set()
        gradient = row = ""
        if entry.formulas:
            gradient, row = _gradient(entry, path, others)
            functions.append(gradient)
        else:
            row = f"{entry.node!r}, None, (), (), False"
        text, tangent = _tangent(entry, path, others)
        if text:
            functions.append(text)
        bound = {n.id for _, f in entry.formulas for n in ast.walk(f) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        for name in sorted(others - bound):
            if name in helpers:
                imports.setdefault(f"runtime.derivatives.{helpers[name]}", set()).add(name)
            elif name in public:
                imports.setdefault("runtime", set()).add(name)
            elif name in overloads:
                imports.setdefault("runtime", set()).add("ops")
                packets.add(name)
            elif not hasattr(builtins, name):
                entry.fail(path, f"{name!r} is no argument, no function of runtime/derivatives and no operator")
        differentiable = {i for names, _ in entry.formulas for i in names} | entry.fixed
        refused = tuple(
            i for i, a in enumerate(entry.operator.schema.arguments)
            if entry.formulas and a.real_type.info.kind == "Tensor" and a.name not in differentiable and not a.real_type.info.elem_is_optional
        )  # fmt: skip
        rows.append(f"    {entry.operator.name!r}: ({row}, {entry.outputs!r}, {tangent}, {refused!r}),\n")
    lines = [f"from {module} import {', '.join(sorted(names))}\n" for module, names in sorted(imports.items())]
    only = {name: f".{overloads[name][0]}" if len(overloads[name]) == 1 else "" for name in packets}
    lines += [f"{name} = ops.aten.{name}{only[name]}\n" for name in sorted(packets)]
    return _HEADER + "".join(lines) + "\n\n" + "\n\n".join(functions) + "\n\nTABLE = {\n" + "".join(rows) + "}\n"
