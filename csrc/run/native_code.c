/* native_code.c -- a run of arithmetic as one function.
 *
 * It walks the block a vector at a time; where values stay for a line, which may end
 * anywhere in the block, line by line. */
#include "run/native_op.h"

#if defined(__x86_64__)

static const uint8_t base_register[NATIVE_BASES] = {RAX, RCX, RDX, R8,  R9, RBX,
                                                    RBP, R12, R13, R14, R15};
enum { FREE_BASES = 5 }; /* those before that the callee need not keep */

#define BYTES(e, ...)                                                                  \
    x86_bytes(e, sizeof (uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__})

static unsigned lanes(const x86 *e)
{
    return (e->wide ? 64 : 32) / (e->single ? 4 : 8);
}

static uint8_t base_of(const native_run *u, uint32_t slot)
{
    uint32_t i = 0;
    while (u->base[i].slot != slot)
        i++;
    return base_register[i];
}

static x86_place in_slot(const x86 *e, const native_run *u, uint32_t slot, bool is_mask)
{
    return (x86_place){.reg = X86_NONE,
                       .base = base_of(u, slot),
                       .index = RDI,
                       .scale = is_mask     ? 1
                                : e->single ? 4
                                            : 8};
}

#define VECTOR_OP(c, m, p, ...)                                                        \
    (x86_op) { .code = (c), .map = (m), .prefix = (p), __VA_ARGS__ }

/* Lanes that are not there become zero, and are not written. */
static void load(x86 *e, const native_run *u, const native_value *v, bool tail)
{
    const x86_place at = in_slot(e, u, v->slot, v->is_mask);
    const unsigned a = native_other(e, 0);
    if (v->is_mask) { /* bytes 0 or 1 */
        x86_masked(e, VECTOR_OP(0x6F, 1, 3, .bits = 128), a, X86_NONE, at, K_LANES,
                   true);
        x86_vector(e, VECTOR_OP(0x26, 2, 1, .bits = 128), v->reg, a, x86_reg(a));
    } else if (tail && e->wide) {
        x86_masked(e, VECTOR_OP(0x10, 1, 1, .by_type = true), v->reg, X86_NONE, at,
                   K_LANES, true);
    } else if (tail) {
        x86_vector(e, VECTOR_OP(e->single ? 0x2C : 0x2D, 2, 1), v->reg, LANES_TAIL, at);
    } else {
        x86_vector(e, VECTOR_OP(0x10, 1, 1, .by_type = true), v->reg, X86_NONE, at);
    }
}

static void store(x86 *e, const native_run *u, const native_value *v, uint32_t slot,
                  bool tail)
{
    const x86_place at = in_slot(e, u, slot, v->is_mask);
    const unsigned a = native_other(e, 0);
    if (v->is_mask) {
        x86_vector(e, VECTOR_OP(0x28, 2, 2, .bits = 128), a, X86_NONE, x86_reg(v->reg));
        x86_vector(e, VECTOR_OP(0x1C, 2, 1, .bits = 128), a, X86_NONE, x86_reg(a));
        x86_masked(e, VECTOR_OP(0x7F, 1, 3, .bits = 128), a, X86_NONE, at, K_LANES,
                   false);
    } else if (tail && e->wide) {
        x86_masked(e, VECTOR_OP(0x11, 1, 1, .by_type = true), v->reg, X86_NONE, at,
                   K_LANES, false);
    } else if (tail) {
        x86_vector(e, VECTOR_OP(e->single ? 0x2E : 0x2F, 2, 1), v->reg, LANES_TAIL, at);
    } else {
        x86_vector(e, VECTOR_OP(0x11, 1, 1, .by_type = true), v->reg, X86_NONE, at);
    }
}

