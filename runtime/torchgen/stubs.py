"""Writes the type stubs of the package: what is generated merged into the templates beside this file.

``_core.pyi.in`` and ``__init__.pyi.in`` hold what is typed by hand, with marks where the operators' functions and
methods, the keys, tags, dtypes and layouts go. Signatures are those that callers see: `self` is a function's `input`,
sizes may be given separately, factories take the tensor options, operators with an out= sibling take `out`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from keyword import iskeyword
from pathlib import Path

from runtime.schema import Argument
from runtime.torchgen.operators import Operator
from runtime.torchgen.signatures import PublicFunction, public_functions

__all__ = ["stubs"]

_HEADER = "# Written by runtime/torchgen/stubs.py.\n# mypy: disable-error-code=\"overload-overlap,overload-cannot-match,misc\"\n"

_TYPES = {
    "Tensor": "TensorLike",
    "int": "_int",
    "SymInt": "_int",
    "float": "_float",
    "bool": "_bool",
    "SymBool": "_bool",
    "str": "str",
    "Scalar": "Number",
    "ScalarType": "_dtype",
    "Layout": "_layout",
    "Device": "Device",
    "MemoryFormat": "_memory_format",
    "Generator": "Generator",
    "Storage": "UntypedStorage",
}


#: Modules of the package that hold the functions of one `python_module`.
FUNCTION_MODULES = ("fft", "linalg", "special")

#: What these modules hold beside functions.
_CLASSES = {"linalg": ["class LinAlgError(RuntimeError): ..."]}

#: Names that the public namespace does not have; its stub imports them with an underscore.
_PRIVATE = re.compile(r"\b(Device|Number|TensorLike)\b")


def _type(a: Argument, o: Operator, name: str) -> str:
    info = a.real_type.info
    kind = _TYPES.get(info.kind, "Any")
    if info.kind == "Tensor" and (a.is_write or name == "self"):
        kind = "Tensor"
    elif info.kind == "Tensor" and o.numbers_as_tensors and not info.is_list:
        kind = "TensorLike | Number"
    if info.is_list:
        kind = f"Sequence[{kind}{' | None' if info.elem_is_optional else ''}]" + (f" | {kind}" if info.list_size else "")
    return kind + (" | None" if info.is_optional and " | None" not in kind.rpartition("]")[2] else "")


def _result(o: Operator, returns: dict[tuple[str, ...], str]) -> str:
    kinds = []
    for r in o.schema.returns:
        info = r.real_type.info
        kind = {"TensorLike": "Tensor"}.get(_TYPES.get(info.kind, "Any"), _TYPES.get(info.kind, "Any"))
        kinds.append(f"list[{kind}]" if info.is_list else kind)
    names = tuple(r.name or "" for r in o.schema.returns)
    if len(kinds) > 1 and all(names):
        return returns.setdefault((*names, *kinds), f"_{'_'.join(names)}")
    return "None" if not kinds else kinds[0] if len(kinds) == 1 else f"tuple[{', '.join(kinds)}]"


def _parameters(o: Operator, out: Operator | None, method: bool, factory: bool, varargs: bool) -> str | None:
    """The parameters of one signature; None where separate sizes are asked for and it takes none."""
    positional, keywords, options = [], [], []
    has_options = any(a.name == "pin_memory" for a in o.schema.arguments)
    separate = None
    for i, a in enumerate(o.schema.arguments):
        if method and i == 0:
            continue
        name = "input" if a.name == "self" and a.type.info.kind == "Tensor" else a.name
        text = f"{name}_" if iskeyword(name) else name
        text += f": {_type(a, o, name)}" + (" = ..." if a.has_default else "")
        place = positional if not a.kwarg_only else options if has_options and a.name in ("dtype", "layout", "device", "pin_memory") else keywords
        place.append(text)
        if place is positional and len(positional) == 1 and a.type.info.is_list and a.type.info.kind in ("int", "SymInt"):
            separate = name
    if varargs:
        if separate is None or len(positional) != 1:
            return None
        positional = [f"*{separate}: _int"]
    if out is not None and not method:
        outs = [a for a in out.schema.arguments if a.is_out]
        kind = "Tensor" if len(outs) == 1 and not outs[0].type.info.is_list else "Sequence[Tensor]"
        keywords.append(f"out: {kind} | None = ...")
    if factory and has_options:
        options.append("requires_grad: _bool = ...")
    named = [*keywords, *options]
    star = ["*"] if named and not varargs else []
    return ", ".join([*(["self"] if method else []), *positional, *star, *named])


def _function(p: PublicFunction, method: bool, indent: str, returns: dict[tuple[str, ...], str]) -> list[str]:
    factory = any(a.name == "pin_memory" for o, _ in p.signatures for a in o.schema.arguments)
    forms = []
    name = p.name.removeprefix(f"{p.module}_") if p.module and not method else p.name
    for o, out in p.signatures:
        for varargs in (False, True):
            parameters = _parameters(o, out, method, factory, varargs)
            if parameters is not None:
                form = f"def {name}({parameters}) -> {_result(o, returns)}: ..."
                if form not in forms:
                    forms.append(form)
    overload = [f"{indent}@overload"] if len(forms) > 1 else []
    return [line for form in forms for line in (*overload, f"{indent}{form}")]


def _return_classes(returns: dict[tuple[str, ...], str]) -> list[str]:
    """Classes of named results, which are tuples."""
    lines = []
    for key, name in returns.items():
        fields, kinds = key[: len(key) // 2], key[len(key) // 2 :]
        lines.append(f"class {name}(tuple[{', '.join(kinds)}]):")
        for field, kind in zip(fields, kinds, strict=True):
            lines += ["    @property", f"    def {field}(self) -> {kind}: ..."]
    return lines


def _fill(template: str, **parts: Iterable[str]) -> str:
    text = _HEADER + template.partition("\n")[2]
    for mark, lines in parts.items():
        if text.count(f"@{mark}@") != 1:
            raise ValueError(f"the template needs @{mark}@ once")
        text = text.replace(f"@{mark}@", "\n".join(lines))
    return text


def stubs(templates: Path, tags: Iterable[str], operators: list[Operator]) -> dict[str, str]:
    """The stubs of a build.

    Parameters
    ----------
    templates : Path
        The folder of the templates.
    tags : iterable of str
        The names of all tags.
    operators : list of Operator
        Those of the build.

    Returns
    -------
    dict of str to str
        Texts by file name, to lie in the package's folder.
    """
    public = sorted(public_functions(operators), key=lambda p: p.name)
    returns: dict[tuple[str, ...], str] = {}
    methods = [line for p in public if p.method for line in _function(p, True, "    ", returns)]
    package = (templates / "__init__.pyi.in").read_text()
    own = set(re.findall(r"^def (\w+)", package, re.MULTILINE))  # in Python, around the operator of that name
    functions = [line for p in public if p.function and not p.module and p.name not in own for line in _function(p, False, "", returns)]
    modules = {}
    for module in FUNCTION_MODULES:
        lines = [*_CLASSES.get(module, ()), *(line for p in public if p.function and p.module == module for line in _function(p, False, "", returns))]
        modules[f"{module}.pyi"] = _fill(
            (templates / "module.pyi.in").read_text(),
            RETURNS=[f"from runtime._core import {name} as {name}" for name in returns.values() if any(name in line for line in lines)],
            FUNCTIONS=[_PRIVATE.sub(r"_\1", line) for line in lines],
        )
    return {
        **modules,
        "_core.pyi": _fill(
            (templates / "_core.pyi.in").read_text(),
            TAGS=[f"    {tag}: ClassVar[Tag]" for tag in tags],
            METHODS=methods,
            RETURNS=["", *_return_classes(returns)],
        ),
        "__init__.pyi": _fill(
            package,
            RETURNS=[f"from runtime._core import {name} as {name}" for name in returns.values()],
            FUNCTIONS=[_PRIVATE.sub(r"_\1", line) for line in functions],
        ),
    }
