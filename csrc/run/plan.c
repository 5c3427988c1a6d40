/* plan.c -- best fit among the gaps that dead buffers leave.
 *
 * Buffers are taken and given back in the order of the steps that make and last read
 * them, so two live ones never overlap. */
#include "run/plan.h"

#include <string.h>

#include "run/program.h"

size_t gradc_plan_take(gradc_plan *p, size_t size)
{
    size = gradc_align(size);
    size_t best = p->n_gap;
    for (size_t i = 0; i < p->n_gap; i++)
        if (p->gap[i].size >= size &&
            (best == p->n_gap || p->gap[i].size < p->gap[best].size))
            best = i;
    if (best < p->n_gap) {
        gradc_gap *g = &p->gap[best];
        const size_t offset = g->offset;
        g->offset += size;
        g->size -= size;
        if (g->size == 0)
            memmove(g, g + 1, (--p->n_gap - best) * sizeof *g);
        return offset;
    }
    /* A gap at the very end grows to what is wanted. */
    const bool at_end =
        p->n_gap > 0 &&
        p->gap[p->n_gap - 1].offset + p->gap[p->n_gap - 1].size == p->end;
    const size_t offset = at_end ? p->gap[--p->n_gap].offset : p->end;
    p->end = offset + size;
    return offset;
}

bool gradc_plan_give(gradc_plan *p, size_t offset, size_t size)
{
    size = gradc_align(size);
    if (size == 0)
        return true;
    if (p->n_gap == p->room) {
        const size_t room = p->room ? 2 * p->room : 16;
        gradc_gap *grown = gradc_realloc(p->gap, room * sizeof *grown);
        if (grown == NULL)
            return false;
        p->gap = grown;
        p->room = room;
    }
    size_t low = 0, high = p->n_gap;
    while (low < high) {
        const size_t mid = (low + high) / 2;
        if (p->gap[mid].offset < offset)
            low = mid + 1;
        else
            high = mid;
    }
    gradc_gap *g = &p->gap[low];
    memmove(g + 1, g, (p->n_gap++ - low) * sizeof *g);
    *g = (gradc_gap){offset, size};
    if (low + 1 < p->n_gap && offset + size == g[1].offset) {
        g->size += g[1].size;
        memmove(g + 1, g + 2, (--p->n_gap - low - 1) * sizeof *g);
    }
    if (low > 0 && g[-1].offset + g[-1].size == offset) {
        g[-1].size += g->size;
        memmove(g, g + 1, (--p->n_gap - low) * sizeof *g);
    }
    return true;
}

void gradc_plan_free(gradc_plan *p) { gradc_release(p->gap); }
