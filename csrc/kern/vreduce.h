/* vreduce.h -- arguments of sin, cos and tan, modulo pi/2 (float32: modulo pi).
 *
 * Up to 2^20 a multiple n of pi/2 is subtracted in parts of pi/2 whose products are
 * exact (Cody & Waite 1980). Larger arguments are rare and go lane by lane through
 * Payne & Hanek's reduction (1983): of the integer product of the significand with
 * the digits of 2/pi only the 192 bits below the weight 4 matter; x = 2^20 .. 2^1024
 * choose which. Doubles come no closer than some 2^-62 to a multiple of pi/2, so both
 * leave more than 106 bits of the reduced argument. */
#ifndef GRADC_KERN_VREDUCE_H
#define GRADC_KERN_VREDUCE_H

#include "kern/vdd.h"
#include "kern/vlane.h"
#include "kern/vwide.h"

/* 1.5 2^52: adding it rounds to an integer and leaves that in the low bits. */
#define ROUNDER 0x1.8p52
#define ANGLE_MAX 0x1p20

/* x = n pi/2 + hi + lo, |hi| <= pi/4; n is valid modulo 4. */
typedef struct angle {
    double hi, lo;
    int64_t n;
} angle;

/* 2/pi, after a word of zeros, in words of 64 bits. */
static const uint64_t TWO_OVER_PI[20] __attribute__((unused)) = {
    0x0000000000000000, 0xa2f9836e4e441529, 0xfc2757d1f534ddc0, 0xdb6295993c439041,
    0xfe5163abdebbc561, 0xb7246e3a424dd2e0, 0x06492eea09d1921c, 0xfe1deb1cb129a73e,
    0xe88235f52ebb4484, 0xe99c7026b45f7e41, 0x3991d639835339f4, 0x9c845f8bbdf9283b,
    0x1ff897ffde05980f, 0xef2f118b5a0a6d1f, 0x6d367ecf27cb09b7, 0x4f463f669e5fea2d,
    0x7527bac7ebe5f17b, 0x3d0739f78a5292ea, 0x6bfb5fb11f8d5d08, 0x56033046fc7b6bab,
};

/* The 64 bits of TWO_OVER_PI that begin at bit `at`. */
static inline uint64_t two_over_pi_at(int at)
{
    const uint64_t *w = TWO_OVER_PI + at / 64;
    const int s = at % 64;
    return s == 0 ? w[0] : w[0] << s | w[1] >> (64 - s);
}

/* For 2^20 <= x < inf; NaN for inf and NaN. */
static __attribute__((noinline, unused)) angle reduce_rare(double x)
{
    if (!(x <= 0x1.fffffffffffffp1023))
        return (angle){x - x, 0, 0};
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int e = (int)(bits >> 52) - 1075; /* x = m 2^e */
    const uint64_t m = (bits & ((1ull << 52) - 1)) | 1ull << 52;
    const int at = e + 62; /* the bit of weight 2^(2-e), below 64 zeros */

    const unsigned __int128 low = (unsigned __int128)m * two_over_pi_at(at + 128);
    const unsigned __int128 mid = (unsigned __int128)m * two_over_pi_at(at + 64);
    const unsigned __int128 sum = mid + (uint64_t)(low >> 64);
    const uint64_t top = m * two_over_pi_at(at) + (uint64_t)(sum >> 64);

    /* top:sum:low is x 2/pi modulo 4 with 190 bits of fraction. */
    const unsigned __int128 frac = (unsigned __int128)top << 66 |
                                   (unsigned __int128)(uint64_t)sum << 2 |
                                   (uint64_t)low >> 62;
    const __int128 turn = (__int128)frac >> 1; /* -1/2 .. 1/2 times 2^127 */
    const double th = (double)turn, tl = (double)(turn - (__int128)th);
    const double ph = 0x1.921fb54442d18p+0, pl = 0x1.1a62633145c07p-54;
    const double hi = th * ph;
    const double lo = fma(th, ph, -hi) + (th * pl + tl * ph);
    return (angle){hi * 0x1p-127, lo * 0x1p-127, (int64_t)(top >> 62) + (turn < 0)};
}

