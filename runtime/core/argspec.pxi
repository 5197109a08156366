# Argument specifications: the C arrays that the binder walks, made from a schema object or from the generated static tables.
#
# An Operator owns its two arrays (arguments and returns); each entry owns its name and its default.

cdef dict kind_codes = {
    "Tensor": RT_ARG_TENSOR, "int": RT_ARG_INT, "SymInt": RT_ARG_INT, "float": RT_ARG_FLOAT, "bool": RT_ARG_BOOL,
    "SymBool": RT_ARG_BOOL, "Scalar": RT_ARG_SCALAR, "str": RT_ARG_STR, "ScalarType": RT_ARG_DTYPE, "Layout": RT_ARG_LAYOUT,
    "Device": RT_ARG_DEVICE, "MemoryFormat": RT_ARG_MEMORY_FORMAT, "Generator": RT_ARG_GENERATOR, "Storage": RT_ARG_STORAGE,
    "Stream": RT_ARG_STREAM, "complex": RT_ARG_COMPLEX, "DeviceIndex": RT_ARG_INT,
}


cdef void free_args(rt_arg *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    if args != NULL:
        for i in range(n):
            RT_XDEC(<void *>args[i].name)
            RT_XDEC(<void *>args[i].dflt)
        free(args)


cdef PyObject *owned(object o) noexcept:
    RT_INC(<void *>o)
    return <PyObject *>o


cdef int fill_type(rt_arg *spec, object type_info, object alias, bint kwarg_only, object name) except -1:
    """Kind and flags from a schema type's flattened form."""
    cdef int flags = 0
    kind, optional, is_list, size, elem_optional = type_info
    spec.kind = kind_codes.get(kind, RT_ARG_OBJECT)
    if optional:
        flags |= RT_ARGF_OPTIONAL
    if is_list:
        flags |= RT_ARGF_LIST
    if elem_optional:
        flags |= RT_ARGF_OPTIONAL_ELEM
    if kwarg_only:
        flags |= RT_ARGF_KWARG_ONLY
    if kind in ("SymInt", "SymBool"):
        flags |= RT_ARGF_SYMBOLIC
    if alias is not None:
        flags |= RT_ARGF_ALIAS
        if alias.is_write:
            flags |= RT_ARGF_WRITE
            if kwarg_only:
                flags |= RT_ARGF_OUT
    spec.flags = flags
    spec.size = size or 0
    spec.name = owned(intern_name(name))
    return 0


cdef object intern_name(object name):
    import sys
    return sys.intern(name or "")


cdef rt_arg *args_of_schema(tuple arguments, bint returns) except? NULL:
    """The specifications of a schema's arguments or returns; NULL for none."""
    cdef Py_ssize_t i, n = len(arguments)
    if n == 0:
        return NULL
    cdef rt_arg *args = <rt_arg *>calloc(n, sizeof(rt_arg))
    if args == NULL:
        raise MemoryError()
    try:
        for i, a in enumerate(arguments):
            fill_type(&args[i], a.real_type.info, a.alias_info, False if returns else a.kwarg_only, a.name)
            if not returns and a.has_default:
                args[i].dflt = owned(canonical_default(a.default_value, &args[i]))
    except BaseException:
        free_args(args, n)
        raise
    return args


cdef object canonical_default(object value, rt_arg *spec):
    """A schema's default as the canonical value that kernels see."""
    if spec.flags & RT_ARGF_LIST and value is not None and not isinstance(value, (list, tuple)):
        value = (value,) * max(spec.size, 1)
    return convert_value(value, spec, 0)


cdef object static_default(const rt_static_arg *a):
    cdef int64_t i
    if a.dflt == RT_D_NONE:
        return None
    if a.dflt == RT_D_TRUE:
        return True
    if a.dflt == RT_D_FALSE:
        return False
    if a.dflt == RT_D_INT:
        return a.i
    if a.dflt == RT_D_FLOAT:
        return a.d
    if a.dflt == RT_D_STR:
        return intern_name((<const char *>a.p).decode())
    if a.dflt == RT_D_INT_LIST:
        return tuple([(<const int64_t *>a.p)[i] for i in range(a.i)])
    if a.dflt == RT_D_FLOAT_LIST:
        return tuple([(<const double *>a.p)[i] for i in range(a.i)])
    if a.dflt == RT_D_BOOL_LIST:
        return tuple([(<const uint8_t *>a.p)[i] != 0 for i in range(a.i)])
    if a.dflt == RT_D_DTYPE:
        return dtype_of_code(a.i)
    if a.dflt == RT_D_LAYOUT:
        return layout_of_code(a.i)
    return memory_format_of_code(a.i)


cdef rt_arg *args_of_static(const rt_static_arg *source, Py_ssize_t n) except? NULL:
    cdef Py_ssize_t i
    if n == 0:
        return NULL
    cdef rt_arg *args = <rt_arg *>calloc(n, sizeof(rt_arg))
    if args == NULL:
        raise MemoryError()
    for i in range(n):
        args[i].kind = source[i].kind
        args[i].flags = source[i].flags
        args[i].size = source[i].size
        args[i].name = rt_intern(source[i].name)
        if source[i].dflt != RT_D_REQUIRED:
            args[i].dflt = owned(static_default(&source[i]))
    return args

cdef extern from "Python.h":
    PyObject *rt_intern "PyUnicode_InternFromString"(const char *text) noexcept
