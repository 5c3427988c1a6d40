/* vdd.h -- pairs of vectors as one number of twice the precision.
 *
 * A vdd is an unevaluated sum hi + lo with |lo| at most about an ulp of hi. The error
 * of one sum or product of two elements is itself an element and is computed exactly
 * (Dekker 1971; Knuth, TAOCP 2, 4.2.2); pairs carry it along. The product uses fma
 * where the ISA has it and Veltkamp's splitting elsewhere: here by rounding the bits,
 * which cannot overflow. All need operands well inside the exponent range. */
#ifndef GRADC_KERN_VDD_H
#define GRADC_KERN_VDD_H

#include "kern/simd.h"

typedef struct vdd {
    vt hi, lo;
} vdd;

/* x + y exactly; any x, y. */
INLINE vdd v_two_sum(vt x, vt y)
{
    const vt s = x + y;
    const vt t = s - x;
    return (vdd){s, (x - (s - t)) + (y - t)};
}

/* x + y exactly where |x| >= |y| or x = 0. */
INLINE vdd v_quick_two_sum(vt x, vt y)
{
    const vt s = x + y;
    return (vdd){s, y - (s - x)};
}

/* x's upper half of the significand; x - v_upper(x) fits in the other. */
INLINE vt v_upper(vt x)
{
    const int cut = IS(f64) ? 27 : 12;
    const vm half = v_set_mask((M)1 << (cut - 1));
    return (vt)(((vm)x + half) & v_set_mask(-((M)1 << cut)));
}

/* x y - p, exactly where p is x y rounded; to about an ulp of itself where p is a
 * few ulps off. */
INLINE vt v_prod_error(vt x, vt y, vt p)
{
#if V_HAS_FMA
    return v_fma(x, y, -p);
#else
    const vt xh = v_upper(x), yh = v_upper(y);
    const vt xl = x - xh, yl = y - yh;
    return ((xh * yh - p) + (xh * yl + xl * yh)) + xl * yl;
#endif
}

/* x y exactly. */
INLINE vdd v_two_prod(vt x, vt y)
{
    const vt p = x * y;
    return (vdd){p, v_prod_error(x, y, p)};
}

/* Pair plus element and pair plus pair; relative error of some 2^-2p unless they
 * cancel. */
INLINE vdd v_dd_add1(vdd x, vt y)
{
    const vdd s = v_two_sum(x.hi, y);
    return v_quick_two_sum(s.hi, s.lo + x.lo);
}

INLINE vdd v_dd_add(vdd x, vdd y)
{
    const vdd s = v_two_sum(x.hi, y.hi);
    return v_quick_two_sum(s.hi, s.lo + (x.lo + y.lo));
}

/* Pair times pair. */
INLINE vdd v_dd_prod(vdd x, vdd y) /* lo is up to 3 ulps of hi */
{
    const vdd p = v_two_prod(x.hi, y.hi);
    return (vdd){p.hi, v_fma(x.hi, y.lo, v_fma(x.lo, y.hi, p.lo))};
}

INLINE vdd v_dd_mul(vdd x, vdd y)
{
    const vdd p = v_dd_prod(x, y);
    return v_quick_two_sum(p.hi, p.lo);
}

/* x / y with a single division; not normalised: lo is up to 2 ulps of hi. */
INLINE vdd v_dd_div(vdd x, vdd y)
{
    const vt r = (T)1 / y.hi;
    const vt q = x.hi * r;
    const vt rest = v_fma(-q, y.lo, x.lo) - v_prod_error(q, y.hi, x.hi);
    return (vdd){q, rest * r};
}

/* The same, rounded. */
INLINE vt v_dd_quotient(vdd x, vdd y)
{
    const vt r = (T)1 / y.hi;
    const vt q = x.hi * r;
    const vt rest = v_fma(-q, y.lo, x.lo) - v_prod_error(q, y.hi, x.hi);
    return v_fma(rest, r, q);
}

/* c[0] x^(n-1) + ... + c[n-1]; n is a constant, so the loop unrolls. */
INLINE vt v_horner(vt x, const T *c, int n)
{
    vt p = v_set(c[0]);
#pragma GCC unroll 32
    for (int i = 1; i < n; i++)
        p = v_fma(p, x, v_set(c[i]));
    return p;
}

/* The same by its even and odd coefficients: one operation more, half the latency. */
INLINE vt v_poly(vt x, const T *c, int n)
{
    const vt z = x * x;
    vt p = v_set(c[0]), q = v_set(c[1]);
#pragma GCC unroll 32
    for (int i = 2; i < n; i++) {
        const vt next = v_fma(p, z, v_set(c[i]));
        p = q;
        q = next;
    }
    return v_fma(p, x, q);
}
#define V_POLY(x, c) v_poly(x, c, sizeof c / sizeof *c)

#endif
