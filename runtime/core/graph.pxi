# The autograd graph as Python sees it: nodes and their edges, hooks on nodes, and what a tensor knows of its history.
#
# A tensor that was made by a recorded call has that call's node in `autograd`; a leaf's node, which accumulates its gradient, is made when
# a call first needs it, and the leaf only borrows it. Which output a tensor is stands in its extension where it is not the first.

cdef extern from "runtime/core/node.h":
    ctypedef struct rt_node_body:
        pass
    ctypedef struct rt_edge:
        PyObject *node
        uint32_t nr
    ctypedef struct rt_grad_like:
        int64_t *sizes
        uint8_t ndim
        uint8_t dtype
        int8_t device_type
        int8_t device_index
        uint8_t is_set
        uint8_t is_subclass
        uint8_t any_dtype
    ctypedef struct rt_saved:
        PyObject *value
        PyObject *unpack
        PyObject *history
        int64_t expected
        uint32_t nr
        uint8_t is_tensor
        uint8_t is_output
        uint8_t has_history
        uint8_t is_list
        uint8_t of_view
    ctypedef struct RtNode:
        uint64_t sequence_nr
        uint32_t num_edges
        uint32_t num_slots
        uint32_t num_saved
        uint8_t kind
        uint8_t tracked
        uint8_t released
        uint8_t is_view
        rt_edge *edges
        rt_grad_like *slots
        rt_saved *saved
        PyObject *payload
        PyObject *extra
        int64_t view_version
        uint64_t task
        uint32_t place
    ctypedef struct rt_grad_ext:
        PyObject *grad
        PyObject *accumulator
        PyObject *hooks
        PyObject *post_hooks
        PyObject *tangent
        PyObject *replay
        PyObject *kept
        PyObject *quantizer
        int64_t view_version
        uint32_t output_nr
        uint8_t retains_grad
        uint8_t is_primal
        uint8_t knows_version
        uint8_t grad_dtype
    enum:
        RT_NODE_OPERATOR, RT_NODE_ACCUMULATE, RT_NODE_COPY_SLICES, RT_NODE_PYTHON, RT_NODE_ERROR
    RtNode *RT_NODE(void *o) noexcept
    int rt_setup_node_type(PyTypeObject *type) except -1
    void rt_setup_operator_node_type(PyTypeObject *type) noexcept
    RtNode *rt_node_new(PyTypeObject *type, int kind, uint32_t edges, uint32_t slots, uint32_t saved) noexcept
    void rt_node_emplace(RtNode *n, int kind) noexcept
    int rt_node_resize_edges(RtNode *n, uint32_t edges) except -1
    int rt_node_resize_slots(RtNode *n, uint32_t slots) except -1
    int rt_node_resize_saved(RtNode *n, uint32_t saved) except -1
    void rt_node_track(RtNode *n) noexcept
    void rt_node_release_saved(RtNode *n) noexcept
    int rt_grad_like_set(rt_grad_like *like, const RtTensor *t) except -1
    rt_grad_ext *rt_grad_ext_of(RtTensor *t) noexcept
    rt_grad_ext *rt_grad_ext_or_null(const RtTensor *t) noexcept
    uint64_t rt_next_sequence_nr


cdef class NodeExtra:
    """What few nodes have: hooks and attributes."""
    cdef list tensor_hooks    # (output, dict of hooks) in the order of registration
    cdef dict retaining       # output -> weak reference of the tensor that retains its gradient
    cdef object pre_hooks     # dict of hooks, or None
    cdef object post_hooks
    cdef dict metadata


