/* DLPack: tensors as capsules and capsules as tensors, with and without a version (DLPack 1.x).
 *
 * An exported capsule owns a reference of the storage until its consumer calls the deleter, from whatever thread. An imported one
 * becomes the owner object of a foreign storage. The structures below are DLPack's C ABI.
 */
#include "runtime/core/alloc.h"

#include <stdlib.h>

typedef struct { int32_t type, id; } dl_device;
typedef struct { uint8_t code, bits; uint16_t lanes; } dl_dtype;
typedef struct {
    void *data;
    dl_device device;
    int32_t ndim;
    dl_dtype dtype;
    int64_t *shape, *strides;
    uint64_t byte_offset;
} dl_tensor;
typedef struct dl_managed {
    dl_tensor tensor;
    void *context;
    void (*deleter)(struct dl_managed *);
} dl_managed;
typedef struct dl_managed_versioned {
    struct { uint32_t major, minor; } version;
    void *context;
    void (*deleter)(struct dl_managed_versioned *);
    uint64_t flags;
    dl_tensor tensor;
} dl_managed_versioned;

enum { DL_CPU = 1, DL_READ_ONLY = 1, DL_IS_COPIED = 2, DL_MAJOR = 1, DL_MINOR = 0 };
enum { DL_INT, DL_UINT, DL_FLOAT, DL_BFLOAT = 4, DL_COMPLEX, DL_BOOL, DL_E4M3FN = 10, DL_E4M3FNUZ, DL_E5M2, DL_E5M2FNUZ, DL_E8M0FNU };

static const struct { uint8_t dtype, code, bits; } dtypes[] = {
    {RT_UINT8, DL_UINT, 8}, {RT_INT8, DL_INT, 8}, {RT_INT16, DL_INT, 16}, {RT_INT32, DL_INT, 32}, {RT_INT64, DL_INT, 64},
    {RT_FLOAT16, DL_FLOAT, 16}, {RT_FLOAT32, DL_FLOAT, 32}, {RT_FLOAT64, DL_FLOAT, 64}, {RT_COMPLEX32, DL_COMPLEX, 32},
    {RT_COMPLEX64, DL_COMPLEX, 64}, {RT_COMPLEX128, DL_COMPLEX, 128}, {RT_BOOL, DL_BOOL, 8}, {RT_BFLOAT16, DL_BFLOAT, 16},
    {RT_UINT16, DL_UINT, 16}, {RT_UINT32, DL_UINT, 32}, {RT_UINT64, DL_UINT, 64}, {RT_FLOAT8_E4M3FN, DL_E4M3FN, 8},
    {RT_FLOAT8_E4M3FNUZ, DL_E4M3FNUZ, 8}, {RT_FLOAT8_E5M2, DL_E5M2, 8}, {RT_FLOAT8_E5M2FNUZ, DL_E5M2FNUZ, 8},
    {RT_FLOAT8_E8M0FNU, DL_E8M0FNU, 8},
};
enum { NUM_DTYPES = sizeof dtypes / sizeof dtypes[0] };

/* An exported tensor: one of the two managed structures, what it holds, and its geometry. */
typedef struct {
    union {
        dl_managed plain;
        dl_managed_versioned versioned;
    } managed;
    rt_storage *storage;
    int64_t geometry[];
} export;

static void release(export *e)
{
    PyGILState_STATE state = PyGILState_Ensure();
    rt_storage_decref(e->storage);
    PyGILState_Release(state);
    free(e);
}

static void delete_plain(dl_managed *m)
{
    release(m->context);
}

static void delete_versioned(dl_managed_versioned *m)
{
    release(m->context);
}

/* A capsule nobody consumed still owns its tensor. */
static void destroy_capsule(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, "dltensor")) {
        dl_managed *m = PyCapsule_GetPointer(capsule, "dltensor");
        if (m->deleter != NULL)
            m->deleter(m);
    }
    else if (PyCapsule_IsValid(capsule, "dltensor_versioned")) {
        dl_managed_versioned *m = PyCapsule_GetPointer(capsule, "dltensor_versioned");
        if (m->deleter != NULL)
            m->deleter(m);
    }
}

