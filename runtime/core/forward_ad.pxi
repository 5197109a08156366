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


cdef inline bint has_tangent(PyObject *tensor) noexcept:
    """Whether a tensor has a tangent, or is a view of one that has got one since."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    if ext != NULL and (ext.tangent != NULL or ext.is_primal):
        return ext.tangent != NULL
    return t.view != NULL and tangent_of(t.view) != NULL


cdef bint any_has_tangent(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        value = args[i]
        if not op.args[i].flags & RT_ARGF_LIST:
            if has_tangent(value):
                return True
        else:
            for j in range(RT_SIZE(value)):
                if RT_TUPLE_ITEMS(value)[j] != c_None and has_tangent(RT_TUPLE_ITEMS(value)[j]):
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


cdef inline int pass_tangent(PyObject *source, object alias) except -1:
    """Let a tensor on the memory of another one have its tangent."""
    if unlikely(forward_level >= 0) and tangent_of(source) != NULL:
        set_tangent(alias, <object>tangent_of(source))
    return 0


def _set_tangent(tensor not None, tangent not None):
    """Let a tensor have a tangent, at the level that is open."""
    if forward_level < 0:
        raise RuntimeError("Trying to create a dual Tensor for forward AD but no level exists, make sure to enter_dual_level() first.")
    set_tangent(tensor, tangent)


def _get_tangent(Tensor tensor not None):
    """A tensor's tangent, or None."""
    cdef PyObject *found = tangent_of(<PyObject *>tensor)
    if found == NULL and has_tangent(<PyObject *>tensor):
        from runtime.autograd.forward_mode import tangent_of_view
        tangent_of_view(tensor, <object>RT_TENSOR(<void *>tensor).view, replay_of(RT_TENSOR(<void *>tensor)))
        found = tangent_of(<PyObject *>tensor)
    return None if found == NULL else <object>found


def _as_primal(Tensor tensor not None):
    """Let a view have no tangent, even if what it looks at has one; returns it."""
    cdef rt_grad_ext *ext = rt_grad_ext_of(RT_TENSOR(<void *>tensor))
    if ext == NULL:
        raise_current()
    ext.is_primal = 1
    return tensor


cdef PyObject *call_with_tangents(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n) noexcept:
    """Run a call that is not recorded below autograd and give its results their tangents."""
    cdef PyObject *result
    try:
        if op.derivative == NULL:
            resolve_derivative(op)
        primal = primal_before(op, args)
        result = below_autograd(op, ks, args, n)
        if result == NULL:
            return NULL
        made = steal(result)
        propagate_tangents(op, args, n, primal, made)
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


cdef object primal_before(rt_operator *op, PyObject *const *args):
    """A copy of the argument that a call is to write, for formulas that want what was there; None if it writes none."""
    cdef uint8_t before = rt_tls_state.no_forward_grad
    if op.written < 0 or args[op.written] == c_None or op.args[op.written].flags & RT_ARGF_OUT:
        return None
    rt_tls_state.no_forward_grad = 1
    try:
        return (<object>args[op.written]).clone()
    finally:
        rt_tls_state.no_forward_grad = before


cdef int propagate_tangents(rt_operator *op, PyObject *const *args, Py_ssize_t n, object primal, object made) except -1:
    """Give the results of a call their tangents."""
    cdef Derivative d = <Derivative>op.derivative
    cdef int i
    from runtime.autograd.forward_mode import propagate, refuse_unknown
    # Numbers that stand for tensors stay tensors: formulas call their methods.
    arguments = [<object>args[i] if op.args[i].kind == RT_ARG_TENSOR and not op.args[i].flags & RT_ARGF_LIST
                 else python_value(&op.args[i], args[i]) for i in range(n)]
    names = [<object>op.args[i].name for i in range(n)]
    for i in range(n):
        if op.args[i].flags & RT_ARGF_OUT:
            refuse_unknown(overload_of(op), made, True)
            return 0
    if d.unknown:
        refuse_unknown(overload_of(op), made, False)
        return 0
    inputs = [d.inputs[i] for i in range(d.n_inputs)]
    propagate(overload_of(op), names, arguments, inputs, d.tangent, d.outputs, made, primal, _set_tangent)
    return 0
