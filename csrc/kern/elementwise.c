/* elementwise.c -- one KERNEL line per elementwise op, for all ISAs and types.
 *
 * Each line is a value in vectors x, y, z; the macros around it make the loop over
 * full and partial vectors. FLOAT, NUMBER, LOGIC and ANY say for which element types
 * the kernel exists; a row of ops.def without its line does not compile. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("schedule-insns")
#endif

#include "kern/kern.h"
#include "kern/simd.h"

#if IS_FLOAT
#include "kern/vmath.h"
#define WRAP(v) (v)
#elif IS(i64)
#include "kern/vint.h"
/* Integers wrap around, which C leaves to unsigned types. */
typedef uint64_t vu __attribute__((vector_size(V_BYTES)));
#define WRAP(v) ((vu)(v))
#endif

/* The loop. R and X are the element types of result and first operand, V the vector of
 * the latter, load and store how they are read and written; each has a _part form for
 * the last n < W elements. Three vectors at a time, which schedule-insns interleaves:
 * one evaluation is a chain of dependent steps, and the processor looks ahead over two
 * or three of them only. */
#define LOOP(name, R, X, V, load, store, expr)                                         \
    INLINE v##store f_##name(V x, vt y, vt z)                                          \
    {                                                                                  \
        (void)x, (void)y, (void)z;                                                     \
        return expr;                                                                   \
    }                                                                                  \
    static void k_##name(void *rp, const void *xp, const void *yp, const void *zp,     \
                         size_t n)                                                     \
    {                                                                                  \
        R *r = rp;                                                                     \
        const X *px = xp;                                                              \
        const T *py = yp, *pz = zp;                                                    \
        size_t i = 0;                                                                  \
        for (; i + 3 * W <= n; i += 3 * W) {                                           \
            const v##store a = AT(name, load, i), b = AT(name, load, i + W),           \
                           c = AT(name, load, i + 2 * W);                              \
            store(r + i, a);                                                           \
            store(r + i + W, b);                                                       \
            store(r + i + 2 * W, c);                                                   \
        }                                                                              \
        for (; i + W <= n; i += W)                                                     \
            store(r + i, AT(name, load, i));                                           \
        if (i < n) {                                                                   \
            const V x = load##_part(px + i, n - i);                                    \
            const vt y = v_load_part(py + i, n - i);                                   \
            const vt z = v_load_part(pz + i, n - i);                                   \
            store##_part(r + i, f_##name(x, y, z), n - i);                             \
        }                                                                              \
    }
#define AT(name, load, i) f_##name(load(px + (i)), v_load(py + (i)), v_load(pz + (i)))
typedef vt vv_store;      /* what v_store takes */
typedef vm vv_store_mask; /* what v_store_mask takes */

/* The loop over cells, one lane at a time: for arithmetic, which takes no longer than
 * its operands do to arrive. `one` is the first operand as lane 0 of a V, and `value`
 * the result's element from a vector. */
#define CELL(type, i) (*(type *)(cell + GRADC_CELL * (size_t)(i)))
#define CELLS(name, R, V, one, value, expr)                                            \
    enum { in_order_##name = true };                                                   \
    static void c_##name(char *cell, uint32_t r, const uint32_t *px,                   \
                         const uint32_t *py, const uint32_t *pz, size_t n)             \
    {                                                                                  \
        for (size_t i = 0; i < n; i++) {                                               \
            const V x = {one(px[i])};                                                  \
            const vt y = {CELL(T, py[i])}, z = {CELL(T, pz[i])};                       \
            (void)x, (void)y, (void)z;                                                 \
            CELL(R, r + i) = value(expr);                                              \
        }                                                                              \
    }
#define ONE_VALUE(i) CELL(T, i)
#define ONE_CHOICE(i) (M) - CELL(uint8_t, i)
#define LANE(v) ((v)[0])
#define LANE_TEST(m) (uint8_t)(-((vm)(m))[0])

/* The same for functions, which take as long for a vector of values as for one: up to a
 * vector of them in registers, as memory that was written by elements makes who reads
 * it as a vector wait; more by the loop over blocks. */
enum { CELLS_BLOCK = 64 };

/* The first n <= W; lanes that are left repeat the first. */
INLINE vt few_cells(const char *cell, const uint32_t *at, size_t n)
{
    if (n == 1)
        return v_set(CELL(T, *at));
    vt v;
#pragma GCC unroll 16
    for (size_t i = 0; i < W; i++)
        v[i] = CELL(T, at[i < n ? i : 0]);
    return v;
}

INLINE void gather_cells(T *to, const char *cell, const uint32_t *at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to[i] = CELL(T, at[i]);
}