cdef class Node:
    """A recorded call in the autograd graph: it turns gradients of the call's outputs into gradients of its inputs."""
    cdef rt_node_body body
    cdef object gc_marker  # never used: makes Cython give the type a place in garbage collection

    def __cinit__(self, *args, **kwargs):
        # Whatever Python code makes is a node without a call, and the garbage collector's from the beginning.
        rt_node_emplace(RT_NODE(<void *>self), RT_NODE_ERROR)
        RT_NODE(<void *>self).tracked = 1

    def __init__(self):
        raise TypeError(f"cannot create '{type(self).__name__}' instances")

    def __call__(self, *grads):
        """Gradients of the call's inputs from gradients of its outputs: the formula alone, without hooks."""
        return call_node(self, grads)

    def name(self):
        """The name of the node: that of its class, qualified if it stands for no operator."""
        name = type(self).__name__
        return f"torch::autograd::{name}" if name.endswith("Backwards") else name

    def __repr__(self):
        return f"<{type(self).__name__} object at {hex(<uintptr_t><PyObject *>self)}>"

    @property
    def next_functions(self):
        """For each differentiable input (node, which output of it), or (None, 0)."""
        cdef RtNode *n = RT_NODE(<void *>self)
        cdef uint32_t i
        return tuple([(<object>n.edges[i].node, n.edges[i].nr) if n.edges[i].node != NULL else (None, 0) for i in range(n.num_edges)])

    @property
    def metadata(self):
        """A dictionary for the user's own purposes."""
        cdef NodeExtra extra = extra_of(self)
        if extra.metadata is None:
            extra.metadata = {}
        return extra.metadata

    @property
    def requires_grad(self):
        return True

    @property
    def _input_metadata(self):
        """For each output of the call: what its gradient looks like."""
        cdef RtNode *n = RT_NODE(<void *>self)
        cdef uint32_t i
        return [input_metadata(&n.slots[i]) for i in range(n.num_slots)]

    def _sequence_nr(self):
        """The number of the call, in the order of recording."""
        return RT_NODE(<void *>self).sequence_nr

    def _set_sequence_nr(self, uint64_t number):
        """Give the node another number: nodes with higher numbers run earlier."""
        RT_NODE(<void *>self).sequence_nr = number

    def register_hook(self, fn):
        """Run ``fn(grad_inputs, grad_outputs)`` after the node; what it returns, if not None, replaces the gradients of the inputs.

        Returns
        -------
        RemovableHandle
            Its `remove` takes the hook back.
        """
        cdef NodeExtra extra = extra_of(self)
        if extra.post_hooks is None:
            extra.post_hooks = ordered_dict()
        return add_hook(extra.post_hooks, fn)

    def register_prehook(self, fn):
        """Run ``fn(grad_outputs)`` before the node; what it returns, if not None, replaces the gradients of the outputs.

        Returns
        -------
        RemovableHandle
            Its `remove` takes the hook back.
        """
        cdef NodeExtra extra = extra_of(self)
        if extra.pre_hooks is None:
            extra.pre_hooks = ordered_dict()
        return add_hook(extra.pre_hooks, fn)

    def _register_hook_dict(self, hooks):
        """Run the functions of a dictionary on the gradient of the first output, as hooks of a tensor."""
        add_tensor_hooks(<PyObject *>self, 0, hooks)


rt_setup_node_type(<PyTypeObject *>Node)
rt_name_type(<PyTypeObject *>Node, "runtime.autograd.graph.Node")


cdef class AccumulateGrad(Node):
    """The node of a leaf: it adds what arrives to the leaf's gradient."""

    @property
    def variable(self):
        """The leaf."""
        cdef PyObject *leaf = RT_NODE(<void *>self).payload
        return None if leaf == NULL else <object>leaf

    def name(self):
        """The name of the node."""
        return "torch::autograd::AccumulateGrad"


rt_name_type(<PyTypeObject *>AccumulateGrad, "runtime.autograd.graph.AccumulateGrad")
rt_setup_operator_node_type(<PyTypeObject *>AccumulateGrad)


cdef class NotImplementedNode(Node):
    """The node of an operator that has no derivative: backward through it raises."""

    def name(self):
        """The name of the node."""
        return "torch::autograd::NotImplemented"


rt_name_type(<PyTypeObject *>NotImplementedNode, "NotImplemented")
rt_setup_operator_node_type(<PyTypeObject *>NotImplementedNode)


cdef class ErrorNode(Node):
    """A node that Python code asked for, through which backward raises."""

    def name(self):
        """The name of the node."""
        return "torch::autograd::Error"


