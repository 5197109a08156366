# Public functions and Tensor methods: `runtime.add`, `Tensor.add`. A Function tries its signatures in the order in which PyTorch's
# argument parser does; a Method is the same thing in a type's dict, found by the interpreter without making a bound method.
#
# Beyond the operators' schemas they know: `out=` among the keywords, sizes given as separate numbers (`view(2, 2)`), NumPy's names
# for arguments (`axis`, `keepdims`), and for factories `requires_grad` and the explicit device.

cdef object default_device = make_device(0, -1)
cdef object out_object = intern_name("out")
cdef PyObject *out_name = <PyObject *>out_object


cdef struct Signature:
    rt_operator *op
    rt_operator *out      # the out= sibling, or NULL
    int n_outs            # its outputs
    int varargs           # index of the integer list that may be given as separate numbers, or -1
    int device            # indices of the tensor options of a factory without tensor arguments, or -1
    int pin_memory


cdef class Function:
    """A public function over the overloads of one operator name."""
    cdef void *vectorcall
    cdef Signature *signatures
    cdef int n
    cdef bint is_method
    cdef bint is_factory
    cdef readonly str __name__
    cdef dict __dict__

    def __init__(self):
        raise TypeError("functions are generated from kernels/native_functions.yaml")

    def __dealloc__(self):
        free(self.signatures)

    cdef int special_keywords(self, PyObject *kwnames) noexcept:
        """0 for keywords that the schemas know; 1 if `out` is among them; 2 for others that need function_slow."""
        cdef Py_ssize_t i
        cdef int special = 0
        for i in range(RT_SIZE(kwnames)):
            if RT_TUPLE_ITEMS(kwnames)[i] == out_name:
                special = 1
            elif self.is_factory and rt_name_is(RT_TUPLE_ITEMS(kwnames)[i], b"requires_grad"):
                return 2
        return special

    @property
    def __doc__(self):
        lines = [operator_of(self.signatures[i].op).schema_text() for i in range(self.n)]
        return "\n".join([f"{self.__name__}: one of the overloads", "", *lines])

    @property
    def __text_signature__(self):
        return None

    @property
    def overloads(self):
        """The OpOverloads that are tried, in order."""
        return [overload_of(self.signatures[i].op) for i in range(self.n)]

    def __repr__(self):
        if self.is_method:
            return f"<method '{self.__name__}' of 'torch._C.TensorBase' objects>"
        return f"<built-in method {self.__name__} of runtime>"

    def __reduce__(self):
        return vars(self)["__qualname__"]


cdef class Method(Function):
    """A Function as a method of Tensor."""

    @property
    def __objclass__(self):
        return Tensor


cdef PyObject *method_get(PyObject *self, PyObject *obj, PyObject *cls) noexcept:
    if obj == NULL or obj == c_None:
        RT_INC(self)
        return self
    return PyMethod_New_(self, obj)

cdef extern from "Python.h":
    """
    static void rt_method_type(PyTypeObject *type, void *get)
    {
        type->tp_descr_get = (descrgetfunc)get;
        type->tp_flags |= Py_TPFLAGS_METHOD_DESCRIPTOR;
        PyType_Modified(type);
    }
    """
    PyObject *PyMethod_New_ "PyMethod_New"(PyObject *f, PyObject *self) noexcept
    void rt_method_type(PyTypeObject *type, void *get)


