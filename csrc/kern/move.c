/* move.c -- elements from place to place: fill, strided load and copy, gather, scatter.
 *
 * A strided walk is first put in simple form: axes of length 1 go, neighbours that
 * are one run in memory merge. What is left is done run by run along the last axis,
 * where a run is a memcpy, a splat or a strided loop. A copy may choose its order: the
 * axes are sorted so that r is written forwards, and two axes that x and r hold in
 * opposite order are copied in square blocks, so that both use whole cache lines. */
#include <stdlib.h>

#include "kern/kern.h"
#include "kern/simd.h"
#include "kern/transpose.h"
#include "kern/weave.h"

enum { RANK_MAX = 16 }; /* as in ir/graph.h */

static void splat(T *r, T value, size_t n)
{
    const vt v = v_set(value);
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_store(r + i, v);
    for (; i < n; i++)
        r[i] = value;
}

static void fill(void *r, const void *value, size_t n)
{
    splat(r, *(const T *)value, n);
}

/* Short runs are common (small last axes) and cheaper without a call. */
INLINE void move_run(T *r, int64_t rs, const T *x, int64_t xs, int64_t n)
{
    if (rs == 1 && xs == 1 && n > 16)
        memcpy(r, x, (size_t)n * sizeof(T));
    else if (rs == 1 && xs == 0)
        splat(r, *x, (size_t)n);
    else if (rs == 1)
        for (int64_t i = n > (int64_t)W ? pick(r, x, xs, n) : 0; i < n; i++)
            r[i] = x[i * xs];
    else
        for (int64_t i = 0; i < n; i++)
            r[i * rs] = x[i * xs];
}

enum { SHORT = 8 };

/* A run of n <= SHORT elements, which the compiler knows, contiguous or one value. */
INLINE void move_short(T *r, const T *x, bool splats, size_t n)
{
    const vt v = v_set(*x);
    size_t i = 0;
    for (; i + W <= n; i += W)
        v_store(r + i, splats ? v : v_load(x + i));
    memcpy(r + i, splats ? (const T *)&v : x + i, (n - i) * sizeof(T));
}

/* A longer one; its last vector may meet the one before. */
INLINE void move_long(T *r, const T *x, bool splats, size_t n)
{
    enum { SMALL = 8, MOST = 128 }; /* elements; from MOST on a call is worth it */
    const vt v = v_set(*x);
    if (!splats && n > MOST) {
        memcpy(r, x, n * sizeof(T));
    } else if (n >= W) {
        for (size_t i = 0; i + W < n; i += W)
            v_store(r + i, splats ? v : v_load(x + i));
        v_store(r + n - W, splats ? v : v_load(x + n - W));
    } else {
        for (size_t i = 0; i + SMALL < n; i += SMALL)
            memcpy(r + i, splats ? (const T *)&v : x + i, SMALL * sizeof(T));
        memcpy(r + n - SMALL, splats ? (const T *)&v : x + n - SMALL,
               SMALL * sizeof(T));
    }
}

/* Blocks of rows of n elements: where each begins, and how many there are. */
typedef struct nest {
    size_t n;
    int64_t rows, r_row, x_row;
    int64_t blocks, r_block, x_block;
} nest;

INLINE void move_nest(T *r, const T *x, bool splats, nest d, size_t n)
{
    for (; d.blocks > 0; d.blocks--, r += d.r_block, x += d.x_block)
        for (int64_t i = 0; i < d.rows; i++)
            if (n <= SHORT)
                move_short(r + i * d.r_row, x + i * d.x_row, splats, n);
            else
                move_long(r + i * d.r_row, x + i * d.x_row, splats, n);
}

