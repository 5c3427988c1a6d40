/* order.c -- sorting and searching: positions, never values.
 *
 * Elements are compared as keys, int64 numbers in the same order: both zeros are equal,
 * and all NaNs are equal and last, as NumPy sorts them. Pairs of key and position are
 * sorted, stably and without a branch that depends on the keys: short lines are merged,
 * long ones placed by the bytes of their keys. */
#include "kern/kern.h"
#include "kern/simd.h"

typedef struct pair {
    int64_t key, at;
} pair;

INLINE int64_t key_of(T x)
{
#if IS_FLOAT
    const M most = (M)(INT64_MAX >> (64 - 8 * sizeof(M)));
    M bits;
    if (x != x)
        return most;
    x += (T)0; /* -0 -> 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits < 0 ? most : 0);
#else
    return (int64_t)x;
#endif
}

enum { RUN = 16 }; /* sorted by insertion */

static void insert_run(pair *p, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const pair x = p[i];
        size_t j = i;
        for (; j > 0 && p[j - 1].key > x.key; j--)
            p[j] = p[j - 1];
        p[j] = x;
    }
}

/* r = the sorted runs x[0..m) and x[m..n) as one. */
static void merge(pair *r, const pair *x, size_t m, size_t n)
{
    size_t a = 0, b = m;
    if (m >= n || x[m - 1].key <= x[m].key) {
        memcpy(r, x, n * sizeof *r);
        return;
    }
    while (a < m && b < n) {
        const bool second = x[b].key < x[a].key;
        *r++ = x[second ? b : a];
        a += !second, b += second;
    }
    memcpy(r, x + a, (m - a) * sizeof *r);
    memcpy(r + (m - a), x + b, (n - b) * sizeof *r);
}

/* from[0..n) sorted; which of both arrays has them. */
static pair *sort_by_merges(pair *from, pair *to, size_t n)
{
    for (size_t i = 0; i < n; i += RUN)
        insert_run(from + i, n - i < RUN ? n - i : RUN);
    for (size_t run = RUN; run < n; run *= 2) {
        for (size_t i = 0; i < n; i += 2 * run)
            merge(to + i, from + i, n - i < run ? n - i : run,
                  n - i < 2 * run ? n - i : 2 * run);
        pair *const sorted = to;
        to = from, from = sorted;
    }
    return from;
}

enum { BYTES = sizeof(T), VALUES = 256, LEAST_BY_BYTES = 192 };

/* Byte b of a key, the least significant first; the highest with its sign flipped, so
 * that all are in order as unsigned numbers. */
INLINE size_t byte_of(int64_t key, int b)
{
    const uint64_t sign = (uint64_t)1 << (8 * BYTES - 1);
    return (((uint64_t)key ^ sign) >> (8 * b)) % VALUES;
}

/* to = from[0..n) in the order of byte b of their keys, stable. */
static void place_by_byte(pair *to, const pair *from, size_t n, int b)
{
    size_t place[VALUES] = {0}, at = 0; /* how many have it, then where the next goes */
    for (size_t i = 0; i < n; i++)
        place[byte_of(from[i].key, b)]++;
    for (size_t v = 0; v < VALUES; v++) {
        const size_t count = place[v];
        place[v] = at, at += count;
    }
    for (size_t i = 0; i < n; i++)
        to[place[byte_of(from[i].key, b)]++] = from[i];
}

/* x[0..n) is in order but for the lowest `bits` of the keys: merges what agrees in the
 * others and is not. */
static void settle(pair *x, pair *room, size_t n, int bits)
{
    for (size_t i = 1; i < n; i++) {
        if (x[i - 1].key <= x[i].key)
            continue;
        size_t first = i - 1, end = i + 1;
        while (first > 0 && x[first - 1].key >> bits == x[i].key >> bits)
            first--;
        while (end < n && x[end].key >> bits == x[i].key >> bits)
            end++;
        const pair *sorted = sort_by_merges(x + first, room, end - first);
        if (sorted == room)
            memcpy(x + first, room, (end - first) * sizeof *x);
        i = end;
    }
}

/* As sort_by_merges, of keys that differ in the bits of `differ`: radix sort (Knuth,
 * TAOCP 3, 5.2.5) by the highest bytes that do, which leaves few to merge. */
static pair *sort_by_bytes(pair *from, pair *to, size_t n, uint64_t differ)
{
    int left = n < 4096 ? 3 : 4, b = BYTES; /* enough to tell most of n keys apart */
    for (; b > 0 && left > 0; b--)
        left -= (differ >> (8 * (b - 1))) % VALUES != 0;
    const int bits = 8 * b;
    for (; b < BYTES; b++) {
        if ((differ >> (8 * b)) % VALUES == 0)
            continue;
        place_by_byte(to, from, n, b);
        pair *const sorted = to;
        to = from, from = sorted;
    }
    settle(from, to, n, bits);
    return from;
}

static size_t sort_scratch(size_t n) { return 2 * n * sizeof(pair); }

static void argsort(int64_t *r, const void *xp, size_t n, size_t step, void *scratch)
{
    const T *x = xp;
    pair *const from = scratch, *const to = from + n, *sorted = from;
    bool is_sorted = true;
    uint64_t differ = 0;
    for (size_t i = 0; i < n; i++) {
        from[i] = (pair){key_of(x[i * step]), (int64_t)i};
        is_sorted &= i == 0 || from[i - 1].key <= from[i].key;
        differ |= (uint64_t)(from[i].key ^ from[0].key);
    }
    if (!is_sorted)
        sorted = n < LEAST_BY_BYTES ? sort_by_merges(from, to, n)
                                    : sort_by_bytes(from, to, n, differ);
    for (size_t i = 0; i < n; i++)
        r[i * step] = sorted[i].at;
}

enum { TOGETHER = 16 }; /* searches whose steps do not wait for each other */

INLINE bool is_before(T x, int64_t key, bool right)
{
    return right ? key_of(x) <= key : key_of(x) < key;
}

/* r[i] = how many of the sorted x[0..n) are before v[i], for `count` of TOGETHER or
 * less: all halve the same lengths. n >= 1. */
INLINE void search_some(int64_t *r, const T *x, size_t n, const T *v, size_t count,
                        bool right)
{
    int64_t key[TOGETHER], at[TOGETHER] = {0};
    for (size_t i = 0; i < count; i++)
        key[i] = key_of(v[i]);
    for (; n > 1; n -= n / 2)
        for (size_t i = 0; i < count; i++) {
            const int64_t half = (int64_t)(n / 2);
            at[i] += is_before(x[at[i] + half - 1], key[i], right) ? half : 0;
        }
    for (size_t i = 0; i < count; i++)
        r[i] = at[i] + is_before(x[at[i]], key[i], right);
}

INLINE void search_all(int64_t *r, const T *x, size_t n, const T *v, size_t count,
                       bool right)
{
    size_t i = 0;
    for (; i + TOGETHER <= count; i += TOGETHER)
        search_some(r + i, x, n, v + i, TOGETHER, right);
    search_some(r + i, x, n, v + i, count - i, right);
}

static void search(int64_t *r, const void *x, size_t n, const void *v, size_t count,
                   bool right)
{
    if (n == 0)
        memset(r, 0, count * sizeof *r);
    else if (right)
        search_all(r, x, n, v, count, true);
    else
        search_all(r, x, n, v, count, false);
}

extern const gradc_order_table KERNEL_TABLE(order);
const gradc_order_table KERNEL_TABLE(order) = {
    .sort_scratch = sort_scratch, .argsort = argsort, .search = search};
