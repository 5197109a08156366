/* The core's kernels that kernels/keys.yaml registers operators with, for the generated tables, and the kernel of those that have none. */
#ifndef RUNTIME_KEY_KERNELS_H
#define RUNTIME_KEY_KERNELS_H

#include "runtime/core/core.h"

/* The fallthrough: never called, the operator's mask skips its key. */
PyObject *rt_fallthrough_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

/* The kernel of empty slots: raises that the operator has none for these arguments. */
PyObject *rt_kernel_missing(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
/* An operator that looks at each element alone and keeps zeros: run on the values of a sparse tensor. */
PyObject *rt_values_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

/* What autocast does with the arguments of an operator (kernels/keys.yaml says what each policy means); the kernel's context is the autocast
 * key with a policy. */
enum rt_autocast_policy {
    RT_AUTOCAST_LOWER, RT_AUTOCAST_FP32, RT_AUTOCAST_FP32_SET_OPT_DTYPE, RT_AUTOCAST_FP32_APPEND_DTYPE, RT_AUTOCAST_PROMOTE, RT_AUTOCAST_BANNED
};
#define RT_AUTOCAST_CONTEXT(key, policy) ((const void *)(uintptr_t)((key) << 8 | (policy)))
PyObject *rt_autocast_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

#endif
