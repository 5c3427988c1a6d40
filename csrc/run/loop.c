/* loop.c -- running a loop step.
 *
 * Scratch memory holds the result of every task for every reduction to one value; then,
 * for each worker, the pointer of every slot, the registers and the accumulators. Sums
 * are pairwise over blocks and over tasks, whose edges depend on shapes alone. */
#include "run/loop.h"

#include "base/pool.h"

typedef struct machine {
    const gradc_loop *l;
    const gradc_frame *f;
    char **slot;
    char *accumulators;
    char *products; /* scratch memory of products */
    size_t known;   /* elements below it have their products */
    uint64_t *part; /* of this task, one for each reduction */
} machine;

static size_t pointer_bytes(const gradc_loop *l)
{
    return gradc_align(gradc_loop_slots(l) * sizeof(char *));
}

static size_t count_tasks(const gradc_loop *l)
{
    return l->total == 0 ? 1 : (l->total + l->span - 1) / l->span;
}

static size_t part_bytes(const gradc_loop *l)
{
    return gradc_align(count_tasks(l) * l->n_reduce * sizeof(uint64_t));
}

/* Sums of products, by task. */
static size_t sum_bytes(const gradc_loop *l) { return count_tasks(l) * l->tail_bytes; }

/* Accumulators of tasks, if these are joined in the end. */
static size_t shared_bytes(const gradc_loop *l)
{
    return l->shared ? count_tasks(l) * gradc_align(l->acc_bytes) : 0;
}

/* Registers, then those that reductions read, if these are larger. */
static size_t registers_bytes(const gradc_loop *l)
{
    return l->n_register * l->register_bytes + l->n_reduce * l->block_bytes;
}

static size_t worker_bytes(const gradc_loop *l)
{
    return pointer_bytes(l) + registers_bytes(l) +
           (l->shared ? 0 : gradc_align(l->acc_bytes)) + l->product_scratch +
           l->tail_bytes + l->panel_bytes;
}

size_t gradc_loop_scratch(const gradc_loop *l)
{
    return part_bytes(l) + sum_bytes(l) + shared_bytes(l) +
           l->workers * worker_bytes(l);
}

/* Of task number `task`, if they are shared. */
static char *accumulators_of(const gradc_loop *l, const gradc_frame *f, size_t task)
{
    return f->scratch + part_bytes(l) + sum_bytes(l) + task * gradc_align(l->acc_bytes);
}

/* ---- reductions ---- */

static void pairwise_add(const gradc_reducer *op, pairwise *p, uint64_t part)
{
    int i = 0;
    for (uint64_t c = p->count++; c & 1; c >>= 1) {
        op->join(&p->part[i], &part, 1);
        part = p->part[i++];
    }
    p->part[i] = part;
}

static uint64_t pairwise_end(const gradc_reducer *op, pairwise *p)
{
    uint64_t sum = 0, left = p->count;
    bool any = false;
    for (int i = 0; left != 0; i++, left >>= 1) {
        if (!(left & 1))
            continue;
        if (any)
            op->join(&p->part[i], &sum, 1);
        sum = p->part[i];
        any = true;
    }
    if (!any)
        op->clear(&sum, 1);
    p->count = 0;
    return sum;
}

static void store_one(const machine *m, const loop_reduce *r, size_t at, uint64_t acc)
{
    r->op->store((char *)gradc_ref_at(m->f, r->to) + at * r->element, &acc, 1);
}

/* Whole rows in a block, or a block within one row. */
static void reduce_rows(const machine *m, const loop_reduce *r, size_t begin, size_t n)
{
    const char *x = m->slot[r->slot];
    if (r->n <= n) {
        char *to = (char *)gradc_ref_at(m->f, r->to) + begin / r->n * r->element;
        r->op->each(to, x, r->n, n / r->n);
        return;
    }
    uint64_t part;
    pairwise *p = (pairwise *)(m->accumulators + r->acc);
    r->op->block(&part, x, n);
    pairwise_add(r->op, p, part);
    if ((begin + n) % r->n == 0)
        store_one(m, r, begin / r->n, pairwise_end(r->op, p));
}

