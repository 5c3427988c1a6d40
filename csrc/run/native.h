/* native.h -- machine code for the arithmetic of a loop. */
#ifndef GRADC_RUN_NATIVE_H
#define GRADC_RUN_NATIVE_H

#include "base/code.h"
#include "kern/kern.h"
#include "run/loop.h"

/* Replaces runs of arithmetic in the operations of `l` by code that keeps values in
 * vector registers; l->n_native tells how many operations are in it. Nothing is changed
 * where code cannot be made. False: no memory. */
bool gradc_native_loop(gradc_loop *l, gradc_code *code, const gradc_kernels *kernels);

#endif
