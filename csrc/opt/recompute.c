/* recompute.c -- values that are cheaper to compute again than to store and read.
 *
 * A value that a later stage reads is written to memory and read back. If that stage
 * can compute it in a few cheap operations from what it reads anyway, or from little
 * else, it does so, to the same bits; and a value that then nobody reads from memory is
 * not stored, or not computed at all where it was. The forward values of a broadcast or
 * a normalisation are such: x - m is one operation, and twice the bytes of x in
 * traffic. What is repeated for its only use has moved, and costs nothing: the outer
 * products of a sum are computed by the loop that adds them up.
 *
 * Stages are visited in order, so that what one repeats is known when the next is
 * asked; then one sweep from the last stage to the first keeps of each what is still
 * needed. */
#include <string.h>

#include "ir/shape.h"
#include "ir/view.h"
#include "opt/optimise.h"

/* Operations that may be repeated for one value; bytes that are worth it: smaller
 * values stay in cache, so that operations are moved for them, but none repeated. An
 * operation takes the time of moving a PRICE-th of its result. */
enum { MOST = 12, LEAST_BYTES = 1 << 17, LEAST_MOVED = 1 << 12, PRICE = 4 };

typedef struct recompute {
    const gradc_graph *g;
    gradc_schedule *s;
    uint32_t at;       /* the stage visited, counting from 1 */
    uint32_t *here;    /* by id - 1: the last stage visited that computes it */
    uint32_t *read;    /* by id - 1: the last stage visited that reads its memory */
    bool *stored;      /* by id - 1: stays in memory, whatever is repeated */
    uint32_t *readers; /* by id - 1: other stages that read it from memory */
    uint32_t *uses;    /* by id - 1: how often it is an operand */
    gradc_id *more;    /* repeated nodes; of stage i from begin[i] to begin[i + 1] */
    uint32_t *begin;
    uint32_t n_more, room;
} recompute;

static const gradc_node *node(const recompute *r, gradc_id x)
{
    return gradc_node_get(r->g, x);
}

static gradc_step step_of(const recompute *r, gradc_id x)
{
    return gradc_node_row(node(r, x))->step;
}

static size_t element(const recompute *r, gradc_id x)
{
    return gradc_dtype_size(gradc_dtype_of(r->g, x));
}

static size_t bytes_of(const recompute *r, gradc_id x)
{
    return (size_t)gradc_shape_of(r->g, x)->size * element(r, x);
}

/* The node whose memory x looks at. */
static gradc_id root_of(const recompute *r, gradc_id x)
{
    gradc_view v;
    if (step_of(r, x) != GRADC_STEP_VIEW || r->s->stage_of[x - 1] != 0)
        return x;
    gradc_view_resolve(r->g, x, &v);
    return v.root;
}

static bool is_constant(const recompute *r, gradc_id x)
{
    return node(r, root_of(r, x))->op == GRADC_OP_constant;
}

/* Whether the stage visited could compute x by itself. */
static bool is_repeatable(const recompute *r, gradc_id x)
{
    const gradc_node *n = node(r, x);
    return r->s->stage_of[x - 1] != 0 && step_of(r, x) == GRADC_STEP_LOOP &&
           gradc_op_is_cheap((gradc_op)n->op) &&
           n->shape == r->s->stage[r->at - 1].space;
}

static void mark_read(recompute *r, gradc_id x)
{
    if (r->here[x - 1] != r->at)
        r->read[root_of(r, x) - 1] = r->at;
}

/* Notes that stage `at` reads x: from memory if the value is of another stage, whatever
 * is repeated if it is seen through a view or by other than a loop over its space. */
static void count_reader(recompute *r, uint32_t at, gradc_id x)
{
    const gradc_stage *st = &r->s->stage[at];
    const gradc_id root = root_of(r, x);
    if (x != root || !st->is_loop || node(r, x)->shape != st->space)
        r->stored[root - 1] = true;
    if (r->s->stage_of[root - 1] != at + 1 && r->read[root - 1] != at + 1) {
        r->read[root - 1] = at + 1;
        r->readers[root - 1]++;
    }
}

static void find_readers(recompute *r, size_t n_results, const gradc_id *result)
{
    const gradc_schedule *s = r->s;
    for (size_t i = 0; i < n_results; i++)
        r->stored[root_of(r, result[i]) - 1] = true;
    for (uint32_t at = 0; at < s->n_stage; at++)
        for (uint32_t i = 0; i < s->stage[at].count; i++) {
            const gradc_node *n = node(r, s->node[s->stage[at].first + i]);
            for (uint32_t k = 0; k < n->n_in; k++) {
                count_reader(r, at, gradc_node_in(n)[k]);
                r->uses[gradc_node_in(n)[k] - 1]++;
            }
        }
    memset(r->read, 0, (size_t)r->g->size * sizeof *r->read);
}

