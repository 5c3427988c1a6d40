/* lower.c -- from an optimised graph and its schedule to a program.
 *
 * Stages are lowered in order. A node gets memory when its stage comes -- a result's
 * own buffer, or a piece of the workspace -- and gives it back after the last stage
 * that reads it. Nodes that only their own loop reads get registers, not memory. */
#include "run/lower.h"

#include <string.h>

#include "base/status.h"
#include "ir/shape.h"
#include "run/assemble.h"
#include "run/run.h"

void *gradc_lower_get(gradc_lowering *l, size_t size)
{
    void *p = gradc_arena_get(&l->p->arena, size);
    if (p != NULL)
        memset(p, 0, size);
    return p;
}

gradc_status gradc_lower_step(gradc_lowering *l, const char *name, gradc_step_fn *run,
                              const void *data)
{
    gradc_program *p = l->p;
    if (p->n_step == p->step_room) {
        const uint32_t room = p->step_room ? 2 * p->step_room : 8;
        gradc_run_step *grown = gradc_realloc(p->step, room * sizeof *grown);
        if (grown == NULL)
            return GRADC_ENOMEM;
        p->step = grown;
        p->step_room = room;
    }
    p->step[p->n_step++] = (gradc_run_step){.run = run, .data = data, .name = name};
    return GRADC_OK;
}

void gradc_lower_traffic(gradc_lowering *l, size_t read, size_t written)
{
    gradc_run_step *s = &l->p->step[l->p->n_step - 1];
    s->read = read;
    s->written = written;
}

void gradc_lower_scratch(gradc_lowering *l, size_t bytes)
{
    bytes = gradc_align(bytes);
    l->p->scratch = bytes > l->p->scratch ? bytes : l->p->scratch;
}

void gradc_lower_value(const gradc_node *n, void *to)
{
    const float narrow = n->dtype == GRADC_F32 ? (float)n->value.f : 0;
    const uint8_t flag = n->dtype == GRADC_BOOL ? (uint8_t)n->value.i : 0;
    const void *value = n->dtype == GRADC_F32    ? (const void *)&narrow
                        : n->dtype == GRADC_BOOL ? (const void *)&flag
                                                 : (const void *)&n->value;
    memcpy(to, value, gradc_dtype_size((gradc_dtype)n->dtype));
}

gradc_status gradc_lower_constant(gradc_lowering *l, gradc_id x, size_t count,
                                  gradc_ref *out)
{
    gradc_program *p = l->p;
    const gradc_node *n = gradc_node_get(l->g, x);
    const size_t size = gradc_dtype_size((gradc_dtype)n->dtype);
    const size_t bytes = gradc_align(count * size);
    if (p->n_constants + bytes > p->constants_room) {
        size_t room = p->constants_room ? 2 * p->constants_room : 1024;
        while (room < p->n_constants + bytes)
            room *= 2;
        char *grown = gradc_realloc(p->constants, room);
        if (grown == NULL)
            return GRADC_ENOMEM;
        p->constants = grown;
        p->constants_room = room;
    }
    char *at = p->constants + p->n_constants;
    for (size_t i = 0; i < count; i++)
        gradc_lower_value(n, at + i * size);
    *out = (gradc_ref){BASE_CONSTANT, p->n_constants};
    p->n_constants += bytes;
    return GRADC_OK;
}

gradc_split gradc_split_shape(const gradc_shape *s, int64_t begin, int64_t end)
{
    gradc_split split = {1, 1, 1};
    for (int i = 0; i < s->rank; i++)
        *(i < begin ? &split.outer
          : i < end ? &split.n
                    : &split.inner) *= (size_t)s->dim[i];
    return split;
}

gradc_status gradc_lower_array(gradc_lowering *l, const gradc_view *v, bool collapse,
                               gradc_array *out)
{
    gradc_view c = *v;
    const gradc_dtype dtype = gradc_dtype_of(l->g, v->root);
    const bool is_constant = gradc_node_get(l->g, v->root)->op == GRADC_OP_constant;
    gradc_ref at = l->place[v->root - 1];
    if (is_constant)
        GRADC_TRY(gradc_lower_constant(l, v->root, 1, &at));
    if (collapse)
        gradc_view_collapse(&c);
    const size_t bytes = (size_t)c.shape.rank * sizeof(int64_t);
    int64_t *dim = gradc_lower_get(l, bytes), *stride = gradc_lower_get(l, bytes);
    if (dim == NULL || stride == NULL)
        return GRADC_ENOMEM;
    memcpy(dim, c.shape.dim, bytes);
    memcpy(stride, c.stride, bytes);
    at.offset += (size_t)v->offset * gradc_dtype_size(dtype);
    *out = (gradc_array){at, dtype, c.shape.rank, dim, stride};
    return GRADC_OK;
}

