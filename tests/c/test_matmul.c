/* test_matmul.c -- matrix products against a naive loop, on every ISA of this machine.
 *
 * Every shape is computed twice, whole and cut into four, and must give the same bits;
 * memory beside r and past the scratch must stay as it was. Programs, which cut large
 * products into tasks, must give the bits of one call for any number of threads. */
#include "kernels.h"

/* How an operand lies: in C or Fortran order, backwards, with gaps both ways. */
typedef enum layout { PLAIN, TRANSPOSED, BACKWARD, GAPS, LAYOUTS } layout;

typedef struct matrix {
    void *memory;
    const void *at;
    ptrdiff_t row, col;
} matrix;

static matrix make_matrix(int type, layout how, size_t m, size_t n)
{
    const ptrdiff_t gap = how == GAPS ? 2 : 1;
    const size_t count = m * n * (how == GAPS ? 4 : 1);
    matrix x = {.memory = make_random(type, count)};
    x.at = x.memory;
    x.row = how == TRANSPOSED ? 1 : (ptrdiff_t)n * gap * gap;
    x.col = how == TRANSPOSED ? (ptrdiff_t)m : gap;
    if (how == BACKWARD && count > 0) {
        x.at = (const char *)x.memory + (count - 1) * size_of[type];
        x.row = -x.row, x.col = -x.col;
    }
    return x;
}

static void matmul(const gradc_matmul_table *table, gradc_matmul_task t)
{
    const size_t bytes = table->scratch(&t);
    t.scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    char *end = (char *)t.scratch + bytes;
    *end = 77;
    table->run(&t);
    CHECK(*end == 77, "scratch overrun %zu %zu %zu", t.m, t.n, t.k);
    free(t.scratch);
}

/* Whether r = x y within the bound of a sum in any order, and nothing beside it. */
static bool product_holds(int type, const gradc_matmul_task *t)
{
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < (size_t)t->r_row; j++) {
            const long double got = get(type, t->r, (int64_t)i * t->r_row + (int64_t)j);
            if (j >= t->n) {
                if (got != 7)
                    return false;
                continue;
            }
            long double sum = 0, size = 0;
            for (ptrdiff_t p = 0; p < (ptrdiff_t)t->k; p++) {
                const long double term =
                    get(type, t->x, (ptrdiff_t)i * t->x_row + p * t->x_col) *
                    get(type, t->y, p * t->y_row + (ptrdiff_t)j * t->y_col);
                sum += term, size += fabsl(term);
            }
            if (!(fabsl(got - sum) <= ((long double)t->k + 1) * unit(type) * size))
                return false;
        }
    return true;
}

/* Where an axis of length n may be cut so that the bits stay (matmul.c): pieces have at
 * least two rows and columns, or more than eight elements of a single row or column. */
static size_t cut(size_t n, size_t other)
{
    const size_t least = other == 1 ? 9 : 2;
    return n >= 2 * least ? least + (size_t)below((int64_t)(n - 2 * least + 1)) : n;
}

static bool cuts_agree(const gradc_matmul_table *table, int type,
                       const gradc_matmul_task *t)
{
    const size_t size = size_of[type], m0 = cut(t->m, t->n), n0 = cut(t->n, t->m);
    void *r = make(type, t->m * (size_t)t->r_row);
    memcpy(r, t->r, t->m * (size_t)t->r_row * size);
    for (int part = 0; part < 4; part++) {
        const size_t i = part & 1 ? m0 : 0, j = part & 2 ? n0 : 0;
        gradc_matmul_task c = *t;
        c.m = part & 1 ? t->m - m0 : m0, c.n = part & 2 ? t->n - n0 : n0;
        c.x = (const char *)t->x + (ptrdiff_t)i * t->x_row * (ptrdiff_t)size;
        c.y = (const char *)t->y + (ptrdiff_t)j * t->y_col * (ptrdiff_t)size;
        c.r = (char *)r + ((ptrdiff_t)i * t->r_row + (ptrdiff_t)j) * (ptrdiff_t)size;
        matmul(table, c);
    }
    const bool same = memcmp(r, t->r, t->m * (size_t)t->r_row * size) == 0;
    free(r);
    return same;
}

