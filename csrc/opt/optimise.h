/* optimise.h -- the passes from a graph to the graph that is executed. */
#ifndef GRADC_OPT_OPTIMISE_H
#define GRADC_OPT_OPTIMISE_H

#include "ir/graph.h"
#include "ir/schedule.h"

/* The value of elementwise `op` on 0-d constants of type `dtype` (a bool first operand
 * for where): given by run/, so that folding and running agree to the bit. */
typedef gradc_value gradc_evaluator(gradc_op op, gradc_dtype dtype,
                                    const gradc_value *in, size_t n_in);

/* A graph of what `result` needs, rewritten by exact rules, and of what rewriting left
 * behind, which gradc_fuse passes over: input number i stands for args[i]. */
typedef struct gradc_optimised {
    gradc_graph *g;
    gradc_id *result;
} gradc_optimised;

/* On failure `*msg` says why and `out` is untouched. */
gradc_status gradc_optimise(const gradc_graph *g, size_t n_args, const gradc_id *args,
                            size_t n_results, const gradc_id *results,
                            gradc_evaluator *evaluate, gradc_optimised *out,
                            gradc_message *msg);
void gradc_optimised_free(gradc_optimised *o);

/* The node `op` on `in`, or a simpler one of equal value (opt/simplify.c). */
gradc_id gradc_simplify(gradc_graph *g, const gradc_node *n, const gradc_id *in,
                        gradc_evaluator *evaluate);

/* The node `slice` of x with the slice moved to what x is computed from, if that takes
 * at most `most` cheap operations an element; else 0 (opt/slices.c). */
gradc_id gradc_push_slice(gradc_graph *g, const gradc_node *slice, gradc_id x,
                          int most);

/* Marks in `stacked`, by id, the products that the node `sum` can take as one;
 * `uses`, by id, is how often each node is an operand or result (opt/stack.c). */
void gradc_find_stack(const gradc_graph *g, gradc_id sum, const uint32_t *uses,
                      bool *stacked);

/* The node `sum` of graph `from` in g, with its stacked products as one. `map` holds
 * the nodes of g for those of `from`. */
gradc_id gradc_stack(gradc_graph *g, const gradc_graph *from, const gradc_node *sum,
                     const gradc_id *map, const bool *stacked);

/* Stages in order of execution of what the results need; elementwise nodes and
 * reductions over the same space that do not wait for each other share one
 * (opt/fuse.c). */
gradc_status gradc_fuse(const gradc_graph *g, size_t n_results, const gradc_id *result,
                        gradc_schedule *out);

/* Lets stages repeat what is cheaper to compute again than to store and read, and drops
 * what nobody needs then (opt/recompute.c). */
gradc_status gradc_recompute(const gradc_graph *g, size_t n_results,
                             const gradc_id *result, gradc_schedule *s);

#endif
