/* simd.h -- vectors of one element type, as wide as the ISA being compiled for.
 *
 * Every kernel file is compiled once per ISA and element type, with GRADC_ISA
 * (base, avx2, avx512) and GRADC_DTYPE (f64, f32, i64, b8) defined. This header gives
 * it: T the element, vt a vector of W of them, vm the mask of such a vector (0 or -1
 * in each lane), and loads and stores of full and partial vectors. Kernels write
 * plain C on these types. Intrinsics stand only here, below a portable form. */
#ifndef GRADC_KERN_SIMD_H
#define GRADC_KERN_SIMD_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { V_BYTES = 64 };
#elif defined(__AVX2__)
enum { V_BYTES = 32 };
#else
enum { V_BYTES = 16 };
#endif

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)
#define JOIN3_(a, b, c) a##_##b##_##c
#define JOIN3(a, b, c) JOIN3_(a, b, c)
/* The one symbol an object exports, e.g. gradc_map_avx2_f64. */
#define KERNEL_TABLE(family) JOIN3(PASTE(gradc_, family), GRADC_ISA, GRADC_DTYPE)
#define INLINE static inline __attribute__((always_inline, unused))

/* The intrinsic of the whole vector. */
#if defined(__AVX512F__)
#define V_INTRIN(op) _mm512_##op
#elif defined(__AVX2__)
#define V_INTRIN(op) _mm256_##op
#elif defined(__SSE2__)
#define V_INTRIN(op) _mm_##op
#endif

/* Compile-time tests on the element type: #if IS(f64). */
#define DTYPE_CODE_f64 1
#define DTYPE_CODE_f32 2
#define DTYPE_CODE_i64 3
#define DTYPE_CODE_b8 4
#define IS(dtype) (PASTE(DTYPE_CODE_, GRADC_DTYPE) == PASTE(DTYPE_CODE_, dtype))
#define IS_FLOAT (IS(f64) || IS(f32))

#define T_f64 double
#define T_f32 float
#define T_i64 int64_t
#define T_b8 uint8_t
#define M_f64 int64_t
#define M_f32 int32_t
#define M_i64 int64_t
#define M_b8 int8_t

typedef PASTE(T_, GRADC_DTYPE) T;
typedef PASTE(M_, GRADC_DTYPE) M;
typedef T vt __attribute__((vector_size(V_BYTES)));
typedef M vm __attribute__((vector_size(V_BYTES)));
enum { W = V_BYTES / sizeof(T) };
/* One byte for each lane of vt: how masks lie in memory, 0 or 1. */
typedef int8_t vb __attribute__((vector_size(V_BYTES / sizeof(T))));

INLINE vt v_set(T x) { return x - (vt){0}; }
INLINE vm v_set_mask(M x) { return x - (vm){0}; }

INLINE vt v_load(const T *p)
{
    vt v;
    memcpy(&v, p, sizeof v);
    return v;
}

INLINE void v_store(T *p, vt v) { memcpy(p, &v, sizeof v); }

/* The first n <= W elements; the other lanes are zero. Masked on AVX-512, where the
 * loop takes 60 ns for a product of 4x4 matrices and the masks 10 ns. */
#if defined(__AVX512F__) && (IS(f64) || IS(f32))
#define V_LANES(n) ((PASTE(__mmask, V_LANE_COUNT))((1u << (n)) - 1))
#if IS(f64)
#define V_LANE_COUNT 8
INLINE vt v_load_part(const T *p, size_t n)
{
    return _mm512_maskz_loadu_pd(V_LANES(n), p);
}
INLINE void v_store_part(T *p, vt v, size_t n)
{
    _mm512_mask_storeu_pd(p, V_LANES(n), v);
}
#else
#define V_LANE_COUNT 16
INLINE vt v_load_part(const T *p, size_t n)
{
    return _mm512_maskz_loadu_ps(V_LANES(n), p);
}
INLINE void v_store_part(T *p, vt v, size_t n)
{
    _mm512_mask_storeu_ps(p, V_LANES(n), v);
}
#endif
#elif defined(__AVX2__) && IS_FLOAT
/* Lanes that are there, by how many: from the middle, less that many. */
static const M v_lanes[2 * V_BYTES / sizeof(T)] = {
#if IS(f64)
    -1,
    -1,
    -1,
    -1,
#else
    -1, -1, -1, -1, -1, -1, -1, -1,
#endif
};

