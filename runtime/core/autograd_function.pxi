# Custom functions: the node of a call is the context that its `forward` and `backward` get. The classes that users derive from are in
# runtime/autograd/function.py.

@cython.final
@cython.freelist(32)
cdef class FunctionState:
    """What a context holds beside the node's own fields."""
    cdef object to_save, saved_for_forward, non_differentiable, dirty_tensors
    cdef bint materialize_grads
    cdef bint boxed_grads
    cdef bint saved_in_setup       # `setup_context` is written by the user
    cdef bint pure_view            # the output, a view of the input, may be written: `backward` is then that of `as_strided`
    cdef tuple needs_input_grad
    cdef Py_ssize_t n_inputs
    cdef tuple places              # for each input the edge of its gradient, -1 where it is no tensor; None where all are tensors


cdef class _FunctionBase(Node):
    """A call of a custom function: node of the graph, and context of `forward` and `backward`."""

    def __cinit__(self, *args, **kwargs):
        cdef FunctionState state = FunctionState.__new__(FunctionState)
        cdef RtNode *n = RT_NODE(<void *>self)
        rt_node_emplace(n, RT_NODE_PYTHON)
        n.tracked = 1
        state.materialize_grads = True
        state.needs_input_grad = ()
        RT_INC(<void *>state)
        n.payload = <PyObject *>state

    def __init__(self, *args, **kwargs):
        pass

    def save_for_backward(self, *tensors):
        """Save tensors, inputs or outputs of the function, for `backward`, which finds them in `saved_tensors`."""
        state_of(self).to_save = tensors

    @property
    def saved_tensors(self):
        """What `save_for_backward` has saved, as a tuple."""
        cdef RtNode *n = RT_NODE(<void *>self)
        cdef uint32_t i
        saved = state_of(self).saved_for_forward
        if saved is not None:
            return saved   # until `jvp` has run
        if n.released:
            raise released_error()
        return tuple([unpack_saved(n, &n.saved[i], True) for i in range(n.num_saved)])

    @property
    def saved_variables(self):
        """The older name of `saved_tensors`."""
        import warnings
        warnings.warn("'saved_variables' is deprecated; use 'saved_tensors'", DeprecationWarning, stacklevel=2)
        return self.saved_tensors

    @property
    def _raw_saved_tensors(self):
        cdef RtNode *n = RT_NODE(<void *>self)
        cdef uint32_t i
        cdef SavedTensor one
        if n.released:
            raise released_error()
        found = []
        for i in range(n.num_saved):
            one = SavedTensor.__new__(SavedTensor)
            one.node = self
            one.place = <int>i
            found.append(one)
        return tuple(found)

    @property
    def to_save(self):
        return state_of(self).to_save

    @to_save.setter
    def to_save(self, value):
        state_of(self).to_save = value

    @property
    def saved_for_forward(self):
        return state_of(self).saved_for_forward

    @saved_for_forward.setter
    def saved_for_forward(self, value):
        state_of(self).saved_for_forward = value

    @property
    def non_differentiable(self):
        return state_of(self).non_differentiable

    @non_differentiable.setter
    def non_differentiable(self, value):
        state_of(self).non_differentiable = value

    @property
    def dirty_tensors(self):
        return state_of(self).dirty_tensors

    @dirty_tensors.setter
    def dirty_tensors(self, value):
        state_of(self).dirty_tensors = value

    @property
    def materialize_grads(self):
        """Whether zeros stand for gradients that did not arrive."""
        return state_of(self).materialize_grads

    @materialize_grads.setter
    def materialize_grads(self, bint value):
        state_of(self).materialize_grads = value

    @property
    def _boxed_grads(self):
        """Whether `backward` gets its gradients in one list, by way of `apply_boxed`."""
        return state_of(self).boxed_grads

    @_boxed_grads.setter
    def _boxed_grads(self, bint value):
        state_of(self).boxed_grads = value

    @property
    def _is_pure_view(self):
        """Set only: whether the output is a view of the input like an operator's, which may be written in place."""
        raise AttributeError("attribute '_is_pure_view' of 'torch._C._FunctionBase' objects is not readable")

    @_is_pure_view.setter
    def _is_pure_view(self, value):
        if not isinstance(value, bool):
            raise TypeError("set_pure_view received an invalid combination of arguments - got (), but expected (bool)")
        state_of(self).pure_view = value

    def _drop_saved_tensors(self):
        """Forget what `save_for_backward` has saved."""
        rt_node_resize_saved(RT_NODE(<void *>self), 0)

    @property
    def needs_input_grad(self):
        """For each input whether it needs a gradient."""
        return state_of(self).needs_input_grad

    @needs_input_grad.setter
    def needs_input_grad(self, value):
        state_of(self).needs_input_grad = tuple(value)


