/* vlogaddexp.h -- log(e^x + e^y), also where it is nearly zero.
 *
 * With m the larger and w the smaller it is m + log(1 + e^(w - m)). Where m is about
 * minus that logarithm the sum cancels; a rare second way computes
 * log1p((e^m - 1) + e^w), with exponentials good to 2^-100 (float32: 2^-53). */
#ifndef GRADC_KERN_VLOGADDEXP_H
#define GRADC_KERN_VLOGADDEXP_H

#include "kern/vsigmoid.h"

#if IS(f64)
/* v_decay of x with the square of r a pair too: to 2^-60. */
INLINE vdecay v_decay_fine(vdd x)
{
    const vt y = v_clamp(x.hi, v_set(-746), v_set(0)), n = v_nearest(y, LOG2_E);
    const vt r0 = v_fma(n, v_set(-LN2_HI), y);
    const vt t = v_fma(n, v_set(-LN2_LO), v_select(y == x.hi, x.lo, v_set(0)));
    const vt r = r0 + t, lo = (r0 - r) + t, z = r * r;
    const vdd p = v_quick_two_sum(v_set(1), r), q = v_quick_two_sum(p.hi, (T)0.5 * z);
    const vt rest = v_fma(z * r, V_POLY(r, V_EXP), v_fma(lo, r, lo));
    const vt low = (p.lo + q.lo) + v_fma(v_prod_error(r, r, z), v_set(0.5), rest);
    return (vdecay){n, v_quick_two_sum(q.hi, low)};
}

/* m + log(1 + e^(w - m)) to 2^-59 of m. */
INLINE vt v_logaddexp_usual(vt m, vt w)
{
    const vdd log = v_decay_log1p(v_decay_fine(v_two_sum(w, -m)));
    const vdd sum = v_two_sum(m, log.hi);
    return sum.hi + (sum.lo + log.lo);
}

/* e^x - 1 for |x| < 1 to about 2^-100: Taylor at x / 2^10, then e^2x - 1 = p (p + 2)
 * ten times. */
INLINE vdd v_dd_expm1(vdd x)
{
    const vdd a = {x.hi * 0x1p-10, x.lo * 0x1p-10};
    static const double c[] = {1 / 362880.0, 1 / 40320.0, 1 / 5040.0, 1 / 720.0,
                               1 / 120.0};
    vdd p = v_quick_two_sum(v_set(0x1.5555555555555p-5), a.hi * V_POLY(a.hi, c));
    p.lo += 0x1.5555555555555p-59;
    p = v_dd_add(v_dd_mul(p, a),
                 (vdd){v_set(0x1.5555555555555p-3), v_set(0x1.5555555555555p-57)});
    p = v_dd_add1(v_dd_mul(p, a), v_set(0.5));
    p = v_dd_mul(v_dd_add1(v_dd_mul(p, a), v_set(1)), a);
    for (int i = 0; i < 10; i++)
        p = v_dd_mul(p, v_dd_add1(p, v_set(2)));
    return p;
}

#define LN2_LAST 0x1.f97b57a079a19p-103 /* ln2 - LN2_HI - LN2_LO */
/* The second way, for -0.7 < m < 0 and w > -690. */
INLINE vt v_logaddexp_near(vt m, vt w)
{
    const vt n = v_nearest(w, LOG2_E), b = v_pow2(n);
    const vdd ln2 = v_two_prod(n, v_set(-LN2_LO));
    const vdd a = v_dd_add((vdd){v_fma(n, v_set(-LN2_HI), w), n * -LN2_LAST}, ln2);
    const vdd e = v_dd_expm1(a);
    const vdd u = v_dd_add1(v_dd_expm1((vdd){m, v_set(0)}), b);
    const vdd t = v_dd_add(u, (vdd){b * e.hi, b * e.lo}), d = v_two_sum(t.hi, v_set(2));
    const vdd r = v_log_ratio(v_set(0), t, (vdd){d.hi, d.lo + t.lo});
    return r.hi + r.lo;
}

#else
INLINE vacc v_acc_logaddexp(vacc m, vacc w)
{
    const vacc d = w - m;
    return m + v_acc_log1p(v_acc_exp(v_acc_select(d < -110.0, v_acc_set(-110), d)));
}

INLINE vacc v_acc_logaddexp_near(vacc m, vacc w)
{
    return v_acc_log1p(v_acc_exp_less(m, 1) + v_acc_exp_less(w, 0));
}

INLINE vt v_logaddexp_usual(vt m, vt w)
{
    const vwide a = v_widen(m), b = v_widen(w);
    return v_narrow(v_acc_logaddexp(a.lo, b.lo), v_acc_logaddexp(a.hi, b.hi));
}

INLINE vt v_logaddexp_near(vt m, vt w)
{
    const vwide a = v_widen(m), b = v_widen(w);
    return v_narrow(v_acc_logaddexp_near(a.lo, b.lo), v_acc_logaddexp_near(a.hi, b.hi));
}
#endif

/* log(e^x + e^y) for all x, y. Measured 0.93 ulp (f32 0.66)
 * while |r| > 2^-46 max(|x|, |y|) (f32 2^-25), beyond that an absolute error to match.
 * inf with anything but NaN -> inf, -inf and y -> y, NaN -> NaN. */
INLINE vt v_logaddexp(vt x, vt y)
{
    const vt m = v_select(x > y, x, y), w = v_select(x > y, y, x);
    vt r = v_logaddexp_usual(m, w);
    const vm near = (v_abs(r) < v_abs(m) * (T)0.08) & (w > -690);
    if (v_any(near))
        r = v_select(near, v_logaddexp_near(m, w), r);
    r = v_select(v_abs(m) == INFINITY, m, r);
    return v_select((x == x) & (y == y), r, x + y);
}

#endif
