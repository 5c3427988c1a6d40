/* matmul.c -- r = x y for float64 and float32.
 *
 * A tile of r, ROWS rows by up to VECS vectors of columns, is held in registers while
 * k runs (Goto & van de Geijn 2008). The same tile reads operands where they lie when
 * they are small, or packed (matmul_pack.h) when that pays. Tiles are masked at the
 * right edge and cut into 8, 4, 2, 1 rows at the lower one, so no work is wasted.
 *
 * Order of summation: k is cut into equal pieces of at most DEPTH or DEEP, by k alone;
 * in each piece terms are fused one after another from zero, and pieces are added in
 * order. Packing, tile shape and edges do not show. So r may be cut anywhere into
 * smaller products without changing a bit, as long as no piece has a single row or
 * column unless r has. If r itself is a row or column, k is more than TINY and is
 * contiguous in the matrix, its elements are dot products, in another order
 * (matmul_dot.h) but each still by k alone; cut such an r into pieces of more than
 * TOGETHER (8) elements, because fewer are always dots. */
#include <stdlib.h>

#include "kern/kern.h"
#include "kern/matmul_dot.h"
#include "kern/matmul_lanes.h"
#include "kern/matmul_pack.h"
#include "kern/matmul_vector.h"
#include "kern/simd.h"

/* A panel of y, DEPTH x VECS * W, stays in L1 (on AVX-512 nearly) while tiles go down
 * HEIGHT rows of x, which stay in L2; DEPTH x WIDTH of y in L3. With more than LONGEST
 * terms it is DEEP x VECS * W and comes from L2, but r is passed over less often. An
 * operand of SMALL bytes is in L2 wherever its elements lie: packing it for one task
 * does not pay. y that tasks share is packed from SHARED bytes on, as panels in order
 * and aligned come faster than rows far apart, for MANY rows of x or where x does not
 * lie well either; so is x if its terms spread over SPREAD bytes, and from LARGE bytes
 * on however it lies, where L2 is small. */
enum { DEPTH = 256, HEIGHT = V_BYTES == 64 ? 128 : 96, WIDTH = 1536 };
enum { DEEP = V_BYTES == 64 ? 384 : DEPTH, LONGEST = 4 * DEPTH };
enum { SMALL = V_BYTES == 64 ? 1280 << 10 : 384 << 10 };
enum { LARGE = V_BYTES == 64 ? INT32_MAX : 256 << 10 };
enum { SHARED = 64 << 10, SPREAD = 384 << 10, MANY = 384 };

typedef struct tile {
    size_t k;
    const T *x;
    ptrdiff_t x_row, x_col;
    const T *y;
    ptrdiff_t y_row;
    T *r;
    ptrdiff_t r_row;
    size_t tail; /* columns in the last vector */
    bool add;    /* to r */
} tile;

typedef void tile_fn(const tile *t);

INLINE vt load_last(const T *p, bool part, size_t n)
{
    return part ? v_load_part(p, n) : v_load(p);
}

/* A long sum of what comes from beyond L1. */
enum { LONG_SUM = 128, ROWS_AHEAD = 8 };

/* Asks for the memory of `vecs` vectors. */
INLINE void ask_for(const T *p, int vecs)
{
#pragma GCC unroll 8
    for (int v = 0; v < vecs; v++)
        __builtin_prefetch(p + v * (int)W);
}

/* If `far`, lines of y are asked for ROWS_AHEAD of their use, and those of r a row at a
 * time while the sums run: all at once they would hold up y. */
