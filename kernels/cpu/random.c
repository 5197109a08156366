/* Random numbers: xoshiro256++ behind the Generator object, and the operators that fill tensors from it.
 *
 * Elements are drawn in logical (row-major) order, so that a seed gives the same values for every stride order. Uniform floats take
 * the high 24 (f32 and below) or 53 bits of a draw, so that 1.0 never comes out; normals come from the ziggurat of Marsaglia and Tsang
 * (2000) in Doornik's form (2005). A generator is advanced with the GIL held: two threads never share one state.
 */
#include "kernels/cpu/element.h"
#include "kernels/shared/boxed.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/random.h"
#include "kernels/shared/structured.h"
#include "rt_builtins.h"

#include <float.h>
#include <math.h>

RtGenerator *rt_generator_or_default(PyObject *object)
{
    if (object == Py_None)
        return (RtGenerator *)rt_default_generator;
    RtGenerator *g = (RtGenerator *)object;
    if (g->device_type != RT_DEVICE_CPU) {
        PyErr_SetString(PyExc_RuntimeError, "Expected a 'cpu' device type for generator");
        return NULL;
    }
    return g;
}

static inline uint64_t rotate(uint64_t x, int k)
{
    return (x << k) | (x >> (64 - k));
}

static inline uint64_t next_bits(uint64_t s[4])
{
    uint64_t result = rotate(s[0] + s[3], 23) + s[0], t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static inline uint64_t below(uint64_t s[4], uint64_t bound)
{
    /* Multiply and reject (Lemire): the rejected sliver is what would make some values likelier. */
    unsigned __int128 product = (unsigned __int128)next_bits(s) * bound;
    if ((uint64_t)product < bound) {
        uint64_t sliver = -bound % bound;
        while ((uint64_t)product < sliver)
            product = (unsigned __int128)next_bits(s) * bound;
    }
    return (uint64_t)(product >> 64);
}

static inline double unit53(uint64_t s[4]) { return (double)(next_bits(s) >> 11) * 0x1p-53; }
double rt_random_unit(RtGenerator *g) { return unit53(g->state); }
static inline float unit24(uint64_t s[4]) { return (float)(next_bits(s) >> 40) * 0x1p-24f; }

/* The ziggurat: strips of one area under exp(-x * x / 2), the lowest with the tail beyond LAST. */
enum { STRIPS = 256 };
static const double LAST = 3.6541528853610088, AREA = 0.00492867323399;
static double edges[STRIPS + 1], ratios[STRIPS]; /* right ends of the strips; how much of a strip lies wholly under the curve */

static void make_strips(void)
{
    edges[0] = AREA / exp(-0.5 * LAST * LAST);
    edges[1] = LAST;
    for (int i = 2; i < STRIPS; i++)
        edges[i] = sqrt(-2 * log(AREA / edges[i - 1] + exp(-0.5 * edges[i - 1] * edges[i - 1])));
    edges[STRIPS] = 0;
    for (int i = 0; i < STRIPS; i++)
        ratios[i] = edges[i + 1] / edges[i];
}

/* The one draw in a hundred that does not lie wholly under the curve; NaN where it is to be drawn anew. */
static double __attribute__((noinline)) normal_at_edge(uint64_t s[4], int strip, double place)
{
    if (strip == 0) {
        double x, y;
        do {
            x = -log(1 - unit53(s)) / LAST;
            y = -log(1 - unit53(s));
        } while (2 * y < x * x);
        return place < 0 ? -LAST - x : LAST + x;
    }
    double x = place * edges[strip], square = x * x;
    double low = exp(-0.5 * (edges[strip] * edges[strip] - square)), high = exp(-0.5 * (edges[strip + 1] * edges[strip + 1] - square));
    return high + unit53(s) * (low - high) < 1 ? x : NAN;
}

static inline double normal(uint64_t s[4])
{
    for (;;) {
        uint64_t bits = next_bits(s);
        int strip = (int)(bits % STRIPS); /* of the bits that the place does not use */
        double place = (double)((int64_t)bits >> 10) * 0x1p-53;
        if (RT_LIKELY(fabs(place) < ratios[strip]))
            return place * edges[strip];
        double x = normal_at_edge(s, strip, place);
        if (x == x)
            return x;
    }
}

double rt_random_normal(RtGenerator *g)
{
    if (RT_UNLIKELY(edges[1] == 0))
        make_strips();
    return normal(g->state);
}

void rt_shuffle(RtGenerator *g, char *data, int64_t n, int itemsize)
{
    char held[16];
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = (int64_t)below(g->state, (uint64_t)i + 1);
        memcpy(held, data + i * itemsize, itemsize);
        memcpy(data + i * itemsize, data + j * itemsize, itemsize);
        memcpy(data + j * itemsize, held, itemsize);
    }
}

