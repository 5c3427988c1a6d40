/* vpow.h -- x^y = e^(y log|x|), then the sign and C99's table of special cases.
 *
 * The exponential turns the error of its argument, up to 745, into a relative one, so
 * the logarithm is a pair good to 2^-65: the division and the first terms of
 * 2 atanh(s) are pairs and the rest, below 2^-18 of them, is not. float32 needs only
 * float64. */
#ifndef GRADC_KERN_VPOW_H
#define GRADC_KERN_VPOW_H

#include "kern/vexpwide.h"
#include "kern/vlogwide.h"

/* Whether y is an integer. */
INLINE vm v_is_integer(vt y)
{
    const T ulp_1 = IS(f64) ? 0x1p52 : 0x1p23;
    const vt a = v_abs(y);
    return (a >= ulp_1) | ((a + ulp_1) - ulp_1 == a);
}

/* r = |x|^y for |x| not in {0, 1, inf}: the sign and the rest of C99's F.9.4.4. Beyond
 * 2^100, y may have spoilt r at x = 1. */
INLINE vt v_pow_ends(vt r, vt x, vt y)
{
    const vm fine = (x > 0) & (x < INFINITY) & (v_abs(y) < (T)0x1p100);
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
/* 2 atanh(s) = 2 s + LOG_3RD s^3 + LOG_5TH s^5 + s^7 p(s^2) for s^2 <= 0.0295, to
 * 2^-66; 2/3 is a pair. */
static const T V_LOG_TAIL[] = {0.13197990071817023, 0.1325666199005148,
                               0.1538676286031634,  0.18181784277050234,
                               0.22222222520531726, 0.28571428570099194};
#define LOG_5TH 0.4000000000000225
#define LOG_3RD 0x1.5555555555555p-1
#define LOG_3RD_REST 0x1.5555555555555p-55

/* log x for positive finite x, to about 2^-65. */
INLINE vdd v_log_exact(vt x)
{
    const vlog_split e = v_log_split_all(x);
    const vdd y = v_two_sum(e.m, v_set(1));
    const vdd q = v_dd_div((vdd){e.m - (T)1, v_set(0)}, y);
    const vdd s = v_quick_two_sum(q.hi, q.lo), z = v_dd_prod(s, s);
    const vdd b = v_quick_two_sum(v_set(LOG_5TH), z.hi * V_POLY(z.hi, V_LOG_TAIL));
    const vdd p = v_two_prod(z.hi, b.hi), c = v_quick_two_sum(v_set(LOG_3RD), p.hi);
    const vt c_lo = c.lo + v_fma(z.hi, b.lo, p.lo + LOG_3RD_REST);
    const vdd t = v_dd_prod(v_dd_prod(z, (vdd){c.hi, c_lo}), s);
    const vdd u = v_quick_two_sum(s.hi + s.hi, t.hi);
    const vdd r = v_quick_two_sum(e.k * LN2_HI, u.hi);
    const vt low = v_fma(e.k, v_set(LN2_LO), u.lo + v_fma(s.lo, v_set(2), t.lo));
    return v_quick_two_sum(r.hi, r.lo + low);
}

#else
/* x^y to 2^-32 for positive finite x. */
INLINE vacc v_acc_pow(vacc x, vacc y)
{
    static const double c[] = {2 / 11.0, 2 / 9.0, 2 / 7.0, 2 / 5.0, 2 / 3.0, 2};
    const vlog_wide e = v_acc_log_split(x);
    const vacc s = (e.m - 1.0) / (e.m + 1.0);
    const vacc q = y * v_acc_fma(e.k, v_acc_set(LN2), s * V_ACC_POLY(s * s, c));
    const vacc low = v_acc_select(q < -110.0, v_acc_set(-110), q);
    return v_acc_exp(v_acc_select(low > 90.0, v_acc_set(90), low));
}
#endif

/* x^y for all x, y. Measured 0.90 ulp (f32 0.58). Overflow to +-inf, gradual underflow;
 * special values as C99 F.9.4.4: x^0 = 1^y = 1 even of NaN, (-1)^+-inf = 1, negative x
 * to an odd integer is negative, to no integer NaN. */
INLINE vt v_pow(vt x, vt y)
{
#if IS(f64)
    const vdd log = v_log_exact(v_abs(x));
    const vt p = y * log.hi, q = v_clamp(p, v_set(-746), v_set(710));
    const vt low = v_fma(y, log.lo, v_prod_error(y, log.hi, p));
    const vexp e = v_exp_parts((vdd){q, v_select(p == q, low, v_set(0))});
    const vdd s = v_quick_two_sum(v_set(1), e.r);
    return v_pow_ends(v_scale(s.hi + (s.lo + e.tail), e.n), x, y);
#else
    const vwide a = v_widen(v_abs(x)), b = v_widen(y);
    return v_pow_ends(v_narrow(v_acc_pow(a.lo, b.lo), v_acc_pow(a.hi, b.hi)), x, y);
#endif
}

#endif
