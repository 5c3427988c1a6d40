/* vlog16.h -- log x in float64 by a table of 16 reciprocals, where the ISA looks up in
 * one step.
 *
 * x = 2^k m with m in one of 16 intervals of [0.703, 1.407), each with a number c near
 * the reciprocal of its middle: log x = k ln2 - log c + log(1 + r), r = m c - 1, |r| <
 * 0.034 (Tang 1990). c is so chosen that -log c is a multiple of 2^-43 to 2^-60 (the
 * accurate tables of Gal 1986), which makes k ln2 - log c exact to there. The interval
 * around 1, with |log x| < 2^-5 above and 2^-6 below, has c = 1: nothing cancels. In
 * its neighbours c is such that the rounding error of r stays below 1/4 ulp of log x.
 */
#ifndef GRADC_KERN_VLOG16_H
#define GRADC_KERN_VLOG16_H

#include "kern/vlogcore.h"

#if V_HAS_ACC_TABLE16
#define LOG_16_START 0x3fe6820c00000000 /* of the first interval */
static const double LOG_C[16] = {
    0x1.62ccfc8p+0, 0x1.555dbf8p+0, 0x1.477c118p+0, 0x1.3b565e8p+0,
    0x1.30130dp+0,  0x1.2560358p+0, 0x1.1af7778p+0, 0x1.11dccp+0,
    0x1.05a9e8ep+0, 0x1p+0,         0x1.e240dp-1,   0x1.c82f37p-1,
    0x1.af62ce8p-1, 0x1.999f368p-1, 0x1.87cd888p-1, 0x1.72ba5d8p-1};
static const double LOG_C_LESS[16] = {
    -0x1.4e36425a2p-2,  -0x1.26af5f43a68p-2,
    -0x1.f8591c4e72p-3, -0x1.aaf00c3374p-3,
    -0x1.60735a995fp-3, -0x1.1718644894p-3,
    -0x1.9a38a129fp-4,  -0x1.14445a1684p-4,
    -0x1.6686a0da98p-6, 0,
    0x1.ea55dae1d4p-5,  0x1.d8ca713904p-4,
    0x1.5eddc4efd4p-3,  0x1.c8e36c2ae3p-3,
    0x1.11fcc5858cp-2,  0x1.4a9ac457818p-2}; /* -log c */

typedef struct vlog16 {
    vacc k, m, c, less;
    macc i; /* the interval is in the low 4 bits */
} vlog16;

/* For positive normal x. */
INLINE vlog16 v_log16_split(vacc x)
{
    const uacc u = (uacc)x + (0x3ff0000000000000 - LOG_16_START);
    const vacc k = (vacc)((u >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
    const vacc m = (vacc)((u & 0xfffffffffffff) + LOG_16_START);
    const macc i = (macc)(u >> 48);
    return (vlog16){k, m, v_acc_table16(LOG_C, i), v_acc_table16(LOG_C_LESS, i), i};
}

#if IS(f64)
/* (log(1 + r) - r) / r^2; Remez in mpmath, 2^-62 of log(1 + r). */
static const T LOG_16[] = {
    -0.10024191463408684, 0.11133468395123364,  -0.12499974849173949,
    0.14285695362595857,  -0.16666666677614464, 0.20000000006302118,
    -0.24999999999998354, 0.3333333333333268,   -0.5};

/* The polynomial in pairs, pairs of pairs and so on (Estrin 1960): least latency. */
INLINE vt v_log16_poly(vt r)
{
    const T *c = LOG_16;
    const vt z = r * r, y = z * z;
    const vt p = v_fma(z, v_fma(r, v_set(c[5]), v_set(c[6])),
                       v_fma(r, v_set(c[7]), v_set(c[8])));
    const vt q = v_fma(z, v_fma(r, v_set(c[1]), v_set(c[2])),
                       v_fma(r, v_set(c[3]), v_set(c[4])));
    return v_fma(y, v_fma(y, v_set(c[0]), q), p);
}

/* k ln2 - log c + log(1 + r) + more, as a pair to be rounded. */
INLINE vdd v_log16_sum(vlog16 e, vt r, vt more)
{
    const vdd w = v_quick_two_sum(v_fma(e.k, v_set(LN2_HI), e.less), r);
    const vt low = w.lo + v_fma(e.k, v_set(LN2_LO), more);
    return (vdd){w.hi, v_fma(r * r, v_log16_poly(r), low)};
}
#endif
#endif

#endif