/* One row of n <= SHORT elements, over and over from r on: W of them are n vectors. */
INLINE void repeat_row(T *r, const T *x, int64_t rows, size_t n)
{
    const int64_t group = (int64_t)(W * n);
    vt v[SHORT];
    for (size_t i = 0; i < W; i++)
        move_short(r + i * n, x, false, n);
    for (size_t k = 0; k < n; k++)
        v[k] = v_load(r + k * W);
    T *const last = r + (rows - (int64_t)W) * (int64_t)n;
    for (r += group; r < last + group; r += group)
        for (size_t k = 0; k < n; k++)
            v_store((r < last ? r : last) + k * W, v[k]);
}

/* Rows of n <= SHORT times one element of x, for each of a run: W elements make n
 * vectors of r. How many rows that were; the others are for move_nest, as all are if
 * they are whole vectors. */
INLINE int64_t spread_run(T *r, const T *x, int64_t rows, size_t n)
{
    int64_t i = 0;
#if V_HAS_PERMUTE
    vm from[SHORT];
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < W; j++)
            from[k][j] = (M)((k * W + j) / n);
    for (; i + (int64_t)W <= rows; i += W) {
        const vt v = v_load(x + i);
        for (size_t k = 0; k < n; k++)
            v_store(r + (size_t)i * n + k * W, v_permute(v, from[k]));
    }
#else
    (void)r, (void)x, (void)rows, (void)n;
#endif
    return i;
}

INLINE void spread_nest(T *r, const T *x, nest d, size_t n)
{
    nest rest = d;
    rest.blocks = 1;
    for (; d.blocks > 0; d.blocks--, r += d.r_block, x += d.x_block) {
        const bool runs = d.x_row == 1 && d.r_row == (int64_t)n && n % W != 0;
        const int64_t done = runs ? spread_run(r, x, d.rows, n) : 0;
        rest.rows = d.rows - done;
        move_nest(r + done * d.r_row, x + done * d.x_row, true, rest, n);
    }
}

typedef void rows_fn(T *r, const T *x, bool splats, nest d);

/* Rows whose length the compiler knows: it costs more to look at than to move. */
#define ROWS(n)                                                                        \
    static void rows_##n(T *r, const T *x, bool splats, nest d)                        \
    {                                                                                  \
        if (splats)                                                                    \
            spread_nest(r, x, d, n);                                                   \
        else if (d.x_row == 0 && d.r_row == n && d.rows >= 2 * (int64_t)W)             \
            for (; d.blocks > 0; d.blocks--, r += d.r_block, x += d.x_block)           \
                repeat_row(r, x, d.rows, n);                                           \
        else                                                                           \
            move_nest(r, x, false, d, n);                                              \
    }
ROWS(2)
ROWS(3)
ROWS(4)
ROWS(5)
ROWS(6)
ROWS(7)
ROWS(8)

static void rows_long(T *r, const T *x, bool splats, nest d)
{
    if (splats)
        move_nest(r, x, true, d, d.n);
    else
        move_nest(r, x, false, d, d.n);
}

static rows_fn *const rows_of[SHORT + 1] = {[2] = rows_2, [3] = rows_3, [4] = rows_4,
                                            [5] = rows_5, [6] = rows_6, [7] = rows_7,
                                            [8] = rows_8};

INLINE void move_rows(T *r, const T *x, bool splats, nest d)
{
    (d.n <= SHORT ? rows_of[d.n] : rows_long)(r, x, splats, d);
}

typedef struct walk {
    int rank;
    int64_t dim[RANK_MAX], rs[RANK_MAX], xs[RANK_MAX];
} walk;

/* Adds the next inner axis to `w`, merging it with the last where memory allows. */
INLINE void walk_push(walk *w, int64_t dim, int64_t rs, int64_t xs)
{
    if (dim == 1)
        return;
    const int last = w->rank - 1;
    if (last >= 0 && w->rs[last] == rs * dim && w->xs[last] == xs * dim) {
        w->dim[last] *= dim;
        w->rs[last] = rs, w->xs[last] = xs;
        return;
    }
    w->dim[w->rank] = dim, w->rs[w->rank] = rs, w->xs[w->rank] = xs;
    w->rank++;
}

