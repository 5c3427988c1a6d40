/* text.c -- appending formatted text; what does not fit is only counted. */
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

void gradc_text_add(gradc_text *t, const char *format, ...)
{
    const size_t room = t->need < t->size ? t->size - t->need : 0;
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(room ? t->out + t->need : NULL, room, format, args);
    va_end(args);
    t->need += n > 0 ? (size_t)n : 0;
}
