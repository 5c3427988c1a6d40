/* graph.c -- storage and interning of nodes and shapes, and the graph's first error.
 *
 * Nodes stand in chunks that never move; operand lists beyond GRADC_INLINE_IN,
 * attributes and shapes are in the arena. One open-addressing table finds equal
 * nodes; equality is by bits, so 0.0 and -0.0 are different constants. A failed call
 * leaves the graph as it was, but for its error. */
#include "ir/graph.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ir/shape.h"

enum { FIRST_TABLE = 64, FIRST_SHAPES = 16 };

gradc_status gradc_fail(gradc_graph *g, gradc_status status, const char *format, ...)
{
    if (g->status == GRADC_OK) {
        va_list args;
        va_start(args, format);
        vsnprintf(g->message, sizeof g->message, format, args);
        va_end(args);
        g->status = status;
    }
    return status;
}

static gradc_status no_memory(gradc_graph *g)
{
    return gradc_fail(g, GRADC_ENOMEM, "out of memory");
}

gradc_graph *gradc_graph_new(void)
{
    gradc_graph *g = gradc_alloc_zero(1, sizeof *g);
    if (g != NULL)
        atomic_flag_clear(&g->busy);
    return g;
}

void gradc_graph_free(gradc_graph *g)
{
    if (g == NULL)
        return;
    for (uint32_t i = 0; i < g->n_chunk; i++)
        gradc_release(g->chunk[i]);
    gradc_release(g->table);
    gradc_arena_clear(&g->arena);
    gradc_release(g);
}

gradc_status gradc_graph_status(const gradc_graph *g, const char **msg)
{
    if (msg != NULL)
        *msg = g->message;
    return g->status;
}

void gradc_graph_recover(gradc_graph *g)
{
    g->status = GRADC_OK;
    g->message[0] = 0;
}

size_t gradc_graph_size(const gradc_graph *g) { return g->size; }

void gradc_graph_hash(const gradc_graph *g, uint64_t out[2])
{
    out[0] = g->hash.lane[0];
    out[1] = g->hash.lane[1];
}

/* ---- growing, by one thread at a time ---- */

static void begin(gradc_graph *g)
{
    while (atomic_flag_test_and_set_explicit(&g->busy, memory_order_acquire))
        sched_yield();
}

static void end(gradc_graph *g)
{
    atomic_flag_clear_explicit(&g->busy, memory_order_release);
}

/* The list with room for more. The old one stays: other threads may be reading it. */
static void *longer(gradc_graph *g, const void *list, size_t n, size_t room,
                    size_t size)
{
    void *grown = gradc_arena_get(&g->arena, room * size);
    if (grown != NULL && n > 0)
        memcpy(grown, list, n * size);
    return grown;
}

/* ---- shapes ---- */

/* Index of the interned `s`. Few shapes occur in a graph, and mostly the last ones. */
static gradc_status intern_shape(gradc_graph *g, const gradc_shape *s, uint32_t *out)
{
    for (uint32_t i = g->n_shape; i-- > 0;)
        if (gradc_shape_equal(g->shape[i], s)) {
            *out = i;
            return GRADC_OK;
        }
    if (g->n_shape == g->shape_room) {
        const uint32_t room = g->shape_room ? 2 * g->shape_room : FIRST_SHAPES;
        void *grown = longer(g, g->shape, g->n_shape, room, sizeof *g->shape);
        if (grown == NULL)
            return no_memory(g);
        g->shape = grown;
        g->shape_room = room;
    }
    gradc_shape *kept = gradc_arena_get(&g->arena, sizeof *kept);
    if (kept == NULL)
        return no_memory(g);
    *kept = *s;
    g->shape[g->n_shape] = kept;
    *out = g->n_shape++;
    return GRADC_OK;
}

/* ---- interning ---- */

static uint64_t hash_node(const gradc_node *n)
{
    uint64_t h = gradc_hash_mix(n->op | (uint64_t)n->dtype << 16, n->shape);
    h = gradc_hash_mix(h, (uint64_t)n->value.i);
    const gradc_id *in = gradc_node_in(n);
    for (uint32_t i = 0; i < n->n_in; i++)
        h = gradc_hash_mix(h, in[i]);
    for (uint32_t i = 0; i < n->n_attr; i++)
        h = gradc_hash_mix(h, (uint64_t)n->attr[i]);
    return h;
}