rt_name_type(<PyTypeObject *>ErrorNode, "Error")
rt_setup_operator_node_type(<PyTypeObject *>ErrorNode)


cdef object input_metadata(rt_grad_like *like):
    from types import SimpleNamespace
    cdef int i
    if not like.is_set:
        return None
    return SimpleNamespace(shape=steal(rt_size_new(like.ndim, like.sizes)), dtype=<object>rt_dtype_objects[like.dtype],
                           device=make_device(like.device_type, like.device_index), is_tensor_subclass=bool(like.is_subclass),
                           is_nested_tensor=False)


cdef object ordered_dict():
    from collections import OrderedDict
    return OrderedDict()


cdef object add_hook(object hooks, object fn):
    from runtime.utils.hooks import RemovableHandle
    handle = RemovableHandle(hooks)
    hooks[handle.id] = fn
    return handle


cdef NodeExtra extra_of(object node):
    cdef RtNode *n = RT_NODE(<void *>node)
    if n.extra == NULL:
        extra = NodeExtra.__new__(NodeExtra)
        RT_INC(<void *>extra)
        n.extra = <PyObject *>extra
        rt_node_track(n)
    return <NodeExtra>n.extra


cdef int add_tensor_hooks(PyObject *node, uint32_t nr, object hooks) except -1:
    """Let a dictionary of hooks see the gradient of an output; the same one once only."""
    cdef NodeExtra extra = extra_of(<object>node)
    if extra.tensor_hooks is None:
        extra.tensor_hooks = []
    for entry in extra.tensor_hooks:
        if entry[0] == nr and entry[1] is hooks:
            return 0
    extra.tensor_hooks.append((nr, hooks))
    return 0


# ---------------------------------------------------------------------------------------------------- a tensor's history

cdef inline bint needs_grad(RtTensor *t) noexcept:
    """Whether a call with this argument is to be recorded. A view does what its base does since a write to the base made it so."""
    return (t.flags & RT_T_REQUIRES_GRAD) != 0 or (t.view != NULL and (RT_TENSOR(t.view).flags & RT_T_REQUIRES_GRAD) != 0)


cdef inline int64_t version_of(RtTensor *t) noexcept:
    return 0 if t.version == NULL else t.version.value


def _increment_version(tensors not None):
    """Count a write to each of some tensors, that no operator has made; inference tensors count none."""
    for one in tensors:
        if not rt_is_tensor(<PyObject *>one):
            raise TypeError(f"increment_version expect each element of the iterable to be a tensor, not {class_name(one)}")
        bump(<PyObject *>one)


cdef inline uint32_t output_nr_of(RtTensor *t) noexcept:
    return 0 if t.ext == NULL else (<rt_grad_ext *>t.ext).output_nr


cdef int find_history(PyObject *tensor, PyObject **node) except -1:
    """The node that made a tensor (borrowed), or NULL for a leaf. A view whose base was written has another history since."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    node[0] = t.autograd
    if likely(t.view == NULL):
        return 0
    if t.autograd != NULL and RT_NODE(t.autograd).view_version == version_of(t):
        return 0
    if not RT_TENSOR(t.view).flags & RT_T_REQUIRES_GRAD:
        return 0
    if t.autograd == NULL and has_no_history_yet(t):
        return 0
    renew_history(tensor)
    node[0] = t.autograd
    return 0


cdef bint has_no_history_yet(RtTensor *view) noexcept:
    """Whether a view was made without recording and nothing was written since, or made of what became a leaf later."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(view)
    if ext == NULL or not ext.knows_version:
        return RT_TENSOR(view.view).autograd == NULL
    return ext.view_version == version_of(view)


