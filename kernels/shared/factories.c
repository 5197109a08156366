/* Factories: operators that make tensors from sizes and numbers.
 *
 * CPU and Meta tensors are made here directly (a meta tensor has no memory to fill). For any other device the tensor comes from
 * aten::empty.memory_format, which that backend registers, and is filled through operators. The BackendSelect kernel at the end
 * turns a `device` argument into the key of the backend, as factories without tensor arguments need it.
 */
#include "kernels/shared/boxed.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/random.h"
#include "rt_builtins.h"

#include <math.h>

/* dtype, layout, device and pin_memory: the four arguments that every factory takes, in this order. */
typedef struct options {
    int dtype, device_type, device_index;
} options;

static int read_layout_and_pinning(PyObject *layout, PyObject *pin_memory)
{
    if (layout != Py_None && ((RtLayout *)layout)->code != RT_STRIDED) {
        PyErr_SetString(PyExc_NotImplementedError, "only the layout torch.strided is supported by this factory");
        return -1;
    }
    if (pin_memory == Py_True) {
        PyErr_SetString(PyExc_RuntimeError, "Need to provide pin_memory allocator to use pin memory.");
        return -1;
    }
    return 0;
}

static int read_options(PyObject *const *four, int default_dtype, options *o)
{
    o->dtype = four[0] == Py_None ? default_dtype : ((RtDtype *)four[0])->code;
    o->device_type = RT_DEVICE_CPU;
    o->device_index = -1;
    if (four[2] != Py_None) {
        o->device_type = ((RtDevice *)four[2])->type;
        o->device_index = ((RtDevice *)four[2])->index;
    }
    if (RT_LIKELY(four[1] == Py_None && four[3] == Py_None))
        return 0;
    return read_layout_and_pinning(four[1], four[3]);
}

static int read_options_like(PyObject *const *four, const RtTensor *like, options *o)
{
    if (RT_UNLIKELY(like->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse)) && four[1] == Py_None) {
        PyErr_SetString(PyExc_NotImplementedError, "this factory fills tensors of layout torch.strided, and is asked for one like a tensor of "
                                                   "layout torch.sparse_coo; give layout=torch.strided");
        return -1;
    }
    if (read_options(four, like->dtype, o) < 0)
        return -1;
    if (four[2] == Py_None) {
        o->device_type = like->device_type;
        o->device_index = like->device_index;
    }
    return 0;
}

static int is_local(int device_type)
{
    return device_type == RT_DEVICE_CPU || device_type == RT_DEVICE_META;
}

static int check_new_sizes(int ndim, const int64_t *sizes)
{
    for (int d = 0; d < ndim; d++) {
        if (RT_UNLIKELY(sizes[d] < 0)) {
            PyObject *text = rt_shape_text(ndim, sizes);
            if (text != NULL)
                PyErr_Format(PyExc_RuntimeError,
                             "Trying to create tensor with negative dimension %lld: %U", (long long)sizes[d], text);
            Py_XDECREF(text);
            return -1;
        }
    }
    return rt_check_sizes(ndim, sizes);
}

static int read_sizes(PyObject *tuple, int64_t *sizes)
{
    int ndim = rt_as_int64_array(tuple, sizes, RT_MAX_DIM);
    return ndim < 0 || check_new_sizes(ndim, sizes) < 0 ? -1 : ndim;
}

/* Fill a new tensor of contiguous memory with a number; steals and returns the tensor. */
static PyObject *filled(PyObject *tensor, PyObject *number)
{
    if (tensor == NULL)
        return NULL;
    RtTensor *t = RT_TENSOR(tensor);
    char element[16];
    if (is_local(t->device_type) && (t->flags & RT_T_DENSE)) {
        int packed = rt_pack_number(number, t->dtype, element);
        if (packed > 0) {
            if (t->device_type == RT_DEVICE_CPU)
                rt_fill_elements(rt_data(t), t->numel, element, rt_itemsize[t->dtype]);
            return tensor;
        }
        if (packed < 0) {
            Py_DECREF(tensor);
            return NULL;
        }
    }
    PyObject *call[2] = {tensor, number};
    PyObject *done = rt_call_below_views(RT_OP_aten_fill__Scalar, call, 2);
    Py_XDECREF(done);
    if (done == NULL)
        Py_CLEAR(tensor);
    return tensor;
}

static PyObject *zeroed(PyObject *tensor)
{
    if (tensor == NULL)
        return NULL;
    RtTensor *t = RT_TENSOR(tensor);
    if (RT_LIKELY(is_local(t->device_type) && (t->flags & RT_T_DENSE))) {
        if (t->device_type == RT_DEVICE_CPU && t->numel > 0)
            memset(rt_data(t), 0, (size_t)t->numel * rt_itemsize[t->dtype]);
        return tensor;
    }
    PyObject *done = rt_call_below_views(RT_OP_aten_zero_, &tensor, 1);
    Py_XDECREF(done);
    if (done == NULL)
        Py_CLEAR(tensor);
    return tensor;
}

