/* build.c -- the public builders: attributes are checked and normalised here, so that
 * equal meanings become equal nodes; types are checked by ir/infer.c.
 *
 * Reductions over several axes become reductions over one run of neighbouring axes
 * each, which is what the loops of run/ know. */
#include <string.h>

#include "ir/graph.h"
#include "ir/shape.h"
#include "ir/words.h"

static bool known(gradc_graph *g, const char *who, gradc_id x)
{
    if (x > g->size)
        gradc_fail(g, GRADC_EGRAPH, "%s: operand is no node of this graph", who);
    return x != 0 && x <= g->size;
}

/* Whether `op` names a row of `kind`; the error otherwise. */
static bool is_kind(gradc_graph *g, int op, gradc_kind a, gradc_kind b, int arity)
{
    const bool fits = op >= 0 && op < GRADC_OP_COUNT &&
                      (gradc_op_get(op)->kind == a || gradc_op_get(op)->kind == b) &&
                      gradc_op_get(op)->arity == arity;
    if (!fits)
        gradc_fail(g, GRADC_EVALUE, "op %d: no elementwise op of %d operands", op,
                   arity);
    return fits;
}

/* `axis` counted from the front, or -1 with the error. */
static int resolve_axis(gradc_graph *g, const char *who, const gradc_shape *s, int axis)
{
    if (axis >= -s->rank && axis < s->rank)
        return axis < 0 ? axis + s->rank : axis;
    char text[GRADC_SHAPE_STR];
    gradc_fail(g, GRADC_EINDEX, "%s: axis %d is out of range for shape %s", who, axis,
               gradc_shape_str(s, text));
    return -1;
}

gradc_id gradc_input(gradc_graph *g, gradc_dtype dtype, int rank, const int64_t *dim,
                     int role)
{
    gradc_type type = {.dtype = dtype};
    if ((int)dtype < 0 || dtype >= GRADC_DTYPE_COUNT) {
        gradc_fail(g, GRADC_ETYPE, "input: unknown dtype %d", (int)dtype);
        return 0;
    }
    if (gradc_shape_make(g, "input", rank, dim, &type.shape) != GRADC_OK)
        return 0;
    return gradc_graph_leaf(g, GRADC_OP_input, &type, role, 0);
}

gradc_id gradc_ident(gradc_graph *g, gradc_id x, int role)
{
    if (!known(g, "ident", x))
        return 0;
    const gradc_type type = {gradc_dtype_of(g, x), *SHAPE(x)};
    return gradc_graph_leaf(g, GRADC_OP_ident, &type, role | gradc_node_get(g, x)->role,
                            x);
}

gradc_id gradc_unary(gradc_graph *g, int op, gradc_id x)
{
    if (!is_kind(g, op, GRADC_KIND_UNARY, GRADC_KIND_TEST, 1))
        return 0;
    return gradc_graph_add(g, (gradc_op)op, 1, &x, 0, NULL);
}

gradc_id gradc_binary(gradc_graph *g, int op, gradc_id x, gradc_id y)
{
    if (!is_kind(g, op, GRADC_KIND_BINARY, GRADC_KIND_TEST, 2))
        return 0;
    return gradc_graph_add(g, (gradc_op)op, 2, (gradc_id[]){x, y}, 0, NULL);
}

gradc_id gradc_where(gradc_graph *g, gradc_id m, gradc_id x, gradc_id y)
{
    return gradc_graph_add(g, GRADC_OP_where, 3, (gradc_id[]){m, x, y}, 0, NULL);
}

gradc_id gradc_convert(gradc_graph *g, gradc_id x, gradc_dtype dtype)
{
    if (!known(g, "convert", x))
        return 0;
    if ((int)dtype < 0 || dtype >= GRADC_DTYPE_COUNT) {
        gradc_fail(g, GRADC_ETYPE, "convert: unknown dtype %d", (int)dtype);
        return 0;
    }
    if (gradc_dtype_of(g, x) == dtype)
        return x;
    return gradc_graph_add(g, GRADC_OP_convert, 1, &x, 1, (int64_t[]){dtype});
}

