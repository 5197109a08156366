/* Copies between strided places: see copying.h. */
#include "kernels/shared/copying.h"

#include "kernels/shared/threads.h"

#include <string.h>

static void copy_row(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t n, int itemsize)
{
    if (to_step == itemsize && from_step == itemsize) {
        memcpy(to, from, (size_t)n * itemsize);
        return;
    }
    switch (itemsize) {
#define ROW(bytes, type)                                                \
    case bytes:                                                         \
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step) \
            *(type *)to = *(const type *)from;                          \
        return;
    ROW(1, uint8_t)
    ROW(2, uint16_t)
    ROW(4, uint32_t)
    ROW(8, uint64_t)
#undef ROW
    default:
        for (int64_t i = 0; i < n; i++, to += to_step, from += from_step)
            memcpy(to, from, itemsize);
    }
}

void rt_copy_plan(rt_copy *copy, int ndim, const int64_t *sizes, const int64_t *to_strides, const int64_t *from_strides, int itemsize)
{
    int n = 0;
    copy->numel = 1;
    copy->itemsize = itemsize;
    for (int d = 0; d < ndim; d++) {
        copy->numel *= sizes[d];
        if (sizes[d] == 1)
            continue;
        int64_t t = to_strides[d] * itemsize, f = from_strides[d] * itemsize;
        if (n > 0 && copy->to[n - 1] == t * sizes[d] && copy->from[n - 1] == f * sizes[d])
            copy->sizes[n - 1] *= sizes[d];
        else
            copy->sizes[n++] = sizes[d];
        copy->to[n - 1] = t;
        copy->from[n - 1] = f;
    }
    copy->ndim = n;
}

/* Elements [begin, end), in the order of the dimensions. */
static void copy_range(const rt_copy *copy, char *to, const char *from, int64_t begin, int64_t end)
{
    int64_t index[RT_MAX_DIM], rest = begin;
    int last = copy->ndim - 1;
    for (int d = last; d >= 0; d--) {
        index[d] = 0;
        if (rest > 0) {
            index[d] = rest % copy->sizes[d];
            rest /= copy->sizes[d];
            to += index[d] * copy->to[d];
            from += index[d] * copy->from[d];
        }
    }
    for (;;) {
        int64_t n = copy->sizes[last] - index[last];
        n = n < end - begin ? n : end - begin;
        copy_row(to, copy->to[last], from, copy->from[last], n, copy->itemsize);
        if ((begin += n) >= end)
            return;
        to -= index[last] * copy->to[last];
        from -= index[last] * copy->from[last];
        index[last] = 0;
        for (int d = last - 1;; d--) {
            to += copy->to[d];
            from += copy->from[d];
            if (++index[d] < copy->sizes[d])
                break;
            to -= index[d] * copy->to[d];
            from -= index[d] * copy->from[d];
            index[d] = 0;
        }
    }
}

void rt_copy_run(const rt_copy *copy, char *to, const char *from)
{
    if (copy->numel == 0)
        return;
    if (copy->ndim == 0)
        memcpy(to, from, copy->itemsize);
    else if (copy->ndim == 1)
        copy_row(to, copy->to[0], from, copy->from[0], copy->sizes[0], copy->itemsize);
    else
        copy_range(copy, to, from, 0, copy->numel);
}

typedef struct copy_job {
    const rt_copy *copy;
    char *to;
    const char *from;
} copy_job;

static void copy_part(int64_t begin, int64_t end, void *ctx)
{
    const copy_job *job = ctx;
    copy_range(job->copy, job->to, job->from, begin, end);
}

void rt_copy_elements(int ndim, const int64_t *sizes, char *to, const int64_t *to_strides, const char *from, const int64_t *from_strides,
                      int itemsize)
{
    rt_copy copy;
    rt_copy_plan(&copy, ndim, sizes, to_strides, from_strides, itemsize);
    if (copy.numel * itemsize < 2 * RT_COPY_GRAIN) {
        rt_copy_run(&copy, to, from);
        return;
    }
    /* An element of a strided row costs as much as several of a contiguous one. */
    int last = copy.ndim - 1, adjacent = copy.to[last] == itemsize && copy.from[last] == itemsize;
    copy_job job = {&copy, to, from};
    rt_parallel_for(copy.numel, adjacent ? RT_COPY_GRAIN / itemsize : RT_GRAIN / 2, copy_part, &job);
}

static void copy_bytes(int64_t begin, int64_t end, void *ctx)
{
    const copy_job *job = ctx;
    memcpy(job->to + begin, job->from + begin, end - begin);
}

void rt_copy_bytes(char *to, const char *from, int64_t n)
{
    copy_job job = {NULL, to, from};
    if (to < from + n && from < to + n)
        memmove(to, from, n);
    else if (n < 2 * RT_COPY_GRAIN)
        memcpy(to, from, n);
    else
        rt_parallel_for(n, RT_COPY_GRAIN, copy_bytes, &job);
}