static PyObject *one(void)
{
    static PyObject *number;
    if (number == NULL)
        number = PyLong_FromLong(1);
    return number;
}

/* The four options that make a tensor like an out= argument; the objects are borrowed but the device, which the caller releases. */
static PyObject *options_of(const RtTensor *out, PyObject **four)
{
    PyObject *device = rt_device_object(out->device_type, out->device_index);
    four[0] = rt_dtype_objects[out->dtype];
    four[1] = four[3] = Py_None;
    four[2] = device;
    return device;
}

/* An out= form: the functional kernel with the numbers in front and the options of the output, then a copy into the output. */
static PyObject *into_out(rt_kernel_fn kernel, rt_operator *op, rt_keyset ks, PyObject *const *args, Py_ssize_t nargs)
{
    PyObject *call[8], *out = args[nargs - 1];
    Py_ssize_t numbers = nargs - 1;
    for (Py_ssize_t i = 0; i < numbers; i++)
        call[i] = args[i];
    PyObject *device = options_of(RT_TENSOR(out), call + numbers);
    if (device == NULL)
        return NULL;
    rt_offer offer;
    rt_offer_outputs(&offer, op, call, numbers, &out, 1);
    PyObject *result = kernel(op, ks, call, numbers + 4, NULL);
    rt_withdraw_outputs(&offer);
    Py_DECREF(device);
    return rt_write_out(result, out);
}

