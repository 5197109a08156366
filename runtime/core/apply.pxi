# What a node does when the engine reaches it: a formula's gradients, those of a write to a view, a leaf's sum; and gradients made to fit the
# inputs that they are for.

cdef int apply_node(RtNode *n, PyObject **grads, PyObject **made) except -1:
    """Make gradients of a node's inputs of those of its outputs."""
    cdef uint32_t i
    cdef bint any_grad = False
    if n.kind == RT_NODE_OPERATOR:
        for i in range(n.num_slots):
            any_grad |= grads[i] != NULL
        if any_grad:
            apply_operator(n, grads, made)
    elif n.kind == RT_NODE_ACCUMULATE:
        accumulate(n, grads)
    elif n.kind == RT_NODE_COPY_SLICES:
        if grads[0] != NULL:
            apply_copy_slices(n, grads[0], made)
    elif n.kind == RT_NODE_PYTHON:
        apply_custom(n, grads, made)
    else:
        raise RuntimeError("no recorded call made this node" if n.payload == NULL else <object>n.payload)
    return 0


cdef int apply_and_tell(RtNode *n, PyObject **grads, PyObject **made) except -1:
    """Run a node between two reports to `node_sink`."""
    sink = node_sink
    sink(True, <object><PyObject *>n)
    try:
        return apply_node(n, grads, made)
    finally:
        sink(False, <object><PyObject *>n)


def _set_node_sink(sink):
    """Report every node that runs to `sink(begins, node)`, before and after; None ends it."""
    global node_sink
    node_sink = sink


def _next_sequence_number():
    """The number that the next recorded call will have."""
    return rt_next_sequence_nr


cdef int apply_operator(RtNode *n, PyObject **grads, PyObject **made) except -1:
    """Call the formulas of a built-in operator. They are no code of the user's: nobody's `__torch_function__` sees their calls."""
    cdef Derivative d = <Derivative>n.payload
    cdef PyObject *args[26]
    cdef PyObject *held[26]
    cdef int i, k = 2, n_held = 0
    cdef uint32_t e
    cdef int64_t mask = 0
    cdef object given
    cdef PyObject *result
    cdef rt_saved *s
    cdef uint8_t function_state, function_modes
    cdef bint with_history = not rt_tls_state.no_grad
    if n.num_edges == 1:
        mask = n.edges[0].node != NULL
    elif not d.has_lists:
        for i in range(d.n_inputs):
            if n.edges[i].node != NULL:
                mask |= 1 << i
    else:
        mask = (1 << d.n_inputs) - 1
    given = mask
    args[0] = <PyObject *>given
    if d.all_grads:
        arrived = as_tuple_of_grads(grads, n.num_slots)
        args[1] = <PyObject *>arrived
    else:
        if grads[0] == NULL:
            return 0
        args[1] = grads[0]
    try:
        for i in range(d.n_saves):
            s = &n.saved[i]
            if s.value != NULL and not s.is_list and (not s.is_tensor or s.unpack == NULL and (not s.is_output or not with_history)
                                                      and version_of(RT_TENSOR(s.value)) == s.expected and not is_detached(s)):
                args[k] = s.value
            else:
                value = unpack_saved(n, s, with_history)
                RT_INC(<void *>value)
                args[k] = held[n_held] = <PyObject *>value
                n_held += 1
            k += 1
        function_state = rt_tls_state.function_state
        function_modes = rt_tls_state.function_modes
        rt_tls_state.function_state = RT_FUNCTION_ALL_DISABLED
        rt_tls_state.function_modes = 0
        result = c_vectorcall(<PyObject *>d.function, args, k, NULL)
        rt_tls_state.function_state = function_state
        rt_tls_state.function_modes = function_modes
    finally:
        for i in range(n_held):
            RT_DEC(held[i])
    if result == NULL:
        raise_current()
    if d.n_inputs == 1 and not d.has_lists:
        if result == c_None:
            RT_DEC(result)
        else:
            made[0] = result
        return 0
    answers = steal(result)
    return spread(n, (answers,) if d.n_inputs == 1 else answers, made)


cdef int spread(RtNode *n, object answers, PyObject **made) except -1:
    """Put a formula's answers, some of which are lists, to the edges that they are for."""
    cdef Derivative d = <Derivative>n.payload
    cdef uint32_t j = 0
    for one in answers:
        for item in (one if isinstance(one, (list, tuple)) else (one,)):
            if j >= n.num_edges:
                raise SystemError(f"{d.name}: the formula returned more gradients than there are inputs")
            if item is not None and n.edges[j].node != NULL:
                RT_INC(<void *>item)
                made[j] = <PyObject *>item
            j += 1
    return 0


