/* forward.c -- one pass in rising order of id, from some nodes x to some nodes y.
 *
 * What the x have is handed on: a rule tells what a node gets from what its operands
 * have. Tangents go this way (ad/jvp.c), and batches (ad/batch.c). Only nodes that
 * depend on an x and lead to a y are visited. */
#include <string.h>

#include "ad/rules.h"

typedef struct sweep {
    gradc_graph *g;
    gradc_forward_rule *rule;
    gradc_id first, last;
    bool *wanted;  /* by id - first: leads to a y */
    bool *given;   /* by id - first: is an x */
    gradc_id *has; /* by id - first: what the node got, 0 if nothing */
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

/* What r gets; `tx` has room for what its operands have. */
static void propagate(sweep *s, gradc_id r, gradc_id *tx)
{
    const gradc_node *n = gradc_node_get(s->g, r);
    bool any = false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id in = gradc_node_in(n)[k];
        tx[k] = in >= s->first ? s->has[in - s->first] : 0;
        any |= tx[k] != 0;
    }
    if (any)
        s->has[r - s->first] = s->rule(s->g, r, tx);
}

static gradc_status sweep_on(sweep *s, size_t n, const gradc_id *x, const gradc_id *tx,
                             size_t m, const gradc_id *y)
{
    uint32_t widest = 1;
    for (size_t i = 0; i < n; i++)
        if (x[i] <= s->last) {
            s->given[x[i] - s->first] = true;
            s->has[x[i] - s->first] = tx[i];
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

gradc_status gradc_forward(gradc_graph *g, size_t n, const gradc_id *x,
                           const gradc_id *tx, size_t m, const gradc_id *y,
                           gradc_forward_rule *rule, gradc_absent_rule *absent,
                           gradc_id *ty)
{
    sweep s = {.g = g, .rule = rule, .first = UINT32_MAX, .last = 0};
    for (size_t i = 0; i < n; i++)
        s.first = x[i] < s.first ? x[i] : s.first;
    for (size_t j = 0; j < m; j++)
        s.last = y[j] > s.last ? y[j] : s.last;
    if (s.first > s.last)
        s.first = s.last;
    if (m == 0)
        return g->status;
    const size_t span = (size_t)s.last - s.first + 1;
    s.wanted = gradc_alloc_zero(span, sizeof *s.wanted);
    s.given = gradc_alloc_zero(span, sizeof *s.given);
    s.has = gradc_alloc_zero(span, sizeof *s.has);
    gradc_id *result = gradc_alloc(m * sizeof *result);
    gradc_status status = GRADC_ENOMEM;
    if (!s.wanted || !s.given || !s.has || !result) {
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
        goto done;
    }
    status = sweep_on(&s, n, x, tx, m, y);
    for (size_t j = 0; j < m && status == GRADC_OK; j++) {
        result[j] = y[j] >= s.first ? s.has[y[j] - s.first] : 0;
        if (result[j] == 0 && absent != NULL)
            result[j] = absent(g, y[j]);
        status = g->status;
    }
    if (status == GRADC_OK)
        memcpy(ty, result, m * sizeof *ty);
done:
    gradc_release(s.wanted);
    gradc_release(s.given);
    gradc_release(s.has);
    gradc_release(result);
    return status;
}
