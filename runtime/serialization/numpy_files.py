"""NumPy's files: .npy for one tensor, .npz for several by name. Objects are never unpickled.

NumPy reads the headers; sizes are compared with the file before memory is allocated. Dtypes that NumPy does not have (bfloat16, float8,
complex32) are refused: NumPy would write them as bytes without a type.
"""

import os
import struct
import zipfile
import zlib
from mmap import MAP_PRIVATE

import numpy as np

import runtime
from runtime.serialization.archive import Source
from runtime.serialization.memory import Mapping, bytes_of, forget_mapped, swap_bytes

__all__ = ["load_npy", "load_npz", "save_npy", "save_npz"]

# No byte of deflated data stands for more bytes than this.
_DEFLATE = 1032

# What `zipfile` raises for damaged archives.
_ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, OSError, EOFError, OverflowError,
    UnicodeDecodeError,
)  # fmt: skip


def _is_path(f):
    return isinstance(f, (str, os.PathLike))


def _array(tensor, name):
    array = tensor.detach().cpu().resolve_conj().resolve_neg()
    if array.dtype in (runtime.bfloat16, runtime.complex32) or array.dtype.itemsize == 1 and array.dtype.is_floating_point:
        raise TypeError(f"{name}: NumPy has no {tensor.dtype}; convert the tensor, or use runtime.save")
    return array.numpy()


def save_npy(f, tensor):
    """Write a tensor to a .npy file.

    Parameters
    ----------
    f : str, path or file object
    tensor : Tensor
    """
    array = _array(tensor, "save_npy()")
    if not _is_path(f):
        np.lib.format.write_array(f, array, allow_pickle=False)
        return
    forget_mapped(f)
    with open(f, "wb") as file:
        np.lib.format.write_array(file, array, allow_pickle=False)


def save_npz(f, tensors=None, *, compressed=False, **named):
    """Write tensors to a .npz file.

    Parameters
    ----------
    f : str, path or file object
    tensors : dict of str to Tensor, optional
    compressed : bool
        Whether to deflate them.
    **named
        Tensors by their names, as `numpy.savez` takes them.
    """
    if tensors is not None and not isinstance(tensors, dict):
        raise TypeError(f"save_npz(): tensors are given as a dict or by keyword, not as a {type(tensors).__name__}")
    arrays = {name: _array(tensor, f"save_npz(): {name!r}") for name, tensor in ((tensors or {}) | named).items()}
    if _is_path(f):
        forget_mapped(f)
    with zipfile.ZipFile(f, "w", zipfile.ZIP_DEFLATED if compressed else zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _header(file, name):
    """The shape, order and NumPy dtype of an array, and our dtype."""
    try:
        version = np.lib.format.read_magic(file)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(file)
        else:
            raise ValueError(f"version {version} holds no numbers")
    except Exception as error:  # NumPy evaluates and tokenizes literals: there are many ways to fail
        raise ValueError(f"{name} is not a readable .npy file: {error}") from None
    try:
        ours = runtime.from_numpy(np.empty(0, dtype.newbyteorder("="))).dtype
    except TypeError:
        raise ValueError(f"{name} has elements of {dtype}, for which there is no dtype; objects are not loaded") from None
    if ours.itemsize != dtype.itemsize or not all(type(size) is int and 0 <= size < 2**62 for size in shape) or len(shape) > 64:
        raise ValueError(f"{name} is not a readable .npy file: its shape is {str(shape)[:80]}")
    return shape, fortran, dtype, ours


def _count(shape):
    count = 1
    for size in shape:
        count *= size
    return count


def _tensor(storage, dtype, shape, fortran):
    tensor = runtime.empty(0, dtype=dtype).set_(storage, 0, shape[::-1] if fortran else shape)
    return tensor.permute(*range(len(shape))[::-1]) if fortran and len(shape) > 1 else tensor


def _foreign(dtype):
    return not dtype.isnative


def load_npy(f, *, mmap=False):
    """Read a .npy file.

    Parameters
    ----------
    f : str, path or file object
        A file object must be seekable.
    mmap : bool
        Map the file instead of reading it; memory that is written is copied first. Needs a path.

    Returns
    -------
    Tensor
        Arrays in Fortran order have strides accordingly. Foreign byte orders are converted.

    Raises
    ------
    ValueError
        If the file is damaged, or holds something else than numbers; names it.
    """
    if _is_path(f):
        with open(f, "rb") as file:
            return _load_npy(file, os.fspath(f), mmap)
    if mmap:
        raise ValueError("load_npy(): f must be a file path in order to use the mmap argument")
    return _load_npy(f, getattr(f, "name", type(f).__name__), False)


def _load_npy(file, name, mmap):
    source = Source(file, str(name))
    shape, fortran, dtype, ours = _header(file, name)
    offset = file.tell() - source.start
    nbytes = _count(shape) * dtype.itemsize
    if offset + nbytes > source.size:
        raise ValueError(f"{name} breaks off: an array of shape {shape} has {nbytes} bytes, the file has {source.size - offset}")
    if mmap and nbytes:
        storage = Mapping(name, MAP_PRIVATE).storage(offset, nbytes)
    else:
        storage = runtime.UntypedStorage(nbytes)
        source.read_into(offset, bytes_of(storage))
    if _foreign(dtype):
        swap_bytes(storage, ours)
    return _tensor(storage, ours, shape, fortran)


def load_npz(f):
    """Read a .npz file.

    Parameters
    ----------
    f : str, path or file object

    Returns
    -------
    dict of str to Tensor

    Raises
    ------
    ValueError
        If the file is damaged, or holds something else than arrays of numbers; names it.
    """
    name = os.fspath(f) if _is_path(f) else str(getattr(f, "name", type(f).__name__))
    try:
        with zipfile.ZipFile(f) as archive:
            return _load_members(archive, name)
    except FileNotFoundError:
        raise
    except _ZIP_ERRORS as error:
        raise ValueError(f"{name} is not a readable .npz file: {error}") from None


def _load_members(archive, name):
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    end = 0
    for member in members:
        if member.header_offset < end:
            raise ValueError(f"{name}: member {member.filename!r} overlaps with another")
        end = member.header_offset + member.compress_size
    result = {}
    for member in archive.infolist():
        if not member.filename.endswith(".npy"):
            raise ValueError(f"{name}: member {member.filename!r} is no .npy file")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name}: member {member.filename!r} is compressed in a way that NumPy does not use")
        key = member.filename[:-4]
        if key in result:
            raise ValueError(f"{name}: there are two members {member.filename!r}")
        with archive.open(member) as file:
            result[key] = _read_member(file, member, f"{name}: member {member.filename!r}")
    return result


def _read_member(file, member, name):
    shape, fortran, dtype, ours = _header(file, name)
    nbytes = _count(shape) * dtype.itemsize
    if nbytes > member.file_size or member.file_size > member.compress_size * _DEFLATE + 64:
        raise ValueError(f"{name} breaks off: an array of shape {shape} has {nbytes} bytes, which the file does not have")
    storage = runtime.UntypedStorage(nbytes)
    view = bytes_of(storage)
    done = 0
    while done < nbytes:
        count = file.readinto(view[done : done + (1 << 24)])
        if not count:
            raise ValueError(f"{name} breaks off after {done} of {nbytes} bytes")
        done += count
    # The checksum is compared when the end is read.
    if file.read(1):
        raise ValueError(f"{name} goes on after its {nbytes} bytes")
    if _foreign(dtype):
        swap_bytes(storage, ours)
    return _tensor(storage, ours, shape, fortran)
