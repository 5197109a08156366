"""Files: `save` and `load` of objects with tensors, in PyTorch's format, and the settings around them.

This file has the two functions; `archive` the zip format, `legacy` the one before it, `pickling` and `unpickling` what stands in the pickle,
`names` what things are called there, `rebuild` what tensors are made with, `locations` where storages go, `memory` their bytes, `config` the
settings. Other formats: `safetensors` and `numpy_files`.
"""

import io
import os
import pickle
import sys
import threading
import warnings
from enum import Enum
from mmap import MAP_PRIVATE, MAP_SHARED

import runtime
from runtime.serialization import config
from runtime.serialization.archive import ArchiveReader, ArchiveWriter, Source
from runtime.serialization.legacy import read_legacy, write_legacy
from runtime.serialization.locations import default_restore_location, location_tag, register_package, restorer
from runtime.serialization.memory import Mapping, bytes_of, forget_mapped, swap_bytes
from runtime.serialization.names import default_globals, object_of
from runtime.serialization.pickling import Pickler, StorageTable, custom_pickler
from runtime.serialization.rebuild import _get_layout as _get_layout
from runtime.serialization.rebuild import map_location as _map_location
from runtime.serialization.unpickling import (
    NotAllowedError,
    WeightsUnpickler,
    add_safe_globals,
    clear_safe_globals,
    get_safe_globals,
    pickled_globals,
    safe_globals,
    user_globals,
)
from runtime.storage import LEGACY, TypedStorage

__all__ = [
    "LoadEndianness", "add_safe_globals", "clear_safe_globals", "default_restore_location", "get_crc32_options",
    "get_default_load_endianness", "get_default_mmap_options", "get_safe_globals", "get_unsafe_globals_in_checkpoint", "load",
    "location_tag", "register_package", "safe_globals", "save", "set_crc32_options", "set_default_load_endianness",
    "set_default_mmap_options", "skip_data",
]  # fmt: skip

DEFAULT_PROTOCOL = 2
_MAX_VERSION = 10
MAP_LOCATION = object

_UNSAFE = (
    "In PyTorch 2.6, we changed the default value of the `weights_only` argument in `torch.load` from `False` to `True`. Re-running "
    "`torch.load` with `weights_only` set to `False` will likely succeed, but it can result in arbitrary code execution. Do it only if you "
    "got the file from a trusted source."
)


# ---- settings


class LoadEndianness(Enum):
    """The byte order of archives that have no record of it."""

    NATIVE = 1
    LITTLE = 2
    BIG = 3


def get_default_load_endianness():
    """The byte order that is taken for archives without a record of theirs; None stands for little-endian."""
    return config.load.endianness


def set_default_load_endianness(endianness):
    """Set the byte order that is taken for archives without a record of theirs.

    Parameters
    ----------
    endianness : LoadEndianness or None
    """
    if not isinstance(endianness, LoadEndianness) and endianness is not None:
        raise TypeError("Invalid argument type in function set_default_load_endianness")
    config.load.endianness = endianness


def get_crc32_options():
    """Whether `save` computes checksums of records."""
    return config.save.compute_crc32


def set_crc32_options(compute_crc32):
    """Set whether `save` computes checksums of records. Without them other tools call the archives damaged.

    Parameters
    ----------
    compute_crc32 : bool
    """
    config.save.compute_crc32 = compute_crc32


def get_default_mmap_options():
    """How `load(mmap=True)` maps files: `mmap.MAP_PRIVATE` or `mmap.MAP_SHARED`."""
    return config.load.mmap_flags


class set_default_mmap_options:
    """Set how `load(mmap=True)` maps files, for good or for a block.

    Parameters
    ----------
    flags : int
        `mmap.MAP_PRIVATE`: writes stay in memory. `mmap.MAP_SHARED`: they go to the file.
    """

    def __init__(self, flags):
        if flags not in (MAP_PRIVATE, MAP_SHARED):
            raise ValueError(f"Invalid argument in function set_default_mmap_options, expected mmap.MAP_PRIVATE or mmap.MAP_SHARED, but got {flags}")
        self.prev = config.load.mmap_flags
        config.load.mmap_flags = flags

    def __enter__(self):
        pass

    def __exit__(self, *exception):
        config.load.mmap_flags = self.prev


