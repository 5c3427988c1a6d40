/* copy.c -- a view copied to contiguous memory or a region of it, in tasks if large.
 *
 * Tasks are pieces of the longest axis; the kernel chooses the order of the walk, so
 * that a transposed matrix is read and written in whole cache lines. */
#include <string.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct copy_step {
    gradc_array from;
    gradc_ref to;
    const gradc_move_table *move;
    size_t n, element, flat; /* flat: bytes of a plain copy in one task, or 0 */
    size_t pieces;
    int axis; /* that is cut */
    int64_t to_stride[GRADC_MAX_RANK];
} copy_step;

typedef struct copy_call {
    const copy_step *c;
    const gradc_frame *f;
} copy_call;

/* A task copies TASK_BYTES or more; its piece ends at a multiple of UNIT. */
enum { TASK_BYTES = 128 << 10, MOST = 16, UNIT = 64 };

static void copy_piece(void *context, size_t task, unsigned worker)
{
    const copy_call *call = context;
    const copy_step *c = call->c;
    const int64_t size = (int64_t)c->element;
    char *to = gradc_ref_at(call->f, c->to);
    const char *from = gradc_ref_at(call->f, c->from.at);
    int64_t dim[GRADC_MAX_RANK];
    (void)worker;
    memcpy(dim, c->from.dim, (size_t)c->from.rank * sizeof *dim);
    if (c->pieces > 1) {
        const size_t n = (size_t)c->from.dim[c->axis];
        const int64_t begin = (int64_t)gradc_edge(task, c->pieces, n, UNIT);
        dim[c->axis] = (int64_t)gradc_edge(task + 1, c->pieces, n, UNIT) - begin;
        to += begin * c->to_stride[c->axis] * size;
        from += begin * c->from.stride[c->axis] * size;
    }
    c->move->copy(to, c->to_stride, from, c->from.stride, c->from.rank, dim);
}

static gradc_status run_copy(const void *step, const gradc_frame *f)
{
    copy_call call = {step, f};
    const copy_step *c = step;
    if (c->flat > 0)
        memcpy(gradc_ref_at(f, c->to), gradc_ref_at(f, c->from.at), c->flat);
    else if (c->n > 0)
        gradc_pool_run(c->pieces, GRADC_MOST_WORKERS, copy_piece, &call);
    return GRADC_OK;
}

static void cut(copy_step *c)
{
    const gradc_array *a = &c->from;
    const size_t bytes = c->n * c->element;
    for (int i = a->rank - 1; i >= 0; i--)
        if (a->dim[i] > a->dim[c->axis])
            c->axis = i;
    const size_t units = a->rank > 0 ? (size_t)a->dim[c->axis] / UNIT : 0;
    c->pieces = bytes / TASK_BYTES < MOST ? bytes / TASK_BYTES : MOST;
    c->pieces = c->pieces < units ? c->pieces : units;
    c->pieces = c->pieces > 1 ? c->pieces : 1;
}

static gradc_status lower_copy(gradc_lowering *l, const gradc_view *v, gradc_ref to,
                               const int64_t *stride, const char *name)
{
    copy_step *c = gradc_lower_get(l, sizeof *c);
    if (c == NULL)
        return GRADC_ENOMEM;
    GRADC_TRY(gradc_lower_array(l, v, stride == NULL, &c->from));
    c->to = to;
    c->n = (size_t)v->shape.size;
    c->element = gradc_dtype_size(c->from.dtype);
    c->move = l->kernels->move[c->from.dtype];
    cut(c);
    int64_t size = 1;
    for (int i = c->from.rank - 1; i >= 0; size *= c->from.dim[i], i--)
        c->to_stride[i] = stride != NULL ? stride[i] : size;
    const size_t bytes = c->n * c->element;
    const bool plain = stride == NULL && gradc_view_is_flat(v);
    c->flat = plain && c->pieces == 1 ? bytes : 0;
    GRADC_TRY(gradc_lower_step(l, name, run_copy, c));
    gradc_lower_traffic(l, bytes, bytes);
    return GRADC_OK;
}

gradc_status gradc_lower_copy(gradc_lowering *l, const gradc_view *v, gradc_ref to)
{
    return lower_copy(l, v, to, NULL, "copy");
}

gradc_status gradc_lower_region(gradc_lowering *l, const gradc_view *v, gradc_ref to,
                                const int64_t *stride, const char *name)
{
    return lower_copy(l, v, to, stride, name);
}
