/* hash.h -- 64-bit mixing for interning and for the identity of traces.
 *
 * Multiply-and-fold: the two halves of a 128-bit product, xored. Two lanes with
 * different keys make the 128-bit hash that stands for a trace, so that unequal traces
 * do not meet in practice (2^-64 at 2^32 traces). */
#ifndef GRADC_BASE_HASH_H
#define GRADC_BASE_HASH_H

#include <stdint.h>

static inline uint64_t gradc_hash_mix(uint64_t h, uint64_t x)
{
    const __uint128_t p =
        (__uint128_t)(h ^ 0x9e3779b97f4a7c15u) * (x ^ 0xd1342543de82ef95u);
    return (uint64_t)p ^ (uint64_t)(p >> 64) ^ (h << 23 | h >> 41);
}

typedef struct gradc_hash {
    uint64_t lane[2];
} gradc_hash;

static inline void gradc_hash_add(gradc_hash *h, uint64_t x)
{
    h->lane[0] = gradc_hash_mix(h->lane[0], x);
    h->lane[1] = gradc_hash_mix(h->lane[1], x * 0xff51afd7ed558ccdu + 1);
}

#endif
