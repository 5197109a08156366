/* What a kernel is: the boxed ABI, and the typed ABI for kernels that never touch Python.
 *
 * Kernel authors include this file (and runtime.h for the functions that the extension module offers through its capsule).
 */
#ifndef RUNTIME_KERNEL_H
#define RUNTIME_KERNEL_H

#include <Python.h>
#include <stdint.h>

#include "runtime/keys.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RT_ABI_VERSION 1

typedef struct rt_operator rt_operator;

/* The boxed kernel. `args` are borrowed references in schema order, complete and canonical: a Tensor is a Tensor object, a Scalar an
 * exact bool, int, float or complex, `T[]` a tuple, an absent optional None. Returns a new reference (a tuple for several returns,
 * None for none), or NULL with an exception set. Runs with the GIL held. `ctx` is the pointer that was registered with the kernel. */
typedef PyObject *(*rt_kernel_fn)(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx);

/* Element types, numbered as PyTorch's ScalarType. */
typedef enum rt_dtype {
    RT_UINT8 = 0,
    RT_INT8 = 1,
    RT_INT16 = 2,
    RT_INT32 = 3,
    RT_INT64 = 4,
    RT_FLOAT16 = 5,
    RT_FLOAT32 = 6,
    RT_FLOAT64 = 7,
    RT_COMPLEX32 = 8,
    RT_COMPLEX64 = 9,
    RT_COMPLEX128 = 10,
    RT_BOOL = 11,
    RT_QINT8 = 12, /* quantized: integers that stand for other numbers, read by kernels of their own only */
    RT_QUINT8 = 13,
    RT_QINT32 = 14,
    RT_BFLOAT16 = 15,
    RT_FLOAT8_E5M2 = 23,
    RT_FLOAT8_E4M3FN = 24,
    RT_FLOAT8_E5M2FNUZ = 25,
    RT_FLOAT8_E4M3FNUZ = 26,
    RT_UINT16 = 27,
    RT_UINT32 = 28,
    RT_UINT64 = 29,
    RT_FLOAT8_E8M0FNU = 44,
    RT_NUM_DTYPES = 46
} rt_dtype;

#define RT_IS_QUANTIZED(dtype) ((unsigned)(dtype) - RT_QINT8 < 3u)

/* Device types, numbered as PyTorch's. */
typedef enum rt_device_type {
    RT_DEVICE_CPU = 0,
    RT_DEVICE_CUDA = 1,
    RT_DEVICE_META = 14,
    RT_NUM_DEVICE_TYPES = 22
} rt_device_type;

/* A strided view of memory, as typed kernels see a tensor. Sizes and strides are in elements; `data` is the first element. */
typedef struct rt_view {
    void *data;
    const int64_t *sizes;
    const int64_t *strides;
    int64_t numel;
    int32_t ndim;
    int32_t dtype; /* rt_dtype */
    int32_t device_type;
    int32_t device_index;
    int32_t is_contiguous;
    int32_t itemsize;
} rt_view;

enum { RT_SCALAR_NONE = 0, RT_SCALAR_BOOL = 1, RT_SCALAR_INT = 2, RT_SCALAR_FLOAT = 3, RT_SCALAR_COMPLEX = 4 };

/* A number argument of a typed kernel: `i` holds bools and ints, `d` the value as a double (real part), `imag` the imaginary part. */
typedef struct rt_scalar {
    int64_t i;
    double d;
    double imag;
    int32_t kind;
    int32_t reserved;
} rt_scalar;

/* The typed kernel: `in` are the tensor arguments in schema order (lists flattened), `out` the outputs, allocated beforehand by the
 * declared shape rule or given by an out= schema, `scalars` the number arguments in schema order. It touches no Python; the GIL is
 * released around it for large work. Returns 0, or an error code with a registered message. */
typedef int (*rt_typed_fn)(const rt_view *in, rt_view *out, const rt_scalar *scalars, void *ctx);

#ifdef __cplusplus
}
#endif
#endif
