# The call: bind the caller's arguments to the schema, compute the key set, run the kernel in its slot.
#
# Ownership. The caller's argument array is borrowed and used as it is when it is complete and canonical. Otherwise a Binding holds
# the schema-ordered array: borrowed pointers, except those that were made by a conversion, which are marked and released after the
# call. Kernels get borrowed pointers either way.

cdef enum:
    QUIET = 8       # a misfit is answered by 0, without an exception (overload resolution)
    WRAP = 128      # foreign arrays become tensors whatever the kernel takes
    BUFFER = 64     # arguments that fit in the C stack's buffer

cdef struct Binding:
    PyObject **args       # schema order, complete and canonical
    PyObject **heap       # for more than BUFFER arguments
    uint64_t converted    # bit i: args[i] is ours to release (with `heap`: every one is)
    rt_keyset keys        # union of the tensor arguments' key sets
    bint foreign          # the tensor arguments are foreign arrays and go to the kernel raw
    PyObject *buffer[BUFFER]


cdef inline void unbind(rt_operator *op, Binding *b) noexcept:
    cdef int i
    if b.converted:
        for i in range(op.nargs if op.nargs < BUFFER else BUFFER):
            if (b.converted >> i) & 1:
                RT_DEC(b.buffer[i])
    if unlikely(b.heap != NULL):
        for i in range(op.nargs):
            RT_XDEC(b.heap[i])
        free(b.heap)


cdef inline bint canonical(rt_arg *spec, PyObject *value, rt_keyset *keys) noexcept:
    """Whether a value is canonical for its argument; tensors add their keys."""
    cdef PyTypeObject *t = RT_TYPE(value)
    cdef int kind = spec.kind
    cdef Py_ssize_t i
    cdef PyObject **items
    if spec.flags & (RT_ARGF_LIST | RT_ARGF_OPTIONAL):
        if value == c_None:
            return (spec.flags & RT_ARGF_OPTIONAL) != 0
        if spec.flags & RT_ARGF_LIST:
            if t != &c_tuple:
                return False
            items = RT_TUPLE_ITEMS(value)
            for i in range(RT_SIZE(value)):
                if kind == RT_ARG_INT and RT_TYPE(items[i]) == &c_long and RT_LONG_IS_SMALL(items[i]):
                    continue
                if items[i] == c_None and spec.flags & RT_ARGF_OPTIONAL_ELEM:
                    continue
                if not canonical_one(kind, items[i], keys):
                    return False
            return True
    if likely(kind == RT_ARG_TENSOR):
        if likely(t == rt_TensorType or PyType_IsSubtype(t, rt_TensorType)):
            keys[0] |= RT_TENSOR(value).keys
            return True
        return False
    return canonical_one(kind, value, keys)


cdef bint canonical_one(int kind, PyObject *value, rt_keyset *keys) noexcept:
    cdef PyTypeObject *t = RT_TYPE(value)
    cdef int overflow = 0
    if kind == RT_ARG_TENSOR:
        if rt_is_tensor(value):
            keys[0] |= RT_TENSOR(value).keys
            return True
        return False
    if kind == RT_ARG_INT or kind == RT_ARG_SCALAR:
        if t == &c_long:
            if likely(RT_LONG_IS_SMALL(value)):
                return True
            c_long_fits(value, &overflow)
            return overflow == 0
        return kind == RT_ARG_SCALAR and (t == &c_float or t == &c_bool or t == &c_complex)
    if kind == RT_ARG_BOOL:
        return t == &c_bool
    if kind == RT_ARG_FLOAT:
        return t == &c_float
    if kind == RT_ARG_DTYPE:
        return t == rt_DtypeType
    if kind == RT_ARG_DEVICE:
        return t == rt_DeviceType
    if kind == RT_ARG_STR:
        return t == &c_str
    if kind == RT_ARG_LAYOUT:
        return t == rt_LayoutType
    if kind == RT_ARG_MEMORY_FORMAT:
        return t == rt_MemoryFormatType
    if kind == RT_ARG_GENERATOR:
        return t == rt_GeneratorType
    if kind == RT_ARG_COMPLEX:
        return t == &c_complex
    return kind == RT_ARG_OBJECT


