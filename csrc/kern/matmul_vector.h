/* matmul_vector.h -- products with a single row or column, and outer products.
 *
 * All are bound by memory, so the matrix is read once, in the order it lies in.
 * Contiguous along k, each element of r is a dot product: blocks of GRADC_BLOCK
 * elements in four vector accumulators, whose sums meet in a pairwise tree in double,
 * so the error of float32 does not grow with k. Contiguous the other way, rows of the
 * matrix are added to a stretch of r that stays in L1, in the order of matmul.c.
 * Thin matrices are first transposed, a block at a time, so that vectors are full. */
#ifndef GRADC_KERN_MATMUL_VECTOR_H
#define GRADC_KERN_MATMUL_VECTOR_H

#include "kern/kern.h"
#include "kern/matmul_pack.h"
#include "kern/simd.h"

/* r[i * r_step] = sum over p of a[i * row + p * col] v[p], i < m, p < k. */
typedef struct vector_task {
    size_t m, k;
    const T *a;
    ptrdiff_t row, col;
    const T *v;
    T *r;
    ptrdiff_t r_step;
} vector_task;

/* Rows whose dot products are taken together, and how many share a load of v. */
enum { TOGETHER = 8, SHARE = V_BYTES == 64 ? 4 : 2, LINE = 64 / sizeof(T) };

/* Whether to ask for memory early: a large matrix whose runs of `n` elements are too
 * short for the hardware to see where they lead. */
INLINE bool fetch_ahead(size_t n, const vector_task *t)
{
    return n * sizeof(T) < 4096 && t->m * t->k * sizeof(T) > 1 << 20;
}

INLINE double lanes_sum(vt x)
{
    T lane[W];
    v_store(lane, x);
    vacc s = v_acc_load(lane);
    for (size_t l = W_ACC; l < W; l += W_ACC)
        s += v_acc_load(lane + l);
    return v_acc_sum(s);
}

INLINE void dot_rows(double *r, const T *x, ptrdiff_t row, const T *y, size_t n,
                     int rows)
{
    vt a[SHARE][4];
#pragma GCC unroll 16
    for (int i = 0; i < 4 * rows; i++)
        a[i / 4][i % 4] = v_set(0);
    size_t j = 0;
    for (; j + 4 * W <= n; j += 4 * W)
#pragma GCC unroll 4
        for (size_t v = 0; v < 4; v++) {
            const vt b = v_load(y + j + v * W);
#pragma GCC unroll 4
            for (int i = 0; i < rows; i++)
                a[i][v] = v_fma(v_load(x + i * row + j + v * W), b, a[i][v]);
        }
    for (; j + W <= n; j += W)
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++)
            a[i][0] = v_fma(v_load(x + i * row + j), v_load(y + j), a[i][0]);
    if (j < n)
#pragma GCC unroll 4
        for (int i = 0; i < rows; i++)
            a[i][1] = v_fma(v_load_part(x + i * row + j, n - j),
                            v_load_part(y + j, n - j), a[i][1]);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
        r[i] = lanes_sum((a[i][0] + a[i][1]) + (a[i][2] + a[i][3]));
}

/* The rows i .. i + rows. Sums of blocks 2j and 2j + 1 are added, then pairs of pairs:
 * `part` holds sums for each bit set in the number of blocks done. */
static void dot_group(const vector_task *t, size_t i, size_t rows)
{
    double part[64][TOGETHER];
    T copy[TOGETHER * GRADC_BLOCK];
    size_t top = 0;
    for (size_t p = 0, block = 0; p < t->k; p += GRADC_BLOCK, block++) {
        const size_t n = t->k - p < GRADC_BLOCK ? t->k - p : GRADC_BLOCK;
        const T *x = t->a + (ptrdiff_t)i * t->row + (ptrdiff_t)p * t->col;
        ptrdiff_t row = t->row;
        if (t->col != 1) {
            if (row == 1)
                pack_transposed(copy, GRADC_BLOCK, x, t->col, rows, n);
            else
                pack_strided(copy, GRADC_BLOCK, x, row, t->col, rows, n);
            x = copy, row = GRADC_BLOCK;
        }
        size_t q = 0;
        for (; q + SHARE <= rows; q += SHARE)
            dot_rows(part[top] + q, x + (ptrdiff_t)q * row, row, t->v + p, n, SHARE);
        for (; q < rows; q++)
            dot_rows(part[top] + q, x + (ptrdiff_t)q * row, row, t->v + p, n, 1);
        for (size_t bits = block; bits & 1; bits >>= 1, top--)
            for (q = 0; q < rows; q++)
                part[top - 1][q] += part[top][q];
        top++;
    }
    while (--top > 0)
        for (size_t q = 0; q < rows; q++)
            part[top - 1][q] += part[top][q];
    for (size_t q = 0; q < rows; q++)
        t->r[(ptrdiff_t)(i + q) * t->r_step] = (T)part[0][q];
}

