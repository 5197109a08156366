"""Writes the static tables of the built-in operators as C, for setup.py.

`generate` reads the operator list and writes ``rt_builtins.h``, the numbers by which C code names operators,
``operators.c``, the tables that runtime/core/core.h declares, the type stubs and the operator reference. Everything is read and rendered before
the first byte is written.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import NamedTuple

from runtime.schema import Argument, Return
from runtime.torchgen.derivatives import derivatives
from runtime.torchgen.key_lists import POLICIES
from runtime.torchgen.operators import PYTHON_KERNELS, Operator, Sources, read_operators
from runtime.torchgen.reference import reference
from runtime.torchgen.selection import c_number, select
from runtime.torchgen.signatures import PublicFunction, public_functions
from runtime.torchgen.stubs import stubs

__all__ = ["generate", "render"]

_HEADER = "/* Written by runtime/torchgen/build.py from kernels/native_functions.yaml. */\n"

_KINDS = {
    "Tensor": "TENSOR",
    "int": "INT",
    "SymInt": "INT",
    "float": "FLOAT",
    "bool": "BOOL",
    "SymBool": "BOOL",
    "str": "STR",
    "Scalar": "SCALAR",
    "ScalarType": "DTYPE",
    "Layout": "LAYOUT",
    "Device": "DEVICE",
    "MemoryFormat": "MEMORY_FORMAT",
    "Generator": "GENERATOR",
    "Storage": "STORAGE",
    "Stream": "STREAM",
}

_PARAMETERS = "rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx"

_BUILTINS = """\
#ifndef RT_BUILTINS_H
#define RT_BUILTINS_H

/* Indices into rt_builtin_ops of the operators that C code names. Those stand first, so that this file stays as it is, and nothing is
 * compiled again, when other operators come or go. */
enum rt_builtin {{
{rows}    RT_OP_NONE = -1
}};

