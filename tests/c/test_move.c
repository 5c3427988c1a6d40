/* test_move.c -- copies and gathers so large that programs cut them into tasks, for any
 * number of threads, and the kernels on short axes, against moves of each element. */
#include "kernels.h"

/* Runs `r` of `g` on one or two arguments; the message of its status is in `msg`. */
static gradc_status run(const gradc_graph *g, size_t n, const gradc_id *in, gradc_id r,
                        const void *const *args, void *out, gradc_message *msg)
{
    gradc_program *p = NULL;
    CHECK(gradc_compile(g, n, in, 1, &r, &p, msg) == GRADC_OK, "%s", msg->text);
    void *work = malloc(gradc_program_workspace(p));
    const gradc_status status = gradc_run(p, args, &out, work, msg);
    free(work);
    gradc_program_free(p);
    return status;
}

/* As a copy, or as what a loop loads. */
static void check_transpose(int type, const int64_t *dim, const int *perm, bool loads)
{
    gradc_graph *g = gradc_graph_new();
    const size_t n = (size_t)(dim[0] * dim[1] * dim[2]);
    const int64_t stride[] = {dim[1] * dim[2], dim[2], 1};
    void *x = make_random(type, n), *want = make(type, n), *got = make(type, n);
    const gradc_id in = gradc_input(g, (gradc_dtype)type, 3, dim, 0);
    const gradc_id moved = gradc_transpose(g, in, perm);
    const gradc_id r = loads ? gradc_unary(g, GRADC_OP_neg, moved) : moved;
    int64_t at = 0;
    for (int64_t i = 0; i < dim[perm[0]]; i++)
        for (int64_t j = 0; j < dim[perm[1]]; j++)
            for (int64_t k = 0; k < dim[perm[2]]; k++, at++)
                set(type, want, at,
                    (loads ? -1 : 1) * get(type, x,
                                           i * stride[perm[0]] + j * stride[perm[1]] +
                                               k * stride[perm[2]]));
    for (int threads = 1; threads <= 8; threads += 7) {
        const void *args[] = {x};
        gradc_message msg = {""};
        gradc_set_threads(threads);
        memset(got, 0, n * size_of[type]);
        CHECK(run(g, 1, &in, r, args, got, &msg) == GRADC_OK, "%s", msg.text);
        CHECK(memcmp(got, want, n * size_of[type]) == 0, "%s %dx%dx%d by %d%d%d %s",
              type_name[type], (int)dim[0], (int)dim[1], (int)dim[2], perm[0], perm[1],
              perm[2], loads ? "loaded" : "copied");
    }
    gradc_graph_free(g);
    free(x), free(want), free(got);
}

static void test_transposes(int type)
{
    static const int64_t dims[][3] = {{1, 700, 513}, {1, 100003, 3}, {1, 2, 150001},
                                      {5, 301, 299}, {64, 65, 130},  {3, 4, 1021},
                                      {1, 9, 7},     {1, 400000, 1}};
    static const int perms[][3] = {
        {0, 2, 1}, {2, 1, 0}, {1, 0, 2}, {1, 2, 0}, {0, 1, 2}};
    for (size_t i = 0; i < sizeof dims / sizeof *dims; i++)
        for (size_t k = 0; k < sizeof perms / sizeof *perms; k++)
            for (int loads = 0; loads <= (type != GRADC_BOOL); loads++)
                check_transpose(type, dims[i], perms[k], loads);
}

/* Offset in elements of element `index`, in C order, of an array. */
static int64_t offset(int rank, const int64_t *dim, const int64_t *stride,
                      int64_t index)
{
    int64_t at = 0;
    for (int a = rank - 1; a >= 0; index /= dim[a], a--)
        at += index % dim[a] * stride[a];
    return at;
}

