/* Special functions: error functions, gamma functions, Bessel functions, entropies, and what is made of logarithms of them.
 *
 * SciPy's loops where it has the function and nothing faster is at hand. SciPy is imported when the first of its loops is needed.
 */
#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/ufunc_loops.h"
#include "kernels/cpu/vector_math.h"

/* The logarithm of a loop: in float what becomes vector code. */
RT_VECTOR float log_of_f32(float x) { return rt_log(x); }
RT_VECTOR double log_of_f64(double x) { return log(x); }

#define OF_SCIPY(name, stub_name, scipy)                                                                                 \
    static rt_pointwise_op name##_op = {.stub = stub_name, .ufunc = "special." scipy, .nin = 1, .flags = RT_PW_INT_TO_FLOAT, \
                                        .dtypes = RT_FLOATING_DTYPES};                                                   \
    RT_POINTWISE1(name##_out, name##_op)
#define OF_OWN_LOOPS(name, stub_name, inputs, more_dtypes)                                                               \
    static rt_pointwise_op name##_op = {.stub = stub_name, .own = name##_loops, .nin = inputs, .flags = RT_PW_INT_TO_FLOAT, \
                                        .dtypes = RT_FLOATING_DTYPES | more_dtypes};

OF_SCIPY(digamma, "digamma", "psi")
OF_SCIPY(special_ndtri, "ndtri_cpu", "ndtri")
OF_SCIPY(special_log_ndtr, "log_ndtr_cpu", "log_ndtr")
OF_SCIPY(special_erfcx, "erfcx_cpu", "erfcx")
OF_SCIPY(special_bessel_j0, "bessel_j0_cpu", "j0")
OF_SCIPY(special_bessel_j1, "bessel_j1_cpu", "j1")
OF_SCIPY(special_bessel_y0, "bessel_y0_cpu", "y0")
OF_SCIPY(special_bessel_y1, "bessel_y1_cpu", "y1")
OF_SCIPY(special_modified_bessel_i0, "modified_bessel_i0_cpu", "i0")
OF_SCIPY(special_modified_bessel_i1, "modified_bessel_i1_cpu", "i1")
OF_SCIPY(special_modified_bessel_k0, "modified_bessel_k0_cpu", "k0")
OF_SCIPY(special_modified_bessel_k1, "modified_bessel_k1_cpu", "k1")
OF_SCIPY(special_scaled_modified_bessel_k0, "scaled_modified_bessel_k0_cpu", "k0e")
OF_SCIPY(special_scaled_modified_bessel_k1, "scaled_modified_bessel_k1_cpu", "k1e")