cdef PyObject *function_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef Function f = <Function>self
    cdef Py_ssize_t n = PyVectorcall_NARGS(nargsf)
    cdef Binding b
    cdef Signature *s
    cdef Signature out
    cdef PyObject *result
    cdef rt_operator *op
    cdef int i, status, special = 0
    cdef bint only_out = kwnames != NULL and RT_SIZE(kwnames) == 1 and RT_TUPLE_ITEMS(kwnames)[0] == out_name
    if kwnames != NULL:
        special = 1 if only_out else f.special_keywords(kwnames)
    if special <= 1:
        for i in range(f.n):
            s = &f.signatures[i]
            if n > s.op.npos and s.varargs < 0 or special and (s.out == NULL or s.n_outs != 1):
                continue
            op = s.op
            if only_out and s.varargs < 0 and s.out.written >= 0:
                op = s.out
                status = bind_out(op, args, n, &b)
            else:
                if special:
                    # One output, given by keyword: the out= schema takes the call as it is.
                    out = s[0]
                    out.op = op = s.out
                    out.device = out.pin_memory = -1
                    s = &out
                status = bind_signature(s, args, n, kwnames, QUIET | PYARG, &b)
            if status < 0:
                return NULL
            if status:
                if is_overridden(b.keys):
                    result = override_call(self, args, n, kwnames)
                    if result != NULL or c_err_occurred() != NULL:
                        unbind(op, &b)
                        return result
                result = run_signature(s, &b) if op == s.op else run_bound(op, &b)
                if unlikely(op.nrets == 0) and n and result == c_None and is_list_in_place(op):
                    # As PyTorch's functions: what was changed, though the operator returns nothing.
                    RT_DEC(result)
                    result = args[0]
                    RT_INC(result)
                return result
    result = override_call(self, args, n, kwnames)
    if result != NULL or c_err_occurred() != NULL:
        return result
    try:
        return function_slow(f, args, n, kwnames)
    except BaseException as e:
        set_current(e)
        return NULL


cdef inline int bind_out(rt_operator *op, PyObject *const *args, Py_ssize_t n, Binding *b) noexcept:
    """Bind a call whose only keyword is `out` to a schema with one output; answers as `bind`."""
    cdef Py_ssize_t i
    if n >= op.nargs or n > op.npos or op.nargs > BUFFER:
        return 0
    b.converted = 0
    b.heap = NULL
    b.keys = 0
    b.foreign = False
    b.args = b.buffer
    for i in range(n):
        b.buffer[i] = args[i]
    for i in range(n, op.nargs):
        b.buffer[i] = args[n] if i == op.written else op.args[i].dflt
        if unlikely(b.buffer[i] == NULL):
            return 0
    return make_canonical(op, QUIET | PYARG, b)


cdef inline int bind_signature(Signature *s, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int how, Binding *b) noexcept:
    if s.varargs >= 0 and n > s.varargs and is_separate(args[s.varargs]) and not (n - s.varargs == 1 and s.op.args[s.varargs].size):
        return bind_varargs(s, args, n, kwnames, how, b)
    return bind(s.op, args, n, kwnames, how, b)


cdef inline bint is_separate(PyObject *value) noexcept:
    """Whether a size is one of several given separately, not a sequence of them."""
    return RT_TYPE(value) == &c_long or (RT_TYPE(value) != &c_tuple and RT_TYPE(value) != &c_list and stands_for_int(value))


cdef bint stands_for_int(PyObject *value) noexcept:
    """Whether an object other than an int passes as one: NumPy's integers, tensors with one integer."""
    cdef int kind
    if rt_is_tensor(value):
        kind = dtype_kind(RT_TENSOR(value).dtype)
        return RT_TENSOR(value).ndim == 0 and kind == KIND_INT
    return rt_has_index(value) and RT_TYPE(value) != &c_bool and not rt_is_sequence(value)

cdef extern from "Python.h":
    bint rt_has_index "PyIndex_Check"(PyObject *o) noexcept
    bint rt_is_sequence "PySequence_Check"(PyObject *o) noexcept


