/* reduce.c -- sums, products, extremes and dot products of blocks and of rows.
 *
 * A block is summed in LANES virtual lanes: lane l takes elements l, l + LANES, ...
 * in order, then lanes join by halving. Neither depends on the vector width, and no
 * product is fused, so every ISA gives the same bits. Lanes have the element type
 * (at most GRADC_BLOCK / LANES terms each) and join as accumulators: float32 blocks
 * therefore lose little more than the rounding of the lanes.
 *
 * Extremes follow IEEE 754-2019 maximum and minimum: NaN if an operand is NaN, and
 * -0.0 below 0.0, so the order of the operands does not show. */
#include "kern/kern.h"
#include "kern/simd.h"
#if IS_FLOAT
#include "kern/vlane.h"
#endif

/* LANES: four vectors of the widest ISA. GROUP: vectors held in registers at a time.
 * FEW elements are taken in order, which is quicker than the lanes; of extremes, which
 * take longer one by one, fewer. */
enum { LANES = 256 / sizeof(T), FEW = 16, FEW_EXTREMES = 8 };
enum { GROUP = V_BYTES == 16 ? 8 : LANES / W };

typedef vt lane_fn(vt a, vt x);
typedef vacc acc_fn(vacc a, vacc x);

#if IS_FLOAT
#define ARITHMETIC(V, U, a, op, x) ((a)op(x))
/* Of equals only zeros differ: their bits join so that the sign comes out right. */
#define EXTREME(V, M, select, a, cmp, x, bits)                                         \
    const V r = select(((x)cmp(a)) | ((x) != (x)), x, a);                              \
    return select((x) == (a), (V)((M)(x)bits(M)(a)), r)
#else
#define ARITHMETIC(V, U, a, op, x) ((V)((U)(a)op(U)(x))) /* wraps */
#define EXTREME(V, M, select, a, cmp, x, bits) return select((x)cmp(a), x, a)
#endif

#if !IS(b8)
INLINE vt sum_lane(vt a, vt x) { return ARITHMETIC(vt, uacc, a, +, x); }
INLINE vt prod_lane(vt a, vt x) { return ARITHMETIC(vt, uacc, a, *, x); }
INLINE vacc sum_acc(vacc a, vacc x) { return ARITHMETIC(vacc, uacc, a, +, x); }
INLINE vacc prod_acc(vacc a, vacc x) { return ARITHMETIC(vacc, uacc, a, *, x); }
#endif
INLINE vt max_lane(vt a, vt x) { EXTREME(vt, vm, v_select, a, >, x, &); }
INLINE vt min_lane(vt a, vt x) { EXTREME(vt, vm, v_select, a, <, x, |); }
INLINE vacc max_acc(vacc a, vacc x) { EXTREME(vacc, macc, v_acc_select, a, >, x, &); }
INLINE vacc min_acc(vacc a, vacc x) { EXTREME(vacc, macc, v_acc_select, a, <, x, |); }

INLINE Acc one(acc_fn *op, Acc a, Acc x) { return op((vacc){a}, (vacc){x})[0]; }

/* The terms at i: elements of x, times those of y unless that is NULL. */
INLINE vt terms(const T *x, const T *y, size_t i)
{
    return y ? v_load(x + i) * v_load(y + i) : v_load(x + i);
}

INLINE vt terms_part(const T *x, const T *y, size_t i, size_t n)
{
    const vt v = v_load_part(x + i, n);
    return y ? v * v_load_part(y + i, n) : v;
}

/* Lanes 0 .. GROUP*W of the `full` first elements and of `rest` more. */
INLINE void group(T *lane, const T *x, const T *y, size_t full, size_t rest, T identity,
                  lane_fn *op)
{
    vt a[GROUP];
#pragma GCC unroll 8
    for (size_t v = 0; v < GROUP; v++)
        a[v] = v_set(identity);
    for (size_t i = 0; i < full; i += LANES)
#pragma GCC unroll 8
        for (size_t v = 0; v < GROUP; v++)
            a[v] = op(a[v], terms(x, y, i + v * W));
#pragma GCC unroll 8
    for (size_t v = 0; v < GROUP; v++) {
        const size_t i = full + v * W, left = rest > v * W ? rest - v * W : 0;
        if (left >= W)
            a[v] = op(a[v], terms(x, y, i));
        else if (left > 0)
            a[v] = v_select(v_first(left), op(a[v], terms_part(x, y, i, left)), a[v]);
        v_store(lane + v * W, a[v]);
    }
}

