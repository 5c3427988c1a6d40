/* order.c -- sorting along an axis and searching in sorted rows.
 *
 * Lines of a sort, and values that are searched for, are shared out in tasks. */
#include <math.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct order_step {
    const gradc_order_table *table;
    gradc_ref x, v, r;
    size_t element;
    gradc_split split;  /* of a sort: the axis in x */
    size_t line;        /* scratch memory of a worker */
    size_t n, values;   /* of a search: elements of a row, and values for it */
    size_t total, span; /* lines or values in all, and of a task */
    bool right;
    unsigned workers;
} order_step;

typedef struct order_call {
    const order_step *s;
    const gradc_frame *f;
} order_call;

/* A task takes TASK_NS or more. */
enum { TASK_NS = 10000, MOST = 16 };

static size_t tasks_of(const order_step *s)
{
    return s->total == 0 ? 0 : (s->total + s->span - 1) / s->span;
}

/* Cuts `total` pieces of work that take about `ns` each. */
static void cut(order_step *s, size_t total, double ns)
{
    const double tasks = fmin((double)total * ns / TASK_NS, MOST);
    const size_t n = tasks < 2 ? 1 : (size_t)tasks;
    s->total = total;
    s->span = (total + n - 1) / n;
    s->workers = gradc_pool_workers(tasks_of(s));
}

static size_t end_of(const order_step *s, size_t first)
{
    return s->total - first < s->span ? s->total : first + s->span;
}

static void sort_lines(void *context, size_t task, unsigned worker)
{
    const order_call *c = context;
    const order_step *s = c->s;
    const char *x = gradc_ref_at(c->f, s->x);
    int64_t *r = gradc_ref_at(c->f, s->r);
    const size_t inner = s->split.inner, first = task * s->span;
    for (size_t line = first; line < end_of(s, first); line++) {
        const size_t at = line / inner * s->split.n * inner + line % inner;
        s->table->argsort(r + at, x + at * s->element, s->split.n, inner,
                          c->f->scratch + worker * s->line);
    }
}

static void search_values(void *context, size_t task, unsigned worker)
{
    const order_call *c = context;
    const order_step *s = c->s;
    const char *x = gradc_ref_at(c->f, s->x), *v = gradc_ref_at(c->f, s->v);
    int64_t *r = gradc_ref_at(c->f, s->r);
    const size_t end = end_of(s, task * s->span);
    (void)worker;
    for (size_t i = task * s->span, next; i < end; i = next) {
        const size_t row = i / s->values;
        next = (row + 1) * s->values < end ? (row + 1) * s->values : end;
        s->table->search(r + i, x + row * s->n * s->element, s->n, v + i * s->element,
                         next - i, s->right);
    }
}

static gradc_status run_argsort(const void *step, const gradc_frame *f)
{
    order_call c = {step, f};
    gradc_pool_run(tasks_of(c.s), c.s->workers, sort_lines, &c);
    return GRADC_OK;
}

static gradc_status run_search(const void *step, const gradc_frame *f)
{
    order_call c = {step, f};
    gradc_pool_run(tasks_of(c.s), c.s->workers, search_values, &c);
    return GRADC_OK;
}

/* The step of node r. */
static order_step *new_step(gradc_lowering *l, gradc_id r)
{
    const gradc_dtype d = gradc_dtype_of(l->g, gradc_node_get(l->g, r)->u.in[0]);
    order_step *s = gradc_lower_get(l, sizeof *s);
    if (s == NULL)
        return NULL;
    s->table = l->kernels->order[d];
    s->element = gradc_dtype_size(d);
    s->r = l->place[r - 1];
    return s;
}

gradc_status gradc_lower_sort(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    order_step *s = new_step(l, r);
    if (s == NULL)
        return GRADC_ENOMEM;
    const int64_t axis = n->attr[0];
    s->split = gradc_split_shape(gradc_shape_of(l->g, r), axis, axis + 1);
    const double length = (double)s->split.n;
    cut(s, s->split.outer * s->split.inner,
        length * fmin(5 + 3 * log2(length + 1), 25));
    s->line = gradc_align(s->table->sort_scratch(s->split.n));
    gradc_lower_scratch(l, s->workers * s->line);
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &s->x));
    return gradc_lower_step(l, "argsort", run_argsort, s);
}

gradc_status gradc_lower_search(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *x = gradc_shape_of(l->g, n->u.in[0]);
    order_step *s = new_step(l, r);
    if (s == NULL)
        return GRADC_ENOMEM;
    s->right = n->attr[0] != 0;
    s->n = (size_t)x->dim[x->rank - 1];
    s->values = gradc_split_shape(gradc_shape_of(l->g, r), 0, x->rank - 1).inner;
    cut(s, (size_t)gradc_shape_of(l->g, r)->size, 3 + 1.2 * log2((double)s->n + 1));
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &s->x));
    GRADC_TRY(gradc_lower_flat(l, n->u.in[1], &s->v));
    return gradc_lower_step(l, "searchsorted", run_search, s);
}
