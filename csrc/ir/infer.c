/* infer.c -- the type of a node's result: one shape rule for each LINEAR and GENERAL
 * row, broadcasting for the elementwise ones.
 *
 * A rule finds `out` set to the dtype and shape of the first operand and changes what
 * differs. Attributes come from ir/build.c, which has resolved negative axes. */
#include <string.h>

#include "ir/shape.h"

typedef gradc_status shape_rule(gradc_graph *g, const gradc_node *n, gradc_type *out);

static const char *name_of(const gradc_node *n) { return gradc_node_row(n)->name; }

static gradc_status same_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    (void)g, (void)n, (void)out;
    return GRADC_OK;
}

static gradc_status addn_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_id *in = gradc_node_in(n);
    for (uint32_t i = 1; i < n->n_in; i++)
        if (!gradc_shape_equal(gradc_shape_of(g, in[i]), &out->shape)) {
            char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
            return gradc_fail(g, GRADC_ESHAPE, "addn: shapes differ: %s and %s",
                              gradc_shape_str(&out->shape, a),
                              gradc_shape_str(gradc_shape_of(g, in[i]), b));
        }
    return GRADC_OK;
}

static gradc_status broadcast_shape(gradc_graph *g, const gradc_node *n,
                                    gradc_type *out)
{
    const gradc_shape from = out->shape;
    gradc_shape to, both;
    GRADC_TRY(gradc_shape_make(g, "broadcast", (int)n->n_attr, n->attr, &to));
    if (!gradc_shape_broadcast(&from, &to, 0, &both) ||
        !gradc_shape_equal(&both, &to)) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "broadcast: cannot broadcast %s to %s",
                          gradc_shape_str(&from, a), gradc_shape_str(&to, b));
    }
    out->shape = to;
    return GRADC_OK;
}

static gradc_status concat_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_id *in = gradc_node_in(n);
    const int axis = (int)n->attr[0];
    gradc_shape *s = &out->shape;
    for (uint32_t i = 1; i < n->n_in; i++) {
        const gradc_shape *other = gradc_shape_of(g, in[i]);
        bool fits = other->rank == s->rank;
        for (int a = 0; fits && a < s->rank; a++)
            fits = a == axis || other->dim[a] == s->dim[a];
        if (!fits) {
            char p[GRADC_SHAPE_STR], q[GRADC_SHAPE_STR];
            return gradc_fail(g, GRADC_ESHAPE,
                              "concat: cannot join %s and %s along axis %d",
                              gradc_shape_str(gradc_shape_of(g, in[0]), p),
                              gradc_shape_str(other, q), axis);
        }
        s->dim[axis] += other->dim[axis];
    }
    const gradc_shape joined = *s;
    return gradc_shape_make(g, "concat", joined.rank, joined.dim, s);
}

static gradc_status convert_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    (void)g;
    out->dtype = (gradc_dtype)n->attr[0];
    return GRADC_OK;
}

static gradc_status scan_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    (void)g, (void)n, (void)out;
    return GRADC_OK;
}

static gradc_status recur_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    return addn_shape(g, n, out);
}

static gradc_status index_type(gradc_graph *g, const gradc_node *n)
{
    const gradc_dtype d = gradc_dtype_of(g, gradc_node_in(n)[1]);
    if (d != GRADC_I64)
        return gradc_fail(g, GRADC_ETYPE, "%s: indices are %s, not int64", name_of(n),
                          gradc_dtype_name(d));
    return GRADC_OK;
}

static gradc_status gather_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape, *index = gradc_shape_of(g, gradc_node_in(n)[1]);
    GRADC_TRY(index_type(g, n));
    if (x.rank == 0)
        return gradc_fail(g, GRADC_ESHAPE, "gather: cannot index a scalar");
    int64_t dim[2 * GRADC_MAX_RANK];
    memcpy(dim, index->dim, (size_t)index->rank * sizeof *dim);
    memcpy(dim + index->rank, x.dim + 1, (size_t)(x.rank - 1) * sizeof *dim);
    return gradc_shape_make(g, "gather", index->rank + x.rank - 1, dim, &out->shape);
}

static gradc_status scatter_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape, *index = gradc_shape_of(g, gradc_node_in(n)[1]);
    GRADC_TRY(index_type(g, n));
    bool fits = x.rank >= index->rank;
    for (int i = 0; fits && i < index->rank; i++)
        fits = x.dim[i] == index->dim[i];
    if (!fits) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "scatter: %s does not begin with %s",
                          gradc_shape_str(&x, a), gradc_shape_str(index, b));
    }
    int64_t dim[GRADC_MAX_RANK + 1] = {n->attr[0]};
    const int rest = x.rank - index->rank;
    memcpy(dim + 1, x.dim + index->rank, (size_t)rest * sizeof *dim);
    return gradc_shape_make(g, "scatter", rest + 1, dim, &out->shape);
}

