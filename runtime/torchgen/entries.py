"""The entries of kernels/native_functions.yaml, read and checked.

`read_operators` turns the file into `NativeFunction` objects or fails with the place, the rule that was broken and
the entry. What an entry implies (the Meta kernel of a structured definition, the kernels of the entries that delegate
to it, tags that follow from the kind, registrations at ADInplaceOrView) is worked out here, so that writers of tables
only copy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

import yaml

from runtime.schema import FunctionSchema, SchemaError, parse_name, parse_schema

__all__ = ["EntryError", "Kernel", "NativeFunction", "dispatch_keys", "read_operators", "read_tags"]

#: Composite kernels and other kernels written in Python live here.
PYTHON_KERNELS = "runtime.composite"

NAMESPACE = "aten"

_KEYS = frozenset(
    [
        "func",
        "variants",
        "structured",
        "structured_delegate",
        "python_module",
        "device_check",
        "manual_cpp_binding",
        "dispatch",
        "autogen",
        "tags",
    ]
)
_IMPLIED_TAGS = frozenset(["inplace", "out", "pt2_compliant_tag"])
_STRUCTURED_KEYS = ("CPU", "Meta")
_COMPOSITES = frozenset(
    ["CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"]
)
#: Nothing to record: `lift_fresh` returns its very argument, `detach_` changes neither elements nor geometry.
_UNRECORDED = frozenset(["detach_", "lift_fresh"])
_KERNEL = re.compile(r"(?:(py|structured)::)?([A-Za-z_][A-Za-z0-9_]*)")

#: Base names of the operators that take a Python number where a Tensor is declared, in-place forms included. PyTorch
#: keeps this list in the binder of `torch.ops`; nothing in a schema tells.
NUMBERS_AS_TENSORS = frozenset(["_to_copy", "add", "copy", "div", "floor_divide", "mul", "sub", "to", "true_divide"])


class EntryError(ValueError):
    """An entry breaks a rule; the message has the place, the rule and the entry.

    Attributes
    ----------
    path : Path
    line : int
        Counted from 1.
    rule : str
    """

    def __init__(self, path: Path, line: int, rule: str, entry: object):
        text = entry if isinstance(entry, str) else yaml.safe_dump(entry, sort_keys=False, width=1000).rstrip()
        super().__init__(f"{path}:{line}: {rule}\n  " + text.replace("\n", "\n  "))
        self.path, self.line, self.rule = path, line, rule


class Kernel(NamedTuple):
    """One registration: a key and what runs there.

    `how` is "c" (a C function), "py" (a Python function), "structured" (a structured definition, run as the entry's
    variant) or "generic" (one of the core's own kernels); `name` is written as in the YAML, without prefix.
    """

    key: str
    how: str
    name: str


@dataclass(eq=False)
class NativeFunction:
    """One operator overload.

    Attributes
    ----------
    schema : FunctionSchema
    text : str
        The schema as written, with its namespace.
    line : int
        Where the entry starts in the file.
    variants : frozenset of str
        Of "function" and "method": what is offered to Python.
    kernels : list of Kernel
        Every registration, implied ones included.
    tags : frozenset of str
        Implied ones included.
    """

    schema: FunctionSchema
    text: str
    line: int
    entry: dict
    variants: frozenset[str]
    python_module: str
    structured: bool
    structured_delegate: str
    kernels: list[Kernel] = field(default_factory=list)
    tags: frozenset[str] = frozenset()

    @property
    def base(self) -> str:
        """The operator's name without namespace and overload; in-place ones keep their underscore."""
        return self.schema.operator_name.name

    @property
    def name(self) -> str:
        """``add_.Tensor``: name and overload without the namespace."""
        overload = self.schema.overload_name
        return f"{self.base}.{overload}" if overload else self.base

    @property
    def is_out(self) -> bool:
        return any(a.is_out for a in self.schema.arguments)

    @property
    def is_inplace(self) -> bool:
        return self.base.endswith("_") and not self.base.endswith("__")

    @property
    def variant(self) -> str:
        """The variant as which structured kernels run."""
        return "RT_OUT" if self.is_out else "RT_INPLACE" if self.is_inplace else "RT_FUNCTIONAL"

    @property
    def is_view(self) -> bool:
        """Whether it returns a view: an argument is annotated and none is written."""
        return not self.schema.is_mutable and any(a.annotation is not None for a in self.schema.arguments)

    @property
    def numbers_as_tensors(self) -> bool:
        return self.base.removesuffix("_") in NUMBERS_AS_TENSORS


def dispatch_keys(header: Path) -> dict[str, str]:
    """The keys that kernels register at, from include/runtime/keys.h: name -> C expression of the key's number."""
    text = header.read_text()

    def items(macro: str) -> list[list[str]]:
        body = re.search(rf"#define {macro}\(_\)((?:.*\\\n)*.*)", text)
        if body is None:
            raise ValueError(f"{header}: no list {macro}")
        return [[part.strip() for part in call.split(",")] for call in re.findall(r"_\(([^()]*)\)", body[1])]

    keys = {}
    per_backend = items("RT_FORALL_PER_BACKEND")
    blocks = {functionality for functionality, _ in per_backend}
    for (name,) in items("RT_FORALL_FUNCTIONALITIES") + items("RT_FORALL_ALIASES"):
        if name not in blocks:
            keys[name] = f"RT_KEY_{name}"
    for functionality, prefix in per_backend:
        for (backend,) in items("RT_FORALL_BACKENDS"):
            keys[prefix + backend] = f"RT_KEY_StartOf{functionality}Backends + 1 + RT_BACKEND_{backend}"
    return keys


def _load(path: Path) -> list[tuple[int, object]]:
    """The items of a YAML list with their lines. Duplicate keys are errors, though the loader lets them pass."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text())
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            raise EntryError(path, 1, "the file is a list of entries", path.name)
        items = []
        for node in root.value:
            line = node.start_mark.line + 1
            value = loader.construct_document(node)
            if isinstance(node, yaml.MappingNode):
                seen = set()
                for key, child in [(key.value, child) for key, child in node.value]:
                    nested = [k.value for k, _ in child.value] if isinstance(child, yaml.MappingNode) else []
                    twice = key if key in seen else next((k for k in nested if nested.count(k) > 1), None)
                    if twice is not None:
                        raise EntryError(path, line, f"the key {twice!r} stands twice", value)
                    seen.add(key)
            items.append((line, value))
        return items
    except yaml.MarkedYAMLError as e:
        line = e.problem_mark.line + 1 if e.problem_mark else 1
        raise EntryError(path, line, f"not YAML: {e.problem}", path.name) from None
    finally:
        loader.dispose()


def read_tags(path: Path) -> list[str]:
    """The names of all tags, in the order of their bits."""
    names = []
    for line, entry in _load(path):
        if (
            not isinstance(entry, dict)
            or set(entry) != {"tag", "desc"}
            or not all(isinstance(v, str) and v for v in entry.values())
        ):
            raise EntryError(path, line, "a tag has a name (`tag`) and a description (`desc`)", entry)
        names.append(entry["tag"])
    if names != sorted(set(names)):
        raise EntryError(path, 1, "tags stand in the order of their names, each once", ", ".join(names))
    if len(names) > 32:
        raise EntryError(path, 1, "a tag set has 32 bits", f"{len(names)} tags")
    return names


class _Reader:
    """Reads one entry at a time; `fail` knows which."""

    def __init__(self, path: Path, keys: dict[str, str], tags: list[str]):
        self.path, self.keys, self.tags = path, keys, frozenset(tags)
        self.line, self.entry = 1, {}

    def fail(self, rule: str) -> NoReturn:
        raise EntryError(self.path, self.line, rule, self.entry)

    def text(self, key: str) -> str:
        value = self.entry.get(key, "")
        if not isinstance(value, str):
            self.fail(f"`{key}` is a text")
        return value

    def flag(self, key: str) -> bool:
        value = self.entry.get(key, False)
        if not isinstance(value, bool):
            self.fail(f"`{key}` is True or False")
        return value

    def words(self, key: str) -> list[str]:
        """A list of words, written as a YAML list or with commas between."""
        value = self.entry.get(key, [])
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        if (
            not isinstance(value, list)
            or not all(isinstance(v, str) and v for v in value)
            or len(set(value)) != len(value)
        ):
            self.fail(f"`{key}` is a list of different words")
        return value

    def read(self, line: int, entry: object) -> NativeFunction:
        self.line, self.entry = line, entry
        if not isinstance(entry, dict) or not isinstance(entry.get("func"), str):
            self.fail("an entry is a mapping with the operator's schema under `func`")
        unknown = [key for key in entry if key not in _KEYS]
        if unknown:
            self.fail(f"unknown key {unknown[0]!r} (known are {', '.join(sorted(_KEYS))})")
        try:
            schema = parse_schema(f"{NAMESPACE}::{entry['func']}", allow_typevars=False)
        except SchemaError as e:
            self.fail(f"bad schema: {e}")
        if schema.source() != f"{NAMESPACE}::{entry['func']}":
            self.fail(f"a schema is written as {schema.source().removeprefix(NAMESPACE + '::')!r}")
        if schema.is_vararg or schema.is_varret:
            self.fail("operators take and return fixed numbers of values")
        variants = frozenset(self.words("variants") or ["function"])
        if not variants <= {"function", "method"}:
            self.fail("`variants` are of function and method")
        f = NativeFunction(
            schema,
            schema.source(),
            line,
            entry,
            variants,
            self.text("python_module"),
            self.flag("structured"),
            self.text("structured_delegate"),
        )
        self.flag("manual_cpp_binding")
        self.check_kind(f)
        f.tags = self.read_tags(f)
        f.kernels = self.read_dispatch(f)
        for name in self.words("autogen"):
            try:
                parse_name(name)
            except SchemaError as e:
                self.fail(f"`autogen` lists operator names: {e}")
        return f

    def check_kind(self, f: NativeFunction) -> None:
        arguments, returns = f.schema.arguments, f.schema.returns
        if self.text("device_check") not in ("", "NoCheck", "ExactSame"):
            self.fail("`device_check` is NoCheck or ExactSame")
        if f.python_module and "method" in f.variants:
            self.fail("a function of `python_module` is no method")
        if f.structured and f.structured_delegate:
            self.fail("`structured` and `structured_delegate` exclude each other")
        if f.structured and not f.is_out:
            self.fail("`structured` stands at the out= overload")
        if f.structured_delegate and f.is_out:
            self.fail("`structured_delegate` stands at functional and in-place overloads")
        if f.is_out and f.variants != {"function"}:
            self.fail("an out= overload is a function only")
        if f.is_inplace:
            first = arguments[0] if arguments else None
            if first is None or not first.is_write or f.is_out:
                self.fail("an in-place operator writes its first argument")
            if first.type.info.kind == "Tensor" and not first.type.info.is_list:
                if len(returns) != 1 or returns[0].annotation != first.annotation:
                    self.fail("an in-place operator returns its first argument")
        if "method" in f.variants and not any(a.name == "self" and a.type.info.kind == "Tensor" for a in arguments):
            self.fail("a method has a Tensor argument `self`")

    def read_tags(self, f: NativeFunction) -> frozenset[str]:
        tags = set(self.words("tags"))
        if not tags <= self.tags:
            self.fail(f"unknown tag {min(tags - self.tags)!r}")
        if tags & _IMPLIED_TAGS:
            self.fail(f"the tag {min(tags & _IMPLIED_TAGS)!r} follows from the entry's kind")
        if "inplace_view" in tags and not f.is_inplace:
            self.fail("an inplace_view operator is an in-place one")
        if any(a.type.info.kind == "Generator" for a in f.schema.arguments) and "nondeterministic_seeded" not in tags:
            self.fail("an operator with a Generator is nondeterministic_seeded")
        tags.add("pt2_compliant_tag")
        if f.is_inplace:
            tags.add("inplace")
        if f.is_out:
            tags.add("out")
        return frozenset(tags)

    def read_dispatch(self, f: NativeFunction) -> list[Kernel]:
        dispatch = self.entry.get("dispatch", {})
        if not isinstance(dispatch, dict) or not all(
            isinstance(k, str) and isinstance(v, str) for k, v in dispatch.items()
        ):
            self.fail("`dispatch` maps keys to names of kernels")
        kernels: list[Kernel] = []
        for keys, value in dispatch.items():
            match = _KERNEL.fullmatch(value)
            if match is None:
                self.fail(f"{value!r} is no kernel: NAME, py::NAME or structured::NAME")
            how, name = match[1] or "c", match[2]
            for key in keys.split(","):
                key = key.strip()
                if key not in self.keys:
                    self.fail(f"{key!r} is no dispatch key")
                if any(k.key == key for k in kernels):
                    self.fail(f"{key} has two kernels")
                if key in _COMPOSITES and how == "structured":
                    self.fail("a structured definition needs a backend key")
                kernels.append(Kernel(key, how, name))
        names = {k.key for k in kernels}
        composites = names & _COMPOSITES
        if len(composites) > 1:
            self.fail(f"{' and '.join(sorted(composites))} exclude each other")
        if "CompositeImplicitAutograd" in names and len(names) > 1:
            self.fail("beside CompositeImplicitAutograd no other kernel can be reached with gradients")
        if f.structured:
            definition = next((k for k in kernels if k.key == "CPU"), None)
            if definition is None or definition.how != "c" or "Meta" in names:
                self.fail("a structured entry names its definition under `CPU`, and nothing under `Meta`")
            kernels.remove(definition)
            kernels[:0] = [Kernel(key, "structured", definition.name) for key in _STRUCTURED_KEYS]
        elif f.structured_delegate:
            clash = names.intersection(_STRUCTURED_KEYS)
            if clash:
                self.fail(f"the kernel of {min(clash)} comes from {f.structured_delegate}")
        elif not kernels:
            self.fail("an entry has a `dispatch`, unless it delegates to a structured one")
        return kernels


def _add_delegated(reader: _Reader, functions: list[NativeFunction]) -> None:
    by_name = {f.name: f for f in functions}
    for f in functions:
        if not f.structured_delegate:
            continue
        reader.line, reader.entry = f.line, f.entry
        target = by_name.get(f.structured_delegate)
        if target is None or not target.structured:
            reader.fail(f"{f.structured_delegate!r} is no structured entry")
        inputs = [(a.name, a.real_type) for a in target.schema.arguments if not a.is_out]
        if [(a.name, a.real_type) for a in f.schema.arguments] != inputs:
            reader.fail(f"it takes other arguments than {f.structured_delegate}")
        f.kernels[:0] = [k for k in target.kernels if k.how == "structured"]


def _add_generic(f: NativeFunction) -> None:
    """Registrations at ADInplaceOrView.  Implicit composites have none: what they call has."""
    if f.name in _UNRECORDED or any(k.key == "CompositeImplicitAutograd" for k in f.kernels):
        return
    if f.schema.is_mutable:
        f.kernels.append(Kernel("ADInplaceOrView", "generic", "rt_adinplace_kernel"))
    elif f.is_view:
        f.kernels.append(Kernel("ADInplaceOrView", "generic", "rt_adview_kernel"))


def read_operators(path: Path, keys: dict[str, str], tags: list[str]) -> list[NativeFunction]:
    """Read and check the whole operator list.

    Parameters
    ----------
    path : Path
        The YAML file.
    keys : dict
        From `dispatch_keys`.
    tags : list of str
        From `read_tags`.

    Returns
    -------
    list of NativeFunction
        In the file's order, with all registrations.

    Raises
    ------
    EntryError
        If an entry breaks a rule.
    """
    reader = _Reader(path, keys, tags)
    functions: list[NativeFunction] = []
    places: dict[str, int] = {}
    for line, entry in _load(path):
        f = reader.read(line, entry)
        if f.name in places:
            reader.fail(f"{f.name} has an entry already, at line {places[f.name]}")
        places[f.name] = line
        functions.append(f)
    _add_delegated(reader, functions)
    _check_symbols(reader, functions)
    for f in functions:
        _add_generic(f)
    return functions


def _check_symbols(reader: _Reader, functions: list[NativeFunction]) -> None:
    """A kernel's name stands for one C symbol, hence for one kind of thing."""
    kinds: dict[str, tuple[str, NativeFunction]] = {}
    for f in functions:
        for kernel in f.kernels:
            if kernel.how in ("c", "structured"):
                how, first = kinds.setdefault(kernel.name, (kernel.how, f))
                if how != kernel.how:
                    reader.line, reader.entry = f.line, f.entry
                    reader.fail(
                        f"{kernel.name!r} is a structured definition in one entry and a function in another"
                        f" ({first.name}, line {first.line})"
                    )
