/* vhyp.h -- sinh, cosh and tanh.
 *
 * The float64 forms keep the reduced argument r of vexpcore.h apart until the last
 * sum, so that what cancels is exact; the quotient in tanh is one of pairs. float32
 * does the plain formula in float64. */
#ifndef GRADC_KERN_VHYP_H
#define GRADC_KERN_VHYP_H

#include "kern/vexpcore.h"

#if IS(f64)
/* (cosh r - 1) / r^2 and (sinh r - r) / r^3 in r^2 <= 0.1202: Taylor. */
static const T V_COSH[] = {1 / 87178291200.0, 1 / 479001600.0, 1 / 3628800.0,
                           1 / 40320.0,       1 / 720.0,       1 / 24.0,
                           0.5};
static const T V_SINH[] = {1 / 6227020800.0, 1 / 39916800.0, 1 / 362880.0,
                           1 / 5040.0,       1 / 120.0,      1 / 6.0};

/* (e^|x| + sign e^-|x|) / 2 with sign 1 or -1: with b = sign 4^-n it is 2^(n-1) times
 * (1 + b) cosh r + (1 - b) sinh r. */
INLINE vt v_cosh_sinh(vt x, T sign)
{
    const vt y = v_clamp(v_abs(x), v_set(0), v_set(711));
    const vt n = v_nearest(y, LOG2_E);
    const vt r0 = v_fma(n, v_set(-LN2_HI), y), t = n * -LN2_LO;
    const vt r = r0 + t, lo = (r0 - r) + t, z = r * r;
    const vt c = z * V_POLY(z, V_COSH);
    const vt s = z * V_POLY(z, V_SINH);
    const vt b = v_select(n > 40, v_set(0), v_pow2((T)-2 * n) * sign);
    const vdd even = v_quick_two_sum(v_set(1), b), odd = v_quick_two_sum(v_set(1), -b);
    const vdd p = v_quick_two_sum(even.hi, r), q = v_quick_two_sum(p.hi, -b * r);
    const vt tail = v_fma(odd.hi, v_fma(s, r, lo), even.hi * v_fma(lo, r, c));
    return v_scale(q.hi + (q.lo + (p.lo + (even.lo + tail))), n - (T)1);
}

#else
INLINE vacc v_acc_cosh(vacc x)
{
    const vacc e = v_acc_exp(x);
    return (e + 1.0 / e) * 0.5;
}

INLINE vacc v_acc_sinh(vacc x)
{
    const vacc e = v_acc_expm1(x);
    return (e + e / (e + 1.0)) * 0.5;
}

INLINE vacc v_acc_tanh(vacc x)
{
    const vacc e = v_acc_expm1(x + x);
    return e / (e + 2.0);
}
#endif

/* cosh x for all x. ULP_cosh; +-inf -> inf, NaN -> NaN; inf above
 * 710.47 (f32 89.41). */
INLINE vt v_cosh(vt x)
{
#if IS(f64)
    return v_cosh_sinh(x, 1);
#else
    const vwide w = v_widen(v_clamp(x, v_set(-91), v_set(91)));
    return v_narrow(v_acc_cosh(w.lo), v_acc_cosh(w.hi));
#endif
}

/* sinh x for all x. ULP_sinh; +-inf -> +-inf, NaN -> NaN, -0 and
 * subnormals -> x; +-inf beyond 710.47 (f32 89.41). */
INLINE vt v_sinh(vt x)
{
#if IS(f64)
    return v_copysign(v_cosh_sinh(x, -1), x);
#else
    const vwide w = v_widen(v_clamp(v_abs(x), v_set(0), v_set(91)));
    return v_copysign(v_narrow(v_acc_sinh(w.lo), v_acc_sinh(w.hi)), x);
#endif
}

/* tanh x = (e^2x - 1) / (e^2x + 1) for all x, both divided by 2^n: the pairs
 * (1 -+ 2^-n) + r + tail. ULP_tanh; +-inf -> +-1, NaN -> NaN, -0 and
 * subnormals -> x. Where 1 + 2^-n rounds, less = more - 2^(1-n) keeps their ratio. */
INLINE vt v_tanh(vt x)
{
#if IS(f64)
    const vt y = v_clamp(v_abs(x), v_set(0), v_set(20));
    const vexp e = v_exp_parts((vdd){y + y, v_set(0)});
    const vt b = v_pow2(-e.n), more = (T)1 + b, less = more - (b + b);
    const vdd p = v_quick_two_sum(less, e.r), ps = v_quick_two_sum(p.hi, e.tail);
    const vdd q = v_quick_two_sum(more, e.r), qs = v_quick_two_sum(q.hi, e.tail);
    const vt r = v_dd_quotient((vdd){ps.hi, ps.lo + p.lo}, (vdd){qs.hi, qs.lo + q.lo});
    return v_copysign(r, x);
#else
    const vwide w = v_widen(v_clamp(x, v_set(-10), v_set(10)));
    return v_copysign(v_narrow(v_acc_tanh(w.lo), v_acc_tanh(w.hi)), x);
#endif
}

#endif