INLINE void tile_body(const tile *t, int rows, int vecs, bool part, bool far)
{
    const ptrdiff_t x_row = t->x_row, x_col = t->x_col, y_row = t->y_row;
    const T *x = t->x, *y = t->y;
    const size_t tail = t->tail;
    vt acc[ROWS][VECS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            acc[i][v] = v_set(0);

#pragma GCC unroll 8
    for (int i = 0; i < rows && !far; i++)
        ask_for(t->r + i * t->r_row, vecs);

    for (size_t p = 0, row = 0; row < (far ? (size_t)rows : 1); row++) {
        const size_t until = far ? t->k * (row + 1) / (size_t)rows : t->k;
        if (far)
            ask_for(t->r + (ptrdiff_t)row * t->r_row, vecs);
        for (; p < until; p++, x += x_col, y += y_row) {
            vt b[VECS];
            if (far)
                ask_for(y + ROWS_AHEAD * y_row, vecs);
#pragma GCC unroll 8
            for (int v = 0; v < vecs; v++)
                b[v] = load_last(y + v * (int)W, part && v == vecs - 1, tail);
#pragma GCC unroll 8
            for (int i = 0; i < rows; i++) {
                const vt a = v_set(x[i * x_row]);
#pragma GCC unroll 8
                for (int v = 0; v < vecs; v++)
                    acc[i][v] = v_fma(a, b[v], acc[i][v]);
            }
        }
    }

#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) {
            T *r = t->r + i * t->r_row + v * (int)W;
            const bool last = part && v == vecs - 1;
            vt s = acc[i][v];
            if (t->add)
                s += load_last(r, last, tail);
            if (last)
                v_store_part(r, s, tail);
            else
                v_store(r, s);
        }
}

#define TILE(rows, vecs)                                                               \
    static void tile_##rows##_##vecs(const tile *t)                                    \
    {                                                                                  \
        tile_body(t, rows, vecs, false, false);                                        \
    }                                                                                  \
    static void tile_##rows##_##vecs##_part(const tile *t)                             \
    {                                                                                  \
        tile_body(t, rows, vecs, true, false);                                         \
    }
#define TILE_PAIR(rows, vecs) {tile_##rows##_##vecs, tile_##rows##_##vecs##_part}
#if V_HAS_FMA
#define TILE_ROW(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3)
#define TILE_ENTRY(rows) {TILE_PAIR(rows, 1), TILE_PAIR(rows, 2), TILE_PAIR(rows, 3)}
#else
#define TILE_ROW(rows) TILE(rows, 1) TILE(rows, 2)
#define TILE_ENTRY(rows) {TILE_PAIR(rows, 1), TILE_PAIR(rows, 2)}
#endif

TILE_ROW(1)
TILE_ROW(2)
TILE_ROW(4)
#if defined(__AVX512F__)
TILE_ROW(8)
#endif

/* By the binary logarithm of the rows, vectors - 1, and whether the last is part. */
static tile_fn *const tiles[][VECS][2] = {
    TILE_ENTRY(1),
    TILE_ENTRY(2),
    TILE_ENTRY(4),
#if defined(__AVX512F__)
    TILE_ENTRY(8),
#endif
};

static void tile_far(const tile *t) { tile_body(t, ROWS, VECS, false, true); }

INLINE size_t min_size(size_t x, size_t y) { return x < y ? x : y; }

/* Length of the pieces k is cut into. */
INLINE size_t depth_of(size_t k)
{
    if (k <= DEPTH)
        return k;
    const size_t most = k > LONGEST ? DEEP : DEPTH;
    const size_t pieces = (k + most - 1) / most;
    const size_t depth = (k + pieces - 1) / pieces;
    return (depth + 7) / 8 * 8;
}

/* One block of r; operands as they lie, or packed, which the strides do not tell. */
typedef struct block {
    size_t m, n, k;
    const T *x;
    ptrdiff_t x_row, x_col;
    const T *y;
    ptrdiff_t y_row;
    T *r;
    ptrdiff_t r_row;
    bool x_packed, y_packed, add;
} block;

