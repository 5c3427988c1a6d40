/* native.c -- machine code for the arithmetic of a loop.
 *
 * A kernel writes its block to L1 and the next reads it again, which takes longer than
 * the arithmetic between. So a run of such operations becomes one function that walks
 * the block once, a vector at a time, and keeps values in registers: each slot is read
 * once, and written only if somebody reads it later. What it computes is what the
 * kernels compute, bit for bit; loops run without it where there is no code.
 *
 * A run ends where registers do: the operation that finds none begins the next run,
 * which reads what it needs from slots. So nothing is spilled. */
#include "run/native.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "ir/shape.h"
#include "run/lines.h"
#include "run/native_op.h"
#include "run/run.h"

#if defined(__x86_64__)

/* Operations a run must have; values that one may add. */
enum { LEAST = 2, MOST_NEW = 8 };
/* Bytes of a function, of two bodies: for each operation, and around them. */
enum { EACH = 2 * 2 * 80, AROUND = 1024, LONGEST = NATIVE_MOST * EACH + AROUND };
enum { NOT_YET = UINT16_MAX };

/* What a slot holds: NATIVE_SLOT, NATIVE_ONE or NATIVE_LINE. */
typedef struct held {
    native_kind kind;
    int32_t step; /* as of a base */
} held;

typedef struct builder {
    gradc_loop *l;
    x86 e;
    gradc_dtype dtype; /* of the run */
    uint32_t *reader;  /* by operation: 1 + the last that reads its result */
    uint32_t *later;   /* by slot: the same, while operations are walked backwards */
    uint16_t *now;     /* by slot: its value in the run, or NOT_YET */
    held *holds;       /* by slot, when a run begins */
    uint32_t end;      /* operations below it are in the run */
    native_run u;
} builder;

/* ---- who reads what ---- */

/* Whether an operation adds what it loads to its slot, and so reads that too. */
static bool adds_to_slot(const gradc_loop *l, const loop_op *op)
{
    const gradc_assembly *a = op->fn == NULL ? l->load[op->x].pieces : NULL;
    return a != NULL && a->adds;
}

/* What is read after the operations: memory, and operands of reductions. */
static void find_readers(builder *b)
{
    const gradc_loop *l = b->l;
    for (uint32_t i = 0; i < l->n_memory; i++) {
        b->later[l->n_register + i] = UINT32_MAX;
        if (l->memory[i].step == 0)
            b->holds[l->n_register + i].kind = NATIVE_ONE;
    }
    for (uint32_t i = 0; i < l->n_reduce; i++)
        b->later[l->reduce[i].slot] = UINT32_MAX;
    for (uint32_t i = 0; i < l->n_splat; i++)
        b->holds[l->splat[i].slot].kind = NATIVE_ONE;
    for (uint32_t k = l->n_op; k-- > 0;) {
        const loop_op *op = &l->op[k];
        b->reader[k] = b->later[op->r];
        b->later[op->r] = adds_to_slot(l, op) ? k + 1 : 0;
        for (int j = 0; j < 3 && op->fn != NULL; j++) {
            const uint32_t x = j == 0 ? op->x : j == 1 ? op->y : op->z;
            b->later[x] = b->later[x] > k + 1 ? b->later[x] : k + 1;
        }
    }
}

/* ---- a run as instructions ---- */

static uint16_t add_value(builder *b, native_kind kind, uint32_t slot, bool is_mask)
{
    native_run *u = &b->u;
    u->v[u->n_value] = (native_value){.kind = kind,
                                      .slot = slot,
                                      .is_mask = is_mask,
                                      .first = u->n_instruction,
                                      .last = u->n_instruction};
    return (uint16_t)u->n_value++;
}

/* The address of a slot, for loads and stores; false if registers are used up. Nor can
 * a slot hold masks and then numbers: their vectors would overwrite masks to come. */
