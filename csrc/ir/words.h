/* words.h -- the vocabulary in which rules and rows are written.
 *
 * A word is a builder with `g`, and for constants `x`, taken from where it stands;
 * NONE, "no node", is a derivative that is zero everywhere, and any word on it is NONE
 * again. For .c files of ir/, ad/ and opt/ only. */
#ifndef GRADC_IR_WORDS_H
#define GRADC_IR_WORDS_H

#include <math.h>

#include "ir/graph.h"

#define NONE 0
#define CONST(v) gradc_const(g, gradc_dtype_of(g, x), v)
#define ZERO CONST(0)
#define HALF CONST(0.5)
#define ONE CONST(1)
#define TWO CONST(2)

/* Any elementwise row is a word: WORD1(tanh, x), WORD2(maximum, x, y). Those that
 * derivatives need have a name of their own. */
#define WORD1(op, x) gradc_unary(g, GRADC_OP_##op, x)
#define WORD2(op, x, y) gradc_binary(g, GRADC_OP_##op, x, y)

#define COS(x) WORD1(cos, x)
#define COSH(x) WORD1(cosh, x)
#define EXP(x) WORD1(exp, x)
#define FLOOR(x) WORD1(floor, x)
#define ISINF(x) WORD1(isinf, x)
#define LOG(x) WORD1(log, x)
#define NEG(x) gradc_word_neg(g, x)
#define NOT(x) WORD1(logical_not, x)
#define RECIPROCAL(x) WORD1(reciprocal, x)
#define SIGMOID(x) WORD1(sigmoid, x)
#define SIGN(x) WORD1(sign, x)
#define SIN(x) WORD1(sin, x)
#define SINH(x) WORD1(sinh, x)
#define SQRT(x) WORD1(sqrt, x)
#define SQUARE(x) WORD1(square, x)
#define TRUNC(x) WORD1(trunc, x)

#define ADD(x, y) WORD2(add, x, y)
#define AND(x, y) WORD2(logical_and, x, y)
#define ANNIHILATE(x, y) WORD2(annihilate, x, y)
#define ANNIHILATE_BOTH(x, y) WORD2(annihilate_both, x, y)
#define COPYSIGN(x, y) WORD2(copysign, x, y)
#define DIV(x, y) WORD2(div, x, y)
#define EQ(x, y) WORD2(eq, x, y)
#define GT(x, y) WORD2(gt, x, y)
#define HYPOT(x, y) WORD2(hypot, x, y)
#define LT(x, y) WORD2(lt, x, y)
#define MUL(x, y) WORD2(mul, x, y)
#define POW(x, y) WORD2(pow, x, y)
#define SUB(x, y) WORD2(sub, x, y)
#define WHERE(m, x, y) gradc_where(g, m, x, y)

#define SHAPE(x) gradc_shape_of(g, x)
#define SUM_TO(x, shape) gradc_word_sum_to(g, x, shape)
#define BROADCAST(x, shape) gradc_word_broadcast(g, x, shape)
#define RESHAPE(x, shape) gradc_word_reshape(g, x, shape)
#define SWAP(x) gradc_word_swap(g, x)
#define TURN(x) gradc_word_turn(g, x)

#define POW_DX(x, y) gradc_word_pow_dx(g, x, y)
#define POW_DY(x, r) gradc_word_pow_dy(g, x, r)
#define RATIO(x, r) gradc_word_ratio(g, x, r)
#define SHARE_EXP(x, y) gradc_word_share_exp(g, x, y)
#define SHARE_GT(x, y, r) gradc_word_share(g, GRADC_OP_gt, x, y, r)
#define SHARE_LT(x, y, r) gradc_word_share(g, GRADC_OP_lt, x, y, r)

/* -x, at once if x is a constant. */
gradc_id gradc_word_neg(gradc_graph *g, gradc_id x);
/* x summed over the axes along which `to` was broadcast to it. */
gradc_id gradc_word_sum_to(gradc_graph *g, gradc_id x, const gradc_shape *to);
gradc_id gradc_word_broadcast(gradc_graph *g, gradc_id x, const gradc_shape *to);
gradc_id gradc_word_reshape(gradc_graph *g, gradc_id x, const gradc_shape *to);
/* The last two axes exchanged. */
gradc_id gradc_word_swap(gradc_graph *g, gradc_id x);
/* The last axis turned round. */
gradc_id gradc_word_turn(gradc_graph *g, gradc_id x);

/* d(x^y)/dx, 0 where y = 0; d(x^y)/dy, 0 where x^y = 0. */
gradc_id gradc_word_pow_dx(gradc_graph *g, gradc_id x, gradc_id y);
gradc_id gradc_word_pow_dy(gradc_graph *g, gradc_id x, gradc_id r);
/* x/r, 0 where r = 0: the minimum-norm subgradient of norms. */
gradc_id gradc_word_ratio(gradc_graph *g, gradc_id x, gradc_id r);
/* e^x / (e^x + e^y), also where both are the same infinity. */
gradc_id gradc_word_share_exp(gradc_graph *g, gradc_id x, gradc_id y);
/* The part of x in the extremum r of x and y: where `test` holds; half of it at a tie
 * of two variables, nothing at a tie with a constant, where r is asked instead of x,
 * so that x need not be kept. */
gradc_id gradc_word_share(gradc_graph *g, gradc_op test, gradc_id x, gradc_id y,
                          gradc_id r);

/* Whether x is the 0-d floating constant v, seen through broadcasts and reshapes. */
bool gradc_word_is_const(const gradc_graph *g, gradc_id x, double *v);

#endif
