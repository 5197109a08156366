"""The bytes of storages: as views to read and write, mapped from files, and with their order of bytes swapped."""

import mmap
import os
import weakref

import runtime
from runtime import _core

__all__ = ["Mapping", "bytes_of", "forget_mapped", "swap_bytes"]

# The files that storages are mapped from, by device and inode.
_mapped = weakref.WeakValueDictionary()


def _array(storage):
    """The bytes of a storage as an array; no operator runs, so no mode sees it."""
    return _core._numpy_view(_core._rebuild_tensor(storage, runtime.uint8, 0, (storage.nbytes(),), (1,), False))


def bytes_of(storage):
    """A writable view of the bytes of a storage on the CPU."""
    return memoryview(_array(storage)) if storage.nbytes() else memoryview(bytearray())


def swap_bytes(storage, dtype):
    """Reverse the bytes of each element, in place."""
    width = dtype.itemsize // (2 if dtype.is_complex else 1)
    if width > 1:
        array = _array(storage)
        array[: len(array) // width * width].view(f"u{width}").byteswap(inplace=True)


class Mapping:
    """A file in memory.

    Parameters
    ----------
    path : str
    flags : int
        `mmap.MAP_PRIVATE`: writes to the memory stay in this process. `mmap.MAP_SHARED`: they go to the file.
    """

    def __init__(self, path, flags):
        shared = flags == mmap.MAP_SHARED
        with open(path, "r+b" if shared else "rb") as file:
            self.shared = shared
            self.memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_WRITE if shared else mmap.ACCESS_COPY)
            status = os.fstat(file.fileno())
        _mapped[status.st_dev, status.st_ino] = self.memory

    def storage(self, offset, nbytes):
        """The storage on a part of the file; it keeps the mapping alive."""
        if not nbytes:
            return runtime.UntypedStorage(0)
        return runtime.frombuffer(self.memory, dtype=runtime.uint8, count=nbytes, offset=offset).untyped_storage()


def forget_mapped(path):
    """Remove a file that is about to be written, if storages are mapped from it.

    Truncating it would take the memory from under them, and the process would end at the next access; a removed file stays until the last
    mapping is gone.
    """
    try:
        status = os.stat(path)
    except OSError:
        return
    if (status.st_dev, status.st_ino) in _mapped:
        os.unlink(path)
