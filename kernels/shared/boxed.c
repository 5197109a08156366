/* Texts, checks and element packing behind boxed.h. */
#pragma GCC optimize("O3")
#include "kernels/shared/boxed.h"
#include "kernels/shared/gil.h"

#include "kernels/shared/structured.h"
#include "rt_builtins.h"

#include <float.h>
#include <math.h>

PyObject *rt_shape_text(int64_t n, const int64_t *values)
{
    char buffer[RT_MAX_DIM * 22 + 3];
    int at = 0;
    buffer[at++] = '[';
    for (int64_t i = 0; i < n && i < RT_MAX_DIM; i++)
        at += snprintf(buffer + at, sizeof buffer - at, i ? ", %lld" : "%lld", (long long)values[i]);
    buffer[at++] = ']';
    return PyUnicode_FromStringAndSize(buffer, at);
}

int rt_refuse_cpu_access(const RtTensor *t, const char *what)
{
    if (t->device_type != RT_DEVICE_CPU)
        PyErr_Format(PyExc_RuntimeError, "%s: expected a tensor on the CPU, but got one on another device (device type %d)", what,
                     (int)t->device_type);
    else if (t->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Sparse))
        PyErr_Format(PyExc_NotImplementedError, "Could not run '%s' with arguments from the 'SparseCPU' backend: it has no kernel for tensors of "
                                                "layout torch.sparse_coo; convert them with to_dense() first", what);
    else
        PyErr_Format(PyExc_RuntimeError, "%s: Cannot access data pointer of Tensor that doesn't have storage", what);
    return -1;
}

/* f16 and bf16 are stored with one rounding from double, through float only where that cannot round twice. */
static uint16_t half_bits(double x)
{
    _Float16 h = (_Float16)x;
    uint16_t bits;
    memcpy(&bits, &h, 2);
    return bits;
}

static uint16_t bfloat_bits(double x)
{
    float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (f != f)
        return 0x7fc0;
    return (uint16_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

static int overflow(const char *type)
{
    PyErr_Format(PyExc_RuntimeError, "value cannot be converted to type %s without overflow", type);
    return -1;
}

static int pack_integer(int dtype, int64_t low, int64_t high, PyObject *number, int64_t *out)
{
    int64_t value;
    if (PyFloat_Check(number)) {
        double d = PyFloat_AS_DOUBLE(number);
        if (!(d >= (double)low && d <= (double)high) || d >= 9223372036854775808.0)
            return overflow(rt_dtype_cpp_name(dtype));
        value = (int64_t)d;
    } else {
        if (rt_as_int64(number, &value) < 0)
            return -1;
        /* Unsigned types take negative numbers that wrap, as PyTorch's conversions do. */
        if (value > high || value < (low == 0 ? -high - 1 : low))
            return overflow(rt_dtype_cpp_name(dtype));
    }
    *out = value;
    return 1;
}

int rt_pack_number(PyObject *number, int dtype, void *element)
{
    Py_complex z = {0, 0};
    int64_t i;
    int rc;
    if (PyComplex_Check(number)) {
        z = PyComplex_AsCComplex(number);
        if (dtype == RT_BOOL) {
            *(uint8_t *)element = z.real != 0 || z.imag != 0;
            return 1;
        }
        if (!rt_is_complex(dtype)) {
            if (z.imag != 0 || z.imag != z.imag)
                return overflow(rt_dtype_cpp_name(dtype));
            PyObject *real = PyFloat_FromDouble(z.real);
            if (real == NULL)
                return -1;
            rc = rt_pack_number(real, dtype, element);
            Py_DECREF(real);
            return rc;
        }
    } else if (rt_is_floating(dtype) || rt_is_complex(dtype)) {
        if (rt_as_double(number, &z.real) < 0)
            return -1;
    }
    switch (dtype) {
    case RT_FLOAT32:
        if (fabs(z.real) > FLT_MAX && !isinf(z.real))
            return overflow("float");
        *(float *)element = (float)z.real;
        return 1;
    case RT_FLOAT64: *(double *)element = z.real; return 1;
    case RT_FLOAT16:
        if (fabs(z.real) > 65504.0 && !isinf(z.real))
            return overflow("c10::Half");
        *(uint16_t *)element = half_bits(z.real);
        return 1;
    case RT_BFLOAT16:
        if (fabs(z.real) > 3.38953138925153547590e38 && !isinf(z.real))
            return overflow("c10::BFloat16");
        *(uint16_t *)element = bfloat_bits(z.real);
        return 1;
    case RT_COMPLEX64:
        if ((fabs(z.real) > FLT_MAX && !isinf(z.real)) || (fabs(z.imag) > FLT_MAX && !isinf(z.imag)))
            return overflow("c10::complex<float>");
        ((float *)element)[0] = (float)z.real;
        ((float *)element)[1] = (float)z.imag;
        return 1;
    case RT_COMPLEX128:
        ((double *)element)[0] = z.real;
        ((double *)element)[1] = z.imag;
        return 1;
    case RT_BOOL:
        rc = PyObject_IsTrue(number);
        if (rc < 0)
            return -1;
        *(uint8_t *)element = (uint8_t)rc;
        return 1;
#define INTEGER(code, type, low, high)                          \
    case code:                                                  \
        rc = pack_integer(dtype, low, high, number, &i);        \
        if (rc > 0)                                             \
            *(type *)element = (type)i;                         \
        return rc;
    INTEGER(RT_UINT8, uint8_t, 0, UINT8_MAX)
    INTEGER(RT_INT8, int8_t, INT8_MIN, INT8_MAX)
    INTEGER(RT_INT16, int16_t, INT16_MIN, INT16_MAX)
    INTEGER(RT_INT32, int32_t, INT32_MIN, INT32_MAX)
    INTEGER(RT_INT64, int64_t, INT64_MIN, INT64_MAX)
    INTEGER(RT_UINT16, uint16_t, 0, UINT16_MAX)
    INTEGER(RT_UINT32, uint32_t, 0, UINT32_MAX)
#undef INTEGER
    case RT_UINT64:
        if (PyLong_Check(number)) {
            unsigned long long u = PyLong_AsUnsignedLongLongMask(number);
            if (u == (unsigned long long)-1 && PyErr_Occurred())
                return -1;
            *(uint64_t *)element = u;
            return 1;
        }
        rc = pack_integer(dtype, 0, INT64_MAX, number, &i);
        if (rc > 0)
            *(uint64_t *)element = (uint64_t)i;
        return rc;
    default: return 0;
    }
}

void rt_fill_elements(char *data, int64_t n, const void *element, int itemsize)
{
    const unsigned char *bytes = element;
    int uniform = 1;
    for (int i = 1; i < itemsize; i++)
        uniform &= bytes[i] == bytes[0];
    if (uniform) {
        if (n > 0)
            memset(data, bytes[0], (size_t)n * itemsize);
        return;
    }
    switch (itemsize) {
    case 2: {
        uint16_t v;
        memcpy(&v, element, 2);
        for (int64_t i = 0; i < n; i++)
            ((uint16_t *)data)[i] = v;
        break;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, element, 4);
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)data)[i] = v;
        break;
    }
    case 8: {
        uint64_t v;
        memcpy(&v, element, 8);
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)data)[i] = v;
        break;
    }
    default:
        for (int64_t i = 0; i < n; i++)
            memcpy(data + i * itemsize, element, itemsize);
    }
}

