/* rows.c -- products computed inside a loop, rows by rows.
 *
 * A product with a thin matrix is bound by memory, and so is the loop that adds a bias
 * to it, takes its positive part or masks it. Such a loop is the product's host: a
 * panel of rows is computed and, while in cache, goes through the loop: its epilogue.
 *
 * The gradient of a loss over a table, X^T (m * (X w + b - y)), reads X twice if each
 * product is a step of its own, and X is most of what it reads. Here the loop over the
 * rows between the two is their host: each block begins with X w for its rows and ends,
 * while these are still in cache, with what they add to X^T e. Sums over the rows are
 * made block by block within a task and then pairwise over tasks, which are cut by size
 * alone. */
#include <string.h>

#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"
#include "run/loop.h"

/* Matrices of fewer bytes stay in cache from one product to the next. An epilogue pays
 * from MOST_CACHED bytes of the product on, and if packing its second matrix again for
 * every panel is little: no more bytes than SMALL_MATRIX. */
enum { LEAST_BYTES = 1 << 17, MOST_CACHED = 1 << 19, SMALL_MATRIX = 1 << 16 };
enum { PANEL_BYTES = 1 << 17, PANEL_ROWS = 128 };

/* ---- running ---- */

static const void *moved(const gradc_frame *f, gradc_ref at, ptrdiff_t elements,
                         size_t element)
{
    return (char *)gradc_ref_at(f, at) + elements * (ptrdiff_t)element;
}

void gradc_rows_begin(const gradc_loop *l, const gradc_frame *f, char *scratch,
                      size_t begin, size_t n)
{
    for (uint32_t i = 0; i < l->n_head; i++) {
        const loop_product *p = &l->head[i];
        gradc_matmul_task t = p->task;
        const bool down = t.n == 1 || l->panel > 0; /* r is a column, or a matrix */
        const ptrdiff_t first = (ptrdiff_t)(begin / (down ? t.n : 1));
        *(down ? &t.m : &t.n) = n / (down ? t.n : 1);
        t.x = moved(f, p->x, down ? first * t.x_row : 0, p->element);
        t.y = moved(f, p->y, down ? 0 : first * t.y_col, p->element);
        t.r = p->r.base == BASE_PANEL
                  ? scratch + l->product_scratch
                  : (void *)moved(f, p->r, (ptrdiff_t)begin, p->element);
        t.scratch = scratch;
        p->table->run(&t);
    }
}

void gradc_rows_end(const gradc_loop *l, const gradc_frame *f, char *scratch,
                    char *part, size_t begin, size_t n, bool first_block)
{
    for (uint32_t i = 0; i < l->n_tail; i++) {
        const loop_product *p = &l->tail[i];
        gradc_matmul_task t = p->task;
        const size_t results = t.m * t.n;
        char *own = scratch + l->product_scratch; /* a block's share */
        t.k = n;
        t.x = moved(f, p->x, (ptrdiff_t)begin * t.x_col, p->element);
        t.y = moved(f, p->y, (ptrdiff_t)begin * t.y_row, p->element);
        t.r = first_block ? part + p->part : own;
        t.scratch = scratch;
        p->table->run(&t);
        if (!first_block)
            p->add(part + p->part, part + p->part, own, own, results);
    }
}

void gradc_rows_join(const gradc_loop *l, const gradc_frame *f, char *parts,
                     size_t n_tasks)
{
    for (uint32_t i = 0; i < l->n_tail; i++) {
        const loop_product *p = &l->tail[i];
        const size_t results = p->task.m * p->task.n;
        for (size_t apart = 1; apart < n_tasks; apart *= 2)
            for (size_t k = 0; k + apart < n_tasks; k += 2 * apart) {
                char *x = parts + k * l->tail_bytes + p->part;
                const char *y = x + apart * l->tail_bytes;
                p->add(x, x, y, y, results);
            }
        memcpy(gradc_ref_at(f, p->r), parts + p->part, results * p->element);
    }
}

/* ---- which products a loop is host to ---- */

static gradc_id root_of(const gradc_graph *g, gradc_id x)
{
    gradc_view v;
    gradc_view_resolve(g, x, &v);
    return v.root;
}

static const gradc_node *product_of(const gradc_lowering *l, uint32_t at)
{
    const gradc_node *n = gradc_node_get(l->g, l->s->node[l->s->stage[at].first]);
    return n->op == GRADC_OP_matmul && l->g->shape[n->shape]->rank == 2 ? n : NULL;
}

/* Whether operand `x`, if it shows node r, shows it as it lies in memory. */
static bool shows_in_order(const gradc_graph *g, gradc_id x, gradc_id r)
{
    gradc_view v;
    gradc_view_resolve(g, x, &v);
    return v.root != r || gradc_view_is_whole(g, &v);
}

