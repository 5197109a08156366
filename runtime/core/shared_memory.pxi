# Memory that processes share, and weak references of storages.
#
# A storage in shared memory owns a _SharedMemory, which owns the mapping and what leads other processes to it: a file descriptor, or a path
# in a folder in memory. Nobody else holds it, so it lives exactly as long as the storage, and `shared_memories` can lead from a file to the
# storage over it: memory that comes back to a process that has it already is the storage that is there. Who makes files, and how they
# travel, is runtime/multiprocessing's business.
#
# Files with a path start with a count of those who need the path: processes with a storage over the file, and messages on their way.
# Whoever leaves last removes the file. A process that was forked is counted from its first message on.

cdef extern from "<sys/mman.h>" nogil:
    enum:
        PROT_READ, PROT_WRITE, MAP_SHARED
    void *MAP_FAILED
    void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)
    int munmap(void *address, size_t length)

cdef extern from "<unistd.h>" nogil:
    int close(int fd)
    int getpid()
    int unlink(const char *path)

cdef extern from *:
    """
    static int32_t rt_change_count(void *count, int32_t by) { return __atomic_add_fetch((int32_t *)count, by, __ATOMIC_ACQ_REL); }
    """
    int32_t rt_change_count(void *count, int32_t by) noexcept nogil

cdef extern from "runtime/core/alloc.h":
    enum:
        RT_STORAGE_WATCHED
    void (*rt_storage_dies)(rt_storage *s) noexcept

cdef enum:
    COUNT_BYTES = 64  # before the contents of files with a path: the count, and room so that the contents are aligned

# By (device, inode) or path: the address of the _SharedMemory, which takes itself out when it dies.
cdef dict shared_memories = {}


@cython.final
@cython.no_gc
cdef class _SharedMemory:
    """A mapping of a file that a storage lives in."""
    cdef rt_storage *s         # the owner
    cdef rt_storage *previous  # memory that the storage had, and that arrays may still point to
    cdef char *start
    cdef size_t length
    cdef int fd                # -1 where there is a path
    cdef int pid               # of the process that the count knows of
    cdef object key
    cdef bytes path

    def __dealloc__(self):
        if self.start == NULL:
            return
        if shared_memories.get(self.key) == <uintptr_t><void *>self:
            del shared_memories[self.key]
        if self.path is not None and self.pid == getpid() and rt_change_count(self.start, -1) == 0:
            unlink(<char *>self.path)
        munmap(self.start, self.length)
        if self.fd >= 0:
            close(self.fd)
        if self.previous != NULL:
            rt_storage_decref(self.previous)

rt_forbid_new(<PyTypeObject *>_SharedMemory)


cdef _SharedMemory memory_of(rt_storage *s):
    """What makes a storage shared, or None."""
    if s.owner == NULL or RT_TYPE(<void *>s.owner) != <PyTypeObject *>_SharedMemory:
        return None
    return <_SharedMemory><object>s.owner


