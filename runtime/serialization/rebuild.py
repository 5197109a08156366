"""What pickles of tensors call when they are read: our counterparts of the functions in PyTorch's `torch._utils` and `torch._tensor`.

Files name them as PyTorch does, so their arguments are an interface. They check all of them: the geometry must lie inside the storage, in
exact integers, because a file can claim anything. Who calls them: both unpicklers of `load`, and plain `pickle`.
"""

from contextvars import ContextVar

import runtime
from runtime import _core
from runtime._core import Tensor, UntypedStorage

__all__ = [
    "_get_layout", "_get_obj_state", "_rebuild_device_tensor_from_cpu_tensor", "_rebuild_device_tensor_from_numpy", "_rebuild_from_type",
    "_rebuild_from_type_v2", "_rebuild_generator", "_rebuild_meta_tensor_no_storage", "_rebuild_nested_tensor", "_rebuild_parameter",
    "_rebuild_parameter_with_state", "_rebuild_qtensor", "_rebuild_sparse_tensor", "_rebuild_tensor", "_rebuild_tensor_v2",
    "_rebuild_tensor_v3", "_rebuild_wrapper_subclass", "_rebuild_xla_tensor", "_set_obj_state", "map_location",
]  # fmt: skip

# The `map_location` of the load that is under way: devices that are no storage's are mapped by it too.
map_location = ContextVar("map_location", default=None)

_MAX_DIM = 64
_INT64_MAX = 2**63 - 1


def _ints(values, what):
    """A tuple of the ints that a size or stride consists of."""
    if not isinstance(values, (tuple, list)) or len(values) > _MAX_DIM or not all(type(v) is int and abs(v) <= _INT64_MAX for v in values):
        raise ValueError(f"{what} must be a tuple of at most {_MAX_DIM} ints of 64 bits")
    return tuple(values)


def _geometry(nbytes, itemsize, offset, size, stride):
    """Sizes and strides of a tensor that lies inside a storage of `nbytes` bytes."""
    size, stride = _ints(size, "size"), _ints(stride, "stride")
    if type(offset) is not int or abs(offset) > _INT64_MAX or len(size) != len(stride):
        raise ValueError(f"size {size}, stride {stride} and the offset do not describe a tensor")
    last, empty = offset, False
    for n, step in zip(size, stride, strict=True):
        if n < 0 or step < 0:
            raise ValueError(f"size {size} and stride {stride} may not be negative")
        last += max(n - 1, 0) * step
        empty = empty or n == 0
    needed = offset * itemsize if empty else (last + 1) * itemsize
    if offset < 0 or needed > nbytes:
        raise ValueError(f"a tensor of size {size}, stride {stride} and offset {offset} needs {needed} bytes, but its storage has {nbytes} bytes")
    return size, stride


def _made(storage, dtype, offset, size, stride, requires_grad, metadata):
    untyped = getattr(storage, "_untyped_storage", None)
    if not isinstance(untyped, UntypedStorage) or not isinstance(dtype, _core.dtype):
        raise TypeError(f"a tensor is rebuilt from a storage and a dtype, not {type(storage).__name__} and {type(dtype).__name__}")
    size, stride = _geometry(untyped.nbytes(), dtype.itemsize, offset, size, stride)
    bits = 0
    if metadata:
        if type(metadata) is not dict or not metadata.keys() <= {"conj", "neg"}:
            raise ValueError("the metadata of a tensor are not its conj and neg bits")
        bits = bool(metadata.get("conj")) | bool(metadata.get("neg")) << 1
        if bits & 1 and not dtype.is_complex:
            raise ValueError(f"a {dtype} tensor cannot be conjugated")
    return _core._rebuild_tensor(untyped, dtype, offset, size, stride, bool(requires_grad), bits)


def _rebuild_tensor(storage, storage_offset, size, stride):
    """A tensor on a typed storage (PyTorch before 0.4)."""
    return _made(storage, storage.dtype, storage_offset, size, stride, False, None)


