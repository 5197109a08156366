"""The names of kernels that are made from ufunc inner loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.torchgen.function_schema import FunctionSchema
    from runtime.torchgen.keys import DispatchKey

__all__ = ["schema_kernel_name"]


def schema_kernel_name(func: FunctionSchema, dispatch_key: DispatchKey) -> str:
    """The kernel of an out= operator at a key.

    Raises
    ------
    AssertionError
        If the operator is no out= operator.
    """
    if not func.is_out_fn():
        raise AssertionError("ufunc.kernel_name should only be invoked on out schemas")
    return f"ufunc_{func.name.name}_{dispatch_key}"
