/* vasin.h -- inverse sine and cosine.
 *
 * Up to 1/2 a polynomial gives asin x; beyond, asin x = pi/2 - 2 asin sqrt((1 - x)/2)
 * brings it back there. The root's rounding error would show, so it is computed and
 * added: s - r^2 over 2 r, which need only be roughly right.
 * Coefficients by a Remez fit in mpmath of (asin(x)/x - 1)/x^2 for least relative
 * error of asin: 2^-55.7 (float32: 2^-27.5). */
#ifndef GRADC_KERN_VASIN_H
#define GRADC_KERN_VASIN_H

#include "kern/vatan.h"

#if IS(f64)
static const T ASIN_TAIL[12] = {
    0.031958810829606651,  -0.016293824207207507, 0.019573731266567883,
    0.0065109232366590475, 0.012173261818169849,  0.013884601304192584,
    0.017359770809572343,  0.022371753543107435,  0.030381959330452585,
    0.044642856823500499,  0.075000000003430253,  0.16666666666665383};
enum { ASIN_TERMS = 12 };
#else
static const T ASIN_TAIL[5] = {0.042219269667702446, 0.024147150620884,
                               0.045477200668038412, 0.074952408282672051,
                               0.16666753956751518};
enum { ASIN_TERMS = 5 };
#endif

/* asin a, or 2 asin sqrt((1 - a)/2) where big, as hi and a small rest; a >= 0. */
typedef struct vasin {
    vt hi, rest;
    vm big;
} vasin;

INLINE vasin asin_parts(vt a)
{
    const vm big = a > (T)0.5;
    const vt s = v_select(big, (T)0.5 - (T)0.5 * a, a * a);
    const vt root = v_sqrt(s);
    const vt r = v_select(big, root, a);
    vt rest = r * s * v_horner(s, ASIN_TAIL, ASIN_TERMS);
    const vt miss = v_prod_error(root, root, s) * reciprocal_guess(root);
    rest -= (vt)((vm)((T)0.5 * miss) & big);
    const vt twice = (vt)((vm)v_set(1) & big) + (T)1;
    return (vasin){twice * r, twice * rest, big};
}

/* base + x + rest, base a multiple of pi/4 rounded off and 0 or above |x|. */
INLINE vt asin_sum(vt base, vt x, vt rest)
{
    const vt r = base + x;
    const vt low = v_fma(base, v_set(PI_LO / (T)M_PI), x - (r - base));
    return r + (low + rest);
}

/* v_arcsin -- as above, on [-1, 1]. Measured 0.75 ulp (float32: 0.70), worst just above
 * 1/2. ±0 stays; NaN beyond 1, at ±inf and NaN. */
INLINE vt v_arcsin(vt x)
{
    const vasin p = asin_parts(v_abs(x));
    const vt base = (vt)((vm)v_set((T)M_PI_2) & p.big);
    const vm flip = (vm)v_set((T)-0.0) & p.big;
    const vt r = asin_sum(base, (vt)((vm)p.hi ^ flip), (vt)((vm)p.rest ^ flip));
    return v_copysign(r, x);
}

/* v_arccos -- pi/2 - asin x up to 1/2; 2 asin or pi - 2 asin of the root beyond.
 * Measured 0.71 ulp (float32: 0.66). 0 at 1; NaN beyond 1, at ±inf and NaN. */
INLINE vt v_arccos(vt x)
{
    const vm sign = (vm)x & (vm)v_set((T)-0.0), negative = (vm)x < 0;
    const vasin p = asin_parts((vt)((vm)x ^ sign));
    const vt far = (vt)((vm)v_set((T)M_PI) & negative);
    const vt base = v_select(p.big, far, v_set((T)M_PI_2));
    const vm flip = sign ^ ((vm)v_set((T)-0.0) & ~p.big);
    return asin_sum(base, (vt)((vm)p.hi ^ flip), (vt)((vm)p.rest ^ flip));
}

#endif