/* One vector of each slot. */
static void body(x86 *e, const native_run *u, bool tail)
{
    for (uint32_t i = 0; i < u->n_instruction; i++) {
        const native_instruction *in = &u->i[i];
        const uint16_t need[] = {in->x, in->y, in->z};
        for (int j = 0; j < 3; j++) {
            const native_value *v = &u->v[need[j]];
            const bool seen =
                (j > 0 && need[j] == need[0]) || (j == 2 && need[2] == need[1]);
            if (v->kind == NATIVE_SLOT && v->first == i && !seen)
                load(e, u, v, tail);
        }
        in->how->emit(e, u, in);
        if (in->store != NATIVE_NOWHERE)
            store(e, u, &u->v[in->r], in->store, tail);
    }
}

static const uint64_t bits64[BITS_COUNT] = {[BITS_SIGN] = 1ull << 63,
                                            [BITS_LESS_SIGN] = ~0ull >> 1,
                                            [BITS_ONE] = 0x3FF0000000000000,
                                            [BITS_ALL] = ~0ull};
static const uint32_t bits32[BITS_COUNT] = {[BITS_SIGN] = 1u << 31,
                                            [BITS_LESS_SIGN] = ~0u >> 1,
                                            [BITS_ONE] = 0x3F800000,
                                            [BITS_ALL] = ~0u};

/* The value in each lane of `reg`. */
static void repeat(x86 *e, unsigned reg, x86_place value)
{
    x86_vector(e, VECTOR_OP(e->single ? 0x18 : 0x19, 2, 1, .by_type = true), reg,
               X86_NONE, value);
}

static x86_place at_base(unsigned base)
{
    return (x86_place){
        .reg = X86_NONE, .base = (uint8_t)base, .index = X86_NONE, .scale = 1};
}

/* Values that are the same in all vectors. */
static void hold(x86 *e, const native_value *v)
{
    if (v->kind == NATIVE_ONE) {
        x86_load_word(e, R10, RDI, v->slot * (uint32_t)sizeof(char *));
        repeat(e, v->reg, at_base(R10));
        return;
    }
    x86_set_word(e, R10, e->single ? bits32[v->slot] : bits64[v->slot]);
    if (e->wide) {
        x86_vector(e, VECTOR_OP(0x7C, 2, 1, .by_type = true), v->reg, X86_NONE,
                   x86_reg(R10));
        return;
    }
    BYTES(e, 0xC4, 0x41, 0xF9, 0x6E, 0xEA); /* vmovq xmm13, r10 */
    repeat(e, v->reg, x86_reg(native_other(e, 0)));
}

/* Lanes of a partial vector, by how many: from the middle, less that many. */
static const uint32_t lanes_table[16] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

/* Prepares for the first r11 lanes. */
static void set_tail(x86 *e)
{
    if (e->wide) {
        BYTES(e, 0x41, 0xBA, 0xFF, 0xFF, 0xFF, 0xFF); /* mov r10d, -1 */
        BYTES(e, 0xC4, 0x42, 0x20, 0xF5, 0xD2);       /* bzhi r10d, r10d, r11d */
        BYTES(e, 0xC4, 0xC1, 0x78, 0x92, 0xCA);       /* kmovw k1, r10d */
        return;
    }
    x86_set_word(e, R10, (uint64_t)(uintptr_t)(lanes_table + 8));
    BYTES(e, 0x49, 0xC1, 0xE3, e->single ? 2 : 3); /* shl r11, 2 or 3 */
    BYTES(e, 0x4D, 0x29, 0xDA);                    /* sub r10, r11 */
    x86_vector(e, VECTOR_OP(0x10, 1, 1, .by_type = true), LANES_TAIL, X86_NONE,
               at_base(R10));
}

/* A line begins: values that are the same in all its vectors, and where it ends. */
static void begin_line(x86 *e, const native_run *u)
{
    BYTES(e, 0x4D, 0x39, 0xFE);       /* cmp r14, r15 */
    BYTES(e, 0x4D, 0x0F, 0x47, 0xF7); /* cmova r14, r15 */
    for (uint32_t i = 0; i < u->n_value; i++)
        if (u->v[i].kind == NATIVE_LINE)
            repeat(e, u->v[i].reg, at_base(base_of(u, u->v[i].slot)));
    BYTES(e, 0x4C, 0x89, 0xF6); /* mov rsi, r14 */
}

