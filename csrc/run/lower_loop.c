/* lower_loop.c -- a loop stage as operations on slots.
 *
 * Nodes come in order of id, but terms of a long sum when they are added. A register
 * is taken when a value is made and given back at its last use in the stage, so that a
 * long chain needs few; a value that others read is made in its own memory instead.
 * Operands that must be loaded keep a register for the whole loop, or until their last
 * use if they are many. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "ir/shape.h"
#include "run/emit.h"
#include "run/native.h"

/* Slots of memory are numbered from here until the number of registers is known. */
enum { MEMORY = 1u << 31 };

enum { NAME_BYTES = 96 };

/* ---- lists in the program's arena: doubled when full, the old copy stays ---- */

static void *grown(gradc_lowering *l, void *old, uint32_t n, uint32_t *room,
                   size_t size)
{
    if (n < *room)
        return old;
    const uint32_t larger = *room ? 2 * *room : 4;
    void *p = gradc_lower_get(l, larger * size);
    if (p != NULL && n > 0)
        memcpy(p, old, n * size);
    *room = p != NULL ? larger : *room;
    return p;
}

static gradc_status add_op(emitter *e, loop_op op)
{
    gradc_loop *p = e->loop;
    loop_op *list = grown(e->l, p->op, p->n_op, &e->op_room, sizeof *list);
    if (list == NULL)
        return GRADC_ENOMEM;
    p->op = list;
    p->op[p->n_op++] = op;
    return GRADC_OK;
}

static gradc_status add_memory(emitter *e, gradc_ref at, size_t step, uint32_t *slot)
{
    gradc_loop *p = e->loop;
    loop_memory *list =
        grown(e->l, p->memory, p->n_memory, &e->memory_room, sizeof *list);
    if (list == NULL)
        return GRADC_ENOMEM;
    p->memory = list;
    *slot = MEMORY + p->n_memory;
    p->memory[p->n_memory++] = (loop_memory){at, (uint32_t)step};
    return GRADC_OK;
}

static uint32_t take_register(emitter *e)
{
    return e->n_free > 0 ? e->free_list[--e->n_free] : e->loop->n_register++;
}

/* ---- operands ---- */

/* A register for a load: held for the whole loop, or until all have read it. */
static gradc_status load_register(emitter *e, uint32_t reads, bool within,
                                  uint32_t *slot)
{
    if (!within) {
        *slot = e->loop->n_register++;
        e->reads[*slot] = NONE;
        return GRADC_OK;
    }
    *slot = take_register(e);
    e->reads[*slot] = reads;
    return add_op(e, (loop_op){.r = *slot, .x = e->loop->n_load});
}

static gradc_status append_load(emitter *e, const loop_load *d, bool splat)
{
    gradc_loop *p = e->loop;
    loop_load **list = splat ? &p->splat : &p->load;
    uint32_t *n = splat ? &p->n_splat : &p->n_load;
    loop_load *more =
        grown(e->l, *list, *n, splat ? &e->splat_room : &e->load_room, sizeof *more);
    if (more == NULL)
        return GRADC_ENOMEM;
    *list = more;
    (*list)[(*n)++] = *d;
    return GRADC_OK;
}

/* Appends load `d`, of an operand that the stage reads `reads` times. */
static gradc_status add_load(emitter *e, loop_load d, bool splat, uint32_t reads,
                             uint32_t *slot)
{
    d.within = !splat && e->n_loads > FEW;
    GRADC_TRY(load_register(e, reads, d.within, slot));
    d.slot = *slot;
    return append_load(e, &d, splat);
}

static void count_pieces(emitter *e, gradc_id r)
{
    const gradc_node *n = node(e, r);
    for (uint32_t k = 0; k < n->n_in; k++)
        e->read +=
            (size_t)gradc_shape_of(e->l->g, gradc_node_in(n)[k])->size * element(e, r);
}

