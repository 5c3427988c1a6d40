/* matmul_pack.h -- operands of a product laid out in the order the tile reads them.
 *
 * y is cut into panels of up to VECS vectors of columns, one k after another, the last
 * vector of the last panel filled with zeros; x into panels of ROWS rows, one k after
 * another, ROWS apart. Where memory runs the other way, square blocks are transposed
 * in registers. */
#ifndef GRADC_KERN_MATMUL_PACK_H
#define GRADC_KERN_MATMUL_PACK_H

#include "kern/simd.h"
#include "kern/transpose.h"

/* The tile: ROWS x VECS accumulators, VECS vectors of y and one of x fill the
 * registers (32 on AVX-512, else 16; without FMA the product needs one too). */
#if V_HAS_FMA
enum { VECS = 3 };
#else
enum { VECS = 2 };
#endif
enum { ROWS = V_BYTES == 64 ? 8 : 4 };

/* Vectors in the next panel when `n` columns are left. Four are cut 2 + 2, because a
 * panel of one vector has too few accumulators to hide the latency of the FMA. */
INLINE size_t panel_vecs(size_t n)
{
    const size_t left = (n + W - 1) / W;
    if (left <= VECS)
        return left;
    return left == VECS + 1 && VECS > 2 ? 2 : VECS;
}

INLINE size_t vectors_up(size_t n) { return (n + W - 1) / W * W; }

/* to[i * step + j] = x[i * row + j * col] for i < m, j < n; in `to` all of j lies
 * closer together than the next i. */
INLINE void pack_strided(T *to, size_t step, const T *x, ptrdiff_t row, ptrdiff_t col,
                         size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            to[i * step + j] = x[(ptrdiff_t)i * row + (ptrdiff_t)j * col];
}

INLINE void pack_transposed(T *to, size_t step, const T *x, ptrdiff_t col, size_t m,
                            size_t n)
{
    const size_t mq = m / Q * Q, nq = n / Q * Q;
    for (size_t i = 0; i < mq; i += Q)
        for (size_t j = 0; j < nq; j += Q)
            transpose_block(to + i * step + j, (ptrdiff_t)step,
                            x + i + (ptrdiff_t)j * col, col);
    pack_strided(to + mq * step, step, x + mq, 1, col, m - mq, nq);
    pack_strided(to + nq, step, x + (ptrdiff_t)nq * col, 1, col, m, n - nq);
}

static void pack_y(T *to, const T *y, ptrdiff_t row, ptrdiff_t col, size_t k, size_t n)
{
    while (n > 0) {
        const size_t width = panel_vecs(n) * W;
        const size_t real = n < width ? n : width;
        if (col == 1)
            for (size_t p = 0; p < k; p++) {
                T *t = to + p * width;
                const T *from = y + (ptrdiff_t)p * row;
                size_t j = 0;
                for (; j + W <= real; j += W)
                    v_store(t + j, v_load(from + j));
                if (j < real)
                    v_store(t + j, v_load_part(from + j, real - j));
            }
        else {
            if (real < width)
                for (size_t p = 0; p < k; p++)
                    v_store(to + p * width + width - W, v_set(0));
            if (row == 1)
                pack_transposed(to, width, y, col, k, real);
            else
                pack_strided(to, width, y, row, col, k, real);
        }
        to += k * width, y += (ptrdiff_t)real * col, n -= real;
    }
}

static void pack_x(T *to, const T *x, ptrdiff_t row, ptrdiff_t col, size_t m, size_t k)
{
    for (size_t i = 0; i < m; i += ROWS, to += k * ROWS, x += ROWS * row) {
        const size_t real = m - i < ROWS ? m - i : ROWS;
        if (row == 1 && real == ROWS)
            for (size_t p = 0; p < k; p++)
                memcpy(to + p * ROWS, x + (ptrdiff_t)p * col, ROWS * sizeof(T));
        else if (col == 1)
            pack_transposed(to, ROWS, x, row, k, real);
        else
            pack_strided(to, ROWS, x, col, row, k, real);
    }
}

#endif
