/* Running sums and products: cumsum and cumprod along one dimension.
 *
 * The running value is kept wider than the elements (double for float, float for half types, int64 for integers), as in PyTorch.
 */
#include "kernels/cpu/element.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/reduce_rules.h"
#include "rt_builtins.h"

/* One lane, or FEW of them at once: additions of one lane wait for each other. `in_next` and `out_next` lead to the next lane. */
enum { FEW = 4 };
typedef void (*lane_fn)(const char *in, int64_t in_step, char *out, int64_t out_step, int64_t n);
typedef void (*few_fn)(const char *in, int64_t in_step, int64_t in_next, char *out, int64_t out_step, int64_t out_next, int64_t n);
typedef struct scan_loops {
    lane_fn lane;
    few_fn few;
} scan_loops;

#define LANE(NAME, T, ACC, LOAD, STORE, START, OP)                                                             \
    static void NAME(const char *in, int64_t in_step, char *out, int64_t out_step, int64_t n)                  \
    {                                                                                                          \
        ACC running = START;                                                                                   \
        for (int64_t i = 0; i < n; i++, in += in_step, out += out_step) {                                      \
            running = running OP LOAD(*(const T *)in);                                                         \
            *(T *)out = STORE(running);                                                                        \
        }                                                                                                      \
    }                                                                                                          \
    static void few_##NAME(const char *in, int64_t in_step, int64_t in_next, char *out, int64_t out_step, int64_t out_next, int64_t n) \
    {                                                                                                          \
        ACC a = START, b = START, c = START, d = START;                                                        \
        const char *third = in + 2 * in_next;                                                                  \
        char *out_third = out + 2 * out_next;                                                                  \
        for (int64_t i = 0; i < n; i++, in += in_step, third += in_step, out += out_step, out_third += out_step) { \
            a = a OP LOAD(*(const T *)in);                                                                     \
            b = b OP LOAD(*(const T *)(in + in_next));                                                         \
            c = c OP LOAD(*(const T *)third);                                                                  \
            d = d OP LOAD(*(const T *)(third + in_next));                                                      \
            *(T *)out = STORE(a);                                                                              \
            *(T *)(out + out_next) = STORE(b);                                                                 \
            *(T *)out_third = STORE(c);                                                                        \
            *(T *)(out_third + out_next) = STORE(d);                                                           \
        }                                                                                                      \
    }
