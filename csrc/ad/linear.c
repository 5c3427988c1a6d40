/* linear.c -- the transposes of the LINEAR rows: r = L x, dx = L^T dr.
 *
 * Views transpose to views or to their inverses, gather to scatter, slice to pad. */
#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

#define RULE(name)                                                                     \
    static gradc_id name(gradc_graph *g, gradc_id r, uint32_t k, gradc_id dr)
#define NODE(r) gradc_node_get(g, r)
#define OPERAND(r, k) gradc_node_in(NODE(r))[k]

RULE(addn_transpose)
{
    (void)g, (void)r, (void)k;
    return dr;
}

RULE(ident_transpose)
{
    (void)g, (void)r, (void)k;
    return dr;
}

RULE(broadcast_transpose) { return SUM_TO(dr, SHAPE(OPERAND(r, k))); }

RULE(reshape_transpose) { return RESHAPE(dr, SHAPE(OPERAND(r, k))); }

RULE(convert_transpose)
{
    return gradc_convert(g, dr, gradc_dtype_of(g, OPERAND(r, k)));
}

RULE(concat_transpose)
{
    const gradc_node *n = NODE(r);
    const gradc_shape *s = SHAPE(OPERAND(r, k));
    const int64_t axis = n->attr[0];
    int64_t begin[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK];
    for (int i = 0; i < s->rank; i++)
        step[i] = 1;
    for (uint32_t i = 0; i < k; i++)
        begin[axis] += SHAPE(OPERAND(r, i))->dim[axis];
    return gradc_slice(g, dr, begin, step, s->dim);
}

/* The whole family is closed: dx_j = sum of dr_(j-k+p) y_k, with y turned round, and
 * dy_k = sum of dr_i x_(i+k-p). */
RULE(correlate_transpose)
{
    const gradc_id x = OPERAND(r, 0), y = OPERAND(r, 1);
    const int64_t p = NODE(r)->attr[0], last = SHAPE(r)->rank - 1;
    const int64_t n = SHAPE(x)->dim[last], m = SHAPE(y)->dim[last];
    return k == 0 ? gradc_correlate(g, dr, TURN(y), m - 1 - p, n)
                  : gradc_correlate(g, x, dr, p, m);
}

RULE(cumsum_transpose)
{
    (void)k;
    const int64_t *attr = NODE(r)->attr;
    return gradc_graph_add(g, GRADC_OP_cumsum, 1, &dr, 2,
                           (int64_t[]){attr[0], !attr[1]});
}

RULE(gather_transpose)
{
    return gradc_scatter(g, dr, OPERAND(r, 1), SHAPE(OPERAND(r, k))->dim[0]);
}

RULE(scatter_transpose)
{
    (void)k;
    return gradc_gather(g, dr, OPERAND(r, 1));
}

/* r = x y: dx = dr y^T and dy = x^T dr, summed over broadcast batch axes (Giles 2008,
 * section 2.2.2). Where the inner dimension of such a product is 1 it is elementwise,
 * fuses with its neighbours, and zero annihilates. */
RULE(matmul_transpose)
{
    const gradc_id x = OPERAND(r, 0), y = OPERAND(r, 1);
    const gradc_shape *s = SHAPE(r);
    const gradc_id other = SWAP(k == 0 ? y : x);
    gradc_id d;
    if (s->dim[s->rank - (k == 0 ? 1 : 2)] == 1)
        d = ANNIHILATE(dr, other);
    else
        d = k == 0 ? gradc_matmul(g, dr, other) : gradc_matmul(g, other, dr);
    return SUM_TO(d, SHAPE(k == 0 ? x : y));
}

RULE(pad_transpose)
{
    const gradc_node *n = NODE(r);
    const gradc_shape *s = SHAPE(OPERAND(r, k));
    return gradc_slice(g, dr, n->attr, n->attr + s->rank, s->dim);
}

RULE(slice_transpose)
{
    const gradc_node *n = NODE(r);
    const gradc_shape *s = SHAPE(OPERAND(r, k));
    return gradc_pad(g, dr, n->attr, n->attr + s->rank, s->dim);
}

RULE(sum_transpose)
{
    const gradc_node *n = NODE(r);
    const gradc_shape *s = SHAPE(OPERAND(r, k));
    gradc_shape kept = *s;
    for (int64_t i = n->attr[0]; i < n->attr[1]; i++)
        kept.dim[i] = 1;
    gradc_shape_count(&kept);
    return BROADCAST(RESHAPE(dr, &kept), s);
}

RULE(transpose_transpose)
{
    (void)k;
    const gradc_node *n = NODE(r);
    int perm[GRADC_MAX_RANK];
    for (uint32_t i = 0; i < n->n_attr; i++)
        perm[n->attr[i]] = (int)i;
    return gradc_transpose(g, dr, perm);
}

gradc_transpose_rule *const gradc_linear_transposes[GRADC_OP_COUNT] = {
#define LINEAR(name, arity, types, step, shape, transpose, batch, tex)                 \
    [GRADC_OP_##name] = transpose,
#include "ops.def"
#undef LINEAR
};
