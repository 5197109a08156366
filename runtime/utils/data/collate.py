"""Batches out of samples, and tensors out of what samples hold: what loaders call unless they are told otherwise."""

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence

import numpy as np

import runtime
from runtime import Tensor, UntypedStorage
from runtime.utils.data.worker import get_worker_info

__all__ = ["collate", "default_collate", "default_collate_fn_map", "default_convert"]


def _mapping_like(original, values):
    """A mapping of the original's type with other values; a dict where the type cannot be made so."""
    try:
        if isinstance(original, MutableMapping):
            made = copy.copy(original)
            made.update(values)
            return made
        return type(original)(values)
    except TypeError:
        return values


def _sequence_like(original, values):
    """A sequence of the original's type; a list where the type cannot be made so, and for tuples."""
    if isinstance(original, tuple):
        return values
    try:
        if isinstance(original, MutableSequence):
            made = copy.copy(original)
            for i, value in enumerate(values):
                made[i] = value
            return made
        return type(original)(values)
    except TypeError:
        return values


def _is_namedtuple(value):
    return isinstance(value, tuple) and hasattr(value, "_fields")


def _holds_text_or_objects(array):
    return array.dtype.kind in "SUO"


def default_convert(data):
    """NumPy arrays and scalars as tensors, also inside mappings and sequences; everything else as it is."""
    if isinstance(data, np.ndarray):
        return data if _holds_text_or_objects(data) else runtime.as_tensor(data)
    if isinstance(data, (Tensor, str, bytes)):
        return data
    if isinstance(data, np.generic):
        return runtime.as_tensor(data)
    if isinstance(data, Mapping):
        return _mapping_like(data, {key: default_convert(data[key]) for key in data})
    if _is_namedtuple(data):
        return type(data)(*map(default_convert, data))
    if isinstance(data, Sequence):
        return _sequence_like(data, [default_convert(value) for value in data])
    return data


default_collate_err_msg_format = "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"


def collate(batch, *, collate_fn_map=None):
    """One sample that stands for a list of samples.

    Parameters
    ----------
    batch : list
        Samples of one structure; mappings and sequences are collated element by element.
    collate_fn_map : dict, optional
        For types, or tuples of types, the functions ``(batch, *, collate_fn_map)`` that collate lists of their instances.
    """
    first = batch[0]
    functions = collate_fn_map or {}
    if type(first) in functions:
        return functions[type(first)](batch, collate_fn_map=collate_fn_map)
    for types, function in functions.items():
        if isinstance(first, types):
            return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        return _mapping_like(first, {key: collate([sample[key] for sample in batch], collate_fn_map=collate_fn_map) for key in first})
    if not isinstance(first, Sequence):
        raise TypeError(default_collate_err_msg_format.format(type(first)))
    if not _is_namedtuple(first) and any(len(sample) != len(first) for sample in batch):
        raise RuntimeError("each element in list of batch should be of equal size")
    columns = [collate(column, collate_fn_map=collate_fn_map) for column in zip(*batch)]
    return type(first)(*columns) if _is_namedtuple(first) else _sequence_like(first, columns)


def _shared_output(batch):
    """In a worker: where to stack the tensors so that they need not be copied to shared memory. None where stacking decides itself."""
    first = batch[0]
    alike = all(type(tensor) is Tensor and tensor.dtype == first.dtype and tensor.shape == first.shape for tensor in batch)
    if get_worker_info() is None or not alike or any(tensor.requires_grad or not tensor.is_cpu for tensor in batch):
        return None
    storage = UntypedStorage._new_shared(len(batch) * first.nbytes)
    return runtime.empty(0, dtype=first.dtype).set_(storage).view(len(batch), *first.shape)


def collate_tensor_fn(batch, *, collate_fn_map=None):
    """The tensors stacked in a new first dimension."""
    return runtime.stack(list(batch), 0, out=_shared_output(batch))


def collate_numpy_array_fn(batch, *, collate_fn_map=None):
    """The arrays as tensors, collated."""
    if _holds_text_or_objects(batch[0]):
        raise TypeError(default_collate_err_msg_format.format(batch[0].dtype))
    return collate([runtime.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch, *, collate_fn_map=None):
    """A tensor of NumPy's scalars."""
    return runtime.as_tensor(batch)


def collate_float_fn(batch, *, collate_fn_map=None):
    """A float64 tensor."""
    return runtime.tensor(batch, dtype=runtime.float64)


def collate_int_fn(batch, *, collate_fn_map=None):
    """A tensor of the integers."""
    return runtime.tensor(batch)


def collate_str_fn(batch, *, collate_fn_map=None):
    """The strings as they are."""
    return batch


default_collate_fn_map = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch):
    """A batch of samples of one structure: tensors, arrays and numbers become tensors with a new first dimension.

    Parameters
    ----------
    batch : list
        Tensors, arrays, numbers, strings, and mappings and sequences of them. Types can be added to `default_collate_fn_map`.

    Examples
    --------
    >>> from runtime.utils.data import default_collate
    >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
    {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
