# ADInplaceOrView: version counters and view metadata. Two generic kernels serve almost every operator; the alias annotations of the schema
# say which arguments are written and which results are views. The code generator registers them, and the kernels of the few exceptions.

cdef public PyObject *rt_adinplace_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run an in-place or out= operator below ADInplaceOrView and bump the versions of what it wrote."""
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef PyObject *result
    if unlikely(op.written >= 0 and is_readonly(args[op.written]) or op.written < 0 and writes_readonly(op, args, n)):
        if not changes_geometry_only(op):
            set_error(RuntimeError, "an argument is written, but its memory is read-only: it belongs to an array or buffer that may not be "
                      "changed. Write to a clone.", op)
            return NULL
    rt_tls_state.excluded = saved | autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
    result = rt_redispatch(op, ks & RT_FULL_AFTER(K_ADInplaceOrView), args, n)
    rt_tls_state.excluded = saved
    if result == NULL:
        return NULL
    if likely(op.written >= 0):
        bump(args[op.written])
        if unlikely(not rt_tls_state.inference and args[op.written] != c_None and is_inference_tensor(args[op.written])):
            return refuse_inference_write(op, result)
    else:
        bump_all(op, args, n)
        if unlikely(not rt_tls_state.inference and writes_inference(op, args, n)):
            return refuse_inference_write(op, result)
    return result


cdef public PyObject *rt_adresize_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """`resize_` and `resize_as_`: where the sizes stay, nothing has changed."""
    cdef RtTensor *t = RT_TENSOR(args[0])
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef int64_t sizes[64]
    cdef int d, ndim = t.ndim
    cdef bint same
    for d in range(ndim):
        sizes[d] = t.sizes[d]
    rt_tls_state.excluded = saved | autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
    cdef PyObject *result = rt_redispatch(op, ks & RT_FULL_AFTER(K_ADInplaceOrView), args, n)
    rt_tls_state.excluded = saved
    if result == NULL:
        return NULL
    same = t.ndim == ndim
    for d in range(ndim):
        same = same and t.sizes[d] == sizes[d]
    if not same:
        bump(args[0])
    return result


cdef inline bint is_inference_tensor(PyObject *tensor) noexcept:
    return not RT_TENSOR(tensor).keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)


cdef PyObject *refuse_inference_write(rt_operator *op, PyObject *result) noexcept:
    RT_DEC(result)
    set_current(RuntimeError("Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone to get a normal "
                             "tensor before doing inplace update.See https://github.com/pytorch/rfcs/pull/17 for more details."))
    return NULL


cdef bint writes_inference(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    """Whether a call writes a tensor that was made in inference mode."""
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if not op.args[i].flags & RT_ARGF_WRITE or op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        value = args[i]
        if rt_is_tensor(value):
            if is_inference_tensor(value):
                return True
        elif op.args[i].flags & RT_ARGF_LIST:
            for j in range(RT_SIZE(value)):
                if RT_TUPLE_ITEMS(value)[j] != c_None and is_inference_tensor(RT_TUPLE_ITEMS(value)[j]):
                    return True
    return False


cdef bint writes_readonly(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if not op.args[i].flags & RT_ARGF_WRITE or op.args[i].kind != RT_ARG_TENSOR:
            continue
        value = args[i]
        if rt_is_tensor(value):
            if is_readonly(value):
                return True
        elif value != c_None and op.args[i].flags & RT_ARGF_LIST:
            for j in range(RT_SIZE(value)):
                if is_readonly(RT_TUPLE_ITEMS(value)[j]):
                    return True
    return False


cdef void bump_all(rt_operator *op, PyObject *const *args, Py_ssize_t n) noexcept:
    cdef Py_ssize_t i, j
    cdef PyObject *value
    for i in range(n):
        if op.args[i].flags & RT_ARGF_WRITE and op.args[i].kind == RT_ARG_TENSOR and args[i] != c_None:
            value = args[i]
            if op.args[i].flags & RT_ARGF_LIST:
                for j in range(RT_SIZE(value)):
                    bump(RT_TUPLE_ITEMS(value)[j])
            else:
                bump(value)


cdef bint changes_geometry_only(rt_operator *op) noexcept:
    return "inplace_view" in operator_of(op).tag_names


cdef inline bint is_readonly(PyObject *value) noexcept:
    """Whether a tensor's memory must not be written: writing to a file that is mapped for reading ends the process."""
    cdef rt_storage *s
    if unlikely(value == c_None):
        return False
    s = RT_TENSOR(value).storage
    return s != NULL and (s.flags & RT_STORAGE_READONLY) != 0


