# Custom operators: what runs in every call of them. runtime/custom_ops.py makes them of these parts.
#
# CustomOp, the base of CustomOpDef, is called as its OpOverload is. CustomKernel calls the user's function and checks what it promises
# about memory: its results share none with the arguments or each other, unless the schema says otherwise. The kernels at the end stand
# at Autograd and ADInplaceOrView.

cdef class CustomOp:
    """What calls a custom operator; `runtime.library.CustomOpDef` says what else it can do."""
    cdef void *vectorcall
    cdef readonly OpOverload _opoverload
    cdef dict __dict__
    cdef object __weakref__

    def __cinit__(self):
        self.vectorcall = <void *>custom_op_vectorcall

    def __call__(self, *args, **kwargs):
        return self._opoverload(*args, **kwargs)

    def _stand_for(self, OpOverload op not None):
        """Name the operator; once and for all, since calls do not hold it."""
        if self._opoverload is not None:
            raise RuntimeError(f"{self!r} is an operator already")
        self._opoverload = op


cdef PyObject *custom_op_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept:
    cdef OpOverload op = (<CustomOp>self)._opoverload
    if unlikely(<PyObject *>op == c_None):
        set_error(RuntimeError, "the custom operator has no schema yet", NULL)
        return NULL
    return call_operator(op.op, args, PyVectorcall_NARGS(nargsf), kwnames)


cdef int ready_custom_op_type() except -1:
    cdef CustomOp probe = CustomOp.__new__(CustomOp)
    rt_vectorcall_type(<PyTypeObject *>CustomOp, <char *>&probe.vectorcall - <char *><void *>probe)
    return 0

ready_custom_op_type()


def _call_as_operator(type cls not None):
    """Let calls of a subclass's instances take the base's short path: Python classes do not inherit it by themselves.

    Parameters
    ----------
    cls : type
        A subclass of CustomOp without a ``__call__`` of its own.
    """
    if not issubclass(cls, CustomOp) or cls.__call__ is not CustomOp.__call__:
        raise TypeError(f"{cls.__name__} is called in its own way")
    cdef CustomOp probe = CustomOp.__new__(CustomOp)
    rt_vectorcall_type(<PyTypeObject *>cls, <char *>&probe.vectorcall - <char *><void *>probe)


# ------------------------------------------------------------------------------------------------------------ kernels

cdef enum Promise:
    FRESH = 0            # no result shares memory with an argument or another result
    RETURNS_FIRST = 1    # the result is the first argument (Tag.inplace)
    RETURNS_WRITTEN = 2  # the results are the written arguments (Tag.out)
    UNCHECKED = 3        # the schema declares a view


@cython.final
cdef class CustomKernel:
    """A custom operator's kernel for one device type: a function, what runs in its place while it is disabled, and a check.

    Parameters
    ----------
    name : str
        The operator's name in errors.
    promise : {"fresh", "returns first", "returns written", "unchecked"}
        What results are, by the schema.
    function : callable
        Runs in calls.
    default : callable
        Runs while `enabled` is false.
    """
    cdef str name
    cdef int promise
    cdef public object function
    cdef readonly object default
    cdef public bint enabled

    def __init__(self, str name not None, str promise not None, function, default):
        self.name = name
        self.promise = ("fresh", "returns first", "returns written", "unchecked").index(promise)
        self.function = function
        self.default = default
        self.enabled = True


cdef Kernel custom_kernel_object(CustomKernel kernel, str debug, uint32_t flags):
    # The place of the user's function says more than that of the call in runtime/custom_ops.py.
    code = getattr(kernel.function, "__code__", None)
    if code is not None:
        debug = f"registered at {code.co_filename}:{code.co_firstlineno}"
    return new_kernel(custom_kernel, <void *>kernel, kernel, debug, flags)


cdef PyObject *custom_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    cdef CustomKernel kernel = <CustomKernel>ctx
    cdef object function = kernel.function if likely(kernel.enabled) else kernel.default
    cdef PyObject *result = call_python(op, ks, args, n, <PyObject *>function, 0)
    if result == NULL or kernel.promise == UNCHECKED:
        return result
    if kernel.promise == FRESH:
        if likely(not shares_memory(op, args, n, result)):
            return result
        broken_promise(kernel, function, "The output of this custom operator (1) must not also be an input to this custom operator and (2) may "
                       "not alias any inputs to this custom operator or other returns. The most common way to trigger this error is if we "
                       "have y = custom_op(x) and y and x are the same Tensor. Please instead return a clone of the offending output "
                       "tensor(s) (e.g. return x.clone()) or refactor the custom operator to not return y.")
    elif kernel.promise == RETURNS_FIRST:
        if n > 0 and result == args[0]:
            return result
        broken_promise(kernel, function, "An operator tagged with torch.Tag.inplace must return its first argument.")
    else:
        if returns_written(op, args, n, result):
            return result
        broken_promise(kernel, function, "An operator tagged with torch.Tag.out must return its mutable keyword-only arguments.")
    RT_DEC(result)
    return NULL


