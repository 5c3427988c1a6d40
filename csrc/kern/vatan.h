/* vatan.h -- the inverse tangent, of a number and of a ratio.
 *
 * The arctangent of num/den is that of a smaller angle's tangent t plus 0, pi/4 or
 * pi/2: t = num/den below tan(1/2), (num - den)/(num + den) up to its reciprocal and
 * -den/num beyond, so |t| <= tan(1/2) and the result is never a small difference.
 * Coefficients by a Remez fit in mpmath of (arctan(t)/t - 1)/t^2 for least relative
 * error of arctan: 2^-56.4 (float32: 2^-30.3). */
#ifndef GRADC_KERN_VATAN_H
#define GRADC_KERN_VATAN_H

#include "kern/vdd.h"
#include "kern/vlane.h"

#define TAN_HALF (T)0.5463024898437905

#if IS(f64)
static const T ATAN_TAIL[13] = {
    -0.0064464268493452459, 0.020398055774224013,  -0.034673732262600711,
    0.044826044834874845,   -0.051999224969157432, 0.058720954532116509,
    -0.066654811219007737,  0.076922116749878852,  -0.090909038078687346,
    0.1111111092359526,     -0.14285714281778034,  0.19999999999958309,
    -0.33333333333333176};
enum { ATAN_TERMS = 13 };
/* Beyond these arctan2 rescales or looks for zeros and infinities. */
#define PI_LO 0x1.1a62633145c07p-53 /* pi - M_PI */
#define RECIPROCAL_BITS 0x7fde600000000000
#define SAFE_MIN 0x1p-900
#define SAFE_MAX 0x1p1000
#define SCALE_UP 0x1p200
#define SCALE_DOWN 0x1p-60
#define SURE_MIN 0x1p-30
#else
static const T ATAN_TAIL[6] = {0.034407822793060039, -0.076665133516878758,
                               0.1085464764403674,   -0.14261519063539138,
                               0.19998932948841203,  -0.33333317543381241};
enum { ATAN_TERMS = 6 };
#define PI_LO -8.74227766e-8f /* pi - (float)M_PI */
#define RECIPROCAL_BITS 0x7ef31000
#define SAFE_MIN 0x1p-60f
#define SAFE_MAX 0x1p120f
#define SCALE_UP 0x1p80f
#define SCALE_DOWN 0x1p-20f
#define SURE_MIN 0x1p-14f
#endif

/* 1/x to 0.3 %, for x in [2^-1000, 2^1000]: the exponent and, roughly, the significand
 * change sign; then a step of Newton's. Good enough for a correction. */
INLINE vt reciprocal_guess(vt x)
{
    const vt y = (vt)(RECIPROCAL_BITS - (vm)x);
    return y * ((T)2 - x * y);
}

/* arctan(num/den) = base + arctan t, t = n/d, for num, den >= 0. */
typedef struct vtangent {
    vt base, n, d, t;
} vtangent;

INLINE vtangent tangent(vt num, vt den)
{
    const vm mid = num > TAN_HALF * den, high = num * TAN_HALF > den;
    vt n = num - (vt)((vm)den & mid), d = den + (vt)((vm)num & mid);
    n = v_select(high, -den, n);
    d = v_select(high, num, d);
    const vm quarter = (vm)v_set((T)M_PI_4) & mid;
    const vm half = (vm)v_set((T)M_PI_2) & high;
    return (vtangent){v_select(high, (vt)half, (vt)quarter), n, d, n / d};
}

/* base + rest + arctan t, where base is 0 or above |t|, a multiple of pi/4 rounded
 * off, and rest is added for its low part. */
INLINE vt atan_sum(vt base, vt t, vt rest)
{
    const vt s = t * t;
    const vt tail = v_fma(t * s, v_horner(s, ATAN_TAIL, ATAN_TERMS), rest);
    const vt r = base + t;
    const vt low = v_fma(base, v_set(PI_LO / (T)M_PI), t - (r - base));
    return r + (low + tail);
}

/* v_arctan -- the arctangent of |x| to 1, with the sign of x. Measured 0.90 ulp
 * (float32: 0.91), worst above tan(1/2). ±0 stays, ±inf give ±pi/2, NaN stays. */
INLINE vt v_arctan(vt x)
{
    const vtangent a = tangent(v_abs(x), v_set(1));
    return v_copysign(atan_sum(a.base, a.t, v_set(0)), x);
}

/* The angle of (x, y), both >= 0, or of (-x, y) where negative. The error of t is
 * n - t d over d, and moves the angle by 1/(1 + t^2), about 1 - t^2, of itself. */
INLINE vt atan2_parts(vt y, vt x, vm negative)
{
    const vtangent a = tangent(y, x);
    const vm flip = negative & (vm)v_set((T)-0.0);
    const vt pi = (vt)((vm)v_set((T)M_PI) & negative);
    const vt part = (vt)((vm)a.base ^ flip), t = (vt)((vm)a.t ^ flip);
    const vt base = pi + part;
    const vt miss = v_prod_error(a.t, a.d, a.n) * reciprocal_guess(a.d);
    const vm sure = v_abs(a.t) > SURE_MIN; /* so that nothing underflows */
    const vt lo = (vt)(((vm)v_fma(miss, a.t * a.t, -miss) & sure) ^ flip);
    return atan_sum(base, t, (part - (base - pi)) + lo);
}

/* Zeros, infinities and the ends of the range: equal arguments get the ratio C99
 * gives them (0 to 0 is 0, inf to inf is 1), others are scaled by a power of 2. */
INLINE void atan2_rare(vt *y, vt *x)
{
    const vm same = *y == *x, tiny = (*y < SAFE_MIN) & (*x < SAFE_MIN);
    const vm huge = (*y > SAFE_MAX) | (*x > SAFE_MAX);
    const vt up = v_select(tiny, v_set(SCALE_UP), v_set(1));
    const vt scale = v_select(huge, v_set(SCALE_DOWN), up);
    const vm one = (vm)v_set(1);
    *y = v_select(same, (vt)(one & (*y != 0)), *y * scale);
    *x = v_select(same, (vt)one, *x * scale);
}

/* v_arctan2 -- the angle of (x, y), all ranges. t carries its rounding error, so the
 * quotient costs little: measured 0.80 ulp (float32: 0.80). C99's table of zeros and
 * infinities; NaN if either is NaN. */
INLINE vt v_arctan2(vt y, vt x)
{
    vt a = v_abs(y), b = v_abs(x);
    const vm within = (a < SAFE_MAX) & (b < SAFE_MAX);
    if (v_any(~(within & ((a > SAFE_MIN) | (b > SAFE_MIN)))))
        atan2_rare(&a, &b);
    return v_copysign(atan2_parts(a, b, (vm)x < 0), y);
}

#endif
