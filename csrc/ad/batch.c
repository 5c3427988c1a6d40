/* batch.c -- vmap: the nodes for one element become nodes for a batch of them.
 *
 * A batched node has the shape of the plain one behind one more axis, the batch. What
 * does not depend on the x stays as it is and broadcasts, so that a product of a
 * batch of vectors with one matrix is one matrix product. Elementwise rows need no
 * rule of their own; the other rows name theirs. Source: Frostig, Johnson & Leary
 * 2018, "Compiling machine learning programs via high-level tracing". */
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

#define RULE(name) static gradc_id name(gradc_graph *g, gradc_id r, const gradc_id *bx)
#define NODE(r) gradc_node_get(g, r)
#define OPERAND(r, k) gradc_node_in(NODE(r))[k]

/* Length of the batch of r, one of whose operands has one. */
static int64_t length(const gradc_graph *g, gradc_id r, const gradc_id *bx)
{
    for (uint32_t k = 0; k < NODE(r)->n_in; k++)
        if (bx[k] != 0)
            return SHAPE(bx[k])->dim[0];
    return 0;
}

/* Shape (n, 1, ..., 1, *s) with `ones` ones. */
static gradc_shape behind(int64_t n, int ones, const gradc_shape *s)
{
    gradc_shape to = {.rank = 1 + ones + s->rank, .dim = {n}};
    if (to.rank > GRADC_MAX_RANK)
        return to; /* which no builder takes */
    for (int i = 0; i < ones; i++)
        to.dim[1 + i] = 1;
    memcpy(to.dim + 1 + ones, s->dim, (size_t)s->rank * sizeof *s->dim);
    gradc_shape_count(&to);
    return to;
}

/* Operand k as a batch, repeated if it is the same for all. */
static gradc_id whole(gradc_graph *g, gradc_id r, const gradc_id *bx, uint32_t k)
{
    if (bx[k] != 0)
        return bx[k];
    const gradc_id x = OPERAND(r, k);
    const gradc_shape to = behind(length(g, r, bx), 0, SHAPE(x));
    return gradc_broadcast(g, x, to.rank, to.dim);
}

/* Operand k such that NumPy's broadcasting lays its axes on those of r. */
static gradc_id aligned(gradc_graph *g, gradc_id r, const gradc_id *bx, uint32_t k)
{
    const gradc_id x = OPERAND(r, k);
    const int ones = SHAPE(r)->rank - SHAPE(x)->rank;
    if (bx[k] == 0)
        return x;
    const gradc_shape to = behind(SHAPE(bx[k])->dim[0], ones, SHAPE(x));
    return ones == 0 ? bx[k] : gradc_reshape(g, bx[k], to.rank, to.dim);
}

RULE(elementwise_batch)
{
    const gradc_node *n = NODE(r);
    gradc_id in[GRADC_INLINE_IN];
    for (uint32_t k = 0; k < n->n_in; k++)
        in[k] = aligned(g, r, bx, k);
    return gradc_graph_add(g, (gradc_op)n->op, n->n_in, in, 0, NULL);
}

/* ---- the op itself on whole operands ---- */

/* r with the first `moved` of its attributes, which are axes, one further on. */
static gradc_id rebuilt(gradc_graph *g, gradc_id r, const gradc_id *bx, uint32_t moved)
{
    const gradc_node *n = NODE(r);
    int64_t attr[2];
    gradc_id *in = gradc_alloc(n->n_in * sizeof *in);
    if (in == NULL) {
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
        return 0;
    }
    for (uint32_t k = 0; k < n->n_in; k++)
        in[k] = whole(g, r, bx, k);
    for (uint32_t i = 0; i < n->n_attr; i++)
        attr[i] = n->attr[i] + (i < moved);
    const gradc_id br =
        gradc_graph_add(g, (gradc_op)n->op, n->n_in, in, n->n_attr, attr);
    gradc_release(in);
    return br;
}

RULE(plain_batch) { return rebuilt(g, r, bx, 0); }
RULE(axis_batch) { return rebuilt(g, r, bx, 1); }
RULE(reduce_batch) { return rebuilt(g, r, bx, 2); }

/* The bits of an ident are kept, but for having no value yet: that was of what bx
 * stands in for. */
