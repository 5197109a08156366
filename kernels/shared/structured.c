/* The generic boxed kernels of structured operators, and the checks that every written tensor goes through.
 *
 * Each call runs in the same order: the rule (argument checks, output specs), then allocation or checks of the given outputs, then, on
 * CPU, the inner kernel. The generated registrations name rt_structured_cpu and rt_structured_meta with an rt_structured as context.
 */
#include "kernels/shared/structured.h"

#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/promotion.h"
#include "runtime/core/key_kernels.h"

static const char *const device_names[RT_NUM_DEVICE_TYPES] = {
    "cpu", "cuda", "mkldnn", "opengl", "opencl", "ideep", "hip", "fpga", "maia", "xla", "vulkan",
    "metal", "xpu", "mps", "meta", "hpu", "ve", "lazy", "ipu", "mtia", "privateuseone", "",
};

PyObject *rt_format_device(int device_type, int device_index)
{
    const char *name = device_type >= 0 && device_type < RT_NUM_DEVICE_TYPES ? device_names[device_type] : "unknown";
    return device_index >= 0 ? PyUnicode_FromFormat("%s:%d", name, device_index) : PyUnicode_FromString(name);
}

/* Raise RuntimeError with two objects in the text, which this function releases. */
static int raise_with_two(const char *format, PyObject *a, PyObject *b)
{
    if (a != NULL && b != NULL)
        PyErr_Format(PyExc_RuntimeError, format, a, b);
    Py_XDECREF(a);
    Py_XDECREF(b);
    return -1;
}

int rt_refuse_broadcast(const RtTensor *written, int ndim, const int64_t *sizes)
{
    return raise_with_two("output with shape %U doesn't match the broadcast shape %U", rt_shape_text(written->ndim, written->sizes),
                          rt_shape_text(ndim, sizes));
}

/* ---------------------------------------------------------------------------------------------------------------- memory checks */

int rt_check_no_internal_overlap(const RtTensor *written)
{
    if (RT_UNLIKELY(written->storage != NULL && written->storage->flags & RT_STORAGE_READONLY)) {
        PyErr_SetString(PyExc_RuntimeError, "a kernel was to write to memory that is read-only");
        return -1;
    }
    if (written->flags & (RT_T_DENSE | RT_T_CONTIGUOUS))
        return 0;
    for (int i = 0; i < written->ndim; i++) {
        if (written->strides[i] == 0 && written->sizes[i] > 1) {
            PyErr_SetString(PyExc_RuntimeError,
                            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
                            "Please clone() the tensor before performing the operation.");
            return -1;
        }
    }
    return 0;
}

/* Only tensors without holes can be compared exactly; others pass, as in PyTorch. */
static int check_overlap(const RtTensor *written, const RtTensor *read, int may_be_same)
{
    if ((written == read && may_be_same) || written->numel == 0 || read->numel == 0 || written->storage != read->storage)
        return 0;
    if (!(written->flags & (RT_T_DENSE | RT_T_CONTIGUOUS)) || !(read->flags & (RT_T_DENSE | RT_T_CONTIGUOUS)))
        return 0;
    int64_t written_begin = written->offset * rt_itemsize[written->dtype];
    int64_t written_end = written_begin + written->numel * rt_itemsize[written->dtype];
    int64_t read_begin = read->offset * rt_itemsize[read->dtype];
    int64_t read_end = read_begin + read->numel * rt_itemsize[read->dtype];
    int partial;
    if (written_begin == read_begin && written_end == read_end)
        partial = !may_be_same || written->ndim != read->ndim || memcmp(written->strides, read->strides, sizeof(int64_t) * read->ndim) != 0;
    else
        partial = written_begin < read_end && read_begin < written_end;
    if (!partial)
        return 0;
    PyErr_SetString(PyExc_RuntimeError,
                    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory location. "
                    "Please clone() the tensor before performing the operation.");
    return -1;
}

int rt_check_no_partial_overlap(const RtTensor *written, const RtTensor *read) { return check_overlap(written, read, 1); }
int rt_check_no_overlap(const RtTensor *written, const RtTensor *read) { return check_overlap(written, read, 0); }

void rt_set_spec(rt_out_spec *spec, int dtype, const RtTensor *device_of, int ndim, const int64_t *sizes)
{
    spec->dtype = dtype;
    spec->device_type = device_of->device_type;
    spec->device_index = device_of->device_index;
    spec->has_strides = 0;
    spec->ndim = ndim;
    memcpy(spec->sizes, sizes, ndim * sizeof(int64_t));
}

