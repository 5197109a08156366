/* _logcumsumexp: logarithms of running sums of exponentials along one dimension.
 *
 * Real sums are kept as a sum relative to the largest element so far, in double precision. Complex ones are kept as logarithms, so
 * that a lone element keeps an imaginary part beyond pi.
 */
#include "kernels/cpu/element.h"
#include "kernels/cpu/lanes.h"
#include "kernels/shared/gil.h"

#include <complex.h>
#include <math.h>

#define REAL_LANE(TYPE, T, LOAD, STORE)                                                \
    static void lane_##TYPE(const char *data, char *result, int64_t n, int64_t step)   \
    {                                                                                  \
        const T *in = (const T *)data;                                                 \
        T *out = (T *)result;                                                          \
        double top = -INFINITY, sum = 0;                                               \
        for (int64_t i = 0; i < n; i++) {                                              \
            double x = LOAD(in[i * step]);                                             \
            if (x > top) {                                                             \
                sum = sum * exp(top - x) + 1;                                          \
                top = x;                                                               \
            } else {                                                                   \
                sum += x == top ? 1 : exp(x - top);                                    \
            }                                                                          \
            out[i * step] = STORE(top + log(sum));                                     \
        }                                                                              \
    }
REAL_LANE(f32, float, (double), (float))
REAL_LANE(f64, double, (double), (double))
REAL_LANE(f16, uint16_t, rt_f16_to_float, rt_float_to_f16)
REAL_LANE(bf16, uint16_t, rt_bf16_to_float, rt_float_to_bf16)

static double complex log_add_exp(double complex a, double complex b)
{
    if (a != a || b != b)
        return CMPLX(NAN, NAN);
    double complex low = creal(a) < creal(b) ? a : b, high = creal(a) < creal(b) ? b : a;
    if (isinf(creal(low)) && creal(low) == creal(high))
        return creal(low) < 0 ? low : clog(cexp(low) + cexp(high));
    return high + clog(1 + cexp(low - high));
}

#define COMPLEX_LANE(TYPE, T)                                                          \
    static void lane_##TYPE(const char *data, char *result, int64_t n, int64_t step)   \
    {                                                                                  \
        const T complex *in = (const T complex *)data;                                 \
        T complex *out = (T complex *)result;                                          \
        double complex running = in[0];                                                \
        out[0] = in[0];                                                                \
        for (int64_t i = 1; i < n; i++) {                                              \
            running = log_add_exp(running, in[i * step]);                              \
            out[i * step] = (T complex)running;                                        \
        }                                                                              \
    }
COMPLEX_LANE(c64, float)
COMPLEX_LANE(c128, double)

typedef struct job {
    void (*lane)(const char *in, char *out, int64_t n, int64_t step);
    const char *in;
    char *out;
    int64_t n, inner, itemsize;
} job;

static void run_lanes(int64_t begin, int64_t end, void *ctx)
{
    const job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        int64_t at = (i / j->inner * j->n * j->inner + i % j->inner) * j->itemsize;
        j->lane(j->in + at, j->out + at, j->n, j->inner);
    }
}

RT_KERNEL(_logcumsumexp)
{
    RtTensor *self = RT_TENSOR(args[0]);
    int64_t dim;
    job j = {.itemsize = rt_itemsize[self->dtype]};
    if (rt_as_int64(args[1], &dim) < 0 || (dim = rt_wrap_dim_scalar(dim, self->ndim)) < 0)
        return NULL;
    switch (self->dtype) {
    case RT_FLOAT32: j.lane = lane_f32; break;
    case RT_FLOAT64: j.lane = lane_f64; break;
    case RT_FLOAT16: j.lane = lane_f16; break;
    case RT_BFLOAT16: j.lane = lane_bf16; break;
    case RT_COMPLEX64: j.lane = lane_c64; break;
    case RT_COMPLEX128: j.lane = lane_c128; break;
    default:
        PyErr_Format(PyExc_NotImplementedError, "\"logcumsumexp_out_cpu\" not implemented for '%s'", rt_dtype_title(self->dtype));
        return NULL;
    }
    RtTensor *out = RT_TENSOR(rt_result(op, 0, self->ndim, self->sizes, self->dtype, self->device_type, self->device_index));
    if (out == NULL || self->device_type == RT_DEVICE_META || self->numel == 0)
        return (PyObject *)out;
    RtTensor *in = rt_check_cpu(self, "logcumsumexp") < 0 ? NULL : rt_as_contiguous(self);
    if (in == NULL) {
        Py_DECREF((PyObject *)out);
        return NULL;
    }
    rt_lanes lanes = rt_lanes_along(self, dim);
    j.in = rt_data(in);
    j.out = rt_data(out);
    j.n = lanes.n;
    j.inner = lanes.inner;
    rt_run_loop(run_lanes, lanes.outer * lanes.inner, 8 * lanes.n, &j); /* an exponential and a logarithm for each element */
    Py_DECREF((PyObject *)in);
    return (PyObject *)out;
}
