"""Types, alias annotations, arguments and returns of schemas, printed exactly as they were read.

The grammar is that of the operator list, narrower than the run time's (`runtime.schema`): commas are followed by one
space that defaults may not contain, only Tensor, Tensor? and Tensor[] are annotated, defaults are kept as text. Its
definition is the printing: a text is accepted if the tree read from it prints as that text, so nothing that was
written can be lost. Part of `runtime.torchgen.model`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from runtime.torchgen.utils import frozen

__all__ = [
    "Annotation",
    "Argument",
    "Arguments",
    "BaseTy",
    "BaseType",
    "CustomClassType",
    "ListType",
    "OptionalType",
    "Return",
    "SelfArgument",
    "TensorOptionsArguments",
    "Type",
]

_ANNOTATION = re.compile(r"([a-z](?:\|[a-z])*)(!?)(?: -> (\*|[a-z](?:\|[a-z])*))?")
_ANNOTATED = re.compile(r"Tensor\((.+)\)(.*)")
_LIST = re.compile(r"(.+)\[([0-9]+)?\]")
_CUSTOM_CLASS = re.compile(r"__torch__\.torch\.classes\.([a-zA-Z0-9_.]+)")


@frozen
class Annotation:
    """What a tensor may share memory with: ``a``, ``a!``, ``a -> *``.

    Attributes
    ----------
    alias_set : tuple of str
        The sets it belongs to, as written; nearly always one.
    is_write : bool
        Whether the call writes to it.
    alias_set_after : tuple of str
        The sets after the call; empty where no arrow was.
    """

    alias_set: tuple[str, ...]
    is_write: bool
    alias_set_after: tuple[str, ...]

    @staticmethod
    @functools.lru_cache(1024)
    def parse(ann: str) -> Annotation:
        """Read what stands in the brackets of ``Tensor(a!)``.

        Raises
        ------
        AssertionError
            If it is no annotation, or one that no call could have.
        """
        match = _ANNOTATION.fullmatch(ann)
        if match is None:
            raise AssertionError(f"unrecognized alias annotation {ann}")
        before, write, after = match.groups()
        before = tuple(before.split("|"))
        after = tuple(after.split("|")) if after else ()
        if write and len(before) > 1:
            raise AssertionError(f"alias set larger than 1 is not mutable, got {ann} instead.")
        if len(before) > 1 and len(after) > 1:
            raise AssertionError(f"before alias set and after alias set cannot be larger than 1 at the same time, got {ann} instead.")
        return Annotation(before, bool(write), after)

    def __str__(self) -> str:
        after = f" -> {'|'.join(self.alias_set_after)}" if self.alias_set_after else ""
        return f"{'|'.join(self.alias_set)}{'!' if self.is_write else ''}{after}"


# ---- types


@dataclass(frozen=True)
class Type:
    """A node of the type tree; always one of the four classes below."""

    @staticmethod
    @functools.lru_cache(1024)
    def parse(t: str) -> Type:
        """Read a type.

        Raises
        ------
        RuntimeError
            If a word in it names no type.
        AssertionError
            If the tree prints otherwise.
        """
        result = Type._parse(t)
        if str(result) != t:
            raise AssertionError(f"{result} != {t}")
        return result

    @staticmethod
    def _parse(t: str) -> Type:
        if t[1:].endswith("?"):
            return OptionalType(Type.parse(t[:-1]))
        match = _LIST.fullmatch(t)
        if match is not None:
            return ListType(Type.parse(match[1]), match[2] and int(match[2]))
        match = _CUSTOM_CLASS.fullmatch(t)
        if match is not None:
            return CustomClassType(match[1])
        name = BaseTy.__members__.get(t)
        if name is None:
            raise RuntimeError(f"unrecognized type {t}")
        return BaseType(name)

    def __str__(self) -> str:
        raise NotImplementedError

    def is_base_ty_like(self, base_ty: BaseTy) -> bool:
        """Whether this is the base type, or optionals and lists of it."""
        raise NotImplementedError

    def is_tensor_like(self) -> bool:
        return self.is_base_ty_like(BaseTy.Tensor)

    def is_generator_like(self) -> bool:
        return self.is_base_ty_like(BaseTy.Generator)

    def is_symint_like(self) -> bool:
        return self.is_base_ty_like(BaseTy.SymInt)

    def is_nullable(self) -> bool:
        """Whether the value, or an element of it, may be None."""
        raise NotImplementedError

    def is_list_like(self) -> ListType | None:
        """The list type that this is, or is an optional of; None if there is no list."""
        raise NotImplementedError


class BaseTy(Enum):
    """The words that are types by themselves."""

    Generator = auto()
    ScalarType = auto()
    Tensor = auto()
    int = auto()
    DimVector = auto()
    float = auto()
    str = auto()
    bool = auto()
    Layout = auto()
    Device = auto()
    DeviceIndex = auto()
    Scalar = auto()
    MemoryFormat = auto()
    QScheme = auto()
    Storage = auto()
    Stream = auto()
    SymInt = auto()
    SymBool = auto()
    GraphModule = auto()


@frozen
class BaseType(Type):
    """A type without parts."""

    name: BaseTy

    def __str__(self) -> str:
        return self.name.name

    def is_base_ty_like(self, base_ty: BaseTy) -> bool:
        return self.name is base_ty

    def is_nullable(self) -> bool:
        return False

    def is_list_like(self) -> ListType | None:
        return None


@frozen
class OptionalType(Type):
    """``T?``"""

    elem: Type

    def __str__(self) -> str:
        return f"{self.elem}?"

    def is_base_ty_like(self, base_ty: BaseTy) -> bool:
        return self.elem.is_base_ty_like(base_ty)

    def is_nullable(self) -> bool:
        return True

    def is_list_like(self) -> ListType | None:
        return self.elem.is_list_like()


@frozen
class CustomClassType(Type):
    """``__torch__.torch.classes.ns.Name``; `class_name` is what follows the prefix."""

    class_name: str

    def __str__(self) -> str:
        return f"__torch__.torch.classes.{self.class_name}"

    def is_base_ty_like(self, base_ty: BaseTy) -> bool:
        return False

    def is_nullable(self) -> bool:
        return False

    def is_list_like(self) -> ListType | None:
        return None


@frozen
class ListType(Type):
    """``T[]``, or ``T[N]`` with `size` N: a list that a scalar may stand for."""

    elem: Type
    size: int | None

    def __str__(self) -> str:
        return f"{self.elem}[{self.size or ''}]"

    def is_base_ty_like(self, base_ty: BaseTy) -> bool:
        return self.elem.is_base_ty_like(base_ty)

    def is_nullable(self) -> bool:
        return self.elem.is_nullable()

    def is_list_like(self) -> ListType | None:
        return self


def _read_type(text: str) -> tuple[Type, Annotation | None]:
    """A type with the annotation of its Tensor: it binds to Tensor, before ? and []."""
    match = _ANNOTATED.match(text)
    if match is None:
        return Type.parse(text), None
    annotation, rest = match.groups()
    if rest not in ("", "?", "[]"):
        raise AssertionError(f"unrecognized alias analysis form with Tensor: {rest}")
    return Type.parse("Tensor" + rest), Annotation.parse(annotation)


def _print_type(type: Type, annotation: Annotation | None) -> str:
    text = str(type)
    if annotation is None:
        return text
    if text not in ("Tensor", "Tensor?", "Tensor[]"):
        raise AssertionError(f"annotation on non-Tensor type: {text}")
    return f"Tensor({annotation}){text[6:]}"


# ---- arguments and returns


@frozen
class Argument:
    """One argument. Whether it is keyword-only is told by its place in `Arguments`.

    Attributes
    ----------
    name : str
    type : Type
    default : str or None
        The text after ``=``.
    annotation : Annotation or None
        That of the Tensor in the type.
    """

    name: str
    type: Type
    default: str | None
    annotation: Annotation | None

    @property
    def alias_info(self) -> Annotation | None:
        """`annotation` under the name that run-time schemas have for it."""
        return self.annotation

    @staticmethod
    @functools.lru_cache(8192)
    def parse(arg: str) -> Argument:
        """Read one argument.

        Raises
        ------
        AssertionError, RuntimeError
            If it breaks a rule, or a word in its type is unknown.
        """
        declaration, *defaults = arg.split("=")
        written, space, name = declaration.rpartition(" ")
        if len(defaults) > 1 and " " in arg:
            raise AssertionError(f"illegal argument with default value: '{arg}'")
        if not space:
            raise AssertionError(f"illegal argument '{arg}'")
        type, annotation = _read_type(written)
        result = Argument(name, type, defaults[0] if defaults else None, annotation)
        if str(result) != arg:
            raise AssertionError(f"{result} != {arg}")
        return result

    @property
    def is_write(self) -> bool:
        """Whether the call writes to it."""
        return self.annotation is not None and self.annotation.is_write

    def __str__(self) -> str:
        text = _print_type(self.type, self.annotation)
        if self.name is not None:
            text = f"{text} {self.name}"
            if self.default:
                text = f"{text}={self.default}"
        return text


@frozen
class Return:
    """One return; `name` is None where none was written."""

    name: str | None
    type: Type
    annotation: Annotation | None

    @property
    def alias_info(self) -> Annotation | None:
        """`annotation` under the name that run-time schemas have for it."""
        return self.annotation

    @staticmethod
    @functools.lru_cache(8192)
    def parse(arg: str) -> Return:
        """Read one return.

        Raises
        ------
        AssertionError, RuntimeError
            If it breaks a rule, or a word in its type is unknown.
        """
        written, space, name = arg.rpartition(" ")
        type, annotation = _read_type(written if space else arg)
        result = Return(name if space else None, type, annotation)
        if str(result) != arg:
            raise AssertionError(f"{result} != {arg}")
        return result

    @property
    def is_write(self) -> bool:
        """Whether it is an argument that the call wrote to."""
        return self.annotation is not None and self.annotation.is_write

    def __str__(self) -> str:
        text = _print_type(self.type, self.annotation)
        return text if self.name is None else f"{text} {self.name}"


@frozen
class SelfArgument:
    """The argument that methods are called on."""

    argument: Argument


@frozen
class TensorOptionsArguments:
    """The four arguments of factories that say what kind of tensor to make; they always come together."""

    dtype: Argument
    layout: Argument
    device: Argument
    pin_memory: Argument

    def all(self) -> Sequence[Argument]:
        return [self.dtype, self.layout, self.device, self.pin_memory]


_TENSOR_OPTIONS = [("dtype", "ScalarType"), ("layout", "Layout"), ("device", "Device"), ("pin_memory", "bool")]


def _are_tensor_options(arguments: Sequence[Argument]) -> bool:
    return [(a.name, str(a.type).removesuffix("?")) for a in arguments] == _TENSOR_OPTIONS


def _without_annotation(arguments: tuple[Argument, ...], strip_default: bool) -> tuple[Argument, ...]:
    return tuple(
        Argument(a.name, a.type, None if strip_default else a.default, None)
        if a.annotation is not None or (strip_default and a.default is not None)
        else a
        for a in arguments
    )


@frozen
class Arguments:
    """All arguments, sorted by what code generation treats differently.

    `pre_self_positional` is rarely more than empty (``where.self`` has a condition before self), and
    `post_tensor_options_kwarg_only` mostly a memory format. `out` holds the keyword-only arguments that are written;
    they stand last, so that taking them out of the keyword-only ones loses nothing.
    """

    pre_self_positional: tuple[Argument, ...]
    self_arg: SelfArgument | None
    post_self_positional: tuple[Argument, ...]
    pre_tensor_options_kwarg_only: tuple[Argument, ...]
    tensor_options: TensorOptionsArguments | None
    post_tensor_options_kwarg_only: tuple[Argument, ...]
    out: tuple[Argument, ...]

    def __post_init__(self) -> None:
        if self.self_arg is None and self.pre_self_positional:
            raise AssertionError("pre_self_positional is non-empty but self_arg is None")
        if self.tensor_options is None and self.post_tensor_options_kwarg_only:
            raise AssertionError("post_tensor_options_kwarg_only is non-empty but tensor_options is None")
        written = [a for a in self.pre_self_positional if a.is_write]
        if written:
            raise AssertionError(f"mutable pre_self_positional arguments are not currently supported in the schema: {written}")

    # The names with `flat_` have single arguments only; the others keep SelfArgument and TensorOptionsArguments whole.

    @property
    def flat_positional(self) -> Sequence[Argument]:
        if self.self_arg is None:
            return [*self.post_self_positional]
        return [*self.pre_self_positional, self.self_arg.argument, *self.post_self_positional]

    @property
    def flat_kwarg_only(self) -> Sequence[Argument]:
        """The keyword-only arguments that are not written."""
        if self.tensor_options is None:
            return [*self.pre_tensor_options_kwarg_only]
        return [*self.pre_tensor_options_kwarg_only, *self.tensor_options.all(), *self.post_tensor_options_kwarg_only]

    @property
    def flat_non_out(self) -> Sequence[Argument]:
        return [*self.flat_positional, *self.flat_kwarg_only]

    @property
    def flat_all(self) -> Sequence[Argument]:
        return [*self.flat_positional, *self.flat_kwarg_only, *self.out]

    @property
    def positional(self) -> Sequence[Argument | SelfArgument]:
        own = [] if self.self_arg is None else [self.self_arg]
        return [*self.pre_self_positional, *own, *self.post_self_positional]

    @property
    def kwarg_only(self) -> Sequence[Argument | TensorOptionsArguments]:
        options = [] if self.tensor_options is None else [self.tensor_options]
        return [*self.pre_tensor_options_kwarg_only, *options, *self.post_tensor_options_kwarg_only]

    @property
    def non_out(self) -> Sequence[Argument | SelfArgument | TensorOptionsArguments]:
        return [*self.positional, *self.kwarg_only]

    @property
    def all(self) -> Sequence[Argument | SelfArgument | TensorOptionsArguments]:
        return [*self.positional, *self.kwarg_only, *self.out]

    @property
    def post_self_positional_mutable(self) -> Sequence[Argument]:
        return [a for a in self.post_self_positional if a.is_write]

    def mutable_arg_names(self) -> list[str]:
        """The names of the arguments that the call writes to."""
        return [a.name for a in self.flat_all if a.is_write]

    def has_tensor_arg(self) -> bool:
        return any(a.type.is_tensor_like() for a in self.flat_non_out)

    def has_symint_arg(self) -> bool:
        return any(a.type.is_symint_like() for a in self.flat_non_out)

    def has_generator_arg(self) -> bool:
        return any(a.type.is_generator_like() for a in self.flat_non_out)

    def signature(self, *, strip_default: bool = False) -> Arguments:
        """What the functional, in-place and out= variants of an operator have in common.

        Annotations, out arguments and tensor options are dropped: out= variants of factories have none of the last.
        """
        own = self.self_arg
        if own is not None:
            own = SelfArgument(*_without_annotation((own.argument,), strip_default))
        keywords = self.pre_tensor_options_kwarg_only + self.post_tensor_options_kwarg_only
        return Arguments(
            _without_annotation(self.pre_self_positional, strip_default),
            own,
            _without_annotation(self.post_self_positional, strip_default),
            _without_annotation(keywords, strip_default),
            None,
            (),
            (),
        )

    def remove_self_annotation(self) -> Arguments:
        """The same arguments, with a self that is not written."""
        if self.self_arg is None:
            raise AssertionError("remove_self_annotation called but self_arg is None")
        return replace(self, self_arg=SelfArgument(replace(self.self_arg.argument, annotation=None)))

    def with_out_args(self, outs: list[Argument]) -> Arguments:
        """The same arguments with out arguments, of which there were none."""
        if self.out:
            raise AssertionError(f"with_out_args called but self.out is not empty: {self.out}")
        return replace(self, out=tuple(outs))

    @staticmethod
    def parse(args: str) -> Arguments:
        """Read what stands in a schema's brackets, ``Tensor self, *, int dim=0``.

        Raises
        ------
        AssertionError, RuntimeError
            If an argument breaks a rule, or they do together.
        """
        positional, keywords, out = Arguments._preparse(args)
        names = [a.name for a in positional]
        own = names.index("self") if "self" in names else None
        found = [i for i in range(len(keywords) - 3) if keywords[i].name == "dtype" and _are_tensor_options(keywords[i : i + 4])]
        if len(found) > 1:
            raise AssertionError("tensor options arguments can only appear once")
        first = found[0] if found else len(keywords)
        return Arguments(
            tuple(positional[:own]) if own is not None else (),
            SelfArgument(positional[own]) if own is not None else None,
            tuple(positional if own is None else positional[own + 1 :]),
            tuple(keywords[:first]),
            TensorOptionsArguments(*keywords[first : first + 4]) if found else None,
            tuple(keywords[first + 4 :]),
            tuple(out),
        )

    @staticmethod
    def _preparse(args: str) -> tuple[list[Argument], list[Argument], list[Argument]]:
        """The positional, the keyword-only and the out arguments.

        A keyword-only argument that is written counts as an out argument, whether it is returned or not.
        """
        positional: list[Argument] = []
        keywords: list[Argument] = []
        out: list[Argument] = []
        starred = False
        for text in args.split(", "):
            if text == "*":
                if starred:
                    raise AssertionError("invalid syntax: kwarg-only specifier * can only occur once")
                starred = True
            elif text:
                argument = Argument.parse(text)
                if not starred:
                    positional.append(argument)
                elif argument.is_write:
                    out.append(argument)
                elif out:
                    raise AssertionError(f"non-mutable argument '{argument.name}' cannot follow mutable out arguments")
                else:
                    keywords.append(argument)
        return positional, keywords, out

    def __str__(self) -> str:
        keywords = [*self.flat_kwarg_only, *self.out]
        return ", ".join([*map(str, self.flat_positional), *(["*"] if keywords else []), *map(str, keywords)])