/* Rows are added into one row of accumulators, stored after the n-th unless other tasks
 * add to it too. */
static void reduce_columns(const machine *m, const loop_reduce *r, size_t begin,
                           size_t n)
{
    const char *x = m->slot[r->slot];
    char *acc = m->accumulators + r->acc;
    size_t row = begin / r->inner, column = begin % r->inner;
    for (size_t i = 0; i < n;) {
        /* the rest of a row, or whole rows up to the n-th */
        const size_t rest = r->inner - column, left = r->n - row % r->n;
        const size_t width = rest < n - i ? rest : n - i;
        size_t count = column == 0 && width == r->inner ? (n - i) / r->inner : 1;
        count = count < left ? count : left;
        r->op->rows(acc + column * sizeof(uint64_t), x + i * r->element, width, count);
        i += width * count;
        if (column + width < r->inner)
            break;
        column = 0;
        row += count;
        if (row % r->n == 0 && !m->l->shared) {
            char *to = gradc_ref_at(m->f, r->to);
            r->op->store(to + (row / r->n - 1) * r->inner * r->element, acc, r->inner);
            r->op->clear(acc, r->inner);
        }
    }
}

static void reduce(const machine *m, const loop_reduce *r, size_t begin, size_t n)
{
    if (r->form == REDUCE_ROWS) {
        reduce_rows(m, r, begin, n);
    } else if (r->form == REDUCE_COLUMNS) {
        reduce_columns(m, r, begin, n);
    } else {
        uint64_t part;
        r->op->block(&part, m->slot[r->slot], n);
        pairwise_add(r->op, (pairwise *)(m->accumulators + r->acc), part);
    }
}

static void begin_reductions(const machine *m)
{
    for (uint32_t i = 0; i < m->l->n_reduce; i++) {
        const loop_reduce *r = &m->l->reduce[i];
        char *acc = m->accumulators + r->acc;
        if (r->form == REDUCE_COLUMNS)
            r->op->clear(acc, r->inner);
        else
            ((pairwise *)acc)->count = 0;
    }
}

/* What this task adds to reductions to one value. */
static void keep_parts(const machine *m)
{
    for (uint32_t i = 0; i < m->l->n_reduce; i++) {
        const loop_reduce *r = &m->l->reduce[i];
        if (r->form == REDUCE_ALL)
            m->part[i] = pairwise_end(r->op, (pairwise *)(m->accumulators + r->acc));
    }
}

/* Sums of rows from those of the tasks, in pairs, then pairs of pairs. */
static void join_rows(const gradc_loop *l, const gradc_frame *f, const loop_reduce *r)
{
    const size_t n_tasks = count_tasks(l);
    for (size_t apart = 1; apart < n_tasks; apart *= 2)
        for (size_t k = 0; k + apart < n_tasks; k += 2 * apart)
            r->op->join(accumulators_of(l, f, k) + r->acc,
                        accumulators_of(l, f, k + apart) + r->acc, r->inner);
    r->op->store(gradc_ref_at(f, r->to), accumulators_of(l, f, 0) + r->acc, r->inner);
}

/* The results of reductions that tasks share; an empty space gives identities. */
static void end_reductions(const gradc_loop *l, const gradc_frame *f)
{
    const machine m = {.l = l, .f = f};
    const uint64_t *part = (const uint64_t *)f->scratch;
    const size_t n_tasks = count_tasks(l);
    for (uint32_t i = 0; i < l->n_reduce; i++) {
        const loop_reduce *r = &l->reduce[i];
        if (r->form == REDUCE_ALL) {
            pairwise sum = {.count = 0};
            for (size_t t = 0; t < n_tasks; t++)
                pairwise_add(r->op, &sum, part[t * l->n_reduce + i]);
            store_one(&m, r, 0, pairwise_end(r->op, &sum));
        } else if (r->form == REDUCE_COLUMNS && l->shared) {
            join_rows(l, f, r);
        } else if (l->total == 0) {
            uint64_t identity;
            r->op->clear(&identity, 1);
            for (size_t k = 0; k < r->results; k++)
                store_one(&m, r, k, identity);
        }
    }
}

