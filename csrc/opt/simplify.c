/* simplify.c -- rewrites of one node, exact for NaN, infinities and signed zeros.
 *
 * A rule looks at a node whose operands are simplified already and returns a simpler
 * node, or 0 if it has nothing to say. Views are composed, constants folded by the
 * kernels themselves, broadcasts moved from the operands of elementwise ops to their
 * result. Integer powers 3 and 4 become products, which are within 1 ulp of them. */
#include <string.h>

#include "ir/shape.h"
#include "ir/words.h"
#include "opt/optimise.h"

typedef gradc_id rule(gradc_graph *g, const gradc_node *n, const gradc_id *in);

/* Whether x is the 0-d constant of exactly the bits of v. */
static bool is(const gradc_graph *g, gradc_id x, double v)
{
    double c;
    return SHAPE(x)->rank == 0 && gradc_word_is_const(g, x, &c) &&
           memcmp(&c, &v, sizeof v) == 0;
}

static gradc_id mul_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    for (int k = 0; k < 2; k++) {
        if (is(g, in[k], 1))
            return in[!k];
        if (is(g, in[k], -1))
            return NEG(in[!k]);
    }
    return 0;
}

static gradc_id add_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    return is(g, in[0], -0.0) ? in[1] : is(g, in[1], -0.0) ? in[0] : 0;
}

static gradc_id sub_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    return is(g, in[1], 0.0) ? in[0] : 0;
}

/* Division by a power of two is multiplication by its inverse, exactly. */
static gradc_id div_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    const gradc_id x = in[0];
    double c;
    int exponent;
    if (is(g, in[1], 1))
        return x;
    if (SHAPE(in[1])->rank == 0 && gradc_word_is_const(g, in[1], &c) &&
        fabs(frexp(c, &exponent)) == 0.5 && exponent > -100 && exponent < 100)
        return MUL(x, CONST(1 / c));
    return 0;
}

static gradc_id pow_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    const gradc_id x = in[0];
    if (is(g, in[1], 1))
        return x;
    if (is(g, in[1], -1))
        return RECIPROCAL(x);
    if (is(g, in[1], 2))
        return SQUARE(x);
    if (is(g, in[1], 3))
        return MUL(x, SQUARE(x));
    return is(g, in[1], 4) ? SQUARE(SQUARE(x)) : 0;
}

static gradc_id annihilate_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    double c;
    (void)n;
    if (is(g, in[1], 1))
        return in[0];
    /* a cotangent or tangent that is not zero */
    if (SHAPE(in[0])->rank == 0 && gradc_word_is_const(g, in[0], &c) && c != 0 &&
        isfinite(c))
        return c == 1 ? in[1] : MUL(in[0], in[1]);
    return 0;
}

static gradc_id neg_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    const gradc_node *x = gradc_node_get(g, in[0]);
    return x->op == GRADC_OP_neg ? x->u.in[0] : 0;
}

static gradc_id ident_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)g, (void)n;
    return in[0];
}

static gradc_id reshape_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_node *x = gradc_node_get(g, in[0]);
    const gradc_shape *s = SHAPE(in[0]);
    if (s->rank == (int)n->n_attr &&
        memcmp(s->dim, n->attr, n->n_attr * sizeof *n->attr) == 0)
        return in[0];
    if (x->op == GRADC_OP_reshape)
        return gradc_reshape(g, x->u.in[0], (int)n->n_attr, n->attr);
    if (x->op == GRADC_OP_broadcast && SHAPE(x->u.in[0])->rank == 0)
        return gradc_broadcast(g, x->u.in[0], (int)n->n_attr, n->attr);
    return 0;
}

static gradc_id broadcast_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_node *x = gradc_node_get(g, in[0]);
    const gradc_shape *s = SHAPE(in[0]);
    if (s->rank == (int)n->n_attr &&
        memcmp(s->dim, n->attr, n->n_attr * sizeof *n->attr) == 0)
        return in[0];
    if (x->op == GRADC_OP_broadcast)
        return gradc_broadcast(g, x->u.in[0], (int)n->n_attr, n->attr);
    if (x->op == GRADC_OP_reshape && SHAPE(in[0])->size == 1 &&
        SHAPE(x->u.in[0])->rank == 0)
        return gradc_broadcast(g, x->u.in[0], (int)n->n_attr, n->attr);
    return 0;
}

static gradc_id transpose_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_node *x = gradc_node_get(g, in[0]);
    if (x->op != GRADC_OP_transpose)
        return 0;
    int perm[GRADC_MAX_RANK];
    for (uint32_t i = 0; i < n->n_attr; i++)
        perm[i] = (int)x->attr[n->attr[i]];
    return gradc_transpose(g, x->u.in[0], perm);
}

static gradc_id slice_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_node *x = gradc_node_get(g, in[0]);
    if (x->op != GRADC_OP_slice)
        return 0;
    const uint32_t rank = n->n_attr / 3;
    int64_t begin[GRADC_MAX_RANK], step[GRADC_MAX_RANK];
    for (uint32_t i = 0; i < rank; i++) {
        begin[i] = x->attr[i] + x->attr[rank + i] * n->attr[i];
        step[i] = x->attr[rank + i] * n->attr[rank + i];
        if (n->attr[2 * rank + i] == 0)
            begin[i] = 0;
    }
    return gradc_slice(g, x->u.in[0], begin, step, n->attr + 2 * rank);
}

