# TensorBase: the arithmetic and comparison slots of Tensor, as a base class so that `a + b` goes straight from the type's slot to the
# operator. With c_api_binop_methods a slot sees its operands in source order; either may be the Tensor.

cdef extern from "rt_builtins.h":
    enum:
        RT_OP_aten_add_Tensor, RT_OP_aten_sub_Tensor, RT_OP_aten_rsub_Scalar, RT_OP_aten_mul_Tensor, RT_OP_aten_div_Tensor
        RT_OP_aten_add__Tensor, RT_OP_aten_sub__Tensor, RT_OP_aten_mul__Tensor, RT_OP_aten_div__Tensor
        RT_OP_aten_eq_Tensor, RT_OP_aten_ne_Tensor, RT_OP_aten_lt_Tensor, RT_OP_aten_le_Tensor, RT_OP_aten_gt_Tensor
        RT_OP_aten_ge_Tensor, RT_OP_aten_eq_Scalar, RT_OP_aten_ne_Scalar, RT_OP_aten_lt_Scalar, RT_OP_aten_le_Scalar
        RT_OP_aten_gt_Scalar, RT_OP_aten_ge_Scalar, RT_OP_aten_neg, RT_OP_aten_abs, RT_OP_aten_matmul
        RT_OP_aten_reciprocal, RT_OP_aten_floor_divide, RT_OP_aten_remainder_Tensor, RT_OP_aten_remainder_Scalar
        RT_OP_aten_remainder_Scalar_Tensor, RT_OP_aten_pow_Tensor_Tensor, RT_OP_aten_pow_Tensor_Scalar, RT_OP_aten_pow_Scalar
        RT_OP_aten_bitwise_and_Tensor, RT_OP_aten_bitwise_or_Tensor, RT_OP_aten_bitwise_xor_Tensor, RT_OP_aten_bitwise_not
        RT_OP_aten_floor_divide__Tensor, RT_OP_aten_remainder__Tensor, RT_OP_aten_remainder__Scalar, RT_OP_aten_pow__Tensor
        RT_OP_aten_pow__Scalar, RT_OP_aten_bitwise_and__Tensor, RT_OP_aten_bitwise_and__Scalar, RT_OP_aten_bitwise_or__Tensor
        RT_OP_aten_bitwise_or__Scalar, RT_OP_aten_bitwise_xor__Tensor, RT_OP_aten_bitwise_xor__Scalar
        RT_OP_aten_bitwise_and_Scalar, RT_OP_aten_bitwise_or_Scalar, RT_OP_aten_bitwise_xor_Scalar, RT_OP_aten_positive
        RT_OP_aten___lshift___Tensor, RT_OP_aten___lshift___Scalar, RT_OP_aten___ilshift___Tensor, RT_OP_aten___ilshift___Scalar
        RT_OP_aten___rshift___Tensor, RT_OP_aten___rshift___Scalar, RT_OP_aten___irshift___Tensor, RT_OP_aten___irshift___Scalar
        RT_OP_aten_bitwise_left_shift_Tensor, RT_OP_aten_bitwise_left_shift_Scalar_Tensor
        RT_OP_aten_bitwise_right_shift_Tensor, RT_OP_aten_bitwise_right_shift_Scalar_Tensor
        RT_OP_aten_numpy_T, RT_OP_aten_mT, RT_OP_aten_matrix_H, RT_OP_aten_mH, RT_OP_aten_real, RT_OP_aten_imag

cdef PyObject *ONE   # the default of alpha
one_object = 1
ONE = <PyObject *>one_object


cdef inline bint is_exact_number(PyObject *o) noexcept:
    cdef PyTypeObject *t = RT_TYPE(o)
    return t == &c_float or t == &c_long or t == &c_bool or t == &c_complex


cdef inline PyObject *tensor_operand(PyObject *o) noexcept:
    """A new reference to an operand as a tensor (numbers wrapped), or NULL: with an exception, or without where it is no operand."""
    if rt_is_tensor(o):
        RT_INC(o)
        return o
    if is_exact_number(o):
        return rt_wrap_number(o)
    return operand_slow(o)


