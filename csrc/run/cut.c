/* cut.c -- a loop cut into blocks and tasks, by what it is and never by who runs it. */
#include "base/pool.h"
#include "run/loop.h"

enum { REGISTERS_BYTES = 32768, LEAST_BLOCK = 64 };
/* Registers of a strip leave L1 to the arrays. */
enum { STRIPS_BYTES = 16384, LEAST_STRIP = 128 };
enum { ROWS_BYTES = 1 << 18 };
/* Tasks that share a sum of rows, and rows that each has at least. */
enum { MOST_SHARED = 16, LEAST_ROWS = 64 };

/* Whether a reduction joins several blocks; then their size must be fixed, or the order
 * of its sum would depend on what else is in the loop. */
static bool joins_blocks(const gradc_loop *p)
{
    for (uint32_t i = 0; i < p->n_reduce; i++)
        if (p->reduce[i].form == REDUCE_ALL ||
            (p->reduce[i].form == REDUCE_ROWS && p->reduce[i].n > GRADC_BLOCK))
            return true;
    return false;
}

void gradc_loop_block(gradc_loop *p, uint32_t registers)
{
    size_t block = GRADC_BLOCK;
    while (block > LEAST_BLOCK && !joins_blocks(p) &&
           registers * block * sizeof(double) > REGISTERS_BYTES)
        block /= 2;
    if (p->row > 0 && p->row <= GRADC_BLOCK)
        block = block < p->row ? p->row : block / p->row * p->row;
    p->block = p->strip = p->total < block ? p->total : block;
    p->register_bytes = gradc_align((p->block ? p->block : 1) * sizeof(double));
}

size_t gradc_loop_period(const loop_load *d)
{
    const gradc_array *a = &d->from;
    size_t period = 1;
    for (int i = a->rank - 1; i > 0; i--)
        period *= (size_t)a->dim[i];
    return a->rank > 1 && a->stride[0] == 0 ? period : 0;
}

/* Operands whose period divides the block are loaded once a task; the block may be made
 * to fit if no sum depends on its size. */
static void find_periods(gradc_loop *p)
{
    if (p->row > p->block || (p->n_load > 0 && p->load[0].within))
        return;
    for (uint32_t i = 0; i < p->n_load; i++) {
        const size_t period = gradc_loop_period(&p->load[i]);
        if (period > 0 && period <= p->block && p->row == 0 && !joins_blocks(p))
            p->block = p->block / period * period;
    }
    for (uint32_t i = 0; i < p->n_load; i++) {
        const size_t period = gradc_loop_period(&p->load[i]);
        p->load[i].once =
            period > 0 && p->block % period == 0 && p->panel % period == 0;
    }
}

static bool sums_everything(const gradc_loop *p)
{
    for (uint32_t i = 0; i < p->n_reduce; i++)
        if (p->reduce[i].form == REDUCE_ALL)
            return true;
    return false;
}

/* Elements that are worth a task: fewer where each takes long, more where tasks are
 * many. */
static size_t task_elements(const gradc_loop *p)
{
    enum { SLOW = 16, HEAVY = 16, LEAST_SPAN = 2 * GRADC_BLOCK, MOST_TASKS = 64 };
    size_t cost = 0, span = LOOP_SPAN;
    for (uint32_t i = 0; i < p->n_op; i++) {
        const gradc_op op = p->op[i].op;
        cost += op == GRADC_OP_input || gradc_op_is_cheap(op) ? 1 : SLOW;
    }
    for (; cost >= HEAVY && span > LEAST_SPAN; cost /= 2)
        span /= 2;
    while (p->total / span > MOST_TASKS)
        span *= 2;
    return span;
}

/* Elements of a task of whole units: as many in each. A sum of everything is a tree of
 * blocks, and tasks are powers of two of them; these are smaller, so that threads end
 * together. */
