/* scan.c -- cumulative ops and positions of extrema, along one axis. */
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct scan_step {
    const gradc_scan_table *table;
    gradc_ref x, y, r;
    gradc_split split;
    int reverse;
} scan_step;

static gradc_status run_cumsum(const void *step, const gradc_frame *f)
{
    const scan_step *s = step;
    s->table->cumsum(gradc_ref_at(f, s->r), gradc_ref_at(f, s->x), s->split.outer,
                     s->split.n, s->split.inner, s->reverse);
    return GRADC_OK;
}

static gradc_status run_recur(const void *step, const gradc_frame *f)
{
    const scan_step *s = step;
    s->table->recur(gradc_ref_at(f, s->r), gradc_ref_at(f, s->x), gradc_ref_at(f, s->y),
                    s->split.outer, s->split.n, s->split.inner, s->reverse);
    return GRADC_OK;
}

static gradc_status run_argmax(const void *step, const gradc_frame *f)
{
    const scan_step *s = step;
    s->table->argmax(gradc_ref_at(f, s->r), gradc_ref_at(f, s->x), s->split.outer,
                     s->split.n, s->split.inner);
    return GRADC_OK;
}

static gradc_status run_argmin(const void *step, const gradc_frame *f)
{
    const scan_step *s = step;
    s->table->argmin(gradc_ref_at(f, s->r), gradc_ref_at(f, s->x), s->split.outer,
                     s->split.n, s->split.inner);
    return GRADC_OK;
}

/* The step of stage `at`, with its operands contiguous. */
static gradc_status lower_axis(gradc_lowering *l, uint32_t at, scan_step **out)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    scan_step *s = gradc_lower_get(l, sizeof *s);
    if (s == NULL)
        return GRADC_ENOMEM;
    const int64_t axis = n->attr[0];
    s->table = l->kernels->scan[gradc_dtype_of(l->g, n->u.in[0])];
    s->split = gradc_split_shape(gradc_shape_of(l->g, n->u.in[0]), axis, axis + 1);
    s->r = l->place[r - 1];
    s->reverse = n->n_attr > 1 && n->attr[1] != 0;
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &s->x));
    if (n->n_in > 1)
        GRADC_TRY(gradc_lower_flat(l, n->u.in[1], &s->y));
    *out = s;
    return GRADC_OK;
}

gradc_status gradc_lower_scan(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    scan_step *s;
    GRADC_TRY(lower_axis(l, at, &s));
    return gradc_node_get(l->g, r)->op == GRADC_OP_cumsum
               ? gradc_lower_step(l, "cumsum", run_cumsum, s)
               : gradc_lower_step(l, "recur", run_recur, s);
}

gradc_status gradc_lower_arg(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    scan_step *s;
    GRADC_TRY(lower_axis(l, at, &s));
    return gradc_node_get(l->g, r)->op == GRADC_OP_argmax
               ? gradc_lower_step(l, "argmax", run_argmax, s)
               : gradc_lower_step(l, "argmin", run_argmin, s);
}