INLINE void scatter_cells(char *cell, uint32_t r, const T *from, size_t n)
{
    for (size_t i = 0; i < n; i++)
        CELL(T, r + i) = from[i];
}

INLINE void put_few_cells(char *cell, uint32_t r, vt v, size_t n)
{
    if (n == 1) {
        CELL(T, r) = v[0];
        return;
    }
    T lane[W];
    v_store(lane, v);
    scatter_cells(cell, r, lane, n);
}

#define CELLS_WIDE(name)                                                               \
    enum { in_order_##name = false };                                                  \
    static void c_##name(char *cell, uint32_t r, const uint32_t *px,                   \
                         const uint32_t *py, const uint32_t *pz, size_t n)             \
    {                                                                                  \
        T x[CELLS_BLOCK], y[CELLS_BLOCK], v[CELLS_BLOCK];                              \
        const bool one = py == px;                                                     \
        (void)pz;                                                                      \
        if (n <= W) {                                                                  \
            const vt a = few_cells(cell, px, n);                                       \
            const vt b = one ? a : few_cells(cell, py, n);                             \
            put_few_cells(cell, r, f_##name(a, b, a), n);                              \
            return;                                                                    \
        }                                                                              \
        for (size_t i = 0, m; i < n; i += m) {                                         \
            m = n - i < CELLS_BLOCK ? n - i : CELLS_BLOCK;                             \
            gather_cells(x, cell, px + i, m);                                          \
            if (!one)                                                                  \
                gather_cells(y, cell, py + i, m);                                      \
            k_##name(v, x, one ? x : y, x, m);                                         \
            scatter_cells(cell, r + (uint32_t)i, v, m);                                \
        }                                                                              \
    }

/* A function of x and y that branches, over which nothing interleaves; fn3 is the same
 * for three vectors, with one branch for all of them. */
#define TRIPLE(name, fn, fn3)                                                          \
    INLINE vt f_##name(vt x, vt y, vt z)                                               \
    {                                                                                  \
        (void)z;                                                                       \
        return fn(x, y);                                                               \
    }                                                                                  \
    static void k_##name(void *rp, const void *xp, const void *yp, const void *zp,     \
                         size_t n)                                                     \
    {                                                                                  \
        T *r = rp;                                                                     \
        const T *x = xp, *y = yp;                                                      \
        size_t i = 0;                                                                  \
        (void)zp;                                                                      \
        for (; i + 3 * W <= n; i += 3 * W) {                                           \
            vt p[3];                                                                   \
            fn3(p, (vt[])THREE(x + i), (vt[])THREE(y + i));                            \
            v_store(r + i, p[0]);                                                      \
            v_store(r + i + W, p[1]);                                                  \
            v_store(r + i + 2 * W, p[2]);                                              \
        }                                                                              \
        for (; i + W <= n; i += W)                                                     \
            v_store(r + i, fn(v_load(x + i), v_load(y + i)));                          \
        if (i < n) {                                                                   \
            const vt a = v_load_part(x + i, n - i), b = v_load_part(y + i, n - i);     \
            v_store_part(r + i, fn(a, b), n - i);                                      \
        }                                                                              \
    }                                                                                  \
    CELLS_WIDE(name)
#define THREE(p) {v_load(p), v_load((p) + W), v_load((p) + 2 * W)}

#define ANY_KERNEL(name, expr)                                                         \
    LOOP(name, T, T, vt, v_load, v_store, expr)                                        \
    CELLS(name, T, vt, ONE_VALUE, LANE, expr)
#define ANY_TEST(name, expr)                                                           \
    LOOP(name, uint8_t, T, vt, v_load, v_store_mask, (vm)(expr))                       \
    CELLS(name, uint8_t, vt, ONE_VALUE, LANE_TEST, expr)
/* A bool first operand chooses. */
#define CHOICE_KERNEL(name, expr)                                                      \
    LOOP(name, T, uint8_t, vm, v_load_mask, v_store, expr)                             \
    CELLS(name, T, vm, ONE_CHOICE, LANE, expr)

#if IS_FLOAT
#define FLOAT_KERNEL(name, expr)                                                       \
    LOOP(name, T, T, vt, v_load, v_store, expr)                                        \
    CELLS_WIDE(name)
