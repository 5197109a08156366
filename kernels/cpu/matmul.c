/* mm, bmm, addmm, addmv, baddbmm, mv, dot and vdot: rules, and CPU kernels over rt_gemm.
 */
#include "kernels/cpu/blas.h"
#include "kernels/cpu/element.h"
#include "kernels/cpu/halves.h"
#include "kernels/shared/geometry.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/lazy_bits.h"
#include "kernels/shared/promotion.h"
#include "kernels/shared/structured.h"
#include "kernels/shared/zero_tensors.h"

enum { RELEASE = 100000 }; /* multiplications from which the GIL is released */

static const rt_factor ZERO = {0, 0, 0}, ONE = {1, 0, 1};

static int fail(const char *message)
{
    PyErr_SetString(PyExc_RuntimeError, message);
    return -1;
}

static void same_device_spec(const RtTensor *t, int dtype, rt_out_spec *spec, int ndim)
{
    spec->dtype = dtype;
    spec->device_type = t->device_type;
    spec->device_index = t->device_index;
    spec->has_strides = 0;
    spec->ndim = ndim;
}

static rt_matrix matrix_of(const RtTensor *t, int64_t batch)
{
    int first = t->ndim - 2;
    int64_t at = first > 0 ? batch * t->strides[0] : 0;
    rt_matrix m = {rt_data(t) + at * rt_itemsize[t->dtype], t->sizes[first], t->sizes[first + 1], t->strides[first], t->strides[first + 1]};
    return m;
}

/* Everything that stands before the loop of a product of matrices on the CPU. */
static int ready(const char *kernel, const RtTensor *a, const RtTensor *b, const RtTensor *out)
{
    if (rt_check_cpu(a, kernel) < 0 || rt_check_cpu(b, kernel) < 0 || rt_check_cpu(out, kernel) < 0)
        return -1;
    if (!rt_has_gemm(out->dtype) && out->numel > 0) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", kernel, rt_dtype_title(out->dtype));
        return -1;
    }
    return rt_blas_ready();
}

static int is_zero(rt_factor f) { return f.re == 0 && f.im == 0; }
static int is_one(rt_factor f) { return f.re == 1 && f.im == 0; }

static int products(const RtTensor *a, const RtTensor *b, const RtTensor *out, int64_t batches, rt_factor alpha, rt_factor beta, int in_blocks)
{
    int rc = 0;
    if (in_blocks)
        rt_block_gemm(out->dtype, matrix_of(a, 0), matrix_of(b, 0), matrix_of(out, 0), batches,
                      (const int64_t[3]){a->strides[0], b->strides[0], out->strides[0]});
    else
        for (int64_t i = 0; i < batches && rc == 0; i++)
            rc = rt_gemm(out->dtype, matrix_of(a, i), matrix_of(b, i), matrix_of(out, i), alpha, beta);
    return rc;
}

/* out = alpha * a @ b + beta * out, for every batch. */
static int product(RtTensor *a, RtTensor *b, RtTensor *out, int64_t batches, rt_factor alpha, rt_factor beta)
{
    rt_matrix x = matrix_of(a, 0), y = matrix_of(b, 0), z = matrix_of(out, 0);
    int is_float = out->dtype == RT_FLOAT32 || out->dtype == RT_FLOAT64, rc = 0;
    int in_blocks = batches > 1 && is_float && is_one(alpha) && is_zero(beta) && z.rows <= RT_SMALL_GEMM && z.rows % 8 == 0 && z.cols == 16 &&
                    x.cols <= RT_SMALL_GEMM && y.col_step == 1 && z.col_step == 1;
    if (out->numel * x.cols < RELEASE) {
        rc = products(a, b, out, batches, alpha, beta, in_blocks);
    } else {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rc = products(a, b, out, batches, alpha, beta, in_blocks);
        RT_END_LOOP_WITHOUT_GIL
    }
    if (rc < 0)
        PyErr_NoMemory();
    return rc;
}

/* out = the input, broadcast; nothing where they are the same tensor. */
static int start_from(RtTensor *input, RtTensor *out)
{
    int64_t strides[RT_MAX_DIM], sizes[RT_MAX_DIM];
    if (input == out)
        return 0;
    if (rt_check_cpu(input, "addmm") < 0)
        return -1;
    memcpy(sizes, out->sizes, out->ndim * sizeof(int64_t));
    if (rt_expand_strides(input, out->ndim, sizes, strides) < 0)
        return -1;
    rt_copy_elements(out->ndim, sizes, rt_data(out), out->strides, rt_data(input), strides, rt_itemsize[out->dtype]);
    return 0;
}

