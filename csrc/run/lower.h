/* lower.h -- what the families of steps share while a program is made. */
#ifndef GRADC_RUN_LOWER_H
#define GRADC_RUN_LOWER_H

#include "ir/schedule.h"
#include "ir/view.h"
#include "run/plan.h"
#include "run/program.h"

typedef struct gradc_lowering {
    const gradc_graph *g;
    const gradc_schedule *s;
    const gradc_kernels *kernels;
    gradc_program *p;
    gradc_plan plan;
    gradc_ref *place;       /* by id - 1: memory of nodes that have some */
    uint32_t *last_use;     /* by id - 1: stage + 1 after which it is dead; 0: a
                                   value no other stage reads */
    gradc_id *home;         /* by id - 1: the concat that x is computed inside of */
    size_t *home_offset;    /* by id - 1: bytes from the start of its home */
    bool *taken;            /* by id - 1: has its piece of the workspace */
    gradc_id *heir;         /* by id - 1: the node that overwrites it in place; or 0 */
    bool *assembled;        /* by id - 1: a concat or pad without memory, which the loop
                               that reads it puts together (run/assemble.c) */
    uint32_t *host;         /* by stage: the loop stage + 1 that a product is computed
                               inside of, of that loop itself too; 0: none */
    uint32_t *slot;         /* by id - 1: for the loop being lowered */
    uint32_t *slot_stage;   /* by id - 1: the stage + 1 that `slot` belongs to */
    gradc_ref temporary[2]; /* of the step being lowered */
    size_t temporary_size[2];
    uint32_t n_temporary;
} gradc_lowering;

enum { NEVER_DEAD = UINT32_MAX };

/* `size` bytes of the program's arena, zeroed; NULL if out of memory. */
void *gradc_lower_get(gradc_lowering *l, size_t size);

/* Appends a step. */
gradc_status gradc_lower_step(gradc_lowering *l, const char *name, gradc_step_fn *run,
                              const void *data);

/* What the step appended last reads and writes, in bytes. */
void gradc_lower_traffic(gradc_lowering *l, size_t read, size_t written);

/* Asks for scratch memory of the step being lowered. */
void gradc_lower_scratch(gradc_lowering *l, size_t bytes);

/* The value of constant n, in its type. */
void gradc_lower_value(const gradc_node *n, void *to);

/* `count` copies of the constant node x, in the program. */
gradc_status gradc_lower_constant(gradc_lowering *l, gradc_id x, size_t count,
                                  gradc_ref *out);

/* View v (of a node with memory) as an array; collapsed if `collapse`. */
gradc_status gradc_lower_array(gradc_lowering *l, const gradc_view *v, bool collapse,
                               gradc_array *out);

/* Node x as contiguous memory, by a copy step into a temporary if it must be. */
gradc_status gradc_lower_flat(gradc_lowering *l, gradc_id x, gradc_ref *out);

/* A step that copies the view v to contiguous memory at `to`. */
gradc_status gradc_lower_copy(gradc_lowering *l, const gradc_view *v, gradc_ref to);

/* A step called `name` that copies v to elements `stride` apart from `to` on. */
gradc_status gradc_lower_region(gradc_lowering *l, const gradc_view *v, gradc_ref to,
                                const int64_t *stride, const char *name);

/* The product r, a matmul node, as a task without pointers, and its operands. */
gradc_status gradc_lower_task(gradc_lowering *l, gradc_id r, gradc_matmul_task *task,
                              gradc_array *x, gradc_array *y);

/* Whether operand x of concat r could be computed in its place there: nobody else needs
 * it elsewhere or for longer. */
bool gradc_can_live_in(const gradc_lowering *l, gradc_id r, gradc_id x);

/* Finds the products that loops are host to, in l->host (run/rows.c). */
void gradc_find_rows(gradc_lowering *l);

/* Sizes before, of and after the axes [begin, end). */
typedef struct gradc_split {
    size_t outer, n, inner;
} gradc_split;
gradc_split gradc_split_shape(const gradc_shape *s, int64_t begin, int64_t end);

/* One family each: the steps of stage number `at`. */
typedef gradc_status gradc_lower_fn(gradc_lowering *l, uint32_t at);
gradc_lower_fn gradc_lower_loop, gradc_lower_cells, gradc_lower_matmul,
    gradc_lower_correlate, gradc_lower_gather, gradc_lower_scatter, gradc_lower_concat,
    gradc_lower_pad, gradc_lower_scan, gradc_lower_arg, gradc_lower_sort,
    gradc_lower_search;

#endif