cdef int bind_varargs(Signature *s, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int how, Binding *b) noexcept:
    """Pack the separate numbers of `view(2, 2)` into the tuple that the schema wants."""
    cdef PyObject *packed[BUFFER]
    cdef PyObject *sizes
    cdef Py_ssize_t i, first = s.varargs, nk = 0 if kwnames == NULL else RT_SIZE(kwnames)
    cdef int status
    cdef bint plain = first == 1 and RT_TYPE(args[0]) == rt_TensorType
    if first + 1 + nk > BUFFER or s.op.nargs > BUFFER:
        return 0
    sizes = c_tuple_new(n - first)
    if sizes == NULL:
        return -1
    for i in range(first, n):
        plain &= RT_TYPE(args[i]) == &c_long and RT_LONG_IS_SMALL(args[i])
        RT_INC(args[i])
        RT_TUPLE_ITEMS(sizes)[i - first] = args[i]
    b.heap = NULL
    b.keys = 0
    b.foreign = False
    if nk == 0:
        b.args = b.buffer
        for i in range(first):
            b.buffer[i] = args[i]
        b.buffer[first] = sizes
        for i in range(first + 1, s.op.nargs):
            b.buffer[i] = s.op.args[i].dflt
            if b.buffer[i] == NULL:
                RT_DEC(sizes)
                return 0
        if likely(plain):
            b.converted = 1ULL << first
            b.keys = RT_TENSOR(args[0]).keys
            return 1
    else:
        for i in range(first):
            packed[i] = args[i]
        packed[first] = sizes
        for i in range(nk):
            packed[first + 1 + i] = args[n + i]
        status = arrange(s.op, packed, first + 1, kwnames, how, b)
        if status <= 0:
            RT_DEC(sizes)
            return status
    b.converted = 1ULL << first   # the tuple is released with the Binding
    return make_canonical(s.op, how, b)


cdef inline PyObject *run_signature(Signature *s, Binding *b) noexcept:
    cdef rt_operator *op = s.op
    if s.device >= 0:
        if b.args != b.buffer and b.heap == NULL:
            memcpy(b.buffer, b.args, op.nargs * sizeof(PyObject *))
            b.args = b.buffer
        # Factories pass the device and pin_memory on explicitly, as PyTorch's do.
        if b.heap == NULL:
            if b.args[s.device] == c_None:
                b.args[s.device] = <PyObject *>default_device
            if b.args[s.pin_memory] == c_None:
                b.args[s.pin_memory] = c_False
    elif s.pin_memory >= 0 and b.heap == NULL:
        if b.args != b.buffer:
            memcpy(b.buffer, b.args, op.nargs * sizeof(PyObject *))
            b.args = b.buffer
        if b.args[s.pin_memory] == c_None:
            b.args[s.pin_memory] = c_False
    return run_bound(op, b)


cdef inline PyObject *run_bound(rt_operator *op, Binding *b) noexcept:
    cdef PyObject *result = rt_redispatch(op, rt_effective_keyset(op, b.keys), b.args, op.nargs)
    if b.converted or b.heap != NULL:
        unbind(op, b)
    if unlikely(op.nrets > 1) and result != NULL:
        return named_result(op, result)
    return result


cdef bint is_list_in_place(rt_operator *op) noexcept:
    name = operator_of(op).name
    return name.startswith("aten::_foreach_") and name.endswith("_")


cdef dict return_types = {}   # (qualified name, "_out" or "", returns) -> named tuple type, or None


cdef PyObject *named_result(rt_operator *op, PyObject *result) noexcept:
    """Several results as the named tuple of the operator, where its returns have names."""
    try:
        value = <object>result
        RT_DEC(result)
        name = operator_of(op).name
        suffix = "_out" if op.flags & RT_OPF_MUTABLE and op.args[op.nargs - 1].flags & RT_ARGF_OUT else ""
        kind = return_types.get((name, suffix, op.nrets), False)
        if kind is False:
            names = [<object>op.rets[i].name for i in range(op.nrets)]
            kind = None
            if all(names):
                from runtime.return_types import make_return_type
                kind = make_return_type(function_name(operator_of(op)).rstrip("_") + suffix, names)
            return_types[name, suffix, op.nrets] = kind
        if kind is not None:
            value = kind(value)
        RT_INC(<void *>value)
        return <PyObject *>value
    except BaseException as e:
        set_current(e)
        return NULL