static bool same_node(const gradc_node *a, const gradc_node *b)
{
    return a->op == b->op && a->dtype == b->dtype && a->shape == b->shape &&
           a->n_in == b->n_in && a->n_attr == b->n_attr && a->value.i == b->value.i &&
           memcmp(gradc_node_in(a), gradc_node_in(b), a->n_in * sizeof(gradc_id)) ==
               0 &&
           (a->n_attr == 0 ||
            memcmp(a->attr, b->attr, a->n_attr * sizeof(int64_t)) == 0);
}

/* The slot of a node equal to `n`, or the empty one where it belongs. */
static size_t find_slot(const gradc_graph *g, const gradc_node *n)
{
    size_t i = hash_node(n) & (g->table_size - 1);
    while (g->table[i] != 0 && !same_node(gradc_node_get(g, g->table[i]), n))
        i = (i + 1) & (g->table_size - 1);
    return i;
}

/* Room for one more node in the table and in the chunks. */
static gradc_status reserve(gradc_graph *g)
{
    if (2 * (size_t)g->size >= g->table_size) {
        const size_t old_size = g->table_size;
        gradc_id *old = g->table;
        const size_t room = old_size ? 4 * old_size : FIRST_TABLE;
        gradc_id *grown = gradc_alloc_zero(room, sizeof *grown);
        if (grown == NULL)
            return no_memory(g);
        g->table = grown;
        g->table_size = room;
        for (size_t i = 0; i < old_size; i++)
            if (old[i] != 0)
                g->table[find_slot(g, gradc_node_get(g, old[i]))] = old[i];
        gradc_release(old);
    }
    if (g->size == g->n_chunk * GRADC_CHUNK) {
        /* The list of chunks doubles whenever their number is a power of two. */
        if ((g->n_chunk & (g->n_chunk - 1)) == 0) {
            const size_t room = g->n_chunk ? 2 * (size_t)g->n_chunk : 1;
            void *grown = longer(g, g->chunk, g->n_chunk, room, sizeof *g->chunk);
            if (grown == NULL)
                return no_memory(g);
            g->chunk = grown;
        }
        gradc_node *c = gradc_alloc(GRADC_CHUNK * sizeof *c);
        if (c == NULL)
            return no_memory(g);
        g->chunk[g->n_chunk++] = c;
    }
    return GRADC_OK;
}

/* `n` as the next node; its arrays must already be the graph's own. */
static gradc_id append(gradc_graph *g, const gradc_node *n)
{
    const gradc_shape *s = g->shape[n->shape];
    gradc_hash_add(&g->hash, n->op | (uint64_t)n->dtype << 16 |
                                 (uint64_t)n->role << 24 | (uint64_t)s->rank << 32);
    for (int i = 0; i < s->rank; i++)
        gradc_hash_add(&g->hash, (uint64_t)s->dim[i]);
    gradc_hash_add(&g->hash, (uint64_t)n->value.i);
    const gradc_id *in = gradc_node_in(n);
    for (uint32_t i = 0; i < n->n_in; i++)
        gradc_hash_add(&g->hash, in[i]);
    for (uint32_t i = 0; i < n->n_attr; i++)
        gradc_hash_add(&g->hash, (uint64_t)n->attr[i]);

    g->chunk[g->size / GRADC_CHUNK][g->size % GRADC_CHUNK] = *n;
    return ++g->size;
}

/* Copies operands and attributes of the draft `n` into the arena. */
static gradc_status adopt(gradc_graph *g, gradc_node *n)
{
    if (n->n_in > GRADC_INLINE_IN) {
        gradc_id *in = gradc_arena_get(&g->arena, n->n_in * sizeof *in);
        if (in == NULL)
            return no_memory(g);
        memcpy(in, n->u.more, n->n_in * sizeof *in);
        n->u.more = in;
    }
    if (n->n_attr > 0) {
        int64_t *attr = gradc_arena_get(&g->arena, n->n_attr * sizeof *attr);
        if (attr == NULL)
            return no_memory(g);
        memcpy(attr, n->attr, n->n_attr * sizeof *attr);
        n->attr = attr;
    }
    return GRADC_OK;
}

