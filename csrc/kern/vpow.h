/* vpow.h -- x^y = e^(y log|x|), then the sign and C99's table of special cases.
 *
 * Most calls have ordinary x and y in all lanes. One branch finds that out, so that the
 * chain from argument to result has none and several of them interleave; all else,
 * small integer y among it, is out of line. */
#ifndef GRADC_KERN_VPOW_H
#define GRADC_KERN_VPOW_H

#include "kern/vexp16.h"
#include "kern/vexpwide.h"
#include "kern/vpowlog.h"
#include "kern/vpowwhole.h"

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
/* e^(hi + lo) for -746 <= hi <= 710 and |lo| < 2^-30. */
INLINE vt v_pow_exp(vt hi, vt lo)
{
#if V_HAS_TABLE16
    vexp16 e = v_exp16(hi);
    e.r += lo;
    return v_scale16(v_exp16_near(e), e.n);
#else
    const vexp e = v_exp_parts((vdd){hi, lo});
    const vdd s = v_quick_two_sum(v_set(1), e.r);
    const vt half = v_nearest(e.n, 0.5);
    return (s.hi + (s.lo + e.tail)) * v_pow2(half) * v_pow2(e.n - half);
#endif
}

#else
/* x^y to 2^-31 for positive x. */
INLINE vacc v_acc_pow(vacc x, vacc y)
{
    const vacc q = y * v_acc_pow_log(x);
    const vacc p = v_acc_clamp(q, v_acc_set(-110), v_acc_set(90));
#if V_HAS_ACC_TABLE16
    return v_acc_exp16(p);
#else
    return v_acc_exp(p);
#endif
}
#endif

/* (x 2^-shift)^y for positive finite x, in float64 normal, and |y| < 2^100; shift is
 * for float64. */
INLINE vt v_pow_usual(vt x, vt shift, vt y)
{
#if IS(f64)
    const vdd log = v_log_exact(x, shift);
    const vt p = y * log.hi, q = v_clamp(p, v_set(-746), v_set(710));
    const vt low = v_fma(y, log.lo, v_prod_error(y, log.hi, p));
    return v_pow_exp(q, v_select(p == q, low, v_set(0)));
#else
    (void)shift;
    const vwide a = v_widen(x), b = v_widen(y);
    return v_narrow(v_acc_pow(a.lo, b.lo), v_acc_pow(a.hi, b.hi));
#endif
}

/* Which lanes v_pow_usual cannot serve, or v_whole_pow serves better. */
INLINE vm v_pow_is_rare(vt x, vt y)
{
    const vu least = (vu)v_set(LEAST_NORMAL), end = (vu)v_set(INFINITY);
    const vm bad_x = (vm)((vu)x - least >= end - least);
    return v_is_whole(y) | bad_x | ~(v_abs(y) < (T)0x1p100);
}

/* v_pow without its shortcut, and the same in every bit. */
static __attribute__((noinline, unused)) vt v_pow_rare(vt x, vt y)
{
    const vm whole = v_is_whole(y);
    vm done = whole;
    vt r = x;
    if (v_any(whole))
        r = v_whole_pow(x, y, whole, &done);
    if (!v_any(~done))
        return r;
    const vt a = v_abs(x);
    const vm tiny = IS(f64) ? a < LEAST_NORMAL : v_set_mask(0);
    const vt scaled = v_select(tiny, a * (T)0x1p54, a);
    const vt s = v_pow_usual(scaled, v_keep(tiny, v_set(54)), y);
    return v_select(done, r, v_pow_ends(s, x, y));
}

/* x^y for all x, y. Measured 0.90 ulp, with tables 0.80 (f32 0.58); 0.51 for integers
 * |y| <= 32 with x^|y| in [2^-960, 2^960] (f32 |y| <= 16). Overflow to +-inf, gradual
 * underflow; special values as C99 F.9.4.4: x^0 = 1^y = 1 even of NaN, (-1)^+-inf = 1,
 * negative x to an odd integer is negative, to no integer NaN. */
INLINE vt v_pow(vt x, vt y)
{
    const bool rare = v_any(v_pow_is_rare(x, y));
    return rare ? v_pow_rare(x, y) : v_pow_usual(x, v_set(0), y);
}

/* The same for three vectors; they interleave where all lanes are ordinary. */
INLINE void v_pow3(vt *r, const vt *x, const vt *y)
{
    const vm rare = v_pow_is_rare(x[0], y[0]) | v_pow_is_rare(x[1], y[1]);
    if (v_any(rare | v_pow_is_rare(x[2], y[2]))) {
#pragma GCC unroll 3
        for (int i = 0; i < 3; i++)
            r[i] = v_pow_rare(x[i], y[i]);
        return;
    }
#pragma GCC unroll 3
    for (int i = 0; i < 3; i++)
        r[i] = v_pow_usual(x[i], v_set(0), y[i]);
}

#endif