/* ---- memory of nodes ---- */

/* Nodes of a loop up to which it is searched for memory to use again. */
enum { MOST_IN_PLACE = 256 };

/* The node whose memory x looks at. */
static gradc_id root_of(const gradc_graph *g, gradc_id x)
{
    gradc_view v;
    if (gradc_node_row(gradc_node_get(g, x))->step != GRADC_STEP_VIEW)
        return x;
    gradc_view_resolve(g, x, &v);
    return v.root;
}

/* Until which stage each node's memory is read, counting from 1. */
static void find_last_uses(gradc_lowering *l, size_t n_results, const gradc_id *result)
{
    const gradc_schedule *s = l->s;
    for (uint32_t at = 0; at < s->n_stage; at++)
        for (uint32_t i = 0; i < s->stage[at].count; i++) {
            const gradc_node *n = gradc_node_get(l->g, s->node[s->stage[at].first + i]);
            for (uint32_t k = 0; k < n->n_in; k++) {
                const gradc_id x = gradc_node_in(n)[k], root = root_of(l->g, x);
                if (x != root || !gradc_schedule_has(s, at, x))
                    l->last_use[root - 1] = at + 1;
            }
        }
    for (size_t i = 0; i < n_results; i++)
        l->last_use[root_of(l->g, result[i]) - 1] = NEVER_DEAD;
}

static size_t bytes_of(const gradc_graph *g, gradc_id x)
{
    return (size_t)gradc_shape_of(g, x)->size * gradc_dtype_size(gradc_dtype_of(g, x));
}

static size_t operand_bytes(const gradc_graph *g, const gradc_node *n)
{
    size_t sum = 0;
    for (uint32_t k = 0; k < n->n_in; k++)
        sum += bytes_of(g, gradc_node_in(n)[k]);
    return sum;
}

/* Whether concat r lays its operands one after the other in memory. */
static bool is_end_to_end(const gradc_graph *g, gradc_id r)
{
    const gradc_node *n = gradc_node_get(g, r);
    return n->op == GRADC_OP_concat &&
           gradc_split_shape(gradc_shape_of(g, r), n->attr[0], n->attr[0]).outer == 1;
}

bool gradc_can_live_in(const gradc_lowering *l, gradc_id r, gradc_id x)
{
    gradc_view v;
    gradc_view_resolve(l->g, x, &v);
    return is_end_to_end(l->g, r) && l->s->stage_of[v.root - 1] != 0 && v.root != r &&
           l->place[v.root - 1].base == BASE_WORK && gradc_view_is_whole(l->g, &v) &&
           l->last_use[v.root - 1] == l->s->stage_of[r - 1];
}

/* Finds which nodes are computed inside a concat. */
static void find_homes(gradc_lowering *l)
{
    for (uint32_t at = 0; at < l->s->n_stage; at++) {
        const gradc_id r = l->s->node[l->s->stage[at].first];
        const gradc_node *n = gradc_node_get(l->g, r);
        size_t offset = 0;
        for (uint32_t k = 0; k < n->n_in && n->op == GRADC_OP_concat; k++) {
            const gradc_id x = gradc_node_in(n)[k];
            if (gradc_can_live_in(l, r, x)) {
                const gradc_id root = root_of(l->g, x);
                l->home[root - 1] = r;
                l->home_offset[root - 1] = offset;
            }
            offset += bytes_of(l->g, x);
        }
    }
}

/* The memory of x: its own, or a part of that of its outermost home. */
static void take(gradc_lowering *l, gradc_id x)
{
    size_t offset = 0;
    gradc_id top = x;
    for (; l->home[top - 1] != 0; top = l->home[top - 1])
        offset += l->home_offset[top - 1];
    gradc_ref *at = &l->place[top - 1];
    if (at->base == BASE_WORK && !l->taken[top - 1])
        at->offset = gradc_plan_take(&l->plan, bytes_of(l->g, top));
    l->taken[top - 1] = true;
    if (top != x)
        l->place[x - 1] = (gradc_ref){at->base, at->offset + offset};
}

