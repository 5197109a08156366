# The capsule API (include/runtime/runtime.h): what C extensions may call.

cdef extern from *:
    """
    #define RT_BUILDING_CORE
    #include "runtime/runtime.h"
    """
    ctypedef struct rt_api:
        uint32_t abi_version
        uint32_t struct_size
        int (*is_tensor)(PyObject *o) noexcept
        int (*view)(PyObject *tensor, rt_view *view) noexcept
        PyObject *(*empty)(int ndim, const int64_t *sizes, int code) noexcept
        rt_keyset (*keyset)(PyObject *tensor) noexcept
        rt_operator *(*find)(const char *name, const char *overload) noexcept
        PyObject *(*call)(rt_operator *op, PyObject *const *args, Py_ssize_t nargs) noexcept
        PyObject *(*redispatch)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs) noexcept
        PyObject *(*name)(rt_operator *op) noexcept
    const uint32_t RT_ABI_VERSION
    object PyCapsule_New(void *p, const char *name, void *destructor)

cdef rt_api api


cdef int api_is_tensor(PyObject *o) noexcept:
    return rt_is_tensor(o)


cdef int api_view(PyObject *tensor, rt_view *view) noexcept:
    if not rt_is_tensor(tensor):
        set_error(TypeError, "view(): not a Tensor", NULL)
        return -1
    return fill_view(NULL, view, tensor)


cdef PyObject *api_empty(int ndim, const int64_t *sizes, int code) noexcept:
    if ndim < 0 or ndim > RT_MAX_DIM or code < 0 or code >= RT_NUM_DTYPES or rt_itemsize[code] == 0:
        set_error(ValueError, f"empty(): ndim {ndim} or dtype code {code} is out of range", NULL)
        return NULL
    if rt_check_sizes(ndim, sizes) < 0:
        return NULL
    return <PyObject *>rt_empty(ndim, sizes, code, 0, -1)


cdef rt_keyset api_keyset(PyObject *tensor) noexcept:
    return RT_TENSOR(tensor).keys & RT_FULL_KEYSET if rt_is_tensor(tensor) else 0


cdef rt_operator *api_find(const char *name, const char *overload) noexcept:
    try:
        found = operators.get((name.decode(), overload.decode()))
        if found is None or not (<Operator>found).op.flags & RT_OPF_HAS_SCHEMA:
            raise LookupError(f"there is no operator {name.decode()}.{overload.decode()}")
        return &(<Operator>found).op
    except BaseException as e:
        set_current(e)
        return NULL


cdef PyObject *api_redispatch(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs) noexcept:
    return rt_redispatch(op, ks, args, nargs)


cdef PyObject *api_name(rt_operator *op) noexcept:
    try:
        name = operator_of(op).full_name()
        RT_INC(<void *>name)
        return <PyObject *>name
    except BaseException as e:
        set_current(e)
        return NULL

api.abi_version = RT_ABI_VERSION
api.struct_size = sizeof(rt_api)
api.is_tensor = api_is_tensor
api.view = api_view
api.empty = api_empty
api.keyset = api_keyset
api.find = api_find
api.call = rt_call
api.redispatch = api_redispatch
api.name = api_name
_C_API = PyCapsule_New(&api, b"runtime._core._C_API", NULL)
