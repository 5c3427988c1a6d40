/* stack.c -- a sum of matrix products is one product of stacked matrices.
 *
 * The gradient of weights that every step of a recurrence uses is a sum over the steps
 * of products with few terms, each as large as the weights: x_1 y_1 + x_2 y_2 + ... =
 * [x_1 x_2 ...] [y_1; y_2; ...]. As one product it is written once, and its sum, in
 * the order of a product, stays in registers; x and y are small beside it, and often
 * computed in their place in the stack. */
#include <string.h>

#include "ir/shape.h"
#include "ir/words.h"
#include "opt/optimise.h"

/* Products that are worth it, and elements of each; separate ones cost little below. */
enum { FEWEST = 3, LEAST_SIZE = 1024 };

/* Whether x is a product that only one node uses, and larger than its operands. */
static bool is_thin(const gradc_graph *g, gradc_id x, const uint32_t *uses)
{
    const gradc_node *n = gradc_node_get(g, x);
    const gradc_shape *s = gradc_shape_of(g, x);
    if (n->op != GRADC_OP_matmul || s->rank != 2 || uses[x] != 1)
        return false;
    const gradc_shape *left = gradc_shape_of(g, n->u.in[0]);
    const gradc_shape *right = gradc_shape_of(g, n->u.in[1]);
    return left->rank == 2 && right->rank == 2 && s->size >= LEAST_SIZE &&
           left->size + right->size <= s->size;
}

void gradc_find_stack(const gradc_graph *g, gradc_id sum, const uint32_t *uses,
                      bool *stacked)
{
    const gradc_node *n = gradc_node_get(g, sum);
    uint32_t found = 0;
    if (n->op != GRADC_OP_addn || !gradc_dtype_is_float((gradc_dtype)n->dtype))
        return;
    for (uint32_t k = 0; k < n->n_in; k++)
        found += is_thin(g, gradc_node_in(n)[k], uses);
    for (uint32_t k = 0; k < n->n_in && found >= FEWEST; k++) {
        const gradc_id x = gradc_node_in(n)[k];
        stacked[x] = is_thin(g, x, uses);
    }
}

gradc_id gradc_stack(gradc_graph *g, const gradc_graph *from, const gradc_node *sum,
                     const gradc_id *map, const bool *stacked)
{
    gradc_id *list = gradc_alloc(3 * (size_t)sum->n_in * sizeof *list);
    if (list == NULL)
        return gradc_fail(g, GRADC_ENOMEM, "out of memory"), 0;
    gradc_id *left = list, *right = left + sum->n_in, *rest = right + sum->n_in;
    uint32_t n = 0, n_rest = 1;
    for (uint32_t k = 0; k < sum->n_in; k++) {
        const gradc_id x = gradc_node_in(sum)[k];
        const gradc_node *product = gradc_node_get(from, x);
        if (stacked[x]) {
            left[n] = SWAP(map[product->u.in[0]]);
            right[n++] = map[product->u.in[1]];
        } else {
            rest[n_rest++] = map[x];
        }
    }
    rest[0] = gradc_matmul(g, SWAP(gradc_concat(g, n, left, 0)),
                           gradc_concat(g, n, right, 0));
    const gradc_id r = n_rest == 1
                           ? rest[0]
                           : gradc_graph_add(g, GRADC_OP_addn, n_rest, rest, 0, NULL);
    gradc_release(list);
    return r;
}
