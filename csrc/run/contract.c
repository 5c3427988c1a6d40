/* contract.c -- matrix products: one kernel call for each pair of matrices.
 *
 * Large products are cut into tasks, by sizes and strides alone: a batch into runs of
 * matrices, a matrix of r into rows and columns; if packing y pays, into rounds, in
 * which tasks first pack a part of y and then share it; a long sum of which r is small
 * into parts along k. None of this shows in the bits (kern.h). */
#include <math.h>
#include <stdatomic.h>

#include "base/pool.h"
#include "base/status.h"
#include "ir/shape.h"
#include "run/lower.h"

typedef struct matmul_step {
    gradc_matmul_task task; /* pointers are filled in at the run */
    const gradc_matmul_table *table;
    gradc_ref x, y, r;
    size_t element;
    int batch_rank;
    int64_t batch, dim[GRADC_MAX_RANK];
    int64_t x_stride[GRADC_MAX_RANK], y_stride[GRADC_MAX_RANK], r_stride;
    int64_t each;            /* matrices of a task */
    size_t together;         /* matrices of a batch; 1: one after another */
    size_t rows, cols;       /* pieces of a matrix */
    size_t width, depth;     /* of a round; 0: none */
    size_t parts;            /* of a long sum; 0: not cut */
    size_t wave, run;        /* parts that are in memory at a time; of a task */
    size_t n_tasks, scratch; /* bytes of one worker */
    unsigned workers;
} matmul_step;

/* ---- cutting ---- */

/* A task takes TASK_NS or more, and fewer than FEWEST are not worth waking a thread.
 * Pieces are multiples of ROWS, COLUMNS and, in a vector, LANES, or end at the edge. */
enum { TASK_NS = 5000, FEWEST = 4, MOST = 16, ROUNDS_NS = 200000 };
enum { LEAST_GAIN = 10, MOST_PARTS = 1 << 18 };
enum { ROWS = 16, COLUMNS = GRADC_PANEL, LANES = 64, WIDE = 256, TALL = 128, FEW = 8 };

static size_t least(size_t x, size_t y) { return x < y ? x : y; }

/* What an axis is cut into when r has `other` elements across it. */
static size_t unit_of(size_t unit, size_t other) { return other == 1 ? LANES : unit; }

static size_t most_pieces(size_t n, size_t unit) { return n < unit ? 1 : n / unit; }

static size_t pieces_of(size_t n, size_t piece) { return (n + piece - 1) / piece; }

/* A guess at the time of one product: of a call, and of arithmetic or memory. */
static double nanoseconds(const gradc_matmul_task *t, size_t element)
{
    const double m = (double)t->m, n = (double)t->n, k = (double)t->k;
    const double call = 10;
    return call + (double)element * fmax(m * n * k / 512, (m * k + k * n + m * n) / 64);
}

/* Columns in pieces of WIDE first, so that what several tasks pack of x and y is little
 * beside the products it enters. */
static void cut_matrix(matmul_step *s, size_t pieces)
{
    const size_t m = most_pieces(s->task.m, unit_of(ROWS, s->task.n));
    const size_t n = most_pieces(s->task.n, unit_of(COLUMNS, s->task.m));
    const bool thin = s->task.m == 1 || s->task.y_col != 1;
    const size_t wide = thin ? n : most_pieces(s->task.n, WIDE);
    s->cols = least(pieces, wide);
    s->rows = least(pieces_of(pieces, s->cols), m);
    s->cols = least(pieces_of(pieces, s->rows), n);
}