/* ------------------------------------------------------------------------------------------------- elements in logical order */

static void draw_uniform(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    uint64_t *s = d->g->state;
    double low = d->a, span = d->b - d->a;
    if (rt_is_complex(dtype)) {
        /* Real and imaginary parts, one after the other. */
        int part = dtype == RT_COMPLEX64 ? RT_FLOAT32 : RT_FLOAT64;
        for (int64_t i = 0; i < n; i++, at += step)
            draw_uniform(d, at, 2, rt_itemsize[part], part);
        return;
    }
    if (dtype == RT_FLOAT32) {
        float flow = (float)low, fspan = (float)span;
        for (int64_t i = 0; i < n; i++, at += step)
            *(float *)at = unit24(s) * fspan + flow;
    } else if (dtype == RT_FLOAT64) {
        for (int64_t i = 0; i < n; i++, at += step)
            *(double *)at = unit53(s) * span + low;
    } else {
        /* As many bits as the mantissa holds: rounding must not reach the upper bound. */
        int bits = dtype == RT_FLOAT16 ? 11 : 8;
        for (int64_t i = 0; i < n; i++, at += step)
            rt_store_float(at, dtype, ldexp((double)(next_bits(s) >> (64 - bits)), -bits) * span + low);
    }
}

static void draw_normal(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    if (rt_is_complex(dtype)) {
        /* Real and imaginary part share the variance. */
        double scale = d->b * 0.70710678118654752440;
        for (int64_t i = 0; i < n; i++, at += step) {
            double re = rt_random_normal(d->g) * scale + d->a, im = rt_random_normal(d->g) * scale;
            if (dtype == RT_COMPLEX64) {
                ((float *)at)[0] = (float)re;
                ((float *)at)[1] = (float)im;
            } else {
                ((double *)at)[0] = re;
                ((double *)at)[1] = im;
            }
        }
        return;
    }
    if (edges[1] == 0)
        make_strips();
    uint64_t *s = d->g->state;
    if (dtype == RT_FLOAT32) {
        for (int64_t i = 0; i < n; i++, at += step)
            *(float *)at = (float)(normal(s) * d->b + d->a);
    } else {
        for (int64_t i = 0; i < n; i++, at += step)
            rt_store_float(at, dtype, normal(s) * d->b + d->a);
    }
}

void rt_store_integer(char *at, int dtype, int64_t value)
{
    switch (dtype) {
    case RT_BOOL: *(uint8_t *)at = value != 0; break;
    case RT_UINT8: case RT_INT8: *(int8_t *)at = (int8_t)value; break;
    case RT_INT16: case RT_UINT16: *(int16_t *)at = (int16_t)value; break;
    case RT_INT32: case RT_UINT32: *(int32_t *)at = (int32_t)value; break;
    case RT_INT64: case RT_UINT64: *(int64_t *)at = value; break;
    case RT_COMPLEX64: ((float *)at)[0] = (float)value; ((float *)at)[1] = 0; break;
    case RT_COMPLEX128: ((double *)at)[0] = (double)value; ((double *)at)[1] = 0; break;
    default: rt_store_float(at, dtype, (double)value);
    }
}

static void draw_integer(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    uint64_t *s = d->g->state;
    for (int64_t i = 0; i < n; i++, at += step) {
        uint64_t value = d->span ? below(s, d->span) : next_bits(s);
        rt_store_integer(at, dtype, (int64_t)(value + (uint64_t)d->low));
    }
}

