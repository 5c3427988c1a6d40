/* sparsity.c -- which Jacobians are diagonal, told from the graph alone.
 *
 * The article's case: f_i depends on x_i alone. Elementwise rows keep it as long as no
 * operand that depends on x is broadcast; reshapes keep the order of elements. */
#include "ir/graph.h"
#include "ir/shape.h"
#include "ir/words.h"

enum { NOT_AT_ALL, OWN_PLACE, OTHERWISE };

static char dependence(const gradc_graph *g, const char *seen, gradc_id first,
                       gradc_id r)
{
    const gradc_node *n = gradc_node_get(g, r);
    const gradc_step step = gradc_node_row(n)->step;
    const bool in_place =
        step == GRADC_STEP_LOOP || n->op == GRADC_OP_ident || n->op == GRADC_OP_reshape;
    char worst = NOT_AT_ALL;
    if (!gradc_dtype_is_float((gradc_dtype)n->dtype))
        return NOT_AT_ALL;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id in = gradc_node_in(n)[k];
        char one = in >= first ? seen[in - first] : NOT_AT_ALL;
        if (one != NOT_AT_ALL && (!in_place || SHAPE(in)->size != SHAPE(r)->size))
            one = OTHERWISE;
        worst = one > worst ? one : worst;
    }
    return worst;
}

int gradc_is_diagonal(gradc_graph *g, gradc_id y, gradc_id x)
{
    if (y == 0 || x == 0 || y > g->size || x > g->size ||
        SHAPE(x)->size != SHAPE(y)->size)
        return 0;
    if (y < x)
        return 1;
    char *seen = gradc_alloc_zero((size_t)y - x + 1, 1);
    if (seen == NULL)
        return 0;
    seen[0] = OWN_PLACE;
    for (gradc_id r = x + 1; r <= y; r++)
        seen[r - x] = dependence(g, seen, x, r);
    const int diagonal = seen[y - x] != OTHERWISE;
    gradc_release(seen);
    return diagonal;
}
