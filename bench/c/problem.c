/* problem.c -- programs through the public interface, as any caller makes them. */
#include "problem.h"

#include <math.h>

static void *room(size_t bytes)
{
    void *p = gradc_buffer_take(bytes);
    bench_require(p != NULL, "out of memory: %zu bytes", bytes);
    return p;
}

static size_t element_bytes(gradc_dtype dtype)
{
    return dtype == GRADC_F32 ? sizeof(float) : sizeof(double);
}

static problem_array array_of(const gradc_graph *g, gradc_id x)
{
    gradc_node_info info;
    const char *msg = "";
    gradc_graph_status(g, &msg);
    bench_require(gradc_node_describe(g, x, &info) == GRADC_OK, "%s", msg);
    problem_array a = {x, info.dtype, 1, NULL};
    for (int k = 0; k < info.rank; k++)
        a.size *= info.dim[k];
    a.data = room((size_t)a.size * element_bytes(a.dtype));
    return a;
}

void problem_begin(problem *q)
{
    *q = (problem){.g = gradc_graph_new()};
    bench_require(q->g != NULL, "out of memory: graph");
}

gradc_id problem_input(problem *q, gradc_dtype dtype, int rank, const int64_t *dim,
                       double lo, double hi)
{
    const gradc_id x = gradc_input(q->g, dtype, rank, dim, GRADC_DIFFERENTIATED);
    const problem_array a = array_of(q->g, x);
    for (int64_t i = 0; i < a.size; i++) {
        const double v = lo + (hi - lo) * (double)bench_random() / 0x1p31;
        if (dtype == GRADC_F64)
            ((double *)a.data)[i] = v;
        else if (dtype == GRADC_F32)
            ((float *)a.data)[i] = (float)v;
        else
            ((int64_t *)a.data)[i] = (int64_t)v;
    }
    q->in[q->n_in++] = a;
    return x;
}

void problem_result(problem *q, gradc_id x) { q->out[q->n_out++] = array_of(q->g, x); }

void problem_build(problem *q)
{
    gradc_id in[MOST_ARRAYS], out[MOST_ARRAYS];
    for (size_t k = 0; k < q->n_in; k++)
        in[k] = q->in[k].id;
    for (size_t k = 0; k < q->n_out; k++)
        out[k] = q->out[k].id;
    gradc_message msg = {""};
    bench_require(gradc_compile(q->g, q->n_in, in, q->n_out, out, &q->program, &msg) ==
                      GRADC_OK,
                  "%s", msg.text);
    q->work = room(gradc_program_workspace(q->program));
}

void problem_free(problem *q)
{
    for (size_t k = 0; k < q->n_in; k++)
        gradc_buffer_give(q->in[k].data);
    for (size_t k = 0; k < q->n_out; k++)
        gradc_buffer_give(q->out[k].data);
    gradc_buffer_give(q->work);
    gradc_program_free(q->program);
    gradc_graph_free(q->g);
}

double problem_element(const problem_array *a, int64_t i)
{
    if (a->dtype == GRADC_F64)
        return ((const double *)a->data)[i];
    if (a->dtype == GRADC_F32)
        return (double)((const float *)a->data)[i];
    return (double)((const int64_t *)a->data)[i];
}

/* ns that the runs take. */
static double run_program(void *context, int64_t repetitions)
{
    const problem *q = context;
    const void *args[MOST_ARRAYS];
    void *results[MOST_ARRAYS];
    for (size_t k = 0; k < q->n_in; k++)
        args[k] = q->in[k].data;
    for (size_t k = 0; k < q->n_out; k++)
        results[k] = q->out[k].data;
    gradc_message msg = {""};
    gradc_status failed = GRADC_OK;
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++)
        failed |= gradc_run(q->program, args, results, q->work, &msg);
    const double took = now() - start;
    bench_require(failed == GRADC_OK, "%s", msg.text);
    return took;
}

void problem_check(const problem *q, const char *name, problem_answer *const *answer)
{
    enum { SOME = 2000 };
    run_program((void *)q, 1);
    for (size_t r = 0; r < q->n_out; r++) {
        const problem_array *a = &q->out[r];
        const double tolerance = a->dtype == GRADC_F32 ? 2e-5 : 1e-10;
        for (int64_t i = 0; i < a->size; i += 1 + a->size / SOME) {
            const double got = problem_element(a, i), want = answer[r](q, i);
            bench_require(fabs(got - want) <= tolerance * (1 + fabs(want)),
                          "%s is wrong: element %lld of result %zu, of %lld, is %.17g "
                          "and not %.17g",
                          name, (long long)i, r, (long long)a->size, got, want);
        }
    }
}

spread problem_time(problem *q, bool quick) { return measure(run_program, q, quick); }
