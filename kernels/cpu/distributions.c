/* Distributions beyond uniform and normal: operators that fill a tensor, and operators whose parameters are tensors.
 *
 * Every sampler takes its numbers from the generator one after the other, in logical order, so that a seed fixes the result. Samplers that
 * reject are guarded against parameters with which they would never accept (NaN, infinity).
 */
#include "kernels/cpu/element.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/random.h"
#include "rt_builtins.h"

#include <float.h>
#include <math.h>

/* A uniform number that is never 0, for logarithms. */
static inline double positive_unit(RtGenerator *g)
{
    return 1 - rt_random_unit(g);
}

/* ------------------------------------------------------------------------------------------------------------ filled in place */

static void draw_exponential(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    for (int64_t i = 0; i < n; i++, at += step)
        rt_store_float(at, dtype, -log(positive_unit(d->g)) / d->a);
}

static void draw_cauchy(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    for (int64_t i = 0; i < n; i++, at += step)
        rt_store_float(at, dtype, d->a + d->b * tan(M_PI * (rt_random_unit(d->g) - 0.5)));
}

static void draw_log_normal(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    for (int64_t i = 0; i < n; i++, at += step)
        rt_store_float(at, dtype, exp(rt_random_normal(d->g) * d->b + d->a));
}

/* How many trials up to the first success: 1, 2, ... */
static void draw_geometric(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    double log_failure = log1p(-d->a);
    for (int64_t i = 0; i < n; i++, at += step) {
        double trials = fmin(ceil(log(positive_unit(d->g)) / log_failure), 0x1p62);
        rt_store_integer(at, dtype, trials < 1 ? 1 : (int64_t)trials);
    }
}

static PyObject *only_continuous(const char *distribution, int dtype)
{
    PyErr_Format(PyExc_RuntimeError, "%s distribution is a continuous probability distribution. dtype must be a floating point but you "
                                     "specified %s", distribution, rt_dtype_cpp_title(dtype));
    return NULL;
}

RT_KERNEL(exponential_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0)
        return NULL;
    if (!rt_has_float_draws(dtype))
        return only_continuous("Exponential", dtype);
    if (!(d.a > 0))
        return rt_bad_range("exponential_ expects lambda > 0.0, but found lambda=%g", d.a, 0);
    return rt_fill_random(args[0], args[2], "exponential_", draw_exponential, &d);
}

RT_KERNEL(cauchy_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0 || rt_as_double(args[2], &d.b) < 0)
        return NULL;
    if (!(d.b > 0))
        return rt_bad_range("cauchy_ expects sigma > 0.0, but found sigma=%g", d.b, 0);
    if (!rt_has_float_draws(dtype))
        return only_continuous("Cauchy", dtype);
    return rt_fill_random(args[0], args[3], "cauchy_", draw_cauchy, &d);
}

RT_KERNEL(log_normal_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0 || rt_as_double(args[2], &d.b) < 0)
        return NULL;
    if (!(d.b > 0))
        return rt_bad_range("log_normal_ expects std > 0.0, but found std=%g", d.b, 0);
    if (!rt_has_float_draws(dtype))
        return rt_no_draws("log_normal_cpu", dtype);
    return rt_fill_random(args[0], args[3], "log_normal_", draw_log_normal, &d);
}

RT_KERNEL(geometric_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0)
        return NULL;
    if (!(d.a > 0 && d.a < 1))
        return rt_bad_range("geometric_ expects p to be in (0, 1), but got p=%g", d.a, 0);
    if (!rt_has_float_draws(dtype) && !rt_is_integral(dtype, 0))
        return rt_no_draws("geometric_cpu", dtype);
    return rt_fill_random(args[0], args[2], "geometric_", draw_geometric, &d);
}

/* ------------------------------------------------------------------------------------------------------- parameters in tensors */

static double log_gamma(double x)
{
    int sign; /* lgamma would write to a global variable */
    return lgamma_r(x, &sign);
}