cdef int find_edge(PyObject *tensor, rt_edge *edge) except -1:
    """Where a tensor's gradient goes; the edge owns its node, and has none where the tensor needs no gradient."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef PyObject *node
    edge.node = NULL
    edge.nr = 0
    if not needs_grad(t):
        return 0
    if likely(t.view == NULL):
        node = t.autograd
    else:
        find_history(tensor, &node)
    if node != NULL:
        edge.nr = output_nr_of(t)
        RT_INC(node)
        edge.node = node
        return 0
    if t.flags & RT_T_REQUIRES_GRAD:
        edge.node = accumulator_of(tensor)
        if edge.node == NULL:
            raise_current()
    return 0


cdef PyObject *accumulator_of(PyObject *tensor) noexcept:
    """A new reference of a leaf's node; NULL with an exception set."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef rt_grad_ext *ext = rt_grad_ext_of(t)
    cdef RtNode *n
    if ext == NULL:
        return NULL
    if ext.accumulator != NULL:
        RT_INC(ext.accumulator)
        return ext.accumulator
    n = rt_node_new(<PyTypeObject *>AccumulateGrad, RT_NODE_ACCUMULATE, 0, 1, 0)
    if n == NULL:
        return NULL
    n.sequence_nr = 0xffffffffffffffff   # gradients are accumulated as soon as they are there
    try:
        rt_grad_like_set(&n.slots[0], t)
        if unlikely(ext.grad_dtype != 0):
            note_grad_dtype(n, t)
        if ext.hooks != NULL:
            add_tensor_hooks(<PyObject *>n, 0, <object>ext.hooks)
    except BaseException as e:
        set_current(e)
        RT_DEC(n)
        return NULL
    RT_INC(tensor)
    n.payload = tensor
    ext.accumulator = <PyObject *>n
    return <PyObject *>n


cdef inline bint has_derivative_dtype(RtTensor *t) noexcept:
    """Whether elements of this dtype can have gradients."""
    return 5 <= t.dtype <= 10 or t.dtype == 15 or 23 <= t.dtype <= 26 or t.dtype == 44


cdef int set_history(PyObject *tensor, RtNode *node, uint32_t nr) except -1:
    """Make a tensor output `nr` of a node; outputs of other dtypes than floating-point and complex ones only take a slot."""
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef rt_grad_ext *ext
    cdef PyObject *old = t.autograd
    if not has_derivative_dtype(t):
        return 0
    rt_grad_like_set(&node.slots[nr], t)
    RT_INC(node)
    t.autograd = <PyObject *>node
    t.flags |= RT_T_REQUIRES_GRAD
    if unlikely(nr != 0 or t.ext != NULL):
        ext = rt_grad_ext_of(t)
        if ext == NULL:
            raise_current()
        ext.output_nr = nr
        if unlikely(ext.retains_grad):
            move_retained(tensor, old, node, nr)
        if unlikely(ext.hooks != NULL and old != <PyObject *>node):
            forget_hooks(ext)
    if t.view != NULL:
        node.is_view = 1
        node.view_version = version_of(t)
    if unlikely(node.tracked):
        rt_tensor_track(t)   # custom functions' nodes may be part of a cycle
    if unlikely(old != NULL):
        RT_DEC(old)
    return 0


cdef void forget_hooks(rt_grad_ext *ext) noexcept:
    """The hooks of a tensor that was written in place stay with the node that made what was there before."""
    cdef PyObject *hooks = ext.hooks
    ext.hooks = NULL
    RT_XDEC(hooks)


cdef int move_retained(PyObject *tensor, PyObject *old, RtNode *node, uint32_t nr) except -1:
    """A tensor that was written in place retains the gradient of what it has become."""
    cdef NodeExtra extra
    if old == NULL or RT_NODE(old).extra == NULL or old == <PyObject *>node:
        return 0
    extra = <NodeExtra>RT_NODE(old).extra
    if extra.retaining is None:
        return 0
    for place, reference in list(extra.retaining.items()):
        if reference() is <object>tensor:
            del extra.retaining[place]
            new = extra_of(<object><PyObject *>node)
            if new.retaining is None:
                new.retaining = {}
            new.retaining[nr] = reference
    return 0


# ------------------------------------------------------------------------------------------------- Tensor's properties

cdef object tensor_grad_fn(object self):
    cdef PyObject *node
    find_history(<PyObject *>self, &node)
    return None if node == NULL else <object>node


cdef object tensor_is_leaf(object self):
    cdef PyObject *node
    find_history(<PyObject *>self, &node)
    return node == NULL


