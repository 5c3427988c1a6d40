/* test_kern.c -- reductions, moves, scans and sorts against naive loops, on every ISA
 * of this machine. Where results must not depend on the ISA they are compared by bits
 * with the base path. Elementwise kernels have their oracles in Python; test_matmul.c
 * has the products. */
#include "kernels.h"

/* ---- reduce ---- */

static const int reductions[] = {GRADC_OP_sum, GRADC_OP_prod, GRADC_OP_max,
                                 GRADC_OP_min};

static long double naive_reduce(int op, int type, const void *x, size_t n)
{
    long double r = op == GRADC_OP_sum ? 0 : op == GRADC_OP_prod ? 1 : get(type, x, 0);
    uint64_t wrapped = op == GRADC_OP_prod;
    for (size_t i = 0; i < n; i++) {
        const long double v = get(type, x, (int64_t)i);
        const uint64_t bits = type == GRADC_I64 ? (uint64_t)(int64_t)v : 0;
        wrapped = op == GRADC_OP_sum ? wrapped + bits : wrapped * bits;
        if (op == GRADC_OP_sum)
            r += v;
        else if (op == GRADC_OP_prod)
            r *= v;
        else if (isnan(v) || (op == GRADC_OP_max ? v > r : v < r))
            r = v;
    }
    const bool wraps = op == GRADC_OP_sum || op == GRADC_OP_prod;
    return wraps && type == GRADC_I64 ? (long double)(int64_t)wrapped : r;
}

static int acc_type(int type) { return type <= GRADC_F32 ? GRADC_F64 : GRADC_I64; }

static void check_block(const tables *s, int type, int op, const void *x, size_t n)
{
    const gradc_reducer *f = &s->reduce[type]->of[op];
    uint64_t acc, base;
    f->block(&acc, x, n);
    all[0].reduce[type]->of[op].block(&base, x, n);
    CHECK(memcmp(&acc, &base, 8) == 0, "%s %s op %d n %zu", s->isa, type_name[type], op,
          n);
    if (n == 0) {
        f->clear(&base, 1);
        CHECK(acc == base, "%s %s op %d of nothing", s->isa, type_name[type], op);
        return;
    }
    const long double got = get(acc_type(type), &acc, 0);
    const long double want = naive_reduce(op, type, x, n);
    long double slack = 0;
    if (type <= GRADC_F32 && op == GRADC_OP_sum)
        slack = (long double)(n < 24 ? n : 24) * unit(type); /* times sum |x| <= n */
    if (type <= GRADC_F32 && op == GRADC_OP_prod)
        slack = fabsl(want) * (long double)n * unit(type) + 1e-37L;
    if (op == GRADC_OP_sum)
        slack *= (long double)n;
    CHECK(fabsl(got - want) <= slack, "%s %s op %d n %zu: %Lg, not %Lg", s->isa,
          type_name[type], op, n, got, want);
}

static void test_block(const tables *s, int type)
{
    for (size_t o = 0; o < sizeof reductions / sizeof *reductions; o++) {
        if (!s->reduce[type]->of[reductions[o]].block)
            continue;
        for (size_t n = 0; n <= GRADC_BLOCK; n++) {
            void *x = make_random(type, n);
            check_block(s, type, reductions[o], x, n);
            free(x);
        }
    }
}

/* One NaN anywhere shows; of -0.0 and 0.0 the sign decides, wherever they stand. */
static void test_block_special(const tables *s, int type)
{
    for (size_t n = 1; n <= GRADC_BLOCK; n = n * 3 / 2 + 1)
        for (size_t at = 0; at < n; at += 1 + n / 40) {
            void *x = make_random(type, n);
            double acc[3];
            set(type, x, (int64_t)at, NAN);
            for (int o = 0; o < 4; o++) {
                s->reduce[type]->of[reductions[o]].block(acc, x, n);
                CHECK(isnan(acc[0]), "%s %s op %d n %zu at %zu", s->isa,
                      type_name[type], reductions[o], n, at);
            }
            for (size_t i = 0; i < n; i++)
                set(type, x, (int64_t)i, i == at ? 0.0L : -0.0L);
            s->reduce[type]->of[GRADC_OP_max].block(acc, x, n);
            for (size_t i = 0; i < n; i++)
                set(type, x, (int64_t)i, i == at ? -0.0L : 0.0L);
            s->reduce[type]->of[GRADC_OP_min].block(acc + 1, x, n);
            CHECK(!signbit(acc[0]) && signbit(acc[1]), "%s %s n %zu at %zu", s->isa,
                  type_name[type], n, at);
            free(x);
        }
}