static gradc_status matmul_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape a = out->shape, *b = gradc_shape_of(g, gradc_node_in(n)[1]);
    gradc_shape batch;
    if (a.rank < 2 || b->rank < 2 || a.dim[a.rank - 1] != b->dim[b->rank - 2] ||
        !gradc_shape_broadcast(&a, b, 2, &batch) || batch.rank > GRADC_MAX_RANK - 2) {
        char p[GRADC_SHAPE_STR], q[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "matmul: cannot multiply %s by %s",
                          gradc_shape_str(&a, p), gradc_shape_str(b, q));
    }
    batch.dim[batch.rank] = a.dim[a.rank - 2];
    batch.dim[batch.rank + 1] = b->dim[b->rank - 1];
    return gradc_shape_make(g, "matmul", batch.rank + 2, batch.dim, &out->shape);
}

/* attr: p, and the length of the result. */
static gradc_status correlate_shape(gradc_graph *g, const gradc_node *n,
                                    gradc_type *out)
{
    const gradc_shape x = out->shape, *y = gradc_shape_of(g, gradc_node_in(n)[1]);
    bool fits = x.rank > 0 && x.rank == y->rank;
    for (int i = 0; fits && i + 1 < x.rank; i++)
        fits = x.dim[i] == y->dim[i];
    if (!fits) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "correlate: rows of %s with rows of %s",
                          gradc_shape_str(&x, a), gradc_shape_str(y, b));
    }
    const int64_t most = INT64_C(1) << 48; /* bytes do not overflow */
    if (n->attr[0] < -most || n->attr[0] > most)
        return gradc_fail(g, GRADC_EVALUE, "correlate: rows begin at %lld",
                          (long long)n->attr[0]);
    gradc_shape to = x;
    to.dim[to.rank - 1] = n->attr[1];
    return gradc_shape_make(g, "correlate", to.rank, to.dim, &out->shape);
}

/* attr: begin, step and the result's dimension, for each axis. */
static gradc_status pad_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape;
    const int64_t *begin = n->attr, *step = begin + x.rank, *dim = step + x.rank;
    GRADC_TRY(gradc_shape_make(g, "pad", x.rank, dim, &out->shape));
    for (int i = 0; i < x.rank; i++) {
        const int64_t last = begin[i] + (x.dim[i] - 1) * step[i];
        if (x.dim[i] > 0 && (step[i] == 0 || begin[i] < 0 || begin[i] >= dim[i] ||
                             last < 0 || last >= dim[i])) {
            char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
            return gradc_fail(g, GRADC_ESHAPE,
                              "pad: %s does not fit into %s from %lld by %lld",
                              gradc_shape_str(&x, a), gradc_shape_str(&out->shape, b),
                              (long long)begin[i], (long long)step[i]);
        }
    }
    return GRADC_OK;
}

/* attr: begin, step and size, for each axis. */
static gradc_status slice_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape;
    const int64_t *begin = n->attr, *step = begin + x.rank, *size = step + x.rank;
    GRADC_TRY(gradc_shape_make(g, "slice", x.rank, size, &out->shape));
    for (int i = 0; i < x.rank; i++) {
        const int64_t last = begin[i] + (size[i] - 1) * step[i];
        if (size[i] > 0 && (step[i] == 0 || begin[i] < 0 || begin[i] >= x.dim[i] ||
                            last < 0 || last >= x.dim[i])) {
            char a[GRADC_SHAPE_STR];
            return gradc_fail(g, GRADC_ESHAPE,
                              "slice: %lld elements from %lld by %lld leave %s",
                              (long long)size[i], (long long)begin[i],
                              (long long)step[i], gradc_shape_str(&x, a));
        }
    }
    return GRADC_OK;
}

static gradc_status reshape_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape;
    GRADC_TRY(gradc_shape_make(g, "reshape", (int)n->n_attr, n->attr, &out->shape));
    if (out->shape.size != x.size) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "reshape: cannot reshape %s to %s",
                          gradc_shape_str(&x, a), gradc_shape_str(&out->shape, b));
    }
    return GRADC_OK;
}

static gradc_status transpose_shape(gradc_graph *g, const gradc_node *n,
                                    gradc_type *out)
{
    (void)g;
    const gradc_shape x = out->shape;
    for (int i = 0; i < x.rank; i++)
        out->shape.dim[i] = x.dim[n->attr[i]];
    return GRADC_OK;
}

/* attr: the axes [begin, end) that are reduced away. */
static gradc_status reduce_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape;
    const int begin = (int)n->attr[0], end = (int)n->attr[1];
    const bool has_identity = n->op == GRADC_OP_sum || n->op == GRADC_OP_prod;
    gradc_shape *s = &out->shape;
    s->rank = 0;
    for (int i = 0; i < x.rank; i++) {
        if (i < begin || i >= end)
            s->dim[s->rank++] = x.dim[i];
        else if (x.dim[i] == 0 && !has_identity)
            return gradc_fail(g, GRADC_EVALUE, "%s: axis %d has no elements",
                              name_of(n), i);
    }
    gradc_shape_count(s);
    return GRADC_OK;
}

