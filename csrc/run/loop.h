/* loop.h -- the blocked register machine: one pass over a space, many nodes.
 *
 * The space is walked in C order in blocks. A slot is where an operand's block starts:
 * a register (a block in scratch memory), or memory that is contiguous in the space and
 * moves on with it, or memory that stays. Each operation is one kernel over a block.
 * Operands with other strides are loaded into registers first. A large space is cut
 * into tasks for several threads, by its size alone. */
#ifndef GRADC_RUN_LOOP_H
#define GRADC_RUN_LOOP_H

#include "run/assemble.h"

/* Elements of a task of few cheap operations, some microseconds; two make a cut. */
enum { LOOP_SPAN = 1 << 13 };

/* Code for a run of operations (run/native.c): n elements of the slots, of which the
 * first `rest` end a line (gradc_loop.line). */
typedef void gradc_native_fn(char *const *slot, size_t n, size_t rest);

/* r = x op y, or of a pair (x op y) then z: z then (x op y) if `from`; or r is loaded,
 * by load number x. */
typedef struct loop_op {
    gradc_native_fn *native; /* in place of fn, unless NULL */
    gradc_map_fn *fn;        /* NULL: a load */
    uint32_t r, x, y, z;     /* slots */
    gradc_op op, then;       /* GRADC_OP_input: none */
    gradc_dtype dtype;       /* of the operands; of where, of the values it chooses */
    bool from;
} loop_op;

/* Slot `n_register + i` is memory number i; loads that point come after them. */
typedef struct loop_memory {
    gradc_ref at;
    uint32_t step; /* bytes it moves on for each element; 0: stays */
} loop_memory;

/* What comes of a load: a block of elements, or one element for each line; or the slot
 * only points to where lines are in memory, or one element for each. The latter three
 * are for code alone. */
typedef enum load_form {
    LOAD_BLOCK,
    LOAD_LINES,
    POINT_TO_ROWS,
    POINT_TO_LINES
} load_form;

typedef struct loop_load {
    uint32_t slot;
    load_form form;
    bool once;        /* every block is the same: loaded when a task begins */
    bool within;      /* loaded by an operation, when it is needed */
    gradc_array from; /* broadcast to the space; if it points, the axes of lines alone,
                         with strides in bytes */
    const gradc_assembly *pieces; /* put together of these, instead; or NULL */
    const gradc_move_table *move;
    ptrdiff_t element; /* bytes from one to the next in a line pointed to */
} loop_load;

typedef enum reduce_form {
    REDUCE_ALL,    /* the whole space to one value */
    REDUCE_ROWS,   /* each run of n elements to one value */
    REDUCE_COLUMNS /* n runs of `inner` elements to one run */
} reduce_form;

typedef struct loop_reduce {
    const gradc_reducer *op;
    reduce_form form;
    uint32_t slot;
    size_t n, inner, results;
    gradc_ref to;
    size_t acc;       /* bytes from the accumulators' start */
    uint32_t element; /* bytes of an operand element */
} loop_reduce;

/* A product with rows of a matrix that run with the space: computed for the rows of a
 * block or panel before its operations (head) or, summed over the rows, after them
 * (tail). */
typedef struct loop_product {
    gradc_matmul_task task; /* of all rows, without pointers */
    const gradc_matmul_table *table;
    gradc_map_fn *add;
    gradc_ref x, y, r;
    size_t element, part; /* of a tail: bytes from the start of a task's sums */
} loop_product;

typedef struct gradc_loop {
    size_t total, block, row, group;
    size_t line, sheet;    /* elements of a line (run/lines.c); where blocks end, too */
    size_t strip, span;    /* elements that operations take at a time; of a task */
    unsigned workers;      /* threads that scratch memory is laid out for */
    size_t acc_bytes;      /* of the accumulators of one worker, or task if `shared` */
    bool shared;           /* rows are added by several tasks, whose sums are joined */
    size_t register_bytes; /* of one register, of a strip */
    size_t block_bytes;    /* of one that a reduction reads; 0: as others */
    uint32_t n_register, n_memory, n_pointer, n_op, n_load, n_splat, n_reduce;
    uint32_t n_native; /* operations that became code */
    loop_op *op;
    loop_memory *memory;
    loop_load *load;  /* before each block, once, or within it */
    loop_load *splat; /* once: a scalar repeated over the block */
    loop_reduce *reduce;
    loop_product *head, *tail;
    uint32_t n_head, n_tail;
    size_t panel;           /* elements that heads compute at a time; 0: a block */
    size_t panel_row;       /* of them in a row */
    size_t panel_bytes;     /* of scratch memory for it, if nobody else reads it */
    size_t row_bytes;       /* that products read for an element of the space */
    size_t product_scratch; /* bytes for the products of one worker */
    size_t tail_bytes;      /* of the sums of one task */
    size_t head_bytes, tail_written; /* that heads move, and tails write, in all */
} gradc_loop;

static inline uint32_t gradc_loop_slots(const gradc_loop *l)
{
    return l->n_register + l->n_memory + l->n_pointer;
}

/* Pairwise accumulation: partial results by the bits of their count. */
typedef struct pairwise {
    uint64_t count;
    uint64_t part[64]; /* double or int64, see gradc_reducer */
} pairwise;

gradc_step_fn gradc_loop_run;

/* Products of a block, and of a task that ends (run/rows.c). `scratch` has room for
 * product_scratch bytes and then for tail_bytes or panel_bytes. */
void gradc_rows_begin(const gradc_loop *l, const gradc_frame *f, char *scratch,
                      size_t begin, size_t n);
void gradc_rows_end(const gradc_loop *l, const gradc_frame *f, char *scratch,
                    char *part, size_t begin, size_t n, bool first_block);
void gradc_rows_join(const gradc_loop *l, const gradc_frame *f, char *parts,
                     size_t n_tasks);

/* Chooses the block for so many registers: as large as keeps them in L1, and fitting
 * the rows. */
void gradc_loop_block(gradc_loop *p, uint32_t registers);
/* Chooses what is loaded once a task, and the tasks. */
void gradc_loop_cut(gradc_loop *p);
/* After how many elements an operand repeats, as a bias does with every row; or 0. */
size_t gradc_loop_period(const loop_load *d);

/* Bytes of scratch a run of `l` takes. */
size_t gradc_loop_scratch(const gradc_loop *l);

struct gradc_lowering;
/* The products that loop stage `at` is host to. */
gradc_status gradc_lower_rows(struct gradc_lowering *l, uint32_t at, gradc_loop *p);

#endif
