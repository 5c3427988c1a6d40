/* vint.h -- integer division as NumPy defines it, lane by lane: no ISA has it.
 *
 * Division by zero gives 0, and the one quotient that overflows wraps around. */
#ifndef GRADC_KERN_VINT_H
#define GRADC_KERN_VINT_H

#include "kern/simd.h"

/* x - y trunc(x/y): the sign of x. */
INLINE vt v_fmod(vt x, vt y)
{
    vt r;
    for (size_t i = 0; i < W; i++)
        r[i] = y[i] == 0 || y[i] == -1 ? 0 : x[i] % y[i];
    return r;
}

/* x - y floor(x/y): the sign of y. */
INLINE vt v_mod(vt x, vt y)
{
    const vt r = v_fmod(x, y);
    return v_select((r != 0) & ((r ^ y) < 0), r + y, r);
}

/* floor(x/y). */
INLINE vt v_floordiv(vt x, vt y)
{
    vt r;
    for (size_t i = 0; i < W; i++) {
        if (y[i] == 0 || y[i] == -1)
            r[i] = y[i] == 0 ? 0 : (T)(0 - (uint64_t)x[i]);
        else
            r[i] = x[i] / y[i] - (x[i] % y[i] != 0 && (x[i] ^ y[i]) < 0);
    }
    return r;
}

#endif
