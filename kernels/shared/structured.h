/* Structured operators: a shape-and-dtype rule shared by all backends, and an inner kernel per backend.
 *
 * An operator is written once, as `const rt_structured_def NAME`, where NAME is the kernel that the out= entry of
 * native_functions.yaml names under `CPU:`. The code generator makes one rt_structured per variant (functional, in-place, out=) and
 * registers rt_structured_cpu and rt_structured_meta with it, and rt_structured_composite for backends that have only an out= kernel.
 */
#ifndef KERNELS_STRUCTURED_H
#define KERNELS_STRUCTURED_H

#include "runtime/core/core.h"

enum rt_variant { RT_FUNCTIONAL = 0, RT_INPLACE = 1, RT_OUT = 2 };
enum { RT_MAX_OUTS = 4, RT_ITER_ROOM = 512 };

/* What the rule says of one output. */
typedef struct rt_out_spec {
    int dtype;
    int device_type, device_index;
    int ndim;
    int has_strides; /* 0: contiguous */
    int64_t sizes[RT_MAX_DIM];
    int64_t strides[RT_MAX_DIM];
} rt_out_spec;

/* One run of a structured operator. `args` are the arguments of the variant that was called, in its schema's order; out= arguments
 * stand last and in-place ones have the output as argument 0, so that the inputs stand at the same places in all variants. */
typedef struct rt_call_frame {
    rt_operator *op;
    PyObject *const *args;
    Py_ssize_t nargs; /* out= arguments not counted */
    enum rt_variant variant;
    int nouts;
    RtTensor *outs[RT_MAX_OUTS]; /* before the rule: the given outputs, NULL where functional; after allocation: all of them */
    rt_out_spec *specs;          /* nouts of them, filled by the rule */
    void *iter;                  /* RT_ITER_ROOM bytes, aligned, on the caller's stack: what the rule prepares for the inner kernel */
} rt_call_frame;

typedef struct rt_structured_def {
    const char *name;
    int (*rule)(rt_call_frame *c);  /* checks arguments and fills specs: 0, or -1 with an exception set */
    int (*cpu)(rt_call_frame *c);   /* computes into c->outs: 0, or -1 with an exception set */
    /* A short cut for the CPU (small, contiguous, same dtype...), into the one output that is given or (NULL) a new one: a new reference
     * of the output, or NULL without an exception where it does not apply. May be NULL. */
    PyObject *(*fast)(PyObject *const *args, Py_ssize_t nargs, RtTensor *out);
    int nouts;
} rt_structured_def;

typedef struct rt_structured {
    const rt_structured_def *def;
    enum rt_variant variant;
    int out; /* the number of the out= operator, or -1 where this is it */
} rt_structured;

/* Checks that operators outside this scheme use as well: 0, or -1 with PyTorch's error. */
int rt_check_no_internal_overlap(const RtTensor *written);
int rt_check_no_partial_overlap(const RtTensor *written, const RtTensor *read);
int rt_check_no_overlap(const RtTensor *written, const RtTensor *read); /* what is written may not be what is read, either */
int rt_check_cpu_memory(const RtTensor *t); /* CPU storage that C code can address */

/* The error of a tensor that is written where operands broadcast to other sizes than its own: -1. */
int rt_refuse_broadcast(const RtTensor *written, int ndim, const int64_t *sizes);

/* Say of an output: contiguous, of these sizes, on the device of a tensor. */
void rt_set_spec(rt_out_spec *spec, int dtype, const RtTensor *device_of, int ndim, const int64_t *sizes);

/* The end of a rule whose one result has self's dtype and an index tensor's sizes, and shares memory with neither. */
int rt_rule_of_index(rt_call_frame *c, const RtTensor *self, const RtTensor *index);

/* Give an out= tensor the shape of a spec, with PyTorch's warning where it had elements. */
int rt_resize_output(RtTensor *out, const rt_out_spec *spec);

const char *rt_dtype_spelling(int dtype); /* "long int": how checks of given outputs spell a dtype */
PyObject *rt_format_device(int device_type, int device_index); /* "cuda:0" */

PyObject *rt_structured_cpu(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_structured_meta(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);
PyObject *rt_structured_composite(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

#endif
