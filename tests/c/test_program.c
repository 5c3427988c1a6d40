/* test_program.c -- programs against the naive interpreter: every node of a random
 * graph compiled alone and run on the values of its operands.
 *
 * Fusion, simplification, views and the memory plan must not change a bit; a live
 * buffer that is overwritten shows as a wrong value. NaNs are equal to each other. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "random_graph.h"

static const size_t element_size[] = {8, 4, 8, 1};

enum { INPUTS = 12, MOST = 4000 };

typedef struct sample {
    gradc_graph *g;
    gradc_id input[INPUTS];
    void *value[MOST + 1]; /* by id */
    bool fixed[MOST + 1];  /* by id: follows from constants alone */
} sample;

/* Memory of exactly the size of node x, so that sanitizers see what lies past it. */
static void *room_for(const gradc_graph *g, gradc_id x)
{
    const size_t bytes = (size_t)elements(g, x) * element_size[node(g, x).dtype];
    return malloc(bytes ? bytes : 1);
}

/* Floats in (-2, 2), now and then 0 or 1; integers are row numbers that fit. */
static void *random_value(const gradc_graph *g, gradc_id x)
{
    void *p = room_for(g, x);
    const gradc_dtype dtype = node(g, x).dtype;
    for (int64_t i = 0; i < elements(g, x); i++) {
        const double u = below(9) ? (double)(below(4001) - 2000) / 1000 : below(2);
        if (dtype == GRADC_F64)
            ((double *)p)[i] = u;
        else if (dtype == GRADC_F32)
            ((float *)p)[i] = (float)u;
        else if (dtype == GRADC_I64)
            ((int64_t *)p)[i] = below(4) - 2;
        else
            ((uint8_t *)p)[i] = (uint8_t)below(2);
    }
    return p;
}

/* With `wide` axes of 131 instead of 3: values that are worth computing again. */
static void make_inputs(sample *s, bool wide)
{
    static const struct {
        gradc_dtype dtype;
        int rank;
        int64_t dim[RANK];
    } types[INPUTS] = {
        {GRADC_F64, 0, {0}},       {GRADC_F64, 1, {3}},    {GRADC_F64, 2, {2, 3}},
        {GRADC_F64, 3, {4, 2, 3}}, {GRADC_F64, 2, {3, 3}}, {GRADC_F64, 2, {1, 3}},
        {GRADC_F64, 1, {700}},     {GRADC_F64, 2, {0, 3}}, {GRADC_F32, 1, {3}},
        {GRADC_F32, 2, {2, 3}},    {GRADC_I64, 1, {5}},    {GRADC_BOOL, 2, {2, 3}},
    };
    s->g = gradc_graph_new();
    for (int i = 0; i < INPUTS; i++) {
        int64_t dim[RANK];
        for (int a = 0; a < RANK; a++)
            dim[a] = wide && types[i].dim[a] == 3 ? 131 : types[i].dim[a];
        s->input[i] = gradc_input(s->g, types[i].dtype, types[i].rank, dim,
                                  i % 3 ? GRADC_DIFFERENTIATED : GRADC_DATA);
    }
}

/* At least `count` nodes of up to `most` elements; index inputs and rows fit each
 * other. */
static void grow(sample *s, size_t count, int64_t most)
{
    gradc_id pool[MOST];
    size_t n = INPUTS;
    memcpy(pool, s->input, sizeof s->input);
    const gradc_id index = s->input[10];
    const gradc_id rows = gradc_gather(s->g, s->input[2], index);
    pool[n++] = rows;
    pool[n++] = gradc_gather(s->g, s->input[3], index);
    pool[n++] = gradc_scatter(s->g, rows, index, 2);
    while (gradc_graph_size(s->g) < count) {
        const gradc_id x = random_node(s->g, pool, n);
        gradc_graph_recover(s->g);
        if (x == 0 || elements(s->g, x) > most || node(s->g, x).rank > RANK)
            continue;
        pool[n++] = x;
    }
}

