# What runs around a node while the engine is at it: hooks of tensors and of nodes, and in anomaly mode the search for who made a NaN.

# --------------------------------------------------------------------------------------------------------------- hooks

cdef int run_tensor_hooks(RtNode *n, PyObject **grads) except -1:
    """Hooks of tensors: each sees what the ones before it made of the gradient. Tensors that retain theirs come last."""
    cdef NodeExtra extra = <NodeExtra>n.extra
    cdef uint32_t nr
    cdef rt_grad_ext *ext
    if extra.tensor_hooks is not None:
        for nr, hooks in list(extra.tensor_hooks):
            if nr >= n.num_slots:
                continue
            for hook in list(hooks.values()):
                result = hook(None if grads[nr] == NULL else <object>grads[nr])
                if result is not None:
                    check_replacement(grads[nr], result, hook)
                    put_one(grads, nr, result)
    if extra.retaining is not None:
        for nr, reference in list(extra.retaining.items()):
            tensor = reference()
            if tensor is None or nr >= n.num_slots or grads[nr] == NULL:
                continue
            ext = rt_grad_ext_of(RT_TENSOR(<void *>tensor))
            if ext == NULL:
                raise_current()
            value = <object>grads[nr]
            value = value.clone() if ext.grad == NULL else <object>ext.grad + value
            put_grad(RT_TENSOR(<void *>tensor), <PyObject *>value)
    return 0


cdef str hook_name(object hook):
    name = getattr(hook, "__name__", None)
    return name if isinstance(name, str) else "<unknown>"


cdef str type_name_of(PyObject *tensor):
    """What errors of hooks call the type of a tensor."""
    kind = scalar_type_name(RT_TENSOR(tensor).dtype)
    return f"CPU{kind}Type" if kind.startswith("Complex") else f"torch.{kind}Tensor"


cdef int check_replacement(PyObject *old, object result, object hook) except -1:
    """The errors of what a hook returned in the place of a gradient."""
    cdef RtTensor *a
    cdef RtTensor *b
    cdef int d
    cdef bint same
    if old == NULL:
        raise RuntimeError("can't replace a None gradient with a non-None value")
    if not rt_is_tensor(<PyObject *>result):
        raise TypeError(f"expected Variable, but hook returned '{class_name(result)}'")
    a = RT_TENSOR(old)
    b = RT_TENSOR(<void *>result)
    if a.dtype != b.dtype or a.device_type != b.device_type:
        raise RuntimeError(f"hook '{hook_name(hook)}' has changed the type of value (was {type_name_of(old)} got "
                           f"{type_name_of(<PyObject *>result)})")
    same = a.ndim == b.ndim
    if same:
        for d in range(a.ndim):
            same &= a.sizes[d] == b.sizes[d]
    if not same:
        raise RuntimeError(f"hook '{hook_name(hook)}' has changed the size of value")
    return 0


cdef tuple as_tuple_of_grads(PyObject **grads, uint32_t n):
    cdef uint32_t i
    return tuple([None if grads[i] == NULL else <object>grads[i] for i in range(n)])


cdef int run_pre_hooks(RtNode *n, PyObject **grads) except -1:
    cdef NodeExtra extra = <NodeExtra>n.extra
    cdef uint32_t i
    if extra.pre_hooks is None:
        return 0
    for hook in list(extra.pre_hooks.values()):
        result = hook(as_tuple_of_grads(grads, n.num_slots))
        if result is None:
            continue
        check_hook_results(grads, result, n.num_slots, hook)
        for i in range(n.num_slots):
            put_one(grads, i, result[i])
    return 0


cdef int run_post_hooks(RtNode *n, PyObject **grads, uint32_t n_grads, PyObject **made) except -1:
    """Run hooks on what a node made; those that came while it ran are shown no gradients of its outputs."""
    cdef NodeExtra extra = <NodeExtra>n.extra
    cdef uint32_t i
    if extra.post_hooks is None:
        return 0
    for hook in list(extra.post_hooks.values()):
        result = hook(as_tuple_of_grads(made, n.num_edges), as_tuple_of_grads(grads, n_grads))
        if result is None:
            continue
        check_hook_results(made, result, n.num_edges, hook)
        for i in range(n.num_edges):
            put_one(made, i, result[i])
    return 0


cdef int put_one(PyObject **places, uint32_t i, object value) except -1:
    cdef PyObject *old = places[i]
    if value is None:
        places[i] = NULL
    else:
        RT_INC(<void *>value)
        places[i] = <PyObject *>value
    RT_XDEC(old)
    return 0


cdef int check_hook_results(PyObject **old, object result, uint32_t n, object hook) except -1:
    """The errors of what a hook of a node returned in the place of gradients."""
    cdef uint32_t i
    if not isinstance(result, tuple):
        raise TypeError(f"expected tuple, but hook returned '{class_name(result)}'")
    if <uint32_t>len(result) != n:
        raise RuntimeError(f"hook '{hook_name(hook)}' has returned an incorrect number of values (got {len(result)}, but expected {n})")
    for i in range(n):
        if result[i] is not None:
            check_replacement(old[i], result[i], hook)
    return 0


# -------------------------------------------------------------------------------------------------------------- anomalies

def _set_anomaly_mode(bint enabled, bint check_nan=True):
    """Keep the Python stack of every recorded call, show it where backward fails, and refuse gradients that are nan."""
    global anomaly_mode, anomaly_check_nan
    anomaly_mode = enabled
    anomaly_check_nan = check_nan


def _is_anomaly_enabled():
    """Whether anomaly mode is on."""
    return bool(anomaly_mode)


def _is_anomaly_check_nan_enabled():
    """Whether anomaly mode refuses gradients that are nan."""
    return bool(anomaly_check_nan)


cdef GraphTask task_of_thread():
    """The innermost run of the engine in this thread, or None."""
    return None if rt_tls_state.graph_task == NULL else <GraphTask>rt_tls_state.graph_task


cdef int note_forward_trace(RtNode *n) except -1:
    from runtime.autograd.anomaly_mode import forward_trace
    metadata = (<object><PyObject *>n).metadata
    metadata["traceback_"] = forward_trace()
    task = task_of_thread()
    if task is not None and task.current != NULL:
        metadata["parent_"] = <object>task.current
    return 0


cdef int print_forward_trace(RtNode *n) except -1:
    from runtime.autograd.anomaly_mode import print_trace
    print_trace(<object><PyObject *>n)
    return 0


cdef int refuse_nan(RtNode *n, PyObject **made) except -1:
    cdef uint32_t i
    if not anomaly_check_nan:
        return 0
    for i in range(n.num_edges):
        if made[i] != NULL and rt_is_tensor(made[i]):
            with _NoGradBlock():
                if bool((<object>made[i]).ne(<object>made[i]).any()):
                    raise RuntimeError(f"Function '{(<object><PyObject *>n).name()}' returned nan values in its {i}th output.")
    return 0
