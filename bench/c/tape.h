/* tape.h -- a function of scalars at random, as a list of operations.
 *
 * Values stay in -4..4 but for the last sum, so that functions of any length can be
 * run; every operation has a part in the result, so that none may be left out. One in
 * ten is sin or tanh, the rest is arithmetic. */
#ifndef BENCH_TAPE_H
#define BENCH_TAPE_H

#include "bench.h"

enum { TAPE_INPUTS = 8 };

/* Half is x * 0.5. */
typedef enum tape_op {
    TAPE_ADD,
    TAPE_SUB,
    TAPE_MUL,
    TAPE_HALF,
    TAPE_SIN,
    TAPE_TANH,
    TAPE_OPS
} tape_op;

/* Operation k takes values x and y (from half on x alone) and gives value
 * TAPE_INPUTS + k; the values before are the inputs. The last one is the result. */
typedef struct tape {
    size_t n;
    struct {
        tape_op op;
        size_t x, y;
    } step[];
} tape;

/* n operations; free() releases them. */
tape *tape_new(size_t n);
/* The same function as nodes; returns its result. */
gradc_id tape_build(const tape *t, gradc_graph *g, gradc_id in[TAPE_INPUTS]);
/* Value and gradient by the textbook: forwards, then backwards. */
double tape_run(const tape *t, const double in[TAPE_INPUTS], double dx[TAPE_INPUTS]);

#endif
