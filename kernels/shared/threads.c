/* The worker pool. One job at a time: a second caller does its work itself. See threads.h.
 *
 * The range of a job is cut into a share for each thread: the same thread does the same part of a tensor in each operator that follows, and
 * finds it in its own cache. Who is done with its share takes pieces of the others'. A job is over when every worker that joined it has
 * left it, so that `job` may live on the caller's stack. Waking a sleeping thread costs more than many a loop: a worker that is done looks
 * out for the next job for some hundred microseconds before it sleeps on a condition variable, and offers its processor to other threads
 * meanwhile. A caller looks out for the last worker for some microseconds before it sleeps; it keeps its processor, which it would not
 * soon get back.
 */
#define _GNU_SOURCE
#include "kernels/shared/threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

enum {
    MAX_WORKERS = 63,
    WORKER_SPINS = 4000,
    SPINS_TO_YIELD = 16,
    CALLER_SPINS = 1000,
    PIECES = 4,     /* of a share: what another thread may take over of one that is held up */
    CACHE_LINE = 64 /* bytes */
};

typedef struct share {
    _Alignas(CACHE_LINE) atomic_llong next;
    int64_t end;
} share;

typedef struct job {
    rt_range_fn fn;
    void *ctx;
    int64_t piece;
    int threads;
    share shares[MAX_WORKERS + 1]; /* of the caller, then of the workers in their order */
} job;

typedef struct worker {
    int number; /* its share of a job; the caller's is 0 */
    int sleeps;
    pthread_cond_t wake;
} worker;

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    job *job;
    atomic_uint_least64_t number; /* of the current job: a worker takes part once in each */
    int started;                  /* of the workers */
    int wanted;                   /* threads to use, the caller counted in; 0: not yet asked */
    atomic_int inside;            /* workers in the current job */
    worker workers[MAX_WORKERS];
} pool = {.mutex = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held by the caller whose job it is */
static pthread_once_t fork_handler_once = PTHREAD_ONCE_INIT;
static _Thread_local int is_worker;

static void forget_workers_in_child(void)
{
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.done, NULL);
    pthread_mutex_init(&in_use, NULL);
    pool.job = NULL;
    pool.started = 0;
    atomic_store(&pool.inside, 0);
}

static void install_fork_handler(void) { pthread_atfork(NULL, NULL, forget_workers_in_child); }

static void do_pieces(job *j, int own)
{
    for (int i = 0; i < j->threads; i++) {
        share *s = &j->shares[(own + i) % j->threads];
        for (;;) {
            int64_t begin = atomic_fetch_add_explicit(&s->next, j->piece, memory_order_relaxed);
            if (begin >= s->end)
                break;
            j->fn(begin, begin + j->piece < s->end ? begin + j->piece : s->end, j->ctx);
        }
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

static void *worker_main(void *given)
{
    worker *self = given;
    is_worker = 1;
    uint64_t seen = 0;
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        while (pool.job == NULL || pool.number == seen || self->number >= pool.job->threads) {
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
                self->sleeps = 1;
                pthread_cond_wait(&self->wake, &pool.mutex);
                self->sleeps = 0;
            }
        }
        seen = pool.number;
        job *j = pool.job;
        pool.inside++;
        pthread_mutex_unlock(&pool.mutex);
        do_pieces(j, self->number);
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
    while (pool.started < count) {
        worker *next = &pool.workers[pool.started];
        next->number = pool.started + 1;
        next->sleeps = 0;
        pthread_cond_init(&next->wake, NULL);
        pthread_t thread;
        if (pthread_create(&thread, NULL, worker_main, next) != 0)
            return;
        pthread_detach(thread);
        pool.started++;
    }
}

/* Shares of elements end with a cache line; a few coarse tasks are left as they are. */
static void cut_shares(job *j, int64_t n, int64_t grain)
{
    int64_t size = (n + j->threads - 1) / j->threads, lines = size > CACHE_LINE * 8 ? CACHE_LINE : 1, begin = 0;
    size = (size + lines - 1) / lines * lines;
    for (int i = 0; i < j->threads; i++) {
        atomic_init(&j->shares[i].next, begin);
        j->shares[i].end = begin = begin + size < n ? begin + size : n;
    }
    int64_t piece = (size + PIECES - 1) / PIECES;
    piece = piece >= grain ? piece : size;
    j->piece = (piece + lines - 1) / lines * lines;
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
    job j;
    j.fn = fn;
    j.ctx = ctx;
    j.threads = threads;
    cut_shares(&j, n, grain);
    pthread_mutex_lock(&pool.mutex);
    start_workers(threads - 1);
    pool.job = &j;
    pool.number++;
    for (int i = 0; i < threads - 1 && i < pool.started; i++)
        if (pool.workers[i].sleeps)
            pthread_cond_signal(&pool.workers[i].wake);
    pthread_mutex_unlock(&pool.mutex);
    do_pieces(&j, 0);
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
