/* The kernels of variants that no entry declares, and of those that entries declare as `made::NAME`.
 *
 * An out= or in-place variant calls the functional operator and copies its results into the outputs; a functional variant calls the in-place
 * operator on clones; a copying variant of a view calls the view and clones it. All go through the dispatcher. The code generator
 * registers them with an rt_made_of as context.
 */
#include "kernels/shared/made.h"

#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

enum { MAX_ARGS = 64 };

static int fits(const rt_operator *base)
{
    if (RT_LIKELY(base->nargs <= MAX_ARGS))
        return 0;
    PyErr_Format(PyExc_SystemError, "an operator that variants are made of has at most %d arguments", MAX_ARGS);
    return -1;
}

/* A clone of a tensor, a tuple of clones of a tuple, or None again: for a kernel of `op`, whose result a single clone is. */
static PyObject *clone_all(rt_operator *op, PyObject *value, PyObject *memory_format)
{
    if (value == Py_None)
        return Py_NewRef(value);
    if (!PyTuple_Check(value)) {
        PyObject *call[2] = {value, memory_format};
        return op->nrets == 1 ? rt_call_last(op, rt_builtin_ops[RT_OP_aten_clone], call, 2) : rt_call(rt_builtin_ops[RT_OP_aten_clone], call, 2);
    }
    PyObject *result = PyTuple_New(PyTuple_GET_SIZE(value));
    for (Py_ssize_t i = 0; result != NULL && i < PyTuple_GET_SIZE(value); i++) {
        PyObject *copy = clone_all(op, PyTuple_GET_ITEM(value, i), memory_format);
        if (copy == NULL)
            Py_CLEAR(result);
        else
            PyTuple_SET_ITEM(result, i, copy);
    }
    return result;
}

/* ----------------------------------------------------------------------------------------------------------------------- out= */

/* Copy a result into its output: 0, or -1 with an exception set. Elements of a list of outputs are recorded here as written, and those of
 * composites (no kernel at ADInplaceOrView ran before), other outputs above. */
static int write_one(PyObject *value, PyObject *out, int in_list, int casts)
{
    const RtTensor *from = RT_TENSOR(value), *to = RT_TENSOR(out);
    if (casts && rt_check_can_cast(from->dtype, to->dtype) < 0)
        return -1;
    if (!casts && from->dtype != to->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Expected out tensor to have dtype %s, but got %s instead", rt_dtype_spelling(from->dtype),
                     rt_dtype_spelling(to->dtype));
        return -1;
    }
    if (from->device_type != to->device_type || from->device_index != to->device_index) {
        PyObject *source = rt_format_device(from->device_type, from->device_index), *target = rt_format_device(to->device_type, to->device_index);
        if (source != NULL && target != NULL)
            PyErr_Format(PyExc_RuntimeError, "Attempting to copy from device %U to device %U, but cross-device copies are not allowed!",
                         source, target);
        Py_XDECREF(source);
        Py_XDECREF(target);
        return -1;
    }
    PyObject *done = rt_write_out(Py_NewRef(value), out);
    Py_XDECREF(done);
    const rt_keyset recording = RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView);
    if (done != NULL && (in_list || !(rt_tls_state.excluded & recording)) && to->keys & recording)
        rt_bump_version(RT_TENSOR(out));
    return done == NULL ? -1 : 0;
}

static int write_all(PyObject *value, PyObject *out, int casts)
{
    if (!PyTuple_Check(out))
        return write_one(value, out, 0, casts);
    if (PyTuple_GET_SIZE(value) != PyTuple_GET_SIZE(out)) {
        PyErr_Format(PyExc_RuntimeError, "Expected %zd out tensors, but got %zd", PyTuple_GET_SIZE(value), PyTuple_GET_SIZE(out));
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(out); i++)
        if (write_one(PyTuple_GET_ITEM(value, i), PyTuple_GET_ITEM(out, i), 1, casts) < 0)
            return -1;
    return 0;
}