/* Whether x is in memory anyway. A product with one reader may be its epilogue's. */
static bool is_in_memory(const recompute *r, gradc_id x)
{
    const uint32_t of = r->s->stage_of[x - 1];
    return of == 0 || r->stored[x - 1] ||
           r->readers[x - 1] > (r->s->stage[of - 1].is_loop ? 0 : 1);
}

/* What it takes to compute a value in the stage visited: its nodes, in no order, and
 * bytes of memory that the stage would not read otherwise. */
typedef struct cone {
    gradc_id x[MOST], from[3 * MOST];
    uint32_t n, n_from;
    size_t bytes;
} cone;

static bool has(const gradc_id *list, uint32_t n, gradc_id x)
{
    for (uint32_t i = 0; i < n; i++)
        if (list[i] == x)
            return true;
    return false;
}

/* Adds an operand that is read from memory. */
static void add_source(const recompute *r, cone *c, gradc_id x)
{
    const gradc_id root = root_of(r, x);
    if (is_constant(r, x) || r->read[root - 1] == r->at ||
        has(c->from, c->n_from, root))
        return;
    c->from[c->n_from++] = root;
    const size_t all = bytes_of(r, root), seen = bytes_of(r, x);
    c->bytes += (seen < all ? seen : all) + (is_in_memory(r, root) ? 0 : all);
}

/* False if it takes more than MOST operations. */
static bool find_cone(const recompute *r, gradc_id x, cone *c)
{
    c->n = c->n_from = 0;
    c->bytes = 0;
    c->x[c->n++] = x;
    for (uint32_t i = 0; i < c->n; i++) {
        const gradc_node *n = node(r, c->x[i]);
        if (n->n_in > 3)
            return false;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id y = n->u.in[k];
            if (r->here[y - 1] == r->at || has(c->x, c->n, y))
                continue;
            if (!is_repeatable(r, y) || (r->read[y - 1] == r->at && y != x))
                add_source(r, c, y);
            else if (c->n == MOST)
                return false;
            else
                c->x[c->n++] = y;
        }
    }
    return true;
}

/* Whether computing x again takes less than its traffic: it is read, and also written
 * if nothing but such reads needs it in memory. A node of one use only moves. */
static bool pays(const recompute *r, gradc_id x, const cone *c)
{
    const size_t bytes = bytes_of(r, x), saved = r->stored[x - 1] ? bytes : 2 * bytes;
    size_t work = 0;
    for (uint32_t i = 0; i < c->n; i++)
        if (r->stored[c->x[i] - 1] || r->uses[c->x[i] - 1] > 1)
            work += bytes_of(r, c->x[i]) / PRICE;
    return work + c->bytes < saved && (work == 0 || bytes >= LEAST_BYTES);
}

static bool repeat(recompute *r, const cone *c)
{
    if (r->n_more + c->n > r->room) {
        const uint32_t room = 2 * r->room + MOST;
        gradc_id *grown = gradc_realloc(r->more, room * sizeof *grown);
        if (grown == NULL)
            return false;
        r->more = grown;
        r->room = room;
    }
    for (uint32_t i = 0; i < c->n; i++) {
        r->here[c->x[i] - 1] = r->at;
        r->more[r->n_more++] = c->x[i];
    }
    for (uint32_t i = 0; i < c->n_from; i++) {
        r->read[c->from[i] - 1] = r->at;
        r->readers[c->from[i] - 1]++;
    }
    return true;
}

static bool visit(recompute *r)
{
    const gradc_stage *st = &r->s->stage[r->at - 1];
    const gradc_id *x = &r->s->node[st->first];
    const size_t size = (size_t)r->g->shape[st->space]->size;
    if (!st->is_loop || size * sizeof(double) < LEAST_MOVED)
        return true;
    for (uint32_t i = 0; i < st->count; i++)
        r->here[x[i] - 1] = r->at;
    for (uint32_t i = 0; i < st->count; i++)
        for (uint32_t k = 0; k < node(r, x[i])->n_in; k++)
            mark_read(r, gradc_node_in(node(r, x[i]))[k]);
    for (uint32_t i = 0; i < st->count; i++)
        for (uint32_t k = 0; k < node(r, x[i])->n_in; k++) {
            const gradc_id y = gradc_node_in(node(r, x[i]))[k];
            cone c;
            if (r->here[y - 1] != r->at && bytes_of(r, y) >= LEAST_MOVED &&
                is_repeatable(r, y) && find_cone(r, y, &c) && pays(r, y, &c) &&
                !repeat(r, &c))
                return false;
        }
    return true;
}

/* ---- what is left of the stages ---- */

/* The nodes of stage `at` and those it repeats, rising, at `to`; how many. */
static uint32_t merge(const recompute *r, uint32_t at, gradc_id *to)
{
    const gradc_stage *st = &r->s->stage[at];
    uint32_t n = st->count;
    memcpy(to, &r->s->node[st->first], n * sizeof *to);
    for (uint32_t i = r->begin[at]; i < r->begin[at + 1]; i++) {
        uint32_t k = n++;
        for (; k > 0 && to[k - 1] > r->more[i]; k--)
            to[k] = to[k - 1];
        to[k] = r->more[i];
    }
    return n;
}

