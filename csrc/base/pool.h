/* pool.h -- independent tasks, shared among threads. */
#ifndef GRADC_BASE_POOL_H
#define GRADC_BASE_POOL_H

#include <stddef.h>

/* One task: number `task` of those that share `context`. */
typedef void gradc_task_fn(void *context, size_t task);

/* Runs tasks 0 .. n-1 and returns when all are done. How work is cut into tasks must
 * not depend on the number of threads, so that results do not. */
void gradc_pool_run(size_t n, gradc_task_fn *run, void *context);

#endif
