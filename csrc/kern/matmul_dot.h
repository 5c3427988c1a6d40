/* matmul_dot.h -- products with a single row or column, contiguous along k.
 *
 * Each element of r is a dot product: blocks of GRADC_BLOCK elements in four vector
 * accumulators, whose sums meet in a pairwise tree in double, so the error of float32
 * does not grow with k. Several rows go together to share loads of the vector and to
 * overlap their last additions; that does not change their order. */
#ifndef GRADC_KERN_MATMUL_DOT_H
#define GRADC_KERN_MATMUL_DOT_H

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

#endif
