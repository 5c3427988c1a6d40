/* jvp.c -- forward mode: tangents follow the nodes, in rising order of id.
 *
 * Only nodes that depend on an x and lead to a y get a tangent; the x themselves are
 * independent of each other. Source: Griewank & Walther 2008, section 3.1. */
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

typedef struct sweep {
    gradc_graph *g;
    gradc_id first, last;
    bool *wanted;      /* by id - first: leads to a y */
    bool *given;       /* by id - first: is an x */
    gradc_id *tangent; /* by id - first */
} sweep;

static void mark_wanted(sweep *s, size_t m, const gradc_id *y)
{
    for (size_t j = 0; j < m; j++)
        if (y[j] >= s->first)
            s->wanted[y[j] - s->first] = true;
    for (gradc_id r = s->last; r >= s->first; r--) {
        if (!s->wanted[r - s->first] || s->given[r - s->first])
            continue;
        const gradc_node *n = gradc_node_get(s->g, r);
        for (uint32_t k = 0; k < n->n_in; k++)
            if (gradc_node_in(n)[k] >= s->first)
                s->wanted[gradc_node_in(n)[k] - s->first] = true;
    }
}

/* The tangent of r; `tx` has room for its operands'. */
static void propagate(sweep *s, gradc_id r, gradc_id *tx)
{
    const gradc_node *n = gradc_node_get(s->g, r);
    bool any = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id in = gradc_node_in(n)[k];
        tx[k] = in >= s->first ? s->tangent[in - s->first] : 0;
        any |= tx[k] != 0;
    }
    if (any)
        s->tangent[r - s->first] = gradc_rule_jvp(s->g, r, tx);
}

static gradc_status sweep_on(sweep *s, size_t n, const gradc_id *x, const gradc_id *tx,
                             size_t m, const gradc_id *y)
{
    uint32_t widest = 1;
    for (size_t i = 0; i < n; i++)
        if (x[i] <= s->last) {
            s->given[x[i] - s->first] = true;
            s->tangent[x[i] - s->first] = tx[i];
        }
    for (gradc_id r = s->first; r <= s->last; r++) {
        const uint32_t n_in = gradc_node_get(s->g, r)->n_in;
        widest = n_in > widest ? n_in : widest;
    }
    mark_wanted(s, m, y);
    gradc_id *row = gradc_alloc(widest * sizeof *row);
    if (row == NULL)
        return gradc_fail(s->g, GRADC_ENOMEM, "out of memory");
    for (gradc_id r = s->first; r <= s->last && s->g->status == GRADC_OK; r++)
        if (s->wanted[r - s->first] && !s->given[r - s->first])
            propagate(s, r, row);
    gradc_release(row);
    return s->g->status;
}

static gradc_status run_sweep(sweep *s, size_t n, const gradc_id *x, const gradc_id *tx,
                              size_t m, const gradc_id *y, gradc_id *ty)
{
    const size_t span = (size_t)s->last - s->first + 1;
    s->wanted = gradc_alloc_zero(span, sizeof *s->wanted);
    s->given = gradc_alloc_zero(span, sizeof *s->given);
    s->tangent = gradc_alloc_zero(span, sizeof *s->tangent);
    gradc_id *result = gradc_alloc(m * sizeof *result);
    gradc_status status = GRADC_ENOMEM;
    if (!s->wanted || !s->given || !s->tangent || !result) {
        gradc_fail(s->g, GRADC_ENOMEM, "out of memory");
        goto done;
    }
    status = sweep_on(s, n, x, tx, m, y);
    for (size_t j = 0; j < m && status == GRADC_OK; j++) {
        result[j] = y[j] >= s->first ? s->tangent[y[j] - s->first] : 0;
        if (result[j] == 0)
            result[j] = gradc_zeros_like(s->g, y[j]);
        status = s->g->status;
    }
    if (status == GRADC_OK)
        memcpy(ty, result, m * sizeof *ty);
done:
    gradc_release(s->wanted);
    gradc_release(s->given);
    gradc_release(s->tangent);
    gradc_release(result);
    return status;
}

/* That x and its tangent are nodes of one floating type and shape. */
static gradc_status check_tangent(gradc_graph *g, gradc_id x, gradc_id tx)
{
    if (x == 0 || x > g->size || tx > g->size)
        return gradc_fail(g, GRADC_EGRAPH, "jvp: operand is no node of this graph");
    if (!gradc_dtype_is_float(gradc_dtype_of(g, x)))
        return gradc_fail(g, GRADC_ETYPE, "jvp: %s has no derivative",
                          gradc_dtype_name(gradc_dtype_of(g, x)));
    if (tx == 0 || (gradc_dtype_of(g, x) == gradc_dtype_of(g, tx) &&
                    gradc_shape_equal(SHAPE(x), SHAPE(tx))))
        return GRADC_OK;
    char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
    return gradc_fail(
        g, GRADC_ESHAPE, "jvp: tangent is %s %s, input %s %s",
        gradc_dtype_name(gradc_dtype_of(g, tx)), gradc_shape_str(SHAPE(tx), a),
        gradc_dtype_name(gradc_dtype_of(g, x)), gradc_shape_str(SHAPE(x), b));
}

gradc_status gradc_jvp(gradc_graph *g, size_t n, const gradc_id *x, const gradc_id *tx,
                       size_t m, const gradc_id *y, gradc_id *ty)
{
    GRADC_TRY(g->status);
    sweep s = {.g = g, .first = UINT32_MAX, .last = 0};
    for (size_t i = 0; i < n; i++) {
        GRADC_TRY(check_tangent(g, x[i], tx[i]));
        s.first = x[i] < s.first ? x[i] : s.first;
    }
    for (size_t j = 0; j < m; j++) {
        GRADC_TRY(check_tangent(g, y[j], 0));
        s.last = y[j] > s.last ? y[j] : s.last;
    }
    if (s.first > s.last)
        s.first = s.last;
    return m == 0 ? GRADC_OK : run_sweep(&s, n, x, tx, m, y, ty);
}
