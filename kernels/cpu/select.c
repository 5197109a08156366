/* Operators that choose between operands: where, and clamp with its bounds. */
#include "kernels/cpu/loop_tables.h"

/* ---------------------------------------------------------------------------------------------------------------------- where */

/* Both operands are read before one is chosen: vector code cannot read just one of them. */
#define CHOOSE(T, A, B) _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) { T x = A, y = B; out[i] = c[i] ? x : y; }
#define WHERE(suffix, T)                                                                                                 \
    RT_CLONES static void where_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)          \
    {                                                                                                                    \
        Py_ssize_t length = *n, a_step = steps[1], b_step = steps[2];                                                    \
        (void)data;                                                                                                      \
        if (steps[0] == 1 && steps[3] == sizeof(T)) {                                                                    \
            const uint8_t *c = (const uint8_t *)args[0];                                                                 \
            const T *a = (const T *)args[1], *b = (const T *)args[2];                                                    \
            T *out = (T *)args[3];                                                                                       \
            if (a_step == sizeof(T) && b_step == sizeof(T)) {                                                            \
                CHOOSE(T, a[i], b[i])                                                                                    \
                return;                                                                                                  \
            }                                                                                                            \
            if (a_step == sizeof(T) && b_step == 0) {                                                                    \
                T fixed = *b;                                                                                            \
                CHOOSE(T, a[i], fixed)                                                                                   \
                return;                                                                                                  \
            }                                                                                                            \
            if (a_step == 0 && b_step == sizeof(T)) {                                                                    \
                T fixed = *a;                                                                                            \
                CHOOSE(T, fixed, b[i])                                                                                   \
                return;                                                                                                  \
            }                                                                                                            \
        }                                                                                                                \
        const char *c = args[0], *a = args[1], *b = args[2];                                                             \
        char *out = args[3];                                                                                             \
        for (Py_ssize_t i = 0; i < length; i++, c += steps[0], a += a_step, b += b_step, out += steps[3])                \
            *(T *)out = *(const T *)(*c ? a : b);                                                                        \
    }
WHERE(1, uint8_t)
WHERE(2, uint16_t)
WHERE(4, uint32_t)
WHERE(8, uint64_t)
WHERE(16, rt_item16)

static rt_pointwise_op where_op = {.stub = "where_cpu", .nin = 3, .flags = RT_PW_CONDITION};

static int where_rule(rt_call_frame *c)
{
    int dtype = RT_TENSOR(c->args[0])->dtype;
    if (dtype != RT_BOOL && dtype != RT_UINT8) {
        PyErr_Format(PyExc_RuntimeError, "where expected condition to be a boolean tensor, but got a tensor with dtype %s",
                     rt_dtype_title(dtype));
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

#define RAISED(a, low) ((a) < (low) || (low) != (low) ? (low) : (a))
#define LOWERED(a, high) ((a) > (high) || (high) != (high) ? (high) : (a))
#define CLAMPED(a, low, high) ((a) != (a) ? (a) : (low) != (low) ? (low) : LOWERED(RAISED(a, low), high))
#define CLAMP(suffix, T)                                                                                                 \
    RT_CLONES static void clamp_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)          \
    {                                                                                                                    \
        const char *pa = args[0], *plow = args[1], *phigh = args[2];                                                     \
        char *out = args[3];                                                                                             \
        (void)data;                                                                                                      \
        if (steps[0] == sizeof(T) && steps[1] == 0 && steps[2] == 0 && steps[3] == sizeof(T)) {                          \
            T low = *(const T *)plow, high = *(const T *)phigh;                                                          \
            const T *as = (const T *)pa;                                                                                 \
            T *outs = (T *)out;                                                                                          \
            Py_ssize_t length = *n;                                                                                      \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++)                                                 \
                outs[i] = CLAMPED(as[i], low, high);                                                                     \
            return;                                                                                                      \
        }                                                                                                                \
        if (steps[0] == sizeof(T) && steps[1] == sizeof(T) && steps[2] == sizeof(T) && steps[3] == sizeof(T)) {          \
            const T *as = (const T *)pa, *lows = (const T *)plow, *highs = (const T *)phigh;                             \
            T *outs = (T *)out;                                                                                          \
            Py_ssize_t length = *n;                                                                                      \
            _Pragma("GCC ivdep") for (Py_ssize_t i = 0; i < length; i++) {                                               \
                T a = as[i], low = lows[i], high = highs[i];                                                             \
                outs[i] = CLAMPED(a, low, high);                                                                         \
            }                                                                                                            \
            return;                                                                                                      \
        }                                                                                                                \
        for (Py_ssize_t i = 0; i < *n; i++, pa += steps[0], plow += steps[1], phigh += steps[2], out += steps[3]) {      \
            T a = *(const T *)pa, low = *(const T *)plow, high = *(const T *)phigh;                                      \
            *(T *)out = CLAMPED(a, low, high);                                                                           \
        }                                                                                                                \
    }
CLAMP(u8, uint8_t) CLAMP(i8, int8_t) CLAMP(i16, int16_t) CLAMP(i32, int32_t) CLAMP(i64, int64_t)
CLAMP(f32, float) CLAMP(f64, double)
static const rt_own_loop clamp_loops[] = {{RT_UINT8, clamp_u8}, {RT_INT8, clamp_i8}, {RT_INT16, clamp_i16}, {RT_INT32, clamp_i32},
                                          {RT_INT64, clamp_i64}, {RT_FLOAT32, clamp_f32}, {RT_FLOAT64, clamp_f64}, {0, NULL}};