/* Along k, where r is small beside its operands. */
static bool cut_sum(matmul_step *s, size_t tasks)
{
    const gradc_matmul_task *t = &s->task;
    const double r = (double)t->m * (double)t->n;
    const size_t piece = s->table->piece(t);
    const size_t parts = t->k > 0 ? pieces_of(t->k, piece) : 0;
    const size_t fewest = t->m == 1 || t->n == 1 ? 2 : FEWEST;
    if (s->batch != 1 || parts < fewest || r * FEWEST > MOST_PARTS ||
        r * LEAST_GAIN > (double)t->k * (double)(t->m + t->n))
        return false;
    s->parts = parts;
    s->wave = least(parts, (size_t)(MOST_PARTS / r));
    s->run = pieces_of(s->wave, tasks);
    s->n_tasks = pieces_of(s->wave, s->run);
    return true;
}

/* A product so large that all tasks share a packed y. */
static bool cut_rounds(matmul_step *s, double ns)
{
    size_t width, depth;
    if (s->batch != 1 || ns < ROUNDS_NS || s->task.m < FEWEST * ROWS ||
        !s->table->rounds(&s->task, &width, &depth))
        return false;
    const size_t height = s->task.m / TALL, most = s->task.m / ROWS;
    s->width = width, s->depth = depth;
    s->rows = least(height > FEW ? height : FEW, most);
    s->n_tasks = s->rows;
    return true;
}

static void cut(matmul_step *s)
{
    const double ns = (double)s->batch * nanoseconds(&s->task, s->element);
    const int64_t tasks = (int64_t)fmin(ns / TASK_NS, MOST);
    s->rows = s->cols = 1;
    s->each = s->batch;
    if (tasks >= FEWEST && !cut_sum(s, (size_t)tasks) && !cut_rounds(s, ns)) {
        s->each = (s->batch + tasks - 1) / tasks;
        if (s->batch < tasks)
            cut_matrix(s, (size_t)((tasks + s->batch - 1) / s->batch));
    }
    if (s->each > 0 && s->n_tasks == 0)
        s->n_tasks = (size_t)((s->batch + s->each - 1) / s->each) * s->rows * s->cols;
}

/* Scratch memory begins with what tasks share: parts of a sum, or columns of y. */
static size_t shared_bytes(const matmul_step *s)
{
    if (s->width > 0)
        return gradc_align((s->width + COLUMNS) * s->depth * s->element);
    return gradc_align(s->wave * s->task.m * s->task.n * sizeof(double));
}

/* ---- running ---- */

typedef struct matmul_call {
    const matmul_step *s;
    const gradc_frame *f;
    size_t first, n; /* the parts in memory */
} matmul_call;

/* The piece of the product `t` that belongs to task number `task`. */
static void take_piece(const matmul_step *s, size_t task, gradc_matmul_task *t)
{
    const ptrdiff_t size = (ptrdiff_t)s->element;
    const size_t row = task / s->cols % s->rows, col = task % s->cols;
    const size_t row_unit = unit_of(ROWS, t->n), col_unit = unit_of(COLUMNS, t->m);
    const size_t i = gradc_edge(row, s->rows, t->m, row_unit);
    const size_t j = gradc_edge(col, s->cols, t->n, col_unit);
    t->m = gradc_edge(row + 1, s->rows, t->m, row_unit) - i;
    t->n = gradc_edge(col + 1, s->cols, t->n, col_unit) - j;
    t->x = (const char *)t->x + (ptrdiff_t)i * t->x_row * size;
    t->y = (const char *)t->y + (ptrdiff_t)j * t->y_col * size;
    t->r = (char *)t->r + ((ptrdiff_t)i * t->r_row + (ptrdiff_t)j) * size;
}

/* A place in the batch: offsets in elements of x and y. */
typedef struct batch_place {
    int64_t at[GRADC_MAX_RANK];
    ptrdiff_t x, y;
} batch_place;

static batch_place place_of(const matmul_step *s, int64_t number)
{
    batch_place b = {0};
    for (int i = s->batch_rank - 1; i >= 0; number /= s->dim[i], i--) {
        b.at[i] = number % s->dim[i];
        b.x += b.at[i] * s->x_stride[i], b.y += b.at[i] * s->y_stride[i];
    }
    return b;
}

