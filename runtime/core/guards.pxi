# Guards: context managers over the thread-local sets.
#
# Include and exclude guards add the bits that are not yet set and on exit take exactly those away, so guards whose lifetimes overlap
# without nesting leave the sets as they should be. The force guard swaps both sets and restores what it saved. A guard acts on the
# thread that enters it; in a suspended generator it stays active, as in PyTorch. The same guard object may be entered again: entries
# are undone in reverse order. Exiting a guard that is not entered does nothing.

# Note [Guards without bound methods]. A `with` statement looks `__enter__` and `__exit__` up and binds them, which allocates two
# objects: a third of a guard's cost. So these names stand for a descriptor that gives back the guard itself, and the guard is callable:
# without arguments it enters, with the three arguments of `__exit__` it leaves.

cdef class _ContextGuard:
    """A guard over the thread-local sets; subclasses say what entering and leaving does."""
    cdef void *vectorcall

    cdef int enter(self) except -1:
        return 0

    cdef int leave(self) except -1:
        return 0


cdef PyObject *guard_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    try:
        if n == 0 and kwnames == NULL:
            (<_ContextGuard>self).enter()
            RT_INC(self)
            return self
        if n == 3 and kwnames == NULL:
            (<_ContextGuard>self).leave()
            RT_INC(c_None)
            return c_None
        raise TypeError("a guard is used in a `with` statement")
    except BaseException as e:
        set_current(e)
        return NULL


cdef class _GuardMethod:
    """`__enter__` and `__exit__` of guards."""
    cdef void *vectorcall


cdef PyObject *guard_method_get(PyObject *self, PyObject *obj, PyObject *cls) noexcept:
    if obj == NULL:
        obj = self
    RT_INC(obj)
    return obj


cdef PyObject *guard_method_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    """`type(guard).__enter__(guard)`, as contextlib.ExitStack calls it."""
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    if n < 1 or not PyType_IsSubtype(RT_TYPE(args[0]), <PyTypeObject *>_ContextGuard):
        set_error(TypeError, "the method of a guard needs the guard as its first argument", NULL)
        return NULL
    return guard_vectorcall(args[0], args + 1, n - 1, kwnames)


cdef int ready_guard_types() except -1:
    cdef _ContextGuard probe = _ContextGuard.__new__(_ContextGuard)
    cdef _GuardMethod method = _GuardMethod.__new__(_GuardMethod)
    cdef Py_ssize_t offset = <char *>&probe.vectorcall - <char *><void *>probe
    method.vectorcall = <void *>guard_method_call
    rt_vectorcall_type(<PyTypeObject *>_GuardMethod, <char *>&method.vectorcall - <char *><void *>method)
    rt_descriptor_type(<PyTypeObject *>_GuardMethod, <void *>guard_method_get)
    for cls in (_ContextGuard, _ForceDispatchKeyGuard, _IncludeDispatchKeyGuard, _ExcludeDispatchKeyGuard):
        rt_vectorcall_type(<PyTypeObject *><void *>cls, offset)
        rt_type_set(<PyTypeObject *><void *>cls, "__enter__", method)
        rt_type_set(<PyTypeObject *><void *>cls, "__exit__", method)
    return 0

