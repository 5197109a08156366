"""The format of PyTorch before 1.6: pickles one after the other, then the bytes of all storages, each behind its length.

`save(_use_new_zipfile_serialization=False)` writes it, `load` reads it. Storages are made while the pickle is read, so the sizes that it
claims are added up and compared with the file before anything is allocated.
"""

import mmap
import pickle
import struct
import sys

import runtime
from runtime.serialization.locations import location_tag, restorer
from runtime.serialization.memory import bytes_of, swap_bytes
from runtime.serialization.pickling import Pickler, StorageTable, custom_pickler
from runtime.serialization.unpickling import WeightsUnpickler
from runtime.storage import LEGACY, TypedStorage

__all__ = ["read_legacy", "write_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001
_KEYS = (str, bytes, int)


def write_legacy(obj, file, pickle_module, protocol):
    """Write an object to a stream."""
    table = StorageTable(lambda storage, count: str(storage._cdata), location_tag)

    def identify(storage):
        kind, key, location, numel = table.entry(storage)
        return "storage", kind, key, location, numel, None

    sizes = {"short": 2, "int": 4, "long": struct.calcsize("=l")}
    for part in (_MAGIC, _VERSION, {"protocol_version": _VERSION, "little_endian": sys.byteorder == "little", "type_sizes": sizes}):
        pickle.dump(part, file, protocol=protocol)
    if pickle_module is pickle:
        Pickler(file, protocol, identify).dump(obj)
    else:
        custom_pickler(pickle_module, file, protocol, identify).dump(obj)
    keys = sorted(table.storages)
    pickle.dump(keys, file, protocol=protocol)
    for key in keys:
        storage, dtype = table.storages[key]
        file.write(struct.pack("<q", storage.nbytes() // dtype.itemsize))
        file.write(bytes_of(storage))


def _contents(source):
    """The whole file as one buffer: mapped where it is a real file."""
    try:
        mapped = mmap.mmap(source.file.fileno(), 0, access=mmap.ACCESS_READ)
    except (AttributeError, OSError, ValueError):
        return source.read(0, source.size), 0
    # A compressed file has the descriptor of what it decompresses.
    if mapped.size() != source.start + source.size or mapped[source.start : source.start + 16] != source.read(0, min(16, source.size)):
        return source.read(0, source.size), 0
    return mapped, source.start


class _Storages:
    """The storages that the pickle of a file mentions."""

    def __init__(self, map_location, available, fail):
        self.restore = restorer(map_location)
        self.available = available
        self.fail = fail
        self.found = {}
        self.views = {}

    def load(self, identity):
        """The storage of a persistent id, not yet filled."""
        if len(identity) == 4 and identity[0] == "module":
            return identity[1]
        if len(identity) != 6:
            self.fail("a reference to a storage is damaged")
        _, kind, key, location, numel, view = identity
        # Python 2 wrote byte strings, which `encoding="bytes"` keeps.
        location = location.decode("ascii") if type(location) is bytes else location
        if isinstance(kind, str):
            kind = LEGACY.get(kind, runtime.UntypedStorage)
        dtype = getattr(kind, "dtype", runtime.uint8)
        if kind is not runtime.UntypedStorage and kind not in LEGACY.values() or type(key) not in _KEYS or type(location) is not str:
            self.fail("a reference to a storage is damaged")
        if type(numel) is not int or not 0 <= numel < 2**59:
            self.fail(f"storage {key} has no size")
        if key not in self.found:
            self.available -= numel * dtype.itemsize
            if self.available < 0:
                self.fail(f"storage {key} claims {numel * dtype.itemsize} bytes, which the file does not have")
            storage = runtime.UntypedStorage(numel * dtype.itemsize)
            self.found[key] = storage, self.restore(storage, location), dtype
        _, storage, dtype = self.found[key]
        if view is not None:
            storage = self.view(storage, dtype, view)
        return TypedStorage(wrap_storage=storage, dtype=dtype)

    def view(self, storage, dtype, view):
        """A part of a storage that was saved as a storage of its own."""
        if type(view) is not tuple or len(view) != 3 or type(view[0]) not in _KEYS or not all(type(n) is int for n in view[1:]):
            self.fail("a reference to a part of a storage is damaged")
        key, start, count = view
        if start < 0 or count < 0 or (start + count) * dtype.itemsize > storage.nbytes():
            self.fail(f"a part of a storage of {storage.nbytes()} bytes begins at element {start} and has {count}")
        if key not in self.views:
            self.views[key] = storage[start * dtype.itemsize : (start + count) * dtype.itemsize]
        return self.views[key]


def read_legacy(source, map_location, unpickler, encoding, skip_data):
    """The object in a file of the old format.

    Parameters
    ----------
    source : Source
    map_location : object
        As for `load`.
    unpickler : callable or None
        Makes an unpickler from a file and a `persistent_load`; None for reading data only.
    encoding : str
        Of byte strings.
    skip_data : bool
        Whether storages stay unfilled.

    Raises
    ------
    RuntimeError, UnpicklingError
        If the file is damaged.
    """

    def fail(reason):
        raise RuntimeError(f"{source.name}: {reason}. The file is no archive, and damaged as a file of the format before PyTorch 1.6.")

    data, position = _contents(source)
    size = len(data)

    def plain():
        nonlocal position
        reader = WeightsUnpickler(data, position=position, encoding=encoding)
        value = reader.load()
        position = reader.position
        return value

    try:
        magic = plain()
    except pickle.UnpicklingError as error:
        fail(f"Invalid magic number; corrupt file? The first pickle cannot be read: {error}")
    if magic != _MAGIC:
        fail("Invalid magic number; corrupt file?")
    version = plain()
    if version != _VERSION:
        fail(f"Invalid protocol version: {version}" if type(version) is int else "Invalid protocol version")
    information = plain()
    if type(information) is not dict:
        fail("the description of the writing system is damaged")
    storages = _Storages(map_location, size - position, fail)
    if unpickler is None:
        reader = WeightsUnpickler(data, storages.load, position, encoding)
        result = reader.load()
        position = reader.position
    else:
        shift = size - source.size
        source.file.seek(source.start + position - shift)
        result = unpickler(source.file, storages.load).load()
        position = source.file.tell() - source.start + shift
    keys = plain()
    if type(keys) is not list or any(type(key) not in _KEYS or key not in storages.found for key in keys):
        fail("the list of storages is damaged")
    foreign = bool(information.get("little_endian", True)) == (sys.byteorder == "big")
    for key in keys:
        raw, restored, dtype = storages.found[key]
        if position + 8 > size:
            fail(f"the file breaks off before storage {key}")
        count = struct.unpack_from("<q", data, position)[0]
        position += 8
        nbytes = count * dtype.itemsize
        if nbytes != raw.nbytes() or position + nbytes > size:
            fail(f"storage {key} was said to have {raw.nbytes()} bytes, but has {nbytes}, of which {max(size - position, 0)} are there")
        if not skip_data and nbytes:
            bytes_of(raw)[:] = data[position : position + nbytes]
            if foreign:
                swap_bytes(raw, dtype)
            if restored is not raw and restored.device.type == "cpu":
                restored.copy_(raw)
        position += nbytes
    source.file.seek(source.start + position - (size - source.size))  # another object can follow
    return result