/* `steps` further along the last axis, at most to its end. */
static void next_place(const matmul_step *s, batch_place *b, int64_t steps)
{
    for (int i = s->batch_rank - 1; i >= 0; i--, steps = 1) {
        b->x += steps * s->x_stride[i], b->y += steps * s->y_stride[i];
        b->at[i] += steps;
        if (b->at[i] < s->dim[i])
            return;
        b->x -= s->dim[i] * s->x_stride[i], b->y -= s->dim[i] * s->y_stride[i];
        b->at[i] = 0;
    }
}

/* `n` products, which begin at place `b` of the batch and at t->r. */
static void run_each(const matmul_step *s, gradc_matmul_task *t, batch_place b,
                     int64_t n)
{
    const ptrdiff_t size = (ptrdiff_t)s->element;
    const char *const x = t->x, *const y = t->y;
    for (; n > 0; n--, next_place(s, &b, 1)) {
        t->x = x + b.x * size;
        t->y = y + b.y * size;
        s->table->run(t);
        t->r = (char *)t->r + s->r_stride * size;
    }
}

/* Where the operands of the next `count` products are. Lanes past them repeat the
 * last one. */
static void take_places(const matmul_step *s, const gradc_matmul_task *t,
                        batch_place *b, size_t count, const void **x, const void **y)
{
    const ptrdiff_t size = (ptrdiff_t)s->element;
    const int last = s->batch_rank - 1;
    for (size_t i = 0; i < count;) {
        const size_t run = least(count - i, (size_t)(s->dim[last] - b->at[last]));
        const char *to_x = (const char *)t->x + b->x * size;
        const char *to_y = (const char *)t->y + b->y * size;
        for (const size_t end = i + run; i < end; i++) {
            x[i] = to_x, y[i] = to_y;
            to_x += s->x_stride[last] * size, to_y += s->y_stride[last] * size;
        }
        next_place(s, b, (int64_t)run);
    }
    for (size_t i = count; i < s->together; i++)
        x[i] = x[count - 1], y[i] = y[count - 1];
}

static void run_together(const matmul_step *s, gradc_matmul_task *t, batch_place b,
                         int64_t n)
{
    const void *x[GRADC_LANES], *y[GRADC_LANES];
    for (size_t count; n > 0; n -= (int64_t)count) {
        count = least((size_t)n, s->together);
        take_places(s, t, &b, count, x, y);
        s->table->lanes(t, x, y, s->r_stride, count);
        t->r = (char *)t->r + (ptrdiff_t)(count * s->element) * s->r_stride;
    }
}

/* `n` products from matrix number `first` of the batch on. */
static void run_batch(const matmul_step *s, gradc_matmul_task *t, int64_t first,
                      int64_t n)
{
    const batch_place b = place_of(s, first);
    t->r = (char *)t->r + first * s->r_stride * (ptrdiff_t)s->element;
    if (s->together > 1)
        run_together(s, t, b, n);
    else
        run_each(s, t, b, n);
}

static gradc_matmul_task task_at(const matmul_call *c, unsigned worker)
{
    const matmul_step *s = c->s;
    gradc_matmul_task t = s->task;
    t.x = gradc_ref_at(c->f, s->x);
    t.y = gradc_ref_at(c->f, s->y);
    t.r = gradc_ref_at(c->f, s->r);
    t.scratch = c->f->scratch + shared_bytes(s) + worker * s->scratch;
    return t;
}

static void run_piece(void *context, size_t task, unsigned worker)
{
    const matmul_call *c = context;
    const matmul_step *s = c->s;
    gradc_matmul_task t = task_at(c, worker);
    if (s->rows * s->cols > 1)
        take_piece(s, task, &t);
    const int64_t first = (int64_t)(task / (s->rows * s->cols)) * s->each;
    run_batch(s, &t, first, s->batch - first < s->each ? s->batch - first : s->each);
}