cdef object tensor_grad(object self):
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    if unlikely(t.flags & RT_T_REQUIRES_GRAD and t.autograd != NULL and not (ext != NULL and (ext.retains_grad or ext.grad != NULL))):
        import warnings
        warnings.warn("The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its .grad attribute won't be populated "
                      "during autograd.backward(). If you indeed want the .grad field to be populated for a non-leaf Tensor, use "
                      ".retain_grad() on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure you access the leaf "
                      "Tensor instead. See github.com/pytorch/pytorch/pull/30531 for more information.", UserWarning, stacklevel=2)
    return None if ext == NULL or ext.grad == NULL else <object>ext.grad


cdef dict element_type_names = {"Float": "float", "Double": "double", "Half": "c10::Half", "BFloat16": "c10::BFloat16",
                                "Long": "long int", "Int": "int", "Short": "short int", "Char": "signed char", "Byte": "unsigned char",
                                "Bool": "bool", "ComplexFloat": "c10::complex<float>", "ComplexDouble": "c10::complex<double>",
                                "ComplexHalf": "c10::complex<c10::Half>"}


cdef str element_type_name(int code):
    """What C++ calls the elements of a dtype."""
    name = scalar_type_name(code)
    return element_type_names.get(name, name)


cdef int set_tensor_grad(object self, object value) except -1:
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef RtTensor *g
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    cdef PyObject *old
    cdef int i
    if value is None:
        if ext != NULL and ext.grad != NULL:
            old = ext.grad
            ext.grad = NULL
            RT_DEC(old)
        return 0
    if not rt_is_tensor(<PyObject *>value):
        raise TypeError(f"assigned grad expected to be a Tensor or None but got grad of type {class_name(value)}")
    if value is self:
        raise RuntimeError("can't assign Variable as its own grad")
    g = RT_TENSOR(<void *>value)
    cdef int wanted = grad_dtype_of(t)
    if wanted >= 0 and g.dtype != wanted:
        raise RuntimeError(f"attempting to assign a gradient with dtype '{element_type_name(g.dtype)}' to a tensor with grad_dtype "
                           f"'{scalar_type_name(wanted)}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype). "
                           f"You can set the tensor's grad_dtype attribute with a specific dtype, or None to allow any dtype. Set grad_dtype "
                           f"with caution. Diverging the dtypes of a tensor and its gradient may break downstream systems that assume they "
                           f"match.")
    if g.device_type != t.device_type:
        raise RuntimeError(f"attempting to assign a gradient with device type '{value.device.type}' to a tensor with device type "
                           f"'{self.device.type}'. Please ensure that the gradient and the tensor are on the same device")
    if g.ndim != t.ndim or any([g.sizes[i] != t.sizes[i] for i in range(t.ndim)]):
        raise RuntimeError(f"attempting to assign a gradient of size '{list(value.shape)}' to a tensor of size '{list(self.shape)}'. Please "
                           f"ensure that the gradient and the tensor are the same size")
    return put_grad(t, <PyObject *>value)


cdef inline int grad_dtype_of(RtTensor *t) noexcept:
    """The dtype that a tensor's gradient has; -1 for any."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    return t.dtype if ext == NULL or ext.grad_dtype == 0 else ext.grad_dtype - 2


cdef object tensor_grad_dtype(object self):
    if not tensor_is_leaf(self):
        raise RuntimeError("grad_dtype can only be accessed on leaf tensors.")
    cdef int found = grad_dtype_of(RT_TENSOR(<void *>self))
    return None if found < 0 else <object>rt_dtype_objects[found]


cdef int set_tensor_grad_dtype(object self, object value) except -1:
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext
    cdef int code = -1 if value is None else (<dtype>value).code if isinstance(value, dtype) else -2
    if not tensor_is_leaf(self):
        raise RuntimeError("grad_dtype can only be set on leaf tensors.")
    if code == -2:
        raise RuntimeError(f"grad_dtype must be a torch.dtype or None, but got {class_name(value)}")
    ext = rt_grad_ext_of(t)
    if ext == NULL:
        raise_current()
    if ext.grad != NULL and code >= 0 and RT_TENSOR(ext.grad).dtype != code:
        raise RuntimeError(f"Cannot set grad_dtype to '{scalar_type_name(code)}' because there is already a gradient with dtype "
                           f"'{element_type_name(RT_TENSOR(ext.grad).dtype)}'. Please clear the gradient (.grad = None) before changing "
                           f"grad_dtype, or ensure the new grad_dtype matches the existing gradient's dtype.")
    ext.grad_dtype = code + 2
    if ext.accumulator != NULL:
        note_grad_dtype(RT_NODE(ext.accumulator), t)
    return 0


cdef void note_grad_dtype(RtNode *accumulator, RtTensor *t) noexcept:
    """Let a leaf's node take gradients of the dtype that the leaf wants."""
    cdef int wanted = grad_dtype_of(t)
    accumulator.slots[0].any_dtype = wanted < 0
    accumulator.slots[0].dtype = t.dtype if wanted < 0 else wanted