#define RT_OUT_KERNEL(name, functional) \
    RT_KERNEL(name) { return into_out(rt_k_##functional, op, ks, args, nargs); }

/* ------------------------------------------------------------------------------------------------------------------------- empty */

int rt_channels_last_strides(int format, int ndim, const int64_t *sizes, int64_t *strides)
{
    int wanted = format == RT_CHANNELS_LAST_FORMAT ? 4 : 5;
    if (ndim != wanted) {
        PyErr_Format(PyExc_RuntimeError, "required rank %d tensor to use %s format", wanted, wanted == 4 ? "channels_last" : "channels_last_3d");
        return -1;
    }
    int64_t step = 1;
    for (int i = 0; i < ndim; i++) {
        int d = i == 0 ? 1 : i == ndim - 1 ? 0 : ndim - i;
        strides[d] = step;
        step *= sizes[d] > 1 ? sizes[d] : 1;
    }
    return 0;
}

static int apply_memory_format(RtTensor *t, int format)
{
    int64_t strides[5];
    if (format == RT_CONTIGUOUS_FORMAT)
        return 0;
    if (format == RT_PRESERVE_FORMAT) {
        PyErr_SetString(PyExc_RuntimeError, "unsupported memory format Preserve");
        return -1;
    }
    if (rt_channels_last_strides(format, t->ndim, t->sizes, strides) < 0)
        return -1;
    return rt_set_geometry(t, t->ndim, t->sizes, strides, t->offset);
}

RT_KERNEL(empty)
{
    options o;
    int64_t sizes[RT_MAX_DIM];
    int ndim = read_sizes(args[0], sizes);
    if (ndim < 0 || read_options(args + 1, rt_default_dtype, &o) < 0)
        return NULL;
    if (args[3] == Py_None && (ks & RT_BACKEND_BIT(RT_BACKEND_Meta)))
        o.device_type = RT_DEVICE_META;
    RtTensor *t = rt_empty(ndim, sizes, o.dtype, o.device_type, o.device_index);
    if (t != NULL && args[5] != Py_None && apply_memory_format(t, ((RtMemoryFormat *)args[5])->code) < 0)
        Py_CLEAR(t);
    return (PyObject *)t;
}

RT_KERNEL(empty_strided)
{
    options o;
    int64_t sizes[RT_MAX_DIM], strides[RT_MAX_DIM];
    int ndim = read_sizes(args[0], sizes);
    if (ndim < 0)
        return NULL;
    int nstrides = rt_as_int64_array(args[1], strides, RT_MAX_DIM);
    if (nstrides < 0 || read_options(args + 2, rt_default_dtype, &o) < 0)
        return NULL;
    if (nstrides != ndim) {
        PyErr_Format(PyExc_RuntimeError, "dimensionality of sizes (%d) must match dimensionality of strides (%d)", ndim, nstrides);
        return NULL;
    }
    if (rt_check_geometry(NULL, ndim, sizes, strides, 0, rt_itemsize[o.dtype]) < 0)
        return NULL;
    if (args[4] == Py_None && (ks & RT_BACKEND_BIT(RT_BACKEND_Meta)))
        o.device_type = RT_DEVICE_META;
    return (PyObject *)rt_empty_strided(ndim, sizes, strides, o.dtype, o.device_type, o.device_index);
}

/* Strides of a new tensor that keeps the order of dimensions of a dense or an overlapping one, without its gaps. */
void rt_preserved_strides(const RtTensor *t, int64_t *strides)
{
    int order[RT_MAX_DIM], n = t->ndim;
    if (t->flags & RT_T_DENSE) {
        memcpy(strides, t->strides, n * sizeof(int64_t));
        return;
    }
    /* An insertion sort from the innermost dimension out. Broadcast dimensions (stride 0) keep their place among their neighbours: they
     * compare with nothing. Equal strides order by size. */
    for (int i = 0; i < n; i++)
        order[i] = n - 1 - i;
    for (int i = 1; i < n; i++) {
        int from = i;
        for (int j = i - 1; j >= 0; j--) {
            int64_t a = t->strides[order[j]], b = t->strides[order[from]];
            int compared = 0;
            if (a != 0 && b != 0)
                compared = a < b ? -1 : a > b ? 1 : t->sizes[order[j]] > t->sizes[order[from]] ? 1 : 0;
            if (compared > 0) {
                int held = order[j];
                order[j] = order[from];
                order[from] = held;
                from = j;
            } else if (compared < 0) {
                break;
            }
        }
    }
    int64_t step = 1;
    for (int i = 0; i < n; i++) {
        strides[order[i]] = step;
        step *= t->sizes[order[i]];
    }
}

/* For an operator that returns this tensor: its elements are those of the output that is offered, if there is one. */
static PyObject *empty_like(rt_operator *op, RtTensor *self, PyObject *const *five)
{
    options o;
    if (read_options_like(five, self, &o) < 0)
        return NULL;
    if (RT_UNLIKELY(rt_offered != NULL) && o.device_type == RT_DEVICE_CPU) {
        RtTensor *out = rt_offered_output(op, 0, self->ndim, self->sizes, o.dtype);
        if (out != NULL || PyErr_Occurred() != NULL)
            return (PyObject *)out;
    }
    int format = five[4] == Py_None ? RT_PRESERVE_FORMAT : ((RtMemoryFormat *)five[4])->code;
    if (RT_UNLIKELY(!is_local(o.device_type)))
        return rt_new_tensor(self->ndim, self->sizes, o.dtype, o.device_type, o.device_index);
    if (format == RT_PRESERVE_FORMAT && !rt_is_contiguous(self)) {
        int64_t strides[RT_MAX_DIM];
        rt_preserved_strides(self, strides);
        return (PyObject *)rt_empty_strided(self->ndim, self->sizes, strides, o.dtype, o.device_type, o.device_index);
    }
    RtTensor *t = rt_empty(self->ndim, self->sizes, o.dtype, o.device_type, o.device_index);
    if (t != NULL && format != RT_PRESERVE_FORMAT && apply_memory_format(t, format) < 0)
        Py_CLEAR(t);
    return (PyObject *)t;
}

RT_KERNEL(empty_like)
{
    return empty_like(op, RT_TENSOR(args[0]), args + 1);
}

static PyObject *new_of(rt_operator *op, PyObject *size, const options *o)
{
    int64_t sizes[RT_MAX_DIM];
    int ndim = read_sizes(size, sizes);
    return ndim < 0 ? NULL : rt_result(op, 0, ndim, sizes, o->dtype, o->device_type, o->device_index);
}

static PyObject *new_like(rt_operator *op, const RtTensor *self, PyObject *size, PyObject *const *four)
{
    options o;
    return read_options_like(four, self, &o) < 0 ? NULL : new_of(op, size, &o);
}

RT_KERNEL(new_empty)
{
    return new_like(op, RT_TENSOR(args[0]), args[1], args + 2);
}

RT_KERNEL(new_zeros)
{
    return zeroed(new_like(op, RT_TENSOR(args[0]), args[1], args + 2));
}

RT_KERNEL(new_ones)
{
    return filled(new_like(op, RT_TENSOR(args[0]), args[1], args + 2), one());
}

RT_KERNEL(new_full)
{
    return filled(new_like(op, RT_TENSOR(args[0]), args[1], args + 3), args[2]);
}

RT_KERNEL(new_empty_strided)
{
    RtTensor *self = RT_TENSOR(args[0]);
    options o;
    if (read_options_like(args + 3, self, &o) < 0)
        return NULL;
    PyObject *device = rt_device_object(o.device_type, o.device_index);
    if (device == NULL)
        return NULL;
    PyObject *call[6] = {args[1], args[2], rt_dtype_objects[o.dtype], args[4], device, args[6]};
    PyObject *result = is_local(o.device_type) ? rt_k_empty_strided(op, ks, call, 6, NULL)
                                               : rt_call_below_views(RT_OP_aten_empty_strided, call, 6);
    Py_DECREF(device);
    return result;
}

/* --------------------------------------------------------------------------------------------------------------- constant values */

static PyObject *new_with(rt_operator *op, PyObject *size, PyObject *const *four, int default_dtype)
{
    options o;
    return read_options(four, default_dtype, &o) < 0 ? NULL : new_of(op, size, &o);
}

RT_KERNEL(zeros)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args[0]); i++) {
        int64_t size;
        if (rt_as_int64(PyTuple_GET_ITEM(args[0], i), &size) < 0)
            return NULL;
        if (size < 0) {
            PyErr_SetString(PyExc_RuntimeError, "zeros: Dimension size must be non-negative.");
            return NULL;
        }
    }
    return zeroed(new_with(op, args[0], args + 1, rt_default_dtype));
}

