/* What the Cython parts use of allocation beyond core.h: the set-up of the Tensor type, tensors of a given Python type, foreign
 * memory, and single elements as Python numbers.
 */
#ifndef RUNTIME_ALLOC_H
#define RUNTIME_ALLOC_H

#include "runtime/core/core.h"

/* What `cdef class Tensor` holds: the fields of an RtTensor behind its object header, opaque to Cython. */
typedef struct rt_tensor_body {
    char bytes[sizeof(RtTensor) - sizeof(PyObject)];
} __attribute__((aligned(8))) rt_tensor_body;

/* Give the readied static type its life cycle: deallocation into the free list, traversal, the instance dictionary. Before anything
 * subclasses or instantiates it. */
int rt_setup_tensor_type(PyTypeObject *type);

/* Fill the fields of a tensor whose type's tp_alloc made it (zeroed): rank 0, float32, no storage, CPU key set. */
void rt_tensor_emplace(RtTensor *t);

/* An empty tensor object of a type (Tensor or a subclass), as rt_tensor_header. */
RtTensor *rt_tensor_of_type(PyTypeObject *type, int ndim);

/* Give a class its calls without tuples and dicts; Tensor itself needs none. (class_call.c) */
int rt_setup_class_call(PyTypeObject *type);

/* The names of the methods by which a class gets keys, and the functions that stand for none; set when the module is initialised. */
extern PyObject *rt_str_torch_dispatch, *rt_str_torch_function, *rt_no_torch_dispatch, *rt_no_torch_function;

/* Give `t` everything that is `source`'s but identity, version counter, dictionary, autograd and view metadata. */
int rt_tensor_copy_impl(RtTensor *t, const RtTensor *source);

/* The garbage collector must know a tensor from the moment it can be part of a cycle: when it gets a dictionary, autograd or view
 * metadata. */
void rt_tensor_track(RtTensor *t);

void rt_version_decref(rt_version *v);

/* Let a tensor have the quantizer of another one, or none as that one. (node.c) */
int rt_share_quantizer(RtTensor *t, const RtTensor *source);
/* Bytes per element, of quantized dtypes too. Their entry in rt_itemsize is 0, as of all dtypes that no kernel but their own may read. */
int rt_element_size(int dtype);

/* A storage with this flag is reported to `rt_storage_dies` when it dies: weak references have asked for it. */
enum { RT_STORAGE_WATCHED = 16 };
extern void (*rt_storage_dies)(rt_storage *s);

/* A storage around memory that `owner` keeps alive (a new reference is taken). */
rt_storage *rt_storage_foreign(void *data, int64_t nbytes, PyObject *owner, int device_type, int device_index, uint32_t flags);

/* Make a tensor contiguous: t->ndim checked sizes, for which it has room. */
void rt_set_contiguous(RtTensor *t, const int64_t *sizes);

/* Bytes that a tensor of this geometry needs, from the start of its storage; -1 with an exception set where that overflows. */
int64_t rt_storage_bytes(int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int itemsize);

extern int rt_default_dtype; /* what Python floats become */
extern const char *const rt_device_names[RT_NUM_DEVICE_TYPES]; /* "cpu", ...; NULL for numbers that are no device type */

/* One element in memory as a Python number, and back. A number that does not fit raises as PyTorch does. (elements.c) */
PyObject *rt_load_element(const char *p, int dtype);
int rt_store_element(char *p, int dtype, PyObject *number);

/* DLPack capsules, both ways. (dlpack.c) */
PyObject *rt_to_dlpack(PyObject *tensor, int versioned, int copied);
PyObject *rt_from_dlpack(PyObject *capsule);

/* torch.Size: the tuple subclass of shapes. (size.c) */
extern PyTypeObject *rt_SizeType;
int rt_setup_size_type(void);
PyObject *rt_size_new(int ndim, const int64_t *sizes);

/* What `type.__module__` of a static class says: the part of tp_name before the last dot. */
static inline void rt_name_type(PyTypeObject *type, const char *name)
{
    type->tp_name = name;
    PyType_Modified(type);
}

#endif
