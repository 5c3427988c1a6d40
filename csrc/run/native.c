/* native.c -- machine code for the arithmetic of a loop.
 *
 * A kernel writes its block to L1 and the next reads it again, which takes longer than
 * the arithmetic between. So a run of such operations becomes one function that walks
 * the block once, a vector at a time, and keeps values in registers: each slot is read
 * once, and written only if somebody reads it later. What it computes is what the
 * kernels compute, bit for bit; loops run without it where there is no code.
 *
 * A run ends where registers do: the operation that finds none begins the next run,
 * which reads what it needs from slots. So nothing is spilled. */
#include "run/native.h"

#include <string.h>

#include "base/arena.h"
#include "run/native_op.h"
#include "run/run.h"

#if defined(__x86_64__)

/* Operations a run must have; values that one may add. */
enum { LEAST = 2, MOST_NEW = 8 };
/* Bytes of the longest function: two bodies and what is around them. */
enum { LONGEST = 2 * 2 * NATIVE_MOST * 80 + 1024 };
enum { NOT_YET = UINT16_MAX };

typedef struct builder {
    gradc_loop *l;
    x86 e;
    gradc_dtype dtype; /* of the run */
    uint32_t *reader;  /* by operation: 1 + the last that reads its result */
    uint32_t *later;   /* by slot: the same, while operations are walked backwards */
    uint16_t *now;     /* by slot: its value in the run, or NOT_YET */
    bool *is_one;      /* by slot: one value many times */
    uint32_t end;      /* operations below it are in the run */
    native_run u;
} builder;

/* ---- who reads what ---- */

static uint32_t count_slots(const gradc_loop *l) { return l->n_register + l->n_memory; }

/* What is read after the operations: memory, and operands of reductions. */
static void find_readers(builder *b)
{
    const gradc_loop *l = b->l;
    for (uint32_t i = 0; i < l->n_memory; i++) {
        b->later[l->n_register + i] = UINT32_MAX;
        b->is_one[l->n_register + i] = l->memory[i].step == 0;
    }
    for (uint32_t i = 0; i < l->n_reduce; i++)
        b->later[l->reduce[i].slot] = UINT32_MAX;
    for (uint32_t i = 0; i < l->n_splat; i++)
        b->is_one[l->splat[i].slot] = true;
    for (uint32_t k = l->n_op; k-- > 0;) {
        const loop_op *op = &l->op[k];
        b->reader[k] = b->later[op->r];
        b->later[op->r] = 0;
        for (int j = 0; j < 3 && op->fn != NULL; j++) {
            const uint32_t x = j == 0 ? op->x : j == 1 ? op->y : op->z;
            b->later[x] = b->later[x] > k + 1 ? b->later[x] : k + 1;
        }
    }
}

/* ---- a run as instructions ---- */

static uint16_t add_value(builder *b, native_kind kind, uint32_t slot, bool is_mask)
{
    native_run *u = &b->u;
    u->v[u->n_value] = (native_value){.kind = kind,
                                      .slot = slot,
                                      .is_mask = is_mask,
                                      .first = u->n_instruction,
                                      .last = u->n_instruction};
    return (uint16_t)u->n_value++;
}

/* The address of a slot, for loads and stores; false if registers are used up. Nor can
 * a slot hold masks and then numbers: their vectors would overwrite masks to come. */
static bool add_base(builder *b, uint32_t slot, bool is_mask)
{
    native_run *u = &b->u;
    for (uint32_t i = 0; i < u->n_base; i++)
        if (u->base[i].slot == slot)
            return u->base[i].is_mask == is_mask;
    if (u->n_base == NATIVE_BASES)
        return false;
    u->base[u->n_base++] = (native_base){slot, is_mask};
    return true;
}