static void run_parts(void *context, size_t task, unsigned worker)
{
    const matmul_call *c = context;
    const matmul_step *s = c->s;
    const gradc_matmul_task t = task_at(c, worker);
    const size_t first = task * s->run, end = least(first + s->run, c->n);
    for (size_t i = first; i < end; i++)
        s->table->part(&t, c->first + i,
                       (double *)c->f->scratch + i * s->task.m * s->task.n);
}

static void run_sum(matmul_call *c)
{
    const matmul_step *s = c->s;
    const gradc_matmul_task t = task_at(c, 0);
    for (; c->first < s->parts; c->first += c->n) {
        c->n = least(s->wave, s->parts - c->first);
        gradc_pool_run(pieces_of(c->n, s->run), s->workers, run_parts, c);
        s->table->join(&t, c->first, c->n, c->f->scratch);
    }
}

/* ---- rounds ---- */

/* What tasks that run at once share of a round. */
typedef struct matmul_round {
    const matmul_step *s;
    gradc_matmul_task task; /* some terms of some columns */
    bool add;               /* to r */
    char *packed;           /* its part of y */
    size_t pieces;
    atomic_size_t begun, done; /* of the pieces */
} matmul_round;

/* Packs pieces that nobody has begun, then waits for those of others. */
static void help_to_pack(matmul_round *c)
{
    for (size_t i; (i = atomic_fetch_add(&c->begun, 1)) < c->pieces;) {
        gradc_matmul_task t = c->task;
        const size_t j = gradc_edge(i, c->pieces, t.n, COLUMNS);
        t.n = gradc_edge(i + 1, c->pieces, t.n, COLUMNS) - j;
        t.y = (const char *)t.y + (ptrdiff_t)j * t.y_col * (ptrdiff_t)c->s->element;
        c->s->table->pack(&t, j, c->packed);
        atomic_fetch_add(&c->done, 1);
    }
    gradc_pool_await(&c->done, c->pieces);
}

static void run_rows(void *context, size_t task, unsigned worker)
{
    matmul_round *c = context;
    const matmul_step *s = c->s;
    const ptrdiff_t size = (ptrdiff_t)s->element;
    help_to_pack(c);
    gradc_matmul_task t = c->task;
    const size_t i = gradc_edge(task, s->rows, t.m, ROWS);
    t.m = gradc_edge(task + 1, s->rows, t.m, ROWS) - i;
    t.x = (const char *)t.x + (ptrdiff_t)i * t.x_row * size;
    t.r = (char *)t.r + (ptrdiff_t)i * t.r_row * size;
    t.scratch = (char *)t.scratch + worker * s->scratch;
    s->table->rows(&t, c->packed, c->add);
}

/* The terms from p on of the columns from j on. */
static void run_round(const matmul_call *call, size_t j, size_t p)
{
    const matmul_step *s = call->s;
    const ptrdiff_t size = (ptrdiff_t)s->element;
    gradc_matmul_task t = task_at(call, 0);
    t.n = least(s->width, t.n - j);
    t.k = least(s->depth, t.k - p);
    t.x = (const char *)t.x + (ptrdiff_t)p * t.x_col * size;
    t.y = (const char *)t.y + ((ptrdiff_t)p * t.y_row + (ptrdiff_t)j * t.y_col) * size;
    t.r = (char *)t.r + (ptrdiff_t)j * size;
    matmul_round c = {.s = s, .task = t, .add = p > 0, .packed = call->f->scratch};
    c.pieces = least(MOST, most_pieces(t.n, COLUMNS));
    gradc_pool_run(s->rows, s->workers, run_rows, &c);
}

static void run_rounds(const matmul_call *c)
{
    const matmul_step *s = c->s;
    for (size_t j = 0; j < s->task.n; j += s->width)
        for (size_t p = 0; p < s->task.k; p += s->depth)
            run_round(c, j, p);
}

