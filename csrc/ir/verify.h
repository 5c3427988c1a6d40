/* verify.h -- the invariants of a graph, checked. */
#ifndef GRADC_IR_VERIFY_H
#define GRADC_IR_VERIFY_H

#include "ir/graph.h"

/* GRADC_OK if operands precede their users, every type is what inference gives, and
 * no two mergeable nodes are equal; else EGRAPH and the graph's message. For tests and
 * debug builds: linear time, but it infers every type again. */
gradc_status gradc_verify(gradc_graph *g);

#endif
