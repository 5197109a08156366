/* Structures that the parts of the extension module and the built-in C kernels share, and the inline functions on the path of a call.
 *
 * Ownership. An operator's table holds borrowed pointers to kernels; the operator's registrations, the backend fallbacks and static
 * storage own them, and a call holds the Python object of the kernel it runs (rt_run). A Tensor owns one reference of its storage and
 * of its version counter; several tensors share one storage (views) and one counter (views, detach). A storage owns its memory, through
 * `owner` or `free`, and knows its one Python object without owning it.
 */
#ifndef RUNTIME_CORE_H
#define RUNTIME_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "runtime/keys.h"
#include "runtime/kernel.h"

#define RT_LIKELY(x) __builtin_expect(!!(x), 1)
#define RT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define RT_MAX_DIM 64   /* PyTorch's limit on dimensions of a tensor */
#define RT_INLINE_DIM 5 /* sizes and strides up to this rank live inside the tensor */

/* ------------------------------------------------------------------------------------------------------------------ key sets */

typedef struct rt_slot_info {
    uint16_t offset; /* first table slot of the functionality */
    uint16_t mask;   /* all backend bits where the functionality is per-backend, else 0 */
} rt_slot_info;

extern const rt_slot_info rt_slot_infos[RT_NUM_FUNCTIONALITIES];

/* No key: a bit beside the keys of tensors whose class has a `__torch_function__`, so that a call sees it in the union of its arguments'
 * sets. Every operator's mask removes it. */
#define RT_OVERRIDE_BIT ((rt_keyset)1 << 63)
/* What a tensor has of its class; it stays with the object whatever data the object gets, and views are plain Tensors. */
#define RT_CLASS_KEYS (RT_OVERRIDE_BIT | RT_FUNCTIONALITY_BIT(RT_KEY_Python) | RT_FUNCTIONALITY_BIT(RT_KEY_PythonTLSSnapshot))

/* Table slot of the highest-priority key of a set; 0 (Undefined) where no functionality is in it. */
static inline int rt_slot_of(rt_keyset ks)
{
    rt_keyset functionalities = ks >> RT_NUM_BACKENDS;
    if (RT_UNLIKELY(functionalities == 0))
        return 0;
    const rt_slot_info *info = &rt_slot_infos[64 - __builtin_clzll(functionalities)];
    uint64_t backends = (ks & info->mask) >> 1;
    return info->offset + (backends ? 64 - __builtin_clzll(backends) : 0);
}

/* ----------------------------------------------------------------------------------------------------------------------- TLS */

typedef struct rt_tls {
    rt_keyset included;
    rt_keyset excluded;
    rt_keyset entry_included; /* the sets as the outermost call found them (PythonTLSSnapshot), while has_entry */
    rt_keyset entry_excluded;
    PyObject *graph_task; /* the innermost run of the autograd engine in this thread, or NULL (borrowed: it is running) */
    PyObject *copy_slices; /* the CopySlices node whose call runs in this thread, or NULL (borrowed: it is running) */
    PyObject *modes; /* this thread's mode stacks, or NULL before the first mode (borrowed: the thread's state owns them) */
    uint8_t has_entry;
    uint8_t function_state; /* whether `__torch_function__` is asked: rt_function_state */
    uint8_t skip_override; /* the next call that asks for overrides goes on without */
    uint8_t function_modes; /* whether calls go to a torch function mode: there is one, and they are not disabled */
    uint8_t no_grad; /* nothing is recorded for autograd */
    uint8_t inference; /* tensors are made without version counters and autograd keys */
    uint8_t saved_hooks; /* 1: default hooks pack what autograd saves; 2: they are disabled */
    uint8_t no_forward_grad; /* tangents are not propagated */
} rt_tls;

enum rt_function_state { RT_FUNCTION_ENABLED, RT_FUNCTION_SUBCLASSES_DISABLED, RT_FUNCTION_ALL_DISABLED };

/* Kept small, so that the initial-exec model always finds room for it. */
extern _Thread_local rt_tls rt_tls_state __attribute__((tls_model("initial-exec")));

/* -------------------------------------------------------------------------------------------------------- kernels, operators */

enum {
    RT_KERNEL_FALLTHROUGH = 1,
    RT_KERNEL_MISSING = 2,
    RT_KERNEL_AMBIGUOUS = 4,
    RT_KERNEL_FOREIGN = 8, /* takes foreign arrays raw */
    RT_KERNEL_PYTHON = 16  /* ctx is a Python callable */
};