/* Whether x is a piece of the concat or pad r that a loop puts together. */
static bool is_piece_of(const gradc_lowering *l, gradc_id x, gradc_id r)
{
    const gradc_node *n = gradc_node_get(l->g, r);
    for (uint32_t k = 0; k < n->n_in && l->assembled[r - 1]; k++)
        if (root_of(l->g, gradc_node_in(n)[k]) == x)
            return true;
    return false;
}

/* Whether operand x of the loop stage `at` is read element by element in the order of
 * its space, by nodes up to number `last` of the stage alone, and by none of them after
 * it has begun to write. */
static bool is_read_before(const gradc_lowering *l, uint32_t at, gradc_id x,
                           uint32_t last)
{
    const gradc_stage *st = &l->s->stage[at];
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = gradc_node_get(l->g, l->s->node[st->first + i]);
        for (uint32_t k = 0; k < n->n_in; k++) {
            gradc_view v;
            gradc_view_resolve(l->g, gradc_node_in(n)[k], &v);
            if (is_piece_of(l, x, v.root))
                return false;
            if (v.root != x)
                continue;
            const bool late = i > last || (i == last && k > 1) ||
                              gradc_node_row(n)->step == GRADC_STEP_REDUCE;
            if (late || !gradc_view_is_whole(l->g, &v))
                return false;
        }
    }
    return true;
}

/* Whether loop stage `at` may overwrite x as it goes: not what its products read. */
static bool is_in_step(const gradc_lowering *l, uint32_t at, gradc_id x)
{
    return l->host[at] == 0 || l->host[l->s->stage_of[x - 1] - 1] == at + 1;
}

/* Node number `i` of loop stage `at` takes the memory of an operand of its size that
 * nobody reads afterwards. */
static bool take_in_place(gradc_lowering *l, uint32_t at, uint32_t i)
{
    const gradc_stage *st = &l->s->stage[at];
    const gradc_id r = l->s->node[st->first + i];
    const gradc_node *n = gradc_node_get(l->g, r);
    if (st->count > MOST_IN_PLACE || l->home[r - 1] != 0 ||
        l->place[r - 1].base != BASE_WORK || gradc_node_row(n)->step != GRADC_STEP_LOOP)
        return false;
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id x = root_of(l->g, gradc_node_in(n)[k]);
        if (l->last_use[x - 1] != at + 1 || l->s->stage_of[x - 1] == 0 ||
            l->assembled[x - 1] || l->place[x - 1].base != BASE_WORK ||
            l->home[x - 1] != 0 || bytes_of(l->g, x) != bytes_of(l->g, r) ||
            !is_in_step(l, at, x) || gradc_node_get(l->g, x)->dtype != n->dtype ||
            !is_read_before(l, at, x, i))
            continue;
        l->place[r - 1] = l->place[x - 1];
        l->taken[r - 1] = true;
        l->heir[x - 1] = r;
        l->last_use[x - 1] = NEVER_DEAD; /* r gives it back */
        return true;
    }
    return false;
}

/* Memory for the nodes of stage `at` that others read. */
static void take_memory(gradc_lowering *l, uint32_t at)
{
    const gradc_stage *st = &l->s->stage[at];
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_id x = l->s->node[st->first + i];
        const gradc_step step = gradc_node_row(gradc_node_get(l->g, x))->step;
        const bool in_register =
            st->is_loop && step != GRADC_STEP_REDUCE && l->last_use[x - 1] == 0;
        const bool is_repeated = l->s->stage_of[x - 1] != at + 1;
        if (!in_register && !is_repeated && !(st->is_loop && take_in_place(l, at, i)))
            take(l, x);
    }
    /* the products that a loop is host to and that come after it */
    for (uint32_t i = at + 1; l->host[at] == at + 1 && i < l->s->n_stage; i++)
        if (l->host[i] == at + 1)
            take(l, l->s->node[l->s->stage[i].first]);
}

static gradc_status give_if_dead(gradc_lowering *l, gradc_id x, uint32_t at)
{
    const gradc_node *n = gradc_node_get(l->g, x);
    uint32_t *until = &l->last_use[x - 1];
    for (uint32_t k = 0; l->assembled[x - 1] && k < n->n_in; k++)
        GRADC_TRY(give_if_dead(l, root_of(l->g, gradc_node_in(n)[k]), at));
    if (l->assembled[x - 1] || *until != at + 1 || l->s->stage_of[x - 1] == 0 ||
        l->place[x - 1].base != BASE_WORK || l->home[x - 1] != 0)
        return GRADC_OK;
    *until = NEVER_DEAD; /* given once */
    return gradc_plan_give(&l->plan, l->place[x - 1].offset, bytes_of(l->g, x))
               ? GRADC_OK
               : GRADC_ENOMEM;
}

