/* vroot.h -- cube root and length of a vector of two.
 *
 * Both end in one step of Newton's from a value good to some ulps, whose residual is
 * computed by exact products: the result is then as good as rounded once. Zero,
 * subnormal, huge and infinite arguments are rescaled in a branch only they take. */
#ifndef GRADC_KERN_VROOT_H
#define GRADC_KERN_VROOT_H

#include "kern/vatan.h"

#if IS(f64)
#define CBRT_ROUNDER 0x1.8p52
#define HYPOT_MIN 0x1p-400
#define HYPOT_MAX 0x1p500
#define HYPOT_UP 0x1p600
#define TINY 0x1p-1022
#define TINY_UP 0x1p54
#define TINY_DOWN 0x1p-18
enum { FRACTION_BITS = 52, EXPONENT_BIAS = 1023, CBRT_SHIFT = 0 };
#else
#define CBRT_ROUNDER 0x1.8p23f
#define HYPOT_MIN 0x1p-40f
#define HYPOT_MAX 0x1p60f
#define HYPOT_UP 0x1p90f
#define TINY 0x1p-126f
#define TINY_UP 0x1p24f
#define TINY_DOWN 0x1p-8f
enum { FRACTION_BITS = 23, EXPONENT_BIAS = 127, CBRT_SHIFT = 2 };
#endif

/* m^(-1/3) on [1, 2], to 2^-12; Remez fit in mpmath. */
static const T CBRT_START[4] = {-0.049935467723192781, 0.31775077944735541,
                                -0.8099513399479511, 1.541883006019467};

/* The cube root of normal a > 0. With the exponent e + CBRT_SHIFT = 3 k + j, j = 0, 1,
 * 2, a is m 2^j 8^k' for a multiple 3 k' of the bias off. y approaches (m 2^j)^(-1/3),
 * for which no division is needed, and m 2^j y^2 is the root. */
INLINE vt cbrt_normal(vt a)
{
    const vm e = ((vm)a >> FRACTION_BITS) + CBRT_SHIFT;
    const vm rounder = (vm)v_set(CBRT_ROUNDER);
    const vt above = (vt)(e + rounder) - (CBRT_ROUNDER + (T)1); /* e - 1 */
    const vt third = v_fma(above, v_set((T)(1 / 3.0)), v_set(CBRT_ROUNDER));
    const vm k = (vm)third - rounder, j = e - (k + k + k);
    const vm off = k + k + k - (EXPONENT_BIAS + CBRT_SHIFT);
    const vt m = (vt)((vm)a - (off << FRACTION_BITS));
    const vt one = (vt)(((vm)a & (((M)1 << FRACTION_BITS) - 1)) | (vm)v_set(1));

    vt y = v_horner(one, CBRT_START, 4);
    y *= v_select(
        j == 0, v_set(1),
        v_select(j == 1, v_set((T)0.79370052598409979), v_set((T)0.62996052494743659)));
    const vt h = v_fma(m * y, -y * y, v_set(1)); /* y^-3 = m / (1 - h) */
    vt p = v_fma(h, v_set((T)(14 / 81.0)), v_set((T)(2 / 9.0)));
    p = v_fma(p, h, v_set((T)(1 / 3.0)));
    y = v_fma(p * h, y, y);

    const vt square = y * y, c = m * square;
    const vdd cc = v_two_prod(c, c);
    const vt miss = v_fma(c, cc.lo, v_prod_error(c, cc.hi, m));
    const vt r = v_fma(miss, square * (T)(-1 / 3.0), c);
    const M back = EXPONENT_BIAS - (EXPONENT_BIAS + CBRT_SHIFT) / 3;
    return r * (vt)((k + back) << FRACTION_BITS);
}

/* v_cbrt -- polynomial, a step of third order and one of Newton's; all x. Measured
 * 0.501 ulp (float32: 0.501). ±0, ±inf and NaN stay; subnormal x are scaled by a
 * cube. */
INLINE vt v_cbrt(vt x)
{
    vt a = v_abs(x);
    const vm good = (a >= TINY) & (a < INFINITY);
    if (v_any(~good))
        a = v_select(a < TINY, a * TINY_UP, a);
    vt r = v_copysign(cbrt_normal(a), x);
    if (v_any(~good)) {
        const vm tiny = (v_abs(x) < TINY) & (x != 0);
        r = v_select(good, r, v_select(tiny, r * TINY_DOWN, x + x));
    }
    return r;
}

/* v_hypot -- the root of the sum of squares, both as pairs; scaled where a square would
 * overflow or vanish. Measured 0.51 ulp, with subnormal results 0.75 (either type).
 * inf if x or y is ±inf, even if the other is NaN; else NaN if either is NaN. */
INLINE vt v_hypot(vt x, vt y)
{
    const vt p = v_abs(x), q = v_abs(y);
    const vm first = p > q;
    vt a = v_select(first, p, q), b = v_select(first, q, p), scale = v_set(1);
    const vm good = (a >= HYPOT_MIN) & (a <= HYPOT_MAX);
    if (v_any(~good)) {
        const vt back = v_select(a < HYPOT_MIN, v_set(1 / HYPOT_UP), v_set(HYPOT_UP));
        const vt there = v_select(a < HYPOT_MIN, v_set(HYPOT_UP), v_set(1 / HYPOT_UP));
        scale = v_select(good, scale, back);
        a = v_select(good, a, a * there);
        b = v_select(good, b, b * there);
    }
    const vdd aa = v_two_prod(a, a), bb = v_two_prod(b, b);
    const vdd s = v_quick_two_sum(aa.hi, bb.hi);
    const vt r = v_sqrt(s.hi);
    const vt miss = v_prod_error(r, r, s.hi) - (s.lo + (aa.lo + bb.lo));
    vt h = v_fma(miss * (T)-0.5, reciprocal_guess(r), r) * scale;
    if (v_any(~good))
        h = v_select((p == INFINITY) | (q == INFINITY), v_set(INFINITY), h);
    return h;
}

#endif
