/* A small pool of worker threads for large loops.
 *
 * The pool starts at the first use, with one thread for each processor of the process but one (the caller works too). A forked child
 * starts without workers and makes its own. Callers release the GIL unless they need what it protects to stay; the function must not touch
 * Python.
 */
#ifndef KERNELS_THREADS_H
#define KERNELS_THREADS_H

#include <stdint.h>

typedef void (*rt_range_fn)(int64_t begin, int64_t end, void *ctx);

/* Elements below which a loop is not worth waking another thread for. */
enum { RT_GRAIN = 30000 };

int rt_get_num_threads(void);
void rt_set_num_threads(int n); /* n >= 1 */

/* Run fn over [0, n) in pieces of at least `grain` elements, in this thread and the workers. Runs all of it here where the pool is in
 * use by another thread, or where called from a worker. */
void rt_parallel_for(int64_t n, int64_t grain, rt_range_fn fn, void *ctx);

#endif
