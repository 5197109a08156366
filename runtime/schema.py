"""Operator schemas: the tokenizer, the type and argument tree, the parser and the two printers.

A schema is the one-line contract of an operator, ``ns::name.overload(int[2] k=1, *, Tensor(a!) out) -> Tensor(a!)``.  This file owns that
language, for the run time (which binds calls by it) and for code generation (which reads the operator list before any extension is built).
For the second reason it imports nothing but the standard library.

The tree keeps what was written: the raw text of defaults, alias sets in their order, spellings such as ``None`` for ``NoneType``.  Two
printers read it.  `FunctionSchema.source` gives the text back as written, up to white space, comments and a ``*`` with nothing after it.
``str(schema)`` gives the canonical run-time form: defaults are evaluated (``1e-05`` prints as its 17 digits, ``int[2] x=[1, 1]`` as
``int[2] x=1``, ``long`` as ``4``) and strings take double quotes.  Two schemas are equal when their run-time forms are, with alias sets
compared as sets.

Every node is immutable and hashable; trees are at most `MAX_DEPTH` levels deep, so walking one recursively is safe.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

__all__ = [
    "KINDS",
    "MAX_BROADCAST",
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
    "SchemaError",
    "TupleType",
    "Type",
    "TypeInfo",
    "VarType",
    "parse_name",
    "parse_schema",
    "parse_schema_or_name",
]

#: Levels of `?`, `[]` and brackets that one type may nest.
MAX_DEPTH = 64

#: The largest fixed size to which a scalar default is broadcast (`int[N] x=1`): the list is really built.
MAX_BROADCAST = 65536

#: What `TypeInfo.kind` may be.
KINDS = (
    "Tensor", "int", "SymInt", "float", "complex", "bool", "SymBool", "str", "Scalar", "ScalarType", "Layout", "Device", "MemoryFormat",
    "Generator", "Storage", "Stream", "Dimname", "QScheme", "DeviceIndex", "Any", "class", "dict", "tuple", "other",
)  # fmt: skip


class SchemaError(RuntimeError):
    """A text is not a schema.

    Attributes
    ----------
    text : str
        The text that was parsed.
    position : int
        Index into `text` of the offending token.
    expected : str or None
        What could have stood there; None if the token is well-formed but breaks a rule.
    found : str or None
        The token found, ``"end of text"`` at the end.
    """

    def __init__(self, message: str, text: str = "", position: int = 0, expected: str | None = None, found: str | None = None):
        super().__init__(message)
        self.text, self.position, self.expected, self.found = text, position, expected, found

    def __reduce__(self):
        return SchemaError, (self.args[0], self.text, self.position, self.expected, self.found)


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

    def __str__(self) -> str:
        return self.annotation_str

    def __repr__(self) -> str:
        return self.annotation_str

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
        return list(_children(self))

    def getElementType(self) -> Type:
        """The type under an optional, a list, a future or a reference.

        Raises
        ------
        TypeError
            If this type has no single element type.
        """
        children = _children(self)
        if len(children) != 1 or isinstance(self, TupleType):
            raise TypeError(f"{self} has no element type")
        return children[0]

    @property
    def info(self) -> TypeInfo:
        """The type flattened for argument binding."""
        inner, optional = _strip_optional(self)
        if not isinstance(inner, ListType):
            return TypeInfo(_kind_of(inner), optional, False, None, False)
        elem, elem_optional = _strip_optional(inner.elem)
        return TypeInfo(_kind_of(elem), optional, True, inner.size, elem_optional)


@dataclass(frozen=True, slots=True, repr=False)
class BaseType(Type):
    """A type that is one word, such as ``Tensor`` or ``SymInt``; `name` is the word as written."""

    name: str

    @property
    def annotation_str(self) -> str:
        return _BASE_TYPES[self.name][1]

    def kind(self) -> str:
        return _BASE_TYPES[self.name][0]


@dataclass(frozen=True, slots=True, repr=False)
class VarType(Type):
    """A type variable: any lower-case word that names no type (``t``, ``tVal``)."""

    name: str

    @property
    def annotation_str(self) -> str:
        return self.name

    def kind(self) -> str:
        return "VarType"


@dataclass(frozen=True, slots=True, repr=False)
class ClassType(Type):
    """A custom class; `name` is its whole qualified name, ``__torch__.torch.classes.ns.Name``."""

    name: str

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
        inner, _ = _strip_optional(self)
        return f"Optional[{inner.annotation_str}]"

    def kind(self) -> str:
        return "OptionalType"


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


@dataclass(frozen=True, slots=True, repr=False)
class DictType(Type):
    """``Dict(K, V)``"""

    key: Type
    value: Type

    @property
    def annotation_str(self) -> str:
        return f"Dict[{self.key.annotation_str}, {self.value.annotation_str}]"

    def kind(self) -> str:
        return "DictType"


@dataclass(frozen=True, slots=True, repr=False)
class TupleType(Type):
    """``(A, B)``"""

    elems: tuple[Type, ...]

    @property
    def annotation_str(self) -> str:
        return f"Tuple[{', '.join(e.annotation_str for e in self.elems) or '()'}]"

    def kind(self) -> str:
        return "TupleType"


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
_BASE_INSTANCES = {name: BaseType(name) for name in _BASE_TYPES}

#: Words that take types in brackets: name -> (fewest, most) of them.
_CONTAINERS = {"Dict": (2, 2), "Future": (1, 1), "RRef": (1, 1), "Await": (1, 1), "Union": (2, None)}

#: Base types that the run time prints under another name, because it has only the one.
_RUNTIME_NAMES = {"None": "NoneType", "DeviceIndex": "int", "ConstQuantizerPtr": "int"}

#: Types whose values travel as plain ints: `Argument.type` shows int where `Argument.real_type` shows these.
_INT_LIKE = frozenset(["SymInt", "ScalarType", "Layout", "MemoryFormat", "DeviceIndex", "ConstQuantizerPtr"])


def _strip_optional(t: Type) -> tuple[Type, bool]:
    optional = False
    while type(t) is OptionalType:
        t, optional = t.elem, True
    return t, optional


def _children(t: Type) -> tuple[Type, ...]:
    if isinstance(t, OptionalType | ListType):
        return (t.elem,)
    if isinstance(t, DictType):
        return (t.key, t.value)
    if isinstance(t, TupleType | ContainerType):
        return t.elems
    return ()


def _kind_of(t: Type) -> str:
    if isinstance(t, BaseType):
        return _BASE_TYPES[t.name][2]
    if isinstance(t, VarType):
        return "Any"
    if isinstance(t, ClassType):
        return "class"
    if isinstance(t, DictType):
        return "dict"
    if isinstance(t, TupleType):
        return "tuple"
    return "other"


@functools.lru_cache(maxsize=4096)
def _erase(t: Type) -> Type:
    """`t` with every int-like type replaced by int."""
    if isinstance(t, BaseType):
        return _BASE_INSTANCES["int"] if t.name in _INT_LIKE else t
    if isinstance(t, OptionalType):
        return OptionalType(_erase(t.elem))
    if isinstance(t, ListType):
        return ListType(_erase(t.elem), t.size)
    if isinstance(t, DictType):
        return DictType(_erase(t.key), _erase(t.value))
    if isinstance(t, TupleType):
        return TupleType(tuple(map(_erase, t.elems)))
    if isinstance(t, ContainerType):
        return ContainerType(t.name, tuple(map(_erase, t.elems)))
    return t


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
            t, _ = _strip_optional(t)
            return _spell(t, alias, style) + "?"
        return _spell(t.elem, alias, style) + "?"
    own = style.annotation(alias) if alias else ""
    if isinstance(t, BaseType):
        return (_RUNTIME_NAMES.get(t.name, t.name) if style.runtime else t.name) + own
    if isinstance(t, VarType | ClassType):
        return t.name + own
    children = _children(t)
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
        inner, _ = _strip_optional(self.real_type)
        return inner.size if isinstance(inner, ListType) else None

    @property
    def alias_info(self) -> AliasInfo | None:
        """The annotation of the value itself or of its list elements; annotations inside tuples and dicts only document."""
        alias = self.annotation
        if alias is None or alias.before or isinstance(_strip_optional(self.real_type)[0], ListType):
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
    def default_symbol(self) -> str | None:
        """The word of a default that is a named constant (``Mean``, ``long``, ``contiguous_format``), else None."""
        text = self.default_text
        return text if text is not None and text.isidentifier() and text not in _LITERALS else None

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
    >>> schema = FunctionSchema.parse("ns::pad(Tensor self, int[2] size=1, *, float value=1e-05) -> Tensor")
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

    @staticmethod
    def parse(text: str, allow_typevars: bool = True) -> FunctionSchema:
        """Read a whole schema; see `parse_schema`."""
        return parse_schema(text, allow_typevars)

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
    base, _ = _strip_optional(t)
    if isinstance(base, ListType):
        base, _ = _strip_optional(base.elem)
    quoted = base == _BASE_INSTANCES["str"]
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


_ESCAPES = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "'": 39, "\\": 92}
_ESCAPE_OF = {code: char for char, code in _ESCAPES.items() if char != "r"}
_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


def _quote(value: str) -> str:
    """A string literal in ASCII: other bytes of its UTF-8 form as three octal digits."""
    out = []
    for code in value.encode("utf-8", "surrogatepass"):
        if code in _ESCAPE_OF:
            out.append("\\" + _ESCAPE_OF[code])
        else:
            out.append(chr(code) if 32 <= code < 127 else f"\\{code:03o}")
    return f'"{"".join(out)}"'


def _unescape(match: re.Match[bytes]) -> bytes:
    body = match[1]
    if len(body) == 3:
        return bytes([int(body, 8)])
    return bytes([_ESCAPES[body.decode("latin-1")]])


# ---- tokenizer and parser

# White space and comments lead into the token; an unterminated string still is one token, so that no text is scanned twice.  Quantifiers are
# possessive: there is nothing to backtrack for.  Exponents are the exception: before CPython 3.11.5 a possessive group that fails keeps what
# it had matched.  The last token is the empty one.
_TOKEN = re.compile(
    r"""[ \t\r\n\f\v]*+ (?: \#[^\n]*+ [ \t\r\n\f\v]*+ )*+
    ( [A-Za-z_][A-Za-z0-9_]*+
    | -> | :: | \.\.\.
    | (?: [0-9]++ \.?+ [0-9]*+ | \.[0-9]++ ) (?: [eE][+-]?[0-9]++ )? j?+
    | " (?: [^"\\\n]++ | \\. )*+ "?+
    | ' (?: [^'\\\n]++ | \\. )*+ '?+
    | . | \Z )""",
    re.VERBOSE | re.DOTALL,
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*+")
_NUMBER_START = re.compile(r"\.?[0-9]")
_STRING = re.compile(r"\"(?:[^\"\\\n]++|\\.)*+\"|'(?:[^'\\\n]++|\\.)*+'", re.DOTALL)

#: Words that cannot name an operator, an argument or a type variable.
_RESERVED = frozenset([
    "False", "None", "True", "and", "as", "assert", "break", "class", "continue", "def", "del", "elif", "else", "for", "global", "if", "import",
    "in", "is", "not", "or", "pass", "raise", "return", "while", "with",
])  # fmt: skip

_LITERALS = {"None": None, "True": True, "False": False}

#: Named constants that any number may be given as, and the dtypes that only a ScalarType may.
_CONSTANTS = {"Mean": 1, "contiguous_format": 0, "strided": 0, "long": 4, "float": 6, "complex": 9}
_DTYPES = {
    "uint8": 0, "int8": 1, "short": 2, "int16": 2, "int": 3, "int32": 3, "long": 4, "int64": 4, "half": 5, "float16": 5, "float": 6,
    "float32": 6, "double": 7, "float64": 7, "complex32": 8, "chalf": 8, "complex": 9, "complex64": 9, "cfloat": 9, "complex128": 10,
    "cdouble": 10, "bool": 11, "qint8": 12, "quint8": 13, "qint32": 14, "bfloat16": 15,
}  # fmt: skip

#: Base types whose default may be a number (or a bool).
_NUMERIC = frozenset(
    ["int", "SymInt", "float", "complex", "bool", "SymBool", "Scalar", "ScalarType", "Layout", "MemoryFormat", "DeviceIndex", "ConstQuantizerPtr"]
)


class _Parser:
    """One pass over the tokens of one text."""

    __slots__ = ("allow_typevars", "at", "starts", "text", "tokens")

    def __init__(self, text: str, allow_typevars: bool = True):
        if not isinstance(text, str):
            raise TypeError(f"a schema is a str, not {type(text).__name__}")
        self.text = text
        self.allow_typevars = allow_typevars
        self.tokens = _TOKEN.findall(text)
        self.at = 0
        self.starts: list[int] | None = None
        if "\n" in text:
            self.check_lines()

    def check_lines(self) -> None:
        """Lines may be broken inside brackets only: two schemas on two lines are not one."""
        depth = end = 0
        for index, match in enumerate(_TOKEN.finditer(self.text)):
            start = match.start(1)
            if not match[1]:
                return
            if depth == 0 and index and "\n" in self.text[end:start]:
                self.fail_at(index, "the rest of the schema on the same line, as line breaks are allowed in brackets only")
            end = match.end()
            if match[1] in "([":
                depth += 1
            elif match[1] in ")]":
                depth -= 1

    # -- errors

    def position(self, index: int) -> int:
        """Where a token starts.  Only errors and defaults of several tokens ask, so the starts are found on demand, all at once."""
        if self.starts is None:
            self.starts = [match.start(1) for match in _TOKEN.finditer(self.text)]
        return self.starts[index]

    def fail_at(self, index: int, expected: str | None, message: str | None = None) -> NoReturn:
        text, position = self.text, self.position(index)
        token = self.tokens[index]
        if not token:
            found = "end of text"
        elif token[0] in "\"'" and not _STRING.fullmatch(token):
            found = "unterminated string"
        else:
            found = token if len(token) <= 60 else token[:57] + "..."
        if message is None:
            message = f"expected {expected} but found {found if not token else repr(found)} here:"
        start = text.rfind("\n", 0, position) + 1
        stop = text.find("\n", position)
        stop = len(text) if stop < 0 else stop
        # A machine-made text may be megabytes long: show the neighbourhood only.
        lead = tail = ""
        if stop - start > 1000:
            if position - start > 200:
                start, lead = position - 200, "..."
            if stop - position > 200:
                stop, tail = position + 200, "..."
        caret = " " * (len(lead) + position - start)
        raise SchemaError(f"{message}\n{lead}{text[start:stop]}{tail}\n{caret}^ <--- HERE", text, position, expected, found)

    def fail(self, expected: str) -> NoReturn:
        self.fail_at(self.at, expected)

    # -- tokens

    def expect(self, token: str) -> None:
        if self.tokens[self.at] != token:
            self.fail(f"'{token}'" if token else "the end of the text")
        self.at += 1

    def identifier(self, what: str) -> str:
        token = self.tokens[self.at]
        if not _IDENTIFIER.match(token) or token in _RESERVED:
            self.fail(what)
        self.at += 1
        return token

    # -- names

    def name(self) -> OperatorName:
        namespace, name, overload = "", self.identifier("an operator name"), ""
        if self.tokens[self.at] == "::":
            self.at += 1
            namespace, name = name, self.identifier("an operator name")
        if self.tokens[self.at] == ".":
            self.at += 1
            overload = self.identifier("an overload name")
            # "default" is how the empty overload is called, and dunders are attributes of the packet.
            if overload == "default" or overload.startswith("__"):
                self.fail_at(self.at - 1, None, f"{overload} is not a legal overload name for aten operators")
        return OperatorName(namespace, name, overload)

    # -- types

    def alias_set(self) -> tuple[str, ...]:
        names = []
        while True:
            token = self.tokens[self.at]
            names.append(token if token == "*" else self.identifier("an alias set or '*'"))
            if token == "*":
                self.at += 1
            if self.tokens[self.at] != "|":
                return tuple(names)
            self.at += 1

    def annotation(self, contained: tuple[AliasInfo | None, ...]) -> AliasInfo | None:
        """The annotation at this place, if any, over those of the type's parts."""
        if not any(contained):
            contained = ()
        if self.tokens[self.at] != "(":
            if not contained:
                return None
            return AliasInfo((), len(contained) == 1 and contained[0].is_write, None, contained)
        self.at += 1
        before, is_write, after = self.alias_set(), False, None
        if self.tokens[self.at] == "!":
            self.at += 1
            is_write = True
        if self.tokens[self.at] == "->":
            self.at += 1
            after = self.alias_set()
        self.expect(")")
        return AliasInfo(before, is_write, after, contained)

    def types(self, depth: int) -> tuple[list[Type], tuple[AliasInfo | None, ...], int]:
        """Types up to the closing bracket, which is consumed; their annotations; the height of the highest."""
        types, aliases, height = [], [], 0
        if self.tokens[self.at] == ")":
            self.at += 1
            return types, (), 0
        while True:
            t, alias, h = self.type(depth)
            types.append(t)
            aliases.append(alias)
            height = max(height, h)
            if self.tokens[self.at] == ")":
                self.at += 1
                return types, tuple(aliases), height
            if self.tokens[self.at] != ",":
                self.fail("',' or ')'")
            self.at += 1

    def type(self, depth: int = 0) -> tuple[Type, AliasInfo | None, int]:
        """A type, its annotation and the height of its tree.  `depth` and height together stay within `MAX_DEPTH`."""
        if depth > MAX_DEPTH:
            self.too_deep()
        tokens = self.tokens
        token = tokens[self.at]
        alias, height = None, 0
        t = _BASE_INSTANCES.get(token)
        if t is not None:
            self.at += 1
            if tokens[self.at] == "(":
                alias = self.annotation(())
        elif token == "(":
            self.at += 1
            elems, aliases, height = self.types(depth + 1)
            t, height = TupleType(tuple(elems)), height + 1
            if any(aliases):
                alias = AliasInfo((), False, None, aliases)
        elif token in _CONTAINERS:
            t, alias, height = self.container(token, depth)
        elif token == "__torch__":
            t = self.class_type()
        elif self.allow_typevars and token[:1].islower() and _IDENTIFIER.match(token) and token not in _RESERVED:
            self.at += 1
            t = VarType(token)
            alias = self.annotation(())
        elif _IDENTIFIER.match(token) and token not in _RESERVED:
            self.fail_at(self.at, "a type", f"unknown type specifier '{token}', expected a type such as Tensor, SymInt, int, float, bool, Scalar:")
        else:
            self.fail("a type")
        while True:
            token = tokens[self.at]
            if token == "?":
                self.at += 1
                t = OptionalType(t)
            elif token == "[":
                self.at += 1
                size = None
                if tokens[self.at] != "]":
                    size = self.list_size()
                self.expect("]")
                t = ListType(t, size)
                alias = self.annotation((alias,))
            else:
                return t, alias, height
            height += 1
            if depth + height > MAX_DEPTH:
                self.at -= 1
                self.too_deep()

    def container(self, name: str, depth: int) -> tuple[Type, AliasInfo | None, int]:
        fewest, most = _CONTAINERS[name]
        start = self.at
        self.at += 1
        self.expect("(")
        elems, aliases, height = self.types(depth + 1)
        if not fewest <= len(elems) <= (most or len(elems)):
            amount = f"{fewest} type{'s' * (fewest > 1)}" if most else f"{fewest} or more types"
            self.fail_at(start, None, f"{name} takes {amount}, expected them in its brackets:")
        if name == "Dict":
            t, alias = DictType(*elems), None
            if any(aliases) or self.tokens[self.at] == "(":
                # Not `annotation`'s rule for lists: an annotated key or value does not make the dict written.
                alias = self.annotation(()) if self.tokens[self.at] == "(" else AliasInfo(())
                alias = AliasInfo(alias.before, alias.is_write, alias.after, aliases if any(aliases) else ())
            return t, alias, height + 1
        alias = AliasInfo((), False, None, aliases) if any(aliases) else None
        return ContainerType(name, tuple(elems)), alias, height + 1

    def class_type(self) -> ClassType:
        self.at += 1
        for part in ("torch", "classes"):
            self.expect(".")
            self.expect(part)
        self.expect(".")
        namespace = self.identifier("the namespace of a class")
        self.expect(".")
        return ClassType(f"__torch__.torch.classes.{namespace}.{self.identifier('the name of a class')}")

    def list_size(self) -> int:
        token = self.tokens[self.at]
        if not (token.isascii() and token.isdigit()):
            self.fail("a list size or ']'")
        if len(token) > 10 or int(token) >= 2**31:
            self.fail("a list size below 2**31")
        self.at += 1
        return int(token)

    def too_deep(self) -> NoReturn:
        self.fail_at(self.at, None, f"types nest at most {MAX_DEPTH} levels deep, expected an end of the nesting here:")

    # -- defaults

    def default(self, t: Type) -> tuple[str, object]:
        """The raw text and the value of the default of an argument of type `t`."""
        start = self.at
        token = self.tokens[start]
        base, optional = _strip_optional(t)
        if isinstance(base, ListType):
            elem, elem_optional = _strip_optional(base.elem)
            if token == "[":
                value = self.constants(elem, elem_optional)
            elif token == "None" and optional:
                self.at += 1
                value = None
            elif base.size is None and not optional:
                self.fail("'['")
            else:
                value = self.element(elem, False, not optional)
                # An optional list keeps the scalar: it is the caller who knows whether to expand it.
                if not optional:
                    if base.size > MAX_BROADCAST:
                        self.fail_at(start, f"a list, as a scalar stands for at most {MAX_BROADCAST} elements,")
                    value = (value,) * base.size
        else:
            value = self.constant(base, True, not optional)
        if self.at == start + 1:
            return token, value
        first, last = self.position(start), self.position(self.at - 1)
        return self.text[first : last + len(self.tokens[self.at - 1])], value

    def constants(self, elem: Type, none_allowed: bool) -> tuple[object, ...]:
        self.at += 1
        values = []
        if self.tokens[self.at] == "]":
            self.at += 1
            return ()
        while True:
            values.append(self.element(elem, none_allowed, True))
            if self.tokens[self.at] == "]":
                self.at += 1
                return tuple(values)
            if self.tokens[self.at] != ",":
                self.fail("',' or ']'")
            self.at += 1

    def element(self, t: Type, none_allowed: bool, exact: bool) -> object:
        """A constant in a list, whose elements are of one kind: bools for bools and whole numbers for ints."""
        start = self.at
        value = self.constant(t, none_allowed, exact)
        if value is not None and isinstance(t, BaseType) and t.name in _NUMERIC:
            if t.name in ("bool", "SymBool"):
                wanted = "a bool" if not isinstance(value, bool) else None
            elif t.name in ("float", "complex", "Scalar"):
                wanted = "a number" if isinstance(value, bool) and t.name != "Scalar" else None
            else:
                wanted = "a whole number" if type(value) is not int else None
            if wanted:
                self.fail_at(start, f"{wanted} as an element of {t.source()}[]")
        return value

    def constant(self, t: Type, none_allowed: bool, exact: bool) -> object:
        """One literal of a default.  `exact` turns numbers into the type's own kind, which an optional's default is not."""
        token = self.tokens[self.at]
        name = t.name if isinstance(t, BaseType) else ""
        if token == "None" and none_allowed:
            self.at += 1
            return None
        if name in _NUMERIC:
            return self.number(name, exact)
        if name in ("str", "Device"):
            if token[:1] in ("'", '"') and _STRING.fullmatch(token):
                return self.string()
            self.fail("a string" + " or None" * none_allowed)
        self.fail("None" if none_allowed else f"no default, as an element of type {t.source()} has no literal")

    def number(self, type_name: str, exact: bool) -> object:
        token = self.tokens[self.at]
        if token in ("True", "False"):
            self.at += 1
            return token == "True"
        symbol = _CONSTANTS.get(token)
        if symbol is None and type_name == "ScalarType":
            symbol = _DTYPES.get(token)
        if symbol is not None:
            self.at += 1
            return symbol
        value = self.literal()
        if type_name in ("complex", "Scalar"):
            sign = self.tokens[self.at]
            if sign in ("+", "-") and self.tokens[self.at + 1].endswith("j") and not isinstance(value, complex):
                self.at += sign == "+"
                imag = self.literal()
                value = complex(value, imag.imag)
            return complex(value) if exact and type_name == "complex" else value
        if isinstance(value, complex):
            self.fail_at(self.at - 1, f"a real number for an argument of type {type_name}")
        return float(value) if exact and type_name == "float" else value

    def literal(self) -> int | float | complex:
        negative = self.tokens[self.at] == "-"
        self.at += negative
        token = self.tokens[self.at]
        if not _NUMBER_START.match(token):
            self.fail("a number")
        if token.isdigit():
            value = int(token) if len(token) <= 19 else 2**64
            value = -value if negative else value
            if not -(2**63) <= value < 2**63:
                self.fail("a number of 64 bits")
        else:
            value = float(token.rstrip("j"))
            if value == float("inf"):
                self.fail("a finite number")
            value = -value if negative else value
            if token.endswith("j"):
                value = complex(0.0, value)
        self.at += 1
        return value

    def string(self) -> str:
        body = self.tokens[self.at][1:-1].encode("utf-8", "surrogatepass")
        try:
            value = _ESCAPE.sub(_unescape, body).decode("utf-8", "surrogatepass")
        except KeyError:
            self.fail("a string whose escapes are \\a \\b \\f \\n \\r \\t \\v \\\\ \\' \\\" or three octal digits")
        except UnicodeDecodeError:
            self.fail("a string of valid UTF-8")
        self.at += 1
        return value

    # -- the whole

    def arguments(self) -> tuple[tuple[Argument, ...], bool]:
        """The arguments and whether they end in `...`; both brackets are consumed."""
        self.expect("(")
        arguments = []
        kwarg_only = seen_default = False
        if self.tokens[self.at] == ")":
            self.at += 1
            return (), False
        while True:
            token = self.tokens[self.at]
            vararg = token == "..."
            if vararg:
                if seen_default:
                    self.fail_at(self.at, "an argument", "schemas with vararg (...) can't have default value args, expected an argument:")
                self.at += 1
            elif token == "*":
                self.at += 1
                kwarg_only = True
            else:
                t, alias, _ = self.type()
                name = self.identifier("an argument name")
                default_text = default = None
                if self.tokens[self.at] == "=":
                    self.at += 1
                    default_text, default = self.default(t)
                    seen_default = True
                elif seen_default and not kwarg_only and not isinstance(t, ListType):
                    # Lists are exempt: operators older than the rule leave one out as an empty list.
                    message = f"Non-default positional argument follows default argument. Parameter {name}, expected a default:"
                    self.fail_at(self.at - 1, "a default", message)
                arguments.append(Argument(name, t, kwarg_only, default_text, default, alias))
            token = self.tokens[self.at]
            if token == ")":
                self.at += 1
                return tuple(arguments), vararg
            if token != ",":
                self.fail("',' or ')'")
            if vararg:
                self.fail_at(self.at, "')'", "... must be the last element of the argument list, expected ')':")
            self.at += 1

    def returned(self) -> Return:
        t, alias, _ = self.type()
        token = self.tokens[self.at]
        if _IDENTIFIER.match(token):
            return Return(self.identifier("a return name"), t, alias)
        return Return("", t, alias)

    def returns(self) -> tuple[tuple[Return, ...], bool, bool]:
        """The returns, whether they end in `...`, and whether they stand in brackets."""
        if self.tokens[self.at] == "...":
            self.at += 1
            return (), True, False
        if self.tokens[self.at] != "(":
            return (self.returned(),), False, False
        self.at += 1
        returns = []
        if self.tokens[self.at] == ")":
            self.at += 1
            return (), False, True
        while True:
            varret = self.tokens[self.at] == "..."
            if varret:
                self.at += 1
            else:
                returns.append(self.returned())
            token = self.tokens[self.at]
            if token == ")":
                self.at += 1
                return tuple(returns), varret, True
            if token != ",":
                self.fail("',' or ')'")
            if varret:
                self.fail_at(self.at, "')'", "... must be the last element of the return list, expected ')':")
            self.at += 1

    def schema(self, name: OperatorName) -> FunctionSchema:
        arguments, is_vararg = self.arguments()
        self.expect("->")
        returns, is_varret, bracketed = self.returns()
        self.expect("")
        return FunctionSchema(name, arguments, returns, is_vararg, is_varret, bracketed and len(returns) + is_varret == 1)


