# NumPy's protocols: what `np.sin(t)`, `np.concatenate([t, t])`, `np.asarray(t)` and `memoryview(t)` do with tensors.
#
# A ufunc that is one operator is called from here: a dict from NumPy's ufunc objects to operators, which runtime/numpy_protocols/ufuncs.py fills
# when it is imported, at the first ufunc that is not in it. That module also does what is not one call of an operator: methods (reduce,
# accumulate, ...), `out=`, `where=` and other keywords, ufuncs without an operator. Other functions of NumPy go to
# runtime/numpy_protocols/functions.py. Arrays among the operands become tensors here, also where PyTorch's strict rule refuses them as arguments of
# operators: NumPy has chosen the function, and would else compute it by itself.

cdef extern from "Python.h":
    object c_new_method "PyDescr_NewMethod"(PyTypeObject *type, PyMethodDef *definition)
    PyObject *c_dict_get "PyDict_GetItemWithError"(PyObject *d, PyObject *key) noexcept

cdef extern from "numpy/arrayobject.h":
    PyTypeObject PyGenericArrType_Type


@cython.final
cdef class _UfuncOperator:
    """The operator that a ufunc is."""
    cdef rt_operator *op
    cdef rt_operator *scalar   # the overload whose second operand is a number, or NULL
    cdef rt_operator *out      # the overload that writes its result where out= says, or NULL
    cdef int arity             # how many tensors it takes; all other arguments have defaults
    cdef bint one_dtype        # whether they must be of one dtype
    cdef object held


cdef dict ufunc_operators = {}
cdef object numpy_call_name = intern_name("__call__")
cdef object array_ufunc_function = None      # of runtime.numpy_protocols.ufuncs
cdef object array_function_function = None   # of runtime.numpy_protocols.functions

cdef enum:
    MAX_UFUNC_ARGUMENTS = 4


def _map_ufunc(ufunc, OpOverload op not None, OpOverload scalar=None, *, OpOverload out=None, bint one_dtype=False):
    """Let a ufunc of NumPy's or SciPy's, called on tensors without keywords, be an operator.

    Parameters
    ----------
    ufunc : numpy.ufunc
    op : OpOverload
        Its tensor arguments come first, and are the ufunc's operands; all others have defaults.
    scalar : OpOverload, optional
        Its overload for a number as the second operand.
    out : OpOverload, optional
        Its overload with the same arguments and the result's tensor after them, where the result of operands of one floating-point dtype
        has that dtype.
    one_dtype : bool
        Whether the operator wants operands of one dtype; others are for Python to cast.
    """
    cdef _UfuncOperator made = _UfuncOperator.__new__(_UfuncOperator)
    cdef int i
    if not PyType_IsSubtype(RT_TYPE(<void *>ufunc), <PyTypeObject *>cnp.ufunc):
        raise TypeError(f"_map_ufunc() takes a ufunc of NumPy's, not {class_name(ufunc)}")
    made.op = op.op
    made.one_dtype = one_dtype
    made.held = (op, scalar, out)
    while (made.arity < op.op.nargs and op.op.args[made.arity].kind == RT_ARG_TENSOR and op.op.args[made.arity].dflt == NULL
           and not op.op.args[made.arity].flags & (RT_ARGF_LIST | RT_ARGF_OPTIONAL | RT_ARGF_WRITE)):
        made.arity += 1
    if not 1 <= made.arity <= 2 or op.op.nargs > MAX_UFUNC_ARGUMENTS or op.op.nreq != made.arity or made.arity != ufunc.nin:
        raise ValueError(f"{op} is no operator of one or two tensors")
    if scalar is not None:
        if scalar.op.nargs != 2 or scalar.op.args[0].kind != RT_ARG_TENSOR or scalar.op.args[1].kind != RT_ARG_SCALAR:
            raise ValueError(f"{scalar} is no operator of a tensor and a number")
        made.scalar = scalar.op
    if out is not None:
        if out.op.nargs != op.op.nargs + 1 or not out.op.args[op.op.nargs].flags & RT_ARGF_WRITE:
            raise ValueError(f"{out} is not {op} with an output")
        made.out = out.op
    ufunc_operators[ufunc] = made