/* Whether the sums have no terms: `out` is zero then, of whichever dtype. */
static int without_terms(const RtTensor *a, RtTensor *out)
{
    static const char zero[16] = {0};
    static const int64_t none[RT_MAX_DIM] = {0};
    if (a->sizes[a->ndim - 1] != 0 || out->device_type != RT_DEVICE_CPU || out->storage->data == NULL)
        return 0;
    rt_copy_elements(out->ndim, out->sizes, rt_data(out), out->strides, zero, none, rt_itemsize[out->dtype]);
    return 1;
}

/* Run a kernel on operands without lazy bits: these operators skip the keys that would resolve them. */
static int on_plain(rt_call_frame *c, int (*kernel)(rt_call_frame *c))
{
    PyObject *const *args = c->args;
    PyObject *plain[8] = {NULL};
    rt_keyset bits = c->outs[0]->keys;
    Py_ssize_t tensors = 0;
    int status = 0;
    while (tensors < c->nargs && rt_is_tensor(args[tensors]))
        bits |= RT_TENSOR(args[tensors++])->keys;
    if (RT_LIKELY(!(bits & RT_LAZY_BITS)) || c->outs[0]->device_type != RT_DEVICE_CPU)
        return kernel(c);
    for (Py_ssize_t i = 0; i < c->nargs && i < 8; i++) {
        plain[i] = i < tensors ? rt_resolved(args[i]) : Py_NewRef(args[i]);
        status |= plain[i] == NULL;
    }
    c->args = plain;
    if (status == 0 && (status = kernel(c)) == 0)
        status = rt_apply_lazy_bits(c->outs[0], c->outs[0]->keys);
    c->args = args;
    for (int i = 0; i < 8; i++)
        Py_XDECREF(plain[i]);
    return status ? -1 : 0;
}

/* ---------------------------------------------------------------------------------------------------------------------------- mm */

static int shapes_error(const RtTensor *a, const RtTensor *b)
{
    PyErr_Format(PyExc_RuntimeError, "mat1 and mat2 shapes cannot be multiplied (%lldx%lld and %lldx%lld)", (long long)a->sizes[0],
                 (long long)a->sizes[1], (long long)b->sizes[0], (long long)b->sizes[1]);
    return -1;
}

static int mm_rule(rt_call_frame *c)
{
    RtTensor *a = RT_TENSOR(c->args[0]), *b = RT_TENSOR(c->args[1]);
    if (a->ndim != 2)
        return fail("self must be a matrix");
    if (b->ndim != 2)
        return fail("mat2 must be a matrix");
    if (a->sizes[1] != b->sizes[0])
        return shapes_error(a, b);
    if (a->dtype != b->dtype) {
        PyErr_Format(PyExc_RuntimeError, "expected m1 and m2 to have the same dtype, but got: %s != %s", rt_dtype_cpp_title(a->dtype),
                     rt_dtype_cpp_title(b->dtype));
        return -1;
    }
    same_device_spec(a, a->dtype, &c->specs[0], 2);
    c->specs[0].sizes[0] = a->sizes[0];
    c->specs[0].sizes[1] = b->sizes[1];
    return 0;
}

static int mm_plain(rt_call_frame *c)
{
    RtTensor *a = RT_TENSOR(c->args[0]), *b = RT_TENSOR(c->args[1]);
    if (without_terms(a, c->outs[0]))
        return 0;
    return ready("addmm_impl_cpu_", a, b, c->outs[0]) < 0 ? -1 : product(a, b, c->outs[0], 1, ONE, ZERO);
}

enum { FAST = 16 };

