/* text.h -- text into a caller's buffer of any size, counted as snprintf counts. */
#ifndef GRADC_BASE_TEXT_H
#define GRADC_BASE_TEXT_H

#include <stddef.h>

typedef struct gradc_text {
    char *out;         /* may be NULL if size is 0 */
    size_t size, need; /* need: bytes the whole text takes, without the final 0 */
} gradc_text;

void gradc_text_add(gradc_text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
