/* assemble.c -- concat and pad inside the loop that reads them.
 *
 * The cotangent of a slice is a pad, np.roll is a concat, and a stencil has several of
 * each. As steps of their own they write whole arrays that a loop then reads once. If
 * one loop alone reads such a value, in its order, each block of it is put together in
 * a register instead, lines at a time. */
#include "run/assemble.h"

#include <string.h>

#include "ir/shape.h"
#include "run/lower.h"

/* Regions searched for each block; elements of a line that are worth the search. */
enum { MOST_REGIONS = 8, LEAST_LINE = 32 };

/* ---- the loop's part ---- */

/* Part of the whole: a run within a line, or `rows` whole lines next to each other. */
typedef struct window {
    const int64_t *at; /* its first element */
    int64_t rows, cols;
} window;

/* The overlap of [begin, begin + n) and [low, low + count), from `low` on. */
static int64_t overlap(int64_t begin, int64_t n, int64_t low, int64_t count,
                       int64_t *from)
{
    const int64_t end = begin + n < low + count ? begin + n : low + count;
    *from = begin > low ? begin : low;
    return end - *from;
}

static void put(const gradc_assembly *a, char *to, const char *from,
                const int64_t *stride, const int64_t *dim, int64_t line)
{
    const int64_t to_stride[2] = {line, 1};
    if (!a->adds) {
        a->move->copy(to, to_stride, from, stride, 2, dim);
        return;
    }
    const int64_t size = (int64_t)a->element;
    for (int64_t i = 0; i < dim[0]; i++) {
        char *row = to + i * line * size;
        const char *x = from + i * stride[0] * size;
        a->add(row, row, x, x, (size_t)dim[1]);
    }
}

/* What region p has in window w, whose first element is at `to`. */
static void load_region(const gradc_assembly *a, const gradc_frame *f,
                        const assembly_region *p, window w, char *to)
{
    const int last = a->rank - 1, across = last - 1;
    const int64_t size = (int64_t)a->element, *x = p->from.stride;
    int64_t col, row = 0, dim[2] = {1, 0}, stride[2] = {0, x[last]};
    dim[1] = overlap(w.at[last], w.cols, p->begin[last], p->from.dim[last], &col);
    int64_t offset = (col - p->begin[last]) * x[last];
    to += (col - w.at[last]) * size;
    if (last > 0) {
        dim[0] =
            overlap(w.at[across], w.rows, p->begin[across], p->from.dim[across], &row);
        stride[0] = x[across];
        offset += (row - p->begin[across]) * x[across];
        to += (row - w.at[across]) * a->dim[last] * size;
    }
    bool inside = dim[0] > 0 && dim[1] > 0;
    for (int k = 0; k < across; k++) {
        const int64_t i = w.at[k] - p->begin[k];
        inside = inside && i >= 0 && i < p->from.dim[k];
        offset += i * x[k];
    }
    if (inside)
        put(a, to, (char *)gradc_ref_at(f, p->from.at) + offset * size, stride, dim,
            a->dim[last]);
}

void gradc_assembly_load(const gradc_assembly *a, const gradc_frame *f, char *to,
                         size_t begin, size_t n)
{
    const int last = a->rank - 1;
    int64_t at[GRADC_MAX_RANK], index = (int64_t)begin, left = (int64_t)n;
    if (!a->covered && !a->adds)
        memset(to, 0, n * a->element);
    for (int k = last; k >= 0; index /= a->dim[k], k--)
        at[k] = index % a->dim[k];
    while (left > 0) {
        const int64_t line = a->dim[last], rest = line - at[last];
        window w = {at, 1, rest < left ? rest : left};
        if (rest == line && left >= line && last > 0) {
            const int64_t rows = a->dim[last - 1] - at[last - 1];
            w.rows = left / line < rows ? left / line : rows;
        }
        for (uint32_t i = 0; i < a->n; i++)
            load_region(a, f, &a->region[i], w, to);
        to += w.rows * w.cols * (int64_t)a->element;
        left -= w.rows * w.cols;
        at[last] = 0;
        if (last > 0)
            at[last - 1] += w.rows - 1;
        for (int k = last - 1; k >= 0 && ++at[k] == a->dim[k]; k--)
            at[k] = 0;
    }
}