INLINE void run_block(const block *b)
{
    tile t = {.k = b->k,
              .x_row = b->x_row,
              .x_col = b->x_col,
              .y = b->y,
              .r_row = b->r_row,
              .add = b->add};
    for (size_t j = 0; j < b->n;) {
        const size_t vecs = panel_vecs(b->n - j);
        const size_t width = min_size(vecs * W, b->n - j);
        const bool part = width < vecs * W;
        const bool far =
            V_BYTES == 64 && b->y_packed && b->k >= LONG_SUM && width == VECS * W;
        t.tail = width - (vecs - 1) * W;
        t.y_row = b->y_packed ? (ptrdiff_t)(vecs * W) : b->y_row;
        size_t log = ROWS == 8 ? 3 : 2;
        for (size_t i = 0; i < b->m;) {
            while (i + ((size_t)1 << log) > b->m)
                log--;
            const size_t panel = i / ROWS * ROWS;
            t.x = b->x_packed ? b->x + panel * b->k + (i - panel)
                              : b->x + (ptrdiff_t)i * b->x_row;
            t.r = b->r + (ptrdiff_t)i * t.r_row + j;
            if (far && (size_t)1 << log == ROWS)
                tile_far(&t);
            else
                tiles[log][vecs - 1][part](&t);
            i += (size_t)1 << log;
        }
        t.y += b->y_packed ? b->k * vecs * W : width;
        j += width;
    }
}

/* r, or what is in it, and x y for k no larger than a piece; y packed if `packed`. */
static void run_rows(const gradc_matmul_task *t, T *x_pack, const T *packed, bool add)
{
    block b = {
        .n = t->n,
        .k = t->k,
        .x_row = x_pack ? 1 : t->x_row,
        .x_col = x_pack ? ROWS : t->x_col,
        .y = packed ? packed : t->y,
        .y_row = t->y_row,
        .r_row = t->r_row,
        .x_packed = x_pack != NULL,
        .y_packed = packed != NULL,
        .add = add,
    };
    for (size_t i = 0; i < t->m; i += HEIGHT) {
        b.m = min_size(HEIGHT, t->m - i);
        b.x = (const T *)t->x + (ptrdiff_t)i * t->x_row;
        b.r = (T *)t->r + (ptrdiff_t)i * t->r_row;
        if (x_pack != NULL) {
            pack_x(x_pack, b.x, t->x_row, t->x_col, b.m, b.k);
            b.x = x_pack;
        }
        run_block(&b);
    }
}

static void run_blocks(const gradc_matmul_task *t, size_t depth, bool x_packed,
                       bool y_packed)
{
    const size_t width = y_packed ? WIDTH : t->n;
    T *const y_pack = t->scratch;
    const size_t y_width = y_packed ? vectors_up(min_size(width, t->n)) : 0;
    T *const x_pack = x_packed ? y_pack + depth * y_width : NULL;
    for (size_t j = 0; j < t->n; j += width)
        for (size_t p = 0; p < t->k; p += depth) {
            gradc_matmul_task b = *t;
            b.n = min_size(width, t->n - j);
            b.k = min_size(depth, t->k - p);
            b.x = (const T *)t->x + (ptrdiff_t)p * t->x_col;
            b.y = (const T *)t->y + (ptrdiff_t)p * t->y_row + (ptrdiff_t)j * t->y_col;
            b.r = (T *)t->r + j;
            if (y_packed)
                pack_y(y_pack, b.y, t->y_row, t->y_col, b.k, b.n);
            run_rows(&b, x_pack, y_packed ? y_pack : NULL, p > 0);
        }
}

/* n == 1 is (x, y); m == 1 is its transpose (y^T, x^T). */
static vector_task as_vector(const gradc_matmul_task *t)
{
    if (t->n == 1)
        return (vector_task){.m = t->m,
                             .k = t->k,
                             .a = t->x,
                             .row = t->x_row,
                             .col = t->x_col,
                             .v = t->y,
                             .r = t->r,
                             .r_step = t->r_row};
    return (vector_task){.m = t->n,
                         .k = t->k,
                         .a = t->y,
                         .row = t->y_col,
                         .col = t->y_row,
                         .v = t->x,
                         .r = t->r,
                         .r_step = 1};
}

INLINE bool adds_rows(const vector_task *v) { return v->row == 1 && v->m > TOGETHER; }