cdef int apply_copy_slices(RtNode *n, PyObject *grad, PyObject **made) except -1:
    cdef CopySlicesState s = <CopySlicesState>n.payload
    cdef RtNode *call = RT_NODE(<void *>s.node)
    cdef PyObject *before = rt_tls_state.copy_slices
    cdef PyObject **inner
    cdef uint32_t i
    if n.released:
        raise released_error()
    whole = <object>grad
    result = whole.new_empty_strided(s.base_sizes, s.base_strides)
    result.copy_(whole)
    if s.replay is None:
        part = result.as_strided(s.sizes, s.strides, s.offset - s.base_offset)
    else:
        part = replayed(result, s.replay)
    inner = <PyObject **>calloc(call.num_edges, sizeof(PyObject *))
    if inner == NULL:
        raise MemoryError()
    try:
        incoming = part.clone()
        grad = <PyObject *>incoming
        rt_tls_state.copy_slices = <PyObject *>n
        try:
            apply_node(call, &grad, inner)
        finally:
            rt_tls_state.copy_slices = before
        if inner[0] == NULL:
            part.zero_()
        else:
            part.copy_(<object>inner[0])
        if n.edges[0].node != NULL:
            RT_INC(<void *>result)
            made[0] = <PyObject *>result
        for i in range(1, call.num_edges):
            made[i] = inner[i]
            inner[i] = NULL
    finally:
        for i in range(call.num_edges):
            RT_XDEC(inner[i])
        free(inner)
    return 0


cdef PyObject *fitted(RtNode *n, uint32_t i, PyObject *grad) except NULL:
    """A gradient as its input is: summed over broadcast dimensions, real, of the input's dtype. The reference is taken over."""
    cdef rt_edge *edge = &n.edges[i]
    cdef rt_grad_like *like
    cdef RtTensor *t
    cdef int d
    cdef bint same
    if unlikely(not rt_is_tensor(grad)):
        value = <object>grad
        RT_DEC(grad)
        raise TypeError(f"{(<object><PyObject *>n).name()}: the gradient of input {i} is {class_name(value)}, not a Tensor")
    t = RT_TENSOR(grad)
    if unlikely(edge.nr >= RT_NODE(edge.node).num_slots):
        return grad
    like = &RT_NODE(edge.node).slots[edge.nr]
    if unlikely(not like.is_set):
        return grad
    same = t.ndim == like.ndim
    if likely(same):
        for d in range(t.ndim):
            same &= t.sizes[d] == like.sizes[d]
    if likely(same and (t.dtype == like.dtype or like.any_dtype) and t.device_type == like.device_type):
        return grad
    value = steal(grad)
    if not same and not t.flags & RT_T_DISPATCH_SIZES:
        shape = steal(rt_size_new(like.ndim, like.sizes))
        if not expands_to(value.shape, shape):
            name = (<object><PyObject *>n).name()
            raise RuntimeError(f"Function {name} returned an invalid gradient at index {i} - got {list(value.shape)} but expected shape "
                               f"compatible with {list(shape)}")
        value = summed_to(value, shape)
    t = RT_TENSOR(<void *>value)
    if t.dtype != like.dtype and not like.any_dtype:
        if dtype_kind(t.dtype) == KIND_COMPLEX and dtype_kind(like.dtype) != KIND_COMPLEX:
            if n.kind == RT_NODE_PYTHON:
                raise RuntimeError("Expected isFloatingType(grad.scalar_type()) || (input_is_complex == grad_is_complex) to be true, but got "
                                   "false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)")
            value = value.real
        if RT_TENSOR(<void *>value).dtype != like.dtype:
            value = value.to(<object>rt_dtype_objects[like.dtype])
    t = RT_TENSOR(<void *>value)
    if t.device_type != like.device_type:
        if t.ndim != 0:
            name = (<object><PyObject *>n).name()
            raise RuntimeError(f"Function {name} returned an invalid gradient at index {i} - expected device "
                               f"{make_device(like.device_type, like.device_index)} but got {value.device}")
        value = value.to(make_device(like.device_type, like.device_index))
    RT_INC(<void *>value)
    return <PyObject *>value


cdef bint expands_to(object shape, object target) except -1:
    """Whether a tensor of the target's shape broadcasts to a shape, so that its gradient has it."""
    cdef Py_ssize_t i, extra = len(shape) - len(target)
    if extra < 0:
        return False
    for i in range(len(target)):
        if target[i] != shape[i + extra] and target[i] != 1:
            return False
    return True


cdef object summed_to(object value, object shape):
    """The sum over the dimensions along which a tensor of a shape was broadcast."""
    cdef Py_ssize_t i, extra = len(value.shape) - len(shape)
    cdef list dims = list(range(extra))
    for i in range(len(shape)):
        if shape[i] == 1 and value.shape[i + extra] != 1:
            dims.append(i + extra)
    if dims:
        value = value.sum(dims, True)
    return value.view(shape) if extra else value