/* ---- blocks ---- */

static void load(const machine *m, const loop_load *d, size_t begin, size_t n)
{
    if (d->pieces != NULL) {
        gradc_assembly_load(d->pieces, m->f, m->slot[d->slot], begin, n);
        return;
    }
    if (d->form == LOAD_LINES) {
        const size_t line = m->l->line;
        n = (begin + n - 1) / line - begin / line + 1;
        begin /= line;
    }
    d->move->load(m->slot[d->slot], gradc_ref_at(m->f, d->from.at), d->from.rank,
                  d->from.dim, d->from.stride, begin, n);
}

/* To element `at` of line number `line`. */
static void point(const machine *m, const loop_load *d, size_t line, size_t at)
{
    const gradc_array *x = &d->from;
    ptrdiff_t offset = (ptrdiff_t)at * d->element;
    for (int a = x->rank - 1; a > 0; line /= (size_t)x->dim[a], a--)
        offset += (ptrdiff_t)(line % (size_t)x->dim[a]) * x->stride[a];
    offset += (ptrdiff_t)line * x->stride[0];
    m->slot[d->slot] = (char *)gradc_ref_at(m->f, x->at) + offset;
}

/* The slots of worker number `worker` for task number `task`. */
static void set_slots(machine *m, unsigned worker, size_t task)
{
    const gradc_loop *l = m->l;
    const size_t begin = task * l->span;
    char *own = m->f->scratch + part_bytes(l) + sum_bytes(l) + shared_bytes(l) +
                worker * worker_bytes(l);
    char *registers = own + pointer_bytes(l);
    m->slot = (char **)own;
    for (uint32_t i = 0; i < l->n_register; i++)
        m->slot[i] = registers + i * l->register_bytes;
    for (uint32_t i = 0; i < l->n_reduce && l->block_bytes > 0; i++)
        if (l->reduce[i].slot < l->n_register)
            m->slot[l->reduce[i].slot] =
                registers + l->n_register * l->register_bytes + i * l->block_bytes;
    for (uint32_t i = 0; i < l->n_memory; i++) {
        const loop_memory *at = &l->memory[i];
        if (at->at.base != BASE_PANEL)
            m->slot[l->n_register + i] =
                (char *)gradc_ref_at(m->f, at->at) + begin * at->step;
    }
    m->accumulators = registers + registers_bytes(l);
    m->products = m->accumulators + (l->shared ? 0 : gradc_align(l->acc_bytes));
    if (l->shared)
        m->accumulators = accumulators_of(l, m->f, task);
    for (uint32_t i = 0; i < l->n_splat; i++) {
        const loop_load *s = &l->splat[i];
        s->move->fill(m->slot[s->slot], gradc_ref_at(m->f, s->from.at), l->strip);
    }
    for (uint32_t i = 0; i < l->n_load; i++)
        if (l->load[i].once)
            load(m, &l->load[i], 0, l->block);
}

/* On by n elements of memory, or back. */
static void move_on(const machine *m, ptrdiff_t n)
{
    const gradc_loop *l = m->l;
    for (uint32_t i = 0; i < l->n_memory; i++)
        m->slot[l->n_register + i] += n * (ptrdiff_t)l->memory[i].step;
}

/* The same, and of the registers that reductions read. */
static void next_strip(const machine *m, ptrdiff_t n)
{
    const gradc_loop *l = m->l;
    move_on(m, n);
    for (uint32_t i = 0; i < l->n_reduce; i++)
        if (l->reduce[i].slot < l->n_register)
            m->slot[l->reduce[i].slot] += n * (ptrdiff_t)l->reduce[i].element;
}

