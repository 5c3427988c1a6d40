/* scan.c -- along the middle axis of (outer, n, inner): sums so far, first-order
 * recurrences, and the positions of extremes.
 *
 * With inner == 1 a scan is one chain of dependent operations and is written so; else
 * CHUNK neighbouring columns are carried along together in accumulators. float32 is
 * accumulated in double and rounded at each store. */
#include "kern/kern.h"
#include "kern/simd.h"

/* Columns carried at a time: their accumulators take half of L1 at most. */
enum { CHUNK = 512 };

INLINE vacc from_memory(const Acc *p)
{
    vacc v;
    memcpy(&v, p, sizeof v);
    return v;
}

#if !IS(b8)
#if IS_FLOAT
typedef Acc wrap;
typedef vacc vwrap;
#else
typedef uint64_t wrap; /* integers wrap */
typedef uacc vwrap;
#endif

/* acc = x acc + y, or acc + y without x; r = acc rounded; for `count` columns. */
INLINE void scan_row(Acc *acc, T *r, const T *x, const T *y, size_t count)
{
    size_t j = 0;
    for (; j + W_ACC <= count; j += W_ACC) {
        vwrap a = (vwrap)from_memory(acc + j);
        if (x)
            a *= (vwrap)v_acc_load(x + j);
        a += (vwrap)v_acc_load(y + j);
        memcpy(acc + j, &a, sizeof a);
        v_acc_store(r + j, (vacc)a);
    }
    for (; j < count; j++) {
        const wrap a = x ? (wrap)acc[j] * (wrap)(Acc)x[j] : (wrap)acc[j];
        acc[j] = (Acc)(a + (wrap)(Acc)y[j]);
        r[j] = (T)acc[j];
    }
}

/* The first row must not meet x, which may be NaN there. */
INLINE void scan_line(T *r, const T *x, const T *y, size_t n, ptrdiff_t step)
{
    wrap a = (wrap)(Acc)*y;
    *r = (T)(Acc)a;
    for (size_t i = 1; i < n; i++) {
        r += step, y += step;
        if (x)
            a *= (wrap)(Acc) * (x += step);
        a += (wrap)(Acc)*y;
        *r = (T)(Acc)a;
    }
}

INLINE void scan(T *r, const T *x, const T *y, size_t outer, size_t n, size_t inner,
                 int reverse)
{
    if (n == 0 || inner == 0)
        return;
    const ptrdiff_t step = reverse ? -(ptrdiff_t)inner : (ptrdiff_t)inner;
    const size_t first = reverse ? (n - 1) * inner : 0;
    for (size_t o = 0; o < outer; o++) {
        const size_t begin = o * n * inner + first;
        if (inner == 1) {
            scan_line(r + begin, x ? x + begin : NULL, y + begin, n, step);
            continue;
        }
        for (size_t j = 0; j < inner; j += CHUNK) {
            const size_t count = inner - j < CHUNK ? inner - j : CHUNK;
            Acc acc[CHUNK];
            ptrdiff_t at = (ptrdiff_t)(begin + j);
            for (size_t c = 0; c < count; c++)
                acc[c] = 0;
            scan_row(acc, r + at, NULL, y + at, count);
            for (size_t i = 1; i < n; i++) {
                at += step;
                scan_row(acc, r + at, x ? x + at : NULL, y + at, count);
            }
        }
    }
}

static void cumsum(void *r, const void *x, size_t outer, size_t n, size_t inner,
                   int reverse)
{
    scan(r, NULL, x, outer, n, inner, reverse);
}

static void recur(void *r, const void *x, const void *y, size_t outer, size_t n,
                  size_t inner, int reverse)
{
    scan(r, x, y, outer, n, inner, reverse);
}
#endif

#if IS_FLOAT
#define IS_NAN(x) ((x) != (x))
#else
#define IS_NAN(x) ((x) & 0)
#endif

/* Which of two is wanted: x beats the best so far if it is beyond it, or the first
 * NaN. -x of integers would overflow, so the side is a constant argument. */
INLINE bool beats(T x, T best, bool largest)
{
    return (largest ? x > best : x < best) || (IS_NAN(x) && !IS_NAN(best));
}

INLINE bool any_beats(const T *x, T best, size_t n, bool largest)
{
    vm any = {0};
    const vt b = v_set(best);
    for (size_t i = 0; i < n; i += W) {
        const vt v = v_load(x + i);
        any |= (vm)(largest ? v > b : v < b) | (vm)IS_NAN(v);
    }
    int64_t word[V_BYTES / 8], all = 0;
    memcpy(word, &any, sizeof word);
    for (size_t i = 0; i < V_BYTES / 8; i++)
        all |= word[i];
    return all != 0;
}

/* Records are rare in most data, so blocks without one are passed over quickly. */
INLINE int64_t arg_line(const T *x, size_t n, bool largest)
{
    enum { STRIDE = 8 * W };
    size_t best = 0, i = 1;
    while (i < n && !IS_NAN(x[best])) {
        if (i + STRIDE <= n && !any_beats(x + i, x[best], STRIDE, largest)) {
            i += STRIDE;
            continue;
        }
        const size_t end = i + STRIDE <= n ? i + STRIDE : n;
        for (; i < end; i++)
            if (beats(x[i], x[best], largest))
                best = i;
    }
    return (int64_t)best;
}

/* `count` columns of one row against the best so far of each. */
INLINE void arg_row(Acc *best, int64_t *r, const T *x, int64_t row, size_t count,
                    bool largest)
{
    size_t j = 0;
    for (; j + W_ACC <= count; j += W_ACC) {
        const vacc v = v_acc_load(x + j), b = from_memory(best + j);
        macc at, won = largest ? v > b : v < b;
        won |= (macc)IS_NAN(v) & ~(macc)IS_NAN(b);
        memcpy(&at, r + j, sizeof at);
        at = (at & ~won) | (won & (row - (macc){0}));
        memcpy(r + j, &at, sizeof at);
        const vacc kept = v_acc_select(won, v, b);
        memcpy(best + j, &kept, sizeof kept);
    }
    for (; j < count; j++)
        if (beats(x[j], (T)best[j], largest))
            best[j] = (Acc)x[j], r[j] = row;
}

INLINE void arg(int64_t *r, const T *x, size_t outer, size_t n, size_t inner,
                bool largest)
{
    for (size_t o = 0; o < outer; o++, x += n * inner, r += inner) {
        if (inner == 1) {
            *r = arg_line(x, n, largest);
            continue;
        }
        for (size_t j = 0; j < inner; j += CHUNK) {
            const size_t count = inner - j < CHUNK ? inner - j : CHUNK;
            Acc best[CHUNK];
            for (size_t c = 0; c < count; c++)
                best[c] = (Acc)x[j + c], r[j + c] = 0;
            for (size_t i = 1; i < n; i++)
                arg_row(best, r + j, x + i * inner + j, (int64_t)i, count, largest);
        }
    }
}

static void argmax(int64_t *r, const void *x, size_t outer, size_t n, size_t inner)
{
    arg(r, x, outer, n, inner, true);
}

static void argmin(int64_t *r, const void *x, size_t outer, size_t n, size_t inner)
{
    arg(r, x, outer, n, inner, false);
}

extern const gradc_scan_table KERNEL_TABLE(scan);
const gradc_scan_table KERNEL_TABLE(scan) = {
#if !IS(b8)
    .cumsum = cumsum,
    .recur = recur,
#endif
    .argmax = argmax,
    .argmin = argmin,
};
