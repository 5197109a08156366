/* Lazy conjugates and negatives: the views that set the bits, and what reads tensors that have them. The fallbacks that serve all other
 * operators are the core's (runtime/core/lazy_bits.pxi). */
#include "kernels/shared/lazy_bits.h"

#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"
#include "rt_builtins.h"

static const rt_keyset CPU_KEYS = RT_FUNCTIONALITY_BIT(RT_KEY_Dense) | RT_BACKEND_BIT(RT_BACKEND_CPU);

static PyObject *toggled(RtTensor *self, int key)
{
    if (RT_UNLIKELY(self->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse))) {
        PyErr_SetString(PyExc_NotImplementedError, "a tensor of layout torch.sparse_coo has no lazy conjugate or negative; use conj_physical() "
                                                   "or neg()");
        return NULL;
    }
    RtTensor *view = rt_alias(self, self->ndim, self->sizes, self->strides, self->offset);
    if (view != NULL)
        view->keys ^= RT_FUNCTIONALITY_BIT(key);
    return (PyObject *)view;
}

RT_KERNEL(_conj)
{
    RtTensor *self = RT_TENSOR(args[0]);
    (void)op, (void)ks, (void)nargs, (void)ctx;
    if (!rt_is_complex(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "_conj: only complex tensors have conjugates; conj() returns others as they are");
        return NULL;
    }
    return toggled(self, RT_KEY_Conjugate);
}

RT_KERNEL(_neg_view)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return toggled(RT_TENSOR(args[0]), RT_KEY_Negative);
}

RT_KERNEL(conj)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return rt_is_complex(RT_TENSOR(args[0])->dtype) ? rt_call(rt_builtin_ops[RT_OP_aten__conj], args, 1) : Py_NewRef(args[0]);
}

/* A component of complex numbers as a view. That of a conjugate is a view of what it is the conjugate of, negated where it is imaginary. */
static PyObject *component(PyObject *self, int which)
{
    PyObject *steps[3] = {NULL}, *source = self, *result = NULL;
    int n = 0;
    if (rt_is_conj(RT_TENSOR(self)))
        source = steps[n++] = rt_call(rt_builtin_ops[RT_OP_aten__conj], &source, 1);
    if (source != NULL)
        source = steps[n++] = rt_call(rt_builtin_ops[RT_OP_aten_view_as_real], &source, 1);
    if (source != NULL && which == 1 && rt_is_conj(RT_TENSOR(self)))
        source = steps[n++] = rt_call(rt_builtin_ops[RT_OP_aten__neg_view], &source, 1);
    PyObject *dim = PyLong_FromLong(RT_TENSOR(self)->ndim), *index = PyLong_FromLong(which);
    if (source != NULL && dim != NULL && index != NULL) {
        PyObject *call[3] = {source, dim, index};
        result = rt_call(rt_builtin_ops[RT_OP_aten_select_int], call, 3);
    }
    Py_XDECREF(dim);
    Py_XDECREF(index);
    while (n > 0)
        Py_XDECREF(steps[--n]);
    return result;
}

RT_KERNEL(real)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return rt_is_complex(RT_TENSOR(args[0])->dtype) ? component(args[0], 0) : Py_NewRef(args[0]);
}

RT_KERNEL(imag)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    if (!rt_is_complex(RT_TENSOR(args[0])->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "imag is not implemented for tensors with non-complex dtypes.");
        return NULL;
    }
    return component(args[0], 1);
}

RT_KERNEL(is_conj)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong(rt_is_conj(RT_TENSOR(args[0])));
}

RT_KERNEL(is_neg)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return PyBool_FromLong((RT_TENSOR(args[0])->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Negative)) != 0);
}

/* A copy where a bit is set: `clone` knows the bits. */
static PyObject *resolved_from(PyObject *self, int key)
{
    PyObject *call[2] = {self, Py_None};
    if (!(RT_TENSOR(self)->keys & RT_FUNCTIONALITY_BIT(key)))
        return Py_NewRef(self);
    return rt_call(rt_builtin_ops[RT_OP_aten_clone], call, 2);
}

RT_KERNEL(resolve_conj)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return resolved_from(args[0], RT_KEY_Conjugate);
}

RT_KERNEL(resolve_neg)
{
    (void)op, (void)ks, (void)nargs, (void)ctx;
    return resolved_from(args[0], RT_KEY_Negative);
}

/* ------------------------------------------------------------------------------------------------------------- for other kernels */

static int in_place(RtTensor *plain, int builtin)
{
    PyObject *call[2] = {(PyObject *)plain, (PyObject *)plain};
    PyObject *done = rt_redispatch(rt_builtin_ops[builtin], CPU_KEYS, call, 2);
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

int rt_apply_lazy_bits(RtTensor *t, rt_keyset bits)
{
    int status = 0;
    bits &= RT_LAZY_BITS;
    if (!rt_is_complex(t->dtype))
        bits &= ~RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate);
    if (bits == 0 || t->numel == 0)
        return 0;
    RtTensor *plain = rt_alias(t, t->ndim, t->sizes, t->strides, t->offset);
    if (plain == NULL)
        return -1;
    plain->keys &= ~RT_LAZY_BITS;
    if (bits & RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate))
        status = in_place(plain, RT_OP_aten_conj_physical_out);
    if (status == 0 && bits & RT_FUNCTIONALITY_BIT(RT_KEY_Negative))
        status = in_place(plain, RT_OP_aten_neg_out);
    Py_DECREF(plain);
    return status;
}

PyObject *rt_resolved(PyObject *tensor)
{
    PyObject *call[2] = {tensor, Py_None};
    if (RT_LIKELY(!(RT_TENSOR(tensor)->keys & RT_LAZY_BITS)))
        return Py_NewRef(tensor);
    return rt_redispatch(rt_builtin_ops[RT_OP_aten_clone], CPU_KEYS, call, 2);
}
