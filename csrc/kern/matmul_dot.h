/* matmul_dot.h -- products with a single row or column, contiguous along k.
 *
 * Each element of r is a dot product: blocks of GRADC_BLOCK elements in four vector
 * accumulators, whose sums meet in a pairwise tree in double, so the error of float32
 * does not grow with k. Several rows go together to share loads of the vector and to
 * overlap their last additions; that does not change their order. */
#ifndef GRADC_KERN_MATMUL_DOT_H
#define GRADC_KERN_MATMUL_DOT_H

#include "kern/kern.h"
#include "kern/matmul_block.h"
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

/* Whether to ask for memory early: a large matrix whose runs of `n` elements are too
 * short for the hardware to see where they lead. */
INLINE bool fetch_ahead(size_t n, const vector_task *t)
{
    return n * sizeof(T) < 4096 && t->m * t->k * sizeof(T) > 1 << 20;
}

/* The rows i .. i + rows. Sums of blocks 2j and 2j + 1 are added, then pairs of pairs:
 * `part` holds sums for each bit set in the number of blocks done; at last, one. */
static void dot_group(double part[64][TOGETHER], const vector_task *t, size_t i,
                      size_t rows)
{
    size_t top = 0;
    for (size_t p = 0, block = 0; p < t->k; p += GRADC_BLOCK, block++) {
        const size_t n = t->k - p < GRADC_BLOCK ? t->k - p : GRADC_BLOCK;
        const T *x = t->a + (ptrdiff_t)i * t->row + (ptrdiff_t)p * t->col;
        dot_block(part[top], x, t->row, t->col, t->v + p, n, rows);
        for (size_t bits = block; bits & 1; bits >>= 1, top--)
            for (size_t q = 0; q < rows; q++)
                part[top - 1][q] += part[top][q];
        top++;
    }
    while (--top > 0)
        for (size_t q = 0; q < rows; q++)
            part[top - 1][q] += part[top][q];
}

/* Sums in double go to `wide` if it is not NULL, else to r. */
static void vector_dots(const vector_task *t, double *wide)
{
    double part[64][TOGETHER];
    const bool ahead = fetch_ahead(t->k, t);
    for (size_t i = 0; i < t->m; i += TOGETHER) {
        if (ahead && i + 2 * TOGETHER <= t->m)
            for (size_t q = TOGETHER; q < 2 * TOGETHER; q++)
                for (size_t p = 0; p < t->k; p += LINE)
                    __builtin_prefetch(t->a + (ptrdiff_t)(i + q) * t->row + p);
        const size_t rows = t->m - i < TOGETHER ? t->m - i : TOGETHER;
        dot_group(part, t, i, rows);
        for (size_t q = i; q < i + rows; q++)
            if (wide != NULL)
                wide[q] = part[0][q - i];
            else
                t->r[(ptrdiff_t)q * t->r_step] = (T)part[0][q - i];
    }
}

/* A whole subtree of the sum, which may be computed apart, is of RUN elements or twice,
 * four times ... as many. */
enum { RUN = 64 * GRADC_BLOCK, MOST_RUNS = 255, MOST_DOTS = 1024 };

/* r from the sums of `count` runs, m in each: the upper levels of the same tree. */
static void join_dots(const vector_task *t, const double *wide, size_t count)
{
    for (size_t i = 0; i < t->m; i++) {
        double part[64];
        size_t top = 0;
        for (size_t run = 0; run < count; run++) {
            part[top] = wide[run * t->m + i];
            for (size_t bits = run; bits & 1; bits >>= 1, top--)
                part[top - 1] += part[top];
            top++;
        }
        while (--top > 0)
            part[top - 1] += part[top];
        t->r[(ptrdiff_t)i * t->r_step] = (T)part[0];
    }
}

#endif