/* Along k: parts joined in one call, or the first and then the others. */
static bool parts_agree(const gradc_matmul_table *table, int type,
                        const gradc_matmul_task *t, bool together)
{
    const size_t piece = table->piece(t), size = t->m * t->n;
    const size_t n = t->k > 0 ? (t->k + piece - 1) / piece : 0;
    const size_t bytes = t->m * (size_t)t->r_row * size_of[type];
    if (n < 2 || size == 0)
        return true;
    gradc_matmul_task c = *t;
    double *parts = malloc(n * size * sizeof *parts);
    c.r = malloc(bytes);
    memcpy(c.r, t->r, bytes);
    c.scratch = aligned_alloc(64, (table->scratch(t) + 64) / 64 * 64);
    for (size_t i = n; i-- > 0;)
        table->part(&c, i, parts + i * size);
    if (!together)
        table->join(&c, 0, 1, parts);
    table->join(&c, !together, n - !together, parts + (together ? 0 : size));
    const bool same = memcmp(c.r, t->r, bytes) == 0;
    free(parts), free(c.r), free(c.scratch);
    return same;
}

static void check_product(const tables *s, int type, size_t m, size_t n, size_t k,
                          layout how_x, layout how_y)
{
    matrix x = make_matrix(type, how_x, m, k), y = make_matrix(type, how_y, k, n);
    const size_t r_row = n + 3;
    void *r = make(type, m * r_row);
    for (size_t i = 0; i < m * r_row; i++)
        set(type, r, (int64_t)i, 7);
    const gradc_matmul_task t = {
        m, n, k, x.at, x.row, x.col, y.at, y.row, y.col, r, (ptrdiff_t)r_row, NULL};
    matmul(s->matmul[type], t);
    CHECK(product_holds(type, &t), "%s %s %zux%zux%zu layouts %d %d", s->isa,
          type_name[type], m, n, k, how_x, how_y);
    CHECK(cuts_agree(s->matmul[type], type, &t), "%s %s %zux%zux%zu layouts %d %d",
          s->isa, type_name[type], m, n, k, how_x, how_y);
    CHECK(parts_agree(s->matmul[type], type, &t, m == 1 || n == 1 || k % 2),
          "%s %s %zux%zux%zu", s->isa, type_name[type], m, n, k);
    free(x.memory), free(y.memory), free(r);
}

static void test_matmul(const tables *s, int type)
{
    for (size_t n = 0; n <= 70; n++) {
        const size_t shapes[][3] = {
            {n, n, n},  {n, 71 - n, 5}, {71 - n, 3, n}, {5, n, 71 - n},
            {1, n, 20}, {n, 1, 20},     {20, n, 1},     {1, 1, n},
            {2, 2, n},  {9, n, 2},      {1, 20, n},     {20, 1, n},
        };
        for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
            const size_t *d = shapes[i];
            check_product(s, type, d[0], d[1], d[2], below(LAYOUTS), below(LAYOUTS));
        }
    }
    for (layout x = 0; x < LAYOUTS; x++)
        for (layout y = 0; y < LAYOUTS; y++) {
            check_product(s, type, 13, 37, 50, x, y);
            check_product(s, type, 1, 37, 1050, x, y);
            check_product(s, type, 37, 1, 1050, x, y);
            check_product(s, type, 1, 2500, 7, x, y);
            check_product(s, type, 2500, 1, 7, x, y);
            check_product(s, type, 21, 77, 300, x, y);
        }
    const size_t large[] = {127, 128, 129, 300};
    for (int i = 0; i < 4; i++) {
        const size_t n = large[i];
        check_product(s, type, n, n, n, below(LAYOUTS), below(LAYOUTS));
        check_product(s, type, n, 11, 900, TRANSPOSED, PLAIN);
        check_product(s, type, 3, n, 900, PLAIN, TRANSPOSED);
    }
    for (layout how = 0; how < LAYOUTS; how++) { /* k in parts */
        check_product(s, type, 1, 1, 100003, how, PLAIN);
        check_product(s, type, 1, 3, 70001, PLAIN, how);
        check_product(s, type, 11, 1, 33281, how, PLAIN);
        check_product(s, type, 1, 8, 1025, PLAIN, how);
        check_product(s, type, 4, 3, 33281, how, TRANSPOSED);
    }
    check_product(s, type, 3, 3000, 70, PLAIN, PLAIN);
    check_product(s, type, 3000, 5, 70, TRANSPOSED, PLAIN);
}

