/* pool.c -- tasks run in order on the calling thread, the only one there is yet. */
#include "base/pool.h"

#include "gradc.h"

void gradc_pool_run(size_t n, gradc_task_fn *run, void *context)
{
    for (size_t task = 0; task < n; task++)
        run(context, task);
}

int gradc_threads(void) { return 1; }

gradc_status gradc_set_threads(int n) { return n == 1 ? GRADC_OK : GRADC_EVALUE; }
