/* vpowwhole.h -- x^n for small integers n by repeated squaring.
 *
 * The bits of |n| choose the squares that are multiplied, in each lane for itself, and
 * the loop ends when no lane has bits left. float64 keeps squares and products as
 * pairs, float32 as float64; negative n take the reciprocal. */
#ifndef GRADC_KERN_VPOWWHOLE_H
#define GRADC_KERN_VPOWWHOLE_H

#include "kern/vexpcore.h"
#include "kern/vwide.h"

#define WHOLE_MOST (IS(f64) ? 32 : 16)

/* Whether y is an integer whose power is taken here. */
INLINE vm v_is_whole(vt y)
{
    return ((y + (T)ROUND) - (T)ROUND == y) & (v_abs(y) <= WHOLE_MOST);
}

/* |y| as an integer, for such y. */
INLINE macc v_whole_bits(vacc y)
{
    const macc low = (macc)((vacc)((macc)y & INT64_MAX) + 0x1p52);
    return low & (2 * WHOLE_MOST - 1);
}

/* Whether some n > 0 is left; -n, since movemask reads signs. */
INLINE bool v_bits_left(macc n) { return v_any((vm)-n); }

#if IS(f64)
/* Within these the error terms of a power are normal, and so are those of its factors,
 * which lie between 1 and it. */
#define WHOLE_LOW 0x1p-960
#define WHOLE_HIGH 0x1p960

/* x^n, 0 <= n <= WHOLE_MOST; of no use where it leaves those bounds. */
INLINE vdd v_whole_product(vt x, vm n)
{
    const vt one = v_set(1);
    vdd r = {v_select(-(n & 1), x, one), v_set(0)}, square = {x, v_set(0)};
    for (n >>= 1; v_bits_left(n); n >>= 1) {
        const vm bit = -(n & 1);
        square = v_dd_prod(square, square);
        r = v_dd_prod(r, (vdd){v_select(bit, square.hi, one), v_keep(bit, square.lo)});
    }
    return r;
}

/* x^y where y is whole and x^|y| within the bounds, which *fine tells: not where x is
 * 0, inf or NaN, unless y = 0. Measured 0.501 ulp. */
INLINE vt v_whole_pow(vt x, vt y, vm whole, vm *fine)
{
    const vdd p = v_whole_product(x, v_whole_bits(v_keep(whole, y)));
    const vt size = v_abs(p.hi);
    *fine = whole & (size >= WHOLE_LOW) & (size <= WHOLE_HIGH);
    const vt r = p.hi + p.lo;
    if (!v_any(y < 0))
        return r;
    return v_select(y < 0, v_dd_quotient((vdd){v_set(1), v_set(0)}, p), r);
}

#else
/* x^|y| for y as v_is_whole has it. */
INLINE vwide v_whole_product(vwide x, vwide y)
{
    const vacc one = v_acc_set(1);
    macc m = v_whole_bits(y.lo), n = v_whole_bits(y.hi);
    vwide r = {v_acc_select(-(m & 1), x.lo, one), v_acc_select(-(n & 1), x.hi, one)};
    for (m >>= 1, n >>= 1; v_bits_left(m | n); m >>= 1, n >>= 1) {
        x.lo *= x.lo;
        x.hi *= x.hi;
        r.lo *= v_acc_select(-(m & 1), x.lo, one);
        r.hi *= v_acc_select(-(n & 1), x.hi, one);
    }
    return r;
}

/* x^y where y is whole: the range of float64 serves all x, and 0, inf and NaN come out
 * as C99 asks. Measured 0.501 ulp. */
INLINE vt v_whole_pow(vt x, vt y, vm whole, vm *fine)
{
    const vwide b = v_widen(v_keep(whole, y));
    const vwide p = v_whole_product(v_widen(x), b);
    *fine = whole;
    if (!v_any(y < 0))
        return v_narrow(p.lo, p.hi);
    return v_narrow(v_acc_select(b.lo < 0, 1 / p.lo, p.lo),
                    v_acc_select(b.hi < 0, 1 / p.hi, p.hi));
}
#endif

#endif
