/* pool.h -- independent tasks, shared among threads.
 *
 * How work is cut into tasks must depend on its size alone, never on the number of
 * threads, so that results do not either. */
#ifndef GRADC_BASE_POOL_H
#define GRADC_BASE_POOL_H

#include <stdatomic.h>
#include <stddef.h>

enum { GRADC_MOST_WORKERS = 16 };

/* Task number `task` of those that share `context`; no two tasks that run at once
 * have the same `worker`, which is below the number given to gradc_pool_run. */
typedef void gradc_task_fn(void *context, size_t task, unsigned worker);

/* Runs tasks 0 .. n-1 on at most `workers` threads, the caller's among them, and
 * returns when all are done. If the pool is busy the caller does all of them. */
void gradc_pool_run(size_t n, unsigned workers, gradc_task_fn *run, void *context);

/* Waits until other tasks, which run already, have brought `value` to `least`. */
void gradc_pool_await(const atomic_size_t *value, size_t least);

/* Where piece `i` begins if n is cut into `pieces`, at multiples of `unit`; there are
 * at least as many units, or one piece. */
static inline size_t gradc_edge(size_t i, size_t pieces, size_t n, size_t unit)
{
    return i == pieces ? n : n / unit * i / pieces * unit;
}

/* How many threads share n tasks, at least 1, while as many are wanted as now:
 * PYGRADC_NUM_THREADS, or one for each processor. */
unsigned gradc_pool_workers(size_t n);

#endif
