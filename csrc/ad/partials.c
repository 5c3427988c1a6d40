/* partials.c -- VJP and JVP of every row, from the one statement the row makes.
 *
 * An elementwise row states its partial derivatives; cotangent or tangent d meets
 * partial p by `chain`, under the rule that zero annihilates: a branch that was not
 * taken has d = 0 and must give 0 even where p is infinite or NaN (SEMANTICS: "Zero
 * annihilates"). A tangent that has become infinite is also stopped by p = 0, as in
 * x sqrt(x) at 0: in reverse mode that p is met first, and is then the zero that
 * annihilates. A LINEAR row states its transpose; its tangent is the op on tangents. */
#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

typedef gradc_id partial_fn(gradc_graph *g, gradc_id x, gradc_id y, gradc_id z,
                            gradc_id r);

#define PARTIAL(name, suffix, value)                                                   \
    static gradc_id name##_##suffix(gradc_graph *g, gradc_id x, gradc_id y,            \
                                    gradc_id z, gradc_id r)                            \
    {                                                                                  \
        (void)g, (void)x, (void)y, (void)z, (void)r;                                   \
        return value;                                                                  \
    }
#define UNARY(name, types, c, tex, lo, hi, d0) PARTIAL(name, dx, d0)
#define BINARY(name, types, c, tex, lo, hi, d0, d1)                                    \
    PARTIAL(name, dx, d0)                                                              \
    PARTIAL(name, dy, d1)
#define TERNARY(name, types, c, tex, d0, d1, d2)                                       \
    PARTIAL(name, dx, d0)                                                              \
    PARTIAL(name, dy, d1)                                                              \
    PARTIAL(name, dz, d2)
#include "ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY

static partial_fn *const partials[GRADC_OP_COUNT][3] = {
#define UNARY(name, ...) [GRADC_OP_##name] = {name##_dx},
#define BINARY(name, ...) [GRADC_OP_##name] = {name##_dx, name##_dy},
#define TERNARY(name, ...) [GRADC_OP_##name] = {name##_dx, name##_dy, name##_dz},
#include "ops.def"
#undef UNARY
#undef BINARY
#undef TERNARY
};

/* The products that the operands of a BILINEAR row meet d by; 0 in other rows. */
static const gradc_op products[GRADC_OP_COUNT][2] = {
#define BILINEAR(name, types, c, tex, lo, hi, by_x, by_y)                              \
    [GRADC_OP_##name] = {GRADC_OP_##by_x, GRADC_OP_##by_y},
#include "ops.def"
#undef BILINEAR
};

gradc_id gradc_partial(gradc_graph *g, gradc_id r, uint32_t k)
{
    const gradc_node *n = gradc_node_get(g, r);
    partial_fn *const partial = k < 3 ? partials[n->op][k] : NULL;
    if (partial == NULL)
        return 0;
    const gradc_id *in = gradc_node_in(n);
    return partial(g, in[0], n->n_in > 1 ? in[1] : in[0], n->n_in > 2 ? in[2] : in[0],
                   r);
}

/* d times p, a node of op `product`; d is 0 where nothing flows. Its shape is the
 * broadcast of both. */
static gradc_id chain(gradc_graph *g, gradc_op product, gradc_id d, gradc_id p)
{
    if (d == 0 || p == 0)
        return 0;
    const gradc_id x = d;
    double v;
    if (gradc_dtype_of(g, p) == GRADC_BOOL)
        return WHERE(p, d, ZERO);
    if (gradc_word_is_const(g, p, &v)) {
        if (v == 1)
            return d;
        if (v == -1)
            return NEG(d);
        if (isfinite(v))
            return v == 0 ? NONE : MUL(d, p);
    }
    if (gradc_word_is_const(g, d, &v) && v == 1) {
        gradc_shape both;
        return gradc_shape_broadcast(SHAPE(d), SHAPE(p), 0, &both) ? BROADCAST(p, &both)
                                                                   : 0;
    }
    return gradc_binary(g, product, d, p);
}

/* What cotangent d of elementwise r becomes by its operand k. */
static gradc_id flow_back(gradc_graph *g, gradc_id r, uint32_t k, gradc_id d)
{
    const gradc_node *n = gradc_node_get(g, r);
    if (d == 0 || k >= 2 || products[n->op][k] == 0)
        return chain(g, GRADC_OP_annihilate, d, gradc_partial(g, r, k));
    return gradc_binary(g, products[n->op][k], d, gradc_node_in(n)[!k]);
}

/* What tangent t of its operand k becomes by elementwise r. */
static gradc_id flow_on(gradc_graph *g, gradc_id r, uint32_t k, gradc_id t)
{
    const gradc_node *n = gradc_node_get(g, r);
    if (t == 0 || k >= 2 || products[n->op][k] == 0)
        return chain(g, GRADC_OP_annihilate_both, t, gradc_partial(g, r, k));
    return ANNIHILATE_BOTH(t, gradc_node_in(n)[!k]);
}

gradc_id gradc_rule_vjp(gradc_graph *g, gradc_id r, uint32_t k, gradc_id dr)
{
    const gradc_node *n = gradc_node_get(g, r);
    const gradc_id x = gradc_node_in(n)[k];
    if (dr == 0 || !gradc_dtype_is_float(gradc_dtype_of(g, x)))
        return 0;
    if (gradc_linear_transposes[n->op] != NULL)
        return gradc_linear_transposes[n->op](g, r, k, dr);
    if (gradc_general_vjps[n->op] != NULL)
        return gradc_general_vjps[n->op](g, r, k, dr);
    return SUM_TO(flow_back(g, r, k, dr), SHAPE(x));
}

/* The op itself on the tangents: all at once if it is linear in them together, one
 * operand at a time, added up, if it is linear in each. */
static gradc_id linear_jvp(gradc_graph *g, gradc_id r, const gradc_id *tx)
{
    const gradc_node *n = gradc_node_get(g, r);
    const gradc_id *in = gradc_node_in(n);
    const bool together = gradc_node_row(n)->arity == GRADC_ARITY_MANY;
    gradc_id *mixed = gradc_alloc(n->n_in * sizeof *mixed);
    gradc_id sum = 0;
    if (mixed == NULL) {
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
        return 0;
    }
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (tx[k] == 0 && !together)
            continue;
        for (uint32_t i = 0; i < n->n_in; i++)
            mixed[i] = !together && i != k ? in[i]
                       : tx[i] != 0        ? tx[i]
                                           : gradc_zeros_like(g, in[i]);
        const gradc_id t =
            gradc_graph_add(g, (gradc_op)n->op, n->n_in, mixed, n->n_attr, n->attr);
        sum = sum != 0 ? ADD(sum, t) : t;
        if (together)
            break;
    }
    gradc_release(mixed);
    return sum;
}

gradc_id gradc_rule_jvp(gradc_graph *g, gradc_id r, const gradc_id *tx)
{
    const gradc_node *n = gradc_node_get(g, r);
    if (!gradc_dtype_is_float((gradc_dtype)n->dtype))
        return 0;
    if (gradc_linear_transposes[n->op] != NULL)
        return linear_jvp(g, r, tx);
    if (gradc_general_jvps[n->op] != NULL)
        return gradc_general_jvps[n->op](g, r, tx);
    gradc_id sum = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id t = flow_on(g, r, k, tx[k]);
        sum = sum != 0 && t != 0 ? ADD(sum, t) : sum | t;
    }
    return BROADCAST(sum, SHAPE(r));
}

gradc_id gradc_zeros_like(gradc_graph *g, gradc_id x)
{
    return BROADCAST(ZERO, SHAPE(x));
}
