# The Autograd keys: calls with an argument that needs a gradient become nodes of the graph. One kernel serves every built-in operator; what
# differs between operators stands in their Derivatives.


cdef inline bint argument_needs_grad(rt_arg *spec, PyObject *value) noexcept:
    """Whether a tensor argument needs a gradient, or one of a list of them."""
    cdef Py_ssize_t j
    if value == c_None:
        return False
    if likely(not spec.flags & RT_ARGF_LIST):
        return needs_grad(RT_TENSOR(value))
    for j in range(RT_SIZE(value)):
        if RT_TUPLE_ITEMS(value)[j] != c_None and needs_grad(RT_TENSOR(RT_TUPLE_ITEMS(value)[j])):
            return True
    return False


cdef inline bint any_needs_grad(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i
    for i in range(n):
        if op.args[i].kind == RT_ARG_TENSOR and argument_needs_grad(&op.args[i], args[i]):
            return True
    return False


cdef public PyObject *rt_autograd_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Record a call, if an argument needs a gradient; run it below autograd either way."""
    cdef int64_t wanted
    if likely(not rt_tls_state.no_grad):
        if likely(op.derivative != NULL and (<Derivative>op.derivative).is_plain):
            wanted = plainly_wanted(<Derivative>op.derivative, args)
            if wanted > 0:
                return record_plain(op, <Derivative>op.derivative, ks, args, n, wanted)
            if wanted < 0:
                return record_call(op, ks, args, n)
        elif any_needs_grad(op, args, n):
            return record_call(op, ks, args, n)
    if unlikely(forward_level >= 0) and not rt_tls_state.no_forward_grad and any_has_tangent(op, args, n):
        return call_with_tangents(op, ks, args, n)
    return autograd_fallback(op, ks, args, n, ctx)


cdef inline int64_t plainly_wanted(Derivative d, PyObject *const *args) noexcept:
    """Bits of the inputs that need a gradient; below 0 where more than `record_plain` knows must be done for one of them."""
    cdef int i
    cdef int64_t wanted = 0
    cdef PyObject *value
    cdef RtTensor *t
    for i in range(d.n_inputs):
        value = args[d.inputs[i]]
        if value == c_None:
            continue
        t = RT_TENSOR(value)
        if not needs_grad(t):
            continue
        if unlikely(t.view != NULL and (t.autograd == NULL or RT_NODE(t.autograd).view_version != version_of(t))):
            return -1   # its history may have to be renewed
        wanted |= <int64_t>1 << i
    if unlikely(wanted and (forward_level >= 0 or anomaly_mode or rt_tls_state.saved_hooks)):
        return -1
    return wanted


cdef PyObject *record_plain(rt_operator *op, Derivative d, rt_keyset ks, PyObject *const *args, Py_ssize_t n, int64_t wanted) noexcept:
    """`record_call` for what most calls are: one new tensor of tensors that have no history to renew, without hooks and tangents."""
    cdef RtNode *node = rt_node_new(d.type, RT_NODE_OPERATOR, d.n_inputs, 1, d.n_saves)
    cdef PyObject *result
    cdef PyObject *value
    cdef PyObject *source
    cdef RtTensor *t
    cdef Save *save
    cdef int i
    if node == NULL:
        return NULL
    RT_INC(<void *>d)
    node.payload = <PyObject *>d
    for i in range(d.n_inputs):
        if not wanted >> i & 1:
            continue
        value = args[d.inputs[i]]
        source = RT_TENSOR(value).autograd
        if source != NULL:
            node.edges[i].nr = output_nr_of(RT_TENSOR(value))
            RT_INC(source)
        else:
            source = accumulator_of(value)
            if source == NULL:
                RT_DEC(node)
                return NULL
        node.edges[i].node = source
    for i in range(d.n_saves):
        save = &d.saves[i]
        if save.place < 0 or not save.wanted_for & wanted or args[save.place] == c_None:
            continue
        value = args[save.place]
        if save.part == PART_VALUE and rt_is_tensor(value):
            t = RT_TENSOR(value)
            if unlikely(not t.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)):
                RT_DEC(node)
                return record_call(op, ks, args, n)   # an inference tensor
            node.saved[i].is_tensor = 1
            node.saved[i].expected = version_of(t)
            node.saved[i].has_history = t.autograd != NULL
        elif save.part != PART_VALUE:
            if save_part(&node.saved[i], value, save.part) < 0:
                RT_DEC(node)
                return NULL
            continue
        RT_INC(value)
        node.saved[i].value = value
    result = below_autograd(op, ks, args, n)
    if likely(result != NULL):
        t = RT_TENSOR(result)
        if likely(rt_is_tensor(result) and t.autograd == NULL and t.ext == NULL and not t.flags & RT_T_REQUIRES_GRAD and not d.saves_result):
            if likely(has_derivative_dtype(t)):
                if unlikely(rt_grad_like_set(&node.slots[0], t) < 0):
                    RT_DEC(node)
                    RT_DEC(result)
                    return NULL
                RT_INC(node)
                t.autograd = <PyObject *>node
                t.flags |= RT_T_REQUIRES_GRAD
        else:
            result = finish_record(op, d, node, args, n, result, wanted, False, None)
    RT_DEC(node)
    return result


cdef int save_part(rt_saved *s, PyObject *value, int part) noexcept:
    """Save what a formula wants of a tensor instead of its elements."""
    try:
        return save_object(s, part_of(<object>value, part))
    except BaseException as e:
        set_current(e)
        return -1


cdef PyObject *finish_record(rt_operator *op, Derivative d, RtNode *node, PyObject *const *args, Py_ssize_t n, PyObject *result,
                             int64_t wanted, bint involved, object primal) noexcept:
    """Give what a recorded call returned its history, and its tangents if one of the arguments has one; save what the formula wants of it."""
    cdef int i
    try:
        if likely(op.nrets == 1 and rt_is_tensor(result)):
            result = record_result(op, d, node, args, n, result)
        else:
            record_results(op, d, node, args, result)
        if unlikely(involved):
            propagate_tangents(op, args, n, primal, <object>result)   # formulas find the results with their history, nodes save them with tangents
        for i in range(d.n_saves):
            if d.saves[i].place < 0 and d.saves[i].wanted_for & wanted:
                save_result(op, d, node, &node.saved[i], result, d.saves[i])
        return result
    except BaseException as e:
        set_current(e)
        RT_DEC(result)
        return NULL


cdef inline PyObject *below_autograd(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n) noexcept:
    """Run the kernel below: what it calls itself is not recorded; versions and views only if the operator writes or views."""
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef PyObject *result
    rt_tls_state.excluded = saved | autograd_bits
    if not op.flags & (RT_OPF_MUTABLE | RT_OPF_VIEW):
        rt_tls_state.excluded |= RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
    result = rt_redispatch(op, ks & RT_FULL_AFTER(K_AutogradOther), args, n)
    rt_tls_state.excluded = saved
    return result


cdef PyObject *record_call(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Derivative d
    cdef RtNode *node = NULL
    cdef PyObject *result = NULL
    cdef PyObject *value
    cdef int i
    cdef uint32_t edges, k
    cdef Py_ssize_t j
    cdef int64_t wanted = 0    # bits of the inputs that need a gradient
    cdef bint involved = False  # an argument has a tangent
    cdef const rt_each_of *each
    primal = None
    try:
        if unlikely(op.derivative == NULL):
            resolve_derivative(op)
        d = <Derivative>op.derivative
        if unlikely(d.unknown):
            if d.place_by_place:
                each = each_of(op)
                if each != NULL and places_of(op, args) >= 0 and (forward_level < 0 or not any_has_tangent(op, args, n)):
                    return record_each(op, each, ks, args, n)
                return rt_redispatch(op, ks & RT_FULL_AFTER(K_AutogradOther), args, n)
            return record_unknown(op, ks, args, n)
        edges = d.n_inputs
        for i in range(d.n_inputs):
            value = args[d.inputs[i]]
            if unlikely(op.args[d.inputs[i]].flags & RT_ARGF_LIST) and value != c_None:
                edges += <uint32_t>RT_SIZE(value) - 1
            if argument_needs_grad(&op.args[d.inputs[i]], value):
                wanted |= <int64_t>1 << i
        if unlikely(d.n_refused > 0):
            refuse_gradients(op, d, args)
        if not wanted:
            if op.flags & RT_OPF_MUTABLE:
                refuse_writes(op, args, n, d.n_inputs > 0)
            if unlikely(forward_level >= 0) and not rt_tls_state.no_forward_grad and any_has_tangent(op, args, n):
                return call_with_tangents(op, ks, args, n)
            return autograd_fallback(op, ks, args, n, NULL)
        if op.flags & RT_OPF_MUTABLE:
            refuse_writes(op, args, n, True)
        node = rt_node_new(d.type, RT_NODE_OPERATOR, edges, d.n_outputs, d.n_saves)
        if node == NULL:
            return NULL
        RT_INC(<void *>d)
        node.payload = <PyObject *>d
        k = 0
        for i in range(d.n_inputs):
            value = args[d.inputs[i]]
            if unlikely(op.args[d.inputs[i]].flags & RT_ARGF_LIST):
                if value != c_None:
                    for j in range(RT_SIZE(value)):
                        if RT_TUPLE_ITEMS(value)[j] != c_None:
                            find_edge(RT_TUPLE_ITEMS(value)[j], &node.edges[k])
                        k += 1
            else:
                if value != c_None:
                    find_edge(value, &node.edges[k])
                k += 1
        for i in range(d.n_saves):
            if d.saves[i].place >= 0 and d.saves[i].wanted_for & wanted:
                save_argument(op, node, &node.saved[i], args, d.saves[i])
        if unlikely(forward_level >= 0) and not rt_tls_state.no_forward_grad and any_has_tangent(op, args, n):
            involved = True
            primal = primal_before(op, args)
        result = below_autograd(op, ks, args, n)
        if result == NULL:
            RT_DEC(node)
            return NULL
        if unlikely(anomaly_mode):
            note_forward_trace(node)
        result = finish_record(op, d, node, args, n, result, wanted, involved, primal)
        RT_DEC(node)
        return result
    except BaseException as e:
        set_current(e)
        RT_XDEC(node)
        RT_XDEC(result)
        return NULL


cdef int refuse_gradients(rt_operator *op, Derivative d, PyObject *const *args) except -1:
    """The error of an argument that needs a gradient and cannot have one."""
    cdef int i
    for i in range(d.n_refused):
        if not argument_needs_grad(&op.args[d.refused[i]], args[d.refused[i]]):
            continue
        name = operator_of(op).name.partition("::")[2]
        raise RuntimeError(f"The function '{name}' is not "
                           f"differentiable with respect to argument '{<object>op.args[d.refused[i]].name}'. This input cannot have "
                           f"requires_grad True.")
    return 0


cdef inline PyObject *record_result(rt_operator *op, Derivative d, RtNode *node, PyObject *const *args, Py_ssize_t n, PyObject *result) except NULL:
    """Give the only result its history; returns it, or another tensor where it is an argument itself."""
    cdef Py_ssize_t i
    if unlikely(op.flags & RT_OPF_MUTABLE and op.written >= 0 and result == args[op.written]):
        if d.turns_in_place:
            set_history(result, node, 0)   # a view looks elsewhere, and its base is what it was
        else:
            rebase_history(result, node)
        return result
    if d.outputs is not None and not d.outputs[0]:
        return result
    if unlikely(RT_TENSOR(result).autograd != NULL or RT_TENSOR(result).flags & RT_T_REQUIRES_GRAD):
        for i in range(n):
            if args[i] == result:   # an operator that had nothing to do
                fresh = without_history(<object>result)
                RT_DEC(result)
                result = <PyObject *>fresh
                RT_INC(result)
                break
    set_history(result, node, 0)
    return result


cdef int record_results(rt_operator *op, Derivative d, RtNode *node, PyObject *const *args, PyObject *result) except -1:
    """Give several results, or a list of them, their history."""
    cdef uint32_t nr = 0
    cdef PyObject *value
    cdef list found = []
    if op.nrets == 1 or RT_TYPE(result) != &c_tuple:
        results = (<object>result,)
    else:
        results = <tuple>result
    for i, one in enumerate(results):
        if d.outputs is not None and i < len(d.outputs) and not d.outputs[i]:
            continue
        if isinstance(one, (tuple, list)):
            found.extend(one)
        else:
            found.append(one)
    if <uint32_t>len(found) != node.num_slots:
        rt_node_resize_slots(node, <uint32_t>len(found))
    for one in found:
        value = <PyObject *>one
        if rt_is_tensor(value):
            if op.flags & RT_OPF_MUTABLE:
                rebase_one(value, node, nr)
            else:
                set_history(value, node, nr)
        nr += 1
    return 0


cdef int save_argument(rt_operator *op, RtNode *node, rt_saved *s, PyObject *const *args, Save save) except -1:
    cdef PyObject *value = args[save.place]
    if value == c_None:
        return 0
    if save.part != PART_VALUE:
        return save_object(s, part_of(<object>value, save.part))
    if op.args[save.place].kind != RT_ARG_TENSOR:
        RT_INC(value)
        s.value = value
        return 0
    if unlikely(op.args[save.place].flags & RT_ARGF_LIST):
        return save_list(s, <tuple>value, NULL)
    if unlikely(op.args[save.place].flags & RT_ARGF_WRITE):
        # The formula wants what was there before.
        before = (<object>value).clone()
        return save_tensor(s, <PyObject *>before, NULL, 0)
    return save_tensor(s, value, NULL, 0)


cdef int save_result(rt_operator *op, Derivative d, RtNode *node, rt_saved *s, PyObject *result, Save save) except -1:
    cdef int place = -1 - save.place
    cdef PyObject *value = result
    if op.nrets > 1:
        value = RT_TUPLE_ITEMS(result)[place]
    if value == c_None:
        return 0
    if save.part != PART_VALUE:
        return save_object(s, part_of(<object>value, save.part))
    if rt_is_tensor(value):
        return save_tensor(s, value, node, output_nr_of(RT_TENSOR(value)))
    if RT_TYPE(value) == &c_tuple:
        return save_list(s, <tuple>value, node)
    return save_object(s, <object>value)


cdef int save_list(rt_saved *s, tuple tensors, RtNode *output_of) except -1:
    """Save a list of tensors; `output_of` as of `save_tensor`."""
    cdef SavedTensor item
    items = []
    for one in tensors:
        item = None
        if one is not None:
            item = SavedTensor.__new__(SavedTensor)
            save_tensor(&item.s, <PyObject *>one, output_of, output_nr_of(RT_TENSOR(<void *>one)))
        items.append(item)
    s.is_list = 1
    return save_object(s, tuple(items))


cdef int save_object(rt_saved *s, object value) except -1:
    RT_INC(<void *>value)
    s.value = <PyObject *>value
    return 0


cdef extern from "kernels/shared/boxed.h":
    PyObject *rt_int_tuple(int n, const int64_t *values) noexcept


cdef object part_of(object value, int part):
    """What a formula wants of a tensor, or of each tensor of a list."""
    cdef RtTensor *t = RT_TENSOR(<void *>value)
    cdef int dim
    if likely(RT_TYPE(<void *>value) == rt_TensorType):
        if part == PART_SHAPE:
            return steal(rt_size_new(t.ndim, t.sizes))
        if part == PART_STRIDE:
            return steal(rt_int_tuple(t.ndim, t.strides))
        if part >= PART_SIZE // 2:
            dim = part - PART_SIZE + (t.ndim if part < PART_SIZE else 0)
            return t.sizes[dim] if 0 <= dim < t.ndim else None   # the operator refuses what has no such dimension
    if isinstance(value, tuple):
        return tuple([None if one is None else part_of(one, part) for one in value])
    if part == PART_SHAPE:
        return value.shape
    if part == PART_DTYPE:
        return value.dtype
    if part == PART_DEVICE:
        return value.device
    if part == PART_NDIM:
        return value.ndim
    if part == PART_LAYOUT:
        return value.layout
    if part == PART_STRIDE:
        return value.stride()
    if part == PART_OFFSET:
        return value.storage_offset()
    if part >= PART_SIZE // 2:
        return value.shape[part - PART_SIZE] if -value.ndim <= part - PART_SIZE < value.ndim else None
    return value.numel()


cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_resize_as_


cdef PyObject *record_unknown(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n) noexcept:
    """A call of an operator that has no derivative: results that could have gradients get a node that raises."""
    cdef PyObject *result
    cdef RtNode *node
    cdef Py_ssize_t i
    cdef uint32_t nr = 0
    try:
        if op == rt_builtin_ops[RT_OP_aten_resize_] or op == rt_builtin_ops[RT_OP_aten_resize_as_]:
            raise RuntimeError("cannot resize variables that require grad")
        if op.flags & RT_OPF_MUTABLE:
            refuse_writes(op, args, n, True)
        result = below_autograd(op, ks, args, n)
        if result == NULL:
            return NULL
        made = steal(result)
        results = [one for one in (made if isinstance(made, tuple) else (made,)) if isinstance(one, Tensor)]
        node = rt_node_new(<PyTypeObject *>NotImplementedNode, RT_NODE_ERROR, 1, max(len(results), 1), 0)
        if node == NULL:
            return NULL
        holder = steal(<PyObject *>node)
        message = f"derivative for {operator_of(op).name} is not implemented"
        RT_INC(<void *>message)
        node.payload = <PyObject *>message
        for i in range(n):
            if op.args[i].kind == RT_ARG_TENSOR and rt_is_tensor(args[i]) and needs_grad(RT_TENSOR(args[i])):
                find_edge(args[i], &node.edges[0])
                break
        for one in results:
            if RT_TENSOR(<void *>one).autograd == NULL or op.flags & RT_OPF_MUTABLE:
                set_history(<PyObject *>one, node, nr)
            nr += 1
        if unlikely(forward_level >= 0) and not rt_tls_state.no_forward_grad and any_has_tangent(op, args, n):
            propagate_tangents(op, args, n, None, made)
        RT_INC(<void *>made)
        return <PyObject *>made
    except BaseException as e:
        set_current(e)
        return NULL


# ----------------------------------------------------------------------------------------------------------- writing

cdef int refuse_writes(rt_operator *op, PyObject *const *args, Py_ssize_t n, bint differentiable) except -1:
    """The errors of recorded calls that write: out= arguments, leaves, and views that must not be written."""
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if not op.args[i].flags & RT_ARGF_WRITE or op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        if op.args[i].flags & RT_ARGF_OUT:
            name = operator_of(op).name.partition("::")[2]
            raise RuntimeError(f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
                               f"arguments requires grad.")
        if not differentiable:
            continue
        value = args[i]
        if op.args[i].flags & RT_ARGF_LIST:
            for j in range(RT_SIZE(value)):
                refuse_write(RT_TUPLE_ITEMS(value)[j])
        else:
            refuse_write(value)
    return 0


cdef int refuse_write(PyObject *tensor) except -1:
    """The errors of a recorded write to a tensor."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef PyObject *node
    if unlikely(t.view != NULL):
        if (t.flags & RT_T_CREATION) != 0:
            raise creation_error(tensor, False)
        if needs_grad(t) and RT_TENSOR(t.view).autograd == NULL:
            raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")
    if needs_grad(t):
        find_history(tensor, &node)
        if node == NULL:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    return 0


cdef str forward_name(object node):
    """The operator's name as nodes have it: `Exp` of `ExpBackward0`."""
    name = node.name()
    return name.partition("Backward")[0] or name


cdef object creation_error(PyObject *view, bint base_was_written):
    """Why a view must not be written, or its base must not have been."""
    cdef RtTensor *t = RT_TENSOR(view)
    cdef int creation = (t.flags & RT_T_CREATION) >> RT_T_CREATION_SHIFT
    cdef str what = "its base or another view of its base has been modified inplace" if base_was_written else "is being modified inplace"
    if creation == RT_CREATED_IN_NO_GRAD or creation == RT_CREATED_IN_INFERENCE or t.autograd == NULL:
        # A view without a node was made in no_grad mode, whatever else it is.
        mode = "inference" if creation == RT_CREATED_IN_INFERENCE else "no_grad"
        now = "in normal mode" if creation == RT_CREATED_IN_INFERENCE else "with grad mode enabled"
        start = "A view was"
        if t.autograd != NULL:
            start = f"Output {output_nr_of(t)} of {forward_name(<object>t.autograd)} is a view of a view which was"
        start += f" created in {mode} mode and {what} {now}."
    else:
        start = f"Output {output_nr_of(t)} of {forward_name(<object>t.autograd)} is a view and {what}."
    if creation == RT_CREATED_BY_MULTI_OUTPUT:
        return RuntimeError(f"{start} This view is the output of a function that returns multiple views. Such functions do not allow the "
                            f"output views to be modified inplace. You should replace the inplace operation by an out-of-place one.")
    if creation == RT_CREATED_IN_NO_GRAD:
        return RuntimeError(f"{start} Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
                            f"moving both the view and the inplace either both inside the no_grad block (if you don't want the inplace to be "
                            f"tracked) or both outside (if you want the inplace to be tracked).")
    if creation == RT_CREATED_IN_INFERENCE:
        return RuntimeError(f"{start} Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by "
                            f"moving both the view and the inplace either both inside the inference_mode block (if you don't want the "
                            f"inplace to be tracked) or both outside (if you want the inplace to be tracked).")
    return RuntimeError(f"{start} This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic "
                        f"to handle view+inplace would override the custom backward associated with the custom Function, leading to "
                        f"incorrect gradients. This behavior is forbidden. You can fix this by cloning the output of the custom Function.")


cdef int rebase_history(PyObject *tensor, RtNode *node) except -1:
    """A tensor was written by the call of a node: so was, through a view, the view's base."""
    if RT_TENSOR(tensor).view != NULL:
        return rebase_view(tensor, node)
    return set_history(tensor, node, 0)


cdef int rebase_one(PyObject *tensor, RtNode *node, uint32_t nr) except -1:
    """As `rebase_history`, for an operator that writes several tensors."""
    if RT_TENSOR(tensor).view != NULL and node.num_slots > 1:
        raise RuntimeError("an operator that writes several tensors cannot write a view of a tensor that takes part in autograd")
    if RT_TENSOR(tensor).view != NULL:
        return rebase_view(tensor, node)
    return set_history(tensor, node, nr)


@cython.final
cdef class CopySlicesState:
    """What a CopySlices node needs: the call that wrote to a view, and where in the base the view lies."""
    cdef object node      # the call's
    cdef tuple sizes, strides
    cdef int64_t offset
    cdef object replay    # how to make the view of the base where `as_strided` cannot, or None
    cdef tuple base_sizes, base_strides
    cdef int64_t base_offset


cdef class CopySlices(Node):
    """A write to a view, as a call that the base's history has: the gradient of what was written takes the call's way."""

    def name(self):
        """The name of the node."""
        return "torch::autograd::CopySlices"

    @property
    def _saved_fn(self):
        """The node of the call that wrote."""
        cdef PyObject *state = RT_NODE(<void *>self).payload
        return None if state == NULL else (<CopySlicesState>state).node


rt_name_type(<PyTypeObject *>CopySlices, "CopySlices")
rt_setup_operator_node_type(<PyTypeObject *>CopySlices)


cdef int rebase_view(PyObject *tensor, RtNode *node) except -1:
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef PyObject *base = t.view
    cdef RtTensor *b = RT_TENSOR(base)
    cdef CopySlicesState state = CopySlicesState.__new__(CopySlicesState)
    cdef RtNode *copies
    cdef rt_edge edge
    cdef uint32_t i
    cdef int d
    if not has_derivative_dtype(t):
        return 0
    rt_grad_like_set(&node.slots[0], t)
    state.node = <object><PyObject *>node
    state.sizes = tuple([t.sizes[d] for d in range(t.ndim)])
    state.strides = tuple([t.strides[d] for d in range(t.ndim)])
    state.offset = t.offset
    state.base_sizes = tuple([b.sizes[d] for d in range(b.ndim)])
    state.base_strides = tuple([b.strides[d] for d in range(b.ndim)])
    state.base_offset = b.offset
    state.replay = replay_of(t)
    copies = rt_node_new(<PyTypeObject *>CopySlices, RT_NODE_COPY_SLICES, max(node.num_edges, 1), 1, 0)
    if copies == NULL:
        raise_current()
    holder = steal(<PyObject *>copies)
    RT_INC(<void *>state)
    copies.payload = <PyObject *>state
    find_edge(base, &copies.edges[0])
    for i in range(1, node.num_edges):
        copies.edges[i] = node.edges[i]
        if node.edges[i].node != NULL:
            RT_INC(node.edges[i].node)
    set_history(base, copies, 0)
    # The view's own history begins at the base now.
    renew_history(tensor)
    return 0


cdef object replay_of(RtTensor *t):
    """How to make a view of its base anew where `as_strided` cannot, or None."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    return None if ext == NULL or ext.replay == NULL else <object>ext.replay


cdef int renew_history(PyObject *tensor) except -1:
    """The history of a view since its base was written: the view of the base as it is now."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef PyObject *base = t.view
    cdef RtTensor *f
    cdef int d
    cdef uint8_t no_grad_before = rt_tls_state.no_grad
    cdef rt_keyset excluded = rt_tls_state.excluded
    if (t.flags & RT_T_CREATION) != 0:
        raise creation_error(tensor, True)
    replay = replay_of(t)
    rt_tls_state.no_grad = 0
    rt_tls_state.excluded = excluded & ~autograd_bits
    try:
        if replay is None:
            fresh = ops.aten.as_strided.default(<object>base, [t.sizes[d] for d in range(t.ndim)], [t.strides[d] for d in range(t.ndim)], t.offset)
        else:
            fresh = replayed(<object>base, replay)
    finally:
        rt_tls_state.no_grad = no_grad_before
        rt_tls_state.excluded = excluded
    f = RT_TENSOR(<void *>fresh)
    if f.autograd != NULL:
        set_history_of_view(tensor, RT_NODE(f.autograd))
    return 0


cdef int set_history_of_view(PyObject *tensor, RtNode *node) except -1:
    """Let a view have another one's node: the same view, made anew."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef PyObject *old = t.autograd
    RT_INC(node)
    t.autograd = <PyObject *>node
    t.flags |= RT_T_REQUIRES_GRAD
    if t.ext != NULL:
        (<rt_grad_ext *>t.ext).output_nr = 0
        if (<rt_grad_ext *>t.ext).retains_grad:
            move_retained(tensor, old, node, 0)
        if (<rt_grad_ext *>t.ext).hooks != NULL and old != <PyObject *>node:
            forget_hooks(<rt_grad_ext *>t.ext)
    node.is_view = 1
    node.view_version = version_of(t)
    RT_XDEC(old)
    return 0


cdef object replayed(object base, tuple steps):
    """A view of a base, made as another one was: step by step."""
    for func, args, keywords in steps:
        base = func(base, *args, **keywords)
    return base