static void test_dot(const tables *s, int type)
{
    for (size_t n = 0; n <= GRADC_BLOCK; n++) {
        void *x = make_random(type, n), *y = make_random(type, n);
        double acc, base;
        long double sum = 0;
        for (int64_t i = 0; i < (int64_t)n; i++)
            sum += get(type, x, i) * get(type, y, i);
        s->reduce[type]->dot(&acc, x, y, n);
        all[0].reduce[type]->dot(&base, x, y, n);
        CHECK(memcmp(&acc, &base, 8) == 0, "%s %s n %zu", s->isa, type_name[type], n);
        CHECK(fabsl(acc - sum) <= 24 * unit(type) * (long double)n, "%s %s n %zu",
              s->isa, type_name[type], n);
        free(x), free(y);
    }
}

static void test_rows(const tables *s, int type)
{
    for (size_t o = 0; o < sizeof reductions / sizeof *reductions; o++) {
        const gradc_reducer *f = &s->reduce[type]->of[reductions[o]];
        for (size_t n = 0; f->rows && n <= 40; n++) {
            void *x = make_random(type, 3 * n), *r = make(type, n);
            void *acc = make(GRADC_I64, n), *part = make(GRADC_I64, n);
            f->clear(acc, n), f->clear(part, n);
            f->rows(acc, x, n, 2);
            f->rows(part, (char *)x + 2 * n * size_of[type], n, 1);
            f->join(acc, part, n);
            f->store(r, acc, n);
            for (size_t j = 0; j < n; j++) {
                void *column = make(type, 3);
                for (int i = 0; i < 3; i++)
                    set(type, column, i, get(type, x, (int64_t)(i * n + j)));
                const long double want = naive_reduce(reductions[o], type, column, 3);
                const long double got = get(type, r, (int64_t)j);
                CHECK(fabsl(got - want) <= (type <= GRADC_F32 ? 4 * unit(type) : 0),
                      "%s %s op %d n %zu", s->isa, type_name[type], reductions[o], n);
                free(column);
            }
            free(x), free(r), free(acc), free(part);
        }
    }
}

/* Many rows at once are the same bits as one after the other, within their memory. */
static void check_many(const tables *s, int type, int op, size_t n, size_t count)
{
    const gradc_reducer *f = &s->reduce[type]->of[op];
    void *x = make_random(type, n * count);
    uint64_t *acc = make(GRADC_I64, n), *want = make(GRADC_I64, n);
    f->clear(acc, n), f->clear(want, n);
    f->rows(acc, x, n, count);
    for (size_t i = 0; i < count; i++)
        f->rows(want, (char *)x + i * n * size_of[type], n, 1);
    CHECK(memcmp(acc, want, 8 * n) == 0, "%s %s op %d, %zu rows of %zu", s->isa,
          type_name[type], op, count, n);

    char *r = make(type, count), one[8];
    f->each(r, x, n, count);
    for (size_t i = 0; i < count; i++) {
        uint64_t sum;
        f->block(&sum, (char *)x + i * n * size_of[type], n);
        f->store(one, &sum, 1);
        CHECK(memcmp(one, r + i * size_of[type], size_of[type]) == 0,
              "%s %s op %d, run %zu of %zu", s->isa, type_name[type], op, i, n);
    }
    free(x), free(acc), free(want), free(r);
}

