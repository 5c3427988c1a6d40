/* pieces.c -- where paths meet: contributions to one node, added up.
 *
 * A node that is read by slices or element by element gets contributions that are zero
 * but for a piece each. Padded to full size and added, k pieces of n elements would
 * cost k n; cut where a piece begins or ends and laid side by side, they cost n. Pieces
 * that lie in one run of memory are laid along the flattened node, others along the one
 * axis on which they are pieces. */
#include <stdlib.h>
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

typedef struct piece {
    gradc_id x; /* what is padded */
    int64_t begin, end;
    size_t order; /* among the contributions */
} piece;

typedef struct layout {
    gradc_graph *g;
    gradc_shape shape; /* of the whole, flattened or not */
    int axis;
    size_t n, room;
    piece *piece;
    gradc_id *rest; /* contributions that are no pieces of this layout */
    size_t n_rest;
} layout;

gradc_id gradc_add_up(gradc_graph *g, size_t n, const gradc_id *x)
{
    if (n == 1)
        return x[0];
    if (n == 2)
        return ADD(x[0], x[1]);
    return gradc_graph_add(g, GRADC_OP_addn, n, x, 0, NULL);
}

/* Where along the flattened result of pad d its operand lies, if in one run. */
static bool find_run(const gradc_graph *g, gradc_id d, piece *out)
{
    const gradc_node *n = gradc_node_get(g, d);
    if (n->op != GRADC_OP_pad)
        return false;
    const gradc_shape *whole = SHAPE(d), *part = SHAPE(n->u.in[0]);
    int64_t stride = 1, begin = 0;
    bool partial = false;
    for (int i = whole->rank - 1; i >= 0; i--) {
        if ((partial || n->attr[whole->rank + i] != 1) && part->dim[i] != 1)
            return false;
        partial = partial || part->dim[i] != whole->dim[i];
        begin += n->attr[i] * stride;
        stride *= whole->dim[i];
    }
    *out = (piece){n->u.in[0], begin, begin + part->size, 0};
    return part->size > 0;
}

/* The one axis along which the operand of pad d is a piece in steps of one, or -1. */
static int find_axis(const gradc_graph *g, gradc_id d, piece *out)
{
    const gradc_node *n = gradc_node_get(g, d);
    if (n->op != GRADC_OP_pad)
        return -1;
    const gradc_shape *whole = SHAPE(d), *part = SHAPE(n->u.in[0]);
    int axis = -1;
    for (int i = 0; i < whole->rank; i++) {
        if (n->attr[whole->rank + i] != 1 && part->dim[i] != 1)
            return -1; /* spread out, or the other way round */
        if (part->dim[i] == whole->dim[i])
            continue;
        if (axis >= 0)
            return -1;
        axis = i;
        *out = (piece){n->u.in[0], n->attr[i], n->attr[i] + part->dim[i], 0};
    }
    return part->size > 0 ? axis : -1;
}

/* Sorts the contributions into pieces and the rest: runs if there are two or more of
 * them, or else the pieces along the axis of the first that has one. */
static void sort_out(layout *l, size_t n, const gradc_id *d)
{
    gradc_graph *g = l->g;
    size_t runs = 0;
    piece p;
    for (size_t i = 0; i < n; i++)
        runs += find_run(g, d[i], &p);
    l->axis = runs >= 2 ? 0 : -1;
    if (runs >= 2) {
        l->shape.rank = 1;
        l->shape.dim[0] = l->shape.size;
    }
    for (size_t i = 0; i < n; i++) {
        int axis = 0;
        if (runs >= 2)
            axis = find_run(g, d[i], &p) ? 0 : -1;
        else
            axis = find_axis(g, d[i], &p);
        l->axis = l->axis < 0 ? axis : l->axis;
        if (axis < 0 || axis != l->axis) {
            l->rest[l->n_rest++] = d[i];
            continue;
        }
        p.order = i;
        l->piece[l->n++] = p;
    }
}

