/* vexpcore.h -- e^x as 2^n times a sum whose parts stay apart.
 *
 * x = n ln2 + r with |r| <= ln2/2 and e^r = 1 + r + r^2/2 + r^3 p(r), where p is a
 * minimax polynomial (Remez exchange in mpmath, weight r^2). n ln2 is taken off in two
 * steps, the first of which is exact (Cody & Waite 1980). For float32 the same in
 * float64 with a shorter p. */
#ifndef GRADC_KERN_VEXPCORE_H
#define GRADC_KERN_VEXPCORE_H

#include "kern/vdd.h"
#include "kern/vlane.h"
#include "kern/vwide.h"

#define LN2 0.6931471805599453
#define LN2_REST 0x1.abc9e3b39803fp-56 /* ln2 - LN2 */
#define LN2_HI 0x1.62e42fefa4000p-1    /* 41 bits: times |n| < 2^12 is exact */
#define LN2_LO -0x1.8432a1b0e2634p-43
#define LN2_LAST 0x1.f97b57a079a19p-103 /* ln2 - LN2_HI - LN2_LO */
#define LOG2_E 1.4426950408889634
#define ROUND 0x1.8p52                 /* x + ROUND - ROUND: nearest integer */

/* (e^r - 1 - r - r^2 / 2) / r^3 for |r| <= 0.3466; 2^-61 relative to e^r - 1. */
static const double V_EXP[] = {
    2.0924424908414453e-09, 2.510902034278921e-08,  2.7557242828482345e-07,
    2.755724425631903e-06,  2.4801587360460208e-05, 0.0001984126988607945,
    0.0013888888888866897,  0.00833333333332165,    0.0416666666666667,
    0.16666666666666677};

/* 2^n for integers -1023 < n < 1024. */
INLINE vacc v_pow2(vacc n)
{
    return (vacc)((macc)(n + (ROUND + 1023)) << 52);
}

/* x scale rounded to an integer. */
INLINE vacc v_nearest(vacc x, double scale)
{
    return v_acc_fma(x, v_acc_set(scale), v_acc_set(ROUND)) - ROUND;
}

/* e^r - 1 - r + lo for |r| <= ln2/2, to 2^-59 of e^r - 1. */
INLINE vacc v_exp_tail(vacc r, vacc lo)
{
    const vacc z = r * r;
    return v_acc_fma(z * r, V_POLY(r, V_EXP), v_acc_fma(z, v_acc_set(0.5), lo));
}

#if IS(f64)
/* e^x = 2^n (1 + r + tail) to about 2^-60; r + tail is e^r - 1. */
typedef struct vexp {
    vt n, r, tail;
} vexp;

/* For |x| < 1500; x.lo up to an ulp of x.hi. */
INLINE vexp v_exp_parts(vdd x)
{
    const vt n = v_nearest(x.hi, LOG2_E);
    const vt r0 = v_fma(n, v_set(-LN2_HI), x.hi);
    const vt t = v_fma(n, v_set(-LN2_LO), x.lo);
    const vt r = r0 + t, lo = (r0 - r) + t;
    return (vexp){n, r, v_exp_tail(r, v_fma(lo, r, lo))};
}

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

/* 2^n e^(r + lo); the last sum alone is rounded at the scale of the result. */
INLINE vt v_exp_reduced(vt n, vt r, vt lo)
{
    const vdd s = v_quick_two_sum(v_set(1), r);
    return v_scale(s.hi + (s.lo + v_exp_tail(r, lo)), n);
}

/* e^x for x <= 0 as 2^n times a pair near 1, so that tiny values lose nothing;
 * x below -746 counts as -746. */
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

#else
/* (e^r - 1 - r) / r^2, short: 2^-32 relative to e^r - 1. */
static const double V_EXP_SHORT[] = {
    0.0001991413659110222, 0.0013940967089296104, 0.008333273116811339,
    0.0416663553316242,    0.16666666816754505,   0.5000000046176191};

/* e^r - 1 for |r| <= ln2/2. */
INLINE vacc v_acc_expm1_short(vacc r)
{
    return v_acc_fma(r * r, V_POLY(r, V_EXP_SHORT), r);
}

/* 2^n e^r where magic = n + ROUND: n is in its low bits. */
INLINE vacc v_acc_exp_reduced(vacc magic, vacc r)
{
    return (vacc)((macc)(1.0 + v_acc_expm1_short(r)) + ((macc)magic << 52));
}

/* e^x, 2^x and e^x - 1 to 2^-32 for |x| < 700. */
INLINE vacc v_acc_exp(vacc x)
{
    const vacc magic = v_acc_fma(x, v_acc_set(LOG2_E), v_acc_set(ROUND));
    return v_acc_exp_reduced(magic, v_acc_fma(magic - ROUND, v_acc_set(-LN2), x));
}

INLINE vacc v_acc_exp2(vacc x)
{
    const vacc magic = x + ROUND;
    return v_acc_exp_reduced(magic, (x - (magic - ROUND)) * LN2);
}

INLINE vacc v_acc_expm1(vacc x)
{
    const vacc n = v_nearest(x, LOG2_E), b = v_pow2(n);
    const vacc r = v_acc_fma(n, v_acc_set(-LN2), x);
    return v_acc_fma(v_acc_expm1_short(r), b, b - 1.0);
}
#endif

#endif