#endif
"""

_CODES = {"DTYPE": "RT_D_DTYPE", "LAYOUT": "RT_D_LAYOUT", "MEMORY_FORMAT": "RT_D_MEMORY_FORMAT"}

_STRUCTURED = {"CPU": "rt_structured_cpu", "Meta": "rt_structured_meta"}

#: Tensor options that an out= variant does not take, since its output has them.
_FROM_OUT = {"dtype": "RT_FROM_DTYPE", "layout": "RT_FROM_LAYOUT", "device": "RT_FROM_DEVICE", "pin_memory": "RT_FROM_NOTHING"}

_LISTS = {
    "INT": ("int64_t", "RT_D_INT_LIST", "INT64_C({})"),
    "FLOAT": ("double", "RT_D_FLOAT_LIST", "{!r}"),
    "BOOL": ("uint8_t", "RT_D_BOOL_LIST", "{:d}"),
}


def _c_string(text: str) -> str:
    # JSON escapes are C escapes as long as the text is ASCII, which schemas of this list are.
    return json.dumps(text)


class _Tables:
    """The text of operators.c while it grows; arrays that several operators need are written once."""

    def __init__(self, sources: Sources, operators: list[Operator]):
        self.path, self.keys, self.tags = sources.operators, sources.keys, sources.tags
        self.numbers = {f.name: i for i, f in enumerate(operators)}
        self.shared: dict[tuple[str, str], str] = {}
        self.definitions: list[str] = []
        self.symbols: dict[str, str] = {}

    def array(self, kind: str, body: str) -> str:
        """The name of a static const array of `kind` with these elements."""
        name = self.shared.get((kind, body))
        if name is None:
            name = self.shared[kind, body] = f"a{len(self.shared)}"
            self.definitions.append(f"static const {kind} {name}[] = {{{body}}};")
        return name

    def default(self, f: Operator, a: Argument, kind: str) -> str:
        """The fields dflt, i, d, p of an argument."""
        if not a.has_default:
            return "RT_D_REQUIRED, 0, 0, NULL"
        value = a.default
        if value is None:
            return "RT_D_NONE, 0, 0, NULL"
        if a.type.info.is_list:
            if not isinstance(value, tuple):
                value = (value,) * (a.type.info.list_size or 1)
            if kind in _LISTS:
                element, tag, form = _LISTS[kind]
                values = [float(v) if kind == "FLOAT" else int(v) for v in value]
                data = self.array(element, ", ".join(form.format(v) for v in values)) if values else "NULL"
                return f"{tag}, {len(values)}, 0, {data}"
        elif kind in _CODES:
            return f"{_CODES[kind]}, {int(value)}, 0, NULL"
        elif isinstance(value, bool):
            return f"RT_D_{'TRUE' if value else 'FALSE'}, 0, 0, NULL"
        elif kind == "FLOAT" or isinstance(value, float):
            return f"RT_D_FLOAT, 0, {float(value)!r}, NULL"
        elif isinstance(value, int) and -(2**63) < value < 2**63:
            return f"RT_D_INT, INT64_C({value}), 0, NULL"
        elif isinstance(value, str) and kind == "STR":
            return f"RT_D_STR, 0, 0, {_c_string(value)}"
        f.fail(f"the default of `{a.name}` has no static form")

    def argument(self, f: Operator, a: Argument | Return) -> str:
        info = Argument(a.name, a.real_type).real_type.info
        kind = _KINDS.get(info.kind, "OBJECT")
        flags = []
        if info.is_optional:
            flags.append("OPTIONAL")
        if info.is_list:
            flags.append("LIST")
        if info.elem_is_optional:
            flags.append("OPTIONAL_ELEM")
        if a.kwarg_only:
            flags.append("KWARG_ONLY")
        if a.is_write:
            flags.append("WRITE")
        if a.annotation is not None:
            flags.append("ALIAS")
        if a.is_out:
            flags.append("OUT")
        if info.kind in ("SymInt", "SymBool"):
            flags.append("SYMBOLIC")
        default = self.default(f, a, kind) if isinstance(a, Argument) else "RT_D_REQUIRED, 0, 0, NULL"
        flag_text = " | ".join(f"RT_ARGF_{flag}" for flag in flags) or "0"
        return f"{{{_c_string(a.name)}, RT_ARG_{kind}, {flag_text}, {info.list_size or 0}, {default}}}"

    def symbol(self, name: str, declaration: str) -> None:
        self.symbols.setdefault(name, declaration)

    def kernels(self, f: Operator) -> str:
        debug, listed = _c_string(f"{self.path.name}:{f.line}"), _c_string("keys.yaml")
        rows = []
        for key, how, name in f.kernels:
            number = self.keys[key]
            if how == "py":
                rows.append(f"{{{number}, NULL, {_c_string(f'{PYTHON_KERNELS}.{name}')}, {debug}}}")
            elif how == "generic":
                rows.append(f"{{{number}, {name}, NULL, {debug}}}")
            elif how == "fallthrough":
                rows.append(f"{{{number}, rt_fallthrough_kernel, NULL, {listed}}}")
            elif how == "values":
                rows.append(f"{{{number}, rt_values_kernel, NULL, {listed}}}")
            elif how == "autocast":
                context = f"RT_AUTOCAST_CONTEXT({number}, {POLICIES[name]})"
                rows.append(f"{{{number}, rt_autocast_kernel, {context}, {listed}}}")
            elif how == "structured":
                self.symbol(name, f"extern const rt_structured_def rt_k_{name};")
                primary = f.native.structured_delegate
                out = self.numbers[str(primary)] if primary is not None else -1
                context = self.array("rt_structured", f"{{&rt_k_{name}, {f.variant}, {out}}}")
                rows.append(f"{{{number}, {_STRUCTURED.get(key, 'rt_structured_composite')}, {context}, {debug}}}")
            elif how == "made":
                rows.append(f"{{{number}, rt_made_{f.made_kind}, {self.made_of(f)}, {debug}}}")
            elif how == "same":
                rows.append(f"{{{number}, rt_same, {self.same_as(f)}, {debug}}}")
            elif how == "each":
                rows.append(f"{{{number}, rt_each, {self.each_of(f)}, {debug}}}")
            else:
                self.symbol(
                    name,
                    f"PyObject *rt_k_{name}({_PARAMETERS});",
                )
                rows.append(f"{{{number}, rt_k_{name}, NULL, {debug}}}")
        return self.array("rt_static_kernel", ", ".join(rows))

    def made_of(self, f: Operator) -> str:
        """From where a variant whose kernel nobody writes takes the arguments of the operator that it is made of."""
        places = {a.name: i for i, a in enumerate(f.schema.arguments)}
        sources = []
        for a in f.made_of.schema.arguments:
            if a.name in places:
                sources.append(str(places[a.name]))
            elif a.name in _FROM_OUT and a.kwarg_only:
                sources.append(_FROM_OUT[a.name])
            else:
                f.fail(f"nothing stands for `{a.name}` of {f.made_of.name}")
        outs = sum(a.is_out for a in f.schema.arguments)
        body = f"{{{self.numbers[f.made_of.name]}, {outs}, {int(not f.is_generated)}, {self.array('int8_t', ', '.join(sources))}}}"
        return self.array("rt_made_of", body)

    def same_as(self, f: Operator) -> str:
        """The operator that another name or an overload for numbers calls, and which of its arguments are numbers to be wrapped."""
        kinds = [(a.real_type.info.kind, b.real_type.info.kind) for a, b in zip(f.schema.arguments, f.made_of.schema.arguments)]
        numbers = sum(1 << i for i, pair in enumerate(kinds) if pair == ("Scalar", "Tensor"))
        return self.array("rt_same_as", f"{{{self.numbers[f.made_of.name]}, {numbers:#x}}}")

    def each_of(self, f: Operator) -> str:
        """The operator that is called for each place of lists, and which argument of this one gives each of its own."""
        sources = ", ".join(map(str, f.sources_of_each()))
        return self.array("rt_each_of", f"{{{self.numbers[f.made_of.name]}, {self.array('int8_t', sources)}}}")

    def operator(self, f: Operator) -> str:
        arguments, returns = f.schema.arguments, f.schema.returns
        flags = ["HAS_SCHEMA"]
        if f.numbers_as_tensors:
            flags.append("NUMBERS_AS_TENSORS")
        if any(r.type.info.is_list for r in returns):
            flags.append("RETURNS_LIST")
        if f.schema.is_mutable:
            flags.append("MUTABLE")
        if f.is_view:
            flags.append("VIEW")
        if f.is_composed:
            flags.append("UNRECORDED")
        args = self.array("rt_static_arg", ", ".join(self.argument(f, a) for a in arguments)) if arguments else "NULL"
        rets = self.array("rt_static_arg", ", ".join(self.argument(f, r) for r in returns)) if returns else "NULL"
        positional = sum(not a.kwarg_only for a in arguments)
        bits = sum(1 << self.tags.index(tag) for tag in f.tags)
        name = f.schema.operator_name
        counts = f"{len(arguments)}, {positional}, {len(returns)}, {len(f.kernels)}"
        return (
            f"    {{{_c_string(name.qualified_name)}, {_c_string(name.overload)}, {_c_string(f.text)},\n"
            f"     {args}, {rets}, {self.kernels(f)}, {counts},\n"
            f"     {' | '.join(f'RT_OPF_{flag}' for flag in flags)}, {bits:#x}}},"
        )

    def function(self, p: PublicFunction, numbers: dict[Operator, int]) -> str:
        ops = self.array("int16_t", ", ".join(str(numbers[f]) for f, _ in p.signatures))
        outs = self.array("int16_t", ", ".join("-1" if out is None else str(numbers[out]) for _, out in p.signatures))
        flags = " | ".join(flag for flag, on in (("RT_FN_FUNCTION", p.function), ("RT_FN_METHOD", p.method)) if on)
        return f"    {{{_c_string(p.module)}, {_c_string(p.name)}, {ops}, {outs}, {len(p.signatures)}, {flags}}},"


class _Build(NamedTuple):
    """What a build has: operators with their rows, operators left out that the core calls by their numbers, and others left out.

    `named` are the names that C code has for operators. Overloads of one name stay together and in order: calls try them in turn.
    """

    operators: list[Operator]
    missed: list[Operator]
    unreachable: list[Operator]
    named: frozenset[str]


def _divide(root: Path, functions: list[Operator], selection: Path | None) -> _Build:
    names: dict[str, Operator] = {}
    for f in functions:
        first = names.setdefault(c_number(f), f)
        if first is not f:
            f.fail(f"it would share the C name {c_number(f)} with {first.name}, line {first.line}")
    named = frozenset(word for part in ("runtime/core", "kernels") for path in (root / part).rglob("*.*") for word in _number_names(path))
    bases = {f.base for f in functions if c_number(f) in named}
    functions = sorted(functions, key=lambda f: f.base not in bases)
    if selection is None:
        return _Build(functions, [], [], named)
    chosen = select(root, functions, selection)
    have = {f.name for f in chosen}
    called = {word for path in (root / "runtime" / "core").iterdir() for word in _number_names(path)}
    left_out = [f for f in functions if f.name not in have]
    missed = [f for f in left_out if c_number(f) in called]
    return _Build(chosen, missed, [f for f in left_out if c_number(f) not in called], named)


def _number_names(path: Path) -> list[str]:
    return re.findall(r"RT_OP_\w+", path.read_text()) if path.suffix in (".c", ".h", ".pxi") else []


def _builtins(build: _Build) -> str:
    numbers = {c_number(f): i for i, f in enumerate([*build.operators, *build.missed])}
    # What is left out and named only where nothing of this build can get: any number will do.
    numbers.update({c_number(f): 0 for f in build.unreachable})
    return _HEADER + _BUILTINS.format(rows="".join(f"    {name} = {i},\n" for name, i in numbers.items() if name in build.named))


def _operators(sources: Sources, build: _Build) -> str:
    functions = build.operators
    tables = _Tables(sources, functions)
    operators = [tables.operator(f) for f in functions]
    numbers = {f: i for i, f in enumerate(functions)}
    public = [tables.function(p, numbers) for p in public_functions(functions)]
    parts = [
        _HEADER + '#include "runtime/core/key_kernels.h"\n#include "shared/made.h"\n#include "shared/structured.h"\n',
        "\n".join(tables.symbols[name] for name in sorted(tables.symbols)),
        "\n".join(tables.definitions),
        "const rt_static_op rt_static_ops[] = {\n" + "\n".join(operators) + "\n};",
        f"const int rt_num_static_ops = {len(operators)};\n",
        "const rt_static_function rt_static_functions[] = {\n" + "\n".join(public) + "\n};",
        f"const int rt_num_static_functions = {len(public)};\n",
        "const rt_static_name rt_left_out_ops[] = {"
        + ", ".join(f"{{{_c_string(o.schema.operator_name.qualified_name)}, {_c_string(o.native.func.name.overload_name)}}}" for o in build.missed)
        + f"{', ' * bool(build.missed)}{{NULL, NULL}}}};",
        f"const int rt_num_left_out_ops = {len(build.missed)};",
        f"const int rt_is_selective = {int(bool(build.missed or build.unreachable))};\n",
        "const char *const rt_tag_names[] = {" + ", ".join(map(_c_string, sources.tags)) + "};",
        f"const int rt_num_tags = {len(sources.tags)};",
    ]
    return "\n".join(parts) + "\n"


def render(root: Path, selection: Path | None = None) -> dict[str, str]:
    """The generated files of a source tree: texts by file name. Arguments and errors as for `generate`."""
    sources = Sources.of(root)
    operators = read_operators(sources)
    build = _divide(root, operators, selection)
    return {
        "rt_builtins.h": _builtins(build),
        "operators.c": _operators(sources, build),
        "derivatives.py": derivatives(root, operators),
        **stubs(root / "runtime" / "torchgen", sources.tags, build.operators),
        "operators.md": reference(build.operators),
    }


def generate(root: Path, out: Path, selection: Path | None = None) -> list[Path]:
    """Write the generated files.

    A file whose content would not change is left alone, so that nothing is recompiled for it.

    Parameters
    ----------
    root : Path
        The root of the sources: kernels/native_functions.yaml, kernels/tags.yaml, kernels/keys.yaml, include/runtime/keys.h, the names in
        runtime/kernels/ and kernels/, and the templates of the stubs are read.
    out : Path
        An existing folder to write into.
    selection : Path, optional
        A file that lists the operators to build; see `selection.select`.

    Returns
    -------
    list of Path
        All files that belong to the output, written just now or not.

    Raises
    ------
    AssertionError, RuntimeError, EntryError
        If an entry breaks a rule; nothing has been written then.
    SelectionError
        If `selection` names what there is not.
    """
    texts = render(root, selection)
    paths = []
    for name, text in texts.items():
        target = out / name
        if not target.exists() or target.read_text() != text:
            target.write_text(text)
        paths.append(target)
    return paths
