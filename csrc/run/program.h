/* program.h -- a compiled program: steps over memory named by base and offset.
 *
 * Immutable once made, and its own owner: it holds no pointer into the graph it came
 * from. Memory is a table of bases made at each run -- workspace, constants, the
 * arguments, the results -- so the same program runs in many threads at once. */
#ifndef GRADC_RUN_PROGRAM_H
#define GRADC_RUN_PROGRAM_H

#include "base/arena.h"
#include "base/code.h"
#include "gradc.h"
#include "kern/kern.h"

/* Results follow the arguments; BASE_PANEL is scratch memory of a loop (run/rows.c). */
enum { BASE_WORK, BASE_CONSTANT, BASE_ARGS, BASE_PANEL = INT32_MAX };
enum { ALIGNMENT = 64 };

typedef struct gradc_ref {
    uint32_t base;
    size_t offset; /* bytes */
} gradc_ref;

/* A strided array; strides count elements. */
typedef struct gradc_array {
    gradc_ref at;
    gradc_dtype dtype;
    int rank;
    int64_t *dim, *stride;
} gradc_array;

/* What a step sees of a run. */
typedef struct gradc_frame {
    void *const *base;
    char *scratch; /* as many bytes as the hungriest step asked for */
    gradc_message *msg;
} gradc_frame;

typedef gradc_status gradc_step_fn(const void *step, const gradc_frame *f);

typedef struct gradc_run_step {
    gradc_step_fn *run;
    const void *data; /* the argument of run, in the program's arena */
    const char *name;
    size_t read, written; /* bytes of arrays, each counted once */
} gradc_run_step;

struct gradc_program {
    gradc_arena arena;
    gradc_run_step *step;
    uint32_t n_step, step_room;
    uint32_t n_args, n_results;
    uint8_t *misaligned; /* of each argument: bits of its address that must be zero */
    size_t work, scratch, arguments, results; /* bytes */
    gradc_code code;                          /* of its loops */
    char *constants;
    size_t n_constants, constants_room;
};

static inline void *gradc_ref_at(const gradc_frame *f, gradc_ref r)
{
    return (char *)f->base[r.base] + r.offset;
}

static inline size_t gradc_align(size_t bytes)
{
    return (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

#endif