/* A small matrix copied row by row, of float32 where it is bfloat16: backward multiplies by transposed matrices, autocast has bfloat16. */
static rt_matrix in_rows(rt_matrix m, int dtype, char *to)
{
    rt_matrix copy = {to, m.rows, m.cols, m.cols, 1};
    if (dtype == RT_BFLOAT16 && m.col_step == 1 && m.row_step == m.cols) {
        rt_widen(dtype, m.data, 1, (float *)to, m.rows * m.cols);
        return copy;
    }
    for (int64_t i = 0; i < m.rows; i++) {
        for (int64_t j = 0; j < m.cols; j++) {
            const char *from = m.data + (i * m.row_step + j * m.col_step) * rt_itemsize[dtype];
            if (dtype == RT_FLOAT32)
                ((float *)to)[i * m.cols + j] = *(const float *)from;
            else if (dtype == RT_FLOAT64)
                ((double *)to)[i * m.cols + j] = *(const double *)from;
            else
                ((float *)to)[i * m.cols + j] = rt_bf16_to_float(*(const uint16_t *)from);
        }
    }
    return copy;
}

/* Small matrices of one floating type, without rule and frame. */
static PyObject *mm_fast(PyObject *const *args, Py_ssize_t nargs, RtTensor *given)
{
    if (given != NULL)
        return NULL; /* it may overlap an operand */
    RtTensor *a = RT_TENSOR(args[0]), *b = RT_TENSOR(args[1]);
    if (a->ndim != 2 || b->ndim != 2 || a->sizes[1] != b->sizes[0] || a->dtype != b->dtype ||
        (a->dtype != RT_FLOAT32 && a->dtype != RT_FLOAT64 && a->dtype != RT_BFLOAT16) || a->sizes[0] > FAST || b->sizes[1] > FAST ||
        a->sizes[1] > FAST || a->device_type != RT_DEVICE_CPU || b->device_type != RT_DEVICE_CPU || a->storage->data == NULL ||
        b->storage->data == NULL || (a->keys | b->keys) & RT_LAZY_BITS)
        return NULL;
    double left_rows[FAST * FAST], right_rows[FAST * FAST];
    float wide[FAST * FAST];
    int half = a->dtype == RT_BFLOAT16, dtype = half ? RT_FLOAT32 : a->dtype;
    rt_matrix left = matrix_of(a, 0), right = matrix_of(b, 0);
    if (half)
        left = in_rows(left, RT_BFLOAT16, (char *)left_rows);
    if (half || right.col_step != 1)
        right = in_rows(right, a->dtype, (char *)right_rows);
    int64_t sizes[2] = {a->sizes[0], b->sizes[1]};
    /* Where dimensions have one element, strides of a contiguous tensor may be anything: they are no pattern for the result's. */
    int is_pattern = sizes[1] == a->sizes[1] && a->strides[1] == 1 && a->strides[0] == sizes[1];
    RtTensor *out = is_pattern ? rt_empty_like(a, a->dtype) : rt_empty(2, sizes, a->dtype, RT_DEVICE_CPU, a->device_index);
    if (out == NULL) {
        PyErr_Clear();
        return NULL;
    }
    rt_matrix to = matrix_of(out, 0);
    if (half)
        to = (rt_matrix){(char *)wide, sizes[0], sizes[1], sizes[1], 1};
    if (sizes[0] % 8 == 0 && sizes[1] == 16)
        rt_block_gemm(dtype, left, right, to, 1, (const int64_t[3]){0, 0, 0});
    else
        rt_gemm(dtype, left, right, to, ONE, ZERO);
    if (half)
        rt_narrow(a->dtype, wide, rt_data(out), 1, sizes[0] * sizes[1]);
    return (PyObject *)out;
}

static int mm_cpu(rt_call_frame *c)
{
    return on_plain(c, mm_plain);
}

const rt_structured_def rt_k_mm_out = {"mm", mm_rule, mm_cpu, mm_fast, 1};

/* ------------------------------------------------------------------------------------------------------------------------- addmm */

static int addmm_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *a = RT_TENSOR(c->args[1]), *b = RT_TENSOR(c->args[2]);
    int64_t strides[2];
    rt_out_spec *spec = &c->specs[0];
    if (self->dtype != b->dtype || a->dtype != b->dtype) {
        PyErr_Format(PyExc_RuntimeError, "%s and mat2 must have the same dtype, but got %s and %s", self->dtype != b->dtype ? "self" : "mat1",
                     rt_dtype_title(self->dtype != b->dtype ? self->dtype : a->dtype), rt_dtype_title(b->dtype));
        return -1;
    }
    if (a->ndim != 2 || b->ndim != 2) {
        PyErr_Format(PyExc_RuntimeError, "%s must be a matrix, got %d-D tensor", a->ndim != 2 ? "mat1" : "mat2",
                     (int)(a->ndim != 2 ? a->ndim : b->ndim));
        return -1;
    }
    if (a->sizes[1] != b->sizes[0])
        return shapes_error(a, b);
    same_device_spec(a, a->dtype, spec, 2);
    spec->sizes[0] = a->sizes[0];
    spec->sizes[1] = b->sizes[1];
    if (self->ndim > 2) {
        PyObject *own = rt_shape_text(self->ndim, self->sizes), *target = rt_shape_text(2, spec->sizes);
        if (own != NULL && target != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "expand(torch.%sTensor{%U}, size=%U): the number of sizes provided (2) must be greater or equal to the number of "
                         "dimensions in the tensor (%d)",
                         rt_dtype_title(self->dtype), own, target, (int)self->ndim);
        Py_XDECREF(own);
        Py_XDECREF(target);
        return -1;
    }
    return c->variant == RT_INPLACE ? 0 : rt_expand_strides(self, 2, spec->sizes, strides);
}