/* Hoermann's transformed rejection for large rates, products of uniform numbers for small ones. */
static double draw_poisson(RtGenerator *g, double rate)
{
    if (rate == 0 || isinf(rate))
        return rate;
    if (rate < 10) {
        double bound = exp(-rate), product = rt_random_unit(g);
        int k = 0;
        for (; product > bound; k++)
            product *= rt_random_unit(g);
        return k;
    }
    double b = 0.931 + 2.53 * sqrt(rate), a = -0.059 + 0.02483 * b, log_rate = log(rate);
    double inverse = 1.1239 + 1.1328 / (b - 3.4), surely = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        double u = rt_random_unit(g) - 0.5, v = positive_unit(g), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + rate + 0.43);
        if (us >= 0.07 && v <= surely)
            return k;
        if (k < 0 || (us < 0.013 && v > us))
            continue;
        if (log(v * inverse / (a / (us * us) + b)) <= k * log_rate - rate - log_gamma(k + 1))
            return k;
    }
}

/* p <= 1/2: the sum of the waiting times between successes for few of them, else transformed rejection. */
static double draw_successes(RtGenerator *g, double n, double p)
{
    if (n * p < 10) {
        double log_failure = log1p(-p), trials = 0, k = -1;
        do {
            trials += fmax(ceil(log(positive_unit(g)) / log_failure), 1);
            k++;
        } while (trials <= n);
        return k;
    }
    double q = 1 - p, spread = sqrt(n * p * q), b = 1.15 + 2.53 * spread, a = -0.0873 + 0.0248 * b + 0.01 * p, c = n * p + 0.5;
    double surely = 0.92 - 4.2 / b, alpha = (2.83 + 5.1 / b) * spread, odds = log(p / q), mode = floor((n + 1) * p);
    double top = log_gamma(mode + 1) + log_gamma(n - mode + 1);
    for (;;) {
        double u = rt_random_unit(g) - 0.5, v = positive_unit(g), us = 0.5 - fabs(u);
        double k = floor((2 * a / us + b) * u + c);
        if (k < 0 || k > n)
            continue;
        if (us >= 0.07 && v <= surely)
            return k;
        if (log(v * alpha / (a / (us * us) + b)) <= top - log_gamma(k + 1) - log_gamma(n - k + 1) + (k - mode) * odds)
            return k;
    }
}

static double draw_binomial(RtGenerator *g, double count, double p)
{
    if (isnan(count) || isnan(p))
        return NAN;
    if (count <= 0 || p <= 0)
        return 0;
    if (p >= 1 || isinf(count))
        return count;
    return p <= 0.5 ? draw_successes(g, count, p) : count - draw_successes(g, count, 1 - p);
}

/* Marsaglia and Tsang; a shape below 1 is raised by 1 and paid for with a power of a uniform number. */
static double draw_gamma(RtGenerator *g, double shape)
{
    if (isnan(shape) || isinf(shape))
        return shape;
    if (shape <= 0)
        return 0;
    double scale = 1;
    if (shape < 1) {
        scale = pow(positive_unit(g), 1 / shape);
        shape += 1;
    }
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x, y;
        do {
            x = rt_random_normal(g);
            y = 1 + c * x;
        } while (y <= 0);
        double v = y * y * y, u = positive_unit(g);
        if (u < 1 - 0.0331 * x * x * x * x || log(u) < 0.5 * x * x + d * (1 - v + log(v)))
            return scale * d * v;
    }
}

typedef double (*each_fn)(RtGenerator *g, double a, double b);

static double each_poisson(RtGenerator *g, double rate, double unused) { return draw_poisson(g, rate); }
static double each_binomial(RtGenerator *g, double count, double p) { return draw_binomial(g, count, p); }

static double each_gamma(RtGenerator *g, double shape, double smallest)
{
    double sample = draw_gamma(g, shape);
    return sample < smallest ? smallest : sample;
}

/* Draw an element of t for each of a, and of b where there is one; all have t's shape. */
static void draw_each(RtTensor *t, RtTensor *a, RtTensor *b, double fixed, RtGenerator *g, each_fn fn)
{
    int64_t index[RT_MAX_DIM] = {0}, ti = rt_itemsize[t->dtype], ai = rt_itemsize[a->dtype], bi = b == NULL ? 0 : rt_itemsize[b->dtype];
    char *at = rt_data(t);
    const char *aat = rt_data(a), *bat = b == NULL ? NULL : rt_data(b);
    if (t->numel == 0)
        return;
    for (;;) {
        double second = b == NULL ? fixed : rt_float_at(bat, b->dtype);
        rt_store_float(at, t->dtype, fn(g, rt_float_at(aat, a->dtype), second));
        int k = t->ndim - 1;
        for (; k >= 0; k--) {
            at += t->strides[k] * ti;
            aat += a->strides[k] * ai;
            if (b != NULL)
                bat += b->strides[k] * bi;
            if (++index[k] < t->sizes[k])
                break;
            at -= index[k] * t->strides[k] * ti;
            aat -= index[k] * a->strides[k] * ai;
            if (b != NULL)
                bat -= index[k] * b->strides[k] * bi;
            index[k] = 0;
        }
        if (k < 0)
            return;
    }
}