static bool read_slot(builder *b, uint32_t slot, bool is_mask, uint16_t *value)
{
    if (b->now[slot] == NOT_YET) {
        const bool one = b->is_one[slot] && !is_mask;
        if (is_mask && !b->e.wide)
            return false;
        if (!one && !add_base(b, slot, is_mask))
            return false;
        b->now[slot] = add_value(b, one ? NATIVE_ONE : NATIVE_SLOT, slot, is_mask);
    }
    *value = b->now[slot];
    b->u.v[*value].last = b->u.n_instruction;
    return true;
}

static uint16_t read_bits(builder *b, native_bits bits)
{
    native_run *u = &b->u;
    for (uint16_t i = 0; i < u->n_value; i++)
        if (u->v[i].kind == NATIVE_BITS && u->v[i].slot == bits)
            return i;
    return add_value(b, NATIVE_BITS, bits, false);
}

/* Appends an instruction on values; its result. */
static uint16_t add_instruction(builder *b, gradc_op op, uint32_t k, uint16_t x,
                                uint16_t y, uint16_t z)
{
    native_run *u = &b->u;
    const native_recipe *how = &gradc_native_recipe[op];
    const uint16_t bits = how->bits != BITS_NONE ? read_bits(b, how->bits) : x;
    const uint16_t r = add_value(b, NATIVE_MADE, 0, how->makes_mask);
    u->v[x].last = u->v[y].last = u->v[z].last = u->n_instruction;
    u->i[u->n_instruction++] = (native_instruction){.how = how,
                                                    .op = k,
                                                    .r = r,
                                                    .x = x,
                                                    .y = y,
                                                    .z = z,
                                                    .bits = bits,
                                                    .store = NATIVE_NOWHERE};
    return r;
}

/* Whether the run can take operation k, by what it is. */
static bool is_native(builder *b, const loop_op *op)
{
    const native_recipe *how = &gradc_native_recipe[op->op];
    if (how->emit == NULL)
        return false;
    if (how->of_masks == 2)
        return true;
    if (op->dtype > GRADC_F32)
        return false;
    if (b->dtype == GRADC_DTYPE_COUNT)
        b->dtype = op->dtype;
    return op->dtype == b->dtype;
}

/* Appends operation k; false if the run has no place for it. */
static bool add_op(builder *b, uint32_t k)
{
    const loop_op *op = &b->l->op[k];
    const native_recipe *how = &gradc_native_recipe[op->op];
    const bool stored = b->reader[k] > b->end;
    uint16_t x, y, z;
    if (b->u.n_value + MOST_NEW > NATIVE_VALUES || !is_native(b, op) ||
        !read_slot(b, op->x, how->of_masks > 0, &x) ||
        !read_slot(b, op->y, how->of_masks > 1, &y) ||
        !read_slot(b, op->z, how->of_masks > 1, &z) ||
        (stored &&
         (!add_base(b, op->r, how->makes_mask) || (how->makes_mask && !b->e.wide))))
        return false;
    uint16_t r = add_instruction(b, op->op, k, x, y, z);
    if (op->then != GRADC_OP_input)
        r = op->from ? add_instruction(b, op->then, k, z, r, r)
                     : add_instruction(b, op->then, k, r, z, z);
    if (stored)
        b->u.i[b->u.n_instruction - 1].store = op->r;
    b->now[op->r] = r;
    return true;
}

/* Makes a run of operations from `begin` on, at most to b->end. Which results are
 * stored depends on where it ends, so it begins anew when it must end earlier. */
static void build(builder *b, uint32_t begin)
{
    for (uint32_t k = begin; k < b->end;) {
        if (k == begin) {
            b->u.n_value = b->u.n_instruction = b->u.n_base = 0;
            b->dtype = GRADC_DTYPE_COUNT;
            for (uint32_t i = 0; i < count_slots(b->l); i++)
                b->now[i] = NOT_YET;
        }
        if (add_op(b, k)) {
            k++;
        } else {
            b->end = k;
            k = begin;
        }
    }
}

/* ---- registers ---- */