rt_setup_function_node_type(<PyTypeObject *>_FunctionBase)
rt_name_type(<PyTypeObject *>_FunctionBase, "runtime._core._FunctionBase")

cdef extern from "runtime/core/node.h":
    void rt_setup_function_node_type(PyTypeObject *type) noexcept


cdef inline FunctionState state_of(object ctx):
    return <FunctionState>RT_NODE(<void *>ctx).payload


# ------------------------------------------------------------------------------------------------------------- the classes

cdef extern from *:
    """
    /* What a call looks up in a function's class. The references are borrowed of the class, which has changed if its version has. */
    typedef struct rt_function_class {
        PyTypeObject *type;
        unsigned int version;
        PyObject *context_class, *forward, *setup_context;
    } rt_function_class;
    enum { RT_FUNCTION_CLASSES = 64 };
    static rt_function_class rt_function_classes[RT_FUNCTION_CLASSES];
    static inline unsigned int rt_type_version(PyTypeObject *type)
    {
        return PyType_HasFeature(type, Py_TPFLAGS_VALID_VERSION_TAG) ? type->tp_version_tag : 0;
    }
    static inline rt_function_class *rt_function_class_place(PyTypeObject *type)
    {
        return &rt_function_classes[((uintptr_t)type >> 5) % RT_FUNCTION_CLASSES];
    }
    /* What the class's attribute is, if it is a plain or static function or a class and nothing stands before it; NULL without an exception
       otherwise. */
    static PyObject *rt_static_attribute(PyTypeObject *type, PyObject *name)
    {
        PyObject *raw = _PyType_Lookup(type, name), *value;
        if (raw == NULL || _PyType_Lookup(Py_TYPE(type), name) != NULL)
            return NULL;
        value = PyObject_GetAttr((PyObject *)type, name);
        if (value == NULL) {
            PyErr_Clear();
            return NULL;
        }
        Py_DECREF(value); /* the class has another reference in all of these cases */
        return value == raw || Py_IS_TYPE(raw, &PyStaticMethod_Type) ? value : NULL;
    }
    static PyObject *rt_new_context(PyTypeObject *type, PyTypeObject *base, PyObject *none)
    {
        if (type->tp_new == base->tp_new && type->tp_init == base->tp_init)
            return type->tp_new(type, none, NULL);
        return PyObject_CallNoArgs((PyObject *)type);
    }
    """
    ctypedef struct rt_function_class:
        PyTypeObject *type
        unsigned int version
        PyObject *context_class
        PyObject *forward
        PyObject *setup_context
    unsigned int rt_type_version(PyTypeObject *type) noexcept
    rt_function_class *rt_function_class_place(PyTypeObject *type) noexcept
    PyObject *rt_static_attribute(PyTypeObject *type, PyObject *name) noexcept
    object rt_new_context(PyTypeObject *type, PyTypeObject *base, PyObject *none)
    object c_vectorcall_object "PyObject_Vectorcall"(PyObject *function, PyObject *const *args, size_t n, PyObject *names)
    object c_call_with_tuple "PyObject_CallObject"(PyObject *function, PyObject *args)

cdef object context_class_name = intern_name("_backward_cls")
cdef object forward_name_of_class = intern_name("forward")
cdef object setup_context_name = intern_name("setup_context")


