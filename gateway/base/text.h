/*
 * Text: one made of others. Any thread may call it.
 */
#ifndef JOBGATE_BASE_TEXT_H
#define JOBGATE_BASE_TEXT_H

#include <stddef.h>

/* All of them up to a NULL, one behind the other; malloc'ed, or NULL: no memory. A printf() of
   so many texts costs ten times as much, and there are some for each task. */
__attribute__((sentinel)) char *text_join(const char *first, ...);

#endif
