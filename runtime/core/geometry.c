/* The geometry of tensors: checks of sizes, bytes that they need, the flags that say how elements lie, dimension numbers.
 *
 * Flags are derived from sizes and strides whenever those change (rt_refresh_flags), so that asking for them costs nothing.
 */
#include "runtime/core/alloc.h"

static void append(char *text, size_t room, const char *format, long long value)
{
    size_t used = strlen(text);
    if (used + 32 < room)
        snprintf(text + used, room - used, format, value);
}

/* Put "[2, 3]" for the sizes into an error message. */
static void format_sizes(char *text, size_t room, int ndim, const int64_t *sizes)
{
    strcpy(text, "[");
    for (int i = 0; i < ndim; i++)
        append(text, room, i ? ", %lld" : "%lld", (long long)sizes[i]);
    strcat(text, "]");
}

int rt_check_sizes(int ndim, const int64_t *sizes)
{
    int64_t numel = 1, span = 1;
    int numel_overflows = 0, stride_overflows = 0;
    for (int i = ndim - 1; i >= 0; i--) {
        if (RT_UNLIKELY(sizes[i] < 0)) {
            char text[2048];
            format_sizes(text, sizeof text, ndim, sizes);
            PyErr_Format(PyExc_RuntimeError, "Trying to create tensor with negative dimension %lld: %s", (long long)sizes[i], text);
            return -1;
        }
        numel_overflows |= __builtin_mul_overflow(numel, sizes[i], &numel);
        if (i > 0)
            stride_overflows |= __builtin_mul_overflow(span, sizes[i] > 1 ? sizes[i] : 1, &span);
    }
    if (RT_UNLIKELY(numel_overflows)) {
        /* A size of zero makes the product zero whatever the others are. */
        int empty = 0;
        for (int i = 0; i < ndim; i++)
            empty |= sizes[i] == 0;
        if (!empty) {
            char text[2048];
            format_sizes(text, sizeof text, ndim, sizes);
            PyErr_Format(PyExc_RuntimeError, "Storage size calculation overflowed with sizes=%s", text);
            return -1;
        }
    }
    if (RT_UNLIKELY(stride_overflows)) {
        PyErr_SetString(PyExc_RuntimeError, "Stride calculation overflowed");
        return -1;
    }
    return 0;
}

int64_t rt_storage_bytes(int ndim, const int64_t *sizes, const int64_t *strides, int64_t offset, int itemsize)
{
    int64_t last = offset, bytes;
    int overflows = 0;
    for (int i = 0; i < ndim; i++) {
        int64_t step;
        if (sizes[i] == 0)
            return 0;
        overflows |= __builtin_mul_overflow(sizes[i] - 1, strides[i], &step);
        overflows |= __builtin_add_overflow(last, step, &last);
    }
    overflows |= __builtin_add_overflow(last, 1, &last);
    overflows |= __builtin_mul_overflow(last, itemsize, &bytes);
    if (overflows) {
        char text[2048];
        format_sizes(text, sizeof text, ndim, sizes);
        PyErr_Format(PyExc_RuntimeError, "Storage size calculation overflowed with sizes=%s", text);
        return -1;
    }
    return bytes;
}

/* Whether the strides are those of a contiguous tensor whose dimensions are laid out in `order`, innermost first. */
static int is_contiguous_in(const RtTensor *t, const uint8_t *order, int n)
{
    int64_t expected = 1;
    for (int i = 0; i < n; i++) {
        int d = order[i];
        if (t->sizes[d] != 1) {
            if (t->strides[d] != expected)
                return 0;
            expected *= t->sizes[d];
        }
    }
    return 1;
}

static int is_dense(const RtTensor *t)
{
    /* Dimensions by stride, those of size one or zero last: a dense tensor's strides then multiply up. */
    uint8_t perm[RT_MAX_DIM];
    int n = t->ndim;
    for (int i = 0; i < n; i++) {
        int j = i;
        for (; j > 0; j--) {
            int p = perm[j - 1];
            if (!(t->sizes[p] < 2 ? t->sizes[i] >= 2 : t->sizes[i] >= 2 && t->strides[i] < t->strides[p]))
                break;
            perm[j] = perm[j - 1];
        }
        perm[j] = (uint8_t)i;
    }
    int64_t expected = 1;
    for (int i = 0; i < n; i++) {
        int d = perm[i];
        if (t->sizes[d] < 2)
            return 1;
        if (t->strides[d] != expected)
            return 0;
        expected *= t->sizes[d];
    }
    return 1;
}

enum { GEOMETRY_FLAGS = RT_T_CONTIGUOUS | RT_T_CHANNELS_LAST | RT_T_CHANNELS_LAST_3D | RT_T_DENSE };

void rt_refresh_flags(RtTensor *t)
{
    static const uint8_t nhwc[] = {1, 3, 2, 0}, ndhwc[] = {1, 4, 3, 2, 0};
    uint32_t flags = t->flags & ~(uint32_t)GEOMETRY_FLAGS;
    int64_t expected = 1, numel = 1;
    int contiguous = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        int64_t size = t->sizes[i];
        if (size != 1) {
            contiguous &= t->strides[i] == expected;
            expected = (int64_t)((uint64_t)expected * (uint64_t)size);
        }
        numel = (int64_t)((uint64_t)numel * (uint64_t)size);
    }
    t->numel = numel;
    if (contiguous || numel == 0)
        flags |= RT_T_CONTIGUOUS | RT_T_DENSE;
    if (t->ndim == 4 && is_contiguous_in(t, nhwc, 4))
        flags |= RT_T_CHANNELS_LAST | RT_T_DENSE;
    else if (t->ndim == 5 && is_contiguous_in(t, ndhwc, 5))
        flags |= RT_T_CHANNELS_LAST_3D | RT_T_DENSE;
    if (!(flags & RT_T_DENSE) && is_dense(t))
        flags |= RT_T_DENSE;
    t->flags = flags;
}

void rt_set_contiguous(RtTensor *t, const int64_t *sizes)
{
    int64_t stride = 1, numel = 1;
    for (int i = t->ndim - 1; i >= 0; i--) {
        int64_t size = sizes[i];
        t->sizes[i] = size;
        t->strides[i] = stride;
        stride *= size > 1 ? size : 1;
        numel *= size;
    }
    t->numel = numel;
    if (RT_LIKELY(t->ndim < 4))
        t->flags |= RT_T_CONTIGUOUS | RT_T_DENSE;
    else
        rt_refresh_flags(t);
}

int64_t rt_wrap_dim(int64_t dim, int64_t ndim)
{
    int64_t n = ndim > 0 ? ndim : 1; /* a 0-d tensor takes 0 and -1 */
    if (RT_UNLIKELY(dim < -n || dim >= n)) {
        PyErr_Format(PyExc_IndexError, "Dimension out of range (expected to be in range of [%lld, %lld], but got %lld)", (long long)-n,
                     (long long)(n - 1), (long long)dim);
        return -1;
    }
    return dim < 0 ? dim + n : dim;
}