/* ---- reductions ---- */

/* The axes to reduce as bits; false with the error. */
static bool axis_mask(gradc_graph *g, const char *who, const gradc_shape *s, int n_axes,
                      const int *axes, uint32_t *mask)
{
    *mask = n_axes < 0 ? (1u << s->rank) - 1 : 0;
    for (int i = 0; i < n_axes; i++) {
        const int axis = resolve_axis(g, who, s, axes[i]);
        if (axis < 0)
            return false;
        if (*mask >> axis & 1) {
            gradc_fail(g, GRADC_EVALUE, "%s: axis %d is given twice", who, axes[i]);
            return false;
        }
        *mask |= 1u << axis;
    }
    return true;
}

gradc_id gradc_reduce(gradc_graph *g, int op, gradc_id x, int n_axes, const int *axes,
                      int keepdims)
{
    if (op < 0 || op >= GRADC_OP_COUNT || gradc_op_get(op)->step != GRADC_STEP_REDUCE) {
        gradc_fail(g, GRADC_EVALUE, "op %d: no reduction", op);
        return 0;
    }
    const char *who = gradc_op_get(op)->name;
    uint32_t mask;
    if (!known(g, who, x) || !axis_mask(g, who, SHAPE(x), n_axes, axes, &mask))
        return 0;
    const gradc_shape from = *SHAPE(x);
    gradc_id r = x;
    for (int end = from.rank; end > 0; end--) {
        if (!(mask >> (end - 1) & 1))
            continue;
        int begin = end - 1;
        while (begin > 0 && (mask >> (begin - 1) & 1))
            begin--;
        r = gradc_graph_add(g, (gradc_op)op, 1, &r, 2, (int64_t[]){begin, end});
        end = begin + 1;
    }
    if (!keepdims || r == 0)
        return r;
    gradc_shape kept = from;
    for (int i = 0; i < from.rank; i++)
        kept.dim[i] = mask >> i & 1 ? 1 : from.dim[i];
    return gradc_reshape(g, r, kept.rank, kept.dim);
}

/* The op on x along an axis, its first attribute; a second, if it has one, is 0. */
static gradc_id along(gradc_graph *g, gradc_op op, gradc_id x, int axis, size_t n_attr)
{
    const char *name = gradc_op_get(op)->name;
    if (!known(g, name, x))
        return 0;
    axis = resolve_axis(g, name, SHAPE(x), axis);
    if (axis < 0)
        return 0;
    return gradc_graph_add(g, op, 1, &x, n_attr, (int64_t[]){axis, 0});
}

gradc_id gradc_arg(gradc_graph *g, int op, gradc_id x, int axis)
{
    if (op < 0 || op >= GRADC_OP_COUNT || gradc_op_get(op)->step != GRADC_STEP_ARG) {
        gradc_fail(g, GRADC_EVALUE, "op %d: no argument of an extremum", op);
        return 0;
    }
    return along(g, (gradc_op)op, x, axis, 1);
}

gradc_id gradc_argsort(gradc_graph *g, gradc_id x, int axis)
{
    return along(g, GRADC_OP_argsort, x, axis, 1);
}

gradc_id gradc_searchsorted(gradc_graph *g, gradc_id x, gradc_id v, int right)
{
    return gradc_graph_add(g, GRADC_OP_searchsorted, 2, (gradc_id[]){x, v}, 1,
                           (int64_t[]){right != 0});
}

gradc_id gradc_cumsum(gradc_graph *g, gradc_id x, int axis)
{
    return along(g, GRADC_OP_cumsum, x, axis, 2);
}

