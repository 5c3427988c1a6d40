/* test_graph.c -- interning, errors, the verifier, graphs of 10^5 and 10^6 nodes. */
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "ir/verify.h"
#include "random_graph.h"

enum { ARGUMENT = GRADC_VARIABLE | GRADC_DIFFERENTIATED };

static gradc_id vector(gradc_graph *g, int64_t n)
{
    return gradc_input(g, GRADC_F64, 1, &n, ARGUMENT);
}

static gradc_id scalar(gradc_graph *g)
{
    return gradc_input(g, GRADC_F64, 0, NULL, ARGUMENT);
}

static gradc_id unary(gradc_graph *g, const char *op, gradc_id x)
{
    return gradc_unary(g, gradc_op_find(op), x);
}

static gradc_id binary(gradc_graph *g, const char *op, gradc_id x, gradc_id y)
{
    return gradc_binary(g, gradc_op_find(op), x, y);
}

/* ---- interning ---- */

static void test_equal_nodes_are_one(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = vector(g, 3), y = vector(g, 3);
    CHECK(x != y, "inputs are never merged");
    CHECK(unary(g, "sin", x) == unary(g, "sin", x), "sin(x)");
    CHECK(unary(g, "sin", x) != unary(g, "sin", y), "sin(x), sin(y)");
    CHECK(unary(g, "sin", x) != unary(g, "cos", x), "sin(x), cos(x)");
    CHECK(binary(g, "sub", x, y) != binary(g, "sub", y, x), "x - y, y - x");
    CHECK(gradc_ident(g, x, 0) != gradc_ident(g, x, 0), "ident is never merged");
    CHECK(gradc_cumsum(g, x, 0) == gradc_cumsum(g, x, -1), "axes are normalised");
    const gradc_id many[] = {x, y, x, y, x, y};
    CHECK(gradc_concat(g, 6, many, 0) == gradc_concat(g, 6, many, 0), "long lists");
    CHECK(gradc_concat(g, 5, many, 0) != gradc_concat(g, 6, many, 0), "their length");
    CHECK(gradc_reshape(g, x, 1, (int64_t[]){3}) == x, "a view of everything is x");
    CHECK(gradc_slice(g, x, (int64_t[]){0}, (int64_t[]){1}, (int64_t[]){3}) == x,
          "x[:]");
    gradc_graph_free(g);
}

static void test_constants_are_compared_by_bits(void)
{
    gradc_graph *g = gradc_graph_new();
    CHECK(gradc_const(g, GRADC_F64, 2) == gradc_const(g, GRADC_F64, 2), "2");
    CHECK(gradc_const(g, GRADC_F64, NAN) == gradc_const(g, GRADC_F64, NAN), "NaN");
    CHECK(gradc_const(g, GRADC_F64, 0) != gradc_const(g, GRADC_F64, -0.0), "-0");
    CHECK(gradc_const(g, GRADC_F64, 1) != gradc_const(g, GRADC_F32, 1), "dtypes");
    CHECK(gradc_const_i64(g, INT64_MAX) != gradc_const_i64(g, INT64_MAX - 1), "int64");
    gradc_graph_free(g);
}

static void test_equal_graphs_have_one_hash(void)
{
    uint64_t hash[3][2];
    for (int i = 0; i < 3; i++) {
        gradc_graph *g = gradc_graph_new();
        const gradc_id x = vector(g, 3 + (i == 2));
        binary(g, "mul", x, unary(g, "sin", x));
        gradc_graph_hash(g, hash[i]);
        gradc_graph_free(g);
    }
    CHECK(memcmp(hash[0], hash[1], sizeof *hash) == 0, "the same calls");
    CHECK(memcmp(hash[0], hash[2], sizeof *hash) != 0, "another shape");
}

/* ---- errors ---- */

/* That the last call gave no node, and one clear line about it. */
static void refused(gradc_graph *g, gradc_id x, gradc_status wanted, const char *text)
{
    const char *msg = NULL;
    const gradc_status status = gradc_graph_status(g, &msg);
    CHECK(x == 0 && status == wanted, "%u, status %d, not %d: %s", x, status, wanted,
          msg);
    CHECK(strstr(msg, text) != NULL && strchr(msg, '\n') == NULL, "'%s', not '%s'", msg,
          text);
    gradc_graph_recover(g);
}