PyObject *rt_call_below_views(int builtin, PyObject *const *args, Py_ssize_t nargs)
{
    rt_keyset saved = rt_tls_state.excluded;
    rt_tls_state.excluded |= RT_FUNCTIONALITY_BIT(RT_KEY_ADInplaceOrView) | RT_FUNCTIONALITY_BIT(RT_KEY_AutogradFunctionality) |
                            RT_FUNCTIONALITY_BIT(RT_KEY_AutogradOther) | RT_FUNCTIONALITY_BIT(RT_KEY_AutogradNestedTensor);
    PyObject *result = rt_call(rt_builtin_ops[builtin], args, nargs);
    rt_tls_state.excluded = saved;
    return result;
}

PyObject *rt_int_tuple(int n, const int64_t *values)
{
    PyObject *tuple = PyTuple_New(n);
    for (int i = 0; tuple != NULL && i < n; i++) {
        PyObject *value = PyLong_FromLongLong(values[i]);
        if (value == NULL) {
            Py_DECREF(tuple);
            return NULL;
        }
        PyTuple_SET_ITEM(tuple, i, value);
    }
    return tuple;
}

PyObject *rt_device_object(int type, int index)
{
    RtDevice *device = (RtDevice *)rt_DeviceType->tp_alloc(rt_DeviceType, 0);
    if (device != NULL) {
        device->type = type;
        device->index = index;
    }
    return (PyObject *)device;
}

PyObject *rt_new_strided(int ndim, const int64_t *sizes, const int64_t *strides, int dtype, int device_type, int device_index)
{
    if (RT_LIKELY(device_type == RT_DEVICE_CPU || device_type == RT_DEVICE_META))
        return (PyObject *)rt_empty_strided(ndim, sizes, strides, dtype, device_type, device_index);
    PyObject *size = rt_int_tuple(ndim, sizes), *stride = rt_int_tuple(ndim, strides);
    PyObject *device = rt_device_object(device_type, device_index), *result = NULL;
    if (size != NULL && stride != NULL && device != NULL) {
        PyObject *call[6] = {size, stride, rt_dtype_objects[dtype], Py_None, device, Py_None};
        result = rt_call_below_views(RT_OP_aten_empty_strided, call, 6);
    }
    Py_XDECREF(size);
    Py_XDECREF(stride);
    Py_XDECREF(device);
    return result;
}