RT_KERNEL(ones)
{
    return filled(new_with(op, args[0], args + 1, rt_default_dtype), one());
}

static int complex_of(int float_dtype)
{
    return float_dtype == RT_FLOAT64 ? RT_COMPLEX128 : float_dtype == RT_FLOAT16 ? RT_COMPLEX32 : RT_COMPLEX64;
}

RT_KERNEL(full)
{
    PyObject *value = args[1];
    int dtype = PyBool_Check(value)      ? RT_BOOL
                : PyLong_Check(value)    ? RT_INT64
                : PyComplex_Check(value) ? complex_of(rt_default_dtype)
                                         : rt_default_dtype;
    return filled(new_with(op, args[0], args + 2, dtype), value);
}

RT_KERNEL(zeros_like)
{
    return zeroed(empty_like(op, RT_TENSOR(args[0]), args + 1));
}

RT_KERNEL(ones_like)
{
    return filled(empty_like(op, RT_TENSOR(args[0]), args + 1), one());
}

RT_KERNEL(full_like)
{
    return filled(empty_like(op, RT_TENSOR(args[0]), args + 2), args[1]);
}

RT_KERNEL(scalar_tensor)
{
    options o;
    if (read_options(args + 1, rt_default_dtype, &o) < 0)
        return NULL;
    return filled(rt_new_tensor(0, NULL, o.dtype, o.device_type, o.device_index), args[0]);
}

RT_KERNEL(eye)
{
    /* eye(n, ...) and eye.m(n, m, ...) */
    options o;
    int64_t sizes[2];
    Py_ssize_t nsizes = nargs - 4;
    if (rt_as_int64(args[0], &sizes[0]) < 0 || rt_as_int64(args[nsizes - 1], &sizes[1]) < 0 ||
        read_options(args + nsizes, rt_default_dtype, &o) < 0)
        return NULL;
    for (int i = 0; i < 2; i++) {
        if (sizes[i] < 0) {
            PyErr_Format(PyExc_RuntimeError, "%s must be greater or equal to 0, got %lld", i ? "m" : "n", (long long)sizes[i]);
            return NULL;
        }
    }
    if (rt_check_sizes(2, sizes) < 0)
        return NULL;
    PyObject *result = zeroed(rt_result(op, 0, 2, sizes, o.dtype, o.device_type, o.device_index));
    if (result == NULL || o.device_type == RT_DEVICE_META)
        return result;
    RtTensor *t = RT_TENSOR(result);
    char element[16];
    int packed = is_local(o.device_type) ? rt_pack_number(one(), o.dtype, element) : 0;
    if (packed > 0) {
        int64_t itemsize = rt_itemsize[o.dtype], n = sizes[0] < sizes[1] ? sizes[0] : sizes[1];
        char *at = rt_data(t);
        for (int64_t i = 0; i < n; i++, at += (sizes[1] + 1) * itemsize)
            memcpy(at, element, itemsize);
        return result;
    }
    PyObject *zero = PyLong_FromLong(0), *diagonal = NULL, *done = NULL;
    if (packed == 0 && zero != NULL) {
        PyObject *view[4] = {result, zero, zero, one()};
        diagonal = rt_call_below_views(RT_OP_aten_diagonal, view, 4);
        PyObject *fill[2] = {diagonal, one()};
        if (diagonal != NULL)
            done = rt_call_below_views(RT_OP_aten_fill__Scalar, fill, 2);
    }
    Py_XDECREF(zero);
    Py_XDECREF(diagonal);
    Py_XDECREF(done);
    if (done == NULL)
        Py_CLEAR(result);
    return result;
}

RT_SAME_KERNEL(eye_m, eye)
RT_OUT_KERNEL(eye_out, eye)
RT_OUT_KERNEL(eye_m_out, eye)

/* ------------------------------------------------------------------------------------------------------------------------ ranges */

static int is_exact_int(PyObject *o)
{
    return PyLong_Check(o);
}