def _rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None):
    """A tensor on a typed storage, which knows the dtype; `metadata` has the lazy bits "conj" and "neg"."""
    tensor = _made(storage, storage.dtype, storage_offset, size, stride, requires_grad, metadata)
    if backward_hooks:
        tensor._backward_hooks = backward_hooks
    return tensor


def _rebuild_tensor_v3(storage, storage_offset, size, stride, requires_grad, backward_hooks, dtype, metadata=None):
    """A tensor of a dtype that has no typed storage."""
    tensor = _made(storage, dtype, storage_offset, size, stride, requires_grad, metadata)
    if backward_hooks:
        tensor._backward_hooks = backward_hooks
    return tensor


def _rebuild_parameter(data, requires_grad, backward_hooks):
    """A Parameter on the memory of a tensor."""
    parameter = runtime.nn.Parameter(data, requires_grad)
    if backward_hooks:
        parameter._backward_hooks = backward_hooks
    return parameter


def _rebuild_parameter_with_state(data, requires_grad, backward_hooks, state):
    """A Parameter with attributes."""
    return _set_obj_state(_rebuild_parameter(data, requires_grad, backward_hooks), state)


def _rebuild_meta_tensor_no_storage(dtype, size, stride, requires_grad):
    """A tensor on the meta device."""
    size, stride = _ints(size, "size"), _ints(stride, "stride")
    if not isinstance(dtype, _core.dtype):
        raise TypeError(f"the dtype of a tensor is a {type(dtype).__name__}")
    return runtime.empty_strided(size, stride, dtype=dtype, device="meta", requires_grad=bool(requires_grad))


def _mapped_device(device):
    """The device that `map_location` gives for one that is written in a file."""
    if not isinstance(device, (runtime.device, str)):
        raise TypeError(f"the device of a tensor is a {type(device).__name__}")
    where = map_location.get()
    if where is None:
        return device
    if isinstance(where, dict):
        return where.get(device, where.get(str(device), device))
    if isinstance(where, (str, runtime.device)):
        return where
    raise RuntimeError("Callable map_location not supported with _rebuild_wrapper_subclass or _rebuild_device_tensor_from_numpy")


def _rebuild_wrapper_subclass(cls, dtype, size, stride, storage_offset, layout, device, requires_grad):
    """A tensor of a class with `__torch_dispatch__` that has no memory of its own; its attributes follow as state."""
    if not (isinstance(cls, type) and issubclass(cls, Tensor) and isinstance(dtype, _core.dtype) and isinstance(layout, _core.layout)):
        raise TypeError("a wrapper is rebuilt from a subclass of Tensor, a dtype and a layout")
    if type(storage_offset) is not int:
        raise TypeError(f"the offset of a tensor is a {type(storage_offset).__name__}")
    return Tensor._make_wrapper_subclass(
        cls, _ints(size, "size"), strides=_ints(stride, "stride"), storage_offset=storage_offset, dtype=dtype, layout=layout,
        device=_mapped_device(device), requires_grad=bool(requires_grad),
    )  # fmt: skip


def _rebuild_device_tensor_from_cpu_tensor(data, dtype, device, requires_grad):
    """A tensor of a device whose memory files cannot hold, from its copy on the CPU."""
    return data.to(dtype=dtype, device=_mapped_device(device)).requires_grad_(bool(requires_grad))


def _rebuild_device_tensor_from_numpy(data, dtype, device, requires_grad):
    """A tensor of a device whose memory files cannot hold, from an array."""
    return runtime.from_numpy(data).to(dtype=dtype, device=_mapped_device(device)).requires_grad_(bool(requires_grad))


_rebuild_xla_tensor = _rebuild_device_tensor_from_numpy


def _rebuild_sparse_tensor(layout, data):
    """A sparse tensor, of its indices, values and size, and of whether it is coalesced, which old files do not say.

    Indices outside the size are refused.
    """
    if layout is not _core.format_names["sparse_coo"]:
        raise NotImplementedError(f"the file has a tensor of layout {layout}; there is only torch.sparse_coo, so convert it with to_dense() "
                                  "before saving")
    if not isinstance(data, tuple) or len(data) not in (3, 4) or not all(isinstance(t, Tensor) for t in data[:2]):
        raise TypeError("a sparse tensor is rebuilt from a tuple of indices, values, size and a bool")
    indices, values, size, *coalesced = data
    size, coalesced = _ints(size, "size"), bool(coalesced[0]) if coalesced else None
    runtime.ops.aten._validate_sparse_coo_tensor_args.default(indices, values, size, coalesced)
    return _core._sparse_tensor(size, indices, values, coalesced)