cdef inline bint takes_none(rt_arg *spec) noexcept:
    """Whether a function takes None for a list that is no optional one: where the default is empty, as PyTorch does."""
    return spec.flags & RT_ARGF_LIST and spec.dflt != NULL and RT_TYPE(spec.dflt) == &c_tuple and RT_SIZE(spec.dflt) == 0


cdef inline bint misfit_element(rt_operator *op, rt_arg *spec, PyObject *value, int how) noexcept:
    """Whether a list's first element surely is of another kind than the list's: a tensor, or a number where tensors are wanted."""
    cdef PyTypeObject *t = RT_TYPE(value)
    if spec.kind == RT_ARG_TENSOR:
        return (t == &c_long or t == &c_float) and not (op.flags & RT_OPF_NUMBERS_AS_TENSORS)
    return rt_is_tensor(value) and spec.kind != RT_ARG_OBJECT and (not how & PYARG or RT_TENSOR(value).ndim != 0)

cdef extern from *:
    """
    static PyObject *first_item(PyObject *list) { return PySequence_Fast_ITEMS(list)[0]; }
    static int is_list_or_tuple(PyObject *value) { return PyList_Check(value) || PyTuple_Check(value); }
    """
    PyObject *first_item(PyObject *value) noexcept
    bint is_list_or_tuple(PyObject *value) noexcept
    PyObject **list_items "PySequence_Fast_ITEMS"(PyObject *value) noexcept


cdef PyObject *tuple_of_numbers(rt_arg *spec, PyObject *value) noexcept:
    """A list, a Size or one number as the canonical tuple of an argument that takes numbers; NULL, without an exception, for others."""
    cdef PyObject **items = &value
    cdef PyObject *made
    cdef Py_ssize_t i, n = 1
    cdef rt_keyset keys = 0
    if is_list_or_tuple(value):
        items = list_items(value)
        n = RT_SIZE(value)
    elif spec.kind != RT_ARG_INT or spec.size != 1 or RT_TYPE(value) != &c_long:
        return NULL   # `int[1]` takes a number; for more places, convert_list repeats it
    for i in range(n):
        if not canonical_one(spec.kind, items[i], &keys):
            return NULL
    made = c_tuple_new(n)
    if made == NULL:
        c_err_clear()
        return NULL
    for i in range(n):
        RT_INC(items[i])
        RT_TUPLE_ITEMS(made)[i] = items[i]
    return made


cdef inline bint misfit(rt_operator *op, rt_arg *spec, PyObject *value, int how) noexcept:
    """Whether a value surely does not fit, for overload resolution without exceptions."""
    cdef PyTypeObject *t = RT_TYPE(value)
    cdef bint number = t == &c_long or t == &c_float or t == &c_bool or t == &c_complex
    if value == c_None:
        return not spec.flags & RT_ARGF_OPTIONAL and not (how & PYARG and takes_none(spec))
    if spec.kind == RT_ARG_INT and t == &c_bool and how & PYARG:
        return True   # `var(x, True)` says unbiased, not a dimension
    if spec.flags & RT_ARGF_LIST:
        if t == &c_list or t == &c_tuple:
            return RT_SIZE(value) != 0 and misfit_element(op, spec, first_item(value), how)
        return (number and spec.size == 0) or t == &c_str
    if spec.kind == RT_ARG_TENSOR:
        return (number and not (op.flags & RT_OPF_NUMBERS_AS_TENSORS)) or t == &c_list or t == &c_tuple or t == &c_str
    if spec.kind == RT_ARG_DTYPE or spec.kind == RT_ARG_LAYOUT or spec.kind == RT_ARG_MEMORY_FORMAT:
        return how & PYARG and (number or t == &c_str or rt_is_tensor(value) or is_list_or_tuple(value))   # `view(-1)` names no dtype
    if rt_is_tensor(value):
        return not how & PYARG or RT_TENSOR(value).ndim != 0
    return is_list_or_tuple(value)