cdef extern from "Python.h":
    """
    /* Give a static type the vectorcall protocol; before any subclass of it exists. */
    static void rt_vectorcall_type(PyTypeObject *type, Py_ssize_t offset)
    {
        type->tp_vectorcall_offset = offset;
        type->tp_call = PyVectorcall_Call;
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        PyType_Modified(type);
    }
    /* Only this module makes instances of a static type, by its own tp_new; an instance that it has not filled in is not safe to use. */
    static int rt_forbid_new(PyTypeObject *type)
    {
        type->tp_new = NULL;
        type->tp_flags |= Py_TPFLAGS_DISALLOW_INSTANTIATION;
        if (PyDict_GetItemString(type->tp_dict, "__new__") != NULL && PyDict_DelItemString(type->tp_dict, "__new__") < 0)
            return -1;
        PyType_Modified(type);
        return 0;
    }
    static void rt_descriptor_type(PyTypeObject *type, void *get)
    {
        type->tp_descr_get = (descrgetfunc)get;
        PyType_Modified(type);
    }
    """
    void rt_vectorcall_type(PyTypeObject *type, Py_ssize_t offset)
    void rt_descriptor_type(PyTypeObject *type, void *get)
    int rt_forbid_new(PyTypeObject *type) except -1


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class _ForceDispatchKeyGuard(_ContextGuard):
    """Replace this thread's include and exclude sets for the time of a ``with`` block.

    Parameters
    ----------
    included, excluded : DispatchKeySet, optional
        The new sets. Without arguments the guard only restores, on exit, the sets that it found.
    """
    cdef rt_keyset included, excluded, saved_include, saved_exclude
    cdef int depth
    cdef void *thread   # the state of the thread that entered it
    cdef bint keep
    cdef list outer

    def __cinit__(self):
        self.vectorcall = <void *>guard_vectorcall

    def __init__(self, DispatchKeySet included=None, DispatchKeySet excluded=None):
        if included is None or excluded is None:
            if included is not excluded:
                raise TypeError("_ForceDispatchKeyGuard() takes both an include and an exclude set, or neither")
            self.keep = True
        else:
            self.included = included.bits
            self.excluded = excluded.bits

    def __dealloc__(self):
        # Entered and forgotten: undone here, as PyTorch's destructors do, unless another thread has the last reference.
        while self.depth > 0 and self.thread == &rt_tls_state:
            self.leave()

    cdef int enter(self) except -1:
        if unlikely(self.depth > 0):
            if self.outer is None:
                self.outer = []
            self.outer.append((self.saved_include, self.saved_exclude))
        self.depth += 1
        self.thread = &rt_tls_state
        self.saved_include = rt_tls_state.included
        self.saved_exclude = rt_tls_state.excluded
        if not self.keep:
            rt_tls_state.included = self.included
            rt_tls_state.excluded = self.excluded
        return 0

    cdef int leave(self) except -1:
        if unlikely(self.depth == 0):
            return 0
        self.depth -= 1
        rt_tls_state.included = self.saved_include
        rt_tls_state.excluded = self.saved_exclude
        if unlikely(self.depth > 0):
            self.saved_include, self.saved_exclude = self.outer.pop()
        return 0


cdef rt_keyset guard_bits(object keys) except? 0xBADBADBAD:
    """Bits of a guard's argument: a key, its name, or a key set."""
    if type(keys) is DispatchKeySet:
        return (<DispatchKeySet>keys).bits
    return rt_bits_of_key(key_value(keys))


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class _IncludeDispatchKeyGuard(_ContextGuard):
    """Add a key or a key set to this thread's include set for the time of a ``with`` block."""
    cdef rt_keyset keys, added
    cdef int depth
    cdef void *thread   # the state of the thread that entered it

    def __cinit__(self):
        self.vectorcall = <void *>guard_vectorcall

    def __init__(self, keys not None):
        self.keys = guard_bits(keys)

    def __dealloc__(self):
        # Entered and forgotten: undone here, as PyTorch's destructors do, unless another thread has the last reference.
        while self.depth > 0 and self.thread == &rt_tls_state:
            self.leave()

    cdef int enter(self) except -1:
        if self.depth == 0:
            self.added = self.keys & ~rt_tls_state.included
            rt_tls_state.included |= self.added
        self.depth += 1
        self.thread = &rt_tls_state
        return 0

    cdef int leave(self) except -1:
        if self.depth > 0:
            self.depth -= 1
            if self.depth == 0:
                rt_tls_state.included &= ~self.added
        return 0


