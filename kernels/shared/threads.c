/* The worker pool. One job at a time: a second caller does its work itself. See threads.h.
 *
 * Workers take pieces of the current job by an atomic counter. A job is over when every worker that joined it has left it, so that `job`
 * may live on the caller's stack. Waking a sleeping thread costs more than many a loop: a worker that is done looks out for the next job
 * for some hundred microseconds before it sleeps on a condition variable, and offers its processor to other threads meanwhile. A caller
 * looks out for the last worker for some microseconds before it sleeps; it keeps its processor, which it would not soon get back.
 */
#define _GNU_SOURCE
#include "kernels/shared/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum { MAX_WORKERS = 63, WORKER_SPINS = 4000, SPINS_TO_YIELD = 16, CALLER_SPINS = 1000 };

typedef struct job {
    rt_range_fn fn;
    void *ctx;
    int64_t n, piece;
    atomic_llong next;
} job;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t wake, done;
    job *job;
    atomic_uint_least64_t number; /* of the current job: a worker takes part once in each */
    int workers;     /* started */
    int wanted;      /* threads to use, the caller counted in; 0: not yet asked */
    int places;      /* workers that may still join the current job */
    atomic_int inside; /* workers in the current job */
    int sleeping;    /* workers that wait on `wake` */
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held by the caller whose job it is */
static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;
static _Thread_local int is_worker;

static void forget_workers_in_child(void)
{
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.done, NULL);
    pthread_mutex_init(&in_use, NULL);
    pool.job = NULL;
    pool.workers = pool.places = pool.sleeping = 0;
    atomic_store(&pool.inside, 0);
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, forget_workers_in_child); }

static void do_pieces(job *j)
{
    for (;;) {
        int64_t begin = atomic_fetch_add_explicit(&j->next, j->piece, memory_order_relaxed);
        if (begin >= j->n)
            return;
        int64_t end = begin + j->piece;
        j->fn(begin, end < j->n ? end : j->n, j->ctx);
    }
}

static inline void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void *worker_main(void *unused)
{
    (void)unused;
    is_worker = 1;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        while (pool.job == NULL || pool.number == seen || pool.places == 0) {
            uint64_t number = pool.number;
            pthread_mutex_unlock(&pool.mutex);
            for (int i = 1; i < WORKER_SPINS && atomic_load_explicit(&pool.number, memory_order_relaxed) == number; i++) {
                if (i % SPINS_TO_YIELD == 0)
                    sched_yield();
                else
                    pause_briefly();
            }
            pthread_mutex_lock(&pool.mutex);
            if (pool.number == number) {
                pool.sleeping++;
                pthread_cond_wait(&pool.wake, &pool.mutex);
                pool.sleeping--;
            }
        }
        seen = pool.number;
        job *j = pool.job;
        pool.places--;
        pool.inside++;
        pthread_mutex_unlock(&pool.mutex);
        do_pieces(j);
        pthread_mutex_lock(&pool.mutex);
        if (--pool.inside == 0)
            pthread_cond_signal(&pool.done);
    }
    return NULL;
}

static int available_processors(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (int)n : 1;
}

int rt_get_num_threads(void)
{
    if (pool.wanted == 0)
        rt_set_num_threads(available_processors());
    return pool.wanted;
}

void rt_set_num_threads(int n) { pool.wanted = n > MAX_WORKERS + 1 ? MAX_WORKERS + 1 : n; }

/* Called with pool.mutex held. Fewer workers than asked for are no error: the caller does the work. */
static void start_workers(int count)
{
    pthread_once(&fork_handler_once, install_fork_handler);
    while (pool.workers < count) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_main, NULL) != 0)
            return;
        pthread_detach(thread);
        pool.workers++;
    }
}

void rt_parallel_for(int64_t n, int64_t grain, rt_range_fn fn, void *ctx)
{
    int threads = rt_get_num_threads();
    if (n / grain < threads)
        threads = (int)(n / grain);
    if (threads < 2 || is_worker || pthread_mutex_trylock(&in_use) != 0) {
        fn(0, n, ctx);
        return;
    }
    /* A few pieces for each thread, so that one that is held up does not hold up the others. */
    int64_t piece = n / (threads * 4) >= grain ? n / (threads * 4) : (n + threads - 1) / threads;
    if (piece > 64 * 8) /* pieces of elements end with a cache line; a few coarse tasks are left as they are */
        piece = (piece + 63) & ~(int64_t)63;
    job j = {.fn = fn, .ctx = ctx, .n = n, .piece = piece};
    pthread_mutex_lock(&pool.mutex);
    start_workers(threads - 1);
    pool.job = &j;
    pool.number++;
    pool.places = threads - 1;
    if (pool.sleeping > 0) {
        if (threads == 2)
            pthread_cond_signal(&pool.wake);
        else
            pthread_cond_broadcast(&pool.wake);
    }
    pthread_mutex_unlock(&pool.mutex);
    do_pieces(&j);
    pthread_mutex_lock(&pool.mutex);
    pool.job = NULL;
    if (pool.inside > 0) {
        pthread_mutex_unlock(&pool.mutex);
        for (int i = 0; i < CALLER_SPINS && atomic_load_explicit(&pool.inside, memory_order_relaxed) > 0; i++)
            pause_briefly();
        pthread_mutex_lock(&pool.mutex);
    }
    while (pool.inside > 0)
        pthread_cond_wait(&pool.done, &pool.mutex);
    pthread_mutex_unlock(&pool.mutex);
    pthread_mutex_unlock(&in_use);
}
