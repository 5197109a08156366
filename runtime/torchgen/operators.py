"""What the build makes of the operator list: every operator with the kernels that it is registered with.

The data model reads the list and holds it against its rules; here the entries get what follows from them: the kernels
of a structured definition's variants, of variants that no entry declares, of factories (BackendSelect), of writers and
views (ADInplaceOrView). Rules that our build has beyond PyTorch's are checked here too. `build` copies the result into
C tables.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, NoReturn

from runtime.schema import FunctionSchema, SchemaError, parse_schema
from runtime.torchgen.api import cpp
from runtime.torchgen.gen import get_grouped_by_view_native_functions, get_grouped_native_functions, parse_native_yaml, parse_tags_yaml
from runtime.torchgen.key_lists import key_lists
from runtime.torchgen.model import DispatchKey, NativeFunction, NativeFunctionsViewGroup, SchemaKind
from runtime.torchgen.native_function_generation import pre_group_native_functions

__all__ = ["EntryError", "Kernel", "Operator", "Sources", "c_names", "dispatch_keys", "python_kernels", "read_operators", "read_tags"]

#: The package of the kernels written in Python.
PYTHON_KERNELS = "runtime.kernels"

_STRUCTURED_KEYS = ("CPU", "Meta")
_COMPOSITES = frozenset(["CompositeImplicitAutograd", "CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional"])
#: Nothing to record: `lift_fresh` returns its very argument, `detach_` changes neither elements nor geometry. These are unrecorded in
#: PyTorch too, although they write: `rrelu_with_noise` its noise, batch norms their running statistics.
_UNRECORDED = frozenset(["_batch_norm_with_update", "_native_batch_norm_legit", "detach_", "lift_fresh", "rrelu_with_noise"])

#: Operators that the core's generic kernels at Autograd and at ADInplaceOrView do not serve, and the core's kernels that do: `detach_` forgets
#: a history, resizing writes only where the size changes, and views without gradients share memory and version and know no base.
_AUTOGRAD_KERNELS = {"detach_": "rt_detach_in_place_kernel"}
_INPLACE_OR_VIEW_KERNELS = {
    "_indices": "rt_adshare_kernel",
    "_values": "rt_adshare_kernel",
    "detach": "rt_adshare_kernel",
    "resize_": "rt_adresize_kernel",
    "resize_as_": "rt_adresize_kernel",
    "view.dtype": "rt_adshare_kernel",
}

#: Base names of the operators that take a Python number where a Tensor is declared, in-place forms included. PyTorch
#: keeps this list in the binder of `torch.ops`; nothing in a schema tells.
NUMBERS_AS_TENSORS = frozenset(
    ["_conj", "_to_copy", "add", "copy", "div", "divide", "floor_divide", "mul", "multiply", "sub", "subtract", "to", "true_divide"]
)


class EntryError(ValueError):
    """An entry breaks a rule of our build; the message has the rule, the place and the entry.

    Attributes
    ----------
    path : str
    line : int
        Counted from 1.
    rule : str
    """

    def __init__(self, path: str | Path, line: int, rule: str, entry: str):
        super().__init__(f"{rule}\n  in {path}:{line}:\n    {entry}")
        self.path, self.line, self.rule = str(path), line, rule


class Kernel(NamedTuple):
    """One registration: a key and what runs there.

    `how` is "c" (a C function), "py" (a Python function), "structured" (a structured definition, run as the operator's
    variant), "made" (the operator of that name, of which this one is a variant), "same" (the operator of that name, called with the same
    arguments), "each" (the operator of that name, called for each place of lists), "generic" (one of the core's own kernels), "fallthrough",
    "values" (the core's kernel over the values of sparse tensors) or "autocast" (the core's kernel with the policy of that name); `name` is
    the kernel's.
    """

    key: str
    how: str
    name: str


class Sources(NamedTuple):
    """The files that declare operators, and what entries may refer to.

    `lists` is kernels/keys.yaml, or None where there is none;
    `keys` are from `dispatch_keys`, `tags` from `read_tags`, `python` from `python_kernels`, `c` from `c_names`.
    """

    operators: Path
    tags_file: Path
    lists: Path | None
    keys: dict[str, str]
    tags: list[str]
    python: dict[str, list[str]]
    c: frozenset[str]

    @staticmethod
    def of(root: Path) -> Sources:
        """Those of a source tree."""
        tags = root / "kernels" / "tags.yaml"
        return Sources(
            root / "kernels" / "native_functions.yaml",
            tags,
            lists if (lists := root / "kernels" / "keys.yaml").is_file() else None,
            dispatch_keys(root / "include" / "runtime" / "keys.h"),
            read_tags(tags),
            python_kernels(root / "runtime" / "kernels"),
            c_names(root / "kernels"),
        )


@dataclass(eq=False)
class Operator:
    """One operator overload.

    Attributes
    ----------
    native : NativeFunction
        What the list says of it.
    schema : FunctionSchema
        Its schema in the form of the run time.
    kernels : list of Kernel
        Every registration.
    made_of : Operator or None
        The operator that its kernel calls, if it is a variant or another name whose kernel nobody writes.
    """

    native: NativeFunction
    schema: FunctionSchema
    kernels: list[Kernel] = field(default_factory=list)
    made_of: Operator | None = None

    @property
    def base(self) -> str:
        """The operator's name without namespace and overload; in-place ones keep their underscore."""
        return str(self.native.func.name.name)

    @property
    def name(self) -> str:
        """``add_.Tensor``: name and overload without the namespace."""
        return str(self.native.func.name)

    @property
    def text(self) -> str:
        """The schema with its namespace."""
        return f"{self.native.namespace}::{self.native.func}"

    @property
    def line(self) -> int:
        return self.native.loc.line

    @property
    def python_module(self) -> str:
        return self.native.python_module or ""

    @property
    def variants(self) -> frozenset[str]:
        """Of "function" and "method": what is offered to Python; nothing of what no entry declares."""
        return frozenset() if self.is_generated else frozenset(v.name for v in self.native.variants)

    @property
    def tags(self) -> set[str]:
        return self.native.tags

    @property
    def is_generated(self) -> bool:
        return "generated" in self.native.tags

    @property
    def is_out(self) -> bool:
        return self.native.func.is_out_fn()

    @property
    def is_inplace(self) -> bool:
        return self.native.func.kind() is SchemaKind.inplace

    @property
    def made_kind(self) -> str:
        """Which of the kernels of kernels/shared/made.c runs a variant that is made of another."""
        if self.is_out or (self.is_inplace and not self.is_generated):
            return "out" if self.is_out else "inplace"
        return "view_copy" if self.made_of is not None and self.made_of.is_view else "functional"

    @property
    def variant(self) -> str:
        """The variant as which structured kernels run."""
        return "RT_OUT" if self.is_out else "RT_INPLACE" if self.is_inplace else "RT_FUNCTIONAL"

    @property
    def is_view(self) -> bool:
        """Whether it returns a view: an argument is annotated and none is written."""
        return not self.schema.is_mutable and any(a.annotation is not None for a in self.schema.arguments)

    @property
    def is_composed(self) -> bool:
        """Whether its kernel calls other operators below autograd, and what it returns is new."""
        explicit = any(
            k.key in _COMPOSITES and k.key != "CompositeImplicitAutograd" and k.how != "structured" for k in self.kernels
        )
        return explicit and not self.schema.is_mutable and not self.is_view

    @property
    def numbers_as_tensors(self) -> bool:
        return self.base.removesuffix("_") in NUMBERS_AS_TENSORS

    @property
    def is_backend_selected(self) -> bool:
        """Whether no argument tells the backend, so that the device among the tensor options has to."""
        arguments = self.native.func.arguments
        name = str(self.native.func.name.name)
        return arguments.tensor_options is not None and not name.endswith("_like") and not name.startswith("new_")

    def sources_of_each(self) -> list[int]:
        """For each argument of the operator that is called for each place of lists the place of this one's argument, or -1.

        Arguments go by name, and by place where the other one has no such name: PyTorch names them differently. A list gives one element
        of the kind that is wanted.
        """
        names = [a.name for a in self.made_of.schema.arguments]
        sources = [-1] * len(names)
        for i, a in enumerate(self.schema.arguments):
            place = names.index(a.name) if a.name in names else i
            wanted = self.made_of.schema.arguments[place] if place < len(names) else None
            if wanted is None or sources[place] != -1 or wanted.real_type.info.kind != a.real_type.info.kind:
                self.fail(f"{self.made_of.name} has no place for {a.name}")
            sources[place] = i
        if any(s < 0 and not a.has_default for s, a in zip(sources, self.made_of.schema.arguments)):
            self.fail(f"{self.made_of.name} takes more arguments")
        return sources

    def fail(self, rule: str) -> NoReturn:
        raise EntryError(self.native.loc.file, self.line, rule, str(self.native.func))


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


def read_tags(path: Path) -> list[str]:
    """The names of all tags, in the order of their bits, which is that of the names."""
    names = sorted(parse_tags_yaml(str(path)))
    if len(names) > 32:
        raise EntryError(path, 1, "a tag set has 32 bits", f"{len(names)} tags")
    return names


def python_kernels(package: Path) -> dict[str, list[str]]:
    """The functions of the package of Python kernels, but for modules of helpers (`_x.py`): name -> the modules that define it."""
    found: dict[str, list[str]] = {}
    for module in sorted(package.glob("[!_]*.py")):
        for node in ast.parse(module.read_text()).body:
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, []).append(module.stem)
    return found


