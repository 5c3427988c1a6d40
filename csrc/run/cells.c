/* cells.c -- a stage over one element: scalars in cells, equal ops in one run.
 *
 * The value of every node has a cell. An interpreter that jumps to each op in turn
 * loses some 6 ns to each jump that is not foreseen; here ops that are ready and of one
 * kind are executed by one call, which costs about a nanosecond each, or less where the
 * kernel takes a vector of them at a time. The order is found by list scheduling: of
 * the ops whose operands are there, the kind with the most goes first. */
#include <string.h>

#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct cell_run {
    gradc_cells_fn *fn;
    gradc_map_fn *map; /* used if fn is NULL */
    uint32_t r, n;
    const uint32_t *x, *y, *z; /* cells */
} cell_run;

/* A value outside and its cell. */
typedef struct cell_copy {
    gradc_ref at;
    uint32_t cell, size;
} cell_copy;

typedef struct cells_step {
    cell_run *run;
    cell_copy *load, *store;
    char *constants;
    uint32_t n_run, n_load, n_store, n_constants; /* constants are the first cells */
} cells_step;

static inline void copy_value(void *to, const void *from, uint32_t size)
{
    if (size == 8)
        memcpy(to, from, 8);
    else if (size == 4)
        memcpy(to, from, 4);
    else
        memcpy(to, from, 1);
}

static void run_one_by_one(const cell_run *r, char *cell)
{
    for (uint32_t i = 0; i < r->n; i++)
        r->map(cell + GRADC_CELL * (size_t)(r->r + i),
               cell + GRADC_CELL * (size_t)r->x[i], cell + GRADC_CELL * (size_t)r->y[i],
               cell + GRADC_CELL * (size_t)r->z[i], 1);
}

static gradc_status run_cells(const void *step, const gradc_frame *f)
{
    const cells_step *s = step;
    char *cell = f->scratch;
    memcpy(cell, s->constants, s->n_constants * (size_t)GRADC_CELL);
    for (const cell_copy *c = s->load, *end = c + s->n_load; c < end; c++)
        copy_value(cell + GRADC_CELL * (size_t)c->cell, gradc_ref_at(f, c->at),
                   c->size);
    for (const cell_run *r = s->run, *end = r + s->n_run; r < end; r++) {
        if (r->fn != NULL)
            r->fn(cell, r->r, r->x, r->y, r->z, r->n);
        else
            run_one_by_one(r, cell);
    }
    for (const cell_copy *c = s->store, *end = c + s->n_store; c < end; c++)
        copy_value(gradc_ref_at(f, c->at), cell + GRADC_CELL * (size_t)c->cell,
                   c->size);
    return GRADC_OK;
}

/* ---- lowering ---- */

/* Values are numbered: leaves (constants and loads) from LEAF on, ops from 0. */
enum { LEAF = 1u << 31, NONE = UINT32_MAX };
/* Kinds of ops: by op and operand type; conversions by both types. */
enum { CONVERSIONS = GRADC_OP_COUNT * GRADC_DTYPE_COUNT };
enum { KINDS = CONVERSIONS + GRADC_DTYPE_COUNT * GRADC_DTYPE_COUNT };

typedef struct scalar_op {
    uint32_t in[3]; /* values */
    uint32_t kind, next, waits, first_user, cell;
} scalar_op;

typedef struct queue {
    uint32_t first, last, n;
} queue;

typedef struct cells_builder {
    gradc_lowering *l;
    cells_step *step;
    uint32_t stage; /* number + 1 */
    scalar_op *op;
    uint32_t n_op;
    gradc_id *leaf; /* nodes */
    uint32_t n_leaf;
    uint32_t *leaf_cell;
    uint32_t *user, *next_user; /* users of ops, lists through next_user */
    uint32_t n_user;
    queue ready[KINDS];
    uint32_t kinds[KINDS], n_kinds; /* those that occur */
} cells_builder;

static const gradc_node *node(const cells_builder *b, gradc_id x)
{
    return gradc_node_get(b->l->g, x);
}

static uint32_t value_of(cells_builder *b, gradc_id x)
{
    gradc_lowering *l = b->l;
    if (l->slot_stage[x - 1] != b->stage) {
        l->slot_stage[x - 1] = b->stage;
        l->slot[x - 1] = b->n_leaf + LEAF;
        b->leaf[b->n_leaf++] = x;
    }
    return l->slot[x - 1];
}

static uint32_t add_op(cells_builder *b, uint32_t kind, uint32_t n_in,
                       const uint32_t *in)
{
    scalar_op *op = &b->op[b->n_op];
    *op = (scalar_op){.kind = kind, .next = NONE, .first_user = NONE};
    for (uint32_t k = 0; k < 3; k++)
        op->in[k] = in[k < n_in ? k : 0];
    for (uint32_t k = 0; k < n_in; k++) {
        if (in[k] >= LEAF)
            continue;
        scalar_op *made = &b->op[in[k]];
        b->user[b->n_user] = b->n_op;
        b->next_user[b->n_user] = made->first_user;
        made->first_user = b->n_user++;
        op->waits++;
    }
    return b->n_op++;
}