/* A concat or pad that this loop puts together. */
static gradc_status bring_pieces(emitter *e, gradc_id r, uint32_t reads, uint32_t *slot)
{
    const loop_load d = {.pieces = gradc_lower_assembly(e->l, r, false)};
    count_pieces(e, r);
    return d.pieces == NULL ? GRADC_ENOMEM : add_load(e, d, false, reads, slot);
}

/* Term r of a sum, a pad, added to what is in `slot`. */
static gradc_status add_pieces(emitter *e, gradc_id r, uint32_t slot)
{
    const loop_load d = {
        .slot = slot, .within = true, .pieces = gradc_lower_assembly(e->l, r, true)};
    count_pieces(e, r);
    if (d.pieces == NULL)
        return GRADC_ENOMEM;
    GRADC_TRY(add_op(e, (loop_op){.r = slot, .x = e->loop->n_load}));
    return append_load(e, &d, false);
}

/* An operand from outside the stage, which reads it `reads` times: moving memory,
 * memory that stays, or a load. */
static gradc_status bring(emitter *e, gradc_id x, uint32_t reads, uint32_t *slot)
{
    gradc_lowering *l = e->l;
    gradc_loop *p = e->loop;
    const size_t size = element(e, x);
    gradc_array a;
    gradc_ref at;
    gradc_view v = spread(e, x);
    if (is_constant(e, &v)) {
        GRADC_TRY(gradc_lower_constant(l, v.root,
                                       p->total < p->block ? p->total : p->block, &at));
        return add_memory(e, at, 0, slot);
    }
    if (l->assembled[v.root - 1])
        return bring_pieces(e, v.root, reads, slot);
    if (l->place[v.root - 1].base != BASE_PANEL)
        e->read += (size_t)gradc_shape_of(l->g, x)->size * size;
    const bool flat = gradc_view_is_flat(&v);
    GRADC_TRY(gradc_lower_array(l, &v, true, &a));
    if (flat || p->total <= 1)
        return add_memory(e, a.at, flat ? size : 0, slot);
    const loop_load d = {.from = a, .move = l->kernels->move[a.dtype]};
    return add_load(e, d, a.rank == 1 && a.stride[0] == 0, reads, slot);
}

static gradc_status operand(emitter *e, gradc_id x, uint32_t *slot)
{
    gradc_lowering *l = e->l;
    if (l->slot_stage[x - 1] != e->stage) {
        GRADC_TRY(bring(e, x, l->slot[x - 1], &l->slot[x - 1]));
        l->slot_stage[x - 1] = e->stage;
    }
    *slot = l->slot[x - 1];
    return GRADC_OK;
}

/* ---- nodes ---- */

/* Gives back the registers of the `n` operands `in` that node number `i` reads last,
 * those of the element size of its result r (`same`) or the others. */
static void give_registers(emitter *e, uint32_t i, uint32_t n, const gradc_id *in,
                           gradc_id r, bool same)
{
    const gradc_lowering *l = e->l;
    for (uint32_t k = 0; k < n; k++) {
        const gradc_id x = in[k];
        if (!is_here(e, x) || l->slot[x - 1] >= MEMORY ||
            (element(e, x) == element(e, r)) != same)
            continue;
        uint32_t *last = &e->last_user[place_of(e, x)];
        if (*last == i) {
            e->free_list[e->n_free++] = l->slot[x - 1];
            *last = NONE;
        }
    }
}

/* Gives back the registers of loads that the `n` operands `in` are the last to read. */
static void give_loads(emitter *e, uint32_t n, const gradc_id *in)
{
    const gradc_lowering *l = e->l;
    for (uint32_t k = 0; k < n; k++) {
        const uint32_t slot = l->slot[in[k] - 1];
        if (is_here(e, in[k]) || slot >= MEMORY || e->reads[slot] == NONE)
            continue;
        if (--e->reads[slot] == 0)
            e->free_list[e->n_free++] = slot;
    }
}