def c_names(kernels: Path) -> frozenset[str]:
    """All names in the C kernels: a kernel is among them, by itself or as an argument of the macro that defines it."""
    return frozenset(name for path in kernels.rglob("*.c") for name in re.findall(r"[A-Za-z_]\w*", path.read_text()))


class _Registrar:
    """Turns the model's functions and their backends' kernels into registrations."""

    def __init__(self, sources: Sources):
        self.sources = sources
        self.native, indices = parse_native_yaml(str(sources.operators), str(sources.tags_file))
        # The model's rules about groups are checked when groups are made.
        get_grouped_native_functions(self.native)
        self.views = [g for g in get_grouped_by_view_native_functions(self.native) if isinstance(g, NativeFunctionsViewGroup)]
        self.indices = {key: index.index for key, index in indices.items() if index.index}
        self.operators = [self.operator(f) for f in self.native]
        self.by_name = {o.native.func.name: o for o in self.operators}
        # Of two names that are the same word, which is an error told later, the first one counts.
        self.by_word = {o.native.func.name.unambiguous_name(): o for o in reversed(self.operators)}

    def operator(self, f: NativeFunction) -> Operator:
        text = f"{f.namespace}::{f.func}"
        try:
            schema = parse_schema(text, allow_typevars=False)
        except SchemaError as e:
            raise EntryError(f.loc.file, f.loc.line, f"bad schema: {e}", str(f.func)) from None
        o = Operator(f, schema)
        if schema.source() != text:
            o.fail(f"a schema is written as {schema.source()!r}")
        if any(v.name == "method" for v in f.variants) and f.func.arguments.self_arg is None:
            o.fail("a method has a Tensor argument `self`")
        return o

    def kernel(self, o: Operator, key: DispatchKey) -> Kernel | None:
        """The registration that the entry itself names for a key."""
        metadata = self.indices[key].get(o.native.func.name)
        if metadata is None:
            return None
        if key.name not in self.sources.keys:
            o.fail(f"{key.name!r} is no key to register at")
        namespace, name = metadata.cpp_namespace.removesuffix("::native"), metadata.kernel
        if namespace == "made":
            if o.native.structured or not (o.is_out or o.is_inplace):
                o.fail("`made::NAME` is the kernel of an in-place or out= entry")
            return Kernel(key.name, "made", name)
        if namespace in ("same", "each"):
            return Kernel(key.name, namespace, name)
        if namespace == "structured":
            if key.name in _COMPOSITES:
                o.fail("a structured definition needs a backend key")
            return Kernel(key.name, "structured", name)
        if namespace != "at":
            o.fail(f"`{namespace}::{name}` is no kernel: NAME, structured::NAME, made::NAME, same::NAME or each::NAME")
        if not o.native.structured and key is DispatchKey.CompositeImplicitAutograd:
            # The model knows functions of C++, where overloads share a name.
            name = o.native.func.name.unambiguous_name() if name == cpp.name(o.native.func) else name
        if o.native.structured and key.name in _STRUCTURED_KEYS:
            return Kernel(key.name, "c", name)
        modules = self.sources.python.get(name, [])
        if len(modules) > 1:
            o.fail(f"{name!r} is a function of several modules of runtime/kernels: {', '.join(modules)}")
        if modules:
            return Kernel(key.name, "py", f"{modules[0]}:{name}")
        if key is DispatchKey.CompositeImplicitAutograd and (o.is_out or o.is_inplace) and name not in self.sources.c:
            return Kernel(key.name, "made", "")
        if name not in self.sources.c and not (o.native.tags & {"view_copy"} and key.name == "CompositeExplicitAutogradNonFunctional"):
            o.fail(f"there is no kernel {name!r}, neither in runtime/kernels/ nor in kernels/")
        return Kernel(key.name, "c", name)

    def own_kernels(self, o: Operator) -> list[Kernel]:
        kernels = [k for k in (self.kernel(o, key) for key in self.indices) if k is not None]
        names = {k.key for k in kernels}
        if "CompositeImplicitAutograd" in names and len(names) > 1:
            o.fail("beside CompositeImplicitAutograd no other kernel can be reached with gradients")
        if o.native.structured:
            if "CPU" not in names or "Meta" in names:
                o.fail("a structured entry names its definition under `CPU`, and nothing under `Meta`")
            definition = next(k for k in kernels if k.key == "CPU")
            return [*self.structured(definition.name), *(k for k in kernels if k is not definition)]
        return kernels

    def structured(self, name: str) -> list[Kernel]:
        return [Kernel(key, "structured", name) for key in _STRUCTURED_KEYS]

    def add_delegated(self, o: Operator) -> None:
        """Kernels of a structured group's functional and in-place members.

        Backends without a definition of their own get them from the out= member's kernel.
        """
        target = self.by_name[o.native.structured_delegate]
        inputs = [(a.name, a.real_type) for a in target.schema.arguments if not a.is_out]
        if [(a.name, a.real_type) for a in o.schema.arguments] != inputs:
            o.fail(f"it takes other arguments than {o.native.structured_delegate}")
        definition = next(k.name for k in target.kernels if k.how == "structured")
        o.kernels[:0] = [*self.structured(definition), Kernel("CompositeExplicitAutogradNonFunctional", "structured", definition)]

    def add_made(self, group: dict[SchemaKind, Operator]) -> None:
        """The kernels of a group's members that no entry declares."""
        for kind, o in group.items():
            if o.is_generated:
                sources = (SchemaKind.mutable, SchemaKind.functional) if kind is SchemaKind.out else (SchemaKind.inplace, SchemaKind.mutable)
                o.made_of = next(group[k] for k in sources if k in group)
                o.kernels = [Kernel("CompositeExplicitAutograd", "made", o.made_of.name)]

    def add_declared_made(self) -> None:
        """The operators that declared variants are made of.

        `made::NAME` means that of the overload with this name as one word; an implicit composite without a kernel of
        its own is made of the functional operator with its signature.
        """
        groups = pre_group_native_functions(self.native).values()
        siblings = {f.func.name: group.get(SchemaKind.functional) for group in groups for f in group.values()}
        for o in self.operators:
            for i, kernel in enumerate(o.kernels):
                if kernel.how == "made" and not o.is_generated:
                    sibling = siblings.get(o.native.func.name)
                    if kernel.name:
                        o.made_of = self.by_word.get(kernel.name)
                    elif sibling is not None:
                        o.made_of = self.by_name[sibling.func.name]
                    if o.made_of is None or o.made_of.schema.is_mutable:
                        o.fail(f"there is no functional operator {kernel.name!r} to make it of" if kernel.name else
                               f"there is no kernel {o.native.func.name.unambiguous_name()!r}, nor a functional operator to make it of")  # fmt: skip
                    o.kernels[i] = kernel._replace(name=o.made_of.name)

    def add_same(self) -> None:
        """The operators that `same::NAME` means: they take the same arguments, and Tensors where these take Scalars."""
        for o in self.operators:
            for i, kernel in enumerate(o.kernels):
                if kernel.how == "same":
                    if kernel.name not in self.by_word:
                        o.fail(f"`same::{kernel.name}` names no operator")
                    o.made_of = self.by_word[kernel.name]
                    theirs = [a.real_type.info.kind for a in o.made_of.schema.arguments]
                    mine = [a.real_type.info.kind for a in o.schema.arguments]
                    if len(mine) != len(theirs) or any(a != b and (a, b) != ("Scalar", "Tensor") for a, b in zip(mine, theirs)):
                        o.fail(f"{o.made_of.name} takes other arguments")
                    o.kernels[i] = kernel._replace(name=o.made_of.name)

    def add_each(self) -> None:
        """The operators that `each::NAME` means."""
        for o in self.operators:
            for i, kernel in enumerate(o.kernels):
                if kernel.how == "each":
                    if kernel.name not in self.by_word:
                        o.fail(f"`each::{kernel.name}` names no operator")
                    o.made_of = self.by_word[kernel.name]
                    o.kernels[i] = kernel._replace(name=o.made_of.name)
                    o.sources_of_each()

    def add_view_copy(self, g: NativeFunctionsViewGroup) -> None:
        """The kernel of a view's copying variant, which an entry declares and no function implements."""
        if g.view_copy is not None:
            o = self.by_name[g.view_copy.func.name]
            view = self.by_name[g.view.func.name]
            for i, k in enumerate(o.kernels):
                if k.key == "CompositeExplicitAutogradNonFunctional" and k.how == "c" and k.name not in self.sources.c:
                    o.made_of = view
                    o.kernels[i] = Kernel(k.key, "made", view.name)

    def run(self) -> list[Operator]:
        for o in self.operators:
            if not o.is_generated:
                o.kernels = self.own_kernels(o)
        self.add_declared_made()
        self.add_same()
        self.add_each()
        for g in self.views:
            self.add_view_copy(g)
        for o in self.operators:
            if o.native.structured_delegate is not None:
                self.add_delegated(o)
        for group in pre_group_native_functions(self.native).values():
            self.add_made({kind: self.by_name[f.func.name] for kind, f in group.items()})
        self.check_symbols()
        for o in self.operators:
            o.kernels += _generic(o)
        self.add_listed()
        return self.operators

    def add_listed(self) -> None:
        """The registrations at keys that few operators have something of their own for."""
        if self.sources.lists is None:
            return
        by_name = {o.name: o for o in self.operators}
        for name, key, how, policy in key_lists(self.sources.lists, by_name, self.sources.keys):
            if any(k.key == key for k in by_name[name].kernels):
                by_name[name].fail(f"it has a kernel at {key} and stands in {self.sources.lists.name} too")
            by_name[name].kernels.append(Kernel(key, how, policy))

    def check_symbols(self) -> None:
        """A kernel's name stands for one C symbol, hence for one kind of thing."""
        kinds: dict[str, tuple[str, Operator]] = {}
        for o in self.operators:
            for kernel in o.kernels:
                if kernel.how in ("c", "structured"):
                    how, first = kinds.setdefault(kernel.name, (kernel.how, o))
                    if how != kernel.how:
                        o.fail(
                            f"{kernel.name!r} is a structured definition in one entry and a function in another"
                            f" ({first.name}, line {first.line})"
                        )


