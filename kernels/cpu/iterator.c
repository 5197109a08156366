/* See iterator.h. Order and joining of dimensions follow TensorIterator, the output's strides first. */
#include "kernels/cpu/iterator.h"
#include "kernels/cpu/turn.h"
#include "kernels/shared/gil.h"
#include "kernels/shared/pointwise.h"
#include "kernels/shared/threads.h"

void rt_iter_begin(rt_iter *it, int ndim, const int64_t *sizes)
{
    it->ndim = ndim;
    it->noperands = it->converts = 0;
    it->numel = 1;
    for (int d = 0; d < ndim; d++) {
        it->sizes[d] = sizes[d];
        it->numel *= sizes[d];
    }
}

void rt_iter_value(rt_iter *it, const void *data, int npath, const int *path)
{
    int i = it->noperands++;
    rt_iter_operand *o = &it->operands[i];
    rt_cast cast;
    rt_cast_path(&cast, npath, path);
    if (cast.nhops)
        rt_cast_run(&cast, data, 0, o->value, 0, 1);
    else
        memcpy(o->value, data, rt_itemsize[path[0]]);
    o->data = o->value;
    o->storage = NULL;
    o->cast.nhops = 0;
    o->item_size = rt_itemsize[path[0]];
    o->loop_size = rt_itemsize[path[npath - 1]];
    for (int d = 0; d < it->ndim; d++)
        it->strides[i][d] = 0;
}

void rt_iter_tensor(rt_iter *it, const RtTensor *t, int npath, const int *path)
{
    if (t->numel == 1 && it->numel != 1 && path[0] == t->dtype) {
        rt_iter_value(it, rt_data(t), npath, path);
        return;
    }
    int i = it->noperands++, itemsize = rt_itemsize[t->dtype];
    rt_iter_operand *o = &it->operands[i];
    o->data = rt_data(t);
    o->storage = t->storage;
    rt_cast_path(&o->cast, npath, path);
    o->item_size = (uint8_t)itemsize;
    o->loop_size = rt_itemsize[path[0] == t->dtype ? path[npath - 1] : path[0]];
    it->converts |= o->cast.nhops > 0;
    int missing = it->ndim - t->ndim;
    for (int d = 0; d < it->ndim; d++) {
        int own = d - missing;
        it->strides[i][d] = own < 0 || t->sizes[own] == 1 ? 0 : t->strides[own] * itemsize;
    }
}

/* Dimensions from fastest to slowest, the ones of size one dropped, neighbours that all operands walk through evenly joined. */
static void order_and_join(rt_iter *it)
{
    int n = it->noperands, ndim = 0;
    if (it->ndim > 1) {
        int64_t by_priority[RT_ITER_MAX_OPERANDS][RT_MAX_DIM], sizes[RT_MAX_DIM];
        int order[RT_MAX_DIM];
        size_t bytes = sizeof(int64_t) * (size_t)it->ndim;
        memcpy(by_priority[0], it->strides[n - 1], bytes);
        for (int i = 0; i + 1 < n; i++)
            memcpy(by_priority[i + 1], it->strides[i], bytes);
        rt_order_dims(it->ndim, it->sizes, n, by_priority, order);
        memcpy(sizes, it->sizes, bytes);
        for (int d = 0; d < it->ndim; d++) {
            it->sizes[d] = sizes[order[d]];
            for (int i = 0; i < n; i++)
                it->strides[i][d] = by_priority[i == n - 1 ? 0 : i + 1][order[d]];
        }
    }
    for (int d = 0; d < it->ndim; d++) {
        if (it->sizes[d] == 1)
            continue;
        int joins = ndim > 0;
        for (int i = 0; i < n && joins; i++)
            joins = it->strides[i][d] == it->strides[i][ndim - 1] * it->sizes[ndim - 1];
        if (joins) {
            it->sizes[ndim - 1] *= it->sizes[d];
            continue;
        }
        it->sizes[ndim] = it->sizes[d];
        for (int i = 0; i < n; i++)
            it->strides[i][ndim] = it->strides[i][d];
        ndim++;
    }
    if (ndim == 0) {
        it->sizes[0] = 1;
        for (int i = 0; i < n; i++)
            it->strides[i][0] = 0;
        ndim = 1;
    }
    it->ndim = ndim;
}