static void test_many_rows(const tables *s, int type)
{
    for (size_t o = 0; o < sizeof reductions / sizeof *reductions; o++)
        for (size_t n = 1; s->reduce[type]->of[reductions[o]].rows && n <= 20; n++)
            for (size_t count = 0; count <= 20; count++)
                check_many(s, type, reductions[o], n, count);
}

/* ---- move ---- */

enum { RANK = 5, ROOM = 1 << 17 };

/* A random view on ROOM elements: axes in any memory order, steps of either sign, and
 * where `repeats`, steps of 0. */
typedef struct view {
    int rank;
    int64_t dim[RANK], stride[RANK], size, offset;
} view;

static void order_view(view *v, bool repeats)
{
    int order[RANK];
    for (int a = 0; a < v->rank; a++) {
        const int b = (int)below(a + 1);
        order[a] = order[b], order[b] = a;
    }
    int64_t step = 1 + (below(4) == 0);
    v->offset = 0;
    for (int i = 0; i < v->rank; i++) {
        const int a = order[i];
        v->stride[a] = step;
        step *= v->dim[a] + (below(4) == 0);
        if (below(4) == 0)
            v->stride[a] = -v->stride[a];
        if (repeats && below(5) == 0)
            v->stride[a] = 0;
        if (v->stride[a] < 0 && v->dim[a] > 0)
            v->offset -= v->stride[a] * (v->dim[a] - 1);
    }
}

static view random_view(void)
{
    view v = {.rank = (int)below(RANK + 1), .size = 1};
    const int64_t most = v.rank <= 1 ? 700 : v.rank == 2 ? 150 : v.rank == 3 ? 20 : 6;
    for (int a = 0; a < v.rank; a++) {
        v.dim[a] = below(12) == 0 ? below(2) : 1 + below(most);
        v.size *= v.dim[a];
    }
    order_view(&v, true);
    return v;
}

/* Where element `i` in C order lies. */
static int64_t place(const view *v, int64_t i)
{
    int64_t at = v->offset;
    for (int a = v->rank - 1; a >= 0; a--) {
        at += i % v->dim[a] * v->stride[a];
        i /= v->dim[a];
    }
    return at;
}

static void test_load(const tables *s, int type, const void *x)
{
    const view v = random_view();
    const char *from = (const char *)x + v.offset * (int64_t)size_of[type];
    void *r = make(type, GRADC_BLOCK);
    for (int64_t begin = 0; begin < v.size; begin += 1 + below(GRADC_BLOCK)) {
        const int64_t left = v.size - begin;
        const int64_t n = left < GRADC_BLOCK ? left : GRADC_BLOCK;
        s->move[type]->load(r, from, v.rank, v.dim, v.stride, (size_t)begin, (size_t)n);
        bool same = true;
        for (int64_t i = 0; i < n; i++)
            same &= get(type, r, i) == get(type, x, place(&v, begin + i));
        CHECK(same, "%s %s rank %d", s->isa, type_name[type], v.rank);
    }
    free(r);
}

static void test_copy(const tables *s, int type, const void *x)
{
    const int64_t size = (int64_t)size_of[type];
    const view from = random_view();
    view to = from;
    order_view(&to, false);
    char *r = make(type, ROOM);
    memset(r, 0x55, ROOM * size_of[type]);
    s->move[type]->copy(r + to.offset * size, to.stride,
                        (const char *)x + from.offset * size, from.stride, from.rank,
                        from.dim);
    bool same = true;
    for (int64_t i = 0; i < from.size; i++) {
        same &= get(type, r, place(&to, i)) == get(type, x, place(&from, i));
        memset(r + place(&to, i) * size, 0x55, (size_t)size);
    }
    CHECK(same, "%s %s rank %d", s->isa, type_name[type], from.rank);
    for (int64_t i = 0; i < ROOM * size; i++)
        same &= r[i] == 0x55;
    CHECK(same, "%s %s rank %d wrote beside", s->isa, type_name[type], from.rank);
    free(r);
}