cdef int look_up_class(object cls, rt_function_class *found) except -1:
    """What a call needs of a function's class, borrowed of it; fields that only `getattr` knows are NULL."""
    cdef PyTypeObject *t = <PyTypeObject *>cls
    cdef rt_function_class *kept
    if not isinstance(cls, type):
        raise TypeError(f"a custom function is a class derived from autograd.Function, not {class_name(cls)}")
    kept = rt_function_class_place(t)
    if likely(kept.type == t and kept.version != 0 and kept.version == rt_type_version(t)):
        found[0] = kept[0]
        return 0
    found.type = t
    found.context_class = rt_static_attribute(t, <PyObject *>context_class_name)
    found.forward = rt_static_attribute(t, <PyObject *>forward_name_of_class)
    found.setup_context = rt_static_attribute(t, <PyObject *>setup_context_name)
    found.version = rt_type_version(t)
    if found.context_class != NULL and found.forward != NULL and found.setup_context != NULL:
        kept[0] = found[0]
    return 0


# -------------------------------------------------------------------------------------------------------------------- calls

cdef enum:
    FEW_INPUTS = 15


cdef object call_forward(object forward, object ctx, tuple args):
    """``forward(ctx, *args)``; without the context where it is None."""
    cdef PyObject *stack[FEW_INPUTS + 1]
    cdef Py_ssize_t i, n = len(args), first = 0
    if unlikely(n > FEW_INPUTS):
        return forward(*args) if ctx is None else forward(ctx, *args)
    if ctx is not None:
        stack[0] = <PyObject *>ctx
        first = 1
    for i in range(n):
        stack[first + i] = <PyObject *>args[i]
    return c_vectorcall_object(<PyObject *>forward, stack, n + first, NULL)


cdef int read_inputs(FunctionState state, RtNode *n, tuple args) except -1:
    """Note which inputs are tensors and need gradients, and give the node its edges: 1 if one needs a gradient and calls are recorded."""
    cdef Py_ssize_t i, count = 0, tensors = 0, n_args = len(args)
    cdef PyObject *value
    cdef tuple needs = <tuple>steal(c_tuple_new(n_args))
    cdef list places = None
    cdef bint needed, executable = False
    state.n_inputs = n_args
    for i in range(n_args):
        value = <PyObject *>args[i]
        needed = False
        if rt_is_tensor(value):
            tensors += 1
            needed = needs_grad(RT_TENSOR(value))
            executable |= needed
        RT_INC(c_True if needed else c_False)
        RT_TUPLE_ITEMS(<PyObject *>needs)[i] = c_True if needed else c_False
    state.needs_input_grad = needs
    if unlikely(tensors != n_args):
        places = []
        for i in range(n_args):
            places.append(count if rt_is_tensor(<PyObject *>args[i]) else -1)
            count += rt_is_tensor(<PyObject *>args[i])
        state.places = tuple(places)
    if not executable or rt_tls_state.no_grad:
        return 0
    rt_node_resize_edges(n, <uint32_t>tensors)
    count = 0
    for i in range(n_args):
        if rt_is_tensor(<PyObject *>args[i]):
            find_edge(<PyObject *>args[i], &n.edges[count])
            count += 1
    return 1