PyObject *rt_new_tensor(int ndim, const int64_t *sizes, int dtype, int device_type, int device_index)
{
    if (RT_LIKELY(device_type == RT_DEVICE_CPU || device_type == RT_DEVICE_META))
        return (PyObject *)rt_empty(ndim, sizes, dtype, device_type, device_index);
    PyObject *size = rt_int_tuple(ndim, sizes), *device = rt_device_object(device_type, device_index), *result = NULL;
    if (size != NULL && device != NULL) {
        PyObject *call[6] = {size, rt_dtype_objects[dtype], Py_None, device, Py_None, Py_None};
        result = rt_call_below_views(RT_OP_aten_empty_memory_format, call, 6);
    }
    Py_XDECREF(size);
    Py_XDECREF(device);
    return result;
}

const char *rt_dtype_cpp_title(int dtype)
{
    switch (dtype) {
    case RT_UINT8: return "unsigned char";
    case RT_INT8: return "signed char";
    case RT_INT16: return "short int";
    case RT_INT32: return "int";
    case RT_INT64: return "long int";
    case RT_UINT16: return "short unsigned int";
    case RT_UINT32: return "unsigned int";
    case RT_UINT64: return "long unsigned int";
    case RT_FLOAT16: return "c10::Half";
    case RT_BFLOAT16: return "c10::BFloat16";
    case RT_FLOAT32: return "float";
    case RT_FLOAT64: return "double";
    case RT_COMPLEX32: return "c10::complex<c10::Half>";
    case RT_COMPLEX64: return "c10::complex<float>";
    case RT_COMPLEX128: return "c10::complex<double>";
    case RT_BOOL: return "bool";
    default: return rt_dtype_title(dtype);
    }
}

/* ---------------------------------------------------------------------------------------------- outputs; see Note [Offered outputs] */

_Thread_local rt_offer *rt_offered;

/* Whether an argument is a tensor, or has one, that shares a storage, or whose class may keep what it gets. */
static int forbids_offer(PyObject *value, const rt_storage *s)
{
    if (PyTuple_Check(value)) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(value); i++)
            if (forbids_offer(PyTuple_GET_ITEM(value, i), s))
                return 1;
        return 0;
    }
    return rt_is_tensor(value) && (RT_TENSOR(value)->storage == s || RT_TENSOR(value)->keys & RT_FUNCTIONALITY_BIT(RT_KEY_Python));
}

void rt_offer_outputs(rt_offer *offer, rt_operator *op, PyObject *const *args, Py_ssize_t nargs, PyObject *const *outs, int n)
{
    *offer = (rt_offer){.op = op, .outs = outs, .n = n, .outer = rt_offered};
    for (int i = 0; i < n && i < 64; i++) {
        const RtTensor *out = rt_is_tensor(outs[i]) ? RT_TENSOR(outs[i]) : NULL;
        int fits = out != NULL && out->storage != NULL && !(out->storage->flags & RT_STORAGE_READONLY) &&
                   out->device_type == RT_DEVICE_CPU && out->flags & (RT_T_CONTIGUOUS | RT_T_DENSE) &&
                   !(out->keys & (RT_FUNCTIONALITY_BIT(RT_KEY_Python) | RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate) |
                                  RT_FUNCTIONALITY_BIT(RT_KEY_Negative)));
        for (Py_ssize_t k = 0; fits && k < nargs; k++)
            fits = !forbids_offer(args[k], out->storage);
        for (int k = 0; fits && k < n; k++)
            fits = k == i || !forbids_offer(outs[k], out->storage);
        offer->taken |= (uint64_t)!fits << i;
    }
    rt_offered = offer;
}

void rt_withdraw_outputs(rt_offer *offer)
{
    rt_offered = offer->outer;
}

/* A user's kernel in Python, or a mode, may keep what a kernel that it calls returns: it must not be an output. */
static int goes_to_users(const rt_operator *op)
{
    if (rt_tls_state.included & ~rt_tls_state.excluded & RT_FUNCTIONALITY_BIT(RT_KEY_Python))
        return 1;
    const rt_kernel *kernel = op->table[rt_slot_of(RT_FUNCTIONALITY_BIT(RT_KEY_Dense) | RT_BACKEND_BIT(RT_BACKEND_CPU))];
    return kernel == NULL || kernel->flags & RT_KERNEL_PYTHON;
}

