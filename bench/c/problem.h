/* problem.h -- a program with arguments at random: made, checked once, then timed. */
#ifndef BENCH_PROBLEM_H
#define BENCH_PROBLEM_H

#include "bench.h"

typedef struct problem_array {
    gradc_id id;
    gradc_dtype dtype;
    int64_t size; /* elements */
    void *data;
} problem_array;

enum { MOST_ARRAYS = 4 };

typedef struct problem {
    gradc_graph *g;
    size_t n_in, n_out;
    problem_array in[MOST_ARRAYS], out[MOST_ARRAYS];
    gradc_program *program;
    void *work;
} problem;

void problem_begin(problem *q);
/* An input of floats in lo..hi, or of int64 from lo to below hi. */
gradc_id problem_input(problem *q, gradc_dtype dtype, int rank, const int64_t *dim,
                       double lo, double hi);
void problem_result(problem *q, gradc_id x);
/* Compiles the program; it is ready to run. */
void problem_build(problem *q);
void problem_free(problem *q);

/* Element i of a. */
double problem_element(const problem_array *a, int64_t i);
/* What element i of a result must be. */
typedef double problem_answer(const problem *q, int64_t i);
/* Runs once and compares result r with answer[r]: all elements of a small one, some
 * 2000 of a large one. */
void problem_check(const problem *q, const char *name, problem_answer *const *answer);
spread problem_time(problem *q, bool quick);

#endif