/* One stretch along the fastest dimension, in blocks, with conversions around the loop. */
static void run_converting(const rt_iter *it, rt_loop loop, char *const *data, const Py_ssize_t *steps, int64_t length)
{
    int n = it->noperands, last = n - 1;
    _Alignas(64) char blocks[RT_ITER_MAX_OPERANDS][RT_ITER_BLOCK * 16];
    char *args[RT_ITER_MAX_OPERANDS];
    Py_ssize_t loop_steps[RT_ITER_MAX_OPERANDS];
    for (int64_t begin = 0; begin < length; begin += RT_ITER_BLOCK) {
        Py_ssize_t count = length - begin < RT_ITER_BLOCK ? length - begin : RT_ITER_BLOCK;
        for (int i = 0; i < n; i++) {
            const rt_iter_operand *o = &it->operands[i];
            args[i] = data[i] + begin * steps[i];
            loop_steps[i] = steps[i];
            if (o->cast.nhops == 0)
                continue;
            loop_steps[i] = i == last || steps[i] != 0 ? o->loop_size : 0;
            if (i != last)
                rt_cast_run(&o->cast, args[i], steps[i], blocks[i], loop_steps[i], steps[i] != 0 ? count : 1);
            args[i] = blocks[i];
        }
        loop.fn(args, &count, loop_steps, loop.data);
        const rt_cast *out = &it->operands[last].cast;
        if (out->nhops)
            rt_cast_run(out, blocks[last], loop_steps[last], data[last] + begin * steps[last], steps[last], count);
    }
}

/* One stretch along the fastest dimension. */
static inline void run_stretch(const rt_iter *it, rt_loop loop, char *const *data, const Py_ssize_t *steps, int64_t length)
{
    if (it->converts) {
        run_converting(it, loop, data, steps, length);
    } else {
        Py_ssize_t n = length;
        char *args[RT_ITER_MAX_OPERANDS]; /* a loop may change the array of pointers */
        memcpy(args, data, sizeof args);
        loop.fn(args, &n, steps, loop.data);
    }
}

typedef struct rt_iter_job {
    const rt_iter *it;
    rt_loop loop;
    unsigned turned;         /* of a run in tiles: inputs that are turned, as bits */
    int64_t rows, cols;      /* of a tile, along dimensions 1 and 0 */
    int64_t down, across;    /* tiles along these dimensions */
    int joins;               /* the rows of a tile make one stretch */
} rt_iter_job;

/* Elements begin..end of the iteration, counted with the fastest dimension first. */
static void run_range(int64_t begin, int64_t end, void *ctx)
{
    const rt_iter *it = ((rt_iter_job *)ctx)->it;
    rt_loop loop = ((rt_iter_job *)ctx)->loop;
    int n = it->noperands;
    int64_t index[RT_MAX_DIM];
    char *data[RT_ITER_MAX_OPERANDS];
    Py_ssize_t steps[RT_ITER_MAX_OPERANDS];
    for (int i = 0; i < n; i++) {
        data[i] = it->operands[i].data;
        steps[i] = it->strides[i][0];
    }
    int64_t rest = begin;
    for (int d = 0; d < it->ndim; d++) {
        index[d] = rest % it->sizes[d];
        rest /= it->sizes[d];
        for (int i = 0; i < n; i++)
            data[i] += index[d] * it->strides[i][d];
    }
    while (begin < end) {
        Py_ssize_t length = it->sizes[0] - index[0];
        if (length > end - begin)
            length = end - begin;
        run_stretch(it, loop, data, steps, length);
        begin += length;
        if (begin >= end)
            break;
        for (int i = 0; i < n; i++)
            data[i] -= index[0] * steps[i];
        index[0] = 0;
        for (int d = 1; d < it->ndim; d++) {
            if (++index[d] < it->sizes[d]) {
                for (int i = 0; i < n; i++)
                    data[i] += it->strides[i][d];
                break;
            }
            for (int i = 0; i < n; i++)
                data[i] -= (it->sizes[d] - 1) * it->strides[i][d];
            index[d] = 0;
        }
    }
}

/* Whether to go in tiles: the output runs along dimension 0, and inputs run along another one, which becomes dimension 1. */
static int plan_tiles(rt_iter *it, rt_iter_job *job)
{
    enum { LEAST = 4, ROWS = 32, COLS = 128 };
    int last = it->noperands - 1, along = 0, widest = 1;
    if (it->ndim < 2 || it->sizes[0] < LEAST || it->strides[last][0] != it->operands[last].item_size)
        return 0;
    for (int i = 0; i < last && along == 0; i++)
        for (int d = 1; d < it->ndim && it->strides[i][0] != 0; d++)
            if (it->strides[i][d] == it->operands[i].item_size && it->sizes[d] >= LEAST)
                along = d;
    if (along == 0)
        return 0;
    int64_t size = it->sizes[1];
    it->sizes[1] = it->sizes[along];
    it->sizes[along] = size;
    job->turned = 0;
    job->joins = 1;
    for (int i = 0; i <= last; i++) {
        int64_t stride = it->strides[i][1];
        it->strides[i][1] = it->strides[i][along];
        it->strides[i][along] = stride;
        int item_size = it->operands[i].item_size;
        if (i < last && it->strides[i][1] == item_size && it->strides[i][0] != item_size && it->strides[i][0] != 0) {
            job->turned |= 1u << i;
            widest = item_size > widest ? item_size : widest;
        } else {
            job->joins &= it->strides[i][1] == it->strides[i][0] * it->sizes[0];
        }
    }
    int64_t most = RT_ITER_TILE / (widest > 4 ? widest : 4);
    job->across = (it->sizes[0] + COLS - 1) / COLS;
    job->cols = (it->sizes[0] + job->across - 1) / job->across;
    if (job->across > 1) {
        job->cols = (job->cols + 15) & ~(int64_t)15;
        job->joins = 0;
    }
    job->rows = most / job->cols / 16 * 16;
    job->rows = job->rows > it->sizes[1] ? it->sizes[1] : job->rows < 8 ? 8 : job->rows;
    job->down = (it->sizes[1] + job->rows - 1) / job->rows;
    return 1;
}

