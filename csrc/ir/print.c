/* print.c -- a node described, and a graph as text, one node a line:
 * "%3 = mul(%1, %2) float64 (3,)". */
#include <inttypes.h>
#include <stdio.h>

#include "base/text.h"
#include "ir/graph.h"
#include "ir/shape.h"

static void print_node(gradc_text *t, const gradc_graph *g, gradc_id x)
{
    const gradc_node *n = gradc_node_get(g, x);
    char shape[GRADC_SHAPE_STR];
    gradc_text_add(t, "%%%" PRIu32 " = %s", x, gradc_node_row(n)->name);
    if (n->op == GRADC_OP_constant) {
        if (gradc_dtype_is_float((gradc_dtype)n->dtype))
            gradc_text_add(t, " %.17g", n->value.f);
        else
            gradc_text_add(t, " %" PRId64, n->value.i);
    }
    for (uint32_t i = 0; i < n->n_in; i++)
        gradc_text_add(t, "%s%%%" PRIu32, i == 0 ? "(" : ", ", gradc_node_in(n)[i]);
    for (uint32_t i = 0; i < n->n_attr; i++)
        gradc_text_add(t, "%s%" PRId64, i == 0 ? "; " : " ", n->attr[i]);
    gradc_text_add(t, "%s %s %s\n", n->n_in > 0 ? ")" : "",
                   gradc_dtype_name((gradc_dtype)n->dtype),
                   gradc_shape_str(g->shape[n->shape], shape));
}

size_t gradc_graph_print(const gradc_graph *g, char *out, size_t size)
{
    gradc_text t = {out, size, 0};
    for (gradc_id x = 1; x <= g->size; x++)
        print_node(&t, g, x);
    return t.need + 1;
}

gradc_status gradc_node_describe(const gradc_graph *g, gradc_id x, gradc_node_info *out)
{
    if (x == 0 || x > g->size)
        return GRADC_EGRAPH;
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_shape *s = g->shape[n->shape];
    const bool is_float = gradc_dtype_is_float((gradc_dtype)n->dtype);
    *out = (gradc_node_info){.op = gradc_node_row(n)->name,
                             .dtype = (gradc_dtype)n->dtype,
                             .rank = s->rank,
                             .dim = s->dim,
                             .n_in = n->n_in,
                             .in = gradc_node_in(n),
                             .n_attr = n->n_attr,
                             .attr = n->attr,
                             .value = is_float ? n->value.f : (double)n->value.i,
                             .role = n->role};
    return GRADC_OK;
}