_local = threading.local()


class skip_data:
    """A block in which `save` leaves the space of storages empty, and `load` leaves their memory unfilled."""

    def __init__(self, materialize_fake_tensors=False):
        self.materialize_fake_tensors = materialize_fake_tensors

    def __enter__(self):
        self._before = _skips()
        _local.skip = True

    def __exit__(self, *exception):
        _local.skip = self._before


def _skips():
    return getattr(_local, "skip", False)


# ---- save


def _is_path(f):
    return isinstance(f, (str, os.PathLike))


def save(obj, f, pickle_module=pickle, pickle_protocol=DEFAULT_PROTOCOL, _use_new_zipfile_serialization=True, _disable_byteorder_record=False):
    """Save an object to a file, in PyTorch's format.

    Parameters
    ----------
    obj : object
        Whatever can be pickled. Tensors that share memory share it after loading.
    f : str, path or file object
        A file object needs `write`.
    pickle_module : module
        Has the `Pickler` to use.
    pickle_protocol : int
        The pickle protocol.

    Notes
    -----
    The object is pickled before the file is opened: an object that cannot be saved leaves an older file as it was.

    Examples
    --------
    >>> import io
    >>> import runtime
    >>> file = io.BytesIO()
    >>> runtime.save({"weight": runtime.ones(2)}, file)
    >>> file.seek(0)
    0
    >>> runtime.load(file)
    {'weight': tensor([1., 1.])}
    """
    if not _is_path(f) and not hasattr(f, "write"):
        raise AttributeError("expected 'f' to be string, path, or a file-like object with a 'write' attribute")
    if not _use_new_zipfile_serialization:
        if _skips():
            raise RuntimeError("Cannot use skip_data=True with _use_new_zipfile_serialization=False")
        content = io.BytesIO()
        write_legacy(obj, content, pickle_module, pickle_protocol)
        _write_to(f, lambda stream, _: stream.write(content.getbuffer()))
        return
    table = StorageTable(lambda storage, count: str(count), location_tag)
    content = io.BytesIO()

    def identify(storage):
        return ("storage", *table.entry(storage))

    if pickle_module is pickle:
        Pickler(content, pickle_protocol, identify).dump(obj)
    else:
        custom_pickler(pickle_module, content, pickle_protocol, identify).dump(obj)
    storages = {key: storage.cpu() for key, (storage, _) in table.storages.items()}
    skips = _skips()

    def write(stream, name):
        archive = ArchiveWriter(stream, name, alignment=config.save.storage_alignment, checksums=config.save.compute_crc32)
        archive.write("data.pkl", content.getbuffer())
        archive.write(".format_version", b"1")
        archive.write(".storage_alignment", str(config.save.storage_alignment).encode())
        if not _disable_byteorder_record:
            archive.write("byteorder", sys.byteorder.encode())
        for key, storage in storages.items():
            if skips:
                archive.write(f"data/{key}", None, storage.nbytes())
            else:
                archive.write(f"data/{key}", bytes_of(storage))
        archive.close()

    _write_to(f, write)


def _write_to(f, write):
    if _is_path(f):
        path = os.fspath(f)
        forget_mapped(path)
        with open(path, "wb") as stream:
            write(stream, os.path.splitext(os.path.basename(path))[0])
    else:
        write(f, "archive")
        if hasattr(f, "flush"):
            f.flush()


# ---- load