static void end_line(x86 *e, const native_run *u, const uint8_t *next)
{
    for (uint32_t i = 0; i < u->n_base; i++)
        if (u->base[i].step != 0)
            x86_add(e, base_register[i], u->base[i].step);
    BYTES(e, 0x4C, 0x89, 0xF7); /* mov rdi, r14 */
    x86_add(e, R14, (int32_t)u->line);
    BYTES(e, 0x4C, 0x39, 0xFF); /* cmp rdi, r15 */
    x86_jump(e, JUMP_BELOW, next);
}

/* The elements from rdi to rsi, a vector at a time; r11 is the rest. */
static void vectors(x86 *e, const native_run *u)
{
    const uint8_t w = (uint8_t)lanes(e);
    if (e->wide) {                        /* all lanes */
        BYTES(e, 0x41, 0xBB, w, 0, 0, 0); /* mov r11d, w */
        set_tail(e);
    }
    BYTES(e, 0x49, 0x89, 0xF3);                   /* mov r11, rsi */
    BYTES(e, 0x49, 0x29, 0xFB);                   /* sub r11, rdi */
    BYTES(e, 0x41, 0x83, 0xE3, (uint8_t)(w - 1)); /* and r11d, w - 1 */
    BYTES(e, 0x4C, 0x29, 0xDE);                   /* sub rsi, r11 */
    BYTES(e, 0x48, 0x39, 0xF7);                   /* cmp rdi, rsi */
    uint8_t *is_short = x86_jump(e, JUMP_ZERO, NULL);
    const uint8_t *top = e->at;
    body(e, u, false);
    BYTES(e, 0x48, 0x83, 0xC7, w); /* add rdi, w */
    BYTES(e, 0x48, 0x39, 0xF7);    /* cmp rdi, rsi */
    x86_jump(e, JUMP_BELOW, top);
    x86_land(is_short, e);
    BYTES(e, 0x45, 0x85, 0xDB); /* test r11d, r11d */
    uint8_t *no_rest = x86_jump(e, JUMP_ZERO, NULL);
    set_tail(e);
    body(e, u, true);
    x86_land(no_rest, e);
}

/* In the System V calling convention: rdi is the slots and then the element, rsi the
 * number of elements. Lines: r14 is where this one ends, r15 where the last does. */
void gradc_native_function(x86 *e, const native_run *u)
{
    const bool lines = u->line > 0;
    BYTES(e, 0xF3, 0x0F, 0x1E, 0xFA); /* endbr64 */
    for (uint32_t i = FREE_BASES; i < u->n_base; i++)
        x86_push(e, base_register[i]);
    if (lines) {
        x86_push(e, R14);
        x86_push(e, R15);
        BYTES(e, 0x49, 0x89, 0xD6); /* mov r14, rdx */
        BYTES(e, 0x49, 0x89, 0xF7); /* mov r15, rsi */
    }
    for (uint32_t i = 0; i < u->n_base; i++)
        x86_load_word(e, base_register[i], RDI,
                      u->base[i].slot * (uint32_t)sizeof(char *));
    for (uint32_t i = 0; i < u->n_value; i++)
        if (u->v[i].kind == NATIVE_ONE || u->v[i].kind == NATIVE_BITS)
            hold(e, &u->v[i]);
    BYTES(e, 0x31, 0xFF); /* xor edi, edi */
    const uint8_t *line = e->at;
    if (lines)
        begin_line(e, u);
    vectors(e, u);
    if (lines)
        end_line(e, u, line);
    BYTES(e, 0xC5, 0xF8, 0x77); /* vzeroupper */
    if (lines) {
        x86_pop(e, R15);
        x86_pop(e, R14);
    }
    for (uint32_t i = u->n_base; i-- > FREE_BASES;)
        x86_pop(e, base_register[i]);
    x86_byte(e, 0xC3); /* ret */
}

#endif
