/* neuron.c -- the loss of a neuron, mean((y - max(0, X w + b))^2), and its gradient.
 *
 * Builds the graph, extends it by the gradient, compiles both into one program and runs
 * that in a loop of gradient descent, on memory of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "gradc.h"

enum { SAMPLES = 4, INPUTS = 2, STEPS = 500 };

typedef struct loss_graph {
    gradc_graph *g;
    gradc_id w, b, X, y, C, slope[2]; /* by w and by b */
} loss_graph;

static gradc_id binary(gradc_graph *g, const char *op, gradc_id x, gradc_id y)
{
    return gradc_binary(g, gradc_op_find(op), x, y);
}

/* An id is 0 after an error, and 0 as an operand gives 0: one check at the end does. */
static gradc_status build(loss_graph *l)
{
    gradc_graph *g = l->g = gradc_graph_new();
    if (g == NULL)
        return GRADC_ENOMEM;
    const int64_t n = INPUTS, rows[] = {SAMPLES, INPUTS};
    const int variable = GRADC_VARIABLE | GRADC_DEFERRED;
    l->w = gradc_input(g, GRADC_F64, 1, &n, variable);
    l->b = gradc_input(g, GRADC_F64, 0, NULL, variable);
    l->X = gradc_input(g, GRADC_F64, 2, rows, GRADC_DEFERRED);
    l->y = gradc_input(g, GRADC_F64, 1, rows, GRADC_DEFERRED);

    gradc_id z = binary(g, "add", gradc_matmul(g, l->X, l->w), l->b);
    gradc_id u = gradc_unary(g, gradc_op_find("relu"), z);
    gradc_id v = binary(g, "sub", l->y, u);
    gradc_id squares = gradc_unary(g, gradc_op_find("square"), v);
    gradc_id total = gradc_reduce(g, gradc_op_find("sum"), squares, -1, NULL, 0);
    l->C = binary(g, "div", total, gradc_const(g, GRADC_F64, SAMPLES));
    return gradc_vjp(g, l->C, 0, 2, (gradc_id[]){l->w, l->b}, l->slope);
}

static int fail(const char *why)
{
    fprintf(stderr, "neuron: %s\n", why);
    return 1;
}

int main(void)
{
    loss_graph l;
    const char *why = "out of memory";
    if (build(&l) != GRADC_OK) {
        if (l.g != NULL)
            gradc_graph_status(l.g, &why);
        return fail(why);
    }
    gradc_program *p;
    gradc_message message;
    const gradc_status status =
        gradc_compile(l.g, 4, (gradc_id[]){l.w, l.b, l.X, l.y}, 3,
                      (gradc_id[]){l.C, l.slope[0], l.slope[1]}, &p, &message);
    gradc_graph_free(l.g); /* the program keeps nothing of it */
    if (status != GRADC_OK)
        return fail(message.text);

    const double X[] = {1, 2, 3, -1, 0, 2, 2, 0},
                 y[] = {6, 2, 5, 3}; /* x1 + 2 x2 + 1 */
    double w[INPUTS] = {0.1, 0.1}, b = 0.1, C, dw[INPUTS], db;
    void *work = malloc(gradc_program_workspace(p) + 1);
    for (int i = 0; work != NULL && i <= STEPS; i++) {
        if (gradc_run(p, (const void *[]){w, &b, X, y}, (void *[]){&C, dw, &db}, work,
                      &message) != GRADC_OK)
            return fail(message.text);
        if (i % 100 == 0)
            printf("%3d  C = %.6f  w = %.3f %.3f  b = %.3f\n", i, C, w[0], w[1], b);
        for (int j = 0; j < INPUTS; j++)
            w[j] -= 0.1 * dw[j];
        b -= 0.1 * db;
    }
    free(work);
    gradc_program_free(p);
    return 0;
}