/* r_0 = x_0, r_i = x_i r_(i-1): the recurrence with y = (x_0, 0, 0, ...). */
gradc_id gradc_cumprod(gradc_graph *g, gradc_id x, int axis)
{
    if (!known(g, "cumprod", x))
        return 0;
    const gradc_shape s = *SHAPE(x);
    axis = resolve_axis(g, "cumprod", &s, axis);
    if (axis < 0 || s.size == 0)
        return axis < 0 ? 0 : x;
    int64_t begin[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK], size[GRADC_MAX_RANK];
    for (int i = 0; i < s.rank; i++) {
        step[i] = 1;
        size[i] = i == axis ? 1 : s.dim[i];
    }
    const gradc_id first = gradc_slice(g, x, begin, step, size);
    const gradc_id y = gradc_pad(g, first, begin, step, s.dim);
    return gradc_graph_add(g, GRADC_OP_recur, 2, (gradc_id[]){x, y}, 2,
                           (int64_t[]){axis, 0});
}

gradc_id gradc_matmul(gradc_graph *g, gradc_id x, gradc_id y)
{
    if (!known(g, "matmul", x) || !known(g, "matmul", y))
        return 0;
    const gradc_shape a = *SHAPE(x), b = *SHAPE(y);
    if (a.rank == 0 || b.rank == 0) {
        gradc_fail(g, GRADC_ESHAPE, "matmul: a scalar has no matrix product");
        return 0;
    }
    if (a.dim[a.rank - 1] != b.dim[b.rank > 1 ? b.rank - 2 : 0]) {
        char p[GRADC_SHAPE_STR], q[GRADC_SHAPE_STR];
        gradc_fail(g, GRADC_ESHAPE, "matmul: cannot multiply %s by %s",
                   gradc_shape_str(&a, p), gradc_shape_str(&b, q));
        return 0;
    }
    const gradc_id row =
        a.rank > 1 ? x : gradc_reshape(g, x, 2, (int64_t[]){1, a.dim[0]});
    const gradc_id column =
        b.rank > 1 ? y : gradc_reshape(g, y, 2, (int64_t[]){b.dim[0], 1});
    const gradc_id r =
        gradc_graph_add(g, GRADC_OP_matmul, 2, (gradc_id[]){row, column}, 0, NULL);
    if (r == 0 || (a.rank > 1 && b.rank > 1))
        return r;
    gradc_shape s = *SHAPE(r);
    if (b.rank == 1)
        s.rank--;
    if (a.rank == 1) {
        s.dim[s.rank - 1 - (b.rank > 1)] = s.dim[s.rank - 1];
        s.rank--;
    }
    return gradc_reshape(g, r, s.rank, s.dim);
}

gradc_id gradc_correlate(gradc_graph *g, gradc_id x, gradc_id y, int64_t p,
                         int64_t length)
{
    if (!known(g, "correlate", x) || !known(g, "correlate", y))
        return 0;
    const gradc_shape *a = SHAPE(x), *b = SHAPE(y);
    /* the longer first: r_i sums over as few terms as there are */
    const bool turned =
        a->rank > 0 && b->rank == a->rank && b->dim[b->rank - 1] > a->dim[a->rank - 1];
    /* unsigned, so that what no row begins at is refused, not undefined */
    const uint64_t other = (uint64_t)length - 1 - (uint64_t)p;
    const int64_t attr[2] = {turned ? (int64_t)other : p, length};
    const gradc_id in[2] = {turned ? y : x, turned ? x : y};
    const gradc_id r = gradc_graph_add(g, GRADC_OP_correlate, 2, in, 2, attr);
    return turned ? TURN(r) : r;
}

/* ---- views and their transposes ---- */

gradc_id gradc_reshape(gradc_graph *g, gradc_id x, int rank, const int64_t *dim)
{
    if (!known(g, "reshape", x))
        return 0;
    int64_t out[GRADC_MAX_RANK], rest = 1;
    int open = -1;
    for (int i = 0; i < rank && rank <= GRADC_MAX_RANK; i++) {
        out[i] = dim[i];
        if (dim[i] != -1)
            rest *= dim[i];
        else if (open < 0)
            open = i;
        else
            rest = 0;
    }
    if (open >= 0 && (rest <= 0 || SHAPE(x)->size % rest != 0)) {
        char text[GRADC_SHAPE_STR];
        gradc_fail(g, GRADC_ESHAPE, "reshape: cannot infer -1 for %s",
                   gradc_shape_str(SHAPE(x), text));
        return 0;
    }
    if (open >= 0)
        out[open] = SHAPE(x)->size / rest;
    const gradc_shape *s = SHAPE(x);
    if (s->rank == rank && memcmp(s->dim, out, (size_t)rank * sizeof *out) == 0)
        return x;
    return gradc_graph_add(g, GRADC_OP_reshape, 1, &x, (size_t)rank,
                           rank <= GRADC_MAX_RANK ? out : dim);
}

