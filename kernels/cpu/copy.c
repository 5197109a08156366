/* Copies and fills: copy_, clone, _to_copy, fill_, zero_. Conversions between dtypes go block by block through the iterator. */
#include "kernels/cpu/iterator.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/lazy_bits.h"
#include "rt_builtins.h"
#include "kernels/shared/pointwise.h"

/* Write `from` (broadcast) into `to`; both have CPU memory and were checked. */
static void copy_elements(RtTensor *to, const RtTensor *from)
{
    if (to->dtype == from->dtype && to->flags & RT_T_CONTIGUOUS && from->flags & RT_T_CONTIGUOUS && to->numel == from->numel) {
        if (to->numel)
            rt_copy_bytes(rt_data(to), rt_data(from), to->numel * rt_itemsize[to->dtype]);
        return;
    }
    rt_loop copy = {rt_copy_loop(rt_itemsize[to->dtype]), NULL};
    rt_cast cast;
    rt_cast_between(&cast, from->dtype, to->dtype);
    rt_iter it;
    rt_iter_begin(&it, to->ndim, to->sizes);
    if (cast.nhops == 1 && from->numel == to->numel) { /* the conversion itself is the loop */
        rt_iter_tensor(&it, from, 1, (int[]){from->dtype});
        copy.fn = cast.hops[0];
    } else {
        rt_iter_tensor(&it, from, 2, (int[]){from->dtype, to->dtype});
    }
    rt_iter_tensor(&it, to, 1, (int[]){to->dtype});
    rt_iter_run(&it, copy);
}

static int zero_fill(RtTensor *t);

/* Copies of tensors that stand for something else than their memory holds, or whose target does. */
static int copy_unusual(RtTensor *to, const RtTensor *from)
{
    if (from->keys & RT_ZERO_BIT)
        return zero_fill(to);
    copy_elements(to, from);
    return rt_apply_lazy_bits(to, to->keys ^ from->keys);
}

/* Whether copies to and from a device are the business of its `_copy_from`, whichever operator asks for them. */
static inline int is_elsewhere(const RtTensor *t)
{
    return t->device_type != RT_DEVICE_CPU && t->device_type != RT_DEVICE_META && t->device_type != RT_DEVICE_CUDA;
}

