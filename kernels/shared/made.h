/* Variants that no entry declares, or that entries declare as `made::NAME`: kernels that call the operator which a variant is made of.
 * And `same::NAME`, the kernel of other names and of overloads for numbers, and `each::NAME`, that of operators over lists. */
#ifndef KERNELS_MADE_H
#define KERNELS_MADE_H

#include "runtime/core/core.h"

/* Where an argument comes from that the variant does not have: the tensor options of its output. */
enum rt_made_source { RT_FROM_DTYPE = -1, RT_FROM_LAYOUT = -2, RT_FROM_DEVICE = -3, RT_FROM_NOTHING = -4 };

typedef struct rt_made_of {
    int base;              /* the number of the operator that it is made of */
    int nouts;             /* out= arguments of the variant: its last ones */
    int casts;             /* results are cast to the output's dtype where PyTorch's rules allow it; else they must have it */
    const int8_t *sources; /* for each argument of `base` the place of the variant's argument, or an rt_made_source */
} rt_made_of;

/* Another operator with the same arguments; bit i of `numbers`: argument i is a number where that one takes a tensor. */
typedef struct rt_same_as {
    int base;
    uint64_t numbers;
} rt_same_as;

/* An operator over lists of tensors, which calls another one for each place of the lists. */
typedef struct rt_each_of {
    int base;
    const int8_t *sources; /* for each argument of `base` the place of the operator's argument, or -1: its default */
} rt_each_of;

PyObject *rt_each(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_same(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_made_out(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_made_inplace(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_made_functional(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_made_view_copy(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

#endif