static bool take(uint32_t *left, native_value *v)
{
    if (*left == 0)
        return false;
    v->reg = (uint8_t)__builtin_ctz(*left);
    *left &= *left - 1;
    return true;
}

/* Gives each value a register; false, with b->end set before the operation that finds
 * none. Values that are the same in all vectors keep theirs. */
static bool allocate(builder *b)
{
    native_run *u = &b->u;
    const bool wide = b->e.wide;
    uint32_t lanes = (1u << (wide ? LANES_WIDE : LANES_NARROW)) - 1;
    uint32_t masks = (1u << K_OTHER) - (1u << K_FIRST);
    for (uint32_t i = 0; i < u->n_value; i++) {
        native_value *v = &u->v[i];
        if (v->kind != NATIVE_ONE && v->kind != NATIVE_BITS)
            continue;
        if (!take(&lanes, v)) {
            b->end = u->i[v->first].op;
            return false;
        }
    }
    for (uint32_t i = 0; i < u->n_instruction; i++) {
        const native_instruction *in = &u->i[i];
        const uint16_t need[] = {in->x, in->y, in->z, in->r};
        for (int j = 0; j < 4; j++) {
            native_value *v = &u->v[need[j]];
            const bool known = v->kind == NATIVE_ONE || v->kind == NATIVE_BITS;
            if (known || v->first != i || (j > 0 && need[j] == need[j - 1]) ||
                (j == 2 && need[2] == need[0]))
                continue;
            if (!take(v->is_mask && wide ? &masks : &lanes, v)) {
                b->end = in->op;
                return false;
            }
        }
        for (int j = 0; j < 4; j++) {
            const native_value *v = &u->v[need[j]];
            const bool known = v->kind == NATIVE_ONE || v->kind == NATIVE_BITS;
            if (!known && v->last == i)
                *(v->is_mask && wide ? &masks : &lanes) |= 1u << v->reg;
        }
    }
    return true;
}

/* ---- the function ---- */

static const uint8_t base_register[NATIVE_BASES] = {RAX, RCX, RDX, R8,  R9, RBX,
                                                    RBP, R12, R13, R14, R15};
enum { FREE_BASES = 5 }; /* those before that the callee need not keep */

#define BYTES(e, ...)                                                                  \
    x86_bytes(e, sizeof (uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__})

static unsigned lanes(const builder *b)
{
    return (b->e.wide ? 64 : 32) / (b->e.single ? 4 : 8);
}

static x86_place in_slot(const builder *b, uint32_t slot, bool is_mask)
{
    uint32_t i = 0;
    while (b->u.base[i].slot != slot)
        i++;
    return (x86_place){.reg = X86_NONE,
                       .base = base_register[i],
                       .index = RDI,
                       .scale = is_mask       ? 1
                                : b->e.single ? 4
                                              : 8};
}

#define VECTOR_OP(c, m, p, ...)                                                        \
    (x86_op) { .code = (c), .map = (m), .prefix = (p), __VA_ARGS__ }