/* `copied`: the tensor is a copy that was made for the consumer, which may write to it. */
PyObject *rt_to_dlpack(PyObject *tensor, int versioned, int copied)
{
    RtTensor *t = RT_TENSOR(tensor);
    int i = 0;
    while (i < NUM_DTYPES && dtypes[i].dtype != t->dtype)
        i++;
    if (i == NUM_DTYPES || t->storage == NULL || t->device_type != RT_DEVICE_CPU || (t->storage->data == NULL && t->numel > 0)) {
        PyErr_SetString(PyExc_BufferError, "the tensor's memory cannot be exported through DLPack");
        return NULL;
    }
    if (t->storage->flags & RT_STORAGE_READONLY && !versioned) {
        PyErr_SetString(PyExc_BufferError, "read-only memory cannot be exported without DLPack 1.0");
        return NULL;
    }
    export *e = malloc(sizeof *e + 2 * (size_t)t->ndim * sizeof(int64_t));
    if (e == NULL)
        return PyErr_NoMemory();
    dl_tensor *d = versioned ? &e->managed.versioned.tensor : &e->managed.plain.tensor;
    for (int j = 0; j < t->ndim; j++) {
        e->geometry[j] = t->sizes[j];
        e->geometry[t->ndim + j] = t->strides[j];
    }
    d->data = t->numel > 0 ? rt_data(t) : NULL;
    d->device = (dl_device){DL_CPU, 0};
    d->ndim = t->ndim;
    d->dtype = (dl_dtype){dtypes[i].code, dtypes[i].bits, 1};
    d->shape = e->geometry;
    d->strides = e->geometry + t->ndim;
    d->byte_offset = 0;
    e->storage = t->storage;
    PyObject *capsule;
    if (versioned) {
        e->managed.versioned.version.major = DL_MAJOR;
        e->managed.versioned.version.minor = DL_MINOR;
        e->managed.versioned.context = e;
        e->managed.versioned.deleter = delete_versioned;
        e->managed.versioned.flags = (t->storage->flags & RT_STORAGE_READONLY ? DL_READ_ONLY : 0) | (copied ? DL_IS_COPIED : 0);
        capsule = PyCapsule_New(&e->managed.versioned, "dltensor_versioned", destroy_capsule);
    }
    else {
        e->managed.plain.context = e;
        e->managed.plain.deleter = delete_plain;
        capsule = PyCapsule_New(&e->managed.plain, "dltensor", destroy_capsule);
    }
    if (capsule == NULL) {
        free(e);
        return NULL;
    }
    rt_storage_incref(t->storage);
    t->storage->flags &= ~(uint32_t)RT_STORAGE_RESIZABLE;
    return capsule;
}

/* The owner object of imported memory: calls the producer's deleter when the storage goes. */
static void delete_imported(PyObject *owner)
{
    dl_managed *m = PyCapsule_GetPointer(owner, "runtime.dltensor");
    if (m != NULL && m->deleter != NULL)
        m->deleter(m);
}

static void delete_imported_versioned(PyObject *owner)
{
    dl_managed_versioned *m = PyCapsule_GetPointer(owner, "runtime.dltensor");
    if (m != NULL && m->deleter != NULL)
        m->deleter(m);
}