cdef inline int bind(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int how, Binding *b) noexcept:
    """Fill a Binding: 1 done; 0 misfit (QUIET only); -1 an exception is set. After 0 and -1 nothing is held."""
    cdef int i
    b.converted = 0
    b.heap = NULL
    b.keys = 0
    b.foreign = False
    if kwnames == NULL and n == op.nargs and n <= op.npos:
        b.args = <PyObject **>args
    elif kwnames == NULL and op.nreq <= n <= op.npos and op.nargs <= BUFFER:
        b.args = b.buffer
        for i in range(n):
            b.buffer[i] = args[i]
        for i in range(n, op.nargs):
            b.buffer[i] = op.args[i].dflt
    else:
        i = arrange(op, args, n, kwnames, how, b)
        if i <= 0:
            return i
    return make_canonical(op, how, b)


cdef inline int make_canonical(rt_operator *op, int how, Binding *b) noexcept:
    """Convert the arranged arguments that are not canonical, and gather the tensors' keys; answers as `bind`."""
    cdef int i, status
    cdef rt_arg *spec
    cdef PyObject *value
    cdef PyTypeObject *tensor = rt_TensorType
    cdef rt_keyset keys = 0
    for i in range(op.nargs):
        spec = &op.args[i]
        value = b.args[i]
        if likely(RT_TYPE(value) == tensor and spec.kind == RT_ARG_TENSOR and not spec.flags & RT_ARGF_LIST):
            keys |= RT_TENSOR(value).keys
            continue
        if likely(value == spec.dflt and value != NULL and spec.kind != RT_ARG_TENSOR):
            continue
        if likely(canonical(spec, value, &b.keys)):
            continue
        if how & QUIET and misfit(op, spec, value, how):
            unbind(op, b)
            return 0
        status = 0
        if unlikely(op.flags & OPF_HAS_FOREIGN) and spec.kind == RT_ARG_TENSOR:
            status = bind_foreign(op, b, how)
            if status > 0:
                return 1
        if status < 0 or convert_argument(op, b, i, how) < 0:
            unbind(op, b)
            if how & QUIET and (PyErr_GivenExceptionMatches(c_err_occurred(), <PyObject *>RuntimeError)
                                or PyErr_GivenExceptionMatches(c_err_occurred(), <PyObject *>TypeError)):
                c_err_clear()
                return 0
            return -1
    b.keys |= keys
    return 1


cdef enum:
    OPF_HAS_FOREIGN = 1 << 16   # some kernel of the operator takes foreign arrays raw


cdef int arrange(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int how, Binding *b) noexcept:
    """Put positional and keyword arguments and defaults into schema order."""
    cdef Py_ssize_t i, j, nk = 0 if kwnames == NULL else RT_SIZE(kwnames)
    cdef PyObject **out = b.buffer
    cdef PyObject *name
    if unlikely(op.nargs > BUFFER):
        b.heap = <PyObject **>calloc(op.nargs, sizeof(PyObject *))
        if b.heap == NULL:
            set_error(MemoryError, "no memory for the arguments", op)
            return -1
        out = b.heap
    b.args = out
    if unlikely(n > op.npos or n + nk > op.nargs):
        return bind_failed(op, args, n, kwnames, how, b)
    for i in range(n):
        out[i] = args[i]
    if nk == 0:
        if unlikely(n < op.nreq):
            return bind_failed(op, args, n, kwnames, how, b)
        for i in range(n, op.nargs):
            out[i] = op.args[i].dflt
        if unlikely(b.heap != NULL):
            for i in range(op.nargs):
                RT_INC(out[i])
        return 1
    for i in range(n, op.nargs):
        out[i] = NULL
    for j in range(nk):
        name = RT_TUPLE_ITEMS(kwnames)[j]
        for i in range(op.nargs):
            if op.args[i].name == name:
                break
        else:
            for i in range(op.nargs):
                if c_str_equal(op.args[i].name, name) == 0:
                    break
            else:
                return bind_failed(op, args, n, kwnames, how, b)
        if unlikely(out[i] != NULL):
            return bind_failed(op, args, n, kwnames, how, b)
        out[i] = args[n + j]
    for i in range(n, op.nargs):
        if out[i] == NULL:
            out[i] = op.args[i].dflt
            if unlikely(out[i] == NULL):
                return bind_failed(op, args, n, kwnames, how, b)
    if unlikely(b.heap != NULL):
        for i in range(op.nargs):
            RT_INC(out[i])
    return 1