static int read_beta_alpha(rt_call_frame *c, rt_factor *beta, rt_factor *alpha)
{
    if (rt_read_factor(c->args[3], beta) < 0 || rt_read_factor(c->args[4], alpha) < 0)
        return -1;
    if ((beta->im != 0 || alpha->im != 0) && !rt_is_complex(c->outs[0]->dtype)) {
        PyErr_Format(PyExc_RuntimeError, "value cannot be converted to type %s without overflow", rt_dtype_cpp_title(c->outs[0]->dtype));
        return -1;
    }
    return 0;
}

static int addmm_plain(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *a = RT_TENSOR(c->args[1]), *b = RT_TENSOR(c->args[2]), *out = c->outs[0];
    rt_factor alpha, beta;
    if (ready("addmm_impl_cpu_", a, b, out) < 0 || read_beta_alpha(c, &beta, &alpha) < 0)
        return -1;
    if (!is_zero(beta) && start_from(self, out) < 0)
        return -1;
    return product(a, b, out, 1, alpha, beta);
}

static int addmm_cpu(rt_call_frame *c)
{
    return on_plain(c, addmm_plain);
}

const rt_structured_def rt_k_addmm_out = {"addmm", addmm_rule, addmm_cpu, NULL, 1};

/* -------------------------------------------------------------------------------------------------------------- batches of matrices */

static int batch_rule(rt_call_frame *c, const RtTensor *a, const RtTensor *b)
{
    if (a->ndim != 3)
        return fail("batch1 must be a 3D tensor");
    if (b->ndim != 3)
        return fail("batch2 must be a 3D tensor");
    if (b->sizes[0] != a->sizes[0] || b->sizes[1] != a->sizes[2]) {
        PyErr_Format(PyExc_RuntimeError, "Expected size for first two dimensions of batch2 tensor to be: [%lld, %lld] but got: [%lld, %lld].",
                     (long long)a->sizes[0], (long long)a->sizes[2], (long long)b->sizes[0], (long long)b->sizes[1]);
        return -1;
    }
    same_device_spec(a, b->dtype, &c->specs[0], 3);
    c->specs[0].sizes[0] = a->sizes[0];
    c->specs[0].sizes[1] = a->sizes[1];
    c->specs[0].sizes[2] = b->sizes[2];
    return 0;
}

static int bmm_rule(rt_call_frame *c)
{
    return batch_rule(c, RT_TENSOR(c->args[0]), RT_TENSOR(c->args[1]));
}

static int bmm_plain(rt_call_frame *c)
{
    RtTensor *a = RT_TENSOR(c->args[0]), *b = RT_TENSOR(c->args[1]);
    if (c->outs[0]->numel == 0 || without_terms(a, c->outs[0]))
        return 0;
    if (a->dtype != b->dtype) {
        PyErr_Format(PyExc_RuntimeError, "expected scalar type %s but found %s", rt_dtype_title(a->dtype), rt_dtype_title(b->dtype));
        return -1;
    }
    return ready("bmm", a, b, c->outs[0]) < 0 ? -1 : product(a, b, c->outs[0], a->sizes[0], ONE, ZERO);
}

static int bmm_cpu(rt_call_frame *c)
{
    return on_plain(c, bmm_plain);
}

const rt_structured_def rt_k_bmm_out = {"bmm", bmm_rule, bmm_cpu, NULL, 1};