PyObject *rt_made_out(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_made_of *m = ctx;
    rt_operator *base = rt_builtin_ops[m->base];
    PyObject *const *outs = args + nargs - m->nouts;
    PyObject *call[MAX_ARGS] = {NULL}, *device = NULL;
    (void)ks;
    if (fits(base) < 0)
        return NULL;
    for (int i = 0; i < base->nargs; i++) {
        int source = m->sources[i];
        if (source >= 0) {
            call[i] = args[source];
        } else if (source == RT_FROM_DTYPE) {
            call[i] = rt_dtype_objects[RT_TENSOR(outs[0])->dtype];
        } else if (source == RT_FROM_DEVICE) {
            device = rt_device_object(RT_TENSOR(outs[0])->device_type, RT_TENSOR(outs[0])->device_index);
            if (device == NULL)
                return NULL;
            call[i] = device;
        } else {
            call[i] = Py_None; /* there is one layout, and pinning changes no values */
        }
    }
    rt_offer offer;
    rt_offer_outputs(&offer, op, call, base->nargs, outs, m->nouts);
    PyObject *result = rt_hand_on(op, base, call, base->nargs);
    rt_withdraw_outputs(&offer);
    Py_XDECREF(device);
    if (result == NULL)
        return NULL;
    int failed = 0;
    for (int i = 0; i < m->nouts && !failed; i++)
        failed = write_all(m->nouts == 1 ? result : PyTuple_GET_ITEM(result, i), outs[i], m->casts) < 0;
    Py_DECREF(result);
    if (failed)
        return NULL;
    if (op->nrets == 0)
        Py_RETURN_NONE;
    if (m->nouts == 1)
        return Py_NewRef(outs[0]);
    PyObject *all = PyTuple_New(m->nouts);
    for (int i = 0; all != NULL && i < m->nouts; i++)
        PyTuple_SET_ITEM(all, i, Py_NewRef(outs[i]));
    return all;
}

/* ------------------------------------------------------------------------------------------------------------------- in-place */

PyObject *rt_made_inplace(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_made_of *m = ctx;
    rt_operator *base = rt_builtin_ops[m->base];
    PyObject *call[MAX_ARGS] = {NULL};
    (void)op;
    (void)ks;
    (void)nargs;
    if (fits(base) < 0)
        return NULL;
    for (int i = 0; i < base->nargs; i++)
        call[i] = m->sources[i] >= 0 ? args[m->sources[i]] : Py_None;
    PyObject *result = rt_call(base, call, base->nargs);
    if (result == NULL)
        return NULL;
    const RtTensor *from = RT_TENSOR(result), *to = RT_TENSOR(args[0]);
    if (from->ndim != to->ndim || memcmp(from->sizes, to->sizes, sizeof(int64_t) * (size_t)from->ndim) != 0) {
        rt_refuse_broadcast(to, from->ndim, from->sizes);
    } else if (rt_check_can_cast(from->dtype, to->dtype) == 0) {
        PyObject *copy[3] = {args[0], result, Py_False};
        PyObject *done = rt_call(rt_builtin_ops[RT_OP_aten_copy_], copy, 3);
        Py_DECREF(result);
        return done;
    }
    Py_DECREF(result);
    return NULL;
}

/* ----------------------------------------------------------------------------------------------------------------- functional */

PyObject *rt_made_functional(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_made_of *m = ctx;
    rt_operator *base = rt_builtin_ops[m->base];
    PyObject *call[MAX_ARGS], *values[MAX_ARGS], *result = NULL;
    int nclones = 0, nvalues = 0;
    PyObject *clones[MAX_ARGS];
    (void)ks;
    (void)nargs;
    if (fits(base) < 0)
        return NULL;
    for (int i = 0; i < base->nargs; i++) {
        call[i] = args[m->sources[i]];
        if (base->args[i].flags & RT_ARGF_WRITE) {
            call[i] = clone_all(op, call[i], Py_None);
            if (call[i] == NULL)
                goto done;
            clones[nclones++] = call[i];
        }
    }
    PyObject *returned = rt_call(base, call, base->nargs);
    if (returned == NULL)
        goto done;
    /* What the operator returns of its own, then what it has written. */
    for (int i = 0; i < base->nrets; i++)
        if (!(base->rets[i].flags & RT_ARGF_WRITE))
            values[nvalues++] = base->nrets == 1 ? returned : PyTuple_GET_ITEM(returned, i);
    for (int i = 0; i < nclones; i++)
        values[nvalues++] = clones[i];
    if (nvalues != op->nrets)
        PyErr_Format(PyExc_SystemError, "%d values for %d returns of a functional variant", nvalues, (int)op->nrets);
    else if (nvalues == 1)
        result = Py_NewRef(values[0]);
    else if ((result = PyTuple_New(nvalues)) != NULL)
        for (int i = 0; i < nvalues; i++)
            PyTuple_SET_ITEM(result, i, Py_NewRef(values[i]));
    Py_DECREF(returned);
done:
    for (int i = 0; i < nclones; i++)
        Py_DECREF(clones[i]);
    return result;
}