@cython.final
@cython.freelist(16)
@cython.no_gc
cdef class _ExcludeDispatchKeyGuard(_ContextGuard):
    """Add a key or a key set to this thread's exclude set for the time of a ``with`` block."""
    cdef rt_keyset keys, added
    cdef int depth
    cdef void *thread   # the state of the thread that entered it

    def __cinit__(self):
        self.vectorcall = <void *>guard_vectorcall

    def __init__(self, keys not None):
        self.keys = guard_bits(keys)

    def __dealloc__(self):
        # Entered and forgotten: undone here, as PyTorch's destructors do, unless another thread has the last reference.
        while self.depth > 0 and self.thread == &rt_tls_state:
            self.leave()

    cdef int enter(self) except -1:
        if self.depth == 0:
            self.added = self.keys & ~rt_tls_state.excluded
            rt_tls_state.excluded |= self.added
        self.depth += 1
        self.thread = &rt_tls_state
        return 0

    cdef int leave(self) except -1:
        if self.depth > 0:
            self.depth -= 1
            if self.depth == 0:
                rt_tls_state.excluded &= ~self.added
        return 0

ready_guard_types()


@cython.final
@cython.no_gc
cdef class _SetExcludeDispatchKeyGuard:
    """Set a key's membership in this thread's exclude set, either way, for the time of a ``with`` block."""
    cdef rt_keyset keys, saved
    cdef bint desired
    cdef int depth

    def __cinit__(self, key not None, bint desired):
        self.keys = rt_bits_of_key(key_value(key))
        self.desired = desired

    def __enter__(self):
        if self.depth == 0:
            self.saved = rt_tls_state.excluded & self.keys
            if self.desired:
                rt_tls_state.excluded |= self.keys
            else:
                rt_tls_state.excluded &= ~self.keys
        self.depth += 1
        return self

    def __exit__(self, kind, value, traceback):
        if self.depth > 0:
            self.depth -= 1
            if self.depth == 0:
                rt_tls_state.excluded = (rt_tls_state.excluded & ~self.keys) | self.saved


cdef class _RAIIGuard:
    """A guard that acts from its construction until it is destroyed or, used in a ``with`` block, until the block ends.

    Subclasses choose the bits; the object acts once, so a second ``with`` does nothing.
    """
    cdef rt_keyset include_added, exclude_added
    cdef bint active

    cdef int start(self, rt_keyset included, rt_keyset excluded) except -1:
        self.include_added = included & ~rt_tls_state.included
        self.exclude_added = excluded & ~rt_tls_state.excluded
        rt_tls_state.included |= self.include_added
        rt_tls_state.excluded |= self.exclude_added
        self.active = True
        return 0

    cdef void stop(self) noexcept:
        if self.active:
            self.active = False
            rt_tls_state.included &= ~self.include_added
            rt_tls_state.excluded &= ~self.exclude_added

    def __enter__(self):
        return self

    def __exit__(self, kind, value, traceback):
        self.stop()

    def __dealloc__(self):
        self.stop()


cdef rt_keyset autograd_bits = (RT_FUNCTIONALITY_BIT(K_AutogradOther) | RT_FUNCTIONALITY_BIT(K_AutogradFunctionality)
                                | RT_FUNCTIONALITY_BIT(K_AutogradNestedTensor))


@cython.final
cdef class _AutoDispatchBelowAutograd(_RAIIGuard):
    """Exclude the autograd keys, from construction on."""
    def __cinit__(self):
        self.start(0, autograd_bits)


@cython.final
cdef class _AutoDispatchBelowADInplaceOrView(_RAIIGuard):
    """Exclude the autograd keys and ADInplaceOrView, from construction on."""
    def __cinit__(self):
        self.start(0, autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView))


@cython.final
cdef class _DisableTorchDispatch(_RAIIGuard):
    """Exclude the Python keys, from construction on: no subclass or mode sees the calls."""
    def __cinit__(self):
        self.start(0, RT_FUNCTIONALITY_BIT(K_Python) | RT_FUNCTIONALITY_BIT(K_PythonTLSSnapshot))