/* On n elements, of which the first `rest` end a line (gradc_native_fn). */
static void run_ops(const machine *m, size_t begin, size_t n, size_t rest)
{
    const gradc_loop *l = m->l;
    char *const *slot = m->slot;
    for (const loop_op *op = l->op, *end = op + l->n_op; op < end; op++)
        if (op->native != NULL)
            op->native(slot, n, rest);
        else if (op->fn != NULL)
            op->fn(slot[op->r], slot[op->x], slot[op->y], slot[op->z], n);
        else
            load(m, &l->load[op->x], begin, n);
}

static void run_block(const machine *m, size_t begin, size_t n)
{
    const gradc_loop *l = m->l;
    const size_t line = l->line > 0 ? begin / l->line : 0, at = begin - line * l->line;
    for (const loop_load *d = l->load, *end = d + l->n_load; d < end; d++)
        if (d->form >= POINT_TO_ROWS)
            point(m, d, line, at);
        else if (!d->once && !d->within)
            load(m, d, begin, n);
    size_t done = 0; /* in strips, if the loop has neither loads nor lines */
    for (; n - done > l->strip; done += l->strip) {
        run_ops(m, begin, l->strip, 0);
        next_strip(m, (ptrdiff_t)l->strip);
    }
    run_ops(m, begin, n - done, l->line - at);
    if (done > 0)
        next_strip(m, -(ptrdiff_t)done);
    for (uint32_t i = 0; i < l->n_reduce; i++)
        reduce(m, &l->reduce[i], begin, n);
}

/* Computes the products that a block needs, panels of them at the first of their
 * blocks; the size of the block, which ends where the panel does. A panel takes a last
 * row that would be left alone. */
static size_t begin_products(machine *m, size_t begin, size_t n, size_t end)
{
    const gradc_loop *l = m->l;
    if (l->n_head == 0)
        return n;
    if (l->panel == 0) {
        gradc_rows_begin(l, m->f, m->products, begin, n);
        return n;
    }
    if (begin == m->known) {
        const size_t rest = end - begin, most = l->panel + l->panel_row;
        const size_t size = rest == most || rest < l->panel ? rest : l->panel;
        gradc_rows_begin(l, m->f, m->products, begin, size);
        m->known += size;
        for (uint32_t i = 0; i < l->n_memory; i++)
            if (l->memory[i].at.base == BASE_PANEL)
                m->slot[l->n_register + i] = m->products + l->product_scratch;
    }
    return n < m->known - begin ? n : m->known - begin;
}

typedef struct loop_call {
    const gradc_loop *l;
    const gradc_frame *f;
} loop_call;

static void run_task(void *context, size_t task, unsigned worker)
{
    const loop_call *c = context;
    const gradc_loop *l = c->l;
    const size_t first = task * l->span;
    machine m = {.l = l, .f = c->f, .known = first};
    const size_t end = l->total - first < l->span ? l->total : first + l->span;
    m.part = (uint64_t *)c->f->scratch + task * l->n_reduce;
    char *sums = c->f->scratch + part_bytes(l) + task * l->tail_bytes;
    set_slots(&m, worker, task);
    begin_reductions(&m);
    for (size_t begin = first, n; begin < end; begin += n) {
        n = end - begin < l->block ? end - begin : l->block;
        if (l->row > l->block && n > l->row - begin % l->row)
            n = l->row - begin % l->row;
        if (l->sheet > 0 && n > l->sheet - begin % l->sheet)
            n = l->sheet - begin % l->sheet;
        n = begin_products(&m, begin, n, end);
        run_block(&m, begin, n);
        if (l->n_tail > 0)
            gradc_rows_end(l, c->f, m.products, sums, begin, n, begin == first);
        move_on(&m, (ptrdiff_t)n);
    }
    keep_parts(&m);
}

gradc_status gradc_loop_run(const void *step, const gradc_frame *f)
{
    loop_call c = {step, f};
    gradc_pool_run(count_tasks(c.l), c.l->workers, run_task, &c);
    if (c.l->n_reduce > 0)
        end_reductions(c.l, f);
    if (c.l->n_tail > 0)
        gradc_rows_join(c.l, f, f->scratch + part_bytes(c.l), count_tasks(c.l));
    return GRADC_OK;
}
