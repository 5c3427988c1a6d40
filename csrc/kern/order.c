/* order.c -- sorting and searching: positions, never values.
 *
 * Elements are compared as keys, int64 numbers in the same order: both zeros are equal,
 * and all NaNs are equal and last, as NumPy sorts them. The sort is a merge sort on
 * pairs of key and position, stable, whose merges choose without a branch. */
#include "kern/kern.h"
#include "kern/simd.h"

typedef struct pair {
    int64_t key, at;
} pair;

INLINE int64_t key_of(T x)
{
#if IS_FLOAT
    M bits;
    if (x != x)
        return INT64_MAX;
    x += (T)0; /* -0 -> 0 */
    memcpy(&bits, &x, sizeof bits);
    return bits ^ (bits < 0 ? (M)(INT64_MAX >> (64 - 8 * sizeof(M))) : 0);
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

static size_t sort_scratch(size_t n) { return 2 * n * sizeof(pair); }

static void argsort(int64_t *r, const void *xp, size_t n, size_t step, void *scratch)
{
    const T *x = xp;
    pair *from = scratch, *to = from + n;
    for (size_t i = 0; i < n; i++)
        from[i] = (pair){key_of(x[i * step]), (int64_t)i};
    for (size_t i = 0; i < n; i += RUN)
        insert_run(from + i, n - i < RUN ? n - i : RUN);
    for (size_t run = RUN; run < n; run *= 2) {
        for (size_t i = 0; i < n; i += 2 * run)
            merge(to + i, from + i, n - i < run ? n - i : run,
                  n - i < 2 * run ? n - i : 2 * run);
        pair *const sorted = to;
        to = from, from = sorted;
    }
    for (size_t i = 0; i < n; i++)
        r[i * step] = from[i].at;
}

/* How many of x[0..n), which is sorted, are below `key`. */
INLINE int64_t count_below(const T *x, size_t n, int64_t key)
{
    const T *from = x;
    if (n == 0)
        return 0;
    for (; n > 1; n -= n / 2)
        from += key_of(from[n / 2 - 1]) < key ? n / 2 : 0;
    return from - x + (key_of(*from) < key);
}

static void search(int64_t *r, const void *x, size_t n, const void *v, size_t count,
                   bool right)
{
    for (size_t i = 0; i < count; i++) {
        const int64_t key = key_of(((const T *)v)[i]);
        /* to the right of what equals it: below the key after it, if there is one */
        r[i] = right && key == INT64_MAX ? (int64_t)n : count_below(x, n, key + right);
    }
}

extern const gradc_order_table KERNEL_TABLE(order);
const gradc_order_table KERNEL_TABLE(order) = {
    .sort_scratch = sort_scratch, .argsort = argsort, .search = search};