INLINE vt v_load_part(const T *p, size_t n)
{
    vm lanes;
    memcpy(&lanes, v_lanes + V_BYTES / sizeof(T) - n, sizeof lanes);
#if IS(f64)
    return _mm256_maskload_pd(p, (__m256i)lanes);
#else
    return _mm256_maskload_ps(p, (__m256i)lanes);
#endif
}

/* By halves: a masked store takes as long as ten others on Zen. */
INLINE void v_store_part(T *p, vt v, size_t n)
{
    enum { LANES = V_BYTES / sizeof(T) };
    T lane[LANES];
    if (n == LANES) {
        v_store(p, v);
        return;
    }
    v_store(lane, v);
    const T *from = lane;
    if (LANES == 8 && (n & 4)) {
        memcpy(p, from, 4 * sizeof *p);
        p += 4, from += 4;
    }
    if (n & 2) {
        memcpy(p, from, 2 * sizeof *p);
        p += 2, from += 2;
    }
    if (n & 1)
        *p = *from;
}
#else
INLINE vt v_load_part(const T *p, size_t n)
{
    vt v = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = p[i];
    return v;
}

INLINE void v_store_part(T *p, vt v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = v[i];
}
#endif

/* x[i] in each lane, or y[i - W], where that is one instruction. */
#if defined(__AVX512F__) && IS_FLOAT
#define V_HAS_PERMUTE2 1
INLINE vt v_permute2(vt x, vm i, vt y)
{
#if IS(f64)
    return _mm512_permutex2var_pd(x, (__m512i)i, y);
#else
    return _mm512_permutex2var_ps(x, (__m512i)i, y);
#endif
}
#endif

/* x[i] in each lane, likewise. */
#if defined(__AVX2__) && IS_FLOAT
#define V_HAS_PERMUTE 1
INLINE vt v_permute(vt x, vm i)
{
#if defined(__AVX512F__) && IS(f64)
    return _mm512_permutexvar_pd((__m512i)i, x);
#elif defined(__AVX512F__)
    return _mm512_permutexvar_ps((__m512i)i, x);
#elif IS(f64)
    const __m256i pair = (__m256i)((i | i << 32) * 2 + 0x100000000);
    return (vt)_mm256_permutevar8x32_ps((__m256)x, pair);
#else
    return _mm256_permutevar8x32_ps(x, (__m256i)i);
#endif
}
#endif

INLINE vt v_select(vm m, vt x, vt y) { return (vt)(((vm)x & m) | ((vm)y & ~m)); }

/* The first n lanes. */
INLINE vm v_first(size_t n)
{
    vm lane;
    for (int i = 0; i < (int)W; i++)
        lane[i] = (M)i;
    return lane < v_set_mask((M)(n < W ? n : W));
}

/* x where m, else zero. */
INLINE vt v_keep(vm m, vt x) { return (vt)((vm)x & m); }

/* Bytes 0/1 in memory <-> lane masks 0/-1. */
INLINE vm v_load_mask(const uint8_t *p)
{
#if defined(__AVX2__) && !IS(b8)
    /* gcc 12 converts these one by one */
    int64_t b[2] = {0};
    memcpy(b, p, W);
    const __m128i bytes = (__m128i){b[0], b[1]};
#if IS(f32)
    return -(vm)V_INTRIN(cvtepi8_epi32)(bytes);
#else
    return -(vm)V_INTRIN(cvtepi8_epi64)(bytes);
#endif
#else
    vb b;
    memcpy(&b, p, sizeof b);
    return -__builtin_convertvector(b, vm);
#endif
}

INLINE vm v_load_mask_part(const uint8_t *p, size_t n)
{
    vb b = {0};
    memcpy(&b, p, n);
    return -__builtin_convertvector(b, vm);
}

INLINE void v_store_mask(uint8_t *p, vm m)
{
    const vb b = -__builtin_convertvector(m, vb);
    memcpy(p, &b, sizeof b);
}

INLINE void v_store_mask_part(uint8_t *p, vm m, size_t n)
{
    const vb b = -__builtin_convertvector(m, vb);
    memcpy(p, &b, n);
}

#if IS_FLOAT
INLINE vt v_abs(vt x) { return (vt)((vm)x & ~(vm)v_set((T)-0.0)); }

/* |x| with the sign of y. */
INLINE vt v_copysign(vt x, vt y)
{
    const vm sign = (vm)v_set((T)-0.0);
    return (vt)(((vm)x & ~sign) | ((vm)y & sign));
}

/* x y + z, rounded once where the ISA has it (V_HAS_FMA), twice elsewhere. */
#if IS(f64)
#define V_OP(op) V_INTRIN(op##_pd)
#else
#define V_OP(op) V_INTRIN(op##_ps)
#endif

