/* words.c -- the compound words: short graphs that several rows and rules share. */
#include "ir/words.h"

#include "ir/shape.h"

bool gradc_word_is_const(const gradc_graph *g, gradc_id x, double *v)
{
    if (x == 0)
        return false;
    const gradc_node *n = gradc_node_get(g, x);
    while (n->op == GRADC_OP_broadcast || n->op == GRADC_OP_reshape)
        n = gradc_node_get(g, n->u.in[0]);
    if (n->op != GRADC_OP_constant || !gradc_dtype_is_float((gradc_dtype)n->dtype))
        return false;
    *v = n->value.f;
    return true;
}

gradc_id gradc_word_neg(gradc_graph *g, gradc_id x)
{
    double v;
    if (x != 0 && gradc_shape_of(g, x)->rank == 0 && gradc_word_is_const(g, x, &v))
        return CONST(-v);
    return WORD1(neg, x);
}

gradc_id gradc_word_broadcast(gradc_graph *g, gradc_id x, const gradc_shape *to)
{
    if (x == 0 || gradc_shape_equal(SHAPE(x), to))
        return x;
    return gradc_broadcast(g, x, to->rank, to->dim);
}

gradc_id gradc_word_reshape(gradc_graph *g, gradc_id x, const gradc_shape *to)
{
    if (x == 0 || gradc_shape_equal(SHAPE(x), to))
        return x;
    return gradc_reshape(g, x, to->rank, to->dim);
}

gradc_id gradc_word_turn(gradc_graph *g, gradc_id x)
{
    if (x == 0 || SHAPE(x)->size == 0)
        return x;
    const gradc_shape s = *SHAPE(x);
    int64_t begin[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK];
    for (int i = 0; i < s.rank; i++)
        step[i] = 1;
    begin[s.rank - 1] = s.dim[s.rank - 1] - 1, step[s.rank - 1] = -1;
    return gradc_slice(g, x, begin, step, s.dim);
}

gradc_id gradc_word_sum_to(gradc_graph *g, gradc_id x, const gradc_shape *to)
{
    if (x == 0 || gradc_shape_equal(SHAPE(x), to))
        return x;
    const gradc_shape *from = SHAPE(x);
    const int extra = from->rank - to->rank;
    int axes[GRADC_MAX_RANK], n = 0;
    for (int i = 0; i < from->rank; i++)
        if (i < extra || (to->dim[i - extra] == 1 && from->dim[i] != 1))
            axes[n++] = i;
    return RESHAPE(gradc_reduce(g, GRADC_OP_sum, x, n, axes, 0), to);
}

gradc_id gradc_word_swap(gradc_graph *g, gradc_id x)
{
    if (x == 0)
        return 0;
    const int rank = SHAPE(x)->rank;
    int perm[GRADC_MAX_RANK];
    for (int i = 0; i < rank; i++)
        perm[i] = i;
    perm[rank - 1] = rank - 2;
    perm[rank - 2] = rank - 1;
    return gradc_transpose(g, x, perm);
}

gradc_id gradc_word_pow_dx(gradc_graph *g, gradc_id x, gradc_id y)
{
    double c;
    if (gradc_word_is_const(g, y, &c) && SHAPE(y)->rank == 0) {
        if (c == 0)
            return NONE;
        if (c == 1)
            return ONE;
        return MUL(y, c == 2 ? x : POW(x, CONST(c - 1)));
    }
    return ANNIHILATE(y, POW(x, SUB(y, ONE)));
}

gradc_id gradc_word_pow_dy(gradc_graph *g, gradc_id x, gradc_id r)
{
    return WHERE(EQ(r, ZERO), ZERO, MUL(r, LOG(x)));
}

gradc_id gradc_word_ratio(gradc_graph *g, gradc_id x, gradc_id r)
{
    return WHERE(EQ(r, ZERO), ZERO, DIV(x, r));
}

gradc_id gradc_word_share_exp(gradc_graph *g, gradc_id x, gradc_id y)
{
    return WHERE(AND(EQ(x, y), ISINF(x)), HALF, SIGMOID(SUB(x, y)));
}

gradc_id gradc_word_share(gradc_graph *g, gradc_op test, gradc_id x, gradc_id y,
                          gradc_id r)
{
    if (y == 0 || !(gradc_node_get(g, y)->role & GRADC_VARIABLE))
        return gradc_binary(g, test, r, y);
    const gradc_id ahead = gradc_binary(g, test, x, y);
    return WHERE(EQ(x, y), HALF, gradc_convert(g, ahead, gradc_dtype_of(g, x)));
}
