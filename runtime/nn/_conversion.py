"""The arguments of ``to``, as modules and packed sequences take them."""

import runtime
from runtime._core import Tensor

_KINDS = {
    "tensor": Tensor,
    "other": Tensor,
    "device": (str, int, runtime.device, type(None)),
    "dtype": (runtime.dtype, type(None)),
    "non_blocking": bool,
    "copy": bool,
    "memory_format": (runtime.memory_format, type(None)),
}


def parse_to(*args, **kwargs):
    """Device, dtype, `non_blocking` and memory format from ``(device, dtype, ...)``, ``(dtype, ...)`` or ``(tensor, ...)``."""
    first = args[0] if args else None
    if isinstance(first, Tensor) or "tensor" in kwargs or "other" in kwargs:
        names = ("tensor", "non_blocking", "copy")
    elif isinstance(first, runtime.dtype):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    given = dict(zip(names, args))
    fits = len(args) <= len(names) and not given.keys() & kwargs.keys() and kwargs.keys() <= {*names, "other", "memory_format"}
    given.update(kwargs)
    if not fits or not all(isinstance(value, _KINDS[name]) for name, value in given.items()):
        # Tensor.to says what is wrong.
        runtime.empty(0).to(*args, **kwargs)
    options = given.get("non_blocking", False), given.get("memory_format")
    tensor = given.get("tensor", given.get("other"))
    if tensor is not None:
        return tensor.device, tensor.dtype, *options
    device = given.get("device")
    return None if device is None else runtime.device(device), given.get("dtype"), *options
