/* pool.c -- a small pool of threads that sleep between jobs.
 *
 * Threads start at the first job that wants them, never at load. One job runs at a
 * time; a second caller finds the pool busy and does its tasks alone. After fork the
 * child has no threads and starts its own when it needs them. A worker begins with the
 * same share of the tasks in every job, as one step reads what another has written, and
 * helps others when it is done. */
#include "base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/place.h"
#include "gradc.h"

/* Tasks of one worker that nobody has begun; a line of the cache each. */
typedef struct share {
    _Alignas(64) atomic_size_t next;
} share;

typedef struct job {
    gradc_task_fn *run;
    void *context;
    size_t n;
    unsigned workers;
    share share[GRADC_MOST_WORKERS];
    atomic_uint active;
} job;

/* Looks at a value that is about to change, some 20 us in all: to sleep and be woken
 * takes longer, and jobs follow each other closely. */
enum { SPINS = 1000 };

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER; /* held by the caller */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;   /* of what follows */
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
static job *current;
static atomic_uint_fast64_t jobs; /* how many there have been: number of the current */
static unsigned started;
static pthread_t thread[GRADC_MOST_WORKERS];
static int off; /* the processor they are kept off, or -1 */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_uint wanted;

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

void gradc_pool_await(const atomic_size_t *value, size_t least)
{
    for (int i = 0; atomic_load(value) < least; i++)
        if (i < SPINS)
            pause_briefly();
        else
            sched_yield();
}

static size_t begin_of(const job *j, unsigned worker)
{
    return gradc_edge(worker, j->workers, j->n, 1);
}

/* The worker's own tasks, then those of others. */
static void work(job *j, unsigned worker)
{
    for (unsigned k = 0; k < j->workers; k++) {
        const unsigned of = (worker + k) % j->workers;
        const size_t end = begin_of(j, of + 1);
        for (size_t t; (t = atomic_fetch_add(&j->share[of].next, 1)) < end;)
            j->run(j->context, t, worker);
    }
}

/* A thread of the pool: joins each job once, if it is one of its workers. */
static void *serve(void *number)
{
    const unsigned worker = (unsigned)(uintptr_t)number;
    uint64_t last = 0;
    for (;;) {
        for (int i = 0; i < SPINS && atomic_load(&jobs) == last; i++)
            pause_briefly();
        pthread_mutex_lock(&lock);
        while (current == NULL || jobs == last || worker >= current->workers)
            pthread_cond_wait(&wake, &lock);
        job *j = current;
        last = jobs;
        j->active++;
        pthread_mutex_unlock(&lock);
        work(j, worker);
        pthread_mutex_lock(&lock);
        if (--j->active == 0)
            pthread_cond_signal(&idle);
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

static void before_fork(void)
{
    pthread_mutex_lock(&in_use);
    pthread_mutex_lock(&lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&in_use);
}

static void in_child(void)
{
    started = 0;
    current = NULL;
    pthread_cond_init(&wake, NULL);
    pthread_cond_init(&idle, NULL);
    pthread_mutex_init(&lock, NULL);
    pthread_mutex_init(&in_use, NULL);
}

static void prepare(void)
{
    const char *named = getenv("PYGRADC_NUM_THREADS");
    long n = named != NULL ? strtol(named, NULL, 10) : 0;
    if (n < 1)
        n = gradc_place_count();
    n = n < 1 ? 1 : n > GRADC_MOST_WORKERS ? GRADC_MOST_WORKERS : n;
    atomic_store(&wanted, (unsigned)n);
    pthread_atfork(before_fork, after_fork, in_child);
}

static unsigned workers_wanted(void)
{
    pthread_once(&once, prepare);
    return atomic_load(&wanted);
}

unsigned gradc_pool_workers(size_t n)
{
    const unsigned most = workers_wanted();
    return n < 1 ? 1 : n < most ? (unsigned)n : most;
}

int gradc_threads(void) { return (int)workers_wanted(); }

gradc_status gradc_set_threads(int n)
{
    if (n < 1 || n > GRADC_MOST_WORKERS)
        return GRADC_EVALUE;
    workers_wanted();
    atomic_store(&wanted, (unsigned)n);
    return GRADC_OK;
}

/* Starts threads until there are `n` besides the caller; with `lock` held. */
static void start(unsigned n)
{
    pthread_attr_t detached;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    for (; started < n; started++) {
        if (pthread_create(&thread[started], &detached, serve,
                           (void *)(uintptr_t)(started + 1)) != 0)
            break;
        off = -1;
    }
    pthread_attr_destroy(&detached);
}

/* Keeps the threads off the caller's processor; with `lock` held. */
static void make_way(void)
{
    const int here = gradc_place_now();
    for (unsigned i = 0; here != off && i < started; i++)
        gradc_place_off(thread[i], here);
    off = here;
}

void gradc_pool_run(size_t n, unsigned workers, gradc_task_fn *run, void *context)
{
    const unsigned most = gradc_pool_workers(n);
    workers = workers < most ? workers : most;
    if (workers <= 1 || pthread_mutex_trylock(&in_use) != 0) {
        for (size_t t = 0; t < n; t++)
            run(context, t, 0);
        return;
    }
    job j = {.run = run, .context = context, .n = n, .workers = workers};
    for (unsigned w = 0; w < workers; w++)
        atomic_init(&j.share[w].next, begin_of(&j, w));
    pthread_mutex_lock(&lock);
    start(workers - 1);
    make_way();
    current = &j;
    jobs++;
    pthread_cond_broadcast(&wake);
    pthread_mutex_unlock(&lock);

    work(&j, 0);

    for (int i = 0; i < SPINS && atomic_load(&j.active) > 0; i++)
        pause_briefly();
    pthread_mutex_lock(&lock);
    current = NULL;
    while (j.active > 0)
        pthread_cond_wait(&idle, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&in_use);
}
