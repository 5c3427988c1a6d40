/* plan.h -- offsets in one workspace for buffers that come and go. */
#ifndef GRADC_RUN_PLAN_H
#define GRADC_RUN_PLAN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct gradc_gap {
    size_t offset, size;
} gradc_gap;

/* Zeroed: an empty workspace. Gaps are sorted by offset and never touch. */
typedef struct gradc_plan {
    gradc_gap *gap;
    size_t n_gap, room;
    size_t end; /* bytes the workspace needs so far */
} gradc_plan;

/* An aligned offset for `size` bytes. */
size_t gradc_plan_take(gradc_plan *p, size_t size);
/* Gives back what gradc_plan_take handed out; false if out of memory. */
bool gradc_plan_give(gradc_plan *p, size_t offset, size_t size);
void gradc_plan_free(gradc_plan *p);

#endif