#if IS(f64)
typedef struct vangle {
    vt hi, lo;
    vm n;
} vangle;

static __attribute__((noinline, unused)) void reduce_rare_lanes(const vt *x, vangle *a)
{
    for (int i = 0; i < (int)W; i++) {
        if ((*x)[i] <= ANGLE_MAX)
            continue;
        const angle s = reduce_rare((*x)[i]);
        a->hi[i] = s.hi;
        a->lo[i] = s.lo;
        a->n[i] = s.n;
    }
}

/* For x >= 0, NaN for inf and NaN. */
INLINE vangle reduce(vt x)
{
    const vt t = v_fma(x, v_set(0x1.45f306dc9c883p-1), v_set(ROUNDER));
    vangle a = {.n = (vm)t};
#if V_HAS_FMA
    const vt less = ROUNDER - t, r = v_fma(less, v_set(0x1.921fb54442d18p+0), x);
    const vt p = v_set(0x1.1a626331p-54); /* 33 bits: less * p is exact */
    a.hi = v_fma(less, p, r);
    a.lo = v_fma(less, v_set(0x1.1701b839a252p-88), v_fma(less, p, r - a.hi));
#else
    const vt n = t - ROUNDER;
    const vt r = x - n * 0x1.921fb544p+0;
    const vt p = n * 0x1.0b4611a6p-34, q = n * 0x1.3198a2ep-69;
    const vt s = r - p;
    const vt e = (r - s) - p;
    a.hi = s - q;
    a.lo = (e + ((s - a.hi) - q)) - n * 0x1.b839a252049c1p-104;
#endif
    if (v_any_above(x, ANGLE_MAX)) {
        const vt y = x; /* copies, so that x and a stay in registers elsewhere */
        vangle b = a;
        reduce_rare_lanes(&y, &b);
        a = b;
    }
    return a;
}
#else
typedef struct vturn {
    vacc r; /* |r| <= pi/2 */
    macc n; /* odd: the sine of r is to be negated */
} vturn;

/* x + turn pi/2 = r + n pi; |x| <= ANGLE_MAX, turn 0 or 1. */
INLINE vturn half_turns(vacc x, int turn)
{
    const vacc by_pi = v_acc_set(0x1.45f306dc9c883p-2);
    const vacc t = turn ? v_acc_fma(x, by_pi, v_acc_set(0.5)) + ROUNDER
                        : v_acc_fma(x, by_pi, v_acc_set(ROUNDER));
    const vacc less = turn ? (ROUNDER - t) + 0.5 : ROUNDER - t;
    const vacc r = v_acc_fma(less, v_acc_set(0x1.921fb544p+1), x);
    return (vturn){v_acc_fma(less, v_acc_set(0x1.0b4611a626331p-33), r), (macc)t};
}

static __attribute__((noinline, unused)) void half_turns_rare(const vt *x, vturn *a,
                                                              int turn)
{
    for (int i = 0; i < (int)W; i++) {
        if (fabsf((*x)[i]) <= (float)ANGLE_MAX)
            continue;
        const angle s = reduce_rare(fabs((double)(*x)[i]));
        const double r = (*x)[i] < 0 ? -s.hi : s.hi;
        const int64_t n = turn + ((*x)[i] < 0 ? -s.n : s.n);
        const bool odd = n & 1, up = r < 0; /* x = r +- pi/2 + (n -+ 1) pi/2 */
        const double quarter = odd ? (up ? M_PI_2 : -M_PI_2) : 0;
        a[i / W_ACC].r[i % W_ACC] = r + quarter;
        a[i / W_ACC].n[i % W_ACC] = (n + (odd ? (up ? -1 : 1) : 0)) / 2;
    }
}
#endif

#endif
