# What nodes save for backward: tensors with the version they had, results of the node itself without their history (a node that held its
# own result would hold itself), and other values as they are. Hooks of the user's may pack tensors into something else.

cdef list saved_hook_stack(bint make):
    """This thread's default hooks: pairs (pack, unpack), the innermost last."""
    state = thread_storage()
    found = state.get("runtime.saved_tensor_hooks")
    if found is None and make:
        found = state["runtime.saved_tensor_hooks"] = []
    return found


cdef dict thread_storage():
    cdef PyObject *d = PyThreadState_GetDict()
    if d == NULL:
        raise MemoryError()
    return <dict>d


def _stash_obj_in_tls(name, value):
    """Keep an object under a name for this thread, and for those that run backward for it."""
    thread_storage()[f"runtime.stash.{name}"] = value


def _get_obj_in_tls(name):
    """What `_stash_obj_in_tls` kept under a name."""
    key = f"runtime.stash.{name}"
    if key not in thread_storage():
        raise RuntimeError(f"_get_obj_in_tls: this thread keeps nothing under the name {name!r}; call _stash_obj_in_tls first")
    return thread_storage()[key]


def _is_key_in_tls(name):
    """Whether `_stash_obj_in_tls` kept something under a name."""
    return f"runtime.stash.{name}" in thread_storage()


def _push_saved_tensors_default_hooks(pack, unpack):
    """Let a pair of hooks pack what is saved from now on, in this thread."""
    if rt_tls_state.saved_hooks & 2:
        raise RuntimeError(thread_storage()["runtime.saved_tensor_hooks_disabled"])
    saved_hook_stack(True).append((pack, unpack))
    rt_tls_state.saved_hooks |= 1


def _pop_saved_tensors_default_hooks():
    """Take the innermost pair of hooks back."""
    stack = saved_hook_stack(True)
    stack.pop()
    if not stack:
        rt_tls_state.saved_hooks &= ~1


def _top_saved_tensors_default_hooks(ignore_is_tracing=False):
    """The innermost pair of hooks of this thread, or None."""
    stack = saved_hook_stack(False)
    return stack[len(stack) - 1] if stack else None


def _saved_tensors_hooks_is_enabled():
    """Whether default hooks may be used in this thread."""
    return not rt_tls_state.saved_hooks & 2


def _saved_tensors_hooks_disable(message, fail_if_non_empty=True):
    """Let `_push_saved_tensors_default_hooks` raise with a message, in this thread."""
    if fail_if_non_empty and saved_hook_stack(True):
        raise RuntimeError(message)
    thread_storage()["runtime.saved_tensor_hooks_disabled"] = message
    rt_tls_state.saved_hooks |= 2


def _saved_tensors_hooks_enable():
    """Take `_saved_tensors_hooks_disable` back."""
    rt_tls_state.saved_hooks &= ~2


def _saved_tensors_hooks_get_disabled_error_message():
    """The message of whoever disabled default hooks, or None."""
    return thread_storage().get("runtime.saved_tensor_hooks_disabled") if rt_tls_state.saved_hooks & 2 else None


cdef object without_history(object tensor):
    """A tensor on the same memory and version counter, without history: what a node may hold of its own result."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    cdef RtTensor *r
    if RT_TYPE(<void *>tensor) == rt_TensorType:
        return steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))
    result = shallow_copy(tensor)
    r = RT_TENSOR(<void *>result)
    if result is not tensor and rt_version_of(t) != NULL:
        if r.version != NULL:
            rt_version_decref(r.version)
        t.version.refcount += 1
        r.version = t.version
    return result


cdef int save_tensor(rt_saved *s, PyObject *tensor, RtNode *output_of, uint32_t nr) except -1:
    """Save a tensor (None is no tensor and saves nothing); `output_of` is the node whose result it is, or NULL."""
    cdef RtTensor *t
    if tensor == c_None:
        return 0
    t = RT_TENSOR(tensor)
    s.is_tensor = 1
    if unlikely(not t.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)) and not rt_tls_state.inference:
        raise RuntimeError("Inference tensors cannot be saved for backward. Please do not use Tensors created in inference mode in "
                           "computation tracked by autograd. To work around this, you can make a clone to get a normal tensor and use it in "
                           "autograd, or use `torch.no_grad()` instead of `torch.inference_mode()`.")
    s.expected = version_of(t)
    s.has_history = t.autograd != NULL
    # Kept with its history, a view would hold the CopySlices that holds this node.
    s.of_view = output_of != NULL and t.view != NULL and t.autograd != NULL and t.autograd != <PyObject *>output_of
    s.is_output = output_of != NULL and t.autograd == <PyObject *>output_of or s.of_view
    s.nr = nr
    if unlikely(rt_tls_state.saved_hooks == 1) and not t.flags & RT_T_WRAPPED_NUMBER:
        hooks = saved_hook_stack(True)
        pack, unpack = hooks[len(hooks) - 1]
        return pack_tensor(s, <object>tensor, <object>tensor, pack, unpack)
    if unlikely(s.is_output):
        value = without_history(<object>tensor)
        pass_tangent(tensor, value)
        tensor = <PyObject *>value
    RT_INC(tensor)
    s.value = tensor
    return 0


cdef int pack_tensor(rt_saved *s, object tensor, object shown, object pack, object unpack) except -1:
    """Save what a hook makes of a tensor, or of what it is shown of it; the tensor's own history is kept beside it."""
    cdef rt_edge edge
    cdef int64_t version = version_of(RT_TENSOR(<void *>tensor))
    if not s.is_output:
        find_edge(<PyObject *>tensor, &edge)
        s.history = edge.node
        s.nr = edge.nr
    with _NoGradBlock():
        packed = pack(shown)
    if version_of(RT_TENSOR(<void *>tensor)) != version:
        raise RuntimeError("A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook cannot be "
                           "modified by in-place operations as this can lead to unexpected side-effects. Please open an issue if you need to "
                           "perform in-place operations on the input to a pack hook.")
    RT_INC(<void *>packed)
    s.value = <PyObject *>packed
    RT_INC(<void *>unpack)
    s.unpack = <PyObject *>unpack
    return 0