static void test_wrong_operands_are_refused(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = vector(g, 3), y = vector(g, 4);
    const gradc_id n = gradc_input(g, GRADC_I64, 1, (int64_t[]){3}, GRADC_DATA);
    const gradc_id f = gradc_input(g, GRADC_F32, 1, (int64_t[]){3}, GRADC_DATA);
    const int64_t long_shape[17] = {0}, huge[] = {INT64_MAX, INT64_MAX};
    refused(g, binary(g, "add", x, y), GRADC_ESHAPE, "(3,)");
    refused(g, binary(g, "add", y, x), GRADC_ESHAPE, "add: ");
    refused(g, binary(g, "add", x, f), GRADC_ETYPE, "float32");
    refused(g, unary(g, "sin", n), GRADC_ETYPE, "sin: ");
    refused(g, gradc_where(g, x, x, x), GRADC_ETYPE, "where: ");
    refused(g, gradc_matmul(g, x, y), GRADC_ESHAPE, "matmul: ");
    refused(g, gradc_matmul(g, x, gradc_const(g, GRADC_F64, 1)), GRADC_ESHAPE,
            "scalar");
    refused(g, gradc_reshape(g, x, 1, (int64_t[]){4}), GRADC_ESHAPE, "reshape: ");
    refused(g, gradc_reshape(g, x, 2, (int64_t[]){-1, -1}), GRADC_ESHAPE, "reshape: ");
    refused(g, gradc_broadcast(g, x, 1, (int64_t[]){5}), GRADC_ESHAPE, "broadcast: ");
    refused(g, gradc_cumsum(g, x, 1), GRADC_EINDEX, "axis 1");
    refused(g, gradc_transpose(g, x, (int[]){-2}), GRADC_EINDEX, "transpose: ");
    refused(g, gradc_gather(g, x, x), GRADC_ETYPE, "gather: ");
    refused(g, gradc_concat(g, 0, NULL, 0), GRADC_EVALUE, "concat: ");
    refused(g, gradc_unary(g, -1, x), GRADC_EVALUE, "op -1");
    refused(g, gradc_unary(g, gradc_op_find("add"), x), GRADC_EVALUE, "1 operands");
    refused(g, unary(g, "sin", 999), GRADC_EGRAPH, "no node");
    refused(g, gradc_input(g, (gradc_dtype)9, 0, NULL, 0), GRADC_ETYPE, "dtype 9");
    refused(g, gradc_input(g, GRADC_F64, 17, long_shape, 0), GRADC_ESHAPE, "input: ");
    refused(g, gradc_input(g, GRADC_F64, 2, huge, 0), GRADC_ESHAPE, "input: ");
    refused(g, gradc_input(g, GRADC_F64, 1, (int64_t[]){-1}, 0), GRADC_ESHAPE, "input");
    CHECK(gradc_verify(g) == GRADC_OK, "the graph is whole");
    CHECK(unary(g, "sin", x) != 0, "and goes on");
    gradc_graph_free(g);
}

static void test_no_node_propagates_and_the_first_error_stays(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = vector(g, 3), y = vector(g, 4);
    const size_t size = gradc_graph_size(g);
    gradc_id bad = unary(g, "exp", binary(g, "mul", x, binary(g, "add", x, y)));
    CHECK(bad == 0, "0 is no node");
    CHECK(gradc_matmul(g, bad, x) == 0 && gradc_convert(g, bad, GRADC_F32) == 0, "0");
    bad = unary(g, "sin", 77);
    CHECK(gradc_graph_size(g) == size, "nothing was added");
    refused(g, bad, GRADC_ESHAPE, "add: ");
    CHECK(gradc_graph_status(g, NULL) == GRADC_OK, "recovered");
    gradc_graph_free(g);
}

