/* kernels.h -- the kernel tables of every ISA, and elements of any type, for tests.
 *
 * Elements are handled through get() and set() in long double, so one test serves all
 * element types. */
#ifndef TESTS_KERNELS_H
#define TESTS_KERNELS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kern/kern.h"

enum { ISAS = 3, TYPES = GRADC_DTYPE_COUNT };
static const size_t size_of[TYPES] = {8, 4, 8, 1};
static const char *const type_name[TYPES] = {"f64", "f32", "i64", "b8"};

#define EACH_TABLE(family, isa)                                                \
    extern const gradc_##family##_table gradc_##family##_##isa##_f64,          \
        gradc_##family##_##isa##_f32, gradc_##family##_##isa##_i64,            \
        gradc_##family##_##isa##_b8;
#define EACH_ISA(family)                                                       \
    EACH_TABLE(family, base) EACH_TABLE(family, avx2) EACH_TABLE(family, avx512)
EACH_ISA(matmul)
EACH_ISA(reduce)
EACH_ISA(move)
EACH_ISA(scan)
EACH_ISA(order)

typedef struct tables {
    const char *isa;
    const gradc_matmul_table *matmul[TYPES];
    const gradc_reduce_table *reduce[TYPES];
    const gradc_move_table *move[TYPES];
    const gradc_scan_table *scan[TYPES];
    const gradc_order_table *order[TYPES];
} tables;

#define FLOATS(family, isa) \
    {&gradc_##family##_##isa##_f64, &gradc_##family##_##isa##_f32, NULL, NULL}
#define ALL(family, isa)                                                       \
    {&gradc_##family##_##isa##_f64, &gradc_##family##_##isa##_f32,             \
     &gradc_##family##_##isa##_i64, &gradc_##family##_##isa##_b8}
#define TABLES(isa) \
    {#isa, FLOATS(matmul, isa), ALL(reduce, isa), ALL(move, isa), ALL(scan, isa), \
     ALL(order, isa)}
static const tables all[ISAS] = {TABLES(base), TABLES(avx2), TABLES(avx512)};

static inline bool usable(int isa)
{
    __builtin_cpu_init();
    if (isa == 0)
        return true;
    if (isa == 1)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512cd");
}

static uint64_t seed = 1;      /* of below(); a test always meets the same numbers */

static inline int64_t below(int64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)((seed >> 33) % (uint64_t)n);
}

static inline long double get(int type, const void *p, int64_t i)
{
    switch (type) {
    case GRADC_F64: return ((const double *)p)[i];
    case GRADC_F32: return ((const float *)p)[i];
    case GRADC_I64: return ((const int64_t *)p)[i];
    default: return ((const uint8_t *)p)[i];
    }
}

static inline void set(int type, void *p, int64_t i, long double x)
{
    switch (type) {
    case GRADC_F64: ((double *)p)[i] = (double)x; break;
    case GRADC_F32: ((float *)p)[i] = (float)x; break;
    case GRADC_I64: ((int64_t *)p)[i] = (int64_t)x; break;
    default: ((uint8_t *)p)[i] = (uint8_t)x;
    }
}

/* Memory of exactly n elements, so that sanitizers see what lies past it. */
static inline void *make(int type, size_t n)
{
    return malloc(n ? n * size_of[type] : 1);
}

static inline void *make_random(int type, size_t n)
{
    void *p = make(type, n);
    for (size_t i = 0; i < n; i++) {
        const long double u = (long double)(below(2000001) - 1000000);
        set(type, p, (int64_t)i,
            type <= GRADC_F32 ? u / 1e6L : type == GRADC_I64 ? u : (below(2) == 1));
    }
    return p;
}

static inline long double unit(int type)
{
    return type == GRADC_F64 ? 0x1p-53L : 0x1p-24L;
}

#endif