cdef _SharedMemory map_file(int fd, int64_t nbytes, object path, object key):
    """Map a file of at least `nbytes` bytes of contents. With a path the descriptor stays the caller's, else the result takes it over."""
    cdef _SharedMemory memory
    cdef size_t length = nbytes + (0 if path is None else COUNT_BYTES)
    import os
    hash(key)
    if nbytes < 0 or os.fstat(fd).st_size < max(<int64_t>length, 1):
        raise RuntimeError(f"shared memory of {nbytes} bytes is wanted, but the file has {os.fstat(fd).st_size}")
    memory = _SharedMemory.__new__(_SharedMemory)
    memory.path = None if path is None else os.fsencode(path)
    start = mmap(NULL, length if length else 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
    if start == MAP_FAILED:
        raise RuntimeError(f"unable to map {nbytes} bytes of shared memory")
    memory.start = <char *>start
    memory.length = length if length else 1
    memory.fd = fd if path is None else -1
    memory.pid = getpid()
    memory.key = key
    if path is not None:
        rt_change_count(start, 1)
    return memory


cdef char *contents_of(_SharedMemory memory) noexcept:
    return memory.start + (0 if memory.path is None else COUNT_BYTES)


def _move_to_shared_memory(UntypedStorage storage not None, int fd, key, path=None):
    """Move a storage into the memory of a new file of its size, which `_map_shared_memory` finds by the key.

    Arrays over the memory that it had keep that, and no longer show what is written.
    """
    cdef rt_storage *s = storage.s
    cdef rt_storage *old
    cdef _SharedMemory memory
    rt_wait_for_loops()
    storage_data(s)
    if s.lent > 0:
        raise RuntimeError("a storage that a running kernel works on cannot be moved to shared memory")
    if memory_of(s) is not None:
        raise RuntimeError("the storage is in shared memory already")
    old = rt_storage_foreign(s.data, s.nbytes, NULL, s.device_type, s.device_index, 0)
    if old == NULL:
        raise_current()
    try:
        memory = map_file(fd, s.nbytes, path, key)
    except BaseException:
        rt_storage_decref(old)
        raise
    if s.nbytes:
        memcpy(contents_of(memory), s.data, s.nbytes)
    old.free = s.free
    old.owner = s.owner
    resizable = s.flags & RT_STORAGE_RESIZABLE
    s.data = contents_of(memory)
    s.free = NULL
    s.flags &= <uint16_t>~(RT_STORAGE_RESIZABLE | RT_STORAGE_INLINE | RT_STORAGE_READONLY)
    Py_INCREF(memory)
    s.owner = <PyObject *>memory
    memory.s = s
    shared_memories[key] = <uintptr_t><void *>memory
    if resizable:
        rt_storage_decref(old)
    else:
        memory.previous = old


def _map_shared_memory(int fd, nbytes, key, path=None):
    """The storage over a file: the one that this process has, or a new one."""
    cdef _SharedMemory memory
    cdef rt_storage *s
    found = _mapped_storage(key)
    if found is not None:
        if path is None:
            close(fd)
        return found
    memory = map_file(fd, nbytes, path, key)
    s = rt_storage_foreign(contents_of(memory), nbytes, <PyObject *>memory, DEVICE_CPU, -1, 0)
    if s == NULL:
        memory.fd = -1  # still the caller's
        raise_current()
    memory.s = s
    shared_memories[key] = <uintptr_t><void *>memory
    return new_storage_object(s)


def _mapped_storage(key):
    """The storage that this process has over a file, or None."""
    found = shared_memories.get(key)
    return None if found is None else storage_object((<_SharedMemory><void *><uintptr_t>found).s)


def _shared_memory(UntypedStorage storage not None):
    """`(file descriptor, key, path)` of a storage in shared memory, or None. The descriptor is -1 where there is a path, else path is None."""
    cdef _SharedMemory memory = memory_of(storage.s)
    if memory is None:
        return None
    import os
    return memory.fd, memory.key, None if memory.path is None else os.fsdecode(memory.path)


def _count_shared_memory(UntypedStorage storage not None, int by):
    """Count messages that lead to a storage with a path: 1 when one is sent, -1 when it has arrived."""
    cdef _SharedMemory memory = memory_of(storage.s)
    if memory is None or memory.path is None:
        raise RuntimeError("the storage has no file with a path")
    if memory.pid != getpid():
        memory.pid = getpid()
        rt_change_count(memory.start, 1)
    rt_change_count(memory.start, by)


# --------------------------------------------------------------------------------------------------------------- weak references

# By address: what tells the weak references of a storage that it is gone.
cdef dict watched_storages = {}


@cython.final
cdef class _StorageLife:
    """Whether a storage is gone; one object for all that ask."""
    cdef readonly bint over

rt_forbid_new(<PyTypeObject *>_StorageLife)


cdef void storage_dies(rt_storage *s) noexcept:
    cdef PyObject *kind
    cdef PyObject *value
    cdef PyObject *traceback
    PyErr_Fetch_(&kind, &value, &traceback)
    life = watched_storages.pop(<uintptr_t>s, None)
    if life is not None:
        (<_StorageLife>life).over = True
    PyErr_Restore_(kind, value, traceback)

rt_storage_dies = storage_dies


def _storage_life(UntypedStorage storage not None):
    """The object that says whether a storage is gone; it does not keep the storage."""
    cdef _StorageLife life = watched_storages.get(<uintptr_t>storage.s)
    if life is None:
        life = _StorageLife.__new__(_StorageLife)
        watched_storages[<uintptr_t>storage.s] = life
        storage.s.flags |= RT_STORAGE_WATCHED
    return life