static int copy_elsewhere(RtTensor *to, const RtTensor *from, PyObject *non_blocking)
{
    PyObject *call[3] = {(PyObject *)from, (PyObject *)to, non_blocking};
    PyObject *result = rt_call_below_views(RT_OP_aten__copy_from, call, 3);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* The warning of casts of complex numbers to real ones, which comes once. */
static int warn_of_lost_parts(void)
{
    PyObject *settings = PyImport_ImportModule("runtime.settings");
    if (!settings)
        return -1;
    PyObject *said = PyObject_CallMethod(settings, "warn_once", "sOi", "Casting complex values to real discards the imaginary part",
                                         PyExc_UserWarning, 1);
    Py_DECREF(settings);
    if (!said)
        return -1;
    Py_DECREF(said);
    return 0;
}

static int copy_into(RtTensor *to, const RtTensor *from, PyObject *non_blocking)
{
    int ndim = to->ndim;
    int64_t sizes[RT_MAX_DIM];
    memcpy(sizes, to->sizes, (size_t)ndim * sizeof *sizes);
    if (rt_broadcast_into(&ndim, sizes, from->ndim, from->sizes) < 0)
        return -1;
    if (ndim != to->ndim || memcmp(sizes, to->sizes, (size_t)ndim * sizeof *sizes) != 0) {
        return rt_refuse_broadcast(to, ndim, sizes);
    }
    if (to->device_type == RT_DEVICE_META)
        return 0;
    if (from->device_type == RT_DEVICE_META) {
        PyErr_SetString(PyExc_NotImplementedError, "Cannot copy out of meta tensor; no data!");
        return -1;
    }
    if (RT_UNLIKELY(is_elsewhere(to) || is_elsewhere(from)))
        return copy_elsewhere(to, from, non_blocking);
    if (rt_check_cpu(to, "copy_") < 0 || (!(from->keys & RT_ZERO_BIT) && rt_check_cpu(from, "copy_") < 0))
        return -1;
    if (to->storage == from->storage && (rt_check_no_partial_overlap(to, from) < 0))
        return -1;
    if (rt_check_no_internal_overlap(to) < 0)
        return -1;
    if (rt_is_complex(from->dtype) && !rt_is_complex(to->dtype) && warn_of_lost_parts() < 0)
        return -1;
    if (RT_UNLIKELY((to->keys | from->keys) & (RT_LAZY_BITS | RT_ZERO_BIT)) && to->numel)
        return copy_unusual(to, from);
    if (to->numel)
        copy_elements(to, from);
    return 0;
}

RT_KERNEL(copy_)
{
    RtTensor *to = RT_TENSOR(args[0]);
    if (RT_UNLIKELY(to->keys & RT_ZERO_BIT)) {
        PyErr_SetString(PyExc_RuntimeError, "ZeroTensors are immutable. Please materialize the tensor using `.clone()`, if you want a mutable "
                                            "zero tensor.");
        return NULL;
    }
    if (args[0] != args[1] && copy_into(to, RT_TENSOR(args[1]), args[2]) < 0)
        return NULL;
    return Py_NewRef(args[0]);
}

/* The CPU's end of copies between devices, where both ends are here. */
RT_KERNEL(_copy_from)
{
    return copy_into(RT_TENSOR(args[1]), RT_TENSOR(args[0]), args[2]) < 0 ? NULL : Py_NewRef(args[1]);
}

/* Strides of a copy in a memory format; 0 where it is contiguous, -1 with an exception. */
static int copy_strides(const RtTensor *t, PyObject *format, int64_t *strides)
{
    int code = format == Py_None ? RT_PRESERVE_FORMAT : ((RtMemoryFormat *)format)->code;
    if (code == RT_PRESERVE_FORMAT) {
        if (t->flags & RT_T_CONTIGUOUS)
            return 0;
        if (t->flags & RT_T_DENSE)
            memcpy(strides, t->strides, (size_t)t->ndim * sizeof *strides);
        else
            return rt_result_strides(t->ndim, t->sizes, 1, (RtTensor *[]){(RtTensor *)t}, strides);
        return 1;
    }
    if (code == RT_CONTIGUOUS_FORMAT)
        return 0;
    int last = code == RT_CHANNELS_LAST_FORMAT ? 4 : 5;
    if (t->ndim != last) {
        PyErr_Format(PyExc_RuntimeError, "required rank %d tensor to use channels_last%s format", last, last == 5 ? "_3d" : "");
        return -1;
    }
    int64_t step = 1;
    const int *order = last == 4 ? (const int[]){1, 3, 2, 0} : (const int[]){1, 4, 3, 2, 0};
    for (int i = 0; i < last; i++) {
        strides[order[i]] = step;
        step *= t->sizes[order[i]] > 1 ? t->sizes[order[i]] : 1;
    }
    return 1;
}

static RtTensor *copy_of(rt_operator *op, const RtTensor *t, int dtype, int device_type, int device_index, PyObject *format, PyObject *non_blocking)
{
    int64_t strides[RT_MAX_DIM];
    int strided = copy_strides(t, format, strides);
    if (strided < 0)
        return NULL;
    RtTensor *r;
    if (RT_LIKELY(device_type == RT_DEVICE_CPU || device_type == RT_DEVICE_META)) {
        r = device_type == RT_DEVICE_CPU ? rt_offered_output(op, 0, t->ndim, t->sizes, dtype) : NULL;
        if (r == NULL)
            r = strided ? rt_empty_strided(t->ndim, t->sizes, strides, dtype, device_type, device_index)
                        : rt_empty(t->ndim, t->sizes, dtype, device_type, device_index);
        if (r != NULL && copy_into(r, t, non_blocking) < 0)
            Py_CLEAR(r);
        return r;
    }
    r = RT_TENSOR(strided || t->flags & RT_T_CONTIGUOUS
                      ? rt_new_strided(t->ndim, t->sizes, strided ? strides : t->strides, dtype, device_type, device_index)
                      : rt_new_tensor(t->ndim, t->sizes, dtype, device_type, device_index));
    if (r == NULL)
        return NULL;
    PyObject *call[3] = {(PyObject *)r, (PyObject *)t, non_blocking};
    PyObject *copied = rt_call_below_views(RT_OP_aten_copy_, call, 3);
    if (copied == NULL)
        Py_CLEAR(r);
    Py_XDECREF(copied);
    return r;
}

RT_KERNEL(clone)
{
    const RtTensor *t = RT_TENSOR(args[0]);
    if (RT_LIKELY(args[1] == Py_None && t->flags & RT_T_CONTIGUOUS && t->device_type == RT_DEVICE_CPU && t->storage != NULL &&
                  t->storage->data != NULL && !(t->keys & RT_LAZY_BITS) && rt_offered == NULL)) {
        RtTensor *r = rt_empty_like(t, t->dtype);
        if (r != NULL)
            rt_copy_bytes(rt_data(r), rt_data(t), t->numel * rt_itemsize[t->dtype]);
        return (PyObject *)r;
    }
    return (PyObject *)copy_of(op, t, t->dtype, t->device_type, t->device_index, args[1], Py_False);
}

RT_KERNEL(_to_copy)
{
    const RtTensor *t = RT_TENSOR(args[0]);
    int device_type = t->device_type, device_index = t->device_index;
    if (args[2] != Py_None && ((RtLayout *)args[2])->code != RT_STRIDED) {
        PyErr_SetString(PyExc_RuntimeError, "to(): only the strided layout is supported here");
        return NULL;
    }
    if (args[3] != Py_None)
        device_type = ((RtDevice *)args[3])->type, device_index = ((RtDevice *)args[3])->index;
    if (t->device_type == RT_DEVICE_META && device_type != RT_DEVICE_META) {
        PyErr_SetString(PyExc_NotImplementedError,
                        "Cannot copy out of meta tensor; no data! Please use torch.nn.Module.to_empty() instead of torch.nn.Module.to() when "
                        "moving module from meta to a different device.");
        return NULL;
    }
    return (PyObject *)copy_of(op, t, rt_as_dtype(args[1], t->dtype), device_type, device_index, args[6], args[5]);
}

/* ---------------------------------------------------------------------------------------------------------------------- fills */

static int fill_with(RtTensor *t, PyObject *number)
{
    _Alignas(16) char element[16];
    int packed = rt_pack_number(number, t->dtype, element);
    rt_number value;
    if (packed < 0 || (!packed && (rt_read_number(number, &value) < 0 || rt_check_number_fits(&value, t->dtype) < 0)))
        return -1;
    if (t->device_type == RT_DEVICE_META)
        return 0;
    if (rt_check_cpu(t, "fill_") < 0) /* places that overlap get the same value */
        return -1;
    if (t->numel == 0)
        return 0;
    if (packed && t->flags & RT_T_CONTIGUOUS) {
        rt_fill_elements(rt_data(t), t->numel, element, rt_itemsize[t->dtype]);
        return 0;
    }
    rt_iter it;
    rt_iter_begin(&it, t->ndim, t->sizes);
    if (packed) {
        rt_iter_value(&it, element, 1, (int[]){t->dtype});
    } else {
        rt_iter_value(&it, &value.value, 2, (int[]){value.dtype, t->dtype});
    }
    rt_iter_tensor(&it, t, 1, (int[]){t->dtype});
    rt_iter_run(&it, (rt_loop){rt_copy_loop(rt_itemsize[t->dtype]), NULL});
    return 0;
}

RT_KERNEL(fill__Scalar)
{
    return fill_with(RT_TENSOR(args[0]), args[1]) < 0 ? NULL : Py_NewRef(args[0]);
}

RT_KERNEL(fill__Tensor)
{
    const RtTensor *value = RT_TENSOR(args[1]);
    if (value->ndim != 0) {
        PyErr_Format(PyExc_RuntimeError, "fill_ only supports 0-dimension value tensor but got tensor with %d dimensions.", value->ndim);
        return NULL;
    }
    if (RT_TENSOR(args[0])->device_type == RT_DEVICE_META)
        return Py_NewRef(args[0]);
    PyObject *number = rt_call_below_views(RT_OP_aten__local_scalar_dense, args + 1, 1);
    int status = number == NULL ? -1 : fill_with(RT_TENSOR(args[0]), number);
    Py_XDECREF(number);
    return status < 0 ? NULL : Py_NewRef(args[0]);
}

static int zero_fill(RtTensor *t)
{
    PyObject *zero = PyLong_FromLong(0);
    int status = zero == NULL ? -1 : fill_with(t, zero);
    Py_XDECREF(zero);
    return status;
}

RT_KERNEL(zero_)
{
    return zero_fill(RT_TENSOR(args[0])) < 0 ? NULL : Py_NewRef(args[0]);
}
