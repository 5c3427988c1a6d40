/* vexpwide.h -- e^x in float64 for the float32 functions that need more than float32.
 *
 * The method of vexpcore.h with a polynomial as short as the purpose allows. */
#ifndef GRADC_KERN_VEXPWIDE_H
#define GRADC_KERN_VEXPWIDE_H

#include "kern/vexpcore.h"
#include "kern/vwide.h"

#if IS(f32)
#define ROUND_64 0x1.8p52 /* x + ROUND_64 has the nearest integer in its low bits */

/* (e^r - 1 - r) / r^2 for |r| <= 0.3466; 2^-32 relative to e^r - 1. */
static const double V_EXP_WIDE[] = {0.0001991413659110222, 0.0013940967089296104,
                                    0.008333273116811339,  0.0416663553316242,
                                    0.16666666816754505,   0.5000000046176191};

/* e^x to 2^-32 for |x| < 700. */
INLINE vacc v_acc_exp(vacc x)
{
    const vacc magic = v_acc_fma(x, v_acc_set(LOG2_E), v_acc_set(ROUND_64));
    const vacc r = v_acc_fma(magic - ROUND_64, v_acc_set(-LN2), x);
    const vacc p = v_acc_fma(r * r, V_ACC_POLY(r, V_EXP_WIDE), r);
    return (vacc)((macc)(1.0 + p) + ((macc)magic << 52));
}

/* e^x - one for one = 0 or 1, to 2^-52 for |x| < 700. */
INLINE vacc v_acc_exp_less(vacc x, double one)
{
    const vacc magic = v_acc_fma(x, v_acc_set(LOG2_E), v_acc_set(ROUND_64));
    const vacc n = magic - ROUND_64, b = (vacc)((macc)(magic + 1023.0) << 52);
    const vacc r0 = v_acc_fma(n, v_acc_set(-LN2_HI_64), x);
    const vacc r = v_acc_fma(n, v_acc_set(-LN2_LO_64), r0), z = r * r;
    const vacc p = v_acc_fma(r, V_ACC_POLY(r, V_EXP_64), v_acc_set(0.5));
    return v_acc_fma(v_acc_fma(z, p, r), b, b - one);
}
#endif

#endif