# -------------------------------------------------------------------------------------------------------------- leaves

cdef inline bint is_alone(RtTensor *t) noexcept:
    """Whether nobody else holds a tensor's memory, the tensor that it may be a view of included."""
    if t.storage == NULL:
        return True
    return t.storage.refcount == 1 if t.view == NULL else t.storage.refcount == 2 and RT_REFCNT(t.view) == 1


cdef int accumulate(RtNode *n, PyObject **grads) except -1:
    """Add a gradient to that of a leaf."""
    cdef RtTensor *t
    cdef RtTensor *g
    cdef rt_grad_ext *ext
    cdef PyObject *args[3]
    cdef PyObject *grad = grads[0]
    cdef bint fits
    cdef int d
    if grad == NULL or n.payload == NULL:
        return 0
    leaf = <object>n.payload
    t = RT_TENSOR(n.payload)
    if not t.flags & RT_T_REQUIRES_GRAD:
        return 0
    ext = rt_grad_ext_of(t)
    if ext == NULL:
        raise_current()
    g = RT_TENSOR(grad)
    if ext.grad == NULL:
        if rt_tls_state.no_grad:
            # The gradient is nobody else's, and lies as the leaf does: take it. Otherwise a copy that lies as the leaf.
            fits = RT_REFCNT(grad) == 1 and is_alone(g) and g.autograd == NULL and not g.keys & lazy_bits
            if fits and not has_key(g, RT_KEY_Sparse):
                if t.flags & RT_T_DENSE:
                    for d in range(t.ndim):
                        fits &= t.sizes[d] == 1 or t.strides[d] == g.strides[d]
                else:
                    fits = g.flags & RT_T_CONTIGUOUS
            if RT_REFCNT(grad) == 1 and (RT_TYPE(grad) != rt_TensorType or fits and goes_to_modes()):
                summed = (<object>grad).detach()   # which handlers and modes see
                put_grad(t, <PyObject *>summed)
            elif fits and g.view == NULL:
                put_grad(t, grad)
            elif fits:
                summed = (<object>grad).detach()   # no view any more
                put_grad(t, <PyObject *>summed)
            else:
                summed = cloned_as(leaf, (<object>grad).detach())
                put_grad(t, <PyObject *>summed)
        else:
            summed = cloned_as(leaf, <object>grad)
            put_grad(t, <PyObject *>summed)
    elif is_sparse_tensor(<object>ext.grad) and not has_key(g, RT_KEY_Sparse):
        summed = <object>grad + <object>ext.grad   # the sum with a dense gradient is dense
        put_grad(t, <PyObject *>summed)
    elif rt_tls_state.no_grad:
        args[0] = ext.grad
        args[1] = grad
        args[2] = ONE
        with _HeldTensor(<object>ext.grad):
            if RT_TYPE(ext.grad) != rt_TensorType or RT_TYPE(grad) != rt_TensorType:
                summed = <object>ext.grad + <object>grad if not isinstance(<object>ext.grad, type(<object>grad)) else \
                    (<object>ext.grad).add_(<object>grad)
                put_grad(t, <PyObject *>summed)
            else:
                steal(rt_call(rt_builtin_ops[RT_OP_aten_add__Tensor], args, 3))
    else:
        summed = <object>ext.grad + <object>grad
        put_grad(t, <PyObject *>summed)
    ext = rt_grad_ext_of(t)
    if ext != NULL and ext.post_hooks != NULL:
        for hook in list((<object>ext.post_hooks).values()):
            result = hook(leaf)
            if result is not None:
                if not rt_is_tensor(<PyObject *>result):
                    raise TypeError(f"expected Variable, but hook returned '{class_name(result)}'")
                raise RuntimeError("Tensor post accumulate grad hooks should return None.")
    return 0


@cython.final
@cython.no_gc
cdef class _HeldTensor:
    """For a ``with`` block: an object that lives as long."""
    cdef object held

    def __init__(self, held):
        self.held = held

    def __enter__(self):
        pass

    def __exit__(self, kind, value, traceback):
        self.held = None


cdef inline bint goes_to_modes() noexcept:
    """Whether calls of plain tensors go to a dispatch mode of this thread."""
    return rt_tls_state.included & RT_FUNCTIONALITY_BIT(K_Python) != 0


cdef object cloned_as(object leaf, object grad):
    """A copy of a gradient that lies in memory as its leaf does."""
    cdef RtTensor *t = RT_TENSOR(<void *>leaf)
    if RT_TYPE(<void *>grad) == rt_TensorType and t.flags & RT_T_DENSE and not has_key(t, RT_KEY_Sparse) and not is_sparse_tensor(grad):
        return grad.new_empty_strided(grad.shape, leaf.stride()).copy_(grad)
    return grad.clone()