cdef PyObject *operand_slow(PyObject *o) noexcept:
    try:
        value = to_tensor(<object>o, NUMBERS_AS_TENSORS)
        RT_INC(<void *>value)
        return <PyObject *>value
    except CastError:
        return NULL
    except BaseException as e:
        set_current(e)
        return NULL


cdef inline object answer(PyObject *result):
    """A kernel's result; NULL raises."""
    return steal(result)


cdef inline object binary(int index, object a, object b, bint with_alpha):
    """An operator on two tensors, either of which may be given as a number."""
    cdef PyObject *args[3]
    cdef PyObject *result
    args[2] = ONE
    if likely(rt_is_tensor(<PyObject *>a) and rt_is_tensor(<PyObject *>b)):
        args[0] = <PyObject *>a
        args[1] = <PyObject *>b
        return operand_result(rt_call(rt_builtin_ops[index], args, 3 if with_alpha else 2))
    if (index == RT_OP_aten_add_Tensor or index == RT_OP_aten_mul_Tensor) and not rt_is_tensor(<PyObject *>a):
        a, b = b, a  # as the reflected methods: the tensor first
    args[0] = tensor_operand(<PyObject *>a)
    if args[0] == NULL:
        return not_an_operand()
    args[1] = tensor_operand(<PyObject *>b)
    if args[1] == NULL:
        RT_DEC(args[0])
        return not_an_operand()
    result = rt_call(rt_builtin_ops[index], args, 3 if with_alpha else 2)
    RT_DEC(args[0])
    RT_DEC(args[1])
    return operand_result(result)


cdef object not_an_operand():
    if c_err_occurred() != NULL:
        raise_current()
    return NotImplemented


cdef inline object with_scalar(int tensor_index, int scalar_index, object a, object b):
    """An operator whose second operand may be a number: its Tensor or its Scalar overload."""
    cdef PyObject *args[2]
    args[0] = <PyObject *>a
    args[1] = <PyObject *>b
    if is_exact_number(<PyObject *>b):
        if not in_int64(b):
            raise OverflowError("int too big to convert")
        return operand_result(rt_call(rt_builtin_ops[scalar_index], args, 2))
    if likely(rt_is_tensor(<PyObject *>b)):
        return operand_result(rt_call(rt_builtin_ops[tensor_index], args, 2))
    if is_number(b) and not rt_is_tensor(<PyObject *>b):
        return with_scalar_number(scalar_index, a, b.item() if hasattr(b, "item") else to_scalar(b, 0))
    return binary(tensor_index, a, b, False)


cdef object with_scalar_number(int scalar_index, object a, object number):
    cdef PyObject *args[2]
    args[0] = <PyObject *>a
    args[1] = <PyObject *>number
    return operand_result(rt_call(rt_builtin_ops[scalar_index], args, 2))


cdef inline bint in_int64(object number) noexcept:
    cdef int overflow = 0
    if RT_TYPE(<void *>number) == &c_long:
        c_long_fits(<PyObject *>number, &overflow)
    return overflow == 0


cdef object unary(int index, object a):
    cdef PyObject *args[1]
    args[0] = <PyObject *>a
    return steal(rt_call(rt_builtin_ops[index], args, 1))


cdef inline bint is_plain_operand(PyObject *o) noexcept:
    if likely(RT_TYPE(o) == rt_TensorType or is_exact_number(o) or o == c_None):
        return True
    return rt_is_tensor(o) and not RT_TENSOR(o).keys & RT_OVERRIDE_BIT   # of a class that has no `__torch_function__`


cdef inline bint may_override(object a, object b) noexcept:
    """Whether an operation's operands or a mode may have a `__torch_function__` for it."""
    return rt_tls_state.function_modes or not is_plain_operand(<PyObject *>a) or not is_plain_operand(<PyObject *>b)


cdef object operand_override(str name, str reflected, object a, object b):
    """`(result,)` where an operation goes to overrides, as the method of a name (or, where only the right operand is a tensor, the
    reflected one's); else None. As in PyTorch a TypeError lets the other operand try."""
    if not rt_is_tensor(<PyObject *>a):
        a, b, name = b, a, reflected
    if not (rt_tls_state.function_modes or rt_tls_state.function_state == RT_FUNCTION_ENABLED
            and (has_torch_function(<PyObject *>a) or has_torch_function(<PyObject *>b))):
        return None
    try:
        return slot_override(name, (a, b))
    except TypeError:
        return (NotImplemented,)


