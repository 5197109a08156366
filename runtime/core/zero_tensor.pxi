# The key ZeroTensor: tensors of zeros that have no memory. `_efficientzerotensor` makes them, arithmetic has kernels of its own
# (kernels/shared/zero_tensors.c), views keep the bit; this fallback gives all other operators zeros that have memory.

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_zeros, RT_OP_aten_expand


cdef PyObject *with_memory(PyObject *tensor, void *ctx) noexcept:
    """One zero, expanded to a zero tensor's sizes; other tensors themselves."""
    cdef PyObject *args[5]
    cdef RtTensor *t = RT_TENSOR(tensor)
    if not t.keys & RT_FUNCTIONALITY_BIT(K_ZeroTensor):
        RT_INC(tensor)
        return tensor
    try:
        device = make_device(t.device_type, t.device_index)
        shape = tuple((<object>tensor).shape)
        none = ()
        args[0] = <PyObject *>none
        args[1] = rt_dtype_objects[t.dtype]
        args[2] = c_None
        args[3] = <PyObject *>device
        args[4] = c_None
        zero = steal(rt_call(rt_builtin_ops[RT_OP_aten_zeros], args, 5))
        args[0] = <PyObject *>zero
        args[1] = <PyObject *>shape
        args[2] = c_False
        return rt_call(rt_builtin_ops[RT_OP_aten_expand], args, 3)
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *zero_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run an operator on zeros that have memory."""
    cdef rt_keyset bit = RT_FUNCTIONALITY_BIT(K_ZeroTensor)
    cdef Replaced r
    cdef Py_ssize_t i
    cdef PyObject *result = NULL
    cdef PyObject *fresh
    cdef bint failed = False
    if op.flags & RT_OPF_VIEW:
        return rt_redispatch(op, ks & RT_FULL_AFTER(K_ZeroTensor), args, n)
    if unlikely(mixes_aliases(op)):
        set_error(RuntimeError, mixture_text(operator_of(op).name, "ZeroTensorFallback"), NULL)
        return NULL
    if begin_replacing(&r, args, n) < 0:
        return NULL
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        if not (any_in_list(args[i], bit) if op.args[i].flags & RT_ARGF_LIST else RT_TENSOR(args[i]).keys & bit != 0):
            continue
        if op.args[i].flags & RT_ARGF_WRITE:
            set_error(RuntimeError, "ZeroTensors are immutable. Please use the materialized zero tensor obtained using .clone() if you want a "
                      "mutable tensor.", NULL)
            failed = True
            break
        if op.args[i].flags & RT_ARGF_LIST:
            if replace_in_list(&r, i, with_memory, NULL) < 0:
                failed = True
                break
        else:
            fresh = with_memory(args[i], NULL)
            if fresh == NULL:
                failed = True
                break
            r.args[i] = fresh
    if not failed:
        result = rt_redispatch(op, ks & RT_FULL_AFTER(K_ZeroTensor), r.args, n)
    end_replacing(&r)
    return result