@cython.final
@cython.no_gc
cdef class _NoGradBlock:
    """For a ``with`` block of the core's own: nothing is recorded."""
    cdef uint8_t saved

    def __enter__(self):
        self.saved = rt_tls_state.no_grad
        rt_tls_state.no_grad = 1

    def __exit__(self, kind, value, traceback):
        rt_tls_state.no_grad = self.saved


cdef object released_error():
    return RuntimeError("Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
                        "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
                        "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
                        "after calling backward.")


cdef inline bint is_detached(rt_saved *s) noexcept:
    """Whether a saved tensor has lost its history since."""
    return s.has_history and not s.is_output and RT_TENSOR(s.value).autograd == NULL


cdef object unpack_saved(RtNode *node, rt_saved *s, bint with_history):
    """A saved value. `node` is the one that saved it (NULL for none); results of it have their history again, if asked for."""
    cdef RtTensor *t
    cdef RtTensor *r
    if s.value == NULL:
        if node != NULL and node.released and s.is_tensor:
            raise released_error()
        return None
    if not s.is_tensor:
        if s.is_list:
            return [None if item is None else unpack_saved(node, &(<SavedTensor>item).s, with_history) for item in <tuple>s.value]
        return <object>s.value
    if unlikely(s.unpack != NULL):
        return unpack_packed(node, s)
    t = RT_TENSOR(s.value)
    if unlikely(version_of(t) != s.expected):
        raise modified_error(node, s)
    if unlikely(is_detached(s)):
        raise RuntimeError("Trying to use a saved tensor that has been detached in-place, i.e. with .detach_().This is not supported, please "
                           "use out-of-place `.detach()` instead")
    if not s.is_output or not with_history:
        return <object>s.value
    if unlikely(s.of_view):
        return with_history_of_view(node, <object>s.value)
    if RT_TYPE(s.value) == rt_TensorType:
        result = steal(<PyObject *>rt_alias(t, t.ndim, t.sizes, t.strides, t.offset))
    else:
        result = without_history(<object>s.value)
    r = RT_TENSOR(<void *>result)
    give_history(result, <PyObject *>node, s.nr)
    pass_tangent(s.value, result)
    return result


cdef int give_history(object tensor, PyObject *node, uint32_t nr) except -1:
    """Let a fresh tensor be an output of a node that knows it already."""
    cdef RtTensor *t = RT_TENSOR(<void *>tensor)
    cdef rt_grad_ext *ext
    cdef PyObject *old = t.autograd
    RT_INC(node)
    t.autograd = node
    RT_XDEC(old)
    t.flags |= RT_T_REQUIRES_GRAD
    if nr != 0 or t.ext != NULL:
        ext = rt_grad_ext_of(t)
        if ext == NULL:
            raise_current()
        ext.output_nr = nr
    if RT_NODE(node).tracked:
        rt_tensor_track(t)
    return 0


cdef object with_history_of_view(RtNode *node, object value):
    """A view that a call wrote in place, as the view of its base since; outside its CopySlices it has no history."""
    cdef PyObject *copies = rt_tls_state.copy_slices
    cdef CopySlicesState state
    cdef rt_keyset excluded = rt_tls_state.excluded
    if copies == NULL or rt_tls_state.no_grad:
        return value
    state = <CopySlicesState>RT_NODE(copies).payload
    if <RtNode *><PyObject *>state.node != node:
        return value
    rt_tls_state.excluded = excluded & ~autograd_bits
    try:
        with _NoGradBlock():
            whole = value.as_strided(state.base_sizes, state.base_strides, state.base_offset).detach()
        give_history(whole, copies, 0)
        return whole.as_strided(state.sizes, state.strides, state.offset) if state.replay is None else replayed(whole, state.replay)
    finally:
        rt_tls_state.excluded = excluded


