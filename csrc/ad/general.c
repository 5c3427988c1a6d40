/* general.c -- both rules of the GENERAL rows: extrema, products, recurrences.
 *
 * Products are differentiated through exclusive products, never by division, so that
 * zeros among the factors are exact at every order. */
#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

#define VJP(name)                                                                      \
    static gradc_id name(gradc_graph *g, gradc_id r, uint32_t k, gradc_id dr)
#define JVP(name) static gradc_id name(gradc_graph *g, gradc_id r, const gradc_id *tx)
#define NODE(r) gradc_node_get(g, r)
#define OPERAND(r, k) gradc_node_in(NODE(r))[k]

VJP(none_vjp)
{
    (void)g, (void)r, (void)k, (void)dr;
    return NONE;
}

JVP(none_jvp)
{
    (void)g, (void)r, (void)tx;
    return NONE;
}

/* A reduced value d with its reduced axes back as ones. */
static gradc_id expand(gradc_graph *g, gradc_id r, gradc_id d)
{
    const gradc_node *n = NODE(r);
    gradc_shape kept = *SHAPE(OPERAND(r, 0));
    for (int64_t i = n->attr[0]; i < n->attr[1]; i++)
        kept.dim[i] = 1;
    gradc_shape_count(&kept);
    return RESHAPE(d, &kept);
}

static gradc_id reduce_like(gradc_graph *g, gradc_id r, gradc_id x)
{
    const gradc_node *n = NODE(r);
    return gradc_graph_add(g, GRADC_OP_sum, 1, &x, n->n_attr, n->attr);
}

/* Where the extremum r of x is attained, and at how many places. */
static gradc_id winners(gradc_graph *g, gradc_id r, gradc_id *count)
{
    const gradc_id x = OPERAND(r, 0), mask = EQ(x, expand(g, r, r));
    *count = gradc_convert(g, reduce_like(g, r, gradc_convert(g, mask, GRADC_I64)),
                           gradc_dtype_of(g, x));
    return mask;
}

VJP(extreme_vjp)
{
    const gradc_id x = OPERAND(r, k);
    gradc_id count;
    const gradc_id mask = winners(g, r, &count);
    return WHERE(mask, expand(g, r, DIV(dr, count)), ZERO);
}

JVP(extreme_jvp)
{
    const gradc_id x = OPERAND(r, 0);
    gradc_id count;
    const gradc_id mask = winners(g, r, &count);
    return DIV(reduce_like(g, r, WHERE(mask, tx[0], ZERO)), count);
}

/* x moved by one place along `axis`, forward (r_i = x_(i-1)) or back, zero filled. */
static gradc_id shift(gradc_graph *g, gradc_id x, int64_t axis, bool forward)
{
    if (x == 0 || SHAPE(x)->dim[axis] == 0)
        return x;
    const gradc_shape s = *SHAPE(x);
    int64_t begin[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK];
    gradc_shape part = s;
    for (int i = 0; i < s.rank; i++)
        step[i] = 1;
    part.dim[axis]--;
    begin[axis] = !forward;
    const gradc_id kept = gradc_slice(g, x, begin, step, part.dim);
    begin[axis] = forward;
    return gradc_pad(g, kept, begin, step, s.dim);
}

static gradc_id recur(gradc_graph *g, gradc_id x, gradc_id y, int64_t axis,
                      int64_t reverse)
{
    return gradc_graph_add(g, GRADC_OP_recur, 2, (gradc_id[]){x, y}, 2,
                           (int64_t[]){axis, reverse});
}

/* Products of the elements of x before each place along `axis`, or of those after. */
static gradc_id exclusive(gradc_graph *g, gradc_id x, int64_t axis, bool before)
{
    const gradc_shape s = *SHAPE(x);
    int64_t begin[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK];
    gradc_shape one = s;
    for (int i = 0; i < s.rank; i++)
        step[i] = 1;
    one.dim[axis] = 1;
    gradc_shape_count(&one);
    begin[axis] = before ? 0 : s.dim[axis] - 1;
    const gradc_id start = gradc_pad(g, BROADCAST(ONE, &one), begin, step, s.dim);
    return recur(g, shift(g, x, axis, before), start, axis, !before);
}

/* For each element of the operand of `prod`, the product of the others in its sum. */
static gradc_id others(gradc_graph *g, gradc_id r)
{
    const gradc_node *n = NODE(r);
    const gradc_id x = OPERAND(r, 0);
    const gradc_shape s = *SHAPE(x);
    const int begin = (int)n->attr[0], end = (int)n->attr[1];
    if (s.size == 0)
        return x;
    gradc_shape merged = {.rank = 0};
    for (int i = 0; i < s.rank; i++) {
        if (i <= begin || i >= end)
            merged.dim[merged.rank++] = s.dim[i];
        else
            merged.dim[begin] *= s.dim[i];
    }
    gradc_shape_count(&merged);
    const gradc_id flat = RESHAPE(x, &merged);
    return RESHAPE(
        MUL(exclusive(g, flat, begin, true), exclusive(g, flat, begin, false)), &s);
}

VJP(prod_vjp)
{
    const gradc_id x = OPERAND(r, k);
    return ANNIHILATE(BROADCAST(expand(g, r, dr), SHAPE(x)), others(g, r));
}

JVP(prod_jvp) { return reduce_like(g, r, ANNIHILATE_BOTH(tx[0], others(g, r))); }

/* r_i = x_i r_(i-1) + y_i. The adjoint of y obeys the mirrored recurrence
 * s_i = dr_i + x_(i+1) s_(i+1); that of x is s_i r_(i-1). */
VJP(recur_vjp)
{
    const int64_t axis = NODE(r)->attr[0], reverse = NODE(r)->attr[1];
    const gradc_id x = OPERAND(r, 0);
    const gradc_id s = recur(g, shift(g, x, axis, reverse), dr, axis, !reverse);
    return k == 1 ? s : ANNIHILATE(s, shift(g, r, axis, !reverse));
}

JVP(recur_jvp)
{
    const int64_t axis = NODE(r)->attr[0], reverse = NODE(r)->attr[1];
    gradc_id t = tx[1];
    if (tx[0] != 0) {
        const gradc_id moved = ANNIHILATE_BOTH(tx[0], shift(g, r, axis, !reverse));
        t = t != 0 ? ADD(t, moved) : moved;
    }
    return recur(g, OPERAND(r, 0), t, axis, reverse);
}

gradc_transpose_rule *const gradc_general_vjps[GRADC_OP_COUNT] = {
#define GENERAL(name, arity, types, step, shape, vjp, jvp, batch, tex)                 \
    [GRADC_OP_##name] = vjp,
#include "ops.def"
#undef GENERAL
};

gradc_forward_rule *const gradc_general_jvps[GRADC_OP_COUNT] = {
#define GENERAL(name, arity, types, step, shape, vjp, jvp, batch, tex)                 \
    [GRADC_OP_##name] = jvp,
#include "ops.def"
#undef GENERAL
};
