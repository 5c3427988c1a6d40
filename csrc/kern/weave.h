/* weave.h -- every n-th element of a row, and n rows made one, a vector at a time.
 *
 * Both are permutations of n vectors into n, each of n - 1 two-operand permutations.
 * Part of move.c. */
#ifndef GRADC_KERN_WEAVE_H
#define GRADC_KERN_WEAVE_H

#include "kern/simd.h"

enum { MOST_WOVEN = 4 }; /* rows, and steps */

#if V_HAS_PERMUTE2
/* Every `step`-th element of x, from as many whole vectors for each of r. How many that
 * were: the last is left, since what lies behind it may not be memory. */
INLINE int64_t pick_run(T *r, const T *x, int64_t step, int64_t n)
{
    vm from[MOST_WOVEN];
    for (int64_t k = 1; k < step; k++)
        for (int64_t j = 0; j < (int64_t)W; j++) {
            const int64_t at = j * step - (k - 1) * (int64_t)W;
            from[k][j] = (M)(at >= (k == 1 ? 0 : (int64_t)W) ? at : j);
        }
    int64_t i = 0;
    for (; i + (int64_t)W < n; i += W) {
        const T *const p = x + i * step;
        vt v = v_load(p);
        for (int64_t k = 1; k < step; k++)
            v = v_permute2(v, from[k], v_load(p + k * (int64_t)W));
        v_store(r + i, v);
    }
    return i;
}

static int64_t pick(T *r, const T *x, int64_t step, int64_t n)
{
    return step == 2   ? pick_run(r, x, 2, n)
           : step == 3 ? pick_run(r, x, 3, n)
           : step == 4 ? pick_run(r, x, 4, n)
                       : 0;
}
#else
INLINE int64_t pick(T *r, const T *x, int64_t step, int64_t n)
{
    (void)r, (void)x, (void)step, (void)n;
    return 0;
}
#endif

/* r[i * n + k] = x[i + k * xs] for i < m, k < n. */
INLINE void weave_run(T *r, const T *x, int64_t xs, int64_t m, int64_t n)
{
    int64_t i = 0;
#if V_HAS_PERMUTE2
    vm from[MOST_WOVEN][MOST_WOVEN]; /* for each vector of r, of each row from 1 on */
    for (int64_t j = 0; j < n * (int64_t)W; j++)
        for (int64_t k = 1; k < n; k++) {
            const int64_t lane = j % (int64_t)W, row = j % n;
            from[j / (int64_t)W][k][lane] = (M)(row == k ? j / n + (int64_t)W
                                                : k == 1 && row == 0 ? j / n
                                                                     : lane);
        }
    for (; i + (int64_t)W <= m; i += W)
        for (int64_t j = 0; j < n; j++) {
            vt v = v_load(x + i);
            for (int64_t k = 1; k < n; k++)
                v = v_permute2(v, from[j][k], v_load(x + i + k * xs));
            v_store(r + i * n + j * (int64_t)W, v);
        }
#endif
    for (; i < m; i++)
        for (int64_t k = 0; k < n; k++)
            r[i * n + k] = x[i + k * xs];
}

/* Likewise, for 2 <= n <= MOST_WOVEN. */
static void weave(T *r, const T *x, int64_t xs, int64_t m, int64_t n)
{
    if (n == 2)
        weave_run(r, x, xs, m, 2);
    else if (n == 3)
        weave_run(r, x, xs, m, 3);
    else
        weave_run(r, x, xs, m, 4);
}

#endif
