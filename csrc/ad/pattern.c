/* pattern.c -- which elements of y depend on which of x: the sparsity of a Jacobian.
 *
 * Every element of every node between x and y has a set of elements of x, as bits.
 * How they pass from an operand to a result is a matter of the step, not of the op:
 * each operand element is joined to one place, and places stand for whole axes where
 * everything along an axis depends on everything. What a program decides when it runs,
 * such as indices, counts as any. Source: Griewank & Walther 2008, section 7.1. */
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/view.h"
#include "ir/words.h"

/* Words that all sets may take together: 32 MB. */
enum { MOST_WORDS = 1 << 22 };

typedef struct sweep {
    const gradc_graph *g;
    gradc_id first;
    size_t words;     /* of one set */
    size_t left;      /* words that may still be taken */
    uint64_t **reach; /* by id - first: sets of all elements, NULL if all are empty */
} sweep;

/* Where elements of an operand, as `from` lists them, are joined to the result; `all`
 * has the axes of the result along which each place 0 stands for the whole axis. */
typedef struct flow {
    gradc_view from, to;
    uint32_t all;
} flow;

typedef void flow_rule(const gradc_graph *g, gradc_id r, uint32_t k, flow *f);

#define RULE(name)                                                                     \
    static void name(const gradc_graph *g, gradc_id r, uint32_t k, flow *f)
#define NODE(r) gradc_node_get(g, r)
#define OPERAND(r, k) gradc_node_in(NODE(r))[k]

static gradc_view flat(const gradc_shape *s)
{
    gradc_view v = {.shape = *s};
    gradc_shape_strides(s, v.stride);
    return v;
}

/* ---- a rule for each step; f->from is the operand and f->to the result, flat ---- */

RULE(loop_flow)
{
    (void)k;
    gradc_view_broadcast(&f->from, SHAPE(r));
}

RULE(view_flow)
{
    (void)k;
    gradc_view_over(g, r, &f->from);
}

RULE(reduce_flow)
{
    const gradc_node *n = NODE(r);
    const int64_t begin = n->attr[0], end = n->attr[1];
    const gradc_view to = f->to;
    for (int i = 0; i < SHAPE(OPERAND(r, k))->rank; i++)
        f->to.stride[i] = i < begin ? to.stride[i]
                          : i < end ? 0
                                    : to.stride[i - (end - begin)];
}

RULE(pad_flow)
{
    (void)k;
    const gradc_node *n = NODE(r);
    const int rank = SHAPE(r)->rank;
    for (int i = 0; i < rank; i++) {
        f->to.offset += n->attr[i] * f->to.stride[i];
        f->to.stride[i] *= n->attr[rank + i];
    }
}

RULE(concat_flow)
{
    const int64_t axis = NODE(r)->attr[0];
    for (uint32_t i = 0; i < k; i++)
        f->to.offset += SHAPE(OPERAND(r, i))->dim[axis] * f->to.stride[axis];
}

RULE(scan_flow)
{
    (void)k;
    const int64_t axis = NODE(r)->attr[0];
    f->to.stride[axis] = 0;
    f->all = 1u << axis;
}

/* A row of x reaches a row of the product, a column of y a column. */
RULE(matmul_flow)
{
    const int rank = SHAPE(r)->rank, summed = rank - 1 - (int)k;
    gradc_shape to = *SHAPE(r);
    to.dim[summed] = f->from.shape.dim[f->from.shape.rank - 1 - (int)k];
    gradc_shape_count(&to);
    gradc_view_broadcast(&f->from, &to);
    f->to.stride[summed] = 0;
    f->all = 1u << summed;
}

/* Row number i of x or r is any. */
RULE(gather_flow)
{
    const int more = SHAPE(OPERAND(r, 1))->rank - 1;
    const gradc_view to = f->to;
    for (int i = 1; i < SHAPE(OPERAND(r, k))->rank; i++)
        f->to.stride[i] = to.stride[i + more];
    f->to.stride[0] = 0;
    f->all = (1u << (more + 1)) - 1;
}

RULE(scatter_flow)
{
    const int more = SHAPE(OPERAND(r, 1))->rank - 1;
    const gradc_view to = f->to;
    for (int i = 0; i < SHAPE(OPERAND(r, k))->rank; i++)
        f->to.stride[i] = i <= more ? 0 : to.stride[i - more];
    f->all = 1;
}

/* Any other: everything depends on everything. */
RULE(whole_flow)
{
    (void)k;
    memset(f->to.stride, 0, sizeof f->to.stride);
    f->all = (1u << SHAPE(r)->rank) - 1;
}