/* Products that go together have the bits of each alone, and touch nothing else. */
static void check_lanes(const tables *s, int type, size_t m, size_t n, size_t k)
{
    const gradc_matmul_table *table = s->matmul[type];
    const layout how_x = below(LAYOUTS), how_y = below(LAYOUTS);
    const size_t count = 1 + (size_t)below(GRADC_LANES);
    const size_t step = m * n + (size_t)below(2);
    const size_t bytes = count * step * size_of[type];
    matrix x[GRADC_LANES], y[GRADC_LANES];
    const void *at_x[GRADC_LANES], *at_y[GRADC_LANES];
    for (size_t i = 0; i < count; i++) {
        x[i] = make_matrix(type, how_x, m, k), y[i] = make_matrix(type, how_y, k, n);
        at_x[i] = x[i].at, at_y[i] = y[i].at;
    }
    for (size_t i = count; i < GRADC_LANES; i++)
        at_x[i] = at_x[count - 1], at_y[i] = at_y[count - 1];
    gradc_matmul_task t = {.m = m, .n = n, .k = k, .r = malloc(bytes)};
    t.x = at_x[0], t.x_row = x[0].row, t.x_col = x[0].col;
    t.y = at_y[0], t.y_row = y[0].row, t.y_col = y[0].col;
    t.r_row = (ptrdiff_t)n;
    char *r = t.r, *alone = malloc(bytes);
    memset(r, 7, bytes), memset(alone, 7, bytes);
    const size_t most = table->together(&t);
    if (most >= count) {
        table->lanes(&t, at_x, at_y, (ptrdiff_t)step, count);
        for (size_t i = 0; i < count; i++) {
            t.x = at_x[i], t.y = at_y[i], t.r = alone + i * step * size_of[type];
            matmul(table, t);
        }
        CHECK(memcmp(r, alone, bytes) == 0, "%s %s %zu of %zux%zux%zu layouts %d %d",
              s->isa, type_name[type], count, m, n, k, how_x, how_y);
    }
    for (size_t i = 0; i < count; i++)
        free(x[i].memory), free(y[i].memory);
    free(r), free(alone);
}

static void test_lanes(const tables *s, int type)
{
    for (size_t m = 1; m <= 8; m++)
        for (size_t n = 1; n <= 8; n++)
            for (size_t k = 1; k <= 8; k++)
                for (int times = 0; times < 8; times++)
                    check_lanes(s, type, m, n, k);
}

/* NaN and infinities reach the elements they belong to and no others. */
static void test_special_values(const tables *s, int type)
{
    for (int i = 0; i < 300; i++) {
        const size_t m = 1 + (size_t)below(40), n = 1 + (size_t)below(60);
        const size_t k = 2 + (size_t)below(i % 3 ? 40 : 700);
        matrix x = make_matrix(type, below(LAYOUTS), m, k);
        matrix y = make_matrix(type, below(LAYOUTS), k, n);
        const ptrdiff_t row = below((int64_t)m), p = below((int64_t)k);
        const ptrdiff_t q = below((int64_t)k), col = below((int64_t)n);
        set(type, (char *)x.at, row * x.row + p * x.col, i % 2 ? INFINITY : NAN);
        set(type, (char *)y.at, q * y.row + col * y.col, -INFINITY);
        for (size_t j = 0; j < n; j++) /* the infinity of x has a sign to meet */
            if ((ptrdiff_t)j != col || p != q)
                set(type, (char *)y.at, p * y.row + (ptrdiff_t)j * y.col, 1);
        void *r = make(type, m * n);
        const gradc_matmul_task t = {m,    n,     k,     x.at, x.row,        x.col,
                                     y.at, y.row, y.col, r,    (ptrdiff_t)n, NULL};
        matmul(s->matmul[type], t);
        for (ptrdiff_t a = 0; a < (ptrdiff_t)m; a++)
            for (ptrdiff_t b = 0; b < (ptrdiff_t)n; b++) {
                long double sum = 0;
                for (ptrdiff_t c = 0; c < (ptrdiff_t)k; c++)
                    sum += get(type, x.at, a * x.row + c * x.col) *
                           get(type, y.at, c * y.row + b * y.col);
                const long double got = get(type, r, a * (ptrdiff_t)n + b);
                CHECK(isnan(sum)   ? isnan(got)
                      : isinf(sum) ? got == sum
                                   : isfinite(got),
                      "%s %s %zux%zux%zu: %Lg, not %Lg", s->isa, type_name[type], m, k,
                      n, got, sum);
            }
        free(x.memory), free(y.memory), free(r);
    }
}