/* ---- the naive interpreter ---- */

static void evaluate_alone(sample *s, gradc_id x)
{
    const gradc_node_info n = node(s->g, x);
    gradc_id in[64];
    const void *args[64];
    size_t n_args = 0;
    s->fixed[x] = true;
    for (size_t i = 0; i < n.n_in && n_args < 64; i++) {
        bool known = s->fixed[n.in[i]]; /* x^2 is no pow if 2 is known */
        s->fixed[x] &= known;
        for (size_t k = 0; k < n_args; k++)
            known |= in[k] == n.in[i];
        if (known)
            continue;
        in[n_args] = n.in[i];
        args[n_args++] = s->value[n.in[i]];
    }
    gradc_program *p = NULL;
    gradc_message msg = {""};
    s->value[x] = room_for(s->g, x);
    const gradc_status made = gradc_compile(s->g, n_args, in, 1, &x, &p, &msg);
    CHECK(made == GRADC_OK, "node %u: %s", x, msg.text);
    void *work = malloc(gradc_program_workspace(p));
    CHECK(gradc_run(p, args, &s->value[x], work, &msg) == GRADC_OK, "%s", msg.text);
    free(work);
    gradc_program_free(p);
}

static void evaluate(sample *s)
{
    for (int i = 0; i < INPUTS; i++)
        s->value[s->input[i]] = random_value(s->g, s->input[i]);
    for (gradc_id x = 1; x <= gradc_graph_size(s->g); x++)
        if (s->value[x] == NULL)
            evaluate_alone(s, x);
}

/* ---- whole programs ---- */

static bool same(gradc_dtype dtype, const void *a, const void *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const char *x = (const char *)a + (size_t)i * element_size[dtype];
        const char *y = (const char *)b + (size_t)i * element_size[dtype];
        const bool nan = dtype == GRADC_F64   ? isnan(((const double *)a)[i]) &&
                                                    isnan(((const double *)b)[i])
                         : dtype == GRADC_F32 ? isnan(((const float *)a)[i]) &&
                                                    isnan(((const float *)b)[i])
                                              : false;
        if (!nan && memcmp(x, y, element_size[dtype]) != 0)
            return false;
    }
    return true;
}

static void compare(sample *s, const gradc_id *result, size_t n, void **out)
{
    for (size_t i = 0; i < n; i++) {
        const gradc_node_info info = node(s->g, result[i]);
        CHECK(same(info.dtype, out[i], s->value[result[i]], elements(s->g, result[i])),
              "%s, node %u of %zu", info.op, result[i], gradc_graph_size(s->g));
        free(out[i]);
    }
}

/* One node in `sparse` as result, computed from the inputs and one in `cut` others. */
static void check_program(sample *s, int64_t sparse, int64_t cut)
{
    gradc_id args[MOST], result[MOST];
    const void *from[MOST];
    void *out[MOST];
    size_t n_args = 0, n_results = 0;
    for (gradc_id x = 1; x <= gradc_graph_size(s->g); x++) {
        const bool is_input = strcmp(node(s->g, x).op, "input") == 0;
        if (is_input || (cut > 0 && !s->fixed[x] && below(cut) == 0)) {
            from[n_args] = s->value[x];
            args[n_args++] = x;
        }
        if (below(sparse) == 0) {
            out[n_results] = room_for(s->g, x);
            result[n_results++] = x;
        }
    }
    gradc_program *p = NULL;
    gradc_message msg = {""};
    const gradc_status made =
        gradc_compile(s->g, n_args, args, n_results, result, &p, &msg);
    CHECK(made == GRADC_OK, "%s", msg.text);
    void *work = malloc(gradc_program_workspace(p));
    CHECK(gradc_run(p, from, out, work, &msg) == GRADC_OK, "%s", msg.text);
    compare(s, result, n_results, out);
    free(work);
    gradc_program_free(p);
}

