/* vround.h -- rounding to integers, remainders and the quotients that belong to them.
 *
 * The remainder x - q y of the truncated quotient q is itself an element, so with q
 * below 2^50 (2^22 in float32) it comes out exactly from one fused product. A rounded
 * quotient can only reach the integer above its true floor, which shows as a negative
 * remainder. Other lanes (huge quotients, the ends of the exponent range, zero or
 * infinite operands) are rare and ask libm's fmod. The conventions of mod and floordiv
 * are NumPy's (npy_divmod): the remainder has the sign of the divisor. */
#ifndef GRADC_KERN_VROUND_H
#define GRADC_KERN_VROUND_H

#include "kern/vdd.h"
#include "kern/vlane.h"

/* x to an integral value: to the nearest, down, up, towards zero. Exact, keeps ±0,
 * ±inf and NaN. Portable: adding and subtracting 2^52 (2^23) rounds to the nearest;
 * larger x are integral already. */
#if defined(__AVX512F__)
#define V_ROUND(x, mode) V_OP(roundscale)(x, mode)
#elif defined(__AVX2__)
#define V_ROUND(x, mode) V_OP(round)(x, mode)
#endif
#ifdef V_ROUND
INLINE vt v_round(vt x) { return V_ROUND(x, 8); }
INLINE vt v_floor(vt x) { return V_ROUND(x, 9); }
INLINE vt v_ceil(vt x) { return V_ROUND(x, 10); }
INLINE vt v_trunc(vt x) { return V_ROUND(x, 11); }
#undef V_ROUND
#else
INLINE vt v_round(vt x)
{
    const vt big = v_set(IS(f64) ? (T)0x1p52 : (T)0x1p23), size = v_abs(x);
    return v_select(size < big, v_copysign((size + big) - big, x), x);
}

INLINE vt v_floor(vt x)
{
    const vt n = v_round(x);
    return v_copysign(n - v_select(n > x, v_set(1), v_set(0)), x);
}

INLINE vt v_ceil(vt x)
{
    const vt n = v_round(x);
    return v_copysign(n + v_select(n < x, v_set(1), v_set(0)), x);
}

INLINE vt v_trunc(vt x) { return v_copysign(v_floor(v_abs(x)), x); }
#endif

typedef struct vquot {
    vt q, r; /* |x| = q |y| + r with integral q and 0 <= r < |y| */
    vm rare; /* lanes where q and r are not valid */
} vquot;

INLINE vquot divide(vt x, vt y)
{
    const vt a = v_abs(x), b = v_abs(y);
    const T big = IS(f64) ? (T)0x1p50 : (T)0x1p22;
    const T least = IS(f64) ? (T)0x1p-900 : (T)0x1p-60;
    const T most = IS(f64) ? (T)0x1p900 : (T)0x1p60;
    const vt ratio = a / b;
    const vm good = (ratio < big) & (b >= least) & (a <= most) & (b <= most);
    vt q = v_trunc(ratio);
    const vdd p = v_two_prod(q, b);
    vt r = (a - p.hi) - p.lo;
    const vm over = r < 0;
    r += (vt)((vm)b & over);
    q -= (vt)((vm)v_set(1) & over);
    return (vquot){q, r, ~good};
}

static __attribute__((noinline, unused)) void fmod_rare(T *r, const T *x, const T *y,
                                                        const M *rare)
{
    for (int i = 0; i < (int)W; i++)
        if (rare[i])
            r[i] = IS(f64) ? (T)fmod((double)x[i], (double)y[i])
                           : (T)fmodf((float)x[i], (float)y[i]);
}

/* The exact C fmod and, in q, its truncated quotient where it is below 2^50 (2^22)
 * and rare lanes are not; elsewhere q is unspecified. */
INLINE vquot fmod_quot(vt x, vt y)
{
    vquot d = divide(x, y);
    d.r = v_copysign(d.r, x);
    if (v_any(d.rare)) {
        T r[W], xs[W], ys[W];
        M rare[W];
        memcpy(r, &d.r, sizeof r);
        memcpy(xs, &x, sizeof xs);
        memcpy(ys, &y, sizeof ys);
        memcpy(rare, &d.rare, sizeof rare);
        fmod_rare(r, xs, ys, rare);
        memcpy(&d.r, r, sizeof r);
    }
    return d;
}

/* v_fmod -- x - trunc(x / y) y, exactly, with the sign of x; as C's fmod for all
 * arguments: NaN if x is infinite or y is 0, x if y is infinite. */
INLINE vt v_fmod(vt x, vt y) { return fmod_quot(x, y).r; }

/* v_mod -- NumPy's mod: fmod, then y added where signs differ (rounded as NumPy
 * rounds it); a zero has the sign of y. mod(x, ±inf) is x or, for opposite signs, y;
 * mod(±inf, y) and mod(x, 0) are NaN. */
INLINE vt v_mod(vt x, vt y)
{
    const vt r = v_fmod(x, y);
    const vm differ = (((vm)x ^ (vm)y) < 0) & (r != 0);
    const vt s = r + (vt)((vm)y & differ);
    return v_select(r == 0, v_copysign(r, y), s);
}

/* v_floordiv -- NumPy's floor_divide: (x - mod) / y rounded to an integer, a zero with
 * the sign of x / y; x / y where y is 0. Below 2^50 (2^22) that is the exact floor. */
INLINE vt v_floordiv(vt x, vt y)
{
    const vquot d = fmod_quot(x, y);
    const vm sign = (vm)x ^ (vm)y, differ = (sign < 0) & (d.r != 0);
    const vt less = (vt)((vm)v_set(1) & differ);
    vt n = v_copysign(d.q, (vt)sign) - less;
    if (v_any(d.rare)) {
        const vt full = (x - d.r) / y - less, low = v_floor(full);
        vt far = low + (vt)((vm)v_set(1) & (full - low > (T)0.5));
        far = v_select(far == 0, v_copysign(far, (vt)sign), far);
        n = v_select(d.rare, v_select(y == 0, x / y, far), n);
    }
    return n;
}

#endif
