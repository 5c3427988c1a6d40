/* lines.h -- operands that code reads where they are. */
#ifndef GRADC_RUN_LINES_H
#define GRADC_RUN_LINES_H

#include "run/loop.h"

/* Chooses the line and the sheet of `l`, and the form of its loads, for code on vectors
 * of 64 bytes (`wide`) or 32. Operations that read lines must become code then. */
void gradc_find_lines(gradc_loop *l, bool wide);

#endif
