/* region.c -- concat and pad: operands copied into regions of the result. */
#include <string.h>

#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct region_step {
    const gradc_move_table *move;
    gradc_array from;
    gradc_ref to; /* of the region's first element */
    gradc_ref r;
    size_t clear;    /* bytes of r to clear first */
    int64_t *stride; /* of the region */
    bool empty;
} region_step;

static gradc_status run_region(const void *step, const gradc_frame *f)
{
    const region_step *s = step;
    if (s->clear > 0)
        memset(gradc_ref_at(f, s->r), 0, s->clear);
    if (!s->empty)
        s->move->copy(gradc_ref_at(f, s->to), s->stride, gradc_ref_at(f, s->from.at),
                      s->from.stride, s->from.rank, s->from.dim);
    return GRADC_OK;
}

/* A step that puts operand x into result r at `offset` with `stride`. */
static gradc_status lower_region(gradc_lowering *l, gradc_id r, gradc_id x,
                                 int64_t offset, const int64_t *stride, bool clear,
                                 const char *name)
{
    region_step *s = gradc_lower_get(l, sizeof *s);
    gradc_view v;
    gradc_view_resolve(l->g, x, &v);
    const size_t bytes = (size_t)v.shape.rank * sizeof *stride;
    if (s == NULL || (s->stride = gradc_lower_get(l, bytes)) == NULL)
        return GRADC_ENOMEM;
    GRADC_TRY(gradc_lower_array(l, &v, false, &s->from));
    const size_t element = gradc_dtype_size(s->from.dtype);
    memcpy(s->stride, stride, bytes);
    s->move = l->kernels->move[s->from.dtype];
    s->r = s->to = l->place[r - 1];
    s->empty = v.shape.size == 0;
    s->to.offset += s->empty ? 0 : (size_t)offset * element;
    s->clear = clear ? (size_t)gradc_shape_of(l->g, r)->size * element : 0;
    GRADC_TRY(gradc_lower_step(l, name, run_region, s));
    const size_t moved = (size_t)v.shape.size * element;
    gradc_lower_traffic(l, moved, s->clear > 0 ? s->clear : moved);
    return GRADC_OK;
}

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
        if (!is_at_home(l, r, x, (size_t)offset))
            GRADC_TRY(lower_region(l, r, x, offset, stride, false, "concat"));
        offset += gradc_shape_of(l->g, x)->dim[n->attr[0]] * stride[n->attr[0]];
    }
    return GRADC_OK;
}

gradc_status gradc_lower_pad(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *s = gradc_shape_of(l->g, r);
    int64_t stride[GRADC_MAX_RANK], offset = 0;
    gradc_shape_strides(s, stride);
    for (int i = 0; i < s->rank; i++) {
        offset += n->attr[i] * stride[i];
        stride[i] *= n->attr[s->rank + i];
    }
    return lower_region(l, r, n->u.in[0], offset, stride, true, "pad");
}