/* A tensor like `a` filled from the parameters `a` and `b` (an object or NULL). */
static PyObject *drawn_like(PyObject *a, PyObject *b, double fixed, PyObject *generator, const char *name, each_fn fn)
{
    PyObject *like[6] = {a, Py_None, Py_None, Py_None, Py_None, Py_None};
    PyObject *result = rt_call_below_views(RT_OP_aten_empty_like, like, 6);
    if (result == NULL || RT_TENSOR(result)->device_type == RT_DEVICE_META)
        return result;
    RtGenerator *g = rt_generator_or_default(generator);
    if (g == NULL || rt_check_cpu(RT_TENSOR(a), name) < 0 || (b != NULL && rt_check_cpu(RT_TENSOR(b), name) < 0)) {
        Py_DECREF(result);
        return NULL;
    }
    draw_each(RT_TENSOR(result), RT_TENSOR(a), b == NULL ? NULL : RT_TENSOR(b), fixed, g, fn);
    return result;
}

/* Whether every element is at least 0 (NaN is not). */
static int all_nonnegative(RtTensor *t)
{
    int64_t index[RT_MAX_DIM] = {0}, itemsize = rt_itemsize[t->dtype];
    const char *at = rt_data(t);
    if (t->numel == 0)
        return 1;
    for (;;) {
        if (!(rt_float_at(at, t->dtype) >= 0))
            return 0;
        int k = t->ndim - 1;
        for (; k >= 0; k--) {
            at += t->strides[k] * itemsize;
            if (++index[k] < t->sizes[k])
                break;
            at -= index[k] * t->strides[k] * itemsize;
            index[k] = 0;
        }
        if (k < 0)
            return 1;
    }
}

RT_KERNEL(poisson)
{
    RtTensor *rate = RT_TENSOR(args[0]);
    if (!rt_has_float_draws(rate->dtype))
        return rt_no_draws("poisson_cpu", rate->dtype);
    if (rate->device_type != RT_DEVICE_META) {
        if (rt_check_cpu(rate, "poisson") < 0)
            return NULL;
        if (!all_nonnegative(rate)) {
            PyErr_SetString(PyExc_RuntimeError, "invalid Poisson rate, expected rate to be non-negative");
            return NULL;
        }
    }
    return drawn_like(args[0], NULL, 0, args[1], "poisson", each_poisson);
}

RT_KERNEL(binomial)
{
    RtTensor *count = RT_TENSOR(args[0]), *p = RT_TENSOR(args[1]);
    for (int i = 0; i < 2; i++) {
        int dtype = RT_TENSOR(args[i])->dtype;
        if (!rt_is_floating(dtype)) {
            PyErr_Format(PyExc_ValueError, "binomial only supports floating-point dtypes for %s, got: %s", i ? "prob" : "count",
                         rt_dtype_title(dtype));
            return NULL;
        }
    }
    if (count->dtype != RT_FLOAT32 && count->dtype != RT_FLOAT64)
        return rt_no_draws("binomial_cpu", count->dtype);
    if (p->dtype != count->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Found dtype %s but expected %s", rt_dtype_title(p->dtype), rt_dtype_title(count->dtype));
        return NULL;
    }
    PyObject *expanded = rt_expand_to(args[1], count);
    if (expanded == NULL)
        return NULL;
    PyObject *result = drawn_like(args[0], expanded, 0, args[2], "binomial", each_binomial);
    Py_DECREF(expanded);
    return result;
}

/* Samples are kept above 0: their logarithms are asked for. */
RT_KERNEL(_standard_gamma)
{
    int dtype = RT_TENSOR(args[0])->dtype;
    if (dtype != RT_FLOAT32 && dtype != RT_FLOAT64)
        return rt_no_draws("gamma_cpu", dtype);
    return drawn_like(args[0], NULL, dtype == RT_FLOAT32 ? FLT_MIN : DBL_MIN, args[1], "_standard_gamma", each_gamma);
}
