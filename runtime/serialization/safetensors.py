"""Files of the safetensors format, which hold nothing but named tensors: the functions of `safetensors.torch`, on our tensors.

The package `safetensors` writes the files and checks their headers; tensors are mapped from the file, not read.
"""

import os
import sys
from collections import defaultdict
from mmap import MAP_PRIVATE

import runtime
from runtime._core import Tensor
from runtime.serialization.memory import Mapping, forget_mapped

try:
    import safetensors
    from safetensors import SafetensorError
except ImportError as error:
    raise ImportError("files of the safetensors format need the package safetensors: pip install safetensors") from error

__all__ = ["load", "load_file", "load_model", "save", "save_file", "save_model"]

_DTYPES = {
    "F64": runtime.float64, "F32": runtime.float32, "F16": runtime.float16, "BF16": runtime.bfloat16, "I64": runtime.int64,
    "I32": runtime.int32, "I16": runtime.int16, "I8": runtime.int8, "U64": runtime.uint64, "U32": runtime.uint32, "U16": runtime.uint16,
    "U8": runtime.uint8, "BOOL": runtime.bool, "F8_E4M3": runtime.float8_e4m3fn, "F8_E4M3FNUZ": runtime.float8_e4m3fnuz,
    "F8_E5M2": runtime.float8_e5m2, "F8_E5M2FNUZ": runtime.float8_e5m2fnuz, "F8_E8M0": runtime.float8_e8m0fnu, "C64": runtime.complex64,
}  # fmt: skip


def _shared(tensors):
    """Groups of names whose tensors overlap in memory, larger ones as sorted lists."""
    by_storage = defaultdict(list)
    for name, tensor in tensors.items():
        if tensor.device.type != "meta" and tensor.numel() and tensor.untyped_storage().nbytes():
            start = tensor.data_ptr()
            last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
            by_storage[tensor.untyped_storage().data_ptr()].append((start, start + (last + 1) * tensor.element_size(), name))
    groups = []
    for areas in by_storage.values():
        end = 0
        for start, stop, name in sorted(areas):
            if start >= end:
                groups.append([])
            groups[-1].append(name)
            end = max(end, stop)
    return [sorted(group) for group in groups if len(group) > 1]


def _check(tensors):
    if not isinstance(tensors, dict):
        raise ValueError(f"Expected a dict of [str, torch.Tensor] but received {type(tensors)}")
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Key `{name}` is invalid, expected torch.Tensor but received {type(tensor)}")
    groups = _shared(tensors)
    if groups:
        raise RuntimeError(
            f"Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading them again: {groups}. "
            "A potential way to correctly save your model is to use `save_model`."
        )
    for name, tensor in tensors.items():
        if not tensor.is_contiguous():
            raise ValueError(
                f"You are trying to save a non contiguous tensor: `{name}` which is not allowed. It either means you are trying to save tensors "
                "which are reference of each other in which case it's recommended to save only the full tensors, and reslice at load time, or "
                "simply call `.contiguous()` on your tensor to pack it before saving."
            )
        if tensor.dtype not in _DTYPES.values():
            raise ValueError(f"`{name}` is a {tensor.dtype} tensor, which files of this format cannot hold")


def _specifications(tensors):
    """What the package takes for tensors: addresses. The tensors must stay alive."""
    _check(tensors)
    if sys.byteorder == "big":
        raise RuntimeError("safetensors files are little-endian and are not written on this machine")
    found, kept = {}, []
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().resolve_conj().resolve_neg()
        kept.append(plain)
        found[name] = safetensors.TensorSpec(
            dtype=str(plain.dtype).removeprefix("torch."), shape=tuple(plain.shape), data_ptr=plain.data_ptr(),
            data_len=plain.numel() * plain.element_size(),
        )  # fmt: skip
    return found, kept


def save(tensors, metadata=None):
    """The bytes of a safetensors file.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Contiguous, and none shares memory with another.
    metadata : dict of str to str, optional

    Returns
    -------
    bytes

    Raises
    ------
    ValueError, RuntimeError
        If tensors are not contiguous, or share memory; names them.
    """
    specifications, _kept = _specifications(tensors)
    return bytes(safetensors.serialize(specifications, metadata=metadata))


def save_file(tensors, filename, metadata=None):
    """Write a safetensors file.

    Parameters
    ----------
    tensors : dict of str to Tensor
        Contiguous, and none shares memory with another.
    filename : str or path
    metadata : dict of str to str, optional

    Raises
    ------
    ValueError, RuntimeError
        If tensors are not contiguous, or share memory; names them.
    """
    specifications, _kept = _specifications(tensors)
    forget_mapped(filename)
    safetensors.serialize_file(specifications, filename, metadata=metadata)


def _device(device):
    return runtime.device("cuda", device) if isinstance(device, int) else runtime.device(device.decode() if isinstance(device, bytes) else device)


