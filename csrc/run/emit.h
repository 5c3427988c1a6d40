/* emit.h -- what is known of a loop stage while it becomes operations. */
#ifndef GRADC_RUN_EMIT_H
#define GRADC_RUN_EMIT_H

#include "run/lower.h"
#include "run/loop.h"

/* FEW loads are held, where code can run past them and what repeats is loaded once. */
enum { NONE = UINT32_MAX, FEW = 4 };

typedef struct emitter {
    gradc_lowering *l;
    gradc_loop *loop;
    uint32_t stage; /* number + 1 */
    uint32_t op_room, memory_room, load_room, splat_room;
    uint32_t *last_user; /* by place in the stage: last place that reads it */
    uint32_t *with;      /* by place: the place of the node it is computed with */
    uint32_t *first;     /* by place: that of the operand computed with it; or NONE */
    uint32_t *free_list, n_free;
    uint32_t *reads; /* by register: reads to come of what was loaded within; or NONE */
    uint32_t n_loads;
    size_t acc_bytes;
    size_t read, written; /* bytes of arrays */
} emitter;

static inline const gradc_node *node(const emitter *e, gradc_id x)
{
    return gradc_node_get(e->l->g, x);
}

static inline size_t element(const emitter *e, gradc_id x)
{
    return gradc_dtype_size((gradc_dtype)node(e, x)->dtype);
}

/* The place in the stage of its node x. */
static inline uint32_t place_of(const emitter *e, gradc_id x)
{
    return gradc_schedule_place(e->l->s, e->stage - 1, x);
}

static inline bool is_here(const emitter *e, gradc_id x)
{
    return gradc_schedule_has(e->l->s, e->stage - 1, x);
}

/* Whether others read node x of the stage from the memory that this stage writes. */
static inline bool is_stored(const emitter *e, gradc_id x)
{
    return e->l->last_use[x - 1] != 0 && e->l->s->stage_of[x - 1] == e->stage;
}

/* How x, from outside the stage, lies in its space. */
static inline gradc_view spread(const emitter *e, gradc_id x)
{
    const gradc_lowering *l = e->l;
    const gradc_shape *space = l->g->shape[l->s->stage[e->stage - 1].space];
    gradc_view v;
    gradc_view_resolve(l->g, x, &v);
    if (v.shape.size != space->size)
        gradc_view_broadcast(&v, space);
    return v;
}

static inline bool is_constant(const emitter *e, const gradc_view *v)
{
    return node(e, v->root)->op == GRADC_OP_constant;
}

/* Whether operand x of the sum that is node number i is computed when it is added. */
static inline bool is_term(const emitter *e, uint32_t i, gradc_id x)
{
    return is_here(e, x) && e->with[place_of(e, x)] == i;
}

/* The first operation of a pair that node n can be, or -1. */
static inline int first_of(const gradc_node *n)
{
    return n->op == GRADC_OP_add                               ? FIRST_ADD
           : n->op == GRADC_OP_sub                             ? FIRST_SUB
           : n->op == GRADC_OP_mul || n->op == GRADC_OP_square ? FIRST_MUL
                                                               : -1;
}

/* The second that n can be, with the first as its operand number k. */
static inline int second_of(const gradc_node *n, uint32_t k)
{
    return n->op == GRADC_OP_add   ? SECOND_ADD
           : n->op == GRADC_OP_mul ? SECOND_MUL
           : n->op != GRADC_OP_sub ? -1
           : k == 0                ? SECOND_SUB
                                   : SECOND_SUB_FROM;
}

/* Whether operand x of the sum r, not its first, is a pad from outside the stage, of
 * which a loop adds the pieces alone; while l->slot still holds how often x is read. */
bool gradc_loop_adds(const emitter *e, gradc_id r, gradc_id x);

/* Fills in last_user, with, first and n_loads; `users` has room for a number a node. In
 * l->slot is left how often each node from outside the stage is read, or NONE if to the
 * end of the block. */
void gradc_loop_reads(emitter *e, uint32_t *users);

#endif
