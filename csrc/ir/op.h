/* op.h -- the rows of ops.def as an enum and a struct that every layer may read.
 *
 * The number of an op is never stored outside the process: messages, printed graphs
 * and Python use names. */
#ifndef GRADC_IR_OP_H
#define GRADC_IR_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "gradc.h"

typedef enum gradc_op {
#define LEAF(name, ...) GRADC_OP_##name,
#define UNARY LEAF
#define BINARY LEAF
#define BILINEAR LEAF
#define TERNARY LEAF
#define TEST LEAF
#define LINEAR LEAF
#define GENERAL LEAF
#include "ops.def"
#undef LEAF
#undef UNARY
#undef BINARY
#undef BILINEAR
#undef TERNARY
#undef TEST
#undef LINEAR
#undef GENERAL
    GRADC_OP_COUNT
} gradc_op;

/* The kind of row; it decides what is derived (STYLE of ops.def). */
typedef enum gradc_kind {
    GRADC_KIND_LEAF,
    GRADC_KIND_UNARY,
    GRADC_KIND_BINARY,
    GRADC_KIND_TERNARY,
    GRADC_KIND_TEST,
    GRADC_KIND_LINEAR,
    GRADC_KIND_GENERAL
} gradc_kind;

/* How run/ executes a node. */
typedef enum gradc_step {
    GRADC_STEP_NONE,   /* leaves: memory that is there before the program runs */
    GRADC_STEP_LOOP,   /* element by element, fused */
    GRADC_STEP_REDUCE, /* ends a loop with an accumulator */
    GRADC_STEP_VIEW,   /* other strides on the operand's memory */
    GRADC_STEP_MATMUL,
    GRADC_STEP_CORRELATE,
    GRADC_STEP_GATHER,
    GRADC_STEP_SCATTER,
    GRADC_STEP_CONCAT,
    GRADC_STEP_PAD,
    GRADC_STEP_SCAN,
    GRADC_STEP_ARG,
    GRADC_STEP_SORT,
    GRADC_STEP_SEARCH,
    GRADC_STEP_COUNT
} gradc_step;

/* Operand types an op takes, as a set of 1 << dtype. */
enum {
    GRADC_TYPES_FLOAT = 1 << GRADC_F64 | 1 << GRADC_F32,
    GRADC_TYPES_NUMBER = GRADC_TYPES_FLOAT | 1 << GRADC_I64,
    GRADC_TYPES_LOGIC = 1 << GRADC_BOOL,
    GRADC_TYPES_ANY = GRADC_TYPES_NUMBER | GRADC_TYPES_LOGIC
};

enum { GRADC_ARITY_MANY = -1 };

typedef struct gradc_op_row {
    const char *name;
    gradc_kind kind;
    int arity; /* GRADC_ARITY_MANY: one or more */
    uint8_t types;
    gradc_step step;
    const char *c, *latex; /* c is NULL unless the op is elementwise */
    double lo, hi;         /* smooth interval of every operand, where stated */
} gradc_op_row;

/* The row of `op`, which must be below GRADC_OP_COUNT. */
const gradc_op_row *gradc_op_get(int op);

/* Whether elementwise `op` costs about as little as a load: arithmetic and tests, which
 * integers and masks have too, and the products of cotangents. */
bool gradc_op_is_cheap(gradc_op op);

#endif