static gradc_status result_slot(emitter *e, gradc_id r, uint32_t *slot)
{
    gradc_lowering *l = e->l;
    if (!is_stored(e, r)) {
        *slot = take_register(e);
    } else {
        GRADC_TRY(add_memory(e, l->place[r - 1], element(e, r), slot));
        e->written += e->loop->total * element(e, r);
    }
    l->slot[r - 1] = *slot;
    l->slot_stage[r - 1] = e->stage;
    return GRADC_OK;
}

static gradc_map_fn *kernel(const emitter *e, const gradc_node *n, gradc_id x)
{
    const gradc_map_table *map = e->l->kernels->map[gradc_dtype_of(e->l->g, x)];
    if (n->op == GRADC_OP_convert)
        return map->convert[n->dtype];
    return map->map[n->op];
}

/* Appends `op` from nodes `in` to node r. */
static gradc_status emit_op(emitter *e, uint32_t i, gradc_id r, loop_op op, uint32_t n,
                            const gradc_id *in)
{
    uint32_t s[3];
    for (uint32_t k = 0; k < 3; k++)
        GRADC_TRY(operand(e, in[k < n ? k : 0], &s[k]));
    give_registers(e, i, n, in, r, true);
    GRADC_TRY(result_slot(e, r, &op.r));
    give_registers(e, i, n, in, r, false);
    op.x = s[0];
    op.y = s[1];
    op.z = s[2];
    GRADC_TRY(add_op(e, op));
    give_loads(e, n, in);
    return GRADC_OK;
}

static gradc_status emit_map(emitter *e, uint32_t i, gradc_id r)
{
    const gradc_node *n = node(e, r);
    const gradc_id *in = gradc_node_in(n);
    const gradc_id typed = in[gradc_node_row(n)->kind == GRADC_KIND_TERNARY];
    const loop_op op = {.fn = kernel(e, n, typed),
                        .op = n->op,
                        .dtype = gradc_dtype_of(e->l->g, typed)};
    return emit_op(e, i, r, op, n->n_in, in);
}

static gradc_status add_copy(emitter *e, gradc_dtype d, uint32_t r, uint32_t x)
{
    gradc_map_fn *fn = e->l->kernels->map[d]->convert[d];
    return add_op(e, (loop_op){.fn = fn, .r = r, .x = x, .y = x, .z = x});
}

/* A reshape that strides cannot express: its operand, in C order. */
static gradc_status emit_copy(emitter *e, gradc_id r)
{
    uint32_t slot, x;
    GRADC_TRY(operand(e, node(e, r)->u.in[0], &x));
    GRADC_TRY(result_slot(e, r, &slot));
    GRADC_TRY(add_copy(e, (gradc_dtype)node(e, r)->dtype, slot, x));
    give_loads(e, 1, node(e, r)->u.in);
    return GRADC_OK;
}

static gradc_status emit_reduce(emitter *e, gradc_id r)
{
    gradc_lowering *l = e->l;
    const gradc_node *n = node(e, r);
    const gradc_id x = n->u.in[0];
    const gradc_split s =
        gradc_split_shape(gradc_shape_of(l->g, x), n->attr[0], n->attr[1]);
    loop_reduce *red = &e->loop->reduce[e->loop->n_reduce++];
    *red = (loop_reduce){.op = &l->kernels->reduce[gradc_dtype_of(l->g, x)]->of[n->op],
                         .form = s.inner != 1   ? REDUCE_COLUMNS
                                 : s.outer != 1 ? REDUCE_ROWS
                                                : REDUCE_ALL,
                         .n = s.n,
                         .inner = s.inner,
                         .results = s.outer * s.inner,
                         .to = l->place[r - 1],
                         .acc = e->acc_bytes,
                         .element = (uint32_t)element(e, x)};
    e->written += red->results * element(e, r);
    e->acc_bytes += gradc_align(
        red->form == REDUCE_COLUMNS ? red->inner * sizeof(uint64_t) : sizeof(pairwise));
    return operand(e, x, &red->slot);
}