def load(f, map_location=None, pickle_module=None, *, weights_only=None, mmap=None, **pickle_load_args):
    """Load an object that `save`, PyTorch's or ours, wrote.

    Parameters
    ----------
    f : str, path or file object
        A file object needs `read`, `tell` and `seek`. Paths that end in ".safetensors" are read as such.
    map_location : device, str, dict or callable, optional
        Where storages go: one place for all; places by the tags in the file; or a function that gets a storage and its tag and returns
        a storage, or None for the default.
    pickle_module : module, optional
        Has the `Unpickler` to use, with `weights_only=False`.
    weights_only : bool, optional
        True, the default: the file can contain tensors, plain data and what `add_safe_globals` allowed, and runs no code. False: it can
        run whatever it says; only for files that you trust.
    mmap : bool, optional
        Map the file instead of reading it: memory is read when it is used, and copied when it is written. Needs a path.
    **pickle_load_args
        For `pickle_module.Unpickler`, such as `encoding`.

    Returns
    -------
    object

    Raises
    ------
    RuntimeError
        If the file is damaged; names it.
    pickle.UnpicklingError
        If the file contains what is not allowed.
    """
    unset = weights_only is None
    if unset:
        weights_only = pickle_module is None
    weights_only = _forced(weights_only, unset)
    if weights_only:
        if pickle_module is not None:
            raise RuntimeError("Can not safely load weights when explicit pickle_module is specified")
        for name in pickle_load_args.keys() - {"encoding"}:
            raise TypeError(f"load() got an unexpected keyword argument '{name}': arguments for the unpickler go with weights_only=False")
    mmap = config.load.mmap if mmap is None else mmap
    arguments = {"encoding": "utf-8", **pickle_load_args}
    if _is_path(f):
        path = os.fspath(f)
        if path.endswith(".safetensors"):
            return _load_safetensors(path, map_location)
        with open(path, "rb") as file:
            return _load(file, path, map_location, pickle_module or pickle, weights_only, mmap, arguments)
    _check_seekable(f)
    return _load(f, None, map_location, pickle_module or pickle, weights_only, mmap, arguments)


def _forced(weights_only, unset):
    """`weights_only` as the environment variables of PyTorch's leave it."""
    true = ("1", "y", "yes", "true")
    force = os.getenv("TORCH_FORCE_WEIGHTS_ONLY_LOAD", "0").lower() in true
    force_no = os.getenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "0").lower() in true
    if force and force_no:
        raise RuntimeError("Only one of `TORCH_FORCE_WEIGHTS_ONLY_LOAD` or `TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD` should be set, but both were set.")
    if force_no and unset:
        warnings.warn(
            "Environment variable TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD detected, since the `weights_only` argument was not explicitly passed to "
            "`torch.load`, forcing weights_only=False.",
            stacklevel=3,
        )
        return False
    return weights_only or force


def _check_seekable(f):
    try:
        f.seek(f.tell())
    except (OSError, AttributeError) as error:
        kind = AttributeError if isinstance(error, AttributeError) else io.UnsupportedOperation
        raise kind(
            f"{error}. You can only torch.load from a file that is seekable. Please pre-load the data into a buffer like io.BytesIO and try to "
            "load from it instead."
        ) from None


def _load_safetensors(path, map_location):
    from runtime.serialization.safetensors import load_file

    if map_location is not None and not isinstance(map_location, (str, bytes, runtime.device)):
        kind = "dict" if isinstance(map_location, dict) else "callable"
        raise RuntimeError(f"Loading safetensors file with {kind} map_location is not supported. Use a device string or torch.device instead.")
    return load_file(path, device="cpu" if map_location is None else map_location)


def _source(file, path):
    """The file as a source of bytes at offsets; a stream without an end, such as a compressed one, is read at once."""
    name = path if path is not None else getattr(file, "name", None) or type(file).__name__
    try:
        return Source(file, str(name))
    except (OSError, ValueError):
        return Source(io.BytesIO(file.read()), str(name))


def _load(file, path, map_location, pickle_module, weights_only, mmap, arguments):
    source = _source(file, path)
    token = _map_location.set(map_location)
    try:
        if source.size >= 6 and source.read(0, 6) == b"\x93NUMPY":
            raise RuntimeError(f"{source.name} is an array of NumPy's: use runtime.serialization.numpy_files.load_npy")
        if source.size >= 4 and source.read(0, 4) == b"PK\x03\x04":
            return _load_archive(source, path, map_location, pickle_module, weights_only, mmap, arguments)
        if not source.size:
            raise EOFError(f"{source.name} is empty")
        if mmap:
            raise RuntimeError(
                f"mmap can only be used with files saved with `torch.save(_use_new_zipfile_serialization=True)`, which {source.name} was not; "
                "please torch.save your checkpoint with this option in order to use mmap."
            )
        unpickler = None if weights_only else lambda stream, find: _python_unpickler(pickle_module, stream, find, arguments)
        return read_legacy(source, map_location, unpickler, arguments["encoding"], _skips())
    except pickle.UnpicklingError as error:
        if not weights_only:
            raise
        raise pickle.UnpicklingError(_explained(error, source.name)) from error.__cause__
    finally:
        _map_location.reset(token)


