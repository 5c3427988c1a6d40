/* view.h -- which memory a view looks at, and with what strides. */
#ifndef GRADC_IR_VIEW_H
#define GRADC_IR_VIEW_H

#include "ir/graph.h"

/* Node x as strides (in elements) over the memory of node `root`, which is not a view
 * of anything else. root is x itself unless x is a view; a reshape that strides cannot
 * express is a root too, and must be copied. */
typedef struct gradc_view {
    gradc_id root;
    int64_t offset;
    gradc_shape shape;
    int64_t stride[GRADC_MAX_RANK];
} gradc_view;

void gradc_view_resolve(const gradc_graph *g, gradc_id x, gradc_view *out);

/* The view x over the memory of its operand, whatever that is. */
void gradc_view_over(const gradc_graph *g, gradc_id x, gradc_view *out);

/* Whether the elements of v lie one after the other in C order. */
bool gradc_view_is_flat(const gradc_view *v);

/* Whether v shows all of its root as it lies in memory. */
bool gradc_view_is_whole(const gradc_graph *g, const gradc_view *v);

/* v broadcast to `to`: strides of 0 along the axes it is repeated. */
void gradc_view_broadcast(gradc_view *v, const gradc_shape *to);

/* Drops axes of size 1 and joins axes that one stride can walk. */
void gradc_view_collapse(gradc_view *v);

#endif
