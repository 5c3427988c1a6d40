/* verify.c -- what every pass may rely on, written as code. */
#include "ir/verify.h"

#include "ir/shape.h"

static gradc_status verify_node(gradc_graph *g, gradc_id x)
{
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_id *in = gradc_node_in(n);
    if (n->op >= GRADC_OP_COUNT || n->shape >= g->n_shape)
        return gradc_fail(g, GRADC_EGRAPH, "verify: node %u has no op or shape", x);
    for (uint32_t i = 0; i < n->n_in; i++)
        if (in[i] == 0 || in[i] >= x)
            return gradc_fail(g, GRADC_EGRAPH, "verify: operand %u of node %u is %u", i,
                              x, in[i]);
    if (gradc_node_row(n)->kind == GRADC_KIND_LEAF)
        return GRADC_OK;
    gradc_type type;
    GRADC_TRY(gradc_infer(g, n, &type));
    if (type.dtype != n->dtype || !gradc_shape_equal(&type.shape, g->shape[n->shape]))
        return gradc_fail(g, GRADC_EGRAPH, "verify: node %u has not its inferred type",
                          x);
    if (n->op == GRADC_OP_ident)
        return GRADC_OK;
    const uint32_t size = g->size;
    if (gradc_graph_add(g, (gradc_op)n->op, n->n_in, in, n->n_attr, n->attr) != x ||
        g->size != size)
        return gradc_fail(g, GRADC_EGRAPH, "verify: node %u is not interned", x);
    return GRADC_OK;
}

gradc_status gradc_verify(gradc_graph *g)
{
    for (gradc_id x = 1; x <= g->size; x++)
        GRADC_TRY(verify_node(g, x));
    return g->status;
}