/* How a stage reads node r: not at all, in the order of its memory and by a loop over
 * as many elements, or in another way. */
typedef enum { UNREAD, IN_ORDER, OTHERWISE } reading;

static reading how_read(const gradc_lowering *l, const gradc_stage *stage, gradc_id r)
{
    reading found = UNREAD;
    for (uint32_t i = 0; i < stage->count; i++) {
        const gradc_node *n = gradc_node_get(l->g, l->s->node[stage->first + i]);
        for (uint32_t k = 0; k < n->n_in; k++) {
            const gradc_id x = gradc_node_in(n)[k];
            if (root_of(l->g, x) != r)
                continue;
            if (!stage->is_loop || !shows_in_order(l->g, x, r) ||
                l->g->shape[stage->space]->size != gradc_shape_of(l->g, r)->size)
                return OTHERWISE;
            found = IN_ORDER;
        }
    }
    return found;
}

/* The number of the loop stage that is the first to read the result of stage `at`, in
 * its own space and order; 0 if it is read otherwise first. Counting from 1. */
static uint32_t first_reader(const gradc_lowering *l, uint32_t at)
{
    const gradc_schedule *s = l->s;
    const gradc_id r = s->node[s->stage[at].first];
    for (uint32_t j = at + 1; j < s->n_stage; j++) {
        const reading how = how_read(l, &s->stage[j], r);
        if (how != UNREAD)
            return how == IN_ORDER ? j + 1 : 0;
    }
    return 0;
}

/* The stage after loop `host` that multiplies one of its values by the rows of the
 * matrix `root`; counting from 1, 0 if there is none. */
static uint32_t find_tail(const gradc_lowering *l, uint32_t host, gradc_id root)
{
    const gradc_schedule *s = l->s;
    const int64_t rows = l->g->shape[s->stage[host - 1].space]->size;
    for (uint32_t at = host; at < s->n_stage; at++) {
        const gradc_node *n = product_of(l, at);
        if (n == NULL || l->host[at] != 0 ||
            gradc_shape_of(l->g, n->u.in[0])->dim[1] != rows)
            continue;
        for (int k = 0; k < 2; k++) {
            const gradc_id e = root_of(l->g, n->u.in[k]);
            if (l->s->stage_of[e - 1] == host && shows_in_order(l->g, n->u.in[k], e) &&
                gradc_node_row(gradc_node_get(l->g, e))->step == GRADC_STEP_LOOP &&
                root_of(l->g, n->u.in[!k]) == root)
                return at + 1;
        }
    }
    return 0;
}

static void keep_until(gradc_lowering *l, const gradc_node *n, uint32_t host)
{
    for (uint32_t k = 0; k < 2; k++) {
        uint32_t *until = &l->last_use[root_of(l->g, n->u.in[k]) - 1];
        *until = *until < host ? host : *until;
    }
}

/* Products that a loop begins and ends with. */
static void find_pair(gradc_lowering *l, uint32_t at, const gradc_node *n)
{
    const gradc_shape *s = l->g->shape[n->shape];
    const int matrix = s->dim[1] == 1 ? 0 : s->dim[0] == 1 ? 1 : -1;
    if (matrix < 0 || s->size == 1)
        return;
    const gradc_id x = n->u.in[matrix];
    const size_t bytes =
        (size_t)gradc_shape_of(l->g, x)->size * gradc_dtype_size((gradc_dtype)n->dtype);
    const uint32_t host = bytes < LEAST_BYTES ? 0 : first_reader(l, at);
    const uint32_t tail = host == 0 ? 0 : find_tail(l, host, root_of(l->g, x));
    if (tail == 0)
        return;
    l->host[at] = l->host[tail - 1] = l->host[host - 1] = host;
    keep_until(l, n, host);
}

/* Whether panels of rows of a matrix leave the order of reduction n as it is, and the
 * loop in tasks: it adds what is in each row, or all rows, and these are many. */
static bool goes_by_rows(const gradc_graph *g, const gradc_node *n, int64_t cols)
{
    const gradc_shape *s = gradc_shape_of(g, n->u.in[0]);
    const gradc_split by = gradc_split_shape(s, n->attr[0], n->attr[1]);
    if (by.inner == 1)
        return by.n == (size_t)cols;
    return by.outer == 1 && by.inner == (size_t)cols && s->size >= 2 * LOOP_SPAN;
}

