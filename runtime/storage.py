"""Typed storages: an `UntypedStorage` seen as elements of a dtype. Deprecated in PyTorch, but its files and older programs speak of them.

`TypedStorage` owns nothing but a reference to the untyped storage. `FloatStorage` and the others make typed storages of one dtype, are what
`isinstance` asks for, and name dtypes in files.
"""

import io

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

__all__ = ["TypedStorage", "UntypedStorage", *_CLASS_NAMES]


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
        """The elements as a tensor on the same memory."""
        return runtime.empty(0, dtype=self._dtype, device=self.device).set_(self._untyped_storage)

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

    def double(self):
        """The elements as float64."""
        return self._converted(runtime.float64)

    def float(self):
        """The elements as float32."""
        return self._converted(runtime.float32)

    def half(self):
        """The elements as float16."""
        return self._converted(runtime.float16)

    def long(self):
        """The elements as int64."""
        return self._converted(runtime.int64)

    def int(self):
        """The elements as int32."""
        return self._converted(runtime.int32)

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
