# Typed kernels: C functions over views of memory (include/runtime/kernel.h, rt_typed_fn) that never touch Python.
#
# The boxed kernel around one checks that its tensors have CPU memory, allocates the outputs by the declared shape rule (or takes the
# out= arguments), fills the views and scalars, and calls the function; the GIL is released for large work only.

cdef extern from "runtime/core/core.h":
    ctypedef struct rt_view:
        void *data
        const int64_t *sizes
        const int64_t *strides
        int64_t numel
        int32_t ndim
        int32_t dtype
        int32_t device_type
        int32_t device_index
        int32_t is_contiguous
        int32_t itemsize
    ctypedef struct rt_scalar:
        int64_t i
        double d
        double imag
        int32_t kind
        int32_t reserved
    enum:
        RT_SCALAR_NONE, RT_SCALAR_BOOL, RT_SCALAR_INT, RT_SCALAR_FLOAT, RT_SCALAR_COMPLEX
    ctypedef int (*rt_typed_fn)(const rt_view *inp, rt_view *out, const rt_scalar *scalars, void *ctx) noexcept nogil
    RtTensor *rt_empty(int ndim, const int64_t *sizes, int code, int device_type, int device_index) noexcept

cdef enum:
    MAX_TYPED_TENSORS = 64
    MAX_TYPED_SCALARS = 64
    MAX_TYPED_OUTS = 8
    RELEASE_GIL_FROM = 32768   # elements; below, releasing the GIL costs more than it gives
    RULE_SAME_AS = 1
    RULE_BROADCAST = 2
    RULE_PYTHON = 3
    RULE_OUT = 4


cdef class TypedKernel:
    """A C function over memory views as a kernel.

    Parameters
    ----------
    fn : ctypes, cffi or Numba function, PyCapsule named "rt_typed_fn", or int (address)
        ``int fn(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx)``.
    outputs : str or callable
        How the output is allocated: ``"same_as(i)"`` like tensor argument i, ``"broadcast"`` to the broadcast shape of all tensor
        arguments with the first one's dtype, ``"out"`` for an operator whose schema has out= arguments, or a Python function that
        gets the operator's arguments and returns ``(shape, dtype)`` or a list of them.
    errors : dict, optional
        Messages for the non-zero codes that the function returns.
    context : int, optional
        The address that is passed on as ``ctx``.

    Notes
    -----
    ``in`` are the tensor arguments in schema order, lists flattened, absent ones with ``data == NULL`` and ``ndim == -1``; out=
    arguments are only in ``out``. ``scalars`` are the number arguments in schema order.
    """
    cdef rt_typed_fn fn
    cdef void *context
    cdef int rule
    cdef int same_as
    cdef object rule_function
    cdef dict errors
    cdef object keep

    def __cinit__(self, fn, outputs, errors=None, context=0):
        if isinstance(fn, int):
            self.fn = <rt_typed_fn><uintptr_t>fn
        elif is_capsule(fn):
            self.fn = <rt_typed_fn>capsule_pointer(fn, b"rt_typed_fn")
        else:
            address = address_of(fn)
            if address is None:
                raise TypeError(f"TypedKernel() takes a native function, a capsule or an address, not {type(fn).__name__}")
            self.fn = <rt_typed_fn><uintptr_t>address
        if self.fn == NULL:
            raise ValueError("the kernel's address is NULL")
        self.keep = fn
        self.context = <void *><uintptr_t>context
        self.errors = {int(code): str(text) for code, text in dict(errors or {}).items()}
        if callable(outputs):
            self.rule = RULE_PYTHON
            self.rule_function = outputs
        elif outputs == "broadcast":
            self.rule = RULE_BROADCAST
        elif outputs == "out":
            self.rule = RULE_OUT
        elif isinstance(outputs, str) and outputs.startswith("same_as(") and outputs[8:].removesuffix(")").isdigit():
            self.rule = RULE_SAME_AS
            self.same_as = int(outputs[8:].removesuffix(")"))
        else:
            raise ValueError(f'TypedKernel(): outputs must be "same_as(i)", "broadcast", "out" or a function, not {outputs!r}')

    def __call__(self, *args, **kwargs):
        raise TypeError("a TypedKernel is called through the operator that it is registered with")

    cdef Kernel kernel(self, str debug, uint32_t flags):
        return new_kernel(run_typed, <void *>self, self, debug, flags & ~RT_KERNEL_FOREIGN)


