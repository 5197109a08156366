/* Operators that choose between operands: where, and clamp with its bounds. */
#include "kernels/cpu/element.h"
#include "kernels/cpu/pointwise_cpu.h"

#define NUMERIC_DTYPES (RT_INTEGRAL_DTYPES | RT_BAREBONES_UNSIGNED_DTYPES | RT_FLOATING_DTYPES)

/* ---------------------------------------------------------------------------------------------------------------------- where */

typedef struct wide { uint64_t low, high; } wide;
#define WHERE(suffix, T)                                                                                                 \
    RT_CLONES static void where_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)          \
    {                                                                                                                    \
        (void)data;                                                                                                      \
        if (steps[0] == 1 && steps[1] == sizeof(T) && steps[2] == sizeof(T) && steps[3] == sizeof(T)) {                  \
            const uint8_t *c = (const uint8_t *)args[0];                                                                 \
            const T *a = (const T *)args[1], *b = (const T *)args[2];                                                    \
            T *out = (T *)args[3];                                                                                       \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < *n; i++) out[i] = c[i] ? a[i] : b[i];                        \
            return;                                                                                                      \
        }                                                                                                                \
        const char *c = args[0], *a = args[1], *b = args[2];                                                             \
        char *out = args[3];                                                                                             \
        for (Py_ssize_t i = 0; i < *n; i++, c += steps[0], a += steps[1], b += steps[2], out += steps[3])                \
            *(T *)out = *(const T *)(*c ? a : b);                                                                        \
    }
WHERE(1, uint8_t)
WHERE(2, uint16_t)
WHERE(4, uint32_t)
WHERE(8, uint64_t)
WHERE(16, wide)

static rt_pointwise_op where_op = {.stub = "where_cpu", .nin = 3, .flags = RT_PW_CONDITION};

static int where_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    if (dtype != RT_BOOL && dtype != RT_UINT8) {
        PyErr_Format(PyExc_RuntimeError, "where expected condition to be a boolean tensor, but got a tensor with dtype %s",
                     rt_dtype_scalar_name(dtype));
        return -1;
    }
    return rt_pointwise_rule(c, &where_op, RT_PW_CONDITION, 3, c->args);
}

static int where_cpu(rt_call_frame *c)
{
    static const rt_loop_fn by_size[] = {[1] = where_1, [2] = where_2, [4] = where_4, [8] = where_8, [16] = where_16};
    return rt_pointwise_run(c, (rt_loop){by_size[rt_itemsize[rt_loop_dtype(rt_pointwise_of(c)->common)]], NULL});
}
RT_STRUCTURED(where_self_out, where_rule, where_cpu, NULL)

/* ---------------------------------------------------------------------------------------------------------------------- clamp
 * A bound that is NaN, and an element that is NaN, give NaN: as maximum and minimum do. Where the bounds cross, the upper one wins. */

#define CLAMP(suffix, T)                                                                                                 \
    RT_CLONES static void clamp_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)          \
    {                                                                                                                    \
        const char *pa = args[0], *plow = args[1], *phigh = args[2];                                                     \
        char *out = args[3];                                                                                             \
        (void)data;                                                                                                      \
        for (Py_ssize_t i = 0; i < *n; i++, pa += steps[0], plow += steps[1], phigh += steps[2], out += steps[3]) {      \
            T a = *(const T *)pa, low = *(const T *)plow, high = *(const T *)phigh;                                      \
            T raised = a != a || a >= low ? a : low;                                                                     \
            *(T *)out = raised != raised || raised <= high ? raised : high;                                              \
        }                                                                                                                \
    }
CLAMP(u8, uint8_t) CLAMP(i8, int8_t) CLAMP(i16, int16_t) CLAMP(i32, int32_t) CLAMP(i64, int64_t)
CLAMP(u16, uint16_t) CLAMP(u32, uint32_t) CLAMP(u64, uint64_t) CLAMP(f32, float) CLAMP(f64, double)
static const rt_own_loop clamp_loops[] = {{RT_UINT8, clamp_u8}, {RT_INT8, clamp_i8}, {RT_INT16, clamp_i16}, {RT_INT32, clamp_i32},
                                          {RT_INT64, clamp_i64}, {RT_UINT16, clamp_u16}, {RT_UINT32, clamp_u32}, {RT_UINT64, clamp_u64},
                                          {RT_FLOAT32, clamp_f32}, {RT_FLOAT64, clamp_f64}, {0, NULL}};
static rt_pointwise_op clamp_op = {.stub = "clamp_cpu", .own = clamp_loops, .nin = 3, .dtypes = NUMERIC_DTYPES};
static rt_pointwise_op clamp_min_op = {.stub = "clamp_min_cpu", .ufunc = "maximum", .nin = 2, .dtypes = NUMERIC_DTYPES};
static rt_pointwise_op clamp_max_op = {.stub = "clamp_max_cpu", .ufunc = "minimum", .nin = 2, .dtypes = NUMERIC_DTYPES};

static int bounded_rule(rt_call_frame *c, rt_pointwise_op *op, int nin, PyObject *const *inputs)
{
    if (rt_pointwise_rule(c, op, 0, nin, inputs) < 0)
        return -1;
    if (rt_is_complex(rt_pointwise_of(c)->common)) {
        PyErr_SetString(PyExc_RuntimeError, "clamp is not supported for complex types");
        return -1;
    }
    return 0;
}

static int clamp_rule(rt_call_frame *c)
{
    PyObject *low = c->args[1], *high = c->args[2];
    if (low == Py_None && high == Py_None) {
        PyErr_SetString(PyExc_RuntimeError, "torch.clamp: At least one of 'min' or 'max' must not be None");
        return -1;
    }
    if (high == Py_None)
        return bounded_rule(c, &clamp_min_op, 2, c->args);
    if (low == Py_None)
        return bounded_rule(c, &clamp_max_op, 2, (PyObject *[]){c->args[0], high});
    return bounded_rule(c, &clamp_op, 3, c->args);
}
static int clamp_min_rule(rt_call_frame *c) { return bounded_rule(c, &clamp_min_op, 2, c->args); }
static int clamp_max_rule(rt_call_frame *c) { return bounded_rule(c, &clamp_max_op, 2, c->args); }

RT_STRUCTURED(clamp_out, clamp_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_Tensor_out, clamp_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_min_out, clamp_min_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_min_Tensor_out, clamp_min_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_max_out, clamp_max_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_max_Tensor_out, clamp_max_rule, rt_pointwise_cpu, NULL)
