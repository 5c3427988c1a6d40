/* jvp.c -- forward mode: tangents follow the nodes, in rising order of id.
 *
 * The x are independent of each other. Source: Griewank & Walther 2008, section 3.1. */
#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

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
    for (size_t i = 0; i < n; i++)
        GRADC_TRY(check_tangent(g, x[i], tx[i]));
    for (size_t j = 0; j < m; j++)
        GRADC_TRY(check_tangent(g, y[j], 0));
    return gradc_forward(g, n, x, tx, m, y, gradc_rule_jvp, gradc_zeros_like, ty);
}
