"""The names that files have for our objects: PyTorch's, so that files can be exchanged, whether or not `runtime.compat` is installed.

`torch_name` is what `save` writes for an object, `object_of` what `load` finds for a name. DEFAULT is what every load with `weights_only=True`
may refer to: a name stands in it only if nothing that a file can do with the object is harmful (`unpickling` says what that is).
"""

from collections import Counter, OrderedDict
from functools import cache
from types import FunctionType

import runtime
from runtime import _core, return_types
from runtime.serialization import rebuild
from runtime.storage import LEGACY, TypedStorage

__all__ = ["default_globals", "object_of", "torch_name"]

_REBUILT = (
    "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_device_tensor_from_numpy", "_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor",
    "_rebuild_parameter", "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor", "_rebuild_tensor",
    "_rebuild_tensor_v2", "_rebuild_tensor_v3", "_rebuild_wrapper_subclass",
)  # fmt: skip


_NAMED = (type, FunctionType, _core.Function, _core._OverridableFunction)


@cache
def _torch_objects():
    """Names of PyTorch's that files contain, and our objects for them."""
    objects = {f"torch._utils.{name}": getattr(rebuild, name) for name in _REBUILT}
    objects |= {
        "torch._tensor._rebuild_from_type_v2": rebuild._rebuild_from_type_v2,
        "torch._tensor._rebuild_from_type": rebuild._rebuild_from_type,
        "torch._C.Generator": rebuild._rebuild_generator,
        "torch.serialization._get_layout": rebuild._get_layout,
        "torch.nn.parameter.Parameter": runtime.nn.Parameter,
        "torch.Size": runtime.Size,
        "torch.Tensor": runtime.Tensor,
        "torch.device": runtime.device,
        "torch.storage.TypedStorage": TypedStorage,
        "torch.storage.UntypedStorage": runtime.UntypedStorage,
    }
    objects |= {f"torch.{name}": cls for name, cls in LEGACY.items()}
    objects |= {str(dtype): dtype for dtype in _core.dtype_names.values()}
    objects |= {str(value): value for value in _core.format_names.values() if isinstance(value, (_core.memory_format, _core.qscheme))}
    return objects


@cache
def default_globals():
    """The names that a file may refer to by default, and their objects."""
    return _torch_objects() | {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "_codecs.encode": _encode,
        "builtins.bytearray": bytearray,
        "builtins.bytes": bytes,
        "builtins.set": set,
        "builtins.frozenset": frozenset,
        "builtins.complex": complex,
        "builtins.slice": slice,
        "builtins.range": range,
    }


def _encode(text, encoding):
    """Bytes from their latin-1 text: how `pickle` writes them in protocols that have no bytes."""
    if type(text) is not str or encoding not in ("latin1", "latin-1"):
        raise ValueError("bytes are read from latin-1 text only")
    return text.encode("latin-1")


@cache
def _names_by_id():
    return {id(value): tuple(name.rsplit(".", 1)) for name, value in _torch_objects().items()}


def torch_name(obj):
    """The module and name that PyTorch has for one of our objects.

    Parameters
    ----------
    obj : object
        A class, function, dtype or memory format.

    Returns
    -------
    tuple of str or None
        None for what is not ours, or has no counterpart.
    """
    known = _names_by_id().get(id(obj))
    if known is not None:
        return known
    module = getattr(obj, "__module__", None)
    if not isinstance(obj, _NAMED) or not isinstance(module, str) or module.partition(".")[0] != "runtime":
        return None
    name = obj.__qualname__
    # PyTorch has the functions of the package's namespace there, whichever of its modules they are written in.
    for place in ("torch", "torch" + module.removeprefix("runtime"), "torch.nn", "torch.optim"):
        if _resolved(f"{place}.{name}") is obj:
            return place, name
    return None


def _resolved(name):
    from runtime.compat import resolve

    try:
        return resolve(name)
    except (AttributeError, ImportError, NotImplementedError):
        return None


def object_of(module, name):
    """Our object for a name of PyTorch's in a file; None if there is none."""
    if module == "torch.return_types":
        return return_types.from_file(name)
    full = f"{module}.{name}"
    found = _torch_objects().get(full)
    return _resolved(full) if found is None else found