def _explained(error, name):
    """What a refusal means and what can be done."""
    if not isinstance(error, NotAllowedError):
        return f"Weights only load failed. WeightsUnpickler error: {error} ({name})"
    docs = (
        "\n\nCheck the documentation of torch.load to learn more about types accepted by default with weights_only "
        "https://pytorch.org/docs/stable/generated/torch.load.html."
    )
    if "was not an allowed global by default" in str(error):
        return (
            "Weights only load failed. This file can still be loaded, to do so you have two options, do those steps only if you trust the "
            f"source of the checkpoint. \n\t(1) {_UNSAFE}\n\t(2) Alternatively, to load with `weights_only=True` please check the "
            f"recommended steps in the following error message.\n\tWeightsUnpickler error: {error} ({name}){docs}"
        )
    return f"Weights only load failed. {_UNSAFE}\nWeightsUnpickler error: {error} ({name}){docs}"


def _load_archive(source, path, map_location, pickle_module, weights_only, mmap, arguments):
    archive = ArchiveReader(source)
    if "constants.pkl" in archive:
        raise RuntimeError(f"{source.name} is a TorchScript archive, which has code in it; this runtime has no torch.jit.load")
    _check_version(archive, source.name)
    mapping = None
    if mmap:
        if path is None:
            raise ValueError("f must be a file path in order to use the mmap argument")
        mapping = Mapping(path, config.load.mmap_flags)
    if "data.pkl" not in archive and any(name.endswith(".npy") for name in archive.names):
        raise RuntimeError(f"{source.name} has arrays of NumPy's: use runtime.serialization.numpy_files.load_npz")
    storages = _Records(archive, source.name, map_location, mapping)
    data = archive.read("data.pkl")
    if weights_only:
        reader = WeightsUnpickler(data, storages.load, encoding=arguments["encoding"])
        value = reader.load()
        if reader.position != len(data):
            raise pickle.UnpicklingError("data follow the end of the pickle")
        return value
    return _python_unpickler(pickle_module, io.BytesIO(data), storages.load, arguments).load()


def _check_version(archive, name):
    """Refuse archives of a format that is newer than the one this reader knows."""
    if "version" not in archive:
        return
    text = archive.read("version") if archive.size("version") < 32 else b"?"
    if not text.strip().isdigit():
        raise RuntimeError(f"record version of {name} is damaged: it is no number")
    version = int(text)
    if not 1 <= version <= _MAX_VERSION:
        kind, bound = ("minimum", 1) if version < 1 else ("maximum", _MAX_VERSION)
        raise RuntimeError(
            f"Attempted to read a PyTorch file with version {version}, but the {kind} supported version for reading is {bound} ({name})"
        )