static gradc_status arg_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const int64_t axis = n->attr[0];
    gradc_shape *s = &out->shape;
    if (s->dim[axis] == 0)
        return gradc_fail(g, GRADC_EVALUE, "%s: axis %d has no elements", name_of(n),
                          (int)axis);
    for (int i = (int)axis; i + 1 < s->rank; i++)
        s->dim[i] = s->dim[i + 1];
    s->rank--;
    gradc_shape_count(s);
    out->dtype = GRADC_I64;
    return GRADC_OK;
}

static gradc_status argsort_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    (void)g, (void)n;
    out->dtype = GRADC_I64;
    return GRADC_OK;
}

static gradc_status search_shape(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_shape x = out->shape, *v = gradc_shape_of(g, gradc_node_in(n)[1]);
    bool fits = x.rank > 0 && v->rank >= x.rank - 1;
    for (int i = 0; fits && i + 1 < x.rank; i++)
        fits = v->dim[i] == x.dim[i];
    if (!fits) {
        char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
        return gradc_fail(g, GRADC_ESHAPE, "searchsorted: values %s in sorted rows %s",
                          gradc_shape_str(v, a), gradc_shape_str(&x, b));
    }
    out->dtype = GRADC_I64;
    out->shape = *v;
    return GRADC_OK;
}

static shape_rule *const rules[GRADC_OP_COUNT] = {
#define LINEAR(name, arity, types, step, shape, ...) [GRADC_OP_##name] = shape,
#define GENERAL LINEAR
#include "ops.def"
#undef LINEAR
#undef GENERAL
};

static gradc_status elementwise_shape(gradc_graph *g, const gradc_node *n,
                                      gradc_type *out)
{
    const gradc_id *in = gradc_node_in(n);
    for (uint32_t i = 1; i < n->n_in; i++) {
        const gradc_shape so_far = out->shape, *next = gradc_shape_of(g, in[i]);
        if (gradc_shape_equal(&so_far, next))
            continue;
        if (!gradc_shape_broadcast(&so_far, next, 0, &out->shape)) {
            char a[GRADC_SHAPE_STR], b[GRADC_SHAPE_STR];
            return gradc_fail(g, GRADC_ESHAPE, "%s: cannot broadcast %s with %s",
                              name_of(n), gradc_shape_str(&so_far, a),
                              gradc_shape_str(next, b));
        }
        const gradc_shape joined = out->shape;
        GRADC_TRY(
            gradc_shape_make(g, name_of(n), joined.rank, joined.dim, &out->shape));
    }
    return GRADC_OK;
}

/* Operands of one type that the row takes; the first of `where` is a bool, the second
 * of gather and scatter is left to their rules. */
static gradc_status check_dtypes(gradc_graph *g, const gradc_node *n)
{
    const gradc_op_row *row = gradc_node_row(n);
    const gradc_id *in = gradc_node_in(n);
    const uint32_t first = row->kind == GRADC_KIND_TERNARY;
    const bool indexed =
        row->step == GRADC_STEP_GATHER || row->step == GRADC_STEP_SCATTER;
    const gradc_dtype d = gradc_dtype_of(g, in[first]);
    if (first && gradc_dtype_of(g, in[0]) != GRADC_BOOL)
        return gradc_fail(g, GRADC_ETYPE, "%s: condition is %s, not bool", row->name,
                          gradc_dtype_name(gradc_dtype_of(g, in[0])));
    if (!(row->types >> d & 1))
        return gradc_fail(g, GRADC_ETYPE, "%s: does not take %s", row->name,
                          gradc_dtype_name(d));
    for (uint32_t i = first + 1; i < n->n_in && !indexed; i++)
        if (gradc_dtype_of(g, in[i]) != d)
            return gradc_fail(g, GRADC_ETYPE, "%s: operands have types %s and %s",
                              row->name, gradc_dtype_name(d),
                              gradc_dtype_name(gradc_dtype_of(g, in[i])));
    return GRADC_OK;
}

gradc_status gradc_infer(gradc_graph *g, const gradc_node *n, gradc_type *out)
{
    const gradc_op_row *row = gradc_node_row(n);
    const gradc_id *in = gradc_node_in(n);
    if (n->n_in == 0 || (row->arity >= 0 && n->n_in != (uint32_t)row->arity))
        return gradc_fail(g, GRADC_EVALUE, "%s: takes %d operands, not %u", row->name,
                          row->arity, (unsigned)n->n_in);
    GRADC_TRY(check_dtypes(g, n));
    out->dtype = gradc_dtype_of(g, in[0]);
    out->shape = *gradc_shape_of(g, in[0]);
    if (rules[n->op] != NULL)
        return rules[n->op](g, n, out);
    if (row->kind == GRADC_KIND_TERNARY)
        out->dtype = gradc_dtype_of(g, in[1]);
    if (row->kind == GRADC_KIND_TEST)
        out->dtype = GRADC_BOOL;
    return elementwise_shape(g, n, out);
}