static void test_broadcasting_is_numpys(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id a = gradc_input(g, GRADC_F64, 3, (int64_t[]){4, 1, 3}, 0);
    const gradc_id b = gradc_input(g, GRADC_F64, 2, (int64_t[]){5, 1}, 0);
    const gradc_id empty = gradc_input(g, GRADC_F64, 2, (int64_t[]){0, 3}, 0);
    const gradc_node_info n = node(g, binary(g, "add", a, b));
    CHECK(n.rank == 3 && n.dim[0] == 4 && n.dim[1] == 5 && n.dim[2] == 3, "(4, 5, 3)");
    const gradc_node_info e = node(g, binary(g, "add", a, empty));
    CHECK(e.rank == 3 && e.dim[0] == 4 && e.dim[1] == 0 && e.dim[2] == 3, "(4, 0, 3)");
    refused(g, binary(g, "add", b, empty), GRADC_ESHAPE, "(0, 3)");
    gradc_graph_free(g);
}

static void test_derivatives_and_programs_refuse_nonsense(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = vector(g, 3), y = unary(g, "sin", x), none = 0;
    const gradc_id n = gradc_input(g, GRADC_I64, 1, (int64_t[]){3}, GRADC_DATA);
    gradc_id out = 77;
    gradc_program *p = NULL;
    gradc_message msg = {""};
    CHECK(gradc_vjp(g, y, 0, 1, &x, &out) == GRADC_ESHAPE,
          "a vector needs a cotangent");
    refused(g, 0, GRADC_ESHAPE, "vjp: ");
    CHECK(gradc_vjp(g, y, y, 1, &n, &out) == GRADC_ETYPE, "int64 has no derivative");
    refused(g, 0, GRADC_ETYPE, "int64");
    CHECK(gradc_vjp(g, y, y, 1, &none, &out) == GRADC_EGRAPH, "0 is no node");
    refused(g, 0, GRADC_EGRAPH, "vjp: ");
    const gradc_id short_one = vector(g, 2);
    CHECK(gradc_jvp(g, 1, &x, &short_one, 1, &y, &out) == GRADC_ESHAPE, "tangent");
    refused(g, 0, GRADC_ESHAPE, "jvp: ");
    CHECK(out == 77, "results are untouched");
    CHECK(gradc_compile(g, 0, NULL, 1, &y, &p, &msg) == GRADC_EGRAPH && p == NULL, "x");
    CHECK(strstr(msg.text, "input") != NULL, "%s", msg.text);
    const gradc_id twice[] = {x, x};
    CHECK(gradc_compile(g, 2, twice, 1, &y, &p, NULL) == GRADC_EVALUE && p == NULL,
          "x");
    CHECK(gradc_compile(g, 1, &x, 1, &none, &p, NULL) == GRADC_EGRAPH && p == NULL,
          "0");
    gradc_graph_free(g);
    gradc_graph_free(NULL);
}

/* ---- the verifier ---- */

static void test_random_graphs_and_their_derivatives_are_whole(void)
{
    for (int round = 0; round < 100; round++) {
        gradc_graph *g = gradc_graph_new();
        gradc_id pool[300];
        size_t n = 0;
        for (int rank = 0; rank <= RANK; rank++)
            pool[n++] = gradc_input(g, GRADC_F64, rank, (int64_t[]){3, 1 + rank % 2, 3},
                                    ARGUMENT);
        for (int tries = 0; tries < 400 && n < 120; tries++) {
            const gradc_id x = random_node(g, pool, n);
            gradc_graph_recover(g);
            if (x != 0 && elements(g, x) <= LARGEST && node(g, x).rank <= RANK)
                pool[n++] = x;
        }
        CHECK(gradc_verify(g) == GRADC_OK, "round %d", round);
        for (size_t i = n - 1; i + 8 > n; i--) {
            gradc_id dx[4], ty, y = pool[i];
            if (node(g, y).dtype != GRADC_F64)
                continue;
            CHECK(gradc_vjp(g, y, y, 4, pool, dx) == GRADC_OK, "vjp of node %u", y);
            CHECK(gradc_jvp(g, 4, pool, pool, 1, &y, &ty) == GRADC_OK, "jvp of %u", y);
        }
        CHECK(gradc_verify(g) == GRADC_OK, "round %d, derivatives", round);
        gradc_graph_free(g);
    }
}

