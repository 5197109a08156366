"""Names of operators: ``add``, ``add_.Tensor``, ``__iand__``, taken apart losslessly.

What a name says by its form (in place, a special method of Python, the functional twin of a mutable operator) is kept
as fields; printing puts it back. Part of `runtime.torchgen.model`.
"""

from __future__ import annotations

import functools

from runtime.torchgen.utils import frozen

__all__ = ["AUGMENTED_ASSIGNMENT_NAMES", "BaseOperatorName", "OperatorName"]

#: Special methods that exist in an in-place form, ``__iadd__`` beside ``__add__``.
AUGMENTED_ASSIGNMENT_NAMES = ["add", "sub", "mul", "div", "mod", "pow", "lshift", "rshift", "and", "xor", "or"]

_FUNCTIONAL = "_functional"


@frozen
class BaseOperatorName:
    """An operator's name without its overload.

    Attributes
    ----------
    base : str
        What is left when the marks below are taken off: ``add`` of ``add_``, ``and`` of ``__iand__``.
    inplace : bool
        ``add_`` or ``__iadd__``.
    dunder_method : bool
        ``__and__``.
    functional_overload : bool
        Ends in ``_functional``: the twin, free of side effects, of an operator that writes some of its inputs and
        returns other results. Both take the same arguments, so the twin needs a name of its own: as an overload of
        the same name no call could choose between them.
    namespace : str or None
        ``aten`` of ``aten::add``. Entries have it elsewhere (`NativeFunction.namespace`).
    """

    base: str
    inplace: bool
    dunder_method: bool
    functional_overload: bool = False
    namespace: str | None = None

    @staticmethod
    @functools.lru_cache(8192)
    def parse(op: str) -> BaseOperatorName:
        """Take a name apart.

        Raises
        ------
        AssertionError
            If the name breaks a rule or cannot be put together again.
        """
        space, colons, name = op.rpartition("::")
        if not name:
            raise AssertionError("operator name cannot be empty")
        if op.endswith("_out"):
            raise AssertionError(
                "_out suffix is reserved and not permitted for operator names; did you mean to specify an out overload name instead?"
            )
        inner = name[2:-2]
        dunder = bool(inner) and "_" not in inner and name == f"__{inner}__"
        if dunder:
            base = inner
            inplace = base[0] == "i" and base[1:] in AUGMENTED_ASSIGNMENT_NAMES
            if inplace:
                base = base[1:]
            elif base[0] == "i":
                # Not an in-place one, but it would look like one: __int__, __invert__.
                raise AssertionError(f"unexpected dunder method starting with 'i': {op}")
        else:
            inplace = name[-1] == "_"
            base = name[:-1] if inplace else name
        functional = base.endswith(_FUNCTIONAL)
        if functional:
            if dunder or inplace:
                raise AssertionError(f"functional overload cannot be a dunder method or inplace: {op}")
            base = base[: -len(_FUNCTIONAL)]
        result = BaseOperatorName(base, inplace, dunder, functional, space if colons else None)
        if str(result) != op:
            raise AssertionError(f"{result} != {op}")
        return result

    def __str__(self) -> str:
        space = f"{self.namespace}::" if self.namespace else ""
        if self.dunder_method:
            return f"{space}__{'i' if self.inplace else ''}{self.base}__"
        return f"{space}{self.base}{'_' if self.inplace else _FUNCTIONAL if self.functional_overload else ''}"


@frozen
class OperatorName:
    """An operator's name with its overload, ``add_.Tensor``; the overload may be empty."""

    name: BaseOperatorName
    overload_name: str

    @staticmethod
    @functools.lru_cache(8192)
    def parse(op_name: str) -> OperatorName:
        """Take a name apart at its first dot.

        Raises
        ------
        AssertionError
            If the name breaks a rule or cannot be put together again.
        """
        name, _, overload = op_name.partition(".")
        result = OperatorName(BaseOperatorName.parse(name), overload)
        if str(result) != op_name:
            raise AssertionError(f"{result} != {op_name}")
        return result

    def __str__(self) -> str:
        return f"{self.name}.{self.overload_name}" if self.overload_name else str(self.name)

    def unambiguous_name(self) -> str:
        """``add__Tensor``: the name as one word, different for every operator."""
        return f"{self.name}_{self.overload_name}" if self.overload_name else str(self.name)

    def remove_inplace(self) -> OperatorName:
        """The same name of an operator that is not in-place."""
        return self.with_overload(self.overload_name)

    def with_overload(self, overload: str) -> OperatorName:
        """Another overload of the operator that is not in-place."""
        return OperatorName(BaseOperatorName(self.name.base, False, self.name.dunder_method), overload)
