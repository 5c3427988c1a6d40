/* code.h -- memory that holds machine code made at run time.
 *
 * Pages are writable while code is put into them and executable afterwards, never
 * both. Where the system forbids such pages, or the environment says
 * PYGRADC_NATIVE=0, there is no code and everything runs by kernels. */
#ifndef GRADC_BASE_CODE_H
#define GRADC_BASE_CODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zeroed: no code. */
typedef struct gradc_code {
    uint8_t *start;
    size_t used, size; /* bytes written; of the mapping */
} gradc_code;

/* Whether code may be made; asked of the system once. */
bool gradc_code_allowed(void);
/* Makes room to write to; false if there is none. */
bool gradc_code_begin(gradc_code *c);
/* What was written becomes executable; false if it cannot. */
bool gradc_code_end(gradc_code *c);
void gradc_code_free(gradc_code *c);

#endif
