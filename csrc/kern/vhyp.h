/* vhyp.h -- sinh, cosh and tanh.
 *
 * The float64 forms keep the reduced argument r of vexpcore.h apart until the last
 * sum, so that what cancels is exact; the quotient in tanh is one of pairs. The
 * same code serves both element types, but for tanh where the ISA looks up tables. */
#ifndef GRADC_KERN_VHYP_H
#define GRADC_KERN_VHYP_H

#include "kern/vexp16.h"
#if V_HAS_TABLE32
#include "kern/vtanh_table.h"
#endif

/* (cosh r - 1) / r^2 and (sinh r - r) / r^3 in r^2 <= 0.1202: Taylor. */
#if IS(f64)
static const T V_COSH[] = {1 / 87178291200.0,
                           1 / 479001600.0,
                           1 / 3628800.0,
                           1 / 40320.0,
                           1 / 720.0,
                           1 / 24.0,
                           0.5};
static const T V_SINH[] = {1 / 6227020800.0, 1 / 39916800.0, 1 / 362880.0,
                           1 / 5040.0,       1 / 120.0,      1 / 6.0};
#else
static const T V_COSH[] = {1 / 40320.0f, 1 / 720.0f, 1 / 24.0f, 0.5f};
static const T V_SINH[] = {1 / 5040.0f, 1 / 120.0f, 1 / 6.0f};
#endif

/* (e^|x| + sign e^-|x|) / 2 with sign 1 or -1: with b = sign 4^-n it is 2^(n-1) times
 * (1 + b) cosh r + (1 - b) sinh r. */
INLINE vt v_cosh_sinh(vt x, T sign)
{
    const vt y = v_clamp(v_abs(x), v_set(0), v_set(IS(f64) ? 711 : 90));
    const vt n = v_nearest(y, (T)LOG2_E);
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

/* cosh x for all x. Measured 0.74 ulp (f32 0.71); +-inf -> inf, NaN -> NaN; inf above
 * 710.47 (f32 89.41). */
INLINE vt v_cosh(vt x) { return v_cosh_sinh(x, 1); }

/* sinh x for all x. Measured 0.82 ulp (f32 0.77); +-inf -> +-inf, NaN -> NaN, -0 and
 * subnormals -> x; +-inf beyond 710.47 (f32 89.41). */
INLINE vt v_sinh(vt x) { return v_copysign(v_cosh_sinh(x, -1), x); }

/* tanh x = (e^2x - 1) / (e^2x + 1) for all x, both divided by 2^n: the pairs (1 -+
 * 2^-n) + r + tail. Where 1 + 2^-n rounds, less = more - 2^(1-n) keeps their ratio.
 * float32 with tables is a polynomial of the interval. Measured 0.72 ulp, with tables
 * 0.57 (f32 0.72 and 0.60); +-inf -> +-1, NaN -> NaN, -0 and subnormals -> x. */
INLINE vt v_tanh(vt x)
{
#if V_HAS_TABLE32
    const vt y = v_at_most(v_abs(x), v_set(9.02f));
    const vm i = (vm)v_at_least(y, v_set(TANH_32_LEAST)) >> 21;
    const vt d = y - v_table32(TANH_32[0], i);
    vt p = v_table32(TANH_32[7], i);
#pragma GCC unroll 8
    for (int k = 6; k > 1; k--)
        p = v_fma(p, d, v_table32(TANH_32[k], i));
    const vt least = v_select(y < TANH_32_FIRST, y, v_table32(TANH_32[1], i));
    return v_copysign(v_fma(p, d, least), x);
#elif V_HAS_TABLE16
    const vt y = v_at_least(-v_abs(x), v_set(-20));
    const vexp16_ends e = v_exp16_ends(v_exp16(y + y));
    return v_copysign(v_guided_quotient(e.minus, e.plus, e.guess), x);
#else
    const vt y = v_clamp(v_abs(x), v_set(0), v_set(IS(f64) ? 20 : 10));
    const vexp e = v_exp_parts((vdd){y + y, v_set(0)});
    const vdd t = v_quick_two_sum(e.r, e.tail);
    const vt b = v_pow2(-e.n), more = (T)1 + b, less = v_fma(b, v_set(-2), more);
    const vdd p = v_quick_two_sum(less, t.hi), q = v_quick_two_sum(more, t.hi);
    const vt r = v_dd_quotient((vdd){p.hi, p.lo + t.lo}, (vdd){q.hi, q.lo + t.lo});
    return v_copysign(r, x);
#endif
}

#endif