/* Whether the last axis is for move_rows; no axis of a walk has length 1. */
INLINE bool has_rows(const walk *w)
{
    const int last = w->rank - 1;
    return last > 0 && w->rs[last] == 1 && (w->xs[last] == 0 || w->xs[last] == 1);
}

/* Moves to the next position of the axes before the last `inner` ones. */
INLINE bool walk_next(const walk *w, int inner, int64_t *at, int64_t *ri, int64_t *xi)
{
    for (int a = w->rank - inner - 1; a >= 0; a--) {
        *ri += w->rs[a], *xi += w->xs[a];
        if (++at[a] < w->dim[a])
            return true;
        *ri -= w->rs[a] * w->dim[a], *xi -= w->xs[a] * w->dim[a];
        at[a] = 0;
    }
    return false;
}

INLINE int64_t min_of(int64_t x, int64_t y) { return x < y ? x : y; }

/* Whole rows from the beginning of one on, over up to two axes; how many elements
 * that were. Leaves `at` and `xi` at the last of the rows. */
INLINE int64_t load_rows(const walk *w, T *r, const T *x, int64_t left, int64_t *at,
                         int64_t *xi)
{
    const int row = w->rank - 2;
    const int64_t n = w->dim[row + 1];
    const int64_t rows = min_of(left / n, w->dim[row] - at[row]);
    nest d = {(size_t)n, rows, n, w->xs[row], 1, rows * n, 0};
    const T *from = x + *xi;
    if (row > 0 && rows == w->dim[row]) {
        d.blocks = min_of(left / d.r_block, w->dim[row - 1] - at[row - 1]);
        d.x_block = w->xs[row - 1];
        at[row - 1] += d.blocks - 1, *xi += (d.blocks - 1) * d.x_block;
    }
    at[row] += rows - 1, *xi += (rows - 1) * d.x_row;
    move_rows(r, from, w->xs[row + 1] == 0, d);
    return d.blocks * d.r_block;
}

/* Whether the last axis is short and x is contiguous along the one before. */
INLINE bool has_woven(const walk *w)
{
    const int last = w->rank - 1;
    return last > 0 && w->xs[last - 1] == 1 && w->dim[last] <= MOST_WOVEN;
}

/* Whole rows of a walk that has_woven, likewise. */
INLINE int64_t load_woven(const walk *w, T *r, const T *x, int64_t left, int64_t *at,
                          int64_t *xi)
{
    const int row = w->rank - 2;
    const int64_t n = w->dim[row + 1];
    const int64_t rows = min_of(left / n, w->dim[row] - at[row]);
    weave(r, x + *xi, w->xs[row + 1], rows, n);
    at[row] += rows - 1, *xi += rows - 1;
    return rows * n;
}

static void load(void *rp, const void *xp, int rank, const int64_t *dim,
                 const int64_t *stride, size_t begin, size_t n)
{
    T *r = rp;
    const T *x = xp;
    if (n == 0)
        return;
    walk w = {0};
    int64_t size = 1;
    for (int a = rank - 1; a >= 0; a--)
        size *= dim[a];
    for (int a = 0; a < rank; a++) { /* r's strides only make it one run */
        size /= dim[a] ? dim[a] : 1;
        walk_push(&w, dim[a], size, stride[a]);
    }
    if (w.rank == 0) {
        splat(r, *x, n);
        return;
    }
    int64_t at[RANK_MAX] = {0}, ri = 0, xi = 0, left = (int64_t)n;
    int64_t index = (int64_t)begin;
    for (int a = w.rank - 1; a >= 0; a--) {
        at[a] = index % w.dim[a], index /= w.dim[a];
        xi += at[a] * w.xs[a];
    }
    const int last = w.rank - 1;
    const int64_t step = w.xs[last];
    int64_t from = at[last];
    xi -= from * step;
    const bool in_rows = has_rows(&w), woven = has_woven(&w);
    while (left > 0) {
        const int64_t room = w.dim[last] - from;
        int64_t run = room < left ? room : left;
        if (in_rows && run == w.dim[last])
            run = load_rows(&w, r, x, left, at, &xi);
        else if (woven && run == w.dim[last])
            run = load_woven(&w, r, x, left, at, &xi);
        else
            move_run(r, 1, x + xi + from * step, step, run);
        r += run, left -= run, from = 0;
        walk_next(&w, 1, at, &ri, &xi);
    }
}

