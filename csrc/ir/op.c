/* op.c -- the table of rows, from ops.def. */
#include "ir/op.h"

#include <stddef.h>
#include <string.h>

#define ROW(name, kind, arity, types, step, c, tex, lo, hi)                            \
    {#name,                                                                            \
     GRADC_KIND_##kind,                                                                \
     arity,                                                                            \
     GRADC_TYPES_##types,                                                              \
     GRADC_STEP_##step,                                                                \
     c,                                                                                \
     tex,                                                                              \
     lo,                                                                               \
     hi},
#define LEAF(name) ROW(name, LEAF, 0, ANY, NONE, NULL, #name, 0, 0)
#define UNARY(name, types, c, tex, lo, hi, dx)                                         \
    ROW(name, UNARY, 1, types, LOOP, c, tex, lo, hi)
#define BINARY(name, types, c, tex, lo, hi, dx, dy)                                    \
    ROW(name, BINARY, 2, types, LOOP, c, tex, lo, hi)
#define BILINEAR(name, types, c, tex, lo, hi, by_x, by_y)                              \
    ROW(name, BINARY, 2, types, LOOP, c, tex, lo, hi)
#define TERNARY(name, types, c, tex, dx, dy, dz)                                       \
    ROW(name, TERNARY, 3, types, LOOP, c, tex, 0, 0)
#define TEST(name, arity, types, c, tex)                                               \
    ROW(name, TEST, arity, types, LOOP, c, tex, 0, 0)
#define MANY GRADC_ARITY_MANY
#define LINEAR(name, arity, types, step, shape, transpose, batch, tex)                 \
    ROW(name, LINEAR, arity, types, step, NULL, tex, 0, 0)
#define GENERAL(name, arity, types, step, shape, vjp, jvp, batch, tex)                 \
    ROW(name, GENERAL, arity, types, step, NULL, tex, 0, 0)

static const gradc_op_row rows[GRADC_OP_COUNT] = {
#include "ops.def"
};

static const char *const kind_names[] = {"leaf", "unary",  "binary", "ternary",
                                         "test", "linear", "general"};

const gradc_op_row *gradc_op_get(int op) { return &rows[op]; }

bool gradc_op_is_cheap(gradc_op op)
{
    return rows[op].types != GRADC_TYPES_FLOAT || op == GRADC_OP_annihilate ||
           op == GRADC_OP_annihilate_both;
}

int gradc_op_count(void) { return GRADC_OP_COUNT; }

int gradc_op_find(const char *name)
{
    for (int op = 0; op < GRADC_OP_COUNT; op++)
        if (strcmp(rows[op].name, name) == 0)
            return op;
    return -1;
}

gradc_status gradc_op_describe(int op, gradc_op_info *out)
{
    if (op < 0 || op >= GRADC_OP_COUNT)
        return GRADC_EVALUE;
    const gradc_op_row *r = &rows[op];
    *out = (gradc_op_info){
        r->name, kind_names[r->kind], r->c, r->latex, r->arity, r->types, r->lo, r->hi};
    return GRADC_OK;
}