cdef PyObject *run_typed(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    cdef rt_view inputs[MAX_TYPED_TENSORS]
    cdef rt_view outs[MAX_TYPED_OUTS]
    cdef rt_scalar scalars[MAX_TYPED_SCALARS]
    cdef PyObject *results[MAX_TYPED_OUTS]
    cdef TypedKernel k = <TypedKernel>ctx
    cdef int ni = 0, no = 0, i, status
    cdef int64_t work = 0
    cdef PyObject *result
    if gather(op, k, args, n, inputs, &ni, scalars, results, &no) < 0:
        return NULL
    if k.rule == RULE_OUT:
        for i in range(no):
            RT_INC(results[i])
    else:
        no = allocate_outputs(op, k, args, n, inputs, ni, results)
        if no < 0:
            return NULL
    if check_outputs(op, outs, results, no) < 0:
        release(results, no)
        return NULL
    for i in range(ni):
        work += inputs[i].numel
    for i in range(no):
        work += outs[i].numel
    status = call_typed(k, inputs, outs, scalars, work)
    if status != 0:
        release(results, no)
        return typed_failed(op, k, status)
    if no == 1:
        return results[0]
    result = c_tuple_new(no)
    if result == NULL:
        release(results, no)
        return NULL
    for i in range(no):
        RT_TUPLE_ITEMS(result)[i] = results[i]
    return result


cdef int gather(rt_operator *op, TypedKernel k, PyObject *const *args, Py_ssize_t n, rt_view *inputs, int *ni, rt_scalar *scalars,
                PyObject **outs, int *no) noexcept:
    """The views of the tensor arguments, the numbers, and (borrowed) the out= arguments; -1 with an exception set."""
    cdef int i, j, ns = 0
    cdef Py_ssize_t count
    cdef PyObject *const *items
    for i in range(n):
        if op.args[i].kind == RT_ARG_TENSOR:
            if op.args[i].flags & RT_ARGF_OUT and k.rule == RULE_OUT and not op.args[i].flags & RT_ARGF_LIST:
                if no[0] == MAX_TYPED_OUTS:
                    return typed_error(op, "too many outputs for a typed kernel")
                outs[no[0]] = args[i]
                no[0] += 1
                continue
            items = &args[i]
            count = 1
            if op.args[i].flags & RT_ARGF_LIST and args[i] != c_None:
                items = RT_TUPLE_ITEMS(args[i])
                count = RT_SIZE(args[i])
            for j in range(count):
                if ni[0] == MAX_TYPED_TENSORS:
                    return typed_error(op, "too many tensors for a typed kernel")
                if fill_view(op, &inputs[ni[0]], items[j]) < 0:
                    return -1
                ni[0] += 1
        elif op.args[i].kind in (RT_ARG_INT, RT_ARG_FLOAT, RT_ARG_BOOL, RT_ARG_SCALAR) and not op.args[i].flags & RT_ARGF_LIST:
            if ns == MAX_TYPED_SCALARS:
                return typed_error(op, "too many numbers for a typed kernel")
            if fill_scalar(op, &scalars[ns], args[i]) < 0:
                return -1
            ns += 1
    return 0


cdef int check_outputs(rt_operator *op, rt_view *outs, PyObject **results, int no) noexcept:
    """Fill the outputs' views; the operator must return as many tensors."""
    cdef int i
    if no != op.nrets:
        return typed_error(op, f"the typed kernel has {no} outputs, the operator {op.nrets} returns")
    for i in range(no):
        if op.rets[i].kind != RT_ARG_TENSOR or op.rets[i].flags & RT_ARGF_LIST:
            return typed_error(op, "a typed kernel returns tensors only")
        if not rt_is_tensor(results[i]):
            return typed_error(op, "an output of a typed kernel is no Tensor")
        if fill_view(op, &outs[i], results[i]) < 0:
            return -1
    return 0


cdef extern from "kernels/shared/gil.h":
    int rt_loops
    void rt_loop_begins() noexcept


cdef int call_typed(TypedKernel k, rt_view *inputs, rt_view *outs, rt_scalar *scalars, int64_t work) noexcept:
    cdef int status
    cdef rt_typed_fn fn = k.fn
    cdef void *context = k.context
    global rt_loops
    if work >= RELEASE_GIL_FROM:
        # The tensors, and with them their storages, are held by the caller.
        rt_loop_begins()
        with nogil:
            status = fn(inputs, outs, scalars, context)
        rt_loops -= 1
        return status
    return fn(inputs, outs, scalars, context)


cdef int typed_error(rt_operator *op, str text) noexcept:
    set_error(RuntimeError, text, op)
    return -1


cdef PyObject *typed_failed(rt_operator *op, TypedKernel k, int status) noexcept:
    set_error(RuntimeError, f"the kernel failed with code {status}: {k.errors.get(status, 'no message is registered for this code')}", op)
    return NULL


cdef int fill_view(rt_operator *op, rt_view *view, PyObject *tensor) noexcept:
    cdef RtTensor *t
    if tensor == c_None:
        view.data = NULL
        view.ndim = -1
        view.numel = 0
        return 0
    t = RT_TENSOR(tensor)
    if t.device_type != 0 or t.storage == NULL or (t.storage.data == NULL and t.numel > 0):
        set_error(RuntimeError, "a CPU kernel got a tensor without CPU memory", op)
        return -1
    view.data = rt_data(t)
    view.sizes = t.sizes
    view.strides = t.strides
    view.numel = t.numel
    view.ndim = t.ndim
    view.dtype = t.dtype
    view.device_type = t.device_type
    view.device_index = t.device_index
    view.is_contiguous = (t.flags & RT_T_CONTIGUOUS) != 0
    view.itemsize = rt_itemsize[t.dtype]
    return 0


cdef int fill_scalar(rt_operator *op, rt_scalar *s, PyObject *value) noexcept:
    """A number as C sees it; -1 with an exception for one that is not plain or does not fit."""
    cdef PyTypeObject *t = RT_TYPE(value)
    s.i = 0
    s.d = 0
    s.imag = 0
    s.reserved = 0
    if value == c_None:
        s.kind = RT_SCALAR_NONE
    elif t == &c_bool:
        s.kind = RT_SCALAR_BOOL
        s.i = value == c_True
        s.d = s.i
    elif t == &c_long:
        s.kind = RT_SCALAR_INT
        s.i = PyLong_AsLongLong_(value)
        if s.i == -1 and c_err_occurred() != NULL:
            return -1
        s.d = s.i
    elif t == &c_float:
        s.kind = RT_SCALAR_FLOAT
        s.d = PyFloat_AsDouble_(value)
    elif t == &c_complex:
        s.kind = RT_SCALAR_COMPLEX
        s.d = PyComplex_RealAsDouble_(value)
        s.imag = PyComplex_ImagAsDouble_(value)
    else:
        return typed_error(op, "a typed kernel takes plain numbers, not symbolic ones")
    return 0

cdef extern from "Python.h":
    int64_t PyLong_AsLongLong_ "PyLong_AsLongLong"(PyObject *o) noexcept
    double PyFloat_AsDouble_ "PyFloat_AsDouble"(PyObject *o) noexcept
    double PyComplex_RealAsDouble_ "PyComplex_RealAsDouble"(PyObject *o) noexcept
    double PyComplex_ImagAsDouble_ "PyComplex_ImagAsDouble"(PyObject *o) noexcept


cdef int allocate_outputs(rt_operator *op, TypedKernel k, PyObject *const *args, Py_ssize_t n, rt_view *inputs, int ni,
                          PyObject **results) noexcept:
    """Allocate by the kernel's shape rule: the number of outputs, or -1 with an exception set."""
    cdef int64_t sizes[RT_MAX_DIM]
    cdef int i, d, ndim = 0
    cdef int64_t size
    if k.rule == RULE_PYTHON:
        try:
            return allocate_by_function(op, k, args, n, results)
        except BaseException as e:
            set_current(e)
            return -1
    if k.rule == RULE_SAME_AS:
        if k.same_as >= ni or inputs[k.same_as].ndim < 0:
            set_error(RuntimeError, f"same_as({k.same_as}): there is no such tensor argument", op)
            return -1
        results[0] = <PyObject *>rt_empty(inputs[k.same_as].ndim, inputs[k.same_as].sizes, inputs[k.same_as].dtype, 0, -1)
        return 1 if results[0] != NULL else -1
    for i in range(ni):
        if inputs[i].ndim > ndim:
            ndim = inputs[i].ndim
    for d in range(ndim):
        sizes[d] = 1
    for i in range(ni):
        for d in range(inputs[i].ndim):
            size = inputs[i].sizes[d]
            if size != 1:
                if sizes[ndim - inputs[i].ndim + d] not in (1, size):
                    set_error(RuntimeError, f"The size of tensor a ({sizes[ndim - inputs[i].ndim + d]}) must match the size of tensor b ({size}) "
                              f"at non-singleton dimension {ndim - inputs[i].ndim + d}", op)
                    return -1
                sizes[ndim - inputs[i].ndim + d] = size
    if ni == 0:
        set_error(RuntimeError, "broadcast needs a tensor argument", op)
        return -1
    results[0] = <PyObject *>rt_empty(ndim, sizes, inputs[0].dtype, 0, -1)
    return 1 if results[0] != NULL else -1


cdef int allocate_by_function(rt_operator *op, TypedKernel k, PyObject *const *args, Py_ssize_t n, PyObject **results) except -1:
    specs = k.rule_function(*[python_value(&op.args[i], args[i]) for i in range(n)])
    if isinstance(specs, tuple) and len(specs) == 2 and RT_TYPE(<void *>specs[1]) is rt_DtypeType:
        specs = [specs]
    if not isinstance(specs, (list, tuple)) or not 1 <= len(specs) <= MAX_TYPED_OUTS:
        raise TypeError(f"{operator_of(op).full_name()}: the shape rule must return (shape, dtype) or a list of them, not {short_repr(specs)}")
    made = []
    for shape, kind in specs:
        made.append(functions["empty"](tuple(shape), dtype=kind))
    cdef int i
    for i, tensor in enumerate(made):
        RT_INC(<void *>tensor)
        results[i] = <PyObject *>tensor
    return len(made)
