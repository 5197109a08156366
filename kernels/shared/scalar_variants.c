/* Scalar overloads of binary operators: the number becomes a wrapped number in the Tensor overload's slot, called from the top, so that
 * every backend and functionality needs one kernel.
 */
#include "kernels/shared/boxed.h"
#include "rt_builtins.h"

static PyObject *with_number(int builtin, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *wrapped = rt_wrap_number(args[1]);
    if (wrapped == NULL)
        return NULL;
    PyObject *call[3] = {args[0], wrapped, nargs > 2 ? args[2] : NULL};
    PyObject *result = rt_call(rt_builtin_ops[builtin], call, nargs);
    Py_DECREF(wrapped);
    return result;
}

#define SCALAR_VARIANT(name, builtin) \
    RT_KERNEL(name) { return with_number(builtin, args, nargs); }
SCALAR_VARIANT(add_Scalar, RT_OP_aten_add_Tensor)
SCALAR_VARIANT(add__Scalar, RT_OP_aten_add__Tensor)
SCALAR_VARIANT(sub_Scalar, RT_OP_aten_sub_Tensor)
SCALAR_VARIANT(sub__Scalar, RT_OP_aten_sub__Tensor)
SCALAR_VARIANT(mul_Scalar, RT_OP_aten_mul_Tensor)
SCALAR_VARIANT(mul__Scalar, RT_OP_aten_mul__Tensor)
SCALAR_VARIANT(div_Scalar, RT_OP_aten_div_Tensor)
SCALAR_VARIANT(div__Scalar, RT_OP_aten_div__Tensor)
SCALAR_VARIANT(div_Scalar_mode, RT_OP_aten_div_Tensor_mode)
SCALAR_VARIANT(div__Scalar_mode, RT_OP_aten_div__Tensor_mode)
SCALAR_VARIANT(floor_divide_Scalar, RT_OP_aten_floor_divide)
SCALAR_VARIANT(floor_divide__Scalar, RT_OP_aten_floor_divide__Tensor)
SCALAR_VARIANT(fmod_Scalar, RT_OP_aten_fmod_Tensor)
SCALAR_VARIANT(fmod__Scalar, RT_OP_aten_fmod__Tensor)
SCALAR_VARIANT(remainder_Scalar, RT_OP_aten_remainder_Tensor)
SCALAR_VARIANT(remainder__Scalar, RT_OP_aten_remainder__Tensor)
SCALAR_VARIANT(rsub_Scalar, RT_OP_aten_rsub_Tensor)
SCALAR_VARIANT(bitwise_and_Scalar, RT_OP_aten_bitwise_and_Tensor)
SCALAR_VARIANT(bitwise_and__Scalar, RT_OP_aten_bitwise_and__Tensor)
SCALAR_VARIANT(bitwise_or_Scalar, RT_OP_aten_bitwise_or_Tensor)
SCALAR_VARIANT(bitwise_or__Scalar, RT_OP_aten_bitwise_or__Tensor)
SCALAR_VARIANT(bitwise_xor_Scalar, RT_OP_aten_bitwise_xor_Tensor)
SCALAR_VARIANT(bitwise_xor__Scalar, RT_OP_aten_bitwise_xor__Tensor)

/* square: self ** 2, as PyTorch decomposes it. */
static PyObject *squared(int builtin, PyObject *self)
{
    PyObject *two = PyLong_FromLong(2);
    if (two == NULL)
        return NULL;
    PyObject *result = rt_call(rt_builtin_ops[builtin], (PyObject *[]){self, two}, 2);
    Py_DECREF(two);
    return result;
}
RT_KERNEL(square) { return squared(RT_OP_aten_pow_Tensor_Scalar, args[0]); }
RT_KERNEL(square_) { return squared(RT_OP_aten_pow__Scalar, args[0]); }
