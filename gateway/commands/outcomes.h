/*
 * Outcomes: what a job came to, for people: its records in a table, and one line of sum.
 */
#ifndef JOBGATE_COMMANDS_OUTCOMES_H
#define JOBGATE_COMMANDS_OUTCOMES_H

#include "commands/fetch.h"
#include "commands/terminal.h"

/* The records of a job; the exit status as fetch(). */
int outcomes_fetch(const struct client *client, const struct options *options,
                   const char *job_id, json_t **ret);
void outcomes_print(const json_t *records, const struct terminal *terminal);
/* One record as a line of text, for who watches without a terminal. */
void outcome_line(const json_t *record, char *text, size_t size);

/* Seconds between two times of a record or job, or -1 where one is missing. */
double seconds_between(const json_t *object, const char *from, const char *to);

#endif