/* Gives back what stage `of` reads and no stage after `at` does. */
static gradc_status give_operands(gradc_lowering *l, uint32_t of, uint32_t at)
{
    const gradc_stage *st = &l->s->stage[of];
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_node *n = gradc_node_get(l->g, l->s->node[st->first + i]);
        for (uint32_t k = 0; k < n->n_in; k++)
            GRADC_TRY(give_if_dead(l, root_of(l->g, gradc_node_in(n)[k]), at));
    }
    return GRADC_OK;
}

/* Gives back what no stage after `at` reads, and the temporaries. */
static gradc_status give_memory(gradc_lowering *l, uint32_t at)
{
    GRADC_TRY(give_operands(l, at, at));
    for (uint32_t i = 0; l->host[at] == at + 1 && i < at; i++)
        if (l->host[i] == at + 1)
            GRADC_TRY(give_operands(l, i, at));
    for (uint32_t i = 0; i < l->n_temporary; i++)
        if (!gradc_plan_give(&l->plan, l->temporary[i].offset, l->temporary_size[i]))
            return GRADC_ENOMEM;
    l->n_temporary = 0;
    return GRADC_OK;
}

/* Arguments stand where the caller has them; a computed result is computed in place. */
static void place_fixed(gradc_lowering *l, size_t n_args, size_t n_results,
                        const gradc_id *result)
{
    for (size_t i = 0; i < n_args; i++)
        l->place[i] = (gradc_ref){BASE_ARGS + (uint32_t)i, 0};
    for (size_t i = n_results; i-- > 0;) {
        gradc_view v;
        gradc_view_resolve(l->g, result[i], &v);
        if (l->s->stage_of[v.root - 1] != 0 && gradc_view_is_whole(l->g, &v))
            l->place[v.root - 1] = (gradc_ref){BASE_ARGS + (uint32_t)(n_args + i), 0};
    }
}

gradc_status gradc_lower_flat(gradc_lowering *l, gradc_id x, gradc_ref *out)
{
    gradc_view v;
    gradc_array a;
    gradc_view_resolve(l->g, x, &v);
    if (gradc_view_is_flat(&v)) {
        GRADC_TRY(gradc_lower_array(l, &v, true, &a));
        *out = a.at;
        return GRADC_OK;
    }
    const size_t size = bytes_of(l->g, x);
    const gradc_ref to = {BASE_WORK, gradc_plan_take(&l->plan, size)};
    l->temporary[l->n_temporary] = to;
    l->temporary_size[l->n_temporary++] = size;
    *out = to;
    return gradc_lower_copy(l, &v, to);
}

/* ---- the whole ---- */

static gradc_lower_fn *const families[GRADC_STEP_COUNT] = {
    [GRADC_STEP_MATMUL] = gradc_lower_matmul,
    [GRADC_STEP_CORRELATE] = gradc_lower_correlate,
    [GRADC_STEP_GATHER] = gradc_lower_gather,
    [GRADC_STEP_SCATTER] = gradc_lower_scatter,
    [GRADC_STEP_CONCAT] = gradc_lower_concat,
    [GRADC_STEP_PAD] = gradc_lower_pad,
    [GRADC_STEP_SCAN] = gradc_lower_scan,
    [GRADC_STEP_ARG] = gradc_lower_arg,
    [GRADC_STEP_SORT] = gradc_lower_sort,
    [GRADC_STEP_SEARCH] = gradc_lower_search,
};

static gradc_status lower_stage(gradc_lowering *l, uint32_t at)
{
    const gradc_stage *st = &l->s->stage[at];
    const gradc_node *n = gradc_node_get(l->g, l->s->node[st->first]);
    if (l->assembled[l->s->node[st->first] - 1])
        return GRADC_OK;
    take_memory(l, at);
    if (l->host[at] != 0 && l->host[at] != at + 1)
        return give_memory(l, at);
    const uint32_t before = l->p->n_step;
    const bool one = st->is_loop && l->g->shape[st->space]->size == 1;
    GRADC_TRY(one           ? gradc_lower_cells(l, at)
              : st->is_loop ? gradc_lower_loop(l, at)
                            : families[gradc_node_row(n)->step](l, at));
    if (!st->is_loop && l->p->n_step > before &&
        l->p->step[l->p->n_step - 1].written == 0)
        gradc_lower_traffic(l, operand_bytes(l->g, n),
                            bytes_of(l->g, l->s->node[st->first]));
    return give_memory(l, at);
}

