/* cone.c -- the part of a graph that a node depends on, whole or down to known nodes.
 *
 * A trace is evaluated piece by piece when the program asks for values; each piece is
 * found again by the hash of its nodes, renumbered from 0 in order of id. */
#include <stdlib.h>
#include <string.h>

#include "ir/graph.h"

void gradc_mark(gradc_graph *g, gradc_id x)
{
    if (x != 0 && x <= g->size)
        g->chunk[(x - 1) / GRADC_CHUNK][(x - 1) % GRADC_CHUNK].marked = 1;
}

static bool is_known(const gradc_node *n)
{
    return n->marked || n->op == GRADC_OP_input;
}

static int by_id(const void *a, const void *b)
{
    const gradc_id x = *(const gradc_id *)a, y = *(const gradc_id *)b;
    return (x > y) - (x < y);
}

/* A set of ids: open addressing from id to its place in `list`. */
typedef struct id_set {
    gradc_id *list, *slot;
    size_t n, room; /* room: a power of two, at least twice n */
} id_set;

static size_t slot_of(const id_set *s, gradc_id x)
{
    size_t i = gradc_hash_mix(1, x) & (s->room - 1);
    while (s->slot[i] != 0 && s->list[s->slot[i] - 1] != x)
        i = (i + 1) & (s->room - 1);
    return i;
}

static bool set_grow(id_set *s)
{
    const size_t room = s->room ? 2 * s->room : 64;
    gradc_id *list = gradc_realloc(s->list, room / 2 * sizeof *list);
    if (list == NULL)
        return false;
    s->list = list;
    gradc_id *slot = gradc_alloc_zero(room, sizeof *slot);
    if (slot == NULL)
        return false;
    gradc_release(s->slot);
    s->slot = slot;
    s->room = room;
    for (size_t i = 0; i < s->n; i++)
        s->slot[slot_of(s, s->list[i])] = (gradc_id)(i + 1);
    return true;
}

static bool set_add(id_set *s, gradc_id x)
{
    if (2 * (s->n + 1) > s->room && !set_grow(s))
        return false;
    const size_t i = slot_of(s, x);
    if (s->slot[i] == 0) {
        s->list[s->n++] = x;
        s->slot[i] = (gradc_id)s->n;
    }
    return true;
}

/* All nodes of the cone of y, known ones included, in order of id. */
static bool collect(const gradc_graph *g, gradc_id y, id_set *s)
{
    if (!set_add(s, y))
        return false;
    for (size_t at = 0; at < s->n; at++) {
        const gradc_node *n = gradc_node_get(g, s->list[at]);
        if (is_known(n))
            continue;
        for (uint32_t i = 0; i < n->n_in; i++)
            if (!set_add(s, gradc_node_in(n)[i]))
                return false;
    }
    return true;
}

static void hash_cone_node(const gradc_graph *g, const id_set *s, gradc_id x,
                           gradc_hash *h)
{
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_shape *shape = g->shape[n->shape];
    const bool known = is_known(n);
    gradc_hash_add(h, (known ? GRADC_OP_COUNT : n->op) | (uint64_t)n->dtype << 16 |
                          (uint64_t)shape->rank << 32);
    for (int i = 0; i < shape->rank; i++)
        gradc_hash_add(h, (uint64_t)shape->dim[i]);
    if (known)
        return;
    gradc_hash_add(h, n->op == GRADC_OP_constant ? (uint64_t)n->value.i : 0);
    for (uint32_t i = 0; i < n->n_in; i++)
        gradc_hash_add(h, s->slot[slot_of(s, gradc_node_in(n)[i])]);
    for (uint32_t i = 0; i < n->n_attr; i++)
        gradc_hash_add(h, (uint64_t)n->attr[i]);
}

size_t gradc_cone(const gradc_graph *g, gradc_id y, gradc_id *leaves, size_t size,
                  uint64_t hash[2])
{
    id_set s = {0};
    size_t n_leaves = (size_t)-1;
    if (!collect(g, y, &s))
        goto done;
    qsort(s.list, s.n, sizeof *s.list, by_id);
    memset(s.slot, 0, s.room * sizeof *s.slot);
    for (size_t i = 0; i < s.n; i++)
        s.slot[slot_of(&s, s.list[i])] = (gradc_id)(i + 1);

    gradc_hash h = {{0}};
    n_leaves = 0;
    for (size_t i = 0; i < s.n; i++) {
        hash_cone_node(g, &s, s.list[i], &h);
        if (is_known(gradc_node_get(g, s.list[i]))) {
            if (n_leaves < size)
                leaves[n_leaves] = s.list[i];
            n_leaves++;
        }
    }
    memcpy(hash, h.lane, sizeof h.lane);
done:
    gradc_release(s.list);
    gradc_release(s.slot);
    return n_leaves;
}

/* How many different operands of n depend on a variable. */
static int32_t fan_of(const gradc_graph *g, const gradc_node *n)
{
    const gradc_id *in = gradc_node_in(n);
    int32_t fan = 0;
    for (uint32_t i = 0; i < n->n_in; i++) {
        bool again = !(gradc_node_get(g, in[i])->role & GRADC_VARIABLE);
        for (uint32_t k = 0; k < i && k < 4 && !again; k++)
            again = in[k] == in[i];
        fan += !again;
    }
    return fan;
}

size_t gradc_reach(const gradc_graph *g, gradc_id y, size_t size, gradc_id *x,
                   int32_t *op, int32_t *fan)
{
    if (y == 0 || y > g->size)
        return 0;
    bool *reached = gradc_alloc_zero((size_t)y + 1, sizeof *reached);
    if (reached == NULL)
        return (size_t)-1;
    reached[y] = true;
    size_t n = 0;
    for (gradc_id r = y; r > 0; r--) {
        if (!reached[r])
            continue;
        const gradc_node *node = gradc_node_get(g, r);
        for (uint32_t i = 0; i < node->n_in; i++)
            reached[gradc_node_in(node)[i]] = true;
        n++;
    }
    size_t at = 0;
    for (gradc_id r = 1; r <= y && at < size; r++) {
        if (!reached[r])
            continue;
        const gradc_node *node = gradc_node_get(g, r);
        x[at] = r;
        op[at] = node->op;
        fan[at++] = fan_of(g, node);
    }
    gradc_release(reached);
    return n;
}
