"""The arguments of ``to``, as modules and packed sequences take them."""

import runtime
from runtime._core import Tensor


def parse_to(*args, **kwargs):
    """Device, dtype, `non_blocking` and memory format from the arguments of ``to``."""
    kwargs = dict(kwargs)
    memory_format = kwargs.pop("memory_format", None)
    first = args[0] if args else kwargs.get("tensor", kwargs.get("other"))
    if isinstance(first, Tensor):
        names = ("tensor", "non_blocking", "copy")
    elif isinstance(first, runtime.dtype):
        names = ("dtype", "non_blocking", "copy")
    else:
        names = ("device", "dtype", "non_blocking", "copy")
    given = dict(zip(names, args))
    if len(args) > len(names) or given.keys() & kwargs.keys() or kwargs.keys() - {*names, "other"} or not (args or kwargs or memory_format):
        # Tensor.to knows what to say.
        runtime.empty(0).to(*args, **kwargs)
    given.update(kwargs)
    tensor = given.get("tensor", given.get("other"))
    if tensor is not None:
        return tensor.device, tensor.dtype, given.get("non_blocking", False), memory_format
    device = given.get("device")
    return None if device is None else runtime.device(device), given.get("dtype"), given.get("non_blocking", False), memory_format