/* The ops of node r, and its value. A reduction of one element and a reshape are that
 * element; a sum of many adds them one after the other. */
static uint32_t add_node(cells_builder *b, gradc_id r)
{
    const gradc_node *n = node(b, r);
    const gradc_id *in = gradc_node_in(n);
    const gradc_dtype type =
        gradc_dtype_of(b->l->g, in[gradc_node_row(n)->kind == GRADC_KIND_TERNARY]);
    uint32_t v[3] = {value_of(b, in[0])};
    if (gradc_node_row(n)->step != GRADC_STEP_LOOP)
        return v[0];
    if (n->op == GRADC_OP_addn) {
        for (uint32_t k = 1; k < n->n_in; k++) {
            v[1] = value_of(b, in[k]);
            v[0] = add_op(b, GRADC_OP_add * GRADC_DTYPE_COUNT + type, 2, v);
        }
        return v[0];
    }
    for (uint32_t k = 1; k < n->n_in; k++)
        v[k] = value_of(b, in[k]);
    if (n->op == GRADC_OP_convert)
        return add_op(b, CONVERSIONS + type * GRADC_DTYPE_COUNT + n->dtype, 1, v);
    return add_op(b, n->op * GRADC_DTYPE_COUNT + type, n->n_in, v);
}

/* Leaves become cells: constants first, which are copied at once, then loads. */
static gradc_status place_leaves(cells_builder *b)
{
    gradc_lowering *l = b->l;
    cells_step *s = b->step;
    s->constants = gradc_lower_get(l, b->n_leaf * (size_t)GRADC_CELL);
    s->load = gradc_lower_get(l, b->n_leaf * sizeof *s->load);
    if (s->constants == NULL || s->load == NULL)
        return GRADC_ENOMEM;
    for (uint32_t i = 0; i < b->n_leaf; i++) {
        gradc_view v;
        gradc_view_resolve(l->g, b->leaf[i], &v);
        if (node(b, v.root)->op != GRADC_OP_constant)
            continue;
        b->leaf_cell[i] = s->n_constants;
        gradc_lower_value(node(b, v.root),
                          s->constants + GRADC_CELL * (size_t)s->n_constants++);
    }
    for (uint32_t i = 0; i < b->n_leaf; i++) {
        gradc_view v;
        gradc_array a;
        gradc_view_resolve(l->g, b->leaf[i], &v);
        if (node(b, v.root)->op == GRADC_OP_constant)
            continue;
        GRADC_TRY(gradc_lower_array(l, &v, true, &a));
        b->leaf_cell[i] = s->n_constants + s->n_load;
        s->load[s->n_load++] =
            (cell_copy){a.at, b->leaf_cell[i], (uint32_t)gradc_dtype_size(a.dtype)};
    }
    return GRADC_OK;
}

static uint32_t cell_of(const cells_builder *b, uint32_t value)
{
    return value >= LEAF
    ? b->leaf_cell[value - LEAF] : b->op[value].cell;
}

static void make_ready(cells_builder *b, uint32_t i)
{
    queue *q = &b->ready[b->op[i].kind];
    if (q->n++ == 0)
        q->first = i;
    else
        b->op[q->last].next = i;
    q->last = i;
}

static void choose_kernel(const cells_builder *b, uint32_t kind, cell_run *r)
{
    const gradc_kernels *k = b->l->kernels;
    if (kind >= CONVERSIONS) {
        kind -= CONVERSIONS;
        r->map = k->map[kind / GRADC_DTYPE_COUNT]->convert[kind % GRADC_DTYPE_COUNT];
    } else {
        r->fn = k->map[kind % GRADC_DTYPE_COUNT]->cells[kind / GRADC_DTYPE_COUNT];
        if (gradc_op_get((int)(kind / GRADC_DTYPE_COUNT))->arity == 1)
            r->y = r->z = r->x; /* nothing more to fetch */
    }
}

static bool is_in_order(const cells_builder *b, uint32_t kind)
{
    return kind >= CONVERSIONS || b->l->kernels->map[kind % GRADC_DTYPE_COUNT]
                                      ->in_order[kind / GRADC_DTYPE_COUNT];
}

/* One run of the ops of `kind` that are ready; where order is kept, also of those that
 * become so meanwhile. Their operands' cells go to `in`, 3 lists of b->n_op. */
static void add_run(cells_builder *b, uint32_t kind, uint32_t *in, uint32_t *at,
                    uint32_t *cell)
{
    queue *q = &b->ready[kind];
    cell_run *r = &b->step->run[b->step->n_run++];
    *r = (cell_run){.r = *cell,
                    .x = in + *at,
                    .y = in + b->n_op + *at,
                    .z = in + 2 * (size_t)b->n_op + *at};
    choose_kernel(b, kind, r);
    for (uint32_t most = is_in_order(b, kind) ? NONE : q->n; q->n > 0 && r->n < most;) {
        scalar_op *op = &b->op[q->first];
        q->first = op->next;
        q->n--;
        r->n++;
        op->cell = (*cell)++;
        for (uint32_t k = 0; k < 3; k++)
            in[k * (size_t)b->n_op + *at] = cell_of(b, op->in[k]);
        (*at)++;
        for (uint32_t u = op->first_user; u != NONE; u = b->next_user[u])
            if (--b->op[b->user[u]].waits == 0)
                make_ready(b, b->user[u]);
    }
}