/* One element of an integer or floating dtype, from a number that was computed in int64 or double. */
#define STORE_RANGE(COUNT, INT_VALUE, FLOAT_VALUE)                                                              \
    switch (dtype) {                                                                                            \
    case RT_UINT8: for (int64_t i = 0; i < COUNT; i++) ((uint8_t *)data)[i] = (uint8_t)(INT_VALUE); break;      \
    case RT_INT8: for (int64_t i = 0; i < COUNT; i++) ((int8_t *)data)[i] = (int8_t)(INT_VALUE); break;         \
    case RT_INT16: for (int64_t i = 0; i < COUNT; i++) ((int16_t *)data)[i] = (int16_t)(INT_VALUE); break;      \
    case RT_INT32: for (int64_t i = 0; i < COUNT; i++) ((int32_t *)data)[i] = (int32_t)(INT_VALUE); break;      \
    case RT_INT64: for (int64_t i = 0; i < COUNT; i++) ((int64_t *)data)[i] = (int64_t)(INT_VALUE); break;      \
    case RT_UINT16: for (int64_t i = 0; i < COUNT; i++) ((uint16_t *)data)[i] = (uint16_t)(INT_VALUE); break;   \
    case RT_UINT32: for (int64_t i = 0; i < COUNT; i++) ((uint32_t *)data)[i] = (uint32_t)(INT_VALUE); break;   \
    case RT_UINT64: for (int64_t i = 0; i < COUNT; i++) ((uint64_t *)data)[i] = (uint64_t)(INT_VALUE); break;   \
    case RT_FLOAT32: for (int64_t i = 0; i < COUNT; i++) ((float *)data)[i] = (float)(FLOAT_VALUE); break;      \
    case RT_FLOAT64: for (int64_t i = 0; i < COUNT; i++) ((double *)data)[i] = (FLOAT_VALUE); break;            \
    case RT_FLOAT16: for (int64_t i = 0; i < COUNT; i++) ((_Float16 *)data)[i] = (_Float16)(float)(FLOAT_VALUE); break; \
    case RT_BFLOAT16:                                                                                           \
        for (int64_t i = 0; i < COUNT; i++) {                                                                   \
            float f = (float)(FLOAT_VALUE);                                                                     \
            uint32_t bits;                                                                                      \
            memcpy(&bits, &f, 4);                                                                               \
            ((uint16_t *)data)[i] = (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);                     \
        }                                                                                                       \
        break;                                                                                                  \
    default: return 0;                                                                                          \
    }                                                                                                           \
    return 1;

static int store_arange(void *data, int dtype, int64_t n, int64_t istart, int64_t istep, double start, double step)
{
    STORE_RANGE(n, (uint64_t)istart + (uint64_t)i * (uint64_t)istep, start + (double)i * step)
}

/* arange(end), arange.start(start, end) and arange.start_step(start, end, step) */
RT_KERNEL(arange)
{
    Py_ssize_t numbers = nargs - 4;
    PyObject *start_object = numbers > 1 ? args[0] : NULL, *end_object = args[numbers > 1], *step_object = numbers > 2 ? args[2] : NULL;
    int integral = (start_object == NULL || is_exact_int(start_object)) && is_exact_int(end_object) &&
                   (step_object == NULL || is_exact_int(step_object));
    options o;
    if (read_options(args + numbers, integral ? RT_INT64 : rt_default_dtype, &o) < 0)
        return NULL;
    if ((start_object != NULL && PyComplex_Check(start_object)) || PyComplex_Check(end_object) ||
        (step_object != NULL && PyComplex_Check(step_object))) {
        PyErr_SetString(PyExc_RuntimeError, "value cannot be converted to type double without overflow");
        return NULL;
    }
    if (o.dtype == RT_BOOL || rt_is_complex(o.dtype)) {
        PyErr_Format(PyExc_NotImplementedError, "\"arange_cpu\" not implemented for '%s'", rt_dtype_title(o.dtype));
        return NULL;
    }
    double start = 0, end, step = 1, size;
    int64_t istart = 0, istep = 1;
    if ((start_object != NULL && rt_as_double(start_object, &start) < 0) || rt_as_double(end_object, &end) < 0 ||
        (step_object != NULL && rt_as_double(step_object, &step) < 0))
        return NULL;
    if (step == 0) {
        PyErr_SetString(PyExc_RuntimeError, "step must be nonzero");
        return NULL;
    }
    if (!isfinite(start) || !isfinite(end)) {
        char text[96];
        snprintf(text, sizeof text, "unsupported range: %g -> %g", start, end);
        PyErr_SetString(PyExc_RuntimeError, text);
        return NULL;
    }
    if ((step > 0 && end < start) || (step < 0 && end > start)) {
        PyErr_SetString(PyExc_RuntimeError, "upper bound and lower bound inconsistent with step sign");
        return NULL;
    }
    int integral_result = rt_is_integral(o.dtype, 1);
    if (integral_result) {
        /* The values step by the integer part of the numbers; the count comes from exact integers where all numbers are. */
        if (start_object != NULL) {
            if (PyFloat_Check(start_object))
                istart = (int64_t)start;
            else if (rt_as_int64(start_object, &istart) < 0)
                return NULL;
        }
        if (step_object != NULL) {
            if (PyFloat_Check(step_object))
                istep = (int64_t)step;
            else if (rt_as_int64(step_object, &istep) < 0)
                return NULL;
        }
    }
    if (o.dtype == RT_INT64) {
        int64_t iend = (int64_t)end;
        if (!PyFloat_Check(end_object) && rt_as_int64(end_object, &iend) < 0)
            return NULL;
        if (istep == 0) {
            PyErr_SetString(PyExc_ValueError, "step must be nonzero");
            return NULL;
        }
        __int128 span = (__int128)iend - istart;
        size = (double)((span + istep + (istep > 0 ? -1 : 1)) / istep);
    } else {
        size = ceil((end - start) / step);
    }
    if (!(size >= 0 && size <= 9.2e18)) {
        char text[96];
        snprintf(text, sizeof text, "invalid size, possible overflow?");
        PyErr_SetString(PyExc_RuntimeError, text);
        return NULL;
    }
    int64_t n = (int64_t)size;
    if (rt_check_sizes(1, &n) < 0)
        return NULL;
    PyObject *result = rt_result(op, 0, 1, &n, o.dtype, o.device_type, o.device_index);
    if (result == NULL || o.device_type == RT_DEVICE_META)
        return result;
    if (o.device_type == RT_DEVICE_CPU && rt_check_cpu(RT_TENSOR(result), "arange") < 0) {
        Py_DECREF(result); /* an output without memory of its own */
        return NULL;
    }
    if (o.device_type == RT_DEVICE_CPU && store_arange(rt_data(RT_TENSOR(result)), o.dtype, n, istart, istep, start, step))
        return result;
    Py_DECREF(result);
    if (o.device_type != RT_DEVICE_CPU)
        PyErr_SetString(PyExc_NotImplementedError, "arange has no kernel for this device");
    else
        PyErr_Format(PyExc_NotImplementedError, "\"arange_cpu\" not implemented for '%s'", rt_dtype_title(o.dtype));
    return NULL;
}