RULE(ident_batch)
{
    const int inherited = NODE(OPERAND(r, 0))->role & GRADC_DEFERRED;
    return gradc_ident(g, bx[0], NODE(r)->role & ~inherited);
}

/* ---- views ---- */

RULE(broadcast_batch)
{
    const gradc_id x = aligned(g, r, bx, 0);
    if (x == 0)
        return 0;
    const gradc_shape to = behind(SHAPE(x)->dim[0], 0, SHAPE(r));
    return gradc_broadcast(g, x, to.rank, to.dim);
}

RULE(reshape_batch)
{
    const gradc_shape to = behind(SHAPE(bx[0])->dim[0], 0, SHAPE(r));
    return gradc_reshape(g, bx[0], to.rank, to.dim);
}

RULE(transpose_batch)
{
    const gradc_node *n = NODE(r);
    int perm[GRADC_MAX_RANK] = {0};
    for (uint32_t i = 0; i < n->n_attr; i++)
        perm[i + 1] = (int)n->attr[i] + 1;
    return gradc_transpose(g, bx[0], perm);
}

/* slice and pad: begin, step and size for each axis, and now for the batch's. */
RULE(region_batch)
{
    const gradc_node *n = NODE(r);
    const uint32_t rank = n->n_attr / 3;
    int64_t attr[3 * GRADC_MAX_RANK];
    for (uint32_t part = 0; part < 3; part++) {
        int64_t *own = attr + part * (rank + 1);
        own[0] = part == 0 ? 0 : part == 1 ? 1 : SHAPE(bx[0])->dim[0];
        memcpy(own + 1, n->attr + part * rank, rank * sizeof *own);
    }
    return gradc_graph_add(g, (gradc_op)n->op, 1, bx, 3 * (rank + 1), attr);
}

/* ---- products ---- */

/* x as a matrix whose rows have k elements; the last `inner` axes are within a row. */
static gradc_id rows(gradc_graph *g, gradc_id x, int inner, int64_t k)
{
    int64_t m = 1;
    for (int i = 0; i < SHAPE(x)->rank - inner; i++)
        m *= SHAPE(x)->dim[i];
    return gradc_reshape(g, x, 2, (int64_t[]){m, k});
}

/* A batch of rows times one matrix is one product, and so is one matrix times a batch
 * of columns: r^T = y^T x^T. */
RULE(matmul_batch)
{
    const gradc_id x = OPERAND(r, 0), y = OPERAND(r, 1);
    const gradc_shape *sx = SHAPE(x), *sy = SHAPE(y);
    const gradc_shape to = behind(length(g, r, bx), 0, SHAPE(r));
    const int64_t k = sx->dim[sx->rank - 1];
    gradc_id flat;
    if (bx[1] == 0 && sy->rank == 2)
        flat = gradc_matmul(g, rows(g, bx[0], 1, k), y);
    else if (bx[0] == 0 && sy->dim[sy->rank - 1] == 1 &&
             (sx->rank == 2 || sy->rank == 2))
        flat = gradc_matmul(g, rows(g, bx[1], 2, k), SWAP(rows(g, x, 1, k)));
    else
        return gradc_matmul(g, aligned(g, r, bx, 0), aligned(g, r, bx, 1));
    return gradc_reshape(g, flat, to.rank, to.dim);
}

/* ---- indices ---- */

/* The int64 numbers 0, 1, ... n - 1. */
static gradc_id count_up(gradc_graph *g, int64_t n)
{
    const gradc_id one = gradc_const_i64(g, 1);
    return SUB(gradc_cumsum(g, gradc_broadcast(g, one, 1, &n), 0), one);
}

/* Where the rows chosen by the index, operand 1 of r, stand when the n rows of each of
 * the batch stand one below the other. An index is looked up in 0, ..., n - 1 first:
 * that resolves negative ones, and one that is out of range stays an error, where it
 * would hit a neighbour's row. */