#define BOTH(TYPE, T, ACC, LOAD, STORE)          \
    LANE(sum_##TYPE, T, ACC, LOAD, STORE, 0, +)  \
    LANE(prod_##TYPE, T, ACC, LOAD, STORE, 1, *)
BOTH(f32, float, double, (double), (float))
BOTH(f64, double, double, (double), (double))
BOTH(f16, _Float16, float, (float), (_Float16))
BOTH(bf16, uint16_t, float, rt_bf16_to_float, rt_float_to_bf16)
BOTH(c64, float complex, double complex, (double complex), (float complex))
BOTH(c128, double complex, double complex, (double complex), (double complex))
BOTH(u8, uint8_t, uint64_t, (uint64_t), (uint8_t))
BOTH(i8, int8_t, uint64_t, (uint64_t), (int8_t))
BOTH(i16, int16_t, uint64_t, (uint64_t), (int16_t))
BOTH(i32, int32_t, uint64_t, (uint64_t), (int32_t))
BOTH(i64, int64_t, uint64_t, (uint64_t), (int64_t))

static scan_loops loops_of(int dtype, int product)
{
    switch (dtype) {
#define CASE(CODE, TYPE) case CODE: return product ? (scan_loops){prod_##TYPE, few_prod_##TYPE} : (scan_loops){sum_##TYPE, few_sum_##TYPE};
        CASE(RT_FLOAT32, f32) CASE(RT_FLOAT64, f64) CASE(RT_FLOAT16, f16) CASE(RT_BFLOAT16, bf16) CASE(RT_COMPLEX64, c64)
        CASE(RT_COMPLEX128, c128) CASE(RT_UINT8, u8) CASE(RT_INT8, i8) CASE(RT_INT16, i16) CASE(RT_INT32, i32) CASE(RT_INT64, i64)
#undef CASE
    default: return (scan_loops){NULL, NULL};
    }
}

typedef struct scan {
    scan_loops loops;
    const char *in;
    char *out;
    int64_t n, in_step, out_step;
    int ndim;
    int64_t sizes[RT_MAX_DIM], in_steps[RT_MAX_DIM], out_steps[RT_MAX_DIM];
} scan;

static void scan_range(int64_t begin, int64_t end, void *ctx)
{
    const scan *s = ctx;
    int last = s->ndim - 1;
    for (int64_t i = begin, count; i < end; i += count) {
        int64_t rest = i, left = 1; /* lanes up to the end of the last dimension */
        const char *in = s->in;
        char *out = s->out;
        for (int d = last; d >= 0; d--) {
            int64_t at = rest % s->sizes[d];
            rest /= s->sizes[d];
            in += at * s->in_steps[d];
            out += at * s->out_steps[d];
            left = d == last ? s->sizes[d] - at : left;
        }
        count = left >= FEW && end - i >= FEW ? FEW : 1;
        if (count == FEW)
            s->loops.few(in, s->in_step, s->in_steps[last], out, s->out_step, s->out_steps[last], s->n);
        else
            s->loops.lane(in, s->in_step, out, s->out_step, s->n);
    }
}

static int scan_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    PyObject *dtype = c->args[2];
    int64_t dim;
    if (rt_as_int64(c->args[1], &dim) < 0 || rt_wrap_dim_scalar(dim, self->ndim) < 0)
        return -1;
    int result = rt_is_integral(self->dtype, 1) ? RT_INT64 : self->dtype;
    if (dtype != Py_None)
        result = ((RtDtype *)dtype)->code;
    else if (c->outs[0] != NULL)
        result = c->outs[0]->dtype;
    rt_set_spec(&c->specs[0], result, self, self->ndim, self->sizes);
    return 0;
}

static int scan_cpu(rt_call_frame *c, int product, const char *kernel)
{
    RtTensor *out = c->outs[0], *given = RT_TENSOR(c->args[0]);
    int64_t dim, lanes = 1, itemsize = rt_itemsize[out->dtype];
    scan s = {.loops = loops_of(out->dtype, product)};
    if (rt_check_cpu(given, kernel) < 0 || rt_check_cpu(out, kernel) < 0 || rt_as_int64(c->args[1], &dim) < 0)
        return -1;
    if (s.loops.lane == NULL) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(out->dtype));
        return -1;
    }
    if (out->numel == 0)
        return 0;
    RtTensor *self;
    if (given->dtype != out->dtype && given->storage != out->storage) {
        /* Elements of another dtype are converted where they are scanned, in place. */
        PyObject *call[3] = {(PyObject *)out, (PyObject *)given, Py_False};
        self = RT_TENSOR(rt_call_below_views(RT_OP_aten_copy_, call, 3));
    } else {
        self = rt_cast(given, out->dtype);
    }
    if (self == NULL)
        return -1;
    dim = rt_wrap_dim_scalar(dim, self->ndim);
    s.in = rt_data(self);
    s.out = rt_data(out);
    s.n = self->ndim ? self->sizes[dim] : 1;
    s.in_step = self->ndim ? self->strides[dim] * itemsize : 0;
    s.out_step = self->ndim ? out->strides[dim] * itemsize : 0;
    for (int d = 0; d < self->ndim; d++) {
        if (d == dim)
            continue;
        s.sizes[s.ndim] = self->sizes[d];
        s.in_steps[s.ndim] = self->strides[d] * itemsize;
        s.out_steps[s.ndim++] = out->strides[d] * itemsize;
        lanes *= self->sizes[d];
    }
    rt_run_loop(scan_range, lanes, s.n, &s);
    Py_DECREF((PyObject *)self);
    return 0;
}

static int cumsum_cpu(rt_call_frame *c) { return scan_cpu(c, 0, "cumsum_out_cpu"); }
static int cumprod_cpu(rt_call_frame *c) { return scan_cpu(c, 1, "cumprod_out_cpu"); }

const rt_structured_def rt_k_cumsum_out = {"cumsum", scan_rule, cumsum_cpu, NULL, 1};
const rt_structured_def rt_k_cumprod_out = {"cumprod", scan_rule, cumprod_cpu, NULL, 1};
