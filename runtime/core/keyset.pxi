# Key sets: 64 bits, backends below, functionalities above (include/runtime/keys.h). A set is the cross product of its backends and
# its per-backend functionalities.

@cython.final
@cython.freelist(64)
@cython.no_gc
cdef class DispatchKeySet:
    """An immutable set of dispatch keys.

    Parameters
    ----------
    keys : DispatchKey, str, DispatchKeySet or iterable of them, optional
        The keys of the set. A per-backend key adds its functionality and its backend; an alias key or ``Undefined`` adds nothing.

    Notes
    -----
    The set is a cross product: {CPU} | {AutogradCUDA} also contains CUDA and AutogradCPU. `remove` and `-` take functionalities
    away and leave backends in place.
    """
    cdef rt_keyset bits

    def __cinit__(self, keys=()):
        if type(keys) is tuple and not keys:
            self.bits = 0
        else:
            self.bits = keyset_bits(keys)

    def __or__(DispatchKeySet self, DispatchKeySet other not None):
        return new_keyset(self.bits | other.bits)

    def __and__(DispatchKeySet self, DispatchKeySet other not None):
        return new_keyset(self.bits & other.bits)

    def __sub__(DispatchKeySet self, DispatchKeySet other not None):
        return new_keyset(self.bits & (~other.bits | RT_BACKEND_MASK))

    def __richcmp__(self, other, int op):
        if type(self) is not DispatchKeySet or type(other) is not DispatchKeySet:
            return NotImplemented
        if op == 2:
            return (<DispatchKeySet>self).bits == (<DispatchKeySet>other).bits
        if op == 3:
            return (<DispatchKeySet>self).bits != (<DispatchKeySet>other).bits
        return NotImplemented

    def __hash__(self):
        return hash(self.bits)

    def __bool__(self):
        return self.bits != 0

    def __contains__(self, key):
        return self.has(key)

    def has(self, key):
        """Whether a key is in the set (for a per-backend key: its functionality and its backend).

        As in PyTorch the question is whether the key's bits are all there, so keys without bits (aliases, Undefined) always are.
        """
        cdef rt_keyset bits = bits_of(key)
        return (self.bits & bits) == bits

    def add(self, key):
        """The set with a key added."""
        return new_keyset(self.bits | bits_of(key))

    def remove(self, key):
        """The set without a key's functionality; backends stay."""
        cdef rt_keyset bits = bits_of(key)
        return new_keyset(self.bits & (~bits | RT_BACKEND_MASK))

    def remove_backend(self, str backend not None):
        """The set without a backend component, named as in ``"CPU"``."""
        cdef int b = rt_backend_of(parse_key(backend))
        if b < 0:
            raise RuntimeError(f"{backend} is not a backend")
        return new_keyset(self.bits & ~RT_BACKEND_BIT(b))

    def highestPriorityTypeId(self):
        """The key with the highest priority, ``DispatchKey.Undefined`` for a set without functionalities."""
        return key_objects[highest_key(self.bits)]

    def raw_repr(self):
        """The 64 bits as an int."""
        return self.bits

    @staticmethod
    def from_raw_repr(bits):
        """The set of a raw representation; bits that stand for no key are refused."""
        return _keyset_from_raw(bits)

    def __iter__(self):
        return iter(keys_of(self.bits))

    def __len__(self):
        return len(keys_of(self.bits))

    def __repr__(self):
        return f"DispatchKeySet({', '.join([(<DispatchKey>k).name for k in keys_of(self.bits)])})"

    def __reduce__(self):
        return _keyset_from_raw, (self.bits,)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def _keyset_from_raw(bits):
    """What pickles of key sets call."""
    if not isinstance(bits, int):
        raise TypeError(f"the raw representation of a key set is an int, not {type(bits).__name__}")
    if not 0 <= bits <= RT_FULL_KEYSET:
        raise ValueError(f"{bits:#x} is not the raw representation of a key set: the highest is {RT_FULL_KEYSET:#x}")
    return new_keyset(<rt_keyset>bits)


cdef inline rt_keyset bits_of(object key) except? 0xBADBADBAD:
    """The bits of a key given as a member or by name."""
    if type(key) is DispatchKey:
        return (<DispatchKey>key).bits
    member = key_members.get(key) if type(key) is str else None
    if likely(member is not None):
        return (<DispatchKey>member).bits
    return rt_bits_of_key(key_value(key))


cdef inline DispatchKeySet new_keyset(rt_keyset bits):
    cdef DispatchKeySet result = DispatchKeySet.__new__(DispatchKeySet)
    result.bits = bits
    return result


cdef rt_keyset keyset_bits(object keys) except? 0xBADBADBAD:
    """Bits of a key, a name, a set, or an iterable of keys and names."""
    cdef rt_keyset bits = 0
    if isinstance(keys, DispatchKeySet):
        return (<DispatchKeySet>keys).bits
    if isinstance(keys, (DispatchKey, str)):
        return rt_bits_of_key(key_value(keys))
    if isinstance(keys, int) or not hasattr(keys, "__iter__"):
        raise TypeError(f"DispatchKeySet() takes a DispatchKey, its name, a DispatchKeySet or an iterable of keys, not "
                        f"{type(keys).__name__}")
    for key in keys:
        bits |= keyset_bits(key)
    return bits


cdef inline int backend_index(rt_keyset bits) noexcept:
    """The highest backend of a set, 0 (CPU) where it has none."""
    cdef uint64_t backends = (bits & RT_BACKEND_MASK) >> 1
    cdef int index = 0
    while backends:
        index += 1
        backends >>= 1
    return index


cdef int highest_key(rt_keyset bits) noexcept:
    """Enum value of the key of highest priority: the highest functionality first, then the highest backend."""
    cdef int f
    for f in range(RT_NUM_FUNCTIONALITIES - 1, 0, -1):
        if bits & RT_FUNCTIONALITY_BIT(f):
            if not rt_is_per_backend(f):
                return f
            if bits & RT_BACKEND_MASK == 0:
                # No backend: PyTorch answers the block's marker.
                return rt_runtime_key(f, 0) - 1
            return rt_runtime_key(f, backend_index(bits))
    return K_Undefined


cdef list keys_of(rt_keyset bits):
    """The keys of a set from low to high priority; a per-backend functionality without a backend is skipped."""
    cdef list result = []
    cdef int f, b
    for f in range(1, RT_NUM_FUNCTIONALITIES):
        if bits & RT_FUNCTIONALITY_BIT(f):
            if rt_is_per_backend(f):
                for b in range(RT_NUM_BACKENDS):
                    if bits & RT_BACKEND_BIT(b):
                        result.append(key_objects[rt_runtime_key(f, b)])
            else:
                result.append(key_objects[f])
    return result


def _dispatch_keyset_full():
    """The set of all functionalities and backends."""
    return new_keyset(RT_FULL_KEYSET)


def _dispatch_keyset_full_after(key):
    """All keys of lower priority than a key, and PythonDispatcher, so that redispatch never loses the Python dispatcher."""
    return new_keyset(RT_FULL_AFTER(rt_functionality_of(key_value(key))))


_after_autograd_keyset = new_keyset(RT_FULL_AFTER(K_AutogradOther))
_after_ADInplaceOrView_keyset = new_keyset(RT_FULL_AFTER(K_ADInplaceOrView))