RT_SAME_KERNEL(arange_start, arange)
RT_SAME_KERNEL(arange_start_step, arange)
RT_OUT_KERNEL(arange_out, arange)
RT_OUT_KERNEL(arange_start_out, arange)

static float rounded(float f, int dtype)
{
    uint32_t bits;
    if (dtype == RT_FLOAT16)
        return (float)(_Float16)f;
    memcpy(&bits, &f, 4);
    bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
    memcpy(&f, &bits, 4);
    return f;
}

/* From both ends towards the middle, so that the last element is exactly `end`. Products are rounded before they are added, or whole numbers
 * would come out as the next smaller ones. */
__attribute__((optimize("fp-contract=off"))) static int store_linspace(void *data, int dtype, int64_t n, Py_complex z0, Py_complex z1)
{
    double start = z0.real, end = z1.real;
    if (dtype == RT_COMPLEX64 || dtype == RT_COMPLEX128) {
        Py_complex zstep = {n > 1 ? (z1.real - z0.real) / (double)(n - 1) : 0, n > 1 ? (z1.imag - z0.imag) / (double)(n - 1) : 0};
        for (int64_t i = 0; i < n; i++) {
            double k = i < n / 2 || n == 1 ? (double)i : -(double)(n - i - 1);
            Py_complex from = i < n / 2 || n == 1 ? z0 : z1;
            double re = from.real + zstep.real * k, im = from.imag + zstep.imag * k;
            if (dtype == RT_COMPLEX64) {
                ((float *)data)[2 * i] = (float)re;
                ((float *)data)[2 * i + 1] = (float)im;
            } else {
                ((double *)data)[2 * i] = re;
                ((double *)data)[2 * i + 1] = im;
            }
        }
        return 1;
    }
    double step = n > 1 ? (end - start) / (double)(n - 1) : 0;
    float fstart = (float)start, fend = (float)end, fstep = n > 1 ? (fend - fstart) / (float)(n - 1) : 0;
    int64_t half = n == 1 ? 1 : n / 2;
    if (dtype == RT_FLOAT64) {
        for (int64_t i = 0; i < n; i++)
            ((double *)data)[i] = i < half ? start + step * (double)i : end - step * (double)(n - i - 1);
        return 1;
    }
    if (rt_is_integral(dtype, 0)) {
        /* Integers step in double precision, and are truncated at the end. */
        double is = (double)(int64_t)start, ie = (double)(int64_t)end, istep = n > 1 ? (ie - is) / (double)(n - 1) : 0;
        STORE_RANGE(n, (i < half ? (int64_t)(is + istep * (double)i) : (int64_t)(ie - istep * (double)(n - i - 1))), 0.0)
    }
    if (dtype == RT_BFLOAT16 || dtype == RT_FLOAT16) { /* every intermediate result is rounded */
        fstart = rounded(fstart, dtype);
        fend = rounded(fend, dtype);
        fstep = n > 1 ? rounded(rounded(fend - fstart, dtype) / rounded((float)(n - 1), dtype), dtype) : 0;
        STORE_RANGE(n, 0, (i < half ? fstart + rounded(fstep * rounded((float)i, dtype), dtype)
                                    : fend - rounded(fstep * rounded((float)(n - i - 1), dtype), dtype)))
    }
    STORE_RANGE(n, 0, (i < half ? fstart + fstep * (float)i : fend - fstep * (float)(n - i - 1)))
}

