"""Typed storages: an `UntypedStorage` seen as elements of a dtype. Deprecated in PyTorch, but its files and older programs speak of them.

`TypedStorage` owns nothing but a reference to the untyped storage. `FloatStorage` and the others make typed storages of one dtype, are what
`isinstance` asks for, and name dtypes in files. Storages from buffers and from files are made here too, for both kinds.
"""

import io
import mmap
import os
import sys
import warnings

import runtime
from runtime import _core
from runtime._core import UntypedStorage

# The dtypes that have a storage class of their own; tensors of the others are written with untyped storages.
_CLASS_NAMES = {
    "DoubleStorage": "float64", "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "LongStorage": "int64",
    "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8", "BoolStorage": "bool",
    "ComplexDoubleStorage": "complex128", "ComplexFloatStorage": "complex64", "QInt8Storage": "qint8", "QInt32Storage": "qint32",
    "QUInt8Storage": "quint8", "QUInt4x2Storage": "quint4x2", "QUInt2x4Storage": "quint2x4",
}  # fmt: skip

_QUANTIZED = frozenset(_core.dtype_names[name] for name in ("qint8", "quint8", "qint32"))

__all__ = ["TypedStorage", "UntypedStorage", *_CLASS_NAMES]


# ---- the warning that typed storages go away

_always_warn = False
_has_warned = False


