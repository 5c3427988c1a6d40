/* arena.c -- malloc with a fault injector, and blocks that are freed together.
 *
 * The injector lets tests fail every allocation in turn and count what leaks. Its two
 * counters are atomic because programs of several threads may share the library. */
#include "base/arena.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static atomic_long fail_at, live;

/* Whether the injector wants this allocation to fail. */
static bool injected(void)
{
    if (atomic_load_explicit(&fail_at, memory_order_relaxed) == 0)
        return false;
    const long n = atomic_load(&fail_at);
    if (n > 1)
        atomic_store(&fail_at, n - 1);
    return n == 1;
}

static void *counted(void *p)
{
    if (p != NULL)
        atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
    return p;
}

void gradc_alloc_fail_at(long n) { atomic_store(&fail_at, n); }

long gradc_alloc_live(void) { return atomic_load(&live); }

void *gradc_alloc(size_t size)
{
    return injected() ? NULL : counted(malloc(size ? size : 1));
}

void *gradc_alloc_zero(size_t count, size_t size)
{
    return injected() ? NULL : counted(calloc(count ? count : 1, size));
}

void *gradc_realloc(void *p, size_t size)
{
    if (p == NULL)
        return gradc_alloc(size);
    return injected() ? NULL : realloc(p, size ? size : 1);
}

void gradc_release(void *p)
{
    if (p != NULL)
        atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
    free(p);
}

struct gradc_arena_block {
    gradc_arena_block *below;
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20 };

void *gradc_arena_get(gradc_arena *a, size_t size)
{
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (a->top == NULL || a->top->size - a->used < size) {
        size_t grown = a->top == NULL ? FIRST_BLOCK : a->top->size * 2;
        grown = grown > LARGEST_BLOCK ? LARGEST_BLOCK : grown;
        grown = grown < size ? size : grown;
        gradc_arena_block *b = gradc_alloc(sizeof *b + grown);
        if (b == NULL)
            return NULL;
        b->below = a->top;
        b->size = grown;
        a->top = b;
        a->used = 0;
    }
    void *p = a->top->bytes + a->used;
    a->used += size;
    return p;
}

void gradc_arena_clear(gradc_arena *a)
{
    while (a->top != NULL) {
        gradc_arena_block *b = a->top;
        a->top = b->below;
        gradc_release(b);
    }
    a->used = 0;
}