/* The first `live` lanes, a number the compiler knows, by halving. */
INLINE Acc join_lanes(const T *lane, size_t live, acc_fn *join)
{
    vacc a[LANES / W_ACC];
#pragma GCC unroll 32
    for (size_t v = 0; v < live / W_ACC; v++)
        a[v] = v_acc_load(lane + v * W_ACC);
#pragma GCC unroll 8
    for (size_t half = live / W_ACC / 2; half > 0; half /= 2)
#pragma GCC unroll 16
        for (size_t v = 0; v < half; v++)
            a[v] = join(a[v], a[v + half]);
    Acc wide[W_ACC];
    memcpy(wide, a, sizeof wide);
    for (size_t half = W_ACC / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            wide[l] = one(join, wide[l], wide[l + half]);
    return wide[0];
}

INLINE Acc fold(const T *x, const T *y, size_t n, T identity, lane_fn *op, acc_fn *join,
                size_t few)
{
    Acc r = (Acc)identity;
    if (n <= few) {
        for (size_t i = 0; i < n; i++)
            r = one(join, r, (Acc)(y ? (T)(x[i] * y[i]) : x[i]));
        return r;
    }
    T lane[LANES];
    const size_t full = n / LANES * LANES, rest = n - full;
    for (size_t base = 0; base < LANES; base += GROUP * W)
        group(lane + base, x + base, y ? y + base : NULL, full,
              rest > base ? rest - base : 0, identity, op);

    /* lanes above n hold the identity */
    return n > LANES / 2   ? join_lanes(lane, LANES, join)
           : n > LANES / 4 ? join_lanes(lane, LANES / 2, join)
                           : join_lanes(lane, LANES / 4, join);
}

#if IS_FLOAT
/* The extreme by the instruction, which is wrong about NaN and the sign of zeros: false
 * if it met those, or there are few elements. */
INLINE bool extreme(Acc *acc, const T *x, size_t n, vt (*op)(vt, vt))
{
    enum { N = 4 };
    if (n < W || n <= FEW_EXTREMES)
        return false;
    const size_t last = n - W;
    vt a[N];
    for (size_t v = 0; v < N; v++)
        a[v] = v_load(x + (v * W < last ? v * W : last));
    vm nan = (a[0] != a[0]) | (a[1] != a[1]) | (a[2] != a[2]) | (a[3] != a[3]);
    for (size_t i = N * W; i < n; i += N * W)
#pragma GCC unroll 4
        for (size_t v = 0; v < N; v++) {
            const vt y = v_load(x + (i + v * W < last ? i + v * W : last));
            nan |= y != y;
            a[v] = op(a[v], y);
        }
    const vt r = op(op(a[0], a[1]), op(a[2], a[3]));
    vt all = {r[0]};
    for (int l = 1; l < (int)W; l++)
        all = op(all, (vt){r[l]});
    *acc = (Acc)all[0];
    return !v_any(nan) && all[0] != 0;
}
#endif

/* Rows of few elements, each in a lane of its own and in order as in fold; how many of
 * them fill vectors. */
INLINE size_t fold_few(T *r, const T *x, size_t n, size_t count, T identity,
                       acc_fn *join)
{
    size_t j = 0;
    for (; j + W_ACC <= count; j += W_ACC, x += W_ACC * n) {
        vacc a = v_acc_set((Acc)identity);
        for (size_t i = 0; i < n; i++) {
            vacc v;
#pragma GCC unroll 8
            for (int q = 0; q < (int)W_ACC; q++)
                v[q] = (Acc)x[(size_t)q * n + i];
            a = join(a, v);
        }
        v_acc_store(r + j, a);
    }
    return j;
}

/* acc[j] = op(acc[j], x[j]) for W_ACC columns of `count` rows of n elements. */
INLINE void fold_columns(Acc *acc, const T *x, size_t n, size_t count, acc_fn *op)
{
    vacc a;
    memcpy(&a, acc, sizeof a);
    for (size_t i = 0; i < count; i++)
        a = op(a, v_acc_load(x + i * n));
    memcpy(acc, &a, sizeof a);
}

/* The same for all n columns. The last ones are read with what follows them in memory,
 * as long as that is a row too. */
INLINE void fold_rows(Acc *acc, const T *x, size_t n, size_t count, acc_fn *op)
{
    size_t j = 0;
    for (; j + W_ACC <= n; j += W_ACC)
        fold_columns(acc + j, x + j, n, count, op);
    const size_t rest = n - j, follow = n > 0 ? (W_ACC - rest + n - 1) / n : 0;
    if (rest == 0)
        return;
    const size_t safe = count > follow ? count - follow : 0;
    if (safe > 1) {
        Acc last[W_ACC] = {0};
        memcpy(last, acc + j, rest * sizeof *last);
        fold_columns(last, x + j, n, safe, op);
        memcpy(acc + j, last, rest * sizeof *last);
    }
    for (size_t i = safe > 1 ? safe : 0; i < count; i++)
        for (size_t k = j; k < n; k++)
            acc[k] = one(op, acc[k], (Acc)x[i * n + k]);
}

INLINE void fold_parts(Acc *acc, const Acc *part, size_t n, acc_fn *op)
{
    size_t j = 0;
    for (; j + W_ACC <= n; j += W_ACC) {
        vacc a, b;
        memcpy(&a, acc + j, sizeof a);
        memcpy(&b, part + j, sizeof b);
        a = op(a, b);
        memcpy(acc + j, &a, sizeof a);
    }
    for (; j < n; j++)
        acc[j] = one(op, acc[j], part[j]);
}

static void store(void *rp, const void *accp, size_t n)
{
    T *r = rp;
    const Acc *acc = accp;
    size_t j = 0;
    for (; j + W_ACC <= n; j += W_ACC) {
        vacc a;
        memcpy(&a, acc + j, sizeof a);
        v_acc_store(r + j, a);
    }
    for (; j < n; j++)
        r[j] = (T)acc[j];
}

#define REDUCER(name, identity, few, is_done)                                          \
    static void name##_block(void *acc, const void *x, size_t n)                       \
    {                                                                                  \
        if (!(is_done))                                                                \
            *(Acc *)acc = fold(x, NULL, n, identity, name##_lane, name##_acc, few);    \
    }                                                                                  \
    static void name##_each(void *rp, const void *xp, size_t n, size_t count)          \
    {                                                                                  \
        T *r = rp;                                                                     \
        const T *x = xp;                                                               \
        size_t j = n <= few ? fold_few(r, x, n, count, identity, name##_acc) : 0;      \
        for (; j < count; j++) {                                                       \
            Acc acc;                                                                   \
            name##_block(&acc, x + j * n, n);                                          \
            r[j] = (T)acc;                                                             \
        }                                                                              \
    }                                                                                  \
    static void name##_rows(void *acc, const void *x, size_t n, size_t count)          \
    {                                                                                  \
        fold_rows(acc, x, n, count, name##_acc);                                       \
    }                                                                                  \
    static void name##_join(void *acc, const void *part, size_t n)                     \
    {                                                                                  \
        fold_parts(acc, part, n, name##_acc);                                          \
    }                                                                                  \
    static void name##_clear(void *acc, size_t n)                                      \
    {                                                                                  \
        for (size_t j = 0; j < n; j++)                                                 \
            ((Acc *)acc)[j] = (Acc)(identity);                                         \
    }

#define ROW(name)                                                                      \
    [GRADC_OP_##name] = {name##_block, name##_each,  name##_rows,                      \
                         name##_join,  name##_clear, store}

#if IS_FLOAT
#define LOWEST (-(T)INFINITY)
#define HIGHEST ((T)INFINITY)
#define LARGEST extreme(acc, x, n, v_at_least)
#define SMALLEST extreme(acc, x, n, v_at_most)
#else
#define LARGEST false
#define SMALLEST false
#if IS(i64)
#define LOWEST INT64_MIN
#define HIGHEST INT64_MAX
#else
#define LOWEST 0
#define HIGHEST 1
#endif
#endif

REDUCER(max, LOWEST, FEW_EXTREMES, LARGEST)
REDUCER(min, HIGHEST, FEW_EXTREMES, SMALLEST)
#if !IS(b8)
REDUCER(sum, 0, FEW, false)
REDUCER(prod, 1, FEW, false)
#endif

#if IS_FLOAT
static void dot(void *acc, const void *x, const void *y, size_t n)
{
    *(Acc *)acc = fold(x, y, n, 0, sum_lane, sum_acc, FEW);
}
#endif

extern const gradc_reduce_table KERNEL_TABLE(reduce);
const gradc_reduce_table KERNEL_TABLE(reduce) = {
    .of =
        {
            ROW(max),
            ROW(min),
#if !IS(b8)
            ROW(sum),
            ROW(prod),
#endif
        },
#if IS_FLOAT
    .dot = dot,
#endif
};