static gradc_id places(gradc_graph *g, gradc_id r, const gradc_id *bx, int64_t n)
{
    const int64_t size = length(g, r, bx);
    const gradc_id own =
        gradc_gather(g, count_up(g, n), bx[1] != 0 ? bx[1] : OPERAND(r, 1));
    const gradc_shape *s = SHAPE(OPERAND(r, 1));
    const gradc_shape to = behind(size, s->rank, &(gradc_shape){.rank = 0});
    const gradc_id first = MUL(count_up(g, size), gradc_const_i64(g, n));
    return ADD(gradc_reshape(g, first, to.rank, to.dim), own);
}

RULE(gather_batch)
{
    const gradc_id x = bx[0], index = bx[1];
    if (x == 0)
        return gradc_gather(g, OPERAND(r, 0), index);
    const gradc_shape s = *SHAPE(x);
    gradc_shape joined = {.rank = s.rank - 1};
    memcpy(joined.dim, s.dim + 1, (size_t)joined.rank * sizeof *s.dim);
    joined.dim[0] *= s.dim[0];
    return gradc_gather(g, RESHAPE(x, &joined), places(g, r, bx, s.dim[1]));
}

/* Rows of their own only if x has a batch. */
RULE(search_batch)
{
    const bool rows = bx[0] != 0 || SHAPE(OPERAND(r, 0))->rank > 1;
    return gradc_searchsorted(g, rows ? whole(g, r, bx, 0) : OPERAND(r, 0),
                              whole(g, r, bx, 1), (int)NODE(r)->attr[0]);
}

RULE(scatter_batch)
{
    const int64_t n = NODE(r)->attr[0], size = length(g, r, bx);
    const gradc_shape to = behind(size, 0, SHAPE(r));
    gradc_shape fits; /* size * n does not overflow */
    if (gradc_shape_make(g, "scatter", to.rank, to.dim, &fits) != GRADC_OK)
        return 0;
    const gradc_id joined =
        gradc_scatter(g, whole(g, r, bx, 0), places(g, r, bx, n), size * n);
    return gradc_reshape(g, joined, to.rank, to.dim);
}

/* ---- all rows ---- */

static gradc_forward_rule *const batches[GRADC_OP_COUNT] = {
#define LINEAR(name, arity, types, step, shape, transpose, batch, tex)                 \
    [GRADC_OP_##name] = batch,
#define GENERAL(name, arity, types, step, shape, vjp, jvp, batch, tex)                 \
    [GRADC_OP_##name] = batch,
#include "ops.def"
#undef LINEAR
#undef GENERAL
};

gradc_id gradc_rule_batch(gradc_graph *g, gradc_id r, const gradc_id *bx)
{
    gradc_forward_rule *const rule = batches[NODE(r)->op];
    return rule != NULL ? rule(g, r, bx) : elementwise_batch(g, r, bx);
}

/* That bx is x with an axis of `size` in front. */
static gradc_status check_batch(gradc_graph *g, int64_t size, gradc_id x, gradc_id bx)
{
    if (x == 0 || bx == 0 || x > g->size || bx > g->size)
        return gradc_fail(g, GRADC_EGRAPH, "batch: operand is no node of this graph");
    const gradc_shape to = behind(size, 0, SHAPE(x));
    if (gradc_dtype_of(g, x) == gradc_dtype_of(g, bx) &&
        gradc_shape_equal(SHAPE(bx), &to))
        return GRADC_OK;
    char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
    return gradc_fail(
        g, GRADC_ESHAPE, "batch: %lld of %s %s cannot be %s %s", (long long)size,
        gradc_dtype_name(gradc_dtype_of(g, x)), gradc_shape_str(SHAPE(x), a),
        gradc_dtype_name(gradc_dtype_of(g, bx)), gradc_shape_str(SHAPE(bx), b));
}

gradc_status gradc_batch(gradc_graph *g, int64_t size, size_t n, const gradc_id *x,
                         const gradc_id *bx, size_t m, const gradc_id *y, gradc_id *by)
{
    GRADC_TRY(g->status);
    for (size_t i = 0; i < n; i++)
        GRADC_TRY(check_batch(g, size, x[i], bx[i]));
    for (size_t j = 0; j < m; j++)
        if (y[j] == 0 || y[j] > g->size)
            return gradc_fail(g, GRADC_EGRAPH,
                              "batch: operand is no node of this graph");
    return gradc_forward(g, n, x, bx, m, y, gradc_rule_batch, NULL, by);
}
