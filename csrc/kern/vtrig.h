/* vtrig.h -- sine, cosine and tangent.
 *
 * float64 reduces modulo pi/2 (vreduce.h), evaluates both polynomials and takes the
 * one its quadrant asks for. float32 reduces modulo pi in float64, where one odd
 * polynomial serves sin and cos alike. Coefficients by a Remez fit in mpmath of
 * (sin(r)/r - 1)/r^2 and (cos(r) - 1 + r^2/2)/r^4, for least relative error of sin
 * and cos. */
#ifndef GRADC_KERN_VTRIG_H
#define GRADC_KERN_VTRIG_H

#include "kern/vreduce.h"

#if IS(f64)
static const double SIN_TAIL[6] = {1.5896229024745028e-10, -2.5050747747759954e-08,
                                   2.7557313621318477e-06, -0.0001984126982958943,
                                   0.0083333333333221182,  -0.1666666666666663};
static const double COS_TAIL[6] = {-1.1359667201947749e-11, 2.0875723635304079e-09,
                                   -2.7557314354900794e-07, 2.4801587289490733e-05,
                                   -0.0013888888888874138,  0.041666666666666602};

/* Sine and cosine of hi + lo, each as a pair whose hi is not yet rounded off. */
typedef struct vsincos {
    vdd sin, cos;
} vsincos;

INLINE vsincos sincos_reduced(vangle a)
{
    const vt s = a.hi * a.hi, half = (T)0.5 * s;
    const vt w = (T)1 - half;
    const vt ps = v_horner(s, SIN_TAIL, 6), pc = v_horner(s, COS_TAIL, 6);
    const vt sl = v_fma(a.hi * s, ps, a.lo * w);
    const vt cl = ((1 - w) - half) + v_fma(s * s, pc, -a.hi * a.lo);
    return (vsincos){{a.hi, sl}, {w, cl}};
}

/* sin, or cos for turn = 1, before the sign of x: quadrants 2 and 3 are negative. */
INLINE vt sin_turned(vt x, M turn)
{
    vangle a = reduce(v_abs(x));
    a.n += turn;
    const vsincos p = sincos_reduced(a);
    const vm odd = -(a.n & 1), sign = (a.n & 2) << 62;
    const vt r = v_select(odd, p.cos.hi, p.sin.hi) + v_select(odd, p.cos.lo, p.sin.lo);
    return (vt)((vm)r ^ sign);
}
#else
/* (sin(r)/r - 1)/r^2 on [-pi/2, pi/2], to 2^-27. */
static const double SIN_TAIL[4] = {2.6057772775622399e-06, -0.00019809601614201642,
                                   0.0083330662336841988, -0.16666659550332807};

INLINE vacc sin_half_turn(vturn a)
{
    const vacc s = a.r * a.r;
    const vacc r = v_acc_fma(a.r * s, v_acc_horner(s, SIN_TAIL, 4), a.r);
    return (vacc)((macc)r ^ (a.n << 63));
}

/* sin of x >= 0, or cos of x for turn = 1. */
INLINE vt sin_turned(vt x, int turn)
{
    const vwide w = v_widen(x);
    vturn lo = half_turns(w.lo, turn), hi = half_turns(w.hi, turn);
    if (v_any_above(v_abs(x), ANGLE_MAX)) {
        const vt y = x;
        vturn a[2] = {lo, hi};
        half_turns_rare(&y, a, turn);
        lo = a[0];
        hi = a[1];
    }
    return v_narrow(sin_half_turn(lo), sin_half_turn(hi));
}
#endif

/* v_sin -- the polynomial of the reduced argument (vreduce.h), all finite x. Measured
 * 0.79 ulp (float32: 0.61), worst near odd multiples of pi/4. ±0 stays, ±inf and NaN
 * give NaN. */
INLINE vt v_sin(vt x)
{
    const vt r = sin_turned(IS(f64) ? x : v_abs(x), 0);
    return (vt)((vm)r ^ ((vm)x & (vm)v_set((T)-0.0)));
}

/* v_cos -- as v_sin. Measured 0.78 ulp (float32: 0.61). 1 at ±0; NaN for ±inf and
 * NaN. */
INLINE vt v_cos(vt x) { return sin_turned(x, 1); }

/* v_tan -- the quotient of sine and cosine, which float64 keeps as pairs; one division.
 * All finite x. Measured 0.94 ulp (float32: 0.63). ±0 stays, ±inf and NaN give NaN. */
#if IS(f64)
INLINE vt v_tan(vt x)
{
    const vangle a = reduce(v_abs(x));
    vsincos p = sincos_reduced(a);
    const vt s = a.hi * a.hi;
    p.cos.lo -= (T)0.5 * v_prod_error(a.hi, a.hi, s);
    p.sin = v_quick_two_sum(p.sin.hi, p.sin.lo);
    p.cos = v_quick_two_sum(p.cos.hi, p.cos.lo);
    const vm odd = -(a.n & 1);
    const vdd num = {v_select(odd, p.cos.hi, p.sin.hi),
                     v_select(odd, p.cos.lo, p.sin.lo)};
    const vdd den = {v_select(odd, p.sin.hi, p.cos.hi),
                     v_select(odd, p.sin.lo, p.cos.lo)};
    const vdd q = v_dd_div(num, den);
    const vm sign = ((vm)x ^ odd) & (vm)v_set(-0.0);
    return (vt)((vm)(q.hi + q.lo) ^ sign);
}
#else
INLINE vacc tan_half_turn(vturn s, vturn c)
{
    return sin_half_turn(s) / sin_half_turn(c);
}

INLINE vt v_tan(vt x)
{
    const vwide w = v_widen(x);
    vturn s[2] = {half_turns(w.lo, 0), half_turns(w.hi, 0)};
    vturn c[2] = {half_turns(w.lo, 1), half_turns(w.hi, 1)};
    if (v_any_above(v_abs(x), ANGLE_MAX)) {
        const vt y = x;
        half_turns_rare(&y, s, 0);
        half_turns_rare(&y, c, 1);
    }
    const vt r = v_narrow(tan_half_turn(s[0], c[0]), tan_half_turn(s[1], c[1]));
    return v_select(x == 0, x, r);
}
#endif

#endif