def _generic(o: Operator) -> Iterable[Kernel]:
    """Registrations of the core's own kernels. Implicit composites have none at ADInplaceOrView: what they call has."""
    if o.is_backend_selected and not any(k.key == "CompositeImplicitAutograd" for k in o.kernels):
        yield Kernel("BackendSelect", "c", "backend_select_factory")
    if o.name in _AUTOGRAD_KERNELS:
        yield Kernel("Autograd", "generic", _AUTOGRAD_KERNELS[o.name])
    elif not any(k.key == "CompositeImplicitAutograd" for k in o.kernels):
        yield Kernel("Autograd", "generic", "rt_autograd_kernel")
    if o.name in _UNRECORDED or any(k.key == "CompositeImplicitAutograd" for k in o.kernels):
        return
    written = [a for a in o.schema.arguments if a.is_write]
    if written and all(a.type.info.is_list for a in written):
        return  # their kernels write by operators that are recorded, tensor by tensor
    if o.schema.is_mutable or o.is_view:
        usual = "rt_adinplace_kernel" if o.schema.is_mutable else "rt_adview_kernel"
        yield Kernel("ADInplaceOrView", "generic", _INPLACE_OR_VIEW_KERNELS.get(o.name, usual))


def read_operators(sources: Sources) -> list[Operator]:
    """Read and check the whole operator list.

    Returns
    -------
    list of Operator
        Those of the entries in their order, then the variants that no entry declares; with all registrations.

    Raises
    ------
    AssertionError, RuntimeError
        If an entry breaks a rule of the data model.
    EntryError
        If an entry breaks a rule of ours. Messages of all kinds tell the rule, the place and the entry.
    """
    return _Registrar(sources).run()
