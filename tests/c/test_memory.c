/* test_memory.c -- every allocation of a whole life of the library fails in turn.
 *
 * The n-th allocation and all after it fail, for n = 1, 2, ... until none does. Each
 * time the call reports GRADC_ENOMEM, nothing leaks, results are untouched, and the
 * same handles then do the same work with the same results. */
#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "random_graph.h"

enum { ROWS = 3, COLUMNS = 4, X = ROWS * COLUMNS, MANY = 40, OUT = 2 + 2 * X };

/* Everything that outlives a failed attempt. */
typedef struct life {
    gradc_graph *g;
    gradc_program *p;
    gradc_id x, w, index;
} life;

static gradc_id sum(gradc_graph *g, gradc_id x)
{
    return gradc_reduce(g, gradc_op_find("sum"), x, -1, NULL, 0);
}

static gradc_id plus(gradc_graph *g, gradc_id x, gradc_id y)
{
    return gradc_binary(g, gradc_op_find("add"), x, y);
}

/* Each elementwise row of the op table once, on x and w. */
static gradc_id build_rows(gradc_graph *g, gradc_id x, gradc_id w)
{
    gradc_id total = w;
    for (int op = 0; op < gradc_op_count(); op++) {
        gradc_op_info info;
        gradc_op_describe(op, &info);
        gradc_id r = total;
        if (strcmp(info.kind, "unary") == 0)
            r = gradc_unary(g, op, x);
        else if (strcmp(info.kind, "binary") == 0)
            r = gradc_binary(g, op, x, w);
        else if (strcmp(info.kind, "test") == 0 && info.types >> GRADC_F64 & 1)
            r = gradc_where(
                g, info.arity == 1 ? gradc_unary(g, op, x) : gradc_binary(g, op, x, w),
                x, w);
        total = plus(g, total, r);
    }
    return sum(g, total);
}

/* All other builders. */
static gradc_id build_shapes(gradc_graph *g, gradc_id x, gradc_id w, gradc_id index)
{
    static const char *const reductions[] = {"prod", "max", "min"};
    const int64_t begin[] = {1, 3}, step[] = {1, -2}, part[] = {2, 2};
    const int64_t before[] = {1, 0}, wide[] = {1, 2}, size[] = {5, 9};
    const gradc_id flat = gradc_reshape(g, x, 1, (int64_t[]){-1});
    const gradc_id turned = gradc_transpose(g, x, (int[]){1, 0});
    const gradc_id single = gradc_convert(g, x, GRADC_F32);
    gradc_id total = sum(g, gradc_matmul(g, x, turned));
    total = plus(g, total, gradc_matmul(g, flat, flat));
    total = plus(g, total, sum(g, gradc_cumprod(g, gradc_cumsum(g, x, 0), 1)));
    total =
        plus(g, total, sum(g, gradc_concat(g, 6, (gradc_id[]){x, w, x, w, x, w}, 1)));
    total = plus(g, total, sum(g, gradc_pad(g, x, before, wide, size)));
    total = plus(
        g, total,
        gradc_matmul(
            g,
            gradc_reshape(g, gradc_slice(g, x, begin, step, part), 1, (int64_t[]){4}),
            gradc_slice(g, flat, (int64_t[]){2}, (int64_t[]){2}, (int64_t[]){4})));
    const gradc_id rows = gradc_gather(g, x, index);
    total = plus(g, total, sum(g, gradc_scatter(g, rows, index, 7)));
    total = plus(g, total, sum(g, gradc_broadcast(g, x, 3, (int64_t[]){2, 3, 4})));
    total = plus(g, total, sum(g, gradc_ident(g, x, GRADC_VARIABLE)));
    total = plus(g, total, gradc_convert(g, sum(g, single), GRADC_F64));
    const gradc_id best = gradc_arg(g, gradc_op_find("argmax"), x, 1);
    total = plus(g, total, sum(g, gradc_convert(g, best, GRADC_F64)));
    for (int i = 0; i < 3; i++)
        total = plus(g, total,
                     sum(g, gradc_reduce(g, gradc_op_find(reductions[i]), x, 1,
                                         (int[]){i % 2}, 1)));
    return total;
}

/* Enough nodes, users and shapes that every table grows. */
static gradc_id build_many(gradc_graph *g, gradc_id x)
{
    gradc_id part[MANY];
    for (int i = 0; i < MANY; i++) {
        const gradc_id c = gradc_const(g, GRADC_F64, i + 0.25);
        part[i] =
            gradc_broadcast(g, sum(g, gradc_binary(g, gradc_op_find("mul"), x, c)), 1,
                            (int64_t[]){i + 1});
    }
    return sum(g, gradc_concat(g, MANY, part, 0));
}

static gradc_status failure(const gradc_graph *g)
{
    const char *msg;
    const gradc_status status = gradc_graph_status(g, &msg);
    CHECK(status != GRADC_ENOMEM || strcmp(msg, "out of memory") == 0, "%s", msg);
    return status;
}

static gradc_status build(life *l, gradc_id *y)
{
    const int64_t dim[] = {ROWS, COLUMNS}, five = 5;
    gradc_graph *g = l->g;
    l->x = gradc_input(g, GRADC_F64, 2, dim, GRADC_VARIABLE | GRADC_DIFFERENTIATED);
    l->w = gradc_input(g, GRADC_F64, 2, dim, GRADC_VARIABLE | GRADC_DIFFERENTIATED);
    l->index = gradc_input(g, GRADC_I64, 1, &five, GRADC_DATA);
    const gradc_id rows = build_rows(g, l->x, l->w);
    *y = plus(g, plus(g, rows, build_many(g, l->x)),
              build_shapes(g, l->x, l->w, l->index));
    return *y == 0 ? failure(g) : GRADC_OK;
}

