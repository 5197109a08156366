/* Zero tensors: all elements are zero and there is no memory for them (key ZeroTensor). Forward-mode AD makes them for tangents that are
 * zero; arithmetic with them computes shape and dtype by the operator's Meta kernel and is mostly spared. Operators without a kernel here
 * get zeros of memory from the fallback (runtime/core/zero_tensor.pxi). */
#include "kernels/shared/boxed.h"
#include "kernels/shared/lazy_bits.h"
#include "kernels/shared/zero_tensors.h"
#include "rt_builtins.h"

static int is_zero_tensor(PyObject *value) { return (RT_TENSOR(value)->keys & RT_ZERO_BIT) != 0; }

PyObject *rt_zero_tensor(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index)
{
    RtTensor *t = rt_empty(ndim, sizes, dtype, RT_DEVICE_META, -1);
    if (t == NULL)
        return NULL;
    t->keys = rt_keyset_of_device(device_type) | RT_ZERO_BIT;
    if (rt_tls_state.inference)
        t->keys &= ~(RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView) | RT_FUNCTIONALITY_BIT(RT_KEY_AutogradFunctionality));
    t->device_type = t->storage->device_type = (int8_t)device_type;
    t->device_index = (int8_t)device_index;
    t->storage->device_index = (int16_t)device_index;
    t->storage->flags &= (uint16_t)~RT_STORAGE_RESIZABLE;
    return (PyObject *)t;
}

RT_KERNEL(_efficientzerotensor)
{
    (void)op, (void)nargs, (void)ctx;
    int64_t sizes[RT_MAX_DIM];
    int ndim = rt_as_int64_array(args[0], sizes, RT_MAX_DIM), type = RT_DEVICE_CPU, index = -1;
    if (ndim < 0 || rt_check_sizes(ndim, sizes) < 0)
        return NULL;
    if (args[3] != Py_None)
        type = ((RtDevice *)args[3])->type, index = ((RtDevice *)args[3])->index;
    else if (ks & RT_BACKEND_BIT(RT_BACKEND_Meta))
        type = RT_DEVICE_META;
    return rt_zero_tensor(ndim, sizes, rt_as_dtype(args[1], rt_default_dtype), type, index);
}

/* A tensor of the same geometry on Meta, for the operator's rule. */
static PyObject *on_meta(PyObject *value)
{
    const RtTensor *t = RT_TENSOR(value);
    RtTensor *meta = rt_empty_strided(t->ndim, t->sizes, t->strides, t->dtype, RT_DEVICE_META, -1);
    if (meta != NULL)
        meta->flags |= t->flags & RT_T_WRAPPED_NUMBER;
    return (PyObject *)meta;
}

/* What an operator of two tensors gives, without elements. */
static RtTensor *meta_result(rt_operator *op, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *call[3] = {on_meta(args[0]), on_meta(args[1]), nargs > 2 ? args[2] : NULL}, *result = NULL;
    if (call[0] != NULL && call[1] != NULL)
        result = rt_redispatch(op, RT_FUNCTIONALITY_BIT(RT_KEY_Dense) | RT_BACKEND_BIT(RT_BACKEND_Meta), call, nargs);
    Py_XDECREF(call[0]);
    Py_XDECREF(call[1]);
    return (RtTensor *)result;
}

/* The device of a result: that of the operand which is no 0-d CPU tensor. */
static const RtTensor *device_giver(PyObject *const *args)
{
    const RtTensor *a = RT_TENSOR(args[0]), *b = RT_TENSOR(args[1]);
    return a->ndim == 0 && a->device_type == RT_DEVICE_CPU && b->device_type != RT_DEVICE_CPU ? b : a;
}

static PyObject *zero_like_result(RtTensor *meta, PyObject *const *args)
{
    const RtTensor *giver = device_giver(args);
    if (meta == NULL)
        return NULL;
    PyObject *result = rt_zero_tensor(meta->ndim, meta->sizes, meta->dtype, giver->device_type, giver->device_index);
    Py_DECREF(meta);
    return result;
}

