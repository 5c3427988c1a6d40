/* fuse.c -- which nodes are computed together, and in what order.
 *
 * Every computed node gets a level: what it must wait for is on lower levels, except
 * that an elementwise node or a reduction shares the level of elementwise operands of
 * its own space, whose values it takes from the same pass. Nodes of one level and one
 * space form a loop stage. Since each crossing between spaces or stages raises the
 * level, running stages in order of level is always right; and since the cotangent of
 * a sum is known before the sum is, a loss and its gradient share a pass. */
#include <string.h>

#include "ir/view.h"
#include "opt/optimise.h"

typedef struct builder {
    const gradc_graph *g;
    gradc_schedule s;
    uint32_t room;
    uint32_t *slot; /* open addressing: (level, space) -> stage + 1 */
    size_t n_slot;
} builder;

/* Whether x is a view that only strides express, so that nothing is computed. */
static bool is_free_view(const gradc_graph *g, gradc_id x)
{
    const gradc_node *n = gradc_node_get(g, x);
    gradc_view v;
    if (gradc_node_row(n)->step != GRADC_STEP_VIEW)
        return false;
    if (n->op != GRADC_OP_reshape)
        return true;
    gradc_view_resolve(g, x, &v);
    return v.root != x;
}

/* Runs over the elements of its result, or of its operand for a reduction. */
static bool is_loop(const gradc_graph *g, gradc_id x, const uint32_t **space)
{
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_step step = gradc_node_row(n)->step;
    if (step == GRADC_STEP_REDUCE) {
        *space = &gradc_node_get(g, n->u.in[0])->shape;
        return true;
    }
    *space = &n->shape;
    return step == GRADC_STEP_LOOP || step == GRADC_STEP_VIEW;
}

/* The stage that computes x or what it is a view of, or 0. */
static uint32_t stage_behind(const builder *b, gradc_id x)
{
    gradc_view v;
    if (b->s.stage_of[x - 1] != 0)
        return b->s.stage_of[x - 1];
    if (gradc_node_row(gradc_node_get(b->g, x))->step != GRADC_STEP_VIEW)
        return 0;
    gradc_view_resolve(b->g, x, &v);
    return b->s.stage_of[v.root - 1];
}

/* The lowest level x can be on. */
static uint32_t level_of(const builder *b, gradc_id x, bool loop, uint32_t space)
{
    const gradc_node *n = gradc_node_get(b->g, x);
    uint32_t level = 0;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id in = gradc_node_in(n)[k];
        const uint32_t at = stage_behind(b, in);
        if (at == 0)
            continue;
        const gradc_stage *st = &b->s.stage[at - 1];
        const gradc_step made = gradc_node_row(gradc_node_get(b->g, in))->step;
        const bool same_pass = loop && st->is_loop && st->space == space &&
                               made == GRADC_STEP_LOOP &&
                               gradc_node_get(b->g, in)->shape == space;
        const uint32_t least = st->level + !same_pass;
        level = least > level ? least : level;
    }
    return level;
}

/* What a reduction asks of its loop: the length that block edges must fall on multiples
 * of; and, if it adds rows, the elements of the rows it adds, since tasks are cut by
 * these. One to a single value has the whole space for its row, so that its blocks, and
 * with them the order of its sum, never depend on what else is in the loop. */
static void rows_of(const gradc_graph *g, const gradc_node *n, int64_t *row,
                    int64_t *group)
{
    *row = *group = 0;
    if (gradc_node_row(n)->step != GRADC_STEP_REDUCE)
        return;
    const gradc_shape *s = gradc_shape_of(g, n->u.in[0]);
    int64_t reduced = 1, inner = 1;
    for (int i = (int)n->attr[0]; i < s->rank; i++)
        *(i < n->attr[1] ? &reduced : &inner) *= s->dim[i];
    *row = inner != 1 ? inner : reduced;
    *group = inner != 1 ? inner * reduced : 0;
}

static bool fits(int64_t wanted, int64_t has)
{
    return wanted == 0 || has == 0 || wanted == has;
}

static bool new_stage(builder *b, const gradc_stage *stage)
{
    if (b->s.n_stage == b->room) {
        const uint32_t room = b->room ? 2 * b->room : 16;
        gradc_stage *grown = gradc_realloc(b->s.stage, room * sizeof *grown);
        if (grown == NULL)
            return false;
        b->s.stage = grown;
        b->room = room;
    }
    b->s.stage[b->s.n_stage++] = *stage;
    return true;
}

static size_t find_slot(const builder *b, uint32_t level, uint32_t space)
{
    size_t i = gradc_hash_mix(level, space) & (b->n_slot - 1);
    for (; b->slot[i] != 0; i = (i + 1) & (b->n_slot - 1)) {
        const gradc_stage *st = &b->s.stage[b->slot[i] - 1];
        if (st->level == level && st->space == space)
            break;
    }
    return i;
}