numpy_names = {"input": "self", "axis": "dim", "axes": "dim", "keepdims": "keepdim", "x": "self", "a": "self", "x1": "self", "x2": "other"}


cdef extern from *:
    """
    static int rt_name_is(PyObject *name, const char *text) { return PyUnicode_CompareWithASCIIString(name, text) == 0; }
    """
    bint rt_name_is(PyObject *name, const char *text) noexcept


cdef PyObject *function_slow(Function f, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) except? NULL:
    """Special keywords, NumPy's argument names, and the error where no signature fits."""
    cdef dict keywords = {}
    cdef Py_ssize_t i
    cdef int k, status
    cdef Binding b
    cdef Signature s
    cdef PyObject *result
    if kwnames != NULL:
        for i in range(RT_SIZE(kwnames)):
            keywords[<object>RT_TUPLE_ITEMS(kwnames)[i]] = <object>args[n + i]
    cdef tuple given = tuple([<object>args[i] for i in range(n)])
    requires_grad = keywords.pop("requires_grad", None) if f.is_factory else None
    outs = keywords.pop("out", None)
    for k in range(f.n):
        s = f.signatures[k]
        declared = [<object>s.op.args[i].name for i in range(s.op.nargs)]
        attempt = {}
        for name, value in keywords.items():
            if name not in declared and numpy_names.get(name) in declared:
                name = numpy_names[name]
            attempt[name] = value
        if "out" in declared and outs is not None:
            attempt["out"] = outs
        elif outs is not None:
            if s.out == NULL:
                continue
            s.op = s.out
            s.device = s.pin_memory = -1
            written = [<object>s.op.args[i].name for i in range(s.op.nargs) if s.op.args[i].flags & RT_ARGF_OUT]
            values = (outs,) if len(written) == 1 else tuple(outs) if isinstance(outs, (tuple, list)) else ()
            if len(values) != len(written):
                continue
            attempt.update(zip(written, values))
            # The out= schema of a factory has no tensor options: they must agree with the output.
            known = [<object>s.op.args[i].name for i in range(s.op.nargs)]
            options = {o: attempt.pop(o) for o in ("dtype", "layout", "device", "pin_memory") if o in attempt and o in declared and o not in known}
        names = tuple(attempt)
        flat = given + tuple(attempt.values())
        status = bind_signature(&s, RT_TUPLE_ITEMS(<void *>flat), n, <PyObject *>names if names else NULL, QUIET | PYARG, &b)
        if status < 0:
            raise_current()
        if status:
            if outs is not None and s.op.flags & RT_OPF_MUTABLE:
                try:
                    check_options(options, values[0])
                except BaseException:
                    unbind(s.op, &b)
                    raise
            result = run_signature(&s, &b)
            if result != NULL and requires_grad:
                tensor = steal(result)
                if not has_derivative_dtype(RT_TENSOR(<void *>tensor)):
                    raise RuntimeError("Only Tensors of floating point and complex dtype can require gradients")
                tensor.requires_grad_(True)
                RT_INC(<void *>tensor)
                return <PyObject *>tensor
            if result == NULL:
                raise_current()
            return result
    if outs is not None:
        keywords["out"] = outs
    raise_no_signature(f, given, keywords)


cdef int check_options(dict options, out) except -1:
    """Tensor options given beside an out= argument say what it is already."""
    for option, value in options.items():
        if value is None or option == "pin_memory":
            continue
        if option == "device":
            given, own = device(value).type, out.device.type
            option = "device type"
        else:
            given, own = value, getattr(out, option)
            if option == "dtype":
                given, own = scalar_type_name((<RtDtype *><void *>given).code), scalar_type_name((<RtDtype *><void *>own).code)
        if given != own:
            raise RuntimeError(f"{option} {given} does not match {option} of out parameter ({own})")
    return 0