/* ---- two operations in one ---- */

static gradc_status emit_pair(emitter *e, uint32_t i, gradc_id r)
{
    const gradc_stage *st = &e->l->s->stage[e->stage - 1];
    const gradc_id x = e->l->s->node[st->first + e->first[i]];
    const gradc_node *n = node(e, r), *p = node(e, x);
    const uint32_t k = n->u.in[0] == x ? 0 : 1;
    const gradc_id in[3] = {p->u.in[0], p->u.in[p->n_in - 1], n->u.in[!k]};
    const int first = first_of(p), second = second_of(n, k);
    assert(first >= 0 && second >= 0);
    const loop_op op = {.fn = e->l->kernels->map[n->dtype]->pair[first][second],
                        .op = p->op == GRADC_OP_square ? GRADC_OP_mul : p->op,
                        .then = n->op,
                        .dtype = n->dtype,
                        .from = k != 0};
    return emit_op(e, i, r, op, 3, in);
}

static gradc_status emit_one(emitter *e, uint32_t i, gradc_id r)
{
    const gradc_step step = gradc_node_row(node(e, r))->step;
    if (step == GRADC_STEP_REDUCE)
        return emit_reduce(e, r);
    if (step == GRADC_STEP_VIEW)
        return emit_copy(e, r);
    return e->first[i] != NONE ? emit_pair(e, i, r) : emit_map(e, i, r);
}

/* ---- sums ---- */

/* The next term x, number k, of sum r: op->r, unless NONE, holds those before it, or
 * op->x does. The zeros of a pad are not added, so that -0.0 stays among them. A pad
 * that is first is loaded: r may be in the memory of the second term. */
static gradc_status emit_term(emitter *e, gradc_id r, uint32_t k, gradc_id x,
                              loop_op *op)
{
    const bool placed = k > 0 && gradc_loop_adds(e, r, x);
    if (op->r == NONE && k == 1)
        GRADC_TRY(result_slot(e, r, &op->r));
    if (placed) {
        if (k == 1)
            GRADC_TRY(add_copy(e, op->dtype, op->r, op->x));
        GRADC_TRY(add_pieces(e, spread(e, x).root, op->r));
        e->l->slot[x - 1] = NONE; /* it has no slot to give back */
    } else {
        GRADC_TRY(operand(e, x, k == 0 ? &op->x : &op->y));
        if (k == 0)
            return GRADC_OK;
        op->z = op->y;
        GRADC_TRY(add_op(e, *op));
    }
    op->x = op->r;
    return GRADC_OK;
}

/* Many operands, added one after the other. */
static gradc_status emit_sum(emitter *e, uint32_t i, gradc_id r)
{
    const gradc_node *n = node(e, r);
    const gradc_id *in = gradc_node_in(n);
    loop_op op = {.fn = e->l->kernels->map[n->dtype]->map[GRADC_OP_add],
                  .r = NONE,
                  .op = GRADC_OP_add,
                  .dtype = n->dtype};
    for (uint32_t k = 0; k < n->n_in; k++) {
        if (is_term(e, i, in[k]))
            GRADC_TRY(emit_one(e, place_of(e, in[k]), in[k]));
        GRADC_TRY(emit_term(e, r, k, in[k], &op));
        if (k == 0)
            continue;
        for (uint32_t j = k == 1 ? 0 : k; j <= k; j++) {
            if (is_term(e, i, in[j]))
                give_registers(e, i, 1, &in[j], r, true);
            give_loads(e, 1, &in[j]);
        }
    }
    give_registers(e, i, n->n_in, in, r, true);
    return GRADC_OK;
}

static gradc_status emit(emitter *e, uint32_t i, gradc_id r)
{
    return node(e, r)->op == GRADC_OP_addn ? emit_sum(e, i, r) : emit_one(e, i, r);
}

/* ---- the stage ---- */