static void draw_bernoulli(rt_draw *d, char *at, int64_t n, int64_t step, int dtype)
{
    for (int64_t i = 0; i < n; i++, at += step)
        rt_store_integer(at, dtype, unit53(d->g->state) < d->a);
}

static void for_rows(RtTensor *t, rt_draw_fn fn, rt_draw *d)
{
    int64_t itemsize = rt_itemsize[t->dtype];
    if (t->numel == 0)
        return;
    if (rt_is_contiguous(t)) {
        fn(d, rt_data(t), t->numel, itemsize, t->dtype);
        return;
    }
    int64_t index[RT_MAX_DIM] = {0};
    int last = t->ndim - 1;
    char *at = rt_data(t);
    for (;;) {
        fn(d, at, t->sizes[last], t->strides[last] * itemsize, t->dtype);
        int k = last - 1;
        for (; k >= 0; k--) {
            at += t->strides[k] * itemsize;
            if (++index[k] < t->sizes[k])
                break;
            at -= index[k] * t->strides[k] * itemsize;
            index[k] = 0;
        }
        if (k < 0)
            return;
    }
}

PyObject *rt_fill_random(PyObject *tensor, PyObject *generator, const char *name, rt_draw_fn fn, rt_draw *d)
{
    RtTensor *t = RT_TENSOR(tensor);
    if (t->device_type == RT_DEVICE_META)
        return Py_NewRef(tensor);
    if (rt_check_cpu(t, name) < 0 || rt_check_no_internal_overlap(t) < 0)
        return NULL;
    d->g = rt_generator_or_default(generator);
    if (d->g == NULL)
        return NULL;
    for_rows(t, fn, d);
    return Py_NewRef(tensor);
}

int rt_has_float_draws(int dtype)
{
    return dtype == RT_FLOAT32 || dtype == RT_FLOAT64 || dtype == RT_FLOAT16 || dtype == RT_BFLOAT16;
}

PyObject *rt_no_draws(const char *kernel, int dtype)
{
    PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(dtype));
    return NULL;
}

PyObject *rt_bad_range(const char *format, double a, double b)
{
    char text[160];
    snprintf(text, sizeof text, format, a, b);
    PyErr_SetString(PyExc_RuntimeError, text);
    return NULL;
}

RT_KERNEL(uniform_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0 || rt_as_double(args[2], &d.b) < 0)
        return NULL;
    if (!rt_has_float_draws(dtype) && dtype != RT_COMPLEX64 && dtype != RT_COMPLEX128)
        return rt_no_draws("check_uniform_bounds", dtype);
    double largest = dtype == RT_FLOAT16 ? 65504 : dtype == RT_FLOAT64 || dtype == RT_COMPLEX128 ? DBL_MAX : FLT_MAX;
    if (!(fabs(d.a) <= largest) || !(fabs(d.b) <= largest)) {
        PyErr_Format(PyExc_RuntimeError, "%s is out of bounds for %s", fabs(d.a) <= largest ? "to" : "from",
                     rt_dtype_cpp_title(rt_real_of(dtype)));
        return NULL;
    }
    if (!(d.a <= d.b))
        return rt_bad_range("uniform_ expects to return a [from, to) range, but found from=%g > to=%g", d.a, d.b);
    if (d.b - d.a > largest)
        return rt_bad_range("uniform_ expects to-from to be a number of the tensor's dtype, but found to=%g and from=%g", d.b, d.a);
    return rt_fill_random(args[0], args[3], "uniform_", draw_uniform, &d);
}

RT_KERNEL(normal_)
{
    rt_draw d = {0};
    int dtype = RT_TENSOR(args[0])->dtype;
    if (rt_as_double(args[1], &d.a) < 0 || rt_as_double(args[2], &d.b) < 0)
        return NULL;
    if (!(d.b >= 0))
        return rt_bad_range("normal expects std >= 0.0, but found std %g", d.b, 0);
    if (!rt_has_float_draws(dtype) && dtype != RT_COMPLEX64 && dtype != RT_COMPLEX128)
        return rt_no_draws("normal_kernel_cpu", dtype);
    return rt_fill_random(args[0], args[3], "normal_", draw_normal, &d);
}