#define INCOMPLETE_GAMMA(name, scipy)                                                                                    \
    static rt_pointwise_op name##_op = {.stub = #name "_cpu", .ufunc = "special." scipy, .nin = 2, .dtypes = RT_FLOATING_DTYPES}; \
    RT_POINTWISE2(name##_out, name##_op)
INCOMPLETE_GAMMA(igamma, "gammainc")
INCOMPLETE_GAMMA(igammac, "gammaincc")

/* SciPy's airy yields both functions with their derivatives; the first of them is Ai, which is zero in all types beyond AIRY_ZERO, where
 * SciPy knows no number. */
enum { AIRY_BLOCK = 128, AIRY_ZERO = 110 };
static rt_loop airy_of_scipy[RT_NUM_DTYPES];
#define AIRY(suffix, T, code)                                                                                            \
    static void airy_##suffix(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data)                     \
    {                                                                                                                    \
        T x[AIRY_BLOCK], rest[3][AIRY_BLOCK];                                                                            \
        const rt_loop *loop = &airy_of_scipy[code];                                                                      \
        (void)data;                                                                                                      \
        for (Py_ssize_t done = 0; done < *n; done += AIRY_BLOCK) {                                                       \
            Py_ssize_t length = *n - done < AIRY_BLOCK ? *n - done : AIRY_BLOCK;                                         \
            for (Py_ssize_t i = 0; i < length; i++) {                                                                    \
                T value = *(const T *)(args[0] + (done + i) * steps[0]);                                                 \
                x[i] = value > AIRY_ZERO && !isinf(value) ? AIRY_ZERO : value;                                         \
            }                                                                                                            \
            char *block[5] = {(char *)x, args[1] + done * steps[1], (char *)rest[0], (char *)rest[1], (char *)rest[2]};  \
            loop->fn(block, &length, (Py_ssize_t[]){sizeof(T), steps[1], sizeof(T), sizeof(T), sizeof(T)}, loop->data);  \
        }                                                                                                                \
    }
AIRY(f32, float, RT_FLOAT32)
AIRY(f64, double, RT_FLOAT64)
static const rt_own_loop special_airy_ai_loops[] = {FLOAT_LOOPS(airy), NO_MORE_LOOPS};
OF_OWN_LOOPS(special_airy_ai, "airy_ai_cpu", 1, 0)
RT_POINTWISE_RULE(special_airy_ai_out, special_airy_ai_op, 1)
static int special_airy_ai_cpu(rt_call_frame *c)
{
    if (airy_of_scipy[RT_FLOAT64].fn == NULL && rt_ufunc_loops("special.airy", 1, 4, 0, airy_of_scipy) < 0)
        return -1;
    return rt_pointwise_cpu(c);
}
RT_STRUCTURED(special_airy_ai_out, special_airy_ai_out_rule, special_airy_ai_cpu, NULL)

/* ---------------------------------------------------------------------------------------------- own, the C library's, and simple ones */

RT_CLONES RT_LOOP1(erfinv_f32, float, float, rt_erfinv(a))
static const rt_own_loop erfinv_loops[] = {{RT_FLOAT32, erfinv_f32}, NO_MORE_LOOPS};
static rt_pointwise_op erfinv_op = {.stub = "erfinv_vml_cpu", .ufunc = "special.erfinv", .own = erfinv_loops, .nin = 1,
                                    .flags = RT_PW_INT_TO_FLOAT, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE1(erfinv_out, erfinv_op)

RT_CLONES RT_LOOP1(erfc_f32, float, float, rt_erfc(a))
RT_LOOP1(erfc_f64, double, double, erfc(a))
static const rt_own_loop erfc_loops[] = {FLOAT_LOOPS(erfc), NO_MORE_LOOPS};
OF_OWN_LOOPS(erfc, "erfc_vml_cpu", 1, 0)
RT_POINTWISE1(erfc_out, erfc_op)

/* lgamma itself would write the sign into a variable that all threads share. */
RT_LOOP1_WITH(lgamma_f32, float, float, int sign;, lgammaf_r(a, &sign))
RT_LOOP1_WITH(lgamma_f64, double, double, int sign;, lgamma_r(a, &sign))
static const rt_own_loop lgamma_loops[] = {FLOAT_LOOPS(lgamma), NO_MORE_LOOPS};
OF_OWN_LOOPS(lgamma, "lgamma_vml_cpu", 1, 0)
RT_POINTWISE1(lgamma_out, lgamma_op)

#define SINC(suffix, T, f) RT_LOOP1_WITH(sinc_##suffix, T, T, const T pi = (T)M_PI;, a == 0 ? 1 : sin##f(pi * a) / (pi * a))
#define SINC_COMPLEX(suffix, T, f) RT_LOOP1_WITH(sinc_##suffix, T, T, const T pi = (T)M_PI;, a == 0 ? 1 : csin##f(pi * a) / (pi * a))
FORALL_FLOATS(SINC)
FORALL_COMPLEX(SINC_COMPLEX)
static const rt_own_loop sinc_loops[] = {FLOAT_LOOPS(sinc), COMPLEX_LOOPS(sinc), NO_MORE_LOOPS};
OF_OWN_LOOPS(sinc, "sinc_cpu", 1, RT_COMPLEX_DTYPES)
RT_POINTWISE1(sinc_out, sinc_op)

#define SPHERICAL_J0(suffix, T, f)                                                                                       \
    static inline T spherical_j0_of_##suffix(T x)                                                                        \
    {                                                                                                                    \
        T square = x * x;                                                                                                \
        if (isinf(x))                                                                                                    \
            return 0;                                                                                                    \
        if (fabs##f(x) < (T)0.5)                                                                                         \
            return 1 - square / 6 * (1 - square / 20 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110 * (1 - square / 156))))); \
        return sin##f(x) / x;                                                                                            \
    }                                                                                                                    \
    RT_LOOP1(spherical_j0_##suffix, T, T, spherical_j0_of_##suffix(a))
FORALL_FLOATS(SPHERICAL_J0)
static const rt_own_loop special_spherical_bessel_j0_loops[] = {FLOAT_LOOPS(spherical_j0), NO_MORE_LOOPS};
OF_OWN_LOOPS(special_spherical_bessel_j0, "spherical_bessel_j0_cpu", 1, 0)
RT_POINTWISE1(special_spherical_bessel_j0_out, special_spherical_bessel_j0_op)

#define ENTROPY(suffix, T, f)                                                                                            \
    RT_CLONES RT_LOOP1(entr_##suffix, T, T, a != a ? a : a > 0 ? -a * log_of_##suffix(a) : a == 0 ? 0 : -(T)INFINITY)    \
    RT_CLONES RT_LOOP2(xlogy_##suffix, T, T, b != b ? b : a == 0 ? 0 : a * log_of_##suffix(b))                           \
    RT_LOOP2(xlog1py_##suffix, T, T, b != b ? b : a == 0 ? 0 : a * log1p##f(b))
FORALL_FLOATS(ENTROPY)
static const rt_own_loop special_entr_loops[] = {FLOAT_LOOPS(entr), NO_MORE_LOOPS};
static const rt_own_loop xlogy_loops[] = {FLOAT_LOOPS(xlogy), NO_MORE_LOOPS};
static const rt_own_loop special_xlog1py_loops[] = {FLOAT_LOOPS(xlog1py), NO_MORE_LOOPS};
OF_OWN_LOOPS(special_entr, "entr_cpu", 1, 0)
OF_OWN_LOOPS(xlogy, "xlogy_cpu", 2, 0)
OF_OWN_LOOPS(special_xlog1py, "xlog1py_cpu", 2, 0)
RT_POINTWISE1(special_entr_out, special_entr_op)
RT_POINTWISE2(xlogy_OutTensor, xlogy_op)
RT_POINTWISE2(special_xlog1py_out, special_xlog1py_op)

/* ------------------------------------------------------------------------------------------------------- modified Bessel functions */

enum { SMALL_TERMS = 19, LARGE_TERMS = 7 };

/* A function that is one polynomial in a / 4 - 1 up to 8 and, times the root of a, another in 16 / a - 1 beyond. In double, so that
 * coefficients of changing signs cost no digits of a float. */
RT_VECTOR double bessel_fit(double a, const double *small, const double *large)
{
    int is_small = a <= 8;
    double u = (is_small ? a : 8) / 4 - 1, v = 16 / (is_small ? 8 : a) - 1, near = small[SMALL_TERMS - 1], far = large[LARGE_TERMS - 1];
    for (int i = SMALL_TERMS - 2; i >= 0; i--)
        near = near * u + small[i];
    for (int i = LARGE_TERMS - 2; i >= 0; i--)
        far = far * v + large[i];
    return is_small ? near : a > 8 ? far / sqrt(a) : a;
}

/* exp(-|x|) I0(x) and exp(-|x|) I1(x): the fits are ours. */
RT_VECTOR float i0e_of(float x)
{
    static const double small[SMALL_TERMS] = {
        0.20700192113, -0.113004336395, 0.094515647198, -0.0890428753638, 0.0873428051552, -0.0849732439596,
        0.0792829727676, -0.0694632888007, 0.0567272883272, -0.0433178930181, 0.0303606370639, -0.018857354833,
        0.0115540657283, -0.0080182367831, 0.00416927352955, -0.000754894991333, 0.000412651528344,
        -0.000851984390071, 0.000348628400343,
    };
    static const double large[LARGE_TERMS] = {
        0.402176509419, 0.00336055570014, 0.000136217164243, 1.11121482853e-05, 1.47611573441e-06, 3.62667038446e-07,
        1.0867942477e-07,
    };
    return (float)bessel_fit(fabs((double)x), small, large);
}
RT_VECTOR float i1e_of(float x)
{
    static const double small[SMALL_TERMS] = {
        0.0446877098565, -0.0611243392305, 0.0680576021382, -0.0684825331405, 0.0637673292072, -0.0552813126946,
        0.044675517235, -0.0336612828096, 0.0236799437268, -0.0156143009732, 0.00960630644358, -0.00542742129106,
        0.00295600394003, -0.00169859433267, 0.000812403493259, -0.000202626576316, 9.35681885327e-05,
        -0.000123682802013, 4.7521339641e-05,
    };
    static const double large[LARGE_TERMS] = {
        0.38939845906, -0.00974958137038, -0.000219237125382, -1.50039654661e-05, -1.82569073179e-06,
        -4.21035015494e-07, -1.22732172333e-07,
    };
    double a = fabs((double)x), y = bessel_fit(a, small, large);
    return (float)(a <= 8 ? x * y : x > 0 ? y : -y);
}

/* In two factors: the exponential overflows before the functions do. */
RT_VECTOR float unscaled(float y, float x)
{
    float half = rt_exp(fabsf(x) * 0.5f);
    return y * half * half;
}
RT_CLONES RT_LOOP1(i0_f32, float, float, unscaled(i0e_of(a), a))
RT_CLONES RT_LOOP1(i0e_f32, float, float, i0e_of(a))
RT_CLONES RT_LOOP1(i1_f32, float, float, unscaled(i1e_of(a), a))
RT_CLONES RT_LOOP1(i1e_f32, float, float, i1e_of(a))
#define SCALED_BESSEL(name, loop, stub_name)                                                                             \
    static const rt_own_loop name##_loops[] = {{RT_FLOAT32, loop##_f32}, NO_MORE_LOOPS};                                 \
    static rt_pointwise_op name##_op = {.stub = stub_name, .ufunc = "special." #loop, .own = name##_loops, .nin = 1,     \
                                        .flags = RT_PW_INT_TO_FLOAT, .dtypes = RT_FLOATING_DTYPES};                      \
    RT_POINTWISE1(name##_out, name##_op)
SCALED_BESSEL(i0, i0, "i0_vml_cpu")
SCALED_BESSEL(special_i0e, i0e, "i0e_cpu")
SCALED_BESSEL(special_i1, i1, "i1_cpu")
SCALED_BESSEL(special_i1e, i1e, "i1e_cpu")

/* --------------------------------------------------------------------------------------------------------------------------- logit */

#define BOUNDS(T) const T eps = *(const T *)data, low = eps, high = 1 - eps;
#define BOUNDED(a) (eps < 0 ? (a) : (a) < low ? low : (a) > high ? high : (a))
#define LOGIT(suffix, T, f)                                                                                              \
    RT_VECTOR T log_odds_##suffix(T p) { return p == 1 ? (T)INFINITY : log_of_##suffix(p / (1 - p)); }                   \
    RT_CLONES RT_LOOP1_WITH(logit_##suffix, T, T, BOUNDS(T), log_odds_##suffix(BOUNDED(a)))                                        \
    RT_CLONES RT_LOOP2_WITH(logit_backward_##suffix, T, T, BOUNDS(T),                                                    \
                            eps < 0 ? (b < 0 || b > 1 ? (T)NAN : b == 0 || b == 1 ? a * (T)INFINITY : a / (b * (1 - b))) \
                                    : b < low || b > high ? 0 : a / (b * (1 - b)))
FORALL_FLOATS(LOGIT)
static const rt_own_loop logit_loops[] = {FLOAT_LOOPS(logit), NO_MORE_LOOPS};
static const rt_own_loop logit_backward_loops[] = {FLOAT_LOOPS(logit_backward), NO_MORE_LOOPS};
OF_OWN_LOOPS(logit, "logit_cpu", 1, 0)
static rt_pointwise_op logit_backward_op = {.stub = "logit_backward_cpu", .own = logit_backward_loops, .nin = 2, .dtypes = RT_FLOATING_DTYPES};
RT_POINTWISE_RULE(logit, logit_op, 1)
RT_POINTWISE_RULE(logit_backward, logit_backward_op, 2)

static int logit_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    PyObject *given = c->args[c->nargs - 1];
    double eps = given == Py_None ? -1.0 : PyFloat_AsDouble(given);
    float narrow = (float)eps;
    rt_loop loop;
    if ((eps == -1.0 && PyErr_Occurred()) || rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    loop.data = rt_loop_dtype(p->common) == RT_FLOAT64 ? (void *)&eps : &narrow;
    return rt_pointwise_run(c, loop);
}
RT_STRUCTURED(logit_out, logit_rule, logit_cpu, NULL)
RT_STRUCTURED(logit_backward_grad_input, logit_backward_rule, logit_cpu, NULL)

/* --------------------------------------------------------------------------------------------------- zeta and derivatives of digamma */

/* The sum of (q + k)**-s over all k >= 0: the first terms as they are, the rest by the formula of Euler and Maclaurin, whose
 * coefficients are Bernoulli's numbers over factorials, B(2j) / (2j)!. */
static double hurwitz_zeta(double s, double q)
{
    static const double coefficients[] = {
        1.0 / 12, -1.0 / 720, 1.0 / 30240, -1.0 / 1209600, 1.0 / 47900160, -691.0 / 1307674368000.0, 1.0 / 74724249600.0,
        -3617.0 / 10670622842880000.0, 43867.0 / 5109094217170944000.0, -174611.0 / 802857662698291200000.0,
    };
    if (s == 1)
        return INFINITY;
    if (!(s > 1) || isnan(q))
        return NAN;
    if (q <= 0) {
        if (q == floor(q))
            return INFINITY;
        if (s != floor(s))
            return NAN; /* a power of a negative number */
    }
    if (q > 1e8)
        return (1 / (s - 1) + 1 / (2 * q)) * pow(q, 1 - s);
    double sum = 0, at = q;
    for (int k = 0; k < 10 || at < 10; k++, at += 1) {
        double term = pow(at, -s);
        sum += term;
        if (fabs(term) < 1e-17 * fabs(sum))
            return sum;
    }
    double power = pow(at, -s), product = s;
    sum += at * power / (s - 1) + power / 2;
    power /= at;
    for (size_t j = 0; j < sizeof coefficients / sizeof *coefficients; j++) {
        double term = coefficients[j] * product * power;
        sum += term;
        if (fabs(term) < 1e-17 * fabs(sum))
            break;
        product *= (s + 2 * (double)j + 1) * (s + 2 * (double)j + 2);
        power /= at * at;
    }
    return sum;
}
RT_LOOP2(zeta_f32, float, float, hurwitz_zeta(a, b))
RT_LOOP2(zeta_f64, double, double, hurwitz_zeta(a, b))
static const rt_own_loop special_zeta_loops[] = {FLOAT_LOOPS(zeta), NO_MORE_LOOPS};
OF_OWN_LOOPS(special_zeta, "zeta_cpu", 2, 0)
RT_POINTWISE2(special_zeta_out, special_zeta_op)

/* hurwitz_zeta(2, x), without its powers. */
static double sum_of_inverse_squares(double x)
{
    double sum = 0;
    for (; x < 8; x += 1)
        sum += 1 / (x * x);
    double u = 1 / (x * x);
    double tail = u * (1.0 / 6 - u * (1.0 / 30 - u * (1.0 / 42 - u * (1.0 / 30 - u * (5.0 / 66 - u * (691.0 / 2730 - u * (7.0 / 6 - u * (3617.0 / 510))))))));
    return sum + (1 + 0.5 / x + tail) / x;
}

/* The first derivative of digamma has its reflection: f(1 - x) + f(x) = (pi / sin(pi x))**2. */
static double trigamma(double x)
{
    if (isnan(x))
        return x;
    if (x >= 0.5)
        return sum_of_inverse_squares(x);
    if (x == floor(x))
        return INFINITY;
    double cosecant = M_PI / sin(M_PI * (x - floor(x)));
    return cosecant * cosecant - sum_of_inverse_squares(1 - x);
}
static double polygamma_of(double x, double order)
{
    if (order == 1)
        return trigamma(x);
    return (fmod(order, 2) != 0 ? 1 : -1) * tgamma(order + 1) * hurwitz_zeta(order + 1, x);
}
RT_LOOP1_WITH(polygamma_f32, float, float, const double order = *(const double *)data;, polygamma_of(a, order))
RT_LOOP1_WITH(polygamma_f64, double, double, const double order = *(const double *)data;, polygamma_of(a, order))
static const rt_own_loop polygamma_loops[] = {FLOAT_LOOPS(polygamma), NO_MORE_LOOPS};
OF_OWN_LOOPS(polygamma, "polygamma", 1, 0)

static int polygamma_rule(rt_call_frame *c)
{
    int64_t order;
    if (rt_as_int64(c->args[0], &order) < 0)
        return -1;
    if (order < 0) {
        PyErr_SetString(PyExc_RuntimeError, "polygamma(n, x) does not support negative n.");
        return -1;
    }
    return rt_pointwise_rule(c, order == 0 ? &digamma_op : &polygamma_op, RT_PW_INT_TO_FLOAT, 1, c->args + 1);
}

static int polygamma_cpu(rt_call_frame *c)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    rt_loop loop;
    int64_t n;
    if (p->op == &digamma_op)
        return rt_pointwise_cpu(c);
    if (rt_as_int64(c->args[0], &n) < 0 || rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    double order = (double)n;
    loop.data = &order;
    return rt_pointwise_run(c, loop);
}
RT_STRUCTURED(polygamma_out, polygamma_rule, polygamma_cpu, NULL)