static void test_gather(const tables *s, int type)
{
    enum { ROWS = 9, N = 30 };
    for (size_t width = 0; width <= 20; width++) {
        void *x = make_random(type, ROWS * width), *r = make(type, N * width);
        void *back = make(type, ROWS * width), *want = make(type, ROWS * width);
        int64_t index[N];
        const size_t bad = (size_t)below(N + 1);
        for (size_t i = 0; i < N; i++)
            index[i] = i != bad   ? below(2 * ROWS) - ROWS
                       : below(2) ? ROWS + below(9)
                                  : -ROWS - 1 - below(9);
        CHECK(s->move[type]->gather(r, x, index, N, ROWS, width) == bad, "%s %s",
              s->isa, type_name[type]);
        for (int64_t j = 0; j < (int64_t)(ROWS * width); j++)
            set(type, back, j, 0), set(type, want, j, 0);
        for (size_t i = 0; i < bad; i++)
            for (size_t j = 0; j < width; j++) {
                const int64_t row = index[i] + (index[i] < 0 ? ROWS : 0);
                const int64_t at = row * (int64_t)width + (int64_t)j;
                const long double v = get(type, r, (int64_t)(i * width + j));
                CHECK(v == get(type, x, at), "%s %s", s->isa, type_name[type]);
                set(type, want, at, get(type, want, at) + v);
            }
        if (s->move[type]->scatter) {
            const size_t at = s->move[type]->scatter(back, r, index, N, ROWS, width);
            CHECK(at == bad, "%s %s", s->isa, type_name[type]);
            CHECK(memcmp(back, want, ROWS * width * size_of[type]) == 0,
                  "%s %s width %zu", s->isa, type_name[type], width);
        }
        free(x), free(r), free(back), free(want);
    }
}

static void test_move(const tables *s, int type)
{
    void *x = make_random(type, ROOM);
    for (int i = 0; i < 400; i++)
        test_load(s, type, x), test_copy(s, type, x);
    for (size_t n = 0; n < 100; n++) {
        void *r = make(type, n);
        bool same = true;
        s->move[type]->fill(r, x, n);
        for (size_t i = 0; i < n; i++)
            same &= get(type, r, (int64_t)i) == get(type, x, 0);
        CHECK(same, "%s %s fill %zu", s->isa, type_name[type], n);
        free(r);
    }
    test_gather(s, type);
    free(x);
}

/* ---- scan ---- */

typedef struct extent {
    size_t outer, n, inner;
} extent;

static void check_scan(const tables *s, int type, extent e, int reverse)
{
    const size_t count = e.outer * e.n * e.inner;
    void *x = make_random(type, count), *y = make_random(type, count);
    void *sums = make(type, count), *chain = make(type, count);
    const gradc_lines part[] = {{e.outer, e.n, e.inner / 2, e.inner},
                                {e.outer, e.n, e.inner - e.inner / 2, e.inner}};
    for (int k = 0; k < 2; k++) {
        const size_t at = k * (e.inner / 2) * size_of[type];
        s->scan[type]->cumsum((char *)sums + at, (char *)y + at, &part[k], reverse);
        s->scan[type]->recur((char *)chain + at, (char *)x + at, (char *)y + at,
                             &part[k], reverse);
    }
    const bool integer = type == GRADC_I64;
    bool good = true;
    for (size_t line = 0; line < e.outer * e.inner; line++) {
        long double sum = 0, r = 0;
        uint64_t wrapped = 0;
        for (size_t i = 0; i < e.n; i++) {
            const size_t row = reverse ? e.n - 1 - i : i;
            const int64_t at =
                (int64_t)((line / e.inner * e.n + row) * e.inner + line % e.inner);
            const long double xv = get(type, x, at), yv = get(type, y, at);
            sum += yv;
            r = i ? xv * r + yv : yv;
            if (integer) {
                wrapped = i ? (uint64_t)(int64_t)xv * wrapped : 0;
                wrapped += (uint64_t)(int64_t)yv;
                r = (long double)(int64_t)wrapped;
            }
            const long double slack = integer ? 0 : unit(type) * (long double)(e.n + 1);
            good &= fabsl(get(type, sums, at) - sum) <= slack * (1 + (long double)i);
            good &= fabsl(get(type, chain, at) - r) <= slack * (1 + (long double)i);
            if (integer)
                good &= ((int64_t *)chain)[at] == (int64_t)wrapped;
        }
    }
    CHECK(good, "%s %s (%zu, %zu, %zu)", s->isa, type_name[type], e.outer, e.n,
          e.inner);
    free(x), free(y), free(sums), free(chain);
}