static bool add_base(builder *b, uint32_t slot, bool is_mask, held h)
{
    native_run *u = &b->u;
    for (uint32_t i = 0; i < u->n_base; i++)
        if (u->base[i].slot == slot)
            return u->base[i].is_mask == is_mask && u->base[i].kind == h.kind;
    if (u->n_base == NATIVE_BASES - (u->line > 0 ? NATIVE_LINE_BASES : 0))
        return false;
    u->base[u->n_base++] = (native_base){slot, h.kind, is_mask, h.step};
    return true;
}

static bool read_slot(builder *b, uint32_t slot, bool is_mask, uint16_t *value)
{
    if (b->now[slot] == NOT_YET) {
        const held h = is_mask ? (held){NATIVE_SLOT, 0} : b->holds[slot];
        if (is_mask && !b->e.wide)
            return false;
        if (h.kind != NATIVE_ONE && !add_base(b, slot, is_mask, h))
            return false;
        b->now[slot] = add_value(b, h.kind, slot, is_mask);
    }
    *value = b->now[slot];
    b->u.v[*value].last = b->u.n_instruction;
    return true;
}

static uint16_t read_bits(builder *b, native_bits bits)
{
    native_run *u = &b->u;
    for (uint16_t i = 0; i < u->n_value; i++)
        if (u->v[i].kind == NATIVE_BITS && u->v[i].slot == bits)
            return i;
    return add_value(b, NATIVE_BITS, bits, false);
}

/* Appends an instruction on values; its result. */
static uint16_t add_instruction(builder *b, gradc_op op, uint32_t k, uint16_t x,
                                uint16_t y, uint16_t z)
{
    native_run *u = &b->u;
    const native_recipe *how = &gradc_native_recipe[op];
    const uint16_t bits = how->bits != BITS_NONE ? read_bits(b, how->bits) : x;
    const uint16_t r = add_value(b, NATIVE_MADE, 0, how->makes_mask);
    u->v[x].last = u->v[y].last = u->v[z].last = u->n_instruction;
    u->i[u->n_instruction++] = (native_instruction){.how = how,
                                                    .op = k,
                                                    .r = r,
                                                    .x = x,
                                                    .y = y,
                                                    .z = z,
                                                    .bits = bits,
                                                    .store = NATIVE_NOWHERE};
    return r;
}

/* Whether the run can take operation k, by what it is. */
static bool is_native(builder *b, const loop_op *op)
{
    const bool has_code = gradc_native_has(op->op, op->dtype);
    if (!has_code || gradc_native_recipe[op->op].of_masks == 2)
        return has_code;
    if (b->dtype == GRADC_DTYPE_COUNT)
        b->dtype = op->dtype;
    return op->dtype == b->dtype;
}

/* Appends operation k; false if the run has no place for it. */
static bool add_op(builder *b, uint32_t k)
{
    const loop_op *op = &b->l->op[k];
    const native_recipe *how = &gradc_native_recipe[op->op];
    const bool stored = b->reader[k] > b->end;
    uint16_t x, y, z;
    if (b->u.n_value + MOST_NEW > NATIVE_VALUES || !is_native(b, op) ||
        !read_slot(b, op->x, how->of_masks > 0, &x) ||
        !read_slot(b, op->y, how->of_masks > 1, &y) ||
        !read_slot(b, op->z, how->of_masks > 1, &z) ||
        (stored && (!add_base(b, op->r, how->makes_mask, (held){NATIVE_SLOT, 0}) ||
                    (how->makes_mask && !b->e.wide))))
        return false;
    uint16_t r = add_instruction(b, op->op, k, x, y, z);
    if (op->then != GRADC_OP_input)
        r = op->from ? add_instruction(b, op->then, k, z, r, r)
                     : add_instruction(b, op->then, k, r, z, z);
    if (stored)
        b->u.i[b->u.n_instruction - 1].store = op->r;
    b->now[op->r] = r;
    return true;
}

