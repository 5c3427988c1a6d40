/* assemble.h -- concat and pad inside the loop that reads them. */
#ifndef GRADC_RUN_ASSEMBLE_H
#define GRADC_RUN_ASSEMBLE_H

#include "run/program.h"

/* Where an operand lies in the result. */
typedef struct assembly_region {
    gradc_array from; /* of the rank of the whole */
    int64_t *begin;   /* along each axis */
} assembly_region;

/* Regions, and zeros elsewhere. */
typedef struct gradc_assembly {
    int rank;
    int64_t *dim;
    uint32_t n;
    assembly_region *region;
    bool covered; /* by the regions */
    bool adds;    /* to what is there, rather than replace it */
    gradc_map_fn *add;
    size_t element;
    const gradc_move_table *move;
} gradc_assembly;

/* Elements [begin, begin + n) of the whole, in C order, at or added to `to`. */
void gradc_assembly_load(const gradc_assembly *a, const gradc_frame *f, char *to,
                         size_t begin, size_t n);

struct gradc_lowering;
/* Finds the concats and pads that loops assemble, in l->assembled, and keeps their
 * operands until these loops. */
void gradc_find_assembled(struct gradc_lowering *l);
/* The assembly of such a node r, whose operands have memory; NULL if out of memory. If
 * it adds, regions must have lines without gaps. */
gradc_assembly *gradc_lower_assembly(struct gradc_lowering *l, uint32_t r, bool adds);
/* Whether node r is assembled and can be added to something. */
bool gradc_can_add(const struct gradc_lowering *l, uint32_t r);

#endif