/* Zeros around one run of memory: laid side by side, so that x is computed in place. */
static gradc_id pad_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_shape *part = SHAPE(in[0]);
    const gradc_id x = in[0];
    int64_t before = 0, stride = 1;
    bool partial = false;
    for (int i = part->rank - 1; i >= 0; i--) {
        const int64_t dim = n->attr[2 * part->rank + i];
        if ((partial || n->attr[part->rank + i] != 1) && part->dim[i] != 1)
            return 0;
        partial = partial || part->dim[i] != dim;
        before += n->attr[i] * stride;
        stride *= dim;
    }
    const int64_t after = stride - before - part->size;
    if (part->size == 0 || !partial || !gradc_dtype_is_float((gradc_dtype)n->dtype))
        return 0;
    const gradc_shape head = {1, before, {before}}, tail = {1, after, {after}};
    const gradc_shape flat = {1, part->size, {part->size}};
    const gradc_id side[3] = {BROADCAST(ZERO, &head), RESHAPE(x, &flat),
                              BROADCAST(ZERO, &tail)};
    const gradc_id r =
        gradc_concat(g, 1 + (before > 0) + (after > 0), side + (before == 0), 0);
    return gradc_reshape(g, r, part->rank, n->attr + 2 * part->rank);
}

/* A reduction over axes of size 1 is the value itself. */
static gradc_id reduce_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    const gradc_shape *s = SHAPE(in[0]);
    gradc_shape left = {.rank = 0};
    for (int i = 0; i < s->rank; i++) {
        if (i < n->attr[0] || i >= n->attr[1])
            left.dim[left.rank++] = s->dim[i];
        else if (s->dim[i] != 1)
            return 0;
    }
    return gradc_reshape(g, in[0], left.rank, left.dim);
}

/* With one term in each sum a matrix product is elementwise, and fuses. */
static gradc_id matmul_rule(gradc_graph *g, const gradc_node *n, const gradc_id *in)
{
    (void)n;
    const gradc_shape *s = SHAPE(in[0]);
    return s->dim[s->rank - 1] == 1 ? MUL(in[0], in[1]) : 0;
}

static rule *const rules[GRADC_OP_COUNT] = {
    [GRADC_OP_add] = add_rule,
    [GRADC_OP_annihilate] = annihilate_rule,
    [GRADC_OP_annihilate_both] = annihilate_rule,
    [GRADC_OP_broadcast] = broadcast_rule,
    [GRADC_OP_div] = div_rule,
    [GRADC_OP_ident] = ident_rule,
    [GRADC_OP_matmul] = matmul_rule,
    [GRADC_OP_max] = reduce_rule,
    [GRADC_OP_min] = reduce_rule,
    [GRADC_OP_mul] = mul_rule,
    [GRADC_OP_neg] = neg_rule,
    [GRADC_OP_pad] = pad_rule,
    [GRADC_OP_pow] = pow_rule,
    [GRADC_OP_prod] = reduce_rule,
    [GRADC_OP_reshape] = reshape_rule,
    [GRADC_OP_slice] = slice_rule,
    [GRADC_OP_sub] = sub_rule,
    [GRADC_OP_sum] = reduce_rule,
    [GRADC_OP_transpose] = transpose_rule,
};

static bool is_elementwise(const gradc_node *n)
{
    const gradc_kind kind = gradc_node_row(n)->kind;
    return kind == GRADC_KIND_UNARY || kind == GRADC_KIND_BINARY ||
           kind == GRADC_KIND_TERNARY || kind == GRADC_KIND_TEST;
}

static gradc_id copy_constant(gradc_graph *g, gradc_dtype dtype, gradc_value v)
{
    if (gradc_dtype_is_float(dtype))
        return gradc_const(g, dtype, v.f);
    return dtype == GRADC_I64 ? gradc_const_i64(g, v.i)
                              : gradc_const(g, GRADC_BOOL, (double)v.i);
}

/* The constant value of elementwise n, if all its operands are 0-d constants. */
static gradc_id fold(gradc_graph *g, const gradc_node *n, const gradc_id *in,
                     gradc_evaluator *evaluate)
{
    gradc_value v[3];
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_node *c = gradc_node_get(g, in[k]);
        if (c->op != GRADC_OP_constant)
            return 0;
        v[k] = c->value;
    }
    const gradc_dtype from = gradc_dtype_of(g, in[n->n_in == 3]);
    const gradc_value r = evaluate((gradc_op)n->op, from, v, n->n_in);
    return copy_constant(g, (gradc_dtype)n->dtype, r);
}

/* Replaces broadcast operands of an elementwise op by their sources. */
static void strip(const gradc_graph *g, uint32_t n_in, gradc_id *in)
{
    for (uint32_t k = 0; k < n_in; k++) {
        const gradc_node *x = gradc_node_get(g, in[k]);
        if (x->op == GRADC_OP_broadcast)
            in[k] = x->u.in[0];
    }
}

gradc_id gradc_simplify(gradc_graph *g, const gradc_node *n, const gradc_id *in,
                        gradc_evaluator *evaluate)
{
    if (n->op == GRADC_OP_constant)
        return copy_constant(g, (gradc_dtype)n->dtype, n->value);
    gradc_id own[GRADC_INLINE_IN], r = 0;
    gradc_type type;
    const bool elementwise = is_elementwise(n);
    if (elementwise) {
        gradc_node draft = *n;
        memcpy(draft.u.in, in, n->n_in * sizeof *in);
        if (gradc_infer(g, &draft, &type) != GRADC_OK)
            return 0;
        memcpy(own, in, n->n_in * sizeof *in);
        strip(g, n->n_in, own);
        in = own;
        r = fold(g, n, in, evaluate);
    }
    if (r == 0 && g->status == GRADC_OK && rules[n->op] != NULL)
        r = rules[n->op](g, n, in);
    if (r == 0 && g->status == GRADC_OK)
        r = gradc_graph_add(g, (gradc_op)n->op, n->n_in, in, n->n_attr, n->attr);
    return elementwise ? BROADCAST(r, &type.shape) : r;
}