#define CLAMP_OPS(variant, middle, one_bound_dtypes)                                                                                       \
    static rt_pointwise_op clamp_##variant##_op = {.stub = "clamp" middle "_cpu", .own = clamp_loops, .nin = 3, .dtypes = NUMERIC_DTYPES}; \
    static rt_pointwise_op clamp_min_##variant##_op = {.stub = "clamp_min" middle "_cpu", .ufunc = "maximum", .nin = 2,  \
                                                       .dtypes = one_bound_dtypes};                                        \
    static rt_pointwise_op clamp_max_##variant##_op = {.stub = "clamp_max" middle "_cpu", .ufunc = "minimum", .nin = 2,  \
                                                       .dtypes = one_bound_dtypes};
CLAMP_OPS(number, "_scalar", NUMERIC_DTYPES)
CLAMP_OPS(tensor, "", NUMERIC_DTYPES | RT_BOOL_DTYPE)

static int bounded_rule(rt_call_frame *c, rt_pointwise_op *op, int nin, PyObject *const *inputs)
{
    const RtTensor *self = RT_TENSOR(inputs[0]);
    for (int i = 1; i < nin; i++) {
        if (rt_is_floating(self->dtype) && PyComplex_Check(inputs[i]) && PyComplex_ImagAsDouble(inputs[i]) != 0) {
            PyErr_SetString(PyExc_RuntimeError, "value cannot be converted to type double without overflow");
            return -1;
        }
    }
    if (c->variant == RT_INPLACE && !rt_is_tensor(inputs[1])) { /* the Tensor overloads leave this check to the common rule */
        rt_result_type_state state = RT_RESULT_TYPE_START;
        rt_number bound;
        int failed = rt_result_type_add(&state, self);
        for (int i = 1; i < nin && !failed; i++)
            failed = rt_read_number(inputs[i], &bound) < 0 || rt_result_type_add_number(&state, bound.dtype) < 0;
        int common = failed ? -1 : rt_result_type(&state);
        if (common < 0)
            return -1;
        if (common != self->dtype && !rt_is_complex(common)) {
            PyErr_Format(PyExc_RuntimeError, "result type %s can't be cast to the desired output type %s", rt_dtype_title(common),
                         rt_dtype_spelling(self->dtype));
            return -1;
        }
    }
    int complex_input = 0;
    for (int i = 0; i < nin; i++)
        complex_input |= rt_is_tensor(inputs[i]) ? rt_is_complex(RT_TENSOR(inputs[i])->dtype) : PyComplex_Check(inputs[i]);
    if (complex_input) {
        PyErr_SetString(PyExc_NotImplementedError, "clamp is not supported for complex types");
        return -1;
    }
    return rt_pointwise_rule(c, op, 0, nin, inputs);
}

/* Bounds that are numbers must fit the dtype; as wrapped tensors they would wrap around. */
static int clamp_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    for (int i = 1; i < p->nin; i++)
        if (p->in[i].tensor == NULL && rt_check_number_fits(&p->in[i].number, p->common) < 0)
            return -1;
    return rt_pointwise_cpu(c);
}

#define CLAMP_RULES(variant)                                                                                             \
    static int clamp_##variant##_rule(rt_call_frame *c)                                                                  \
    {                                                                                                                    \
        PyObject *low = c->args[1], *high = c->args[2];                                                                  \
        if (low == Py_None && high == Py_None) {                                                                         \
            PyErr_SetString(PyExc_RuntimeError, "torch.clamp: At least one of 'min' or 'max' must not be None");         \
            return -1;                                                                                                   \
        }                                                                                                                \
        if (high == Py_None)                                                                                             \
            return bounded_rule(c, &clamp_min_##variant##_op, 2, c->args);                                               \
        if (low == Py_None)                                                                                              \
            return bounded_rule(c, &clamp_max_##variant##_op, 2, (PyObject *[]){c->args[0], high});                      \
        return bounded_rule(c, &clamp_##variant##_op, 3, c->args);                                                       \
    }                                                                                                                    \
    static int clamp_min_##variant##_rule(rt_call_frame *c) { return bounded_rule(c, &clamp_min_##variant##_op, 2, c->args); } \
    static int clamp_max_##variant##_rule(rt_call_frame *c) { return bounded_rule(c, &clamp_max_##variant##_op, 2, c->args); }
CLAMP_RULES(number)
CLAMP_RULES(tensor)

RT_STRUCTURED(clamp_out, clamp_number_rule, clamp_cpu, NULL)
RT_STRUCTURED(clamp_Tensor_out, clamp_tensor_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_min_out, clamp_min_number_rule, clamp_cpu, NULL)
RT_STRUCTURED(clamp_min_Tensor_out, clamp_min_tensor_rule, rt_pointwise_cpu, NULL)
RT_STRUCTURED(clamp_max_out, clamp_max_number_rule, clamp_cpu, NULL)
RT_STRUCTURED(clamp_max_Tensor_out, clamp_max_tensor_rule, rt_pointwise_cpu, NULL)
