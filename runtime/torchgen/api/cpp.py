"""The names of operators in C++ and, by default, of their kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.torchgen.function_schema import FunctionSchema

__all__ = ["name"]


def name(func: FunctionSchema, *, faithful_name_for_out_overloads: bool = False, symint_overload: bool = False) -> str:
    """The C++ function of an operator.

    Parameters
    ----------
    func : FunctionSchema
    faithful_name_for_out_overloads : bool
        Name the function that takes out arguments last, as the schema has them; the other takes them first.
    symint_overload : bool
        Name the function that takes symbolic integers.

    Examples
    --------
    >>> from runtime.torchgen.model import FunctionSchema
    >>> name(FunctionSchema.parse("abs.out(Tensor self, *, Tensor(a!) out) -> Tensor(a!)"))
    'abs_out'
    """
    symint = "_symint" if symint_overload else ""
    out = ("_outf" if faithful_name_for_out_overloads else "_out") if func.is_out_fn() else ""
    return f"{func.name.name}{symint}{out}"
