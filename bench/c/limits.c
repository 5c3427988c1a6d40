/* limits.c -- what the machine can do at most: arithmetic, and bandwidth by place.
 *
 * Compiled with the flags of one ISA and -ffp-contract=fast, so that a*x + y is one FMA
 * where there is one. Vectors have the width of that ISA. Bandwidth is measured for
 * three mixes of reads and writes, as a cache moves more bytes if both are asked of it;
 * bytes are those the loop names, as those of a case. One thread. */
#include <stdio.h>

#include "bench.h"

#if defined(__AVX512F__)
#define WIDTH 64
#elif defined(__AVX__)
#define WIDTH 32
#else
#define WIDTH 16
#endif

typedef double v_f64 __attribute__((vector_size(WIDTH)));
typedef float v_f32 __attribute__((vector_size(WIDTH)));

static volatile double sink;

/* ---- arithmetic: chains of r = r*a + b that hide each other's latency ---- */

/* Enough for 2 multiplications and 2 additions a cycle, each of latency 3; all of them
 * with a and b fit 16 registers. */
enum { CHAINS = 12, ROUNDS = 100 };

#define PEAK(dtype, element)                                                           \
    static double peak_##dtype(void *context, int64_t repetitions)                     \
    {                                                                                  \
        const volatile double *c = context;                                            \
        const v_##dtype a = (element)c[0] - (v_##dtype){0};                            \
        const v_##dtype b = (element)c[1] - (v_##dtype){0};                            \
        v_##dtype r[CHAINS];                                                           \
        for (int k = 0; k < CHAINS; k++)                                               \
            r[k] = b * (element)k;                                                     \
        const double start = now();                                                    \
        for (int64_t i = 0; i < repetitions * ROUNDS; i++) {                           \
            _Pragma("GCC unroll 12") for (int k = 0; k < CHAINS; k++) r[k] =           \
                r[k] * a + b;                                                          \
        }                                                                              \
        const double took = now() - start;                                             \
        for (int k = 0; k < CHAINS; k++)                                               \
            sink = (double)r[k][0];                                                    \
        return took;                                                                   \
    }

PEAK(f64, double)
PEAK(f32, float)

static void report_peak(const char *dtype, timed_batch *batch, bool quick)
{
    double c[] = {0.5, 0.25};
    const spread t = measure(batch, c, quick);
    const size_t element = dtype[1] == '6' ? sizeof(double) : sizeof(float);
    const double flops = 2.0 * CHAINS * ROUNDS * WIDTH / (double)element;
    printf("{\"limit\": \"fma %s\", \"rate\": %.17g}\n", dtype, flops / t.min);
}

/* ---- bandwidth ---- */

typedef struct arrays {
    size_t n; /* vectors in each; a multiple of UNROLL */
    v_f64 *x, *y, *z;
} arrays;

enum { UNROLL = 8 };

static double run_read(void *context, int64_t repetitions)
{
    const arrays *a = context;
    v_f64 sum[UNROLL] = {{0}};
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++)
        for (size_t k = 0; k < a->n; k += UNROLL) {
#pragma GCC unroll 8
            for (int u = 0; u < UNROLL; u++)
                sum[u] += a->x[k + u];
        }
    const double took = now() - start;
    for (int u = 0; u < UNROLL; u++)
        sink = sum[u][0];
    return took;
}

static double run_scale(void *context, int64_t repetitions)
{
    const arrays *a = context;
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++) {
        for (size_t k = 0; k < a->n; k += UNROLL) {
#pragma GCC unroll 8
            for (int u = 0; u < UNROLL; u++)
                a->y[k + u] = 0.5 * a->x[k + u];
        }
        __asm__ volatile("" ::: "memory"); /* every repetition stores */
    }
    return now() - start;
}

static double run_triad(void *context, int64_t repetitions)
{
    const arrays *a = context;
    const double start = now();
    for (int64_t i = 0; i < repetitions; i++) {
        for (size_t k = 0; k < a->n; k += UNROLL) {
#pragma GCC unroll 8
            for (int u = 0; u < UNROLL; u++)
                a->z[k + u] = 0.5 * a->x[k + u] + a->y[k + u];
        }
        __asm__ volatile("" ::: "memory");
    }
    return now() - start;
}

static const struct {
    const char *name;
    timed_batch *batch;
    size_t arrays;
} mixes[] = {{"read", run_read, 1}, {"scale", run_scale, 2}, {"triad", run_triad, 3}};

static void report_bandwidth(bench_place place, bool quick)
{
    for (size_t m = 0; m < sizeof mixes / sizeof *mixes; m++) {
        const size_t unit = UNROLL * WIDTH;
        const size_t bytes = bench_place_bytes(place) / mixes[m].arrays / unit * unit;
        v_f64 *p[3] = {NULL};
        for (size_t k = 0; k < mixes[m].arrays; k++) {
            p[k] = gradc_buffer_take(bytes);
            bench_require(p[k] != NULL, "out of memory");
            for (size_t i = 0; i < bytes / WIDTH; i++)
                p[k][i] = (v_f64){0};
        }
        arrays a = {bytes / WIDTH, p[0], p[1], p[2]};
        const spread t = measure(mixes[m].batch, &a, quick);
        printf("{\"limit\": \"%s %s\", \"rate\": %.17g}\n", bench_place_name[place],
               mixes[m].name, (double)(bytes * mixes[m].arrays) / t.min);
        for (size_t k = 0; k < 3; k++)
            gradc_buffer_give(p[k]);
    }
}

void bench_limits(bool quick)
{
    report_peak("f64", peak_f64, quick);
    report_peak("f32", peak_f32, quick);
    for (bench_place place = IN_L1; place < (quick ? IN_MEMORY : PLACES); place++)
        report_bandwidth(place, quick);
}
