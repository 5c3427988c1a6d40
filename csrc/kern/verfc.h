/* verfc.h -- the complementary error function.
 *
 * erfc x = e^(-x^2) f(x) for x >= 0, with f growing smooth and falling slowly, and
 * erfc(-x) = 2 - erfc x. f is a polynomial in u = x - c on each of 8 pieces, whose
 * coefficients are permuted into the lanes (v_acc_table8). float64 carries x^2, the
 * exponential and f as pairs, float32 works in float64. */
#ifndef GRADC_KERN_VERFC_H
#define GRADC_KERN_VERFC_H

#include "kern/verfc_table.h"
#include "kern/vexp.h"
#include "kern/vlane.h"

/* The piece x >= 0 lies in, and u. */
typedef struct verfcx {
    macc piece;
    vacc u;
} verfcx;

INLINE verfcx erfcx_piece(vacc x)
{
    const vacc y = v_acc_fma(x, v_acc_set(1 / ERFCX_SCALE), v_acc_set(1));
    const macc i = ((macc)y >> 51) - (0x3ff << 1);
    return (verfcx){i, x - v_acc_table8(ERFCX[0], i)};
}

INLINE vacc erfcx_horner(verfcx p, int terms)
{
    vacc q = v_acc_table8(ERFCX[2], p.piece);
#pragma GCC unroll 18
    for (int k = 1; k < terms; k++)
        q = v_acc_fma(q, p.u, v_acc_table8(ERFCX[2 + k], p.piece));
    return q;
}

#if IS(f64)
/* f(x) as a pair; the last two steps of the polynomial carry their errors. */
INLINE vdd erfcx(vt x)
{
    const verfcx p = erfcx_piece(x);
    const vt q = erfcx_horner(p, ERFCX_TERMS - 1) * p.u;
    const vdd slope = v_quick_two_sum(v_table8(ERFCX[1 + ERFCX_TERMS], p.piece), q);
    const vdd rest = v_two_prod(p.u, slope.hi);
    vdd f = v_quick_two_sum(v_table8(ERFCX[1], p.piece), rest.hi);
    f.lo += v_fma(p.u, slope.lo, rest.lo);
    return f;
}

/* v_erfc -- as above; f64: measured 0.96 ulp, worst near 0, where the result lies just
 * below 1; also with subnormal results (up to x = 27.23, then 0). float32: 0.56 ulp.
 * erfc(inf) = 0, erfc(-inf) = 2, NaN stays. */
INLINE vt v_erfc(vt x)
{
    const vt a = v_clamp(v_abs(x), v_set(0), v_set(27.5));
    const vdd square = v_two_prod(a, a), f = erfcx(a);
    const vexp e = v_exp_parts((vdd){-square.hi, -square.lo});
    const vdd power = v_quick_two_sum(v_set(1), e.r);
    const vdd r = v_two_prod(power.hi, f.hi);
    const vt low = v_fma(power.hi, f.lo, (power.lo + e.tail) * f.hi) + r.lo;
    const vdd sum = v_quick_two_sum(r.hi, low);
    const vt tail = v_scale(sum.hi, e.n);
    const vt left = (vt)((vm)sum.lo & (e.n == 0)); /* matters while tail is near 1 */
    const vdd far = v_quick_two_sum(v_set(2), -tail);
    return v_select(x < 0, far.hi + (far.lo - left), tail);
}
#else
INLINE vacc erfc_wide(vacc x)
{
    const vacc a = (vacc)((macc)x & ~(macc)v_acc_set(-0.0));
    const verfcx p = erfcx_piece(a);
    const vacc base = v_acc_table8(ERFCX[1], p.piece);
    const vacc f = v_acc_fma(erfcx_horner(p, ERFCX_TERMS), p.u, base);
    const vacc tail = v_acc_exp(-a * a) * f;
    return v_acc_select(x < 0, 2 - tail, tail);
}

/* v_erfc -- see above. */
INLINE vt v_erfc(vt x)
{
    const vwide w = v_widen(v_clamp(x, v_set(-10.3f), v_set(10.3f)));
    return v_narrow(erfc_wide(w.lo), erfc_wide(w.hi));
}
#endif

#endif
