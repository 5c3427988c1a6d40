/* varhyp.h -- inverse hyperbolic functions, by the logarithm of vlogcore.h.
 *
 * Each is k ln2 + 2 atanh(s) with s a quotient of pairs: where |result| is small, k = 0
 * and s has a form without cancellation, e.g. x / (1 + sqrt(1 + x^2)) for arcsinh. */
#ifndef GRADC_KERN_VARHYP_H
#define GRADC_KERN_VARHYP_H

#include "kern/vlogwide.h"

#if IS(f64)
/* sqrt(x^2 + one), one = 1 or -1, as a pair. */
INLINE vdd v_root_pair(vt x, T one)
{
    const vdd p = v_two_prod(x, x), s = v_two_sum(p.hi, v_set(one));
    const vt h = v_sqrt(s.hi);
    const vt rest = (s.lo + p.lo) - v_prod_error(h, h, s.hi);
    return (vdd){h, rest / (h + h + 0x1p-1000)};
}

/* log(x + q) where q = sqrt(x^2 +- 1), given the quotient for k = 0; x <= 2^30. From
 * x = 2^30 on, log(2 x). */
INLINE vt v_log_root(vt x, vdd q, vdd num, vdd den)
{
    const vm big = x >= 0x1p30;
    const vdd w = v_two_sum(q.hi, x);
    const vlog_split e = v_log_split(v_select(big, x, w.hi));
    const vt k = e.k + v_select(big, v_set(1), v_set(0));
    const vt b = v_pow2(v_select(big, v_set(0), -k));
    const vt lo = v_select(big, v_set(0), (w.lo + q.lo) * b);
    const vdd less = {e.m - (T)1, lo}, more = v_two_sum(e.m, v_set(1));
    const vm near = k == 0;
    num.hi = v_select(near, num.hi, less.hi), num.lo = v_select(near, num.lo, less.lo);
    den.hi = v_select(near, den.hi, more.hi);
    den.lo = v_select(near, den.lo, more.lo + lo);
    const vdd r = v_log_ratio(k, num, den);
    return v_select(x < INFINITY, r.hi + r.lo, x);
}

#else
INLINE vacc v_acc_arcsinh(vacc x)
{
    const vacc z = x * x;
    return v_acc_log1p(x + z / (v_acc_sqrt(z + 1.0) + 1.0));
}

INLINE vacc v_acc_arccosh(vacc x)
{
    const vacc f = x - 1.0;
    return v_acc_log1p(f + v_acc_sqrt(f * (x + 1.0)));
}

INLINE vacc v_acc_arctanh(vacc x) { return v_acc_log1p((x + x) / (1.0 - x)) * 0.5; }
#endif

/* arcsinh x = log(|x| + sqrt(x^2 + 1)) for all x, s = x / (1 + sqrt(x^2 + 1)) for k =
 * 0. Measured 0.57 ulp (f32 0.52); +-inf -> +-inf, NaN -> NaN, -0 and subnormals ->
 * x. */
INLINE vt v_arcsinh(vt x)
{
#if IS(f64)
    const vt a = v_abs(x), y = v_select(a < 0x1p30, a, v_set(0x1p30));
    const vdd q = v_root_pair(y, 1), d = v_two_sum(q.hi, v_set(1));
    const vt r = v_log_root(a, q, (vdd){y, v_set(0)}, (vdd){d.hi, d.lo + q.lo});
    return v_copysign(v_select(a < 0x1p-30, a, r), x);
#else
    const vwide w = v_widen(v_abs(x));
    const vt r = v_narrow(v_acc_arcsinh(w.lo), v_acc_arcsinh(w.hi));
    return v_select(v_abs(x) < INFINITY, v_copysign(r, x), x);
#endif
}

/* arccosh x = log(x + sqrt(x^2 - 1)) for x >= 1, s = sqrt(x^2 - 1) / (x + 1) for k = 0.
 * Measured 0.63 ulp (f32 0.52); inf -> inf, NaN and x < 1 -> NaN. */
INLINE vt v_arccosh(vt x)
{
#if IS(f64)
    const vt y = v_select(x < 0x1p30, x, v_set(0x1p30));
    const vdd q = v_root_pair(y, -1);
    const vt r = v_log_root(x, q, q, v_two_sum(y, v_set(1)));
    return v_select(x >= 1, r, v_set(NAN));
#else
    const vwide w = v_widen(x);
    const vt r = v_narrow(v_acc_arccosh(w.lo), v_acc_arccosh(w.hi));
    return v_select(x >= 1, v_select(x < INFINITY, r, x), v_set(NAN));
#endif
}

/* arctanh x = log((1 + |x|) / (1 - |x|)) / 2 for |x| <= 1; k comes from the difference
 * of the bits of numerator and denominator, about their log2. Measured 0.56 ulp (f32
 * 0.52); +-1 -> +-inf, NaN and |x| > 1 -> NaN, -0, subnormals -> x. */
INLINE vt v_arctanh(vt x)
{
#if IS(f64)
    const vt a = v_abs(x);
    const vdd n = v_two_sum(v_set(1), a), d = v_two_sum(v_set(1), -a);
    const uacc gap = (uacc)n.hi - (uacc)d.hi + ((uint64_t)1 << 51);
    const vt k = (vt)((gap >> 52) | 0x4330000000000000) - 0x1p52;
    const vt b = v_pow2(k);
    const vdd dk = {d.hi * b, d.lo * b};
    const vdd p = v_two_sum(n.hi, -dk.hi), q = v_two_sum(n.hi, dk.hi);
    const vdd num = v_quick_two_sum(p.hi, p.lo + (n.lo - dk.lo));
    const vdd r = v_log_ratio(k, num, (vdd){q.hi, q.lo + (n.lo + dk.lo)});
    const vt y = v_copysign((T)0.5 * (r.hi + r.lo), x);
    const vt end = v_select(a == 1, v_copysign(v_set(INFINITY), x), v_set(NAN));
    return v_select(a < 1, y, end);
#else
    const vt a = v_abs(x);
    const vwide w = v_widen(a);
    const vt r = v_narrow(v_acc_arctanh(w.lo), v_acc_arctanh(w.hi));
    const vt y = v_select(a < 1, r, v_select(a == 1, v_set(INFINITY), v_set(NAN)));
    return v_copysign(y, x);
#endif
}

#endif
