/* The count of loops that run without the GIL; see gil.h.
 */
#include "kernels/shared/gil.h"

#include <pthread.h>
#include <time.h>

int rt_loops;

static void forget_loops_in_child(void) { rt_loops = 0; }
static void install_fork_handler(void) { pthread_atfork(NULL, NULL, forget_loops_in_child); }

void rt_loop_begins(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_fork_handler);
    rt_loops++;
}

void rt_run_loop(rt_range_fn fn, int64_t n, int64_t work, void *ctx)
{
    if (n * work < RT_GRAIN) {
        fn(0, n, ctx);
        return;
    }
    RT_BEGIN_LOOP_WITHOUT_GIL
    rt_parallel_for(n, RT_GRAIN / (work > 0 ? work : 1) + 1, fn, ctx);
    RT_END_LOOP_WITHOUT_GIL
}

void rt_wait_for_last_loop(void)
{
    const struct timespec pause = {0, 20000};
    while (rt_loops > 0) {
        Py_BEGIN_ALLOW_THREADS
        nanosleep(&pause, NULL);
        Py_END_ALLOW_THREADS
    }
}
