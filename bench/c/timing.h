/* timing.h -- how long something takes: minimum and median over calibrated batches.
 *
 * One run may take less than reading the clock, so runs are timed in batches of some
 * 2 ms. The minimum estimates the cost of the code, its distance to the median how
 * noisy the machine was. */
#ifndef BENCH_TIMING_H
#define BENCH_TIMING_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

typedef struct spread {
    double min, median; /* ns a repetition */
} spread;

/* Repeats something and returns the ns it took, without what only prepares it. */
typedef double timed_batch(void *context, int64_t repetitions);

static inline double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

static inline int ascending(const void *x, const void *y)
{
    const double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static inline spread measure(timed_batch *batch, void *context, bool quick)
{
    enum { BATCHES = 21, FEW = 3 };
    const double wanted = quick ? 2e4 : 2e6, limit = 1e9;
    int64_t repetitions = 1;
    while (batch(context, repetitions) < wanted / 2)
        repetitions *= 2;
    double ns[BATCHES], spent = 0;
    int n = 0;
    while (n < FEW || (!quick && n < BATCHES && spent < limit)) {
        const double took = batch(context, repetitions);
        spent += took;
        ns[n++] = took / (double)repetitions;
    }
    qsort(ns, (size_t)n, sizeof *ns, ascending);
    return (spread){ns[0], ns[n / 2]};
}

#endif
