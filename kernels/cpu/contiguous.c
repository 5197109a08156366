/* Arguments as loops over whole memory want them. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/reduce_rules.h"

RtTensor *rt_contiguous(RtTensor *t, int dtype)
{
    t = rt_cast(t, dtype);
    if (t == NULL || rt_is_contiguous(t))
        return t;
    RtTensor *copy = rt_empty_like(t, dtype);
    if (copy != NULL)
        rt_copy_elements(t->ndim, t->sizes, rt_data(copy), copy->strides, rt_data(t), t->strides, rt_itemsize[dtype]);
    Py_DECREF((PyObject *)t);
    return copy;
}