RT_KERNEL(linspace)
{
    options o;
    Py_complex start, end;
    int64_t steps;
    int is_complex = PyComplex_Check(args[0]) || PyComplex_Check(args[1]);
    if (rt_as_int64(args[2], &steps) < 0 || read_options(args + 3, is_complex ? complex_of(rt_default_dtype) : rt_default_dtype, &o) < 0)
        return NULL;
    if (is_complex && !rt_is_complex(o.dtype)) {
        PyErr_Format(PyExc_RuntimeError, "torch.linspace(): inferred dtype %s can't be safely cast to passed dtype %s",
                     rt_dtype_title(complex_of(rt_default_dtype)), rt_dtype_title(o.dtype));
        return NULL;
    }
    if (steps < 0) {
        PyErr_SetString(PyExc_RuntimeError, "number of steps must be non-negative");
        return NULL;
    }
    start = PyComplex_AsCComplex(args[0]);
    end = PyComplex_AsCComplex(args[1]);
    if (PyErr_Occurred() || rt_check_sizes(1, &steps) < 0)
        return NULL;
    PyObject *result = rt_result(op, 0, 1, &steps, o.dtype, o.device_type, o.device_index);
    if (result == NULL || o.device_type == RT_DEVICE_META)
        return result;
    if (o.device_type == RT_DEVICE_CPU && store_linspace(rt_data(RT_TENSOR(result)), o.dtype, steps, start, end))
        return result;
    Py_DECREF(result);
    PyErr_Format(PyExc_NotImplementedError, "\"linspace_cpu\" not implemented for '%s'", rt_dtype_title(o.dtype));
    return NULL;
}

RT_OUT_KERNEL(linspace_out, linspace)

/* ----------------------------------------------------------------------------------------------------------------- random values
 * The tensor is made here; its elements come from the random operators, so that a backend that overrides those is asked. */

static int take_generator(PyObject *const **rest, Py_ssize_t nargs, Py_ssize_t without, PyObject **generator)
{
    *generator = Py_None;
    if (nargs > without) {
        *generator = **rest;
        (*rest)++;
    }
    return 0;
}

/* Steals the tensor. */
static PyObject *randomized(PyObject *tensor, int builtin, PyObject *low, PyObject *high, PyObject *generator)
{
    if (tensor == NULL || RT_TENSOR(tensor)->device_type == RT_DEVICE_META)
        return tensor;
    PyObject *call[4] = {tensor, low, high, generator};
    PyObject *done = rt_call_below_views(builtin, call, 4);
    Py_XDECREF(done);
    if (done == NULL)
        Py_CLEAR(tensor);
    return tensor;
}

static PyObject *zero_to_one(PyObject *tensor, int builtin, PyObject *generator)
{
    static PyObject *zero_float, *one_float;
    if (zero_float == NULL)
        zero_float = PyFloat_FromDouble(0);
    if (one_float == NULL)
        one_float = PyFloat_FromDouble(1);
    return randomized(tensor, builtin, zero_float, one_float, generator);
}

RT_KERNEL(rand)
{
    PyObject *generator, *const *rest = args + 1;
    take_generator(&rest, nargs, 5, &generator);
    return zero_to_one(new_with(op, args[0], rest, rt_default_dtype), RT_OP_aten_uniform_, generator);
}

RT_KERNEL(randn)
{
    PyObject *generator, *const *rest = args + 1;
    take_generator(&rest, nargs, 5, &generator);
    return zero_to_one(new_with(op, args[0], rest, rt_default_dtype), RT_OP_aten_normal_, generator);
}

RT_SAME_KERNEL(rand_generator, rand)
RT_SAME_KERNEL(randn_generator, randn)

RT_KERNEL(rand_like)
{
    PyObject *generator, *const *rest = args + 1;
    take_generator(&rest, nargs, 6, &generator);
    return zero_to_one(empty_like(op, RT_TENSOR(args[0]), rest), RT_OP_aten_uniform_, generator);
}

RT_KERNEL(randn_like)
{
    PyObject *generator, *const *rest = args + 1;
    take_generator(&rest, nargs, 6, &generator);
    return zero_to_one(empty_like(op, RT_TENSOR(args[0]), rest), RT_OP_aten_normal_, generator);
}

static PyObject *integer_zero(void)
{
    static PyObject *number;
    if (number == NULL)
        number = PyLong_FromLong(0);
    return number;
}

/* randint(high, size, ...), .low(low, high, size, ...), each with a generator after the size or without */
RT_KERNEL(randint)
{
    int has_low = !PyTuple_Check(args[1]);
    PyObject *low = has_low ? args[0] : integer_zero(), *high = args[has_low], *generator, *const *rest = args + 2 + has_low;
    take_generator(&rest, nargs, 6 + has_low, &generator);
    return randomized(new_with(op, args[1 + has_low], rest, RT_INT64), RT_OP_aten_random__from, low, high, generator);
}