cdef object unpack_packed(RtNode *node, rt_saved *s):
    result = (<object>s.unpack)(<object>s.value)
    if not rt_is_tensor(<PyObject *>result):
        raise TypeError(f"Output of saved tensor unpack_hook expected to be a Tensor but got result of type {class_name(result)}")
    cdef RtTensor *r = RT_TENSOR(<void *>result)
    if s.of_view:
        return with_history_of_view(node, without_history(result))
    if s.is_output:
        result = without_history(result)
        give_history(result, <PyObject *>node, s.nr)
    elif s.history != NULL:
        if RT_NODE(s.history).kind == RT_NODE_ACCUMULATE:
            if RT_NODE(s.history).payload == <PyObject *>result:
                return result
            result = without_history(result)
            r = RT_TENSOR(<void *>result)
            r.flags |= RT_T_REQUIRES_GRAD
            if rt_grad_ext_of(r) == NULL:
                raise_current()
            RT_INC(s.history)
            (<rt_grad_ext *>r.ext).kept = s.history
            (<rt_grad_ext *>r.ext).accumulator = s.history
            return result
        result = without_history(result)
        give_history(result, s.history, s.nr)
    return result


cdef object modified_error(RtNode *node, rt_saved *s):
    cdef RtTensor *t = RT_TENSOR(s.value)
    cdef PyObject *maker = <PyObject *>node
    if not s.is_output or node == NULL:
        find_history(s.value, &maker)
    text = (f"one of the variables needed for gradient computation has been modified by an inplace operation: "
            f"[{(<object>s.value).type()} {list((<object>s.value).shape)}]")
    if maker != NULL:
        nr = s.nr if s.is_output else output_nr_of(t)
        text += f", which is output {nr} of {forward_name(<object>maker)},"
    text += f" is at version {version_of(t)}; expected version {s.expected} instead."
    if anomaly_mode:
        text += (" Hint: the backtrace further above shows the operation that failed to compute its gradient. The variable in question was "
                 "changed in there or anywhere later. Good luck!")
    else:
        text += (" Hint: enable anomaly detection to find the operation that failed to compute its gradient, with "
                 "torch.autograd.set_detect_anomaly(True, check_nan=False).")
    return RuntimeError(text)


cdef class SavedTensor:
    """A tensor that is saved for backward: by a node, or by whoever makes one.

    Parameters
    ----------
    tensor : Tensor
    is_output : bool
        Whether the tensor is a result of the node that saves it.
    """
    cdef rt_saved s
    cdef object node      # the node whose value it is, or None
    cdef int place        # which of the node's values; -1 for one of its own

    def __cinit__(self, *args, **kwargs):
        self.place = -1

    def __init__(self, *args, is_output=False):
        if not args:
            raise RuntimeError("Trying to create a SavedTensor object from Python is forbidden.")
        tensor, = args
        if not rt_is_tensor(<PyObject *>tensor):
            raise TypeError(f"SavedTensor(): argument 'tensor' must be Tensor, not {class_name(tensor)}")
        save_tensor(&self.s, <PyObject *>tensor, NULL, 0)

    def __dealloc__(self):
        RT_XDEC(self.s.value)
        RT_XDEC(self.s.unpack)
        RT_XDEC(self.s.history)

    cdef rt_saved *saved(self):
        return &self.s if self.place < 0 else &RT_NODE(<void *>self.node).saved[self.place]

    def register_hooks(self, pack_hook, unpack_hook):
        """Pack the tensor now, and unpack it when backward needs it."""
        cdef rt_saved *s = self.saved()
        if s.value == NULL:
            if self.node is not None and RT_NODE(<void *>self.node).released:
                raise RuntimeError("Calling register_hooks on a saved tensor after it has been freed. Saved intermediate values of the graph "
                                   "are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward "
                                   "through the graph a second time or if you need to access saved variables after calling backward.")
            raise RuntimeError("Calling register_hooks on a saved tensor with value None is forbidden")
        if s.unpack != NULL:
            raise RuntimeError("Calling register_hooks on a saved tensor whose hooks have already been set. Hint: only one pair of hooks is "
                               "allowed at a time.")
        if not callable(pack_hook) or not callable(unpack_hook):
            raise TypeError("incompatible function arguments: pack_hook and unpack_hook must be callable")
        value = steal(s.value)
        s.value = NULL
        pack_tensor(s, value, without_history(value), pack_hook, unpack_hook)

    def unpack(self):
        """The tensor again, as a node gets it for backward."""
        cdef RtNode *owner = NULL if self.node is None else RT_NODE(<void *>self.node)
        return unpack_saved(owner, self.saved(), True)

    @property
    def data(self):
        """What is saved: the tensor, or what the pack hook made of it."""
        cdef rt_saved *s = self.saved()
        return None if s.value == NULL else <object>s.value

    @property
    def unpack_hook(self):
        cdef rt_saved *s = self.saved()
        return None if s.unpack == NULL else <object>s.unpack


rt_name_type(<PyTypeObject *>SavedTensor, "runtime._core.SavedTensor")
