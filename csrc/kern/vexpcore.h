/* vexpcore.h -- e^x as 2^n times a sum whose parts stay apart.
 *
 * x = n ln2 + r with |r| <= ln2/2 and e^r = 1 + r + r^2/2 + r^3 p(r), where p is a
 * minimax polynomial (Remez exchange in mpmath, weight r^2). n ln2 is taken off in two
 * steps, the first of which is exact (Cody & Waite 1980). The same for both element
 * types; functions that need more than float32 go by vexpwide.h. */
#ifndef GRADC_KERN_VEXPCORE_H
#define GRADC_KERN_VEXPCORE_H

#include "kern/vdd.h"
#include "kern/vlane.h"

#define LOG2_E 1.4426950408889634
#define LN2 0.6931471805599453
#define LN2_HI_64 0x1.62e42fefa4000p-1 /* 41 bits: times |n| < 2^12 is exact */
#define LN2_LO_64 -0x1.8432a1b0e2634p-43

/* (e^r - 1 - r - r^2 / 2) / r^3 for |r| <= 0.3466; 2^-61 relative to e^r - 1. */
static const double V_EXP_64[] = {2.0924424908414453e-09, 2.510902034278921e-08,
                                  2.7557242828482345e-07, 2.755724425631903e-06,
                                  2.4801587360460208e-05, 0.0001984126988607945,
                                  0.0013888888888866897,  0.00833333333332165,
                                  0.0416666666666667,     0.16666666666666677};

#if IS(f64)
#define V_EXP V_EXP_64
#define LN2_HI LN2_HI_64
#define LN2_LO LN2_LO_64
#define LN2_REST 0x1.abc9e3b39803fp-56 /* ln2 - (T)LN2 */
#define ROUND 0x1.8p52                 /* x + ROUND - ROUND: nearest integer */
enum { DIGITS = 52, BIAS = 1023 };
#else
/* The same to 2^-31. */
static const T V_EXP[] = {0.00019909710131312916f, 0.0013933331488692933f,
                          0.008333282133066826f, 0.04166648187623772f,
                          0.16666666772365135f};
#define LN2_HI 0x1.62e4p-1f /* 15 bits: times |n| < 2^9 is exact */
#define LN2_LO 0x1.7f7d1cf79abcap-20f
#define LN2_REST -0x1.05c61000p-29f
#define ROUND 0x1.8p23f
enum { DIGITS = 23, BIAS = 127 };
#endif

/* 2^n for integers -BIAS <= n <= BIAS; 2^-BIAS counts as 0. */
INLINE vt v_pow2(vt n) { return (vt)((vm)(n + (ROUND + BIAS)) << DIGITS); }

/* x scale rounded to an integer. */
INLINE vt v_nearest(vt x, T scale)
{
    return v_fma(x, v_set(scale), v_set(ROUND)) - ROUND;
}

/* x 2^n rounded once, for |x| below 2^20 and integers |n| < 2 BIAS. */
INLINE vt v_scale(vt x, vt n)
{
#if defined(__AVX512F__)
    return V_OP(scalef)(x, n);
#else
    if (!v_any(v_abs(n) > BIAS - 25))
        return x * v_pow2(n);
    const vt half = v_nearest(n, 0.5);
    return x * v_pow2(half) * v_pow2(n - half);
#endif
}

/* e^r - 1 - r + lo for |r| <= ln2/2, to 2^-59 (2^-30) of e^r - 1. */
INLINE vt v_exp_tail(vt r, vt lo)
{
    const vt z = r * r;
    return v_fma(z * r, V_POLY(r, V_EXP), v_fma(z, v_set((T)0.5), lo));
}

/* 2^n e^(r + lo); the last sum alone is rounded at the scale of the result. */
INLINE vt v_exp_reduced(vt n, vt r, vt lo)
{
    const vdd s = v_quick_two_sum(v_set(1), r);
    return v_scale(s.hi + (s.lo + v_exp_tail(r, lo)), n);
}

/* e^x = 2^n (1 + r + tail) to about 2^-59 (2^-30); r + tail is e^r - 1. */
typedef struct vexp {
    vt n, r, tail;
} vexp;

/* For |x| < 1500 (200); x.lo up to an ulp of x.hi. */
INLINE vexp v_exp_parts(vdd x)
{
    const vt n = v_nearest(x.hi, (T)LOG2_E);
    const vt r0 = v_fma(n, v_set(-LN2_HI), x.hi);
    const vt t = v_fma(n, v_set(-LN2_LO), x.lo);
    const vt r = r0 + t, lo = (r0 - r) + t;
    return (vexp){n, r, v_exp_tail(r, v_fma(lo, r, lo))};
}

/* e^x for x <= 0 as 2^n times a pair near 1, so that tiny values lose nothing;
 * x below EXP_END counts as EXP_END, whose exponential is 0. */
#define EXP_END (IS(f64) ? (T) - 746 : (T) - 105)
typedef struct vdecay {
    vt n;
    vdd p;
} vdecay;

INLINE vdecay v_decay(vdd x)
{
    const vt y = v_clamp(x.hi, v_set(EXP_END), v_set(0));
    const vexp e = v_exp_parts((vdd){y, v_select(y == x.hi, x.lo, v_set(0))});
    const vdd s = v_quick_two_sum(v_set(1), e.r);
    return (vdecay){e.n, v_quick_two_sum(s.hi, s.lo + e.tail)};
}

#endif
