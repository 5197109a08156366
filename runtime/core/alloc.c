/* Allocation: storages and tensor objects, their free lists and their life cycle; new tensors, and views of others.
 *
 * Owns the free lists and the globals of core.h that the value classes and the Tensor class fill in at start-up. Everything here runs
 * with the GIL held. Exact Tensors are recycled through a free list and are invisible to the garbage collector until they can be
 * part of a cycle; subclasses live and die as ordinary heap types.
 */
#include "runtime/core/alloc.h"

#include <errno.h>
#include <stdlib.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

PyTypeObject *rt_TensorType, *rt_DtypeType, *rt_DeviceType, *rt_LayoutType, *rt_MemoryFormatType, *rt_GeneratorType;
PyObject *rt_default_generator;
PyObject *rt_contiguous_format;
PyObject *rt_no_dict;
PyObject *rt_dtype_objects[RT_NUM_DTYPES];
int rt_default_dtype = RT_FLOAT32;

const uint8_t rt_itemsize[RT_NUM_DTYPES] = {
    [RT_UINT8] = 1, [RT_INT8] = 1, [RT_INT16] = 2, [RT_INT32] = 4, [RT_INT64] = 8, [RT_FLOAT16] = 2, [RT_FLOAT32] = 4, [RT_FLOAT64] = 8,
    [RT_COMPLEX32] = 4, [RT_COMPLEX64] = 8, [RT_COMPLEX128] = 16, [RT_BOOL] = 1, [RT_BFLOAT16] = 2, [RT_FLOAT8_E5M2] = 1,
    [RT_FLOAT8_E4M3FN] = 1, [RT_FLOAT8_E5M2FNUZ] = 1, [RT_FLOAT8_E4M3FNUZ] = 1, [RT_UINT16] = 2, [RT_UINT32] = 4, [RT_UINT64] = 8,
    [RT_FLOAT8_E8M0FNU] = 1,
};

int rt_element_size(int dtype)
{
    return RT_IS_QUANTIZED(dtype) ? dtype == RT_QINT32 ? 4 : 1 : rt_itemsize[dtype];
}

const char *const rt_device_names[RT_NUM_DEVICE_TYPES] = {
    "cpu", "cuda", "mkldnn", "opengl", "opencl", "ideep", "hip", "fpga", "maia", "xla", "vulkan", "metal", "xpu", "mps", "meta", "hpu",
    "ve", "lazy", "ipu", "mtia", "privateuseone", NULL,
};

/* -------------------------------------------------------------------------------------------------------------- key sets */

#define COMMON_KEYS (RT_FUNCTIONALITY_BIT(RT_KEY_Dense) | RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView) | \
                     RT_FUNCTIONALITY_BIT(RT_KEY_AutogradFunctionality))
#define DEVICE_KEYS(backend, autocast) (COMMON_KEYS | RT_BACKEND_BIT(RT_BACKEND_##backend) | (autocast))
#define AUTOCAST(name) RT_FUNCTIONALITY_BIT(RT_KEY_Autocast##name)
#define OTHER_KEYS(key) (RT_FUNCTIONALITY_BIT(RT_KEY_##key) | RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView) | \
                         RT_FUNCTIONALITY_BIT(RT_KEY_AutogradOther))

static const rt_keyset device_keys[RT_NUM_DEVICE_TYPES] = {
    [0] = DEVICE_KEYS(CPU, AUTOCAST(CPU)),
    [1] = DEVICE_KEYS(CUDA, AUTOCAST(CUDA)),
    [6] = DEVICE_KEYS(HIP, AUTOCAST(CUDA)),
    [7] = OTHER_KEYS(FPGA),
    [8] = DEVICE_KEYS(MAIA, AUTOCAST(MAIA)),
    [9] = DEVICE_KEYS(XLA, AUTOCAST(XLA)),
    [10] = OTHER_KEYS(Vulkan),
    [11] = OTHER_KEYS(Metal),
    [12] = DEVICE_KEYS(XPU, AUTOCAST(XPU)),
    [13] = DEVICE_KEYS(MPS, AUTOCAST(MPS)),
    [14] = DEVICE_KEYS(Meta, 0),
    [15] = DEVICE_KEYS(HPU, AUTOCAST(HPU)),
    [16] = DEVICE_KEYS(VE, 0),
    [17] = DEVICE_KEYS(Lazy, 0),
    [18] = DEVICE_KEYS(IPU, AUTOCAST(IPU)),
    [19] = DEVICE_KEYS(MTIA, AUTOCAST(MTIA)),
    [20] = DEVICE_KEYS(PrivateUse1, AUTOCAST(PrivateUse1)),
};