static flow_rule *const rules[GRADC_STEP_COUNT] = {
    [GRADC_STEP_LOOP] = loop_flow,     [GRADC_STEP_REDUCE] = reduce_flow,
    [GRADC_STEP_VIEW] = view_flow,     [GRADC_STEP_MATMUL] = matmul_flow,
    [GRADC_STEP_GATHER] = gather_flow, [GRADC_STEP_SCATTER] = scatter_flow,
    [GRADC_STEP_CONCAT] = concat_flow, [GRADC_STEP_PAD] = pad_flow,
    [GRADC_STEP_SCAN] = scan_flow,
};

/* ---- sets ---- */

/* Joins the sets at `from`, element by element, to those at `to`. */
static void join(size_t words, uint64_t *to, const gradc_view *tv, const uint64_t *from,
                 const gradc_view *fv)
{
    const gradc_shape *s = &fv->shape;
    int64_t at[GRADC_MAX_RANK] = {0}, t = tv->offset, f = fv->offset;
    for (int64_t e = 0; e < s->size; e++) {
        for (size_t w = 0; w < words; w++)
            to[(size_t)t * words + w] |= from[(size_t)f * words + w];
        for (int i = s->rank - 1; i >= 0; i--) {
            t += tv->stride[i];
            f += fv->stride[i];
            if (++at[i] < s->dim[i])
                break;
            t -= s->dim[i] * tv->stride[i];
            f -= s->dim[i] * fv->stride[i];
            at[i] = 0;
        }
    }
}

/* Empty sets for the elements of r; NULL if that is too much. */
static uint64_t *take(sweep *s, gradc_id r)
{
    const size_t n = (size_t)gradc_shape_of(s->g, r)->size;
    if (n > s->left / s->words)
        return NULL;
    s->left -= n * s->words;
    return gradc_alloc_zero(n * s->words + 1, sizeof(uint64_t));
}

/* Joins to r what comes by its operand k. */
static bool follow(sweep *s, gradc_id r, uint32_t k, const uint64_t *x)
{
    const gradc_graph *g = s->g;
    const gradc_view plain = flat(SHAPE(r));
    flow f = {.from = flat(SHAPE(OPERAND(r, k))), .to = plain};
    flow_rule *rule = rules[gradc_node_row(NODE(r))->step];
    uint64_t **to = &s->reach[r - s->first];
    if (*to == NULL && (*to = take(s, r)) == NULL)
        return false;
    (rule != NULL ? rule : whole_flow)(g, r, k, &f);
    if (f.all == 0) {
        join(s->words, *to, &f.to, x, &f.from);
        return true;
    }
    uint64_t *places = take(s, r);
    if (places == NULL)
        return false;
    gradc_view repeated = plain;
    for (int i = 0; i < plain.shape.rank; i++)
        repeated.stride[i] *= !(f.all >> i & 1);
    join(s->words, places, &f.to, x, &f.from);
    join(s->words, *to, &plain, places, &repeated);
    s->left += (size_t)plain.shape.size * s->words;
    gradc_release(places);
    return true;
}

static bool follow_all(sweep *s, gradc_id y)
{
    const gradc_graph *g = s->g;
    for (gradc_id r = s->first + 1; r <= y; r++) {
        const gradc_node *n = NODE(r);
        if (!gradc_dtype_is_float((gradc_dtype)n->dtype) || SHAPE(r)->size == 0)
            continue;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id in = gradc_node_in(n)[k];
            const uint64_t *x = in >= s->first ? s->reach[in - s->first] : NULL;
            if (x != NULL && !follow(s, r, k, x))
                return false;
        }
    }
    return true;
}

gradc_status gradc_pattern(gradc_graph *g, gradc_id y, gradc_id x, uint8_t *out)
{
    GRADC_TRY(g->status);
    if (y == 0 || x == 0 || y > g->size || x > g->size)
        return gradc_fail(g, GRADC_EGRAPH, "pattern: operand is no node of this graph");
    const size_t m = (size_t)SHAPE(y)->size, n = (size_t)SHAPE(x)->size;
    if (y < x || m == 0 || n == 0) {
        memset(out, 0, m * n);
        return GRADC_OK;
    }
    sweep s = {.g = g, .first = x, .words = (n + 63) / 64, .left = MOST_WORDS};
    const size_t span = (size_t)y - x + 1;
    s.reach = gradc_alloc_zero(span, sizeof *s.reach);
    if (s.reach == NULL)
        return gradc_fail(g, GRADC_ENOMEM, "out of memory");
    uint64_t *own = s.reach[0] = take(&s, x);
    for (size_t j = 0; own != NULL && j < n; j++)
        own[j * s.words + j / 64] = (uint64_t)1 << j % 64;
    if (own != NULL && follow_all(&s, y)) {
        const uint64_t *sets = s.reach[span - 1];
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n; j++)
                out[i * n + j] =
                    sets != NULL && (sets[i * s.words + j / 64] >> j % 64 & 1);
    } else {
        memset(out, 1, m * n);
    }
    for (size_t i = 0; i < span; i++)
        gradc_release(s.reach[i]);
    gradc_release(s.reach);
    return GRADC_OK;
}
