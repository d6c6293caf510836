/*
 * Time text: instants as the hub's clients write them, ISO 8601 in the extended form.
 *
 * Read is YYYY-MM-DDThh:mm:ss with no fraction or 1 to 9 digits of it, then Z, +hh:mm,
 * -hh:mm (up to 23:59) or nothing, which means UTC. Years are 0001 to 9999 of the
 * Gregorian calendar, also before its time. No leap seconds, no hour 24, upper case only,
 * and nothing before or after. What is finer than a millisecond is dropped.
 *
 * An instant is wall time: milliseconds since 1970-01-01 UTC, negative before.
 * Any thread may call these.
 */
#ifndef JOBGATE_JOBS_TIMETEXT_H
#define JOBGATE_JOBS_TIMETEXT_H

#include <stdint.h>

enum { TIMETEXT_E_FORM = 1 };

#define TIMETEXT_SIZE sizeof("YYYY-MM-DDThh:mm:ss.mmmZ")

/* 0, or TIMETEXT_E_FORM and *ret is untouched. */
int timetext_parse(int64_t *ret_ms, const char *text);

/*
 * Writes YYYY-MM-DDThh:mm:ss.mmmZ. What the years 0000 to 9999 cannot hold becomes their
 * first or last millisecond: an offset can move a time that was read out of its year.
 */
void timetext_format(char text[TIMETEXT_SIZE], int64_t ms);

#endif