static PyObject *full_like_result(RtTensor *meta, PyObject *const *args, double value)
{
    const RtTensor *giver = device_giver(args);
    if (meta == NULL)
        return NULL;
    PyObject *sizes = rt_int_tuple(meta->ndim, meta->sizes), *device = rt_device_object(giver->device_type, giver->device_index);
    PyObject *number = PyFloat_FromDouble(value), *result = NULL;
    if (sizes != NULL && device != NULL && number != NULL) {
        PyObject *call[6] = {sizes, number, rt_dtype_objects[meta->dtype], Py_None, device, Py_None};
        result = rt_call(rt_builtin_ops[RT_OP_aten_full], call, 6);
    }
    Py_XDECREF(sizes);
    Py_XDECREF(device);
    Py_XDECREF(number);
    Py_DECREF(meta);
    return result;
}

/* The operand that is not zero as the result: expanded to its sizes, in its dtype, a copy. */
static PyObject *as_result(RtTensor *meta, PyObject *const *args, PyObject *operand)
{
    const RtTensor *giver = device_giver(args);
    PyObject *sizes = rt_int_tuple(meta->ndim, meta->sizes), *device = rt_device_object(giver->device_type, giver->device_index);
    PyObject *expanded = NULL, *result = NULL;
    if (sizes != NULL && device != NULL) {
        PyObject *call[3] = {operand, sizes, Py_False};
        expanded = rt_call(rt_builtin_ops[RT_OP_aten_expand], call, 3);
    }
    if (expanded != NULL) {
        PyObject *call[7] = {expanded, rt_dtype_objects[meta->dtype], Py_None, device, Py_None, Py_False, Py_None};
        result = rt_call(rt_builtin_ops[RT_OP_aten__to_copy], call, 7);
    }
    Py_XDECREF(sizes);
    Py_XDECREF(device);
    Py_XDECREF(expanded);
    return result;
}

/* Steals and multiplies. */
static PyObject *times(PyObject *tensor, PyObject *number)
{
    if (tensor == NULL || number == NULL)
        return tensor;
    PyObject *call[2] = {tensor, number};
    PyObject *result = rt_call(rt_builtin_ops[RT_OP_aten_mul_Scalar], call, 2);
    Py_DECREF(tensor);
    return result;
}

/* self + factor * other, where at least one of both is zero; no factor stands for 1. */
static PyObject *sum_of(rt_operator *op, PyObject *const *args, Py_ssize_t nargs, PyObject *factor)
{
    RtTensor *meta = meta_result(op, args, nargs);
    if (meta == NULL || (is_zero_tensor(args[0]) && is_zero_tensor(args[1])))
        return zero_like_result(meta, args);
    PyObject *result = as_result(meta, args, args[is_zero_tensor(args[0]) ? 1 : 0]);
    Py_DECREF(meta);
    return is_zero_tensor(args[0]) ? times(result, factor) : result;
}

RT_KERNEL(add_zerotensor)
{
    (void)ks, (void)ctx;
    PyObject *one = PyLong_FromLong(1);
    int is_one = one == NULL ? -1 : PyObject_RichCompareBool(args[2], one, Py_EQ);
    Py_XDECREF(one);
    return is_one < 0 ? NULL : sum_of(op, args, nargs, is_one ? NULL : args[2]);
}

RT_KERNEL(sub_zerotensor)
{
    (void)ks, (void)ctx;
    PyObject *factor = PyNumber_Negative(args[2]);
    PyObject *result = factor == NULL ? NULL : sum_of(op, args, nargs, factor);
    Py_XDECREF(factor);
    return result;
}

RT_KERNEL(mul_zerotensor)
{
    (void)ks, (void)ctx;
    return zero_like_result(meta_result(op, args, nargs), args);
}

RT_KERNEL(div_zerotensor)
{
    (void)ks, (void)ctx;
    RtTensor *meta = meta_result(op, args, nargs);
    if (!is_zero_tensor(args[1]))
        return zero_like_result(meta, args);
    return full_like_result(meta, args, is_zero_tensor(args[0]) ? Py_NAN : Py_HUGE_VAL);
}

RT_KERNEL(linalg_cross_zerotensor)
{
    (void)ks, (void)ctx;
    return zero_like_result(meta_result(op, args, nargs), args);
}
