/* x86.h -- instructions of AVX2 and AVX-512 as bytes.
 *
 * One form serves both: an instruction is its opcode, map and prefix, and is written
 * with the VEX prefix and registers of 256 bits, or with EVEX and 512. Source: Intel
 * SDM vol. 2, sections 2.3 (VEX) and 2.7 (EVEX). */
#ifndef GRADC_RUN_X86_H
#define GRADC_RUN_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct x86 {
    uint8_t *at; /* where the next byte goes; its room is the caller's care */
    bool wide;   /* AVX-512 */
    bool single; /* lanes of float32; else float64 */
} x86;

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };
enum { X86_NONE = 255 };
enum { JUMP_BELOW = 0x82, JUMP_ZERO = 0x84 };

/* Opcode, map (1: 0F, 2: 0F38, 3: 0F3A) and prefix (0: none, 1: 66, 2: F3). */
typedef struct x86_op {
    uint8_t code, map, prefix;
    uint8_t bits; /* of the vector: 0 for the whole register, or 128 */
    bool by_type; /* prefix none for float32; the W bit set for float64 if wide */
} x86_op;

/* A vector register, or memory at base + index * scale. */
typedef struct x86_place {
    uint8_t reg;         /* or X86_NONE */
    uint8_t base, index; /* index may be X86_NONE */
    uint8_t scale;       /* 1, 4 or 8 */
} x86_place;

static inline x86_place x86_reg(unsigned reg)
{
    return (x86_place){.reg = (uint8_t)reg};
}

/* r = op(x, y) in the lanes of mask register k (0: all); others become zero if
 * `zero`, and stay what they are if not. x is X86_NONE if op has one operand. */
void x86_masked(x86 *e, x86_op op, unsigned r, unsigned x, x86_place y, unsigned k,
                bool zero);
void x86_vector(x86 *e, x86_op op, unsigned r, unsigned x, x86_place y);
void x86_byte(x86 *e, unsigned byte);
void x86_bytes(x86 *e, size_t n, const uint8_t *bytes);

void x86_push(x86 *e, unsigned reg);
void x86_pop(x86 *e, unsigned reg);
/* reg = the 8 bytes at address base + offset */
void x86_load_word(x86 *e, unsigned reg, unsigned base, uint32_t offset);
void x86_set_word(x86 *e, unsigned reg, uint64_t value);
void x86_add(x86 *e, unsigned reg, int32_t value);
/* A jump (0F `condition`) to `to`; forward ones are given `to` later. */
uint8_t *x86_jump(x86 *e, unsigned condition, const uint8_t *to);
void x86_land(uint8_t *jump, const x86 *e);

#endif