cdef inline void bump(PyObject *tensor) noexcept:
    # Inference tensors have no version.
    if tensor != c_None and RT_TENSOR(tensor).keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView):
        rt_bump_version(RT_TENSOR(tensor))


cdef public PyObject *rt_adview_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run a view operator below ADInplaceOrView and make its results views of the base of what they look at."""
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef PyObject *result
    cdef PyObject *base = NULL
    cdef Py_ssize_t i
    rt_tls_state.excluded = saved | autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
    result = rt_redispatch(op, ks & RT_FULL_AFTER(K_ADInplaceOrView), args, n)
    rt_tls_state.excluded = saved
    if result == NULL:
        return NULL
    for i in range(n):
        if op.args[i].flags & RT_ARGF_ALIAS and op.args[i].kind == RT_ARG_TENSOR and not op.args[i].flags & RT_ARGF_LIST:
            base = args[i]
            break
    if base == NULL or base == c_None:
        return result
    if rt_is_tensor(result):
        if unlikely(result == base):
            RT_DEC(result)
            set_error(RuntimeError, "View operation returned a tensor that is the same as the input base tensor.  This is no longer allowed; "
                      "you must explicitly create a new tensor (e.g., using .detach()). As a user, you could have made a mistake "
                      "implementing __torch_dispatch__ or a Python operator decomposition or meta registration", op)
            return NULL
        make_view(result, base, RT_CREATED_BY_DEFAULT)
        if unlikely(view_replay or RT_TENSOR(result).dtype != RT_TENSOR(base).dtype or RT_TENSOR(base).ext != NULL
                    or (RT_TENSOR(result).keys ^ RT_TENSOR(base).keys) & lazy_bits):
            note_replay(op, args, n, result, base)
    elif RT_TYPE(result) == &c_tuple:
        for i in range(RT_SIZE(result)):
            if rt_is_tensor(RT_TUPLE_ITEMS(result)[i]):
                make_view(RT_TUPLE_ITEMS(result)[i], base, RT_CREATED_BY_MULTI_OUTPUT)
    return result


cdef void note_replay(rt_operator *op, PyObject *const *args, Py_ssize_t n, PyObject *view, PyObject *source) noexcept:
    """Remember how to make a view of its base anew where `as_strided`, which keeps dtypes and lazy bits, cannot, or need not."""
    cdef rt_grad_ext *ext
    cdef rt_grad_ext *before = rt_grad_ext_or_null(RT_TENSOR(source))
    cdef Py_ssize_t i
    if RT_TENSOR(view).view == NULL:
        return
    if (not view_replay and RT_TENSOR(view).dtype == RT_TENSOR(source).dtype
            and not (RT_TENSOR(view).keys ^ RT_TENSOR(source).keys) & lazy_bits and (before == NULL or before.replay == NULL)):
        return
    try:
        steps = ()
        if before != NULL and before.replay != NULL:
            steps = <tuple>before.replay
        elif RT_TENSOR(source).view != NULL:
            s = RT_TENSOR(source)
            steps = ((ops.aten.as_strided.default, ([s.sizes[i] for i in range(s.ndim)], [s.strides[i] for i in range(s.ndim)], s.offset), {}),)
        steps += ((overload_of(op), tuple([python_value(&op.args[i], args[i]) for i in range(1, min(n, op.npos))]),
                   {<object>op.args[i].name: python_value(&op.args[i], args[i]) for i in range(op.npos, n)}),)
        ext = rt_grad_ext_of(RT_TENSOR(view))
        if ext == NULL:
            raise_current()
        old = ext.replay
        RT_INC(<void *>steps)
        ext.replay = <PyObject *>steps
        RT_XDEC(old)
    except BaseException as e:
        # The view itself has been made. Without this its history cannot be renewed, which then says so.
        set_current(e)
        c_err_clear()


cdef public PyObject *rt_adshare_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run a view operator without gradients below ADInplaceOrView; its result is no view."""
    cdef rt_keyset saved = rt_tls_state.excluded
    cdef PyObject *result
    rt_tls_state.excluded = saved | autograd_bits | RT_FUNCTIONALITY_BIT(K_ADInplaceOrView)
    result = rt_redispatch(op, ks & RT_FULL_AFTER(K_ADInplaceOrView), args, n)
    rt_tls_state.excluded = saved
    if result != NULL and result != args[0] and rt_is_tensor(result) and rt_is_tensor(args[0]):
        share_version(RT_TENSOR(result), RT_TENSOR(args[0]))
    return result


