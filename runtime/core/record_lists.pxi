# Calls of operators over lists (`_foreach_add`) that autograd records: each place of the lists has a node of its own, that of the operator which
# the call stands for there. Keys, modes and subclasses below see one call.

cdef extern from "kernels/shared/made.h":
    ctypedef struct rt_each_of:
        int base
        const int8_t *sources
    PyObject *rt_each(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx) noexcept


cdef const rt_each_of *each_of(rt_operator *op) except? NULL:
    """What an operator over lists does at each place, or NULL where its kernel on the CPU is another."""
    cdef rt_kernel *kernel = op.table[rt_slot_of(RT_FUNCTIONALITY_BIT(K_Dense) | RT_BACKEND_BIT(0))]
    cdef const rt_each_of *each
    cdef rt_operator *base
    if <void *>kernel.fn != <void *>rt_each:
        return NULL
    each = <const rt_each_of *>kernel.ctx
    base = rt_builtin_ops[each.base]
    if base.nargs > BUFFER or base.nrets != 1:
        return NULL
    if base.derivative == NULL:
        resolve_derivative(base)
    if (<Derivative>base.derivative).unknown or (<Derivative>base.derivative).has_lists:
        return NULL
    return each


cdef Py_ssize_t places_of(rt_operator *op, PyObject *const *args) noexcept:
    """How long the lists of a call are, or -1 where they differ, which the kernel refuses."""
    cdef Py_ssize_t n = -1
    cdef int i
    for i in range(op.nargs):
        if op.args[i].flags & RT_ARGF_LIST:
            if n >= 0 and RT_SIZE(args[i]) != n:
                return -1
            n = RT_SIZE(args[i])
    return n


cdef void arguments_at(rt_operator *op, const rt_each_of *each, rt_operator *base, PyObject *const *args, Py_ssize_t place, PyObject **call) noexcept:
    """The arguments (borrowed) of the operator that a call stands for at a place of its lists."""
    cdef int i, source
    for i in range(base.nargs):
        source = each.sources[i]
        if source < 0:
            call[i] = base.args[i].dflt
        elif op.args[source].flags & RT_ARGF_LIST:
            call[i] = RT_TUPLE_ITEMS(args[source])[place]
        else:
            call[i] = args[source]


cdef PyObject *record_each(rt_operator *op, const rt_each_of *each, rt_keyset ks, PyObject *const *args, Py_ssize_t n) except NULL:
    """Record a call of an operator over lists, of which an element needs a gradient."""
    cdef rt_operator *base = rt_builtin_ops[each.base]
    cdef Derivative d = <Derivative>base.derivative
    cdef PyObject *call[BUFFER]
    cdef PyObject *result
    cdef PyObject *item
    cdef RtNode *node
    cdef Py_ssize_t place, places = places_of(op, args)
    cdef int64_t wanted
    cdef int i
    cdef list nodes = []
    for place in range(places):
        arguments_at(op, each, base, args, place, call)
        wanted = 0
        for i in range(d.n_inputs):
            if argument_needs_grad(&base.args[d.inputs[i]], call[d.inputs[i]]):
                wanted |= <int64_t>1 << i
        refuse_gradients(base, d, call)
        if base.flags & RT_OPF_MUTABLE:
            refuse_writes(base, call, base.nargs, wanted != 0)
        if not wanted:
            nodes.append(None)
            continue
        node = rt_node_new(d.type, RT_NODE_OPERATOR, d.n_inputs, d.n_outputs, d.n_saves)
        if node == NULL:
            raise_current()
        nodes.append((steal(<PyObject *>node), wanted))
        RT_INC(<void *>d)
        node.payload = <PyObject *>d
        for i in range(d.n_inputs):
            if call[d.inputs[i]] != c_None:
                find_edge(call[d.inputs[i]], &node.edges[i])
        for i in range(d.n_saves):
            if d.saves[i].place >= 0 and d.saves[i].wanted_for & wanted:
                save_argument(base, node, &node.saved[i], call, d.saves[i])
    result = below_autograd(op, ks, args, n)
    if result == NULL:
        raise_current()
    held = steal(result)
    for place in range(places):
        if nodes[place] is None:
            continue
        node = RT_NODE(<void *>(<tuple>nodes[place])[0])
        wanted = (<tuple>nodes[place])[1]
        arguments_at(op, each, base, args, place, call)
        if anomaly_mode:
            note_forward_trace(node)
        item = call[base.written] if op.nrets == 0 else RT_TUPLE_ITEMS(result)[place]
        item = record_result(base, d, node, call, base.nargs, item)
        if op.nrets:
            RT_TUPLE_ITEMS(result)[place] = item
        for i in range(d.n_saves):
            if d.saves[i].place < 0 and d.saves[i].wanted_for & wanted:
                save_result(base, d, node, &node.saved[i], item, d.saves[i])
    RT_INC(<void *>held)
    return result
