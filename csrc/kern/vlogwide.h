/* vlogwide.h -- log x in float64 for the float32 functions that need more than float32.
 *
 * No division here: with x = 2^k (1 + f), log(1 + f) = f + f^2 p(f), p a minimax
 * polynomial (Remez exchange in mpmath, weight f). */
#ifndef GRADC_KERN_VLOGWIDE_H
#define GRADC_KERN_VLOGWIDE_H

#include "kern/vlogcore.h"
#include "kern/vwide.h"

#if IS(f32)
#define SQRT_HALF_BITS_64 0x3fe6a09e667f3bcd

typedef struct vlog_wide {
    vacc k, m;
} vlog_wide;

/* x = 2^k m for positive normal x. */
INLINE vlog_wide v_acc_log_split(vacc x)
{
    const uacc u = (uacc)x + (0x3ff0000000000000 - SQRT_HALF_BITS_64);
    const vacc k = (vacc)((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
    const uacc m = (u & 0xfffffffffffff) + SQRT_HALF_BITS_64;
    return (vlog_wide){k, (vacc)m};
}

/* (log(1 + f) - f) / f^2 for 1 + f in [sqrt(1/2), sqrt(2)); 2^-30 relative to log. */
static const double V_LOG_WIDE[] = {0.06916364040665882, -0.11789585916663547,
                                    0.11872365461509599, -0.12384345350202533,
                                    0.14218750061633512, -0.16669254749381407,
                                    0.20002221520513555, -0.24999986402685187,
                                    0.33333310530161736, -0.5000000000181769};

/* k ln2 + log(1 + f). */
INLINE vacc v_acc_log_sum(vacc k, vacc f)
{
    const vacc p = V_ACC_POLY(f, V_LOG_WIDE);
    return v_acc_fma(k, v_acc_set(LN2), v_acc_fma(f * f, p, f));
}

INLINE vacc v_acc_log(vacc x)
{
    const vlog_wide e = v_acc_log_split(x);
    return v_acc_log_sum(e.k, e.m - 1.0);
}

INLINE vacc v_acc_log1p(vacc x)
{
    const vlog_wide e = v_acc_log_split(x + 1.0);
    return v_acc_log_sum(e.k, v_acc_select(e.k == 0, x, e.m - 1.0));
}
#endif

#endif