/* ---- what a node is made of ---- */

typedef struct piece {
    gradc_view v;
    int64_t begin[GRADC_MAX_RANK];
} piece;

typedef struct layout {
    gradc_shape shape;
    uint32_t n;
    piece piece[MOST_REGIONS];
} layout;

static void drop_axis(layout *y, int axis)
{
    const size_t bytes = (size_t)(--y->shape.rank - axis) * sizeof(int64_t);
    memmove(&y->shape.dim[axis], &y->shape.dim[axis + 1], bytes);
    for (uint32_t k = 0; k < y->n; k++) {
        piece *p = &y->piece[k];
        memmove(&p->v.shape.dim[axis], &p->v.shape.dim[axis + 1], bytes);
        memmove(&p->v.stride[axis], &p->v.stride[axis + 1], bytes);
        memmove(&p->begin[axis], &p->begin[axis + 1], bytes);
        p->v.shape.rank--;
    }
}

/* Whether every piece goes on from a line along axis + 1 to the next without a gap, in
 * the whole and in memory. */
static bool can_join(const layout *y, int axis)
{
    for (uint32_t k = 0; k < y->n; k++) {
        const piece *p = &y->piece[k];
        const int64_t n = p->v.shape.dim[axis + 1];
        if (p->begin[axis + 1] != 0 || n != y->shape.dim[axis + 1] ||
            (p->v.shape.dim[axis] != 1 &&
             p->v.stride[axis] != p->v.stride[axis + 1] * n))
            return false;
    }
    return true;
}

/* Makes lines as long as they can be. */
static void join_axes(layout *y)
{
    for (int i = y->shape.rank - 1; i >= 0; i--) {
        if (y->shape.dim[i] == 1) {
            drop_axis(y, i);
        } else if (i + 1 < y->shape.rank && can_join(y, i)) {
            const int64_t n = y->shape.dim[i + 1];
            y->shape.dim[i + 1] *= y->shape.dim[i];
            for (uint32_t k = 0; k < y->n; k++) {
                piece *p = &y->piece[k];
                p->v.shape.dim[i + 1] *= p->v.shape.dim[i];
                p->begin[i + 1] = p->begin[i] * n;
            }
            drop_axis(y, i);
        }
    }
}

/* Whether concat or pad r has few pieces, none of which is spread out or empty. */
static bool describe(const gradc_graph *g, gradc_id r, layout *out)
{
    const gradc_node *n = gradc_node_get(g, r);
    const int rank = gradc_shape_of(g, r)->rank;
    int64_t offset = 0;
    if (n->n_in > MOST_REGIONS)
        return false;
    *out = (layout){.shape = *gradc_shape_of(g, r), .n = n->n_in};
    for (uint32_t k = 0; k < n->n_in; k++) {
        piece *p = &out->piece[k];
        gradc_view_resolve(g, gradc_node_in(n)[k], &p->v);
        if (p->v.shape.size == 0)
            return false;
        for (int i = 0; n->op == GRADC_OP_pad && i < rank; i++) {
            p->begin[i] = n->attr[i];
            if (n->attr[rank + i] != 1)
                return false;
        }
        if (n->op == GRADC_OP_concat) {
            p->begin[n->attr[0]] = offset;
            offset += p->v.shape.dim[n->attr[0]];
        }
    }
    join_axes(out);
    return true;
}

/* ---- which are assembled ---- */

enum { SEVERAL = UINT32_MAX };

/* In l->slot, by id: the one loop stage that reads a concat or pad, in its order,
 * counting from 1; SEVERAL if it is read otherwise. */
