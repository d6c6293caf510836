/*
 * Text: one made of others, and UTF-8. Any thread may call it.
 */
#ifndef JOBGATE_BASE_TEXT_H
#define JOBGATE_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* All of them up to a NULL, one behind the other; malloc'ed, or NULL: no memory. A printf() of
   so many texts costs ten times as much, and there are some for each task. */
__attribute__((sentinel)) char *text_join(const char *first, ...);

/* Bytes of the UTF-8 character at `text` (RFC 3629); 0: there is none. */
size_t text_character(const char *text, size_t left);
bool text_is_utf8(const char *text);
/* Cuts an unfinished character off the end of a text that a buffer cut short. */
void text_clip(char *text);
/* One line that any terminal and any JSON can show, in place: what a message quotes may be cut
   inside a character, or be anything at all. */
void text_make_printable(char *text);

#endif
