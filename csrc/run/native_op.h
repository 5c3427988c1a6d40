/* native_op.h -- a run of arithmetic as instructions on values; how each is done. */
#ifndef GRADC_RUN_NATIVE_OP_H
#define GRADC_RUN_NATIVE_OP_H

#include "ir/op.h"
#include "run/x86.h"

enum { NATIVE_MOST = 96, NATIVE_VALUES = 4 * NATIVE_MOST };
/* Registers for addresses, and those of them that lines take. */
enum { NATIVE_BASES = 11, NATIVE_LINE_BASES = 2 };

/* Vector registers: those below hold values, then come two for what an op needs on its
 * way and, where there are no mask registers, the lanes of a partial vector. */
enum { LANES_WIDE = 30, LANES_NARROW = 13, LANES_TAIL = 15 };
/* Mask registers: the lanes of a vector, masks from FIRST on, and one for ops. */
enum { K_LANES = 1, K_FIRST = 2, K_OTHER = 7 };

/* An operand that an op has besides its own: the same bits in each lane. */
typedef enum native_bits {
    BITS_NONE,
    BITS_ZERO,
    BITS_SIGN,
    BITS_LESS_SIGN,
    BITS_ONE,
    BITS_ALL,
    BITS_COUNT
} native_bits;

typedef enum native_kind {
    NATIVE_SLOT, /* read from a slot, a vector at a time */
    NATIVE_ONE,  /* from a slot that holds one value many times */
    NATIVE_LINE, /* from a slot that holds a value for each line */
    NATIVE_BITS,
    NATIVE_MADE
} native_kind;

typedef struct native_value {
    native_kind kind;
    bool is_mask;
    uint8_t reg;
    uint32_t first, last; /* instructions that need it */
    uint32_t slot;        /* or the native_bits */
} native_value;

typedef struct native_recipe native_recipe;

typedef struct native_instruction {
    const native_recipe *how;
    uint32_t op;               /* of the loop */
    uint16_t r, x, y, z, bits; /* values; operands an op lacks are x */
    uint32_t store;            /* the slot that r is written to, or NATIVE_NOWHERE */
} native_instruction;

enum { NATIVE_NOWHERE = UINT32_MAX };

/* A slot whose address is in a register. */
typedef struct native_base {
    uint32_t slot;
    native_kind kind; /* NATIVE_SLOT or NATIVE_LINE */
    bool is_mask;
    int32_t step; /* bytes to go on when a line ends */
} native_base;

typedef struct native_run {
    native_value v[NATIVE_VALUES];
    native_instruction i[2 * NATIVE_MOST];
    uint32_t n_value, n_instruction, n_base;
    native_base base[NATIVE_BASES];
    uint32_t line; /* elements of one; 0: none */
} native_run;

/* Writes the function of `u`, a gradc_native_fn (run/loop.h). */
void gradc_native_function(x86 *e, const native_run *u);

typedef void native_emit_fn(x86 *e, const native_run *u, const native_instruction *i);

/* How an op is done: by `emit`, with an opcode or the predicate of a comparison. */
struct native_recipe {
    native_emit_fn *emit;
    uint8_t code;
    native_bits bits;
    bool makes_mask;
    uint8_t of_masks; /* how many of its operands, from the first, are masks */
};

/* emit is NULL for ops that kernels do. */
extern const native_recipe gradc_native_recipe[GRADC_OP_COUNT];

/* Whether an op on operands of a type, a choice on values of it, is done by code. */
static inline bool gradc_native_has(gradc_op op, gradc_dtype dtype)
{
    const native_recipe *how = &gradc_native_recipe[op];
    return how->emit != NULL && (how->of_masks == 2 || dtype <= GRADC_F32);
}

static inline unsigned native_other(const x86 *e, unsigned i)
{
    return (e->wide ? LANES_WIDE : LANES_NARROW) + i;
}

#endif
