# UntypedStorage: the Python face of an rt_storage.
#
# A storage knows its one Python object without owning it; the object owns a reference of the storage. So the object's identity is
# stable as long as anybody holds it, weak references to it work, and it costs nothing until somebody asks for it.

cdef extern from "runtime/core/alloc.h":
    enum:
        RT_STORAGE_RESIZABLE, RT_STORAGE_INLINE, RT_STORAGE_READONLY
    rt_storage *rt_storage_new(int64_t nbytes, int device_type, int device_index) noexcept
    rt_storage *rt_storage_foreign(void *data, int64_t nbytes, PyObject *owner, int device_type, int device_index, uint32_t flags) noexcept
    int rt_storage_resize(rt_storage *s, int64_t nbytes) except -1
    void rt_storage_decref(rt_storage *s) noexcept
    void rt_storage_incref(rt_storage *s) noexcept

cdef extern from "kernels/shared/gil.h":
    void rt_wait_for_loops() noexcept

cdef str NO_STORAGE_DATA = "Attempted to access the data pointer on an invalid python storage."


cdef char *storage_data(rt_storage *s) except? NULL:
    """The memory of a storage that the CPU can read; NULL only for an empty one."""
    if s.device_type != DEVICE_CPU:
        raise RuntimeError(f"The memory of a {device_type_name(s.device_type)} storage cannot be read from Python")
    if s.data == NULL and s.nbytes > 0:
        raise RuntimeError(NO_STORAGE_DATA)
    return s.data


cdef char *writable_data(rt_storage *s) except? NULL:
    cdef char *data = storage_data(s)
    if s.flags & RT_STORAGE_READONLY:
        raise RuntimeError("the storage's memory is read-only: it belongs to an array or buffer that may not be changed")
    return data


