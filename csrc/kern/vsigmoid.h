/* vsigmoid.h -- 1 / (1 + e^-x) and its integral log(1 + e^x).
 *
 * Both are made of e^-|x| <= 1, kept as 2^n times a pair so that the tails are as exact
 * as the middle, down to subnormal results. float32 does the plain formula in float64,
 * whose exponent range is ample. */
#ifndef GRADC_KERN_VSIGMOID_H
#define GRADC_KERN_VSIGMOID_H

#include "kern/vexp16.h"
#include "kern/vexpwide.h"
#include "kern/vlog16.h"
#include "kern/vlogwide.h"

#if IS(f64)
/* log(1 + 2^n p), at most log 2, as a pair. */
INLINE vdd v_decay_log1p(vdecay e)
{
    const vdd t = {v_scale(e.p.hi, e.n), v_scale(e.p.lo, e.n)};
    const vm far = t.hi > (T)0.41421356;
    const vdd x = v_two_sum(t.hi, v_select(far, v_set(-1), v_set(0)));
    const vdd y = v_quick_two_sum(v_select(far, v_set(3), v_set(2)), t.hi);
    return v_log_ratio(v_select(far, v_set(1), v_set(0)), (vdd){x.hi, x.lo + t.lo},
                       (vdd){y.hi, y.lo + t.lo});
}

#else
INLINE vacc v_acc_sigmoid(vacc x) { return 1.0 / (1.0 + v_acc_exp(-x)); }
INLINE vacc v_acc_softplus(vacc x) { return v_acc_log1p(v_acc_exp(x)); }
#endif

/* 1 / (1 + e^-x) for all x; for x < 0, e^x / (1 + e^x) scaled by 2^n at the end.
 * Measured 0.75 ulp (f32 0.51); inf -> 1, -inf -> 0, NaN -> NaN; subnormal below -708.4
 * (f32 -87.3). */
INLINE vt v_sigmoid(vt x)
{
#if V_HAS_TABLE16
    const vexp16 e = v_exp16(v_at_least(-v_abs(x), v_set(EXP_END)));
    const vexp16_ends d = v_exp16_ends(e);
    const vm left = x < 0;
    const vdd w = v_exp16_plus(e.base, v_exp16_split(e.r), e.base, v_set(0));
    const vdd num = {v_select(left, w.hi, v_set(1)), v_select(left, w.lo, v_set(0))};
    return v_scale16(v_guided_quotient(num, d.plus, d.guess),
                     v_select(left, e.n, v_set(0)));
#elif IS(f64)
    const vdecay e = v_decay((vdd){-v_abs(x), v_set(0)});
    const vt b = v_select(e.n < -100, v_set(0), v_pow2(e.n));
    const vdd q = v_quick_two_sum(v_set(1), b * e.p.hi);
    const vm left = x < 0;
    const vdd num = {v_select(left, e.p.hi, v_set(1)),
                     v_select(left, e.p.lo, v_set(0))};
    const vt r = v_dd_quotient(num, (vdd){q.hi, v_fma(b, e.p.lo, q.lo)});
    return v_scale(r, v_select(left, e.n, v_set(0)));
#else
    const vwide w = v_widen(v_clamp(x, v_set(-110), v_set(110)));
    return v_narrow(v_acc_sigmoid(w.lo), v_acc_sigmoid(w.hi));
#endif
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) for all x. Measured 0.75 ulp, with
 * tables 0.86 (f32 0.52); inf -> inf, -inf -> 0, NaN -> NaN; x itself above 40 (f32
 * 50), e^x below -40, with tables from 36.5. */
INLINE vt v_softplus(vt x)
{
#if V_HAS_TABLE16
    const vexp16 e = v_exp16(v_at_least(-v_abs(x), v_set(EXP_END)));
    const vdd p = v_exp16_ends(e).plus, u = v_quick_two_sum(p.hi, p.lo);
    const vlog16 l = v_log16_split(u.hi);
    const vt less = u.lo * l.c * ((T)1 - (T)0.5 * l.k);
    const vt d = v_fma(l.m, l.c, v_set(-1));
    const vdd log = v_log16_sum(l, d, v_fma(-less, d, less));
    const vdd r = v_two_sum(v_select(x > 0, x, v_set(0)), log.hi);
    const vexp16_fine f = v_exp16_split(e.r); /* far left, e^x (1 - e^x / 2) */
    const vt q = f.most + v_fma(v_scale16(e.base, e.n), v_set(-0.5), f.rest);
    const vt left = v_scale16(v_fma(e.base, q, e.base), e.n);
    const vt out = v_select(x < 0, left, x);
    return v_select(v_abs(x) < 36.5, r.hi + (r.lo + log.lo), out);
#elif IS(f64)
    const vdecay e = v_decay((vdd){-v_abs(x), v_set(0)});
    const vdd log = v_decay_log1p(e);
    const vdd r = v_two_sum(v_select(x > 0, x, v_set(0)), log.hi);
    const vt mid = r.hi + (r.lo + log.lo);
    const vt out = v_select(x < 0, v_scale(e.p.hi + e.p.lo, e.n), x);
    return v_select(v_abs(x) < 40, mid, out);
#else
    const vwide w = v_widen(v_clamp(x, v_set(-110), v_set(100)));
    const vt r = v_narrow(v_acc_softplus(w.lo), v_acc_softplus(w.hi));
    return v_select(x < 50, r, x);
#endif
}

#endif
