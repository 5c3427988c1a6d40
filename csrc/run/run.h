/* run.h -- what run/ offers to api.c. */
#ifndef GRADC_RUN_RUN_H
#define GRADC_RUN_RUN_H

#include "ir/schedule.h"
#include "kern/kern.h"

/* A program for graph `g`, whose first n_args nodes are its inputs, in the order of
 * `s`. ENOMEM is the only failure; `*out` is untouched then. */
gradc_status gradc_lower_program(const gradc_graph *g, const gradc_schedule *s,
                                 const gradc_kernels *kernels, size_t n_args,
                                 size_t n_results, const gradc_id *result,
                                 gradc_program **out);

/* Whether loops of `kernels` may become machine code. */
bool gradc_native_usable(const gradc_kernels *kernels);

/* One elementwise op on scalars, by the kernel that programs use. */
gradc_value gradc_run_scalar(gradc_op op, gradc_dtype dtype, const gradc_value *in,
                             size_t n_in);

#endif
