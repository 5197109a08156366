"""Operator schemas as trees: types, arguments, returns, and the two printers.

A schema is the one-line contract of an operator, ``ns::name.overload(int[2] k=1, *, Tensor(a!) out) -> Tensor(a!)``; `runtime.schema` reads
it into the tree of this file.  The tree keeps what was written: the raw text of defaults, alias sets in their order, spellings such as
``None`` for ``NoneType``.  Two printers read it.  `FunctionSchema.source` gives the text back as written, up to white space, comments and a
``*`` with nothing after it.  ``str(schema)`` gives the canonical run-time form: defaults are evaluated (``1e-05`` prints as its 17 digits,
``int[2] x=[1, 1]`` as ``int[2] x=1``, ``long`` as ``4``) and strings take double quotes.  Two schemas are equal when their run-time forms
are, with alias sets compared as sets.

Every node is immutable and hashable; the parser makes no trees of more than `MAX_DEPTH` levels, so walking one recursively is safe.  Code
generation reads schemas before any extension is built: this file imports nothing but the standard library.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

__all__ = [
    "KINDS",
    "MAX_DEPTH",
    "AliasInfo",
    "Argument",
    "BaseType",
    "ClassType",
    "ContainerType",
    "DictType",
    "FunctionSchema",
    "ListType",
    "OperatorName",
    "OptionalType",
    "Return",
    "TupleType",
    "Type",
    "TypeInfo",
    "VarType",
]

#: Levels of `?`, `[]` and brackets that one type may nest.
MAX_DEPTH = 64

#: What `TypeInfo.kind` may be.
KINDS = (
    "Tensor", "int", "SymInt", "float", "complex", "bool", "SymBool", "str", "Scalar", "ScalarType", "Layout", "Device", "MemoryFormat",
    "Generator", "Storage", "Stream", "Dimname", "QScheme", "DeviceIndex", "Any", "class", "dict", "tuple", "other",
)  # fmt: skip


# ---- types


class TypeInfo(NamedTuple):
    """What a binder has to know of a type, without walking it.

    `kind` (one of `KINDS`) is the element's kind for a list.  ``Tensor?[]`` has `elem_is_optional`, ``Tensor[]?`` has `is_optional`.  A list
    of lists has kind "other"; its `ListType.elem` says more.
    """

    kind: str
    is_optional: bool
    is_list: bool
    list_size: int | None
    elem_is_optional: bool


@dataclass(frozen=True, slots=True, repr=False)
class Type:
    """A node of the type tree.  ``str(t)`` is the Python annotation form (``Optional[Tensor]``), `source` the schema form (``Tensor?``)."""

    _info_kind = "other"  # what `TypeInfo.kind` says of it

    def __str__(self) -> str:
        return self.annotation_str

    def __repr__(self) -> str:
        return self.annotation_str

    def _children(self) -> tuple[Type, ...]:
        return ()

    def _rebuilt(self, *children: Type) -> Type:
        """The same type of other children."""
        return self

    @property
    def annotation_str(self) -> str:
        raise NotImplementedError

    def kind(self) -> str:
        """The run-time type kind, such as ``"TensorType"`` or ``"OptionalType"``."""
        raise NotImplementedError

    def source(self) -> str:
        """The type as it stands in a schema."""
        return _spell(self, None, _AS_WRITTEN)

    def containedTypes(self) -> list[Type]:
        """The types that this one is made of."""
        return list(self._children())

    def getElementType(self) -> Type:
        """The type under an optional, a list, a future or a reference.

        Raises
        ------
        TypeError
            If this type has no single element type.
        """
        children = self._children()
        if len(children) != 1 or isinstance(self, TupleType):
            raise TypeError(f"{self} has no element type")
        return children[0]

    @property
    def info(self) -> TypeInfo:
        """The type flattened for argument binding."""
        inner, optional = strip_optional(self)
        if not isinstance(inner, ListType):
            return TypeInfo(inner._info_kind, optional, False, None, False)
        elem, elem_optional = strip_optional(inner.elem)
        return TypeInfo(elem._info_kind, optional, True, inner.size, elem_optional)


@dataclass(frozen=True, slots=True, repr=False)
class BaseType(Type):
    """A type that is one word, such as ``Tensor`` or ``SymInt``; `name` is the word as written."""

    name: str

    @property
    def annotation_str(self) -> str:
        return _BASE_TYPES[self.name][1]

    def kind(self) -> str:
        return _BASE_TYPES[self.name][0]

    @property
    def _info_kind(self) -> str:
        return _BASE_TYPES[self.name][2]


@dataclass(frozen=True, slots=True, repr=False)
class VarType(Type):
    """A type variable: any lower-case word that names no type (``t``, ``tVal``)."""

    name: str

    _info_kind = "Any"

    @property
    def annotation_str(self) -> str:
        return self.name

    def kind(self) -> str:
        return "VarType"


@dataclass(frozen=True, slots=True, repr=False)
class ClassType(Type):
    """A custom class; `name` is its whole qualified name, ``__torch__.torch.classes.ns.Name``."""

    name: str

    _info_kind = "class"

    @property
    def annotation_str(self) -> str:
        return self.name

    def kind(self) -> str:
        return "ClassType"


@dataclass(frozen=True, slots=True, repr=False)
class OptionalType(Type):
    """``T?``"""

    elem: Type

    @property
    def annotation_str(self) -> str:
        # An optional of an optional is one optional; the tree keeps both to print the source.
        inner, _ = strip_optional(self)
        return f"Optional[{inner.annotation_str}]"

    def kind(self) -> str:
        return "OptionalType"

    def _children(self) -> tuple[Type, ...]:
        return (self.elem,)

    def _rebuilt(self, elem: Type) -> Type:
        return OptionalType(elem)


@dataclass(frozen=True, slots=True, repr=False)
class ListType(Type):
    """``T[]``, or ``T[N]`` with `size` N: a list that a scalar may stand for."""

    elem: Type
    size: int | None = None

    @property
    def annotation_str(self) -> str:
        return f"List[{self.elem.annotation_str}]"

    def kind(self) -> str:
        return "ListType"

    def _children(self) -> tuple[Type, ...]:
        return (self.elem,)

    def _rebuilt(self, elem: Type) -> Type:
        return ListType(elem, self.size)


@dataclass(frozen=True, slots=True, repr=False)
class DictType(Type):
    """``Dict(K, V)``"""

    key: Type
    value: Type

    _info_kind = "dict"

    @property
    def annotation_str(self) -> str:
        return f"Dict[{self.key.annotation_str}, {self.value.annotation_str}]"

    def kind(self) -> str:
        return "DictType"

    def _children(self) -> tuple[Type, ...]:
        return (self.key, self.value)

    def _rebuilt(self, key: Type, value: Type) -> Type:
        return DictType(key, value)


@dataclass(frozen=True, slots=True, repr=False)
class TupleType(Type):
    """``(A, B)``"""

    elems: tuple[Type, ...]

    _info_kind = "tuple"

    @property
    def annotation_str(self) -> str:
        return f"Tuple[{', '.join(e.annotation_str for e in self.elems) or '()'}]"

    def kind(self) -> str:
        return "TupleType"

    def _children(self) -> tuple[Type, ...]:
        return self.elems

    def _rebuilt(self, *elems: Type) -> Type:
        return TupleType(elems)


@dataclass(frozen=True, slots=True, repr=False)
class ContainerType(Type):
    """``Future(T)``, ``RRef(T)``, ``Await(T)`` and ``Union(A, B)``; `name` is the word before the bracket."""

    name: str
    elems: tuple[Type, ...]

    @property
    def annotation_str(self) -> str:
        return f"{self.name}[{', '.join(e.annotation_str for e in self.elems)}]"

    def kind(self) -> str:
        return self.name + "Type"

    def _children(self) -> tuple[Type, ...]:
        return self.elems

    def _rebuilt(self, *elems: Type) -> Type:
        return ContainerType(self.name, elems)


#: Words that are types: name -> (run-time kind, Python annotation, `TypeInfo.kind`).
_BASE_TYPES = {
    "Tensor": ("TensorType", "Tensor", "Tensor"),
    "int": ("IntType", "int", "int"),
    "SymInt": ("SymIntType", "int", "SymInt"),
    "float": ("FloatType", "float", "float"),
    "complex": ("ComplexType", "complex", "complex"),
    "bool": ("BoolType", "bool", "bool"),
    "SymBool": ("SymBoolType", "bool", "SymBool"),
    "str": ("StringType", "str", "str"),
    "Scalar": ("NumberType", "number", "Scalar"),
    "ScalarType": ("ScalarTypeType", "ScalarType", "ScalarType"),
    "Layout": ("LayoutType", "Layout", "Layout"),
    "Device": ("DeviceObjType", "Device", "Device"),
    "DeviceIndex": ("IntType", "int", "DeviceIndex"),
    "MemoryFormat": ("MemoryFormatType", "MemoryFormat", "MemoryFormat"),
    "Generator": ("GeneratorType", "Generator", "Generator"),
    "Storage": ("StorageType", "Storage", "Storage"),
    "Stream": ("StreamObjType", "Stream", "Stream"),
    "Dimname": ("StringType", "str", "Dimname"),
    "DimVector": ("ListType", "List[int]", "other"),
    "QScheme": ("QSchemeType", "QScheme", "QScheme"),
    "Quantizer": ("QuantizerType", "Quantizer", "other"),
    "ConstQuantizerPtr": ("IntType", "int", "other"),
    "GraphModule": ("AnyType", "GraphModule", "other"),
    "Capsule": ("CapsuleType", "Capsule", "other"),
    "Any": ("AnyType", "Any", "Any"),
    "AnyClassType": ("AnyClassType", "AnyClassType", "class"),
    "AnyEnumType": ("AnyEnumType", "AnyEnumType", "other"),
    "None": ("NoneType", "NoneType", "other"),
    "NoneType": ("NoneType", "NoneType", "other"),
}
BASE_INSTANCES = {name: BaseType(name) for name in _BASE_TYPES}

#: Base types that the run time prints under another name, because it has only the one.
_RUNTIME_NAMES = {"None": "NoneType", "DeviceIndex": "int", "ConstQuantizerPtr": "int"}

#: Types whose values travel as plain ints: `Argument.type` shows int where `Argument.real_type` shows these.
_INT_LIKE = frozenset(["SymInt", "ScalarType", "Layout", "MemoryFormat", "DeviceIndex", "ConstQuantizerPtr"])


def strip_optional(t: Type) -> tuple[Type, bool]:
    optional = False
    while type(t) is OptionalType:
        t, optional = t.elem, True
    return t, optional


@functools.lru_cache(maxsize=4096)
def _erase(t: Type) -> Type:
    """`t` with every int-like type replaced by int."""
    if isinstance(t, BaseType):
        return BASE_INSTANCES["int"] if t.name in _INT_LIKE else t
    return t._rebuilt(*map(_erase, t._children()))


# ---- the rest of the tree


@dataclass(frozen=True, slots=True)
class OperatorName:
    """``namespace::name.overload``; `namespace` and `overload` are empty where not written."""

    namespace: str
    name: str
    overload: str = ""

    @property
    def qualified_name(self) -> str:
        """``namespace::name``, without the overload."""
        return f"{self.namespace}::{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.qualified_name}.{self.overload}" if self.overload else self.qualified_name


@dataclass(frozen=True, slots=True, eq=False)
class AliasInfo:
    """An alias annotation, ``(a! -> a|b)``.

    Annotations form a tree beside the type's: `contained` holds those of the type's parts (``Tensor(a)[](b)``: set ``b``, contained
    ``a``).  Optionals take no part in it: ``Tensor(a)?`` is annotated like ``Tensor(a)``.

    Attributes
    ----------
    before : tuple of str
        The alias sets before the call, as written.  Empty if only a part is annotated.
    is_write : bool
        Whether the call writes.  A list without an annotation of its own is written if its elements are.
    after : tuple of str or None
        The alias sets after the call, as written; None where no arrow was.
    contained : tuple of (AliasInfo or None)
        Annotations of the parts; empty if no part has one.
    """

    before: tuple[str, ...]
    is_write: bool = False
    after: tuple[str, ...] | None = None
    contained: tuple[AliasInfo | None, ...] = ()

    @property
    def before_set(self) -> set[str]:
        """The alias sets before the call."""
        return set(self.before)

    @property
    def after_set(self) -> set[str]:
        """The alias sets after the call; those before it where no arrow was."""
        return set(self.before if self.after is None else self.after)

    def _key(self):
        return frozenset(self.before), self.is_write, frozenset(self.after_set), self.contained

    def __eq__(self, other):
        return self._key() == other._key() if isinstance(other, AliasInfo) else NotImplemented

    def __hash__(self):
        return hash(self._key())

    def source(self) -> str:
        """The annotation as written, brackets included; empty if only parts are annotated."""
        return _AS_WRITTEN.annotation(self)


class _Style(NamedTuple):
    """How to print: `runtime` chooses the run-time form, `sort` makes the order of alias sets irrelevant (for comparing)."""

    runtime: bool
    sort: bool

    def annotation(self, alias: AliasInfo) -> str:
        if not alias.before:
            return ""
        before, after = alias.before, alias.after
        if self.sort:
            before, after = sorted(set(before)), after and sorted(set(after))
        elif self.runtime:
            before, after = dict.fromkeys(before), after and dict.fromkeys(after)
        if self.runtime and alias.after_set == alias.before_set:
            after = None
        tail = f" -> {'|'.join(after)}" if after else ""
        return f"({'|'.join(before)}{'!' if alias.is_write else ''}{tail})"


_AS_WRITTEN = _Style(runtime=False, sort=False)
_RUNTIME = _Style(runtime=True, sort=False)
_COMPARED = _Style(runtime=True, sort=True)


def _spell(t: Type, alias: AliasInfo | None, style: _Style) -> str:
    """The schema form of a type with its annotations."""
    if isinstance(t, OptionalType):
        if style.runtime:
            t, _ = strip_optional(t)
            return _spell(t, alias, style) + "?"
        return _spell(t.elem, alias, style) + "?"
    own = style.annotation(alias) if alias else ""
    if isinstance(t, BaseType):
        return (_RUNTIME_NAMES.get(t.name, t.name) if style.runtime else t.name) + own
    if isinstance(t, VarType | ClassType):
        return t.name + own
    children = t._children()
    contained = alias.contained if alias and alias.contained else (None,) * len(children)
    parts = [_spell(child, part, style) for child, part in zip(children, contained, strict=True)]
    if isinstance(t, ListType):
        return f"{parts[0]}[{'' if t.size is None else t.size}]{own}"
    name = "Dict" if isinstance(t, DictType) else t.name if isinstance(t, ContainerType) else ""
    return f"{name}({', '.join(parts)}){own}"


class _Typed:
    """What arguments and returns have in common: a name, a type and an annotation."""

    __slots__ = ()

    @property
    def type(self) -> Type:
        """The type with dtypes, layouts, memory formats and symbolic ints shown as int."""
        return _erase(self.real_type)

    @property
    def N(self) -> int | None:
        """The size of a fixed-size list."""
        inner, _ = strip_optional(self.real_type)
        return inner.size if isinstance(inner, ListType) else None

    @property
    def alias_info(self) -> AliasInfo | None:
        """The annotation of the value itself or of its list elements; annotations inside tuples and dicts only document."""
        alias = self.annotation
        if alias is None or alias.before or isinstance(strip_optional(self.real_type)[0], ListType):
            return alias
        return None

    @property
    def is_write(self) -> bool:
        """Whether the call writes to it."""
        alias = self.alias_info
        return alias is not None and alias.is_write


@dataclass(frozen=True, slots=True)
class Argument(_Typed):
    """One argument of a schema.

    Attributes
    ----------
    name : str
    real_type : Type
        The type as written; `type` is the run-time view of it.
    kwarg_only : bool
    default_text : str or None
        The raw text after ``=``; None if there is no default.
    default : object
        The value of the default, lists as tuples.
    annotation : AliasInfo or None
        Every annotation in the type; `alias_info` is the run-time view of it.
    """

    name: str
    real_type: Type
    kwarg_only: bool = False
    default_text: str | None = None
    default: object = None
    annotation: AliasInfo | None = None

    @property
    def has_default(self) -> bool:
        return self.default_text is not None

    def has_default_value(self) -> bool:
        """Whether the argument may be left out."""
        return self.default_text is not None

    @property
    def default_value(self) -> object:
        """The default as a Python value: a dtype, layout or memory format is its number, a list a new list.

        None both for the default None and for no default.
        """
        if isinstance(self.default, str) and str(self.type) in ("Device", "Optional[Device]"):
            from runtime._core import device

            return device(self.default)
        return list(self.default) if isinstance(self.default, tuple) else self.default

    @property
    def is_out(self) -> bool:
        """Whether this is an ``out=`` argument: keyword-only and written."""
        return self.kwarg_only and self.is_write

    def source(self) -> str:
        """The argument as written."""
        return self._print(_AS_WRITTEN)

    def __str__(self) -> str:
        return self._print(_RUNTIME)

    def _print(self, style: _Style) -> str:
        text = f"{_spell(self.real_type, self.annotation, style)} {self.name}"
        if self.default_text is None:
            return text
        return f"{text}={_default_text(self) if style.runtime else self.default_text}"


@dataclass(frozen=True, slots=True)
class Return(_Typed):
    """One return of a schema; `name` is empty where none was written."""

    name: str
    real_type: Type
    annotation: AliasInfo | None = None

    kwarg_only = False
    is_out = False
    default_value = None

    def has_default_value(self) -> bool:
        return False

    def source(self) -> str:
        """The return as written."""
        return self._print(_AS_WRITTEN)

    def __str__(self) -> str:
        return self._print(_RUNTIME)

    def _print(self, style: _Style) -> str:
        text = _spell(self.real_type, self.annotation, style)
        return f"{text} {self.name}" if self.name else text


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FunctionSchema:
    """An operator's schema.

    Attributes
    ----------
    operator_name : OperatorName
    arguments : tuple of Argument
    returns : tuple of Return
    is_vararg, is_varret : bool
        Whether the list of arguments (returns) ends in ``...``.
    bracketed : bool
        Whether a lone return was written in brackets; only `source` asks.

    Examples
    --------
    >>> from runtime.schema import parse_schema
    >>> schema = parse_schema("ns::pad(Tensor self, int[2] size=1, *, float value=1e-05) -> Tensor")
    >>> schema.name, schema.arguments[1].default_value
    ('ns::pad', [1, 1])
    >>> str(schema)
    'ns::pad(Tensor self, int[2] size=1, *, float value=1.0000000000000001e-05) -> Tensor'
    >>> schema.source()
    'ns::pad(Tensor self, int[2] size=1, *, float value=1e-05) -> Tensor'
    """

    operator_name: OperatorName
    arguments: tuple[Argument, ...]
    returns: tuple[Return, ...]
    is_vararg: bool = False
    is_varret: bool = False
    bracketed: bool = False

    @property
    def name(self) -> str:
        """The qualified name without the overload, ``ns::name``."""
        return self.operator_name.qualified_name

    @property
    def overload_name(self) -> str:
        return self.operator_name.overload

    @property
    def is_mutable(self) -> bool:
        """Whether the operator writes to any argument."""
        return any(argument.is_write for argument in self.arguments)

    def source(self) -> str:
        """The schema as written, with canonical white space."""
        return self._print(_AS_WRITTEN)

    def __str__(self) -> str:
        return self._print(_RUNTIME)

    def __repr__(self) -> str:
        return self._print(_RUNTIME)

    def __eq__(self, other):
        if not isinstance(other, FunctionSchema):
            return NotImplemented
        return self is other or self._print(_COMPARED) == other._print(_COMPARED)

    def __hash__(self):
        return hash(self._print(_COMPARED))

    def _print(self, style: _Style) -> str:
        items = []
        kwarg_only = False
        for argument in self.arguments:
            if argument.kwarg_only and not kwarg_only:
                kwarg_only = True
                items.append("*")
            items.append(argument._print(style))
        if self.is_vararg:
            items.append("...")
        returns = [r._print(style) for r in self.returns]
        if self.is_varret:
            returns.append("...")
        # A lone return needs no brackets, unless it starts with one: that one would be taken for the list's.
        lone = len(returns) == 1 and not returns[0].startswith("(") and not (self.bracketed and not style.runtime)
        result = returns[0] if lone else f"({', '.join(returns)})"
        return f"{self.operator_name}({', '.join(items)}) -> {result}"


# ---- run-time form of defaults


def _default_text(argument: Argument) -> str:
    value, t = argument.default, argument.real_type
    base, _ = strip_optional(t)
    if isinstance(base, ListType):
        base, _ = strip_optional(base.elem)
    quoted = base == BASE_INSTANCES["str"]
    if not isinstance(value, tuple):
        return _constant_text(value, quoted)
    # Only plain ints get the scalar form back, and not for one element; the symbolic ones print as lists.
    if isinstance(t, ListType) and t.size == len(value) > 1 and t.elem.kind() == "IntType" and len(set(value)) == 1:
        return _constant_text(value[0], quoted)
    return f"[{', '.join(_constant_text(v, quoted) for v in value)}]"


def _constant_text(value: object, quoted: bool) -> str:
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, complex):
        imag = _float_text(value.imag)
        return f"{_float_text(value.real)}{'' if imag.startswith('-') else '+'}{imag}j"
    if isinstance(value, str) and quoted:
        return _quote(value)
    return str(value)


def _float_text(value: float) -> str:
    """An integral value in the range of int64 prints as `N.`, any other with the 17 digits that identify a double."""
    if -(2.0**63) <= value < 2.0**63 and value == int(value):
        return f"{int(value)}."
    return f"{value:.17g}"


ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "'": 39, "\\": 92}
_ESCAPE_OF = {code: char for char, code in ESCAPES.items() if char != "r"}


def _quote(value: str) -> str:
    """A string literal in ASCII: other bytes of its UTF-8 form as three octal digits."""
    out = []
    for code in value.encode("utf-8", "surrogatepass"):
        if code in _ESCAPE_OF:
            out.append("\\" + _ESCAPE_OF[code])
        else:
            out.append(chr(code) if 32 <= code < 127 else f"\\{code:03o}")
    return f'"{"".join(out)}"'