def _dtype(code, name):
    if code not in _DTYPES:
        raise SafetensorError(f"tensor {name!r} has elements of {code}, for which there is no dtype")
    return _DTYPES[code]


def load(data):
    """The tensors in the bytes of a safetensors file.

    Parameters
    ----------
    data : bytes

    Returns
    -------
    dict of str to Tensor
    """
    result = {}
    for name, view in safetensors.deserialize(bytes(data)):
        dtype = _dtype(view["dtype"], name)
        content = bytearray(view["data"])
        flat = runtime.frombuffer(content, dtype=dtype) if content else runtime.empty(0, dtype=dtype)
        result[name] = flat.reshape(view["shape"])
    return result


def load_file(filename, device="cpu", *, backend="mmap"):
    """The tensors of a safetensors file.

    Parameters
    ----------
    filename : str or path
    device : device, str or int
    backend : str
        "mmap": tensors are mapped from the file; memory that is written is copied first. "pread": they are read.

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    safetensors.SafetensorError
        If the file is damaged; names it.
    """
    if backend not in ("mmap", "pread"):
        raise ValueError(f"load_file(): backend must be 'mmap' or 'pread', not {backend!r}")
    where = _device(device)
    path = os.fspath(filename)
    try:
        entries = []
        with safetensors.safe_open(path, framework="np") as file:
            for name in file.offset_keys():
                part = file.get_slice(name)
                entries.append((name, _dtype(part.get_dtype(), name), part.get_shape()))
        mapping = Mapping(path, MAP_PRIVATE)
        # The header was checked: tensors follow it and each other without gaps.
        offset = 8 + int.from_bytes(mapping.memory[:8], "little")
        result = {}
        for name, dtype, shape in entries:
            tensor = runtime.empty(0, dtype=dtype)
            count = 1
            for size in shape:
                count *= size
            storage = mapping.storage(offset, count * dtype.itemsize)
            tensor = tensor.set_(storage, 0, shape).to(where)
            result[name] = tensor.clone() if backend == "pread" else tensor
            offset += count * dtype.itemsize
    except (SafetensorError, ValueError) as error:
        raise SafetensorError(f"{path}: {error}") from None
    return result


def _duplicates(tensors, preferred=()):
    """For each tensor that is kept, the names of others on the same memory."""
    found = {}
    for names in _shared(tensors):
        complete = [
            name for name in names
            if tensors[name].data_ptr() == tensors[name].untyped_storage().data_ptr()
            and tensors[name].numel() * tensors[name].element_size() == tensors[name].untyped_storage().nbytes()
        ]  # fmt: skip
        if not complete:
            raise RuntimeError(
                f"Error while trying to find names to remove to save state dict, but found no suitable name to keep for saving amongst: {names}. "
                "None is covering the entire storage. Refusing to save/load the model since you could be storing much more memory than needed."
            )
        kept = next((name for name in complete if name in preferred), complete[0])
        found[kept] = [name for name in names if name != kept]
    return found


def save_model(model, filename, metadata=None, force_contiguous=True):
    """Write the state of a module; of tensors that are the same memory one is written, and the metadata say which.

    Parameters
    ----------
    model : nn.Module
    filename : str or path
    metadata : dict of str to str, optional
    force_contiguous : bool
        Whether other tensors are made contiguous.
    """
    state = dict(model.state_dict())
    metadata = dict(metadata or {})
    for kept, others in _duplicates(state).items():
        for name in others:
            metadata.setdefault(name, kept)
            del state[name]
    if force_contiguous:
        state = {name: tensor.contiguous() for name, tensor in state.items()}
    save_file(state, filename, metadata=metadata or None)


def load_model(model, filename, strict=True, device="cpu", *, backend="mmap"):
    """Load the state of a module that `save_model` wrote.

    Parameters
    ----------
    model : nn.Module
    filename : str or path
    strict : bool
        Whether names that are missing or unexpected are an error.
    device : device, str or int
    backend : str
        As for `load_file`.

    Returns
    -------
    tuple
        The set of missing and the list of unexpected names.
    """
    state = load_file(filename, device=device, backend=backend)
    duplicates = _duplicates(model.state_dict(), preferred=state)
    missing, unexpected = model.load_state_dict(state, strict=False)
    missing, unexpected = set(missing), list(unexpected)
    for others in duplicates.values():
        for name in others:
            if name in missing:
                missing.discard(name)
            else:
                unexpected.append(name)
    if strict and (missing or unexpected):
        message = f"Error(s) in loading state_dict for {type(model).__name__}:"
        for what, names in (("Missing", sorted(missing)), ("Unexpected", sorted(unexpected))):
            if names:
                message += f"\n    {what} key(s) in state_dict: " + ", ".join(f'"{name}"' for name in names)
        raise RuntimeError(message)
    return missing, unexpected
