/* native_op.c -- the machine code of each op of arithmetic.
 *
 * One line an op: how it is written and with which opcode. It must give the bits that
 * its KERNEL line of kern/elementwise.c gives. */
#include "run/native_op.h"

#if defined(__x86_64__)

#define FLOAT_OP(c) {.code = (c), .map = 1, .prefix = 1, .by_type = true}
static const x86_op move = FLOAT_OP(0x28), and = FLOAT_OP(0x54),
                    and_not = FLOAT_OP(0x55), or = FLOAT_OP(0x56), xor = FLOAT_OP(0x57),
                    mul = FLOAT_OP(0x59), compare = FLOAT_OP(0xC2);
static const x86_op blend = {.code = 0x65, .map = 2, .prefix = 1, .by_type = true};
static const x86_op blend_narrow64 = {.code = 0x4B, .map = 3, .prefix = 1},
                    blend_narrow32 = {.code = 0x4A, .map = 3, .prefix = 1};
enum { EQUAL = 0, UNORDERED = 3, NOT_EQUAL = 4, NOT_LESS_OR_EQUAL = 0x16 };

static unsigned reg_of(const native_run *u, uint16_t v) { return u->v[v].reg; }

static x86_place at_reg(const native_run *u, uint16_t v)
{
    return x86_reg(u->v[v].reg);
}

static x86_op float_op(unsigned code) { return (x86_op)FLOAT_OP((uint8_t)code); }

/* The mask `r` of lanes where x and y compare so. */
static void test(x86 *e, unsigned r, unsigned x, unsigned y, unsigned predicate,
                 unsigned k)
{
    x86_masked(e, compare, r, x, x86_reg(y), k, false);
    x86_byte(e, predicate);
}

static void emit_binary(x86 *e, const native_run *u, const native_instruction *i)
{
    x86_vector(e, float_op(i->how->code), reg_of(u, i->r), reg_of(u, i->x),
               at_reg(u, i->y));
}

static void emit_sqrt(x86 *e, const native_run *u, const native_instruction *i)
{
    x86_vector(e, float_op(i->how->code), reg_of(u, i->r), X86_NONE, at_reg(u, i->x));
}

static void emit_with_bits(x86 *e, const native_run *u, const native_instruction *i)
{
    x86_vector(e, float_op(i->how->code), reg_of(u, i->r), reg_of(u, i->bits),
               at_reg(u, i->x));
}

static void emit_copysign(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned a = native_other(e, 0), b = native_other(e, 1),
                   sign = reg_of(u, i->bits);
    x86_vector(e, and, a, sign, at_reg(u, i->y));
    x86_vector(e, and_not, b, sign, at_reg(u, i->x));
    x86_vector(e, or, reg_of(u, i->r), a, x86_reg(b));
}

/* NaN of either operand, then as v_at_least and v_at_most of kern/simd.h. */
static void emit_extreme(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned a = native_other(e, 0), b = native_other(e, 1), y = reg_of(u, i->y);
    x86_vector(e, float_op(i->how->code), a, y, at_reg(u, i->x));
    if (e->wide) {
        test(e, K_OTHER, y, y, UNORDERED, 0);
        x86_masked(e, blend, reg_of(u, i->r), a, x86_reg(y), K_OTHER, false);
        return;
    }
    test(e, b, y, y, UNORDERED, 0);
    x86_vector(e, e->single ? blend_narrow32 : blend_narrow64, reg_of(u, i->r), a,
               x86_reg(y));
    x86_byte(e, b << 4);
}

static void emit_relu(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned r = reg_of(u, i->r), x = reg_of(u, i->x), zero = reg_of(u, i->bits);
    test(e, e->wide ? (unsigned)K_OTHER : native_other(e, 0), x, zero,
         NOT_LESS_OR_EQUAL, 0);
    if (e->wide)
        x86_masked(e, move, r, X86_NONE, x86_reg(x), K_OTHER, true);
    else
        x86_vector(e, and, r, x, x86_reg(native_other(e, 0)));
}

/* x y where x, and with code 1 y too, is not zero; else zero. */
static void emit_annihilate(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned r = reg_of(u, i->r), x = reg_of(u, i->x), y = reg_of(u, i->y);
    const unsigned zero = reg_of(u, i->bits), a = native_other(e, 0),
                   b = native_other(e, 1);
    const bool both = i->how->code != 0;
    if (e->wide) {
        test(e, K_OTHER, x, zero, NOT_EQUAL, 0);
        if (both)
            test(e, K_OTHER, y, zero, NOT_EQUAL, K_OTHER);
        x86_masked(e, mul, r, x, x86_reg(y), K_OTHER, true);
        return;
    }
    test(e, a, x, zero, NOT_EQUAL, 0);
    if (both) {
        test(e, b, y, zero, NOT_EQUAL, 0);
        x86_vector(e, and, a, a, x86_reg(b));
    }
    x86_vector(e, mul, b, x, x86_reg(y));
    x86_vector(e, and, r, a, x86_reg(b));
}

