/* vlog.h -- logarithms of x and of 1 + x; the method is in vlogcore.h.
 *
 * Common to all: log(0) = -inf, NaN of negatives and NaN, inf of inf; subnormal
 * arguments are scaled first; powers of the base give integers. */
#ifndef GRADC_KERN_VLOG_H
#define GRADC_KERN_VLOG_H

#include "kern/vlog16.h"
#include "kern/vlogwide.h"

#if IS(f32)
/* log(x) scale. */
INLINE vt v_log_scaled(vt x, double scale)
{
    const vwide w = v_widen(x);
    return v_log_ends(v_narrow(v_acc_log(w.lo) * scale, v_acc_log(w.hi) * scale), x);
}
#endif

/* log x for all x. Measured 0.85 ulp, with tables 0.83 (f32 0.84). */
INLINE vt v_log(vt x)
{
    const vu least = (vu)v_set(LEAST_NORMAL), end = (vu)v_set(INFINITY);
    const bool rare = v_any((vu)x - least >= end - least);
#if V_HAS_TABLE16
    const vm tiny = x < LEAST_NORMAL;
    vlog16 e = v_log16_split(rare ? v_select(tiny, x * 0x1p54, x) : x);
    if (rare)
        e.k -= v_select(tiny, v_set(54), v_set(0));
    const vdd w = v_log16_sum(e, v_fma(e.m, e.c, v_set(-1)), v_set(0));
    const vt y = w.hi + w.lo;
#else
    const vlog_split e = rare ? v_log_split_all(x) : v_log_split(x);
    const vt y = v_log_sum(e.k, e.m - (T)1, v_set(0));
#endif
    return rare ? v_log_ends(y, x) : y;
}

/* log2 x for all x: k + log(m) / ln2, the product one of pairs. Measured 0.58 ulp (f32
 * 0.52). */
INLINE vt v_log2(vt x)
{
#if IS(f64)
    const vdd log2_e = {v_set(LOG2_E), v_set(0x1.777d0ffda0d24p-56)};
    const vlog_split e = v_log_split_all(x);
    const vdd y = v_dd_mul(v_log_pair(v_set(0), e.m), log2_e);
    const vdd r = v_quick_two_sum(e.k, y.hi);
    return v_log_ends(r.hi + (r.lo + y.lo), x);
#else
    return v_log_scaled(x, LOG2_E);
#endif
}

/* log10 x for all x: log(x) / ln10, the product one of pairs. Measured 0.55 ulp (f32
 * 0.52). */
INLINE vt v_log10(vt x)
{
#if IS(f64)
    const vdd log10_e = {v_set(0x1.bcb7b1526e50ep-2), v_set(0x1.95355baaafad3p-57)};
    const vlog_split e = v_log_split_all(x);
    const vdd y = v_dd_mul(v_log_pair(e.k, e.m), log10_e);
    return v_log_ends(y.hi + y.lo, x);
#else
    return v_log_scaled(x, 0.4342944819032518);
#endif
}

/* log(1 + x) for all x: of u = 1 + x rounded, plus the rounding error over u; where
 * k = 0, of x itself. Measured 0.89 ulp (f32 0.85); -1 -> -inf, below NaN; -0 and
 * subnormals -> x. */
INLINE vt v_log1p(vt x)
{
    const vdd u = v_two_sum(v_set(1), x);
    const vlog_split e = v_log_split(u.hi);
    const vm near = e.k == 0;
    const vt f = v_select(near, x, e.m - (T)1);
    vt c = v_select(near, v_set(0), u.lo * v_pow2(-e.k));
    const bool rare = v_any(~((u.hi > 0) & (u.hi < (T)0x1p60)));
    if (rare)
        c = v_select(e.k > 50, v_set(0), c);
    const vt y = v_log_sum(e.k, f, c * ((T)1.06 - f));
    return v_copysign(rare ? v_log_ends(y, u.hi) : y, x);
}

#endif