static int baddbmm_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *a = RT_TENSOR(c->args[1]), *b = RT_TENSOR(c->args[2]);
    int64_t sizes[3], strides[3];
    if (batch_rule(c, a, b) < 0)
        return -1;
    memcpy(sizes, c->specs[0].sizes, sizeof sizes);
    if (self->ndim > 3)
        return fail("baddbmm: the input must have at most 3 dimensions");
    if (rt_expand_strides(self, 3, sizes, strides) < 0)
        return -1;
    if (self->dtype != a->dtype || a->dtype != b->dtype) {
        PyErr_Format(PyExc_RuntimeError, "Input dtypes must be the same, got: input %s, batch1: %s, batch2: %s",
                     rt_dtype_cpp_title(self->dtype), rt_dtype_cpp_title(a->dtype), rt_dtype_cpp_title(b->dtype));
        return -1;
    }
    return 0;
}

static int baddbmm_plain(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *a = RT_TENSOR(c->args[1]), *b = RT_TENSOR(c->args[2]), *out = c->outs[0];
    rt_factor alpha, beta;
    if (ready("baddbmm", a, b, out) < 0 || read_beta_alpha(c, &beta, &alpha) < 0)
        return -1;
    if (!is_zero(beta) && start_from(self, out) < 0)
        return -1;
    return product(a, b, out, a->sizes[0], alpha, beta);
}

static int baddbmm_cpu(rt_call_frame *c)
{
    return on_plain(c, baddbmm_plain);
}

const rt_structured_def rt_k_baddbmm_out = {"baddbmm", baddbmm_rule, baddbmm_cpu, NULL, 1};

/* ------------------------------------------------------------------------------------------------------------------ matrix, vector */

static int check_mv(const RtTensor *a, const RtTensor *v, int self_ndim, int64_t self_size, int self_dtype)
{
    if (a->ndim != 2 || v->ndim != 1 || self_ndim > 1) {
        PyErr_Format(PyExc_RuntimeError, "vector + matrix @ vector expected, got %d, %d, %d", self_ndim, (int)a->ndim, (int)v->ndim);
        return -1;
    }
    if (self_size < 0)
        self_size = a->sizes[0];
    if (a->sizes[1] != v->sizes[0] || (self_size != 1 && self_size != a->sizes[0])) {
        PyErr_Format(PyExc_RuntimeError, "size mismatch, got input (%lld), mat (%lldx%lld), vec (%lld)", (long long)self_size,
                     (long long)a->sizes[0], (long long)a->sizes[1], (long long)v->sizes[0]);
        return -1;
    }
    if (self_dtype != a->dtype || a->dtype != v->dtype) {
        PyErr_Format(PyExc_RuntimeError, "addmv input tensors must have the same dtype, but got %s, %s, and %s", rt_dtype_title(self_dtype),
                     rt_dtype_title(a->dtype), rt_dtype_title(v->dtype));
        return -1;
    }
    return 0;
}

static int vector_product(RtTensor *a, RtTensor *v, RtTensor *out, rt_factor alpha, rt_factor beta)
{
    if (is_zero(beta) && without_terms(a, out))
        return 0;
    if (ready("addmv_impl_cpu", a, v, out) < 0)
        return -1;
    rt_matrix column = {rt_data(v), v->sizes[0], 1, v->strides[0], 1}, result = {rt_data(out), out->sizes[0], 1, out->strides[0], 1};
    rt_matrix mat = {rt_data(a), a->sizes[0], a->sizes[1], a->strides[0], a->strides[1]};
    int rc;
    if (a->numel < RELEASE) {
        rc = rt_gemm(out->dtype, mat, column, result, alpha, beta);
    } else {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rc = rt_gemm(out->dtype, mat, column, result, alpha, beta);
        RT_END_LOOP_WITHOUT_GIL
    }
    if (rc < 0)
        PyErr_NoMemory();
    return rc;
}

static int addmv_rule(rt_call_frame *c)
{
    RtTensor *self = RT_TENSOR(c->args[0]), *a = RT_TENSOR(c->args[1]), *v = RT_TENSOR(c->args[2]);
    if (check_mv(a, v, self->ndim, self->ndim == 1 ? self->sizes[0] : 1, self->dtype) < 0)
        return -1;
    same_device_spec(a, a->dtype, &c->specs[0], 1);
    c->specs[0].sizes[0] = a->sizes[0];
    return 0;
}