cdef public PyObject *rt_detach_in_place_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """`detach_`: the tensor itself forgets its history."""
    cdef PyObject *tensor = args[0]
    cdef RtTensor *t = RT_TENSOR(tensor)
    cdef rt_grad_ext *ext = rt_grad_ext_or_null(t)
    cdef PyObject *history = t.autograd
    if t.view != NULL:
        set_current(RuntimeError("Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for "
                                 "training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() "
                                 "cannot be called on these gradients. To fix this error, please refer to the Optimizer.zero_grad() function "
                                 "in torch/optim/optimizer.py as the solution."))
        return NULL
    t.flags &= ~<uint32_t>RT_T_REQUIRES_GRAD
    t.autograd = NULL
    if ext != NULL:
        ext.output_nr = 0
        tangent = ext.tangent
        ext.tangent = NULL
        RT_XDEC(tangent)
    RT_XDEC(history)
    RT_INC(tensor)
    return tensor


cdef inline void share_version(RtTensor *view, RtTensor *base) noexcept:
    """One counter for a view and its base; kernels on the same storage have seen to that, handlers of subclasses have not."""
    if likely(view.version == base.version and base.version != NULL) or not base.keys & RT_FUNCTIONALITY_BIT(K_ADInplaceOrView):
        return
    if rt_version_of(base) == NULL:
        c_err_clear()
        return
    if view.version != NULL:
        rt_version_decref(view.version)
    base.version.refcount += 1
    view.version = base.version


cdef void note_version(RtTensor *view, RtTensor *base) noexcept:
    """A view of a tensor that requires grad, made without recording: it has no history until something is written."""
    cdef rt_grad_ext *ext = rt_grad_ext_of(view)
    if ext == NULL:
        c_err_clear()
        return
    ext.view_version = version_of(base)
    ext.knows_version = 1


cdef inline void make_view(PyObject *view, PyObject *base, uint32_t creation) noexcept:
    """Make a tensor a view of another one, or of that one's base, and note what restricts writing to it."""
    cdef RtTensor *v = RT_TENSOR(view)
    if view == base or v.view != NULL or is_inference_tensor(base):
        return
    if unlikely(rt_tls_state.no_grad):
        creation = RT_CREATED_IN_INFERENCE if rt_tls_state.inference else RT_CREATED_IN_NO_GRAD
        if unlikely(RT_TENSOR(base).flags & RT_T_REQUIRES_GRAD
                    or RT_TENSOR(base).view != NULL and RT_TENSOR(RT_TENSOR(base).view).flags & RT_T_REQUIRES_GRAD):
            note_version(v, RT_TENSOR(base))
    if likely(creation == RT_CREATED_BY_DEFAULT):
        v.flags |= RT_TENSOR(base).flags & RT_T_CREATION
    else:
        v.flags = v.flags & ~<uint32_t>RT_T_CREATION | creation << RT_T_CREATION_SHIFT
    share_version(v, RT_TENSOR(base))
    if RT_TENSOR(base).view != NULL:
        base = RT_TENSOR(base).view
    RT_INC(base)
    v.view = base
    rt_tensor_track(v)  # the base may hold the view in its attributes