def parse_schema_or_name(text: str, allow_typevars: bool = True) -> FunctionSchema | OperatorName:
    """Read a schema, or a bare operator name.

    Parameters
    ----------
    text : str
        ``ns::name.overload(arguments) -> returns`` or ``ns::name.overload``.
    allow_typevars : bool
        Whether an unknown lower-case type is a type variable rather than an error.

    Returns
    -------
    FunctionSchema or OperatorName
        A name if nothing follows the name.

    Raises
    ------
    SchemaError
        If the text is neither; the message shows where and what was expected.
    """
    parser = _Parser(text, allow_typevars)
    name = parser.name()
    if not parser.tokens[parser.at]:
        return name
    if parser.tokens[parser.at] != "(":
        parser.fail("'(' or the end of the text")
    return parser.schema(name)


def parse_schema(text: str, allow_typevars: bool = True) -> FunctionSchema:
    """Read a whole schema; like `parse_schema_or_name`, but a bare name is an error."""
    parsed = parse_schema_or_name(text, allow_typevars)
    if isinstance(parsed, OperatorName):
        message = f"Tried to parse a function schema but only the operator name was given, expected '(' here:\n{text}\n{' ' * len(text)}^ <--- HERE"
        raise SchemaError(message, text, len(text), "'('", "end of text")
    return parsed


def parse_name(text: str) -> OperatorName:
    """Read an operator name, ``ns::name.overload``, and nothing else.

    Raises
    ------
    SchemaError
        If the text is not a name.
    """
    parser = _Parser(text)
    name = parser.name()
    parser.expect("")
    return name
