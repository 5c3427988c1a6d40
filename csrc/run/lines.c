/* lines.c -- operands that code reads where they are, line by line.
 *
 * A bias, a slice, a column beside a matrix: along the last axis such an operand is
 * contiguous or one value, and between the lines it jumps. Kernels need it as a block,
 * which takes longer to load than the arithmetic on it; code needs only to go on by so
 * many bytes when a line ends. With more than two axes there is a second jump where a
 * sheet of lines ends, so there the block ends too. */
#include "run/lines.h"

#include <stdlib.h>

#include "ir/shape.h"
#include "run/native_op.h"

#if defined(__x86_64__)

/* Elements of a line for which it is worth a place of its own, and full vectors that it
 * must have besides a last one in part; elements of a sheet worth a block. */
enum { LEAST_LINE = 16, FULL = 4, LEAST_SHEET = 256 };
/* Elements from a line to the next that instructions can add as bytes. */
enum { MOST_STEP = INT32_MAX / 2 / (int32_t)sizeof(double) };

static bool reads(const loop_op *op, uint32_t slot)
{
    return op->fn != NULL && (op->x == slot || op->y == slot || op->z == slot);
}

/* Whether an operation becomes code in any run: without mask registers, those on masks
 * do not where the mask is in a slot. */
static bool is_always_code(const loop_op *op, bool wide)
{
    const native_recipe *how = &gradc_native_recipe[op->op];
    return gradc_native_has(op->op, op->dtype) &&
           (wide || (!how->makes_mask && how->of_masks == 0));
}

/* Whether code alone reads load number `i`. */
static bool is_for_code(const gradc_loop *l, uint32_t i, bool wide)
{
    const loop_load *d = &l->load[i];
    bool is_loaded = !d->within;
    for (const loop_op *op = l->op, *end = op + l->n_op; op < end; op++) {
        if (is_loaded && reads(op, d->slot) && !is_always_code(op, wide))
            return false;
        if (op->r == d->slot)
            is_loaded = op->fn == NULL && op->x == i;
    }
    for (uint32_t k = 0; k < l->n_reduce; k++)
        if (is_loaded && l->reduce[k].slot == d->slot)
            return false;
    return true;
}

static int64_t width_of(const loop_load *d)
{
    return d->from.rank > 1 ? d->from.dim[d->from.rank - 1] : 0;
}

/* Elements from one jump of another size to the next; 0: there is none. */
static int64_t sheet_of(const loop_load *d)
{
    const int rank = d->from.rank;
    return rank > 2 ? d->from.dim[rank - 1] * d->from.dim[rank - 2] : 0;
}

/* Whether instructions can go from a line of load `d` to the next where they are. */
static bool can_step(const gradc_loop *l, const loop_load *d)
{
    const int64_t sheet = sheet_of(d);
    if (sheet > 0 && (l->sheet == 0 || sheet % (int64_t)l->sheet != 0))
        return false;
    return llabs(d->from.stride[d->from.rank - 2]) <= MOST_STEP;
}

/* Whether code should go by lines of so many elements. */
static bool is_good_line(gradc_dtype dtype, int64_t line, bool wide)
{
    const int64_t w = (wide ? 64 : 32) / (int64_t)gradc_dtype_size(dtype);
    return dtype <= GRADC_F32 && line >= LEAST_LINE && line <= MOST_STEP &&
           (line % w == 0 || line >= FULL * w);
}

/* In what form lines of load number `i` can come, of as many elements as its last axis
 * has or a part of it. */
static load_form form_of(const gradc_loop *l, uint32_t i, int64_t line, bool wide)
{
    const loop_load *d = &l->load[i];
    const int64_t width = width_of(d);
    if (d->once || width == 0 || width % line != 0 ||
        !is_good_line(d->from.dtype, line, wide))
        return LOAD_BLOCK;
    const int64_t step = d->from.stride[d->from.rank - 1];
    const bool points = width == line && can_step(l, d);
    if ((step == 1 ? !points : step != 0) || !is_for_code(l, i, wide))
        return LOAD_BLOCK;
    return step == 1 ? POINT_TO_ROWS : points ? POINT_TO_LINES : LOAD_LINES;
}

/* The least line of any load, as if blocks ended with the sheets of that load. */
static int64_t find_line(gradc_loop *l, bool wide)
{
    int64_t line = 0;
    for (uint32_t i = 0; i < l->n_load; i++) {
        const int64_t width = width_of(&l->load[i]);
        l->sheet = (size_t)sheet_of(&l->load[i]);
        if (width > 0 && (line == 0 || width < line) &&
            form_of(l, i, width, wide) != LOAD_BLOCK)
            line = width;
    }
    l->sheet = 0;
    return line;
}

/* Where blocks end for loads of such lines. Sums depend on blocks, products on panels,
 * and what repeats must begin with each block. */
static size_t find_sheet(const gradc_loop *l, int64_t line)
{
    int64_t sheet = 0;
    if (l->n_reduce > 0 || l->n_head > 0 || l->n_tail > 0)
        return 0;
    for (uint32_t i = 0; i < l->n_load; i++) {
        const int64_t own = sheet_of(&l->load[i]);
        if (width_of(&l->load[i]) == line && own >= LEAST_SHEET && !l->load[i].once &&
            (sheet == 0 || own < sheet))
            sheet = own;
    }
    for (uint32_t i = 0; i < l->n_load; i++)
        if (l->load[i].once && sheet % (int64_t)gradc_loop_period(&l->load[i]) != 0)
            return 0;
    return (size_t)sheet;
}

/* Gives load number `i`, which points, a slot of its own; an operation that loads it is
 * not needed then. */
static void give_slot(gradc_loop *l, uint32_t i)
{
    loop_load *d = &l->load[i];
    const uint32_t old = d->slot, slot = gradc_loop_slots(l);
    bool is_loaded = !d->within;
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->n_op; k++) {
        loop_op op = l->op[k];
        const bool loads = op.fn == NULL && op.x == i;
        if (is_loaded && op.fn != NULL) {
            op.x = op.x == old ? slot : op.x;
            op.y = op.y == old ? slot : op.y;
            op.z = op.z == old ? slot : op.z;
        }
        is_loaded = loads || (is_loaded && op.r != old);
        if (!loads)
            l->op[n++] = op;
    }
    l->n_op = n;
    l->n_pointer++;
    d->slot = slot;
    d->within = false;
}

void gradc_find_lines(gradc_loop *l, bool wide)
{
    const int64_t line = find_line(l, wide);
    bool any = false;
    if (line == 0)
        return;
    l->sheet = find_sheet(l, line);
    for (uint32_t i = 0; i < l->n_load; i++) {
        loop_load *d = &l->load[i];
        const ptrdiff_t size = (ptrdiff_t)gradc_dtype_size(d->from.dtype);
        d->form = form_of(l, i, line, wide);
        any = any || d->form != LOAD_BLOCK;
        d->element = d->form == POINT_TO_ROWS ? size : 0;
        if (d->form >= POINT_TO_ROWS) {
            give_slot(l, i);
            d->from.rank--;
            for (int a = 0; a < d->from.rank; a++)
                d->from.stride[a] *= size;
        } else if (d->form == LOAD_LINES) {
            d->from.dim[d->from.rank - 1] /= line;
        }
    }
    l->line = any ? (size_t)line : 0;
    l->sheet = any ? l->sheet : 0;
}

#endif