static void vector_dots(const vector_task *t)
{
    const bool ahead = fetch_ahead(t->k, t);
    for (size_t i = 0; i < t->m; i += TOGETHER) {
        if (ahead && i + 2 * TOGETHER <= t->m)
            for (size_t q = TOGETHER; q < 2 * TOGETHER; q++)
                for (size_t p = 0; p < t->k; p += LINE)
                    __builtin_prefetch(t->a + (ptrdiff_t)(i + q) * t->row + p);
        dot_group(t, i, t->m - i < TOGETHER ? t->m - i : TOGETHER);
    }
}

/* acc += `rows` rows of `a` times v. `ahead`, if not 0, is how many elements further
 * memory is fetched. */
INLINE void add_rows(T *acc, const T *a, ptrdiff_t col, const T *v, size_t n, int rows,
                     ptrdiff_t ahead)
{
    vt b[8];
#pragma GCC unroll 8
    for (int q = 0; q < rows; q++)
        b[q] = v_set(v[q]);
    size_t j = 0;
    for (; j + W <= n; j += W) {
        vt s = v_load(acc + j);
#pragma GCC unroll 8
        for (int q = 0; q < rows; q++) {
            if (ahead)
                __builtin_prefetch(a + q * col + (ptrdiff_t)j + ahead);
            s = v_fma(v_load(a + q * col + j), b[q], s);
        }
        v_store(acc + j, s);
    }
    if (j < n) {
        vt s = v_load(acc + j);
#pragma GCC unroll 8
        for (int q = 0; q < rows; q++)
            s = v_fma(v_load_part(a + q * col + j, n - j), b[q], s);
        v_store(acc + j, s);
    }
}

INLINE void add_all_rows(T *acc, const T *a, ptrdiff_t col, const T *v, size_t n,
                         size_t k, ptrdiff_t ahead)
{
    size_t p = 0;
    for (; p + 8 <= k; p += 8)
        add_rows(acc, a + (ptrdiff_t)p * col, col, v + p, n, 8, ahead);
    if (k & 4)
        add_rows(acc, a + (ptrdiff_t)p * col, col, v + p, n, 4, 0), p += 4;
    for (; p < k; p++)
        add_rows(acc, a + (ptrdiff_t)p * col, col, v + p, n, 1, 0);
}

enum { STRETCH = 16384 / sizeof(T), AHEAD = 8192 / sizeof(T) };

/* For row == 1; sums over k are cut every `depth` as in matmul.c. */
static void vector_sums(const vector_task *t, size_t depth)
{
    const bool ahead = fetch_ahead(t->m, t);
    for (size_t j = 0; j < t->m; j += STRETCH) {
        const size_t n = t->m - j < STRETCH ? t->m - j : STRETCH;
        for (size_t p = 0; p < t->k; p += depth) {
            const size_t k = t->k - p < depth ? t->k - p : depth;
            const T *a = t->a + j + (ptrdiff_t)p * t->col;
            T acc[STRETCH];
            for (size_t i = 0; i < n; i += W)
                v_store(acc + i, v_set(0));
            if (ahead)
                add_all_rows(acc, a, t->col, t->v + p, n, k, AHEAD);
            else
                add_all_rows(acc, a, t->col, t->v + p, n, k, 0);
            T *r = t->r + (ptrdiff_t)j * t->r_step;
            for (size_t i = 0; i < n; i++)
                r[(ptrdiff_t)i * t->r_step] =
                    p ? r[(ptrdiff_t)i * t->r_step] + acc[i] : acc[i];
        }
    }
}

/* For col == 1 and k <= THIN: sums of a transposed copy, 64 rows at a time. */
enum { THIN = 24 };

static void vector_thin(const vector_task *t)
{
    enum { ROWS_COPIED = 64 };
    T copy[THIN * ROWS_COPIED];
    vector_task s = *t;
    s.a = copy, s.row = 1, s.col = ROWS_COPIED;
    for (size_t i = 0; i < t->m; i += ROWS_COPIED) {
        s.m = t->m - i < ROWS_COPIED ? t->m - i : ROWS_COPIED;
        pack_transposed(copy, ROWS_COPIED, t->a + (ptrdiff_t)i * t->row, t->row, t->k,
                        s.m);
        s.r = t->r + (ptrdiff_t)i * t->r_step;
        vector_sums(&s, THIN);
    }
}

/* k == 1; y contiguous. */
static void outer_product(T *r, ptrdiff_t r_row, const T *x, ptrdiff_t x_row,
                          const T *y, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++, r += r_row, x += x_row) {
        size_t j = 0;
        for (; j + W <= n; j += W)
            v_store(r + j, v_set(*x) * v_load(y + j));
        for (; j < n; j++)
            r[j] = *x * y[j];
    }
}

#endif
