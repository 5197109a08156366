# The keys Conjugate and Negative: tensors that stand for the conjugate or the negative of what their memory holds.
#
# `_conj` and `_neg_view` make them as views (kernels/shared/lazy_bits.c). One fallback serves every operator that kernels/keys.yaml does not
# let skip the key: views go on as they are, since they keep the bit; other operators get copies without it, and what they write into a
# copy is copied back.

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_clone, RT_OP_aten_copy_, RT_OP_aten_resize_

cdef rt_keyset lazy_bits = RT_FUNCTIONALITY_BIT(K_Conjugate) | RT_FUNCTIONALITY_BIT(K_Negative)
cdef rt_keyset unusual_bits = lazy_bits | RT_FUNCTIONALITY_BIT(K_ZeroTensor)   # memory does not hold the elements


# ---------------------------------------------------------------------------------------------- calls with other arguments

cdef struct Replaced:
    PyObject **args
    PyObject *const *given
    Py_ssize_t n
    PyObject *buffer[BUFFER]


cdef inline int begin_replacing(Replaced *r, PyObject *const *args, Py_ssize_t n) noexcept:
    """A copy of the arguments, some of which will be replaced: 0, or -1 with an exception set."""
    r.given = args
    r.n = n
    r.args = r.buffer
    if unlikely(n > BUFFER):
        r.args = <PyObject **>malloc(n * sizeof(PyObject *))
        if r.args == NULL:
            set_error(MemoryError, "no memory for the arguments", NULL)
            return -1
    memcpy(r.args, args, n * sizeof(PyObject *))
    return 0


cdef inline void end_replacing(Replaced *r) noexcept:
    """Release what replaces arguments: every replacement is a reference of its own."""
    cdef Py_ssize_t i
    for i in range(r.n):
        if r.args[i] != r.given[i]:
            RT_DEC(r.args[i])
    if unlikely(r.args != r.buffer):
        free(r.args)


ctypedef PyObject *(*replacement)(PyObject *tensor, void *ctx) noexcept


cdef int replace_in_list(Replaced *r, Py_ssize_t i, replacement replace, void *ctx) noexcept:
    """Replace elements of a list of tensors; `replace` gives a new reference, of the tensor itself where it stays."""
    cdef PyObject *old = r.given[i]
    cdef PyObject *fresh
    cdef PyObject *item
    cdef Py_ssize_t j
    cdef bint changed = False
    if old == c_None:
        return 0
    fresh = c_tuple_new(RT_SIZE(old))
    if fresh == NULL:
        return -1
    for j in range(RT_SIZE(old)):
        item = RT_TUPLE_ITEMS(old)[j]
        if item == c_None:
            RT_INC(item)
        else:
            item = replace(item, ctx)
            if item == NULL:
                RT_DEC(fresh)
                return -1
        changed |= item != RT_TUPLE_ITEMS(old)[j]
        RT_TUPLE_ITEMS(fresh)[j] = item
    if changed:
        r.args[i] = fresh
    else:
        RT_DEC(fresh)
    return 0


cdef bint any_in_list(PyObject *values, rt_keyset bits) noexcept:
    cdef Py_ssize_t j
    if values == c_None:
        return False
    for j in range(RT_SIZE(values)):
        if RT_TUPLE_ITEMS(values)[j] != c_None and RT_TENSOR(RT_TUPLE_ITEMS(values)[j]).keys & bits:
            return True
    return False


cdef bint mixes_aliases(rt_operator *op) noexcept:
    """Whether some arguments are written and others viewed: no fallback knows what to do then."""
    cdef int i
    if not op.flags & RT_OPF_MUTABLE:
        return False
    for i in range(op.nargs):
        if op.args[i].flags & RT_ARGF_ALIAS and not op.args[i].flags & RT_ARGF_WRITE:
            return True
    return False


# ----------------------------------------------------------------------------------------------------------- the fallback

cdef PyObject *cloned(PyObject *tensor) noexcept:
    cdef PyObject *args[2]
    args[0] = tensor
    args[1] = c_None
    return rt_call(rt_builtin_ops[RT_OP_aten_clone], args, 2)


cdef PyObject *without_bit(PyObject *tensor, void *ctx) noexcept:
    if RT_TENSOR(tensor).keys & RT_FUNCTIONALITY_BIT(<int><uintptr_t>ctx):
        return cloned(tensor)
    RT_INC(tensor)
    return tensor


