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

void rt_wait_for_last_loop(void)
{
    const struct timespec pause = {0, 20000};
    while (rt_loops > 0) {
        Py_BEGIN_ALLOW_THREADS
        nanosleep(&pause, NULL);
        Py_END_ALLOW_THREADS
    }
}
