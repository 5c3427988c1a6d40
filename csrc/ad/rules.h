/* rules.h -- one interface to the derivatives of all rows, however they are stated. */
#ifndef GRADC_AD_RULES_H
#define GRADC_AD_RULES_H

#include "ir/graph.h"

/* What node r gets from what its operands have, tx; 0 is nothing. */
typedef gradc_id gradc_forward_rule(gradc_graph *g, gradc_id r, const gradc_id *tx);
/* What stands for it where nothing is got. */
typedef gradc_id gradc_absent_rule(gradc_graph *g, gradc_id y);

/* What the cotangent dr of node r contributes to its operand number k, in the shape of
 * that operand; 0 if nothing. */
gradc_id gradc_rule_vjp(gradc_graph *g, gradc_id r, uint32_t k, gradc_id dr);

/* The tangent of node r from those of its operands (0: zero), in the shape of r; 0 if
 * it is zero. */
gradc_id gradc_rule_jvp(gradc_graph *g, gradc_id r, const gradc_id *tx);

/* Node r for a whole batch, from its operands for one (0: the same for all): both have
 * one more axis in front. */
gradc_id gradc_rule_batch(gradc_graph *g, gradc_id r, const gradc_id *bx);

/* The partial derivative of the elementwise node r in operand k, in words; its shape
 * broadcasts to that of r; a bool is a mask; 0 if it is zero everywhere. */
gradc_id gradc_partial(gradc_graph *g, gradc_id r, uint32_t k);

/* The transpose of a LINEAR row, and the rules of a GENERAL one (ad/linear.c,
 * ad/general.c). */
typedef gradc_id gradc_transpose_rule(gradc_graph *g, gradc_id r, uint32_t k,
                                      gradc_id dr);
extern gradc_transpose_rule *const gradc_linear_transposes[GRADC_OP_COUNT];
extern gradc_transpose_rule *const gradc_general_vjps[GRADC_OP_COUNT];
extern gradc_forward_rule *const gradc_general_jvps[GRADC_OP_COUNT];

/* ty[j] is what y[j] gets if each x[i] has tx[i], and `rule` is followed from node to
 * node; where that is nothing it is 0, or by `absent` unless that is NULL. */
gradc_status gradc_forward(gradc_graph *g, size_t n, const gradc_id *x,
                           const gradc_id *tx, size_t m, const gradc_id *y,
                           gradc_forward_rule *rule, gradc_absent_rule *absent,
                           gradc_id *ty);

/* n >= 1 nodes of one shape added up: where paths meet. */
gradc_id gradc_add_up(gradc_graph *g, size_t n, const gradc_id *x);

/* The same for cotangents, of which many may be zero but for a piece (ad/pieces.c);
 * uses up the list. */
gradc_id gradc_meet(gradc_graph *g, size_t n, gradc_id *d);

/* Makes one of those of d that are all phases of the node; how many are left
 * (ad/phases.c). */
size_t gradc_unite_phases(gradc_graph *g, size_t n, gradc_id *d);

/* Zeros of the shape and dtype of x. */
gradc_id gradc_zeros_like(gradc_graph *g, gradc_id x);

#endif
