/* vwide.h -- float32 functions by way of float64.
 *
 * A vt of floats is split in two vacc of doubles, a short polynomial is evaluated
 * there, and the results are narrowed: one rounding, so the error stays near half an
 * ulp without any pair arithmetic. For float64 vacc is vt, so a function on vacc
 * serves both element types. */
#ifndef GRADC_KERN_VWIDE_H
#define GRADC_KERN_VWIDE_H

#include "kern/simd.h"

/* x y + z on vacc; fused where V_HAS_FMA. */
INLINE vacc v_acc_fma(vacc x, vacc y, vacc z)
{
#if V_HAS_FMA
    return V_INTRIN(fmadd_pd)(x, y, z);
#else
    return x * y + z;
#endif
}

INLINE vacc v_acc_sqrt(vacc x)
{
#if defined(__SSE2__)
    return V_INTRIN(sqrt_pd)(x);
#else
    for (int i = 0; i < (int)W_ACC; i++)
        x[i] = sqrt(x[i]);
    return x;
#endif
}

/* x held between lo and hi; NaN stays. */
INLINE vacc v_acc_clamp(vacc x, vacc lo, vacc hi)
{
#if defined(__SSE2__)
    return V_INTRIN(max_pd)(lo, V_INTRIN(min_pd)(hi, x));
#else
    const vacc low = v_acc_select(x > hi, hi, x);
    return v_acc_select(low < lo, lo, low);
#endif
}

/* c[0] x^(n-1) + ... + c[n-1]; n is a constant, so the loop unrolls. */
INLINE vacc v_acc_horner(vacc x, const double *c, int n)
{
    vacc p = v_acc_set(c[0]);
#pragma GCC unroll 32
    for (int i = 1; i < n; i++)
        p = v_acc_fma(p, x, v_acc_set(c[i]));
    return p;
}

/* The same by its even and odd coefficients: one operation more, half the latency. */
INLINE vacc v_acc_poly(vacc x, const double *c, int n)
{
    const vacc z = x * x;
    vacc p = v_acc_set(c[0]), q = v_acc_set(c[1]);
#pragma GCC unroll 32
    for (int i = 2; i < n; i++) {
        const vacc next = v_acc_fma(p, z, v_acc_set(c[i]));
        p = q;
        q = next;
    }
    return v_acc_fma(p, x, q);
}
#define V_ACC_POLY(x, c) v_acc_poly(x, c, sizeof c / sizeof *c)

#if IS(f32)
typedef struct vwide {
    vacc lo, hi; /* lanes 0..W/2 and W/2..W */
} vwide;

/* gcc 12 splits __builtin_convertvector into quarters, hence the intrinsics. */
INLINE vwide v_widen(vt x)
{
#if defined(__AVX512F__)
    return (vwide){_mm512_cvtps_pd(_mm512_castps512_ps256(x)),
                   _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1))};
#elif defined(__AVX2__)
    return (vwide){_mm256_cvtps_pd(_mm256_castps256_ps128(x)),
                   _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1))};
#elif defined(__SSE2__)
    return (vwide){_mm_cvtps_pd(x), _mm_cvtps_pd(_mm_movehl_ps(x, x))};
#else
    vslim part[2];
    memcpy(part, &x, sizeof x);
    return (vwide){__builtin_convertvector(part[0], vacc),
                   __builtin_convertvector(part[1], vacc)};
#endif
}

INLINE vt v_narrow(vacc lo, vacc hi)
{
#if defined(__AVX512F__)
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(lo)),
                              _mm512_cvtpd_ps(hi), 1);
#elif defined(__AVX2__)
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(lo)),
                                _mm256_cvtpd_ps(hi), 1);
#elif defined(__SSE2__)
    return _mm_movelh_ps(_mm_cvtpd_ps(lo), _mm_cvtpd_ps(hi));
#else
    const vslim part[2] = {__builtin_convertvector(lo, vslim),
                           __builtin_convertvector(hi, vslim)};
    vt r;
    memcpy(&r, part, sizeof r);
    return r;
#endif
}
#endif

#endif
