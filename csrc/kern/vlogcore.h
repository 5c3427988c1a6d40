/* vlogcore.h -- log x as k ln2 + 2 atanh(s), the parts others are made of.
 *
 * x = 2^k m with m in [sqrt(1/2), sqrt(2)) and log(m) = 2 atanh(s), s = (m - 1) / (m + 1):
 * 2 s + s^3 p(s^2), p a minimax polynomial (Remez exchange in mpmath, weight s^2).
 * float32 needs no division: log1p(f) = f + f^2 p(f), in float64. */
#ifndef GRADC_KERN_VLOGCORE_H
#define GRADC_KERN_VLOGCORE_H

#include "kern/vexpcore.h"

#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd

typedef struct vlog_split {
    vacc k, m;
} vlog_split;

/* x = 2^k m for positive normal x. */
INLINE vlog_split v_acc_log_split(vacc x)
{
    const uacc u = (uacc)x + (0x3ff0000000000000 - SQRT_HALF_BITS);
    const vacc k = (vacc)((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
    const uacc m = (u & 0xfffffffffffff) + SQRT_HALF_BITS;
    return (vlog_split){k, (vacc)m};
}

/* y = log x, mended for x not in (0, inf): log 0 = -inf, log inf = inf, else NaN. */
INLINE vt v_log_ends(vt y, vt x)
{
    const vm fine = (x > 0) & (x < INFINITY);
    if (!v_any(~fine))
        return y;
    const vt end = v_select(x < 0, v_set(NAN), v_select(x == 0, v_set(-INFINITY), x));
    return v_select(fine, y, end);
}

#if IS(f64)
/* (2 atanh(s) - 2 s) / s^3 in z = s^2 <= 0.041; 2^-62 relative to 2 atanh(s). */
static const T V_LOG[] = {
    0.13894881250095129, 0.13165804441897172, 0.15391584350802837, 0.18181651122821854,
    0.22222224547916994, 0.28571428553556155, 0.400000000000663,   0.6666666666666659};

/* x = 2^k m for positive x, subnormal too. */
INLINE vlog_split v_log_split_all(vt x)
{
    const vm tiny = x < 0x1p-1022;
    if (!v_any(tiny))
        return v_acc_log_split(x);
    const vlog_split e = v_acc_log_split(v_select(tiny, x * 0x1p54, x));
    return (vlog_split){e.k - (vt)(tiny & (vm)v_set(54)), e.m};
}

/* k ln2 + 2 atanh(x / y) to about 2^-61. */
INLINE vdd v_log_ratio(vt k, vdd x, vdd y)
{
    const vdd s = v_dd_div(x, y);
    const vt z = s.hi * s.hi;
    const vt p = V_POLY(z, V_LOG);
    const vt tail = v_fma(s.hi * z, p, (T)2 * s.lo);
    const vdd r = v_quick_two_sum(k * LN2_HI, (T)2 * s.hi);
    return v_quick_two_sum(r.hi, r.lo + v_fma(k, v_set(LN2_LO), tail));
}

/* log(m) as a pair. */
INLINE vdd v_log_pair(vt k, vt m)
{
    return v_log_ratio(k, (vdd){m - (T)1, v_set(0)}, v_two_sum(m, v_set(1)));
}

/* k ln2 + log(1 + f) + c / (1 + f) for c below an ulp of 1; Ng's arrangement (fdlibm,
 * 1993) of 2 atanh(s), s = f / (2 + f), where f stays exact. */
INLINE vt v_log_sum(vt k, vt f, vt c)
{
    const vt s = f / ((T)2 + f), z = s * s, half = (T)0.5 * f * f;
    const vt p = z * V_POLY(z, V_LOG);
    const vt low = v_fma(s, half + p, v_fma(k, v_set(LN2_LO), c));
    return v_fma(k, v_set(LN2_HI), f - (half - low));
}

#else
/* (log(1 + f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)); 2^-30 relative to log. */
static const double V_LOG[] = {
    0.06916364040665882,  -0.11789585916663547, 0.11872365461509599,
    -0.12384345350202533, 0.14218750061633512,  -0.16669254749381407,
    0.20002221520513555,  -0.24999986402685187, 0.33333310530161736,
    -0.5000000000181769};

/* k ln2 + log(1 + f). */
INLINE vacc v_acc_log_sum(vacc k, vacc f)
{
    const vacc p = V_POLY(f, V_LOG);
    return v_acc_fma(k, v_acc_set(LN2), v_acc_fma(f * f, p, f));
}

INLINE vacc v_acc_log(vacc x)
{
    const vlog_split e = v_acc_log_split(x);
    return v_acc_log_sum(e.k, e.m - 1.0);
}

INLINE vacc v_acc_log1p(vacc x)
{
    const vlog_split e = v_acc_log_split(x + 1.0);
    return v_acc_log_sum(e.k, v_acc_select(e.k == 0, x, e.m - 1.0));
}
#endif

#endif