cdef PyObject *array_ufunc(PyObject *self, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """`Tensor.__array_ufunc__(ufunc, method, *inputs, **kwargs)`."""
    cdef PyObject *found
    cdef PyObject *result
    if likely(n >= 3 and kwnames == NULL and RT_TYPE(args[1]) == &c_str and c_str_equal(args[1], <PyObject *>numpy_call_name) == 0):
        found = c_dict_get(<PyObject *>ufunc_operators, args[0])
        if likely(found != NULL):
            if n - 2 == (<_UfuncOperator>found).arity:
                result = call_ufunc_operator(<_UfuncOperator>found, args + 2)
                if likely(result != NULL):
                    return result
                # A kernel that is not made for the dtype: NumPy may have a loop, or Python may cast.
                if c_err_occurred() != NULL:
                    if not PyErr_GivenExceptionMatches(c_err_occurred(), <PyObject *>NotImplementedError):
                        return NULL
                    c_err_clear()
        elif c_err_occurred() != NULL:
            return NULL
    elif n >= 3 and kwnames != NULL and RT_SIZE(kwnames) == 1 and RT_TUPLE_ITEMS(kwnames)[0] == out_name:
        found = c_dict_get(<PyObject *>ufunc_operators, args[0]) if RT_TYPE(args[0]) == <PyTypeObject *>cnp.ufunc else NULL
        if (found != NULL and n - 2 == (<_UfuncOperator>found).arity and RT_TYPE(args[1]) == &c_str
                and c_str_equal(args[1], <PyObject *>numpy_call_name) == 0 and RT_TYPE(args[n]) == &c_tuple and RT_SIZE(args[n]) == 1):
            result = write_ufunc_operator(<_UfuncOperator>found, args + 2, RT_TUPLE_ITEMS(args[n])[0])
            if result != NULL or c_err_occurred() != NULL:
                return result
    global array_ufunc_function
    if unlikely(array_ufunc_function is None):
        try:
            from runtime.numpy_protocols.ufuncs import array_ufunc as function
            array_ufunc_function = function
        except BaseException as e:
            set_current(e)
            return NULL
    return c_vectorcall(<PyObject *>array_ufunc_function, args, n, kwnames)


cdef PyObject *call_ufunc_operator(_UfuncOperator rule, PyObject *const *inputs) noexcept:
    """The operator's result; NULL without an exception where this is for Python: other operands, or a `__torch_function__`."""
    cdef PyObject *stack[MAX_UFUNC_ARGUMENTS]
    cdef PyObject *held[2]
    cdef PyObject *result
    cdef rt_operator *op = rule.op
    cdef rt_keyset keys = 0
    cdef int i
    held[0] = held[1] = NULL
    if rule.arity == 2 and rule.scalar != NULL and is_exact_number(inputs[1]) and rt_is_tensor(inputs[0]) and in_int64(<object>inputs[1]):
        if is_overridden(RT_TENSOR(inputs[0]).keys):
            return NULL
        return rt_call(rule.scalar, inputs, 2)
    for i in range(rule.arity):
        stack[i] = inputs[i]
        if likely(rt_is_tensor(inputs[i])):
            keys |= RT_TENSOR(inputs[i]).keys
            continue
        held[i] = stack[i] = ufunc_operand(inputs[i])
        if held[i] == NULL:
            RT_XDEC(held[0])
            return NULL
    for i in range(rule.arity, op.nargs):
        stack[i] = op.args[i].dflt
    if is_overridden(keys) or rule.one_dtype and RT_TENSOR(stack[0]).dtype != RT_TENSOR(stack[1]).dtype:
        result = NULL
    else:
        result = rt_call(op, stack, op.nargs)
    RT_XDEC(held[0])
    RT_XDEC(held[1])
    return result


cdef PyObject *write_ufunc_operator(_UfuncOperator rule, PyObject *const *inputs, PyObject *out) noexcept:
    """The operator's result, written to `out`, which is returned: where that and all operands have one shape and one floating-point dtype
    (or are numbers), in memory that nobody has to read after it was written. NULL without an exception where this is for Python."""
    cdef PyObject *stack[MAX_UFUNC_ARGUMENTS + 1]
    cdef PyObject *held[3]
    cdef PyObject *result = NULL
    cdef RtTensor *target
    cdef rt_keyset keys = 0
    cdef int i
    cdef bint fit = rule.out != NULL and (rt_is_tensor(out) or RT_TYPE(out) == &PyArray_Type and writable_as_tensor(out))
    if not fit:
        return NULL
    held[0] = held[1] = held[2] = NULL
    stack[rule.op.nargs] = out
    if not rt_is_tensor(out):
        held[2] = stack[rule.op.nargs] = ufunc_operand(out)
        if held[2] == NULL:
            return NULL
    target = RT_TENSOR(stack[rule.op.nargs])
    keys = target.keys
    fit = dtype_kind(target.dtype) == KIND_FLOAT and target.device_type == DEVICE_CPU
    for i in range(rule.arity):
        stack[i] = inputs[i]
        if not rt_is_tensor(inputs[i]):
            held[i] = stack[i] = ufunc_operand(inputs[i])
            if held[i] == NULL:
                fit = False
                break
        if not (is_exact_number(inputs[i]) and RT_TYPE(inputs[i]) != &c_complex or may_overwrite(target, RT_TENSOR(stack[i]))):
            fit = False
            break
        keys |= RT_TENSOR(stack[i]).keys
    if fit and c_err_occurred() == NULL and not is_overridden(keys):
        for i in range(rule.arity, rule.op.nargs):
            stack[i] = rule.op.args[i].dflt
        result = rt_call(rule.out, stack, rule.op.nargs + 1)
        if result != NULL:
            RT_DEC(result)
            RT_INC(out)
            result = out
        elif PyErr_GivenExceptionMatches(c_err_occurred(), <PyObject *>NotImplementedError):
            c_err_clear()   # a kernel that is not made for the dtype
    for i in range(3):
        RT_XDEC(held[i])
    return result


cdef bint writable_as_tensor(PyObject *array) noexcept:
    return PyArray_ISWRITEABLE(array) and fits_tensor(<object>array) and cnp.PyArray_TYPE(<object>array) in (cnp.NPY_FLOAT32, cnp.NPY_FLOAT64)


cdef bint may_overwrite(RtTensor *target, RtTensor *operand) noexcept:
    """Whether an operand has the target's shape and dtype, and is the same elements or apart from them in memory."""
    cdef int i
    cdef bint same = operand.dtype == target.dtype and operand.ndim == target.ndim and operand.device_type == DEVICE_CPU
    if not same or operand.keys & unusual_bits or target.keys & unusual_bits or operand.storage == NULL or target.storage == NULL:
        return False
    for i in range(target.ndim):
        if operand.sizes[i] != target.sizes[i]:
            return False
        same = same and operand.strides[i] == target.strides[i]
    if operand.storage != target.storage:
        return (operand.storage.data + operand.storage.nbytes <= target.storage.data
                or target.storage.data + target.storage.nbytes <= operand.storage.data
                or same and rt_data(operand) == rt_data(target))
    return same and operand.offset == target.offset


cdef PyObject *ufunc_operand(PyObject *o) noexcept:
    """A number or array as a tensor, a new reference; NULL, without an exception where it is something else."""
    if is_exact_number(o):
        return rt_wrap_number(o)
    try:
        value = array_operand(<object>o)
        if value is None:
            return NULL
        RT_INC(<void *>value)
        return <PyObject *>value
    except BaseException as e:
        set_current(e)
        return NULL


cdef object array_operand(object o):
    """A NumPy array or scalar as a tensor (scalars as numbers, which do not decide the dtype); None where it is none, or no tensor can
    hold it."""
    if RT_TYPE(<void *>o) == &PyArray_Type:
        return tensor_of_array(o) if has_tensor_dtype(o) else None
    if PyType_IsSubtype(RT_TYPE(<void *>o), &PyGenericArrType_Type):
        number = o.item()
        if is_exact_number(<PyObject *>number):
            return steal(rt_wrap_number(<PyObject *>number))
        array = o.__array__()
        return tensor_of_array(array) if cnp.PyArray_Check(array) and has_tensor_dtype(array) else None
    return None


cdef bint has_tensor_dtype(object array) except -1:
    """Whether a tensor can have an array's dtype, ml_dtypes' included."""
    cdef int number = cnp.PyArray_TYPE(array)
    if likely(0 <= number < 24):
        return codes_by_number[number] >= 0
    return array.dtype.type.__module__ == "ml_dtypes" and array.dtype.name in dtype_names


def _array_operand(operand):
    """A number or a NumPy array as a tensor, or None where it is neither, or of a dtype that tensors have not."""
    if is_exact_number(<PyObject *>operand):
        return steal(rt_wrap_number(<PyObject *>operand))
    return array_operand(operand)


def _numpy_dtype(kind):
    """The NumPy dtype of a dtype: ml_dtypes' for bfloat16 and the float8 family."""
    if type(kind) is not dtype:
        raise TypeError(f"expected a dtype, but got {class_name(kind)}")
    return numpy_dtype((<dtype>kind).code)


cdef PyMethodDef ufunc_definition
ufunc_definition.ml_name = b"__array_ufunc__"
ufunc_definition.ml_meth = <void *>array_ufunc
ufunc_definition.ml_flags = RT_FASTCALL_KEYWORDS
ufunc_definition.ml_doc = b"""__array_ufunc__($self, ufunc, method, /, *inputs, **kwargs)
--

What NumPy calls for a ufunc with a tensor among its operands."""
rt_type_set(<PyTypeObject *>Tensor, "__array_ufunc__", c_new_method(<PyTypeObject *>Tensor, &ufunc_definition))


cdef object call_array_function(object func, object types, object args, object kwargs):
    global array_function_function
    if array_function_function is None:
        from runtime.numpy_protocols.functions import array_function
        array_function_function = array_function
    return array_function_function(func, types, args, kwargs)


# ------------------------------------------------------------------------------------------------- tensors as arrays and buffers

cdef str unshared_reason(object self):
    """Why a tensor's memory is not what others may take for its elements; None where they may."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    if t.device_type != DEVICE_CPU:
        return f"it is on {self.device}"
    if is_overridden(t.keys) or has_key(t, K_Python) and goes_to_python(t):
        return f"its class is {class_name(self)}, or a mode is active"
    if rt_tls_state.included & ~rt_tls_state.excluded & watching_bits:
        return "a mode is active"
    if t.keys & (unusual_bits | RT_FUNCTIONALITY_BIT(RT_KEY_Quantized)):
        return "its elements are not what its memory holds"
    if has_key(t, RT_KEY_Sparse):
        return "its layout is torch.sparse_coo"
    if not rt_tls_state.no_grad and (t.flags & RT_T_REQUIRES_GRAD or self.requires_grad):
        return "it requires grad"
    if t.storage == NULL or (t.storage.data == NULL and t.numel > 0):
        return "it has no memory"
    return None


cdef object array_interface(object self):
    """`__array_interface__`: absent, as an attribute, where `__array__` has more to say."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int i
    reason = unshared_reason(self)
    if reason is None and numpy_types[t.dtype] < 0:
        reason = f"NumPy has no {self.dtype}"
    if reason is not None:
        raise AttributeError(f"the tensor has no __array_interface__: {reason}")
    cdef char *data = NULL if t.numel == 0 else readable_data(t)
    cdef int itemsize = rt_itemsize[t.dtype]
    if t.numel > 0:
        t.storage.flags &= <uint16_t>~RT_STORAGE_RESIZABLE
    return {"version": 3, "typestr": numpy_dtype(t.dtype).str, "shape": tuple([t.sizes[i] for i in range(t.ndim)]),
            "strides": None if t.flags & RT_T_CONTIGUOUS else tuple([t.strides[i] * itemsize for i in range(t.ndim)]),
            "data": (<uintptr_t>data, t.storage.flags & RT_STORAGE_READONLY != 0)}


cdef extern from "Python.h":
    enum:
        PyBUF_WRITABLE, PyBUF_FORMAT, PyBUF_ND, PyBUF_STRIDES, PyBUF_C_CONTIGUOUS, PyBUF_F_CONTIGUOUS, PyBUF_ANY_CONTIGUOUS

# By dtype code: the format of an element in the notation of `struct` (with NumPy's Z for complex numbers), NULL where there is none.
cdef const char *buffer_formats[46]
buffer_formats[0] = b"B"
buffer_formats[1] = b"b"
buffer_formats[2] = b"h"
buffer_formats[3] = b"i"
buffer_formats[4] = b"l" if sizeof(long) == 8 else b"q"
buffer_formats[5] = b"e"
buffer_formats[6] = b"f"
buffer_formats[7] = b"d"
buffer_formats[9] = b"Zf"
buffer_formats[10] = b"Zd"
buffer_formats[CODE_BOOL] = b"?"
buffer_formats[27] = b"H"
buffer_formats[28] = b"I"
buffer_formats[29] = b"L" if sizeof(long) == 8 else b"Q"

cdef char no_elements = 0


cdef struct BufferExport:
    rt_storage *storage
    Py_ssize_t geometry[128]   # shape, then strides


cdef bint is_fortran_contiguous(RtTensor *t) noexcept:
    cdef int64_t step = 1
    cdef int i
    for i in range(t.ndim):
        if t.sizes[i] != 1 and t.strides[i] != step:
            return t.numel == 0
        step *= t.sizes[i]
    return True


cdef int export_buffer(object self, Py_buffer *view, int flags) except -1:
    """Show a tensor's memory to a consumer of the buffer protocol; the storage cannot be resized until it is released."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef BufferExport *e
    cdef int i
    cdef bint c_order = t.flags & RT_T_CONTIGUOUS != 0
    reason = unshared_reason(self)
    if reason is None and buffer_formats[t.dtype] == NULL:
        reason = f"the buffer protocol has no format for {self.dtype}"
    if reason is not None:
        raise BufferError(f"the tensor's memory cannot be exported as a buffer: {reason}")
    cdef bint read_only = t.storage.flags & RT_STORAGE_READONLY != 0
    if flags & PyBUF_WRITABLE and read_only:
        raise BufferError("the tensor's memory is read-only: it belongs to an array or buffer that may not be changed")
    if not c_order and ((flags & PyBUF_STRIDES) != PyBUF_STRIDES or (flags & PyBUF_C_CONTIGUOUS) == PyBUF_C_CONTIGUOUS):
        raise BufferError("the tensor is not contiguous, as the consumer of its buffer asks; take contiguous()")
    if ((flags & PyBUF_F_CONTIGUOUS) == PyBUF_F_CONTIGUOUS or (flags & PyBUF_ANY_CONTIGUOUS) == PyBUF_ANY_CONTIGUOUS and not c_order) \
            and not is_fortran_contiguous(t):
        raise BufferError("the tensor is not contiguous, as the consumer of its buffer asks; take contiguous()")
    if t.storage.lent == 65535:
        raise BufferError("65535 arrays or buffers over one storage are lent already")
    cdef char *data = &no_elements if t.numel == 0 else readable_data(t)
    e = <BufferExport *>malloc(sizeof(BufferExport))
    if e == NULL:
        raise MemoryError()
    for i in range(t.ndim):
        e.geometry[i] = t.sizes[i]
        e.geometry[64 + i] = t.strides[i] * rt_itemsize[t.dtype]
    rt_storage_incref(t.storage)
    t.storage.lent += 1
    e.storage = t.storage
    view.buf = data
    view.obj = self
    view.len = t.numel * rt_itemsize[t.dtype]
    view.itemsize = rt_itemsize[t.dtype]
    view.readonly = read_only
    view.format = <char *>buffer_formats[t.dtype] if flags & PyBUF_FORMAT else NULL
    view.ndim = t.ndim if flags & PyBUF_ND else 1
    view.shape = e.geometry if flags & PyBUF_ND else NULL
    view.strides = e.geometry + 64 if (flags & PyBUF_STRIDES) == PyBUF_STRIDES else NULL
    view.suboffsets = NULL
    view.internal = e
    return 0


cdef int release_buffer(Py_buffer *view) except -1:
    cdef BufferExport *e = <BufferExport *>view.internal
    e.storage.lent -= 1
    rt_storage_decref(e.storage)
    free(e)
    return 0