cdef object operand_result(PyObject *result):
    """What a binary operation answers: a TypeError lets the other operand try, as in PyTorch."""
    if likely(result != NULL):
        return steal(result)
    if c_err_occurred() != NULL and PyErr_GivenExceptionMatches(c_err_occurred(), <PyObject *>TypeError):
        c_err_clear()
        return NotImplemented
    raise_current()


cdef class TensorBase:
    """The operators of Tensor's arithmetic and comparisons."""

    def __add__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("add", "add", a, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_add_Tensor, a, b, True)

    def __sub__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("sub", "__rsub__", a, b)
            if overridden is not None:
                return overridden[0]
        if unlikely(not rt_is_tensor(<PyObject *>a)):
            return reversed_sub(a, b)
        return binary(RT_OP_aten_sub_Tensor, a, b, True)

    def __mul__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("mul", "mul", a, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_mul_Tensor, a, b, False)

    def __truediv__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("div", "__rdiv__", a, b)
            if overridden is not None:
                return overridden[0]
        if unlikely(not rt_is_tensor(<PyObject *>a)):
            if not is_number(a):
                return binary(RT_OP_aten_div_Tensor, a, b, False)
            # As PyTorch: a number divided by a tensor is its reciprocal times the number.
            return binary(RT_OP_aten_mul_Tensor, unary(RT_OP_aten_reciprocal, b), a, False)
        return binary(RT_OP_aten_div_Tensor, a, b, False)

    def __floordiv__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__floordiv__", "__rfloordiv__", a, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_floor_divide, a, b, False)

    def __mod__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("remainder", "__rmod__", a, b)
            if overridden is not None:
                return overridden[0]
        if not rt_is_tensor(<PyObject *>a):
            if is_exact_number(<PyObject *>a):
                return scalar_first(RT_OP_aten_remainder_Scalar_Tensor, a, b)
            return binary(RT_OP_aten_remainder_Tensor, a, b, False)
        return with_scalar(RT_OP_aten_remainder_Tensor, RT_OP_aten_remainder_Scalar, a, b)

    def __pow__(a, b, modulo):
        if unlikely(may_override(a, b)):
            overridden = operand_override("pow", "__rpow__", a, b)
            if overridden is not None:
                return overridden[0]
        if modulo is not None:
            return NotImplemented
        if not rt_is_tensor(<PyObject *>a):
            if is_exact_number(<PyObject *>a):
                return scalar_first(RT_OP_aten_pow_Scalar, a, b)
            return binary(RT_OP_aten_pow_Tensor_Tensor, a, b, False)
        return with_scalar(RT_OP_aten_pow_Tensor_Tensor, RT_OP_aten_pow_Tensor_Scalar, a, b)

    def __matmul__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("matmul", "__rmatmul__", a, b)
            if overridden is not None:
                return overridden[0]
        if not (rt_is_tensor(<PyObject *>a) and rt_is_tensor(<PyObject *>b)) and (is_number(a) or is_number(b) or cnp.PyArray_Check(b)):
            return NotImplemented   # an array's own operation leads back here by `np.matmul`, which casts to one dtype
        return binary(RT_OP_aten_matmul, a, b, False)

    def __and__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__and__", "bitwise_and", a, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_and_Tensor, RT_OP_aten_bitwise_and_Scalar, a, b)

    def __or__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__or__", "bitwise_or", a, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_or_Tensor, RT_OP_aten_bitwise_or_Scalar, a, b)

    def __xor__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__xor__", "bitwise_xor", a, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_xor_Tensor, RT_OP_aten_bitwise_xor_Scalar, a, b)

    def __lshift__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__lshift__", "__rlshift__", a, b)
            if overridden is not None:
                return overridden[0]
        if not rt_is_tensor(<PyObject *>a):
            return shift_of(RT_OP_aten_bitwise_left_shift_Tensor, RT_OP_aten_bitwise_left_shift_Scalar_Tensor, a, b)
        return with_scalar(RT_OP_aten___lshift___Tensor, RT_OP_aten___lshift___Scalar, a, b)

    def __rshift__(a, b):
        if unlikely(may_override(a, b)):
            overridden = operand_override("__rshift__", "__rrshift__", a, b)
            if overridden is not None:
                return overridden[0]
        if not rt_is_tensor(<PyObject *>a):
            return shift_of(RT_OP_aten_bitwise_right_shift_Tensor, RT_OP_aten_bitwise_right_shift_Scalar_Tensor, a, b)
        return with_scalar(RT_OP_aten___rshift___Tensor, RT_OP_aten___rshift___Scalar, a, b)

    # Names from Python 2 that PyTorch keeps.
    def __div__(self, b):
        return self / b

    def __idiv__(self, b):
        self /= b
        return self

    def __neg__(self):
        if unlikely(may_override(self, None)):
            overridden = slot_override("neg", (self,)) if is_overridden(RT_TENSOR(<void *>self).keys) else None
            if overridden is not None:
                return overridden[0]
        return unary(RT_OP_aten_neg, self)

    def __pos__(self):
        if unlikely(may_override(self, None)):
            overridden = slot_override("positive", (self,)) if is_overridden(RT_TENSOR(<void *>self).keys) else None
            if overridden is not None:
                return overridden[0]
        return unary(RT_OP_aten_positive, self)

    def __abs__(self):
        if unlikely(may_override(self, None)):
            overridden = slot_override("abs", (self,)) if is_overridden(RT_TENSOR(<void *>self).keys) else None
            if overridden is not None:
                return overridden[0]
        return unary(RT_OP_aten_abs, self)

    __array_priority__ = 1000  # NumPy leaves mixed expressions to our operators

    def __invert__(self):
        if unlikely(may_override(self, None)):
            overridden = slot_override("__invert__", (self,)) if is_overridden(RT_TENSOR(<void *>self).keys) else None
            if overridden is not None:
                return overridden[0]
        if dtype_kind(RT_TENSOR(<void *>self).dtype) >= KIND_FLOAT:
            raise TypeError("~ (operator.invert) is only implemented on integer and Boolean-type tensors")
        return unary(RT_OP_aten_bitwise_not, self)

    def __iadd__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("add_", "add_", self, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_add__Tensor, self, b, True)

    def __isub__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("sub_", "sub_", self, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_sub__Tensor, self, b, True)

    def __imul__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("mul_", "mul_", self, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_mul__Tensor, self, b, False)

    def __itruediv__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("div_", "div_", self, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_div__Tensor, self, b, False)

    def __ifloordiv__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("floor_divide_", "floor_divide_", self, b)
            if overridden is not None:
                return overridden[0]
        return binary(RT_OP_aten_floor_divide__Tensor, self, b, False)

    def __imod__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("remainder_", "remainder_", self, b)
            if overridden is not None:
                return overridden[0]
        return with_scalar(RT_OP_aten_remainder__Tensor, RT_OP_aten_remainder__Scalar, self, b)

    def __ipow__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("pow_", "pow_", self, b)
            if overridden is not None:
                return overridden[0]
        return with_scalar(RT_OP_aten_pow__Tensor, RT_OP_aten_pow__Scalar, self, b)

    def __iand__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("__iand__", "__iand__", self, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_and__Tensor, RT_OP_aten_bitwise_and__Scalar, self, b)

    def __ior__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("__ior__", "__ior__", self, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_or__Tensor, RT_OP_aten_bitwise_or__Scalar, self, b)

    def __ixor__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("__ixor__", "__ixor__", self, b)
            if overridden is not None:
                return overridden[0]
        return bitwise(RT_OP_aten_bitwise_xor__Tensor, RT_OP_aten_bitwise_xor__Scalar, self, b)

    def __ilshift__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("__ilshift__", "__ilshift__", self, b)
            if overridden is not None:
                return overridden[0]
        return with_scalar(RT_OP_aten___ilshift___Tensor, RT_OP_aten___ilshift___Scalar, self, b)

    def __irshift__(self, b):
        if unlikely(may_override(self, b)):
            overridden = operand_override("__irshift__", "__irshift__", self, b)
            if overridden is not None:
                return overridden[0]
        return with_scalar(RT_OP_aten___irshift___Tensor, RT_OP_aten___irshift___Scalar, self, b)

    def __richcmp__(self, b, int op):
        if unlikely(may_override(self, b)):
            name = ("lt", "le", "__eq__", "ne", "gt", "ge")[op]
            overridden = operand_override(name, name, self, b)
            if overridden is not None:
                return overridden[0]
        if op == 2:
            return compare(RT_OP_aten_eq_Tensor, RT_OP_aten_eq_Scalar, self, b)
        if op == 3:
            return compare(RT_OP_aten_ne_Tensor, RT_OP_aten_ne_Scalar, self, b)
        if op == 0:
            return compare(RT_OP_aten_lt_Tensor, RT_OP_aten_lt_Scalar, self, b)
        if op == 1:
            return compare(RT_OP_aten_le_Tensor, RT_OP_aten_le_Scalar, self, b)
        if op == 4:
            return compare(RT_OP_aten_gt_Tensor, RT_OP_aten_gt_Scalar, self, b)
        return compare(RT_OP_aten_ge_Tensor, RT_OP_aten_ge_Scalar, self, b)

    def __hash__(self):
        return id(self)