#define TRIPLE_KERNEL(name, fn) TRIPLE(name, fn, fn##3)
#define FLOAT_LIGHT ANY_KERNEL
#define FLOAT_TEST ANY_TEST
#define HAVE_FLOAT(kernel) kernel
#else
#define FLOAT_KERNEL(name, expr)
#define TRIPLE_KERNEL(name, fn)
#define FLOAT_LIGHT(name, expr)
#define FLOAT_TEST(name, expr)
#define HAVE_FLOAT(kernel) NULL
#endif
#if IS(b8)
#define NUMBER_KERNEL(name, expr)
#define HAVE_NUMBER(kernel) NULL
#define LOGIC_TEST(name, expr) ANY_KERNEL(name, (expr) & v_set(1))
#define HAVE_LOGIC(kernel) kernel
#else
#define NUMBER_KERNEL ANY_KERNEL
#define HAVE_NUMBER(kernel) kernel
#define LOGIC_TEST(name, expr)
#define HAVE_LOGIC(kernel) NULL
#endif
#define HAVE_ANY(kernel) kernel

#if IS_FLOAT
NUMBER_KERNEL(abs, v_abs(x))
NUMBER_KERNEL(sign,
              v_select(x == 0, v_set(0), v_select(x == x, v_copysign(v_set(1), x), x)))
#else
NUMBER_KERNEL(abs, v_select(x < 0, (vt)-WRAP(x), x))
NUMBER_KERNEL(sign, v_select(x > 0, v_set(1), v_select(x < 0, v_set(-1), v_set(0))))
#endif
FLOAT_KERNEL(arccos, v_arccos(x))
FLOAT_KERNEL(arccosh, v_arccosh(x))
FLOAT_KERNEL(arcsin, v_arcsin(x))
FLOAT_KERNEL(arcsinh, v_arcsinh(x))
FLOAT_KERNEL(arctan, v_arctan(x))
FLOAT_KERNEL(arctanh, v_arctanh(x))
FLOAT_KERNEL(cbrt, v_cbrt(x))
FLOAT_KERNEL(ceil, v_ceil(x))
FLOAT_KERNEL(cos, v_cos(x))
FLOAT_KERNEL(cosh, v_cosh(x))
FLOAT_KERNEL(erf, v_erf(x))
FLOAT_KERNEL(erfc, v_erfc(x))
FLOAT_KERNEL(exp, v_exp(x))
FLOAT_KERNEL(exp2, v_exp2(x))
FLOAT_KERNEL(expm1, v_expm1(x))
FLOAT_KERNEL(floor, v_floor(x))
FLOAT_KERNEL(log, v_log(x))
FLOAT_KERNEL(log10, v_log10(x))
FLOAT_KERNEL(log1p, v_log1p(x))
FLOAT_KERNEL(log2, v_log2(x))
NUMBER_KERNEL(neg, (vt)-WRAP(x))
FLOAT_KERNEL(reciprocal, 1 / x)
NUMBER_KERNEL(relu, v_keep(~(x <= 0), x))
FLOAT_KERNEL(round, v_round(x))
FLOAT_KERNEL(sigmoid, v_sigmoid(x))
FLOAT_KERNEL(sin, v_sin(x))
FLOAT_KERNEL(sinh, v_sinh(x))
FLOAT_KERNEL(softplus, v_softplus(x))
FLOAT_KERNEL(sqrt, v_sqrt(x))
NUMBER_KERNEL(square, (vt)(WRAP(x) * WRAP(x)))
FLOAT_KERNEL(tan, v_tan(x))
FLOAT_KERNEL(tanh, v_tanh(x))
FLOAT_KERNEL(trunc, v_trunc(x))

NUMBER_KERNEL(add, (vt)(WRAP(x) + WRAP(y)))
FLOAT_LIGHT(annihilate, v_keep(x != 0, x *y))
FLOAT_LIGHT(annihilate_both, v_keep((x != 0) & (y != 0), x *y))
FLOAT_KERNEL(arctan2, v_arctan2(x, y))
FLOAT_LIGHT(copysign, v_copysign(x, y))
FLOAT_KERNEL(div, x / y)
NUMBER_KERNEL(floordiv, v_floordiv(x, y))
NUMBER_KERNEL(fmod, v_fmod(x, y))
FLOAT_KERNEL(hypot, v_hypot(x, y))
FLOAT_KERNEL(logaddexp, v_logaddexp(x, y))
/* NaN is larger and smaller than everything, so that it is not lost. */
#if IS_FLOAT
ANY_KERNEL(maximum, v_select(y != y, y, v_at_least(x, y)))
ANY_KERNEL(minimum, v_select(y != y, y, v_at_most(x, y)))
#else
ANY_KERNEL(maximum, v_select(x >= y, x, y))
ANY_KERNEL(minimum, v_select(x <= y, x, y))
#endif
NUMBER_KERNEL(mod, v_mod(x, y))
NUMBER_KERNEL(mul, (vt)(WRAP(x) * WRAP(y)))
TRIPLE_KERNEL(pow, v_pow)
NUMBER_KERNEL(sub, (vt)(WRAP(x) - WRAP(y)))

