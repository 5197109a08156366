# Built-in operators, from the static tables that the code generator wrote: no schema is parsed and no file read at import.

cdef public rt_operator **rt_builtin_ops = NULL


cdef int register_builtins() except -1:
    """Make the Operators of all static tables."""
    global rt_builtin_ops
    cdef int i, j
    cdef const rt_static_op *s
    cdef Operator o
    cdef Kernel kernel
    cdef uint32_t bits
    rt_builtin_ops = <rt_operator **>calloc(rt_num_static_ops + 1, sizeof(rt_operator *))
    if rt_builtin_ops == NULL:
        raise MemoryError()
    for i in range(rt_num_static_ops):
        s = &rt_static_ops[i]
        o = new_operator(<str>steal(rt_intern(s.name)), <str>steal(rt_intern(s.overload)))
        o.static = s
        o.op.args = args_of_static(s.args, s.nargs)
        o.op.nargs = s.nargs
        o.op.rets = args_of_static(s.rets, s.nrets)
        o.op.nrets = s.nrets
        o.op.npos = s.npos
        o.op.flags = s.flags
        o.op.tags = s.tags
        o.debug = "registered at kernels/native_functions.yaml"
        o.alias_analysis = "FROM_SCHEMA"
        finish_schema(o)
        if s.tags:
            bits = s.tags
            o.tag_names = tuple([rt_tag_names[j].decode() for j in range(rt_num_tags) if (bits >> j) & 1])
        for j in range(s.nkernels):
            kernel = new_kernel(s.kernels[j].fn, <void *>s.kernels[j].ctx, None, "registered at " + s.kernels[j].debug.decode(), 0)
            if s.kernels[j].fn == NULL:
                kernel.k.fn = rt_lazy_python_kernel
            kernel.k.self = NULL   # lives as long as the operator: for ever
            kernel.from_cpp = True
            o.kernels.setdefault(s.kernels[j].key, []).append(kernel)
        o.refresh()
        operators[o.name, o.overload] = o
        names = definitions.get(o.name)
        if names is None:
            definitions[o.name] = [o.overload]
        else:
            (<list>names).append(o.overload)
        rt_builtin_ops[i] = &o.op
    return 0


cdef dict lazy_callables = {}   # address of "module:function" -> the function


cdef PyObject *rt_lazy_python_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """A built-in kernel written in Python, imported at its first call."""
    cdef PyObject *fn
    try:
        found = lazy_callables.get(<uintptr_t>ctx)
        if found is None:
            module, _, name = (<const char *>ctx).decode().partition(":")
            from importlib import import_module
            found = getattr(import_module(module), name)
            lazy_callables[<uintptr_t>ctx] = found
        fn = <PyObject *>found
    except BaseException as e:
        set_current(e)
        return NULL
    return call_python(op, ks, args, n, fn, 0)


register_builtins()