static void emit_test(x86 *e, const native_run *u, const native_instruction *i)
{
    test(e, reg_of(u, i->r), reg_of(u, i->x), reg_of(u, i->y), i->how->code, 0);
}

static void emit_where(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned r = reg_of(u, i->r), m = reg_of(u, i->x), z = reg_of(u, i->z);
    if (e->wide) {
        x86_masked(e, blend, r, z, at_reg(u, i->y), m, false);
        return;
    }
    x86_vector(e, e->single ? blend_narrow32 : blend_narrow64, r, z, at_reg(u, i->y));
    x86_byte(e, m << 4);
}

/* On masks: the opcode is that of mask registers, or of vectors. */
static void mask_op(x86 *e, unsigned code, unsigned r, unsigned x, unsigned y)
{
    const uint8_t bytes[] = {0xC5, (uint8_t)(0x80 | (~x & 15) << 3 | 4), (uint8_t)code,
                             (uint8_t)(3 << 6 | r << 3 | y)};
    x86_bytes(e, sizeof bytes, bytes);
}

static void emit_logic(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned r = reg_of(u, i->r), x = reg_of(u, i->x), y = reg_of(u, i->y);
    static const uint8_t of_masks[] = {[0x54] = 0x41, [0x56] = 0x45, [0x57] = 0x47};
    if (e->wide)
        mask_op(e, of_masks[i->how->code], r, x, y);
    else
        x86_vector(e, float_op(i->how->code), r, x, x86_reg(y));
}

/* Nothing is known of lanes that nobody reads. */
static void emit_not(x86 *e, const native_run *u, const native_instruction *i)
{
    const unsigned r = reg_of(u, i->r), x = reg_of(u, i->x);
    const uint8_t bytes[] = {0xC5, 0xF8, 0x44, (uint8_t)(3 << 6 | r << 3 | x)};
    if (e->wide)
        x86_bytes(e, sizeof bytes, bytes);
    else
        x86_vector(e, xor, r, x, at_reg(u, i->bits));
}

const native_recipe gradc_native_recipe[GRADC_OP_COUNT] = {
    [GRADC_OP_add] = {emit_binary, 0x58},
    [GRADC_OP_sub] = {emit_binary, 0x5C},
    [GRADC_OP_mul] = {emit_binary, 0x59},
    [GRADC_OP_div] = {emit_binary, 0x5E},
    [GRADC_OP_square] = {emit_binary, 0x59},
    [GRADC_OP_sqrt] = {emit_sqrt, 0x51},
    [GRADC_OP_neg] = {emit_with_bits, 0x57, BITS_SIGN},
    [GRADC_OP_abs] = {emit_with_bits, 0x54, BITS_LESS_SIGN},
    [GRADC_OP_reciprocal] = {emit_with_bits, 0x5E, BITS_ONE},
    [GRADC_OP_copysign] = {emit_copysign, 0, BITS_SIGN},
    [GRADC_OP_maximum] = {emit_extreme, 0x5F},
    [GRADC_OP_minimum] = {emit_extreme, 0x5D},
    [GRADC_OP_relu] = {emit_relu, 0, BITS_ZERO},
    [GRADC_OP_annihilate] = {emit_annihilate, 0, BITS_ZERO},
    [GRADC_OP_annihilate_both] = {emit_annihilate, 1, BITS_ZERO},
    [GRADC_OP_where] = {emit_where, .of_masks = 1},
    [GRADC_OP_eq] = {emit_test, 0x00, .makes_mask = true},
    [GRADC_OP_lt] = {emit_test, 0x11, .makes_mask = true},
    [GRADC_OP_le] = {emit_test, 0x12, .makes_mask = true},
    [GRADC_OP_isnan] = {emit_test, UNORDERED, .makes_mask = true},
    [GRADC_OP_ne] = {emit_test, NOT_EQUAL, .makes_mask = true},
    [GRADC_OP_ge] = {emit_test, 0x1D, .makes_mask = true},
    [GRADC_OP_gt] = {emit_test, 0x1E, .makes_mask = true},
    [GRADC_OP_logical_and] = {emit_logic, 0x54, .makes_mask = true, .of_masks = 2},
    [GRADC_OP_logical_or] = {emit_logic, 0x56, .makes_mask = true, .of_masks = 2},
    [GRADC_OP_logical_xor] = {emit_logic, 0x57, .makes_mask = true, .of_masks = 2},
    [GRADC_OP_logical_not] = {emit_not, 0, BITS_ALL, .makes_mask = true, .of_masks = 2},
};

#endif
