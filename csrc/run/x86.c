/* x86.c -- prefixes, ModRM and SIB bytes. */
#include "run/x86.h"

#include <string.h>

enum { NO_INDEX = 4 }; /* in a SIB byte */

void x86_byte(x86 *e, unsigned byte) { *e->at++ = (uint8_t)byte; }

void x86_bytes(x86 *e, size_t n, const uint8_t *bytes)
{
    for (size_t i = 0; i < n; i++)
        x86_byte(e, bytes[i]);
}

static void word32(x86 *e, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        x86_byte(e, v >> 8 * i & 255);
}

static unsigned bit(unsigned x, int i) { return x >> i & 1; }

/* Prefixes hold the high bits of registers inverted. */
static unsigned no(unsigned x, int i) { return !bit(x, i); }

/* ModRM and SIB: an 8-bit displacement of 0 where base 5 would mean none. */
static void operands(x86 *e, unsigned r, x86_place y)
{
    if (y.reg != X86_NONE) {
        x86_byte(e, 3 << 6 | (r & 7) << 3 | (y.reg & 7));
        return;
    }
    const bool zero = (y.base & 7) == RBP;
    const unsigned mod = zero ? 1 : 0;
    const unsigned shift = y.scale == 8 ? 3 : y.scale == 4 ? 2 : 0;
    const unsigned index = y.index == X86_NONE ? NO_INDEX : y.index & 7;
    x86_byte(e, mod << 6 | (r & 7) << 3 | 4);
    x86_byte(e, shift << 6 | index << 3 | (y.base & 7));
    if (zero)
        x86_byte(e, 0);
}

void x86_masked(x86 *e, x86_op op, unsigned r, unsigned x, x86_place y, unsigned k,
                bool zero)
{
    const bool in_memory = y.reg == X86_NONE;
    const unsigned v = x == X86_NONE ? 0 : x;
    const unsigned index = y.index == X86_NONE ? 0 : y.index;
    const unsigned low = in_memory ? y.base : y.reg;
    const unsigned prefix = op.by_type && e->single && op.map == 1 ? 0 : op.prefix;
    const unsigned rxb = no(r, 3) << 7 |
                         no(in_memory ? index : y.reg, in_memory ? 3 : 4) << 6 |
                         no(low, 3) << 5;
    if (e->wide) {
        const unsigned w = op.by_type && !e->single;
        x86_byte(e, 0x62);
        x86_byte(e, rxb | no(r, 4) << 4 | op.map);
        x86_byte(e, w << 7 | (~v & 15) << 3 | 4 | prefix);
        x86_byte(e, (unsigned)zero << 7 | (op.bits == 128 ? 0u : 2u) << 5 |
                        no(v, 4) << 3 | k);
    } else {
        x86_byte(e, 0xC4);
        x86_byte(e, rxb | op.map);
        x86_byte(e, (~v & 15) << 3 | (op.bits == 128 ? 0u : 1u) << 2 | prefix);
    }
    x86_byte(e, op.code);
    operands(e, r, y);
}

void x86_vector(x86 *e, x86_op op, unsigned r, unsigned x, x86_place y)
{
    x86_masked(e, op, r, x, y, 0, false);
}

void x86_push(x86 *e, unsigned reg)
{
    if (reg >= R8)
        x86_byte(e, 0x41);
    x86_byte(e, 0x50 | (reg & 7));
}

void x86_pop(x86 *e, unsigned reg)
{
    if (reg >= R8)
        x86_byte(e, 0x41);
    x86_byte(e, 0x58 | (reg & 7));
}

void x86_load_word(x86 *e, unsigned reg, unsigned base, uint32_t offset)
{
    x86_byte(e, 0x48 | bit(reg, 3) << 2 | bit(base, 3));
    x86_byte(e, 0x8B);
    x86_byte(e, 2 << 6 | (reg & 7) << 3 | (base & 7));
    word32(e, offset);
}

void x86_set_word(x86 *e, unsigned reg, uint64_t value)
{
    x86_byte(e, 0x48 | bit(reg, 3));
    x86_byte(e, 0xB8 | (reg & 7));
    word32(e, (uint32_t)value);
    word32(e, (uint32_t)(value >> 32));
}

void x86_add(x86 *e, unsigned reg, int32_t value)
{
    x86_byte(e, 0x48 | bit(reg, 3));
    x86_byte(e, 0x81);
    x86_byte(e, 3 << 6 | (reg & 7));
    word32(e, (uint32_t)value);
}

static void set_distance(uint8_t *field, const uint8_t *to)
{
    const uint32_t distance = (uint32_t)(to - (field + 4));
    memcpy(field, &distance, sizeof distance);
}

uint8_t *x86_jump(x86 *e, unsigned condition, const uint8_t *to)
{
    x86_byte(e, 0x0F);
    x86_byte(e, condition);
    uint8_t *field = e->at;
    word32(e, 0);
    if (to != NULL)
        set_distance(field, to);
    return field;
}

void x86_land(uint8_t *jump, const x86 *e) { set_distance(jump, e->at); }