cdef object apply_function(object cls, tuple args, dict keywords):
    cdef rt_function_class found
    cdef RtNode *n
    cdef FunctionState state
    cdef Py_ssize_t i
    cdef bint executable, setup
    cdef uint8_t before, forward_before
    cdef RtTensor *t
    look_up_class(cls, &found)
    forward = <object>found.forward if found.forward != NULL else cls.forward
    setup_context = <object>found.setup_context if found.setup_context != NULL else cls.setup_context
    setup = setup_context is not default_setup_context
    if unlikely(setup or keywords):
        args = bind_inputs(forward, setup, args, keywords)
    context_class = <object>found.context_class if found.context_class != NULL else cls._backward_cls
    if not isinstance(context_class, type) or not PyType_IsSubtype(<PyTypeObject *>context_class, <PyTypeObject *>_FunctionBase):
        raise TypeError(f"{(<type>cls).__name__}._backward_cls is no context class")
    ctx = rt_new_context(<PyTypeObject *>context_class, <PyTypeObject *>_FunctionBase, <PyObject *>())
    n = RT_NODE(<void *>ctx)
    state = state_of(ctx)
    executable = read_inputs(state, n, args)
    state.saved_in_setup = setup
    before = rt_tls_state.no_grad
    forward_before = rt_tls_state.no_forward_grad
    rt_tls_state.no_grad = 1
    rt_tls_state.no_forward_grad = 1
    try:
        result = call_forward(forward, None if setup else ctx, args)
        if setup:
            setup_context(ctx, args, result)
    finally:
        rt_tls_state.no_grad = before
        rt_tls_state.no_forward_grad = forward_before
    t = RT_TENSOR(<void *>result)
    if likely(rt_is_tensor(<PyObject *>result) and executable and state.dirty_tensors is None and state.non_differentiable is None
              and not state.pure_view and t.autograd == NULL and t.view == NULL and not t.flags & RT_T_REQUIRES_GRAD and has_derivative_dtype(t)
              and forward_level < 0 and not is_among(args, <PyObject *>result)):
        rt_node_resize_slots(n, 1)
        set_history(<PyObject *>result, n, 0)
        wrapped = None
    else:
        wrapped = wrap_outputs(ctx, state, args, result if isinstance(result, tuple) else (result,), executable)
    if unlikely(forward_level >= 0 and not forward_before):
        for i in range(len(args)):
            if rt_is_tensor(<PyObject *>args[i]) and has_tangent(<PyObject *>args[i]):
                from runtime.autograd.forward_mode import propagate_through_function
                propagate_through_function(cls, ctx, args, wrapped, _set_tangent)
                break
    if executable:
        save_for_backward(n, state)   # after `jvp`, which is shown what `save_for_forward` kept and nothing else
        if unlikely(anomaly_mode):
            note_forward_trace(n)
    state.to_save = None
    state.saved_for_forward = None
    state.dirty_tensors = None
    state.non_differentiable = None
    if wrapped is None:
        return result
    return tuple(wrapped) if isinstance(result, tuple) else wrapped[0]


cdef object default_setup_context = None   # Function.setup_context
cdef object bind_inputs = None             # function(forward, setup, args, keywords): all inputs by position


def _set_function_parts(setup_context, bind):
    """Tell which `setup_context` is the base class's: a function with that one has a `forward` that takes the context; and what puts
    keyword arguments into their places."""
    global default_setup_context, bind_inputs
    default_setup_context, bind_inputs = setup_context, bind


cdef set identities(object tensors, str what):
    """The objects of a tuple of tensors that a context was given."""
    if tensors is None:
        return None
    if not isinstance(tensors, tuple):
        raise RuntimeError(f"autograd internal error: {what} attribute is expected to be a tuple but is ")
    for one in tensors:
        if not rt_is_tensor(<PyObject *>one):
            raise RuntimeError("mark_dirty can only accept variables, but argument " if what == "dirty_tensors" else
                               "mark_non_differentiable only accepts variable arguments, but got ")
    return {<uintptr_t><PyObject *>one for one in tensors}


cdef inline bint is_among(tuple args, PyObject *one) noexcept:
    cdef Py_ssize_t i
    for i in range(RT_SIZE(<PyObject *>args)):
        if RT_TUPLE_ITEMS(<PyObject *>args)[i] == one:
            return True
    return False


