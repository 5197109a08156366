/* Sums of absolute values, of squares and of what is no NaN: norms of vectors, and nansum.
 *
 * They are reductions whose elements go through a function as they are read (reduce_loops.h). Sums of half types are kept as floats
 * until the root is taken.
 */
#pragma GCC optimize("O3", "no-trapping-math", "no-math-errno")
#include "kernels/cpu/element.h"
#include "kernels/cpu/reduce.h"
#include "kernels/cpu/vectors.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/reduce_rules.h"
#include "rt_builtins.h"

#include <math.h>

enum { BLOCK = 1 << 16 }; /* elements of a temporary */

#define CLONES RT_CLONES
#define INIT 0
#define COMBINE(a, b) ((a) + (b))

/* The sum of a block of elements that go through MAP_VECTOR, a vector at a time, or LOAD. */
#define VECTOR_BLOCK(name, T, VECTOR) MAPPED_BLOCK(name, T, VECTOR)
#define MAPPED_BLOCK(NAME, T, VECTOR)                                      \
    RT_CLONES static T NAME(const T *p, int64_t n)                         \
    {                                                                      \
        enum { W = sizeof(VECTOR) / sizeof(T) };                           \
        VECTOR sum[4] = {{0}, {0}, {0}, {0}}, x;                           \
        T lane[W];                                                         \
        int64_t i = 0;                                                     \
        for (; i + 4 * W <= n; i += 4 * W)                                 \
            _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++)            \
            {                                                              \
                memcpy(&x, p + i + k * W, sizeof x);                       \
                sum[k] += MAP_VECTOR(x);                                   \
            }                                                              \
        for (; i + W <= n; i += W) {                                       \
            memcpy(&x, p + i, sizeof x);                                   \
            sum[0] += MAP_VECTOR(x);                                       \
        }                                                                  \
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);                    \
        memcpy(lane, &sum[0], sizeof lane);                                \
        for (int k = 0; i + k < n; k++)                                    \
            lane[k] += LOAD(p[i + k]);                                     \
        for (int width = W / 2; width > 0; width /= 2)                     \
            for (int k = 0; k < width; k++)                                \
                lane[k] += lane[k + width];                                \
        return lane[0];                                                    \
    }

static inline float square_f32(float x) { return x * x; }
static inline double square_f64(double x) { return x * x; }
static inline float square_f16(uint16_t h) { return square_f32(rt_f16_to_float(h)); }
static inline float square_bf16(uint16_t h) { return square_f32(rt_bf16_to_float(h)); }
static inline float square_c64(float complex z) { return crealf(z) * crealf(z) + cimagf(z) * cimagf(z); }
static inline double square_c128(double complex z) { return creal(z) * creal(z) + cimag(z) * cimag(z); }
static inline float size_f16(uint16_t h) { return fabsf(rt_f16_to_float(h)); }
static inline float size_bf16(uint16_t h) { return fabsf(rt_bf16_to_float(h)); }
static inline float number_f32(float x) { return x == x ? x : 0; }
static inline double number_f64(double x) { return x == x ? x : 0; }
static inline float number_f16(uint16_t h) { return number_f32(rt_f16_to_float(h)); }
static inline float number_bf16(uint16_t h) { return number_f32(rt_bf16_to_float(h)); }

#define MAP_VECTOR(x) ((x) * (x))
#define NAME(part) squares_f32_##part
#define IN float
#define VECTOR rt_vector_f32
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD square_f32
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) squares_f64_##part
#define IN double
#define VECTOR rt_vector_f64
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD square_f64
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) squares_f16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD square_f16
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) squares_bf16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD square_bf16
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) squares_c64_##part
#define IN float complex
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD square_c64
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) squares_c128_##part
#define IN double complex
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD square_c128
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#undef MAP_VECTOR
#define MAP_VECTOR(x) RT_BLEND((x) < 0, -(x), (x))
#define NAME(part) sizes_f32_##part
#define IN float
#define VECTOR rt_vector_f32
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD fabsf
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) sizes_f64_##part
#define IN double
#define VECTOR rt_vector_f64
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD fabs
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) sizes_f16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD size_f16
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) sizes_bf16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD size_bf16
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) sizes_c64_##part
#define IN float complex
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD cabsf
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) sizes_c128_##part
#define IN double complex
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD cabs
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#undef MAP_VECTOR
#define MAP_VECTOR(x) ((__typeof__(x))((__typeof__((x) == (x)))(x) & ((x) == (x))))
#define NAME(part) numbers_f32_##part
#define IN float
#define VECTOR rt_vector_f32
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD number_f32
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) numbers_f64_##part
#define IN double
#define VECTOR rt_vector_f64
#define ACC double
#define ACC_KIND ACC_F64
#define LOAD number_f64
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) numbers_f16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD number_f16
#include "kernels/cpu/reduce_loops.h"
#undef NAME
#define NAME(part) numbers_bf16_##part
#define IN uint16_t
#define ACC float
#define ACC_KIND ACC_F32
#define LOAD number_bf16
#include "kernels/cpu/reduce_loops.h"
#undef NAME

