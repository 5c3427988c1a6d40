/* code.c -- pages for code: one mapping for each program, cut to what it needs. */
#if defined(__linux__)
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#endif
#include "base/code.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Room for the code of one program: some thousand operations. Pages that are not
 * written to take no memory. */
enum { ROOM = 1 << 18 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool allowed;
static size_t page;

static bool map(gradc_code *c)
{
    void *p =
        mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return false;
    *c = (gradc_code){.start = p, .size = ROOM};
    return true;
}

/* Hardened systems refuse to make a page executable that was writable. */
static void try_once(void)
{
    const char *wanted = getenv("PYGRADC_NATIVE");
    page = (size_t)sysconf(_SC_PAGESIZE);
    gradc_code c = {0};
    if ((wanted != NULL && strcmp(wanted, "0") == 0) || !map(&c))
        return;
    c.used = 1;
    allowed = gradc_code_end(&c);
    gradc_code_free(&c);
}

bool gradc_code_allowed(void)
{
    pthread_once(&once, try_once);
    return allowed;
}

bool gradc_code_begin(gradc_code *c) { return gradc_code_allowed() && map(c); }

bool gradc_code_end(gradc_code *c)
{
    if (c->size == 0)
        return true;
    const size_t keep = (c->used + page - 1) / page * page;
    if (keep < c->size)
        munmap(c->start + keep, c->size - keep);
    c->size = keep;
    return keep == 0 || mprotect(c->start, keep, PROT_READ | PROT_EXEC) == 0;
}

void gradc_code_free(gradc_code *c)
{
    if (c->size > 0)
        munmap(c->start, c->size);
    *c = (gradc_code){0};
}
