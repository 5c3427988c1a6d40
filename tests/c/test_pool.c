/* test_pool.c -- every task runs once, and workers begin with shares of their own. */
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "base/pool.h"
#include "check.h"
#include "gradc.h"

enum { TASKS = 11, WORKERS = 2, PATIENCE = 10 };

typedef struct record {
    atomic_int runs[TASKS];
    atomic_int begun; /* workers */
    size_t first[WORKERS];
    bool seen[WORKERS];
} record;

/* Waits in its worker's first task until all workers have begun, if they ever do. */
static void note(void *context, size_t task, unsigned worker)
{
    record *r = context;
    r->runs[task]++;
    if (r->seen[worker])
        return;
    r->seen[worker] = true;
    r->first[worker] = task;
    r->begun++;
    const time_t start = time(NULL);
    while (r->begun < WORKERS && time(NULL) - start < PATIENCE)
        ;
}

static void test_shares(void)
{
    record r = {0};
    gradc_set_threads(WORKERS);
    gradc_pool_run(TASKS, WORKERS, note, &r);
    for (size_t t = 0; t < TASKS; t++)
        CHECK(r.runs[t] == 1, "task %zu ran %d times", t, r.runs[t]);
    CHECK(r.begun == WORKERS, "%d workers", r.begun);
    CHECK(r.first[0] == 0, "the caller began with task %zu", r.first[0]);
    CHECK(r.first[1] == TASKS / WORKERS, "the other began with task %zu", r.first[1]);
}

/* More workers than tasks, and one worker for all. */
static void test_sizes(void)
{
    for (size_t n = 0; n <= TASKS; n++)
        for (unsigned workers = 1; workers <= GRADC_MOST_WORKERS; workers++) {
            record r = {.begun = WORKERS};
            for (int w = 0; w < WORKERS; w++)
                r.seen[w] = true;
            gradc_set_threads(WORKERS);
            gradc_pool_run(n, workers, note, &r);
            for (size_t t = 0; t < TASKS; t++)
                CHECK(r.runs[t] == (t < n), "task %zu of %zu, %u workers: %d times", t,
                      n, workers, r.runs[t]);
        }
}

int main(void)
{
    test_shares();
    test_sizes();
    return check_report();
}
