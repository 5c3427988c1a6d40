/* correlate.c -- rows slid along rows: convolutions of one axis.
 *
 * Where y lies within x, the sums are the product of a matrix, whose rows begin one
 * element after each other in x, and y. Beyond they have fewer terms, and each is a dot
 * product: zeros around x would cost as much, and make NaN of infinities in y. */
#include <string.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct correlate_step {
    const gradc_matmul_table *table;
    gradc_ref x, y, r;
    size_t element;
    int64_t n, m, p, length; /* r_i = sum of x_(i+k-p) y_k, i < length */
    size_t batch, pieces;    /* pieces of each row of r */
    unsigned workers;
} correlate_step;

typedef struct correlate_call {
    const correlate_step *s;
    const gradc_frame *f;
} correlate_call;

/* A task has TERMS or more, and whole cache lines of r. */
enum { TERMS = 1 << 16, MOST = 16, UNIT = 64 };

static int64_t clamp(int64_t x, int64_t low, int64_t high)
{
    return x < low ? low : x < high ? x : high;
}

/* `rows` sums of `k` terms, from x and y on; such products take no scratch memory. */
static void multiply(const correlate_step *s, char *r, const char *x, const char *y,
                     int64_t rows, int64_t k)
{
    if (rows > 0 && k <= 0)
        memset(r, 0, (size_t)rows * s->element);
    else if (rows > 0)
        s->table->run(&(gradc_matmul_task){.m = (size_t)rows,
                                           .n = 1,
                                           .k = (size_t)k,
                                           .x = x,
                                           .x_row = 1,
                                           .x_col = 1,
                                           .y = y,
                                           .y_row = 1,
                                           .y_col = 1,
                                           .r = r,
                                           .r_row = 1});
}

/* r_i where y is not within x. */
static void sum_some(const correlate_step *s, char *r, const char *x, const char *y,
                     int64_t i)
{
    const int64_t size = (int64_t)s->element;
    const int64_t first = clamp(s->p - i, 0, s->m);
    const int64_t last = clamp(s->n + s->p - i, first, s->m);
    multiply(s, r + i * size, x + (i + first - s->p) * size, y + first * size, 1,
             last - first);
}

static void run_piece(void *context, size_t task, unsigned worker)
{
    const correlate_call *c = context;
    const correlate_step *s = c->s;
    const int64_t size = (int64_t)s->element, row = (int64_t)(task / s->pieces);
    const size_t piece = task % s->pieces, length = (size_t)s->length;
    char *r = (char *)gradc_ref_at(c->f, s->r) + row * s->length * size;
    const char *x = (char *)gradc_ref_at(c->f, s->x) + row * s->n * size;
    const char *y = (char *)gradc_ref_at(c->f, s->y) + row * s->m * size;
    (void)worker;
    const int64_t begin = (int64_t)gradc_edge(piece, s->pieces, length, UNIT);
    const int64_t end = (int64_t)gradc_edge(piece + 1, s->pieces, length, UNIT);
    const int64_t low = clamp(s->p, begin, end);
    const int64_t high = clamp(s->n - s->m + 1 + s->p, low, end);
    for (int64_t i = begin; i < low; i++)
        sum_some(s, r, x, y, i);
    multiply(s, r + low * size, x + (low - s->p) * size, y, high - low, s->m);
    for (int64_t i = high; i < end; i++)
        sum_some(s, r, x, y, i);
}

static gradc_status run_correlate(const void *step, const gradc_frame *f)
{
    correlate_call c = {step, f};
    gradc_pool_run(c.s->batch * c.s->pieces, c.s->workers, run_piece, &c);
    return GRADC_OK;
}

static void cut(correlate_step *s)
{
    const size_t length = (size_t)s->length, least = length / UNIT;
    const size_t most = least < MOST ? least : MOST;
    const size_t pieces = (size_t)(s->m < s->n ? s->m : s->n) * length / TERMS;
    s->pieces = pieces < 1 || most < 1 ? 1 : pieces < most ? pieces : most;
    s->workers = gradc_pool_workers(s->batch * s->pieces);
}

gradc_status gradc_lower_correlate(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *s = gradc_shape_of(l->g, r);
    const gradc_split split = gradc_split_shape(s, s->rank - 1, s->rank);
    correlate_step *step = gradc_lower_get(l, sizeof *step);
    if (step == NULL)
        return GRADC_ENOMEM;
    step->table = l->kernels->matmul[n->dtype];
    step->element = gradc_dtype_size((gradc_dtype)n->dtype);
    step->n = gradc_shape_of(l->g, n->u.in[0])->dim[s->rank - 1];
    step->m = gradc_shape_of(l->g, n->u.in[1])->dim[s->rank - 1];
    step->p = n->attr[0];
    step->length = (int64_t)split.n;
    step->batch = split.n > 0 ? split.outer : 0;
    step->r = l->place[r - 1];
    GRADC_TRY(gradc_lower_flat(l, n->u.in[0], &step->x));
    GRADC_TRY(gradc_lower_flat(l, n->u.in[1], &step->y));
    cut(step);
    return gradc_lower_step(l, "correlate", run_correlate, step);
}
