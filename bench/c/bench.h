/* bench.h -- what a benchmark case is, where its data lie, and what it reports.
 *
 * A case states in one line what its figures tell. It checks its answers, times itself
 * at each of its sizes, and reports records: lines of JSON, which run.py sets against
 * the limits of the machine that the same process measured. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include "gradc.h"
#include "timing.h"

typedef struct bench_case bench_case;
struct bench_case {
    const char *name, *claim;
    void (*run)(const bench_case *c, bool quick);
    const void *detail; /* for `run` */
};

/* Each ends with a case without a name. */
extern const bench_case bench_arrays[], bench_products[], bench_graphs[];

/* Where the data of a run lie together. */
typedef enum bench_place { IN_L1, IN_L2, IN_MEMORY, PLACES } bench_place;
extern const char *const bench_place_name[PLACES];
/* Bytes that lie there: half of a cache, or more than the last one holds. */
size_t bench_place_bytes(bench_place place);

typedef struct bench_record {
    const char *name;
    const char *dtype; /* or "" */
    const char *size;  /* for people */
    const char *place; /* or "" if no bandwidth is its limit */
    const char *unit;  /* what `count` counts */
    double count, flops;
    size_t bytes_read, bytes_written;
    int threads;
    spread time;
} bench_record;
void bench_report(const bench_record *r);

/* Ends the process with a message if an answer or a status is wrong. */
void bench_require(bool holds, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Numbers below 2^31 at random, the same in every run of a case. */
uint64_t bench_random(void);

/* Measures and reports the limits of the machine: limits.c, compiled for one ISA. */
void bench_limits(bool quick);

#endif
