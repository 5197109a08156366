# OpOverload: one operator as Python code sees and calls it (PEP 590: the object's vectorcall slot is the call).

cdef extern from "Python.h":
    """
    /* A method implemented by a C function with vectorcall arguments. */
    static int rt_add_fastcall_method(PyTypeObject *type, PyMethodDef *def)
    {
        PyObject *method = PyDescr_NewMethod(type, def);
        if (method == NULL) return -1;
        int r = PyDict_SetItemString(type->tp_dict, def->ml_name, method);
        Py_DECREF(method);
        PyType_Modified(type);
        return r;
    }
    #define RT_FASTCALL_KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
    """
    ctypedef struct PyMethodDef:
        const char *ml_name
        void *ml_meth
        int ml_flags
        const char *ml_doc
    int rt_add_fastcall_method(PyTypeObject *type, PyMethodDef *d) except -1
    const int RT_FASTCALL_KEYWORDS

cdef class OpOverload(OperatorBase):
    """One overload of an operator: ``ops.aten.add.Tensor``.

    Calling it dispatches by its arguments; arguments are bound by the schema. Made by the registry, never by users.
    """
    cdef void *vectorcall
    cdef rt_operator *op
    cdef readonly Operator _handle
    cdef readonly str __name__
    cdef readonly str _name
    cdef readonly str _overloadname
    cdef readonly object _overloadpacket
    cdef dict _rules   # mode class or tensor subclass -> function, of library.register_torch_dispatch; None until there is one

    def __init__(self):
        raise TypeError("OpOverload objects come from ops.<namespace>.<name>.<overload>")

    @property
    def _schema(self):
        """The FunctionSchema."""
        return self._handle.schema()

    @property
    def namespace(self):
        """The part of the name before ``::``."""
        return self._name.partition("::")[0]

    @property
    def overloadpacket(self):
        """The packet of all overloads of this name."""
        return self._overloadpacket

    @property
    def _qualified_op_name(self):
        return self._handle.name

    @property
    def __qualname__(self):
        return self._name

    @property
    def op(self):
        """The packet, as PyTorch's OpOverload also calls it."""
        return self._overloadpacket

    @property
    def _op(self):
        return self

    @property
    def torch_dispatch_rules(self):
        """What takes the place of a class's ``__torch_dispatch__`` for this operator: class -> ``rule(cls_or_mode, op, types, args, kwargs)``."""
        if self._rules is None:
            self._rules = {}
        return self._rules

    @property
    def tags(self):
        """The operator's tags."""
        return [tag_object(name) for name in self._handle.tag_names]

    @property
    def _tags(self):
        return self.tags

    @property
    def is_view(self):
        """Whether some argument has alias information and none is written."""
        return (self.op.flags & RT_OPF_VIEW) != 0

    @property
    def _defined_in_python(self):
        return self._handle.static == NULL

    def name(self):
        """The full name: ``"aten::add.Tensor"``."""
        return self._name

    def redispatch(self, keyset, *args, **kwargs):
        """Run the kernel that a key set selects; thread-local state and fallthrough masks do not apply."""

    def call_boxed(self, *args, **kwargs):
        """The same as calling."""
        return self(*args, **kwargs)

    def has_kernel_for_dispatch_key(self, key):
        """Whether a kernel or a Python rule was registered at exactly this key."""
        return key_value(key) in self._handle.kernels or (self._py_kernels is not None and key in self._py_kernels)

    def has_kernel_for_any_dispatch_key(self, DispatchKeySet keyset not None):
        """Whether a kernel or a Python rule was registered at some run-time key of a set."""
        return (any([k < K_StartOfAliasKeys and keyset.has(key_objects[<int>k]) for k in self._handle.kernels])
                or OperatorBase.has_kernel_for_any_dispatch_key(self, keyset))

    def _op_dk(self, key, *args, **kwargs):
        """Call the kernel in one key's slot directly."""
        return call_for_key(self, key_value(key), args, kwargs)

    def _can_decompose(self):
        """Whether `decompose` has something to run."""
        return self.has_kernel_for_dispatch_key(DispatchKey.CompositeImplicitAutograd)

    def _get_dispatch(self, key):
        """What the Python dispatcher does at a key that is not in the cache: a DispatchKey or a function."""
        return find_dispatch(self, key)

    def decompose(self, *args, **kwargs):
        """Run the CompositeImplicitAutograd rule or kernel; NotImplemented where there is none."""
        if self._py_kernels is not None and DispatchKey.CompositeImplicitAutograd in self._py_kernels:
            return self._py_kernels[DispatchKey.CompositeImplicitAutograd](*args, **kwargs)
        if K_CompositeImplicitAutograd not in self._handle.kernels:
            return NotImplemented
        return call_for_key(self, K_CompositeImplicitAutograd, args, kwargs)

    def __repr__(self):
        ns, _, name = self._handle.name.partition("::")
        return f"<OpOverload(op='{ns}.{name}', overload='{self._overloadname}')>"

    def __str__(self):
        return f"{self._handle.name.replace('::', '.')}.{self._overloadname}"

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    def __eq__(self, other):
        return self is other

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return overload_by_name, (self._handle.name, self._overloadname)

    def explain(self, *args, **kwargs):
        """Say how a call with these arguments would be dispatched; see `runtime.explanation`."""
        from runtime.explanation import explain
        return explain(self, *args, **kwargs)


