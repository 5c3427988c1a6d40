/* index.c -- gather and scatter: rows chosen by an array of indices. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct index_step {
    const gradc_move_table *move;
    gradc_ref x, index, r;
    size_t n, width, bytes; /* indices, elements of a row, bytes of r */
    int64_t rows;
    size_t row_bytes, span; /* span: indices of a task of gather */
} index_step;

/* Bytes that a task of gather writes at least; a row costs as much as ROW_BYTES more,
 * because it may lie anywhere. */
enum { TASK_BYTES = 128 << 10, ROW_BYTES = 16, MOST = 16 };

static gradc_status out_of_range(const index_step *s, const gradc_frame *f,
                                 const char *who, size_t at)
{
    const int64_t *index = gradc_ref_at(f, s->index);
    if (f->msg != NULL)
        snprintf(f->msg->text, sizeof f->msg->text,
                 "%s: index %" PRId64 " is out of range for an axis of %" PRId64, who,
                 index[at], s->rows);
    return GRADC_EINDEX;
}

typedef struct gather_call {
    const index_step *s;
    const gradc_frame *f;
} gather_call;

/* Indices number task * span and on; how many were done is kept for each task. */
static void gather_span(void *context, size_t task, unsigned worker)
{
    const gather_call *c = context;
    const index_step *s = c->s;
    const size_t first = task * s->span, left = s->n - first;
    const int64_t *index = gradc_ref_at(c->f, s->index);
    char *r = gradc_ref_at(c->f, s->r);
    (void)worker;
    ((size_t *)c->f->scratch)[task] = s->move->gather(
        r + first * s->row_bytes, gradc_ref_at(c->f, s->x), index + first,
        left < s->span ? left : s->span, s->rows, s->width);
}

static gradc_status run_gather(const void *step, const gradc_frame *f)
{
    gather_call c = {step, f};
    const index_step *s = step;
    const size_t n_tasks = (s->n + s->span - 1) / s->span;
    const size_t *done = (const size_t *)f->scratch;
    gradc_pool_run(n_tasks, GRADC_MOST_WORKERS, gather_span, &c);
    for (size_t task = 0, first = 0; task < n_tasks; task++, first += s->span)
        if (done[task] < s->span && first + done[task] < s->n)
            return out_of_range(s, f, "gather", first + done[task]);
    return GRADC_OK;
}

static gradc_status run_scatter(const void *step, const gradc_frame *f)
{
    const index_step *s = step;
    void *r = gradc_ref_at(f, s->r);
    memset(r, 0, s->bytes);
    const size_t done = s->move->scatter(
        r, gradc_ref_at(f, s->x), gradc_ref_at(f, s->index), s->n, s->rows, s->width);
    return done == s->n ? GRADC_OK : out_of_range(s, f, "scatter", done);
}

/* `rows` is the shape of the array whose first axis the indices choose from. */
static gradc_status lower_index(gradc_lowering *l, uint32_t at, const char *name,
                                gradc_step_fn *run, const gradc_shape *rows)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    index_step *s = gradc_lower_get(l, sizeof *s);
    if (s == NULL)
        return GRADC_ENOMEM;
    const size_t element = gradc_dtype_size((gradc_dtype)n->dtype);
    s->move = l->kernels->move[n->dtype];
    s->n = (size_t)gradc_shape_of(l->g, n->u.in[1])->size;
    s->rows = rows->dim[0];
    s->width = gradc_split_shape(rows, 0, 1).inner;
    s->bytes = (size_t)gradc_shape_of(l->g, r)->size * element;
    s->row_bytes = s->width * element;
    const size_t least = TASK_BYTES / (s->row_bytes + ROW_BYTES) + 1;
    s->span = s->n / MOST + 1 > least ? s->n / MOST + 1 : least;
    s->r = l->place[r - 1];
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &s->x));
    GRADC_TRY(gradc_lower_flat(l, n->u.in[1], &s->index));
    return gradc_lower_step(l, name, run, s);
}

gradc_status gradc_lower_gather(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_id x = gradc_node_get(l->g, r)->u.in[0];
    gradc_lower_scratch(l, (MOST + 1) * sizeof(size_t));
    return lower_index(l, at, "gather", run_gather, gradc_shape_of(l->g, x));
}

gradc_status gradc_lower_scatter(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    return lower_index(l, at, "scatter", run_scatter, gradc_shape_of(l->g, r));
}
