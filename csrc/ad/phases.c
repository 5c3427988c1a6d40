/* phases.c -- contributions that share out a node by phase become one.
 *
 * Pooling, wavelets and staggered grids read x[::2] and x[1::2]: the polyphase
 * components of x. Padded to full size and added, s contributions of n / s elements
 * would cost s n; stacked and transposed they cost n. Where all are the same, as under
 * a mean, they are one array that is read s times. */
#include <string.h>

#include "ad/rules.h"
#include "ir/shape.h"
#include "ir/words.h"

/* What the pads of a set of phases share. */
typedef struct comb {
    int rank, n_axes;
    int64_t n_phases;
    gradc_shape part, whole;
    int64_t begin[GRADC_MAX_RANK], step[GRADC_MAX_RANK]; /* step 1: no phases */
} comb;

/* Whether d is the first of a set of at most `most` phases. */
static bool find_comb(const gradc_graph *g, gradc_id d, size_t most, comb *out)
{
    const gradc_node *n = gradc_node_get(g, d);
    if (n->op != GRADC_OP_pad)
        return false;
    *out = (comb){.whole = *SHAPE(d), .part = *SHAPE(n->u.in[0]), .n_phases = 1};
    out->rank = out->whole.rank;
    for (int i = 0; i < out->rank; i++) {
        const int64_t step = n->attr[out->rank + i], part = out->part.dim[i];
        out->begin[i] = n->attr[i];
        out->step[i] = step;
        if (step == 1)
            continue;
        if (step < 1 || part < 2 || step * part != out->whole.dim[i] ||
            n->attr[i] != 0 || step > (int64_t)most / out->n_phases)
            return false;
        out->n_phases *= step;
        out->n_axes++;
    }
    return out->n_axes > 0 && out->rank + out->n_axes <= GRADC_MAX_RANK;
}

/* Which phase of `c` pad d is, the last axis fastest; -1 if it is none. */
static int64_t phase_of(const gradc_graph *g, const comb *c, gradc_id d)
{
    const gradc_node *n = gradc_node_get(g, d);
    int64_t phase = 0;
    if (n->op != GRADC_OP_pad || !gradc_shape_equal(SHAPE(n->u.in[0]), &c->part))
        return -1;
    for (int i = 0; i < c->rank; i++) {
        if (n->attr[c->rank + i] != c->step[i] ||
            (c->step[i] == 1 && n->attr[i] != c->begin[i]))
            return -1;
        phase = phase * c->step[i] + (c->step[i] > 1 ? n->attr[i] : 0);
    }
    return phase;
}

/* The shape of `c` with an axis for the phases behind each that has some, of length 1
 * or all. */
static gradc_shape spread(const comb *c, bool all)
{
    gradc_shape s = {.rank = 0};
    for (int i = 0; i < c->rank; i++) {
        s.dim[s.rank++] = c->part.dim[i];
        if (c->step[i] > 1)
            s.dim[s.rank++] = all ? c->step[i] : 1;
    }
    gradc_shape_count(&s);
    return s;
}

/* Operands x[phase] stacked on axes of phases in front, which then go to their
 * places. */
static gradc_id weave(gradc_graph *g, const comb *c, const gradc_id *x, gradc_id *rows)
{
    gradc_shape row = {.rank = c->rank + 1, .dim = {1}}, stack = {.rank = 0};
    int perm[GRADC_MAX_RANK], n = 0;
    memcpy(row.dim + 1, c->part.dim, (size_t)c->rank * sizeof *row.dim);
    gradc_shape_count(&row);
    for (int64_t k = 0; k < c->n_phases; k++)
        rows[k] = RESHAPE(x[k], &row);
    for (int i = 0; i < c->rank; i++)
        if (c->step[i] > 1)
            stack.dim[stack.rank++] = c->step[i];
    for (int i = 0, phases = 0; i < c->rank; i++) {
        perm[n++] = stack.rank;
        stack.dim[stack.rank++] = c->part.dim[i];
        if (c->step[i] > 1)
            perm[n++] = phases++;
    }
    gradc_shape_count(&stack);
    const gradc_id r = gradc_concat(g, (size_t)c->n_phases, rows, 0);
    return gradc_transpose(g, RESHAPE(r, &stack), perm);
}

/* The union of the phases, as a pad of what is left to pad. */
static gradc_id unite(gradc_graph *g, const comb *c, const gradc_id *x, gradc_id *rows)
{
    const gradc_shape ones = spread(c, false), all = spread(c, true);
    gradc_shape part = c->part;
    int64_t step[GRADC_MAX_RANK];
    bool same = true;
    for (int64_t k = 1; k < c->n_phases; k++)
        same = same && x[k] == x[0];
    const gradc_id r =
        same ? BROADCAST(RESHAPE(x[0], &ones), &all) : weave(g, c, x, rows);
    for (int i = 0; i < c->rank; i++) {
        part.dim[i] *= c->step[i];
        step[i] = 1;
    }
    gradc_shape_count(&part);
    return gradc_pad(g, RESHAPE(r, &part), c->begin, step, c->whole.dim);
}

/* Unites the phases that d[first] begins, if all are there: d[first] becomes the union,
 * the others 0. `x` and `rows` have room for n nodes, `at` for n numbers. */
static void unite_from(gradc_graph *g, size_t n, gradc_id *d, size_t first, gradc_id *x,
                       gradc_id *rows, size_t *at)
{
    comb c;
    int64_t found = 0;
    if (d[first] == 0 || !find_comb(g, d[first], n, &c))
        return;
    memset(x, 0, (size_t)c.n_phases * sizeof *x);
    for (size_t i = 0; i < n; i++) {
        const int64_t phase = d[i] != 0 ? phase_of(g, &c, d[i]) : -1;
        if (phase < 0 || x[phase] != 0)
            continue;
        x[phase] = gradc_node_get(g, d[i])->u.in[0];
        at[found++] = i;
    }
    if (found < c.n_phases)
        return;
    for (int64_t k = 0; k < found; k++)
        d[at[k]] = 0;
    d[first] = unite(g, &c, x, rows);
}

size_t gradc_unite_phases(gradc_graph *g, size_t n, gradc_id *d)
{
    comb c;
    size_t first = 0;
    while (first < n && !find_comb(g, d[first], n, &c))
        first++;
    if (first == n)
        return n;
    gradc_id *x = gradc_alloc(2 * n * sizeof *x);
    size_t *at = gradc_alloc(n * sizeof *at), left = 0;
    if (x == NULL || at == NULL)
        gradc_fail(g, GRADC_ENOMEM, "out of memory");
    for (size_t i = first; i < n && g->status == GRADC_OK; i++)
        unite_from(g, n, d, i, x, x + n, at);
    for (size_t i = 0; i < n; i++)
        if (d[i] != 0)
            d[left++] = d[i];
    gradc_release(x);
    gradc_release(at);
    return left;
}
