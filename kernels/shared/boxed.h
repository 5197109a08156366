/* What the boxed kernels of views, factories, reductions and products share: their signature, readers of size lists, and the checks
 * that every CPU kernel makes before it touches memory.
 */
#ifndef KERNELS_BOXED_H
#define KERNELS_BOXED_H

#include "kernels/shared/copying.h"
#include "kernels/shared/promotion.h"
#include "runtime/core/core.h"

#define RT_KERNEL(name) \
    PyObject *rt_k_##name(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)

/* The kernel of one overload that another overload's kernel serves: that one tells them apart by their arguments. */
#define RT_SAME_KERNEL(name, other) \
    RT_KERNEL(name) { return rt_k_##other(op, ks, args, nargs, ctx); }

/* "[2, 3]" as a new str. */
PyObject *rt_shape_text(int64_t n, const int64_t *values);

static inline int rt_is_contiguous(const RtTensor *t) { return (t->flags & RT_T_CONTIGUOUS) != 0; }

/* A dimension number of a tensor, where a 0-d tensor counts as having one dimension: -1 with IndexError. */
static inline int64_t rt_wrap_dim_scalar(int64_t dim, int64_t ndim)
{
    return rt_wrap_dim(dim, ndim ? ndim : 1);
}

/* Whether the elements of a tensor can be read (or written) by a CPU kernel: 0, or -1 with an exception set. */
int rt_refuse_cpu_access(const RtTensor *t, const char *what);
static inline int rt_check_cpu(const RtTensor *t, const char *what)
{
    if (RT_LIKELY(t->device_type == RT_DEVICE_CPU && t->storage != NULL && (t->storage->data != NULL || t->numel == 0)))
        return 0;
    return rt_refuse_cpu_access(t, what);
}

/* Contiguous strides of a shape. */
static inline void rt_contiguous_strides(int ndim, const int64_t *sizes, int64_t *strides)
{
    int64_t step = 1;
    for (int d = ndim - 1; d >= 0; d--) {
        strides[d] = step;
        step *= sizes[d] > 1 ? sizes[d] : 1;
    }
}

/* Store a Python number as one element of a dtype: 1, 0 where the dtype has no packing here (the caller dispatches to fill_), or -1
 * with an exception set (overflow, complex into real). */
int rt_pack_number(PyObject *number, int dtype, void *element);
/* n copies of one element of `itemsize` bytes. */
void rt_fill_elements(char *data, int64_t n, const void *element, int itemsize);

/* What operators take as arguments: a tuple of ints, a device. */
PyObject *rt_int_tuple(int n, const int64_t *values);
PyObject *rt_device_object(int type, int index);

/* A tensor for new results: CPU and Meta directly, other devices through aten::empty.memory_format or aten::empty_strided. */
PyObject *rt_new_tensor(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index);
PyObject *rt_new_strided(int ndim, const int64_t *sizes, const int64_t *strides, int dtype, int device_type, int device_index);

/* Write a computed result into an out= argument: resize it, copy. Steals `result`; the out argument is returned. */
PyObject *rt_write_out(PyObject *result, PyObject *out);

/* Note [Offered outputs]. A kernel that serves an out= variant by calling the functional operator offers the outputs to it: a kernel of
 * that operator which makes its results by rt_result writes them where they belong, and rt_write_out has nothing left to copy. An offer is
 * for one operator's kernel, so that nothing else that runs meanwhile takes it; each output is taken once; none is offered that
 * shares memory with an argument. A built-in kernel in Python asks for the place of its result (rt_requested_result). A kernel whose
 * result is that of another operator, which it calls, hands the offer on (rt_call_last). */
typedef struct rt_offer {
    rt_operator *op; /* NULL while nobody may take it */
    PyObject *const *outs;
    int n;
    uint64_t taken;
    struct rt_offer *outer;
} rt_offer;

void rt_offer_outputs(rt_offer *offer, rt_operator *op, PyObject *const *args, Py_ssize_t nargs, PyObject *const *outs, int n);
void rt_withdraw_outputs(rt_offer *offer);

extern _Thread_local rt_offer *rt_offered __attribute__((tls_model("initial-exec"))); /* the innermost offer, or NULL */

/* A call of `last` by a kernel of `op` whose result is what `last` returns. */
PyObject *rt_hand_on(rt_operator *op, rt_operator *last, PyObject *const *args, Py_ssize_t nargs);
static inline PyObject *rt_call_last(rt_operator *op, rt_operator *last, PyObject *const *args, Py_ssize_t nargs)
{
    return RT_LIKELY(rt_offered == NULL) ? rt_call(last, args, nargs) : rt_hand_on(op, last, args, nargs);
}
/* The same in two halves, around a call that somebody else makes; the end takes what the beginning returned. */
rt_offer *rt_hand_on_begin(rt_operator *op, rt_operator *last);
void rt_hand_on_end(rt_offer *offer, rt_operator *op);

/* A tensor over the output that is offered for an operator's result number `place` if it has just these sizes and dtype, whatever the
 * order of its dimensions in memory; else NULL (or with an exception set). */
RtTensor *rt_offered_output(rt_operator *op, int place, int ndim, const int64_t *sizes, int dtype);
/* The contiguous tensor for an operator's result number `place`: over the output that is offered for it if that is of just this geometry
 * and dtype, else a new one. */
PyObject *rt_result(rt_operator *op, int place, int ndim, const int64_t *sizes, int dtype, int device_type, int device_index);
/* The place of a Python kernel's only result, or NULL where no output is offered that fits it (or with an exception set). */
PyObject *rt_requested_result(rt_operator *op, int ndim, const int64_t *sizes, int dtype);

const char *rt_device_title(int device_type); /* "cpu", "meta", ... */

/* Dispatch to an operator from inside a kernel of a factory or a backend, below autograd and the in-place-or-view bookkeeping: a tensor
 * that the kernel made itself starts its life at version 0. */
PyObject *rt_call_below_views(int builtin, PyObject *const *args, Py_ssize_t nargs);

/* A CPU tensor in a dtype, contiguous: itself, or a copy. A new reference. */
RtTensor *rt_contiguous(RtTensor *t, int dtype);
/* PyTorch's C++ spelling of an element type in messages about mismatched dtypes: "float", "long", "c10::Half", ... */
const char *rt_dtype_cpp_title(int dtype);

#endif