static void number_slots(gradc_loop *p)
{
    for (uint32_t i = 0; i < p->n_op; i++) {
        uint32_t *s[] = {&p->op[i].r, &p->op[i].x, &p->op[i].y, &p->op[i].z};
        for (int k = 0; k < 4; k++)
            if (*s[k] >= MEMORY)
                *s[k] += p->n_register - MEMORY;
    }
    for (uint32_t i = 0; i < p->n_load; i++)
        if (p->load[i].slot >= MEMORY)
            p->load[i].slot += p->n_register - MEMORY;
    for (uint32_t i = 0; i < p->n_reduce; i++)
        if (p->reduce[i].slot >= MEMORY)
            p->reduce[i].slot += p->n_register - MEMORY;
}

static gradc_status emit_all(emitter *e)
{
    const gradc_lowering *l = e->l;
    const gradc_stage *st = &l->s->stage[e->stage - 1];
    for (uint32_t i = 0; i < st->count; i++)
        if (e->with[i] == NONE)
            GRADC_TRY(emit(e, i, l->s->node[st->first + i]));
    number_slots(e->loop);
    return GRADC_OK;
}

static size_t count_operands(const emitter *e)
{
    const gradc_stage *st = &e->l->s->stage[e->stage - 1];
    size_t n = 0;
    for (uint32_t i = 0; i < st->count; i++)
        n += node(e, e->l->s->node[st->first + i])->n_in;
    return n;
}

gradc_status gradc_lower_loop(gradc_lowering *l, uint32_t at)
{
    const gradc_stage *st = &l->s->stage[at];
    gradc_loop *p = gradc_lower_get(l, sizeof *p);
    emitter e = {.l = l, .loop = p, .stage = at + 1};
    e.last_user = gradc_alloc_zero((size_t)st->count, sizeof *e.last_user);
    const size_t most = count_operands(&e) + st->count + 1;
    e.free_list = gradc_alloc(most * sizeof *e.free_list);
    e.reads = gradc_alloc(most * sizeof *e.reads);
    e.with = gradc_alloc((size_t)st->count * sizeof *e.with);
    e.first = gradc_alloc((size_t)st->count * sizeof *e.first);
    gradc_status status = GRADC_ENOMEM;
    if (p != NULL)
        p->reduce = gradc_lower_get(l, st->count * sizeof *p->reduce);
    if (!p || !p->reduce || !e.last_user || !e.free_list || !e.reads || !e.with ||
        !e.first)
        goto done;
    p->total = (size_t)l->g->shape[st->space]->size;
    p->row = (size_t)st->row < p->total ? (size_t)st->row : 0;
    p->group = (size_t)st->group;
    gradc_loop_block(p, 0);
    gradc_loop_reads(&e, e.free_list);
    status = emit_all(&e);
    if (status != GRADC_OK)
        goto done;
    gradc_loop_block(p, p->n_register);
    status = gradc_lower_rows(l, at, p);
    if (status != GRADC_OK)
        goto done;
    status = GRADC_ENOMEM;
    gradc_loop_cut(p);
    p->acc_bytes = e.acc_bytes;
    const uint32_t n = p->n_op + p->n_reduce + (e.n_loads > FEW ? 0 : p->n_load);
    char *name = gradc_lower_get(l, NAME_BYTES);
    if (name == NULL || !gradc_native_loop(p, &l->p->code, l->kernels))
        goto done;
    gradc_lower_scratch(l, gradc_loop_scratch(p));
    snprintf(name, NAME_BYTES, "loop of %u operations over %zu elements%s", n, p->total,
             p->n_native > 0 ? ", partly machine code" : "");
    status = gradc_lower_step(l, name, gradc_loop_run, p);
    if (status == GRADC_OK)
        gradc_lower_traffic(l, e.read + p->head_bytes, e.written + p->tail_written);
done:
    gradc_release(e.last_user);
    gradc_release(e.free_list);
    gradc_release(e.reads);
    gradc_release(e.with);
    gradc_release(e.first);
    return status;
}
