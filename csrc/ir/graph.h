/* graph.h -- the graph as the layers above see it: nodes, types, and their making.
 *
 * Nodes are immutable and interned: the same op on the same operands is the same id.
 * Leaves and `ident` are never merged. Operands have smaller ids than their users, so
 * that id order is a topological order and no pass needs recursion. Node pointers and
 * the operand and attribute arrays they hold stay valid while the graph grows, so that
 * several threads may add nodes to one graph; its error is the first of any of them. */
#ifndef GRADC_IR_GRAPH_H
#define GRADC_IR_GRAPH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/hash.h"
#include "base/status.h"
#include "gradc.h"
#include "ir/op.h"

enum { GRADC_MAX_RANK = 16, GRADC_INLINE_IN = 4 };

typedef struct gradc_shape {
    int rank;
    int64_t size; /* product of dim, 1 for rank 0 */
    int64_t dim[GRADC_MAX_RANK];
} gradc_shape;

typedef struct gradc_type {
    gradc_dtype dtype;
    gradc_shape shape;
} gradc_type;

typedef union gradc_value {
    double f;  /* F64, F32 */
    int64_t i; /* I64, BOOL */
} gradc_value;

typedef struct gradc_node {
    uint16_t op;
    uint8_t dtype;
    uint8_t role : 7, marked : 1;
    uint32_t shape; /* index of the interned shape */
    uint32_t n_in, n_attr;
    union {
        gradc_id in[GRADC_INLINE_IN]; /* n_in <= GRADC_INLINE_IN */
        const gradc_id *more;
    } u;
    const int64_t *attr;
    gradc_value value; /* of a constant; serial number of a leaf */
} gradc_node;

_Static_assert(sizeof(gradc_node) <= 48, "a node takes at most 48 bytes");

enum { GRADC_CHUNK = 256 }; /* nodes allocated at a time */

struct gradc_graph {
    gradc_arena arena;
    gradc_node **chunk;
    uint32_t size, n_chunk;
    gradc_id *table; /* interning: open addressing, 0 is empty */
    size_t table_size;
    const gradc_shape **shape;
    uint32_t n_shape, shape_room;
    gradc_hash hash;
    gradc_status status;
    char message[sizeof(gradc_message)];
    atomic_flag busy; /* a thread is adding a node */
};

static inline const gradc_node *gradc_node_get(const gradc_graph *g, gradc_id x)
{
    return &g->chunk[(x - 1) / GRADC_CHUNK][(x - 1) % GRADC_CHUNK];
}

static inline const gradc_id *gradc_node_in(const gradc_node *n)
{
    return n->n_in <= GRADC_INLINE_IN ? n->u.in : n->u.more;
}

static inline const gradc_op_row *gradc_node_row(const gradc_node *n)
{
    return gradc_op_get(n->op);
}

static inline const gradc_shape *gradc_shape_of(const gradc_graph *g, gradc_id x)
{
    return g->shape[gradc_node_get(g, x)->shape];
}

static inline gradc_dtype gradc_dtype_of(const gradc_graph *g, gradc_id x)
{
    return (gradc_dtype)gradc_node_get(g, x)->dtype;
}

static inline bool gradc_dtype_is_float(gradc_dtype d)
{
    return d == GRADC_F64 || d == GRADC_F32;
}

/* Keeps the first error of the graph; returns `status`. */
gradc_status gradc_fail(gradc_graph *g, gradc_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The node `op` on `in` with attributes `attr`, found or made; its type is inferred.
 * 0 if an operand is 0 or anything is wrong, and then the graph holds the error. */
gradc_id gradc_graph_add(gradc_graph *g, gradc_op op, size_t n_in, const gradc_id *in,
                         size_t n_attr, const int64_t *attr);

/* A new node that is never merged: `op` is input or ident. */
gradc_id gradc_graph_leaf(gradc_graph *g, gradc_op op, const gradc_type *type, int role,
                          gradc_id x);

#endif