/* Loads of any part of arrays with short axes, and copies of them into other orders. */
static void check_nest(int isa, int type)
{
    enum { RANK = 4, MOST = 40 };
    const gradc_move_table *move = all[isa].move[type];
    const int rank = 1 + (int)below(RANK - (int)below(2));
    int64_t dim[RANK], x_stride[RANK], r_stride[RANK], n = 1, reach = 1;
    for (int a = rank - 1; a >= 0; a--) {
        dim[a] = 1 + below(rank == 2 && a == 0 ? 8 * MOST : MOST); /* many rows */
        r_stride[a] = n; /* axes in C order; padded below */
        n *= dim[a];
        const int64_t apart = below(4) == 0 ? 2 + below(4) : 1;
        x_stride[a] = below(3) == 0 ? 0 : apart * reach;
        reach += (dim[a] - 1) * x_stride[a];
    }
    void *x = make_random(type, (size_t)reach);
    void *got = make(type, (size_t)(3 * n)), *want = make(type, (size_t)(3 * n));
    memset(got, 0, (size_t)(3 * n) * size_of[type]);
    memset(want, 0, (size_t)(3 * n) * size_of[type]);
    const int64_t begin = below(n), count = 1 + below(n - begin);
    for (int64_t i = 0; i < count; i++)
        set(type, want, i, get(type, x, offset(rank, dim, x_stride, begin + i)));
    move->load(got, x, rank, dim, x_stride, (size_t)begin, (size_t)count);
    CHECK(memcmp(got, want, (size_t)(3 * n) * size_of[type]) == 0, "load %s %s",
          all[isa].isa, type_name[type]);
    for (int a = 0; a < rank - 1; a++) /* rows apart */
        r_stride[a] *= 3;
    for (int64_t i = 0; i < n; i++)
        set(type, want, offset(rank, dim, r_stride, i),
            get(type, x, offset(rank, dim, x_stride, i)));
    for (int64_t i = 0; i < n; i++) /* what lies between the rows stays */
        set(type, got, offset(rank, dim, r_stride, i), 0);
    move->copy(got, r_stride, x, x_stride, rank, dim);
    CHECK(memcmp(got, want, (size_t)(3 * n) * size_of[type]) == 0, "copy %s %s",
          all[isa].isa, type_name[type]);
    free(x), free(got), free(want);
}

/* Indices are right but for one in `bad`, or none. */
static void check_gather(int type, int64_t n, int64_t rows, int64_t width, int64_t bad)
{
    gradc_graph *g = gradc_graph_new();
    const int64_t x_dim[] = {rows, width};
    const gradc_id in[] = {gradc_input(g, (gradc_dtype)type, 2, x_dim, 0),
                           gradc_input(g, GRADC_I64, 1, &n, 0)};
    const gradc_id r = gradc_gather(g, in[0], in[1]);
    void *x = make_random(type, (size_t)(rows * width));
    void *want = make(type, (size_t)(n * width)),
         *got = make(type, (size_t)(n * width));
    int64_t *index = make(GRADC_I64, (size_t)n);
    for (int64_t i = 0; i < n; i++) {
        index[i] = below(2 * rows) - rows;
        for (int64_t j = 0; j < width; j++)
            set(type, want, i * width + j,
                get(type, x, (index[i] + (index[i] < 0 ? rows : 0)) * width + j));
    }
    if (bad >= 0) {
        index[bad] = below(2) ? rows : INT64_MIN + below(2) * (INT64_MAX - rows);
        index[n - 1] = rows + 1;
    }
    for (int threads = 1; threads <= 8; threads += 7) {
        const void *args[] = {x, index};
        gradc_message msg = {""};
        char name[32];
        gradc_set_threads(threads);
        const gradc_status status = run(g, 2, in, r, args, got, &msg);
        CHECK(status == (bad < 0 ? GRADC_OK : GRADC_EINDEX), "%s", msg.text);
        snprintf(name, sizeof name, "index %lld ", bad < 0 ? 0 : (long long)index[bad]);
        if (bad < 0)
            CHECK(memcmp(got, want, (size_t)(n * width) * size_of[type]) == 0,
                  "%s %d of %dx%d", type_name[type], (int)n, (int)rows, (int)width);
        else
            CHECK(strstr(msg.text, name) != NULL, "%s, not %s", msg.text, name);
    }
    gradc_graph_free(g);
    free(x), free(want), free(got), free(index);
}

static void test_gathers(int type)
{
    static const int64_t shapes[][3] = {
        {100003, 100, 1}, {50021, 7, 3}, {3001, 200, 65}, {9, 4, 1}, {20001, 3000, 16}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const int64_t *s = shapes[i];
        check_gather(type, s[0], s[1], s[2], -1);
        for (int k = 0; k < 4; k++)
            check_gather(type, s[0], s[1], s[2], below(s[0] - 1));
    }
}

int main(void)
{
    for (int type = 0; type < TYPES; type++) {
        test_transposes(type);
        test_gathers(type);
        for (int isa = 0; isa < ISAS; isa++)
            for (int i = 0; usable(isa) && i < 2000; i++)
                check_nest(isa, type);
    }
    return check_report();
}
