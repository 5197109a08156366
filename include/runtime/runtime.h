/* The functions of the extension module that C kernels may call, through a capsule.
 *
 *     #include "runtime/runtime.h"
 *     ...
 *     if (rt_import() < 0) return NULL;            // in the module's init function; sets an exception on failure
 *     rt_view v; if (rt->view(tensor, &v) < 0) ...
 *
 * The table only grows: `struct_size` and `abi_version` tell an extension what the module that is loaded offers.
 */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include "runtime/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rt_api {
    uint32_t abi_version; /* RT_ABI_VERSION of the module that is loaded */
    uint32_t struct_size; /* sizeof(rt_api) there */
    /* Whether an object is a Tensor. */
    int (*is_tensor)(PyObject *o);
    /* Fill a view of a tensor's CPU memory; -1 with an exception for a tensor without any. */
    int (*view)(PyObject *tensor, rt_view *view);
    /* A new contiguous, uninitialised CPU tensor. */
    PyObject *(*empty)(int ndim, const int64_t *sizes, int dtype);
    /* A tensor's key set. */
    rt_keyset (*keyset)(PyObject *tensor);
    /* The operator of a name such as "aten::add" and an overload such as "Tensor"; NULL with an exception if there is none. */
    rt_operator *(*find)(const char *name, const char *overload);
    /* Dispatch with canonical arguments in schema order. */
    PyObject *(*call)(rt_operator *op, PyObject *const *args, Py_ssize_t nargs);
    /* Run the kernel that a key set selects, as a kernel does to hand a call on: pass `ks` without your own key's bit. */
    PyObject *(*redispatch)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs);
    /* The full name of an operator, as a new str. */
    PyObject *(*name)(rt_operator *op);
} rt_api;

#ifndef RT_BUILDING_CORE
static const rt_api *rt = NULL;

static inline int rt_import(void)
{
    rt = (const rt_api *)PyCapsule_Import("runtime._core._C_API", 0);
    if (rt == NULL)
        return -1;
    if (rt->abi_version != RT_ABI_VERSION || rt->struct_size < sizeof(rt_api)) {
        PyErr_Format(PyExc_ImportError,
                     "this extension was built for ABI version %d (%zu bytes) of the runtime; version %u (%u bytes) is loaded: "
                     "rebuild the extension",
                     RT_ABI_VERSION, sizeof(rt_api), rt->abi_version, rt->struct_size);
        rt = NULL;
        return -1;
    }
    return 0;
}
#endif

#ifdef __cplusplus
}
#endif
#endif
