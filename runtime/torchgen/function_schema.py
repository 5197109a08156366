"""The schema of an operator: its name, arguments and returns, and what follows from them.

Everything that an operator's form says is asked here: whether it is in-place, out=, mutable or functional
(`FunctionSchema.kind`), which operators are variants of one another (`FunctionSchema.signature`), what a return
aliases. A schema that was constructed keeps the rules; there are no others. Part of `runtime.torchgen.model`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from functools import cached_property
from itertools import chain

from runtime.torchgen.arguments import Argument, Arguments, BaseTy, BaseType, Return
from runtime.torchgen.names import BaseOperatorName, OperatorName
from runtime.torchgen.utils import frozen

__all__ = ["FunctionSchema", "SchemaKind", "parse_returns"]

_TENSOR = BaseType(BaseTy.Tensor)
_SCRATCH = "_scratch_"


class SchemaKind(Enum):
    """What a schema writes to.

    `functional`: nothing. `inplace`: self (by the name). `out`: keyword-only arguments. `mutable`: positional
    arguments after self. `scratch`: keyword-only arguments of which some, named ``_scratch_*``, are only room to work.
    """

    functional = auto()
    inplace = auto()
    out = auto()
    mutable = auto()
    scratch = auto()

    __hash__ = object.__hash__


@frozen
class FunctionSchema:
    """One operator's schema, as it stands under `func` in an entry, without namespace.

    Examples
    --------
    >>> schema = FunctionSchema.parse("add_.Tensor(Tensor(a!) self, Tensor other, *, Scalar alpha=1) -> Tensor(a!)")
    >>> schema.kind().name, schema.name.name.base, schema.name.overload_name
    ('inplace', 'add', 'Tensor')
    >>> str(schema.signature())
    'add(Tensor self, Tensor other, *, Scalar alpha=1) -> Tensor'
    """

    name: OperatorName
    arguments: Arguments
    returns: tuple[Return, ...]

    decl_re = re.compile(r"(?P<name>[^\(]+)\((?P<args>.*)\) -> (?P<returns>.*)")

    @staticmethod
    def parse(func: str) -> FunctionSchema:
        """Read a schema.

        Raises
        ------
        AssertionError, RuntimeError
            If the text breaks a rule, prints otherwise, or a word in a type is unknown.
        """
        match = FunctionSchema.decl_re.search(func)
        if match is None:
            raise AssertionError(f"Invalid function schema: {func}")
        name, arguments, returns = match.groups()
        result = FunctionSchema(OperatorName.parse(name), Arguments.parse(arguments), parse_returns(returns))
        if str(result) != func:
            raise AssertionError(f"{result} != {func}")
        return result

    def __str__(self) -> str:
        returns = ", ".join(map(str, self.returns))
        return f"{self.name}({self.arguments}) -> {returns if len(self.returns) == 1 else f'({returns})'}"

    # ---- rules

    def __post_init__(self) -> None:
        self._check_aliases()
        if self.arguments.out:
            self._check_out()
        if self.name.name.inplace:
            self._check_inplace()
        if self.arguments.tensor_options is not None and self.kind() is not SchemaKind.functional:
            raise AssertionError(
                "Found an operator that is not functional or out variant, but has tensor options arguments."
                "This is not allowed- tensor options arguments are only allowed for factory functions."
                f"schema: {self}"
            )
        if self.is_functional_fn() and self.kind() is not SchemaKind.functional:
            raise AssertionError(
                "Found an operator that is not functional, but its overload contains the string 'functional'."
                "This is a special keyword in the codegen, please use a different overload name."
                f"schema: {self}"
            )

    def _check_aliases(self) -> None:
        arguments, returns = self.arguments, self.returns
        for argument, returned in zip(arguments.out, returns):
            if argument.annotation != returned.annotation:
                raise AssertionError(
                    "Out arguments must have matching return Tensor; furthermore, the ith-argument needs to correspond to the ith return. "
                    f"arg.annotation={argument.annotation}, ret.annotation={returned.annotation}"
                )
        # Variants are paired by turning what is written into returns, so what is written must not be returned as well.
        for argument in arguments.post_self_positional:
            if argument.is_write and any(argument.annotation == r.annotation for r in returns):
                raise AssertionError(f"If you have a schema with mutable positional args, we expect them to not be returned. schema: {self}")
        written = [r for r in returns if r.is_write]
        if not written:
            return
        if len(written) != len(returns):
            raise AssertionError(f"NativeFunctions must have either only mutable returns, or only immutable returns. Found: {self}")
        owners = [a.annotation for a in arguments.out]
        if arguments.self_arg is not None:
            owners.append(arguments.self_arg.argument.annotation)
        if any(r.annotation not in owners for r in written):
            raise AssertionError(
                'All mutable returns must be aliased either to a keyword argument, or to "self". '
                "Did you forget to mark an out argument as keyword-only?"
            )

    def _check_out(self) -> None:
        if any(a.type != _TENSOR for a in self.arguments.out):
            if self.returns:
                raise AssertionError(
                    "out= ops that accept tensor lists as out arguments "
                    "are expected to have no return type (since you can't do method chaining on them)"
                )
            return
        outs = sum(not a.name.startswith(_SCRATCH) for a in self.arguments.out)
        if outs != len(self.returns):
            raise AssertionError(
                "Must return as many arguments as there are out arguments, or no return at all. "
                f"Got {outs} non-scratch out args and {len(self.returns)} returns"
            )

    def _check_inplace(self) -> None:
        own = self.arguments.self_arg
        if own is None or not own.argument.is_write:
            raise AssertionError(f"Inplace op {self.name} must have a self argument with a mutable annotation")
        if own.argument.type == _TENSOR:
            if [r.annotation for r in self.returns] != [own.argument.annotation]:
                raise AssertionError(f"Inplace op {self.name} with Tensor self must return self")
        elif self.returns:
            raise AssertionError(f"Inplace op {self.name} with non-Tensor self must have no returns")

    # ---- what it is

    @property
    def is_mutable(self) -> bool:
        """Whether the call writes to any argument."""
        return any(a.is_write for a in self.arguments.flat_all)

    @property
    def modifies_arguments(self) -> bool:
        """Whether its kind is one that writes."""
        return self.kind() in (SchemaKind.inplace, SchemaKind.out, SchemaKind.mutable)

    def is_functional_fn(self) -> bool:
        """Whether the overload's name claims that it is functional."""
        return "functional" in self.name.overload_name

    def is_out_fn(self) -> bool:
        """Whether it has out arguments: keyword-only ones that are written."""
        return bool(self.arguments.out)

    def has_symint(self) -> bool:
        """Whether an argument may be a symbolic integer."""
        return self.arguments.has_symint_arg()

    def returns_are_aliased(self) -> bool:
        """Whether it returns arguments that it wrote to; then all returns are such."""
        return any(r.is_write for r in self.returns)

    def schema_order_arguments(self) -> Iterator[Argument]:
        """The arguments as they stand in the text."""
        return chain(self.arguments.flat_positional, self.arguments.flat_kwarg_only, self.arguments.out)

    def kind(self) -> SchemaKind:
        """The kind; in-place and out= operators may write to positional arguments beside.

        Raises
        ------
        AssertionError
            If it is both in-place and out=.
        """
        return self._kind

    @cached_property
    def _kind(self) -> SchemaKind:
        out, inplace = self.arguments.out, self.name.name.inplace
        if out and inplace:
            raise AssertionError("A schema cannot be both out= and inplace")
        if inplace:
            return SchemaKind.inplace
        if out:
            return SchemaKind.scratch if any(a.name.startswith(_SCRATCH) for a in out) else SchemaKind.out
        return SchemaKind.mutable if any(a.is_write for a in self.arguments.post_self_positional) else SchemaKind.functional

    def aliased_return_names(self) -> list[str | None]:
        """For each return the name of the argument that it aliases, or None.

        Raises
        ------
        AssertionError
            If a return aliases several.
        """
        names: list[str | None] = []
        for r in self.returns:
            aliased = [a.name for a in self.arguments.flat_all if a.annotation is not None and a.annotation == r.annotation]
            if len(aliased) > 1:
                raise AssertionError(f"Found a return ({r.name})that aliases multiple inputs ({', '.join(aliased)})")
            names.append(aliased[0] if aliased else None)
        return names

    # ---- what it belongs to

    def signature(self, *, strip_default: bool = False, strip_view_copy_name: bool = False, keep_return_names: bool = False) -> FunctionSchema:
        """What an operator has in common with its functional, in-place, out= and mutable variants.

        The overload and the mark of an in-place name go, and so do annotations, out arguments and tensor options;
        arguments that are written and not returned become returns, after the others.

        Parameters
        ----------
        strip_default : bool
            Drop defaults too.
        strip_view_copy_name : bool
            Name the view whose copying variant this is: ``x`` for ``x_copy``, ``x_inverse`` for ``x_scatter``.
        keep_return_names : bool
            Keep the returns' names, and name the new ones after their arguments, as generated operators do.
        """
        if strip_default or keep_return_names:
            return self._signature_with(strip_default, strip_view_copy_name, keep_return_names)
        return self._view_signature if strip_view_copy_name else self._signature

    def view_signature(self) -> FunctionSchema:
        """What a view has in common with its in-place and copying variants."""
        return self._view_signature

    # Operators are grouped by these two, and every group compares those of its members.

    @cached_property
    def _signature(self) -> FunctionSchema:
        return self._signature_with(False, False, False)

    @cached_property
    def _view_signature(self) -> FunctionSchema:
        base = _view_base(self.name.name.base)
        if base == self.name.name.base:
            return self._signature
        return self._signature.with_name(OperatorName(BaseOperatorName(base, False, self.name.name.dunder_method), ""))

    def _signature_with(self, strip_default: bool, strip_view_copy_name: bool, keep_return_names: bool) -> FunctionSchema:
        own = self.arguments.self_arg
        candidates = [*([own.argument] if own is not None else []), *self.arguments.out, *self.arguments.post_self_positional]
        annotations = {r.annotation for r in self.returns}
        returns = [Return(r.name if keep_return_names else None, r.type, None) for r in self.returns]
        returns += [
            Return(f"{a.name}_out" if keep_return_names else None, a.type, None) for a in candidates if a.is_write and a.annotation not in annotations
        ]
        arguments = self.arguments.signature(strip_default=strip_default)
        if str(self.name) == "bernoulli.p":
            # Its in-place and out= variants have this default. It has none, because calls could not tell it from the
            # overload without p.
            arguments = Arguments.parse(str(arguments).replace("float p", "float p=0.5"))
        base = self.name.name.base
        name = BaseOperatorName(_view_base(base) if strip_view_copy_name else base, False, self.name.name.dunder_method)
        return FunctionSchema(OperatorName(name, ""), arguments, tuple(returns))

    def with_name(self, name: OperatorName) -> FunctionSchema:
        """The same arguments and returns under another name."""
        return FunctionSchema(name, self.arguments, self.returns)


def _view_base(base: str) -> str:
    if base.endswith("_copy"):
        return base.replace("_copy", "")
    return base.replace("scatter", "inverse") if base.endswith("_scatter") else base


def parse_returns(return_decl: str) -> tuple[Return, ...]:
    """Read what stands behind the arrow: one return, or any number in brackets.

    Raises
    ------
    AssertionError, RuntimeError
        If a return breaks a rule, or a word in its type is unknown.
    """
    if return_decl.startswith("(") and return_decl.endswith(")"):
        return_decl = return_decl[1:-1]
        if not return_decl:
            return ()
    return tuple(Return.parse(text) for text in return_decl.split(", "))