/* Tensors that are made in inference mode are unknown to autograd and have no version. */
static rt_keyset keys_of_new(int device_type)
{
    rt_keyset keys = device_keys[device_type];
    if (RT_UNLIKELY(rt_tls_state.inference))
        keys &= ~(RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView) | RT_FUNCTIONALITY_BIT(RT_KEY_AutogradFunctionality) |
                  RT_FUNCTIONALITY_BIT(RT_KEY_AutogradOther));
    return keys;
}

rt_keyset rt_keyset_of_device(int device_type)
{
    return (unsigned)device_type < RT_NUM_DEVICE_TYPES ? keys_of_new(device_type) : 0;
}

/* --------------------------------------------------------------------------------------------------------------- storage */

enum { ALIGNMENT = 64, INLINE_BYTES = 256, MAX_FREE_STORAGES = 256 };
enum { HUGE_BYTES = 2 << 20 }; /* from here on huge pages halve the cost of first touching the memory */

/* Every storage struct has room for small data behind it: one allocation, and one free list, for both kinds. */
typedef struct storage_block {
    rt_storage s;
    char small[INLINE_BYTES];
} __attribute__((aligned(ALIGNMENT))) storage_block;

static storage_block *free_storages[MAX_FREE_STORAGES];
static int num_free_storages;

static char *allocate(int64_t nbytes)
{
    void *p = NULL;
    int err = ENOMEM;
    if (nbytes <= PY_SSIZE_T_MAX - ALIGNMENT)
        err = posix_memalign(&p, ALIGNMENT, (size_t)nbytes);
    if (err != 0) {
        PyErr_Format(PyExc_RuntimeError,
                     "DefaultCPUAllocator: can't allocate memory: you tried to allocate %lld bytes. Error code %d (%s)",
                     (long long)nbytes, err, strerror(err));
        return NULL;
    }
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (nbytes >= HUGE_BYTES) {
        uintptr_t page = ((uintptr_t)p + 4095) & ~(uintptr_t)4095;
        madvise((void *)page, (size_t)((uintptr_t)p + (uintptr_t)nbytes - page), MADV_HUGEPAGE); /* advice only: failure is fine */
    }
#endif
    return p;
}

/* Blocks of middle size are kept too, by powers of two: the C library's aligned allocation costs more than a small kernel. */
enum { SMALLEST_KEPT_LOG2 = 9, KEPT_SIZES = 4, MAX_KEPT = 32 };
static void *kept[KEPT_SIZES][MAX_KEPT];
static int num_kept[KEPT_SIZES];

static void keep_or_free(void *data, int size)
{
    if (RT_LIKELY(num_kept[size] < MAX_KEPT))
        kept[size][num_kept[size]++] = data;
    else
        free(data);
}
static void free_512(void *data) { keep_or_free(data, 0); }
static void free_1024(void *data) { keep_or_free(data, 1); }
static void free_2048(void *data) { keep_or_free(data, 2); }
static void free_4096(void *data) { keep_or_free(data, 3); }
static void (*const free_kept[KEPT_SIZES])(void *) = {free_512, free_1024, free_2048, free_4096};

/* Memory for more than INLINE_BYTES, and the function that frees it. */
static char *allocate_for(int64_t nbytes, void (**free_fn)(void *))
{
    int size = 64 - __builtin_clzll((uint64_t)(nbytes - 1)) - SMALLEST_KEPT_LOG2;
    if (size >= KEPT_SIZES) {
        *free_fn = free;
        return allocate(nbytes);
    }
    if (size < 0)
        size = 0;
    *free_fn = free_kept[size];
    return num_kept[size] > 0 ? kept[size][--num_kept[size]] : allocate((int64_t)1 << (size + SMALLEST_KEPT_LOG2));
}

