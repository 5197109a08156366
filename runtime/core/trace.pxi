# Tracing: while a trace is on, every filled slot of every table holds one kernel that reports the call and runs the kernel that the
# rules choose. So a call costs nothing when no trace is on.

cdef rt_kernel tracing_kernel
cdef rt_kernel tracing_kernel_foreign
tracing_kernel.fn = traced
tracing_kernel_foreign.fn = traced
tracing_kernel_foreign.flags = RT_KERNEL_FOREIGN
cdef object trace_sink = None      # callable(event, operator, key, rule, debug)
cdef unsigned long trace_thread = 0
cdef PyObject *const *traced_arguments = NULL   # those of the call that is being reported
cdef Py_ssize_t traced_count = 0

cdef extern from "Python.h":
    unsigned long PyThread_get_thread_ident() noexcept


cdef PyObject *traced(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    cdef Registered r
    cdef const char *rule
    cdef rt_kernel *k
    cdef PyObject *result
    cdef int key = slot_keys[rt_slot_of(ks)]
    cdef bint report, failed
    global traced_arguments, traced_count
    try:
        operator_of(op).registered(&r)
    except BaseException as e:
        set_current(e)
        return NULL
    k = choose(&r, key, &rule)
    report = trace_sink is not None and PyThread_get_thread_ident() == trace_thread
    held = kernel_of_struct(k) if k.self != NULL else None
    if report:
        traced_arguments = args
        traced_count = n
        failed = tell(op, key, rule, k, True) < 0
        traced_arguments = NULL
        if failed:
            return NULL
    result = k.fn(op, ks, args, n, k.ctx)
    if report and trace_sink is not None and result != NULL and tell(op, key, rule, k, False) < 0:
        RT_DEC(result)
        return NULL
    if report and trace_sink is not None and result == NULL:
        tell_failure(op, key, rule, k)
    return result


cdef int tell(rt_operator *op, int key, const char *rule, rt_kernel *k, bint entering) noexcept:
    try:
        debug = "" if k.flags & (RT_KERNEL_MISSING | RT_KERNEL_AMBIGUOUS) else kernel_of_struct(k).debug
        trace_sink("enter" if entering else "leave", operator_of(op).full_name(), key_names[key], rule.decode(), debug)
        return 0
    except BaseException as e:
        set_current(e)
        return -1


cdef void tell_failure(rt_operator *op, int key, const char *rule, rt_kernel *k) noexcept:
    """Report the end of a call that raises, and keep its exception."""
    cdef PyObject *kind
    cdef PyObject *value
    cdef PyObject *traceback
    PyErr_Fetch_(&kind, &value, &traceback)
    if tell(op, key, rule, k, False) < 0:
        c_err_clear()
    PyErr_Restore_(kind, value, traceback)

cdef extern from "Python.h":
    void PyErr_Fetch_ "PyErr_Fetch"(PyObject **a, PyObject **b, PyObject **c) noexcept
    void PyErr_Restore_ "PyErr_Restore"(PyObject *a, PyObject *b, PyObject *c) noexcept


cdef void put_tracing(Operator o) noexcept:
    """Cover an operator's filled slots; called by refresh too while a trace is on."""
    cdef int slot
    for slot in range(RT_NUM_SLOTS):
        if not o.op.table[slot].flags & RT_KERNEL_MISSING:
            o.op.table[slot] = &tracing_kernel_foreign if o.op.table[slot].flags & RT_KERNEL_FOREIGN else &tracing_kernel


def _trace_start(sink not None):
    """Report every kernel that this thread's calls run to `sink(event, operator, key, rule, debug)`; see `runtime.trace_dispatch`."""
    global trace_sink, trace_thread
    if trace_sink is not None:
        raise RuntimeError("trace_dispatch: a trace is on already")
    trace_sink = sink
    trace_thread = PyThread_get_thread_ident()
    for o in operators.values():
        put_tracing(o)


def _trace_stop():
    """End the trace."""
    global trace_sink
    trace_sink = None
    for o in operators.values():
        (<Operator>o).refresh()


def _traced_arguments():
    """The arguments of the call whose beginning is being reported, by position."""
    cdef Py_ssize_t i
    if traced_arguments == NULL:
        raise RuntimeError("_traced_arguments: no call is being reported")
    return tuple([None if traced_arguments[i] == NULL else <object>traced_arguments[i] for i in range(traced_count)])
