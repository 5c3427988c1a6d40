/* arrays.c -- loops over arrays: elementwise, fused, reduced, gathered; on one thread.
 *
 * Each case runs for both element types, with its arrays in L1, in L2 and in memory.
 * `flops` is the least arithmetic of an element: for functions, the polynomial of
 * degree 12 (f64) or 6 (f32) that about 1 ulp takes. */
#include <math.h>
#include <stdio.h>

#include "problem.h"

/* Rows have this many elements. */
enum { COLUMNS = 128, BOTH = 2 };

typedef struct array_row {
    int arrays; /* of n elements, arguments and results */
    double flops[BOTH];
    /* Adds inputs of n elements, and results. */
    void (*build)(problem *q, gradc_dtype dtype, int64_t n);
    problem_answer *answer[MOST_ARRAYS]; /* for each result */
} array_row;

static gradc_id unary(problem *q, const char *op, gradc_id x)
{
    return gradc_unary(q->g, gradc_op_find(op), x);
}

static gradc_id binary(problem *q, const char *op, gradc_id x, gradc_id y)
{
    return gradc_binary(q->g, gradc_op_find(op), x, y);
}

static gradc_id vector(problem *q, gradc_dtype dtype, int64_t n, double lo, double hi)
{
    return problem_input(q, dtype, 1, &n, lo, hi);
}

/* Element i of argument k. Answers that are one number begin with i, which is 0. */
static double arg(const problem *q, size_t k, int64_t i)
{
    return problem_element(&q->in[k], i);
}

/* ---- products and sums of vectors ---- */

static void build_dot(problem *q, gradc_dtype dtype, int64_t n)
{
    const gradc_id x = vector(q, dtype, n, 0.5, 1.5), y = vector(q, dtype, n, 0.5, 1.5);
    problem_result(q, gradc_matmul(q->g, x, y));
}

static double dot(const problem *q, int64_t i)
{
    double sum = 0;
    for (int64_t k = i; k < q->in[0].size; k++)
        sum += arg(q, 0, k) * arg(q, 1, k);
    return sum;
}

static void build_axpy(problem *q, gradc_dtype dtype, int64_t n)
{
    const gradc_id x = vector(q, dtype, n, -1, 1), y = vector(q, dtype, n, -1, 1);
    const gradc_id a = problem_input(q, dtype, 0, NULL, 0.5, 1.5);
    problem_result(q, binary(q, "add", binary(q, "mul", x, a), y));
}

static double axpy(const problem *q, int64_t i)
{
    return arg(q, 0, i) * arg(q, 2, 0) + arg(q, 1, i);
}

/* ---- functions ---- */

static void build_relu(problem *q, gradc_dtype dtype, int64_t n)
{
    problem_result(q, unary(q, "relu", vector(q, dtype, n, -1, 1)));
}

static double relu(const problem *q, int64_t i) { return fmax(arg(q, 0, i), 0); }

static void build_relu_vjp(problem *q, gradc_dtype dtype, int64_t n)
{
    const gradc_id x = vector(q, dtype, n, -1, 1), dr = vector(q, dtype, n, -1, 1);
    gradc_id dx = 0;
    bench_require(gradc_vjp(q->g, unary(q, "relu", x), dr, 1, &x, &dx) == GRADC_OK,
                  "relu: no derivative");
    problem_result(q, dx);
}

static double relu_vjp(const problem *q, int64_t i)
{
    return arg(q, 0, i) > 0 ? arg(q, 1, i) : 0;
}