typedef struct rt_kernel {
    rt_kernel_fn fn;
    void *ctx;
    PyObject *self; /* the Kernel object around this struct, held during a call; NULL for kernels that live for ever */
    uint32_t flags;
} rt_kernel;

/* Kinds of argument and return types; optional-ness and list-ness are flags beside them. */
enum rt_arg_kind {
    RT_ARG_TENSOR = 1,
    RT_ARG_INT, /* int and SymInt */
    RT_ARG_FLOAT,
    RT_ARG_BOOL, /* bool and SymBool */
    RT_ARG_SCALAR,
    RT_ARG_STR,
    RT_ARG_DTYPE,
    RT_ARG_LAYOUT,
    RT_ARG_DEVICE,
    RT_ARG_MEMORY_FORMAT,
    RT_ARG_GENERATOR,
    RT_ARG_STORAGE,
    RT_ARG_STREAM,
    RT_ARG_COMPLEX,
    RT_ARG_OBJECT /* everything else: Any, dictionaries, tuples, custom classes */
};

enum rt_arg_flag {
    RT_ARGF_OPTIONAL = 1,      /* T? or T[]?: None is a value */
    RT_ARGF_LIST = 2,          /* T[] */
    RT_ARGF_OPTIONAL_ELEM = 4, /* T?[] */
    RT_ARGF_KWARG_ONLY = 8,
    RT_ARGF_WRITE = 16,        /* alias annotation with ! */
    RT_ARGF_ALIAS = 32,        /* any alias annotation */
    RT_ARGF_OUT = 64,          /* keyword-only and written: an out= argument */
    RT_ARGF_SYMBOLIC = 128     /* SymInt, SymBool: symbolic numbers pass */
};

typedef struct rt_arg {
    PyObject *name;     /* interned str */
    PyObject *dflt;     /* canonical default value, or NULL where required */
    uint8_t kind;       /* rt_arg_kind */
    uint8_t flags;      /* rt_arg_flag */
    int16_t size;       /* n of T[n], else 0 */
} rt_arg;

enum rt_operator_flag {
    RT_OPF_HAS_SCHEMA = 1,
    RT_OPF_NUMBERS_AS_TENSORS = 2, /* a Python number in a Tensor slot becomes a wrapped 0-d Tensor */
    RT_OPF_RETURNS_LIST = 4,       /* some return is T[]: a tuple inside, a list at the Python boundary */
    RT_OPF_MUTABLE = 8,            /* some argument is written */
    RT_OPF_VIEW = 16,              /* some argument has alias info and none is written */
    RT_OPF_UNRECORDED = 32         /* a built-in made of others below autograd: versions of what it makes start at 0 */
};

struct rt_operator {
    rt_kernel *table[RT_NUM_SLOTS];
    rt_keyset mask;           /* keys whose slot is not a fallthrough */
    rt_keyset *backend_masks; /* one mask per backend, where fallthroughs differ between backends; else NULL */
    rt_arg *args;
    rt_arg *rets;
    int16_t nargs;
    int16_t npos; /* arguments that may be given by position */
    int16_t nreq; /* arguments from here on all have defaults */
    int16_t nrets;
    uint32_t flags;
    uint32_t tags;
    int written;      /* the only written argument, if it is one tensor; else -1 */
    PyObject *self;   /* the Operator object that owns this struct (borrowed) */
    PyObject *handle; /* the OpOverload that Python code sees, or NULL until asked for (borrowed) */
    PyObject *derivative; /* how autograd records a call (Derivative), or NULL until asked for */
};

/* The key set of a call after thread-local state; `ks` is the union of its tensor arguments' sets. */
static inline rt_keyset rt_effective_keyset(const rt_operator *op, rt_keyset ks)
{
    rt_keyset effective = (ks | rt_tls_state.included) & ~rt_tls_state.excluded;
    if (RT_UNLIKELY(op->backend_masks != NULL)) {
        uint64_t backends = (effective & RT_BACKEND_MASK) >> 1;
        return effective & op->backend_masks[backends ? 64 - __builtin_clzll(backends) : 0];
    }
    return effective & op->mask;
}

