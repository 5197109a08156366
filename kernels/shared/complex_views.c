/* Views of complex numbers as pairs of real ones, and back. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"

static PyObject *view_of_dtype(RtTensor *self, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int dtype)
{
    RtTensor *result = rt_alias(self, ndim, sizes, strides, offset);
    if (result != NULL)
        result->dtype = (uint8_t)dtype;
    return (PyObject *)result;
}

RT_KERNEL(view_as_real)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    int n = self->ndim;
    (void)op, (void)ks, (void)nargs, (void)ctx;
    if (!rt_is_complex(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "view_as_real is only supported for complex tensors");
        return NULL;
    }
    if (self->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate)) {
        PyErr_SetString(PyExc_RuntimeError, "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you "
                                            "can view it as real, use self.resolve_conj(); however, be warned that the resulting tensor will "
                                            "NOT alias the original.");
        return NULL;
    }
    if (n + 1 > RT_MAX_DIM) {
        PyErr_Format(PyExc_RuntimeError, "a tensor has at most %d dimensions", RT_MAX_DIM);
        return NULL;
    }
    for (int d = 0; d < n; d++) {
        sizes[d] = self->sizes[d];
        strides[d] = 2 * self->strides[d];
    }
    sizes[n] = 2;
    strides[n] = 1;
    return view_of_dtype(self, n + 1, sizes, strides, 2 * self->offset, rt_real_of(self->dtype));
}

RT_KERNEL(view_as_complex)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t strides[RT_MAX_DIM];
    int last = self->ndim - 1;
    (void)op, (void)ks, (void)nargs, (void)ctx;
    const char *text = NULL;
    if (self->dtype != RT_FLOAT16 && self->dtype != RT_FLOAT32 && self->dtype != RT_FLOAT64) {
        PyErr_Format(PyExc_RuntimeError, "view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: %s",
                     rt_dtype_title(self->dtype));
        return NULL;
    }
    if (last < 0)
        text = "Input tensor must have one or more dimensions";
    else if (self->sizes[last] != 2)
        text = "Tensor must have a last dimension of size 2";
    else if (self->strides[last] != 1)
        text = "Tensor must have a last dimension with stride 1";
    for (int d = 0; d < last && text == NULL; d++) {
        if (self->strides[d] % 2)
            text = "Tensor must have a stride divisible by 2 for all but last dimension";
        strides[d] = self->strides[d] / 2;
    }
    if (text == NULL && self->offset % 2)
        text = "Tensor must have a storage_offset divisible by 2";
    if (text != NULL) {
        PyErr_SetString(PyExc_RuntimeError, text);
        return NULL;
    }
    return view_of_dtype(self, last, self->sizes, strides, self->offset / 2, rt_complex_of(self->dtype));
}
