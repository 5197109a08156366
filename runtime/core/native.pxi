# The C side as Cython sees it: runtime/core/core.h, and the few CPython functions that are used on borrowed pointers.
#
# Raw `PyObject*` appears only on the path of a call and in allocation. There a `<object>p` takes a reference for the time of the
# expression and `steal(p)` turns an owned pointer (NULL: an exception is set) into an object.

from cpython.object cimport PyObject, PyTypeObject
from cpython.ref cimport Py_INCREF
from libc.stdint cimport int8_t, int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    """
    #define RT_INC(o) Py_INCREF((PyObject *)(o))
    #define RT_DEC(o) Py_DECREF((PyObject *)(o))
    #define RT_XDEC(o) Py_XDECREF((PyObject *)(o))
    #define RT_TYPE(o) Py_TYPE((PyObject *)(o))
    #define RT_TUPLE_ITEMS(t) (((PyTupleObject *)(t))->ob_item)
    #define RT_LIST_ITEMS(t) (((PyListObject *)(t))->ob_item)
    #define RT_SIZE(t) (((PyVarObject *)(t))->ob_size)
    """
    void RT_INC(void *o) noexcept
    void RT_DEC(void *o) noexcept
    void RT_XDEC(void *o) noexcept
    PyTypeObject *RT_TYPE(void *o) noexcept
    PyObject **RT_TUPLE_ITEMS(void *t) noexcept
    PyObject **RT_LIST_ITEMS(void *t) noexcept
    Py_ssize_t RT_SIZE(void *t) noexcept
    PyObject *c_None "Py_None"
    PyObject *c_True "Py_True"
    PyObject *c_False "Py_False"
    PyTypeObject c_long "PyLong_Type"
    PyTypeObject c_float "PyFloat_Type"
    PyTypeObject c_bool "PyBool_Type"
    PyTypeObject c_complex "PyComplex_Type"
    PyTypeObject c_str "PyUnicode_Type"
    PyTypeObject c_tuple "PyTuple_Type"
    PyTypeObject c_list "PyList_Type"
    const size_t PY_VECTORCALL_ARGUMENTS_OFFSET
    Py_ssize_t PyVectorcall_NARGS(size_t nargsf) noexcept
    PyObject *c_vectorcall "PyObject_Vectorcall"(PyObject *f, PyObject *const *args, size_t nargsf, PyObject *kwnames) noexcept
    PyObject *c_tuple_new "PyTuple_New"(Py_ssize_t n) noexcept
    PyObject *c_list_as_tuple "PyList_AsTuple"(PyObject *o) noexcept
    int PyType_IsSubtype(PyTypeObject *a, PyTypeObject *b) noexcept
    int c_str_equal "PyUnicode_Compare"(PyObject *a, PyObject *b) noexcept
    void c_err_clear "PyErr_Clear"() noexcept
    PyObject *c_err_occurred "PyErr_Occurred"() noexcept
    int c_long_fits "PyLong_AsLongLongAndOverflow"(PyObject *o, int *overflow) noexcept
    int PyErr_GivenExceptionMatches(PyObject *e, PyObject *t) noexcept

cdef extern from "runtime/core/cpython.h":
    bint RT_LONG_IS_SMALL(PyObject *o) noexcept

