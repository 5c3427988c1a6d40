/* vlane.h -- lane primitives that vector mathematics needs beyond simd.h.
 *
 * Whether a rare case occurs at all, and small tables: each has a portable form and,
 * where the ISA has the instruction, that one. */
#ifndef GRADC_KERN_VLANE_H
#define GRADC_KERN_VLANE_H

#include "kern/simd.h"

/* Whether some lane of m is set. */
INLINE bool v_any(vm m)
{
#if defined(__AVX512F__)
    return _mm512_test_epi32_mask((__m512i)m, (__m512i)m) != 0;
#elif defined(__AVX2__)
    return _mm256_movemask_ps((__m256)m) != 0;
#elif defined(__SSE2__)
    return _mm_movemask_ps((__m128)m) != 0;
#else
    M any = 0;
    for (int i = 0; i < (int)W; i++)
        any |= m[i];
    return any != 0;
#endif
}

#if IS_FLOAT
/* Whether some x is above `most` or NaN; a mask in lanes would take two steps more. */
INLINE bool v_any_above(vt x, T most)
{
#if defined(__AVX512F__) && IS(f64)
    return _mm512_cmp_pd_mask(x, v_set(most), _CMP_NLE_UQ) != 0;
#elif defined(__AVX512F__)
    return _mm512_cmp_ps_mask(x, v_set(most), _CMP_NLE_UQ) != 0;
#else
    return v_any(~(x <= most));
#endif
}
#endif

/* table[i] in each lane, of a table of 8 for the low 3 bits of i: registers hold the
 * whole table where lanes can be permuted. */
INLINE vacc v_acc_table8(const double *table, macc i)
{
#if defined(__AVX512F__)
    return _mm512_permutexvar_pd((__m512i)i, _mm512_loadu_pd(table));
#elif defined(__AVX2__)
    const __m256i twice = _mm256_shuffle_epi32((__m256i)(i + i), 0xa0);
    const macc pair = (macc)twice + 0x100000000;
    const __m256 lo = _mm256_loadu_ps((const float *)table);
    const __m256 hi = _mm256_loadu_ps((const float *)(table + 4));
    const __m256 x = _mm256_permutevar8x32_ps(lo, (__m256i)pair);
    const __m256 y = _mm256_permutevar8x32_ps(hi, (__m256i)pair);
    return _mm256_blendv_pd((__m256d)x, (__m256d)y, (__m256d)(i << 61));
#else
    vacc r;
    for (int k = 0; k < (int)W_ACC; k++)
        r[k] = table[i[k] & 7];
    return r;
#endif
}

/* The same for a table of 16 and the low 4 bits, or float32, 32 and 5, only where that
 * is one instruction: elsewhere longer polynomials or a division are quicker. */
#if defined(__AVX512F__) && IS_FLOAT
#define V_HAS_ACC_TABLE16 1
INLINE vacc v_acc_table16(const double *table, macc i)
{
    return _mm512_permutex2var_pd(_mm512_loadu_pd(table), (__m512i)i,
                                  _mm512_loadu_pd(table + 8));
}
#endif

#if IS(f64)
INLINE vt v_table8(const T *table, vm i) { return v_acc_table8(table, i); }

#if V_HAS_ACC_TABLE16
#define V_HAS_TABLE16 1
INLINE vt v_table16(const T *table, vm i) { return v_acc_table16(table, i); }
#endif

#elif IS(f32)
#if defined(__AVX512F__)
#define V_HAS_TABLE32 1
INLINE vt v_table32(const T *table, vm i)
{
    return _mm512_permutex2var_ps(v_load(table), (__m512i)i, v_load(table + 16));
}
#endif

INLINE vt v_table8(const T *table, vm i)
{
#if defined(__AVX512F__)
    const __m512 all = _mm512_castps256_ps512(_mm256_loadu_ps(table));
    return _mm512_permutexvar_ps((__m512i)(i & 7), all);
#elif defined(__AVX2__)
    return _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), (__m256i)i);
#else
    vt r;
    for (int k = 0; k < (int)W; k++)
        r[k] = table[i[k] & 7];
    return r;
#endif
}
#endif

#endif
