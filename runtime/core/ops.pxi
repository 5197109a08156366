# The `ops` tree: `ops.<namespace>.<name>` (OpOverloadPacket) and `.<overload>` (OpOverload), built as it is asked for.
#
# Iterating over the tree, a namespace or a packet yields what was touched so far, as in PyTorch; `dir()` lists what exists.

cdef dict packets = {}    # qualified name -> OpOverloadPacket


cdef str selection_hint(str name):
    """Where a name of `aten` may be missing because the build was asked to leave it out."""
    return f"\n{left_out_text}" if rt_is_selective and name.startswith("aten") else ""


cdef class OpOverloadPacket:
    """All overloads of one operator name: ``ops.aten.add``.

    Calling it picks the first overload, in order of definition, whose schema takes the arguments.
    """
    cdef void *vectorcall
    cdef readonly str _qualified_op_name
    cdef readonly str __name__
    cdef dict __dict__
    cdef object __weakref__
    cdef dict made               # name -> OpOverload, of those that were asked for
    cdef rt_operator **cached    # the overloads in order of definition, as of `generation`
    cdef Py_ssize_t n_cached
    cdef long generation

    def __cinit__(self):
        self.made = {}

    def __dealloc__(self):
        free(self.cached)

    def explain(self, *args, **kwargs):
        """As `OpOverload.explain`, for the overload that takes the arguments."""
        from runtime.explanation import explain
        return explain(self, *args, **kwargs)

    cdef int refresh(self) except -1:
        """Look the overloads up again after definitions have changed."""
        cdef Py_ssize_t i
        names = definitions.get(self._qualified_op_name)
        if names is None:
            raise RuntimeError(f"{self._qualified_op_name} has no definition any more (the library that made it is gone)")
        free(self.cached)
        self.n_cached = 0
        self.generation = -1
        self.cached = <rt_operator **>malloc(len(names) * sizeof(rt_operator *))
        if self.cached == NULL:
            raise MemoryError()
        for i, overload in enumerate(names):
            self.cached[i] = &(<Operator>operators[self._qualified_op_name, overload]).op
        self.n_cached = len(names)
        self.generation = definitions_generation
        return 0

    def __init__(self):
        raise TypeError("OpOverloadPacket objects come from ops.<namespace>.<name>")

    def __getattribute__(self, str name):
        # Overloads first: this lookup stands in most calls of operators.
        cdef PyObject *found = c_dict_get(<PyObject *>self.made, <PyObject *>name)
        if likely(found != NULL):
            return <object>found
        return object.__getattribute__(self, name)

    def __getattr__(self, str name):
        if name.startswith("__"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        overload = "" if name == "default" else name
        operator = operators.get((self._qualified_op_name, overload))
        if operator is None or not (<Operator>operator).op.flags & RT_OPF_HAS_SCHEMA:
            ns = self._qualified_op_name.replace("::", ".")
            raise AttributeError(f"The underlying op of '{ns}' has no overload name '{name}'" + selection_hint(ns))
        found = overload_of(&(<Operator>operator).op)
        self.made[name] = found
        return found

    def overloads(self):
        """The names of all overloads, "default" for the empty one."""
        return [n or "default" for n in definitions.get(self._qualified_op_name, ())]

    @property
    def _overload_names(self):
        return list(definitions.get(self._qualified_op_name, ()))

    @property
    def _op(self):
        return self

    @property
    def op(self):
        return self

    def __iter__(self):
        return iter(list(self.made))

    def __dir__(self):
        return sorted({*object.__dir__(self), *self.overloads()})

    def __repr__(self):
        return f"<OpOverloadPacket(op='{self._qualified_op_name.replace('::', '.')}')>"

    def __str__(self):
        return self._qualified_op_name.replace("::", ".")

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    def __eq__(self, other):
        return self is other

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __reduce__(self):
        return packet_by_name, (self._qualified_op_name,)


def packet_by_name(str name):
    """The packet of ``"aten::add"``; what pickles of packets call."""
    if name not in definitions:
        raise AttributeError(f"there is no operator {name}")
    return packet_of(name)


cdef OpOverloadPacket packet_of(str name):
    cdef OpOverloadPacket p = packets.get(name)
    if p is None:
        p = OpOverloadPacket.__new__(OpOverloadPacket)
        p.vectorcall = <void *>packet_vectorcall
        ns, _, p.__name__ = name.partition("::")
        p._qualified_op_name = name
        vars(p)["__module__"] = f"torch._ops.{ns}"
        p.generation = -1
        packets[name] = p
    return p


cdef int refresh_packet(OpOverloadPacket p) noexcept:
    try:
        return p.refresh()
    except BaseException as e:
        set_current(e)
        return -1


cdef PyObject *packet_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf), i
    cdef PyObject *result
    cdef PyObject *held
    cdef rt_operator *op
    cdef Binding b
    cdef int status, how
    cdef long generation
    if unlikely((<OpOverloadPacket>self).generation != definitions_generation) and refresh_packet(<OpOverloadPacket>self) < 0:
        return NULL
    how = QUIET if (<OpOverloadPacket>self).n_cached > 1 else 0
    generation = definitions_generation
    for i in range((<OpOverloadPacket>self).n_cached):
        op = (<OpOverloadPacket>self).cached[i]
        # Conversions and the call may undefine the operator: nothing else may hold it.
        held = op.self
        RT_INC(held)
        status = bind(op, args, n, kwnames, how, &b)
        if likely(status > 0):
            if is_overridden(b.keys):
                result = override_call(self, args, n, kwnames)
                if result != NULL or c_err_occurred() != NULL:
                    unbind(op, &b)
                    RT_DEC(held)
                    return result
            result = rt_redispatch(op, rt_effective_keyset(op, b.keys), b.args, op.nargs)
            unbind(op, &b)
            result = finish(op, result)
            RT_DEC(held)
            return result
        RT_DEC(held)
        if unlikely(generation != definitions_generation):
            # Another thread defined or undefined operators meanwhile: what was found out may not be true any more.
            c_err_clear()
            return packet_vectorcall(self, args, nargsf, kwnames)
        if status < 0:
            return NULL
    result = override_call(self, args, n, kwnames)
    if result != NULL or c_err_occurred() != NULL:
        return result
    try:
        no_overload_matches((<OpOverloadPacket>self)._qualified_op_name, args, n, kwnames)
    except BaseException as e:
        set_current(e)
    return NULL


