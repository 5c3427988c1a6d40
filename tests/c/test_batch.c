/* test_batch.c -- batches: every node on random operands is what the single node is,
 * roles, long chains, and what is refused. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "ir/verify.h"
#include "random_graph.h"

enum { SIZE = 3, INPUTS = 10, MOST = 120, WIDEST = 8 };
enum { ARGUMENT = GRADC_VARIABLE | GRADC_DIFFERENTIATED, LEVEL = 16 };

static const size_t element_size[] = {8, 4, 8, 1};

/* An input like x, with `size` of it if that is not negative. */
static gradc_id input_like(gradc_graph *g, gradc_id x, int64_t size, int role)
{
    const gradc_node_info n = node(g, x);
    int64_t dim[RANK + 2] = {size};
    const int more = size >= 0;
    for (int i = 0; i < n.rank; i++)
        dim[i + more] = n.dim[i];
    return gradc_input(g, n.dtype, n.rank + more, dim, role);
}

static size_t bytes_of(const gradc_graph *g, gradc_id x)
{
    return (size_t)elements(g, x) * element_size[node(g, x).dtype];
}

/* Floats in (-2, 2), now and then 0 or 1; integers are row numbers that fit. */
static void *random_value(const gradc_graph *g, gradc_id x)
{
    const gradc_dtype dtype = node(g, x).dtype;
    char *p = malloc(bytes_of(g, x) + 1);
    for (int64_t i = 0; i < elements(g, x); i++) {
        const double u = below(9) ? (double)(below(4001) - 2000) / 1000 : below(2);
        const float narrow = (float)u;
        const int64_t whole = below(4) - 2;
        const uint8_t flag = (uint8_t)below(2);
        const void *from = dtype == GRADC_F64   ? (const void *)&u
                           : dtype == GRADC_F32 ? (const void *)&narrow
                           : dtype == GRADC_I64 ? (const void *)&whole
                                                : (const void *)&flag;
        memcpy(p + (size_t)i * element_size[dtype], from, element_size[dtype]);
    }
    return p;
}

static void run(const gradc_graph *g, size_t n, const gradc_id *args,
                const void *const *from, gradc_id r, void *to)
{
    gradc_program *p = NULL;
    gradc_message msg = {""};
    CHECK(gradc_compile(g, n, args, 1, &r, &p, &msg) == GRADC_OK, "%s", msg.text);
    void *work = malloc(gradc_program_workspace(p) + 1);
    CHECK(gradc_run(p, from, &to, work, &msg) == GRADC_OK, "%s", msg.text);
    free(work);
    gradc_program_free(p);
}

static bool close_to(gradc_dtype dtype, const void *a, const void *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const double u = dtype == GRADC_F64   ? ((const double *)a)[i]
                         : dtype == GRADC_F32 ? ((const float *)a)[i]
                                              : 0;
        const double v = dtype == GRADC_F64   ? ((const double *)b)[i]
                         : dtype == GRADC_F32 ? ((const float *)b)[i]
                                              : 0;
        const double eps = dtype == GRADC_F64 ? 1e-12 : 1e-4;
        if (!(u == v || fabs(u - v) <= eps * (1 + fabs(v)) || (isnan(u) && isnan(v))))
            return false;
    }
    const bool is_float = dtype == GRADC_F64 || dtype == GRADC_F32;
    return is_float || memcmp(a, b, (size_t)n * element_size[dtype]) == 0;
}

/* A node as r on inputs of its own, some of them in a batch, against that node of each
 * element. */
static void compare_node(gradc_graph *g, gradc_id r)
{
    const gradc_node_info n = node(g, r);
    gradc_id in[WIDEST], own[WIDEST], given[WIDEST], x[WIDEST], bx[WIDEST], by = 77;
    void *value[WIDEST];
    size_t m = 0, n_args = 0;
    if (n.n_in == 0 || n.n_in > WIDEST)
        return;
    const bool back = below(2);
    for (size_t j = 0; j < n.n_in; j++) {
        const size_t i = back ? n.n_in - 1 - j : j;
        in[i] = n.in[i];
        if (strcmp(node(g, in[i]).op, "constant") == 0)
            continue;
        const bool mapped = m == 0 || below(2);
        in[i] = own[n_args] = input_like(g, n.in[i], -1, GRADC_DATA);
        given[n_args] = mapped ? input_like(g, in[i], SIZE, GRADC_DATA) : in[i];
        value[n_args] = random_value(g, given[n_args]);
        x[m] = in[i], bx[m] = given[n_args];
        m += mapped;
        n_args++;
    }
    if (m == 0)
        return;
    r = strcmp(n.op, "ident") == 0 ? gradc_ident(g, in[0], GRADC_DATA)
                                   : gradc_graph_add(g, (gradc_op)gradc_op_find(n.op),
                                                     n.n_in, in, n.n_attr, n.attr);
    CHECK(gradc_batch(g, SIZE, m, x, bx, 1, &r, &by) == GRADC_OK, "%s", n.op);
    char *one = malloc(bytes_of(g, r) + 1), *all = malloc(bytes_of(g, by) + 1);
    CHECK(bytes_of(g, by) == SIZE * bytes_of(g, r), "%s: its shape", n.op);
    run(g, n_args, given, (const void *const *)value, by, all);
    for (int b = 0; b < SIZE; b++) {
        const void *from[WIDEST];
        for (size_t k = 0; k < n_args; k++)
            from[k] = (char *)value[k] +
                      (given[k] != own[k]) * (size_t)b * bytes_of(g, own[k]);
        run(g, n_args, own, from, r, one);
        CHECK(close_to(n.dtype, all + (size_t)b * bytes_of(g, r), one, elements(g, r)),
              "node %u (%s), element %d", r, n.op, b);
    }
    for (size_t k = 0; k < n_args; k++)
        free(value[k]);
    free(one);
    free(all);
}