cdef void broken_promise(CustomKernel kernel, object function, str text) noexcept:
    try:
        from inspect import getmodule
        raise RuntimeError(f"{kernel.name} (with implementation in {getmodule(function)}): {text}")
    except BaseException as e:
        set_current(e)


cdef bint returns_written(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *result) noexcept:
    """Whether the results are the written arguments, in their order."""
    cdef Py_ssize_t i, found = 0
    cdef bint one = op.nrets == 1
    if not one and (RT_TYPE(result) != &c_tuple or RT_SIZE(result) != op.nrets):
        return False
    for i in range(n):
        if op.args[i].flags & RT_ARGF_WRITE:
            if found == op.nrets or args[i] != (result if one else RT_TUPLE_ITEMS(result)[found]):
                return False
            found += 1
    return found == op.nrets


cdef enum:
    STORAGES = 32   # of results that are compared one by one


cdef bint shares_memory(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *result) noexcept:
    """Whether some result has the storage of an argument or of another result."""
    cdef rt_storage *storages[STORAGES]
    cdef int found = collect(result, storages, 0)
    cdef Py_ssize_t i
    if unlikely(found < 0):
        return found == SEEN or many_share_memory(op, args, n, result)
    if found == 0:
        return False
    for i in range(n):
        if op.args[i].kind == RT_ARG_TENSOR and holds_one(args[i], storages, found):
            return True
    return False

cdef enum:
    SEEN = -1        # two results have one storage
    TOO_MANY = -2


cdef int collect(PyObject *value, rt_storage **storages, int found) noexcept:
    """Add the storages of a result's tensors: their number, SEEN or TOO_MANY."""
    cdef rt_storage *storage
    cdef Py_ssize_t i
    if rt_is_tensor(value):
        storage = RT_TENSOR(value).storage
        if storage == NULL:
            return found
        for i in range(found):
            if storages[i] == storage:
                return SEEN
        if found == STORAGES:
            return TOO_MANY
        storages[found] = storage
        return found + 1
    if RT_TYPE(value) == &c_tuple:
        for i in range(RT_SIZE(value)):
            found = collect(RT_TUPLE_ITEMS(value)[i], storages, found)
            if found < 0:
                return found
    return found


cdef bint holds_one(PyObject *value, rt_storage **storages, int found) noexcept:
    """Whether an argument is, or holds, a tensor on one of some storages."""
    cdef Py_ssize_t i
    if rt_is_tensor(value):
        for i in range(found):
            if RT_TENSOR(value).storage == storages[i]:
                return True
    elif RT_TYPE(value) == &c_tuple:
        for i in range(RT_SIZE(value)):
            if holds_one(RT_TUPLE_ITEMS(value)[i], storages, found):
                return True
    return False


cdef bint many_share_memory(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *result) noexcept:
    """`shares_memory` for long lists; out of memory for the set counts as sharing."""
    cdef Py_ssize_t i
    try:
        seen = set()
        for i in range(n):
            if op.args[i].kind == RT_ARG_TENSOR:
                seen.update(storage_numbers(<object>args[i], []))
        for number in storage_numbers(<object>result, []):
            if number in seen:
                return True
            seen.add(number)
        return False
    except MemoryError:
        return True


cdef list storage_numbers(object value, list into):
    """The addresses of the storages of a value's tensors."""
    if rt_is_tensor(<PyObject *>value):
        if RT_TENSOR(<PyObject *>value).storage != NULL:
            into.append(<uintptr_t>RT_TENSOR(<PyObject *>value).storage)
    elif isinstance(value, tuple):
        for item in value:
            storage_numbers(item, into)
    return into


cdef bint is_at_the_end(rt_operator *op, rt_keyset ks, rt_keyset rest) noexcept:
    """Whether a kernel that calls on stands where nothing is left to call: it would call itself."""
    if likely(ks != rest):
        return False
    set_error(RuntimeError, "this kernel belongs to a key above the backends'", op)
    return True


