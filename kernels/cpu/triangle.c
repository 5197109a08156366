/* tril and triu: matrices with the part above or below a diagonal set to zero. */
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/structured.h"
#include "kernels/shared/threads.h"

static int triangle_rule(rt_call_frame *c, const char *name)
{
    RtTensor *self = RT_TENSOR(c->args[0]);
    rt_out_spec *spec = &c->specs[0];
    if (self->ndim < 2) {
        PyErr_Format(PyExc_RuntimeError, "%s: input tensor must have at least 2 dimensions", name);
        return -1;
    }
    spec->dtype = self->dtype;
    spec->device_type = self->device_type;
    spec->device_index = self->device_index;
    spec->has_strides = 0;
    spec->ndim = self->ndim;
    memcpy(spec->sizes, self->sizes, self->ndim * sizeof(int64_t));
    return 0;
}

typedef struct triangle {
    const RtTensor *in, *out;
    int64_t diagonal;
    int upper, itemsize;
} triangle;

static void triangle_rows(int64_t begin, int64_t end, void *ctx)
{
    const triangle *w = ctx;
    const RtTensor *in = w->in, *out = w->out;
    int last = in->ndim - 1, item = w->itemsize;
    int64_t cols = in->sizes[last];
    for (int64_t r = begin; r < end; r++) {
        int64_t rest = r, row = r % in->sizes[last - 1];
        const char *from = rt_data(in);
        char *to = rt_data(out);
        for (int d = last - 1; d >= 0; d--) {
            int64_t i = rest % in->sizes[d];
            rest /= in->sizes[d];
            from += i * in->strides[d] * item;
            to += i * out->strides[d] * item;
        }
        /* Columns [low, high) are kept. */
        int64_t edge = row + w->diagonal + !w->upper;
        edge = edge < 0 ? 0 : edge > cols ? cols : edge;
        int64_t low = w->upper ? edge : 0, high = w->upper ? cols : edge, kept = high - low;
        int64_t ts = out->strides[last], fs = in->strides[last];
        if (from != to && kept > 0)
            rt_copy_elements(1, &kept, to + low * ts * item, &ts, from + low * fs * item, &fs, item);
        for (int64_t j = 0; j < low; j++)
            memset(to + j * ts * item, 0, item);
        for (int64_t j = high; j < cols; j++)
            memset(to + j * ts * item, 0, item);
    }
}

static int triangle_cpu(rt_call_frame *c, int upper)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *out = c->outs[0];
    triangle w = {.in = self, .out = out, .upper = upper, .itemsize = rt_itemsize[self->dtype]};
    if (rt_check_cpu(self, upper ? "triu" : "tril") < 0 || rt_as_int64(c->args[1], &w.diagonal) < 0)
        return -1;
    if (self->numel == 0)
        return 0;
    /* Beyond the sizes all diagonals are alike; the arithmetic above must not overflow. */
    int64_t limit = self->numel;
    w.diagonal = w.diagonal > limit ? limit : w.diagonal < -limit ? -limit : w.diagonal;
    int64_t cols = self->sizes[self->ndim - 1], rows = self->numel / cols;
    if (self->numel < RT_GRAIN) {
        triangle_rows(0, rows, &w);
    } else {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rt_parallel_for(rows, RT_GRAIN / cols + 1, triangle_rows, &w);
        RT_END_LOOP_WITHOUT_GIL
    }
    return 0;
}

static int tril_rule(rt_call_frame *c) { return triangle_rule(c, "tril"); }
static int triu_rule(rt_call_frame *c) { return triangle_rule(c, "triu"); }
static int tril_cpu(rt_call_frame *c) { return triangle_cpu(c, 0); }
static int triu_cpu(rt_call_frame *c) { return triangle_cpu(c, 1); }

const rt_structured_def rt_k_tril_out = {"tril", tril_rule, tril_cpu, NULL, 1};
const rt_structured_def rt_k_triu_out = {"triu", triu_rule, triu_cpu, NULL, 1};