cdef int bind_failed(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, int how, Binding *b) noexcept:
    cdef int i
    free(b.heap)   # holds no references yet
    b.heap = NULL
    if how & QUIET:
        return 0
    try:
        names = () if kwnames == NULL else <tuple>kwnames
        if n <= op.npos and n + len(names) <= op.nargs:
            # As PyTorch: positional arguments are converted before it shows that others are missing.
            for i in range(n):
                converted_argument(op, i, <object>args[i], how)
        arrangement_error(op, n, names)
    except BaseException as e:
        set_current(e)
    return -1


cdef int convert_argument(rt_operator *op, Binding *b, int i, int how) noexcept:
    """Make argument i canonical: i, or -1 with an exception set."""
    cdef object value = None
    cdef PyObject *numbers
    if op.args[i].flags & RT_ARGF_LIST and (op.args[i].kind == RT_ARG_INT or op.args[i].kind == RT_ARG_FLOAT):
        numbers = tuple_of_numbers(&op.args[i], b.args[i])
        if numbers != NULL:
            replace_argument(op, b, i, steal(numbers))
            return i
    try:
        value = converted_argument(op, i, <object>b.args[i], how)
    except BaseException as e:
        set_current(e)
        return -1
    replace_argument(op, b, i, value)
    if op.args[i].kind == RT_ARG_TENSOR:
        canonical(&op.args[i], <PyObject *>value, &b.keys)
    return i


cdef void replace_argument(rt_operator *op, Binding *b, int i, object value) noexcept:
    """Put another value into a Binding, which holds it from then on."""
    cdef int j
    if b.args != b.buffer and b.heap == NULL:
        for j in range(op.nargs):
            b.buffer[j] = b.args[j]
        b.args = b.buffer
    RT_INC(<void *>value)
    if b.heap != NULL:
        RT_DEC(b.heap[i])
    elif (b.converted >> i) & 1:
        RT_DEC(b.buffer[i])
    else:
        b.converted |= 1ULL << i
    b.args[i] = <PyObject *>value


cdef object converted_argument(rt_operator *op, int i, object value, int how):
    cdef rt_arg *spec = &op.args[i]
    if op.flags & RT_OPF_NUMBERS_AS_TENSORS:
        how |= NUMBERS_AS_TENSORS
    if value is None and spec.kind == RT_ARG_TENSOR and not spec.flags & RT_ARGF_LIST and not how & PYARG:
        raise RuntimeError(f"Expected a proper Tensor but got None (or an undefined Tensor in C++) for argument #{i} "
                           f"'{<object>spec.name}'\nDeclaration: {operator_of(op).schema_text()}")
    try:
        return convert_value(value, spec, how)
    except CastError as e:
        details = f"Cast error details: {e}"
    except TypeError as e:
        details = f" Python error details: TypeError: {e}"
    raise argument_error(op, i, value, details, how)


cdef object argument_error(rt_operator *op, int i, object value, str details, int how):
    """The exception for a value that does not fit, in the wording of PyTorch's schema binder or argument parser."""
    cdef Operator o = operator_of(op)
    argument = o.schema().arguments[i]
    if how & PYARG:
        # The checks of parser_errors come first: this is about what no type says, a number that is too large.
        with DisableTorchFunction():  # whoever overrides the function shall see its call alone
            shown = short_repr(value)
        return TypeError(f"{function_name(o)}(): argument '{argument.name}' must be {parser_type(argument)}, not {shown}")
    kind = type(value).__name__
    return RuntimeError(f"{o.name}() Expected a value of type '{argument.type.annotation_str}' for argument '{argument.name}' but "
                        f"instead found type '{kind}'.\nPosition: {i}\nValue: {short_repr(value)}\nDeclaration: {o.schema_text()}\n"
                        f"{details}")


