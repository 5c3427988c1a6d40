/* main.c -- runs the cases that are named, or all, after the limits of the machine.
 *
 *     bench [--quick] [CASE ...]
 *     bench --list | --paths
 *
 * --list prints each case with its claim, --paths the ISA paths usable here.
 * PYGRADC_ISA chooses the path, which must be the one limits.c was compiled for. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static const bench_case *const families[] = {bench_arrays, bench_products,
                                             bench_graphs};
enum { FAMILIES = sizeof families / sizeof *families };

const char *const bench_place_name[PLACES] = {"L1", "L2", "memory"};

/* Half of a cache; of a usual one where the system does not say. */
static size_t half_cache(int name, size_t otherwise)
{
    const long bytes = name >= 0 ? sysconf(name) : 0;
    return (bytes > 0 ? (size_t)bytes : otherwise) / 2;
}

#if defined(_SC_LEVEL1_DCACHE_SIZE)
enum { L1 = _SC_LEVEL1_DCACHE_SIZE, L2 = _SC_LEVEL2_CACHE_SIZE };
#else
enum { L1 = -1, L2 = -1 };
#endif

size_t bench_place_bytes(bench_place place)
{
    if (place == IN_MEMORY)
        return (size_t)256 << 20;
    return place == IN_L1 ? half_cache(L1, 32 << 10) : half_cache(L2, 512 << 10);
}

void bench_report(const bench_record *r)
{
    printf("{\"case\": \"%s\", \"dtype\": \"%s\", \"size\": \"%s\", ", r->name,
           r->dtype, r->size);
    printf("\"place\": \"%s\", \"threads\": %d, ", r->place, r->threads);
    printf("\"count\": %.17g, \"unit\": \"%s\", ", r->count, r->unit);
    printf("\"bytes_read\": %zu, \"bytes_written\": %zu, ", r->bytes_read,
           r->bytes_written);
    printf("\"flops\": %.17g, \"min\": %.17g, \"median\": %.17g}\n", r->flops,
           r->time.min, r->time.median);
}

void bench_require(bool holds, const char *format, ...)
{
    if (holds)
        return;
    va_list values;
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t state;

uint64_t bench_random(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return state >> 33;
}

static const bench_case *find(const char *name)
{
    for (int f = 0; f < FAMILIES; f++)
        for (const bench_case *c = families[f]; c->name != NULL; c++)
            if (strcmp(c->name, name) == 0)
                return c;
    return NULL;
}

static void list(void)
{
    for (int f = 0; f < FAMILIES; f++)
        for (const bench_case *c = families[f]; c->name != NULL; c++)
            printf("%-10s %s\n", c->name, c->claim);
}

static void run(const bench_case *c, bool quick)
{
    state = 1;
    c->run(c, quick);
}

static void run_all(bool quick)
{
    for (int f = 0; f < FAMILIES; f++)
        for (const bench_case *c = families[f]; c->name != NULL; c++)
            run(c, quick);
}

int main(int n, char **words)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    const char *option = n > 1 ? words[1] : "";
    if (strcmp(option, "--list") == 0 || strcmp(option, "--paths") == 0) {
        if (option[2] == 'l')
            list();
        else
            puts(gradc_isa_usable());
        return 0;
    }
    bench_require(gradc_isa() != NULL, "no such ISA path here: %s",
                  getenv("PYGRADC_ISA"));
    const bool quick = strcmp(option, "--quick") == 0;
    const int first = quick ? 2 : 1;
    for (int k = first; k < n; k++)
        bench_require(find(words[k]) != NULL, "no case %s", words[k]);
    printf("{\"isa\": \"%s\", \"compiler\": \"%s\", \"threads\": %d}\n", gradc_isa(),
           gradc_compiler(), gradc_threads());
    bench_limits(quick);
    for (int k = first; k < n; k++)
        run(find(words[k]), quick);
    if (first == n)
        run_all(quick);
    return 0;
}