cdef list wrap_outputs(object ctx, FunctionState state, tuple args, tuple outputs, bint executable):
    """Give what `forward` returned its history."""
    cdef RtNode *n = RT_NODE(<void *>ctx)
    cdef set dirty = identities(state.dirty_tensors, "dirty_tensors")
    cdef set fixed = identities(state.non_differentiable, "non_differentiable")
    cdef list wrapped = []
    cdef RtTensor *t
    cdef uint32_t nr = 0
    cdef bint is_input, is_modified, differentiable
    cdef uint32_t n_tensors = 0
    if dirty is not None:
        for one in state.dirty_tensors:
            bump(<PyObject *>one)
        out = {<uintptr_t><PyObject *>one for one in outputs}
        for one in state.dirty_tensors:
            if <uintptr_t><PyObject *>one not in out:
                raise RuntimeError("Some elements marked as dirty during the forward method were not returned as output. The inputs that are "
                                   "modified inplace must all be outputs of the Function.")
    if executable:
        rt_node_resize_slots(n, <uint32_t>len(outputs))
    for one in outputs:
        n_tensors += rt_is_tensor(<PyObject *>one)
    if state.pure_view and (len(outputs) != 1 or sum([isinstance(one, Tensor) for one in args]) != 1):
        raise RuntimeError("Pure view custom Function can only have one input Tensor and one output Tensor. Open an issue if you need to "
                           "support more.")
    for one in outputs:
        if not rt_is_tensor(<PyObject *>one):
            wrapped.append(one)
            nr += 1
            continue
        t = RT_TENSOR(<void *>one)
        is_input = is_among(args, <PyObject *>one)
        is_modified = dirty is not None and <uintptr_t><PyObject *>one in dirty
        differentiable = executable and (fixed is None or <uintptr_t><PyObject *>one not in fixed) and has_derivative_dtype(t)
        if not differentiable:
            if executable and (is_grad_of_fixed_wanted(ctx) or fixed is None or <uintptr_t><PyObject *>one not in fixed):
                rt_grad_like_set(&n.slots[nr], t)   # for zeros in the place of its gradient
            if is_input and not is_modified:
                one = view_of_itself(one) if not needs_grad(t) else one.detach()
            elif needs_grad(t) and not is_modified and (is_input or t.view == NULL):
                one = one.detach()   # but views are as if the caller had made them
        elif is_modified:
            if t.autograd == NULL and needs_grad(t):
                raise RuntimeError("a leaf Variable that requires grad has been used in an in-place operation.")
            if not is_input:
                import warnings
                warnings.warn("ctx.mark_dirty() received a tensor that was not an input. Only input Tensors that have been mutated should be "
                              "passed to ctx.mark_dirty().")
            if t.view != NULL:
                if n_tensors > 1:
                    raise RuntimeError("If your Function modifies inplace an input that is a view of another Tensor, your Function cannot "
                                       "return more than one Tensor. This is not supported by the current autograd engine. You should either "
                                       "make sure the input is not a view (using .clone() for example) or make your Function only return one "
                                       "Tensor (potentially splitting it into two Functions: one doing the inplace that returns a single Tensor "
                                       "and a second one that does the other operations). You can ask on the forum "
                                       "https://discuss.pytorch.org/ if you need help to do this change.")
                if t.flags & RT_T_CREATION:
                    raise creation_error(<PyObject *>one, False)
                rebase_view(<PyObject *>one, n)
            else:
                set_history(<PyObject *>one, n, nr)
        else:
            if is_input:
                if state.saved_in_setup and state.to_save is not None and any([one is kept for kept in state.to_save]):
                    raise RuntimeError("An input that has been returned as-is as output is being saved for backward. This is not supported if "
                                       "you override setup_context. You should return and save a view of the input instead, e.g. with "
                                       "x.view_as(x) or setup ctx inside the forward function itself.")
                shown = one
                one = view_of_itself(one)
                if state.to_save is not None:
                    state.to_save = tuple([one if kept is shown and not needs_grad(RT_TENSOR(<void *>shown)) else kept for kept in state.to_save])
            set_history(<PyObject *>one, n, nr)
        t = RT_TENSOR(<void *>one)
        if t.view != NULL and not (is_input and is_modified):
            creation = RT_CREATED_BY_MULTI_OUTPUT if n_tensors > 1 and executable else RT_CREATED_IN_CUSTOM_FUNCTION
            if state.pure_view:
                creation = RT_CREATED_BY_DEFAULT
            t.flags = (t.flags & ~<uint32_t>RT_T_CREATION) | <uint32_t>creation << RT_T_CREATION_SHIFT
        wrapped.append(one)
        nr += 1
    return wrapped


cdef bint is_grad_of_fixed_wanted(object ctx) except -1:
    """Whether `backward` gets zeros for outputs that have no gradient, unless the context says otherwise."""
    return bool(getattr(ctx, "_materialize_non_diff_grads", True))


cdef object view_of_itself(object tensor):
    """A view of all of a tensor, made without recording."""
    with _NoGradBlock():
        return tensor.view_as(tensor)