def _rebuild_nested_tensor(buffer, sizes, strides, storage_offsets):
    """Raises: there are no nested tensors."""
    raise NotImplementedError("the file has a nested tensor; convert it with to_padded_tensor() before saving")


def _rebuild_qtensor(storage, storage_offset, size, stride, quantizer_params, requires_grad, backward_hooks):
    """A quantized tensor on a typed storage; the quantizer is its scheme with a scale and a zero point, or with tensors of them and an axis."""
    dtype = getattr(storage, "dtype", None)
    if not isinstance(dtype, _core.dtype):
        raise TypeError(f"a quantized tensor is rebuilt from a typed storage, not from a {type(storage).__name__}")
    made = _made(storage, _core._integer_dtype(dtype), storage_offset, size, stride, False, None)
    if type(quantizer_params) is not tuple or len(quantizer_params) < 3:
        raise TypeError(f"the quantizer of a tensor is a tuple, not a {type(quantizer_params).__name__}")
    scheme, scale, zero_point, *rest = quantizer_params
    if scheme is _core.per_tensor_affine:
        if type(scale) is not float or type(zero_point) is not int or rest:
            raise TypeError("the quantizer of a tensor is its scheme, a float and an int")
    elif scheme in (_core.per_channel_affine, _core.per_channel_affine_float_qparams):
        if not (isinstance(scale, Tensor) and isinstance(zero_point, Tensor) and len(rest) == 1 and type(rest[0]) is int):
            raise TypeError("the quantizer of a tensor is its scheme, two tensors and an int")
    else:
        raise TypeError(f"no tensor is quantized by {scheme!r}")
    return _core._quantized(made, dtype, quantizer_params)


def _rebuild_generator(device):
    """Raises: the states of PyTorch's generators are of another algorithm."""
    raise NotImplementedError(f"the file has a random generator of PyTorch's ({device}), whose stream cannot go on here; save its initial_seed()")


def _get_layout(name):
    """The layout of a name such as "torch.strided"."""
    value = getattr(_core, name.removeprefix("torch."), None)
    if not isinstance(value, runtime.layout):
        raise ValueError(f"{name!r} is no layout")
    return value


def _get_obj_state(obj):
    """The attributes of a tensor: a dict, or a pair of it and the values of the slots."""
    return obj.__getstate__()


def _set_obj_state(obj, state):
    """Give a tensor the attributes that `_get_obj_state` found. Returns the tensor."""
    if isinstance(state, tuple):
        if len(state) != 2:
            raise RuntimeError(f"Invalid serialized state: a tuple of {len(state)} items instead of two dicts")
        parts = state
    else:
        parts = (state,)
    for part in parts:
        for name, value in (part or {}).items():
            setattr(obj, name, value)
    return obj


def _rebuild_from_type_v2(func, new_type, args, state):
    """A tensor of a subclass, or with attributes, from the tensor that `func` makes."""
    return _as_type(func(*args), new_type, state)


def _as_type(tensor, new_type, state):
    if type(tensor) is not new_type:
        if not (isinstance(new_type, type) and issubclass(new_type, Tensor)):
            raise TypeError(f"{new_type} is no subclass of Tensor")
        tensor = tensor.as_subclass(new_type)
    if getattr(type(tensor), "__setstate__", None) is not getattr(Tensor, "__setstate__", None):
        tensor.__setstate__(state)
        return tensor
    return _set_obj_state(tensor, state)


def _rebuild_from_type(func, type, args, dict):
    """A tensor of a subclass with its `__dict__` (PyTorch before 1.10)."""
    return _as_type(func(*args), type, dict)
