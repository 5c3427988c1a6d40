/* vhyp.h -- hyperbolic functions and the sigmoids made of e^x.
 *
 * All start from e^x = 2^n (1 + r + tail) of vexp.h and keep r apart until the last
 * sum, so what cancels is exact; quotients are of pairs. float32 does the plain
 * formula in float64. */
#ifndef GRADC_KERN_VHYP_H
#define GRADC_KERN_VHYP_H

#include "kern/vlog.h"

#if IS(f64)
/* (cosh r - 1) / r^2 and (sinh r - r) / r^3 in r^2 <= 0.1202: Taylor. */
static const T V_COSH[] = {1 / 87178291200.0, 1 / 479001600.0, 1 / 3628800.0,
                           1 / 40320.0,       1 / 720.0,       1 / 24.0,
                           0.5};
static const T V_SINH[] = {1 / 6227020800.0, 1 / 39916800.0, 1 / 362880.0,
                           1 / 5040.0,       1 / 120.0,      1 / 6.0};

/* (e^|x| + sign e^-|x|) / 2, sign 1 or -1: with b = sign 4^-n it is 2^(n-1) times
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

INLINE vt v_cosh(vt x) { return v_cosh_sinh(x, 1); }
INLINE vt v_sinh(vt x) { return v_copysign(v_cosh_sinh(x, -1), x); }

INLINE vt v_tanh(vt x)
{
    const vt y = v_clamp(v_abs(x), v_set(0), v_set(20));
    const vexp e = v_exp_parts((vdd){y + y, v_set(0)});
    const vt b = v_pow2(-e.n), more = (T)1 + b, less = more - (b + b);
    const vdd p = v_quick_two_sum(less, e.r), ps = v_quick_two_sum(p.hi, e.tail);
    const vdd q = v_quick_two_sum(more, e.r), qs = v_quick_two_sum(q.hi, e.tail);
    const vt r = v_dd_quotient((vdd){ps.hi, ps.lo + p.lo}, (vdd){qs.hi, qs.lo + q.lo});
    return v_copysign(r, x);
}

/* e^-|x| as 2^n times a pair near 1. */
typedef struct vdecay {
    vt n;
    vdd p;
} vdecay;

INLINE vdecay v_decay(vdd x)
{
    const vt y = v_clamp(x.hi, v_set(-746), v_set(0));
    const vexp e = v_exp_parts((vdd){y, v_select(y == x.hi, x.lo, v_set(0))});
    const vdd s = v_quick_two_sum(v_set(1), e.r);
    return (vdecay){e.n, v_quick_two_sum(s.hi, s.lo + e.tail)};
}

INLINE vt v_sigmoid(vt x)
{
    const vdecay e = v_decay((vdd){-v_abs(x), v_set(0)});
    const vt b = v_select(e.n < -100, v_set(0), v_pow2(e.n));
    const vdd q = v_quick_two_sum(v_set(1), b * e.p.hi);
    const vm left = x < 0;
    const vdd num = {v_select(left, e.p.hi, v_set(1)),
                     v_select(left, e.p.lo, v_set(0))};
    const vt r = v_dd_quotient(num, (vdd){q.hi, v_fma(b, e.p.lo, q.lo)});
    return v_scale(r, v_select(left, e.n, v_set(0)));
}

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

INLINE vt v_softplus(vt x)
{
    const vdecay e = v_decay((vdd){-v_abs(x), v_set(0)});
    const vdd log = v_decay_log1p(e);
    const vdd r = v_two_sum(v_select(x > 0, x, v_set(0)), log.hi);
    const vt mid = r.hi + (r.lo + log.lo);
    const vt out = v_select(x < 0, v_scale(e.p.hi + e.p.lo, e.n), x);
    return v_select(v_abs(x) < 40, mid, out);
}

#else
INLINE vacc v_acc_cosh(vacc x)
{
    const vacc e = v_acc_exp(x);
    return (e + 1.0 / e) * 0.5;
}

INLINE vacc v_acc_sinh(vacc x)
{
    const vacc e = v_acc_exp_minus1(x);
    return (e + e / (e + 1.0)) * 0.5;
}

INLINE vacc v_acc_tanh(vacc x)
{
    const vacc e = v_acc_exp_minus1(x + x);
    return e / (e + 2.0);
}

INLINE vacc v_acc_sigmoid(vacc x) { return 1.0 / (1.0 + v_acc_exp(-x)); }
INLINE vacc v_acc_softplus(vacc x) { return v_acc_log1p(v_acc_exp(x)); }

#define BY_HALVES(f, x, lo_, hi_)                                    \
    const vwide w = v_widen(v_clamp(x, v_set(lo_), v_set(hi_)));     \
    const vt r = v_narrow(f(w.lo), f(w.hi))

INLINE vt v_cosh(vt x)
{
    BY_HALVES(v_acc_cosh, x, -91, 91);
    return r;
}

INLINE vt v_sinh(vt x)
{
    BY_HALVES(v_acc_sinh, v_abs(x), 0, 91);
    return v_copysign(r, x);
}

INLINE vt v_tanh(vt x)
{
    BY_HALVES(v_acc_tanh, x, -10, 10);
    return v_copysign(r, x);
}

INLINE vt v_sigmoid(vt x)
{
    BY_HALVES(v_acc_sigmoid, x, -110, 110);
    return r;
}

INLINE vt v_softplus(vt x)
{
    BY_HALVES(v_acc_softplus, x, -110, 100);
    return v_select(x < 50, r, x);
}
#undef BY_HALVES
#endif

#endif
