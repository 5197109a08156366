"""How tensors and storages travel between processes: what `multiprocessing`'s pickler is told at the first import.

A storage is moved to shared memory, and what is pickled is the way to it. A process that gets the same memory twice gets the same storage.
"""

import os
from multiprocessing import (
    reduction,
    resource_sharer,  # noqa: F401  (before any fork: a child must not inherit it half imported)
)

from runtime import _core
from runtime._core import Tensor, UntypedStorage
from runtime.multiprocessing.memory import file_key, keep_folder, share

__all__ = ["StorageWeakRef", "init_reductions", "rebuild_tensor", "reduce_storage", "reduce_tensor"]


class StorageWeakRef:
    """A reference of a storage that does not keep it alive.

    Parameters
    ----------
    storage : UntypedStorage

    Attributes
    ----------
    cdata : int
        What identifies the storage as long as it lives; also the hash.
    """

    __slots__ = ("_life", "cdata")

    def __init__(self, storage):
        storage = storage.untyped()
        self.cdata = storage._cdata
        self._life = _core._storage_life(storage)

    def expired(self):
        """Whether the storage is gone."""
        return self._life.over

    def __hash__(self):
        return self.cdata

    def __eq__(self, other):
        return isinstance(other, StorageWeakRef) and self._life is other._life


def reduce_tensor(tensor):
    """The pickled form of a tensor for another process: its storage is shared.

    Raises
    ------
    RuntimeError
        If the tensor was computed with gradients recorded: the graph stays in its process.
    """
    if tensor.requires_grad and not tensor.is_leaf:
        raise RuntimeError(
            "Cowardly refusing to serialize non-leaf tensor which requires_grad, since autograd does not support crossing process "
            "boundaries.  If you just want to transfer the data, call detach() on the tensor before serializing (e.g., putting it on the "
            "queue)."
        )
    return tensor.__reduce_ex__(4)


def reduce_storage(storage):
    """The pickled form of a storage for another process: the way to its memory."""
    if storage.device.type == "meta":
        return storage.__reduce_ex__(4)
    share(storage)
    fd, _, path = _core._shared_memory(storage)
    if path is None:
        return rebuild_storage_fd, (reduction.DupFd(fd), storage.nbytes())
    _core._count_shared_memory(storage, 1)
    return rebuild_storage_filename, (path, storage.nbytes())


def rebuild_storage_fd(df, nbytes):
    """The storage over a file that arrives as a descriptor."""
    return storage_over(df.detach(), nbytes)


def storage_over(fd, nbytes):
    """The storage over an open file without a name, whose descriptor is taken over."""
    try:
        return _core._map_shared_memory(fd, nbytes, file_key(fd))
    except BaseException:
        os.close(fd)
        raise


def rebuild_storage_filename(path, nbytes):
    """The storage over a file that is known by its path."""
    storage = _core._mapped_storage(path)
    if storage is None:
        keep_folder(os.path.dirname(path))
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            storage = _core._map_shared_memory(fd, nbytes, path, path)
        finally:
            os.close(fd)
    _core._count_shared_memory(storage, -1)
    return storage


def rebuild_tensor(cls, storage, metadata):
    """A tensor, or a parameter, on a typed storage.

    Parameters
    ----------
    cls : type
    storage : TypedStorage
    metadata : tuple
        The offset, the size, the stride and whether gradients are required.
    """
    from runtime.nn.parameter import Parameter
    from runtime.serialization.rebuild import _rebuild_tensor

    offset, size, stride, requires_grad = metadata
    tensor = _rebuild_tensor(storage, offset, size, stride)
    if cls is Parameter:
        return Parameter(tensor, requires_grad=requires_grad)
    tensor.requires_grad = requires_grad
    return tensor


def init_reductions():
    """Tell the standard pickler how tensors and storages travel; importing this module does so."""
    reduction.register(Tensor, reduce_tensor)
    reduction.register(UntypedStorage, reduce_storage)


init_reductions()