#define CASES(family)                                                                                      \
    case RT_FLOAT32: return &family##_f32_ops;                                                             \
    case RT_FLOAT64: return &family##_f64_ops;                                                             \
    case RT_FLOAT16: return &family##_f16_ops;                                                             \
    case RT_BFLOAT16: return &family##_bf16_ops;
#define COMPLEX_CASES(family)                                                                              \
    case RT_COMPLEX64: return &family##_c64_ops;                                                           \
    case RT_COMPLEX128: return &family##_c128_ops;

static const reduce_ops *squares_loop(int dtype) { switch (dtype) { CASES(squares) COMPLEX_CASES(squares) default: return NULL; } }
static const reduce_ops *sizes_loop(int dtype) { switch (dtype) { CASES(sizes) COMPLEX_CASES(sizes) default: return NULL; } }
static const reduce_ops *numbers_loop(int dtype) { switch (dtype) { CASES(numbers) default: return NULL; } }

static int read_dims(const RtTensor *self, PyObject *dim, reduce_dims *dims)
{
    uint64_t all = self->ndim < 64 ? (1ull << self->ndim) - 1 : ~0ull;
    dims->mask = all;
    if (dim != Py_None && PyTuple_GET_SIZE(dim) > 0 && rt_dim_mask(dim, self->ndim, &dims->mask) < 0)
        return -1;
    dims->mask &= all;
    return 0;
}

/* The reduction by loops for self's own elements into a new tensor of a dtype. */
static PyObject *reduced(const reduce_ops *ops, RtTensor *self, PyObject *dim, int keepdim, int dtype, const char *kernel)
{
    reduce_dims dims = {.keepdim = keepdim};
    rt_out_spec spec;
    if (rt_check_cpu(self, kernel) < 0 || read_dims(self, dim, &dims) < 0)
        return NULL;
    rt_reduced_sizes(self, &dims, &spec);
    RtTensor *out = rt_empty(spec.ndim, spec.sizes, dtype, self->device_type, self->device_index);
    if (out != NULL && rt_reduce(ops, self, dims.mask, out, 0) < 0)
        Py_CLEAR(out);
    return (PyObject *)out;
}

/* One operator after another on a tensor; the tensor's reference is taken over. */
static PyObject *then(PyObject *t, int builtin, PyObject *const *rest, Py_ssize_t n)
{
    PyObject *call[8] = {t};
    if (t == NULL)
        return NULL;
    if (n > 0)
        memcpy(call + 1, rest, n * sizeof *rest);
    PyObject *result = rt_call_below_views(builtin, call, n + 1);
    Py_DECREF(t);
    return result;
}

/* The sum of powers that no loop here computes. */
static PyObject *powsum_of_operators(RtTensor *self, int dtype, PyObject *const *args)
{
    PyObject *powers = then((PyObject *)rt_cast(self, dtype), RT_OP_aten_abs, NULL, 0);
    powers = then(powers, PyComplex_Check(args[1]) ? RT_OP_aten_pow_Tensor_Scalar : RT_OP_aten_pow__Scalar, args + 1, 1);
    PyObject *rest[3] = {args[2], args[3], Py_None};
    return then(powers, RT_OP_aten_sum_dim_IntList, rest, 3);
}