static rt_storage *storage_struct(void)
{
    if (RT_LIKELY(num_free_storages > 0))
        return &free_storages[--num_free_storages]->s;
    void *p = NULL;
    if (posix_memalign(&p, ALIGNMENT, sizeof(storage_block)) != 0) {
        PyErr_NoMemory();
        return NULL;
    }
    return p;
}

static void storage_struct_free(rt_storage *s)
{
    if (RT_LIKELY(num_free_storages < MAX_FREE_STORAGES))
        free_storages[num_free_storages++] = (storage_block *)s;
    else
        free(s);
}

rt_storage *rt_storage_new(int64_t nbytes, int device_type, int device_index)
{
    if (RT_UNLIKELY(nbytes < 0)) {
        PyErr_Format(PyExc_RuntimeError, "Storage size must not be negative, but got %lld", (long long)nbytes);
        return NULL;
    }
    if (RT_UNLIKELY(device_type != RT_DEVICE_CPU && device_type != RT_DEVICE_META)) {
        const char *name = (unsigned)device_type < RT_NUM_DEVICE_TYPES ? rt_device_names[device_type] : NULL;
        PyErr_Format(PyExc_RuntimeError, "No memory can be allocated on a device of type %s in this build", name ? name : "?");
        return NULL;
    }
    rt_storage *s = storage_struct();
    if (RT_UNLIKELY(s == NULL))
        return NULL;
    s->refcount = 1;
    s->nbytes = nbytes;
    s->owner = NULL;
    s->free = NULL;
    s->pyobj = NULL;
    s->stream = NULL;
    s->device_type = (int16_t)device_type;
    s->device_index = (int16_t)device_index;
    s->flags = RT_STORAGE_RESIZABLE;
    s->lent = 0;
    if (RT_UNLIKELY(device_type == RT_DEVICE_META)) {
        s->data = NULL;
    }
    else if (RT_LIKELY(nbytes <= INLINE_BYTES)) {
        s->data = nbytes > 0 ? ((storage_block *)s)->small : NULL;
        s->flags |= RT_STORAGE_INLINE;
    }
    else {
        s->data = allocate_for(nbytes, &s->free);
        if (RT_UNLIKELY(s->data == NULL)) {
            storage_struct_free(s);
            return NULL;
        }
    }
    return s;
}

rt_storage *rt_storage_foreign(void *data, int64_t nbytes, PyObject *owner, int device_type, int device_index, uint32_t flags)
{
    rt_storage *s = storage_struct();
    if (s == NULL)
        return NULL;
    s->refcount = 1;
    s->data = data;
    s->nbytes = nbytes;
    Py_XINCREF(owner);
    s->owner = owner;
    s->free = NULL;
    s->pyobj = NULL;
    s->stream = NULL;
    s->device_type = (int16_t)device_type;
    s->device_index = (int16_t)device_index;
    s->flags = (uint16_t)flags;
    s->lent = 0;
    return s;
}

void (*rt_storage_dies)(rt_storage *s);

void rt_storage_decref(rt_storage *s)
{
    if (--s->refcount > 0)
        return;
    if (RT_UNLIKELY(s->flags & RT_STORAGE_WATCHED))
        rt_storage_dies(s);
    if (s->free != NULL)
        s->free(s->data);
    PyObject *owner = s->owner;
    storage_struct_free(s);
    Py_XDECREF(owner); /* last: it may run Python code */
}

