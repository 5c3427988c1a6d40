/* schedule.c -- questions about the nodes of a stage, which stand in rising order. */
#include "ir/schedule.h"

#include "base/arena.h"

void gradc_schedule_free(gradc_schedule *s)
{
    gradc_release(s->stage);
    gradc_release(s->node);
    gradc_release(s->stage_of);
}

uint32_t gradc_schedule_place(const gradc_schedule *s, uint32_t at, gradc_id x)
{
    const gradc_stage *st = &s->stage[at];
    uint32_t low = 0, high = st->count;
    while (low < high) {
        const uint32_t mid = (low + high) / 2;
        if (s->node[st->first + mid] < x)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

bool gradc_schedule_has(const gradc_schedule *s, uint32_t at, gradc_id x)
{
    if (s->stage_of[x - 1] == 0 || s->stage_of[x - 1] == at + 1)
        return s->stage_of[x - 1] != 0;
    const uint32_t i = gradc_schedule_place(s, at, x);
    return i < s->stage[at].count && s->node[s->stage[at].first + i] == x;
}
