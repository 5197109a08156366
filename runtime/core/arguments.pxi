# Arguments of functions with many optional ones, as C arrays in the order of the signature, with the errors of PyTorch's argument parser.
#
# For functions that are no operators: `as_subclass`, `_make_subclass` and `_make_wrapper_subclass`. A parameter's kind says what it takes;
# what was not given is NULL. Values are borrowed from the caller.

cdef extern from "Python.h":
    bint c_is_index "PyIndex_Check"(PyObject *o) noexcept
    bint c_is_tuple "PyTuple_Check"(PyObject *o) noexcept
    bint c_is_list "PyList_Check"(PyObject *o) noexcept
    bint c_is_str "PyUnicode_Check"(PyObject *o) noexcept
    object c_index "PyNumber_Index"(PyObject *o)
    object c_new_function "PyCFunction_NewEx"(PyMethodDef *definition, void *self, void *module)

cdef enum:
    IS_OBJECT, IS_TENSOR, IS_INTS, IS_INT, IS_BOOL, IS_STR, IS_DTYPE, IS_LAYOUT, IS_MEMORY_FORMAT, IS_DEVICE, IS_KEYSET
    KIND = 15
    OR_NONE = 16
    MAX_PARAMETERS = 16

cdef tuple kind_texts = ("object", "Tensor", "tuple of ints", "int", "bool", "str", "torch.dtype", "torch.layout", "torch.memory_format",
                         "torch.device", "DispatchKeySet")

cdef struct ParameterList:
    PyObject *function    # the name that errors show
    int n, positional, required
    PyObject *names[MAX_PARAMETERS]
    int kinds[MAX_PARAMETERS]


cdef ParameterList parameter_list(str function, int required, int positional, tuple parameters):
    """The signature of a function: how many parameters it needs and takes by position, and the name and kind of each."""
    cdef ParameterList result
    result.function = owned(function)
    result.n = <int>len(parameters)
    result.required = required
    result.positional = positional
    for i, (name, kind) in enumerate(parameters):
        result.names[i] = owned(intern_name(name))
        result.kinds[i] = kind
    return result


cdef inline bint is_integer(PyObject *value) noexcept:
    """Whether the parser takes a value for an integer: neither bools nor tensors are."""
    return RT_TYPE(value) == &c_long or (RT_TYPE(value) != &c_bool and c_is_index(value) and not rt_is_tensor(value))


cdef inline bint fits_kind(int kind, PyObject *value) noexcept:
    """Whether a value is what a parameter takes; of a list of integers the first one decides."""
    cdef PyTypeObject *t = RT_TYPE(value)
    if value == c_None and kind & OR_NONE:
        return True
    kind &= KIND
    if kind == IS_OBJECT:
        return True
    if kind == IS_INTS:
        if c_is_tuple(value):
            return RT_SIZE(value) == 0 or is_integer(RT_TUPLE_ITEMS(value)[0])
        return c_is_list(value) and (RT_SIZE(value) == 0 or is_integer(RT_LIST_ITEMS(value)[0]))
    if kind == IS_DTYPE:
        return t == rt_DtypeType or value == <PyObject *>&c_float or value == <PyObject *>&c_long or value == <PyObject *>&c_bool \
            or value == <PyObject *>&c_complex
    if kind == IS_BOOL:
        return t == &c_bool
    if kind == IS_TENSOR:
        return rt_is_tensor(value)
    if kind == IS_INT:
        return is_integer(value)
    if kind == IS_STR:
        return c_is_str(value)
    if kind == IS_LAYOUT:
        return t == rt_LayoutType
    if kind == IS_MEMORY_FORMAT:
        return t == rt_MemoryFormatType
    if kind == IS_DEVICE:
        return t == rt_DeviceType or t == &c_long or c_is_str(value)
    return t == <PyTypeObject *>DispatchKeySet


cdef inline int place_of(ParameterList *p, PyObject *name, Py_ssize_t first) noexcept:
    """The parameter of a name from a place on, or -1."""
    cdef int i
    for i in range(<int>first, p.n):
        if p.names[i] == name:
            return i
    for i in range(<int>first, p.n):
        if c_str_equal(p.names[i], name) == 0:
            return i
    return -1


