/* vlogcore.h -- log x as k ln2 + 2 atanh(s), the parts others are made of.
 *
 * x = 2^k m with m in [sqrt(1/2), sqrt(2)) and log(m) = 2 atanh(s) = 2 s + s^3 p(s^2),
 * s = (m - 1) / (m + 1), p a minimax polynomial (Remez exchange in mpmath with weight
 * s^2). */
#ifndef GRADC_KERN_VLOGCORE_H
#define GRADC_KERN_VLOGCORE_H

#include "kern/vexpcore.h"

#if IS(f64)
/* (2 atanh(s) - 2 s) / s^3 in z = s^2 <= 0.041; 2^-62 relative to 2 atanh(s). */
static const T V_LOG[] = {0.13894881250095129, 0.13165804441897172, 0.15391584350802837,
                          0.18181651122821854, 0.22222224547916994, 0.28571428553556155,
                          0.400000000000663,   0.6666666666666659};
#define SQRT_HALF_BITS 0x3fe6a09e667f3bcd
#define ONE_BITS 0x3ff0000000000000
#define LEAST_NORMAL 0x1p-1022
typedef uacc vu;
#else
/* The same for z <= 0.0295; 2^-30. */
static const T V_LOG[] = {0.2987409065043141f, 0.3997746579055459f,
                          0.6666677686768057f};
#define SQRT_HALF_BITS 0x3f3504f3
#define ONE_BITS 0x3f800000
#define LEAST_NORMAL 0x1p-126f
typedef uint32_t vu __attribute__((vector_size(V_BYTES)));
#endif

typedef struct vlog_split {
    vt k, m;
} vlog_split;

/* x = 2^k m for positive normal x. */
INLINE vlog_split v_log_split(vt x)
{
    const T two_p = IS(f64) ? 0x1p52 : 0x1p23;
    const vu u = (vu)x + (ONE_BITS - SQRT_HALF_BITS);
    const vt k = (vt)((u >> DIGITS) | (vu)v_set(two_p)) - (two_p + BIAS);
    const vu m = (u & (vu)v_set_mask(((M)1 << DIGITS) - 1)) + SQRT_HALF_BITS;
    return (vlog_split){k, (vt)m};
}

/* x = 2^k m for positive x, subnormal too. */
INLINE vlog_split v_log_split_all(vt x)
{
    const vm tiny = x < LEAST_NORMAL;
    if (!v_any(tiny))
        return v_log_split(x);
    const vlog_split e = v_log_split(v_select(tiny, x * (T)0x1p54, x));
    return (vlog_split){e.k - v_select(tiny, v_set(54), v_set(0)), e.m};
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

/* k ln2 + log(1 + f) + c / (1 + f) for c below an ulp of 1; Ng's arrangement (fdlibm,
 * 1993) of 2 atanh(s), s = f / (2 + f), where f stays exact. */
INLINE vt v_log_sum(vt k, vt f, vt c)
{
    const vt s = f / ((T)2 + f), z = s * s, half = (T)0.5 * f * f;
    const vt p = v_fma(z, V_POLY(z, V_LOG), half);
    const vt low = v_fma(s, p, v_fma(k, v_set(LN2_LO), c));
    return v_fma(k, v_set(LN2_HI), f - (half - low));
}

#if IS(f64)
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
#endif

#endif