static void test_verifier_sees_what_is_wrong(void)
{
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = vector(g, 3), y = unary(g, "sin", x), z = unary(g, "cos", y);
    gradc_node *n = &g->chunk[0][z - 1];
    const gradc_node right = *n;
    CHECK(gradc_verify(g) == GRADC_OK, "right");
    n->u.in[0] = z;
    CHECK(gradc_verify(g) == GRADC_EGRAPH, "an operand that does not precede its user");
    gradc_graph_recover(g);
    *n = right;
    n->dtype = GRADC_F32;
    CHECK(gradc_verify(g) == GRADC_EGRAPH, "a type that inference does not give");
    gradc_graph_recover(g);
    *n = right;
    n->op = GRADC_OP_sin, n->u.in[0] = x;
    CHECK(gradc_verify(g) == GRADC_EGRAPH, "two equal nodes");
    gradc_graph_recover(g);
    *n = right;
    CHECK(gradc_verify(g) == GRADC_OK, "right again");
    gradc_graph_free(g);
}

/* ---- large graphs ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* x -> x + c and x -> c x by turns, 10^6 times, under a small stack. */
static void *run_chain(void *unused)
{
    enum { LENGTH = 1000000 };
    const double c[] = {1e-7, 1 + 1e-7};
    gradc_graph *g = gradc_graph_new();
    const gradc_id x = scalar(g);
    gradc_id y = x, dx = 0, ty = 0;
    double r = 0.5, dr = 1;
    for (int i = 0; i < LENGTH; i++) {
        y = binary(g, i % 2 ? "mul" : "add", y, gradc_const(g, GRADC_F64, c[i % 2]));
        r = i % 2 ? r * c[1] : r + c[0];
        dr *= i % 2 ? c[1] : 1;
    }
    CHECK(gradc_vjp(g, y, 0, 1, &x, &dx) == GRADC_OK, "vjp");
    CHECK(gradc_jvp(g, 1, &x, (gradc_id[]){gradc_const(g, GRADC_F64, 1)}, 1, &y, &ty) ==
              GRADC_OK,
          "jvp");
    CHECK(gradc_is_diagonal(g, y, x), "a scalar of a scalar");
    uint64_t hash[2];
    gradc_id leaf;
    CHECK(gradc_cone(g, y, &leaf, 1, hash) == 1 && leaf == x, "one leaf");
    gradc_program *p = NULL;
    gradc_message msg = {""};
    const gradc_id results[] = {y, dx, ty};
    CHECK(gradc_compile(g, 1, &x, 3, results, &p, &msg) == GRADC_OK, "%s", msg.text);
    gradc_graph_free(g);
    if (p == NULL)
        return unused;
    void *work = malloc(gradc_program_workspace(p));
    double x0 = 0.5, out[3];
    CHECK(gradc_run(p, (const void *[]){&x0}, (void *[]){&out[0], &out[1], &out[2]},
                    work, &msg) == GRADC_OK,
          "%s", msg.text);
    CHECK(out[0] == r, "%.17g, not %.17g", out[0], r);
    CHECK(fabs(out[1] / dr - 1) < 1e-9, "%.17g, not %.17g", out[1], dr);
    CHECK(fabs(out[2] / dr - 1) < 1e-9, "%.17g, not %.17g", out[2], dr);
    free(work);
    gradc_program_free(p);
    return unused;
}

static void test_long_chain_needs_no_stack(void)
{
    pthread_attr_t attr;
    pthread_t thread;
    const double start = seconds();
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 << 10);
    CHECK(pthread_create(&thread, &attr, run_chain, NULL) == 0, "a thread");
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    printf("chain of 10^6 nodes: %.2f s; ", seconds() - start);
}

enum { WIDE = 100000, FIRST = 20, LANES = 5 };

/* The same graph in plain C: values, then adjoints and the sums of their magnitudes. */
static double wide_value[WIDE][LANES], wide_dx[WIDE][LANES], wide_size[WIDE][LANES];
static struct {
    int kind, x, y;
} wide[WIDE];

