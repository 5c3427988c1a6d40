/* random_graph.h -- nodes of every kind on operands at random.
 *
 * Operands are picked at random, so many calls are refused: a graph must go on after
 * an error as if the call had not been made. */
#ifndef TESTS_RANDOM_GRAPH_H
#define TESTS_RANDOM_GRAPH_H

#include <stdlib.h>

#include "check.h"
#include "gradc.h"

enum { RANK = 3, LARGEST = 3000 };

static uint64_t seed = 1;

static inline int64_t below(int64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

static inline gradc_node_info node(const gradc_graph *g, gradc_id x)
{
    gradc_node_info n = {0};
    CHECK(gradc_node_describe(g, x, &n) == GRADC_OK, "node %u", x);
    return n;
}

static inline int64_t elements(const gradc_graph *g, gradc_id x)
{
    const gradc_node_info n = node(g, x);
    int64_t size = 1;
    for (int i = 0; i < n.rank; i++)
        size *= n.dim[i];
    return size;
}

static inline int random_op(const char *kind, int arity)
{
    gradc_op_info info;
    int op;
    do {
        op = (int)below(gradc_op_count());
        gradc_op_describe(op, &info);
    } while (info.kind[0] != kind[0] || info.kind[1] != kind[1] || info.arity != arity);
    return op;
}

/* A part of x, forwards or backwards, or x with zeros between and around. */
static inline gradc_id random_region(gradc_graph *g, gradc_id x, bool pads)
{
    const gradc_node_info n = node(g, x);
    int64_t begin[RANK], step[RANK], size[RANK];
    for (int i = 0; i < n.rank; i++) {
        const int64_t d = n.dim[i];
        step[i] = 1 + below(2);
        size[i] = pads ? below(3) + step[i] * d : below(d / step[i] + 1);
        begin[i] =
            pads ? below(size[i] - step[i] * (d - (d > 0)) + 1)
                 : below(d - (size[i] > 0) * (step[i] * (size[i] - 1)) + (d == 0));
        if (!pads && size[i] > 0 && below(2)) {
            begin[i] += step[i] * (size[i] - 1);
            step[i] = -step[i];
        }
    }
    return pads ? gradc_pad(g, x, begin, step, size)
                : gradc_slice(g, x, begin, step, size);
}

static inline gradc_id random_view(gradc_graph *g, gradc_id x)
{
    const gradc_node_info n = node(g, x);
    int64_t dim[RANK + 1] = {1 + below(3)};
    int perm[RANK] = {0};
    for (int i = 0; i < n.rank; i++) {
        dim[i + 1] = n.dim[i];
        perm[i] = (i + 1) % n.rank;
    }
    switch (below(5)) {
    case 0:
        return gradc_reshape(g, x, 1, (int64_t[]){-1});
    case 1:
        return gradc_transpose(g, x, perm);
    case 2:
        return n.rank < RANK ? gradc_broadcast(g, x, n.rank + 1, dim) : 0;
    case 3:
        return gradc_ident(g, x, GRADC_VARIABLE);
    default:
        return random_region(g, x, false);
    }
}

/* A node of any kind on operands from `pool`, or 0 if they do not fit. */
static inline gradc_id random_node(gradc_graph *g, const gradc_id *pool, size_t n)
{
    static const char *const reductions[] = {"sum", "prod", "max", "min"};
    const gradc_id x = pool[below((int64_t)n)], y = pool[below((int64_t)n)];
    const gradc_id z = pool[below((int64_t)n)];
    const int axis = (int)below(RANK);
    const bool flag = below(2) == 1;
    switch (below(18)) {
    case 0:
    case 1:
    case 2:
        return gradc_unary(g, random_op("unary", 1), x);
    case 3:
    case 4:
    case 5:
        return gradc_binary(g, random_op("binary", 2), x, y);
    case 6:
        return flag ? gradc_binary(g, random_op("test", 2), x, y)
                    : gradc_unary(g, random_op("test", 1), x);
    case 7:
        return gradc_where(g, gradc_binary(g, gradc_op_find("lt"), x, y), y, z);
    case 8:
        return gradc_convert(g, x, (gradc_dtype)below(2));
    case 9:
        return gradc_reduce(g, gradc_op_find(reductions[below(4)]), x, flag ? 1 : -1,
                            &axis, (int)below(2));
    case 10:
        return flag ? gradc_cumsum(g, x, axis) : gradc_cumprod(g, x, axis);
    case 11:
        return flag ? gradc_matmul(g, x, y)
                    : gradc_correlate(g, x, y, below(7) - 2, below(9));
    case 12:
        return gradc_concat(g, 6, (gradc_id[]){x, y, x, x, y, x}, axis);
    case 13:
        return random_region(g, x, true);
    case 14:
        return gradc_convert(
            g, gradc_arg(g, gradc_op_find(flag ? "argmax" : "argmin"), x, axis),
            GRADC_F64);
    case 15:
        return gradc_convert(g,
                             flag ? gradc_argsort(g, x, axis)
                                  : gradc_searchsorted(g, x, y, (int)below(2)),
                             GRADC_F64);
    case 16:
        return gradc_const(g, GRADC_F64, (double)(below(9) - 4) / 2);
    default:
        return random_view(g, x);
    }
}

#endif
