/* scan.c -- cumulative ops and positions of extrema, along one axis.
 *
 * Large ones are cut into tasks that have some of the lines each: groups of them, or
 * columns if there are few groups. */
#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct scan_step scan_step;

/* Does the lines `d` whose first elements are at r, x and y. */
typedef void scan_fn(const scan_step *s, char *r, const char *x, const char *y,
                     const gradc_lines *d);

struct scan_step {
    const gradc_scan_table *table;
    scan_fn *run;
    gradc_ref x, y, r;
    gradc_split split;
    size_t element;         /* bytes of an element of x */
    size_t results, result; /* of a line, and bytes of one */
    int reverse;
    size_t groups, columns; /* pieces that both are cut into */
    unsigned workers;
};

typedef struct scan_call {
    const scan_step *s;
    const gradc_frame *f;
} scan_call;

/* A task has ELEMENTS or more, and whole cache lines of columns. */
enum { ELEMENTS = 16384, MOST = 16, COLUMNS = 64 };

static void cumsum(const scan_step *s, char *r, const char *x, const char *y,
                   const gradc_lines *d)
{
    (void)y;
    s->table->cumsum(r, x, d, s->reverse);
}

static void recur(const scan_step *s, char *r, const char *x, const char *y,
                  const gradc_lines *d)
{
    s->table->recur(r, x, y, d, s->reverse);
}

static void argmax(const scan_step *s, char *r, const char *x, const char *y,
                   const gradc_lines *d)
{
    (void)y;
    s->table->argmax((int64_t *)r, x, d);
}

static void argmin(const scan_step *s, char *r, const char *x, const char *y,
                   const gradc_lines *d)
{
    (void)y;
    s->table->argmin((int64_t *)r, x, d);
}

static void run_piece(void *context, size_t task, unsigned worker)
{
    const scan_call *c = context;
    const scan_step *s = c->s;
    const gradc_split *p = &s->split;
    const size_t group = task / s->columns, column = task % s->columns;
    const size_t outer = gradc_edge(group, s->groups, p->outer, 1);
    const size_t inner = gradc_edge(column, s->columns, p->inner, COLUMNS);
    const gradc_lines d = {
        gradc_edge(group + 1, s->groups, p->outer, 1) - outer, p->n,
        gradc_edge(column + 1, s->columns, p->inner, COLUMNS) - inner, p->inner};
    const size_t at = (outer * p->n * p->inner + inner) * s->element;
    const size_t to = (outer * s->results * p->inner + inner) * s->result;
    (void)worker;
    s->run(s, (char *)gradc_ref_at(c->f, s->r) + to,
           (const char *)gradc_ref_at(c->f, s->x) + at,
           (const char *)gradc_ref_at(c->f, s->y) + at, &d);
}

static gradc_status run_scan(const void *step, const gradc_frame *f)
{
    scan_call c = {step, f};
    gradc_pool_run(c.s->groups * c.s->columns, c.s->workers, run_piece, &c);
    return GRADC_OK;
}

static void cut(scan_step *s)
{
    const gradc_split *p = &s->split;
    const size_t tasks = p->outer * p->n * p->inner / ELEMENTS;
    const size_t most = tasks < 1 ? 1 : tasks < MOST ? tasks : MOST;
    const size_t wide = p->inner / COLUMNS;
    s->groups = p->outer < most ? p->outer : most;
    s->columns = 1;
    if (s->groups > 0 && s->groups < most && wide > 1)
        s->columns = wide < most / s->groups ? wide : most / s->groups;
    s->workers = gradc_pool_workers(s->groups * s->columns);
}

/* The step of stage `at`, with its operands contiguous. */
static gradc_status lower_axis(gradc_lowering *l, uint32_t at, const char *name,
                               scan_fn *run)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    scan_step *s = gradc_lower_get(l, sizeof *s);
    if (s == NULL)
        return GRADC_ENOMEM;
    const int64_t axis = n->attr[0];
    const gradc_dtype type = gradc_dtype_of(l->g, n->u.in[0]);
    s->table = l->kernels->scan[type];
    s->run = run;
    s->split = gradc_split_shape(gradc_shape_of(l->g, n->u.in[0]), axis, axis + 1);
    s->element = gradc_dtype_size(type);
    s->results = run == argmax || run == argmin ? 1 : s->split.n;
    s->result = gradc_dtype_size(gradc_dtype_of(l->g, r));
    s->r = l->place[r - 1];
    s->reverse = n->n_attr > 1 && n->attr[1] != 0;
    cut(s);
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &s->x));
    s->y = s->x;
    if (n->n_in > 1)
        GRADC_TRY(gradc_lower_flat(l, n->u.in[1], &s->y));
    return gradc_lower_step(l, name, run_scan, s);
}

gradc_status gradc_lower_scan(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    return gradc_node_get(l->g, r)->op == GRADC_OP_cumsum
               ? lower_axis(l, at, "cumsum", cumsum)
               : lower_axis(l, at, "recur", recur);
}

gradc_status gradc_lower_arg(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    return gradc_node_get(l->g, r)->op == GRADC_OP_argmax
               ? lower_axis(l, at, "argmax", argmax)
               : lower_axis(l, at, "argmin", argmin);
}