cdef int put_grad(RtTensor *t, PyObject *value) except -1:
    """Let a tensor have a gradient: a reference is taken."""
    cdef rt_grad_ext *ext = rt_grad_ext_of(t)
    cdef PyObject *old
    if ext == NULL:
        raise_current()
    RT_INC(value)
    old = ext.grad
    ext.grad = value
    RT_XDEC(old)
    if RT_TENSOR(value).autograd != NULL:
        rt_tensor_track(t)
    return 0


cdef int change_requires_grad(object self, bint value) except -1:
    """Set `requires_grad` of a tensor: leaves only, but turning it on changes nothing of others."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef PyObject *node
    find_history(<PyObject *>self, &node)
    if node != NULL and not value:
        raise RuntimeError("you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph "
                           "that doesn't require differentiation use var_no_grad = var.detach().")
    if value and t.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView) == 0 and not rt_tls_state.inference:
        raise RuntimeError("Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.")
    if node == NULL:
        set_requires_grad(t, value)
    return 0


@cython.binding(True)
def _tensor_register_hook(Tensor self not None, hook):
    """Run ``hook(grad)`` when the gradient with respect to the tensor has been computed; what it returns, if not None, is used instead.

    Returns
    -------
    RemovableHandle
        Its `remove` takes the hook back.
    """
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext
    cdef PyObject *node
    if has_torch_function(<PyObject *>self):
        overridden = slot_override("register_hook", (self, hook))
        if overridden is not None:
            return overridden[0]
    if not needs_grad(t):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    find_history(<PyObject *>self, &node)
    ext = rt_grad_ext_of(t)
    if ext == NULL:
        raise_current()
    if ext.hooks == NULL:
        hooks = ordered_dict()
        RT_INC(<void *>hooks)
        ext.hooks = <PyObject *>hooks
        rt_tensor_track(t)
    if node == NULL:
        node = ext.accumulator
    if node != NULL:
        add_tensor_hooks(node, output_nr_of(t), <object>ext.hooks)
    return add_hook(<object>ext.hooks, hook)


@cython.binding(True)
def _tensor_register_post_accumulate_grad_hook(Tensor self not None, hook):
    """Run ``hook(tensor)`` when the leaf's gradient has been accumulated.

    Returns
    -------
    RemovableHandle
        Its `remove` takes the hook back.
    """
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext
    if has_torch_function(<PyObject *>self):
        overridden = slot_override("register_post_accumulate_grad_hook", (self, hook))
        if overridden is not None:
            return overridden[0]
    if not needs_grad(t):
        raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
    if tensor_grad_fn(self) is not None:
        raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
    ext = rt_grad_ext_of(t)
    if ext == NULL:
        raise_current()
    if ext.post_hooks == NULL:
        hooks = ordered_dict()
        RT_INC(<void *>hooks)
        ext.post_hooks = <PyObject *>hooks
        rt_tensor_track(t)
    return add_hook(<object>ext.post_hooks, hook)


@cython.binding(True)
def _tensor_retain_grad(Tensor self not None):
    """Let a tensor that is no leaf have a `grad` after backward."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext
    cdef PyObject *node
    cdef NodeExtra extra
    if has_torch_function(<PyObject *>self):
        overridden = slot_override("retain_grad", (self,))
        if overridden is not None:
            return overridden[0]
    if not needs_grad(t):
        raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    find_history(<PyObject *>self, &node)
    if node == NULL:
        return
    ext = rt_grad_ext_of(t)
    if ext == NULL:
        raise_current()
    if ext.retains_grad:
        return
    import weakref
    extra = extra_of(<object>node)
    if extra.retaining is None:
        extra.retaining = {}
    extra.retaining[output_nr_of(t)] = weakref.ref(self)
    ext.retains_grad = 1


