"""Names of PyTorch's serialization module that programs around files import: no part of reading or writing, but written in its terms."""

import os
import shutil
import tempfile
import warnings
from contextlib import contextmanager

import runtime
from runtime import storage as storages
from runtime._core import UntypedStorage
from runtime.serialization.archive import ArchiveWriter
from runtime.serialization.memory import bytes_of, forget_mapped

__all__ = [
    "SourceChangeWarning", "StorageType", "check_module_version_greater_or_equal", "mkdtemp", "normalize_storage_type",
    "storage_to_tensor_type", "validate_cuda_device", "validate_hpu_device",
]  # fmt: skip


class SourceChangeWarning(Warning):
    """The source of a module's class is not the one that a file was written with."""


class StorageType:
    """Names the storage of a dtype.

    Parameters
    ----------
    name : str
        Such as ``"FloatStorage"``.
    """

    def __init__(self, name):
        self._dtype = getattr(storages, name).dtype

    @property
    def dtype(self):
        return self._dtype

    def __str__(self):
        return f"StorageType(dtype={self.dtype})"


@contextmanager
def mkdtemp():
    """A temporary folder, removed at the end."""
    path = tempfile.mkdtemp()
    try:
        yield path
    finally:
        shutil.rmtree(path)


def check_module_version_greater_or_equal(module, req_version_tuple, error_if_malformed=True):
    """Whether the version of a module is at least a given one.

    Parameters
    ----------
    module : module
        Has `__version__`.
    req_version_tuple : tuple
        Its parts give the types that the module's are read as.
    error_if_malformed : bool
        Whether a version that cannot be read so is an error; otherwise a warning, and the answer is True.

    Returns
    -------
    bool

    Raises
    ------
    RuntimeError
        If the version cannot be read.
    """
    try:
        parts = module.__version__.split(".")
        found = tuple(type(required)(parts[i]) for i, required in enumerate(req_version_tuple))
        return found >= req_version_tuple
    except Exception as error:
        message = (
            f"'{module.__name__}' module version string is malformed '{module.__version__}' and cannot be compared with tuple "
            f"{req_version_tuple!s}"
        )
        if error_if_malformed:
            raise RuntimeError(message) from error
        warnings.warn(message + ", but continuing assuming that requirement is met", stacklevel=2)
        return True


def normalize_storage_type(storage_type):
    """The storage class of the same name."""
    return getattr(storages, storage_type.__name__)


def storage_to_tensor_type(storage):
    """The tensor type of a typed storage's dtype."""
    return getattr(runtime, storage.pickle_storage_type().replace("Storage", "Tensor"))


def validate_cuda_device(location):
    """The index of a CUDA device's name; there is none to put storages on."""
    raise RuntimeError(
        f"Attempting to deserialize object on a CUDA device ({location}) but torch.cuda.is_available() is False. If you are running on a "
        "CPU-only machine, please use torch.load with map_location=torch.device('cpu') to map your storages to the CPU."
    )


def validate_hpu_device(location):
    """The index of an HPU device's name; there is none to put storages on."""
    raise RuntimeError(f"Attempting to deserialize object on an HPU device ({location}), which this runtime does not have; use map_location")


class _RecordWriter(ArchiveWriter):
    """An archive, with the method that PyTorch's writers have."""

    def write_record(self, name, data, size):
        """Append a record: the first `size` bytes of a text, a buffer or a storage."""
        if isinstance(data, UntypedStorage):
            data = bytes_of(data)
        self.write(name, memoryview(data.encode() if isinstance(data, str) else data)[:size])


@contextmanager
def _open_zipfile_writer(name_or_buffer):
    """A writer of archive records over a path or an open file; the archive is complete at the end of the context."""
    if isinstance(name_or_buffer, (str, os.PathLike)):
        path = os.fspath(name_or_buffer)
        forget_mapped(path)
        with open(path, "wb") as file:
            writer = _RecordWriter(file, os.path.splitext(os.path.basename(path))[0])
            yield writer
            writer.close()
    else:
        writer = _RecordWriter(name_or_buffer, "archive")
        yield writer
        writer.close()
