/* vexp.h -- e^x and 2^x, and their parts for what is made of them.
 *
 * x = n ln2 + r with |r| <= ln2/2 and e^r = 1 + r + r^2 p(r), where p is a minimax
 * polynomial (Remez exchange in mpmath, weight |r|). n ln2 is taken off in two steps,
 * the first of which is exact (Cody & Waite 1980). float32 does the same in float64
 * with a shorter p. */
#ifndef GRADC_KERN_VEXP_H
#define GRADC_KERN_VEXP_H

#include "kern/vdd.h"
#include "kern/vlane.h"
#include "kern/vwide.h"

#define LN2 0.6931471805599453
#define LN2_REST 0x1.abc9e3b39803fp-56
#define LN2_HI 0x1.62e42fefa4000p-1   /* 41 bits: times |n| < 2^12 is exact */
#define LN2_LO -0x1.8432a1b0e2634p-43
#define LOG2_E 1.4426950408889634
#define ROUND 0x1.8p52                /* x + ROUND - ROUND: nearest integer */

/* 2^n for integers -1023 < n < 1024. */
INLINE vacc v_pow2(vacc n)
{
    return (vacc)((macc)(n + (ROUND + 1023)) << 52);
}

INLINE vacc v_nearest(vacc x, double scale)
{
    return v_acc_fma(x, v_acc_set(scale), v_acc_set(ROUND)) - ROUND;
}

/* c[0] x^(n-1) + ... + c[n-1] by pairs, pairs of pairs and so on (Estrin 1960): what
 * limits these loops is latency. */
INLINE vacc v_acc_poly(vacc x, const double *c, int n)
{
    vacc t[16];
#pragma GCC unroll 16
    for (int i = 0; i < n; i++)
        t[i] = v_acc_set(c[n - 1 - i]);
#pragma GCC unroll 4
    for (; n > 1; n = (n + 1) / 2, x *= x) {
#pragma GCC unroll 8
        for (int i = 0; i < n / 2; i++)
            t[i] = v_acc_fma(t[2 * i + 1], x, t[2 * i]);
        if (n & 1)
            t[n / 2] = t[n - 1];
    }
    return t[0];
}
#define V_POLY(x, c) v_acc_poly(x, c, sizeof c / sizeof *c)

#if IS(f64)
/* (e^r - 1 - r - r^2 / 2) / r^3 for |r| <= 0.3466; 2^-61 relative to e^r - 1. */
static const T V_EXP[] = {
    2.0924424908414453e-09, 2.510902034278921e-08,  2.7557242828482345e-07,
    2.755724425631903e-06,  2.4801587360460208e-05, 0.0001984126988607945,
    0.0013888888888866897,  0.00833333333332165,    0.0416666666666667,
    0.16666666666666677};

/* e^x = 2^n (1 + r + tail) to about 2^-60; r + tail is e^r - 1. */
typedef struct vexp {
    vt n, r, tail;
} vexp;

/* x 2^n rounded once, for |x| below 2^20 and integers |n| < 2000. */
INLINE vt v_scale(vt x, vt n)
{
#if defined(__AVX512F__)
    return V_OP(scalef)(x, n);
#else
    if (!v_any(v_abs(n) > 1000))
        return x * v_pow2(n);
    const vt half = v_nearest(n, 0.5);
    return x * v_pow2(half) * v_pow2(n - half);
#endif
}

/* e^r - 1 - r + lo. */
INLINE vt v_exp_tail(vt r, vt lo)
{
    const vt z = r * r;
    return v_fma(z * r, V_POLY(r, V_EXP), v_fma(z, v_set(0.5), lo));
}

INLINE vexp v_exp_parts(vdd x)
{
    const vt n = v_nearest(x.hi, LOG2_E);
    const vt r0 = v_fma(n, v_set(-LN2_HI), x.hi);
    const vt t = v_fma(n, v_set(-LN2_LO), x.lo);
    const vt r = r0 + t, lo = (r0 - r) + t;
    return (vexp){n, r, v_exp_tail(r, v_fma(lo, r, lo))};
}