int rt_rule_of_index(rt_call_frame *c, const RtTensor *self, const RtTensor *index)
{
    rt_set_spec(&c->specs[0], self->dtype, self, index->ndim, index->sizes);
    return c->variant == RT_OUT && (rt_check_no_overlap(c->outs[0], self) < 0 || rt_check_no_overlap(c->outs[0], index) < 0) ? -1 : 0;
}

int rt_check_cpu_memory(const RtTensor *t)
{
    if (RT_LIKELY(t->device_type == RT_DEVICE_CPU && t->storage != NULL && (t->storage->data != NULL || t->numel == 0)))
        return 0;
    if (t->device_type != RT_DEVICE_CPU) {
        PyObject *device = rt_format_device(t->device_type, t->device_index);
        if (device != NULL)
            PyErr_Format(PyExc_RuntimeError, "a CPU kernel was given a tensor on device %U", device);
        Py_XDECREF(device);
    } else if (t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse)) {
        PyErr_SetString(PyExc_NotImplementedError, "Could not run this operator with arguments from the 'SparseCPU' backend: it has no kernel for "
                                                   "tensors of layout torch.sparse_coo; convert them with to_dense() first");
    } else {
        PyErr_SetString(PyExc_RuntimeError, "Cannot access data pointer of Tensor that doesn't have storage");
    }
    return -1;
}

/* --------------------------------------------------------------------------------------------------------------------- outputs */

static int has_sizes(const RtTensor *t, const rt_out_spec *spec)
{
    return t->ndim == spec->ndim && memcmp(t->sizes, spec->sizes, sizeof(int64_t) * spec->ndim) == 0;
}

static void contiguous_strides(int ndim, const int64_t *sizes, int64_t *strides)
{
    int64_t stride = 1;
    for (int i = ndim - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= sizes[i] > 1 ? sizes[i] : 1;
    }
}

int rt_resize_output(RtTensor *out, const rt_out_spec *spec)
{
    if (has_sizes(out, spec))
        return 0;
    if (out->numel != 0) {
        PyObject *had = rt_shape_text(out->ndim, out->sizes), *required = rt_shape_text(spec->ndim, spec->sizes);
        int failed = had == NULL || required == NULL ||
                     PyErr_WarnFormat(PyExc_UserWarning, 1,
                                      "An output with one or more elements was resized since it had shape %U, which does not match the "
                                      "required output shape %U. This behavior is deprecated, and in a future PyTorch release outputs "
                                      "will not be resized unless they have zero elements. You can explicitly reuse an out tensor t by "
                                      "resizing it, inplace, to zero elements with t.resize_(0).",
                                      had, required) < 0;
        Py_XDECREF(had);
        Py_XDECREF(required);
        if (failed)
            return -1;
    }
    if (rt_check_sizes(spec->ndim, spec->sizes) < 0)
        return -1;
    int64_t strides[RT_MAX_DIM];
    if (spec->has_strides)
        memcpy(strides, spec->strides, sizeof(int64_t) * spec->ndim);
    else
        contiguous_strides(spec->ndim, spec->sizes, strides);
    int64_t needed = rt_storage_bytes(spec->ndim, spec->sizes, strides, out->offset, rt_itemsize[out->dtype]);
    if (needed < 0)
        return -1;
    if (out->storage == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "Cannot resize a Tensor that doesn't have storage");
        return -1;
    }
    if (needed > out->storage->nbytes) {
        if (!(out->storage->flags & RT_STORAGE_RESIZABLE)) {
            PyErr_SetString(PyExc_RuntimeError, "Trying to resize storage that is not resizable");
            return -1;
        }
        if (rt_storage_resize(out->storage, needed) < 0)
            return -1;
    }
    return rt_set_geometry(out, spec->ndim, spec->sizes, strides, out->offset);
}

const char *rt_dtype_spelling(int dtype)
{
    switch (dtype) {
    case RT_UINT8: return "unsigned char";
    case RT_INT8: return "signed char";
    case RT_INT16: return "short int";
    case RT_INT64: return "long int";
    default: return rt_dtype_cpp_name(dtype);
    }
}

static int check_given_output(RtTensor *out, const rt_out_spec *spec, enum rt_variant variant)
{
    if (out->dtype != spec->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Expected out tensor to have dtype %s, but got %s instead", rt_dtype_spelling(spec->dtype),
                     rt_dtype_spelling(out->dtype));
        return -1;
    }
    if (out->device_type != spec->device_type || out->device_index != spec->device_index)
        return raise_with_two("Expected out tensor to have device %U, but got %U instead",
                              rt_format_device(spec->device_type, spec->device_index),
                              rt_format_device(out->device_type, out->device_index));
    if (variant == RT_INPLACE && !has_sizes(out, spec))
        return raise_with_two("Bad in-place call: input tensor size %U and output tensor size %U should match",
                              rt_shape_text(spec->ndim, spec->sizes), rt_shape_text(out->ndim, out->sizes));
    if (variant == RT_OUT && rt_resize_output(out, spec) < 0)
        return -1;
    return rt_check_no_internal_overlap(out);
}