static void test_every_node_is_that_of_each_element(int round)
{
    static const struct {
        gradc_dtype dtype;
        int rank;
        int64_t dim[RANK];
    } types[INPUTS] = {
        {GRADC_F64, 0, {0}},       {GRADC_F64, 1, {3}},    {GRADC_F64, 2, {2, 3}},
        {GRADC_F64, 3, {4, 2, 3}}, {GRADC_F64, 2, {3, 3}}, {GRADC_F64, 2, {1, 3}},
        {GRADC_F64, 2, {0, 3}},    {GRADC_F32, 1, {3}},    {GRADC_I64, 1, {5}},
        {GRADC_BOOL, 2, {2, 3}},
    };
    gradc_id pool[MOST], by[MOST], bx[INPUTS];
    size_t n = INPUTS;
    gradc_graph *g = gradc_graph_new();
    for (int i = 0; i < INPUTS; i++)
        pool[i] = gradc_input(g, types[i].dtype, types[i].rank, types[i].dim, ARGUMENT);
    pool[n++] = gradc_gather(g, pool[2], pool[8]);
    pool[n] = gradc_scatter(g, pool[n - 1], pool[8], 2);
    n++;
    while (n < MOST) {
        const gradc_id r = random_node(g, pool, n);
        gradc_graph_recover(g);
        if (r != 0 && elements(g, r) <= LARGEST && node(g, r).rank <= RANK)
            pool[n++] = r;
    }
    const gradc_id last = (gradc_id)gradc_graph_size(g);
    for (int i = 0; i < INPUTS; i++)
        bx[i] = input_like(g, pool[i], SIZE, GRADC_DATA);
    CHECK(gradc_batch(g, SIZE, INPUTS, pool, bx, MOST, pool, by) == GRADC_OK,
          "round %d", round);
    for (size_t j = 0; j < MOST; j++)
        if (by[j] != 0)
            CHECK(elements(g, by[j]) == SIZE * elements(g, pool[j]) &&
                      node(g, by[j]).dim[0] == SIZE &&
                      node(g, by[j]).dtype == node(g, pool[j]).dtype,
                  "node %u", pool[j]);
    for (gradc_id r = 1; r <= last; r++)
        compare_node(g, r);
    for (size_t j = INPUTS; j < MOST; j++) {
        const size_t size = (size_t)elements(g, pool[j]) * 24;
        uint8_t *there = malloc(size + 1);
        CHECK(gradc_pattern(g, pool[j], pool[3], there) == GRADC_OK, "pattern");
        for (size_t i = 0; i < size; i++)
            CHECK(there[i] < 2, "node %u", pool[j]);
        free(there);
    }
    CHECK(gradc_verify(g) == GRADC_OK, "round %d", round);
    gradc_graph_free(g);
}

