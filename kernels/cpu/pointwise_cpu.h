/* What the CPU adds to a pointwise operator: its loops per dtype, and the short cut for small contiguous tensors.
 *
 * An operator is an rt_pointwise_op and one RT_POINTWISE line. Its loops come from NumPy (`ufunc`) and from own loops (`own`), which win.
 * float16, bfloat16 and the float8 kinds are computed in float32, complex32 in complex64.
 */
#ifndef KERNELS_CPU_POINTWISE_CPU_H
#define KERNELS_CPU_POINTWISE_CPU_H

#include "kernels/cpu/iterator.h"
#include "kernels/shared/pointwise.h"
#include "kernels/shared/threads.h"

typedef struct rt_own_loop {
    int dtype; /* that the loop computes in */
    rt_loop_fn fn;
} rt_own_loop;

struct rt_pointwise_op {
    const char *stub;       /* the name in `"add_stub" not implemented for 'Bool'` */
    const char *ufunc;      /* NumPy's name of it, or NULL */
    const rt_own_loop *own; /* ends with a NULL loop; or NULL */
    int nin, flags;         /* rt_pointwise_flag */
    uint64_t dtypes;        /* in which the CPU computes it */
    int ready;
    rt_loop loops[RT_NUM_DTYPES]; /* empty until the first use */
};

/* The dtype of the loop for a common dtype. */
static inline int rt_loop_dtype(int common)
{
    return rt_dtype_in(common, RT_REDUCED_DTYPES | RT_FLOAT8_DTYPES) ? RT_FLOAT32 : common == RT_COMPLEX32 ? RT_COMPLEX64 : common;
}

int rt_pointwise_loop(rt_pointwise_op *op, int common, rt_loop *loop); /* -1 with NotImplementedError */
int rt_pointwise_run(rt_call_frame *c, rt_loop loop);                  /* the prepared operation with this loop */
int rt_pointwise_cpu(rt_call_frame *c);                                /* the same with the operator's own loop */

/* Short cuts into a given output, or (NULL) a new one: a new reference, or NULL without an exception where they do not apply. */
PyObject *rt_pointwise_fast1(const rt_pointwise_op *op, PyObject *a, RtTensor *out);
PyObject *rt_pointwise_fast2(const rt_pointwise_op *op, PyObject *a, PyObject *b, RtTensor *out);
PyObject *rt_pointwise_fast2_loop(rt_loop loop, int result_dtype, PyObject *a, PyObject *b, RtTensor *out); /* `a` is a Tensor */

/* A structured definition from its parts. */
#define RT_STRUCTURED(kernel, rule_fn, cpu_fn, fast_fn) \
    const rt_structured_def rt_k_##kernel = {.name = #kernel, .rule = rule_fn, .cpu = cpu_fn, .fast = fast_fn, .nouts = 1};

#define RT_POINTWISE_RULE(kernel, op, n) \
    static int kernel##_rule(rt_call_frame *c) { return rt_pointwise_rule(c, &op, op.flags, n, c->args); }