cdef str function_name(Operator o):
    return o.name.partition("::")[2]


cdef object arrangement_error(rt_operator *op, Py_ssize_t n, tuple names):
    """Raise what is wrong with the shape of a call: too many arguments, missing, unexpected or doubled ones."""
    cdef Operator o = operator_of(op)
    cdef int i
    cdef Py_ssize_t total = n + len(names)
    declared = [<object>op.args[i].name for i in range(op.nargs)]
    title = f"{o.name}()"
    text = o.schema_text()
    if total > op.nargs:
        raise RuntimeError(f"{title} expected at most {op.nargs} argument(s) but received {total} argument(s). Declaration: {text}")
    if n > op.npos:
        raise RuntimeError(f"{title} takes {op.npos} positional argument(s) but {n} was/were given.  Declaration: {text}")
    for i, d in enumerate(declared):
        if i >= n and d not in names and op.args[i].dflt == NULL:
            raise RuntimeError(f"{title} is missing value for argument '{d}'. Declaration: {text}")
    for name in names:
        if name not in declared:
            raise RuntimeError(f"Unknown keyword argument '{name}' for operator '{o.name}'. Schema: {text}")
        if declared.index(name) < n or names.count(name) > 1:
            raise RuntimeError(f"Argument '{name}' specified both as positional and keyword argument. Schema: {text}")
    raise RuntimeError(f"{title} cannot be called with these arguments. Declaration: {text}")


# ------------------------------------------------------------------------------------------------------- running

cdef inline PyObject *finish(rt_operator *op, PyObject *result) noexcept:
    """A kernel's result as the Python caller sees it."""
    if unlikely(op.flags & RT_OPF_RETURNS_LIST) and result != NULL:
        return lists_for_tuples(op, result)
    return result