static gradc_id build_wide(gradc_graph *g, gradc_id *id)
{
    static const char *const ops[] = {"add", "mul", "maximum"};
    const gradc_id half = gradc_const(g, GRADC_F64, 0.5);
    for (int i = 0; i < WIDE; i++) {
        if (i < FIRST) {
            id[i] = vector(g, LANES);
            for (int k = 0; k < LANES; k++)
                wide_value[i][k] = (double)(below(4001) - 2000) / 2001;
            continue;
        }
        const int x = wide[i].x = i - 1 - (int)below(FIRST);
        const int y = wide[i].y = i - 1 - (int)below(i - FIRST + 1 < FIRST ? 9 : i);
        wide[i].kind = (int)below(3);
        id[i] = binary(g, ops[wide[i].kind], id[x], id[y]);
        if (wide[i].kind == 0)
            id[i] = binary(g, "mul", id[i], half);
        for (int k = 0; k < LANES; k++) {
            const double a = wide_value[x][k], b = wide_value[y][k];
            wide_value[i][k] = wide[i].kind == 0   ? (a + b) * 0.5
                               : wide[i].kind == 1 ? a * b
                               : a > b             ? a
                                                   : b;
        }
    }
    return gradc_reduce(g, gradc_op_find("sum"), id[WIDE - 1], -1, NULL, 0);
}

static void sweep_wide(void)
{
    for (int k = 0; k < LANES; k++)
        wide_dx[WIDE - 1][k] = wide_size[WIDE - 1][k] = 1;
    for (int i = WIDE - 1; i >= FIRST; i--)
        for (int k = 0; k < LANES; k++) {
            const int x = wide[i].x, y = wide[i].y;
            const double a = wide_value[x][k], b = wide_value[y][k];
            const double share = a > b ? 1 : a < b ? 0 : 0.5;
            const double da = wide[i].kind == 0 ? 0.5 : wide[i].kind == 1 ? b : share;
            const double db = wide[i].kind == 0   ? 0.5
                              : wide[i].kind == 1 ? a
                                                  : 1 - share;
            wide_dx[x][k] += da * wide_dx[i][k];
            wide_dx[y][k] += db * wide_dx[i][k];
            wide_size[x][k] += fabs(da) * wide_size[i][k];
            wide_size[y][k] += fabs(db) * wide_size[i][k];
        }
}

static void test_wide_graph_is_differentiated_and_compiled(void)
{
    static gradc_id id[WIDE], results[FIRST + 2];
    static double out[FIRST + 1][LANES];
    double y = 0;
    const void *args[FIRST];
    void *to[FIRST + 2] = {&y};
    gradc_graph *g = gradc_graph_new();
    gradc_program *p = NULL;
    gradc_message msg = {""};
    const double start = seconds();
    results[0] = build_wide(g, id);
    results[1] = id[WIDE - 1];
    CHECK(gradc_vjp(g, results[0], 0, FIRST, id, results + 2) == GRADC_OK, "vjp");
    CHECK(gradc_compile(g, FIRST, id, FIRST + 2, results, &p, &msg) == GRADC_OK, "%s",
          msg.text);
    printf("graph of 10^5 nodes: %.2f s\n", seconds() - start);
    for (int i = 0; i < FIRST + 1; i++)
        to[i + 1] = out[i];
    for (int i = 0; i < FIRST; i++)
        args[i] = wide_value[i];
    void *work = malloc(gradc_program_workspace(p));
    CHECK(gradc_run(p, args, to, work, &msg) == GRADC_OK, "%s", msg.text);
    sweep_wide();
    CHECK(memcmp(out[0], wide_value[WIDE - 1], sizeof *out) == 0, "the value");
    for (int i = 0; i < FIRST; i++)
        for (int k = 0; k < LANES; k++)
            CHECK(fabs(out[i + 1][k] - wide_dx[i][k]) <= 1e-11 * wide_size[i][k],
                  "input %d: %g, not %g", i, out[i + 1][k], wide_dx[i][k]);
    free(work);
    gradc_program_free(p);
    gradc_graph_free(g);
}

int main(void)
{
    test_equal_nodes_are_one();
    test_constants_are_compared_by_bits();
    test_equal_graphs_have_one_hash();
    test_wrong_operands_are_refused();
    test_no_node_propagates_and_the_first_error_stays();
    test_broadcasting_is_numpys();
    test_derivatives_and_programs_refuse_nonsense();
    test_random_graphs_and_their_derivatives_are_whole();
    test_verifier_sees_what_is_wrong();
    test_long_chain_needs_no_stack();
    test_wide_graph_is_differentiated_and_compiled();
    return check_report();
}