/* The function of C's library with the name of an op. */
#define FUNCTION(name)                                                                 \
    static void build_##name(problem *q, gradc_dtype dtype, int64_t n)                 \
    {                                                                                  \
        gradc_op_info info = {0};                                                      \
        gradc_op_describe(gradc_op_find(#name), &info);                                \
        const gradc_id x = vector(q, dtype, n, info.lo, info.hi);                      \
        problem_result(q, unary(q, #name, x));                                         \
    }                                                                                  \
    static double c_##name(const problem *q, int64_t i) { return name(arg(q, 0, i)); }

FUNCTION(exp)
FUNCTION(log)
FUNCTION(tanh)
FUNCTION(sin)
FUNCTION(erf)

/* ---- a chain: y = sum of ((x*0.5 + 1.5)*x - 0.25)*x, and its gradient ---- */

static void build_chain(problem *q, gradc_dtype dtype, int64_t n)
{
    const gradc_id x = vector(q, dtype, n, 0.5, 1.5);
    gradc_id r = binary(q, "mul", x, gradc_const(q->g, dtype, 0.5)), dx = 0;
    r = binary(q, "add", r, gradc_const(q->g, dtype, 1.5));
    r = binary(q, "sub", binary(q, "mul", r, x), gradc_const(q->g, dtype, 0.25));
    r = binary(q, "mul", r, x);
    const gradc_id y = gradc_reduce(q->g, gradc_op_find("sum"), r, -1, NULL, 0);
    bench_require(gradc_vjp(q->g, y, 0, 1, &x, &dx) == GRADC_OK,
                  "chain: no derivative");
    problem_result(q, y);
    problem_result(q, dx);
}

static double chain(const problem *q, int64_t i)
{
    double sum = 0;
    for (int64_t k = i; k < q->in[0].size; k++) {
        const double x = arg(q, 0, k);
        sum += ((x * 0.5 + 1.5) * x - 0.25) * x;
    }
    return sum;
}

static double chain_slope(const problem *q, int64_t i)
{
    const double x = arg(q, 0, i);
    return 1.5 * x * x + 3 * x - 0.25;
}

/* ---- reductions ---- */

static void build_reduction(problem *q, const char *op, gradc_dtype dtype, int64_t n,
                            int n_axes, int axis)
{
    const gradc_id x =
        problem_input(q, dtype, 2, (int64_t[]){n / COLUMNS, COLUMNS}, 0.5, 1.5);
    problem_result(q, gradc_reduce(q->g, gradc_op_find(op), x, n_axes, &axis, 0));
}

static void build_sum(problem *q, gradc_dtype dtype, int64_t n)
{
    build_reduction(q, "sum", dtype, n, -1, 0);
}

static void build_max(problem *q, gradc_dtype dtype, int64_t n)
{
    build_reduction(q, "max", dtype, n, -1, 0);
}

static void build_rows(problem *q, gradc_dtype dtype, int64_t n)
{
    build_reduction(q, "sum", dtype, n, 1, 1);
}

static void build_columns(problem *q, gradc_dtype dtype, int64_t n)
{
    build_reduction(q, "sum", dtype, n, 1, 0);
}

/* Elements begin, begin + step, ... before end of the argument, added. */
static double sum_of(const problem *q, int64_t begin, int64_t end, int64_t step)
{
    double sum = 0;
    for (int64_t k = begin; k < end; k += step)
        sum += arg(q, 0, k);
    return sum;
}

static double sum(const problem *q, int64_t i)
{
    return sum_of(q, i, q->in[0].size, 1);
}

static double rows(const problem *q, int64_t i)
{
    return sum_of(q, i * COLUMNS, (i + 1) * COLUMNS, 1);
}

static double columns(const problem *q, int64_t i)
{
    return sum_of(q, i, q->in[0].size, COLUMNS);
}

static double max(const problem *q, int64_t i)
{
    double m = arg(q, 0, i);
    for (int64_t k = i; k < q->in[0].size; k++)
        m = fmax(m, arg(q, 0, k));
    return m;
}

/* ---- indexing ---- */

static void build_gather(problem *q, gradc_dtype dtype, int64_t n)
{
    const gradc_id x = vector(q, dtype, n, -1, 1);
    const gradc_id index = vector(q, GRADC_I64, n, 0, (double)n);
    problem_result(q, gradc_gather(q->g, x, index));
}

static double gather(const problem *q, int64_t i)
{
    return arg(q, 0, (int64_t)arg(q, 1, i));
}

/* ---- all of them, at each place ---- */

static void run_place(const bench_case *c, gradc_dtype dtype, bench_place place,
                      bool quick)
{
    const array_row *row = c->detail;
    const size_t element = dtype == GRADC_F64 ? sizeof(double) : sizeof(float);
    const size_t most = bench_place_bytes(place) / element / (size_t)row->arrays;
    const int64_t n = (int64_t)(most / COLUMNS * COLUMNS);
    problem q;
    problem_begin(&q);
    row->build(&q, dtype, n);
    problem_build(&q);
    problem_check(&q, c->name, row->answer);
    gradc_memory memory;
    gradc_program_memory(q.program, &memory);
    char size[32];
    snprintf(size, sizeof size, "%lld", (long long)n);
    bench_report(&(bench_record){
        .name = c->name,
        .dtype = dtype == GRADC_F64 ? "f64" : "f32",
        .size = size,
        .place = bench_place_name[place],
        .unit = "element",
        .count = (double)n,
        .flops = (double)n * row->flops[dtype == GRADC_F32],
        .bytes_read = memory.arguments,
        .bytes_written = memory.results,
        .threads = 1,
        .time = problem_time(&q, quick),
    });
    problem_free(&q);
}

static void run(const bench_case *c, bool quick)
{
    const int threads = gradc_threads();
    bench_require(gradc_set_threads(1) == GRADC_OK, "threads");
    for (int k = 0; k < BOTH; k++)
        for (bench_place place = IN_L1; place < (quick ? IN_MEMORY : PLACES); place++)
            run_place(c, k == 0 ? GRADC_F64 : GRADC_F32, place, quick);
    gradc_set_threads(threads);
}

#define CASE(name, claim, ...)                                                         \
    {                                                                                  \
        #name, claim, run, &(const array_row) { __VA_ARGS__ }                          \
    }
#define FUNCTION_CASE(name, claim)                                                     \
    CASE(name, claim, 2, {24, 12}, build_##name, {c_##name})

const bench_case bench_arrays[] = {
    CASE(dot, "An inner product reads its vectors as fast as they arrive.", 2, {2, 2},
         build_dot, {dot}),
    CASE(axpy, "x*a + y is one pass over its vectors, without a temporary.", 3, {2, 2},
         build_axpy, {axpy}),
    CASE(relu, "ReLU costs no more than copying.", 2, {1, 1}, build_relu, {relu}),
    CASE(relu_vjp, "The derivative of ReLU is one pass, without a stored mask.", 3,
         {1, 1}, build_relu_vjp, {relu_vjp}),
    FUNCTION_CASE(exp, "exp is near the cost of its polynomial."),
    FUNCTION_CASE(log, "log is near the cost of its polynomial."),
    FUNCTION_CASE(tanh, "tanh costs little more than exp."),
    FUNCTION_CASE(sin, "sin is near the cost of its polynomial."),
    FUNCTION_CASE(erf, "erf costs little more than exp."),
    CASE(chain, "Five operations, their sum and the gradient are one pass.", 2,
         {10, 10}, build_chain, {chain, chain_slope}),
    CASE(sum, "A sum reads its array as fast as it arrives.", 1, {1, 1}, build_sum,
         {sum}),
    CASE(max, "A maximum reads its array as fast as it arrives.", 1, {1, 1}, build_max,
         {max}),
    CASE(rows, "Sums of short rows read as fast as one sum.", 1, {1, 1}, build_rows,
         {rows}),
    CASE(columns, "Sums of columns read as fast as one sum.", 1, {1, 1}, build_columns,
         {columns}),
    CASE(gather, "Elements at random places cost their loads alone.", 3, {0, 0},
         build_gather, {gather}),
    {NULL, NULL, NULL, NULL},
};
