/* graphs.c -- what a scalar function costs: to build, differentiate, compile and run.
 *
 * The functions are the random ones of tape.h, of 100, 1000 and 10000 operations. A
 * derivative extends its graph and a program is made from one, so those are timed on a
 * new graph each time; making it is not in their time. */
#include <math.h>
#include <stdio.h>

#include "tape.h"

typedef struct subject {
    const tape *t;
    gradc_graph *g;
    gradc_id in[TAPE_INPUTS], y, dx[TAPE_INPUTS];
    gradc_program *program;
} subject;

static void build(subject *s)
{
    s->g = gradc_graph_new();
    bench_require(s->g != NULL, "out of memory: graph");
    s->y = tape_build(s->t, s->g, s->in);
}

static void differentiate(subject *s)
{
    bench_require(gradc_vjp(s->g, s->y, 0, TAPE_INPUTS, s->in, s->dx) == GRADC_OK,
                  "vjp failed");
}

/* The program of the value and the gradient. */
static void compile(subject *s)
{
    gradc_id results[1 + TAPE_INPUTS] = {s->y};
    for (size_t i = 0; i < TAPE_INPUTS; i++)
        results[1 + i] = s->dx[i];
    gradc_message msg = {""};
    bench_require(gradc_compile(s->g, TAPE_INPUTS, s->in, 1 + TAPE_INPUTS, results,
                                &s->program, &msg) == GRADC_OK,
                  "compile: %s", msg.text);
}

/* Ready for another build. */
static void release(subject *s)
{
    gradc_program_free(s->program);
    gradc_graph_free(s->g);
    s->program = NULL;
    s->g = NULL;
}

/* ---- running ---- */

/* ns of the runs; the last one's value and gradient go to r. */
static double run_program(const subject *s, int64_t repetitions, double *r)
{
    const void *args[TAPE_INPUTS];
    void *results[1 + TAPE_INPUTS];
    double x[TAPE_INPUTS];
    for (size_t i = 0; i < TAPE_INPUTS; i++) {
        x[i] = (double)(i + 1) / (TAPE_INPUTS + 1);
        args[i] = &x[i];
    }
    for (size_t i = 0; i <= TAPE_INPUTS; i++)
        results[i] = &r[i];
    void *work = gradc_buffer_take(gradc_program_workspace(s->program));
    gradc_message msg = {""};
    gradc_status failed = GRADC_OK;
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++)
        failed |= gradc_run(s->program, args, results, work, &msg);
    const double took = now() - start;
    bench_require(failed == GRADC_OK, "%s", msg.text);
    gradc_buffer_give(work);
    return took;
}

/* Builds all of s, whose answers must be those by hand. */
static void check(subject *s, const char *name)
{
    double got[1 + TAPE_INPUTS], want[1 + TAPE_INPUTS], x[TAPE_INPUTS];
    build(s);
    differentiate(s);
    compile(s);
    run_program(s, 1, got);
    for (size_t i = 0; i < TAPE_INPUTS; i++)
        x[i] = (double)(i + 1) / (TAPE_INPUTS + 1);
    want[0] = tape_run(s->t, x, want + 1);
    double most = 0; /* of the gradient: the others may have cancelled */
    for (size_t i = 1; i <= TAPE_INPUTS; i++)
        most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i <= TAPE_INPUTS; i++)
        bench_require(
            fabs(got[i] - want[i]) <= 1e-9 * (i > 0 ? most : 1),
            "%s is wrong: number %zu of %zu operations is %.17g and not %.17g", name, i,
            s->t->n, got[i], want[i]);
}

/* ---- what is timed ---- */

static double time_run(void *context, int64_t repetitions)
{
    double r[1 + TAPE_INPUTS];
    return run_program(context, repetitions, r);
}

static double time_build(void *context, int64_t repetitions)
{
    subject s = {.t = ((const subject *)context)->t};
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++) {
        build(&s);
        gradc_graph_free(s.g);
    }
    return now() - start;
}

static double time_vjp(void *context, int64_t repetitions)
{
    subject s = {.t = ((const subject *)context)->t};
    double took = 0;
    for (int64_t i = 0; i < repetitions; i++) {
        build(&s);
        const double start = now();
        differentiate(&s);
        took += now() - start;
        release(&s);
    }
    return took;
}

static double time_compile(void *context, int64_t repetitions)
{
    subject s = *(const subject *)context;
    double took = 0;
    for (int64_t i = 0; i < repetitions; i++) {
        const double start = now();
        compile(&s);
        took += now() - start;
        gradc_program_free(s.program);
    }
    return took;
}

/* ---- what is counted ---- */

static size_t operations(const subject *s) { return s->t->n; }

/* The inputs, the constant of the halves, and a node for each operation. */
static size_t function_nodes(const subject *s) { return TAPE_INPUTS + 1 + s->t->n; }

static size_t all_nodes(const subject *s) { return gradc_graph_size(s->g); }

static size_t new_nodes(const subject *s) { return all_nodes(s) - function_nodes(s); }

typedef struct graph_row {
    timed_batch *batch;
    const char *unit;
    size_t (*count)(const subject *s);
} graph_row;

static void run(const bench_case *c, bool quick)
{
    const graph_row *row = c->detail;
    for (size_t n = 100; n <= (quick ? 1000 : 10000); n *= 10) {
        tape *t = tape_new(n);
        subject s = {.t = t};
        check(&s, c->name);
        char size[32];
        snprintf(size, sizeof size, "%zu", n);
        bench_report(&(bench_record){
            .name = c->name,
            .dtype = "f64",
            .size = size,
            .place = "",
            .unit = row->unit,
            .count = (double)row->count(&s),
            .threads = 1,
            .time = measure(row->batch, &s, quick),
        });
        release(&s);
        free(t);
    }
}

#define CASE(name, claim, ...)                                                         \
    {                                                                                  \
        name, claim, run, &(const graph_row) { __VA_ARGS__ }                           \
    }

const bench_case bench_graphs[] = {
    CASE("scalar",
         "A scalar operation with its part in the gradient takes nanoseconds.",
         time_run, "operation", operations),
    CASE("build", "A node is added in nanoseconds, however many there are.", time_build,
         "node", function_nodes),
    CASE("vjp", "A derivative is built at the speed of building nodes.", time_vjp,
         "new node", new_nodes),
    CASE("compile", "A graph of any size compiles in the same time a node.",
         time_compile, "node", all_nodes),
    {NULL, NULL, NULL, NULL},
};
