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

static void report(const bench_case *c, problem *q, int threads, bool quick)
{
    const double n = (double)side(q), products = n * n * n;
    char size[32];
    snprintf(size, sizeof size, "%.0f", n);
    bench_require(gradc_set_threads(threads) == GRADC_OK, "threads");
    problem_check(q, c->name, (problem_answer *[]){product});
    bench_report(&(bench_record){
        .name = c->name,
        .dtype = q->out[0].dtype == GRADC_F64 ? "f64" : "f32",
        .size = size,
        .place = "",
        .unit = "multiply-add",
        .count = products,
        .flops = 2 * products,
        .threads = threads,
        .time = problem_time(q, quick),
    });
}

static void run(const bench_case *c, bool quick)
{
    const int all = gradc_threads();
    for (int k = 0; k < 2; k++)
        for (int64_t n = 4; n <= (quick ? 64 : 2048); n *= 2) {
            const gradc_dtype dtype = k == 0 ? GRADC_F64 : GRADC_F32;
            const int64_t dim[] = {n, n};
            problem q;
            problem_begin(&q);
            const gradc_id x = problem_input(&q, dtype, 2, dim, 0.5, 1.5);
            const gradc_id y = problem_input(&q, dtype, 2, dim, 0.5, 1.5);
            problem_result(&q, gradc_matmul(q.g, x, y));
            problem_build(&q);
            report(c, &q, 1, quick);
            if (all > 1)
                report(c, &q, all, quick);
            problem_free(&q);
        }
    gradc_set_threads(all);
}

const bench_case bench_products[] = {
    {"matmul", "A product starts in nanoseconds and comes near the FMA peak.", run,
     NULL},
    {NULL, NULL, NULL, NULL},
};