/* Largest value of an integer dtype, or the largest integer up to which a floating one holds all of them. */
static int64_t highest_integer(int dtype)
{
    switch (dtype) {
    case RT_BOOL: return 1;
    case RT_UINT8: return UINT8_MAX;
    case RT_INT8: return INT8_MAX;
    case RT_INT16: return INT16_MAX;
    case RT_UINT16: return UINT16_MAX;
    case RT_INT32: return INT32_MAX;
    case RT_UINT32: return UINT32_MAX;
    case RT_FLOAT16: return 1 << 11;
    case RT_BFLOAT16: return 1 << 8;
    case RT_FLOAT32: return 1 << 24;
    case RT_FLOAT64: return INT64_C(1) << 53;
    default: return INT64_MAX;
    }
}

static int64_t lowest_integer(int dtype)
{
    switch (dtype) {
    case RT_INT8: return INT8_MIN;
    case RT_INT16: return INT16_MIN;
    case RT_INT32: return INT32_MIN;
    case RT_INT64: return INT64_MIN;
    case RT_FLOAT16: case RT_BFLOAT16: case RT_FLOAT32: case RT_FLOAT64: return -highest_integer(dtype);
    default: return 0;
    }
}

/* random_(), random_.to(to) and random_.from(from, to?) */
RT_KERNEL(random_)
{
    rt_draw d = {0};
    RtTensor *t = RT_TENSOR(args[0]);
    int dtype = t->dtype;
    PyObject *generator = args[nargs - 1];
    if (rt_is_complex(dtype) && nargs > 2) {
        PyErr_SetString(PyExc_RuntimeError, "check_random_bounds handles only integral, floating-point and boolean types");
        return NULL;
    }
    if (rt_is_complex(dtype) || rt_itemsize[dtype] == 0 || (rt_is_floating(dtype) && !rt_has_float_draws(dtype)))
        return rt_no_draws("random_kernel_cpu", dtype);
    if (nargs == 2) {
        uint64_t top = dtype == RT_UINT64 ? UINT64_MAX : (uint64_t)highest_integer(dtype);
        d.span = top + 1;
        return rt_fill_random(args[0], generator, "random_", draw_integer, &d);
    }
    int64_t to = INT64_MAX;
    int bounded = nargs == 3 || args[2] != Py_None;
    if ((nargs == 4 && rt_as_int64(args[1], &d.low) < 0) || (bounded && rt_as_int64(args[nargs - 2], &to) < 0))
        return NULL;
    if (bounded && to <= d.low) {
        PyErr_Format(PyExc_RuntimeError, "random_ expects 'from' to be less than 'to', but got from=%lld >= to=%lld", (long long)d.low,
                     (long long)to);
        return NULL;
    }
    if (rt_is_integral(dtype, 1) || dtype == RT_FLOAT16) {
        int64_t highest = dtype == RT_FLOAT16 ? 65504 : highest_integer(dtype), lowest = dtype == RT_FLOAT16 ? -65504 : lowest_integer(dtype);
        int is_from = d.low < lowest || d.low > highest;
        if (is_from || (bounded && (to - 1 < lowest || to - 1 > highest))) {
            PyErr_Format(PyExc_RuntimeError, "%s is out of bounds for %s", is_from ? "from" : "to - 1", rt_dtype_cpp_title(dtype));
            return NULL;
        }
    }
    if (bounded)
        d.span = (uint64_t)to - (uint64_t)d.low;
    else
        d.span = (uint64_t)highest_integer(dtype) - (uint64_t)d.low + 1;
    return rt_fill_random(args[0], generator, "random_", draw_integer, &d);
}

RT_SAME_KERNEL(random__from, random_)
RT_SAME_KERNEL(random__to, random_)

static int check_probability(double p)
{
    if (p >= 0 && p <= 1)
        return 0;
    rt_bad_range("bernoulli_ expects p to be in [0, 1], but got p=%g", p, 0);
    return -1;
}

