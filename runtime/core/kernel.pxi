# Kernels: what stands in an operator's table.
#
# A Kernel object wraps an `rt_kernel` (function, context) and owns what the function needs: a Python callable, or the object that
# keeps native code alive. Tables hold borrowed pointers to the `rt_kernel`; the registration owns the Kernel, and rt_redispatch holds
# it for the time of a call, so that a kernel may be deregistered while it runs.

@cython.final
cdef class Kernel:
    """A registered kernel.

    Attributes
    ----------
    callable : object
        The Python callable of a Python kernel, else None.
    debug : str
        Where the kernel was registered.
    """
    cdef rt_kernel k
    cdef readonly object callable
    cdef object keep
    cdef readonly str debug
    cdef readonly str signature
    cdef bint from_cpp

    def __init__(self):
        raise TypeError("Kernel objects are made by registration: Library.impl(), Library.fallback()")

    @property
    def is_fallthrough(self):
        """Whether calls skip this entry."""
        return (self.k.flags & RT_KERNEL_FALLTHROUGH) != 0

    @property
    def accepts_foreign(self):
        """Whether the kernel takes foreign arrays as they are."""
        return (self.k.flags & RT_KERNEL_FOREIGN) != 0

    def __repr__(self):
        return f"SafeKernelFunction(debug='{self.debug}')"


cdef Kernel new_kernel(rt_kernel_fn fn, void *ctx, object keep, str debug, uint32_t flags):
    """A kernel around a C function; `keep` is held as long as the kernel lives."""
    cdef Kernel kernel = Kernel.__new__(Kernel)
    kernel.k.fn = fn
    kernel.k.ctx = ctx
    kernel.k.self = <PyObject *>kernel
    kernel.k.flags = flags
    kernel.keep = keep
    kernel.debug = debug
    return kernel


cdef Kernel python_kernel(object fn, bint with_keyset, bint is_fallback, str debug):
    """A kernel that calls a Python callable, with the key set and (fallbacks) the operator before the arguments."""
    cdef Kernel kernel
    cdef rt_kernel_fn trampoline = python_trampoline
    if is_fallback:
        trampoline = python_fallback_keyset_trampoline if with_keyset else python_fallback_trampoline
    elif with_keyset:
        trampoline = python_keyset_trampoline
    kernel = new_kernel(trampoline, <void *>fn, fn, debug, RT_KERNEL_PYTHON)
    kernel.callable = fn
    return kernel


cdef public PyObject *rt_fallthrough_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    set_error(RuntimeError, "a fallthrough kernel was executed directly: fallthroughs are skipped by the operator's mask, so only a "
              "redispatch with a hand-made key set can come here", op)
    return NULL


cdef Kernel fallthrough_kernel_object(str debug):
    return new_kernel(rt_fallthrough_kernel, NULL, None, "fallthrough " + debug, RT_KERNEL_FALLTHROUGH)


def fallthrough_kernel(*args, **kwargs):
    """A sentinel: ``Library.impl(name, fallthrough_kernel, key)`` makes calls skip the key."""
    raise NotImplementedError("fallthrough_kernel() should never be called.")


cdef void set_error(object kind, str text, rt_operator *op) noexcept:
    """Set an exception that names the operator, for functions that return NULL or -1 afterwards."""
    try:
        if op != NULL:
            text = f"{operator_of(op).full_name()}: {text}"
        PyErr_SetObject(kind, text)
    except BaseException as e:
        set_current(e)


cdef extern from "Python.h":
    void PyErr_SetObject(object kind, object value) noexcept


# ---------------------------------------------------------------------------------------------- Python kernels
# The callee sees the arguments as PyTorch hands them over: positional arguments with trailing defaults dropped, keyword-only ones by
# keyword unless they equal their default, lists for `T[]`, and numbers for the wrapped tensors that stand for numbers.

cdef enum:
    PASS_KEYSET = 1
    PASS_OPERATOR = 2
    STACK_ARGS = 64


