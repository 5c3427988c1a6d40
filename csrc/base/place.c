/* place.c -- on which processors threads run: the calls of Linux. */
#if defined(__linux__)
#define _GNU_SOURCE /* sched_getcpu, the affinity of threads */
#endif
#include "base/place.h"

#include <unistd.h>

#if defined(__linux__)
#include <sched.h>

int gradc_place_now(void) { return sched_getcpu(); }

/* Fails on machines of more processors than a cpu_set_t has: then nothing is moved. */
static int allowed_here(cpu_set_t *set)
{
    return pthread_getaffinity_np(pthread_self(), sizeof *set, set) == 0;
}

long gradc_place_count(void)
{
    cpu_set_t set;
    return allowed_here(&set) ? CPU_COUNT(&set) : sysconf(_SC_NPROCESSORS_ONLN);
}

void gradc_place_off(pthread_t thread, int processor)
{
    cpu_set_t set;
    if (processor < 0 || processor >= CPU_SETSIZE || !allowed_here(&set))
        return;
    if (CPU_COUNT(&set) > 1)
        CPU_CLR(processor, &set);
    (void)pthread_setaffinity_np(thread, sizeof set,
                                 &set); /* it helps, or it does not */
}
#else
int gradc_place_now(void) { return -1; }
long gradc_place_count(void) { return sysconf(_SC_NPROCESSORS_ONLN); }
void gradc_place_off(pthread_t thread, int processor) { (void)thread, (void)processor; }
#endif