static void find_readers(gradc_lowering *l)
{
    for (uint32_t at = 0; at < l->s->n_stage; at++) {
        const gradc_stage *st = &l->s->stage[at];
        for (uint32_t i = 0; i < st->count; i++) {
            const gradc_node *n = gradc_node_get(l->g, l->s->node[st->first + i]);
            for (uint32_t k = 0; k < n->n_in; k++) {
                gradc_view v;
                gradc_view_resolve(l->g, gradc_node_in(n)[k], &v);
                uint32_t *by = &l->slot[v.root - 1];
                const bool fits = st->is_loop && gradc_view_is_whole(l->g, &v) &&
                                  l->g->shape[st->space]->size == v.shape.size;
                *by = fits && (*by == 0 || *by == at + 1) ? at + 1 : SEVERAL;
            }
        }
    }
}

/* Whether all pieces of y have memory when it is read, and none could be computed in
 * its place in r. */
static bool has_memory(const gradc_lowering *l, gradc_id r, const layout *y)
{
    for (uint32_t k = 0; k < y->n; k++)
        if (l->assembled[y->piece[k].v.root - 1] ||
            gradc_can_live_in(l, r, gradc_node_in(gradc_node_get(l->g, r))[k]))
            return false;
    return true;
}

void gradc_find_assembled(gradc_lowering *l)
{
    find_readers(l);
    for (uint32_t at = 0; at < l->s->n_stage; at++) {
        const gradc_id r = l->s->node[l->s->stage[at].first];
        const gradc_step step = gradc_node_row(gradc_node_get(l->g, r))->step;
        const uint32_t by = l->slot[r - 1];
        layout y;
        if ((step != GRADC_STEP_CONCAT && step != GRADC_STEP_PAD) || by == 0 ||
            by == SEVERAL || l->last_use[r - 1] == NEVER_DEAD ||
            !describe(l->g, r, &y) || y.shape.rank == 0 ||
            y.shape.dim[y.shape.rank - 1] < LEAST_LINE || !has_memory(l, r, &y))
            continue;
        l->assembled[r - 1] = true;
        for (uint32_t k = 0; k < y.n; k++) {
            uint32_t *until = &l->last_use[y.piece[k].v.root - 1];
            *until = *until < by ? by : *until;
        }
    }
}

bool gradc_can_add(const gradc_lowering *l, gradc_id r)
{
    layout y;
    return l->assembled[r - 1] && gradc_node_get(l->g, r)->op == GRADC_OP_pad &&
           describe(l->g, r, &y) && y.piece[0].v.stride[y.shape.rank - 1] == 1;
}

/* ---- lowering ---- */

gradc_assembly *gradc_lower_assembly(gradc_lowering *l, gradc_id r, bool adds)
{
    layout y;
    gradc_assembly *a = gradc_lower_get(l, sizeof *a);
    if (a == NULL || !describe(l->g, r, &y))
        return NULL;
    const size_t bytes = (size_t)y.shape.rank * sizeof(int64_t);
    *a = (gradc_assembly){
        .rank = y.shape.rank,
        .dim = gradc_lower_get(l, bytes),
        .n = y.n,
        .region = gradc_lower_get(l, y.n * sizeof *a->region),
        .covered = gradc_node_get(l->g, r)->op == GRADC_OP_concat,
        .adds = adds,
        .add = l->kernels->map[gradc_dtype_of(l->g, r)]->map[GRADC_OP_add],
        .element = gradc_dtype_size(gradc_dtype_of(l->g, r)),
        .move = l->kernels->move[gradc_dtype_of(l->g, r)],
    };
    if (a->dim == NULL || a->region == NULL)
        return NULL;
    memcpy(a->dim, y.shape.dim, bytes);
    for (uint32_t k = 0; k < y.n; k++) {
        assembly_region *p = &a->region[k];
        p->begin = gradc_lower_get(l, bytes);
        if (p->begin == NULL || gradc_lower_array(l, &y.piece[k].v, false, &p->from))
            return NULL;
        memcpy(p->begin, y.piece[k].begin, bytes);
    }
    return a;
}