/* Few dot products have the same bits however the matrix lies. */
static void test_layouts_of_dots(const tables *s, int type)
{
    static const size_t lengths[] = {2, 63, 255, 256, 301, 511, 513, 5003};
    for (size_t i = 0; i < 8 * sizeof lengths / sizeof *lengths; i++) {
        const size_t m = 1 + i % 8, k = lengths[i / 8];
        matrix x = make_matrix(type, PLAIN, m, k), v = make_matrix(type, PLAIN, k, 1);
        void *turned = make(type, m * k), *r = make(type, m), *q = make(type, m);
        for (size_t j = 0; j < m * k; j++)
            set(type, turned, (int64_t)(j % k * m + j / k),
                get(type, x.memory, (int64_t)j));
        gradc_matmul_task t = {m, 1, k, x.at, (ptrdiff_t)k, 1, v.at, 1, 1, r, 1, NULL};
        matmul(s->matmul[type], t);
        t.x = turned, t.x_row = 1, t.x_col = (ptrdiff_t)m, t.r = q;
        matmul(s->matmul[type], t);
        CHECK(memcmp(r, q, m * size_of[type]) == 0, "%s %s %zux%zu", s->isa,
              type_name[type], m, k);
        free(x.memory), free(v.memory), free(turned), free(r), free(q);
    }
}

/* A float32 dot product of n terms errs like pairwise summation, not like n. */
static void test_long_dot(const tables *s)
{
    const size_t n = 1000003;
    float *x = make(GRADC_F32, n), *y = make(GRADC_F32, n), r;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        x[i] = (float)below(1000) / 1000, y[i] = (float)below(1000) / 1000;
        sum += (double)x[i] * y[i];
    }
    const gradc_matmul_task t = {1, 1, n, x, 0, 1, y, 1, 0, &r, 1, NULL};
    matmul(s->matmul[GRADC_F32], t);
    CHECK(fabs(r - sum) <= 4 * 0x1p-24 * sum, "%s: %g", s->isa, fabs(r - sum) / sum);
    free(x), free(y);
}

/* ---- programs: products cut into tasks ---- */

/* An operand of a program: `batch` matrices, or one for all if `shared`, which are
 * transposed in memory or not. */
typedef struct operand {
    size_t batch, m, n;
    bool shared, transposed;
    gradc_id input, node;
    void *memory;
} operand;

static void add_operand(gradc_graph *g, int type, operand *x)
{
    const int64_t count = x->batch == 0 || x->shared ? 1 : (int64_t)x->batch;
    const int64_t m = (int64_t)x->m, n = (int64_t)x->n;
    const int64_t dim[] = {count, x->transposed ? n : m, x->transposed ? m : n};
    const int rank = x->batch > 0 && !x->shared ? 3 : 2;
    const int perm3[] = {0, 2, 1}, perm2[] = {1, 0};
    x->memory = make_random(type, (size_t)count * x->m * x->n);
    x->input = gradc_input(g, (gradc_dtype)type, rank, dim + 3 - rank, 0);
    x->node = x->transposed ? gradc_transpose(g, x->input, rank == 3 ? perm3 : perm2)
                            : x->input;
}

/* What one call of the kernel for each matrix gives. */
static void *multiply_uncut(const gradc_matmul_table *table, int type, const operand *x,
                            const operand *y)
{
    const size_t m = x->m, k = x->n, n = y->n, size = size_of[type];
    const size_t batch = x->batch > 0 ? x->batch : 1;
    char *r = make(type, batch * m * n);
    for (size_t b = 0; b < batch; b++) {
        gradc_matmul_task t = {.m = m, .n = n, .k = k};
        t.x = (const char *)x->memory + (x->shared ? 0 : b * m * k * size);
        t.x_row = x->transposed ? 1 : (ptrdiff_t)k;
        t.x_col = x->transposed ? (ptrdiff_t)m : 1;
        t.y = (const char *)y->memory + (y->shared ? 0 : b * k * n * size);
        t.y_row = y->transposed ? 1 : (ptrdiff_t)n;
        t.y_col = y->transposed ? (ptrdiff_t)k : 1;
        t.r = r + b * m * n * size;
        t.r_row = (ptrdiff_t)n;
        matmul(table, t);
    }
    return r;
}

