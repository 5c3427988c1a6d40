/* contract.c -- matrix products: one kernel call for each pair of matrices. */
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct matmul_step {
    gradc_matmul_task task; /* pointers are filled in at the run */
    const gradc_matmul_table *table;
    gradc_ref x, y, r;
    size_t element;
    int batch_rank;
    int64_t batch, dim[GRADC_MAX_RANK];
    int64_t x_stride[GRADC_MAX_RANK], y_stride[GRADC_MAX_RANK];
} matmul_step;

static gradc_status run_matmul(const void *step, const gradc_frame *f)
{
    const matmul_step *s = step;
    gradc_matmul_task t = s->task;
    const char *x = gradc_ref_at(f, s->x), *y = gradc_ref_at(f, s->y);
    char *r = gradc_ref_at(f, s->r);
    int64_t at[GRADC_MAX_RANK] = {0};
    t.scratch = f->scratch;
    for (int64_t b = 0; b < s->batch; b++) {
        t.x = x;
        t.y = y;
        t.r = r;
        s->table->run(&t);
        r += t.m * t.n * s->element;
        for (int i = s->batch_rank - 1; i >= 0; i--) {
            x += s->x_stride[i] * (int64_t)s->element;
            y += s->y_stride[i] * (int64_t)s->element;
            if (++at[i] < s->dim[i])
                break;
            x -= s->dim[i] * s->x_stride[i] * (int64_t)s->element;
            y -= s->dim[i] * s->y_stride[i] * (int64_t)s->element;
            at[i] = 0;
        }
    }
    return GRADC_OK;
}

/* Operand x with its batch axes broadcast to those of the result `s`. */
static gradc_status bind(gradc_lowering *l, gradc_id x, const gradc_shape *s,
                         gradc_array *out)
{
    gradc_view v;
    gradc_shape to = *s;
    gradc_view_resolve(l->g, x, &v);
    to.dim[s->rank - 2] = v.shape.dim[v.shape.rank - 2];
    to.dim[s->rank - 1] = v.shape.dim[v.shape.rank - 1];
    gradc_shape_count(&to);
    gradc_view_broadcast(&v, &to);
    return gradc_lower_array(l, &v, false, out);
}

gradc_status gradc_lower_matmul(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *s = gradc_shape_of(l->g, r);
    matmul_step *step = gradc_lower_get(l, sizeof *step);
    gradc_array x, y;
    if (step == NULL)
        return GRADC_ENOMEM;
    GRADC_TRY(bind(l, n->u.in[0], s, &x));
    GRADC_TRY(bind(l, n->u.in[1], s, &y));
    const int rank = s->rank;
    step->table = l->kernels->matmul[x.dtype];
    step->element = gradc_dtype_size(x.dtype);
    step->x = x.at;
    step->y = y.at;
    step->r = l->place[r - 1];
    step->batch_rank = rank - 2;
    step->batch = 1;
    for (int i = 0; i < rank - 2; i++) {
        step->dim[i] = s->dim[i];
        step->batch *= s->dim[i];
        step->x_stride[i] = x.stride[i];
        step->y_stride[i] = y.stride[i];
    }
    step->task = (gradc_matmul_task){.m = (size_t)s->dim[rank - 2],
                                     .n = (size_t)s->dim[rank - 1],
                                     .k = (size_t)x.dim[rank - 1],
                                     .x_row = x.stride[rank - 2],
                                     .x_col = x.stride[rank - 1],
                                     .y_row = y.stride[rank - 2],
                                     .y_col = y.stride[rank - 1],
                                     .r_row = s->dim[rank - 1]};
    gradc_lower_scratch(l,
                        step->table->scratch(step->task.m, step->task.n, step->task.k));
    return gradc_lower_step(l, "matmul", run_matmul, step);
}
