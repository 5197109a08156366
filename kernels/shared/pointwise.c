/* The rule of pointwise operators: devices, dtypes, shapes and result strides. See pointwise.h. */
#include "kernels/shared/pointwise.h"
#include "kernels/shared/geometry.h"

/* Should dimension a stand after (1) or before (-1) dimension b; 0 where the operands do not say. */
static int compare_dims(int a, int b, const int64_t *sizes, int noperands, const int64_t (*strides)[RT_MAX_DIM])
{
    for (int i = 0; i < noperands; i++) {
        int64_t stride_a = strides[i][a], stride_b = strides[i][b];
        if (stride_a == 0 || stride_b == 0)
            continue;
        if (stride_a != stride_b)
            return stride_a < stride_b ? -1 : 1;
        if (sizes[a] > sizes[b])
            return 1;
    }
    return 0;
}

/* An insertion sort, because the comparison is not transitive: another algorithm would order ambiguous cases otherwise. */
void rt_order_dims(int ndim, const int64_t *sizes, int noperands, const int64_t (*strides)[RT_MAX_DIM], int *order)
{
    for (int i = 0; i < ndim; i++)
        order[i] = ndim - 1 - i;
    for (int i = 1; i < ndim; i++) {
        int moving = i;
        for (int j = i - 1; j >= 0; j--) {
            int comparison = compare_dims(order[j], order[moving], sizes, noperands, strides);
            if (comparison > 0) {
                int other = order[j];
                order[j] = order[moving];
                order[moving] = other;
                moving = j;
            } else if (comparison < 0) {
                break;
            }
        }
    }
}

static int same_sizes(int ndim, const int64_t *sizes, const RtTensor *t)
{
    return t->ndim == ndim && memcmp(t->sizes, sizes, sizeof(int64_t) * (size_t)ndim) == 0;
}

int rt_result_strides(int ndim, const int64_t *sizes, int ntensors, RtTensor *const *tensors, int64_t *strides)
{
    uint32_t shared_flags = ~(uint32_t)0;
    int same_strides = ntensors > 0;
    for (int i = 0; i < ntensors; i++) {
        if (!same_sizes(ndim, sizes, tensors[i])) {
            shared_flags = 0;
            same_strides = 0;
            break;
        }
        shared_flags &= tensors[i]->flags;
        same_strides &= memcmp(tensors[i]->strides, tensors[0]->strides, sizeof(int64_t) * (size_t)ndim) == 0;
    }
    if (ntensors == 0 || shared_flags & RT_T_CONTIGUOUS || ndim < 2)
        return 0;
    if (same_strides && shared_flags & RT_T_DENSE && !(shared_flags & RT_T_CHANNELS_LAST)) {
        memcpy(strides, tensors[0]->strides, sizeof(int64_t) * (size_t)ndim);
        return 1;
    }
    int order[RT_MAX_DIM];
    if (shared_flags & RT_T_CHANNELS_LAST && ndim == 4) {
        memcpy(order, (int[]){1, 3, 2, 0}, 4 * sizeof(int));
    } else {
        int64_t input_strides[RT_PW_MAX_INPUTS][RT_MAX_DIM];
        for (int i = 0; i < ntensors; i++) {
            int missing = ndim - tensors[i]->ndim;
            for (int d = 0; d < ndim; d++) {
                int own = d - missing;
                int broadcast = own < 0 || (tensors[i]->sizes[own] == 1 && sizes[d] != 1);
                input_strides[i][d] = broadcast ? 0 : tensors[i]->strides[own] * rt_itemsize[tensors[i]->dtype];
            }
        }
        rt_order_dims(ndim, sizes, ntensors, input_strides, order);
    }
    int contiguous = 1;
    int64_t stride = 1;
    for (int i = 0; i < ndim; i++) {
        contiguous &= order[i] == ndim - 1 - i;
        strides[order[i]] = stride;
        stride *= sizes[order[i]] > 1 ? sizes[order[i]] : 1;
    }
    return !contiguous;
}

static int read_inputs(rt_pointwise *p, int nin, PyObject *const *inputs)
{
    p->nin = nin;
    for (int i = 0; i < nin; i++) {
        p->in[i].tensor = NULL;
        if (rt_is_tensor(inputs[i]))
            p->in[i].tensor = RT_TENSOR(inputs[i]);
        else if (rt_read_number(inputs[i], &p->in[i].number) < 0)
            return -1;
    }
    return 0;
}