#define RT_POINTWISE1(kernel, op)                                                                                        \
    RT_POINTWISE_RULE(kernel, op, 1)                                                                                     \
    static PyObject *kernel##_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast1(&op, args[0], out); } \
    RT_STRUCTURED(kernel, kernel##_rule, rt_pointwise_cpu, kernel##_fast)
#define RT_POINTWISE2(kernel, op)                                                                                        \
    RT_POINTWISE_RULE(kernel, op, 2)                                                                                     \
    static PyObject *kernel##_fast(PyObject *const *args, Py_ssize_t n, RtTensor *out) { (void)n; return rt_pointwise_fast2(&op, args[0], args[1], out); } \
    RT_STRUCTURED(kernel, kernel##_rule, rt_pointwise_cpu, kernel##_fast)

/* Own loops: `a`, `b`, `d` are the inputs in the expression, `data` the loop's data; the forms with SETUP declare before the loop what it
 * needs of that. Contiguous runs and runs with a single last input have a form of their own, which the compiler turns into vector code. */
#define RT_LOOP1(name, T, R, EXPR) RT_LOOP1_WITH(name, T, R, , EXPR)
#define RT_LOOP1_WITH(name, T, R, SETUP, EXPR)                                                                           \
    static void name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                              \
    {                                                                                                                    \
        Py_ssize_t length = *n;                                                                                          \
        (void)data;                                                                                                      \
        SETUP                                                                                                            \
        if (steps[0] == sizeof(T) && steps[1] == sizeof(R)) {                                                            \
            const T *pa = (const T *)args[0];                                                                            \
            R *out = (R *)args[1];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T a = pa[i]; out[i] = (R)(EXPR); }            \
        } else {                                                                                                         \
            const char *pa = args[0];                                                                                    \
            char *out = args[1];                                                                                         \
            for (Py_ssize_t i = 0; i < length; i++, pa += steps[0], out += steps[1]) {                                   \
                T a = *(const T *)pa;                                                                                    \
                *(R *)out = (R)(EXPR);                                                                                   \
            }                                                                                                            \
        }                                                                                                                \
    }

#define RT_LOOP2(name, T, R, EXPR) RT_LOOP2_WITH(name, T, R, , EXPR)
#define RT_LOOP2_WITH(name, T, R, SETUP, EXPR)                                                                           \
    static void name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                              \
    {                                                                                                                    \
        Py_ssize_t length = *n;                                                                                          \
        (void)data;                                                                                                      \
        SETUP                                                                                                            \
        if (steps[0] == sizeof(T) && steps[1] == sizeof(T) && steps[2] == sizeof(R)) {                                   \
            const T *pa = (const T *)args[0], *pb = (const T *)args[1];                                                  \
            R *out = (R *)args[2];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T a = pa[i], b = pb[i]; out[i] = (R)(EXPR); } \
        } else if (steps[0] == sizeof(T) && steps[1] == 0 && steps[2] == sizeof(R)) {                                    \
            const T *pa = (const T *)args[0], b = *(const T *)args[1];                                                   \
            R *out = (R *)args[2];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T a = pa[i]; out[i] = (R)(EXPR); }            \
        } else if (steps[0] == 0 && steps[1] == sizeof(T) && steps[2] == sizeof(R)) {                                    \
            const T a = *(const T *)args[0], *pb = (const T *)args[1];                                                   \
            R *out = (R *)args[2];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T b = pb[i]; out[i] = (R)(EXPR); }            \
        } else {                                                                                                         \
            const char *pa = args[0], *pb = args[1];                                                                     \
            char *out = args[2];                                                                                         \
            for (Py_ssize_t i = 0; i < length; i++, pa += steps[0], pb += steps[1], out += steps[2]) {                   \
                T a = *(const T *)pa, b = *(const T *)pb;                                                                \
                *(R *)out = (R)(EXPR);                                                                                   \
            }                                                                                                            \
        }                                                                                                                \
    }

#define RT_LOOP3_WITH(name, T, SETUP, EXPR)                                                                              \
    static void name(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                              \
    {                                                                                                                    \
        Py_ssize_t length = *n;                                                                                          \
        (void)data;                                                                                                      \
        SETUP                                                                                                            \
        if (steps[0] == sizeof(T) && steps[1] == sizeof(T) && steps[2] == sizeof(T) && steps[3] == sizeof(T)) {          \
            const T *pa = (const T *)args[0], *pb = (const T *)args[1], *pd = (const T *)args[2];                        \
            T *out = (T *)args[3];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T a = pa[i], b = pb[i], d = pd[i]; out[i] = (EXPR); } \
        } else if (steps[0] == sizeof(T) && steps[1] == sizeof(T) && steps[2] == 0 && steps[3] == sizeof(T)) {           \
            const T *pa = (const T *)args[0], *pb = (const T *)args[1], d = *(const T *)args[2];                         \
            T *out = (T *)args[3];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T a = pa[i], b = pb[i]; out[i] = (EXPR); }    \
        } else {                                                                                                         \
            const char *pa = args[0], *pb = args[1], *pd = args[2];                                                      \
            char *out = args[3];                                                                                         \
            for (Py_ssize_t i = 0; i < length; i++, pa += steps[0], pb += steps[1], pd += steps[2], out += steps[3]) {   \
                T a = *(const T *)pa, b = *(const T *)pb, d = *(const T *)pd;                                            \
                *(T *)out = (EXPR);                                                                                      \
            }                                                                                                            \
        }                                                                                                                \
    }

/* A number argument of a loop in the dtype that the loop computes in, into 16 aligned bytes; -1 where it does not fit the common dtype. */
int rt_pointwise_number(const rt_number *number, int common, void *value);

#endif