cdef object no_overload_matches(str name, PyObject *const *args, Py_ssize_t n, PyObject *kwnames):
    """Raise with every overload's own reason."""
    cdef Binding b
    cdef rt_operator *op
    reasons = []
    cdef Operator o
    for overload in list(definitions.get(name, ())):
        o = operators.get((name, overload))
        if o is None or not o.op.flags & RT_OPF_HAS_SCHEMA:
            continue  # undefined by another thread
        op = &o.op
        try:
            if bind(op, args, n, kwnames, 0, &b) < 0:
                raise_current()
            unbind(op, &b)
        except Exception as e:
            reasons.append(str(e))
    raise RuntimeError("Overloaded torch operator invoked from Python failed to match any schema:\n" + "\n\n".join(reasons) + "\n\n")


cdef int ready_packet_type() except -1:
    cdef OpOverloadPacket probe = OpOverloadPacket.__new__(OpOverloadPacket)
    rt_vectorcall_type(<PyTypeObject *>OpOverloadPacket, <char *>&probe.vectorcall - <char *><void *>probe)
    return rt_forbid_new(<PyTypeObject *>OpOverloadPacket)

ready_packet_type()


cdef class _Tree:
    """A level of the operator tree: attributes that were made stay in a dict, which is asked before anything else."""
    cdef dict made
    cdef readonly str __name__

    def __cinit__(self):
        self.made = {}

    def __init__(self):
        raise TypeError("the operator tree is `ops`")

    def __getattribute__(self, str name):
        cdef PyObject *found = c_dict_get(<PyObject *>self.made, <PyObject *>name)
        if likely(found != NULL):
            return <object>found
        return object.__getattribute__(self, name)

    def __setattr__(self, str name, value):
        self.made[name] = value

    def __delattr__(self, str name):
        if self.made.pop(name, None) is None:
            raise AttributeError(name)

    def __hash__(self):
        return <Py_ssize_t><void *>self >> 4

    def __eq__(self, other):
        return self is other

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self


