/* Pooling over windows of up to three dimensions of space. A plane is the space of one channel of one item.
 *
 * Which elements a window has is separable: for each dimension a table gives, for every place of the result, the first element, how many
 * there are (`step` apart), and that dimension's factor of the divisor of a mean.
 */
#ifndef KERNELS_CPU_POOLING_H
#define KERNELS_CPU_POOLING_H

#include <stdint.h>

typedef struct rt_window {
    int64_t begin, count, divisor;
} rt_window;

typedef struct rt_pool {
    int64_t planes, in[3], out[3], step[3];
    const rt_window *windows[3];
    int64_t divisor; /* of every mean, or 0: the product of the windows' */
    int dtype;
    const char *from;
    char *to;
    int64_t *indices; /* of maxima, in the plane; may be NULL */
} rt_pool;

/* A function over planes [begin, end), or NULL where there is none for the dtype. */
typedef void (*rt_pool_fn)(int64_t begin, int64_t end, void *pool);
rt_pool_fn rt_max_pool_loop(int dtype);
rt_pool_fn rt_avg_pool_loop(int dtype);
/* `from` is the gradient of the result, `to` (zeroed) that of the input; float32 and float64 only. */
rt_pool_fn rt_max_pool_backward_loop(int dtype);
rt_pool_fn rt_avg_pool_backward_loop(int dtype);

#endif
