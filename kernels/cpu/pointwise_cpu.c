/* Runs pointwise operators on the CPU: finds the loop, sets up the iterator, and the short cuts. See pointwise_cpu.h. */
#include "kernels/cpu/pointwise_cpu.h"

#include "kernels/cpu/ufunc_loops.h"

static int prepare(rt_pointwise_op *op)
{
    rt_loop loops[RT_NUM_DTYPES] = {{NULL, NULL}};
    for (const rt_own_loop *own = op->own; own != NULL && own->fn != NULL; own++)
        loops[own->dtype] = (rt_loop){own->fn, NULL};
    if (op->ufunc != NULL && rt_ufunc_loops(op->ufunc, op->nin, 1, op->flags, loops) < 0)
        return -1;
    for (int d = 0; d < RT_NUM_DTYPES; d++)
        if (!rt_dtype_in(d, op->dtypes))
            loops[d] = (rt_loop){NULL, NULL};
    memcpy(op->loops, loops, sizeof loops);
    op->ready = 1;
    return 0;
}

int rt_pointwise_loop(rt_pointwise_op *op, int common, rt_loop *loop)
{
    if (!op->ready && prepare(op) < 0)
        return -1;
    *loop = op->loops[rt_loop_dtype(common)];
    if (rt_dtype_in(common, op->dtypes) && loop->fn != NULL)
        return 0;
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", op->stub, rt_dtype_title(common));
    return -1;
}

int rt_pointwise_run(rt_call_frame *c, rt_loop loop)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    int flags = p->op->flags, computed = rt_loop_dtype(p->common);
    int yielded = rt_pointwise_result(flags, computed);
    const RtTensor *out = c->outs[0];
    rt_iter it;
    rt_iter_begin(&it, out->ndim, out->sizes);
    for (int i = 0; i < p->nin; i++) {
        const RtTensor *t = p->in[i].tensor;
        int from = t != NULL ? t->dtype : p->in[i].number.dtype;
        int path[3] = {from, p->common, computed}, npath = 3;
        if (i == 0 && flags & RT_PW_CONDITION) {
            path[1] = RT_BOOL;
            npath = 2;
        } else if (i == p->nin - 1 && flags & RT_PW_EXACT_NUMBER && rt_dtype_in(p->common, RT_REDUCED_DTYPES) && (t == NULL || t->ndim == 0)) {
            path[1] = computed;
            npath = 2;
        }
        if (t == NULL) {
            rt_iter_value(&it, &p->in[i].number.value, npath, path);
        } else {
            if (rt_check_cpu_memory(t) < 0)
                return -1;
            rt_iter_tensor(&it, t, npath, path);
        }
    }
    rt_iter_tensor(&it, out, 3, (int[]){yielded, p->result, out->dtype});
    rt_iter_run(&it, loop);
    return 0;
}

int rt_pointwise_number(const rt_number *number, int common, void *value)
{
    int computed = rt_loop_dtype(common);
    rt_cast cast;
    if (rt_check_number_fits(number, computed) < 0)
        return -1;
    rt_cast_between(&cast, number->dtype, computed);
    if (cast.nhops)
        rt_cast_run(&cast, (const char *)&number->value, 0, value, 0, 1);
    else
        memcpy(value, &number->value, rt_itemsize[computed]);
    return 0;
}

int rt_pointwise_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    rt_loop loop;
    if (rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    return rt_pointwise_run(c, loop);
}

/* ------------------------------------------------------------------------------------------------------------------- short cuts */

static inline int is_small_and_dense(const RtTensor *t)
{
    return t->flags & RT_T_CONTIGUOUS && t->device_type == RT_DEVICE_CPU && t->numel < RT_GRAIN && t->storage != NULL &&
           t->storage->data != NULL;
}

/* Whether a given output is as the short cut would allocate it, and shares memory with an input only element by element. */
static int fits_output(const RtTensor *out, const RtTensor *a, int dtype)
{
    if (out->dtype != dtype || out->ndim != a->ndim || out->numel != a->numel || !is_small_and_dense(out))
        return 0;
    for (int i = 0; i < a->ndim; i++)
        if (out->sizes[i] != a->sizes[i])
            return 0;
    return out->storage != a->storage || (rt_data(out) == rt_data(a) && dtype == a->dtype);
}