cdef int fill_signature(Signature *s, int index, int out, bint method) except -1:
    cdef rt_operator *op = rt_builtin_ops[index]
    cdef int i, first = 1 if method else 0
    s.op = op
    s.out = rt_builtin_ops[out] if out >= 0 else NULL
    s.n_outs = 0
    if s.out != NULL:
        s.n_outs = len([i for i in range(s.out.nargs) if s.out.args[i].flags & RT_ARGF_OUT])
    s.varargs = -1
    s.device = -1
    s.pin_memory = -1
    if op.npos - first == 1 and op.args[first].kind == RT_ARG_INT and op.args[first].flags & RT_ARGF_LIST:
        s.varargs = first
    tensors = [i for i in range(op.nargs) if op.args[i].kind == RT_ARG_TENSOR]
    for i in range(op.nargs):
        if op.args[i].kind == RT_ARG_DEVICE and not tensors:
            s.device = i
        if rt_name_is(op.args[i].name, b"pin_memory"):
            s.pin_memory = i
    if s.pin_memory < 0:
        s.device = -1
    return 0


cdef Function make_function(const rt_static_function *source, bint method):
    cdef Function f = Method.__new__(Method) if method else Function.__new__(Function)
    cdef int i
    f.vectorcall = <void *>function_vectorcall
    f.is_method = method
    f.signatures = <Signature *>calloc(source.nops, sizeof(Signature))
    if f.signatures == NULL:
        raise MemoryError()
    f.n = source.nops
    for i in range(source.nops):
        fill_signature(&f.signatures[i], source.ops[i], source.outs[i], method)
        if f.signatures[i].pin_memory >= 0:
            f.is_factory = True
    f.__name__ = source.name.decode()
    module = source.module.decode()
    vars(f).update(__module__="runtime" + ("." + module if module else ""),
                   __qualname__=f"Tensor.{f.__name__}" if method else f.__name__)
    return f


cdef int ready_function_types() except -1:
    cdef Function probe = Function.__new__(Function)
    cdef Py_ssize_t offset = <char *>&probe.vectorcall - <char *><void *>probe
    rt_vectorcall_type(<PyTypeObject *>Function, offset)
    rt_vectorcall_type(<PyTypeObject *>Method, offset)
    rt_method_type(<PyTypeObject *>Method, <void *>method_get)
    rt_forbid_new(<PyTypeObject *>Method)
    return rt_forbid_new(<PyTypeObject *>Function)

ready_function_types()

functions = {}   # "module.name" or "name" -> Function


cdef int make_functions() except -1:
    """The functions of the modules and the methods of Tensor, from the generated list."""
    cdef int i
    cdef const rt_static_function *source
    for i in range(rt_num_static_functions):
        source = &rt_static_functions[i]
        module = source.module.decode()
        name = source.name.decode()
        if source.flags & RT_FN_FUNCTION:
            functions[f"{module}.{name}" if module else name] = make_function(source, False)
        if source.flags & RT_FN_METHOD:
            rt_type_set(rt_TensorType, name, make_function(source, True))
    return 0

make_functions()


@cython.binding(True)
def __rdiv__(self, other):
    """``other / self``, under Python 2's name; as in PyTorch a plain function, for whatever has a reciprocal."""
    return self.reciprocal() * other


rt_type_set(rt_TensorType, "__rdiv__", __rdiv__)


def functions_of(str module):
    """The functions of one of PyTorch's function modules (`linalg`, `nn`, ...), by their names there.

    Operators of a module carry its name as a prefix: `linalg_qr` is `linalg.qr`. Those of `nn` have none.
    """
    found = {}
    for name, function in functions.items():
        owner, _, base = name.partition(".")
        if base and owner == module:
            # In-place operators' and private ones' prefix: `_linalg_det` belongs to no module.
            found[base.removeprefix(module + "_")] = function
    return found