/* Makes a run of operations from `begin` on, at most to b->end. Which results are
 * stored depends on where it ends, so it begins anew when it must end earlier. */
static void build(builder *b, uint32_t begin)
{
    for (uint32_t k = begin; k < b->end;) {
        if (k == begin) {
            b->u.n_value = b->u.n_instruction = b->u.n_base = 0;
            b->dtype = GRADC_DTYPE_COUNT;
            for (uint32_t i = 0; i < gradc_loop_slots(b->l); i++)
                b->now[i] = NOT_YET;
        }
        if (add_op(b, k)) {
            k++;
        } else {
            b->end = k;
            k = begin;
        }
    }
}

/* ---- registers ---- */

static bool take(uint32_t *left, native_value *v)
{
    if (*left == 0)
        return false;
    v->reg = (uint8_t)__builtin_ctz(*left);
    *left &= *left - 1;
    return true;
}

/* Whether all vectors, of a line at least, have it. */
static bool is_known(const native_value *v)
{
    return v->kind == NATIVE_ONE || v->kind == NATIVE_LINE || v->kind == NATIVE_BITS;
}

/* Gives each value a register; false, with b->end set before the operation that finds
 * none. Values that all vectors have keep theirs. */
static bool allocate(builder *b)
{
    native_run *u = &b->u;
    const bool wide = b->e.wide;
    uint32_t lanes = (1u << (wide ? LANES_WIDE : LANES_NARROW)) - 1;
    uint32_t masks = (1u << K_OTHER) - (1u << K_FIRST);
    for (uint32_t i = 0; i < u->n_value; i++) {
        native_value *v = &u->v[i];
        if (!is_known(v))
            continue;
        if (!take(&lanes, v)) {
            b->end = u->i[v->first].op;
            return false;
        }
    }
    for (uint32_t i = 0; i < u->n_instruction; i++) {
        const native_instruction *in = &u->i[i];
        const uint16_t need[] = {in->x, in->y, in->z, in->r};
        for (int j = 0; j < 4; j++) {
            native_value *v = &u->v[need[j]];
            if (is_known(v) || v->first != i || (j > 0 && need[j] == need[j - 1]) ||
                (j == 2 && need[2] == need[0]))
                continue;
            if (!take(v->is_mask && wide ? &masks : &lanes, v)) {
                b->end = in->op;
                return false;
            }
        }
        for (int j = 0; j < 4; j++) {
            const native_value *v = &u->v[need[j]];
            if (!is_known(v) && v->last == i)
                *(v->is_mask && wide ? &masks : &lanes) |= 1u << v->reg;
        }
    }
    return true;
}

/* ---- what slots hold ---- */

static void note_load(builder *b, const loop_load *d)
{
    if (d->form == LOAD_BLOCK)
        return;
    const int32_t size = (int32_t)gradc_dtype_size(d->from.dtype);
    const int32_t step = (int32_t)d->from.stride[d->from.rank - 1];
    held *h = &b->holds[d->slot];
    if (d->form == LOAD_LINES)
        *h = (held){NATIVE_LINE, size};
    else if (d->form == POINT_TO_LINES)
        *h = (held){NATIVE_LINE, step};
    else if (d->form == POINT_TO_ROWS)
        *h = (held){NATIVE_SLOT, step - (int32_t)b->u.line * size};
}

/* Before the first operation. */
static void note_loads(builder *b)
{
    for (uint32_t i = 0; i < b->l->n_load; i++)
        if (!b->l->load[i].within)
            note_load(b, &b->l->load[i]);
}

/* After operation k. */
static void note_op(builder *b, uint32_t k)
{
    const loop_op *op = &b->l->op[k];
    b->holds[op->r] = (held){NATIVE_SLOT, 0};
    if (op->fn == NULL)
        note_load(b, &b->l->load[op->x]);
}

