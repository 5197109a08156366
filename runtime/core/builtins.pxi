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
    rt_builtin_ops = <rt_operator **>calloc(rt_num_static_ops + rt_num_left_out_ops + 1, sizeof(rt_operator *))
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
            elif s.kernels[j].fn == rt_fallthrough_kernel:
                kernel.k.flags |= RT_KERNEL_FALLTHROUGH
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
    for i in range(rt_num_left_out_ops):
        rt_builtin_ops[rt_num_static_ops + i] = &left_out_operator(&rt_left_out_ops[i]).op
    return 0


cdef enum:
    LEFT_OUT_ARGS = 16             # more than the core passes to any operator

cdef list left_out = []            # operators that nobody can find by name
cdef rt_kernel left_out_kernel
left_out_kernel.fn = kernel_left_out


cdef Operator left_out_operator(const rt_static_name *source):
    """What stands at the number of an operator that a selective build leaves out: every call of it raises."""
    cdef Operator o = new_operator(source.name.decode(), source.overload.decode())
    cdef int i
    # Callers pass arguments all the same; nothing is asked of them.
    o.op.args = <rt_arg *>calloc(LEFT_OUT_ARGS, sizeof(rt_arg))
    if o.op.args == NULL:
        raise MemoryError()
    for i in range(LEFT_OUT_ARGS):
        o.op.args[i].kind = RT_ARG_OBJECT
    for i in range(RT_NUM_SLOTS):
        o.op.table[i] = &left_out_kernel
    left_out.append(o)
    return o


cdef PyObject *kernel_left_out(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    set_error(NotImplementedError, left_out_text, op)
    return NULL


cdef str left_out_text = "this build has only the operators that RUNTIME_OPS listed and those they are made of; list this one too"


def _selective_build():
    """Whether this build has only some of the operators (``RUNTIME_OPS``)."""
    return rt_is_selective != 0


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