static RtTensor *allocate_output(const rt_out_spec *spec)
{
    if (spec->has_strides)
        return rt_empty_strided(spec->ndim, spec->sizes, spec->strides, spec->dtype, spec->device_type, spec->device_index);
    return rt_empty(spec->ndim, spec->sizes, spec->dtype, spec->device_type, spec->device_index);
}

/* ------------------------------------------------------------------------------------------ backends with an out= kernel only */

/* An output that the backend allocates. */
static RtTensor *dispatched_output(const rt_out_spec *spec)
{
    if (!spec->has_strides)
        return (RtTensor *)rt_new_tensor(spec->ndim, spec->sizes, spec->dtype, spec->device_type, spec->device_index);
    return (RtTensor *)rt_new_strided(spec->ndim, spec->sizes, spec->strides, spec->dtype, spec->device_type, spec->device_index);
}

enum { MAX_INPUTS = 32 };

static int call_out_operator(const rt_call_frame *c, int out)
{
    PyObject *call[MAX_INPUTS + RT_MAX_OUTS];
    if (c->nargs > MAX_INPUTS) {
        PyErr_Format(PyExc_SystemError, "a structured operator has at most %d inputs", MAX_INPUTS);
        return -1;
    }
    for (Py_ssize_t i = 0; i < c->nargs; i++)
        call[i] = c->args[i];
    for (int i = 0; i < c->nouts; i++)
        call[c->nargs + i] = (PyObject *)c->outs[i];
    PyObject *result = rt_call_below_views(out, call, c->nargs + c->nouts);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

/* ------------------------------------------------------------------------------------------------------------------------- run */

static PyObject *take_outputs(const rt_call_frame *c)
{
    if (c->nouts == 1)
        return (PyObject *)c->outs[0];
    PyObject *result = PyTuple_New(c->nouts);
    for (int i = 0; i < c->nouts; i++) {
        if (result != NULL)
            PyTuple_SET_ITEM(result, i, (PyObject *)c->outs[i]);
        else
            Py_DECREF(c->outs[i]);
    }
    return result;
}

static int resizes_outputs(const rt_call_frame *c)
{
    int resizes = 0;
    for (int i = 0; i < c->nouts; i++)
        resizes |= !has_sizes(c->outs[i], &c->specs[i]);
    return resizes;
}

/* An output that is an input too keeps the input's geometry in an alias, when it is resized: kernels read sizes of inputs. `inputs` has room
 * for c->nargs; c->args is replaced where there is such an output. -1 with an exception set. */
static int keep_inputs(rt_call_frame *c, PyObject **inputs, Py_ssize_t *kept)
{
    for (int i = 0; i < c->nouts; i++) {
        if (has_sizes(c->outs[i], &c->specs[i]))
            continue;
        for (Py_ssize_t j = 0; j < c->nargs; j++) {
            if (c->args[j] != (PyObject *)c->outs[i])
                continue;
            RtTensor *t = c->outs[i], *alias = rt_alias(t, t->ndim, t->sizes, t->strides, t->offset);
            if (alias == NULL)
                return -1;
            if (*kept == 0)
                memcpy(inputs, c->args, sizeof *inputs * (size_t)c->nargs);
            inputs[j] = (PyObject *)alias;
            inputs[MAX_INPUTS + (*kept)++] = (PyObject *)alias;
            c->args = inputs;
        }
    }
    return 0;
}

/* Outputs that an out= variant offers to the functional one are written as given ones are: 1 then, and the rule has run for them;
 * 0 without any, or -1 with an exception set. */
static int take_offered(rt_call_frame *c, const rt_structured_def *def)
{
    int taken = 0;
    for (int i = 0; i < c->nouts; i++) {
        const rt_out_spec *spec = &c->specs[i];
        c->outs[i] = spec->device_type == RT_DEVICE_CPU ? rt_offered_output(c->op, i, spec->ndim, spec->sizes, spec->dtype) : NULL;
        taken += c->outs[i] != NULL;
    }
    if (taken == 0)
        return PyErr_Occurred() != NULL ? -1 : 0;
    int failed = PyErr_Occurred() != NULL;
    for (int i = 0; i < c->nouts && !failed; i++)
        if (c->outs[i] == NULL)
            failed = (c->outs[i] = allocate_output(&c->specs[i])) == NULL;
    c->variant = RT_OUT;
    if (!failed && def->rule(c) == 0)
        return 1;
    for (int i = 0; i < c->nouts; i++)
        Py_XDECREF((PyObject *)c->outs[i]);
    return -1;
}

enum what_to_run { RUN_RULE, RUN_CPU, RUN_OUT_OPERATOR };

static PyObject *run(rt_operator *op, PyObject *const *args, Py_ssize_t nargs, const rt_structured *s, enum what_to_run what)
{
    const rt_structured_def *def = s->def;
    rt_out_spec specs[RT_MAX_OUTS];
    _Alignas(16) char room[RT_ITER_ROOM];
    rt_call_frame c = {.op = op, .args = args, .nargs = nargs, .variant = s->variant, .nouts = def->nouts, .specs = specs, .iter = room};
    if (s->variant == RT_INPLACE) {
        c.outs[0] = RT_TENSOR(args[0]);
    } else if (s->variant == RT_OUT) {
        c.nargs -= c.nouts;
        for (int i = 0; i < c.nouts; i++)
            c.outs[i] = RT_TENSOR(args[c.nargs + i]);
    }
    if (def->rule(&c) < 0)
        return NULL;
    if (s->variant == RT_OUT && RT_UNLIKELY(rt_loops > 0) && resizes_outputs(&c)) {
        rt_wait_for_loops();
        if (def->rule(&c) < 0) /* again: other threads ran */
            return NULL;
    }
    PyObject *inputs[2 * MAX_INPUTS], *result = NULL;
    Py_ssize_t kept = 0;
    int ready = 0; /* outputs that this function owns a reference of */
    if (s->variant == RT_OUT && c.nargs <= MAX_INPUTS && RT_UNLIKELY(resizes_outputs(&c)) &&
        (keep_inputs(&c, inputs, &kept) < 0 || (kept > 0 && def->rule(&c) < 0)))
        goto fail;
    if (s->variant == RT_FUNCTIONAL && what == RUN_CPU && RT_UNLIKELY(rt_offered != NULL)) {
        int taken = take_offered(&c, def);
        if (taken < 0)
            return NULL;
        ready = taken ? c.nouts : 0;
    }
    for (; ready < c.nouts; ready++) {
        if (s->variant == RT_FUNCTIONAL) {
            c.outs[ready] = what == RUN_OUT_OPERATOR ? dispatched_output(&specs[ready]) : allocate_output(&specs[ready]);
            if (c.outs[ready] == NULL)
                goto fail;
        } else {
            if (check_given_output(c.outs[ready], &specs[ready], s->variant) < 0)
                goto fail;
            Py_INCREF(c.outs[ready]);
        }
    }
    if (what == RUN_OUT_OPERATOR && call_out_operator(&c, s->out) < 0)
        goto fail;
    if (what == RUN_CPU) {
        for (int i = 0; i < c.nouts; i++)
            if (rt_check_cpu_memory(c.outs[i]) < 0)
                goto fail;
        if (def->cpu(&c) < 0)
            goto fail;
    }
    result = take_outputs(&c);
    ready = 0;
fail:
    for (int i = 0; i < ready; i++)
        Py_DECREF(c.outs[i]);
    for (Py_ssize_t i = 0; i < kept; i++)
        Py_DECREF(inputs[MAX_INPUTS + i]);
    return result;
}

PyObject *rt_structured_cpu(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    const rt_structured *s = ctx;
    (void)ks;
    if (s->def->fast != NULL) {
        PyObject *out = s->variant == RT_FUNCTIONAL ? NULL : args[s->variant == RT_OUT ? nargs - 1 : 0];
        int readonly = out != NULL && RT_TENSOR(out)->storage != NULL && RT_TENSOR(out)->storage->flags & RT_STORAGE_READONLY;
        PyObject *result = readonly ? NULL : s->def->fast(args, nargs, (RtTensor *)out);
        if (result != NULL || RT_UNLIKELY(PyErr_Occurred() != NULL))
            return result;
    }
    return run(op, args, nargs, s, RUN_CPU);
}

PyObject *rt_structured_meta(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    (void)ks;
    return run(op, args, nargs, ctx, RUN_RULE);
}

PyObject *rt_structured_composite(rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs, void *ctx)
{
    if (RT_UNLIKELY(ks & RT_FUNCTIONALITY_BIT(RT_KEY_Quantized))) /* nothing says how results are quantized */
        return rt_kernel_missing(op, ks, args, nargs, NULL);
    return run(op, args, nargs, ctx, RUN_OUT_OPERATOR);
}
