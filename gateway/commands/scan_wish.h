/*
 * Wish: which units a scan is to ask, and in which ways to speak, from what a person typed.
 * Pure.
 */
#ifndef JOBGATE_COMMANDS_SCAN_WISH_H
#define JOBGATE_COMMANDS_SCAN_WISH_H

#include "commands/scan.h"

#include <stdio.h>

/* "1-31,40"; NULL: all that serial lines have, 1 to 247. False, and `why`. */
bool wish_units(bool units[SCAN_UNITS], const char *text, const struct adapter *adapter,
                char *why, size_t size);

/* The line's own way first, then the other speeds with its parity, then the other parities.
   `bauds` is "9600,19200", `parities` "E,N,O" or whole modes such as "8N2"; NULL: the usual
   ones. A list that does not hold the line's own leaves it out. The count of `ways`, or 0 and
   `why`. */
size_t wish_ways(struct scan_way ways[SCAN_WAYS_MOST], const struct adapter_settings *own,
                 const char *bauds, const char *parities, char *why, size_t size);

/* "19200 8E1" */
void way_text(const struct scan_way *way, char *text, size_t size);
bool way_is(const struct scan_way *way, const struct adapter_settings *settings);

/* "1-5,8"; of how many. */
unsigned units_print(const bool units[SCAN_UNITS], FILE *to);

#endif