/* Lanes that are not there become zero, and are not written. */
static void load(builder *b, const native_value *v, bool tail)
{
    x86 *e = &b->e;
    const x86_place at = in_slot(b, v->slot, v->is_mask);
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

static void store(builder *b, const native_value *v, uint32_t slot, bool tail)
{
    x86 *e = &b->e;
    const x86_place at = in_slot(b, slot, v->is_mask);
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
static void body(builder *b, bool tail)
{
    const native_run *u = &b->u;
    for (uint32_t i = 0; i < u->n_instruction; i++) {
        const native_instruction *in = &u->i[i];
        const uint16_t need[] = {in->x, in->y, in->z};
        for (int j = 0; j < 3; j++) {
            const native_value *v = &u->v[need[j]];
            const bool seen =
                (j > 0 && need[j] == need[0]) || (j == 2 && need[2] == need[1]);
            if (v->kind == NATIVE_SLOT && v->first == i && !seen)
                load(b, v, tail);
        }
        in->how->emit(&b->e, u, in);
        if (in->store != NATIVE_NOWHERE)
            store(b, &u->v[in->r], in->store, tail);
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

/* Values that are the same in all vectors. */
static void hold(builder *b, const native_value *v)
{
    x86 *e = &b->e;
    const x86_place at = {.reg = X86_NONE, .base = R10, .index = X86_NONE};
    const x86_op repeat = VECTOR_OP(e->single ? 0x18 : 0x19, 2, 1, .by_type = true);
    if (v->kind == NATIVE_ONE) {
        x86_load_word(e, R10, RDI, v->slot * (uint32_t)sizeof(char *));
        x86_vector(e, repeat, v->reg, X86_NONE, at);
        return;
    }
    x86_set_word(e, R10, e->single ? bits32[v->slot] : bits64[v->slot]);
    if (e->wide) {
        x86_vector(e, VECTOR_OP(0x7C, 2, 1, .by_type = true), v->reg, X86_NONE,
                   x86_reg(R10));
        return;
    }
    BYTES(e, 0xC4, 0x41, 0xF9, 0x6E, 0xEA); /* vmovq xmm13, r10 */
    x86_vector(e, repeat, v->reg, X86_NONE, x86_reg(native_other(e, 0)));
}

/* Lanes of a partial vector, by how many: from the middle, less that many. */
static const uint32_t lanes_table[16] = {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u, ~0u};

/* Prepares for the first r11 lanes. */
static void set_tail(builder *b)
{
    x86 *e = &b->e;
    if (e->wide) {
        BYTES(e, 0x41, 0xBA, 0xFF, 0xFF, 0xFF, 0xFF); /* mov r10d, -1 */
        BYTES(e, 0xC4, 0x42, 0x20, 0xF5, 0xD2);       /* bzhi r10d, r10d, r11d */
        BYTES(e, 0xC4, 0xC1, 0x78, 0x92, 0xCA);       /* kmovw k1, r10d */
        return;
    }
    const x86_place at = {.reg = X86_NONE, .base = R10, .index = X86_NONE};
    x86_set_word(e, R10, (uint64_t)(uintptr_t)(lanes_table + 8));
    BYTES(e, 0x49, 0xC1, 0xE3, e->single ? 2 : 3); /* shl r11, 2 or 3 */
    BYTES(e, 0x4D, 0x29, 0xDA);                    /* sub r10, r11 */
    x86_vector(e, VECTOR_OP(0x10, 1, 1, .by_type = true), LANES_TAIL, X86_NONE, at);
}

/* void function(char *const *slot, size_t n), in the System V calling convention: rdi
 * is the slots and then the element, rsi n and then n less the rest, r11 the rest. */
static void function(builder *b)
{
    x86 *e = &b->e;
    const native_run *u = &b->u;
    const uint8_t w = (uint8_t)lanes(b);
    BYTES(e, 0xF3, 0x0F, 0x1E, 0xFA); /* endbr64 */
    for (uint32_t i = FREE_BASES; i < u->n_base; i++)
        x86_push(e, base_register[i]);
    for (uint32_t i = 0; i < u->n_base; i++)
        x86_load_word(e, base_register[i], RDI,
                      u->base[i].slot * (uint32_t)sizeof(char *));
    for (uint32_t i = 0; i < u->n_value; i++)
        if (u->v[i].kind == NATIVE_ONE || u->v[i].kind == NATIVE_BITS)
            hold(b, &u->v[i]);
    if (e->wide) {                        /* all lanes */
        BYTES(e, 0x41, 0xBB, w, 0, 0, 0); /* mov r11d, w */
        set_tail(b);
    }
    BYTES(e, 0x49, 0x89, 0xF3);                   /* mov r11, rsi */
    BYTES(e, 0x41, 0x83, 0xE3, (uint8_t)(w - 1)); /* and r11d, w - 1 */
    BYTES(e, 0x31, 0xFF);                         /* xor edi, edi */
    BYTES(e, 0x4C, 0x29, 0xDE);                   /* sub rsi, r11 */
    uint8_t *short_block = x86_jump(e, JUMP_ZERO, NULL);
    const uint8_t *top = e->at;
    body(b, false);
    BYTES(e, 0x48, 0x83, 0xC7, w); /* add rdi, w */
    BYTES(e, 0x48, 0x39, 0xF7);    /* cmp rdi, rsi */
    x86_jump(e, JUMP_BELOW, top);
    x86_land(short_block, e);
    BYTES(e, 0x45, 0x85, 0xDB); /* test r11d, r11d */
    uint8_t *no_rest = x86_jump(e, JUMP_ZERO, NULL);
    set_tail(b);
    body(b, true);
    x86_land(no_rest, e);
    BYTES(e, 0xC5, 0xF8, 0x77); /* vzeroupper */
    for (uint32_t i = u->n_base; i-- > FREE_BASES;)
        x86_pop(e, base_register[i]);
    x86_byte(e, 0xC3); /* ret */
}

/* ---- the loop ---- */

/* The longest run from operation `begin` on, as code. */
static bool compile(builder *b, uint32_t begin)
{
    b->end = b->l->n_op - begin < NATIVE_MOST ? b->l->n_op : begin + NATIVE_MOST;
    do {
        build(b, begin);
        b->e.single = b->dtype == GRADC_F32;
    } while (b->end - begin >= LEAST && !allocate(b));
    if (b->end - begin < LEAST || b->dtype == GRADC_DTYPE_COUNT)
        return false;
    function(b);
    return true;
}

/* Replaces runs in the list of operations by one each. */
static void replace(builder *b, gradc_code *code)
{
    gradc_loop *l = b->l;
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->n_op;) {
        uint8_t *start = code->start + code->used;
        b->e.at = start;
        if (code->size - code->used >= LONGEST && compile(b, k)) {
            code->used = (size_t)(b->e.at - code->start);
            /* object and function pointers are the same bytes here */
            memcpy(&l->op[n].native, &start, sizeof start);
            n++;
            l->n_native += b->end - k;
            k = b->end;
        } else {
            l->op[n++] = l->op[k++];
        }
    }
    l->n_op = n;
}

static bool is_wide(const gradc_kernels *kernels)
{
    return strcmp(kernels->isa, "avx512") == 0;
}

bool gradc_native_usable(const gradc_kernels *kernels)
{
    return (is_wide(kernels) || strcmp(kernels->isa, "avx2") == 0) &&
           gradc_code_allowed();
}

bool gradc_native_loop(gradc_loop *l, gradc_code *code, const gradc_kernels *kernels)
{
    if (l->n_op < LEAST || !gradc_native_usable(kernels) ||
        (code->size == 0 && !gradc_code_begin(code)))
        return true;
    const size_t slots = count_slots(l);
    builder *b = gradc_alloc_zero(1, sizeof *b);
    uint32_t *readers = gradc_alloc_zero(l->n_op + slots, sizeof *readers);
    uint16_t *now = gradc_alloc(slots * sizeof *now);
    bool *is_one = gradc_alloc_zero(slots, sizeof *is_one);
    const bool done = b && readers && now && is_one;
    if (done) {
        *b = (builder){.l = l,
                       .e.wide = is_wide(kernels),
                       .reader = readers,
                       .later = readers + l->n_op,
                       .now = now,
                       .is_one = is_one};
        find_readers(b);
        replace(b, code);
    }
    gradc_release(b);
    gradc_release(readers);
    gradc_release(now);
    gradc_release(is_one);
    return done;
}

#else

bool gradc_native_usable(const gradc_kernels *kernels)
{
    (void)kernels;
    return false;
}

bool gradc_native_loop(gradc_loop *l, gradc_code *code, const gradc_kernels *kernels)
{
    (void)l, (void)code, (void)kernels;
    return true;
}

#endif
