/* optimise.c -- the pipeline: drop what no result needs, rebuild the rest simplified.
 *
 * One pass marks from the results down, one rebuilds in order of id through
 * gradc_simplify; interning in the new graph finds what became equal. */
#include "opt/optimise.h"

#include <stdio.h>
#include <string.h>

#include "ir/shape.h"
#include "ir/words.h"

/* Operations an element that may be repeated to save storing it. */
enum { MOST_PUSHED = 24 };

typedef struct pass {
    const gradc_graph *from;
    gradc_graph *to;
    gradc_id *map;    /* by id: the node in `to`, 0 if not made */
    bool *needed;     /* by id */
    uint32_t *sliced; /* by id: how many large slices are taken of it */
    uint32_t *uses;   /* by id: how often it is an operand or a result */
    bool *stacked;    /* by id: a product that is part of its user (opt/stack.c) */
    gradc_message *msg;
} pass;

static gradc_status fail(gradc_message *msg, gradc_status status, const char *text)
{
    if (msg != NULL)
        snprintf(msg->text, sizeof msg->text, "%s", text);
    return status;
}

/* The args become the inputs of the new graph, in order. */
static gradc_status bind_args(pass *p, size_t n, const gradc_id *args)
{
    for (size_t i = 0; i < n; i++) {
        if (args[i] == 0 || args[i] > p->from->size)
            return fail(p->msg, GRADC_EGRAPH, "compile: an argument is no node");
        if (p->map[args[i]] != 0)
            return fail(p->msg, GRADC_EVALUE, "compile: an argument is given twice");
        const gradc_shape *s = gradc_shape_of(p->from, args[i]);
        p->map[args[i]] = gradc_input(p->to, gradc_dtype_of(p->from, args[i]), s->rank,
                                      s->dim, GRADC_DATA);
        if (p->map[args[i]] == 0)
            return fail(p->msg, p->to->status, p->to->message);
    }
    return GRADC_OK;
}

static gradc_status mark(pass *p, size_t n, const gradc_id *results)
{
    for (size_t i = 0; i < n; i++) {
        if (results[i] == 0 || results[i] > p->from->size)
            return fail(p->msg, GRADC_EGRAPH, "compile: a result is no node");
        p->needed[results[i]] = true;
        p->uses[results[i]]++;
    }
    for (gradc_id x = p->from->size; x > 0; x--) {
        if (!p->needed[x] || p->map[x] != 0)
            continue;
        const gradc_node *n_x = gradc_node_get(p->from, x);
        if (n_x->op == GRADC_OP_input)
            return fail(p->msg, GRADC_EGRAPH,
                        "compile: a result depends on an input that is no argument");
        for (uint32_t k = 0; k < n_x->n_in; k++) {
            p->needed[gradc_node_in(n_x)[k]] = true;
            p->uses[gradc_node_in(n_x)[k]]++;
        }
        if (n_x->op == GRADC_OP_slice &&
            gradc_shape_of(p->from, x)->size >
                gradc_shape_of(p->from, n_x->u.in[0])->size / 4)
            p->sliced[n_x->u.in[0]]++;
    }
    return GRADC_OK;
}

/* Finds the sums of products that become one; a product that is an argument is not
 * computed. */
static void find_stacks(pass *p)
{
    for (gradc_id x = 1; x <= p->from->size; x++)
        if (p->needed[x] && p->map[x] == 0)
            gradc_find_stack(p->from, x, p->uses, p->stacked);
    for (gradc_id x = 1; x <= p->from->size; x++)
        p->stacked[x] = p->stacked[x] && p->map[x] == 0;
}

/* Whether an operand of n is one of its stacked products. */
static bool has_stack(const pass *p, const gradc_node *n)
{
    for (uint32_t k = 0; n->op == GRADC_OP_addn && k < n->n_in; k++)
        if (p->stacked[gradc_node_in(n)[k]])
            return true;
    return false;
}

static gradc_id simplified(pass *p, const gradc_node *n, const gradc_id *in,
                           gradc_evaluator *evaluate)
{
    gradc_id r = 0;
    if (n->op == GRADC_OP_slice) {
        const uint32_t slices = p->sliced[n->u.in[0]];
        r = gradc_push_slice(p->to, n, in[0], MOST_PUSHED / (int)(slices + !slices));
    }
    if (r == 0 && p->to->status == GRADC_OK)
        r = gradc_simplify(p->to, n, in, evaluate);
    return r;
}

static gradc_status rebuild(pass *p, gradc_evaluator *evaluate)
{
    gradc_id *in = NULL;
    uint32_t room = 0;
    gradc_status status = GRADC_OK;
    for (gradc_id x = 1; x <= p->from->size && status == GRADC_OK; x++) {
        if (!p->needed[x] || p->map[x] != 0 || p->stacked[x])
            continue;
        const gradc_node *n = gradc_node_get(p->from, x);
        if (n->n_in > room) {
            gradc_id *grown = gradc_realloc(in, 2 * n->n_in * sizeof *in);
            if (grown == NULL) {
                status = fail(p->msg, GRADC_ENOMEM, "out of memory");
                break;
            }
            in = grown;
            room = 2 * n->n_in;
        }
        for (uint32_t k = 0; k < n->n_in; k++)
            in[k] = p->map[gradc_node_in(n)[k]];
        p->map[x] = has_stack(p, n) ? gradc_stack(p->to, p->from, n, p->map, p->stacked)
                                    : simplified(p, n, in, evaluate);
        if (p->map[x] == 0)
            status = fail(p->msg, p->to->status, p->to->message);
    }
    gradc_release(in);
    return status;
}

gradc_status gradc_optimise(const gradc_graph *g, size_t n_args, const gradc_id *args,
                            size_t n_results, const gradc_id *results,
                            gradc_evaluator *evaluate, gradc_optimised *out,
                            gradc_message *msg)
{
    pass p = {.from = g, .msg = msg};
    p.to = gradc_graph_new();
    p.map = gradc_alloc_zero((size_t)g->size + 1, sizeof *p.map);
    p.needed = gradc_alloc_zero((size_t)g->size + 1, sizeof *p.needed);
    p.sliced = gradc_alloc_zero((size_t)g->size + 1, sizeof *p.sliced);
    p.uses = gradc_alloc_zero((size_t)g->size + 1, sizeof *p.uses);
    p.stacked = gradc_alloc_zero((size_t)g->size + 1, sizeof *p.stacked);
    gradc_id *mapped = gradc_alloc(n_results * sizeof *mapped);
    gradc_status status = GRADC_OK;
    if (!p.to || !p.map || !p.needed || !p.sliced || !p.uses || !p.stacked || !mapped)
        status = fail(msg, GRADC_ENOMEM, "out of memory");
    if (status == GRADC_OK)
        status = bind_args(&p, n_args, args);
    if (status == GRADC_OK)
        status = mark(&p, n_results, results);
    if (status == GRADC_OK) {
        find_stacks(&p);
        status = rebuild(&p, evaluate);
    }
    if (status == GRADC_OK) {
        for (size_t i = 0; i < n_results; i++)
            mapped[i] = p.map[results[i]];
        *out = (gradc_optimised){p.to, mapped};
    } else {
        gradc_graph_free(p.to);
        gradc_release(mapped);
    }
    gradc_release(p.map);
    gradc_release(p.needed);
    gradc_release(p.sliced);
    gradc_release(p.uses);
    gradc_release(p.stacked);
    return status;
}

void gradc_optimised_free(gradc_optimised *o)
{
    gradc_graph_free(o->g);
    gradc_release(o->result);
}