cdef PyObject *python_trampoline(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    return call_python(op, ks, args, n, <PyObject *>ctx, 0)


cdef PyObject *python_keyset_trampoline(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    return call_python(op, ks, args, n, <PyObject *>ctx, PASS_KEYSET)


cdef PyObject *python_fallback_trampoline(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    return call_python(op, ks, args, n, <PyObject *>ctx, PASS_OPERATOR)


cdef PyObject *python_fallback_keyset_trampoline(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n,
                                                 void *ctx) noexcept:
    return call_python(op, ks, args, n, <PyObject *>ctx, PASS_KEYSET | PASS_OPERATOR)


cdef inline bint is_default(rt_arg *spec, PyObject *value) noexcept:
    """Whether a value equals its argument's default, in type too (1 is not 1.0)."""
    if spec.dflt == NULL:
        return False
    if value == spec.dflt:
        return True
    if spec.kind == RT_ARG_TENSOR or value == c_None or spec.dflt == c_None or RT_TYPE(value) != RT_TYPE(spec.dflt):
        return False
    return same_value(value, spec.dflt)


cdef bint same_value(PyObject *a, PyObject *b) noexcept:
    """Typed equality of two canonical values of one type."""
    cdef Py_ssize_t i
    if RT_TYPE(a) == &c_tuple:
        if RT_SIZE(a) != RT_SIZE(b):
            return False
        for i in range(RT_SIZE(a)):
            if RT_TUPLE_ITEMS(a)[i] != RT_TUPLE_ITEMS(b)[i]:
                if RT_TYPE(RT_TUPLE_ITEMS(a)[i]) != RT_TYPE(RT_TUPLE_ITEMS(b)[i]):
                    return False
                if not same_value(RT_TUPLE_ITEMS(a)[i], RT_TUPLE_ITEMS(b)[i]):
                    return False
        return True
    cdef int r = c_compare(a, b, 2)
    if r < 0:
        c_err_clear()
        return False
    return r

cdef extern from "Python.h":
    int c_compare "PyObject_RichCompareBool"(PyObject *a, PyObject *b, int op) noexcept
    PyObject *c_sequence_list "PySequence_List"(PyObject *o) noexcept
    Py_ssize_t c_get_size "PyTuple_GET_SIZE"(PyObject *o) noexcept


cdef extern from "Python.h":
    PyTypeObject c_function "PyFunction_Type"
    int Py_EnterRecursiveCall(const char *where) noexcept
    void Py_LeaveRecursiveCall() noexcept


cdef inline PyObject *call_python(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, PyObject *fn, int prefix) noexcept:
    """Call a Python kernel with the arguments as Python code sees them; its result is checked and made canonical."""
    cdef PyObject *result
    if likely(RT_TYPE(fn) == &c_function):
        return call_python_function(op, ks, args, n, fn, prefix)
    # Nothing but Python frames counts the depth of calls: an operator may be its own kernel.
    if Py_EnterRecursiveCall(b" while calling a kernel"):
        return NULL
    result = call_python_function(op, ks, args, n, fn, prefix)
    Py_LeaveRecursiveCall()
    return result


cdef PyObject *call_python_function(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, PyObject *fn, int prefix) noexcept:
    cdef PyObject *stack[STACK_ARGS + 3]
    cdef PyObject **buffer = stack
    cdef PyObject *held[STACK_ARGS + 3]
    cdef Py_ssize_t npos = op.npos, i, nheld = 0, first = 0, nkw = 0
    cdef PyObject *names = NULL
    cdef PyObject *result = NULL
    cdef PyObject *value
    cdef PyTypeObject *tensor = rt_TensorType
    cdef bint plain = prefix == 0
    while npos > 0 and is_default(&op.args[npos - 1], args[npos - 1]):
        npos -= 1
    for i in range(op.npos, n):
        if not is_default(&op.args[i], args[i]):
            nkw += 1
    if plain and nkw == 0:
        for i in range(npos):
            if likely(RT_TYPE(args[i]) == tensor):
                if likely(not RT_TENSOR(args[i]).flags & RT_T_WRAPPED_NUMBER):
                    continue
                plain = False
                break
            if must_rebox(&op.args[i], args[i]):
                plain = False
                break
        if plain:
            return check_return(op, c_vectorcall(fn, args, npos, NULL), args)
    if n > STACK_ARGS:
        return call_python_many(op, ks, args, n, fn, prefix)
    if prefix & PASS_KEYSET:
        held[0] = <PyObject *>owned_keyset(ks)
        if held[0] == NULL:
            return NULL
        buffer[1] = held[0]
        nheld = 1
        first = 1
    if prefix & PASS_OPERATOR:
        value = op.handle if op.handle != NULL else make_handle(op)
        if value == NULL:
            release(held, nheld)
            return NULL
        RT_INC(value)
        held[nheld] = value
        nheld += 1
        buffer[1 + first] = value
        first += 1
    if nkw:
        names = c_tuple_new(nkw)
        if names == NULL:
            release(held, nheld)
            return NULL
        nkw = 0
    for i in range(n):
        if i >= npos and (i < op.npos or is_default(&op.args[i], args[i])):
            continue
        value = args[i]
        if must_rebox(&op.args[i], value):
            value = rebox(&op.args[i], value)
            if value == NULL:
                break
            held[nheld] = value
            nheld += 1
        if i >= op.npos:
            RT_INC(op.args[i].name)
            RT_TUPLE_ITEMS(names)[nkw] = op.args[i].name
            buffer[1 + first + npos + nkw] = value
            nkw += 1
        else:
            buffer[1 + first + i] = value
    else:
        result = c_vectorcall(fn, buffer + 1, (first + npos) | PY_VECTORCALL_ARGUMENTS_OFFSET, names)
    if names != NULL:
        RT_DEC(names)
    release(held, nheld)
    return check_return(op, result, args)


cdef inline void release(PyObject **held, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        RT_DEC(held[i])


cdef inline bint must_rebox(rt_arg *spec, PyObject *value) noexcept:
    """Whether Python code sees a value in another form: tuples as lists, wrapped numbers as numbers."""
    if spec.flags & RT_ARGF_LIST:
        return value != c_None
    return (spec.kind == RT_ARG_TENSOR and RT_TYPE(value) == rt_TensorType
            and (RT_TENSOR(value).flags & RT_T_WRAPPED_NUMBER) != 0)


cdef PyObject *rebox(rt_arg *spec, PyObject *value) noexcept:
    if spec.flags & RT_ARGF_LIST:
        return c_sequence_list(value)
    return number_of(value)


cdef PyObject *number_of(PyObject *tensor) noexcept:
    try:
        number = wrapped_number(<object>tensor)
        RT_INC(<void *>number)
        return <PyObject *>number
    except BaseException as e:
        set_current(e)
        return NULL


cdef object wrapped_number(object tensor):
    """The Python number that a wrapped-number tensor stands for (its memory is its own CPU memory)."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    cdef char *data = rt_data(t)
    if t.dtype == 11:
        return (<uint8_t *>data)[0] != 0
    if t.dtype == 4:
        return (<int64_t *>data)[0]
    if t.dtype == 7:
        return (<double *>data)[0]
    return complex((<double *>data)[0], (<double *>data)[1])


cdef void set_current(object e) noexcept:
    """Make an exception the current one again (in functions that return NULL)."""
    PyErr_SetObject(type(e), e)


cdef PyObject *owned_keyset(rt_keyset ks) noexcept:
    try:
        keyset = new_keyset(ks)
        RT_INC(<void *>keyset)
        return <PyObject *>keyset
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *call_python_many(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, PyObject *fn, int prefix) noexcept:
    """call_python for schemas with more arguments than the C stack's buffer holds."""
    cdef PyObject *positional
    cdef PyObject *keywords
    try:
        before = ()
        if prefix & PASS_KEYSET:
            before += (new_keyset(ks),)
        if prefix & PASS_OPERATOR:
            before += (overload_of(op),)
        if python_arguments(op, args, n, &positional, &keywords) < 0:
            return NULL
        result = (<object>fn)(*before, *<tuple>steal(positional), **<dict>steal(keywords))
        RT_INC(<void *>result)
        return check_return(op, <PyObject *>result, args)
    except BaseException as e:
        set_current(e)
        return NULL


cdef object python_value(rt_arg *spec, PyObject *value):
    """A canonical value as Python code sees it."""
    if must_rebox(spec, value):
        return list(<object>value) if spec.flags & RT_ARGF_LIST else wrapped_number(<object>value)
    return <object>value


cdef inline PyObject *check_return(rt_operator *op, PyObject *result, PyObject *const *args) noexcept:
    """The canonical form of what a Python kernel returned for its arguments (reference taken over), or NULL with an exception."""
    if result == NULL:
        return NULL
    if op.nrets == 1 and op.rets[0].kind == RT_ARG_TENSOR and not op.rets[0].flags & RT_ARGF_LIST and rt_is_tensor(result):
        return result
    if op.nrets == 0 and result == c_None:
        return result
    if op.nrets > 1 and is_canonical_tuple(op, result):
        return result
    return convert_return(op, result, args)


cdef inline PyObject *written_arguments(rt_operator *op, PyObject *result, PyObject *const *args) noexcept:
    """What a call returns whose handler returned `result`: an operator that returns an argument it writes returns that very object."""
    if likely(result == NULL or op.nrets == 0 or not op.rets[0].flags & RT_ARGF_WRITE):
        return result
    return swap_written(op, result, args)


cdef PyObject *swap_written(rt_operator *op, PyObject *result, PyObject *const *args) noexcept:
    cdef PyObject *found[64]
    cdef PyObject *given
    cdef int i, n = 0
    cdef uint32_t wanted = RT_ARGF_WRITE
    for i in range(op.nargs):
        if op.args[i].flags & RT_ARGF_OUT:
            wanted = RT_ARGF_OUT  # what else such an operator writes it does not return
    for i in range(op.nargs):
        if op.args[i].flags & wanted and op.args[i].kind == RT_ARG_TENSOR and n < 64:
            if op.args[i].flags & RT_ARGF_LIST or not rt_is_tensor(args[i]):
                return result
            found[n] = args[i]
            n += 1
    if n < op.nrets:
        return result
    if op.nrets == 1:
        RT_DEC(result)
        RT_INC(found[0])
        return found[0]
    given = c_tuple_new(op.nrets)
    if given != NULL:
        for i in range(op.nrets):
            RT_INC(found[i])
            RT_TUPLE_ITEMS(given)[i] = found[i]
    RT_DEC(result)
    return given


cdef inline bint is_canonical_tuple(rt_operator *op, PyObject *result) noexcept:
    cdef int i
    if RT_TYPE(result) != &c_tuple or RT_SIZE(result) != op.nrets:
        return False
    for i in range(op.nrets):
        if op.rets[i].kind != RT_ARG_TENSOR or op.rets[i].flags & RT_ARGF_LIST or not rt_is_tensor(RT_TUPLE_ITEMS(result)[i]):
            return False
    return True


cdef PyObject *convert_return(rt_operator *op, PyObject *result, PyObject *const *args) noexcept:
    try:
        value = canonical_return(op, <object>result, is_raw_call(op, args))
        RT_INC(<void *>value)
        RT_DEC(result)
        return <PyObject *>value
    except BaseException as e:
        RT_DEC(result)
        set_current(e)
        return NULL


cdef bint is_raw_call(rt_operator *op, PyObject *const *args) noexcept:
    """Whether a kernel got foreign arrays as they are; its results may then be arrays too."""
    cdef int i
    if op.flags & OPF_HAS_FOREIGN:
        for i in range(op.nargs):
            if op.args[i].kind == RT_ARG_TENSOR and not op.args[i].flags & RT_ARGF_LIST and args[i] != c_None:
                return not rt_is_tensor(args[i])
    return False


cdef object canonical_return(rt_operator *op, object result, bint raw):
    cdef int i
    if not op.flags & RT_OPF_HAS_SCHEMA:
        return result
    try:
        if op.nrets == 0:
            if result is not None:
                raise CastError(f"Expected to return None but got {short_repr(result)} (a {type(result).__name__})")
            return None
        if op.nrets == 1:
            return return_value(result, &op.rets[0], raw)
        if not isinstance(result, (tuple, list)):
            raise RuntimeError(f"Object of type '{type(result).__name__}' is not an instance of 'sequence'{returned_text(op, result)}")
        if len(result) != op.nrets:
            raise CastError(f"Unable to cast a sequence of length {len(result)} to {op.nrets} returns")
        return tuple([return_value(result[i], &op.rets[i], raw) for i in range(op.nrets)])
    except CastError as e:
        raise RuntimeError(f"{e}{returned_text(op, result)}") from None


cdef str returned_text(rt_operator *op, object result):
    """What a kernel returned and what its schema says, for errors only: it prints tensors."""
    return f"\nThe kernel of {operator_of(op).qualified_name()} returned {short_repr(result)}; its schema is {operator_of(op).schema_text()}"


cdef object return_value(object value, rt_arg *spec, bint raw):
    if value is None and spec.kind == RT_ARG_TENSOR and not spec.flags & RT_ARGF_LIST:
        # An undefined tensor: PyTorch lets None through where a Tensor is declared.
        return None
    if raw and spec.kind == RT_ARG_TENSOR and not spec.flags & RT_ARGF_LIST and foreign_entry(type(value)) is not None:
        return value
    return convert_value(value, spec, RETURNING)


cdef str short_repr(object value):
    try:
        text = repr(value)
    except Exception:
        text = object.__repr__(value)
    return text if len(text) <= 500 else text[:500] + "..."
