/*
 * Columns: rows of text as they are written, cells parted by tabs, printed aligned. The first
 * row is the head; a column in which no other row has anything is left out.
 */
#ifndef JOBGATE_COMMANDS_COLUMNS_H
#define JOBGATE_COMMANDS_COLUMNS_H

#include <stdbool.h>
#include <stdio.h>

enum { COLUMNS_MOST = 12 };

/* Each row ends by a newline. `bold`: the head stands out, for terminals. */
void columns_print(const char *rows, FILE *to, bool bold);

#endif
