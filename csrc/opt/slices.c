/* slices.c -- a slice of cheap arithmetic is arithmetic on slices.
 *
 * x[1:] of a value computed over one space and used over another would have to be
 * stored, and read again, for want of a loop that both fit in. A few operations more an
 * element are cheaper than that traffic, so the slice is moved to what they start from.
 * How many is bounded, and divided by the slices taken of the same value, so that a
 * stencil applied again and again is not computed again and again. */
#include "ir/shape.h"
#include "opt/optimise.h"

/* Operands of a sum that a slice moves to, at most. */
enum { MOST_TERMS = 32 };

typedef struct window {
    int rank;
    int64_t begin[GRADC_MAX_RANK], step[GRADC_MAX_RANK], size[GRADC_MAX_RANK];
} window;

/* Operations an element that it takes to compute x from what is stored anyway; more
 * than `most` if that many or any of them is dear or has too many operands. Each level
 * takes one from `most`, which bounds the recursion. */
static int count_ops(const gradc_graph *g, gradc_id x, int most)
{
    const gradc_node *n = gradc_node_get(g, x);
    if (n->op == GRADC_OP_broadcast)
        return count_ops(g, n->u.in[0], most);
    if (gradc_node_row(n)->step != GRADC_STEP_LOOP)
        return 0;
    if (!gradc_op_is_cheap((gradc_op)n->op) || n->n_in > MOST_TERMS)
        return most + 1;
    int ops = n->op == GRADC_OP_addn ? (int)n->n_in - 1 : 1;
    for (uint32_t k = 0; k < n->n_in && ops <= most; k++)
        ops += count_ops(g, gradc_node_in(n)[k], most - ops);
    return ops;
}

/* The window on an operand that broadcasts to what `w` looks at. */
static window narrowed(const window *w, const gradc_shape *s)
{
    window own = {.rank = s->rank};
    for (int i = 0; i < s->rank; i++) {
        const int at = w->rank - s->rank + i;
        const bool one = s->dim[i] == 1;
        own.begin[i] = one ? 0 : w->begin[at];
        own.step[i] = one ? 1 : w->step[at];
        own.size[i] = one ? 1 : w->size[at];
    }
    return own;
}

static gradc_id look(gradc_graph *g, gradc_id x, const window *w)
{
    const gradc_node *n = gradc_node_get(g, x);
    const window own = narrowed(w, gradc_shape_of(g, x));
    if (n->op == GRADC_OP_broadcast)
        return gradc_broadcast(g, look(g, n->u.in[0], &own), own.rank, own.size);
    if (n->op == GRADC_OP_slice) {
        window both = own;
        for (int i = 0; i < own.rank; i++) {
            both.begin[i] = n->attr[i] + n->attr[own.rank + i] * own.begin[i];
            both.step[i] = n->attr[own.rank + i] * own.step[i];
        }
        return gradc_slice(g, n->u.in[0], both.begin, both.step, both.size);
    }
    if (gradc_node_row(n)->step != GRADC_STEP_LOOP)
        return own.rank == 0 ? x : gradc_slice(g, x, own.begin, own.step, own.size);
    gradc_id in[MOST_TERMS];
    for (uint32_t k = 0; k < n->n_in; k++)
        in[k] = look(g, gradc_node_in(n)[k], &own);
    return gradc_graph_add(g, (gradc_op)n->op, n->n_in, in, n->n_attr, n->attr);
}

gradc_id gradc_push_slice(gradc_graph *g, const gradc_node *slice, gradc_id x, int most)
{
    const gradc_node *n = gradc_node_get(g, x);
    window w = {.rank = (int)slice->n_attr / 3};
    int64_t size = 1;
    for (int i = 0; i < w.rank; i++) {
        w.begin[i] = slice->attr[i];
        w.step[i] = slice->attr[w.rank + i];
        w.size[i] = slice->attr[2 * w.rank + i];
        size *= w.size[i];
    }
    if (size == 0 || gradc_node_row(n)->step != GRADC_STEP_LOOP ||
        count_ops(g, x, most) > most)
        return 0;
    return look(g, x, &w);
}
