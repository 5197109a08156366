"""Page-locking of what batches hold: the walk through them. There is no accelerator yet for which tensors could be locked."""

from collections.abc import Mapping, Sequence

from runtime import Tensor
from runtime.utils.data.collate import _is_namedtuple, _mapping_like, _sequence_like

__all__ = ["pin_memory"]


def pin_memory(data, device=None):
    """Data with each part in page-locked memory.

    Parameters
    ----------
    data : object
        Mappings and sequences are walked through; what has a method `pin_memory` is asked.
    device : object
        Accepted for PyTorch's signature.

    Raises
    ------
    RuntimeError
        For tensors: there is no accelerator.
    """
    if isinstance(data, Tensor):
        raise RuntimeError("Cannot access accelerator device when none is available.")
    if hasattr(data, "pin_memory"):
        return data.pin_memory()
    if isinstance(data, (str, bytes)):
        return data
    if isinstance(data, Mapping):
        return _mapping_like(data, {key: pin_memory(value, device) for key, value in data.items()})
    if _is_namedtuple(data):
        return type(data)(*(pin_memory(value, device) for value in data))
    if isinstance(data, tuple):
        return type(data)(pin_memory(value, device) for value in data)
    if isinstance(data, Sequence):
        return _sequence_like(data, [pin_memory(value, device) for value in data])
    return data