cdef class _OpNamespace(_Tree):
    """The operators of one namespace; attributes are made at the first access."""

    def __getattr__(self, str name):
        qualified = f"{self.__name__}::{name}"
        if qualified not in definitions:
            raise AttributeError(f"'_OpNamespace' '{self.__name__}' object has no attribute '{name}'" + selection_hint(self.__name__))
        packet = packet_of(qualified)
        self.made[name] = packet
        return packet

    @property
    def name(self):
        """The namespace."""
        return self.__name__

    def __iter__(self):
        return iter([n for n, v in self.made.items() if isinstance(v, OpOverloadPacket)])

    def __dir__(self):
        prefix = self.__name__ + "::"
        return sorted({*self.made, *[n.removeprefix(prefix) for n in definitions if n.startswith(prefix)]})

    def __repr__(self):
        return f"<module 'torch.ops.{self.__name__}'>"

    def __reduce__(self):
        return getattr, (ops, self.__name__)


cdef class _Ops(_Tree):
    """The root of the operator tree."""

    def __getattr__(self, str name):
        cdef _OpNamespace namespace
        if name.startswith("__") and not any([n.startswith(name + "::") for n in definitions]):
            raise AttributeError(name)
        namespace = _OpNamespace.__new__(_OpNamespace)
        namespace.__name__ = name
        self.made[name] = namespace
        return namespace

    def __iter__(self):
        return iter([n for n, v in self.made.items() if isinstance(v, _OpNamespace)])

    def __dir__(self):
        return sorted({*self.made, *[n.partition("::")[0] for n in definitions]})

    def __repr__(self):
        return "<module 'torch.ops' from '_ops.py'>"

    def __reduce__(self):
        return "ops"


cdef _Ops make_ops():
    cdef _Ops root = _Ops.__new__(_Ops)
    root.__name__ = "torch.ops"
    return root

cdef _Ops ops_root = make_ops()
ops = ops_root


cdef int forget_packet(str name) except -1:
    """Drop the cached attributes of an operator whose definition went away."""
    ns, _, op = name.partition("::")
    namespace = ops_root.made.get(ns)
    if namespace is not None:
        (<_OpNamespace>namespace).made.pop(op, None)
    if name not in definitions:
        packets.pop(name, None)
    return 0


cdef int forget_overload(Operator o) except -1:
    cdef OpOverloadPacket p = packets.get(o.name)
    if p is not None:
        p.made.pop(o.overload or "default", None)
    return 0


cdef dict tags = {}


@cython.final
cdef class Tag:
    """A tag of operators: ``Tag.core``; tags compare by identity."""
    cdef readonly str name
    cdef readonly int value

    def __init__(self):
        raise TypeError("tags are attributes of Tag, such as Tag.core")

    def __repr__(self):
        return f"<Tag.{self.name}: {self.value}>"

    def __str__(self):
        return f"Tag.{self.name}"

    def __int__(self):
        return self.value

    def __hash__(self):
        return self.value

    def __reduce__(self):
        return tag_object, (self.name,)


def tag_object(str name):
    """The tag of a name; what pickles of tags call."""
    return tags[name]


cdef int make_tags() except -1:
    cdef int i
    cdef Tag tag
    for i in range(rt_num_tags):
        tag = Tag.__new__(Tag)
        tag.name = rt_tag_names[i].decode()
        tag.value = i
        tags[tag.name] = tag
        rt_type_set(<PyTypeObject *>Tag, tag.name, tag)
    return 0

make_tags()