/* Run the kernel in the slot of a key set that is final (redispatch applies no masks). */
static inline PyObject *rt_redispatch(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs)
{
    rt_kernel *kernel = op->table[rt_slot_of(ks)];
    PyObject *held = kernel->self;
    if (held == NULL)
        return kernel->fn(op, ks, args, nargs, kernel->ctx);
    Py_INCREF(held);
    PyObject *result = kernel->fn(op, ks, args, nargs, kernel->ctx);
    Py_DECREF(held);
    return result;
}

/* ------------------------------------------------------------------------------------------------------------ storage, tensor */

typedef struct rt_storage rt_storage;
struct rt_storage {
    Py_ssize_t refcount;
    char *data; /* may be NULL although nbytes > 0: meta tensors and wrapper subclasses */
    int64_t nbytes;
    PyObject *owner;          /* keeps foreign memory alive, or NULL */
    void (*free)(void *data); /* frees `data`, or NULL (inline or foreign memory) */
    PyObject *pyobj;          /* the one Python object of this storage, or NULL (not owned: it owns a reference of the storage) */
    void *stream;
    int16_t device_type;
    int16_t device_index;
    uint16_t flags;
    uint16_t lent; /* arrays that kernels in Python work on: the memory must stay where it is while there are any */
};

enum { RT_STORAGE_RESIZABLE = 1, RT_STORAGE_INLINE = 4, RT_STORAGE_READONLY = 8 };

/* Refcounted, so that views and detached tensors share it. A tensor that was never viewed nor written has none: version 0. */
typedef struct rt_version {
    Py_ssize_t refcount;
    int64_t value;
} rt_version;

enum rt_tensor_flag {
    RT_T_WRAPPED_NUMBER = 1, /* a Python number in a Tensor slot: takes part in promotion as a number */
    RT_T_CONTIGUOUS = 2,
    RT_T_CHANNELS_LAST = 4,
    RT_T_CHANNELS_LAST_3D = 8,
    RT_T_DENSE = 16, /* non-overlapping and dense */
    RT_T_NO_METADATA_CHANGE = 32,
    RT_T_REQUIRES_GRAD = 64,
    RT_T_TRACKED = 128, /* by the garbage collector */
    /* What a subclass answers itself, through `__torch_dispatch__`. */
    RT_T_DISPATCH_STRIDES = 256,
    RT_T_DISPATCH_SIZES = 512,
    RT_T_DISPATCH_DEVICE = 1024,
    RT_T_DISPATCH_LAYOUT = 2048,
    /* How a view was made, where that restricts writing to it: an rt_creation, shifted. */
    RT_T_CREATION_SHIFT = 12,
    RT_T_CREATION = 7 << RT_T_CREATION_SHIFT
};

enum rt_creation {
    RT_CREATED_BY_DEFAULT,
    RT_CREATED_IN_CUSTOM_FUNCTION,
    RT_CREATED_BY_MULTI_OUTPUT,
    RT_CREATED_IN_NO_GRAD,
    RT_CREATED_IN_INFERENCE
};


/* What most tensors lack, behind one pointer: the functions that the tensor's life needs of it. */
typedef struct rt_ext rt_ext;
typedef struct rt_ext_type {
    int (*traverse)(rt_ext *ext, visitproc visit, void *arg);
    void (*dealloc)(rt_ext *ext);
} rt_ext_type;
struct rt_ext {
    const rt_ext_type *type;
};

typedef struct RtTensor {
    PyObject_HEAD
    rt_keyset keys;
    rt_storage *storage;
    int64_t offset; /* in elements */
    int64_t numel;
    int64_t *sizes; /* point into `dims`, or to one heap block of 2 * ndim */
    int64_t *strides;
    rt_version *version;
    uint8_t dtype;
    uint8_t ndim;
    int8_t device_type;
    int8_t device_index;
    uint32_t flags;
    rt_ext *ext;
    PyObject *autograd; /* autograd metadata, or NULL */
    PyObject *view;     /* view metadata (the base), or NULL */
    PyObject *dict; /* attributes: see rt_has_dict */
    int64_t dims[2 * RT_INLINE_DIM];
    /* Cython's own fields (weak references) follow. */
} RtTensor;

extern PyTypeObject *rt_TensorType; /* set when the module is initialised */

extern const uint8_t rt_itemsize[RT_NUM_DTYPES]; /* bytes; 0 for codes that are no dtype of ours */