int rt_storage_resize(rt_storage *s, int64_t nbytes)
{
    if (nbytes < 0) {
        PyErr_Format(PyExc_RuntimeError, "Storage size must not be negative, but got %lld", (long long)nbytes);
        return -1;
    }
    if (!(s->flags & RT_STORAGE_RESIZABLE)) {
        PyErr_SetString(PyExc_RuntimeError, "Trying to resize storage that is not resizable");
        return -1;
    }
    if (s->lent > 0) {
        PyErr_SetString(PyExc_RuntimeError, "Trying to resize storage whose memory is lent to an array, a buffer or a running kernel");
        return -1;
    }
    if (s->device_type != RT_DEVICE_CPU || (s->data == NULL && s->nbytes > 0)) {
        s->nbytes = nbytes; /* no memory stands behind it */
        return 0;
    }
    char *small = ((storage_block *)s)->small;
    void (*free_fn)(void *) = NULL;
    char *data = nbytes <= 0 ? NULL : nbytes <= INLINE_BYTES ? small : allocate_for(nbytes, &free_fn);
    if (nbytes > 0 && data == NULL)
        return -1;
    int64_t keep = s->nbytes < nbytes ? s->nbytes : nbytes;
    if (keep > 0 && data != s->data)
        memcpy(data, s->data, (size_t)keep);
    if (s->free != NULL)
        s->free(s->data);
    s->free = free_fn;
    s->flags = s->free ? (uint16_t)(s->flags & ~RT_STORAGE_INLINE) : (uint16_t)(s->flags | RT_STORAGE_INLINE);
    s->data = data;
    s->nbytes = nbytes;
    Py_CLEAR(s->owner); /* last: it may run Python code */
    return 0;
}

/* -------------------------------------------------------------------------------------------------------- version counters */

enum { MAX_FREE_VERSIONS = 256 };
static rt_version *free_versions[MAX_FREE_VERSIONS];
static int num_free_versions;

rt_version *rt_version_of(RtTensor *t)
{
    rt_version *v = t->version;
    if (v != NULL)
        return v;
    v = num_free_versions > 0 ? free_versions[--num_free_versions] : malloc(sizeof *v);
    if (v == NULL) {
        PyErr_NoMemory();
        return NULL;
    }
    v->refcount = 1;
    v->value = 0;
    t->version = v;
    return v;
}

void rt_version_decref(rt_version *v)
{
    if (--v->refcount > 0)
        return;
    if (num_free_versions < MAX_FREE_VERSIONS)
        free_versions[num_free_versions++] = v;
    else
        free(v);
}

/* --------------------------------------------------------------------------------------------------------- tensor objects */

enum { MAX_FREE_TENSORS = 256 };
static RtTensor *free_tensors[MAX_FREE_TENSORS];
static int num_free_tensors;

static PyObject **weaklist(PyObject *o)
{
    return (PyObject **)((char *)o + rt_TensorType->tp_weaklistoffset);
}

