/* buffer.c -- large blocks that are kept when given back.
 *
 * Two thirds of the time of a pass over a fresh array of 8 MB are page faults, so the
 * blocks of large results and workspaces are used again. What is kept is bounded, the
 * oldest goes first. Nobody waits: whoever finds the list in use by another thread
 * goes to the system instead. */
#define _GNU_SOURCE /* madvise */
#include <pthread.h>
#include <stdint.h>
#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "base/arena.h"
#include "gradc.h"

enum { KEPT_MOST = 1 << 28, PAGE = 1 << 21 };
enum { ALIGNMENT = 64 };

/* Stands before the bytes that are handed out. */
typedef struct block {
    struct block *older;
    void *start; /* as allocated */
    size_t room; /* bytes that can be handed out */
} block;

_Static_assert(sizeof(block) <= ALIGNMENT, "a header fits before aligned bytes");

static pthread_mutex_t in_use = PTHREAD_MUTEX_INITIALIZER;
static block *newest;
static size_t kept;

/* The newest kept block that holds `size` and wastes at most a fourth, unlinked. */
static block *find(size_t size)
{
    for (block **at = &newest; *at != NULL; at = &(*at)->older) {
        block *b = *at;
        if (b->room >= size && b->room - size <= b->room / 4) {
            *at = b->older;
            kept -= b->room;
            return b;
        }
    }
    return NULL;
}

/* Fewer page faults, and fewer misses of the translation buffer. */
static void ask_for_large_pages(const block *b)
{
#if defined(__linux__)
    const uintptr_t start = ((uintptr_t)(b + 1) + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
    const uintptr_t end = ((uintptr_t)(b + 1) + b->room) & ~(uintptr_t)(PAGE - 1);
    if (end > start)
        madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)b;
#endif
}

static block *make(size_t size)
{
    if (size > SIZE_MAX - 2 * ALIGNMENT)
        return NULL;
    char *start = gradc_alloc(size + 2 * ALIGNMENT);
    if (start == NULL)
        return NULL;
    const uintptr_t bytes = ((uintptr_t)start + 2 * ALIGNMENT - 1) & -ALIGNMENT;
    block *b = (block *)(bytes - ALIGNMENT);
    *b = (block){.start = start, .room = size};
    ask_for_large_pages(b);
    return b;
}

void *gradc_buffer_take(size_t size)
{
    block *b = NULL;
    if (pthread_mutex_trylock(&in_use) == 0) {
        b = find(size);
        pthread_mutex_unlock(&in_use);
    }
    if (b == NULL)
        b = make(size);
    return b != NULL ? (char *)b + ALIGNMENT : NULL;
}

/* Unlinks the oldest blocks until what is kept is within bounds. */
static block *surplus(void)
{
    size_t sum = 0;
    for (block **at = &newest; *at != NULL; at = &(*at)->older) {
        sum += (*at)->room;
        if (sum > KEPT_MOST) {
            block *rest = *at;
            kept = sum - rest->room;
            *at = NULL;
            return rest;
        }
    }
    return NULL;
}

void gradc_buffer_give(void *p)
{
    if (p == NULL)
        return;
    block *b = (block *)((char *)p - ALIGNMENT);
    b->older = NULL;
    if (pthread_mutex_trylock(&in_use) == 0) {
        b->older = newest;
        newest = b;
        kept += b->room;
        b = kept > KEPT_MOST ? surplus() : NULL;
        pthread_mutex_unlock(&in_use);
    }
    while (b != NULL) {
        block *older = b->older;
        gradc_release(b->start);
        b = older;
    }
}
