/* vexp16.h -- e^x in float64 by a table of 2^(j/16), where the ISA looks it up at once.
 *
 * x = n ln2 + r with n a multiple of 1/16 and |r| <= ln2/32, so e^x = 2^floor(n) T_j
 * e^r: a short polynomial, hence few steps from argument to result (Tang 1989). T_j is
 * short and the logarithm of the rest of 2^(j/16) goes into r. T_15 is such that r is
 * exact for n = -1/16 (an accurate table in the sense of Gal 1986), as it is for n = 0:
 * so e^x - 1 loses nothing near 0. The low bits of n + ROUND_16 are floor(n) and j. */
#ifndef GRADC_KERN_VEXP16_H
#define GRADC_KERN_VEXP16_H

#include "kern/vexpcore.h"
#include "kern/vwide.h"

#if V_HAS_ACC_TABLE16
#define ROUND_16 0x1.8p48 /* x + ROUND_16 - ROUND_16: nearest multiple of 1/16 */

static const double EXP2_16[16] = {0x1p+0,
                                   0x1.0b5586cf99p+0,
                                   0x1.172b83c7d5p+0,
                                   0x1.2387a6e756p+0,
                                   0x1.306fe0a31bp+0,
                                   0x1.3dea64c123p+0,
                                   0x1.4bfdad5363p+0,
                                   0x1.5ab07dd485p+0,
                                   0x1.6a09e667f4p+0,
                                   0x1.7a11473ebp+0,
                                   0x1.8ace5422aap+0,
                                   0x1.9c49182a3fp+0,
                                   0x1.ae89f995adp+0,
                                   0x1.c199bdd855p+0,
                                   0x1.d5818dcfbap+0,
                                   0x1.ea4afa290fp+0};

/* x 2^floor(n), rounded once. */
INLINE vacc v_scale16(vacc x, vacc n) { return V_INTRIN(scalef_pd)(x, n); }

#if IS(f32)
/* (e^r - 1 - r) / r^2 for |r| <= ln2/32; Remez in mpmath, 2^-37 of e^r. */
static const double EXP_16_SHORT[] = {0.04166767666883144, 0.1666700675069093,
                                      0.49999999983189686};

/* e^x to 2^-32 for |x| < 700, without the rest of T_j. */
INLINE vacc v_acc_exp16(vacc x)
{
    const vacc t = v_acc_fma(x, v_acc_set(LOG2_E), v_acc_set(ROUND_16));
    const vacc n = t - ROUND_16, r = v_acc_fma(n, v_acc_set(-LN2), x);
    const vacc base = v_acc_table16(EXP2_16, (macc)t);
    const vacc p = v_acc_fma(r * r, V_ACC_POLY(r, EXP_16_SHORT), r);
    return v_scale16(v_acc_fma(base, p, base), n);
}

#elif IS(f64)
static const T EXP2_16_REST[16] = {0,
                                   -3.777627579021128e-13,
                                   7.714244927010969e-14,
                                   1.1082869978865795e-13,
                                   3.385505214375911e-13,
                                   1.8920827328396267e-13,
                                   -2.562964631036253e-13,
                                   1.7467494540747876e-13,
                                   -1.688532973950682e-13,
                                   5.876426336216568e-14,
                                   3.1582755109889535e-14,
                                   1.986918497240808e-14,
                                   1.2428758140894566e-13,
                                   8.447272028713009e-14,
                                   1.4033881861681452e-13,
                                   1.4913777012858823e-10};

/* (e^r - 1 - r) / r^2 for |r| <= ln2/32; Remez in mpmath, 2^-60 of e^r - 1. */
static const T EXP_16[] = {0.00019841554928125426, 0.0013889092912160055,
                           0.008333333332409933,   0.04166666666187199,
                           0.16666666666666677,    0.5000000000000003};

/* x = n ln2 + r, but for T_j = base, which stands for its part of n ln2. */
typedef struct vexp16 {
    vt n, base, r;
} vexp16;

INLINE vexp16 v_exp16(vt x)
{
    const vt t = v_fma(x, v_set(LOG2_E), v_set(ROUND_16)), n = t - ROUND_16;
    const vt rest = v_fma(n, v_set(-LN2_LO), v_table16(EXP2_16_REST, (vm)t));
    const vt r = v_fma(n, v_set(-LN2_HI), x) + rest;
    return (vexp16){n, v_table16(EXP2_16, (vm)t), r};
}

/* T_j e^r. */
INLINE vt v_exp16_near(vexp16 e)
{
    return v_fma(e.base, v_fma(e.r * e.r, V_POLY(e.r, EXP_16), e.r), e.base);
}

/* e^r - 1 = most + rest to 2^-60 of itself, rest up to 2^-26 of most. */
typedef struct vexp16_fine {
    vt most, rest;
} vexp16_fine;

INLINE vexp16_fine v_exp16_split(vt r)
{
    const T *c = EXP_16;
    const vt z = r * r;
    const vt p = v_fma(z, v_set(c[3]), v_fma(r, v_set(c[4]), v_set(c[5])));
    const vt q = v_fma(z, v_set(c[0]), v_fma(r, v_set(c[1]), v_set(c[2])));
    const vt most = v_fma(z, p, r);
    return (vexp16_fine){most, v_fma(z, v_fma(z * r, q, p), r - most)};
}

/* s e^r + (t + left - s) as a pair, given s, t and left. */
INLINE vdd v_exp16_plus(vt s, vexp16_fine f, vt t, vt left)
{
    const vt h = v_fma(s, f.most, t);
    return (vdd){h, v_fma(s, f.rest, v_fma(s, f.most, t - h)) + left};
}

/* For x <= 0: e^x + 1 and e^x - 1 as pairs, the latter to 2^-56 of itself even near 0,
 * with lo up to 2^-26 of hi; and 1 / (e^x + 1) to 2^-30, which is there early. */
typedef struct vexp16_ends {
    vdd plus, minus;
    vt guess;
} vexp16_ends;

INLINE vexp16_ends v_exp16_ends(vexp16 e)
{
    const vexp16_fine f = v_exp16_split(e.r);
    const vt s = v_scale16(e.base, e.n);
    const vt plus = s + (T)1, left = s - (plus - (T)1);
    const vdd p = v_exp16_plus(s, f, plus, left);
    return (vexp16_ends){p, v_exp16_plus(s, f, plus - (T)2, left), (T)1 / p.hi};
}

/* x / y given 1 / y to 2^-30. */
INLINE vt v_guided_quotient(vdd x, vdd y, vt guess)
{
    const vt q = x.hi * guess;
    const vt rest = v_fma(-q, y.lo, x.lo) - v_fma(q, y.hi, -x.hi);
    return v_fma(rest, guess, q);
}
#endif
#endif

#endif