cdef PyObject *custom_autograd_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Record a call by the formula of the operator, if an argument needs a gradient; what its function does is not recorded."""
    cdef rt_keyset saved = rt_tls_state.excluded, rest = ks & RT_FULL_AFTER(K_AutogradOther)
    cdef PyObject *result
    if is_at_the_end(op, ks, rest):
        return NULL
    if (not rt_tls_state.no_grad and any_needs_grad(op, args, n)
            or unlikely(forward_level >= 0) and not rt_tls_state.no_forward_grad and any_has_tangent(op, args, n)):
        if formula_recorder is None and load_custom_autograd() < 0:
            return NULL
        return call_python(op, ks, args, n, <PyObject *>formula_recorder, PASS_KEYSET | PASS_OPERATOR)
    rt_tls_state.excluded = saved | autograd_bits
    result = rt_redispatch(op, rest, args, n)
    rt_tls_state.excluded = saved
    return result


cdef object formula_recorder = None   # function(keyset, op, *args, **kwargs), set by runtime/custom_autograd.py


def _set_formula_recorder(function):
    """Name the function that records calls of custom operators with an argument that needs a gradient."""
    global formula_recorder
    formula_recorder = function


cdef PyObject *custom_mutation_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Count the write before it happens; tensors that the function itself writes with operators are counted again, as in PyTorch."""
    cdef rt_keyset rest = ks & RT_FULL_AFTER(K_ADInplaceOrView)
    if is_at_the_end(op, ks, rest):
        return NULL
    if unlikely(writes_readonly(op, args, n)):
        set_error(RuntimeError, "an argument is written, but its memory is read-only: it belongs to an array or buffer that may not be "
                  "changed. Write to a clone.", op)
        return NULL
    bump_all(op, args, n)
    return rt_redispatch(op, rest, args, n)


cdef PyObject *custom_view_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Make results views of the declared base, which must not be a result itself."""
    cdef PyObject *result
    cdef Py_ssize_t i
    if is_at_the_end(op, ks, ks & RT_FULL_AFTER(K_ADInplaceOrView)):
        return NULL
    result = rt_adview_kernel(op, ks, args, n, ctx)
    if result == NULL:
        return NULL
    for i in range(n):
        if op.args[i].flags & RT_ARGF_ALIAS and args[i] == result:
            RT_DEC(result)
            set_error(RuntimeError, "View operation returned a tensor that is the same as the input base tensor.  This is no longer allowed; you "
                      "must explicitly create a new tensor (e.g., using .detach()). As a user, you could have made a mistake implementing "
                      "__torch_dispatch__ or a Python operator decomposition or meta registration; if that's not the case, please report a "
                      "bug to PyTorch or the backend you are using.", NULL)
            return NULL
    return result


# What a custom operator has at keys above its own kernels.
_custom_autograd = _FunctionPointer(<uintptr_t>custom_autograd_kernel)
_custom_mutation = _FunctionPointer(<uintptr_t>custom_mutation_kernel)
_custom_view = _FunctionPointer(<uintptr_t>custom_view_kernel)


# ------------------------------------------------------------------------------------------------- kernels as objects

@cython.final
cdef class _SafeKernelFunction:
    """A kernel that stood at one of an operator's keys; it can be called even after it was replaced or taken back.

    Attributes
    ----------
    op_handle : Operator
        The operator.
    kernel : Kernel
        The kernel.
    """
    cdef readonly Operator op_handle
    cdef readonly Kernel kernel

    def __init__(self):
        raise TypeError("_SafeKernelFunction objects come from library.get_kernel()")

    def call_boxed(self, DispatchKeySet keyset not None, /, *args, **kwargs):
        """Run the kernel with a key set and the operator's arguments."""
        cdef Binding b
        cdef PyObject *result
        cdef rt_operator *op = &self.op_handle.op
        cdef Kernel kernel = self.kernel
        if not op.flags & RT_OPF_HAS_SCHEMA:
            raise RuntimeError(f"the operator {self.op_handle.full_name()} has no schema: its definition was removed")
        names = tuple(kwargs)
        values = args + tuple(kwargs.values())
        if bind(op, RT_TUPLE_ITEMS(<void *>values), len(args), NULL if not names else <PyObject *>names, WRAP, &b) < 0:
            raise_current()
        result = kernel.k.fn(op, keyset.bits, b.args, op.nargs, kernel.k.ctx)
        unbind(op, &b)
        return steal(finish(op, result))

    def __call__(self, keyset, /, *args, **kwargs):
        return self.call_boxed(keyset, *args, **kwargs)

    def __repr__(self):
        return repr(self.kernel)


cdef _SafeKernelFunction safe_kernel_function(Operator o, Kernel kernel):
    cdef _SafeKernelFunction function = _SafeKernelFunction.__new__(_SafeKernelFunction)
    function.op_handle = o
    function.kernel = kernel
    return function


cdef int ready_safe_kernel_type() except -1:
    return rt_forbid_new(<PyTypeObject *>_SafeKernelFunction)

ready_safe_kernel_type()
