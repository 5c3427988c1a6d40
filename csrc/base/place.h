/* place.h -- on which processors threads run.
 *
 * A thread that is woken often lands on the processor of the one who woke it and waits
 * there until that one sleeps, though others are idle: a job of a millisecond then
 * takes twice as long. So helpers are kept off the processor of the thread they help.
 * Linux only; elsewhere nothing is known and nothing is moved. */
#ifndef GRADC_BASE_PLACE_H
#define GRADC_BASE_PLACE_H

#include <pthread.h>

/* The processor of the calling thread, or -1 if that cannot be told. */
int gradc_place_now(void);

/* How many processors the calling thread may run on. */
long gradc_place_count(void);

/* Lets `thread` run where the caller may, except on `processor` if there are others. */
void gradc_place_off(pthread_t thread, int processor);

#endif
