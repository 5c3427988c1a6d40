/* matmul_lanes.h -- products too small to fill a vector.
 *
 * W of them go together, one in each lane: the operands' elements are gathered, each
 * into a vector, multiplied as numbers would be, and the results scattered. They are
 * products of a batch, or the elements of r if that is a row or column. */
#ifndef GRADC_KERN_MATMUL_LANES_H
#define GRADC_KERN_MATMUL_LANES_H

#include "kern/kern.h"
#include "kern/matmul_dot.h"
#include "kern/runs.h"

enum { TINY = 8 };

/* W matrices of up to TINY x TINY, one in each lane: element (i, j) is
 * at[i * row + j * col]. */
typedef struct lane_matrix {
    ptrdiff_t row, col;
    vt at[TINY * TINY];
} lane_matrix;

INLINE void gather_lanes(lane_matrix *a, const void *const *x, ptrdiff_t row,
                         ptrdiff_t col, size_t rows, size_t cols)
{
    const bool by_rows = col == 1 && (row == (ptrdiff_t)cols || rows == 1);
    const bool by_columns = row == 1 && (col == (ptrdiff_t)rows || cols == 1);
    a->row = by_columns ? 1 : (ptrdiff_t)cols;
    a->col = by_columns ? (ptrdiff_t)rows : 1;
    if ((by_rows || by_columns) && rows * cols > SHORT) {
        gather_run(a->at, x, rows * cols);
        return;
    }
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            const ptrdiff_t at = (ptrdiff_t)i * row + (ptrdiff_t)j * col;
            a->at[(ptrdiff_t)i * a->row + (ptrdiff_t)j * a->col] = gather_one(x, at);
        }
}

/* Products of the first `count` lanes, `step` apart; their rows lie side by side. */
INLINE void multiply_lanes(const gradc_matmul_task *t, const lane_matrix *x,
                           const lane_matrix *y, ptrdiff_t step, size_t count)
{
    const size_t size = t->m * t->n;
    vt r[TINY * TINY], *to = r;
    for (size_t i = 0; i < t->m; i++)
        for (size_t j = 0; j < t->n; j++) {
            const vt *a = x->at + (ptrdiff_t)i * x->row;
            const vt *b = y->at + (ptrdiff_t)j * y->col;
            vt s = v_set(0);
            for (size_t p = 0; p < t->k; p++, a += x->col, b += y->row)
                s = v_fma(*a, *b, s);
            *to++ = s;
        }
    for (; to < r + Q; to++)
        *to = v_set(0);
    if (size > SHORT)
        scatter_run(t->r, step, r, size, count);
    else
        for (size_t i = 0; i < size; i++)
            scatter_one((T *)t->r + i, step, r[i], count);
}

/* k <= TINY: terms are fused one after another, as in matmul.c. */
static void vector_tiny(const vector_task *t)
{
    lane_matrix a;
    const void *row[W];
    for (size_t i = 0; i < t->m; i += W) {
        const size_t n = t->m - i < W ? t->m - i : W;
        for (size_t q = 0; q < W; q++)
            row[q] = t->a + (ptrdiff_t)(q < n ? i + q : i) * t->row;
        gather_lanes(&a, row, 0, t->col, 1, t->k);
        vt s = v_set(0);
        for (size_t p = 0; p < t->k; p++)
            s = v_fma(a.at[p], v_set(t->v[p]), s);
        scatter_one(t->r + (ptrdiff_t)i * t->r_step, t->r_step, s, n);
    }
}

#endif