/* A product of matrices whose epilogue is a loop. */
static void find_epilogue(gradc_lowering *l, uint32_t at, const gradc_node *n)
{
    const size_t element = gradc_dtype_size((gradc_dtype)n->dtype);
    const gradc_shape *r = l->g->shape[n->shape];
    const size_t y = (size_t)gradc_shape_of(l->g, n->u.in[1])->size * element;
    if (r->dim[0] == 1 || r->dim[1] == 1 || (size_t)r->size * element < MOST_CACHED ||
        y > SMALL_MATRIX || (size_t)r->dim[1] * element * PANEL_ROWS > PANEL_BYTES)
        return;
    const uint32_t host = first_reader(l, at);
    if (host == 0 || l->host[host - 1] != 0)
        return;
    const gradc_stage *stage = &l->s->stage[host - 1];
    for (uint32_t i = 0; i < stage->count; i++) {
        const gradc_node *m = gradc_node_get(l->g, l->s->node[stage->first + i]);
        if (gradc_node_row(m)->step == GRADC_STEP_REDUCE &&
            !goes_by_rows(l->g, m, r->dim[1]))
            return;
    }
    l->host[at] = l->host[host - 1] = host;
    keep_until(l, n, host);
    const gradc_id z = l->s->node[l->s->stage[at].first];
    if (l->last_use[z - 1] == host && l->home[z - 1] == 0) { /* nobody else reads it */
        l->place[z - 1] = (gradc_ref){BASE_PANEL, 0};
        l->taken[z - 1] = true;
    }
}

void gradc_find_rows(gradc_lowering *l)
{
    for (uint32_t at = 0; at < l->s->n_stage; at++) {
        const gradc_node *n = product_of(l, at);
        if (n != NULL)
            find_pair(l, at, n);
    }
    for (uint32_t at = 0; at < l->s->n_stage; at++) {
        const gradc_node *n = product_of(l, at);
        if (n != NULL && l->host[at] == 0)
            find_epilogue(l, at, n);
    }
}

/* ---- lowering ---- */

static gradc_status lower_product(gradc_lowering *l, uint32_t at, loop_product *out)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_dtype dtype = gradc_dtype_of(l->g, r);
    gradc_array x, y;
    GRADC_TRY(gradc_lower_task(l, r, &out->task, &x, &y));
    out->x = x.at;
    out->y = y.at;
    out->table = l->kernels->matmul[dtype];
    out->add = l->kernels->map[dtype]->map[GRADC_OP_add];
    out->r = l->place[r - 1];
    out->element = gradc_dtype_size(dtype);
    return GRADC_OK;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* `task` is set to what a block or a panel needs most. */
static void lower_head(gradc_loop *p, const loop_product *own, gradc_matmul_task *task)
{
    const size_t m = task->m, n = task->n, k = task->k;
    if (m > 1 && n > 1) {
        task->m = PANEL_ROWS + 1;
        p->panel = PANEL_ROWS * n;
        p->panel_row = n;
        p->panel_bytes =
            own->r.base == BASE_PANEL ? gradc_align((p->panel + n) * own->element) : 0;
        p->head_bytes = (m * k + k * n) * own->element;
        return;
    }
    *(n == 1 ? &task->m : &task->n) = p->block;
    p->head_bytes += p->total * (k + 1) * own->element;
    p->row_bytes = larger(p->row_bytes, k * own->element);
}

static void lower_tail(gradc_loop *p, loop_product *own, gradc_matmul_task *task)
{
    const size_t bytes = task->m * task->n * own->element;
    task->k = p->block;
    own->part = p->tail_bytes;
    p->tail_written += bytes;
    p->tail_bytes += gradc_align(bytes);
    p->row_bytes = larger(p->row_bytes, bytes);
}

gradc_status gradc_lower_rows(gradc_lowering *l, uint32_t at, gradc_loop *p)
{
    if (l->host[at] != at + 1)
        return GRADC_OK;
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->s->n_stage; i++)
        n += l->host[i] == at + 1;
    p->head = gradc_lower_get(l, n * sizeof *p->head);
    p->tail = gradc_lower_get(l, n * sizeof *p->tail);
    if (p->head == NULL || p->tail == NULL)
        return GRADC_ENOMEM;
    for (uint32_t i = 0; i < l->s->n_stage; i++) {
        if (l->host[i] != at + 1 || i == at)
            continue;
        loop_product *own = i < at ? &p->head[p->n_head++] : &p->tail[p->n_tail++];
        GRADC_TRY(lower_product(l, i, own));
        gradc_matmul_task t = own->task;
        if (i < at)
            lower_head(p, own, &t);
        else
            lower_tail(p, own, &t);
        p->product_scratch =
            larger(p->product_scratch, gradc_align(own->table->scratch(&t)));
    }
    return GRADC_OK;
}