static int by_begin(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static int by_order(const void *a, const void *b)
{
    const piece *x = a, *y = b;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Elements [begin, end) of piece p along the axis. */
static gradc_id part_of(const layout *l, const piece *p, int64_t begin, int64_t end)
{
    gradc_graph *g = l->g;
    gradc_shape s = l->shape;
    int64_t from[GRADC_MAX_RANK] = {0}, step[GRADC_MAX_RANK];
    s.dim[l->axis] = p->end - p->begin;
    gradc_shape_count(&s);
    const gradc_id x = RESHAPE(p->x, &s);
    if (begin == p->begin && end == p->end)
        return x;
    for (int i = 0; i < s.rank; i++)
        step[i] = 1;
    from[l->axis] = begin - p->begin;
    s.dim[l->axis] = end - begin;
    return gradc_slice(g, x, from, step, s.dim);
}

/* What covers [begin, end): the sum of the `n` open pieces, or zeros. */
static gradc_id cover(const layout *l, piece *open, size_t n, int64_t begin,
                      int64_t end, gradc_id *terms)
{
    gradc_graph *g = l->g;
    const gradc_id x = l->piece[0].x;
    if (n == 0) {
        gradc_shape s = l->shape;
        s.dim[l->axis] = end - begin;
        gradc_shape_count(&s);
        return BROADCAST(ZERO, &s);
    }
    qsort(open, n, sizeof *open, by_order);
    for (size_t i = 0; i < n; i++)
        terms[i] = part_of(l, &open[i], begin, end);
    return gradc_add_up(g, n, terms);
}

/* The pieces, sorted by begin, laid side by side; 0 if so many overlap that padding is
 * cheaper, or after an error. */
static gradc_id lay(layout *l, piece *open, gradc_id *terms, gradc_id *side)
{
    const int64_t end = l->shape.dim[l->axis];
    size_t n_open = 0, n_side = 0, next = 0, covered = 0;
    for (int64_t at = 0; at < end;) {
        for (; next < l->n && l->piece[next].begin == at; next++)
            open[n_open++] = l->piece[next];
        int64_t until = next < l->n ? l->piece[next].begin : end;
        for (size_t i = 0; i < n_open; i++)
            until = open[i].end < until ? open[i].end : until;
        covered += n_open;
        if (covered > 4 * l->n)
            return 0;
        side[n_side++] = cover(l, open, n_open, at, until, terms);
        at = until;
        size_t left = 0;
        for (size_t i = 0; i < n_open; i++)
            if (open[i].end > at)
                open[left++] = open[i];
        n_open = left;
    }
    return gradc_concat(l->g, n_side, side, l->axis);
}

static gradc_id lay_and_add(layout *l, size_t n, const gradc_id *d)
{
    gradc_graph *g = l->g;
    piece *open = gradc_alloc(l->n * sizeof *open);
    gradc_id *terms = gradc_alloc(l->n * sizeof *terms);
    gradc_id *side = gradc_alloc((2 * l->n + 1) * sizeof *side);
    gradc_id r = 0;
    if (open == NULL || terms == NULL || side == NULL) {
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
    } else {
        qsort(l->piece, l->n, sizeof *l->piece, by_begin);
        r = lay(l, open, terms, side);
        if (r != 0) {
            l->rest[l->n_rest++] = RESHAPE(r, SHAPE(d[0]));
            r = gradc_add_up(g, l->n_rest, l->rest);
        } else if (g->status == GRADC_OK) {
            r = gradc_add_up(g, n, d);
        }
    }
    gradc_release(open);
    gradc_release(terms);
    gradc_release(side);
    return r;
}

gradc_id gradc_meet(gradc_graph *g, size_t n, gradc_id *d)
{
    if (n > 1)
        n = gradc_unite_phases(g, n, d);
    if (n == 1 || g->status != GRADC_OK)
        return d[0];
    layout l = {.g = g, .shape = *SHAPE(d[0])};
    l.piece = gradc_alloc(n * sizeof *l.piece);
    l.rest = gradc_alloc((n + 1) * sizeof *l.rest);
    gradc_id r = 0;
    if (l.piece == NULL || l.rest == NULL) {
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
    } else {
        sort_out(&l, n, d);
        r = l.n >= 2 ? lay_and_add(&l, n, d) : gradc_add_up(g, n, d);
    }
    gradc_release(l.piece);
    gradc_release(l.rest);
    return r;
}