/* Whether operation k reads what only code can. */
static bool reads_lines(const builder *b, uint32_t k)
{
    const loop_op *op = &b->l->op[k];
    const held *x = &b->holds[op->x], *y = &b->holds[op->y], *z = &b->holds[op->z];
    return op->fn != NULL &&
           (x->kind == NATIVE_LINE || y->kind == NATIVE_LINE ||
            z->kind == NATIVE_LINE || x->step != 0 || y->step != 0 || z->step != 0);
}

/* ---- the loop ---- */

/* The longest run from operation `begin` on, as code. */
static bool compile(builder *b, uint32_t begin)
{
    const uint32_t least = reads_lines(b, begin) ? 1 : LEAST;
    b->end = b->l->n_op - begin < NATIVE_MOST ? b->l->n_op : begin + NATIVE_MOST;
    do {
        build(b, begin);
        b->e.single = b->dtype == GRADC_F32;
    } while (b->end - begin >= least && !allocate(b));
    if (b->end - begin < least || b->dtype == GRADC_DTYPE_COUNT)
        return false;
    gradc_native_function(&b->e, &b->u);
    return true;
}

/* Replaces runs in the list of operations by one each. */
static void replace(builder *b, gradc_code *code)
{
    gradc_loop *l = b->l;
    uint32_t n = 0;
    for (uint32_t k = 0; k < l->n_op;) {
        uint8_t *start = code->start + code->used;
        b->e.at = start;
        if (code->size - code->used >= LONGEST && compile(b, k)) {
            code->used = (size_t)(b->e.at - code->start);
            l->n_native += b->end - k;
            for (; k < b->end; k++)
                note_op(b, k);
            /* object and function pointers are the same bytes here */
            memcpy(&l->op[n].native, &start, sizeof start);
            n++;
        } else {
            assert(!reads_lines(b, k));
            note_op(b, k);
            l->op[n++] = l->op[k++];
        }
    }
    l->n_op = n;
}

static bool is_wide(const gradc_kernels *kernels)
{
    return strcmp(kernels->isa, "avx512") == 0;
}

bool gradc_native_usable(const gradc_kernels *kernels)
{
    return (is_wide(kernels) || strcmp(kernels->isa, "avx2") == 0) &&
           gradc_code_allowed();
}

bool gradc_native_loop(gradc_loop *l, gradc_code *code, const gradc_kernels *kernels)
{
    if ((l->n_op < LEAST && l->n_load == 0) || !gradc_native_usable(kernels) ||
        (code->size == 0 && !gradc_code_begin(code)))
        return true;
    const size_t slots = (size_t)gradc_loop_slots(l) + l->n_load;
    builder *b = gradc_alloc_zero(1, sizeof *b);
    uint32_t *readers = gradc_alloc_zero(l->n_op + slots, sizeof *readers);
    uint16_t *now = gradc_alloc(slots * sizeof *now);
    held *holds = gradc_alloc_zero(slots, sizeof *holds);
    const bool done = b && readers && now && holds;
    if (done) {
        *b = (builder){.l = l,
                       .e.wide = is_wide(kernels),
                       .reader = readers,
                       .later = readers + l->n_op,
                       .now = now,
                       .holds = holds};
        if (code->size - code->used >= LONGEST + l->n_op * (EACH + AROUND))
            gradc_find_lines(l, b->e.wide);
        b->u.line = (uint32_t)l->line;
        find_readers(b);
        note_loads(b);
        replace(b, code);
    }
    gradc_release(b);
    gradc_release(readers);
    gradc_release(now);
    gradc_release(holds);
    return done;
}

#else

bool gradc_native_usable(const gradc_kernels *kernels)
{
    (void)kernels;
    return false;
}

bool gradc_native_loop(gradc_loop *l, gradc_code *code, const gradc_kernels *kernels)
{
    (void)l, (void)code, (void)kernels;
    return true;
}

#endif
