/* vpowlog.h -- the logarithm in x^y = e^(y log x).
 *
 * The exponential turns the error of its argument, up to 745, into a relative one, so
 * float64 needs the logarithm as a pair: 2 atanh(s) with the division and the first
 * terms in pairs; or, where tables of 16 are at hand, vlog16.h's method with r, the
 * first terms and the sum as pairs. float32 needs only float64. */
#ifndef GRADC_KERN_VPOWLOG_H
#define GRADC_KERN_VPOWLOG_H

#include "kern/vlog16.h"
#include "kern/vlogwide.h"

#if V_HAS_TABLE16
/* What LOG_C_LESS lacks of -log c. */
static const T LOG_C_REST[16] = {2.8162509845859344e-19,  7.830654132539164e-20,
                                 3.5671543659533367e-19,  -5.737074564336044e-20,
                                 1.3005808979608352e-20,  -1.6157883292640109e-19,
                                 2.186337405181886e-21,   6.069776095484472e-19,
                                 -1.5467392655997606e-20, 0,
                                 -2.3689724226593783e-19, 1.378271371440138e-20,
                                 9.792827972795356e-20,   3.195805644772067e-20,
                                 3.4547177530945803e-19,  -1.3547240903450548e-19};

/* log(1 + r) = r - r^2 / 2 - r^3 / 2 (r p(r) - 2/3); Remez in mpmath, 2^-68. */
static const T V_LOG_TAIL[] = {-0.17901734245226847, 0.20036360369825548,
                               -0.22222782842301392, 0.24999971735815185,
                               -0.28571428210374444, 0.33333333342432186,
                               -0.40000000000086944, 0.4999999999999901};

/* log(x 2^-shift) for positive normal x, to about 2^-66; lo is up to 2^-42 of hi. */
INLINE vdd v_log_exact(vt x, vt shift)
{
    vlog16 e = v_log16_split(x);
    e.k -= shift;
    const vdd p = v_two_prod(e.m, e.c);
    const vt r = v_fma(e.m, e.c, v_set(-1)), r_lo = ((p.hi - (T)1) - r) + p.lo;
    const vdd square = v_two_prod((T)-0.5 * r, r), cube = v_two_prod(square.hi, r);
    const vt tail = V_POLY(r, V_LOG_TAIL), lead = v_set((T)(-2 / 3.0));
    const vt q = v_fma(r, tail, lead), q_lo = v_fma(r, tail, lead - q);
    const vdd rest = v_two_prod(cube.hi, q);
    const vdd s = v_quick_two_sum(v_fma(e.k, v_set(LN2_HI), e.less), r);
    const vdd t = v_quick_two_sum(s.hi, square.hi), u = v_quick_two_sum(t.hi, rest.hi);
    const vt table = v_fma(e.k, v_set(LN2_LO), v_table16(LOG_C_REST, e.i));
    const vt of_r = v_fma(r_lo, v_fma(r, r, -r), r_lo); /* r_lo / (1 + r) */
    const vt low = (s.lo + t.lo) + (square.lo + (table + of_r));
    const vt more = v_fma(cube.lo, lead, v_fma(cube.hi, q_lo, low + rest.lo));
    return (vdd){u.hi, u.lo + more};
}

#elif IS(f64)
/* 2 atanh(s) = 2 s + LOG_3RD s^3 + LOG_5TH s^5 + s^7 p(s^2) for s^2 <= 0.0295, to
 * 2^-66; 2/3 is a pair. */
static const T V_LOG_TAIL[] = {0.13197990071817023, 0.1325666199005148,
                               0.1538676286031634,  0.18181784277050234,
                               0.22222222520531726, 0.28571428570099194};
#define LOG_5TH 0.4000000000000225
#define LOG_3RD 0x1.5555555555555p-1
#define LOG_3RD_REST 0x1.5555555555555p-55

/* log(x 2^-shift) for positive normal x, to about 2^-65. */
INLINE vdd v_log_exact(vt x, vt shift)
{
    vlog_split e = v_log_split(x);
    e.k -= shift;
    const vdd y = v_two_sum(e.m, v_set(1));
    const vdd q = v_dd_div((vdd){e.m - (T)1, v_set(0)}, y);
    const vdd s = v_quick_two_sum(q.hi, q.lo), z = v_dd_prod(s, s);
    const vdd b = v_quick_two_sum(v_set(LOG_5TH), z.hi * V_POLY(z.hi, V_LOG_TAIL));
    const vdd p = v_two_prod(z.hi, b.hi), c = v_quick_two_sum(v_set(LOG_3RD), p.hi);
    const vt c_lo = c.lo + v_fma(z.hi, b.lo, p.lo + LOG_3RD_REST);
    const vdd t = v_dd_prod(v_dd_prod(z, (vdd){c.hi, c_lo}), s);
    const vdd u = v_quick_two_sum(s.hi + s.hi, t.hi);
    const vdd r = v_quick_two_sum(e.k * LN2_HI, u.hi);
    const vt low = v_fma(e.k, v_set(LN2_LO), u.lo + v_fma(s.lo, v_set(2), t.lo));
    return v_quick_two_sum(r.hi, r.lo + low);
}

#elif V_HAS_ACC_TABLE16
/* (log(1 + r) - r) / r^2; 2^-37 of log(1 + r). */
static const double V_LOG_SHORT[] = {-0.16536419448706047, 0.2001733604017685,
                                     -0.25000115116517757, 0.3333332859234023,
                                     -0.49999999983753457};

/* log x to 2^-37 for positive normal x. */
INLINE vacc v_acc_pow_log(vacc x)
{
    const vlog16 e = v_log16_split(x);
    const vacc r = v_acc_fma(e.m, e.c, v_acc_set(-1));
    const vacc sum = v_acc_fma(e.k, v_acc_set(LN2), e.less) + r;
    return v_acc_fma(r * r, V_ACC_POLY(r, V_LOG_SHORT), sum);
}

#else
/* log x to 2^-35 for positive normal x. */
INLINE vacc v_acc_pow_log(vacc x)
{
    static const double c[] = {2 / 11.0, 2 / 9.0, 2 / 7.0, 2 / 5.0, 2 / 3.0, 2};
    const vlog_wide e = v_acc_log_split(x);
    const vacc s = (e.m - 1.0) / (e.m + 1.0);
    return v_acc_fma(e.k, v_acc_set(LN2), s * V_ACC_POLY(s * s, c));
}
#endif

#endif
