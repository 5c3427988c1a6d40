/* cpu.c -- CPUID says what the processor can do, XGETBV what the system saves.
 *
 * Both are needed: on a system that does not save the wide registers at a context
 * switch, wide code is silently wrong. Source: Intel SDM vol. 1, sections 14.3 and
 * 15.2. */
#include "base/cpu.h"

bool gradc_cpu_always(void) { return true; }

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdint.h>

enum { XMM = 1 << 1, YMM = 1 << 2, OPMASK_ZMM = 7 << 5 };

/* The register state the system saves, or 0 if it does not say. */
static uint32_t saved_state(void)
{
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    (void)high;
    return low;
}

bool gradc_cpu_avx2(void)
{
    unsigned a, b, c, d;
    if ((saved_state() & (XMM | YMM)) != (XMM | YMM))
        return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_AVX))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

bool gradc_cpu_avx512(void)
{
    unsigned a, b, c, d;
    const unsigned wanted = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL |
                            bit_AVX512CD | bit_BMI2;
    if (!gradc_cpu_avx2() || (saved_state() & OPMASK_ZMM) != OPMASK_ZMM)
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & wanted) == wanted;
}

#else

bool gradc_cpu_avx2(void) { return false; }
bool gradc_cpu_avx512(void) { return false; }

#endif
