/* shape.h -- shapes as values, broadcasting, and the type of every op's result. */
#ifndef GRADC_IR_SHAPE_H
#define GRADC_IR_SHAPE_H

#include "ir/graph.h"

enum { GRADC_SHAPE_STR = 96 };

/* "(2, 3)" in `out`, of GRADC_SHAPE_STR bytes; shortened by "..." if it must be. */
const char *gradc_shape_str(const gradc_shape *s, char *out);

/* A checked shape: rank within GRADC_MAX_RANK, no negative dimension, byte count
 * within ptrdiff_t. `who` names the op in the error. */
gradc_status gradc_shape_make(gradc_graph *g, const char *who, int rank,
                              const int64_t *dim, gradc_shape *out);

bool gradc_shape_equal(const gradc_shape *a, const gradc_shape *b);

/* NumPy's broadcasting of all but the last `keep` axes of a and b; `out` gets the
 * broadcast axes only, false if they do not fit. */
bool gradc_shape_broadcast(const gradc_shape *a, const gradc_shape *b, int keep,
                           gradc_shape *out);

/* Recomputes `size` from the dimensions. */
void gradc_shape_count(gradc_shape *s);

/* C-order strides, in elements. */
void gradc_shape_strides(const gradc_shape *s, int64_t *stride);

/* Bytes of an element, and the NumPy name of a type. */
size_t gradc_dtype_size(gradc_dtype d);
const char *gradc_dtype_name(gradc_dtype d);

/* The type of node `n`'s result from its operands and attributes. */
gradc_status gradc_infer(gradc_graph *g, const gradc_node *n, gradc_type *out);

#endif