cdef object tensor_hooks(object self):
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(<void *>self))
    return None if ext == NULL or ext.hooks == NULL else <object>ext.hooks


cdef int set_tensor_hooks(object self, object hooks) except -1:
    """Let a tensor have a dictionary of hooks, or none."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef rt_grad_ext *ext = rt_grad_ext_of(t)
    cdef PyObject *node
    if ext == NULL:
        raise_current()
    if ext.hooks != NULL:
        (<object>ext.hooks).clear()
        forget_hooks(ext)
    if hooks is None:
        return 0
    if not isinstance(hooks, dict):
        raise TypeError(f"_backward_hooks must be a dict or None, not {class_name(hooks)}")
    RT_INC(<void *>hooks)
    ext.hooks = <PyObject *>hooks
    rt_tensor_track(t)
    find_history(<PyObject *>self, &node)
    if node == NULL:
        node = ext.accumulator
    if node != NULL:
        add_tensor_hooks(node, output_nr_of(t), hooks)
    return 0


_tensor_register_hook.__name__ = "register_hook"
_tensor_retain_grad.__name__ = "retain_grad"
_tensor_register_post_accumulate_grad_hook.__name__ = "register_post_accumulate_grad_hook"
rt_type_set(<PyTypeObject *>Tensor, "register_hook", _tensor_register_hook)
rt_type_set(<PyTypeObject *>Tensor, "register_post_accumulate_grad_hook", _tensor_register_post_accumulate_grad_hook)
rt_type_set(<PyTypeObject *>Tensor, "retain_grad", _tensor_retain_grad)


# ------------------------------------------------------------------------------------------------- older names of Tensor's

@cython.binding(True)
def _tensor_new(self, *args, device=None):
    """A tensor of the same dtype and device: of sizes, or with the elements of a sequence, or on the memory of another tensor."""
    where = self.device if device is None else device
    data = args[0] if args else ()
    if len(args) == 1 and rt_is_tensor(<PyObject *>data):
        if data.dtype != self.dtype:
            raise TypeError(f"new(): expected a tensor of dtype {self.dtype}, but got {data.dtype}")
        return data.detach()
    if len(args) == 1 and cnp.PyArray_Check(data):
        return self.new_tensor(data, dtype=self.dtype, device=where)
    if len(args) == 1 and not isinstance(data, (int, Size)) and not hasattr(data, "__index__"):
        if not hasattr(data, "__len__") or isinstance(data, str):
            raise TypeError(f"new(): invalid data type '{class_name(data)}'")
        return self.new_tensor(data, device=where)
    return self.new_empty(data if isinstance(data, Size) else args or (0,), device=where)


@cython.binding(True)
def _tensor_view_func(Tensor self not None, new_base):
    """The view that the tensor is of its base, made of another base, which must have the metadata of that one."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef int d
    if t.view == NULL:
        raise RuntimeError("_view_func can only be called on Tensors that are views")
    if not rt_is_tensor(<PyObject *>new_base):
        raise TypeError(f"_view_func(): argument 'new_base' must be Tensor, not {class_name(new_base)}")
    replay = replay_of(t)
    if replay is not None:
        return replayed(new_base, replay)
    return new_base.as_strided([t.sizes[d] for d in range(t.ndim)], [t.strides[d] for d in range(t.ndim)], t.offset)