static gradc_status schedule(cells_builder *b)
{
    cells_step *s = b->step;
    uint32_t *in = gradc_lower_get(b->l, 3 * (size_t)b->n_op * sizeof *in);
    s->run = gradc_lower_get(b->l, b->n_op * sizeof *s->run);
    if (in == NULL || s->run == NULL)
        return GRADC_ENOMEM;
    uint32_t at = 0, cell = s->n_constants + s->n_load;
    bool seen[KINDS] = {false};
    for (uint32_t i = 0; i < b->n_op; i++) {
        if (!seen[b->op[i].kind])
            b->kinds[b->n_kinds++] = b->op[i].kind;
        seen[b->op[i].kind] = true;
        if (b->op[i].waits == 0)
            make_ready(b, i);
    }
    while (at < b->n_op) {
        uint32_t most = b->kinds[0];
        for (uint32_t k = 1; k < b->n_kinds; k++)
            if (b->ready[b->kinds[k]].n > b->ready[most].n)
                most = b->kinds[k];
        add_run(b, most, in, &at, &cell);
    }
    gradc_lower_scratch(b->l, cell * (size_t)GRADC_CELL);
    return GRADC_OK;
}

/* Values that others read leave their cells. */
static gradc_status add_stores(cells_builder *b)
{
    gradc_lowering *l = b->l;
    const gradc_stage *st = &l->s->stage[b->stage - 1];
    cells_step *s = b->step;
    s->store = gradc_lower_get(l, st->count * sizeof *s->store);
    if (s->store == NULL)
        return GRADC_ENOMEM;
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_id x = l->s->node[st->first + i];
        const uint32_t size = (uint32_t)gradc_dtype_size(gradc_dtype_of(l->g, x));
        if (l->last_use[x - 1] != 0 ||
            gradc_node_row(node(b, x))->step == GRADC_STEP_REDUCE)
            s->store[s->n_store++] =
                (cell_copy){l->place[x - 1], cell_of(b, l->slot[x - 1]), size};
    }
    return GRADC_OK;
}

/* Room for the ops and operands of the stage, in memory of the builder's. */
static gradc_status make_room(cells_builder *b)
{
    const gradc_stage *st = &b->l->s->stage[b->stage - 1];
    size_t n = 0;
    for (uint32_t i = 0; i < st->count; i++)
        n += node(b, b->l->s->node[st->first + i])->n_in;
    b->op = gradc_alloc((n + 1) * sizeof *b->op);
    b->leaf = gradc_alloc((n + 1) * sizeof *b->leaf);
    b->leaf_cell = gradc_alloc((n + 1) * sizeof *b->leaf_cell);
    b->user = gradc_alloc((3 * n + 1) * sizeof *b->user);
    b->next_user = gradc_alloc((3 * n + 1) * sizeof *b->next_user);
    return b->op && b->leaf && b->leaf_cell && b->user && b->next_user ? GRADC_OK
                                                                       : GRADC_ENOMEM;
}

static size_t bytes_of(const cell_copy *c, uint32_t n)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += c[i].size;
    return sum;
}

static gradc_status lower_cells(cells_builder *b)
{
    const gradc_lowering *l = b->l;
    const gradc_stage *st = &l->s->stage[b->stage - 1];
    GRADC_TRY(make_room(b));
    for (uint32_t i = 0; i < st->count; i++) {
        const gradc_id r = l->s->node[st->first + i];
        l->slot[r - 1] = add_node(b, r);
        l->slot_stage[r - 1] = b->stage;
    }
    GRADC_TRY(place_leaves(b));
    GRADC_TRY(schedule(b));
    GRADC_TRY(add_stores(b));
    GRADC_TRY(gradc_lower_step(b->l, "cells", run_cells, b->step));
    gradc_lower_traffic(b->l, bytes_of(b->step->load, b->step->n_load),
                        bytes_of(b->step->store, b->step->n_store));
    return GRADC_OK;
}

gradc_status gradc_lower_cells(gradc_lowering *l, uint32_t at)
{
    cells_builder *b = gradc_alloc_zero(1, sizeof *b);
    gradc_status status = GRADC_ENOMEM;
    if (b != NULL) {
        b->l = l;
        b->stage = at + 1;
        b->step = gradc_lower_get(l, sizeof *b->step);
        if (b->step != NULL)
            status = lower_cells(b);
        gradc_release(b->op);
        gradc_release(b->leaf);
        gradc_release(b->leaf_cell);
        gradc_release(b->user);
        gradc_release(b->next_user);
    }
    gradc_release(b);
    return status;
}