def _warn_typed_storage_removal(stacklevel=2):
    """Warn that `TypedStorage` is deprecated: once, or always where that is set."""
    global _has_warned
    if _has_warned and not _always_warn:
        return
    _has_warned = True
    warnings.warn(
        "TypedStorage is deprecated. It will be removed in the future and UntypedStorage will be the only storage class. This should only "
        "matter to you if you are using storages directly.  To access UntypedStorage directly, use tensor.untyped_storage() instead of "
        "tensor.storage()",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def _get_always_warn_typed_storage_removal():
    return _always_warn


def _set_always_warn_typed_storage_removal(always_warn):
    global _always_warn
    if not isinstance(always_warn, bool):
        raise AssertionError(f"always_warn must be bool, got {type(always_warn)}")
    _always_warn = always_warn


# ---- from buffers and files


def storage_from_buffer(buffer, byte_order=None, count=-1, offset=0, dtype=None):
    """An untyped storage with a copy of the bytes of a buffer.

    Parameters
    ----------
    buffer : bytes-like
    byte_order : {"native", "little", "big"}
        How elements stand in the buffer; needed unless they are single bytes.
    count : int
        How many elements; -1: up to the end of the buffer.
    offset : int
        The first byte.
    dtype : dtype
        What the elements are. Bytes of bools become 0 or 1.

    Returns
    -------
    UntypedStorage
    """
    from runtime.serialization.memory import swap_bytes

    if dtype is None:
        raise TypeError("from_buffer(): argument 'dtype' is missing; for plain bytes pass dtype=uint8")
    if byte_order is None:
        if dtype not in (runtime.uint8, runtime.int8):
            raise RuntimeError("function missing required argument 'byte_order' (pos 2)")
        byte_order = "native"
    if byte_order not in ("native", "little", "big"):
        raise ValueError(f"invalid byte_order '{byte_order}' (expected 'big', 'little', or 'native')")
    data = memoryview(buffer).cast("B")
    if not 0 <= offset <= len(data):
        raise ValueError(f"offset must be non-negative and no greater than buffer length ({len(data)}), but got {offset}")
    left, width = len(data) - offset, dtype.itemsize
    if count < 0:
        if left % width:
            raise ValueError(f"buffer size ({left}) must be a multiple of element size ({width})")
        count = left // width
    if count * width > left:
        raise ValueError(f"buffer has only {left // width} elements after offset {offset}, but specified a size of {count}")
    storage = UntypedStorage(bytes(data[offset : offset + count * width]))
    if byte_order not in ("native", sys.byteorder):
        swap_bytes(storage, dtype)
    if dtype is runtime.bool:
        storage = storage.bool().untyped()
    return storage


def storage_from_file(filename, shared=False, nbytes=0):
    """An untyped storage on the memory of a file.

    Parameters
    ----------
    filename : str
    shared : bool
        Whether writes go to the file, which is made or lengthened where it has fewer bytes. Otherwise they stay in this process.
    nbytes : int
        How many bytes; 0 for all.

    Returns
    -------
    UntypedStorage
    """
    from runtime.serialization.memory import Mapping

    if nbytes < 0:
        raise ValueError(f"from_file(): the size is {nbytes}; it must not be negative")
    if shared:
        with open(filename, "ab") as file:
            if file.tell() < nbytes:
                file.truncate(nbytes)
    try:
        found = os.stat(filename).st_size
    except FileNotFoundError as error:
        raise RuntimeError(f"unable to open file <{filename}> in read-only mode: {error.strerror} ({error.errno})") from None
    if found < nbytes:
        raise RuntimeError(f"from_file(): {filename} has {found} bytes, not {nbytes}")
    if not found:
        return UntypedStorage(0)
    return Mapping(filename, mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE).storage(0, nbytes or found)


class TypedStorage:
    """The memory of tensors, as a flat sequence of elements.

    Parameters
    ----------
    size : int or sequence, optional
        The number of elements, or their values.
    wrap_storage : UntypedStorage, optional
        The memory, instead of a size.
    dtype : dtype, optional
        The default dtype if absent.
    device : device or str, optional
        Where new memory is.

    Examples
    --------
    >>> import runtime
    >>> x = runtime.tensor([1.0, 2.0])
    >>> storage = runtime.storage.TypedStorage(wrap_storage=x.untyped_storage(), dtype=x.dtype)
    >>> storage[1], len(storage), storage.pickle_storage_type()
    (2.0, 2, 'FloatStorage')
    """

    __slots__ = ("__weakref__", "_dtype", "_untyped_storage")

    def __new__(cls, *args, **kwargs):
        # The classes of single dtypes make plain typed storages.
        return super().__new__(TypedStorage)

    def __init__(self, size=None, *, wrap_storage=None, dtype=None, device=None, _internal=False):
        self._dtype = runtime.get_default_dtype() if dtype is None else dtype
        if wrap_storage is not None:
            if size is not None or device is not None:
                raise RuntimeError("TypedStorage(): wrap_storage goes with dtype only, not with a size or a device")
            if not isinstance(wrap_storage, UntypedStorage):
                raise TypeError(f"Argument 'wrap_storage' must be UntypedStorage, but got {type(wrap_storage)}")
            self._untyped_storage = wrap_storage
        elif size is None or hasattr(size, "__index__"):
            self._untyped_storage = UntypedStorage((0 if size is None else size.__index__()) * self._dtype.itemsize, device=device)
        else:
            self._untyped_storage = runtime.tensor(size, dtype=self._dtype, device=device).untyped_storage()

    @classmethod
    def from_buffer(cls, buffer, byte_order=None, count=-1, offset=0, dtype=None, device=None):
        """A typed storage with a copy of a buffer's elements; see `storage_from_buffer`."""
        if device is not None and runtime.device(device).type != "cpu":
            raise RuntimeError(f"TypedStorage.from_buffer: Not available for device {runtime.device(device).type}")
        dtype = runtime.get_default_dtype() if dtype is None else dtype
        return cls(wrap_storage=storage_from_buffer(buffer, byte_order, count, offset, dtype), dtype=dtype)

    @classmethod
    def from_file(cls, filename, shared, size):
        """Only classes of one dtype, such as FloatStorage, know how large a file's elements are."""
        raise RuntimeError("from_file can only be called on derived classes")

    @property
    def dtype(self):
        return self._dtype

    @property
    def device(self):
        return self._untyped_storage.device

    @property
    def is_cuda(self):
        return self._untyped_storage.is_cuda

    @property
    def is_sparse(self):
        return False

    def _tensor(self):
        """The elements as a tensor on the same memory; of a quantized dtype the integers."""
        dtype = runtime._core._integer_dtype(self._dtype) if self._dtype in _QUANTIZED else self._dtype
        return runtime.empty(0, dtype=dtype, device=self.device).set_(self._untyped_storage)

    def untyped(self):
        """The memory itself."""
        return self._untyped_storage

    def _typed_storage(self):
        return self

    def size(self):
        """The number of elements."""
        return self._untyped_storage.nbytes() // self._dtype.itemsize

    __len__ = size
    _size = size

    def nbytes(self):
        """The number of bytes."""
        return self._untyped_storage.nbytes()

    def element_size(self):
        """The bytes of an element."""
        return self._dtype.itemsize

    def data_ptr(self):
        """The address of the first element."""
        return self._untyped_storage.data_ptr()

    _data_ptr = data_ptr

    @property
    def _cdata(self):
        return self._untyped_storage._cdata

    def is_shared(self):
        """Whether other processes share the memory."""
        return self._untyped_storage.is_shared()

    def share_memory_(self):
        """Move the memory to where other processes can share it. Returns the storage."""
        self._untyped_storage.share_memory_()
        return self

    def resizable(self):
        """Whether `resize_` may change the size."""
        return self._untyped_storage.resizable()

    def resize_(self, size):
        """Change the number of elements; contents are kept."""
        self._untyped_storage.resize_(size * self._dtype.itemsize)
        return self

    def __getitem__(self, index):
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step != 1:
                raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
            wide = self._dtype.itemsize
            return TypedStorage(wrap_storage=self._untyped_storage[start * wide : max(start, stop) * wide], dtype=self._dtype)
        if not hasattr(index, "__index__"):
            raise RuntimeError(f"can't index a {type(self).__name__} with {type(index)}")
        at = index.__index__()
        if not -len(self) <= at < len(self):
            raise IndexError(f"index {index} out of range for storage of size {len(self)}")
        return self._tensor()[at].item()

    def __setitem__(self, index, value):
        if not isinstance(index, slice) and not hasattr(index, "__index__"):
            raise RuntimeError(f"can't index a {type(self).__name__} with {type(index)}")
        self._tensor()[index] = value

    def __iter__(self):
        return iter(self.tolist())

    def tolist(self):
        """The elements as a list."""
        return self._tensor().tolist()

    def fill_(self, value):
        """Set all elements."""
        self._tensor().fill_(value)
        return self

    def copy_(self, source, non_blocking=None):
        """Copy the elements of another storage, converted to this dtype."""
        if not isinstance(source, TypedStorage):
            self._untyped_storage.copy_(source)
        else:
            self._tensor().copy_(source._tensor())
        return self

    def clone(self):
        """A copy with memory of its own."""
        return TypedStorage(wrap_storage=self._untyped_storage.clone(), dtype=self._dtype)

    def cpu(self):
        """The storage itself where it is on the CPU."""
        self._untyped_storage.cpu()
        return self

    def to(self, *, device, non_blocking=False):
        """The storage on a device: itself if it is there."""
        moved = self._untyped_storage.to(device=device, non_blocking=non_blocking)
        return self if moved is self._untyped_storage else TypedStorage(wrap_storage=moved, dtype=self._dtype)

    @property
    def filename(self):
        """The path of the file that the memory is mapped from, or None."""
        return self._untyped_storage.filename

    def get_device(self):
        """The index of the storage's device; -1 on the CPU."""
        return self._untyped_storage.get_device()

    def is_pinned(self, device="cuda"):
        """Whether the memory is page-locked for a device: never."""
        return self._untyped_storage.is_pinned(device)

    def pin_memory(self, device="cuda"):
        """Raises: there is no accelerator that would want it."""
        return self._untyped_storage.pin_memory(device)

    def _new_shared(self, size, *, device="cpu"):
        """A new storage of the same dtype in shared memory."""
        return TypedStorage(wrap_storage=UntypedStorage._new_shared(size * self._dtype.itemsize, device=device), dtype=self._dtype)

    def _get_legacy_storage_class(self):
        """The class of the dtype, such as FloatStorage; None where it has none."""
        return LEGACY.get(_NAMES.get(self._dtype)) if self.device.type in ("cpu", "meta") else None

    def __copy__(self):
        return self.clone()

    def __deepcopy__(self, memo):
        from copy import deepcopy

        return TypedStorage(wrap_storage=deepcopy(self._untyped_storage, memo), dtype=self._dtype)

    def __reduce__(self):
        return _rebuild_typed, (self._untyped_storage, self._dtype)

    def __eq__(self, other):
        if not isinstance(other, TypedStorage):
            return NotImplemented
        return self._dtype == other._dtype and self._untyped_storage._cdata == other._untyped_storage._cdata

    def __hash__(self):
        return hash((self._dtype, self._untyped_storage._cdata))

    def type(self, dtype=None):
        """The name of the storage's type, or the storage converted to another."""
        if dtype is None:
            return f"torch.{self.pickle_storage_type()}"
        if isinstance(dtype, str):
            dtype = globals()[dtype.rpartition(".")[2]]
        return self._converted(dtype if isinstance(dtype, _core.dtype) else dtype.dtype)

    def _converted(self, dtype):
        return TypedStorage(wrap_storage=self._tensor().to(dtype).untyped_storage(), dtype=dtype)

    def bfloat16(self):
        """The elements as bfloat16."""
        return self._converted(runtime.bfloat16)

    def bool(self):
        """The elements as bool."""
        return self._converted(runtime.bool)

    def byte(self):
        """The elements as uint8."""
        return self._converted(runtime.uint8)

    def char(self):
        """The elements as int8."""
        return self._converted(runtime.int8)

    def complex_double(self):
        """The elements as complex128."""
        return self._converted(runtime.complex128)

    def complex_float(self):
        """The elements as complex64."""
        return self._converted(runtime.complex64)

    def double(self):
        """The elements as float64."""
        return self._converted(runtime.float64)

    def float(self):
        """The elements as float32."""
        return self._converted(runtime.float32)

    def float8_e4m3fn(self):
        """The elements as float8_e4m3fn."""
        return self._converted(runtime.float8_e4m3fn)

    def float8_e4m3fnuz(self):
        """The elements as float8_e4m3fnuz."""
        return self._converted(runtime.float8_e4m3fnuz)

    def float8_e5m2(self):
        """The elements as float8_e5m2."""
        return self._converted(runtime.float8_e5m2)

    def float8_e5m2fnuz(self):
        """The elements as float8_e5m2fnuz."""
        return self._converted(runtime.float8_e5m2fnuz)

    def half(self):
        """The elements as float16."""
        return self._converted(runtime.float16)

    def int(self):
        """The elements as int32."""
        return self._converted(runtime.int32)

    def long(self):
        """The elements as int64."""
        return self._converted(runtime.int64)

    def short(self):
        """The elements as int16."""
        return self._converted(runtime.int16)

    def pickle_storage_type(self):
        """The name that files have for storages of this dtype.

        Raises
        ------
        KeyError
            For a dtype that has none.
        """
        return storage_name(self._dtype)

    _pickle_storage_type = pickle_storage_type

    def __repr__(self):
        where = f"[torch.storage.TypedStorage(dtype={self._dtype}, device={self.device}) of size {len(self)}]"
        if self.device.type == "meta":
            return "...\n" + where
        return " " + "\n ".join(str(value) for value in self.tolist()) + "\n" + where


def _rebuild_typed(untyped, dtype):
    return TypedStorage(wrap_storage=untyped, dtype=dtype)


class _LegacyMeta(type):
    """Typed storages of its dtype are instances of a class such as FloatStorage."""

    def __instancecheck__(cls, instance):
        return type(instance) is TypedStorage and instance.dtype is cls.dtype and instance.device.type == "cpu"

    def __call__(cls, *args, **kwargs):
        return TypedStorage(*args, dtype=cls.dtype, **kwargs)

    def from_buffer(cls, buffer, byte_order=None, count=-1, offset=0, dtype=None, device=None):
        """A storage of this dtype with a copy of a buffer's elements; see `storage_from_buffer`."""
        for name, value in (("dtype", dtype), ("device", device)):
            if value is not None:
                raise RuntimeError(f"from_buffer: '{name}' can only be specified in UntypedStorage.from_buffer and TypedStorage.from_buffer")
        return cls(wrap_storage=storage_from_buffer(buffer, byte_order, count, offset, cls.dtype))

    def from_file(cls, filename, shared, size):
        """A storage of this dtype on the memory of a file, of a number of elements; see `storage_from_file`."""
        return cls(wrap_storage=storage_from_file(filename, shared, size * cls.dtype.itemsize))


def _legacy_class(name, dtype):
    doc = f"Typed storages of {dtype}; calling it makes one."
    return _LegacyMeta(name, (), {"__module__": __name__, "__doc__": doc, "__slots__": (), "dtype": dtype})


LEGACY = {name: _legacy_class(name, getattr(runtime, dtype)) for name, dtype in _CLASS_NAMES.items()}
_NAMES = {cls.dtype: name for name, cls in LEGACY.items()}
globals().update(LEGACY)


def storage_name(dtype):
    """The name of the storage class of a dtype.

    Raises
    ------
    KeyError
        For a dtype that has none, as PyTorch.
    """
    return _NAMES[dtype]


def _load_from_bytes(b):
    """The storage in a file of `save` that plain pickles of PyTorch's storages contain.

    Like any plain pickle it runs what it says.
    """
    return runtime.load(io.BytesIO(b), weights_only=False)
