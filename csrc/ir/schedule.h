/* schedule.h -- the order in which nodes are executed: made by opt/, read by run/. */
#ifndef GRADC_IR_SCHEDULE_H
#define GRADC_IR_SCHEDULE_H

#include "ir/graph.h"

/* One loop over `space` that computes several nodes, or one node of another kind. */
typedef struct gradc_stage {
    bool is_loop;
    uint32_t level;        /* all it reads was made on lower levels */
    uint32_t space;        /* shape index, of a loop */
    int64_t row;           /* of a loop: block edges fall on multiples; 0: any */
    int64_t group;         /* elements of the rows that its sums over rows add; or 0 */
    uint32_t first, count; /* its nodes: node[first .. first + count) */
} gradc_stage;

typedef struct gradc_schedule {
    gradc_stage *stage;
    uint32_t n_stage;
    gradc_id *node;     /* by stage, rising within each */
    uint32_t *stage_of; /* by id - 1: stage + 1, or 0 for leaves and views; of a node
                           that stages repeat, the one that others read it from */
} gradc_schedule;

/* The place of node x in stage `at`: where it stands, or would. */
uint32_t gradc_schedule_place(const gradc_schedule *s, uint32_t at, gradc_id x);

/* Whether stage `at` computes node x. */
bool gradc_schedule_has(const gradc_schedule *s, uint32_t at, gradc_id x);

void gradc_schedule_free(gradc_schedule *s);

#endif
