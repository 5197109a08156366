# Forward mode: a tensor may have a tangent, and results of operators on such tensors get theirs, by the tangent formula of the operator's
# Derivative. There is one level; tangents have none themselves.

cdef int forward_level = -1   # the level that is open, in all threads


def _enter_dual_level():
    """Open the level of forward mode; tangents live until it is left."""
    global forward_level
    if forward_level >= 0:
        raise RuntimeError("Nested forward mode AD is not supported at the moment")
    forward_level = 0
    dual_tensors.clear()
    return 0


def _exit_dual_level(*, level=0):
    """Leave the level of forward mode: every tangent is forgotten."""
    global forward_level
    cdef rt_grad_ext *ext
    cdef PyObject *old
    if forward_level < 0:
        raise RuntimeError("Trying to exit a forward AD level that was not entered")
    forward_level = -1
    for reference in dual_tensors:
        tensor = reference()
        if tensor is None:
            continue
        ext = rt_grad_ext_or_null(RT_TENSOR(<void *>tensor))
        if ext != NULL and ext.tangent != NULL:
            old = ext.tangent
            ext.tangent = NULL
            RT_DEC(old)
    dual_tensors.clear()


cdef list dual_tensors = []   # weak references of the tensors that have a tangent


def is_fwd_grad_enabled():
    """Whether tangents are propagated in this thread."""
    return not rt_tls_state.no_forward_grad


def _set_fwd_grad_enabled(bint mode):
    """Propagate tangents in this thread, or stop."""
    rt_tls_state.no_forward_grad = not mode


cdef inline PyObject *tangent_of(PyObject *tensor) noexcept:
    """A tensor's tangent (borrowed), or NULL."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(tensor))
    return NULL if ext == NULL else ext.tangent


cdef bint any_has_tangent(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        value = args[i]
        if not op.args[i].flags & RT_ARGF_LIST:
            if tangent_of(value) != NULL:
                return True
        else:
            for j in range(RT_SIZE(value)):
                if RT_TUPLE_ITEMS(value)[j] != c_None and tangent_of(RT_TUPLE_ITEMS(value)[j]) != NULL:
                    return True
    return False


cdef int set_tangent(object tensor, object tangent) except -1:
    """Let a tensor have a tangent of its own shape and dtype."""
    import weakref
    cdef rt_grad_ext *ext = rt_grad_ext_of(RT_TENSOR(<void *>tensor))
    cdef PyObject *old
    if ext == NULL:
        raise_current()
    old = ext.tangent
    RT_INC(<void *>tangent)
    ext.tangent = <PyObject *>tangent
    if old == NULL:
        dual_tensors.append(weakref.ref(tensor))
    else:
        RT_DEC(old)
    return 0


def _set_tangent(tensor not None, tangent not None):
    """Let a tensor have a tangent, at the level that is open."""
    if forward_level < 0:
        raise RuntimeError("Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.")
    set_tangent(tensor, tangent)


def _get_tangent(tensor not None):
    """A tensor's tangent, or None."""
    cdef PyObject *found = tangent_of(<PyObject *>tensor)
    return None if found == NULL else <object>found


cdef PyObject *call_with_tangents(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, PyObject *derivative) noexcept:
    """Run a call below autograd and give its results their tangents."""
    cdef Derivative d
    cdef PyObject *result
    cdef int i
    try:
        if op.derivative == NULL:
            resolve_derivative(op)
        d = <Derivative>op.derivative
        given = {}
        involved = False
        for i in range(d.n_inputs):
            involved |= has_tangents(args[d.inputs[i]])
        writes = op.flags & RT_OPF_MUTABLE != 0
        arguments = [python_value(&op.args[i], args[i]) for i in range(n)]
        primal = None
        if involved and writes:
            primal = (<object>args[0]).clone()
        result = below_autograd(op, ks, args, n)
        if result == NULL:
            return NULL
        made = steal(result)
        if involved:
            from runtime.autograd.forward_mode import propagate
            names = [<object>op.args[i].name for i in range(n)]
            inputs = [d.inputs[i] for i in range(d.n_inputs)]
            propagate(overload_of(op), names, arguments, inputs, d.tangent, d.outputs, made, primal, _set_tangent)
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef bint has_tangents(PyObject *value) noexcept:
    cdef Py_ssize_t j
    if value == c_None:
        return False
    if rt_is_tensor(value):
        return tangent_of(value) != NULL
    for j in range(RT_SIZE(value)):
        if RT_TUPLE_ITEMS(value)[j] != c_None and tangent_of(RT_TUPLE_ITEMS(value)[j]) != NULL:
            return True
    return False