/* Room for the sizes and strides of `ndim` dimensions; the old room is not freed. */
static int make_room(RtTensor *t, int ndim)
{
    if (RT_LIKELY(ndim <= RT_INLINE_DIM)) {
        t->sizes = t->dims;
        t->strides = t->dims + RT_INLINE_DIM;
        return 0;
    }
    if (ndim > RT_MAX_DIM) {
        PyErr_Format(PyExc_RuntimeError, "tensors with more than %d dimensions are not supported, but got %d", RT_MAX_DIM, ndim);
        return -1;
    }
    int64_t *block = PyMem_Malloc(2 * (size_t)ndim * sizeof(int64_t));
    if (block == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    t->sizes = block;
    t->strides = block + ndim;
    return 0;
}

/* Most subclasses derive directly, which spares the walk over the bases. */
int rt_is_tensor_class(PyTypeObject *type)
{
    return type->tp_base == rt_TensorType || PyType_IsSubtype(type, rt_TensorType);
}

PyObject *rt_str_torch_dispatch, *rt_str_torch_function, *rt_no_torch_dispatch, *rt_no_torch_function;

/* What instances of a class have of it in their key sets: RT_CLASS_KEYS or parts of it. */
static rt_keyset class_keys(PyTypeObject *type)
{
    if (type == rt_TensorType)
        return 0;
    rt_keyset keys = 0;
    if (_PyType_Lookup(type, rt_str_torch_dispatch) != rt_no_torch_dispatch)
        keys |= RT_FUNCTIONALITY_BIT(RT_KEY_Python) | RT_FUNCTIONALITY_BIT(RT_KEY_PythonTLSSnapshot);
    if (_PyType_Lookup(type, rt_str_torch_function) != rt_no_torch_function)
        keys |= RT_OVERRIDE_BIT;
    return keys;
}

void rt_tensor_emplace(RtTensor *t)
{
    t->keys = keys_of_new(RT_DEVICE_CPU) | class_keys(Py_TYPE(t));
    t->storage = NULL;
    t->offset = 0;
    t->numel = 1;
    t->sizes = t->dims;
    t->strides = t->dims + RT_INLINE_DIM;
    t->version = NULL;
    t->dtype = RT_FLOAT32;
    t->ndim = 0;
    t->device_type = RT_DEVICE_CPU;
    t->device_index = -1;
    t->flags = RT_T_CONTIGUOUS | RT_T_DENSE | RT_T_TRACKED; /* as tp_alloc left it */
    t->ext = NULL;
    t->autograd = NULL;
    t->view = NULL;
    t->dict = NULL;
}

RtTensor *rt_tensor_header(int ndim)
{
    RtTensor *t;
    if (RT_LIKELY(num_free_tensors > 0)) {
        t = free_tensors[--num_free_tensors];
        _Py_NewReference((PyObject *)t);
    }
    else {
        t = (RtTensor *)_PyObject_GC_New(rt_TensorType);
        if (t == NULL)
            return NULL;
        /* Cython's own fields behind ours start out empty. */
        memset((char *)t + sizeof(RtTensor), 0, (size_t)rt_TensorType->tp_basicsize - sizeof(RtTensor));
    }
    t->storage = NULL;
    t->offset = 0;
    t->version = NULL;
    t->ndim = (uint8_t)ndim;
    t->flags = 0;
    t->ext = NULL;
    t->autograd = NULL;
    t->view = NULL;
    t->dict = rt_no_dict;
    if (RT_UNLIKELY(make_room(t, ndim) < 0)) {
        t->sizes = t->dims;
        Py_DECREF(t);
        return NULL;
    }
    return t;
}

RtTensor *rt_tensor_of_type(PyTypeObject *type, int ndim)
{
    if (type == rt_TensorType) {
        return rt_tensor_header(ndim);
    }
    RtTensor *t = (RtTensor *)type->tp_alloc(type, 0);
    if (t == NULL)
        return NULL;
    rt_tensor_emplace(t);
    t->ndim = (uint8_t)ndim;
    if (make_room(t, ndim) < 0) {
        t->sizes = t->dims;
        t->ndim = 0;
        Py_DECREF(t);
        return NULL;
    }
    return t;
}

void rt_tensor_track(RtTensor *t)
{
    if (!(t->flags & RT_T_TRACKED)) {
        t->flags |= RT_T_TRACKED;
        PyObject_GC_Track(t);
    }
}

static void tensor_dealloc(PyObject *o)
{
    RtTensor *t = RT_TENSOR(o);
    if (t->flags & RT_T_TRACKED)
        PyObject_GC_UnTrack(o);
    if (RT_UNLIKELY(*weaklist(o) != NULL))
        PyObject_ClearWeakRefs(o);
    if (t->version != NULL)
        rt_version_decref(t->version);
    if (RT_UNLIKELY(t->ext != NULL))
        t->ext->type->dealloc(t->ext);
    Py_XDECREF(t->autograd);
    Py_XDECREF(t->view);
    if (RT_UNLIKELY(rt_has_dict(t)))
        Py_DECREF(t->dict);
    if (t->storage != NULL)
        rt_storage_decref(t->storage);
    if (RT_UNLIKELY(t->sizes != t->dims))
        PyMem_Free(t->sizes);
    if (RT_LIKELY(Py_TYPE(o) == rt_TensorType && num_free_tensors < MAX_FREE_TENSORS))
        free_tensors[num_free_tensors++] = t;
    else
        Py_TYPE(o)->tp_free(o);
}

static int tensor_traverse(PyObject *o, visitproc visit, void *arg)
{
    RtTensor *t = RT_TENSOR(o);
    Py_VISIT(t->autograd);
    Py_VISIT(t->view);
    if (rt_has_dict(t))
        Py_VISIT(t->dict);
    if (t->ext != NULL && t->ext->type->traverse != NULL)
        return t->ext->type->traverse(t->ext, visit, arg);
    return 0;
}

static int tensor_clear(PyObject *o)
{
    RtTensor *t = RT_TENSOR(o);
    Py_CLEAR(t->autograd);
    Py_CLEAR(t->view);
    if (rt_has_dict(t))
        Py_CLEAR(t->dict);
    return 0;
}

/* The interpreter's own functions may put a dict where there is none, but must not see the one that stands for none. */
static void uncover_dict(RtTensor *t)
{
    if (t->dict == rt_no_dict)
        t->dict = NULL;
}

static void cover_dict(RtTensor *t)
{
    if (t->dict != NULL)
        rt_tensor_track(t);
    else if (Py_TYPE(t) == rt_TensorType)
        t->dict = rt_no_dict;
}

static int tensor_setattro(PyObject *o, PyObject *name, PyObject *value)
{
    uncover_dict(RT_TENSOR(o));
    int result = PyObject_GenericSetAttr(o, name, value);
    cover_dict(RT_TENSOR(o));
    return result;
}

static PyObject *tensor_get_dict(PyObject *o, void *context)
{
    uncover_dict(RT_TENSOR(o));
    PyObject *dict = PyObject_GenericGetDict(o, context);
    cover_dict(RT_TENSOR(o));
    return dict;
}

static int tensor_set_dict(PyObject *o, PyObject *dict, void *context)
{
    uncover_dict(RT_TENSOR(o));
    int result = PyObject_GenericSetDict(o, dict, context);
    cover_dict(RT_TENSOR(o));
    return result;
}

static PyGetSetDef dict_getset = {"__dict__", tensor_get_dict, tensor_set_dict, NULL, NULL};

int rt_setup_tensor_type(PyTypeObject *type)
{
    if (!PyType_IS_GC(type) || type->tp_weaklistoffset < (Py_ssize_t)sizeof(RtTensor)) {
        PyErr_SetString(PyExc_SystemError, "the Tensor type lacks garbage collection or its layout is not RtTensor's");
        return -1;
    }
    type->tp_dealloc = tensor_dealloc;
    type->tp_traverse = tensor_traverse;
    type->tp_clear = tensor_clear;
    type->tp_setattro = tensor_setattro;
    type->tp_dictoffset = offsetof(RtTensor, dict);
#if PY_VERSION_HEX < 0x030C0000
    if ((rt_no_dict = PyDict_New()) == NULL)
        return -1;
#endif
    /* Defining a hash keeps a type from inheriting comparisons. */
    if (type->tp_richcompare == NULL)
        type->tp_richcompare = type->tp_base->tp_richcompare;
    PyObject *descr = PyDescr_NewGetSet(type, &dict_getset);
    if (descr == NULL)
        return -1;
    int result = PyDict_SetItemString(type->tp_dict, "__dict__", descr);
    Py_DECREF(descr);
    PyType_Modified(type);
    rt_TensorType = type;
    return result;
}

/* --------------------------------------------------------------------------------------------------------------- geometry */

/* Views over few elements can have more sizes than numbers: 0, or -1 with PyTorch's error unless one of them is zero. */
static int refuse_overflow(int ndim, const int64_t *sizes)
{
    for (int i = 0; i < ndim; i++)
        if (sizes[i] == 0)
            return 0;
    PyErr_SetString(PyExc_RuntimeError, "numel: integer multiplication overflow");
    return -1;
}

static int numel_overflows(int ndim, const int64_t *sizes)
{
    int64_t numel = 1;
    int overflow = 0;
    for (int i = 0; i < ndim; i++)
        overflow |= __builtin_mul_overflow(numel, sizes[i], &numel);
    return overflow;
}

int rt_set_geometry(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset)
{
    int64_t kept[2 * RT_MAX_DIM]; /* the arguments may point into t itself */
    int64_t *old = t->sizes != t->dims ? t->sizes : NULL;
    if (RT_UNLIKELY(numel_overflows(ndim, sizes)) && refuse_overflow(ndim, sizes) < 0)
        return -1;
    if (ndim > 0 && ndim <= RT_MAX_DIM) {
        memcpy(kept, sizes, (size_t)ndim * sizeof(int64_t));
        memcpy(kept + ndim, strides, (size_t)ndim * sizeof(int64_t));
    }
    if (ndim != t->ndim) {
        if (make_room(t, ndim) < 0)
            return -1;
        PyMem_Free(old);
        t->ndim = (uint8_t)ndim;
    }
    if (ndim > 0) {
        memcpy(t->sizes, kept, (size_t)ndim * sizeof(int64_t));
        memcpy(t->strides, kept + ndim, (size_t)ndim * sizeof(int64_t));
    }
    t->offset = offset;
    rt_refresh_flags(t);
    return 0;
}

/* ------------------------------------------------------------------------------------------------------------ new tensors */

static void refuse_dtype(int dtype, int is_strided)
{
    if (!RT_IS_QUANTIZED(dtype))
        PyErr_SetString(PyExc_RuntimeError, "tensors of this dtype are not supported");
    else if (is_strided)
        PyErr_SetString(PyExc_RuntimeError, "empty_strided not supported on quantized tensors yet; make them by quantize_per_tensor(), "
                                            "quantize_per_channel() or _empty_affine_quantized()");
    else
        PyErr_SetString(PyExc_NotImplementedError, "a tensor of a quantized dtype needs a quantizer: make it by quantize_per_tensor(), "
                                                   "quantize_per_channel() or _empty_affine_quantized()");
}

static RtTensor *plain_header(int ndim, int dtype, int device_type, int device_index, int is_strided)
{
    if (RT_UNLIKELY((unsigned)dtype >= RT_NUM_DTYPES || rt_itemsize[dtype] == 0)) {
        refuse_dtype(dtype, is_strided);
        return NULL;
    }
    RtTensor *t = rt_tensor_header(ndim);
    if (RT_UNLIKELY(t == NULL))
        return NULL;
    t->keys = keys_of_new(device_type);
    t->dtype = (uint8_t)dtype;
    t->device_type = (int8_t)device_type;
    /* As in PyTorch a tensor's CPU has no index. */
    t->device_index = (int8_t)(device_type == RT_DEVICE_CPU || device_type == RT_DEVICE_META ? -1 : device_index);
    return t;
}

RtTensor *rt_empty(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index)
{
    if (RT_UNLIKELY(rt_check_sizes(ndim, sizes) < 0))
        return NULL;
    RtTensor *t = plain_header(ndim, dtype, device_type, device_index, 0);
    if (RT_UNLIKELY(t == NULL))
        return NULL;
    rt_set_contiguous(t, sizes);
    int64_t nbytes;
    if (RT_UNLIKELY(__builtin_mul_overflow(t->numel, (int64_t)rt_itemsize[dtype], &nbytes))) {
        nbytes = rt_storage_bytes(ndim, t->sizes, t->strides, 0, rt_itemsize[dtype]);
        Py_DECREF(t);
        return NULL;
    }
    t->storage = rt_storage_new(nbytes, device_type, device_index);
    if (RT_UNLIKELY(t->storage == NULL)) {
        Py_DECREF(t);
        return NULL;
    }
    return t;
}

RtTensor *rt_empty_strided(int ndim, const int64_t *sizes, const int64_t *strides, int dtype, int device_type, int device_index)
{
    if (rt_check_sizes(ndim, sizes) < 0)
        return NULL;
    for (int i = 0; i < ndim; i++) {
        if (strides[i] < 0) {
            PyErr_Format(PyExc_RuntimeError, "Tensor: negative strides are not supported (stride %lld at dimension %d)",
                         (long long)strides[i], i);
            return NULL;
        }
    }
    RtTensor *t = plain_header(ndim, dtype, device_type, device_index, 1);
    if (t == NULL)
        return NULL;
    int64_t nbytes = rt_storage_bytes(ndim, sizes, strides, 0, rt_itemsize[dtype]);
    if (nbytes >= 0 && rt_set_geometry(t, ndim, sizes, strides, 0) == 0)
        t->storage = rt_storage_new(nbytes, device_type, device_index);
    if (t->storage == NULL) {
        Py_DECREF(t);
        return NULL;
    }
    return t;
}

RtTensor *rt_empty_like(const RtTensor *t, int dtype)
{
    /* The sizes of a tensor need no checks, and a contiguous one's strides no computation. */
    if (RT_LIKELY(t->flags & RT_T_CONTIGUOUS && t->ndim <= RT_INLINE_DIM && t->device_type == RT_DEVICE_CPU &&
                  t->numel < (int64_t)1 << 40)) {
        RtTensor *r = plain_header(t->ndim, dtype, RT_DEVICE_CPU, -1, 0);
        if (RT_UNLIKELY(r == NULL))
            return NULL;
        for (int i = 0; i < t->ndim; i++) {
            r->sizes[i] = t->sizes[i];
            r->strides[i] = t->strides[i];
        }
        r->numel = t->numel;
        r->flags |= t->flags & (RT_T_CONTIGUOUS | RT_T_DENSE | RT_T_CHANNELS_LAST | RT_T_CHANNELS_LAST_3D);
        r->storage = rt_storage_new(t->numel * rt_itemsize[dtype], RT_DEVICE_CPU, -1);
        if (RT_UNLIKELY(r->storage == NULL)) {
            Py_DECREF(r);
            return NULL;
        }
        return r;
    }
    return rt_empty(t->ndim, t->sizes, dtype, t->device_type, t->device_index);
}

RtTensor *rt_alias(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset)
{
    if (RT_UNLIKELY(t->storage == NULL)) {
        PyErr_Format(PyExc_NotImplementedError, "Cannot access storage of %s", Py_TYPE(t)->tp_name);
        return NULL;
    }
    /* What shares a sparse tensor's parts has its sizes. */
    if (RT_UNLIKELY(t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse)) &&
        (ndim != t->ndim || memcmp(sizes, t->sizes, ndim * sizeof *sizes) != 0 || memcmp(strides, t->strides, ndim * sizeof *strides) != 0)) {
        PyErr_SetString(PyExc_NotImplementedError, "a tensor of layout torch.sparse_coo has no strides, so that this view of it cannot be "
                                                   "made; convert it with to_dense() first");
        return NULL;
    }
    int has_version = (t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView)) != 0; /* inference tensors have none */
    if (has_version && RT_UNLIKELY(rt_version_of(t) == NULL))
        return NULL;
    RtTensor *r = rt_tensor_header(ndim);
    if (RT_UNLIKELY(r == NULL))
        return NULL;
    /* What makes a tensor a Python subclass's does not pass to views: the result is a plain Tensor. */
    r->keys = t->keys & ~RT_CLASS_KEYS;
    r->dtype = t->dtype;
    r->device_type = t->device_type;
    r->device_index = t->device_index;
    r->offset = offset;
    /* Up to three dimensions there are no channels-last layouts to look for: contiguity can be read off in the copying loop. */
    int contiguous = ndim < 4, overflow = 0;
    int64_t numel = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        r->sizes[i] = sizes[i];
        r->strides[i] = strides[i];
        contiguous &= strides[i] == numel && sizes[i] > 0;
        overflow |= __builtin_mul_overflow(numel, sizes[i], &numel);
    }
    if (RT_UNLIKELY(overflow) && refuse_overflow(ndim, sizes) < 0) {
        Py_DECREF(r);
        return NULL;
    }
    if (contiguous) {
        r->numel = numel;
        r->flags |= RT_T_CONTIGUOUS | RT_T_DENSE;
    } else {
        rt_refresh_flags(r);
    }
    rt_storage_incref(t->storage);
    r->storage = t->storage;
    if (has_version) {
        t->version->refcount++;
        r->version = t->version;
    }
    if (RT_UNLIKELY(r->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Quantized)) && rt_share_quantizer(r, t) < 0) {
        Py_DECREF(r);
        return NULL;
    }
    return r;
}

int rt_tensor_copy_impl(RtTensor *t, const RtTensor *source)
{
    if (rt_set_geometry(t, source->ndim, source->sizes, source->strides, source->offset) < 0)
        return -1;
    rt_storage *old = t->storage;
    if (source->storage != NULL)
        rt_storage_incref(source->storage);
    t->storage = source->storage;
    t->keys = (source->keys & ~RT_CLASS_KEYS) | (t->keys & RT_CLASS_KEYS);
    t->dtype = source->dtype;
    t->device_type = source->device_type;
    t->device_index = source->device_index;
    if (old != NULL)
        rt_storage_decref(old);
    return (t->ext != NULL || source->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Quantized)) ? rt_share_quantizer(t, source) : 0;
}