@cython.binding(True)
def _tensor_rev_view_func(Tensor self not None, new_view):
    """What the base of the tensor, a view, would be if `new_view` were the view: itself a view of it, with the base's geometry."""
    cdef RtTensor *t = RT_TENSOR(<void *>self)
    cdef RtTensor *b
    cdef int d
    if t.view == NULL:
        raise RuntimeError("_rev_view_func_unsafe can only be called on Tensors that are views")
    if not rt_is_tensor(<PyObject *>new_view):
        raise TypeError(f"_rev_view_func_unsafe(): argument 'new_view' must be Tensor, not {class_name(new_view)}")
    b = RT_TENSOR(t.view)
    base = <object>t.view
    if new_view.is_complex() and not base.is_complex():
        new_view = ops.aten.view_as_real(new_view)
    elif base.is_complex() and not new_view.is_complex():
        new_view = ops.aten.view_as_complex(new_view)
    return new_view.as_strided([b.sizes[d] for d in range(b.ndim)], [b.strides[d] for d in range(b.ndim)], b.offset)


def _creation_meta(Tensor view not None, meta=None):
    """How a view came to be, as the number that PyTorch has for it; with `meta`, say so anew. Behind `CreationMeta`."""
    cdef RtTensor *t = RT_TENSOR(<void *>view)
    cdef uint32_t number
    if t.view == NULL:
        raise RuntimeError("creation meta: the tensor is no view that autograd knows")
    if meta is not None:
        number = meta
        if number > RT_CREATED_IN_INFERENCE:
            raise ValueError(f"creation meta: there is no number {number}")
        t.flags = t.flags & ~<uint32_t>RT_T_CREATION | number << RT_T_CREATION_SHIFT
    return (t.flags & RT_T_CREATION) >> RT_T_CREATION_SHIFT


def _post_accumulate_grad_hooks_of(Tensor self not None):
    """The hooks that run when the gradient has been accumulated: a dictionary, or None."""
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(RT_TENSOR(<void *>self))
    return None if ext == NULL or ext.post_hooks == NULL else <object>ext.post_hooks


def _set_post_accumulate_grad_hooks(Tensor self not None, hooks):
    cdef rt_grad_ext *ext = rt_grad_ext_of(RT_TENSOR(<void *>self))
    cdef PyObject *old
    if ext == NULL:
        raise_current()
    if hooks is not None and not isinstance(hooks, dict):
        raise TypeError(f"_post_accumulate_grad_hooks must be a dict or None, not {class_name(hooks)}")
    old = ext.post_hooks
    ext.post_hooks = NULL
    if hooks is not None:
        RT_INC(<void *>hooks)
        ext.post_hooks = <PyObject *>hooks
        rt_tensor_track(RT_TENSOR(<void *>self))
    RT_XDEC(old)


def _grad_fn_of(Tensor self not None):
    return tensor_grad_fn(self)


def _volatile(self):
    import warnings
    warnings.warn("volatile was removed (Variable.volatile is always False)", UserWarning, stacklevel=2)
    return False


def _forget_nothing(self):
    raise RuntimeError("Deletion of _grad_fn not allowed. Detach tensor instead!")


_tensor_new.__name__ = "new"
_tensor_view_func.__name__ = "_view_func"
rt_type_set(<PyTypeObject *>Tensor, "new", _tensor_new)
rt_type_set(<PyTypeObject *>Tensor, "_view_func", _tensor_view_func)
rt_type_set(<PyTypeObject *>Tensor, "_view_func_unsafe", _tensor_view_func)
_tensor_rev_view_func.__name__ = "_rev_view_func_unsafe"
rt_type_set(<PyTypeObject *>Tensor, "_rev_view_func_unsafe", _tensor_rev_view_func)
rt_type_set(<PyTypeObject *>Tensor, "_post_accumulate_grad_hooks", property(_post_accumulate_grad_hooks_of, _set_post_accumulate_grad_hooks))
rt_type_set(<PyTypeObject *>Tensor, "volatile", property(_volatile, doc="False: gradient modes have taken its place."))
rt_type_set(<PyTypeObject *>Tensor, "_grad_fn", property(_grad_fn_of, None, _forget_nothing, doc="`grad_fn`, which cannot be deleted."))
