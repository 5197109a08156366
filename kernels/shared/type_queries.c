/* Operators that ask about dtypes: what operands promote to, and what may be cast to what. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"

static PyObject *dtype_object(int dtype)
{
    return dtype < 0 ? NULL : Py_NewRef(rt_dtype_objects[dtype]);
}

static int add_operand(rt_result_type_state *state, PyObject *operand)
{
    if (rt_is_tensor(operand))
        return rt_result_type_add(state, RT_TENSOR(operand));
    rt_number number;
    return rt_read_number(operand, &number) < 0 ? -1 : rt_result_type_add_number(state, number.dtype);
}

RT_KERNEL(result_type_Tensor)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    rt_result_type_state state = RT_RESULT_TYPE_START;
    if (add_operand(&state, args[0]) < 0 || add_operand(&state, args[1]) < 0)
        return NULL;
    return dtype_object(rt_result_type(&state));
}

RT_SAME_KERNEL(result_type_Scalar, result_type_Tensor)
RT_SAME_KERNEL(result_type_Scalar_Tensor, result_type_Tensor)
RT_SAME_KERNEL(result_type_Scalar_Scalar, result_type_Tensor)

RT_KERNEL(promote_types)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return dtype_object(rt_promote_types(((RtDtype *)args[0])->code, ((RtDtype *)args[1])->code));
}

RT_KERNEL(can_cast)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong(rt_can_cast(((RtDtype *)args[0])->code, ((RtDtype *)args[1])->code));
}

/* Conjugate and negative bits ask the same of a tensor in complex_views.c. */
RT_KERNEL(_is_zerotensor)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong((RT_TENSOR(args[0])->keys & RT_FUNCTIONALITY_BIT(RT_KEY_ZeroTensor)) != 0);
}

RT_KERNEL(is_inference)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong((RT_TENSOR(args[0])->keys & RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView)) == 0);
}
