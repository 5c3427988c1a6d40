/* vexp.h -- e^x, 2^x and e^x - 1; the method is in vexpcore.h.
 *
 * Arguments are first held to a range just beyond that of finite, nonzero results:
 * overflow to inf and gradual underflow then come from the last scaling, and NaN
 * passes through every step. */
#ifndef GRADC_KERN_VEXP_H
#define GRADC_KERN_VEXP_H

#include "kern/vexp16.h"
#include "kern/vexpwide.h"

/* e^x for all x. Measured 0.79 ulp, with tables 0.53 and 0.75 where subnormal (f32
 * 0.77); inf -> inf, -inf -> 0, NaN -> NaN, inf above 709.78 (f32 88.72), subnormal
 * below -708.4 (-87.3), 0 below -745.1 (-104). */
INLINE vt v_exp(vt x)
{
    const vt y = v_clamp(x, v_set(EXP_END), v_set(IS(f64) ? 710 : 89));
#if V_HAS_TABLE16
    const vexp16 e = v_exp16(y);
    return v_scale16(v_exp16_near(e), e.n);
#else
    const vt n = v_nearest(y, (T)LOG2_E);
    const vt r = v_fma(n, v_set(-LN2_HI), y);
    return v_exp_reduced(n, v_fma(n, v_set(-LN2_LO), r), v_set(0));
#endif
}

/* 2^x for all x, exact at integers: x - n is exact and takes the place of r / ln2.
 * Measured 0.79 ulp (f32 0.80); inf -> inf, -inf -> 0, NaN -> NaN; inf from 1024 (f32
 * 128), subnormal below -1022 (-126), 0 from -1075 (-150). */
INLINE vt v_exp2(vt x)
{
    const vt y = v_clamp(x, v_set(IS(f64) ? -1076 : -151), v_set(BIAS + 2));
    const vt n = v_nearest(y, 1), f = y - n;
    return v_exp_reduced(n, f * (T)LN2, f * LN2_REST);
}

/* e^x - 1 for all x: 2^n ((1 - 2^-n) + r + tail), where the first sum is exact, so
 * nothing is lost where 1 cancels. Measured 0.87 ulp (f32 0.86); inf -> inf, -inf ->
 * -1, NaN -> NaN, -0 and subnormals -> x; inf above 709.78 (f32 88.72). */
INLINE vt v_expm1(vt x)
{
    const vt y = v_clamp(x, v_set(-40), v_set(IS(f64) ? 710 : 89));
    const vexp e = v_exp_parts((vdd){y, v_set(0)});
    const vt b = v_select(e.n > 60, v_set(0), v_pow2(-e.n));
    const vdd one = v_quick_two_sum(v_set(1), -b);
    const vdd s = v_quick_two_sum(one.hi, e.r);
    const vt r = v_scale(s.hi + (s.lo + (one.lo + e.tail)), e.n);
    return v_copysign(r, x);
}

#endif