/* One draw per element, with its own probability; p has t's shape. */
static int bernoulli_each(RtTensor *t, RtTensor *p, RtGenerator *g)
{
    int64_t index[RT_MAX_DIM] = {0}, ti = rt_itemsize[t->dtype], pi = rt_itemsize[p->dtype];
    char *at = rt_data(t);
    const char *pat = rt_data(p);
    if (t->numel == 0)
        return 0;
    for (;;) {
        double probability = rt_float_at(pat, p->dtype);
        if (!(probability >= 0 && probability <= 1)) {
            PyErr_SetString(PyExc_RuntimeError, "Expected p_in >= 0 && p_in <= 1 to be true, but got false.  (Could this error message be "
                                                "improved?  If so, please report an enhancement request to PyTorch.)");
            return -1;
        }
        rt_store_integer(at, t->dtype, unit53(g->state) < probability);
        int k = t->ndim - 1;
        for (; k >= 0; k--) {
            at += t->strides[k] * ti;
            pat += p->strides[k] * pi;
            if (++index[k] < t->sizes[k])
                break;
            at -= index[k] * t->strides[k] * ti;
            pat -= index[k] * p->strides[k] * pi;
            index[k] = 0;
        }
        if (k < 0)
            return 0;
    }
}

PyObject *rt_expand_to(PyObject *parameter, const RtTensor *t)
{
    PyObject *size = PyTuple_New(t->ndim);
    for (int d = 0; size != NULL && d < t->ndim; d++) {
        PyObject *value = PyLong_FromLongLong(t->sizes[d]);
        if (value == NULL)
            Py_CLEAR(size);
        else
            PyTuple_SET_ITEM(size, d, value);
    }
    if (size == NULL)
        return NULL;
    PyObject *call[3] = {parameter, size, Py_False};
    PyObject *expanded = rt_call_below_views(RT_OP_aten_expand, call, 3);
    Py_DECREF(size);
    return expanded;
}

static PyObject *bernoulli_from(PyObject *tensor, PyObject *probabilities, PyObject *generator)
{
    RtTensor *t = RT_TENSOR(tensor), *p = RT_TENSOR(probabilities);
    if (t->device_type == RT_DEVICE_META)
        return Py_NewRef(tensor);
    RtGenerator *g = rt_generator_or_default(generator);
    if (g == NULL || rt_check_cpu(t, "bernoulli") < 0 || rt_check_cpu(p, "bernoulli") < 0 || rt_check_no_internal_overlap(t) < 0)
        return NULL;
    if (!rt_has_float_draws(p->dtype))
        return rt_no_draws("bernoulli_tensor_cpu_p_", p->dtype);
    return bernoulli_each(t, p, g) < 0 ? NULL : Py_NewRef(tensor);
}

/* bernoulli_.float(p) and bernoulli_.Tensor(p) */
RT_KERNEL(bernoulli_)
{
    if (!rt_is_tensor(args[1])) {
        rt_draw d = {0};
        if (rt_as_double(args[1], &d.a) < 0 || check_probability(d.a) < 0)
            return NULL;
        if (rt_is_complex(RT_TENSOR(args[0])->dtype))
            return rt_no_draws("bernoulli_scalar_cpu_", RT_TENSOR(args[0])->dtype);
        return rt_fill_random(args[0], args[2], "bernoulli_", draw_bernoulli, &d);
    }
    PyObject *expanded = rt_expand_to(args[1], RT_TENSOR(args[0]));
    if (expanded == NULL)
        return NULL;
    PyObject *result = bernoulli_from(args[0], expanded, args[2]);
    Py_DECREF(expanded);
    return result;
}

/* bernoulli(self): self holds the probabilities */
RT_KERNEL(bernoulli)
{
    PyObject *call[6] = {args[0], Py_None, Py_None, Py_None, Py_None, Py_None};
    PyObject *result = rt_call_below_views(RT_OP_aten_empty_like, call, 6);
    if (result == NULL)
        return NULL;
    PyObject *done = bernoulli_from(result, args[0], args[nargs - 1]);
    Py_DECREF(result);
    return done;
}
