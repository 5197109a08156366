/* Releasing the GIL around long loops, and waiting until no such loop runs.
 *
 * A loop without the GIL reads geometry and memory of tensors that other threads can see. What frees memory or changes the geometry of
 * an existing tensor therefore calls rt_wait_for_loops first, before it looks at the tensor: from there on it holds the GIL until it is
 * done, so that no loop can start in between. Loops touch no Python and wait for nobody, so that the wait ends.
 */
#ifndef KERNELS_GIL_H
#define KERNELS_GIL_H

#include "kernels/shared/threads.h"

#include <Python.h>

extern int rt_loops; /* running without the GIL; changed with the GIL held */

void rt_loop_begins(void);

#define RT_BEGIN_LOOP_WITHOUT_GIL \
    rt_loop_begins();             \
    Py_BEGIN_ALLOW_THREADS
#define RT_END_LOOP_WITHOUT_GIL \
    Py_END_ALLOW_THREADS        \
    rt_loops--;

/* Run fn over [0, n), where each number stands for the work of so many elements: here, with the GIL, where that is little in all, else in
 * the pool without it. */
void rt_run_loop(rt_range_fn fn, int64_t n, int64_t work, void *ctx);

void rt_wait_for_last_loop(void);
static inline void rt_wait_for_loops(void)
{
    if (rt_loops > 0)
        rt_wait_for_last_loop();
}

#endif