CHOICE_KERNEL(where, v_select(x, y, z))

ANY_TEST(eq, x == y)
ANY_TEST(ge, x >= y)
ANY_TEST(gt, x > y)
FLOAT_TEST(isfinite, x - x == 0)
FLOAT_TEST(isinf, v_abs(x) == v_set(INFINITY))
FLOAT_TEST(isnan, x != x)
ANY_TEST(le, x <= y)
LOGIC_TEST(logical_and, x &y)
LOGIC_TEST(logical_not, ~x)
LOGIC_TEST(logical_or, x | y)
LOGIC_TEST(logical_xor, x ^ y)
ANY_TEST(lt, x < y)
ANY_TEST(ne, x != y)

#if IS_FLOAT
/* Two operations in one pass: half the blocks to write and read again. */
#define PAIR(name, expr) LOOP(name, T, T, vt, v_load, v_store, expr)
PAIR(add_add, (x + y) + z)
PAIR(add_sub, (x + y) - z)
PAIR(add_sub_from, z - (x + y))
PAIR(add_mul, (x + y) * z)
PAIR(sub_add, (x - y) + z)
PAIR(sub_sub, (x - y) - z)
PAIR(sub_sub_from, z - (x - y))
PAIR(sub_mul, (x - y) * z)
PAIR(mul_add, (x * y) + z)
PAIR(mul_sub, (x * y) - z)
PAIR(mul_sub_from, z - (x * y))
PAIR(mul_mul, (x * y) * z)
#endif

/* Conversions: C casts, except that what int64 cannot hold becomes its least value. */
#if IS_FLOAT
#define TO_I64(v) ((v) >= (T) - 0x1p63 && (v) < (T)0x1p63 ? (int64_t)(v) : INT64_MIN)
#else
#define TO_I64(v) (int64_t)(v)
#endif
#if defined(__GNUC__) && !defined(__clang__)
/* At -O2 gcc takes vectors for no loop whose length it does not know. */
#define VECTORS __attribute__((optimize("vect-cost-model=dynamic")))
#else
#define VECTORS
#endif
#define CONVERT(name, R, expr)                                                         \
    static VECTORS void name(void *rp, const void *xp, const void *yp, const void *zp, \
                             size_t n)                                                 \
    {                                                                                  \
        R *r = rp;                                                                     \
        const T *x = xp;                                                               \
        (void)yp, (void)zp;                                                            \
        for (size_t i = 0; i < n; i++)                                                 \
            r[i] = expr;                                                               \
    }

CONVERT(to_f64, double, (double)x[i])
CONVERT(to_f32, float, (float)x[i])
CONVERT(to_i64, int64_t, TO_I64(x[i]))
CONVERT(to_bool, uint8_t, x[i] != 0)

extern const gradc_map_table KERNEL_TABLE(map);
const gradc_map_table KERNEL_TABLE(map) = {
#define BINARY UNARY
#define BILINEAR UNARY
#define TERNARY UNARY
    .map =
        {
#define UNARY(name, types, ...) [GRADC_OP_##name] = HAVE_##types(k_##name),
#define TEST(name, arity, types, ...) [GRADC_OP_##name] = HAVE_##types(k_##name),
#include "ops.def"
#undef UNARY
#undef TEST
        },
#if IS_FLOAT
    .pair = {{k_add_add, k_add_sub, k_add_sub_from, k_add_mul},
             {k_sub_add, k_sub_sub, k_sub_sub_from, k_sub_mul},
             {k_mul_add, k_mul_sub, k_mul_sub_from, k_mul_mul}},
#endif
    .cells =
        {
#define UNARY(name, types, ...) [GRADC_OP_##name] = HAVE_##types(c_##name),
#define TEST(name, arity, types, ...) [GRADC_OP_##name] = HAVE_##types(c_##name),
#include "ops.def"
#undef UNARY
#undef TEST
        },
    .in_order =
        {
#define UNARY(name, types, ...) [GRADC_OP_##name] = HAVE_##types(in_order_##name),
#define TEST(name, arity, types, ...) [GRADC_OP_##name] = HAVE_##types(in_order_##name),
#include "ops.def"
#undef UNARY
#undef TEST
        },
#undef BINARY
#undef BILINEAR
#undef TERNARY
    .convert = {to_f64, to_f32, to_i64, to_bool},
};