/* The device of the first operand that is not a 0-d CPU tensor; such scalars may stand beside tensors of any device. */
static int find_device(rt_call_frame *c, const rt_pointwise *p, int *type, int *index)
{
    const RtTensor *operands[RT_PW_MAX_INPUTS + 1];
    int n = 0;
    if (c->outs[0] != NULL)
        operands[n++] = c->outs[0];
    for (int i = 0; i < p->nin; i++)
        if (p->in[i].tensor != NULL && (Py_ssize_t)n <= RT_PW_MAX_INPUTS)
            operands[n++] = p->in[i].tensor;
    *type = RT_DEVICE_CPU;
    *index = -1;
    const RtTensor *leader = NULL;
    for (int i = 0; i < n; i++) {
        const RtTensor *t = operands[i];
        int scalar = t->ndim == 0 && t->device_type == RT_DEVICE_CPU && !(i == 0 && c->outs[0] != NULL);
        if (leader == NULL && !scalar)
            leader = t;
    }
    if (leader == NULL)
        for (int i = 0; i < n && leader == NULL; i++)
            leader = operands[i];
    if (leader == NULL)
        return 0;
    *type = leader->device_type;
    *index = leader->device_index;
    for (int i = 0; i < n; i++) {
        const RtTensor *t = operands[i];
        int scalar = t->ndim == 0 && t->device_type == RT_DEVICE_CPU && !(i == 0 && c->outs[0] != NULL);
        if (scalar || (t->device_type == *type && t->device_index == *index))
            continue;
        PyObject *expected = rt_format_device(*type, *index), *found = rt_format_device(t->device_type, t->device_index);
        if (expected != NULL && found != NULL)
            PyErr_Format(PyExc_RuntimeError,
                         "Expected all tensors to be on the same device, but found at least two devices, %U and %U!", expected, found);
        Py_XDECREF(expected);
        Py_XDECREF(found);
        return -1;
    }
    return 0;
}

static int find_dtypes(rt_pointwise *p, int flags)
{
    int first = flags & RT_PW_CONDITION ? 1 : 0;
    const RtTensor *t = p->in[first].tensor;
    int common = t != NULL && !(t->flags & RT_T_WRAPPED_NUMBER) ? t->dtype : RT_UNDEFINED_DTYPE;
    for (int i = first + 1; i < p->nin && common >= 0; i++) {
        const RtTensor *other = p->in[i].tensor;
        if (other == NULL || other->dtype != common || other->flags & RT_T_WRAPPED_NUMBER)
            common = RT_UNDEFINED_DTYPE;
    }
    if (common < 0) {
        rt_result_type_state state = RT_RESULT_TYPE_START;
        for (int i = first; i < p->nin; i++) {
            int failed = p->in[i].tensor != NULL ? rt_result_type_add(&state, p->in[i].tensor)
                                                 : rt_result_type_add_number(&state, p->in[i].number.dtype);
            if (failed < 0)
                return -1;
        }
        common = rt_result_type(&state);
        if (common < 0)
            return -1;
    }
    if (flags & RT_PW_INT_TO_FLOAT && rt_is_integral(common, 1))
        common = rt_default_dtype;
    p->common = common;
    p->result = rt_pointwise_result(flags, common);
    return 0;
}

static int check_overlaps(const RtTensor *out, const rt_pointwise *p)
{
    if (rt_check_no_internal_overlap(out) < 0)
        return -1;
    for (int i = 0; i < p->nin; i++)
        if (p->in[i].tensor != NULL && rt_check_no_partial_overlap(out, p->in[i].tensor) < 0)
            return -1;
    return 0;
}

int rt_pointwise_rule(rt_call_frame *c, rt_pointwise_op *op, int flags, int nin, PyObject *const *inputs)
{
    rt_pointwise *p = rt_pointwise_of(c);
    rt_out_spec *spec = &c->specs[0];
    RtTensor *out = c->outs[0], *tensors[RT_PW_MAX_INPUTS];
    int ntensors = 0;
    p->op = op;
    if (read_inputs(p, nin, inputs) < 0)
        return -1;
    if (out != NULL && check_overlaps(out, p) < 0)
        return -1;
    spec->ndim = 0;
    spec->has_strides = 0;
    for (int i = 0; i < nin; i++) {
        RtTensor *t = p->in[i].tensor;
        if (t == NULL)
            continue;
        tensors[ntensors++] = t;
        if (rt_broadcast_into(&spec->ndim, spec->sizes, t->ndim, t->sizes) < 0)
            return -1;
    }
    if (find_device(c, p, &spec->device_type, &spec->device_index) < 0 || find_dtypes(p, flags) < 0)
        return -1;
    spec->dtype = p->result;
    if (out != NULL) {
        spec->dtype = out->dtype;
        if (flags & RT_PW_SAME_DTYPE && out->dtype != p->result) {
            PyErr_Format(PyExc_RuntimeError, "Found dtype %s but expected %s", rt_dtype_title(out->dtype),
                         rt_dtype_title(p->result));
            return -1;
        }
        if (!(flags & RT_PW_BOOL_RESULT) && rt_check_can_cast(p->result, out->dtype) < 0)
            return -1;
        if (same_sizes(spec->ndim, spec->sizes, out))
            return 0;
        if (c->variant == RT_INPLACE)
            return rt_refuse_broadcast(out, spec->ndim, spec->sizes);
    }
    spec->has_strides = rt_result_strides(spec->ndim, spec->sizes, ntensors, tensors, spec->strides);
    return 0;
}
