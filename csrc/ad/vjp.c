/* vjp.c -- reverse mode: the graph extended by the nodes of its gradient.
 *
 * One pass forward marks what depends on the x; one pass back, in falling order of id,
 * hands each node's cotangent to its operands. Contributions wait in lists and meet in
 * one sum, so each node is visited once. Source: Griewank & Walther 2008,
 * section 3.2. */
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

typedef struct item {
    gradc_id d;
    uint32_t next; /* index of the next item, 0 ends */
} item;

typedef struct sweep {
    gradc_graph *g;
    gradc_id first, last; /* the ids the sweep covers */
    bool *active;         /* by id - first: depends on an x */
    uint32_t *head;       /* by id - first: contributions */
    item *items;          /* items[0] is unused */
    uint32_t n_items, room;
    gradc_id *batch; /* contributions of one node, to be added up */
    uint32_t batch_room;
} sweep;

static gradc_status no_memory(gradc_graph *g)
{
    return gradc_fail(g, GRADC_ENOMEM, "out of memory");
}

static gradc_status contribute(sweep *s, gradc_id x, gradc_id d)
{
    if (d == 0)
        return s->g->status;
    if (s->n_items + 1 >= s->room) {
        const uint32_t room = s->room ? 2 * s->room : 64;
        item *grown = gradc_realloc(s->items, room * sizeof *grown);
        if (grown == NULL)
            return no_memory(s->g);
        s->items = grown;
        s->room = room;
    }
    s->items[++s->n_items] = (item){d, s->head[x - s->first]};
    s->head[x - s->first] = s->n_items;
    return GRADC_OK;
}

/* The cotangent of x: the sum of all contributions, in the order they came. */
static gradc_id gather_up(sweep *s, gradc_id x)
{
    uint32_t n = 0;
    for (uint32_t i = s->head[x - s->first]; i != 0; i = s->items[i].next)
        n++;
    if (n == 0)
        return 0;
    if (n > s->batch_room) {
        gradc_id *grown = gradc_realloc(s->batch, 2 * n * sizeof *grown);
        if (grown == NULL) {
            no_memory(s->g);
            return 0;
        }
        s->batch = grown;
        s->batch_room = 2 * n;
    }
    uint32_t at = n;
    for (uint32_t i = s->head[x - s->first]; i != 0; i = s->items[i].next)
        s->batch[--at] = s->items[i].d;
    return gradc_meet(s->g, n, s->batch);
}

static void mark_active(sweep *s, size_t n, const gradc_id *x)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] <= s->last)
            s->active[x[i] - s->first] = true;
    for (gradc_id r = s->first; r <= s->last; r++) {
        const gradc_node *node = gradc_node_get(s->g, r);
        for (uint32_t k = 0; k < node->n_in && !s->active[r - s->first]; k++) {
            const gradc_id in = gradc_node_in(node)[k];
            s->active[r - s->first] = in >= s->first && s->active[in - s->first];
        }
    }
}

/* Hands the cotangent of every active node to its active operands; the x, which are
 * independent of each other, keep theirs. */
static gradc_status sweep_back(sweep *s, const bool *is_x)
{
    for (gradc_id r = s->last; r >= s->first; r--) {
        if (!s->active[r - s->first] || is_x[r - s->first] ||
            s->head[r - s->first] == 0)
            continue;
        const gradc_id dr = gather_up(s, r);
        const gradc_node *n = gradc_node_get(s->g, r);
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id in = gradc_node_in(n)[k];
            if (in >= s->first && s->active[in - s->first])
                GRADC_TRY(contribute(s, in, gradc_rule_vjp(s->g, r, k, dr)));
        }
        GRADC_TRY(s->g->status);
    }
    return GRADC_OK;
}

static gradc_status run_sweep(sweep *s, gradc_id y, gradc_id dr, size_t n,
                              const gradc_id *x, gradc_id *dx)
{
    const size_t span = (size_t)s->last - s->first + 1;
    bool *is_x = gradc_alloc_zero(span, sizeof *is_x);
    s->active = gradc_alloc_zero(span, sizeof *s->active);
    s->head = gradc_alloc_zero(span, sizeof *s->head);
    gradc_id *result = gradc_alloc(n * sizeof *result);
    gradc_status status = GRADC_ENOMEM;
    if (is_x == NULL || s->active == NULL || s->head == NULL || result == NULL) {
        no_memory(s->g);
        goto done;
    }
    mark_active(s, n, x);
    for (size_t i = 0; i < n; i++)
        if (x[i] <= s->last)
            is_x[x[i] - s->first] = true;
    status = s->active[y - s->first] ? contribute(s, y, dr) : GRADC_OK;
    if (status == GRADC_OK)
        status = sweep_back(s, is_x);
    for (size_t i = 0; i < n && status == GRADC_OK; i++) {
        result[i] = x[i] <= s->last ? gather_up(s, x[i]) : 0;
        if (result[i] == 0)
            result[i] = gradc_zeros_like(s->g, x[i]);
        status = s->g->status;
    }
    if (status == GRADC_OK && n > 0)
        memcpy(dx, result, n * sizeof *dx);
done:
    gradc_release(is_x);
    gradc_release(s->active);
    gradc_release(s->head);
    gradc_release(s->items);
    gradc_release(s->batch);
    gradc_release(result);
    return status;
}

/* That x is a node of floating type. */
static gradc_status check_float(gradc_graph *g, const char *who, gradc_id x)
{
    if (x == 0 || x > g->size)
        return gradc_fail(g, GRADC_EGRAPH, "%s: operand is no node of this graph", who);
    if (!gradc_dtype_is_float(gradc_dtype_of(g, x)))
        return gradc_fail(g, GRADC_ETYPE, "%s: %s has no derivative", who,
                          gradc_dtype_name(gradc_dtype_of(g, x)));
    return GRADC_OK;
}

gradc_status gradc_vjp(gradc_graph *g, gradc_id y, gradc_id dr, size_t n,
                       const gradc_id *x, gradc_id *dx)
{
    GRADC_TRY(g->status);
    GRADC_TRY(check_float(g, "vjp", y));
    sweep s = {.g = g, .first = y, .last = y};
    for (size_t i = 0; i < n; i++) {
        GRADC_TRY(check_float(g, "vjp", x[i]));
        s.first = x[i] < s.first ? x[i] : s.first;
    }
    if (dr == 0 && SHAPE(y)->rank != 0) {
        char text[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE,
                          "vjp: a cotangent is needed for an output of shape %s",
                          gradc_shape_str(SHAPE(y), text));
    }
    if (dr == 0)
        dr = gradc_const(g, gradc_dtype_of(g, y), 1);
    GRADC_TRY(check_float(g, "vjp", dr));
    if (gradc_dtype_of(g, dr) != gradc_dtype_of(g, y) ||
        !gradc_shape_equal(SHAPE(dr), SHAPE(y))) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(
            g, GRADC_ESHAPE, "vjp: cotangent is %s %s, output %s %s",
            gradc_dtype_name(gradc_dtype_of(g, dr)), gradc_shape_str(SHAPE(dr), a),
            gradc_dtype_name(gradc_dtype_of(g, y)), gradc_shape_str(SHAPE(y), b));
    }
    return run_sweep(&s, y, dr, n, x, dx);
}