/* r[i * rs + j] = x[i + j * xs] for i < m, j < n, in tiles whose rows of x and r stay
 * in cache, and within them in register blocks. */
static void copy_transposed(T *r, int64_t rs, const T *x, int64_t xs, int64_t m,
                            int64_t n)
{
    enum { TILE_I = 64, TILE_J = 64 };
    if (n <= MOST_WOVEN && rs == n) {
        weave(r, x, xs, m, n);
        return;
    }
    for (int64_t i0 = 0; i0 < m; i0 += TILE_I)
        for (int64_t j0 = 0; j0 < n; j0 += TILE_J) {
            const int64_t i1 = i0 + TILE_I < m ? i0 + TILE_I : m;
            const int64_t j1 = j0 + TILE_J < n ? j0 + TILE_J : n;
            int64_t i = i0;
#if !IS(b8)
            for (; i + Q <= i1; i += Q) {
                int64_t j = j0;
                for (; j + Q <= j1; j += Q)
                    transpose_block(r + i * rs + j, rs, x + i + j * xs, xs);
                for (; j < j1; j++)
                    for (int64_t q = i; q < i + Q; q++)
                        r[q * rs + j] = x[q + j * xs];
            }
#endif
            for (; i < i1; i++)
                for (int64_t j = j0; j < j1; j++)
                    r[i * rs + j] = x[i + j * xs];
        }
}

/* The axes of a copy, with r's largest steps first. */
static void walk_sorted(walk *w, int rank, const int64_t *dim, const int64_t *rs,
                        const int64_t *xs)
{
    int axis[RANK_MAX];
    for (int a = 0; a < rank; a++) {
        int b = a;
        for (; b > 0 && llabs(rs[axis[b - 1]]) < llabs(rs[a]); b--)
            axis[b] = axis[b - 1];
        axis[b] = a;
    }
    w->rank = 0;
    for (int a = 0; a < rank; a++)
        walk_push(w, dim[axis[a]], rs[axis[a]], xs[axis[a]]);
}

/* Makes the axis along which x is contiguous the last but one; false if there is none
 * or the last axis will do. */
static bool walk_pair(walk *w)
{
    const int last = w->rank - 1;
    if (last < 1 || w->rs[last] != 1 || w->xs[last] == 1 || w->xs[last] == 0)
        return false;
    for (int a = 0; a < last; a++)
        if (w->xs[a] == 1) {
            const int64_t dim = w->dim[a], rs = w->rs[a];
            for (; a < last - 1; a++)
                w->dim[a] = w->dim[a + 1], w->rs[a] = w->rs[a + 1],
                w->xs[a] = w->xs[a + 1];
            w->dim[a] = dim, w->rs[a] = rs, w->xs[a] = 1;
            return true;
        }
    return false;
}

/* Rows, two axes of them at a time if there are so many. */
static void copy_rows(const walk *w, T *r, const T *x)
{
    const int last = w->rank - 1, inner = last < 2 ? 2 : 3;
    nest d = {(size_t)w->dim[last],
              w->dim[last - 1],
              w->rs[last - 1],
              w->xs[last - 1],
              1,
              0,
              0};
    if (inner == 3)
        d.blocks = w->dim[last - 2], d.r_block = w->rs[last - 2],
        d.x_block = w->xs[last - 2];
    int64_t at[RANK_MAX] = {0}, ri = 0, xi = 0;
    do
        move_rows(r + ri, x + xi, w->xs[last] == 0, d);
    while (walk_next(w, inner, at, &ri, &xi));
}