rt_offer *rt_hand_on_begin(rt_operator *op, rt_operator *last)
{
    if (RT_LIKELY(rt_offered == NULL || rt_offered->op != op))
        return NULL;
    rt_offered->op = goes_to_users(last) ? NULL : last;
    return rt_offered;
}

void rt_hand_on_end(rt_offer *offer, rt_operator *op)
{
    if (offer != NULL)
        offer->op = op;
}

PyObject *rt_hand_on(rt_operator *op, rt_operator *last, PyObject *const *args, Py_ssize_t nargs)
{
    rt_offer *offer = rt_hand_on_begin(op, last);
    PyObject *result = rt_call(last, args, nargs);
    rt_hand_on_end(offer, op);
    return result;
}

/* The output that is offered for a place of an operator's results, if it is of just these sizes and dtype. */
static RtTensor *fitting_output(rt_operator *op, int place, int ndim, const int64_t *sizes, int dtype)
{
    if (RT_LIKELY(rt_offered == NULL) || rt_offered->op != op || place >= rt_offered->n || rt_offered->taken >> place & 1)
        return NULL;
    RtTensor *out = RT_TENSOR(rt_offered->outs[place]);
    if (out->dtype != dtype || out->ndim != ndim || out->numel == 0 || memcmp(out->sizes, sizes, sizeof(int64_t) * (size_t)ndim) != 0)
        return NULL;
    return out;
}

static RtTensor *take_output(RtTensor *out, int place)
{
    rt_offered->taken |= 1ull << place;
    return rt_alias(out, out->ndim, out->sizes, out->strides, out->offset);
}

RtTensor *rt_offered_output(rt_operator *op, int place, int ndim, const int64_t *sizes, int dtype)
{
    RtTensor *out = fitting_output(op, place, ndim, sizes, dtype);
    return out == NULL ? NULL : take_output(out, place);
}

PyObject *rt_requested_result(rt_operator *op, int ndim, const int64_t *sizes, int dtype)
{
    RtTensor *out = fitting_output(op, 0, ndim, sizes, dtype);
    return out == NULL || !rt_is_contiguous(out) ? NULL : (PyObject *)take_output(out, 0);
}

PyObject *rt_result(rt_operator *op, int place, int ndim, const int64_t *sizes, int dtype, int device_type, int device_index)
{
    RtTensor *out = device_type == RT_DEVICE_CPU ? fitting_output(op, place, ndim, sizes, dtype) : NULL;
    if (out != NULL && rt_is_contiguous(out))
        return (PyObject *)take_output(out, place);
    return rt_new_tensor(ndim, sizes, dtype, device_type, device_index);
}

static int is_same_memory(const RtTensor *a, const RtTensor *b)
{
    size_t bytes = sizeof(int64_t) * (size_t)a->ndim;
    return a->storage != NULL && a->storage == b->storage && a->offset == b->offset && a->dtype == b->dtype && a->ndim == b->ndim &&
           memcmp(a->sizes, b->sizes, bytes) == 0 &&
           ((rt_is_contiguous(a) && rt_is_contiguous(b)) || (a->flags & RT_T_DENSE && memcmp(a->strides, b->strides, bytes) == 0));
}

PyObject *rt_write_out(PyObject *result, PyObject *out)
{
    if (result == NULL)
        return NULL;
    RtTensor *r = RT_TENSOR(result), *o = RT_TENSOR(out);
    if (is_same_memory(r, o)) {
        Py_DECREF(result);
        return Py_NewRef(out);
    }
    rt_out_spec spec = {.dtype = r->dtype, .device_type = r->device_type, .device_index = r->device_index, .ndim = r->ndim};
    memcpy(spec.sizes, r->sizes, r->ndim * sizeof(int64_t));
    if (r->ndim != o->ndim || memcmp(r->sizes, o->sizes, r->ndim * sizeof(int64_t)) != 0)
        rt_wait_for_loops();
    int rc = rt_resize_output(o, &spec);
    if (rc == 0 && o->device_type != RT_DEVICE_META) {
        PyObject *call[3] = {out, result, Py_False};
        PyObject *done = rt_call_below_views(RT_OP_aten_copy_, call, 3);
        Py_XDECREF(done);
        rc = done == NULL ? -1 : 0;
    }
    Py_DECREF(result);
    return rc < 0 ? NULL : Py_NewRef(out);
}

const char *rt_device_title(int device_type)
{
    static const char *const names[RT_NUM_DEVICE_TYPES] = {"cpu", "cuda", "mkldnn", "opengl", "opencl", "ideep", "hip", "fpga", "maia", "xla",
                                                           "vulkan", "metal", "xpu", "mps", "meta", "hpu", "ve", "lazy", "ipu", "mtia",
                                                           "privateuseone"};
    return device_type >= 0 && device_type < RT_NUM_DEVICE_TYPES && names[device_type] ? names[device_type] : "unknown";
}
