/* The uses of CPython's internals, by version; everything else in the module keeps to the public C API. */
#ifndef RUNTIME_CPYTHON_H
#define RUNTIME_CPYTHON_H

#include <Python.h>

/* Whether an exact int surely fits in 64 bits, without reading its value (larger ones may fit too). */
#if PY_VERSION_HEX >= 0x030C0000
#define RT_LONG_IS_SMALL(o) PyUnstable_Long_IsCompact((PyLongObject *)(o))
#else
#define RT_LONG_IS_SMALL(o) (Py_SIZE(o) >= -2 && Py_SIZE(o) <= 2) /* two digits of 30 bits */
#endif

/* The function inside a classmethod or staticmethod object, borrowed: attributes of the type would bind it, which allocates. */
typedef struct rt_method_wrapper {
    PyObject_HEAD
    PyObject *function;
} rt_method_wrapper;
#define RT_CLASSMETHOD_FUNCTION(o) (((rt_method_wrapper *)(o))->function)
#define RT_STATICMETHOD_FUNCTION(o) (((rt_method_wrapper *)(o))->function)

#endif