cdef class UntypedStorage:
    """The bytes that one or more tensors share.

    Parameters
    ----------
    size : int or sequence of int, optional
        The number of bytes, or their values.
    device : device or str, optional
        Where the memory is.
    """
    cdef rt_storage *s
    cdef object __weakref__

    def __cinit__(self, size=0, *, device=None):
        cdef Py_ssize_t i
        cdef int64_t nbytes
        where = as_device(device)
        values = None
        if not hasattr(size, "__index__"):
            values = size if type(size) is bytes else bytes([x & 0xFF for x in size])
            nbytes = len(values)
        else:
            nbytes = size
        self.s = rt_storage_new(nbytes, device_type_of(where), device_index_of(where))
        if self.s == NULL:
            raise_current()
        self.s.pyobj = <PyObject *>self
        if values is not None and self.s.data != NULL:
            memcpy(self.s.data, <char *><bytes>values, nbytes)

    def __dealloc__(self):
        if self.s != NULL:
            if self.s.pyobj == <PyObject *>self:
                self.s.pyobj = NULL
            rt_storage_decref(self.s)

    def nbytes(self):
        """The size in bytes."""
        return self.s.nbytes

    def size(self):
        """The size in bytes."""
        return self.s.nbytes

    def __len__(self):
        return self.s.nbytes

    def element_size(self):
        return 1

    def data_ptr(self):
        """The address of the first byte; 0 where there is no memory (meta, empty).

        Raises
        ------
        RuntimeError
            For a storage that has a size but no memory, such as a wrapper subclass's.
        """
        if self.s.data == NULL and self.s.nbytes > 0 and self.s.device_type != DEVICE_META:
            raise RuntimeError(NO_STORAGE_DATA)
        return <uintptr_t>self.s.data

    @property
    def _cdata(self):
        return <uintptr_t>self.s

    @property
    def device(self):
        return make_device(self.s.device_type, self.s.device_index)

    def get_device(self):
        """The index of the storage's device; -1 on the CPU."""
        return self.s.device_index

    @property
    def is_cuda(self):
        return self.s.device_type == DEVICE_CUDA

    @property
    def is_sparse(self):
        return False

    @property
    def filename(self):
        """The path of the file that the memory is mapped from, or None."""
        shared = _shared_memory(self)
        return None if shared is None else shared[2]

    def is_shared(self):
        """Whether the memory is shared between processes."""
        return memory_of(self.s) is not None

    def share_memory_(self):
        """Move the memory to where other processes can share it; see `runtime.multiprocessing`. Returns the storage."""
        from runtime.multiprocessing.memory import share
        share(self)
        return self

    @classmethod
    def _new_shared(cls, size, *, device="cpu"):
        """A new storage of a size in bytes; on the CPU in shared memory."""
        cdef UntypedStorage made = cls(size, device=device)
        return made.share_memory_() if made.s.device_type == DEVICE_CPU else made

    def is_pinned(self, device="cuda"):
        return False

    def resizable(self):
        """Whether `resize_` may change the size: not for memory that belongs to somebody else."""
        return self.s.flags & RT_STORAGE_RESIZABLE != 0

    def resize_(self, size):
        """Change the size in bytes; contents are kept. Returns the storage."""
        rt_wait_for_loops()
        rt_storage_resize(self.s, size)
        return self

    def untyped(self):
        return self

    @property
    def _untyped_storage(self):
        return self

    def __getitem__(self, index):
        cdef char *data = storage_data(self.s)
        cdef int64_t i
        if isinstance(index, slice):
            start, stop, step = index.indices(self.s.nbytes)
            if step != 1:
                raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
            return new_storage_object(rt_storage_foreign(data + <int64_t>start, max(stop - start, 0), <PyObject *>self, self.s.device_type,
                                                         self.s.device_index, self.s.flags & RT_STORAGE_READONLY))
        if not hasattr(index, "__index__"):
            raise TypeError(f"can't index a torch.UntypedStorage with {class_name(index)}")
        i = index
        if i < 0:
            i += self.s.nbytes
        if not 0 <= i < self.s.nbytes:
            raise IndexError(f"index {index} out of range for storage of size {self.s.nbytes}")
        return <uint8_t>data[i]

    def __setitem__(self, index, value):
        cdef char *data = writable_data(self.s)
        cdef int64_t i
        cdef char byte = <char><uint8_t>(value & 0xFF)
        if isinstance(index, slice):
            start, stop, step = index.indices(self.s.nbytes)
            if step != 1:
                raise RuntimeError(f"Trying to slice with a step of {step}, but only a step of 1 is supported")
            for i in range(start, stop):
                data[i] = byte
            return
        if not hasattr(index, "__index__"):
            raise TypeError(f"can't index a torch.UntypedStorage with {class_name(index)}")
        i = index
        if i < 0:
            i += self.s.nbytes
        if not 0 <= i < self.s.nbytes:
            raise IndexError(f"index {index} out of range for storage of size {self.s.nbytes}")
        data[i] = byte

    def __iter__(self):
        return iter(self.tolist())

    def __bytes__(self):
        return storage_data(self.s)[:self.s.nbytes] if self.s.nbytes else b""

    def tolist(self):
        """The bytes as a list of ints."""
        return list(bytes(self))

    def fill_(self, value):
        """Set every byte."""
        self[:] = value
        return self

    def clone(self):
        """A copy with memory of its own."""
        other = UntypedStorage(self.s.nbytes, device=self.device)
        if self.s.data != NULL and self.s.nbytes:
            memcpy((<UntypedStorage>other).s.data, self.s.data, self.s.nbytes)
        return other

    def copy_(self, UntypedStorage source not None, non_blocking=None):
        """Copy the bytes of a storage of the same size into this one."""
        if source.s.nbytes != self.s.nbytes:
            raise RuntimeError("size does not match")
        if self.s.nbytes:
            memcpy(writable_data(self.s), storage_data(source.s), self.s.nbytes)
        return self

    def cpu(self):
        """The storage itself where it is on the CPU."""
        storage_data(self.s)
        return self

    # What converts, and what comes from buffers and files: runtime/storage.py does it.

    @classmethod
    def from_buffer(cls, *args, **kwargs):
        """A storage with a copy of a buffer's bytes; see `runtime.storage.storage_from_buffer`."""
        from runtime.storage import storage_from_buffer
        return storage_from_buffer(*args, **kwargs)

    @classmethod
    def from_file(cls, filename, shared=False, nbytes=0):
        """A storage on the memory of a file; see `runtime.storage.storage_from_file`."""
        from runtime.storage import storage_from_file
        return storage_from_file(filename, shared, nbytes)

    def new(self):
        """An empty storage on the same device."""
        return UntypedStorage(0, device=self.device)

    def byteswap(self, dtype):
        """Reverse the bytes of each element of a dtype, in place."""
        from runtime.serialization.memory import swap_bytes
        writable_data(self.s)
        swap_bytes(self, dtype)

    def to(self, *, device, non_blocking=False):
        """The storage on a device: itself if it is there."""
        where = as_device(device)
        if where.type == self.device.type:
            return self
        if where.type == "meta":
            return UntypedStorage(self.s.nbytes, device=where)
        raise NotImplementedError(f"UntypedStorage.to(): from {self.device} to {where}: there is no data to copy, or no memory there")

    def type(self, dtype=None, non_blocking=False):
        """The name of the class. Untyped storages have no other type: methods such as `float` make typed ones."""
        if dtype is None:
            return "torch.storage.UntypedStorage"
        if dtype is UntypedStorage or dtype == "torch.storage.UntypedStorage":
            return self
        raise TypeError(f"UntypedStorage.type(): cannot convert to {dtype}; methods such as float() convert the bytes to elements")

    def pin_memory(self, device="cuda"):
        raise RuntimeError("Cannot access accelerator device when none is available.")

    def bfloat16(self):
        """The bytes as elements of a typed storage of bfloat16."""
        return bytes_as(self, "bfloat16")

    def bool(self):
        """The bytes as elements of a typed storage of bool."""
        return bytes_as(self, "bool")

    def byte(self):
        """The bytes as elements of a typed storage of uint8."""
        return bytes_as(self, "uint8")

    def char(self):
        """The bytes as elements of a typed storage of int8."""
        return bytes_as(self, "int8")

    def complex_double(self):
        """The bytes as elements of a typed storage of complex128."""
        return bytes_as(self, "complex128")

    def complex_float(self):
        """The bytes as elements of a typed storage of complex64."""
        return bytes_as(self, "complex64")

    def double(self):
        """The bytes as elements of a typed storage of float64."""
        return bytes_as(self, "float64")

    def float(self):
        """The bytes as elements of a typed storage of float32."""
        return bytes_as(self, "float32")

    def float8_e4m3fn(self):
        """The bytes as elements of a typed storage of float8_e4m3fn."""
        return bytes_as(self, "float8_e4m3fn")

    def float8_e4m3fnuz(self):
        """The bytes as elements of a typed storage of float8_e4m3fnuz."""
        return bytes_as(self, "float8_e4m3fnuz")

    def float8_e5m2(self):
        """The bytes as elements of a typed storage of float8_e5m2."""
        return bytes_as(self, "float8_e5m2")

    def float8_e5m2fnuz(self):
        """The bytes as elements of a typed storage of float8_e5m2fnuz."""
        return bytes_as(self, "float8_e5m2fnuz")

    def half(self):
        """The bytes as elements of a typed storage of float16."""
        return bytes_as(self, "float16")

    def int(self):
        """The bytes as elements of a typed storage of int32."""
        return bytes_as(self, "int32")

    def long(self):
        """The bytes as elements of a typed storage of int64."""
        return bytes_as(self, "int64")

    def short(self):
        """The bytes as elements of a typed storage of int16."""
        return bytes_as(self, "int16")

    def __copy__(self):
        return self.clone()

    def __deepcopy__(self, memo):
        memo = memo.setdefault("torch", {})
        key = <uintptr_t>self.s
        if key not in memo:
            memo[key] = self.clone()
        return memo[key]

    def __reduce_ex__(self, protocol):
        return reduce_storage(self, protocol)

    def __repr__(self):
        where = f"[torch.storage.UntypedStorage(device={self.device}) of size {self.s.nbytes}]"
        if self.s.device_type == DEVICE_META:
            return "...\n" + where
        return " " + "\n ".join([str(x) for x in self.tolist()]) + "\n" + where


cdef object bytes_as(UntypedStorage self, str dtype):
    """A typed storage whose elements have the values of the bytes."""
    from runtime.storage import TypedStorage
    return TypedStorage(wrap_storage=self, dtype=dtype_names["uint8"])._converted(dtype_names[dtype])


cdef object new_storage_object(rt_storage *s):
    """A Python object for a storage that has none; takes over the caller's reference."""
    cdef UntypedStorage self
    if s == NULL:
        raise_current()
    self = UntypedStorage.__new__(UntypedStorage)
    rt_storage_decref(self.s)
    self.s = s
    s.pyobj = <PyObject *>self
    return self


cdef object storage_object(rt_storage *s):
    """The Python object of a storage."""
    if s.pyobj != NULL:
        return <object>s.pyobj
    rt_storage_incref(s)
    return new_storage_object(s)


def _rebuild_storage(contents, where):
    """A storage from its bytes, or of a size where there is no memory: what pickles call."""
    return UntypedStorage(contents, device=where)


rt_name_type(<PyTypeObject *>UntypedStorage, "runtime.UntypedStorage")