static gradc_status run_matmul(const void *step, const gradc_frame *f)
{
    matmul_call c = {.s = step, .f = f};
    if (c.s->parts > 0)
        run_sum(&c);
    else if (c.s->width > 0)
        run_rounds(&c);
    else
        gradc_pool_run(c.s->n_tasks, c.s->workers, run_piece, &c);
    return GRADC_OK;
}

/* ---- lowering ---- */

/* Scratch memory of one worker: enough for the largest piece. */
static size_t scratch_of(const matmul_step *s)
{
    size_t most = 0;
    if (s->width > 0) {
        gradc_matmul_task t = s->task;
        t.n = 2;
        t.k = s->depth;
        return gradc_align(s->table->scratch(&t));
    }
    for (size_t task = 0; task < s->rows * s->cols; task++) {
        gradc_matmul_task t = s->task;
        take_piece(s, task, &t);
        const size_t bytes = s->table->scratch(&t);
        most = bytes > most ? bytes : most;
    }
    return gradc_align(most);
}

/* Operand x with its batch axes broadcast to those of the result `s`. */
static gradc_status bind(gradc_lowering *l, gradc_id x, const gradc_shape *s,
                         gradc_array *out)
{
    gradc_view v;
    gradc_shape to = *s;
    gradc_view_resolve(l->g, x, &v);
    to.dim[s->rank - 2] = v.shape.dim[v.shape.rank - 2];
    to.dim[s->rank - 1] = v.shape.dim[v.shape.rank - 1];
    gradc_shape_count(&to);
    gradc_view_broadcast(&v, &to);
    return gradc_lower_array(l, &v, false, out);
}

gradc_status gradc_lower_task(gradc_lowering *l, gradc_id r, gradc_matmul_task *task,
                              gradc_array *x, gradc_array *y)
{
    const gradc_node *n = gradc_node_get(l->g, r);
    const gradc_shape *s = gradc_shape_of(l->g, r);
    const int rank = s->rank;
    GRADC_TRY(bind(l, n->u.in[0], s, x));
    GRADC_TRY(bind(l, n->u.in[1], s, y));
    *task = (gradc_matmul_task){.m = (size_t)s->dim[rank - 2],
                                .n = (size_t)s->dim[rank - 1],
                                .k = (size_t)x->dim[rank - 1],
                                .x_row = x->stride[rank - 2],
                                .x_col = x->stride[rank - 1],
                                .y_row = y->stride[rank - 2],
                                .y_col = y->stride[rank - 1],
                                .r_row = s->dim[rank - 1]};
    return GRADC_OK;
}

gradc_status gradc_lower_matmul(gradc_lowering *l, uint32_t at)
{
    const gradc_id r = l->s->node[l->s->stage[at].first];
    const gradc_shape *s = gradc_shape_of(l->g, r);
    matmul_step *step = gradc_lower_get(l, sizeof *step);
    gradc_array x, y;
    if (step == NULL)
        return GRADC_ENOMEM;
    GRADC_TRY(gradc_lower_task(l, r, &step->task, &x, &y));
    const int rank = s->rank;
    step->table = l->kernels->matmul[x.dtype];
    step->element = gradc_dtype_size(x.dtype);
    step->x = x.at;
    step->y = y.at;
    step->r = l->place[r - 1];
    step->batch_rank = rank - 2;
    step->batch = 1;
    for (int i = 0; i < rank - 2; i++) {
        step->dim[i] = s->dim[i];
        step->batch *= s->dim[i];
        step->x_stride[i] = x.stride[i];
        step->y_stride[i] = y.stride[i];
    }
    step->r_stride = s->dim[rank - 2] * s->dim[rank - 1];
    step->together = step->batch > 1 ? step->table->together(&step->task) : 1;
    cut(step);
    step->scratch = scratch_of(step);
    step->workers = gradc_pool_workers(step->n_tasks);
    gradc_lower_scratch(l, shared_bytes(step) + step->workers * step->scratch);
    return gradc_lower_step(l, "matmul", run_matmul, step);
}