/* Puts x into the first loop stage from `level` on whose rows fit its own. */
static bool join_loop(builder *b, gradc_id x, uint32_t level, uint32_t space)
{
    int64_t row, group;
    rows_of(b->g, gradc_node_get(b->g, x), &row, &group);
    for (;; level++) {
        const size_t at = find_slot(b, level, space);
        if (b->slot[at] == 0) {
            const gradc_stage st = {.is_loop = true, .level = level, .space = space};
            if (!new_stage(b, &st))
                return false;
            b->slot[at] = b->s.n_stage;
        }
        gradc_stage *st = &b->s.stage[b->slot[at] - 1];
        if (!fits(row, st->row) || !fits(group, st->group))
            continue;
        st->row = row != 0 ? row : st->row;
        st->group = group != 0 ? group : st->group;
        st->count++;
        b->s.stage_of[x - 1] = b->slot[at];
        return true;
    }
}

static bool place(builder *b, gradc_id x)
{
    const gradc_node *n = gradc_node_get(b->g, x);
    const uint32_t *space;
    if (gradc_node_row(n)->step == GRADC_STEP_NONE || is_free_view(b->g, x))
        return true;
    if (is_loop(b->g, x, &space))
        return join_loop(b, x, level_of(b, x, true, *space), *space);
    const gradc_stage st = {.level = level_of(b, x, false, 0), .count = 1};
    if (!new_stage(b, &st))
        return false;
    b->s.stage_of[x - 1] = b->s.n_stage;
    return true;
}

/* Sorts stages by level, keeping their order within one, and lists their nodes. */
static bool arrange(builder *b)
{
    gradc_schedule *s = &b->s;
    uint32_t levels = 1;
    for (uint32_t i = 0; i < s->n_stage; i++)
        levels = s->stage[i].level + 2 > levels ? s->stage[i].level + 2 : levels;
    uint32_t *start = gradc_alloc_zero((size_t)levels + 1, sizeof *start);
    uint32_t *moved = gradc_alloc(((size_t)s->n_stage + 1) * sizeof *moved);
    gradc_stage *sorted = gradc_alloc(((size_t)s->n_stage + 1) * sizeof *sorted);
    s->node = gradc_alloc(((size_t)b->g->size + 1) * sizeof *s->node);
    const bool ok = start && moved && sorted && s->node;
    if (ok) {
        for (uint32_t i = 0; i < s->n_stage; i++)
            start[s->stage[i].level + 1]++;
        for (uint32_t i = 1; i <= levels; i++)
            start[i] += start[i - 1];
        for (uint32_t i = 0; i < s->n_stage; i++)
            moved[i] = start[s->stage[i].level]++;
        uint32_t first = 0;
        for (uint32_t i = 0; i < s->n_stage; i++)
            sorted[moved[i]] = s->stage[i];
        for (uint32_t i = 0; i < s->n_stage; i++) {
            sorted[i].first = first;
            first += sorted[i].count;
            sorted[i].count = 0;
        }
        if (s->n_stage > 0)
            memcpy(s->stage, sorted, s->n_stage * sizeof *sorted);
        for (gradc_id x = 1; x <= b->g->size; x++) {
            if (s->stage_of[x - 1] == 0)
                continue;
            gradc_stage *st = &s->stage[moved[s->stage_of[x - 1] - 1]];
            s->stage_of[x - 1] = moved[s->stage_of[x - 1] - 1] + 1;
            s->node[st->first + st->count++] = x;
        }
    }
    gradc_release(start);
    gradc_release(moved);
    gradc_release(sorted);
    return ok;
}

/* Marks, by id, what the results need: rewriting leaves nodes behind that none does. */
static void mark_needed(const gradc_graph *g, size_t n_results, const gradc_id *result,
                        bool *needed)
{
    for (size_t i = 0; i < n_results; i++)
        needed[result[i]] = true;
    for (gradc_id x = g->size; x > 0; x--) {
        const gradc_node *n = gradc_node_get(g, x);
        for (uint32_t k = 0; needed[x] && k < n->n_in; k++)
            needed[gradc_node_in(n)[k]] = true;
    }
}

gradc_status gradc_fuse(const gradc_graph *g, size_t n_results, const gradc_id *result,
                        gradc_schedule *out)
{
    builder b = {.g = g, .n_slot = 16};
    while (b.n_slot < 2 * (size_t)g->size + 2)
        b.n_slot *= 2;
    b.slot = gradc_alloc_zero(b.n_slot, sizeof *b.slot);
    b.s.stage_of = gradc_alloc_zero((size_t)g->size + 1, sizeof *b.s.stage_of);
    bool *needed = gradc_alloc_zero((size_t)g->size + 1, sizeof *needed);
    bool ok = b.slot != NULL && b.s.stage_of != NULL && needed != NULL;
    if (ok)
        mark_needed(g, n_results, result, needed);
    for (gradc_id x = 1; ok && x <= g->size; x++)
        ok = !needed[x] || place(&b, x);
    ok = ok && arrange(&b);
    gradc_release(b.slot);
    gradc_release(needed);
    if (!ok) {
        gradc_schedule_free(&b.s);
        return GRADC_ENOMEM;
    }
    *out = b.s;
    return GRADC_OK;
}
