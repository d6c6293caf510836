/*
 * Grid: a table for people: rows of text in columns as wide as they need. On a terminal the
 * last column goes on below where the window leaves too little; elsewhere a row is one line.
 */
#ifndef JOBGATE_COMMANDS_GRID_H
#define JOBGATE_COMMANDS_GRID_H

#include "commands/terminal.h"

enum { GRID_COLUMNS_MOST = 8 };

struct cell {
    char *text;
    enum tone tone;
};

struct grid {
    size_t columns, rows, room;
    const char *heads[GRID_COLUMNS_MOST];
    bool right[GRID_COLUMNS_MOST]; /* numbers */
    struct cell *cells;            /* rows * columns */
    bool failed;                   /* no memory: nothing is printed */
};

/* `heads` ends by NULL; a head that begins with '>' makes a column of numbers. */
void grid_init(struct grid *grid, const char *const *heads);
void grid_deinit(struct grid *grid);
void grid_row(struct grid *grid); /* a new row, its cells empty */
/* A cell of the last row; control characters in it become '?'. */
__attribute__((format(printf, 4, 5))) void grid_cell(struct grid *grid, size_t column,
                                                     enum tone tone, const char *format, ...);
void grid_print(const struct grid *grid, const struct terminal *terminal);

#endif