/* Few distinct values, so that there are ties; and sometimes a NaN. */
static void check_arg(const tables *s, int type, extent e)
{
    const size_t count = e.outer * e.n * e.inner, lines = e.outer * e.inner;
    void *x = make(type, count);
    int64_t *most = make(GRADC_I64, lines), *least = make(GRADC_I64, lines);
    for (size_t i = 0; i < count; i++) {
        const bool nan = type <= GRADC_F32 && below(200) == 0;
        set(type, x, (int64_t)i, nan ? NAN : below(type == GRADC_BOOL ? 2 : 50));
    }
    const size_t half = e.inner < 4 ? 0 : e.inner / 2; /* no piece of one column */
    const gradc_lines part[] = {{e.outer, e.n, half, e.inner},
                                {e.outer, e.n, e.inner - half, e.inner}};
    for (int k = 0; k < 2; k++) {
        const char *from = (const char *)x + k * half * size_of[type];
        s->scan[type]->argmax(most + k * half, from, &part[k]);
        s->scan[type]->argmin(least + k * half, from, &part[k]);
    }
    for (size_t line = 0; line < lines; line++) {
        int64_t hi = 0, lo = 0;
        long double top = 0, bottom = 0;
        for (size_t i = 0; i < e.n; i++) {
            const long double v =
                get(type, x,
                    (int64_t)((line / e.inner * e.n + i) * e.inner + line % e.inner));
            if (i == 0 || v > top || (isnan(v) && !isnan(top)))
                top = v, hi = (int64_t)i;
            if (i == 0 || v < bottom || (isnan(v) && !isnan(bottom)))
                bottom = v, lo = (int64_t)i;
        }
        CHECK(most[line] == hi && least[line] == lo, "%s %s (%zu, %zu, %zu)", s->isa,
              type_name[type], e.outer, e.n, e.inner);
    }
    free(x), free(most), free(least);
}

static void test_scan(const tables *s, int type)
{
    const extent extents[] = {{1, 1, 1},  {1, 700, 1}, {5, 33, 1},  {3, 0, 4},
                              {3, 20, 0}, {2, 17, 3},  {2, 9, 40},  {1, 5, 1100},
                              {0, 4, 4},  {4, 1, 9},   {1, 3000, 1}};
    for (size_t i = 0; i < sizeof extents / sizeof *extents; i++) {
        if (s->scan[type]->cumsum) {
            check_scan(s, type, extents[i], 0);
            check_scan(s, type, extents[i], 1);
        }
        if (extents[i].n > 0)
            check_arg(s, type, extents[i]);
    }
}

/* ---- order ---- */

/* Few distinct values, both zeros, the ends of the type, and sometimes a NaN. */
static void *make_ties(int type, size_t n)
{
    void *x = make(type, n);
    for (size_t i = 0; i < n; i++)
        set(type, x, (int64_t)i, below(type == GRADC_BOOL ? 2 : (int64_t)n / 2 + 2));
    for (size_t i = 0; i < n && type <= GRADC_F32; i += 1 + (size_t)below(20)) {
        static const long double ends[] = {NAN, -0.0L, INFINITY, -INFINITY, -1e-30L};
        set(type, x, (int64_t)i, ends[below(5)]);
    }
    if (type == GRADC_I64 && n > 3)
        ((int64_t *)x)[n / 2] = INT64_MAX, ((int64_t *)x)[n / 3] = INT64_MIN;
    return x;
}

