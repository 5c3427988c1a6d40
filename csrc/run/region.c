/* region.c -- concat and pad: operands copied into regions of the result.
 *
 * Of a pad, slabs of the result are cleared and get their part of the operand while
 * they are in cache; a task each. */
#include <string.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

/* Whether operand x was computed in its place, element `offset` of r. */
static bool is_at_home(const gradc_lowering *l, gradc_id r, gradc_id x, size_t offset)
{
    gradc_view v;
    gradc_view_resolve(l->g, x, &v);
    return l->home[v.root - 1] == r &&
           l->home_offset[v.root - 1] ==
               offset * gradc_dtype_size(gradc_dtype_of(l->g, r));
}

gradc_status gradc_lower_concat(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    int64_t stride[GRADC_MAX_RANK], offset = 0;
    gradc_shape_strides(gradc_shape_of(l->g, r), stride);
    for (uint32_t k = 0; k < n->n_in; k++) {
        const gradc_id x = gradc_node_in(n)[k];
        if (!is_at_home(l, r, x, (size_t)offset)) {
            gradc_view v;
            gradc_ref to = l->place[r - 1];
            gradc_view_resolve(l->g, x, &v);
            to.offset += (size_t)offset * gradc_dtype_size(gradc_dtype_of(l->g, r));
            GRADC_TRY(gradc_lower_region(l, &v, to, stride, "concat"));
        }
        offset += gradc_shape_of(l->g, x)->dim[n->attr[0]] * stride[n->attr[0]];
    }
    return GRADC_OK;
}

/* ---- pad ---- */

typedef struct pad_step {
    const gradc_move_table *move;
    gradc_array from;
    gradc_ref r;
    size_t element;
    int64_t at;                     /* the region's first element in r */
    int64_t stride[GRADC_MAX_RANK]; /* of the region */
    /* along the axis that is cut: the region's first row in r, its step > 0, the rows
     * of r and of a slab, and the bytes of a row */
    int axis;
    int64_t begin, step, rows, span;
    size_t row;
} pad_step;

typedef struct pad_call {
    const pad_step *s;
    const gradc_frame *f;
} pad_call;

enum { SLAB = 128 << 10 }; /* bytes, within a second-level cache */

/* How many rows of the operand lie before row `row` of the result. */
static int64_t rows_before(const pad_step *s, int64_t row)
{
    const int64_t n = s->from.dim[s->axis];
    const int64_t i =
        n == 0 || row <= s->begin ? 0 : (row - s->begin + s->step - 1) / s->step;
    return i < n ? i : n;
}

static void run_slab(void *context, size_t task, unsigned worker)
{
    const pad_call *c = context;
    const pad_step *s = c->s;
    const int64_t size = (int64_t)s->element;
    const int64_t first = (int64_t)task * s->span;
    const int64_t end = s->rows - first < s->span ? s->rows : first + s->span;
    const int64_t i = rows_before(s, first), n = rows_before(s, end) - i;
    int64_t dim[GRADC_MAX_RANK];
    char *r = gradc_ref_at(c->f, s->r);
    (void)worker;
    memset(r + (size_t)first * s->row, 0, (size_t)(end - first) * s->row);
    memcpy(dim, s->from.dim, (size_t)s->from.rank * sizeof *dim);
    dim[s->axis] = n;
    s->move->copy(r + (s->at + i * s->stride[s->axis]) * size, s->stride,
                  (const char *)gradc_ref_at(c->f, s->from.at) +
                      i * s->from.stride[s->axis] * size,
                  s->from.stride, s->from.rank, dim);
}

static gradc_status run_pad(const void *step, const gradc_frame *f)
{
    pad_call c = {step, f};
    const size_t slabs = (size_t)((c.s->rows + c.s->span - 1) / c.s->span);
    gradc_pool_run(slabs, GRADC_MOST_WORKERS, run_slab, &c);
    return GRADC_OK;
}

/* Cuts r along its first axis that is longer than 1, where x may run backwards. */
static void cut(pad_step *s, const gradc_node *n, const gradc_shape *r)
{
    while (s->axis < r->rank - 1 && r->dim[s->axis] == 1)
        s->axis++;
    const int a = s->axis;
    const int64_t last = s->from.dim[a] - 1;
    s->begin = n->attr[a], s->step = n->attr[r->rank + a], s->rows = r->dim[a];
    if (s->step < 0 && last >= 0) {
        s->from.at.offset += (size_t)(last * s->from.stride[a] * (int64_t)s->element);
        s->from.stride[a] = -s->from.stride[a];
        s->at += last * s->stride[a];
        s->stride[a] = -s->stride[a];
        s->begin += last * s->step, s->step = -s->step;
    }
    s->row = s->rows > 0 ? (size_t)(r->size / s->rows) * s->element : 0;
    s->span = s->row < SLAB ? SLAB / (int64_t)(s->row > 0 ? s->row : 1) : 1;
}

gradc_status gradc_lower_pad(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *shape = gradc_shape_of(l->g, r);
    pad_step *s = gradc_lower_get(l, sizeof *s);
    gradc_view v;
    if (s == NULL)
        return GRADC_ENOMEM;
    gradc_view_resolve(l->g, n->u.in[0], &v);
    GRADC_TRY(gradc_lower_array(l, &v, false, &s->from));
    s->element = gradc_dtype_size(s->from.dtype);
    s->move = l->kernels->move[s->from.dtype];
    s->r = l->place[r - 1];
    gradc_shape_strides(shape, s->stride);
    for (int i = 0; i < shape->rank; i++) {
        s->at += v.shape.size > 0 ? n->attr[i] * s->stride[i] : 0;
        s->stride[i] *= n->attr[shape->rank + i];
    }
    cut(s, n, shape);
    return gradc_lower_step(l, "pad", run_pad, s);
}
