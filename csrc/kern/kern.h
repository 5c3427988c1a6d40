/* kern.h -- what kernels offer to run/: tables of functions on pointers and counts.
 *
 * A kernel knows element types, pointers, counts and strides, never graphs. Memory is
 * aligned to the element only and no kernel writes past what it was asked for.
 * Strides count elements. Kernels neither allocate nor fail, except that indices out
 * of range are reported by position. */
#ifndef GRADC_KERN_KERN_H
#define GRADC_KERN_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ir/op.h"
#include "kern/matmul.h"

/* Elements a loop step processes at a time: its registers then stay in L1. */
enum { GRADC_BLOCK = 512 };

/* r[i] = op(x[i], y[i], z[i]) for i < n. r may be x, y or z itself when their element
 * sizes agree, but not overlap them otherwise. Operands an op lacks are given as x. */
typedef void gradc_map_fn(void *r, const void *x, const void *y, const void *z,
                          size_t n);

/* The same on cells, which hold a value of any type in the first of their 8 bytes:
 * cell[r + i] = op(cell[x[i]], cell[y[i]], cell[z[i]]) for i < n. */
enum { GRADC_CELL = 8 };
typedef void gradc_cells_fn(char *cell, uint32_t r, const uint32_t *x,
                            const uint32_t *y, const uint32_t *z, size_t n);

/* Arithmetic that kernels do two at a time; SUB_FROM: z - (x op y). */
enum { FIRST_ADD, FIRST_SUB, FIRST_MUL, GRADC_FIRST_COUNT };
enum { SECOND_ADD, SECOND_SUB, SECOND_SUB_FROM, SECOND_MUL, GRADC_SECOND_COUNT };

typedef struct gradc_map_table {
    gradc_map_fn *map[GRADC_OP_COUNT]; /* NULL: not for this operand type */
    /* r = (x op y) op z, by FIRST_ and SECOND_; rounded twice; floats only */
    gradc_map_fn *pair[GRADC_FIRST_COUNT][GRADC_SECOND_COUNT];
    gradc_cells_fn *cells[GRADC_OP_COUNT]; /* NULL where map is */
    bool in_order[GRADC_OP_COUNT]; /* cells: one i after the other, so that an operand
                                      may be the result of a lower i */
    gradc_map_fn *convert[GRADC_DTYPE_COUNT]; /* x as that type; C casts, NaN -> min */
} gradc_map_table;

/* A reduction accumulates in `acc` elements of 8 bytes: double for float operands,
 * int64 for int64 and bool. */
typedef struct gradc_reducer {
    /* *acc = op over x[0..n), n <= GRADC_BLOCK, in a tree fixed by n alone */
    void (*block)(void *acc, const void *x, size_t n);
    /* r[j] = the same of run j of n elements, of `count`, in the operand type */
    void (*each)(void *r, const void *x, size_t n, size_t count);
    /* acc[j] = op(acc[j], x[i n + j]) for j < n, row i < count after row */
    void (*rows)(void *acc, const void *x, size_t n, size_t count);
    /* acc[j] = op(acc[j], part[j]) for j < n */
    void (*join)(void *acc, const void *part, size_t n);
    /* acc[j] = the identity of op */
    void (*clear)(void *acc, size_t n);
    /* r[j] = acc[j] in the operand type */
    void (*store)(void *r, const void *acc, size_t n);
} gradc_reducer;

typedef struct gradc_reduce_table {
    gradc_reducer of[GRADC_OP_COUNT]; /* sum prod max min; else all NULL */
    /* *acc = sum of x[i] y[i], n <= GRADC_BLOCK; floats only */
    void (*dot)(void *acc, const void *x, const void *y, size_t n);
} gradc_reduce_table;

typedef struct gradc_move_table {
    /* r[i] = *value for i < n */
    void (*fill)(void *r, const void *value, size_t n);
    /* r[0..n) = elements begin..begin+n, in C order, of the strided array x */
    void (*load)(void *r, const void *x, int rank, const int64_t *dim,
                 const int64_t *stride, size_t begin, size_t n);
    /* the strided array r = the strided array x, element by element */
    void (*copy)(void *r, const int64_t *r_stride, const void *x,
                 const int64_t *x_stride, int rank, const int64_t *dim);
    /* r[i] = x[index[i]] for rows of `width` elements, i < n; index may count from the
     * end. Returns n, or the first i whose index is not in [-rows, rows). */
    size_t (*gather)(void *r, const void *x, const int64_t *index, size_t n,
                     int64_t rows, size_t width);
    /* r[index[i]] += x[i], in order of i; r has been cleared by the caller. */
    size_t (*scatter)(void *r, const void *x, const int64_t *index, size_t n,
                      int64_t rows, size_t width);
} gradc_move_table;

/* Along the middle axis of contiguous (outer, n, inner) arrays. */
/* Lines along an axis: `outer` groups of `inner` lines side by side, whose n elements
 * are `row` >= inner apart; a group follows the other. inner is row where row is 1. */
typedef struct gradc_lines {
    size_t outer, n, inner, row;
} gradc_lines;

typedef struct gradc_scan_table {
    void (*cumsum)(void *r, const void *x, const gradc_lines *d, int reverse);
    /* r_0 = y_0, r_i = x_i r_(i-1) + y_i, where y_i = 0 leaves the product's sign to a
     * zero; reverse starts at the last element */
    void (*recur)(void *r, const void *x, const void *y, const gradc_lines *d,
                  int reverse);
    /* position of the first largest / smallest element, `row` of them to a group; the
     * first NaN wins */
    void (*argmax)(int64_t *r, const void *x, const gradc_lines *d);
    void (*argmin)(int64_t *r, const void *x, const gradc_lines *d);
} gradc_scan_table;

/* NaN is last; equal elements keep their order. */
typedef struct gradc_order_table {
    /* r[i * step] = position, in units of step, of the i-th smallest of x[0], x[step],
     * ... n elements; `scratch` has sort_scratch(n) bytes */
    void (*argsort)(int64_t *r, const void *x, size_t n, size_t step, void *scratch);
    size_t (*sort_scratch)(size_t n);
    /* r[i] = how many of the sorted x[0..n) are less than v[i], or not more: `right` */
    void (*search)(int64_t *r, const void *x, size_t n, const void *v, size_t count,
                   bool right);
} gradc_order_table;

/* All kernels of one ISA, by element type; tables an element type lacks are NULL. */
typedef struct gradc_kernels {
    const char *isa;
    const gradc_map_table *map[GRADC_DTYPE_COUNT];
    const gradc_reduce_table *reduce[GRADC_DTYPE_COUNT];
    const gradc_matmul_table *matmul[GRADC_DTYPE_COUNT];
    const gradc_move_table *move[GRADC_DTYPE_COUNT];
    const gradc_scan_table *scan[GRADC_DTYPE_COUNT];
    const gradc_order_table *order[GRADC_DTYPE_COUNT];
} gradc_kernels;

/* The kernels in use: the best this machine has, or those PYGRADC_ISA names. NULL if
 * that name is unknown or unusable; `gradc_isa_list` tells what would do. */
const gradc_kernels *gradc_kernels_get(void);

#endif