INLINE bool is_thin(const vector_task *v)
{
    return v->col == 1 && v->k <= THIN && v->m > TOGETHER;
}

/* The vector v, contiguous. */
INLINE const T *vector_of(const gradc_matmul_task *t, const vector_task *v)
{
    const ptrdiff_t step = t->n == 1 ? t->y_row : t->x_col;
    if (step == 1)
        return v->v;
    pack_strided(t->scratch, 1, v->v, step, 0, v->k, 1);
    return t->scratch;
}

/* These take pieces of `depth` terms. */

static void run_vector(const gradc_matmul_task *t, size_t depth)
{
    vector_task v = as_vector(t);
    v.v = vector_of(t, &v);
    if (adds_rows(&v))
        vector_sums(&v, depth);
    else if (is_thin(&v))
        vector_thin(&v);
    else if (v.k <= TINY)
        vector_tiny(&v);
    else
        vector_dots(&v, NULL);
}

static void run_outer(const gradc_matmul_task *t)
{
    const T *y = t->y;
    if (t->y_col != 1) {
        pack_strided(t->scratch, 1, y, t->y_col, 0, t->n, 1);
        y = t->scratch;
    }
    outer_product(t->r, t->r_row, t->x, t->x_row, y, t->m, t->n);
}

/* Whether operands that do not lie as the tile reads them are copied. */
INLINE bool packs_x(const gradc_matmul_task *t)
{
    return t->m * t->k * sizeof(T) > (t->x_col != 1 ? SMALL : LARGE) && t->m > ROWS &&
           t->n > VECS * W;
}

INLINE bool packs_y(const gradc_matmul_task *t)
{
    return t->y_col != 1 || (t->k * t->n * sizeof(T) > SMALL && t->m > ROWS);
}

static void run_matrix(const gradc_matmul_task *t, size_t depth)
{
    if (t->k > depth || t->m > HEIGHT || packs_x(t) || packs_y(t)) {
        run_blocks(t, depth, packs_x(t), packs_y(t));
        return;
    }
    /* small: the way through blocks takes as long as a product of 4x4 matrices */
    const block b = {.m = t->m,
                     .n = t->n,
                     .k = t->k,
                     .x = t->x,
                     .x_row = t->x_row,
                     .x_col = t->x_col,
                     .y = t->y,
                     .y_row = t->y_row,
                     .r = t->r,
                     .r_row = t->r_row};
    run_block(&b);
}

/* ---- in rounds ---- */

static bool rounds(const gradc_matmul_task *t, size_t *width, size_t *depth)
{
    const bool often = t->m >= MANY || t->x_col != 1;
    *width = min_size(WIDTH, t->n);
    *depth = depth_of(t->k);
    return t->m > 1 && t->n > 1 && t->k > 1 &&
           (packs_y(t) || (often && t->k * t->n * sizeof(T) > SHARED));
}

static void pack(const gradc_matmul_task *t, size_t j, void *packed)
{
    pack_y((T *)packed + j * t->k, t->y, t->y_row, t->y_col, t->k, t->n);
}

static void rows(const gradc_matmul_task *t, const void *packed, bool add)
{
    const size_t far = t->x_col != 1 ? t->k * (size_t)labs(t->x_col) * sizeof(T) : 0;
    const bool packs =
        far > SPREAD || t->m * (size_t)labs(t->x_row) * sizeof(T) > LARGE;
    run_rows(t, packs ? t->scratch : NULL, packed, add);
}

static void run(const gradc_matmul_task *t)
{
    if (t->m == 0 || t->n == 0)
        return;
    if (t->k == 0)
        for (size_t i = 0; i < t->m; i++)
            memset((T *)t->r + (ptrdiff_t)i * t->r_row, 0, t->n * sizeof(T));
    else if (t->k == 1)
        run_outer(t);
    else if (t->m == 1 || t->n == 1)
        run_vector(t, depth_of(t->k));
    else
        run_matrix(t, depth_of(t->k));
}

/* ---- small products of a batch ---- */