static int addmv_cpu(rt_call_frame *c)
{
    RtTensor *out = c->outs[0];
    rt_factor alpha, beta;
    if (rt_check_cpu(out, "addmv_impl_cpu") < 0 || read_beta_alpha(c, &beta, &alpha) < 0)
        return -1;
    if (!is_zero(beta) && start_from(RT_TENSOR(c->args[0]), out) < 0)
        return -1;
    return vector_product(RT_TENSOR(c->args[1]), RT_TENSOR(c->args[2]), out, alpha, beta);
}

const rt_structured_def rt_k_addmv_out = {"addmv", addmv_rule, addmv_cpu, NULL, 1};

RT_KERNEL(mv)
{
    RtTensor *a = RT_TENSOR(args[0]), *v = RT_TENSOR(args[1]);
    if (check_mv(a, v, 1, -1, v->dtype) < 0)
        return NULL;
    RtTensor *out = rt_empty(1, a->sizes, v->dtype, a->device_type, a->device_index);
    if (out != NULL && a->device_type != RT_DEVICE_META && vector_product(a, v, out, ONE, ZERO) < 0)
        Py_CLEAR(out);
    return (PyObject *)out;
}

RT_KERNEL(mv_out)
{
    return rt_write_out(rt_k_mv(op, ks, args, 2, ctx), args[2]);
}

static PyObject *dot_product(RtTensor *a, RtTensor *b, const char *name, int conjugate)
{
    if (a->ndim != 1 || b->ndim != 1) {
        PyErr_Format(PyExc_RuntimeError, "1D tensors expected, but got %dD and %dD tensors", (int)a->ndim, (int)b->ndim);
        return NULL;
    }
    if (a->dtype != b->dtype) {
        PyErr_Format(PyExc_RuntimeError, "dot : expected both vectors to have same dtype, but found %s and %s", rt_dtype_title(a->dtype),
                     rt_dtype_title(b->dtype));
        return NULL;
    }
    if (a->numel != b->numel) {
        PyErr_Format(PyExc_RuntimeError,
                     "inconsistent tensor size, expected tensor [%lld] and src [%lld] to have the same number of elements, but got %lld and "
                     "%lld elements respectively",
                     (long long)a->numel, (long long)b->numel, (long long)a->numel, (long long)b->numel);
        return NULL;
    }
    if (!rt_has_gemm(a->dtype)) {
        PyErr_Format(PyExc_NotImplementedError, "\"%s\" not implemented for '%s'", name, rt_dtype_title(a->dtype));
        return NULL;
    }
    if (RT_UNLIKELY((a->keys | b->keys) & RT_ZERO_BIT))
        return rt_zero_tensor(0, NULL, a->dtype, a->device_type, a->device_index);
    RtTensor *out = rt_empty(0, NULL, a->dtype, a->device_type, a->device_index);
    if (out == NULL || a->device_type == RT_DEVICE_META)
        return (PyObject *)out;
    /* rt_dot conjugates its first operand, or none: sums of other products are made of these. */
    int first = conjugate ^ rt_is_conj(a), second = rt_is_conj(b);
    conjugate = first ^ second;
    if (second && !first) {
        RtTensor *other = a;
        a = b, b = other;
    }
    if (rt_check_cpu(a, name) < 0 || rt_check_cpu(b, name) < 0) {
        Py_DECREF(out);
        return NULL;
    }
    if (a->numel == 0) {
        memset(rt_data(out), 0, rt_itemsize[a->dtype]);
    } else if (a->numel < RELEASE) {
        rt_dot(a->dtype, a->numel, rt_data(a), a->strides[0], rt_data(b), b->strides[0], conjugate, rt_data(out));
    } else {
        RT_BEGIN_LOOP_WITHOUT_GIL
        rt_dot(a->dtype, a->numel, rt_data(a), a->strides[0], rt_data(b), b->strides[0], conjugate, rt_data(out));
        RT_END_LOOP_WITHOUT_GIL
    }
    if (first && second) /* the conjugate of what was computed */
        out->keys |= RT_FUNCTIONALITY_BIT(RT_KEY_Conjugate);
    return (PyObject *)out;
}

RT_KERNEL(dot)
{
    return dot_product(RT_TENSOR(args[0]), RT_TENSOR(args[1]), "dot", 0);
}

RT_KERNEL(vdot)
{
    return dot_product(RT_TENSOR(args[0]), RT_TENSOR(args[1]), "dot", 1);
}