/* ----------------------------------------------------------------------------------------------------------------- view copies */

PyObject *rt_made_view_copy(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_made_of *m = ctx;
    (void)ks;
    PyObject *view = rt_call(rt_builtin_ops[m->base], args, nargs);
    if (view == NULL)
        return NULL;
    PyObject *result = clone_all(op, view, rt_contiguous_format);
    Py_DECREF(view);
    return result;
}

/* ----------------------------------------------------------------------------------------------------------------- the same */

PyObject *rt_same(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_same_as *same = ctx;
    PyObject *call[MAX_ARGS], *result = NULL;
    (void)ks;
    if (RT_LIKELY(same->numbers == 0))
        return rt_call_last(op, rt_builtin_ops[same->base], args, nargs);
    Py_ssize_t n = 0;
    if (fits(rt_builtin_ops[same->base]) < 0)
        return NULL;
    for (; n < nargs; n++) {
        call[n] = same->numbers >> n & 1 ? rt_wrap_number(args[n]) : Py_NewRef(args[n]);
        if (call[n] == NULL)
            break;
    }
    if (n == nargs)
        result = rt_call_last(op, rt_builtin_ops[same->base], call, nargs);
    while (n > 0)
        Py_DECREF(call[--n]);
    return result;
}

/* ---------------------------------------------------------------------------------------------------------- each place of lists */

/* The common length of an operator's lists; -1 with an exception set. */
static Py_ssize_t length_of_lists(const rt_operator *op, PyObject *const *args)
{
    Py_ssize_t n = -1;
    for (int i = 0; i < op->nargs; i++) {
        if (!(op->args[i].flags & RT_ARGF_LIST))
            continue;
        Py_ssize_t own = PyTuple_GET_SIZE(args[i]);
        if (n < 0 && own == 0) {
            PyErr_SetString(PyExc_RuntimeError, "Tensor list must have at least one tensor.");
            return -1;
        }
        if (n >= 0 && own != n) {
            if (op->args[i].kind == RT_ARG_TENSOR)
                PyErr_Format(PyExc_RuntimeError, "Tensor lists must have the same number of tensors, got %zd and %zd", n, own);
            else
                PyErr_SetString(PyExc_RuntimeError, "Tensor list must have same number of elements as scalar list.");
            return -1;
        }
        n = own;
    }
    return n;
}

PyObject *rt_each(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_each_of *each = ctx;
    rt_operator *base = rt_builtin_ops[each->base];
    PyObject *call[MAX_ARGS];
    (void)ks;
    (void)nargs;
    Py_ssize_t n = length_of_lists(op, args);
    if (n < 0 || fits(base) < 0)
        return NULL;
    PyObject *results = op->nrets ? PyTuple_New(n) : Py_NewRef(Py_None);
    for (Py_ssize_t place = 0; place < n && results != NULL; place++) {
        for (int i = 0; i < base->nargs; i++) {
            int source = each->sources[i];
            call[i] = source < 0                                ? base->args[i].dflt
                      : op->args[source].flags & RT_ARGF_LIST ? PyTuple_GET_ITEM(args[source], place)
                                                              : args[source];
        }
        PyObject *result = rt_call(base, call, base->nargs);
        if (result == NULL)
            Py_CLEAR(results);
        else if (op->nrets)
            PyTuple_SET_ITEM(results, place, result);
        else
            Py_DECREF(result);
    }
    return results;
}
