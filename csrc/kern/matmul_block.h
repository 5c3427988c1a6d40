/* matmul_block.h -- dot products of at most GRADC_BLOCK terms, their lanes in double.
 *
 * Four vector accumulators take vectors of terms in turn; they are added, then their
 * lanes in double. However the rows lie, the order is the same, so bits are too. */
#ifndef GRADC_KERN_MATMUL_BLOCK_H
#define GRADC_KERN_MATMUL_BLOCK_H

#include "kern/kern.h"
#include "kern/matmul_pack.h"
#include "kern/simd.h"

/* Rows whose dot products are taken together, and how many share a load of v. */
enum { TOGETHER = 8, SHARE = V_BYTES == 64 ? 4 : 2, LINE = 64 / sizeof(T) };

/* Terms that are worth a vector for each lane, and how far ahead those are fetched. */
enum { LONG = 256, DOT_AHEAD = 4096 / sizeof(T) };

INLINE vacc lanes_in_double(vt x)
{
    T lane[W];
    v_store(lane, x);
    vacc s = v_acc_load(lane);
    for (size_t l = W_ACC; l < W; l += W_ACC)
        s += v_acc_load(lane + l);
    return s;
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
    vacc s[SHARE];
#pragma GCC unroll 4
    for (int i = 0; i < rows; i++)
        s[i] = lanes_in_double((a[i][0] + a[i][1]) + (a[i][2] + a[i][3]));
    if (rows == 4)
        v_acc_sums4(r, s);
    else
        for (int i = 0; i < rows; i++)
            r[i] = v_acc_sum(s[i]);
}

/* Row l of `lane` holds lane l of what dot_rows sums at last, for the rows of x side by
 * side: their sums in the order of v_acc_sum. */
INLINE void lanes_sums(double *r, const vt *lane, size_t rows)
{
    for (size_t j = 0; j < rows; j += W_ACC) {
        vacc s[W_ACC];
        T x[W];
        for (size_t l = 0; l < W; l++) {
            v_store(x, lane[l]);
            s[l % W_ACC] =
                l < W_ACC ? v_acc_load(x + j) : s[l % W_ACC] + v_acc_load(x + j);
        }
        for (size_t half = W_ACC / 2; half > 0; half /= 2)
            for (size_t l = 0; l < half; l++)
                s[l] += s[l + half];
        for (size_t q = j; q < rows && q < j + W_ACC; q++)
            r[q] = s[0][q - j];
    }
}

/* The same for rows that lie side by side, row i of x at x[i + p * col]: every lane of
 * dot_rows becomes a vector here. */
INLINE void dot_columns(double *r, const T *x, ptrdiff_t col, const T *y, size_t n,
                        size_t rows)
{
    for (size_t i = 0; i < rows; i += W) {
        const size_t w = rows - i < W ? rows - i : W;
        vt a[4 * W] = {{0}};
        size_t p = 0;
        for (size_t width = 4 * W; width >= W; width /= 4)
            for (; p + width <= n; p += width)
#pragma GCC unroll 8
                for (size_t q = 0; q < width; q++) {
                    const T *at = x + i + (ptrdiff_t)(p + q) * col;
                    __builtin_prefetch(at + DOT_AHEAD);
                    a[q] = v_fma(v_load_part(at, w), v_set(y[p + q]), a[q]);
                }
        for (size_t q = W; p < n; p++, q++)
            a[q] = v_fma(v_load_part(x + i + (ptrdiff_t)p * col, w), v_set(y[p]), a[q]);
        for (size_t q = 0; q < W; q++)
            a[q] = (a[q] + a[W + q]) + (a[2 * W + q] + a[3 * W + q]);
        lanes_sums(r + i, a, w);
    }
}

/* r[i] = sum over p < n <= GRADC_BLOCK of x[i * row + p * col] y[p] for `rows` rows. */
INLINE void dot_block(double *r, const T *x, ptrdiff_t row, ptrdiff_t col, const T *y,
                      size_t n, size_t rows)
{
    T copy[TOGETHER * GRADC_BLOCK];
    if (col != 1 && row == 1 && n >= LONG) {
        dot_columns(r, x, col, y, n, rows);
        return;
    }
    if (col != 1) {
        if (row == 1)
            pack_transposed(copy, GRADC_BLOCK, x, col, rows, n);
        else
            pack_strided(copy, GRADC_BLOCK, x, row, col, rows, n);
        x = copy, row = GRADC_BLOCK;
    }
    size_t q = 0;
    for (; q + SHARE <= rows; q += SHARE)
        dot_rows(r + q, x + (ptrdiff_t)q * row, row, y, n, SHARE);
    for (; q < rows; q++)
        dot_rows(r + q, x + (ptrdiff_t)q * row, row, y, n, 1);
}

#endif
