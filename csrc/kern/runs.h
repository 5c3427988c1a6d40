/* runs.h -- short runs of elements from and to lanes: run q is lane q of some vectors.
 *
 * By blocks of Q x Q, transposed in registers. */
#ifndef GRADC_KERN_RUNS_H
#define GRADC_KERN_RUNS_H

#include "kern/simd.h"
#include "kern/transpose.h"

/* So many elements are moved one by one rather than by another block; and runs that
 * are as short as SHORT. */
enum { FEW = Q / 4 };
#if defined(__AVX2__)
enum { SHORT = 1 };
#else
enum { SHORT = Q - 1 };
#endif

/* The first n elements at p; of a whole vector if n is more. */
INLINE vq load_run(const T *p, size_t n)
{
    vq v;
    if (n >= Q) {
        memcpy(&v, p, sizeof v);
    } else {
        const vt part = v_load_part(p, n);
        memcpy(&v, &part, sizeof v);
    }
    return v;
}

/* By halves if vt is wider: its masked stores would often meet two cache lines. */
INLINE void store_run(T *p, vq v, size_t n)
{
    if (n >= Q) {
        memcpy(p, &v, sizeof v);
        return;
    }
    if (sizeof v == sizeof(vt)) {
        vt whole;
        memcpy(&whole, &v, sizeof whole);
        v_store_part(p, whole, n);
        return;
    }
    T lane[Q];
    memcpy(lane, &v, sizeof v);
    size_t at = 0;
#pragma GCC unroll 4
    for (size_t part = Q / 2; part > 0; part /= 2)
        if (n & part) {
            memcpy(p + at, lane + at, part * sizeof *p);
            at += part;
        }
}

/* Where the next block of Q of n elements begins: the last may meet the one before. */
INLINE size_t next_block(size_t i, size_t n) { return i + 2 * Q <= n ? i + Q : n - Q; }

/* a[i + l] = element i + l of each x[q], for l < Q or as many as n has. */
INLINE void gather_block(vt *a, const void *const *x, size_t i, size_t n)
{
    for (size_t q = 0; q < W; q += Q) {
        vq v[Q];
#pragma GCC unroll 8
        for (int l = 0; l < Q; l++)
            v[l] = load_run((const T *)x[q + l] + i, n);
        transpose_vectors(v);
#pragma GCC unroll 8
        for (int l = 0; l < Q; l++)
            memcpy((T *)(a + i + l) + q, &v[l], sizeof v[l]);
    }
}

INLINE vt gather_one(const void *const *x, ptrdiff_t at)
{
    vt v;
#pragma GCC unroll 16
    for (int q = 0; q < (int)W; q++)
        v[q] = ((const T *)x[q])[at];
    return v;
}

/* a[i] = element i of each x[q], for i < n; there is room for Q. */
INLINE void gather_run(vt *a, const void *const *x, size_t n)
{
    size_t i = 0;
    for (;; i = next_block(i, n)) {
        gather_block(a, x, i, n);
        if (i + Q + FEW >= n)
            break;
    }
    for (i += Q; i < n; i++)
        a[i] = gather_one(x, (ptrdiff_t)i);
}

INLINE void scatter_block(T *r, ptrdiff_t step, const vt *a, size_t i, size_t n,
                          size_t count)
{
    for (size_t q = 0; q < count; q += Q) {
        vq v[Q];
#pragma GCC unroll 8
        for (int l = 0; l < Q; l++)
            memcpy(&v[l], (const T *)(a + i + l) + q, sizeof v[l]);
        transpose_vectors(v);
#pragma GCC unroll 8
        for (int l = 0; l < Q; l++)
            if (q + (size_t)l < count)
                store_run(r + (ptrdiff_t)(q + (size_t)l) * step + i, v[l], n);
    }
}

/* r[q * step] = lane q, for q < n. */
INLINE void scatter_one(T *r, ptrdiff_t step, vt v, size_t n)
{
    if (step == 1) {
        v_store_part(r, v, n);
        return;
    }
    T lane[W];
    v_store(lane, v);
    for (size_t q = 0; q < n; q++)
        r[(ptrdiff_t)q * step] = lane[q];
}

/* r[q * step + i] = lane q of a[i], for i < n and q < count. */
INLINE void scatter_run(T *r, ptrdiff_t step, const vt *a, size_t n, size_t count)
{
    size_t i = 0;
    for (;; i = next_block(i, n)) {
        scatter_block(r, step, a, i, n, count);
        if (i + Q + FEW >= n)
            break;
    }
    for (i += Q; i < n; i++)
        scatter_one(r + i, step, a[i], count);
}

#endif
