/* scan.c -- along the middle axis of (outer, n, inner): sums so far, first-order
 * recurrences, and the positions of extremes.
 *
 * With inner == 1 a scan is one chain of dependent operations, and TOGETHER lines go
 * side by side; else CHUNK neighbouring columns are carried along in accumulators.
 * float32 is accumulated in double and rounded at each store. */
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

/* What is added to a product: of y = 0 nothing, so that a product -0 keeps its sign. */
#if IS_FLOAT
INLINE vacc term_of(vacc y)
{
    return v_acc_select((macc)(y == 0), -0.0 - (vacc){0}, y);
}
INLINE Acc term(Acc y) { return y == 0 ? -0.0 : y; }
#else
INLINE vacc term_of(vacc y) { return y; }
INLINE Acc term(Acc y) { return y; }
#endif

/* acc = x acc + y, or acc + y without x; r = acc rounded; for `count` columns. */
INLINE void scan_row(Acc *acc, T *r, const T *x, const T *y, size_t count)
{
    size_t j = 0;
    for (; j + W_ACC <= count; j += W_ACC) {
        vwrap a = (vwrap)from_memory(acc + j);
        const vacc v = v_acc_load(y + j);
        if (x)
            a *= (vwrap)v_acc_load(x + j);
        a += (vwrap)(x ? term_of(v) : v);
        memcpy(acc + j, &a, sizeof a);
        v_acc_store(r + j, (vacc)a);
    }
    for (; j < count; j++) {
        const wrap a = x ? (wrap)acc[j] * (wrap)(Acc)x[j] : (wrap)acc[j];
        acc[j] = (Acc)(a + (wrap)(x ? term(y[j]) : (Acc)y[j]));
        r[j] = (T)acc[j];
    }
}

/* Chains that the processor can have under way at once. */
enum { TOGETHER = 4 };

/* `count` lines, `apart` from each other. The first element must not meet x, which may
 * be NaN there. */
INLINE void scan_lines(T *r, const T *x, const T *y, size_t n, ptrdiff_t step,
                       ptrdiff_t apart, int count)
{
    wrap a[TOGETHER];
    for (int l = 0; l < count; l++) {
        a[l] = (wrap)(Acc)y[l * apart];
        r[l * apart] = (T)(Acc)a[l];
    }
    for (size_t i = 1; i < n; i++) {
        r += step, y += step;
        if (x)
            x += step;
#pragma GCC unroll 4
        for (int l = 0; l < count; l++) {
            if (x)
                a[l] *= (wrap)(Acc)x[l * apart];
            a[l] += (wrap)(x ? term(y[l * apart]) : (Acc)y[l * apart]);
            r[l * apart] = (T)(Acc)a[l];
        }
    }
}

/* `count` <= CHUNK columns, from the row that comes first. */
INLINE void scan_columns(T *r, const T *x, const T *y, size_t n, ptrdiff_t step,
                         size_t count)
{
    Acc acc[CHUNK];
    for (size_t c = 0; c < count; c++)
        acc[c] = (Acc)-0.0; /* to which y adds up to y */
    scan_row(acc, r, NULL, y, count);
    for (size_t i = 1; i < n; i++) {
        r += step, y += step;
        if (x)
            x += step;
        scan_row(acc, r, x, y, count);
    }
}

INLINE void scan(T *r, const T *x, const T *y, const gradc_lines *d, int reverse)
{
    if (d->n == 0)
        return;
    const ptrdiff_t block = (ptrdiff_t)(d->n * d->row);
    const ptrdiff_t step = reverse ? -(ptrdiff_t)d->row : (ptrdiff_t)d->row;
    const ptrdiff_t first = reverse ? block - (ptrdiff_t)d->row : 0;
    r += first, y += first;
    if (x)
        x += first;
    for (size_t o = 0; o < d->outer;) {
        const ptrdiff_t at = (ptrdiff_t)o * block;
        if (d->inner == 1 && o + TOGETHER <= d->outer) {
            scan_lines(r + at, x ? x + at : NULL, y + at, d->n, step, block, TOGETHER);
            o += TOGETHER;
            continue;
        }
        if (d->inner == 1)
            scan_lines(r + at, x ? x + at : NULL, y + at, d->n, step, block, 1);
        else
            for (size_t j = 0; j < d->inner; j += CHUNK) {
                const size_t count = d->inner - j < CHUNK ? d->inner - j : CHUNK;
                const ptrdiff_t i = at + (ptrdiff_t)j;
                scan_columns(r + i, x ? x + i : NULL, y + i, d->n, step, count);
            }
        o++;
    }
}