/* Reverse and forward derivatives of some float nodes join the graph. */
static void differentiate(sample *s)
{
    const gradc_id last = (gradc_id)gradc_graph_size(s->g);
    for (gradc_id y = last; y + 25 > last && y > INPUTS; y--) {
        if (node(s->g, y).dtype != GRADC_F64 || gradc_graph_size(s->g) > MOST / 4)
            continue;
        gradc_id x[7], tx[7], dx[7], ty;
        memcpy(x, s->input, sizeof x);
        for (int i = 0; i < 7; i++)
            tx[i] = below(3) ? x[i] : 0;
        CHECK(gradc_vjp(s->g, y, y, 7, x, dx) == GRADC_OK, "node %u", y);
        CHECK(gradc_jvp(s->g, 7, x, tx, 1, &y, &ty) == GRADC_OK, "node %u", y);
        for (int i = 0; i < 7; i++) {
            const gradc_node_info a = node(s->g, x[i]), b = node(s->g, dx[i]);
            CHECK(a.dtype == b.dtype && elements(s->g, x[i]) == elements(s->g, dx[i]),
                  "the adjoint of node %u", x[i]);
        }
        CHECK(node(s->g, ty).dtype == node(s->g, y).dtype, "the tangent of %u", y);
    }
}

static void test_random(int round, bool wide)
{
    sample s = {0};
    make_inputs(&s, wide);
    grow(&s, 80, wide ? 6 * LARGEST : LARGEST);
    if (round % 2)
        differentiate(&s);
    CHECK(gradc_graph_size(s.g) < MOST, "%zu nodes", gradc_graph_size(s.g));
    evaluate(&s);
    check_program(&s, 1, 0);
    check_program(&s, 4, 0);
    check_program(&s, 20, 0);
    check_program(&s, 3, 5);
    for (size_t i = 0; i <= MOST; i++)
        free(s.value[i]);
    gradc_graph_free(s.g);
}

/* ---- programs as objects ---- */

enum { N = 1000, RUNS = 300 };

typedef struct job {
    const gradc_program *p;
    double x[N], y, dx[N];
    int wrong;
} job;

/* sum(sin(x) * x) and its gradient; the graph is gone when it returns. */
static gradc_program *make_program(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x =
        gradc_input(g, GRADC_F64, 1, (int64_t[]){N}, GRADC_DIFFERENTIATED);
    const gradc_id sine = gradc_unary(g, gradc_op_find("sin"), x);
    const gradc_id y =
        gradc_reduce(g, gradc_op_find("sum"),
                     gradc_binary(g, gradc_op_find("mul"), sine, x), -1, NULL, 0);
    gradc_id dx;
    gradc_program *p = NULL;
    CHECK(gradc_vjp(g, y, 0, 1, &x, &dx) == GRADC_OK, "vjp");
    CHECK(gradc_compile(g, 1, &x, 2, (gradc_id[]){y, dx}, &p, NULL) == GRADC_OK,
          "compile");
    gradc_graph_free(g);
    return p;
}

static void *run_often(void *context)
{
    job *j = context;
    void *work = malloc(gradc_program_workspace(j->p));
    for (int k = 0; k < RUNS; k++) {
        const void *const args[] = {j->x};
        void *const results[] = {&j->y, j->dx};
        double y = 0;
        j->wrong += gradc_run(j->p, args, results, work, NULL) != GRADC_OK;
        for (int i = 0; i < N; i++) {
            y += sin(j->x[i]) * j->x[i];
            const double d = cos(j->x[i]) * j->x[i] + sin(j->x[i]);
            j->wrong += fabs(j->dx[i] - d) > 1e-13;
            j->x[i] += 1e-3;
        }
        j->wrong += fabs(j->y - y) > 1e-10;
    }
    free(work);
    return NULL;
}

