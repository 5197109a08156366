/* Operators that only ask: sizes, strides, contiguity, kinds of dtype, dtypes of results. One kernel serves every backend.
 *
 * The symbolic forms (sym_size and the like) give plain integers here: tensors with symbolic sizes answer in a kernel above.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"

#define SELF RtTensor *self = RT_TENSOR(args[0])

static PyObject *number_of_dim(const RtTensor *self, PyObject *dim_object, const int64_t *values)
{
    int64_t dim;
    if (rt_as_int64(dim_object, &dim) < 0)
        return NULL;
    if (self->ndim == 0) {
        PyErr_Format(PyExc_IndexError, "Dimension specified as %lld but tensor has no dimensions", (long long)dim);
        return NULL;
    }
    dim = rt_wrap_dim(dim, self->ndim);
    return dim < 0 ? NULL : PyLong_FromLongLong(values[dim]);
}

RT_KERNEL(size) { SELF; return rt_int_tuple(self->ndim, self->sizes); }
RT_KERNEL(stride) { SELF; return rt_int_tuple(self->ndim, self->strides); }
RT_KERNEL(size_int) { SELF; return number_of_dim(self, args[1], self->sizes); }
RT_KERNEL(stride_int) { SELF; return number_of_dim(self, args[1], self->strides); }
RT_KERNEL(numel) { SELF; return PyLong_FromLongLong(self->numel); }
RT_KERNEL(dim) { SELF; return PyLong_FromLong(self->ndim); }
RT_KERNEL(storage_offset) { SELF; return PyLong_FromLongLong(self->offset); }
RT_SAME_KERNEL(sym_size, size)
RT_SAME_KERNEL(sym_stride, stride)
RT_SAME_KERNEL(sym_size_int, size_int)
RT_SAME_KERNEL(sym_stride_int, stride_int)
RT_SAME_KERNEL(sym_numel, numel)
RT_SAME_KERNEL(sym_storage_offset, storage_offset)

RT_KERNEL(is_contiguous) { SELF; return PyBool_FromLong(rt_is_contiguous(self)); }

RT_KERNEL(is_contiguous_memory_format)
{
    SELF;
    switch (((RtMemoryFormat *)args[1])->code) {
    case RT_CONTIGUOUS_FORMAT: return PyBool_FromLong(rt_is_contiguous(self));
    case RT_CHANNELS_LAST_FORMAT: return PyBool_FromLong((self->flags & RT_T_CHANNELS_LAST) != 0);
    case RT_CHANNELS_LAST_3D_FORMAT: return PyBool_FromLong((self->flags & RT_T_CHANNELS_LAST_3D) != 0);
    default:
        PyErr_SetString(PyExc_RuntimeError, "preserve memory format is unsupported by the contiguous operator");
        return NULL;
    }
}

RT_SAME_KERNEL(sym_is_contiguous, is_contiguous_memory_format)

RT_KERNEL(is_non_overlapping_and_dense) { SELF; return PyBool_FromLong((self->flags & RT_T_DENSE) != 0); }
RT_KERNEL(is_floating_point) { SELF; return PyBool_FromLong(rt_is_floating(self->dtype)); }
RT_KERNEL(is_complex) { SELF; return PyBool_FromLong(rt_is_complex(self->dtype)); }

RT_KERNEL(is_signed)
{
    SELF;
    int d = self->dtype;
    return PyBool_FromLong(d != RT_BOOL && d != RT_UINT8 && d != RT_UINT16 && d != RT_UINT32 && d != RT_UINT64 &&
                           d != RT_FLOAT8_E8M0FNU);
}

RT_KERNEL(is_same_size)
{
    SELF;
    RtTensor *other = RT_TENSOR(args[1]);
    return PyBool_FromLong(self->ndim == other->ndim && memcmp(self->sizes, other->sizes, self->ndim * sizeof(int64_t)) == 0);
}

RT_KERNEL(is_inference)
{
    SELF;
    return PyBool_FromLong(!(self->keys & RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView)));
}

/* ---------------------------------------------------------------------------------------------------------------- promotion */

static PyObject *dtype_or_error(int dtype) { return dtype < 0 ? NULL : Py_NewRef(rt_dtype_objects[dtype]); }
static int code_of(PyObject *dtype) { return ((RtDtype *)dtype)->code; }

RT_KERNEL(can_cast)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong(rt_can_cast(code_of(args[0]), code_of(args[1])));
}

RT_KERNEL(promote_types)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return dtype_or_error(rt_promote_types(code_of(args[0]), code_of(args[1])));
}

/* The dtype that an operator on two tensors or numbers works in. */
static PyObject *result_type(PyObject *const *args)
{
    rt_result_type_state state = RT_RESULT_TYPE_START;
    for (int i = 0; i < 2; i++) {
        rt_number number;
        int failed = rt_is_tensor(args[i]) ? rt_result_type_add(&state, RT_TENSOR(args[i]))
                                           : rt_read_number(args[i], &number) < 0 || rt_result_type_add_number(&state, number.dtype) < 0;
        if (failed)
            return NULL;
    }
    return dtype_or_error(rt_result_type(&state));
}
RT_KERNEL(result_type_Tensor)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return result_type(args);
}
RT_SAME_KERNEL(result_type_Scalar, result_type_Tensor)
RT_SAME_KERNEL(result_type_Scalar_Tensor, result_type_Tensor)
RT_SAME_KERNEL(result_type_Scalar_Scalar, result_type_Tensor)

RT_KERNEL(_is_zerotensor) { SELF; return PyBool_FromLong((self->keys & RT_FUNCTIONALITY_BIT(RT_KEY_ZeroTensor)) != 0); }