#if defined(__AVX2__)
#define V_HAS_FMA 1
INLINE vt v_fma(vt x, vt y, vt z) { return V_OP(fmadd)(x, y, z); }
#else
#define V_HAS_FMA 0
INLINE vt v_fma(vt x, vt y, vt z) { return x * y + z; }
#endif

/* The root, and x held above lo, below hi, or both; NaN stays. */
#if defined(__SSE2__)
INLINE vt v_sqrt(vt x) { return V_OP(sqrt)(x); }
INLINE vt v_at_least(vt x, vt lo) { return V_OP(max)(lo, x); }
INLINE vt v_at_most(vt x, vt hi) { return V_OP(min)(hi, x); }
#else
INLINE vt v_sqrt(vt x)
{
    vt r;
    for (int i = 0; i < (int)W; i++)
        r[i] = IS(f64) ? (T)sqrt((double)x[i]) : (T)sqrtf((float)x[i]);
    return r;
}
INLINE vt v_at_least(vt x, vt lo) { return v_select(x < lo, lo, x); }
INLINE vt v_at_most(vt x, vt hi) { return v_select(x > hi, hi, x); }
#endif
INLINE vt v_clamp(vt x, vt lo, vt hi) { return v_at_least(v_at_most(x, hi), lo); }
#endif

/* Accumulators have 8 bytes whatever the element: double, or int64 for integers.
 * Operands are read a vector of W_ACC at a time. */
#if IS_FLOAT
typedef double Acc;
#else
typedef int64_t Acc;
#endif
typedef Acc vacc __attribute__((vector_size(V_BYTES)));
typedef int64_t macc __attribute__((vector_size(V_BYTES)));
typedef uint64_t uacc __attribute__((vector_size(V_BYTES)));
typedef T vslim __attribute__((vector_size(V_BYTES / 8 * sizeof(T))));
enum { W_ACC = V_BYTES / 8 };

INLINE vacc v_acc_set(Acc x) { return x - (vacc){0}; }

/* By intrinsics, as gcc 12 converts a vector by quarters. */
INLINE vacc v_acc_load(const T *p)
{
#if IS(f32) && defined(__AVX512F__)
    return _mm512_cvtps_pd(_mm256_loadu_ps(p));
#elif IS(f32) && defined(__AVX2__)
    return _mm256_cvtps_pd(_mm_loadu_ps(p));
#else
    vslim v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vacc);
#endif
}

INLINE void v_acc_store(T *p, vacc x)
{
#if IS(f32) && defined(__AVX512F__)
    _mm256_storeu_ps(p, _mm512_cvtpd_ps(x));
#elif IS(f32) && defined(__AVX2__)
    _mm_storeu_ps(p, _mm256_cvtpd_ps(x));
#else
    const vslim v = __builtin_convertvector(x, vslim);
    memcpy(p, &v, sizeof v);
#endif
}

INLINE vacc v_acc_select(macc m, vacc x, vacc y)
{
    return (vacc)(((macc)x & m) | ((macc)y & ~m));
}

/* All lanes, by halving: lane l and lane l + W_ACC / 2 first. */
INLINE Acc v_acc_sum(vacc x)
{
#if defined(__AVX512F__)
    x += __builtin_shufflevector(x, x, 4, 5, 6, 7, 0, 1, 2, 3);
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1, 6, 7, 4, 5);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6);
#elif defined(__AVX2__)
    x += __builtin_shufflevector(x, x, 2, 3, 0, 1);
    x += __builtin_shufflevector(x, x, 1, 0, 3, 2);
#else
    x += __builtin_shufflevector(x, x, 1, 0);
#endif
    return x[0];
}

/* The same for each of 4 vectors, which on AVX-512 share their shuffles. */
INLINE void v_acc_sums4(Acc *r, const vacc *x)
{
#if defined(__AVX512F__)
    vacc s[2];
    for (int i = 0; i < 2; i++) {
        const vacc a = x[2 * i], b = x[2 * i + 1];
        s[i] = __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11) +
               __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
    }
    vacc t = __builtin_shufflevector(s[0], s[1], 0, 1, 4, 5, 8, 9, 12, 13) +
             __builtin_shufflevector(s[0], s[1], 2, 3, 6, 7, 10, 11, 14, 15);
    t += __builtin_shufflevector(t, t, 1, 0, 3, 2, 5, 4, 7, 6);
    for (int i = 0; i < 4; i++)
        r[i] = t[2 * i];
#else
    for (int i = 0; i < 4; i++)
        r[i] = v_acc_sum(x[i]);
#endif
}

#endif
