/*
 * Trust: may the wall clock be believed? A Pi has no clock battery: after a power cut its time
 * is some time in the past until the network sets it.
 */
#ifndef JOBGATE_BASE_TRUST_H
#define JOBGATE_BASE_TRUST_H

#include <stdbool.h>

/* True once the kernel is told that the clock is synchronised, or where no service would ever
   do that; never while the clock is earlier than this program's build. */
bool clock_is_trusted(void);
/* The same in words: NULL, or why the clock may not be believed; a constant. */
const char *clock_doubt(void);

#endif