/* A product that fills its vectors and has nothing to pack is faster alone. */
static size_t together(const gradc_matmul_task *t)
{
    enum { WORTH_PACKING = 125 };
    const size_t m = t->m, n = t->n, k = t->k, work = m * n * k;
    if (m > TINY || n > TINY || k > TINY || work == 0)
        return 1;
    const bool packs = t->y_col != 1 && work <= WORTH_PACKING;
    return m == 1 || n == 1 || n < W || packs ? W : 1;
}

static void lanes(const gradc_matmul_task *t, const void *const *x,
                  const void *const *y, ptrdiff_t r_step, size_t count)
{
    lane_matrix a, b;
    gather_lanes(&a, x, t->x_row, t->x_col, t->m, t->k);
    gather_lanes(&b, y, t->y_row, t->y_col, t->k, t->n);
    multiply_lanes(t, &a, &b, r_step, count);
}

/* ---- long sums in parts ---- */

INLINE bool is_dots(const gradc_matmul_task *t)
{
    const vector_task v = as_vector(t);
    return (t->m == 1 || t->n == 1) && !adds_rows(&v) && t->k > TINY && !is_thin(&v);
}

static size_t piece(const gradc_matmul_task *t)
{
    if (!is_dots(t))
        return depth_of(t->k);
    size_t run = RUN;
    while (t->k / run > MOST_RUNS)
        run *= 2;
    return t->m * t->n <= MOST_DOTS ? run : t->k;
}

static void part(const gradc_matmul_task *whole, size_t number, void *r)
{
    const size_t depth = piece(whole), p = number * depth;
    gradc_matmul_task t = *whole;
    t.k = min_size(depth, whole->k - p);
    t.x = (const T *)t.x + (ptrdiff_t)p * t.x_col;
    t.y = (const T *)t.y + (ptrdiff_t)p * t.y_row;
    t.r = r;
    t.r_row = (ptrdiff_t)t.n;
    if (is_dots(whole)) {
        vector_task v = as_vector(&t);
        v.v = vector_of(&t, &v);
        vector_dots(&v, t.r);
    } else if (t.m == 1 || t.n == 1) {
        run_vector(&t, depth);
    } else {
        run_matrix(&t, depth);
    }
}

static void join(const gradc_matmul_task *t, size_t first, size_t n, const void *parts)
{
    if (is_dots(t)) {
        const vector_task v = as_vector(t);
        join_dots(&v, parts, n);
        return;
    }
    for (size_t i = 0; i < t->m; i++) {
        T *r = (T *)t->r + (ptrdiff_t)i * t->r_row;
        for (size_t q = 0; q < n; q++) {
            const T *x =
                (const T *)((const double *)parts + q * t->m * t->n) + i * t->n;
            if (first + q == 0)
                memcpy(r, x, t->n * sizeof(T));
            else
                for (size_t j = 0; j < t->n; j++)
                    r[j] += x[j];
        }
    }
}

static size_t scratch(const gradc_matmul_task *t)
{
    const size_t m = t->m, n = t->n, k = t->k;
    if (m == 0 || n == 0 || k == 0)
        return 0;
    if (k == 1)
        return t->y_col == 1 ? 0 : n * sizeof(T);
    if (m == 1 || n == 1)
        return (n == 1 ? t->y_row : t->x_col) == 1 ? 0 : k * sizeof(T);
    const size_t depth = depth_of(k);
    const size_t rows = min_size(m + ROWS - 1, HEIGHT);
    return depth * (rows + vectors_up(min_size(n, WIDTH))) * sizeof(T);
}

extern const gradc_matmul_table KERNEL_TABLE(matmul);
const gradc_matmul_table KERNEL_TABLE(matmul) = {.run = run,
                                                 .rounds = rounds,
                                                 .pack = pack,
                                                 .rows = rows,
                                                 .scratch = scratch,
                                                 .together = together,
                                                 .lanes = lanes,
                                                 .piece = piece,
                                                 .part = part,
                                                 .join = join};