PyObject *rt_pointwise_fast1(const rt_pointwise_op *op, PyObject *object, RtTensor *given)
{
    const RtTensor *a = RT_TENSOR(object);
    rt_loop loop = op->loops[a->dtype];
    if (loop.fn == NULL || !is_small_and_dense(a) || a->flags & RT_T_WRAPPED_NUMBER)
        return NULL;
    int dtype = rt_pointwise_result(op->flags, a->dtype);
    if (given != NULL && !fits_output(given, a, dtype))
        return NULL;
    RtTensor *out = given != NULL ? (RtTensor *)Py_NewRef(given) : rt_empty_like(a, dtype);
    if (out != NULL && a->numel > 0) {
        Py_ssize_t n = a->numel, steps[2] = {rt_itemsize[a->dtype], rt_itemsize[dtype]};
        char *args[2] = {rt_data(a), rt_data(out)};
        loop.fn(args, &n, steps, loop.data);
    }
    return (PyObject *)out;
}

/* The value of a number (a Python number, or a wrapped one) in a tensor's dtype, where it does not change the dtype; 0 where it does. */
static inline int number_in_dtype(PyObject *object, int dtype, void *value)
{
    double d;
    if (PyFloat_CheckExact(object)) {
        d = PyFloat_AS_DOUBLE(object);
    } else if (rt_is_tensor(object)) {
        const RtTensor *t = RT_TENSOR(object);
        if (!(t->flags & RT_T_WRAPPED_NUMBER) || t->device_type != RT_DEVICE_CPU)
            return 0;
        if (t->dtype == RT_INT64) {
            if (dtype == RT_INT64) {
                memcpy(value, rt_data(t), 8);
                return 1;
            }
            d = (double)*(int64_t *)rt_data(t);
        } else if (t->dtype == RT_FLOAT64) {
            d = *(double *)rt_data(t);
        } else {
            return 0;
        }
    } else {
        return 0;
    }
    if (dtype == RT_FLOAT32)
        *(float *)value = (float)d;
    else if (dtype == RT_FLOAT64)
        *(double *)value = d;
    else
        return 0;
    return 1;
}

PyObject *rt_pointwise_fast2(const rt_pointwise_op *op, PyObject *first, PyObject *second, RtTensor *given)
{
    if (RT_UNLIKELY(!rt_is_tensor(first)))
        return NULL;
    int dtype = RT_TENSOR(first)->dtype;
    return rt_pointwise_fast2_loop(op->loops[dtype], rt_pointwise_result(op->flags, dtype), first, second, given);
}

PyObject *rt_pointwise_fast2_loop(rt_loop loop, int dtype, PyObject *first, PyObject *second, RtTensor *given)
{
    const RtTensor *a = RT_TENSOR(first);
    if (loop.fn == NULL || !is_small_and_dense(a) || a->flags & RT_T_WRAPPED_NUMBER)
        return NULL;
    _Alignas(16) char value[16];
    int itemsize = rt_itemsize[a->dtype], second_step = itemsize;
    char *second_data;
    if (rt_is_tensor(second) && !(RT_TENSOR(second)->flags & RT_T_WRAPPED_NUMBER)) {
        const RtTensor *b = RT_TENSOR(second);
        if (b->dtype != a->dtype || b->ndim != a->ndim || b->numel != a->numel || !is_small_and_dense(b))
            return NULL;
        for (int i = 0; i < a->ndim; i++)
            if (a->sizes[i] != b->sizes[i])
                return NULL;
        if (given != NULL && !fits_output(given, b, dtype))
            return NULL;
        second_data = rt_data(b);
    } else {
        if (a->ndim == 0 || !number_in_dtype(second, a->dtype, value))
            return NULL;
        second_data = value;
        second_step = 0;
    }
    if (given != NULL && !fits_output(given, a, dtype))
        return NULL;
    RtTensor *out = given != NULL ? (RtTensor *)Py_NewRef(given) : rt_empty_like(a, dtype);
    if (out != NULL && a->numel > 0) {
        Py_ssize_t n = a->numel, steps[3] = {itemsize, second_step, rt_itemsize[dtype]};
        char *args[3] = {rt_data(a), second_data, rt_data(out)};
        loop.fn(args, &n, steps, loop.data);
    }
    return (PyObject *)out;
}