static size_t span_of(const gradc_loop *p, size_t unit)
{
    enum { FINER = 4 };
    const size_t most = task_elements(p), fine = most / FINER;
    if (p->total < 2 * most || unit >= p->total)
        return p->total;
    if (sums_everything(p))
        return fine > unit ? fine : unit;
    const size_t tasks = p->total / most, each = (p->total + tasks - 1) / tasks;
    return (each + unit - 1) / unit * unit;
}

/* Cuts a loop that adds rows into tasks: of whole groups, or of rows of the only group,
 * whose sums are joined. In the latter case the order of sums depends on the cut, so it
 * is by the shape alone; a task has rows enough that its sums are little beside them,
 * and no task has a single row, which would be another form of product. */
static void cut_rows(gradc_loop *p)
{
    const size_t most = p->group < p->total ? task_elements(p) : LOOP_SPAN;
    p->span = p->total;
    if (p->total < 2 * most || p->row == 0)
        return;
    if (p->group < p->total) {
        p->span = p->group < most ? most / p->group * p->group : p->group;
        return;
    }
    const size_t rows = p->total / p->row;
    size_t each = (rows + MOST_SHARED - 1) / MOST_SHARED;
    each = each * p->row < LOOP_SPAN ? LOOP_SPAN / p->row : each;
    each = (each < LEAST_ROWS ? LEAST_ROWS : each + 15) / 16 * 16;
    while (rows % each == 1)
        each += 16;
    if (each < rows) {
        p->span = each * p->row;
        p->shared = true;
    }
}

/* Cuts a large space into tasks: whole blocks, and whole rows if they are reduced. */
static void choose_span(gradc_loop *p)
{
    if (p->group > 0) {
        cut_rows(p);
    } else if (p->panel > 0) {
        p->span = p->panel < LOOP_SPAN ? LOOP_SPAN / p->panel * p->panel : p->panel;
        while (p->total % p->span == p->panel_row)
            p->span += p->panel;
    } else if (p->row_bytes > 0) {
        /* the products' time is that of reading their rows */
        for (p->span = p->block; p->span * p->row_bytes < ROWS_BYTES;)
            p->span *= 2;
    } else {
        p->span = span_of(p, p->row > p->block ? p->row : p->block);
    }
    p->workers =
        p->span < p->total ? gradc_pool_workers((p->total - 1) / p->span + 1) : 1;
}

/* Whether reduction number i is of everything, and of a value that operations make and
 * no reduction before it reads. */
static bool sums_own_value(const gradc_loop *p, uint32_t i)
{
    const loop_reduce *r = &p->reduce[i];
    for (uint32_t k = 0; k < i; k++)
        if (p->reduce[k].slot == r->slot)
            return false;
    for (uint32_t k = 0; k < p->n_splat; k++)
        if (p->splat[k].slot == r->slot)
            return false;
    return r->form == REDUCE_ALL;
}

/* Where only sums of everything keep blocks so large that registers fill L1, operations
 * go through a block in strips; what is summed is kept for the whole block. */
static void choose_strip(gradc_loop *p)
{
    p->strip = p->block;
    if (p->n_load > 0 || p->n_head > 0 || p->n_tail > 0 || p->block < GRADC_BLOCK)
        return;
    for (uint32_t i = 0; i < p->n_reduce; i++)
        if (!sums_own_value(p, i))
            return;
    while (p->strip > LEAST_STRIP &&
           p->n_register * p->strip * sizeof(double) > STRIPS_BYTES)
        p->strip /= 2;
    if (p->strip == p->block)
        return;
    p->block_bytes = p->register_bytes;
    p->register_bytes = gradc_align(p->strip * sizeof(double));
}

/* What is loaded when a task begins must begin to repeat there. */
static void check_periods(gradc_loop *p)
{
    for (uint32_t i = 0; i < p->n_load; i++)
        if (p->load[i].once && p->span < p->total)
            p->load[i].once = p->span % gradc_loop_period(&p->load[i]) == 0;
}

void gradc_loop_cut(gradc_loop *p)
{
    find_periods(p);
    choose_span(p);
    check_periods(p);
    choose_strip(p);
}