cdef PyObject *lists_for_tuples(rt_operator *op, PyObject *result) noexcept:
    cdef int i
    try:
        value = <object>result
        RT_DEC(result)
        if op.nrets == 1:
            value = list(value)
        else:
            value = tuple([list(value[i]) if op.rets[i].flags & RT_ARGF_LIST else value[i] for i in range(op.nrets)])
        RT_INC(<void *>value)
        return <PyObject *>value
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *call_operator(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """A call from Python, by the rules of operator calls."""
    cdef Binding b
    cdef PyObject *result
    if unlikely(not op.flags & RT_OPF_HAS_SCHEMA):
        set_error(RuntimeError, "the operator has no schema: its definition was removed (the library that made it is gone)", op)
        return NULL
    if bind(op, args, n, kwnames, 0, &b) < 0:
        return override_or_raise(op, args, n, kwnames)
    if is_overridden(b.keys):
        result = override_operator(op, args, n, kwnames)
        if result != NULL or c_err_occurred() != NULL:
            unbind(op, &b)
            return result
    result = rt_redispatch(op, rt_effective_keyset(op, b.keys), b.args, op.nargs)
    if unlikely(b.converted != 0 or b.heap != NULL):
        unbind(op, &b)
    return finish(op, result)


cdef PyObject *override_operator(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """A call of an operator by the `__torch_function__` of a mode or an argument; NULL without an exception where there is none."""
    cdef PyObject *func = op.handle if op.handle != NULL else make_handle(op)
    return NULL if func == NULL else override_call(func, args, n, kwnames)


cdef PyObject *override_or_raise(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """What a call does whose arguments do not fit: one of them may be no tensor and have a `__torch_function__`. Else the exception that
    is set stays."""
    cdef PyObject *kind
    cdef PyObject *value
    cdef PyObject *traceback
    cdef PyObject *result
    PyErr_Fetch_(&kind, &value, &traceback)
    result = override_operator(op, args, n, kwnames)
    if result != NULL or c_err_occurred() != NULL:
        RT_XDEC(kind)
        RT_XDEC(value)
        RT_XDEC(traceback)
        return result
    PyErr_Restore_(kind, value, traceback)
    return NULL


cdef PyObject *redispatch_operator(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, PyObject *kwnames) noexcept:
    """A call from Python with a given key set; neither TLS nor masks apply."""
    cdef Binding b
    cdef PyObject *result
    if unlikely(not op.flags & RT_OPF_HAS_SCHEMA):
        set_error(RuntimeError, "the operator has no schema: its definition was removed (the library that made it is gone)", op)
        return NULL
    # The key set is the caller's, not the arrays': it may select a kernel that takes tensors only.
    if bind(op, args, n, kwnames, WRAP, &b) < 0:
        return NULL
    result = rt_redispatch(op, ks, b.args, op.nargs)
    unbind(op, &b)
    return finish(op, result)


cdef public PyObject *rt_call(rt_operator *op, PyObject *const *args, Py_ssize_t nargs) noexcept:
    """A call from C with canonical arguments."""
    return rt_redispatch(op, rt_effective_keyset(op, argument_union(op, args, nargs)), args, nargs)


cdef inline rt_keyset argument_union(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    """The union of the tensor arguments' key sets."""
    cdef rt_keyset keys = 0
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if op.args[i].kind == RT_ARG_TENSOR:
            value = args[i]
            if op.args[i].flags & RT_ARGF_LIST:
                if value != c_None:
                    for j in range(RT_SIZE(value)):
                        if RT_TUPLE_ITEMS(value)[j] != c_None:
                            keys |= RT_TENSOR(RT_TUPLE_ITEMS(value)[j]).keys
            elif value != c_None:
                keys |= RT_TENSOR(value).keys
    return keys


cdef int bind_foreign(rt_operator *op, Binding *b, int how) noexcept:
    """Whether all tensor arguments are foreign arrays that the kernel they select takes raw; then the Binding is complete.

    1 or 0, or -1 with an exception set.
    """
    cdef rt_keyset keys = 0, unused = 0
    cdef int i, status
    cdef PyObject *value
    cdef PyTypeObject *known = NULL   # a type whose key set is in `keys` already
    if strict_arrays or how & WRAP:
        return 0
    for i in range(op.nargs):
        if op.args[i].kind == RT_ARG_TENSOR and rt_is_tensor(b.args[i]):
            return 0
    for i in range(op.nargs):
        value = b.args[i]
        if op.args[i].kind != RT_ARG_TENSOR or RT_TYPE(value) == known or (value == c_None and op.args[i].flags & RT_ARGF_OPTIONAL):
            continue
        if op.args[i].flags & RT_ARGF_LIST:
            status = foreign_list(op, b, i, &keys)
            if status <= 0:
                return status
            continue
        status = foreign_keys(value, &keys)
        if status <= 0:
            return status
        if status == SAME_FOR_TYPE:
            known = RT_TYPE(value)
    for i in range(op.nargs):
        value = b.args[i]
        if op.args[i].kind != RT_ARG_TENSOR and value != op.args[i].dflt and not canonical(&op.args[i], value, &unused):
            if convert_argument(op, b, i, how) < 0:
                return -1
    # Last, since key set functions and conversions may run Python code, which may change the table and thread-local state.
    keys = rt_effective_keyset(op, keys)
    if keys >= RT_FUNCTIONALITY_BIT(K_BackendSelect) or not op.table[rt_slot_of(keys)].flags & RT_KERNEL_FOREIGN:
        return 0
    b.keys = keys
    b.foreign = True
    return 1


cdef int foreign_list(rt_operator *op, Binding *b, int i, rt_keyset *keys) noexcept:
    """Add the key sets of a list of foreign arrays and make it a tuple: 1; 0 for other values, -1 with an exception set."""
    cdef Py_ssize_t j
    cdef int status
    cdef PyObject *value = b.args[i]
    cdef PyObject *item
    if RT_TYPE(value) != &c_tuple and RT_TYPE(value) != &c_list:
        return 0
    items = tuple(<object>value)
    value = <PyObject *>items
    for j in range(RT_SIZE(value)):
        item = RT_TUPLE_ITEMS(value)[j]
        if item == c_None and op.args[i].flags & RT_ARGF_OPTIONAL_ELEM:
            continue
        status = foreign_keys(item, keys)
        if status <= 0:
            return status
    replace_argument(op, b, i, items)
    return 1


cdef enum:
    ONE_ARRAY = 1       # the key set is this array's
    SAME_FOR_TYPE = 2   # the key set is that of all arrays of the type

cdef extern from "Python.h":
    PyObject *c_dict_get "PyDict_GetItemWithError"(PyObject *d, PyObject *key) noexcept


cdef int foreign_keys(PyObject *array, rt_keyset *keys) noexcept:
    """Add the key set of a foreign array: ONE_ARRAY or SAME_FOR_TYPE; 0 for other values, -1 with an exception set."""
    cdef PyObject *entry = c_dict_get(<PyObject *>foreign_types, <PyObject *>RT_TYPE(array))
    if likely(entry != NULL and RT_TUPLE_ITEMS(entry)[2] != c_None):
        keys[0] |= (<DispatchKeySet>RT_TUPLE_ITEMS(entry)[2]).bits
        return SAME_FOR_TYPE
    if entry == NULL and c_err_occurred() != NULL:
        return -1   # the type has a metaclass whose hash function raised
    try:
        found = foreign_entry(type(<object>array))
        if found is None:
            return 0
        keyset = (<tuple>found)[0]
        if not isinstance(keyset, DispatchKeySet):
            keyset = keyset(<object>array)
        if not isinstance(keyset, DispatchKeySet):
            raise TypeError(f"the key set function of {type(<object>array).__name__} must return a DispatchKeySet, not "
                            f"{type(keyset).__name__}")
        keys[0] |= (<DispatchKeySet>keyset).bits
        return ONE_ARRAY
    except BaseException as e:
        set_current(e)
        return -1


def register_array_type(type cls not None, keyset_fn not None, wrap=None):
    """Let arrays of a foreign type stand where a schema says Tensor.

    Parameters
    ----------
    cls : type
        The array type, matched exactly: subclasses are other types. A tensor type is none.
    keyset_fn : DispatchKeySet or callable
        The key set of such arrays, or a function of the array that gives it. It holds backend keys only.
    wrap : callable, optional
        Makes a zero-copy Tensor of an array, for calls that cannot take it raw; the default uses DLPack.

    Raises
    ------
    TypeError
        If `cls` is a tensor type or a type of Python's, `keyset_fn` neither a key set nor callable, or `wrap` not callable.

    Notes
    -----
    A kernel registered with ``accepts_foreign=True`` gets the arrays as they are when all tensor arguments of the call are foreign and
    the key set, after thread-local state and fallthroughs, selects it and holds no key above the backends. Its results may then be
    arrays too. In every other case arrays are wrapped. `cupy.ndarray` registers itself at its first use, with the key CUDA.
    """
    if wrap is None:
        wrap = from_dlpack
    if not isinstance(keyset_fn, DispatchKeySet) and not callable(keyset_fn):
        raise TypeError(f"register_array_type(): keyset_fn must be a DispatchKeySet or a callable, not {type(keyset_fn).__name__}")
    if not callable(wrap):
        raise TypeError(f"register_array_type(): wrap must be callable, not {type(wrap).__name__}")
    if issubclass(cls, Tensor) or cls in (object, type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, slice, type):
        raise TypeError(f"register_array_type(): {cls.__name__} is no array type: operators take its instances as something else")
    constant = keyset_fn if isinstance(keyset_fn, DispatchKeySet) else None
    foreign_types[cls] = (keyset_fn, wrap, constant)


def _set_strict_arrays(bint strict):
    """Whether foreign arrays are refused where a schema says Tensor, as in PyTorch; the compat door sets it."""
    global strict_arrays
    strict_arrays = strict
