/*
 * Terminal: whether a stream is one, how wide, and whether it wants colour (not with NO_COLOR
 * set, not on a dumb one; https://no-color.org).
 */
#ifndef JOBGATE_COMMANDS_TERMINAL_H
#define JOBGATE_COMMANDS_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct terminal {
    FILE *to;
    bool live; /* a person watches: lines may be rewritten */
    bool colour;
    size_t width; /* columns; 0: no limit */
};

enum tone { TONE_PLAIN, TONE_GOOD, TONE_BAD, TONE_WARN, TONE_DIM, TONE_HEAD };

struct terminal terminal_of(FILE *to);
const char *terminal_tone(const struct terminal *terminal,
                          enum tone tone);                 /* "" without colour */
const char *terminal_end(const struct terminal *terminal); /* ends any tone */

/* Columns that a text takes: its characters, as none of ours is wide. */
size_t text_width(const char *text);
/* Bytes of the first `width` characters. */
size_t text_cut(const char *text, size_t width);

#endif