cdef inline object compare(int tensor_index, int scalar_index, object a, object b):
    return with_scalar(tensor_index, scalar_index, a, b)


cdef object bitwise(int tensor_index, int scalar_index, object a, object b):
    if not rt_is_tensor(<PyObject *>a):
        a, b = b, a
    return with_scalar(tensor_index, scalar_index, a, b)


cdef object shift_of(int tensor_index, int scalar_index, object a, object b):
    """What is no tensor, shifted by a tensor."""
    if is_exact_number(<PyObject *>a):
        return scalar_first(scalar_index, a, b)
    return binary(tensor_index, a, b, False)


cdef object reversed_sub(object a, object b):
    """A number or array minus a tensor."""
    cdef PyObject *args[3]
    if is_exact_number(<PyObject *>a):
        if not in_int64(a):
            raise OverflowError("int too big to convert")
        args[0] = <PyObject *>b
        args[1] = <PyObject *>a
        args[2] = ONE
        return operand_result(rt_call(rt_builtin_ops[RT_OP_aten_rsub_Scalar], args, 3))
    return binary(RT_OP_aten_sub_Tensor, a, b, True)


cdef object scalar_first(int index, object a, object b):
    cdef PyObject *args[2]
    if not in_int64(a):
        raise OverflowError("int too big to convert")
    args[0] = <PyObject *>a
    args[1] = <PyObject *>b
    return operand_result(rt_call(rt_builtin_ops[index], args, 2))