cdef int save_for_backward(RtNode *n, FunctionState state) except -1:
    cdef uint32_t i, count
    cdef PyObject *value
    if state.to_save is None:
        return 0
    if not isinstance(state.to_save, tuple):
        raise RuntimeError("autograd internal error: to_save attribute is expected to be a tuple but is ")
    count = <uint32_t>len(state.to_save)
    rt_node_resize_saved(n, count)
    for i in range(count):
        one = state.to_save[i]
        value = <PyObject *>one
        if one is not None and not rt_is_tensor(value):
            raise TypeError(f"save_for_backward can only save variables, but argument {i} is of type {class_name(one)}")
        if one is None:
            n.saved[i].value = NULL
            continue
        save_tensor(&n.saved[i], value, n, output_nr_of(RT_TENSOR(value)))
    return 0


cdef int apply_custom(RtNode *n, PyObject **grads, PyObject **made) except -1:
    """Call a custom function's `backward`."""
    ctx = <object><PyObject *>n
    cdef FunctionState state = state_of(ctx)
    cdef uint32_t i
    cdef Py_ssize_t given, wanted, place
    cdef list arguments = []
    for i in range(n.num_slots):
        if grads[i] != NULL:
            arguments.append(<object>grads[i])
        elif state.materialize_grads and n.slots[i].is_set:
            arguments.append(zeros_as(&n.slots[i]))
        else:
            arguments.append(None)
    if unlikely(state.boxed_grads):
        # The list is all that holds the gradients, unless hooks are to see them.
        for i in range(n.num_slots if n.extra == NULL else 0):
            put_one(grads, i, None)
        answers = ctx.apply_boxed(arguments)
    else:
        answers = ctx.apply(*arguments)
    if not isinstance(answers, tuple):
        answers = (answers,)
    given = len(answers)
    wanted = state.n_inputs
    if given > wanted and all([one is None for one in answers[wanted:]]):
        answers = answers[:wanted]
        given = wanted
    if given != wanted:
        raise RuntimeError(f"function {ctx.name()} returned an incorrect number of gradients (expected {wanted}, got {given})")
    for i in range(<uint32_t>wanted):
        place = i if state.places is None else state.places[i]
        one = answers[i]
        if place < 0:
            if one is not None:
                raise RuntimeError(f"function {ctx.name()} returned a gradient different than None at position {i + 1}, but the corresponding "
                                   f"forward input was not a Variable")
            continue
        if one is None:
            continue
        if not rt_is_tensor(<PyObject *>one):
            raise RuntimeError(f"expected Variable or None (got {class_name(one)})")
        RT_INC(<void *>one)
        made[place] = <PyObject *>one
    return 0


cdef object zeros_as(rt_grad_like *like):
    """Zeros where no gradient arrived."""
    return functions["zeros"](steal(rt_size_new(like.ndim, like.sizes)), dtype=<object>rt_dtype_objects[like.dtype],
                              device=make_device(like.device_type, like.device_index))


def _apply_function(cls, *args, **kwargs):
    """Call the function: `forward` runs without recording, and the call becomes a node of the graph."""
    return apply_function(cls, args, kwargs)


def _with_error(tuple tensors not None, str message not None):
    """Tensors on the same memory as others, behind one node through which backward raises; its edges lead to where the others come from. None stays
    None, and has an edge to nowhere."""
    cdef uint32_t i, n = <uint32_t>len(tensors)
    cdef RtNode *node
    for one in tensors:
        if one is not None and not rt_is_tensor(<PyObject *>one):
            raise TypeError(f"an error node is for tensors only, not for {class_name(one)}")
    node = rt_node_new(<PyTypeObject *>ErrorNode, RT_NODE_ERROR, n, max(n, 1), 0)
    if node == NULL:
        raise_current()
    holder = steal(<PyObject *>node)
    RT_INC(<void *>message)
    node.payload = <PyObject *>message
    made = []
    for i in range(n):
        if tensors[i] is None:
            made.append(None)
            continue
        find_edge(<PyObject *>tensors[i], &node.edges[i])
        result = without_history(tensors[i])
        set_history(<PyObject *>result, node, i)
        made.append(result)
    return tuple(made)