gradc_id gradc_transpose(gradc_graph *g, gradc_id x, const int *perm)
{
    if (!known(g, "transpose", x))
        return 0;
    const int rank = SHAPE(x)->rank;
    int64_t attr[GRADC_MAX_RANK];
    uint32_t seen = 0;
    bool moves = false;
    for (int i = 0; i < rank; i++) {
        const int axis = resolve_axis(g, "transpose", SHAPE(x), perm[i]);
        if (axis < 0)
            return 0;
        seen |= 1u << axis;
        attr[i] = axis;
        moves |= axis != i;
    }
    if (seen != (1u << rank) - 1) {
        gradc_fail(g, GRADC_EVALUE, "transpose: an axis is given twice");
        return 0;
    }
    return moves ? gradc_graph_add(g, GRADC_OP_transpose, 1, &x, (size_t)rank, attr)
                 : x;
}

gradc_id gradc_broadcast(gradc_graph *g, gradc_id x, int rank, const int64_t *dim)
{
    if (!known(g, "broadcast", x))
        return 0;
    const gradc_shape *s = SHAPE(x);
    if (s->rank == rank &&
        (rank == 0 || memcmp(s->dim, dim, (size_t)rank * sizeof *dim) == 0))
        return x;
    return gradc_graph_add(g, GRADC_OP_broadcast, 1, &x, (size_t)rank, dim);
}

/* slice and pad: three attributes an axis. */
static gradc_id region(gradc_graph *g, gradc_op op, gradc_id x, const int64_t *begin,
                       const int64_t *step, const int64_t *size)
{
    if (!known(g, gradc_op_get(op)->name, x))
        return 0;
    const gradc_shape *s = SHAPE(x);
    const size_t rank = (size_t)s->rank;
    int64_t attr[3 * GRADC_MAX_RANK];
    bool whole = true;
    for (size_t i = 0; i < rank; i++) {
        attr[i] = begin[i];
        attr[rank + i] = step[i];
        attr[2 * rank + i] = size[i];
        whole &= begin[i] == 0 && step[i] == 1 && size[i] == s->dim[i];
    }
    return whole ? x : gradc_graph_add(g, op, 1, &x, 3 * rank, attr);
}

gradc_id gradc_slice(gradc_graph *g, gradc_id x, const int64_t *begin,
                     const int64_t *step, const int64_t *size)
{
    return region(g, GRADC_OP_slice, x, begin, step, size);
}

gradc_id gradc_pad(gradc_graph *g, gradc_id x, const int64_t *begin,
                   const int64_t *step, const int64_t *dim)
{
    return region(g, GRADC_OP_pad, x, begin, step, dim);
}

gradc_id gradc_concat(gradc_graph *g, size_t n, const gradc_id *x, int axis)
{
    if (n == 0) {
        gradc_fail(g, GRADC_EVALUE, "concat: needs at least one array");
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        if (!known(g, "concat", x[i]))
            return 0;
    axis = resolve_axis(g, "concat", SHAPE(x[0]), axis);
    if (axis < 0 || n == 1)
        return axis < 0 ? 0 : x[0];
    return gradc_graph_add(g, GRADC_OP_concat, n, x, 1, (int64_t[]){axis});
}

gradc_id gradc_gather(gradc_graph *g, gradc_id x, gradc_id index)
{
    return gradc_graph_add(g, GRADC_OP_gather, 2, (gradc_id[]){x, index}, 0, NULL);
}

gradc_id gradc_scatter(gradc_graph *g, gradc_id x, gradc_id index, int64_t n)
{
    return gradc_graph_add(g, GRADC_OP_scatter, 2, (gradc_id[]){x, index}, 1, &n);
}