/* Whether to go in strips along dimension 1, which becomes dimension 0: the fastest dimension is so short that starting a loop costs more
 * than its elements. A strip stays in the cache for as many runs as that dimension has elements. */
static int plan_strips(rt_iter *it, rt_iter_job *job)
{
    enum { SHORT = 8, STRIP = 1024 };
    int64_t count = it->sizes[0], length = it->sizes[1];
    if (it->noperands < 2 || count >= SHORT || length < 2 * SHORT)
        return 0;
    it->sizes[0] = length;
    it->sizes[1] = count;
    for (int i = 0; i < it->noperands; i++) {
        int64_t stride = it->strides[i][0];
        it->strides[i][0] = it->strides[i][1];
        it->strides[i][1] = stride;
    }
    job->turned = 0;
    job->joins = 0;
    job->rows = count;
    job->cols = length < STRIP ? length : STRIP;
    job->down = 1;
    job->across = (length + job->cols - 1) / job->cols;
    return 1;
}

/* Tiles begin..end, those along dimension 0 first. */
static void run_tiles(int64_t begin, int64_t end, void *ctx)
{
    const rt_iter_job *job = ctx;
    const rt_iter *it = job->it;
    int n = it->noperands;
    _Alignas(64) char turned[RT_ITER_MAX_OPERANDS - 1][RT_ITER_TILE];
    for (int64_t tile = begin; tile < end; tile++) {
        int64_t col = tile % job->across * job->cols, rest = tile / job->across, row = rest % job->down * job->rows;
        int64_t cols = it->sizes[0] - col < job->cols ? it->sizes[0] - col : job->cols;
        int64_t rows = it->sizes[1] - row < job->rows ? it->sizes[1] - row : job->rows;
        char *data[RT_ITER_MAX_OPERANDS];
        Py_ssize_t steps[RT_ITER_MAX_OPERANDS], pitches[RT_ITER_MAX_OPERANDS];
        for (int i = 0; i < n; i++) {
            data[i] = it->operands[i].data + col * it->strides[i][0] + row * it->strides[i][1];
            steps[i] = it->strides[i][0];
            pitches[i] = it->strides[i][1];
        }
        rest /= job->down;
        for (int d = 2; d < it->ndim; d++) {
            for (int i = 0; i < n; i++)
                data[i] += rest % it->sizes[d] * it->strides[i][d];
            rest /= it->sizes[d];
        }
        for (int i = 0; i < n; i++) {
            if (!(job->turned >> i & 1))
                continue;
            int size = it->operands[i].item_size;
            rt_turn(turned[i], cols, data[i], steps[i], rows, cols, size);
            data[i] = turned[i];
            steps[i] = size;
            pitches[i] = cols * size;
        }
        if (job->joins) {
            run_stretch(it, job->loop, data, steps, rows * cols);
            continue;
        }
        for (int64_t r = 0; r < rows; r++) {
            run_stretch(it, job->loop, data, steps, cols);
            for (int i = 0; i < n; i++)
                data[i] += pitches[i];
        }
    }
}

void rt_iter_run(rt_iter *it, rt_loop loop)
{
    if (it->numel == 0)
        return;
    order_and_join(it);
    rt_iter_job job = {.it = it, .loop = loop};
    rt_range_fn run = run_range;
    int64_t units = it->numel, grain = RT_GRAIN / 2;
    if (it->ndim > 1 && (plan_tiles(it, &job) || plan_strips(it, &job))) {
        run = run_tiles;
        units = job.across * job.down;
        for (int d = 2; d < it->ndim; d++)
            units *= it->sizes[d];
        grain = grain / (job.rows * job.cols) + 1;
    }
    if (it->numel < RT_GRAIN) {
        run(0, units, &job);
        return;
    }
    for (int i = 0; i < it->noperands; i++)
        if (it->operands[i].storage != NULL)
            rt_storage_incref(it->operands[i].storage);
    RT_BEGIN_LOOP_WITHOUT_GIL
    rt_parallel_for(units, grain, run, &job);
    RT_END_LOOP_WITHOUT_GIL
    for (int i = 0; i < it->noperands; i++)
        if (it->operands[i].storage != NULL)
            rt_storage_decref(it->operands[i].storage);
}