static void test_roles_are_those_of_the_batch(void)
{
    gradc_graph *g = gradc_graph_new();
    const int sine = gradc_op_find("sin");
    const gradc_id x = gradc_input(g, GRADC_F64, 0, NULL, ARGUMENT | GRADC_DEFERRED);
    const gradc_id own = gradc_ident(g, x, ARGUMENT | LEVEL);
    const gradc_id y[] = {gradc_unary(g, sine, x), gradc_unary(g, sine, own), x};
    const gradc_id data = input_like(g, x, SIZE, GRADC_DATA);
    const gradc_id later = input_like(g, x, SIZE, GRADC_DEFERRED);
    gradc_id by[3];
    CHECK(gradc_batch(g, SIZE, 1, &x, &data, 3, y, by) == GRADC_OK, "data");
    CHECK(node(g, by[0]).role == GRADC_DATA, "of what it is computed from");
    CHECK(node(g, by[1]).role == (ARGUMENT | LEVEL), "an ident keeps its own");
    CHECK(by[2] == data, "x itself");
    CHECK(gradc_batch(g, SIZE, 1, &x, &later, 3, y, by) == GRADC_OK, "deferred");
    CHECK(node(g, by[0]).role == GRADC_DEFERRED, "deferred");
    CHECK(node(g, by[1]).role == (ARGUMENT | LEVEL | GRADC_DEFERRED), "both");
    const gradc_id other = gradc_input(g, GRADC_F64, 0, NULL, ARGUMENT);
    CHECK(gradc_batch(g, SIZE, 1, &x, &data, 1, &other, by) == GRADC_OK, "apart");
    CHECK(by[0] == 0, "what depends on no x is the same for all");
    gradc_graph_free(g);
}

static void refused(gradc_graph *g, int64_t size, gradc_id x, gradc_id bx, gradc_id y,
                    gradc_status status, const char *text)
{
    gradc_id by = 77;
    const char *msg;
    CHECK(gradc_batch(g, size, 1, &x, &bx, 1, &y, &by) == status, "%s", text);
    CHECK(by == 77, "results are untouched");
    gradc_graph_status(g, &msg);
    CHECK(strstr(msg, text) != NULL, "%s, not %s", msg, text);
    gradc_graph_recover(g);
}

static void test_nonsense_is_refused(void)
{
    gradc_graph *g = gradc_graph_new();
    const int64_t dim[16] = {2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const gradc_id x = gradc_input(g, GRADC_F64, 1, dim, ARGUMENT);
    const gradc_id wide = gradc_broadcast(g, x, 16, (int64_t[16]){[15] = 2});
    const gradc_id many = gradc_input(g, GRADC_F64, 16, dim, ARGUMENT);
    const gradc_id turned = gradc_transpose(
        g, many, (int[]){15, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 0});
    const gradc_id bx = input_like(g, x, SIZE, ARGUMENT);
    const gradc_id f32 = gradc_convert(g, bx, GRADC_F32);
    refused(g, 2, x, bx, x, GRADC_ESHAPE, "batch: 2 of float64 (2,)");
    refused(g, SIZE, x, x, x, GRADC_ESHAPE, "cannot be float64 (2,)");
    refused(g, SIZE, x, f32, x, GRADC_ESHAPE, "cannot be float32 (3, 2)");
    refused(g, SIZE, x, 0, x, GRADC_EGRAPH, "no node");
    refused(g, SIZE, x, bx, 0, GRADC_EGRAPH, "no node");
    refused(g, SIZE, 999, bx, x, GRADC_EGRAPH, "no node");
    refused(g, SIZE, x, bx, wide, GRADC_ESHAPE, "17 dimensions");
    refused(g, 2, many, many, turned, GRADC_ESHAPE, "batch: 2 of");
    const gradc_id scale = gradc_input(g, GRADC_F64, 0, NULL, ARGUMENT);
    const gradc_id most = input_like(g, scale, SIZE, ARGUMENT);
    refused(g, SIZE, scale, most, gradc_binary(g, gradc_op_find("mul"), many, scale),
            GRADC_ESHAPE, "17 dimensions");
    CHECK(gradc_verify(g) == GRADC_OK, "whole");
    gradc_graph_free(g);
}

/* A chain of 10^5 nodes, under a small stack. */
static void *run_chain(void *unused)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = gradc_input(g, GRADC_F64, 0, NULL, GRADC_VARIABLE);
    const gradc_id c = gradc_const(g, GRADC_F64, 3);
    gradc_id y = x, by = 0;
    for (int i = 0; i < 100000; i++)
        y = gradc_binary(g, gradc_op_find(i % 2 ? "sub" : "add"), y, c);
    const gradc_id bx = input_like(g, x, SIZE, GRADC_VARIABLE);
    CHECK(gradc_batch(g, SIZE, 1, &x, &bx, 1, &y, &by) == GRADC_OK, "batch");
    const double from[SIZE] = {1, 2, 4};
    double to[SIZE];
    run(g, 1, &bx, (const void *[]){from}, by, to);
    CHECK(memcmp(from, to, sizeof to) == 0, "adding and taking away 3");
    gradc_graph_free(g);
    return unused;
}

static void test_long_chain_needs_no_stack(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    CHECK(pthread_create(&thread, &attr, run_chain, NULL) == 0, "a thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
}

int main(void)
{
    for (int round = 0; round < 12; round++)
        test_every_node_is_that_of_each_element(round);
    test_roles_are_those_of_the_batch();
    test_nonsense_is_refused();
    test_long_chain_needs_no_stack();
    return check_report();
}
