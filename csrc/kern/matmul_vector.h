/* matmul_vector.h -- the other products with a single row or column, and with k == 1.
 *
 * They are bound by memory, so the matrix is read once, in the order it lies in: its
 * rows of contiguous elements are added to a stretch of r that stays in L1, in the
 * order of matmul.c. Thin matrices are transposed first, some rows at a time, so that
 * vectors are full. */
#ifndef GRADC_KERN_MATMUL_VECTOR_H
#define GRADC_KERN_MATMUL_VECTOR_H

#include "kern/matmul_dot.h"
#include "kern/matmul_pack.h"
#include "kern/simd.h"

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