cdef extern from "runtime/core/core.h":
    ctypedef uint64_t rt_keyset
    enum:
        RT_NUM_SLOTS, RT_NUM_KEYS, RT_NUM_BACKENDS, RT_NUM_FUNCTIONALITIES, RT_MAX_DIM, RT_NUM_DTYPES
    rt_keyset RT_BACKEND_MASK, RT_FULL_KEYSET
    rt_keyset RT_FULL_AFTER(int key) noexcept
    rt_keyset RT_FUNCTIONALITY_BIT(int key) noexcept
    rt_keyset RT_BACKEND_BIT(int backend) noexcept
    bint likely "RT_LIKELY"(bint) noexcept
    bint unlikely "RT_UNLIKELY"(bint) noexcept

    rt_keyset RT_OVERRIDE_BIT, RT_CLASS_KEYS
    ctypedef struct rt_tls:
        rt_keyset included
        rt_keyset excluded
        rt_keyset entry_included
        rt_keyset entry_excluded
        PyObject *copy_slices
        PyObject *modes
        PyObject *graph_task
        uint8_t has_entry
        uint8_t function_state
        uint8_t function_modes
        uint8_t skip_override
        uint8_t no_grad
        uint8_t inference
        uint8_t saved_hooks
        uint8_t no_forward_grad
    enum:
        RT_FUNCTION_ENABLED, RT_FUNCTION_SUBCLASSES_DISABLED, RT_FUNCTION_ALL_DISABLED
    rt_tls rt_tls_state

    ctypedef struct rt_operator
    ctypedef PyObject *(*rt_kernel_fn)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx) noexcept
    ctypedef struct rt_kernel:
        rt_kernel_fn fn
        void *ctx
        PyObject *self
        uint32_t flags
    enum:
        RT_KERNEL_FALLTHROUGH, RT_KERNEL_MISSING, RT_KERNEL_AMBIGUOUS, RT_KERNEL_FOREIGN, RT_KERNEL_PYTHON
    enum:
        RT_ARG_TENSOR, RT_ARG_INT, RT_ARG_FLOAT, RT_ARG_BOOL, RT_ARG_SCALAR, RT_ARG_STR, RT_ARG_DTYPE, RT_ARG_LAYOUT
        RT_ARG_DEVICE, RT_ARG_MEMORY_FORMAT, RT_ARG_GENERATOR, RT_ARG_STORAGE, RT_ARG_STREAM, RT_ARG_COMPLEX, RT_ARG_OBJECT
    enum:
        RT_ARGF_OPTIONAL, RT_ARGF_LIST, RT_ARGF_OPTIONAL_ELEM, RT_ARGF_KWARG_ONLY, RT_ARGF_WRITE, RT_ARGF_ALIAS, RT_ARGF_OUT
        RT_ARGF_SYMBOLIC
    ctypedef struct rt_arg:
        PyObject *name
        PyObject *dflt
        uint8_t kind
        uint8_t flags
        int16_t size
    enum:
        RT_OPF_HAS_SCHEMA, RT_OPF_NUMBERS_AS_TENSORS, RT_OPF_RETURNS_LIST, RT_OPF_MUTABLE, RT_OPF_VIEW, RT_OPF_UNRECORDED
    ctypedef struct rt_operator:
        rt_kernel *table[137]
        rt_keyset mask
        rt_keyset *backend_masks
        rt_arg *args
        rt_arg *rets
        int16_t nargs
        int16_t npos
        int16_t nreq
        int16_t nrets
        uint32_t flags
        uint32_t tags
        int written
        PyObject *self
        PyObject *handle
        PyObject *derivative

    int rt_slot_of(rt_keyset ks) noexcept
    rt_keyset rt_effective_keyset(const rt_operator *op, rt_keyset ks) noexcept
    PyObject *rt_redispatch(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs) noexcept

    ctypedef struct rt_version:
        Py_ssize_t refcount
        int64_t value
    ctypedef struct rt_storage:
        Py_ssize_t refcount
        char *data
        int64_t nbytes
        PyObject *owner
        void (*free)(void *data) noexcept
        PyObject *pyobj
        void *stream
        int16_t device_type
        int16_t device_index
        uint16_t flags
        uint16_t lent
    ctypedef struct RtTensor:
        rt_keyset keys
        rt_storage *storage
        int64_t offset
        int64_t numel
        int64_t *sizes
        int64_t *strides
        rt_version *version
        uint8_t dtype
        uint8_t ndim
        int8_t device_type
        int8_t device_index
        uint32_t flags
        void *ext
        PyObject *autograd
        PyObject *view
        PyObject *dict
    enum:
        RT_T_WRAPPED_NUMBER, RT_T_CONTIGUOUS, RT_T_DENSE, RT_T_REQUIRES_GRAD
        RT_T_DISPATCH_STRIDES, RT_T_DISPATCH_SIZES, RT_T_DISPATCH_DEVICE, RT_T_DISPATCH_LAYOUT
        RT_T_CREATION_SHIFT, RT_T_CREATION
    enum:
        RT_CREATED_BY_DEFAULT, RT_CREATED_IN_CUSTOM_FUNCTION, RT_CREATED_BY_MULTI_OUTPUT, RT_CREATED_IN_NO_GRAD, RT_CREATED_IN_INFERENCE
    PyTypeObject *rt_TensorType
    PyTypeObject *rt_DtypeType
    PyTypeObject *rt_DeviceType
    PyTypeObject *rt_LayoutType
    PyTypeObject *rt_MemoryFormatType
    PyTypeObject *rt_GeneratorType
    const uint8_t rt_itemsize[46]
    RtTensor *RT_TENSOR(void *o) noexcept
    bint rt_is_tensor(PyObject *o) noexcept
    char *rt_data(const RtTensor *t) noexcept
    PyObject *rt_wrap_number(PyObject *number) noexcept
    PyObject *rt_dtype_objects[46]
    PyObject *rt_contiguous_format
    rt_version *rt_version_of(RtTensor *t) noexcept
    void rt_bump_version(RtTensor *t) noexcept
    RtTensor *rt_alias(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset) noexcept

    ctypedef struct rt_static_arg:
        const char *name
        uint8_t kind
        uint8_t flags
        int16_t size
        uint8_t dflt
        int64_t i
        double d
        const void *p
    ctypedef struct rt_static_kernel:
        uint16_t key
        rt_kernel_fn fn
        const void *ctx
        const char *debug
    ctypedef struct rt_static_op:
        const char *name
        const char *overload
        const char *schema
        const rt_static_arg *args
        const rt_static_arg *rets
        const rt_static_kernel *kernels
        int16_t nargs, npos, nrets, nkernels
        uint32_t flags, tags
    ctypedef struct rt_static_function:
        const char *module
        const char *name
        const int16_t *ops
        const int16_t *outs
        int16_t nops
        uint8_t flags
    enum:
        RT_D_REQUIRED, RT_D_NONE, RT_D_TRUE, RT_D_FALSE, RT_D_INT, RT_D_FLOAT, RT_D_STR, RT_D_INT_LIST, RT_D_DTYPE, RT_D_LAYOUT
        RT_D_MEMORY_FORMAT, RT_D_BOOL_LIST, RT_D_FLOAT_LIST
    enum:
        RT_FN_FUNCTION, RT_FN_METHOD
    const rt_static_op rt_static_ops[]
    ctypedef struct rt_static_name:
        const char *name
        const char *overload
    const int rt_num_static_ops
    const rt_static_name rt_left_out_ops[]
    const int rt_num_left_out_ops
    const int rt_is_selective
    const rt_static_function rt_static_functions[]
    const int rt_num_static_functions
    const char *const rt_tag_names[]
    const int rt_num_tags

cdef inline object steal(PyObject *p):
    """The object behind an owned pointer; NULL raises the exception that is set."""
    if p == NULL:
        raise_current()
        raise SystemError("a function of the extension module failed without saying why")
    o = <object>p
    RT_DEC(<void *>p)
    return o

cdef extern from *:
    """
    /* Cython raises when an `except *` function returns with an exception set. */
    static void rt_raise_current(void) {}
    """
    void raise_current "rt_raise_current"() except *

cdef extern from "runtime/core/core.h":
    ctypedef struct RtDtype:
        int32_t code
