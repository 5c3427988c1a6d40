/* matmul.h -- what kernels offer for matrix products (see kern.h). */
#ifndef GRADC_KERN_MATMUL_H
#define GRADC_KERN_MATMUL_H

#include <stdbool.h>
#include <stddef.h>

/* Columns of whole panels of any tile (matmul_pack.h); lanes of any vector. */
enum { GRADC_PANEL = 48, GRADC_LANES = 16 };

/* r = x y: (m, k) times (k, n); every element of r is one sum over k whose order is
 * fixed by k and by the form of r -- a matrix, or one row or column of it. So a product
 * may be cut into tiles of r: matrices into matrices, vectors into vectors of more
 * than 8 elements. */
typedef struct gradc_matmul_task {
    size_t m, n, k;
    const void *x;
    ptrdiff_t x_row, x_col;
    const void *y;
    ptrdiff_t y_row, y_col;
    void *r;
    ptrdiff_t r_row; /* columns of r are contiguous */
    void *scratch;   /* as many bytes as scratch tells, 64-aligned */
} gradc_matmul_task;

typedef struct gradc_matmul_table {
    void (*run)(const gradc_matmul_task *t);
    size_t (*scratch)(const gradc_matmul_task *t); /* pointers are not looked at */
    /* Whether tasks should share a packed y: in rounds, each of `width` columns and
     * `depth` terms, in order of the terms. `t` is a part of a round then. pack() puts
     * columns that begin at column j of the round, a multiple of GRADC_PANEL, into
     * `packed`, of (width + GRADC_PANEL) depth elements, and rows() adds their products
     * to r, or to nothing. */
    bool (*rounds)(const gradc_matmul_task *t, size_t *width, size_t *depth);
    void (*pack)(const gradc_matmul_task *t, size_t j, void *packed);
    void (*rows)(const gradc_matmul_task *t, const void *packed, bool add);
    /* A long sum may be cut along k too, to the same bits: part i is the terms from
     * i * piece(t) on, as many. A part takes m n doubles, and join makes r of parts
     * 0, 1, ... -- in one call, or in several if they are more than 2^18 doubles. */
    size_t (*piece)(const gradc_matmul_task *t);
    void (*part)(const gradc_matmul_task *t, size_t i, void *r);
    void (*join)(const gradc_matmul_task *t, size_t first, size_t n, const void *parts);
    /* How many products of a batch are best run together: 1, or as many as lanes()
     * reads pointers for. Product i < count is of x[i] and y[i], into r + i * r_step,
     * where its rows lie side by side, to the bits of run(). */
    size_t (*together)(const gradc_matmul_task *t);
    void (*lanes)(const gradc_matmul_task *t, const void *const *x,
                  const void *const *y, ptrdiff_t r_step, size_t count);
} gradc_matmul_table;

#endif