static int read_geometry(const dl_tensor *d, int64_t *strides, int *dtype)
{
    int i = 0;
    while (i < NUM_DTYPES && !(dtypes[i].code == d->dtype.code && dtypes[i].bits == d->dtype.bits))
        i++;
    if (i == NUM_DTYPES || d->dtype.lanes != 1) {
        PyErr_Format(PyExc_BufferError, "DLPack elements of type code %d, %d bits and %d lanes are not supported", d->dtype.code,
                     d->dtype.bits, d->dtype.lanes);
        return -1;
    }
    *dtype = dtypes[i].dtype;
    if (d->device.type != DL_CPU) {
        PyErr_Format(PyExc_BufferError, "DLPack memory on device type %d is not supported", d->device.type);
        return -1;
    }
    if (d->ndim < 0 || d->ndim > RT_MAX_DIM) {
        PyErr_Format(PyExc_BufferError, "a DLPack tensor with %d dimensions is not supported", d->ndim);
        return -1;
    }
    if (d->ndim > 0 && d->shape == NULL) {
        PyErr_SetString(PyExc_BufferError, "a DLPack tensor with dimensions has no shape");
        return -1;
    }
    for (int j = 0; j < d->ndim; j++) {
        if (d->shape[j] < 0) {
            PyErr_Format(PyExc_BufferError, "a DLPack tensor has %lld elements in dimension %d", (long long)d->shape[j], j);
            return -1;
        }
    }
    if (rt_check_sizes(d->ndim, d->shape) < 0)
        return -1;
    int64_t step = 1;
    for (int j = d->ndim - 1; j >= 0; j--) {
        strides[j] = d->strides != NULL ? d->strides[j] : step;
        if (__builtin_mul_overflow(step, d->shape[j] > 1 ? d->shape[j] : 1, &step)) {
            PyErr_SetString(PyExc_BufferError, "the strides of a DLPack tensor do not fit into 64 bits");
            return -1;
        }
        if (strides[j] < 0) {
            PyErr_SetString(PyExc_BufferError, "DLPack tensors with negative strides are not supported");
            return -1;
        }
    }
    return 0;
}

PyObject *rt_from_dlpack(PyObject *capsule)
{
    int versioned = PyCapsule_IsValid(capsule, "dltensor_versioned");
    if (!versioned && !PyCapsule_IsValid(capsule, "dltensor")) {
        PyErr_SetString(PyExc_RuntimeError, "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed only "
                                            "once, so you might have already constructed a tensor from it once.");
        return NULL;
    }
    void *managed = PyCapsule_GetPointer(capsule, versioned ? "dltensor_versioned" : "dltensor");
    dl_managed_versioned *v = managed;
    if (versioned && v->version.major != DL_MAJOR) {
        PyErr_Format(PyExc_BufferError, "DLPack version %u.%u is not supported", v->version.major, v->version.minor);
        return NULL;
    }
    const dl_tensor *d = versioned ? &v->tensor : &((dl_managed *)managed)->tensor;
    uint32_t flags = versioned && v->flags & DL_READ_ONLY ? RT_STORAGE_READONLY : 0;
    int64_t strides[RT_MAX_DIM];
    int dtype;
    if (read_geometry(d, strides, &dtype) < 0)
        return NULL;
    int64_t nbytes = rt_storage_bytes(d->ndim, d->shape, strides, 0, rt_itemsize[dtype]);
    if (nbytes < 0)
        return NULL;
    if (nbytes > 0 && d->data == NULL) {
        PyErr_SetString(PyExc_BufferError, "a DLPack tensor with elements has no memory");
        return NULL;
    }
    char *data = (char *)((uintptr_t)d->data + d->byte_offset);
    if (nbytes > 0 && (uintptr_t)data % (rt_itemsize[dtype] > 8 ? 8 : rt_itemsize[dtype]) != 0) {
        PyErr_SetString(PyExc_BufferError, "the DLPack tensor is not aligned to its element size");
        return NULL;
    }
    RtTensor *t = rt_tensor_header(0);
    if (t == NULL)
        return NULL;
    t->keys = rt_keyset_of_device(RT_DEVICE_CPU);
    t->dtype = (uint8_t)dtype;
    t->device_type = RT_DEVICE_CPU;
    t->device_index = -1;
    if (rt_set_geometry(t, d->ndim, d->shape, strides, 0) < 0) {
        Py_DECREF(t);
        return NULL;
    }
    PyObject *owner = PyCapsule_New(managed, "runtime.dltensor", versioned ? delete_imported_versioned : delete_imported);
    if (owner == NULL) {
        Py_DECREF(t);
        return NULL;
    }
    /* From here on the producer's memory is ours: its capsule must not delete it. */
    PyCapsule_SetName(capsule, versioned ? "used_dltensor_versioned" : "used_dltensor");
    t->storage = rt_storage_foreign(nbytes > 0 ? data : NULL, nbytes, owner, RT_DEVICE_CPU, -1, flags);
    Py_DECREF(owner);
    if (t->storage == NULL) {
        Py_DECREF(t);
        return NULL;
    }
    return (PyObject *)t;
}
