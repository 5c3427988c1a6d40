/* view.c -- reshape, transpose, broadcast, slice and ident as strides. */
#include "ir/view.h"

#include <string.h>

#include "ir/shape.h"

/* New strides for the elements of v in the shape `to`, if strides can express it:
 * factors of both shapes are matched from the last axis on. */
static bool try_reshape(gradc_view *v, const gradc_shape *to)
{
    gradc_view from = *v;
    int64_t stride[GRADC_MAX_RANK];
    gradc_view_collapse(&from);
    int axis = from.shape.rank - 1;
    int64_t left = axis >= 0 ? from.shape.dim[axis] : 1;
    int64_t step = axis >= 0 ? from.stride[axis] : 0;
    for (int i = to->rank - 1; i >= 0; i--) {
        if (to->dim[i] == 1) {
            stride[i] = 0;
            continue;
        }
        if (left == 1 && axis > 0) {
            axis--;
            left = from.shape.dim[axis];
            step = from.stride[axis];
        }
        if (left % to->dim[i] != 0)
            return false;
        stride[i] = step;
        step *= to->dim[i];
        left /= to->dim[i];
    }
    v->shape = *to;
    memcpy(v->stride, stride, sizeof stride);
    return true;
}

static void apply_slice(gradc_view *v, const gradc_node *n, const gradc_shape *to)
{
    const int rank = to->rank;
    const int64_t *begin = n->attr, *step = begin + rank;
    for (int i = 0; i < rank; i++) {
        if (to->size > 0)
            v->offset += begin[i] * v->stride[i];
        v->stride[i] *= step[i];
    }
    v->shape = *to;
}

static void apply_transpose(gradc_view *v, const gradc_node *n, const gradc_shape *to)
{
    int64_t stride[GRADC_MAX_RANK];
    for (int i = 0; i < to->rank; i++)
        stride[i] = v->stride[n->attr[i]];
    memcpy(v->stride, stride, (size_t)to->rank * sizeof *stride);
    v->shape = *to;
}

static void start(const gradc_graph *g, gradc_id x, gradc_view *out)
{
    out->root = x;
    out->offset = 0;
    out->shape = *gradc_shape_of(g, x);
    gradc_shape_strides(&out->shape, out->stride);
}

static void apply(const gradc_graph *g, gradc_id x, gradc_view *v)
{
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_shape *to = gradc_shape_of(g, x);
    if (n->op == GRADC_OP_reshape) {
        if (to->size == 0 || !try_reshape(v, to))
            start(g, x, v);
    } else if (n->op == GRADC_OP_transpose) {
        apply_transpose(v, n, to);
    } else if (n->op == GRADC_OP_broadcast) {
        gradc_view_broadcast(v, to);
    } else if (n->op == GRADC_OP_slice) {
        apply_slice(v, n, to);
    }
}

void gradc_view_resolve(const gradc_graph *g, gradc_id x, gradc_view *out)
{
    /* Views are walked in stretches of the buffer's size, innermost first. */
    gradc_id chain[64];
    gradc_id done = 0;
    for (;;) {
        size_t depth = 0;
        gradc_id at = x;
        while (at != done &&
               gradc_node_row(gradc_node_get(g, at))->step == GRADC_STEP_VIEW) {
            chain[depth++ % 64] = at;
            at = gradc_node_in(gradc_node_get(g, at))[0];
        }
        if (done == 0)
            start(g, at, out);
        const size_t held = depth < 64 ? depth : 64;
        for (size_t i = 0; i < held; i++) {
            done = chain[(depth - 1 - i) % 64];
            apply(g, done, out);
        }
        if (depth <= 64)
            return;
    }
}

void gradc_view_over(const gradc_graph *g, gradc_id x, gradc_view *out)
{
    start(g, gradc_node_in(gradc_node_get(g, x))[0], out);
    apply(g, x, out);
}

bool gradc_view_is_flat(const gradc_view *v)
{
    int64_t step = 1;
    for (int i = v->shape.rank - 1; i >= 0; i--) {
        if (v->shape.dim[i] != 1 && v->stride[i] != step)
            return v->shape.size <= 0;
        step *= v->shape.dim[i];
    }
    return true;
}

bool gradc_view_is_whole(const gradc_graph *g, const gradc_view *v)
{
    return gradc_view_is_flat(v) && v->shape.size == gradc_shape_of(g, v->root)->size;
}

void gradc_view_broadcast(gradc_view *v, const gradc_shape *to)
{
    int64_t stride[GRADC_MAX_RANK];
    const int extra = to->rank - v->shape.rank;
    for (int i = 0; i < to->rank; i++) {
        const bool repeats = i < extra || v->shape.dim[i - extra] != to->dim[i];
        stride[i] = repeats ? 0 : v->stride[i - extra];
    }
    memcpy(v->stride, stride, (size_t)to->rank * sizeof *stride);
    v->shape = *to;
}

void gradc_view_collapse(gradc_view *v)
{
    int n = 0;
    for (int i = 0; i < v->shape.rank; i++) {
        const int64_t dim = v->shape.dim[i], stride = v->stride[i];
        if (dim == 1)
            continue;
        if (n > 0 && v->stride[n - 1] == stride * dim) {
            v->shape.dim[n - 1] *= dim;
            v->stride[n - 1] = stride;
        } else {
            v->shape.dim[n] = dim;
            v->stride[n++] = stride;
        }
    }
    v->shape.rank = n;
}