static gradc_status look(life *l, gradc_id y)
{
    gradc_id leaves[4];
    uint64_t hash[2];
    const size_t n = gradc_cone(l->g, y, leaves, 4, hash);
    if (n == (size_t)-1)
        return GRADC_ENOMEM;
    CHECK(n == 3 && leaves[2] == l->index, "%zu leaves", n);
    uint8_t there[X];
    memset(there, 77, sizeof there);
    if (gradc_pattern(l->g, y, l->x, there) != GRADC_OK) {
        CHECK(there[0] == 77, "pattern");
        return failure(l->g);
    }
    CHECK(there[0] == 1 && there[X - 1] == 1, "a sum of all");
    const gradc_id sine = gradc_unary(l->g, gradc_op_find("sin"), l->x);
    if (sine == 0)
        return failure(l->g);
    /* 0 is "that cannot be told", which is right also without memory */
    return gradc_is_diagonal(l->g, sine, l->x) ? GRADC_OK : GRADC_ENOMEM;
}

/* The gradient of a batch of two; the pair shares the index. */
static gradc_status batch(const life *l, const gradc_id *dx)
{
    const int64_t dim[] = {2, ROWS, COLUMNS};
    const gradc_id x[] = {l->x, l->w};
    gradc_id bx[2], by[2] = {77, 77};
    for (int i = 0; i < 2; i++)
        bx[i] = gradc_input(l->g, GRADC_F64, 3, dim, GRADC_VARIABLE);
    if (bx[0] == 0 || bx[1] == 0)
        return failure(l->g);
    const gradc_status status = gradc_batch(l->g, 2, 2, x, bx, 2, dx, by);
    if (status != GRADC_OK)
        CHECK(failure(l->g) == status && by[0] == 77, "batch");
    return status;
}

/* A graph, its derivatives, a batch, a program: all that allocates. */
static gradc_status attempt(life *l)
{
    gradc_id y, x[2], dx[2] = {77, 77}, ty = 77;
    if (l->g == NULL && (l->g = gradc_graph_new()) == NULL)
        return GRADC_ENOMEM;
    gradc_status status = build(l, &y);
    if (status != GRADC_OK)
        return status;
    x[0] = l->x, x[1] = l->w;
    status = gradc_vjp(l->g, y, 0, 2, x, dx);
    if (status != GRADC_OK) {
        CHECK(failure(l->g) == status && dx[0] == 77, "vjp");
        return status;
    }
    status = gradc_jvp(l->g, 2, x, dx, 1, &y, &ty);
    if (status != GRADC_OK) {
        CHECK(failure(l->g) == status && ty == 77, "jvp");
        return status;
    }
    status = look(l, y);
    if (status != GRADC_OK)
        return status;
    status = batch(l, dx);
    if (status != GRADC_OK)
        return status;
    const gradc_id args[] = {l->x, l->w, l->index}, results[] = {y, ty, dx[0], dx[1]};
    gradc_message msg = {""};
    status = gradc_compile(l->g, 3, args, 4, results, &l->p, &msg);
    if (status != GRADC_OK)
        CHECK(l->p == NULL && strcmp(msg.text, "out of memory") == 0, "%s", msg.text);
    return status;
}

/* A run must work where no allocation does. */
static void run(const life *l, double *out)
{
    const double x[X] = {1.5, 1.25, 2, 1.75, 1.1, 1.9, 1.3, 1.6, 2.5, 1.05, 1.4, 1.2};
    const double w[X] = {2.5, 1.5, 1, 1.75, 2.1, 1.2, 2.3, 1.1, 1.5, 2.05, 2.4, 1.7};
    const int64_t index[] = {0, 2, 1, -1, 0};
    void *work = malloc(gradc_program_workspace(l->p));
    gradc_message msg = {""};
    gradc_alloc_fail_at(1);
    const gradc_status status =
        gradc_run(l->p, (const void *[]){x, w, index},
                  (void *[]){out, out + 1, out + 2, out + 2 + X}, work, &msg);
    gradc_alloc_fail_at(0);
    CHECK(status == GRADC_OK, "status %d: %s", status, msg.text);
    free(work);
}

static void end(life *l)
{
    gradc_graph_free(l->g);
    gradc_program_free(l->p);
}

/* One life in which allocation n fails; false if it has not so many. */
static bool fails_at(long n, const double *expected)
{
    const long live = gradc_alloc_live();
    life l = {0};
    gradc_alloc_fail_at(n);
    const gradc_status status = attempt(&l);
    gradc_alloc_fail_at(0);
    if (status != GRADC_OK) {
        double out[OUT];
        CHECK(status == GRADC_ENOMEM, "allocation %ld: status %d", n, status);
        if (l.g != NULL)
            gradc_graph_recover(l.g);
        const gradc_status again = attempt(&l);
        CHECK(again == GRADC_OK, "after allocation %ld: status %d", n, again);
        if (again == GRADC_OK) {
            run(&l, out);
            CHECK(memcmp(out, expected, sizeof out) == 0, "after allocation %ld", n);
        }
    }
    end(&l);
    CHECK(gradc_alloc_live() == live, "allocation %ld: %ld are lost", n,
          gradc_alloc_live() - live);
    return status != GRADC_OK;
}

int main(void)
{
    double expected[OUT];
    life l = {0};
    const long live = gradc_alloc_live();
    CHECK(attempt(&l) == GRADC_OK, "memory for all");
    run(&l, expected);
    end(&l);
    CHECK(gradc_alloc_live() == live, "%ld are lost", gradc_alloc_live() - live);
    long n = 1;
    while (fails_at(n, expected))
        n++;
    printf("%ld allocations; ", n - 1);
    CHECK(n > 50, "a life is longer than that");
    return check_report();
}
