/* The one iterator of pointwise CPU loops: broadcasts, orders and joins dimensions, converts operands block by block, splits the work
 * over threads.
 *
 * A loop has the signature of NumPy's ufunc inner loops and works along one dimension. Operands whose dtype differs from the loop's are
 * converted in small blocks on the stack, and inputs that are transposed with respect to the output are turned in tiles; there are no
 * temporaries of a tensor's size. Use: rt_iter_begin, one rt_iter_tensor or
 * rt_iter_value per operand (inputs first, the output last), rt_iter_run.
 */
#ifndef KERNELS_CPU_ITERATOR_H
#define KERNELS_CPU_ITERATOR_H

#include "kernels/shared/promotion.h"

/* `args`, `steps` (bytes): one per operand, inputs before outputs; `n[0]`: length. */
typedef void (*rt_loop_fn)(char **args, const Py_ssize_t *n, const Py_ssize_t *steps, void *data);
typedef struct rt_loop {
    rt_loop_fn fn;
    void *data;
} rt_loop;

enum { RT_ITER_MAX_OPERANDS = 5, RT_ITER_BLOCK = 256, RT_ITER_TILE = 1 << 14, RT_CAST_MAX_HOPS = 4 };

/* A conversion, as loops from one dtype to the next (kernels/cpu/cast.c). No hops: nothing to convert. */
typedef struct rt_cast {
    rt_loop_fn hops[RT_CAST_MAX_HOPS];
    uint8_t sizes[RT_CAST_MAX_HOPS]; /* item size after each hop */
    int nhops;
} rt_cast;

/* Through every dtype of the path, in turn: a value is rounded to each of them. */
void rt_cast_path(rt_cast *cast, int npath, const int *path);
static inline void rt_cast_between(rt_cast *cast, int from, int to) { rt_cast_path(cast, 2, (int[]){from, to}); }
/* Run a conversion of n <= RT_ITER_BLOCK elements. */
void rt_cast_run(const rt_cast *cast, const char *src, Py_ssize_t src_step, char *dst, Py_ssize_t dst_step, Py_ssize_t n);
rt_loop_fn rt_copy_loop(int itemsize); /* unary loop that copies items */

typedef struct rt_iter_operand {
    char *data;
    rt_storage *storage; /* kept alive while the GIL is released; NULL for values */
    rt_cast cast;        /* inputs: memory to loop; output: loop to memory */
    uint8_t item_size;   /* in memory */
    uint8_t loop_size;   /* item size that the loop sees */
    _Alignas(16) char value[16];
} rt_iter_operand;

typedef struct rt_iter {
    int ndim, noperands, converts;
    int64_t numel;
    int64_t sizes[RT_MAX_DIM]; /* after rt_iter_run has ordered them: fastest dimension first */
    rt_iter_operand operands[RT_ITER_MAX_OPERANDS];
    int64_t strides[RT_ITER_MAX_OPERANDS][RT_MAX_DIM]; /* in bytes */
} rt_iter;

void rt_iter_begin(rt_iter *it, int ndim, const int64_t *sizes);
/* Add an operand: the path are the dtypes between memory and loop, in the direction of the data; its memory must have been checked. */
void rt_iter_tensor(rt_iter *it, const RtTensor *t, int npath, const int *path);
/* Add an operand that is one value: `data` holds path[0], the loop sees path[npath - 1]. */
void rt_iter_value(rt_iter *it, const void *data, int npath, const int *path);
void rt_iter_run(rt_iter *it, rt_loop loop);

#endif