def overload_by_name(str name, str overload):
    """The OpOverload of ``"aten::add"``, ``"Tensor"``; what pickles of operators call."""
    operator = operators.get((name, "" if overload == "default" else overload))
    if operator is None or not (<Operator>operator).op.flags & RT_OPF_HAS_SCHEMA:
        raise AttributeError(f"there is no operator {name}.{overload}")
    return overload_of(&(<Operator>operator).op)


cdef rt_kernel *kernel_for_key(Operator o, int key) except NULL:
    """An alias key's own registration, or what is in a run-time key's slot."""
    if key < K_StartOfAliasKeys:
        return o.op.table[rt_slot_of(rt_bits_of_key(key))]
    stack = o.kernels.get(key)
    if not stack:
        raise NotImplementedError(f"{o.full_name()} has no kernel for {key_names[key]}")
    return &(<Kernel>stack[0]).k


cdef object call_for_key(OpOverload self, int key, tuple args, dict kwargs):
    """Run one key's kernel: an alias key's own registration, or a run-time key's slot."""
    cdef Binding b
    cdef Operator o = self._handle
    cdef rt_kernel *kernel = kernel_for_key(o, key)
    cdef PyObject *result
    names = tuple(kwargs)
    values = args + tuple(kwargs.values())
    if bind(self.op, RT_TUPLE_ITEMS(<void *>values), len(args), NULL if not names else <PyObject *>names, 0, &b) < 0:
        raise_current()
    held = kernel_of_struct(kernel) if kernel.self != NULL else None
    result = kernel.fn(self.op, rt_bits_of_key(key) if key < K_StartOfAliasKeys else rt_effective_keyset(self.op, b.keys), b.args,
                       self.op.nargs, kernel.ctx)
    unbind(self.op, &b)
    return steal(finish(self.op, result))


cdef PyObject *overload_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    return call_operator((<OpOverload>self).op, args, PyVectorcall_NARGS(nargsf), kwnames)


cdef PyObject *overload_redispatch(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    if n < 1 or RT_TYPE(args[0]) != <PyTypeObject *>DispatchKeySet:
        set_error(TypeError, "redispatch() takes a DispatchKeySet and then the operator's arguments", (<OpOverload>self).op)
        return NULL
    return redispatch_operator((<OpOverload>self).op, (<DispatchKeySet>args[0]).bits, args + 1, n - 1, kwnames)


cdef PyMethodDef redispatch_def
redispatch_def.ml_name = b"redispatch"
redispatch_def.ml_meth = <void *>overload_redispatch
redispatch_def.ml_flags = RT_FASTCALL_KEYWORDS
redispatch_def.ml_doc = b"redispatch(keyset, *args, **kwargs)\n\nRun the kernel that a key set selects; thread-local state and masks do not apply."


cdef int ready_overload_type() except -1:
    cdef OpOverload probe = OpOverload.__new__(OpOverload)
    rt_vectorcall_type(<PyTypeObject *>OpOverload, <char *>&probe.vectorcall - <char *><void *>probe)
    rt_add_fastcall_method(<PyTypeObject *>OpOverload, &redispatch_def)
    return rt_forbid_new(<PyTypeObject *>OpOverload)

ready_overload_type()


cdef dict overload_objects = {}   # (qualified name, overload) -> OpOverload of the current definition


cdef OpOverload overload_of(rt_operator *op):
    """The one OpOverload of an operator, made at the first request."""
    cdef Operator o = operator_of(op)
    if op.handle != NULL:
        return <OpOverload>op.handle
    cdef OpOverload result = OpOverload.__new__(OpOverload)
    ns, _, name = o.name.partition("::")
    result.vectorcall = <void *>overload_vectorcall
    result.op = op
    result._handle = o
    result._overloadname = o.overload or "default"
    result.__name__ = f"{name}.{result._overloadname}"
    result._name = o.full_name()
    (<object>result).__dict__.update({"__module__": f"torch._ops.{ns}"})
    result._overloadpacket = packet_of(o.name)
    overload_objects[o.name, o.overload] = result
    op.handle = <PyObject *>result
    return result


cdef PyObject *make_handle(rt_operator *op) noexcept:
    """overload_of for C: a borrowed pointer (the registry keeps the object), or NULL with an exception set."""
    try:
        made = overload_of(op)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef int detach_handle(Operator o) except -1:
    """Forget an operator's OpOverload; whoever holds it keeps a working object that says that the definition is gone."""
    o.op.handle = NULL
    overload_objects.pop((o.name, o.overload), None)
    return 0
