"""Names for annotations: what a function takes as a number, a device, a shape. `infer_schema` reads `Number` as a schema's Scalar."""

from collections.abc import Sequence
from typing import TypeAlias

from runtime._core import DispatchKey, Size, Tensor, UntypedStorage, device, dtype, layout

Number: TypeAlias = int | float | bool
Device: TypeAlias = device | str | int | None
Storage: TypeAlias = UntypedStorage

_bool, _complex, _float, _int = bool, complex, float, int
_device, _dtype, _layout = device, dtype, layout
_size: TypeAlias = Size | list[int] | tuple[int, ...]
_dispatchkey: TypeAlias = str | DispatchKey
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]

__all__ = ["Device", "Number", "Storage"]
