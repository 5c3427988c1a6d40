/* arena.h -- all memory of the library comes through here.
 *
 * gradc_alloc and friends are malloc with a fault injector for tests; an arena hands
 * out pieces that live as long as it does. */
#ifndef GRADC_BASE_ARENA_H
#define GRADC_BASE_ARENA_H

#include <stddef.h>

/* As malloc, realloc and free; memory is aligned for any type. */
void *gradc_alloc(size_t size);
void *gradc_alloc_zero(size_t count, size_t size);
void *gradc_realloc(void *p, size_t size);
void gradc_release(void *p);

/* For tests: the n-th allocation from now (1 is the next) and all after it fail; 0
 * turns that off. */
void gradc_alloc_fail_at(long n);
/* For tests: allocations not yet released. */
long gradc_alloc_live(void);

typedef struct gradc_arena_block gradc_arena_block;
typedef struct gradc_arena {
    gradc_arena_block *top;
    size_t used;
} gradc_arena;

/* `size` bytes that live until the arena is cleared, 16-aligned; NULL if there is no
 * memory. A zeroed struct is an empty arena. */
void *gradc_arena_get(gradc_arena *a, size_t size);
void gradc_arena_clear(gradc_arena *a);

#endif