/* The exponential of a pair within [-746, 710] of 0. */
INLINE vt v_dd_exp(vdd x)
{
    const vexp e = v_exp_parts(x);
    const vdd s = v_quick_two_sum(v_set(1), e.r);
    return v_scale(s.hi + (s.lo + e.tail), e.n);
}

/* 2^n e^(r + lo). */
INLINE vt v_exp_reduced(vt n, vt r, vt lo)
{
    const vdd s = v_quick_two_sum(v_set(1), r);
    return v_scale(s.hi + (s.lo + v_exp_tail(r, lo)), n);
}

INLINE vt v_exp(vt x)
{
    const vt y = v_clamp(x, v_set(-746), v_set(710));
    const vt n = v_nearest(y, LOG2_E);
    const vt r = v_fma(n, v_set(-LN2_HI), y);
    return v_exp_reduced(n, v_fma(n, v_set(-LN2_LO), r), v_set(0));
}

INLINE vt v_exp2(vt x)
{
    const vt y = v_clamp(x, v_set(-1076), v_set(1025));
    const vt n = v_nearest(y, 1), f = y - n;
    return v_exp_reduced(n, f * LN2, f * LN2_REST);
}

INLINE vt v_expm1(vt x)
{
    const vt y = v_clamp(x, v_set(-40), v_set(710));
    const vexp e = v_exp_parts((vdd){y, v_set(0)});
    const vt b = v_select(e.n > 60, v_set(0), v_pow2(-e.n));
    const vdd one = v_quick_two_sum(v_set(1), -b);
    const vdd s = v_quick_two_sum(one.hi, e.r);
    const vt r = v_scale(s.hi + (s.lo + (one.lo + e.tail)), e.n);
    return v_copysign(r, x);
}

#else
static const double V_EXP[] = {
    0.0001991413659110222, 0.0013940967089296104, 0.008333273116811339,
    0.0416663553316242,    0.16666666816754505,   0.5000000046176191};

/* e^r - 1. */
INLINE vacc v_acc_expm1(vacc r)
{
    const vacc p = V_POLY(r, V_EXP);
    return v_acc_fma(r * r, p, r);
}

INLINE vacc v_acc_exp(vacc x)
{
    const vacc n = v_nearest(x, LOG2_E);
    const vacc r = v_acc_fma(n, v_acc_set(-LN2), x);
    return ((T)1 + v_acc_expm1(r)) * v_pow2(n);
}

INLINE vacc v_acc_exp2(vacc x)
{
    const vacc n = v_nearest(x, 1);
    return ((T)1 + v_acc_expm1((x - n) * LN2)) * v_pow2(n);
}

INLINE vacc v_acc_exp_minus1(vacc x)
{
    const vacc n = v_nearest(x, LOG2_E);
    const vacc r = v_acc_fma(n, v_acc_set(-LN2), x), b = v_pow2(n);
    return v_acc_fma(v_acc_expm1(r), b, b - 1.0);
}

INLINE vt v_exp(vt x)
{
    const vwide w = v_widen(v_clamp(x, v_set(-110), v_set(90)));
    return v_narrow(v_acc_exp(w.lo), v_acc_exp(w.hi));
}

INLINE vt v_exp2(vt x)
{
    const vwide w = v_widen(v_clamp(x, v_set(-155), v_set(130)));
    return v_narrow(v_acc_exp2(w.lo), v_acc_exp2(w.hi));
}

INLINE vt v_expm1(vt x)
{
    const vwide w = v_widen(v_clamp(x, v_set(-30), v_set(90)));
    return v_copysign(v_narrow(v_acc_exp_minus1(w.lo), v_acc_exp_minus1(w.hi)), x);
}
#endif

#endif