/* The same for a large tensor, block after block along its longest dimension: its powers are never all in memory. */
static PyObject *powsum_in_blocks(RtTensor *self, int dtype, PyObject *const *args)
{
    reduce_dims dims = {.keepdim = rt_as_bool(args[3])};
    rt_out_spec spec;
    int64_t sizes[RT_MAX_DIM];
    int longest = 0;
    if (read_dims(self, args[2], &dims) < 0)
        return NULL;
    rt_reduced_sizes(self, &dims, &spec);
    for (int d = 1; d < self->ndim; d++)
        if (self->sizes[d] > self->sizes[longest])
            longest = d;
    int adds = (int)(dims.mask >> longest & 1);
    int place = dims.keepdim ? longest : longest - __builtin_popcountll(dims.mask & ((1ull << longest) - 1));
    int64_t length = self->sizes[longest], row = self->numel / length, step = row < BLOCK ? BLOCK / row : 1;
    RtTensor *out = rt_empty(spec.ndim, spec.sizes, rt_real_of(dtype), self->device_type, self->device_index);
    memcpy(sizes, self->sizes, sizeof(int64_t) * (size_t)self->ndim);
    for (int64_t start = 0; out != NULL && start < length; start += step) {
        int64_t offset = out->offset;
        sizes[longest] = step < length - start ? step : length - start;
        if (!adds) {
            spec.sizes[place] = sizes[longest];
            offset += start * out->strides[place];
        }
        RtTensor *part = rt_alias(self, self->ndim, sizes, self->strides, self->offset + start * self->strides[longest]);
        PyObject *sum = part == NULL ? NULL : powsum_of_operators(part, dtype, args);
        PyObject *target = (PyObject *)rt_alias(out, spec.ndim, spec.sizes, out->strides, offset), *one = PyLong_FromLong(1), *done = NULL;
        if (sum != NULL && target != NULL && one != NULL) {
            PyObject *call[3] = {target, sum, adds && start > 0 ? one : Py_False};
            done = rt_call_below_views(adds && start > 0 ? RT_OP_aten_add__Tensor : RT_OP_aten_copy_, call, 3);
        }
        if (done == NULL)
            Py_CLEAR(out);
        Py_XDECREF((PyObject *)part);
        Py_XDECREF(sum);
        Py_XDECREF(target);
        Py_XDECREF(one);
        Py_XDECREF(done);
    }
    return (PyObject *)out;
}

/* linalg__powsum(self, ord, dim, keepdim, dtype): the sum of absolute values to a power. */
RT_KERNEL(linalg__powsum)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int dtype = rt_as_dtype(args[4], self->dtype);
    double ord = PyComplex_Check(args[1]) ? 0 : PyFloat_AsDouble(args[1]);
    const reduce_ops *ops = ord == 1 ? sizes_loop(self->dtype) : ord == 2 ? squares_loop(self->dtype) : NULL;
    if (!rt_is_floating(self->dtype) && !rt_is_complex(self->dtype)) {
        PyErr_Format(PyExc_NotImplementedError, "\"powsum_cpu\" not implemented for '%s'", rt_dtype_title(self->dtype));
        return NULL;
    }
    /* Half types are summed as float in any case. */
    if (ops != NULL && (dtype == self->dtype || (rt_itemsize[self->dtype] == 2 && dtype == RT_FLOAT32)))
        return reduced(ops, self, args[2], rt_as_bool(args[3]), rt_real_of(dtype), "linalg__powsum");
    if (self->numel > 2 * BLOCK && self->device_type == RT_DEVICE_CPU && rt_itemsize[dtype] >= 4 && !PyComplex_Check(args[1]))
        return powsum_in_blocks(self, dtype, args);
    return powsum_of_operators(self, dtype, args);
}

/* nansum(self, dim, keepdim, dtype) */
RT_KERNEL(nansum)
{
    RtTensor *self = RT_TENSOR(args[0]);
    const reduce_ops *ops = numbers_loop(self->dtype);
    if (rt_is_complex(self->dtype)) {
        PyErr_SetString(PyExc_RuntimeError, "nansum does not support complex inputs");
        return NULL;
    }
    if (ops != NULL && self->device_type == RT_DEVICE_CPU && rt_as_dtype(args[3], self->dtype) == self->dtype)
        return reduced(ops, self, args[1], rt_as_bool(args[2]), self->dtype, "nansum");
    PyObject *numbers = Py_NewRef(args[0]);
    if (ops != NULL) {
        PyObject *zero = PyFloat_FromDouble(0), *high = PyFloat_FromDouble(INFINITY), *low = PyFloat_FromDouble(-INFINITY);
        PyObject *rest[3] = {zero, high, low};
        if (zero != NULL && high != NULL && low != NULL)
            numbers = then(numbers, RT_OP_aten_nan_to_num, rest, 3);
        else
            Py_CLEAR(numbers);
        Py_XDECREF(zero);
        Py_XDECREF(high);
        Py_XDECREF(low);
    }
    return then(numbers, RT_OP_aten_sum_dim_IntList, args + 1, 3);
}