static void check_program(const tables *s, int type, operand x, operand y)
{
    gradc_graph *g = gradc_graph_new();
    add_operand(g, type, &x), add_operand(g, type, &y);
    const gradc_id in[] = {x.input, y.input}, r = gradc_matmul(g, x.node, y.node);
    const size_t batch = x.batch > 0 ? x.batch : 1;
    const size_t bytes = batch * x.m * y.n * size_of[type];
    void *expected = multiply_uncut(s->matmul[type], type, &x, &y);
    for (int threads = 1; threads <= 8; threads += 7) {
        gradc_program *p = NULL;
        gradc_message msg = {""};
        gradc_set_threads(threads);
        CHECK(gradc_compile(g, 2, in, 1, &r, &p, &msg) == GRADC_OK, "%s", msg.text);
        void *work = malloc(gradc_program_workspace(p)), *got = malloc(bytes + 1);
        const void *args[] = {x.memory, y.memory};
        CHECK(gradc_run(p, args, &got, work, &msg) == GRADC_OK, "%s", msg.text);
        CHECK(memcmp(got, expected, bytes) == 0, "%s %zu x %zux%zux%zu, %d threads",
              type_name[type], x.batch, x.m, x.n, y.n, threads);
        free(work), free(got);
        gradc_program_free(p);
    }
    gradc_graph_free(g);
    free(x.memory), free(y.memory), free(expected);
}

static void test_tasks(const tables *s, int type)
{
    static const size_t shapes[][4] = {
        {0, 131, 133, 137},   {0, 300, 301, 303}, {0, 17, 1100, 211},
        {0, 1501, 50, 31},    {0, 30, 3001, 47},  {0, 3001, 151, 1},
        {0, 1, 151, 3001},    {0, 1, 3001, 151},  {0, 1003, 1, 517},
        {0, 2, 20000, 2},     {0, 1, 200003, 1},  {0, 3, 200003, 1},
        {3, 120, 121, 97},    {40, 40, 41, 43},   {5000, 4, 5, 3},
        {5001, 3, 3, 3},      {5003, 3, 3, 1},    {5005, 1, 4, 4},
        {19, 8, 8, 8},        {2, 2, 2, 2},       {3001, 1, 7, 1},
        {17, 6, 8, 1},        {70, 5, 6, 7},      {31, 1, 2, 3},
        {7, 1, 4001, 33},     {2, 600, 0, 600},   {0, 900, 0, 900},
        {0, 1, 100001, 12},   {0, 12, 100001, 1}, {0, 5, 1000003, 1},
        {0, 50, 33281, 40},   {0, 60, 40001, 60}, {0, 1, 150001, 100},
        {0, 201, 1100, 1645}, {0, 513, 700, 171},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (int how = 0; how < 4; how++) {
            const size_t *d = shapes[i];
            const bool shared = d[0] > 0 && (i + (size_t)how) % 2;
            const operand x = {d[0], d[1], d[2], false, how & 1, 0, 0, NULL};
            const operand y = {d[0], d[2], d[3], shared, how & 2, 0, 0, NULL};
            check_program(s, type, x, y);
        }
}

int main(void)
{
    for (int isa = 0; isa < ISAS; isa++)
        if (strcmp(all[isa].isa, gradc_isa()) == 0)
            for (int type = GRADC_F64; type <= GRADC_F32; type++)
                test_tasks(&all[isa], type);
    for (int isa = 0; isa < ISAS; isa++) {
        if (!usable(isa))
            continue;
        for (int type = GRADC_F64; type <= GRADC_F32; type++)
            test_matmul(&all[isa], type), test_lanes(&all[isa], type),
                test_layouts_of_dots(&all[isa], type),
                test_special_values(&all[isa], type);
        test_long_dot(&all[isa]);
    }
    return check_report();
}