/* Keeps of a stage's `n` nodes at `x` what is stored or used by what is kept; marks
 * what that reads from memory as stored. Returns how many are left. */
static uint32_t keep_needed(recompute *r, uint32_t at, gradc_id *x, uint32_t n)
{
    const uint32_t mark = at + 1;
    uint32_t kept = n;
    for (uint32_t i = 0; i < n; i++)
        r->here[x[i] - 1] = mark; /* in the stage */
    for (uint32_t i = n; i-- > 0;) {
        const bool home = r->s->stage_of[x[i] - 1] == mark;
        const bool loop = r->s->stage[at].is_loop;
        if (!(home && (r->stored[x[i] - 1] || !loop)) && r->read[x[i] - 1] != mark)
            continue;
        x[--kept] = x[i];
        const gradc_node *m = node(r, x[i]);
        for (uint32_t k = 0; k < m->n_in; k++) {
            const gradc_id y = gradc_node_in(m)[k], root = root_of(r, y);
            if (y == root && r->here[y - 1] == mark)
                r->read[y - 1] = mark; /* by this stage */
            else
                r->stored[root - 1] = true;
        }
    }
    memmove(x, x + kept, (n - kept) * sizeof *x);
    return n - kept;
}

/* New lists of nodes, without the stages that became empty. */
static bool rebuild(recompute *r)
{
    gradc_schedule *s = r->s;
    uint32_t total = r->n_more, left = 0, end = 0;
    for (uint32_t at = 0; at < s->n_stage; at++)
        total += s->stage[at].count;
    gradc_id *list = gradc_alloc(((size_t)total + 1) * sizeof *list);
    if (list == NULL)
        return false;
    /* from the last stage, into the list from its end */
    for (uint32_t at = s->n_stage, top = total; at-- > 0;) {
        const uint32_t most = s->stage[at].count + r->begin[at + 1] - r->begin[at];
        gradc_id *x = list + (top -= most);
        const uint32_t n = keep_needed(r, at, x, merge(r, at, x));
        s->stage[at].first = top;
        s->stage[at].count = n;
    }
    for (uint32_t at = 0; at < s->n_stage; at++) {
        gradc_stage st = s->stage[at];
        if (st.count == 0)
            continue;
        memmove(list + end, list + st.first, st.count * sizeof *list);
        st.first = end;
        end += st.count;
        s->stage[left++] = st;
    }
    s->n_stage = left;
    gradc_release(s->node);
    s->node = list;
    return true;
}

/* The stage that each node is stored by, or computed by if it is not stored: its own if
 * that is left, else the first that repeats it. */
static void renumber(recompute *r)
{
    gradc_schedule *s = r->s;
    memset(s->stage_of, 0, (size_t)r->g->size * sizeof *s->stage_of);
    for (uint32_t at = 0; at < s->n_stage; at++)
        for (uint32_t i = 0; i < s->stage[at].count; i++) {
            uint32_t *of = &s->stage_of[s->node[s->stage[at].first + i] - 1];
            *of = *of == 0 ? at + 1 : *of;
        }
}

gradc_status gradc_recompute(const gradc_graph *g, size_t n_results,
                             const gradc_id *result, gradc_schedule *s)
{
    const size_t n = (size_t)g->size + 1;
    recompute r = {.g = g, .s = s};
    r.here = gradc_alloc_zero(n, sizeof *r.here);
    r.read = gradc_alloc_zero(n, sizeof *r.read);
    r.stored = gradc_alloc_zero(n, sizeof *r.stored);
    r.readers = gradc_alloc_zero(n, sizeof *r.readers);
    r.uses = gradc_alloc_zero(n, sizeof *r.uses);
    r.begin = gradc_alloc_zero((size_t)s->n_stage + 1, sizeof *r.begin);
    bool ok = r.here && r.read && r.stored && r.readers && r.uses && r.begin;
    if (ok)
        find_readers(&r, n_results, result);
    for (r.at = 1; ok && r.at <= s->n_stage; r.at++) {
        ok = visit(&r);
        r.begin[r.at] = r.n_more;
    }
    if (ok && r.n_more > 0) {
        memset(r.here, 0, n * sizeof *r.here);
        memset(r.read, 0, n * sizeof *r.read);
        ok = rebuild(&r);
        if (ok)
            renumber(&r);
    }
    gradc_release(r.here);
    gradc_release(r.read);
    gradc_release(r.stored);
    gradc_release(r.readers);
    gradc_release(r.uses);
    gradc_release(r.begin);
    gradc_release(r.more);
    return ok ? GRADC_OK : GRADC_ENOMEM;
}