cdef int parse_arguments(ParameterList *p, PyObject *const *args, Py_ssize_t n, PyObject *kwnames, PyObject **given) except -1:
    """Fill `given`, of `p.n` places, with the arguments of a call."""
    cdef Py_ssize_t i, j
    cdef bint wrong = n > p.positional
    if likely(not wrong):
        for i in range(n):
            given[i] = args[i]
            wrong |= not fits_kind(p.kinds[i], args[i])
        memset(given + n, 0, (p.n - n) * sizeof(PyObject *))
        if kwnames != NULL:
            for j in range(RT_SIZE(kwnames)):
                i = place_of(p, RT_TUPLE_ITEMS(kwnames)[j], n)
                if likely(i >= 0):
                    given[i] = args[n + j]
                wrong |= i < 0 or not fits_kind(p.kinds[i], args[n + j])
        for i in range(n, p.required):
            wrong |= given[i] == NULL
    if unlikely(wrong):
        raise parse_error(p, n, () if kwnames == NULL else <tuple>kwnames, given)
    return 0


cdef object parse_error(ParameterList *p, Py_ssize_t n, tuple keywords, PyObject **given):
    """What is wrong with a call: the first parameter that misses or does not fit, or else a keyword."""
    cdef Py_ssize_t i
    cdef PyObject *first
    function = <object>p.function
    if n > p.positional:
        takes = f"{p.positional}" if p.required == p.positional else f"from {p.required} to {p.positional}"
        return TypeError(f"{function}() takes {takes} positional argument{'s' if p.positional != 1 else ''} but {n} "
                         f"{'were' if n != 1 else 'was'} given")
    for i in range(p.n):
        name = <object>p.names[i]
        if given[i] == NULL:
            missing = [f'"{<object>p.names[j]}"' for j in range(i, p.required) if given[j] == NULL]
            if missing:   # PyTorch's plural is the other way round
                return TypeError(f"{function}() missing {len(missing)} required positional argument{'s' if len(missing) == 1 else ''}: "
                                 f"{', '.join(missing)}")
            continue
        if fits_kind(p.kinds[i], given[i]):
            continue
        place = f" (position {i + 1})" if i < n else ""
        found = f"not {class_name(<object>given[i])}"
        if i < n and p.kinds[i] & KIND == IS_INTS and (c_is_tuple(given[i]) or c_is_list(given[i])):
            first = RT_TUPLE_ITEMS(given[i])[0] if c_is_tuple(given[i]) else RT_LIST_ITEMS(given[i])[0]
            found = f"but found element of type {class_name(<object>first)} at pos 0"
        return TypeError(f"{function}(): argument '{name}'{place} must be {kind_texts[p.kinds[i] & KIND]}, {found}")
    for keyword in keywords:
        if place_of(p, <PyObject *>keyword, n) < 0:
            if place_of(p, <PyObject *>keyword, 0) >= 0:
                return TypeError(f"{function}() got multiple values for argument '{keyword}'")
            return TypeError(f"{function}() got an unexpected keyword argument '{keyword}'")


cdef int fill_integers(ParameterList *p, int at, PyObject *values, int64_t *out) except -1:
    """Write the integers of a parsed tuple or list; returns how many there are."""
    cdef Py_ssize_t i
    cdef int overflow = 0
    cdef PyObject *item
    if unlikely(not c_is_tuple(values)):
        held = tuple(<object>values)   # reading a number may run Python code, which may change a list
        return fill_integers(p, at, <PyObject *>held, out)
    if unlikely(RT_SIZE(values) > RT_MAX_DIM):
        raise RuntimeError(f"tensors with more than {RT_MAX_DIM} dimensions are not supported, but got {RT_SIZE(values)}")
    for i in range(RT_SIZE(values)):
        item = RT_TUPLE_ITEMS(values)[i]
        if likely(RT_TYPE(item) == &c_long):
            out[i] = c_long_fits(item, &overflow)
            if likely(not overflow):
                continue
        if not c_is_index(item):
            raise TypeError(f"{<object>p.function}(): argument '{<object>p.names[at]}' failed to unpack the object at pos {i + 1} with error "
                            f"\"type must be tuple of ints,but got {class_name(<object>item)}\"")
        out[i] = c_index(item)
    return <int>RT_SIZE(values)