class _Records:
    """The storages of an archive: each is loaded when the pickle first mentions it."""

    def __init__(self, archive, name, map_location, mapping):
        self.archive = archive
        self.name = name
        self.restore = restorer(map_location)
        self.to_meta = isinstance(map_location, (str, runtime.device)) and str(map_location).partition(":")[0] == "meta"
        self.mapping = mapping
        self.swapped = self._byte_order() != sys.byteorder
        self.skip = _skips()
        self.loaded = {}

    def _byte_order(self):
        if "byteorder" in self.archive:
            order = self.archive.read("byteorder") if self.archive.size("byteorder") < 16 else b"?"
            if order not in (b"little", b"big"):
                raise RuntimeError(f"Unknown endianness type: {order.decode('ascii', 'replace')} (record byteorder of {self.name})")
            return order.decode()
        default = config.load.endianness
        if default is None or default is LoadEndianness.LITTLE:
            return "little"
        return sys.byteorder if default is LoadEndianness.NATIVE else "big"

    def load(self, identity):
        """The storage of a persistent id, typed unless the file says otherwise."""
        if type(identity) is not tuple or len(identity) != 5 or identity[0] not in ("storage", b"storage"):
            raise pickle.UnpicklingError("a reference to a storage is damaged")
        _, kind, key, location, numel = identity
        location = location.decode("ascii") if type(location) is bytes else location
        if isinstance(kind, str):
            kind = LEGACY.get(kind, runtime.UntypedStorage)
        untyped = kind is runtime.UntypedStorage
        if not untyped and not any(kind is known for known in LEGACY.values()):
            raise pickle.UnpicklingError("a reference to a storage names no storage class")
        if type(key) is not str or type(location) is not str or type(numel) is not int or not 0 <= numel < 2**59:
            raise pickle.UnpicklingError("a reference to a storage is damaged")
        dtype = runtime.uint8 if untyped else kind.dtype
        storage = self.loaded.get(key)
        if storage is None:
            storage = self.loaded[key] = self.restored(key, numel * dtype.itemsize, location, dtype)
        return storage if untyped else TypedStorage(wrap_storage=storage, dtype=dtype)

    def restored(self, key, nbytes, location, dtype):
        """A storage from its record, where it belongs."""
        name = f"data/{key}"
        if self.to_meta:
            return runtime.UntypedStorage(nbytes, device="meta")
        if nbytes > self.archive.size(name):
            raise RuntimeError(f"{self.name}: record {name} has {self.archive.size(name)} bytes, but the pickle says that its storage has {nbytes}")
        if self.mapping is not None and not (self.swapped and self.mapping.shared):
            storage = self.mapping.storage(self.archive.offset(name), nbytes)
        else:
            storage = runtime.UntypedStorage(nbytes)
            if nbytes and not self.skip:
                self.archive.read_into(name, bytes_of(storage))
        if self.swapped and nbytes:
            swap_bytes(storage, dtype)
        try:
            return self.restore(storage, location)
        except Exception as error:
            error.add_note(f"while restoring record {name} of {self.name}")
            raise


def _python_unpickler(module, file, persistent_load, arguments):
    """An unpickler that runs what the file says, with our objects for PyTorch's names."""

    given = module.Unpickler
    root = next((cls for cls in given.__mro__ if cls in (pickle.Unpickler, pickle._Unpickler)), given)

    class Names(root):
        def find_class(self, place, name):
            if place == "torch" or place.startswith("torch."):
                found = object_of(place, name)
                if found is None:
                    raise pickle.UnpicklingError(f"the file refers to {place}.{name}, which this runtime does not have")
                return found
            return super().find_class(place, name)

    # A class of the caller's is asked first; what it leaves to `pickle` comes here.
    Unpickler = Names if given is root else type("Unpickler", (given, Names), {})
    unpickler = Unpickler(file, **arguments)
    unpickler.persistent_load = persistent_load
    return unpickler


def get_unsafe_globals_in_checkpoint(f):
    """The full names of classes and functions in a file that `load(weights_only=True)` would refuse.

    Parameters
    ----------
    f : str, path or file object

    Returns
    -------
    list of str
    """
    with open(f, "rb") if _is_path(f) else _borrowed(f) as file:
        source = _source(file, os.fspath(f) if _is_path(f) else None)
        if source.size < 4 or source.read(0, 4) != b"PK\x03\x04":
            raise ValueError("Expected input to be a checkpoint returned by torch.save")
        archive = ArchiveReader(source)
        if "constants.pkl" in archive:
            raise ValueError("Expected input to be a checkpoint returned by torch.save but got a torchscript checkpoint")
        return sorted(pickled_globals(archive.read("data.pkl")) - default_globals().keys() - user_globals().keys())


class _borrowed:
    """A file object that stays open."""

    def __init__(self, file):
        self.file = file

    def __enter__(self):
        _check_seekable(self.file)
        return self.file

    def __exit__(self, *exception):
        pass