#define RT_TENSOR(o) ((RtTensor *)(o))
int rt_is_tensor_class(PyTypeObject *type);
static inline int rt_is_tensor(PyObject *o)
{
    return Py_TYPE(o) == rt_TensorType || rt_is_tensor_class(Py_TYPE(o));
}
/* Python 3.11 remembers where a method was found only for instances that have a dict. Exact Tensors without attributes therefore share
 * an empty one there, which nobody owns and nobody writes; later versions need no such thing, and it is NULL. */
extern PyObject *rt_no_dict;
static inline int rt_has_dict(const RtTensor *t)
{
    return t->dict != NULL && t->dict != rt_no_dict;
}
static inline char *rt_data(const RtTensor *t)
{
    return t->storage->data + t->offset * rt_itemsize[t->dtype];
}

/* The value classes' instances, as C sees them. */
typedef struct RtDtype { PyObject_HEAD int32_t code; } RtDtype;
typedef struct RtDevice { PyObject_HEAD int32_t type; int32_t index; /* -1: no index */ } RtDevice;
typedef struct RtLayout { PyObject_HEAD int32_t code; } RtLayout;
typedef struct RtMemoryFormat { PyObject_HEAD int32_t code; } RtMemoryFormat;
enum { RT_STRIDED = 0 };
enum { RT_CONTIGUOUS_FORMAT = 0, RT_PRESERVE_FORMAT = 1, RT_CHANNELS_LAST_FORMAT = 2, RT_CHANNELS_LAST_3D_FORMAT = 3 };
/* A random number generator (xoshiro256++). */
typedef struct RtGenerator {
    PyObject_HEAD
    uint64_t state[4];
    uint64_t seed;
    int32_t device_type;
} RtGenerator;
extern PyTypeObject *rt_DtypeType, *rt_DeviceType, *rt_LayoutType, *rt_MemoryFormatType, *rt_GeneratorType;
extern PyObject *rt_default_generator; /* an RtGenerator */
extern PyObject *rt_contiguous_format; /* immortal, as the next */
extern PyObject *rt_dtype_objects[RT_NUM_DTYPES]; /* immortal */

/* Key set that a plain dense tensor on a device carries. */
rt_keyset rt_keyset_of_device(int device_type);

/* --------------------------------------------------------------------------------------- allocation (runtime/core/alloc.c)
 * All return a new reference, or NULL with an exception set. Sizes are not negative (checked by rt_check_sizes). */

/* A Tensor header of rank ndim: sizes/strides point to room, everything else must be set by the caller except version, ext, autograd,
 * view, storage (NULL) and dict (none). The garbage collector does not track it until it can be part of a cycle. */
RtTensor *rt_tensor_header(int ndim);
RtTensor *rt_empty(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index); /* contiguous, uninitialised */
RtTensor *rt_empty_strided(int ndim, const int64_t *sizes, const int64_t *strides, int dtype, int device_type, int device_index);
RtTensor *rt_empty_like(const RtTensor *t, int dtype); /* t's sizes, contiguous, on t's device */
/* A tensor on the same storage (same dtype and device), of other geometry; shares the version counter, sets no view metadata. */
RtTensor *rt_alias(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset);
/* A 0-d CPU tensor that holds a Python number: bool, int64, float64 or complex128, marked as a wrapped number. */
PyObject *rt_wrap_number(PyObject *number);
void rt_refresh_flags(RtTensor *t);                  /* numel and contiguity flags, from sizes and strides */
int rt_set_geometry(RtTensor *t, int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset); /* in place */
int rt_check_sizes(int ndim, const int64_t *sizes);  /* negative or overflowing: exception and -1 */

rt_storage *rt_storage_new(int64_t nbytes, int device_type, int device_index); /* refcount 1; meta: no memory */
int rt_storage_resize(rt_storage *s, int64_t nbytes);                          /* keeps contents */
void rt_storage_decref(rt_storage *s);
static inline void rt_storage_incref(rt_storage *s) { s->refcount++; }

rt_version *rt_version_of(RtTensor *t);  /* t's counter, made if it has none */
static inline void rt_bump_version(RtTensor *t)
{
    if (RT_UNLIKELY(t->version == NULL) && rt_version_of(t) == NULL) {
        PyErr_Clear(); /* out of memory for sixteen bytes: the write itself has been done */
        return;
    }
    t->version->value++;
}

