/* vpow.h -- x^y and log(e^x + e^y).
 *
 * x^y = e^(y log|x|) where the logarithm is a pair good to 2^-66, since the exponential
 * magnifies its error by up to 745; then the sign and C99's table of special cases. */
#ifndef GRADC_KERN_VPOW_H
#define GRADC_KERN_VPOW_H

#include "kern/vhyp.h"

/* Whether y is an integer. */
INLINE vm v_is_integer(vt y)
{
    const T ulp_1 = IS(f64) ? 0x1p52 : 0x1p23;
    const vt a = v_abs(y);
    return (a >= ulp_1) | ((a + ulp_1) - ulp_1 == a);
}

/* r = |x|^y for |x| not in {0, 1, inf}: the sign and the rest of C99's F.9.4.4. */
INLINE vt v_pow_ends(vt r, vt x, vt y)
{
    const vm fine = (x > 0) & (x < INFINITY) & (v_abs(y) < INFINITY);
    if (!v_any(~fine))
        return r;
    const vt a = v_abs(x), zero = v_set(0), one = v_set(1), inf = v_set(INFINITY);
    const vm whole = v_is_integer(y), odd = whole & ~v_is_integer((T)0.5 * y);
    const vm end = (a == 0) | (a == INFINITY);
    r = v_select(end, v_select((y < 0) == (a == 0), inf, zero), r);
    r = v_select((x < 0) & ~whole & ~end, v_set(NAN), r);
    r = v_select((a == 1) & ((x > 0) | whole), one, r);
    r = (vt)((vm)r | (odd & (vm)x & (vm)v_set((T)-0.0)));
    r = v_select((x == x) & (y == y), r, x + y);
    return v_select((y == 0) | (x == 1), one, r);
}

#if IS(f64)
/* (2 atanh(s) - 2 s - 2/3 s^3) / s^5 in z = s^2 <= 0.0295; 2^-66 of 2 atanh(s). */
static const T V_LOG_TAIL[] = {
    0.13197990071817023, 0.1325666199005148,  0.1538676286031634, 0.18181784277050234,
    0.22222222520531726, 0.28571428570099194, 0.4000000000000225};

/* k ln2 + 2 atanh(x / y) to about 2^-65. */
INLINE vdd v_log_exact(vt k, vdd x, vdd y)
{
    const vdd q = v_dd_div(x, y), s = v_quick_two_sum(q.hi, q.lo);
    const vdd z = v_dd_mul(s, s);
    const vt p = V_POLY(z.hi, V_LOG_TAIL);
    const vdd c = v_quick_two_sum(v_set(0x1.5555555555555p-1), z.hi * p);
    const vdd t = v_dd_mul(v_dd_mul(z, (vdd){c.hi, c.lo + 0x1.5555555555555p-55}), s);
    const vdd u = v_quick_two_sum(s.hi + s.hi, t.hi);
    const vdd r = v_quick_two_sum(k * LN2_HI, u.hi);
    return (vdd){r.hi, r.lo + (u.lo + (s.lo + s.lo + t.lo) + k * LN2_LO)};
}

INLINE vt v_pow(vt x, vt y)
{
    const vlog_split e = v_log_split_all(v_abs(x));
    const vdd num = {e.m - (T)1, v_set(0)};
    const vdd l = v_log_exact(e.k, num, v_two_sum(e.m, v_set(1)));
    const vdd log = v_quick_two_sum(l.hi, l.lo);
    const vt p = y * log.hi, q = v_clamp(p, v_set(-746), v_set(710));
    const vt lo = v_fma(y, log.lo, v_prod_error(y, log.hi, p));
    return v_pow_ends(v_dd_exp((vdd){q, v_select(p == q, lo, v_set(0))}), x, y);
}

INLINE vt v_logaddexp(vt x, vt y)
{
    const vt m = v_select(x > y, x, y), w = v_select(x > y, y, x);
    const vdd d = v_two_sum(w, -m);
    const vdd log = v_decay_log1p(v_decay(d));
    const vdd sum = v_two_sum(m, log.hi);
    const vt r = sum.hi + (sum.lo + log.lo);
    const vt end = v_select(v_abs(m) == INFINITY, m, r);
    return v_select((x == x) & (y == y), end, x + y);
}

#else
INLINE vacc v_acc_pow(vacc x, vacc y)
{
    const vlog_split e = v_acc_log_split(x);
    const vacc s = (e.m - 1.0) / (e.m + 1.0), z = s * s;
    static const double c[] = {2 / 11.0, 2 / 9.0, 2 / 7.0, 2 / 5.0, 2 / 3.0, 2};
    const vacc p = V_POLY(z, c);
    const vacc log = v_acc_fma(e.k, v_acc_set(LN2), s * p), q = y * log;
    const vacc low = v_acc_select(q < -110.0, v_acc_set(-110), q);
    return v_acc_exp(v_acc_select(low > 90.0, v_acc_set(90), low));
}

INLINE vt v_pow(vt x, vt y)
{
    const vwide a = v_widen(v_abs(x)), b = v_widen(y);
    return v_pow_ends(v_narrow(v_acc_pow(a.lo, b.lo), v_acc_pow(a.hi, b.hi)), x, y);
}

INLINE vacc v_acc_logaddexp(vacc x, vacc y)
{
    const macc more = x > y;
    const vacc m = v_acc_select(more, x, y), d = v_acc_select(more, y, x) - m;
    return m + v_acc_log1p(v_acc_exp(v_acc_select(d < -110.0, v_acc_set(-110), d)));
}

INLINE vt v_logaddexp(vt x, vt y)
{
    const vwide a = v_widen(x), b = v_widen(y);
    const vt r = v_narrow(v_acc_logaddexp(a.lo, b.lo), v_acc_logaddexp(a.hi, b.hi));
    const vt m = v_select(x > y, x, y);
    const vt end = v_select(v_abs(m) == INFINITY, m, r);
    return v_select((x == x) & (y == y), end, x + y);
}
#endif

#endif