@cython.final
cdef class _PreserveDispatchKeyGuard:
    """Restore this thread's include and exclude sets at the end of a ``with`` block, whatever happened in it."""
    cdef rt_keyset included, excluded

    def __enter__(self):
        self.included = rt_tls_state.included
        self.excluded = rt_tls_state.excluded
        return self

    def __exit__(self, kind, value, traceback):
        rt_tls_state.included = self.included
        rt_tls_state.excluded = self.excluded


# Guards are made at every use, so their types are called by vectorcall: `type.__call__` would build a tuple and a dict first.

cdef extern from *:
    """
    static void rt_type_vectorcall(PyTypeObject *type, void *call)
    {
        type->tp_vectorcall = (vectorcallfunc)call;
        PyType_Modified(type);
    }
    """
    void rt_type_vectorcall(PyTypeObject *type, void *call)


cdef PyObject *by_init(PyObject *cls, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """Make an instance the general way: keywords, wrong arguments."""
    cdef Py_ssize_t i, nk = 0 if kwnames == NULL else RT_SIZE(kwnames)
    try:
        made = (<object>cls).__new__(<object>cls)
        made.__init__(*[<object>args[i] for i in range(n)], **{<object>RT_TUPLE_ITEMS(kwnames)[i]: <object>args[n + i] for i in range(nk)})
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *force_guard_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef _ForceDispatchKeyGuard guard
    if kwnames != NULL or PyVectorcall_NARGS(nargsf) != 2 or RT_TYPE(args[0]) != <PyTypeObject *>DispatchKeySet \
            or RT_TYPE(args[1]) != <PyTypeObject *>DispatchKeySet:
        return by_init(cls, args, PyVectorcall_NARGS(nargsf), kwnames)
    guard = _ForceDispatchKeyGuard.__new__(_ForceDispatchKeyGuard)
    guard.included = (<DispatchKeySet>args[0]).bits
    guard.excluded = (<DispatchKeySet>args[1]).bits
    RT_INC(<void *>guard)
    return <PyObject *>guard


cdef inline bint one_key(PyObject *const *args, size_t nargsf, PyObject *kwnames, rt_keyset *bits) noexcept:
    """The bits of the one argument, where it is a key set or a key."""
    if kwnames != NULL or PyVectorcall_NARGS(nargsf) != 1:
        return False
    if RT_TYPE(args[0]) == <PyTypeObject *>DispatchKeySet:
        bits[0] = (<DispatchKeySet>args[0]).bits
        return True
    if RT_TYPE(args[0]) == <PyTypeObject *>DispatchKey:
        bits[0] = (<DispatchKey>args[0]).bits
        return True
    return False


cdef PyObject *include_guard_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef rt_keyset bits
    cdef _IncludeDispatchKeyGuard guard
    if not one_key(args, nargsf, kwnames, &bits):
        return by_init(cls, args, PyVectorcall_NARGS(nargsf), kwnames)
    guard = _IncludeDispatchKeyGuard.__new__(_IncludeDispatchKeyGuard)
    guard.keys = bits
    RT_INC(<void *>guard)
    return <PyObject *>guard


cdef PyObject *exclude_guard_call(PyObject *cls, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef rt_keyset bits
    cdef _ExcludeDispatchKeyGuard guard
    if not one_key(args, nargsf, kwnames, &bits):
        return by_init(cls, args, PyVectorcall_NARGS(nargsf), kwnames)
    guard = _ExcludeDispatchKeyGuard.__new__(_ExcludeDispatchKeyGuard)
    guard.keys = bits
    RT_INC(<void *>guard)
    return <PyObject *>guard

rt_type_vectorcall(<PyTypeObject *>_ForceDispatchKeyGuard, <void *>force_guard_call)
rt_type_vectorcall(<PyTypeObject *>_IncludeDispatchKeyGuard, <void *>include_guard_call)
rt_type_vectorcall(<PyTypeObject *>_ExcludeDispatchKeyGuard, <void *>exclude_guard_call)
