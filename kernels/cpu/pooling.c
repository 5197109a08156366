/* The loops of pooling.h. */
#pragma GCC optimize("O3")
#include "kernels/cpu/pooling.h"
#include "kernels/cpu/element.h"

#include "runtime/core/core.h"

#define SAME(x) (x)
#define NEVER_NAN(x) 0
#define IS_NAN(x) ((x) != (x))

static inline int64_t volume(const int64_t *n) { return n[0] * n[1] * n[2]; }

#define EACH_WINDOW(p, z, y, x)                                                                                  \
    for (int64_t z##i = 0; z##i < p->out[0]; z##i++)                                                             \
        for (int64_t y##i = 0; y##i < p->out[1]; y##i++)                                                         \
            for (int64_t x##i = 0; x##i < p->out[2]; x##i++)

/* The greatest element and its place; a NaN is greater than all. */
#define MAX_POOL(NAME, T, V, LOAD, ISNAN, LOWEST)                                                                \
    static void max_##NAME(int64_t begin, int64_t end, void *ctx)                                                \
    {                                                                                                            \
        const rt_pool *p = ctx;                                                                                  \
        int64_t row = p->in[2], area = p->in[1] * row;                                                           \
        for (int64_t plane = begin; plane < end; plane++) {                                                      \
            const T *in = (const T *)p->from + plane * p->in[0] * area;                                          \
            T *out = (T *)p->to + plane * volume(p->out);                                                        \
            int64_t *indices = p->indices != NULL ? p->indices + plane * volume(p->out) : NULL;                  \
            EACH_WINDOW(p, z, y, x)                                                                              \
            {                                                                                                    \
                rt_window z = p->windows[0][zi], y = p->windows[1][yi], x = p->windows[2][xi];                   \
                int64_t best = z.begin * area + y.begin * row + x.begin;                                         \
                V highest = LOWEST;                                                                              \
                for (int64_t a = 0; a < z.count; a++)                                                            \
                    for (int64_t b = 0; b < y.count; b++) {                                                      \
                        int64_t at = (z.begin + a * p->step[0]) * area + (y.begin + b * p->step[1]) * row + x.begin; \
                        for (int64_t c = 0; c < x.count; c++, at += p->step[2]) {                                \
                            V value = LOAD(in[at]);                                                              \
                            if (value > highest || ISNAN(value)) {                                               \
                                highest = value;                                                                 \
                                best = at;                                                                       \
                            }                                                                                    \
                        }                                                                                        \
                    }                                                                                            \
                *out++ = z.count * y.count * x.count > 0 ? in[best] : (T)NAME##_lowest;                          \
                if (indices != NULL)                                                                             \
                    *indices++ = best;                                                                           \
            }                                                                                                    \
        }                                                                                                        \
    }

enum { u8_lowest = 0, i8_lowest = INT8_MIN, i16_lowest = INT16_MIN, i32_lowest = INT32_MIN, bf16_lowest = 0xff80 };
#define i64_lowest INT64_MIN
#define f32_lowest (-INFINITY)
#define f64_lowest (-INFINITY)
#define f16_lowest (-INFINITY)
MAX_POOL(f32, float, float, SAME, IS_NAN, -INFINITY)
MAX_POOL(f64, double, double, SAME, IS_NAN, -INFINITY)
MAX_POOL(f16, _Float16, float, (float), IS_NAN, -INFINITY)
MAX_POOL(bf16, uint16_t, float, rt_bf16_to_float, IS_NAN, -INFINITY)
MAX_POOL(u8, uint8_t, int32_t, SAME, NEVER_NAN, INT32_MIN)
MAX_POOL(i8, int8_t, int32_t, SAME, NEVER_NAN, INT32_MIN)
MAX_POOL(i16, int16_t, int32_t, SAME, NEVER_NAN, INT32_MIN)
MAX_POOL(i32, int32_t, int64_t, SAME, NEVER_NAN, INT64_MIN)
MAX_POOL(i64, int64_t, int64_t, SAME, NEVER_NAN, INT64_MIN)

rt_pool_fn rt_max_pool_loop(int dtype)
{
    switch (dtype) {
    case RT_FLOAT32: return max_f32;
    case RT_FLOAT64: return max_f64;
    case RT_FLOAT16: return max_f16;
    case RT_BFLOAT16: return max_bf16;
    case RT_UINT8: return max_u8;
    case RT_INT8: return max_i8;
    case RT_INT16: return max_i16;
    case RT_INT32: return max_i32;
    case RT_INT64: return max_i64;
    default: return NULL;
    }
}

#define AVG_POOL(NAME, T, V, LOAD, STORE)                                                                        \
    static void avg_##NAME(int64_t begin, int64_t end, void *ctx)                                                \
    {                                                                                                            \
        const rt_pool *p = ctx;                                                                                  \
        int64_t row = p->in[2], area = p->in[1] * row;                                                           \
        for (int64_t plane = begin; plane < end; plane++) {                                                      \
            const T *in = (const T *)p->from + plane * p->in[0] * area;                                          \
            T *out = (T *)p->to + plane * volume(p->out);                                                        \
            EACH_WINDOW(p, z, y, x)                                                                              \
            {                                                                                                    \
                rt_window z = p->windows[0][zi], y = p->windows[1][yi], x = p->windows[2][xi];                   \
                V sum = 0;                                                                                       \
                for (int64_t a = z.begin; a < z.begin + z.count; a++)                                            \
                    for (int64_t b = y.begin; b < y.begin + y.count; b++)                                        \
                        for (int64_t c = 0; c < x.count; c++)                                                    \
                            sum += LOAD(in[a * area + b * row + x.begin + c]);                                   \
                int64_t divisor = p->divisor ? p->divisor : z.divisor * y.divisor * x.divisor;                   \
                *out++ = STORE(divisor ? sum / (V)divisor : (V)0);                                               \
            }                                                                                                    \
        }                                                                                                        \
    }
AVG_POOL(f32, float, float, SAME, SAME)
AVG_POOL(f64, double, double, SAME, SAME)
AVG_POOL(f16, _Float16, float, (float), (_Float16))
AVG_POOL(bf16, uint16_t, float, rt_bf16_to_float, rt_float_to_bf16)
AVG_POOL(i64, int64_t, int64_t, SAME, SAME)

rt_pool_fn rt_avg_pool_loop(int dtype)
{
    switch (dtype) {
    case RT_FLOAT32: return avg_f32;
    case RT_FLOAT64: return avg_f64;
    case RT_FLOAT16: return avg_f16;
    case RT_BFLOAT16: return avg_bf16;
    case RT_INT64: return avg_i64;
    default: return NULL;
    }
}

#define BACKWARD(NAME, T)                                                                                        \
    static void max_backward_##NAME(int64_t begin, int64_t end, void *ctx)                                       \
    {                                                                                                            \
        const rt_pool *p = ctx;                                                                                  \
        int64_t n = volume(p->out), size = volume(p->in);                                                        \
        for (int64_t plane = begin; plane < end; plane++) {                                                      \
            const T *grad = (const T *)p->from + plane * n;                                                      \
            const int64_t *indices = p->indices + plane * n;                                                     \
            T *to = (T *)p->to + plane * size;                                                                   \
            for (int64_t i = 0; i < n; i++)                                                                      \
                if (indices[i] >= 0 && indices[i] < size)                                                        \
                    to[indices[i]] += grad[i];                                                                   \
        }                                                                                                        \
    }                                                                                                            \
    static void avg_backward_##NAME(int64_t begin, int64_t end, void *ctx)                                       \
    {                                                                                                            \
        const rt_pool *p = ctx;                                                                                  \
        int64_t row = p->in[2], area = p->in[1] * row;                                                           \
        for (int64_t plane = begin; plane < end; plane++) {                                                      \
            const T *grad = (const T *)p->from + plane * volume(p->out);                                         \
            T *to = (T *)p->to + plane * p->in[0] * area;                                                        \
            EACH_WINDOW(p, z, y, x)                                                                              \
            {                                                                                                    \
                rt_window z = p->windows[0][zi], y = p->windows[1][yi], x = p->windows[2][xi];                   \
                int64_t divisor = p->divisor ? p->divisor : z.divisor * y.divisor * x.divisor;                   \
                T share = *grad++ / (T)(divisor ? divisor : 1);                                                  \
                for (int64_t a = z.begin; a < z.begin + z.count; a++)                                            \
                    for (int64_t b = y.begin; b < y.begin + y.count; b++)                                        \
                        for (int64_t c = 0; c < x.count; c++)                                                    \
                            to[a * area + b * row + x.begin + c] += share;                                       \
            }                                                                                                    \
        }                                                                                                        \
    }
BACKWARD(f32, float)
BACKWARD(f64, double)

rt_pool_fn rt_max_pool_backward_loop(int dtype) { return dtype == RT_FLOAT64 ? max_backward_f64 : max_backward_f32; }
rt_pool_fn rt_avg_pool_backward_loop(int dtype) { return dtype == RT_FLOAT64 ? avg_backward_f64 : avg_backward_f32; }