/* Whether element i of x is less than element j of y; NaN is more than any number. */
static bool is_less(int type, const void *x, size_t i, const void *y, size_t j)
{
    const long double a = get(type, x, (int64_t)i), b = get(type, y, (int64_t)j);
    return a < b || (isnan(b) && !isnan(a));
}

/* Near one of a few numbers of either sign: low bytes alone tell neighbours apart. */
static void *make_close(int type, size_t n)
{
    void *x = make(type, n);
    const long double gap = type == GRADC_F64 ? 0x1p-45L : 0x1p-20L;
    for (size_t i = 0; i < n; i++) {
        const int64_t near = below(4), which = below((int64_t)n / 50 + 1);
        const long double whole = (long double)(which - (int64_t)n / 100);
        set(type, x, (int64_t)i,
            type == GRADC_I64    ? whole * 0x1p40L + (long double)near
            : type == GRADC_BOOL ? (long double)(near == 1)
                                 : whole + (long double)near * gap);
    }
    return x;
}

static void check_argsort(const tables *s, int type, void *x, size_t n, size_t step)
{
    const gradc_order_table *t = s->order[type];
    void *scratch = malloc(t->sort_scratch(n) + 1);
    int64_t *r = make(GRADC_I64, n * step), *seen = calloc(n + 1, sizeof *seen);
    bool good = true;
    t->argsort(r, x, n, step, scratch);
    for (size_t i = 0; i < n; i++) {
        const size_t at = (size_t)r[i * step];
        good &= at < n && seen[at]++ == 0;
        if (i == 0 || !good)
            continue;
        const size_t before = (size_t)r[(i - 1) * step];
        good &= is_less(type, x, before * step, x, at * step) ||
                (!is_less(type, x, at * step, x, before * step) && before < at);
    }
    CHECK(good, "%s %s n %zu step %zu", s->isa, type_name[type], n, step);
    free(x), free(scratch), free(r), free(seen);
}

static void check_search(const tables *s, int type, size_t n, bool right)
{
    const size_t count = 2 * n + 5, size = size_of[type];
    const gradc_order_table *t = s->order[type];
    void *x = make_ties(type, n), *sorted = make(type, n), *v = make_ties(type, count);
    void *scratch = malloc(t->sort_scratch(n) + 1);
    int64_t *r = make(GRADC_I64, n), *found = make(GRADC_I64, count);
    t->argsort(r, x, n, 1, scratch);
    for (size_t i = 0; i < n; i++)
        memcpy((char *)sorted + i * size, (char *)x + (size_t)r[i] * size, size);
    t->search(found, sorted, n, v, count, right);
    for (size_t i = 0; i < count; i++) {
        int64_t below_it = 0;
        for (size_t j = 0; j < n; j++)
            below_it += right ? !is_less(type, v, i, sorted, j)
                              : is_less(type, sorted, j, v, i);
        CHECK(found[i] == below_it, "%s %s n %zu value %zu", s->isa, type_name[type], n,
              i);
    }
    free(x), free(sorted), free(v), free(scratch), free(r), free(found);
}

static void test_order(const tables *s, int type)
{
    for (size_t n = 0; n < 300; n += n < 70 ? 1 : 37) {
        const size_t step = 1 + n % 3;
        check_argsort(s, type, make_ties(type, n * step), n, step);
        check_search(s, type, n, n % 2);
        check_search(s, type, n, n % 2 == 0);
    }
    for (size_t n = 150; n < 20000; n *= 3) {
        check_argsort(s, type, make_ties(type, n), n, 1);
        check_argsort(s, type, make_close(type, n), n, 1);
        check_argsort(s, type, make_random(type, n), n, 1);
    }
}

int main(void)
{
    for (int isa = 0; isa < ISAS; isa++)
        for (int type = 0; usable(isa) && type < TYPES; type++) {
            const tables *s = &all[isa];
            test_block(s, type);
            test_rows(s, type);
            test_many_rows(s, type);
            if (type <= GRADC_F32) {
                test_block_special(s, type);
                test_dot(s, type);
            }
            test_move(s, type);
            test_scan(s, type);
            test_order(s, type);
        }
    return check_report();
}
