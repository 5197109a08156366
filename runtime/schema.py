"""Operator schemas as texts: the tokenizer and the parser; the tree that they make is in `runtime.schema_tree`.

This is the door to the language of schemas, for the run time (which binds calls by it) and for code generation (which reads the operator list
before any extension is built).  For the second reason it imports nothing but the standard library.
"""

from __future__ import annotations

import re
from typing import NoReturn

from runtime.schema_tree import (
    BASE_INSTANCES,
    ESCAPES,
    MAX_DEPTH,
    AliasInfo,
    Argument,
    BaseType,
    ClassType,
    ContainerType,
    DictType,
    FunctionSchema,
    ListType,
    OperatorName,
    OptionalType,
    Return,
    TupleType,
    Type,
    VarType,
    strip_optional,
)

__all__ = [
    "MAX_BROADCAST",
    "Argument",
    "FunctionSchema",
    "OperatorName",
    "Return",
    "SchemaError",
    "parse_name",
    "parse_schema",
    "parse_schema_or_name",
]

#: The largest fixed size to which a scalar default is broadcast (`int[N] x=1`): the list is really built.
MAX_BROADCAST = 65536


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

#: Words that take types in brackets: name -> (fewest, most) of them.
_CONTAINERS = {"Dict": (2, 2), "Future": (1, 1), "RRef": (1, 1), "Await": (1, 1), "Union": (2, None)}

_ESCAPE = re.compile(rb"\\([0-3][0-7]{2}|.)", re.DOTALL)


def _unescape(match: re.Match[bytes]) -> bytes:
    body = match[1]
    if len(body) == 3:
        return bytes([int(body, 8)])
    return bytes([ESCAPES[body.decode("latin-1")]])


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
        t = BASE_INSTANCES.get(token)
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
        base, optional = strip_optional(t)
        if isinstance(base, ListType):
            elem, elem_optional = strip_optional(base.elem)
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
