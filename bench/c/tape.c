/* tape.c -- random scalar functions: made, put into a graph, and run by hand. */
#include "tape.h"

#include <math.h>

/* The values that no operation has used yet; each new one takes the place of one. */
enum { OPEN = TAPE_INPUTS };

static size_t below(size_t n) { return (size_t)bench_random() % n; }

/* An operation on values that are at most bx and by in size; half where a sum or
 * product could be over 4. */
static tape_op pick(double bx, double by)
{
    static const tape_op any[] = {TAPE_ADD, TAPE_ADD, TAPE_SUB, TAPE_MUL,
                                  TAPE_MUL, TAPE_MUL, TAPE_MUL, TAPE_SIN};
    const tape_op op = any[below(sizeof any / sizeof *any)];
    if (op == TAPE_SIN)
        return below(2) ? TAPE_SIN : TAPE_TANH;
    return (op == TAPE_MUL ? bx * by : bx + by) > 4 ? TAPE_HALF : op;
}

/* A bound of what `op` gives. */
static double bound_of(tape_op op, double bx, double by)
{
    const double all[TAPE_OPS] = {bx + by, bx + by, bx * by, bx / 2, 1, 1};
    return all[op];
}

tape *tape_new(size_t n)
{
    tape *t = malloc(sizeof *t + n * sizeof *t->step);
    double *bound = malloc((TAPE_INPUTS + n) * sizeof *bound);
    bench_require(t != NULL && bound != NULL && n >= OPEN, "no tape of %zu", n);
    size_t open[OPEN];
    for (size_t i = 0; i < OPEN; i++) {
        open[i] = i;
        bound[i] = 1;
    }
    t->n = n;
    for (size_t k = 0; k < n; k++) {
        const bool closes = n - k < OPEN; /* the last ones add up what is open */
        const size_t slot = closes ? n - k - 1 : below(OPEN);
        const size_t x = open[slot];
        const size_t y = closes ? open[slot + 1] : below(TAPE_INPUTS + k);
        const tape_op op = closes ? TAPE_ADD : pick(bound[x], bound[y]);
        t->step[k].op = op;
        t->step[k].x = x;
        t->step[k].y = y;
        bound[TAPE_INPUTS + k] = bound_of(op, bound[x], bound[y]);
        open[slot] = TAPE_INPUTS + k;
    }
    free(bound);
    return t;
}

gradc_id tape_build(const tape *t, gradc_graph *g, gradc_id in[TAPE_INPUTS])
{
    static const char *const name[TAPE_OPS] = {"add", "sub", "mul",
                                               "mul", "sin", "tanh"};
    int op[TAPE_OPS];
    for (int k = 0; k < TAPE_OPS; k++)
        op[k] = gradc_op_find(name[k]);
    gradc_id *value = malloc((TAPE_INPUTS + t->n) * sizeof *value);
    bench_require(value != NULL, "out of memory");
    const gradc_id half = gradc_const(g, GRADC_F64, 0.5);
    for (size_t i = 0; i < TAPE_INPUTS; i++)
        value[i] = in[i] = gradc_input(g, GRADC_F64, 0, NULL, GRADC_DIFFERENTIATED);
    for (size_t k = 0; k < t->n; k++) {
        const tape_op o = t->step[k].op;
        const gradc_id x = value[t->step[k].x];
        const gradc_id y = o == TAPE_HALF ? half : value[t->step[k].y];
        value[TAPE_INPUTS + k] =
            o < TAPE_SIN ? gradc_binary(g, op[o], x, y) : gradc_unary(g, op[o], x);
    }
    const gradc_id r = value[TAPE_INPUTS + t->n - 1];
    free(value);
    return r;
}

/* The cotangent of step k goes to its operands. */
static void pull_back(const tape *t, size_t k, const double *value, double *d)
{
    const size_t x = t->step[k].x, y = t->step[k].y, r = TAPE_INPUTS + k;
    const double cosine = cos(value[x]), slope = 1 - value[r] * value[r];
    const double by_x[TAPE_OPS] = {1, 1, value[y], 0.5, cosine, slope};
    const double by_y[TAPE_OPS] = {1, -1, value[x], 0, 0, 0};
    d[x] += d[r] * by_x[t->step[k].op];
    d[y] += d[r] * by_y[t->step[k].op];
}

double tape_run(const tape *t, const double in[TAPE_INPUTS], double dx[TAPE_INPUTS])
{
    const size_t size = TAPE_INPUTS + t->n;
    double *value = malloc(size * sizeof *value), *d = calloc(size, sizeof *d);
    bench_require(value != NULL && d != NULL, "out of memory");
    for (size_t i = 0; i < TAPE_INPUTS; i++)
        value[i] = in[i];
    for (size_t k = 0; k < t->n; k++) {
        const double x = value[t->step[k].x], y = value[t->step[k].y];
        const double all[TAPE_OPS] = {x + y, x - y, x * y, x * 0.5, sin(x), tanh(x)};
        value[TAPE_INPUTS + k] = all[t->step[k].op];
    }
    d[size - 1] = 1;
    for (size_t k = t->n; k-- > 0;)
        pull_back(t, k, value, d);
    for (size_t i = 0; i < TAPE_INPUTS; i++)
        dx[i] = d[i];
    const double r = value[size - 1];
    free(value);
    free(d);
    return r;
}