RT_SAME_KERNEL(randint_low, randint)
RT_SAME_KERNEL(randint_generator, randint)
RT_SAME_KERNEL(randint_low_generator, randint)

/* randint_like(self, high, ...) and .low_dtype(self, low, high, ...) */
static PyObject *randint_like(rt_operator *op, PyObject *const *args, PyObject *low, PyObject *high, PyObject *const *rest, PyObject *generator)
{
    return randomized(empty_like(op, RT_TENSOR(args[0]), rest), RT_OP_aten_random__from, low, high, generator);
}

RT_KERNEL(randint_like)
{
    PyObject *generator, *const *rest = args + 2;
    take_generator(&rest, nargs, 7, &generator);
    return randint_like(op, args, integer_zero(), args[1], rest, generator);
}

RT_KERNEL(randint_like_low_dtype)
{
    PyObject *generator, *const *rest = args + 3;
    take_generator(&rest, nargs, 8, &generator);
    return randint_like(op, args, args[1], args[2], rest, generator);
}

RT_KERNEL(randperm)
{
    PyObject *generator, *const *rest = args + 1;
    options o;
    int64_t n;
    take_generator(&rest, nargs, 5, &generator);
    if (rt_as_int64(args[0], &n) < 0 || read_options(rest, RT_INT64, &o) < 0)
        return NULL;
    if (check_new_sizes(1, &n) < 0)
        return NULL;
    /* Every number up to n must be a value of the dtype. */
    char element[16];
    if (rt_pack_number(args[0], o.dtype, element) < 0)
        return NULL;
    int64_t limit = o.dtype == RT_FLOAT16 ? 2049 : o.dtype == RT_BFLOAT16 ? 257 : o.dtype == RT_FLOAT32 ? (1 << 24) + 1
                    : o.dtype == RT_FLOAT64 ? (INT64_C(1) << 53) + 1 : INT64_MAX;
    if (n > limit) {
        PyErr_Format(PyExc_RuntimeError, "n cannot be greater than %lld for %s type.", (long long)limit, rt_dtype_title(o.dtype));
        return NULL;
    }
    PyObject *result = rt_new_tensor(1, &n, o.dtype, o.device_type, o.device_index);
    if (result == NULL || o.device_type == RT_DEVICE_META)
        return result;
    if (rt_check_cpu(RT_TENSOR(result), "randperm") == 0) {
        RtGenerator *g = rt_generator_or_default(generator);
        if (g != NULL) {
            if (store_arange(rt_data(RT_TENSOR(result)), o.dtype, n, 0, 1, 0, 1)) {
                rt_shuffle(g, rt_data(RT_TENSOR(result)), n, rt_itemsize[o.dtype]);
                return result;
            }
            PyErr_Format(PyExc_NotImplementedError, "\"randperm\" not implemented for '%s'", rt_dtype_title(o.dtype));
        }
    }
    Py_DECREF(result);
    return NULL;
}

RT_SAME_KERNEL(randperm_generator, randperm)
RT_OUT_KERNEL(randperm_generator_out, randperm)

/* ----------------------------------------------------------------------------------------------------------------- BackendSelect */

static rt_keyset dense_keyset_of(PyObject *device)
{
    if (device == Py_None)
        return RT_BACKEND_BIT(RT_BACKEND_CPU) | RT_FUNCTIONALITY_BIT(RT_KEY_Dense);
    return rt_keyset_of_device(((RtDevice *)device)->type);
}

enum { RT_SPARSE_COO = 1 }; /* the code of a layout, as in runtime/core/values.pxi */

/* The kernel at BackendSelect of factories: adds the key of the device argument to the key set and redispatches below itself. */
RT_KERNEL(backend_select_factory)
{
    PyObject *device = Py_None;
    rt_keyset found = 0, sparse = 0;
    for (int i = 0; i < op->nargs; i++) {
        if (op->args[i].kind == RT_ARG_DEVICE)
            device = args[i];
        else if (op->args[i].kind == RT_ARG_LAYOUT && args[i] != Py_None && ((RtLayout *)args[i])->code == RT_SPARSE_COO)
            sparse = RT_FUNCTIONALITY_BIT(RT_KEY_Sparse);
        else if (op->args[i].kind == RT_ARG_TENSOR && !(op->args[i].flags & RT_ARGF_LIST) && args[i] != Py_None)
            found |= RT_TENSOR(args[i])->keys;
    }
    rt_keyset backend = device != Py_None || found == 0 ? dense_keyset_of(device) : found;
    rt_keyset below = RT_FULL_AFTER(RT_KEY_BackendSelect) | RT_BACKEND_MASK;
    rt_keyset next = rt_effective_keyset(op, backend | ks) & below;
    if (device != Py_None)
        next = (next & ~RT_BACKEND_MASK) | (backend & RT_BACKEND_MASK);
    return rt_redispatch(op, next | (next & RT_FUNCTIONALITY_BIT(RT_KEY_Dense) ? sparse : 0), args, nargs);
}
