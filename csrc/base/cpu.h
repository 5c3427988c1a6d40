/* cpu.h -- what the processor and the operating system offer together. */
#ifndef GRADC_BASE_CPU_H
#define GRADC_BASE_CPU_H

#include <stdbool.h>

bool gradc_cpu_always(void);
/* AVX2 and FMA3, with the system saving 256-bit registers. */
bool gradc_cpu_avx2(void);
/* AVX-512 F, BW, DQ, VL and CD (x86-64-v4), with 512-bit registers saved. */
bool gradc_cpu_avx512(void);

#endif
