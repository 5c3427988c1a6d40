/* dispatch.c -- the kernel tables of each ISA, and the choice among them.
 *
 * The choice is made once, at first use. PYGRADC_ISA overrides it strictly: a name that
 * is unknown or unusable here leaves no kernels at all rather than other ones. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cpu.h"
#include "kern/kern.h"

#define TABLE(family, isa, dtype)                                                      \
    extern const gradc_##family##_table gradc_##family##_##isa##_##dtype;
#define TABLES_OF(isa, dtype)                                                          \
    TABLE(map, isa, dtype)                                                             \
    TABLE(reduce, isa, dtype)                                                          \
    TABLE(move, isa, dtype) TABLE(scan, isa, dtype) TABLE(order, isa, dtype)
#define TABLES(isa)                                                                    \
    TABLES_OF(isa, f64)                                                                \
    TABLES_OF(isa, f32)                                                                \
    TABLES_OF(isa, i64)                                                                \
    TABLES_OF(isa, b8) TABLE(matmul, isa, f64) TABLE(matmul, isa, f32)
#define ALL(family, isa)                                                               \
    {&gradc_##family##_##isa##_f64, &gradc_##family##_##isa##_f32,                     \
     &gradc_##family##_##isa##_i64, &gradc_##family##_##isa##_b8}
#define KERNELS(isa)                                                                   \
    {#isa,                                                                             \
     ALL(map, isa),                                                                    \
     ALL(reduce, isa),                                                                 \
     {&gradc_matmul_##isa##_f64, &gradc_matmul_##isa##_f32, NULL, NULL},               \
     ALL(move, isa),                                                                   \
     ALL(scan, isa),                                                                   \
     ALL(order, isa)}

TABLES(base)
#if defined(__x86_64__)
TABLES(avx2)
TABLES(avx512)
#endif

/* Best first. */
static const struct {
    gradc_kernels kernels;
    bool (*usable)(void);
} sets[] = {
#if defined(__x86_64__)
    {KERNELS(avx512), gradc_cpu_avx512},
    {KERNELS(avx2), gradc_cpu_avx2},
#endif
    {KERNELS(base), gradc_cpu_always},
};

enum { N_SETS = sizeof sets / sizeof *sets, LIST = 64 };

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const gradc_kernels *chosen;
static char compiled[LIST], usable[LIST];

static void append(char *list, const char *name)
{
    const size_t n = strlen(list);
    snprintf(list + n, LIST - n, "%s%s", n > 0 ? " " : "", name);
}

static void choose(void)
{
    const char *wanted = getenv("PYGRADC_ISA");
    if (wanted != NULL && *wanted == 0)
        wanted = NULL;
    for (size_t i = 0; i < N_SETS; i++) {
        const char *name = sets[i].kernels.isa;
        append(compiled, name);
        if (!sets[i].usable())
            continue;
        append(usable, name);
        if (chosen == NULL && (wanted == NULL || strcmp(wanted, name) == 0))
            chosen = &sets[i].kernels;
    }
}

const gradc_kernels *gradc_kernels_get(void)
{
    pthread_once(&once, choose);
    return chosen;
}

const char *gradc_isa(void)
{
    const gradc_kernels *k = gradc_kernels_get();
    return k != NULL ? k->isa : NULL;
}

const char *gradc_isa_compiled(void)
{
    pthread_once(&once, choose);
    return compiled;
}

const char *gradc_isa_usable(void)
{
    pthread_once(&once, choose);
    return usable;
}
