/* products.c -- matrix products from 4 x 4 to 2048 x 2048, on one thread and on all. */
#include <stdio.h>

#include "problem.h"

static int64_t side(const problem *q)
{
    int64_t n = 1;
    while (n * n < q->out[0].size)
        n *= 2;
    return n;
}

static double product(const problem *q, int64_t i)
{
    const int64_t n = side(q), row = i / n, column = i % n;
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += problem_element(&q->in[0], row * n + k) *
               problem_element(&q->in[1], k * n + column);
    return sum;
}

static void run_size(const bench_case *c, gradc_dtype dtype, int64_t n, bool quick)
{
    const int64_t dim[] = {n, n};
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)n);
    problem q;
    problem_begin(&q);
    const gradc_id x = problem_input(&q, dtype, 2, dim, 0.5, 1.5);
    const gradc_id y = problem_input(&q, dtype, 2, dim, 0.5, 1.5);
    problem_result(&q, gradc_matmul(q.g, x, y));
    problem_build(&q);
    problem_check(&q, c->name, (problem_answer *[]){product});
    bench_report(&(bench_record){
        .name = c->name,
        .dtype = dtype == GRADC_F64 ? "f64" : "f32",
        .size = size,
        .place = "",
        .unit = "multiply-add",
        .count = (double)(n * n * n),
        .flops = 2 * (double)(n * n * n),
        .threads = gradc_threads(),
        .time = problem_time(&q, quick),
    });
    problem_free(&q);
}

/* A program keeps the number of threads that it was compiled for. */
static void run(const bench_case *c, bool quick)
{
    const int all = gradc_threads();
    for (int k = 0; k < 2; k++)
        for (int64_t n = 4; n <= (quick ? 64 : 2048); n *= 2)
            for (int threads = 1; threads <= all; threads += all > 1 ? all - 1 : 1) {
                bench_require(gradc_set_threads(threads) == GRADC_OK, "threads");
                run_size(c, k == 0 ? GRADC_F64 : GRADC_F32, n, quick);
            }
    gradc_set_threads(all);
}

const bench_case bench_products[] = {
    {"matmul", "A product starts in nanoseconds and comes near the FMA peak.", run,
     NULL},
    {NULL, NULL, NULL, NULL},
};