/* ---------------------------------------------------------------------------------------- argument accessors for C kernels
 * For canonical arguments; the int forms return 0, or -1 with an exception set (a symbolic or too large number). */
int rt_as_int64(PyObject *o, int64_t *out);
int rt_as_double(PyObject *o, double *out);
int rt_as_int64_array(PyObject *tuple, int64_t *out, int max); /* number of elements, or -1 */
static inline int rt_as_bool(PyObject *o) { return o == Py_True; }
static inline int rt_as_dtype(PyObject *o, int if_none) { return o == Py_None ? if_none : ((RtDtype *)o)->code; }

/* Wrap a dimension number; -1 with IndexError "Dimension out of range (expected to be in range of [-n, n-1], but got d)". */
int64_t rt_wrap_dim(int64_t dim, int64_t ndim);

/* ----------------------------------------------------------------------------------------------- calling operators from C */

extern rt_operator **rt_builtin_ops; /* indexed by enum rt_builtin of the generated rt_builtins.h */

/* Dispatch from the top with canonical arguments. */
PyObject *rt_call(rt_operator *op, PyObject *const *args, Py_ssize_t nargs);

/* ------------------------------------------------------- static tables of built-in operators, written by the code generator */

enum rt_default_tag {
    RT_D_REQUIRED = 0, RT_D_NONE, RT_D_TRUE, RT_D_FALSE, RT_D_INT, RT_D_FLOAT, RT_D_STR, RT_D_INT_LIST, RT_D_DTYPE, RT_D_LAYOUT,
    RT_D_MEMORY_FORMAT, RT_D_BOOL_LIST, RT_D_FLOAT_LIST
};

typedef struct rt_static_arg {
    const char *name;
    uint8_t kind, flags;
    int16_t size;
    uint8_t dflt;         /* rt_default_tag */
    int64_t i;            /* RT_D_INT, codes, or the length of a list */
    double d;             /* RT_D_FLOAT */
    const void *p;        /* RT_D_STR: text; lists: array of int64_t, double or uint8_t */
} rt_static_arg;

typedef struct rt_static_kernel {
    uint16_t key;         /* rt_key; alias keys too */
    rt_kernel_fn fn;      /* NULL: a Python kernel, ctx is "module:function", imported at its first call */
    const void *ctx;
    const char *debug;    /* "native_functions.yaml:120" */
} rt_static_kernel;

typedef struct rt_static_op {
    const char *name;     /* "aten::add" */
    const char *overload; /* "Tensor" */
    const char *schema;   /* full text, parsed only when somebody asks for the schema object */
    const rt_static_arg *args;
    const rt_static_arg *rets;
    const rt_static_kernel *kernels;
    int16_t nargs, npos, nrets, nkernels;
    uint32_t flags;       /* rt_operator_flag */
    uint32_t tags;        /* bit i: tag i of tags.yaml's order (rt_tag_names) */
} rt_static_op;

enum { RT_FN_FUNCTION = 1, RT_FN_METHOD = 2 };

/* A public function: signatures in the order in which they are tried. */
typedef struct rt_static_function {
    const char *module;   /* "", "nn", "linalg", "special", "fft" */
    const char *name;
    const int16_t *ops;   /* indices of functional and in-place overloads */
    const int16_t *outs;  /* for each of them the index of its out= overload, or -1 */
    int16_t nops;
    uint8_t flags;        /* RT_FN_* */
} rt_static_function;

/* An operator that this build leaves out, while the core calls it by its number. */
typedef struct rt_static_name {
    const char *name;
    const char *overload;
} rt_static_name;

extern const rt_static_op rt_static_ops[];
extern const rt_static_name rt_left_out_ops[];
extern const int rt_num_left_out_ops;
extern const int rt_is_selective; /* whether operators were left out */
extern const int rt_num_static_ops;
extern const rt_static_function rt_static_functions[];
extern const int rt_num_static_functions;
extern const char *const rt_tag_names[];
extern const int rt_num_tags;

/* Generic ADInplaceOrView kernels (ctx unused), driven by the operator's alias annotations. */
PyObject *rt_adinplace_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_autograd_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_detach_in_place_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_adresize_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_adshare_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_adview_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
/* Trampoline of static Python kernels. */
PyObject *rt_lazy_python_kernel(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

#endif
