/* What activations and their gradients share: numbers handed to loops, and elementary functions by dtype under one name. */
#ifndef KERNELS_CPU_ACTIVATION_H
#define KERNELS_CPU_ACTIVATION_H

#include "kernels/cpu/loop_tables.h"
#include "kernels/cpu/vector_math.h"

/* In float what becomes vector code, in double the C library's. */
RT_VECTOR float exp_of_f32(float x) { return rt_exp(x); }
RT_VECTOR float expm1_of_f32(float x) { return rt_expm1(x); }
RT_VECTOR float log1p_of_f32(float x) { return rt_log1p(x); }
RT_VECTOR float erf_of_f32(float x) { return rt_erf(x); }
RT_VECTOR float sigmoid_of_f32(float x) { return rt_sigmoid(x); }
RT_VECTOR double exp_of_f64(double x) { return exp(x); }
RT_VECTOR double expm1_of_f64(double x) { return expm1(x); }
RT_VECTOR double log1p_of_f64(double x) { return log1p(x); }
RT_VECTOR double erf_of_f64(double x) { return erf(x); }
RT_VECTOR double sigmoid_of_f64(double x) { return 1 / (1 + exp(-x)); }

/* The inner argument of gelu's approximation by tanh, doubled: gelu(x) = x * sigmoid(this). */
#define RT_GELU_TANH(T, x) ((x) * ((T)1.5957691216057308 + (T)0.071354816272600247 * (x) * (x)))

/* Whether gelu's argument asks for it: 1 or 0, or -1 with an exception. */
static inline int rt_gelu_approximates(PyObject *approximate)
{
    if (PyUnicode_CompareWithASCIIString(approximate, "none") == 0)
        return 0;
    if (PyUnicode_CompareWithASCIIString(approximate, "tanh") == 0)
        return 1;
    PyErr_SetString(PyExc_RuntimeError, "approximate argument must be either none or tanh.");
    return -1;
}

/* Loops see a schema's numbers as an array of the dtype that they compute in. */
enum { RT_MAX_NUMBERS = 3 };
#define NUMBERS1(T, p) const T *numbers = data, p = numbers[0];
#define NUMBERS2(T, p, q) const T *numbers = data, p = numbers[0], q = numbers[1];
#define NUMBERS3(T, p, q, r) const T *numbers = data, p = numbers[0], q = numbers[1], r = numbers[2];

/* Run the prepared operation with `count` arguments from place `first` on as the loop's numbers. */
static inline int rt_run_with_numbers(rt_call_frame *c, int first, int count)
{
    const rt_pointwise *p = rt_pointwise_of(c);
    _Alignas(16) char values[16 * RT_MAX_NUMBERS];
    int itemsize = rt_itemsize[rt_loop_dtype(p->common)];
    rt_loop loop;
    if (rt_pointwise_loop(p->op, p->common, &loop) < 0)
        return -1;
    for (int i = 0; i < count; i++) {
        rt_number number;
        if (rt_read_number(c->args[first + i], &number) < 0 || rt_pointwise_number(&number, p->common, values + i * itemsize) < 0)
            return -1;
    }
    loop.data = values;
    return rt_pointwise_run(c, loop);
}

#endif