static void test_two_threads_share_a_program_that_outlives_its_graph(void)
{
    static job jobs[2];
    gradc_program *p = make_program();
    pthread_t thread[2];
    for (int t = 0; t < 2; t++) {
        jobs[t].p = p;
        for (int i = 0; i < N; i++)
            jobs[t].x[i] = (double)(below(4001) - 2000) / 1000;
        pthread_create(&thread[t], NULL, run_often, &jobs[t]);
    }
    for (int t = 0; t < 2; t++) {
        pthread_join(thread[t], NULL);
        CHECK(jobs[t].wrong == 0, "thread %d: %d wrong numbers", t, jobs[t].wrong);
    }
    gradc_program_free(p);
}

static void test_wrong_index_is_an_error_of_the_run(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = gradc_input(g, GRADC_F64, 1, (int64_t[]){3}, GRADC_DATA);
    const gradc_id i = gradc_input(g, GRADC_I64, 1, (int64_t[]){2}, GRADC_DATA);
    const gradc_id y = gradc_gather(g, x, i);
    gradc_program *p = NULL;
    gradc_message msg = {""};
    CHECK(gradc_compile(g, 2, (gradc_id[]){x, i}, 1, &y, &p, &msg) == GRADC_OK, "%s",
          msg.text);
    void *work = malloc(gradc_program_workspace(p));
    const double value[] = {1, 2, 3};
    double out[2];
    void *const results[] = {out};
    int64_t index[] = {-1, 3};
    CHECK(gradc_run(p, (const void *[]){value, index}, results, work, &msg) ==
              GRADC_EINDEX,
          "3 is no row of 3");
    CHECK(strstr(msg.text, "gather") != NULL, "%s", msg.text);
    index[1] = -3;
    CHECK(gradc_run(p, (const void *[]){value, index}, results, work, &msg) == GRADC_OK,
          "%s", msg.text);
    CHECK(out[0] == 3 && out[1] == 1, "%g %g", out[0], out[1]);
    free(work);
    gradc_program_free(p);
    gradc_graph_free(g);
}

/* dx is one sum of many operands, and the slice moves to them. */
static void test_slice_of_a_long_sum(int terms)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = gradc_input(g, GRADC_F64, 1, (int64_t[]){8}, GRADC_DATA);
    const gradc_id u = gradc_input(g, GRADC_F64, 1, (int64_t[]){8}, GRADC_DATA);
    gradc_id y = x, dx;
    for (int k = 1; k < terms; k++) {
        const gradc_id c = gradc_const(g, GRADC_F64, k);
        const gradc_id term = gradc_binary(g, gradc_op_find("mul"), x, c);
        y = gradc_binary(g, gradc_op_find("add"), y, term);
    }
    CHECK(gradc_vjp(g, y, u, 1, &x, &dx) == GRADC_OK, "vjp");
    const int64_t one[] = {1}, rest[] = {7};
    const gradc_id r = gradc_slice(g, dx, one, one, rest);
    gradc_program *p = NULL;
    gradc_message msg = {""};
    CHECK(gradc_compile(g, 2, (gradc_id[]){x, u}, 1, &r, &p, &msg) == GRADC_OK, "%s",
          msg.text);
    void *work = malloc(gradc_program_workspace(p));
    const double value[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    double out[7];
    void *const results[] = {out};
    CHECK(gradc_run(p, (const void *[]){value, value}, results, work, &msg) == GRADC_OK,
          "%s", msg.text);
    for (int i = 0; i < 7; i++)
        CHECK(out[i] == value[i + 1] * (1 + terms * (terms - 1) / 2), "%d terms: %g",
              terms, out[i]);
    free(work);
    gradc_program_free(p);
    gradc_graph_free(g);
}

int main(void)
{
    for (int terms = 2; terms < 50; terms++)
        test_slice_of_a_long_sum(terms);

    for (int round = 0; round < 300; round++)
        test_random(round, false);
    for (int round = 0; round < 30; round++)
        test_random(round, true);
    test_two_threads_share_a_program_that_outlives_its_graph();
    test_wrong_index_is_an_error_of_the_run();
    gradc_program_free(NULL);
    return check_report();
}
