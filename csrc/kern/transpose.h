/* transpose.h -- square blocks of Q x Q elements transposed in registers.
 *
 * log2(Q) rounds of zips: each round puts lane i of vectors j and j + Q/2 side by
 * side, which is a rotation of the bits of the element's position; after log2(Q)
 * rotations row and column have changed places. Not for b8. */
#ifndef GRADC_KERN_TRANSPOSE_H
#define GRADC_KERN_TRANSPOSE_H

#include "kern/simd.h"

/* As wide as registers allow: a vector of the compiler's own making would be slow. */
#if defined(__AVX512F__)
enum { Q = 8 };
#define ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif defined(__AVX2__) || IS(f32)
enum { Q = 4 };
#define ZIP_LOW 0, 4, 1, 5
#define ZIP_HIGH 2, 6, 3, 7
#else
enum { Q = 2 };
#define ZIP_LOW 0, 2
#define ZIP_HIGH 1, 3
#endif

typedef T vq __attribute__((vector_size(Q * sizeof(T))));

INLINE void zip_all(vq *to, const vq *from)
{
#pragma GCC unroll 8
    for (int i = 0; i < Q / 2; i++) {
        to[2 * i] = __builtin_shufflevector(from[i], from[i + Q / 2], ZIP_LOW);
        to[2 * i + 1] = __builtin_shufflevector(from[i], from[i + Q / 2], ZIP_HIGH);
    }
}

/* Lane i of vector j changes places with lane j of vector i. */
INLINE void transpose_vectors(vq *a)
{
    vq b[Q];
    zip_all(b, a);
    if (Q > 2)
        zip_all(a, b);
    if (Q > 4)
        zip_all(b, a);
    if (Q != 4)
        memcpy(a, b, sizeof b);
}

/* r[i * r_step + j] = x[j * x_step + i] for i, j < Q. */
INLINE void transpose_block(T *r, ptrdiff_t r_step, const T *x, ptrdiff_t x_step)
{
    vq a[Q];
#pragma GCC unroll 8
    for (int i = 0; i < Q; i++)
        memcpy(&a[i], x + i * x_step, sizeof a[i]);
    transpose_vectors(a);
#pragma GCC unroll 8
    for (int i = 0; i < Q; i++)
        memcpy(r + i * r_step, &a[i], sizeof a[i]);
}

#undef ZIP_LOW
#undef ZIP_HIGH
#endif