cdef extern from "Python.h":
    """
    /* Put a slot's wrapper under its name, where Cython has put a method: only for wrappers do subclasses inherit the slot itself instead
     * of one that looks the name up. `like` is a type that has such a wrapper. */
    static int rt_name_slot(PyTypeObject *type, PyObject *name, PyTypeObject *like)
    {
        PyObject *method = PyDict_GetItemWithError(type->tp_dict, name), *wrapper = PyDict_GetItemWithError(like->tp_dict, name);
        if (method == NULL || wrapper == NULL || !Py_IS_TYPE(method, &PyMethodDescr_Type) || !Py_IS_TYPE(wrapper, &PyWrapperDescr_Type)) {
            PyErr_Format(PyExc_SystemError, "%U of %s is no method, or that of %s no wrapper", name, type->tp_name, like->tp_name);
            return -1;
        }
        void *function = (void *)((PyMethodDescrObject *)method)->d_method->ml_meth;
        PyObject *made = PyDescr_NewWrapper(type, ((PyWrapperDescrObject *)wrapper)->d_base, function);
        int result = made == NULL ? -1 : PyDict_SetItem(type->tp_dict, name, made);
        Py_XDECREF(made);
        PyType_Modified(type);
        return result;
    }
    """
    int rt_name_slot(PyTypeObject *type, PyObject *name, PyTypeObject *like) except -1


cdef int name_slots() except -1:
    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "lshift", "rshift", "and", "or", "xor", "matmul"):
        name = intern_name(f"__{name}__")
        rt_name_slot(<PyTypeObject *>TensorBase, <PyObject *>name, <PyTypeObject *>cnp.ndarray if name == "__matmul__" else &c_long)
    return 0

name_slots()