/* Results that were not computed in place: views, arguments, constants, repetitions. */
static gradc_status copy_results(gradc_lowering *l, size_t n_results,
                                 const gradc_id *result)
{
    for (size_t i = 0; i < n_results; i++) {
        const gradc_ref to = {BASE_ARGS + l->p->n_args + (uint32_t)i, 0};
        gradc_view v;
        gradc_view_resolve(l->g, result[i], &v);
        if (l->s->stage_of[v.root - 1] == 0 || !gradc_view_is_whole(l->g, &v) ||
            l->place[v.root - 1].base != to.base)
            GRADC_TRY(gradc_lower_copy(l, &v, to));
    }
    return GRADC_OK;
}

static gradc_status lower(gradc_lowering *l, size_t n_results, const gradc_id *result)
{
    const size_t n = (size_t)l->g->size + 1;
    l->place = gradc_alloc_zero(n, sizeof *l->place);
    l->last_use = gradc_alloc_zero(n, sizeof *l->last_use);
    l->host = gradc_alloc_zero((size_t)l->s->n_stage + 1, sizeof *l->host);
    l->home = gradc_alloc_zero(n, sizeof *l->home);
    l->home_offset = gradc_alloc_zero(n, sizeof *l->home_offset);
    l->taken = gradc_alloc_zero(n, sizeof *l->taken);
    l->heir = gradc_alloc_zero(n, sizeof *l->heir);
    l->assembled = gradc_alloc_zero(n, sizeof *l->assembled);
    l->slot = gradc_alloc_zero(n, sizeof *l->slot);
    l->slot_stage = gradc_alloc_zero(n, sizeof *l->slot_stage);
    if (!l->place || !l->last_use || !l->host || !l->home || !l->home_offset ||
        !l->taken || !l->heir || !l->assembled || !l->slot || !l->slot_stage)
        return GRADC_ENOMEM;
    l->p->misaligned = gradc_lower_get(l, l->p->n_args + 1);
    if (l->p->misaligned == NULL)
        return GRADC_ENOMEM;
    for (uint32_t i = 0; i < l->p->n_args; i++) {
        l->p->misaligned[i] =
            (uint8_t)(gradc_dtype_size(gradc_dtype_of(l->g, i + 1)) - 1);
        l->p->arguments += bytes_of(l->g, i + 1);
    }
    for (size_t i = 0; i < n_results; i++)
        l->p->results += bytes_of(l->g, result[i]);
    find_last_uses(l, n_results, result);
    place_fixed(l, l->p->n_args, n_results, result);
    gradc_find_assembled(l);
    find_homes(l);
    gradc_find_rows(l);
    for (uint32_t at = 0; at < l->s->n_stage; at++)
        GRADC_TRY(lower_stage(l, at));
    GRADC_TRY(copy_results(l, n_results, result));
    l->p->work = gradc_align(l->plan.end);
    return GRADC_OK;
}

gradc_status gradc_lower_program(const gradc_graph *g, const gradc_schedule *s,
                                 const gradc_kernels *kernels, size_t n_args,
                                 size_t n_results, const gradc_id *result,
                                 gradc_program **out)
{
    gradc_program *p = gradc_alloc_zero(1, sizeof *p);
    if (p == NULL)
        return GRADC_ENOMEM;
    p->n_args = (uint32_t)n_args;
    p->n_results = (uint32_t)n_results;
    gradc_lowering l = {.g = g, .s = s, .kernels = kernels, .p = p};
    gradc_status status = lower(&l, n_results, result);
    if (status == GRADC_OK && !gradc_code_end(&p->code))
        status = GRADC_ENOMEM;
    gradc_plan_free(&l.plan);
    gradc_release(l.place);
    gradc_release(l.last_use);
    gradc_release(l.host);
    gradc_release(l.home);
    gradc_release(l.home_offset);
    gradc_release(l.taken);
    gradc_release(l.heir);
    gradc_release(l.assembled);
    gradc_release(l.slot);
    gradc_release(l.slot_stage);
    if (status == GRADC_OK)
        *out = p;
    else
        gradc_program_free(p);
    return status;
}
