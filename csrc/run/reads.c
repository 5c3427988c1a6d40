/* reads.c -- what a loop stage computes together, and who reads what last. */
#include "ir/shape.h"
#include "run/emit.h"

/* Whether x, an operand of another node of the stage, has no user but that one and no
 * memory. */
static bool is_passing(const emitter *e, gradc_id x, const uint32_t *users)
{
    return is_here(e, x) && !is_stored(e, x) && users[place_of(e, x)] == 1;
}

/* Whether node x of the stage may wait until node number `i`: nothing that it reads is
 * overwritten in place before that, or by i itself if `with_i` is false. */
static bool can_wait(const emitter *e, gradc_id x, uint32_t i, bool with_i)
{
    const gradc_node *n = node(e, x);
    for (uint32_t k = 0; k < n->n_in; k++) {
        gradc_view v;
        gradc_view_resolve(e->l->g, gradc_node_in(n)[k], &v);
        const gradc_id heir = e->l->heir[v.root - 1];
        if (heir != 0 && is_here(e, heir) && place_of(e, heir) < i + !with_i)
            return false;
    }
    return true;
}

/* Finds pairs: arithmetic whose one user is arithmetic too. */
static void find_pairs(emitter *e, uint32_t *users)
{
    const gradc_lowering *l = e->l;
    const gradc_stage *st = &l->s->stage[e->stage - 1];
    const gradc_id *id = &l->s->node[st->first];
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = node(e, id[i]);
        e->with[i] = e->first[i] = NONE;
        users[i] = 0;
        for (uint32_t k = 0; k < n->n_in; k++)
            if (is_here(e, gradc_node_in(n)[k]))
                users[place_of(e, gradc_node_in(n)[k])]++;
    }
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = node(e, id[i]);
        for (uint32_t k = 0; k < 2 && k < n->n_in && e->first[i] == NONE; k++) {
            const gradc_id x = n->u.in[k];
            if (n->n_in != 2 || second_of(n, k) < 0 || n->dtype > GRADC_F32 ||
                !is_passing(e, x, users) || first_of(node(e, x)) < 0 ||
                e->first[place_of(e, x)] != NONE || !can_wait(e, x, i, true))
                continue;
            e->first[i] = place_of(e, x);
            e->with[place_of(e, x)] = i;
        }
    }
}

/* Finds terms: of what comes from outside the stage, and of no use but in a sum. The
 * registers that they would wait in are many if the sum is long. */
static void find_terms(emitter *e, const uint32_t *users)
{
    const gradc_lowering *l = e->l;
    const gradc_stage *st = &l->s->stage[e->stage - 1];
    const gradc_id *id = &l->s->node[st->first];
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *sum = node(e, id[i]);
        for (uint32_t k = 0; k < sum->n_in && sum->op == GRADC_OP_addn; k++) {
            const gradc_id x = gradc_node_in(sum)[k];
            if (!is_passing(e, x, users) || node(e, x)->op == GRADC_OP_addn)
                continue;
            bool outside = e->first[place_of(e, x)] == NONE;
            for (uint32_t j = 0; j < node(e, x)->n_in; j++)
                outside = outside && !is_here(e, gradc_node_in(node(e, x))[j]);
            if (outside && can_wait(e, x, i, false))
                e->with[place_of(e, x)] = i;
        }
    }
}

/* For each node, the last place in the stage that reads it; reductions read at the
 * end of the block. */
static void find_last_users(emitter *e)
{
    const gradc_lowering *l = e->l;
    const gradc_stage *st = &l->s->stage[e->stage - 1];
    for (uint32_t i = 0; i < st->count; i++)
        l->slot[l->s->node[st->first + i] - 1] = i;
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = node(e, l->s->node[st->first + i]);
        const bool to_end = gradc_node_row(n)->step == GRADC_STEP_REDUCE;
        const uint32_t at = to_end ? NONE : e->with[i] != NONE ? e->with[i] : i;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id x = gradc_node_in(n)[k];
            if (!is_here(e, x))
                continue;
            uint32_t *last = &e->last_user[l->slot[x - 1]];
            *last = at > *last ? at : *last;
        }
    }
}

/* Whether x must be loaded, block by block. */
static bool is_loaded(const emitter *e, gradc_id x)
{
    const gradc_view v = spread(e, x);
    if (e->l->assembled[v.root - 1])
        return true;
    if (is_constant(e, &v) || e->loop->total <= 1 || gradc_view_is_flat(&v))
        return false;
    for (int i = 0; i < v.shape.rank; i++)
        if (v.shape.dim[i] != 1 && v.stride[i] != 0)
            return true;
    return false;
}

bool gradc_loop_adds(const emitter *e, gradc_id r, gradc_id x)
{
    const gradc_lowering *l = e->l;
    return node(e, r)->op == GRADC_OP_addn && !is_here(e, x) &&
           l->slot_stage[x - 1] != e->stage && l->slot[x - 1] == 1 &&
           gradc_can_add(l, spread(e, x).root);
}

/* For each node from outside the stage how often it is read, in l->slot, and how many
 * must be loaded. A reduction reads at the end of the block. */
static void count_reads(emitter *e)
{
    const gradc_lowering *l = e->l;
    const gradc_stage *st = &l->s->stage[e->stage - 1];
    const gradc_id *id = &l->s->node[st->first];
    for (uint32_t i = 0; i < st->count; i++)
        for (uint32_t k = 0; k < node(e, id[i])->n_in; k++)
            if (!is_here(e, gradc_node_in(node(e, id[i]))[k]))
                l->slot[gradc_node_in(node(e, id[i]))[k] - 1] = 0;
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = node(e, id[i]);
        const bool to_end = gradc_node_row(n)->step == GRADC_STEP_REDUCE;
        /* the first of a pair has its operands twice, if it is a square */
        const bool pairs = e->with[i] != NONE && e->first[e->with[i]] == i;
        const uint32_t times = pairs && n->n_in == 1 ? 2 : 1;
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id x = gradc_node_in(n)[k];
            if (is_here(e, x))
                continue;
            uint32_t *reads = &l->slot[x - 1];
            e->n_loads += *reads == 0 && is_loaded(e, x);
            *reads = to_end || *reads == NONE ? NONE : *reads + times;
        }
    }
    for (uint32_t i = 0; i < st->count; i++)
        for (uint32_t k = 1; k < node(e, id[i])->n_in; k++)
            e->n_loads -= gradc_loop_adds(e, id[i], gradc_node_in(node(e, id[i]))[k]);
}

void gradc_loop_reads(emitter *e, uint32_t *users)
{
    find_pairs(e, users);
    find_terms(e, users);
    find_last_users(e);
    count_reads(e);
}