static void cumsum(void *r, const void *x, const gradc_lines *d, int reverse)
{
    scan(r, NULL, x, d, reverse);
}

static void recur(void *r, const void *x, const void *y, const gradc_lines *d,
                  int reverse)
{
    scan(r, x, y, d, reverse);
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

INLINE bool any_lane(vm m)
{
    int64_t word[V_BYTES / 8], all = 0;
    memcpy(word, &m, sizeof word);
    for (size_t i = 0; i < V_BYTES / 8; i++)
        all |= word[i];
    return all != 0;
}

enum { BLOCK = 4 * W };

/* The first x[i] that is `value`, or NaN if that is; there is one. */
INLINE size_t first_like(const T *x, size_t n, T value)
{
    const vt v = v_set(value);
    size_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        vm found = {0};
        for (size_t k = 0; k < BLOCK; k += W) {
            const vt y = v_load(x + i + k);
            found |= IS_NAN(value) ? (vm)IS_NAN(y) : (vm)(y == v);
        }
        if (any_lane(found))
            break;
    }
    while (IS_NAN(value) ? !IS_NAN(x[i]) : x[i] != value)
        i++;
    return i;
}

/* The extreme of BLOCK elements or more, or NaN if there is one. */
INLINE T extreme(const T *x, size_t n, bool largest)
{
    vt best[BLOCK / W];
    vm nan = {0};
    size_t i = n - BLOCK; /* the last block first: it may meet the one before */
    for (size_t k = 0; k < BLOCK / W; k++)
        best[k] = v_load(x + i + k * W), nan |= (vm)IS_NAN(best[k]);
    for (i = 0; i + BLOCK < n; i += BLOCK)
#pragma GCC unroll 4
        for (size_t k = 0; k < BLOCK / W; k++) {
            const vt v = v_load(x + i + k * W);
            best[k] = v_select((vm)(largest ? v > best[k] : v < best[k]), v, best[k]);
            nan |= (vm)IS_NAN(v);
        }
    T lane[BLOCK], r;
    memcpy(lane, best, sizeof lane);
    r = lane[0];
    for (size_t k = 1; k < BLOCK; k++)
        r = (largest ? lane[k] > r : lane[k] < r) ? lane[k] : r;
#if IS_FLOAT
    return any_lane(nan) ? (T)NAN : r;
#else
    return r;
#endif
}

INLINE int64_t arg_line(const T *x, size_t n, bool largest)
{
    if (n >= BLOCK)
        return (int64_t)first_like(x, n, extreme(x, n, largest));
    int64_t best = 0;
    T value = x[0];
    for (size_t i = 1; i < n; i++) {
        const bool won = beats(x[i], value, largest);
        best = won ? (int64_t)i : best;
        value = won ? x[i] : value;
    }
    return best;
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

INLINE void arg(int64_t *r, const T *x, const gradc_lines *d, bool largest)
{
    for (size_t o = 0; o < d->outer; o++, x += d->n * d->row, r += d->row) {
        if (d->inner == 1) { /* and so is d->row */
            *r = arg_line(x, d->n, largest);
            continue;
        }
        for (size_t j = 0; j < d->inner; j += CHUNK) {
            const size_t count = d->inner - j < CHUNK ? d->inner - j : CHUNK;
            Acc best[CHUNK];
            for (size_t c = 0; c < count; c++)
                best[c] = (Acc)x[j + c], r[j + c] = 0;
            for (size_t i = 1; i < d->n; i++)
                arg_row(best, r + j, x + i * d->row + j, (int64_t)i, count, largest);
        }
    }
}

static void argmax(int64_t *r, const void *x, const gradc_lines *d)
{
    arg(r, x, d, true);
}

static void argmin(int64_t *r, const void *x, const gradc_lines *d)
{
    arg(r, x, d, false);
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