static void copy(void *rp, const int64_t *r_stride, const void *xp,
                 const int64_t *x_stride, int rank, const int64_t *dim)
{
    T *r = rp;
    const T *x = xp;
    for (int a = 0; a < rank; a++)
        if (dim[a] == 0)
            return;
    walk w;
    walk_sorted(&w, rank, dim, r_stride, x_stride);
    int64_t at[RANK_MAX] = {0}, ri = 0, xi = 0;
    const int last = w.rank - 1;
    if (last < 0)
        *r = *x;
    else if (walk_pair(&w))
        do
            copy_transposed(r + ri, w.rs[last - 1], x + xi, w.xs[last], w.dim[last - 1],
                            w.dim[last]);
        while (walk_next(&w, 2, at, &ri, &xi));
    else if (has_rows(&w))
        copy_rows(&w, r, x);
    else
        do
            move_run(r + ri, w.rs[last], x + xi, w.xs[last], w.dim[last]);
        while (walk_next(&w, 1, at, &ri, &xi));
}

INLINE int64_t find_row(int64_t index, int64_t rows)
{
    return index + (index >> 63 & rows);
}

/* Of single elements, four at a time as long as all are in range. */
static size_t gather_elements(T *r, const T *x, const int64_t *index, size_t n,
                              int64_t rows)
{
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const int64_t a = find_row(index[i], rows), b = find_row(index[i + 1], rows);
        const int64_t c = find_row(index[i + 2], rows),
                      d = find_row(index[i + 3], rows);
        const uint64_t end = (uint64_t)rows;
        if (((uint64_t)a >= end) | ((uint64_t)b >= end) | ((uint64_t)c >= end) |
            ((uint64_t)d >= end))
            break;
        const T xa = x[a], xb = x[b], xc = x[c], xd = x[d];
        r[i] = xa, r[i + 1] = xb, r[i + 2] = xc, r[i + 3] = xd;
    }
    for (; i < n; i++) {
        const int64_t row = find_row(index[i], rows);
        if (row < 0 || row >= rows)
            return i;
        r[i] = x[row];
    }
    return n;
}

static size_t gather(void *rp, const void *xp, const int64_t *index, size_t n,
                     int64_t rows, size_t width)
{
    T *r = rp;
    const T *x = xp;
    if (width == 1)
        return gather_elements(r, x, index, n, rows);
    for (size_t i = 0; i < n; i++) {
        const int64_t row = find_row(index[i], rows);
        if (row < 0 || row >= rows)
            return i;
        memcpy(r + i * width, x + (size_t)row * width, width * sizeof(T));
    }
    return n;
}

#if !IS(b8)
INLINE T plus(T x, T y)
{
#if IS(i64)
    return (T)((uint64_t)x + (uint64_t)y); /* wraps */
#else
    return x + y;
#endif
}

static void add_row(T *r, const T *x, size_t n)
{
    size_t j = 0;
    for (; j + W <= n; j += W) {
#if IS(i64)
        v_store(r + j, (vt)((uacc)v_load(r + j) + (uacc)v_load(x + j)));
#else
        v_store(r + j, v_load(r + j) + v_load(x + j));
#endif
    }
    for (; j < n; j++)
        r[j] = plus(r[j], x[j]);
}

static size_t scatter(void *rp, const void *xp, const int64_t *index, size_t n,
                      int64_t rows, size_t width)
{
    T *r = rp;
    const T *x = xp;
    for (size_t i = 0; i < n; i++) {
        const int64_t row = index[i] < 0 ? index[i] + rows : index[i];
        if (row < 0 || row >= rows)
            return i;
        if (width == 1)
            r[row] = plus(r[row], x[i]);
        else
            add_row(r + (size_t)row * width, x + i * width, width);
    }
    return n;
}
#endif

extern const gradc_move_table KERNEL_TABLE(move);
const gradc_move_table KERNEL_TABLE(move) = {
    .fill = fill,
    .load = load,
    .copy = copy,
    .gather = gather,
#if !IS(b8)
    .scatter = scatter,
#endif
};