/* The node equal to the draft `n`, whose shape is set, found or made. */
static gradc_id intern(gradc_graph *g, gradc_node *n)
{
    if (reserve(g) != GRADC_OK)
        return 0;
    const size_t slot = find_slot(g, n);
    if (g->table[slot] != 0)
        return g->table[slot];
    if (adopt(g, n) != GRADC_OK)
        return 0;
    return g->table[slot] = append(g, n);
}

static gradc_id add(gradc_graph *g, gradc_op op, size_t n_in, const gradc_id *in,
                    size_t n_attr, const int64_t *attr)
{
    gradc_node n = {.op = (uint16_t)op,
                    .n_in = (uint32_t)n_in,
                    .n_attr = (uint32_t)n_attr,
                    .attr = attr};
    for (size_t i = 0; i < n_in; i++) {
        if (in[i] == 0)
            return 0;
        if (in[i] > g->size) {
            gradc_fail(g, GRADC_EGRAPH, "%s: operand %zu is no node of this graph",
                       gradc_op_get(op)->name, i);
            return 0;
        }
        n.role |= gradc_node_get(g, in[i])->role;
    }
    if (n_in <= GRADC_INLINE_IN)
        memcpy(n.u.in, in, n_in * sizeof *in);
    else
        n.u.more = in;

    gradc_type type;
    uint32_t shape;
    if (gradc_infer(g, &n, &type) != GRADC_OK ||
        intern_shape(g, &type.shape, &shape) != GRADC_OK)
        return 0;
    n.dtype = type.dtype;
    n.shape = shape;
    return intern(g, &n);
}

gradc_id gradc_graph_add(gradc_graph *g, gradc_op op, size_t n_in, const gradc_id *in,
                         size_t n_attr, const int64_t *attr)
{
    begin(g);
    const gradc_id r = add(g, op, n_in, in, n_attr, attr);
    end(g);
    return r;
}

static gradc_id leaf(gradc_graph *g, gradc_op op, const gradc_type *type, int role,
                     gradc_id x)
{
    const int implied = role & GRADC_DIFFERENTIATED ? GRADC_VARIABLE : 0;
    gradc_node n = {.op = (uint16_t)op,
                    .dtype = (uint8_t)type->dtype,
                    .n_in = x != 0,
                    .role = (role | implied) & 127,
                    .u.in = {x}};
    uint32_t shape;
    if (intern_shape(g, &type->shape, &shape) != GRADC_OK || reserve(g) != GRADC_OK)
        return 0;
    n.shape = shape;
    n.value.i = g->size;
    return append(g, &n);
}

gradc_id gradc_graph_leaf(gradc_graph *g, gradc_op op, const gradc_type *type, int role,
                          gradc_id x)
{
    begin(g);
    const gradc_id r = leaf(g, op, type, role, x);
    end(g);
    return r;
}

/* ---- constants ---- */

static gradc_id constant(gradc_graph *g, gradc_dtype dtype, gradc_value value)
{
    const gradc_shape scalar = {.size = 1};
    gradc_node n = {.op = GRADC_OP_constant, .dtype = (uint8_t)dtype, .value = value};
    uint32_t shape;
    gradc_id r = 0;
    begin(g);
    if (intern_shape(g, &scalar, &shape) == GRADC_OK) {
        n.shape = shape;
        r = intern(g, &n);
    }
    end(g);
    return r;
}

gradc_id gradc_const(gradc_graph *g, gradc_dtype dtype, double value)
{
    if (dtype == GRADC_F64)
        return constant(g, dtype, (gradc_value){.f = value});
    if (dtype == GRADC_F32)
        return constant(g, dtype, (gradc_value){.f = (float)value});
    if ((int)dtype < 0 || dtype >= GRADC_DTYPE_COUNT) {
        gradc_fail(g, GRADC_ETYPE, "constant: unknown dtype %d", (int)dtype);
        return 0;
    }
    if (!(value >= -0x1p63 && value < 0x1p63)) {
        gradc_fail(g, GRADC_EVALUE, "constant: %g is no %s", value,
                   gradc_dtype_name(dtype));
        return 0;
    }
    const int64_t i = (int64_t)value;
    return constant(g, dtype, (gradc_value){.i = dtype == GRADC_BOOL ? i != 0 : i});
}

gradc_id gradc_const_i64(gradc_graph *g, int64_t value)
{
    return constant(g, GRADC_I64, (gradc_value){.i = value});
}