cdef PyObject *lazy_fallback(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t n, void *ctx) noexcept:
    """Run an operator on tensors without the bit of a key, which is the context."""
    cdef int key = <int><uintptr_t>ctx
    cdef rt_keyset bit = RT_FUNCTIONALITY_BIT(key)
    cdef Replaced r
    cdef Py_ssize_t i, written = -1
    cdef PyObject *result = NULL
    cdef bint failed = False
    if op.flags & RT_OPF_VIEW:
        return rt_redispatch(op, ks & RT_FULL_AFTER(key), args, n)
    if unlikely(mixes_aliases(op)):
        return lazy_error(op, key, "mix")
    if begin_replacing(&r, args, n) < 0:
        return NULL
    for i in range(n):
        if op.args[i].kind != RT_ARG_TENSOR or args[i] == c_None:
            continue
        if op.args[i].flags & RT_ARGF_LIST:
            if not any_in_list(args[i], bit):
                continue
            if op.args[i].flags & RT_ARGF_WRITE:
                lazy_error(op, key, "list")
                failed = True
                break
            if replace_in_list(&r, i, without_bit, ctx) < 0:
                failed = True
                break
        elif RT_TENSOR(args[i]).keys & bit:
            if op.args[i].flags & RT_ARGF_WRITE:
                if written >= 0:
                    lazy_error(op, key, "two")
                    failed = True
                    break
                written = i
            r.args[i] = cloned(args[i])
            if r.args[i] == NULL:
                r.args[i] = args[i]
                failed = True
                break
    if not failed:
        result = rt_redispatch(op, ks & RT_FULL_AFTER(key), r.args, n)
    if result != NULL and written >= 0:
        result = written_back(args[written], r.args[written], result)
    end_replacing(&r)
    return result


cdef PyObject *written_back(PyObject *tensor, PyObject *copy, PyObject *result) noexcept:
    """Give a tensor what was written into its copy, also as a result. Steals and returns the results."""
    cdef PyObject *args[3]
    cdef PyObject *done
    try:
        if not same_sizes(RT_TENSOR(tensor), RT_TENSOR(copy)):
            steal(resized(tensor, copy))
        args[0] = tensor
        args[1] = copy
        args[2] = c_False
        steal(rt_call(rt_builtin_ops[RT_OP_aten_copy_], args, 3))
        if result == copy:
            RT_DEC(result)
            RT_INC(tensor)
            return tensor
        if RT_TYPE(result) == &c_tuple:
            made = tuple([<object>tensor if <PyObject *>one == copy else one for one in <tuple>result])
            RT_DEC(result)
            RT_INC(<void *>made)
            return <PyObject *>made
        return result
    except BaseException as e:
        set_current(e)
        RT_DEC(result)
        return NULL


cdef bint same_sizes(RtTensor *a, RtTensor *b) noexcept:
    return a.ndim == b.ndim and memcmp(a.sizes, b.sizes, a.ndim * sizeof(int64_t)) == 0


cdef PyObject *resized(PyObject *tensor, PyObject *like) noexcept:
    cdef PyObject *args[3]
    try:
        shape = tuple((<object>like).shape)
        args[0] = tensor
        args[1] = <PyObject *>shape
        args[2] = c_None
        return rt_call(rt_builtin_ops[RT_OP_aten_resize_], args, 3)
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *lazy_error(rt_operator *op, int key, str what) noexcept:
    """Raise what the fallback cannot do."""
    name = operator_of(op).name
    bit = "conjugate" if key == K_Conjugate else "negation"
    try:
        if what == "list":
            raise RuntimeError(f" fallback doesn't currently support mutable TensorLists with {bit} inputs. Please materialize all the {bit} "
                               f"input tensor(s) in the mutable TensorList inputs before calling {name}")
        if what == "two":
            raise RuntimeError(f"{bit} fallback does not support operators with more than one mutable tensors with {bit}bit set to true.")
        raise RuntimeError(mixture_text(name, f"{bit} fallback"))
    except BaseException as e:
        set_current(e)
    return NULL


cdef str mixture_text(str name, str who):
    return (f"Unsupported operator for {who}: {name}{who} doesn't work for operators with a mix mutable and non-mutable inputs that alias "
            f"with outputs, this must be implemented manually.  If you got this error on a core op, please report a bug to PyTorch.")
